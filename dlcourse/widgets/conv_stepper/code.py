"""The state on the screen as a program of its own: the same picture, the same layer, the same output."""

from typing import Any

from dlcourse.types import Float, Tensor

HEAD = '''"""{title}"""

import torch
from torch.nn import functional

image = torch.tensor({image})
{kernel}
x = image[None, None]  # (batch, channel, rows, columns)
'''
CALLS = {
    "kernel": "functional.conv2d(\n{indent}    x, {laid}[None, None], torch.tensor([{bias}]),\n"
    "{indent}    stride={stride}, padding={padding}, dilation={dilation},\n{indent})",
    "max": "functional.max_pool2d(x, {window}, stride={stride}, padding={padding}, dilation={dilation})",
    "average": "functional.avg_pool2d(\n{indent}    x, {window}, stride={stride}, padding={padding}, "
    "count_include_pad={count_padding},\n{indent})",
}
TITLES = {
    "kernel": "A kernel slides over a small picture.",
    "max": "Max pooling of a small picture.",
    "average": "Average pooling of a small picture.",
}


def program(engine: Any) -> str:
    """The source of a program that prints the output that `engine`, a `ConvStepperEngine`, shows."""
    layer, count = engine.layer, engine.values["layers"]
    kernel = f"kernel = torch.tensor({_rows(layer.kernel)})\n" if layer.mode == "kernel" else ""
    text = HEAD.format(title=TITLES[layer.mode], image=_rows(engine.image), kernel=kernel)
    call = CALLS[layer.mode].format(
        laid="kernel.flip(0, 1)" if layer.flip else "kernel",
        indent="    " if count > 1 else "",
        window=layer.window,
        **{name: getattr(layer, name) for name in ("bias", "stride", "padding", "dilation", "count_padding")},
    )
    text += f"for _ in range({count}):\n    x = {call}\n" if count > 1 else f"x = {call}\n"
    return text + "output = x[0, 0]\nprint(output)\n"


def _rows(values: Float[Tensor, "height width"]) -> str:
    """Nested lists, a line for each row, every number exactly as it is in float32."""
    rows = ",\n".join(f"    [{', '.join(map(str, row))}]" for row in values.numpy())
    return f"[\n{rows},\n]"
