"""Minibatches: each example once, x with its y, shuffled only on request."""

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data import batches


def numbered(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.arange(n, device="cpu")
    return torch.stack([x, -x], dim=1).float(), x


@given(n=st.integers(1, 40), size=st.integers(1, 50), seed=st.none() | st.integers(0, 5))
def test_each_example_comes_once_with_its_label(n, size, seed):
    x, y = numbered(n)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    got = list(batches(x, y, size=size, generator=generator))
    assert [len(x_batch) for x_batch, _ in got] == [size] * (n // size) + ([n % size] if n % size else [])
    for x_batch, y_batch in got:
        assert torch.equal(x_batch[:, 0], y_batch.float())
    rows = torch.cat([y_batch for _, y_batch in got])
    assert torch.equal(rows if generator is None else rows.sort().values, y)


def test_a_generator_shuffles_anew_in_each_pass_and_repeatably():
    x, y = numbered(50)

    def passes(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return [[row for _, b in batches(x, y, size=8, generator=generator) for row in b.tolist()] for _ in range(2)]

    state = torch.get_rng_state()
    first, second = passes(0)
    assert first != second
    assert first != sorted(first)
    assert passes(0) == [first, second]
    assert passes(1) != [first, second]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(y, numbered(50)[1])  # the arguments stay as they were


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("examples", "labels", "size"), [(3, 2, 1), (2, 3, 1), (0, 0, 1), (3, 3, 0), (3, 3, -1)])
def test_wrong_sizes_are_refused_at_once(examples, labels, size):
    with pytest.raises(ValueError, match="wanted"):
        batches(torch.zeros(examples, device="cpu"), torch.zeros(labels, device="cpu"), size=size)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x": [[1.0], [2.0]]}, r"x of type list; wanted a tensor"),
        ({"y": numpy.zeros(2)}, r"y of type ndarray; wanted a tensor"),
        ({"size": 2.0}, r"size of type float; wanted a whole number"),
        ({"generator": 0}, r"generator of type int; wanted a generator.*manual_seed"),
    ],
)
def test_wrong_kinds_are_refused_at_once(wrong, words):
    x, y = numbered(2)
    with pytest.raises(TypeError, match=words):
        batches(**{"x": x, "y": y, "size": 1} | wrong)


@pytest.mark.parametrize("drawn_on_the_cpu", [True, False])
def test_examples_stay_on_their_device(device, drawn_on_the_cpu):
    x, y = (t.to(device) for t in numbered(10))
    generator = torch.Generator(device="cpu" if drawn_on_the_cpu else device).manual_seed(0)
    for x_batch, y_batch in batches(x, y, size=4, generator=generator):
        assert x_batch.device.type == y_batch.device.type == device.type


@given(n=st.integers(1, 40), size=st.integers(1, 50), seed=st.none() | st.integers(0, 5), drop_last=st.booleans())
def test_the_length_is_the_number_of_batches_of_every_pass(n, size, seed, drop_last):
    x, y = numbered(n)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    if drop_last and size > n:
        with pytest.raises(ValueError, match=f"{n} examples fill no batch; wanted a size of {n} or less"):
            batches(x, y, size=size, generator=generator, drop_last=True)
        return
    made = batches(x, y, size=size, generator=generator, drop_last=drop_last)
    for _ in range(2):
        sizes = [len(y_batch) for _, y_batch in made]
        assert len(sizes) == len(made)
        assert sizes == [size] * (n // size) + ([n % size] if n % size and not drop_last else [])


def test_passes_can_be_repeated_and_mixed():
    x, y = numbered(10)
    made = batches(x, y, size=3)
    assert [b.tolist() for _, b in made] == [b.tolist() for _, b in made] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert [(a.tolist(), b.tolist()) for (_, a), (_, b) in zip(made, made, strict=True)] == [
        (rows, rows) for rows in ([0, 1, 2], [3, 4, 5], [6, 7, 8], [9])
    ]


def test_the_order_is_drawn_once_when_a_pass_begins():
    """So the state of the generator before a pass repeats the whole pass, whoever draws from it on the way."""
    x, y = numbered(10)
    generator = torch.Generator().manual_seed(0)
    made = batches(x, y, size=3, generator=generator)
    state = generator.get_state()
    one = iter(made)
    assert not torch.equal(generator.get_state(), state)
    first = [next(one)[1].tolist()]
    torch.rand(3, generator=generator)  # a Dropout that shares it, say
    first += [b.tolist() for _, b in one]
    generator.set_state(state)
    assert [b.tolist() for _, b in made] == first


def test_it_says_what_it_is():
    x, y = numbered(10)
    assert repr(batches(x, y, size=3)) == "Batches(4 of 3, from 10 examples, in order)"
    shuffled = batches(x, y, size=3, generator=torch.Generator(), drop_last=True)
    assert repr(shuffled) == "Batches(3 of 3, from 10 examples, shuffled anew in each pass)"
    with pytest.raises(AttributeError):
        shuffled.size = 4
