"""Every public name of the room against its oracle, on each device."""

import pytest
from dlcourse_defenses import ORACLES

from dlcourse import defenses

OURS = {name.removeprefix("defenses."): oracle for name, oracle in ORACLES.items() if name.startswith("defenses.")}
# What an oracle of something else looks at: a number, and what `adversarial_batches` makes.
RECORDS = {"ABSTAINS", "AdversarialBatches"}


@pytest.mark.parametrize("name", OURS)
def test_equals_its_oracle(name, device):
    OURS[name](getattr(defenses, name), device)


def test_everything_public_has_an_oracle():
    assert {*defenses.__all__} == {*OURS, *RECORDS}
