"""TRADES: be right on the clean examples, and let no attack move the probabilities away from where they are.

    loss = cross-entropy(model(x), y)  +  beta * KL( p(x) || p(x') ),     x' the worst in the threat for the KL

(Zhang et al., 2019, arXiv:1901.08573, equation 5, with the Kullback-Leibler divergence and beta = 1 / lambda.) Madry's
training asks for the right answer at x' and for nothing at x. Here the two are apart, and beta is the exchange rate:
with 0 it is plain training, and the larger it is, the more clean accuracy is given up for robustness.

One training step looks at x and x' in one batch, `trades_batches`, so that `training.train` does the rest; batch norm
then learns from both together, where the authors' code shows it one after the other. Where it fails: as Madry's does,
and a beta that suits one threat does not suit another.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch

from dlcourse.attacks.objective import answers, asking
from dlcourse.attacks.pgd import pgd
from dlcourse.attacks.threat import Threat
from dlcourse.defenses.adversarial import AdversarialBatches
from dlcourse.nn.loss import cross_entropy
from dlcourse.nn.softmax import log_softmax
from dlcourse.types import Float, Int, Tensor


def divergence(
    clean_logits: Float[Tensor, "batch classes"], logits: Float[Tensor, "batch classes"]
) -> Float[Tensor, " batch"]:
    """KL(p || q) of each example, in nats, p and q the softmax of the clean and of the other logits; 0 if equal.

    >>> divergence(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 3.0]]).log())  # log(2) / 2 + log(2 / 3) / 2
    tensor([0.1438])
    """
    log_p, log_q = log_softmax(clean_logits), log_softmax(logits)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def trades_attack(
    model: Callable[[Tensor], Tensor],
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    threat: Threat,
    *,
    steps: int = 10,
    step_size: float | None = None,
    generator: torch.Generator,
) -> Float[Tensor, "batch ..."]:
    """PGD on the divergence from the clean answers, whatever the labels; from a random start, because at x it is flat.

    The start is anywhere in the ball; the authors' is within 0.001 of x. Options and errors as `attacks.pgd`.

    >>> from dlcourse.attacks import Linf
    >>> x, label, generator = torch.full((1, 1), 0.5), torch.tensor([0]), torch.Generator().manual_seed(0)
    >>> trades_attack(lambda x: torch.cat([x, -x], dim=1), x, label, Linf(0.1), generator=generator)
    tensor([[0.4000]])
    """
    with asking(model):
        clean = answers(model, x)
    options = {"steps": steps, "step_size": step_size, "generator": generator}
    return pgd(model, x, labels, threat, objective=lambda logits, _: divergence(clean, logits), **options)


def trades_loss(
    logits: Float[Tensor, "_ classes"], labels: Int[Tensor, " batch"], *, beta: float = 6.0
) -> Float[Tensor, ""]:
    """The mean cross-entropy on the clean half of the logits, plus beta times the mean divergence of the other half.

    logits: (2 * batch, classes), of the clean examples and behind them of the attacked ones, as `trades_batches` makes
    them; the slope goes through both. With as many logits as labels, as `train` measures a validation set, it is the
    cross-entropy alone. Raises ValueError for another number.

    >>> clean, attacked = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 3.0]]).log()
    >>> trades_loss(torch.cat([clean, attacked]), torch.tensor([0]), beta=2.0)  # log(2) + 2 * 0.1438
    tensor(0.9808)
    """
    if len(logits) == len(labels):
        return cross_entropy(logits, labels)
    if len(logits) != 2 * len(labels):
        raise ValueError(
            f"trades_loss got {len(logits)} logits for {len(labels)} labels; wanted two for each, those of the clean "
            "examples and behind them those of the attacked ones. Train on trades_batches(...)."
        )
    clean, attacked = logits.chunk(2)
    return cross_entropy(clean, labels) + beta * divergence(clean, attacked).mean()


def trades_batches(
    batches: Iterable,
    model: torch.nn.Module,
    threat: Threat,
    *,
    steps: int = 10,
    step_size: float | None = None,
    generator: torch.Generator,
) -> AdversarialBatches:
    """Batches (x and x' in one, y) for `training.train` with `trades_loss`: attacked on the model as it is then.

    batches: pairs (x, y). Options as `trades_attack`.
    """
    attack = partial(trades_attack, threat=threat, steps=steps, step_size=step_size)
    return AdversarialBatches(batches, model, attack, generator, beside=True)
