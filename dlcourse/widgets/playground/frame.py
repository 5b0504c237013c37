"""A run as a snapshot shows it: the field, what each unit sees of it, weights, points, curves, and the numbers."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from dlcourse.plot.draw import Extent, grid
from dlcourse.types import Tensor
from dlcourse.widgets.playground import words
from dlcourse.widgets.playground.history import Measured
from dlcourse.widgets.playground.network import linears
from dlcourse.widgets.playground.problem import features
from dlcourse.widgets.playground.run import Run
from dlcourse.widgets.snapshot import quantise

SIDE = 100  # places of the field, each way
EVERY = 4  # of them, in the units' maps
MAPS = 39  # seven features and four layers of eight; with all else, that fills a snapshot
OF_A_LAYER = 8  # in an own model
TRAIN, TEST = 700, 200  # points in a snapshot
WEIGHTS = 512


def arrays(run: Run) -> dict[str, np.ndarray | Tensor]:
    picture, maps = fields(run)
    return {
        "field": picture,
        "maps": maps,
        "weights": weights(run),
        "train_points": torch.column_stack([run.x, run.y])[-TRAIN:],
        "test_points": torch.column_stack([run.problem.test_x, run.problem.test_y])[:TEST],
        "curve": run.history.curve(),
    }


def fields(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """The probability of class 1, (100, 100), and a map of each input and hidden unit, (units, 25, 25), as bytes."""
    places, seen = places_of(run.problem.extent, chosen(run))
    probability, hidden = run.probabilities(places)
    coarse = [
        out.reshape(SIDE, SIDE, -1)[::EVERY, ::EVERY, :units] for out, units in zip(hidden, shown(run)[1:], strict=True)
    ]
    maps = np.concatenate([seen, own_scale(torch.cat(coarse, 2).permute(2, 0, 1))]) if coarse else seen
    return quantise(probability.reshape(SIDE, SIDE), 0, 1), maps[:MAPS]


def shown(run: Run) -> list[int]:
    """How many maps belong to the inputs, and to each hidden layer."""
    counts, room = [len(chosen(run))], MAPS - len(chosen(run))
    for before, _, _ in run.hidden:
        counts.append(min(before.shape[1], OF_A_LAYER, room))
        room -= counts[-1]
    return counts


def chosen(run: Run) -> Sequence[str]:
    return ("x1", "x2") if run.own else run.values["features"]


@lru_cache(maxsize=8)
def places_of(extent: Extent, names: tuple[str, ...]) -> tuple[Tensor, np.ndarray]:
    """The inputs at each place of the field, (10000, features), and their maps."""
    inputs = features(grid(extent, SIDE), names).T.contiguous().T  # a column after the other, as `walk` wants tall ones
    return inputs, own_scale(inputs.reshape(SIDE, SIDE, -1)[::EVERY, ::EVERY].permute(2, 0, 1))


def own_scale(maps: Tensor) -> np.ndarray:
    """(units, rows, columns) as bytes; each unit's largest size becomes 0 or 254, zero is 127."""
    largest = maps.abs().amax(dim=(1, 2), keepdim=True)
    return quantise(maps / largest.clamp(min=1e-30), -1, 1)


def weights(run: Run) -> np.ndarray:
    """Layer by layer the weight, row by row, then the bias (zeros where a layer has none)."""
    parts = []
    for layer in linears(run.model):
        bias = layer.bias if layer.bias is not None else layer.weight.new_zeros(layer.out_features)
        parts += [layer.weight.detach().reshape(-1), bias.detach()]
    flat = torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)
    return flat if len(flat) <= WEIGHTS else np.zeros(0, np.float32)


def header(run: Run, measured: Measured) -> dict[str, Any]:
    """What the numbers and words of a snapshot say about a run."""
    return {
        "say": words.say(run, measured),
        "notice": words.notice(run),
        "extent": list(run.problem.extent),
        "features": list(chosen(run)),
        "architecture": words.architecture(run),
        "layers": layers(run),
        "maps": shown(run),
        "losses": measured._asdict(),
        "points": {"train": len(run.y), "test": len(run.problem.test_y), "drawn": sum(map(len, run.drawn))},
    }


def layers(run: Run) -> list[dict[str, Any]]:
    """One for each linear layer. Of the output, and of an own model that is no plain Sequential, no unit is known."""
    listed = linears(run.model)
    counts = words.idle(run) if len(run.hidden) == len(listed) - 1 else [(None, "dead")] * (len(listed) - 1)
    norms = run.norms or [None] * len(listed)
    return [
        {
            "inputs": layer.in_features,
            "units": layer.out_features,
            "grad_norm": norm if norm is not None and math.isfinite(norm) else None,
            "dead": None if run.diverged is not None else count,
            "dead_word": word,
        }
        for layer, norm, (count, word) in zip(listed, norms, [*counts, (0, "dead")], strict=True)
    ]


def kept(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """The kept run's part of a snapshot: its header and its arrays."""
    measured = run.measured()
    run.note_tip(measured)
    said = {"step": run.at, "train": measured.train, "test": measured.test, "settings": words.settings(run)}
    return said, {"kept_field": fields(run)[0], "kept_curve": run.history.curve()}
