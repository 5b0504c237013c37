"""One neuron with two inputs: its score is z = w1 x1 + w2 x2 + b, and it says yes where z > 0.

The boundary z = 0 is a line; the weights are an arrow perpendicular to it, towards the yes side. It can be moved by
hand, or by one of two rules (chapter 01), with labels t = -1 or +1 and y = 0 or 1:

    perceptron, one mistake: the next example with t z <= 0     w <- w + t x              b <- b + t
    gradient, one step on the mean cross-entropy                w <- w - lr X^T (p - y)/n  b <- b - lr mean(p - y)

From zeros they go through the same weights as `models.perceptron_steps` and `models.logistic_steps`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

import numpy as np
import torch

from dlcourse.data import synthetic
from dlcourse.nn import binary_cross_entropy_with_logits, sigmoid
from dlcourse.seeding import generator
from dlcourse.types import Float, Shaped, Tensor
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Choice, Number, Param, Whole
from dlcourse.widgets.snapshot import Snapshot, quantise

LARGEST = 1e6  # no weight, bias or coordinate is larger: float32 still tells their scores apart from infinity
LONGEST_RUN = 5000  # steps kept, all of them, so that each can be gone back to
MOST_POINTS = 500
POINTS = 40  # of a made-up problem
SIDE = 60  # places of the map, across and up
SOFT = 0.8  # a hard yes is half as much: points have to stand out from it
CORNERS = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}  # labels of (0,0), (0,1), (1,0), (1,1)
NEURON = ("weight1", "weight2", "bias")

Extent = tuple[float, float, float, float]  # left, right, bottom, top


@dataclass(frozen=True, kw_only=True)
class Reach(Number):
    """A number whose slider covers the usual values, -5 to 5; a rule or a cell may go on to `low` and `high`."""

    usual: float = 5.0

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "kind": "number", "low": -self.usual, "high": self.usual}


@dataclass(frozen=True)
class NeuronStep:
    """The neuron after `index` steps of a run; the first one has no rule, it is where the run began."""

    index: int
    weight: Float[Tensor, "2"]
    bias: Float[Tensor, ""]
    next_look: int = 0  # the example at which the perceptron goes on looking for a mistake
    rule: str | None = None
    lr: float | None = None  # of a gradient step
    example: int | None = None  # which one the perceptron took
    note: str = ""  # what happened, in a sentence


def problem(name: str, seed: int = 0) -> tuple[Float[Tensor, "points 2"], Float[Tensor, " points"]]:
    """The points x and labels y (0 or 1) of a made-up problem.

    "and", "or", "xor": the four positions of two switches. "clouds": 20 + 20 points that a line parts; "overlap": the
    same clouds, wider; "moons": two half circles. `seed` draws other points. Raises ValueError for another name.

    >>> x, y = problem("xor")
    >>> x.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
    """
    if name in CORNERS:
        corners = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
        return torch.tensor(corners, device="cpu"), torch.tensor(CORNERS[name], dtype=torch.float32, device="cpu")
    if name == "moons":
        x, y = synthetic.moons(POINTS, noise=0.12, generator=generator(seed))
        return x, y.float()
    if name not in ("clouds", "overlap"):
        known = ", ".join(map(repr, (*CORNERS, "clouds", "overlap", "moons")))
        raise ValueError(f"problem({name!r}) is not known: wanted one of {known}.")
    noise = {"clouds": 0.35, "overlap": 0.95}[name]
    x, y = synthetic.blobs(POINTS, noise=noise, classes=2, radius=1.1, generator=generator(seed))
    c, s = math.cos(2.6), math.sin(2.6)  # turned, and beside the origin: it takes both weights and the bias
    turn, middle = torch.tensor([[c, s], [-s, c]], device="cpu"), torch.tensor([1.2, 1.0], device="cpu")
    return x @ turn + middle, y.float()


def perceptron_step(
    now: NeuronStep, x: Float[Tensor, "points 2"], labels: Float[Tensor, " points"]
) -> NeuronStep | None:
    """The neuron after its next mistake, going through the examples in turn; None when there is no mistake.

    `labels` are -1 or +1. An example on the line, with a score of exactly 0, is a mistake too.
    """
    scores = x @ now.weight + now.bias
    wrong = (labels * scores <= 0).tolist()
    order = [(now.next_look + i) % len(x) for i in range(len(x))]
    i = next((i for i in order if wrong[i]), None)
    if i is None:
        return None
    should, what = (
        ("yes", "added to the weights, and 1 to") if labels[i] > 0 else ("no", "taken from the weights, and 1 from")
    )
    place = ", ".join(f"{v:.4g}" for v in x[i].tolist())
    return NeuronStep(
        now.index + 1,
        now.weight + labels[i] * x[i],
        now.bias + labels[i],
        next_look=(i + 1) % len(x),
        rule="perceptron",
        example=i,
        note=f"Point {i + 1}, ({place}), should be a {should} and scored {number(scores[i].item())}: {what} the bias.",
    )


def gradient_step(
    now: NeuronStep, x: Float[Tensor, "points 2"], y: Float[Tensor, " points"], lr: float
) -> NeuronStep | None:
    """The neuron after one step down the slope of its mean cross-entropy; None when that does not move it.

    `y` are 0 or 1.
    """
    error = sigmoid(x @ now.weight + now.bias) - y  # what was said minus what was true
    weight, bias = now.weight - lr * x.T @ error / len(x), now.bias - lr * error.mean()
    if torch.equal(weight, now.weight) and torch.equal(bias, now.bias):
        return None
    slope1, slope2 = (x.T @ error / len(x)).tolist()
    slopes = (
        f"{number(slope1, 3)} and {number(slope2, 3)} for the weights, {number(error.mean().item(), 3)} for the bias"
    )
    note = f"The slopes of the loss were {slopes}; each number went {lr:g} times its slope downhill."
    return NeuronStep(now.index + 1, weight, bias, next_look=now.next_look, rule="gradient", lr=lr, note=note)


class NeuronLabEngine(Engine):
    """One neuron, its points, and a run: the steps since it was last moved by hand.

    X, y: points of your own, shapes (points, 2) and (points,), labels 0 and 1 or -1 and +1, at most 500 points;
    anything that numpy can read. `NeuronLabEngine(data="xor", weight1=1, weight2=1, bias=-0.5)` sets parameters.

    A point is an error when it is on the wrong side, or on the line: t z <= 0. Moving the neuron by hand begins a new
    run. Raises ValueError for other points, an unknown parameter, or a value out of range.

    >>> lab = NeuronLabEngine(data="and", weight1=0, weight2=0, bias=0)
    >>> lab.step(100)
    >>> lab.errors, lab.weight.tolist(), lab.bias.item()
    (0, [3.0, 2.0], -4.0)
    """

    name = "neuron-lab"
    params: ClassVar[Mapping[str, Param]] = {
        "data": Choice(
            label="points",
            help="What the neuron should tell apart.",
            default="clouds",
            options=("and", "or", "xor", "clouds", "overlap", "moons", "own"),
        ),
        "seed": Whole(label="draw", help="Another number draws other points.", default=0, low=0, high=99),
        "output": Choice(
            label="output",
            help="What the map shows: the hard answer, or the probability of yes.",
            default="step",
            options=("step", "sigmoid"),
        ),
        "weight1": Reach(label="weight w₁", help="How much x₁ counts.", default=1.0, low=-LARGEST, high=LARGEST),
        "weight2": Reach(label="weight w₂", help="How much x₂ counts.", default=1.0, low=-LARGEST, high=LARGEST),
        "bias": Reach(label="bias b", help="It slides the line.", default=0.0, low=-LARGEST, high=LARGEST),
        "rule": Choice(
            label="rule", help="What play repeats.", default="perceptron", options=("perceptron", "gradient")
        ),
        "lr": Number(
            label="learning rate",
            help="How far a gradient step goes.",
            default=0.5,
            low=0.01,
            high=100.0,
            log=True,
        ),
        "pace": Choice(
            label="pace",
            help="How fast play goes: slow enough to see each step, or as fast as it looks smooth.",
            default="slow",
            options=("slow", "fast"),
        ),
    }
    actions = frozenset({"perceptron", "descend", "louder", "zeros", "aim", "select", "back", "scrub", "to_code"})

    def __init__(self, X: Any = None, y: Any = None, **values: Any) -> None:  # noqa: N803 (as everybody calls it)
        self.own = _own_points(X, y)
        if self.own is not None:
            values = {"data": "own", **values}
        super().__init__(**values)
        self._check_data(self.values["data"])
        self.home = tuple(self.values[name] for name in NEURON)
        self.best: int | None = None
        self._lay_out()
        self._begin()

    # The present neuron

    @property
    def now(self) -> NeuronStep:
        return self.steps[self.at]

    @property
    def weight(self) -> Float[Tensor, "2"]:
        return self.now.weight

    @property
    def bias(self) -> Float[Tensor, ""]:
        return self.now.bias

    @property
    def labels(self) -> Float[Tensor, " points"]:
        """-1 or +1, as the perceptron wants them; `self.y` is 0 or 1."""
        return 2 * self.y - 1

    @property
    def scores(self) -> Float[Tensor, " points"]:
        return self.x @ self.weight + self.bias

    @property
    def wrong(self) -> Shaped[Tensor, " points"]:
        return self.labels * self.scores <= 0

    @property
    def errors(self) -> int:
        return int(self.wrong.sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return binary_cross_entropy_with_logits(self.scores, self.y).item()

    # Steps

    def step(self, n: int = 1) -> None:
        """n steps of the chosen rule, fewer when it has nothing left to do."""
        for _ in range(n):
            if not self.running:
                return
            self._go(self.values["rule"])

    def _done(self) -> str:
        done = self.at > 0 and self.values["rule"] == "perceptron" and self.errors == 0
        return " No mistake is left, so the rule has come to its end." if done else ""

    @property
    def running(self) -> bool:
        """False when the rule has come to its end, or this run to 5,000 steps."""
        return self.halt is None and not (self.values["rule"] == "perceptron" and self.errors == 0)

    def perceptron(self) -> None:
        """One mistake of the perceptron, whatever `rule` says."""
        self._go("perceptron")

    def descend(self) -> None:
        """One step of gradient descent, whatever `rule` says."""
        self._go("gradient")

    def back(self, n: int = 1) -> None:
        """n steps back in this run, at most to where it began. Raises ValueError when n is no whole number from 1."""
        self.scrub(max(0, self.at - _whole("back", "n", n, 1, LONGEST_RUN)))

    def scrub(self, step: int) -> None:
        """To a step of this run, exactly. Raises ValueError when there is no such step."""
        self._arrive(_whole("scrub", "step", step, 0, len(self.steps) - 1))

    def reset(self) -> None:
        """The neuron as the lab was opened with, a new run, no best so far."""
        self.best = None
        self.values = self.values | dict(zip(NEURON, self.home, strict=True))
        self.selected = 0
        self._begin()

    def _go(self, rule: str, lr: float | None = None) -> None:
        if rule == "perceptron":
            step, end = perceptron_step(self.now, self.x, self.labels), "No mistake is left: the perceptron stops."
        else:
            step = gradient_step(self.now, self.x, self.y, self.values["lr"] if lr is None else lr)
            end = "The slopes are too small to move anything: gradient descent rests here."
        if step is None:
            self.halt = end
        elif step.index > LONGEST_RUN:
            self.halt = f"{LONGEST_RUN:,} steps are the most in one run. Move the line by hand to begin another."
        elif max(step.weight.abs().max().item(), step.bias.abs().item()) > LARGEST:
            self.halt = (
                "The next step would carry a weight beyond a million. Lower the learning rate, or scale the inputs."
            )
        else:
            self.steps[self.at + 1 :] = [step]  # going on from an earlier step forgets the later ones
            self._arrive(step.index)

    def _arrive(self, at: int) -> None:
        """At a step of this run: its numbers become the parameters, and its example the selected point."""
        self.at, self.halt = at, None
        self.values = self.values | dict(zip(NEURON, _numbers(self.now), strict=True))
        if self.now.example is not None:
            self.selected = self.now.example
        self._count()

    # By hand

    def aim(self, weight1: float, weight2: float, bias: float) -> None:
        """All three numbers at once: what dragging the arrow does. Raises ValueError, changing nothing."""
        self.set(weight1=weight1, weight2=weight2, bias=bias)

    def louder(self) -> None:
        """Weights and bias times three: the same decisions, bigger scores. Raises ValueError beyond a million."""
        self.set(**{name: _short(3 * self.values[name]) for name in NEURON})

    def zeros(self) -> None:
        """Weights and bias zero, where both rules usually begin."""
        self.set(**dict.fromkeys(NEURON, 0.0))

    def select(self, index: int | None = None) -> None:
        """The point whose score is written out; None for none. Raises ValueError when there is no such point."""
        self.selected = None if index is None else _whole("select", "index", index, 0, len(self.x) - 1)

    def changed(self, names: frozenset[str]) -> None:
        self._check_data(self.values["data"])
        self.halt = None
        if "data" in names or ("seed" in names and self._drawn()):
            self._lay_out()
            self._begin()
        elif not names.isdisjoint(NEURON):
            self._begin()

    def _check_data(self, name: str) -> None:
        if name == "own" and self.own is None:
            raise ValueError("data='own' needs points: make the lab with NeuronLab(X=..., y=...).")

    def _drawn(self) -> bool:
        """Whether the points are drawn at random, so that `seed` matters."""
        return self.values["data"] not in (*CORNERS, "own")

    def _lay_out(self) -> None:
        """The points of the present parameters."""
        name = self.values["data"]
        self.x, self.y = self.own if name == "own" else problem(name, self.values["seed"])
        self.extent: Extent = (-0.5, 1.5, -0.5, 1.5) if name in CORNERS else around(self.x)
        self.best, self.selected = None, 0

    def _begin(self) -> None:
        """A new run from the weights and bias of the parameters."""
        self.steps, self.at, self.halt = [_start([self.values[name] for name in NEURON])], 0, None
        self._count()

    def _count(self) -> None:
        self.best = self.errors if self.best is None else min(self.best, self.errors)

    # What others see

    def snapshot(self) -> Snapshot:
        """Arrays: `field` (60, 60), the map; `points` (n, 4): x1, x2, label 0 or 1, wrong 0 or 1."""
        header = {
            "run": {"step": self.at, "first": 0, "last": len(self.steps) - 1, "running": self.running},
            "say": self._say(),
            "note": self.halt or f"{self.now.note}{self._done()}",
            "errors": self.errors,
            "total": len(self.x),
            "best": self.best,
            "loss": self.loss,
            "weight": _numbers(self.now)[:2],
            "bias": _numbers(self.now)[2],
            "selected": self._written_out(),
            "last_example": self.now.example,
            "extent": list(self.extent),
            "output": self.values["output"],
            "own": self.own is not None,
            "drawn": self._drawn(),
        }
        points = torch.column_stack([self.x, self.y, self.wrong.float()])
        return Snapshot(header, {"field": self._field(), "points": points})

    def _field(self) -> np.ndarray:
        """The neuron's answer in the middle of each place of the map, as bytes, from the bottom row up."""
        left, right, bottom, top = self.extent
        middles = (torch.arange(SIDE, device="cpu") + 0.5) / SIDE
        score = self.weight[0] * (left + (right - left) * middles) + self.bias  # (across,)
        score = score + self.weight[1] * (bottom + (top - bottom) * middles)[:, None]  # (up, across)
        if self.values["output"] == "sigmoid":
            return quantise(sigmoid(score), 0, 1)
        # Hard, but for the one place that the line runs through: a straight edge instead of a staircase.
        place = (right - left) / SIDE * self.weight.norm().item() or 1e-9
        return quantise((score / place).clamp(-0.5, 0.5), -SOFT, SOFT)

    def _written_out(self) -> dict[str, Any] | None:
        """The selected point's score and the parts that it is the sum of."""
        if self.selected is None:
            return None
        i, score = self.selected, self.scores[self.selected]
        return {
            "index": i,
            "x": self.x[i].tolist(),
            "label": int(self.y[i]),
            "parts": [*(self.weight * self.x[i]).tolist(), self.bias.item()],
            "z": score.item(),
            "p": sigmoid(score).item(),
            "wrong": bool(self.wrong[i]),
        }

    def _say(self) -> str:
        step = f"Step {self.at}, " if self.at else ""
        return f"{step}{_errors(self.errors)} of {len(self.x)}, mean loss {number(self.loss)}."

    def describe(self) -> str:
        w1, w2, b = (number(v) for v in _numbers(self.now))
        name = "points of your own" if self.values["data"] == "own" else f"the {self.values['data']!r} points"
        told = [
            f"One neuron with weights {w1} and {w2} and bias {b}, on {name}.",
            f"{_errors(self.errors).capitalize()} of {len(self.x)} (best so far: {self.best}), "
            f"mean loss {number(self.loss)}.",
            f"It says yes {self._yes_side()}.",
        ]
        if point := self._written_out():
            place = ", ".join(f"{v:.4g}" for v in point["x"])
            should = "yes" if point["label"] else "no"
            told.append(
                f"Point {point['index'] + 1}, ({place}), scores {added(point['parts'])} = {number(point['z'])} and "
                f"should be a {should}: {'wrong' if point['wrong'] else 'right'}."
            )
        if self.at:
            told.append(f"Step {self.at} of this run. {self.now.note}")
        if self.halt:
            told.append(self.halt)
        return " ".join(told)

    def _yes_side(self) -> str:
        w1, w2 = self.weight.tolist()
        if not w1 and not w2:
            return f"{'everywhere' if self.bias > 0 else 'nowhere'}: with both weights zero there is no line"
        across, up = ("right" if w1 > 0 else "left"), ("above" if w2 > 0 else "below")
        steep = abs(w1) / math.hypot(w1, w2)  # 1: the line stands upright
        if steep > 0.92:
            return f"to the {across} of its line"
        return f"{up} its line" if steep < 0.38 else f"{up} and to the {across} of its line"

    def to_code(self) -> str:
        """A short torch program: this neuron, these points, the loss, the errors, and a step of the chosen rule."""
        w1, w2, b = _numbers(self.now)
        if self.values["data"] == "own":
            points = 'x = torch.as_tensor(X, dtype=torch.float32)  # your own points: "X" and "y" in your notebook\n'
            points += "y = (torch.as_tensor(y) > 0).float()"
        elif self.values["data"] in CORNERS:
            points = f"x = torch.tensor({self.x.tolist()})\ny = torch.tensor({self.y.tolist()})"
        else:
            points = "from dlcourse.widgets.neuron_lab.engine import problem\n\n"
            points += 'x, y = problem("{data}", seed={seed})  # (n, 2), and (n,) of 0 or 1'.format_map(self.values)
        rule = _PERCEPTRON if self.values["rule"] == "perceptron" else _GRADIENT
        return _PROGRAM.format(
            points=points,
            weight=f"torch.tensor([{w1!r}, {w2!r}])",
            bias=f"torch.tensor({b!r})",
            rule=rule.format(lr=self.values["lr"], look=self.now.next_look),
        )

    def share(self) -> str:
        """Everything, the run included, as a string; not points of one's own, which would be too many: ValueError."""
        if self.values["data"] == "own":
            raise ValueError("points of your own do not fit into a share string: hand on the notebook that has them.")
        return super().share()

    def state(self) -> dict[str, Any]:
        made = groupby(self.steps[1:], key=lambda step: (step.rule, step.lr))
        return {
            "params": {name: value for name, value in self.values.items() if name not in NEURON},
            "home": list(self.home),
            "start": _numbers(self.steps[0]),
            "moves": [[rule, lr, len(list(steps))] for (rule, lr), steps in made],
            "at": self.at,
            "best": self.best,
            "selected": self.selected,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over a `state` by going through its run again. ValueError, changing nothing, when it does not fit."""
        params = state.get("params")
        if not isinstance(params, dict):
            raise ValueError("this share string is damaged (it holds no settings).")
        params = self._checked({**params, **_named(state, "home")})  # by name, so that no string brings points along
        fresh = type(self)(*(self.own or (None, None)), **params)
        fresh.set(**_named(state, "start"))
        for rule, lr, count in _moves(state.get("moves")):
            for _ in range(count):
                made = fresh.at
                fresh._go(rule, lr)
                if fresh.at == made:
                    raise ValueError(f"this share string is damaged (its run ends after {made} steps: {fresh.halt})")
        fresh.scrub(state.get("at", 0))
        fresh.select(state.get("selected"))
        fresh.best = _whole("share string", "best", state.get("best"), 0, len(fresh.x))
        self.__dict__.update(fresh.__dict__)


_PROGRAM = """\
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

{points}
weight, bias = {weight}, {bias}


{rule}


def show(weight, bias):
    z = x @ weight + bias  # the scores
    errors = ((2 * y - 1) * z <= 0).sum().item()  # a score of exactly zero counts as an error
    print(f"loss {{binary_cross_entropy_with_logits(z, y).item():.4f}}, errors {{errors}} of {{len(x)}}")


show(weight, bias)
weight, bias = step(weight, bias)
show(weight, bias)
"""
_PERCEPTRON = """\
def step(weight, bias, look={look}):
    \"\"\"The perceptron, one mistake: the next example on the wrong side, looking from number `look` on.\"\"\"
    t = 2 * y - 1
    for i in (*range(look, len(x)), *range(look)):
        if t[i] * (x[i] @ weight + bias) <= 0:
            return weight + t[i] * x[i], bias + t[i]
    return weight, bias"""
_GRADIENT = """\
def step(weight, bias, lr={lr!r}):
    \"\"\"Gradient descent on the mean cross-entropy, one step.\"\"\"
    error = torch.sigmoid(x @ weight + bias) - y  # what was said minus what was true
    return weight - lr * x.T @ error / len(x), bias - lr * error.mean()"""


def around(x: Float[Tensor, "points 2"]) -> Extent:
    """A square with all the points and some room around them: equal units both ways, or no angle would be right.

    >>> around(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    (-0.25, 2.25, -0.25, 2.25)
    """
    low, high = x.min(dim=0).values, x.max(dim=0).values
    half = 0.625 * (high - low).max().item() or 1.0
    across, up = ((low + high) / 2).tolist()
    return (across - half, across + half, up - half, up + half)


def number(value: float, digits: int = 2) -> str:
    """As people write it: two digits after the point, no minus before a zero.

    >>> number(-0.001), number(1234567.0)
    ('0.00', '1.23e+06')
    """
    if abs(value) >= 1e5:
        return f"{value:.3g}"
    return f"{round(value, digits) + 0.0:.{digits}f}"


def added(parts: Sequence[float]) -> str:
    """A sum as people write it.

    >>> added([2.0, -1.5, 0.0])
    '2.00 - 1.50 + 0.00'
    """
    first, *rest = (number(part) for part in parts)
    return first + "".join(f" - {part[1:]}" if part.startswith("-") else f" + {part}" for part in rest)


def _errors(count: int) -> str:
    return "no error" if count == 0 else "1 error" if count == 1 else f"{count} errors"


def _start(numbers: Sequence[float]) -> NeuronStep:
    weight1, weight2, bias = numbers
    return NeuronStep(0, torch.tensor([weight1, weight2], device="cpu"), torch.tensor(bias, device="cpu"))


def _numbers(step: NeuronStep) -> list[float]:
    """Weights and bias in the fewest digits that give the same float32 again: 0.1, not 0.10000000149011612."""
    return [_short(value) for value in (*step.weight.tolist(), step.bias.item())]


def _short(value: float) -> float:
    return float(str(np.float32(value)))


def _own_points(x: Any, y: Any) -> tuple[Tensor, Tensor] | None:
    """A learner's points as x (n, 2) float32 and y (n,) of 0 and 1; None when none were given."""
    if x is None and y is None:
        return None
    if x is None or y is None:
        raise ValueError("give both X and y: X of shape (points, 2), y of shape (points,) with labels 0 and 1.")
    try:
        x, y = (torch.as_tensor(np.asarray(_plain(v), dtype=np.float64), device="cpu") for v in (x, y))
    except (TypeError, ValueError) as error:
        raise ValueError(f"X and y should be tables of numbers ({error}).") from None
    came = f"X has the shape {tuple(x.shape)} and y {tuple(y.shape)}"
    if x.ndim != 2 or x.shape[1] != 2 or y.shape != x.shape[:1]:
        columns = " Pick two columns, like X[:, [0, 1]]." if x.ndim == 2 and x.shape[1] > 2 else ""
        raise ValueError(f"{came}; wanted (points, 2) and (points,).{columns}")
    if not 1 <= len(x) <= MOST_POINTS:
        raise ValueError(f"{came}; wanted 1 to {MOST_POINTS} points. A part of them will do, like X[:{MOST_POINTS}].")
    if not bool((x.abs() <= LARGEST).all()):  # false for nan too
        raise ValueError("X holds something that is no number, or is beyond a million: mend or scale it first.")
    kinds = set(y.tolist())
    if not (kinds <= {0.0, 1.0} or kinds <= {-1.0, 1.0}):
        shown = ", ".join(f"{kind:g}" for kind in sorted(kinds)[:5])
        raise ValueError(f"y holds the labels {shown}; wanted 0 and 1, or -1 and +1. Like (y == 2) for class 2.")
    return x.float(), (y > 0).float()


def _plain(values: Any) -> Any:
    return values.detach().cpu() if isinstance(values, Tensor) else values


def _whole(what: str, name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what}: {name}={value!r}; wanted a whole number from {low} to {high}.")
    return value


def _named(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Three numbers of a shared state under their names."""
    numbers = state.get(key)
    if not isinstance(numbers, list) or len(numbers) != len(NEURON):
        raise ValueError(f"this share string is damaged (its {key!r} is no list of three numbers).")
    return dict(zip(NEURON, numbers, strict=True))


def _moves(moves: Any) -> list[tuple[str, float | None, int]]:
    """The run inside a shared state, checked before any of it is gone through."""
    left, checked = LONGEST_RUN, []
    for move in moves if isinstance(moves, list) else [None]:
        if not isinstance(move, list) or len(move) != 3 or move[0] not in ("perceptron", "gradient"):
            raise ValueError("this share string is damaged (its run is no list of rules and counts).")
        rule, lr, count = move
        lr = NeuronLabEngine.params["lr"].check("lr", lr) if rule == "gradient" else None
        checked.append((rule, lr, _whole("share string", "steps", count, 1, left)))
        left -= count
    return checked
