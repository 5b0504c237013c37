"""The learner's own networks and points: checked when they come, trained in place, and played back exactly."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcourse.widgets.runs.history import copied
from dlcourse.widgets.runs.own import Brought, check_trainable, watched


@dataclass(frozen=True)
class Own(Brought):
    """What the learner brought, any of it None. initial: what their networks held when they came."""

    g_model: nn.Module | None = None
    d_model: nn.Module | None = None
    points: Any = None
    initial: tuple[Any, Any] = (None, None)

    @classmethod
    def checked(cls, g_model: Any, d_model: Any, points: Any, latent: int) -> "Own":
        """Raises ValueError when something does not fit."""
        for name, model in (("g_model", g_model), ("d_model", d_model)):
            if model is not None:
                check_trainable(model, name, called=name, room="the lab")
        if g_model is not None and g_model is d_model:
            raise ValueError("g_model and d_model are the same network; each needs its own weights.")
        if g_model is not None:
            _check_shape("g_model", g_model, (5, latent), (5, 2), f"latent vectors (5, {latent}) to points (5, 2)")
        if d_model is not None:
            _check_shape("d_model", d_model, (5, 2), (5,), "points (5, 2) to one logit each, (5,)")
        held = [None if model is None else copied(model.state_dict()) for model in (g_model, d_model)]
        return cls(g_model, d_model, points, tuple(held))

    def __bool__(self) -> bool:
        return self.g_model is not None or self.d_model is not None or self.points is not None

    @property
    def models(self) -> tuple[nn.Module | None, nn.Module | None]:
        return self.g_model, self.d_model

    @property
    def fixed(self) -> dict[str, str]:
        why = {}
        if self.g_model is not None:
            why |= {"latent": "the generator is your own"}
        if self.g_model is not None and self.d_model is not None:
            why |= {"width": "both networks are your own"}
        if self.points is not None:
            why |= {"data": "the points are your own"}
        return why


def _check_shape(name: str, model: nn.Module, given: tuple, wanted: tuple, words: str) -> None:
    with watched(model), torch.no_grad():
        try:
            out = model(torch.zeros(given, device="cpu"))
        except Exception as error:
            raise ValueError(f"{name} failed on a batch of shape {given}: {error}") from error
    if not isinstance(out, torch.Tensor) or tuple(out.shape) != wanted:
        came = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ValueError(f"{name} turned a batch of shape {given} into {came}; wanted {words}.")
