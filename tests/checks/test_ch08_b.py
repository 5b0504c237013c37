"""08.masked, 08.windows, 08.forecast and 08.debug: what the table of answers cannot show."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from dlcourse import data, generator
from dlcourse.checks import CheckFailed
from dlcourse.checks.ch08 import debug, forecast, masked, windows
from dlcourse.checks.examiner import matches
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject


def told_apart(mistakes, cases, truth):
    """On the first case that shows a mistake, where it is named, no other reason fits its numbers."""
    hidden = [(reason, answer) for reason, answers in mistakes for answer in answers]
    for case in cases:
        shown, right = [], truth(*case)
        for reason, answer in hidden:
            try:
                got = answer(*case)
            except (RuntimeError, IndexError):  # the mistake does not run on this case, nor does the learner's
                continue
            if not matches(got, right):
                shown.append((reason, answer, got))
        for n, (reason, _, got) in enumerate(shown):
            assert not [other for other, _, twin in shown[:n] if other != reason and matches(got, twin)], reason
        hidden = [(reason, answer) for reason, answer in hidden if not any(answer is was for _, was, _ in shown)]
    assert not hidden, [reason for reason, _ in hidden]


def test_no_two_diagnoses_of_masked_explain_the_same_numbers():
    told_apart(masked.MISTAKES, masked.cases(), masked.truth)


@pytest.mark.parametrize("round_", range(12))
def test_what_masked_takes_for_right_is_what_torch_says_of_packed_sequences(round_):
    x, lengths, *weights = masked.draw(torch.Generator().manual_seed(7), round_)
    layer = nn.RNN(x.shape[2], len(weights[2]), batch_first=True, dtype=x.dtype)
    state = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), weights, strict=True))
    layer.load_state_dict(state | {"bias_hh_l0": torch.zeros_like(weights[2])})
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    outputs, final = layer(packed)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
    assert matches((outputs.detach(), final[0].detach()), masked.truth(x, lengths, *weights))


def test_no_two_diagnoses_of_windows_explain_the_same_numbers():
    told_apart(windows.MISTAKES, windows.cases(), windows.truth)


def test_no_two_diagnoses_of_the_learner_explain_the_same_numbers():
    mistakes = [
        (reason, [lambda *args, chosen=chosen: debug._learn(*args, **chosen) for chosen in several])
        for reason, several in debug.MISTAKES
    ]
    told_apart(mistakes, debug.cases(), debug._learn)


def share(task, answer):
    windows, target = (torch.cat(column) for column in zip(*task.calls, strict=True))
    return ((answer(task.train, windows) - target).abs().mean() / (windows[:, -1] - target).abs().mean()).item()


@pytest.mark.parametrize("seed", range(15))
def test_no_guess_that_learns_nothing_is_good_enough(seed):
    tasks = forecast.tasks(seed)
    for task in tasks:
        for k in range(2, task.calls[0][0].shape[1] + 1):
            assert share(task, lambda train, windows, k=k: windows[:, -k]) > forecast.MOST
        for k in (2, 3, 5, 8):
            assert share(task, lambda train, windows, k=k: windows[:, -k:].mean(1)) > forecast.MOST
        assert share(task, lambda train, windows: train.mean().expand(len(windows))) > forecast.MOST
    assert share(tasks[-1], lambda train, windows: 2 * windows[:, -1] - windows[:, -2]) > forecast.MOST


@pytest.mark.parametrize("length", range(8, 12))
def test_no_window_of_the_sunspots_holds_the_value_after_another(length):
    series, asked = data.load("sunspots", split="all").values, []
    task = forecast.sunspots(length)
    for first, (x, y) in enumerate(task.calls, forecast.CUT):
        row = torch.cat([x, y[:, None]], dim=1).flatten()  # window, value, window, value: a stretch of the series
        assert torch.equal(row, series[first - length :][: len(row)])
        asked += y.tolist()
    assert torch.equal(task.train, series[: forecast.CUT])
    assert sorted(asked) == sorted(series[forecast.CUT :].tolist())  # every later year once


def program_of_the_notebook(*names):
    source = (Path(__file__).parents[2] / "solutions" / "08-rnn.md").read_text(encoding="utf-8")
    found = {"torch": torch, "functional": functional, "math": math, "generator": generator}
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=\n\n\n|\n```)", source, re.DOTALL | re.MULTILINE).group(), found)
    return found


def test_the_broken_program_of_the_notebook_is_diagnosed():
    broken = program_of_the_notebook("read", "broken_learn")["broken_learn"]
    with pytest.raises(CheckFailed) as failure:
        find("08.debug").check(LocalSubject(broken), None)
    assert failure.value.reason == debug.TARGETS + debug.MORE


def test_the_experiments_of_the_notebook_tell_the_broken_program_from_the_right_one(capsys):
    names = program_of_the_notebook("read", "broken_learn", "experiments", "learn")

    def told(program):
        names["experiments"](program)
        coins, whole, alone = capsys.readouterr().out.splitlines()
        return float(re.search(r"\d\.\d", coins).group()), *(re.findall(r"\d\.\d{3}", line) for line in (whole, alone))

    for program in (debug.learn, names["learn"]):
        coins, whole, alone = told(program)
        assert coins == 1.0
        assert whole[0] == whole[1]
        assert alone[0] == alone[1]
    coins, whole, alone = told(names["broken_learn"])
    assert coins == 0.1
    assert whole[0] != whole[1]
    assert alone[0] != alone[1]
    only_in_learning = lambda *args: debug._learn(*args, reading="forgotten")  # noqa: E731
    assert told(only_in_learning) == told(debug.learn)  # as the notebook says, they are silent about this one
