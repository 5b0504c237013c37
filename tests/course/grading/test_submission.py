"""Hostile and clumsy submissions: each is read sensibly, or refused with one sentence; our own trouble stays ours."""

import errno
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.course.grading import submission
from dlcourse.course.grading.spec import Spec, SpecCell, read_spec
from dlcourse.course.grading.submission import (
    MAX_BYTES,
    MAX_CELLS,
    MAX_ENTRIES,
    MAX_VALUES,
    Step,
    SubmittedCell,
    Unreadable,
    answers,
    arrange,
    open_submission,
    parse,
    untouched,
)

ROOT = Path(__file__).parents[3]
NOTEBOOK = "01-neurons-exercises.ipynb"


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and text.isascii() and text[0].isupper() and text.endswith(".") and len(text) < 200


def refused(action, *arguments) -> str:
    """The one sentence that a student is told."""
    with pytest.raises(Unreadable) as caught:
        action(*arguments)
    assert is_one_sentence(str(caught.value)), caught.value
    return str(caught.value)


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """submitted/ann/01-neurons, empty."""
    folder = tmp_path / "submitted" / "ann" / "01-neurons"
    folder.mkdir(parents=True)
    return folder


def test_the_notebook_is_read(folder):
    (folder / NOTEBOOK).write_bytes(b"{}")
    assert open_submission(folder, NOTEBOOK) == b"{}"


def test_a_relative_folder_is_read(folder, monkeypatch):
    (folder / NOTEBOOK).write_bytes(b"{}")
    monkeypatch.chdir(folder.parent)
    assert open_submission(Path("01-neurons"), NOTEBOOK) == b"{}"
    monkeypatch.chdir(folder)
    assert open_submission(Path("."), NOTEBOOK) == b"{}"


def test_descriptors_are_given_back(folder):
    (folder / NOTEBOOK).write_bytes(b"{}")
    before = os.listdir("/dev/fd")
    open_submission(folder, NOTEBOOK)
    (folder / NOTEBOOK).unlink()
    refused(open_submission, folder, NOTEBOOK)
    assert os.listdir("/dev/fd") == before


def no_file_fifo(path: Path, secret: Path) -> None:
    os.mkfifo(path)


def no_file_folder(path: Path, secret: Path) -> None:
    path.mkdir()
    (path / NOTEBOOK).write_bytes(b"{}")


def no_file_link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def no_file_relative_link(path: Path, secret: Path) -> None:
    path.symlink_to(os.path.relpath(secret, path.parent))


def no_file_dangling_link(path: Path, secret: Path) -> None:
    path.symlink_to("nowhere")


def no_file_loop(path: Path, secret: Path) -> None:
    path.symlink_to(path.name)


def no_file_device_link(path: Path, secret: Path) -> None:
    path.symlink_to("/dev/zero")


def no_file_socket(path: Path, secret: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # a socket's path has at most 107 letters
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


NO_FILES = [value for name, value in sorted(globals().items()) if name.startswith("no_file_")]


@pytest.mark.parametrize("name", [NOTEBOOK, "renamed.ipynb"])
@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
def test_what_is_no_file_is_refused_at_once(make, name, folder, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_bytes(b"secret")
    make(folder / name, secret)
    assert refused(open_submission, folder, NOTEBOOK) == (
        "What has the notebook's name is a link, a folder or a device: hand in the file itself."
    )


def test_a_device_is_refused():
    assert "a device" in refused(submission._check_file, os.stat("/dev/null"))


def test_a_hard_link_is_refused(folder, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_bytes(b"{}")
    os.link(secret, folder / NOTEBOOK)
    assert "hard link" in refused(open_submission, folder, NOTEBOOK)


@pytest.mark.parametrize("level", ["01-neurons", "ann"])
def test_links_below_submitted_are_refused_and_links_above_are_the_instructors(level, folder, tmp_path):
    (folder / NOTEBOOK).write_bytes(b"{}")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "submitted")
    assert open_submission(tmp_path / "elsewhere" / "ann" / "01-neurons", NOTEBOOK) == b"{}"
    place = folder if level == "01-neurons" else folder.parent
    other = tmp_path / "submitted" / "bob"
    place.rename(other)
    place.symlink_to(other)
    assert "not a folder" in refused(open_submission, folder, NOTEBOOK)


def test_a_file_in_place_of_the_folder_is_refused(folder):
    folder.rmdir()
    folder.write_bytes(b"{}")
    assert "not a folder" in refused(open_submission, folder, NOTEBOOK)


def test_what_is_exchanged_between_looking_and_opening_is_not_read(folder, tmp_path, monkeypatch):
    """The look finds a file; the open meets what was put in its place."""
    honest = tmp_path / "honest"
    honest.write_bytes(b"{}")
    look = os.stat

    def stat(path, **options):
        return look(honest) if path == NOTEBOOK else look(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    os.mkfifo(folder / NOTEBOOK)
    assert "a device" in refused(open_submission, folder, NOTEBOOK)
    (folder / NOTEBOOK).unlink()
    (folder / NOTEBOOK).symlink_to(honest)
    with pytest.raises(OSError, match="symbolic links"):
        open_submission(folder, NOTEBOOK)


@pytest.mark.parametrize("level", ["01-neurons", "ann"])
def test_a_folder_exchanged_for_a_link_is_not_entered(level, folder, tmp_path, monkeypatch):
    (folder / NOTEBOOK).write_bytes(b"{}")
    place = folder if level == "01-neurons" else folder.parent
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    look = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: look(path, **{**options, "follow_symlinks": True}))
    with pytest.raises(OSError, match="Errno") as caught:
        open_submission(folder, NOTEBOOK)
    assert caught.value.errno in (errno.ENOTDIR, errno.ELOOP)


@pytest.mark.parametrize("size", [0, 1, MAX_BYTES])
def test_sizes_up_to_the_limit(size, folder):
    (folder / NOTEBOOK).write_bytes(b"x" * size)
    assert open_submission(folder, NOTEBOOK) == b"x" * size


def test_too_large_is_refused_without_reading(folder, monkeypatch):
    with open(folder / NOTEBOOK, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "read", lambda *_: pytest.fail("was read"))
        assert "larger than 20 MB: clear the outputs" in refused(open_submission, folder, NOTEBOOK)
    assert "larger than 20 MB" in refused(parse, b" " * (MAX_BYTES + 1))


def test_a_file_that_grows_is_read_to_the_limit_only(folder, monkeypatch):
    (folder / NOTEBOOK).write_bytes(b"{}")
    asked = []

    def read(file, size):
        asked.append(size)
        return b"x" * size

    monkeypatch.setattr(os, "read", read)
    assert "larger than 20 MB" in refused(open_submission, folder, NOTEBOOK)
    assert sum(asked) == MAX_BYTES + 1


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        # Named as released: nothing else matters.
        ({NOTEBOOK: b"right", "other.ipynb": b"wrong", "01-neurons-exercises-Copy1.ipynb": b"wrong"}, b"right"),
        # One other: it is meant.
        ({"01-neurons-exercises (1).ipynb": b"right", "notes.txt": b"wrong"}, b"right"),
        ({"bob.ipynb": b"right", "torch.py": b"wrong"}, b"right"),
        ({"01-NEURONS-EXERCISES.IPYNB": b"right"}, b"right"),
        ({"01-neurons-exercises.ipynb.txt": b"right"}, b"right"),
        ({"01-neurons-exercises.ipynb.json": b"right", "data.json": b"wrong"}, b"right"),
        # Not meant by anybody: copies that Jupyter and macOS make.
        ({"mine.ipynb": b"right", ".ipynb_checkpoints/mine-checkpoint.ipynb": b"wrong", "._mine.ipynb": b"wrong"},
         b"right"),
        # Several: the one whose name begins alike.
        ({"01-neurons-exercises-Copy1.ipynb": b"right", "01-neurons.ipynb": b"wrong"}, b"right"),
        ({"a.ipynb": b"1", "b.ipynb": b"2"}, "no 01-neurons-exercises.ipynb but 2 other notebooks"),
        ({"01-neurons-exercises-1.ipynb": b"1", "01-neurons-exercises-2.ipynb": b"2", "c.ipynb": b"3"},
         "but 3 other notebooks: give the one that counts that name"),
        ({}, "no notebook directly in the folder: hand in 01-neurons-exercises.ipynb."),
        ({"solution.py": b"1", ".ipynb_checkpoints/x.ipynb": b"2", "inner/x.ipynb": b"3"}, "no notebook directly"),
    ],
)  # fmt: skip
def test_the_kindest_reading_of_names(files, wanted, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    if isinstance(wanted, bytes):
        assert open_submission(folder, NOTEBOOK) == wanted
    else:
        assert wanted in refused(open_submission, folder, NOTEBOOK)


def test_a_students_file_names_are_not_repeated(folder):
    for number in (1, 2):
        (folder / f"\x1b[31m<script>{number}.ipynb").write_bytes(b"{}")
    assert "script" not in refused(open_submission, folder, NOTEBOOK)


def test_thousands_of_files_are_not_walked(folder, monkeypatch):
    for number in range(3_000):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
    scandir, looked_at = os.scandir, []

    class Counting:
        def __init__(self, at):
            self.entries = scandir(at)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.entries.close()

        def __iter__(self):
            for entry in self.entries:
                looked_at.append(entry)
                yield entry

    monkeypatch.setattr(os, "scandir", Counting)
    assert "more than 1,000 files: hand in that notebook alone" in refused(open_submission, folder, NOTEBOOK)
    assert len(looked_at) == MAX_ENTRIES + 1
    looked_at.clear()
    (folder / NOTEBOOK).write_bytes(b"{}")
    assert open_submission(folder, NOTEBOOK) == b"{}"
    assert looked_at == []


@pytest.mark.parametrize("call", ["stat", "open", "read"])
@pytest.mark.parametrize("trouble", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE])
def test_trouble_of_our_own_is_not_the_students(call, trouble, folder, monkeypatch):
    (folder / NOTEBOOK).write_bytes(b"{}")

    def fail(*arguments, **options):
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Errno") as caught:
        open_submission(folder, NOTEBOOK)
    assert caught.value.errno == trouble


def test_a_folder_that_is_not_there_is_our_trouble(folder):
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        open_submission(folder, NOTEBOOK)


# --- encodings ------------------------------------------------------------------------------------------------------


def written(*cells: object, **more: object) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more})


def code(source: object, **more: object) -> dict:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, **more}


def marked(name: object, source: str = "1", kind: str = "code") -> dict:
    return {"cell_type": kind, "metadata": {"nbgrader": {"grade_id": name}}, "source": source}


GREETING = 'print("Größe, naïve, 数, 😀")'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("escaped", [False, True])
def test_encodings(encoding, escaped):
    text = json.dumps(json.loads(written(code(GREETING))), ensure_ascii=escaped)
    assert parse(text.encode(encoding)) == (SubmittedCell("code", GREETING, ""),)


def test_latin_1_and_a_few_bad_bytes_in_utf_8():
    text = '{"cells": [{"cell_type": "code", "source": "größe = 1  # naïve ß"}]}'
    assert parse(text.encode("latin-1"))[0].source == "größe = 1  # naïve ß"
    broken = text.encode("utf-8").replace('ß"'.encode(), b'\xff"')
    assert parse(broken)[0].source == "größe = 1  # naïve \ufffd"
    assert parse(b"\xef\xbb\xbf" + broken)[0].source == "größe = 1  # naïve \ufffd"


def test_damaged_utf_16_is_refused():
    assert "utf-16" in refused(parse, b"\xff\xfe" + written(code("1")).encode("utf-16-le") + b"\x00")


def test_nul_and_control_characters_are_text():
    assert parse(b'{"cells": [{"cell_type": "code", "source": "a\x00b\tc\nd\\u0000"}]}')[0].source == "a\0b\tc\nd\0"


def test_lone_surrogates_can_be_written_again():
    content = b'{"cells": [{"cell_type": "code", "source": "a\\ud800b \\ud83d\\ude00 \\udfff"}]}'
    assert parse(content)[0].source == "a\ufffdb 😀 \ufffd"
    assert parse(json.dumps({"cells": [marked("a\ud800")]}).encode())[0].grade_id == ""


def test_line_ends_become_one():
    assert parse(written(code("a\r\nb\rc\n")).encode())[0].source == "a\nb\nc\n"
    assert parse(written(code(["a\r\n", "b\n", "c"])).encode())[0].source == "a\nb\nc"
    assert parse(written(code("1")).replace(" ", "\r\n").encode())[0].source == "1"


# --- JSON -----------------------------------------------------------------------------------------------------------

NO_NOTEBOOKS = {
    "empty": (b"", "an empty file"),
    "blank": (b" \n\t", "an empty file"),
    "one byte": (b"{", "that Jupyter can open"),
    "one NUL": (b"\0", "that Jupyter can open"),
    "zeros after a crash": (b"\0" * 5_000, "that Jupyter can open"),
    "only a byte order mark": (b"\xef\xbb\xbf", "that Jupyter can open"),
    "a Python script": (b"def f(x):\n    return x\n", "(line 1, column 1)"),
    "a web page": (b"<!DOCTYPE html><html></html>", "(line 1, column 1)"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "that Jupyter can open"),
    "a gradebook": (b"SQLite format 3\x00" + bytes(100), "that Jupyter can open"),
    "a pickle": (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.", "that Jupyter can open"),
    "cut short": (written(code("x")).encode()[:-9], "that Jupyter can open"),
    "two in one file": (written().encode() * 2, "that Jupyter can open"),
    "a merge conflict": (b'{"cells": [\n<<<<<<< HEAD\n]}', "(line 2, column 1)"),
    "a trailing comma": (b'{"cells": [],}', "that Jupyter can open"),
    "a list": (b"[]", "holds no cells"),
    "a text": (b'"cells"', "holds no cells"),
    "a number": (b"7", "holds no cells"),
    "null": (b"null", "holds no cells"),
    "NaN": (b"NaN", "holds no cells"),
    "no cells": (b"{}", "no list of cells"),
    "cells that are a number": (b'{"cells": 1}', "no list of cells"),
    "cells that are a dict": (b'{"cells": {"0": {}}}', "no list of cells"),
    "cells that are null": (b'{"cells": null}', "no list of cells"),
    "worksheets that are a dict": (b'{"worksheets": {}}', "no list of cells"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "deep dicts": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper"),
    "deep and unclosed": (b'{"cells":[' * 100_000, "nested deeper"),
    "deep in a source": (b'{"cells":[{"source":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}", "nested deeper"),
    "a cell too many": (written(*[code("1")] * (MAX_CELLS + 1)).encode(), "2,001 cells, and 2,000 are read"),
    "a cell too many in two sheets": (
        json.dumps({"worksheets": [{"cells": [code("1")] * 1_001}, {"cells": [code("1")] * 1_000}]}).encode(),
        "2,001 cells"),
    "more values than memory": (b"[" + b"[]," * MAX_VALUES + b"0]", "too many values to be read: clear the outputs"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_NOTEBOOKS)
def test_what_is_no_notebook_is_refused_with_one_sentence(case):
    content, message = NO_NOTEBOOKS[case]
    assert message in refused(parse, content)


@pytest.mark.parametrize("case", ["deep lists", "deep dicts"])
def test_deep_nesting_in_a_thread(case):
    """Threads have smaller stacks."""
    told = []
    thread = threading.Thread(target=lambda: told.append(refused(parse, NO_NOTEBOOKS[case][0])))
    thread.start()
    thread.join()
    assert "nested deeper" in told[0]


SENSIBLE = {
    "no cells": (written(), []),
    "as many cells as are read": (written(*[code("1")] * MAX_CELLS), ["1"] * MAX_CELLS),
    "NaN and Infinity": ('{"cells": [{"cell_type": "code", "source": "x", "n": [NaN, -Infinity, 1e999]}]}', ["x"]),
    "numbers of a million digits": (
        f'{{"cells": [{{"cell_type": "code", "source": "x", "n": [{"7" * 10**6}, 0.{"7" * 10**6}]}}]}}',
        ["x"]),
    "a key twice: the last counts, as everywhere": (
        '{"cells": [], "cells": [{"cell_type": "code", "source": "a", "source": "b"}]}', ["b"]),
    "a source in lines": (written(code(["a = 1\n", "b = 2"])), ["a = 1\nb = 2"]),
    "no source": (written({"cell_type": "code"}), [""]),
    "a source that is null": (written(code(None)), [""]),
    "a source that is a number": (written(code(7)), [""]),
    "a source that is a dict": (written(code({"a": "b"})), [""]),
    "a source with other things among its lines": (written(code(["a\n", 7, None, ["z"], "b"])), ["a\nb"]),
    "cells that are none": (written(1, None, "x", [code("y")], code("z")), ["z"]),
    "metadata that is none": (written(code("x", metadata=7), code("y", metadata={"nbgrader": [1]})), ["x", "y"]),
    "metadata of 10 MB": (written(code("x", metadata={"a": "z" * 10 * 2**20})), ["x"]),
    "huge outputs": (written(code("x", outputs=[{"text": ["0.1, 0.2\n"] * 100_000}])), ["x"]),
    "outputs that are none": (written(code("x", outputs="")), ["x"]),
    "attachments": (written({"cell_type": "markdown", "source": "x", "attachments": {"a.png": {}}}), ["x"]),
    "no nbformat": (json.dumps({"cells": [code("x")]}), ["x"]),
    "nbformat 5": (written(code("x"), nbformat=5), ["x"]),
    "an nbformat in words": (written(code("x"), nbformat="four"), ["x"]),
    "nbformat 3": (
        json.dumps({"nbformat": 3, "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["x\n", "y"], "language": "python"},
                       {"cell_type": "heading", "level": 1, "source": "H"}]},
            {"cells": [{"cell_type": "markdown", "source": ["m"]}]}, 7, {"cells": 7}]}),
        ["x\ny", "H", "m"]),
    "nbformat 2": (
        json.dumps({"nbformat": 2, "worksheets": [{"cells": [{"cell_type": "code", "input": "x"},
                                                             {"cell_type": "html", "source": "h"}]}]}),
        ["x", "h"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SENSIBLE)
def test_what_can_be_read_is_read(case):
    text, sources = SENSIBLE[case]
    assert [cell.source for cell in parse(text.encode())] == sources


def test_kinds():
    kinds = ["code", "markdown", "raw", "heading", "html", "CODE", None, 7, ["code"]]
    cells = parse(written(*({"cell_type": kind, "source": "1"} for kind in kinds)).encode())
    assert [cell.kind for cell in cells] == ["code", "markdown", "raw", "markdown", "markdown", *["raw"] * 4]


def test_grade_ids():
    names = ["sigmoid-test", "\u0430-test", "x" * 129, "", " x", "x\n", 7, None, ["x"], {"x": 1}, "../x", "<b>"]
    cells = parse(written(*map(marked, names)).encode())  # the second begins with a Cyrillic letter
    assert [cell.grade_id for cell in cells] == ["sigmoid-test", *[""] * 11]


def test_what_was_released_reads_as_released():
    for released in sorted((ROOT / "exercises").glob("*/*.ipynb")):
        spec = read_spec(ROOT, released.parent.name)
        cells = parse(released.read_bytes())
        assert [(cell.kind, cell.source) for cell in cells] == [(cell.kind, cell.source) for cell in spec.cells]
        assert {cell.grade_id for cell in cells} == {"", *(cell.id for cell in spec.cells if cell.role)}


@given(st.binary(max_size=200))
def test_any_bytes(content):
    readable(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "worksheets", "source", "input", "cell_type", "metadata", "nbgrader", "grade_id", "z"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(st.fixed_dictionaries({"cells": st.lists(JSON, max_size=5)}) | JSON)
def test_any_json(value):
    readable(json.dumps(value).encode())


def readable(content: bytes) -> None:
    """Cells that can be written again, or one sentence; anything else fails."""
    try:
        cells = parse(content)
    except Unreadable:
        refused(parse, content)
        return
    for cell in cells:
        assert cell.kind in ("code", "markdown", "raw")
        assert "\r" not in cell.source
        (cell.source + cell.grade_id).encode()


WORST = """
import resource, sys
from dlcourse.course.grading.submission import MAX_BYTES, MAX_VALUES, Unreadable, parse
unit, separators = sys.argv[1].encode(), int(sys.argv[2])
content = b"[" + unit * min((MAX_BYTES - 3) // len(unit), (MAX_VALUES - 1) // separators) + b"0]"
resource.setrlimit(resource.RLIMIT_AS, (550 * 2**20, 550 * 2**20))  # Python itself is some 60 MB of it
try:
    parse(content)
except Unreadable as error:
    print(error, resource.getrusage(resource.RUSAGE_SELF).ru_utime)
"""


@pytest.mark.parametrize(("unit", "separators"), [('"ĀĀ",', 1), ("[[[[[[[[[]]]]]]]]],", 10), ('{"a":0},', 3)])
def test_the_worst_files_cost_bounded_memory_and_time(unit, separators):
    """Measured: 230 to 310 MB and 0.4 to 1.2 s; without the bound on values up to 908 MB and 4.8 s."""
    shown = subprocess.run(
        [sys.executable, "-c", WORST, unit, str(separators)], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    message, _, seconds = shown.rpartition(" ")
    assert "holds no cells" in message
    assert float(seconds) < 10


# --- order ----------------------------------------------------------------------------------------------------------

SPEC = Spec(
    "01-neurons",
    NOTEBOOK,
    (
        SpecCell("intro", "markdown", "", "# Intro"),
        SpecCell("setup", "code", "", "import math"),
        SpecCell("f-answer", "code", "answer", "def f(x):\n    raise NotStarted"),
        SpecCell("f-test", "code", "test", "checks.f(f)", "checks.f(f, seed=1)", 2.0),
        SpecCell("why-locked", "markdown", "locked", "Why?"),
        SpecCell("given-locked", "code", "locked", "given = 1"),
        SpecCell("why-manual", "markdown", "manual", "*Write your answer here.*", points=1.0),
        SpecCell("plan-manual", "code", "manual", "raise NotStarted", points=1.0),
        SpecCell("g-answer", "code", "answer", "class G:\n    raise NotStarted"),
        SpecCell("g-test", "code", "test", "checks.g(G)", "", 1.0),
        SpecCell("project", "markdown", "task", "Do a project.", points=3.0),
    ),
)
HANDED_OUT = tuple(SubmittedCell(cell.kind, cell.source, cell.id if cell.role else "") for cell in SPEC.cells)


def labels(cells) -> list[str]:
    return [step.label for step in arrange(SPEC, cells)]


def sources(cells) -> list[str]:
    return [step.source or step.test for step in arrange(SPEC, cells)]


def without(*names: str) -> list[SubmittedCell]:
    return [cell for cell in HANDED_OUT if cell.grade_id not in names]


def mine(source: str, name: str = "", kind: str = "code") -> SubmittedCell:
    return SubmittedCell(kind, source, name)


def test_what_was_handed_out_runs_in_order():
    assert arrange(SPEC, HANDED_OUT) == (
        Step("run", "cell 2", "import math", "", True),
        Step("run", "cell 3 (f-answer)", "def f(x):\n    raise NotStarted", "", True),
        Step("test", "f-test", "", "f-test", False),
        Step("run", "given-locked", "given = 1", "", False),
        Step("run", "cell 8 (plan-manual)", "raise NotStarted", "", True),
        Step("run", "cell 9 (g-answer)", "class G:\n    raise NotStarted", "", True),
        Step("test", "g-test", "", "g-test", False),
    )


def test_nothing_handed_in():
    assert arrange(SPEC, ()) == (
        Step("run", "f-answer", "def f(x):\n    raise NotStarted", "", False),
        Step("test", "f-test", "", "f-test", False),
        Step("run", "given-locked", "given = 1", "", False),
        Step("run", "g-answer", "class G:\n    raise NotStarted", "", False),
        Step("test", "g-test", "", "g-test", False),
    )


def test_tests_and_locked_cells_are_ours_whatever_was_made_of_them():
    cells = [mine("forged", cell.grade_id, kind) if cell.grade_id.endswith(("-test", "-locked")) else cell
             for cell, kind in zip(HANDED_OUT, ["raw", "code", "markdown"] * 4, strict=False)]  # fmt: skip
    changed = [step for step in arrange(SPEC, cells) if not step.mine]
    assert changed == [step for step in arrange(SPEC, HANDED_OUT) if not step.mine]
    # Only the text of a locked Markdown cell that was turned into code runs, as the student's own.
    assert [step.label for step in arrange(SPEC, cells) if step.source == "forged"] == ["cell 5 (why-locked)"]


def test_they_stand_where_the_student_has_them_first():
    cells = [mine("1", "g-test"), mine("2", "g-answer"), mine("3", "given-locked"), mine("4", "g-test"), mine("5")]
    assert sources(cells) == [
        "g-test",
        "2",
        SPEC.cells[2].source,
        "f-test",
        "given = 1",
        "5",
    ]


def test_split_doubled_and_added_cells_run_in_order():
    cells = [
        mine("import numpy"),
        mine("a = 1", "f-answer"),
        mine("def f(x): return a", "f-answer"),
        mine("notes", "f-answer", "markdown"),
        *without("f-answer"),
        mine("late = 2", "elsewhere-answer"),
    ]
    assert sources(cells)[:3] == ["import numpy", "a = 1", "def f(x): return a"]
    assert sources(cells)[-1] == "late = 2"
    assert labels(cells)[1:3] == ["cell 2 (f-answer)", "cell 3 (f-answer)"]
    assert "notes" not in sources(cells)


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_that_a_keystroke_made_text_is_code_all_the_same(kind):
    cells = [mine("def f(x): return 1", "f-answer", kind), *without("f-answer")]
    assert Step("run", "cell 1 (f-answer)", "def f(x): return 1", "", True) in arrange(SPEC, cells)
    assert "*Write" not in "".join(sources(cells))


def test_code_with_the_id_of_a_text_runs_and_text_does_not():
    cells = [mine("x = 1", "why-manual"), mine("x = 2", "plan-manual", "markdown"), mine("x = 3", "", "raw")]
    assert [source for source in sources(cells) if source.startswith("x")] == ["x = 1"]


def test_what_is_missing_goes_before_the_next_that_is_there():
    assert sources(without("f-test")) == [
        "import math", SPEC.cells[2].source, "f-test", "given = 1", "raise NotStarted", SPEC.cells[8].source, "g-test",
    ]  # fmt: skip
    assert sources(without("g-test")) == sources(HANDED_OUT[:9])
    assert sources(without("given-locked")) == sources(HANDED_OUT)
    assert sources(without("f-answer", "f-test")) == sources(HANDED_OUT)


def test_a_stub_never_hides_an_answer_that_lost_its_id():
    answer = mine("from math import *\ndef f(x):\n    return x")
    for at in range(len(HANDED_OUT)):
        cells = without("f-answer")
        cells.insert(at, answer)
        order = sources(cells)
        assert order.index(SPEC.cells[2].source) < order.index(answer.source)
    bare = [mine(cell.source, "", cell.kind) for cell in HANDED_OUT]  # by a tool that drops all metadata
    bare[2] = answer
    order = sources(bare)
    assert order.index(SPEC.cells[2].source) < order.index(answer.source) < order.index("f-test")


def test_look_alike_ids_are_the_students_own_cells():
    cyrillic = "f-t\u0435st"
    cells = parse(written(marked("f-answer", "def f(x): return 1"), marked(cyrillic, "print('mine')")).encode())
    steps = arrange(SPEC, cells)
    assert Step("run", "cell 2", "print('mine')", "", True) in steps
    assert [step.test for step in steps if step.kind == "test"] == ["f-test", "g-test"]


IDS = st.sampled_from(["", "", "unknown", *(cell.id for cell in SPEC.cells)])
TEXTS = st.sampled_from(
    ["", "x = 1", "f = 1", "class G: pass", "forged", "given = 1", "checks.f(f)", "*Write your answer here.*"]
)
CELLS = st.lists(
    st.builds(SubmittedCell, st.sampled_from(["code", "code", "markdown", "raw"]), TEXTS, IDS), max_size=15
)


@given(CELLS)
def test_arrange_keeps_its_promises(cells):
    steps = arrange(SPEC, cells)
    ours = [step for step in steps if not step.mine]
    # Every test once, every locked cell once and with our text, and nothing of the student's under our name.
    assert sorted(step.test for step in steps if step.kind == "test") == ["f-test", "g-test"]
    assert [step.source for step in ours if step.label == "given-locked"] == ["given = 1"]
    released = {cell.id: cell.source for cell in SPEC.cells}
    assert all(step.source == ("" if step.test else released[step.label]) for step in ours)
    assert all(step.kind == "run" and not step.test for step in steps if step.mine)
    assert len({step.label for step in steps}) == len(steps)
    # The student's code in the student's order, nothing lost but copies of what is ours.
    fixed = {"f-test", "g-test", "given-locked"}
    wanted = [
        (f"cell {number}", cell.source)
        for number, cell in enumerate(cells, 1)
        if cell.kind == "code" and cell.grade_id not in fixed
    ]
    has_code = {cell.grade_id for cell in cells if cell.kind == "code"}
    slipped = {
        f"cell {number}"
        for number, cell in enumerate(cells, 1)
        if cell.kind != "code" and cell.grade_id in {"f-answer", "g-answer"} - has_code
    }
    run = [(step.label.partition(" (")[0], step.source) for step in steps if step.mine]
    assert [step for step in run if step[0] not in slipped] == wanted
    assert slipped <= {label for label, _ in run}
    # A stub stands in exactly for an answer that is not there.
    there = {cell.grade_id for cell in cells}
    assert {step.label for step in ours} - fixed == {"f-answer", "g-answer"} - there


@given(CELLS)
def test_what_is_ours_stands_where_the_student_has_it(cells):
    fixed = {"f-test", "g-test", "given-locked"}
    first = list(dict.fromkeys(cell.grade_id for cell in cells if cell.grade_id in fixed))
    assert [step.label for step in arrange(SPEC, cells) if step.label in first] == first


# --- answers --------------------------------------------------------------------------------------------------------


def test_answers_of_what_was_handed_out_are_the_stubs_all_untouched():
    names = {"f-answer", "why-manual", "plan-manual", "g-answer"}
    assert answers(SPEC, HANDED_OUT) == {cell.id: cell.source for cell in SPEC.cells if cell.id in names}
    assert untouched(SPEC, HANDED_OUT) == names


def test_answers_are_the_students_texts():
    cells = [mine("def f(x): return 1", "f-answer"), mine("Because.", "why-manual", "markdown"), mine("x", "f-test")]
    assert answers(SPEC, cells) == {"f-answer": "def f(x): return 1", "why-manual": "Because."}
    assert untouched(SPEC, cells) == set()


def test_the_first_copy_counts_that_is_not_as_released():
    stub = SPEC.cells[6].source
    cells = [mine(text, "why-manual", "markdown") for text in (stub, "First.", "Second.")]
    assert answers(SPEC, cells) == {"why-manual": "First."}
    assert untouched(SPEC, cells) == set()
    assert untouched(SPEC, cells[:1] * 2) == {"why-manual"}


@pytest.mark.parametrize(
    ("text", "is_untouched"),
    [
        ("def f(x):\n    raise NotStarted", True),
        ("\n  def f(x):   \n    raise NotStarted\n\n", True),
        ("def f(x):\n    raise NotStarted  # why?", False),
        ("def f(x):\n  raise NotStarted", False),
        ("def f(x):\n    raise NotStarted\n    return 1", False),
        ("", False),  # emptied: the answer may stand elsewhere
    ],
)
def test_untouched_forgives_blanks_alone(text, is_untouched):
    assert untouched(SPEC, [mine(text, "f-answer")]) == ({"f-answer"} if is_untouched else set())


def test_untouched_is_quick_on_a_huge_text():
    started = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    assert untouched(SPEC, [mine("x" + "\n " * (MAX_BYTES // 2) + "x", "f-answer")]) == set()
    assert untouched(SPEC, [mine(" " * MAX_BYTES, "f-answer")]) == set()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - started < 5
