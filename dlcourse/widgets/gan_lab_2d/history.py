"""What a run remembers, as the Playground's does, and the curves that are drawn from it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from dlcourse.widgets.playground.history import Change, Record, copied
from dlcourse.widgets.playground.history import History as Remembered

MOST = 128  # records; each holds two networks and what Adam keeps of them
MEMORY = 2**26  # bytes of them all

__all__ = ["COLUMNS", "MEMORY", "MOST", "Change", "History", "Measured", "Record", "copied"]


class Measured(NamedTuple):
    """A state of the game, on 400 fixed real points and 400 fixed latent vectors. None: absent, or not finite."""

    d_loss: float | None  # of the two losses, without the penalty
    g_loss: float | None
    real_logit: float | None  # the mean of D's logits on real points
    fake_logit: float | None  # and on generated ones
    push: float | None  # median length of the slope of G's loss at a generated point, per point
    right: float | None  # share of points, half of them real, that D has on the right side of its border
    reached: float | None  # share of modes that are covered; without modes, of places with a generated point near
    quality: float | None  # share of generated points within three standard deviations of a place
    mean_x: float | None  # of the generated points
    mean_y: float | None


COLUMNS = ("step", *Measured._fields)


@dataclass
class History(Remembered):
    most: int = MOST

    def curve(self) -> torch.Tensor:
        """(k, 11): the columns of `COLUMNS`, NaN for what is absent."""
        points = [(record.step, record.measured) for record in self.records.values()]
        if self.tip is not None and self.tip[0] not in self.records:
            points.append(self.tip)
        rows = [(step, *measured) for step, measured in points]
        return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, len(COLUMNS)))
