"""Schedules: torch's numbers for any total, where they begin and end, and what they refuse."""

from itertools import pairwise

import dlcourse_optim as oracles
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcourse import optim

TOTALS = st.integers(1, 40)
FLOORS = st.floats(0, 1)


def test_all_four_are_torchs_and_refuse_what_they_must(unchecked):
    oracles.schedules(optim)


@given(every=st.integers(1, 12), factor=st.floats(1e-3, 1), count=TOTALS)
def test_step_decay_is_torchs(every, factor, count):
    oracles.step_decay(optim, every=every, factor=factor, count=count)


@given(total=TOTALS, floor=FLOORS)
def test_cosine_is_torchs(total, floor):
    oracles.cosine(optim, total=total, floor=floor)


@given(total=TOTALS, share=st.floats(0, 0.999), floor=FLOORS)
def test_warmup_cosine_is_torchs_two_one_after_the_other(total, share, floor):
    oracles.warmup_cosine(optim, total=total, warmup=int(share * total), floor=floor)


@given(total=TOTALS, warmup=st.floats(0, 0.99), start=st.floats(1e-3, 1), end=st.floats(1e-6, 1))
def test_one_cycle_is_torchs(total, warmup, start, end):
    assume(abs(warmup * total - 1) > 1e-6)  # there torch divides 0 by 0
    oracles.one_cycle(optim, total=total, warmup=warmup, start=start, end=end)


def falls(values):
    return all(a >= b for a, b in pairwise(values))


@given(total=TOTALS, floor=FLOORS)
def test_a_cosine_falls_from_1_to_its_floor(total, floor):
    values = [optim.cosine(index, total=total, floor=floor) for index in range(total + 3)]
    assert values[0] == 1
    assert values[total:] == [floor] * 3
    assert falls(values)
    middle = optim.cosine(5, total=10, floor=floor)
    assert middle == pytest.approx((1 + floor) / 2)


@given(total=TOTALS, share=st.floats(0, 0.999), floor=FLOORS)
def test_warm_up_is_a_line_to_1_and_then_a_cosine(total, share, floor):
    warmup = int(share * total)
    values = [optim.warmup_cosine(index, total=total, warmup=warmup, floor=floor) for index in range(total + 1)]
    assert values[:warmup] == pytest.approx([k / warmup for k in range(1, warmup + 1)])
    assert values[warmup] == 1  # reached by the last update of the warm-up, and held for one
    assert falls(values[warmup:])
    assert values[total] == floor
    assert values[warmup:] == [optim.cosine(k, total=total - warmup, floor=floor) for k in range(total - warmup + 1)]


@given(total=TOTALS, warmup=st.floats(0, 0.99), start=FLOORS, end=FLOORS)
def test_one_cycle_climbs_falls_and_ends(total, warmup, start, end):
    values = [optim.one_cycle(k, total=total, warmup=warmup, start=start, end=end) for k in range(total + 2)]
    climbing = sum(k < warmup * total - 1 for k in range(total))
    assert falls(values[:climbing][::-1])
    assert falls(values[climbing:])
    assert values[total - 1 :] == [end] * 3
    assert all(0 <= value <= 1 for value in values)
    if climbing:
        assert values[0] == pytest.approx(start, abs=1e-12)


@given(every=st.integers(1, 9), factor=st.floats(1e-3, 1), index=st.integers(0, 60))
def test_step_decay_is_flat_between_its_steps(every, factor, index):
    value = optim.step_decay(index, every=every, factor=factor)
    assert value == factor ** (index // every)
    assert optim.step_decay(index - index % every, every=every, factor=factor) == value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.step_decay(-1, every=2), r"step_decay got index=-1; updates are counted 0, 1, 2"),
        (lambda: optim.step_decay(1, every=0), r"every=0; wanted a number of updates, at least 1"),
        (lambda: optim.cosine(1, total=0), r"total=0; wanted the number of updates of the whole run"),
        (lambda: optim.warmup_cosine(1, total=5, warmup=5), r"warmup=5 of total=5; .* fewer than total"),
        (lambda: optim.one_cycle(1, total=5, warmup=3.0), r"warmup=3\.0; wanted a share of the updates"),
        (lambda: optim.cosine(1, total=5, floor=2.0), r"floor=2\.0; wanted a share of the learning rate"),
    ],
)
def test_the_messages_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
