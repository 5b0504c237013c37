"""The hostile submissions, and runs of the grader over them."""

import importlib.util
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from dlcourse_besieged import VICTIM, Besieged
from dlcourse_hostile import CHAPTER, paged_cases, quick_cases

for path in sorted(Path(__file__).parent.glob("cases_*.py")):  # each fills CASES
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def besiege(folder, cases, chapter=CHAPTER, pages=None):
    """A course after one run of the grader over these cases, with pages of feedback for some, or for all."""
    from dlcourse.course.grading.jail.sandbox import NoSandbox, probe

    try:
        probe()
    except NoSandbox as error:
        pytest.skip(f"no sandbox here: {error}")
    course = Besieged(folder, chapter)
    try:
        course.release()
        course.hand_in(cases)
        course.grade()
        course.feedback(pages)
        yield course
    finally:
        course.close()


@pytest.fixture(scope="module")
def course(request, tmp_path_factory):
    """The ordinary suite's cases, a page for every third; with `-k`, the cases that were asked for."""
    asked = {
        item.callspec.params["case"].name
        for item in request.session.items
        if "case" in getattr(item, "fixturenames", ()) and "course" in item.fixturenames
    }
    quick = [case for case in quick_cases() if not asked or case.name in asked]
    pages = [VICTIM, *(case.name for case in paged_cases() if case in quick)]
    yield from besiege(tmp_path_factory.mktemp("besieged"), quick, pages=pages)


@pytest.fixture
def besieged(tmp_path):
    """besieged(cases, chapter): the course after them, with everybody's page."""
    with ExitStack() as stack:
        yield lambda cases, chapter: stack.enter_context(contextmanager(besiege)(tmp_path / "top", cases, chapter))
