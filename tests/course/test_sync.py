"""The learner's folder: brought up to date, never at the cost of a word the learner wrote."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcourse.course import CourseError
from dlcourse.course import sync as module
from dlcourse.course.sync import RECORD, shipped, sync

NEURONS = "chapters/01-neurons.ipynb"
EXERCISES = "exercises/01-neurons/01-neurons-exercises.ipynb"
NOTATION = "chapters/notation.md"


def notebook(*sources, outputs=(), metadata=None):
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source, "outputs": list(outputs)}
        for i, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5})


def put(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def tree(folder):
    """Every file of the course in the folder, none of the machinery."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    )


@pytest.fixture
def course(tmp_path):
    """An edition of a small course; write to it again for the next edition."""
    root = tmp_path / "course"
    put(root, NEURONS, notebook("print(1)"))
    put(root, "chapters/01-neurons.md", "the source of the notebook")
    put(root, "chapters/01-neurons.quiz.toml", "answers")
    put(root, "chapters/01-neurons.numbers.toml", "numbers")
    put(root, "chapters/.ipynb_checkpoints/x.ipynb", "{}")
    put(root, NOTATION, "x is an input\n")
    put(root, EXERCISES, notebook("raise NotStarted"))
    return root


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


def test_a_first_sync_lays_out_the_course(course, folder):
    report = sync(folder, source=course, edition="0.1.0")
    assert tree(folder) == [NEURONS, NOTATION, EXERCISES]
    assert list(shipped(course)) == report.added == [NEURONS, NOTATION, EXERCISES]
    assert (folder / NEURONS).read_bytes() == (course / NEURONS).read_bytes()
    assert report.lines() == [f"Course edition 0.1.0 in {folder}:", "  added 3 files"]
    assert not list((folder / ".dlcourse").glob("partial-*"))


def test_git_ignores_the_folder(course, folder):
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    put(course, ".gitignore", "*\n")
    sync(folder, source=course)
    status = ["git", "-C", folder.parent, "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""


def test_a_project_of_the_learner_is_not_hidden_from_git(course, folder):
    put(folder, "thesis.tex", "mine")
    sync(folder, source=course)
    assert not (folder / ".gitignore").exists()
    assert (folder / "thesis.tex").read_text() == "mine"


def test_a_second_sync_changes_nothing(course, folder):
    sync(folder, source=course, edition="0.1.0")
    before = {name: (folder / name).stat().st_mtime_ns for name in tree(folder)}
    report = sync(folder, source=course, edition="0.1.0")
    assert report.lines() == [f"Course edition 0.1.0 in {folder}, up to date."]
    assert {name: (folder / name).stat().st_mtime_ns for name in tree(folder)} == before


def test_an_untouched_file_is_brought_up_to_date(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(course, NEURONS, notebook("print(2)"))
    put(course, NOTATION, "y is an output\n")
    report = sync(folder, source=course, edition="0.2.0")
    assert report.updated == [NEURONS, NOTATION]
    assert (folder / NEURONS).read_bytes() == (course / NEURONS).read_bytes()
    assert tree(folder) == [NEURONS, NOTATION, EXERCISES]


@pytest.mark.parametrize(
    "saved",
    [
        notebook("print(1)", outputs=[{"output_type": "stream", "name": "stdout", "text": "1"}]),
        notebook(["print", "(1)"], metadata={"kernelspec": {"name": "python3"}}),
        notebook("print(1)", ""),
    ],
    ids=["outputs", "metadata and source as lines", "the empty cell Shift+Enter adds"],
)
def test_running_a_notebook_does_not_make_it_the_learners(course, folder, saved):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, saved)
    put(course, NEURONS, notebook("print(2)"))
    assert sync(folder, source=course, edition="0.2.0").updated == [NEURONS]


@pytest.mark.parametrize(
    "learner",
    [
        notebook("print(1)  # why?"),
        notebook("print(1)", "mine"),
        notebook(),
        '{"cells": [',
        "",
        '{"cells": [{}]}',
        "[]",
    ],
    ids=["a source", "a new cell", "cells removed", "truncated", "emptied", "cells with nothing in them", "a list"],
)
def test_what_the_learner_changed_is_left_alone(course, folder, learner):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, learner)
    assert sync(folder, source=course, edition="0.1.0").kept == [NEURONS]
    assert tree(folder) == [NEURONS, NOTATION, EXERCISES]

    put(course, NEURONS, notebook("print(2)"))
    report = sync(folder, source=course, edition="0.2.0")
    copy = "chapters/01-neurons (edition 0.2.0).ipynb"
    assert report.beside == {NEURONS: copy}
    assert f"  kept your {NEURONS}; edition 0.2.0 of it is beside it: {copy}" in report.lines()
    assert (folder / NEURONS).read_text() == learner
    assert (folder / copy).read_bytes() == (course / NEURONS).read_bytes()

    again = sync(folder, source=course, edition="0.2.0")
    assert (again.beside, again.kept) == ({}, [NEURONS])
    assert len(tree(folder)) == 4


def test_an_unreadable_notebook_is_named(course, folder):
    sync(folder, source=course)
    put(folder, NEURONS, '{"cells": [')
    report = sync(folder, source=course)
    assert report.unreadable == [NEURONS]
    assert "cannot be read as a notebook" in "\n".join(report.lines())


def test_bytes_count_in_other_files(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NOTATION, "x is an input\nand mine\n")
    put(course, NOTATION, "y\n")
    assert sync(folder, source=course, edition="0.2.0").beside == {NOTATION: "chapters/notation (edition 0.2.0).md"}


def test_a_file_that_sync_did_not_make_is_never_overwritten(course, folder):
    put(folder, NEURONS, notebook("my own"))
    report = sync(folder, source=course, edition="0.1.0")
    assert report.kept == [NEURONS]
    assert (folder / NEURONS).read_text() == notebook("my own")
    assert (folder / "chapters/01-neurons (edition 0.1.0).ipynb").is_file()


def test_a_copy_laid_beside_is_never_overwritten_either(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, notebook("mine"))
    put(course, NEURONS, notebook("print(2)"))
    copy = sync(folder, source=course, edition="0.2.0").beside[NEURONS]
    put(folder, copy, notebook("mine too"))
    put(course, NEURONS, notebook("print(3)"))
    report = sync(folder, source=course, edition="0.2.0")
    assert report.beside == {NEURONS: "chapters/01-neurons (edition 0.2.0, 2).ipynb"}
    assert (folder / copy).read_text() == notebook("mine too")


def test_a_deleted_file_comes_back_but_a_deleted_copy_does_not(course, folder):
    sync(folder, source=course, edition="0.1.0")
    (folder / EXERCISES).unlink()
    put(folder, NEURONS, notebook("mine"))
    put(course, NEURONS, notebook("print(2)"))
    report = sync(folder, source=course, edition="0.2.0")
    assert report.restored == [EXERCISES]
    (folder / report.beside[NEURONS]).unlink()
    assert sync(folder, source=course, edition="0.2.0").beside == {}
    assert tree(folder) == [NEURONS, NOTATION, EXERCISES]


def test_taking_the_copy_for_ones_own_ends_the_matter(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, notebook("mine"))
    put(course, NEURONS, notebook("print(2)"))
    copy = sync(folder, source=course, edition="0.2.0").beside[NEURONS]
    os.replace(folder / copy, folder / NEURONS)
    put(course, NEURONS, notebook("print(3)"))
    assert sync(folder, source=course, edition="0.3.0").updated == [NEURONS]


def test_undoing_ones_change_brings_the_edition_back(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, notebook("mine"))
    put(course, NEURONS, notebook("print(2)"))
    sync(folder, source=course, edition="0.2.0")
    put(folder, NEURONS, notebook("print(1)"))
    assert sync(folder, source=course, edition="0.2.0").updated == [NEURONS]


def test_a_damaged_record_costs_nothing(course, folder):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NEURONS, notebook("mine"))
    for damage in ("", "{", '{"files": ["x"]}', '{"files": {"x": 3}}'):
        put(folder, RECORD.as_posix(), damage)
        report = sync(folder, source=course, edition="0.1.0")
        assert report.record_damaged
        assert (report.updated, report.kept) == ([], [NEURONS])
        assert (folder / NEURONS).read_text() == notebook("mine")
    assert not sync(folder, source=course, edition="0.1.0").record_damaged


@pytest.mark.parametrize("survives", range(6))
def test_a_crash_in_the_middle_breaks_nothing_and_the_next_sync_finishes(course, folder, monkeypatch, survives):
    sync(folder, source=course, edition="0.1.0")
    put(folder, NOTATION, "mine")
    for name in (NEURONS, NOTATION, EXERCISES):
        put(course, name, notebook("new") if name.endswith("ipynb") else "new")
    calls = iter(range(100))
    replace = os.replace

    def crash(source, target):
        if next(calls) == survives:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        try:
            sync(folder, source=course, edition="0.2.0")
        except KeyboardInterrupt:
            pass
        else:
            assert survives >= 4  # two notebooks, one copy, the record
    for name in (NEURONS, EXERCISES):
        assert json.loads((folder / name).read_text())["cells"][0]["source"] in ("print(1)", "raise NotStarted", "new")
    sync(folder, source=course, edition="0.2.0")
    assert (folder / NOTATION).read_text() == "mine"
    assert tree(folder) == sorted([NEURONS, NOTATION, EXERCISES, "chapters/notation (edition 0.2.0).md"])
    assert all((folder / name).read_bytes() == (course / name).read_bytes() for name in (NEURONS, EXERCISES))
    assert sync(folder, source=course, edition="0.2.0").lines()[0].endswith("up to date.")


def test_a_full_disk_is_a_plain_error(course, folder, monkeypatch):
    sync(folder, source=course, edition="0.1.0")
    put(course, NEURONS, notebook("print(2)"))

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(CourseError, match="The disk is full"):
            sync(folder, source=course, edition="0.2.0")
    assert (folder / NEURONS).read_text() == notebook("print(1)")
    assert not list((folder / ".dlcourse").glob("partial-*"))
    assert sync(folder, source=course, edition="0.2.0").updated == [NEURONS]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device that is always full")
def test_a_disk_that_fills_while_writing_is_a_plain_error(course, folder, monkeypatch):
    sync(folder, source=course, edition="0.1.0")
    put(course, NEURONS, notebook("print(2)"))
    monkeypatch.setattr(module, "open", lambda *_: open("/dev/full", "wb"), raising=False)  # noqa: SIM115
    with pytest.raises(CourseError, match="The disk is full"):
        sync(folder, source=course, edition="0.2.0")
    assert (folder / NEURONS).read_text() == notebook("print(1)")


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no write permission to take away")
def test_a_read_only_folder_is_a_plain_error(course, folder, monkeypatch):
    sync(folder, source=course, edition="0.1.0")
    put(course, NEURONS, notebook("print(2)"))
    if os.geteuid() == 0:  # root may write anywhere, so the refusal is played

        def refused(path, mode):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(module, "open", refused, raising=False)
    else:
        (folder / ".dlcourse").chmod(0o500)
    with pytest.raises(CourseError, match="not yours to write to"):
        sync(folder, source=course, edition="0.2.0")
    assert (folder / NEURONS).read_text() == notebook("print(1)")


def test_a_file_for_a_folder_is_a_plain_error(course, tmp_path):
    place = put(tmp_path, "work", "a file")
    with pytest.raises(CourseError, match="is not one"):
        sync(place, source=course)
    with pytest.raises(CourseError, match="Bringing the course to"):
        sync(place / "below", source=course)
    put(tmp_path, "other/chapters", "a file")
    with pytest.raises(CourseError, match="chapters"):
        sync(tmp_path / "other", source=course)


@pytest.mark.parametrize("link", ["chapters", "exercises/01-neurons", ".dlcourse"])
def test_a_link_out_of_the_folder_is_refused(course, folder, tmp_path, link):
    outside = tmp_path / "outside"
    put(outside, "01-neurons.ipynb", notebook("print(0)"))
    (folder / link).parent.mkdir(parents=True, exist_ok=True)
    (folder / link).symlink_to(outside)
    with pytest.raises(CourseError, match="outside the folder"):
        sync(folder, source=course)
    assert tree(outside) == ["01-neurons.ipynb"]


def test_a_link_in_place_of_a_file_is_the_learners(course, folder, tmp_path):
    elsewhere = put(tmp_path, "elsewhere.ipynb", notebook("print(1)"))
    sync(folder, source=course, edition="0.1.0")
    (folder / NEURONS).unlink()
    (folder / NEURONS).symlink_to(elsewhere)
    put(course, NEURONS, notebook("print(2)"))
    assert sync(folder, source=course, edition="0.2.0").kept == [NEURONS]
    assert elsewhere.read_text() == notebook("print(1)")
    (folder / NEURONS).unlink()
    (folder / NEURONS).symlink_to(tmp_path / "nowhere")
    sync(folder, source=course, edition="0.2.0")
    assert (folder / NEURONS).is_symlink()


def test_the_folder_itself_may_be_a_link(course, folder, tmp_path):
    (tmp_path / "disk").mkdir()
    folder.symlink_to(tmp_path / "disk")
    assert len(sync(folder, source=course).added) == 3
    assert len(tree(tmp_path / "disk")) == 3


@pytest.mark.parametrize("place", [".", "chapters", "exercises/mine", "solutions"])
def test_the_course_itself_is_refused(course, place):
    with pytest.raises(CourseError, match="part of the course itself"):
        sync(course / place, source=course)
    assert not (course / ".dlcourse").exists()


def test_another_checkout_and_the_package_are_refused(course, tmp_path):
    put(tmp_path, "clone/dlcourse/__init__.py", "")
    put(tmp_path, "clone/chapters/x.md", "")
    for place in (tmp_path / "clone", Path(module.__file__).parent):
        with pytest.raises(CourseError, match="part of the course itself"):
            sync(place, source=course)


def test_the_default_folder_in_a_clone_is_allowed(course):
    assert len(sync(course / "dlcourse-work", source=course).added) == 3


def test_a_course_without_notebooks_is_a_plain_error(tmp_path, folder):
    with pytest.raises(CourseError, match="there are none"):
        sync(folder, source=tmp_path)
    assert not folder.exists()


# Any history: editions come, the learner edits, runs, deletes, breaks and renames, and syncs when it suits.
PATHS = (NEURONS, NOTATION)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edition", "edit", "edit a copy", "run", "delete", "truncate", "lose the record", "sync"]),
        st.sampled_from(PATHS),
    ),
    max_size=14,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_history_loses_what_the_learner_wrote(steps, tmp_path_factory):
    root = tmp_path_factory.mktemp("history")
    course, folder = root / "course", root / "work"
    text = {NEURONS: notebook, NOTATION: str}
    for name in PATHS:
        put(course, name, text[name]("edition 0"))
    learners: dict[Path, str] = {}  # what the learner wrote last, and where

    def write(path, content):
        put(path.parent, path.name, content)
        learners[path] = content

    for number, (step, name) in enumerate([*steps, ("sync", NEURONS)], start=1):
        path = folder / name
        copies = sorted(path.parent.glob(f"{path.stem} (*{path.suffix}")) if path.parent.exists() else []
        if step == "edition":
            put(course, name, text[name](f"edition {number}"))
        elif step == "edit":
            write(path, text[name](f"learner {number}"))
        elif step == "edit a copy" and copies:
            write(copies[0], text[name](f"learner {number}"))
        elif step == "truncate" and path.exists():
            write(path, path.read_text()[:-3])
        elif step == "run" and path.exists() and name == NEURONS and path not in learners:
            saved = json.loads(path.read_text())
            saved["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": str(number)}]
            put(folder, name, json.dumps(saved))
        elif step == "delete":
            path.unlink(missing_ok=True)
            learners.pop(path, None)
        elif step == "lose the record":
            (folder / RECORD).unlink(missing_ok=True)
        elif step == "sync":
            report = sync(folder, source=course, edition=str(number))
            for each in PATHS:  # either the new edition stands in its place, or what stands there is said to be kept
                current = module._digest_at(folder / each) == module._digest_at(course / each)
                assert current != (each in report.kept)
        for place, content in learners.items():
            assert place.read_text() == content
