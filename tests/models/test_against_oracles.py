"""Each model against its oracle, on each device."""

import pytest
from dlcourse_oracles import ORACLES

from dlcourse import models


@pytest.mark.parametrize("name", [name for name in ORACLES if name.startswith("models.")])
def test_equals_its_oracle(name, device):
    ORACLES[name](getattr(models, name.removeprefix("models.")), device)


def test_every_public_function_has_an_oracle():
    functions = {f"models.{name}" for name in models.__all__ if not name[0].isupper()}
    assert functions == {name for name in ORACLES if name.startswith("models.")}
