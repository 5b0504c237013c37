"""The command line. Every command imports what it needs when it is called, so `dlcourse --help` is there at once."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcourse import __version__
from dlcourse.course.errors import CourseError

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from rich.console import Console

    from dlcourse.course.grading.grade import Report, Row
    from dlcourse.course.grading.keys import Keys
    from dlcourse.course.run import Outcome

# Plain help and plain tracebacks: both are read in pipes, in logs and by screen readers.
PLAIN = {"rich_markup_mode": None, "no_args_is_help": True, "add_completion": False}
app = typer.Typer(**PLAIN, pretty_exceptions_enable=False, help="A deep-learning course that checks itself.")
data_app = typer.Typer(**PLAIN, help="Data sets: what there is, and fetching the larger ones.")
progress_app = typer.Typer(**PLAIN, help="Your progress, kept on this machine only.")
course_app = typer.Typer(
    **PLAIN,
    help="For instructors and authors: release, grade, build, lint.\n\nIn a checkout of the course; "
    "deploy/instructors.md goes through it.\n\nExample: dlcourse course grade 01-neurons",
)
app.add_typer(data_app, name="data")
app.add_typer(progress_app, name="progress")
app.add_typer(course_app, name="course")
keys_app = typer.Typer(
    **PLAIN,
    help="The course's secret keys: hidden seeds come from one, one signs results.\n\n"
    "Example: dlcourse course keys show",
)
course_app.add_typer(keys_app, name="keys")

USAGE, INTERRUPTED, TERMINATED = 2, 130, 143


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 it failed, 2 it was asked for wrongly. Arguments default to sys.argv's."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console without a letter shows "?" and goes on
    try:
        app(args=arguments, prog_name="dlcourse")
    except CourseError as error:
        fail(error, error.status)


def fail(error: object, status: int = 1) -> None:
    print(f"dlcourse: {error}", file=sys.stderr)
    raise SystemExit(status)


def version(asked: bool) -> None:
    if asked:
        print(f"dlcourse {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def lab(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="Your folder; dlcourse-work if none is named.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Argument(metavar="-- OPTION", help="Passed on to JupyterLab.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the course in a browser.")] = True,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; the next free one if it is taken.", min=1, max=65535)
    ] = None,
) -> None:
    """Open the course in JupyterLab.

    Your folder is made or brought up to date first. A file that you changed is never touched: its new edition is put
    beside it. Ctrl-C stops JupyterLab.

    Example: dlcourse lab my-course --no-browser -- --ServerApp.token=secret
    """
    from dlcourse.course.lab import default_folder, lab
    from dlcourse.course.sync import sync

    arguments = list(extra or ())
    if folder is not None and folder.startswith("-"):  # `dlcourse lab -- --option`: no folder was named
        arguments.insert(0, folder)
        folder = None
    report = sync(default_folder() if folder is None else folder)
    print("\n".join(report.lines()))
    raise typer.Exit(lab(report.folder, browser=browser, port=port, extra=arguments))


@app.command()
def run(
    chapters: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHAPTER", help="01-neurons, 01, 01-neurons-exercises or a path; else all chapters."),
    ] = None,
) -> None:
    """Run chapters from the first cell to the last and say whether each holds.

    Nothing of yours is touched: copies are run. Exit status: 0 all hold, 1 one failed, 2 no such chapter.

    Example: dlcourse run 01-neurons
    """
    import signal

    from dlcourse.course.run import UnknownNotebookError, find, run

    # Asked to end, by a service manager or a time limit: leave by the same door as Ctrl-C, so no kernel stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        notebooks = find(chapters or ())
    except UnknownNotebookError as error:
        fail(error, USAGE)
    outcomes = []
    try:
        with _progress() as show:
            running = run(notebooks, on_cell=lambda *at: show(notebooks[len(outcomes)].stem, *at))
            for outcome in running:
                outcomes.append(outcome)
                _tell(outcome)
    except KeyboardInterrupt:
        print("dlcourse: interrupted; the kernel was ended", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    print()
    _table(
        ["notebook", "cells", "seconds", "peak memory", "result"],
        [
            [each.name, str(each.cells), f"{each.seconds:.1f}", f"{each.peak / 1e6:.0f} MB", _result(each)]
            for each in outcomes
        ],
        right=("cells", "seconds", "peak memory"),
    )
    raise typer.Exit(any(each.faults for each in outcomes))


def _result(outcome: "Outcome") -> str:
    return "failed" if outcome.faults else "ok"


@contextmanager
def _progress() -> Iterator:
    """A bar that moves with each cell, on a terminal; elsewhere nothing."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    if not sys.stdout.isatty():
        yield lambda *at: None
        return
    columns = (
        TextColumn("{task.fields[notebook]}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=_console(), transient=True) as progress:
        bar = progress.add_task("", notebook="")

        def show(notebook: str, done: int, cells: int, heading: str) -> None:
            from rich.markup import escape

            progress.update(bar, notebook=notebook, completed=done, total=cells, description=escape(heading))

        yield show


def _tell(outcome: "Outcome") -> None:
    """One line for a notebook that holds; for one that does not, each fault and where the executed copy is."""
    import re

    print(f"{outcome.name}: {_result(outcome)}, {outcome.cells} cells in {outcome.seconds:.1f} s")
    for fault in outcome.faults:
        error = fault.error if sys.stdout.isatty() else re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", fault.error)
        print(f"\n{fault.place}:\n\n{_indented(fault.source)}\n\n{_indented(error)}\n")
    if outcome.saved:
        print(f"The executed notebook is {outcome.saved}", flush=True)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


@app.command()
def doctor() -> None:
    """Look over this machine and say what is amiss and what to do.

    Exit status: 0 ok or warnings only, 1 a fault.

    Example: dlcourse doctor
    """
    from dlcourse.course import doctor

    looked_at = doctor.rows()
    _table(["", "", ""], [[row.verdict, row.name, row.found] for row in looked_at])
    for row in looked_at:
        if row.advice:
            print(f"\n{row.name}: {row.advice}.")
    verdicts = [row.verdict for row in looked_at]
    if set(verdicts) == {"ok"}:
        print("\nAll is well.")
    raise typer.Exit("fault" in verdicts)


@data_app.command("list")
def data_list() -> None:
    """List the data sets: which came with the installation, which can be fetched, which are here.

    Example: dlcourse data list
    """
    from dlcourse import data

    _table(
        ["name", "kind", "size", "here", "licence", "content"],
        [
            [
                row.name,
                row.kind + ("" if row.verified else ", unverified"),
                f"{row.size / 1e6:.1f} MB" if row.kind == "download" else "",
                "yes" if row.present else "no",
                row.licence,
                row.what,
            ]
            for row in data.info()
        ],
        right=("size",),
    )


@data_app.command("fetch")
def data_fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="As `dlcourse data list` has them.")],
):
    """Fetch data sets now, so that no network is needed later. What is here already is checked, not fetched again.

    Example: dlcourse data fetch mnist names
    """
    from dlcourse import data

    unknown = [name for name in names if name not in data.names()]
    if unknown:
        fail(f"There is no data set {', '.join(map(repr, unknown))}. There are: {', '.join(data.names())}", USAGE)
    failed = False
    for name in names:
        try:
            fetched = data.fetch(name)
        except (data.DataUnavailable, ValueError) as error:  # the rest may still be had
            print(f"dlcourse: {name}: {error}", file=sys.stderr)
            failed = True
        else:
            print(f"{name}: {'here and whole' if fetched else 'came with the installation'}")
    raise typer.Exit(failed)


@progress_app.command("show")
def progress_show() -> None:
    """Show what you did: exercises tried and passed, questions answered.

    Example: dlcourse progress show
    """
    from dlcourse import progress

    _progress_is_on()
    entries = progress.read()
    if not entries:
        print("Nothing yet. Progress is noted when you run a check, a prediction or a quiz in a notebook.")
        return
    _table(
        ["what", "event", "times", "last"],
        [
            [id, event, str(entry["times"]), entry.get("last", "")]
            for id, events in sorted(entries.items())
            for event, entry in sorted(events.items())
        ],
        right=("times",),
    )


def _progress_is_on() -> None:
    from dlcourse import progress

    if not progress.is_on():
        raise CourseError("Progress is off: DLCOURSE_PROGRESS is 0, or this is grading or a test run.")


@progress_app.command("export")
def progress_export(file: Annotated[Path, typer.Argument(metavar="FILE", help="To write, for example progress.json.")]):
    """Write your progress to a file, to take it to another machine.

    Example: dlcourse progress export progress.json
    """
    from dlcourse import progress

    _progress_is_on()
    with _plain_errors(f"Writing your progress to {file}"):
        progress.export(file)
    print(f"Your progress is in {file}. On the other machine: dlcourse progress import {file.name}")


@progress_app.command("import")
def progress_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by `dlcourse progress export`.")],
):
    """Take in progress from another machine.

    Example: dlcourse progress import progress.json
    """
    from dlcourse import progress

    _progress_is_on()
    with _plain_errors(f"Reading progress from {file}"):
        progress.import_(file)
    print(f"The progress in {file} was added to yours.")


@contextmanager
def _plain_errors(attempt: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise CourseError(f"{attempt} failed: {error}") from error


@course_app.command("build")
def course_build(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; list what is stale, exit status 1.")] = False,
) -> None:
    """Make the notebooks from chapters/*.md and solutions/*.md.

    Example: dlcourse course build --check
    """
    from dlcourse.course.build import build

    report = build(_checkout(), check=check)
    print("\n".join(report.lines()))
    raise typer.Exit(check and not report.ok)


@course_app.command("lint")
def course_lint() -> None:
    """Check the sources of the chapters and exercises against the course's rules.

    Example: dlcourse course lint
    """
    from dlcourse.course.lint import lint_glossary, lint_notebook, lint_source

    root = _checkout()
    problems = lint_glossary(root)
    for path in sorted([*root.glob("chapters/*.md"), *root.glob("solutions/*.md")]):
        problems += lint_source(path)
    for path in sorted([*root.glob("chapters/*.ipynb"), *root.glob("*/*/*-exercises.ipynb")]):
        problems += lint_notebook(path)
    for problem in problems:
        print(problem)
    if problems:
        fail(f"{len(problems)} to mend")
    print("Nothing to mend.")


@course_app.command("release")
def course_release(
    assignment: Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="As its folder in solutions/: 01-neurons.")],
    due: Annotated[
        str | None, typer.Option(metavar="WHEN", help='"2030-01-31 23:59" in this machine\'s time, or with "+01:00".')
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Release it once more, with other hidden seeds.")] = False,
    exchange: Annotated[
        bool, typer.Option("--exchange/--no-exchange", help="Hand it to the students through nbgrader's exchange.")
    ] = True,
) -> None:
    """Release an assignment to the students, and note what it was.

    The students' notebook is made again and must be the one in exercises/. The assignment enters the gradebook and
    nbgrader's exchange; grading goes by the lock in grading/locks/. The first release makes the course's keys.

    Example: dlcourse course release 01-neurons --due "2030-01-31 23:59"
    """
    from dlcourse.course.grading.release import release

    released = release(_course(), assignment, due=_when(due), again=again, exchange=exchange)
    lock = released.lock
    if released.new_keys:
        print(f"New keys for this course: {released.new_keys}. Keep a copy where only you can read it; see")
        print("`dlcourse course keys show`.")
    due_date = f"due {lock.due[:16].replace('T', ' ')} UTC" if lock.due else "with no due date"
    print(f"{assignment}, version {lock.version}, is released, {due_date}: {released.spec.points:g} points.")
    print(f"Students fetch it from {released.exchange}." if released.exchange else "Hand out exercises/ yourself.")


def _when(text: str | None) -> "datetime | None":
    from datetime import datetime

    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        fail(f'--due {text!r} is no time; "2030-01-31 23:59" and "2030-01-31T23:59+01:00" are', USAGE)


@keys_app.command("show")
def keys_show() -> None:
    """Show the ids and dates of this course's keys, and where they are; never the keys themselves.

    Example: dlcourse course keys show
    """
    from dlcourse.course.grading.keys import path
    from dlcourse.course.grading.release import load_keys

    _show_keys(keys := load_keys(_course()))
    print(f"\nIn {path(keys.course)}, which only you can read. Keep a copy: without it no result can be verified.")


@keys_app.command("rotate")
def keys_rotate(
    signing: Annotated[bool, typer.Option("--signing", help="The key that signs results.")] = False,
    course: Annotated[bool, typer.Option("--course", help="The key that hidden seeds come from.")] = False,
) -> None:
    """Use a new key from now on; the old one goes on counting for what it was used for.

    Results that the old key signed stay valid, and what was released keeps its hidden seeds. For a key that leaked
    see `dlcourse course keys revoke`.

    Example: dlcourse course keys rotate --signing
    """
    from dlcourse.course.grading.keys import rotate
    from dlcourse.course.grading.settings import forbidden, settings

    if signing == course:
        fail("rotate one key: --signing or --course", USAGE)
    here = settings(_course())
    _show_keys(rotate(here.id, "signing" if signing else "course", outside=forbidden(here)))


@keys_app.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `dlcourse course keys show` has it.")],
) -> None:
    """A key leaked: from now on it does not count. If it was the one in use, a new one takes its place.

    Who has a signing key can forge results: those that it signed no longer count and are graded again.
    Who has a course key can work out the hidden seeds: what was released with it is released and graded again.

    Example: dlcourse course keys revoke s01234567
    """
    from dlcourse.course.grading.keys import revoke
    from dlcourse.course.grading.release import read_lock
    from dlcourse.course.grading.settings import forbidden, settings

    here = settings(_course())
    keys = revoke(here.id, id, outside=forbidden(here))
    _show_keys(keys)
    released = [read_lock(here.course, path.stem) for path in sorted(here.course.glob("grading/locks/*.json"))]
    if next(key for key in keys.every if key.id == id).kind == "signing":
        what = "What it signed is believed no more. Grade again:"
        todo = [f"dlcourse course grade {lock.assignment}" for lock in released]
    else:
        what = "Its hidden seeds may be known. Release again, then grade:"
        todo = [f"dlcourse course release {lock.assignment} --again" for lock in released if lock.key == id]
    print("", *((what, *todo) if todo else ("Nothing was released with it.",)), sep="\n")


def _show_keys(keys: "Keys") -> None:
    in_use = {keys.current("course").id, keys.current("signing").id}
    states = [
        f"revoked {key.revoked[:10]}" if key.revoked else "in use" if key.id in in_use else "old" for key in keys.every
    ]
    rows = [[key.id, key.kind, key.made[:10], state] for key, state in zip(keys.every, states, strict=True)]
    _table(["id", "kind", "made", "state"], rows)


@course_app.command("grade")
def course_grade(
    assignment: Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="A folder of solutions/.")],
    workers: Annotated[
        int | None, typer.Option(help="Submissions at once on this machine; else one for each CPU.", min=1)
    ] = None,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, tcp://host:8786, whose workers grade.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was interrupted, a --regrade included.")
    ] = False,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Also what has a result; earlier results are kept.")
    ] = False,
    student: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this student; may be repeated.")] = None,
    explain: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="STUDENT EXERCISE", help="Replay one verdict with all that the test saw; writes nothing."),
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="Grade although this is not what was released; results say so.")
    ] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run submissions with your own rights; results say so.")
    ] = False,
) -> None:
    """Grade what was handed in: each submission in a jail, judged outside it, its result signed.

    What has a valid result is not graded again. Ctrl-C keeps what is graded. Exit status: 0 all graded, 1 some need a
    human or it failed, 2 no such student or exercise, 3 no sandbox and nothing was graded, 4 this is not what was
    released, 130 interrupted.

    Example: dlcourse course grade 01-neurons --workers 4
    """
    from dlcourse.course.grading.grade import grade

    if (workers and dask) or (explain and (workers or dask or resume or regrade or student)):
        fail("--workers and --dask exclude each other, and --explain takes neither, nor what chooses students", USAGE)
    if explain:
        _explain(assignment, *explain, accept_changes=accept_changes, unsafe=unsafe)
    if workers is None:
        from dlcourse.device import cpu_budget

        workers = cpu_budget()
    with _stoppable() as stop, _progress() as show:
        report = grade(
            _course(),
            assignment,
            students=student,
            workers=workers,
            dask=dask,
            regrade=regrade,
            resume=resume,
            accept_changes=accept_changes,
            unsafe=unsafe,
            on_progress=lambda done, total, who: show(assignment, done, total, who),
            on_trouble=lambda line: print(f"dlcourse: {line}", file=sys.stderr, flush=True),
            stop=stop,
        )
    _grades(report)
    if report.interrupted:
        print(
            f"dlcourse: interrupted; what is graded stays, {report.left} are left. "
            f"Go on with: dlcourse course grade {assignment} --resume",
            file=sys.stderr,
        )
    raise typer.Exit(report.status)


@contextmanager
def _stoppable() -> "Iterator[threading.Event]":
    """An event that Ctrl-C or SIGTERM sets. A second one ends at once; nothing is half written then either."""
    import signal
    import threading

    stop = threading.Event()

    def note(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


MANY = 30  # submissions; of more only the lowest are listed


def _grades(report: "Report") -> None:
    """The summary: every submission of a small class; of a big one the lowest, and where the rest is."""
    rows = report.rows
    kept = sum(row.kept for row in rows)
    humans = sum(row.score is None for row in rows)
    print()
    if len(rows) <= MANY:
        _grade_table(rows)
    else:
        print("The ten lowest:")
        _grade_table(sorted(rows, key=lambda row: (row.score is not None, row.score or 0, row.student))[:10])
    counts = [f"{len(rows) - kept - humans} graded"]
    counts += [f"{kept} were graded before"] if kept else []
    counts += [f"{humans} need a human"] if humans else []
    print(f"\n{report.assignment}: {', '.join(counts)}.")
    if report.log:
        print(f"Who failed what, and why: {report.log}")


def _grade_table(rows: "Iterable[Row]") -> None:
    from dlcourse.course.grading.grade import printable

    _table(
        ["student", "score", "failed tests", "flags", "seconds"],
        [
            [
                printable(row.student),
                f"{'?' if row.score is None else format(row.score, 'g')}/{row.max_score:g}",
                ", ".join(row.failed),
                printable("; ".join(row.flags)),
                f"{row.seconds:.1f}",
            ]
            for row in rows
        ],
        right=("score", "seconds"),
    )


def _explain(assignment: str, student: str, exercise: str, *, accept_changes: bool, unsafe: bool) -> None:
    from dlcourse.course.grading.explain import explain

    told = explain(_course(), assignment, student, exercise, accept_changes=accept_changes, unsafe=unsafe)
    print("\n".join(told.lines))
    raise typer.Exit(not told.same)


def _course() -> Path:
    """The folder of an instructor's course: the one we are in, as nbgrader has it, or the checkout."""
    here = Path.cwd()
    return here if (here / "nbgrader_config.py").is_file() and (here / "solutions").is_dir() else _checkout()


@course_app.command("similarity")
def course_similarity(
    assignment: Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="As its folder is called: 01-neurons.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page with both passages of each pair.")
    ] = None,
) -> None:
    """Show which submissions are alike, and which are like our own solutions and source.

    Run it in the course's folder, after collecting. It proves nothing: it says which passages to read side by side.

    Example: dlcourse course similarity 01-neurons --html similarity.html
    """
    from dlcourse.course.grading.similarity import report as similarity_report

    found = similarity_report.report(_course(), assignment)
    matches = [*found.pairs, *found.ours]
    if matches:
        _table(similarity_report.HEADER, similarity_report.rows(matches[:40]), right=("shared", "rare", "share"))
        if len(matches) > 40:
            print(f"... and {len(matches) - 40} more.")
    else:
        print("No two answers reach the threshold.")
    print("\n" + "\n".join(similarity_report.remarks(found)))
    if html:
        with _plain_errors(f"Writing {html}"):
            html.write_text(similarity_report.html(found), encoding="utf-8")
        print(f"\nThe passages are in {html}")


def _checkout() -> Path:
    from dlcourse.course.sync import course_root

    root = course_root()
    if not (root / "solutions").is_dir():
        raise CourseError(f"Authors' commands need a checkout of the course; {root} has no solutions/. Clone it first.")
    return root


def _console() -> "Console":
    from rich.console import Console

    # A pipe is not folded to a terminal's width.
    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False, markup=False)


def _table(header: list[str], rows: list[list[str]], right: tuple[str, ...] = ()) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=any(header))
    for name in header:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = _console()
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))
