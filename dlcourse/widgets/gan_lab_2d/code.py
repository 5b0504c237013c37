"""The game on the screen as a program of its own: the same points, networks, moves and changes, the same losses.

The program needs torch and `dlcourse.generation`, no widget. It is written to be read: set-up, then the story of the
game as calls of `rounds`, `d_move` and `g_move` with the changes between them.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from dlcourse.widgets.gan_lab_2d.run import DEPTH, EVALUATED, Run
from dlcourse.widgets.gan_lab_2d.target import DRAWN, PLACES
from dlcourse.widgets.runs.history import Change
from dlcourse.widgets.runs.strokes import Strokes, after

PENALTIES = {
    "none": "None",
    "R1": "generation.R1(gamma={strength})",
    "gradient_penalty": "generation.GradientPenalty(weight={strength})",
}
POINTS = """
# The real points: one of the places at random for each, and noise around it.
places = {places}
noise = {noise}
source = generator({seed})


def draw_real(n, source=source):
    chosen = torch.randint(len(places), (n,), generator=source)
    return places[chosen] + noise * torch.randn(n, 2, generator=source)

"""
MOVES = '''
def rounds(n):
    """n times: d_steps updates of D, then one of G."""
    options = {"latent": latent, "batch": batch, "d_steps": d_steps, "penalty": penalty, "generator": source}
    for _ in generation.gan_steps(
        g_model, d_model, draw_real, loss, g_optimizer, d_optimizer, steps=n, **options
    ):
        pass
'''
SINGLE = '''

def d_move():
    """One update of D."""
    options = {"latent": latent, "penalty": penalty, "generator": source}
    generation.discriminator_step(g_model, d_model, draw_real(batch), loss, d_optimizer, **options)


def g_move():
    """One update of G."""
    options = {"latent": latent, "batch": batch, "generator": source}
    generation.generator_step(g_model, d_model, loss, g_optimizer, **options)
'''
RESULT = """
# How it stands, measured on fresh points without the penalty
fresh = generator({seed})
real = draw_real({n}, fresh)
with torch.no_grad():
    fake = g_model(torch.randn({n}, latent, generator=fresh))
    real_logits, fake_logits = d_model(real), d_model(fake)
print("loss of D", loss.discriminator(real_logits, fake_logits).item())
print("loss of G", loss.generator(fake_logits).item())
"""


def program(run: Run) -> str:
    """The source of a program that plays `run` up to its present step."""
    return _Writer(run).text()


class _Writer:
    def __init__(self, run: Run) -> None:
        self.run, self.values, self.strokes = run, dict(run.history.values), run.history.drawn
        self.changes = {step: made for step, made in run.history.changes.items() if step <= run.at}
        self.placed = 0

    def text(self) -> str:
        values = self.values
        setup = [
            '"""A game of two networks: the points, networks and moves on the screen, and so the same losses."""\n',
            "import torch\n",
            "from dlcourse import data, generation, generator, models",
            self.points().rstrip("\n") + "\n\n",
            f"latent, batch = {values['latent']}, {values['batch_size']}",
            *self.networks(),
            *self.optimizers(),
            f"loss = generation.{values['loss'].upper()}",
            f"penalty, d_steps = {self.penalty()}, {values['d_steps']}\n",
        ]
        story = list(self.story())
        moves = MOVES + (SINGLE if any("_move" in line for line in story) else "")
        result = []
        if len(self.run.target.places):
            own = ["g_model.eval()", "d_model.eval()"] if any(self.run.own) else []
            result = [*own, RESULT.format(seed=20_000 + values["seed"], n=EVALUATED).rstrip("\n")]
        lines = [*setup, moves.rstrip("\n") + "\n\n", "# The game", *story, *result, ""]
        used = "\n".join(lines)
        return used if "data." in used else used.replace("import data, generation", "import generation")

    def points(self) -> str:
        name = self.values["data"]
        if self.run.own_target is not None:
            places = "torch.as_tensor(X, dtype=torch.float32)  # X: your own points"
        else:
            places = self.places() if name == DRAWN else PLACES[name]
        noise = round(self.values["noise"] * self.run.target.scale, 6)
        return POINTS.format(places=places, noise=noise, seed=self.values["seed"])

    def places(self) -> str:
        points = [list(point) for stroke in self.strokes for point in stroke]
        if not points:
            return "torch.zeros(0, 2)"
        text = str(points)
        if len(text) > 80:
            text = "\n" + textwrap.fill(text, 110, initial_indent="    ", subsequent_indent="    ") + "\n"
        return f"torch.tensor({text})"

    def networks(self) -> list[str]:
        hidden = (self.values["width"],) * DEPTH
        made = [
            f"g_model = models.gan_generator((2,), latent=latent, hidden={hidden}, bounded=False, generator=source)",
            f"d_model = models.gan_discriminator((2,), hidden={hidden}, generator=source)",
        ]
        return [
            line if mine is None else f"# {name} is your own, as before the first step; what it draws itself differs"
            for line, mine, name in zip(made, self.run.own, ("g_model", "d_model"), strict=True)
        ] + (["g_model.train()", "d_model.train()"] if any(self.run.own) else [])

    def optimizers(self) -> list[str]:
        return [
            f"{who}_optimizer = torch.optim.Adam({who}_model.parameters(), lr={self.values[f'{who}_lr']}, "
            f"betas=({self.values['beta1']}, 0.9))"
            for who in ("g", "d")
        ]

    def penalty(self) -> str:
        return PENALTIES[self.values["penalty"]].format(strength=self.values["strength"])

    def story(self) -> Iterator[str]:
        """`rounds(50)`, a change, `d_move()`, `rounds(70)`, ..."""
        at, last = 0, self.run.at
        stops = sorted({*self.changes, last})
        while True:
            forced = None
            for change in self.changes.get(at, ()):
                if change[0] == "turn":
                    forced = change[1]
                yield from self.told(change)
            if at == last:
                return
            stop = next(stop for stop in stops if stop > at)
            if forced is not None:
                yield self.move(forced)
                at += 1
            whole = self.values["d_steps"] + 1
            while at < stop:
                if self.placed == 0 and (n := (stop - at) // whole):
                    yield f"rounds({n})"
                    at += n * whole
                else:
                    yield self.move("D" if self.placed < self.values["d_steps"] else "G")
                    at += 1

    def move(self, kind: str) -> str:
        self.placed = self.placed + 1 if kind == "D" else 0
        return f"{kind.lower()}_move()"

    def told(self, change: Change) -> Iterator[str]:
        if change[0] == "set":
            yield from self.told_set(change[1])
        elif change[0] != "turn":
            self.strokes: Strokes = after(self.strokes, change)
            yield f"places = {self.places()}"

    def told_set(self, changed: Mapping[str, Any]) -> Iterator[str]:
        self.values |= changed
        if "loss" in changed:
            yield f"loss = generation.{self.values['loss'].upper()}"
        if not changed.keys().isdisjoint(("penalty", "strength")):
            yield f"penalty = {self.penalty()}"
        if "d_steps" in changed:
            yield f"d_steps = {self.values['d_steps']}"
        if "batch_size" in changed:
            yield f"batch = {self.values['batch_size']}"
        for who in ("g", "d"):
            wanted = {
                "lr": (f"{who}_lr", self.values[f"{who}_lr"]),
                "betas": ("beta1", f"({self.values['beta1']}, 0.9)"),
            }
            for key, (name, value) in wanted.items():
                if name in changed:
                    yield f'{who}_optimizer.param_groups[0]["{key}"] = {value}'
