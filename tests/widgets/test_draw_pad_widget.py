"""The draw pad in the notebook: what a cell may do, what a view may ask, what is sent back."""

import logging

import pytest
import torch

from dlcourse.widgets import DrawPad


def three(images):
    """A reader that finds a 3 in everything."""
    return torch.nn.functional.one_hot(torch.full((len(images),), 3), 10).float() * 5


@pytest.fixture
def pad(recording_comm):
    widget = DrawPad(three)
    vars(widget)["line"] = recording_comm(widget)
    return widget


def frame(answers):
    (found,) = [answer for answer in answers if answer["kind"] == "frame"]
    return found


def test_a_view_gets_the_drawing_when_it_appears(pad):
    pad.example(7)
    pad.line.clear()
    shown = frame(pad.line.hello())
    assert shown["header"]["digit"] == 3
    assert [array["name"] for array in shown["arrays"]] == ["image", "ink", "strokes", "probabilities"]


def test_a_stroke_in_batches_is_one_stroke_and_one_undo(pad):
    first = pad.line.act("draw", stroke=[[0.1, 0.1], [0.2, 0.3]], id="a")
    assert frame(first)["header"]["strokes"] == [2]
    assert [answer["kind"] for answer in first] == ["frame", "answer"]  # so a settled batch is already painted
    assert frame(pad.line.act("draw", stroke=[[0.4, 0.4]], id="a"))["header"]["strokes"] == [3]
    assert frame(pad.line.act("undo"))["header"]["strokes"] == []


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("draw", {"stroke": [[2, 0]]}, "is not on the pad"),
        ("draw", {"stroke": "x" * 100}, "list of points"),
        ("toggle", {"row": 9, "column": 0}, "from 0 to 7"),
        ("example", {"digit": "seven"}, "from 0 to 9"),
        ("probabilities", {}, "no action 'probabilities'"),
    ],
)
def test_what_a_view_may_not_ask_is_an_error_there_and_in_the_log(pad, name, args, says, caplog):
    with caplog.at_level(logging.ERROR):
        (error,) = pad.line.act(name, **args)
    assert error["kind"] == "error"
    assert says in error["message"]
    assert says in caplog.text
    assert pad.engine.drawing.empty


def test_keys_and_examples_by_message(pad):
    assert frame(pad.line.act("toggle", row=2, column=5))["header"]["cells"] == [[2, 5]]
    assert frame(pad.line.act("example"))["header"]["strokes"] == [len(pad.engine.drawing.strokes[0].points)]
    assert frame(pad.line.act("clear"))["header"]["empty"]


def test_a_cell_can_do_what_a_hand_does_and_the_view_hears_of_it(pad):
    pad.draw([(0.2, 0.2), (0.8, 0.8)])
    pad.toggle(0, 0)
    assert len(pad.line.of("frame")) == 2
    assert (pad.image.shape, pad.ink.shape, pad.digit, len(pad.probabilities)) == ((1, 8, 8), (32, 32), 3, 10)
    pad.undo()
    pad.clear()
    assert pad.digit is None
    assert pad.line.of("frame")[-1]["header"]["empty"]
    with pytest.raises(ValueError, match="is not on the pad"):
        pad.draw([(0.2, 1.2)])


def test_pen_and_preparation_are_traits_both_ways(pad):
    pad.example(1)
    before = pad.image
    pad.line.move(prepare=False)
    assert pad.engine.values["prepare"] is False
    assert not torch.equal(pad.image, before)
    pad.pen = 0.15
    assert pad.line.state()["pen"] == 0.15
    pad.line.move(pen=7)
    assert "pen=7 is out of range" in pad.line.of("error")[0]["message"]
    assert pad.pen == 0.15


def test_a_reader_that_fails_shows_in_the_frame_and_drawing_goes_on(recording_comm):
    def broken(images):
        raise RuntimeError("out of ink")

    pad = DrawPad(broken)
    line = recording_comm(pad)
    answers = line.act("draw", stroke=[[0.5, 0.5]], id="a")
    assert frame(answers)["header"]["trouble"].endswith(": RuntimeError: out of ink")
    assert [answer["kind"] for answer in answers] == ["frame", "answer"]


def test_a_loaded_drawing_is_read_by_the_network_that_is_there(pad):
    other = DrawPad(pen=0.12)
    other.example(4)
    pad.load(other.share())
    assert (pad.pen, pad.digit) == (0.12, 3)
    assert torch.equal(pad.image, other.image)
    with pytest.raises(ValueError, match="damaged"):
        pad.load("draw-pad.1.xx")
    assert torch.equal(pad.image, other.image)


def test_a_page_without_a_kernel_shows_picture_and_words(pad):
    pad.example(4)
    data, _ = pad._repr_mimebundle_()
    assert "It reads 3 with 94 %." in data["text/plain"]
    assert 'alt="A pad to draw a digit on' in data["text/html"]
    assert repr(DrawPad(pen=0.1, hide=("example", "bars"))) == "DrawPad(pen=0.1)"


def test_arguments_are_checked():
    for wrong in ({"read": 3}, {"pen": 9}, {"hide": ["colour"]}, {"ink": 2}):
        with pytest.raises(ValueError, match=r"wanted|has no such|has no parameter"):
            DrawPad(**wrong)
