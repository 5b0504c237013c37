"""08.debug: a program that learns a text and measures itself, freed of its three faults."""

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner, Suspect, matches, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, apart, show
from dlcourse.checks.subject import Subject

Learned = tuple[list[Tensor], float]
PARTS = "(weights, bits)"


def learn(train, held_out, weights, size, time, lr):
    def windows(ids, size):
        steps = (len(ids) - 1) // size
        x, y = ids[: size * steps].view(size, steps), ids[1 : size * steps + 1].view(size, steps)
        return zip(x.split(time, dim=1), y.split(time, dim=1), strict=True)

    def nats(x, y, hidden):
        """The sum over all symbols, and the state after them, cut off from what came before."""
        weight_ih, weight_hh, bias, weight_out, bias_out = weights
        total = 0.0
        for symbol, following in zip(x.unbind(1), y.unbind(1), strict=True):
            hidden = torch.tanh(weight_ih.T[symbol] + hidden @ weight_hh.T + bias)
            logits = hidden @ weight_out.T + bias_out
            total = total + torch.nn.functional.cross_entropy(logits, following, reduction="sum")
        return total, hidden.detach()

    weights = [weight.clone().requires_grad_() for weight in weights]
    hidden = weights[1].new_zeros(size, len(weights[1]))
    for x, y in windows(train, size):
        total, hidden = nats(x, y, hidden)
        slopes = torch.autograd.grad(total / x.numel(), weights)
        weights = [(w - lr * slope).detach().requires_grad_() for w, slope in zip(weights, slopes, strict=True)]
    measured, count = 0.0, 0
    hidden = weights[1].new_zeros(1, len(weights[1]))
    for x, y in windows(held_out, 1):
        total, hidden = nats(x, y, hidden)
        measured, count = measured + total.item(), count + x.numel()
    return [weight.detach() for weight in weights], measured / count / math.log(2)


def _learn(
    train: Tensor,
    held_out: Tensor,
    weights: Sequence[Tensor],
    size: int,
    time: int,
    lr: float,
    *,
    targets: str = "next",
    reading: str = "carried",
    measuring: str = "carried",
    mean: str = "symbols",
    streams: str = "rows",
    unit: float = math.log(2),
    on: str = "held out",
    short: str = "kept",
    loss: str = "mean",
    when: str = "behind",
    sign: float = 1.0,
) -> Learned:
    """The program with some of the faults, in float64."""
    dtype = weights[0].dtype
    weights = [weight.double().clone().requires_grad_() for weight in weights]

    def windows(ids: Tensor, size: int, drop: bool) -> list[tuple[Tensor, Tensor]]:
        steps = (len(ids) - 1) // size
        if targets in ("to the border", "round the text"):
            steps = len(ids) // size
        x, y = ids[: size * steps], ids[1 : size * steps + 1]
        if targets == "swapped":
            x, y = y, x
        elif targets != "next":
            rolled = {"round": x.roll(-1), "round the text": ids.roll(-1), "the other way": ids.roll(1)}
            y = rolled.get(targets, x)[: size * steps]
        if streams == "rows":
            x, y = x.reshape(size, steps), y.reshape(size, steps)
        else:  # every size-th symbol
            x, y = x.reshape(steps, size).T, y.reshape(steps, size).T
        if targets in ("to the border", "inside a stream"):
            x, y = x[:, :-1], x[:, 1:]
        if targets == "round a stream":
            y = x.roll(-1, 1)
        found = list(zip(x.split(time, dim=1), y.split(time, dim=1), strict=True))
        if targets == "round a window":
            found = [(x, x.roll(-1, 1)) for x, _ in found]
        if targets == "inside a window":
            found = [(x[:, :-1], x[:, 1:]) for x, _ in found if x.shape[1] > 1]
        return [(x, y) for x, y in found if not drop or x.shape[1] == time]

    def empty(size: int) -> Tensor:
        return torch.zeros(size, len(weights[1]), dtype=torch.float64)

    def read(x: Tensor, y: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        weight_ih, weight_hh, bias, weight_out, bias_out = weights
        logits = []
        for t in range(x.shape[1]):
            hidden = torch.tanh(weight_ih[:, x[:, t]].T + hidden @ weight_hh.T + bias)
            logits.append(hidden @ weight_out.T + bias_out)
        flat = torch.stack(logits, dim=1).flatten(0, 1)
        return functional.cross_entropy(flat, y.flatten(), reduction="none"), hidden.detach()

    def measure(hidden: Tensor) -> float:
        losses = []
        with torch.no_grad():
            rows = size if measuring == "in streams" else 1
            for x, y in windows({"held out": held_out, "train": train}[on], rows, short in ("dropped", "not measured")):
                nats, hidden = read(x, y, empty(1) if measuring == "forgotten" else hidden.expand(rows, -1))
                losses.append(nats)
        if mean == "last":
            return losses[-1].mean().item() / unit
        if mean == "times `time`":
            return sum(nats.mean().item() * time for nats in losses) / sum(map(len, losses)) / unit
        if mean == "windows":
            return torch.stack([nats.mean() for nats in losses]).mean().item() / unit
        all_nats = torch.cat(losses)
        count = {
            "symbols": len(all_nats),
            "sum": 1,
            "length": len(held_out),
            "number of windows": len(losses),
            "full windows": len(losses) * time,
        }[mean]
        return all_nats.sum().item() / count / unit

    before = measure(empty(1)) if when == "before" else 0.0
    hidden = empty(size)
    for x, y in windows(train, size, short in ("dropped", "not learned")):
        nats, hidden = read(x, y, empty(size) if reading == "forgotten" else hidden)
        slopes = torch.autograd.grad(nats.mean() if loss == "mean" else nats.sum(), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= sign * lr * slope
    bits = before if when == "before" else measure(hidden[:1] if measuring == "from training" else empty(1))
    return [weight.detach().to(dtype) for weight in weights], bits


TARGETS = (
    "The targets are the symbols that were just read: a network that repeats what it sees is right then, and that is "
    "no guess. A target is the *next* symbol of the text."
)
FORGOTTEN = (
    "{}the state begins from zeros at each window. The text goes on where the window before it ended, and so does the "
    "state: zeros at the beginning of the text only."
)
WINDOWS = (
    "The bits are the mean of the windows' means. The last window is shorter, and its symbols count for more than "
    "others: what is wanted is the mean over all symbols."
)
ROUND = (
    "roll wraps round: the last target is a symbol from the beginning, which does not come next. The last symbol of a "
    "text is only a target, and is not read."
)
BORDER = (
    "A target is missing at the end of each stream. The last symbol of a stream has one, too: the symbol that comes "
    "next in the text. Shift the text, and then cut both into streams."
)
MORE = " It is not the only fault that is left."
Faults = dict[str, Any]
# Each original fault: its keywords and values with the fault, what to say. The state was forgotten in two places.
FAULTS: tuple[tuple[Faults, str], ...] = (
    ({"targets": "same"}, TARGETS),
    ({"reading": "forgotten"}, FORGOTTEN.format("In learning, ")),
    ({"measuring": "forgotten"}, FORGOTTEN.format("In measuring, ")),
    ({"mean": "windows"}, WINDOWS),
)


def _left(broken: tuple[bool, ...]) -> tuple[str, list[Faults]]:
    """The original faults that are still there."""
    left = [fault for fault, there in zip(FAULTS, broken, strict=True) if there]
    together = {name: value for faults, _ in left for name, value in faults.items()}
    return left[0][1] + MORE * (len(left) > 1), [together]


# What to say, and the programs that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, list[Faults]], ...] = (
    *(_left(broken) for broken in product((True, False), repeat=4) if any(broken)),
    (
        "The state of the training text is carried into the held-out text, which it does not belong to: that one "
        "begins from zeros.",
        [{"measuring": "from training"}, {"measuring": "from training", "mean": "windows"}],
    ),
    (
        "The streams are cut the wrong way: each holds every size-th symbol. A stream is a stretch of the text, a row "
        "of ids.reshape(size, steps).",
        [{"streams": "columns"}],
    ),
    (
        "These are nats: bits are nats divided by log(2).",
        [{"unit": 1.0}, {"unit": 1.0, "mean": "windows"}],
    ),
    ("Multiplied by log(2): bits are nats *divided* by it.", [{"unit": 1 / math.log(2)}]),
    ("The bits are summed over the text: the mean for each symbol was meant.", [{"mean": "sum"}]),
    ("These are the bits of the last window alone.", [{"mean": "last"}]),
    (
        "The bits are those of the text that was learned from: what was learned by heart proves nothing. Measure on "
        "held_out.",
        [{"on": "train"}, {"on": "train", "mean": "windows"}],
    ),
    ("The bits were measured before learning.", [{"when": "before"}]),
    (
        "The last window of a text, which is shorter, was left out: it belongs to the text.",
        [{"short": "dropped"}],
    ),
    (
        "In learning, the last window of the text, which is shorter, was left out: it belongs to the text.",
        [{"short": "not learned"}],
    ),
    (
        "In measuring, the last window of the text, which is shorter, was left out: it belongs to the text.",
        [{"short": "not measured"}],
    ),
    (
        "The sum was divided by len(held_out). A text of 7 symbols has 6 targets, since the first symbol is none: "
        "divide by the number of targets.",
        [{"mean": "length"}],
    ),
    (
        "The sum over all symbols was divided by the number of windows: divide by the number of targets.",
        [{"mean": "number of windows"}],
    ),
    (
        "The last window was counted as if it had `time` symbols: it may be shorter, y.numel() says how many it has.",
        [{"mean": "full windows"}],
    ),
    (
        "Each window's mean was multiplied by `time`, and the last window may be shorter: multiply by its own number "
        "of symbols, y.numel().",
        [{"mean": "times `time`"}],
    ),
    (
        "The held-out text was read as `size` streams, as the training text is: it is one stream, from its first "
        "symbol to its last.",
        [{"measuring": "in streams"}],
    ),
    (
        "A target is missing at the end of each window: w[:, :-1] and w[:, 1:] of a window lose its last guess. The "
        "last symbol of a window has a target, too, the first symbol of the next window: shift the text, and then cut "
        "both.",
        [{"targets": "inside a window"}],
    ),
    (ROUND, [{"targets": where} for where in ("round", "round a stream", "round the text")]),
    (
        "The last target of each window wraps round to the window's own first symbol. It is the symbol of the text "
        "that comes next, the first of the next window: shift the text, and then cut both.",
        [{"targets": "round a window"}],
    ),
    (
        "The targets are the symbols *before* the ones that were read: the text is shifted the other way.",
        [{"targets": "swapped"}, {"targets": "the other way"}],
    ),
    (BORDER, [{"targets": "inside a stream"}, {"targets": "to the border"}]),
    (
        "The weights follow the slope of the *sum* over a window's symbols: the mean was meant.",
        [{"loss": "sum"}],
    ),
    ("The weights climb: a step goes against the slope.", [{"sign": -1.0}]),
    ("The weights did not move.", [{"sign": 0.0}]),
)


def _program(faults: Faults) -> Callable[..., bool]:
    def fits(got: Any, wanted: Learned, *args: Any) -> bool:
        if unlike(got, wanted):  # the program need not run
            return False
        try:
            return matches(got, _learn(*args, **faults))
        except (RuntimeError, IndexError):  # no window is left, where short ones are left out
            return False

    return fits


def _two(got: Any) -> bool:
    return type(got) is tuple and len(got) == 2


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _program(faults)) for reason, several in MISTAKES for faults in several),
    Suspect(
        "Two things come back: return weights, bits.",
        lambda got, wanted, *args: not _two(got) and got is not None,
    ),
    Suspect(
        "bits is a number: .item() makes one of a tensor.",
        lambda got, wanted, *args: _two(got) and isinstance(got[1], Tensor) and got[1].numel() == 1,
    ),
    Suspect(
        "The weights come back in a list, as they came in.",
        lambda got, wanted, *args: _two(got) and type(got[0]) is tuple,
    ),
    Suspect(
        "The bits are right, and the weights that came back are not the ones that they were measured with.",
        lambda got, wanted, *args: _two(got) and matches(got[1], wanted[1]),
    ),
    Suspect(
        "The weights are right, and the bits are not. Are they the sum over all targets of held_out, divided by their "
        "number and by log(2)? And does the state begin from zeros there, and go on from window to window?",
        lambda got, wanted, *args: _two(got) and matches(got[0], wanted[0]),
    ),
)
CRASHES = (
    (
        "backward through the graph a second time",
        "The state is carried on, and with it torch's record of the window before, which is used up. Cut it between "
        "windows: hidden.detach() keeps the numbers.",
    ),
    (
        "modified by an inplace operation",
        "The state is carried on with torch's record of the window before, whose weights have changed since. Cut it "
        "between windows: hidden.detach() keeps the numbers.",
    ),
    (
        "does not require grad",
        "The weights are not on torch's record: .clone().requires_grad_() puts them there, and a new tensor (w - lr * "
        "slope) needs it again.",
    ),
    (
        "leaf Variable that requires grad",
        "The weights are changed while torch records: with torch.no_grad(): around the update.",
    ),
    IN_PLACE,
    (
        "must match the size",
        "Two shapes do not fit. The state of `size` streams is (size, hidden); the held-out text is read as one "
        "stream, (1, hidden).",
    ),
    (
        "to match target batch_size",
        "There are not as many targets as guesses: is a window of y as long as that of x? Or does the state have "
        "`size` rows where one stream is read: (1, hidden) for held_out?",
    ),
    (
        "stack expects a non-empty TensorList",
        "A window without symbols was read. Where targets come from x[:, 1:] of a stream or of a window, it is a "
        "symbol shorter, and the last window may be empty: shift the text, and then cut both.",
    ),
    (
        "is shorter than argument",
        "There are not as many windows of y as of x: both need the same number of symbols. Shift the text, and then "
        "cut both into streams.",
    ),
    (
        "is invalid for input of size",
        "A reshape to another number of symbols. The targets are ids[1 : size * steps + 1]: as many as x, one symbol "
        "further on.",
    ),
    ("to have the same dtype", "The first state has float32 and the weights float64: weights[1].new_zeros(...)."),
    ("expected scalar type", "The first state has float32 and the weights float64: weights[1].new_zeros(...)."),
    ("name 'read' is not defined", "read is in a cell above this one: run it."),
)
WRONG = (
    "Go through it with a text of nine symbols, one stream and windows of four: which x and y does each window hold, "
    "with which state does it begin, and how many symbols is each loss the mean of?"
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.debug", "learn", subject, SUSPECTS, CRASHES)

    def right_for(*args: Any) -> None:
        _compare(ask, args, _learn(*args))

    for case in cases():
        right_for(*case)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(8):
        right_for(*draw(generator, round_))
    return f"right on {ask.asked} texts. Three faults found: the targets, the lost state, the mean of means."


def _compare(ask: Examiner, args: tuple[Any, ...], wanted: Learned) -> None:
    """Shows the bits, and of the weights the first that is wrong. The suspects judge all of it together."""
    called = ask.written(args)
    got = ask.ask(
        lambda: ask.subject.call(*args), called=called, wanted=f"{PARTS}, where bits is " + Later(show, wanted[1])
    )
    if unlike(got, wanted) or matches(got, wanted):
        ask.compare(got, wanted, args, called=called, generic=WRONG, names=PARTS)
        return
    came_back, right = (f"bits = {text}" for text in apart(got[1], wanted[1]))
    wrong = [n for n, pair in enumerate(zip(got[0], wanted[0], strict=True)) if not matches(*pair)]
    for n in wrong[:1]:
        one, other = apart(got[0][n], wanted[0][n])
        came_back, right = f"{came_back}; weights[{n}] = {one}", f"{right}; weights[{n}] = {other}"
    reason = next((suspect.reason for suspect in ask.suspects if suspect.fits(got, wanted, *args)), WRONG)
    ask.fail(called=called, came_back=came_back, wanted=right, reason=reason)


def cases() -> list[tuple[Any, ...]]:
    """The first is small enough to be pasted; a mistake shows on one of them, and there its numbers are its own."""
    small = torch.Generator().manual_seed(1)
    larger = torch.Generator().manual_seed(2)
    return [
        text(small, symbols=10, held_out=7, size=1, time=4, units=1, classes=3, lr=0.5),
        text(larger, symbols=24, held_out=12, size=2, time=5, units=3, classes=4, lr=0.25),
    ]


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    size, time = number(1, 4), number(1, 8)
    args = text(
        generator,
        symbols=number(6 * size, 12 * size),
        held_out=number(2, 30),
        size=size,
        time=time,
        units=number(1, 4),
        classes=number(2, 6),
        lr=number(1, 4) / 8,
    )
    if round_ % 2:
        train, held_out, weights, *rest = args
        args = train, held_out, [weight.double() / 3 for weight in weights], *rest  # float32 cannot hold a third
    return args


def text(
    generator: torch.Generator,
    *,
    symbols: int,
    held_out: int,
    size: int,
    time: int,
    units: int,
    classes: int,
    lr: float,
) -> tuple[Any, ...]:
    def eighths(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 8

    return (
        torch.randint(0, classes, (symbols,), generator=generator),
        torch.randint(0, classes, (held_out,), generator=generator),
        [eighths(units, classes), eighths(units, units), eighths(units), eighths(classes, units), eighths(classes)],
        size,
        time,
        lr,
    )


EXERCISE = Exercise(
    id="08.debug",
    name="debug_text",
    title="Find the faults of a learner of texts",
    objectives=("08-O4", "08-O5"),
    difficulty=3,
    minutes=20,
    points=3,
    task="Write learn(train, held_out, weights, size, time, lr): one pass over the text `train`, read as `size` "
    "streams side by side in windows of `time` symbols, by truncated backpropagation: after each window a "
    "step of plain gradient descent on the mean loss of its symbols. Then measure on `held_out`, read as one "
    "stream in windows of `time`. weights is a list: weight_ih (hidden, classes), weight_hh (hidden, hidden), "
    "bias (hidden,), weight_out (classes, hidden), bias_out (classes,), of a tanh RNN that reads one-hot "
    "symbols. Return (weights, bits): the new weights in a list, and the mean bits per predicted symbol of "
    "held_out, a float. weights itself stays as it was.",
    ranges="texts of 6 to 48 symbols, held-out texts of 2 to 30, 2 to 6 classes, 1 to 4 streams and units, windows of "
    "1 to 8 symbols, lr of 1/8 to 1/2, float32 and float64",
    hints=(
        "Do not read the code first: ask it. What must the bits be on coin flips, which nobody can guess? Must they "
        "depend on how long the windows are, when nothing is learned?",
        "Write down x and y of the first two windows for the text 0 1 2 3 4 5 6. Then: with which state does the "
        "second window begin, and which should it begin with? And of how many symbols is each loss the mean?",
        "y = ids[1 : size * steps + 1].reshape(size, steps); hidden = zeros before each of the two loops, and "
        "hidden.detach() from window to window; weight each window's loss by y.numel(), and divide by the number of "
        "all symbols.",
    ),
    reference=learn,
    walkthrough="Each target is one symbol further on, the state lives as long as the text and torch's record as long "
    "as a window, and the bits are summed over all symbols before they are divided. Each fault flattered or hurt the "
    "number that the program reported about itself, so only inputs with a known answer could tell.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
