"""Vocabularies, held-out blocks and batches of streams; windows and cuts of a series; the two bundled series."""

import math
from dataclasses import FrozenInstanceError

import pytest
import torch
from dlcourse_text import ORACLES
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import data

OURS = {name.removeprefix("data."): oracle for name, oracle in ORACLES.items() if name.startswith("data.")}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(data, name), device)


@given(st.text(min_size=1))
def test_a_text_goes_there_and_back(text):
    vocabulary = data.Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert sorted(vocabulary.symbols) == [*vocabulary.symbols] == sorted(set(text))
    assert data.Bytes().decode(data.Bytes().encode(text)) == text


def test_a_vocabulary_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        data.Vocabulary("ab").symbols = "abc"


@given(st.integers(0, 300), st.integers(1, 40), st.integers(2, 12))
def test_no_character_is_in_both_parts(n, block, every):
    text = "".join(map(chr, range(n)))  # each character once
    if n <= block * (every - 1):
        with pytest.raises(ValueError, match="nothing would be held out"):
            data.split_blocks(text, block=block, every=every)
        return
    train, held = data.split_blocks(text, block=block, every=every)
    assert not set(train) & set(held)
    assert sorted(train + held) == sorted(text)
    assert held
    assert train


@given(st.integers(2, 200), st.integers(1, 20), st.integers(1, 30))
def test_every_symbol_but_the_left_over_is_predicted_once(n, size, time):
    if n <= size:
        return
    made = data.text_batches(torch.arange(n, device="cpu"), size=size, time=time)
    targets = torch.cat([y.flatten() for _, y, _ in made]).sort().values
    assert torch.equal(targets, torch.arange(1, len(targets) + 1, device="cpu"))
    assert n - 1 - len(targets) < size
    assert [first for *_, first in made] == [True] + [False] * (len(made) - 1)


# What the cut is for: what is in one part must not be in the other. Each value of the series is a number of its own.


@given(st.integers(4, 60), st.floats(0.1, 0.6), st.integers(1, 6), st.integers(1, 3))
def test_cut_first_and_no_window_knows_what_comes_later(n, share, length, horizon):
    series = torch.arange(n, dtype=torch.float32, device="cpu")
    cut = n - round(share * n)
    if cut < length + horizon or n - cut < horizon or not cut < n:
        return
    train, test = data.split_in_time(series, test=share, history=length)
    x, y = data.windows(train, length=length, horizon=horizon)
    x_test, y_test = data.windows(test, length=length, horizon=horizon)
    assert max(x.max(), y.max()) < cut <= y_test.min()
    assert y_test.min() == cut  # none is wasted
    assert (x_test.amax(1) < y_test.amin(1)).all()  # inputs are known before their targets
    apart, later = data.split_in_time(series, test=share)
    assert not set(apart.tolist()) & set(later.tolist())


def test_windows_drawn_at_random_do_leak():
    """The fault that the module warns of: of windows shuffled first, nearly every target is in a training window."""
    x, y = data.windows(torch.arange(100.0, device="cpu"), length=10)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    train, test = order[:72], order[72:]
    seen = set(x[train].flatten().tolist()) | set(y[train].flatten().tolist())
    assert sum(value in seen for value in y[test].flatten().tolist()) / len(test) > 0.9


# The bundled series


@pytest.mark.parametrize(("name", "n", "first", "last"), [("sunspots", 309, 1700, 2008), ("co2", 526, 1958, 2001)])
def test_a_series_comes_whole_and_evenly(name, n, first, last):
    series = data.load(name, split="all")
    years, values = series
    assert (years.shape, values.shape, years.dtype, values.dtype) == ((n,), (n,), torch.float32, torch.float32)
    steps = years.double().diff()
    assert steps.max() - steps.min() < 1e-3  # float32 counts years to about a ten-thousandth
    assert (int(years[0]), int(years[-1])) == (first, last)
    assert values.isfinite().all()
    assert repr(series).startswith(f"Series({name}: {n} values, {first} to {last}, ")
    assert series.source
    assert series.licence == "public domain"


def test_a_series_is_cut_in_time():
    whole, train, test = (data.load("sunspots", split=split) for split in ("all", "train", "test"))
    assert torch.equal(torch.cat([train.values, test.values]), whole.values)
    assert torch.equal(torch.cat([train.years, test.years]), whole.years)
    assert len(train.values) == 309 * 4 // 5
    assert train.years.max() < test.years.min()


def test_sunspots_are_sunspots():
    """Known from elsewhere: the deep minimum around 1700, the highest mean of 1957, a cycle of about eleven years."""
    years, values = data.load("sunspots", split="all")
    assert int(years[values.argmax()]) == 1957
    assert values.max().item() == pytest.approx(190.2, abs=0.5)
    assert values.min() == 0
    assert strongest_period(values - values.mean()) == pytest.approx(11, abs=0.5)


def test_co2_is_co2():
    """It rises in each decade, by 55 ppm or so in all, and comes round each year: highest in May, lowest in autumn."""
    years, values = data.load("co2", split="all")
    assert values[:12].mean().item() == pytest.approx(315.5, abs=1)
    assert values[-12:].mean().item() == pytest.approx(371, abs=1)
    assert (values[120:] > values[:-120]).all()
    assert strongest_period((values - smooth(values))[12:-12]) == pytest.approx(12, abs=0.1)
    month = ((years - years.floor()) * 12).long()
    assert int(years[0] * 12) % 12 + 1 == 3  # begins in March 1958
    rest = (values - smooth(values))[12:-12]
    means = [rest[month[12:-12] == i].mean().item() for i in range(12)]
    assert means.index(max(means)) + 1 == 5
    assert means.index(min(means)) + 1 in (9, 10)


def smooth(values):
    """The mean of thirteen months around each."""
    padded = torch.cat([values[:1].repeat(6), values, values[-1:].repeat(6)])
    return padded.unfold(0, 13, 1).mean(1)


def strongest_period(values):
    """Steps of the strongest wave, from the sums of products with sine and cosine, over a fine grid of periods."""
    time = torch.arange(len(values), dtype=torch.float64, device="cpu")
    periods = torch.linspace(4, 30, 2601, dtype=torch.float64, device="cpu")
    phases = 2 * math.pi * time / periods[:, None]
    power = (phases.sin() @ values.double()) ** 2 + (phases.cos() @ values.double()) ** 2
    return periods[power.argmax()].item()
