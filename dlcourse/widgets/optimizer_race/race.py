"""One race: all racers from all starts, step by step, and the way back.

Every step is kept as it was, so going back is exact. What is set on the way holds from the present step on, and what
had been run beyond it is given up. The noise of step n is the same for every racer, and the same when n comes again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dlcourse.seeding import generator
from dlcourse.types import Float, Tensor
from dlcourse.widgets.optimizer_race.racers import Racer
from dlcourse.widgets.optimizer_race.surfaces import Surface

LAST = 2000  # steps of a race
STAY = 20  # steps inside the ring make an arrival
FAR = 20.0  # half widths of the picture from its middle, or heights: who is farther has diverged
TRAIL = 250  # part of the picture's width by which two points of a trail differ

Place = tuple[float, float]


@dataclass(frozen=True)
class Moment:
    """A step. places, memory: by racer. settings: what the next step will go by.

    inside, far: (racers, starts), since which step a racer is within the ring of a minimum, or diverged; -1: it is
    not. arrived: the step at which its first stay of 20 steps in a ring began, or -1. drawn: the last point of its
    trail.
    """

    places: Mapping[str, Float[Tensor, "points 2"]]
    memory: Mapping[str, Any]
    settings: Mapping[str, float]
    inside: np.ndarray
    far: np.ndarray
    arrived: np.ndarray
    drawn: np.ndarray


class Race:
    """racers: by name; settings: lr, factor_NAME for each, momentum, beta2, noise, weight_decay."""

    def __init__(
        self,
        surface: Surface,
        racers: Mapping[str, Racer],
        starts: Sequence[Place],
        settings: Mapping[str, float],
        seed: int,
    ):
        self.surface, self.racers, self.starts, self.seed = surface, dict(racers), tuple(starts), seed
        self.noise = torch.randn(LAST, 2, generator=generator(seed), dtype=torch.float64, device="cpu")
        self.initial = dict(settings)
        self.changes: dict[int, dict[str, float]] = {}
        shape = (LAST + 1, len(self.racers), len(self.starts))
        self.track = np.empty((*shape, 2))
        self.losses = np.empty(shape)
        self.in_trail = np.zeros(shape, dtype=bool)
        self.at = 0
        place = torch.tensor(self.starts, dtype=torch.float64, device="cpu")
        never = np.full(shape[1:], -1)
        blank = np.full((*shape[1:], 2), np.nan)
        first = Moment(dict.fromkeys(self.racers, place), dict.fromkeys(self.racers), {}, never, never, never, blank)
        self.moments = [self._judged(first, 0, self.initial)]

    @property
    def last(self) -> int:
        """The furthest step reached."""
        return len(self.moments) - 1

    @property
    def now(self) -> Moment:
        return self.moments[self.at]

    @property
    def names(self) -> list[str]:
        return list(self.racers)

    def step(self) -> None:
        """One step on: a new one, or one that is known already. Nothing happens at the end."""
        if self.at == LAST:
            return
        if self.at == self.last:
            self.moments.append(self._next())
        self.at += 1

    def scrub(self, step: int) -> None:
        self.at = step

    def change(self, settings: Mapping[str, float]) -> None:
        """From here on other settings."""
        self.moments[self.at] = replace(self.now, settings={**self.now.settings, **settings})
        self.cut()
        if self.at == 0:
            self.initial = dict(self.now.settings)
        else:
            self.changes[self.at] = {**self.changes.get(self.at, {}), **settings}

    def cut(self) -> None:
        """Give up what came after."""
        del self.moments[self.at + 1 :]
        self.changes = {step: change for step, change in self.changes.items() if step <= self.at}

    def rate(self, name: str) -> float:
        """A racer's learning rate at present."""
        return rate(self.now.settings, name)

    def near(self, place: np.ndarray) -> np.ndarray:
        """Whether places (..., 2) are not so far away that a racer there has diverged."""
        left, right, bottom, top = self.surface.extent
        middle, half = np.array([left + right, bottom + top]) / 2, np.array([right - left, top - bottom]) / 2
        with np.errstate(invalid="ignore"):
            return (np.abs(place - middle) < FAR * half).all(-1)  # what is not a number is not near

    def distances(self, place: np.ndarray) -> np.ndarray:
        """To each minimum, (..., minima)."""
        minima = np.array(self.surface.minima).reshape(-1, 2)
        with np.errstate(over="ignore", invalid="ignore"):  # who has diverged is infinitely far away
            return np.linalg.norm(place[..., None, :] - minima, axis=-1)

    # Inside.

    def _next(self) -> Moment:
        now, step = self.now, self.at + 1
        shake = now.settings["noise"] * self.noise[self.at] if now.settings["noise"] else None
        places, memory = {}, {}
        for name, racer in self.racers.items():
            place = now.places[name]
            gradient = self.surface.gradient(place)
            gradient = gradient if shake is None else gradient + shake
            speed = rate(now.settings, name)
            places[name], memory[name] = racer.rule(place, gradient, now.memory[name], step, speed, now.settings)
        settings = {**now.settings, **self.changes[step]} if step in self.changes else now.settings
        return self._judged(replace(now, places=places, memory=memory), step, settings)

    def _judged(self, moment: Moment, step: int, settings: Mapping[str, float]) -> Moment:
        """Note where everybody is, and who is inside a ring, arrived, or far away."""
        place = torch.stack(list(moment.places.values()))
        self.losses[step] = self.surface.at(place).numpy()
        self.track[step] = place = place.numpy()
        left, right, *_ = self.surface.extent
        near = self.near(place)
        close = (self.distances(place) < self.surface.ring).any(-1)
        with np.errstate(invalid="ignore"):
            moved = ~(np.abs(place - moment.drawn).max(-1) < (right - left) / TRAIL)
        inside = np.where(close, np.where(moment.inside < 0, step, moment.inside), -1)
        stayed = (inside >= 0) & (step - inside >= STAY)
        self.in_trail[step] = moved
        return replace(
            moment,
            settings=settings,
            inside=inside,
            far=np.where(near, -1, np.where(moment.far < 0, step, moment.far)),
            arrived=np.where(stayed & (moment.arrived < 0), inside, moment.arrived),
            drawn=np.where(moved[..., None], place, moment.drawn),
        )


def rate(settings: Mapping[str, float], name: str) -> float:
    return settings["lr"] * settings.get(f"factor_{name}", 1.0)
