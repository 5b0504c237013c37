"""`dlcourse course ...`: for who writes the course, and for who assigns and grades with it.

As in dlcourse.cli, a command imports what it needs when it is called.
"""

import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcourse.course.console import INTERRUPTED, PLAIN, USAGE, agreed, fail, plain_errors, progress_bar, show_table
from dlcourse.course.errors import CourseError

if TYPE_CHECKING:
    import threading

    from dlcourse.course.grading.grade import Report, Row
    from dlcourse.course.grading.keys import Keys
    from dlcourse.course.grading.mentions import Rest

HELP = """For instructors and authors: release, grade, build, lint.

In a course's folder; deploy/instructors.md goes through it.

Example: dlcourse course grade 01-neurons
"""
KEYS_HELP = """The course's secret keys: hidden seeds come from one, one signs results.

Example: dlcourse course keys show
"""
FOLDERS_OF_A_COURSE = {"submitted", "autograded", "feedback", "release", "exercises"}
app = typer.Typer(**PLAIN, help=HELP)
keys_app = typer.Typer(**PLAIN, help=KEYS_HELP)
app.add_typer(keys_app, name="keys")


@app.command("build")
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


@app.command("lint")
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


@app.command("release")
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

    when = _when(due)
    with progress_bar() as show:
        released = release(
            _course(),
            assignment,
            due=when,
            again=again,
            exchange=exchange,
            on_step=lambda done, steps, what: show(assignment, done, steps, what),
        )
    lock = released.lock
    if released.new_keys:
        print(f"New keys for this course: {released.new_keys}. Keep a copy where only you can read it; see")
        print("`dlcourse course keys show`.")
    due_date = f"due {lock.due[:16].replace('T', ' ')} UTC" if lock.due else "with no due date"
    print(f"{assignment}, version {lock.version}, is released, {due_date}: {released.spec.points:g} points.")
    if when and when < datetime.now().astimezone():
        print("dlcourse: that date is past: whatever is handed in now is late", file=sys.stderr)
    print(f"Students fetch it from {released.exchange}." if released.exchange else "Hand out exercises/ yourself.")


def _when(text: str | None) -> datetime | None:
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
    show_table(["id", "kind", "made", "state"], rows)


@app.command("grade")
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
    with _stoppable() as stop, progress_bar() as show:
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
            f"dlcourse: interrupted; what is graded stays, {report.left} still to grade. "
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
        print(f"Who failed what and why, and what is flagged for you to look at: {report.log}")


def _grade_table(rows: "Iterable[Row]") -> None:
    from dlcourse.course.grading.grade import printable

    show_table(
        ["student", "score", "failed tests", "flags", "seconds"],
        [
            [
                printable(row.student),
                f"{'?' if row.score is None else format(row.score, 'g')}/{row.max_score:g}",
                ", ".join(row.failed),
                str(len(row.flags) or ""),
                f"{row.seconds:.1f}",
            ]
            for row in rows
        ],
        right=("score", "flags", "seconds"),
    )


def _explain(assignment: str, student: str, exercise: str, *, accept_changes: bool, unsafe: bool) -> None:
    from dlcourse.course.grading.explain import explain

    told = explain(_course(), assignment, student, exercise, accept_changes=accept_changes, unsafe=unsafe)
    print("\n".join(told.lines))
    raise typer.Exit(not told.same)


def _course() -> Path:
    """The folder of an instructor's course: the one we are in, as nbgrader has it, or the checkout."""
    here = Path.cwd()
    if (here / "nbgrader_config.py").is_file() and (here / "solutions").is_dir():
        for above in here.parents:
            if above.name in FOLDERS_OF_A_COURSE and (above.parent / "nbgrader_config.py").is_file():
                raise CourseError(
                    f"This folder lies in {above}, where others' work is kept, and its settings would be run as a "
                    f"program. Nothing was done. Go to the course's own folder: cd {shlex.quote(str(above.parent))}"
                )
        return here
    checkout = _checkout()
    print(f"dlcourse: this folder holds no course; using the one in {checkout}", file=sys.stderr)
    return checkout


@app.command("similarity")
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
        show_table(similarity_report.HEADER, similarity_report.rows(matches[:40]), right=("shared", "rare", "share"))
        if len(matches) > 40:
            print(f"... and {len(matches) - 40} more.")
    else:
        print("No two answers reach the threshold.")
    print("\n" + "\n".join(similarity_report.remarks(found)))
    if html:
        with plain_errors(f"Writing {html}"):
            html.write_text(similarity_report.html(found), encoding="utf-8")
        print(f"\nThe passages are in {html}")


@app.command("forget")
def course_forget(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="The id, as the gradebook has it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what there is.")] = False,
) -> None:
    """Remove all that this course's folder and its exchange hold about one student.

    It shows what there is and asks. What it cannot reach it names: homes, backups, the hub. It cannot be undone, and
    it may be repeated. Exit status: 0 done, 1 something could not be removed, 2 no such student.

    Example: dlcourse course forget student3 --dry-run
    """
    from dlcourse.course.grading.forget import forget, look, rest

    course = _course()
    held = look(course, student)
    show_table(
        ["place", "found", "bytes"],
        [[_plain(place.where), place.what, format(place.size, ",") if place.size else ""] for place in held.places],
        right=("bytes",),
    )
    if dry_run:
        _tell_rest(held.rest)
        _tell_out_of_reach(student)
        print("\nNothing was removed.")
        return
    if not yes and not agreed(f"\nRemove all this about {_plain(student)}? It cannot be undone."):
        print("Nothing was removed.")
        raise typer.Exit(1)
    left = forget(course, student)
    if not left:
        print(f"\n{_plain(student)} is forgotten here.")
    _tell_rest(rest(course, student))
    _tell_out_of_reach(student)
    for each in left:
        print(f"dlcourse: {_plain(str(each.path))} could not be removed: {each.why}", file=sys.stderr)
    if left:
        paths = " ".join(shlex.quote(str(each.path)) for each in left)
        fail(f"its owner or the administrator can: rm -r -- {_plain(paths)}\nThen run the same command again.")


def _plain(text: str) -> str:
    from dlcourse.course.grading.grade import printable

    return printable(text)


def _tell_rest(rest: "Rest") -> None:
    """Files that name the student and are not the student's own."""
    for paths, what in (
        (rest.named, "These name the student too. They are others', or not made by this program, so they stay:"),
        (rest.packed, "These are packed and were not looked into:"),
    ):
        if paths:
            print(f"\n{what}")
            print("\n".join(f"  {_plain(str(path))}" for path in paths[:MANY]))
            if len(paths) > MANY:
                print(f"  and {len(paths) - MANY} more")


def _tell_out_of_reach(student: str) -> None:
    from urllib.parse import quote

    print(
        "\nOut of reach from here:\n"
        "  - the student's own home: notebooks, fetched feedback, progress\n"
        "  - backups, archives and exported files that lie elsewhere\n"
        "  - a hub's database and logs. Its administrator removes the user in the admin page, or with\n"
        f"    curl -X DELETE -H 'Authorization: token TOKEN' https://HUB/hub/api/users/{quote(student, safe='')}"
    )


def _checkout() -> Path:
    from dlcourse.course.sync import course_root

    root = course_root()
    if not (root / "solutions").is_dir():
        raise CourseError(f"Authors' commands need a checkout of the course; {root} has no solutions/. Clone it first.")
    return root
