"""What the unroller says, in plain sentences: the same facts as the picture."""

import math
from typing import Any

from dlcourse.widgets.rnn_unroller.cells import KEEPERS
from dlcourse.widgets.rnn_unroller.chart import memory
from dlcourse.widgets.rnn_unroller.numbers import figure

NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
BENDS = {"tanh": "tanh", "relu": "ReLU", "none": "no bend"}


def say(engine: Any, gradient: bool = True) -> str:
    """One line for the live region."""
    symbol = engine.symbols[engine.at - 1]
    reads = f" reads {symbol}" if symbol else ""
    if not gradient:
        return f"Step {engine.at} of {engine.time}{reads}."
    here = engine.flow[engine.at - 1].item()
    gets = "no gradient gets back here" if here == 0 else f"gradient that gets back here: {figure(here)}"
    return f"Step {engine.at} of {engine.time}{reads}; {gets}."


def units(engine: Any) -> str:
    return "1 unit" if engine.cell.units == 1 else f"{engine.cell.units} units"


def describe(engine: Any) -> str:
    cell = engine.cell
    said = [f"An {NAMES[cell.kind]}" if cell.kind != "gru" else "A GRU", f" of {units(engine)}"]
    if cell.kind == "rnn":
        said.append(f" ({BENDS[cell.bend]}, spectral radius {figure(cell.radius)})")
    shown = "".join(engine.symbols)
    what = f"reads {shown!r}" if shown else f"reads {engine.time} steps of inputs"
    if engine.unseen >= {"strip", "map"}:  # then nothing of the gradient is shown, and nothing is said
        return " ".join(["".join(said), what + ".", say(engine, gradient=False)])
    back = [f"The gradient of h_{engine.time} that gets back to the first state is {figure(engine.flow[0].item())}."]
    if engine.values["cut"]:
        back = [f"It is cut after step {engine.values['cut']}: the steps up to it get no gradient."]
        back.append(f"Without the cut {figure(engine.uncut[0].item())} would get back to the first state.")
    return " ".join(["".join(said), what + ".", say(engine), *back])


def sums(engine: Any) -> list[str]:
    """The chosen unit's arithmetic at the chosen step."""
    it = {name: numbers[engine.unit].item() for name, numbers in engine.parts.items()}
    n = {name: _in(value) for name, value in it.items()}
    if engine.cell.kind == "rnn":
        total = f"{n['from x']} + {n['from h']}"
        bend = engine.cell.bend
        return [f"h = {total if bend == 'none' else f'{bend}({total})'} = {figure(it['h'])}"]
    if engine.cell.kind == "lstm":
        return [
            f"c = f·c + i·g = {n['f']}·{n['c before']} + {n['i']}·{n['g']} = {figure(it['c'])}",
            f"h = o·tanh(c) = {n['o']}·{_in(math.tanh(it['c']))} = {figure(it['h'])}",
        ]
    rest = _in(1 - it["z"])
    return [f"h = (1 - z)·n + z·h = {rest}·{n['n']} + {n['z']}·{n['h before']} = {figure(it['h'])}"]


def explanation(engine: Any) -> list[str]:
    """What is worth noticing, one thought to a sentence."""
    said = _of_an_rnn(engine) if engine.cell.kind == "rnn" else _of_gates(engine)
    if cut := engine.values["cut"]:
        who = "step 1 gets" if cut == 1 else f"steps 1 to {cut} get"
        said.append(
            f"The cut lets nothing through: {who} no gradient, as with a detach. The states are the "
            "same with it and without it, so what they hold of those steps is still there, only not learned from."
        )
    return said


def _of_an_rnn(engine: Any) -> list[str]:
    cell, steps = engine.cell, engine.time - 1
    radius, first, most = cell.radius, engine.uncut[0].item(), engine.uncut.max().item()
    if not steps:
        return ["With one step there is no way back yet: type a second character."]
    alone = _power(radius, steps)
    said = [
        f"The spectral radius is {figure(radius)}: over {_steps(steps)}, {figure(radius)} to the power {steps} = "
        f"{figure(alone)} is what it alone would leave of a gradient, in the long run and without a bend.",
        f"Measured from h_{engine.time} back to h_1: {figure(first)}.",
    ]
    if cell.bend == "tanh" and first < alone:
        said.append(
            "That is less: each tanh multiplies by its slope too, which is at most 1 and small where |h| is large."
        )
    elif cell.bend == "none" and first > 0 and not 0.5 < first / max(alone, 1e-45) < 2:
        said.append("The two differ: on so few steps directions matter too, and the radius speaks of the long run.")
    elif cell.bend == "tanh" and first > alone:
        said.append("That is more: on few steps a matrix may stretch by more than its radius says.")
    if radius < 1 and most > 1.05:
        said.append(
            f"Although the radius is below 1, the gradient grows at first, to {figure(most)}: the radius speaks of the "
            "long run, and a matrix may stretch before it shrinks."
        )
    return said


def _of_gates(engine: Any) -> list[str]:
    cell, steps = engine.cell, engine.time - 1
    keeper, first = KEEPERS[cell.kind], engine.uncut[0].item()
    if not steps:
        return ["With one step there is no way back yet: type a second character."]
    said = []
    if (bias := cell.keep_bias) is not None:
        low, high = bias.min().item(), bias.max().item()
        if high - low < 1e-6:
            said.append(
                f"The {keeper}'s bias is {figure(low)}: alone it keeps {figure(_sigmoid(low))} of the old at each "
                f"step, a memory of about {figure(memory(low))} steps, and {figure(_power(_sigmoid(low), steps))} over "
                f"{_steps(steps)}."
            )
        else:
            said.append(
                f"The {keeper}'s biases lie between {figure(low)} and {figure(high)}: alone they make memories of "
                f"{figure(memory(low))} to {figure(memory(high))} steps."
            )
    kept = engine.all_parts["f" if cell.kind == "lstm" else "z"]
    said.append(
        f"While it reads, the {keeper} stands at {figure(kept.mean().item())} on average, between "
        f"{figure(kept.min().item())} and {figure(kept.max().item())}: inputs and states move it too."
    )
    said.append(f"Measured from h_{engine.time} back to the first state: {figure(first)}, in the best direction.")
    return said


def _steps(count: int) -> str:
    return f"{count} step{'s' if count > 1 else ''}"


def _power(base: float, exponent: int) -> float:
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def _sigmoid(bias: float) -> float:
    return 1 / (1 + math.exp(-bias))


def _in(value: float) -> str:
    """As a term or factor: a negative one in parentheses."""
    return f"({figure(value)})" if value < 0 else figure(value)
