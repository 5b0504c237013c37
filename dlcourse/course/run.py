"""Run notebooks from the first cell to the last, without a browser, and say of each whether it holds.

A notebook fails on an error, on anything written to stderr and on a warning raised in this package, hidden or not. A
cell tagged `raises-exception` is an exercise not yet solved: it may raise NotStarted or CheckFailed, nothing else.
"""

import asyncio
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import nbformat
import psutil
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from dlcourse.course.errors import CourseError
from dlcourse.course.sync import course_root, shipped

CELL_LIMIT = 600  # seconds; a cell of the course takes a few, so one that takes this long hangs
UNSOLVED = ("NotStarted", "CheckFailed")

# Python hides most deprecations outside `__main__`; in our own code they are faults. Warnings elsewhere are left as
# Python has them: what it shows in a cell goes to stderr and fails the notebook; what a library says while the kernel
# starts concerns nobody.
STRICT = r"import warnings; warnings.filterwarnings('error', module=r'dlcourse(\.|$)'); del warnings"


@dataclass(frozen=True)
class Fault:
    """Why a notebook failed: where, what ran there, what came of it (terminal colours kept)."""

    place: str
    source: str
    error: str


@dataclass(frozen=True)
class Outcome:
    """A notebook that was run."""

    name: str
    cells: int  # code cells run
    seconds: float
    peak: int  # bytes, the most that the kernel and its children held together
    faults: tuple[Fault, ...]
    saved: Path | None  # the executed notebook, kept when it failed


class UnknownNotebookError(CourseError):
    """A notebook was asked for that the course does not have."""


def find(wanted: Iterable[str], *, root: Path | None = None) -> list[Path]:
    """The notebooks meant by `wanted`: `01-neurons`, `01`, `01-neurons-exercises` or a path. None wanted: all chapters.

    Raises UnknownNotebookError with the known names, CourseError in a checkout whose notebooks are not built.
    """
    root = root or course_root()
    known = {Path(name).stem: root / name for name in shipped(root) if name.endswith(".ipynb")}
    if not known:
        raise CourseError(f"{root} holds no notebooks. In a checkout, make them with: dlcourse course build")
    chapters = [path for path in known.values() if path.parent.name == "chapters"]
    found = []
    for name in wanted:
        matches = [path for path in chapters if path.stem.partition("-")[0] == name]
        if name in known:
            matches = [known[name]]
        elif name.endswith(".ipynb") and Path(name).is_file():
            matches = [Path(name)]
        if len(matches) != 1:
            names = "\n  ".join(known)
            raise UnknownNotebookError(
                f"There is no notebook {name!r} in the course and no file of that name. The course has\n  {names}\n"
                "Name one, its number (01), or the path of a notebook."
            )
        found += matches
    return found or chapters


def run(
    notebooks: Iterable[Path],
    *,
    root: Path | None = None,
    on_cell: Callable[[int, int, str], None] = lambda done, cells, heading: None,
) -> Iterator[Outcome]:
    """Run each notebook in a copy of the course, and yield what came of it.

    `on_cell(done, cells, heading)` is called at least whenever a cell begins. Leaving early, by an interrupt or by
    closing the iterator, ends the kernel and all it started. Raises CourseError for a file that is no notebook.
    """
    root = root or course_root()
    # With short-lived names a kernel's sockets and the copy need no room in the learner's folder.
    with tempfile.TemporaryDirectory(prefix="dlcourse-", ignore_cleanup_errors=True) as place:
        copy = Path(place, "course")
        for name in shipped(root):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, copy / name)
        for path in notebooks:
            yield _run(path, copy, on_cell)


def _run(path: Path, copy: Path, on_cell: Callable[[int, int, str], None]) -> Outcome:
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:  # AttributeError: JSON, no object
        raise CourseError(f"Reading {path} as a notebook failed: {error}".rstrip()) from error
    folder = copy / _room(path)
    folder.mkdir(parents=True, exist_ok=True)
    headings = _headings(notebook)
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    current = 0

    log = copy.parent / "kernel.log"  # what libraries write past Python, and a dying kernel's last words
    said = dict.fromkeys(range(len(notebook.cells)), "")  # of it, what each cell caused

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal current
        current = cell_index
        logged.seek(0, os.SEEK_END)  # anything earlier belongs to the kernel's start

    def end(cell: nbformat.NotebookNode, cell_index: int, execute_reply: object) -> None:
        said[cell_index] = logged.read().decode(errors="replace")

    quiet = logging.getLogger("dlcourse.course.run")  # what went wrong is told once, by the outcome
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    client = NotebookClient(
        notebook,
        log=quiet,
        timeout=CELL_LIMIT,
        # What C code writes goes to the log: captured, it would come some time after its cell, or not at all.
        extra_arguments=[f"--IPKernelApp.exec_lines={STRICT}", "--IPKernelApp.capture_fd_output=False"],
        store_widget_state=False,
        shutdown_kernel="immediate",
        on_cell_start=begin,
        on_cell_executed=end,
    )
    # With no folder of kernels to look in, `python3` is the kernel of this interpreter, whatever the user installed.
    client.km = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), log=quiet)
    failure: list[Exception] = []
    done = threading.Event()  # a thread whose join() was interrupted counts as ended even while it runs

    def work() -> None:
        try:
            environment = _environment(copy.parent)
            asyncio.run(client.async_execute(cwd=str(folder), env=environment, stdout=DEVNULL, stderr=output))
        except Exception as error:  # told below, in the thread that asked
            failure.append(error)
        finally:
            done.set()

    # nbclient works in its own thread, so that an interrupt reaches this one and can end the kernel at any moment.
    before = {process.pid for process in psutil.Process().children()}
    start = time.perf_counter()
    peak = 0
    with log.open("wb") as output, log.open("rb") as logged:
        threading.Thread(target=work, daemon=True).start()
        try:
            while not done.wait(0.05):
                on_cell(sum(index < current for index in code), len(code), headings[current] if headings else "")
                peak = max(peak, _memory(before))
        finally:
            while not done.wait(0.05):
                _kill(before)
    seconds = time.perf_counter() - start

    faults = _faults(notebook, headings, said)
    for error in failure:
        if not isinstance(error, CellExecutionError):  # that one is in the notebook's outputs
            last_words = log.read_text(errors="replace").strip().splitlines()[-20:]
            source = notebook.cells[current].source if notebook.cells else ""
            text = "\n".join([f"{type(error).__name__}: {error}".strip(), *last_words])
            faults.append(Fault(_place(current, headings), source, text))
    saved = None
    if faults:
        saved = Path(tempfile.mkdtemp(prefix="dlcourse-run-"), path.name)
        nbformat.write(notebook, saved)
    ran = sum(1 for index in code if notebook.cells[index].execution_count is not None)
    return Outcome(path.stem, ran, seconds, peak, tuple(faults), saved)


def _room(path: Path) -> Path:
    """Where a notebook stands in the course, so that its relative paths lead where they should."""
    parts = path.resolve().parent.parts
    return Path("exercises", parts[-1]) if parts[-2:-1] == ("exercises",) else Path("chapters")


def _environment(place: Path) -> dict[str, str]:
    environment = dict(os.environ)
    # The user's own settings (a startup file, warnings as errors) are not the course's, and would change the verdict.
    environment.pop("PYTHONWARNINGS", None)
    environment["IPYTHONDIR"] = str(place / "ipython")
    environment["DLCOURSE_PROGRESS"] = "0"
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return environment


def _headings(notebook: nbformat.NotebookNode) -> list[str]:
    """For each cell, the heading it stands under."""
    headings, heading, fenced = [], "", False
    for cell in notebook.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            fenced ^= line.lstrip().startswith("```")
            if not fenced and line.startswith("#"):
                heading = line.lstrip("#").strip()
        headings.append(heading)
    return headings


def _faults(notebook: nbformat.NotebookNode, headings: list[str], said: dict[int, str]) -> list[Fault]:
    faults = []
    for index, cell in enumerate(notebook.cells):
        unsolved = UNSOLVED if "raises-exception" in cell.metadata.get("tags", ()) else ()
        for output in cell.get("outputs", ()):
            error = None
            if output.output_type == "error" and output.ename not in unsolved:
                error = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            elif output.output_type == "stream" and output.name == "stderr":
                error = f"written to stderr: {output.text.rstrip()}"
            if error is not None:
                faults.append(Fault(_place(index, headings), cell.source, error))
        if said[index]:
            faults.append(Fault(_place(index, headings), cell.source, f"written past Python: {said[index].rstrip()}"))
    return faults


def _place(index: int, headings: list[str]) -> str:
    heading = headings[index] if headings else ""
    return f"cell {index + 1}" + (f', under "{heading}"' if heading else "")


def _started(before: set[int]) -> list[psutil.Process]:
    """The processes that running a notebook started: the kernel first, then its children."""
    return [
        process
        for child in psutil.Process().children()
        if child.pid not in before
        for process in (child, *_children(child))
    ]


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _memory(before: set[int]) -> int:
    """Bytes held now by the kernel and its children (pages they share are counted for each), or the most that one of
    them ever held, where the system keeps that: a moment's peak between two looks is not missed."""
    total = most = 0
    for process in _started(before):
        try:
            total += process.memory_info().rss
            most = max(most, _high_water(process.pid))
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return max(total, most)


def _high_water(pid: int) -> int:
    if not psutil.LINUX:
        return 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _kill(before: set[int]) -> None:
    for process in _started(before):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
