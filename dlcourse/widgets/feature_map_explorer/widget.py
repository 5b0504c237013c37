"""The feature map explorer in the notebook."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from dlcourse.types import Float, Tensor
from dlcourse.units import TopPatches
from dlcourse.widgets.bundle import bundle, styles
from dlcourse.widgets.draw_pad.pad import PadWidget
from dlcourse.widgets.feature_map_explorer.engine import FeatureMapExplorerEngine
from dlcourse.widgets.feature_map_explorer.network import Measured
from dlcourse.widgets.feature_map_explorer.picture import picture

HERE = Path(__file__).parent
PAD = HERE.parent / "draw_pad"


class FeatureMapExplorer(PadWidget):
    """Your own trained network on your own drawing: what does each of its units see, and what does it answer to?

    model: a torch module that `nn.receptive_fields` understands, from pictures (n, 1, 8, 8) or (n, 1, 28, 28) in [0, 1]
    to logits; images and labels: what best patches are sought among and what accuracy is measured on. classes: names.

    Parameters, each also an attribute that a cell may set: layer (a name of `model.named_modules()`), channel, row,
    column (the unit, each from 0), right and down (the picture moved by pixels), pen. What a hand does, a cell can:
    show(index), example(digit), draw([(x, y), ...]), look(channel), switch(channel), restore_all(), find(), stop(),
    ask(), guess(option), forget(). To be read: maps, picture_seen, probabilities, off, measured(), patches().
    It opens with the activation behind the first convolution. A network that is trained on meanwhile is seen as it is
    with the next look at it.
    hide: any parameter, "share", "code" and the parts "draw", "images", "seen", "says", "maps", "unit", "patches",
    "ablate", "predict", "undo", "clear", "example".

        explorer = FeatureMapExplorer(model, digits.x, digits.y)
        explorer                        # shows it
        explorer.layer = "conv2"
        explorer.switch(3)              # without channel 3
        explorer.measured().accuracy
    """

    engine_class = FeatureMapExplorerEngine
    picture = staticmethod(picture)
    title = "Feature map explorer"
    parts = (
        *("draw", "images", "seen", "says", "maps", "unit", "patches", "ablate", "predict"),
        *("undo", "clear", "example"),
    )
    _esm = bundle(HERE / "feature_map_explorer.js")
    _css = styles(PAD / "pad.css", HERE / "feature_map_explorer.css")

    def __init__(
        self,
        model: Any = None,
        images: Any = None,
        labels: Any = None,
        *,
        classes: Sequence[str] | None = None,
        hide: Iterable[str] = (),
        engine: FeatureMapExplorerEngine | None = None,
        **given: Any,
    ) -> None:
        """Raises ValueError that says what is wanted, for something that is no network, or pictures it cannot show."""
        if engine is None:
            engine = self.engine_class(model, images, labels, classes=classes, **given)
            given = {}
        super().__init__(hide=hide, engine=engine, **given)

    # ------------------------------------------------------------------ the picture

    def show(self, index: int) -> None:
        """An image of the data set, by its index."""
        self._change(lambda: self.engine.show(index))

    # ------------------------------------------------------------------ units and channels

    def look(self, channel: int, row: int | None = None, column: int | None = None) -> None:
        """Choose a unit; without row and column the channel's strongest, in this picture and those that come."""
        self._change(lambda: self.engine.look(channel, row, column))

    def switch(self, channel: int, layer: str | None = None) -> None:
        """Switch a channel off, or on again; of the layer on the screen, unless another is named."""
        self._change(lambda: self.engine.switch(channel, layer))

    def restore_all(self) -> None:
        """All channels on."""
        self._change(self.engine.restore_all)

    def find(self) -> None:
        """Search the best patches of the layer on the screen, among all images."""
        self._change(self.engine.find)
        self.step(len(self.engine.network.images))

    def ask(self) -> None:
        """For which class will the mean probability of the right answer fall most if this channel is switched off?"""
        self._change(self.engine.ask)

    def guess(self, option: int) -> None:
        """An answer to `ask`, by its index; the channel is switched off and the truth measured."""
        self._change(lambda: self.engine.guess(option))

    def forget(self) -> None:
        """Drop the question, answered or not; a channel that was switched on for it is off again."""
        self._change(self.engine.forget)

    def stop(self) -> None:
        """Stop searching best patches; what was found stays."""
        self._change(self.engine.stop)

    def _publish(self, *, tick: Any = None) -> None:
        with self.guard:
            if self.engine.refresh():  # the strongest unit may be another one now
                self._pull()
            super()._publish(tick=tick)

    # ------------------------------------------------------------------ what is there to be read

    @property
    def picture_seen(self) -> Float[Tensor, "1 height width"]:
        """What the network sees."""
        with self.guard:
            return self.engine.picture.clone()

    @property
    def maps(self) -> Float[Tensor, "channel height width"]:
        """Of the layer on the screen, with what is switched off."""
        with self.guard:
            return self.engine.maps.clone()

    @property
    def probabilities(self) -> Float[Tensor, " classes"]:
        """What the network says to the picture, with what is switched off."""
        with self.guard:
            return self.engine.probabilities()

    @property
    def off(self) -> list[tuple[str, int]]:
        """The channels that are switched off: (layer, channel)."""
        with self.guard:
            return self.engine.off

    def measured(self) -> Measured:
        """On the fixed sample of the images, with what is switched off: count, right and sure by class, accuracy."""
        with self.guard:
            return self.engine.measured()

    def patches(self, k: int = 9) -> TopPatches | None:
        """What excites the chosen channel most, at most nine; None before `find`."""
        with self.guard:
            return self.engine.patches(k)

    def to_code(self) -> str:
        """A program of torch and dlcourse that computes the maps on the screen with `model`."""
        with self.guard:
            return self.engine.to_code()

    # ------------------------------------------------------------------ to hand on

    @classmethod
    def from_share(
        cls,
        text: str,
        model: Any = None,
        images: Any = None,
        labels: Any = None,
        *,
        classes: Sequence[str] | None = None,
        **settings: Any,
    ) -> Self:
        """The explorer that `share` described, around your network, which a string cannot hold. Raises ValueError."""
        return cls(engine=cls.engine_class.from_share(text, model, images, labels, classes=classes), **settings)

    def load(self, text: str) -> None:
        """Take over what a share string holds; the network stays. ValueError leaves everything as it was."""
        state = self.engine_class.opened(text)
        with self.guard:
            old = self.engine.network
            fresh = self.engine_class(old.source, old.images, old.labels, classes=old.classes)
            fresh.take(state)
            fresh.searches = self.engine.searches
            self.engine = fresh
        self._change(lambda: None)
