"""What is written down of a training run under watch, and how it is measured. `watching` fills it in, `causes` judges.

Layers are modules with a weight matrix, by their names in the model. What is *behind* a layer is what the next one
gets: the outputs of its activation, the units.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  torch's own, as the book that a learner's loss is held against

from dlcourse.types import Tensor

CLOSE = 32  # updates looked at closely from the first on; then 16 in each doubling, so 100,000 updates make 220 looks
SATURATED = 1 - 2**-5  # of tanh's range: beyond, the slope is below 1/16 of its largest, 1 - 0.969**2 = 0.06


@dataclass(slots=True)
class Update:
    """One step of the optimizer, and the forward passes with gradients since the one before."""

    index: int  # updates before it
    lr: float  # the largest of the groups
    train: int = 0  # passes in train mode
    evaluation: int = 0  # passes in eval mode, with all that depends on the mode


@dataclass(slots=True)
class LossCall:
    """One call of the loss, with a graph for backward."""

    index: int  # updates before it
    loss: float
    examples: int
    train_mode: bool  # the model was in train mode, and has layers for which that matters
    used: bool = False  # backward came through it; otherwise it was a measurement
    book: dict[str, float] = field(default_factory=dict)  # what known losses give for the same logits and labels
    low: float = math.nan  # the smallest and the largest output
    high: float = math.nan
    sums_to_one: bool = False  # all outputs are in [0, 1], and each row sums to 1
    squashed: str = ""  # the model's last operation, when it was softmax or sigmoid
    labels: Tensor | None = None  # a copy on the CPU, of the first calls


@dataclass(slots=True)
class Look:
    """One update looked at closely."""

    index: int  # updates before it
    examples: int = 0
    inputs: dict[str, float] = field(default_factory=dict)  # of what reaches the first layer: mean, size, largest
    deltas: dict[str, float] = field(default_factory=dict)  # layer: norm of the loss's gradient for what it puts out
    alive: dict[str, Tensor] = field(default_factory=dict)  # layer: which units behind it were not 0 for some example
    saturated: dict[str, float] = field(default_factory=dict)  # layer: share of such outputs of tanh or sigmoid behind
    gradients: dict[str, float] = field(default_factory=dict)  # parameter: norm of .grad at the update
    ratios: dict[str, float] = field(default_factory=dict)  # parameter: norm of its change / its norm before
    spread: dict[str, float] = field(default_factory=dict)  # weight matrix: how much its units differ; see `spread`
    stale: int = 0  # parameters whose .grad also holds what was there before the last update
    emptied: bool = False  # backward gave gradients, and at the update they were gone


def looked_at_closely(index: int) -> bool:
    """The first `CLOSE` updates, then each second one up to twice as many, each fourth one up to four times, ..."""
    return index % max(1, 2 ** (index.bit_length() - CLOSE.bit_length() + 1)) == 0


def dense(tensor: Tensor) -> Tensor:
    """The numbers in a tensor, as floats: those that a sparse gradient holds, both parts of complex ones."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor.float()


def is_layer(module: nn.Module) -> bool:
    """Has a weight matrix of its own: linear, convolution, embedding."""
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.ndim > 1


def is_activation(module: nn.Module) -> bool:
    """One of torch's activations, or of a class called like one. Softmax and attention are none."""
    name = type(module).__name__
    return hasattr(nn.modules.activation, name) and "Softm" not in name and name != "MultiheadAttention"


def mode_matters(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that do something else in train mode, such as dropout and batch norm: their forward reads `training`.

    A dropout of 0 does not count, nor what stands before the first trained parameter of a model with frozen ones.
    """
    frozen = trained = False
    for name, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            trained |= parameter.requires_grad
            frozen |= not parameter.requires_grad
        drops = getattr(module, "p", None) != 0 and getattr(module, "dropout", None) != 0
        if drops and (trained or not frozen) and reads_mode(type(module)):
            yield name or type(module).__name__, module


def reads_mode(kind: type[nn.Module]) -> bool:
    """Does the forward of this class read `self.training`?"""
    forward = kind.forward
    while hasattr(forward, "__wrapped__"):
        forward = forward.__wrapped__
    return "training" in getattr(getattr(forward, "__code__", None), "co_names", ())


def spread(weight: Tensor) -> float:
    """How much the units of a weight matrix differ: about 1 for random ones, 0 when all are the same.

    The smaller of the spread of its rows and that of its columns, since a matrix made by hand may be (in, out).
    """
    rows = dense(weight).flatten(1)
    size = rows.norm()
    if not size:
        return 0.0
    return min(((rows - rows.mean(dim, keepdim=True)).norm() / size).item() for dim in (0, 1) if rows.shape[dim] > 1)


def saturated(output: Tensor, kind: str) -> float:
    """The share of outputs at an end of tanh's or the sigmoid's range; 0 for what is neither.

    kind: the activation's name in lower case; "" when a function was called, so that the numbers must tell. ReLU's
    exact zeros are no sigmoid's.
    """
    if not kind and output.abs().max() > 1:
        return 0.0
    tanh = "tanh" in kind or (not kind and bool(output.min() < 0))
    if not tanh and kind and ("sigmoid" not in kind or "log" in kind):
        return 0.0
    far = output.abs() > SATURATED if tanh else ((2 * output - 1).abs() > SATURATED) & (output != 0)
    return far.float().mean().item()


def squashed(output: Tensor) -> str:
    """ "softmax" or "sigmoid" when that was the last operation on the output, but for changes of shape."""
    node = output.grad_fn
    for _ in range(4):
        name = type(node).__name__.lower()
        if name.startswith(("softmax", "sigmoid")):
            return name[:7]
        if not name.startswith(("view", "squeeze", "unsqueeze", "select", "reshape", "unsafeview", "slice")):
            return ""
        node = node.next_functions[0][0]
    return ""


def by_the_book(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """What the well-known losses give for these logits and labels, each that is defined for them.

    Also "likelihood", which takes the outputs for probabilities, and what comes of a fault: "softmax first" squashes
    them before the cross-entropy, "sigmoid first" before the binary one.
    """
    known: dict[str, Tensor] = {}
    classes = logits.shape[1] if logits.ndim > 1 else 1
    labels = labels if labels.is_floating_point() else labels.long()
    whole = not labels.is_floating_point()
    if whole and classes > 1 and logits.ndim == labels.ndim + 1 and logits.shape[2:] == labels.shape[1:]:
        if len(logits) == len(labels) and ((labels >= 0) & (labels < classes)).all():
            known["cross-entropy"] = F.cross_entropy(logits, labels)
            known["softmax first"] = F.cross_entropy(logits.softmax(1), labels)
            if logits.min() >= 0:
                known["likelihood"] = F.nll_loss(logits.log(), labels)
    elif not whole and logits.shape == labels.shape:
        labels = labels.float()
        known["squared"] = F.mse_loss(logits, labels)
        inside = bool(labels.min() >= 0 and labels.max() <= 1)
        if inside:
            known["binary"] = F.binary_cross_entropy_with_logits(logits, labels)
            known["sigmoid first"] = F.binary_cross_entropy_with_logits(logits.sigmoid(), labels)
            if logits.min() >= 0 and logits.max() <= 1:
                known["likelihood"] = F.binary_cross_entropy(logits, labels)
        if inside and labels.ndim == 2 and classes > 1 and (labels.sum(1) - 1).abs().max() < 1e-4:
            known["cross-entropy"] = F.cross_entropy(logits, labels)
            known["softmax first"] = F.cross_entropy(logits.softmax(1), labels)
            if logits.min() >= 0:
                known["likelihood"] = -(labels * logits.clamp_min(1e-38).log()).sum(1).mean()
    return {name: value.item() for name, value in known.items()}


def rows_sum_to_one(outputs: Tensor) -> bool:
    """Are these rows of probabilities?"""
    if outputs.ndim < 2 or outputs.shape[1] < 2 or outputs.min() < 0 or outputs.max() > 1:
        return False
    return bool((outputs.sum(1) - 1).abs().max() < 1e-3)
