"""The attack explorer in the notebook."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer.engine import AttackExplorerEngine
from dlcourse.widgets.attack_explorer.picture import picture
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.draw_pad.pad import PadWidget
from dlcourse.widgets.runner import Paced, Runner

HERE = Path(__file__).parent
PAD = HERE.parent / "draw_pad"


class AttackExplorer(PadWidget):
    """An attack on your own network, a move at a time, or on two networks side by side: gradient, step, projection.

    `AttackExplorer(models={"clean": network, "robust": other}, x=pictures, labels=labels)`: callables from pictures
    (n, 1, height, width) in [0, 1] to logits; one alone may come without a name. classes: names. `AttackExplorer()`
    brings two small networks and digits of its own.

    Parameters, each also an attribute that a cell may set: threat ("Linf", "L2", "L1"), eps, attack ("FGSM", "PGD",
    "momentum"), steps, step_share (a step's length, in parts of eps), random (the start), target (the name of a class,
    or ""), seed, pace ("slow", "fast"), pen. What a hand does, a cell can: show(index), example(digit),
    draw([(x, y), ...]), mean(label), step(), back(), scrub(move), ask(which), guess(option), forget(). To be read:
    x_adv and probabilities, by the network's name, example_seen, move.
    hide: any parameter, "share", "code" and the parts "draw", "images", "panels", "perturbation", "moved", "bars",
    "slice", "curves", "transfer", "predict", "undo", "clear", "example".

    >>> w = AttackExplorer(eps=0.1, steps=5)
    >>> sorted(w.x_adv)
    ['clean', 'robust']
    >>> w.scrub(1)
    >>> w.move
    ('gradient', 1)
    """

    engine_class = AttackExplorerEngine
    picture = staticmethod(picture)
    title = "Attack explorer"
    parts = (
        *("draw", "images", "panels", "perturbation", "moved", "bars", "slice", "curves", "transfer", "predict"),
        *("undo", "clear", "example"),
    )
    _esm = bundle(HERE / "attack_explorer.js")
    _css = styles(PAD / "pad.css", HERE / "attack_explorer.css")

    def __init__(
        self,
        models: Any = None,
        x: Any = None,
        labels: Any = None,
        *,
        classes: Sequence[str] | None = None,
        hide: Iterable[str] = (),
        engine: AttackExplorerEngine | None = None,
        runner: Runner | None = None,
        **given: Any,
    ) -> None:
        """Raises ValueError that says what is wanted, for something that is no network, or pictures it cannot show."""
        if engine is None:
            engine = self.engine_class(models, x, labels, classes=classes, **given)
            given = {}
        # Steps per frame mean nothing here: `pace` is in their place.
        hide = ["speed", *([hide] if isinstance(hide, str) else hide)]
        if not engine.given.drawable:
            hide += [name for name in ("draw", "pen") if name not in hide]
        super().__init__(hide=hide, engine=engine, runner=runner or Paced(1.6, 0.4), **given)

    # ------------------------------------------------------------------ the picture

    def show(self, index: int) -> None:
        """One of the pictures that were given, by its index."""
        self._change(lambda: self.engine.show(index))

    def mean(self, label: int | str | None) -> None:
        """What a drawing is meant to be, by name or number; None: what the first network says."""
        self._change(lambda: self.engine.mean(label))

    # ------------------------------------------------------------------ the moves

    def back(self, n: int = 1) -> None:
        """n moves back, at most to the picture itself."""
        self._change(lambda: self.engine.back(n))

    def scrub(self, step: int) -> None:
        """To any move, from 0, the picture itself."""
        self._change(lambda: self.engine.scrub(step))

    def ask(self, which: int | str = 0) -> None:
        """After how many steps is this network fooled? By its name, or its number from 0."""
        self._change(lambda: self.engine.ask(which))

    def guess(self, option: int) -> None:
        """An answer to `ask`, by its index; the attack is shown at its end."""
        self._change(lambda: self.engine.guess(option))

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self._change(self.engine.forget)

    # ------------------------------------------------------------------ what is there to be read

    @property
    def move(self) -> tuple[str, int]:
        """What the present move is, and in which step (from 1): ("projection", 3)."""
        with self.guard:
            return self.engine.move

    @property
    def example_seen(self) -> Float[Tensor, "1 height width"]:
        """The picture that is attacked."""
        with self.guard:
            return self.engine.picture.clone()

    @property
    def x_adv(self) -> dict[str, Float[Tensor, "1 height width"]]:
        """Where the attack ends, by the network's name."""
        with self.guard:
            return self.engine.x_adv()

    @property
    def probabilities(self) -> dict[str, Float[Tensor, " classes"]]:
        """What each network says at the present move."""
        with self.guard:
            return self.engine.probabilities()

    def to_code(self) -> str:
        """A program of dlcourse with the call that gives the same x_adv, to the last bit."""
        with self.guard:
            return self.engine.to_code()

    # ------------------------------------------------------------------ to hand on

    @classmethod
    def from_share(
        cls,
        text: str,
        models: Any = None,
        x: Any = None,
        labels: Any = None,
        *,
        classes: Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """The explorer that `share` described, around your networks, which a string cannot hold. Raises ValueError."""
        return cls(engine=cls.engine_class.from_share(text, models, x, labels, classes=classes), **settings)

    def load(self, text: str) -> None:
        """Take over what a share string holds; the networks stay. ValueError leaves everything as it was."""
        state = self.engine_class.opened(text)
        with self.guard:
            fresh = self.engine.again()
            fresh.take(state)
            self.engine = fresh
        self._change(lambda: None)
