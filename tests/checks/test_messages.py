"""What a learner reads: one clean message in Jupyter and IPython, a normal exception in plain Python."""

import os
import subprocess
import sys

import pytest
import torch

from dlcourse import checks
from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.examiner import matches, unlike
from dlcourse.checks.show import apart, paste, show


def naive(x):
    return torch.exp(x) / (1 + torch.exp(x))


def test_failure_has_four_parts():
    with pytest.raises(CheckFailed) as failure:
        checks.sigmoid(naive)
    assert str(failure.value) == (
        "01.sigmoid: not right yet\n"
        "\n"
        "called     sigmoid(torch.tensor([-1000., -30., 0., 30., 1000.]))\n"
        "came back  torch.tensor([0., 9.358e-14, 0.5, 1., nan])\n"
        "wanted     torch.tensor([0., 9.358e-14, 0.5, 1., 1.])\n"
        "likely     exp overflowed: exp(1000) is infinite, and inf / inf is nan. Give exp only numbers that\n"
        "           are not positive: use one form of the formula for x >= 0 and the other for x < 0.\n"
        "\n"
        'Stuck? checks.hint("01.sigmoid") gives a hint.'
    )
    assert failure.value.__suppress_context__


def test_success_is_one_warm_line(capsys):
    checks.sigmoid(torch.sigmoid)
    line = capsys.readouterr().out
    assert line == "01.sigmoid: right on 18 inputs, in value and in slope, from -1000 to 1000. It survives.\n"


def test_success_mentions_a_warning_on_stdout(capsys):
    import warnings

    def answer(x):
        warnings.warn("mind the gap", stacklevel=1)
        return torch.sigmoid(x)

    checks.sigmoid(answer)
    out, err = capsys.readouterr()
    assert "it warned: UserWarning: mind the gap" in out
    assert err == ""


def test_a_subject_is_checked_as_it_is(connect, capsys):
    with connect(torch.sigmoid) as subject:
        checks.sigmoid(subject, seed=7)
    assert "right on" in capsys.readouterr().out


def test_a_score_within_rounding_of_zero_says_why_it_is_a_no():
    def xor_weights():  # float32's 0.9 is a little below 0.9
        return torch.ones(2, 2), torch.tensor([0.0, -1.0]), torch.tensor([[1.0, -2.0]]), torch.tensor([-0.9])

    with pytest.raises(CheckFailed) as failure:
        checks.xor(xor_weights)
    assert failure.value.came_back == "a score of 2.384e-08: no (closer than 1e-6 to zero counts as no)"


def test_docstring_states_exercise_and_ranges(exercise):
    documented = " ".join(getattr(checks, exercise.name).__doc__.split())
    assert " ".join(exercise.task.split()) in documented
    assert exercise.ranges in documented


CODE = """
import torch
from dlcourse import checks
from dlcourse.checks import NotStarted
def sigmoid(x):
    {body}
{call}
"""


def run(module, body, call="checks.sigmoid(sigmoid)"):
    environment = {**os.environ, "IPYTHONDIR": os.environ.get("TMPDIR", "/tmp") + "/ipython-of-tests"}
    environment.pop("VIRTUAL_ENV", None)  # where another environment is active, IPython warns of it
    command = [sys.executable, *module, "-c", CODE.format(body=body, call=call)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    return done.stdout + done.stderr


IPYTHON = ("-m", "IPython", "--colors", "NoColor", "--no-banner")


def test_ipython_shows_one_clean_message(tmp_path):
    shown = run(IPYTHON, "return torch.tanh(x)")
    assert "Traceback" not in shown
    assert "-----" not in shown
    assert shown.startswith("01.sigmoid: not right yet\n\ncalled     sigmoid(torch.tensor([-2., -0.5, 0., 1., 3.]))")
    assert shown.rstrip().endswith('checks.hint("01.sigmoid") gives a hint.')


def test_ipython_shows_one_line_for_a_stub():
    shown = run(IPYTHON, "raise NotStarted")
    assert shown.count("\n") == 1
    assert shown.startswith("Not started: 01.sigmoid. Write your code in place of the line `raise NotStarted`")


def test_ipython_shows_one_line_for_a_stub_called_by_hand():
    shown = run(IPYTHON, "raise NotStarted", "sigmoid(torch.ones(1))")
    assert shown.count("\n") == 1
    assert "nothing written yet" in shown


def test_plain_python_shows_a_normal_exception():
    shown = run((), "return torch.tanh(x)")
    assert shown.startswith("Traceback (most recent call last):")
    assert "dlcourse.checks.outcome.CheckFailed: 01.sigmoid: not right yet" in shown
    assert "During handling" not in shown


def test_not_started_reads_well_by_itself():
    assert "raise NotStarted" in str(NotStarted())


def test_digits_grow_until_the_difference_shows():
    assert apart(0.1234567, 0.1234568) == ("0.1234567", "0.1234568")
    assert apart(torch.tensor(1.0), torch.tensor(1.00001)) == ("torch.tensor(1.)", "torch.tensor(1.00001)")


def test_large_tensors_show_the_wrong_place():
    wanted = torch.zeros(40, 50)
    got = wanted.clone()
    got[7, 3] = 2.5
    came_back, right = apart(got, wanted, (7, 3))
    assert came_back == "tensor of shape (40, 50); at [7, 3]: 2.5, around it [0., 0., 2.5, 0., 0.]"
    assert "at [7, 3]: 0." in right


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([-1000.0, -3.0, 0.0, 999_999.96, 1e12, 1e-7]),
        torch.tensor([[1, -2], [3, 4]]),
        torch.tensor([0.5, 2.0], dtype=torch.float64),
        torch.tensor(0.0),
        torch.tensor([True, False]),
        torch.empty(0, 3),
        torch.zeros(5, 8),
        1.0,
        -1,
    ],
)
def test_what_was_called_can_be_pasted(value):
    pasted = eval(paste(value))
    assert type(pasted) is type(value)
    if isinstance(value, torch.Tensor):
        torch.testing.assert_close(pasted, value, rtol=1e-5, atol=0)
    else:
        assert pasted == value


def test_an_input_too_large_to_paste_says_where_it_went_wrong():
    def answer(x):
        return torch.where(x == x.max(), 2.0, torch.sigmoid(x)) if x.numel() > 40 else torch.sigmoid(x)

    with pytest.raises(CheckFailed) as failure:
        checks.sigmoid(answer, seed=1)
    assert "too large to print in full" in failure.value.called
    assert "\nwhere it holds " in failure.value.called
    assert "; at [" in failure.value.came_back


def test_dtypes_tell_apart_what_holds_the_same_numbers():
    class Whole:
        def __init__(self, features):
            self.weight, self.bias = torch.zeros(features), torch.tensor(0)

    with pytest.raises(CheckFailed) as failure:
        checks.perceptron(Whole)
    assert failure.value.came_back == "(weight, bias) = (torch.tensor([0., 0.]), torch.tensor(0))"
    assert failure.value.wanted == "(weight, bias) = (torch.tensor([0., 0.]), torch.tensor(0.))"


def test_dictionaries_are_written_as_code_and_compared_entry_by_entry():
    wanted = {"x": 0.5, "y": torch.tensor([1.0, 2.0])}
    assert paste({"x": [0.5], "loss": []}) == "{'x': [0.5], 'loss': []}"
    assert matches({"x": 0.5 + 1e-9, "y": torch.tensor([1.0, 2.0])}, wanted)
    assert not matches({"x": 0.5, "y": torch.tensor([1.0, 3.0])}, wanted)
    assert not matches({"x": 0.5}, wanted)
    assert unlike({"x": 0.5}, wanted) == "'y' is missing from the dictionary."
    assert unlike({**wanted, "z": 1.0}, wanted) == "'z' does not belong into the dictionary."
    assert unlike({**wanted, "x": torch.tensor(0.5)}, wanted).startswith("'x': This is a float32 tensor")
    assert unlike({**wanted, "x": 0.7}, wanted) == ""


def test_long_things_are_cut():
    assert len(show("x" * 10_000)) < 700
    assert len(show([1] * 10_000)) < 100
    assert len(show({str(n): n for n in range(1000)})) < 200
    assert len(show([[[list(range(50))] * 50] * 50] * 50)) < 700
