"""The explanations against definitions written out by hand, on each device."""

import pytest
from dlcourse_attribution import ORACLES as OF_THE_FIRST
from dlcourse_attribution import RECORDS
from dlcourse_attribution_more import ORACLES as OF_THE_OTHERS
from dlcourse_attribution_more import RECORDS as OTHER_RECORDS

from dlcourse import attribution, training

ORACLES = {**OF_THE_FIRST, **OF_THE_OTHERS}
ROOMS = {"attribution": attribution, "training": training}


@pytest.mark.parametrize("name", ORACLES)
def test_equals_its_oracle(name, device):
    room, _, function = name.partition(".")
    ORACLES[name](getattr(ROOMS[room], function), device)


def test_everything_public_has_an_oracle():
    ours = {name.removeprefix("attribution.") for name in ORACLES if name.startswith("attribution.")}
    assert {*attribution.__all__} == {*ours, *RECORDS, *OTHER_RECORDS}
