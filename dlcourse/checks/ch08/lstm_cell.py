"""08.lstm_cell: one step of a long short-term memory, from its equations."""

from collections.abc import Callable, Iterator
from itertools import chain, permutations, product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def lstm_cell(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh):
    gates = (weight_ih @ x.T + weight_hh @ hidden.T).T + (bias_ih + bias_hh)
    size = cell.shape[1]
    i, f, o = (torch.sigmoid(gates[:, n * size : (n + 1) * size]) for n in (0, 1, 3))
    g = torch.tanh(gates[:, 2 * size : 3 * size])
    cell = f * cell + i * g
    return o * torch.tanh(cell), cell


class Step(NamedTuple):
    """The arguments of one call."""

    x: Tensor
    hidden: Tensor
    cell: Tensor
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor


NAMES = "(hidden, cell)"
SIGMOID, TANH = torch.sigmoid, torch.tanh


def oracle(*args: Tensor) -> tuple[Tensor, Tensor]:
    """torch's own, in float64."""
    x, hidden, cell, *parameters = (part.double() for part in args)
    return tuple(part.to(args[0].dtype) for part in torch.lstm_cell(x, (hidden, cell), *parameters))


# --- what can go wrong, part by part: a name, the reason (None: right) and what it makes ----------------------------

Sum = Callable[[Step], Tensor | None]  # (batch, 4 * hidden); None, or an error, where shapes do not allow it


def _sum(s: Step) -> Tensor:
    return s.x @ s.weight_ih.T + s.bias_ih + s.hidden @ s.weight_hh.T + s.bias_hh


def _blockwise(of_ih: bool, of_hh: bool) -> Sum:
    """The sum with the blocks of these weights multiplied the wrong way round."""

    def wrong(s: Step) -> Tensor:
        parts = []
        for w, v in zip(s.weight_ih.chunk(4), s.weight_hh.chunk(4), strict=True):
            parts.append(s.x @ (w if of_ih else w.T) + s.hidden @ (v if of_hh else v.T))
        return torch.cat(parts, 1) + s.bias_ih + s.bias_hh

    return wrong


def _reshaped(of_ih: bool, of_hh: bool) -> Sum:
    def wrong(s: Step) -> Tensor:
        w, v = s.weight_ih, s.weight_hh
        w, v = w.reshape(w.shape[::-1]) if of_ih else w.T, v.reshape(v.shape[::-1]) if of_hh else v.T
        return s.x @ w + s.hidden @ v + s.bias_ih + s.bias_hh

    return wrong


BIASES = "Both biases are added, as in torch"
TURNED = (
    "The blocks of a weight were multiplied the wrong way round. A weight is (out, in): hidden @ block.T, or block @ "
    "hidden for a single example. The blocks of weight_hh are square, so that no error warns of it."
)
RESHAPED = (
    "A weight was reshaped where it should be transposed: reshape and view keep the numbers in their order. .T turns "
    "rows into columns."
)
SUMS: tuple[tuple[str | None, Sum], ...] = (
    (None, _sum),
    (f"{BIASES}: bias_ih is missing.", lambda s: _sum(s) - s.bias_ih),
    (f"{BIASES}: bias_hh is missing.", lambda s: _sum(s) - s.bias_hh),
    (f"{BIASES}: they are both missing.", lambda s: _sum(s) - s.bias_ih - s.bias_hh),
    (f"{BIASES}: bias_ih came twice, and bias_hh not at all.", lambda s: _sum(s) - s.bias_hh + s.bias_ih),
    (f"{BIASES}: bias_hh came twice, and bias_ih not at all.", lambda s: _sum(s) - s.bias_ih + s.bias_hh),
    (
        "The gates do not see the old hidden state: hidden times weight_hh is missing from the sum. Without it the "
        "cell cannot know what it showed at the step before.",
        lambda s: _sum(s) - s.hidden @ s.weight_hh.T,
    ),
    (
        "The gates do not see the old hidden state: hidden times weight_hh is missing from the sum, and its bias.",
        lambda s: _sum(s) - s.hidden @ s.weight_hh.T - s.bias_hh,
    ),
    ("The gates do not see x: x times weight_ih is missing from the sum.", lambda s: _sum(s) - s.x @ s.weight_ih.T),
    (
        "The gates do not see x: x times weight_ih is missing from the sum, and its bias.",
        lambda s: _sum(s) - s.x @ s.weight_ih.T - s.bias_ih,
    ),
    (
        "The gates read the old *cell* state: they read the hidden one. The cell stands behind its gates; only the sum "
        "f * cell + i * g touches it.",
        lambda s: _sum(s._replace(hidden=s.cell)),
    ),
    (
        "The two weights are swapped: weight_ih is for x, weight_hh for hidden.",
        lambda s: s.x @ s.weight_hh.T + s.bias_ih + s.hidden @ s.weight_ih.T + s.bias_hh,
    ),
    (
        "What comes from x and what comes from hidden were multiplied: they are added.",
        lambda s: (s.x @ s.weight_ih.T + s.bias_ih) * (s.hidden @ s.weight_hh.T + s.bias_hh),
    ),
    (
        "What comes from hidden was subtracted: it is added.",
        lambda s: s.x @ s.weight_ih.T + s.bias_ih - s.hidden @ s.weight_hh.T + s.bias_hh,
    ),
    *((TURNED, _blockwise(*turned)) for turned in ((False, True), (True, True), (True, False))),
    *((RESHAPED, _reshaped(*turned)) for turned in ((False, True), (True, True), (True, False))),
    (
        "The sum went through a tanh, as in a plain recurrent cell, before the gates were made of it. Each gate has "
        "one bend only.",
        lambda s: torch.tanh(_sum(s)),
    ),
    (
        "The sum went through a sigmoid before the gates were made of it. Each gate has one bend only.",
        lambda s: torch.sigmoid(_sum(s)),
    ),
)

GATES = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate"}
WHY_BENDS = "A gate says how much, from 0 to 1: sigmoid. The candidate says what, of both signs: tanh."
BLOCKS = "The rows of the weights come in four blocks, as torch has them: i, f, g, o."


def _reason_of(order: str) -> str:
    """Why a reader who took the blocks for these has others."""
    wrong = [name for name, right in zip(order, "ifgo", strict=True) if name != right]
    if len(wrong) == 2:
        one, other = (GATES[name] for name in sorted(wrong, key="ifgo".index))
        if set(wrong) == {"i", "f"}:
            return (
                "Input gate and forget gate are swapped. The first block of rows is i's, the second is f's; and f "
                "multiplies the old cell, i the candidate."
            )
        if set(wrong) == {"i", "g"}:  # tanh(i) * sigmoid(g) is either
            return (
                f"{one.capitalize()} and {other} are swapped, in their blocks or in their bends. {BLOCKS} {WHY_BENDS}"
            )
        return f"{one.capitalize()} and {other} are swapped. {BLOCKS}"
    return f"The blocks were taken in the order {', '.join(order)}. {BLOCKS}"


Cut = Callable[[Tensor], dict[str, Tensor]]


def _in_order(order: str) -> Cut:
    return lambda total: dict(zip(order, total.chunk(4, 1), strict=True))


CUTS: tuple[tuple[str | None, Cut], ...] = (
    (None, _in_order("ifgo")),
    *((_reason_of("".join(o)), _in_order("".join(o))) for o in permutations("ifgo") if o != tuple("ifgo")),
    (
        "Every fourth column was taken for a gate: the gates stand in whole blocks, first all of i's columns, then all "
        f"of f's. {BLOCKS}",
        lambda total: {name: total[:, n::4] for n, name in enumerate("ifgo")},
    ),
    (
        "The sum was reshaped where it should be cut: (batch, 4 * hidden) has the four gates of *one* example side by "
        "side in a row. Cut the second axis into four, for all examples at once.",
        lambda total: dict(zip("ifgo", total.reshape(4, len(total), -1), strict=True)),
    ),
)
Bend = Callable[[Tensor], Tensor]
BENDS: dict[str, Bend] = {
    "a sigmoid": SIGMOID,
    "a tanh": TANH,
    "nothing": lambda z: z,
    "a relu": torch.relu,
    "a sigmoid and then a tanh": lambda z: torch.tanh(torch.sigmoid(z)),
}
# The sums were bent before, as in a plain recurrent cell, and the candidate was then left as it is: its bend is right.
BENT_TWICE = "a tanh and then a sigmoid"
ALL_BENDS = {**BENDS, BENT_TWICE: lambda z: torch.sigmoid(torch.tanh(z))}
RIGHT_BENDS = {"i": "a sigmoid", "f": "a sigmoid", "g": "a tanh", "o": "a sigmoid"}


def _bent(bends: dict[str, str]) -> str | None:
    wrong = [name for name, bend in bends.items() if bend != RIGHT_BENDS[name]]
    if not wrong:
        return None
    if all(bends[name] == ("a sigmoid" if name == "g" else "a tanh") for name in bends) and len(bends) > 1:
        return f"tanh and sigmoid are swapped. {WHY_BENDS}"
    said = [f"the {GATES[name]} {name} took {bends[name]}" for name in wrong]
    return f"{', '.join(said).capitalize()}. {WHY_BENDS}"


BENT: tuple[tuple[str | None, dict[str, str]], ...] = (
    *(
        (_reason_of("gfio") if names == ("a tanh", "a sigmoid", "a sigmoid") else _bent(bends), bends)
        for names in product(list(BENDS)[:3], list(BENDS)[:3], BENDS)
        for bends in (dict(zip("ifg", names, strict=True)),)
    ),
    (
        "The sum went through a tanh before the gates were made of it, as in a plain recurrent cell. The candidate g "
        "is right by that, it takes a tanh. The gates i, f and o are not: they took a sigmoid of that tanh, and each "
        "takes a sigmoid of the sum itself.",
        {"i": BENT_TWICE, "f": BENT_TWICE, "g": "a tanh"},
    ),
)

Update = Callable[..., Tensor | None]  # of i, f, g, o, the old cell c and the old hidden h
FORGETS = "The old cell is multiplied by"
UPDATES: tuple[tuple[str | None, Update], ...] = (
    (None, lambda i, f, g, o, c, h: f * c + i * g),
    (_reason_of("figo"), lambda i, f, g, o, c, h: i * c + f * g),
    (
        f"{FORGETS} 1 - f. In spite of its name the forget gate says how much is *kept*: f itself.",
        lambda i, f, g, o, c, h: (1 - f) * c + i * g,
    ),
    (
        f"{FORGETS} 1 - i: that ties the two gates together. An LSTM has a forget gate of its own, f.",
        lambda i, f, g, o, c, h: (1 - i) * c + i * g,
    ),
    (
        "The candidate is multiplied by 1 - f: that ties the two gates together. An LSTM has an input gate of its own, "
        "i.",
        lambda i, f, g, o, c, h: f * c + (1 - f) * g,
    ),
    (
        "The candidate came in whole: the input gate says how much of it is let in, i * g.",
        lambda i, f, g, o, c, h: f * c + g,
    ),
    (
        "The old cell was kept whole, whatever the forget gate said: f * cell.",
        lambda i, f, g, o, c, h: c + i * g,
    ),
    (
        "Both gates are missing: the forget gate multiplies the old cell, the input gate the candidate.",
        lambda i, f, g, o, c, h: c + g,
    ),
    (
        "Only the new is in this cell state: what the forget gate keeps of the old one belongs to it, f * cell.",
        lambda i, f, g, o, c, h: i * g,
    ),
    (
        "Only the old is in this cell state: what the input gate lets in of the candidate belongs to it, i * g.",
        lambda i, f, g, o, c, h: f * c,
    ),
    ("The cell state came back as it went in.", lambda i, f, g, o, c, h: c),
    ("This is the candidate alone, not the cell state.", lambda i, f, g, o, c, h: g),
    (
        "The forget gate multiplied the old *hidden* state: it keeps the cell, f * cell. What the cell holds need not "
        "have been shown.",
        lambda i, f, g, o, c, h: f * h + i * g,
    ),
    (
        "Brackets are misplaced: the forget gate multiplies the old cell alone, not what is new.",
        lambda i, f, g, o, c, h: f * (c + i * g),
    ),
    (
        "Brackets are misplaced: the input gate multiplies the candidate alone, not what is old.",
        lambda i, f, g, o, c, h: i * (f * c + g),
    ),
    ("Old and new were multiplied: they are added, f * cell + i * g.", lambda i, f, g, o, c, h: f * c * i * g),
    ("The new was subtracted: it is added, f * cell + i * g.", lambda i, f, g, o, c, h: f * c - i * g),
    (
        "The cell state went through a tanh: only what is *shown* of it does, in hidden. The cell itself is a plain "
        "sum, and that is why a gradient gets back through it.",
        lambda i, f, g, o, c, h: torch.tanh(f * c + i * g),
    ),
    (
        "The old cell went through a tanh on its way: it is f * cell, with no bend.",
        lambda i, f, g, o, c, h: f * torch.tanh(c) + i * g,
    ),
    (
        "The product i * g went through one more tanh: the candidate g has had its own.",
        lambda i, f, g, o, c, h: f * c + torch.tanh(i * g),
    ),
    (
        "The candidate went through two tanh: one is enough.",
        lambda i, f, g, o, c, h: f * c + i * torch.tanh(g),
    ),
    (
        "The new cell state was multiplied by the output gate: that is for hidden alone. The cell keeps what it does "
        "not show.",
        lambda i, f, g, o, c, h: o * (f * c + i * g),
    ),
    (
        "This is what hidden should be: the cell state is the plain sum, before tanh and output gate.",
        lambda i, f, g, o, c, h: o * torch.tanh(f * c + i * g),
    ),
)

# Of hidden, when the cell is right: first, what the output gate alone may have read.
NEW = (
    "The output gate read the *new* state. All four gates read the old hidden state, that of before this step: make "
    "the one sum for all four first."
)
OUTPUT_SUMS: tuple[tuple[str | None, Sum], ...] = (
    *SUMS,
    (NEW, lambda s: _sum(s._replace(hidden=oracle(*s)[1]))),
    (NEW, lambda s: _sum(s._replace(hidden=torch.tanh(oracle(*s)[1])))),
    (NEW, lambda s: _sum(s._replace(hidden=oracle(*s)[0]))),
)
# Then what it shows; n is the new cell.
SHOWN: tuple[tuple[str | None, Callable[..., Tensor]], ...] = (
    (None, lambda i, f, g, o, c, h, n: o * torch.tanh(n)),
    (
        "hidden lacks the tanh: the cell may hold any number, and what is shown of it is o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o * n,
    ),
    (
        "hidden shows all of the cell: the output gate is missing, o * tanh(cell).",
        lambda i, f, g, o, c, h, n: torch.tanh(n),
    ),
    (
        "hidden was made of the *old* cell: update the cell first, then show the new one.",
        lambda i, f, g, o, c, h, n: o * torch.tanh(c),
    ),
    (
        "hidden was made of the *old* cell, and without a tanh: update the cell first, then o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o * c,
    ),
    ("hidden came back as it went in: it is made anew of the new cell.", lambda i, f, g, o, c, h, n: h),
    ("hidden is the cell state itself: it is o * tanh(cell).", lambda i, f, g, o, c, h, n: n),
    (
        "The cell went through a sigmoid on its way to hidden: it is a tanh, so that both signs can be shown.",
        lambda i, f, g, o, c, h, n: o * torch.sigmoid(n),
    ),
    (
        "The bracket is misplaced: tanh of the cell alone, and then times o.",
        lambda i, f, g, o, c, h, n: torch.tanh(o * n),
    ),
    (
        "hidden was made of the candidate: it is made of the whole cell, o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o * g,
    ),
    (
        "hidden was made of the candidate: it is made of the whole cell, o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o * torch.tanh(g),
    ),
    ("This is the output gate alone: hidden is o * tanh(cell).", lambda i, f, g, o, c, h, n: o),
    (
        "The output gate was added: it is multiplied, o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o + torch.tanh(n),
    ),
    (
        "The cell was shown where the gate is *shut*: o says how much is shown, and not 1 - o.",
        lambda i, f, g, o, c, h, n: (1 - o) * torch.tanh(n),
    ),
    (
        "The old hidden state was added: the new one is made of the cell alone, o * tanh(cell).",
        lambda i, f, g, o, c, h, n: o * torch.tanh(n) + h,
    ),
)


def _possible(make: Callable[..., Any], *args: Any) -> Any:
    """What torch refuses proves nothing: None."""
    try:
        return make(*args)
    except (RuntimeError, ValueError):
        return None


def _gates(s: Step, summed: Sum, cut: Cut, bends: dict[str, str]) -> dict[str, Tensor] | None:
    total = _possible(summed, s)
    # A broadcast sum of another shape cannot be cut.
    if total is None or total.shape != (len(s.x), len(s.bias_ih)):
        return None
    blocks = _possible(cut, total)
    return blocks and {name: ALL_BENDS[bends.get(name, RIGHT_BENDS[name])](block) for name, block in blocks.items()}


def cells(s: Step) -> Iterator[tuple[list[str], Tensor]]:
    """Every wrong cell state that is known here, with its one or two reasons; those with one come first."""
    for most in (1, 2):
        for (a, summed), (b, cut), (c, bends) in product(SUMS, CUTS, BENT):
            begun = [reason for reason in (a, b, c) if reason]
            if len(begun) > most:
                continue
            gates = _gates(s, summed, cut, bends)
            for d, update in UPDATES if gates else ():
                reasons = begun + [d] * (d is not None)
                if len(reasons) == most:
                    yield reasons, update(**gates, c=s.cell, h=s.hidden)


def hiddens(s: Step) -> Iterator[tuple[list[str], Tensor]]:
    """The same for hidden, where the cell is right: only its own faults and those of the output gate are left."""
    new = oracle(*s)[1]
    for most in (1, 2):
        for (a, summed), name, bend in product(OUTPUT_SUMS, "ogif", BENDS):
            wrong = f"The output gate was made of the block of rows of {name}. {BLOCKS}" if name != "o" else None
            begun = [reason for reason in (a, wrong, _bent({"o": bend})) if reason]
            if len(begun) > most:
                continue
            right, faulty = _gates(s, _sum, CUTS[0][1], {}), _gates(s, summed, CUTS[0][1], {name: bend})
            for d, shown in SHOWN if faulty else ():
                reasons = begun + [d] * (d is not None)
                if len(reasons) == most:
                    yield reasons, shown(**{**right, "o": faulty[name]}, c=s.cell, h=s.hidden, n=new)


def explain(got: Any, known: Iterator[tuple[list[str], Tensor]]) -> str:
    """The faults that this part shows, as few as can be; "" when no known ones do."""
    if not isinstance(got, Tensor):
        return ""
    for reasons, guess in known:
        if guess.isfinite().all() and matches(got, guess):
            return " And: ".join(dict.fromkeys(reasons))
    return ""


# --- the parts of the answer ------------------------------------------------------------------------------------------

OVERFLOW = (
    "Some entries are not finite: exp overflowed. exp(1000) is infinite, and inf / inf is nan. torch.sigmoid and "
    "torch.tanh take care of that; so does 1 / (1 + exp(-z))."
)
NOT_CUT = "This has all four gates side by side, 4 * hidden columns: cut it into four, each (batch, hidden)."
FLOAT32 = (
    "This is right to about seven digits, and the tensors have float64: somewhere a number passes through float32, as "
    "in torch.zeros(...) without dtype=x.dtype, or .float()."
)


def _rounded(got: Any, wanted: Tensor, *args: Any) -> bool:
    return (
        isinstance(got, Tensor)
        and got.dtype == wanted.dtype == torch.float64
        and got.shape == wanted.shape
        and torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)
    )


SUSPECTS = (
    Suspect(
        OVERFLOW,
        lambda got, wanted, *args: (
            isinstance(got, Tensor) and got.shape == wanted.shape and not got.isfinite().all().item()
        ),
    ),
    Suspect(
        NOT_CUT,
        lambda got, wanted, *args: (
            isinstance(got, Tensor) and got.shape == (len(wanted), 4 * wanted.shape[1]) != wanted.shape
        ),
    ),
    Suspect(FLOAT32, _rounded),
)
PAIR = f"Return two tensors, {NAMES}, in this order: both go into the next step."
CRASHES = (
    (
        "(2x1 and 2x1)",  # of the first case; a weight has four rows there
        "A matrix product of two states or gates, which are (batch, hidden) both: a gate multiplies number by number. "
        "That is * and not @.",
    ),
    (
        "an argument was changed in place",
        "An argument was changed, by an operation that ends in _ or by *= or +=. The step before still needs its "
        "state, for the gradient: write cell = f * cell + ..., which makes a new tensor.",
    ),
    (
        "shapes cannot be multiplied",
        "A matrix product of shapes that do not fit. The weights are (out, in), as everywhere in this course: x @ "
        "weight_ih.T.",
    ),
    (
        "size mismatch",
        "A matrix product of shapes that do not fit. The weights are (out, in), as everywhere in this course: x @ "
        "weight_ih.T.",
    ),
    (
        "Dimension out of range",
        "There is no such axis here: the sum has two, (batch, 4 * hidden), and they count from 0.",
    ),
    (
        "values to unpack",
        "There were not four parts to unpack. chunk(4) and split(...) cut the *first* axis when nothing is said, and "
        "that is the batch: say dim=1. split takes the size of a part, hidden.shape[1]; chunk takes their number.",
    ),
    (
        "must match the size",
        "Two shapes do not fit. The sum is (batch, 4 * hidden); each gate is a quarter of its columns, (batch, "
        "hidden), as the cell is. Is each hidden.shape[1] columns wide, and cut from axis 1, not from the batch?",
    ),
    ("have the same dtype", "A new tensor has float32 and the arguments have float64: dtype=x.dtype."),
    ("expected scalar type", "A new tensor has float32 and the arguments have float64: dtype=x.dtype."),
    ("converted to Python scalars", "math.exp and math.tanh take one number: torch.sigmoid and torch.tanh take all."),
    ("cannot be converted to Scalar", "math.exp and math.tanh take one number: torch.sigmoid and torch.tanh take all."),
    (
        "has no attribute 'sigmoid'",
        "This module has no sigmoid: torch.sigmoid is one. (numpy and math have none.)",
    ),
)
GENERIC = {
    "cell": "It is f * cell + i * g, number by number. Print i, f and g of one example, and do an entry by hand: are "
    "they the right blocks of rows, with the right bends?",
    "hidden": "The cell is right. hidden is o * tanh(cell) of the new cell, and o is the last block of rows through a "
    "sigmoid. Do an entry by hand.",
}


def _as_wide_as_x(args: Step) -> tuple[tuple[str, str], ...]:
    """What torch says where something as wide as x meets something as wide as the state."""
    x, state = args.x.shape[1], args.cell.shape[1]
    reason = (
        f"Something as wide as x, {x} columns, met something as wide as the cell, {state}. Was the sum cut into blocks "
        "of x.shape[1] columns? A gate has one for each unit: it is hidden.shape[1] wide."
    )
    pairs = ((x, state), (state, x)) if x != state else ()
    return tuple((f"tensor a ({one}) must match the size of tensor b ({other})", reason) for one, other in pairs)


def _compare(ask: Examiner, args: Step) -> None:
    """Asks for one step; the cell first, since hidden is made of it."""
    wanted = oracle(*args)
    called, right = ask.written(args), f"{NAMES} = " + Later(show, wanted)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=right, crashes=_as_wide_as_x(args))
    got = tuple(got) if type(got) is list and len(got) == 2 else got
    if type(got) is not tuple or len(got) != 2:
        unnamed = (Suspect(PAIR, lambda got, *rest: got is not None),)
        ask.compare(got, wanted, args, called=called, generic="", suspects=unnamed, names=NAMES)
    swapped = matches(got[1], wanted[0]) and matches(got[0], wanted[1])
    for name, position, known in (("cell", 1, cells), ("hidden", 0, hiddens)):
        part, right = got[position], wanted[position]
        slack = 200 * torch.finfo(right.dtype).eps * max(1.0, right.abs().max().item())

        def generic(name: str = name, part: Any = part, known: Callable[..., Any] = known) -> str:
            if swapped:
                return f"The two came back in the wrong order: it is {NAMES}."
            return explain(part, known(args)) or GENERIC[name]

        label = called + f"\nof the two: {name}"
        ask.compare(part, right, args, called=label, generic=generic, suspects=SUSPECTS, slack=slack)


# Two examples, one unit: every gate can be done by hand. The sums are 0.25, 1.75, -0.75, -2 and 2.75, 1.25, 3, 3.75.
CASE = Step(
    *(torch.tensor(numbers, dtype=torch.float64)[:, None] for numbers in ([2.0, 1.0], [-1.0, 2.0], [3.0, -2.0])),
    torch.tensor([[0.5], [-1.0], [0.75], [0.25]], dtype=torch.float64),
    torch.tensor([[1.0], [-0.5], [1.5], [2.0]], dtype=torch.float64),
    torch.tensor([0.5, 2.5, -0.5, -1.0], dtype=torch.float64),
    torch.tensor([-0.25, 0.75, -0.25, 0.5], dtype=torch.float64),
)
# Gates wide open and shut: the first unit keeps its cell to the digit, the second takes the candidate.
OPEN = Step(
    torch.tensor([[1000.0]]),
    torch.tensor([[0.5, -0.5]]),
    torch.tensor([[-1.75, 40.0]]),
    torch.tensor([[-1.0], [1.0], [1.0], [-1.0], [-1.0], [1.0], [1.0], [1.0]]),
    torch.zeros(8, 2),
    torch.zeros(8),
    torch.zeros(8),
)


def draw(generator: torch.Generator, round_: int, sizes: tuple[int, int, int] | None = None) -> Step:
    """Arguments from the ranges that the exercise states. sizes: batch, features, hidden."""
    batch, features, hidden = sizes or (int(torch.randint(1, most + 1, (), generator=generator)) for most in (5, 6, 5))
    dtype = (torch.float64, torch.float32)[round_ % 2]
    shapes = ((features, batch), (hidden, batch), (hidden, batch), (features, 4 * hidden), (hidden, 4 * hidden))
    if round_ % 4 == 3:  # gates wide open and shut: whole numbers, so that the large sums are exact
        parts = [torch.randint(-3, 4, shape, generator=generator).double() for shape in (*shapes, *[(4 * hidden,)] * 2)]
        parts[0] *= 400.0
    else:
        parts = [
            torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (*shapes, *[(4 * hidden,)] * 2)
        ]
        parts[2] *= 2.0
    parts = [part.to(dtype) for part in parts]
    return Step(*(part.T if part.dim() == 2 else part for part in parts))  # views


def cases() -> list[Step]:
    """One thing more each time: one number; several units, features and examples; as many features as units; open."""
    numbers = torch.Generator().manual_seed(8)
    return [CASE, draw(numbers, 0, (1, 3, 2)), draw(numbers, 0, (2, 3, 2)), draw(numbers, 0, (4, 3, 3)), OPEN]


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.lstm_cell", "lstm_cell", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        _compare(ask, args)
    return f"right on {ask.asked} steps, in hidden and cell, with gates that are wide open and shut among them."


EXERCISE = Exercise(
    id="08.lstm_cell",
    name="lstm_cell",
    title="One step of an LSTM",
    objectives=("08-O1", "08-O3"),
    difficulty=3,
    minutes=15,
    points=4,
    task="Write lstm_cell(x, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh): x (batch, features), hidden and "
    "cell (batch, hidden), weight_ih (4 * hidden, features), weight_hh (4 * hidden, hidden), both biases (4 * "
    "hidden,). The rows stand in four blocks in torch's order i, f, g, o. Return the new (hidden, cell), two new "
    "tensors.",
    ranges="1 to 5 examples, 1 to 6 features, 1 to 5 units, sums of both signs from near 0 to thousands (gates that "
    "are wide open or shut), float32 and float64, tensors that are views of others",
    hints=(
        "Three of the four blocks say *how much*, one says *what*. Which bend fits which? And which of the two states "
        "do the gates look at, which do they act on?",
        "First one sum for all four, (batch, 4 * hidden), of x, hidden and both biases. Cut its columns into four "
        "blocks. Then the new cell: what the forget gate keeps of the old, and what the input gate lets in of the "
        "candidate. Then hidden: what the output gate shows of the new cell.",
        "total is x @ weight_ih.T plus hidden @ weight_hh.T plus the two biases; total.chunk(4, dim=1) gives i, f, g, "
        "o; torch.sigmoid for i, f and o, torch.tanh for g; the new cell is f times the old plus i times g; hidden is "
        "o times tanh of the new cell.",
    ),
    reference=lstm_cell,
    walkthrough="One matrix product for each of x and hidden serves all four blocks. The cell is a sum: f says how "
    "much of the old stays and i how much of g comes in, so a gate f near 1 keeps a memory over many steps; hidden is "
    "only what o shows of it.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
