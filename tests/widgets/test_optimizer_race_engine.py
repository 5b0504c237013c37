"""The race's numbers: surfaces and their gradients, rules against torch's, going back, reasons, the printed program."""

import contextlib
import io
import json
import re
import time

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from dlcourse_colour import MACHADO, contrast, nearest
from dlcourse_node import NODE, evaluate
from hypothesis import given

from dlcourse.plot.style import PANEL
from dlcourse.widgets.optimizer_race import engine as engine_module
from dlcourse.widgets.optimizer_race import question, race, surfaces, words
from dlcourse.widgets.optimizer_race.engine import LIVE, MOST, PARAMS, OptimizerRaceEngine
from dlcourse.widgets.optimizer_race.picture import LOOKS, picture, seen
from dlcourse.widgets.optimizer_race.race import FAR, STAY
from dlcourse.widgets.optimizer_race.racers import RACERS
from dlcourse.widgets.snapshot import pack

ALL = tuple(RACERS)
EVERY = [
    surfaces.surface(name, 20.0, turn) for name in surfaces.NAMES for turn in ((0, 30) if name == "bowl" else (0,))
]
BY_NAME = pytest.mark.parametrize("surface", EVERY, ids=lambda each: f"{each.name}-{each.shape.get('turn', '')}")


def places(surface, n=200):
    left, right, bottom, top = surface.extent
    share = torch.rand(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return torch.tensor([left, bottom]) + share * torch.tensor([right - left, top - bottom])


def positions(engine):
    """(step, racer, start, 2): all that has been so far."""
    return engine.race.track[: engine.race.last + 1].copy()


# --- surfaces ---------------------------------------------------------------------------------------------------------


@BY_NAME
def test_gradients_by_hand_are_those_of_autograd_and_of_differences(surface):
    place = places(surface).requires_grad_()
    (theirs,) = torch.autograd.grad(surface.at(place).sum(), place)
    ours = surface.gradient(place.detach())
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    for axis in range(2):
        h = torch.zeros(2, dtype=torch.float64)
        h[axis] = 1e-6
        difference = (surface.at(place.detach() + h) - surface.at(place.detach() - h)) / 2e-6
        torch.testing.assert_close(ours[:, axis], difference, rtol=1e-5, atol=1e-5)


@BY_NAME
def test_minima_are_minima_and_the_lowest_loss_is_zero(surface):
    minima = torch.tensor(surface.minima, dtype=torch.float64)
    assert surface.gradient(minima).abs().max() < 1e-12
    for minimum in minima:
        assert torch.linalg.eigvalsh(torch.autograd.functional.hessian(surface.at, minimum)).min() > 0
    assert surface.at(minima).min() == pytest.approx(0, abs=1e-15)
    assert surface.field().min() >= 0
    assert surface.holds(*surface.start)
    left, right, bottom, top = surface.extent
    assert (right - left) * 3 == pytest.approx((top - bottom) * 4), "the map's box, so that a ring is a circle"


@BY_NAME
def test_a_function_given_by_a_learner_is_explored_as_if_nothing_were_known(surface):
    own = surfaces.own_surface(lambda x, y: surface.loss(x, y, **surface.shape), surface.extent)
    assert sorted(own.minima) == [pytest.approx(minimum, abs=1e-5) for minimum in sorted(surface.minima)]
    assert own.lowest == pytest.approx(0, abs=1e-9)
    place = places(surface, 20)
    torch.testing.assert_close(own.gradient(place), surface.gradient(place), rtol=1e-10, atol=1e-10)


@given(st.floats(1, 100), st.integers(0, 45), st.tuples(st.floats(-5, 5), st.floats(-3, 3)))
def test_the_bowls_curvatures_are_one_and_the_condition_number_however_it_is_turned(condition, turn, place):
    bowl = surfaces.surface("bowl", condition, turn)
    place = torch.tensor(place, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(bowl.at, place)
    assert torch.linalg.eigvalsh(hessian).tolist() == pytest.approx([1, condition])
    assert bowl.curvature(place) == pytest.approx(condition)


def test_the_hollows_are_where_they_say():
    low, high = surfaces.surface("hollows", 1, 0).minima
    assert surfaces.hollows(*map(torch.tensor, high)).item() == pytest.approx(0.9)
    assert surfaces.hollows(*map(torch.tensor, low)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"surface": lambda x, y: (x + y).sum()}, "shape"),
        ({"surface": lambda x, y: 3.0}, "gave float"),
        ({"surface": lambda x, y: torch.full_like(x, torch.nan)}, "finite number nowhere"),
        ({"surface": lambda x, y: torch.ones_like(x)}, "has no gradient"),
        ({"surface": lambda x, y: x * y, "extent": (1, 0, 0, 1)}, "extent"),
        ({"surface": lambda x, y: x * y, "extent": "abc"}, "extent"),
        ({"surface": "bowl", "extent": (0, 1, 0, 1)}, "your own surface"),
        ({"surface": "own"}, "needs a surface of your own"),
        ({"racers": ("own",)}, "needs a rule of your own"),
        ({"rule": 3}, "wanted a function"),
        ({"rule": lambda place, gradient, state, step, lr: place}, "must return"),
        ({"rule": lambda place, gradient, state, step, lr: (place[:1], None)}, "must return"),
        ({"starts": []}, "one to 4 places"),
        ({"starts": [(0, 0)] * 5}, "one to 4 places"),
        ({"starts": [(0, 0, 0)]}, "one to 4 places"),
        ({"starts": [(0, 9)]}, "y of a start=9 is out of range"),
        ({"starts": [("a", 0)]}, "x of a start"),
        ({"starts": 7}, "one to 4 places"),
        ({"lr": 0}, "out of range"),
        ({"factor_own": 2}, "no parameter"),
    ],
)
def test_what_does_not_fit_is_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        OptimizerRaceEngine(**settings)


# --- the rules --------------------------------------------------------------------------------------------------------

THEIRS = {
    "sgd": lambda p, s: torch.optim.SGD(p, lr=s["lr"]),
    "momentum": lambda p, s: torch.optim.SGD(p, lr=s["lr"], momentum=s["momentum"]),
    "nesterov": lambda p, s: torch.optim.SGD(p, lr=s["lr"], momentum=s["momentum"], nesterov=True),
    "rmsprop": lambda p, s: torch.optim.RMSprop(p, lr=s["lr"], alpha=s["beta2"]),
    "adam": lambda p, s: torch.optim.Adam(p, lr=s["lr"], betas=(s["momentum"], s["beta2"])),
    "adamw": lambda p, s: torch.optim.AdamW(
        p, lr=s["lr"], betas=(s["momentum"], s["beta2"]), weight_decay=s["weight_decay"]
    ),
}


@pytest.mark.parametrize("name", ALL)
def test_every_racer_goes_as_torchs_own_optimiser(name):
    settings = {"lr": 0.03, "momentum": 0.8, "beta2": 0.95, "weight_decay": 0.5}
    engine = OptimizerRaceEngine(surface="valley", racers=(name,), starts=[(-1.5, 1.5), (1, 0)], **settings)
    engine.step(60)
    place = torch.tensor([[-1.5, 1.5], [1, 0]], dtype=torch.float64, requires_grad=True)
    optimizer = THEIRS[name]([place], settings)
    for step in range(61):
        ours = engine.race.moments[step].places[name]
        torch.testing.assert_close(ours, place.detach(), rtol=1e-10, atol=1e-12)
        optimizer.zero_grad()
        engine.race.surface.at(place).sum().backward()
        optimizer.step()


def test_noise_is_the_same_for_all_and_another_with_another_seed():
    quiet, noisy = (
        OptimizerRaceEngine(racers=("sgd",), noise=noise, starts=[(-4, 1), (2, 2)], lr=0.01) for noise in (0, 0.5)
    )
    quiet.step()
    noisy.step()
    shift = (quiet.race.track[1] - noisy.race.track[1])[ALL.index("sgd")] / 0.01
    assert shift[0] == pytest.approx(shift[1])
    assert shift[0] == pytest.approx((0.5 * noisy.race.noise[0]).tolist())
    assert noisy.race.noise.std() == pytest.approx(1, abs=0.05)
    drawn = noisy.race.noise
    noisy.set(seed=1)
    assert not torch.equal(drawn, noisy.race.noise)
    assert (noisy.race.at, noisy.race.last) == (0, 0)


def test_the_global_stream_of_random_numbers_is_left_alone():
    before = torch.get_rng_state()
    engine = OptimizerRaceEngine(noise=1, racers=ALL)
    engine.step(5)
    engine.snapshot()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_factor_is_for_one_racer_and_hidden_racers_run_too():
    engine = OptimizerRaceEngine(lr=0.05, factor_adam=2, racers=("sgd",))
    plain = OptimizerRaceEngine(lr=0.05, racers=("sgd", "adam"))
    twice = OptimizerRaceEngine(lr=0.1, racers=("adam",))
    for each in (engine, plain, twice):
        each.step(30)
    adam = ALL.index("adam")
    assert np.array_equal(positions(engine)[:, adam], positions(twice)[:, adam])
    assert np.array_equal(np.delete(positions(engine), adam, 1), np.delete(positions(plain), adam, 1))
    engine.set(racers=("adam",))
    assert engine.race.at == 30
    assert engine.rows()[0]["rate"] == 0.1
    assert [row["racer"] for row in engine.rows()] == ["adam"]


def test_a_rule_of_the_learners_races_too():
    def heavy(place, gradient, state, step, lr):
        state = {"velocity": torch.zeros(2, dtype=torch.float64)} if state is None else state
        state["velocity"].mul_(0.9).add_(gradient)  # in place: the race must not mind
        return place - lr * state["velocity"], state

    engine = OptimizerRaceEngine(rule=heavy, starts=[(-4, 1.5), (3, -2)])
    assert engine.values["racers"] == (*PARAMS["racers"].default, "own")
    engine.step(40)
    seen = positions(engine)
    own, momentum = engine.race.names.index("own"), engine.race.names.index("momentum")
    assert seen[:, own] == pytest.approx(seen[:, momentum], abs=1e-12)
    assert engine.rows()[-1]["name"] == "heavy"
    engine.scrub(11)
    engine.set(noise=0.0, lr=0.05)  # as it was: nothing is given up
    engine.race.cut()
    engine.step(29)
    assert np.array_equal(positions(engine), seen)


# --- time -------------------------------------------------------------------------------------------------------------


def test_going_back_is_exact_and_what_was_set_on_the_way_comes_again():
    engine = OptimizerRaceEngine(surface="valley", racers=ALL, noise=0.2, starts=[(-1.5, 1.5), (0, 2)])
    engine.step(10)
    engine.set(lr=0.02, momentum=0.5)
    engine.step(10)
    engine.set(beta2=0.9, factor_sgd=3)
    engine.step(5)
    seen = positions(engine)
    for step in (3, 10, 24, 0, 19, 20, 25):
        engine.scrub(step)
        assert engine.values["lr"] == (0.05 if step < 10 else 0.02)
        assert engine.values["momentum"] == (0.9 if step < 10 else 0.5)
        assert engine.values["factor_sgd"] == (1 if step < 20 else 3)
        assert engine.snapshot().header["run"] == {"step": step, "first": 0, "last": 25, "running": True}
    engine.scrub(9)
    engine.race.cut()
    assert engine.race.changes == {}
    engine.step()
    engine.set(momentum=0.5, lr=0.02)
    engine.step(10)
    engine.set(factor_sgd=3, beta2=0.9)
    engine.step(5)
    assert np.array_equal(positions(engine), seen)


def test_a_change_gives_up_what_came_after():
    engine = OptimizerRaceEngine(lr=0.05)
    engine.step(30)
    engine.back(20)
    assert (engine.race.at, engine.race.last) == (10, 30)
    engine.set(racers=("sgd",))
    assert engine.race.last == 30
    engine.set(lr=0.01)
    assert (engine.race.at, engine.race.last) == (10, 10)
    engine.back(99)
    assert engine.race.at == 0
    assert engine.values["lr"] == 0.05
    engine.set(lr=0.2)
    engine.reset()
    assert engine.values["lr"] == 0.2
    with pytest.raises(ValueError, match="out of range"):
        engine.scrub(1)


def test_the_end(monkeypatch):
    for module in (race, engine_module):
        monkeypatch.setattr(module, "LAST", 30)
    engine = OptimizerRaceEngine(surface="saddle", starts=[(-3, 0)])
    engine.step(40)
    assert (engine.race.at, engine.running) == (30, False)
    engine.race.step()
    assert engine.race.at == 30
    engine.back()
    assert engine.running


def test_settings_of_another_surface_change_nothing_and_a_surface_begins_anew():
    engine = OptimizerRaceEngine(surface="saddle", starts=[(1, 1)])
    engine.step(5)
    engine.set(condition=3, turn=10)
    assert (engine.race.at, engine.race.surface.name) == (5, "saddle")
    engine.set(surface="bowl")
    assert (engine.race.at, engine.race.starts) == (0, ((-4, 1.5),))
    assert engine.race.surface.shape == {"condition": 3, "turn": 10}
    engine.move(0, 1, 1)
    engine.step(5)
    engine.set(turn=20)
    assert (engine.race.at, engine.race.starts) == (0, ((1, 1),))
    field = engine.field
    engine.drop(0, 0)
    assert engine.field is field, "the land is computed once"
    assert np.array_equal(field, OptimizerRaceEngine(condition=3, turn=20).field)
    assert not np.array_equal(field, OptimizerRaceEngine(condition=3).field)


@pytest.mark.parametrize("wrong", [{"surface": "own"}, {"lr": 0.2, "racers": ("own",)}, {"lr": 0.2, "momentum": 3}])
def test_setting_is_all_or_nothing(wrong):
    engine = OptimizerRaceEngine()
    engine.step(3)
    before, race = dict(engine.values), engine.race
    with pytest.raises(ValueError, match=r"your own|out of range"):
        engine.set(**wrong)
    assert (engine.values, engine.race, engine.race.at) == (before, race, 3)


def test_starts_are_dropped_moved_and_taken_away():
    engine = OptimizerRaceEngine(starts=torch.tensor([[1.0, 2.0]]))
    engine.step(4)
    assert engine.drop(2, 3) == 1
    assert engine.race.at == 0
    engine.drop(3, 3)
    engine.drop(4, 3)
    assert engine.drop(x=5, y=3) == MOST - 1
    assert engine.race.starts == ((2, 3), (3, 3), (4, 3), (5, 3))
    engine.move(index=1, x=-1, y=-1)
    engine.remove(0)
    assert engine.race.starts == ((-1, -1), (4, 3), (5, 3))
    assert engine.snapshot().arrays["curves"].shape == (12, 1)
    for call in (
        lambda: engine.drop(6, 0),
        lambda: engine.drop(float("nan"), 0),
        lambda: engine.drop("1", 0),
        lambda: engine.move(3, 0, 0),
        lambda: engine.remove(-1),
        lambda: engine.remove(None),
    ):
        with pytest.raises(ValueError, match="wanted"):
            call()
    assert engine.race.starts == ((-1, -1), (4, 3), (5, 3))
    engine.remove(0)
    engine.remove(0)
    with pytest.raises(ValueError, match="the only start"):
        engine.remove(0)


# --- arrived, diverged, why -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"surface": "bowl", "lr": 0.09},
        {"surface": "hollows", "lr": 0.08},
        {"surface": "saddle", "noise": 1, "lr": 0.1},
        {"surface": "cliff", "lr": 0.3},
        {"surface": "bowl", "lr": 5},
    ],
)
def test_arrivals_and_divergence_are_what_their_definitions_say(settings):
    engine = OptimizerRaceEngine(racers=ALL, **settings)
    engine.step(150)
    surface, track = engine.race.surface, positions(engine)
    left, right, bottom, top = surface.extent
    minima = np.array(surface.minima)
    with np.errstate(all="ignore"):
        close = (np.hypot(*(track[..., None, :] - minima).transpose(4, 0, 1, 2, 3)).min(-1) < surface.ring)[..., 0]
        away = np.abs(track[:, :, 0] - [(left + right) / 2, (bottom + top) / 2]) / [
            (right - left) / 2,
            (top - bottom) / 2,
        ]
        far = ~(away < FAR).all(-1)
    for racer in range(len(ALL)):
        stays = [step for step in range(150 - STAY + 1) if close[step : step + STAY + 1, racer].all()]
        assert engine.race.now.arrived[racer, 0] == (stays[0] if stays else -1)
        gone = [step for step in range(151) if far[step:, racer].all()]
        assert engine.race.now.far[racer, 0] == (gone[0] if gone else -1)
        if stays:
            assert engine.race.moments[stays[0] + STAY - 1].arrived[racer, 0] == -1


def test_the_first_arrival_counts_also_after_an_excursion():
    engine = OptimizerRaceEngine(surface="saddle", racers=("sgd",), starts=[(0, 1)], lr=0.2)
    engine.step(STAY - 1)
    assert engine.rows()[0]["words"] == "inside since step 0"
    engine.step()
    assert engine.rows()[0]["words"] == "arrived at step 0"
    engine.set(noise=5)
    engine.step(3)
    assert engine.rows()[0]["words"] == "arrived at step 0, outside again"
    engine.set(noise=0)
    engine.step(60)
    assert engine.race.now.inside[0, 0] > STAY
    assert engine.rows()[0]["words"] == "arrived at step 0"


@pytest.mark.parametrize("name", words.LIMITS)
@pytest.mark.parametrize(("condition", "momentum"), [(20, 0.9), (5, 0.3)])
def test_the_limit_on_the_bowl_is_where_a_rule_begins_to_grow(name, condition, momentum):
    most = words.limit(name, momentum, condition)
    ends = {}
    for share in (0.95, 1.05):
        engine = OptimizerRaceEngine(racers=(name,), condition=condition, momentum=momentum, lr=share * most, turn=15)
        engine.step(220)
        ends[share] = engine.rows()[0]
    assert ends[0.95]["state"] == "arrived"
    assert ends[1.05]["state"] == "diverged"
    assert f"= {most:.3g}, so each step" in ends[1.05]["reason"]
    assert f"Its rate {1.05 * most:.3g} is above" in ends[1.05]["reason"]


def test_the_limit_is_filled_in():
    engine = OptimizerRaceEngine(racers=("sgd", "nesterov"), lr=0.11, starts=[(-4, 1.5), (4, -3)])
    engine.step(30)
    notice = engine.snapshot().header["notice"]
    assert "Gradient descent diverged at step 22 (start 1) and 18 (start 2). " in notice
    assert "Its rate 0.11 is above 2 / curvature = 2 / 20 = 0.1, so" in notice
    assert "= 2 · (1 + 0.9) / ((1 + 2 · 0.9) · 20) = 0.0679, so" in notice
    engine.back(30)
    assert engine.snapshot().header["notice"] is None


def test_the_reason_is_of_the_settings_at_the_last_step_in_the_picture():
    engine = OptimizerRaceEngine(racers=("sgd",), lr=0.04)
    engine.step(3)
    engine.set(lr=0.2)
    engine.step(20)
    assert "Its rate 0.2 is above 2 / curvature" in engine.rows()[0]["reason"]
    engine.set(lr=0.01)
    assert "Its rate 0.2 is above" in engine.rows()[0]["reason"]


def test_other_reasons():
    engine = OptimizerRaceEngine(racers=("adamw",), lr=10, weight_decay=1)
    engine.step(10)
    assert "1 - 10 · 1 = -9 at every step" in engine.rows()[0]["reason"]
    engine = OptimizerRaceEngine(surface="valley", racers=("sgd",), lr=0.6)
    engine.step(20)
    assert re.search(r"at step 0 the curvature was 23, so each step", engine.rows()[0]["reason"])
    engine = OptimizerRaceEngine(racers=("sgd",), noise=10, lr=0.09, condition=1, starts=[(4.9, 0)])
    engine.set(lr=10)
    engine.race.surface = surfaces.own_surface(lambda x, y: 0 * x * y, (-5, 5, -3.75, 3.75))  # flat: noise alone
    engine.step(200)
    assert re.search(r"from \d+ to \d+ was [\d.]+(e\+\d+)? long and led out", engine.rows()[0]["reason"])


def test_the_minimum_that_is_not_the_lowest_is_said():
    engine = OptimizerRaceEngine(surface="hollows", racers=("sgd", "momentum"))
    engine.step(90)
    assert [row["words"] for row in engine.rows()] == ["arrived at step 48, not at the lowest", "arrived at step 51"]


def test_words_and_rows_agree():
    engine = OptimizerRaceEngine(surface="cliff", racers=("sgd", "momentum"), lr=0.1, noise=0.1, factor_sgd=0.5)
    engine.step(45)
    text = engine.describe()
    for row in engine.rows():
        assert f"{row['words']}, loss {words.number(row['loss'])}" in text
        assert f"{words.number(row['distance'])} from the nearest minimum" in text
    assert "Step 45; learning rate 0.1, momentum 0.9, gradient noise 0.1; from (-2.5, 1.5)." in text
    assert "Gradient descent at rate 0.05: racing" in text
    momentum = engine.rows()[1]
    assert (momentum["outside"], momentum["words"]) == (True, "outside the picture")
    assert engine.race.surface.story in text
    assert re.fullmatch(r"Step 45: loss from \w+ [\d.]+ to gradient descent [\d.]+", engine.snapshot().header["say"])


def test_play_pauses_where_the_last_one_is_done():
    engine = OptimizerRaceEngine(racers=("sgd", "momentum"))
    paused = []
    for step in range(1, 121):
        engine.step()
        paused += [step] if engine.pauses else []
    arrived = engine.race.now.arrived[[ALL.index("sgd"), ALL.index("momentum")], 0]
    assert paused == [arrived.max() + STAY]
    engine = OptimizerRaceEngine(racers=("sgd",), lr=1)
    engine.step(4)
    assert engine.rows()[0]["state"] == "diverged"
    engine.scrub(int(engine.race.now.far[0, 0]))
    assert engine.pauses


# --- predict before you see -------------------------------------------------------------------------------------------


def test_a_question_hides_the_race_until_somebody_has_arrived():
    engine = OptimizerRaceEngine(racers=("sgd", "nesterov", "adam"))
    engine.step(50)
    engine.ask()
    assert (engine.race.at, engine.race.last, engine.running, engine.pauses) == (0, 0, False, False)
    assert engine.question.text == "Which one arrives first, within 500 steps?"
    engine.step(5)
    assert engine.race.at == 0
    asked = engine.snapshot()
    assert asked.header["question"]["options"] == ["gradient descent", "Nesterov", "Adam", "nobody"]
    assert "A question is open" in engine.describe()
    engine.guess(0)
    engine.step(30)
    hidden = engine.snapshot()
    assert hidden.header["run"]["step"] == 30
    assert hidden.header["rows"] == asked.header["rows"]
    assert hidden.arrays["trail"] is asked.arrays["trail"]
    assert hidden.header["question"]["state"] == "running"
    assert "loss" not in hidden.header["say"]
    assert "racing" not in engine.describe()
    engine.step(500)
    assert (engine.race.at, engine.pauses) == (53, True)
    question = engine.snapshot().header["question"]
    assert (question["answer"], question["right"], question["state"]) == ([1], False, "revealed")
    assert (question["asked_count"], question["right_count"]) == (1, 0)
    assert question["verdict"] == "You said gradient descent: Nesterov came in at step 33 and stayed."
    engine.ask()
    engine.guess(1)
    engine.step(500)
    assert engine.snapshot().header["question"]["verdict"].startswith("You were right: Nesterov")
    assert engine.snapshot().header["question"]["right_count"] == 1
    assert "You were right" in engine.describe()
    engine.step()
    assert not engine.pauses


def test_of_several_starts_the_first_counts():
    engine = OptimizerRaceEngine(racers=("sgd", "adam"), lr=0.09, starts=[(-4, 0), (0, 0)])
    engine.ask()
    assert "from start 1" in engine.question.text
    engine.guess(0)
    engine.step(21)
    assert engine.question.state == "running", "though all have arrived from start 2"
    engine.step(500)
    assert engine.question.right


def test_nobody_and_a_tie(monkeypatch):
    monkeypatch.setattr(question, "STEPS", 80)
    engine = OptimizerRaceEngine(racers=("sgd", "adam"), lr=1e-4)
    engine.ask()
    engine.guess(2)
    engine.step(1000)
    assert (engine.race.at, engine.question.answer, engine.question.right) == (80, (2,), True)
    assert "nobody had arrived by step 80" in engine.describe()
    engine = OptimizerRaceEngine(racers=("adam", "adamw"), weight_decay=0, lr=0.3)
    engine.ask()
    engine.guess(1)
    engine.step(1000)
    assert engine.question.answer == (0, 1)
    assert engine.question.right
    assert "Adam and AdamW came in" in engine.describe()
    engine = OptimizerRaceEngine(racers=("sgd", "nesterov"), lr=1)
    engine.ask()
    engine.guess(0)
    engine.step(1000)
    assert engine.race.at < 20
    assert "You said gradient descent: nobody" in engine.describe()


@pytest.mark.parametrize(
    "change",
    [
        lambda engine: engine.set(lr=0.1),
        lambda engine: engine.set(racers=("adam",)),
        lambda engine: engine.drop(0, 0),
        lambda engine: engine.back(),
        lambda engine: engine.reset(),
        lambda engine: engine.forget(),
    ],
)
def test_a_change_drops_the_question(change):
    engine = OptimizerRaceEngine()
    engine.ask()
    engine.guess(0)
    engine.step(3)
    change(engine)
    assert engine.question is None
    assert engine.snapshot().header["question"] is None
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)


def test_a_guess_is_one_of_the_options():
    engine = OptimizerRaceEngine(racers=("sgd",))
    engine.ask()
    for wrong in (2, -1, None, "0", 0.5):
        with pytest.raises(ValueError, match="option"):
            engine.guess(wrong)
    engine.guess(0)
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)


# --- what is seen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["bowl", "hollows"])
def test_a_snapshot_is_small_and_strict(surface):
    engine = OptimizerRaceEngine(
        surface=surface,
        racers=ALL,
        lr=3,
        noise=3,
        rule=lambda place, gradient, state, step, lr: (place - gradient, None),
    )
    for _ in range(MOST - 1):
        engine.drop(0.5, 0.25)
    engine.set(racers=(*ALL, "own"))
    engine.step(120)
    content, buffers = pack(engine.snapshot())
    assert sum(map(len, buffers)) < 40_000
    assert len(json.dumps(content, allow_nan=False)) < 16_000
    header, arrays = engine.snapshot().header, engine.snapshot().arrays
    assert arrays["field"].shape == arrays["fine"].shape == (72, 96)
    assert sum(header["trails"]) == len(arrays["trail"])
    assert len(header["trails"]) == len(header["rows"]) == len(arrays["curves"]) == 7 * MOST
    assert np.isfinite(arrays["trail"]).all()
    assert arrays["steps"][[0, -1]].tolist() == [0, 120]


def test_an_ordinary_snapshot_is_quick():
    engine = OptimizerRaceEngine(racers=ALL)
    engine.step(200)
    assert sum(map(len, pack(engine.snapshot())[1])) < 25_000
    engine.snapshot()
    started = time.process_time()
    for _ in range(20):
        pack(engine.snapshot())
    assert (time.process_time() - started) / 20 < 0.02  # it takes less than a millisecond; 20 for a busy machine


@BY_NAME
def test_the_field_has_the_order_of_the_losses(surface):
    engine = OptimizerRaceEngine(surface=surface.name, condition=20, turn=surface.shape.get("turn", 0))
    heights = engine.field + engine.fine / 256
    losses = surface.field().numpy()
    order = np.argsort(losses.flatten())
    assert (np.diff(heights.flatten()[order]) >= 0).all()
    assert (heights.min() < 20, heights.max()) == (True, 254)


def test_places_without_a_loss_are_missing_in_the_field():
    engine = OptimizerRaceEngine(surface=lambda x, y: (x - y.log()) ** 2 + y)
    assert (engine.field[:36] == 255).all()
    assert (engine.field[36:] < 255).all()
    flat = OptimizerRaceEngine(surface=lambda x, y: 0 * x * y)
    flat.step(3)
    assert (flat.field == 0).all()
    assert flat.rows()[0]["distance"] is None
    assert "nearest minimum" not in flat.describe()


def test_a_long_trail_shows_both_sides_of_who_jumps_to_and_fro(monkeypatch):
    monkeypatch.setattr(engine_module, "POINTS", 130)  # of 251: every second one, if two were odd
    engine = OptimizerRaceEngine(racers=("sgd",), lr=0.1, starts=[(0, 1.5)])  # the limit: 1.5, -1.5, 1.5 ...
    engine.step(250)
    (count,) = engine.snapshot().header["trails"]
    heights = engine.snapshot().arrays["trail"][:, 1]
    assert count == 85
    assert (heights[:-1].round(3)[::2] == 1.5).all()
    assert (heights[:-1].round(3)[1::2] == -1.5).all()


def test_a_trail_is_where_the_racer_was_and_ends_where_it_is():
    engine = OptimizerRaceEngine(racers=("momentum",))
    engine.step(40)
    engine.back(15)
    trail = engine.snapshot().arrays["trail"]
    track = engine.race.track[:26, ALL.index("momentum"), 0].astype(np.float32)
    assert (trail[-1] == track[-1]).all()
    assert all((track == point).all(-1).any() for point in trail)
    assert len(trail) > 20
    curves = engine.snapshot().arrays
    assert curves["steps"].tolist() == list(range(41)), "the curves know what comes"
    assert curves["curves"][0] == pytest.approx(engine.race.losses[:41, ALL.index("momentum"), 0], rel=1e-6)


def test_the_trail_of_who_diverges_ends_with_the_step_that_led_away():
    engine = OptimizerRaceEngine(racers=("sgd",), lr=10)
    engine.step(3)
    assert engine.snapshot().arrays["trail"].tolist() == [[-4, 1.5], [36, -298.5]]
    engine.set(racers=("sgd", "adam"))
    assert engine.snapshot().header["trails"][0] == 2


def test_own_losses_are_drawn_above_their_lowest():
    engine = OptimizerRaceEngine(surface=lambda x, y: x**2 + y**2 - 7, racers=("sgd",), starts=[(2, 0)])
    assert engine.race.surface.minima == ((0.0, 0.0),)
    assert engine.snapshot().header["lowest"] == -7
    assert engine.snapshot().arrays["curves"][0, 0] == pytest.approx(4)
    assert engine.rows()[0]["loss"] == pytest.approx(-3)


def test_the_words_under_an_own_surface_are_its_docstring():
    def egg_box(x, y):
        """An egg
        box."""
        return torch.sin(3 * x) * torch.sin(3 * y)

    engine = OptimizerRaceEngine(surface=egg_box, extent=(-2, 2, -2, 2))
    assert engine.snapshot().header["story"] == "An egg box."
    assert len(engine.race.surface.minima) == 8
    engine.set(surface="bowl")
    engine.set(surface="own")
    assert engine.race.surface.extent == (-2, 2, -2, 2)


# --- shared and printed -----------------------------------------------------------------------------------------------


def shared():
    engine = OptimizerRaceEngine(
        surface="hollows", racers=("adam", "adamw"), noise=0.4, seed=7, starts=[(1, 1), (-2, 2)]
    )
    engine.step(12)
    engine.set(lr=0.2)
    engine.set(weight_decay=1)
    engine.step(9)
    engine.set(factor_adam=0.3)
    engine.step(9)
    engine.back(13)
    return engine


def test_a_string_brings_the_same_race():
    engine = shared()
    again = OptimizerRaceEngine.from_share(engine.share())
    assert np.array_equal(positions(again), positions(engine))
    assert again.values == engine.values
    assert again.share() == engine.share()
    assert again.describe() == engine.describe()
    again.step(20)
    engine.step(20)
    assert np.array_equal(positions(again), positions(engine))
    assert len(engine.share()) < 800


@pytest.mark.parametrize(
    "damage",
    [
        {"values": {}},
        {"values": None},
        {"values": {**shared().values, "racers": ["own"]}},
        {"values": {**shared().values, "surface": "own"}},
        {"values": {**shared().values, "lr": "fast"}},
        {"starts": None},
        {"starts": [[99, 0]]},
        {"starts": [[0, 0]] * 5},
        {"step": 31},
        {"last": 10**9},
        {"last": None},
        {"changes": {}},
        {"changes": [[1]]},
        {"changes": [[1, {}]]},
        {"changes": [[1, {"surface": "bowl"}]]},
        {"changes": [[0, {"lr": 1}]]},
        {"changes": [[99, {"lr": 1}]]},
        {"changes": [[1, {"lr": -1}]]},
        {"changes": [[1, {"lr": 1}]] * 501},
    ],
)
def test_a_damaged_string_is_refused(damage, monkeypatch):
    engine = shared()
    whole = json.loads(json.dumps(engine.state()))
    monkeypatch.setattr(engine, "state", lambda: {**whole, **damage})
    with pytest.raises(ValueError, match=r"damaged|wanted|out of range"):
        OptimizerRaceEngine.from_share(engine.share())


def test_what_a_string_cannot_hold_is_not_shared():
    for own in ({"surface": lambda x, y: x * y}, {"rule": lambda place, gradient, state, step, lr: (place, None)}):
        with pytest.raises(ValueError, match="your own surface or rule"):
            OptimizerRaceEngine(**own).share()


def printed(engine, **given):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(engine.to_code(), {"__name__": "program", **given})
    return told.getvalue()


@pytest.mark.parametrize("surface", surfaces.NAMES)
def test_the_printed_program_comes_to_the_same_places_to_the_bit(surface):
    engine = OptimizerRaceEngine(surface=surface, racers=ALL, noise=0.3, turn=20, factor_adam=0.5)
    engine.drop(0.5, 1)
    engine.step(13)
    engine.set(lr=0.02, momentum=0.5)
    engine.step(8)
    engine.set(noise=0, beta2=0.95)
    engine.step(8)
    engine.back(2)
    lines = printed(engine).splitlines()
    assert len(lines) == len(ALL)
    for line, name in zip(lines, ALL, strict=True):
        said, place, loss = re.fullmatch(r"(.*): (\[\[.*\]\]) loss (\[.*\])", line).groups()
        assert said == RACERS[name].name
        assert json.loads(place) == engine.race.now.places[name].tolist()
        assert json.loads(loss) == pytest.approx(engine.race.losses[27, ALL.index(name)].tolist(), rel=1e-12)


def test_the_printed_program_of_a_plain_race_is_short():
    engine = OptimizerRaceEngine(racers=("sgd",))
    engine.step(60)
    code = engine.to_code()
    assert "noise" not in code
    assert "for step in range(1, 61):\n    place, _ = optim.sgd(place, gradient(place), None, lr=0.05)\n" in code
    assert max(map(len, code.splitlines())) <= 130
    assert "place = starts\nprint" in OptimizerRaceEngine(racers=("sgd",)).to_code()


def test_the_printed_program_takes_the_learners_own():
    def surface(x, y):
        return torch.exp(0.3 * x) + y**2

    def rule(place, gradient, state, step, lr):
        state = (state or 0) + 1
        return place - lr * gradient / state, state

    engine = OptimizerRaceEngine(surface=surface, rule=rule, racers=("own", "adam"), starts=[(1, 1), (0, 2)])
    engine.step(10)
    engine.set(lr=0.5)
    engine.step(10)
    lines = printed(engine, surface=surface, rule=rule).splitlines()
    for line, name in zip(lines, ("adam", "own"), strict=True):
        assert json.loads(re.search(r"\[\[.*\]\]", line)[0]) == engine.race.now.places[name].tolist()


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.5, "racers": ALL},
        {"surface": lambda x, y: (x - y.log()) ** 2 + y, "starts": [(0, 1), (1, 2)]},
        {"surface": lambda x, y: 0 * x * y},
        {"rule": lambda place, gradient, state, step, lr: (place * torch.nan, None)},
    ],
)
@pytest.mark.parametrize("steps", [0, 30])
def test_the_still_picture(settings, steps):
    engine = OptimizerRaceEngine(**settings)
    engine.step(steps)
    still = picture(engine)
    assert still.png.startswith(b"\x89PNG")
    assert engine.snapshot().header["say"] in still.alt
    assert still.caption == engine.describe()


def test_a_leap_over_the_whole_picture_is_not_drawn():
    way = np.array([[0, 0], [0, 9], [0, -9], [1, 0], [1, 9.0]])
    drawn = seen(way, [-5, 5, -4, 4])
    assert np.isnan(drawn).all(1).tolist() == [False, False, True, False, False, False]
    assert (drawn[~np.isnan(drawn).any(1)] == way).all()


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_view_has_the_pictures_colours_and_they_stay_apart():
    found = evaluate(
        'import { look } from "./dlcourse/widgets/optimizer_race/looks.js";',
        "[false, true].map((dark) => given.map((id) => look(id, { dark })))",
        list(LOOKS),
    )
    light, dark = ([each["colour"] for each in looks] for looks in found)
    assert [colour.lower() for colour in light] == [colour.lower() for colour, *_ in LOOKS.values()]
    shapes = {"o": "circle", "^": "up", "v": "down", "s": "square", "D": "diamond", "P": "plus", "*": "star"}
    assert [each["shape"] for each in found[0]] == [shapes[marker] for _, marker, _ in LOOKS.values()]
    assert len({tuple(each["dash"]) for each in found[0]}) >= 6
    for colours, panel in ((light, PANEL), (dark, "#1B1D21")):
        assert min(contrast(colour, panel) for colour in colours) >= 3
        for sight in MACHADO:
            assert nearest(colours[:6], sight) > 15
            assert nearest(colours, sight) > 11
    assert set(LOOKS) == {*RACERS, "own"}
    assert {"factor_" + name for name in RACERS} < LIVE
