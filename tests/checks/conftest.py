"""Answers for the checks of this room, seen in process and over a socket."""

import importlib.util
from pathlib import Path

import pytest
from dlcourse_answers import RIGHT, WRONG, local, remote

from dlcourse.checks.registry import EXERCISES

for path in sorted(Path(__file__).parent.glob("wrong_answers_ch*.py")):  # each fills WRONG and RIGHT
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.fixture(params=[local, remote], ids=["in-process", "over-the-wire"])
def connect(request):
    """A context manager that makes a Subject of an answer."""
    return request.param


@pytest.fixture
def all_wrong():
    return WRONG


@pytest.fixture
def all_right():
    return RIGHT


def pytest_generate_tests(metafunc):
    if "wrong" in metafunc.fixturenames:
        ids = [f"{exercise}-{name}" for exercise, name, *_ in WRONG]
        metafunc.parametrize("wrong", [(EXERCISES[e], answer, phrase) for e, _, answer, phrase in WRONG], ids=ids)
    if "right" in metafunc.fixturenames:
        cases = [(id, "reference", exercise.reference) for id, exercise in EXERCISES.items()] + RIGHT
        ids = [f"{exercise}-{name}" for exercise, name, _ in cases]
        metafunc.parametrize("right", [(EXERCISES[e], answer) for e, _, answer in cases], ids=ids)
    if "exercise" in metafunc.fixturenames:
        metafunc.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
