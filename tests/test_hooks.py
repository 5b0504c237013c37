"""Hooks against their oracles; nested blocks, and what the docstrings say beside that."""

import copy

import pytest
import torch
from dlcourse_oracles import ORACLES, hooks_left, random, small_net

from dlcourse import hooks


@pytest.mark.parametrize("name", ["capture", "replace"])
def test_equals_its_oracle(name, device):
    ORACLES[f"hooks.{name}"](getattr(hooks, name), device)


def test_every_public_function_has_an_oracle():
    public = {
        f"hooks.{name}"
        for name, value in vars(hooks).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == "dlcourse.hooks"
    }
    assert public == {name for name in ORACLES if name.startswith("hooks.")} == {"hooks.capture", "hooks.replace"}
