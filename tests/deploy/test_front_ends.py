"""README's table of front ends: what it calls tested is done by a test, and the badge leads to the start notebook."""

import ast
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dlcourse.course.lab import START

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

LAB, NOTEBOOK = "JupyterLab 4 in Chromium", "Notebook 7 in Chromium"
RUN, WIDGETS, ANSWERS, SETTINGS = "open and run a chapter", "widgets", "checks and quizzes", "what `dlcourse lab` sets"
DONE_BY = {
    (LAB, RUN): "test_lab.py::test_a_learner_opens_chapter_01_and_runs_it_to_the_end",
    (LAB, WIDGETS): "test_front_ends.py::test_a_widget_is_moved_there",
    (LAB, ANSWERS): "test_front_ends.py::test_quizzes_and_checks_answer_there",
    (LAB, SETTINGS): "test_lab.py::test_a_learner_opens_chapter_01_and_runs_it_to_the_end",
    (NOTEBOOK, RUN): "test_front_ends.py::test_notebook_7_opens_chapter_01_and_runs_it_to_the_end",
    (NOTEBOOK, WIDGETS): "test_front_ends.py::test_a_widget_is_moved_there",
    (NOTEBOOK, ANSWERS): "test_front_ends.py::test_quizzes_and_checks_answer_there",
}


def table() -> dict[tuple[str, str], str]:
    section = README.partition("## Front ends\n")[2].partition("\n## ")[0]
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")
    ]
    return {(row[0], name): cell for row in rows for name, cell in zip(head[1:], row[1:], strict=True)}


def test_every_cell_says_tested_or_untested():
    cells = table()
    assert set(cells.values()) == {"tested", "untested"}
    fronts = " ".join(front for front, _ in cells)
    assert all(name in fronts for name in ("JupyterLab", "Notebook 7", "VS Code", "Colab", "Binder", "Firefox"))


def test_what_is_called_tested_is_what_a_test_does():
    assert {cell for cell, said in table().items() if said == "tested"} == set(DONE_BY)


@pytest.mark.parametrize("where", sorted(set(DONE_BY.values())))
def test_the_tests_exist(where):
    file, _, name = where.partition("::")
    path = ROOT / "tests/browser" / file
    tests = {it.name: it for it in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(it, ast.FunctionDef)}
    assert name in tests
    assert [ast.unparse(it) for it in tests[name].decorator_list if "skip" in ast.unparse(it)] == []


def test_both_front_ends_are_what_the_shared_tests_run_in():
    assert "params=[Lab, Notebook7]" in (ROOT / "tests/browser/test_front_ends.py").read_text(encoding="utf-8")


def test_the_badge_leads_to_the_start_notebook_and_its_address_stands_once():
    (address,) = re.findall(r"^\[binder\]: (\S+)$", README, re.MULTILINE)
    parts = urlsplit(address)
    assert (parts.hostname, parts.path) == ("mybinder.org", "/v2/gh/OWNER/dlcourse/HEAD")
    assert parse_qs(parts.query) == {"urlpath": [f"lab/tree/{START}"]}
    assert README.count("OWNER/") == 1
    assert "][binder]" in README
