"""Keys in a folder of the test's own; a course to grade, and a stand-in for nbgrader's gradebook."""

import pytest
from dlcourse_grading import CLASS, Book, make, release

from dlcourse.course.grading import gradebook, pools
from dlcourse.course.grading import keys as keys_


@pytest.fixture(autouse=True)
def own_keys(tmp_path, monkeypatch):
    """The folder of keys; never the instructor's own."""
    folder = tmp_path / "own" / "keys"
    monkeypatch.setenv("DLCOURSE_KEYS", str(folder))
    return folder


@pytest.fixture
def keys(own_keys):
    return keys_.create("dlcourse")


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """Where the stand-in for the judge notes what it did."""
    monkeypatch.setenv("DLCOURSE_TEST_LEDGER", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


@pytest.fixture
def book(monkeypatch):
    made = Book()
    monkeypatch.setattr(gradebook, "writer", made.writer)
    monkeypatch.setattr(gradebook, "grading_log", made.log)
    return made


@pytest.fixture
def course(tmp_path, own_keys, ledger, book, monkeypatch):
    """Four students who handed in what earns full marks; released. The sandbox is taken to work."""
    monkeypatch.setattr(pools, "_sandbox", lambda only: "namespaces")
    folder = make(tmp_path / "course", *CLASS)
    release(folder)
    return folder
