"""A slip of the learner's is met with one clean message, and stays an ordinary exception for code."""

import pytest

from dlcourse.learn import Slip, glossary, predict, quiz

QUESTIONS = """
[[question]]
id = "01.side"
kind = "choice"
objectives = ["01-O1"]
text = "Which side?"
answer = "b"
option = [{text = "left", why = "No."}, {text = "right", why = "Yes."}]

[[question]]
id = "01.pieces"
kind = "number"
objectives = ["01-O1"]
text = "How many?"
answer = 4
why = "Count."
"""
SLIPS = {
    "unknown question": lambda folder: quiz("01.nonsense", folder=folder),
    "mistyped letter": lambda folder: quiz("01.side", "z", folder=folder),
    "no number": lambda folder: quiz("01.pieces", "many", folder=folder),
    "no option": lambda folder: predict("01.x", "Where?", options=["left", "right"], guess="z"),
}


def alone(error):
    (line,) = error._render_traceback_()
    assert line.endswith(str(error))
    assert "\n" not in line


@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
def test_jupyter_shows_the_message_alone(slip, tmp_path):
    (tmp_path / "01-neurons.quiz.toml").write_text(QUESTIONS, encoding="utf-8")
    with pytest.raises(Slip) as caught:
        slip(tmp_path)
    assert isinstance(caught.value, ValueError)
    alone(caught.value)


def test_jupyter_shows_an_unknown_term_alone():
    with pytest.raises(KeyError) as caught:
        glossary("logitt")
    alone(caught.value)
