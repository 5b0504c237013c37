"""What the record of a run tells: which loss it is and how it went, the order of the labels, the health of layers.

Numbers only. Whether they are those of a healthy run is for `causes` to say.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice

import torch

from dlcourse.training.records import Look, LossCall
from dlcourse.training.watching import Recorder
from dlcourse.types import Tensor

STEADY = 64  # examples whose mean loss is a number to rely on
UNITS_SEEN = 256  # examples before a unit may be called dead
KINDS = 20  # more different labels than that are no classes, but targets of a regression; quarters of them are compared
WINDOW = 16  # labels: shorter batches are taken together, or a batch of one would always hold one class


class Evidence:
    """A record, read."""

    def __init__(self, seen: Recorder):
        self.seen = seen
        self.looks: list[Look] = seen.looks
        self.steps = len(seen.updates)
        self.lr = max((update.lr for update in seen.updates), default=math.nan)

    # The loss

    @cached_property
    def calls(self) -> list[LossCall]:
        """The calls that were trained on."""
        return [call for call in self.seen.calls if call.used]

    @cached_property
    def _match(self) -> tuple[str, float]:
        """What the first call is by the book, and a factor: the number of examples when it is a sum over them."""
        first = next((call for call in self.calls if math.isfinite(call.loss) and call.book), None)
        if first is None:
            return "", 1.0
        for factor in (1.0, float(first.examples)):
            for name, value in first.book.items():
                if math.isclose(first.loss, factor * value, rel_tol=1e-3, abs_tol=1e-6):
                    return name, factor
        name = self.seen.loss_name  # weights for classes or smoothed labels change the number
        told = "binary" if "binary" in name or "bce" in name else "cross-entropy" if "crossentropy" in name else ""
        if not told and first.loss > 0 and 0.75 < first.book.get("cross-entropy", 0.0) / first.loss < 1.33:
            told = "cross-entropy"
        factor = first.examples if first.loss > 0.5 * first.examples * first.book.get(told, math.inf) else 1.0
        return (told, factor) if told in first.book else ("", 1.0)

    @cached_property
    def kind(self) -> str:
        """ "cross-entropy", "binary", "squared", or "" for another loss: told by its numbers, else by its name."""
        match = {"softmax first": "cross-entropy", "sigmoid first": "binary"}.get(self._match[0], self._match[0])
        if match == "likelihood":
            return "binary" if "binary" in self.calls[0].book else "cross-entropy"
        return match

    def factor(self, call: LossCall) -> float:
        """By what the loss has to be divided to be one of a single example."""
        return float(call.examples) if self._match[1] > 1 else 1.0

    @cached_property
    def losses(self) -> list[float]:
        """One for each update: the mean of the calls that were trained on, per example if the loss is a sum."""
        by_update: dict[int, list[float]] = {}
        for call in self.calls:
            by_update.setdefault(call.index, []).append(call.loss / self.factor(call))
        return [statistics.fmean(values) for values in by_update.values()]

    @cached_property
    def steady(self) -> list[float]:
        """The losses, averaged over as many updates as make up `STEADY` examples: a small batch alone says little."""
        examples = sum(call.examples for call in self.calls) / max(1, len(self.losses))
        count = min(len(self.losses), max(1, math.ceil(STEADY / max(examples, 1))))
        return [statistics.fmean(self.losses[at : at + count]) for at in range(len(self.losses) - count + 1)]

    @cached_property
    def finite(self) -> bool:
        return all(map(math.isfinite, self.losses))

    @cached_property
    def classes(self) -> int | None:
        """How many the loss tells apart."""
        if self.kind == "binary":
            return 2
        return self.seen.shapes[0][1] if self.kind == "cross-entropy" and self.seen.shapes else None

    @cached_property
    def even(self) -> float | None:
        """The loss of an even guess, log of the classes; for a squared error, of the targets' mean."""
        if self.kind == "squared" and self.labels:
            return max(torch.cat(self.labels).double().var(correction=0).item(), 1e-12)
        return math.log(self.classes) if self.classes else None

    def part(self, first: bool) -> float:
        """The mean loss of the first or the last quarter of the updates."""
        count = max(1, len(self.losses) // 4)
        chosen = self.losses[:count] if first else self.losses[-count:]
        return statistics.fmean(chosen) if chosen else math.nan

    @cached_property
    def start(self) -> float:
        return self.losses[0] if self.losses else math.nan

    @cached_property
    def begin(self) -> float:
        return self.part(first=True)

    @cached_property
    def end(self) -> float:
        return self.part(first=False)

    @cached_property
    def high(self) -> float:
        """A loss from which a run should come down: the first one, or that of an even guess when this is higher."""
        return max(self.start, self.even or self.start)

    @cached_property
    def to_learn(self) -> bool:
        """There is something to learn: the loss did not begin low, as that of a model trained before does."""
        return self.finite and bool(self.losses) and (self.even is None or self.begin > 0.5 * self.even)

    # The labels

    @cached_property
    def labels(self) -> list[Tensor]:
        """Those of each update, in the order in which they came, as far as they were kept."""
        by_update: dict[int, list[Tensor]] = {}
        for call in self.calls:
            if call.labels is not None:
                one_hot = self.kind == "cross-entropy" and call.labels.is_floating_point() and call.labels.ndim == 2
                labels = call.labels.argmax(1) if one_hot else call.labels.flatten()
                by_update.setdefault(call.index, []).append(labels)
        return [torch.cat(labels) for labels in by_update.values()]

    @cached_property
    def are_classes(self) -> bool:
        return len(torch.cat(self.labels).unique()) <= KINDS

    @cached_property
    def kinds(self) -> list[Tensor]:
        """The same as small whole numbers: classes, or the quarter into which a target falls."""
        if not self.labels:
            return []
        values = torch.cat(self.labels).double().unique()
        if not self.are_classes:
            values = values[[len(values) * quarter // 4 for quarter in (1, 2, 3)]]
        return [torch.searchsorted(values, labels.double()) for labels in self.labels]

    @cached_property
    def blocks(self) -> list[Tensor]:
        """The kinds by update, short batches taken together."""
        blocks, waiting = [], []
        for labels in self.kinds:
            waiting.append(labels)
            if sum(map(len, waiting)) >= WINDOW:
                blocks.append(torch.cat(waiting))
                waiting = []
        return blocks

    @cached_property
    def entropy(self) -> float | None:
        """The loss of who knows how frequent each class is, and nothing of the inputs."""
        if self.classes is None or not self.labels:
            return None
        share = torch.cat(self.labels).unique(return_counts=True)[1].double()
        share = share / share.sum()
        return -(share * share.log()).sum().item()

    @cached_property
    def same_order(self) -> bool:
        """Do the batches come again in the same order? One batch, over and over, has no order."""
        order = [labels.numpy().tobytes() for labels in self.labels]
        periods = (
            period
            for period in range(1, len(order) // 2 + 1)
            if all(one == later for one, later in zip(order, islice(order, period, None), strict=False))
        )
        return next(periods, 1) > 1

    # The layers

    @cached_property
    def late(self) -> list[Look]:
        return self.looks[len(self.looks) // 2 :]

    def flow(self, look: Look) -> float | None:
        """The gradient that reaches the first layer, as a multiple of the last layer's."""
        norms = [look.deltas[layer] for layer in self.seen.layers if layer in look.deltas]
        return norms[0] / norms[-1] if len(norms) > 1 and norms[-1] else None

    def window(self, *, end: bool) -> list[Look]:
        """The first looks, or the last ones, that together saw enough examples to call a unit dead; else none."""
        chosen: list[Look] = []
        for look in reversed(self.looks) if end else self.looks:
            chosen.append(look)
            if sum(look.examples for look in chosen) >= UNITS_SEEN:
                return chosen
        return []

    def dead(self, looks: Sequence[Look]) -> dict[str, tuple[float, int]]:
        """Layer: share of the units behind it that were 0 for every example of these looks, and how many units."""
        alive: dict[str, Tensor] = {}
        for look in looks:
            for layer, mask in look.alive.items():
                known = alive.get(layer)
                alive[layer] = mask if known is None or known.shape != mask.shape else known | mask
        return {layer: (1 - mask.float().mean().item(), len(mask)) for layer, mask in alive.items()}

    def flat(self, looks: Sequence[Look]) -> dict[str, float]:
        """Layer: share of saturated outputs behind it, the middle one of these looks."""
        layers = dict.fromkeys(layer for look in looks for layer in look.saturated)
        return {layer: statistics.median(look.saturated.get(layer, 0.0) for look in looks) for layer in layers}

    def _typical(self, names: Iterable[str]) -> list[float]:
        """For each look the middle one of the updates of these parameters, relative to their size."""
        rows = [[look.ratios[name] for name in names if math.isfinite(look.ratios[name])] for look in self.looks]
        return [statistics.median(row) for row in rows if row]

    @cached_property
    def ratios(self) -> list[float]:
        """For each look the typical update of a weight matrix, relative to its size; of all parameters if none is."""
        return self._typical(self.looks[0].spread or self.looks[0].ratios) if self.looks else []

    @cached_property
    def jump(self) -> float:
        """The largest of them, without weights that began at 0: relative to those, any first update is large."""
        first = self.looks[0].ratios if self.looks else {}
        begun = [name for name in first if math.isfinite(first[name]) and name in self.looks[0].spread]
        return max(self._typical(begun), default=0.0)
