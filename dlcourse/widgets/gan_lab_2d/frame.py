"""A run as a snapshot shows it: what D says of each place, what G makes, where D pushes it, the curves and numbers."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from dlcourse.plot.draw import Extent, grid
from dlcourse.types import Float, Tensor
from dlcourse.widgets.gan_lab_2d import words
from dlcourse.widgets.gan_lab_2d.history import Measured
from dlcourse.widgets.gan_lab_2d.run import EVALUATED, LEAST, Run
from dlcourse.widgets.gan_lab_2d.target import DRAWN
from dlcourse.widgets.snapshot import quantise

SIDE = 40  # places of the field, each way
LINES = 21  # places of the latent grid, each way
EDGE = 0.02  # of the probability left outside the grid on each side
REAL, ARROWS = 300, 48
REACH = 0.8  # the longest arrow, on a picture six wide


def arrays(run: Run) -> dict[str, np.ndarray | Tensor]:
    """Of the state as last measured."""
    none = torch.zeros(0, 2, device="cpu")
    return {
        "field": field(run),
        "real": run.real[:REAL],
        "fake": run.seen.fake,
        "manifold": manifold(run),
        "arrows": arrows(run),
        "modes": modes(run),
        "drawn": run.target.places if run.values["data"] == DRAWN and run.own_target is None else none,
        "curve": run.history.curve(),
    }


def field(run: Run) -> np.ndarray:
    """What D says of each place, (40, 40) bytes: 254 is real, 0 is generated, 127 its border."""
    logits = run.judged(places(run.target.extent)).reshape(SIDE, SIDE)
    return quantise(taken_for_real(run, logits), 0, 1)


@lru_cache(maxsize=4)
def places(extent: Extent) -> Float[Tensor, "points 2"]:
    return grid(extent, SIDE)


def taken_for_real(run: Run, logits: Tensor) -> Tensor:
    """D's output as a share from 0 (generated) to 1 (real), 0.5 at its border: what each loss asks of it."""
    loss = run.values["loss"]
    if loss == "least_squares":
        return logits.clamp(0, 1)
    if loss == "hinge":
        return ((logits + 1) / 2).clamp(0, 1)
    if loss == "wasserstein" and run.seen.real_logits is not None:
        means = run.seen.real_logits.mean(), run.seen.fake_logits.mean()
        middle, gap = sum(means) / 2, (means[0] - means[1]).abs().clamp(min=1e-6)
        return torch.sigmoid(4 * (logits - middle) / gap)
    return torch.sigmoid(logits)


def manifold(run: Run) -> Float[Tensor, "height width 2"]:
    """The image of a grid of latent vectors, (21, 21, 2): all of its cells are equally probable.

    With more than two latent numbers the others are 0, with one it is a line, (1, 61, 2).
    """
    latent = run.values["latent"]
    if latent == 1:
        along = torch.special.ndtri(torch.linspace(EDGE, 1 - EDGE, 61, device="cpu"))
        return run.generated(along[:, None])[None]
    along = torch.special.ndtri(torch.linspace(EDGE, 1 - EDGE, LINES, device="cpu"))
    z = torch.zeros(LINES * LINES, latent, device="cpu")
    z[:, :2] = torch.cartesian_prod(along, along)
    return run.generated(z).reshape(LINES, LINES, 2)


def arrows(run: Run) -> Float[Tensor, "points 4"]:
    """From some generated points to where D pushes them: (n, 4), x and y of both ends.

    A push of 1 is drawn half as long as the longest arrow, a small one in proportion: where it vanishes, so does the
    arrow, and no large one leaves the picture.
    """
    if run.seen.push is None:
        return torch.zeros(0, 4, device="cpu")
    fake, push = run.seen.fake[:ARROWS], run.seen.push[:ARROWS]
    length = push.norm(dim=1, keepdim=True)
    return torch.cat([fake, fake + REACH * run.target.scale * push / (1 + length)], dim=1)


def modes(run: Run) -> Float[Tensor, "points 3"]:
    """The modes, (n, 3): x, y, and how many of the 400 generated points are near; empty for a target without."""
    if run.seen.counts is None:
        return torch.zeros(0, 3, device="cpu")
    return torch.cat([run.target.places, run.seen.counts[:, None].float()], dim=1)


def header(run: Run, measured: Measured) -> dict[str, Any]:
    """What the numbers and words of a snapshot say about a run."""
    return {
        "say": words.say(run, measured),
        "notice": words.notice(run),
        "health": words.health(run, measured),
        "extent": list(run.target.extent),
        "due": run.due,
        "placed": run.placed,
        "counts": {"D": run.counts[0], "G": run.counts[1]},
        "last_move": run.last_move,
        "measured": measured._asdict(),
        "modes": len(run.target.places) if run.target.modes else 0,
        "covers": LEAST * EVALUATED,  # generated points near, from which on a mode counts as covered
        "radius": run.target.radius,
        "drawn": sum(map(len, run.drawn)),
        "latent": run.values["latent"],
    }


def kept(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kept run's part of a snapshot: its header and its arrays."""
    measured = run.measured()
    run.note_tip(measured)
    said = {
        "step": run.at,
        "settings": words.settings(run),
        "measured": measured._asdict(),
        "cover": words.cover(run, measured),
    }
    return said, {"kept_fake": run.seen.fake, "kept_real": run.real[:REAL], "kept_curve": run.history.curve()}
