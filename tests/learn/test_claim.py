import pytest
import torch

from dlcourse.learn import ClaimFailed, claim
from dlcourse.learn.claim import parse


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("97 %", 0.97),
        ("97%", 0.97),
        ("97\u00a0%", 0.97),
        ("97\u202f%", 0.97),
        ("more than 97.5 % of the digits", 0.975),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1,797", 1797),
        ("1,234,567.5", 1234567.5),
        ("1797 digits", 1797),
        ("3 of 4", 3),
        ("3 out of 4", 3),
        ("-1", -1),
        ("\u22121", -1),
        ("+2", 2),
        ("1e-7", 1e-7),
        ("1e\u22127", 1e-7),
        ("2.5E3", 2500),
        ("2\u00d7", 2),
        ("(8)", 8),
        ("7.", 7),
    ],
)
def test_one_number(text, number):
    assert parse(text) == (pytest.approx(number, rel=1e-12),)


@pytest.mark.parametrize(
    ("text", "ends"),
    [("82 to 91 %", (0.82, 0.91)), ("82 % to 91 %", (0.82, 0.91)), ("-1 to 1", (-1, 1)), ("3\u20135", (3, 5))],
)
def test_a_range(text, ends):
    assert parse(text) == pytest.approx(ends)


@pytest.mark.parametrize(
    "text",
    ["", "twice", "one half", "0,5", "1,79", "3 and 4", "1 2", "1 of 2 of 3", "relu6", "x1", "8 x 8", "1/2", "1.2.3"],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="one number written in digits"):
        parse(text)


def test_a_claim_that_holds_prints_one_line(capsys):
    claim("97 %", torch.tensor([0.9722222]), 0.95, 0.99)
    assert capsys.readouterr().out == 'claim "97 %": measured 0.9722, allowed 0.95 to 0.99\n'


@pytest.mark.parametrize("value", [0.95, 0.99, 1])
def test_bounds_belong_to_the_range(value):
    claim("97 %", value, 0.95, 1)


@pytest.mark.parametrize("value", [0.9499, 0.9901, float("nan"), float("inf"), -0.97])
def test_a_measurement_outside_fails(value, capsys):
    with pytest.raises(ClaimFailed, match='the text says "97 %", but the cell above measured'):
        claim("97 %", value, 0.95, 0.99)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["94 %", "100 %", "97", "90 to 97 %", "97 to 100 %"])
def test_a_sentence_outside_its_range_fails(text):
    with pytest.raises(ClaimFailed, match="outside its own range"):
        claim(text, 0.97, 0.95, 0.99)


def test_an_empty_range_is_an_authors_slip():
    with pytest.raises(ValueError, match="empty range"):
        claim("97 %", 0.97, 0.99, 0.95)


def test_jupyter_shows_one_clean_message():
    with pytest.raises(ClaimFailed) as caught:
        claim("97 %", 0.5, 0.95, 0.99)
    (line,) = caught.value._render_traceback_()
    assert line == f"ClaimFailed: {caught.value}"
    assert "\n" not in line
