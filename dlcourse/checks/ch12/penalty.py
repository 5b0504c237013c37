"""12.penalty: how far the critic's slope is from 1, between real and fake, and what this says to its weights."""

import math
from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner, Suspect, matches, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import show
from dlcourse.checks.subject import Subject


def gradient_penalty(real, fake, mix, w1, b1, w2, b2):
    x = mix * real + (1 - mix) * fake
    x = x.detach().requires_grad_()
    scores = torch.tanh(x @ w1.T + b1) @ w2 + b2
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return ((slope.norm(dim=1) - 1) ** 2).mean()


def slope_of(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor) -> Tensor:
    """The critic's slope in each point, (batch, features), worked out by hand: W1' (w2 * (1 - tanh^2))."""
    h = torch.tanh(x @ w1.T + b1)
    return (w2 * (1 - h * h)) @ w1


POINTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "between": lambda real, fake, mix: fake + mix * (real - fake),
    "swapped": lambda real, fake, mix: real + mix * (fake - real),
    "real": lambda real, fake, mix: real,
    "fake": lambda real, fake, mix: fake,
    "both": lambda real, fake, mix: torch.cat([real, fake]),
    "middle": lambda real, fake, mix: (real + fake) / 2,
    "one mix": lambda real, fake, mix: fake + mix.mean() * (real - fake),
    "flat mix": lambda real, fake, mix: fake + mix[:, 0] * (real - fake),
    "first mix": lambda real, fake, mix: fake + mix[0] * (real - fake),
    "sum": lambda real, fake, mix: fake + mix * real,
    "difference": lambda real, fake, mix: mix * real - (1 - mix) * fake,
    "other pairs": lambda real, fake, mix: fake.flip(0) + mix * (real - fake.flip(0)),
}
NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "rows": lambda slope: slope.square().sum(1).sqrt(),
    "all": lambda slope: slope.square().sum().sqrt(),
    "columns": lambda slope: slope.square().sum(0).sqrt(),
    "squared": lambda slope: slope.square().sum(1),
    "l1": lambda slope: slope.abs().sum(1),
    "largest": lambda slope: slope.abs().amax(1),
    "rms": lambda slope: slope.square().mean(1).sqrt(),
    "none": lambda slope: slope.abs(),
    "entries": lambda slope: slope,
    "signed": lambda slope: slope.sum(1),
    "of the sum": lambda slope: slope.sum(0).square().sum().sqrt(),
    "of the mean": lambda slope: slope.mean(0).square().sum().sqrt(),
}
ENDS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda norm: (norm - 1).square().mean(),
    "sum": lambda norm: (norm - 1).square().sum(),
    "no 1": lambda norm: norm.square().mean(),
    "plain": lambda norm: norm.mean(),
    "not squared": lambda norm: (norm - 1).mean(),
    "size": lambda norm: (norm - 1).abs().mean(),
    "one side": lambda norm: (norm - 1).clamp(min=0).square().mean(),
    "after the mean": lambda norm: (norm.mean() - 1).square(),
    "root": lambda norm: (norm - 1).square().mean().sqrt(),
    "plus": lambda norm: (norm + 1).square().mean(),
    "times 10": lambda norm: 10 * (norm - 1).square().mean(),
    "half": lambda norm: (norm - 1).square().mean() / 2,
    "negative": lambda norm: -(norm - 1).square().mean(),
}


def _penalty(
    real: Tensor,
    fake: Tensor,
    mix: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    *,
    point: str = "between",
    scores: str = "sum",
    by: str = "x",
    norm: str = "rows",
    end: str = "mean",
) -> Tensor:
    """The penalty with some of the faults, in the dtype that comes in."""
    x = POINTS[point](real, fake, mix)
    slope = slope_of(x, w1, b1, w2)
    if scores == "mean":
        slope = slope / len(x)
    if scores == "first":
        slope = torch.cat([slope[:1], torch.zeros_like(slope[1:])])
    if by in ("real", "fake"):  # the slope passes through the mixing, too
        slope = slope * (mix if by == "real" else 1 - mix)
    if by == "chord":
        rise = torch.tanh(real @ w1.T + b1) @ w2 - torch.tanh(fake @ w1.T + b1) @ w2
        slope = (rise / (real - fake).square().sum(1).sqrt())[:, None]
    if by == "score":
        slope = (torch.tanh(x @ w1.T + b1) @ w2 + b2)[:, None]
    if by == "sigmoid":
        d = torch.sigmoid(torch.tanh(x @ w1.T + b1) @ w2 + b2)
        slope = slope * (d * (1 - d))[:, None]
    if by == "hidden":
        slope = w2 * (1 - torch.tanh(x @ w1.T + b1).square())
    if by == "w1":
        h = torch.tanh(x @ w1.T + b1)
        slope = (w2 * (1 - h * h)).T @ x
        return ENDS[end](slope.square().sum().sqrt() if norm == "all" else NORMS["rows"](slope))
    return ENDS[end](NORMS[norm](slope))


def truth(*args: Tensor) -> Tensor:
    return _penalty(*(arg.double() for arg in args)).to(args[0].dtype)


Faults = dict[str, str]
MIXED = (
    "One number for the whole batch: the norm is taken over all slopes together. Each example has a slope of its own, "
    "(features,), and so a norm of its own: norm(dim=1)."
)
POINT = "x is mix * real + (1 - mix) * fake, a point between the two."
NO_NORM = (
    "What is compared with 1 is not the length of the slope. That is the root of the sum of its squares, over the "
    "features: norm(dim=1)."
)
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    (MIXED, ({"norm": "all"}, {"norm": "all", "end": "after the mean"})),
    (
        "The slopes of the batch were added, or averaged, before the norm: there the examples cancel. Each example "
        "has a norm of its own.",
        ({"norm": "of the sum"}, {"norm": "of the mean"}),
    ),
    (
        "The norm runs over the batch, dim=0: it belongs to an example, over its features, dim=1.",
        ({"norm": "columns"},),
    ),
    (
        "The slopes are too small by the size of the batch: the *mean* of the scores was differentiated. Their sum "
        "gives each example the slope of its own score.",
        ({"scores": "mean"},),
    ),
    (
        "Only the first example's score was differentiated, so all other slopes are 0. The sum of all scores has them "
        "all.",
        ({"scores": "first"},),
    ),
    (
        "The norm was squared: the 1 is subtracted from the norm itself, and its root is missing.",
        ({"norm": "squared"},),
    ),
    (
        f"The features were averaged: the norm is the root of the *sum* of the squares. {NO_NORM}",
        ({"norm": "rms"}, {"norm": "none"}, {"norm": "entries"}),
    ),
    (NO_NORM, ({"norm": "l1"}, {"norm": "largest"}, {"norm": "signed"})),
    (
        "The weights of the mix are swapped: x = mix * real + (1 - mix) * fake, so that mix = 1 is the real example.",
        ({"point": "swapped"},),
    ),
    (
        f"One mix for all pairs: mix has a number for each. {POINT}",
        ({"point": "one mix"}, {"point": "first mix"}),
    ),
    (
        "Each *feature* got a mix of its own, and not each pair: mix[:, 0], a squeeze or a flatten makes (batch,) of "
        "(batch, 1), which broadcasts along the features. Leave mix as it came, (batch, 1).",
        ({"point": "flat mix"},),
    ),
    (f"The slope was taken at the real examples. {POINT}", ({"point": "real"},)),
    (f"The slope was taken at the fakes. {POINT}", ({"point": "fake"},)),
    (f"The slope was taken at the real examples and at the fakes. {POINT}", ({"point": "both"},)),
    (f"The slope was taken half-way, and mix was left out. {POINT}", ({"point": "middle"},)),
    (f"That point is not between the two. {POINT}", ({"point": "sum"}, {"point": "difference"})),
    (f"Real and fake are paired in another order than they came. {POINT}", ({"point": "other pairs"},)),
    (
        "This is the slope in `real`, which is mix times as large: a small step of real moves x by mix of it. Wanted "
        "is the slope in x itself.",
        ({"by": "real"},),
    ),
    (
        "This is the slope in `fake`, which is 1 - mix times as large: a small step of fake moves x by that much. "
        "Wanted is the slope in x itself.",
        ({"by": "fake"},),
    ),
    (
        "This is the mean slope along the whole way from fake to real, a difference of two scores. Wanted is the slope "
        "at the point x, a derivative.",
        ({"by": "chord"},),
    ),
    (
        "The score itself was compared with 1: wanted is its slope in x.",
        ({"by": "score"}, {"by": "score", "norm": "signed"}, {"by": "score", "norm": "all"}),
    ),
    (
        "A sigmoid was put on the score, and its slope is in there. A critic's score is no logit: differentiate it "
        "as it is.",
        ({"by": "sigmoid"},),
    ),
    (
        "The slope stops at the hidden units: it has to go on to x, through w1.",
        ({"by": "hidden"},),
    ),
    (
        "This is the slope in the critic's weights. The penalty is on its slope in x, its input.",
        ({"by": "w1"}, {"by": "w1", "norm": "all"}),
    ),
    (
        "The 1 is missing: this pulls the slope to 0. (With real examples alone for x that is R1, another penalty.)",
        ({"end": "no 1"}, {"norm": "squared", "end": "plain"}, {"end": "plain"}),
    ),
    ("The penalties were summed over the batch: the mean is wanted.", ({"end": "sum"},)),
    (
        "The distance from 1 was not squared. With its sign, a norm of 0.5 and one of 1.5 would even cancel.",
        ({"end": "not squared"}, {"end": "size"}),
    ),
    (
        "Only slopes above 1 pay here. That is a penalty of its own, one-sided; in this one a slope of 0.5 pays as "
        "much as one of 1.5.",
        ({"end": "one side"},),
    ),
    (
        "The mean of the norms was compared with 1: there a steep place pays for a flat one. First the distance from 1 "
        "and its square, then the mean.",
        ({"end": "after the mean"},),
    ),
    ("A root was taken at the end: the mean of the squares stays as it is.", ({"end": "root"},)),
    ("The 1 was added: the distance from 1 is norm - 1.", ({"end": "plus"},)),
    ("The penalty was multiplied by 10 or by 1/2: its weight comes later.", ({"end": "times 10"}, {"end": "half"})),
    ("The sign is turned: a penalty is positive, and grows with the distance from 1.", ({"end": "negative"},)),
)


def _way(faults: Faults) -> Callable[..., bool]:
    def fits(got: Any, wanted: Tensor, *args: Tensor) -> bool:
        try:
            right = _penalty(*(arg.double() for arg in args), **faults).to(wanted.dtype)
        except RuntimeError:  # a flat mix fits only as many features as pairs, and only there it is a number
            return False
        return not matches(right, wanted) and matches(got, right)

    return fits


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _way(faults)) for reason, several in MISTAKES for faults in several),
    Suspect(
        "The number is right, and left torch's record: without .item() it stays a tensor, which has slopes.",
        lambda got, wanted, *args: type(got) is float and abs(got - number(wanted)) < 1e-4 * (1 + abs(number(wanted))),
    ),
    Suspect(
        "The number is right, and has an axis: a tensor without axes is wanted, shape ().",
        lambda got, wanted, *args: (
            isinstance(got, Tensor) and got.numel() == 1 and got.dim() > 0 and matches(got.reshape(()), wanted)
        ),
    ),
    Suspect(
        "A penalty for each example came back: the mean of them is wanted.",
        lambda got, wanted, real, *args: isinstance(got, Tensor) and got.shape == (len(real),) and len(real) != 1,
    ),
)
RECORD = (
    "x is not on torch's record where the slope is asked for: x.requires_grad_() puts it there, before the scores are "
    "computed from it. And the slope is asked for in x, not in a weight: torch.autograd.grad(..., x, ...)."
)
NOT_IN_X = (
    "The scores are on torch's record, but what their slope is asked for in is not: the second argument of "
    "torch.autograd.grad. It has to be x, the very tensor that got requires_grad_() and from which the scores were "
    "computed; not a weight, and not a copy of x."
)
CRASHES = (
    (
        "changed in place",
        IN_PLACE[1],
    ),
    (
        "grad can be implicitly created only for scalar outputs",
        "There is a score for each example, and grad wants one number: the sum of the scores.",
    ),
    ("One of the differentiated Tensors does not require grad", NOT_IN_X),
    ("does not require grad", RECORD),
    (
        "appears to not have been used in the graph",
        "The scores do not depend on the x whose slope is asked for: make x first, then the scores of this very x.",
    ),
    (
        "backward through the graph a second time",
        "torch throws its record away after one use. create_graph=True keeps it, and writes the slope down, too.",
    ),
    (
        "'NoneType' object has no attribute",
        "x.grad is None: only the slopes of leaves are kept there. torch.autograd.grad(..., x) hands the slope back "
        "instead.",
    ),
    (
        "'tuple' object has no attribute",
        "torch.autograd.grad returns a tuple, a slope for each input: (slope,) = ..., or [0] at its end.",
    ),
    ("'tuple' and 'int'", "torch.autograd.grad returns a tuple, a slope for each input: (slope,) = ..., or [0]."),
    (
        "you can only change requires_grad flags of leaf variables",
        "x was computed from tensors that are on the record themselves: x.requires_grad_() is enough there, and it may "
        "not be set to False.",
    ),
    ("name 'critic' is not defined", "critic is in a cell above this one: run it."),
    (
        "must match the size",
        "Two shapes do not fit. mix is (batch, 1), beside real and fake of (batch, features): it needs no reshaping.",
    ),
    (
        "Dimension out of range",
        "There is no such axis: the slope in x is (batch, features), and its norm over dim=1 is (batch,).",
    ),
    (
        "a tensor of the right shape",
        "The slopes in the weights are examined, too, and need one tensor without axes, on torch's record.",
    ),
    ("Can't call numpy()", "No slope passes through numpy, and slopes are examined too: stay with tensor operations."),
)
WRONG = (
    "Print on the way: x = mix * real + (1 - mix) * fake (batch, features), the slope of the summed scores in x "
    "(batch, features), its norms (batch,), (norm - 1) ** 2, and their mean."
)

# --- what it says to the weights --------------------------------------------------------------------------------------

WEIGHTS = {"w1": 3, "b1": 4, "w2": 5}  # and their positions. b2 moves no slope.


def slopes(*args: Tensor) -> dict[str, Tensor]:
    """Of the penalty in each weight, in float64, through the slope that was worked out by hand."""
    wide = [arg.double() for arg in args]
    leaves = [wide[place].requires_grad_() for place in WEIGHTS.values()]
    found = torch.autograd.grad(_penalty(*wide), leaves)
    return {name: slope.to(args[0].dtype) for name, slope in zip(WEIGHTS, found, strict=True)}


NO_GRAPH = (
    "The value is right, and it says nothing to the weights: no slope gets from it to {name}. torch.autograd.grad "
    "hands back plain numbers, unless it is told to write down how it found them: create_graph=True. "
    "(retain_graph=True only keeps the old record.) Such a penalty changes the loss that is printed, and not one "
    "step. Also without .detach(), .item(), .data and torch.no_grad after it."
)
ONE_SIDED = (
    "The value is right, and its slope in {name} is not: a part of the way was cut off. Does everything after the "
    "slope stay on torch's record, and is the critic computed with the weights that came in?"
)


def _compare_slopes(ask: Examiner, args: tuple[Tensor, ...]) -> None:
    wanted = slopes(*args)
    called = f"the slopes in {', '.join(wanted)} of\n" + ask.written(args)
    one = torch.ones((), dtype=args[0].dtype)
    got = ask.ask(lambda: ask.subject.vjp(args, one), called=called, wanted=f"slopes for {', '.join(wanted)}")
    for name, right in wanted.items():
        slope, label = got[WEIGHTS[name]], called + f"\nof the slopes: that for {name}"
        if slope is None:
            reason = NO_GRAPH.format(name=name)
            ask.fail(called=label, came_back="no slope at all", wanted=show(right), reason=reason)
        # A popular 1e-12 under the root, against a slope of 0, moves a slope that nearly cancels by some 1e-11.
        slack = max(200 * torch.finfo(right.dtype).eps, 1e-9) * max(1.0, right.abs().max().item())
        ask.compare(slope, right, args, called=label, generic=ONE_SIDED.format(name=name), suspects=(), slack=slack)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("12.penalty", "gradient_penalty", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    batches = []
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        wanted = truth(*args)
        slack = 100 * torch.finfo(args[0].dtype).eps * max(1.0, wanted.item())
        ask.value(args, wanted, generic=WRONG, slack=slack)
        batches.append(args)
    for args in batches:
        _compare_slopes(ask, args)
    return f"right on {len(batches)} batches, and its slopes reach the weights. Such a penalty can teach."


@cache
def cases() -> list[tuple[Tensor, ...]]:
    """By hand: tanh has the slope 1 at 0, and 5 / 9 at log(5) / 2, so the lengths are 3 and 2.6. Then batches."""
    by_hand = (
        torch.tensor([[9.0, 3.0], [0.0, math.log(5)]]),
        torch.tensor([[-3.0, -1.0], [0.0, 0.0]]),
        torch.tensor([[0.25], [0.5]]),
        torch.eye(2),
        torch.zeros(2),
        torch.tensor([2.4, 1.8]),
        torch.tensor(0.5),
    )
    return [by_hand, *(draw(torch.Generator().manual_seed(seed), 0, batch=3) for seed in (3, 4))]


def draw(generator: torch.Generator, round_: int, batch: int = 0) -> tuple[Tensor, ...]:
    """Numbers that are quarters and eighths; again, while a slope is nearly 0, where its length has no slope."""

    def size(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    def quarters(*shape: int) -> Tensor:
        return torch.randint(-8, 9, shape, generator=generator) / 4

    batch, features, hidden = batch or size(1, 6), size(2 if batch else 1, 4), size(2 if batch else 1, 5)
    while True:
        real, fake, w1, b1, w2 = (
            quarters(*shape)
            for shape in ((batch, features), (batch, features), (hidden, features), (hidden,), (hidden,))
        )
        mix = torch.randint(1, 16, (batch, 1), generator=generator) / 16
        x = POINTS["between"](real, fake, mix)
        flat = slope_of(x, w1, b1, w2).norm(dim=1).min() < 0.1
        if not flat and (real != fake).any(1).all():
            break
    args = real, fake, mix, w1, b1, w2, quarters()
    if round_ % 3 == 1:
        args = tuple(arg.double() for arg in args)
    if round_ % 3 == 2:  # the same numbers, in another order in memory
        args = tuple(arg.T.contiguous().T if arg.dim() == 2 else arg for arg in args)
    return args


EXERCISE = Exercise(
    id="12.penalty",
    name="gradient_penalty",
    title="A slope of one",
    objectives=("12-O2",),
    difficulty=3,
    minutes=20,
    points=4,
    task="Write gradient_penalty(real, fake, mix, w1, b1, w2, b2): real and fake (batch, features), mix (batch, 1) "
    "from 0 to 1, and the weights of a critic, critic(x, w1, b1, w2, b2) = tanh(x @ w1.T + b1) @ w2 + b2, (batch,). "
    "Take the critic's slope in x at x = mix * real + (1 - mix) * fake, and of each example the length of this slope. "
    "Return the mean over the batch of (length - 1) squared, a tensor without axes, so that slopes get from it to the "
    "weights.",
    ranges="1 to 6 pairs, 1 to 4 features, 1 to 5 hidden units; slopes that are never shorter than 0.1; float32 and "
    "float64; tensors that are views of others",
    hints=(
        "There are two derivatives here. The first, of the critic in x, is part of the penalty; the second, of the "
        "penalty in the weights, is taken by whoever trains. What must the first one leave behind, so that the second "
        "one can be taken?",
        "Put x on torch's record, sum the scores, and ask torch.autograd.grad for the slope in x, with "
        "create_graph=True. An example's score depends on its own row of x alone, so the slope of the sum has each "
        "example's own slope in its row.",
        "x = (mix * real + (1 - mix) * fake).requires_grad_(); (slope,) = torch.autograd.grad(critic(x, ...).sum(), x, "
        "create_graph=True); then the mean of (slope.norm(dim=1) - 1) squared.",
    ),
    reference=gradient_penalty,
    walkthrough="The slope of the summed scores holds each example's own slope in its row, since no score depends on "
    "another's row. create_graph=True puts the way to this slope on torch's record, so that the penalty can be "
    "differentiated once more, in the weights.",
    where="exercises/12-gan/12-gan-exercises.ipynb",
    check=check,
)
