"""Guess the next gradient: the question before a step back, and what a wrong number gives away."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from dlcourse.autograd.scalar import RULES
from dlcourse.plot.graph import number
from dlcourse.widgets.backprop_stepper.walk import Back, Share, Walk
from dlcourse.widgets.backprop_stepper.words import made

LARGEST = 1e9  # of a guess
SELF = "Asked is how much the result changes when the result itself changes a little."


class Question(NamedTuple):
    """expected: the answer. traps: (number, what somebody who found it has probably done), likeliest first."""

    step: int
    to: int
    context: str
    text: str
    expected: float
    traps: tuple[tuple[float, str], ...]
    hint: str = "Not yet. Multiply the gradient of the operation by its local slope; shares of several paths are added."


def question(walk: Walk, step: int, turn: int, earlier: list[Share], names: list[str]) -> Question:
    """About what turn number `turn` of the way back will settle; turn -1 is the gradient of the result itself.

    earlier: the shares that have been handed on so far. Asked is the whole gradient of an input that this turn
    completes, one with several shares first; if it completes none, all that this operation hands to its first input.
    """
    result = names[-1]
    if turn < 0:
        value = walk.values[-1].data
        traps = ()
        if not close(value, 1.0):
            traps = ((value, f"That is the value of {result}. {SELF}"),)
        context = f"The way back begins at {result}."
        return Question(step, len(walk.nodes) - 1, context, _text(result, result), 1.0, traps, f"Not yet. {SELF}")
    back = walk.backward[turn]
    sums = {share.to: [old.amount for old in (*earlier, *back.shares) if old.to == share.to] for share in back.shares}
    done = [share for share in back.shares if len(sums[share.to]) == len(walk.users[share.to])]
    share = max(done, key=lambda each: len(sums[each.to]), default=back.shares[0])  # the first of equals
    user, to = names[back.node], names[share.to]
    here = [each.amount for each in back.shares if each.to == share.to]  # two, where it takes a node twice
    before = sums[share.to][: -len(here)]
    context = f"Next: {made(walk, back.node, names)}, whose gradient is {number(back.grad)}."
    text, asked = _text(result, to), sums[share.to]
    if not done:
        both = ", through both inputs together" if len(here) > 1 else ""
        text, asked = f"How much does {user} hand back to {to}{both}? (Another path to {to} comes later.)", here
    traps = _traps(walk, back, share.to, before, here, bool(done), names)
    return Question(step, share.to, context, text, sum(asked), tuple(trap for trap in traps if math.isfinite(trap[0])))


def judge(asked: Question, guess: float) -> tuple[bool, str]:
    """Whether the guess is right, and a sentence that says so or says what has probably gone wrong."""
    if close(guess, asked.expected):
        return True, f"Right: {number(asked.expected)}."
    near = [
        (abs(guess - trap), said)
        for trap, said in asked.traps
        if close(guess, trap) and not close(trap, asked.expected)
    ]
    if not near:
        return False, asked.hint
    nearest = min(away for away, _ in near) + 1e-9 * abs(guess)  # of equals the likeliest, which is the first
    return False, next(said for away, said in near if away <= nearest)


def close(guess: float, truth: float) -> bool:
    """Two digits that count are enough; so are two places after the point, unless the truth is smaller than that.

    >>> close(0.86, 0.8556), close(0.85, 0.8556), close(-3, 3), close(0, 0.004)
    (True, True, False, False)
    """
    if math.isclose(guess, truth, rel_tol=0.02, abs_tol=1e-6):
        return True
    return abs(guess - truth) <= min(0.005, 0.05 * abs(truth))


def _text(result: str, name: str) -> str:
    return f"d {result} / d {name} = ?"


def _traps(
    walk: Walk, back: Back, node: int, before: list[float], here: list[float], whole: bool, names: list[str]
) -> Iterator[tuple[float, str]]:
    """before, here: the shares that `node` has got already, and those that this turn hands it. whole: asked is the sum
    of all of them, else of `here`. Each sentence is true of its number, whatever the learner has really done."""
    user, to, grad = names[back.node], names[node], back.grad
    parts = [*before, *here] if whole else here
    total = sum(parts)
    if len(parts) > 1:
        used = f"{to} is used {_times(len(parts))}, and the shares of all its paths are added."
        if not whole:
            used = f"{user} takes {to} twice, and both shares are added."
        for part in parts:
            yield part, f"That is one share only. {used}"
        for part, count in _sums_of_some(parts, len(here)):
            yield part, f"That is the sum of {count} of the {len(parts)} shares. {used}"
        yield math.prod(parts), "That is the product of the shares. They are added, not multiplied."
    if before and not whole:
        yield sum(before) + total, f"That is all that has come to {to} so far. Asked is what {user} alone hands back."
    bases = [(0.0, "")]
    if whole and sum(before):
        bases.append((sum(before), f", added to the share{'s' * (len(before) > 1)} that came before"))
    inputs, slopes = walk.nodes[back.node].inputs, _slopes(walk, back.node)
    slope = sum(each for each, source in zip(slopes, inputs, strict=True) if source == node)
    for base, added in bases:
        yield (
            base + slope,
            f"That is the local slope of {user} alone{added}. The chain rule multiplies it by the gradient that has "
            f"come back to {user}, {number(grad)}.",
        )
    yield -total, "The size is right; look at the sign again."
    for base, added in bases:
        for source, other in zip(inputs, slopes, strict=True):
            if source != node:
                gets = "gets" if source in walk.differentiable else f"the constant {names[source]}, would get"
                comma = "," * (source not in walk.differentiable)
                yield (
                    base + grad * other,
                    f"That is what the other input of {user}{comma} {gets}{added}: you have used the slope that "
                    "belongs to it.",
                )
        yield (
            base + grad,
            f"That is the gradient of {user}, handed on as it is{added}. It still has to be multiplied by the local "
            "slope.",
        )
    asked = "its gradient" if whole else f"what {user} hands back to it"
    yield walk.values[node].data, f"That is the value of {to}. Asked is {asked}."


def _sums_of_some(parts: list[float], last: int) -> Iterator[tuple[float, int]]:
    """(sum, how many) of two or more shares but not all: those from the first to any, all but one, the `last` ones."""
    some = [parts[:count] for count in range(2, len(parts))]
    some += [parts[:at] + parts[at + 1 :] for at in range(len(parts))]
    some.append(parts[-last:])
    for each in some:
        if 1 < len(each) < len(parts):
            yield sum(each), len(each)


def _slopes(walk: Walk, index: int) -> list[float]:
    """The local slopes of an operation, one for each input; of a constant too."""
    node = walk.nodes[index]
    numbers = [walk.values[source].data for source in node.inputs]
    slopes = []
    for slope in RULES[node.op].locals:
        try:
            slopes.append(slope(walk.values[index].data, *numbers))
        except (ValueError, ArithmeticError):  # of a constant, which nobody asks for
            slopes.append(math.nan)
    return slopes


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"
