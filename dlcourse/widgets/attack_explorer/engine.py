"""The explorer's engine: a picture, a threat and an attack; the attack's moves, one after another, on each network.

The attacks are those of `dlcourse.attacks`, recorded once and shown move by move, so going back is exact. What a run
holds stands in `run`, the slice in `cut`, the question in `question`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.attack_explorer import words
from dlcourse.widgets.attack_explorer.code import program
from dlcourse.widgets.attack_explorer.cut import REACH, Cut, cut
from dlcourse.widgets.attack_explorer.given import DRAWN, Given, Net
from dlcourse.widgets.attack_explorer.params import NOT_OF_THE_ATTACK, PARAMS
from dlcourse.widgets.attack_explorer.question import Question
from dlcourse.widgets.attack_explorer.run import Plan, Run, run
from dlcourse.widgets.draw_pad import mnist
from dlcourse.widgets.draw_pad.engine import DrawPadEngine, percent
from dlcourse.widgets.draw_pad.ink import segments
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.feature_map_explorer.words import finite
from dlcourse.widgets.params import shown, whole
from dlcourse.widgets.snapshot import Snapshot, quantise


class AttackExplorerEngine(Engine):
    """One attack on one picture, move by move, on one network or on two side by side.

    models: a callable from pictures (n, 1, height, width) in [0, 1] to logits (n, classes), or up to two of them by
    name; x: pictures (n, 1, height, width) in [0, 1], labels (n,): what may be attacked; classes: names, by default
    numbers. Without any of them, two small networks of its own and held-back digits (see `own`). A torch module is
    attacked as a copy; one that is trained on meanwhile is noticed with the next look.
    values: parameters by name (see `params`). A threat without an eps gets one that suits its norm, or the last that
    was set for it. A picture of 8 x 8 or 28 x 28 can be drawn, too; its label is what the first network says, unless
    `mean` tells another. Moves and pictures count from 0, the attack's steps from 1.

    It opens at the end of the attack. Raises ValueError for what does not fit.

    >>> explorer = AttackExplorerEngine(eps=0.1, steps=3, random=True)
    >>> explorer.scrub(3)
    >>> explorer.move  # after the example and the random start
    ('step', 1)
    >>> explorer.moves
    10
    """

    name = "attack-explorer"
    params: ClassVar = PARAMS
    actions = frozenset(
        {"draw", "undo", "clear", "toggle", "example", "show", "mean", "back", "scrub", "ask", "guess", "forget"}
        | {"to_code"}
    )

    def __init__(
        self, models: Any = None, x: Any = None, labels: Any = None, *, classes: Any = None, **values: Any
    ) -> None:
        self.given = Given(models, x, labels, classes)
        super().__init__(**values)
        side = max(self.given.shape)
        usual = {"Linf": 0.1, "L2": 0.1 * side, "L1": 0.5 * side}  # about as hard to see
        self._eps = {name: self._checked({"eps": min(eps, PARAMS["eps"].high)})["eps"] for name, eps in usual.items()}
        self._keep_eps = "eps" in values
        self._choose_eps(frozenset({"threat"}))
        self.pad = DrawPadEngine(pen=self.values["pen"])
        self.index: int | None = 0
        self.meant: int | None = None  # what a drawing is said to be
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self.renewed = False  # whether a network has changed since it was first shown
        self._picture: Tensor | None = None
        self._found: tuple[Any, tuple[Run, ...]] = (None, ())
        self._cuts: tuple[Any, tuple[Cut, ...]] = (None, ())
        self._crossed: dict[int, Tensor] = {}  # what the other network says to the end of a run
        self._saw = 0  # counts the pictures that there were
        self.at = self.moves

    # ------------------------------------------------------------------ the picture

    def draw(self, stroke: Iterable[Iterable[float]], id: str = "") -> None:
        """Add a stroke, as `DrawPadEngine.draw`; the drawing takes the place of a picture."""
        self._can_draw()
        self.pad.draw(stroke, id)
        self._drawn()

    def toggle(self, row: int, column: int) -> None:
        """Fill one of the pad's 8 x 8 cells, or empty it again."""
        self._can_draw()
        self.pad.toggle(row, column)
        self._drawn()

    def example(self, digit: int | None = None) -> None:
        """Draw a built-in digit; without an argument the next one."""
        self._can_draw()
        self.pad.example(digit)
        self._drawn()
        if self.pad.last_example < len(self.given.classes):
            self.meant = self.pad.last_example

    def clear(self) -> None:
        """An empty pad, and an empty picture; undo brings the drawing back."""
        self._can_draw()
        self.pad.clear()
        self._drawn()

    def undo(self) -> None:
        """Take the last change of the drawing back."""
        self._can_draw()
        self.pad.undo()
        self._drawn()

    def show(self, index: int) -> None:
        """One of the pictures that were given, in place of a drawing."""
        index = whole("index", index, 0, len(self.given.images) - 1)
        self.pad.clear()
        self._drawn(index)

    def mean(self, label: int | str | None) -> None:
        """What a drawing is meant to be, by name or number; None: what the first network says."""
        if self.index is not None:
            raise ValueError("mean: this picture has a label; only a drawing can be told one.")
        self.meant = None if label is None else self._class_of("label", label)
        self.forget()

    def _can_draw(self) -> None:
        if not self.given.drawable:
            sizes = " and ".join(f"{height} x {width}" for height, width in DRAWN)
            raise ValueError(
                f"these pictures are {self.given.shape[0]} x {self.given.shape[1]}; only those of {sizes} can be drawn."
            )

    def _drawn(self, index: int | None = None) -> None:
        end = self.at == self.moves
        self.index, self.meant, self._picture, self.question = index, None, None, None
        self._saw += 1
        self.at = self.moves if end else min(self.at, self.moves)

    @property
    def picture(self) -> Float[Tensor, "1 height width"]:
        """The example that is attacked, where the given pictures live."""
        if self._picture is None:
            if self.index is not None:
                self._picture = self.given.images[self.index]
            elif self.given.shape == (8, 8):
                self._picture = self.pad.image.to(self.given.images)
            else:
                pieces = segments([stroke.points for stroke in self.pad.drawing.strokes])
                ink = mnist.counted(pieces, set(self.pad.drawing.cells), self.values["pen"])
                self._picture = (ink[None] / 16).to(self.given.images)
        return self._picture

    @property
    def label(self) -> int:
        """The right answer."""
        if self.index is not None:
            return int(self.given.labels[self.index])
        if self.meant is not None:
            return self.meant
        return int(self.given.nets[0](self.picture[None])[0].nan_to_num(-torch.inf).argmax())

    # ------------------------------------------------------------------ what may be set

    def set(self, /, **values: Any) -> None:
        """Set parameters, all or none. A new threat without an eps gets one of its own."""
        self._keep_eps, end, before = "eps" in values, self.at == self.moves, self.at
        super().set(**values)
        self.at = self.moves if end else min(before, self.moves)

    def changed(self, names: frozenset[str]) -> None:
        self._choose_eps(names)
        if "pen" in names:
            self.pad.set(pen=self.values["pen"])
            if self.index is None:
                self._drawn()
        if names - NOT_OF_THE_ATTACK:
            self.forget()

    def _choose_eps(self, names: frozenset[str]) -> None:
        if "threat" in names and not self._keep_eps:
            self.values["eps"] = self._eps[self.values["threat"]]
        self._eps[self.values["threat"]] = self.values["eps"]

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super()._checked(values)
        if checked.get("target"):
            checked["target"] = self.given.classes[self._class_of("target", checked["target"])]
        return checked

    def _class_of(self, what: str, value: Any) -> int:
        """A class by its name, or else its number."""
        classes = self.given.classes
        if str(value) in classes and not isinstance(value, bool):
            return classes.index(str(value))
        if not isinstance(value, bool) and str(value).isdecimal() and int(value) < len(classes):
            return int(value)
        raise ValueError(
            f"{what}={shown(value)}: there is no such class; there are {', '.join(classes)}, also by number from 0."
        )

    @property
    def plan(self) -> Plan:
        target = self.values["target"]
        return Plan.of(self.values, self.given.classes.index(target) if target else None)

    # ------------------------------------------------------------------ the attack

    def runs(self) -> tuple[Run, ...]:
        """The attack on each network."""
        if self.given.refresh():
            self.renewed, self.question, self._found = True, None, (None, ())
        key = (self.plan, self._saw, self.meant)
        if self._found[0] != key:
            plan, label, self._crossed = self.plan, self.label, {}
            self._found = key, tuple(run(net, self.picture[None], label, plan) for net in self.given.nets)
        return self._found[1]

    def cuts(self) -> tuple[Cut, ...]:
        """The slice for each network; kept while only the way of the attack changes, on which it does not depend."""
        return self._cut(self.runs())

    def _cut(self, runs: tuple[Run, ...]) -> tuple[Cut, ...]:
        plan = self.plan
        key = (
            plan.threat,
            plan.target,
            plan.seed,
            self._saw,
            self.meant,
            tuple(id(net.model) for net in self.given.nets),
        )
        if self._cuts[0] != key:
            made = [
                cut(net, self.picture[None], found, self.given.classes)
                for net, found in zip(self.given.nets, runs, strict=True)
            ]
            self._cuts = key, tuple(made)
        return self._cuts[1]

    def x_adv(self) -> dict[str, Float[Tensor, "1 height width"]]:
        """Where the attack ends, by the network's name; on the CPU."""
        return {net.name: found.x_adv.clone() for net, found in self._pairs()}

    def probabilities(self) -> dict[str, Float[Tensor, " classes"]]:
        """What each network says at the present move, by its name."""
        return {net.name: found.logits(*self.move).softmax(0) for net, found in self._pairs()}

    def _pairs(self) -> list[tuple[Net, Run]]:
        return list(zip(self.given.nets, self.runs(), strict=True))

    # ------------------------------------------------------------------ its moves

    @property
    def moves(self) -> int:
        """How many moves there are after the picture itself."""
        return len(self.plan.moves) - 1

    @property
    def move(self) -> tuple[str, int]:
        """What the present move is, and in which step; see `run.MOVES`."""
        return self.plan.moves[self.at]

    @property
    def running(self) -> bool:
        return self.at < self.moves

    def step(self, n: int = 1) -> None:
        """n moves on, at most to the end. An open question is dropped."""
        self.scrub(min(self.at + whole("n", n, 0, 10**6), self.moves))

    def back(self, n: int = 1) -> None:
        """n moves back, at most to the picture itself."""
        self.scrub(max(self.at - whole("n", n, 0, 10**6), 0))

    def scrub(self, step: int) -> None:
        """To any move, from 0, the picture itself. An open question is dropped."""
        at = whole("step", step, 0, self.moves)
        if at != self.at and self._open:
            self.forget()
        self.at = at

    def reset(self) -> None:
        """Back to the picture itself; the settings stay."""
        self.at, self.renewed = 0, False
        self.forget()

    # ------------------------------------------------------------------ predict before you see

    def ask(self, which: int | str = 0) -> None:
        """After how many steps is this network fooled? By its name, or its number from 0. It goes back to the picture
        itself, and what is to come is not shown until there is a guess."""
        names = [net.name for net in self.given.nets]
        at = names.index(which) if which in names else whole("which", which, 0, len(names) - 1)
        self.question = Question(names[at], self.runs()[at], self.values["target"] or None)
        self.at = 0

    def guess(self, option: int) -> None:
        """Commit to one of the options, by its index; the attack is shown at its end."""
        self.runs()  # a network that has changed drops the question
        if not self._open:
            raise ValueError("there is no open question; ask first.")
        self.question.guess = whole("option", option, 0, len(self.question.options) - 1)
        self.asked_count += 1
        self.right_count += self.question.right
        self.at = self.moves

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    @property
    def _open(self) -> bool:
        return self.question is not None and self.question.state == "asked"

    # ------------------------------------------------------------------ what is seen and said

    def snapshot(self) -> Snapshot:
        """What a view draws. In pictures row 0 is at the top; on the slice it is at the bottom.

        header:
            run          {"step", "first", "last", "running", "unit": "move"}
            say, notice  one line; what is to be known, or ""
            index, label image that is shown, None for a drawing; {"class", "name", "said": by hand}
            images, classes, shape [height, width], drawable
            strokes, ids, cells, undoable, empty: the drawing, as the draw pad's
            move         {"kind", "step", "steps", "title", "moves": whether there is a random start}
            attack       in words; target: a class's number or None; aim: what loss and margin are about, in words
            reach        {"delta", "moves": [by network]}: the values of the strongest colours; moved: the third title
            models       [{"name", "says": {"class", "name", "probability"}, "before": the same at the picture itself,
                         "reached", "verdict", "used": {"share", "inside", "words"}, "move": words,
                         "slice": {"regions", "at", "off", "along", "nearest"}}]
            done         how many steps are done
            transfer     sentences: what the end of one attack does to the other network
            question     None, or {"state", "name", "text", "options", "guess", "answer", "right", "verdict",
                         "asked_count", "right_count"}

        arrays, by network where there is more than one:
            strokes      float32 (points, 2)
            pictures     uint8 (networks, height, width), clamped to [0, 1]
            deltas, moved uint8 (networks, height, width): 0 to 254 is -reach to reach
            probabilities, before float32 (networks, classes)
            loss, margin float32 (networks, steps + 1); nan: not to be seen yet
            told         uint8 (networks, rows, columns): the class on the slice
            ball, box    float32 (networks, angles, 2): their outlines on the slice, parts of eps
            paths        float32 (networks, steps + 1, 2), parts of eps; nan: not to be seen yet
        """
        pairs, (what, step) = self._pairs(), self.move
        runs = tuple(found for _, found in pairs)
        cuts = self._cut(runs)
        places = [found.at(what, step) for found in runs]
        moved = [found.moved(what, step) for found in runs]
        delta = max(found.reach for found in runs) or 1.0
        reaches = [words.reach(each) for each in moved]
        strokes = [stroke.points for stroke in self.pad.drawing.strokes]
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        header = {
            "run": {"step": self.at, "first": 0, "last": self.moves, "running": self.running, "unit": "move"},
            "say": self._say(pairs),
            "notice": self._notice(pairs),
            "index": self.index,
            "label": {
                "class": runs[0].label,
                "name": self.given.classes[runs[0].label],
                "said": self.meant is not None,
            },
            "images": len(self.given.images),
            "classes": list(self.given.classes),
            "shape": list(self.given.shape),
            "drawable": self.given.drawable,
            "strokes": [len(points) for points in strokes],
            "ids": [stroke.id for stroke in self.pad.drawing.strokes],
            "cells": sorted(map(list, self.pad.drawing.cells)),
            "undoable": bool(self.pad.past),
            "empty": self.pad.drawing.empty,
            "move": {
                "kind": what,
                "step": step,
                "steps": self.plan.steps,
                "title": words.title(what, step, self.plan.steps),
                "start": self.plan.random,
            },
            "attack": words.attack(self.plan, self.given.classes),
            "target": self.plan.target,
            "eps": self.plan.threat.eps,
            "slice_reach": REACH,
            "reach": {"delta": delta, "moves": reaches},
            "moved": words.moved_title(what),
            "models": [
                self._model(net, found, made, place)
                for (net, found), made, place in zip(pairs, cuts, places, strict=True)
            ],
            "done": self._done(),
            "transfer": [] if self._open else self._transfer(pairs),
            "question": None if self.question is None else self.question.header() | counts,
        }
        deltas = [place - found.example for place, found in zip(places, runs, strict=True)]
        now = [found.logits(what, step).softmax(0) for found in runs]
        arrays = {
            "strokes": np.array([point for points in strokes for point in points], np.float32).reshape(-1, 2),
            "pictures": quantise(torch.cat(places), 0, 1),
            "deltas": quantise(torch.cat(deltas), -delta, delta),
            "moved": np.stack([quantise(each[0], -reach, reach) for each, reach in zip(moved, reaches, strict=True)]),
            "probabilities": torch.stack(now),
            "before": torch.stack([found.clean.softmax(0) for found in runs]),
            "loss": torch.stack([self._seen(found.loss) for found in runs]),
            "margin": torch.stack([self._seen(found.margin) for found in runs]),
            "told": np.stack([made.plane.label.cpu().numpy().astype(np.uint8) for made in cuts]),
            "ball": torch.stack([made.ball for made in cuts]),
            "box": torch.stack([made.box for made in cuts]),
            "paths": torch.stack([self._seen(self._path(found, made)) for found, made in zip(runs, cuts, strict=True)]),
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        which = "A drawing" if self.index is None else f"Picture {self.index}"
        pairs, (what, step) = self._pairs(), self.move
        name = self.given.classes[pairs[0][1].label]
        parts = [f"{which}, class {name}, under {words.attack(self.plan, self.given.classes)}."]
        parts.append(f"{words.title(what, step, self.plan.steps)}.")
        for net, found in pairs:
            before, now = self._says(found.clean), self._says(found.logits(what, step))
            parts.append(
                f"{capital(net.name)} says {_said(now)}; to the picture itself it says {_said(before)}. "
                f"{words.used(self.plan, found.at(what, step), found.example)['words']}"
            )
            if not self._open:
                parts.append(self._when(net, found))
        if not self._open:
            parts += self._transfer(pairs)
        else:
            parts.append(self.question.text)
        return " ".join([*parts, *([self.notice] if self.notice else [])])

    def to_code(self) -> str:
        """A program with the call that gives the same x_adv, for each network."""
        runs, images = self.runs(), self.given.images
        return program(
            self.plan,
            words.attack(self.plan, self.given.classes),
            self.picture.float().cpu(),
            self.index,
            runs[0].label,
            own=self.given.own,
            plain=(images.dtype, images.device.type) == (torch.float32, "cpu"),
        )

    @property
    def notice(self) -> str:
        """What is to be known before anything else, or ""."""
        return self._notice(self._pairs())

    def _notice(self, pairs: list[tuple[Net, Run]]) -> str:
        parts = []
        if self.renewed:
            parts.append("A network has changed since it was first shown here: it was attacked anew.")
        for net, found in pairs:
            if not found.finite:
                parts.append(
                    f"{capital(net.name)} gives answers that are not numbers (nan): nothing can be said of them."
                )
        if self.plan.target == pairs[0][1].label:
            parts.append("The target is the right answer itself: this attack makes the network surer of it.")
        return " ".join(parts)

    # ------------------------------------------------------------------ to share

    def state(self) -> dict[str, Any]:
        """The settings, the drawing or the picture's index, and the move; not the networks."""
        pad = self.pad.state()
        return {
            **super().state(),
            "strokes": pad["strokes"],
            "cells": pad["cells"],
            "index": self.index,
            "meant": self.meant,
            "at": self.at,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        index, meant = state.get("index"), state.get("meant")
        if index is not None:
            self.show(index)
        else:
            self._can_draw()
            self.pad.restore({"strokes": state.get("strokes", []), "cells": state.get("cells", [])})
            self._drawn()
            if meant is not None:
                self.mean(whole("meant", meant, 0, len(self.given.classes) - 1))
        self.scrub(state.get("at", self.moves))

    @classmethod
    def from_share(
        cls, text: str, models: Any = None, x: Any = None, labels: Any = None, *, classes: Any = None
    ) -> Self:
        """The explorer that `share` described, around networks and pictures that a string cannot hold.

        Raises ValueError for a damaged string, and for one that does not fit these networks.
        """
        state, engine = cls.opened(text), cls(models, x, labels, classes=classes)
        engine.take(state)
        return engine

    def again(self) -> Self:
        """A fresh engine around the same networks and pictures."""
        given = self.given
        if given.own:
            return type(self)()
        models = {net.name: net.source for net in given.nets}
        return type(self)(models, given.images, given.labels, classes=given.classes)

    def take(self, state: Mapping[str, Any]) -> None:
        """`restore`, with a ValueError for everything that does not fit."""
        try:
            self.restore(state)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"this share string does not hold what an {self.name} needs ({error!r}).") from error

    # ------------------------------------------------------------------ inside

    def _done(self) -> int:
        """How many steps are done at the present move: those whose projection has been made."""
        what, step = self.move
        return step if what in ("projection", "example", "start") else step - 1

    def _seen(self, values: Tensor) -> Float[Tensor, "time ..."]:
        """A row for each number of steps; while a question is open, nothing of what is to come."""
        if not self._open:
            return values
        hidden = values.clone()
        hidden[self._done() + 1 :] = torch.nan
        return hidden

    def _path(self, found: Run, made: Cut) -> Float[Tensor, "time 2"]:
        return made.places(torch.cat([found.start, *(step.x_adv[0] for step in found.steps)]) - found.example)

    def _says(self, logits: Float[Tensor, " classes"]) -> dict[str, Any]:
        if not logits.isfinite().all():
            return {"class": None, "name": None, "probability": None}
        best = int(logits.argmax())
        return {"class": best, "name": self.given.classes[best], "probability": float(logits.softmax(0)[best])}

    def _model(self, net: Net, found: Run, made: Cut, place: Tensor) -> dict[str, Any]:
        what, step = self.move
        logits, delta = found.logits(what, step), place - found.example
        (reached,) = found.reached(logits[None])
        return {
            "name": net.name,
            "says": self._says(logits),
            "before": self._says(found.clean),
            "reached": reached,
            "verdict": self._verdict(logits, found.label, reached),
            "used": words.used(self.plan, place, found.example),
            "move": words.explained(found, what, step),
            "when": "" if self._open else self._when(net, found),
            "slice": {
                "regions": made.regions,
                "at": [finite(each) for each in made.places(delta)[0].tolist()],
                "off": made.off(delta),
                "along": made.plane.along_gradient,
                "nearest": finite(made.nearest),
            },
        }

    def _verdict(self, logits: Tensor, label: int, reached: bool) -> str:
        if not logits.isfinite().all():
            return "not a number"
        right = int(logits.argmax()) == label
        if self.plan.target is not None and reached:
            return "the target"
        return "right" if right else "wrong"

    def _when(self, net: Net, found: Run) -> str:
        """When the attack first had what it wants, in a sentence."""
        after, name = found.fooled_after, capital(net.name)
        target = self.values["target"]
        wanted = f"says {target}" if target else "is fooled"
        if after is None:
            return f"{name} never {wanted}." if target else f"{name} is right after every step."
        return f"{name} {wanted} {'before the first step' if after == 0 else f'after step {after}'}."

    def _transfer(self, pairs: list[tuple[Net, Run]]) -> list[str]:
        """What the end of the attack on one network does to the other."""
        if len(pairs) < 2:
            return []
        said = []
        for (net, found), (other, _) in (pairs, pairs[::-1]):
            if id(found) not in self._crossed:
                logits = other(found.x_adv[None].to(self.given.images))[0].float().cpu()
                self._crossed[id(found)] = logits
            logits = self._crossed[id(found)]
            said.append(f"To the end of the attack on {net.name}, {other.name} says {_said(self._says(logits))}.")
        return said

    def _say(self, pairs: list[tuple[Net, Run]]) -> str:
        what, step = self.move
        said = [f"{net.name} says {_said(self._says(found.logits(what, step)))}" for net, found in pairs]
        return f"{words.title(what, step, self.plan.steps)}; {', '.join(said)}."


def _said(says: dict[str, Any]) -> str:
    return "what is not a number" if says["name"] is None else f"{says['name']} with {percent(says['probability'])}"


def capital(name: str) -> str:
    return name[:1].upper() + name[1:]
