"""Randomised smoothing: a certificate that no attack within a radius can change the answer, whatever the attack.

The smoothed classifier answers what the model says most often when Gaussian noise of size `sd` is added to x. If the
noisy answer is class A with a probability of p, then no perturbation shorter than

    radius = sd * Phi^-1(p)        in the Euclidean distance, Phi the standard normal distribution, p > 1/2

changes the smoothed answer (Cohen, Rosenfeld and Kolter, 2019, arXiv:1902.02918, theorem 1 with p_B = 1 - p_A). p is
not known, only counted: the certificate uses a lower bound on it that is wrong with a probability of at most alpha.
Where it fails: it speaks of the smoothed classifier, not of the model. Each answer costs a thousand looks. With n looks
the radius is at most sd * Phi^-1(alpha^(1/n)), however robust the model. And other threats need another noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dlcourse.attacks.objective import answers, asking
from dlcourse.nn.sizes import whole
from dlcourse.training.bar import bar
from dlcourse.types import Float, Int, Tensor

ABSTAINS = -1  # the label of an example for which no class can be told, with this alpha
NOISY = 1000  # noisy copies that the model is asked at a time


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is promised for each example: inside `radius`, in L2, the smoothed classifier answers `label`."""

    label: Int[Tensor, " batch"]  # ABSTAINS, which is -1, where nothing can be promised
    radius: Float[Tensor, " batch"]  # in the units of x; 0 where it abstains
    lower: Float[Tensor, " batch"]  # what the probability of the label's class is at least; alpha is the risk
    counts: Int[Tensor, "batch classes"]  # answers to the noisy copies that the bound is made of

    def accuracy(self, labels: Int[Tensor, " batch"], radius: float = 0.0) -> float:
        """The share of examples, in [0, 1], that are right and certified at `radius` or more: the certified accuracy.

        Raises ValueError for no labels or another number of them.

        >>> half, counts = torch.tensor([0.5, 0.2]), torch.tensor([[0, 9], [9, 0]])
        >>> found = Certificate(torch.tensor([1, 0]), half, half, counts)
        >>> found.accuracy(torch.tensor([1, 0])), found.accuracy(torch.tensor([1, 0]), 0.3)
        (1.0, 0.5)
        """
        if labels.shape != self.label.shape or not len(labels):
            raise ValueError(
                f"accuracy got labels {tuple(labels.shape)} for {len(self.label)} certificates; wanted as many, and at "
                "least one."
            )
        return ((self.label == labels) & (self.radius >= radius)).sum().item() / len(labels)


def certify(
    model: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch ..."],
    *,
    sd: float,
    selection: int = 100,
    estimation: int = 1000,
    alpha: float = 0.001,
    progress: bool = True,
    generator: torch.Generator,
) -> Certificate:
    """Algorithm CERTIFY: `selection` noisy copies of an example choose a class, `estimation` new ones bound its share.

    They must not be the same: the class was chosen because it came often, and among the copies that chose it, it comes
    more often than it should. sd: of the noise, in the units of x; the noisy copies leave [0, 1]. alpha: with a
    probability of at most alpha, over the noise, an example's promise is wrong; it is 0.001 for each example, not for
    all of them together. The certificate abstains where the bound is 1/2 or less. progress: a bar on stdout once it
    takes long.

    The model answers in eval mode and is left as it was. The noise is drawn example after example, so that an
    example's certificate does not change when others are put behind it. Raises ValueError for an sd that is not above
    0, numbers of copies that are not whole or below 1, an alpha that is not between 0 and 1, and logits that are not
    (batch, classes).

    >>> sure = lambda x: torch.stack([x.sum(1), -x.sum(1)], dim=1)  # the boundary is the line x_1 + x_2 = 0
    >>> x = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    >>> found = certify(sure, x, sd=0.5, generator=torch.Generator().manual_seed(0))
    >>> found.label, found.radius  # the first one's true distance is the root of 2
    (tensor([ 0, -1]), tensor([1.1421, 0.0000]))
    """
    selection, estimation = whole("certify", 1, selection=selection, estimation=estimation)
    _check_sd("certify", sd)
    _check_alpha("certify", alpha)
    labels, lowers, radii, rows = [], [], [], []
    with bar(len(x), done=0, shown=progress) as tell:
        for example in x:
            first = noisy_counts(model, example, sd=sd, draws=selection, generator=generator)
            chosen = int(first.argmax())
            counts = noisy_counts(model, example, sd=sd, draws=estimation, generator=generator)
            lower = lower_bound(int(counts[chosen]), estimation, alpha=alpha)
            rows.append(counts)
            lowers.append(lower)
            radii.append(certified_radius(lower, sd=sd))
            labels.append(chosen if lower > 1 / 2 else ABSTAINS)
            tell("certified")
    return Certificate(
        torch.tensor(labels, dtype=torch.long, device=x.device),
        torch.tensor(radii, dtype=x.dtype, device=x.device),
        torch.tensor(lowers, dtype=x.dtype, device=x.device),
        torch.stack(rows) if rows else torch.zeros(0, 0, dtype=torch.long, device=x.device),
    )


def predict(
    model: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch ..."],
    *,
    sd: float,
    draws: int = 1000,
    alpha: float = 0.001,
    generator: torch.Generator,
) -> Int[Tensor, " batch"]:
    """Algorithm PREDICT: the smoothed classifier's answer to each example, without a radius; -1 where it abstains.

    The class that came most often is the answer, if the two that came most often are told apart: were both equally
    likely, so uneven a count would have a probability of at most alpha (a two-sided binomial test). So with a
    probability of at most alpha an answer is not the smoothed classifier's. Errors as `certify`.

    >>> sure = lambda x: torch.stack([x.sum(1), -x.sum(1)], dim=1)
    >>> predict(sure, torch.tensor([[1.0, 1.0], [0.0, 0.0]]), sd=0.5, generator=torch.Generator().manual_seed(0))
    tensor([ 0, -1])
    """
    (draws,) = whole("predict", 1, draws=draws)
    _check_sd("predict", sd)
    _check_alpha("predict", alpha)
    labels = []
    for example in x:
        counts = noisy_counts(model, example, sd=sd, draws=draws, generator=generator)
        (most, second), (label, _) = (part.tolist() for part in counts.topk(2))
        labels.append(label if 2 * _at_least(most, most + second, 1 / 2) <= alpha else ABSTAINS)
    return torch.tensor(labels, dtype=torch.long, device=x.device)


def noisy_counts(
    model: Callable[[Tensor], Tensor],
    example: Float[Tensor, "..."],
    *,
    sd: float,
    draws: int,
    generator: torch.Generator,
) -> Int[Tensor, " classes"]:
    """How often the model answers each class when asked about `draws` noisy copies of one example.

    >>> model, generator = lambda x: torch.cat([x, -x], dim=1), torch.Generator().manual_seed(0)
    >>> noisy_counts(model, torch.tensor([9.0]), sd=1.0, draws=5, generator=generator)
    tensor([5, 0])
    """
    (draws,) = whole("noisy_counts", 1, draws=draws)
    counts = []
    with asking(model):
        for begin in range(0, draws, NOISY):
            shape = min(NOISY, draws - begin), *example.shape
            noise = torch.randn(shape, generator=generator, device=generator.device).to(example)
            logits = answers(model, example + sd * noise)
            if logits.isnan().any():
                raise ValueError("The model's logits for noisy copies of x hold nan: it answers nothing there.")
            counts.append(logits.argmax(1).bincount(minlength=logits.shape[1]))
    return torch.stack(counts).sum(0)


def certified_radius(lower: float, *, sd: float) -> float:
    """sd * Phi^-1(lower), in the units of sd; 0 for a lower of 1/2 or less. lower: a probability below 1.

    >>> round(certified_radius(0.8413447, sd=0.5), 5), certified_radius(0.3, sd=0.5)
    (0.5, 0.0)
    """
    from scipy.special import ndtri

    _check_sd("certified_radius", sd)
    return max(sd * float(ndtri(lower)), 0.0)


def lower_bound(successes: int, draws: int, *, alpha: float) -> float:
    """Clopper and Pearson's exact bound (1934, Biometrika 26): p is at least this, but for a risk of at most alpha.

    It is the p for which so many successes or more among the draws have a probability of alpha: any smaller p makes
    what was seen less likely than that. No approximation by a normal distribution, which promises too much near 1.

    >>> lower_bound(0, 10, alpha=0.05), lower_bound(10, 10, alpha=0.05) == 0.05 ** (1 / 10)
    (0.0, True)
    """
    from scipy.special import betaincinv

    (draws,), (successes,) = whole("lower_bound", 1, draws=draws), whole("lower_bound", 0, successes=successes)
    if successes > draws:
        raise ValueError(f"lower_bound got {successes} successes of {draws} draws.")
    _check_alpha("lower_bound", alpha)
    return float(betaincinv(successes, draws - successes + 1, alpha)) if successes else 0.0


def lower_bound_definition(successes: int, draws: int, *, alpha: float) -> float:
    """The same by the definition: bisection on P(successes or more | p) = alpha, the sum written out.

    >>> round(lower_bound_definition(95, 100, alpha=0.001), 4), round(lower_bound(95, 100, alpha=0.001), 4)
    (0.8446, 0.8446)
    """

    def chance(p: float) -> float:
        return 1.0 - sum(math.comb(draws, k) * p**k * (1 - p) ** (draws - k) for k in range(successes))

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if chance(middle) > alpha else (middle, high)
    return low


def _at_least(successes: int, draws: int, p: float) -> float:
    """P(successes or more of the draws), each with probability p; successes is 1 or more."""
    from scipy.special import betainc

    return float(betainc(successes, draws - successes + 1, p))


def _check_sd(caller: str, sd: float) -> None:
    if not 0 < sd < math.inf:
        raise ValueError(f"{caller} got sd={sd}; wanted a finite number above 0, the noise in the units of x.")


def _check_alpha(caller: str, alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"{caller} got alpha={alpha}; wanted a probability between 0 and 1, the risk of an error.")
