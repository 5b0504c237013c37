import pytest
import torch

from dlcourse.learn import predict, reveal
from dlcourse.learn.predict import _predictions

OPTIONS = ["left", "stays <put>", "right"]


@pytest.fixture(autouse=True)
def _fresh():
    _predictions.clear()


def test_the_question_says_how_to_answer(shown):
    predict("01.shift", "Where does $x < 0$ go?", options=OPTIONS)
    ((text, page),) = shown
    assert text.splitlines()[:2] == ["Predict: Where does $x < 0$ go?", "  a. left"]
    assert 'guess="a"' in text
    assert "Where does $x < 0$ go?" in page.words
    assert "stays <put>" in page.words
    assert page.count("li") == 3
    assert "a. left" in page.words  # written out, because JupyterLab numbers every list


def test_an_open_question_has_no_letters(shown):
    predict("01.count", "How many?")
    ((text, page),) = shown
    assert "your answer" in text
    assert page.count("li") == 0


@pytest.mark.parametrize("guess", ["b", "B", " b ", "b.", "b)", "stays <put>", "Stays <PUT>"])
def test_a_letter_or_the_text_of_an_option(shown, guess):
    predict("01.shift", "Where?", options=OPTIONS, guess=guess)
    assert shown[0][0] == "Your prediction: stays <put>. Noted; run on and see."
    reveal("01.shift", "b", "The weight decides.")
    assert shown[1][0] == "You predicted: stays <put>. And so it is.\nThe weight decides."


def test_a_miss_is_met_kindly(shown):
    predict("01.shift", "Where?", options=OPTIONS, guess="a")
    reveal("01.shift", "right", "A lower bias <asks> for more.")
    text, page = shown[1]
    assert text.splitlines()[0] == "You predicted: left. It came out: right."
    assert "wrong" not in text.lower()
    assert "A lower bias <asks> for more." in page.words


@pytest.mark.parametrize(
    ("guess", "truth", "right"),
    [
        (3, 3, True),
        (3, 3.0, True),
        (3, torch.tensor(3), True),
        (2.5, torch.tensor([2.5]), True),
        (0.1, 0.1 + 1e-9, True),
        (3, 4, False),
        (1000, 1001, False),
        (0.33, 1 / 3, True),
        (0.3, 1 / 3, False),
        ("Four", "four", True),
        ("four", "five", False),
        ("about 3", 3, False),
    ],
)
def test_numbers_and_texts(shown, guess, truth, right):
    predict("01.count", "How many?", guess=guess)
    reveal("01.count", truth)
    assert ("And so it is" in shown[1][0]) is right


@pytest.mark.parametrize("asked", [True, False])
def test_reveal_without_a_prediction(shown, asked):
    if asked:
        predict("01.count", "How many?")
    reveal("01.count", 4, "Three knots.")
    assert shown[-1][0].splitlines() == [
        "It came out: 4.",
        "You made no prediction here; next time, try one first.",
        "Three knots.",
    ]


@pytest.mark.parametrize("guess", ["d", "", "up", 1, None])
def test_no_such_option(shown, guess):
    with pytest.raises(ValueError, match='wanted "a", "b", "c"'):
        predict("01.shift", "Where?", options=OPTIONS, guess=guess)
    assert not shown


def test_options_that_are_numbers_are_chosen_by_their_text(shown):
    predict("01.count", "How many?", options=["2", "4", "8"], guess=4)
    assert "Your prediction: 4." in shown[0][0]


def test_the_truth_is_one_of_the_options(shown):
    predict("01.shift", "Where?", options=OPTIONS, guess="a")
    with pytest.raises(ValueError, match="none of them"):
        reveal("01.shift", "d")


def test_a_second_guess_replaces_the_first(shown):
    predict("01.count", "How many?", guess=3)
    predict("01.count", "How many?", guess=4)
    reveal("01.count", 4)
    assert "And so it is" in shown[-1][0]


def test_without_a_notebook_the_text_is_printed(capsys):
    predict("01.count", "How many?", guess=3)
    assert capsys.readouterr().out == "Your prediction: 3. Noted; run on and see.\n"


def test_stress_and_code_look_as_in_the_cells_around_them_and_nothing_else_is_markup(shown):
    predict("01.shift", "Is *this* `a * b` or $a * b * c$?", options=["2 * 3 * 4", "<b>*no*</b>"])
    ((text, page),) = shown
    assert "Is *this* `a * b`" in text
    assert page.count("em") == 2
    assert page.count("code") == 1
    assert page.count("b") == 0
    assert "Is this a * b or $a * b * c$?" in page.words
    assert "2 * 3 * 4" in page.words
    assert "<b>no</b>" in page.words
