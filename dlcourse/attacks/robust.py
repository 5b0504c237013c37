"""What a model is worth under attack: the share of examples that it gets right whatever the attacks try.

    robust accuracy = mean over examples of  [right on x, and right on every attack's x_adv]

The worst case counts example by example, not the worst attack on average: the attacker may choose for each picture
(Carlini et al., 2019, arXiv:1902.06705). Where it fails: it is an upper bound. An attack that nobody ran,
or that was run badly, takes nothing away, so the true robust accuracy is this or less; only a certificate bounds it
from below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from dlcourse.attacks.objective import Model, answers, asking, begin, fooled
from dlcourse.attacks.threat import Threat
from dlcourse.attacks.transfer import Attack
from dlcourse.nn.sizes import whole
from dlcourse.training.bar import bar
from dlcourse.training.interrupt import Interrupted, held_back
from dlcourse.types import Float, Int, Tensor

STANDS, BEFORE = -1, -2  # in `fooled_by`: nothing fooled it; it was wrong without an attack


@dataclass(frozen=True, eq=False)
class RobustAccuracy:
    """Shares of all examples, in [0, 1]; robust <= every value of per_attack <= clean."""

    clean: float  # right without an attack
    robust: float  # right whatever was tried
    per_attack: dict[str, float]  # right after this attack and all before it in the list
    fooled_by: Int[Tensor, " batch"]  # index of the attack that fooled it first; -1: none did; -2: wrong already
    x_adv: Float[Tensor, "batch ..."]  # what fooled it; x itself where nothing did, or nothing had to

    @property
    def successes(self) -> dict[str, int]:
        """How many examples each attack fooled that none before it had."""
        return {name: int((self.fooled_by == i).sum()) for i, name in enumerate(self.per_attack)}


def robust_accuracy(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    attacks: Mapping[str, Attack],
    *,
    size: int = 256,
    progress: bool = True,
) -> RobustAccuracy:
    """The worst case over `attacks`, name -> attack(model, x, labels, threat), in their order.

    Each attack tries only the examples that still stand, `size` of them at a time, so the quick ones go first. What it
    gives is judged here: whether it lies within the threat and in [0, 1], and what the model says to it, in eval mode.
    Raises ValueError for an attack that leaves the threat, no attacks, no examples, and what the attacks refuse;
    Interrupted after a Ctrl-C, whose `history` is the result for the examples that were done (None if there were
    none), with as many as it has in `fooled_by`.

    >>> from dlcourse.attacks import Linf, fgsm
    >>> weight, x = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0], [0.4], [0.8]])
    >>> model = lambda x: x @ weight - torch.tensor([0.0, 0.5])
    >>> found = robust_accuracy(model, x, torch.tensor([0, 0, 0]), Linf(0.2), {"fgsm": fgsm})
    >>> round(found.clean, 3), round(found.robust, 3), found.fooled_by
    (0.667, 0.333, tensor([-1,  0, -2]))
    """
    x, _ = begin("robust_accuracy", x, labels, threat)
    (size,) = whole("robust_accuracy", 1, size=size)
    if not attacks or not len(x):
        raise ValueError(f"robust_accuracy got {len(attacks)} attacks and {len(x)} examples; wanted at least one each.")
    parts: list[tuple[Tensor, Tensor]] = []
    chunks = list(zip(x.split(size), labels.split(size), strict=True))
    with held_back() as stopped, bar(len(chunks) * len(attacks), done=0, shown=progress) as tell:
        for x_part, label_part in chunks:
            part = _attacked(model, x_part, label_part, threat, attacks, tell, stopped)
            if part is None:
                done = sum(len(found) for found, _ in parts)
                raise Interrupted(
                    f"Stopped after {done} of {len(x)} examples. The exception's history has their result.",
                    _summary(parts, attacks) if parts else None,
                )
            parts.append(part)
    return _summary(parts, attacks)


@dataclass(frozen=True, eq=False)
class EpsilonCurve:
    """How the accuracy falls as the attacker may do more."""

    eps: tuple[float, ...]
    accuracy: tuple[float, ...]  # under the attack with each eps, in [0, 1]


def epsilon_curve(
    model: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat_of: Callable[[float], Threat],
    eps: Sequence[float],
    attack: Attack,
    *,
    size: int = 256,
    progress: bool = True,
) -> EpsilonCurve:
    """The accuracy under `attack` within threat_of(e), for each e of `eps`: threat_of is Linf, L2 or L1.

    Each is measured by itself. A larger ball holds the smaller, so the true curve never rises, and one that does shows
    an attack that fails. Errors as `robust_accuracy`; after a Ctrl-C the history is the curve so far.

    >>> from dlcourse.attacks import Linf, fgsm
    >>> weight, x = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0], [0.4]])
    >>> model = lambda x: x @ weight - torch.tensor([0.0, 0.5])
    >>> epsilon_curve(model, x, torch.tensor([0, 0]), Linf, [0.0, 0.2, 1.0], fgsm).accuracy
    (1.0, 0.5, 0.0)
    """
    eps, found = tuple(map(float, eps)), []
    with bar(len(eps), done=0, shown=progress) as tell:
        for value in eps:
            try:
                attacks = {"attack": attack}
                result = robust_accuracy(model, x, labels, threat_of(value), attacks, size=size, progress=False)
            except Interrupted as stop:
                so_far = EpsilonCurve(eps[: len(found)], tuple(found))
                raise Interrupted(f"Stopped after {len(found)} of {len(eps)} values of eps.", so_far) from stop
            found.append(result.robust)
            tell(f"eps {value:g}: {result.robust:.1%}")
    return EpsilonCurve(eps, tuple(found))


def _attacked(
    model: Model,
    x: Tensor,
    labels: Tensor,
    threat: Threat,
    attacks: Mapping[str, Attack],
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
) -> tuple[Tensor, Tensor] | None:
    """fooled_by and x_adv of some examples; None when it was stopped before all attacks had tried."""
    with asking(model):
        wrong = fooled(answers(model, x), labels)
    fooled_by, worst = torch.where(wrong, BEFORE, STANDS), x.clone()
    for index, (name, attack) in enumerate(attacks.items()):
        if stopped():
            return None
        rows = (fooled_by == STANDS).nonzero()[:, 0]
        if len(rows):
            found = _allowed(name, attack(model, x[rows], labels[rows], threat), x[rows], threat)
            with asking(model):
                wrong = fooled(answers(model, found), labels[rows])
            fooled_by[rows[wrong]], worst[rows[wrong]] = index, found[wrong]
        tell(name)
    return fooled_by, worst


def _allowed(name: str, x_adv: Tensor, x: Tensor, threat: Threat) -> Tensor:
    """The same, if the attack kept to the threat."""
    if x_adv.shape != x.shape:
        raise ValueError(f"The attack {name!r} made {tuple(x_adv.shape)} of x {tuple(x.shape)}; wanted one for each.")
    x_adv = x_adv.detach()
    outside = ~threat.contains(x_adv, x)
    if outside.any():
        first = x_adv[outside][:1]
        raise ValueError(
            f"The attack {name!r} left the threat for {int(outside.sum())} of {len(x)} examples; one has pixels from "
            f"{first.min():g} to {first.max():g} at distance {threat.norm(first - x[outside][:1]).item():g}. Wanted "
            f"pixels in [0, 1] within {threat}: threat.project(x_adv, x) brings them there."
        )
    return x_adv


def _summary(parts: Sequence[tuple[Tensor, Tensor]], attacks: Mapping[str, Attack]) -> RobustAccuracy:
    fooled_by, x_adv = (torch.cat(found) for found in zip(*parts, strict=True))
    n = len(fooled_by)
    right = [int((fooled_by != BEFORE).sum())]
    for index in range(len(attacks)):
        right.append(right[-1] - int((fooled_by == index).sum()))
    shares = [count / n for count in right]
    return RobustAccuracy(shares[0], shares[-1], dict(zip(attacks, shares[1:], strict=True)), fooled_by, x_adv)
