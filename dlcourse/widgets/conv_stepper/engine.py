"""The stepper's engine: what may be set, what a learner may do, and what a view gets to see.

Everything on the screen is computed by dlcourse.nn from the picture, the kernel and the settings. A setting with which
the window would not fit is refused, so there is always an output to look at.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch

from dlcourse.types import Float, Tensor
from dlcourse.widgets.conv_stepper import kernels, pictures, words
from dlcourse.widgets.conv_stepper.code import program
from dlcourse.widgets.conv_stepper.field import Seen, seen
from dlcourse.widgets.conv_stepper.layer import Layer, Place, chain, check, contiguous
from dlcourse.widgets.conv_stepper.numbers import number
from dlcourse.widgets.conv_stepper.params import PARAMS, Pair
from dlcourse.widgets.conv_stepper.question import Question, judge_size, judge_value, telling
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import Number, whole
from dlcourse.widgets.snapshot import Snapshot

LARGEST_PIXEL, LARGEST_WEIGHT = 999.0, 99.0
LARGEST_MAP = 24  # rows and columns; more would not be readable
UNDO = 100  # changes that can be taken back
DIGIT = (8, 8)  # size of the digits
ASKED = ("value", "size")

Map = Float[Tensor, "height width"]


class ConvStepperEngine(Engine):
    """A small picture, a layer, and the output cell by cell.

    image: your own picture, (height, width), 3 to 16 each way; kernel: your own, (rows, columns), 1 to 5 each way.
    values: parameters by name (see `params.PARAMS`), with the meanings of their `help`. Raises ValueError for what is
    out of range, for `size` or `kernel_size` beside numbers that have one already, and where the window does not fit.

    >>> stepper = ConvStepperEngine(example="edge", size=5)
    >>> stepper.output.tolist()
    [[3.0, 3.0, 0.0], [3.0, 3.0, 0.0], [3.0, 3.0, 0.0]]
    >>> stepper.go(0, 1)
    >>> stepper.value, [place.product for place in stepper.places[:3]]
    (3.0, [0.0, 0.0, 1.0])
    """

    name = "conv-stepper"
    params: ClassVar = PARAMS
    actions = frozenset(
        {"back", "scrub", "go", "paint", "weigh", "clear", "undo", "ask", "guess", "reveal", "forget", "to_code"}
    )

    def __init__(self, image: Any = None, kernel: Any = None, **values: Any) -> None:
        for given, name in ((image, "size"), (kernel, "kernel_size")):
            if given is not None and name in values:
                raise ValueError(f"{name} comes with your own numbers: leave it out.")
        super().__init__(**values)
        if "size" not in values and self.values["example"] == "digit":
            self.values["size"] = DIGIT
        self.at: Pair = (0, 0)
        self.question: Question | None = None
        self.asked_count = self.right_count = 0
        self._past: list[tuple[dict[str, Any], Map, Map]] = []
        self._stroke: Any = None
        if image is not None:
            self.values["example"] = "own"
        if kernel is not None:
            self.values["preset"] = "own"
        self._take(
            self._pictured() if image is None else _pixels(image),
            self._preset() if kernel is None else _weights(kernel),
        )

    # What is computed.

    @property
    def image(self) -> Map:
        return self.maps[0]

    @property
    def kernel(self) -> Float[Tensor, "kernel_height kernel_width"]:
        """As typed, not turned."""
        return self.layer.kernel

    @property
    def output(self) -> Map:
        """Of the last layer."""
        return self.maps[-1]

    @property
    def sizes(self) -> list[Pair]:
        """(rows, columns) of each map, the picture first."""
        return [tuple(each.shape) for each in self.maps]

    @property
    def value(self) -> float:
        """Of the chosen output cell."""
        return self.output[self.at].item()

    @property
    def places(self) -> list[Place]:
        """What lies under the window of the chosen cell, in the map below it."""
        return self.layer.places(self.maps[-2], *self.at)

    @property
    def seen(self) -> list[Seen]:
        """What the chosen cell sees of each map, the picture first."""
        return seen(self.layer, self.sizes, *self.at)

    # The window.

    @property
    def hidden(self) -> str | None:
        """What an open question asks for, and hides: "value", "size" or nothing."""
        return None if self.question is None or self.question.solved else self.question.of

    @property
    def index(self) -> int:
        """Of the chosen output cell, row by row."""
        return self.at[0] * self.sizes[-1][1] + self.at[1]

    @property
    def running(self) -> bool:
        return not self.hidden and self.index < self.output.numel() - 1

    def step(self, n: int = 1) -> None:
        """n cells further, row by row, at most to the last."""
        if not self.hidden:
            self.scrub(min(self.index + whole("n", n, 0, 10**6), self.output.numel() - 1))

    def back(self, n: int = 1) -> None:
        """n cells back, at most to the first."""
        self.scrub(max(self.index - whole("n", n, 0, 10**6), 0))

    def scrub(self, step: int) -> None:
        """To the output cell of this number, counted row by row from 0."""
        self.at = divmod(whole("step", step, 0, self.output.numel() - 1), self.sizes[-1][1])

    def go(self, row: int, column: int) -> None:
        """To an output cell, both from 0. Raises ValueError outside."""
        rows, columns = self.sizes[-1]
        self.at = whole("row", row, 0, rows - 1), whole("column", column, 0, columns - 1)

    def reset(self) -> None:
        """Back to the first cell; a question is forgotten."""
        self.at = (0, 0)
        self.forget()

    # Picture and kernel.

    def paint(self, cells: Iterable[Iterable[int]], value: float | None = None, stroke: Any = None) -> None:
        """Put a number (the brush's) into these cells, (row, column) from 0. stroke: what is painted under one name is
        taken back at once."""
        ink = self.values["brush"] if value is None else _number("value", value, LARGEST_PIXEL)
        rows, columns = self.sizes[0]
        image = self.image.clone()
        for cell in _cells(cells, image.numel()):
            image[whole("row", cell[0], 0, rows - 1), whole("column", cell[1], 0, columns - 1)] = ink
        self._change(image, self.kernel, stroke=stroke, example="own")

    def weigh(self, row: int, column: int, value: float) -> None:
        """Put a number into the kernel, as typed, not turned. Raises ValueError for pooling, which has none."""
        if self.layer.mode != "kernel":
            raise ValueError(f"{self.layer.mode} pooling has no numbers of its own: set mode='kernel' first.")
        rows, columns = self.layer.window
        kernel = self.kernel.clone()
        at = whole("row", row, 0, rows - 1), whole("column", column, 0, columns - 1)
        kernel[at] = _number(f"kernel[{at[0]}, {at[1]}]", value, LARGEST_WEIGHT)
        self._change(self.image, kernel, preset="own")

    def put_image(self, numbers: Any) -> None:
        """A picture of your own in place of the present one. Raises ValueError as the constructor does."""
        self._change(_pixels(numbers), self.kernel, example="own")

    def put_kernel(self, numbers: Any) -> None:
        """The same for the kernel."""
        self._change(self.image, _weights(numbers), preset="own")

    def clear(self) -> None:
        """An empty picture."""
        self._change(torch.zeros_like(self.image), self.kernel, example="blank")

    def undo(self) -> None:
        """Take the last change of picture or kernel back, with the sizes they had. Raises ValueError if they no longer
        fit the other settings."""
        if not self._past:
            return
        then, image, kernel = self._past[-1]
        self._change(image, kernel, keep=False, **then)
        self._past.pop()
        self._stroke = None

    def changed(self, names: frozenset[str]) -> None:
        if "example" in names and self.values["example"] == "digit" and "size" not in names:
            self.values["size"] = DIGIT
        image, kernel = self.image, self.kernel
        if names & {"example", "seed", "size"}:
            image = self._pictured()
        if names & {"preset", "kernel_size"}:
            kernel = self._preset()
        before = self._kept()
        self._take(image, kernel)
        if names & {"example", "size", "preset", "kernel_size"}:
            self._remember(before)

    # Predict before you see.

    def ask(self, of: str = "value") -> None:
        """Hide the output until one of its numbers (of="value"), or its size (of="size"), is guessed. The window goes
        to a cell where mistakes would show. Settings may be changed meanwhile, and the question with them."""
        if of not in ASKED:
            raise ValueError(f"of={of!r}: wanted one of {', '.join(map(repr, ASKED))}.")
        if of == "value":
            self._go_to_a_telling_cell()
        self.question = Question(of)

    def guess(self, answer: Any) -> dict[str, Any]:
        """Answer the question: a number, or (rows, columns). Returns what is said to it, {"right", "text"}; a wrong
        answer leaves the question open. Raises ValueError for what is no answer."""
        asked = self.question
        if asked is None or asked.solved:
            raise ValueError("there is no open question; ask first.")
        if asked.of == "size":
            right, text = judge_size(self.layer, self.sizes[0], self.values["layers"], _size("answer", answer))
        else:
            right, text = judge_value(self.layer, self.maps[-2], *self.at, _number("answer", answer, 1e9))
        asked.tries += 1
        asked.right = asked.solved = right
        asked.verdict = f"{text} {self._truth()}" if right else text
        if asked.tries == 1:
            self.asked_count += 1
            self.right_count += right
        return {"right": right, "text": asked.verdict}

    def reveal(self) -> None:
        """Give up: show it. Counts as a wrong answer unless one has been counted."""
        asked = self.question
        if asked is None or asked.solved:
            raise ValueError("there is no open question; ask first.")
        self.asked_count += asked.tries == 0
        asked.solved, asked.verdict = True, self._truth()

    def forget(self) -> None:
        """Drop the question, answered or not."""
        self.question = None

    # What is seen and said.

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header:
            run          {"step", "first", "last", "running"}: the chosen output cell, row by row
            say          "Output row 0, column 1: 3."
            hidden       "value": the last map is all NaN and there are no products; "size": there are no maps but the
                         picture; None: everything is shown
            at           [row, column] of the chosen output cell, from 0
            example      which picture this is; mode, layers: of the settings too
            maps         for each map, the picture first: {"title", "size", "window": [top, left, bottom, right] of what
                         the chosen cell sees of it, "padding": [rows, columns] around it, "pad": what stands there}
            taps         {"rows", "columns"}: of the window's places in the last map but one; may lie outside
            sums         the arithmetic behind the chosen cell, a list of lines
            explanation  what is worth noticing, a list of sentences; field: the same about the receptive field
            formula      {"general", "letters", "rows", "columns", "chain"} or None
            question     None, or {"of", "solved", "text", "verdict", "right", "tries"}; score: {"right", "answered"}
            undoable     whether there is a change to take back

        arrays, all float32:
            map0, map1, ...      the maps; paths0, ...: paths from each cell to the chosen one
            kernel               as typed; laid: as it is laid on
            values, weights, products   of the window's places, NaN for none
        """
        hidden, count = self.hidden, self.values["layers"]
        shown = self.seen
        shown, maps = (shown[:1], self.maps[:1]) if hidden == "size" else (shown, self.maps)
        header = {
            "run": self._run(),
            "say": words.say(self),
            "hidden": hidden,
            "at": list(self.at),
            "mode": self.layer.mode,
            "example": self.values["example"],
            "layers": count,
            "maps": [self._map(level, seen) for level, seen in enumerate(shown)],
            "taps": self._taps(),
            "sums": [] if hidden else words.sums(self),
            "explanation": [] if hidden else words.explanation(self),
            "field": [] if hidden == "size" else words.field(self),
            "formula": None if hidden == "size" else words.formula(self),
            "question": self._asked(),
            "score": {"right": self.right_count, "answered": self.asked_count},
            "undoable": bool(self._past),
        }
        arrays = {f"map{level}": each for level, each in enumerate(maps)}
        if hidden == "value":
            arrays[f"map{count}"] = torch.full_like(self.output, math.nan)
        arrays |= {f"paths{level}": each.paths for level, each in enumerate(shown)}
        arrays |= {"kernel": self.kernel, "laid": self.layer.laid}
        places = [] if hidden else self.places
        for name in ("value", "weight", "product"):
            numbers = [math.nan if (it := getattr(place, name)) is None else it for place in places]
            arrays[f"{name}s"] = torch.tensor(numbers, device="cpu").float()
        return Snapshot(header, arrays)

    def describe(self) -> str:
        return words.describe(self)

    def to_code(self) -> str:
        """A program on torch that prints the output."""
        return program(self)

    # To share.

    def state(self) -> dict[str, Any]:
        own = {"image": self.image.tolist()} if self.values["example"] == "own" else {}
        own |= {"kernel": self.kernel.tolist()} if self.values["preset"] == "own" else {}
        return {"params": dict(self.values), "at": list(self.at), **own}

    def restore(self, state: Mapping[str, Any]) -> None:
        params = dict(state["params"])
        fresh = type(self)(
            image=state.get("image"),
            kernel=state.get("kernel"),
            **{
                name: value
                for name, value in params.items()
                if not (name == "size" and "image" in state) and not (name == "kernel_size" and "kernel" in state)
            },
        )
        fresh.go(*state["at"])
        self.__dict__ = fresh.__dict__

    # Inside.

    def _take(self, image: Map, kernel: Map) -> None:
        """Compute everything anew from these and the values. Raises ValueError where the window does not fit."""
        self.values["size"], self.values["kernel_size"] = tuple(image.shape), tuple(kernel.shape)
        check(self.values)
        layer, count = Layer.of(self.values, kernel), self.values["layers"]
        size = tuple(image.shape)
        for level in range(1, count + 1):
            try:
                size = layer.sizes(size)
            except ValueError as error:
                raise ValueError(f"in layer {level} {error}" if count > 1 else str(error)) from None
            if max(size) > LARGEST_MAP:
                raise ValueError(
                    f"layer {level} would make a map of {size[0]} x {size[1]}; up to {LARGEST_MAP} x {LARGEST_MAP} can "
                    "be shown. Take less padding or fewer layers."
                )
        maps = chain(layer, image, count)
        if not maps[-1].isfinite().all():
            raise ValueError(
                "a window would hold nothing but padding, whose largest number is minus infinity: the dilation steps "
                "over the picture. Take less dilation, or less padding."
            )
        self.layer, self.maps = layer, maps
        self._chosen = {name: self.values[name] for name in ("example", "preset")}
        self.at = tuple(min(at, limit - 1) for at, limit in zip(self.at, size, strict=True))

    def _change(self, image: Map, kernel: Map, *, keep: bool = True, stroke: Any = None, **values: Any) -> None:
        """Take these, or with a ValueError leave everything as it was."""
        before, past = self.values, self._kept()
        self.values = before | values
        try:
            self._take(image, kernel)
        except ValueError:
            self.values = before
            raise
        if keep and not (stroke is not None and stroke == self._stroke):
            self._remember(past)
        self._stroke = stroke

    def _kept(self) -> tuple[dict[str, Any], Map, Map]:
        """What `undo` needs to come back here."""
        return self._chosen, self.image, self.kernel

    def _remember(self, past: tuple[dict[str, Any], Map, Map]) -> None:
        self._past = [*self._past, past][-UNDO:]

    def _pictured(self) -> Map:
        name, size = self.values["example"], self.values["size"]
        if name != "own":
            return pictures.example(name, *size, self.values["seed"])
        return pictures.resized(self.image, *size) if hasattr(self, "maps") else torch.zeros(size, device="cpu")

    def _preset(self) -> Map:
        name, size = self.values["preset"], self.values["kernel_size"]
        if name != "own":
            return kernels.preset(name, *size)
        return kernels.resized(self.kernel, *size) if hasattr(self, "maps") else torch.zeros(size, device="cpu")

    def _go_to_a_telling_cell(self) -> None:
        """One of the cells at which most mistakes would show; another one each time."""
        shows = telling(self.layer, self.maps[-2])
        best = (shows >= shows.max() - 0.1).nonzero().tolist()
        self.at = tuple(best[7 * self.asked_count % len(best)])

    def _truth(self) -> str:
        if self.question.of == "size":
            rows, columns = self.sizes[-1]
            return f"It has {rows} rows and {columns} columns."
        return f"It is {number(self.value)}."

    def _run(self) -> dict[str, Any]:
        if self.hidden == "size":
            return {"step": 0, "first": 0, "last": 0, "running": False}
        return {"step": self.index, "first": 0, "last": self.output.numel() - 1, "running": self.running}

    def _map(self, level: int, seen: Seen) -> dict[str, Any]:
        last, layer = level == self.values["layers"], self.layer
        title = "Picture" if level == 0 else "Output" if self.values["layers"] == 1 else f"Layer {level}"
        pad = "-∞" if layer.mode == "max" else "" if layer.skips or last else "0"
        return {
            "title": title,
            "size": list(self.sizes[level]),
            "window": list(seen.window),
            "padding": [0, 0] if last else list(layer.padding),
            "pad": pad,
        }

    def _taps(self) -> dict[str, list[int]]:
        places = self.places
        return {
            "rows": sorted({place.row for place in places}),
            "columns": sorted({place.column for place in places}),
        }

    def _asked(self) -> dict[str, Any] | None:
        asked = self.question
        if asked is None:
            return None
        return {
            "of": asked.of,
            "solved": asked.solved,
            "text": words.question(self),
            "verdict": asked.verdict,
            "right": asked.right,
            "tries": asked.tries,
        }


def _pixels(values: Any) -> Map:
    return contiguous(values, "image", 3, 16, LARGEST_PIXEL)


def _weights(values: Any) -> Map:
    return contiguous(values, "kernel", 1, 5, LARGEST_WEIGHT)


def _cells(cells: Any, most: int) -> list[tuple[Any, Any]]:
    try:
        listed = [tuple(cell) for cell in cells]
    except TypeError:
        listed = None
    if listed is None or len(listed) > most or any(len(cell) != 2 for cell in listed):
        raise ValueError("cells: wanted a list of (row, column), such as [(2, 3), (2, 4)], no longer than the picture.")
    return listed


def _size(name: str, value: Any) -> Pair:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{name}: wanted two whole numbers, (rows, columns), such as (5, 5).")
    return whole("rows", value[0], 0, 999), whole("columns", value[1], 0, 999)


def _number(name: str, value: Any, largest: float) -> float:
    return Number(label=name, default=0.0, low=-largest, high=largest).check(name, value)
