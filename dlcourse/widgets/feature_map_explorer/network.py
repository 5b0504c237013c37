"""The learner's network as the explorer looks into it: its layers, one run with all that passed, channels switched off.

What is looked into is a copy, in which a module that stands at several places is a module of its own at each: hooks
then tell the places apart, and a network that is being trained in another cell is never disturbed. `Network.stale` says
when the original has moved on.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from dlcourse import generator
from dlcourse.hooks import replace
from dlcourse.nn import ReceptiveField, receptive_fields
from dlcourse.nn.receptive import PIXELWISE
from dlcourse.training import evaluating
from dlcourse.types import Float, Int, Tensor

SIDES = (8, 28)  # of the pictures that can be drawn
SMALL = 100  # pixels: up to here a picture is small, and more of them are measured
SAMPLES = (600, 300)  # pictures that the accuracy is measured on: small ones, larger ones
LOOKED_AT = 64  # pictures that the scale of a layer's colours is taken from
STRONG = 0.99  # of a layer's values lie within its scale; those beyond it have the strongest colour
DRAWN = 100_000  # values of a layer that the scale is taken from
EXAMPLE = """Train one first; in seconds, on the 8 x 8 digits:

    from dlcourse import data, generator, models, optim, training
    from dlcourse.nn import cross_entropy
    from dlcourse.widgets import FeatureMapExplorer

    digits = data.load("digits", split="train")
    model = models.lenet(image=(1, 8, 8), generator=generator(0))
    batches = data.batches(digits.x, digits.y, size=32, generator=generator(1), drop_last=True)
    training.train(model, batches, cross_entropy, optim.Adam(model.parameters(), lr=0.003), epochs=3)
    FeatureMapExplorer(model, digits.x, digits.y)"""

Off = frozenset[tuple[str, int]]  # (layer, channel), each switched off


@dataclass(frozen=True)
class Layer:
    """A layer whose output is maps. low, high: the range of its values on some of the pictures; strong: the size that
    99 % of those that are not 0 do not exceed."""

    name: str
    kind: str
    channels: int
    height: int
    width: int
    field: ReceptiveField
    low: float
    high: float
    strong: float

    @property
    def signed(self) -> bool:
        """Whether its values fall below 0."""
        return self.low < 0

    @property
    def reach(self) -> float:
        """The value of the strongest colour."""
        return self.strong or max(abs(self.low), abs(self.high)) or 1.0


@dataclass(frozen=True, eq=False)
class Call:
    """One module's turn in a run. `source` and `target` are the tensors themselves, to see who handed on to whom;
    `value` is a copy of the output, which a later layer that works in place cannot change."""

    name: str
    source: Tensor
    target: Tensor
    value: Float[Tensor, "channel height width"]


@dataclass(frozen=True)
class Trace:
    """One picture on its way through the network."""

    picture: Float[Tensor, "1 height width"]
    calls: tuple[Call, ...]
    scores: Float[Tensor, " classes"]

    def of(self, name: str) -> Call:
        return next(call for call in reversed(self.calls) if call.name == name)

    def before(self, call: Call) -> Call | None:
        """Whose output the call took, None for the picture itself or a sum of paths."""
        earlier = self.calls[: self.calls.index(call)]
        return next((other for other in reversed(earlier) if other.target is call.source), None)


@dataclass(frozen=True)
class Measured:
    """How the network does on the sample; by class, so nan for a class that the sample does not hold."""

    count: Int[Tensor, " classes"]
    right: Int[Tensor, " classes"]
    sure: Float[Tensor, " classes"]  # mean probability of the right class

    @property
    def accuracy(self) -> float:
        return float(self.right.sum() / self.count.sum())


class Network:
    """The model with its pictures. Raises ValueError that says what is wanted, and how to get it; where `whole`, also
    for a network whose answers are no numbers."""

    def __init__(
        self, model: Any, images: Any, labels: Any, classes: Sequence[str] | None = None, *, whole: bool = True
    ) -> None:
        if not isinstance(model, nn.Module):
            came = "no network" if model is None else f"model={type(model).__name__}, which is no torch module"
            raise ValueError(f"FeatureMapExplorer got {came}; it wants your own trained network. {EXAMPLE}")
        self.source, self._stamp = model, stamp(model)
        self.model = own(model)
        places = [module for _, module in model.named_modules(remove_duplicate=False)]
        self.shared = len(set(places)) < len(places)  # whether one module stands at several places
        self.images, self.labels = _pictures(images), _labels(labels, len(images))
        self.shape = tuple(self.images.shape[2:])
        first = next(self.model.parameters(), None)
        self.device, self.dtype = (first.device, first.dtype) if first is not None else ("cpu", torch.float32)
        fields = _fields(self.model)
        some = self.images[spread(len(self.images), LOOKED_AT)]
        # A Sequential inside the model is left out: it puts out what its last layer does.
        parts = [name for name in fields if not isinstance(self.module(name), nn.Sequential)]
        seen, self._after, scores = self._survey(some, parts)
        if whole and not scores.isfinite().all():
            raise ValueError("the network gave scores that are not finite: it has been trained to pieces.")
        self.layers = {name: Layer(name, field=fields[name], **seen[name]) for name in fields if name in seen}
        convolutions = [name for name in self.layers if isinstance(self.module(name), nn.Conv2d)]
        if not convolutions:
            raise ValueError(f"FeatureMapExplorer got a network without a convolution before the rest. {EXAMPLE}")
        behind = (name for name in self.stage(convolutions[0]) if self.layers[name].kind == "activation")
        self.first = next(behind, convolutions[0])
        self.classes = _classes(classes, scores, self.labels)
        at = spread(len(self.images), SAMPLES[self.images[0].numel() > SMALL])
        self.sample, self.truth = self.ready(self.images[at]), self.labels[at]
        self._refills: dict[str, Tensor] = {}

    @property
    def stale(self) -> bool:
        """Whether the original has other weights, or other modules, than when it was copied. It is told by the version
        that torch counts for each tensor, so not for weights that were changed behind its back (`weight.data.mul_`)."""
        return stamp(self.source) != self._stamp

    def noted(self) -> None:
        """The original is as it is; ask again when it has changed again."""
        self._stamp = stamp(self.source)

    def stage(self, layer: str) -> list[str]:
        """The layers behind this one, channel by channel the same things, up to the next convolution or sum."""
        names: list[str] = []
        while (layer := self._after.get(layer)) is not None:
            module = self.module(layer)
            if not isinstance(module, (*PIXELWISE, nn.MaxPool2d, nn.AvgPool2d)):
                break
            names.append(layer)
        return names

    def refill(self, layer: str) -> Float[Tensor, " channel"]:
        """What stands in each channel at the end of the stage when its map in this layer is replaced by zeros: 0 where
        the channel is really gone, and something else where a norm's shift, say, makes a constant map of the zeros."""
        if layer not in self._refills:
            shape = self.layers[layer]
            maps = torch.zeros(1, shape.channels, shape.height, shape.width, device=self.device, dtype=self.dtype)
            with evaluating(self.model):
                for name in self.stage(layer):
                    maps = self.module(name)(maps)
            strongest = maps[0].flatten(1)
            self._refills[layer] = strongest.gather(1, strongest.abs().argmax(1, keepdim=True))[:, 0].float().cpu()
        return self._refills[layer]

    def module(self, name: str) -> nn.Module:
        return self.model.get_submodule(name)

    def ready(self, images: Tensor) -> Tensor:
        """The pictures where the network lives."""
        return images.to(self.device, self.dtype)

    # ------------------------------------------------------------------ runs

    def run(self, picture: Float[Tensor, "1 height width"], off: Off = frozenset()) -> Trace:
        """The picture through the network, with some channels switched off."""
        picture = self.ready(picture)
        calls: list[Call] = []

        def keep(name: str, source: Tensor, target: Tensor) -> None:
            calls.append(Call(name, source, target, target[0].float().cpu().clone()))

        with evaluating(self.model), replace(self.model, silenced(off)), watching(self.model, self.layers, keep):
            scores = self.model(picture[None])
        return Trace(picture.float().cpu(), tuple(calls), scores[0].float().cpu())

    def measure(self, off: Off = frozenset()) -> Measured:
        """Accuracy, and how sure the network is of what is right, on the sample. A score that is no number is wrong."""
        with evaluating(self.model), replace(self.model, silenced(off)):
            scores = self.model(self.sample).float().cpu()
        many = len(self.classes)
        count = torch.bincount(self.truth, minlength=many)
        hit = (scores.argmax(1) == self.truth) & scores.isfinite().all(1)
        right = torch.bincount(self.truth[hit], minlength=many)
        sure = scores.softmax(1)[torch.arange(len(self.truth), device="cpu"), self.truth]
        return Measured(count, right, torch.bincount(self.truth, weights=sure, minlength=many).float() / count)

    def _survey(self, images: Tensor, names: Sequence[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str], Tensor]:
        """Of each layer whose output is maps the kind, shape and range; which layer takes whose output, where it is the
        only one; and what the network answers."""
        seen: dict[str, dict[str, Any]] = {}
        passed: list[tuple[str, Tensor, Tensor]] = []

        def keep(name: str, source: Tensor, target: Tensor) -> None:
            shape = dict(zip(("channels", "height", "width"), target.shape[1:], strict=True))
            seen[name] = {"kind": kind(self.module(name)), **_range(target), **shape}
            passed.append((name, source, target))

        try:
            with evaluating(self.model), watching(self.model, names, keep):
                scores = self.model(self.ready(images))
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"the network failed on pictures of the shape {tuple(images.shape)}: {str(error).rstrip('.')}. The "
                "explorer shows networks for pictures of one channel; give the pictures that yours was trained on, in "
                "the shape (n, 1, height, width)."
            ) from error
        if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(images) or scores.shape[1] < 2:
            raise ValueError(
                f"the network answered {tuple(getattr(scores, 'shape', ()))} to {len(images)} pictures; wanted "
                f"({len(images)}, classes), a score for each class."
            )
        after: dict[str, str] = {}
        for index, (name, _, target) in enumerate(passed):
            takers = []
            for other, source, made in passed[index + 1 :]:
                if source is target:
                    takers.append(other)
                if made is target:  # in place: from here on it is the other's output
                    break
            if len(takers) == 1:
                after[name] = takers[0]
        return seen, after, scores


def stamp(model: nn.Module) -> tuple[Any, ...]:
    """What changes whenever the weights, running statistics or modules of a network do; made in microseconds."""
    tensors = chain(model.parameters(), model.buffers())
    return (
        *map(id, model.modules()),
        *((id(each), each.data_ptr(), each._version) for each in tensors if not (is_lazy(each) or each.is_inference())),
    )


def own(model: nn.Module) -> nn.Module:
    """A copy in which each place has a module of its own, even where one module stood at several.

    >>> relu = nn.ReLU()
    >>> found = own(nn.Sequential(relu, relu))
    >>> found[0] is found[1]
    False
    """
    try:
        model = copy.deepcopy(model)
    except Exception as error:
        raise ValueError(f"FeatureMapExplorer looks into a copy, and this network cannot be copied: {error}") from error
    met: set[int] = set()
    for name, module in list(model.named_modules(remove_duplicate=False)):
        here = model.get_submodule(name) if name else module  # the module around it may have been copied just now
        if id(here) in met:
            model.set_submodule(name, here := copy.deepcopy(here))
        met.add(id(here))
    return model


@contextmanager
def watching(model: nn.Module, names: Any, keep: Callable[[str, Tensor, Tensor], None]) -> Iterator[None]:
    """keep(name, input, output) whenever one of the modules has put out maps (batch, channel, height, width)."""
    with ExitStack() as stack:
        for name, module in model.named_modules():
            if name not in names:
                continue

            def hook(module: nn.Module, args: Any, output: Any, name: str = name) -> None:
                if isinstance(output, Tensor) and output.ndim == 4:
                    keep(name, args[0], output)

            stack.callback(module.register_forward_hook(hook).remove)
        yield


def silenced(off: Off) -> dict[str, Callable[[Tensor], Tensor]]:
    """For `hooks.replace`: the maps of some channels become 0.

    >>> silenced(frozenset({("conv1", 1)}))["conv1"](torch.ones(1, 3, 1, 1)).flatten()
    tensor([1., 0., 1.])
    """
    channels: dict[str, list[int]] = {}
    for layer, channel in sorted(off):
        channels.setdefault(layer, []).append(channel)

    def without(which: list[int]) -> Callable[[Tensor], Tensor]:
        def zeroed(maps: Tensor) -> Tensor:
            maps = maps.clone()
            maps[:, which] = 0
            return maps

        return zeroed

    return {layer: without(which) for layer, which in channels.items()}


def kind(module: nn.Module) -> str:
    """What a layer is, in a word.

    >>> kind(nn.ReLU()), kind(nn.MaxPool2d(2)), kind(nn.BatchNorm2d(3))
    ('activation', 'pool', 'normalisation')
    """
    if isinstance(module, nn.Conv2d):
        return "convolution"
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        return "pool"
    if hasattr(module, "paths"):
        return "residual block"
    if "Norm" in type(module).__name__:
        return "normalisation"
    if "Dropout" in type(module).__name__ or isinstance(module, nn.Identity):
        return "passes on"
    return "activation"


def _range(values: Tensor) -> dict[str, float]:
    """low, high and strong of a `Layer`, of what is finite."""
    flat = values.detach().flatten().float()
    flat = flat[flat.isfinite()]
    if not len(flat):
        return {"low": 0.0, "high": 0.0, "strong": 0.0}
    low, high = flat.aminmax()
    if len(flat) > DRAWN:
        some = torch.randint(len(flat), (DRAWN,), generator=generator(0), device="cpu")
        flat = flat[some.to(flat.device)]
    sizes = flat[flat != 0].abs()  # most of what leaves a ReLU is 0
    return {"low": float(low), "high": float(high), "strong": float(sizes.quantile(STRONG)) if len(sizes) else 0.0}


def _fields(model: nn.Module) -> dict[str, ReceptiveField]:
    try:
        return receptive_fields(model)
    except ValueError as error:
        raise ValueError(
            f"FeatureMapExplorer cannot follow this network: {error} One with a forward of its own can be written "
            f"as a Sequential of the same layers; torch.nn.ReLU() and Flatten() stand for functions. {EXAMPLE}"
        ) from error


def spread(total: int, most: int) -> list[int]:
    """Indices of at most `most` of `total` things, evenly spread: the same ones each time.

    >>> spread(10, 4), spread(3, 4)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    count = min(total, most)
    return [index * total // count for index in range(count)]


def _pictures(images: Any) -> Tensor:
    wanted = (
        "wanted (n, 1, 8, 8) or (n, 1, 28, 28), a torch tensor of floats in [0, 1], such as data.load('digits').x. "
        f"{EXAMPLE}"
    )
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images) or not images.is_floating_point():
        came = f"{tuple(images.shape)} of {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"FeatureMapExplorer got images {came}; {wanted}")
    if images.shape[1] != 1 or images.shape[2] != images.shape[3] or images.shape[2] not in SIDES:
        raise ValueError(f"FeatureMapExplorer got images {tuple(images.shape)}; {wanted}")
    low, high = images.aminmax()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"FeatureMapExplorer got pixels from {low:g} to {high:g}; {wanted}")
    return images.detach()


def _labels(labels: Any, count: int) -> Tensor:
    try:
        labels = torch.as_tensor(labels).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        labels = None
    if labels is None or labels.ndim != 1 or len(labels) != count or labels.is_floating_point():
        raise ValueError(f"FeatureMapExplorer got labels that do not fit: wanted {count} whole numbers, one per image.")
    return labels.long()


def _classes(classes: Sequence[str] | None, scores: Tensor, labels: Tensor) -> tuple[str, ...]:
    many = scores.shape[1]
    names = tuple(map(str, range(many) if classes is None else classes))
    if len(names) != many or int(labels.min()) < 0 or int(labels.max()) >= many:
        raise ValueError(
            f"the network has {many} classes; there came {len(names)} names, and labels from {int(labels.min())} to "
            f"{int(labels.max())}. Wanted {many} names, and labels from 0 to {many - 1}."
        )
    return names
