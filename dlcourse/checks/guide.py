"""What a learner asks for beside the checks: the next hint, a worked answer, what is done, and what comes next."""

import inspect
import os
import textwrap
from collections import Counter
from html import escape

from dlcourse.checks import record
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.outcome import UnknownExercise
from dlcourse.checks.registry import EXERCISES, find
from dlcourse.learn.card import Card, paragraph

_TIERS = ("an idea", "a sketch", "nearly the code")
_asked: Counter[str] = Counter()


def hint(id: str, part: str = "") -> Card:
    """The next hint of an exercise: an idea, then a sketch, then nearly the code, which then stays. Nobody counts.

    part: of an exercise that has several, as "d" of "03.loops": hints for this one alone.
    UnknownExercise, a ValueError, when there is no such exercise or part.

    >>> hint("00.accuracy")
    00.accuracy, hint 1 of 3: an idea
    How would you count equal places in two columns on paper? `predicted == labels` does the comparing.
    """
    exercise = find(id)
    if part and part not in exercise.parts:
        raise UnknownExercise(
            f"{id} has the parts {', '.join(exercise.parts)}." if exercise.parts else f"{id} has no parts."
        )
    hints, asked = (exercise.parts[part], f"{id} ({part})") if part else (exercise.hints, id)
    tier = min(_asked[asked], len(hints) - 1)
    _asked[asked] += 1
    return _words("Hint", f"{asked}, hint {tier + 1} of {len(hints)}: {_TIERS[tier]}", hints[tier])


def solution(id: str) -> Card:
    """A worked answer, once the exercise was tried; closed where work is graded (DLCOURSE_GRADED=1).

    UnknownExercise, a ValueError, when there is no such exercise.
    """
    exercise = find(id)
    if os.environ.get("DLCOURSE_GRADED") == "1":
        return _words("Solution", f"Solutions are closed in graded work. The hints are open: checks.hint({id!r}).")
    if not record.attempts(id):
        return _words(
            "Solution",
            f"Try {id} once, then ask again: write something in place of `raise NotStarted` and run its check. "
            f"A wrong try teaches you what to look for in the answer. checks.hint({id!r}) gives a first idea.",
        )
    code = textwrap.dedent(inspect.getsource(exercise.reference)).rstrip()
    title = f"{id}, {exercise.title}: one way to do it"
    html = f"<p>{escape(title)}</p><pre>{escape(code)}</pre><p>{escape(exercise.walkthrough)}</p>"
    return Card("Solution", f"{title}\n\n{code}\n\n{exercise.walkthrough}", html)


def progress() -> Card:
    """Every exercise, with what became of it. Kept on this machine only."""
    rows = [(exercise.id, exercise.title, _state(exercise)) for exercise in EXERCISES.values()]
    wide = max(len(id) for id, *_ in rows)
    text = "\n".join(f"{id:<{wide}} {title:<28} {state}" for id, title, state in rows)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in ("exercise", "title", "progress")) + "</tr>"
    return Card("Your progress", text, f"<table><thead>{head}</thead><tbody>{body}</tbody></table>")


def continue_here() -> Card:
    """The first exercise that is not done yet, with the notebook where it stands. The link starts in chapters/."""
    following = next((exercise for exercise in EXERCISES.values() if not record.is_done(exercise.id)), None)
    if following is None:
        return _words("Continue here", "Every exercise so far is done. Well done, and come back for the next chapter.")
    line = f"{following.id}, {following.title} (up to {following.minutes} minutes)"
    link = f'<a href="../{escape(following.where)}">{escape(following.where)}</a>'
    return Card("Continue here", f"Next: {line}, in {following.where}", f"<p>Next: {escape(line)}, in {link}</p>")


def _words(label: str, *texts: str) -> Card:
    """Paragraphs of plain text."""
    return Card(label, "\n".join(texts), "".join(map(paragraph, texts)))


def _state(exercise: Exercise) -> str:
    if record.is_done(exercise.id):
        return "done"
    tried = record.attempts(exercise.id)
    return f"tried {tried} {'time' if tried == 1 else 'times'}" if tried else "not started"
