"""16.faithful: an evaluation of maps by deletion, freed of the four faults that make its table look good."""

from collections.abc import Callable
from functools import cache
from itertools import chain, combinations
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import tensors
from dlcourse.checks.ch15.shared import Faults, draw_network, logits, size
from dlcourse.checks.ch16.shared import CRASHES, WHERE, Smaller, explain, first_wrong, kin, rounding, row, same
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Three = tuple[Tensor, Tensor, Tensor]
NAMES = ("curves", "area", "better")


def evaluate(x, labels, maps, floor_maps, baseline, w1, b1, w2, b2):
    features = x.shape[1]

    def curve(ranking):  # (batch, features) -> (features + 1, batch)
        place = ranking.argsort(dim=1, descending=True).argsort(dim=1)  # 0 for the feature that goes first
        scores = []
        for gone in range(features + 1):
            left = torch.where(place < gone, baseline, x)
            z = torch.tanh(left @ w1.T + b1) @ w2.T + b2
            scores.append(z[torch.arange(len(x)), labels])
        return torch.stack(scores)

    def area_of(curves):
        return torch.trapezoid(curves, dx=1 / features, dim=1)

    curves = torch.stack([curve(ranking) for ranking in maps])
    floor = area_of(torch.stack([curve(ranking) for ranking in floor_maps]))
    area = area_of(curves)
    return curves, area, area < floor.mean(dim=0)


def _evaluate(
    x: Tensor,
    labels: Tensor,
    maps: Tensor,
    floor_maps: Tensor,
    baseline: Tensor,
    *weights: Tensor,
    order: str = "signed",
    score: str = "label",
    gone: str = "baseline",
    floor: str = "mean",
    area: str = "trapezoids",
) -> Three:
    """All three with some of the faults, in float64."""
    dtype, features = x.dtype, x.shape[1]
    x, maps, floor_maps, baseline, *weights = (a.double() for a in (x, maps, floor_maps, baseline, *weights))
    ranking = torch.cat([maps, floor_maps])  # all of them at once
    ranking = {
        "signed": lambda: ranking,
        "sizes": lambda: ranking.abs(),
        "smallest first": lambda: -ranking,
        "smallest size first": lambda: -ranking.abs(),
        "the batch": lambda: ranking.mean(1, keepdim=True).expand_as(ranking),
        "the first example": lambda: ranking[:, :1].expand_as(ranking),
        "the first map": lambda: torch.cat([maps[:1].expand_as(maps), floor_maps]),
        "order for place": lambda: ranking,
        "as they stand": lambda: -torch.arange(features).expand_as(ranking),
    }[order]()
    place = ranking.argsort(dim=2, descending=True, stable=True).argsort(dim=2)
    if order == "order for place":
        place = ranking.argsort(dim=2, descending=True, stable=True)
    steps = torch.arange(features + 1)[:, None, None, None]
    fill = {
        "baseline": lambda: baseline,
        "zero": lambda: torch.zeros_like(baseline),
        "mean of x": lambda: x.mean(0),
        "mean of each": lambda: x.mean(1, keepdim=True).expand_as(x),
        "one alone": lambda: baseline,
        "put in": lambda: baseline,
        "baseline taken off": lambda: x - baseline,
        "baseline of the turn": lambda: baseline[place],
        "mean of the baseline": lambda: baseline.mean().expand_as(baseline),
    }[gone]()
    hidden = {"one alone": place == steps - 1, "put in": place >= steps}.get(gone, place < steps)
    z = logits(torch.where(hidden, fill, x), *weights)  # (points, maps, batch, classes)
    which = labels.expand(z.shape[:-1])[..., None]
    first = logits(x, *weights).argmax(1)
    curves = {
        "label": lambda: z.gather(-1, which)[..., 0],
        "winner": lambda: z.amax(-1),
        "first answer": lambda: z.gather(-1, first.expand(z.shape[:-1])[..., None])[..., 0],
        "probability": lambda: z.softmax(-1).gather(-1, which)[..., 0],
        "log-probability": lambda: z.log_softmax(-1).gather(-1, which)[..., 0],
        "cross-entropy": lambda: -z.log_softmax(-1).gather(-1, which)[..., 0],
        "winner's probability": lambda: z.softmax(-1).amax(-1),
        "lead": lambda: z.gather(-1, which)[..., 0] - z.scatter(-1, which, -torch.inf).amax(-1),
        "over the start": lambda: z.gather(-1, which)[..., 0] / z.gather(-1, which)[:1, ..., 0],
        "fall": lambda: z.gather(-1, which)[:1, ..., 0] - z.gather(-1, which)[..., 0],
        "first class": lambda: z[..., 0],
        "first label": lambda: z[..., labels[0]],
    }[score]().transpose(0, 1)  # (maps, points, batch)
    areas = {
        "trapezoids": lambda: torch.trapezoid(curves, dx=1 / features, dim=1),
        "mean": lambda: curves.mean(1),
        "left": lambda: curves[:, :-1].mean(1),
        "right": lambda: curves[:, 1:].mean(1),
        "steps of 1": lambda: torch.trapezoid(curves, dx=1, dim=1),
        "sum": lambda: curves.sum(1),
        "over the points": lambda: torch.trapezoid(curves, dx=1 / (features + 1), dim=1),
        "above the end": lambda: torch.trapezoid(curves - curves[:, -1:], dx=1 / features, dim=1),
        "over the start": lambda: torch.trapezoid(curves / curves[:, :1], dx=1 / features, dim=1),
    }[area]()
    ours, theirs = areas[: len(maps)], areas[len(maps) :]
    better = {
        "mean": lambda: ours < theirs.mean(0),
        "one draw": lambda: ours < theirs[0],
        "last draw": lambda: ours < theirs[-1],
        "median": lambda: ours < theirs.median(0).values,
        "all": lambda: ours < theirs.amin(0),
        "any": lambda: ours < theirs.amax(0),
        "above": lambda: ours > theirs.mean(0),
        "of the batch": lambda: ours < theirs.mean(),
        "means of the batch": lambda: (ours.mean(1, keepdim=True) < theirs.mean()).expand_as(ours),
        "other methods": lambda: ours < ours.mean(0),
        "the best": lambda: ours == ours.amin(0),
    }[floor]()
    return curves[: len(maps)].to(dtype), ours.to(dtype), better


# The four faults of the program in the notebook, in the order in which they are named.
BROKEN: tuple[tuple[Faults, str], ...] = (
    (
        {"order": "sizes"},
        "The features go in the order of the *sizes* of the map. So what speaks most against the class goes among the "
        "first, and the score rises. First goes the largest *signed* value.",
    ),
    (
        {"score": "winner"},
        "The curve follows the winner, the largest logit of each picture. When the answer changes, it goes over to "
        "another class, and hardly falls. It is the *label's* logit, from beginning to end.",
    ),
    (
        {"gone": "zero"},
        "0 was put in the place of what is taken away. Here, nothing is the *baseline's* value of this feature: 0 may "
        "be much.",
    ),
    (
        {"floor": "one draw"},
        "Only the first random order was the floor: by luck it is good or bad. Compare with the *mean* of the areas "
        "of all draws.",
    ),
)
MORE = " It is not the only fault that is left."
# Of the curves alone.
CURVES: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    (
        "The smallest value of the map goes first here: argsort counts upwards, unless it gets descending=True.",
        ({"order": "smallest first"}, {"order": "smallest size first"}),
    ),
    (
        "One order was taken for the whole batch, that of the mean map or of the first example. Each example has a map "
        "of its own, and an order of its own: argsort over dim=1, the features.",
        ({"order": "the batch"}, {"order": "the first example"}),
    ),
    ("All methods got the order of the first map: each has its own.", ({"order": "the first map"},)),
    (
        "The features go from left to right, whatever the map says.",
        ({"order": "as they stand"},),
    ),
    (
        "argsort was read the wrong way: its entry k is *which* feature goes k-th, not when feature k goes. (argsort "
        "of that again says when.)",
        ({"order": "order for place"},),
    ),
    (
        "The score is the logit of the network's own first answer: asked is that of the *label*, also where the "
        "network was wrong from the start.",
        ({"score": "first answer"},),
    ),
    (
        "Probabilities were taken: the score is the label's *logit*.",
        (
            {"score": "probability"},
            {"score": "log-probability"},
            {"score": "cross-entropy"},
            {"score": "winner's probability"},
        ),
    ),
    ("The lead over the other classes was taken: the score is the label's logit alone.", ({"score": "lead"},)),
    (
        "The curve was divided by its first value: it is the label's logit itself.",
        ({"score": "over the start"},),
    ),
    ("How far it has fallen came back: the curve is the label's logit itself.", ({"score": "fall"},)),
    (
        "The logit of one class was taken for all rows: each row has its own label.",
        ({"score": "first class"}, {"score": "first label"}),
    ),
    (
        "A mean of x was put in the place of what is taken away: it is the *baseline's* value of this feature.",
        ({"gone": "mean of x"}, {"gone": "mean of each"}),
    ),
    (
        "The first feature that goes got baseline[0], the second baseline[1], and so on: the number of the turn was "
        "taken for that of the feature. What goes gets *its own* value of the baseline, baseline[order[:, turn]].",
        ({"gone": "baseline of the turn"},),
    ),
    (
        "The mean of the baseline was put in the place of what is taken away: each feature has its own value there.",
        ({"gone": "mean of the baseline"},),
    ),
    ("The baseline was taken off: its value comes *in the place* of that of x.", ({"gone": "baseline taken off"},)),
    (
        "Only one feature is gone at each point: what is gone stays gone. Does each step begin with x again?",
        ({"gone": "one alone"},),
    ),
    (
        "This curve goes the other way: it begins with nothing and puts features in. Asked is to take them away, from "
        "x to the baseline.",
        ({"gone": "put in"},),
    ),
)
TRAPEZOIDS = "By trapezoids over the share that is gone, torch.trapezoid(curves, dx=1 / features, dim=1)."
AREAS: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    (f"This is the mean of the points: the two ends count half. {TRAPEZOIDS}", ({"area": "mean"},)),
    (
        f"These are steps, not trapezoids: the height at the left or right end of each part was taken. {TRAPEZOIDS}",
        ({"area": "left"}, {"area": "right"}),
    ),
    (
        f"The share goes from 0 to 1, so one part of it is 1 / features wide. {TRAPEZOIDS}",
        ({"area": "steps of 1"}, {"area": "sum"}, {"area": "over the points"}),
    ),
    (
        f"The area is that under the curve as it is, neither above its end nor over its start. {TRAPEZOIDS}",
        ({"area": "above the end"}, {"area": "over the start"}),
    ),
)
BETTERS: tuple[tuple[str, tuple[Faults, ...]], ...] = (
    (
        "Only the last random order was the floor. Compare with the *mean* of the areas of all draws.",
        ({"floor": "last draw"},),
    ),
    (
        "The *median* of the random areas was the floor. Compare with their *mean*.",
        ({"floor": "median"},),
    ),
    (
        "Better is: below the *mean* of the floor's areas; not below every one of them, nor below any.",
        ({"floor": "all"}, {"floor": "any"}),
    ),
    (
        "The sign is turned round: the sooner the score falls, the smaller the area, and the better the map.",
        ({"floor": "above"},),
    ),
    (
        "The examples were averaged: each has a floor of its own, the mean over the draws, dim=0.",
        ({"floor": "of the batch"}, {"floor": "means of the batch"}),
    ),
    (
        "The methods were compared with each other: asked is, of each by itself, whether it beats the random orders.",
        ({"floor": "other methods"}, {"floor": "the best"}),
    ),
)


def _of(place: int, faults: Faults) -> Callable[..., bool]:
    """The first part that is wrong is this one, and it is that of the mistake."""

    def fits(got: Any, wanted: Three, *args: Any) -> bool:
        if not kin(got, wanted) or not all(map(matches, got[:place], wanted[:place])):
            return False
        if matches(got[place], wanted[place]):  # this part is right: nothing to explain
            return False
        return matches(got[place], _evaluate(*args, **faults)[place])

    return fits


def _with_the_floor(faults: Faults) -> Callable[..., bool]:
    """The curves are those of the mistake, and one draw was the floor on top."""

    def fits(got: Any, wanted: Three, *args: Any) -> bool:
        if not _of(0, faults)(got, wanted, *args):
            return False
        fair, lucky = _evaluate(*args, **faults), _evaluate(*args, **faults, floor="one draw")
        return matches(got[2], lucky[2]) and not matches(lucky[2], fair[2])

    return fits


def _broken() -> list[Suspect]:
    """All that may be left of the four faults: the first is named, and whether there are more."""
    of_curves, (_, of_floor) = BROKEN[:3], BROKEN[3]
    found = []
    for count in (1, 2, 3):
        for several in combinations(of_curves, count):
            faults = {name: value for part, _ in several for name, value in part.items()}
            reason = several[0][1]
            found.append(Suspect(reason + MORE, _with_the_floor(faults)))
            found.append(Suspect(reason + MORE * (count > 1), _of(0, faults)))
    return [*found, Suspect(of_floor, _of(2, {"floor": "one draw"}))]


def _shaped(*shape: int) -> Callable[..., bool]:
    """The curves' three dimensions came in another order."""

    def fits(got: Any, wanted: Three, *args: Any) -> bool:
        return tensors(got, 3) and got[0].dim() == 3 and matches(got[0], wanted[0].permute(shape))

    return fits


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *_broken(),
    *(Suspect(reason, _of(0, faults)) for reason, several in CURVES for faults in several),
    *(Suspect(reason, _of(1, faults)) for reason, several in AREAS for faults in several),
    *(Suspect(reason, _of(2, faults)) for reason, several in BETTERS for faults in several),
    Suspect(
        "Three tensors come back in a tuple: return curves, area, better.",
        lambda got, wanted, *args: got is not None and not tensors(got, 3),
    ),
    Suspect(
        "The curve begins after the first feature has gone, or ends before the last: it has features + 1 points, from "
        "nothing gone to all gone.",
        lambda got, wanted, *args: (
            tensors(got, 3) and got[0].dim() == 3 and got[0].shape[1] == wanted[0].shape[1] - 1 != wanted[0].shape[2]
        ),
    ),
    *(
        Suspect("The numbers are right, and the dimensions in another order: (methods, features + 1, batch).", fits)
        for fits in (_shaped(0, 2, 1), _shaped(1, 0, 2), _shaped(2, 1, 0), _shaped(1, 2, 0), _shaped(2, 0, 1))
    ),
    Suspect(
        "better is a truth for each method and example: torch.bool, as `<` gives it.",
        lambda got, wanted, *args: tensors(got, 3) and matches(got[:2], wanted[:2]) and got[2].dtype != torch.bool,
    ),
)
OWN_CRASHES = (
    ("name 'logits' is not defined", "logits is in a cell above this one: run it."),
    *CRASHES,
    (
        "must match the size",
        "Two shapes do not fit. x is (batch, features), one map of `maps` too; the order of an example has a number "
        "for each feature, and the label's logit is z[torch.arange(len(x)), labels].",
    ),
    (
        "stack expects",
        "torch.stack joins tensors of one shape: the scores of one point are (batch,), a curve (features + 1, batch).",
    ),
)
WHOLE = (
    "Each example and method alone is right, and together they are not: something is taken over the batch, or over "
    "the methods. Each example has an order, a label and a floor of its own."
)


def by_hand(args: tuple[Any, ...], part: int) -> str:
    """One example and one map in numbers: the part that is wrong."""
    curves, area, better = _evaluate(*args)
    order = args[2][0, 0].argsort(descending=True).tolist()
    told = (
        f"One example and one map, in numbers. The features go in the order {order}. The logit of class "
        f"{int(args[1][0])}, from nothing gone to all gone, is {row(curves[0, :, 0])}. "
    )
    if part > 0:
        told += f"Its trapezoids, each 1 / {args[0].shape[1]} wide, add up to {area.item():.4g}. "
    if part > 1:
        floor = _evaluate(*args[:2], args[3], *args[3:])[1][:, 0]
        below = "below" if better.item() else "not below"
        told += f"The areas of the random orders are {row(floor)}, in the mean {floor.mean().item():.4g}: {below} it. "
    return told.strip()


def _smaller(got: Three, wanted: Three, *args: Any) -> Smaller:
    """The first wrong method and example alone."""
    x, labels, maps, floor_maps, *rest = args
    slack = rounding(*args)
    part = next(n for n in range(3) if n == 2 or not same(got[n], wanted[n], slack))
    place = first_wrong(got[part].double(), wanted[part].double(), slack)
    method, n = place[0], place[-1]
    chosen = slice(n, n + 1)
    one = x[chosen], labels[chosen], maps[method : method + 1, chosen], floor_maps[:, chosen], *rest

    def tell(came: Three, right: Three) -> str:
        return by_hand(one, next(n for n in range(3) if n == 2 or not same(came[n], right[n], slack)))

    yield one, tell


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("16.faithful", "evaluate", subject, SUSPECTS, OWN_CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(9))):
        explain(ask, args, _evaluate, _smaller, generic=WHOLE, slack=rounding(*args), names=NAMES)
    return (
        f"right on {ask.asked} tables. Four faults found, and none of them would have stopped the program: only an "
        "experiment whose end is known shows such faults."
    )


@cache
def cases() -> list[tuple[Any, ...]]:
    """The first was found by a search: every mistake shows on it, and its numbers are its own. The last is by hand.

    By hand: units that are on or off, so that the logit of class 0 is 3 - 1 + 2, of those features that are there.
    """
    by_hand = (
        torch.ones(1, 3),
        torch.tensor([0]),
        torch.tensor([[[3.0, -1.0, 2.0]]]),
        torch.tensor([[[1.0, 3.0, 2.0]], [[2.0, 1.0, 3.0]], [[3.0, 1.0, 2.0]]]),
        torch.zeros(3),
        20 * torch.eye(3),
        torch.zeros(3),
        torch.tensor([[3.0, -1.0, 2.0], [0.0, 0.0, 0.0]]),
        torch.zeros(2),
    )
    return [*(draw(torch.Generator().manual_seed(seed), 0, large=True) for seed in (2_445, 2)), by_hand]


def draw(generator: torch.Generator, round_: int, large: bool = False) -> tuple[Any, ...]:
    """Again, while a map is worth nearly what the floor is. No two sizes in a map are equal."""
    batch, features = (3, 4) if large else (size(generator, 1, 4), size(generator, 2, 5))
    methods, draws = (2, 3) if large else (size(generator, 1, 3), size(generator, 3, 5))
    classes, hidden = (3, 3) if large else (size(generator, 2, 4), size(generator, 2, 4))

    def of_maps(count: int) -> Tensor:
        sizes = torch.rand(count, batch, features, generator=generator).argsort(2) + 1
        signs = torch.randint(0, 2, sizes.shape, generator=generator) * 2 - 1
        return sizes * signs / 8

    while True:
        x = torch.randint(-8, 9, (batch, features), generator=generator) / 4
        baseline = torch.randint(1, 5, (features,), generator=generator) / 4
        labels = torch.randint(classes, (batch,), generator=generator)
        weights = draw_network(generator, features, hidden, classes)
        args = x, labels, of_maps(methods), of_maps(draws), baseline, *weights
        _, area, _ = _evaluate(*(a.double() if a.is_floating_point() else a for a in args))
        _, floor, _ = _evaluate(*(a.double() if a.is_floating_point() else a for a in (*args[:2], args[3], *args[3:])))
        if (area - floor.mean(0)).abs().min() > 1e-3:
            break
    if round_ % 3 == 1:
        return tuple(a.double() if a.is_floating_point() else a for a in args)
    if round_ % 3 == 2:
        return tuple(a.mT.contiguous().mT if a.dim() > 1 else a for a in args)
    return args


EXERCISE = Exercise(
    id="16.faithful",
    name="debug_faithfulness",
    title="Can this table be wrong?",
    objectives=("16-O4",),
    difficulty=4,
    minutes=30,
    points=4,
    task="Write evaluate(x, labels, maps, floor_maps, baseline, w1, b1, w2, b2) for the network logits(x, w1, b1, w2, "
    "b2) = tanh(x @ w1.T + b1) @ w2.T + b2. maps (methods, batch, features) are signed, floor_maps (draws, batch, "
    "features) are random. For each map and example take the features away one after the other, the largest signed "
    "value first, by putting the value of baseline (features,) in their place; what is gone stays gone. Return "
    "(curves, area, better): curves (methods, features + 1, batch), the label's logit from nothing gone to all gone; "
    "area (methods, batch), under each curve, by trapezoids over the share that is gone, from 0 to 1; better (methods, "
    "batch), bool: is this area below the mean of the areas of the floor's maps for the same example?",
    ranges="1 to 4 examples, 2 to 5 features, 2 to 4 classes, 2 to 4 hidden units, 1 to 3 methods, 3 to 5 draws; "
    "numbers of x from -2 to 2, of the baseline from 1/4 to 1; no two values of a map of the same size for an example; "
    "no area within 0.001 of its floor; float32 and float64; tensors that are views of others",
    hints=(
        "Each of the experiments has an end that you know beforehand. Which line is wrong, and which part of the "
        "program alone could make it so?",
        "In what order do the features go if one of them speaks strongly *against* the class? Whose logit is it, when "
        "the answer has changed? What stands where something was taken away? And with how many random orders is a map "
        "compared?",
        "order = ranking.argsort(dim=1, descending=True); what goes gets that feature's value, baseline["
        "order[:, turn]]; z[torch.arange(len(x)), labels]; the floor is the mean over the draws, dim=0, of areas made "
        "in the same way.",
    ),
    reference=evaluate,
    walkthrough="Every curve begins at x and ends at the baseline, with the label's logit throughout, so only the "
    "order decides how low it runs. One random order is luck, and the mean of several is the worth of knowing nothing.",
    where=WHERE,
    check=check,
)
