"""The playground's engine: it computes what torch computes, and every step of it can be had again, to the bit."""

import json
import math
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.widgets.playground import network, problem
from dlcourse.widgets.playground.engine import PARAMS, PlaygroundEngine
from dlcourse.widgets.playground.history import MOST
from dlcourse.widgets.playground.picture import picture
from dlcourse.widgets.runner import Manual
from dlcourse.widgets.snapshot import LIMIT, pack

QUICK = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def flat(value, path=""):
    """Everything in nested state, by its path."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}/{key}").items()}
    if isinstance(value, (list, tuple)):
        return {k: v for key, item in enumerate(value) for k, v in flat(item, f"{path}/{key}").items()}
    return {path: value.clone() if isinstance(value, torch.Tensor) else value}


def everything(run):
    """All that the next step depends on, and what a view shows of it."""
    model, optimizer = run.model.state_dict(), run.optimizer.state_dict()
    held = {"model": dict(model), "optimizer": optimizer, "values": run.values, "drawn": run.drawn, "rest": run.rest}
    bends = [type(module).__name__ for module in run.model.modules()]
    more = {"at": run.at, "epoch": run.epoch, "diverged": run.diverged, "norms": run.norms, "seen": run.measured()}
    return flat(held | more | {"bends": bends, "inputs": run.inputs, "y": run.y})


def differing(first, second):
    """The paths where two states are not equal to the bit."""
    assert first.keys() == second.keys()
    return [path for path in first if not identical(first[path], second[path])]


def identical(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b) or (a.shape == b.shape and torch.equal(a.view(torch.int32), b.view(torch.int32)))
    return a == b or (a != a and b != b)


def eventful(**values):
    """A run of 60 steps with a change of every kind on the way."""
    engine = PlaygroundEngine(**{"data": "circles", "train": 30, "layers": (3, 2), "batch_size": 7} | values)
    engine.add_points([[1.234, -2, 1], [0, 0.5, 0]])
    engine.set_weight(0, 1, 1, 2.5)
    engine.step(13)
    engine.set(lr=0.2)
    engine.step(6)
    engine.set(optimizer="adam", batch_size=50)
    engine.step(5)
    engine.set_bias(1, 0, -1.5)
    engine.set_weight(2, 0, 1, 0.25)
    engine.add_points([[-1, -1, 0]])
    engine.add_points([[2, -1, 1]])
    engine.step(9)
    engine.undo_points()
    engine.set(regularisation="l2", strength=0.01)
    engine.step(7)
    engine.set(activation="relu", batch_size=4)
    engine.step(10)
    engine.clear_points()
    engine.set(regularisation="l1", optimizer="momentum")
    engine.step(10)
    return engine


def test_what_was_measured_is_never_of_another_place():
    engine = PlaygroundEngine(seed=2)
    moves = [
        lambda: engine.step(),
        lambda: engine.set_weight(1, 0, 1, -2.0),
        lambda: engine.set(activation="relu"),
        lambda: engine.add_points([[1, 2, 0]]),
        lambda: engine.step(3),
        lambda: engine.scrub(2),
        lambda: engine.undo_points() if engine.run.drawn else engine.add_points([[0, 1, 1]]),
        lambda: engine.set(noise=0.3),
    ]
    for number, move in enumerate(moves):
        before = engine.run.measured()
        move()
        held = engine.run.measured(), engine.run.hidden
        engine.run.saved_measured = None
        fresh = engine.run.measured(), engine.run.hidden
        assert held[0] == fresh[0] != before, number
        assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(held[1], fresh[1], strict=True))


@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_many_rows_are_walked_as_few_are(activation, close):
    model = network.network((3, 5, 2, 1), activation, torch.Generator().manual_seed(0))
    inputs = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    (slow, hidden), (fast, layers) = network.walk(model, inputs), network.walk(model, inputs, tall=True)
    close(fast, slow)
    for a, b in zip(hidden, layers, strict=True):
        close(b[0], a[0])
        close(b[1], a[1])


# The training itself.


@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_a_step_follows_the_gradient_of_a_network_written_by_hand(activation, close):
    engine = PlaygroundEngine(activation=activation, layers=(3, 2), batch_size=200, lr=0.5, optimizer="sgd", seed=3)
    before = [parameter.detach().clone().requires_grad_() for parameter in engine.run.model.parameters()]
    bend = (lambda x: x) if activation == "linear" else getattr(nn, activation)
    w1, b1, w2, b2, w3, b3 = before
    hidden = bend(bend(engine.run.x @ w1.T + b1) @ w2.T + b2)
    loss = nn.binary_cross_entropy_with_logits((hidden @ w3.T + b3).squeeze(1), engine.run.y)
    grads = torch.autograd.grad(loss, before)
    engine.step()
    for old, grad, new in zip(before, grads, engine.run.model.parameters(), strict=True):
        assert grad.abs().max() > 1e-4
        close(new.detach(), (old - 0.5 * grad).detach())
    expected = [math.hypot(*(g.norm().item() for g in pair)) for pair in zip(grads[::2], grads[1::2], strict=True)]
    norms = [layer["grad_norm"] for layer in engine.snapshot().header["layers"]]
    assert norms == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("kind", "cost"), [("l1", torch.sign), ("l2", lambda w: 2 * w)])
def test_a_penalty_pulls_at_weights_and_not_at_biases(kind, cost):
    plain = PlaygroundEngine(lr=0.1, optimizer="sgd", seed=5)
    pulled = PlaygroundEngine(lr=0.1, optimizer="sgd", seed=5, regularisation=kind, strength=0.5)
    first = [layer.weight.detach().clone() for layer in network.linears(plain.run.model)]
    plain.step()
    pulled.step()
    for start, a, b in zip(first, network.linears(plain.run.model), network.linears(pulled.run.model), strict=True):
        assert torch.allclose(a.weight - b.weight, 0.1 * 0.5 * cost(start), atol=1e-6)
        assert torch.equal(a.bias, b.bias)


def test_an_epoch_visits_every_point_once_in_a_new_order():
    engine = PlaygroundEngine(train=50, batch_size=16)
    orders = []
    for _ in range(2):
        seen = []
        for size in (16, 16, 16, 2):
            engine.run.rest = engine.run.rest  # what is left before the step
            left = len(engine.run.rest) or 50
            engine.step()
            assert left - len(engine.run.rest) == size
            seen.append(engine.run.rest)
        orders.append(seen[0])
    assert not torch.equal(*orders)
    assert len(set(orders[0].tolist())) == 34
    assert engine.run.epoch == 1


def test_initial_weights_are_uniform_within_torchs_bound():
    engine = PlaygroundEngine(layers=(8, 8, 8, 8), seed=1)
    for layer in network.linears(engine.run.model):
        bound = layer.in_features**-0.5
        assert layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() <= bound
    everywhere = torch.cat(
        [layer.weight.flatten() * layer.in_features**0.5 for layer in network.linears(engine.run.model)]
    )
    assert everywhere.abs().max() > 0.95
    assert abs(everywhere.mean()) < 0.1


def test_nothing_touches_the_global_random_stream():
    state = torch.random.get_rng_state()
    engine = eventful()
    engine.back(20)
    engine.snapshot()
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_seed_decides_and_only_the_seed():
    first, second, other = PlaygroundEngine(seed=4), PlaygroundEngine(seed=4), PlaygroundEngine(seed=5)
    for engine in (first, second, other):
        engine.step(10)
    assert differing(everything(first.run), everything(second.run)) == []
    assert not torch.equal(first.run.x, other.run.x)
    assert not torch.equal(first.run.model[0].weight, other.run.model[0].weight)


# The points.


@pytest.mark.parametrize("name", problem.CALLS)
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_points_lie_in_the_field(name, noise):
    engine = PlaygroundEngine(data=name, noise=noise, train=60)
    run = engine.run
    assert run.x.shape == (60, 2)
    assert run.problem.test_x.shape == (200, 2)
    assert run.x.dtype == run.y.dtype == torch.float32
    assert 1.5 < run.problem.test_x.abs().max() <= problem.EDGE
    assert set(run.y.tolist()) == {0.0, 1.0}
    assert not torch.equal(run.x[:50], run.problem.test_x[:50])


def test_noise_means_the_same_in_every_set():
    """The distance that noise moves a point is about the same in each: both standard deviations are 1.6 * 0.1."""
    for name, spread in problem.SCALES.items():
        extra = 0.3 * (name in ("xor", "blobs"))
        assert problem.relative(name, 0.1) * spread == pytest.approx(0.16 + extra, abs=2e-4)


def test_features_are_what_they_are_called():
    x1, x2 = torch.tensor(0.7), torch.tensor(-1.3)
    seen = problem.features(torch.stack([x1, x2])[None], tuple(problem.FEATURES))
    expected = [0.7, -1.3, 0.49, 1.69, -0.91, math.sin(0.7), math.sin(-1.3)]
    assert seen[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_xor_is_exclusive_or():
    run = PlaygroundEngine(data="xor", noise=0.0, train=200).run
    agree = ((run.x[:, 0] > 0) ^ (run.x[:, 1] > 0)) == (run.y > 0.5)
    assert agree.all()


def test_drawn_points_come_and_go():
    engine = PlaygroundEngine(data="drawn")
    assert not engine.running
    assert "no training point" in engine.snapshot().header["notice"]
    assert "no training point" in engine.describe()
    engine.step(3)
    assert engine.run.at == 0
    engine.add_points([[1, 1, 1]])
    assert engine.running
    engine.step(2)
    engine.add_points([[0.123456, -1, 0], [3.5, -3.5, 1]])
    points = engine.snapshot().arrays["train_points"]
    assert points.tolist() == [[1, 1, 1], [pytest.approx(0.12), -1, 0], [3.5, -3.5, 1]]
    assert engine.snapshot().header["points"] == {"train": 3, "test": 0, "drawn": 3}
    engine.undo_points()
    assert len(engine.run.y) == 1
    engine.reset()
    assert len(engine.run.y) == 1, "a reset keeps what was drawn"
    engine.undo_points()
    engine.undo_points()
    assert len(engine.run.y) == 0
    assert not engine.running
    assert picture(engine).png


@pytest.mark.parametrize(
    "points",
    [
        *([], "x", [[1, 2]], [[1, 2, 2]], [[4, 0, 1]], [[0, float("nan"), 1]], [[True, 0, 1]], [["1", 0, 1]]),
        *([[0, 0, None]], [[0, 0, 1]] * 501),
    ],
)
def test_points_that_do_not_fit_are_refused(points):
    engine = PlaygroundEngine()
    with pytest.raises(ValueError, match="wanted"):
        engine.add_points(points)
    assert engine.run.drawn == ()


def test_points_may_be_a_tensor():
    engine = PlaygroundEngine()
    engine.add_points(torch.tensor([[0.5, -1.0, 1.0]]))
    assert engine.run.drawn == (((0.5, -1.0, 1),),)


def test_at_most_500_points_are_drawn():
    engine = PlaygroundEngine()
    engine.add_points([[0, 0, 1]] * 300)
    with pytest.raises(ValueError, match="at most 500"):
        engine.add_points([[0, 0, 1]] * 201)
    engine.add_points([[0, 0, 1]] * 200)
    assert len(engine.run.y) == 600


# Back in time.


@pytest.mark.parametrize("optimizer", network.OPTIMIZERS)
def test_every_step_can_be_had_again_to_the_bit(optimizer):
    values = {"optimizer": optimizer, "lr": 0.05, "train": 20, "batch_size": 7, "layers": (3,)}
    engine, states = PlaygroundEngine(**values), []
    for _ in range(25):
        states.append(everything(engine.run))
        engine.step()
    for step in (24, 3, 17, 0, 18, 1):
        engine.scrub(step)
        assert differing(states[step], everything(engine.run)) == [], step


@pytest.mark.parametrize("optimizer", network.OPTIMIZERS)
def test_training_on_from_a_record_leaves_the_record_as_it_was(optimizer):
    engine = PlaygroundEngine(optimizer=optimizer, lr=0.05, train=20, layers=(3,))
    engine.step(6)
    state = everything(engine.run)
    engine.step(6)
    for _ in range(2):
        engine.scrub(6)
        assert differing(state, everything(engine.run)) == []
        engine.step(3)


def test_changes_come_back_where_they_were_made():
    engine = eventful()
    last = everything(engine.run)
    straight = {}
    for step in range(60, -1, -1):
        engine.scrub(step)
        straight[step] = everything(engine.run)
        assert engine.values == engine.run.values
    assert straight[12]["/values/lr"] == 0.03
    assert straight[13]["/values/lr"] == 0.2
    for step in (60, 7, 24, 18, 33, 59, 50, 0, 41, 60):
        engine.scrub(step)
        assert differing(straight[step], everything(engine.run)) == [], step
    assert differing(last, everything(engine.run)) == []


@pytest.mark.parametrize("stride", [1, 4, 64])
def test_with_few_records_the_same(stride):
    """Replay from far before gives what a record would have given."""
    engine = eventful()
    shared = engine.state()
    shared["run"]["stride"] = stride
    other = PlaygroundEngine()
    other.restore(shared)
    assert len(other.run.history.records) == 1 + 60 // stride
    for step in (60, 40, 23, 24, 25, 3, 0, 59):
        engine.scrub(step)
        other.scrub(step)
        assert differing(everything(engine.run), everything(other.run)) == [], step


def test_the_history_stays_small_and_reaches_everywhere():
    engine = PlaygroundEngine(train=10, layers=(), optimizer="momentum", batch_size=200)
    states = {}
    for step in range(2 * MOST + 37):
        if step in (0, 1, 255, 256, 257, 300, 511, 513):
            states[step] = everything(engine.run)
        engine.step()
    history = engine.run.history
    assert len(history.records) <= MOST
    assert (history.stride, list(history.records)) == (4, list(range(0, 549, 4)))
    curve = engine.snapshot().arrays["curve"]
    assert curve[-1, 0] == 549
    assert curve[:-1, 0].tolist() == list(history.records)
    for step, state in states.items():
        engine.scrub(step)
        assert differing(state, everything(engine.run)) == [], step
    assert engine.snapshot().header["run"] == {"step": 513, "first": 0, "last": 549, "running": True}
    assert torch.equal(engine.snapshot().arrays["curve"], curve)


def test_the_curve_ends_at_the_last_step_even_if_nobody_looked_there():
    looked, blind = PlaygroundEngine(train=10, layers=()), PlaygroundEngine(train=10, layers=())
    for engine in (looked, blind):
        engine.step(MOST + 1)
    looked.snapshot()
    for engine in (looked, blind):
        engine.scrub(5)
    assert torch.equal(blind.snapshot().arrays["curve"], looked.snapshot().arrays["curve"])
    assert blind.snapshot().arrays["curve"][-1, 0] == MOST + 1


def test_going_on_unchanged_keeps_what_came_later_and_a_change_drops_it():
    engine = eventful()
    curve = engine.snapshot().arrays["curve"]
    engine.back(30)
    engine.step(10)
    assert engine.run.history.last == 60
    assert torch.equal(engine.snapshot().arrays["curve"], curve)
    assert engine.values["optimizer"] == "adam"
    engine.set(lr=1.0)
    assert engine.run.history.last == 40
    assert engine.snapshot().arrays["curve"][-1, 0] == 40
    engine.step(15)
    assert engine.values["activation"] == "relu", "the change at step 40 was made before this one"
    assert engine.run.drawn, "the change at step 50 is gone"


def test_back_stops_at_the_beginning_and_scrub_refuses_the_unknown():
    engine = PlaygroundEngine()
    engine.step(4)
    engine.back(3)
    assert engine.run.at == 1
    engine.back(99)
    assert engine.run.at == 0
    for wrong in (5, -1, 2.5, "2", None):
        with pytest.raises(ValueError, match="wanted"):
            engine.scrub(wrong)


def test_a_change_at_the_beginning_is_no_event_but_a_setting():
    engine = PlaygroundEngine()
    engine.set(lr=0.5, optimizer="adam", activation="relu")
    engine.add_points([[1, 1, 0]])
    assert engine.run.history.changes == {}
    fresh = PlaygroundEngine(lr=0.5, optimizer="adam", activation="relu")
    fresh.add_points([[1, 1, 0]])
    engine.step(5)
    fresh.step(5)
    assert differing(everything(engine.run), everything(fresh.run)) == []


def test_what_overrides_the_change_before_takes_its_place():
    engine = PlaygroundEngine()
    engine.step()
    for lr in (0.1, 0.2, 0.3):
        engine.set(lr=lr)
    for value in (1, 2, 3):
        engine.set_weight(0, 0, 0, value)
    engine.set_weight(0, 0, 1, 5)
    changes = engine.run.history.changes[1]
    assert changes == (("set", {"lr": 0.3}), ("weight", 0, 0, 0, 3.0), ("weight", 0, 0, 1, 5.0))


@pytest.mark.parametrize("name", ["data", "noise", "train", "features", "layers", "seed"])
def test_a_setting_of_another_kind_begins_anew(name):
    engine = eventful()
    engine.undo_points()
    engine.add_points([[1, 1, 0]])
    other = {"data": "xor", "noise": 0.4, "train": 77, "features": ["x2"], "layers": [5], "seed": 8}[name]
    engine.set(**{name: other})
    assert engine.run.at == engine.run.history.last == 0
    assert engine.run.history.changes == {}
    assert engine.run.drawn == (((1.0, 1.0, 0),),)
    assert engine.values["lr"] == 0.2


def test_reset_is_the_run_that_begins_with_the_present_settings():
    engine = eventful()
    engine.reset()
    same = PlaygroundEngine(**engine.values)
    engine.step(5)
    same.step(5)
    assert differing(everything(engine.run), everything(same.run)) == []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("set_weight", (3, 0, 0, 1)),
        ("set_weight", (0, 4, 0, 1)),
        ("set_weight", (0, 0, 2, 1)),
        ("set_weight", (0, 0, -1, 1)),
        ("set_weight", (0, 0, 0, 10.5)),
        ("set_weight", (0, 0, 0, float("nan"))),
        ("set_weight", (0, 0, 0, "1")),
        ("set_weight", (0.5, 0, 0, 1)),
        ("set_bias", (2, 1, 1)),
        ("set_bias", (0, 0, None)),
        ("step", (-1,)),
        ("back", (0,)),
        ("ask", (0,)),
        ("guess", (1,)),
    ],
)
def test_a_wrong_argument_is_refused_and_changes_nothing(call, arguments):
    engine = PlaygroundEngine()
    engine.step(2)
    before = everything(engine.run)
    with pytest.raises(ValueError, match=r"wanted|ask first"):
        getattr(engine, call)(*arguments)
    assert differing(before, everything(engine.run)) == []
    assert engine.run.history.changes == {}


def test_a_weight_set_by_hand_is_set():
    engine = PlaygroundEngine()
    engine.set_weight(1, 0, 3, -7)
    engine.set_bias(2, 0, 4.5)
    assert engine.run.model[2].weight[0, 3] == -7
    assert engine.run.model[4].bias[0] == 4.5
    flat = engine.snapshot().arrays["weights"]
    assert flat[2 * 4 + 4 + 3] == -7
    assert flat[-1] == 4.5


# Divergence.


def diverging():
    engine = PlaygroundEngine(
        activation="linear", layers=(8, 8, 8, 8), lr=10, optimizer="momentum", regularisation="l2", strength=1.0
    )
    engine.step(2000)
    return engine


def test_a_run_that_diverges_stops_and_says_what_to_do():
    engine = diverging()
    at = engine.run.at
    assert 1 < at < 2000
    assert not engine.running
    shown = engine.snapshot()
    assert f"At step {at} " in shown.header["notice"]
    assert "lower the learning rate" in shown.header["notice"]
    pack(shown)
    json.dumps(shown.header, allow_nan=False)
    assert "At step" in engine.describe()
    assert picture(engine).png
    engine.step(5)
    assert engine.run.at == at
    again = PlaygroundEngine.from_share(engine.share())
    assert differing(everything(engine.run), everything(again.run)) == []
    engine.back()
    assert engine.running
    engine.step()
    assert engine.run.diverged == at
    engine.scrub(0)
    engine.set(lr=0.001, regularisation="none")
    engine.step(50)
    assert engine.run.at == 50
    assert engine.running


def test_a_run_stops_when_only_a_weight_is_no_longer_finite():
    engine = PlaygroundEngine()
    engine.run.model[0].weight.data[0, 0] = math.inf  # tanh is 1 there, and the loss as finite as before
    engine.step(3)
    assert engine.run.diverged == 1
    assert "a weight" in engine.snapshot().header["notice"]


# Two runs.


def test_a_kept_run_stays_as_it_is_and_follows():
    engine = PlaygroundEngine(optimizer="adam")
    engine.step(20)
    engine.fork()
    alone = PlaygroundEngine(optimizer="adam")
    alone.step(20)
    engine.set(lr=1.0)
    engine.step(10)
    alone.step(10)
    assert engine.kept.at == engine.run.at == 30
    assert differing(everything(engine.kept), everything(alone.run)) == []
    assert not torch.equal(engine.kept.model[0].weight, engine.run.model[0].weight)
    shown = engine.snapshot()
    assert shown.header["kept"]["settings"] == "tanh, Adam 0.03, batch 16"
    assert shown.header["kept"]["step"] == 30
    assert torch.equal(shown.arrays["kept_curve"], alone.snapshot().arrays["curve"])
    assert (shown.arrays["kept_field"] == alone.snapshot().arrays["field"]).all()
    assert "run A (tanh, Adam 0.03, batch 16) is at step 30" in engine.describe()
    engine.reset()
    engine.step(5)
    assert (engine.kept.at, engine.run.at) == (30, 5)
    engine.unfork()
    assert "kept_field" not in engine.snapshot().arrays
    assert engine.snapshot().header["kept"] is None


def test_the_kept_run_catches_up():
    engine = PlaygroundEngine()
    engine.step(40)
    engine.back(40)
    engine.fork()
    engine.scrub(40)
    assert engine.kept.at == 0
    engine.step(20)
    assert engine.kept.at == engine.run.at == 60


# Predict before you see.


def test_a_question_hides_everything_until_it_is_answered():
    engine = PlaygroundEngine(data="blobs", lr=0.3)
    engine.step(3)
    before = engine.snapshot()
    engine.ask(40)
    assert engine.snapshot().header["prediction"]["state"] == "asked"
    assert not engine.running
    engine.step(5)
    assert engine.run.at == 3, "guess first"
    engine.guess(2)
    assert Manual().advance(engine, 39) == 39
    shown = engine.snapshot()
    for name, values in before.arrays.items():
        assert torch.equal(torch.as_tensor(values), torch.as_tensor(shown.arrays[name])), name
    assert shown.header["losses"] == before.header["losses"]
    assert shown.header["layers"] == before.header["layers"]
    assert shown.header["run"] == {"step": 42, "first": 0, "last": 42, "running": True}
    hidden = engine.run.measured()
    for text in (shown.header["say"], engine.describe(), picture(engine).alt, picture(engine).caption):
        assert f"{hidden.train:.2g}" not in text
    engine.step(100)
    assert engine.run.at == 43, "it stops to be looked at"
    shown = engine.snapshot()
    told = shown.header["prediction"]
    truth = engine.run.measured().test_accuracy
    assert (told["state"], told["target"], told["guess"]) == ("revealed", 43, 2)
    assert told["accuracy"] == truth
    assert told["answer"] == 2
    assert told["right"] is True
    assert (told["asked_count"], told["right_count"]) == (1, 1)
    assert shown.header["losses"]["test_accuracy"] == truth
    assert "and so was guessed" in engine.describe()
    engine.forget()
    assert engine.snapshot().header["prediction"] is None
    engine.step()
    engine.ask(1)
    engine.guess(0)
    engine.step()
    assert engine.snapshot().header["prediction"] | {"accuracy": 1} == told | {
        **{"asked_at": 44, "steps": 1, "target": 45, "guess": 0, "right": False, "accuracy": 1, "asked_count": 2},
        "answered_at": 45,
    }


def test_a_run_that_ends_before_its_question_is_no_answer():
    engine = PlaygroundEngine(optimizer="sgd", lr=10, regularisation="l2", strength=1)
    engine.ask(300)
    engine.guess(0)
    engine.step(300)
    assert engine.pauses
    told = engine.snapshot().header["prediction"]
    assert (told["state"], told["right"], told["asked_count"]) == ("revealed", None, 0)
    assert told["answered_at"] == engine.run.at < told["target"]
    assert "ended" in engine.describe()


def test_while_a_question_is_open_no_copy_tells():
    engine = PlaygroundEngine()
    engine.ask(10)
    for action in (engine.fork, engine.unfork):
        with pytest.raises(ValueError, match="a question is open"):
            action()
    engine.guess(0)
    engine.step(10)
    engine.fork()
    assert engine.kept is not None


@pytest.mark.parametrize("change", ["undo", "clear"])
def test_no_share_string_takes_back_what_was_not_drawn(change):
    state = PlaygroundEngine().state()
    state["run"] |= {"changes": [[0, [change]]]}
    with pytest.raises(ValueError, match="takes points back"):
        PlaygroundEngine().restore(state)


def test_a_run_that_blew_up_says_where_to_go_back_to():
    engine = PlaygroundEngine(activation="linear", optimizer="sgd", lr=10)
    engine.step(100)
    assert engine.run.diverged
    told = engine.snapshot().header
    assert [layer["dead"] for layer in told["layers"]] == [None] * 3
    step = int(re.search(r"Go back to step (\d+)", told["notice"]).group(1))
    engine.scrub(step)
    engine.set(lr=0.01)
    engine.step(200)
    assert engine.run.diverged is None


def test_a_layer_without_a_living_unit_is_named():
    engine = PlaygroundEngine(activation="relu", layers=(3, 2))
    engine.step()
    assert engine.snapshot().header["notice"] is None
    for unit in range(2):
        engine.set_bias(1, unit, -10)
    assert "All 2 units of hidden layer 2 are dead" in engine.snapshot().header["notice"]
    engine.ask(5)
    engine.guess(0)
    assert engine.snapshot().header["notice"] is None, "a question is open"


class Side(torch.nn.Module):
    """Linears that do not follow one another."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(2, 4), torch.nn.Linear(6, 1)

    def forward(self, x):
        return self.last(torch.cat([x, self.first(x).tanh()], 1))


def test_layers_that_are_no_chain_are_not_drawn_as_one():
    model = Side()
    engine = PlaygroundEngine(model=model)
    engine.step(3)
    assert engine.snapshot().header["architecture"] == []
    assert [layer["inputs"] for layer in engine.snapshot().header["layers"]] == [2, 6]


def test_a_question_from_the_past_hides_the_future():
    engine = PlaygroundEngine()
    engine.step(30)
    engine.scrub(10)
    engine.ask()
    assert engine.snapshot().arrays["curve"][:, 0].max() == 10


@pytest.mark.parametrize(
    "act",
    [
        lambda engine: engine.set(lr=1.0),
        lambda engine: engine.set(seed=3),
        lambda engine: engine.back(),
        lambda engine: engine.reset(),
        lambda engine: engine.set_bias(0, 0, 1),
        lambda engine: engine.add_points([[0, 0, 1]]),
    ],
)
def test_a_change_drops_the_question(act):
    engine = PlaygroundEngine()
    engine.step(2)
    engine.ask(10)
    engine.guess(1)
    engine.step(2)
    act(engine)
    assert engine.snapshot().header["prediction"] is None
    assert engine.asked_count == 0


def test_without_test_points_the_question_is_about_the_training_points():
    engine = PlaygroundEngine(data="drawn")
    with pytest.raises(ValueError, match="nothing to predict"):
        engine.ask()
    engine.add_points([[1, 1, 1], [1, 1, 0]])
    engine.ask(3)
    assert "training points" in engine.describe()
    engine.guess(0)
    engine.step(3)
    assert engine.snapshot().header["prediction"]["accuracy"] == 0.5
    assert engine.snapshot().header["prediction"]["right"]


# What is seen.


def test_a_snapshot_has_what_it_promises():
    engine = PlaygroundEngine(features=["x1", "x1*x2", "sin(x2)"], layers=(5, 3))
    engine.add_points([[1, 2, 1]])
    engine.step(7)
    shown = engine.snapshot()
    pack(shown)
    header, arrays = shown.header, shown.arrays
    shapes = {name: (str(values.dtype).removeprefix("torch."), tuple(values.shape)) for name, values in arrays.items()}
    assert shapes == {
        "field": ("uint8", (100, 100)),
        "maps": ("uint8", (11, 25, 25)),
        "weights": ("float32", (3 * 5 + 5 + 5 * 3 + 3 + 3 + 1,)),
        "train_points": ("float32", (101, 3)),
        "test_points": ("float32", (200, 3)),
        "curve": ("float32", (8, 3)),
    }
    assert header["architecture"] == [3, 5, 3, 1]
    assert header["maps"] == [3, 5, 3]
    assert [(layer["inputs"], layer["units"]) for layer in header["layers"]] == [(3, 5), (5, 3), (3, 1)]
    assert header["features"] == ["x1", "x1*x2", "sin(x2)"]
    assert header["say"].startswith("Step 7, train loss 0.")
    assert not header["own"]


def test_the_field_and_the_maps_are_the_networks_own():
    engine = PlaygroundEngine(layers=(3,), lr=0.5)
    engine.step(50)
    arrays = engine.snapshot().arrays
    for row, column in ((0, 0), (99, 0), (40, 72), (16, 96)):
        x = torch.tensor([[-3.5 + 7 * column / 99, -3.5 + 7 * row / 99]])
        hidden = engine.run.model[:2](x)[0]
        truth = engine.run.model(x).sigmoid().item()
        assert arrays["field"][row, column] == pytest.approx(254 * truth, abs=0.6)
        if row % 4 == column % 4 == 0:
            place = arrays["maps"][:, row // 4, column // 4].astype(float) - 127
            peak = 3.5 - (7 * 3 / 99 if False else 0)
            assert place[:2] == pytest.approx((127 * x[0] / peak).numpy(), abs=0.6)
            grid = torch.cartesian_prod(*[torch.linspace(-3.5, 3.5, 100)[::4]] * 2)
            largest = engine.run.model[:2](grid).abs().amax(dim=0)
            assert place[2:] == pytest.approx((127 * hidden / largest).detach().numpy(), abs=0.6)


def test_the_largest_snapshot_fits():
    engine = PlaygroundEngine(features=list(problem.FEATURES), layers=(8, 8, 8, 8), train=200)
    engine.add_points([[0, 0, 1]] * 500)
    engine.step(MOST + 1)
    engine.fork()
    engine.step(1)
    _, buffers = pack(engine.snapshot())
    assert 50_000 < sum(map(len, buffers)) <= LIMIT


def test_dead_units_are_counted():
    engine = PlaygroundEngine(activation="relu", layers=(3, 2))
    assert [layer["dead"] for layer in engine.snapshot().header["layers"]] == [0, 0, 0]
    for unit in (0, 2):
        engine.set_bias(0, unit, -10)
        engine.set_weight(0, unit, 0, 0)
        engine.set_weight(0, unit, 1, 0)
    header = engine.snapshot().header
    assert [layer["dead"] for layer in header["layers"]] == [2, 0, 0]
    assert header["layers"][0]["dead_word"] == "dead"
    assert "2 dead in hidden layer 1" in engine.describe()
    engine.set(activation="tanh")
    header = engine.snapshot().header
    assert [layer["dead"] for layer in header["layers"]] == [2, 0, 0]
    assert header["layers"][0]["dead_word"] == "saturated"
    engine.set(activation="sigmoid")
    assert engine.snapshot().header["layers"][0]["dead"] == 2
    engine.set_bias(0, 0, -5.2)  # sigmoid(-5.2) = 0.0055: within 0.99 of the range
    assert engine.snapshot().header["layers"][0]["dead"] == 1
    engine.set(activation="leaky_relu")
    assert engine.snapshot().header["layers"][0]["dead"] == 0


def test_the_description_states_the_facts():
    engine = PlaygroundEngine(optimizer="adam")
    engine.step(120)
    text = engine.describe()
    seen = engine.snapshot().header["losses"]
    assert text.startswith(
        "Step 120 of a run on moons (100 training points, noise 0.1). Network 2-4-2-1 with tanh, Adam at 0.03"
    )
    assert f"{seen['train']:.2f}"[:4] in text or f"{seen['train']:.2g}" in text
    assert f"{seen['test_accuracy']:.0%}".replace("%", " %") + " of the test points are right" in text
    assert text.count("Gradient norms by layer: ") == 1
    assert text.endswith("No saturated unit.")


def test_losses_are_those_of_all_points(close):
    engine = PlaygroundEngine(layers=(3,), activation="silu", lr=0.3)
    engine.step(99)
    model, run = engine.run.model, engine.run
    logits = model(run.problem.test_x).squeeze(1)
    losses = engine.snapshot().header["losses"]
    assert losses["test"] == pytest.approx(
        nn.binary_cross_entropy_with_logits(logits, run.problem.test_y).item(), rel=1e-5
    )
    assert losses["test_accuracy"] == pytest.approx(((logits > 0).float() == run.problem.test_y).float().mean().item())
    assert ((logits > 0) & (logits < 1)).any()
    train = nn.binary_cross_entropy_with_logits(model(run.x).squeeze(1), run.y).item()
    assert losses["train"] == pytest.approx(train, rel=1e-5)
    assert engine.snapshot().arrays["curve"][-1].tolist() == pytest.approx([99, losses["train"], losses["test"]])


# To share.


def test_a_shared_run_is_the_same_run():
    engine = eventful()
    engine.fork()
    engine.set(lr=0.7)
    engine.step(10)
    engine.back(25)
    other = PlaygroundEngine.from_share(engine.share())
    assert len(engine.share()) < 900
    assert differing(everything(engine.run), everything(other.run)) == []
    assert differing(everything(engine.kept), everything(other.kept)) == []
    mine, theirs = engine.snapshot(), other.snapshot()
    assert mine.header == theirs.header
    for name, values in mine.arrays.items():
        assert torch.equal(torch.as_tensor(values), torch.as_tensor(theirs.arrays[name])), name
    assert engine.values == other.values
    engine.scrub(70)
    other.scrub(70)
    assert differing(everything(engine.run), everything(other.run)) == []
    assert engine.share() == other.share()


def test_a_long_run_keeps_its_curve_when_shared():
    engine = PlaygroundEngine(train=10, layers=())
    engine.step(MOST + 10)
    engine.scrub(100)
    engine.set(lr=0.1)
    engine.step(31)
    assert engine.run.history.stride == 2
    other = PlaygroundEngine.from_share(engine.share())
    assert torch.equal(engine.snapshot().arrays["curve"], other.snapshot().arrays["curve"])


def damaged(change):
    state = eventful().state()
    change(state["run"])
    return state


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.update(last=20_001),
        lambda run: run.update(last=10**12, step=0),
        lambda run: run.update(step=61),
        lambda run: run.update(step=-1),
        lambda run: run.update(stride=0),
        lambda run: run.update(stride=None),
        lambda run: run.update(drawn=[[[9, 9, 1]]]),
        lambda run: run.update(drawn=[[[0, 0, 1]] * 400, [[0, 0, 1]] * 101]),
        lambda run: run.update(changes=[[1, ["undo"]]] * 2001),
        lambda run: run.update(changes=[[61, ["undo"]]]),
        lambda run: run.update(changes=[[5, ["undo"]], [4, ["undo"]]]),
        lambda run: run.update(changes=[[5, ["__init__"]]]),
        lambda run: run.update(changes=[[5, ["set", {"seed": 3}]]]),
        lambda run: run.update(changes=[[5, ["set", {"lr": 1e9}]]]),
        lambda run: run.update(changes=[[5, ["weight", 3, 0, 0, 1]]]),
        lambda run: run.update(changes=[[5, ["weight", 0, 0, 0, 11]]]),
        lambda run: run.update(changes=[[5, ["bias", 0, 3, 1]]]),
        lambda run: run.update(changes=[[5, ["points", [[0, 0, 1]] * 450]], [6, ["points", [[0, 0, 1]] * 50]]]),
        lambda run: run.update(changes=[5]),
        lambda run: run.update(changes={}),
        lambda run: run.update(values={}),
        lambda run: run["values"].update(layers=[99]),
        lambda run: run["values"].pop("seed"),
        lambda run: run["values"].update(data="/etc"),
    ],
)
def test_a_damaged_string_is_refused(change):
    engine = PlaygroundEngine(lr=0.5)
    engine.step(3)
    before = everything(engine.run)
    with pytest.raises(ValueError, match=r"damaged|wanted|at most"):
        engine.restore(damaged(change))
    assert differing(before, everything(engine.run)) == []


@pytest.mark.parametrize("state", [{}, {"run": None}, {"run": []}, {"run": {"values": 3}}, {"kept": {}}])
def test_a_foreign_state_is_refused(state):
    with pytest.raises(ValueError, match="damaged"):
        PlaygroundEngine().restore(state)


def test_too_long_a_run_is_not_shared():
    engine = PlaygroundEngine()
    engine.run.history.last = 20_001
    with pytest.raises(ValueError, match="at most 20000"):
        engine.share()


VALUES = st.fixed_dictionaries(
    {
        "data": st.sampled_from(PARAMS["data"].options),
        "noise": st.floats(0, 0.5),
        "train": st.integers(10, 200),
        "features": st.sets(st.sampled_from(PARAMS["features"].options), min_size=1),
        "layers": st.lists(st.integers(1, 8), max_size=4),
        "activation": st.sampled_from(PARAMS["activation"].options),
        "optimizer": st.sampled_from(PARAMS["optimizer"].options),
        "lr": st.floats(1e-4, 10),
        "batch_size": st.integers(1, 200),
        "regularisation": st.sampled_from(PARAMS["regularisation"].options),
        "strength": st.just(0.0) | st.floats(1e-5, 1),
        "seed": st.integers(0, 9999),
    }
)


@QUICK
@given(values=VALUES, points=st.lists(st.tuples(*[st.floats(-3.5, 3.5)] * 2, st.integers(0, 1)), max_size=4))
def test_any_settings_work_and_come_back(values, points):
    engine = PlaygroundEngine(**values)
    if points:
        engine.add_points([list(point) for point in points])
    states = [everything(engine.run)]
    for _ in range(3):
        engine.step()
        states.append(everything(engine.run))
    shown = engine.snapshot()
    pack(shown)
    assert shown.header["notice"] or all(map(math.isfinite, shown.arrays["weights"].tolist()))
    assert engine.describe()
    other = PlaygroundEngine.from_share(engine.share())
    assert differing(everything(engine.run), everything(other.run)) == []
    at = engine.run.at
    engine.back()
    assert differing(states[max(0, at - 1)], everything(engine.run)) == []
    engine.scrub(at)
    assert differing(states[at], everything(engine.run)) == []


# The learner's own.


def own_points(n=40):
    x = torch.rand(n, 2, generator=torch.Generator().manual_seed(1)) * 10
    return x, (x[:, 0] > 5).long()


def small():
    torch.manual_seed(2)
    return torch.nn.Sequential(
        torch.nn.Linear(2, 6), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 2)
    )


def test_an_own_model_trains_in_place_and_goes_back_exactly():
    model = small()
    model[3].eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    start = model[0].weight.detach().clone()
    x, y = own_points()
    engine = PlaygroundEngine(model=model, optimizer=optimizer, X=x.numpy(), y=y.bool().tolist(), batch_size=7)
    assert engine.values["lr"] == 0.02
    torch.manual_seed(77)  # not where a step of an own model puts the stream
    stream = torch.random.get_rng_state()
    states = []
    for _ in range(12):
        states.append(everything(engine.run))
        engine.step()
    assert engine.run.model is model
    assert not torch.equal(start, model[0].weight)
    for step in (11, 4, 0, 7):
        engine.scrub(step)
        assert differing(states[step], everything(engine.run)) == [], step
    assert torch.equal(stream, torch.random.get_rng_state())
    assert [module.training for module in model] == [True, True, True, False, True]
    engine.set(lr=0.5)
    assert optimizer.param_groups[0]["lr"] == 0.5
    engine.step(3)
    engine.set_weight(0, 5, 1, 3.0)
    assert model[0].weight[5, 1] == 3
    header = engine.snapshot().header
    assert header["own"]
    assert header["points"] == {"train": 28, "test": 12, "drawn": 0}
    assert header["maps"] == [2, 6]
    left, right, bottom, top = header["extent"]
    assert left < x[:, 0].min() < x[:, 0].max() < right
    assert bottom < x[:, 1].min() < x[:, 1].max() < top
    assert len(header["layers"]) == 2
    assert picture(engine).png
    engine.fork()
    engine.set(lr=0.001)
    engine.step(4)
    assert engine.kept.model is not model
    assert not torch.equal(engine.kept.model[0].weight, model[0].weight)
    engine.reset()
    assert torch.equal(start, model[0].weight)
    assert engine.values["lr"] == 0.02
    assert optimizer.state_dict()["state"] == {}
    with pytest.raises(ValueError, match="Share the code"):
        engine.share()


def test_a_big_model_has_fewer_records_and_every_step(monkeypatch):
    model = torch.nn.Sequential(torch.nn.Linear(2, 500), torch.nn.Tanh(), torch.nn.Linear(500, 1))
    monkeypatch.setattr("dlcourse.widgets.playground.run.MEMORY", 8 * 4 * 2001)  # eight times its weights
    engine = PlaygroundEngine(model=model, batch_size=1, X=[[0.0, 1.0], [1.0, 0.0]], y=[0, 1])
    states = []
    for _ in range(20):
        states.append(model[2].bias.item())
        engine.step()
    assert len(engine.run.history.records) <= 8
    for step in (19, 3, 11):
        engine.scrub(step)
        assert model[2].bias.item() == states[step]
    assert engine.snapshot().arrays["weights"].size == 0
    assert engine.snapshot().header["maps"] == [2, 8]


def test_own_random_numbers_differ_from_step_to_step():
    drawn = []

    class Noisy(torch.nn.Linear):
        def forward(self, x):
            if self.training:
                drawn.append(torch.rand(()).item())
            return super().forward(x).squeeze(1)

    engine = PlaygroundEngine(model=Noisy(2, 1))
    engine.step(5)
    engine.back(2)
    engine.step(2)
    assert len(set(drawn[:5])) == 5
    assert drawn[5:] == drawn[3:5]


def test_the_last_linear_layer_is_the_output_whatever_follows_it():
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1), torch.nn.Flatten(0))
    header = PlaygroundEngine(model=model).snapshot().header
    assert header["maps"] == [2, 4]
    assert header["architecture"] == [2, 4, 1]
    assert [layer["dead"] for layer in header["layers"]] == [0, 0]


def test_of_a_model_that_is_no_sequential_the_layers_are_known_and_no_units():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(2, 4), torch.nn.Linear(4, 1, bias=False)

        def forward(self, x):
            return self.second(self.first(x).relu())

    engine = PlaygroundEngine(model=Two())
    engine.step(2)
    shown = engine.snapshot()
    assert shown.header["maps"] == [2]
    assert [layer["dead"] for layer in shown.header["layers"]] == [None, 0]
    assert shown.arrays["weights"].shape == (8 + 4 + 4 + 1,)
    with pytest.raises(ValueError, match="no bias"):
        engine.set_bias(1, 0, 1.0)


@pytest.mark.parametrize("name", ["features", "layers", "activation", "seed", "data", "noise", "train", "optimizer"])
def test_what_means_nothing_beside_their_own_is_refused(name):
    model = torch.nn.Linear(2, 1)
    x, y = own_points()
    engine = PlaygroundEngine(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), X=x, y=y)
    other = {"features": ["x2"], "layers": [3], "activation": "relu", "seed": 3, "data": "xor", "noise": 0.2}
    other |= {"train": 50, "optimizer": "rmsprop"}
    with pytest.raises(ValueError, match=f"{name} cannot be set here: the .* your own"):
        engine.set(**{name: other[name]})
    assert engine.values[name] == PARAMS[name].default


def test_own_points_alone_keep_the_playgrounds_network():
    x, y = own_points()
    engine = PlaygroundEngine(X=x, y=y, layers=(3,), features=["x1"])
    assert engine.snapshot().header["architecture"] == [1, 3, 1]
    first = engine.run.x
    engine.set(seed=1)
    assert not torch.equal(first, engine.run.x)
    together = torch.cat([engine.run.x, engine.run.problem.test_x])
    assert sorted(together.tolist()) == sorted(x.tolist())
    engine.add_points([[5.5555, 3, 1]])
    assert engine.run.x[-1].tolist() == [pytest.approx(5.56), 3]


def test_of_many_points_the_snapshot_shows_the_drawn_ones():
    x, y = own_points(1500)
    engine = PlaygroundEngine(X=x, y=y)
    engine.add_points([[5.5, 3.25, 1]])
    shown = engine.snapshot()
    pack(shown)
    assert shown.header["points"] == {"train": 1051, "test": 450, "drawn": 1}
    assert shown.arrays["train_points"].shape == (700, 3)
    assert shown.arrays["train_points"][-1].tolist() == [5.5, 3.25, 1]
    assert shown.arrays["test_points"].shape == (200, 3)


def test_small_fields_keep_their_digits():
    engine = PlaygroundEngine(X=[[0.0, 0.0], [0.01, 0.01], [0.005, 0.002]], y=[0, 1, 1])
    engine.add_points([[0.00123, 0.00456, 1]])
    assert engine.run.x[-1].tolist() == pytest.approx([0.00123, 0.00456])


class Broken(torch.nn.Linear):
    def forward(self, x):
        raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"model": 3}, "wanted a torch.nn.Module"),
        ({"model": torch.nn.Tanh()}, "no parameter"),
        ({"model": torch.nn.Linear(2, 3)}, r"\(5, 3\); wanted one logit"),
        ({"model": torch.nn.Linear(3, 1)}, "failed on a batch"),
        ({"model": Broken(2, 1)}, "no such thing"),
        ({"model": torch.nn.Linear(2, 1).double()}, "float32"),
        ({"model": torch.nn.Linear(2, 1, device="meta")}, "lives on meta"),
        ({"optimizer": torch.optim.SGD(torch.nn.Linear(2, 1).parameters())}, "needs the model"),
        (
            {"model": torch.nn.Linear(2, 1), "optimizer": torch.optim.SGD(torch.nn.Linear(2, 1).parameters())},
            "not hold",
        ),
        ({"model": torch.nn.Linear(2, 1), "optimizer": 5}, "wanted a name or"),
        ({"X": [[0, 0]]}, "need both"),
        ({"y": [0]}, "need both"),
        ({"X": [[0, 0, 0]], "y": [0]}, r"wanted \(n, 2\)"),
        ({"X": [[0, 0]], "y": [0, 1]}, r"wanted \(n, 2\)"),
        ({"X": [[0, 0]], "y": [2]}, "labels 0 and 1"),
        ({"X": [[0, float("nan")]], "y": [1]}, "not finite"),
        ({"X": [["a", "b"]], "y": [1]}, "no table of numbers"),
        ({"X": [[0, 0]], "y": [1], "noise": 0.2}, "the points are your own"),
        ({"model": torch.nn.Linear(2, 1), "layers": (3,)}, "the model is your own"),
        ({"optimizer": "nonsense"}, "not known"),
        ({"nonsense": 1}, "no parameter"),
    ],
)
def test_what_does_not_fit_is_refused(own, message):
    with pytest.raises(ValueError, match=message):
        PlaygroundEngine(**own)


def test_no_notebook_is_needed():
    blocked = "import sys\nfor name in ('ipywidgets', 'anywidget', 'IPython'): sys.modules[name] = None\n"
    work = (
        "from dlcourse.widgets.playground.engine import PlaygroundEngine\n"
        "from dlcourse.widgets.playground.picture import picture\n"
        "engine = PlaygroundEngine(); engine.step(2); engine.snapshot(); picture(engine); print(engine.run.at)"
    )
    done = subprocess.run([sys.executable, "-c", blocked + work], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
