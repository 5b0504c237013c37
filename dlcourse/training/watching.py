"""What a training loop does, written down by hooks while it runs. `diagnosis` judges it; nothing is judged here.

A loop of any form passes four places, and a hook of torch stands at each:

    model(x)            forward hooks         mode, what comes in, dead and saturated units of each layer
    loss(logits, y)     a wrapper             logits, labels, the loss, whether backward was called on it
    loss.backward()     hooks on parameters   what already was in .grad when the new gradient was added
    optimizer.step()    its step hooks        learning rate, gradients, how far each weight moves

Every update leaves an `Update`. The first ones, and ever fewer of those that follow, are also looked at closely (a
`Look`): that needs a copy of the weights. The hooks read; they change no number, and draw none.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from dlcourse.types import Tensor

CLOSE = 32  # updates looked at closely from the first on; then 16 in each doubling, so 100,000 updates make 220 looks
LABELS_KEPT = 100_000  # labels kept to judge their order: ten passes over a set of 10,000
SATURATED = 1 - 2**-5  # of tanh's range: beyond, the slope is below 1/16 of its largest, 1 - 0.969**2 = 0.06


@dataclass
class Look:
    """One update looked at closely. Layers and parameters go by their names in the model."""

    index: int  # updates before it
    inputs: dict[str, float] = field(default_factory=dict)  # of what reaches the first layer: mean, rms, largest
    signals: dict[str, float] = field(default_factory=dict)  # layer: standard deviation of what it puts out
    deltas: dict[str, float] = field(default_factory=dict)  # layer: norm of the loss's gradient for what it puts out
    alive: dict[str, Tensor] = field(default_factory=dict)  # layer: which units behind it were not 0 for some example
    saturated: dict[str, float] = field(default_factory=dict)  # layer: share of outputs of tanh or sigmoid behind it
    examples: int = 0
    gradients: dict[str, float] = field(default_factory=dict)  # parameter: norm of .grad at the update
    weights: dict[str, float] = field(default_factory=dict)  # parameter: norm before the update
    ratios: dict[str, float] = field(default_factory=dict)  # parameter: norm of its change / norm before
    spread: dict[str, float] = field(default_factory=dict)  # weight: how much its rows differ, 0 when all are equal
    stale: int = 0  # parameters whose .grad also holds what was there before the previous update
    emptied: bool = False  # backward gave gradients, and at the update all were gone


@dataclass
class Update:
    """One step of the optimizer, and the forward passes with gradients since the one before."""

    index: int
    lr: float
    train: int = 0  # passes in train mode
    evaluation: int = 0  # passes in which all that depends on the mode was in eval mode, and the model too


@dataclass
class LossCall:
    """One call of the loss with a gradient to follow."""

    index: int  # updates before it
    loss: float
    examples: int
    used: bool = False  # backward was called on it; otherwise it was a measurement only
    train_mode: bool = False  # the model was in train mode, and has layers for which that matters
    cross_entropy: float | None = None  # torch's, of the same logits and labels, where it is defined
    binary: float | None = None
    squared: float | None = None
    likelihood: float | None = None  # -log of the label's entry, as if the logits were probabilities
    low: float = math.nan  # the smallest and the largest output
    high: float = math.nan
    sums_to_one: bool = False  # all outputs in [0, 1], and each row sums to 1
    squashed: str = ""  # the last operation, when it was softmax or sigmoid
    labels: Tensor | None = None  # a copy on the CPU, of the first LABELS_KEPT


class Recorder:
    """All that was seen of one run. `attach` and `detach` set and remove the hooks; `watching` does both."""

    def __init__(self, model: nn.Module | None, optimizer: torch.optim.Optimizer):
        self.model, self.optimizer = model, optimizer
        self.updates: list[Update] = []
        self.looks: list[Look] = []
        self.calls: list[LossCall] = []
        self.shapes: tuple[tuple[int, ...], tuple[int, ...], torch.dtype, torch.dtype] | None = None  # logits, labels
        self.classes: int | None = None
        self.loss_name = ""
        self.failed: str = ""  # the error that the loss raised, if it did
        self.measured_in_train_mode = self.measured_in_eval_mode = 0  # forward passes without gradients
        self.sensitive: dict[str, nn.Module] = {}  # modules whose output depends on the mode
        self.frozen: list[str] = []  # parameters that want no gradient
        self.layers: list[str] = []  # names, in the order of the first pass
        self.parameters = self._named()
        self._close = True
        self._train = self._eval = 0
        self.look = Look(0)  # of the update that is coming
        self._handles: list[Any] = []
        self._passing: list[Any] = []  # hooks on tensors of the pass at hand
        self._stale: dict[str, bool] = {}
        self._added: set[str] = set()  # parameters to which backward added a gradient since the last update
        self._flowed: set[str] = set()  # those of them whose gradient was not 0
        self._before: dict[str, Tensor] = {}
        self._left: dict[str, Tensor] = {}
        self._final: list[str] | None = None
        self._last: str | None = None
        self._sites: list[tuple[str, Any, Tensor]] = []
        self._labels_kept = 0

    # Setting and removing the hooks

    def attach(self) -> None:
        held = self._held()
        self._left = {
            name: parameter.detach().clone() for name, parameter in self.parameters.items() if id(parameter) not in held
        }
        self.frozen = [name for name, parameter in self.parameters.items() if not parameter.requires_grad]
        for name, parameter in self.parameters.items():
            if parameter.requires_grad and parameter.is_leaf:
                self._keep(parameter.register_hook(partial(self._fresh, name, parameter)))
                self._keep(parameter.register_post_accumulate_grad_hook(partial(self._accumulated, name)))
        if isinstance(self.optimizer, torch.optim.Optimizer):
            self._keep(self.optimizer.register_step_pre_hook(self._before_step))
            self._keep(self.optimizer.register_step_post_hook(self._after_step))
        if self.model is not None:
            self._attach_to(self.model)

    def _attach_to(self, model: nn.Module) -> None:
        self.sensitive = {name or type(module).__name__: module for name, module in _sensitive(model)}
        self._keep(model.register_forward_pre_hook(self._begin))
        self._keep(model.register_forward_hook(self._end))
        sites = [(name, module) for name, module in model.named_modules() if is_activation(module)]
        for name, module in model.named_modules():
            if is_layer(module):
                label = name or type(module).__name__
                self._keep(module.register_forward_pre_hook(partial(self._enters, label, not sites)))
                self._keep(module.register_forward_hook(partial(self._leaves, label)))
        for _, module in sites:
            self._keep(module.register_forward_hook(self._activation))

    def detach(self) -> None:
        self._final = self.left_out()
        self._left = {}
        for handle in (*self._handles, *self._passing):
            handle.remove()
        self._handles, self._passing = [], []
        self._before, self._sites = {}, []

    def _keep(self, handle: Any) -> None:
        self._handles.append(handle)

    def _named(self) -> dict[str, nn.Parameter]:
        """The model's parameters by name, then those that only the optimizer knows."""
        named = dict(self.model.named_parameters()) if self.model is not None else {}
        self.foreign: list[str] = []
        known = {id(parameter) for parameter in named.values()}
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) not in known:
                    known.add(id(parameter))
                    self.foreign.append(name := f"parameter {len(named)}")
                    named[name] = parameter
        return named

    def _held(self) -> set[int]:
        return {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}

    # The forward pass

    def _begin(self, module: nn.Module, args: Any) -> None:
        self._last, self._sites = None, []

    def _end(self, module: nn.Module, args: Any, output: Any) -> None:
        """Count the pass; what activations put out behind the last layer is the answer, and no hidden unit."""
        self._sites = []
        noisy = self._noisy()
        in_eval = not module.training and not noisy
        if torch.is_grad_enabled():
            self._train += not in_eval
            self._eval += in_eval
        elif self.updates:  # before the first update somebody may only ask for shapes
            self.measured_in_train_mode += module.training and noisy
            self.measured_in_eval_mode += not noisy

    def _noisy(self) -> bool:
        """Is a module, for which the mode matters, in train mode?"""
        return any(module.training for module in self.sensitive.values())

    def _looking(self) -> bool:
        return self._close and torch.is_grad_enabled()

    @torch.no_grad()
    def _enters_first(self, x: Tensor) -> None:
        x = x.detach().float()
        self.look.inputs = {
            "mean": x.mean().item(),
            "rms": x.square().mean().sqrt().item(),
            "largest": x.abs().max().item(),
        }
        self.look.examples += len(x) if x.ndim else 1

    def _enters(self, name: str, functional: bool, module: nn.Module, args: Any) -> None:
        if not self._looking() or not args or not isinstance(args[0], Tensor) or not args[0].numel():
            return
        if self._last is None:
            if args[0].is_floating_point():
                self._enters_first(args[0])
        elif functional and args[0].is_floating_point():
            self._units(self._last, "", args[0])
        for site in self._sites:
            self._units(*site)
        self._sites = []

    def _leaves(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        if name not in self.layers:
            self.layers.append(name)
        if not self._looking() or not isinstance(output, Tensor) or not output.is_floating_point():
            return
        self._last = name
        with torch.no_grad():
            self.look.signals[name] = output.detach().float().std(correction=0).item()
        if output.requires_grad:
            self._passing.append(output.register_hook(partial(self._delta, name, self.look)))

    def _activation(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._looking() and self._last is not None and isinstance(output, Tensor) and output.numel():
            self._sites.append((self._last, type(module).__name__.lower(), output))

    @torch.no_grad()
    def _units(self, layer: str, kind: str, output: Tensor) -> None:
        """Which units gave something other than 0 to an example, and the share of outputs at an end of the range."""
        output = output.detach().float()
        units = output.transpose(0, 1).flatten(1) if output.ndim in (2, 4) else output.flatten(0, -2).T
        alive = (units != 0).any(dim=1).cpu()
        known = self.look.alive.get(layer)
        self.look.alive[layer] = alive if known is None or known.shape != alive.shape else known | alive
        if share := saturated(output, kind):
            self.look.saturated[layer] = max(share, self.look.saturated.get(layer, 0.0))

    # The backward pass

    def _delta(self, name: str, look: Look, gradient: Tensor) -> None:
        look.deltas[name] = gradient.detach().float().norm().item()

    def _fresh(self, name: str, parameter: Tensor, gradient: Tensor) -> None:
        """Before a gradient is added to .grad: is what the last update used still there?"""
        if self._close:
            if gradient.any():
                self._flowed.add(name)
            if parameter.grad is None or not parameter.grad.any():
                self._stale[name] = False

    def _accumulated(self, name: str, parameter: Tensor) -> None:
        self._added.add(name)

    # The update

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._close:
            self._before = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        index = len(self.updates)
        lr = max((float(group["lr"]) for group in optimizer.param_groups if "lr" in group), default=math.nan)
        self.updates.append(Update(index, lr, self._train, self._eval))
        self._train = self._eval = 0
        if self._close and self._before:
            self._look_closely()
        for handle in self._passing:
            handle.remove()
        self._passing, self._before = [], {}
        self._stale, self._added, self._flowed = dict.fromkeys(self.parameters, True), set(), set()
        self._close = looked_at_closely(index + 1)
        self.look = Look(index + 1)

    def _look_closely(self) -> None:
        look, held = self.look, self._held()
        for name, parameter in self.parameters.items():
            before, change = self._before[name], parameter.detach() - self._before[name]
            look.weights[name] = size = before.float().norm().item()
            look.ratios[name] = change.float().norm().item() / size if size else math.inf if change.any() else 0.0
            if parameter.grad is not None:
                look.gradients[name] = parameter.grad.float().norm().item()
            if parameter.ndim > 1 and len(parameter) > 1:
                look.spread[name] = spread(before)
        ours = {name for name, parameter in self.parameters.items() if id(parameter) in held}
        look.stale = len({name for name in ours & self._added if self._stale.get(name)})
        flowed = ours & self._added & self._flowed
        look.emptied = bool(flowed) and not any(look.gradients.get(name) for name in flowed)
        self.looks.append(look)

    # The loss

    def loss(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The same function, seen."""

        def seen(logits: Tensor, labels: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            try:
                value = function(logits, labels, *args, **kwargs)
            except Exception as fault:
                self._seen_shapes(function, logits, labels)
                self.failed = f"{type(fault).__name__}: {fault}"
                raise
            self._called(function, logits, labels, value)
            return value

        return seen

    def _seen_shapes(self, function: Any, logits: Tensor, labels: Tensor) -> None:
        self.shapes = tuple(logits.shape), tuple(labels.shape), logits.dtype, labels.dtype
        self.classes = logits.shape[1] if logits.ndim > 1 else None
        self.loss_name = getattr(function, "__name__", type(function).__name__)

    def _called(self, function: Any, logits: Tensor, labels: Tensor, value: Tensor) -> None:
        if not value.requires_grad:
            return  # a measurement
        if labels.requires_grad and not logits.requires_grad:
            logits, labels = labels, logits  # mse(y, model(x)) is the same
        if self.shapes is None:
            self._seen_shapes(function, logits, labels)
        with torch.no_grad():
            call = LossCall(len(self.updates), value.detach().float().mean().item(), len(labels) if labels.ndim else 1)
            call.train_mode = self.model is not None and self.model.training and self._noisy()
            if self._close:
                measure(call, logits.detach().float(), labels.detach())
                call.squashed = squashed(logits)
            if self._labels_kept < LABELS_KEPT and labels.numel():
                call.labels = labels.detach().to("cpu", copy=True)
                self._labels_kept += call.examples
        self.calls.append(call)
        value.register_hook(partial(self._used, call))

    def _used(self, call: LossCall, gradient: Tensor) -> None:
        call.used = True

    def left_out(self) -> list[str]:
        """Parameters that want a gradient, that the optimizer does not hold, and that nobody else has moved."""
        if self._final is not None:
            return self._final
        held = self._held()
        return [
            name
            for name, start in self._left.items()
            if (parameter := self.parameters[name]).requires_grad
            and id(parameter) not in held
            and torch.equal(start, parameter.detach())
        ]


@contextmanager
def watching(recorder: Recorder) -> Iterator[Recorder]:
    """The recorder with its hooks set; they are removed at the end of the block, however it ends."""
    try:
        recorder.attach()
        yield recorder
    finally:
        recorder.detach()


def looked_at_closely(index: int) -> bool:
    """The first `CLOSE` updates, then each second one up to twice as many, each fourth one up to four times, ..."""
    return index % max(1, 2 ** (index.bit_length() - CLOSE.bit_length() + 1)) == 0


def is_layer(module: nn.Module) -> bool:
    """Has a weight matrix of its own: linear, convolution, embedding."""
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim > 1


def is_activation(module: nn.Module) -> bool:
    """One of torch's activation modules without parts (softmax and attention are none), or one named like them."""
    name = type(module).__name__
    known = hasattr(nn.modules.activation, name) and "Softm" not in name and name != "MultiheadAttention"
    return known and not any(True for _ in module.children())


def _sensitive(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules whose output depends on the mode: their forward reads `self.training`. A dropout of 0 does not count,
    nor what stands before the first trained layer of a model whose first layers are frozen."""
    frozen_so_far = False
    trained_so_far = False
    for name, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        frozen_so_far |= any(not parameter.requires_grad for parameter in own)
        trained_so_far |= any(parameter.requires_grad for parameter in own)
        if reads_mode(type(module)) and (trained_so_far or not frozen_so_far) and _drops(module):
            yield name, module


def _drops(module: nn.Module) -> bool:
    return getattr(module, "p", None) != 0 and getattr(module, "dropout", None) != 0


def reads_mode(kind: type) -> bool:
    """Does the forward of this class read `self.training`?"""
    forward = kind.forward
    while hasattr(forward, "__wrapped__"):
        forward = forward.__wrapped__
    return "training" in getattr(getattr(forward, "__code__", None), "co_names", ())


def saturated(output: Tensor, kind: str) -> float:
    """The share of outputs at an end of tanh's or the sigmoid's range; 0 for what is neither.

    Without a kind (a function was called, not a module) the numbers must tell. ReLU's exact zeros are no sigmoid's.
    """
    if "tanh" in kind:
        return (output.abs() > SATURATED).float().mean().item()
    if "sigmoid" in kind and "log" not in kind:
        return ((2 * output - 1).abs() > SATURATED).float().mean().item()
    if kind or output.abs().max() > 1:
        return 0.0
    if output.min() < 0:
        return (output.abs() > SATURATED).float().mean().item()
    return (((2 * output - 1).abs() > SATURATED) & (output != 0)).float().mean().item()


def spread(weight: Tensor) -> float:
    """How much the rows of a weight differ: about 1 for random rows, 0 when all units of the layer are the same."""
    rows = weight.float().flatten(1)
    size = rows.norm()
    return ((rows - rows.mean(dim=0)).norm() / size).item() if size else 0.0


def squashed(output: Tensor) -> str:
    """ "softmax" or "sigmoid" when that was the last operation but for changes of shape."""
    node = output.grad_fn
    for _ in range(4):
        name = type(node).__name__.lower()
        if name.startswith(("softmax", "sigmoid")):
            return "softmax" if name.startswith("softmax") else "sigmoid"
        if not name.startswith(("view", "squeeze", "unsqueeze", "select", "reshape", "t", "slice")) or not node:
            return ""
        node = node.next_functions[0][0]
    return ""


def measure(call: LossCall, logits: Tensor, labels: Tensor) -> None:
    """The losses that these logits and labels would have by the book, where each is defined; are rows probabilities?"""
    if not logits.numel():
        return
    call.low, call.high = logits.min().item(), logits.max().item()
    if class_labels(logits, labels):
        inside = (labels >= 0) & (labels < logits.shape[1])
        if logits.shape[1] > 1 and inside.all():
            call.cross_entropy = nn.functional.cross_entropy(logits, labels.long()).item()
            call.likelihood = nn.functional.nll_loss(logits.clamp_min(1e-38).log(), labels.long()).item()
    elif logits.shape == labels.shape and labels.is_floating_point():
        call.squared = nn.functional.mse_loss(logits, labels.float()).item()
        if labels.min() >= 0 and labels.max() <= 1:
            call.binary = nn.functional.binary_cross_entropy_with_logits(logits, labels.float()).item()
            if call.low >= 0 and call.high <= 1:
                call.likelihood = nn.functional.binary_cross_entropy(logits, labels.float()).item()
            if logits.ndim > 1 and logits.shape[1] > 1 and (labels.sum(1) - 1).abs().max() < 1e-4:
                call.cross_entropy = nn.functional.cross_entropy(logits, labels.float()).item()
                call.likelihood = -(labels * logits.clamp_min(1e-38).log()).sum(1).mean().item()
    if logits.ndim > 1 and logits.shape[1] > 1 and call.low >= 0 and call.high <= 1:
        call.sums_to_one = bool((logits.sum(1) - 1).abs().max() < 1e-3)


def class_labels(logits: Tensor, labels: Tensor) -> bool:
    """Whole numbers, one for each row of logits (and each position)."""
    whole = not labels.is_floating_point() and not labels.is_complex() and labels.dtype != torch.bool
    return whole and logits.ndim == labels.ndim + 1 and logits.shape[:1] + logits.shape[2:] == labels.shape
