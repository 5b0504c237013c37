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


PAIRS = {
    "in-process-visible": (local, None),
    "over-the-wire-hidden": (remote, 41_017),
    "in-process-hidden": (local, 41_017),
    "over-the-wire-visible": (remote, None),
}


def _in_turns(named):
    """Each answer once in the ordinary suite, by the first two pairs in turns; all four pairs in the slow stage."""
    for turn, (name, case) in enumerate(named):
        for place, (pair, how) in enumerate(PAIRS.items()):
            marks = () if place == turn % 2 else pytest.mark.slow
            yield pytest.param(case, *how, id=f"{name}-{pair}", marks=marks)


def pytest_generate_tests(metafunc):
    references = [(id, "reference", exercise.reference) for id, exercise in EXERCISES.items()]
    for kind, cases in (("wrong", WRONG), ("right", references + RIGHT)):
        if kind in metafunc.fixturenames:
            named = [(f"{id}-{name}", (EXERCISES[id], *answer)) for id, name, *answer in cases]
            if "seed" in metafunc.fixturenames:
                metafunc.parametrize((kind, "subject_of", "seed"), list(_in_turns(named)))
            else:
                metafunc.parametrize(kind, [pytest.param(case, id=name) for name, case in named])
    if "exercise" in metafunc.fixturenames:
        metafunc.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
