"""The race in words: where everybody is, and why somebody flew off."""

import math

import numpy as np
import torch

from dlcourse.widgets.optimizer_race.race import Race, rate

# The learning rate beyond which a rule grows on a bowl, as a multiple of 1 / curvature: the formula, and its number.
LIMITS = {
    "sgd": ("2 / curvature", lambda momentum: 2.0),
    "momentum": ("2 · (1 + momentum) / curvature", lambda momentum: 2 * (1 + momentum)),
    "nesterov": (
        "2 · (1 + momentum) / ((1 + 2 · momentum) · curvature)",
        lambda momentum: 2 * (1 + momentum) / (1 + 2 * momentum),
    ),
}


def number(value: float | None) -> str:
    """Two or three digits that count: 0.012, 3.4, 1.2e+05; "not a number" for None.

    >>> number(0.0123), number(34.56), number(0.0), number(None)
    ('0.012', '35', '0', 'not a number')
    """
    return "not a number" if value is None else f"{value:.2g}"


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def limit(name: str, momentum: float, curvature: float) -> float | None:
    """The largest learning rate with which a rule comes to rest on a bowl of this curvature, if it has one.

    >>> limit("sgd", 0.9, 20.0), limit("adam", 0.9, 20.0)
    (0.1, None)
    """
    return LIMITS[name][1](momentum) / curvature if name in LIMITS else None


def verdict(race: Race, racer: int, start: int) -> tuple[str, str]:
    """("arrived", "diverged" or "racing", and the same with its step)."""
    now = race.now
    if (step := now.far[racer, start]) >= 0:
        return "diverged", f"diverged at step {step}"
    if (step := now.arrived[racer, start]) >= 0:
        if now.inside[racer, start] < 0:
            return "arrived", f"arrived at step {step}, outside again"
        return "arrived", f"arrived at step {step}" + _which(race, race.track[race.at, racer, start])
    if (step := now.inside[racer, start]) >= 0:
        return "racing", f"inside since step {step}"
    return "racing", "racing" if race.surface.holds(*race.track[race.at, racer, start]) else "outside the picture"


def reason(race: Race, racer: int, start: int) -> str:
    """Why a racer that has diverged did so: a sentence with the numbers."""
    name, gone = race.names[racer], int(race.now.far[racer, start])
    seen = [step for step in range(gone) if race.surface.holds(*race.track[step, racer, start])]
    step = seen[-1] if seen else 0
    moment = race.moments[step]
    speed, momentum = rate(moment.settings, name), moment.settings["momentum"]
    if name in LIMITS:
        curvature = race.surface.curvature(moment.places[name][start])
        most = limit(name, momentum, curvature) if curvature > 0 else None
        if most is not None and speed > most:
            formula = LIMITS[name][0]
            where = "" if race.surface.name == "bowl" else f"; at step {step} the curvature was {number(curvature)}"
            filled = formula.replace("curvature", f"{curvature:.3g}").replace("momentum", f"{momentum:g}")
            return (
                f"Its rate {speed:.3g} is above {formula} = {filled} = {most:.3g}{where}, so each step leads higher up "
                "the other side."
            )
    decay = moment.settings["weight_decay"]
    if name == "adamw" and speed * decay > 2:
        return (
            f"The decay alone multiplies each weight by 1 - rate · decay = 1 - {speed:.3g} · {decay:.3g} = "
            f"{1 - speed * decay:.3g} at every step."
        )
    with np.errstate(invalid="ignore"):
        leap = math.hypot(*(race.track[step + 1, racer, start] - race.track[step, racer, start]))
    length = f"{number(leap)} long" if math.isfinite(leap) else "longer than any number"
    return f"Its step from {step} to {step + 1} was {length} and led out of the picture."


def _which(race: Race, place: np.ndarray) -> str:
    """Said of a minimum that is not the lowest."""
    nearest = race.surface.minima[int(race.distances(place).argmin())]
    height = race.surface.at(torch.tensor(nearest, dtype=torch.float64, device="cpu")).item()
    return ", not at the lowest" if height > race.surface.lowest + 1e-6 else ""
