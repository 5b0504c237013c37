"""What the explorer shows when nothing is given: pictures of digits, and two small networks that learn them at once.

Both have one hidden layer of 32 units. `clean` learns the pictures as they are; `robust` learns them attacked, by FGSM
from a random start at eps 0.1 (Wong, Rice and Kolter, 2020, arXiv:2001.03994). It takes about half a second, once.
"""

import functools
from functools import partial

import torch

from dlcourse import attacks, data, generator, models, nn, optim, training
from dlcourse.defenses import adversarial_batches
from dlcourse.types import Float, Int, Tensor

EPS = 0.1
EPOCHS = 5
SHOWN = 100  # pictures; the networks have not seen them


@functools.cache
def networks() -> dict[str, torch.nn.Module]:
    """The two networks, by name, in eval mode."""
    return {"clean": _trained(robust=False), "robust": _trained(robust=True)}


@functools.cache
def pictures() -> tuple[Float[Tensor, "batch 1 8 8"], Int[Tensor, " batch"]]:
    """Held-back digits and their labels; in front one by which PGD at eps 0.1 fools the clean network alone."""
    held = data.load("digits", split="test")
    x, labels = held.x[:SHOWN], held.y[:SHOWN]
    right = []
    for model in networks().values():
        x_adv = attacks.pgd(model, x, labels, attacks.Linf(EPS), steps=10)
        right.append([attacks.answers(model, at).argmax(1) == labels for at in (x, x_adv)])
    (clean, fooled), (_, stands) = right
    first = int((clean & ~fooled & stands).int().argmax())
    order = torch.tensor([first, *(place for place in range(len(x)) if place != first)], device="cpu")
    return x[order], labels[order]


def _trained(*, robust: bool) -> torch.nn.Module:
    examples = data.load("digits", split="train")
    model = torch.nn.Sequential(torch.nn.Flatten(), models.mlp((64, 32, 10), generator=generator(0)))
    batches = data.batches(examples.x, examples.y, size=32, generator=generator(1), drop_last=True)
    if robust:
        batches = adversarial_batches(
            batches, model, partial(attacks.fgsm, threat=attacks.Linf(EPS)), generator=generator(2)
        )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    training.train(model, batches, nn.cross_entropy, optimizer, epochs=EPOCHS, progress=False)
    return model.eval()
