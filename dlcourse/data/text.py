"""Text as numbers: a vocabulary, a part held out, and the batches from which a network with a state learns.

    text -> ids: each symbol's number        train, held_out = split_blocks(text)
    for x, y, first in text_batches(ids, size=16, time=64): ...        y is x one symbol further on

**Held out in blocks.** Neighbouring characters tell each other's secrets, so single characters or lines drawn at random
would leak; the last tenth of a text is often about something else, and then the change of subject is measured, not the
model. Blocks of some thousand characters, taken at even distances, avoid both. What is left of a leak is at the seams,
once for each block.

**Batches for a state.** The text is cut into `size` streams of equal length, which are read side by side, `time`
symbols at a time: row i of a batch goes on where row i of the batch before it ended. So a recurrent network may carry
its state from batch to batch and remember further back than `time`, while gradients flow `time` steps at most. That is
truncated backpropagation through time (Williams and Peng, 1990, "An efficient gradient-based algorithm for on-line
training of recurrent network trajectories"; Sutskever, 2013, "Training recurrent neural networks", section 2.8.6).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from dlcourse.types import Int, Tensor


@dataclass(frozen=True)
class Vocabulary:
    """The characters that there are, each with a number: its place in `symbols`. Made by `Vocabulary.of(text)`.

    A character that is not in it is refused, and there is no entry for "unknown": a model that may answer "unknown" is
    not charged for the character, so its bits per character would compare with nobody else's. Make the vocabulary of
    the whole text, held-out part too: that gives away which characters there are, nothing more, and to all models
    alike. For text that nobody has seen yet take `Bytes`, to which none is unknown.

    >>> vocabulary = Vocabulary.of("banana")
    >>> vocabulary.symbols, vocabulary.encode("nab"), vocabulary.decode(torch.tensor([1, 0, 2]))
    ('abn', tensor([2, 0, 1]), 'ban')
    """

    symbols: str  # each character once; `of` sorts them
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.symbols or len(set(self.symbols)) < len(self.symbols):
            raise ValueError(f"Vocabulary({self.symbols!r}): wanted each character once, at least one. See `of`.")
        object.__setattr__(self, "_numbers", {symbol: i for i, symbol in enumerate(self.symbols)})

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The different characters of the text, in the order of their code points. Raises ValueError for no text."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Int[Tensor, " time"]:
        """The numbers of the characters, int64 on the CPU. Raises ValueError naming those that are not in it."""
        if unknown := sorted(set(text) - self._numbers.keys()):
            shown = ", ".join(map(repr, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
            raise ValueError(
                f"Not among the {len(self)} characters of this vocabulary: {shown}. Make it of the whole text, or take "
                "data.Bytes, to which no text is unknown."
            )
        return torch.tensor([self._numbers[character] for character in text], dtype=torch.long, device="cpu")

    def decode(self, ids: Int[Tensor, " time"]) -> str:
        """The text again. Raises TypeError for ids that are no integers, ValueError for one that stands for nothing."""
        return "".join(self.symbols[i] for i in _numbers(self, ids))


@dataclass(frozen=True)
class Bytes:
    """The 256 bytes of UTF-8 as a vocabulary: any text has numbers, and a character may take several of them.

    >>> Bytes().encode("aé"), Bytes().decode(torch.tensor([97, 195, 169]))
    (tensor([ 97, 195, 169]), 'aé')
    """

    def __len__(self) -> int:
        return 256

    def encode(self, text: str) -> Int[Tensor, " time"]:
        """The bytes of the text, int64 on the CPU."""
        return torch.tensor(list(text.encode()), dtype=torch.long, device="cpu")

    def decode(self, ids: Int[Tensor, " time"]) -> str:
        """The text again; bytes that are no whole character, as a model may write them, become �.

        Errors as for `Vocabulary.decode`.
        """
        return bytes(_numbers(self, ids)).decode(errors="replace")


def split_blocks(text: str, *, block: int = 5000, every: int = 10) -> tuple[str, str]:
    """(train, held_out): of the blocks of `block` characters each `every`-th is held out, so none of it is in both.

    Each part is put together again in the order of the text. That makes seams: the first characters behind one follow a
    text that they do not belong to, which costs any model a little. A shorter last block goes where a whole one would.
    Raises ValueError for a block below 1, for `every` below 2, and for a text too short to hold out anything.

    >>> split_blocks("aabbccddeeffg", block=2, every=3)
    ('aabbddeeg', 'ccff')
    """
    if block < 1 or every < 2:
        raise ValueError(f"split_blocks(block={block}, every={every}): wanted a block of 1 or more, and every >= 2.")
    if len(text) <= block * (every - 1):
        raise ValueError(
            f"split_blocks: a text of {len(text)} characters has no block number {every} of {block} each, so nothing "
            "would be held out. Give smaller blocks, or hold out more often."
        )
    blocks = [text[start : start + block] for start in range(0, len(text), block)]
    held = blocks[every - 1 :: every]
    del blocks[every - 1 :: every]
    return "".join(blocks), "".join(held)


@dataclass(frozen=True, eq=False, repr=False)
class TextBatches:
    """Windows of parallel streams: made by `text_batches`, gone through as often as you like, always in this order."""

    ids: Int[Tensor, " time"]
    size: int  # streams
    time: int  # symbols of each stream in one batch

    @property
    def stream(self) -> int:
        """Symbols to predict in each stream."""
        return (len(self.ids) - 1) // self.size

    def __len__(self) -> int:
        return -(-self.stream // self.time)

    def __iter__(self) -> Iterator[tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"], bool]]:
        used = self.size * self.stream
        x = self.ids[:used].view(self.size, self.stream)
        y = self.ids[1 : used + 1].view(self.size, self.stream)
        for start in range(0, self.stream, self.time):
            now = slice(start, start + self.time)
            yield x[:, now], y[:, now], start == 0

    def __repr__(self) -> str:
        return f"TextBatches({len(self)} of {self.size} x {self.time}, from {len(self.ids):,} symbols)"


def text_batches(ids: Int[Tensor, " time"], *, size: int, time: int) -> TextBatches:
    """Batches (x, y, first) of a text: x and y are (size, time), y is x one symbol further on.

    `first` is True in the first batch of a pass, where a state has to begin anew; in all others row i goes on where row
    i of the batch before ended. The last batch may be shorter in time. Left out at the end of the text are fewer than
    `size` symbols, those that do not fill the streams evenly. There is no chance in it: each pass is the same. The
    batches live where the ids live, and share their memory. Raises ValueError when size or time is below 1, or the text
    is too short to give each stream a symbol to predict; TypeError for ids that are no integers.

    >>> for x, y, first in text_batches(torch.arange(10), size=2, time=3):
    ...     print(x.tolist(), y.tolist(), first)
    [[0, 1, 2], [4, 5, 6]] [[1, 2, 3], [5, 6, 7]] True
    [[3], [7]] [[4], [8]] False
    """
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"text_batches got ids of {ids.dtype}; wanted integers, such as vocabulary.encode(text).")
    if ids.ndim != 1 or size < 1 or time < 1 or len(ids) <= size:
        raise ValueError(
            f"text_batches got ids {tuple(ids.shape)}, size={size} and time={time}; wanted one row of ids, size and "
            "time of 1 or more, and more symbols than streams, so that each has one to predict."
        )
    return TextBatches(ids.contiguous(), size, time)


def _numbers(vocabulary: Vocabulary | Bytes, ids: Tensor) -> list[int]:
    """The ids as a list of ints that are all in the vocabulary."""
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"decode got ids of {ids.dtype}; wanted integers. Of logits take logits.argmax(-1).")
    if ids.ndim != 1:
        raise ValueError(f"decode got ids {tuple(ids.shape)}; wanted one row, (time,). Of a batch take one: ids[0].")
    if len(ids) and (ids.min() < 0 or ids.max() >= len(vocabulary)):
        raise ValueError(
            f"decode got ids from {ids.min()} to {ids.max()}; wanted 0 to {len(vocabulary) - 1}, the places in this "
            "vocabulary."
        )
    return ids.tolist()
