"""How a check can end: not started, failed with a diagnosis, or (inside) an answer that broke instead of answering."""

import textwrap

WIDTH = 100


class NotStarted(Exception):
    """What the stub of every exercise raises: nothing was written yet."""

    def __str__(self) -> str:
        return super().__str__() or "nothing written yet. Put your code in place of the line `raise NotStarted`."

    def _render_traceback_(self) -> list[str]:
        return [f"Not started: {self}"]


class UnknownExercise(ValueError):
    """There is no exercise of this id. Jupyter shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class CheckFailed(AssertionError):
    """An answer that is not right yet.

    called: what the check called, with its inputs. came_back: what the answer gave. wanted: what is right.
    reason: the likely misconception, in words. A grader shows only `exercise` and `reason`: the rest tells its inputs.
    """

    def __init__(self, exercise: str, *, called: str, came_back: str, wanted: str, reason: str) -> None:
        self.exercise, self.called, self.came_back, self.wanted, self.reason = (
            exercise,
            called,
            came_back,
            wanted,
            reason,
        )
        super().__init__(self._message())

    def _message(self) -> str:
        parts = (("called", self.called), ("came back", self.came_back), ("wanted", self.wanted))
        lines = [f"{self.exercise}: not right yet", ""]
        lines += [_entry(name, text) for name, text in parts]
        lines += [_entry("likely", self.reason), "", f'Stuck? checks.hint("{self.exercise}") gives a hint.']
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def _entry(name: str, text: str) -> str:
    """`name` in a column of its own, the text wrapped beside it; lines that the text brings along are kept."""
    lines = [
        piece
        for line in text.splitlines() or [""]
        for piece in textwrap.wrap(line, WIDTH - 11, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    return "\n".join(f"{name if n == 0 else '':<11}{line}" for n, line in enumerate(lines))


class AnswerError(Exception):
    """The answer gave no value. What it says comes from the learner's side, so nothing in it is trusted.

    kind: one of `KINDS`. error: the class name of the exception. message: its text. line: the learner's line of code.
    bases: the names of the exception's class and of all that it is derived from.
    """

    KINDS = (
        "not-started",  # the stub
        "signature",  # it cannot be called with these arguments
        "raised",  # it raised an exception
        "changed-argument",  # it changed a tensor that it was given
        "not-plain",  # it returned something outside the closed list of values
        "silent",  # it did not answer in time, or within the lines of Python it was given
        "gone",  # its process ended, or what it sent cannot be read
    )

    def __init__(
        self, kind: str, message: str, *, error: str = "", line: str = "", bases: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{error}: {message}" if error else message)
        self.kind, self.message, self.error, self.line, self.bases = kind, message, error, line, bases
