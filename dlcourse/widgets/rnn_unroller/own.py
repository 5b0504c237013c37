"""What the learner brought, checked and copied: a cell, a network with its vocabulary, or a sequence of inputs."""

import copy
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse.types import Float, Int, Tensor
from dlcourse.widgets.rnn_unroller.cells import Cell, make, read, vectors
from dlcourse.widgets.rnn_unroller.params import STEPS

MARKS = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}


def visible(symbol: str) -> str:
    """A character as something to look at.

    >>> [visible(symbol) for symbol in ("a", " ", chr(10), chr(0))]
    ['a', '␣', '↵', '□']
    """
    return MARKS.get(symbol, symbol if symbol.isprintable() else "□")


@dataclass(frozen=True)
class Read:
    """A sequence as the cell gets it. symbols: what to write below each step."""

    symbols: list[str]
    x: Float[Tensor, "time features"]
    ids: Int[Tensor, " time"] | None = None


class Own:
    """Any of cell, embedding, vocabulary, model and x, or nothing. Raises ValueError for what does not fit together.

    cell: see `cells.read`; of a layer of several, the top one is shown. embedding: (classes, features), a tensor or an
    nn.Embedding; without one the inputs are one-hot. model: has `embedding`, `rnn` and `linear`, as models.CharRNN.
    x: inputs of your own, (time, features), in place of a text.
    """

    def __init__(
        self, cell: Any = None, embedding: Any = None, vocabulary: Any = None, model: Any = None, x: Any = None
    ):
        if model is not None and (cell is not None or embedding is not None or x is not None):
            raise ValueError("a model brings its cell and its embedding: give it and its vocabulary, and nothing else.")
        if (model is not None or embedding is not None) and vocabulary is None:
            raise ValueError(
                "which character has which row of the embedding? Give the vocabulary too: vocabulary=data.Vocabulary"
                ".of(text), the one that the network learned with."
            )
        if x is not None and (embedding is not None or vocabulary is not None):
            raise ValueError("x is what the cell reads: there is no vocabulary or embedding beside it.")
        self.vocabulary, self.head = vocabulary, None
        if model is not None:
            cell, embedding = _part(model, "rnn"), _part(model, "embedding")
            self.head = copy.deepcopy(_part(model, "linear")).to("cpu", torch.float32).requires_grad_(False)
        self.cells = None if cell is None else read(cell)
        if vocabulary is not None and self.cells is None:
            raise ValueError("a vocabulary goes with a cell of your own: give cell= or model= too.")
        self.table = None if embedding is None else _table(embedding)
        self.x = None if x is None else _inputs(x)
        self._fit()

    def __bool__(self) -> bool:
        return self.cells is not None or self.x is not None

    @property
    def fixed(self) -> tuple[str, ...]:
        """Parameters that mean nothing beside what the learner brought."""
        names = () if self.x is None else ("text",)
        if self.cells is not None:
            names += ("cell", "units", "radius", "activation", "start", "bias", "longest")
            names += () if self.x is None and self.vocabulary is None else ("seed",)
        return names

    def refuse(self, names: frozenset[str]) -> None:
        """Raises ValueError when one of these parameters is fixed."""
        for name in sorted(names & set(self.fixed)):
            raise ValueError(
                f"{name} cannot be set here: the {'inputs are' if name == 'text' else 'cell is'} your own."
            )

    def stack(self, values: dict[str, Any]) -> list[Cell]:
        """All layers, the shown one on top."""
        if self.cells is not None:
            return self.cells
        return [make(values) if self.x is None else make(values, self.x.shape[1])]

    def reads(self, values: dict[str, Any], features: int) -> Read:
        """Raises ValueError for a character that the vocabulary does not have, and for too many steps."""
        text = values["text"]
        if self.x is not None:
            return Read([""] * len(self.x), self.x)
        if self.vocabulary is None:
            return Read([visible(symbol) for symbol in text], vectors(text, features, values["seed"]))
        ids = self.vocabulary.encode(text)
        if not 1 <= len(ids) <= STEPS:
            raise ValueError(f"the text is {len(ids)} symbols long for this vocabulary; wanted 1 to {STEPS}.")
        symbols = [visible(self.vocabulary.decode(ids[t : t + 1])) for t in range(len(ids))]
        return Read(symbols, self.table[ids], ids)

    def _fit(self) -> None:
        """The sizes of cell, table, vocabulary and head belong together."""
        if self.cells is None:
            return
        features = self.cells[0].features
        if self.x is not None and self.x.shape[1] != features:
            raise ValueError(f"x is {tuple(self.x.shape)}; the cell reads (time, {features}).")
        if self.vocabulary is None:
            return
        classes = len(self.vocabulary)
        if self.table is None and features != classes:
            raise ValueError(
                f"the cell reads {features} numbers a step and the vocabulary has {classes} characters, so they are not"
                " one-hot: give the embedding too."
            )
        if self.table is None:
            self.table = torch.eye(classes, device="cpu")
        if self.table.shape != (classes, features):
            raise ValueError(
                f"the embedding is {tuple(self.table.shape)}; wanted ({classes}, {features}): a row for each character "
                "of the vocabulary, as long as what the cell reads."
            )

    @torch.no_grad()
    def says(self, outputs: Float[Tensor, "time hidden"]) -> Float[Tensor, "time classes"] | None:
        """A model's probabilities for what comes after each step."""
        return None if self.head is None else self.head(outputs).softmax(1)


def _part(model: Any, name: str) -> Any:
    found = getattr(model, name, None)
    if found is None:
        raise ValueError(
            f"the model is a {type(model).__name__} without {name!r}; wanted embedding, rnn and linear, as in "
            "models.CharRNN. Else give cell=, embedding= and vocabulary=."
        )
    return found


def _table(embedding: Any) -> Float[Tensor, "classes features"]:
    table = embedding.weight if isinstance(embedding, torch.nn.Embedding) else embedding
    return _numbers("embedding", table)


def _inputs(x: Any) -> Float[Tensor, "time features"]:
    own = _numbers("x", x)
    if not 1 <= len(own) <= STEPS:
        raise ValueError(f"x is {tuple(own.shape)}; wanted (time, features) with 1 to {STEPS} steps: x[0, :{STEPS}].")
    return own


def _numbers(name: str, values: Any) -> Tensor:
    try:
        own = torch.as_tensor(values).detach().to("cpu", torch.float32).clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no table of numbers ({error}). Give a tensor of two dimensions.") from None
    if own.ndim != 2 or not own.numel() or not own.isfinite().all():
        raise ValueError(f"{name} is {tuple(own.shape)}; wanted two dimensions of finite numbers.")
    return own
