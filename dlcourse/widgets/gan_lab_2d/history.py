"""What a step of the game is measured by."""

from typing import NamedTuple

MOST = 128  # records of a game; each holds two networks and what Adam keeps of them


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


COLUMNS = ("step", *Measured._fields)  # of the curve
