"""InitDepthLab's numbers: a pass computed another way, theory against formulas and against networks, time, sharing."""

import contextlib
import io
import itertools
import json
import math
import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from dlcourse import nn
from dlcourse.widgets.init_depth_lab import distributions, probe, run, theory, words
from dlcourse.widgets.init_depth_lab.distributions import BARS, BINS, bars, ridges
from dlcourse.widgets.init_depth_lab.engine import COLUMNS, InitDepthLabEngine
from dlcourse.widgets.init_depth_lab.network import ACTIVATIONS, EXAMPLES, INITS, NORMS, WIDTH, digits
from dlcourse.widgets.init_depth_lab.own import MOST_EXAMPLES, MOST_PARAMETERS
from dlcourse.widgets.init_depth_lab.picture import picture
from dlcourse.widgets.init_depth_lab.probe import Watched, per_layer
from dlcourse.widgets.init_depth_lab.question import OPTIONS, Question
from dlcourse.widgets.snapshot import pack

EVERY = list(itertools.product(ACTIVATIONS, INITS, NORMS))
BENDS = {
    "relu": lambda z: z.clamp(min=0),
    "tanh": torch.tanh,
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "linear": lambda z: z,
}


def lab(**settings):
    return InitDepthLabEngine(**{"depth": 6} | settings)


def column(engine, name):
    return engine.snapshot().arrays["layers"][:, COLUMNS.index(name)].double()


def weights(engine):
    return [parameter.detach().clone() for parameter in engine.run.model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# ---- the network and one pass through it


def test_the_batch_is_standardised():
    x, y = digits()
    assert x.shape == (EXAMPLES, WIDTH)
    assert y.shape == (EXAMPLES,)
    torch.testing.assert_close(x.mean(0), torch.zeros(WIDTH), atol=1e-5, rtol=0)
    spread = x.std(0, correction=0)
    assert ((spread - 1).abs() < 1e-4).logical_or(spread == 0).all()
    assert (spread == 0).any()  # corners that no digit reaches
    assert digits().classes == 10


@pytest.mark.parametrize(
    ("init", "std"), [("small_normal", 0.01), ("large_normal", 1), ("xavier", 1 / 8), ("he", 0.177)]
)
def test_weights_are_as_large_as_their_rule_says(init, std):
    for gain in (1.0, 0.5):
        engine = lab(init=init, gain=gain)
        for module in engine.run.model:
            if isinstance(module, nn.Linear):
                wanted = gain * (std if module.out_features == WIDTH or init != "xavier" else math.sqrt(2 / 74))
                assert module.weight.std().item() == pytest.approx(wanted, rel=0.06)
                assert abs(module.weight.mean()) < 5 * wanted / math.sqrt(module.weight.numel())
                assert not module.bias.any()


def test_the_other_weights():
    orthogonal = lab(init="orthogonal", gain=2).run.model[0].weight
    torch.testing.assert_close(orthogonal @ orthogonal.T, 4 * torch.eye(WIDTH), atol=1e-5, rtol=0)
    assert set(lab(init="constant", gain=2).run.model[0].weight.flatten().tolist()) == {2 / 64}
    assert not any(weight.any() for weight in weights(lab(init="zeros")))


def test_a_network_has_what_was_asked_for():
    model = lab(depth=3, activation="tanh", norm="batch").run.model
    names = [type(module).__name__ for module in model]
    assert names == ["Linear", "BatchNorm", "Tanh"] * 3 + ["Linear"]
    assert (model[-1].in_features, model[-1].out_features) == (64, 10)
    assert not same(weights(lab(seed=0)), weights(lab(seed=1)))
    assert same(weights(lab(seed=3)), weights(lab(seed=3)))


def by_hand(engine):
    """Activations, gradients and the loss in float64, with no module, no hook and no norm of ours."""
    x, y = engine.own.batch
    values, hidden = engine.values, []
    h = x.double()
    linears = [module for module in engine.run.model if isinstance(module, nn.Linear)]
    for linear in linears[:-1]:
        z = h @ linear.weight.double().T
        if values["norm"] != "none":
            over = 0 if values["norm"] == "batch" else 1
            z = z - z.mean(over, keepdim=True)
            z = z / (z.square().mean(over, keepdim=True) + 1e-5).sqrt()
        h = BENDS[values["activation"]](z)
        hidden.append(h)
    logits = h @ linears[-1].weight.double().T
    loss = -functional.log_softmax(logits, dim=1)[torch.arange(len(y)), y].mean()
    return hidden, torch.autograd.grad(loss, hidden), loss


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_measured_is_what_a_pass_in_float64_gives(activation, norm):
    engine = lab(activation=activation, norm=norm, init="he", depth=4)
    hidden, gradients, loss = by_hand(engine)
    measured = engine.measured
    assert measured.loss == pytest.approx(loss.item(), rel=1e-5)
    wanted = {
        "mean": [h.mean() for h in hidden],
        "std": [h.std(correction=0) for h in hidden],
        "mean_square": [h.square().mean() for h in hidden],
        "between": [h.var(0, correction=0).mean().sqrt() for h in hidden],
        "zeros": [(h == 0).double().mean() for h in hidden],
        "grad_std": [g.std(correction=0) for g in gradients],
        "grad_mean_square": [g.square().mean() for g in gradients],
    }
    for name, numbers in wanted.items():
        expected = torch.stack(numbers).detach()
        torch.testing.assert_close(getattr(measured, name), expected, rtol=2e-4, atol=1e-6, msg=name)


def test_dead_and_saturated_by_hand():
    values = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    shares = {
        ("relu", values): 1 / 3,
        ("tanh", torch.tensor([[0.995, -0.995], [0.98, 0.0]])): 1 / 2,
        ("sigmoid", torch.tensor([[0.9951, 0.0049], [0.0051, 0.5]])): 1 / 2,
    }
    for (kind, outputs), share in shares.items():
        measured = probe.measure(probe.Pass(1.0, 0.5, [outputs], [values]), [Watched("0", kind)])
        assert measured.silent.item() == pytest.approx(share)
        assert measured.grad_zeros.item() == pytest.approx(2 / 3)
    for kind in ("linear", "other"):
        measured = probe.measure(probe.Pass(1.0, 0.5, [values], [values]), [Watched("0", kind)])
        assert math.isnan(measured.silent.item())


def test_what_is_not_finite_is_no_number():
    values = torch.tensor([[1.0, math.inf]])
    measured = probe.measure(probe.Pass(math.inf, 0.0, [values], [torch.ones(1, 2)]), [Watched("0", "linear")])
    assert math.isnan(measured.std.item())
    assert measured.grad_std.item() == 0


def test_squares_that_float32_cannot_hold_are_measured():
    tiny, huge = torch.tensor([[1e-30, -1e-30]]), torch.tensor([[1e30, -1e30]])
    measured = probe.measure(probe.Pass(1.0, 0.0, [tiny], [huge]), [Watched("0", "linear")])
    assert measured.std.item() == pytest.approx(1e-30)
    assert measured.grad_mean_square.item() == pytest.approx(1e60)


def test_the_gain_reaches_from_a_quarter_to_eight():
    gain = InitDepthLabEngine.params["gain"]  # five octaves in 100 stops: 1 and the root of 2 are among them
    assert (gain.low, gain.high, gain.log) == (0.25, 8.0, True)
    for activation, init in (("linear", "large_normal"), ("relu", "small_normal")):
        engine = lab(depth=50, activation=activation, init=init, gain=gain.high if init == "large_normal" else gain.low)
        assert engine.theory.mean_square.isfinite().all()
        assert engine.theory.mean_square.all()  # float64 holds it, whatever float32 does
        pack(engine.snapshot())


def test_nothing_draws_from_the_global_stream_or_leaves_a_hook():
    before = torch.get_rng_state()
    engine = lab(norm="batch", init="orthogonal")
    engine.step(3)
    engine.snapshot()
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module._forward_hooks for module in engine.run.model.modules())


# ---- theory


def test_moments_are_those_of_textbooks():
    for variance in (1e-6, 0.3, 1.0, 25.0, 1e8):
        expected = math.sqrt(variance / (2 * math.pi)), variance / 2, 0.5
        assert theory.moments("relu", variance) == pytest.approx(expected, rel=1e-5)
        assert theory.moments("linear", variance) == pytest.approx((0, variance, 1), rel=1e-9, abs=1e-9)
    places, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / weight.sum()
    for name, value, slope in (
        ("tanh", np.tanh, lambda z: 1 / np.cosh(z) ** 2),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    ):
        z = math.sqrt(0.8) * places
        expected = [(weight * numbers).sum() for numbers in (value(z), value(z) ** 2, slope(z) ** 2)]
        assert theory.moments(name, 0.8) == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert theory.moments(name, 0.0) == pytest.approx((value(0.0), value(0.0) ** 2, slope(0.0) ** 2))
    assert theory.moments("tanh", 400.0)[1] == pytest.approx(1 - math.sqrt(2 / math.pi) / 20, abs=1e-3)


KNOWN = [
    ({"init": "xavier"}, 0.5, 0.5),
    ({"init": "he"}, 1.0, 1.0),
    ({"init": "he", "gain": 0.5}, 0.25, 0.25),
    ({"init": "orthogonal"}, 0.5, 0.5),
    ({"init": "small_normal"}, 64e-4 / 2, 64e-4 / 2),
    ({"init": "large_normal"}, 32, 32),
    ({"init": "xavier", "activation": "linear"}, 1, 1),
    ({"init": "he", "activation": "linear"}, 2, 2),
    ({"init": "he", "norm": "batch"}, None, math.pi / (math.pi - 1)),
    ({"init": "large_normal", "norm": "batch"}, None, math.pi / (math.pi - 1)),
    ({"init": "he", "norm": "layer"}, None, 1.0),
    ({"init": "xavier", "norm": "layer", "activation": "linear"}, None, 1.0),
]


@pytest.mark.parametrize(("settings", "forward", "backward"), KNOWN)
def test_predicted_factors_are_the_known_ones(settings, forward, backward):
    engine = lab(depth=8, **settings)
    if forward is not None:
        assert engine.predicted_factor == pytest.approx(forward, rel=1e-4)
    assert engine.predicted_grad_factor == pytest.approx(backward, rel=1e-3)
    assert engine.theory.grad_factor[2:].tolist() == pytest.approx([backward] * 6, rel=1e-3)


RANDOM = [
    *(("none", init) for init, rule in INITS.items() if init != "zeros" and rule.variance),
    ("batch", "he"),
    ("layer", "he"),
]


@pytest.mark.parametrize(("norm", "init"), RANDOM)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_networks_do_what_theory_says(activation, norm, init):
    """Geometric means over three seeds of eight layers; the width of 64 leaves some percent."""
    engines = [lab(depth=8, activation=activation, norm=norm, init=init, seed=seed) for seed in range(3)]
    for measured, predicted, slack in (
        ([engine.factor for engine in engines], engines[0].predicted_factor, 0.09),
        ([engine.grad_factor for engine in engines], engines[0].predicted_grad_factor, 0.12),
    ):
        mean = math.exp(sum(map(math.log, measured)) / len(measured))
        assert mean == pytest.approx(predicted, rel=slack)


def test_the_predicted_std_of_a_relu():
    engine = lab(init="he", depth=5)
    q = (
        digits().x.double().square().mean().item()
    )  # He keeps it; the mean of a rectified normal number goes off the std
    expected = math.sqrt(q * (1 - 1 / math.pi))
    assert (10 ** column(engine, "predicted_std")).tolist() == pytest.approx([expected] * 5, rel=1e-3)
    assert engine.measured.std.mean().item() == pytest.approx(expected, rel=0.2)


def test_the_predicted_gradient_begins_where_the_measured_does():
    engine = lab(depth=12, activation="tanh", init="large_normal")
    predicted, measured = column(engine, "predicted_grad_std"), column(engine, "grad_std")
    assert predicted[-1] == measured[-1]
    ratios = 2 * (predicted[:-1] - predicted[1:])
    assert ratios.tolist() == pytest.approx(engine.theory.grad_factor[1:].log10().tolist(), abs=1e-5)
    assert (predicted - measured).abs().max() < 0.5
    start = predicted.clone()
    engine.step(2)
    assert torch.equal(column(engine, "predicted_grad_std"), start)  # it speaks of the start


@pytest.mark.parametrize("settings", [{"init": "constant"}, {"model": nn.Sequential(nn.Flatten())}])
def test_there_is_no_theory_of_weights_that_are_not_random(settings):
    if "model" in settings:
        settings = {"model": torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10))}
        engine = InitDepthLabEngine(**settings)
    else:
        engine = lab(**settings)
    assert engine.theory is engine.predicted_factor is engine.predicted_grad_factor is None
    assert column(engine, "predicted_std").isnan().all()


def test_a_factor_is_taken_as_far_as_float32_goes():
    assert per_layer(2.0, torch.tensor([1.0, 0.5, 0.25])) == (pytest.approx(0.5), 3)
    assert per_layer(2.0, torch.tensor([1.0, 0.0, 0.25])) == (pytest.approx(0.5), 1)
    assert per_layer(2.0, torch.tensor([1.0, math.nan])) == (pytest.approx(0.5), 1)
    assert per_layer(2.0, torch.tensor([])) == per_layer(0.0, torch.tensor([1.0])) == (None, 0)
    deep = lab(depth=50, init="small_normal", activation="linear")
    assert deep.measured.std[-1] == 0
    assert deep.factor == pytest.approx(0.0064, rel=0.05)
    assert deep.predicted_factor == pytest.approx(0.0064, rel=1e-3)


def test_factors_of_the_table():
    engine = lab(init="he", depth=3)
    square, back = engine.measured.mean_square, engine.measured.grad_mean_square
    start = engine.own.batch.x.double().square().mean()
    expected = torch.stack([square[0] / start, square[1] / square[0], square[2] / square[1]])
    torch.testing.assert_close(10 ** column(engine, "factor"), expected, rtol=1e-5, atol=0)
    grads = 10 ** column(engine, "grad_factor")
    torch.testing.assert_close(grads[:2], back[:2] / back[1:], rtol=1e-5, atol=0)
    assert grads[2].isnan()
    product = (10 ** column(engine, "factor")).prod().item()
    assert engine.factor**3 == pytest.approx(product, rel=1e-5)


# ---- what the chapter tells


def test_relu_with_xavier_halves_and_with_he_keeps():
    xavier, he = lab(depth=20, init="xavier"), lab(depth=20, init="he")
    assert xavier.measured.mean_square[-1].item() == pytest.approx(he.measured.mean_square[-1].item() / 2**20, rel=1e-3)
    assert xavier.measured.loss == pytest.approx(math.log(10), abs=1e-3)
    assert 0.3 < he.measured.std[-1] / he.measured.std[0] < 3


def test_sigmoids_make_all_examples_alike():
    measured = lab(depth=20, activation="sigmoid").measured
    assert measured.between[0] > 0.1
    assert measured.between[-1] < 1e-7
    assert measured.std[-1] > 0.05


def test_batch_norm_makes_gradients_grow():
    measured = lab(depth=50, init="he", norm="batch").measured
    assert measured.grad_std[0] > 1000 * measured.grad_std[-1]
    assert measured.std.max() < 1.1 * measured.std.min()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_from_zeros_only_the_last_biases_learn(activation, norm):
    engine = lab(init="zeros", activation=activation, norm=norm)
    before = weights(engine)
    engine.step(10)
    changed = [not torch.equal(a, b) for a, b in zip(before, weights(engine), strict=True)]
    assert changed == [False] * (len(changed) - 1) + [True]
    assert not engine.measured.std.any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_equal_weights_stay_equal(activation):
    engine = lab(init="constant", activation=activation)
    assert engine.measured.loss == pytest.approx(math.log(10), rel=1e-6)
    assert engine.measured.grad_std.max() < 1e-9  # rounding
    engine.step(20)
    for values in engine.run.seen.values:
        assert torch.equal(values, values[:, :1].expand_as(values))


def test_words_about_equal_and_zero_weights():
    assert "so all its units compute the same number" in lab(init="constant").describe()
    assert "leaves nothing but rounding" in lab(init="constant", norm="layer").describe()
    assert lab(init="constant", norm="layer").measured.std.max() < 1e-5
    assert "only the biases of the last layer can ever learn" in lab(init="zeros").describe()
    assert "which is a half" in lab(init="zeros", activation="sigmoid").describe()


# ---- distributions


def test_rows_by_hand():
    layer = torch.tensor([0.0, 0.0, 0.0, 1.0, -1.0, 0.01, 0.01, 0.01])
    square = layer.double().square().mean()[None]
    rows, low, high = ridges([layer], square, torch.tensor([0.5]), "size")
    assert rows.shape == (1, 1 + BINS)
    assert rows.dtype == np.uint8
    assert (low, high) == (-3.0, 0.0)
    assert rows[0, 0] == round(254 * 3 / 8)
    filled = {index - 1: value for index, value in enumerate(rows[0].tolist()) if value and index}
    assert filled == {BINS // 3: 254, BINS - 1: round(254 * 2 / 3)}  # 0.01 is two of three decades down


def test_rows_of_shapes_by_hand():
    layers = [torch.tensor([-3.0, 3.0]), torch.tensor([0.0, 1e-9])]
    rows, low, high = ridges(layers, torch.tensor([9.0, 5e-19], dtype=torch.float64), torch.tensor([]), "shape")
    assert (low, high) == (-4.0, 4.0)
    cell = 8 / BINS
    assert [index - 1 for index in rows[0].nonzero()[0]] == [int(3 / cell), int(5 / cell)]
    assert [index - 1 for index in rows[1].nonzero()[0]] == [-1, int((4 + math.sqrt(2)) / cell)]
    assert ridges(layers[1:], torch.tensor([5e-19]), torch.tensor([]), "shape")[1:] == (0.0, 4.0)


def test_a_row_without_numbers():
    fine, broken = torch.tensor([1.0, 2.0]), torch.tensor([math.inf, 1.0])
    rows, *_ = ridges([fine, broken], torch.tensor([2.5, math.nan]), torch.tensor([]), "size")
    assert (rows[1] == 255).all()
    assert (rows[0] < 255).all()
    rows, low, high = ridges([torch.zeros(3)], torch.tensor([0.0]), torch.tensor([0.0]), "size")
    assert (low, high) == (-3.0, 0.0)
    assert rows[0].tolist() == [254] + [0] * BINS


def test_bars_by_hand():
    numbers = torch.tensor([0.0, -1.0, 2.0, 2.0, 0.01, 0.01, 0.01, 0.01])
    shares, low, high, zeros = bars(numbers)
    assert (low, high, zeros) == (-2.0, 2.0, 0.125)
    assert shares.shape == (BARS,)
    assert {index: share for index, share in enumerate(shares.tolist()) if share} == {10: 0.125, 20: 0.5, 40: 0.25}
    assert bars(torch.tensor([1.0, 3.0, 3.0]))[1:] == (1.0, 3.0, 0.0)
    same = bars(torch.full((4,), -0.5))
    assert same.low < -0.5 < same.high < 0
    assert same.shares[BARS // 2] == 1
    assert bars(torch.zeros(3))[1:] == (-1.0, 1.0, 1.0)
    assert bars(torch.tensor([math.nan, 1.0])).low is None
    huge = bars(torch.tensor([3e38, -3e38, 1e38]))
    assert huge.shares.sum() == pytest.approx(1)


# ---- steps and the way back


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_one_of_torchs_sgd(norm):
    engine, other = lab(norm=norm, lr=0.2), lab(norm=norm)
    optimizer = torch.optim.SGD(other.run.model.parameters(), lr=0.2)
    for _ in range(5):
        engine.step()
        optimizer.zero_grad()
        functional.cross_entropy(other.run.model(digits().x), digits().y).backward()
        optimizer.step()
    for mine, theirs in zip(weights(engine), weights(other), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_training_works_where_it_can():
    engine = lab(depth=12, activation="tanh", lr=0.1)
    engine.step(30)
    assert engine.measured.loss < 0.5
    assert engine.measured.accuracy > 0.9
    stuck = lab(depth=12, activation="sigmoid", lr=0.1)
    stuck.step(30)
    assert stuck.measured.loss > 2.29


def test_back_in_time_is_exact():
    engine = lab(norm="batch", activation="tanh", lr=0.3)
    seen = {0: (weights(engine), engine.snapshot())}
    for step in range(1, 13):
        if step == 6:
            engine.set(lr=0.05)
        engine.step()
        seen[step] = weights(engine), engine.snapshot()
    for step in (3, 12, 0, 7, 6, 5, 11):
        engine.scrub(step)
        assert engine.run.at == step
        assert same(weights(engine), seen[step][0])
        now, then = engine.snapshot(), seen[step][1]
        assert torch.equal(now.arrays["layers"].nan_to_num(9), then.arrays["layers"].nan_to_num(9))
        assert np.array_equal(now.arrays["gradient"], then.arrays["gradient"])
        assert engine.values["lr"] == (0.3 if step < 5 else 0.05)
    engine.scrub(4)
    assert engine.values["lr"] == 0.3
    engine.step(3)
    assert same(weights(engine), seen[7][0])  # walking on, the rates are those of the first time
    engine.back(2)
    assert engine.run.at == 5
    engine.back(99)
    assert engine.run.at == 0
    with pytest.raises(ValueError, match="step=13 is out of range: wanted a whole number from 0 to 12"):
        engine.scrub(13)


def test_thinned_records_are_as_exact(monkeypatch):
    monkeypatch.setattr(run, "MEMORY", 1)  # four records
    engine = lab(depth=2, lr=0.5)
    seen = {0: weights(engine)}
    for step in range(1, 30):
        engine.step()
        seen[step] = weights(engine)
    assert len(engine.run.kept) <= 4
    assert engine.run.stride == 8
    for step in (29, 17, 3, 0, 16, 28):
        engine.scrub(step)
        assert same(weights(engine), seen[step])


def test_another_rate_forgets_what_came_later():
    engine = lab()
    engine.step(9)
    later = weights(engine)
    engine.scrub(4)
    engine.set(lr=0.7)
    assert engine.snapshot().header["run"] == {"step": 4, "first": 0, "last": 4, "running": True}
    engine.step(5)
    assert engine.run.rates == [0.1] * 4 + [0.7] * 5
    assert not same(weights(engine), later)
    assert len(engine.run.losses) == 10


def test_the_same_step_of_another_run_is_measured_anew():
    """Back, another rate, forward: the step's number is the same, and nothing else."""
    engine, straight = lab(), lab()
    engine.step(5)
    old = engine.snapshot()
    engine.scrub(4)
    engine.set(lr=2.0)
    engine.step()
    straight.step(4)
    straight.set(lr=2.0)
    straight.step()
    assert engine.describe() == straight.describe()
    assert torch.equal(engine.measured.std, straight.measured.std)
    assert not np.array_equal(engine.snapshot().arrays["gradient"], old.arrays["gradient"])


def test_other_settings_begin_anew():
    engine = lab()
    engine.step(4)
    for change in ({"seed": 1}, {"depth": 3}, {"gain": 2}, {"norm": "layer"}, {"init": "he"}, {"activation": "tanh"}):
        engine.step(2)
        engine.set(**change)
        assert (engine.run.at, engine.run.last) == (0, 0)
    engine.step(2)
    for change in ({"layer": 2}, {"show": "shape"}, {"lr": 0.5}):
        engine.set(**change)
        assert engine.run.at == 2
    engine.reset()
    assert (engine.run.at, engine.values["lr"]) == (0, 0.5)


def test_the_layer_shown_is_one_that_exists():
    engine = lab(depth=20, layer=18)
    engine.set(depth=5)
    assert engine.values["layer"] == engine.snapshot().header["layer"] == 5
    engine.set(layer=40)
    assert engine.values["layer"] == 5
    assert lab(depth=3).values["layer"] == 3


def test_a_run_that_leaves_the_numbers_stops_and_comes_back():
    engine = lab(activation="linear", init="he", norm="none", depth=10, lr=10)
    engine.step(50)
    at = engine.run.at
    assert at < 50
    assert not engine.running
    assert f"At step {at} the loss or its gradient stopped being finite" in engine.snapshot().header["notice"]
    assert "nan" not in json.dumps(engine.snapshot().header, allow_nan=False)
    engine.step()
    assert engine.run.at == at
    engine.scrub(0)
    assert engine.running
    assert engine.snapshot().header["notice"] is None


def test_where_the_start_is_not_finite_no_step_is_taken():
    engine = lab(depth=50, init="large_normal", gain=2)
    header = engine.snapshot().header
    assert header["loss"]["now"] is header["loss"]["start"] is None
    assert "so no step can be taken from here" in header["notice"]
    assert not engine.running
    engine.step(3)
    assert engine.run.at == 0
    assert "too large for float32 from layer" in engine.describe()
    assert header["detail"]["values"]["low"] is not None
    engine.set(layer=50)
    detail = engine.snapshot().header["detail"]["values"]
    assert detail["low"] is detail["high"] is detail["std"] is None


def test_a_finite_loss_may_have_a_gradient_that_is_not():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.fill_(1e-38)
        model[1].weight.copy_(torch.tensor([[100.0] * 3, [-100.0] * 3]))
    x = torch.tensor([[3e38, -1e38], [1e38, 1e38]])
    engine = InitDepthLabEngine(model=model, X=x, y=[1, 0])
    assert math.isfinite(engine.measured.loss)
    assert not engine.running
    assert "or its gradient is not a finite number" in engine.snapshot().header["notice"]


def test_a_run_ends(monkeypatch):
    monkeypatch.setattr(run, "MOST", 5)
    monkeypatch.setattr(words, "MOST", 5)
    engine = lab(depth=1)
    engine.step(9)
    assert engine.run.at == 5
    assert engine.snapshot().header["notice"] == "A run ends after 5 steps."
    assert not engine.running


# ---- predict before you see


def test_until_the_guess_nothing_is_shown():
    engine = lab(depth=20)
    engine.step(3)
    engine.ask()
    assert engine.run.at == 0
    assert not engine.running
    engine.step(4)
    assert engine.run.at == 0
    shown = engine.snapshot()
    assert shown.header["hidden"]
    assert {name: array.size for name, array in shown.arrays.items()} == {"layers": 0, "losses": 0}
    assert shown.header["explanation"] == []
    assert shown.header["axes"] is shown.header["detail"] is shown.header["loss"] is None
    told = " ".join([engine.describe(), shown.header["say"], picture(engine).alt])
    assert not re.search(r"\d\.\d|e-\d", told)
    assert "of layer 20 is" in told
    engine.set(depth=30, init="he")
    assert engine.hidden
    assert engine.snapshot().header["question"]["text"].endswith("of the activations of layer 30 is ...")


@pytest.mark.parametrize(
    ("of", "settings", "answer"),
    [
        ("activations", {"init": "xavier"}, 0),
        ("activations", {"init": "he"}, 1),
        ("activations", {"init": "large_normal"}, 2),
        ("activations", {"init": "large_normal", "depth": 50, "gain": 2}, 2),  # beyond float32
        ("activations", {"init": "zeros"}, None),
        ("gradient", {"init": "xavier"}, 0),
        ("gradient", {"init": "he"}, 1),
        ("gradient", {"init": "he", "norm": "batch"}, 2),
        ("gradient", {"init": "he", "norm": "batch", "depth": 1}, 1),
        ("gradient", {"init": "zeros"}, None),
        ("activations", {"init": "small_normal", "depth": 50}, 0),  # exactly 0 up there
    ],
)
def test_answers(of, settings, answer):
    engine = lab(**{"depth": 30} | settings)
    engine.ask(of)
    engine.guess(1)
    question = engine.snapshot().header["question"]
    assert (question["state"], question["answer"]) == ("revealed", answer)
    assert question["right"] is (None if answer is None else answer == 1)
    assert (question["asked_count"], question["right_count"]) == (int(answer is not None), int(answer == 1))
    sizes = engine.measured.std if of == "activations" else engine.measured.grad_std.flip(0)
    if question["ratio"] is not None:
        assert question["ratio"] == pytest.approx((sizes[-1] / sizes[0]).item())
    said = "no answer here" if answer is None else f"The answer to the question: {OPTIONS[answer]}"
    assert said in engine.describe()
    json.dumps(engine.snapshot().header, allow_nan=False)
    engine.set(seed=5)
    assert engine.snapshot().header["question"] is None


def test_the_edges_of_the_options():
    ratios = {0.0: 0, 0.099: 0, 0.101: 1, 1.0: 1, 9.9: 1, 10.1: 2, math.inf: 2}
    assert {ratio: Question("gradient", guess=0, ratio=ratio).answer for ratio in ratios} == ratios


def test_questions_that_make_no_sense():
    engine = lab()
    with pytest.raises(ValueError, match="no open question; ask first"):
        engine.guess(1)
    for of in ("loss", None, ["gradient"]):
        with pytest.raises(ValueError, match="wanted one of 'activations', 'gradient'"):
            engine.ask(of)
    assert engine.question is None
    engine.ask()
    for option in (3, -1, True, "1", None):
        with pytest.raises(ValueError, match="option="):
            engine.guess(option)
    engine.forget()
    assert not engine.hidden
    engine.ask()
    engine.reset()
    assert engine.question is None
    engine.ask()
    engine.guess(0)
    engine.guess_again = None
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)


# ---- to share


@pytest.mark.parametrize("at", [0, 3, 7])
def test_a_share_string_comes_back_exactly(at):
    engine = lab(depth=9, activation="tanh", init="orthogonal", gain=1.5, norm="layer", seed=4, layer=2, show="shape")
    engine.step(4)
    engine.set(lr=0.02)
    engine.step(3)
    engine.scrub(at)
    again = InitDepthLabEngine.from_share(engine.share())
    assert again.values == engine.values
    assert (again.run.at, again.run.last, again.run.rates) == (at, 7, [0.1] * 4 + [0.02] * 3)
    assert same(weights(again), weights(engine))
    assert again.describe() == engine.describe()
    assert len(engine.share()) < 400


@pytest.mark.parametrize(
    "change",
    [
        {"rates": [0.1] * 5000},
        {"rates": ["0.1"], "step": 0},
        {"rates": 3},
        {"rates": [99], "step": 0},
        {"step": 3},
        {"step": None},
        {"params": {"depth": 51}},
        {"params": {"width": 3}},
        {"params": [1]},
    ],
)
def test_damaged_strings_are_refused(change, monkeypatch):
    engine = lab(depth=4)
    engine.step(2)
    state = engine.state() | change
    monkeypatch.setattr(engine, "state", lambda: state)
    text = engine.share()
    with pytest.raises(ValueError, match=r"share string|wanted|no parameter"):
        InitDepthLabEngine.from_share(text)


def test_long_runs_are_not_shared():
    engine = lab(depth=50)
    engine.run.rates = [0.1] * 201
    with pytest.raises(ValueError, match="201 steps through 50 layers; at most 200 can be shared"):
        engine.share()


# ---- the program


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        *(({"init": init, "gain": 1.5}, 0) for init in INITS),
        *(({"activation": activation}, 2) for activation in ACTIVATIONS),
        *(({"norm": norm, "init": "he", "seed": 3}, 2) for norm in NORMS),
    ],
)
def test_the_program_prints_what_is_measured(settings, steps):
    engine = lab(depth=3, **settings)
    engine.step(steps)
    if steps:
        engine.set(lr=0.5)
        engine.step()
    loss, rows = ran(engine)
    assert loss == pytest.approx(engine.measured.loss, rel=1e-6)
    wanted = torch.stack([engine.measured.std, engine.measured.grad_std], dim=1)
    torch.testing.assert_close(rows, wanted, rtol=1e-3, atol=1e-30)


def test_the_program_ends_at_the_present_step():
    engine = lab(depth=2, lr=0.5)
    engine.step(5)
    last = engine.measured.loss
    engine.scrub(2)
    assert ran(engine)[0] == pytest.approx(engine.measured.loss, rel=1e-6)
    assert abs(last - engine.measured.loss) > 1e-3


def ran(engine, **names):
    printed = io.StringIO()
    code = engine.to_code()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "program", "exec"), dict(names))
    text = printed.getvalue()
    rows = re.findall(r"layer \d+: activations (\S+), gradient (\S+)", text)
    return float(re.search(r"loss (\S+)", text)[1]), torch.tensor([list(map(float, row)) for row in rows]).double()


# ---- the learner's own


def own_model():
    torch.manual_seed(3)
    inner = torch.nn.Sequential(torch.nn.Linear(20, 12), torch.nn.BatchNorm1d(12), torch.nn.Tanh())
    return torch.nn.Sequential(
        torch.nn.Linear(64, 20), torch.nn.ReLU(), inner, nn.Linear(12, 10, generator=torch.Generator())
    )


def test_an_own_model_is_measured_and_left_alone():
    model = own_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    engine = InitDepthLabEngine(model=model)
    engine.step(3)
    engine.scrub(1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(parameter.grad is not None for parameter in model.parameters())
    engine.reset()
    assert engine.depth == engine.values["depth"] == 2
    first = model[1](model[0](digits().x)).detach().double()
    assert engine.measured.std[0].item() == pytest.approx(first.std(correction=0).item(), rel=1e-5)
    assert engine.snapshot().header["silent"] == "dead or saturated"
    assert engine.snapshot().header["own"]
    assert "Your own network, 2 hidden layers" in engine.describe()


def test_what_becomes_of_an_own_model_later_is_not_seen():
    model = own_model().eval()
    engine = InitDepthLabEngine(model=model)
    assert not any(module.training for module in model.modules())
    start = engine.describe()
    with torch.no_grad():
        model[0].weight.zero_()
    engine.reset()
    assert engine.describe() == start


def test_the_program_of_an_own_model():
    model = own_model()
    engine = InitDepthLabEngine(model=model, lr=0.3)
    engine.step(2)
    assert "hidden = ['1', '2.2']" in engine.to_code()
    loss, rows = ran(engine, model=model)
    assert loss == pytest.approx(engine.measured.loss, rel=1e-6)
    torch.testing.assert_close(rows[:, 0], engine.measured.std, rtol=1e-3, atol=0)


def test_own_data():
    x, y = torch.randn(40, 7, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3
    engine = lab(X=x, y=y.tolist(), init="he")
    assert engine.run.model[0].weight.shape == (64, 7)
    assert engine.run.model[-1].weight.shape == (3, 64)
    assert engine.snapshot().header["loss"]["equal"] == math.log(3)
    assert engine.predicted_factor == pytest.approx(1, rel=1e-3)
    assert "40 examples of yours" in engine.describe()
    assert "log 3 = 1.099" in engine.describe()
    engine.step(2)
    loss, rows = ran(engine, X=x, y=y)
    assert loss == pytest.approx(engine.measured.loss, rel=1e-6)
    torch.testing.assert_close(rows[:, 1], engine.measured.grad_std, rtol=1e-3, atol=0)
    with pytest.raises(ValueError, match="holds settings, not your own"):
        engine.share()


def chain(*modules):
    return torch.nn.Sequential(*modules)


LINEAR = torch.nn.Linear(64, 64)
RELU = torch.nn.ReLU()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (torch.nn.Linear(64, 10), r"model is a Linear; wanted an nn\.Sequential"),
        (chain(torch.nn.Linear(64, 10)), "1 Linear layers; wanted from 2 to 51"),
        (chain(LINEAR, torch.nn.ReLU(), LINEAR), "uses one module in two places"),
        (chain(LINEAR, RELU, torch.nn.Linear(64, 64), RELU, torch.nn.Linear(64, 10)), "uses one module in two places"),
        (chain(LINEAR, torch.nn.Dropout(0.1), torch.nn.Linear(64, 10)), "has a Dropout layer"),
        (chain(LINEAR, nn.Dropout(0.1), torch.nn.Linear(64, 10)), "has a Dropout layer"),
        (chain(LINEAR, torch.nn.Linear(64, 9)), r"into \(128, 9\); wanted one logit for each of 10 classes"),
        (chain(torch.nn.Linear(30, 30), torch.nn.Linear(30, 10)), r"failed on a batch of shape \(128, 64\)"),
        (chain(LINEAR, torch.nn.Linear(64, 10).double()), "must be a float32 on the CPU"),
        (chain(LINEAR, torch.nn.Linear(64, 10).requires_grad_(False)), "that can be trained"),
        (chain(torch.nn.Linear(64, 20_000), torch.nn.Linear(20_000, 10)), f"more than {MOST_PARAMETERS:,} parameters"),
    ],
)
def test_models_that_do_not_fit(model, words):
    with pytest.raises(ValueError, match=words):
        InitDepthLabEngine(model=model)


def test_a_dropout_of_nothing_is_let_in():
    assert InitDepthLabEngine(model=chain(LINEAR, torch.nn.Dropout(0.0), torch.nn.Linear(64, 10))).depth == 1


X, Y = torch.ones(4, 3), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X, None, "needs both"),
        (X[0], Y, r"X is of shape \(3,\)"),
        (X, Y[:3], "wanted .n, features. and .n,."),
        (X[:1], Y[:1], f"n from 2 to {MOST_EXAMPLES}"),
        (torch.ones(600, 3), torch.ones(600), r"X\[:512\] takes the first ones"),
        (X * math.nan, Y, "not finite"),
        (X * 0, Y, "nothing but zeros"),
        (X, Y - 1, "class numbers, whole and from 0"),
        (X, Y + 0.5, "class numbers, whole and from 0"),
        (X, Y * 0, "two classes at least"),
        ("pixels", Y, "no table of numbers"),
    ],
)
def test_data_that_does_not_fit(x, y, words):
    with pytest.raises(ValueError, match=words):
        InitDepthLabEngine(X=x, y=y)


def test_beside_an_own_model_some_settings_mean_nothing():
    with pytest.raises(ValueError, match="init cannot be set here: the model is your own"):
        InitDepthLabEngine(model=own_model(), init="he")
    engine = InitDepthLabEngine(model=own_model())
    with pytest.raises(ValueError, match="depth cannot be set here"):
        engine.set(depth=5)
    assert engine.values["depth"] == 2
    engine.set(lr=0.5, layer=2, show="shape")
    assert engine.snapshot().header["layer"] == 2


# ---- what is seen and said


@pytest.mark.parametrize(("activation", "init", "norm"), EVERY)
def test_every_setting_has_a_small_frame_and_true_words(activation, init, norm):
    engine = lab(depth=7, activation=activation, init=init, norm=norm)
    content, _ = pack(engine.snapshot())
    json.dumps(content, allow_nan=False)
    header = content["header"]
    shapes = {item["name"]: item["shape"] for item in content["arrays"]}
    assert shapes == {
        **{"values": [7, 61], "gradient": [7, 61], "layers": [7, len(COLUMNS)]},
        **{"bars": [BARS], "grad_bars": [BARS], "losses": [1]},
    }
    for name, columns in (("values", ("std", "between")), ("gradient", ("grad_std",))):
        low, high = header["axes"][name]
        assert -46 <= low < high <= 39
        lines = torch.cat([column(engine, each) for each in columns])
        lines = lines[lines.isfinite()]
        assert ((lines >= low - 0.01) & (lines <= high)).all()
    said = engine.describe()
    assert "nan" not in said
    assert "None" not in said
    std = engine.measured.std.tolist()
    assert f"activations: {words.number(std[0])} in layer 1" in said or "0 in every layer" in said
    factors = re.findall(r"easured:? (\d[\d.]*?(?:e-?\d+)?)(?=\.?(?: |$))", said)
    for factor in factors:
        assert any(float(factor) == pytest.approx(known, rel=0.006) for known in known_factors(engine))
    if init in ("xavier", "he", "orthogonal") and activation == "relu" and norm == "none":
        assert len(factors) == 2


@pytest.mark.parametrize("settings", [{"activation": "linear", "init": "small_normal"}, {"init": "large_normal"}])
def test_a_deep_network_has_a_small_frame_too(settings):
    engine = lab(depth=50, **settings)
    engine.run.losses *= 1001  # a long run
    content, buffers = pack(engine.snapshot())
    assert sum(map(len, buffers)) < 14_000
    assert len(json.dumps(content, allow_nan=False)) < 5_000
    for low, high in (content["header"]["axes"][name] for name in ("values", "gradient")):
        assert -46 <= low < high <= 39


def known_factors(engine):
    return [factor for factor in (engine.factor, engine.grad_factor) if factor is not None]


def test_the_sentence_of_the_issue():
    """With ReLU and Xavier each layer keeps half of the mean square; after 20 layers 2^-20 is left."""
    said = lab(depth=20).describe()
    assert "A ReLU passes on half of the mean square: fan_in * variance / 2 = 64 * 0.015625 / 2 = 0.5 a layer" in said
    assert f"{words.number(2**-20)} after 20 hidden layers" in said


def test_words_that_come_only_when_they_are_true():
    assert "says nearly the same" in lab(depth=20, activation="sigmoid").describe()
    assert "says nearly the same" not in lab(depth=20, activation="tanh").describe()
    assert "sure of itself, and wrong" in lab(init="large_normal", activation="tanh").describe()
    assert "sure of itself, and wrong" not in lab(init="xavier").describe()
    assert "Dead units (0 for every example): none." in lab(depth=1, init="he").describe()
    assert "Dead units" not in lab(activation="tanh").describe()
    assert "exactly 0 from layer 37 up" in lab(depth=50, init="small_normal").describe()
    trained = lab(activation="tanh", lr=0.1)
    trained.step(5)
    assert "After 5 steps of gradient descent." in trained.describe()
    assert "measured now" in trained.describe()
    assert "Now it is" in trained.describe()


def test_numbers_as_people_write_them():
    assert [words.number(value) for value in (0.0, 1.0, 12345.6, 1e5, 1.5e-30, -0.25)] == [
        *("0", "1", "12346", "1e5", "1.5e-30", "-0.25"),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"show": "shape", "activation": "tanh", "init": "large_normal"},
        {"depth": 1, "init": "zeros"},
        {"depth": 50, "init": "large_normal", "gain": 2},
        {"activation": "linear", "norm": "layer"},
        {"init": "constant", "depth": 1},
    ],
)
def test_the_still_picture(settings):
    engine = lab(**settings)
    still = picture(engine)
    assert still.png.startswith(b"\x89PNG")
    assert len(still.png) < 150_000
    assert still.caption == engine.describe()
    assert f"of {engine.depth} hidden layers" in still.alt
    assert engine.snapshot().header["say"] in still.alt


def test_what_was_computed_is_kept_until_something_changes(monkeypatch):
    engine = lab()
    engine.snapshot()
    calls = []
    for module, name in ((distributions, "ridges"), (distributions, "bars"), (probe, "measure")):
        real = getattr(module, name)
        spy = lambda *args, name=name, real=real: calls.append(name) or real(*args)  # noqa: E731
        monkeypatch.setattr(f"dlcourse.widgets.init_depth_lab.engine.{name}", spy)
    engine.snapshot()
    engine.describe()
    assert calls == []
    engine.set(layer=3)
    engine.snapshot()
    assert calls == ["bars", "bars"]
    calls.clear()
    engine.set(show="shape")
    engine.snapshot()
    assert calls == ["ridges", "ridges"]
    calls.clear()
    engine.step()
    engine.snapshot()
    assert sorted(calls) == ["bars", "bars", "measure", "ridges", "ridges"]
