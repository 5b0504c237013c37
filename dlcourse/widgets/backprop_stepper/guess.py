"""Guess the next gradient: the question before a step back, and what a wrong number gives away."""

import math
from typing import NamedTuple

from dlcourse.autograd.scalar import RULES
from dlcourse.plot.graph import number
from dlcourse.widgets.backprop_stepper.walk import Share, Walk
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
    completes, one with several shares first; if it completes none, the share of the first input.
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
    user = names[back.node]
    context = f"Next: {made(walk, back.node, names)}, whose gradient is {number(back.grad)}."
    if not done:
        text = f"How much does {user} hand back to {names[share.to]}? (Another path to {names[share.to]} comes later.)"
        return Question(
            step, share.to, context, text, share.amount, tuple(_traps(walk, turn, share, [share.amount], names))
        )
    paths = sums[share.to]
    text = _text(result, names[share.to])
    return Question(step, share.to, context, text, sum(paths), tuple(_traps(walk, turn, share, paths, names)))


def judge(asked: Question, guess: float) -> tuple[bool, str]:
    """Whether the guess is right, and a sentence that says so or says what has probably gone wrong."""
    if close(guess, asked.expected):
        return True, f"Right: {number(asked.expected)}."
    for trap, said in asked.traps:
        if close(guess, trap) and not close(trap, asked.expected):
            return False, said
    return False, asked.hint


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


def _traps(walk: Walk, turn: int, share: Share, paths: list[float], names: list[str]) -> list[tuple[float, str]]:
    back = walk.backward[turn]
    total, grad = sum(paths), back.grad
    user, to = names[back.node], names[share.to]
    shares = [each for each in back.shares if each.to == share.to]
    here = sum(each.amount for each in shares)  # what this operation adds, through all its inputs
    before = total - here
    found: list[tuple[float, str]] = []
    if len(paths) > 1:
        forgot = (
            f"That is one share only. {to} is used {_times(len(paths))}, and the shares of all its paths are added."
        )
        found += [(path, forgot) for path in {*paths, here, before}]
        found.append((math.prod(paths), f"The shares of the paths to {to} are added, not multiplied."))
    slopes = _slopes(walk, back.node)
    slope = sum(slopes[each.slot] for each in shares)
    found.append(
        (
            before + slope,
            f"That is the local slope of {user} alone. The chain rule multiplies it by the gradient that has come back "
            f"to {user}, {number(grad)}.",
        )
    )
    found.append((-total, "The size is right; look at the sign again."))
    others = [slopes[slot] for slot, source in enumerate(walk.nodes[back.node].inputs) if source != share.to]
    for other in others:
        found.append(
            (
                before + grad * other,
                f"That is what the other input of {user} gets: you have used the slope that belongs to it.",
            )
        )
    found.append(
        (
            before + grad,
            f"That is the gradient of {user}, handed on as it is. It still has to be multiplied by the local slope.",
        )
    )
    found.append((walk.values[share.to].data, f"That is the value of {to}. Asked is its gradient."))
    return [(trap, said) for trap, said in found if math.isfinite(trap)]


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
