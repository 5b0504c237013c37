"""What a check sees of an answer: four questions, and values from a closed list.

    check -> Subject -> message -> Answerer -> the learner's function or class

The Answerer stands on the learner's side. In a notebook it is called directly, in the grader it sits behind a socket in
another process; both ways every value is written to bytes and read back. So an answer cannot change the check's
inputs, cannot hand out an object that lies about itself, and what passes in the notebook passes in the grader.
"""

import inspect
import socket
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.frames import WireError, receive, send
from dlcourse.checks.outcome import AnswerError, NotStarted
from dlcourse.checks.values import decode, encode

MAX_TEXT = 2_000  # characters of a learner's message that are kept
MAX_WARNINGS = 10
MAX_DEPTH = 1_000  # calls that may be open at once, Python's own default


class Subject:
    """An answer seen from the check. Every method raises AnswerError when the answer gives no value.

    exchange: takes a request message, gives the reply message.
    warned: what the answer's code warned of so far, each text once.
    """

    def __init__(self, exchange: Callable[[bytes], bytes | bytearray]) -> None:
        self._exchange = exchange
        self.warned: list[str] = []

    def call(self, *values: Any, lines: int | None = None) -> Any:
        """The function's value. A class is constructed with `values` instead and kept; its state comes back.

        lines: of Python that the answer may run, where a likely mistake never ends. Lines and not seconds, so that
        the verdict is the same on every machine. AnswerError of kind "silent" beyond. With a limit for lines comes
        one for calls that are open at once, MAX_DEPTH: a RecursionError, also where Python's own limit was raised.
        """
        return self._ask("call", values, lines)

    def vjp(self, args: tuple[Any, ...], cotangent: Tensor | tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        """The slope of sum(cotangent * answer(*args)) for each argument; None where nothing flows.

        For an answer that is a tuple of tensors give a cotangent for each: the sums of all of them are added.
        Raises AnswerError of kind "raised" when the answer is no tensor of the cotangent's shape, or no such tuple.
        """
        slopes = self._ask("vjp", (args, cotangent))
        if type(slopes) is not tuple or len(slopes) != len(args):
            raise AnswerError("gone", "the slopes that came back are not one for each argument")
        if not all(slope is None or type(slope) is Tensor for slope in slopes):
            raise AnswerError("gone", "a slope that came back is not a tensor")
        return slopes

    def step(self, *values: Any) -> Any:
        """The value of the `step` method of the object that the last `call` constructed."""
        return self._ask("step", values)

    def state(self) -> dict[str, Any]:
        """That object's plain attributes by name (tensors, numbers, texts); of a module its state_dict too."""
        return _as_state(self._ask("state", ()))

    def stepped(self, *values: Any) -> tuple[Any, dict[str, Any]]:
        """`step` and then `state`, in one question: a check of many steps is half as long in the grader."""
        both = self._ask("stepped", values)
        if type(both) is not tuple or len(both) != 2:
            raise AnswerError("gone", "what came back is not a value and a state")
        return both[0], _as_state(both[1])

    def _ask(self, question: str, values: tuple[Any, ...], lines: int | None = None) -> Any:
        reply = self._reply(encode({"question": question, "values": values, "lines": lines}))
        for text in _texts(reply.get("warned"))[:MAX_WARNINGS]:
            if text not in self.warned and len(self.warned) < MAX_WARNINGS:
                self.warned.append(text)
        if "value" in reply:
            return reply["value"]
        kind, message, error, line, bases = [*_texts(reply.get("error")), "", "", "", "", ""][:5]
        if kind not in AnswerError.KINDS:
            raise AnswerError("gone", "the reply cannot be read")
        raise AnswerError(kind, message, error=error, line=line, bases=tuple(bases.split()))

    def _reply(self, request: bytes) -> dict[str, Any]:
        try:
            reply = decode(self._exchange(request))
        except WireError as error:
            raise AnswerError("gone", f"what came back cannot be read: {error}") from error
        if type(reply) is not dict:
            raise AnswerError("gone", "the reply is not a dict")
        return reply


def _as_state(state: Any) -> dict[str, Any]:
    if type(state) is not dict:
        raise AnswerError("gone", "the state that came back is not a dict")
    return state


def _texts(values: Any) -> list[str]:
    """The texts of an untrusted list, cut to a sane length and free of control characters."""
    if type(values) not in (tuple, list):
        return []
    return [
        "".join(c for c in value[:MAX_TEXT] if c.isprintable() or c == "\n") for value in values if type(value) is str
    ]


class LocalSubject(Subject):
    """An answer in this process."""

    def __init__(self, answer: Any) -> None:
        super().__init__(Answerer(answer).reply)


class RemoteSubject(Subject):
    """An answer behind a socket whose other end runs `serve`.

    timeout: seconds for one question. After a timeout or a broken frame no further question is asked, because the
    next reply would belong to the last question.
    """

    def __init__(self, channel: socket.socket, *, timeout: float = 60.0) -> None:
        super().__init__(self._over_the_wire)
        self._channel, self._timeout = channel, timeout
        self._broken: AnswerError | None = None

    def _over_the_wire(self, request: bytes) -> bytearray:
        if self._broken:
            raise AnswerError(self._broken.kind, self._broken.message)
        try:
            send(self._channel, request, timeout=self._timeout)
            reply = receive(self._channel, timeout=self._timeout)
        except TimeoutError:
            self._broken = AnswerError("silent", f"no answer within {self._timeout:g} s")
        except (OSError, WireError) as error:
            self._broken = AnswerError("gone", f"the answer's process ended or sent rubbish ({error})")
        else:
            if reply is not None:
                return reply
            self._broken = AnswerError("gone", "the answer's process ended")
        raise self._broken


def serve(answer: Any, channel: socket.socket) -> None:
    """Answers questions on `channel` until the other side ends. Runs on the learner's side."""
    answerer = Answerer(answer)
    while (request := receive(channel)) is not None:
        send(channel, answerer.reply(request))


class Answerer:
    """The learner's side: reads a question, asks the answer, writes the reply. It protects nobody; `Subject` does."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self._object: Any = None
        self._lines: int | None = None
        self._shown: dict[str, Any] = {}  # the attributes that this reply tells

    def reply(self, request: bytes | bytearray) -> bytes:
        asked = decode(request)
        self._lines, self._shown = asked["lines"], {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            try:
                outcome = {"value": getattr(self, "_" + asked["question"])(*asked["values"])}
                if encode(asked) != request:
                    raise AnswerError("changed-argument", "an argument was changed in place")
                message = self._encoded(outcome)
            except AnswerError as error:
                outcome = {"error": (error.kind, error.message, error.error, error.line, " ".join(error.bases))}
            except WireError as error:
                outcome = {"error": ("not-plain", str(error))}
            else:
                if not caught:
                    return message
        outcome["warned"] = [_clean(f"{warning.category.__name__}: {warning.message}") for warning in caught]
        return encode(outcome)

    def _encoded(self, outcome: dict[str, Any]) -> bytes:
        """The message, of an object's attributes those that are plain. Mostly all are: so they are written first."""
        try:
            return encode(outcome)
        except WireError:
            for name in [name for name, value in self._shown.items() if not _is_plain(value)]:
                del self._shown[name]
            return encode(outcome)

    def _call(self, *values: Any) -> Any:
        if not inspect.isclass(self._answer):
            return self._run(self._answer, *values)
        self._object = self._run(self._answer, *values)
        return self._state()

    def _step(self, *values: Any) -> Any:
        method = getattr(self._object, "step", None)
        if method is None:
            name = type(self._object).__name__
            raise AnswerError("signature", f"{name} has no method `step`")
        return self._run(method, *values)

    def _stepped(self, *values: Any) -> tuple[Any, dict[str, Any]]:
        return self._step(*values), self._state()

    def _state(self) -> dict[str, Any]:
        attributes = dict(getattr(self._object, "__dict__", {}))
        if isinstance(self._object, torch.nn.Module):
            attributes |= self._object.state_dict()
        self._shown = {name: value for name, value in attributes.items() if not name.startswith("_")}
        return self._shown

    def _vjp(self, args: tuple[Any, ...], cotangent: Tensor | tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        leaves = [value for value in args if isinstance(value, Tensor) and value.is_floating_point()]
        for leaf in leaves:
            leaf.requires_grad_()
        with torch.enable_grad():
            slopes = iter(self._run(lambda *values: _slopes(self._answer(*values), leaves, cotangent), *args))
        return tuple(next(slopes) if any(value is leaf for leaf in leaves) else None for value in args)

    def _run(self, function: Any, *values: Any) -> Any:
        """function(*values), with everything that can go wrong turned into an AnswerError."""
        if not callable(function):
            raise AnswerError("signature", f"a {type(function).__name__} is not a function")
        try:
            with _at_most(self._lines):
                return function(*values)
        except _TooManyLines:
            raise AnswerError("silent", f"no answer after {self._lines:,} lines of Python") from None
        except Exception as error:
            if isinstance(error, TypeError):
                _bind(function, values)
            raise _described(error) from error
        except SystemExit as error:
            raise AnswerError("raised", "the code asked Python to end", error="SystemExit") from error


class _TooManyLines(BaseException):
    """Not an Exception, so that `except Exception` in the learner's code lets it pass."""


@contextmanager
def _at_most(lines: int | None) -> Iterator[None]:
    """Stops the code inside once it has run `lines` lines of Python, or is MAX_DEPTH calls deep. None: no limit."""
    if lines is None:
        yield
        return
    left, depth = lines, 0

    def count(frame: Any, event: str, arg: Any) -> Any:
        nonlocal left, depth
        left -= event == "line"
        depth += (event == "call") - (event == "return")
        if left < 0:
            raise _TooManyLines
        if depth > MAX_DEPTH:
            raise RecursionError(f"more than {MAX_DEPTH:,} calls are open at once")
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def _slopes(value: Any, leaves: list[Tensor], cotangent: Tensor | tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    several = isinstance(cotangent, tuple)
    values, cotangents = (value, cotangent) if several else ((value,), (cotangent,))
    if not isinstance(values, tuple) or [_shape(part) for part in values] != [part.shape for part in cotangents]:
        wanted = "a tuple of tensors of the right shapes" if several else "a tensor of the right shape"
        raise TypeError(f"the slope needs {wanted}")
    pairs = [pair for pair in zip(values, cotangents, strict=True) if pair[0].requires_grad]
    if not pairs:
        return (None,) * len(leaves)
    return weighted_slopes(pairs, leaves)


def weighted_slopes(
    pairs: Sequence[tuple[Tensor, Tensor]], leaves: Sequence[Tensor], *, again: bool = False
) -> tuple[Tensor | None, ...]:
    """Slopes of sum(value * weight) over the pairs. again: the same record will be walked once more.

    The sums are written out: to give torch.autograd.grad weights costs an import of sympy, a third of a second.
    """
    with torch.enable_grad():
        sums = [(value * weight).sum() for value, weight in pairs]
    return torch.autograd.grad(sums, leaves, allow_unused=True, retain_graph=again)


def _shape(value: Any) -> torch.Size | None:
    return value.shape if isinstance(value, Tensor) else None


def _bind(function: Any, values: tuple[Any, ...]) -> None:
    """After a TypeError: AnswerError when it came from parameters that do not fit the values."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # a function written in C may not tell its parameters; calling it will
    try:
        signature.bind(*values)
    except TypeError as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise AnswerError("signature", f"{name}{signature} cannot take {len(values)} arguments: {error}") from error


def _is_plain(value: Any) -> bool:
    try:
        encode(value)
    except WireError:
        return False
    return True


def _described(error: Exception) -> AnswerError:
    """The exception in words, with the line of the learner's code it came from."""
    if type(error) is NotStarted:
        return AnswerError("not-started", traceback.extract_tb(error.__traceback__)[-1].name)  # whose line it is
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) != Path(__file__)]
    # The first frame beyond this file is the learner's; deeper ones may be torch's, whose lines explain nothing.
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    line = f"line {own[-1].lineno}: {own[-1].line}" if own else ""
    bases = tuple(base.__name__ for base in type(error).__mro__)
    return AnswerError("raised", _clean(str(error)), error=type(error).__name__, line=_clean(line), bases=bases)


def _clean(text: str) -> str:
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()
