"""One submission, from its bytes to a verdict: read here, run in a jail, judged outside it.

    verdict = grade_submission(content, spec, seeds, Limits(), sandbox="namespaces")

A verdict is plain data and not signed: signing is GRADER's, who alone has the key.
"""

import contextlib
import json
import math
import threading
from dataclasses import dataclass
from typing import Any

from dlcourse.checks.frames import MAX_BYTES, WireError, receive, send
from dlcourse.course.grading.judge import flags
from dlcourse.course.grading.judge.jailed import Limits
from dlcourse.course.grading.judge.warm import Warm, WarmError, preload
from dlcourse.course.grading.spec import Spec, SpecCell
from dlcourse.course.grading.submission import SubmittedCell, Unreadable, answers, arrange, parse

JUDGING = 300  # seconds beyond what two passes may take; after that the judge itself must hang


@dataclass(frozen=True)
class TestVerdict:
    """What became of one test cell.

    part: "" when it passed, else "visible" or "hidden", where it failed. reason: our words, fit for everybody.
    shown: the whole diagnosis, only of a visible part. explained: the diagnosis of the hidden part too, for the
    instructor's eyes, when it was asked for.
    """

    __test__ = False  # not a test of pytest's

    id: str
    passed: bool
    score: float
    points: float
    part: str = ""
    reason: str = ""
    shown: str = ""
    seconds: float = 0.0
    explained: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of one submission.

    cells: (label, class of the error) of cells that stopped. notes: for the instructor. waited: something ran into a
    limit by the wall clock, which a busy machine can cause. trouble: a fault of ours; then there is no score.
    """

    tests: tuple[TestVerdict, ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    sandbox: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    waited: bool = False
    trouble: str = ""


_warm: Warm | None = None
_lock = threading.Lock()


def warm(spec: Spec) -> Warm:
    """This process's WARM, started at the first call and again when it has ended. WarmError when it cannot be.

    spec: the assignment whose imports it makes beforehand. Another one works as well, a little slower.
    """
    global _warm
    with _lock:
        if _warm is None or not _warm.alive:
            if _warm is not None:
                _warm.close()
            _warm = Warm(
                preload(text for cell in spec.cells if cell.kind == "code" for text in (cell.source, cell.hidden))
            )
        return _warm


def close() -> None:
    """Ends this process's WARM and all that hangs on it."""
    global _warm
    with _lock:
        if _warm is not None:
            _warm.close()
        _warm = None


def grade_submission(
    content: bytes,
    spec: Spec,
    seeds: dict[str, list[int]],
    limits: dict[str, Any] | None = None,
    *,
    sandbox: str,
    explain: str = "",
) -> Verdict:
    """Judges the bytes of one submitted notebook. Never raises for what a student did.

    seeds: of the hidden inputs, by exercise. limits: fields of jailed.Limits that differ from its defaults.
    sandbox: a backend that `jail.probe` found to hold, or "none". explain: a test whose hidden diagnosis is wanted.
    """
    try:
        cells = parse(content)
    except Unreadable as error:
        return _unread(spec, str(error), sandbox)
    asked = Limits(**(limits or {}))
    longest = math.ceil(JUDGING + 2 * asked.wall * asked.submission_cpu)
    job = {
        "seconds": longest,
        "steps": [
            {"kind": step.kind, "label": step.label, "source": step.source, "test": step.test}
            for step in arrange(spec, cells)
        ],
        "tests": [{"id": t.id, "source": t.source, "hidden": t.hidden, "points": t.points} for t in spec.tests],
        "points": {test.id: test.points for test in spec.tests},
        "cells": [part for cell in spec.cells if cell.kind == "code" for part in _parts(cell)],
        "seeds": seeds,
        "limits": limits or {},
        "sandbox": sandbox,
        "explain": explain,
    }
    message = json.dumps(job, ensure_ascii=False).encode()  # not in ASCII, where a letter of Latin-1 would be six bytes
    if len(message) > MAX_BYTES:  # and so is a control character
        text = "The notebook holds too much text to be run: delete the cells that are not needed, and hand it in again."
        return _unread(spec, text, sandbox)
    try:
        process = warm(spec)
        found = _judged(process, message, longest)
    except (WarmError, OSError) as error:
        return Verdict(sandbox=sandbox, trouble=str(error) or type(error).__name__)
    if "trouble" in found:
        return Verdict(sandbox=sandbox, trouble=found["trouble"])
    return Verdict(
        tests=tuple(TestVerdict(**test) for test in found["tests"]),
        cells=tuple((label, error) for label, error in found["cells"]),
        notes=(*found["notes"], *_flags(spec, cells)),
        sandbox=sandbox,
        versions=tuple(sorted(process.versions.items())),
        seconds=found["seconds"],
        cpu=found["cpu"],
        waited=found["waited"],
    )


def _flags(spec: Spec, cells: tuple[SubmittedCell, ...]) -> tuple[str, ...]:
    """What the instructor may want to read: answers that reach for the thing they should write."""
    own = answers(spec, cells)
    here = {cell.id for cell in spec.cells if cell.kind == "code" and cell.role == "answer"}
    ours = {cell.source.strip() for cell in spec.cells}
    kept = {cell.id for cell in spec.cells if cell.role in ("test", "locked")}
    other = [
        cell.source
        for cell in cells
        if cell.kind == "code" and cell.grade_id not in kept | own.keys() and cell.source.strip() not in ours
    ]
    try:
        return flags.notes(spec.assignment, {name: text for name, text in own.items() if name in here}, other)
    except Exception as error:  # a text that the notes cannot cope with must not keep anybody from a grade
        return (f"The answers could not be looked through for ready-made ones: {type(error).__name__}.",)


def _parts(cell: SpecCell) -> list[tuple[str, str]]:
    """(role, source) of a cell, and of a test the hidden part as another."""
    return [(cell.role, cell.source), *([(cell.role, cell.hidden)] if cell.hidden else [])]


def _unread(spec: Spec, reason: str, sandbox: str) -> Verdict:
    """Nothing for anything, by the student's fault."""
    tests = (TestVerdict(test.id, False, 0.0, test.points, "visible", reason, reason) for test in spec.tests)
    return Verdict(tests=tuple(tests), sandbox=sandbox)


def _judged(process: Warm, job: bytes, seconds: int) -> dict[str, Any]:
    """What TESTER says, who ends itself after so many seconds."""
    with contextlib.closing(process.tester()) as channel:
        try:
            send(channel, job, timeout=seconds + 1.0)
            reply = receive(channel, timeout=seconds + 1.0)
        except (TimeoutError, WireError) as error:
            return {"trouble": f"the judge gave no verdict: {error}"}
    return json.loads(reply) if reply else {"trouble": "the judge ended without a verdict"}
