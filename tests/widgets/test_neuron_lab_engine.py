"""The neuron lab's rules are those of `models`, its run can be gone back through, and what it shares comes back."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
import torch

from dlcourse import data, models
from dlcourse.seeding import generator
from dlcourse.widgets.neuron_lab.engine import (
    CORNERS,
    LARGEST,
    LONGEST_RUN,
    NEURON,
    SIDE,
    NeuronLabEngine,
    added,
    problem,
)
from dlcourse.widgets.neuron_lab.picture import arrow, picture
from dlcourse.widgets.snapshot import LIMIT, pack

ZEROS = dict.fromkeys(NEURON, 0.0)
MADE_UP = (*CORNERS, "clouds", "overlap", "moons")


def lab(**values) -> NeuronLabEngine:
    return NeuronLabEngine(**values)


def neuron(engine: NeuronLabEngine) -> list[float]:
    return [*engine.weight.tolist(), engine.bias.item()]


def header(engine: NeuronLabEngine) -> dict:
    return engine.snapshot().header


# The two rules


@pytest.mark.parametrize("name", MADE_UP)
def test_from_zeros_the_perceptron_makes_the_mistakes_of_models(name):
    engine = lab(data=name, **ZEROS)
    steps = models.perceptron_steps(engine.x, engine.labels, epochs=30)
    mistakes = [(step.example, [*step.weight.tolist(), step.bias.item()]) for step in steps if step.mistake]
    assert mistakes
    for example, numbers in mistakes:
        engine.perceptron()
        assert (header(engine)["last_example"], neuron(engine)) == (example, numbers)


@pytest.mark.parametrize("name", MADE_UP)
def test_from_zeros_the_gradient_takes_the_steps_of_models(name):
    engine = lab(data=name, lr=0.7, rule="gradient", **ZEROS)
    for step in models.logistic_steps(engine.x, engine.y, lr=0.7, steps=60):
        assert engine.loss == step.loss
        assert neuron(engine) == [*step.weight.tolist(), step.bias.item()]
        engine.step()


def test_the_gradient_step_is_the_slope_that_autograd_finds():
    engine = lab(data="overlap", weight1=0.4, weight2=-1.3, bias=0.2, lr=0.25)
    weight, bias = engine.weight.clone().requires_grad_(), engine.bias.clone().requires_grad_()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(engine.x @ weight + bias, engine.y)
    slopes = torch.autograd.grad(loss, (weight, bias))
    before = engine.weight, engine.bias
    engine.descend()
    for slope, old, new in zip(slopes, before, (engine.weight, engine.bias), strict=True):
        torch.testing.assert_close(new, old - 0.25 * slope)


def test_the_perceptron_by_hand():
    """Points (2, 1), a no, and (1, 3), a yes; from (1/2, 1/2), 0 the first scores 3/2 and is taken away."""
    engine = lab(X=[[2, 1], [1, 3]], y=[0, 1], weight1=0.5, weight2=0.5)
    assert engine.errors == 1
    engine.perceptron()
    assert neuron(engine) == [-1.5, -0.5, -1.0]
    assert header(engine)["note"].startswith("Point 1, (2, 1), should be a no and scored 1.50: taken from")
    engine.perceptron()  # the second now scores -1.5 - 1.5 - 1 = -4
    assert neuron(engine) == [-0.5, 2.5, 0.0]
    assert "should be a yes and scored -4.00: added" in header(engine)["note"]
    assert header(engine)["selected"]["index"] == 1


def test_the_perceptron_stops_where_a_line_parts_the_points():
    for seed in range(100):
        engine = lab(data="clouds", seed=seed)
        engine.step(200)
        assert (engine.errors, engine.running) == (0, False)
    before = neuron(engine)
    engine.perceptron()
    assert neuron(engine) == before
    assert "stops" in header(engine)["note"]


def test_no_step_of_either_rule_parts_xor():
    engine = lab(data="xor")
    for rule in ("perceptron", "gradient"):
        engine.set(rule=rule)
        engine.step(200)
        assert engine.running
    assert engine.at == 400
    assert engine.best > 0


def test_gradient_descent_on_xor_does_not_move_from_zero():
    engine = lab(data="xor", rule="gradient", **ZEROS)
    assert engine.running
    engine.step()
    assert (engine.at, engine.running) == (0, False)
    assert "rests" in header(engine)["note"]
    assert engine.loss == pytest.approx(math.log(2))
    engine.set(weight1=0.1)
    assert engine.running


@pytest.mark.parametrize("name", MADE_UP)
def test_least_errors_of_any_line(name):
    """What the chapter says of the problems: a line parts "and", "or" and the clouds, and none of the others."""
    x, y = problem(name)
    angles = torch.linspace(0, 2 * math.pi, 181, device="cpu")
    along = x @ torch.stack([angles.cos(), angles.sin()])  # (points, lines)
    cuts = along.sort(dim=0).values
    cuts = torch.cat([cuts[:1] - 1, (cuts[1:] + cuts[:-1]) / 2, cuts[-1:] + 1])  # (cuts, lines)
    wrong = ((along[None] > cuts[:, None]) != (y == 1)[None, :, None]).sum(dim=1)
    least = wrong.min().item()
    if name in ("and", "or", "clouds"):
        assert least == 0
    elif name == "xor":
        assert least == 1
    else:
        assert 1 <= least <= 10


# Errors


def test_a_score_of_zero_is_an_error():
    assert lab(data="xor", **ZEROS).errors == 4
    on_the_line = lab(data="and", weight1=1, weight2=1, bias=-2)  # (1, 1) scores 0 and should be a yes
    assert on_the_line.wrong.tolist() == [False, False, False, True]


def test_best_so_far():
    engine = lab(data="and")
    assert (engine.errors, engine.best) == (3, 3)
    engine.set(bias=-1.5)
    assert (engine.errors, engine.best) == (0, 0)
    engine.set(bias=5)
    assert (engine.errors, engine.best) == (3, 0)
    engine.set(data="or")
    assert (engine.errors, engine.best) == (1, 1)
    engine.set(bias=-0.5)
    engine.reset()
    assert (engine.errors, engine.best) == (1, 1)


# By hand


def test_louder_changes_no_decision():
    engine = lab(data="overlap", weight1=1.1, weight2=-0.7, bias=-0.3)
    before, loss = engine.wrong, engine.loss
    scores = engine.scores
    engine.louder()
    torch.testing.assert_close(engine.scores, 3 * scores)
    assert torch.equal(engine.wrong, before)
    assert engine.loss != pytest.approx(loss, abs=0.01)


def test_louder_ends_at_a_million():
    engine = lab(weight1=400_000)
    with pytest.raises(ValueError, match="out of range"):
        engine.louder()
    assert neuron(engine) == [400_000, 1, 0]


def test_aim_is_all_or_nothing():
    engine = lab()
    engine.aim(weight1=-2, weight2=0.5, bias=1.25)
    assert neuron(engine) == [-2, 0.5, 1.25]
    with pytest.raises(ValueError, match="bias"):
        engine.aim(weight1=0, weight2=0, bias="high")
    assert neuron(engine) == [-2, 0.5, 1.25]


def test_zeros_and_reset():
    engine = lab(weight1=2, weight2=3, bias=-1)
    engine.step(3)
    engine.zeros()
    assert neuron(engine) == [0, 0, 0]
    assert header(engine)["run"]["last"] == 0
    engine.reset()
    assert neuron(engine) == [2, 3, -1]
    assert engine.values["weight2"] == 3


def test_select():
    engine = lab(data="xor", weight1=2, weight2=-1, bias=-0.5)
    engine.select(index=3)
    point = header(engine)["selected"]
    assert (point["x"], point["label"], point["parts"], point["z"], point["wrong"]) == (
        [1, 1],
        0,
        [2, -1, -0.5],
        0.5,
        True,
    )
    assert point["p"] == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert "Point 4, (1, 1), scores 2.00 - 1.00 - 0.50 = 0.50 and should be a no: wrong." in engine.describe()
    engine.select()
    assert header(engine)["selected"] is None
    assert "scores" not in engine.describe()
    for index in (4, -1, 1.5, "0", True):
        with pytest.raises(ValueError, match="index"):
            engine.select(index=index)


def test_a_number_set_by_a_rule_is_a_parameter_too():
    engine = lab(data="xor", rule="gradient")
    engine.step(5)
    values = [engine.values[name] for name in NEURON]
    assert torch.tensor(values).tolist() == neuron(engine)  # the short number is the same float32
    assert values == [float(str(np.float32(v))) for v in neuron(engine)]


# The run


def test_back_and_scrub_return_exactly():
    engine = lab(data="overlap", lr=0.3)
    seen = [(neuron(engine), engine.loss, header(engine)["note"])]
    for rule in ("perceptron", "gradient", "gradient", "perceptron"):
        engine.set(rule=rule)
        engine.step(3)
        seen.append((neuron(engine), engine.loss, header(engine)["note"]))
    for at in (4, 0, 2, 3, 1):
        engine.scrub(step=3 * at)
        assert (neuron(engine), engine.loss, header(engine)["note"]) == seen[at]
    assert header(engine)["run"] == {"step": 3, "first": 0, "last": 12, "running": True}
    engine.back(n=2)
    assert engine.at == 1
    engine.back(n=50)
    assert neuron(engine) == seen[0][0]
    for wrong in (13, -1, 2.0, None):
        with pytest.raises(ValueError, match="whole number from 0 to 12"):
            engine.scrub(step=wrong)
    with pytest.raises(ValueError, match="back"):
        engine.back(n=0)


def test_going_on_from_an_earlier_step_goes_the_same_way_and_forgets_the_rest():
    engine, other = lab(data="overlap"), lab(data="overlap")
    engine.step(10)
    engine.scrub(step=4)
    engine.step(2)
    other.step(6)
    assert neuron(engine) == neuron(other)
    assert header(engine)["run"]["last"] == 6


def test_after_a_gradient_step_the_perceptron_looks_on_where_it_was():
    engine = lab(X=[[1, 0], [2, 0]], y=[0, 0], weight1=9, lr=0.01)  # both stay wrong for some steps
    engine.perceptron()
    engine.descend()
    engine.perceptron()
    assert [step.example for step in engine.steps] == [None, 0, None, 1]


def test_moving_by_hand_begins_a_run_and_other_settings_do_not():
    engine = lab(data="overlap")
    engine.step(4)
    for change in ({"lr": 0.1}, {"rule": "gradient"}, {"output": "sigmoid"}, {"pace": "fast"}):
        engine.set(**change)
        assert engine.at == 4
    engine.set(bias=1)
    assert header(engine)["run"] == {"step": 0, "first": 0, "last": 0, "running": True}
    engine.step(4)
    engine.set(seed=1)
    assert engine.at == 0
    engine.set(data="xor")
    engine.step(4)
    engine.set(seed=2)  # the corners have none
    assert engine.at == 4


def test_a_step_that_would_explode_is_not_taken():
    engine = lab(X=[[1e6, 0], [0, 1e6]], y=[0, 1], rule="gradient", lr=100, **ZEROS)
    engine.step(5)
    assert not engine.running
    assert max(map(abs, neuron(engine))) <= LARGEST
    assert "Lower the learning rate" in header(engine)["note"]
    engine.set(lr=0.01)
    assert engine.running


def test_a_run_has_an_end(monkeypatch):
    assert LONGEST_RUN >= 1000
    monkeypatch.setattr("dlcourse.widgets.neuron_lab.engine.LONGEST_RUN", 20)
    engine = lab(data="xor")
    engine.step(25)
    assert (engine.at, engine.running) == (20, False)
    engine.set(bias=0.5)
    assert engine.running


# Points of one's own


@pytest.mark.parametrize("labels", [[0, 1, 1], [-1, 1, 1], [False, True, True], np.array([0.0, 1.0, 1.0])])
def test_own_points(labels):
    engine = lab(X=np.array([[0, 0], [1, 0], [0, 4]]), y=labels)
    assert engine.values["data"] == "own"
    assert engine.y.tolist() == [0, 1, 1]
    assert header(engine)["own"] is True
    assert engine.extent == (-2.0, 3.0, -0.5, 4.5)
    engine.step(20)
    assert engine.errors == 0
    engine.set(data="xor")
    engine.set(data="own")
    assert len(engine.x) == 3
    with pytest.raises(ValueError, match="share string"):
        engine.share()


def test_own_points_may_be_tensors_that_need_gradients():
    x = torch.zeros(2, 2, requires_grad=True)
    engine = lab(X=x, y=torch.tensor([0, 1]))
    assert not engine.x.requires_grad
    left, right, bottom, top = engine.extent  # all points in one place
    assert right > left
    assert top > bottom


GOOD = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (GOOD, None, "both X and y"),
        (None, torch.ones(3), "both X and y"),
        (torch.zeros(3, 3), torch.ones(3), r"\(points, 2\).*Pick two columns"),
        (GOOD, torch.ones(3, 1), r"\(points, 2\)"),
        (GOOD, torch.ones(4), r"\(points, 2\)"),
        (torch.zeros(0, 2), torch.ones(0), "1 to 500"),
        (torch.zeros(501, 2), torch.ones(501), "1 to 500.*X\\[:500\\]"),
        (torch.full((3, 2), math.nan), torch.ones(3), "no number"),
        (torch.full((3, 2), 2e6), torch.ones(3), "no number, or is beyond"),
        (GOOD, torch.tensor([1, 2, 1]), "labels 1, 2"),
        (GOOD, torch.tensor([-1, 0, 1]), "labels -1, 0, 1"),
        (GOOD, torch.tensor([0, math.nan, 1]), "labels"),
        ([["a", "b"]], [1], "tables of numbers"),
        ([[1, 2], [3]], [1, 0], "tables of numbers"),
    ],
)
def test_points_that_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        lab(X=x, y=y)


def test_own_without_points():
    with pytest.raises(ValueError, match=r"NeuronLab\(X=\.\.\., y=\.\.\.\)"):
        lab(data="own")
    engine = lab(data="xor")
    with pytest.raises(ValueError, match="needs points"):
        engine.set(data="own", bias=2)
    assert (engine.values["data"], engine.bias.item()) == ("xor", 0)


def test_refused_parameters():
    for values in ({"data": "rings"}, {"weight1": "big"}, {"weight1": 2e6}, {"lr": 0}, {"seed": 100}, {"steps": 3}):
        with pytest.raises(ValueError, match=next(iter(values))):
            lab(**values)


# Problems


@pytest.mark.parametrize("name", MADE_UP)
def test_problems_repeat_and_leave_global_randomness_alone(name):
    state = torch.get_rng_state()
    (x, y), (again, labels) = problem(name, 3), problem(name, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, again)
    assert torch.equal(y, labels)
    assert x.dtype == y.dtype == torch.float32
    assert set(y.tolist()) == {0, 1}
    assert torch.equal(problem(name, 4)[0], x) == (name in CORNERS)


def test_the_corners_are_what_they_are_called():
    for name, rule in {"and": torch.logical_and, "or": torch.logical_or, "xor": torch.logical_xor}.items():
        x, y = problem(name)
        assert torch.equal(y.bool(), rule(x[:, 0], x[:, 1]))
    with pytest.raises(ValueError, match="'xor'"):
        problem("nand")


# The snapshot


@pytest.mark.parametrize("name", MADE_UP)
@pytest.mark.parametrize("output", ["step", "sigmoid"])
def test_snapshot(name, output):
    engine = lab(data=name, output=output, weight1=1.5, weight2=-2, bias=0.25)
    engine.step(3)
    snapshot = engine.snapshot()
    content, buffers = pack(snapshot)
    json.dumps(content, allow_nan=False)
    assert sum(map(len, buffers)) < LIMIT / 2
    assert {item["name"]: (item["dtype"], item["shape"]) for item in content["arrays"]} == {
        "field": ("uint8", [SIDE, SIDE]),
        "points": ("float32", [len(engine.x), 4]),
    }
    points = snapshot.arrays["points"]
    assert torch.equal(points[:, :2], engine.x)
    assert torch.equal(points[:, 2], engine.y)
    scores = points[:, :2] @ engine.weight + engine.bias
    assert torch.equal(points[:, 3] == 1, (2 * points[:, 2] - 1) * scores <= 0)
    assert snapshot.header["errors"] == points[:, 3].sum()
    left, right, bottom, top = snapshot.header["extent"]
    assert right - left == pytest.approx(top - bottom)
    x, y = points[:, 0], points[:, 1]
    assert left < x.min()
    assert x.max() < right
    assert bottom < y.min()
    assert y.max() < top


@pytest.mark.parametrize("output", ["step", "sigmoid"])
def test_the_map_shows_the_answer_of_each_place(output):
    engine = lab(data="moons", output=output, weight1=2.0, weight2=1.0, bias=-0.7)
    field = engine.snapshot().arrays["field"]
    left, right, bottom, _ = engine.extent
    cell = (right - left) / SIDE
    for row, column in [(0, 0), (0, 59), (59, 0), (59, 59), (30, 22), (17, 41)]:  # row 0 is the bottom one
        place = torch.tensor([left + (column + 0.5) * cell, bottom + (row + 0.5) * cell])
        score = (place @ engine.weight + engine.bias).item()
        if output == "sigmoid":
            assert field[row, column] == pytest.approx(254 / (1 + math.exp(-score)), abs=0.6)
        elif abs(score) > cell * engine.weight.norm():
            assert field[row, column] == (206 if score > 0 else 48)
    assert len(np.unique(field)) > (100 if output == "sigmoid" else 2)


@pytest.mark.parametrize("output", ["step", "sigmoid"])
def test_the_map_with_no_line_has_one_colour(output):
    for bias, low, high in ((0.0, 127, 127), (2.0, 200, 254), (-2.0, 0, 50)):
        field = lab(output=output, weight1=0, weight2=0, bias=bias).snapshot().arrays["field"]
        assert field.min() == field.max()
        assert low <= field.max() <= high


def test_snapshots_of_large_weights_are_finite():
    engine = lab(weight1=-1e6, weight2=1e6, bias=1e6, output="sigmoid", X=[[1e6, -1e6]], y=[1])
    json.dumps(header(engine), allow_nan=False)
    assert engine.loss > 1e11


# In words, as a picture, as a program, as a string


def test_describe_says_what_the_snapshot_says():
    engine = lab(data="and", weight1=3, weight2=2, bias=-4)
    assert engine.describe() == (
        "One neuron with weights 3.00 and 2.00 and bias -4.00, on the 'and' points. No error of 4 (best so far: 0), "
        "mean loss 0.19. It says yes above and to the right of its line. Point 1, (0, 0), scores 0.00 + 0.00 - 4.00 = "
        "-4.00 and should be a no: right."
    )
    engine.set(bias=0)
    engine.perceptron()
    assert "Step 1 of this run. Point 1, (0, 0)," in engine.describe()
    assert header(engine)["say"] == "Step 1, 2 errors of 4, mean loss 0.94."


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((1, 0), "to the right of"),
        ((-1, 0.1), "to the left of"),
        ((0.1, 2), "yes above its"),
        ((0, -2), "yes below its"),
        ((-1, 1), "above and to the left"),
        ((1, -1), "below and to the right"),
        ((0, 0), "nowhere: with both weights zero"),
    ],
)
def test_where_it_says_yes(weights, words):
    assert words in lab(weight1=weights[0], weight2=weights[1]).describe()


def test_sums_as_people_write_them():
    assert added([1.5, 2, -0.25]) == "1.50 + 2.00 - 0.25"
    assert added([-1.5, -0.001]) == "-1.50 + 0.00"


@pytest.mark.parametrize("values", [{"data": "xor"}, {"data": "moons", "output": "sigmoid"}, ZEROS])
def test_picture(values):
    engine = lab(**values)
    made = picture(engine)
    assert made.png.startswith(b"\x89PNG")
    assert len(made.png) < 120_000
    assert made.caption == engine.describe()
    assert f"{engine.errors} of the points are wrong" in made.alt
    assert ("no line" in made.alt) == (values is ZEROS)


def test_the_arrow_stands_on_the_line_and_points_to_yes():
    for numbers in ((3, -4, 1), (-0.2, 0.1, 0.3), (1, 1, 0)):
        engine = lab(data="moons", **dict(zip(NEURON, numbers, strict=True)))
        foot, tip = (torch.tensor(end) for end in arrow(engine))
        assert (foot @ engine.weight + engine.bias).abs() < 1e-5
        assert tip @ engine.weight + engine.bias > 0
        torch.testing.assert_close((tip - foot) / (tip - foot).norm(), engine.weight / engine.weight.norm())


def printed(program: str, **names) -> list[str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, names)  # it is the package's own text
    return out.getvalue().splitlines()


@pytest.mark.parametrize("rule", ["perceptron", "gradient"])
@pytest.mark.parametrize("name", [*MADE_UP, "own"])
def test_the_program_does_what_is_on_screen(name, rule, monkeypatch):
    own = {"X": [[0.5, 2.0], [1.0, -1.0], [3.0, 3.0]], "y": [-1, 1, -1]} if name == "own" else {"data": name}
    engine = lab(rule=rule, weight1=0.3, weight2=-0.7, bias=0.1, lr=0.9, seed=2, **own)
    engine.step(4)
    program = engine.to_code()
    lines = printed(program, **({} if name != "own" else own))
    expected = []
    for _ in range(2):
        expected.append(f"loss {engine.loss:.4f}, errors {engine.errors} of {len(engine.x)}")
        engine.step()
    assert lines == expected
    assert len(program.splitlines()) < 35
    assert max(map(len, program.splitlines())) <= 120


def test_share_replays_exactly():
    engine = lab(data="overlap", seed=7, weight1=0.1, weight2=-0.3, bias=1.7, lr=0.3, output="sigmoid")
    engine.step(7)
    engine.set(rule="gradient")
    engine.step(5)
    engine.set(lr=2)
    engine.step(4)
    engine.perceptron()
    engine.scrub(step=14)
    engine.select(index=11)
    again = NeuronLabEngine.from_share(engine.share())
    assert again.describe() == engine.describe()
    assert again.values == engine.values
    mine, theirs = pack(engine.snapshot()), pack(again.snapshot())
    assert mine[0] == theirs[0]
    assert [bytes(part) for part in mine[1]] == [bytes(part) for part in theirs[1]]
    assert len(engine.share()) < 500
    for one in (engine, again):
        one.scrub(step=17)
        one.step(3)
    assert neuron(again) == neuron(engine)
    for one in (engine, again):
        one.reset()
    assert header(again) == header(engine)
    assert neuron(again) == pytest.approx([0.1, -0.3, 1.7])


def test_share_keeps_a_best_from_before_the_run():
    engine = lab(data="and", weight1=1, weight2=1, bias=2)
    for bias in (-1.5, 3):
        engine.set(bias=bias)
    assert NeuronLabEngine.from_share(engine.share()).best == engine.best == 0


def test_a_long_run_is_refused_before_it_is_gone_through():
    moves = [["perceptron", None, 3000], ["gradient", 0.5, 2001]]
    with pytest.raises(ValueError, match="wanted a whole number from 1 to 2000"):
        NeuronLabEngine.from_share(shared({"moves": moves}))


def shared(change: dict) -> str:
    """A share string whose state was changed."""
    engine = lab(data="xor")
    engine.step(3)
    state = engine.state() | change
    engine.state = lambda: state
    return engine.share()


def test_a_changed_state_is_a_share_string_too():
    assert NeuronLabEngine.from_share(shared({"at": 1})).at == 1


@pytest.mark.parametrize(
    "change",
    [
        {"params": None},
        {"params": {"data": "own"}},
        {"params": {"data": "rings"}},
        {"params": {"X": [[1, 2]]}},
        {"home": [1, 2]},
        {"home": None},
        {"start": [1, 2, "x"]},
        {"start": [1, 2, 3e6]},
        {"moves": None},
        {"moves": [["perceptron", None]]},
        {"moves": [["jump", None, 1]]},
        {"moves": [["gradient", -1, 1]]},
        {"moves": [["perceptron", None, LONGEST_RUN + 1]]},
        {"moves": [["perceptron", None, 1]] * (LONGEST_RUN + 1)},
        {"moves": [["perceptron", None, 2.5]]},
        {"start": [0, 0, 0], "moves": [["gradient", 0.5, 5]]},  # it cannot move from there
        {"at": 4},
        {"at": None},
        {"best": 5},
        {"best": None},
        {"selected": 4},
        {"selected": "all"},
    ],
)
def test_damaged_share_strings(change):
    with pytest.raises(ValueError, match=r"share string|out of range|wanted|known|parameter|needs points"):
        NeuronLabEngine.from_share(shared(change))


def test_a_refused_state_changes_nothing():
    engine = lab(data="and")
    engine.step(2)
    before = engine.describe()
    state = lab(data="xor").state() | {"at": 99}
    with pytest.raises(ValueError, match="whole number"):
        engine.restore(state)
    assert engine.describe() == before


def test_flowers_of_the_chapter():
    """The chapter's own iris points fit, and the perceptron parts setosa from versicolor as it does there."""
    flowers, species = data.load("iris", split="all")
    two = species < 2
    order = torch.randperm(100, generator=generator(0))
    x, y = flowers[two][:, [2, 3]][order], species[two][order]
    engine = lab(X=x, y=y, **ZEROS)
    engine.step(500)
    found = models.perceptron(x, 2 * y - 1, epochs=100)
    assert neuron(engine) == [*found.weight.tolist(), found.bias.item()]
