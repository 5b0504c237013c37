"""The saliency explorer in the notebook."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from dlcourse.types import Float, Tensor
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.draw_pad.pad import PadWidget
from dlcourse.widgets.runner import Runner
from dlcourse.widgets.saliency_explorer.engine import SaliencyExplorerEngine
from dlcourse.widgets.saliency_explorer.picture import picture

HERE = Path(__file__).parent
PAD = HERE.parent / "draw_pad"


class SaliencyExplorer(PadWidget):
    """What made your network's score: the maps of nine methods side by side, and whether they are true of the network.

    `SaliencyExplorer(model=network, x=pictures, labels=labels)`: a callable from pictures (n, 1, height, width) in
    [0, 1] to logits. truth: a boolean mask (height, width) of the pixels that matter, where that is known, as for a
    planted shortcut; each map then shows how much of it lies there. classes: names. `SaliencyExplorer()` brings a small
    network and digits of its own.

    Parameters, each also an attribute that a cell may set: picked (the map that the lower panels look at), target
    ("label", "answer" or a class), baseline ("paper", "ink", "mean_grey", "blurred"), layers (how many, from the last,
    are drawn anew), seed, curve ("deletion", "insertion"), gone (a share of the pixels), pen. What a hand does, a cell
    can: show(index), example(digit), draw([(x, y), ...]), anew(), ask(), guess(option), forget(). To be read: map,
    correlations, size_correlations, picture_seen.
    hide: any parameter, "share", "code" and the parts "draw", "images", "says", "predict", "maps", "scales",
    "likeness", "truth", "faith", "curves", "partly", "axioms", "anew", "undo", "clear", "example".

    >>> w = SaliencyExplorer(picked="saliency")
    >>> w.layers = 1
    >>> w.size_correlations["input_x_gradient"] > 0.8 > w.correlations["input_x_gradient"]  # it shares the zeros
    True
    """

    engine_class = SaliencyExplorerEngine
    picture = staticmethod(picture)
    title = "Saliency explorer"
    parts = (
        *("draw", "images", "says", "predict", "maps", "scales", "likeness", "truth", "faith", "curves", "partly"),
        *("axioms", "anew", "undo", "clear", "example"),
    )
    _esm = bundle(HERE / "saliency_explorer.js")
    _css = styles(PAD / "pad.css", HERE / "saliency_explorer.css")

    def __init__(
        self,
        model: Any = None,
        x: Any = None,
        labels: Any = None,
        *,
        truth: Any = None,
        classes: Sequence[str] | None = None,
        hide: Iterable[str] = (),
        engine: SaliencyExplorerEngine | None = None,
        runner: Runner | None = None,
        **given: Any,
    ) -> None:
        """Raises ValueError that says what is wanted, for something that is no network, or pictures it cannot show."""
        if engine is None:
            engine = self.engine_class(model, x, labels, truth=truth, classes=classes, **given)
            given = {}
        hide = [hide] if isinstance(hide, str) else list(hide)
        if not engine.given.drawable:
            hide += [name for name in ("draw", "pen") if name not in hide]
        super().__init__(hide=hide, engine=engine, runner=runner, **given)

    # ------------------------------------------------------------------ what a hand does

    def show(self, index: int) -> None:
        """One of the pictures that were given, by its index."""
        self._change(lambda: self.engine.show(index))

    def anew(self) -> None:
        """Draw the randomised layers from the next seed."""
        self._change(self.engine.anew)

    def ask(self) -> None:
        """Which map will change least when the last layer is drawn anew?"""
        self._change(self.engine.ask)

    def guess(self, option: int) -> None:
        """An answer to `ask`, by its index; the layer is drawn anew."""
        self._change(lambda: self.engine.guess(option))

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self._change(self.engine.forget)

    # ------------------------------------------------------------------ what is there to be read

    @property
    def picture_seen(self) -> Float[Tensor, "1 1 height width"]:
        """The picture that is explained."""
        with self.guard:
            return self.engine.picture.clone()

    @property
    def map(self) -> Float[Tensor, "1 1 height width"] | None:
        """The picked map; None where its method does not apply."""
        with self.guard:
            found = self.engine.map
            return None if found is None else found.clone()

    @property
    def correlations(self) -> dict[str, float]:
        """The rank correlation of each map with its own first one, signs included, by the method's name."""
        with self.guard:
            return self.engine.correlations()

    @property
    def size_correlations(self) -> dict[str, float]:
        """The rank correlation of each map's sizes, without signs, with those of its own first one, by the name."""
        with self.guard:
            return self.engine.size_correlations()

    def to_code(self) -> str:
        """A program of dlcourse with the call that gives the picked map, to the last bit."""
        with self.guard:
            return self.engine.to_code()

    # ------------------------------------------------------------------ to hand on

    @classmethod
    def from_share(
        cls,
        text: str,
        model: Any = None,
        x: Any = None,
        labels: Any = None,
        *,
        truth: Any = None,
        classes: Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """The explorer that `share` described, around your network, which a string cannot hold. Raises ValueError."""
        engine = cls.engine_class.from_share(text, model, x, labels, truth=truth, classes=classes)
        return cls(engine=engine, **settings)

    def load(self, text: str) -> None:
        """Take over what a share string holds; the network stays. ValueError leaves everything as it was."""
        state = self.engine_class.opened(text)
        with self.guard:
            fresh = self.engine.again()
            fresh.take(state)
            self.engine = fresh
        self._change(lambda: None)
