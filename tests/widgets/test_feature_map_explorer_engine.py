"""The explorer without a browser: maps, units, channels switched off and patches, each against a slow definition."""

import copy
import json

import numpy as np
import pytest
import torch
from dlcourse_explorer import digits, large, trained
from dlcourse_oracles import hooks_left

from dlcourse import generator, models, nn, units
from dlcourse.widgets import FeatureMapExplorerEngine
from dlcourse.widgets.draw_pad import ink, mnist
from dlcourse.widgets.draw_pad.digits import digit
from dlcourse.widgets.feature_map_explorer.network import spread
from dlcourse.widgets.feature_map_explorer.picture import picture
from dlcourse.widgets.feature_map_explorer.question import Question
from dlcourse.widgets.feature_map_explorer.unit import MOST
from dlcourse.widgets.snapshot import LIMIT, pack


def explorer(**values) -> FeatureMapExplorerEngine:
    return FeatureMapExplorerEngine(trained(), *digits(), **({"layer": "conv1"} | values))


def slow_run(model, picture, off=()):
    """Every layer's output for one picture, layer by layer, with some channels put to 0: ({name: maps}, logits)."""
    seen, h = {}, picture[None]
    with torch.no_grad():
        for name, module in model._modules.items():  # one that comes twice too
            h = module(h).clone()
            for layer, channel in off:
                if layer == name:
                    h[0, channel] = 0
            seen[name] = h[0].clone()
    return seen, h[0]


def found(engine: FeatureMapExplorerEngine) -> FeatureMapExplorerEngine:
    engine.find()
    while engine.running:
        engine.step()
    return engine


# ---------------------------------------------------------------- maps and probabilities


def test_it_begins_with_the_first_image_and_the_strongest_unit_behind_the_first_activation():
    engine = FeatureMapExplorerEngine(trained(), *digits())
    x, _ = digits()
    assert (engine.index, engine.layer.name, engine.unit[0]) == (0, "relu1", 0)
    maps = slow_run(trained(), x[0])[0]["relu1"]
    assert maps[engine.unit] == maps[0].max()
    assert torch.equal(engine.picture, x[0])


@pytest.mark.parametrize("off", [(), (("conv1", 2),), (("relu1", 0), ("relu1", 5), ("pool2", 3))])
def test_the_maps_are_the_layers_outputs_with_what_is_off(off):
    engine, model = explorer(), trained()
    engine.example(3)
    for layer, channel in off:
        engine.switch(channel, layer)
    seen, logits = slow_run(model, engine.picture, off)
    for name in engine.network.layers:
        engine.set(layer=name)
        torch.testing.assert_close(engine.maps, seen[name])
    torch.testing.assert_close(engine.probabilities(), logits.softmax(0))
    torch.testing.assert_close(engine.probabilities(frozenset()), slow_run(model, engine.picture)[1].softmax(0))
    assert engine.off == sorted(off)


def test_the_layers_are_those_with_maps_in_the_models_order():
    engine = explorer()
    assert list(engine.network.layers) == ["conv1", "pool1", "norm1", "relu1", "conv2", "pool2", "norm2", "relu2"]
    kinds = [layer.kind for layer in engine.network.layers.values()]
    assert kinds[:4] == ["convolution", "pool", "normalisation", "activation"]
    signed = {name for name, layer in engine.network.layers.items() if layer.signed}
    assert signed == {"conv1", "norm1", "conv2", "norm2", "pool1", "pool2"}


def test_the_scale_of_a_layer_holds_what_it_gives_on_some_images():
    engine, (x, _) = explorer(), digits()
    some = x[spread(len(x), 64)]
    with torch.no_grad():
        values = trained()[:4](some)
    layer = engine.network.layers["relu1"]
    assert (layer.low, layer.high) == pytest.approx((0.0, float(values.max())))
    assert layer.reach == pytest.approx(float(values[values > 0].quantile(0.99)), rel=0.05)
    assert layer.reach < layer.high, "a few values do not make all maps pale"
    engine.set(layer="relu1")
    sent = engine.snapshot().arrays["maps"]
    np.testing.assert_allclose(sent / 254 * layer.reach, engine.maps.clamp(max=layer.reach), atol=layer.reach / 254)
    engine.set(layer="conv1")
    layer = engine.layer
    sent = engine.snapshot().arrays["maps"]
    shown = engine.maps.clamp(-layer.reach, layer.reach)
    np.testing.assert_allclose((sent / 127 - 1) * layer.reach, shown, atol=layer.reach / 120)


@pytest.mark.parametrize(("down", "right"), [(1, 0), (0, -2), (-3, 4)])
def test_the_picture_moves_and_zeros_move_in(down, right):
    engine, (x, _) = explorer(down=down, right=right), digits()
    wanted = torch.zeros(1, 8, 8)
    for row in range(8):
        for column in range(8):
            if 0 <= row + down < 8 and 0 <= column + right < 8:
                wanted[0, row + down, column + right] = x[0, 0, row, column]
    assert torch.equal(engine.picture, wanted)
    engine.set(down=0, right=0)
    assert torch.equal(engine.picture, x[0])


def test_a_drawing_takes_the_place_of_an_image_and_back():
    engine, (x, _) = explorer(), digits()
    engine.draw([(0.2, 0.2), (0.8, 0.8)])
    assert engine.index is None
    assert torch.equal(engine.picture, engine.pad.image)
    engine.set(pen=0.15)
    assert torch.equal(engine.picture, engine.pad.image)
    engine.show(17)
    assert torch.equal(engine.picture, x[17])
    assert engine.pad.drawing.empty
    engine.set(pen=0.05)
    assert torch.equal(engine.picture, x[17])
    engine.undo()
    assert len(engine.pad.drawing.strokes) == 1
    engine.clear()
    assert not engine.picture.any()
    engine.toggle(2, 3)
    assert engine.picture.any()
    engine.reset()
    assert (engine.index, engine.off, engine.pad.past) == (0, [], [])


# ---------------------------------------------------------------- one unit


def test_the_way_back_and_the_sum_at_every_place():
    """Values on the way are those of the maps, the pool's place is one of the largest, and the terms add up."""
    engine = explorer()
    engine.example(8)
    seen, _ = slow_run(trained(), engine.picture)
    for name in ("relu1", "conv2", "relu2"):
        engine.set(layer=name)
        for channel, row, column in np.ndindex(*seen[name].shape):
            engine.look(channel, row, column)
            explained = engine.explained()
            for place in explained.way:
                assert place.value == pytest.approx(
                    float(seen[place.layer][channel, place.row, place.column]), abs=1e-6
                )
            pooled = {place.layer[:4]: place for place in explained.way}
            if "pool" in pooled:
                assert pooled["pool"].value == pooled["conv"].value
                assert (pooled["conv"].row // 2, pooled["conv"].column // 2) == (row, column)
            terms = explained.terms
            assert sum(terms.sums) + terms.rest + terms.bias == pytest.approx(terms.value, abs=1e-5)
            torch.testing.assert_close(terms.sums, tuple((terms.inputs * terms.kernels).sum((1, 2)).tolist()))
    assert terms.others == 6 - MOST
    assert [abs(value) for value in terms.sums] == sorted(map(abs, terms.sums), reverse=True)


def test_the_first_convolution_shows_the_picture_and_the_kernel():
    engine = explorer()
    engine.look(3, 0, 4)
    terms = engine.explained().terms
    assert (terms.of_picture, terms.channels, terms.others) == (True, (0,), 0)
    padded = torch.nn.functional.pad(engine.picture, (1, 1, 1, 1))
    assert torch.equal(terms.inputs, padded[:, 0:3, 4:7])
    assert torch.equal(terms.kernels, trained().conv1.weight[3].detach())


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
        {"kernel_size": 3, "padding": "same", "dilation": 2},
        pytest.param({"kernel_size": 4, "padding": "same"}, marks=pytest.mark.filterwarnings("ignore:Using padding")),
        {"kernel_size": 2, "padding": "valid", "bias": False},
        {"kernel_size": 3, "padding": 1, "groups": 2},
    ],
)
def test_the_sum_for_every_kind_of_convolution(settings):
    torch.manual_seed(0)
    first = torch.nn.Conv2d(1, 4, 3, padding=1, device="cpu")
    model = torch.nn.Sequential(first, torch.nn.Conv2d(4, 6, device="cpu", **settings), nn.Flatten()).eval()
    out = model(torch.zeros(1, 1, 8, 8)).shape[1]
    model.append(torch.nn.Linear(out, 3, device="cpu"))
    engine = FeatureMapExplorerEngine(model, torch.rand(4, 1, 8, 8, generator=generator(1)), [0, 1, 2, 0], layer="1")
    for unit in np.ndindex(*engine.maps.shape):
        engine.look(*map(int, unit))
        terms = engine.explained().terms
        bias = terms.bias or 0.0
        assert sum(terms.sums) + terms.rest + bias == pytest.approx(float(engine.maps[unit]), abs=1e-5)
        if settings.get("groups"):
            assert set(terms.channels) == ({0, 1} if unit[0] < 3 else {2, 3})


def test_a_layer_that_works_in_place_changes_nothing_of_what_was_seen():
    plain, inplace = copy.deepcopy(trained()), copy.deepcopy(trained())
    inplace.relu1 = torch.nn.ReLU(inplace=True)
    for layer in ("norm1", "relu1"):
        a, b = (FeatureMapExplorerEngine(model, *digits(), layer=layer, channel=2) for model in (plain, inplace))
        assert torch.equal(a.maps, b.maps)
        assert a.explained().way == b.explained().way
        assert a.layer == b.layer


def test_the_way_of_a_channel_that_is_off_ends_there():
    engine = explorer(layer="relu2", channel=4)
    engine.switch(4, "pool2")
    assert [place.how for place in engine.explained().way] == ["", "", "switched off"]
    assert engine.explained().terms is None
    assert engine.explained().way[-1].value == 0


def test_means_and_sums_of_paths_are_said():
    classic = FeatureMapExplorerEngine(
        models.lenet_classic(generator=generator(0)), *large()[1:], layer="pool1", channel=1
    )
    assert "mean of 2" in classic.explained().ends
    assert "sigmoid1" in classic.explained().ends
    residual = models.resnet(widths=(4, 6), generator=generator(0))
    engine = FeatureMapExplorerEngine(residual, *digits(), layer="block1_1")
    assert engine.explained().ends == "a sum of paths"
    assert not {"block1_1.body", "block1_1.shortcut"} & set(engine.network.layers)
    engine.set(layer="block2_1.body.norm1")
    assert [place.layer for place in engine.explained().way] == ["block2_1.body.norm1", "block2_1.body.conv1"]


def test_the_field_of_a_unit_is_the_networks():
    engine = explorer(layer="pool1")
    engine.look(0, 1, 3)
    assert nn.receptive_fields(trained())["pool1"].window(1, 3) == (1, 5, 5, 9)
    header = engine.snapshot().header
    assert "rows 1 to 4 and columns 5 to 8" in header["unit"]["sees"]
    assert "beyond the edge" in header["unit"]["sees"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"layer": "conv9"}, "no such layer of maps; it has 'conv1', 'pool1'"),
        ({"layer": 3}, "wanted the name of a layer"),
        ({"channel": 6}, "wanted 0 to 5"),
        ({"row": 8}, "6 of 8 x 8, so wanted 0 to 7"),
        ({"layer": "relu2", "channel": 10}, "10 of 2 x 2, so wanted 0 to 9"),
        ({"down": 5}, "from -4 to 4"),
    ],
)
def test_settings_are_all_or_nothing(values, says):
    engine = explorer(layer="conv1", channel=5, row=7, column=6)
    before = engine.state()
    with pytest.raises(ValueError, match=says):
        engine.set(**values)
    assert engine.state() == before
    with pytest.raises(ValueError, match=says):
        explorer(**values)


def strongest(engine: FeatureMapExplorerEngine) -> bool:
    return bool(engine.maps[engine.unit] == engine.maps[engine.unit[0]].max())


def test_the_unit_is_the_channels_strongest_until_one_is_chosen():
    engine = explorer(layer="conv1", channel=5)
    for change in (
        lambda: engine.show(17),
        lambda: engine.example(4),
        lambda: engine.set(down=2, right=-1),
        lambda: engine.set(layer="relu2"),
        lambda: engine.set(channel=2),
        lambda: engine.set(layer="conv1"),
    ):
        change()
        assert engine.follows
        assert strongest(engine)
    place = engine.unit
    engine.switch(2)
    assert engine.unit == place, "it does not run away from a map that is put to 0"
    engine.switch(2)
    engine.look(2, 0, 7)
    for change in (lambda: engine.show(3), lambda: engine.set(channel=4), lambda: engine.set(down=0)):
        change()
        assert (engine.unit[1:], engine.follows) == ((0, 7), False)
    assert engine.snapshot().header["unit"]["follows"] is False
    engine.set(layer="norm1")  # smaller maps: that place is none of theirs
    assert strongest(engine)
    engine.set(row=1, column=1)
    engine.set(layer="relu1")
    assert engine.unit == (4, 1, 1), "maps of the same size: the same place"
    engine.look(4)
    assert engine.follows
    assert strongest(engine)
    with pytest.raises(ValueError, match="both or neither"):
        engine.look(1, 2)
    engine.set(layer="")
    assert engine.layer.name == "relu1"


def test_a_share_string_keeps_a_chosen_unit_and_one_that_follows():
    for engine in (explorer(layer="relu1", channel=1), explorer(layer="relu1", channel=1, row=2, column=2)):
        engine.example(3)
        again = FeatureMapExplorerEngine.from_share(engine.share(), trained(), *digits())
        assert (again.unit, again.follows) == (engine.unit, engine.follows)
        again.example(8)
        assert again.follows == (again.unit != (1, 2, 2)) or strongest(again)


# ---------------------------------------------------------------- channels switched off


def test_accuracy_is_measured_on_the_sample():
    engine, (x, y) = explorer(), digits()
    engine.switch(2, "relu1")
    at = [index * len(x) // 600 for index in range(600)]
    probabilities = torch.stack([slow_run(trained(), x[i], [("relu1", 2)])[1].softmax(0) for i in at])
    truth = y[at]
    measured = engine.measured()
    assert measured.accuracy == pytest.approx(float((probabilities.argmax(1) == truth).float().mean()))
    for label in range(10):
        mine = truth == label
        assert int(measured.count[label]) == int(mine.sum())
        assert float(measured.sure[label]) == pytest.approx(float(probabilities[mine, label].mean()), abs=1e-5)
    assert engine.measured(frozenset()).accuracy > measured.accuracy - 1
    assert engine.measured() is engine.measured()  # kept


def test_a_class_that_the_sample_lacks_is_no_number_and_no_answer():
    x, y = digits()
    some = y != 7
    engine = FeatureMapExplorerEngine(trained(), x[some], y[some])
    assert engine.measured().sure[7].isnan()
    assert engine.measured().accuracy > 0.5
    engine.ask()
    engine.guess(7)
    assert 7 not in engine.question.answer


def test_off_and_on_again():
    engine = explorer()
    engine.switch(1)
    engine.switch(0, "relu2")
    assert engine.off == [("conv1", 1), ("relu2", 0)]
    engine.switch(1)
    assert engine.off == [("relu2", 0)]
    engine.restore_all()
    assert engine.off == []
    for wrong in (6, -1, 1.5, "1", True):
        with pytest.raises(ValueError, match="channel"):
            engine.switch(wrong)
    with pytest.raises(ValueError, match="no such layer"):
        engine.switch(0, "linear")


def test_the_network_is_left_as_it_was():
    model = copy.deepcopy(trained()).train()
    model.norm2.eval()
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    engine = found(FeatureMapExplorerEngine(model, *digits(), layer="relu1"))
    engine.switch(0)
    engine.ask()
    engine.guess(3)
    engine.snapshot(), engine.describe(), picture(engine)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in (model, model.norm1, model.norm2)] == [True, True, False]
    assert not hooks_left(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def changed(engine: FeatureMapExplorerEngine, by: float = -1.3) -> None:
    with torch.no_grad():
        for parameter in engine.network.source.parameters():
            parameter.mul_(by)


def own(**values) -> FeatureMapExplorerEngine:
    """Around a network that a test may change."""
    return FeatureMapExplorerEngine(copy.deepcopy(trained()), *digits(), **values)


def test_a_network_trained_on_meanwhile_is_seen_at_once_and_the_drawing_stays():
    engine = found(own(layer="conv1", channel=2, row=3, column=3))
    engine.example(4)
    engine.switch(1)
    engine.snapshot()
    drawing = engine.picture.clone()
    changed(engine)
    header = engine.snapshot().header
    again = FeatureMapExplorerEngine(engine.network.source, *digits(), layer="conv1", channel=2, row=3, column=3)
    again.example(4)
    again.switch(1)
    wanted = again.snapshot().header
    assert {**header, "notice": "", "search": 0, "ids": 0} == {**wanted, "notice": "", "search": 0, "ids": 0}
    assert "weights have changed" in header["notice"]
    assert "weights have changed" in engine.describe()
    assert wanted["notice"] == ""
    assert torch.equal(engine.picture, drawing)
    assert (engine.unit, engine.off) == ((2, 3, 3), [("conv1", 1)])
    assert engine.patches() is None, "what was found was the other network's"
    engine.reset()
    assert engine.snapshot().header["notice"] == ""


def test_the_sum_of_a_unit_adds_up_after_training_on_the_same_picture():
    engine = own(layer="conv1")
    engine.snapshot()
    changed(engine)
    terms = engine.explained().terms
    assert sum(terms.sums) + terms.rest + terms.bias == pytest.approx(terms.value, abs=1e-5)


@pytest.mark.parametrize("how", ["an optimizer's step", "batch norm's statistics", "load_state_dict", "another module"])
def test_every_way_to_change_a_network_is_noticed(how):
    engine, other = own(), models.lenet(image=(1, 8, 8), widths=(6, 10), kernel=3, generator=generator(9))
    model = engine.network.source
    assert not engine.refresh()
    if how == "an optimizer's step":
        model(digits()[0][:8]).sum().backward()
        torch.optim.Adam(model.parameters()).step()
    elif how == "batch norm's statistics":
        model.train()(digits()[0][:8])
    elif how == "load_state_dict":
        model.load_state_dict(other.state_dict())
    else:
        model.relu2 = torch.nn.Sigmoid()
    assert engine.refresh()
    assert not engine.refresh()
    wanted = FeatureMapExplorerEngine(model, *digits()).probabilities()
    torch.testing.assert_close(engine.probabilities(), wanted)


def test_a_network_with_other_layers_is_a_sentence_and_the_old_one_stays():
    engine = own(layer="relu2")
    before = engine.maps
    model = engine.network.source
    model.linear = torch.nn.Linear(7, 10, device="cpu")
    assert "what is shown is the one before" in engine.snapshot().header["notice"]
    assert torch.equal(engine.maps, before)
    del model[3:]
    assert "what is shown is the one before" in engine.snapshot().header["notice"]


def test_an_open_question_survives_training_and_an_answered_one_does_not():
    engine = own()
    engine.ask()
    changed(engine)
    engine.guess(0)
    assert engine.question.after.accuracy == engine.measured().accuracy
    changed(engine)
    assert engine.snapshot().header["question"] is None


def test_weights_that_are_no_numbers_are_a_sentence_and_no_crash():
    engine = found(own(layer="conv1"))
    with torch.no_grad():
        engine.network.source.conv1.weight[0] = torch.nan
    for layer in list(engine.network.layers):
        engine.set(layer=layer)
        snapshot = engine.snapshot()
        json.dumps(pack(snapshot)[0], allow_nan=False)
        header = snapshot.header
        assert "not a number (nan): it has been trained to pieces" in header["notice"]
        assert header["best"] == {"class": None, "name": None, "probability": None}
        assert header["say"] == "The network's answer is not a number."
        assert header["accuracy"]["now"] == 0
        assert "nan" not in engine.describe().replace("(nan)", "")
        assert picture(engine).png.startswith(b"\x89PNG")
    engine.set(layer="conv1", channel=0)
    assert engine.snapshot().header["unit"]["value"] is None
    assert (engine.snapshot().arrays["maps"][0] == 255).all()
    with pytest.raises(ValueError, match="not numbers"):
        engine.ask()
    with pytest.raises(ValueError, match="not numbers"):
        engine.find()
    engine.switch(0)  # without it the network answers
    assert engine.probabilities().isfinite().all()
    engine.snapshot(), engine.describe(), picture(engine)


# ---------------------------------------------------------------- a module at several places


def twice(shared: torch.nn.Module, size: int) -> torch.nn.Module:
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 4, 3, padding=1), shared, torch.nn.Conv2d(4, 4, 3, padding=1), shared]
    return torch.nn.Sequential(*layers, nn.Flatten(), torch.nn.Linear(size, 10)).eval()


@pytest.mark.parametrize(
    ("shared", "size"),
    [
        (torch.nn.ReLU(), 256),
        (torch.nn.ReLU(inplace=True), 256),
        (torch.nn.MaxPool2d(2), 16),
        (torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Conv2d(4, 4, 1), torch.nn.ReLU()), 256),
    ],
)
def test_a_module_used_twice_is_a_layer_at_each_place(shared, size):
    model = twice(shared, size)
    x, y = digits()
    engine = FeatureMapExplorerEngine(model, x[:50], y[:50])
    first, last = ("1.2", "3.2") if isinstance(shared, torch.nn.Sequential) else ("1", "3")
    seen, _ = slow_run(model, x[0])
    for name in engine.network.layers:
        engine.set(layer=name)
        found(engine)
        engine.snapshot()
        assert engine.explained().way[0].layer == name
    for name in (first, last):
        engine.set(layer=name)
        torch.testing.assert_close(engine.maps, seen[name[0]])
        engine.look(1)
        best = seen_best(model, x[:50], int(name[0]), 1)
        torch.testing.assert_close(engine.patches().values, best)
    engine.switch(2, first)  # off at one place only
    off, logits = slow_run(model, x[0], [("1", 2)])
    torch.testing.assert_close(engine.maps, off["3"])
    torch.testing.assert_close(engine.probabilities(), logits.softmax(0))
    names = {"model": model, "images": x}
    exec(engine.to_code(), names)
    assert torch.equal(names["maps"], engine.maps)


def seen_best(model, images, layer, channel):
    with torch.no_grad():
        return model[: layer + 1](images)[:, channel].flatten(1).amax(1).sort(descending=True).values[:9]


# ---------------------------------------------------------------- what a norm fills again


def test_a_channel_that_a_norm_fills_again_is_said_to_be():
    model = copy.deepcopy(trained())
    with torch.no_grad():
        model.norm1.bias[3] = 5.0
        model.norm1.bias[2] = -100.0
    engine = FeatureMapExplorerEngine(model, *digits(), layer="conv1", channel=3)
    left = slow_run(model, engine.picture, [("conv1", 3)])[0]["relu1"][3]
    assert left.min() == left.max() > 0
    ((layer, channel, end, value),) = engine.filled()
    assert (layer, channel, end) == ("conv1", 3, "relu1")
    assert value == pytest.approx(float(left.max()))
    (words,) = engine.snapshot().header["filled"]
    assert "switch it off in relu1" in words
    engine.switch(3)
    assert "switch it off in relu1" in engine.describe()
    engine.restore_all()
    for name, which in (("relu1", 3), ("conv1", 2)):
        engine.set(layer=name, channel=which)
        assert engine.filled() == []


# ---------------------------------------------------------------- predict before you see


def test_the_answer_is_what_is_measured():
    engine = explorer(layer="relu1", channel=3)
    engine.switch(3)
    engine.ask()
    assert engine.off == [], "asked about a channel that is on"
    assert "will be switched off" in engine.question.text
    assert "mean probability of the right answer" in engine.question.text
    assert engine.snapshot().header["question"]["answer"] == []
    before = engine.measured().sure
    engine.guess(10)
    assert engine.off == [("relu1", 3)]
    losses = before - engine.measured().sure
    question = engine.snapshot().header["question"]
    assert question["answer"] == [int(losses.argmax())]
    assert question["right"] is False
    assert (
        f"You said none of them: class {question['answer'][0]} loses most. The mean probability" in question["verdict"]
    )
    assert (question["asked_count"], question["right_count"]) == (1, 0)
    engine.ask()
    engine.guess(question["answer"][0])
    assert engine.snapshot().header["question"]["right"] is True
    assert engine.right_count == 1


def test_others_that_are_off_stay_off_and_are_said():
    engine = explorer(layer="relu1", channel=3)
    engine.switch(1)
    engine.ask()
    assert "beside those that are off already" in engine.question.text
    engine.guess(0)
    assert engine.off == [("relu1", 1), ("relu1", 3)]
    losses = engine.measured(frozenset({("relu1", 1)})).sure - engine.measured().sure
    assert engine.question.answer == (int(losses.argmax()),)


def test_a_channel_that_nobody_misses():
    model = copy.deepcopy(trained())
    with torch.no_grad():
        model.conv2.weight[:, 4] = 0  # nobody listens to it
    engine = FeatureMapExplorerEngine(model, *digits(), layer="relu1", channel=4)
    engine.ask()
    engine.guess(10)
    assert engine.question.answer == (10,)
    assert "falls by 0.005 or more for no class" in engine.question.verdict()


def test_cancelling_puts_back_what_was_off():
    for cancel in (lambda engine: engine.forget(), lambda engine: engine.look(1), lambda engine: engine.ask()):
        engine = explorer(layer="relu1", channel=3)
        engine.switch(3)
        engine.ask()
        cancel(engine)
        engine.forget()
        assert engine.off == [("relu1", 3)]
    engine.look(3)
    engine.ask()
    engine.switch(3)  # as it stands on the screen: it is on
    assert engine.off == [("relu1", 3)]
    engine.ask()
    engine.guess(0)
    engine.forget()
    assert engine.off == [("relu1", 3)]
    engine.restore_all()
    engine.ask()
    engine.forget()
    assert engine.off == []


def test_the_likely_mistake_is_named():
    """To name the class of the best patches: excited most is not the same as missed most."""
    engine = found(explorer(layer="relu1"))
    labels = digits()[1]
    told = 0
    for channel in range(6):
        engine.restore_all()
        engine.look(channel)
        favourite = int(labels[engine.patches().images].mode().values)
        engine.ask()
        engine.guess(favourite)
        assert ("best patches are of class" in engine.question.verdict()) == (not engine.question.right)
        told += not engine.question.right
    assert told


def test_a_tie_has_two_answers():
    question = Question("conv1", 0, ("a", "b", "c"), guess=1)
    engine = explorer()
    question.before = engine.measured()
    question.after = copy.copy(question.before)
    object.__setattr__(question.before, "sure", torch.tensor([0.9, 0.9, 0.9]))
    object.__setattr__(question.after, "sure", torch.tensor([0.5, 0.5, 0.8]))
    assert question.answer == (0, 1)
    assert question.right


@pytest.mark.parametrize(
    "change",
    [
        lambda engine: engine.switch(0),
        lambda engine: engine.set(layer="relu1"),
        lambda engine: engine.look(2),
        lambda engine: engine.restore_all(),
        lambda engine: engine.forget(),
    ],
)
def test_what_changes_the_subject_drops_the_question(change):
    engine = explorer()
    engine.ask()
    change(engine)
    assert engine.snapshot().header["question"] is None
    with pytest.raises(ValueError, match="no open question"):
        engine.guess(0)


# ---------------------------------------------------------------- best patches


def test_the_search_finds_what_units_finds():
    engine = explorer(layer="relu1")
    assert engine.patches() is None
    assert not engine.running
    found(engine)
    for channel in range(6):
        engine.look(channel)
        top = units.top_patches(trained(), "relu1", digits()[0], channel)
        mine = engine.patches()
        torch.testing.assert_close(mine.values, top.values)
        assert torch.equal(mine.images, top.images)
        assert torch.equal(mine.places, top.places)
        assert torch.equal(mine.patches, top.patches)


def test_the_search_goes_in_steps_stops_and_goes_on():
    engine = explorer()
    engine.find()
    engine.step(2)
    header = engine.snapshot().header["search"]
    assert (header["state"], header["done"], header["total"]) == ("searching", 128, 1442)
    assert max(each["image"] for each in header["patches"]) < 128
    engine.stop()
    assert not engine.running
    engine.step(5)
    assert engine.snapshot().header["search"]["done"] == 128
    engine.find()
    assert engine.running
    engine.set(layer="conv2")
    assert not engine.running
    assert engine.snapshot().header["search"]["state"] == "none"
    engine.set(layer="conv1")
    assert engine.snapshot().header["search"]["state"] == "stopped"
    found(engine)
    assert engine.snapshot().header["search"]["state"] == "finished"
    engine.find()
    assert not engine.running


def test_a_dead_channel_is_said_to_be_dead():
    model = copy.deepcopy(trained())
    with torch.no_grad():
        model.norm1.bias[2] = -100.0
    engine = FeatureMapExplorerEngine(model, *digits(), layer="relu1", channel=2)
    assert engine.snapshot().header["unit"]["silent"] is True
    snapshot = found(engine).snapshot()
    assert snapshot.header["search"]["silent"] is True
    assert (snapshot.header["search"]["patches"], len(snapshot.arrays["patches"])) == ([], 0)
    assert "0 on all 1442 images" in engine.describe()
    assert "most are of the classes" not in engine.describe()
    engine.look(1)
    header = engine.snapshot().header
    assert (header["search"]["silent"], len(header["search"]["patches"])) == (False, 9)


def test_channels_that_are_off_do_not_disturb_the_search():
    engine = explorer(layer="conv2", channel=1)
    engine.switch(0, "relu1")
    top = units.top_patches(trained(), "conv2", digits()[0], 1)
    torch.testing.assert_close(found(engine).patches().values, top.values)


def test_a_search_that_fails_stops():
    engine = explorer()
    engine.find()
    engine.network.model.linear = torch.nn.Linear(7, 10, device="cpu")
    with pytest.raises(RuntimeError):
        engine.step()
    assert not engine.running


def test_patches_show_where_the_picture_ends():
    engine = found(explorer(layer="pool1", channel=2))
    sent, patches = engine.snapshot().arrays["patches"], engine.patches()
    assert sent.shape == (9, 4, 4)
    field = engine.layer.field
    for piece, patch, (row, column) in zip(sent, patches.patches, patches.places.tolist(), strict=True):
        top, left, _, _ = field.window(row, column)
        for r, c in np.ndindex(4, 4):
            if 0 <= top + r < 8 and 0 <= left + c < 8:
                assert piece[r, c] == pytest.approx(254 * float(patch[0, r, c]), abs=0.51)
            else:
                assert piece[r, c] == 255
    engine.set(layer="relu2")
    first = found(engine).patches().images[0]
    sent = engine.snapshot().arrays["patches"]
    assert sent.shape == (9, 8, 8)  # the field is larger: the picture itself
    np.testing.assert_allclose(sent[0] / 254, digits()[0][first, 0], atol=0.003)


# ---------------------------------------------------------------- 28 x 28, drawn as MNIST was


def test_the_ink_fills_a_box_of_20_pixels_and_balances_in_the_middle():
    for which in range(10):
        for scale, shift in ((1.0, 0.0), (0.4, 0.5)):
            strokes = [[(x * scale + shift, y * scale + shift) for x, y in points] for points in digit(which)]
            image = mnist.counted(ink.segments(strokes), set(), 0.09 * scale).double()
            rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
            tall, wide = (int(each[-1] - each[0]) + 1 for each in (rows, columns))
            assert max(tall, wide) == 20
            place = torch.arange(28, dtype=torch.float64)
            for total in (image.sum(1), image.sum(0)):
                mean = float((total * place).sum() / total.sum())
                assert abs(mean - 14) <= 0.5 or max(tall, wide) == 20
                assert abs(mean - 14) <= 1.5


def test_a_wide_drawing_keeps_its_shape():
    image = mnist.counted(ink.segments([[(0.1, 0.5), (0.9, 0.5)]]), set(), 0.1)
    rows, columns = image.any(1).nonzero().flatten().tolist(), image.any(0).nonzero().flatten().tolist()
    assert columns == list(range(4, 24))
    assert len(rows) == 2  # 0.1 of 0.9 of 20 pixels is 2.2, and what lies in the outer tenths holds no sample


def test_the_grey_is_the_share_of_samples_with_ink():
    strokes, pen = digit(7), 0.1
    pieces = ink.segments(strokes)
    image = mnist.counted(pieces, {(7, 0)}, pen)
    left, top, right, bottom = ink.bounds(pieces, {(7, 0)}, pen)
    pixel = max(right - left, bottom - top) / 20
    slow = torch.zeros(20, 20, dtype=torch.int32)
    for row, column, i, j in np.ndindex(20, 20, 4, 4):
        x = (left + right) / 2 + (column + (j + 0.5) / 4 - 10) * pixel
        y = (top + bottom) / 2 + (row + (i + 0.5) / 4 - 10) * pixel
        slow[row, column] += ink.covered_slowly(x, y, pieces, {(7, 0)}, pen)
    mine, inner = (
        each[each.any(1).nonzero().min() : each.any(1).nonzero().max() + 1][
            :, each.any(0).nonzero().min() : each.any(0).nonzero().max() + 1
        ]
        for each in (image, slow)
    )
    assert mine.shape == inner.shape
    assert (mine - inner).abs().max() <= 1  # samples on the very edge
    assert (mine == inner).float().mean() > 0.99


def test_an_empty_pad_and_a_dot():
    assert not mnist.counted(ink.segments([]), set(), 0.1).any()
    dot = mnist.counted(ink.segments([[(0.1, 0.9)]]), set(), 0.1)
    assert dot[14, 14] == 16
    assert 4 * dot.sum() / 16 == pytest.approx(torch.pi * 400, rel=0.02)


def test_28_by_28():
    engine = FeatureMapExplorerEngine(*large())
    engine.example(4)
    assert engine.picture.shape == (1, 28, 28)
    assert torch.equal(engine.picture * 16, (engine.picture * 16).round())
    before = engine.picture
    engine.set(pen=0.15)
    assert engine.picture.sum() > before.sum()
    engine.set(layer="relu2", channel=30)
    assert sum(map(len, pack(found(engine).snapshot())[1])) < LIMIT
    assert int(engine.measured().count.sum()) == 40


# ---------------------------------------------------------------- what a view gets


def test_a_snapshot_is_small_and_strict_json_for_every_layer():
    for model, images, labels in (large(), (models.resnet(generator=generator(0)), *large()[1:])):
        engine = FeatureMapExplorerEngine(model, images, labels)
        for name in engine.network.layers:
            engine.set(layer=name)
            engine.find()
            engine.step()
            content, buffers = pack(engine.snapshot())
            assert sum(map(len, buffers)) < LIMIT
            assert len(json.dumps(content, allow_nan=False)) < 12_000


def test_many_channels_come_in_pages():
    torch.manual_seed(0)
    wide = torch.nn.Conv2d(1, 150, 1, device="cpu")
    model = torch.nn.Sequential(wide, nn.Flatten(), torch.nn.Linear(150 * 64, 2, device="cpu"))
    engine = FeatureMapExplorerEngine(model, torch.rand(3, 1, 8, 8), [0, 1, 0], channel=140)
    snapshot = engine.snapshot()
    assert (snapshot.header["layer"]["page"], snapshot.header["layer"]["of_page"]) == (128, 22)
    assert snapshot.arrays["maps"].shape == (22, 8, 8)
    engine.look(64)
    snapshot = engine.snapshot()
    assert (snapshot.header["layer"]["page"], snapshot.header["layer"]["of_page"]) == (64, 64)
    reach = engine.layer.reach
    maps = engine.maps[64].clamp(-reach, reach)
    np.testing.assert_allclose((snapshot.arrays["maps"][0] / 127 - 1) * reach, maps, atol=reach / 120)


def test_it_says_what_it_shows():
    engine = explorer(layer="relu1", channel=2, down=-1, right=2)
    words = engine.describe()
    assert words.startswith("Image 0, 0, is shown, moved by 1 up and 2 to the right. The network says ")
    assert "the 6 maps of relu1 (activation)" in words
    assert "channel 2, row" in words
    assert "are read right." in words
    engine.example(5)
    engine.switch(2)
    words = found(engine).describe()
    assert words.startswith("A drawing is shown")
    assert "Switched off: relu1: 2." in words
    assert "with all channels on" in words
    assert "excite channel 2 most are of the classes" in words
    still = picture(engine)
    assert still.png.startswith(b"\x89PNG")
    assert "6 maps of relu1" in still.alt
    assert "crossed out" in still.alt


def test_names_of_classes():
    names = [f"kind {index}" for index in range(10)]
    engine = FeatureMapExplorerEngine(trained(), *digits(), classes=names)
    assert "The network says kind 0" in engine.describe()
    engine.ask()
    assert engine.snapshot().header["question"]["options"] == [*names, "none of them"]


# ---------------------------------------------------------------- to hand on


def prepared() -> FeatureMapExplorerEngine:
    engine = explorer(layer="relu2", channel=5, pen=0.11, down=1)
    engine.example(6)
    engine.toggle(0, 0)
    engine.switch(3, "relu1")
    engine.switch(5)
    return engine


def test_a_share_string_holds_all_but_the_network():
    engine = prepared()
    again = FeatureMapExplorerEngine.from_share(engine.share(), trained(), *digits())
    assert again.state() == engine.state()
    assert torch.equal(again.maps, engine.maps)
    assert again.describe() == engine.describe()
    engine.show(21)
    again = FeatureMapExplorerEngine.from_share(engine.share(), trained(), *digits())
    assert again.index == 21
    assert len(engine.share()) < 1500


def test_a_share_string_of_another_network_or_a_damaged_one_is_refused():
    text = prepared().share()
    other = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, device="cpu"), nn.Flatten(), torch.nn.Linear(72, 10, device="cpu")
    )
    with pytest.raises(ValueError, match="no such layer"):
        FeatureMapExplorerEngine.from_share(text, other, *digits())
    with pytest.raises(ValueError, match="wants your own trained network"):
        FeatureMapExplorerEngine.from_share(text)
    with pytest.raises(ValueError, match="damaged"):
        FeatureMapExplorerEngine.from_share(text[:-9], trained(), *digits())


@pytest.mark.parametrize(
    "change",
    [
        {"index": 5000},
        {"index": "1"},
        {"off": 3},
        {"off": [["relu1"]]},
        {"off": [[1, 2]]},
        {"off": [["relu1", 99]]},
        {"strokes": [[[2, 2]]]},
        {"cells": [[9, 9]]},
        {"params": {"layer": "conv1", "row": 99}},
        {"params": 3},
        {"off": [["relu1", 1]] * 5000},
    ],
)
def test_a_state_that_does_not_fit_is_a_plain_error(change):
    state = prepared().state() | {"index": None} | change
    with pytest.raises(ValueError):  # noqa: PT011
        explorer().take(state)


@pytest.mark.parametrize("kind", ["drawing", "image", "large"])
def test_the_program_computes_the_maps_on_the_screen(kind, capsys):
    model, images, labels = large() if kind == "large" else (trained(), *digits())
    engine = FeatureMapExplorerEngine(model.eval(), images, labels, layer="relu1", channel=1)
    if kind == "image":
        engine.show(8)
    else:
        engine.example(2)
        engine.set(down=-1, right=2)
        for layer, channel in (("conv1", 0), ("relu1", 3), ("relu1", 1)):
            engine.switch(channel, layer)
    engine.look(2)
    names = {"model": model, "images": images}
    exec(engine.to_code(), names)
    assert torch.equal(names["maps"], engine.maps)
    torch.testing.assert_close(names["logits"].softmax(1)[0], engine.probabilities())
    assert str(engine.unit) in capsys.readouterr().out


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("drawn", [False, True])
def test_the_program_of_a_network_of_another_dtype(dtype, drawn):
    model = copy.deepcopy(trained()).to(dtype)
    engine = FeatureMapExplorerEngine(model, *digits(), layer="relu1")
    if drawn:
        engine.example(3)
    names = {"model": model, "images": digits()[0]}
    exec(engine.to_code(), names)
    torch.testing.assert_close(names["maps"].float(), engine.maps)
    assert "picture.to(" not in explorer().to_code()


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), r"got no network; it wants your own trained network.*Train one first"),
        ((lambda x: x,), "which is no torch module"),
        (("net",), "got images NoneType; wanted"),
        (("net", torch.zeros(3, 8, 8), [0, 1, 2]), r"got images \(3, 8, 8\)"),
        (("net", torch.zeros(3, 1, 8, 8).int(), [0, 1, 2]), "torch.int32"),
        (("net", torch.zeros(3, 3, 8, 8), [0, 1, 2]), r"wanted \(n, 1, 8, 8\)"),
        (("net", torch.zeros(3, 1, 16, 16), [0, 1, 2]), r"wanted \(n, 1, 8, 8\)"),
        (("net", torch.full((3, 1, 8, 8), 16.0), [0, 1, 2]), "pixels from 16 to 16"),
        (("net", torch.full((3, 1, 8, 8), torch.nan), [0, 1, 2]), "pixels from nan"),
        (("net", torch.zeros(3, 1, 8, 8), [0, 1]), "3 whole numbers"),
        (("net", torch.zeros(3, 1, 8, 8), None), "3 whole numbers"),
        (("net", torch.zeros(3, 1, 8, 8), [0.5, 1, 2]), "3 whole numbers"),
        (("net", torch.zeros(3, 1, 8, 8), [0, 1, 10]), "labels from 0 to 10. Wanted 10 names"),
        (("net", torch.zeros(3, 1, 28, 28), [0, 1, 2]), "the network failed on pictures"),
        ((nn.Sequential(nn.Flatten(), nn.ReLU()), torch.zeros(3, 1, 8, 8), [0, 1, 2]), "without a convolution"),
        ((nn.Sequential(nn.ReLU()), torch.zeros(3, 1, 8, 8), [0, 1, 2]), r"answered \(3, 1, 8, 8\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_wanted_is_said(arguments, says):
    model, *rest = (trained() if argument == "net" else argument for argument in arguments) if arguments else (None,)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        FeatureMapExplorerEngine(model, *rest)


def test_a_network_in_pieces_and_names_too_few():
    model = copy.deepcopy(trained())
    with torch.no_grad():
        model.linear.bias.fill_(torch.nan)
    with pytest.raises(ValueError, match="not finite"):
        FeatureMapExplorerEngine(model, *digits())
    with pytest.raises(ValueError, match="10 classes; there came 2 names"):
        FeatureMapExplorerEngine(trained(), *digits(), classes=("a", "b"))


def test_the_example_of_the_error_message_runs():
    with pytest.raises(ValueError, match="Train one first") as caught:
        FeatureMapExplorerEngine()
    lines = [line.removeprefix("    ") for line in str(caught.value).splitlines() if line.startswith("    ")]
    names: dict = {}
    exec("\n".join(line.replace("epochs=3", "epochs=1") for line in lines[:-1]), names)
    engine = FeatureMapExplorerEngine(names["model"], names["digits"].x, names["digits"].y)
    assert engine.measured().accuracy > 0.8
    assert lines[-1] == "FeatureMapExplorer(model, digits.x, digits.y)"


def test_in_float64_too():
    model = copy.deepcopy(trained()).double()
    engine = FeatureMapExplorerEngine(model, *digits(), layer="relu1")
    torch.testing.assert_close(engine.maps, explorer(layer="relu1").maps)
    found(engine)
    pack(engine.snapshot())
