"""What every command of the command line shares: tables, a bar, plain errors, exit statuses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from dlcourse.course.errors import CourseError

if TYPE_CHECKING:
    from rich.console import Console

# Plain help and plain tracebacks: both are read in pipes, in logs and by screen readers.
PLAIN = {"rich_markup_mode": None, "no_args_is_help": True, "add_completion": False}

USAGE, INTERRUPTED, TERMINATED = 2, 130, 143


def fail(error: object, status: int = 1) -> NoReturn:
    print(f"dlcourse: {error}", file=sys.stderr)
    raise SystemExit(status)


@contextmanager
def plain_errors(attempt: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise CourseError(f"{attempt} failed: {error}") from error


def console() -> "Console":
    from rich.console import Console

    # A pipe is not folded to a terminal's width.
    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False, markup=False)


def show_table(header: list[str], rows: list[list[str]], right: tuple[str, ...] = ()) -> None:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, show_header=any(header))
    for name in header:
        grid.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    drawing = console()
    with drawing.capture() as drawn:
        drawing.print(grid)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def agreed(question: str) -> bool:
    """Whether a person says yes. CourseError where nobody can answer."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        raise CourseError("Nobody is there to answer, so nothing was removed. --yes removes without asking.") from None


@contextmanager
def progress_bar() -> Iterator:
    """A bar that moves with each cell, submission or step, on a terminal; elsewhere nothing."""
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
    with Progress(*columns, console=console(), transient=True) as progress:
        bar = progress.add_task("", notebook="")

        def show(notebook: str, done: int, cells: int, heading: str) -> None:
            from rich.markup import escape

            progress.update(bar, notebook=notebook, completed=done, total=cells, description=escape(heading))

        yield show
