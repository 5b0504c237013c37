"""The explorer's engine: a drawing or an image, the maps of one layer, one unit in it, and channels switched off.

The learner's network is only looked into (see `network`); why a unit has its value stands in `unit`, the search for
its best patches in `search`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch

from dlcourse.types import Float, Tensor
from dlcourse.units import TopPatches
from dlcourse.widgets.draw_pad import mnist
from dlcourse.widgets.draw_pad.engine import DrawPadEngine, percent
from dlcourse.widgets.draw_pad.ink import segments
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.feature_map_explorer import words
from dlcourse.widgets.feature_map_explorer.code import program
from dlcourse.widgets.feature_map_explorer.network import Layer, Measured, Network, Off, Trace
from dlcourse.widgets.feature_map_explorer.params import PARAMS
from dlcourse.widgets.feature_map_explorer.question import Question
from dlcourse.widgets.feature_map_explorer.search import KEPT, Search
from dlcourse.widgets.feature_map_explorer.unit import Explained, explain
from dlcourse.widgets.params import Whole, shown
from dlcourse.widgets.snapshot import Snapshot, quantise

MOST_MAPS = 64  # in one snapshot
MOST_CELLS = 36_000  # of all its maps together
MOST_OFF = 4096
KEPT_MEASURES = 200


class FeatureMapExplorerEngine(Engine):
    """Your own network on your own drawing, layer by layer: what each unit sees, why it has its value, what it likes.

    model: a torch module that `nn.receptive_fields` understands, from pictures (n, 1, s, s) to logits (n, classes);
    images: (n, 1, 8, 8) or (n, 1, 28, 28) in [0, 1], labels (n,): best patches are sought among them, and a fixed,
    evenly spread sample of them gives the accuracy: held-back images give an honest one. classes: names, by default
    numbers. A drawing is prepared as the pictures of that size were: of 8 x 8 as scikit-learn's digits, of 28 x 28 as
    MNIST. Channels that are switched off put out 0, and everything after them is computed anew.

    values: parameters by name (see `params`). Raises ValueError for what does not fit. It begins with images[0] and the
    strongest unit of channel 0 of the first convolution.
    """

    name = "feature-map-explorer"
    params: ClassVar = PARAMS
    actions = frozenset(
        {"draw", "undo", "clear", "toggle", "example", "show", "look", "switch", "restore_all", "find", "stop"}
        | {"ask", "guess", "forget", "to_code"}
    )

    def __init__(
        self, model: Any = None, images: Any = None, labels: Any = None, *, classes: Any = None, **values: Any
    ) -> None:
        self.network = Network(model, images, labels, classes)
        super().__init__(**values)
        self.pad = DrawPadEngine(pen=self.values["pen"])
        self.index: int | None = 0
        self.switched_off: Off = frozenset()
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self.searches: dict[str, Search] = {}
        self.searching = False
        self._measures: dict[Off, Measured] = {}
        self._traces: dict[Off, Trace] = {}  # of the present picture
        self._picture: Tensor | None = None
        if not self.values["layer"]:
            self.values["layer"] = self.network.first
        self._fit(frozenset(values))
        if not {"row", "column"} & set(values):
            self.look(self.values["channel"])

    # ------------------------------------------------------------------ the picture

    def draw(self, stroke: Iterable[Iterable[float]], id: str = "") -> None:
        """Add a stroke, as `DrawPadEngine.draw`; the drawing takes the place of an image."""
        self.pad.draw(stroke, id)
        self._drawn()

    def toggle(self, row: int, column: int) -> None:
        """Fill one of the pad's 8 x 8 cells, or empty it again."""
        self.pad.toggle(row, column)
        self._drawn()

    def example(self, digit: int | None = None) -> None:
        """Draw a built-in digit; without an argument the next one."""
        self.pad.example(digit)
        self._drawn()

    def clear(self) -> None:
        """An empty pad, and an empty picture; undo brings the drawing back."""
        self.pad.clear()
        self._drawn()

    def undo(self) -> None:
        """Take the last change of the drawing back."""
        self.pad.undo()
        self._drawn()

    def show(self, index: int) -> None:
        """An image of the data set in place of the drawing, by its index."""
        index = _whole("index", index, 0, len(self.network.images) - 1)
        self.pad.clear()
        self._drawn(index)

    def reset(self) -> None:
        """images[0], all channels on, the picture not moved; nothing measured or searched is kept, so that a network
        that has been trained on meanwhile is seen as it is now. The layer on the screen stays."""
        old = self.network
        self.network = Network(old.model, old.images, old.labels, old.classes)
        self._measures, self.searches = {}, {}
        self.pad.reset()
        self.switched_off, self.question, self.searching = frozenset(), None, False
        self.values = self.values | {"down": 0, "right": 0}
        self._drawn(0)

    def _drawn(self, index: int | None = None) -> None:
        self.index = index
        self._picture, self._traces = None, {}

    @property
    def unmoved(self) -> Float[Tensor, "1 height width"]:
        """The picture before it is moved."""
        if self.index is not None:
            return self.network.images[self.index].float().cpu()
        if self.network.shape == (8, 8):
            return self.pad.image
        pieces = segments([stroke.points for stroke in self.pad.drawing.strokes])
        return mnist.counted(pieces, set(self.pad.drawing.cells), self.values["pen"])[None] / 16

    @property
    def picture(self) -> Float[Tensor, "1 height width"]:
        """What the network sees."""
        if self._picture is None:
            down, right = self.values["down"], self.values["right"]
            self._picture = torch.nn.functional.pad(self.unmoved, (right, -right, down, -down))
        return self._picture

    # ------------------------------------------------------------------ layer and unit

    @property
    def layer(self) -> Layer:
        return self.network.layers[self.values["layer"]]

    @property
    def maps(self) -> Float[Tensor, "channel height width"]:
        """Of the layer on the screen, with what is switched off."""
        return self._trace().of(self.layer.name).value

    @property
    def unit(self) -> tuple[int, int, int]:
        """(channel, row, column)."""
        return self.values["channel"], self.values["row"], self.values["column"]

    def look(self, channel: int, row: int | None = None, column: int | None = None) -> None:
        """Choose a unit; without row and column the channel's strongest in the present picture."""
        if row is None and column is None:
            channel = _whole("channel", channel, 0, self.layer.channels - 1)
            row, column = divmod(int(self.maps[channel].argmax()), self.layer.width)
        self.set(channel=channel, row=row, column=column)

    def changed(self, names: frozenset[str]) -> None:
        self._fit(names)
        if "pen" in names:
            self.pad.set(pen=self.values["pen"])
        if names & {"down", "right"} or ("pen" in names and self.index is None):
            self._drawn(self.index)
        if "layer" in names:
            self.searching = False
        if names & {"layer", "channel"}:
            self.forget()

    def explained(self) -> Explained:
        """How the chosen unit came to its value."""
        return explain(self.network, self._trace(), self.switched_off, self.layer.name, *self.unit)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(values)
        name = checked.get("layer")
        if name and name not in self.network.layers:
            raise ValueError(
                f"layer={shown(name)}: the network has no such layer of maps; it has "
                f"{', '.join(map(repr, self.network.layers))}."
            )
        if name == "":
            checked["layer"] = self.network.first
        return checked

    def _fit(self, given: frozenset[str]) -> None:
        """The unit lies in the layer: a number just given is refused, one left from another layer pulled inside."""
        layer = self.layer
        for name, end in (("channel", layer.channels), ("row", layer.height), ("column", layer.width)):
            if self.values[name] >= end:
                if name in given:
                    raise ValueError(
                        f"{name}={self.values[name]} is out of range: the maps of {layer.name} are {layer.channels} of "
                        f"{layer.height} x {layer.width}, so wanted 0 to {end - 1}."
                    )
                self.values[name] = end - 1

    # ------------------------------------------------------------------ channels switched off

    def switch(self, channel: int, layer: str | None = None) -> None:
        """Switch a channel off, or on again; of the layer on the screen, unless another is named."""
        name = self._checked({"layer": layer or self.layer.name})["layer"]
        channel = _whole("channel", channel, 0, self.network.layers[name].channels - 1)
        changed = self.switched_off ^ {(name, channel)}
        if len(changed) > MOST_OFF:
            raise ValueError(f"{MOST_OFF} channels are switched off already; restore some.")
        self.forget()
        self.switched_off = changed

    def restore_all(self) -> None:
        """All channels on."""
        self.forget()
        self.switched_off = frozenset()

    def measured(self, off: Off | None = None) -> Measured:
        """On the fixed sample, with what is switched off now, or with something else."""
        off = self.switched_off if off is None else off
        if off not in self._measures:
            if len(self._measures) >= KEPT_MEASURES:
                self._measures.clear()
            self._measures[off] = self.network.measure(off)
        return self._measures[off]

    def probabilities(self, off: Off | None = None) -> Float[Tensor, " classes"]:
        """What the network says to the picture."""
        return self._trace(self.switched_off if off is None else off).scores.softmax(0)

    def _trace(self, off: Off | None = None) -> Trace:
        off = self.switched_off if off is None else off
        if off not in self._traces:
            if len(self._traces) > 2:
                self._traces.clear()
            self._traces[off] = self.network.run(self.picture, off)
        return self._traces[off]

    # ------------------------------------------------------------------ best patches

    def find(self) -> None:
        """Begin, or go on, to search the best patches of the layer on the screen; then step until not `running`."""
        self.searches.setdefault(self.layer.name, Search(self.network, self.layer))
        self.searching = not self.searches[self.layer.name].finished

    def stop(self) -> None:
        """Stop searching; what was found stays."""
        self.searching = False

    @property
    def running(self) -> bool:
        return self.searching

    def step(self, n: int = 1) -> None:
        """Look at n more handfuls of images."""
        for _ in range(_whole("n", n, 0, 1_000_000)):
            if not self.searching:
                return
            try:
                search = self.searches[self.layer.name]
                search.step()
                self.searching = not search.finished
            except BaseException:
                self.searching = False  # or it would fail with every tick
                raise

    def patches(self, k: int = KEPT) -> TopPatches | None:
        """What excites the chosen channel most among the images seen so far; None before `find`."""
        search = self.searches.get(self.layer.name)
        return None if search is None else search.top(self.values["channel"], _whole("k", k, 1, KEPT))

    # ------------------------------------------------------------------ predict before you see

    def ask(self) -> None:
        """Which class will lose most if this channel is switched off? If it is off, it is switched on first."""
        channel = self.values["channel"]
        self.switched_off -= {(self.layer.name, channel)}
        self.question = Question(self.layer.name, channel, self.network.classes, bool(self.switched_off))

    def guess(self, option: int) -> None:
        """Commit to one of the options by its index, the last of them is none; the channel is switched off, and the
        answer is measured on the sample."""
        question = self.question
        if question is None or question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        question.guess = _whole("option", option, 0, len(question.options) - 1)
        question.before = self.measured()
        self.switched_off |= {(question.layer, question.channel)}
        question.after = self.measured()
        self.asked_count += 1
        self.right_count += question.right

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # ------------------------------------------------------------------ what is seen and said

    def snapshot(self) -> Snapshot:
        """What a view draws. In every array row 0 is at the *top*.

        header:
            say          one line
            index, label image of the data set that is shown and its class, or None for a drawing
            images, classes, shape [height, width]
            strokes, ids, cells, undoable, empty: the drawing, as the draw pad's
            layers       [{"name", "kind", "channels", "height", "width"}, ...]
            layer        the one on the screen, with "signed", "reach" (the strongest colour's value), "scale" in words,
                         "field" {"size", "step", "start"}, "page": the first channel that is sent, and "of_page", how
                         many
            unit         {"channel", "row", "column", "value", "off", "sees", "way", "ends", "terms"}; see `unit`
            off          [[layer, channel], ...]; off_words
            best         {"class", "name", "probability"}; intact: the same with all channels on
            accuracy     {"now", "intact", "count"}
            search       {"state": "none" / "searching" / "stopped" / "finished", "done", "total",
                         "patches": [{"image", "label", "value", "row", "column"}, ...]}
            question     None, or {"state", "text", "options", "guess", "answer", "right", "verdict", "asked_count",
                         "right_count"}

        arrays:
            picture      uint8 (height, width)
            strokes      float32 (points, 2)
            maps         uint8 (sent, rows, columns): 0 to 254 is 0 to reach, or where signed -reach to reach
            probabilities, intact   float32 (classes,)
            sure         float32 (2, classes): mean probability of what is right, with all channels and now; NaN for a
                         class that is not in the sample
            inputs, kernels         float32 (terms, rows, columns)
            patches      uint8 (k, rows, columns); 255 is beyond the picture's edge
        """
        trace, explained = self._trace(), self.explained()
        probabilities, intact = self.probabilities(), self.probabilities(frozenset())
        now, whole = self.measured(), self.measured(frozenset())
        layer, network = self.layer, self.network
        first, sent = self._page()
        maps = trace.of(layer.name).value[first : first + sent]
        strokes = [stroke.points for stroke in self.pad.drawing.strokes]
        found = self.patches()
        header = {
            "say": self._say(),
            "index": self.index,
            "label": None if self.index is None else self._class(int(network.labels[self.index])),
            "images": len(network.images),
            "classes": list(network.classes),
            "shape": list(network.shape),
            "strokes": [len(points) for points in strokes],
            "ids": [stroke.id for stroke in self.pad.drawing.strokes],
            "cells": sorted(map(list, self.pad.drawing.cells)),
            "undoable": bool(self.pad.past),
            "empty": self.pad.drawing.empty,
            "layers": [_brief(each) for each in network.layers.values()],
            "layer": {
                **_brief(layer),
                "signed": layer.signed,
                "reach": layer.reach,
                "scale": words.scale(layer),
                "field": {"size": layer.field.size, "step": layer.field.step, "start": layer.field.start},
                "page": first,
                "of_page": sent,
            },
            "unit": self._unit(explained),
            "off": [list(each) for each in self.off],
            "off_words": words.listed(self.off),
            "best": self._best(probabilities),
            "intact": self._best(intact),
            "accuracy": {"now": now.accuracy, "intact": whole.accuracy, "count": int(now.count.sum())},
            "search": self._search(found),
            "question": self._asked(),
        }
        terms = explained.terms
        none = np.zeros((0, 0, 0), np.float32)
        arrays = {
            "picture": quantise(self.picture[0], 0, 1),
            "strokes": np.array([point for points in strokes for point in points], np.float32).reshape(-1, 2),
            "maps": quantise(maps, -layer.reach if layer.signed else 0, layer.reach),
            "probabilities": probabilities,
            "intact": intact,
            "sure": torch.stack([whole.sure, now.sure]),
            "inputs": none if terms is None else terms.inputs,
            "kernels": none if terms is None else terms.kernels,
            "patches": np.zeros((0, 0, 0), np.uint8) if found is None else self._cut(found),
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        layer, (channel, row, column) = self.layer, self.unit
        shown_ = "A drawing" if self.index is None else f"Image {self.index}, {self._name(self.index)},"
        moved = " and ".join(
            f"{abs(self.values[name])} {word[self.values[name] < 0]}"
            for name, word in (("down", ("down", "up")), ("right", ("to the right", "to the left")))
            if self.values[name]
        )
        parts = [f"{shown_} is shown{f', moved by {moved}' if moved else ''}. {self._say()}"]
        parts.append(
            f"On the screen are the {layer.channels} maps of {layer.name} ({layer.kind}), of {layer.height} "
            f"{words.TIMES} {layer.width}. The unit in channel {channel}, row {row}, column {column} has the value "
            f"{words.number(float(self.maps[channel, row, column]))} and sees {self._sees()}."
        )
        now, whole = self.measured(), self.measured(frozenset())
        if self.off:
            parts.append(f"Switched off: {words.listed(self.off)}.")
            parts.append(
                f"Of {int(now.count.sum())} of the images {words.share(whole.accuracy)} are read right with all "
                f"channels and {words.share(now.accuracy)} now."
            )
        else:
            parts.append(f"Of {int(now.count.sum())} of the images {words.share(now.accuracy)} are read right.")
        found = self.patches()
        if found is not None:
            labels = ", ".join(self._name(image) for image in found.images.tolist())
            parts.append(f"The images that excite channel {channel} most are of the classes {labels}.")
        return " ".join(parts)

    def to_code(self) -> str:
        """A program that computes the maps on the screen, for `model`, and `images` if one of them is shown."""
        shift, layer = (self.values["down"], self.values["right"]), self.layer
        shape = (layer.channels, layer.height, layer.width)
        return program(self.unmoved, self.index, shift, self.switched_off, layer.name, shape, self.unit)

    @property
    def off(self) -> list[tuple[str, int]]:
        """The channels that are switched off, in order."""
        return sorted(self.switched_off)

    # ------------------------------------------------------------------ to share

    def state(self) -> dict[str, Any]:
        """The drawing or the image's index, layer, unit, what is off; not the network."""
        pad = self.pad.state()
        return {
            **super().state(),
            "strokes": pad["strokes"],
            "cells": pad["cells"],
            "index": self.index,
            "off": [list(each) for each in self.off],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        off = state.get("off", [])
        if not isinstance(off, list) or len(off) > MOST_OFF:
            raise ValueError("this share string is damaged (its channels that are off are no list, or too many).")
        super().restore(state)
        index = state.get("index")
        if index is not None:
            self.show(index)
        else:
            self.pad.restore({"strokes": state.get("strokes", []), "cells": state.get("cells", [])})
            self._drawn()
        self.restore_all()
        for layer, channel in off:
            if not isinstance(layer, str):
                raise ValueError(f"this share string is damaged (the layer {shown(layer)}).")
            self.switch(channel, layer)

    @classmethod
    def from_share(
        cls, text: str, model: Any = None, images: Any = None, labels: Any = None, *, classes: Any = None
    ) -> Self:
        """The explorer that `share` described, around a network and images that a string cannot hold.

        Raises ValueError for a damaged string, and for one of a network with other layers.
        """
        state, engine = cls.opened(text), cls(model, images, labels, classes=classes)
        engine.take(state)
        return engine

    def take(self, state: Mapping[str, Any]) -> None:
        """`restore`, with a ValueError for everything that does not fit."""
        try:
            self.restore(state)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"this share string does not hold what a {self.name} needs ({error!r}).") from error

    # ------------------------------------------------------------------ inside

    def _page(self) -> tuple[int, int]:
        """The first channel that is sent, and how many: all, or the page that holds the chosen one."""
        layer = self.layer
        most = max(1, min(MOST_MAPS, MOST_CELLS // (layer.height * layer.width)))
        first = self.values["channel"] // most * most
        return first, min(most, layer.channels - first)

    def _class(self, which: int) -> str:
        return self.network.classes[which]

    def _name(self, image: int) -> str:
        return self._class(int(self.network.labels[image]))

    def _best(self, probabilities: Tensor) -> dict[str, Any]:
        best = int(probabilities.argmax())
        return {"class": best, "name": self._class(best), "probability": float(probabilities[best])}

    def _say(self) -> str:
        best, intact = self._best(self.probabilities()), self._best(self.probabilities(frozenset()))
        words_ = f"The network says {best['name']} with {percent(best['probability'])}"
        if not self.off:
            return f"{words_}."
        return f"{words_}; with all channels on {intact['name']} with {percent(intact['probability'])}."

    def _sees(self) -> str:
        _, row, column = self.unit
        return words.sees(self.layer.field.window(row, column), *self.network.shape)

    def _unit(self, explained: Explained) -> dict[str, Any]:
        channel, row, column = self.unit
        terms = explained.terms
        return {
            "channel": channel,
            "row": row,
            "column": column,
            "value": float(self.maps[channel, row, column]),
            "off": (self.layer.name, channel) in self.switched_off,
            "sees": self._sees(),
            "way": [vars(place) for place in explained.way],
            "ends": explained.ends,
            "terms": None
            if terms is None
            else {
                "layer": terms.layer,
                "channels": list(terms.channels),
                "sums": list(terms.sums),
                "others": terms.others,
                "rest": terms.rest,
                "bias": terms.bias,
                "value": terms.value,
                "of_picture": terms.of_picture,
            },
        }

    def _search(self, found: TopPatches | None) -> dict[str, Any]:
        search = self.searches.get(self.layer.name)
        if search is None:
            return {"state": "none", "done": 0, "total": len(self.network.images), "patches": []}
        state = "finished" if search.finished else "searching" if self.searching else "stopped"
        rows = ([], [], []) if found is None else (each.tolist() for each in (found.images, found.values, found.places))
        return {
            "state": state,
            "done": search.done,
            "total": search.total,
            "patches": [
                {"image": image, "label": self._name(image), "value": value, "row": row, "column": column}
                for image, value, (row, column) in zip(*rows, strict=True)
            ],
        }

    def _cut(self, found: TopPatches) -> np.ndarray:
        """The patches as bytes; where the field is larger than the picture, the picture itself."""
        height, width = self.network.shape
        size = self.layer.field.size
        pieces = []
        for image, patch, (row, column) in zip(
            found.images.tolist(), found.patches, found.places.tolist(), strict=True
        ):
            top, left, bottom, right = self.layer.field.window(row, column)
            inside = torch.zeros(size, dtype=torch.bool, device="cpu")
            inside[
                max(-top, 0) : size[0] - max(bottom - height, 0), max(-left, 0) : size[1] - max(right - width, 0)
            ] = True
            piece = np.where(inside.numpy(), quantise(patch[0], 0, 1), 255)
            if size[0] > height or size[1] > width:
                piece = quantise(self.network.images[image, 0].cpu(), 0, 1)
            pieces.append(piece.astype(np.uint8))
        return np.stack(pieces)

    def _asked(self) -> dict[str, Any] | None:
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        return None if self.question is None else self.question.header() | counts


def _brief(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "channels": layer.channels,
        "height": layer.height,
        "width": layer.width,
    }


def _whole(name: str, value: Any, low: int, high: int) -> int:
    return Whole(label=name, default=low, low=low, high=high).check(name, value)
