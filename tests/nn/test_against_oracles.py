"""Each layer and loss against its oracle: torch's value and slope, on each device."""

import pytest
from dlcourse_oracles import ORACLES

from dlcourse import nn


@pytest.mark.parametrize("name", [name for name in ORACLES if name.startswith("nn.")])
def test_equals_its_oracle(name, device):
    ORACLES[name](getattr(nn, name.removeprefix("nn.")), device)


def test_every_public_function_has_an_oracle():
    assert {f"nn.{name}" for name in nn.__all__} == {name for name in ORACLES if name.startswith("nn.")}
