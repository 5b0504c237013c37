"""The state on the screen as a program of its own: the same weights and the same numbers."""

from typing import Any

from dlcourse.widgets.rnn_unroller.cells import FEATURES

HEAD = '''"""How much of a gradient gets back through time, from the last state to each of those before."""

import torch

from dlcourse import generator, nn

'''
INPUTS = """text = {text!r}
# Each character is a random vector, the same wherever it occurs.
drawn = {{c: torch.randn({features}, generator=generator({seed} * 0x110000 + ord(c))) for c in text}}
x = torch.stack([drawn[c] for c in text])[None]  # (1, time, {features})
"""
CELL = """draw = generator({seed})
cell = nn.{name}({features}, {units}, {activation}generator=draw)
"""
NAMES = {"rnn": "RNNCell", "lstm": "LSTMCell", "gru": "GRUCell"}
OWN = """# cell and x are your own: the cell (of a layer of one: layer.cell()), and what it reads, (1, time, features).
"""
END = """
zeros = torch.zeros(1, {units})
flow = nn.gradient_flow(cell, x, {state})[0]
{cut}for step, size in enumerate(flow.tolist(), start=1):
    print(f"step {{step}}: {{size:.3g}}")
"""
CUT = "flow[:{cut}] = 0  # the cut: no gradient gets back beyond it\n"


def program(engine: Any) -> str:
    """The source of a program that prints what `engine`, an `RNNUnrollerEngine`, has measured."""
    values, own, cell = engine.values, engine.own, engine.cell
    text = HEAD
    if own:
        text = text.replace("generator, nn", "nn")
        text += OWN
    else:
        kind, seed = values["cell"], values["seed"]
        bare = kind == "rnn" and values["activation"] == "none"
        text += INPUTS.format(text=values["text"], features=FEATURES, seed=seed)
        text += CELL.format(
            seed=seed,
            name=NAMES[kind],
            features=FEATURES,
            units=values["units"],
            activation="activation=nn.Identity(), " if bare else "",
        )
        text += _start(values)
    state = "(zeros, zeros)" if cell.kind == "lstm" else "zeros"
    return text + END.format(units=cell.units, state=state, cut=CUT.format(cut=values["cut"]) if values["cut"] else "")


def _start(values: dict[str, Any]) -> str:
    if values["cell"] == "rnn":
        return f"nn.scale_spectral_radius_(cell.weight_hh.data, {values['radius']})\n"
    if values["start"] == "chrono":
        return f"nn.chrono_(cell, {values['longest']}, generator=draw)\n"
    if values["start"] == "usual":
        return ""
    if values["cell"] == "lstm":
        return f"nn.forget_bias_(cell, {values['bias']})\n"
    gate = f"[{values['units']}:{2 * values['units']}]"
    keep = f"cell.bias_ih.data{gate} = {values['bias']}  # the update gate, which keeps the old\n"
    return f"{keep}cell.bias_hh.data{gate} = 0\n"
