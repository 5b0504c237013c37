"""The char sampler in the notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from dlcourse.types import Float, Tensor
from dlcourse.widgets.base import BaseWidget
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.char_sampler.engine import CharSamplerEngine
from dlcourse.widgets.char_sampler.picture import picture
from dlcourse.widgets.runner import Paced, Runner

HERE = Path(__file__).parent


class CharSampler(BaseWidget):
    """A language model writes, symbol by symbol: what may come next, what is drawn from it, and other ways to go on.

    `CharSampler(model, vocabulary)`: a model called as model(ids (1, time), state), which gives logits (1, time,
    classes) and the next state, such as a CharRNN, or an NGram; with the vocabulary it was trained with.
    `CharSampler()` writes with the 6-gram of `data.load("topics")`. `beside=`: a second model that reads along, so that
    the bars show what both hold likely, and the text has bits per symbol of both.

    Parameters, each also an attribute that a cell may set: prefix, temperature (0 to 2), top_k (0: off), top_p (1:
    off), seed, pace ("slow", "fast"). `w.step(50)` writes, `w.back(3)` and `w.scrub(12)` go back, `w.branch("q")` takes
    another symbol at the step that is looked at, on a new line; `w.again()` writes the prefix's text once more with the
    next seed; `w.look(line, step)` goes to a place of another line, `w.drop(line)` removes one. To be read: text,
    lines, logits, `w.engine`. hide: parameters, "play", "step", "back", "reset", "scrub", "share", "code", "again" and
    the parts "text", "bars", "shaping".

    >>> sampler = CharSampler(prefix="The ", temperature=0.5)
    >>> sampler.step(10)
    >>> len(sampler.text)
    14
    """

    engine_class = CharSamplerEngine
    picture = staticmethod(picture)
    title = "Char sampler"
    parts = ("again", "text", "bars", "shaping")
    _esm, _css = bundle(HERE / "char_sampler.js"), styles(HERE / "char_sampler.css")

    def __init__(
        self,
        model: Any = None,
        vocabulary: Any = None,
        *,
        beside: Any = None,
        hide: Iterable[str] = (),
        engine: CharSamplerEngine | None = None,
        runner: Runner | None = None,
        **given: Any,
    ):
        """Raises ValueError that says what is wanted, for something that is no such model or vocabulary."""
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = [hide] if isinstance(hide, str) else hide
        if engine is None:
            engine, given = self.engine_class(model, vocabulary, beside=beside, **given), {}
        super().__init__(hide=["speed", *hide], engine=engine, runner=runner or Paced(slow=0.8, fast=0.05), **given)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the prefix; what is written stays."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any step of the present line."""
        self._change(lambda: self.engine.scrub(step))

    def look(self, line: int, step: int | None = None) -> None:
        """To a line, by its number, and a step of it; without one to its end."""
        self._change(lambda: self.engine.look(line, step))

    def branch(self, token: int | str) -> None:
        """Another symbol in place of the one at the step that is looked at, on a new line."""
        self._change(lambda: self.engine.branch(token))

    def again(self) -> None:
        """The same prefix once more, as far, with the next seed, on a new line."""
        self._change(self.engine.again)

    def drop(self, line: int) -> None:
        """Remove a line."""
        self._change(lambda: self.engine.drop(line))

    @property
    def text(self) -> str:
        """The prefix and what is written after it, up to the step that is looked at."""
        with self.guard:
            return self.engine.text

    @property
    def lines(self) -> dict[int, str]:
        """All lines, whole, by their numbers."""
        with self.guard:
            return {line.number: self.engine.symbols.text(line.prefix + line.tokens) for line in self.engine.lines}

    @property
    def logits(self) -> Float[Tensor, " classes"]:
        """What the model said at the step that is looked at."""
        with self.guard:
            return self.engine.logits.clone()

    def to_code(self) -> str:
        """A program that computes what the bars show."""
        with self.guard:
            return self.engine.to_code()

    @classmethod
    def from_share(
        cls, text: str, model: Any = None, vocabulary: Any = None, *, beside: Any = None, **settings: Any
    ) -> Self:
        """The sampler that `share` described, around your model, which a string cannot hold. Raises ValueError."""
        return cls(engine=cls.engine_class.from_share(text, model, vocabulary, beside=beside), **settings)

    def load(self, text: str) -> None:
        """Take over what a share string holds; the model stays. ValueError leaves everything as it was."""
        state = self.engine_class.opened(text)
        with self.guard:
            old = self.engine
            given = () if old.own else (old.model, old.vocabulary)
            fresh = self.engine_class(*given, beside=old.beside)
            fresh.take(state)
            self.engine = fresh
        self._change(lambda: None)
