"""ActivationLab's numbers: slopes against formulas and differences, bands, the chain rule, sharing, the program."""

import contextlib
import io
import itertools
import json
import math
import re

import pytest
import torch

from dlcourse.widgets.activation_lab.engine import (
    BENDS,
    HIGH,
    LOW,
    POINTS,
    TITLES,
    ActivationLabEngine,
    chain,
    curve,
    saturated,
    slope,
)
from dlcourse.widgets.snapshot import pack

PLACES = torch.tensor([-6.0, -3.3, -1.0, -0.25, 0.0, 0.25, 1.0, 2.7, 6.0], dtype=torch.float64)
AWAY = PLACES[PLACES != 0]


def phi(x):
    """How likely a standard normal number is below x, and its density there."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2))), math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def logistic(x):
    return 1 / (1 + math.exp(-x))


# The derivatives by hand, with the slope taken at the corner.
BY_HAND = {
    "sigmoid": lambda x: logistic(x) * logistic(-x),
    "tanh": lambda x: 1 - math.tanh(x) ** 2,
    "relu": lambda x: 1.0 if x > 0 else 0.0,
    "leaky_relu": lambda x: 1.0 if x > 0 else 0.01,
    "elu": lambda x: 1.0 if x > 0 else math.exp(x),
    "gelu": lambda x: phi(x)[0] + x * phi(x)[1],
    "silu": lambda x: logistic(x) * (1 + x * logistic(-x)),
}


@pytest.mark.parametrize("name", BENDS)
def test_slopes_are_those_derived_by_hand(name):
    wanted = torch.tensor([BY_HAND[name](x) for x in PLACES.tolist()], dtype=torch.float64)
    torch.testing.assert_close(slope(name, PLACES), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BENDS)
def test_slopes_are_central_differences(name):
    h = 1e-5
    measured = (BENDS[name](AWAY + h) - BENDS[name](AWAY - h)) / (2 * h)
    torch.testing.assert_close(slope(name, AWAY), measured, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", BENDS)
def test_at_zero_the_slope_is_that_of_one_side(name):
    zero, h = torch.zeros((), dtype=torch.float64), 1e-7
    left, right = (
        (BENDS[name](zero) - BENDS[name](zero - h)) / h,
        (BENDS[name](zero + h) - BENDS[name](zero)) / h,
    )
    taken = slope(name, zero)
    torch.testing.assert_close(taken, left, rtol=1e-5, atol=1e-6)
    corner = name in ("relu", "leaky_relu")
    assert torch.isclose(taken, right, rtol=1e-5, atol=1e-6).item() is not corner
    assert bool(ActivationLabEngine(activation=name, x=0).note()) is corner
    assert not ActivationLabEngine(activation=name, x=0.01).note()


def test_the_curve_holds_zero_itself():
    x, value, _ = curve("tanh")
    assert len(x) == POINTS
    assert x[POINTS // 2] == 0
    assert (x[0], x[-1]) == (LOW, HIGH)
    assert value[POINTS // 2] == 0


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.001, 0.005, 0.05, 0.2])
@pytest.mark.parametrize("name", BENDS)
def test_bands_are_where_the_slope_is_small(name, threshold):
    bands = saturated(name, threshold)
    x = torch.linspace(LOW, HIGH, 12001, dtype=torch.float64)
    small = slope(name, x).abs() < threshold
    inside = torch.zeros_like(small)
    near_edge = torch.zeros_like(small)
    for low, high in bands:
        assert low < high
        inside |= (x >= low) & (x <= high)
        near_edge |= ((x - low).abs() < 1e-6) | ((x - high).abs() < 1e-6)
    assert torch.equal(inside[~near_edge], small[~near_edge])


def test_a_band_narrower_than_the_points_of_the_curve_is_found():
    """GELU's slope passes 0 near -0.75; below 0.001 in size it is there for 0.004 only."""
    narrow = saturated("gelu", 0.001)[-1]
    assert narrow.low < -0.7517916 < narrow.high
    assert 0.001 < narrow.high - narrow.low < 0.006


def test_bands_by_hand():
    edge = math.log((1 - 2 * 0.05 + math.sqrt(1 - 4 * 0.05)) / (2 * 0.05))  # s (1 - s) = 0.05, solved for x
    (_, left), (right, _) = saturated("sigmoid", 0.05)
    assert left == pytest.approx(-edge, abs=1e-6)
    assert right == pytest.approx(edge, abs=1e-6)
    assert saturated("relu", 0.05) == ((-6.0, 0.0),)
    assert saturated("leaky_relu", 0.009) == ()
    assert saturated("leaky_relu", 0.05) == ((-6.0, 0.0),)
    assert saturated("elu", 0.1)[0].high == pytest.approx(math.log(0.1), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "threshold", "where"),
    [
        ("sigmoid", 0.05, "on both sides"),
        ("relu", 0.05, "on the left"),
        ("leaky_relu", 0.005, "nowhere"),
        ("silu", 0.001, "in the middle"),
    ],
)
def test_where_it_is_saturated_in_words(name, threshold, where):
    lab = ActivationLabEngine(activation=name, threshold=threshold)
    assert lab.where() == where
    assert where in lab.describe()


def test_the_share_of_the_range():
    assert ActivationLabEngine(activation="relu").share_saturated == 0.5
    assert ActivationLabEngine(activation="leaky_relu", threshold=0.005).share_saturated == 0
    assert "50% of the range from -6 to 6" in ActivationLabEngine(activation="relu").describe()


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2, 7, 20])
@pytest.mark.parametrize("x", [-6.0, -1.3, 0.0, 0.4, 6.0])
@pytest.mark.parametrize("name", BENDS)
def test_the_product_of_the_factors_is_the_slope_of_the_whole_chain(name, x, layers):
    made = chain(name, x, layers)
    start = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = start
    for _ in range(layers):
        y = BENDS[name](y)
    (whole,) = torch.autograd.grad(y, start)
    assert made.slopes.shape == made.values.shape == (layers,)
    assert made.values[-1] == y
    assert made.slope == pytest.approx(whole.item(), rel=1e-10, abs=0)


def test_twenty_bends_by_hand():
    assert chain("relu", 1.0, 20).slope == 1
    assert chain("relu", -1.0, 20).slope == 0
    assert chain("leaky_relu", -1.0, 20).slope == pytest.approx(1e-40, rel=1e-12)  # float32 would make it 0 or so
    assert 0 < chain("sigmoid", 0.0, 10).slope < 0.25**10 * 1.0001


def test_the_ranking_is_sorted_by_size():
    lab = ActivationLabEngine(x=-2.0, layers=3)
    assert {name for name, _ in lab.ranking} == set(BENDS)
    sizes = [abs(left) for _, left in lab.ranking]
    assert all(first >= second for first, second in itertools.pairwise(sizes))
    assert any(left < 0 for _, left in lab.ranking)  # GELU's slope is below 0 there: sorted by size, not by value


# ---------------------------------------------------------------------------------------------------------------------


def fresh(**values):
    return ActivationLabEngine(**values).snapshot().header


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "gelu"},
        {"x": -2.5},
        {"threshold": 0.01},
        {"layers": 12},
        {"compare": "relu"},
        {"x": 0, "layers": 1},
    ],
)
def test_a_change_gives_what_a_new_engine_gives(change):
    lab = ActivationLabEngine()
    before = lab.snapshot().header
    lab.set(**change)
    assert lab.snapshot().header == fresh(**change) != before


def test_a_refused_change_leaves_everything():
    lab = ActivationLabEngine()
    before = lab.snapshot().header
    with pytest.raises(ValueError, match=r"x=7 is out of range: wanted a number from -6 to 6"):
        lab.set(activation="relu", x=7)
    assert lab.snapshot().header == before


@pytest.mark.parametrize("name", BENDS)
def test_the_snapshot_is_small_and_plain(name):
    lab = ActivationLabEngine(activation=name, compare="tanh", x=-6, layers=20)
    content, buffers = pack(lab.snapshot())
    text = json.dumps(content, allow_nan=False)
    assert sum(map(len, buffers)) + len(text) < 16_000
    assert {item["name"] for item in content["arrays"]} == {"value", "slope", "compare_value", "compare_slope"}
    lab.set(compare="none")
    assert set(lab.snapshot().arrays) == {"value", "slope"}


def test_the_snapshot_says_what_the_engine_holds():
    lab = ActivationLabEngine(activation="tanh", x=0.5, layers=2)
    frame = lab.snapshot()
    assert frame.header["value"] == math.tanh(0.5)
    assert frame.header["slope"] == pytest.approx(1 - math.tanh(0.5) ** 2, rel=1e-12)
    assert math.prod(frame.header["factors"]) == pytest.approx(lab.chains["tanh"].slope, rel=1e-12)
    assert frame.header["saturated"] is False
    assert fresh(activation="tanh", x=5)["saturated"] is True
    assert frame.arrays["value"].dtype == torch.float32
    assert frame.arrays["value"].shape == (POINTS,)


def test_the_words_hold_the_numbers():
    words = ActivationLabEngine(activation="sigmoid", compare="relu", x=0, layers=1).describe()
    assert "sigmoid at 0: value 0.5, slope 0.25." in words
    assert "one bend (weights 1, biases 0) keep 0.25" in words
    assert "For comparison, ReLU: value 0, slope 0" in words
    assert "Of the seven, tanh and ELU (1) keep the most in size, and ReLU (0) the least." in words
    assert "torch takes 0 there" in ActivationLabEngine(activation="relu", x=0).describe()


def test_sharing_comes_back_to_the_same():
    lab = ActivationLabEngine(activation="silu", compare="elu", x=-1.2345678901234567, threshold=0.0123, layers=17)
    again = ActivationLabEngine.from_share(lab.share())
    assert again.values == lab.values
    assert again.snapshot().header == lab.snapshot().header


@pytest.mark.parametrize("name", BENDS)
def test_the_program_prints_what_the_widget_shows(name):
    lab = ActivationLabEngine(activation=name, x=-1.7, layers=6)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(lab.to_code(), {})
    value, at_x, _, left = map(float, re.findall(r"-?\d[\d.]*(?:e[-+]\d+)?", printed.getvalue()))
    assert value == pytest.approx(lab.value, rel=1e-5)
    assert at_x == pytest.approx(lab.slope, rel=1e-5, abs=1e-12)
    assert left == pytest.approx(lab.chains[name].slope, rel=1e-5, abs=1e-12)


def test_every_bend_has_a_title():
    assert TITLES.keys() == BENDS.keys()
