"""The explorer's engine: a picture, a class, a baseline; every method's map, and what is left of it layer by layer.

The methods are those of `dlcourse.attribution`, listed in `methods`. All maps of one state stand in `level`, the
question in `question`, which picture it is in `pictures`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch

from dlcourse import attribution
from dlcourse.types import Float, Tensor
from dlcourse.widgets.draw_pad.engine import percent
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.feature_map_explorer.words import finite, number
from dlcourse.widgets.params import whole
from dlcourse.widgets.saliency_explorer import words
from dlcourse.widgets.saliency_explorer.code import baseline, program
from dlcourse.widgets.saliency_explorer.given import Given, logits
from dlcourse.widgets.saliency_explorer.level import ORDERS, Level, level, randomised
from dlcourse.widgets.saliency_explorer.methods import METHODS, Map, Setting
from dlcourse.widgets.saliency_explorer.params import OF_THE_LOOK, PARAMS, WORDS
from dlcourse.widgets.saliency_explorer.pictures import Pictures
from dlcourse.widgets.saliency_explorer.question import Question
from dlcourse.widgets.snapshot import Snapshot, quantise


class SaliencyExplorerEngine(Engine):
    """The maps of one picture by every method, on the network as it is or with its last layers drawn anew.

    model: a callable from pictures (n, 1, height, width) in [0, 1] to logits (n, classes); x: such pictures, labels
    (n,): what may be explained; classes: names, by default numbers; truth: a boolean mask (height, width) of the pixels
    that matter, where that is known. Without any of them, a small network of its own and held-back digits (see `own`).
    A torch module is explained as a copy; one that is trained on meanwhile is noticed with the next look.
    values: parameters by name (see `params`). A picture of 8 x 8 or 28 x 28 can be drawn, too; it has no label, so the
    target "label" is then what the network says. Pictures and layers count from 0.

    Raises ValueError for what does not fit.

    >>> explorer = SaliencyExplorerEngine(picked="lrp", layers=1)
    >>> explorer.map.shape
    torch.Size([1, 1, 8, 8])
    >>> explorer.given.layers
    ['linear', 'conv2', 'conv1']
    """

    name = "saliency-explorer"
    params: ClassVar = PARAMS
    actions = frozenset(
        {"draw", "undo", "clear", "toggle", "example", "show", "anew", "ask", "guess", "forget", "to_code"}
    )

    def __init__(
        self,
        model: Any = None,
        x: Any = None,
        labels: Any = None,
        *,
        truth: Any = None,
        classes: Any = None,
        **values: Any,
    ) -> None:
        self.given = Given(model, x, labels, truth, classes)
        super().__init__(**values)
        self.pictures = Pictures(self.given, self.values["pen"])
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self.renewed = False  # whether the network has changed since it was last looked at
        self._mean = float(self.given.images.mean())
        self._first: tuple[Any, Level | None] = (None, None)
        self._last: tuple[Any, Level | None] = (None, None)
        self._entries: tuple[Any, list, Any] = (None, [], None)  # of a level: what a view knows of its maps, and bytes

    # ------------------------------------------------------------------ the picture

    def draw(self, stroke: Iterable[Iterable[float]], id: str = "") -> None:
        """Add a stroke, as `DrawPadEngine.draw`; the drawing takes the place of a picture."""
        self._another(lambda: self.pictures.draw("draw", stroke, id))

    def toggle(self, row: int, column: int) -> None:
        """Fill one of the pad's 8 x 8 cells, or empty it again."""
        self._another(lambda: self.pictures.draw("toggle", row, column))

    def example(self, digit: int | None = None) -> None:
        """Draw a built-in digit; without an argument the next one."""
        self._another(lambda: self.pictures.draw("example", digit))

    def clear(self) -> None:
        """An empty pad, and an empty picture; undo brings the drawing back."""
        self._another(lambda: self.pictures.draw("clear"))

    def undo(self) -> None:
        """Take the last change of the drawing back."""
        self._another(lambda: self.pictures.draw("undo"))

    def show(self, index: int) -> None:
        """One of the pictures that were given, in place of a drawing."""
        self._another(lambda: self.pictures.show(index))

    def _another(self, change) -> None:
        change()
        self.forget()
        self.renewed = False

    @property
    def picture(self) -> Float[Tensor, "1 1 height width"]:
        """What is explained, where the given pictures live."""
        return self.pictures.x

    @property
    def target(self) -> int:
        """The class whose logit is explained."""
        how, index = self.values["target"], self.pictures.index
        if how == "label" and index is not None:
            return int(self.given.labels[index])
        if how in WORDS:
            return int(logits(self.given.model, self.picture)[0].nan_to_num(-torch.inf).argmax())
        return self.given.classes.index(how)

    # ------------------------------------------------------------------ what may be set

    def changed(self, names: frozenset[str]) -> None:
        if "pen" in names:
            self.pictures.set_pen(self.values["pen"])
            if self.pictures.index is None:
                self.forget()
        if names - OF_THE_LOOK:
            self.forget()
            self.renewed = False

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(values)
        if checked.get("target", "label") not in WORDS:
            checked["target"] = self.given.classes[self.given.class_of("target", checked["target"])]
        if checked.get("layers", 0) > (many := len(self.given.layers)):
            raise ValueError(
                f"layers={checked['layers']}: this network has {many} with parameters; wanted a whole number from 0 to "
                f"{many}."
            )
        return checked

    def anew(self) -> None:
        """Draw the randomised layers from the next seed."""
        self.set(seed=(self.values["seed"] + 1) % (PARAMS["seed"].high + 1))

    def reset(self) -> None:
        """All layers as they were learned; the other settings stay."""
        self.set(layers=0)
        self.renewed = False
        self.forget()

    # ------------------------------------------------------------------ the maps

    def level(self, layers: int | None = None) -> Level:
        """All maps with this many layers drawn anew; by default as many as are set. Kept: the first and the last."""
        self._refresh()
        layers = self.values["layers"] if layers is None else layers
        key = (self.pictures.saw, self.values["target"], self.values["baseline"])
        if self._first[0] != key:
            self._first = key, level(self.given.model, self.picture, self.target, self.setting)
        first = self._first[1]
        if not layers:
            return first
        if self._last[0] != (*key, layers, self.values["seed"]):
            model = randomised(self.given.model, self.picture, layers, self.values["seed"])
            made = level(model, self.picture, first.target, first.setting, first.maps)
            self._last = (*key, layers, self.values["seed"]), made
        return self._last[1]

    def _refresh(self) -> None:
        if self.given.refresh():
            self.renewed, self._first, self._last = True, (None, None), (None, None)
            self.forget()
            self.values["layers"] = min(self.values["layers"], len(self.given.layers))

    @property
    def setting(self) -> Setting:
        return Setting(self._baseline[0], self.given.convolution, max(min(self.given.shape) // 4, 1))

    @property
    def _baseline(self) -> tuple[Tensor, str]:
        return baseline(self.values["baseline"], self.picture, self._mean)

    @property
    def map(self) -> Float[Tensor, "1 1 height width"] | None:
        """The picked map, where the pictures live; None where the method does not apply."""
        return self.level().maps[self.values["picked"]].values

    def correlations(self, layers: int | None = None) -> dict[str, float]:
        """The rank correlation of each map with its own first one, signs included; nan where one of both is constant.

        The question goes by these.
        """
        return dict(self.level(layers).correlations)

    def size_correlations(self, layers: int | None = None) -> dict[str, float]:
        """The same of the maps' sizes, without their signs: pixels that are 0 in both maps make them alike."""
        return dict(self.level(layers).size_correlations)

    # ------------------------------------------------------------------ predict before you see

    def ask(self) -> None:
        """Which map will change least when the last layer is drawn anew? All layers are as they were learned again."""
        self._refresh()
        if not self.given.layers:
            raise ValueError("ask: this network has no layers with parameters, so there is nothing to draw anew.")
        question = Question(words.named(self.given.layers[0]), self.correlations(1))
        if len(question.names) < 2:
            raise ValueError("ask: fewer than two maps can be compared here.")
        self.set(layers=0)
        self.question = question

    def guess(self, option: int) -> None:
        """Commit to one of the options, by its index; the layer is drawn anew."""
        self._refresh()  # a network that has changed drops the question
        if self.question is None or self.question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        question = self.question
        question.guess = whole("option", option, 0, len(question.options) - 1)
        self.asked_count += 1
        self.right_count += question.right
        self.set(layers=1)
        self.question = question

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # ------------------------------------------------------------------ what is seen and said

    def snapshot(self) -> Snapshot:
        """What a view draws. In all pictures row 0 is at the top.

        header:
            say, notice  one line; what is to be known, or ""
            index, label image that is shown, None for a drawing; the name of its class, or None
            images, classes, shape [height, width], drawable, truth: whether there is one
            strokes, ids, cells, undoable, empty: the drawing, as the draw pad's
            target       {"class", "name"}; says, before: {"class", "name", "probability", "logit": of the target}, of
                         the network as it is drawn anew and as it was learned
            layers       {"names": the last first, "count", "words"}
            maps         [{"name", "title", "about", "signed", "why": "" or why it does not apply, "reach": the value of
                         the strongest colour, "scale": in words, "correlation": with its first map, signs included,
                         "size_correlation": of the sizes, "likeness": both in words, "mass", "rank": None without
                         truth}]
            picked       the name of the map that the lower panels look at
            faith        None where it does not apply, or {"curve", "words", "partly": in words, "axioms": [{"name",
                         "kept", "words"}]}
            question     None, or {"state", "text", "options", "guess", "answer", "right", "verdict", "asked_count",
                         "right_count"}

        arrays:
            strokes      float32 (points, 2)
            picture, baseline, partly uint8 (height, width), from 0 to 1
            maps         uint8 (methods, height, width): 0 to 254 is -reach to reach, or where not signed 0 to reach
            truth        uint8 (height, width), empty without one
            share, curve float32 (points,); band float32 (2, points)
        """
        now, first = self.level(), self.level(0)
        if self._entries[0] is not now:
            shown = [self._map(name, now) for name in METHODS]
            self._entries = now, [entry for entry, _ in shown], np.stack([each for _, each in shown])
        picked = self.values["picked"]
        pad = self.pictures.pad
        strokes = [stroke.points for stroke in pad.drawing.strokes]
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        faith, arrays = self._faith(now, picked)
        header = {
            "say": self._say(now),
            "notice": self._notice(now),
            "index": self.pictures.index,
            "label": self._label,
            "images": len(self.given.images),
            "classes": list(self.given.classes),
            "shape": list(self.given.shape),
            "drawable": self.given.drawable,
            "truth": self.given.truth is not None,
            "strokes": [len(points) for points in strokes],
            "ids": [stroke.id for stroke in pad.drawing.strokes],
            "cells": sorted(map(list, pad.drawing.cells)),
            "undoable": bool(pad.past),
            "empty": pad.drawing.empty,
            "target": {"class": now.target, "name": self.given.classes[now.target]},
            "says": self._says(now),
            "before": self._says(first),
            "layers": {
                "names": [words.named(name) for name in self.given.layers],
                "count": self.values["layers"],
                "words": words.randomised(self.given.layers, self.values["layers"]),
            },
            "maps": self._entries[1],
            "picked": picked,
            "faith": faith,
            "question": None if self.question is None else self.question.header() | counts,
        }
        arrays |= {
            "strokes": np.array([point for points in strokes for point in points], np.float32).reshape(-1, 2),
            "picture": _seen(self.picture),
            "baseline": _seen(now.setting.baseline),
            "maps": self._entries[2],
            "truth": np.zeros(0, np.uint8) if self.given.truth is None else self.given.truth[0, 0].numpy().astype("u1"),
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        now, first = self.level(), self.level(0)
        which = "A drawing" if self.pictures.index is None else f"Picture {self.pictures.index}, class {self._label}"
        target = self.given.classes[now.target]
        parts = [
            f"{which}: why the network gives {target} the logit {number(float(now.logits[now.target]))}, from the "
            f"baseline {self.values['baseline'].replace('_', ' ')}. It says {_said(self._says(now))}.",
            f"{words.randomised(self.given.layers, self.values['layers'])}.",
        ]
        if now is not first:
            known = {name: self._alike(name, now) for name in METHODS}
            alike = [
                f"{METHODS[name].title} {words.ranks(signed, sizes, METHODS[name].signed)}"
                for name, (signed, sizes) in known.items()
                if signed is not None
            ]
            parts.append(f"Rank correlation of each map with its first: {'; '.join(alike) or 'none has ranks'}.")
        refused = [f"{METHODS[name].title}: {map.why}" for name, map in now.maps.items() if map.values is None]
        if refused:
            parts.append(f"Does not apply: {' '.join(refused)}")
        if self.given.truth is not None:
            ranks = {name: self._agreement(map)[1] for name, map in now.maps.items()}
            told = [
                f"{METHODS[name].title} {number(round(rank, 2))}" for name, rank in ranks.items() if rank is not None
            ]
            parts.append(f"Rank of the pixels that matter: {', '.join(told)}.")
        parts += self._read_aloud(now)
        if self.question is not None and self.question.state == "asked":
            parts.append(self.question.text)
        return " ".join([*parts, *([notice] if (notice := self._notice(now)) else [])])

    def to_code(self) -> str:
        """A program that makes the picked map again. Raises ValueError where the method does not apply."""
        now, picked = self.level(), self.values["picked"]
        if now.maps[picked].values is None:
            raise ValueError(f"{METHODS[picked].title} does not apply to this network: {now.maps[picked].why}")
        said = f"{METHODS[picked].title} of the logit of {self.given.classes[now.target]}."
        return program(
            said,
            self.pictures,
            picked,
            now.target,
            now.setting,
            self._baseline[1],
            self.values["layers"],
            self.values["seed"],
        )

    # ------------------------------------------------------------------ to share

    def state(self) -> dict[str, Any]:
        """The settings, and the drawing or the picture's index; not the network."""
        pad = self.pictures.pad.state()
        return {
            **super().state(),
            "strokes": pad["strokes"],
            "cells": pad["cells"],
            "index": self.pictures.index,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.pictures.restore(state.get("index"), state.get("strokes", []), state.get("cells", []))

    @classmethod
    def from_share(
        cls, text: str, model: Any = None, x: Any = None, labels: Any = None, *, truth: Any = None, classes: Any = None
    ) -> Self:
        """The explorer that `share` described, around a network and pictures that a string cannot hold.

        Raises ValueError for a damaged string, and for one that does not fit this network.
        """
        state, engine = cls.opened(text), cls(model, x, labels, truth=truth, classes=classes)
        engine.take(state)
        return engine

    def again(self) -> Self:
        """A fresh engine around the same network and pictures."""
        given = self.given
        if given.own:
            return type(self)(truth=given.truth, classes=given.classes)
        return type(self)(given.source, given.images, given.labels, truth=given.truth, classes=given.classes)

    def take(self, state: Mapping[str, Any]) -> None:
        """`restore`, with a ValueError for everything that does not fit."""
        try:
            self.restore(state)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"this share string does not hold what a {self.name} needs ({error!r}).") from error

    # ------------------------------------------------------------------ inside

    @property
    def _label(self) -> str | None:
        index = self.pictures.index
        return None if index is None else self.given.classes[int(self.given.labels[index])]

    def _map(self, name: str, now: Level) -> tuple[dict[str, Any], np.ndarray]:
        """What a view knows of a map, and its bytes."""
        method, map, (like, sizes) = METHODS[name], now.maps[name], self._alike(name, now)
        mass, rank = self._agreement(map)
        entry = {
            "name": name,
            "title": method.title,
            "about": method.about,
            "signed": method.signed,
            "why": map.why,
            "reach": map.reach,
            "scale": words.scale(map, method.signed),
            "correlation": like,
            "size_correlation": sizes,
            "likeness": words.likeness(like, sizes, method.signed),
            "mass": mass,
            "rank": rank,
        }
        if map.values is None:
            return entry, np.zeros(self.given.shape, np.uint8)
        values = map.values[0, 0].float().cpu()
        return entry, quantise(values, -map.reach if method.signed else 0, map.reach)

    @staticmethod
    def _alike(name: str, now: Level) -> tuple[float | None, float | None]:
        """A map's rank correlations with its first, signed and of the sizes; None where there are no ranks."""
        return finite(now.correlations.get(name)), finite(now.size_correlations.get(name))

    def _agreement(self, map: Map) -> tuple[float | None, float | None]:
        """The share of a map's mass that lies on the pixels that matter, and their rank; None where that is unknown."""
        if self.given.truth is None or map.values is None:
            return None, None
        found = attribution.agreement(map.values.cpu(), self.given.truth)
        return finite(float(found.mass)), finite(float(found.rank))

    def _says(self, now: Level) -> dict[str, Any]:
        if not now.logits.isfinite().all():
            return {"class": None, "name": None, "probability": None, "logit": None}
        best = int(now.logits.argmax())
        return {
            "class": best,
            "name": self.given.classes[best],
            "probability": float(now.logits.softmax(0)[best]),
            "logit": float(now.logits[now.target]),
        }

    def _faith(self, now: Level, picked: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """The lower panels: the curve of the picked map beside random orders, the picture on its way, the axioms."""
        if now.maps[picked].values is None:
            empty = np.zeros(0, np.float32)
            return None, {"share": empty, "curve": empty, "band": empty, "partly": _seen(self.picture)}
        curve, name = self.values["curve"], self.given.classes[now.target]
        trial = now.trial(picked, curve)
        count, seen, score = now.partly(picked, curve, self.values["gone"])
        area, others = float(trial.curve.area), trial.random.area
        beaten = int((others > area).sum() if curve == "deletion" else (others < area).sum())
        silent = int(now.dummies().sum())
        faith = {
            "curve": curve,
            "words": words.beside(curve, area, beaten, ORDERS),
            "partly": words.partly(curve, count, self.picture.numel(), score, name),
            "score": finite(score),
            "axioms": [words.axiom(report, picked, silent) for report in now.axioms(picked)],
        }
        arrays = {
            "share": trial.curve.share.float().cpu(),
            "curve": trial.curve.scores[:, 0].float().cpu(),
            "band": trial.band.float().cpu(),
            "partly": _seen(seen),
        }
        return faith, arrays

    def _read_aloud(self, now: Level) -> list[str]:
        """The picked map in sentences."""
        picked = self.values["picked"]
        faith, _ = self._faith(now, picked)
        if faith is None:
            return []
        axioms = [f"{each['name']}: {each['words']}" for each in faith["axioms"]]
        return [f"{METHODS[picked].title}. {METHODS[picked].about}", faith["words"], faith["partly"], *axioms]

    def _say(self, now: Level) -> str:
        says = _said(self._says(now))
        return f"{words.randomised(self.given.layers, self.values['layers'])}; the network says {says}."

    def _notice(self, now: Level) -> str:
        parts = []
        if self.renewed:
            parts.append("The network has changed since it was last shown here: it is explained anew.")
        if not now.logits.isfinite().all():
            parts.append("The network gives answers that are not numbers (nan): nothing can be said of them.")
        return " ".join(parts)


def _seen(picture: Float[Tensor, "1 1 height width"]) -> np.ndarray:
    return quantise(picture[0, 0].float().cpu(), 0, 1)


def _said(says: dict[str, Any]) -> str:
    return "what is not a number" if says["name"] is None else f"{says['name']} with {percent(says['probability'])}"
