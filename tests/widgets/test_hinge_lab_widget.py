"""HingeLab on the line: what a view gets, what it may ask for, the still picture."""

import struct

import pytest
import torch

from dlcourse.widgets import HingeLab
from dlcourse.widgets.runner import Manual


def arrays(message):
    frame, buffers = message
    named = zip([item["name"] for item in frame["arrays"]], buffers, strict=True)
    return {name: struct.unpack(f"<{len(data) // 4}f", data) for name, data in named}


def test_a_view_gets_curve_hinges_and_target(recording_comm):
    line = recording_comm(HingeLab(weight=[1, -1], bias=[0, 0], out=[1, 2], offset=0.5, target="quadratic"))
    line.hello()
    got = arrays(line.messages()[0])
    assert got["curve"][0] == 6.5
    assert got["target"][0] == 3
    assert len(got["parts"]) == 2 * len(got["x"])
    header = line.of("frame")[0]["header"]
    assert [hinge["formula"] for hinge in header["hinges"]] == ["relu(x)", "2 relu(-x)"]
    assert (header["pieces"], header["warning"]) == (2, "")


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        (
            "move",
            {"index": 1, "knot": 0.25, "bend": -2},
            lambda lab: (lab.hinges.knot(1), lab.hinges.bend(1)) == (0.25, -2),
        ),
        ("flip", {"index": 0}, lambda lab: lab.hinges.weight[0] == -1),
        ("add", {"knot": -1.5, "bend": 2}, lambda lab: lab.hinges.knot(3) == -1.5),
        ("remove", {"index": 0}, lambda lab: len(lab.hinges.out) == 2),
        ("lift", {"offset": 1.5}, lambda lab: lab.hinges.offset == 1.5),
        ("fit", {}, lambda lab: lab.error < 0.8),
        ("draw", {"xs": [-3, 3], "ys": [1, 1]}, lambda lab: lab.aim.eq(1).all()),
        ("step", {"n": 3}, lambda lab: lab.now.step == 3),
    ],
)
def test_what_a_view_may_ask_for(recording_comm, name, args, check):
    lab = HingeLab()
    line = recording_comm(lab)
    line.act(name, **args)
    assert line.of("error") == []
    assert check(lab.engine)
    assert line.of("frame")


def test_drawing_moves_the_targets_control(recording_comm):
    lab = HingeLab(target="sine")
    line = recording_comm(lab)
    line.act("draw", xs=[0], ys=[2])
    assert lab.target == "drawn"
    assert line.state()["target"] == "drawn"


@pytest.mark.parametrize(
    ("name", "args"),
    [("move", {"index": 9, "knot": 0}), ("draw", {"xs": [None], "ys": [0]}), ("restore", {}), ("move", {"to": 1})],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(recording_comm, name, args):
    lab = HingeLab()
    line = recording_comm(lab)
    before = lab.share()
    (answer,) = [each for each in line.act(name, **args) if each["kind"] == "error"]
    assert answer["message"]
    assert lab.share() == before


def test_playing_steps_and_stops_where_it_diverges(recording_comm):
    lab = HingeLab(optimizer="sgd", lr=1.0, runner=Manual())
    line = recording_comm(lab)
    lab.playing = True
    for _ in range(60):
        if lab.playing:
            line.tick()
    assert not lab.playing
    assert "the learning rate is too large" in line.of("frame")[-1]["header"]["warning"]
    line.act("back")
    assert line.of("frame")[-1]["header"]["warning"] == ""


def test_back_and_scrub_come_over_the_line(recording_comm):
    lab = HingeLab()
    line = recording_comm(lab)
    line.act("step", n=5)
    line.act("back")
    line.act("scrub", step=2)
    assert line.of("frame")[-1]["header"]["run"] == {"step": 2, "first": 0, "last": 5, "running": True}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight": [], "bias": [], "out": []},
        {"weight": [0, 1e-3], "bias": [1, 1], "out": [1, 1], "target": "sine"},
        {"drawn": torch.linspace(-2, 4, 61)},
    ],
)
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    lab = HingeLab(**settings)
    still = HingeLab.picture(lab.engine)
    assert still.png.startswith(b"\x89PNG")
    assert f"is {lab.engine.error:.3f}" in still.alt
    assert still.caption == lab.describe()
    assert lab.describe() in lab._repr_mimebundle_()[0]["text/plain"]


def test_a_widget_is_shared_with_its_drawing():
    lab = HingeLab(drawn=torch.linspace(-1, 2, 61), weight=[1.25], bias=[0.1], out=[-1 / 3])
    lab.step(4)
    again = HingeLab.from_share(lab.share())
    assert torch.equal(again.engine.now.theta, lab.engine.now.theta)
    assert torch.equal(again.engine.aim, lab.engine.aim)


def test_a_teacher_may_hide_parts():
    assert HingeLab(hide=("fit", "rows")).hide == ["fit", "rows"]
    with pytest.raises(ValueError, match="no such control"):
        HingeLab(hide="knots")
