"""The command line. Every command imports what it needs when it is called, so `dlcourse --help` is there at once."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcourse import __version__
from dlcourse.course import commands
from dlcourse.course.console import (
    INTERRUPTED,
    PLAIN,
    TERMINATED,
    USAGE,
    agreed,
    fail,
    plain_errors,
    progress_bar,
    show_table,
)
from dlcourse.course.errors import CourseError

if TYPE_CHECKING:
    from dlcourse.course.run import Outcome

app = typer.Typer(**PLAIN, pretty_exceptions_enable=False, help="A deep-learning course that checks itself.")
data_app = typer.Typer(**PLAIN, help="Data sets: what there is, and fetching the larger ones.")
progress_app = typer.Typer(**PLAIN, help="Your progress, kept on this machine only.")
app.add_typer(data_app, name="data")
app.add_typer(progress_app, name="progress")
app.add_typer(commands.app, name="course")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 it failed, 2 it was asked for wrongly. Arguments default to sys.argv's."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console without a letter shows "?" and goes on
    try:
        app(args=arguments, prog_name="dlcourse")
    except CourseError as error:
        fail(error, error.status)


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
        with progress_bar() as show:
            running = run(notebooks, on_cell=lambda *at: show(notebooks[len(outcomes)].stem, *at))
            for outcome in running:
                outcomes.append(outcome)
                _tell(outcome)
    except KeyboardInterrupt:
        print("dlcourse: interrupted; the kernel was ended", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    print()
    show_table(
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
    show_table(["", "", ""], [[row.verdict, row.name, row.found] for row in looked_at])
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

    show_table(
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
    show_table(
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
    with plain_errors(f"Writing your progress to {file}"):
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
    with plain_errors(f"Reading progress from {file}"):
        progress.import_(file)
    print(f"The progress in {file} was added to yours.")


@progress_app.command("clear")
def progress_clear(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove your progress from this machine. It cannot be undone; `dlcourse progress export` keeps a copy.

    Your notebooks are not touched.

    Example: dlcourse progress clear
    """
    from dlcourse import progress

    _progress_is_on()
    if not progress.path().parent.is_dir():
        print("There is no progress here.")
        return
    if not yes and not agreed(f"Remove your progress, {progress.path()}?"):
        print("Nothing was removed.")
        raise typer.Exit(1)
    with plain_errors("Removing your progress"):
        removed = progress.clear()
    print("\n".join(f"{file} is removed." for file in removed) or "There was no progress here.")
