"""Shaping and sampling against slow definitions, on each device; each draw follows the probabilities it shows."""

import pytest
import torch
from dlcourse_game import ORACLES as OF_THE_GAME
from dlcourse_oracles import source
from dlcourse_text import ORACLES as OF_TEXT
from dlcourse_text import Table
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import generation, models, nn
from dlcourse.steps import record

ORACLES = {**OF_TEXT, **OF_THE_GAME}
OURS = {name.removeprefix("generation."): oracle for name, oracle in ORACLES.items() if name.startswith("generation.")}
# What an oracle of something else looks at: records, and the tuple of all losses.
RECORDS = {"SampleStep", "DiscriminatorStep", "GeneratorStep", "GanTurn", "GanHistory", "LOSSES"}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(generation, name), device)


def test_everything_public_has_an_oracle():
    assert {*generation.__all__} == {*OURS, *RECORDS}


logits = st.lists(st.floats(-50, 50, width=32) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=12)


@given(logits, st.floats(0, 5), st.none() | st.integers(1, 15), st.none() | st.floats(0, 1))
def test_shaped_are_probabilities_of_the_likeliest(row, temperature, k, p):
    z = torch.tensor(row, device="cpu")
    chances = generation.shaped(z, temperature=temperature, top_k=k, top_p=p)
    assert chances.sum().item() == pytest.approx(1, abs=1e-5)
    kept = chances > 0
    assert kept.any()
    assert kept.sum() <= (k or len(row))
    assert chances[z.argmax()] == chances.max()  # never taken away
    if (~kept).any():
        assert z[kept].min() >= z[~kept].max()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_come_as_often_as_they_say(temperature):
    model = Table(4, "cpu")
    prefix = torch.tensor([2], device="cpu")
    counts, n = torch.zeros(4, device="cpu"), 3000
    generator = source(0, "cpu")
    for _ in range(n):
        (step,) = generation.sample_steps(model, prefix, steps=1, temperature=temperature, generator=generator)
        counts[step.token] += 1
    p = step.probabilities
    assert ((counts / n - p).abs() < 4 * (p * (1 - p) / n).sqrt() + 1e-9).all()  # four standard deviations


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_recurrent_model_writes_on(cell, device):
    """With the library's own model: reading step by step and all at once give one distribution; steps can be kept."""
    generator = source(0, device)
    model = models.CharRNN(6, hidden=5, layers=2, embedding=3, cell=cell, generator=generator)
    prefix = torch.tensor([1, 2, 3], device=device)
    steps = record(generation.sample_steps(model, prefix, steps=8, generator=generator))
    text = torch.cat([prefix.cpu(), torch.tensor([step.token for step in steps], device="cpu")]).to(device)
    whole, _ = model(text[None, :-1])
    for step, wanted in zip(steps, whole[0, len(prefix) - 1 :].cpu(), strict=True):
        torch.testing.assert_close(step.logits, wanted.detach(), rtol=1e-4, atol=1e-5)
    assert model.training
