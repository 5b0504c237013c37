"""Makes torchattacks.npz beside it: what torchattacks 3.5.1 answers, frozen, because it pins an old `requests`.

    pip install --no-deps --target FOLDER torchattacks==3.5.1
    PYTHONPATH=FOLDER python tests/golden/make_torchattacks.py

The file holds the network, the pictures, the starts and the answers, so that no random number has to come out the same
again. The pictures of the L2 attack stay away from 0 and 1: there torchattacks clamps after it has scaled, and ours is
the exact projection, so that the two differ.
"""

from importlib import metadata
from pathlib import Path

import numpy as np
import torch

EPS, STEP, STEPS = 0.1, 0.02, 7
SHAPE, HIDDEN, CLASSES = (8, 1, 4, 5), 12, 5


def network(weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """Two layers, and a normalisation as part of the model."""

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))  # torchattacks asks a parameter for its device

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = torch.tanh((self.scale * x.flatten(1) - 0.5) / 0.25 @ weights["first"])
            return hidden @ weights["second"]

    return Network().eval()


def main() -> None:
    import torchattacks

    torch.manual_seed(0)
    first, second = torch.randn(20, HIDDEN) / 20**0.5, torch.randn(HIDDEN, CLASSES)
    weights = {"first": first, "second": second}
    model = network(weights)
    x = ((torch.rand(SHAPE) - 0.2) / 0.6).clamp(0, 1)
    inside = 0.3 + 0.4 * torch.rand(SHAPE)
    labels = model(x).argmax(1)
    targets = (labels + 1) % CLASSES
    found = {"x": x, "inside": inside, "labels": labels, "targets": targets, **weights}
    found["fgsm"] = torchattacks.FGSM(model, eps=EPS)(x, labels)
    options = {"eps": EPS, "alpha": STEP, "steps": STEPS}
    found["pgd"] = torchattacks.PGD(model, **options, random_start=False)(x, labels)
    torch.manual_seed(1)
    found["start"] = (x + torch.empty_like(x).uniform_(-EPS, EPS)).clamp(0, 1)
    torch.manual_seed(1)
    found["pgd_from_start"] = torchattacks.PGD(model, **options, random_start=True)(x, labels)
    aimed = torchattacks.PGD(model, **options, random_start=False)
    aimed.set_mode_targeted_by_label(quiet=True)
    found["pgd_targeted"] = aimed(x, targets)
    found["mifgsm"] = torchattacks.MIFGSM(model, **options, decay=0.9)(x, labels)
    found["pgd_l2"] = torchattacks.PGDL2(model, eps=0.25, alpha=0.06, steps=STEPS, random_start=False)(inside, labels)
    versions = np.array([f"{name} {metadata.version(name)}" for name in ("torchattacks", "torch")])
    np.savez_compressed(
        Path(__file__).with_name("torchattacks.npz"),
        versions=versions,
        **{name: value.detach().numpy() for name, value in found.items()},
    )
    print(", ".join(versions), {name: tuple(value.shape) for name, value in found.items()})


if __name__ == "__main__":
    main()
