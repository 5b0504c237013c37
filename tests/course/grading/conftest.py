"""Keys in a folder of the test's own, courses to release and to grade, and a stand-in for nbgrader's gradebook."""

import shutil
from pathlib import Path

import pytest
from dlcourse_grading import CLASS, Book, make, release

from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading import pools
from dlcourse.course.grading.book import gradebook

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_keys(tmp_path, monkeypatch):
    """The folder of keys; never the instructor's own."""
    folder = tmp_path / "own" / "keys"
    monkeypatch.setenv("DLCOURSE_KEYS", str(folder))
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    return folder


@pytest.fixture
def keys(own_keys):
    return keys_.create("dlcourse")


@pytest.fixture(scope="session")
def make_course():
    """`make_course(folder)`: folder/course with chapter 01's exercise, and the exchange folder/exchange."""

    def lay_out(folder: Path, assignment: str = "01-neurons") -> Path:
        course, exchange = folder / "course", folder / "exchange"
        for room in ("solutions", "exercises"):
            shutil.copytree(ROOT / room / assignment, course / room / assignment)
        exchange.mkdir(mode=0o777)
        exchange.chmod(0o777)
        settings = (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
        (course / "nbgrader_config.py").write_text(f"{settings}\nc.Exchange.root = {str(exchange)!r}\n", "utf-8")
        return course

    return lay_out


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
