"""The widgets' scripts: `node --test` on tests/widgets/js/*.test.mjs, and what holds for each of them."""

import re
from pathlib import Path

import pytest
from dlcourse_node import NODE, ROOT, node

TESTS = sorted(Path(__file__).parent.glob("js/*.test.mjs"))
SCRIPTS = sorted((ROOT / "dlcourse/widgets").rglob("*.js"))
STYLES = sorted((ROOT / "dlcourse/widgets").rglob("*.css"))

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@needs_node
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_of_a_module(path):
    result = node("--test", "--test-reporter=tap", path)
    assert result.returncode == 0, result.stdout + result.stderr
    ran = [name for name in re.findall(r"^ *# Subtest: (.*)$", result.stdout, re.MULTILINE) if path.name not in name]
    assert ran, "the file tests nothing"


@needs_node
@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_parses(path):
    result = node("--check", path)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr


@pytest.mark.parametrize("path", SCRIPTS + STYLES, ids=named)
def test_nothing_is_fetched_and_no_text_becomes_markup(path):
    """A widget brings all it needs, and what came from a learner or the kernel is shown as text, never parsed."""
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\b(?:https?|wss?)://(?!www\.w3\.org/2000/svg)\S+|@import|url\((?!#|data:)", text) == []
    assert re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|fetch|Worker)\b", text) == []


def test_there_is_something_to_test():
    assert len(SCRIPTS) >= 10
    assert len(STYLES) >= 1
    assert TESTS
