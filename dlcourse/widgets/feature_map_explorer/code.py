"""The maps on the screen as a program of torch and dlcourse: same picture, same channels off, same numbers."""

import json

from dlcourse.types import Float, Tensor
from dlcourse.widgets.feature_map_explorer.network import Off

HEAD = '''"""The feature maps of one layer for one picture. `model` is your own network{also}."""

{copy}import torch

from dlcourse.hooks import {hooks}
'''
OFF = '''

def without(*channels):
    """Maps in which these channels are 0."""

    def zeroed(maps):
        maps = maps.clone()
        maps[:, list(channels)] = 0
        return maps

    return zeroed
'''
OWN = """# One module stands at several places: in this copy each place has its own, so that hooks tell them apart.
model, met = copy.deepcopy(model), set()
for name, _ in list(model.named_modules(remove_duplicate=False))[1:]:
    module = model.get_submodule(name)
    if module in met:
        model.set_submodule(name, module := copy.deepcopy(module))
    met.add(module)

"""
END = """
model.eval()
with torch.no_grad(), {replaced}capture(model, [{layer}]) as seen:
    logits = model(picture)
maps = seen[{layer}][0]  # ({shape})
print("unit ({channel}, {row}, {column}):", maps[{channel}, {row}, {column}].item())
print("probabilities:", logits.softmax(1)[0])
"""


def program(
    picture: Float[Tensor, "1 height width"],
    index: int | None,
    shift: tuple[int, int],
    off: Off,
    layer: str,
    shape: tuple[int, int, int],
    unit: tuple[int, int, int],
    *,
    shared: bool = False,
    cast: bool = False,
) -> str:
    """The source. picture: before it is moved, in sixteenths; index: of an image of the data set that it is; shared:
    one module stands at several places; cast: the network is of another dtype, or elsewhere, than the picture."""
    parts = [
        HEAD.format(
            copy="import copy\n\n" if shared else "",
            hooks="capture, replace" if off else "capture",
            also="" if index is None else ", `images` are those you gave the explorer",
        )
    ]
    parts.append(f"{OFF}\n\n" if off else "\n")
    if shared:
        parts.append(OWN)
    if index is None:
        rows = ",\n".join("    " + str(row) for row in (picture[0] * 16).round().int().tolist())
        parts.append(
            f"picture = torch.tensor([\n{rows},\n])[None, None] / 16  # (1, 1, height, width), ink in [0, 1]\n"
        )
    else:
        parts.append(f"picture = images[{index}][None]  # (1, 1, height, width)\n")
    down, right = shift
    if down or right:
        parts.append(
            f"# {down} down, {right} right; zeros move in.\n"
            f"picture = torch.nn.functional.pad(picture, ({right}, {-right}, {down}, {-down}))\n"
        )
    if cast:
        parts.append("picture = picture.to(next(model.parameters()))  # its dtype and device\n")
    channels: dict[str, list[int]] = {}
    for name, channel in sorted(off):
        channels.setdefault(name, []).append(channel)
    table = ", ".join(f"{_text(name)}: without({', '.join(map(str, which))})" for name, which in channels.items())
    parts.append(
        END.format(
            replaced=f"replace(model, {{{table}}}), " if off else "",
            layer=_text(layer),
            shape=", ".join(map(str, shape)),
            **dict(zip(("channel", "row", "column"), unit, strict=True)),
        )
    )
    return "".join(parts)


def _text(name: str) -> str:
    """A name as a program writes it."""
    return json.dumps(name)
