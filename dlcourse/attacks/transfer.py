"""Transfer: a perturbation made on one model often fools another, of other weights and even another architecture.

So an attacker needs neither the weights nor the logits of the model under attack, only a model of their own for the
same task (Szegedy et al., 2014, arXiv:1312.6199, section 4.2; Papernot et al., 2017, arXiv:1602.02697). It is also a
test: a model that transferred perturbations fool more often than its own slope does hides that slope (Athalye et al.,
2018, arXiv:1802.00420, section 3.1). Where it fails: between models that learnt other features, few perturbations carry
over, targeted ones fewest; and a transferred attack that fails proves nothing about stronger ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlcourse.attacks.objective import Model, answers, asking, fooled
from dlcourse.attacks.threat import Threat
from dlcourse.types import Float, Int, Tensor

Attack = Callable[..., Tensor]  # attack(model, x, labels, threat) -> x_adv


def transfer(source: Model, attack: Attack) -> Attack:
    """An attack like any other that never looks at the model it is given: it is made on `source`.

    It takes what `attack` takes: transfer(source, pgd)(model, x, labels, threat, steps=10).

    >>> import torch
    >>> from dlcourse.attacks import Linf, fgsm
    >>> source, target = torch.tensor([[0.0, 1.0], [0.0, -2.0]]), torch.tensor([[0.0, 3.0], [0.0, 1.0]])
    >>> x, labels = torch.tensor([[0.5, 0.5]]), torch.tensor([0])
    >>> transfer(lambda x: x @ source, fgsm)(lambda x: x @ target, x, labels, Linf(0.1))  # as if it were the source
    tensor([[0.6000, 0.4000]])
    """

    def transferred(
        model: Model, x: Float[Tensor, "batch ..."], labels: Int[Tensor, " batch"], threat: Threat, **options: Any
    ) -> Float[Tensor, "batch ..."]:
        return attack(source, x, labels, threat, **options)

    return transferred


@dataclass(frozen=True)
class Transfer:
    """How many of the perturbations that fool one model fool another as well."""

    tried: int  # examples that both models get right without an attack; the others say nothing
    source: int  # of these, fooled on the source
    both: int  # of those, fooled on the target too

    @property
    def rate(self) -> float:
        """both / source, in [0, 1]; nan when none fools the source."""
        return self.both / self.source if self.source else float("nan")


def transfer_rate(
    source: Model,
    target: Model,
    x: Float[Tensor, "batch ..."],
    labels: Int[Tensor, " batch"],
    x_adv: Float[Tensor, "batch ..."],
) -> Transfer:
    """How often x_adv, made of x on `source`, fools `target` too. Both answer in eval mode.

    >>> import torch
    >>> source, target = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 4.0]])
    >>> x, x_adv, bias = torch.zeros(3, 1), torch.tensor([[0.3], [0.7], [1.0]]), torch.tensor([0.6, 0.0])
    >>> transfer_rate(lambda x: x @ target + 3 * bias, lambda x: x @ source + bias, x, torch.tensor([0, 0, 0]), x_adv)
    Transfer(tried=3, source=2, both=2)
    """
    wrong = {}
    for name, model in (("source", source), ("target", target)):
        for kind, points in (("clean", x), ("attacked", x_adv)):
            with asking(model):
                wrong[name, kind] = fooled(answers(model, points), labels)
    tried = ~wrong["source", "clean"] & ~wrong["target", "clean"]
    on_source = tried & wrong["source", "attacked"]
    both = on_source & wrong["target", "attacked"]
    return Transfer(int(tried.sum()), int(on_source.sum()), int(both.sum()))
