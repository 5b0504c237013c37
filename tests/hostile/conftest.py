"""The hostile submissions, and one run of the grader over them."""

import importlib.util
from pathlib import Path

import pytest
from dlcourse_besieged import Besieged
from dlcourse_hostile import CASES, ENDLESS, quick_cases

for path in sorted(Path(__file__).parent.glob("cases_*.py")):  # each fills CASES
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def besiege(folder, cases):
    from dlcourse.course.grading.jail.sandbox import NoSandbox, probe

    try:
        probe()
    except NoSandbox as error:
        pytest.skip(f"no sandbox here: {error}")
    course = Besieged(folder)
    try:
        course.release()
        course.hand_in(cases)
        course.grade()
        yield course
    finally:
        course.close()


@pytest.fixture(scope="module")
def course(request, tmp_path_factory):
    """A course after one run of the grader over the ordinary suite's cases; with `-k`, over those asked for."""
    asked = {
        item.callspec.params["case"].name
        for item in request.session.items
        if "case" in getattr(item, "fixturenames", ()) and "course" in item.fixturenames
    }
    quick = [case for case in quick_cases() if not asked or case.name in asked]
    yield from besiege(tmp_path_factory.mktemp("besieged"), quick)


@pytest.fixture(scope="module")
def slow_course(tmp_path_factory):
    slow = [case for case in CASES.values() if case not in quick_cases() and case.name not in ENDLESS]
    yield from besiege(tmp_path_factory.mktemp("besieged"), slow)


@pytest.fixture(scope="module")
def endless_course(tmp_path_factory):
    yield from besiege(tmp_path_factory.mktemp("besieged"), [CASES[name] for name in ENDLESS])
