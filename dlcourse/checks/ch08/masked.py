"""08.masked: a recurrent network on a padded batch, whose padding changes nothing."""

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE, ROUNDED, parts, shapes_alone, way
from dlcourse.checks.examiner import NO_SLOPE, Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import show
from dlcourse.checks.subject import Subject

Pair = tuple[Tensor, Tensor]
NAMES = ("outputs", "final")


def masked_rnn(x, lengths, weight_ih, weight_hh, bias):
    real = torch.arange(x.shape[1]) < lengths[:, None]
    x = torch.where(real[:, :, None], x, 0.0)  # nothing but numbers is read, so that no slope is nan
    hidden = torch.zeros(len(x), len(bias), dtype=x.dtype)
    outputs = []
    for t in range(x.shape[1]):
        new = torch.tanh(x[:, t] @ weight_ih.T + hidden @ weight_hh.T + bias)
        here = real[:, t, None]
        hidden = torch.where(here, new, hidden)
        outputs.append(torch.where(here, hidden, 0.0))
    return torch.stack(outputs, dim=1), hidden


def _states(
    x: Tensor,
    real: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    *,
    bend: Callable[[Tensor], Tensor] = torch.tanh,
    start: float = 0.0,
    cut: bool = False,
) -> Tensor:
    """The state after each position, (batch, time, hidden), in float64: example by example, still where not real.

    cut: no gradient gets from one step to the step before.
    """
    x, weight_ih, weight_hh, bias = (tensor.double() for tensor in (x, weight_ih, weight_hh, bias))
    rows = []
    for n in range(len(x)):
        hidden, row = torch.full_like(bias, start), []
        for t in range(x.shape[1]):
            if real[n, t]:
                hidden = bend(weight_ih @ x[n, t] + weight_hh @ (hidden.detach() if cut else hidden) + bias)
            row.append(hidden)
        rows.append(torch.stack(row))
    return torch.stack(rows)


def _real(x: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(x.shape[1]) < lengths[:, None]


def truth(x: Tensor, lengths: Tensor, *weights: Tensor, **options: Any) -> Pair:
    """The right answer; options: of `_states`, for suspects."""
    real = _real(x, lengths)
    states = _states(x, real, *weights, **options)
    return _blank(states, real).to(x.dtype), states[:, -1].to(x.dtype)


def _blank(states: Tensor, real: Tensor) -> Tensor:
    return states.where(real.unsqueeze(2), 0.0)


def _other(read: Callable[..., Tensor], shown: Callable[..., Tensor] | None = None, final: Any = None) -> Callable:
    """An answer with another mask: read(x, lengths) is where the state moves, shown(...) where the outputs stay.

    final(states, lengths): None is the last position's.
    """

    def answer(x: Tensor, lengths: Tensor, *weights: Tensor) -> Pair:
        states = _states(x, read(x, lengths), *weights)
        outputs = _blank(states, (shown or read)(x, lengths))
        last = states[:, -1] if final is None else final(states, outputs, lengths)
        return outputs.to(x.dtype), last.to(x.dtype)

    return answer


def _all(x: Tensor, lengths: Tensor) -> Tensor:
    return torch.ones(x.shape[:2], dtype=torch.bool)


def _longer(by: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, lengths: _real(x, lengths + by)


def _as_one(which: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, lengths: _real(x, which(lengths).expand_as(lengths))


def _at(by: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The state of another position than each example's last."""

    def final(states: Tensor, outputs: Tensor, lengths: Tensor) -> Tensor:
        place = (lengths - 1 + by).clamp(max=states.shape[1] - 1)  # below 0 it counts from the end, as Python does
        return states[torch.arange(len(states)), place]

    return final


def _filled(x: Tensor, lengths: Tensor) -> Tensor:
    return x.where(_real(x, lengths).unsqueeze(2), 0.0)


def _carried(x: Tensor, lengths: Tensor, *weights: Tensor) -> Pair:
    """Example after example, without a new beginning."""
    outputs, final = x.new_zeros(*x.shape[:2], len(weights[2])).double(), []
    weight_ih, weight_hh, bias = (weight.double() for weight in weights)
    hidden = torch.zeros_like(bias)
    for n, length in enumerate(lengths.tolist()):
        for t in range(length):
            hidden = torch.tanh(weight_ih @ x[n, t].double() + weight_hh @ hidden + bias)
            outputs[n, t] = hidden
        final.append(hidden)
    return outputs.to(x.dtype), torch.stack(final).to(x.dtype)


def _late(x: Tensor, lengths: Tensor, *weights: Tensor) -> Pair:
    """The state before each input, in place of that after it."""
    real = _real(x, lengths)
    states = _states(x, real, *weights)
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
    return _blank(before, real).to(x.dtype), states[:, -1].to(x.dtype)


def _sorted(descending: bool) -> Callable[..., Pair]:
    def answer(x: Tensor, lengths: Tensor, *weights: Tensor) -> Pair:
        order = lengths.argsort(descending=descending, stable=True)
        return truth(x[order], lengths[order], *weights)

    return answer


def _unlike_weights(x: Tensor, lengths: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Pair:
    return truth(x, lengths, weight_ih, torch.zeros_like(weight_hh), bias)


def _summary(summary: Callable[[Tensor], Tensor]) -> Callable[..., Pair]:
    def answer(x: Tensor, lengths: Tensor, *weights: Tensor) -> Pair:
        outputs, _ = truth(x, lengths, *weights)
        return outputs, summary(outputs)

    return answer


IGNORED = (
    "The lengths are ignored: what stands after an example's length was read like the rest. There its state has to "
    "stand still, and its output to be 0."
)
WENT_ON = (
    "The outputs are right and the final states are not: the state moved on through the padding. It has to stand still "
    "after each example's length: keep the old one there."
)
NOT_BLANK = "The outputs after an example's length have to be 0. At the real positions all is right."
BLANK_FINAL = (
    "The final state of a shorter example came out as 0. Its *outputs* are 0 after its length; its state stands still "
    "there, and the final state is the one after its own last real position."
)
OFF = "Off by one: an example of length 3 has its real positions at 0, 1 and 2 - {}."
ZEROS = (
    "The padding was filled with zeros and then read. An input of 0 is an input: the state goes on by weight_hh and "
    "bias. It has to stand still."
)
ONE_LENGTH = (
    "All examples were given the same length, one bound for the whole batch (lengths.max() or lengths.min(), say): "
    "each has its own, in `lengths`."
)
CUT_SHORT = (
    "The outputs end with the longest example, and x is longer than that: (batch, time, hidden) with all of x's "
    "positions."
)
SHAPE = "The numbers are right, the shapes are not: outputs (batch, time, hidden), final (batch, hidden)."
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, tuple[Callable[..., Pair], ...]], ...] = (
    (IGNORED, (_other(_all),)),
    (WENT_ON, (_other(_all, _real),)),
    (
        BLANK_FINAL,
        (
            _other(_real, None, lambda states, outputs, lengths: outputs[:, -1]),
            _other(_real, None, lambda states, outputs, lengths: outputs[:, int(lengths.max()) - 1]),
        ),
    ),
    (OFF.format("the last of them was left out"), (_other(_longer(-1)), _other(_longer(-1), _real))),
    (OFF.format("one position of padding was read"), (_other(_longer(1)), _other(_longer(1), _real))),
    (
        "The outputs are right, and the final state is that of one position too early: for a length of 3 it is the "
        "state at position 2.",
        (_other(_real, None, _at(-1)),),
    ),
    (
        ZEROS,
        tuple(
            lambda x, lengths, *weights, shown=shown: _other(_all, shown)(_filled(x, lengths), lengths, *weights)
            for shown in (_all, _real)
        ),
    ),
    (
        "The mask is the wrong way round: the state moves where a position is real, and stands still where it is not.",
        (_other(lambda x, lengths: ~_real(x, lengths)),),
    ),
    (
        "The real positions were taken from the end: padding stands *after* them, so they are the first ones.",
        (_other(lambda x, lengths: _real(x, lengths).flip(1)),),
    ),
    (
        ONE_LENGTH,
        tuple(
            _other(_as_one(which), shown, final)
            for which in (lambda some: some[0], lambda some: some[-1], torch.min, torch.max)
            for shown, final in (
                (None, None),
                (_real, None),
                (_all, None),
                (None, lambda states, outputs, lengths: outputs[:, -1]),
            )
        ),
    ),
    (
        "The examples came back in another order: sorted by length. Put them back, or do not sort them.",
        (_sorted(True), _sorted(False)),
    ),
    (
        "An example begins with the state in which the one before it ended: each begins from zeros.",
        (_carried,),
    ),
    (
        "The outputs are a step late: outputs[:, t] is the state *after* input t was read.",
        (_late,),
    ),
    (
        "The sequence was read backwards: the first position comes first.",
        (
            lambda x, lengths, *weights: tuple(
                part.flip(1) if part.dim() == 3 else part for part in truth(x.flip(1), lengths, *weights)
            ),
            lambda x, lengths, *weights: _other(lambda x, some: _real(x, some).flip(1))(x.flip(1), lengths, *weights),
        ),
    ),
    (
        "The state of the step before is left out: nothing is remembered. tanh takes the sum of three.",
        (_unlike_weights,),
    ),
    (
        "The bias is left out.",
        (lambda x, lengths, *weights: truth(x, lengths, *weights[:2], torch.zeros_like(weights[2])),),
    ),
    (
        "The bias is added twice: here is only one. torch's cell has two, of which only the sum counts.",
        (lambda x, lengths, *weights: truth(x, lengths, *weights[:2], 2 * weights[2]),),
    ),
    (
        "weight_hh is the wrong way round: entry [i, j] says what unit j of the old state gives to unit i of the new "
        "one. With a batch in rows that is hidden @ weight_hh.T.",
        (lambda x, lengths, w, u, b: truth(x, lengths, w, u.T, b),),
    ),
    (
        "weight_ih is the wrong way round: it is (hidden, features). With a batch in rows that is x @ weight_ih.T.",
        (lambda x, lengths, w, u, b: truth(x, lengths, w.T, u, b),),
    ),
    ("The tanh is missing.", (lambda *args: truth(*args, bend=lambda total: total),)),
    (
        "Another bend than tanh: the weights were made for tanh.",
        (
            lambda *args: truth(*args, bend=torch.sigmoid),
            lambda *args: truth(*args, bend=torch.relu),
        ),
    ),
    ("The first state is not zeros.", (lambda *args: truth(*args, start=1.0),)),
    (
        "The outputs are right, and the final state is a summary of them (a mean, a sum, a largest): it is the state "
        "after each example's last real position.",
        (
            _summary(lambda outputs: outputs.mean(1)),
            _summary(lambda outputs: outputs.sum(1)),
            _summary(lambda outputs: outputs.amax(1)),
        ),
    ),
    (
        "The outputs are right, and the final state is the first one.",
        (_summary(lambda outputs: outputs[:, 0]),),
    ),
    (
        "The two are swapped: (outputs, final).",
        (lambda *args: truth(*args)[::-1],),
    ),
    (
        "The outputs have time first: (batch, time, hidden). torch.stack(..., dim=1) puts the steps into axis 1.",
        (lambda *args: (truth(*args)[0].transpose(0, 1), truth(*args)[1]),),
    ),
)


def _not_a_number(got: Any, wanted: Pair, x: Tensor, *rest: Tensor) -> bool:
    """On padding that is no number, and finite padding was right before that."""
    return (
        not x.isfinite().all()
        and type(got) is tuple
        and any(isinstance(part, Tensor) and bool(part.isnan().any()) for part in got)
    )


def _overflowed(got: Any, wanted: Pair, x: Tensor, *rest: Tensor) -> bool:
    """On padding of large numbers, after it was right on padding that is none."""
    return (
        bool((x.abs() > LARGE).any())
        and type(got) is tuple
        and any(isinstance(part, Tensor) and bool(part.isnan().any()) for part in got)
    )


def _over_the_batch(got: Any, wanted: Pair, x: Tensor, *rest: Tensor) -> bool:
    """A state for each position, (time, hidden), where one for each example was wanted."""
    return (
        type(got) is tuple
        and len(got) == 2
        and isinstance(got[1], Tensor)
        and len(x) != x.shape[1]
        and got[1].shape == (x.shape[1], wanted[1].shape[1])
    )


def _cut_short(read: Callable[..., Tensor]) -> Callable[..., bool]:
    def fits(got: Any, wanted: Pair, x: Tensor, lengths: Tensor, *weights: Tensor) -> bool:
        longest = int(lengths.max())
        outputs, _ = _other(read)(x, lengths, *weights)
        return type(got) is tuple and len(got) == 2 and longest < x.shape[1] and matches(got[0], outputs[:, :longest])

    return fits


def _not_blank(got: Any, wanted: Pair, x: Tensor, lengths: Tensor, *weights: Tensor) -> bool:
    return (
        type(got) is tuple
        and len(got) == 2
        and isinstance(got[0], Tensor)
        and got[0].shape == wanted[0].shape
        and matches((_blank(got[0], _real(x, lengths)), got[1]), wanted)
    )


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "nan has come through. The padding holds nan or infinity here, and 0 * nan is nan: multiplying by a mask does "
        "not take it away. Choose instead of multiplying: torch.where.",
        _not_a_number,
    ),
    Suspect(
        "nan has come through, and the padding holds none here: its numbers are so large that inf - inf came of them. "
        "0 * nan is nan: multiplying by a mask does not take it away. Fill the padding by the mask before it is read, "
        "and choose with torch.where instead of multiplying.",
        _overflowed,
    ),
    *(Suspect(reason, way(answer)) for reason, answers in MISTAKES for answer in answers),
    Suspect(
        "A state came back for each position, and one for each example was wanted: the loop ran over the examples. "
        "`for step in x` takes the first axis, the batch. Time is the second: for t in range(x.shape[1]), and x[:, t].",
        _over_the_batch,
    ),
    Suspect(f"{CUT_SHORT} (torch's pad_packed_sequence takes total_length for this.)", _cut_short(_real)),
    Suspect(f"{ONE_LENGTH} And: {CUT_SHORT}", _cut_short(_all)),
    Suspect(NOT_BLANK, _not_blank),
    Suspect(SHAPE, shapes_alone),
    Suspect(
        "Only the outputs came back: (outputs, final) was asked for.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.shape == wanted[0].shape,
    ),
    Suspect(
        "Only the final state came back: (outputs, final) was asked for.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.shape == wanted[1].shape,
    ),
    Suspect(
        "Two things come back in a tuple, `return outputs, final`, and this is a list.",
        lambda got, wanted, *args: type(got) is list and matches(tuple(got), wanted),
    ),
    Suspect(
        "outputs is a list of the states: torch.stack(..., dim=1) makes a tensor of it, (batch, time, hidden).",
        lambda got, wanted, *args: type(got) is tuple and len(got) == 2 and type(got[0]) is list,
    ),
    ROUNDED,
    Suspect(
        "The outputs are right, and the final states are not: what is the state after each example's last real "
        "position?",
        lambda got, wanted, *args: type(got) is tuple and len(got) == 2 and matches(got[0], wanted[0]),
    ),
    Suspect(
        "The final states are right, and the outputs are not: the state after each real position.",
        lambda got, wanted, *args: type(got) is tuple and len(got) == 2 and matches(got[1], wanted[1]),
    ),
)
FIRST_STATE = "The first state has float32 and x has float64: torch.zeros(..., dtype=x.dtype)."
CRASHES = (
    IN_PLACE,
    (
        "must be sorted in decreasing order",
        "pack_padded_sequence wants the lengths sorted, unless enforce_sorted=False. They come in any order here.",
    ),
    (
        "expected condition to be a boolean",
        "torch.where wants a mask of True and False as its condition: positions < lengths[:, None] makes one.",
    ),
    (
        "cannot be multiplied",
        "A matrix product of shapes that do not fit. The examples are rows: x[:, t] @ weight_ih.T is (batch, hidden), "
        "and so is hidden @ weight_hh.T. x is (batch, time, features): is the step taken from axis 1? And a mask of "
        "(batch,) beside a state of (batch, hidden) may make (batch, batch) of it: mask[:, t, None].",
    ),
    (
        "must match the size",
        "Two shapes do not fit. The mask of a step is (batch,), and the states are (batch, hidden): it needs a second "
        "axis, mask[:, t, None]. The lengths need one beside the positions: lengths[:, None].",
    ),
    (
        "too many indices for tensor of dimension 1",
        "Something with one axis was asked for an entry of two or more. A mask, perhaps: positions < lengths sets the "
        "two side by side, along one axis. torch.arange(x.shape[1]) < lengths[:, None] is (batch, time).",
    ),
    (
        "Boolean value of Tensor with more than one value",
        "An `if` wants one answer, yes or no, and here each example has its own. No `if`: compute the new state for "
        "all, and choose for each with torch.where(mask[:, t, None], new, hidden).",
    ),
    *((part, FIRST_STATE) for part in ("to have the same dtype", "expected scalar type")),
    (
        "is out of bounds",
        "An index beyond the last position: for a length of 3 the last real position is 2, and a length may be as "
        "large as time.",
    ),
    (
        "modified by an inplace operation",
        "A tensor was written over that the slopes still need: a state that is kept in final[n], say, read by the next "
        "step and then overwritten. Make a new tensor of each state.",
    ),
    ("Can't call numpy()", "No slope passes through numpy, and slopes are examined too: stay with tensor operations."),
)


def _products(x: Tensor, lengths: Tensor, weight_ih: Tensor, *rest: Tensor) -> list[tuple[str, str]]:
    """What torch says of the products of shapes that do not fit, where the shapes tell what met what."""
    (batch, time, features), hidden = x.shape, len(weight_ih)
    told = []
    if time != features:
        reason = (
            "What weight_ih multiplies has `time` columns, and a step of x has `features`. Two ways lead there. A mask "
            "of (batch, time) beside x makes (batch, time, time) of it: beside (batch, time, features) it is "
            "mask[:, :, None]. Or the step was taken from the last axis: it is x[:, t]."
        )
        told.append((f"({batch}x{time} and {features}x{hidden})", reason))
    if features != hidden:
        reason = (
            "What weight_hh multiplies has a column for each feature. Is the first state made with x.shape[2] columns? "
            "It has one for each unit: len(bias). Or was x multiplied by weight_hh? That is for the state, weight_ih "
            "for x."
        )
        told.append((f"({batch}x{features} and {hidden}x{hidden})", reason))
    if 1 < batch != hidden:
        reason = (
            "The state has become (batch, batch), it seems. A mask of (batch,) beside a state of (batch, hidden) may "
            "make (batch, batch) of it: mask[:, t, None]."
        )
        told.append((f"({batch}x{batch} and {hidden}x{hidden})", reason))
    return told


WRONG = (
    "Do one example by hand: x[n, :lengths[n]], from zeros, a step at a time. Those states are its outputs, 0 fills up "
    "the rest, and the last of them is its final state."
)


# --- the slopes: what makes the layer one that learns -----------------------------------------------------------------

ARGUMENTS = {"weight_ih": 2, "weight_hh": 3, "bias": 4, "x": 0}  # and their positions


def slopes(
    x: Tensor, lengths: Tensor, *weights: Tensor, of: tuple[int, ...] = (0, 1), **options: Any
) -> dict[str, Tensor]:
    """The slopes of outputs.sum() + final.sum(); of: which of the two; options: of `_states`, for suspects."""
    return _with_slopes(x, lengths, *weights, of=of, **options)[1]


def _with_slopes(
    x: Tensor, lengths: Tensor, *weights: Tensor, of: tuple[int, ...] = (0, 1), **options: Any
) -> tuple[Pair, dict[str, Tensor]]:
    """The right answer and its slopes, from one run."""
    leaves = [tensor.detach().double().requires_grad_() for tensor in (*weights, x)]
    *wide, wide_x = leaves
    result = truth(wide_x, lengths, *wide, **options)
    found = torch.autograd.grad(sum(result[n].sum() for n in of), leaves)
    value = tuple(part.detach().to(x.dtype) for part in result)
    return value, {name: slope.to(x.dtype) for name, slope in zip(ARGUMENTS, found, strict=True)}


SLOPES_OF_OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "The state was cut off from the step before (.detach(), or a new tensor made of its numbers): no slope gets "
        "back through time.",
        {"cut": True},
    ),
    ("Slopes get back from the outputs alone: the final state was cut off on its way.", {"of": (0,)}),
    ("Slopes get back from the final state alone: the outputs were cut off on their way.", {"of": (1,)}),
)
SLOPES_ARE_NAN = (
    "The values are right, and the slopes are nan: no network with this layer could be trained. A slope passes through "
    "*both* branches of a where. For the one that was not chosen it is 0, and 0 * nan is nan once more, 0 * infinity "
    "too. So no padding may be read, not even in a branch that is not chosen: fill it with numbers first, by "
    "the mask and torch.where."
)
SLOPES_OF_LARGE = (
    "The values are right, and the slopes are nan. The padding holds {} here. Was the padding filled by what it *is*, "
    "as torch.nan_to_num does, and not by where it stands? nan_to_num makes the largest number of infinity. Twice that "
    "is infinity again, and infinity less infinity is nan. Fill it by the mask: torch.where(mask[:, :, None], x, 0.0)."
)
WRONG_SLOPES = (
    "The values are right, and the slopes are not. Is every step from x and the weights to the results made of tensor "
    "operations?"
)


def _compare_slopes(
    ask: Examiner, args: tuple[Tensor, ...], wanted: dict[str, Tensor], nan: str = SLOPES_ARE_NAN
) -> None:
    """nan: what to say of slopes that are nan."""
    called = "the slopes of outputs.sum() + final.sum(), where (outputs, final) is\n" + ask.written(args)
    shape = (*args[0].shape[:2], len(args[4]))
    ones = tuple(torch.ones(size, dtype=args[0].dtype) for size in (shape, (shape[0], shape[2])))
    got = ask.ask(lambda: ask.subject.vjp(args, ones), called=called, wanted=f"slopes for {', '.join(wanted)}")
    for name, right in wanted.items():
        slope, label = got[ARGUMENTS[name]], called + f"\nof the slopes: that for {name}"
        if slope is None and right.any():
            reason = NO_SLOPE.replace("the input", name)
            ask.fail(called=label, came_back="no slope at all", wanted=show(right), reason=reason)
        slope = torch.zeros_like(right) if slope is None else slope  # weight_hh, where every length is 1
        suspects = [
            Suspect(nan, lambda got, *rest: isinstance(got, Tensor) and bool(got.isnan().any())),
            *(
                Suspect(reason, lambda got, *rest, name=name, other=other: matches(got, slopes(*args, **other)[name]))
                for reason, other in SLOPES_OF_OTHERS
            ),
        ]
        slack = 100 * torch.finfo(right.dtype).eps * max(1.0, right.abs().max().item())
        ask.compare(slope, right, args, called=label, generic=WRONG_SLOPES, suspects=suspects, slack=slack)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.masked", "masked_rnn", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    usual = ((SLOPES_ARE_NAN, args) for args in chain(cases(), (draw(generator, round_) for round_ in range(12))))
    found = []
    for nan, args in chain(usual, ((SLOPES_OF_LARGE.format(held), args) for held, args in large())):
        wanted, slopes = _with_slopes(*args)
        parts(ask, args, wanted, names=NAMES, generic=WRONG, crashes=_products(*args))
        found.append((args, slopes, nan))
    for args, slopes, nan in found:
        _compare_slopes(ask, args, slopes, nan)
    return f"right on {len(found)} batches, in value and in slope. No padding gets through, not even nan."


def cases() -> list[tuple[Tensor, ...]]:
    """First without padding, then with numbers in it, then with what is no number."""
    generator = torch.Generator().manual_seed(3)
    alone = batch(generator, lengths=[3], time=3, features=1, hidden=2)
    unsorted = batch(generator, lengths=[1, 3, 2], time=4, features=2, hidden=1)
    shorter = batch(generator, lengths=[3, 1], time=3, features=1, hidden=2)
    x, *rest = batch(generator, lengths=[2, 3], time=3, features=2, hidden=2)
    x[0, 2] = float("nan")
    return [alone, unsorted, shorter, (x, *rest)]


LARGE = 1e38  # the padding of `large` is larger, and no other numbers are


def large() -> list[tuple[str, tuple[Tensor, ...]]]:
    """Padding whose sum is inf - inf where its numbers are read: infinities replaced by numbers, or left out alone.

    What it holds, and the batch. (A processor that multiplies and adds in one rounding may find no nan in it.)
    """
    batches = []
    for held, number in (("infinity of both signs", math.inf), ("very large numbers of both signs", 3e38)):
        generator = torch.Generator().manual_seed(4)
        x, lengths, weight_ih, *rest = batch(generator, lengths=[1, 3, 2], time=3, features=4, hidden=2)
        x[~_real(x, lengths)] = torch.tensor([number, -number, number, -number])
        batches.append((held, (x, lengths, torch.full_like(weight_ih, 2.0), *rest)))
    return batches


def draw(generator: torch.Generator, round_: int) -> tuple[Tensor, ...]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    size, time = number(1, 4), number(1, 6)
    lengths = [number(1, time) for _ in range(size)]
    x, lengths, *weights = batch(generator, lengths=lengths, time=time, features=number(1, 4), hidden=number(1, 4))
    after = ~_real(x, lengths)
    x[after] = (3.0, float("nan"), float("inf"), -1e6)[round_ % 4]
    if round_ % 3 == 1:
        x, weights = x.double() / 3, [weight.double() / 3 for weight in weights]  # float32 cannot hold a third
    if round_ % 3 == 2:  # the same numbers, in another order in memory
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
        weights[1] = weights[1].T.contiguous().T
    return x, lengths, *weights


def batch(
    generator: torch.Generator, *, lengths: list[int], time: int, features: int, hidden: int
) -> tuple[Tensor, ...]:
    """x with numbers everywhere, lengths, weight_ih, weight_hh and bias: all numbers are quarters and eighths."""

    def eighths(*size: int) -> Tensor:
        return torch.randint(-6, 7, size, generator=generator) / 8

    return (
        torch.randint(-8, 9, (len(lengths), time, features), generator=generator) / 4,
        torch.tensor(lengths),
        eighths(hidden, features),
        eighths(hidden, hidden),
        eighths(hidden),
    )


EXERCISE = Exercise(
    id="08.masked",
    name="masked_rnn",
    title="Padding that changes nothing",
    objectives=("08-O4",),
    difficulty=2,
    minutes=15,
    points=3,
    task="Write masked_rnn(x, lengths, weight_ih, weight_hh, bias): x (batch, time, features), lengths (batch,), "
    "weight_ih (hidden, features), weight_hh (hidden, hidden), bias (hidden,). Each example begins from zeros and is "
    "read by h = tanh(W_ih x + W_hh h + bias). Return (outputs (batch, time, hidden), final (batch, hidden)): the "
    "state after each real position, 0 after them, and the state after each example's last real position. Padding "
    "changes no result, and no slope of one.",
    ranges="1 to 4 examples of 1 to 6 positions, each with a length from 1 to all of them, in any order; 1 to 4 "
    "features and hidden units; padding of any kind, nan, infinity and very large numbers too; float32 and float64; "
    "tensors that look at the memory of others",
    hints=(
        "Take the loop of an RNN without lengths first. Then ask at each step, for each example: is this position "
        "real? If it is, the new state counts; if not, the old one. And the slopes? They pass through what was not "
        "chosen, too.",
        "A mask, (batch, time): torch.arange(time) < lengths[:, None]. Where it is False the state stands still and "
        "the output is 0. Both are choices between two tensors, and torch.where chooses without multiplying. So that "
        "the slopes stay free of nan as well, fill the padding with zeros by the same mask before the loop.",
        "x = torch.where(mask[:, :, None], x, 0). hidden begins as torch.zeros(..., dtype=x.dtype). In step t: new = "
        "tanh(...); hidden = torch.where(mask[:, t, None], new, hidden); append "
        "torch.where(mask[:, t, None], hidden, 0). At the end torch.stack(..., dim=1), and the hidden that is left.",
    ),
    reference=masked_rnn,
    walkthrough="Where a position is not real, the old state is chosen in place of the new one, so the last state of "
    "the loop is each example's own last. Chosen and not multiplied, because 0 * nan is nan; and the padding is filled "
    "before it is read, since the slope of what was not chosen is 0 * nan again.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
