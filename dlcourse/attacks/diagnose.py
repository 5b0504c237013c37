"""Is the model robust, or does it only hide its slopes? A checklist for accuracies that were measured with gradients.

A defence may stop an attack because no change fools the model, or because the attack cannot see where to go: slopes of
0, rounded inputs, answers drawn at random. The second is no defence: whoever asks otherwise gets through (Athalye,
Carlini and Wagner, 2018, arXiv:1802.00420, section 3.1, whose signs these are; Carlini et al., 2019, arXiv:1902.06705,
section 5). Each sign is an experiment with a number beside it. Where it fails: a model without a sign may still be
broken by an attack made for it; and a sign says where to look, not how accurate the model is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from dlcourse.attacks.fgsm import fgsm
from dlcourse.attacks.objective import Goal, Model, answers, asking, begin, fooled, look
from dlcourse.attacks.pgd import pgd
from dlcourse.attacks.square import square
from dlcourse.attacks.threat import L1, Threat
from dlcourse.nn.sizes import whole
from dlcourse.types import Bool, Float, Int, Tensor

FEW = 0.05  # share of the examples, at least 2 of them, by which attacks may differ on honest models (3 of 99 was seen)
NOISE = 1e-4  # of the logits' spread: what rounding changes from call to call
SOME = 0.1  # share of examples without a slope, or that never move, that is no accident
CALLS = 5
VALUES = 5  # of eps, from the threat's to the whole box


@dataclass(frozen=True)
class Evidence:
    """One item of the checklist."""

    name: str
    question: str  # a yes is a sign that slopes are masked
    means: str  # what each number of `found` is a share of, "{}" for its name: "fooled by {}"
    found: dict[str, float]  # what was measured, by name: shares of the examples, in [0, 1]
    verdict: bool  # the answer: is it a sign?
    says: str  # what was found, in words

    @property
    def rows(self) -> dict[str, float]:
        """`found` in words that need nothing beside them: {"fooled by one step": 0.4, ...}."""
        return {self.means.format(name): share for name, share in self.found.items()}


@dataclass(frozen=True)
class Diagnosis:
    """The whole checklist. `plot.diagnosis(report)` draws it."""

    items: tuple[Evidence, ...]
    examples: int  # that the model gets right without an attack; all shares are of these

    @property
    def masked(self) -> bool:
        """Is there any sign? Then an accuracy that was measured with slopes is not to be believed."""
        return any(item.verdict for item in self.items)

    def __getitem__(self, name: str) -> Evidence:
        """The item of this name. Raises KeyError for another, with those there are."""
        for item in self.items:
            if item.name == name:
                return item
        raise KeyError(f"no item {name!r}; the items are {', '.join(item.name for item in self.items)}")

    def __str__(self) -> str:
        head = "Slopes seem masked" if self.masked else "No sign of masked slopes"
        rows = [f"  {'!' if item.verdict else ' '} {item.name}: {item.says}" for item in self.items]
        return "\n".join([f"{head}, by {self.examples} examples.", *rows])


def diagnose(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 40,
    queries: int = 300,
    draws: int = 50,
    generator: torch.Generator,
) -> Diagnosis:
    """Look for signs of masked slopes, on those of the examples (batch, ...) that the model gets right.

    steps: of PGD, with the cross-entropy, as most defences are measured. queries: of Square, which sees no slope (left
    out in L1, for which it is not made). draws: random points of the ball for each example. A hundred examples say
    enough, twenty something. Takes about steps * 6 passes forward and back, and queries + draws forward. Raises
    ValueError when the model gets no example right, or eps is 0, and what `pgd` refuses.

    >>> from dlcourse.attacks import Linf
    >>> weight, g = torch.tensor([[0.0, 1.0], [0.0, -1.0]]), torch.Generator().manual_seed(0)
    >>> x = torch.rand(200, 2, generator=g)
    >>> labels = (x @ weight).argmax(1)
    >>> diagnose(lambda x: x @ weight, x, labels, Linf(0.1), generator=g).masked
    False
    >>> report = diagnose(lambda x: (4 * x).round() @ weight, x, labels, Linf(0.1), generator=g)  # it rounds its input
    >>> [item.name for item in report.items if item.verdict]
    ['black box', 'unbounded', 'random points', 'slopes', 'stillness']
    """
    x, _ = begin("diagnose", x, labels, threat)
    steps, queries, draws = whole("diagnose", 1, steps=steps, queries=queries, draws=draws)
    with asking(model):
        right = ~fooled(answers(model, x), labels)
    if not right.any() or not threat.eps:
        raise ValueError(
            f"diagnose got {len(x)} examples, of which the model gets {int(right.sum())} right, and {threat}; wanted "
            "some that it gets right, and an eps above 0. Do the labels belong to the examples?"
        )
    x, labels = x[right], labels[right]
    lab = _Lab(model, x, labels, threat)
    slopes = _slopes(lab)
    blind = slopes.found["exactly 0"] == 1  # then an attack by slopes stays where it is

    def by_slopes(attack: Callable[..., Tensor], threat: Threat, **options: int | torch.Generator) -> Tensor:
        if blind:
            return torch.zeros_like(labels, dtype=torch.bool)
        return lab.fooled(attack(model, x, labels, threat, **options))

    many = by_slopes(pgd, threat, steps=steps, generator=generator)
    largest = threat.norm(torch.ones_like(x[:1])).item()
    values = [threat.eps * max(largest / threat.eps, 1.0) ** (k / (VALUES - 1)) for k in range(VALUES)]
    wider = [by_slopes(pgd, replace(threat, eps=eps), steps=steps, generator=generator) for eps in values[1:]]
    items = [_one_step(by_slopes(fgsm, threat), many)]
    if not isinstance(threat, L1):
        items.append(_black_box(lab.fooled(square(model, x, labels, threat, steps=queries, generator=generator)), many))
    items += [_unbounded(wider[-1]), _larger(values, [many, *wider]), _random(lab, many, draws, generator), slopes]
    items += [_call_to_call(lab), _stillness(lab, generator)]
    return Diagnosis(tuple(items), len(x))


@dataclass(frozen=True, eq=False)
class _Lab:
    """What the experiments are made with: a model, and examples that it gets right."""

    model: Model
    x: Float[Tensor, "batch ..."]
    labels: Int[Tensor, " batch"]
    threat: Threat

    def logits(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        with asking(self.model):
            return answers(self.model, x)

    def fooled(self, x_adv: Float[Tensor, "batch ..."]) -> Bool[Tensor, " batch"]:
        return fooled(self.logits(x_adv), self.labels)


def _one_step(one: Tensor, many: Tensor) -> Evidence:
    return Evidence(
        "one step",
        "Does one step fool more than many steps do?",
        "fooled by {}",
        {"one step": _share(one), "many steps": _share(many)},
        _more(one, many),
        f"one step fools {_share(one):.0%}, many steps fool {_share(many):.0%}.",
    )


def _black_box(asked: Tensor, many: Tensor) -> Evidence:
    return Evidence(
        "black box",
        "Does an attack that sees no slope fool more than one that follows slopes?",
        "fooled by {}",
        {"a black box": _share(asked), "slopes": _share(many)},
        _more(asked, many),
        f"Square fools {_share(asked):.0%}, slopes {_share(many):.0%}.",
    )


def _unbounded(widest: Tensor) -> Evidence:
    return Evidence(
        "unbounded",
        "Is the model still right when the attacker may change everything?",
        "{} without a bound",
        {"still right": _share(~widest)},
        _more(~widest),
        f"with the whole box to move in, slopes leave {_share(~widest):.0%} right; any image can be made another.",
    )


def _larger(values: list[float], success: list[Tensor]) -> Evidence:
    shares = [_share(found) for found in success]
    lost = max(int(before.sum()) - int(after.sum()) for before, after in pairwise(success))
    n = len(success[0])
    return Evidence(
        "larger eps",
        "Does a larger eps fool fewer?",
        "fooled by slopes at {}",
        {f"eps {eps:.3g}": share for eps, share in zip(values, shares, strict=True)},
        lost > _few(n),
        f"from eps {values[0]:.3g} to {values[-1]:.3g} the share that is fooled goes from {shares[0]:.0%} to "
        f"{shares[-1]:.0%}, and falls by {max(lost, 0) / n:.0%} at most on the way.",
    )


def _random(lab: _Lab, many: Tensor, draws: int, generator: torch.Generator) -> Evidence:
    found = torch.zeros_like(many)
    for _ in range(draws):
        found |= lab.fooled(lab.threat.random(lab.x, generator=generator))
    only = found & ~many
    return Evidence(
        "random points",
        "Do random points of the ball fool where slopes do not?",
        "fooled by {}",
        {"random points": _share(found), "slopes": _share(many), "random points alone": _share(only)},
        _more(only),
        f"{draws} random points fool {_share(found):.0%}, slopes {_share(many):.0%}; {_share(only):.0%} only random.",
    )


def _slopes(lab: _Lab) -> Evidence:
    try:
        gradient = look(lab.model, lab.x, Goal(lab.labels)).gradient.flatten(1)
    except ValueError:  # the model answers, so it is the slope that is missing
        none, odd = torch.ones_like(lab.labels, dtype=torch.bool), torch.zeros_like(lab.labels, dtype=torch.bool)
    else:
        none, odd = (gradient == 0).all(1), ~gradient.isfinite().all(1)
    return Evidence(
        "slopes",
        "Are slopes 0 or not finite?",
        "slope {}",
        {"exactly 0": _share(none), "not finite": _share(odd)},
        _share(none | odd) > SOME,
        f"the cross-entropy has a slope of exactly 0 at {_share(none):.0%}, and one that is not finite at "
        f"{_share(odd):.0%}.",
    )


def _call_to_call(lab: _Lab) -> Evidence:
    calls = torch.stack([lab.logits(lab.x) for _ in range(CALLS)])
    differ = (calls.amax(0) - calls.amin(0)).amax(1) > NOISE * (calls[0].amax() - calls[0].amin())
    other = (calls.argmax(2) != calls[0].argmax(1)).any(0)
    return Evidence(
        "call to call",
        "Does the model answer otherwise when it is asked again?",
        "{} when asked again",
        {"other logits": _share(differ), "other answer": _share(other)},
        _more(differ),
        f"asked {CALLS} times the same, it gives other logits for {_share(differ):.0%}, another class for "
        f"{_share(other):.0%}.",
    )


def _stillness(lab: _Lab, generator: torch.Generator) -> Evidence:
    near = replace(lab.threat, eps=lab.threat.eps / 100).random(lab.x, generator=generator)
    still = (lab.logits(near) == lab.logits(lab.x)).all(1)
    return Evidence(
        "stillness",
        "Do all logits stay exactly as they are when x moves a little at random?",
        "all logits {} by a random move of eps / 100",
        {"unmoved": _share(still)},
        _share(still) > SOME,
        f"a random move by a hundredth of eps leaves all logits exactly as they were at {_share(still):.0%}.",
    )


def _share(which: Tensor) -> float:
    return which.float().mean().item()


def _few(n: int) -> float:
    return max(2.0, FEW * n)


def _more(which: Tensor, than: Tensor | None = None) -> bool:
    """More by more than a few."""
    return int(which.sum()) - (0 if than is None else int(than.sum())) > _few(len(which))
