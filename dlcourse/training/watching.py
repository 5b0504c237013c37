"""Hooks that write down what a training loop does while it runs. Nothing is judged here.

A loop of any form passes four places, and hooks of torch stand at each:

    model(x)            forward hooks         the mode, what comes in, dead and saturated units of each layer
    loss(logits, y)     a wrapper             logits, labels, the loss, whether backward came through it
    loss.backward()     hooks on parameters   what already was in .grad when a new gradient was added to it
    optimizer.step()    its step hooks        learning rate, gradients, how far each weight moves

Every update leaves an `Update`; the first ones, and ever fewer of those that follow, also a `Look`, which needs a copy
of the weights. The hooks only read: they change no number of the run, and draw none.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import torch
from torch import nn

from dlcourse.training.records import (
    Look,
    LossCall,
    Update,
    by_the_book,
    dense,
    is_activation,
    is_layer,
    looked_at_closely,
    mode_matters,
    rows_sum_to_one,
    saturated,
    spread,
    squashed,
)
from dlcourse.types import Tensor

LABELS_KEPT = 1_000_000  # numbers, to judge the order of the labels: 8 MB of whole ones


class Recorder:
    """All that was seen of one run. `watching` sets its hooks and removes them."""

    def __init__(self, model: nn.Module | None, optimizer: torch.optim.Optimizer):
        self.model, self.optimizer = model, optimizer
        self.updates: list[Update] = []
        self.calls: list[LossCall] = []
        self.looks: list[Look] = []
        self.look = Look(0)  # of the update that is coming
        self.layers: list[str] = []  # in the order of the first forward pass
        self.mode_matters: dict[str, nn.Module] = {}
        self.measured_in_train_mode = 0  # forward passes without gradients, by a model for which the mode matters
        self.loss_name = ""
        self.failed = ""  # the error that the loss raised, if it did
        self.shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None  # of logits and labels
        self.label_type: torch.dtype | None = None
        self.parameters: dict[str, Tensor] = dict(model.named_parameters()) if model is not None else {}
        self.foreign: list[str] = []  # names made up for parameters that only the optimizer knows
        self._name_foreign()
        self.frozen = [name for name, parameter in self.parameters.items() if not parameter.requires_grad]
        self._handles: list[Any] = []
        self._close = True
        self._train = self._evaluation = 0
        self._convolutions: set[str] = set()
        self._last: str | None = None  # the layer that was left last in the pass at hand
        self._behind: list[tuple[str, str, Tensor]] = []  # outputs of activations since then: layer, kind, output
        self._passing: list[Any] = []  # hooks on tensors of the pass at hand
        self._stale: set[str] = set()  # parameters whose .grad has not been found empty since the last update
        self._added: set[str] = set()  # those to which backward added a gradient since then
        self._flowed: set[str] = set()  # and it was not all 0
        self._before: dict[str, Tensor] = {}
        self._unheld: dict[str, Tensor] = {}  # what the optimizer does not hold, as it was at the start
        self._left_out: list[str] | None = None
        self._labels_kept = 0

    def _name_foreign(self) -> None:
        known = {id(parameter) for parameter in self.parameters.values()}
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) not in known:
                    known.add(id(parameter))
                    self.foreign.append(name := f"parameter {len(self.foreign)}")
                    self.parameters[name] = parameter

    def held(self) -> set[str]:
        """Names of the parameters that the optimizer holds now."""
        held = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        return {name for name, parameter in self.parameters.items() if id(parameter) in held}

    def left_out(self) -> list[str]:
        """Parameters that want a gradient, that the optimizer does not hold, and that nobody else has moved."""
        if self._left_out is not None:
            return self._left_out
        held = self.held()
        return [
            name
            for name, start in self._unheld.items()
            if self.parameters[name].requires_grad
            and name not in held
            and torch.equal(start, self.parameters[name].detach())
        ]

    # Setting and removing the hooks

    def attach(self) -> None:
        held = self.held()
        self._unheld = {name: value.detach().clone() for name, value in self.parameters.items() if name not in held}
        for name, parameter in self.parameters.items():
            if parameter.requires_grad and parameter.is_leaf:
                self._keep(parameter.register_hook(partial(self._fresh, name, parameter)))
                self._keep(parameter.register_post_accumulate_grad_hook(partial(self._accumulated, name)))
        self._keep(self.optimizer.register_step_pre_hook(self._before_step))
        self._keep(self.optimizer.register_step_post_hook(self._after_step))
        if self.model is not None:
            self._attach_to(self.model)

    def _attach_to(self, model: nn.Module) -> None:
        self.mode_matters = dict(mode_matters(model))
        self._keep(model.register_forward_pre_hook(self._begin))
        self._keep(model.register_forward_hook(self._end))
        modules = list(model.named_modules())
        by_modules = any(is_activation(module) for _, module in modules)  # else by functions, which have no hooks
        for label, module in modules:
            if is_layer(module):
                name = label or type(module).__name__
                self._convolutions |= {name} if module.weight.ndim > 2 else set()
                self._keep(module.register_forward_pre_hook(partial(self._enters, by_modules)))
                self._keep(module.register_forward_hook(partial(self._leaves, name)))
            elif is_activation(module):
                self._keep(module.register_forward_hook(self._activation))

    def detach(self) -> None:
        self._left_out = self.left_out()
        for handle in (*self._handles, *self._passing):
            handle.remove()
        self._handles, self._passing, self._behind = [], [], []
        self._before, self._unheld = {}, {}

    def _keep(self, handle: Any) -> None:
        self._handles.append(handle)

    # The forward pass

    def noisy(self) -> bool:
        """Is a module for which the mode matters in train mode?"""
        return any(module.training for module in self.mode_matters.values())

    def _looking(self, value: Any) -> bool:
        usable = isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0
        return usable and self._close and torch.is_grad_enabled()

    def _begin(self, model: nn.Module, args: Any) -> None:
        self._last, self._behind = None, []

    def _end(self, model: nn.Module, args: Any, output: Any) -> None:
        """Count the pass. What activations put out behind the last layer is the answer, and no hidden unit."""
        self._behind = []
        in_eval = not model.training and not self.noisy()
        if torch.is_grad_enabled():
            self._train += not in_eval
            self._evaluation += in_eval
        elif self.updates:  # before the first update somebody may only ask for shapes
            self.measured_in_train_mode += model.training and self.noisy()

    def _enters(self, by_modules: bool, layer: nn.Module, args: Any) -> None:
        value = args[0] if args else None
        if self._looking(value):
            if self._last is None:
                self._inputs(value)
            elif not by_modules:
                self._units(self._last, "", value)
            for behind in self._behind:
                self._units(*behind)
        self._behind = []

    def _leaves(self, name: str, layer: nn.Module, args: Any, output: Any) -> None:
        if name not in self.layers:
            self.layers.append(name)
        if self._looking(output):
            self._last = name
            if output.requires_grad:
                self._passing.append(output.register_hook(partial(self._delta, name, self.look)))

    def _activation(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._looking(output) and self._last is not None:
            self._behind.append((self._last, type(module).__name__.lower(), output))

    @torch.no_grad()
    def _inputs(self, x: Tensor) -> None:
        numbers = dense(x)
        size = numbers.square().mean().sqrt()
        self.look.inputs = {"mean": numbers.mean().item(), "size": size.item(), "largest": numbers.abs().max().item()}
        self.look.examples += len(x)

    @torch.no_grad()
    def _units(self, layer: str, kind: str, output: Tensor) -> None:
        """A unit is a channel of an image, else one of the last axis. Was it other than 0 for some example?"""
        numbers = dense(output)
        if numbers.ndim < 2:
            return
        axis = 1 if numbers.ndim > 2 and layer in self._convolutions else -1
        alive = (numbers != 0).transpose(0, axis).flatten(1).any(dim=1).cpu()
        known = self.look.alive.get(layer)
        self.look.alive[layer] = alive if known is None or known.shape != alive.shape else known | alive
        share = saturated(numbers, kind)
        self.look.saturated[layer] = max(share, self.look.saturated.get(layer, 0.0))

    # The loss

    def loss(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; what it is called with and what it returns is written down."""

        @wraps(function, updated=())
        def seen(*args: Any, **kwargs: Any) -> Any:
            tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            logits, labels = tensors[:2] if len(tensors) > 1 else (None, None)
            if logits is not None and labels.requires_grad and not logits.requires_grad:
                logits, labels = labels, logits  # mse(y, model(x)) is the same
            try:
                value = function(*args, **kwargs)
            except Exception as fault:
                self.failed = f"{type(fault).__name__}: {fault}"
                self._shapes(function, logits, labels)
                raise
            if isinstance(value, Tensor) and value.requires_grad:  # otherwise it was a measurement
                self._shapes(function, logits, labels)
                self._called(logits, labels, value)
            return value

        return seen

    def _shapes(self, function: Any, logits: Tensor | None, labels: Tensor | None) -> None:
        if logits is not None and labels is not None and (self.shapes is None or self.failed):
            self.shapes, self.label_type = (tuple(logits.shape), tuple(labels.shape)), labels.dtype
            self.loss_name = getattr(function, "__name__", type(function).__name__).lower().replace("_", "")

    @torch.no_grad()
    def _called(self, logits: Tensor | None, labels: Tensor | None, value: Tensor) -> None:
        examples = len(labels) if labels is not None and labels.ndim else 1
        train_mode = self.model is not None and self.model.training and self.noisy()
        call = LossCall(len(self.updates), dense(value).mean().item(), examples, train_mode)
        if logits is not None and labels is not None and logits.numel() and labels.numel():
            if self._close:
                outputs = dense(logits)
                call.low, call.high = outputs.min().item(), outputs.max().item()
                call.sums_to_one, call.squashed = rows_sum_to_one(outputs), squashed(logits)
                call.book = by_the_book(outputs, labels.detach())
            if self._labels_kept < LABELS_KEPT:
                call.labels = labels.detach().to("cpu", copy=True)
                self._labels_kept += labels.numel()
        self.calls.append(call)
        value.register_hook(partial(self._used, call))

    def _used(self, call: LossCall, gradient: Tensor) -> None:
        call.used = True

    # The backward pass

    def _delta(self, name: str, look: Look, gradient: Tensor) -> None:
        look.deltas[name] = dense(gradient).norm().item()

    def _fresh(self, name: str, parameter: Tensor, gradient: Tensor) -> None:
        """A gradient comes, and is about to be added to .grad: is what the last update used still there?"""
        if self._close:
            if dense(gradient).any():
                self._flowed.add(name)
            if parameter.grad is None or not dense(parameter.grad).any():
                self._stale.discard(name)

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
        self.updates.append(Update(index, lr, self._train, self._evaluation))
        if self._before:
            self._look_closely()
        for handle in self._passing:
            handle.remove()
        self._train = self._evaluation = 0
        self._passing, self._before = [], {}
        self._stale, self._added, self._flowed = set(self.parameters), set(), set()
        self._close, self.look = looked_at_closely(index + 1), Look(index + 1)

    def _look_closely(self) -> None:
        look, held = self.look, self.held()
        for name, parameter in self.parameters.items():
            size = dense(self._before[name]).norm().item()
            change = dense(parameter.detach() - self._before[name]).norm().item()
            look.ratios[name] = change / size if size else math.inf if change else 0.0
            if parameter.grad is not None:
                look.gradients[name] = dense(parameter.grad).norm().item()
            if parameter.ndim > 1 and len(parameter) > 1 and parameter.numel() > len(parameter):
                look.spread[name] = spread(self._before[name])
        look.stale = len(held & self._added & self._stale)
        flowed = held & self._added & self._flowed
        look.emptied = bool(flowed) and not any(look.gradients.get(name) for name in flowed)
        self.looks.append(look)


@contextmanager
def watching(recorder: Recorder) -> Iterator[Recorder]:
    """The recorder with its hooks set; they are removed when the block ends, however it ends."""
    try:
        recorder.attach()
        yield recorder
    finally:
        recorder.detach()
