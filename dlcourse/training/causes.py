"""What can be wrong with a training run, in the order in which one thing brings about another.

Each function below looks at one thing. It gives a line of the table, and a finding when the number is out of the range
of a healthy run. The thresholds stand at the top, each with its reason; they were tried on several hundred healthy and
planted runs (`tests/training/test_diagnosis.py`), and they err towards silence.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from dlcourse.training.watching import Look, LossCall, Recorder
from dlcourse.types import Tensor

# The loss at the first update against that of an even guess. Normal logits of standard deviation s cost s^2/2 above it;
# He's weights give s = 1.4 and 1.0 above. Twice log C is s = 2.1 for ten classes, and no usual start reaches it.
START = 2.0
START_LEAST = 1.5  # nats above an even guess that are allowed whatever the classes: for two, log C is only 0.69
START_SQUARED = 30.0  # times the targets' mean square: outputs more than five times as large as what they should be
INPUT_LARGE = 10.0  # root mean square of what reaches the first layer; the rules for initial weights take it to be 1
INPUT_SMALL = 0.01  # largest absolute value: a one-hot row has 1 somewhere, however long it is
DELTA = 1e3  # gradient at the first layer against the last. He's rule keeps it; torch's default start loses a factor
#              0.4 with each ReLU layer, so eight of them reach it, and then it is time to say something
DEAD = 0.75  # share of a layer's units that are 0 for every example. Healthy nets, deep or long trained, reach a half
DEAD_UNITS = 8  # in layers of fewer units as many may be dead by chance; there it counts when all are
DEAD_EXAMPLES = 256  # seen before a unit may be called dead
FLAT = 0.5  # share of tanh's or sigmoid's outputs where the slope is below a sixteenth of its largest
RISES = 1.5  # times the larger of the first loss and that of an even guess
PEAK = 3.0  # the same for a single update, when the loss did not come down well afterwards
BURST = 100.0  # the same, however few updates were seen
JUMP = 0.1  # an update of a tenth of the weight's own size, typically: a hundred times the usual thousandth
CRAWL = 3e-5  # an update that small, in every look. The usual size is a thousandth; slow healthy runs have 0.0005
STAYS = 0.01  # all updates together move the weights by less than that: nothing can have been learned
FALLS = 0.05  # share of the first loss by which it has to come down to count as learning
BLOCKS = 3.0  # chi-squared of labels against batches, per degree of freedom: 1 when shuffled, a batch's size if sorted
BLOCKS_SURE = 6.0  # and that many standard deviations above 1
KINDS = 20  # more different labels than that are no classes
WINDOW = 16  # labels: shorter batches are taken together, or a batch of one would always hold one class
EQUAL = 0.1  # how much rows of a weight differ: 1 when random, 0 when all units are the same
SOME = 0.1  # share of the updates in which a fault of the loop must be seen; clearing every second time gives 0.5
STEPS = 10  # updates before anything is said of the course of a run
STEPS_LONG = 60  # and before it is said that nothing was learned although all looks right
TRAVEL = 0.5  # and the updates add up to half a weight's own length. Slow healthy runs have learned by 0.2

CAUSES: dict[str, str] = {  # cause: what to do
    "label dtype": "Give the loss what it expects: cross_entropy takes logits (batch, classes) and whole numbers"
    " (batch,); a squared error or a binary cross-entropy takes two floats of the same shape.",
    "softmax twice": "Let the model end in its last linear layer. Cross-entropy takes logits and applies softmax (or"
    " the sigmoid) itself.",
    "gradients not cleared": "Call optimizer.zero_grad() once for each update, anywhere between step() and the next"
    " backward(). backward() adds to .grad.",
    "gradients cleared too soon": "Call zero_grad() before backward() or after step(), not between the two.",
    "wrong mode": "Call model.train() before the updates and model.eval() before you measure, every time round.",
    "parameters left out": "Make the optimizer from model.parameters(), after the last layer has been put in. If a part"
    " is to stay as it is, say so with requires_grad_(False).",
    "not shuffled": "Shuffle the examples anew for each pass: data.batches(x, y, size=..., generator=...), or"
    " DataLoader(..., shuffle=True).",
    "equal weights": "Draw the initial weights at random (nn.init.he_normal for ReLU, xavier_normal for tanh); only"
    " biases, and at most the last layer, may begin at 0.",
    "inputs not normalised": "Let the model begin with nn.Normalize.of(x_train), so that each feature has mean 0 and"
    " standard deviation 1.",
    "exploding gradients": "Begin with smaller weights (He for ReLU, Xavier for tanh), put a norm between the layers,"
    " or clip the gradient.",
    "loss at start": "Begin with smaller weights, above all in the last layer; check that there is one output for each"
    " class.",
    "learning rate too high": "Divide the learning rate by ten, and look at training.lr_finder; a warm-up or clipping"
    " tames the first updates.",
    "saturated units": "Begin with smaller weights (Xavier) on normalised inputs: in the flat parts almost no gradient"
    " comes through.",
    "vanishing gradients": "Use ReLU with He's weights, fewer layers, a norm between them, or skip connections.",
    "dead units": "A dead ReLU gets no gradient and stays dead. Begin again with He's weights and biases of 0 on"
    " normalised inputs, with a smaller learning rate, or take a leaky ReLU.",
    "learning rate too low": "Multiply the learning rate by ten until the loss falls, or look at training.lr_finder.",
    "nothing learned": "Two things look the same from here. Either the labels do not belong to the inputs: look at some"
    " pairs by eye, and check that both were put into the same order. Or the problem is too hard for this model and"
    " this many updates: see whether it can learn one batch by heart.",
}

# Cause: what it tends to bring about. A finding in the set of an earlier one is marked as following from it.
_COURSE = {"learning rate too high", "learning rate too low", "nothing learned"}
_UNITS = {"dead units", "saturated units", "vanishing gradients"}
_START = {"exploding gradients", "loss at start"}
FOLLOWS: dict[str, set[str]] = {
    "label dtype": {"loss at start"} | _COURSE,
    "softmax twice": {"vanishing gradients"} | _COURSE,
    "gradients not cleared": _UNITS | _COURSE,
    "gradients cleared too soon": _COURSE,
    "wrong mode": _UNITS | _COURSE,
    "parameters left out": _COURSE,
    "not shuffled": _UNITS | _COURSE,
    "equal weights": _UNITS | _COURSE,
    "inputs not normalised": _START | _UNITS | _COURSE,
    "exploding gradients": {"loss at start"} | _UNITS | _COURSE,
    "loss at start": _UNITS | _COURSE,
    "learning rate too high": _UNITS | {"nothing learned"},
    "saturated units": {"vanishing gradients", "dead units"} | _COURSE,
    "vanishing gradients": {"dead units"} | _COURSE,
    "dead units": _COURSE,
    "learning rate too low": {"nothing learned"},
    "nothing learned": set(),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    cause: str  # one of CAUSES
    evidence: str  # the numbers that show it
    advice: str  # what to do
    follows: str | None = None  # the finding before it that probably brings this one about


@dataclass(frozen=True)
class Measured:
    """One thing that was looked at: a line of the table."""

    name: str
    value: str
    healthy: str  # the range of a healthy run, in words
    ok: bool = True


Verdict = tuple[Measured, Finding | None]


class Evidence:
    """What the judges ask of a record: the course of the loss, what an even guess costs, the layers' health."""

    def __init__(self, seen: Recorder):
        self.seen = seen
        self.looks: list[Look] = seen.looks
        self.steps = len(seen.updates)

    # The loss

    @cached_property
    def calls(self) -> list[LossCall]:
        """The calls that were trained on."""
        return [call for call in self.seen.calls if call.used]

    @cached_property
    def kind(self) -> str:
        """ "cross-entropy", "binary", "squared" or "": which loss it is, by its numbers, else by its name."""
        first = next((call for call in self.calls if math.isfinite(call.loss)), None)
        if first is None:
            return ""
        known = {"cross-entropy": first.cross_entropy, "binary": first.binary, "squared": first.squared}
        named = self.seen.loss_name.lower().replace("_", "")
        for kind, value in known.items():
            if value is not None and (
                math.isclose(first.loss, value, rel_tol=1e-3, abs_tol=1e-6)
                or math.isclose(first.loss, value * first.examples, rel_tol=1e-3)
            ):
                return kind
        if first.cross_entropy is not None and "crossentropy" in named and "binary" not in named:
            return "cross-entropy"
        if first.binary is not None and ("bce" in named or "binary" in named):
            return "binary"
        if first.cross_entropy is not None and 0.75 < first.loss / max(first.cross_entropy, 1e-9) < 1.33:
            return "cross-entropy"  # label smoothing, weights for classes
        return ""

    @cached_property
    def summed(self) -> bool:
        """The loss is a sum over the batch, not a mean."""
        first = next((call for call in self.calls if self.by_the_book(call)), None)
        return first is not None and first.examples > 1 and first.loss / self.by_the_book(first) > first.examples / 2

    def by_the_book(self, call: LossCall) -> float:
        book = {"cross-entropy": call.cross_entropy, "binary": call.binary, "squared": call.squared}
        return book.get(self.kind) or 0.0

    @cached_property
    def losses(self) -> list[float]:
        """One for each update: the mean of the calls that were trained on."""
        by_update: dict[int, list[float]] = {}
        for call in self.calls:
            by_update.setdefault(call.index, []).append(call.loss / (call.examples if self.summed else 1))
        return [statistics.fmean(values) for values in by_update.values()]

    @cached_property
    def finite(self) -> bool:
        return all(map(math.isfinite, self.losses))

    @cached_property
    def labels(self) -> list[Tensor]:
        """Those of each update, in the order in which they came, as far as they were kept."""
        by_update: dict[int, list[Tensor]] = {}
        for call in self.calls:
            if call.labels is not None:
                by_update.setdefault(call.index, []).append(call.labels.flatten())
        return [torch.cat(labels) for labels in by_update.values()]

    @cached_property
    def even(self) -> float | None:
        """The loss of an even guess; for a squared error, of the targets' mean."""
        if self.kind == "cross-entropy" and self.seen.classes:
            return math.log(self.seen.classes)
        if self.kind == "binary":
            return math.log(2)
        if self.kind == "squared" and self.labels:
            return max(torch.cat(self.labels).float().var(correction=0).item(), 1e-12)
        return None

    @cached_property
    def start(self) -> float:
        return self.losses[0] if self.losses else math.nan

    @cached_property
    def begin(self) -> float:
        """The mean over the first quarter of the updates."""
        return statistics.fmean(self.losses[: max(1, len(self.losses) // 4)]) if self.losses else math.nan

    @cached_property
    def end(self) -> float:
        """The mean over the last quarter of the updates."""
        return statistics.fmean(self.losses[-max(1, len(self.losses) // 4) :]) if self.losses else math.nan

    @cached_property
    def high(self) -> float:
        """A loss that a run should come down from: the first one, or that of an even guess if this is higher."""
        return max(self.start, self.even or self.start)

    @cached_property
    def to_learn(self) -> bool:
        """There was something to learn: the loss did not begin low, as that of a model trained before does."""
        return self.finite and (self.even is None or self.begin > 0.5 * self.even)

    @cached_property
    def unlearned(self) -> bool:
        """There was something to learn, enough updates were seen, and the loss did not come down."""
        return self.to_learn and self.steps >= STEPS and self.end > (1 - FALLS) * self.begin

    # The layers

    @cached_property
    def late(self) -> list[Look]:
        return self.looks[len(self.looks) // 2 :]

    def flow(self, look: Look) -> float | None:
        """The gradient that reaches the first layer, as a multiple of the last layer's."""
        norms = [look.deltas[layer] for layer in self.seen.layers if layer in look.deltas]
        if len(norms) < 2 or not norms[-1]:
            return None
        return norms[0] / norms[-1]

    def dead(self, looks: Sequence[Look]) -> dict[str, tuple[float, int]]:
        """Layer: share of the units behind it that were 0 for every example of these looks, and how many there are."""
        alive: dict[str, Tensor] = {}
        for look in looks:
            for layer, mask in look.alive.items():
                known = alive.get(layer)
                alive[layer] = mask if known is None or known.shape != mask.shape else known | mask
        return {layer: (1 - mask.float().mean().item(), len(mask)) for layer, mask in alive.items()}

    def window(self, end: bool) -> list[Look]:
        """The first looks, or the last ones, that together saw enough examples to call a unit dead."""
        chosen, examples = [], 0
        for look in reversed(self.looks) if end else self.looks:
            chosen.append(look)
            examples += look.examples
            if examples >= DEAD_EXAMPLES:
                return chosen
        return chosen

    def flat(self, looks: Sequence[Look]) -> dict[str, float]:
        """Layer: share of saturated outputs behind it, the middle one of these looks."""
        layers = {layer for look in looks for layer in look.saturated}
        return {layer: statistics.median(look.saturated.get(layer, 0.0) for look in looks) for layer in layers}

    @cached_property
    def ratio(self) -> float | None:
        """The typical update of a weight matrix relative to its size, in the look where it is largest."""
        rows = [[look.ratios[name] for name in look.spread if math.isfinite(look.ratios[name])] for look in self.looks]
        return max((statistics.median(row) for row in rows if row), default=None)

    @cached_property
    def typical_ratio(self) -> float | None:
        rows = [[look.ratios[name] for name in look.spread if math.isfinite(look.ratios[name])] for look in self.looks]
        return statistics.median([statistics.median(row) for row in rows if row]) if any(rows) else None

    @cached_property
    def kinds(self) -> list[Tensor]:
        """The labels of each update as small whole numbers; targets of a regression by the quarter they fall into."""
        if not self.labels:
            return []
        values = torch.cat(self.labels).unique()
        if len(values) > KINDS:
            cuts = torch.cat(self.labels).float().quantile(values.new_tensor([0.25, 0.5, 0.75], dtype=torch.float32))
            return [torch.bucketize(labels.float(), cuts) for labels in self.labels]
        return [torch.searchsorted(values, labels) for labels in self.labels]

    @cached_property
    def blocks(self) -> list[Tensor]:
        """The same, short batches taken together; what is left over at the end is left out."""
        blocks, open_ = [], []
        for labels in self.kinds:
            open_.append(labels)
            if sum(map(len, open_)) >= WINDOW:
                blocks.append(torch.cat(open_))
                open_ = []
        return blocks


def number(value: float) -> str:
    """Three digits, short."""
    return f"{value:.3g}"


def _line(name: str, value: str, healthy: str, cause: str = "", evidence: str = "") -> Verdict:
    finding = Finding(cause, evidence, CAUSES[cause]) if evidence else None
    return Measured(name, value, healthy, finding is None), finding


def labels_fit(e: Evidence) -> Verdict | None:
    """Labels whose shape or kind the loss takes for something else, with or without an error."""
    if e.seen.shapes is None:
        return None
    logits, labels, _, labels_dtype = e.seen.shapes
    value = f"{_shape(logits)}, {_shape(labels)} {str(labels_dtype).removeprefix('torch.')}"
    evidence = ""
    entropy = "crossentropy" in e.seen.loss_name.lower().replace("_", "") and "binary" not in e.seen.loss_name.lower()
    came = f"the loss got outputs {_shape(logits)} and labels {_shape(labels)} of {str(labels_dtype)[6:]}"
    if e.seen.failed:
        evidence = f"{came}, and raised {e.seen.failed.splitlines()[0][:160]}" if _unfit(e, entropy) else ""
    elif labels_dtype.is_floating_point and logits != labels and _broadcast(logits, labels):
        evidence = f"{came}: every output was compared with every label, {_shape(_broadcast(logits, labels))} pairs"
    elif entropy and len(logits) == 1:
        evidence = f"{came}: cross_entropy took the batch for one example of {logits[0]} classes"
    elif entropy and len(logits) == 2 and logits[1] == 1:
        evidence = f"{came}: a softmax over one class is always 1, so this loss is 0 whatever the model says"
    elif any(not torch.isfinite(label).all() for label in e.labels if label.is_floating_point()):
        evidence = "some labels are not finite numbers"
    elif e.seen.loss_name and min(e.losses, default=0.0) < 0 and e.labels and _is_binary(e.seen.loss_name):
        low, high = min(float(y.min()) for y in e.labels), max(float(y.max()) for y in e.labels)
        if low < 0 or high > 1:
            evidence = f"labels from {number(low)} to {number(high)}; a binary cross-entropy takes 0 and 1"
    return _line("outputs, labels", value, "as the loss expects", "label dtype", evidence)


def _is_binary(name: str) -> bool:
    return "bce" in name.lower() or "binary" in name.lower()


def _unfit(e: Evidence, entropy: bool) -> bool:
    """Do the shapes or kinds explain the loss's error?"""
    logits, labels, _, labels_dtype = e.seen.shapes
    if entropy:
        return labels != logits[:1] + logits[2:] or labels_dtype.is_floating_point or labels_dtype == torch.bool
    return logits != labels or not labels_dtype.is_floating_point


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape)).replace(" ", "") if len(shape) < 2 else str(tuple(shape))


def _broadcast(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...] | None:
    """The shape of a - b, when that is larger than both."""
    try:
        both = torch.broadcast_shapes(a, b)
    except RuntimeError:
        return None
    return tuple(both) if math.prod(both) > max(math.prod(a), math.prod(b)) else None


def outputs_are_logits(e: Evidence) -> Verdict | None:
    close = [call for call in e.calls if not math.isnan(call.low)]
    if not close or e.kind not in ("cross-entropy", "binary"):
        return None
    low, high = min(call.low for call in close), max(call.high for call in close)
    evidence = ""
    ends = f"the model ends in a {close[0].squashed}" if close[0].squashed else ""
    nearer = [
        abs(call.loss - e.by_the_book(call)) <= abs(call.loss - call.likelihood)
        for call in close
        if call.likelihood is not None
    ]
    if sum(nearer) <= len(nearer) / 2:
        pass  # a loss that takes probabilities, and rightly got them
    elif e.kind == "cross-entropy":
        if all(call.sums_to_one for call in close) or ends:
            ends = ends or "each row of outputs sums to 1"
            classes = e.seen.classes or 2
            least = math.log(math.e + classes - 1) - 1
            evidence = (
                f"{ends}, all outputs lie between {number(low)} and {number(high)}, and a cross-entropy follows: "
                f"with {classes} classes its loss cannot fall below {number(least)}"
            )
    elif ends or (len(close) > 2 and low > 0 and high < 1 and high - low > 0.3):
        ends = ends or "all outputs are probabilities"
        evidence = f"{ends}: between {number(low)} and {number(high)}, and a sigmoid follows inside the loss"
    return _line("outputs", f"{number(low)} to {number(high)}", "logits, of both signs", "softmax twice", evidence)


def gradients_cleared(e: Evidence) -> Verdict | None:
    later = [look for look in e.looks if look.index > 0]
    if not later:
        return None
    stale = sum(look.stale > 0 for look in later)
    evidence = ""
    if stale >= SOME * len(later):
        evidence = (
            f"in {stale} of {len(later)} updates looked at, backward() added to gradients that the update before had "
            "used already"
        )
    return _line(
        "old gradients in .grad", f"in {stale} of {len(later)} updates", "none", "gradients not cleared", evidence
    )


def gradients_there(e: Evidence) -> Verdict | None:
    emptied = sum(look.emptied for look in e.looks)
    evidence = ""
    if emptied and emptied >= SOME * len(e.looks):
        evidence = f"in {emptied} of {len(e.looks)} updates looked at, backward() gave gradients, and step() found none"
    if not evidence:
        return None
    return _line("gradients at the update", "all 0", "not 0", "gradients cleared too soon", evidence)


def mode(e: Evidence) -> Verdict | None:
    if e.seen.model is None or not e.steps:
        return None
    if not e.seen.sensitive:
        return _line("mode", "does not matter here", "no dropout, no batch norm")
    wrong = sum(update.evaluation > 0 and not update.train for update in e.seen.updates)
    unused = sum(call.train_mode and not call.used and math.isfinite(call.loss) for call in e.seen.calls)
    measured = e.seen.measured_in_train_mode + unused
    which = ", ".join(list(e.seen.sensitive)[:4])
    evidence = []
    if wrong:
        evidence.append(f"{wrong} of {e.steps} updates were made in eval mode")
    if measured:
        evidence.append(f"{measured} forward passes that nobody trained on were made in train mode")
    value = f"{e.steps - wrong} updates in train mode, {wrong} in eval; {measured} measurements in train mode"
    text = f"{' and '.join(evidence)}; it matters for the modules {which}" if evidence else ""
    return _line("mode", value, "train for updates, eval to measure", "wrong mode", text)


def parameters_held(e: Evidence) -> Verdict | None:
    if not e.steps:
        return None
    left = e.seen.left_out()
    known = [name for name in e.seen.parameters if name not in e.seen.foreign]
    without = [
        name
        for name in known
        if name not in left and name not in e.seen.frozen and not any(name in look.gradients for look in e.looks)
    ]
    without = without if len(e.looks) > 1 else []
    known = known or list(e.seen.parameters)
    evidence = []
    if left:
        evidence.append(f"the optimizer does not hold {_some(left)}, and nothing has changed them")
        if e.seen.foreign:
            evidence.append(f"it holds {len(e.seen.foreign)} that are not of this model")
    if without:
        evidence.append(f"no gradient ever reached {_some(without)}")
    if e.seen.frozen and e.unlearned and not evidence:
        evidence.append(f"{_some(e.seen.frozen)} are frozen (requires_grad is False), and the loss does not fall")
    value = f"{len(known) - len(left) - len(without) - len(e.seen.frozen)} of {len(known)} trained"
    value += f", {len(e.seen.frozen)} frozen" if e.seen.frozen else ""
    return _line("parameters", value, "all but what you froze", "parameters left out", "; ".join(evidence))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def shuffled(e: Evidence) -> Verdict | None:
    """Labels against batches, by chi-squared: in shuffled batches each class turns up as often as its share says."""
    total = sum(map(len, e.kinds))
    if not total:
        return None
    kinds = max(int(labels.max()) for labels in e.kinds) + 1
    if kinds == 1:
        classes = 2 if e.kind == "binary" else e.seen.classes
        alone = classes is not None and classes > 1 and total >= 4 * WINDOW
        text = f"all {total} labels seen are of one class, of {classes}" if alone else ""
        return _line("labels in a batch", "one class only", "several classes", "not shuffled", text)
    if len(e.blocks) < 2:
        return None
    counts = torch.stack([torch.bincount(block, minlength=kinds) for block in e.blocks]).double()
    size, share = counts.sum(1, keepdim=True), counts.sum(0) / counts.sum()
    counts, share = counts[:, share > 0], share[share > 0]
    freedom = (len(counts) - 1) * (len(share) - 1)
    if not freedom:
        return None
    unevenness = ((counts - size * share) ** 2 / (size * share)).sum().item() / freedom
    sure = (unevenness - 1) * math.sqrt(freedom / 2)
    distinct, expected = (counts > 0).sum(1).double().mean().item(), (1 - (1 - share) ** size).sum(1).mean().item()
    again = ", in the same order in each pass" if repeats(e) else ""
    text = ""
    if unevenness > BLOCKS and sure > BLOCKS_SURE:
        text = (
            f"{size.mean():.0f} labels in a row hold {distinct:.1f} different ones, shuffled they would hold "
            f"{expected:.1f} (unevenness {unevenness:.1f}, where chance gives 1){again}"
        )
    return _line("labels in a batch", f"{distinct:.1f} different{again}", f"about {expected:.1f}", "not shuffled", text)


def repeats(e: Evidence) -> bool:
    """Do the batches come again in the same order? A run of one batch, over and over, has no order."""
    order = [labels.numpy().tobytes() for labels in e.kinds]
    period = next((index for index, labels in enumerate(order) if index and labels == order[0]), 0)
    return period > 1 and len(order) >= 2 * period and order[period:] == order[:-period]


def rows_differ(e: Evidence) -> Verdict | None:
    if len(e.looks) < 4:
        return None
    first, last = e.looks[0].spread, e.looks[-1].spread
    equal = [name for name in first if first[name] < 1e-6 and last.get(name, 1.0) < EQUAL]
    least = min(last.values(), default=1.0)
    text = f"the rows of {_some(equal)} began equal and stayed so: all units of the layer do the same" if equal else ""
    return _line("rows of a weight", f"differ by {number(least)} or more", "about 1", "equal weights", text)


def inputs(e: Evidence) -> Verdict | None:
    known = [look.inputs for look in (*e.looks, e.seen.look) if look.inputs]
    if not known:
        return None
    mean, rms = (statistics.median(row[name] for row in known) for name in ("mean", "rms"))
    largest = max(row["largest"] for row in known)
    if not all(math.isfinite(row["rms"]) for row in known):
        text = "some inputs are not finite numbers"
    elif rms > INPUT_LARGE:
        text = f"what reaches the first layer has mean {number(mean)} and root mean square {number(rms)}"
    elif largest < INPUT_SMALL:
        text = f"what reaches the first layer is {number(largest)} at most"
    else:
        text = ""
    return _line("inputs", f"mean {number(mean)}, size {number(rms)}", "size about 1", "inputs not normalised", text)


def exploding(e: Evidence) -> Verdict | None:
    flow = e.flow(e.looks[0]) if e.looks else None
    if flow is None:
        return None
    text = ""
    if not flow < DELTA:  # or not a number
        text = f"the gradient is {number(flow)} times as large at the first layer as at the last, in the first update"
    return _line("gradient first/last layer", number(flow), "0.001 to 1000", "exploding gradients", text)


def start(e: Evidence) -> Verdict | None:
    if e.even is None or not math.isfinite(e.start):
        return None
    if e.kind == "squared":
        squares = torch.cat([label.flatten() for label in e.labels]).double().square().mean().item()
        limit, wanted = START_SQUARED * max(squares, e.even), f"below {number(START_SQUARED * max(squares, e.even))}"
        against = f"the targets' mean square is {number(squares)}"
    else:
        limit = e.even + max(START_LEAST, (START - 1) * e.even)
        wanted = f"about log {e.seen.classes if e.kind == 'cross-entropy' else 2} = {number(e.even)}, or below"
        against = f"an even guess costs {number(e.even)}"
    text = f"the first loss is {number(e.start)}; {against}" if e.start > limit else ""
    return _line("loss at start", number(e.start), wanted, "loss at start", text)


def rate_high(e: Evidence) -> Verdict | None:
    if not e.losses:
        return None
    peak = max((loss for loss in e.losses[1:] if math.isfinite(loss)), default=e.start)
    lr = max((update.lr for update in e.seen.updates), default=math.nan)
    text = ""
    if not e.finite:
        first = next(index for index, loss in enumerate(e.losses) if not math.isfinite(loss))
        text = f"the loss of update {first} is no finite number" if first else ""
    elif peak > BURST * e.high and e.end > e.high:
        text = f"the loss rose from {number(e.start)} to {number(peak)} in {e.steps} updates"
    elif len(e.losses) >= STEPS:
        came_down = e.end < 0.5 * e.high
        if e.end > RISES * e.high and e.end > e.start:
            text = f"the loss rose from {number(e.start)} to {number(e.end)}"
        elif peak > PEAK * e.high and not came_down:
            text = f"the loss jumped from {number(e.start)} to {number(peak)}, and is {number(e.end)} at the end"
        elif (e.typical_ratio or 0) > JUMP and e.end > 0.9 * e.high:
            text = f"an update changes the weights by {e.typical_ratio:.0%} of their size, and the loss does not fall"
    text += f", at a learning rate of {number(lr)}" if text else ""
    value = f"{number(e.end)} (highest {number(max(peak, e.start))})"
    return _line("loss at the end", value, "below the first", "learning rate too high", text)


def dead(e: Evidence) -> Verdict | None:
    def found(window: list[Look]) -> dict[str, tuple[float, int]]:
        return {
            layer: (share, units)
            for layer, (share, units) in e.dead(window).items()
            if share == 1 or (share > DEAD and units >= DEAD_UNITS)
        }

    if not e.looks or not e.dead(e.looks):
        return None
    window = e.window(end=True)
    at_end = found(window) if sum(look.examples for look in window) >= DEAD_EXAMPLES else {}
    share = max(share for share, _ in e.dead(window).values())
    text = ""
    if at_end:
        from_start = found(e.window(end=False))
        layers = "; ".join(
            f"{share:.0%} of the {units} units behind {layer}" for layer, (share, units) in at_end.items()
        )
        text = f"{layers} are 0 for every example" + (", from the start" if set(at_end) & set(from_start) else "")
    return _line("dead units", f"{share:.0%} of a layer at most", f"below {DEAD:.0%}", "dead units", text)


def flat(e: Evidence) -> Verdict | None:
    if not any(look.saturated for look in e.looks):
        return None
    shares = e.flat(e.late)
    worst = {layer: share for layer, share in shares.items() if share > FLAT}
    layers = "; ".join(f"{share:.0%} of the outputs behind {layer}" for layer, share in worst.items())
    text = f"{layers} lie at the ends of their range, where the slope is nearly 0" if worst else ""
    share = max(shares.values(), default=0.0)
    return _line("saturated outputs", f"{share:.0%} of a layer at most", f"below {FLAT:.0%}", "saturated units", text)


def vanishing(e: Evidence) -> Verdict | None:
    flows = [flow for look in e.late if (flow := e.flow(look)) is not None]
    if not flows or e.steps < STEPS:  # a last layer that begins at 0 lets nothing through in the first update
        return None
    flows = [flow for flow in flows if flow] or [
        1.0
    ]  # nothing at all is blocked, not vanished: dead units, a last layer of zeros
    middle = statistics.median(flows)
    text = (
        f"the gradient is {number(middle)} times as large at the first layer as at the last"
        if middle < 1 / DELTA
        else ""
    )
    return _line("gradient, later", number(middle), "0.001 to 1000", "vanishing gradients", text)


def rate_low(e: Evidence) -> Verdict | None:
    if e.ratio is None:
        return None
    lr = max((update.lr for update in e.seen.updates), default=math.nan)
    text = ""
    if e.to_learn and e.steps >= STEPS and e.ratio < CRAWL and (e.unlearned or e.ratio * e.steps < STAYS):
        text = (
            f"the loss went from {number(e.start)} to {number(e.end)} in {e.steps} updates, none of which changed the "
            f"weights by more than {number(e.ratio)} of their size, at a learning rate of {number(lr)}"
        )
    return _line("update / weight", number(e.ratio), "about 0.001", "learning rate too low", text)


def learned(e: Evidence) -> Verdict | None:
    if e.kind not in ("cross-entropy", "binary") or not e.finite or not e.kinds:
        return None
    share = torch.bincount(torch.cat(e.kinds)).double()
    share = share[share > 0] / share.sum()
    entropy = -(share * share.log()).sum().item()
    text = ""
    long = e.steps >= STEPS_LONG and (e.typical_ratio or 0) * e.steps > TRAVEL
    if long and e.begin > 0.9 * entropy and e.end > 0.97 * entropy and e.end < RISES * e.high:
        text = (
            f"after {e.steps} updates the loss is {number(e.end)}; who knows only how frequent each label is, and "
            f"nothing of the inputs, has {number(entropy)}"
        )
    return _line("learned", f"{number(e.end)}", f"below {number(entropy)} in the end", "nothing learned", text)


# In the order of CAUSES: what comes first brings about what comes after.
JUDGES: tuple[Callable[[Evidence], Verdict | None], ...] = (
    labels_fit,
    outputs_are_logits,
    gradients_cleared,
    gradients_there,
    mode,
    parameters_held,
    shuffled,
    rows_differ,
    inputs,
    exploding,
    start,
    rate_high,
    flat,
    vanishing,
    dead,
    rate_low,
    learned,
)


def judge(seen: Recorder) -> tuple[tuple[Finding, ...], tuple[Measured, ...]]:
    """The findings, each marked with the earlier one that it probably follows from, and all that was looked at."""
    evidence = Evidence(seen)
    verdicts = [verdict for look_at in JUDGES if (verdict := look_at(evidence)) is not None]
    found = {finding.cause for _, finding in verdicts if finding}
    if not found & (_START | _UNITS | _COURSE):  # large inputs that do no harm are no fault: a norm may follow
        verdicts = [_excused(*verdict) for verdict in verdicts]
    findings: list[Finding] = []
    for _, finding in verdicts:
        if finding:
            before = (earlier.cause for earlier in findings if finding.cause in FOLLOWS[earlier.cause])
            findings.append(replace(finding, follows=next(before, None)))
    return tuple(findings), tuple(measured for measured, _ in verdicts)


def _excused(measured: Measured, finding: Finding | None) -> Verdict:
    if finding is None or finding.cause != "inputs not normalised":
        return measured, finding
    return replace(measured, ok=True), None
