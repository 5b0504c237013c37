"""Seven bends: value, slope, where the slope is next to nothing, and what is left of a slope after several in a row.

The chain is y = f(f(...f(x))), every weight 1 and every bias 0. By the chain rule its slope is a product, one factor
for each bend, and every factor is taken where the chain stands by then:

    dy/dx = f'(x) f'(f(x)) f'(f(f(x))) ...

All slopes come from autograd. Everything is float64: twenty factors of 0.01 make 1e-40, too small for float32.
"""

from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch

from dlcourse import nn
from dlcourse.types import Float, Tensor
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Choice, Number, Whole
from dlcourse.widgets.snapshot import Snapshot

BENDS = {
    "sigmoid": nn.sigmoid,
    "tanh": nn.tanh,
    "relu": nn.relu,
    "leaky_relu": nn.leaky_relu,
    "elu": nn.elu,
    "gelu": nn.gelu,
    "silu": nn.silu,
}
TITLES = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
}
CORNERS = {"relu": "0", "leaky_relu": "0.01"}  # no slope exists at 0; what torch and dlcourse.nn take in its place
IN_TORCH = {
    name: f"torch.{name}" if name in ("sigmoid", "tanh", "relu") else f"torch.nn.functional.{name}" for name in BENDS
}
LOW, HIGH = -6.0, 6.0  # inputs shown
POINTS = 481  # of a curve, 0.025 apart: odd, so that 0 is one of them


class Band(NamedTuple):
    """An interval of inputs where the slope is smaller in size than the threshold."""

    low: float
    high: float


class Chain(NamedTuple):
    """values (layers,): what each bend gives. slopes (layers,): the factor that each brings in."""

    values: Float[Tensor, " layers"]
    slopes: Float[Tensor, " layers"]

    @property
    def slope(self) -> float:
        """Of the whole chain: the product of its factors."""
        return self.slopes.prod().item()


def slope(name: str, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The slope of the bend `name` at each x, by autograd.

    >>> slope("sigmoid", torch.tensor([0.0, 6.0])), slope("relu", torch.tensor([-1.0, 0.0, 1.0]))
    (tensor([0.2500, 0.0025]), tensor([0., 0., 1.]))
    """
    x = x.detach().requires_grad_()
    return torch.autograd.grad(BENDS[name](x).sum(), x)[0]


def chain(name: str, x: float, layers: int) -> Chain:
    """x sent through the bend `name`, `layers` times over, and the factor of the slope at each.

    >>> chain("sigmoid", 0.0, 2).slopes  # 1/4 at 0, then at sigmoid(0) = 1/2
    tensor([0.2500, 0.2350], dtype=torch.float64)
    """
    places = [torch.tensor(x, dtype=torch.float64, device="cpu")]
    for _ in range(layers):
        places.append(BENDS[name](places[-1]))
    return Chain(torch.stack(places[1:]), slope(name, torch.stack(places[:-1])))


def saturated(name: str, threshold: float) -> tuple[Band, ...]:
    """Where |slope| < threshold between LOW and HIGH, from left to right; the edges to about 1e-7.

    >>> [(round(low, 2), round(high, 2)) for low, high in saturated("sigmoid", 0.05)]
    [(-6.0, -2.89), (2.89, 6.0)]
    """
    x, _, slopes = curve(name)
    edges = {LOW, HIGH}
    for level in (threshold, -threshold):  # a slope that crosses 0 between two points crosses both
        above = slopes > level
        for cell in (above[1:] != above[:-1]).nonzero().flatten().tolist():
            edges.add(_crossing(name, level, x[cell].item(), x[cell + 1].item()))
    ordered = sorted(edges)
    bands: list[Band] = []
    for low, high in pairwise(ordered):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, device="cpu")
        if abs(slope(name, middle).item()) < threshold:
            joined = bands and bands[-1].high == low
            bands[-1:] = [Band(bands[-1].low, high)] if joined else [*bands[-1:], Band(low, high)]
    return tuple(bands)


def _crossing(name: str, level: float, low: float, high: float) -> float:
    """Where the slope passes `level` between two inputs: look at 65 places, keep the cell where it does, and again."""
    for _ in range(3):
        x = torch.linspace(low, high, 65, dtype=torch.float64, device="cpu")
        above = slope(name, x) > level
        cell = int((above != above[0]).nonzero()[0])
        low, high = x[cell - 1].item(), x[cell].item()
    return (low + high) / 2 if abs(low + high) > 1e-6 else 0.0  # the corner of a ReLU is at 0 and nowhere near it


class Curve(NamedTuple):
    x: Float[Tensor, " points"]
    value: Float[Tensor, " points"]
    slope: Float[Tensor, " points"]


@lru_cache(maxsize=len(BENDS))
def curve(name: str) -> Curve:
    """The bend `name` between LOW and HIGH."""
    x = torch.linspace(LOW, HIGH, POINTS, dtype=torch.float64, device="cpu")
    x[POINTS // 2] = 0.0
    return Curve(x, BENDS[name](x), slope(name, x))


class ActivationLabEngine(Engine):
    """Value and slope of one bend at a movable input, its saturated bands, and the slope of a chain of bends.

    >>> lab = ActivationLabEngine(activation="tanh", x=0.5)
    >>> round(lab.value, 4), round(lab.slope, 4)
    (0.4621, 0.7864)
    """

    name = "activation-lab"
    params: ClassVar = {
        "activation": Choice(
            label="Activation", help="The bend whose value and slope are drawn.", default="sigmoid", options=(*BENDS,)
        ),
        "compare": Choice(
            label="Compare with", help="A second bend, drawn dashed.", default="none", options=("none", *BENDS)
        ),
        "x": Number(label="Input x", help="Where value and slope are read.", default=1.0, low=LOW, high=HIGH),
        "threshold": Number(
            label="Saturated below",
            help="Where the slope is smaller in size than this, the picture is shaded: little is left to learn from.",
            default=0.05,
            low=0.001,
            high=0.2,
            log=True,
        ),
        "layers": Whole(
            label="Bends in a row",
            help="How often the bend is applied, one after another, with weights 1 and biases 0.",
            default=5,
            low=1,
            high=20,
        ),
    }
    actions = frozenset({"to_code"})

    def __init__(self, **values: Any):
        super().__init__(**values)
        self.changed(frozenset(self.params))

    def changed(self, names: frozenset[str]) -> None:
        """Compute what the change has touched; the rest stays."""
        chosen = self.values["activation"]
        if names & {"activation", "x"}:
            at = torch.tensor(self.values["x"], dtype=torch.float64, device="cpu")
            self.value, self.slope = BENDS[chosen](at).item(), slope(chosen, at).item()
        if names & {"activation", "threshold"}:
            self.bands = saturated(chosen, self.values["threshold"])
            self.share_saturated = sum(high - low for low, high in self.bands) / (HIGH - LOW)
        if names & {"x", "layers"}:
            self.chains = {name: chain(name, self.values["x"], self.values["layers"]) for name in BENDS}

    @property
    def ranking(self) -> list[tuple[str, float]]:
        """(bend, slope of its chain), the largest in size first."""
        return sorted(((name, made.slope) for name, made in self.chains.items()), key=lambda item: -abs(item[1]))

    def _ranked(self, place: int) -> str:
        """The bends that share a place in the ranking, in words: "ReLU, leaky ReLU and ELU (1)"."""
        left = self.ranking[place][1]
        *some, last = (TITLES[name] for name, other in self.ranking if abs(other) == abs(left))
        return f"{', '.join(some)} and {last} ({number(left)})" if some else f"{last} ({number(left)})"

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header: the parameters, and
            title, compare_title  as people write the two functions; the second is "" without one to compare
            range                 [low, high] of x
            value, slope          f(x) and f'(x) at the point
            saturated             whether |f'(x)| is below the threshold
            bands                 [[low, high], ...] where it is; share: of the range, in [0, 1]; where: in words
            note                  what is special at this very x, or ""
            factors               what is left of the slope after 1, 2, ... layers of it
            ranking               [{"name", "title", "slope"}, ...]: what each function leaves at the end, largest first
            say, description      the point, and everything, in words

        arrays: value, slope float32 (points,) over the range; compare_value, compare_slope: of the function to compare.
        """
        chosen, other = self.values["activation"], self.values["compare"]
        drawn = {"": chosen} if other == "none" else {"": chosen, "compare_": other}
        arrays = {}
        for prefix, name in drawn.items():
            arrays |= {prefix + "value": curve(name).value.float(), prefix + "slope": curve(name).slope.float()}
        header = {
            **self.values,
            "title": TITLES[chosen],
            "compare_title": TITLES.get(other, ""),
            "range": [LOW, HIGH],
            "value": self.value,
            "slope": self.slope,
            "saturated": abs(self.slope) < self.values["threshold"],
            "bands": [list(band) for band in self.bands],
            "share": self.share_saturated,
            "where": self.where(),
            "note": self.note(),
            "factors": self.chains[chosen].slopes.tolist(),
            "ranking": [{"name": name, "title": TITLES[name], "slope": left} for name, left in self.ranking],
            "say": self.say(),
            "description": self.describe(),
        }
        return Snapshot(header, arrays)

    def where(self) -> str:
        """Where the bend is saturated: "on both sides", "on the left", ..."""
        sides = (any(band.low == LOW for band in self.bands), any(band.high == HIGH for band in self.bands))
        return {
            (True, True): "on both sides",
            (True, False): "on the left",
            (False, True): "on the right",
            (False, False): "in the middle" if self.bands else "nowhere",
        }[sides]

    def note(self) -> str:
        """What is special at this very input."""
        chosen = self.values["activation"]
        if self.values["x"] == 0 and chosen in CORNERS:
            return f"At 0 the graph has a corner, and no slope. torch takes {CORNERS[chosen]} there."
        return ""

    def say(self) -> str:
        values = self.values
        return (
            f"{TITLES[values['activation']]} at {number(values['x'])}: value {number(self.value)}, "
            f"slope {number(self.slope)}."
        )

    def describe(self) -> str:
        values, chosen = self.values, self.values["activation"]
        sentences = [self.say(), self.note()]
        sentences.append(f"Its slope is smaller in size than {number(values['threshold'])} {self.where()}")
        if self.bands:
            ranges = " and ".join(f"from {number(low)} to {number(high)}" for low, high in self.bands)
            sentences[-1] += f", {ranges}: {self.share_saturated:.0%} of the range from {LOW:g} to {HIGH:g}"
        sentences[-1] += "."
        row = "one bend" if values["layers"] == 1 else f"{values['layers']} in a row"
        sentences.append(
            f"Of a slope of 1, {row} (weights 1, biases 0) keep {number(self.chains[chosen].slope)}. "
            f"Of the seven, {self._ranked(0)} keep the most in size, and {self._ranked(-1)} the least."
        )
        if values["compare"] != "none":
            other = values["compare"]
            at = torch.tensor(values["x"], dtype=torch.float64, device="cpu")
            sentences.append(
                f"For comparison, {TITLES[other]}: value {number(BENDS[other](at).item())}, "
                f"slope {number(slope(other, at).item())}; {row} keep {number(self.chains[other].slope)}."
            )
        return " ".join(filter(None, sentences))

    def to_code(self) -> str:
        """A torch program that prints value and slope at x, and the slope of the chain."""
        values = self.values
        return (
            "import torch\n\n"
            f"bend = {IN_TORCH[values['activation']]}\n"
            f"x = torch.tensor({values['x']!r}, dtype=torch.float64, requires_grad=True)\n\n"
            "y = bend(x)\n"
            "(slope,) = torch.autograd.grad(y, x)\n"
            'print(f"value {y.item():.6g}, slope {slope.item():.6g}")\n\n'
            "y = x\n"
            f"for _ in range({values['layers']}):\n"
            "    y = bend(y)\n"
            "(left,) = torch.autograd.grad(y, x)\n"
            f'print(f"slope after {values["layers"]} in a row {{left.item():.6g}}")\n'
        )


def number(value: float) -> str:
    """As people write it: three digits that count.

    >>> number(-0.04997), number(0.0), number(1.5e-9)
    ('-0.05', '0', '1.5e-9')
    """
    return f"{value:.3g}".replace("e-0", "e-")
