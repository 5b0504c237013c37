"""Each layer and loss against its oracle: torch's value and slope, on each device."""

import pytest
from dlcourse_oracles import CLASSES, FROM_TORCH, ORACLES

from dlcourse import nn

OURS = {name.removeprefix("nn."): oracle for name, oracle in {**ORACLES, **CLASSES}.items() if name.startswith("nn.")}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(nn, name), device)


@pytest.mark.parametrize("name", FROM_TORCH)
def test_what_is_handed_on_is_torchs_own(name):
    assert getattr(nn, name.removeprefix("nn.")) is FROM_TORCH[name]


def test_every_public_function_has_an_oracle():
    functions = {f"nn.{name}" for name in nn.__all__ if not isinstance(getattr(nn, name), type)}
    assert functions == {name for name in ORACLES if name.startswith("nn.")}


def test_every_public_class_has_an_oracle_or_is_torchs():
    classes = {f"nn.{name}" for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert not set(CLASSES) & set(FROM_TORCH)
    assert classes == {name for name in {*CLASSES, *FROM_TORCH} if name.startswith("nn.")}
