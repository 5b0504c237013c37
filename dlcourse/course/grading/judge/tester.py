"""TESTER: judges one submission. It runs the instructor's test cells against stand-ins for the student's names.

A test has passed when its cell ran to its end here. No file, output, exit code or object of the student's counts.

    pass 1   a STUDENT runs the cells in order; where a test stands its visible part is run, then its hidden part
    pass 2   only if a cell stopped or a visible part failed: cells and those parts again, with a fresh STUDENT, which
             sees no hidden input. What it says may be shown to the student in full.

So what a process says once it has seen a hidden input is shown to nobody. Of a hidden part only our own words are told,
from a closed list: a message with a shape or a name in it could carry away what the answer was asked. What remains is
whether it passed, and which of our hints fits. It is no wall: two processes of one kernel can tell each other some bits
by what they leave in its caches and counters, so feedback is for when nobody can hand in any more.
A test that failed is asked again after the last cell, where an answer may stand further down. A STUDENT that died or
hung is replaced; the cells before are run again, and of the cell that killed it what it defined before it computed: an
answer counts that stands above an experiment which takes too long.
"""

import ast
import builtins
import contextlib
import io
import json
import math
import resource
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from functools import cache
from types import CodeType
from typing import Any

from dlcourse.checks import seeds as hidden
from dlcourse.checks.frames import receive, send
from dlcourse.checks.outcome import CheckFailed, NotStarted
from dlcourse.checks.values import decode
from dlcourse.course.grading.judge.bench import Bench, parsed
from dlcourse.course.grading.judge.jailed import Jailed, JailError, Limits, Lost
from dlcourse.course.grading.judge.proxies import Unanswered, look

MEMORY = 6 * 2**30  # bytes that judging may take in all
# Not the exception's own text: it names the function that raised it, which is a name of the student's.
BLANK = "Nothing was written yet. Put your code in place of the line `raise NotStarted`."
RESTARTS = 12  # processes for one pass; when the last has died every test left fails


@dataclass
class Outcome:
    """How one run of one test ended. told: the full diagnosis. odd: the instructor should look at the test itself."""

    passed: bool
    score: float = 0.0
    part: str = ""  # "visible" or "hidden", where it did not pass
    reason: str = ""
    told: str = ""
    again: bool = False  # an answer further down may help
    blank: bool = False  # nothing was written: no need to ask what the visible part says
    odd: str = ""
    seconds: float = 0.0


@dataclass
class Pass:
    """One way through the notebook with one STUDENT and its replacements."""

    job: dict[str, Any]
    control: socket.socket
    limits: Limits
    bench: Bench
    deadline: float  # by the monotonic clock
    student: Jailed | None = None
    done: list[int] = field(default_factory=list)  # cells that ran, by their place
    lethal: set[int] = field(default_factory=set)  # of these a replacement runs the first definitions alone
    left_out: set[int] = field(default_factory=set)
    stopped: dict[str, str] = field(default_factory=dict)  # label -> the error's class
    cpu: float = 0.0
    asleep: float = 0.0
    waited: bool = False  # something ran into a limit by the wall
    started: int = 0

    def through(self, tests: dict[str, tuple[str, ...]]) -> dict[str, Outcome]:
        """Runs all cells, and the given tests (id -> visible part, hidden part) where they stand."""
        steps, found = self.job["steps"], {}
        after: dict[str, int] = {}
        for place, step in enumerate(steps):
            if step["kind"] == "run":
                self._cell(place)
            elif step["test"] in tests:
                found[step["test"]] = self._test(step["test"], tests[step["test"]])
                after[step["test"]] = place
        last = max((place for place, step in enumerate(steps) if step["kind"] == "run"), default=-1)
        for test, outcome in found.items():
            if not outcome.passed and outcome.again and after[test] < last:
                found[test] = self._test(test, tests[test])
        self.end()
        return found

    def end(self) -> None:
        """Ends STUDENT and books what it used."""
        if self.student:
            self.student.end()
            self.cpu += self.student.cpu()
            self.asleep += self.student.asleep
        self.student = None

    def _cell(self, place: int) -> None:
        step = self.job["steps"][place]
        while place not in self.lethal:
            try:
                reply = decode(self._ready().run(step["label"], step["source"], self.limits.cell_cpu))
            except Lost as lost:
                self.waited |= lost.by == "wall"
                self.lethal.add(place)
                self.stopped[step["label"]] = "ProcessEnded" if lost.by == "end" else "TimeLimit"
            except ValueError:
                self.stopped[step["label"]] = "ProcessEnded"
                break
            else:
                if type(reply) is dict and "error" in reply:
                    self.stopped[step["label"]] = _error_name(reply["error"])
                break
        self.done.append(place)

    def _ready(self) -> Jailed:
        """A living STUDENT in which every cell so far has run."""
        while self.student is None or not self.student.alive:
            if self.started >= RESTARTS:
                raise Lost("end", "its process ended too often")
            self.started += 1
            self.end()
            spent = self.cpu + self.asleep
            if spent >= self.limits.submission_cpu:
                raise Lost("cpu", f"the notebook has used up its {self.limits.submission_cpu:g} s")
            self.student = Jailed(self.control, self.job["sandbox"], self.limits, self.deadline, spent)
            for place in self.done:
                step = self.job["steps"][place]
                if place in self.left_out:
                    continue
                again = place in self.lethal
                try:
                    self.student.run(step["label"], step["source"], self.limits.cell_cpu, first_definitions=again)
                except Lost as lost:  # it ran before, or its definitions alone are too much
                    self.waited |= lost.by == "wall"
                    (self.left_out if again else self.lethal).add(place)
                    break
        return self.student

    def _exchange(self, frame: bytes) -> bytearray:
        try:
            if self.student is None or not self.student.alive:
                raise Lost("end", "the answer's process ended")
            return self.student.exchange(frame, self.limits.call_cpu)
        except Lost as lost:
            self.waited |= lost.by == "wall"
            raise

    def _test(self, test: str, parts: tuple[str, ...]) -> Outcome:
        started = time.monotonic()
        try:
            self._ready()
            outcome = judge(self._exchange, parts, self.bench, self.job["points"][test])
        except Lost as lost:
            outcome = Outcome(False, part="visible", reason=f"Nothing could be asked: {lost}.", told=str(lost))
        outcome.seconds = time.monotonic() - started
        return outcome


def judge(exchange: Any, parts: tuple[str, ...], bench: Bench, points: float) -> Outcome:
    """Runs the parts of one test cell; the student's names in them are looked up through `exchange`."""
    space: dict[str, Any] = {}
    score = None
    for part, source in zip(("visible", "hidden"), parts, strict=False):
        missing = ""
        try:
            tree = parsed(source)
            ours, theirs = bench.space(tree)
            space = {**ours, **space, "__builtins__": builtins}
            for name in theirs:
                if name not in space:
                    try:
                        space[name] = look(exchange, name)
                    except NameError:
                        missing = missing or name
                        if hasattr(builtins, name):  # the answer has the name of a built-in one, and is not there
                            space[name] = _Missing(name)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                score = _run(tree, space)
        except Exception as error:
            outcome = _failed(error, missing)
            outcome.part = part
            outcome.blank = outcome.blank and part == "visible"
            return outcome
    if score is None:
        return Outcome(True, score=points)
    if not 0 <= score <= points:
        odd = f"the test gave {score:g} of {points:g} points"
        return Outcome(False, part=part, reason="The test could not judge it.", odd=odd)
    right = score == points
    return Outcome(right, score=score, part="" if right else part, reason="" if right else "Partly right.")


class _Missing:
    """In place of a built-in function whose name an answer should have."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *values: Any, **options: Any) -> None:
        raise NameError(f"name {self._name!r} is not defined")


def _failed(error: Exception, missing: str) -> Outcome:
    """What it means that a test stopped with this error. missing: a name that the notebook does not have."""
    if isinstance(error, NotStarted):
        return Outcome(False, reason="Nothing was written yet.", told=BLANK, again=True, blank=True)
    if isinstance(error, CheckFailed):
        return Outcome(False, reason=error.reason, told=str(error), again=True)
    if isinstance(error, NameError) and missing and repr(missing) in str(error):
        text = f"There is no `{missing}`. Was it renamed or deleted, or did its cell stop with an error?"
        return Outcome(False, reason=text, told=text, again=True)
    if isinstance(error, AssertionError):
        return Outcome(False, reason="A test of this cell does not hold.", told=_last_lines(error), again=True)
    if isinstance(error, Unanswered):
        return Outcome(False, reason="The answer gave no value: it ended, or took too long.", told=str(error))
    # An error that is no verdict: no points, and the instructor is told.
    text = f"The test stopped with a {type(error).__name__}."
    return Outcome(False, reason=text, told=_last_lines(error), again=True, odd=text)


def _run(tree: ast.Module, space: dict[str, Any]) -> float | None:
    """Runs the statements; the number that the last one is, for partial credit as nbgrader has it."""
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        exec(compile(tree, "<test>", "exec"), space)
        return None
    *first, last = tree.body
    exec(compile(ast.Module(first, []), "<test>", "exec"), space)
    value = eval(compile(ast.Expression(last.value), "<test>", "eval"), space)
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None


def _last_lines(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(place) if frame.filename == "<test>"), 0)
    return f"line {line} of the test: {type(error).__name__}: {error}"[:2000]


def _error_name(described: Any) -> str:
    """The class of the student's error if Python has one of that name: a word of ours, not the student's."""
    name = described[2] if type(described) is tuple and len(described) > 2 else ""
    known = getattr(builtins, name, None) if type(name) is str else None
    if isinstance(known, type) and issubclass(known, BaseException):
        return name
    return "NotStarted" if name == "NotStarted" else "Error"


def verdict(job: dict[str, Any], control: socket.socket) -> dict[str, Any]:
    """The whole judgement as plain values; see one.Verdict."""
    started = time.monotonic()
    limits = Limits(**job["limits"])
    hidden.use({name: tuple(numbers) for name, numbers in job["seeds"].items()})
    bench = Bench(job["cells"])
    cells = {test["id"]: test for test in job["tests"]}
    longest = limits.wall * limits.submission_cpu
    first = Pass(job, control, limits, bench, time.monotonic() + longest)
    second = Pass(job, control, limits, bench, math.inf)
    try:
        found = first.through({id: tuple(filter(None, (test["source"], test["hidden"]))) for id, test in cells.items()})
        unclear = [id for id, outcome in found.items() if outcome.part == "visible" and not outcome.blank]
        clean = {}
        if unclear or first.stopped:
            second.deadline = time.monotonic() + longest
            clean = second.through({id: (cells[id]["source"],) for id in unclear})
    finally:
        first.end()
        second.end()
    own = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "tests": [_verdict_of(cells[id], found[id], clean.get(id), job["explain"] == id) for id in cells],
        "cells": list(second.stopped.items()),
        "notes": [f"{id}: {found[id].odd}" for id in cells if found[id].odd],
        "waited": first.waited,
        "seconds": time.monotonic() - started,
        "cpu": own.ru_utime + own.ru_stime + first.cpu + second.cpu,
    }


def _verdict_of(test: dict, outcome: Outcome, clean: Outcome | None, explain: bool) -> dict[str, Any]:
    """clean: how the visible part ended where no hidden input had been seen. If it passed there it is not told."""
    told = clean if clean and not clean.passed else outcome if outcome.blank else None
    reason = told.reason if told else fit_for_all(outcome)
    return {
        "id": test["id"],
        "passed": outcome.passed,
        "score": outcome.score,
        "points": test["points"],
        "part": outcome.part,
        "reason": reason,
        "shown": told.told if told else "",
        "seconds": outcome.seconds,
        "explained": outcome.told if explain else "",
    }


def fit_for_all(outcome: Outcome) -> str:
    """The reason, if every letter of it is ours; else what can be said without it."""
    if outcome.passed or outcome.reason in our_words():
        return outcome.reason
    return "Right on the inputs that you can see, and wrong on others from the ranges that the exercise states."


@cache
def our_words() -> frozenset[str]:
    """Every text that stands as it is in the checks and in this file, taken from their compiled code."""
    words: set[str] = set()

    def collect(constant: object) -> None:
        if isinstance(constant, str):
            words.add(constant)
        elif isinstance(constant, tuple | frozenset):
            for each in constant:
                collect(each)
        elif isinstance(constant, CodeType):
            collect(constant.co_consts)

    for name, module in list(sys.modules.items()):
        if name == __name__ or name.startswith("dlcourse.checks."):
            collect(module.__spec__.loader.get_code(name))
    return frozenset(words)


def main(grader: socket.socket, control: socket.socket) -> None:
    """The process: a job in, a verdict out. Whatever stops it is trouble, and trouble is no score."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = json.loads(receive(grader))
    signal.alarm(job["seconds"])  # should the judge itself hang, it ends
    try:
        reply = verdict(job, control)
    except JailError as error:
        reply = {"trouble": str(error)}
    except Exception as error:
        reply = {"trouble": f"the judge stopped: {type(error).__name__}: {error}"}
    send(grader, json.dumps(reply).encode())
