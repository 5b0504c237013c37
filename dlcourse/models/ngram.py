"""The n-gram: how often did each symbol follow these n - 1 symbols? A language model made of counts, and hard to beat.

Most contexts of some length are new, or were seen once. So each length trusts its counts only so far, and asks the
next shorter one for the rest. With h' for the context h without its first symbol, and p = 1 / classes at the end:

    p(w | h) = (c(hw) + t(h) p(w | h')) / (c(h) + t(h))        Witten-Bell
    p(w | h) = (max(c(hw) - D, 0) + D t(h) p(w | h')) / c(h)   Kneser-Ney, D = 3/4

c counts in the text that was learnt from; t(h) is the number of *different* symbols that followed h. Something new
came t(h) times out of c(h), so Witten and Bell leave that share for what is new: "q" is always followed by "u", and a
context like that is trusted soon. Kneser and Ney take the same D from every count; and in all contexts but the longest,
c(hw) is the number of different symbols that stood *before* hw, and c(h) their sum. For a shorter context is asked
where the longer one has not seen w: what counts is in how many contexts w has followed, not how often in one of them.
An h that was never seen says nothing: p(w | h) = p(w | h').

Witten and Bell, 1991, "The zero-frequency problem: estimating the probabilities of novel events in adaptive text
compression" (method C). Kneser and Ney, 1995, "Improved backing-off for m-gram language modeling". Both interpolated as
in Chen and Goodman, 1999, "An empirical study of smoothing techniques for language modeling". An n-gram of order n
looks back n - 1 symbols and never further; it has seen "the cat" and learns nothing from it about "the dog". That is
what a network with a state is for.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch

from dlcourse.nn.sizes import whole
from dlcourse.types import Bool, Float, Int, Tensor

SMOOTHINGS = ("witten-bell", "kneser-ney")
DISCOUNT = 0.75  # Kneser-Ney's D


@dataclass(frozen=True)
class Counts:
    """What followed the contexts of one length. Contexts have numbers from 0, and so have pairs of one and a symbol.

    A pair is a context that is one symbol longer: the number of a pair is the number of a context in the next table.
    """

    pairs: Int[Tensor, " pairs"]  # context * classes + symbol, rising, for each pair that occurs
    count: Int[Tensor, " pairs"]  # c(hw): how often it does, or after how many different symbols
    total: Int[Tensor, " contexts"]  # c(h): the sum of the context's counts
    kinds: Int[Tensor, " contexts"]  # t(h): how many of them are above 0


@dataclass(frozen=True, eq=False, repr=False)
class NGram:
    """Counts for each length of context: made by `NGram.fit`.

    By hand, Witten-Bell: without a context p(1) = (2 + 2 * 1/2) / (5 + 2) = 3/7. After 0 came 1, twice, and nothing
    else, so p(1 | 0) = (2 + 1 * 3/7) / (2 + 1) = 17/21. Kneser-Ney: 1 stood after one symbol, 0; so did 0, after 1.
    So p(1) = (1 - 3/4 + 3/4 * 2 * 1/2) / 2 = 1/2, and p(1 | 0) = (2 - 3/4 + 3/4 * 1 * 1/2) / 2 = 13/16.

    >>> ids = torch.tensor([0, 1, 0, 1, 0])
    >>> NGram.fit(ids, order=2, classes=2).probabilities(torch.tensor([0]))
    tensor([0.1905, 0.8095])
    >>> NGram.fit(ids, order=2, classes=2, smoothing="kneser-ney").probabilities(torch.tensor([0]))
    tensor([0.1875, 0.8125])
    """

    classes: int
    tables: tuple[Counts, ...]  # for contexts of 0, 1, ..., order - 1 symbols
    smoothing: str = "witten-bell"

    @classmethod
    def fit(cls, ids: Int[Tensor, " time"], *, order: int, classes: int, smoothing: str = "witten-bell") -> "NGram":
        """Count all contexts of up to order - 1 symbols in a text of symbols 0 to classes - 1.

        smoothing is "witten-bell" or "kneser-ney". Tables of Witten-Bell serve any shorter order, too: of Kneser-Ney
        they do not, since the longest contexts are counted in another way than the rest.

        Raises ValueError for an order or classes below 1, for a text shorter than the order, for a symbol that is out
        of range, and for another smoothing; TypeError for ids that are no integers.
        """
        order, classes = whole("NGram.fit", 1, order=order, classes=classes)
        _check("NGram.fit", ids, classes, order)
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"NGram.fit got smoothing={smoothing!r}; wanted one of {', '.join(SMOOTHINGS)}.")
        context, symbol, contexts = torch.zeros_like(ids, dtype=torch.long), ids.long(), 1
        tables, numbers = [], []
        for _ in range(order):
            pairs, number, count = torch.unique(context * classes + symbol, return_inverse=True, return_counts=True)
            tables.append(_counts(pairs, count, contexts, classes))
            # What ends at one place is the context of the symbol at the next.
            context, symbol, contexts = number[:-1], symbol[1:], len(pairs)
            numbers.append(number)
        if smoothing == "kneser-ney":
            for i, (short, long) in enumerate(pairwise(tables)):
                # Each pair of the longer table is one of the shorter, without its first symbol: count those.
                less = torch.zeros_like(long.pairs).index_put((numbers[i + 1],), numbers[i][1:])
                tables[i] = _counts(short.pairs, less.bincount(minlength=len(short.pairs)), len(short.total), classes)
        return cls(classes, tuple(tables), smoothing)

    def probabilities(self, context: Int[Tensor, " time"]) -> Float[Tensor, " classes"]:
        """How likely each symbol is after this context, which may be empty; only its last order - 1 symbols count.

        Float32, above 0 all of them. Errors as `fit`.
        """
        _check("NGram.probabilities", context, self.classes, 0)
        before = [numbers[-1] for numbers in self._contexts(context)]
        return self._blend(before, torch.arange(self.classes, device=context.device))

    def loss(self, ids: Int[Tensor, " time"]) -> float:
        """Mean of -log p(symbol | what stands before it) over a text, in nats: the cross-entropy of a held-out text.

        The first symbol is predicted from nothing, the second from the first, and so on. Errors as `fit`.
        """
        _check("NGram.loss", ids, self.classes, 1)
        before = [numbers[:-1] for numbers in self._contexts(ids)]
        return -self._blend(before, ids).log().mean().item()

    def _contexts(self, ids: Int[Tensor, " time"]) -> list[Int[Tensor, " _"]]:
        """For each length of context the number of the one before each place, and after the last; -1 if unknown."""
        found = [ids.new_zeros(len(ids) + 1, dtype=torch.long)]
        for table in self.tables[:-1]:
            place, known = _find(table, found[-1][:-1] * self.classes + ids)
            longer = torch.where(known, place, -1)
            found.append(torch.cat([longer.new_full((1,), -1), longer]))
        return found

    def _blend(self, before: list[Int[Tensor, "..."]], symbol: Int[Tensor, "..."]) -> Float[Tensor, "..."]:
        """p(symbol | context), from no context to the longest: a formula of the top, once for each table."""
        p = torch.full_like(symbol, 1 / self.classes, dtype=torch.float32)
        for table, context in zip(self.tables, before, strict=True):
            place, known = _find(table, context * self.classes + symbol)
            count = torch.where(known, table.count[place], 0)
            total, kinds = table.total[context], table.kinds[context]
            if self.smoothing == "kneser-ney":
                longer = ((count - DISCOUNT).clamp(min=0) + DISCOUNT * kinds * p) / total
            else:
                longer = (count + kinds * p) / (total + kinds)
            p = torch.where((context >= 0) & (total > 0), longer, p)
        return p

    def __repr__(self) -> str:
        pairs = sum(len(table.pairs) for table in self.tables)
        return f"NGram({self.smoothing}, order {len(self.tables)}, {self.classes} classes, {pairs:,} counts)"


def ngram_definition(
    ids: Int[Tensor, " time"],
    context: Int[Tensor, " length"],
    *,
    order: int,
    classes: int,
    smoothing: str = "witten-bell",
) -> Float[Tensor, " classes"]:
    """The same for one context, by going through the whole text once for each length of context."""
    text, history = ids.tolist(), context.tolist()
    p = [1 / classes] * classes
    for length in range(order):
        h = history[len(history) - length :] if length <= len(history) else None
        places = [i for i in range(len(text) - length) if text[i : i + length] == h]
        followers = [text[i + length] for i in places]
        if smoothing == "kneser-ney" and length < order - 1:  # each once for each different symbol before the context
            followers = [w for _, w in {(text[i - 1], text[i + length]) for i in places if i > 0}]
        total, kinds = len(followers), len(set(followers))
        if followers and smoothing == "kneser-ney":
            p = [(max(followers.count(w) - DISCOUNT, 0) + DISCOUNT * kinds * p[w]) / total for w in range(classes)]
        elif followers:
            p = [(followers.count(w) + kinds * p[w]) / (total + kinds) for w in range(classes)]
    return torch.tensor(p, device=ids.device)


def _counts(pairs: Int[Tensor, " pairs"], count: Int[Tensor, " pairs"], contexts: int, classes: int) -> Counts:
    """The table of these pairs, with sums for each of so many contexts."""
    total, kinds = (pairs.new_zeros(contexts).index_add(0, pairs // classes, c) for c in (count, (count > 0).long()))
    return Counts(pairs, count, total, kinds)


def _find(table: Counts, pairs: Int[Tensor, "..."]) -> tuple[Int[Tensor, "..."], Bool[Tensor, "..."]]:
    """Where each pair stands in the table, and whether it does: that of an unknown context is below 0 and does not."""
    place = torch.searchsorted(table.pairs, pairs).clamp(max=len(table.pairs) - 1)
    return place, table.pairs[place] == pairs


def _check(caller: str, ids: Tensor, classes: int, least: int) -> None:
    """Raise what `fit` promises, saying what to do."""
    came = f"{caller} got ids {tuple(ids.shape)} of {ids.dtype}"
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"{came}; wanted integers, such as vocabulary.encode(text).")
    if ids.ndim != 1 or len(ids) < least:
        raise ValueError(f"{came}; wanted one row, (time,), of {least} symbols or more.")
    if len(ids) and (ids.min() < 0 or ids.max() >= classes):
        raise ValueError(f"{came}, from {ids.min()} to {ids.max()}; wanted symbols from 0 to {classes - 1}.")
