"""15.radius: what the counts under noise certify: a class and a radius, or nothing."""

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.ch15.shared import WHERE, Mistakes, size, suspects
from dlcourse.checks.examiner import Examiner, Suspect, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Certified = tuple[int, float]
NAMES = "(label, radius)"
ABSTAINS = -1, 0.0


def certificate(selection, estimation, sd, alpha):
    from scipy.stats import beta, norm

    label = int(selection.argmax())
    k, n = int(estimation[label]), int(estimation.sum())
    lower = float(beta.ppf(alpha, k, n - k + 1)) if k else 0.0
    return (label, sd * float(norm.ppf(lower))) if lower > 1 / 2 else (-1, 0.0)


def clopper_pearson(k: float, n: float, alpha: float) -> float:
    """The p at which k or more of n have a probability of alpha; 0 for k = 0."""
    from scipy.special import betaincinv

    return float(betaincinv(k, n - k + 1, alpha)) if k > 0 else 0.0


def normal(p: float) -> float:
    """The p-quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(p))


def _wilson(k: int, n: int, alpha: float) -> float:
    z = -normal(alpha)
    p = k / n
    return (p + z * z / (2 * n) - z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5) / (1 + z * z / n)


def _shifted(a: float, b: float, alpha: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, alpha)) if a > 0 and b > 0 else float(b <= 0)


BOUNDS: dict[str, Callable[[int, int, float], float]] = {  # of k successes in n draws
    "exact": clopper_pearson,
    "p-hat": lambda k, n, alpha: k / n,
    "two-sided": lambda k, n, alpha: clopper_pearson(k, n, alpha / 2),
    "doubled": lambda k, n, alpha: clopper_pearson(k, n, 2 * alpha),
    "normal": lambda k, n, alpha: k / n + normal(alpha) * (k / n * (1 - k / n) / n) ** 0.5,
    "two-sided normal": lambda k, n, alpha: k / n + normal(alpha / 2) * (k / n * (1 - k / n) / n) ** 0.5,
    "wilson": _wilson,
    "hoeffding": lambda k, n, alpha: k / n - (-torch.tensor(alpha, dtype=torch.float64).log().item() / (2 * n)) ** 0.5,
    "upper": lambda k, n, alpha: _shifted(k + 1, n - k, 1 - alpha),
    "turned round": lambda k, n, alpha: _shifted(k, n - k + 1, 1 - alpha),
    "no + 1": lambda k, n, alpha: _shifted(k, n - k, alpha),
    "uniform prior": lambda k, n, alpha: _shifted(k + 1, n - k + 1, alpha),
    "upper's parameters": lambda k, n, alpha: _shifted(k + 1, n - k, alpha),
    "swapped": lambda k, n, alpha: _shifted(n - k + 1, k, alpha),
}


def _logit(p: float) -> float:
    return torch.tensor(p, dtype=torch.float64).logit().item()


RADII: dict[str, Callable[[float, float], float]] = {  # of a lower bound and sd
    "quantile": lambda p, sd: sd * normal(p),
    "no sd": lambda p, sd: normal(p),
    "over sd": lambda p, sd: normal(p) / sd,
    "variance": lambda p, sd: sd * sd * normal(p),
    "half": lambda p, sd: sd / 2 * normal(p),
    "twice": lambda p, sd: 2 * sd * normal(p),
    "probability": lambda p, sd: sd * p,
    "above a half": lambda p, sd: sd * (p - 1 / 2),
    "cdf": lambda p, sd: sd * (1 + torch.erf(torch.tensor(p / 2**0.5, dtype=torch.float64)).item()) / 2,
    "logit": lambda p, sd: sd * _logit(p),
    "shifted": lambda p, sd: normal(p) + sd,
    "scaled": lambda p, sd: normal(1 - p) * sd,
}


def _certificate(
    selection: Tensor,
    estimation: Tensor,
    sd: float,
    alpha: float,
    *,
    chosen: str = "selection",
    counted: str = "estimation",
    bound: str = "exact",
    radius: str = "quantile",
    abstains: str = "below 1/2",
    count: str = "label",
    over: str = "estimation",
) -> Certified:
    """Both with some of the faults."""
    pools = {"selection": selection, "estimation": estimation, "both": selection + estimation}
    label = int(pools[chosen].argmax())
    if chosen == "least":
        label = int(selection.argmin())
    counts = pools[counted]
    k, n = int(counts[label]), int(counts.sum())
    if count == "largest":
        k = int(counts.max())
    if over == "both":
        n = int(pools["both"].sum())
    elif over == "selection":
        n = max(int(selection.sum()), k)
    elif over == "1,000":
        n = 1_000
    elif over == "top two":
        n = int(counts.topk(2).values.sum()) if label in counts.topk(2).indices.tolist() else n
    lower = clopper_pearson(k, n, alpha / len(counts)) if bound == "bonferroni" else BOUNDS[bound](k, n, alpha)
    lower = min(max(lower, 0.0), 1.0)
    if abstains == "by p-hat":
        return (label, RADII[radius](lower, sd)) if k / n > 1 / 2 else ABSTAINS
    if abstains == "never":
        return label, RADII[radius](lower, sd)
    if abstains == "only the radius":
        return label, max(RADII[radius](lower, sd), 0.0)
    if abstains == "only the label":
        return label if lower > 1 / 2 else -1, RADII[radius](lower, sd)
    if abstains == "if they differ":
        same = int(selection.argmax()) == int(estimation.argmax())
        return (label, max(RADII[radius](lower, sd), 0.0)) if same else ABSTAINS
    if radius == "two classes":
        others = counts.clone()
        others[label] = -1
        upper = BOUNDS["upper"](int(others.max()), n, alpha)
        found = sd / 2 * (normal(lower) - normal(min(upper, 1.0)))
        return (label, found) if found > 0 else ABSTAINS
    if radius == "two classes, p-hat":
        others = counts.clone()
        others[label] = -1
        found = sd / 2 * (normal(lower) - normal(int(others.max()) / n))
        return (label, found) if found > 0 else ABSTAINS
    return (label, RADII[radius](lower, sd)) if lower > 1 / 2 else ABSTAINS


EXACT = "The lower bound is the p at which k or more of n have a probability of alpha: beta.ppf(alpha, k, n - k + 1)."
SEPARATE = (
    "Whoever picks the luckiest class and then counts the same draws sees its luck twice. The class comes from "
    "`selection`, its count from `estimation` alone."
)
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: Mistakes = (
    (
        f"The class was chosen by the `estimation` counts, which then estimate it as well. {SEPARATE}",
        ({"chosen": "estimation"}, {"count": "largest"}),
    ),
    (
        f"Both samples were added to choose the class, which lets the second one choose as well. {SEPARATE}",
        ({"chosen": "both"},),
    ),
    (f"The `selection` counts were used for the bound as well. {SEPARATE}", ({"counted": "selection"},)),
    (
        f"Both samples were added, and judge together. {SEPARATE}",
        ({"counted": "both"}, {"chosen": "both", "counted": "both"}),
    ),
    (
        "n was counted over `selection`, alone or with `estimation`: n is the number of draws in `estimation`, its "
        "sum.",
        ({"over": "both"}, {"over": "selection"}),
    ),
    (
        "n was 1,000, whatever the counts: n is the number of draws in `estimation`, its sum.",
        ({"over": "1,000"},),
    ),
    (
        "The number of draws is that of the two most frequent classes: n is the sum of `estimation`.",
        ({"over": "top two"},),
    ),
    (
        "The share k / n itself was taken for the bound. By chance it is too high half of the time, and then the "
        "certificate is false. It has to be a lower bound that fails with a probability of alpha at most.",
        ({"bound": "p-hat"},),
    ),
    (
        "alpha was halved, as for an interval with two ends. Here only a p that is too high does harm: one end, all of "
        "alpha.",
        ({"bound": "two-sided"},),
    ),
    ("alpha was doubled.", ({"bound": "doubled"},)),
    (
        "This is the normal approximation of the bound. It is no guarantee: near 1, where the radius is large, it "
        f"promises too much. {EXACT}",
        ({"bound": "normal"}, {"bound": "two-sided normal"}, {"bound": "wilson"}),
    ),
    (
        "This is Hoeffding's bound: it holds, and gives radius away. The exact one is asked. " + EXACT,
        ({"bound": "hoeffding"},),
    ),
    (
        "This is a bound from *above*, or 1 - alpha stands where alpha belongs: a certificate needs the smallest p "
        "that fits the counts. " + EXACT,
        ({"bound": "upper"}, {"bound": "turned round"}),
    ),
    (
        f"The parameters of the beta distribution are a little off. {EXACT}",
        ({"bound": "no + 1"}, {"bound": "uniform prior"}, {"bound": "upper's parameters"}),
    ),
    (f"The parameters of the beta distribution are swapped. {EXACT}", ({"bound": "swapped"},)),
    (
        "alpha was shared out among the classes. The class is chosen before, from other draws, so only one bound can "
        "fail.",
        ({"bound": "bonferroni"},),
    ),
    (
        "sd is missing in the radius: the quantile counts in units of the noise.",
        ({"radius": "no sd"},),
    ),
    ("The radius is sd *times* the quantile.", ({"radius": "over sd"}, {"radius": "shifted"})),
    (
        "sd was squared: it is the standard deviation, and the radius is sd times the quantile.",
        ({"radius": "variance"},),
    ),
    (
        "The radius has a factor too many: with 1 - lower for all other classes together, sd / 2 * (Phi^-1(lower) - "
        "Phi^-1(1 - lower)) is sd * Phi^-1(lower).",
        ({"radius": "half"}, {"radius": "twice"}),
    ),
    (
        "The bound itself, or its distance from 1/2, was multiplied by sd: first the quantile of the normal "
        "distribution, norm.ppf(lower).",
        ({"radius": "probability"}, {"radius": "above a half"}),
    ),
    (
        "norm.cdf makes a probability of a number: wanted is the number that belongs to a probability, norm.ppf.",
        ({"radius": "cdf"},),
    ),
    ("A logit was taken for the quantile: the noise is normal, so norm.ppf.", ({"radius": "logit"},)),
    (
        "The second most frequent class was looked at for itself. It could be allowed with a bound of its own and a "
        "share of alpha; asked is the simpler way: all other classes together have at most 1 - lower.",
        ({"radius": "two classes"}, {"radius": "two classes, p-hat"}),
    ),
    (
        "There is no abstention: where the bound is not above 1/2, another class may be the more frequent one. Return "
        "(-1, 0.0) there.",
        ({"abstains": "never"}, {"abstains": "only the radius"}),
    ),
    ("Where it abstains, the radius is 0.0.", ({"abstains": "only the label"},)),
    (
        "It abstains by the share k / n: the *bound* has to be above 1/2.",
        ({"abstains": "by p-hat"},),
    ),
    (
        "It abstains where the two samples disagree on the class. Not needed: the bound says whether the class is "
        "above 1/2.",
        ({"abstains": "if they differ"},),
    ),
)


def _two(got: Any) -> bool:
    return type(got) in (tuple, list) and len(got) == 2


# After the mistakes above. The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        f"The two are swapped: {NAMES}.",
        lambda got, wanted, *args: (
            _two(got)
            and number(got[1]) == wanted[0]
            and abs(number(got[0]) - wanted[1]) < 1e-5 * (1 + wanted[1])
            and wanted[0] != wanted[1]
        ),
    ),
    Suspect(
        "The numbers are right: label is an int and radius a float, in a tuple. int(...) and float(...) make them.",
        lambda got, wanted, *args: (
            _two(got)
            and all(abs(number(one) - right) < 1e-5 * (1 + abs(right)) for one, right in zip(got, wanted, strict=True))
        ),
    ),
    Suspect(
        "The radius is nan: beta.ppf(alpha, k, n - k + 1) is nan for k = 0, where the bound is 0 without it. (And for "
        "an n below k: n is the number of draws in `estimation`.)",
        lambda got, wanted, *args: _two(got) and type(got[1]) is float and math.isnan(got[1]),
    ),
    Suspect(
        "Where it abstains, two numbers come back as well: (-1, 0.0). (Nothing was returned: no line with `return` was "
        "reached.)",
        lambda got, wanted, *args: wanted == ABSTAINS and got is None,
    ),
    Suspect(
        "Where it abstains, two numbers come back as well: (-1, 0.0).",
        lambda got, wanted, *args: wanted == ABSTAINS and _two(got) and got[0] is None,
    ),
    Suspect(
        "Two numbers come back: return label, radius.", lambda got, wanted, *args: not _two(got) and got is not None
    ),
    Suspect(
        "The radius is right, and the label is not: the class with the largest count in `selection`.",
        lambda got, wanted, *args: (
            _two(got) and abs(number(got[1]) - wanted[1]) < 1e-5 * (1 + wanted[1]) and number(got[0]) != wanted[0]
        ),
    ),
)
CRASHES = (
    IN_PLACE,
    (
        "No module named",
        "The exercise needs scipy.stats: from scipy.stats import beta, norm.",
    ),
    ("name 'beta' is not defined", "beta and norm are imported in the first cell of this exercise: run it."),
    ("name 'norm' is not defined", "beta and norm are imported in the first cell of this exercise: run it."),
    ("float division by zero", "Something was divided by a count, and a count may be 0."),
)
WRONG = (
    "By hand: the class with the most selection counts; its count k among the n of estimation; lower = beta.ppf(alpha, "
    "k, n - k + 1), 0 for k = 0; if lower is above 1/2 the radius is sd * norm.ppf(lower), else (-1, 0.0)."
)


def check(subject: Subject, seed: int | None) -> str:
    passed: list[tuple[Any, ...]] = []
    mistakes = suspects(_certificate, MISTAKES, passed)
    ask = Examiner("15.radius", "certificate", subject, (*mistakes, *SUSPECTS), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(16))):
        ask.value(args, _certificate(*args), generic=WRONG, names=NAMES)
        passed.append(args)
    return f"right on {ask.asked} pairs of counts. Such a certificate is false once in 1 / alpha times at most."


def cases() -> list[tuple[Any, ...]]:
    """A mistake shows on one of the first six, with numbers of its own. Then all of ten, none of forty, and more.

    The first three are for a wrong n: on the others, it abstains, as many a mistake does.
    """

    def counts(*numbers: int) -> Tensor:
        return torch.tensor(numbers)

    return [
        (counts(10, 70, 2), counts(23, 7, 0), 0.75, 0.05),
        (counts(10, 40, 5), counts(30, 45, 35), 1.0, 0.01),
        (counts(1, 5, 34), counts(40, 60, 800), 1.25, 0.001),
        (counts(0, 2, 14), counts(4, 68, 185), 0.75, 0.05),
        (counts(9, 12, 2), counts(140, 50, 10), 1.5, 0.01),
        (counts(8, 7, 0), counts(57, 43, 0), 0.5, 0.001),
        (counts(0, 5), counts(0, 10), 0.5, 0.001),
        (counts(5, 15, 0), counts(160, 40, 0), 0.5, 0.05),
        (counts(4, 16, 2), counts(390, 580, 30), 2.0, 0.05),
        (counts(3, 2, 1), counts(0, 30, 10), 1.0, 0.01),
        (counts(70, 20, 10), counts(46, 40, 14), 1.0, 0.05),
    ]


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    """Counts of draws from the same shares; again, while two classes share the first place of the selection."""
    while True:
        classes = size(generator, 2, 6)
        shares = torch.rand(classes, generator=generator, dtype=torch.float64)
        shares[size(generator, 0, classes - 1)] += (0, 2, 8, 60)[round_ % 4]
        first, second = (
            torch.multinomial(shares, size(generator, *least_most), replacement=True, generator=generator).bincount(
                minlength=classes
            )
            for least_most in ((5, 100), (20, 1000))
        )
        sd, alpha = size(generator, 2, 16) / 8, (0.001, 0.01, 0.05)[size(generator, 0, 2)]
        top = first.topk(2).values
        k, n = int(second[first.argmax()]), int(second.sum())
        if top[0] > top[1] and abs(clopper_pearson(k, n, alpha) - 1 / 2) > 1e-3:
            return first, second, sd, alpha


EXERCISE = Exercise(
    id="15.radius",
    name="certificate",
    title="A radius from counts",
    objectives=("15-O5",),
    difficulty=2,
    minutes=15,
    points=3,
    task="Write certificate(selection, estimation, sd, alpha): two samples of noisy copies of one example were "
    "classified, and `selection` and `estimation`, (classes,), count the answers; sd is the standard deviation of the "
    "noise. The class is the one most often answered in `selection`. From `estimation` comes Clopper and Pearson's "
    "exact lower bound of its probability, one-sided at alpha: the p at which as many answers or more have a "
    "probability of alpha; 0 for no answer. Return (label, radius), an int and a float: the class, and sd times the "
    "normal distribution's quantile of the bound; (-1, 0.0) where the bound is not above 1/2.",
    ranges="2 to 6 classes, 5 to 100 draws to select and 10 to 1,000 to estimate, never a tie for the first place in "
    "`selection`; sd from 1/4 to 2; alpha 0.001, 0.01 or 0.05; a bound that is never within 0.001 of 1/2",
    hints=(
        "Which of the two samples may choose, and which may judge? And why is the share k / n not good enough for a "
        "certificate?",
        "label from selection.argmax(); k and n from estimation. scipy.stats.beta.ppf(alpha, k, n - k + 1) is the "
        "bound, for k above 0. The radius is sd * scipy.stats.norm.ppf(bound).",
        "label = int(selection.argmax()); k, n = int(estimation[label]), int(estimation.sum()); lower = "
        "beta.ppf(alpha, k, n - k + 1) if k > 0 else 0; then (label, sd * norm.ppf(lower)) as int and float if lower > "
        "1 / 2, else (-1, 0.0).",
    ),
    reference=certificate,
    walkthrough="The class is fixed before the second sample is looked at, so its count is an honest one. The exact "
    "bound is too high with a probability of alpha at most, and from a probability above 1/2 under normal noise the "
    "quantile makes a distance that no change shorter than it can overcome.",
    where=WHERE,
    check=check,
)
