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
from dlcourse.widgets.params import shown, whole
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
    MNIST. Channels that are switched off put out 0, and everything after them is computed anew. Rows, columns, channels
    and images count from 0, as in Python. A network that is trained on while it is shown is noticed with the next look:
    what was measured and found is dropped, the picture, the unit and what is off stay.

    values: parameters by name (see `params`). Raises ValueError for what does not fit. It begins with images[0] and the
    activation behind the first convolution (there a channel can be taken away: no norm fills it again), and with the
    strongest unit of channel 0. The unit is always the channel's strongest, until one is chosen by row and column.
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
        self.follows = not {"row", "column"} & set(values)  # whether the unit is the channel's strongest
        self._placed = False  # whether row or column are being set just now
        self.renewed = False  # whether the network has changed since it was first shown
        self.trouble = ""  # why a changed network cannot be shown
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
        self._follow()

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
        index = whole("index", index, 0, len(self.network.images) - 1)
        self.pad.clear()
        self._drawn(index)

    def reset(self) -> None:
        """images[0], all channels on, the picture not moved; nothing measured or searched is kept, so that a network
        that has been trained on meanwhile is seen as it is now. The layer on the screen stays, if there is still one
        of that name."""
        old = self.network
        self.network = Network(old.source, old.images, old.labels, old.classes, whole=False)
        self._measures, self.searches, self.renewed, self.trouble = {}, {}, False, ""
        self.pad.reset()
        self.switched_off, self.question, self.searching = frozenset(), None, False
        self.values = self.values | {"down": 0, "right": 0}
        if self.values["layer"] not in self.network.layers:
            self.values["layer"] = self.network.first
        self._fit(frozenset())
        self.follows = True
        self._drawn(0)

    def refresh(self) -> bool:
        """See the network as it is now, if it has been trained on: what was measured and found is dropped, the picture,
        the layer, a unit that was chosen and what is off stay. Whether that was so. Every look does this by itself."""
        if not self.network.stale:
            return False
        old = self.network
        try:
            fresh = Network(old.source, old.images, old.labels, old.classes, whole=False)
            if [_brief(each) for each in fresh.layers.values()] != [_brief(each) for each in old.layers.values()]:
                raise ValueError("its layers of maps are others now.")
        except ValueError as error:
            old.noted()  # or each look would try again
            self.trouble = (
                f"The network has been changed, and what is shown is the one before: {str(error).splitlines()[0]} "
                "Reset, or make a new explorer."
            )
            return True
        self.network, self.renewed, self.trouble = fresh, True, ""
        self._measures, self._traces, self.searches, self.searching = {}, {}, {}, False
        if self.question is not None and self.question.state == "revealed":
            self.question = None
        self._follow()
        return True

    @property
    def notice(self) -> str:
        """What is to be known of the network, or ""."""
        parts = [self.trouble] if self.trouble else []
        if self.renewed:
            parts.append(
                "The network's weights have changed since it was first shown here: all was measured anew, and best "
                "patches are to be sought again."
            )
        if not self.probabilities().isfinite().all():
            parts.append(
                "The network's answer is not a number (nan): it has been trained to pieces, or its weights were "
                "overwritten. Nothing can be said of classes. Train it afresh, with a smaller learning rate."
            )
        return " ".join(parts)

    def _drawn(self, index: int | None = None) -> None:
        self.index = index
        self._picture, self._traces = None, {}
        self._follow()

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
        """Choose a unit; without row and column the channel's strongest, in this picture and those that come."""
        if row is None and column is None:
            self.set(channel=whole("channel", channel, 0, self.layer.channels - 1))
            self.follows = True
            self._follow()
        elif row is None or column is None:
            raise ValueError("look wants row and column, both or neither (then the channel's strongest unit).")
        else:
            self.set(channel=channel, row=row, column=column)

    def set(self, /, **values: Any) -> None:
        """Set parameters, all or none. A row or column chooses a unit; else it is the channel's strongest."""
        followed, self._size = self.follows, (self.layer.height, self.layer.width)
        self._placed = bool({"row", "column"} & values.keys())
        self.follows = followed and not self._placed
        try:
            super().set(**values)
        except BaseException:
            self.follows = followed
            raise
        finally:
            self._placed = False

    def changed(self, names: frozenset[str]) -> None:
        self._fit(names)
        if "pen" in names:
            self.pad.set(pen=self.values["pen"])
        if "layer" in names:
            self.searching = False
            if not self._placed and (self.layer.height, self.layer.width) != self._size:
                self.follows = True  # the place that was chosen is no place of these maps
        if names & {"layer", "channel"}:
            self.forget()
        if names & {"down", "right"} or ("pen" in names and self.index is None):
            self._drawn(self.index)
        self._follow()

    def _follow(self) -> None:
        """To the channel's strongest unit, unless one was chosen."""
        if not self.follows:
            return
        layer, channel = self.layer, self.values["channel"]
        off = self.switched_off - {(layer.name, channel)}  # where it would be, were it on
        row, column = divmod(int(self._trace(off).of(layer.name).value[channel].argmax()), layer.width)
        self.values |= {"row": row, "column": column}

    def explained(self) -> Explained:
        """How the chosen unit came to its value."""
        trace = self._trace()  # first: the network may be another afterwards
        return explain(self.network, trace, self.switched_off, self.layer.name, *self.unit)

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
        channel = whole("channel", channel, 0, self.network.layers[name].channels - 1)
        if len(self.switched_off) >= MOST_OFF and (name, channel) not in self.switched_off:
            raise ValueError(f"{MOST_OFF} channels are switched off already; restore some.")
        asked = self.question
        if asked is not None and (asked.layer, asked.channel) == (name, channel):
            asked.was_off = False  # what is wanted now counts, not what was before the question
        self.forget()
        self.switched_off ^= {(name, channel)}

    def restore_all(self) -> None:
        """All channels on."""
        self.question = None
        self.switched_off = frozenset()

    def measured(self, off: Off | None = None) -> Measured:
        """On the fixed sample, with what is switched off now, or with something else."""
        self.refresh()
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
        self.refresh()
        off = self.switched_off if off is None else off
        if off not in self._traces:
            if len(self._traces) > 2:
                self._traces.clear()
            self._traces[off] = self.network.run(self.picture, off)
        return self._traces[off]

    # ------------------------------------------------------------------ best patches

    def filled(self) -> list[tuple[str, int, str, float]]:
        """Of the chosen channel and those that are off, which are not gone at the end of their stage when their map is
        put to 0: (layer, channel, where to switch it off instead, what stands there of the zeros)."""
        asked = {*self.switched_off, (self.layer.name, self.values["channel"])}
        found = []
        for layer, channel in sorted(asked):
            left = float(self.network.refill(layer)[channel])
            stage = self.network.stage(layer)
            if stage and abs(left) > 1e-6 * self.network.layers[stage[-1]].reach:
                found.append((layer, channel, stage[-1], left))
        return found

    def find(self) -> None:
        """Begin, or go on, to search the best patches of the layer on the screen; then step until not `running`."""
        self.refresh()
        if not self.maps.isfinite().all():
            raise ValueError(f"the maps of {self.layer.name} are not numbers (nan): nothing is the strongest there.")
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
        for _ in range(whole("n", n, 0, 1_000_000)):
            self.refresh()
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
        self.refresh()
        search = self.searches.get(self.layer.name)
        return None if search is None else search.top(self.values["channel"], whole("k", k, 1, KEPT))

    # ------------------------------------------------------------------ predict before you see

    def ask(self) -> None:
        """For which class will the mean probability of the right answer fall most if this channel is switched off? If
        it is off, it is switched on first, and off again by `forget`."""
        self.forget()
        if not self.measured().sure[self.measured().count > 0].isfinite().all():
            raise ValueError("the network's answers are not numbers (nan): there is no probability that could fall.")
        channel, name = self.values["channel"], self.layer.name
        was_off = (name, channel) in self.switched_off
        self.switched_off -= {(name, channel)}
        self.question = Question(name, channel, self.network.classes, bool(self.switched_off), was_off)

    def guess(self, option: int) -> None:
        """Commit to one of the options by its index, the last of them is none; the channel is switched off, and the
        answer is measured on the sample."""
        self.refresh()
        question = self.question
        if question is None or question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        question.guess = whole("option", option, 0, len(question.options) - 1)
        question.before = self.measured()
        self.switched_off |= {(question.layer, question.channel)}
        question.after = self.measured()
        found = self._shown_patches()
        question.favourite = None if found is None else int(self.network.labels[found.images].mode().values)
        self.asked_count += 1
        self.right_count += question.right

    def forget(self) -> None:
        """Drop the question, answered or not. A channel that was switched on for a question is off again."""
        question, self.question = self.question, None
        if question is not None and question.state == "asked" and question.was_off:
            self.switched_off |= {(question.layer, question.channel)}

    # ------------------------------------------------------------------ what is seen and said

    def snapshot(self) -> Snapshot:
        """What a view draws. In every array row 0 is at the *top*.

        header:
            say          one line
            notice       what is to be known of the network, or ""
            index, label image of the data set that is shown and its class, or None for a drawing
            images, classes, shape [height, width]
            strokes, ids, cells, undoable, empty: the drawing, as the draw pad's
            layers       [{"name", "kind", "channels", "height", "width"}, ...]
            layer        the one on the screen, with "signed", "reach" (the strongest colour's value), "scale" in words,
                         "field" {"size", "step", "start"}, "page": the first channel that is sent, and "of_page", how
                         many
            unit         {"channel", "row", "column", "value", "off", "follows", "silent", "sees", "way", "ends",
                         "terms"}; see `unit`; a value that is not finite is None, here and elsewhere
            filled       sentences: which channels that are off, or would be, are filled again by a norm
            off          [[layer, channel], ...]; off_words
            best         {"class", "name", "probability"}, each None where the answer is no number
            intact       the same with all channels on
            accuracy     {"now", "intact", "count", "by_class"}: by_class is how many images of each there are
            search       {"state": "none" / "searching" / "stopped" / "finished", "done", "total", "silent",
                         "patches": [{"image", "label", "value", "row", "column"}, ...]}; silent: the channel is 0 on
                         all of the images so far
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
        self.refresh()
        trace, explained = self._trace(), self.explained()
        probabilities, intact = self.probabilities(), self.probabilities(frozenset())
        now, all_on = self.measured(), self.measured(frozenset())
        layer, network = self.layer, self.network
        first, sent = self._page()
        maps = trace.of(layer.name).value[first : first + sent]
        strokes = [stroke.points for stroke in self.pad.drawing.strokes]
        found = self._shown_patches()
        header = {
            "say": self._say(),
            "notice": self.notice,
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
            "filled": words.filled(self.filled()),
            "best": self._best(probabilities),
            "intact": self._best(intact),
            "accuracy": {
                "now": now.accuracy,
                "intact": all_on.accuracy,
                "count": int(now.count.sum()),
                "by_class": now.count.tolist(),
            },
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
            "sure": torch.stack([all_on.sure, now.sure]),
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
        now, all_on = self.measured(), self.measured(frozenset())
        if self.off:
            parts.append(" ".join([f"Switched off: {words.listed(self.off)}.", *words.filled(self.filled())]))
            parts.append(
                f"Of {int(now.count.sum())} of the images {words.share(all_on.accuracy)} are read right with all "
                f"channels and {words.share(now.accuracy)} now."
            )
        else:
            parts.append(f"Of {int(now.count.sum())} of the images {words.share(now.accuracy)} are read right.")
        if self._silent():
            parts.append(f"Channel {channel} is 0 on all {len(self.network.images)} images: nothing excites it.")
        elif (found := self._shown_patches()) is not None:
            labels = ", ".join(self._name(image) for image in found.images.tolist())
            parts.append(f"The images that excite channel {channel} most are of the classes {labels}.")
        return " ".join([*parts, *([self.notice] if self.notice else [])])

    def to_code(self) -> str:
        """A program that computes the maps on the screen, for `model`, and `images` if one of them is shown."""
        shift, layer = (self.values["down"], self.values["right"]), self.layer
        return program(
            self.unmoved,
            self.index,
            shift,
            self.switched_off,
            layer.name,
            (layer.channels, layer.height, layer.width),
            self.unit,
            shared=self.network.shared,
            cast=self._cast(),
        )

    def _cast(self) -> bool:
        """Whether the picture has to be brought to where the network lives."""
        of = self.network.images if self.index is not None else torch.empty(0, device="cpu")
        return (of.dtype, of.device) != (self.network.dtype, torch.device(self.network.device))

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
            "follows": self.follows,
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
        self.follows = state.get("follows") is True
        if not self.follows:  # while the layer and the picture came, it may have moved
            self.set(**{name: state["params"][name] for name in ("row", "column") if name in state.get("params", {})})

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
        if not probabilities.isfinite().all():
            return {"class": None, "name": None, "probability": None}
        best = int(probabilities.argmax())
        return {"class": best, "name": self._class(best), "probability": float(probabilities[best])}

    def _say(self) -> str:
        best, intact = self._best(self.probabilities()), self._best(self.probabilities(frozenset()))
        if None in (best["class"], intact["class"]):
            return "The network's answer is not a number."
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
            "value": words.finite(float(self.maps[channel, row, column])),
            "off": (self.layer.name, channel) in self.switched_off,
            "follows": self.follows,
            "silent": not self.maps[channel].any(),
            "sees": self._sees(),
            "way": [vars(place) | {"value": words.finite(place.value)} for place in explained.way],
            "ends": explained.ends,
            "terms": None
            if terms is None
            else {
                "layer": terms.layer,
                "channels": list(terms.channels),
                "sums": list(map(words.finite, terms.sums)),
                "others": terms.others,
                "rest": words.finite(terms.rest),
                "has_bias": terms.bias is not None,
                "bias": words.finite(terms.bias),
                "value": words.finite(terms.value),
                "of_picture": terms.of_picture,
            },
        }

    def _search(self, found: TopPatches | None) -> dict[str, Any]:
        search = self.searches.get(self.layer.name)
        if search is None:
            return {"state": "none", "done": 0, "total": len(self.network.images), "silent": False, "patches": []}
        state = "finished" if search.finished else "searching" if self.searching else "stopped"
        rows = ([], [], []) if found is None else (each.tolist() for each in (found.images, found.values, found.places))
        return {
            "state": state,
            "done": search.done,
            "total": search.total,
            "silent": self._silent(),
            "patches": [
                {"image": image, "label": self._name(image), "value": value, "row": row, "column": column}
                for image, value, (row, column) in zip(*rows, strict=True)
            ],
        }

    def _silent(self) -> bool:
        """Whether the chosen channel is 0 everywhere on all the images looked at so far."""
        found = self.patches()
        return found is not None and not self.layer.signed and not found.values.any()

    def _shown_patches(self) -> TopPatches | None:
        """`patches`, without those that do not excite the channel at all where nothing falls below 0."""
        found = self.patches()
        if found is None or self.layer.signed:
            return found
        some = found.values > 0
        return (
            TopPatches(found.patches[some], found.values[some], found.images[some], found.places[some])
            if some.any()
            else None
        )

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
