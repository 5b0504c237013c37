"""What the n-gram is worth on real text: relations only, because the text differs between versions of Python."""

import math
import time
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import data, models, training


@pytest.fixture(scope="module")
def topics():
    text = data.load("topics", split="all").text
    vocabulary = data.Vocabulary.of(text)
    return (*map(vocabulary.encode, data.split_blocks(text)), len(vocabulary))


SMOOTHINGS = st.sampled_from(["witten-bell", "kneser-ney"])


@given(st.integers(1, 6), st.integers(1, 5), st.integers(5, 80), st.integers(0, 5), st.integers(0, 1000), SMOOTHINGS)
def test_probabilities_sum_to_1_and_none_is_0(classes, order, n, length, seed, smoothing):
    g = torch.Generator().manual_seed(seed)
    ids, context = (torch.randint(classes, (k,), generator=g) for k in (n, length))
    p = models.NGram.fit(ids, order=order, classes=classes, smoothing=smoothing).probabilities(context)
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    assert p.min() > 0


def test_longer_contexts_help_until_they_are_too_rare(topics):
    train, held, classes = topics
    bits = [
        training.bits_per_character(models.NGram.fit(train, order=order, classes=classes).loss(held))
        for order in range(1, 7)
    ]
    assert bits[0] < math.log2(classes)
    assert all(longer < shorter for shorter, longer in pairwise(bits[:5]))
    assert bits[5] < bits[3] < 0.7 * bits[1]
    memory = models.NGram.fit(train, order=6, classes=classes)
    assert training.bits_per_character(memory.loss(train)) < 0.8 * bits[5]  # it knows what it counted better


@pytest.mark.parametrize("order", [6, 9])
def test_counting_contexts_is_worth_more(topics, order):
    """What Kneser and Ney found: measured at 0.2 bits and more."""
    train, held, classes = topics
    plain, better = (
        training.bits_per_character(
            models.NGram.fit(train, order=order, classes=classes, smoothing=smoothing).loss(held)
        )
        for smoothing in ("witten-bell", "kneser-ney")
    )
    assert better < plain - 0.05


def test_what_has_followed_many_contexts_is_likelier_in_a_new_one():
    """b occurs more often than c, but after two symbols only, and c after three. After d nothing has been seen."""
    a, b, c, d, e = range(5)
    ids = torch.tensor([a, b, a, b, a, b, a, c, e, c, b, c, d])
    plain, better = (models.NGram.fit(ids, order=2, classes=5, smoothing=s) for s in ("witten-bell", "kneser-ney"))
    after_d = torch.tensor([d])
    assert plain.probabilities(after_d)[b] > plain.probabilities(after_d)[c]
    assert better.probabilities(after_d)[c] > better.probabilities(after_d)[b]


def test_it_is_fast(topics):
    """Order 6 on all of the text, in seconds of CPU: measured at 0.2."""
    train, held, classes = topics
    begun = time.process_time()
    models.NGram.fit(train, order=6, classes=classes).loss(held)
    assert time.process_time() - begun < 5
