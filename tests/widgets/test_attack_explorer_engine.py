"""The attack explorer without a browser: every move against the attacks themselves, the slice against the network."""

import copy
import json
import time

import numpy as np
import pytest
import torch

from dlcourse import attacks, generator
from dlcourse.widgets import AttackExplorerEngine
from dlcourse.widgets.attack_explorer import own
from dlcourse.widgets.attack_explorer.picture import picture
from dlcourse.widgets.attack_explorer.question import NEVER, Question
from dlcourse.widgets.attack_explorer.run import MOVES
from dlcourse.widgets.draw_pad import ink, mnist
from dlcourse.widgets.draw_pad.digits import digit
from dlcourse.widgets.labelled import MOST_CLASSES
from dlcourse.widgets.snapshot import LIMIT, pack

CALLS = {"FGSM": attacks.fgsm, "PGD": attacks.pgd, "momentum": attacks.mifgsm}
THREATS = {"Linf": attacks.Linf, "L2": attacks.L2, "L1": attacks.L1}


def explorer(**values) -> AttackExplorerEngine:
    return AttackExplorerEngine(**values)


def linear(height: int, width: int, classes: int, seed: int = 0) -> torch.nn.Module:
    """A network that is a matrix, in training mode."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(height * width, classes, device="cpu"))
    with torch.no_grad():
        net[1].weight.copy_(torch.randn(classes, height * width, generator=generator(seed)))
        net[1].bias.copy_(torch.randn(classes, generator=generator(seed + 1)))
    return net


def pictures(many: int, height: int, width: int, seed: int = 5) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(many, 1, height, width, generator=generator(seed))


def given(height: int = 5, width: int = 7, classes: int = 4, many: int = 3, **values) -> AttackExplorerEngine:
    x = pictures(many, height, width)
    labels = torch.arange(many, device="cpu") % classes
    return AttackExplorerEngine(linear(height, width, classes), x, labels, **values)


def direct(engine: AttackExplorerEngine, model, **changed):
    """x_adv by the plain call."""
    values = engine.values | changed
    threat = THREATS[values["threat"]](values["eps"])
    options = {}
    if values["attack"] == "FGSM":
        options["step_size"] = (1.25 if values["random"] else 1) * values["eps"]
    else:
        options |= {"steps": values["steps"], "step_size": values["step_share"] * values["eps"]}
    if values["random"]:
        options["generator"] = generator(values["seed"])
    if values["target"]:
        options["targets"] = torch.tensor([engine.given.classes.index(values["target"])], device="cpu")
    label = torch.tensor([engine.label], device="cpu")
    return CALLS[values["attack"]](model, engine.picture[None], label, threat, **options)[0]


# ---------------------------------------------------------------- what it brings


def test_its_own_networks_are_what_they_are_called():
    x, labels = own.pictures()
    worth = {}
    for name, model in own.networks().items():
        x_adv = attacks.pgd(model, x, labels, attacks.Linf(own.EPS), steps=20)
        worth[name] = [float((attacks.answers(model, at).argmax(1) == labels).float().mean()) for at in (x, x_adv)]
    assert worth["clean"][0] > 0.88
    assert worth["robust"][0] > 0.85
    assert worth["robust"][1] > worth["clean"][1] + 0.1
    assert [model.training for model in own.networks().values()] == [False, False]


def test_its_own_networks_draw_nothing_global():
    before = torch.get_rng_state()
    again = own._trained(robust=True)
    assert torch.equal(torch.get_rng_state(), before)
    for mine, yours in zip(again.parameters(), own.networks()["robust"].parameters(), strict=True):
        assert torch.equal(mine, yours), "the same each time"


def test_it_opens_at_the_end_of_an_attack_that_fools_the_one_and_not_the_other():
    engine = explorer()
    assert (engine.at, engine.move, engine.running) == (30, ("projection", 10), False)
    header = engine.snapshot().header
    assert [model["verdict"] for model in header["models"]] == ["wrong", "right"]
    assert header["label"]["class"] == int(own.pictures()[1][0])


# ---------------------------------------------------------------- the attacks


@pytest.mark.parametrize("target", ["", "2"])
@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("attack", CALLS)
def test_x_adv_is_that_of_the_plain_call_to_the_bit(attack, threat, random, target):
    engine = explorer(attack=attack, threat=threat, random=random, target=target, steps=4, seed=3)
    engine.show(6)
    for name, found in engine.x_adv().items():
        assert torch.equal(found, direct(engine, own.networks()[name])), name
        assert bool(engine.plan.threat.contains(found[None], engine.picture[None]))


@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("random", [False, True])
def test_the_moves_of_a_step_lead_from_one_iterate_to_the_next(threat, random):
    engine = explorer(threat=threat, random=random, steps=3, step_share=0.7)
    (found, _), moves = engine.runs(), engine.plan.moves
    start = [("example", 0), ("start", 0)] if random else [("example", 0)]
    assert moves == start + [(what, step) for step in (1, 2, 3) for what in MOVES]
    assert engine.moves == len(moves) - 1
    here = engine.picture
    for what, step in moves:
        place, moved = found.at(what, step), found.moved(what, step)
        if what in ("example", "gradient"):
            assert torch.equal(place, here), "nothing moves"
        else:
            torch.testing.assert_close(here + moved, place)
        if what == "gradient":
            label = torch.tensor([engine.label], device="cpu")
            _, slope = attacks.input_gradient(own.networks()["clean"], place[None], label)
            assert torch.equal(moved, slope[0])
        if what == "step":
            assert float(engine.plan.threat.norm(moved[None])) == pytest.approx(engine.plan.step_size, rel=1e-4)
        if what == "projection":
            torch.testing.assert_close(place[None], engine.plan.threat.project(here[None], engine.picture[None]))
        here = place


def test_what_is_said_is_what_the_network_says_there():
    engine = explorer(steps=3, random=True, threat="L2")
    for net, found in zip(own.networks().values(), engine.runs(), strict=True):
        for what, step in engine.plan.moves:
            logits = attacks.answers(net, found.at(what, step)[None])[0].detach()
            torch.testing.assert_close(found.logits(what, step), logits)


@pytest.mark.parametrize("target", [None, 3])
def test_loss_and_margin_over_the_steps(target):
    engine = explorer(target="" if target is None else target, steps=5, eps=0.2)
    (found, _), net = engine.runs(), own.networks()["clean"]
    places = torch.stack([found.start, *(step.x_adv[0] for step in found.steps)])
    logits = attacks.answers(net, places).detach()
    probabilities = logits.softmax(1)
    aim = engine.label if target is None else target
    others = logits.clone()
    others[:, aim] = -torch.inf
    margin = others.amax(1) - logits[:, aim]
    torch.testing.assert_close(found.loss, -probabilities[:, aim].log())
    torch.testing.assert_close(found.margin, margin if target is None else -margin)
    reached = logits.argmax(1) != aim if target is None else logits.argmax(1) == aim
    first = reached.nonzero()
    assert found.fooled_after == (int(first[0]) if len(first) else None)
    rising = found.loss[-1] > found.loss[0]
    assert bool(rising) == (target is None), "up from what is right, down to the target"


def test_fooled_after_counts_steps_and_never_is_none():
    engine = explorer(eps=0.005)
    assert [found.fooled_after for found in engine.runs()] == [None, None]
    engine.set(eps=2)
    assert all(0 < found.fooled_after <= 2 for found in engine.runs())
    engine.set(target=str(engine.label))
    assert [found.fooled_after for found in engine.runs()] == [0, 0]
    assert "The target is the right answer itself" in engine.notice


def test_a_step_that_the_box_does_not_cut_is_exact_for_a_linear_network():
    engine = given(classes=2, attack="FGSM", eps=0.05)
    weight = engine.given.nets[0].model[1].weight
    way = (weight[1] - weight[0]).sign().reshape(1, 5, 7)
    torch.testing.assert_close(engine.x_adv()["the network"], engine.picture + 0.05 * way)


# ---------------------------------------------------------------- settings


def test_a_threat_brings_an_eps_that_suits_it_and_remembers_the_last():
    engine = explorer()
    assert engine.values["eps"] == 0.1
    engine.set(threat="L2")
    assert engine.values["eps"] == pytest.approx(0.8)
    engine.set(eps=1.7)
    engine.set(threat="L1")
    assert engine.values["eps"] == pytest.approx(4)
    engine.set(threat="L2")
    assert engine.values["eps"] == 1.7
    engine.set(threat="Linf", eps=0.8)
    assert engine.values["eps"] == 0.8
    assert explorer(threat="L1").values["eps"] == 4
    assert explorer(threat="L1", eps=0.1).values["eps"] == 0.1, "one that was given stays, though it is the default"


def test_the_end_stays_the_end_and_a_move_stays_a_move():
    engine = explorer()
    engine.set(steps=3)
    assert engine.at == engine.moves == 9
    engine.scrub(4)
    engine.set(steps=20)
    assert (engine.at, engine.move) == (4, ("gradient", 2))
    engine.set(attack="FGSM")
    assert engine.at == engine.moves == 3
    engine.set(random=True)
    assert engine.at == engine.moves == 4
    engine.back(2)
    engine.show(2)
    assert engine.at == 2
    engine.step()
    assert engine.move == ("step", 1)
    engine.reset()
    assert (engine.at, engine.running) == (0, True)
    engine.step(99)
    assert (engine.at, engine.running) == (4, False)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"threat": "L3"}, "'Linf', 'L2', 'L1'"),
        ({"eps": 0}, "from 0.005 to 30"),
        ({"eps": float("nan")}, "from 0.005 to 30"),
        ({"attack": "CW"}, "'FGSM', 'PGD', 'momentum'"),
        ({"steps": 0}, "from 1 to 40"),
        ({"step_share": 3}, "from 0.02 to 2"),
        ({"random": 1}, "True or False"),
        ({"target": "10"}, "there is no such class"),
        ({"target": True}, "the name of a class"),
        ({"target": 1.0}, "the name of a class"),
        ({"objective": "dlr"}, "has no parameter 'objective'"),
    ],
)
def test_a_setting_that_does_not_fit_changes_nothing(values, says):
    engine = explorer()
    before = engine.share()
    with pytest.raises(ValueError, match=says):
        engine.set(**values)
    with pytest.raises(ValueError, match=says):
        explorer(**values)
    assert engine.share() == before


def test_a_target_by_name_or_number():
    x = pictures(2, 4, 4)
    names = ("2", "cat", "dog")
    engine = AttackExplorerEngine(linear(4, 4, 3), x, torch.tensor([0, 1], device="cpu"), classes=names, target="dog")
    assert engine.plan.target == 2
    engine.set(target=1)
    assert engine.values["target"] == "cat"
    engine.set(target=2)
    assert (engine.values["target"], engine.plan.target) == ("2", 0), "a name goes before a number"
    engine.set(target="")
    assert engine.plan.target is None


# ---------------------------------------------------------------- pictures and drawings


def test_a_drawing_takes_the_place_of_a_picture():
    engine = explorer()
    engine.draw([(0.5, 0.1), (0.5, 0.9)])
    assert engine.index is None
    assert torch.equal(engine.picture, engine.pad.image)
    assert engine.label == int(attacks.answers(own.networks()["clean"], engine.picture[None]).argmax())
    engine.mean(4)
    assert engine.label == 4 == engine.runs()[0].label
    engine.mean(None)
    engine.example(7)
    assert engine.label == 7
    engine.toggle(0, 0)
    assert engine.meant is None, "it is another drawing now"
    engine.undo()
    engine.clear()
    assert not engine.picture.any()
    engine.snapshot(), engine.describe()
    engine.show(3)
    assert torch.equal(engine.picture, own.pictures()[0][3])
    with pytest.raises(ValueError, match="has a label"):
        engine.mean(1)
    with pytest.raises(ValueError, match="from 0 to 99"):
        engine.show(100)
    assert engine.index == 3


def test_a_large_drawing_is_prepared_as_mnist():
    engine = given(28, 28, 10)
    engine.example(3)
    strokes = ink.segments([tuple(points) for points in digit(3)])
    assert torch.equal(engine.picture[0] * 16, mnist.counted(strokes, set(), 0.09).float())
    before = engine.picture
    engine.set(pen=0.2)
    assert engine.picture.sum() > before.sum()


def test_pictures_of_another_size_cannot_be_drawn():
    engine = given()
    for change in (
        engine.clear,
        engine.undo,
        lambda: engine.draw([(0, 0)]),
        lambda: engine.toggle(0, 0),
        engine.example,
    ):
        with pytest.raises(ValueError, match="only those of 8 x 8 and 28 x 28"):
            change()
    assert engine.index == 0


# ---------------------------------------------------------------- the slice


@pytest.mark.parametrize("threat", THREATS)
def test_the_slice_tells_what_the_network_says(threat):
    engine = given(threat=threat)
    (made,), net = engine.cuts(), engine.given.nets[0]
    plane = made.plane
    for row, column in ((0, 0), (3, 30), (20, 20), (40, 11)):
        place = engine.picture + plane.u[column] * plane.directions[0] + plane.v[row] * plane.directions[1]
        assert int(net(place[None]).argmax()) == int(plane.label[row, column])


@pytest.mark.parametrize("threat", THREATS)
def test_the_outlines_are_where_ball_and_box_end(threat):
    engine = given(threat=threat)
    (made,), eps = engine.cuts(), engine.plan.threat.eps
    ways = made.plane.directions
    deltas = torch.tensordot(made.ball * eps, ways, dims=1)
    torch.testing.assert_close(
        engine.plan.threat.norm(deltas), torch.full((361,), eps, device="cpu"), rtol=1e-4, atol=0
    )
    inside = made.box.norm(dim=1) < 9.9  # of those that are followed so far
    assert inside.any()
    rims = engine.picture + torch.tensordot(made.box[inside] * eps, ways, dims=1)
    nearest = torch.minimum(rims, 1 - rims).flatten(1).amin(1)
    torch.testing.assert_close(nearest, torch.zeros_like(nearest), rtol=0, atol=1e-5)


def test_a_picture_at_the_ends_of_the_box_leaves_it_at_once():
    (made, _) = explorer().cuts()
    assert float(made.box.norm(dim=1).amax()) < 0.01
    assert int(made.plane.in_box.sum()) <= 1


def test_places_on_the_slice():
    engine = given(threat="L2")
    (made,), eps = engine.cuts(), engine.plan.threat.eps
    first, second = made.plane.directions
    delta = eps * (0.5 * first - 1.25 * second)
    torch.testing.assert_close(made.places(delta[None][0]), torch.tensor([[0.5, -1.25]], device="cpu"))
    assert made.off(delta) < 1e-5
    stray = torch.randn(1, 5, 7, generator=generator(8))
    flat = torch.stack([first.flatten(), second.flatten(), stray.flatten()])
    apart = torch.linalg.qr(flat.T).Q[:, 2].reshape(1, 5, 7)
    torch.testing.assert_close(made.places(delta + 7 * apart), made.places(delta), rtol=0, atol=1e-4)
    assert made.off(apart) == pytest.approx(1, abs=1e-5)
    assert made.off(torch.zeros(1, 5, 7, device="cpu")) == 0


def test_regions_name_the_classes_inside_themselves():
    engine = explorer(eps=0.5)
    for made in engine.cuts():
        plane = made.plane
        for region in made.regions:
            column, row = (int((plane.u / plane.eps - at).abs().argmin()) for at in region["at"])
            assert int(plane.label[row, column]) == region["class"]
            assert region["share"] == pytest.approx(float((plane.label == region["class"]).float().mean()))
        shares = [region["share"] for region in made.regions]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) > 0.9


def test_the_slice_is_kept_while_only_the_way_changes():
    engine = explorer()
    before = engine.cuts()
    engine.set(steps=4, attack="momentum", step_share=0.5)
    assert engine.cuts() is before
    engine.set(seed=1)
    assert engine.cuts() is not before


# ---------------------------------------------------------------- predict before you see


def test_an_open_question_hides_what_is_to_come():
    engine = explorer()
    engine.ask("robust")
    assert engine.at == 0
    shot = engine.snapshot()
    for name in ("loss", "margin", "paths"):
        seen = torch.as_tensor(shot.arrays[name])
        assert seen[:, 0].isfinite().all()
        assert seen[:, 1:].isnan().all()
    assert shot.header["transfer"] == []
    assert [model["when"] for model in shot.header["models"]] == ["", ""]
    question = shot.header["question"]
    assert (question["state"], question["answer"], question["verdict"]) == ("asked", None, "")
    assert "fooled" not in engine.describe()
    json.dumps(shot.header, allow_nan=False)


@pytest.mark.parametrize(
    ("steps", "options"),
    [
        (1, ["at the start", "after 1 step", NEVER]),
        (2, ["at the start", "after 1 step", "after 2 steps", NEVER]),
        (3, ["at the start", "after 1 step", "after 2 to 3 steps", NEVER]),
        (4, ["at the start", "after 1 step", "after 2 to 3 steps", "after 4 steps", NEVER]),
        (40, ["at the start", "after 1 step", "after 2 to 3 steps", "after 4 to 40 steps", NEVER]),
    ],
)
def test_the_answers_to_choose_from(steps, options):
    engine = explorer(steps=steps)
    engine.ask()
    assert engine.question.options == options
    for after in (*range(steps + 1), None):

        class Found:
            plan, fooled_after = engine.plan, after

        chosen = Question("clean", Found, None).answer
        low, high = (*engine.question.ranges, (None, None))[chosen]
        assert low is after is None or low <= after <= high


def test_a_guess_is_judged_and_the_end_is_shown():
    engine = explorer()
    after = engine.runs()[0].fooled_after
    engine.ask("clean")
    right = engine.question.answer
    engine.guess(right)
    assert engine.at == engine.moves
    assert engine.snapshot().header["question"]["verdict"] == f"You were right: clean is wrong after step {after}."
    engine.ask(1)
    engine.guess(0)
    header = engine.snapshot().header["question"]
    assert header["verdict"].startswith("You said at the start: robust is not wrong after any step.")
    assert (header["right"], header["asked_count"], header["right_count"]) == (False, 2, 1)
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)
    for leave in (engine.step, lambda: engine.set(eps=0.2), lambda: engine.show(3), lambda: engine.scrub(7)):
        engine.ask()
        leave()
        assert engine.question is None
    engine.ask()
    engine.set(pace="fast")
    assert engine.question is not None, "the attack is the same"
    with pytest.raises(ValueError, match="from 0 to 4"):
        engine.guess(5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        engine.ask(2)


# ---------------------------------------------------------------- what is seen and said


def test_the_snapshot_holds_what_the_attack_holds():
    engine = explorer(threat="L2", random=True, steps=3)
    for at in range(engine.moves + 1):
        engine.scrub(at)
        shot, (what, step) = engine.snapshot(), engine.move
        json.dumps(shot.header, allow_nan=False)
        reach = shot.header["reach"]["delta"]
        for index, found in enumerate(engine.runs()):
            place, delta = found.at(what, step), found.at(what, step) - found.example
            np.testing.assert_allclose(shot.arrays["pictures"][index] / 254, place[0].clamp(0, 1), atol=1 / 254)
            sent = (shot.arrays["deltas"][index].astype(float) - 127) / 127 * reach
            np.testing.assert_allclose(sent, delta[0].clamp(-reach, reach), atol=reach / 127)
            own_reach = shot.header["reach"]["moves"][index]
            sent = (shot.arrays["moved"][index].astype(float) - 127) / 127 * own_reach
            np.testing.assert_allclose(sent, found.moved(what, step)[0], atol=own_reach / 127)
        assert shot.header["run"] == {"step": at, "first": 0, "last": 10, "running": at < 10, "unit": "move"}
        done = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3][at]
        assert shot.header["done"] == done


def test_the_distance_is_told_and_what_is_not_allowed():
    engine = explorer()
    engine.scrub(engine.moves)
    assert engine.snapshot().header["models"][0]["used"]["words"].startswith("Used: 0.1 of 0.1 in Linf (100 %), on ")
    engine.back()
    used = engine.snapshot().header["models"][0]["used"]
    assert (used["inside"], used["share"]) == (False, pytest.approx(1.25, rel=1e-3))
    assert "outside the ball and " in used["words"]
    engine.scrub(0)
    assert engine.snapshot().header["models"][0]["used"]["words"] == "Used: 0 of 0.1 in Linf (0 %)."


def test_the_largest_snapshot_travels():
    classes = MOST_CLASSES
    nets = {name: linear(64, 64, classes, seed) for name, seed in (("one", 0), ("other", 7))}
    engine = AttackExplorerEngine(nets, pictures(1, 64, 64), torch.tensor([0], device="cpu"), steps=40)
    _, buffers = pack(engine.snapshot())
    assert sum(map(len, buffers)) < LIMIT
    assert len(engine.state()) == 6


def test_a_snapshot_takes_a_few_milliseconds_beside_the_attack():
    engine = explorer()
    spent = []
    for at in range(24):
        engine.scrub(at)
        engine.cuts()
        began = time.process_time()
        engine.snapshot()
        spent.append(time.process_time() - began)
    assert sorted(spent)[12] < 0.01  # about 3 ms on a quiet machine


def test_it_is_described_and_drawn():
    engine = explorer(target=3)
    words = engine.describe()
    assert words.startswith(
        f"Picture 0, class {engine.label}, under PGD in Linf with eps 0.1: 10 steps of 0.025, towards 3."
    )
    assert "Step 10 of 10: projection." in words
    assert "To the end of the attack on clean, robust says" in words
    for made in (engine, given()):
        still = picture(made)
        assert still.png[:4] == b"\x89PNG"
        assert still.caption == made.describe()
        assert len(still.alt) > 100


def test_a_slope_of_zero_is_said():
    x = pictures(2, 5, 5)
    engine = AttackExplorerEngine(lambda x: 0 * x.flatten(1)[:, :3], x, torch.tensor([0, 1], device="cpu"))
    engine.scrub(1)
    shown = engine.snapshot().header["models"][0]
    assert shown["move"] == "The slope is 0 for every pixel: there is no way up to follow."
    assert not shown["slice"]["along"]
    assert torch.equal(engine.x_adv()["the network"], x[0])
    picture(engine)


def test_a_network_in_pieces_is_said():
    net = linear(5, 5, 3)
    engine = AttackExplorerEngine(net, pictures(2, 5, 5), torch.tensor([0, 1], device="cpu"))
    with torch.no_grad():
        net[1].bias[0] = torch.nan
    shot = engine.snapshot()
    json.dumps(shot.header, allow_nan=False)
    assert "answers that are not numbers" in shot.header["notice"]
    assert shot.header["models"][0]["says"] == {"class": None, "name": None, "probability": None}
    assert "what is not a number" in engine.describe()
    picture(engine)


# ---------------------------------------------------------------- the learner's networks


def test_a_network_trained_on_is_noticed_and_never_touched():
    net = linear(6, 6, 3).train()
    engine = AttackExplorerEngine(net, pictures(2, 6, 6), torch.tensor([0, 1], device="cpu"))
    before, state = engine.x_adv()["the network"], copy.deepcopy(net.state_dict())
    engine.snapshot(), engine.describe()
    assert net.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert engine.notice == ""
    engine.ask()
    with torch.no_grad():
        net[1].weight.mul_(-1)
    assert not torch.equal(engine.x_adv()["the network"], before)
    assert "changed since" in engine.notice
    assert engine.question is None
    engine.reset()
    assert engine.notice == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"models": None}, "got no models"),
        ({"x": None, "labels": None}, "got no x and no labels"),
        ({"models": {}}, "got 0 networks"),
        ({"models": {"a": len, "b": len, "c": len}}, "got 3 networks"),
        ({"models": {"": len}}, "1 to 30 characters"),
        ({"models": {"a": 3}}, "got int for 'a'"),
        ({"models": lambda x: x}, "failed on a picture"),
        ({"models": lambda x: x.reshape(3, 3)}, "failed on a picture"),
        ({"models": {"a": linear(5, 7, 4), "b": linear(5, 7, 3)}}, "different numbers of classes"),
        ({"x": np.zeros((2, 1, 5, 7))}, "pictures ndarray"),
        ({"x": torch.zeros(2, 5, 7, device="cpu")}, r"pictures \(2, 5, 7\)"),
        ({"x": torch.zeros(2, 3, 5, 7, device="cpu")}, r"\(n, 1, height, width\)"),
        ({"x": torch.zeros(2, 1, 65, 65, device="cpu")}, "at most 4096 pixels"),
        ({"x": torch.full((2, 1, 5, 7), 2.0, device="cpu")}, "pixels in \\[0, 1\\]"),
        ({"x": torch.full((2, 1, 5, 7), torch.nan, device="cpu")}, "pixels in \\[0, 1\\]"),
        ({"x": torch.zeros(2, 1, 5, 7, dtype=torch.uint8, device="cpu")}, "floats in"),
        ({"labels": torch.zeros(3, dtype=torch.long, device="cpu")}, r"class numbers \(2,\)"),
        ({"labels": torch.zeros(2, device="cpu")}, "torch.float32"),
        ({"labels": [0, 1]}, "got labels list"),
        ({"labels": torch.tensor([0, 4], device="cpu")}, "labels from 0 to 3"),
        ({"classes": ("a", "b")}, "there came 2 names"),
        ({"classes": ("a", "b", "c", "a")}, "all different"),
    ],
)
def test_what_cannot_be_attacked_is_refused_in_plain_words(change, says):
    fits = {
        "models": linear(5, 7, 4),
        "x": pictures(2, 5, 7),
        "labels": torch.tensor([0, 1], device="cpu"),
        "classes": None,
    }
    with pytest.raises(ValueError, match=says):
        AttackExplorerEngine(**(fits | change))
    AttackExplorerEngine(**fits)


def test_two_classes_and_one_wide_pictures():
    engine = given(1, 9, 2, random=True, threat="L1", target=1)
    engine.snapshot(), engine.describe(), picture(engine)


# ---------------------------------------------------------------- to hand on


@pytest.mark.parametrize("draw", [False, True])
@pytest.mark.parametrize(
    "values", [{"attack": "FGSM"}, {"threat": "L2", "target": 4}, {"attack": "momentum", "threat": "L1"}]
)
@pytest.mark.parametrize("random", [False, True])
def test_the_program_gives_x_adv_to_the_bit(values, random, draw, capsys):
    engine = explorer(**values, random=random, steps=3, seed=2)
    engine.show(5)
    if draw:
        engine.example(4)
        engine.mean(9)
    space = {}
    exec(engine.to_code(), space)
    for name, found in engine.x_adv().items():
        assert torch.equal(space["x_adv"][name][0], found)
        assert f"{name} says class" in capsys.readouterr().out or name == "robust"


def test_the_program_for_networks_of_ones_own_in_another_precision():
    net, x = linear(8, 8, 4).double(), pictures(3, 8, 8).double()
    engine = AttackExplorerEngine(net, x, torch.tensor([0, 1, 2], device="cpu"), random=True, target=3, steps=2)
    for prepare in (lambda: engine.show(2), lambda: engine.example(1)):
        prepare()
        space = {"models": {"the network": net}, "x": x}
        exec(engine.to_code(), space)
        assert space["x_adv"]["the network"].dtype == torch.float64
        assert torch.equal(space["x_adv"]["the network"][0], engine.x_adv()["the network"])


def test_a_share_string_comes_back():
    engine = explorer(attack="momentum", threat="L1", eps=0.1, random=True, target=3, steps=4, seed=9)
    engine.show(8)
    engine.scrub(5)
    again = AttackExplorerEngine.from_share(engine.share())
    assert (again.describe(), again.share(), again.move) == (engine.describe(), engine.share(), engine.move)
    engine.example(2)
    engine.mean(5)
    again = AttackExplorerEngine.from_share(engine.share())
    assert (again.describe(), again.label) == (engine.describe(), 5)
    fresh = engine.again()
    fresh.take(AttackExplorerEngine.opened(engine.share()))
    assert fresh.describe() == engine.describe()


@pytest.mark.parametrize(
    "change",
    [
        {"index": 5000},
        {"index": "x"},
        {"at": 31},
        {"at": -1},
        {"at": None},
        {"index": None, "meant": 77},
        {"index": None, "strokes": [[[3, 3]]]},
        {"index": None, "strokes": 7},
        {"params": {"threat": "L9"}},
        {"params": {"target": "cat"}},
        {"params": []},
    ],
)
def test_a_damaged_share_string_is_refused(change):
    engine = explorer()
    state = engine.state() | change
    engine.state = lambda: state
    with pytest.raises(ValueError, match=r"wanted|share string|no such class|not on the pad|is not known"):
        AttackExplorerEngine.from_share(engine.share())


def test_a_string_for_other_pictures_is_refused():
    late = explorer()
    late.show(50)
    with pytest.raises(ValueError, match="from 0 to 2"):
        AttackExplorerEngine.from_share(
            late.share(), linear(8, 8, 10), pictures(3, 8, 8), torch.tensor([0, 1, 2], device="cpu")
        )
    late.example(1)
    with pytest.raises(ValueError, match="can be drawn"):
        AttackExplorerEngine.from_share(
            late.share(), linear(5, 5, 10), pictures(3, 5, 5), torch.tensor([0, 1, 2], device="cpu")
        )
