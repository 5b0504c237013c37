"""The hinge lab: move hinges by hand, find their best heights by least squares, or let all of them descend.

`hinges.py` holds the curve itself. A change by hand begins a new run; the steps of a run can be gone back through.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.hinge_lab.hinges import (
    CHAPTER,
    DRAWN,
    MOST,
    STEEPEST,
    TARGETS,
    Hinges,
    Moment,
    beginning,
    best_heights,
    best_hinge,
    descend,
    hinges_of,
    knots,
)
from dlcourse.widgets.hinge_lab.plain import (
    BOTTOM,
    LEFT,
    PLACES,
    RIGHT,
    TOP,
    count,
    divided,
    hundredths,
    number,
    reals,
    short,
    tensor,
    term,
    whole,
    within,
)
from dlcourse.widgets.params import Choice, Number
from dlcourse.widgets.snapshot import Snapshot

HISTORY_KEPT = 3000  # steps that can be gone back to
LAST = 20_000  # steps, then descent ends
LOST = 1e4  # a root mean square error above this: the curve has left for good
NUMBERS = 1000  # places of one stroke of the pen, at most
SHOWN = 400  # errors of the past in one snapshot, at most


class HingeLabEngine(Engine):
    """Hinges to fit a curve with. `weight`, `bias`, `out`, `offset`: the hinges at the start, by default the chapter's
    three; `drawn`: a target of your own, 61 numbers between -2 and 4 for the places from -3 to 3.

    Raises ValueError for parameters that are unknown or out of range, and for hinges or a drawing of another form.

    >>> lab = HingeLabEngine(weight=[1, 1, 1], bias=[1, 0, -1], out=[2, -4, 2], target="bump")
    >>> lab.error, lab.pieces
    (0.0, 4)
    """

    name = "hinge-lab"
    params: ClassVar = {
        "target": Choice(label="Target", help="The curve to be met.", default="bump", options=(*TARGETS, DRAWN)),
        "optimizer": Choice(
            label="Descent", help="How a gradient becomes a step.", default="adam", options=("sgd", "adam")
        ),
        "lr": Number(
            label="Learning rate", help="How far a step goes.", default=0.03, low=0.001, high=1.0, log=True, digits=2
        ),
    }
    actions = frozenset({"move", "lift", "flip", "add", "remove", "fit", "draw", "back", "scrub", "to_code"})

    def __init__(
        self,
        *,
        weight: Any = None,
        bias: Any = None,
        out: Any = None,
        offset: Any = 0.0,
        drawn: Any = None,
        **values: Any,
    ):
        given = [part is not None for part in (weight, bias, out)]
        if any(given) and not all(given):
            raise ValueError("hinges need weight, bias and out together, or none of them for the chapter's three.")
        if drawn is not None:
            values = {"target": DRAWN, **values}
        super().__init__(**values)
        self.x = torch.linspace(LEFT, RIGHT, PLACES, device="cpu")
        self.drawn = None if drawn is None else hundredths(reals("drawn", drawn))
        self.aim = self._aim()
        self.start = hinges_of(weight, bias, out, offset) if all(given) else hinges_of(*CHAPTER, offset)
        self._begin(self.start)

    # ------------------------------------------------------------------ what it is at the moment

    @property
    def now(self) -> Moment:
        return self.history[self.at]

    @property
    def hinges(self) -> Hinges:
        return self.now.hinges

    @property
    def error(self) -> float:
        """Root mean square distance from the target, over its places."""
        return self._error(self.now)

    @property
    def pieces(self) -> int:
        """Straight pieces of the graph of f: one more than its knots."""
        return 1 + len(knots(self.hinges))

    @property
    def running(self) -> bool:
        return not self.lost and self.now.step < LAST

    # ------------------------------------------------------------------ descent, and back

    def step(self, n: int = 1) -> None:
        """n steps of descent on the mean squared error. A step that would lead out of sight is not taken."""
        for _ in range(whole("n", n, 1, LAST)):
            if not self.running:
                return
            setting = {"lr": self.values["lr"], "optimizer": self.values["optimizer"]}
            after = descend(self.now, self.x, self.aim, **setting)
            if not (after.theta.isfinite().all() and self._error(after) < LOST):  # not a number is not below it either
                self.lost = True
                return
            del self.history[self.at + 1 :], self.errors[self.at + 1 :]  # what came after a step back is given up
            self.history.append(after)
            self.errors.append(self._error(after))
            del self.history[:-HISTORY_KEPT], self.errors[:-HISTORY_KEPT]
            self.at = len(self.history) - 1

    def back(self, n: int = 1) -> None:
        """n steps back, or as far as it goes."""
        self._visit(self.at - whole("n", n, 1, LAST))

    def scrub(self, step: int) -> None:
        """To a step of this run, backwards or forwards: the nearest one that is kept."""
        self._visit(whole("step", step, 0, LAST) - self.history[0].step)

    def reset(self) -> None:
        """The hinges as they were at the start."""
        self._begin(self.start)

    def changed(self, names: frozenset[str]) -> None:
        self.lost = False
        if "target" in names:
            if self.values["target"] == DRAWN and self.drawn is None:
                self.drawn = hundredths(self.aim.tolist())  # the pen begins with the curve that was there
            self.aim = self._aim()
            self._begin(self.hinges)
        if "optimizer" in names:
            self.history[self.at] = self.now.forgetful()

    # ------------------------------------------------------------------ by hand

    def move(self, index: int, knot: float | None = None, bend: float | None = None) -> None:
        """Put the knot of a hinge elsewhere, from -3 to 3, or change its bend, from -6 to 6, or both; w stays."""
        index, (weight, bias, out, offset) = self._index(index), self._plain()
        if knot is not None:
            weight[index] = weight[index] or 1.0  # a hinge with w = 0 has no knot: it gets one
            bias[index] = 0.0 - weight[index] * within("knot", knot, LEFT, RIGHT)
        if bend is not None:
            weight[index] = weight[index] or 1.0
            out[index] = within("bend", bend, -STEEPEST, STEEPEST) / abs(weight[index])
        self._begin(hinges_of(weight, bias, out, offset))

    def lift(self, offset: float) -> None:
        """Set the constant c, from -6 to 6."""
        self._begin(self.hinges._replace(offset=tensor(within("offset", offset, -STEEPEST, STEEPEST))))

    def flip(self, index: int) -> None:
        """Let a hinge open to the other side: w and b change their signs, knot and bend stay."""
        index, (weight, bias, out, offset) = self._index(index), self._plain()
        weight[index], bias[index] = -weight[index], -bias[index]
        self._begin(hinges_of(weight, bias, out, offset))

    def add(self, knot: float | None = None, bend: float | None = None) -> int:
        """One hinge more, open to the right: where it is asked for, else where one alone brings f closest to its
        target. Its index. Raises ValueError for a seventh, or for what lies outside the picture."""
        weight, bias, out, offset = self._plain()
        if len(weight) == MOST:
            raise ValueError(f"there are {MOST} hinges already, the most that fit. Remove one first.")
        if knot is None:
            knot, best = best_hinge(self.hinges, self.x, self.aim)
            bend = best if bend is None else bend
        bend = 1.0 if bend is None else bend
        made = 1.0, 0.0 - within("knot", knot, LEFT, RIGHT), within("bend", bend, -STEEPEST, STEEPEST)
        for values, value in zip((weight, bias, out), made, strict=True):
            values.append(value)
        self._begin(hinges_of(weight, bias, out, offset))
        return len(weight) - 1

    def remove(self, index: int) -> None:
        """One hinge fewer."""
        index, (weight, bias, out, offset) = self._index(index), self._plain()
        for values in (weight, bias, out):
            del values[index]
        self._begin(hinges_of(weight, bias, out, offset))

    def fit(self) -> float:
        """The heights a and the constant c of least squared error, by `torch.linalg.lstsq`; the knots stay."""
        self._begin(best_heights(self.hinges, self.x, self.aim))
        return self.error

    def draw(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """One stroke of the pen, through (x, y) after (x, y): the target becomes "drawn", and follows it.

        Between two places of the stroke the target is straight; outside the picture it stays at the edge.
        """
        xs, ys = reals("xs", xs), reals("ys", ys)
        if len(xs) != len(ys) or not 1 <= len(xs) <= NUMBERS:
            raise ValueError(f"a stroke of {len(xs)} xs and {len(ys)} ys: wanted equally many, from 1 to {NUMBERS}.")
        places = [(min(max(x, LEFT), RIGHT) - LEFT) / (RIGHT - LEFT) * (PLACES - 1) for x in xs]
        values = self.aim.tolist() if self.drawn is None or self.values["target"] != DRAWN else divided(self.drawn)
        values[round(places[0])] = ys[0]
        for (x0, y0), (x1, y1) in pairwise(zip(places, ys, strict=True)):
            for index in range(math.ceil(min(x0, x1)), math.floor(max(x0, x1)) + 1):
                share = (index - x0) / (x1 - x0) if x1 != x0 else 1.0
                values[index] = y0 + share * (y1 - y0)
            values[round(x1)] = y1
        self.drawn = hundredths([min(max(y, BOTTOM), TOP) for y in values])
        self.values = self.values | {"target": DRAWN}
        self.aim = self._aim()
        self._begin(self.hinges)

    # ------------------------------------------------------------------ for the view

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header: the parameters, and
            extent              [left, right, bottom, top] of the picture
            steepest, most      the largest bend that a hand may set, and how many hinges fit
            hinges              [{"weight", "bias", "out", "knot" (None where w = 0), "bend", "formula"}, ...]
            offset              the constant c
            knots, heights      [[place, change of slope], ...] of the sum, and f at each place
            pieces, pieces_seen straight pieces of the sum, and those inside the picture
            error, first_error  root mean square error now and at the start of the run
            lost, warning       whether the last step led out of sight and was not taken, and what to do

        arrays, float32:
            x (points,), curve (points,), parts (hinges, points): the sum and the single hinges; the knots are among x
            places, target (61,): what is aimed at
            error_steps, errors (k,): the run so far
        """
        hinges, bent = self.hinges, knots(self.hinges)
        inside = [place for place, _ in bent if LEFT < place < RIGHT]
        each = [hinges.knot(index) for index in range(len(hinges.out))]
        x = torch.cat([self.x, tensor([place for place in each if place is not None and LEFT < place < RIGHT])])
        x = x.sort().values
        every = -(-len(self.errors) // SHOWN)
        past = sorted({*range(0, len(self.errors), every), len(self.errors) - 1})
        header = {
            **self.values,
            "extent": [LEFT, RIGHT, BOTTOM, TOP],
            "steepest": STEEPEST,
            "most": MOST,
            "hinges": [
                {
                    "weight": weight,
                    "bias": bias,
                    "out": out,
                    "knot": each[index],
                    "bend": hinges.bend(index),
                    "formula": term(weight, bias, out),
                }
                for index, (weight, bias, out) in enumerate(zip(*self._plain()[:3], strict=True))
            ],
            "offset": hinges.offset.item(),
            "knots": [[place, change] for place, change in bent],
            "heights": hinges(tensor([place for place, _ in bent])).tolist(),
            "pieces": len(bent) + 1,
            "pieces_seen": len(inside) + 1,
            "error": self.error,
            "first_error": self.errors[0],
            "lost": self.lost,
            "warning": self.warning(),
            "run": {
                "step": self.now.step,
                "first": self.history[0].step,
                "last": self.history[-1].step,
                "running": self.running,
            },
            "say": self.say(),
            "description": self.describe(),
        }
        arrays = {
            "x": x,
            "curve": hinges(x),
            "parts": hinges.parts(x),
            "places": self.x,
            "target": self.aim,
            "error_steps": tensor([float(self.history[index].step) for index in past]),
            "errors": tensor([self.errors[index] for index in past]),
        }
        return Snapshot(header, arrays)

    def say(self) -> str:
        step = f"Step {self.now.step}: " if self.now.step else ""
        return f"{step}error {self.error:.3f}, {count(self.pieces, 'straight piece')}."

    def describe(self) -> str:
        hinges, bent = self.hinges, knots(self.hinges)
        outside = sum(not LEFT < place < RIGHT for place, _ in bent)
        sentences = [
            f"{count(len(hinges.out), 'hinge')} and the constant {number(hinges.offset.item())} make a curve of "
            f"{count(self.pieces, 'straight piece')}"
            + (f", {self.pieces - outside} of them in sight." if outside else "."),
            f"Target: {self.values['target']}; root mean square error {self.error:.3f}"
            + (f" after {count(self.now.step, 'step')} of descent." if self.now.step else "."),
        ]
        for index, (weight, bias, out) in enumerate(zip(*self._plain()[:3], strict=True)):
            knot, bend = hinges.knot(index), hinges.bend(index)
            what = "has no knot" if knot is None else f"has its knot at {number(knot)} and a bend of {number(bend)}"
            sentences.append(f"Hinge {index + 1}, {term(weight, bias, out)}, {what}.")
        return " ".join(filter(None, [*sentences, self.warning()]))

    def warning(self) -> str:
        if not self.lost:
            return ""
        return "The next step would throw the curve out of sight, so it was not taken: the learning rate is too large."

    def to_code(self) -> str:
        """A torch program with the present numbers, that prints the same error."""
        weight, bias, out, offset = self._plain()
        drawn = self.values["target"] == DRAWN
        target = f"torch.tensor({divided(self.drawn)})" if drawn else TARGETS[self.values["target"]][1]
        return (
            "import torch\n\n"
            f"x = torch.linspace({LEFT:g}, {RIGHT:g}, {PLACES})\n"
            f"target = {target}\n\n"
            f"weight = torch.tensor({weight})\n"
            f"bias = torch.tensor({bias})\n"
            f"out = torch.tensor({out})\n"
            f"offset = {offset}\n\n\n"
            "def f(x):\n"
            '    """x (points,) -> (points,)"""\n'
            "    return torch.relu(x[:, None] * weight + bias) @ out + offset\n\n\n"
            "error = (f(x) - target).square().mean().sqrt()\n"
            'print(f"root mean square error {error.item():.6f}")\n'
        )

    # ------------------------------------------------------------------ sharing

    def state(self) -> dict[str, Any]:
        now = self.now
        return super().state() | {
            "theta": short(now.theta),
            "m": short(now.m),
            "v": short(now.v),
            "age": now.age,
            "step": now.step,
            "start": short(beginning(self.start).theta),
            "drawn": self.drawn,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        theta, start = (tensor(reals(name, state.get(name))) for name in ("theta", "start"))
        m, v = (tensor(reals(name, state.get(name), 1e30)) for name in ("m", "v"))
        for name, row in (("theta", theta), ("start", start)):
            if len(row) % 3 != 1 or len(row) > 3 * MOST + 1:
                raise ValueError(f"this share string is damaged (its {name!r} holds {len(row)} numbers).")
        if not len(m) == len(v) == len(theta) or bool((v < 0).any()):
            raise ValueError("this share string is damaged (its averages do not fit its hinges).")
        age, step = (whole(name, state.get(name), 0, LAST) for name in ("age", "step"))
        drawn = state.get("drawn")
        if drawn is not None:
            if not isinstance(drawn, list):
                raise ValueError("this share string is damaged (its drawing is no list).")
            cents = [whole("drawn", value, round(100 * BOTTOM), round(100 * TOP)) for value in drawn]
            drawn = hundredths([value / 100 for value in cents])
        given = state.get("params")
        if drawn is None and isinstance(given, dict) and given.get("target") == DRAWN:
            raise ValueError("this share string is damaged (its drawing is missing).")
        super().restore(state)
        self.drawn, self.start = drawn, Moment(start, m, v, 0, 0).hinges
        self.aim = self._aim()
        self._run(Moment(theta, m, v, age, step))

    # ------------------------------------------------------------------ inside

    def _aim(self) -> Float[Tensor, " points"]:
        """The target at its places."""
        if self.values["target"] != DRAWN:
            return TARGETS[self.values["target"]][0](self.x)
        self.drawn = self.drawn or [0] * PLACES
        return tensor(divided(self.drawn))

    def _begin(self, hinges: Hinges) -> None:
        """A run that starts here."""
        self._run(beginning(hinges))

    def _run(self, first: Moment) -> None:
        self.history, self.at, self.lost = [first], 0, False
        self.errors = [self.error]

    def _visit(self, index: int) -> None:
        self.at, self.lost = min(max(index, 0), len(self.history) - 1), False

    def _error(self, moment: Moment) -> float:
        return (moment.hinges(self.x) - self.aim).square().mean().sqrt().item()

    def _plain(self) -> tuple[list[float], list[float], list[float], float]:
        hinges = self.hinges
        return short(hinges.weight), short(hinges.bias), short(hinges.out), short(hinges.offset[None])[0]

    def _index(self, index: Any) -> int:
        have = len(self.hinges.out)
        if not have:
            raise ValueError("there are no hinges. Add one first.")
        return whole("index", index, 0, have - 1)
