"""The loss on a plane, against its oracle."""

from dlcourse_defenses import ORACLES

from dlcourse import landscape


def test_the_plane_equals_its_oracle(device):
    ORACLES["landscape.plane"](landscape.plane, device)
