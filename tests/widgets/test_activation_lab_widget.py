"""ActivationLab on the line: what a view gets, what it may set, the still picture."""

import struct

import pytest
import traitlets

from dlcourse.widgets import ActivationLab

PLAIN = {"activation": "sigmoid", "compare": "none", "x": 1.0, "threshold": 0.05, "layers": 5}


def floats(buffer):
    return struct.unpack(f"<{len(buffer) // 4}f", buffer)


def test_a_view_gets_the_curves(recording_comm):
    line = recording_comm(ActivationLab(activation="relu", compare="tanh"))
    line.hello()
    ((frame, buffers),) = line.messages()
    assert frame["header"]["title"] == "ReLU"
    by_name = dict(zip([item["name"] for item in frame["arrays"]], map(floats, buffers), strict=True))
    assert by_name["value"][0] == 0
    assert by_name["value"][-1] == 6
    assert set(by_name["slope"]) == {0, 1}
    assert by_name["compare_value"][240] == 0
    assert "run" not in frame["header"]  # nothing to play: no toolbar for it


@pytest.mark.parametrize(
    ("name", "value"), [("activation", "elu"), ("compare", "gelu"), ("x", -2.25), ("threshold", 0.1), ("layers", 20)]
)
def test_what_a_view_sets_is_shown(recording_comm, name, value):
    lab = ActivationLab()
    line = recording_comm(lab)
    line.clear()
    line.move(**{name: value})
    assert getattr(lab, name) == lab.engine.values[name] == value
    assert line.of("frame")[-1]["header"][name] == value
    assert line.of("error") == []


def test_what_a_cell_sets_reaches_the_view(recording_comm):
    lab = ActivationLab()
    line = recording_comm(lab)
    lab.x = 0
    assert line.state()["x"] == 0
    assert line.of("frame")[-1]["header"]["value"] == 0.5
    with pytest.raises(traitlets.TraitError, match="layers=21 is out of range: wanted"):
        lab.layers = 21
    assert lab.layers == 5


def test_what_is_refused_is_said_and_taken_back(recording_comm):
    lab = ActivationLab()
    line = recording_comm(lab)
    line.move(x=77)
    assert "x=77 is out of range" in line.of("error")[0]["message"]
    assert line.state()["x"] == 1
    assert lab.engine.values == PLAIN


def test_the_program_comes_over_the_line(recording_comm):
    (answer,) = recording_comm(ActivationLab(activation="gelu")).act("to_code")[-1:]
    assert "torch.nn.functional.gelu" in answer["result"]


def test_a_teacher_may_hide_the_chain():
    assert ActivationLab(hide=("chain", "compare")).hide == ["chain", "compare"]
    with pytest.raises(ValueError, match="no such control; it has activation, compare, x"):
        ActivationLab(hide=("bars",))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": "gelu", "compare": "relu", "x": -1.5, "layers": 20},
        {"activation": "relu", "x": -6, "layers": 1},
    ],
)
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    lab = ActivationLab(**settings)
    data, _ = lab._repr_mimebundle_()
    assert lab.describe() in data["text/plain"]
    still = ActivationLab.picture(lab.engine)
    assert still.png.startswith(b"\x89PNG")
    assert f"shaded where the slope is smaller in size than 0.05: {lab.engine.where()}" in still.alt
    assert still.caption == lab.describe()
    assert "data:image/png" in data["text/html"]


def test_pictures_differ_when_the_lab_does():
    pictures = {
        ActivationLab.picture(ActivationLab(**{name: value}).engine).png
        for name, value in [("x", 1), ("x", 2), ("activation", "tanh"), ("threshold", 0.2), ("layers", 9)]
    }
    assert len(pictures) == 5


def test_its_name_says_what_was_changed():
    assert repr(ActivationLab(activation="silu", x=2)) == "ActivationLab(activation='silu', x=2.0)"
    again = ActivationLab.from_share(ActivationLab(layers=17).share())
    assert again.layers == 17
