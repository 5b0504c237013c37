"""The GAN lab's engine: it plays the game of `generation.gan_steps`, and every step can be had again, to the bit."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse import data, generation, generator, models
from dlcourse.plot.draw import grid
from dlcourse.widgets.gan_lab_2d import frame, target, words
from dlcourse.widgets.gan_lab_2d.engine import PARAMS, GANLab2DEngine
from dlcourse.widgets.gan_lab_2d.history import COLUMNS, MOST
from dlcourse.widgets.gan_lab_2d.picture import picture
from dlcourse.widgets.gan_lab_2d.presets import PRESETS
from dlcourse.widgets.gan_lab_2d.question import MODES, PLACES, Question
from dlcourse.widgets.gan_lab_2d.run import LIVE, LOSSES, Run
from dlcourse.widgets.runner import Manual
from dlcourse.widgets.snapshot import LIMIT, Snapshot, pack

QUICK = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
SMALL = {"width": 6, "batch_size": 8}


def small(**values):
    return GANLab2DEngine(**(SMALL | values))


def flat(value, path=""):
    """Everything in nested state, by its path."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}/{key}").items()}
    if isinstance(value, (list, tuple)):
        return {k: v for key, item in enumerate(value) for k, v in flat(item, f"{path}/{key}").items()}
    return {path: value.clone() if isinstance(value, torch.Tensor) else value}


def everything(run):
    """All that the next step depends on, and what a view shows of it."""
    parts = {name: getattr(run, name).state_dict() for name in ("g_model", "d_model", "g_optimizer", "d_optimizer")}
    plain = {name: getattr(run, name) for name in ("at", "counts", "placed", "due", "last_move", "diverged", "drawn")}
    held = {"source": run.source.get_state(), "values": run.values, "places": run.target.places, "seen": run.measured()}
    return flat(parts | plain | held)


def differing(first, second):
    """The paths where two states are not equal to the bit."""
    assert first.keys() == second.keys()
    return [path for path in first if not identical(first[path], second[path])]


def identical(a, b):
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b or (a != a and b != b)


def eventful(**values):
    """A game of 40 updates with a change of every kind on the way."""
    engine = small(**({"data": "drawn", "points": [[1, 1], [0, -1.5]]} | values))
    engine.step(7)
    engine.set(loss="hinge", d_steps=3)
    engine.step(2)
    engine.step_g()
    engine.step_g()
    engine.set(penalty="gradient_penalty", strength=2.0)
    engine.step(6)
    engine.add_points([[-1, 1.25], [2, 2]])
    engine.step_d()
    engine.step_d()
    engine.set(g_lr=0.01, beta1=0.0)
    engine.step(9)
    engine.undo_points()
    engine.step(6)
    engine.set(loss="wasserstein", batch_size=11, d_lr=0.002)
    engine.step_g()
    engine.step(40 - engine.run.at)
    return engine


# ---------------------------------------------------------------------------------------------------- the game


@pytest.mark.parametrize("penalty", ["none", "R1", "gradient_penalty"])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_rounds_are_those_of_gan_steps_to_the_bit(loss, penalty):
    engine = small(loss=loss, penalty=penalty, strength=0.7, d_steps=2, seed=5)
    engine.step(12)
    source = generator(5)
    g_model = models.gan_generator((2,), latent=2, hidden=(6, 6, 6), generator=source)
    d_model = models.gan_discriminator((2,), hidden=(6, 6, 6), generator=source)
    g_optimizer, d_optimizer = (
        torch.optim.Adam(model.parameters(), lr=0.001, betas=(0.5, 0.9)) for model in (g_model, d_model)
    )
    places = data.eight_gaussians(8, noise=0.0, generator=generator(0))[0]

    def draw_real(n):
        chosen = torch.randint(8, (n,), generator=source, device="cpu")
        return places[chosen] + 0.1 * torch.randn(n, 2, generator=source, device="cpu")

    terms = {
        "none": None,
        "R1": generation.R1(gamma=0.7),
        "gradient_penalty": generation.GradientPenalty(weight=0.7),
    }
    rule = {
        "non_saturating": generation.NON_SATURATING,
        "minimax": generation.MINIMAX,
        "least_squares": generation.LEAST_SQUARES,
        "hinge": generation.HINGE,
        "wasserstein": generation.WASSERSTEIN,
    }[loss]
    options = {"latent": 2, "steps": 4, "batch": 8, "d_steps": 2, "penalty": terms[penalty], "generator": source}
    steps = list(generation.gan_steps(g_model, d_model, draw_real, rule, g_optimizer, d_optimizer, **options))
    assert len(steps) == 12
    for ours, theirs in ((engine.run.g_model, g_model), (engine.run.d_model, d_model)):
        assert differing(flat(ours.state_dict()), flat(theirs.state_dict())) == []


def test_a_round_is_so_many_updates_of_d_and_one_of_g():
    engine = small(d_steps=3)
    turns = []
    for _ in range(8):
        turns.append(engine.run.due)
        engine.step()
    assert "".join(turns) == "DDDGDDDG"
    assert engine.run.counts == (6, 2)


def test_either_network_may_move_out_of_turn_and_only_it_moves():
    engine = small(d_steps=2)
    for kind, model, other in (("g", "g_model", "d_model"), ("d", "d_model", "g_model")):
        before = {name: flat(getattr(engine.run, name).state_dict()) for name in (model, other)}
        getattr(engine, f"step_{kind}")()
        assert engine.run.last_move == kind.upper()
        assert differing(before[model], flat(getattr(engine.run, model).state_dict())) != []
        assert differing(before[other], flat(getattr(engine.run, other).state_dict())) == []
    assert engine.run.counts == (1, 1)
    assert engine.run.due == "D"  # one of two is done
    engine.step_d()
    engine.step_d()  # one more than asked for: then G is due
    assert (engine.run.counts, engine.run.due) == ((3, 1), "G")


def test_a_round_goes_on_to_its_end():
    engine = small(d_steps=3)
    engine.step()
    engine.round()
    assert (engine.run.counts, engine.run.due) == ((3, 1), "D")
    engine.round()
    assert engine.run.counts == (6, 2)


def test_nothing_touches_the_global_random_stream():
    before = torch.random.get_rng_state()
    engine = eventful()
    engine.snapshot()
    engine.back(3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_seed_decides_and_only_the_seed():
    one, two, other = small(seed=3), small(seed=3), small(seed=4)
    for engine in (one, two, other):
        engine.step(4)
    assert differing(everything(one.run), everything(two.run)) == []
    assert differing(everything(one.run), everything(other.run)) != []


# ---------------------------------------------------------------------------------------------------- the target


@pytest.mark.parametrize("name", list(target.PLACES))
def test_a_target_is_what_its_line_says(name):
    places = target.target({"data": name, "noise": 0.1}).places
    scope = {"torch": torch, "data": data, "generator": generator}
    with torch.device("cpu"):
        said = eval(target.PLACES[name], scope)
    assert torch.equal(places, said)
    assert places.shape[1] == 2
    assert places.dtype == torch.float32
    assert places.abs().max() <= 3


def test_modes_are_counted_where_there_are_some():
    assert [name for name in target.PLACES if target.target({"data": name, "noise": 0.1}).modes] == [
        "eight_gaussians",
        "grid",
        "point",
    ]
    assert len(target.target({"data": "grid", "noise": 0.1}).places) == 25


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_real_points_lie_around_their_places(noise):
    made = target.target({"data": "eight_gaussians", "noise": noise})
    points = made.draw(4000, generator(1))
    away, nearest = torch.cdist(points, made.places).min(dim=1)
    if noise <= 0.1:
        assert torch.bincount(nearest, minlength=8).min() > 400
        assert away.square().mean().sqrt().item() == pytest.approx(noise * math.sqrt(2), rel=0.05, abs=1e-3)
        assert (away <= made.radius).float().mean() > 0.98
    assert made.radius == pytest.approx(3 * max(noise, 0.02))


def test_drawn_points_are_the_target():
    engine = small(points=[[1, 1], [-1, 0.5]])
    assert engine.values["data"] == "drawn"
    assert engine.run.target.places.tolist() == [[1, 1], [-1, 0.5]]
    engine.step(4)
    engine.add_points([[2, 2]])
    assert engine.run.at == 4, "the game goes on about another target"
    assert len(engine.run.target.places) == 3
    engine.undo_points()
    assert len(engine.run.target.places) == 2
    engine.clear_points()
    assert not engine.running
    assert "no real point yet" in engine.snapshot().header["notice"]
    engine.step(3)
    assert engine.run.at == 4
    engine.add_points([[0, 0]])
    engine.step()
    assert engine.run.at == 5


def test_a_stroke_beside_another_target_begins_a_game_about_itself():
    engine = small()
    engine.step(5)
    engine.add_points([[0.5, 0.5]])
    assert (engine.values["data"], engine.run.at, engine.run.history.last) == ("drawn", 0, 0)
    engine.set(data="ring")
    assert engine.run.drawn == ()


@pytest.mark.parametrize(
    "points", [[], [[1]], [[1, 2, 3]], [[4, 0]], [[math.nan, 0]], [["1", 0]], [[True, 0]], "ab", None, [[0, 0]] * 501]
)
def test_points_that_do_not_fit_are_refused(points):
    engine = small()
    before = everything(engine.run)
    with pytest.raises(ValueError, match="wanted"):
        engine.add_points(points)
    assert differing(before, everything(engine.run)) == []


def test_at_most_500_points_are_drawn():
    engine = small(points=[[0, 0]] * 300)
    with pytest.raises(ValueError, match="at most 500"):
        engine.add_points([[1, 1]] * 201)
    assert len(engine.run.target.places) == 300


# ---------------------------------------------------------------------------------------------------- back in time


def test_every_step_can_be_had_again_to_the_bit():
    engine = eventful()
    seen = {}
    for step in range(41):
        engine.scrub(step)
        seen[step] = everything(engine.run)
    for step in (40, 0, 17, 16, 33, 9, 25):
        engine.scrub(step)
        assert differing(seen[step], everything(engine.run)) == [], step
    assert engine.run.history.last == 40


@pytest.mark.parametrize("stride", [4, 64])
def test_with_few_records_the_same(stride):
    engine, plain = eventful(), eventful()
    history = engine.run.history
    history.stride = stride
    history.records = {step: record for step, record in history.records.items() if step % stride == 0}
    for step in (39, 3, 22, 21, 40):
        engine.scrub(step)
        plain.scrub(step)
        assert differing(everything(plain.run), everything(engine.run)) == [], step


def test_going_on_unchanged_keeps_what_came_later_and_a_change_drops_it():
    engine = eventful()
    engine.scrub(20)
    engine.step(3)
    assert engine.run.history.last == 40
    engine.step_g()
    engine.scrub(10)
    due = engine.run.due
    (engine.step_d if due == "D" else engine.step_g)()  # as it was: no change
    assert engine.run.history.last > 11
    (engine.step_d if engine.run.due == "G" else engine.step_g)()
    assert engine.run.history.last == 12


def test_the_settings_come_back_with_the_step():
    engine = eventful()
    engine.scrub(5)
    assert (engine.values["loss"], engine.values["d_steps"]) == ("non_saturating", 1)
    assert engine.run.g_optimizer.param_groups[0]["lr"] == 0.001
    engine.scrub(40)
    assert (engine.values["loss"], engine.values["g_lr"], engine.values["batch_size"]) == ("wasserstein", 0.01, 11)
    assert engine.run.g_optimizer.param_groups[0]["betas"] == (0.0, 0.9)
    assert engine.run.d_optimizer.param_groups[0]["lr"] == 0.002


def test_back_stops_at_the_beginning_and_scrub_refuses_the_unknown():
    engine = small()
    engine.step(5)
    engine.back(3)
    assert engine.run.at == 2
    engine.back(99)
    assert engine.run.at == 0
    with pytest.raises(ValueError, match="whole number from 0 to 5"):
        engine.scrub(6)


def test_the_history_stays_small_and_reaches_everywhere():
    engine = small()
    engine.step(MOST + 60)
    assert len(engine.run.history.records) <= MOST
    engine.scrub(MOST + 3)
    assert engine.run.at == MOST + 3
    curve = engine.snapshot().arrays["curve"]
    assert curve[-1, 0] == MOST + 60, "the curve ends at the last step reached"
    assert curve.shape[1] == len(COLUMNS)


@pytest.mark.parametrize("name", sorted(LIVE))
def test_a_live_setting_keeps_the_game(name):
    engine = small()
    engine.step(3)
    weights = flat(engine.run.g_model.state_dict())
    other = {"loss": "hinge", "penalty": "none", "strength": 3.0, "d_steps": 4, "batch_size": 20, "beta1": 0.0}
    engine.set(**{name: other.get(name, 0.02)})
    assert engine.run.at == 3
    assert differing(weights, flat(engine.run.g_model.state_dict())) == []


@pytest.mark.parametrize(
    ("name", "value"), [("data", "ring"), ("noise", 0.3), ("latent", 3), ("width", 9), ("seed", 1)]
)
def test_a_setting_of_another_kind_begins_anew(name, value):
    engine = small()
    engine.step(3)
    engine.set(**{name: value})
    assert (engine.run.at, engine.run.history.last) == (0, 0)


def test_reset_is_the_run_that_begins_with_the_present_settings():
    engine = small()
    engine.step(5)
    engine.set(loss="hinge")
    engine.step(5)
    engine.reset()
    assert differing(everything(engine.run), everything(small(loss="hinge").run)) == []


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("step", {"n": -1}),
        ("step", {"n": 1.5}),
        ("back", {"n": 0}),
        ("scrub", {"step": 1}),
        ("guess", {"option": 0}),
        ("preset", {"game": "bliss"}),
        ("recover", {}),
        ("set", {"loss": "cosine"}),
        ("set", {"strength": 0}),
        ("set", {"d_steps": 0}),
        ("set", {"temper": 1}),
    ],
)
def test_a_wrong_argument_is_refused_and_changes_nothing(call, arguments):
    engine = small()
    before = everything(engine.run)
    with pytest.raises(ValueError):  # noqa: PT011 (each says something else)
        getattr(engine, call)(**arguments)
    assert differing(before, everything(engine.run)) == []


# ---------------------------------------------------------------------------------------------------- it fails


def test_a_game_that_blows_up_stops_says_what_to_do_and_goes_on_when_mended():
    engine = small(loss="least_squares", penalty="gradient_penalty", strength=100.0, g_lr=0.1, d_lr=0.1, beta1=0.0)
    engine.step(3)
    with torch.no_grad():
        engine.run.d_model[1].weight.fill_(1e30)
    engine.step(5)
    at = engine.run.at
    assert engine.run.diverged == at == 3, "the update was not made"
    assert not engine.running
    header = engine.snapshot().header
    assert "stopped being a finite number" in header["notice"]
    assert json.dumps(header, allow_nan=False)
    assert "Go back" in engine.describe()
    engine.scrub(2)
    assert engine.running
    engine.set(d_lr=0.001)
    engine.step(4)
    assert engine.run.at == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PRESETS))
def test_each_preset_does_what_it_says_and_is_mended(name):
    engine, preset = GANLab2DEngine(), PRESETS[name]
    engine.preset(name)
    start = time.process_time()
    engine.step(preset.steps)
    spent = time.process_time() - start
    bad = engine.run.measured()
    said = " ".join(words.health(engine.run, bad))
    print(f"{name}: {bad}, {said or 'nothing wrong'}, {spent:.1f} s")
    assert preset.sign in said
    assert engine.run.running
    if not preset.remedy:
        assert (bad.reached, said) == (1, "")
        return
    assert said
    engine.recover()
    assert engine.snapshot().header["preset"]["recovered"]
    engine.step(preset.cure)
    good = engine.run.measured()
    print(f"  after the remedy: {good}, {words.health(engine.run, good) or 'nothing wrong'}")
    assert words.health(engine.run, good) == []
    assert good.reached == 1


def test_a_preset_sets_everything_and_recover_only_what_mends():
    engine = small(noise=0.4)
    engine.preset("d_wins")
    changed = PRESETS["d_wins"].settings
    assert engine.values == {name: param.default for name, param in PARAMS.items()} | changed
    assert engine.snapshot().header["preset"]["recovered"] is False
    engine.step(2)
    engine.recover()
    assert engine.run.at == 2, "as it runs"
    assert engine.values == {name: param.default for name, param in PARAMS.items()} | changed | PRESETS["d_wins"].remedy
    engine.back()
    assert engine.snapshot().header["preset"]["recovered"] is False
    engine.set(seed=7)
    assert engine.snapshot().header["preset"] is None


def test_healthy_needs_no_remedy():
    engine = small()
    engine.preset("healthy")
    engine.recover()
    assert engine.snapshot().header["preset"]["remedy"] is False


def told(run, **numbers):
    """What is said of a state with these numbers."""
    return words.health(run, run.measured()._replace(**numbers))


def test_what_goes_wrong_is_told_by_its_numbers():
    engine = small()
    engine.step(20)
    run = engine.run
    run.counts = (100, 100)
    assert told(run, reached=1.0, right=0.6, push=0.5) == []
    assert told(run, reached=1.0, right=0.99, push=0.5) == ["D wins: it tells 99 % of the points apart."]
    (faded,) = told(run, reached=1.0, right=0.6, push=0.001)
    assert faded.startswith("The pushes have faded: the median generated point feels 0.001")
    (missing,) = told(run, reached=0.25, right=0.6, push=0.5)
    assert missing.startswith("Modes are missing: G covers 2 of 8")
    run.counts = (99, 99)
    assert told(run, reached=0.0, right=1.0, push=0.0) == [], "too early to say"


def test_going_round_is_told_from_shivering_and_from_travelling():
    engine = small(data="point")
    engine.step(45)
    run = engine.run
    run.counts = (100, 100)
    places = {
        "round": lambda i: (math.cos(i / 3), math.sin(i / 3)),
        "shiver": lambda i: (0.1 * (-1) ** i, 0.0),
        "travel": lambda i: (0.1 * i, 0.0),
    }
    said = {}
    for name, place in places.items():
        for index, (step, record) in enumerate(run.history.records.items()):
            x, y = place(index)
            object.__setattr__(record, "measured", record.measured._replace(mean_x=x, mean_y=y))
            assert step == record.step
        said[name] = told(run, reached=1.0, right=0.6, push=0.5)
    assert [len(each) for each in said.values()] == [1, 0, 0]
    assert said["round"][0].startswith("The game goes round: since step 6 ")


# ---------------------------------------------------------------------------------------------------- what is seen


def test_a_snapshot_has_what_it_promises():
    engine = small()
    engine.step(4)
    engine.fork()
    shown = engine.snapshot()
    shapes = {name: tuple(array.shape) for name, array in shown.arrays.items()}
    assert shapes == {
        "field": (40, 40),
        "real": (300, 2),
        "fake": (400, 2),
        "manifold": (21, 21, 2),
        "arrows": (48, 4),
        "modes": (8, 3),
        "drawn": (0, 2),
        "curve": (5, 11),
        "kept_fake": (400, 2),
        "kept_real": (300, 2),
        "kept_curve": (5, 11),
    }
    assert shown.header["run"] == {"step": 4, "first": 0, "last": 4, "running": True}
    assert shown.header["counts"] == {"D": 2, "G": 2}
    json.dumps(shown.header, allow_nan=False)


@pytest.mark.parametrize("settings_", [{}, {"latent": 1}, {"latent": 5}, {"data": "drawn"}, {"data": "moons"}])
def test_every_state_can_be_shown(settings_):
    engine = small(**settings_)
    engine.step(3)
    content, buffers = pack(engine.snapshot())
    json.dumps(content, allow_nan=False)
    assert sum(map(len, buffers)) < LIMIT
    assert engine.describe()
    assert picture(engine).png.startswith(b"\x89PNG")


@pytest.mark.parametrize("loss", list(LOSSES))
def test_the_field_is_what_d_says(loss, close):
    engine = small(loss=loss)
    engine.step(6)
    run = engine.run
    shown = torch.from_numpy(engine.snapshot().arrays["field"]).float() / 254
    with torch.no_grad():
        logits = run.d_model(grid(target.EXTENT, 40)).reshape(40, 40)
        means = run.d_model(run.real).mean(), run.d_model(run.g_model(run.z)).mean()
    wanted = {
        "least_squares": lambda: logits.clamp(0, 1),
        "hinge": lambda: (logits.clamp(-1, 1) + 1) / 2,
        "wasserstein": lambda: 1 / (1 + (-4 * (logits - sum(means) / 2) / (means[0] - means[1]).abs()).exp()),
    }.get(loss, lambda: 1 / (1 + (-logits).exp()))()
    assert (shown - wanted).abs().max() <= 0.5 / 254 + 1e-4
    assert shown.std() > 0


@pytest.mark.parametrize("loss", list(LOSSES))
def test_arrows_point_where_g_loss_falls(loss):
    """Against finite differences of each point's own share of the loss."""
    engine = small(loss=loss, penalty="none")
    engine.step(10)
    run = engine.run
    place = run.generated(run.z[:5]).double()
    d_model = run.d_model.double()
    step = 1e-6
    slopes = torch.zeros(5, 2, dtype=torch.float64, device="cpu")
    with torch.no_grad():
        for row in range(5):
            for axis in range(2):
                ends = []
                for sign in (1, -1):
                    moved = place[row : row + 1].clone()
                    moved[0, axis] += sign * step
                    ends.append(run.rule.generator(d_model(moved)))
                slopes[row, axis] = (ends[0] - ends[1]) / (2 * step)
    d_model.float()
    push = run.push(place.float()).double()
    assert torch.allclose(push, -slopes, rtol=1e-3, atol=1e-5)
    run.saved_measured = None
    run.measured()
    arrows, seen = frame.arrows(run), run.seen.push[:48]
    drawn = arrows[:, 2:] - arrows[:, :2]
    assert torch.allclose(drawn, 0.8 * seen / (1 + seen.norm(dim=1, keepdim=True)), atol=1e-5)


def test_the_arrows_fade_with_minimax_where_d_is_sure_and_not_with_the_other_loss():
    pushes = {}
    for loss in ("minimax", "non_saturating"):
        engine = small(loss=loss)
        engine.step(2)
        with torch.no_grad():
            last = engine.run.d_model[-2]
            last.bias -= 12  # D is sure that all is generated
        pushes[loss] = engine.run.push(engine.run.generated(engine.run.z)).norm(dim=1).median().item()
    assert pushes["minimax"] < 1e-4 < 0.02 < pushes["non_saturating"]


def test_the_manifold_is_the_image_of_the_latent_grid():
    engine = small(latent=3)
    engine.step(3)
    shown = engine.snapshot().arrays["manifold"]
    along = torch.special.ndtri(torch.linspace(0.02, 0.98, 21, device="cpu"))
    z = torch.tensor([[along[4], along[17], 0.0]], device="cpu")
    assert torch.allclose(shown[4, 17], engine.run.generated(z)[0], atol=1e-6)


def test_what_is_measured_is_what_it_is_called(close):
    engine = small(width=16)
    engine.step(30)
    run, seen = engine.run, engine.run.measured()
    with torch.no_grad():
        fake = run.g_model(run.z)
        real_logits, fake_logits = run.d_model(run.real), run.d_model(fake)
    loss = torch.nn.functional.softplus
    assert seen.d_loss == pytest.approx((loss(-real_logits).mean() + loss(fake_logits).mean()).item(), rel=1e-5)
    assert seen.g_loss == pytest.approx(loss(-fake_logits).mean().item(), rel=1e-5)
    assert (seen.real_logit, seen.fake_logit) == pytest.approx((real_logits.mean().item(), fake_logits.mean().item()))
    right = (real_logits > 0).sum() + (fake_logits < 0).sum()
    assert seen.right == pytest.approx(right.item() / 800)
    found = generation.mode_coverage(fake, run.target.places, radius=0.3)
    assert (seen.reached, seen.quality) == (found.covered / 8, found.high_quality)
    assert (seen.mean_x, seen.mean_y) == pytest.approx(tuple(fake.mean(dim=0).tolist()))


def test_a_curve_is_reached_where_a_generated_point_is_near():
    engine = small(data="ring", noise=0.1)
    run = engine.run

    class Half(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(1, device="cpu"))

        def forward(self, z):
            turn = math.pi * torch.special.ndtr(z[:, 0])
            return 2 * torch.stack([turn.cos(), turn.sin()], dim=1) + self.nothing

    run.g_model, run.saved_measured = Half(), None
    measured = run.measured()
    assert 0.5 < measured.reached < 0.65
    assert measured.quality == 1
    assert "of the target reached" in words.cover(run, measured)


def test_snapshots_are_cheap():
    engine = GANLab2DEngine()
    engine.step(6)
    engine.snapshot()
    spent = []
    with_one_thread = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(20):
        engine.run.saved_measured = None
        start = time.process_time()
        engine.snapshot()
        spent.append(time.process_time() - start)
    torch.set_num_threads(with_one_thread)
    assert min(spent) < 0.03  # 2.7 ms on a quiet machine, without the checks of every call that tests run under
    assert sum(map(len, pack(engine.snapshot())[1])) < 32_000


def test_the_description_states_the_facts():
    engine = small(d_steps=2)
    engine.step(4)
    text = engine.describe()
    for fact in (
        "Step 4 of a game about eight Gaussians",
        "3 updates of D and 1 of G, next is D",
        "R1 0.1",
        "2 updates of D",
    ):
        assert fact in text
    engine.fork()
    engine.step()
    assert "Kept as A: step 5" in engine.describe(), "it follows"
    assert engine.describe() in (picture(engine).caption or "")
    assert "Step 5" in picture(engine).alt


def test_the_picture_and_the_view_have_the_same_colours():
    alt, view = picture(small()).alt, (Path(frame.__file__).parent / "arena.js").read_text(encoding="utf-8")
    assert "real points as blue circles and generated ones as vermilion triangles" in alt
    assert "● real, ▲ generated. Field: blue is taken for real, orange for generated" in view


# ---------------------------------------------------------------------------------------------------- A, B, questions


def test_a_kept_run_stays_as_it_is_and_follows():
    engine = small()
    engine.step(6)
    engine.fork()
    before = everything(engine.kept)
    engine.set(loss="wasserstein")
    assert differing(before, everything(engine.kept)) == []
    engine.step(5)
    assert (engine.kept.at, engine.run.at) == (11, 11)
    plain = small()
    plain.step(11)
    assert differing(everything(plain.run), everything(engine.kept)) == []
    engine.unfork()
    assert engine.snapshot().header["kept"] is None


def test_a_question_hides_everything_until_it_is_answered():
    engine = small()
    engine.step(4)
    engine.ask(6)
    asked = engine.snapshot()
    assert asked.header["prediction"]["text"].startswith("After 6 more updates, how much of the 8 modes")
    assert not engine.running
    for call in (engine.step, engine.step_d, engine.step_g, engine.round):
        call()
    assert engine.run.at == 4, "first a guess"
    with pytest.raises(ValueError, match="question is open"):
        engine.fork()
    engine.guess(0)
    assert Manual().advance(engine, 3) == 3
    hidden = engine.snapshot()
    assert all(
        identical(torch.as_tensor(hidden.arrays[name]), torch.as_tensor(asked.arrays[name])) for name in asked.arrays
    )
    assert hidden.header["measured"] == asked.header["measured"]
    assert "answer comes at step 10" in hidden.header["say"]
    assert "reached" not in engine.describe()
    Manual().advance(engine, 50)
    assert engine.run.at == 10, "play pauses where the answer is"
    prediction = engine.snapshot().header["prediction"]
    assert prediction["state"] == "revealed"
    assert prediction["right"] is (prediction["answer"] == 0)
    assert prediction["asked_count"] == 1
    assert "Answer to the question" in engine.describe()


@pytest.mark.parametrize(
    "act",
    [
        lambda engine: engine.set(loss="hinge"),
        lambda engine: engine.back(),
        lambda engine: engine.reset(),
        lambda engine: engine.preset("healthy"),
        lambda engine: engine.add_points([[0, 0]]),
        lambda engine: engine.forget(),
    ],
)
def test_a_change_drops_the_question(act):
    engine = small()
    engine.step(3)
    engine.ask(5)
    act(engine)
    assert engine.question is None


@pytest.mark.parametrize(
    ("modes", "reached", "answer"),
    [(8, 0.5, 0), (8, 0.625, 1), (8, 1.0, 2), (1, 0.0, 0), (1, 1.0, 2), (0, 0.49, 0), (0, 0.5, 1), (0, 0.95, 2)],
)
def test_each_answer_has_its_option(modes, reached, answer):
    at = {"asked_at": 0, "steps": 5, "answered_at": 5}
    question = Question(**at, modes=modes, frozen=Snapshot({}), guess=1, reached=reached)
    assert question.answer == answer
    assert question.options == (MODES if modes else PLACES)
    assert question.right is (answer == 1)


def test_a_run_that_ends_before_its_question_is_no_answer():
    engine = small()
    engine.step(2)
    engine.ask(50)
    engine.guess(1)
    with torch.no_grad():
        engine.run.d_model[1].weight.fill_(math.inf)
    engine.step(50)
    prediction = engine.snapshot().header["prediction"]
    assert (prediction["state"], prediction["right"], prediction["asked_count"]) == ("revealed", None, 0)


# ---------------------------------------------------------------------------------------------------- code and share


def ran(code, **scope):
    """What a program prints, run in a process of its own when it needs nothing of ours."""
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True).stdout
    return [float(line.split()[-1]) for line in out.splitlines()]


@pytest.mark.parametrize("make", [eventful, lambda: played(small(data="moons", d_steps=2), 7)])
def test_the_program_plays_the_same_game(make):
    engine = make()
    code = engine.to_code()
    assert "widgets" not in code
    measured = engine.run.measured()
    assert ran(code) == [measured.d_loss, measured.g_loss]


def played(engine, steps):
    engine.step(steps)
    return engine


def test_the_program_tells_the_story_in_rounds():
    engine = small(d_steps=2)
    engine.step(13)
    engine.set(penalty="none")
    engine.step_g()
    engine.step(7)
    story = engine.to_code().partition("# The game\n")[2].partition("\n\n")[0].splitlines()
    assert story == ["rounds(4)", "d_move()", "penalty = None", "g_move()", "rounds(2)", "d_move()"]
    engine.scrub(6)
    assert "rounds(2)" in engine.to_code()
    assert "g_move()" not in engine.to_code()


def test_a_shared_game_is_the_same_game():
    engine = eventful()
    engine.fork()
    engine.back(7)
    again = GANLab2DEngine.from_share(engine.share())
    assert differing(everything(engine.run), everything(again.run)) == []
    assert differing(everything(engine.kept), everything(again.kept)) == []
    again.scrub(40)
    engine.scrub(40)
    assert differing(everything(engine.run), everything(again.run)) == []
    engine.preset("collapse")
    assert GANLab2DEngine.from_share(engine.share()).chosen == "collapse"


@pytest.fixture(scope="module")
def whole():
    """What an eventful game shares, as JSON: played once, damaged in many ways."""
    return json.dumps(eventful().state())


def damaged(whole, change):
    state = json.loads(whole)
    change(state)
    twin = GANLab2DEngine()
    twin.state = lambda: state
    return twin.share()


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(run=None),
        lambda state: state.update(preset="bliss"),
        lambda state: state["run"].update(last=10**9),
        lambda state: state["run"].update(step=99),
        lambda state: state["run"].update(stride=0),
        lambda state: state["run"]["values"].pop("loss"),
        lambda state: state["run"]["values"].update(loss="cosine"),
        lambda state: state["run"]["values"].update(data="ring"),
        lambda state: state["run"].update(changes=[[0, ["turn", "E"]]]),
        lambda state: state["run"].update(changes=[[0, ["set", {"seed": 3}]]]),
        lambda state: state["run"].update(changes=[[0, ["set", {}]]]),
        lambda state: state["run"].update(changes=[[3, ["undo"]], [3, ["undo"]]]),
        lambda state: state["run"].update(changes=[[5, ["undo"]], [3, ["turn", "D"]]]),
        lambda state: state["run"].update(changes=[[0, ["points", [[9, 9]]]]]),
        lambda state: state["run"].update(changes=[[0, ["explode"]]]),
        lambda state: state["run"].update(changes=[7]),
        lambda state: state["run"].update(drawn=[[[0, 0, 0]]]),
        lambda state: state["run"].update(drawn=7),
    ],
)
def test_a_damaged_string_is_refused(whole, change):
    with pytest.raises(ValueError, match=r"damaged|wanted|out of range|not known"):
        GANLab2DEngine.from_share(damaged(whole, change))


def test_too_long_a_game_is_not_shared():
    engine = small()
    engine.run.history.last = 20_001
    with pytest.raises(ValueError, match="at most 20000"):
        engine.share()


@QUICK
@given(
    values=st.fixed_dictionaries(
        {
            "data": st.sampled_from(PARAMS["data"].options[:-1]),
            "loss": st.sampled_from(PARAMS["loss"].options),
            "penalty": st.sampled_from(PARAMS["penalty"].options),
            "d_steps": st.integers(1, 3),
            "latent": st.integers(1, 4),
            "width": st.integers(4, 9),
            "noise": st.floats(0, 0.5),
            "seed": st.integers(0, 9999),
        }
    ),
    moves=st.lists(st.sampled_from(["step", "step_d", "step_g", "round"]), max_size=6),
)
def test_any_settings_work_and_come_back(values, moves):
    engine = GANLab2DEngine(**values, batch_size=8)
    for move in moves:
        getattr(engine, move)()
    pack(engine.snapshot())
    again = GANLab2DEngine.from_share(engine.share())
    assert differing(everything(engine.run), everything(again.run)) == []


# ---------------------------------------------------------------------------------------------------- the learner's own


def networks(**settings_):
    """Own networks; dropout in D draws from torch's global stream."""
    with torch.device("cpu"):
        g_model = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
        layers = [torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Dropout(0.3), torch.nn.Linear(5, 1)]
    return {"g_model": g_model, "d_model": torch.nn.Sequential(*layers, torch.nn.Flatten(0))} | settings_


def test_own_networks_train_in_place_and_go_back_exactly():
    own = networks()
    own["g_model"].eval()
    engine = GANLab2DEngine(**own, batch_size=8)
    start = everything(engine.run)
    weights, stream = flat(own["g_model"].state_dict()), torch.random.get_rng_state()
    engine.step(9)
    assert engine.run.g_model is own["g_model"]
    assert (own["g_model"].training, own["d_model"].training) == (False, True)
    assert torch.equal(stream, torch.random.get_rng_state())
    assert differing(weights, flat(own["g_model"].state_dict())) != []
    ninth = everything(engine.run)
    engine.scrub(4)
    engine.scrub(9)
    assert differing(ninth, everything(engine.run)) == []
    engine.reset()
    assert differing(start, everything(engine.run)) == []
    engine.fork()
    engine.step(3)
    assert engine.kept.g_model is not own["g_model"]
    with pytest.raises(ValueError, match="not your own networks"):
        engine.share()
    assert "g_model is your own" in engine.to_code()


def test_one_own_network_plays_against_ours():
    engine = GANLab2DEngine(d_model=networks()["d_model"], batch_size=8, width=5)
    engine.step(3)
    assert engine.run.counts == (2, 1)
    engine.set(latent=3)
    with pytest.raises(ValueError, match="generator is your own"):
        GANLab2DEngine(g_model=networks()["g_model"]).set(latent=3)


def test_own_points_are_the_target_in_a_picture_of_their_size():
    x = torch.tensor([[100.0, 5.0], [140.0, 5.0], [120.0, 9.0]])
    engine = small(X=x, noise=0.1)
    left, right, bottom, top = engine.snapshot().header["extent"]
    assert right - left == pytest.approx(top - bottom) == pytest.approx(60)
    assert engine.run.target.radius == pytest.approx(0.3 * 10)
    points = engine.run.target.draw(2000, generator(0))
    away = torch.cdist(points, x).amin(dim=1)
    assert away.square().mean().sqrt().item() == pytest.approx(0.1 * 10 * math.sqrt(2), rel=0.1)
    engine.step(2)
    for call in (lambda: engine.add_points([[120, 6]]), lambda: engine.set(data="ring")):
        with pytest.raises(ValueError, match="points are your own"):
            call()
    assert "X: your own points" in engine.to_code()
    engine.preset("d_wins")
    assert engine.run.target.places.shape == (3, 2)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"g_model": 3}, "wanted a torch.nn.Module"),
        ({"g_model": torch.nn.Identity()}, "no parameter"),
        ({"g_model": torch.nn.Linear(2, 3, device="cpu")}, r"wanted latent vectors \(5, 2\) to points"),
        ({"g_model": torch.nn.Linear(3, 2, device="cpu")}, "failed on a batch"),
        ({"d_model": torch.nn.Linear(2, 1, device="cpu")}, r"into \(5, 1\); wanted points \(5, 2\) to one logit"),
        ({"d_model": torch.nn.Linear(2, 1, device="cpu", dtype=torch.float64)}, "float32"),
        ({"X": [[1, 2, 3]]}, r"X\[:, :2\]"),
        ({"X": [[math.nan, 0]]}, "not finite"),
        ({"X": "abc"}, "no table"),
        ({"X": [[0, 0]], "points": [[0, 0]]}, "not both"),
        ({"points": [[0, 0]], "data": "ring"}, "data='drawn'"),
        ({"X": [[0, 0]], "data": "ring"}, "points are your own"),
    ],
)
def test_what_does_not_fit_is_refused(given_, message):
    with pytest.raises(ValueError, match=message):
        GANLab2DEngine(**given_)


def test_a_big_network_has_fewer_records_and_every_step(monkeypatch):
    monkeypatch.setattr("dlcourse.widgets.gan_lab_2d.run.MEMORY", 30_000)
    engine = small()
    assert engine.run.history.most < 30
    engine.step(90)
    assert len(engine.run.history.records) <= engine.run.history.most
    engine.scrub(61)
    assert engine.run.at == 61


def test_a_run_needs_no_engine():
    values = {name: param.default for name, param in PARAMS.items()} | SMALL
    run = Run(values)
    run.step()
    assert run.counts == (1, 0)


def test_no_notebook_is_needed():
    code = "import sys, dlcourse.widgets.gan_lab_2d.engine; assert not {'ipywidgets', 'anywidget'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
