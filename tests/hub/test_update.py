"""The course is updated in mid-term while people are at work: nothing is lost, and they are told what happened.

The way that deploy/README.md describes: the administrator installs the next edition, and each person has it at the
next start of their server.
"""

import json
import shutil
from pathlib import Path

import pytest
from dlcourse_hub import ROOT, Visitor
from playwright.sync_api import expect

CHAPTER, EXERCISE = "chapters/01-neurons.ipynb", "exercises/01-neurons/01-neurons-exercises.ipynb"
BESIDE = {name: name.replace(".ipynb", " (edition 9.9.0).ipynb") for name in (CHAPTER, EXERCISE)}
ANSWER = "def sigmoid(x):\n    return 0.5 * (1 + torch.tanh(x / 2))"
MARK = "This sentence is new in edition 9.9.0."


@pytest.fixture
def next_edition(tmp_path):
    """A checkout with another version, a sentence more in a chapter and an exercise, and one chapter more."""
    checkout = tmp_path / "next"
    leave = shutil.ignore_patterns(".git", "__pycache__", ".venv*", "tests", "benchmarks", "solutions", ".pytest_cache")
    shutil.copytree(ROOT, checkout, ignore=leave)
    init = checkout / "dlcourse/__init__.py"
    text = init.read_text(encoding="utf-8")
    assert '__version__ = "0.1.0"' in text
    init.write_text(text.replace('__version__ = "0.1.0"', '__version__ = "9.9.0"'), encoding="utf-8")
    for name in (CHAPTER, EXERCISE):
        notebook = json.loads((checkout / name).read_bytes())
        notebook["cells"][0]["source"] = [f"# Renewed\n\n{MARK}"]
        (checkout / name).write_text(json.dumps(notebook), encoding="utf-8")
    shutil.copy(checkout / "chapters/00-start.ipynb", checkout / "chapters/99-new.ipynb")
    return checkout


def text_of(path: Path) -> str:
    return "".join("".join(cell["source"]) for cell in json.loads(path.read_bytes())["cells"])


def test_an_update_in_mid_term_loses_nothing(hub, chromium, next_edition):
    folders = {name: hub.world.home(name) / "dlcourse-work" for name in ("ann", "bob")}
    with hub.running():
        ann, bob = (Visitor(chromium, hub, name) for name in ("ann", "bob"))
        for visitor in (ann, bob):
            visitor.log_in()
            visitor.lands_on("chapters/00-start.ipynb")
        # She changes a chapter and an exercise; he only runs what he opens.
        ann.open(CHAPTER)
        ann.add_cell("# my note: the bias slides the line")
        ann.save()
        ann.open(EXERCISE)
        ann.write({"sigmoid-answer": ANSWER})
        before = {name: (folders["ann"] / name).read_bytes() for name in (CHAPTER, EXERCISE)}
        bob.open(EXERCISE)
        bob.save()

        hub.install(next_edition)  # while both are at work: their servers go on
        assert ann.ask("1 + 1") == "2"
        for visitor in (ann, bob):
            visitor.restart_server()
            visitor.lands_on("updates.md")

        viewer = ann.page.locator(".jp-MarkdownViewer")
        for name in (CHAPTER, EXERCISE):
            expect(viewer).to_contain_text(f"kept your {name}; edition 9.9.0 of it is beside it: {BESIDE[name]}")
        expect(viewer).to_contain_text("added 1 file")
        ann.screenshot("20-updated-and-kept")
        expect(bob.page.locator(".jp-MarkdownViewer")).to_contain_text(f"updated {EXERCISE}")
        bob.screenshot("21-updated")
        for visitor in (ann, bob):
            assert visitor.wrong == [], visitor.name
            visitor.close()

    for name in (CHAPTER, EXERCISE):
        assert (folders["ann"] / name).read_bytes() == before[name]
        assert MARK in text_of(folders["ann"] / BESIDE[name])
        assert MARK in text_of(folders["bob"] / name)
        assert not (folders["bob"] / BESIDE[name]).exists()
    assert (folders["ann"] / "chapters/99-new.ipynb").is_file()
    assert ANSWER in text_of(folders["ann"] / EXERCISE)
