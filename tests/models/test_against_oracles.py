"""Each model against its oracle, on each device."""

import pytest
from dlcourse_oracles import CLASSES
from dlcourse_oracles import ORACLES as FUNCTIONS
from dlcourse_text import ORACLES as TEXT

from dlcourse import models

ORACLES = {name: oracle for name, oracle in {**FUNCTIONS, **CLASSES, **TEXT}.items() if name.startswith("models.")}
RECORDS = {"models.LogisticStep", "models.PerceptronStep"}  # no behaviour of their own


@pytest.mark.parametrize("name", ORACLES)
def test_equals_its_oracle(name, device):
    ORACLES[name](getattr(models, name.removeprefix("models.")), device)


def test_everything_public_has_an_oracle():
    assert {f"models.{name}" for name in models.__all__} == {*ORACLES, *RECORDS}
