"""The saliency explorer in a notebook: what goes over the line, and what is shown without a kernel."""

import logging

import numpy as np
import pytest
import torch

from dlcourse import attribution, generator
from dlcourse.widgets import SaliencyExplorer
from dlcourse.widgets.saliency_explorer import own


@pytest.fixture
def explorer(recording_comm):
    widget = SaliencyExplorer()
    vars(widget)["line"] = recording_comm(widget)
    return widget


def frame(answers):
    (found,) = [answer for answer in answers if answer["kind"] == "frame"]
    return found


def test_the_first_frame_has_all_that_a_view_draws(explorer):
    shown = frame(explorer.line.hello())
    header = shown["header"]
    assert "run" not in header
    assert [entry["title"] for entry in header["maps"]][:2] == ["Saliency", "Input \N{MULTIPLICATION SIGN} gradient"]
    assert header["layers"]["names"] == ["linear", "conv2", "conv1"]
    assert {array["name"] for array in shown["arrays"]} == {
        *("strokes", "picture", "baseline", "partly", "maps", "truth", "share", "curve", "band")
    }
    assert sum(map(len, explorer.line.messages()[-1][1])) < 2_000


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("draw", {"stroke": [[0.1, 0.1], [0.2, 0.3]], "id": "a"}, lambda e: len(e.pictures.pad.drawing.strokes) == 1),
        ("toggle", {"row": 1, "column": 2}, lambda e: e.pictures.pad.drawing.cells == {(1, 2)}),
        ("example", {}, lambda e: e.pictures.index is None),
        ("show", {"index": 5}, lambda e: e.pictures.index == 5),
        ("anew", {}, lambda e: e.values["seed"] == 1),
        ("ask", {}, lambda e: e.question.layer == "linear"),
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
        ("show", {"index": 100}, "from 0 to 99"),
        ("draw", {"stroke": [[2, 0]]}, "is not on the pad"),
        ("guess", {"option": 0}, "no open question"),
        ("level", {}, "no action 'level'"),
        ("take", {"state": {}}, "no action 'take'"),
        ("load", {"text": "draw-pad.1.xx"}, "another widget"),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(explorer, name, args, says, caplog):
    before = explorer.share()
    with caplog.at_level(logging.ERROR):
        (error,) = [answer for answer in explorer.line.act(name, **args) if answer["kind"] == "error"]
    assert says in error["message"]
    assert not error.get("detail")
    assert explorer.share() == before


def test_settings_are_traits_both_ways(explorer, caplog):
    explorer.line.move(layers=2, picked="lrp")
    assert (explorer.layers, explorer.picked) == (2, "lrp")
    header = explorer.line.of("frame")[-1]["header"]
    assert (header["layers"]["count"], header["picked"]) == (2, "lrp")
    explorer.target = 3
    assert explorer.target == "3"
    assert explorer.line.of("frame")[-1]["header"]["target"] == {"class": 3, "name": "3"}
    with caplog.at_level(logging.ERROR):
        explorer.line.move(layers=4)
    assert "this network has 3 with parameters" in explorer.line.of("error")[-1]["message"]
    assert explorer.layers == 2
    with pytest.raises(ValueError, match="there is no such class"):
        explorer.target = 10
    assert explorer.target == "3"


def test_a_question_over_the_line(explorer):
    header = frame(explorer.line.act("ask"))["header"]
    assert (header["question"]["state"], header["layers"]["count"]) == ("asked", 0)
    header = frame(explorer.line.act("guess", option=0))["header"]
    assert (header["question"]["state"], header["layers"]["count"], explorer.layers) == ("revealed", 1, 1)
    assert frame(explorer.line.act("forget"))["header"]["question"] is None


def test_from_a_cell(explorer):
    x, _ = own.pictures()
    explorer.show(4)
    explorer.set(picked="saliency", target="answer")
    assert torch.equal(explorer.picture_seen, x[4:5])
    answer = int(own.network()(x[4:5]).argmax())
    assert torch.equal(explorer.map, attribution.saliency(own.network(), x[4:5], answer))
    explorer.map.zero_()
    assert explorer.map.any(), "a copy was handed out"
    assert set(explorer.correlations.values()) == set(explorer.size_correlations.values()) == {1.0}
    explorer.layers = 1
    assert explorer.correlations["saliency"] < 0.9
    assert explorer.correlations["integrated_gradients"] < 0.7 < explorer.size_correlations["integrated_gradients"]
    explorer.anew()
    assert explorer.seed == 1
    explorer.draw([(0.1, 0.1), (0.2, 0.2)])
    explorer.ask()
    explorer.guess(0)
    explorer.forget()
    assert "attribution.saliency(model, x, target)" in explorer.to_code()
    assert repr(SaliencyExplorer(picked="lrp", layers=1)) == "SaliencyExplorer(picked='lrp', layers=1)"
    with pytest.raises(AttributeError, match="Did you mean 'layers'"):
        explorer.layer = 1


def small(**values):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 3, device="cpu"))
    x = torch.rand(4, 1, 5, 6, generator=generator(0))
    return net, x, torch.tensor([0, 1, 2, 0], device="cpu")


def test_a_network_of_ones_own_with_truth(recording_comm):
    truth = torch.eye(6, dtype=torch.bool, device="cpu")[:5]
    widget = SaliencyExplorer(*small(), truth=truth, classes=("cat", "dog", "house"), target="dog")
    line = recording_comm(widget)
    header = frame(line.hello())["header"]
    assert (header["truth"], header["target"]) == (True, {"class": 1, "name": "dog"})
    assert header["layers"]["names"] == ["1"]
    assert {"draw", "pen"} <= set(widget.hide), "pictures of this size cannot be drawn"
    assert "cat" in widget.describe()
    frame(line.act("load", text=widget.share()))
    assert widget.engine.given.truth is not None


def test_handing_on(explorer, recording_comm):
    explorer.set(picked="occlusion", layers=1)
    explorer.example(3)
    text = explorer.share()
    again = SaliencyExplorer.from_share(text, hide=("pen",))
    assert again.describe() == explorer.describe()
    other = SaliencyExplorer()
    line = recording_comm(other)
    line.act("load", text=text)
    assert line.of("error") == []
    assert (other.picked, other.layers) == ("occlusion", 1)
    before = other.share()
    with pytest.raises(ValueError, match="damaged"):
        other.load(text[:40])
    assert other.share() == before
    with pytest.raises(ValueError, match="can be drawn"):
        SaliencyExplorer(*small()).load(text)


def test_where_there_is_no_kernel_there_is_a_picture():
    for made in (SaliencyExplorer(), SaliencyExplorer(*small(), layers=1)):
        data, _ = made._repr_mimebundle_()
        assert made.describe() in data["text/plain"]
        assert SaliencyExplorer.picture(made.engine).alt in data["text/html"]


def test_a_teacher_may_hide_parts():
    hidden = ("target", "layers", "seed", "curve", "gone", "code", *SaliencyExplorer.parts)
    assert set(SaliencyExplorer(hide=hidden).hide) == set(hidden)
    with pytest.raises(ValueError, match="no such control"):
        SaliencyExplorer(hide="kernel")


def test_bytes_of_the_maps_travel_as_they_are(explorer):
    explorer.line.clear()
    explorer.line.hello()
    content, buffers = explorer.line.messages()[-1]
    at = [array["name"] for array in content["arrays"]].index("maps")
    sent = np.frombuffer(buffers[at], np.uint8).reshape(content["arrays"][at]["shape"]).astype(float)
    index = [entry["name"] for entry in content["header"]["maps"]].index("integrated_gradients")
    reach = content["header"]["maps"][index]["reach"]
    np.testing.assert_allclose((sent[index] - 127) / 127 * reach, explorer.map[0, 0], atol=reach / 127)
