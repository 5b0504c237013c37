"""The attacks against definitions written out by hand, on each device."""

import pytest
from dlcourse_attacks import ORACLES as OF_THE_FIRST
from dlcourse_attacks_more import ORACLES as OF_THE_LONGER
from dlcourse_attacks_more import RECORDS as OTHER_RECORDS

from dlcourse import attacks

ORACLES = {**OF_THE_FIRST, **OF_THE_LONGER}
OURS = {name.removeprefix("attacks."): oracle for name, oracle in ORACLES.items()}
# What an oracle of something else looks at: the records, and what the three balls have in common.
RECORDS = {"EpsilonCurve", "Look", "MifgsmStep", "PgdStep", "RobustAccuracy", "Threat", "Transfer", *OTHER_RECORDS}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(attacks, name), device)


def test_everything_public_has_an_oracle():
    assert {*attacks.__all__} == {*OURS, *RECORDS}
