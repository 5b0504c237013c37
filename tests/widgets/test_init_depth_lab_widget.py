"""InitDepthLab on the line: what a view gets, what it may set and ask for, the still picture."""

import numpy as np
import pytest
import torch
import traitlets

from dlcourse.widgets import InitDepthLab
from dlcourse.widgets.init_depth_lab.engine import COLUMNS


def small(**settings):
    return InitDepthLab(**{"depth": 4} | settings)


def arrays(line):
    """Of the last frame."""
    content, buffers = [message for message in line.messages() if message[0]["kind"] == "frame"][-1]
    kinds = {"uint8": np.uint8, "float32": np.float32}
    return {
        item["name"]: np.frombuffer(buffer, kinds[item["dtype"]]).reshape(item["shape"])
        for item, buffer in zip(content["arrays"], buffers, strict=True)
    }


def test_a_view_gets_every_layer(recording_comm):
    lab = small()
    line = recording_comm(lab)
    line.hello()
    header, seen = line.of("frame")[-1]["header"], arrays(line)
    assert header["columns"] == list(COLUMNS)
    assert seen["values"].shape == seen["gradient"].shape == (4, 61)
    assert 10 ** seen["layers"][:, 0] == pytest.approx(lab.engine.measured.std.numpy(), rel=1e-5)
    assert seen["losses"] == pytest.approx([lab.engine.measured.loss])
    assert header["run"] == {"step": 0, "first": 0, "last": 0, "running": True}
    assert header["loss"]["equal"] == pytest.approx(2.302585)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("depth", 9), ("activation", "tanh"), ("init", "orthogonal"), ("gain", 1.5), ("norm", "layer"), ("seed", 7)),
        *(("lr", 0.5), ("layer", 2), ("show", "shape")),
    ],
)
def test_what_a_view_sets_is_shown(recording_comm, name, value):
    lab = small()
    line = recording_comm(lab)
    line.hello()
    before = line.of("frame")[-1], arrays(line)
    line.move(**{name: value})
    assert getattr(lab, name) == lab.engine.values[name] == value
    assert line.of("error") == []
    after = line.of("frame")[-1], arrays(line)
    changed = before[0] != after[0] or any(before[1][key].tobytes() != after[1][key].tobytes() for key in before[1])
    assert changed is (name != "lr")


def test_what_a_cell_sets_reaches_the_view(recording_comm):
    lab = small()
    line = recording_comm(lab)
    lab.set(depth=2, init="he")
    assert (line.state()["depth"], line.state()["layer"]) == (2, 2)
    assert line.of("frame")[-1]["header"]["layers"] == 2
    with pytest.raises(traitlets.TraitError, match="depth=51 is out of range: wanted a whole number from 1 to 50"):
        lab.depth = 51
    assert lab.depth == 2


def test_what_is_refused_is_said_and_taken_back(recording_comm):
    lab = small()
    line = recording_comm(lab)
    line.move(gain=9)
    assert "gain=9 is out of range" in line.of("error")[0]["message"]
    assert line.state()["gain"] == lab.gain == 1


def test_play_trains_and_back_goes_back(recording_comm):
    lab = small(activation="tanh")
    line = recording_comm(lab)
    lab.playing = True
    for ident in ("a", "b", "c"):
        line.tick(ident)
    steps = lab.engine.run.at
    assert steps >= 3
    assert line.of("frame")[-1]["header"]["run"]["step"] == steps
    assert arrays(line)["losses"].shape == (steps + 1,)
    lab.playing = False
    line.act("scrub", step=1)
    assert lab.engine.run.at == 1
    line.act("back")
    assert lab.engine.run.at == 0
    lab.step(2)
    lab.scrub(1)
    lab.back()
    assert (lab.engine.run.at, lab.engine.run.last) == (0, steps)


def test_the_rate_of_the_past_comes_back_with_it(recording_comm):
    lab = small(lr=0.5)
    line = recording_comm(lab)
    lab.step(2)
    lab.lr = 0.01
    lab.step()
    line.act("scrub", step=1)
    assert line.state()["lr"] == lab.lr == 0.5
    line.act("scrub", step=3)
    assert lab.lr == 0.01


def test_play_ends_where_no_step_is_possible(recording_comm):
    lab = small(depth=50, init="large_normal", gain=2)
    line = recording_comm(lab)
    lab.playing = True
    line.tick()
    assert not lab.playing
    assert "not a finite number in float32" in line.of("frame")[-1]["header"]["notice"]


def test_a_question_hides_and_a_guess_shows(recording_comm):
    lab = small()
    line = recording_comm(lab)
    line.act("ask", of="gradient")
    header = line.of("frame")[-1]["header"]
    assert header["hidden"]
    assert header["run"]["running"] is False
    assert set(arrays(line)) == {"layers", "losses"}
    line.move(init="he", depth=30)
    assert line.of("frame")[-1]["header"]["hidden"]
    (answer, *_) = [message for message in line.act("guess", option=1) if message["kind"] == "frame"]
    assert answer["header"]["question"]["right"] is True
    assert not answer["header"]["hidden"]
    assert line.act("guess", option=1)[-1]["kind"] == "error"
    lab.ask()
    assert lab.engine.hidden
    lab.guess(0)
    assert lab.engine.question.state == "revealed"
    line.act("forget")
    assert lab.engine.question is None


def test_the_program_comes_over_the_line(recording_comm):
    lab = small(init="he")
    (answer,) = recording_comm(lab).act("to_code")[-1:]
    assert answer["result"] == lab.to_code()
    assert 'nn.he_normal(shape, gain=1.0 * nn.gain("relu"), generator=generator)' in answer["result"]


def test_a_string_is_loaded_in_place(recording_comm):
    other, lab = small(depth=6, init="orthogonal", seed=8), small()
    other.step(3)
    line = recording_comm(lab)
    line.act("load", text=other.share())
    assert lab.describe() == other.describe()
    assert line.state()["init"] == lab.init == "orthogonal"
    again = InitDepthLab.from_share(other.share(), hide=("seed",))
    assert again.engine.run.at == 3


def test_an_own_model_hides_what_it_settles(recording_comm):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 9), torch.nn.ReLU(), torch.nn.Linear(9, 10))
    lab = InitDepthLab(model=model, hide="table")
    assert lab.hide == ["table", "depth", "activation", "init", "gain", "norm", "seed"]
    line = recording_comm(lab)
    line.move(seed=3)
    assert "seed cannot be set here: the model is your own" in line.of("error")[0]["message"]
    with pytest.raises(ValueError, match=r"which would be lost.*InitDepthLab\.from_share"):
        lab.load(InitDepthLab().share())
    assert lab.engine.own.model is not None


def test_a_teacher_may_hide_parts():
    assert small(hide=("table", "predict", "speed")).hide == ["table", "predict", "speed"]
    with pytest.raises(ValueError, match="no such control; it has depth, activation, init"):
        small(hide=("ridges",))


@pytest.mark.parametrize("settings", [{}, {"show": "shape", "activation": "sigmoid"}, {"norm": "batch", "depth": 1}])
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    lab = small(**settings)
    data, _ = lab._repr_mimebundle_()
    assert lab.describe() in data["text/plain"]
    assert "data:image/png" in data["text/html"]
    assert InitDepthLab.picture(lab.engine).caption == lab.describe()


def test_no_picture_tells_an_answer():
    lab = small()
    shown = InitDepthLab.picture(lab.engine).png
    lab.ask()
    data, _ = lab._repr_mimebundle_()
    assert "A question is open" in data["text/plain"]
    assert "0." not in data["text/plain"].replace("lr=0.", "")
    hidden = InitDepthLab.picture(lab.engine).png
    assert hidden != shown
    lab.init = "he"
    assert InitDepthLab.picture(lab.engine).png == hidden  # of the same depth; nothing of the weights is in it


def test_pictures_differ_when_the_lab_does():
    pictures = {
        InitDepthLab.picture(small(**{name: value}).engine).png
        for name, value in [
            ("seed", 0),
            ("seed", 1),
            ("show", "shape"),
            ("init", "he"),
            ("norm", "layer"),
            ("depth", 5),
        ]
    }
    assert len(pictures) == 6


def test_its_name_says_what_was_changed():
    assert repr(InitDepthLab(init="he", depth=3)) == "InitDepthLab(depth=3, init='he', layer=3)"
