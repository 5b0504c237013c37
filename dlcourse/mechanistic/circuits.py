"""Networks with weights set by hand, whose every part is known: ground truth for whoever claims to find circuits.

    parity(bits)              is the number of ones odd?              the sum, bent at 1, 2, 3, ...
    comparator()              is a larger than b?                     one unit for each direction
    both(), either()          AND and OR of two copied bits           neither suffices alone; each suffices alone
    recall(symbols, length)   what came after this symbol before?     a unit for each place and pair of symbols

All end in logits; bits are 0 or 1. Some units are *idle*: they carry something that the answer never uses. A probe
reads it from them, patching finds no effect: that a network knows a thing does not show that it uses it (Ravichander,
Belinkov and Hovy, 2021, arXiv:2005.00719). `recall` does what the induction heads of language models do (Olsson et
al., 2022, arXiv:2209.11895), with a table where those compare symbols by attention.
Where it fails: a trained network is not so tidy. It has several features in one unit, and one feature in several.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import product

import torch
from torch import nn

from dlcourse.mechanistic.patching import Site
from dlcourse.nn.sizes import whole


@dataclass(frozen=True, eq=False)
class Circuit:
    """A network and what its parts are for."""

    model: nn.Sequential
    parts: dict[str, Site]  # what is used
    idle: dict[str, Site]  # what carries something that nothing reads


def parity(bits: int) -> Circuit:
    """x (batch, bits), each 0 or 1 -> logits (batch, 2) for even and odd, -1/2 and 1/2 or the other way round.

    With s ones, unit k is ReLU(s - k), k from 0 to bits - 1, and their sum with the weights 1, -2, 2, -2, ... is 0 if s
    is even, and 1 if it is odd. Two bits: XOR. Raises ValueError for bits that are not whole or below 1.

    >>> parity(2).model(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).argmax(1)
    tensor([0, 1, 0])
    """
    (bits,) = whole("parity", 1, bits=bits)
    slopes = [1.0, *[-2.0, 2.0] * bits][:bits]
    model = _sequential(
        hidden=_linear([[1.0] * bits] * bits, [-float(k) for k in range(bits)]),
        relu=nn.ReLU(),
        out=_yes_or_no(slopes),
    )
    return Circuit(model, {f"more than {k}": Site("relu", (k,)) for k in range(bits)}, {})


def comparator() -> Circuit:
    """x (batch, 2), a and b -> logits (batch, 2): ReLU(b - a) for "b is larger" and ReLU(a - b) for "a is larger".

    The third unit holds ReLU(a + b), and nothing reads it.

    >>> comparator().model(torch.tensor([[0.75, 0.25], [0.5, 1.0]]))
    tensor([[0.0000, 0.5000],
            [0.5000, 0.0000]], grad_fn=<AddmmBackward0>)
    """
    model = _sequential(
        hidden=_linear([[-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], [0.0] * 3),
        relu=nn.ReLU(),
        out=_linear([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.0] * 2),
    )
    parts = {"b is larger": Site("relu", (0,)), "a is larger": Site("relu", (1,))}
    return Circuit(model, parts, {"the sum": Site("relu", (2,))})


def both() -> Circuit:
    """x (batch, 2), bits -> logits (batch, 2), no and yes: are both 1? The gate is ReLU(first + second - 1).

    The layer "copies" holds both bits, and a third unit with the first bit again that nothing reads.

    >>> both().model(torch.tensor([[1.0, 0.0], [1.0, 1.0]])).argmax(1)
    tensor([0, 1])
    """
    return _gate([1.0, 1.0, 0.0], -1.0, _yes_or_no([1.0]))


def either() -> Circuit:
    """As `both`, but is one of them 1, or both? 1 - ReLU(1 - first - second).

    >>> either().model(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).argmax(1)
    tensor([0, 1, 1])
    """
    return _gate([-1.0, -1.0, 0.0], 1.0, _yes_or_no([-1.0], 1.0))


def recall(symbols: int, length: int) -> Circuit:
    """x (batch, length, symbols), a one in each row -> logits (batch, symbols): how often each followed the last one.

    In "a b c a" the last symbol is a, and before it came after a only b: b has the logit 1, the others 0. For each
    place p but the last and each pair of symbols s, t there is a unit ReLU(x_p[s] + x_(p+1)[t] + x_last[s] - 2), which
    is 1 where s stands at p, t behind it, and s again at the end; else 0. The logit of t is the sum of its units.

    Raises ValueError for numbers that are not whole, no symbols, and a length below 2.

    >>> a, b, c = torch.eye(3)
    >>> recall(3, 4).model(torch.stack([a, b, c, a])[None])
    tensor([[0., 1., 0.]], grad_fn=<AddmmBackward0>)
    """
    (symbols,), (length,) = whole("recall", 1, symbols=symbols), whole("recall", 2, length=length)
    units = list(product(range(length - 1), range(symbols), range(symbols)))
    reads, says = [[0.0] * (length * symbols) for _ in units], [[0.0] * len(units) for _ in range(symbols)]
    for unit, (place, first, second) in enumerate(units):
        for position, symbol in ((place, first), (place + 1, second), (length - 1, first)):
            reads[unit][position * symbols + symbol] += 1.0
        says[second][unit] = 1.0
    model = _sequential(
        flatten=nn.Flatten(),
        hidden=_linear(reads, [-2.0] * len(units)),
        relu=nn.ReLU(),
        out=_linear(says, [0.0] * symbols),
    )
    groups = {
        f"places {place} and {place + 1}": Site("relu", tuple(k for k, unit in enumerate(units) if unit[0] == place))
        for place in range(length - 1)
    }
    return Circuit(model, groups, {})


def _gate(weight: list[float], bias: float, out: nn.Linear) -> Circuit:
    """Two copied bits and an idle copy of the first, one unit that reads them, and an answer."""
    model = _sequential(
        copies=_linear([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [0.0] * 3),
        gate=_linear([weight], [bias]),
        relu=nn.ReLU(),
        out=out,
    )
    parts = {"first": Site("copies", (0,)), "second": Site("copies", (1,)), "gate": Site("relu", (0,))}
    return Circuit(model, parts, {"the first again": Site("copies", (2,))})


def _yes_or_no(slopes: list[float], constant: float = 0.0) -> nn.Linear:
    """Logits 1/2 - v and v - 1/2 of v = slopes * units + constant, which is 0 or 1."""
    return _linear([[-slope for slope in slopes], slopes], [0.5 - constant, constant - 0.5])


def _linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = torch.nn.utils.skip_init(nn.Linear, len(weight[0]), len(weight), device="cpu")  # nothing is drawn
    layer.load_state_dict({"weight": torch.tensor(weight, device="cpu"), "bias": torch.tensor(bias, device="cpu")})
    return layer


def _sequential(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))
