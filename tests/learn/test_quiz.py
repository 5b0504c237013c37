import sys

import pytest

from dlcourse.learn import quiz, to_read
from dlcourse.learn.content import content_root

GOOD = """
[[question]]
id = "01.bias"
kind = "choice"
objectives = ["01-O1"]
recall = "00"
text = "Is $b < 0$ & what does it do?"
answer = "b"

[[question.option]]
text = "It <turns> the boundary."
why = "Turning is the weights' <work>."

[[question.option]]
text = "It moves the boundary."
why = "Away from the origin."

[[question]]
id = "01.even"
kind = "choice"
objectives = ["01-O1", "01-O2"]
text = "Which are even?"
answer = ["a", "c"]

[[question.option]]
text = "two"
why = "One pair."

[[question.option]]
text = "three"
why = "One is left over."

[[question.option]]
text = "four"
why = "Two pairs."

[[question]]
id = "01.pieces"
kind = "number"
objectives = ["01-O3"]
text = "How many pieces?"
answer = 4
tolerance = 0.25
why = "Three knots part the line in four."

[[question.wrong]]
value = 3
why = "That is the number of knots."
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "01-neurons.quiz.toml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def test_a_choice_explains_every_option_with_no_kernel(folder, shown):
    quiz("01.bias", ..., folder=folder)
    ((text, page),) = shown
    assert page.count("details") == page.count("summary") == 2
    for words in (
        "Is $b < 0$ & what does it do?",
        "a. It <turns> the boundary.",
        "Not this one: Turning is the weights' <work>.",
        "Right: Away from the origin.",
        "Looking back to chapter 00.",
    ):
        assert words in page.words
    assert "  b. It moves the boundary." in text.splitlines()
    assert "Away" not in text, "the plain text does not give the answer away"
    assert 'answer="a"' in text


def test_a_number_folds_its_answer(folder, shown):
    quiz("01.pieces", folder=folder)
    ((text, page),) = shown
    assert page.count("details") == 1
    assert "4. Three knots part the line in four." in page.words
    assert "Three knots" not in text
    assert 'quiz("01.pieces", ...)' in text


@pytest.mark.parametrize("answer", ["b", " B ", ["b"]])
def test_right(folder, shown, answer):
    quiz("01.bias", answer, folder=folder)
    assert shown[0][0] == "b. Right: Away from the origin."


def test_not_this_one(folder, shown):
    quiz("01.bias", "a", folder=folder)
    assert shown[0][0] == "a. Not this one: Turning is the weights' <work>.\nHave another go."


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (["a", "c"], "c. Right: Two pairs."),
        ({"c", "a"}, "c. Right: Two pairs."),
        (["a"], "Right so far, and something is still missing."),
        ("c", "Right so far, and something is still missing."),
        (["a", "b"], "Have another go."),
        (["a", "b", "c"], "Have another go."),
    ],
)
def test_several(folder, shown, answer, last):
    quiz("01.even", answer, folder=folder)
    assert shown[0][0].splitlines()[-1] == last


@pytest.mark.parametrize("answer", [4, 4.25, 3.75, "4"])
def test_a_number_within_tolerance(folder, shown, answer):
    quiz("01.pieces", answer, folder=folder)
    assert "is right. Three knots" in shown[0][0]


@pytest.mark.parametrize(
    ("answer", "explained"), [(3, True), (3.2, True), (5, False), (4.3, False), (float("nan"), False)]
)
def test_a_number_outside(folder, shown, answer, explained):
    quiz("01.pieces", answer, folder=folder)
    text = shown[0][0]
    assert "not it yet" in text
    assert ("number of knots" in text) is explained
    assert "Three knots part" not in text


@pytest.mark.parametrize(
    ("id", "answer", "wanted"),
    [
        ("01.bias", "c", 'answer="a"'),
        ("01.bias", 0, 'answer="a"'),
        ("01.even", [], "letters"),
        ("01.pieces", "four", "wanted a number"),
        ("01.pieces", None, "wanted a number"),
    ],
)
def test_an_answer_that_cannot_be_read(folder, id, answer, wanted):
    with pytest.raises(ValueError, match=wanted):
        quiz(id, answer, folder=folder)


@pytest.mark.parametrize("id", ["01.unknown", "bias", "02.bias"])
def test_an_unknown_question(folder, id):
    with pytest.raises(ValueError, match=f"No quiz question is called '{id}'"):
        quiz(id, folder=folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('why = "Turning is the weights\' <work>."', "", "'01.bias', option a: why missing"),
        ('why = "Away from the origin."', 'why = ""', "'01.bias', option b: why missing or empty"),
        ('answer = "b"', 'answer = "d"', "'01.bias': answer 'd' must name some"),
        ('answer = "b"', "answer = []", "'01.bias': answer missing or empty"),
        ('answer = "b"', 'answer = ["a", "b"]', "'01.bias': answer .* must name some, not all"),
        ('answer = "b"', "", "'01.bias': answer missing"),
        ('id = "01.bias"', 'id = "02.bias"', "'02.bias': the id starts with the chapter's number"),
        ('id = "01.bias"', "", "question 'number 1': the id starts"),
        ('id = "01.even"', 'id = "01.bias"', "'01.bias': this id is used twice"),
        ('objectives = ["01-O3"]', "objectives = []", "'01.pieces': objectives missing or empty"),
        ('kind = "number"', 'kind = "numeric"', "'01.pieces': kind is 'numeric'"),
        ("tolerance = 0.25", "tolerence = 0.25", "'01.pieces': unknown keys tolerence"),
        ("value = 3", "value = 3.8", "'01.pieces': the wrong value 3.8 would be accepted"),
        ("value = 3", "", "'01.pieces', wrong value: value missing"),
        ('why = "Three knots part the line in four."', "", "'01.pieces': why missing"),
        ('text = "Which are even?"', 'text = "  "', "'01.even': text missing or empty"),
    ],
)
def test_an_authors_slip_names_file_and_question(folder, old, new, message):
    assert GOOD.count(old) >= 1
    (folder / "01-neurons.quiz.toml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=f"01-neurons.quiz.toml, question .*{message}|01-neurons.quiz.toml, {message}"):
        quiz("01.pieces", folder=folder)


def test_an_answer_may_be_zero(folder, shown):
    (folder / "01-neurons.quiz.toml").write_text(GOOD.replace("answer = 4", "answer = 0"), encoding="utf-8")
    quiz("01.pieces", 0, folder=folder)
    assert "0 is right" in shown[0][0]


@pytest.fixture
def self_test(tmp_path, monkeypatch):
    """Three questions, of which two send to a section."""
    monkeypatch.setattr(sys.modules[quiz.__module__], "_first", {})
    text = GOOD.replace('recall = "00"', 'read = "What the bias does"')
    text = text.replace("tolerance = 0.25", 'tolerance = 0.25\nread = "Hinges & knots"')
    (tmp_path / "01-neurons.quiz.toml").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_question_of_a_self_test_names_its_section(self_test, shown):
    quiz("01.bias", folder=self_test)
    assert "Not sure? Read: What the bias does." in shown[0][0].splitlines()
    assert "Not sure? Read: What the bias does." in shown[0][1].words
    quiz("01.bias", "a", folder=self_test)
    assert shown[1][0].splitlines()[-1] == "Read: What the bias does."
    quiz("01.bias", "b", folder=self_test)
    quiz("01.even", "b", folder=self_test)
    assert not any("Read:" in text for text, _ in shown[2:])


def test_to_read_goes_by_the_first_answer(self_test, shown):
    to_read("01", folder=self_test)
    quiz("01.pieces", 3, folder=self_test)
    quiz("01.pieces", 4, folder=self_test)  # after the explanation
    to_read("01", folder=self_test)
    quiz("01.bias", "b", folder=self_test)
    quiz("01.bias", "a", folder=self_test)  # out of curiosity
    to_read("01", folder=self_test)
    texts = [text for text, page in shown if page.html.startswith('<div role="group" aria-label="What to read"')]
    assert texts == [
        "Not answered yet: What the bias does; Hinges & knots.",
        "Read: Hinges & knots.\nNot answered yet: What the bias does.",
        "Read: Hinges & knots.\nYou know: What the bias does.",
    ]
    assert ("a", {"href": "#Hinges-&-knots"}) in shown[-1][1].tags


@pytest.mark.parametrize("chapter", ["01", "02"])
def test_to_read_needs_a_self_test(folder, chapter):
    with pytest.raises(ValueError, match=f"No question of the chapter '{chapter}' belongs to a self-test"):
        to_read(chapter, folder=folder)


def test_every_quiz_file_of_the_course_loads():
    from dlcourse.learn.quiz import questions

    files = sorted((content_root() / "chapters").glob("*.quiz.toml"))
    assert files
    for path in files:
        assert questions(path)
