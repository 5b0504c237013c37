"""15.pgd: many steps in L2, each followed by the exact projection onto what is allowed."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch15.shared import CRASHES, WHERE, Mistakes, draw_network, in_another_form, logits, size, slope_at
from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject

HALVINGS = 60


def pgd(x, labels, start, eps, step, steps, w1, b1, w2, b2):
    def length(change):
        return change.square().sum(dim=1, keepdim=True).sqrt()

    def project(change):
        low, high = torch.zeros_like(length(change)), torch.ones_like(length(change))
        for _ in range(40):
            scale = (low + high) / 2
            fits = length((scale * change).clamp(-x, 1 - x)) <= eps
            low, high = scale.where(fits, low), high.where(fits, scale)
        return torch.where(length(change.clamp(-x, 1 - x)) <= eps, change, low * change).clamp(-x, 1 - x)

    x_adv = start
    for _ in range(steps):
        x_adv = x_adv.detach().requires_grad_()
        scores = torch.tanh(x_adv @ w1.T + b1) @ w2.T + b2
        (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(scores, labels), x_adv)
        x_adv = x + project(x_adv.detach() + step * slope / length(slope) - x)
    return x_adv


def _length(change: Tensor) -> Tensor:
    return change.square().sum(1, keepdim=True).sqrt()


def project(change: Tensor, low: Tensor, high: Tensor, eps: float) -> Tensor:
    """The exact projection of changes onto the ball of radius eps and the box from low to high, which holds 0."""
    return (change * scale_of(change, low, high, eps)).clamp(low, high)


def scale_of(change: Tensor, low: Tensor, high: Tensor, eps: float) -> Tensor:
    """(batch, 1): the largest scale up to 1 at which a clamped change has a length of at most eps.

    A growing scale brings one pixel after the other to its end, where it stands while the others go on.
    """
    sizes, ends = change.abs(), torch.where(change > 0, high, -low)
    arrivals, order = torch.where(sizes > 0, ends / sizes, torch.inf).sort(1)  # the scale at which each is there
    moving = sizes.square().gather(1, order).flip(1).cumsum(1).flip(1)  # from each on, it and all that come later
    standing = functional.pad(ends.square().gather(1, order).cumsum(1)[:, :-1], (1, 0))  # all that came before it
    there = (standing + arrivals.square() * moving <= eps**2).sum(1, keepdim=True).clamp(max=change.shape[1] - 1)
    scale = ((eps**2 - standing.gather(1, there)) / moving.gather(1, there)).sqrt()
    return torch.where(_length(change.clamp(low, high)) <= eps, 1.0, scale)


def _common_scale(change: Tensor, x: Tensor, eps: float, length: Callable[[Tensor], Tensor]) -> Tensor:
    """The same by halving, for one length of the whole batch."""
    low, high = -x, 1 - x
    inside = length(change.clamp(low, high)) <= eps
    zero, one = torch.zeros_like(_length(change)), torch.ones_like(_length(change))
    for _ in range(HALVINGS):
        scale = (zero + one) / 2
        fits = length((scale * change).clamp(low, high)) <= eps
        zero, one = scale.where(fits, zero), one.where(fits, scale)
    return torch.where(inside, 1.0, zero)


def _ball(change: Tensor, eps: float) -> Tensor:
    return change * (eps / _length(change).clamp(min=1e-300)).clamp(max=1)


PROJECTIONS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {  # of a change, around x
    "exact": lambda change, x, eps: project(change, -x, 1 - x, eps),
    "ball, then box": lambda change, x, eps: _ball(change, eps).clamp(-x, 1 - x),
    "box, then ball": lambda change, x, eps: _ball(change.clamp(-x, 1 - x), eps),
    "ball": lambda change, x, eps: _ball(change, eps),
    "box": lambda change, x, eps: change.clamp(-x, 1 - x),
    "none": lambda change, x, eps: change,
    "rim": lambda change, x, eps: project(change * 1e6 / _length(change), -x, 1 - x, eps),
    "rim of the ball": lambda change, x, eps: (eps * change / _length(change)).clamp(-x, 1 - x),
    "whole batch": lambda change, x, eps: (
        change * (eps / change.square().sum().sqrt().clamp(min=1e-300)).clamp(max=1)
    ).clamp(-x, 1 - x),
    "one scale": lambda change, x, eps: (
        change * _common_scale(change, x, eps, lambda rows: rows.square().sum().sqrt())
    ).clamp(-x, 1 - x),
    "scale of the longest": lambda change, x, eps: (
        change * _common_scale(change, x, eps, lambda rows: _length(rows).max())
    ).clamp(-x, 1 - x),
    "upper end": lambda change, x, eps: project(change, torch.full_like(x, -torch.inf), 1 - x, eps),
    "lower end": lambda change, x, eps: project(change, -x, torch.full_like(x, torch.inf), eps),
    "linf": lambda change, x, eps: change.clamp(-eps, eps).clamp(-x, 1 - x),
    "l1": lambda change, x, eps: (change * (eps / change.abs().sum(1, keepdim=True)).clamp(max=1)).clamp(-x, 1 - x),
    "squared": lambda change, x, eps: (change * (eps / change.square().sum(1, keepdim=True)).clamp(max=1)).clamp(
        -x, 1 - x
    ),
    "change in the box": lambda change, x, eps: _ball(change, eps).clamp(0, 1),
}


def _pgd(
    x: Tensor,
    labels: Tensor,
    start: Tensor,
    eps: float,
    step: float,
    steps: int,
    *weights: Tensor,
    projection: str = "exact",
    around: str = "x",
    when: str = "after",
    way: str = "unit",
    at: str = "x_adv",
    begin: str = "start",
    count: str = "steps",
    loss: str = "label",
    pace: str = "step",
    back: str = "x_adv",
) -> Tensor:
    """The attack with some of the faults, in float64."""
    dtype = x.dtype
    x, start, *weights = (each.double() for each in (x, start, *weights))

    def raised(x: Tensor) -> Tensor:
        scores = logits(x, *weights)
        if loss == "own logit":
            return -scores.gather(1, labels[:, None])[:, 0]
        if loss == "twice":
            scores = scores.softmax(1)
        answer = scores.argmax(1) if loss == "answer" else labels
        return functional.cross_entropy(scores, answer, reduction="none")

    def direction(slope: Tensor) -> Tensor:
        return {
            "unit": lambda: slope / _length(slope),
            "down": lambda: -slope / _length(slope),
            "slope": lambda: slope,
            "mean": lambda: slope / len(x),
            "sign": lambda: slope.sign(),
            "whole batch": lambda: slope / slope.square().sum().sqrt(),
            "columns": lambda: slope / slope.square().sum(0, keepdim=True).sqrt(),
            "squared": lambda: slope / slope.square().sum(1, keepdim=True),
            "largest": lambda: slope / slope.abs().amax(1, keepdim=True),
            "l1": lambda: slope / slope.abs().sum(1, keepdim=True),
            "pixel": lambda: torch.zeros_like(slope).scatter(
                1, slope.abs().argmax(1, keepdim=True), slope.sign().gather(1, slope.abs().argmax(1, keepdim=True))
            ),
        }[way]()

    reach = {"step": step, "eps": eps, "eps over steps": eps / max(steps, 1), "shrinking": step, "twice": 2 * step}[
        pace
    ]
    onto = PROJECTIONS[projection]
    x_adv = {"start": start, "x": x, "x + start": x + start}[begin]
    total = torch.zeros_like(x)
    best = x_adv
    for n in range({"steps": steps, "one more": steps + 1, "one less": steps - 1, "one": min(steps, 1)}[count]):
        slope = slope_at(raised, {"x_adv": x_adv, "x": x, "start": start}[at])
        total = total + slope
        if back == "summed slopes":
            slope = total
        if when == "before":
            x_adv = x + onto(x_adv - x, x, eps)
        pushed = x_adv + (reach / (n + 1) if pace == "shrinking" else reach) * direction(slope)
        if when == "after":
            centre = {"x": x, "last": x_adv, "start": start, "0": torch.zeros_like(x)}[around]
            if around == "x":
                pushed = x + onto(pushed - x, x, eps)
            elif projection == "exact":
                pushed = centre + project(pushed - centre, -centre, 1 - centre, eps)
            else:
                pushed = (centre + _ball(pushed - centre, eps)).clamp(0, 1)
        x_adv = pushed
        if back == "best so far":
            best = x_adv.where(raised(x_adv)[:, None] > raised(best)[:, None], best)
        elif back == "best after a step":
            best = x_adv.where((raised(x_adv)[:, None] > raised(best)[:, None]) | (n == 0), best)
        elif back == "best of the batch" and (n == 0 or raised(x_adv).sum() > raised(best).sum()):
            best = x_adv
    if back.startswith("best"):
        x_adv = best
    if when == "at the end":
        x_adv = x + onto(x_adv - x, x, eps)
    if back == "change":
        x_adv = x_adv - x
    return x_adv.to(dtype)


ALLOWED = (
    "allowed, but not the *nearest* allowed point: what the clamp takes from one pixel could be spent on others. "
    "Shrink and clamp belong together: clamp(scale * change, -x, 1 - x), with the largest scale that fits."
)
AROUND = "The ball is around x, the picture as it was, and stays there for all steps."
OUTSIDE = "The box is missing: pixels are below 0 or above 1."
LONG = "The ball is missing, or it is not around x: a change from x is longer than eps."
UNIT = "The slope is to be brought to length 1 in L2, for each example by itself."
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        f"The last point was taken for the middle of the ball, so that the attack walks away from x as far as it "
        f"likes. {AROUND}",
        ({"around": "last"}, {"around": "last", "projection": "ball, then box"}),
    ),
    (
        f"The ball is around `start` here. {AROUND}",
        ({"around": "start"}, {"around": "start", "projection": "ball, then box"}),
    ),
    (
        f"x_adv itself was shortened, as if the ball were around 0. {AROUND}",
        ({"around": "0", "projection": "ball, then box"},),
    ),
    (
        "The projection comes *before* the step, so the last point may lie outside: first step, then back.",
        ({"when": "before"}, {"when": "before", "projection": "ball, then box"}),
    ),
    (
        "It is projected once, at the end: each step starts from an allowed point, so project after each.",
        ({"when": "at the end"}, {"when": "at the end", "projection": "ball, then box"}),
    ),
    (f"First into the ball, then a clamp into the box: that is {ALLOWED}", ({"projection": "ball, then box"},)),
    (f"First a clamp into the box, then into the ball: that is {ALLOWED}", ({"projection": "box, then ball"},)),
    (f"{OUTSIDE} Both ends of it are: -x below and 1 - x above.", ({"projection": "ball"},)),
    (
        f"{OUTSIDE} Only one of its ends is there: a change may go from -x up to 1 - x, clamp(scale * change, -x, 1 - "
        "x).",
        ({"projection": "upper end"}, {"projection": "lower end"}),
    ),
    (
        "There is one scale for the whole batch: each example has a ball, and so a scale, of its own. Lengths are "
        "sums over dim=1 with keepdim=True, `low` and `high` have the shape (batch, 1), and torch.where chooses for "
        "each row.",
        ({"projection": "one scale"}, {"projection": "scale of the longest"}),
    ),
    ("The ball is missing: changes are longer than eps.", ({"projection": "box"}, {"projection": "none"})),
    (
        "Points inside the ball were pushed out to its rim: whoever is inside stays as he is, and only the scale 1 "
        "fits.",
        ({"projection": "rim"}, {"projection": "rim of the ball"}),
    ),
    (
        "The projection measured one length for the whole batch: each example has a ball of its own: sum over dim=1.",
        ({"projection": "whole batch"},),
    ),
    (
        "Each pixel was clamped to x - eps, x + eps: that is the ball of Linf. In L2 the *length* is bounded.",
        ({"projection": "linf"}, {"projection": "linf", "way": "sign"}),
    ),
    ("The change was measured by the sum of its sizes: that is L1.", ({"projection": "l1"},)),
    ("The change was measured by its *squared* length: the root is missing.", ({"projection": "squared"},)),
    (
        "The *change* was clamped to [0, 1]: the picture is to stay there, so the change in [-x, 1 - x].",
        ({"projection": "change in the box"},),
    ),
    (f"The slope was added as it is, times step. {UNIT}", ({"way": "slope"}, {"way": "mean"})),
    (f"The sign of the slope was taken: that is the steepest step in Linf. {UNIT}", ({"way": "sign"},)),
    (f"One length was taken over the whole batch. {UNIT}", ({"way": "whole batch"},)),
    (f"The length was taken over the batch, dim=0. {UNIT}", ({"way": "columns"},)),
    (f"The slope was divided by its *squared* length. {UNIT}", ({"way": "squared"},)),
    (
        f"The slope was divided by its largest size, or by the sum of its sizes. {UNIT}",
        ({"way": "largest"}, {"way": "l1"}, {"way": "pixel"}),
    ),
    (
        "The steps go down: they lower the loss of the label, and make the network surer.",
        ({"way": "down"},),
    ),
    (
        "The slope was asked for once, and kept: the network bends, so ask anew at every point that you reach.",
        ({"at": "x"}, {"at": "start"}),
    ),
    (
        "The slopes of earlier points were still there: backward *adds* to .grad. Clear it, or take "
        "torch.autograd.grad.",
        ({"back": "summed slopes"},),
    ),
    ("`start` was ignored: the first step begins there, not at x.", ({"begin": "x"},)),
    ("`start` is a point, not a change: x was added to it once more.", ({"begin": "x + start"},)),
    (
        "The point with the highest loss came back: asked is the *last* one.",
        ({"back": "best so far"}, {"back": "best after a step"}, {"back": "best of the batch"}),
    ),
    ("One step too many.", ({"count": "one more"},)),
    ("One step too few.", ({"count": "one less"},)),
    (
        "Only one step was taken: is the `return` inside the loop, or does each step begin at `start`?",
        ({"count": "one"},),
    ),
    (
        "A step is `step` long: eps is the size of the ball.",
        ({"pace": "eps"}, {"pace": "eps over steps"}),
    ),
    ("A step is `step` long, and every step is.", ({"pace": "shrinking"}, {"pace": "twice"})),
    (
        "This raises the loss of the network's own answer, which leads back once it is wrong: the loss is that of the "
        "label.",
        ({"loss": "answer"},),
    ),
    ("This lowers the label's logit alone: the cross-entropy is to be raised.", ({"loss": "own logit"},)),
    ("A softmax was taken twice: cross_entropy takes the logits as they are.", ({"loss": "twice"},)),
    ("The change alone came back: x_adv is the picture with it.", ({"back": "change"},)),
)


def _near(got: Any, value: Tensor) -> bool:
    """The same but for the rounding of several steps."""
    return (
        isinstance(got, Tensor)
        and got.dtype == value.dtype
        and got.shape == value.shape
        and torch.allclose(got, value, rtol=0, atol=slack_of(value.dtype))
    )


def _program(faults: dict[str, Any]) -> Callable[..., bool]:
    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        if not _alike(got, wanted):  # the program need not run
            return False
        value = _pgd(*args, **faults)
        return not _near(value, wanted) and _near(got, value)

    return fits


def _alike(got: Any, wanted: Tensor) -> bool:
    return isinstance(got, Tensor) and got.shape == wanted.shape and got.dtype == wanted.dtype


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _program(faults)) for reason, several in MISTAKES for faults in several),
    Suspect("Nothing has moved: this is `start`.", lambda got, wanted, x, labels, start, *args: _near(got, start)),
    Suspect("Nothing has moved: this is x.", lambda got, wanted, x, *args: _near(got, x)),
    Suspect(
        "x_adv is a tensor of the shape of x, and nothing else comes back: the last point.",
        lambda got, wanted, *args: type(got) in (tuple, list),
    ),
    Suspect(
        "Nearly right, to a few thousandths: so it looks where the halving ends too early. 30 halvings are enough. "
        "(Or something on the way is rounded.)",
        lambda got, wanted, *args: _alike(got, wanted) and bool((got - wanted).abs().max() < 0.005),
    ),
    Suspect(
        "Pixels are below 0 or above 1. Either the box is missing, for a change may go from -x up to 1 - x: "
        "clamp(scale * change, -x, 1 - x). Or the change was not added to x again before the next step.",
        lambda got, wanted, *args: _alike(got, wanted) and bool(((got < -1e-4) | (got > 1 + 1e-4)).any()),
    ),
    Suspect(
        LONG,
        lambda got, wanted, x, labels, start, eps, *args: (
            _alike(got, wanted) and bool((_length(got - x) > eps + 1e-3).any())
        ),
    ),
)
OF_A_BATCH = (
    (
        "Boolean value of Tensor with more than one value",
        "An `if` was given a truth for each example at once. Keep a low and a high for each, of shape (batch, 1), and "
        "choose between them with torch.where(fits, scale, low).",
    ),
    (
        "must match the size",
        "Two shapes do not fit. A length for each example is (batch, 1), with keepdim=True, and so are its scale, low "
        "and high; the number of examples is len(x), not the same in every call.",
    ),
)
STEPS = (
    "Each step alone is right, and several in a row are not. Does each begin where the last one ended, with a slope "
    "asked for there?"
)
BATCH = (
    "Each example alone is right, and together they are not: a length or a scale is taken over the whole batch. Each "
    "example has its own: sums over dim=1 with keepdim=True, and torch.where for `low` and `high`."
)


def slack_of(dtype: torch.dtype) -> float:
    """Rounding, and some twenty halvings or more."""
    return 1e-4 if dtype == torch.float32 else 1e-6


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("15.pgd", "pgd", subject, SUSPECTS, (*OF_A_BATCH, *CRASHES))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(9))):
        _compare(ask, args)
    return f"right on {ask.asked} attacks: never out of the ball, never out of the box, and nearest to where it went."


def _compare(ask: Examiner, args: tuple[Any, ...]) -> None:
    """Where no suspect fits: is one example wrong, in one step? Its numbers can be followed by hand."""
    wanted, slack = _pgd(*args), slack_of(args[0].dtype)
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=Later(show, wanted))
    if _near(got, wanted):
        return
    named = next((suspect for suspect in SUSPECTS if suspect.fits(got, wanted, *args)), None)
    if _alike(got, wanted) and not named:
        wrong = int((~((got - wanted).abs() <= slack)).any(1).nonzero()[0])
        x, labels, start, eps, step, steps, *weights = args
        one = tuple(rows[wrong : wrong + 1] for rows in (x, labels, start))
        for short in _steps(one, eps, step, steps, weights):
            reason, right = by_hand(short), _pgd(*short)
            small = ask.written(short)
            came = ask.ask(lambda short=short: ask.subject.call(*short), called=small, wanted=Later(show, right))
            ask.compare(came, right, short, called=small, generic=reason, suspects=(), slack=slack)
        alone = (*one, eps, step, steps, *weights)
        ask.value(alone, _pgd(*alone), generic=STEPS, slack=slack)
    ask.compare(got, wanted, args, called=called, generic=BATCH, suspects=[named] if named else [], slack=slack)


def _steps(one: tuple[Tensor, ...], eps: float, step: float, steps: int, weights: list[Tensor]) -> Iterator[Any]:
    """The attack on one example as `steps` attacks of one step, each from where the last one ended."""
    x, labels, start = one
    for n in range(steps):
        at = _pgd(x, labels, start, eps, step, n, *weights) if n else start
        yield x, labels, at, eps, step, 1, *weights


def by_hand(args: tuple[Any, ...]) -> str:
    """One step of one example in numbers."""
    labels = args[1]
    x, _, start, eps, step, _, *weights = (a.double() if isinstance(a, Tensor) else a for a in args)
    slope = slope_at(lambda at: functional.cross_entropy(logits(at, *weights), labels, reduction="none"), start)
    unit = slope / _length(slope)
    change = start + step * unit - x
    inside = _length(change.clamp(-x, 1 - x)).item()
    scale = scale_of(change, -x, 1 - x, eps).item()
    fits = (
        f"no longer than eps = {eps:g}: scale = 1"
        if inside <= eps
        else f"longer than eps = {eps:g}; it is just so long at scale = {scale:.4f}"
    )

    def row(rows: Tensor) -> str:
        return str([round(number, 4) + 0.0 for number in rows[0].tolist()])

    return (
        f"One example, one step, in numbers. The slope at `start`, brought to length 1: {row(unit)}. "
        f"change = start + step * slope - x = {row(change)}. Clamped to [-x, 1 - x] it is {inside:.4f} long, {fits}. "
        f"clamp(scale * change, -x, 1 - x) = {row((scale * change).clamp(-x, 1 - x))}, and x is added to that."
    )


@cache
def cases() -> list[tuple[Any, ...]]:
    """The first shows nearly every mistake, with numbers of its own; the last, that the loss may fall again.

    By hand: one step along (0.6, 0.8). The last is a bump between 0.375 and 0.625, over which the steps jump.
    """
    by_hand = (
        torch.tensor([[0.5, 0.5], [0.5, 0.7]]),
        torch.tensor([0, 0]),
        torch.tensor([[0.5, 0.5], [0.5, 0.7]]),
        0.5,
        1.0,
        1,
        torch.tensor([[3.0, 4.0]]),
        torch.tensor([-4.0]),
        torch.tensor([[0.0], [0.5]]),
        torch.zeros(2),
    )
    jumps = (
        torch.tensor([[0.5], [0.5]]),
        torch.tensor([0, 0]),
        torch.tensor([[0.3125], [0.34375]]),
        0.25,
        0.3125,
        2,
        torch.tensor([[8.0], [8.0]]),
        torch.tensor([-3.0, -5.0]),
        torch.tensor([[0.0, 0.0], [1.0, -1.0]]),
        torch.zeros(2),
    )
    return [draw(torch.Generator().manual_seed(1), 0, large=True), by_hand, jumps]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Again, while a slope is nearly 0, where its direction is mostly rounding."""
    while True:
        features, classes = (3, 3) if large else (size(generator, 1, 5), size(generator, 2, 4))
        batch, hidden = 4 if large else size(generator, 1, 5), 3 if large else size(generator, 1, 4)
        x = torch.randint(0, 17, (batch, features), generator=generator) / 16
        labels = torch.randint(classes, (batch,), generator=generator)
        weights = draw_network(generator, features, hidden, classes)
        eps, step = size(generator, 2, 8) / 16, size(generator, 1, 6) / 16
        steps = 3 if large else size(generator, 1, 5)
        arrow = torch.randint(-8, 9, (batch, features), generator=generator) / 16
        start = (x + arrow * (eps / _length(arrow).clamp(min=eps))).clamp(0, 1)
        if _least_slope(x, labels, start, eps, step, steps, weights) > 0.02:
            return in_another_form((x, labels, start, eps, step, steps, *weights), round_)


def _least_slope(x: Tensor, labels: Tensor, start: Tensor, *rest: Any) -> float:
    """The length of the shortest slope on the way."""
    eps, step, steps, weights = rest
    wide = [weight.double() for weight in weights]
    on_the_way = [start.double()]
    for _ in range(steps - 1):  # one step from where the last one ended
        on_the_way.append(_pgd(x.double(), labels, on_the_way[-1], eps, step, 1, *wide))
    slope = slope_at(
        lambda points: functional.cross_entropy(logits(points, *wide), labels.repeat(steps), reduction="sum"),
        torch.cat(on_the_way),
    )
    return _length(slope).min().item()


EXERCISE = Exercise(
    id="15.pgd",
    name="pgd",
    title="Many steps, and the nearest way back",
    objectives=("15-O2",),
    difficulty=3,
    minutes=25,
    points=4,
    task="Write pgd(x, labels, start, eps, step, steps, w1, b1, w2, b2): x (batch, features) are pixels in [0, 1], "
    "start (batch, features) is an allowed point to begin at, eps bounds the L2 length of the change from x, for each "
    "example, and the logits are logits(x, w1, b1, w2, b2) = tanh(x @ w1.T + b1) @ w2.T + b2. In each of `steps` steps "
    "go `step` along the slope of the label's cross-entropy, brought to length 1 for each example, and then to the "
    "nearest allowed point: x + clamp(scale * change, -x, 1 - x), where change = x_adv - x, and scale is 1 if its "
    "result has a length of at most eps, else the scale between 0 and 1 whose result has the length eps. Return the "
    "last x_adv.",
    ranges="1 to 5 examples, 1 to 5 features, 2 to 4 classes, 1 to 4 hidden units, 1 to 5 steps; pixels from 0 to 1, "
    "some of them just there; eps from 1/8 to 1/2, step from 1/16 to 3/8; no slope is shorter than 0.01; numbers right "
    "to 0.0001 are right; float32 and float64; tensors that are views of others",
    hints=(
        "Three things for each example by itself: a direction of length 1, a step, a way back. Write the way back as a "
        "function of its own and try it on one example: what is the length of clamp(scale * change, -x, 1 - x) as "
        "scale goes from 0 to 1?",
        "It grows with scale, so halve an interval: low = 0, high = 1; if the middle fits into the ball, low moves up "
        "to it, else high moves down. 30 halvings are plenty. Lengths are sums over dim=1, keepdim=True.",
        "fits = length((middle * change).clamp(-x, 1 - x)) <= eps; low = torch.where(fits, middle, low); high = "
        "torch.where(fits, high, middle). Begin with middle = 1, so that a change that fits stays as it is. And "
        ".detach() x_adv before each step.",
    ),
    reference=pgd,
    walkthrough="The nearest point of ball and box to x + change is x + clamp(scale * change, -x, 1 - x): pixels at "
    "the edge stay there, all others shrink alike, and the length grows with the scale, so halving finds it. Ball "
    "first and clamp later would give away what the clamp takes.",
    where=WHERE,
    check=check,
)
