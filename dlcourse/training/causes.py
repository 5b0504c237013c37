"""What can be wrong with a training run, in the order in which one thing brings about another.

Each function below looks at one thing. It gives a line of the table, and a finding when the number is out of the range
of a healthy run. The thresholds stand at the top, each with its reason; they were tried on several hundred healthy and
planted runs (`tests/training/test_diagnosis.py`), and most could be twice or half as large without any of them being
judged otherwise. Where in doubt they are silent.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from dlcourse.training.evidence import Evidence
from dlcourse.training.records import LossCall
from dlcourse.training.watching import Recorder

# The loss at the first update against that of an even guess. Normal logits of standard deviation s cost s^2/2 above it;
# He's weights give s = 1.4 and 1.0 above. Twice log C is s = 2.1 for ten classes, and no usual start reaches it.
START = 2.0
START_LEAST = 1.5  # nats above an even guess that are allowed whatever the classes: for two, log C is only 0.69
START_NOISE = 5.0  # nats more for a single example, and 1 / sqrt(n) of that for n: three times what examples differ by
START_SQUARED = 30.0  # times the targets' mean square: outputs more than five times as large as what they should be
INPUT_LARGE = 10.0  # root mean square of what reaches the first layer; the rules for initial weights take it to be 1
INPUT_SMALL = 0.01  # largest absolute value: a one-hot row has 1 somewhere, however long it is
DELTA = 1e3  # gradient at the first layer against the last. He's rule keeps it; torch's default start loses a factor
#              0.4 with each ReLU layer, so eight of them reach it, and then it is time to say something
DEAD = 0.75  # share of a layer's units that are 0 for every example. Healthy nets, deep or long trained, reach a half
DEAD_UNITS = 8  # in layers of fewer units as many may be dead by chance; there it counts when all are
FLAT = 0.5  # share of tanh's or sigmoid's outputs where the slope is below a sixteenth of its largest
RISES = 1.5  # times the larger of the first loss and that of an even guess
PEAK = 3.0  # the same for a few updates, when the loss did not come down well afterwards
BURST = 100.0  # the same, however few updates were seen
JUMP = 0.5  # an update of half the weight's own size: hundreds of times the usual thousandth
NO_FALL = 0.8  # of that loss at the end, after such a jump
CRAWL = 3e-5  # an update that small, in every look. The usual size is a thousandth; slow healthy runs have 0.0005
STAYS = 0.01  # all updates together move the weights by less than that: nothing can have been learned
FALLS = 0.05  # share of the first loss by which it has to come down to count as learning
BLOCKS = 3.0  # chi-squared of labels against batches, per degree of freedom: 1 when shuffled
BLOCKS_SHARE = 0.1  # of a batch's size, which it reaches when each batch holds one class; texts are uneven by nature
BLOCKS_SURE = 6.0  # and that many standard deviations above 1
SIGMOID_RANGE = 0.3  # outputs that all lie in (0, 1) and spread over this much of it are no logits
ALONE = 64  # labels of one class only, of several that there are
EQUAL = 0.1  # how much the units of a layer differ: 1 when random, 0 when all are the same
SOME = 0.1  # share of the updates in which a fault of the loop must be seen; clearing every second time gives 0.5
STEPS = 10  # updates before anything is said of the course of a run
STEPS_LONG = 60  # and before it is said that nothing was learned although all looks right
TRAVEL = 0.5  # and the updates add up to half a weight's own length. Slow healthy runs have learned by 0.2

CAUSES: dict[str, str] = {  # cause: what to do
    "label dtype": "Give the loss what it expects: cross_entropy takes logits (batch, classes) and whole numbers"
    " (batch,); a squared error or a binary cross-entropy takes two floats of the same shape.",
    "no update": "Call optimizer.step() after backward().",
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
_SLOW = {"learning rate too low", "nothing learned"}
_COURSE = {"learning rate too high"} | _SLOW
_UNITS = {"dead units", "saturated units", "vanishing gradients"}
_START = {"exploding gradients", "loss at start"}
FOLLOWS: dict[str, set[str]] = {
    "label dtype": _START | _COURSE,
    "no update": set(),
    "softmax twice": {"vanishing gradients"} | _COURSE,
    "gradients not cleared": _UNITS | _COURSE,
    "gradients cleared too soon": {"parameters left out"} | _COURSE,
    "wrong mode": _UNITS | _COURSE,
    "parameters left out": _COURSE,
    "not shuffled": {"loss at start"} | _UNITS | _COURSE,
    "equal weights": _UNITS | _COURSE,
    "inputs not normalised": _START | _UNITS | _COURSE,
    "exploding gradients": {"loss at start"} | _UNITS | _COURSE,
    "loss at start": _UNITS | _COURSE,
    "learning rate too high": _UNITS | {"nothing learned"},
    "saturated units": {"vanishing gradients", "dead units"} | _SLOW,
    "vanishing gradients": {"dead units"} | _SLOW,
    "dead units": _SLOW,
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


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}"


def _line(name: str, value: str, healthy: str, cause: str, evidence: str) -> Verdict:
    finding = Finding(cause, evidence, CAUSES[cause]) if evidence else None
    return Measured(name, value, healthy, finding is None), finding


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


# What the loss is given


def labels_fit(e: Evidence) -> Verdict | None:
    """Labels whose shape or kind does not fit the loss, with an error or, worse, without one."""
    if e.seen.shapes is None:
        return None
    (logits, labels), kind = e.seen.shapes, str(e.seen.label_type).removeprefix("torch.")
    came = f"the loss got outputs {_shape(logits)} and labels {_shape(labels)} of {kind}"
    low, high = _range(e)
    binary = "binary" in e.seen.loss_name or "bce" in e.seen.loss_name
    entropy = "crossentropy" in e.seen.loss_name and not binary
    floats = e.seen.label_type is not None and e.seen.label_type.is_floating_point
    text = ""
    if e.seen.failed:
        as_classes, as_numbers = labels == logits[:1] + logits[2:] and not floats, labels == logits and floats
        known = entropy or binary or "mse" in e.seen.loss_name
        fits = as_classes if entropy else as_numbers or (as_classes and not known)
        text = "" if fits else f"{came}, and raised {e.seen.failed.splitlines()[0][:150]}"
    elif math.isnan(low) and e.labels:
        text = f"{came}, and some labels are no numbers"
    elif floats and logits != labels and (pairs := _pairs(logits, labels)):
        text = f"{came}: it compared every output with every label, {_shape(pairs)} pairs"
    elif entropy and len(logits) == 1:
        text = f"{came}: cross_entropy took the batch for one example of {logits[0]} classes"
    elif entropy and len(logits) == 2 and logits[1] == 1:
        text = f"{came}: a softmax over one class is 1 whatever the model says, so the loss is always 0"
    elif binary and (low < 0 or high > 1):
        text = f"the labels run from {number(low)} to {number(high)}, and a binary cross-entropy wants 0 to 1"
    return _line(
        "outputs, labels", f"{_shape(logits)}, {_shape(labels)} {kind}", "as the loss wants", "label dtype", text
    )


def _range(e: Evidence) -> tuple[float, float]:
    """The smallest and the largest label."""
    if not e.labels:
        return math.nan, math.nan
    labels = torch.cat(e.labels).double()
    return labels.min().item(), labels.max().item()


def _pairs(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...] | None:
    """The shape of a - b, when that is larger than both."""
    try:
        both = torch.broadcast_shapes(a, b)
    except RuntimeError:
        return None
    return tuple(both) if math.prod(both) > max(math.prod(a), math.prod(b)) else None


def outputs_are_logits(e: Evidence) -> Verdict | None:
    """Softmax or sigmoid in the model, or before the cross-entropy, which has one of its own."""
    close = [call for call in e.calls if call.book]
    if not close or e.kind not in ("cross-entropy", "binary"):
        return None
    low, high = min(call.low for call in close), max(call.high for call in close)
    squash = {"cross-entropy": "softmax", "binary": "sigmoid"}[e.kind]
    known = [(_far(e, call, e.kind), call) for call in close]
    as_logits = [far <= _far(e, call, "likelihood") for far, call in known]
    as_squashed = [_far(e, call, f"{squash} first") < 0.01 * far for far, call in known]
    ends = f"the model ends in a {close[0].squashed}" if close[0].squashed else ""
    if not ends and all(call.sums_to_one for call in close):
        ends = "each row of outputs sums to 1"
    elif not ends and e.kind == "binary" and len(close) > 2 and low > 0 and high < 1 and high - low > SIGMOID_RANGE:
        ends = "all outputs lie between 0 and 1"
    text = ""
    if sum(as_squashed) > 0.5 * len(known):
        text = f"the loss is that of a {squash} followed by a cross-entropy, which applies {squash} again"
    elif ends and sum(as_logits) > 0.5 * len(known):
        text = f"{ends}, and a {'binary ' * (e.kind == 'binary')}cross-entropy follows, which applies {squash} again"
    if text and e.kind == "cross-entropy":
        least = math.log(math.e + e.classes - 1) - 1
        text += f"; with {e.classes} classes such a loss cannot fall below {number(least)}"
    value = f"{number(low)} to {number(high)}"
    value += f", {squash} in the loss" * (sum(as_squashed) > 0.5 * len(known))
    return _line("outputs", value, "logits, of both signs", "softmax twice", text)


def _far(e: Evidence, call: LossCall, name: str) -> float:
    """How far the loss is from what another loss would give."""
    return abs(call.loss / e.factor(call) - call.book.get(name, math.inf))


# The loop


def updates(e: Evidence) -> Verdict | None:
    """Backward without a step."""
    text = f"backward came {len(e.calls)} times, and the optimizer's step() never" if not e.steps else ""
    text = text if len(e.calls) >= STEPS else ""
    return _line("updates", str(e.steps), "one for each backward, or for a few", "no update", text)


def gradients_cleared(e: Evidence) -> Verdict | None:
    later = [look for look in e.looks if look.index > 0]
    if not later:
        return None
    stale = sum(look.stale > 0 for look in later)
    seen = f"in {stale} of {len(later)} updates"
    text = f"{seen} looked at, backward() added to gradients that the update before had already used"
    return _line(
        "old gradients in .grad", seen, "none", "gradients not cleared", text if stale >= SOME * len(later) else ""
    )


def gradients_there(e: Evidence) -> Verdict | None:
    emptied = sum(look.emptied for look in e.looks)
    if not emptied or emptied < SOME * len(e.looks):
        return None
    seen = f"gone in {emptied} of {len(e.looks)} updates"
    text = f"{seen} looked at: backward() gave gradients, and step() found none"
    return _line("gradients at the update", seen, "there", "gradients cleared too soon", text)


def mode(e: Evidence) -> Verdict | None:
    """Updates in eval mode, measurements in train mode: only for models to which it matters."""
    if not e.seen.mode_matters:
        return None
    wrong = sum(update.evaluation > 0 and not update.train for update in e.seen.updates)
    unused = sum(call.train_mode and not call.used and math.isfinite(call.loss) for call in e.seen.calls)
    measured = e.seen.measured_in_train_mode + unused
    found = [f"{wrong} of {e.steps} updates were made in eval mode"] * bool(wrong)
    found += [f"{measured} forward passes that nothing was learned from were made in train mode"] * bool(measured)
    which = [f"{name} ({type(module).__name__})" for name, module in e.seen.mode_matters.items()]
    text = f"{', and '.join(found)}; it matters for {_some(which)}" if found else ""
    value = f"{wrong} updates in eval, {measured} measured in train" if found else "train, for updates"
    return _line("mode", value, "train to update, eval to measure", "wrong mode", text)


def parameters_held(e: Evidence) -> Verdict | None:
    """What the optimizer does not hold, what no gradient reaches, and what is frozen in a run that learns nothing."""
    if not e.steps:
        return None
    ours = [name for name in e.seen.parameters if name not in e.seen.foreign] or list(e.seen.parameters)
    left = e.seen.left_out()
    wanting = [name for name in ours if name not in left and name not in e.seen.frozen]
    without = [name for name in wanting if not any(name in look.gradients for look in e.looks)]
    without = without if len(e.looks) > 1 else []
    found = []
    if left:
        found.append(f"the optimizer does not hold {_some(left)}, and nothing changed them")
        found += [f"it holds {len(e.seen.foreign)} that this model does not have"] * bool(e.seen.foreign)
    if without:
        found.append(f"no gradient ever reached {_some(without)}")
    if e.seen.frozen and not found and unlearned(e):
        found.append(f"{_some(e.seen.frozen)}: frozen (requires_grad is False), and the loss does not fall")
    value = f"{len(wanting) - len(without)} of {len(ours)} trained"
    value += f", {len(e.seen.frozen)} frozen" if e.seen.frozen else ""
    return _line("parameters", value, "all but what you froze", "parameters left out", "; ".join(found))


def shuffled(e: Evidence) -> Verdict | None:
    """Labels against batches, by chi-squared: in shuffled batches each class turns up as often as its share says."""
    if not e.kinds or (not e.kind and e.labels[0].is_floating_point()):  # rewards, say, which change with the model
        return None
    total, kinds = sum(map(len, e.kinds)), max(int(labels.max()) for labels in e.kinds) + 1
    if kinds == 1:
        alone = e.kind == "cross-entropy" and total >= ALONE
        text = f"all {total} labels seen are of one class, of {e.classes}" if alone else ""
        return _line("labels in a batch", "one class only", "several classes", "not shuffled", text)
    if len(e.blocks) < 2:
        return None
    counts = torch.stack([torch.bincount(block, minlength=kinds) for block in e.blocks]).double()
    counts = counts[:, counts.sum(0) > 0]
    size, share = counts.sum(1, keepdim=True), counts.sum(0) / counts.sum()
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    if not freedom:
        return None
    unevenness = ((counts - size * share) ** 2 / (size * share)).sum().item() / freedom
    sure = (unevenness - 1) * math.sqrt(freedom / 2)
    distinct, expected = (counts > 0).sum(1).double().mean().item(), (1 - (1 - share) ** size).sum(1).mean().item()
    again = ", same order in each pass" * e.same_order
    what = "labels" if e.are_classes else "quarters of the targets"
    text = (
        f"{size.mean():.0f} examples in a row hold {distinct:.1f} different {what}, shuffled they would hold "
        f"{expected:.1f} (unevenness {unevenness:.1f}, where chance gives 1){again}"
    )
    uneven = unevenness > max(BLOCKS, BLOCKS_SHARE * size.mean().item()) and sure > BLOCKS_SURE
    value = f"{distinct:.1f} different{again}"
    return _line("labels in a batch", value, f"about {expected:.1f}", "not shuffled", text if uneven else "")


# The start


def units_differ(e: Evidence) -> Verdict | None:
    """Weights that begin all equal, and stay so: the units of the layer all get the same gradient."""
    if len(e.looks) < 4 or not e.looks[0].spread:
        return None
    first, last = e.looks[0].spread, e.looks[-1].spread
    equal = [name for name, differs in first.items() if differs < 1e-6 and last.get(name, 1.0) < EQUAL]
    text = f"the units of {_some(equal)} began with equal weights and stayed alike, so that they are one unit"
    value = f"by {number(min(last.values(), default=1.0))} or more"
    return _line("units of a layer differ", value, "about 1", "equal weights", text if equal else "")


def inputs(e: Evidence) -> Verdict | None:
    known = [look.inputs for look in (*e.looks, e.seen.look) if look.inputs]
    if not known:
        return None
    mean, size = (statistics.median(row[name] for row in known) for name in ("mean", "size"))
    largest = max(row["largest"] for row in known)
    text = ""
    if not all(math.isfinite(row["size"]) for row in known):
        text = "some inputs are no finite numbers"
    elif size > INPUT_LARGE:
        text = f"what reaches the first layer has mean {number(mean)} and root mean square {number(size)}"
    elif largest < INPUT_SMALL:
        text = f"what reaches the first layer is at most {number(largest)}"
    return _line("inputs", f"mean {number(mean)}, size {number(size)}", "size about 1", "inputs not normalised", text)


def exploding(e: Evidence) -> Verdict | None:
    flow = e.flow(e.looks[0]) if e.looks else None
    if flow is None:
        return None
    text = f"in the first update the gradient is {number(flow)} times as large at the first layer as at the last"
    text = text if math.isfinite(flow) else "in the first update the gradient is no finite number"
    return _line(
        "first/last gradient, start", number(flow), "0.001 to 1000", "exploding gradients", "" if flow < DELTA else text
    )


def start(e: Evidence) -> Verdict | None:
    if e.even is None or not e.losses or not math.isfinite(e.start):
        return None
    if e.kind == "squared":
        squares = torch.cat(e.labels).double().square().mean().item()
        limit = START_SQUARED * max(squares, e.even)
        healthy, against = f"below {number(limit)}", f"the targets' mean square is {number(squares)}"
    else:
        noise = START_NOISE / math.sqrt(max(1, len(e.labels[0]) if e.labels else 1))
        limit = e.even + max(START_LEAST, (START - 1) * e.even) + noise
        healthy = f"log {e.classes} = {number(e.even)}, up to {number(limit)}"
        against = f"an even guess costs {number(e.even)}"
    text = f"the first loss is {number(e.start)}, and {against}" if e.start > limit else ""
    return _line("loss at the start", number(e.start), healthy, "loss at start", text)


# The course


def unlearned(e: Evidence) -> bool:
    """There was something to learn, enough updates were made, and the loss did not come down."""
    return e.to_learn and e.steps >= STEPS and e.end > (1 - FALLS) * e.begin


def rate_high(e: Evidence) -> Verdict | None:
    if not e.losses:
        return Measured("loss", "not seen: wrap it, watched.loss(loss)", "falls"), None
    peak, steady = max(filter(math.isfinite, e.losses), default=math.nan), max(e.steady)
    may_rise = not e.kind or (e.kind == "binary" and e.entropy == 0)  # unknown losses; one side of a GAN
    text = ""
    if not e.finite:
        first = next(index for index, loss in enumerate(e.losses) if not math.isfinite(loss))
        text = f"the loss of update {first} is no finite number" if first else ""
    elif peak > BURST * e.high > 0 and e.end > e.high:
        text = f"the loss rose from {number(e.start)} to {number(peak)} in {e.steps} updates"
    elif len(e.losses) < STEPS or may_rise:
        pass
    elif e.end > RISES * e.high:
        text = f"the loss rose from {number(e.start)} to {number(e.end)}"
    elif steady > PEAK * e.high and e.end > 0.5 * e.high:
        text = f"the loss jumped from {number(e.start)} to {number(steady)}, and ends at {number(e.end)}"
    elif e.jump > JUMP and e.end > NO_FALL * e.high:
        text = f"an update changed the weights by {e.jump:.0%} of their size, and the loss does not fall"
    elif e.jump > JUMP and (lost := _lost(e)):
        text = f"an update changed the weights by {e.jump:.0%} of their size, and {lost}, which were not so at first"
    text += f", at a learning rate of {number(e.lr)}" if text else ""
    value = f"{number(e.end)} at the end, {number(peak)} at most"
    return _line("loss", value, "falls", "learning rate too high", text)


def _flat(e: Evidence) -> dict[str, str]:
    return {
        layer: f"{share:.0%} of the outputs behind {layer}" for layer, share in e.flat(e.late).items() if share > FLAT
    }


def _dead(e: Evidence, *, end: bool) -> dict[str, str]:
    return {
        layer: f"{share:.0%} of the {units} units behind {layer}"
        for layer, (share, units) in e.dead(e.window(end=end)).items()
        if share == 1 or (share > DEAD and units >= DEAD_UNITS)
    }


def _lost(e: Evidence) -> str:
    """Units that are dead or saturated now, and were not when the run began."""
    dead, flat, begun = _dead(e, end=True), _flat(e), e.flat(e.looks[:1])
    found = [f"{text} are dead" for layer, text in dead.items() if layer not in _dead(e, end=False)]
    found += [f"{text} are saturated" for layer, text in flat.items() if begun.get(layer, 1.0) < FLAT]
    return _some(found)


def flat(e: Evidence) -> Verdict | None:
    shares = e.flat(e.late)
    if not any(shares.values()):
        return None
    worst = _some(list(_flat(e).values()))
    text = f"{worst} lie at the ends of their range, where the slope is nearly 0" if worst else ""
    value = f"{max(shares.values()):.0%} of a layer"
    return _line("saturated outputs", value, f"below {FLAT:.0%}", "saturated units", text)


def vanishing(e: Evidence) -> Verdict | None:
    flows = [
        flow for look in e.late if (flow := e.flow(look))
    ]  # not 0: that is not vanished, but blocked by dead units
    if not flows or e.steps < STEPS:
        return None
    flow = statistics.median(flows)
    text = f"the gradient is {number(flow)} times as large at the first layer as at the last"
    return _line(
        "first/last gradient, later",
        number(flow),
        "0.001 to 1000",
        "vanishing gradients",
        text if flow < 1 / DELTA else "",
    )


def dead(e: Evidence) -> Verdict | None:
    shares = e.dead(e.window(end=True))
    if not shares:
        return None
    worst = _dead(e, end=True)
    first = ", from the start" * bool(set(worst) & set(_dead(e, end=False)))
    text = f"{_some(list(worst.values()))} are 0 for every example{first}" if worst else ""
    value = f"{max(share for share, _ in shares.values()):.0%} of a layer"
    return _line("dead units", value, f"below {DEAD:.0%}", "dead units", text)


def rate_low(e: Evidence) -> Verdict | None:
    if not e.ratios:
        return None
    most = max(e.ratios)
    stays = unlearned(e) or (most * e.steps < STAYS and e.end > 0.5 * e.begin)  # noise may look like learning
    crawls = e.to_learn and e.steps >= STEPS and most < CRAWL and stays
    text = (
        f"the loss went from {number(e.begin)} to {number(e.end)} in {e.steps} updates, of which none changed the "
        f"weights by more than {number(most)} of their size, at a learning rate of {number(e.lr)}"
    )
    value = f"{number(statistics.median(e.ratios))}, {number(most)} at most"
    return _line("update / weight", value, "0.0001 to 0.1", "learning rate too low", text if crawls else "")


def learned(e: Evidence) -> Verdict | None:
    """What is left when all looks right: the inputs say nothing about the labels, or nothing was understood yet."""
    if e.entropy is None or not e.finite or not e.ratios:
        return None
    far = e.steps >= STEPS_LONG and statistics.median(e.ratios) * e.steps > TRAVEL
    none = far and min(e.begin, RISES * e.high) > 0.9 * e.entropy and e.end > 0.97 * e.entropy
    text = (
        f"after {e.steps} updates the loss is {number(e.end)}; knowing how frequent each label is, and nothing of the "
        f"inputs, one has {number(e.entropy)}"
    )
    value = f"loss {number(e.end)} at the end"
    healthy = f"below {number(e.entropy)}, the loss without inputs"
    return _line("learned", value, healthy, "nothing learned", text if none else "")


# In the order of CAUSES: what comes first brings about what comes after.
JUDGES: tuple[Callable[[Evidence], Verdict | None], ...] = (
    labels_fit,
    updates,
    outputs_are_logits,
    gradients_cleared,
    gradients_there,
    mode,
    parameters_held,
    shuffled,
    units_differ,
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
    if not {finding.cause for _, finding in verdicts if finding} & (_START | _UNITS | _COURSE):
        verdicts = [_excused(*verdict) for verdict in verdicts]
    findings: list[Finding] = []
    for _, finding in verdicts:
        if finding:
            before = (earlier.cause for earlier in findings if finding.cause in FOLLOWS[earlier.cause])
            findings.append(replace(finding, follows=next(before, None)))
    return tuple(findings), tuple(measured for measured, _ in verdicts)


def _excused(measured: Measured, finding: Finding | None) -> Verdict:
    """Inputs of another size that did no harm are no fault: a norm may follow."""
    if finding is None or finding.cause != "inputs not normalised":
        return measured, finding
    return replace(measured, ok=True), None
