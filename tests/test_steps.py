"""`last` runs to the end; `record` keeps copies that nothing can change any more."""

from dataclasses import FrozenInstanceError, dataclass

import pytest
import torch

from dlcourse.steps import last, record


@dataclass(frozen=True)
class Inner:
    values: torch.Tensor
    name: str


@dataclass(frozen=True)
class Outer:
    index: int
    inner: Inner
    table: dict
    several: tuple
    rest: list
    nothing: None = None


def test_last_runs_to_the_end():
    seen = []
    assert last(seen.append(i) or i for i in range(3)) == 2
    assert seen == [0, 1, 2]
    assert last([None]) is None  # None is a step like any other


def test_last_of_nothing_is_refused():
    with pytest.raises(ValueError, match="made no step"):
        last([])


def test_record_copies_every_tensor(device):
    shared = torch.zeros(3, device=device, requires_grad=True)

    def steps():
        for i in range(3):
            with torch.no_grad():
                shared.add_(1)
            yield Outer(i, Inner(shared * 1, "n"), {"t": shared}, (shared, 2), [Inner(shared, "m"), shared])

    kept = record(steps())
    for i, step in enumerate(kept):
        assert (step.index, step.inner.name, step.several[1], step.rest[0].name, step.nothing) == (i, "n", 2, "m", None)
        assert type(step) is Outer
        for t in (step.inner.values, step.table["t"], step.several[0], step.rest[0].values, step.rest[1]):
            assert t.tolist() == [i + 1.0] * 3
            assert not t.requires_grad
            assert t.device.type == "cpu"
            assert t.data_ptr() != shared.data_ptr()


def test_a_step_is_frozen():
    (step,) = record([Inner(torch.zeros(2), "x")])
    with pytest.raises(FrozenInstanceError):
        step.name = "y"


def test_record_keeps_plain_steps_as_they_are():
    assert record(iter([1, "a", None])) == [1, "a", None]


def test_record_of_nothing_is_empty():
    assert record([]) == []
