"""The race on the screen as a program of its own: the same rules of dlcourse.optim, the same places in the end."""

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence

from dlcourse.widgets.optimizer_race.race import LAST, Race, rate

HEAD = '''"""A race of optimisers: the same surface, starts and settings, and so the same way down."""
'''
GRADIENT = '''

def loss(place):
    """The loss at places (starts, 2)."""
    return {name}(*place.unbind(-1){shape})


def gradient(place):
    """And its gradient, (starts, 2), by the formula above."""
    return torch.stack({name}_slope(*place.unbind(-1){shape}), dim=-1)

'''
OWN = '''
# surface(x, y) is your own function.


def loss(place):
    """The loss at places (starts, 2)."""
    return surface(*place.unbind(-1))


def gradient(place):
    """And its gradient, (starts, 2), by autograd."""
    x, y = (part.clone().requires_grad_() for part in place.unbind(-1))
    return torch.stack(torch.autograd.grad(surface(x, y).sum(), (x, y), materialize_grads=True), dim=-1)

'''


def program(race: Race, shown: Sequence[str]) -> str:
    """The source of a program that runs the racers `shown` as far as `race` is, and prints where they are."""
    own = race.surface.name == "own"
    noisy = any(moment.settings["noise"] for moment in race.moments[: race.at])
    imports = ["import math"] if race.surface.name == "bowl" else []
    lines = [
        *(HEAD, *imports, *([""] if imports else []), "import torch\n"),
        f"from dlcourse import {'generator, ' if noisy else ''}optim\n",
        OWN.strip("\n") + "\n\n" if own else _surface(race),
        f"starts = torch.tensor({[list(start) for start in race.starts]}, dtype=torch.float64)",
    ]
    if noisy:
        lines += [
            "# The same noise for all: a row for each step, of standard deviation 1.",
            f"noise = torch.randn({LAST}, 2, generator=generator({race.seed}), dtype=torch.float64)",
        ]
    for name in shown:
        lines += ["", *_racer(race, name)]
    return "\n".join([*lines, ""])


def _surface(race: Race) -> str:
    """The formulas as they stand in this package, without their annotations."""
    surface = race.surface
    sources = [inspect.getsource(function).strip() for function in (surface.loss, surface.slope)]
    shape = "".join(f", {name}={value!r}" for name, value in surface.shape.items())
    body = re.sub(r"(: (Tensor|float)\b| -> (Tensor|Pair)(?=:))", "", "\n\n\n".join(sources))
    return f"\n{body}\n{GRADIENT.format(name=surface.name, shape=shape)}"


def _racer(race: Race, name: str) -> Iterator[str]:
    """One racer: `for step in range(1, 61): ...`, and where settings changed on the way, another such loop."""
    racer = race.racers[name]
    yield f"# {racer.name}" + (": rule(place, gradient, state, step, lr) is your own function" if name == "own" else "")
    yield "place = starts"
    if racer.setup:
        yield racer.setup
    begin, lines = 0, _lines(race, name, 0)
    for step in range(1, race.at + 1):
        if step == race.at or _lines(race, name, step) != lines:
            yield f"for step in range({begin + 1}, {step + 1}):"
            yield textwrap.indent(lines, "    ")
            if step < race.at:
                begin, lines = step, _lines(race, name, step)
    yield f'print("{racer.name}:", place.tolist(), "loss", loss(place).tolist())'


def _lines(race: Race, name: str, step: int) -> str:
    """What is done at the step after this one."""
    settings = race.moments[step].settings
    shaken = f" + {settings['noise']} * noise[step - 1]" if settings["noise"] else ""
    return race.racers[name].line.format(gradient=f"gradient(place){shaken}", rate=rate(settings, name), **settings)
