"""The explorer in a notebook: what goes over the line, and what is shown without a kernel."""

import copy
import logging

import numpy as np
import pytest
import torch
from dlcourse_explorer import digits, large, trained

from dlcourse import units
from dlcourse.widgets import FeatureMapExplorer
from dlcourse.widgets.runner import Manual


@pytest.fixture
def explorer(recording_comm):
    widget = FeatureMapExplorer(trained(), *digits(), layer="relu1")
    vars(widget)["line"] = recording_comm(widget)
    return widget


def frame(answers):
    (found,) = [answer for answer in answers if answer["kind"] == "frame"]
    return found


def test_the_first_frame_has_all_that_a_view_draws(explorer):
    shown = frame(explorer.line.hello())
    header = shown["header"]
    assert header["layer"]["name"] == "relu1"
    assert [layer["name"] for layer in header["layers"]][:2] == ["conv1", "pool1"]
    assert header["layer"]["field"] == {"size": [4, 4], "step": [2, 2], "start": [-1, -1]}
    assert [array["name"] for array in shown["arrays"]] == [
        *("picture", "strokes", "maps", "probabilities", "intact", "sure", "inputs", "kernels", "patches")
    ]
    assert sum(map(len, explorer.line.messages()[-1][1])) < 2000
    assert "run" not in header, "there is nothing to play"


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("draw", {"stroke": [[0.1, 0.1], [0.2, 0.3]], "id": "a"}, lambda e: len(e.pad.drawing.strokes) == 1),
        ("toggle", {"row": 1, "column": 2}, lambda e: e.pad.drawing.cells == {(1, 2)}),
        ("example", {}, lambda e: e.index is None),
        ("show", {"index": 5}, lambda e: e.index == 5),
        ("look", {"channel": 3, "row": 1, "column": 0}, lambda e: e.unit == (3, 1, 0)),
        ("look", {"channel": 2}, lambda e: e.unit[0] == 2),
        ("switch", {"channel": 4}, lambda e: e.off == [("relu1", 4)]),
        ("find", {}, lambda e: e.running),
        ("ask", {}, lambda e: e.question.state == "asked"),
        ("to_code", {}, lambda e: True),
    ],
)
def test_what_a_view_may_ask_for(explorer, name, args, check):
    answers = explorer.line.act(name, **args)
    assert [answer["kind"] for answer in answers] == ["frame", "answer"]
    assert check(explorer.engine)


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("show", {"index": 1442}, "from 0 to 1441"),
        ("show", {"index": "x"}, "from 0 to 1441"),
        ("look", {"channel": 6}, "from 0 to 5"),
        ("look", {"channel": 0, "row": 4, "column": 0}, "wanted 0 to 3"),
        ("look", {"channel": 0, "row": 1}, "both or neither"),
        ("switch", {"channel": None}, "from 0 to 5"),
        ("switch", {"channel": 0, "layer": "linear"}, "no such layer"),
        ("draw", {"stroke": [[2, 0]]}, "is not on the pad"),
        ("guess", {"option": 0}, "no open question"),
        ("measured", {}, "no action 'measured'"),
        ("take", {"state": {}}, "no action 'take'"),
        ("load", {"text": "draw-pad.1.xx"}, "another widget"),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(explorer, name, args, says, caplog):
    before = explorer.share()
    with caplog.at_level(logging.ERROR):
        (error,) = [answer for answer in explorer.line.act(name, **args) if answer["kind"] == "error"]
    assert says in error["message"]
    assert not error.get("detail") or "no action" in says
    assert explorer.share() == before


def test_layer_and_unit_are_traits_both_ways(explorer):
    explorer.line.move(layer="conv2")
    assert explorer.engine.layer.name == "conv2"
    explorer.line.clear()
    explorer.line.act("look", channel=9, row=3, column=2)
    assert [state for state in explorer.line.updates() if "channel" in state][-1]["channel"] == 9
    explorer.layer = "relu1"
    assert (explorer.channel, explorer.row, explorer.column) == (5, 3, 2)
    explorer.line.move(layer="nonsense")
    assert "it has 'conv1', 'pool1'" in explorer.line.of("error")[-1]["message"]
    assert explorer.layer == "relu1"
    with pytest.raises(ValueError, match="it has 'conv1'"):
        explorer.layer = "nonsense"
    assert explorer.layer == "relu1"
    explorer.set(layer="conv1", channel=2, row=7, column=7)
    assert explorer.engine.unit == (2, 7, 7)


def test_the_search_runs_with_the_views_ticks(recording_comm):
    widget = FeatureMapExplorer(trained(), *digits())
    widget.runner = Manual()
    line = recording_comm(widget)
    line.act("find")
    assert widget.engine.searches["relu1"].done == 0, "nothing runs in the action itself"
    line.move(playing=True)
    ticks = 0
    while widget.playing:
        line.tick(f"tick-{ticks}")
        ticks += 1
        assert ticks < 50
    assert ticks == -(-1442 // 64 // 5)  # five steps a frame, at most
    search = line.of("frame")[-1]["header"]["search"]
    assert (search["state"], search["done"], len(search["patches"])) == ("finished", 1442, 9)


def test_a_question_over_the_line(explorer):
    assert frame(explorer.line.act("ask"))["header"]["question"]["state"] == "asked"
    question = frame(explorer.line.act("guess", option=2))["header"]["question"]
    assert question["state"] == "revealed"
    assert explorer.off == [("relu1", explorer.channel)]
    assert frame(explorer.line.act("forget"))["header"]["question"] is None


def test_from_a_cell(explorer):
    explorer.show(4)
    assert torch.equal(explorer.picture_seen, digits()[0][4])
    explorer.example(7)
    explorer.draw([(0.1, 0.1), (0.2, 0.2)])
    explorer.undo()
    explorer.toggle(0, 0)
    explorer.look(1)
    explorer.switch(3, "conv1")
    assert explorer.off == [("conv1", 3)]
    assert explorer.maps.shape == (6, 4, 4)
    assert float(explorer.probabilities.sum()) == pytest.approx(1)
    assert 0 < explorer.measured().accuracy < 1
    explorer.restore_all()
    assert explorer.patches() is None
    explorer.find()
    assert torch.equal(explorer.patches().images, units.top_patches(trained(), "relu1", digits()[0], 1).images)
    assert len(explorer.patches(3).values) == 3
    explorer.ask()
    explorer.guess(0)
    assert explorer.off == [("relu1", 1)]
    assert "capture(model" in explorer.to_code()
    explorer.ask()
    explorer.forget()
    assert explorer.engine.question is None
    assert explorer.off == [("relu1", 1)], "as before the question"
    explorer.engine.find()
    explorer.stop()
    assert not explorer.engine.running
    explorer.clear()
    assert not explorer.picture_seen.any()
    assert repr(FeatureMapExplorer(trained(), *digits(), layer="relu2", hide="draw")).startswith(
        "FeatureMapExplorer(layer='relu2'"
    )
    with pytest.raises(AttributeError, match="Did you mean 'layer'"):
        explorer.layr = "conv2"


def test_a_network_trained_on_is_noticed_with_the_next_look(recording_comm):
    model = copy.deepcopy(trained())
    widget = FeatureMapExplorer(model, *digits(), layer="conv1")
    line = recording_comm(widget)
    assert frame(line.hello())["header"]["notice"] == ""
    with torch.no_grad():
        model.conv1.weight.mul_(-1)
    shown = frame(line.hello())["header"]
    assert "weights have changed" in shown["notice"]
    unit = int(widget.maps[0].argmax())
    assert (widget.row, widget.column) == divmod(unit, 8) == (shown["unit"]["row"], shown["unit"]["column"])
    with torch.no_grad():
        model.conv1.weight.fill_(torch.nan)
    shown = frame(line.act("show", index=3))["header"]
    assert "trained to pieces" in shown["notice"]
    assert shown["best"]["name"] is None


def test_handing_on(explorer, recording_comm):
    explorer.example(3)
    explorer.switch(2)
    text = explorer.share()
    again = FeatureMapExplorer.from_share(text, trained(), *digits(), hide=("pen",))
    assert again.describe() == explorer.describe()
    other = FeatureMapExplorer(trained(), *digits(), layer="conv1")
    line = recording_comm(other)
    other.find()
    line.act("load", text=text)
    assert line.of("error") == []
    assert (other.layer, other.off) == ("relu1", [("relu1", 2)])
    other.layer = "conv1"
    assert other.patches() is not None, "what was found stays"
    before = other.share()
    with pytest.raises(ValueError, match="damaged"):
        other.load(text[:40])
    stranger, late = FeatureMapExplorer(*large()), FeatureMapExplorer(trained(), *digits())
    late.show(1000)
    with pytest.raises(ValueError, match="from 0 to 39"):
        stranger.load(late.share())
    assert other.share() == before
    assert stranger.engine.index == 0


def test_where_there_is_no_kernel_there_is_a_picture():
    for made in (FeatureMapExplorer(trained(), *digits()), FeatureMapExplorer(*large(), layer="relu2", channel=31)):
        made.switch(0)
        data, _ = made._repr_mimebundle_()
        assert made.describe() in data["text/plain"]
        assert FeatureMapExplorer.picture(made.engine).alt in data["text/html"]


def test_without_a_network_it_says_how_to_get_one():
    with pytest.raises(ValueError, match="Train one first"):
        FeatureMapExplorer()
    with pytest.raises(ValueError, match="Train one first"):
        FeatureMapExplorer.from_share("feature-map-explorer.1." + "eJyrrgUAAXUA-Q")


def test_a_teacher_may_hide_parts():
    hidden = ("layer", "pen", "draw", "images", "seen", "says", "maps", "unit", "patches", "ablate", "predict", "code")
    assert FeatureMapExplorer(trained(), *digits(), hide=hidden).hide == list(hidden)
    with pytest.raises(ValueError, match="no such control"):
        FeatureMapExplorer(trained(), *digits(), hide="kernel")


def test_bytes_of_the_maps_travel_as_they_are(explorer):
    explorer.line.clear()
    explorer.line.hello()
    content, buffers = explorer.line.messages()[-1]
    at = [array["name"] for array in content["arrays"]].index("maps")
    sent = np.frombuffer(buffers[at], np.uint8).reshape(content["arrays"][at]["shape"])
    reach = content["header"]["layer"]["reach"]
    np.testing.assert_allclose(sent / 254 * reach, explorer.maps.clamp(max=reach), atol=reach / 254)
