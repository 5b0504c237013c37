"""What the explorer says: the move, the distance that is used, the scales of colours, in plain words."""

from typing import Any

from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer.run import Plan, Run
from dlcourse.widgets.feature_map_explorer.words import number

ROUNDING = 1e-6  # of a pixel: what a projection moves by less has not been moved
TITLES = {
    "example": "the picture itself",
    "start": "the random start",
    "gradient": "gradient",
    "step": "step",
    "projection": "projection",
}


def title(what: str, step: int, steps: int) -> str:
    """Where in the attack a move is.

    >>> title("gradient", 3, 10), title("example", 0, 10)
    ('Step 3 of 10: gradient', 'Before the first step: the picture itself')
    """
    where = f"Step {step} of {steps}" if step else "Before the first step"
    return f"{where}: {TITLES[what]}"


def explained(run: Run, what: str, step: int) -> str:
    """What a move does, with its numbers, for one network."""
    moved, plan = run.moved(what, step), run.plan
    if what == "example":
        return "Nothing has been changed yet."
    if what == "start":
        return f"A random point of the ball, {number(_length(plan, moved))} away from the picture."
    if what == "gradient":
        if not moved.isfinite().all():
            return "The slope is not a number: there is no way to follow."
        if not moved.any():
            return "The slope is 0 for every pixel: there is no way up to follow."
        return (
            f"Which way is up? The steepest slope of a pixel is {number(float(moved.abs().max()))}. Nothing moves yet."
        )
    count = changed(moved)
    if what == "step":
        return f"A step of {number(_length(plan, moved))} in {name(plan)}, on {count}, allowed or not."
    if float(moved.abs().max()) <= ROUNDING:
        return "All of it is allowed: nothing is taken back."
    return f"Back to the nearest point that is allowed: {count} moved, by at most {number(float(moved.abs().max()))}."


def used(plan: Plan, x: Float[Tensor, "1 height width"], example: Float[Tensor, "1 height width"]) -> dict[str, Any]:
    """How much of eps is used at x, and whether it is allowed to stand there."""
    delta = x - example
    distance, outside = _length(plan, delta), int(((x < 0) | (x > 1)).sum())
    inside = bool(plan.threat.contains(x[None], example[None]))
    share = distance / plan.threat.eps
    said = f"{number(distance)} of {number(plan.threat.eps)} in {name(plan)} ({share:.0%})".replace("%", " %")
    said += f", on {changed(delta)}" if delta.any() else ""
    why = []
    if not inside:
        if distance > plan.threat.eps * (1 + 1e-4):
            why.append("outside the ball")
        if outside:
            why.append(f"{pixels(outside)} outside [0, 1]")
    return {
        "distance": distance,
        "share": share,
        "inside": inside,
        "words": f"Used: {said}{': ' if why else ''}{' and '.join(why)}.",
    }


def name(plan: Plan) -> str:
    return type(plan.threat).__name__


def changed(delta: Float[Tensor, "1 height width"]) -> str:
    """How many pixels change by more than a rounding."""
    return pixels(int((delta.abs() > ROUNDING).sum()))


def pixels(count: int) -> str:
    """A number of pixels.

    >>> pixels(1), pixels(12)
    ('1 pixel', '12 pixels')
    """
    return f"{count} pixel{'' if count == 1 else 's'}"


def attack(plan: Plan, classes: tuple[str, ...]) -> str:
    """The attack in words."""
    steps = f"{plan.steps} step{'' if plan.steps == 1 else 's'} of {number(plan.step_size)}"
    named = plan.attack if plan.attack != "momentum" else "PGD with momentum"
    start = " from a random start" if plan.random else ""
    target = "" if plan.target is None else f", towards {classes[plan.target]}"
    return f"{named} in {name(plan)} with eps {number(plan.threat.eps)}: {steps}{start}{target}"


def moved_title(what: str) -> str:
    """The name of the third picture; on two networks side by side there is room for little more."""
    return {
        "example": "Move: none",
        "start": "Move: the jump",
        "gradient": "Move: gradient",
        "step": "Move: the step",
        "projection": "Move: taken back",
    }[what]


def reach(values: Tensor) -> float:
    """The value of the strongest colour: the largest size, or 1 where all is 0 or not a number."""
    most = float(values.abs().nan_to_num(0.0, 0.0, 0.0).max())
    return most or 1.0


def _length(plan: Plan, delta: Float[Tensor, "1 height width"]) -> float:
    return float(plan.threat.norm(delta[None]))
