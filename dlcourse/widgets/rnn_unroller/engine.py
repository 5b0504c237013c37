"""The unroller's engine: what may be set, what a learner may do, and what a view gets to see.

Steps count from 1: step t reads character t and leaves the state h_t; h_0, before the first, is zeros. Units count
from 0.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from dlcourse import nn
from dlcourse.nn.unroll import each, hidden_of, unroll_steps
from dlcourse.types import Float, Tensor
from dlcourse.widgets.engine import Engine
from dlcourse.widgets.params import whole
from dlcourse.widgets.rnn_unroller import words
from dlcourse.widgets.rnn_unroller.cells import GATES, PARTS, run
from dlcourse.widgets.rnn_unroller.chart import Chart, chart, mark, why_none
from dlcourse.widgets.rnn_unroller.code import program
from dlcourse.widgets.rnn_unroller.numbers import scale
from dlcourse.widgets.rnn_unroller.own import Own, visible
from dlcourse.widgets.rnn_unroller.params import PARAMS
from dlcourse.widgets.snapshot import Snapshot, quantise

LIVE = frozenset({"cut", "unit", "pace"})  # no number changes with these
LIKELIEST = 5  # characters shown of what a model expects


class RNNUnrollerEngine(Engine):
    """A recurrent cell reads a text: its states, its gates, and how much of a gradient gets back through time.

    values: parameters by name (see `params.PARAMS`), with the meanings of their `help`; each character is a random
    vector of 8 numbers, the same wherever it occurs.
    cell: "rnn", "lstm", "gru", or a cell or layer of your own (see `cells.read`), with an embedding and a vocabulary
    where there are some; model: a whole network such as models.CharRNN, with its vocabulary; x: inputs (time, features)
    of your own in place of a text. All are copied. Raises ValueError for what does not fit, and for a parameter that
    has no meaning beside what you brought.

    >>> unroller = RNNUnrollerEngine(text="abab", radius=0.5, activation="none")
    >>> unroller.hidden.shape, unroller.flow.shape
    (torch.Size([4, 12]), torch.Size([4]))
    >>> unroller.flow[-1].item()
    1.0
    """

    name = "rnn-unroller"
    params: ClassVar = PARAMS
    actions = frozenset({"back", "scrub", "read", "to_code"})
    unseen: frozenset[str] = frozenset()  # what the widget hides: the still picture and `describe` leave it out, too

    def __init__(
        self,
        cell: Any = None,
        *,
        embedding: Any = None,
        vocabulary: Any = None,
        model: Any = None,
        x: Any = None,
        **values: Any,
    ) -> None:
        if isinstance(cell, str):
            values["cell"], cell = cell, None
        super().__init__(**values)
        self.own = Own(cell, embedding, vocabulary, model, x)
        self.own.refuse(frozenset(values))
        if self.own.vocabulary is not None and "text" not in values:
            self.values["text"] = _known(self.values["text"], self.own.vocabulary)
        if self.own.cells is not None:
            self.values["cell"] = self.own.cells[-1].kind
        self.at = 1
        self._compute(cut_given="cut" in values)

    # What is computed.

    @property
    def time(self) -> int:
        """How many steps there are."""
        return len(self.hidden)

    @property
    def cell(self):
        """The cell whose states are shown: of several layers the top one."""
        return self.cells[-1]

    @property
    def flow(self) -> Float[Tensor, " time"]:
        """|d h_T / d state_t| for t = 1 to T, as `nn.gradient_flow` measures it; 0 before the cut."""
        flow = self.uncut.clone()
        flow[: self.values["cut"]] = 0
        return flow

    @property
    def parts(self) -> dict[str, Float[Tensor, " hidden"]]:
        """What the chosen step is made of: the names in `cells.PARTS`, the gates among them."""
        return {name: numbers[self.at - 1] for name, numbers in self.all_parts.items()}

    @property
    def chart(self) -> Chart | None:
        """The flow for other radii, or other biases of the keeping gate; None where there is none."""
        if self._chart is None and why_none(self.cell) is None:
            self._chart = chart(self.cell, self._inputs)
        return self._chart

    # The steps.

    @property
    def running(self) -> bool:
        return self.at < self.time

    def step(self, n: int = 1) -> None:
        """n steps further, at most to the last."""
        self.at = min(self.at + whole("n", n, 0, 10**6), self.time)

    def back(self, n: int = 1) -> None:
        """n steps back, at most to the first."""
        self.at = max(self.at - whole("n", n, 0, 10**6), 1)

    def scrub(self, step: int) -> None:
        """To any step, from 1."""
        self.at = whole("step", step, 1, self.time)

    def reset(self) -> None:
        """Back to the first step."""
        self.at = 1

    def read(self, text: str) -> None:
        """Another text; from the end of the old one to its end. Raises ValueError for what cannot be read."""
        end = not self.running
        self.set(text=text)
        if end:
            self.at = self.time

    def changed(self, names: frozenset[str]) -> None:
        self.own.refuse(names)
        if not names <= LIVE:
            self._compute(cut_given="cut" in names, keep_chart=names <= {"radius", "bias"})
        else:
            self._fit_cut(self.time, given="cut" in names)

    # What is seen and said.

    def snapshot(self) -> Snapshot:
        """What a view draws.

        header:
            run          {"step", "first", "last", "running"}
            say          "Step 3 of 29 reads e; ..."
            text         as it was typed; None: inputs of one's own. symbols: what stands below each step
            kind, units  of the cell. scale: [of states, of memory], what the bytes 0 and 254 stand for, with a minus
                         at 0; memory: None where there is none
            cut, unit    as set; unit at most the last
            parts        of the chosen step, for the rows of the array: [{"name", "help", "gate": from 0 to 1}]
            sums         the arithmetic of the chosen unit at the chosen step, a list of lines
            next         None, or {"likeliest": [[symbol, probability], ...], "truth": [symbol, probability] or None}
            chart        {"dial", "settings", "mark": [low, high] or None, "sets": whether the dial can be set} or None
            no_chart     why there is none
            explanation  what is worth noticing, a list of sentences
            own          whether the cell is the learner's

        arrays:
            states, memory   uint8 (units, time); memory only for an LSTM
            flow             float32 (time,), log10: -inf is 0. uncut: the same without the cut
            parts            float32 (parts, units)
            chart            float32 (settings, time), log10, k steps back for k = 0, 1, ...
        """
        tallest = [scale(self.hidden), None if self.memory is None else scale(self.memory)]
        parts, drawn = self.parts, self.chart
        header = {
            "run": {"step": self.at, "first": 1, "last": self.time, "running": self.running},
            "say": words.say(self),
            "text": None if self.own.x is not None else self.values["text"],
            "symbols": self.symbols,
            "kind": self.cell.kind,
            "units": self.cell.units,
            "scale": tallest,
            "cut": self.values["cut"],
            "unit": self.unit,
            "parts": [
                {"name": name, "help": said, "gate": name in GATES} for name, said in PARTS[self.cell.kind].items()
            ],
            "sums": words.sums(self),
            "next": self._next(),
            "chart": None
            if drawn is None
            else {
                "dial": drawn.dial,
                "settings": list(drawn.settings),
                "mark": mark(self.cell),
                "sets": self.own.cells is None,
            },
            "no_chart": why_none(self.cell),
            "explanation": words.explanation(self),
            "own": self.own.cells is not None,
        }
        arrays = {
            "states": quantise(self.hidden.T, -tallest[0], tallest[0]),
            "flow": self.flow.log10(),
            "uncut": self.uncut.log10(),
            "parts": torch.stack([*parts.values()]),
        }
        if self.memory is not None:
            arrays["memory"] = quantise(self.memory.T, -tallest[1], tallest[1])
        if drawn is not None:
            arrays["chart"] = drawn.flow
        return Snapshot(header, arrays)

    def describe(self) -> str:
        return words.describe(self)

    def to_code(self) -> str:
        """A program on torch and dlcourse that prints the gradient flow."""
        return program(self)

    # To share.

    def state(self) -> dict[str, Any]:
        if self.own:
            raise ValueError("a share string holds settings, not a cell or inputs of your own: share the code.")
        return {"params": dict(self.values), "step": self.at}

    def restore(self, state: Mapping[str, Any]) -> None:
        fresh = type(self)(**state["params"])
        fresh.scrub(state["step"])
        self.__dict__ = fresh.__dict__

    # Inside.

    @property
    def unit(self) -> int:
        return min(self.values["unit"], self.cell.units - 1)

    def _compute(self, *, cut_given: bool = False, keep_chart: bool = False) -> None:
        """Everything that depends on the cell and on what it reads. Raises ValueError before anything has changed."""
        cells = self.own.stack(self.values)
        read = self.own.reads(self.values, cells[0].features)
        self._fit_cut(len(read.x), given=cut_given)
        with torch.no_grad():
            layers = [read.x[None], *run(cells, read.x[None])]
            states = list(unroll_steps(cells[-1], layers[-2], cells[-1].zeros()))
        self.uncut = nn.gradient_flow(cells[-1], layers[-2], cells[-1].zeros())[0]
        before = [cells[-1].zeros(), *states[:-1]]
        before = each(lambda *parts: torch.cat(parts), *before)
        self.all_parts: dict[str, Float[Tensor, "time hidden"]] = cells[-1].parts(layers[-2][0], before)
        self.cells, self.symbols, self._ids = cells, read.symbols, read.ids
        self._inputs = layers[-2][0]
        self.hidden: Float[Tensor, "time hidden"] = torch.cat([hidden_of(state) for state in states])
        lstm = cells[-1].kind == "lstm"
        self.memory: Float[Tensor, "time hidden"] | None = torch.cat([c for _, c in states]) if lstm else None
        self._says = self.own.says(self.hidden)
        self._chart = self._chart if keep_chart else None
        self.at = min(self.at, self.time)

    def _fit_cut(self, steps: int, *, given: bool) -> None:
        """A cut beyond a text that has become shorter is gone; one that was asked for there is refused."""
        if self.values["cut"] >= steps:
            if given:
                raise ValueError(
                    f"cut={self.values['cut']}: the text has {steps} steps; wanted 0, no cut, or a cut after step "
                    f"1 to {steps - 1}."
                )
            self.values["cut"] = 0

    def _next(self) -> dict[str, Any] | None:
        """What a model expects after the chosen step."""
        if self._says is None:
            return None
        said = self._says[self.at - 1]
        named = lambda i: visible(self.own.vocabulary.decode(torch.tensor([i], device="cpu")))  # noqa: E731
        best = said.topk(min(LIKELIEST, len(said)))
        truth = None
        if self.at < self.time:
            symbol = self._ids[self.at].item()
            truth = [named(symbol), _finite(said[symbol].item())]
        likeliest = [[named(i), _finite(p)] for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)]
        return {"likeliest": likeliest, "truth": truth}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _known(text: str, vocabulary: Any) -> str:
    """The part of the default text that the vocabulary can say, or its first characters."""

    def said(character: str) -> bool:
        try:
            return bool(len(vocabulary.encode(character)))
        except ValueError:
            return False

    return "".join(filter(said, text)) or vocabulary.decode(torch.arange(min(len(vocabulary), 20), device="cpu"))
