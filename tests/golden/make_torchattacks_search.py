"""Makes torchattacks_search.npz beside it: APGD's looks and Square's successes of torchattacks 3.5.1, frozen.

    pip install --no-deps --target FOLDER torchattacks==3.5.1
    PYTHONPATH=FOLDER python tests/golden/make_torchattacks_search.py

A network that notes what it is asked gives APGD's way point by point. The pictures stay away from 0 and 1, where
torchattacks clamps what it has scaled; 100 steps, for which its checkpoints are the paper's. Of Square only how often
it fools, in Linf: its L2 form fails on small pictures (it divides by 0 below 5 pixels, and at 8 its window is 9).
"""

from importlib import metadata
from pathlib import Path

import numpy as np
import torch

STEPS, EPS = 100, {"Linf": 0.125, "L2": 0.25}
SHAPE, HIDDEN, CLASSES = (6, 1, 8, 10), 12, 5
MANY, QUERIES = 64, 300


class Network(torch.nn.Module):
    """Two layers in float64; `asked` holds every input since it was emptied."""

    def __init__(self, first: torch.Tensor, second: torch.Tensor) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Parameter(first), torch.nn.Parameter(second)
        self.asked: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.asked.append(x.detach().clone())
        return torch.tanh((x.flatten(1) - 0.5) / 0.25 @ self.first) @ self.second


def main() -> None:
    import torchattacks

    torch.manual_seed(0)
    first = torch.randn(80, HIDDEN, dtype=torch.float64) / 80**0.5
    second = torch.randn(HIDDEN, CLASSES, dtype=torch.float64)
    model = Network(first, second).eval()
    x = 0.3 + 0.4 * torch.rand(SHAPE, dtype=torch.float64)
    many = torch.rand(MANY, *SHAPE[1:], dtype=torch.float64)
    found = {"first": first, "second": second, "x": x, "labels": model(x).argmax(1)}
    for norm, eps in EPS.items():
        for loss in ("ce", "dlr"):
            attack = torchattacks.APGD(model, norm=norm, eps=eps, steps=STEPS, loss=loss)
            model.asked.clear()
            attack(x, found["labels"])
            found[f"{norm}_{loss}"] = torch.stack(model.asked[-STEPS - 1 :][:42])  # up to the second checkpoint
    found |= {"many": many, "many_labels": model(many).argmax(1)}
    square = torchattacks.Square(model, norm="Linf", eps=EPS["Linf"], n_queries=QUERIES)
    found["square"] = model(square(many, found["many_labels"])).argmax(1) != found["many_labels"]
    versions = np.array([f"{name} {metadata.version(name)}" for name in ("torchattacks", "torch")])
    np.savez_compressed(
        Path(__file__).with_name("torchattacks_search.npz"),
        versions=versions,
        **{name: value.detach().numpy() for name, value in found.items()},
    )
    print(", ".join(versions), {name: tuple(value.shape) for name, value in found.items()})


if __name__ == "__main__":
    main()
