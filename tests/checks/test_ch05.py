"""Chapter 05: what its checks take for right is right, and what else the table of answers cannot show."""

import re
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from dlcourse.checks import CheckFailed
from dlcourse.checks.ch05 import conv2d, debug, equivariance, max_pool, size
from dlcourse.checks.examiner import matches
from dlcourse.checks.registry import find
from dlcourse.checks.subject import LocalSubject


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("height", range(1, 13))
def test_thought_and_experiment_agree_on_what_is_kept(height, kernel):
    for width in range(1, 13, 2 + height % 3):
        for down in range(height):
            for right in range(0, width, 2):
                case = (height, width, kernel, down, right)
                assert torch.equal(equivariance.kept(*case), equivariance.truth(case)), case


def test_no_cell_is_kept_by_luck():
    """Other pictures and kernels, of both signs, never disagree with the truth that the check found with two."""
    generator = torch.Generator().manual_seed(0)
    for case in equivariance.CASES:
        height, width, kernel, down, right = case
        same = torch.ones(height, width, dtype=torch.bool)
        for _ in range(20):
            picture, weights = (
                torch.randint(-50, 50, shape, generator=generator).double()
                for shape in ((height, width), (kernel, kernel))
            )
            moved = functional.pad(picture, (right, -right, down, -down))
            padded = [functional.conv2d(p[None, None], weights[None, None], padding="same") for p in (moved, picture)]
            same &= (padded[0] == functional.pad(padded[1], (right, -right, down, -down)))[0, 0]
        assert torch.equal(same, equivariance.truth(case))


def test_a_shift_by_nothing_keeps_everything():
    assert all(equivariance.truth((5, 4, kernel, 0, 0)).all() for kernel in (1, 3, 5, 7))


def by_definition(x, weight, bias, stride, padding, dilation):
    """Number by number, from the formula."""
    high, wide = size_of(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = bias[:, None, None].expand(len(x), len(weight), high, wide).clone()
    for k in range(weight.shape[2]):
        for m in range(weight.shape[3]):
            for i in range(high):
                for j in range(wide):
                    row = i * stride[0] + k * dilation[0] - padding[0]
                    column = j * stride[1] + m * dilation[1] - padding[1]
                    if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                        y[:, :, i, j] += x[:, :, row, column] @ weight[:, :, k, m].T
    return y


def size_of(*pairs):
    return [size.along(*numbers) for numbers in zip(*pairs, strict=True)]


@pytest.mark.parametrize("seed", range(5))
def test_oracle_of_conv2d_is_the_definition(seed):
    generator = torch.Generator().manual_seed(seed)
    for round_ in range(12):
        args = conv2d.draw(generator, round_)
        # float32 has whole numbers, whose sums are exact; float64 has tenths
        slack = 0 if args[0].dtype == torch.float32 else 1e-13
        torch.testing.assert_close(conv2d.oracle(*args), by_definition(*args), rtol=0, atol=slack)


def test_the_first_cases_lie_in_the_ranges_that_the_exercises_state():
    for x, weight, _, stride, padding, dilation in conv2d.cases():
        assert max(x.shape[:2]) <= 3
        assert max(x.shape[2:]) <= 7
        assert max(weight.shape) <= 3
        assert max(stride) <= 3
        assert max(padding) <= 2
        assert max(dilation) <= 3
    for x, kernel, stride, padding in max_pool.cases():
        assert max(x.shape[:2]) <= 3
        assert max(x.shape[2:]) <= 8
        assert max(kernel + stride) <= 4
        assert all(p <= k // 2 for p, k in zip(padding, kernel, strict=True))
        assert x.unique().numel() == x.numel()
        assert x.min() >= -11_000
        assert x.max() <= 1_000
    for height, width, kernel, down, right in equivariance.CASES:
        assert max(height, width) <= 12
        assert kernel in (1, 3, 5, 7)
        assert down < height
        assert right < width


def test_float64_asks_for_numbers_that_float32_cannot_hold():
    """Else an answer that computes in float32 would pass."""
    generator = torch.Generator().manual_seed(0)
    seen = 0
    for module in (conv2d, max_pool):
        for round_ in range(12):
            x = module.draw(generator, round_)[0]
            if x.dtype == torch.float64 and x.numel() > 4:
                seen += 1
                assert (x.float().double() != x).any()
    assert seen > 6


def diagnoses_of_size():
    for reason, way in size.WAYS:
        yield reason, [tuple(way(case)) for case in size.CASES]
    for reason, count in size.PARAMETERS:
        yield reason, [size.counted(count, case) for case in size.CASES]


def test_no_two_diagnoses_of_size_explain_the_same_numbers():
    right = [size.conv_shape(*case) for case in size.CASES]
    seen = {}
    for reason, numbers in diagnoses_of_size():
        assert numbers not in ([shape[1:] for shape, _ in right], [count for _, count in right]), reason
        assert seen.setdefault(str(numbers), reason) == reason


def test_no_two_diagnoses_of_equivariance_explain_the_same_cells():
    right = [equivariance.truth(case).tolist() for case in equivariance.CASES]
    seen = {}
    for reason, mask in equivariance.SUSPECTS:
        cells = [mask(case).tolist() for case in equivariance.CASES]
        assert cells != right, reason
        assert seen.setdefault(str(cells), reason) == reason


def test_no_two_diagnoses_of_the_network_explain_the_same_logits():
    """On the first case that shows a mistake, where it is named; each of the two has mistakes that it cannot show."""
    hidden = [(reason, faults) for reason, several in debug.MISTAKES for faults in several]
    for case in debug.cases():
        shown, right = [], debug._network(*case)
        for reason, faults in hidden:
            try:
                logits = debug._network(*case, **faults)
            except RuntimeError:  # the faulty network cannot be run on this case, nor can the learner's
                continue
            if not matches(logits, right):
                shown.append((reason, faults, logits))
        for n, (reason, _, logits) in enumerate(shown):
            assert not [other for other, _, twin in shown[:n] if other != reason and matches(logits, twin)], reason
        hidden = [(reason, faults) for reason, faults in hidden if not any(faults is was for _, was, _ in shown)]
    assert not hidden


def test_a_slope_that_no_window_carries_may_be_none_or_zero():
    """All windows stand on the padding: an answer that loops over pixels never touches x nor the weight."""
    args = (torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.ones(1), (3, 1), (1, 2), (1, 1))
    answers = (lambda x, w, b, *rest: b[:, None, None].expand(1, 1, 1, 5), conv2d.conv2d)
    for answer in answers:
        ask = conv2d.Examiner("05.conv2d", "conv2d", LocalSubject(answer))
        wanted = (torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.full((1,), 5.0))
        conv2d.slopes(ask, args, ("x", "weight", "bias"), torch.ones(1, 1, 1, 5), wanted, (), "")


def test_the_broken_network_of_the_notebook_is_diagnosed():
    source = (Path(__file__).parents[2] / "solutions" / "05-cnn.md").read_text(encoding="utf-8")
    code = re.search(r"^def broken_network\(.*?bias3$", source, re.DOTALL | re.MULTILINE)
    names = {"torch": torch, "functional": functional}
    exec(code.group(), names)
    with pytest.raises(CheckFailed) as failure:
        find("05.debug").check(LocalSubject(names["broken_network"]), None)
    assert failure.value.reason == debug.ROWS + debug.MORE


def test_the_experiments_of_the_notebook_tell_the_broken_network_from_the_right_one(capsys):
    source = (Path(__file__).parents[2] / "solutions" / "05-cnn.md").read_text(encoding="utf-8")
    names = {"torch": torch, "functional": functional}
    for name in ("broken_network", "simple_weights", "experiments"):
        exec(re.search(rf"^def {name}\(.*?(?=\n\n\n|\n```)", source, re.DOTALL | re.MULTILINE).group(), names)
    names["experiments"](debug.network)
    for line in capsys.readouterr().out.splitlines():
        got, right = re.findall(r"\[.*?\]", line)
        assert got == right
    names["experiments"](names["broken_network"])
    assert all(len(set(re.findall(r"\[.*?\]", line))) == 2 for line in capsys.readouterr().out.splitlines())
