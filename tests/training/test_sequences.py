"""Measures of texts and forecasts against slow definitions, and what must hold for any of them."""

import math

import pytest
import torch
from dlcourse_text import ORACLES
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import data, models, training

OURS = {name.removeprefix("training."): oracle for name, oracle in ORACLES.items() if name.startswith("training.")}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(training, name), device)


@given(st.integers(2, 1000))
def test_a_guess_spread_evenly_costs_the_logarithm(classes):
    assert training.perplexity(math.log(classes)) == pytest.approx(classes)
    assert 2 ** training.bits_per_character(math.log(classes)) == pytest.approx(classes)


def test_the_guess_itself_has_a_scaled_error_of_1_where_the_series_goes_on_alike():
    series = torch.arange(40.0, device="cpu") % 7  # a saw, whose errors come round
    train, test = data.split_in_time(series, test=0.35, history=1)
    x, y = data.windows(test, length=1)
    found = training.scaled_error(models.persistence(x), y, train=train)
    assert found == pytest.approx(1, abs=0.1)
    assert training.scaled_error(y, y, train=train) == 0


def test_on_co2_the_season_beats_persistence_and_the_mean_is_worst():
    """What each plain forecast knows: a year ahead, the mean lags behind a rising series, a season repeats."""
    values = data.load("co2", split="all").values
    train, test = data.split_in_time(values, test=0.2, history=24)
    x, y = data.windows(test, length=24, horizon=6)
    plain, season, mean = (
        training.scaled_error(forecast, y, train=train)
        for forecast in (
            models.persistence(x, horizon=6),
            models.seasonal_persistence(x, season=12, horizon=6),
            models.mean_forecast(x, horizon=6),
        )
    )
    assert season < plain
    assert season < mean
