"""An engine whose present is a step of a run: forwards and back, beside a kept copy, with a question about what comes.

Everything here is about the run, and nothing about what it trains.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import whole
from dlcourse.widgets.runs.own import Brought
from dlcourse.widgets.runs.question import Prediction
from dlcourse.widgets.runs.run import Replayable
from dlcourse.widgets.runs.share import packed
from dlcourse.widgets.runs.strokes import Strokes
from dlcourse.widgets.snapshot import Snapshot


class RunEngine(Engine):
    """A subclass begins a run (`_begin`), asks questions of its own (`ask`), and says what is seen of it."""

    actions = frozenset(
        {
            *("back", "scrub", "add_points", "undo_points", "clear_points"),
            *("fork", "unfork", "ask", "guess", "forget", "to_code"),
        }
    )
    replayed: ClassVar[Callable[[Any, Mapping], Replayable]]  # a run out of what `packed` made
    cannot_share: ClassVar[str]  # what of the learner's own a string cannot hold
    catch_up: ClassVar[int]  # steps of the kept run per step, while it is behind: few, so that nothing waits for it

    run: Replayable
    own: Brought  # what the learner brought, if anything

    def __init__(self, /, **values: Any) -> None:
        super().__init__(**values)
        self.kept: Replayable | None = None
        self.question: Prediction | None = None
        self.asked_count = self.right_count = 0

    def _begin(self, drawn: Strokes) -> None:
        """A new run at step 0, with the settings as they are; it drops the question."""
        raise NotImplementedError

    # The run, forwards and backwards.

    @property
    def running(self) -> bool:
        return self.run.running and not (self.question is not None and self.question.state == "asked")

    @property
    def pauses(self) -> bool:
        """At the step where an answer is revealed."""
        question = self.question
        return question is not None and question.answered_at == self.run.at

    def step(self, n: int = 1) -> None:
        """At most n steps: less when the run cannot go on, or when an answer is revealed on the way."""
        for _ in range(whole("n", n, 0, 1_000_000)):
            if not self.running:
                return
            self.run.step()
            if self._arrived():
                return

    def reset(self) -> None:
        """Back to step 0 with the settings and the drawn points as they are; changes made on the way are forgotten."""
        self._begin(self.run.drawn)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self.scrub(max(0, self.run.at - whole("n", n, 1, 1_000_000_000)))

    def scrub(self, step: int) -> None:
        """To any step that this run has been at, exactly as it was, its settings included. What came later stays known
        until something is changed. Raises ValueError for a step beyond."""
        step = whole("step", step, 0, self.run.history.last)
        self.forget()
        self.run.scrub(step)
        self._agree()

    def fork(self) -> None:
        """Keep a copy of the run as it is (run A); what is changed from now on changes only the present one.
        Raises ValueError while a question is open: the copy would tell."""
        self._no_secret()
        self.kept = self.run.copy()

    def unfork(self) -> None:
        """Drop the kept run."""
        self._no_secret()
        self.kept = None

    # What the learner takes back.

    def undo_points(self) -> None:
        """Take back what the last `add_points` added."""
        if self.run.drawn:
            self._change("undo")

    def clear_points(self) -> None:
        """Take back all drawn points."""
        if self.run.drawn:
            self._change("clear")

    # Predict before you see.

    def guess(self, option: int) -> None:
        """Commit to one of the options, by its index; then step."""
        if self.question is None or self.question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        self.question.guess = whole("option", option, 0, len(self.question.options) - 1)

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # To share a run.

    def share(self) -> str:
        """A string from which `from_share` replays the run exactly. Raises ValueError for what the learner brought,
        which a string cannot hold, and for very long runs."""
        return super().share()

    def state(self) -> dict[str, Any]:
        if self.own:
            raise ValueError(
                f"a share string holds settings and drawn points, not your own {self.cannot_share}. "
                "Share the code that makes them."
            )
        return {"run": packed(self.run), "kept": None if self.kept is None else packed(self.kept)}

    def restore(self, state: Mapping[str, Any]) -> None:
        run = self.replayed(state.get("run"), self.params)
        kept = None if state.get("kept") is None else self.replayed(state["kept"], self.params)
        self.own, self.run, self.kept = type(self.own)(), run, kept
        self.forget()
        self._agree()

    # Inside.

    def _change(self, *change: Any) -> None:
        self.run.change(change)
        self.forget()

    def _agree(self) -> None:
        """The settings are those of the run at its present step."""
        self.values = dict(self.run.values)

    def _arrived(self) -> bool:
        """After a step: settings, the kept run, the question; whether an answer was revealed."""
        self._agree()  # walking on through what has been, past changes come again
        for _ in range(self.catch_up):
            if self.kept is not None and self.kept.at < self.run.at:
                self.kept.step()
        return self._reveal()

    def _reveal(self) -> bool:
        """Answer the question when its step has come; whether that was now."""
        question = self.question
        if question is None or question.state != "running":
            return False
        if self.run.at < question.target and self.run.running:
            return False
        question.answered_at = self.run.at
        question.look(self.run.measured())
        if question.right is not None:
            self.asked_count += 1
            self.right_count += question.right
        return True

    @property
    def _secret(self) -> bool:
        """Whether a question is open, so that what comes must not be seen."""
        return self.question is not None and self.question.state != "revealed"

    def _no_secret(self) -> None:
        """What a question hides, a kept run would show."""
        if self._secret:
            raise ValueError("a question is open: answer it or cancel it first.")

    def _frozen(self) -> Snapshot:
        """What is seen now, without the part of the curve that lies ahead: all that a question leaves to be seen."""
        shown = self.snapshot()
        curve = shown.arrays["curve"]
        return Snapshot(shown.header, {**shown.arrays, "curve": curve[curve[:, 0] <= self.run.at]})

    def _veiled(self, notice: str | None) -> Snapshot:
        """While a question is open: what was seen when it was asked, and how far the run is now."""
        frozen = self.question.frozen
        now = {"run": self._where(), "say": self._waiting(), "notice": notice, "prediction": self._prediction()}
        return Snapshot({**frozen.header, **now}, frozen.arrays)

    def _where(self) -> dict[str, Any]:
        return {"step": self.run.at, "first": 0, "last": self.run.history.last, "running": self.running}

    def _waiting(self) -> str:
        if self.question.state == "asked":
            return f"Step {self.run.at}. {self.question.text}"
        return f"Step {self.run.at}, the answer comes at step {self.question.target}"

    def _prediction(self) -> dict[str, Any] | None:
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        return None if self.question is None else self.question.header() | counts
