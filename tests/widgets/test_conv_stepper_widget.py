"""ConvStepper on the line: what a view gets, what it may set and ask for, the still picture."""

import numpy as np
import pytest
import torch
import traitlets

from dlcourse.widgets import ConvStepper
from dlcourse.widgets.conv_stepper.numbers import short
from dlcourse.widgets.conv_stepper.params import PARAMS


def arrays(line):
    """Of the last frame."""
    content, buffers = [message for message in line.messages() if message[0]["kind"] == "frame"][-1]
    return {
        item["name"]: np.frombuffer(buffer, np.float32).reshape(item["shape"])
        for item, buffer in zip(content["arrays"], buffers, strict=True)
    }


def header(line):
    return line.of("frame")[-1]["header"]


def test_a_view_gets_everything_on_the_screen(recording_comm):
    w = ConvStepper(padding=(1, 0), layers=2)
    w.go(2, 1)
    line = recording_comm(w)
    line.hello()
    seen, said = arrays(line), header(line)
    assert set(seen) == {
        *("map0", "map1", "map2", "paths0", "paths1", "paths2", "kernel", "laid", "values", "weights", "products")
    }
    for level, each in enumerate(w.maps):
        assert np.array_equal(seen[f"map{level}"], each.numpy())
    assert np.array_equal(seen["paths0"], w.paths.numpy())
    assert [each["size"] for each in said["maps"]] == [[7, 7], [7, 5], [7, 3]]
    assert [each["padding"] for each in said["maps"]] == [[1, 0], [1, 0], [0, 0]]
    assert said["maps"][0]["window"] == list(w.window) == [0, 1, 5, 6]
    assert said["taps"] == {"rows": [1, 2, 3], "columns": [1, 2, 3]}
    assert said["run"] == {"step": 7, "first": 0, "last": 20, "running": True}
    assert said["say"] == "Output row 2, column 1: -9."


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("mode", "average", "average"),
        ("example", "cross", "cross"),
        ("size", [6, 9], (6, 9)),
        ("preset", "gaussian", "gaussian"),
        ("kernel_size", [2, 3], (2, 3)),
        ("stride", [2, 1], (2, 1)),
        ("padding", [1, 1], (1, 1)),
        ("dilation", [1, 2], (1, 2)),
        ("bias", 1.5, 1.5),
        ("flip", True, True),
        ("layers", 2, 2),
    ],
)
def test_what_a_view_sets_is_shown(recording_comm, name, value, kept):
    w = ConvStepper()
    line = recording_comm(w)
    line.hello()
    before = header(line), {key: each.tobytes() for key, each in arrays(line).items()}
    line.move(**{name: value})
    assert getattr(w, name) == w.engine.values[name] == kept
    assert line.of("error") == []
    assert (header(line), {key: each.tobytes() for key, each in arrays(line).items()}) != before


@pytest.mark.parametrize(
    ("name", "value"), [("count_padding", False), ("seed", 4), ("show", "paths"), ("brush", 3.0), ("pace", "fast")]
)
def test_the_other_settings_are_kept_too(recording_comm, name, value):
    w = ConvStepper(mode="average", example="noise", padding=1)
    line = recording_comm(w)
    line.move(**{name: value})
    assert getattr(w, name) == w.engine.values[name] == value
    assert line.of("error") == []


def test_what_a_cell_sets_reaches_the_view(recording_comm):
    w = ConvStepper()
    line = recording_comm(w)
    w.stride = 2
    assert line.state()["stride"] == [2, 2]
    w.set(stride=(1, 2), padding=1)
    assert (line.state()["stride"], line.state()["padding"]) == ([1, 2], [1, 1])
    w.image = torch.eye(5)
    assert (line.state()["example"], line.state()["size"]) == ("own", [5, 5])
    assert np.array_equal(arrays(line)["map0"], np.eye(5))
    w.kernel = [[1.0, -1.0]]
    assert (line.state()["preset"], line.state()["kernel_size"]) == ("own", [1, 2])
    assert torch.equal(w.kernel, torch.tensor([[1.0, -1.0]]))
    for nothing in (None, "abc"):
        with pytest.raises(ValueError, match="image: wanted rows of numbers"):
            w.image = nothing
        with pytest.raises(ValueError, match="kernel: wanted rows of numbers"):
            w.kernel = nothing
    assert torch.equal(w.image, torch.eye(5))
    with pytest.raises(traitlets.TraitError, match="stride=5 is out of range: wanted a whole number from 1 to 4"):
        w.stride = 5
    assert w.stride == (1, 2)


def test_what_is_read_is_a_copy():
    w = ConvStepper()
    before = w.output
    for each in (w.image, w.kernel, w.output, *w.maps):
        each.fill_(9)
    assert torch.equal(w.output, before)


def test_what_does_not_fit_is_said_and_taken_back(recording_comm):
    w = ConvStepper()
    line = recording_comm(w)
    line.move(kernel_size=[5, 5], dilation=[2, 2])
    assert "the window does not fit: it spans 2 * (5 - 1) + 1 = 9 rows" in line.of("error")[0]["message"]
    assert (w.kernel_size, w.dilation) == ((3, 3), (1, 1))
    assert line.state()["kernel_size"] == [3, 3]
    line.move(mode="average", dilation=[2, 2])
    assert w.mode == "kernel"


def test_a_hand_paints_types_and_takes_back(recording_comm):
    w = ConvStepper(example="blank")
    line = recording_comm(w)
    line.act("paint", cells=[[1, 1], [1, 2]], value=3, stroke="x")
    line.act("paint", cells=[[1, 3]], value=3, stroke="x")
    assert w.image[1].tolist() == [0, 3, 3, 3, 0, 0, 0]
    assert line.state()["example"] == "own"
    line.act("weigh", row=0, column=2, value=-0.5)
    assert (w.kernel[0, 2].item(), line.state()["preset"]) == (-0.5, "own")
    assert line.act("weigh", row=0, column=2, value=500)[-1]["message"].startswith("kernel[0, 2]=500 is out of range")
    line.act("undo")
    line.act("undo")
    assert (w.example, w.preset, w.image.any().item()) == ("blank", "left_right", False)
    assert line.act("paint", cells=[[1, 99]])[-1]["message"].startswith("column=99 is out of range")
    w.paint([(0, 0)], 7)
    w.undo()
    w.example = "cross"
    w.clear()
    assert not w.image.any()


def test_the_window_goes_by_play_by_step_and_by_click(recording_comm):
    now = [0.0]
    from dlcourse.widgets.runner import Paced

    w = ConvStepper(runner=Paced(1.0, 0.25, clock=lambda: now[0]))
    line = recording_comm(w)
    w.playing = True
    line.tick("a")
    line.tick("b")
    assert header(line)["at"] == [0, 1]  # one step a second
    now[0] = 1.1
    w.pace = "fast"
    line.tick("c")
    now[0] = 1.4
    line.tick("d")
    assert header(line)["at"] == [0, 3]
    line.act("go", row=4, column=3)
    now[0] = 9.0
    line.tick("e")
    assert (header(line)["at"], w.playing) == ([4, 4], False)  # the last cell
    line.act("back")
    line.act("scrub", step=6)
    assert header(line)["at"] == [1, 1]
    w.step(2)
    w.back()
    w.scrub(8)
    w.go(0, 2)
    assert header(line)["at"] == [0, 2]
    line.act("reset")
    assert header(line)["at"] == [0, 0]


def test_a_question_over_the_line(recording_comm):
    w = ConvStepper(padding=1)
    line = recording_comm(w)
    line.act("ask", of="value")
    assert np.isnan(arrays(line)["map1"]).all()
    assert header(line)["question"]["text"].startswith("Which number stands in row")
    answer = next(each for each in line.act("guess", answer=-w.engine.value) if each["kind"] == "answer")
    assert answer["result"] == {
        "right": False,
        "text": "Two mistakes come to this number: it is the answer with the kernel turned by 180 degrees; or the "
        "right amount with the wrong sign.",
    }
    assert header(line)["hidden"] == "value"
    assert line.act("guess", answer="three")[-1]["kind"] == "error"
    line.act("guess", answer=w.engine.value)
    assert header(line)["hidden"] is None
    line.act("ask", of="size")
    assert "map1" not in arrays(line)
    line.act("reveal")
    assert header(line)["question"]["verdict"] == "It has 7 rows and 7 columns."
    line.act("forget")
    assert header(line)["question"] is None
    w.ask("size")
    assert w.guess((7, 7)) == "Right. It has 7 rows and 7 columns."
    w.ask()
    w.reveal()
    w.forget()
    assert header(line)["score"] == {"right": 1, "answered": 4}


def test_the_program_comes_over_the_line(recording_comm):
    w = ConvStepper(stride=2)
    (answer,) = recording_comm(w).act("to_code")[-1:]
    assert answer["result"] == w.to_code()
    assert "stride=(2, 2)" in answer["result"]


def test_a_string_is_loaded_in_place(recording_comm):
    other, w = ConvStepper(image=torch.eye(4), kernel=[[2.0]], stride=2), ConvStepper()
    other.go(1, 1)
    line = recording_comm(w)
    line.act("load", text=other.share())
    assert w.describe() == other.describe()
    assert line.state()["kernel_size"] == [1, 1]
    again = ConvStepper.from_share(other.share(), hide=("flip",))
    assert (again.hide, again.output.tolist()) == (["speed", "flip"], other.output.tolist())
    assert "the share string" in line.act("load", text="conv-stepper.1.xyz")[-1]["message"].replace("this", "the")


def test_a_teacher_may_hide_parts():
    assert ConvStepper(hide="formula").hide == ["speed", "formula"]
    with pytest.raises(ValueError, match="no such control; it has mode, example"):
        ConvStepper(hide=("chart",))
    ConvStepper(hide=(*PARAMS, *ConvStepper.parts))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"padding": 1, "flip": True, "bias": 1},
        {"mode": "max", "example": "noise", "stride": 2, "padding": 1},
        {"mode": "average", "count_padding": False, "padding": 1, "size": 16},
        {"layers": 3, "padding": 1, "size": 12},
        {"size": (3, 16), "kernel_size": (1, 5), "dilation": (1, 3), "preset": "mean"},
    ],
)
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    w = ConvStepper(**settings)
    data, _ = w._repr_mimebundle_()
    assert w.describe() in data["text/plain"]
    assert "data:image/png" in data["text/html"]
    still = ConvStepper.picture(w.engine)
    assert still.caption == w.describe()
    assert "Output row 0, column 0" in still.alt


@pytest.mark.parametrize("of", ["value", "size"])
def test_no_picture_tells_an_answer(of):
    w = ConvStepper(padding=1)
    shown = ConvStepper.picture(w.engine)
    w.ask(of)
    hidden = ConvStepper.picture(w.engine)
    assert hidden.png != shown.png
    assert "A question is open." in hidden.alt
    if of == "size":
        w.go(0, 0)
        before = ConvStepper.picture(w.engine).png
        w.bias = 5.0
        assert ConvStepper.picture(w.engine).png == before


def test_numbers_in_the_picture_are_short():
    written = [short(value) for value in (0.0, -0.04, -1.0, 33.333, 250.4, -99999.0, -0.001)]
    assert [text.replace("\N{MINUS SIGN}", "-") for text in written] == [
        "0",
        "-0.04",
        "-1",
        "33.3",
        "250",
        "-99999",
        "≈0",
    ]
    assert "-" not in "".join(written)


def test_the_picture_shows_paths_if_the_screen_does():
    values, paths = (ConvStepper(size=8, padding=1, layers=2, show=show) for show in ("values", "paths"))
    for w in (values, paths):
        w.go(3, 3)
    assert ConvStepper.picture(values.engine).png != ConvStepper.picture(paths.engine).png
    assert "on how many paths" in ConvStepper.picture(paths.engine).alt
    paths.ask()
    assert "on how many paths" not in ConvStepper.picture(paths.engine).alt


def test_its_name_says_what_was_changed():
    assert repr(ConvStepper(stride=2, layers=2)) == "ConvStepper(stride=(2, 2), layers=2)"
