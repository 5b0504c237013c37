"""What the names of the student's notebook are in TESTER: plain values, and stand-ins that ask STUDENT.

    checks.sigmoid(sigmoid)                  a stand-in is a Subject
    assert sigmoid(torch.zeros(2))[0] == 0.5     and a function, for tests written as plain Python
    net = Net(3); loss = net(x).sum(); loss.backward(); torch.optim.SGD(net.parameters(), 0.1).step()

What a test learns of an object of the student's is the student's word, so a comparison must be the test's own: a
stand-in is equal to nothing, and `answer(x).allclose(y)` is refused where the answer gave no tensor.

A module's stand-in is a torch module whose parameters live in TESTER: each forward pass sends them over, and the slopes
come back through torch's own autograd, so an optimiser written in a test trains the student's network.
"""

import builtins
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.checks.frames import WireError
from dlcourse.checks.outcome import AnswerError, NotStarted
from dlcourse.checks.subject import Subject
from dlcourse.checks.values import decode, encode
from dlcourse.course.grading.judge.jailed import Lost

# Methods with which a test would let the student's own object judge itself.
VERDICTS = {"all", "allclose", "any", "eq", "equal", "isclose", "ne"}
LONGEST_NAME = 200  # of a parameter, with the dots
Exchange = Callable[[bytes], bytearray]  # a frame to STUDENT, and its reply; raises Lost


class Unanswered(Exception):
    """The answer ended, hung or sent what cannot be read, in a test written as plain Python."""


def look(exchange: Exchange, name: str) -> Any:
    """The student's `name`: a plain value or a stand-in. NameError when the notebook has none."""
    found = _use(exchange, "look", name)
    if found is None:
        raise NameError(f"name {name!r} is not defined")
    return _in(exchange, found, name)


def _use(exchange: Exchange, what: str, *values: Any) -> Any:
    """What the student's desk answers. The student's exception is raised here as the built-in one of its name."""
    try:
        frame = b"D" + encode({"do": what, "with": list(values)})
    except WireError as error:
        raise TypeError(f"a test can hand only plain values to an answer: {error}") from error
    try:
        reply = decode(exchange(frame))
    except (Lost, WireError) as error:
        raise Unanswered(str(error)) from error
    if type(reply) is not dict or not ({"value", "error"} & set(reply)):
        raise Unanswered("what came back cannot be read")
    if "value" in reply:
        return reply["value"]
    kind, text, name, *_ = (*map(str, reply["error"]), "", "", "") if type(reply["error"]) is tuple else ("", "", "")
    if name == "NotStarted" or kind == "not-started":
        raise NotStarted("nothing written yet")
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception) and known not in (StopIteration, StopAsyncIteration):
        try:
            error = known(text)
        except TypeError:  # UnicodeDecodeError and the like want more than a text
            error = RuntimeError(f"{name}: {text}")
        raise error
    raise RuntimeError(f"{name}: {text}" if name else text)


def _in(exchange: Exchange, found: Any, name: str) -> Any:
    """The value or stand-in of what the desk handed out."""
    if type(found) is not dict or not ({"plain", "kept"} & set(found)):
        raise Unanswered("what came back cannot be read")
    if "plain" in found:
        return found["plain"]
    number, what = found["kept"], found.get("what")
    if type(number) is not int:
        raise Unanswered("what came back cannot be read")
    if what == "module":
        return ModuleStandIn(exchange, number, name)
    return StandIn(exchange, number, name)


class StandIn(Subject):
    """A function, class or object of the student's."""

    def __init__(self, exchange: Exchange, number: int, name: str) -> None:
        super().__init__(self._question)
        self._remote, self._number, self.__name__ = exchange, number, name

    def _question(self, request: bytes) -> bytearray:
        try:
            return self._remote(b"A%d\n" % self._number + request)
        except Lost as error:
            raise AnswerError("gone" if error.by == "end" else "silent", str(error)) from error

    def __call__(self, *args: Any, **options: Any) -> Any:
        found = _use(self._remote, "call", self._number, args, options)
        return _in(self._remote, found, f"{self.__name__}(...)")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _no_verdict(self.__name__, name)
        return _in(self._remote, _use(self._remote, "get", self._number, name), f"{self.__name__}.{name}")


def _no_verdict(of: str, name: str) -> None:
    if name in VERDICTS:
        raise Unanswered(f"{of} is no tensor, and its own `{name}` proves nothing")


class ModuleStandIn(nn.Module):
    """A torch module of the student's, with its parameters here."""

    def __init__(self, exchange: Exchange, number: int, name: str) -> None:
        super().__init__()
        object.__setattr__(self, "_ask", lambda what, *values: _use(exchange, what, number, *values))
        object.__setattr__(self, "_exchange", exchange)
        object.__setattr__(self, "__name__", name)
        shown = self._ask("module")
        for path, (value, learns) in _tensors(shown, "parameters").items():
            parent, leaf = self._parent(path)
            parent.register_parameter(leaf, nn.Parameter(value, requires_grad=bool(learns)))
        for path, value in _tensors(shown, "buffers").items():
            parent, leaf = self._parent(path)
            parent.register_buffer(leaf, value)
        self.train(bool(shown.get("training")))
        object.__setattr__(self, "_whole", True)

    def _parent(self, path: str) -> tuple[nn.Module, str]:
        module: nn.Module = self
        if len(path) > LONGEST_NAME:
            raise Unanswered("a module whose parameters have endless names")
        *above, leaf = path.split(".")
        for step in above:
            if step not in module._modules:
                module.add_module(step, nn.Module())
            module = module._modules[step]
        return module, leaf

    def _send(self) -> None:
        state = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        self._ask("set", {name: value.detach() for name, value in state.items()}, self.training)

    def _receive(self, buffers: Any) -> None:
        own = dict(self.named_buffers())
        for name, value in _tensors({"buffers": buffers}, "buffers").items():
            if name not in own or own[name].shape != value.shape or own[name].dtype != value.dtype:
                raise Unanswered("a buffer of another shape came back")
            own[name].copy_(value)

    def forward(self, *args: Any) -> Any:
        self._send()
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return _Forward.apply(self, len(args), *args, *learning)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_") or "_whole" not in self.__dict__:  # torch asks for names that it is about to give
                raise
        _no_verdict(self.__name__, name)
        self._send()
        return _in(self._exchange, self._ask("get", name), f"{self.__name__}.{name}")


def _tensors(shown: Any, key: str) -> dict[str, Any]:
    found = shown.get(key) if type(shown) is dict else None
    if type(found) is not dict:
        raise Unanswered("a module that cannot be read")
    tensors = [value[0] if type(value) is tuple and len(value) == 2 else value for value in found.values()]
    if not all(type(value) is Tensor for value in tensors):
        raise Unanswered("a module whose parameters are no tensors")
    if key == "parameters" and not all(type(value) is tuple for value in found.values()):
        raise Unanswered("a module that cannot be read")
    return found


class _Forward(torch.autograd.Function):
    """The student's forward pass, with the slopes of arguments and parameters on the way back."""

    @staticmethod
    def forward(ctx: Any, module: ModuleStandIn, count: int, *values: Any) -> Any:
        args = values[:count]
        slopes = [isinstance(value, Tensor) and value.requires_grad for value in args]
        plain = tuple(value.detach() if isinstance(value, Tensor) else value for value in args)
        found = module._ask("forward", plain, slopes)
        if type(found) is not dict:
            raise Unanswered("what came back cannot be read")
        module._receive(found.get("buffers"))
        value = _in(module._exchange, found.get("out"), f"{module.__name__}(...)")
        ctx.module, ctx.slopes, ctx.learning = module, slopes, len(values) - count
        return value

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        weights = [None if weight is None else weight.contiguous() for weight in cotangents]
        slopes = ctx.module._ask("backward", weights)
        wanted = sum(ctx.slopes) + ctx.learning
        if type(slopes) is not list or len(slopes) != wanted:
            raise Unanswered("the slopes that came back are not one for each argument")
        if not all(slope is None or type(slope) is Tensor for slope in slopes):
            raise Unanswered("a slope that came back is not a tensor")
        of_args, of_parameters = iter(slopes[: sum(ctx.slopes)]), slopes[sum(ctx.slopes) :]
        return (None, None, *(next(of_args) if has else None for has in ctx.slopes), *of_parameters)
