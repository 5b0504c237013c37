"""15.margin: the smallest change that takes a linear classifier's answer from it, in three norms."""

from collections.abc import Callable
from functools import cache
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE, ROUNDED, parts, shapes_alone, tensors
from dlcourse.checks.ch15.shared import WHERE, Faults, Mistakes, in_another_form, size
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Three = tuple[Tensor, Tensor, Tensor]
NAMES = ("l1", "l2", "linf")


def smallest_change(x, labels, weight, bias):
    rows = torch.arange(len(x), device=x.device)
    scores = x @ weight.T + bias
    leads = scores[rows, labels][:, None] - scores  # (batch, classes)
    between = weight[labels][:, None] - weight  # (batch, classes, features)
    dual = between.abs().amax(2), between.norm(dim=2), between.abs().sum(2)
    other = torch.ones_like(leads).scatter(1, labels[:, None], 0).bool()
    return tuple((leads / norm).where(other, torch.inf).amin(1).clamp(min=0) for norm in dual)


SIZES: dict[str, Callable[[Tensor], Tensor]] = {  # of (batch, classes, features)
    "largest": lambda rows: rows.abs().amax(2),
    "length": lambda rows: rows.square().sum(2).sqrt(),
    "sum": lambda rows: rows.abs().sum(2),
    "squared": lambda rows: rows.square().sum(2),
    "mean": lambda rows: rows.abs().mean(2),
    "signed sum": lambda rows: rows.sum(2).abs(),
    "largest signed": lambda rows: rows.amax(2),
    "rms": lambda rows: rows.square().mean(2).sqrt(),
    "smallest": lambda rows: rows.abs().amin(2),
    "nothing": lambda rows: torch.ones_like(rows[:, :, 0]),
}
DUAL = ("largest", "length", "sum")


def _change(
    x: Tensor,
    labels: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    norms: tuple[str, str, str] = DUAL,
    rows: str = "difference",
    lead: str = "logits",
    others: str = "nearest",
    wrong: str = "0",
    of: str = "label",
    factor: float = 1.0,
) -> Three:
    """All three with some of the faults, in float64."""
    dtype = x.dtype
    x, weight, bias = x.double(), weight.double(), bias.double()
    if lead == "no bias":
        bias = torch.zeros_like(bias)
    scores = x @ weight.T + bias
    if lead == "probabilities":
        scores = scores.softmax(1)
    n, ours = torch.arange(len(x)), labels
    if of == "answer":
        ours = scores.argmax(1)
    leads = scores[n, ours][:, None] - scores
    if lead == "own logit":
        leads = scores[n, ours][:, None].expand_as(scores)
    if lead == "bias added":
        leads = leads + 2 * (bias - bias[ours][:, None])
    between = {
        "difference": weight[ours][:, None] - weight,
        "own": weight[ours][:, None].expand(-1, len(weight), -1),
        "theirs": weight.expand(len(x), -1, -1),
        "sum": weight[ours][:, None] + weight,
    }[rows]
    other = torch.ones_like(leads).scatter(1, ours[:, None], 0).bool()
    runner_up = scores.where(other, -torch.inf).argmax(1)
    distances = []
    for norm in norms:
        each = leads / SIZES[norm](between) * factor
        shown = each.where(other, torch.inf)
        if others == "farthest":
            found = each.where(other, -torch.inf).amax(1)
        elif others == "runner-up":
            found = each[n, runner_up]
        elif others == "one for all":
            nearest = (leads / SIZES["length"](between)).where(other, torch.inf).argmin(1)
            found = each[n, nearest]
        elif others == "mean":
            found = each.where(other, 0).sum(1) / other.sum(1)
        elif others == "first":
            found = shown[n, other.double().argmax(1)]
        elif others == "itself":
            found = each.where(other, 0).amin(1)
        elif others == "smallest lead":
            found = leads.where(other, torch.inf).amin(1) / SIZES[norm](between).where(other, torch.inf).amin(1)
        elif others == "sizes first":
            found = shown.abs().amin(1)
        else:
            found = shown.amin(1)
        if wrong == "0":
            found = found.clamp(min=0)
        elif wrong == "size":
            found = found.abs()
        elif wrong == "size, else 0":
            found = found.abs().where(scores.argmax(1) == labels, 0)
        elif wrong == "inf":
            found = torch.where(found < 0, torch.inf, found)
        elif wrong == "nan":
            found = torch.where(found < 0, torch.nan, found)
        distances.append(found.to(dtype))
    return tuple(distances)


def truth(*args: Tensor) -> Three:
    return _change(*args)


DIFFERENCE = (
    "What has to be overcome is the lead over another class, and its slope is the *difference* of two rows, "
    "weight[label] - weight[other]."
)
EVERY = "There is a border to every other class: the nearest of them counts."
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        "This is the label's logit over a norm of the label's own row: the formula of two classes, where the logit is "
        f"a lead already, and the row a difference. {DIFFERENCE}",
        tuple({"rows": "own", "lead": "own logit", "wrong": wrong} for wrong in ("0", "size", "size, else 0")),
    ),
    (
        f"The lead was divided by the size of the label's own row. {DIFFERENCE}",
        ({"rows": "own"},),
    ),
    (f"The lead was divided by the size of the other class's row. {DIFFERENCE}", ({"rows": "theirs"},)),
    (f"The two rows were added. {DIFFERENCE}", ({"rows": "sum"},)),
    (
        "The bias was forgotten: the lead is a difference of two logits, and each has its bias in it.",
        ({"lead": "no bias"},),
    ),
    ("The bias has the wrong sign in the lead: logits are x @ weight.T + bias.", ({"lead": "bias added"},)),
    (
        "The label's logit itself was divided, not its lead over another class: a constant added to all logits changes "
        "no answer, and may change no distance.",
        ({"lead": "own logit"},),
    ),
    (
        "Probabilities were taken for logits. A softmax bends, so its differences are no distances along a line: take "
        "the logits as they are.",
        ({"lead": "probabilities"},),
    ),
    (
        "Only the class with the second largest logit was asked. The nearest border may be that of another class, "
        f"with a steeper difference of rows. {EVERY}",
        ({"others": "runner-up"},),
    ),
    (
        "The class that is nearest in L2 was taken in all three norms. Which one is nearest depends on the norm: "
        "look for the smallest distance in each of them anew.",
        ({"others": "one for all"},),
    ),
    (
        "The smallest lead was divided by the smallest size, perhaps of two different classes. First a distance for "
        "each class, then the smallest.",
        ({"others": "smallest lead"},),
    ),
    (f"The *farthest* class was taken. {EVERY}", ({"others": "farthest"},)),
    (f"A mean over the other classes came back. {EVERY}", ({"others": "mean"},)),
    (f"Only the first of the other classes was asked. {EVERY}", ({"others": "first"},)),
    (
        "The label's own row is among the others: its lead over itself is 0. Leave it out, or put infinity there.",
        ({"others": "itself"},),
    ),
    (
        "Distances are negative where the classifier is wrong already: there, no change is needed, and 0 is wanted.",
        ({"wrong": "negative"},),
    ),
    (
        "The sign of a lead was thrown away: where the classifier is wrong already, 0 is wanted.",
        ({"wrong": "size"}, {"others": "sizes first"}),
    ),
    (
        "Where the classifier is wrong already, no change is needed: the distance is 0 there, neither infinite nor "
        "nan.",
        ({"wrong": "inf"}, {"wrong": "nan"}),
    ),
    (
        "The classifier's own answer was taken for the label. Where it is wrong already, 0 is wanted.",
        ({"of": "answer"},),
    ),
    (
        "These are leads, in logits. A change of a certain size moves the lead by that size times a norm of the "
        "difference of rows: divide.",
        ({"norms": ("nothing",) * 3},),
    ),
    (
        "This is half of the way. At the border the two logits are level, so the whole lead has to go.",
        ({"factor": 0.5},),
    ),
)
OWN = (
    "divided by the difference of rows in the norm of the change itself. It belongs to the *dual* norm: in L1 all of "
    "the change goes to the pixel with the largest weight; in L2 along the difference; in Linf every pixel moves, so "
    "the sizes add up."
)
# Of one number alone: the norms that may have been taken for the right one.
NORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "l1": (
        ("sum", f"l1 was {OWN} (Or the three came back in the reverse order.)"),
        ("length", "l1 was divided by the L2 norm. In L1 the best is to spend all on one pixel: the largest size."),
        ("largest signed", "The largest of the differences was taken with its sign: the largest *size* is wanted."),
        ("mean", "l1 was divided by the mean size. In L1 the best is to spend all on one pixel: the largest size."),
        ("smallest", "l1 was divided by the smallest size: the best pixel is the one with the largest."),
    ),
    "l2": (
        ("squared", "l2 was divided by the squared length: its root is missing."),
        ("rms", "l2 was divided by a root *mean* square: the length is the root of the sum."),
        ("sum", "l2 was divided by the sum of sizes: in L2 it is the length, the root of the summed squares."),
        ("largest", "l2 was divided by the largest size: in L2 it is the length, the root of the summed squares."),
    ),
    "linf": (
        ("largest", f"linf was {OWN}"),
        ("length", "linf was divided by the L2 norm. In Linf every pixel moves as far as it may: the sizes add up."),
        (
            "mean",
            "linf was divided by the mean size: in Linf every pixel moves as far as it may, and the sizes add up.",
        ),
        ("signed sum", "Differences of both signs cancelled in the sum: the sum of their *sizes* is wanted."),
    ),
}


def _slip(place: int, norm: str) -> Faults:
    return {"norms": tuple(norm if n == place else right for n, right in enumerate(DUAL))}


def _all(faults: Faults) -> Callable[..., bool]:
    """All three numbers are those of the mistake; or, where norms fail too, the first wrong one is."""

    def fits(got: Any, wanted: Three, *args: Tensor) -> bool:
        value = _change(*args, **faults)
        return not matches(value, wanted) and matches(got, value)

    return fits


def _one(place: int, norm: str) -> Callable[..., bool]:
    def fits(got: Any, wanted: Three, *args: Tensor) -> bool:
        value = _change(*args, **_slip(place, norm))[place]
        return (
            tensors(got, 3)
            and all(map(matches, got[:place], wanted[:place]))
            and not matches(value, wanted[place])
            and matches(got[place], value)
        )

    return fits


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _all(faults)) for reason, several in MISTAKES for faults in several),
    *(Suspect(reason, _one(place, norm)) for place, name in enumerate(NAMES) for norm, reason in NORMS[name]),
    Suspect(
        "nan is 0 / 0: the label's own class is among the others. Its lead over itself is 0, and so is its difference "
        "of rows. Leave it out, or put infinity in its place before you take the smallest.",
        lambda got, wanted, *args: tensors(got, 3) and any(one.isnan().any() for one in got),
    ),
    Suspect(
        "The same number came back in all three norms, and every distance here is longer: it was put in the place of "
        "the label's own class. No number is large enough for that, a distance may always be larger: put infinity "
        "there.",
        lambda got, wanted, *args: (
            tensors(got, 3)
            and all(one.shape == wanted[0].shape for one in got)
            and all(bool((one == got[0]).all()) for one in got)
            and bool((got[0] < wanted[2]).all())
        ),
    ),
    ROUNDED,
    Suspect("The numbers are right, and a shape is not: each of the three is (batch,).", shapes_alone),
    Suspect(
        "Three tensors come back in a tuple: return l1, l2, linf.",
        lambda got, wanted, *args: not tensors(got, 3) and got is not None,
    ),
)
CRASHES = (
    IN_PLACE,
    (
        "Boolean value of Tensor with more than one value",
        "An `if` was given many truths at once: .clamp(min=0), or torch.where, decides for each example.",
    ),
    (
        "must match the size",
        "Two shapes do not fit. weight[labels] is (batch, features); with [:, None] it stands beside weight, "
        "(classes, features), and their difference is (batch, classes, features).",
    ),
    (
        "mat1 and mat2 shapes cannot be multiplied",
        "weight is (classes, features): the logits are x @ weight.T + bias.",
    ),
    ("only one element tensors can be converted", "That takes one number, and here are several."),
)
WRONG = (
    "By hand, for one example and one other class: the lead is (w_label - w_other) @ x + b_label - b_other. Divide it "
    "by the largest size of w_label - w_other, by its length, or by the sum of its sizes. Of all other classes the "
    "smallest, and at least 0."
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("15.margin", "smallest_change", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        slack = 50 * torch.finfo(args[0].dtype).eps * _scale(*args)
        parts(ask, args, truth(*args), names=NAMES, generic=WRONG, slack=slack)
    return f"right on {ask.asked} batches, in three norms. No attack on these classifiers can do with less."


def _scale(x: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> float:
    """What the digits of a lead that cancels are worth in the distances: the largest logit's parts over a norm."""
    parts_of = (x.abs() @ weight.abs().T + bias.abs()).max().item()
    between = (weight[:, None] - weight).abs().amax(2)
    return parts_of / between[~torch.eye(len(weight), dtype=torch.bool)].min().item()


@cache
def cases() -> list[tuple[Tensor, ...]]:
    """Batches, the first of which shows every mistake, with numbers of its own; then one by hand, and one far away."""
    by_hand = (
        torch.tensor([[1.0, 1.0], [0.0, 0.0]]),
        torch.tensor([0, 1]),
        torch.tensor([[3.0, 4.0], [0.0, 0.0], [-3.0, 4.0]]),
        torch.tensor([5.0, 0.0, -4.0]),
    )
    far = (  # two rows that are nearly equal: distances of hundreds
        torch.tensor([[1.0, 1.0]]),
        torch.tensor([0]),
        torch.tensor([[1.0, 1.0], [1 + 1 / 128, 1 - 1 / 256]]),
        torch.tensor([3.0, -3.0]),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (0, 1)), by_hand, far]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Tensor, ...]:
    """Numbers that are quarters; again, while two rows are equal or two classes are level."""

    def quarters(*shape: int) -> Tensor:
        return torch.randint(-12, 13, shape, generator=generator) / 4

    batch = 5 if large else size(generator, 1, 6)
    features = 3 if large else size(generator, 1, 5)
    classes = 4 if large else size(generator, 2, 5)
    while True:
        x, weight, bias = quarters(batch, features), quarters(classes, features), quarters(classes)
        scores = x @ weight.T + bias
        most = (scores.argmax(1), torch.randint(classes, (batch,), generator=generator))
        labels = torch.where(torch.rand(batch, generator=generator) < 0.8, *most)
        apart = (weight[:, None] - weight).abs().sum(2)
        gaps = (scores[:, :, None] - scores[:, None]).abs()
        itself = torch.eye(classes, dtype=torch.bool)
        if apart[~itself].min() > 0 and gaps[:, ~itself].min() > 0:
            return in_another_form((x, labels, weight, bias), round_)


EXERCISE = Exercise(
    id="15.margin",
    name="smallest_change",
    title="How far to the nearest border?",
    objectives=("15-O1",),
    difficulty=2,
    minutes=15,
    points=3,
    task="Write smallest_change(x, labels, weight, bias) for a linear classifier: x (batch, features), labels "
    "(batch,), weight (classes, features), bias (classes,), and its logits are x @ weight.T + bias. How far has each "
    "example to move, at least, until the logit of its label is level with that of another class? Return (l1, l2, "
    "linf), three tensors (batch,): the size of the smallest such change measured in L1, in L2 and in Linf. 0 where "
    "another class is ahead already. There is no box: x may go anywhere.",
    ranges="1 to 6 examples, 1 to 5 features, 2 to 5 classes, numbers from -3 to 3; no two rows of weight are equal, "
    "though they may be nearly so, no two logits of an example are level; float32 and float64; tensors that are views "
    "of others",
    hints=(
        "The lead of the label over one other class is a line: a row of numbers times x, plus a number. Which row? And "
        "if each pixel may move by one at most, how fast can you bring the lead down? If all pixels together may?",
        "The row is weight[label] - weight[other]. A change of size 1 moves the lead by at most its largest size (L1), "
        "its length (L2), the sum of its sizes (Linf). So there is a distance for each other class, and the smallest "
        "one counts.",
        "leads = scores of the label, (batch, 1), minus scores; between = weight[labels][:, None] - weight; for "
        "each norm: distance = leads / norm over dim=2; put infinity where the class is the label; .amin(1), "
        ".clamp(min=0).",
    ),
    reference=smallest_change,
    walkthrough="Towards one other class the lead falls along a line, by at most the dual norm of the difference of "
    "rows for each unit of change, and there is a change that reaches this: lead over norm is exact, no bound. "
    "The nearest class may be another in each norm.",
    where=WHERE,
    check=check,
)
