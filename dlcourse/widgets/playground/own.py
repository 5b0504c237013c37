"""The learner's own model and optimiser: checked when they come, trained in place, and played back exactly.

Their model is called as it is; all that is asked of it is a logit (or two) per point. It may draw random numbers, which
are then the same for the same seed and step (`runs.own.watched`); our own networks draw nothing.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcourse.widgets.runs.history import copied
from dlcourse.widgets.runs.own import Brought, check_trainable, watched


@dataclass(frozen=True)
class Own(Brought):
    """What the learner brought, any of it None. initial: what their model and optimiser held when they came."""

    model: nn.Module | None = None
    optimizer: torch.optim.Optimizer | None = None
    points: tuple[Any, Any] | None = None  # X and y
    initial: tuple[Any, Any] | None = None

    @classmethod
    def checked(cls, model: Any, optimizer: Any, x: Any, y: Any) -> "Own":
        """Raises ValueError when something does not fit."""
        if (x is None) != (y is None):
            raise ValueError(
                "points of your own need both: X of shape (n, 2), and y of shape (n,) with labels 0 and 1."
            )
        model = None if model is None else checked_model(model)
        optimizer = None if optimizer is None else checked_optimizer(optimizer, model)
        held = [None if one is None else copied(one.state_dict()) for one in (model, optimizer)]
        return cls(model, optimizer, None if x is None else (x, y), None if model is None else tuple(held))

    def __bool__(self) -> bool:
        return self.model is not None or self.points is not None

    @property
    def lr(self) -> float:
        """The rate their optimiser came with, as near as the control can show it."""
        return min(max(float(self.initial[1]["param_groups"][0]["lr"]), 1e-4), 10.0)

    @property
    def fixed(self) -> dict[str, str]:
        why = {}
        if self.model is not None:
            why |= dict.fromkeys(("features", "layers", "activation", "seed"), "the model is your own")
        if self.optimizer is not None:
            why |= {"optimizer": "the optimiser is your own"}
        if self.points is not None:
            why |= dict.fromkeys(("data", "noise", "train"), "the points are your own")
        return why


def checked_model(model: Any) -> nn.Module:
    """The model, when it maps (n, 2) to (n,), (n, 1) or (n, 2). Raises ValueError with what to change."""
    check_trainable(model, "model", called="the model", room="the playground")
    shape = _tried(model)
    if shape not in ((5,), (5, 1), (5, 2)):
        raise ValueError(
            f"the model turned a batch of shape (5, 2) into {shape}; wanted one logit per point, (5,) or (5, 1), "
            "or two, (5, 2)."
        )
    return model


def _tried(model: nn.Module) -> tuple[int, ...]:
    with watched(model), torch.no_grad():
        try:
            out = model(torch.zeros(5, 2, device="cpu"))
        except Exception as error:
            raise ValueError(f"the model failed on a batch of shape (5, 2): {error}") from error
    if not isinstance(out, torch.Tensor):
        raise ValueError(f"the model returns a {type(out).__name__}; wanted a tensor of logits.")
    return tuple(out.shape)


def checked_optimizer(optimizer: Any, model: nn.Module | None) -> torch.optim.Optimizer:
    """The optimiser, when it trains this model and nothing else. Raises ValueError."""
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(f"optimizer is a {type(optimizer).__name__}; wanted a name or a torch.optim.Optimizer.")
    if model is None:
        raise ValueError("an optimizer of your own needs the model it trains: give model= too.")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError(
            "LBFGS evaluates the loss several times in one step; the playground takes one-step optimisers."
        )
    known = set(map(id, model.parameters()))
    if any(id(parameter) not in known for group in optimizer.param_groups for parameter in group["params"]):
        raise ValueError(
            "the optimizer does not hold the model's parameters. Make it after the model: "
            "torch.optim.SGD(model.parameters(), lr=0.1)."
        )
    return optimizer
