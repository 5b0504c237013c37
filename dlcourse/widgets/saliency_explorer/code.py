"""The picked map as a program: the same picture, the same call, the same numbers to the last bit."""

from collections.abc import Callable

import torch
from torch.nn import functional

from dlcourse.types import Float, Tensor
from dlcourse.widgets.saliency_explorer.methods import BLOCKS, METHODS, Setting
from dlcourse.widgets.saliency_explorer.methods import code as call
from dlcourse.widgets.saliency_explorer.pictures import Pictures

OWN = """
from dlcourse.widgets.saliency_explorer import own

model, (x, labels) = own.network(), own.pictures()
"""
GROUPS = """\
rows, columns = (torch.arange(size) * min({most}, size) // size for size in example.shape[2:])
groups = rows[:, None] * (columns.max() + 1) + columns  # the number of its block for each pixel
"""
METHOD = """

def method(model, x, target):
    return {call}


"""
CASCADE = """\
draws = generator({seed}, like=x)
steps = attribution.cascading_randomisation_steps(model, example, target, method, generator=draws)
found = next(islice(steps, {layers}, None)).map  # the first, number 0, is that of the network as it is
"""
END = 'print("The map", tuple(found.shape), "sums to", float(found.sum()))\n'
LINE = 118


def program(
    said: str, pictures: Pictures, name: str, target: int, setting: Setting, baseline: str, layers: int, seed: int
) -> str:
    """The source. said: what it is, in words; baseline: its source; layers: how many are randomised, by the seed."""
    own, drawn = pictures.given.own, pictures.index is None
    parts = [] if not drawn else [_drawing(pictures)]
    where = f"x[{pictures.index}:{pictures.index + 1}]" if not drawn else "(drawn[None, None] / 16).to(x)"
    parts.append(f"\nexample = {where}  # (1, 1, height, width)\ntarget = {target}\n")
    asked = call(METHODS[name], setting)
    if "baseline" in asked:
        parts.append(f"baseline = {baseline}\n")
    if "groups" in asked:
        parts.append(GROUPS.format(most=BLOCKS))
    parts.append(METHOD.format(call=_folded(asked)))
    parts.append(CASCADE.format(seed=seed, layers=layers) if layers else "found = method(model, example, target)\n")
    body = "".join(parts)
    head = [f'"""{said}' + ('"""' if own else '\n\n`model` and `x` are those you gave the explorer.\n"""'), ""]
    head += ["from itertools import islice", ""] if layers else []
    head += ["import torch"] if "torch." in body else []
    head += ["from torch.nn import functional"] if "functional." in body else []
    head += [""] if head[-1] else []
    head += [f"from dlcourse import attribution{', generator' if 'generator(' in body else ''}"]
    return "\n".join(head) + (OWN if own else "\n") + body + END


def baseline(kind: str, x: Float[Tensor, "1 1 height width"], mean: float) -> tuple[Tensor, str]:
    """What stands for nothing there in the picture x, and its source. mean: of all pictures."""
    size = 2 * (min(x.shape[2:]) // 4) + 1
    blur = {"stride": 1, "padding": size // 2, "count_include_pad": False}
    options = ", ".join(f"{name}={value}" for name, value in blur.items())
    blurred = f"functional.avg_pool2d(example, {size}, {options})"
    made: dict[str, Callable[[], tuple[Tensor, str]]] = {
        "paper": lambda: (torch.zeros_like(x), "torch.zeros_like(example)"),
        "ink": lambda: (torch.ones_like(x), "torch.ones_like(example)"),
        "mean_grey": lambda: (torch.full_like(x, mean), f"torch.full_like(example, {mean!r})  # the mean of all x"),
        "blurred": lambda: (functional.avg_pool2d(x, size, **blur), blurred),
    }
    return made[kind]()


def _drawing(pictures: Pictures) -> str:
    rows = ",\n".join(f"    {row}" for row in pictures.sixteenths.tolist())
    return f"\ndrawn = torch.tensor([\n{rows},\n])  # ink in sixteenths\n"


def _folded(asked: str) -> str:
    """A long call on more lines than one."""
    if len(asked) < LINE - 12:
        return asked
    start, _, rest = asked.partition("(")
    return f"{start}(\n        {rest[:-1]}\n    )"
