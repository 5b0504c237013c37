"""The saliency explorer without a browser: every map against the plain call, the lower panels against the package."""

import copy
import dataclasses
import json
import time
from itertools import islice

import numpy as np
import pytest
import torch

from dlcourse import attribution, generator
from dlcourse.training.asking import asking
from dlcourse.widgets import SaliencyExplorerEngine
from dlcourse.widgets.draw_pad import ink, mnist
from dlcourse.widgets.draw_pad.digits import digit
from dlcourse.widgets.labelled import MOST_CLASSES
from dlcourse.widgets.saliency_explorer import own, words
from dlcourse.widgets.saliency_explorer.level import ORDERS
from dlcourse.widgets.saliency_explorer.methods import METHODS, Map
from dlcourse.widgets.saliency_explorer.params import BASELINES
from dlcourse.widgets.saliency_explorer.picture import picture
from dlcourse.widgets.saliency_explorer.question import Question
from dlcourse.widgets.snapshot import LIMIT, pack


def explorer(**values) -> SaliencyExplorerEngine:
    return SaliencyExplorerEngine(**values)


def linear(height: int, width: int, classes: int, seed: int = 0) -> torch.nn.Module:
    """A network that is a matrix, in training mode."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(height * width, classes, device="cpu"))
    with torch.no_grad():
        net[1].weight.copy_(torch.randn(classes, height * width, generator=generator(seed)))
        net[1].bias.copy_(torch.randn(classes, generator=generator(seed + 1)))
    return net


def pictures(many: int, height: int, width: int, seed: int = 5) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(many, 1, height, width, generator=generator(seed))


def given(height: int = 5, width: int = 7, classes: int = 4, many: int = 3, **values) -> SaliencyExplorerEngine:
    labels = torch.arange(many, device="cpu") % classes
    return SaliencyExplorerEngine(linear(height, width, classes), pictures(many, height, width), labels, **values)


def direct(name: str, model, x, target, baseline):
    """Each map by a call written here once more."""
    calls = {
        "saliency": lambda: attribution.saliency(model, x, target),
        "input_x_gradient": lambda: attribution.input_x_gradient(model, x, target),
        "smoothgrad": lambda: attribution.smoothgrad(
            model, x, target, sd=0.15, samples=16, generator=generator(0, like=x)
        ),
        "integrated_gradients": lambda: attribution.integrated_gradients(model, x, target, baseline=baseline, steps=64),
        "guided_backprop": lambda: attribution.guided_backprop(model, x, target),
        "grad_cam": lambda: attribution.upsampled(attribution.grad_cam(model, x, target, layer="conv2"), (8, 8))[
            :, None
        ],
        "occlusion": lambda: attribution.occlusion(model, x, target, window=2, baseline=baseline),
        "lrp": lambda: attribution.lrp(model, x, target, rules=attribution.Gamma(0.25)),
        "shapley": lambda: attribution.shapley(model, x, target, groups=BLOCKS, baseline=baseline),
    }
    return calls[name]()


BLOCKS = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2]] * 3 + [[3, 3, 3, 4, 4, 4, 5, 5]] * 3 + [[6, 6, 6, 7, 7, 7, 8, 8]] * 2)


# ---------------------------------------------------------------- what it brings


def test_its_own_network_reads_and_has_what_every_method_needs():
    x, labels = own.pictures()
    with asking(own.network()):
        assert float((own.network()(x).argmax(1) == labels).float().mean()) > 0.9
    engine = explorer()
    assert [name for name, map in engine.level().maps.items() if map.values is None] == []
    assert engine.given.layers == ["linear", "conv2", "conv1"]
    assert not own.network().training


def test_its_own_network_draws_nothing_global_and_is_the_same_each_time():
    before = torch.get_rng_state()
    again = own.network.__wrapped__()
    assert torch.equal(torch.get_rng_state(), before)
    for mine, yours in zip(again.parameters(), own.network().parameters(), strict=True):
        assert torch.equal(mine, yours)


# ---------------------------------------------------------------- the maps


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_map_is_that_of_the_plain_call_to_the_bit(baseline):
    engine = explorer(baseline=baseline, target=3)
    engine.show(6)
    x = own.pictures()[0]
    wanted = {
        "paper": torch.zeros_like(x[6:7]),
        "ink": torch.ones_like(x[6:7]),
        "mean_grey": torch.full_like(x[6:7], float(x.mean())),
        "blurred": torch.nn.functional.avg_pool2d(x[6:7], 5, stride=1, padding=2, count_include_pad=False),
    }[baseline]
    assert torch.equal(engine.setting.baseline, wanted)
    for name, map in engine.level().maps.items():
        assert torch.equal(map.values, direct(name, own.network(), x[6:7], 3, wanted)), name


@pytest.mark.parametrize("layers", [1, 3])
def test_randomised_maps_are_those_of_the_cascade_with_the_same_draws_for_all(layers):
    engine = explorer(layers=layers, seed=4)
    x, label = engine.picture, engine.target
    for name, found in engine.level().maps.items():

        def method(model, x, target, name=name):
            return direct(name, model, x, target, torch.zeros_like(x))

        steps = attribution.cascading_randomisation_steps(own.network(), x, label, method, generator=generator(4))
        step = next(islice(steps, layers, None))
        assert torch.equal(found.values, step.map), name
        assert engine.size_correlations()[name] == pytest.approx(float(step.correlation), nan_ok=True)
        first = next(attribution.cascading_randomisation_steps(own.network(), x, label, method, generator=generator(4)))
        signed = attribution.rank_correlation(step.map, first.map)
        assert engine.correlations()[name] == pytest.approx(float(signed), nan_ok=True)


def test_with_signs_maps_forget_at_once_and_the_sizes_share_the_paper():
    """Mean over 3 digits, all layers drawn anew, each from another seed; bounds hold for seven such threes."""
    engine, signed, sizes = explorer(layers=3), [], []
    for seed in range(3):
        engine.show(seed)
        engine.set(seed=seed)
        signed.append(engine.correlations())
        sizes.append(engine.size_correlations())

    def mean(found, name):
        return np.nanmean([each[name] for each in found])

    for name in ("saliency", "input_x_gradient", "integrated_gradients"):
        assert abs(mean(signed, name)) < 0.3, name
    assert mean(signed, "guided_backprop") > 0.4
    assert mean(sizes, "saliency") < 0.3
    for name in ("input_x_gradient", "integrated_gradients"):
        assert mean(sizes, name) > 0.8, name


def test_both_rank_correlations_are_told_and_a_map_without_signs_has_one():
    engine = explorer(layers=1)
    signed, sizes = engine.correlations(), engine.size_correlations()
    said = engine.describe()
    entries = {entry["name"]: entry for entry in engine.snapshot().header["maps"]}
    for name, entry in entries.items():
        assert (entry["correlation"], entry["size_correlation"]) == (signed[name], sizes[name])
        one, two = words.number(round(signed[name], 2)), words.number(round(sizes[name], 2))
        told = f"{one} signed, {two} sizes" if METHODS[name].signed else one
        assert entry["likeness"] == f"Rank correlation {told}"
        assert f"{entry['title']} {told}" in said
    assert entries["grad_cam"]["likeness"].count(" ") == 2
    assert abs(signed["lrp"] - sizes["lrp"]) > 0.3, "they are not the same measure"


def test_a_map_of_one_size_has_ranks_by_its_signs_alone():
    """Its slope is +1 or -1 at each pixel, before and after: only the signs are in an order."""
    engine = explorer(layers=1)
    sign = torch.where(torch.arange(64, device="cpu") % 3 == 0, 1.0, -1.0).reshape(1, 1, 8, 8)
    maps = {"saliency": Map(sign)}
    made = dataclasses.replace(engine.level(), maps=maps, first=maps)
    assert made.correlations == {"saliency": pytest.approx(1)}
    assert np.isnan(made.size_correlations["saliency"])
    assert words.likeness(1.0, None, True) == "Rank correlation 1 signed, sizes constant"


def test_randomised_layers_are_those_that_are_told_and_no_others():
    engine = explorer(layers=2)
    model, learned = engine.level().model, own.network()
    for name, parameter in learned.named_parameters():
        same = torch.equal(parameter, model.get_parameter(name))
        assert same == name.startswith("conv1"), name
    assert engine.snapshot().header["layers"]["words"] == "2 of 3 layers drawn anew, from the last: linear, conv2"


def test_a_seed_draws_anew_and_the_first_maps_stay():
    engine = explorer(layers=1)
    before, first = engine.map, engine.level(0)
    engine.anew()
    assert engine.values["seed"] == 1
    assert not torch.equal(engine.map, before)
    assert engine.level(0) is first
    engine.set(seed=9999)
    engine.anew()
    assert engine.values["seed"] == 0
    assert torch.equal(engine.map, before)
    engine.reset()
    assert (engine.values["layers"], engine.level()) == (0, first)


def test_maps_are_kept_until_they_are_others():
    engine = explorer()
    before = engine.level()
    for look in ({"picked": "lrp"}, {"gone": 0.7}, {"curve": "insertion"}, {"seed": 3}):
        engine.set(**look)
        assert engine.level() is before, look
    for other in ({"baseline": "ink"}, {"target": 2}, {"layers": 1}):
        engine.set(**other)
        assert engine.level() is not before, other
    first = engine.level(0)
    engine.set(layers=2)
    before = engine.level()
    assert engine.level(0) is first
    assert engine.level() is before, "the first and the one that is shown are both kept"


def test_what_the_target_may_be():
    engine = explorer()
    wrong = next(
        i for i, (x, y) in enumerate(zip(*own.pictures(), strict=True)) if int(own.network()(x[None]).argmax()) != y
    )
    engine.show(wrong)
    label, answer = int(own.pictures()[1][wrong]), int(own.network()(own.pictures()[0][wrong : wrong + 1]).argmax())
    assert engine.target == label
    engine.set(target="answer")
    assert engine.target == answer
    engine.set(layers=3)
    assert engine.target == answer, "of the network as it was learned"
    engine.set(target=7)
    assert (engine.values["target"], engine.target) == ("7", 7)
    engine.set(target="label")
    engine.example(4)
    assert engine.target == int(own.network()(engine.picture).argmax()), "a drawing has no label"


def test_a_target_by_name_or_number():
    names = ("2", "cat", "dog")
    labels = torch.tensor([0, 1], device="cpu")
    engine = SaliencyExplorerEngine(linear(4, 4, 3), pictures(2, 4, 4), labels, classes=names, target="dog")
    assert engine.target == 2
    engine.set(target=1)
    assert engine.values["target"] == "cat"
    engine.set(target=2)
    assert engine.target == 0, "a name goes before a number"


def why(model, x=None) -> dict[str, str]:
    x = pictures(2, 6, 6) if x is None else x
    engine = SaliencyExplorerEngine(model, x, torch.tensor([0, 1], device="cpu"))
    shot = engine.snapshot()
    json.dumps(shot.header, allow_nan=False)
    engine.describe()
    return {entry["name"]: entry["why"] for entry in shot.header["maps"] if entry["why"]}


def test_methods_that_the_network_does_not_allow_say_why():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3, device="cpu"), torch.nn.Tanh())
    assert why(net) == {
        "guided_backprop": "The model ran no relu of torch, so there is nothing to change.",
        "grad_cam": "The network has no convolution, so there are no maps that know where.",
        "lrp": "lrp has no rule for layer '2', Tanh, at this place.",
    }
    other = "It looks into the layers of a torch network, and this is another function."
    found = why(lambda x: x.flatten(1)[:, :3].relu())
    assert found == {"grad_cam": other, "lrp": other}
    found = why(lambda x: x.detach().flatten(1)[:, :3])
    assert found["saliency"].startswith("The score does not depend on x by anything that can be differentiated")
    assert not {"occlusion", "shapley"} & found.keys(), "those only ask"


def test_a_method_that_does_not_apply_has_no_lower_panels_and_no_program():
    engine = given(picked="grad_cam")
    shot = engine.snapshot()
    assert (engine.map, shot.header["faith"]) == (None, None)
    with pytest.raises(ValueError, match="Grad-CAM does not apply to this network: The network has no convolution"):
        engine.to_code()
    assert "Does not apply: Guided backprop: The model ran" in engine.describe()


# ---------------------------------------------------------------- the lower panels


@pytest.mark.parametrize("curve", ["deletion", "insertion"])
@pytest.mark.parametrize("picked", ["saliency", "occlusion"])
def test_the_curve_is_that_of_the_package_and_stands_beside_random_orders(curve, picked):
    engine = explorer(curve=curve, picked=picked, baseline="mean_grey", layers=1)
    now, walk = engine.level(), getattr(attribution, curve)
    options = {"baseline": now.setting.baseline, "points": 21}
    wanted = walk(now.model, now.x, now.target, now.maps[picked].values, **options)
    shot = engine.snapshot()
    assert torch.equal(shot.arrays["curve"], wanted.scores[:, 0])
    assert torch.equal(shot.arrays["share"], wanted.share)
    many = now.x.expand(ORDERS, -1, -1, -1)
    others = walk(now.model, many, now.target, attribution.random_map(many, generator=generator(0)), **options)
    low, high = shot.arrays["band"]
    torch.testing.assert_close(low, others.scores.min(1).values)
    torch.testing.assert_close(high, others.scores.max(1).values)
    better = others.area > wanted.area if curve == "deletion" else others.area < wanted.area
    assert f"than {int(better.sum())} of {ORDERS} random orders" in shot.header["faith"]["words"]


@pytest.mark.parametrize("curve", ["deletion", "insertion"])
def test_a_share_on_the_curve_shows_the_picture_there(curve):
    engine = explorer(curve=curve, picked="lrp", baseline="ink")
    points = engine.snapshot().arrays["curve"]
    for at in (0, 5, 13, 20):
        engine.set(gone=at / 20)
        shot = engine.snapshot()
        assert shot.header["faith"]["score"] == pytest.approx(float(points[at]), abs=1e-4)
        shown = np.asarray(shot.arrays["partly"]) / 254
        count = round(at / 20 * 64)
        order = engine.map.flatten().argsort(descending=True, stable=True)
        gone = torch.zeros(64, dtype=torch.bool, device="cpu")
        gone[order[:count]] = True
        if curve == "insertion":
            gone = ~gone
        wanted = torch.where(gone, 1.0, engine.picture.flatten()).reshape(8, 8)
        np.testing.assert_allclose(shown, wanted, atol=1 / 254)
        assert shot.header["faith"]["partly"].startswith(f"{count} of 64 pixels show the ")


@pytest.mark.parametrize("picked", METHODS)
def test_the_axioms_are_those_of_the_package_and_told_by_what_the_method_promises(picked):
    engine = explorer(picked=picked)
    now = engine.level()
    wanted = attribution.axioms(
        now.model, now.x, now.target, engine.map, baseline=now.setting.baseline, generator=generator(0)
    )
    for mine, yours in zip(now.axioms(picked), wanted, strict=True):
        assert (mine.axiom, float(mine.found), float(mine.wanted)) == (
            yours.axiom,
            float(yours.found),
            float(yours.wanted),
        )
    told = {each["name"]: each for each in engine.snapshot().header["faith"]["axioms"]}
    assert list(told) == ["Completeness", "Conservation", "Dummy"]
    for report in wanted[:2]:
        assert told[report.axiom.capitalize()]["kept"] == (float(report.relative) < 0.01)
        promised = "This method promises it." in told[report.axiom.capitalize()]["words"]
        assert promised == (METHODS[picked].promise == report.axiom)


def test_a_linear_network_keeps_what_a_linear_network_must():
    net = linear(6, 6, 3)
    with torch.no_grad():
        net[1].weight[:, 4] = 0  # nobody looks at this pixel
        net[1].bias.zero_()
    engine = SaliencyExplorerEngine(net, pictures(2, 6, 6), torch.tensor([0, 1], device="cpu"))
    for picked in ("integrated_gradients", "shapley", "input_x_gradient"):
        engine.set(picked=picked)
        told = {each["name"]: each for each in engine.snapshot().header["faith"]["axioms"]}
        assert told["Completeness"]["kept"], picked
        assert told["Conservation"]["kept"], picked
        assert told["Dummy"]["words"].startswith("1 pixel is not looked at"), picked
        assert told["Dummy"]["kept"] == (picked != "shapley"), "a block shares what it brings with the pixel"


def test_the_truth_is_measured_on_every_map():
    x, labels = own.pictures()
    truth = torch.zeros(8, 8, dtype=torch.bool, device="cpu")
    truth[2:4, 3:6] = True
    for shape in ((8, 8), (1, 8, 8), (1, 1, 8, 8)):
        engine = SaliencyExplorerEngine(own.network(), x, labels, truth=truth.reshape(shape))
    for entry, map in zip(engine.snapshot().header["maps"], engine.level().maps.values(), strict=True):
        wanted = attribution.agreement(map.values, truth)
        assert entry["mass"] == pytest.approx(float(wanted.mass))
        assert entry["rank"] == pytest.approx(float(wanted.rank))
    assert np.array_equal(engine.snapshot().arrays["truth"], truth)
    assert "Rank of the pixels that matter: Saliency" in engine.describe()
    assert {entry["rank"] for entry in explorer().snapshot().header["maps"]} == {None}


def test_a_planted_mark_is_found_by_those_that_ask_the_network():
    """A network that sees the mark alone: its class is 1 where the corner is white."""
    x, labels = own.pictures()
    planted = attribution.planted_shortcut(x, labels, label=1, share=1.0, generator=generator(0))

    def model(x):
        corner = x[:, 0, :2, :2].flatten(1).sum(1)
        return torch.stack([0 * corner, corner], dim=1)

    first = int(planted.marked.int().argmax())
    marked = (planted.labels == 1).long()
    engine = SaliencyExplorerEngine(model, planted.x, marked, truth=planted.truth)
    engine.show(first)
    found = {entry["name"]: entry for entry in engine.snapshot().header["maps"]}
    for name in ("saliency", "input_x_gradient", "integrated_gradients"):
        assert (found[name]["mass"], found[name]["rank"]) == (pytest.approx(1), pytest.approx(1))
    assert found["occlusion"]["rank"] > 0.99
    assert found["lrp"]["rank"] is None


# ---------------------------------------------------------------- predict before you see


def test_a_question_goes_back_and_its_answer_is_that_of_the_cascade():
    engine = explorer(layers=2)
    engine.show(5)
    engine.ask()
    assert engine.values["layers"] == 0
    header = engine.snapshot().header["question"]
    assert (header["state"], header["answer"], header["verdict"]) == ("asked", None, "")
    assert header["options"] == ["Saliency", "Guided backprop", "Grad-CAM", "Occlusion"]
    assert engine.question.text.endswith("Which of these maps changes least, by its signed rank correlation?")
    assert engine.question.text in engine.describe()
    like = engine.correlations(1)
    wanted = max(engine.question.names, key=like.get)
    assert wanted == "guided_backprop"  # 0.86, and by its sizes 0.65 where occlusion has 0.84
    assert max(engine.question.names, key=engine.size_correlations(1).get) == "occlusion", "sizes would say another"
    assert engine.question.names[engine.question.answer] == wanted
    engine.guess(engine.question.answer)
    header = engine.snapshot().header["question"]
    assert engine.values["layers"] == 1
    assert header["verdict"].startswith(f"You were right: {METHODS[wanted].title} changes least. Signed rank")
    assert (header["right"], header["asked_count"], header["right_count"]) == (True, 1, 1)
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)


def test_a_wrong_guess_is_told_and_what_leaves_the_question_drops_it():
    engine = explorer()
    engine.ask()
    wrong = (engine.question.answer + 1) % 4
    engine.guess(wrong)
    assert engine.question.verdict().startswith(f"You said {engine.question.options[wrong]}: ")
    assert engine.right_count == 0
    leave = [lambda: engine.set(layers=2), lambda: engine.show(3), lambda: engine.set(baseline="ink"), engine.anew]
    for each in leave:
        engine.ask()
        each()
        assert engine.question is None
    engine.ask()
    engine.set(picked="saliency", gone=0.5)
    assert engine.question is not None, "the maps are the same"
    for option in (4, -1, None):
        with pytest.raises(ValueError, match="from 0 to 3"):
            engine.guess(option)


def test_a_map_without_ranks_is_no_answer():
    found = Question("last", {"saliency": float("nan"), "guided_backprop": 0.5, "lrp": 0.7, "smoothgrad": 0.1})
    assert found.names == ["guided_backprop", "lrp", "smoothgrad"]
    assert found.answer == 1
    tied = Question("last", {"lrp": 0.5, "smoothgrad": 0.5, "saliency": 0.1})
    assert [Question("last", tied.correlations, guess).right for guess in range(3)] == [False, True, True]
    with pytest.raises(ValueError, match="no layers with parameters"):
        SaliencyExplorerEngine(
            lambda x: x.flatten(1)[:, :3], pictures(2, 4, 4), torch.tensor([0, 1], device="cpu")
        ).ask()


# ---------------------------------------------------------------- settings, pictures and drawings


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"picked": "captum"}, "'saliency', 'input_x_gradient'"),
        ({"target": "10"}, "there is no such class"),
        ({"target": True}, "the name of a class"),
        ({"target": 1.0}, "the name of a class"),
        ({"baseline": "white"}, "'paper', 'ink'"),
        ({"layers": 4}, "this network has 3 with parameters"),
        ({"layers": -1}, "from 0 to"),
        ({"seed": 0.5}, "from 0 to 9999"),
        ({"curve": "roar"}, "'deletion', 'insertion'"),
        ({"gone": 1.1}, "from 0 to 1"),
        ({"gone": float("nan")}, "from 0 to 1"),
        ({"method": "lrp"}, "has no parameter 'method'"),
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


def test_a_drawing_takes_the_place_of_a_picture():
    engine = explorer()
    engine.draw([(0.5, 0.1), (0.5, 0.9)])
    assert engine.pictures.index is None
    assert torch.equal(engine.picture[0], engine.pictures.pad.image)
    engine.toggle(0, 0)
    engine.undo()
    engine.clear()
    assert not engine.picture.any()
    json.dumps(engine.snapshot().header, allow_nan=False)
    engine.describe()
    engine.show(3)
    assert torch.equal(engine.picture, own.pictures()[0][3:4])
    with pytest.raises(ValueError, match="from 0 to 99"):
        engine.show(100)
    assert engine.pictures.index == 3


def test_a_large_drawing_is_prepared_as_mnist():
    engine = given(28, 28, 10)
    engine.example(3)
    strokes = ink.segments([tuple(points) for points in digit(3)])
    assert torch.equal(engine.picture[0, 0] * 16, mnist.counted(strokes, set(), 0.09).float())
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
    assert engine.pictures.index == 0


# ---------------------------------------------------------------- what is seen and said


def test_the_snapshot_holds_what_the_maps_hold():
    engine = explorer(layers=1)
    shot = engine.snapshot()
    json.dumps(shot.header, allow_nan=False)
    np.testing.assert_allclose(np.asarray(shot.arrays["picture"]) / 254, engine.picture[0, 0], atol=1 / 254)
    for entry, sent, map in zip(shot.header["maps"], shot.arrays["maps"], engine.level().maps.values(), strict=True):
        reach, zero = entry["reach"], 127 if entry["signed"] else 0
        assert reach == pytest.approx(float(map.values.abs().max()))
        np.testing.assert_allclose(
            (sent.astype(float) - zero) / (254 - zero) * reach, map.values[0, 0], atol=reach / 127
        )
        assert bool((map.values < 0).any()) <= entry["signed"], "one colour has no place for what is below 0"
    assert shot.header["says"]["logit"] != shot.header["before"]["logit"]


def test_the_largest_snapshot_travels():
    x, labels = pictures(1, 64, 64), torch.tensor([0], device="cpu")
    truth = torch.zeros(64, 64, dtype=torch.bool, device="cpu")
    truth[0, 0] = True
    engine = SaliencyExplorerEngine(linear(64, 64, MOST_CLASSES), x, labels, truth=truth)
    assert sum(map(len, pack(engine.snapshot())[1])) < LIMIT


def test_a_snapshot_takes_a_few_milliseconds_beside_the_methods():
    engine = explorer(layers=1)
    engine.snapshot()
    spent = []
    for gone in range(12):
        engine.set(gone=gone / 12)
        began = time.process_time()
        engine.snapshot()
        spent.append(time.process_time() - began)
    assert sorted(spent)[4] < 0.01  # about 2 ms on a machine in use, without the tests' checks


def test_all_methods_together_ask_little():
    """Counted, because the checks of the tests cost more than the methods, which take 45 ms or so."""
    seen, net = [], copy.deepcopy(own.network())
    net.conv1.register_forward_hook(lambda module, given, found: seen.append(len(given[0])))
    engine = SaliencyExplorerEngine(net, *own.pictures())
    seen.clear()
    engine.level()
    assert len(seen) < 40, "passes"
    assert sum(seen) < 800, "pictures"
    seen.clear()
    engine.level(), engine.correlations(), engine.size_correlations()
    assert seen == [], "they are kept"


def test_it_is_described_and_drawn():
    engine = explorer(target=3, layers=1)
    words = engine.describe()
    assert words.startswith("Picture 0, class 5: why the network gives 3 the logit ")
    assert (
        "1 of 3 layers drawn anew, from the last: linear. Rank correlation of each map with its first: Saliency"
        in words
    )
    for made in (engine, given(picked="grad_cam")):
        still = picture(made)
        assert still.png[:4] == b"\x89PNG"
        assert still.caption == made.describe()
        told = [entry["likeness"] for entry in made.snapshot().header["maps"] if not entry["why"]]
        assert all(f"; {each}." in still.alt for each in told)


def test_a_network_in_pieces_is_said():
    net = linear(5, 5, 3)
    engine = SaliencyExplorerEngine(net, pictures(2, 5, 5), torch.tensor([0, 1], device="cpu"))
    with torch.no_grad():
        net[1].weight.fill_(torch.nan)
    shot = engine.snapshot()
    json.dumps(shot.header, allow_nan=False)
    assert "answers that are not numbers" in shot.header["notice"]
    assert shot.header["says"] == {"class": None, "name": None, "probability": None, "logit": None}
    assert "what is not a number" in engine.describe()
    picture(engine)


def test_a_slope_of_zero_gives_maps_without_ranks():
    x = pictures(2, 5, 5)
    engine = SaliencyExplorerEngine(lambda x: 0 * x.flatten(1)[:, :3], x, torch.tensor([0, 1], device="cpu"))
    shot = engine.snapshot()
    json.dumps(shot.header, allow_nan=False)
    assert shot.header["maps"][0]["likeness"] == "No ranks: constant"
    assert (shot.header["maps"][0]["correlation"], shot.header["maps"][0]["size_correlation"]) == (None, None)


# ---------------------------------------------------------------- the learner's network


def test_a_network_trained_on_is_noticed_and_never_touched():
    net = linear(6, 6, 3).train()
    engine = SaliencyExplorerEngine(net, pictures(2, 6, 6), torch.tensor([0, 1], device="cpu"), picked="saliency")
    before, state = engine.map, copy.deepcopy(net.state_dict())
    engine.set(layers=1)
    engine.ask()
    engine.snapshot(), engine.describe()
    assert net.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    with torch.no_grad():
        net[1].weight.mul_(-1)
    torch.testing.assert_close(engine.map, -before)
    assert "has changed since" in engine.snapshot().header["notice"]
    assert engine.question is None
    engine.show(1)
    assert engine.snapshot().header["notice"] == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": None}, "got no model"),
        ({"x": None, "labels": None}, "got no x and no labels"),
        ({"model": 3}, "got int as the model"),
        ({"model": lambda x: x}, "failed on a picture"),
        ({"model": lambda x: x.reshape(3, 3)}, "failed on a picture"),
        ({"x": np.zeros((2, 1, 5, 7))}, "pictures ndarray"),
        ({"x": torch.zeros(2, 3, 5, 7, device="cpu")}, r"\(n, 1, height, width\)"),
        ({"x": torch.zeros(2, 1, 65, 65, device="cpu")}, "at most 4096 pixels"),
        ({"x": torch.zeros(2, 1, 1, 1, device="cpu")}, "pictures of one pixel"),
        ({"x": torch.full((2, 1, 5, 7), 2.0, device="cpu")}, "pixels in \\[0, 1\\]"),
        ({"x": torch.full((2, 1, 5, 7), torch.nan, device="cpu")}, "pixels in \\[0, 1\\]"),
        ({"x": torch.zeros(2, 1, 5, 7, dtype=torch.uint8, device="cpu")}, "floats in"),
        ({"labels": torch.zeros(3, dtype=torch.long, device="cpu")}, r"class numbers \(2,\)"),
        ({"labels": torch.zeros(2, device="cpu")}, "torch.float32"),
        ({"labels": [0, 1]}, "got labels list"),
        ({"labels": torch.tensor([0, 4], device="cpu")}, "labels from 0 to 3"),
        ({"classes": ("a", "b")}, "there came 2 names"),
        ({"classes": ("a", "b", "c", "a")}, "all different"),
        ({"classes": ("a", "b", "c", "answer")}, "none called label or answer"),
        ({"truth": [[True]]}, "got truth list"),
        ({"truth": torch.ones(5, 7, device="cpu")}, "torch.float32"),
        ({"truth": torch.ones(5, 7, dtype=torch.bool, device="cpu")}, "some of them True and some False"),
        ({"truth": torch.zeros(5, 7, dtype=torch.bool, device="cpu")}, "some of them True and some False"),
        ({"truth": torch.eye(5, dtype=torch.bool, device="cpu")}, r"torch.bool \(5, 5\)"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_plain_words(change, says):
    fits = {
        "model": linear(5, 7, 4),
        "x": pictures(2, 5, 7),
        "labels": torch.tensor([0, 1], device="cpu"),
        "classes": None,
        "truth": None,
    }
    with pytest.raises(ValueError, match=says):
        SaliencyExplorerEngine(**(fits | change))
    SaliencyExplorerEngine(**fits)


@pytest.mark.parametrize("shape", [(1, 9), (2, 2), (3, 1)])
def test_two_classes_and_small_or_narrow_pictures(shape):
    engine = given(*shape, 2, target=1, layers=1)
    for baseline in BASELINES:
        engine.set(baseline=baseline)
        engine.snapshot(), engine.describe()
        refused = {name for name, map in engine.level().maps.items() if map.values is None}
        assert refused == {"guided_backprop", "grad_cam"}
    picture(engine)


# ---------------------------------------------------------------- to hand on


@pytest.mark.parametrize("picked", METHODS)
def test_the_program_gives_the_map_to_the_bit(picked, capsys):
    engine = explorer(picked=picked)
    engine.show(5)
    for values, draw in (({}, False), ({"layers": 2, "seed": 3, "baseline": "blurred", "target": 4}, True)):
        engine.set(**values)
        if draw:
            engine.example(4)
        space = {}
        exec(engine.to_code(), space)
        assert torch.equal(space["found"], engine.map)
    assert "sums to" in capsys.readouterr().out


@pytest.mark.parametrize("baseline", BASELINES)
def test_the_program_for_a_network_of_ones_own_in_another_precision(baseline):
    net, x = linear(8, 8, 4).double(), pictures(3, 8, 8).double()
    engine = SaliencyExplorerEngine(net, x, torch.tensor([0, 1, 2], device="cpu"), baseline=baseline, layers=1)
    for prepare in (lambda: engine.show(2), lambda: engine.example(1)):
        prepare()
        for picked in ("integrated_gradients", "smoothgrad", "shapley"):
            engine.set(picked=picked)
            space = {"model": net, "x": x}
            exec(engine.to_code(), space)
            assert space["found"].dtype == torch.float64
            assert torch.equal(space["found"], engine.map)


def test_a_share_string_comes_back():
    engine = explorer(picked="lrp", target=3, layers=2, seed=7, curve="insertion", gone=0.4, baseline="ink")
    engine.show(8)
    again = SaliencyExplorerEngine.from_share(engine.share())
    assert (again.describe(), again.share()) == (engine.describe(), engine.share())
    engine.example(2)
    again = SaliencyExplorerEngine.from_share(engine.share())
    assert again.describe() == engine.describe()
    fresh = engine.again()
    fresh.take(SaliencyExplorerEngine.opened(engine.share()))
    assert fresh.describe() == engine.describe()


@pytest.mark.parametrize(
    "change",
    [
        {"index": 5000},
        {"index": "x"},
        {"index": None, "strokes": [[[3, 3]]]},
        {"index": None, "strokes": 7},
        {"params": {"layers": 9}},
        {"params": {"target": "cat"}},
        {"params": []},
    ],
)
def test_a_damaged_share_string_is_refused(change):
    engine = explorer()
    state = engine.state() | change
    engine.state = lambda: state
    with pytest.raises(ValueError, match=r"wanted|share string|no such class|not on the pad|with parameters"):
        SaliencyExplorerEngine.from_share(engine.share())


def test_a_string_for_other_pictures_is_refused():
    late = explorer()
    late.show(50)
    labels = torch.tensor([0, 1, 2], device="cpu")
    with pytest.raises(ValueError, match="from 0 to 2"):
        SaliencyExplorerEngine.from_share(late.share(), linear(8, 8, 10), pictures(3, 8, 8), labels)
    late.example(1)
    with pytest.raises(ValueError, match="can be drawn"):
        SaliencyExplorerEngine.from_share(late.share(), linear(5, 7, 10), pictures(3, 5, 7), labels)
