"""Whatever reads symbols and says what may come next, in one form: model(ids (1, time), state) -> (logits, state).

A network has this form already. An n-gram gets it from `NGramReader`: its state is the last few symbols. So the same
sampler writes with either, and the two can read one text side by side.
"""

from functools import lru_cache
from typing import Any

import torch

from dlcourse import data
from dlcourse.models.ngram import NGram
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Int, Tensor

ORDER = 6  # of the model that is there when none is given


class NGramReader(torch.nn.Module):
    """An n-gram that reads like a network: `generation.sample` and `CharSampler` take it in place of one.

    Its state is the last order - 1 symbols, (1, up to order - 1), which is all that an n-gram knows of the past.

    >>> ngram = NGram.fit(torch.tensor([0, 1, 0, 1, 0]), order=2, classes=2)
    >>> logits, state = NGramReader(ngram)(torch.tensor([[1, 0]]))
    >>> logits.exp()[0, -1], state
    (tensor([0.1905, 0.8095]), tensor([[0]]))
    """

    def __init__(self, ngram: NGram):
        super().__init__()
        self.ngram = ngram

    def forward(
        self, ids: Int[Tensor, "1 time"], state: Int[Tensor, "1 length"] | None = None
    ) -> tuple[Float[Tensor, "1 time classes"], Int[Tensor, "1 length"]]:
        """(logits, state): logits[0, t] are the logarithms of p(symbol | everything up to ids[0, t])."""
        before = len(self.ngram.tables) - 1
        known = ids if state is None else torch.cat([state, ids], 1)
        start = known.shape[1] - ids.shape[1]
        ends = range(start + 1, known.shape[1] + 1)
        logits = [self.ngram.probabilities(known[0, max(0, end - before) : end]).log() for end in ends]
        return torch.stack(logits)[None], known[:, max(0, known.shape[1] - before) :]


class Reader(torch.nn.Module):
    """A learner's model as the sampler uses it: on its own device, and with a plain word where its answer is no good.

    Raises ValueError for something that cannot be called, and when called for an answer that is not (logits (1, time,
    classes), state), with as many classes as the vocabulary has symbols, or that holds nan.
    """

    def __init__(self, model: Any, classes: int, name: str):
        super().__init__()
        if isinstance(model, type) or not (callable(model) or isinstance(model, NGram)):
            raise ValueError(
                f"{name} is {type(model).__name__}, which cannot be called; wanted a trained model that is called as "
                "model(ids, state), such as a CharRNN, or an NGram."
            )
        self.title = _title(model)
        self.model = NGramReader(model) if isinstance(model, NGram) else model
        self.classes, self.name = classes, name
        self.check()

    def check(self) -> None:
        """Read one symbol, to hear early what is wrong."""
        with evaluating(self):
            self(torch.zeros(1, 1, dtype=torch.long, device="cpu"))

    @property
    def stamp(self) -> tuple[int, ...]:
        """Changes when the model's weights do."""
        return tuple(weight._version for weight in self.parameters())

    def forward(self, ids: Int[Tensor, "1 time"], state: Any = None) -> tuple[Float[Tensor, "1 time classes"], Any]:
        """The logits on the CPU; the state as the model gave it."""
        wanted = f"(logits, state) with logits (1, {ids.shape[1]}, {self.classes}), one for each symbol"
        weight = next(self.parameters(), ids)  # a model that has none reads where the ids are
        came = self.model(ids.to(weight.device), state)
        if not isinstance(came, tuple) or len(came) != 2 or not isinstance(came[0], Tensor):
            raise ValueError(f"{self.name}(ids, state) gave {_kind(came)}; wanted {wanted}, and the next state.")
        logits, state = came
        if logits.shape != (1, ids.shape[1], self.classes):
            raise ValueError(
                f"{self.name}(ids (1, {ids.shape[1]}), state) gave logits {tuple(logits.shape)}; wanted {wanted} of "
                "the vocabulary. Was it trained with this vocabulary?"
            )
        logits = logits.float().cpu()
        if logits.isnan().any() or not logits.amax(-1).isfinite().all():
            raise ValueError(
                f"{self.name}'s logits are not numbers (nan or infinite), so nothing can be drawn from them: it has "
                "been trained to pieces, or its weights were overwritten. Train it afresh, at a smaller learning rate."
            )
        return logits, state


@lru_cache(maxsize=1)
def usual() -> tuple[NGram, data.Vocabulary]:
    """The 6-gram of nine tenths of `data.load("topics")`, and the characters of the whole."""
    text = data.load("topics").text
    vocabulary = data.Vocabulary.of(text)
    ids = vocabulary.encode(data.split_blocks(text)[0])
    return NGram.fit(ids, order=ORDER, classes=len(vocabulary)), vocabulary


def _title(model: Any) -> str:
    """What the model is called on the screen."""
    model = model.ngram if isinstance(model, NGramReader) else model
    if isinstance(model, NGram):
        return f"{len(model.tables)}-gram"
    return type(model).__name__ if isinstance(model, torch.nn.Module) else "model"


def _kind(came: Any) -> str:
    if isinstance(came, Tensor):
        return f"a tensor {tuple(came.shape)}"
    return f"a tuple of {len(came)}" if isinstance(came, tuple) else type(came).__name__
