"""The race's engine: what may be set, what a learner may do, and what a view gets to see.

All six rules run all the time, and the checkboxes choose which are shown; so a racer that is ticked later is where it
would be anyway. Settings of the rules act at once, on the race as it goes. Another surface or start begins a new race.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from dlcourse.widgets.engine import Engine
from dlcourse.widgets.optimizer_race import surfaces, words
from dlcourse.widgets.optimizer_race.code import program
from dlcourse.widgets.optimizer_race.question import Question
from dlcourse.widgets.optimizer_race.race import LAST, Place, Race
from dlcourse.widgets.optimizer_race.racers import RACERS, own_racer
from dlcourse.widgets.params import Choice, Number, Several, Whole, shown, whole
from dlcourse.widgets.snapshot import Snapshot

MOST = 4  # starts at once
POINTS = 1600  # of all trails together in one snapshot
CURVES = 1800  # of all curves together
CHANGES = 500  # settings changed on the way, in a share string

PARAMS = {
    "surface": Choice(
        label="Surface", default="bowl", options=(*surfaces.NAMES, "own"), help="The loss, over two weights x and y."
    ),
    "condition": Number(
        label="Condition number",
        help="Of the bowl: its curvature across, as a multiple of that along, which is 1.",
        **{"default": 20.0, "low": 1.0, "high": 100.0, "log": True},
    ),
    "turn": Whole(label="Turn", default=0, low=0, high=45, help="Of the bowl, in degrees."),
    "racers": Several(
        label="Racers", default=("sgd", "momentum", "rmsprop", "adam"), options=(*RACERS, "own"), help="Who is shown."
    ),
    "lr": Number(label="Learning rate", default=0.05, low=1e-4, high=10.0, log=True, help="For all racers."),
    "momentum": Number(
        label="Momentum",
        help="Share of the last step that is kept; for Adam and AdamW it is beta 1.",
        **{"default": 0.9, "low": 0.0, "high": 0.99},
    ),
    "beta2": Number(
        label="Memory of squares",
        help="Beta 2 of Adam and AdamW, alpha of RMSprop: share of the mean squared gradient that is kept.",
        **{"default": 0.99, "low": 0.9, "high": 0.999, "digits": 3},
    ),
    "weight_decay": Number(
        label="Weight decay",
        help="Of AdamW: each step also shrinks the weights by the learning rate times this.",
        **{"default": 0.01, "low": 0.001, "high": 1.0, "log": True, "zero": True},
    ),
    "noise": Number(
        label="Gradient noise",
        help="Standard deviation of what minibatches add to the gradient; the same for all racers.",
        **{"default": 0.0, "low": 0.01, "high": 10.0, "log": True, "zero": True},
    ),
    "seed": Whole(label="Seed", default=0, low=0, high=9999, help="Other noise for each seed."),
    **{
        f"factor_{name}": Number(
            label=racer.name[0].upper() + racer.name[1:],
            help="The learning rate is multiplied by this, for this racer alone.",
            **{"default": 1.0, "low": 0.01, "high": 100.0, "log": True},
        )
        for name, racer in RACERS.items()
    },
}
LIVE = frozenset(
    {"lr", "momentum", "beta2", "weight_decay", "noise", *(name for name in PARAMS if name.startswith("factor_"))}
)


class OptimizerRaceEngine(Engine):
    """Run several optimisers down one surface, from the same starts, and go back in time.

    values: parameters by name (see `params`), with the meanings of their `help`.
    starts: [(x, y), ...], one to four places in the picture; by default one that suits the surface.
    surface: a name, or your own function f(x, y) of two tensors to a tensor of their shape, the loss at each place,
    made of torch's operations; its picture is extent = (left, right, bottom, top).
    rule: your own update rule, a function (place, gradient, state, step, lr) to (place, state): tensors of two numbers,
    state is None at first, step counts from 1. It races as "own". Raises ValueError for what does not fit.

    >>> engine = OptimizerRaceEngine(lr=0.11, racers=("sgd",))
    >>> engine.step(40)
    >>> engine.rows()[0]["words"]
    'diverged at step 22'
    """

    name = "optimizer-race"
    params: ClassVar = PARAMS
    actions = frozenset({"drop", "move", "remove", "back", "scrub", "ask", "guess", "forget", "to_code"})

    def __init__(
        self,
        *,
        surface: str | Callable | None = None,
        rule: Callable | None = None,
        starts: Any = None,
        extent: Any = None,
        **values: Any,
    ):
        self.own: surfaces.Surface | None = None
        if callable(surface):
            self.own, surface = surfaces.own_surface(surface, extent), "own"
        elif extent is not None:
            raise ValueError("extent is the picture of your own surface: give a function as surface too, or no extent.")
        if surface is not None:
            values["surface"] = surface
        self.known = dict(RACERS)
        if rule is not None:
            if not callable(rule):
                raise ValueError(f"rule={rule!r}: wanted a function of (place, gradient, state, step, lr).")
            self.known["own"] = own_racer(rule)
            values.setdefault("racers", (*PARAMS["racers"].default, "own"))
        super().__init__(**values)
        self._refuse_unknown()
        self.race: Race | None = None
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        ground = self._surface()
        self._begin([ground.start] if starts is None else _places(starts, ground.extent), ground)
        if rule is not None:  # what does not work is said at once
            self.race.step()
            self.reset()

    # The race, forwards and backwards.

    @property
    def running(self) -> bool:
        return self.race.at < LAST and not (self.question is not None and self.question.state == "asked")

    @property
    def pauses(self) -> bool:
        """Where an answer is revealed, and where the last of those shown has arrived or diverged."""
        if self.question is not None and self.question.state != "asked":
            return self.question.answered_at == self.race.at
        return self.race.at > 0 and self._over(self.race.at) and not self._over(self.race.at - 1)

    def step(self, n: int = 1) -> None:
        """At most n steps: less at the end of the race, or when an answer is revealed on the way."""
        for _ in range(whole("n", n, 0, 1_000_000)):
            if not self.running:
                return
            self.race.step()
            self._agree()
            if self.question is not None and self.question.look(self.race):
                self.asked_count += 1
                self.right_count += self.question.right
                return

    def reset(self) -> None:
        """Back to step 0 with the settings as they are; changes made on the way are forgotten."""
        self._begin(self.race.starts, self.race.surface)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the beginning."""
        self.scrub(max(0, self.race.at - whole("n", n, 1, 1_000_000)))

    def scrub(self, step: int) -> None:
        """To any step that this race has been at, exactly as it was, settings included. What came later stays known
        until something is changed. Raises ValueError for a step beyond."""
        step = whole("step", step, 0, self.race.last)
        self.forget()
        self.race.scrub(step)
        self._agree()

    # What the learner changes.

    def changed(self, names: frozenset[str]) -> None:
        self._refuse_unknown()
        shaping = {"condition", "turn"} if self.values["surface"] == "bowl" else set()
        if "surface" in names:
            ground = self._surface()
            self._begin([ground.start], ground)
        elif names & (shaping | {"seed"}):
            self._begin(self.race.starts, self._surface())
        elif names & LIVE:
            self.race.change({name: self.values[name] for name in names & LIVE})
            self.reasons.clear()
        self.forget()

    def drop(self, x: float, y: float) -> int:
        """A start more, inside the picture, and all begin anew; a fifth takes the place of the oldest. Its index."""
        (place,) = _places([(x, y)], self.race.surface.extent)
        self._begin([*self.race.starts, place][-MOST:], self.race.surface)
        return len(self.race.starts) - 1

    def move(self, index: int, x: float, y: float) -> None:
        """Put a start elsewhere; all begin anew."""
        index = self._index(index)
        (place,) = _places([(x, y)], self.race.surface.extent)
        self._begin([*self.race.starts[:index], place, *self.race.starts[index + 1 :]], self.race.surface)

    def remove(self, index: int) -> None:
        """A start fewer; all begin anew. Raises ValueError for the last one."""
        index = self._index(index)
        if len(self.race.starts) == 1:
            raise ValueError("this is the only start: move it, or drop another first.")
        self._begin([*self.race.starts[:index], *self.race.starts[index + 1 :]], self.race.surface)

    # Predict before you see.

    def ask(self) -> None:
        """Go to the beginning and ask: which of the racers shown arrives first, from the first start? Until the answer
        comes the snapshot shows the beginning only. A change of any kind drops the question."""
        self.reset()
        shown = self._shown()
        names = tuple(self.known[name].name for name in shown)
        self.question = Question(shown, names, self.snapshot(), several=len(self.race.starts) > 1)

    def guess(self, option: int) -> None:
        """Commit to one of the options by its index, the last of them is nobody; then step."""
        if self.question is None or self.question.state != "asked":
            raise ValueError("there is no open question; ask first.")
        self.question.guess = whole("option", option, 0, len(self.question.options) - 1)

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # What is seen and said.

    def rows(self) -> list[dict[str, Any]]:
        """One for each racer that is shown and each start: {"racer", "name", "start" (from 1), "place" [x, y], "loss",
        "distance" to the nearest minimum, "rate", "state" ("racing", "arrived", "diverged"), "words", "outside" the
        picture, "reason" why it diverged}. A number that is not finite, or not known, is None."""
        race, rows = self.race, []
        for name in self._shown():
            racer = race.names.index(name)
            for start in range(len(race.starts)):
                place = race.track[race.at, racer, start]
                state, said = words.verdict(race, racer, start)
                distances = race.distances(place)
                rows.append(
                    {
                        "racer": name,
                        "name": self.known[name].name,
                        "start": start + 1,
                        "place": [words.finite(value) for value in place],
                        "loss": words.finite(race.losses[race.at, racer, start]),
                        "distance": words.finite(distances.min()) if len(distances) else None,
                        "rate": race.rate(name),
                        "state": state,
                        "words": said,
                        "outside": not race.surface.holds(*place),
                        "reason": self._reason(racer, start) if state == "diverged" else "",
                    }
                )
        return rows

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header (a number that is absent or not finite is None):
            run          {"step", "first", "last", "running"}
            say          one line; notice: who diverged and why, or None
            surface, story, extent [left, right, bottom, top], minima [[x, y], ...], ring, lowest
            starts       [[x, y], ...]
            racers       [{"id", "name", "rate"}, ...] that are shown
            rows         as `rows` gives them
            trails       for each row how many points of `trail` are its own
            known        ids of all racers there are; names: what they are called, by id
            own          whether there is a surface of the learner's
            question     None, or {"state": "asked" / "running" / "revealed", "text", "options", "guess", "answer",
                         "answered_at", "right", "verdict", "asked_count", "right_count"}

        arrays:
            field, fine  uint8 (72, 96): field + fine / 256, from 0 to 254, is the logarithm of the loss above its
                         lowest; a field of 255 is no value. Row 0 is the bottom
            trail        float32 (n, 2): where each row's racer has been, up to the present step
            steps        float32 (k,): the steps of the curves; curves: float32 (rows, k), the loss above the lowest,
                         NaN where it is not finite. They go on to the last step reached.

        From `ask` to the answer, everything but run, say, notice and question is as at the beginning.
        """
        if self.question is not None and self.question.state != "revealed":
            frozen = self.question.frozen
            open_ = {"run": self._where(), "say": self._waiting(), "notice": None, "question": self._question()}
            return Snapshot({**frozen.header, **open_}, frozen.arrays)
        race, surface, rows = self.race, self.race.surface, self.rows()
        trails, steps = self._trails(), self._curve_steps()
        with np.errstate(invalid="ignore"):
            above = np.stack([race.losses[steps, racer, start] for racer, start in self._pairs()]) - surface.lowest
        above[~(np.abs(above) < 1e38)] = np.nan  # what float32 cannot hold, or what is no number
        header = {
            **self.values,
            "run": self._where(),
            "say": self._say(rows),
            "notice": self._notice(rows),
            "story": surface.story,
            "extent": list(surface.extent),
            "minima": [list(minimum) for minimum in surface.minima],
            "ring": surface.ring,
            "lowest": surface.lowest,
            "starts": [list(start) for start in race.starts],
            "racers": [{"id": name, "name": self.known[name].name, "rate": race.rate(name)} for name in self._shown()],
            "rows": rows,
            "trails": [len(trail) for trail in trails],
            "known": list(self.known),
            "names": {name: racer.name for name, racer in self.known.items()},
            "own": self.own is not None,
            "question": self._question(),
        }
        arrays = {
            "field": self.field,
            "fine": self.fine,
            "trail": np.concatenate(trails).astype(np.float32),
            "steps": steps.astype(np.float32),
            "curves": above.astype(np.float32),
        }
        return Snapshot(header, arrays)

    def describe(self) -> str:
        race, surface, settings = self.race, self.race.surface, self.race.now.settings
        starts = ", ".join(f"({x:.3g}, {y:.3g})" for x, y in race.starts)
        facts = [f"learning rate {settings['lr']:g}", f"momentum {settings['momentum']:g}"]
        facts += [f"gradient noise {settings['noise']:g}"] if settings["noise"] else []
        sentences = [surface.story, f"Step {race.at}; {', '.join(facts)}; from {starts}."]
        if self.question is not None and self.question.state != "revealed":
            then = "Guess first." if self.question.guess is None else "The answer comes with the race."
            return " ".join([*sentences, f"A question is open: {self.question.text} {then}"])
        for row in self.rows():
            factor = f" at rate {row['rate']:.3g}" if row["rate"] != settings["lr"] else ""
            away = "" if row["distance"] is None else f", {words.number(row['distance'])} from the nearest minimum"
            facts = f"{row['words']}, loss {words.number(row['loss'])}{away}. {row['reason']}"
            sentences.append(f"{_capital(self._who(row))}{factor}: {facts}".strip())
        if self.question is not None:
            sentences.append(self._verdict())
        return " ".join(sentences)

    def to_code(self) -> str:
        """A program with `dlcourse.optim` that makes this race as far as it is, and prints the same places."""
        return program(self.race, self._shown())

    # To share a race.

    def state(self) -> dict[str, Any]:
        if self.own is not None or "own" in self.known:
            raise ValueError(
                "a share string holds settings and starts, not your own surface or rule. Share the code that makes "
                "them."
            )
        race = self.race
        changes = [[step, change] for step, change in sorted(race.changes.items())]
        if len(changes) > CHANGES:
            raise ValueError(
                f"this race has {len(changes)} changes; at most {CHANGES} can be shared. Reset, or go back."
            )
        where = {"step": race.at, "last": race.last, "changes": changes}
        return {"values": {**self.values, **race.initial}, "starts": [list(place) for place in race.starts], **where}

    def restore(self, state: Mapping[str, Any]) -> None:
        given, listed = state.get("values"), state.get("changes", [])
        _expect(isinstance(given, dict) and given.keys() == self.params.keys(), "it does not hold every setting")
        values = {name: self.params[name].check(name, value) for name, value in given.items()}
        _expect(values["surface"] != "own" and "own" not in values["racers"], "it is of somebody's own surface or rule")
        last = whole("last", state.get("last"), 0, LAST)
        step = whole("step", state.get("step"), 0, last)
        _expect(isinstance(listed, list) and len(listed) <= CHANGES, f"it wants a list of at most {CHANGES} changes")
        changes = dict(self._change(item, last) for item in listed)
        ground = surfaces.surface(values["surface"], values["condition"], values["turn"])
        starts = _places(state.get("starts"), ground.extent)
        self.values = values
        self._begin(starts, ground)
        self.race.changes = changes
        for _ in range(last):
            self.race.step()
        self.race.scrub(step)
        self._agree()

    def _change(self, item: Any, last: int) -> tuple[int, dict[str, float]]:
        _expect(isinstance(item, list) and len(item) == 2 and isinstance(item[1], dict), "a change is no pair")
        _expect(item[1] and LIVE.issuperset(item[1]), "it changes what cannot be changed on the way")
        step = whole("the step of a change", item[0], 1, max(1, last))
        return step, {name: self.params[name].check(name, value) for name, value in item[1].items()}

    # Inside.

    def _surface(self) -> surfaces.Surface:
        values = self.values
        if values["surface"] == "own":
            return self.own
        return surfaces.surface(values["surface"], values["condition"], values["turn"])

    def _begin(self, starts: Any, ground: surfaces.Surface) -> None:
        """A new race at step 0."""
        settings = {name: self.values[name] for name in LIVE}
        race = Race(ground, self.known, starts, settings, self.values["seed"])
        if self.race is None or self.race.surface != ground:
            self.field, self.fine = _field(ground)
        self.race, self.reasons = race, {}
        self.forget()

    def _refuse_unknown(self) -> None:
        if self.values["surface"] == "own" and self.own is None:
            raise ValueError("surface='own' needs a surface of your own: OptimizerRace(surface=lambda x, y: ...).")
        if "own" in self.values["racers"] and "own" not in self.known:
            raise ValueError("racers='own' needs a rule of your own: OptimizerRace(rule=my_rule).")

    def _agree(self) -> None:
        """The settings are those of the race at its present step."""
        self.values = {**self.values, **self.race.now.settings}

    def _shown(self) -> tuple[str, ...]:
        return self.values["racers"]

    def _pairs(self) -> list[tuple[int, int]]:
        """Racer and start of each row."""
        racers = [self.race.names.index(name) for name in self._shown()]
        return [(racer, start) for racer in racers for start in range(len(self.race.starts))]

    def _index(self, index: Any) -> int:
        return whole("index", index, 0, len(self.race.starts) - 1)

    def _over(self, step: int) -> bool:
        """Whether all that are shown have arrived or diverged."""
        moment = self.race.moments[step]
        done = (moment.far >= 0) | (moment.arrived >= 0)
        return all(done[pair] for pair in self._pairs())

    def _reason(self, racer: int, start: int) -> str:
        key = racer, start, int(self.race.now.far[racer, start])
        if key not in self.reasons:
            self.reasons[key] = words.reason(self.race, racer, start)
        return self.reasons[key]

    def _trails(self) -> list[np.ndarray]:
        """For each row the points of its trail: where it moved at all; of a long trail every third, fifth ... of them.

        An even stride would show one side only of a racer that jumps to and fro between two."""
        race, pairs, trails = self.race, self._pairs(), []
        most = POINTS // len(pairs)
        for racer, start in pairs:
            steps = np.flatnonzero(race.in_trail[: race.at + 1, racer, start])
            places = race.track[steps, racer, start]
            near = race.near(places)
            near[1:] |= near[:-1]  # and the first point of those too far away to be drawn
            places = places[near & np.isfinite(places).all(-1)]
            places = places[:: -(-len(places) // most) | 1]
            end = race.track[race.at, racer, start]
            trails.append(np.clip(np.vstack([places, end]) if race.near(end) else places, -1e30, 1e30))
        return trails

    def _curve_steps(self) -> np.ndarray:
        race = self.race
        stride = -(-(race.last + 1) // (CURVES // len(self._pairs()))) | 1
        return np.unique(np.append(np.arange(0, race.last + 1, stride), race.last))

    def _where(self) -> dict[str, Any]:
        return {"step": self.race.at, "first": 0, "last": self.race.last, "running": self.running}

    def _waiting(self) -> str:
        if self.question.state == "asked":
            return self.question.text
        return f"Step {self.race.at}, the answer comes with the race"

    def _say(self, rows: list[dict[str, Any]]) -> str:
        counts = [f"{n} {state}" for state in ("arrived", "diverged") if (n := sum(r["state"] == state for r in rows))]
        known = sorted((row for row in rows if row["loss"] is not None), key=lambda row: row["loss"])
        ends = " to ".join(f"{row['name']} {words.number(row['loss'])}" for row in known[:: max(1, len(known) - 1)])
        losses = f"loss {'from ' if len(known) > 1 else ''}{ends}" if known else "no finite loss"
        return f"Step {self.race.at}: " + ", ".join([losses, *counts])

    def _notice(self, rows: list[dict[str, Any]]) -> str | None:
        lost: dict[str, list] = {}
        for row in rows:
            if row["state"] == "diverged":
                lost.setdefault(row["name"], []).append(row)
        told = [
            f"{_capital(name)} diverged at step {self._steps(those)}. {those[0]['reason']}"
            for name, those in list(lost.items())[:2]
        ]
        more = f"Diverged too: {', '.join(list(lost)[2:])}." if len(lost) > 2 else ""
        return " ".join(filter(None, [*told, more])) or None

    def _steps(self, rows: list[dict[str, Any]]) -> str:
        """ "22", and with several starts "22 (start 1) and 19 (start 2)"."""
        steps = {row["start"]: self.race.now.far[self.race.names.index(row["racer"]), row["start"] - 1] for row in rows}
        if len(self.race.starts) == 1:
            return str(steps[1])
        return " and ".join(f"{step} (start {start})" for start, step in steps.items())

    def _who(self, row: Mapping[str, Any]) -> str:
        return row["name"] + (f" from start {row['start']}" if len(self.race.starts) > 1 else "")

    def _question(self) -> dict[str, Any] | None:
        if self.question is None:
            return None
        counts = {"asked_count": self.asked_count, "right_count": self.right_count}
        return {**self.question.header(), **counts, "verdict": self._verdict()}

    def _verdict(self) -> str:
        if self.question.state != "revealed":
            return ""
        arrived = self.race.now.arrived
        return self.question.verdict([int(arrived[self.race.names.index(name), 0]) for name in self.question.racers])


def _field(ground: surfaces.Surface) -> tuple[np.ndarray, np.ndarray]:
    """The surface as bytes, and what they leave over in parts of 256: contour lines of bytes alone would be stairs.

    It is the logarithm of the height above the lowest place, so that hollow and cliff both show."""
    with torch.no_grad():
        above = (ground.field() - ground.lowest).numpy()
    finite = above[np.isfinite(above)]
    small = max(np.quantile(finite, 0.95), 1e-12) / 50
    with np.errstate(invalid="ignore", over="ignore"):
        heights = np.log(np.maximum(above, 0) / small + 1)
        heights = 254 * heights / (np.log(finite.max() / small + 1) or 1.0)
    missing = ~np.isfinite(above)
    floor = np.where(missing, 255, np.floor(np.where(missing, 0, heights)))
    return floor.astype(np.uint8), np.where(missing, 0, np.floor(256 * (heights - floor))).astype(np.uint8)


def _places(listed: Any, extent: surfaces.Extent) -> list[Place]:
    """Starts, checked: one to four pairs of numbers in the picture."""
    listed = listed.tolist() if hasattr(listed, "tolist") else listed
    wanted = f"starts={shown(listed)}: wanted one to {MOST} places in the picture, such as [(-4.0, 1.5)]."
    if not isinstance(listed, (list, tuple)) or not 1 <= len(listed) <= MOST:
        raise ValueError(wanted)
    left, right, bottom, top = extent
    x = Number(label="x", default=left, low=left, high=right)
    y = Number(label="y", default=bottom, low=bottom, high=top)
    if not all(isinstance(place, (list, tuple)) and len(place) == 2 for place in listed):
        raise ValueError(wanted)
    return [(x.check("x of a start", place[0]), y.check("y of a start", place[1])) for place in listed]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _expect(true: Any, otherwise: str) -> None:
    if not true:
        raise ValueError(f"this share string is damaged ({otherwise}).")
