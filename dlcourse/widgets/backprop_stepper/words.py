"""What the stepper says: names of nodes, numbers, rules as formulas with the numbers put in."""

import re
from math import prod
from typing import Any

from dlcourse.autograd import Tensor
from dlcourse.autograd import rules as tensor_rules
from dlcourse.autograd import scalar as number_rules
from dlcourse.plot.graph import number
from dlcourse.widgets.backprop_stepper.walk import Share, Walk

MINUS = "\N{MINUS SIGN}"
MOST = 16  # numbers of a tensor that are written out
_SYMBOLS = {"add": "a + b", "sub": "a - b", "mul": "a * b", "div": "a / b", "pow": "a ** b", "matmul": "a @ b"}
_ELEMENTWISE = ("add", "sub", "mul", "div", "pow")
_LETTER = re.compile(r"\b(grad|out|a|b)\b")


def names(walk: Walk) -> list[str]:
    """A name for each node: its label, a constant's number, or the operation with its turn on the way forward:
    `mul3`."""
    turn = {index: place + 1 for place, index in enumerate(i for i, node in enumerate(walk.nodes) if node.op)}
    return [
        node.label or (number(node.number) if node.op is None else f"{node.op}{turn[index]}")
        for index, node in enumerate(walk.nodes)
    ]


def shown(value: Any, digits: int = 4) -> str:
    """A number; of a tensor its shape, or its number if it is a single one."""
    if isinstance(value, Tensor):
        return str(tuple(value.shape)) if value.number() is None else number(value.number(), digits)
    return number(value if isinstance(value, float) else value.data, digits)


def rows(value: Any) -> list[list[str]] | None:
    """The numbers of a small tensor, line by line; None for a single number and for a large tensor."""
    if not isinstance(value, Tensor) or value.ndim == 0 or value.ndim > 2 or value.data.numel() > MOST:
        return None
    data = value.data.tolist()
    return [
        [f"{each + 0.0:.3g}".replace("-", MINUS) for each in line] for line in (data if value.ndim == 2 else [data])
    ]


def out_formula(op: str) -> str:
    """What an operation computes from its inputs a and b."""
    return "-a" if op == "neg" else _SYMBOLS.get(op, f"{op}(a)")


def forward_formula(walk: Walk, index: int, named: list[str]) -> str:
    """`w * x = 0.5 * 2 = 1`."""
    node = walk.nodes[index]
    letters = dict(zip("ab", node.inputs, strict=False))
    put_in = _LETTER.sub(lambda found: bracketed(shown(walk.values[letters[found[0]]])), out_formula(node.op))
    return f"{made(walk, index, named)} = {put_in.replace('-', MINUS)} = {shown(walk.values[index])}"


def made(walk: Walk, index: int, named: list[str]) -> str:
    """`w * x`: an operation with the names of its inputs."""
    letters = dict(zip("ab", walk.nodes[index].inputs, strict=False))
    formula = _LETTER.sub(lambda found: named[letters[found[0]]], out_formula(walk.nodes[index].op))
    return formula.replace("-", MINUS)


def rule(walk: Walk, share: Share, named: list[str]) -> str:
    """What an input gets, as a formula: `grad * (1 - h ** 2)`, with the names of the picture."""
    return _put_in(_text(walk, share), _letters(walk, share, named) | {"grad": "grad"}) + _then_summed(walk, share)


def with_numbers(walk: Walk, share: Share, grad: Any) -> str:
    """The same with the numbers put in: `0.5 * (1 - 0.76 ** 2)`; of tensors, the shapes."""
    letters = _letters(walk, share, [shown(value) for value in walk.values])
    return _put_in(_text(walk, share), letters | {"grad": shown(grad)}) + _then_summed(walk, share)


def _text(walk: Walk, share: Share) -> str:
    """The rule as its table has it: a and b are the first and the second input, out is the result."""
    op = walk.nodes[share.user].op
    if isinstance(share.amount, Tensor):
        return tensor_rules.RULES[op].texts[share.slot]
    slope = number_rules.RULES[op].texts[share.slot]
    return f"grad * {slope}" if re.fullmatch(r"\w+", slope) else f"grad * ({slope})"


def _letters(walk: Walk, share: Share, words: list[str]) -> dict[str, str]:
    inputs = zip("ab", walk.nodes[share.user].inputs, strict=False)
    return {"out": words[share.user]} | {letter: words[source] for letter, source in inputs}


def _put_in(text: str, words: dict[str, str]) -> str:
    return _LETTER.sub(lambda found: bracketed(words[found[0]]), text.replace("-", MINUS))


def bracketed(text: str) -> str:
    return f"({text})" if text.startswith(MINUS) else text


def broadcast(walk: Walk, share: Share, named: list[str]) -> str:
    """A sentence where an input was copied to many places, so that its share is the sum over the copies."""
    if not over_copies(walk, share):
        return ""
    here, there = tuple(walk.values[share.to].shape), tuple(walk.values[share.user].shape)
    return (
        f"{named[share.to]} was broadcast from {here} to {there}: the shares of its copies are summed, back to {here}."
    )


def over_copies(walk: Walk, share: Share) -> str:
    """`summed over 4 rows`, where an input was broadcast; else an empty text."""
    if not isinstance(share.amount, Tensor) or walk.nodes[share.user].op not in _ELEMENTWISE:
        return ""
    return summed(tuple(walk.values[share.to].shape), tuple(walk.values[share.user].shape))


def summed(here: tuple[int, ...], there: tuple[int, ...]) -> str:
    """How many copies broadcasting made of each number, from one shape to another."""
    copies = prod(there) // prod(here)
    if copies == 1:
        return ""
    full = (1,) * (len(there) - len(here)) + here
    over = [dim for dim, (before, after) in enumerate(zip(full, there, strict=True)) if before != after]
    kind = {(0,): "rows", (1,): "columns"}.get(tuple(over), "copies") if len(there) == 2 else "copies"
    return f"summed over {copies} {kind}"


def _then_summed(walk: Walk, share: Share) -> str:
    text = over_copies(walk, share)
    return text and f", {text}"
