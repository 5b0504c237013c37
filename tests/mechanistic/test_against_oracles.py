"""The room mechanistic against definitions written out by hand, on each device."""

import pytest
from dlcourse_mechanistic import ORACLES, RECORDS

from dlcourse import mechanistic

OURS = {name.removeprefix("mechanistic."): oracle for name, oracle in ORACLES.items()}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(mechanistic, name), device)


def test_everything_public_has_an_oracle():
    assert {*mechanistic.__all__} == {*OURS, *RECORDS}
