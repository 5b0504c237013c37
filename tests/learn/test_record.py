"""Predictions and answers reach the progress file, in a form that JSON can hold."""

import json

import pytest
import torch

from dlcourse.learn import predict, quiz

QUIZ = """
[[question]]
id = "01.pieces"
kind = "number"
objectives = ["01-O1"]
text = "How many?"
answer = 4
why = "Count."
"""


@pytest.mark.parametrize(("guess", "kept"), [(3, 3), (0.5, 0.5), (torch.tensor(2.0), 2.0), ("four ", "four")])
def test_a_prediction_is_noted(noted, shown, guess, kept):
    predict("01.count", "How many?")
    assert noted == [], "asking is no answer"
    predict("01.count", "How many?", guess=guess)
    assert noted == [("01.count", "predicted", {"guess": kept})]
    json.dumps(noted)


def test_answers_are_noted(noted, shown, tmp_path):
    (tmp_path / "01-neurons.quiz.toml").write_text(QUIZ, encoding="utf-8")
    quiz("01.pieces", folder=tmp_path)
    quiz("01.pieces", 3, folder=tmp_path)
    quiz("01.pieces", 4, folder=tmp_path)
    assert noted == [("01.pieces", "not yet", {}), ("01.pieces", "right", {})]


def test_a_full_disk_costs_a_line_only(monkeypatch, capsys):
    def full(*args, **data):
        raise OSError("No space left on device")

    monkeypatch.setattr("dlcourse.progress.mark", full)
    predict("01.count", "How many?", guess=3)
    out = capsys.readouterr().out
    assert "could not be saved: No space left" in out
    assert "Your prediction: 3." in out
