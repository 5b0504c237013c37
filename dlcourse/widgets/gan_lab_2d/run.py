"""One game: two networks, two optimisers, whose turn it is, every state again, and what was changed on the way.

An update is a step of one network. A round is `d_steps` updates of the discriminator D and then one of the generator G;
whoever wants may move out of turn. Everything random comes from one generator whose state is remembered, so a step can
be had again to the bit.
"""

import copy
import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, NamedTuple

import torch

from dlcourse import models
from dlcourse.generation import (
    HINGE,
    LEAST_SQUARES,
    MINIMAX,
    NON_SATURATING,
    R1,
    WASSERSTEIN,
    GradientPenalty,
    discriminator_step,
    generator_step,
    mode_coverage,
)
from dlcourse.seeding import generator
from dlcourse.training import Diverged
from dlcourse.types import Float, Tensor
from dlcourse.widgets.gan_lab_2d.history import COLUMNS, MOST, Measured
from dlcourse.widgets.gan_lab_2d.target import Target, target
from dlcourse.widgets.runs.history import MEMORY, Change, History, Record, copied
from dlcourse.widgets.runs.own import watched
from dlcourse.widgets.runs.run import Replayable
from dlcourse.widgets.runs.strokes import Strokes, after

LIVE = frozenset({"loss", "penalty", "strength", "d_steps", "g_lr", "d_lr", "beta1", "batch_size"})
LOSSES = {
    "non_saturating": NON_SATURATING,
    "minimax": MINIMAX,
    "least_squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
}
# D's output where it cannot tell; the Wasserstein critic has no such place, only a mean of its own.
BORDER = {"non_saturating": 0.0, "minimax": 0.0, "least_squares": 0.5, "hinge": 0.0}
PENALTIES = {
    "none": lambda strength: None,
    "R1": lambda strength: R1(gamma=strength),
    "gradient_penalty": lambda strength: GradientPenalty(weight=strength),
}
DEPTH = 3
EVALUATED = 400  # points of either kind that a state is measured with
PUSHED = 100  # of the generated ones, whose slopes are taken
LEAST = 0.01  # of all generated points that must be near a mode, for it to count as covered
TURNS = ("D", "G")


class Seen(NamedTuple):
    """What a state was last measured on; all but `fake` is None while there is no real point."""

    fake: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor | None
    push: Tensor | None  # of the first of `fake`
    counts: Tensor | None  # generated points near each mode; None without modes


class Run(Replayable):
    """values: every parameter of the engine at step 0; drawn: the learner's points then.

    own: the learner's (g_model, d_model), either of them None, and what they held at step 0. target: the learner's.
    """

    steps_called: ClassVar = "updates"
    events: ClassVar = frozenset({"turn"})

    def __init__(
        self,
        values: Mapping[str, Any],
        drawn: Strokes = (),
        *,
        stride: int = 1,
        own_target: Target | None = None,
        own: tuple[torch.nn.Module | None, torch.nn.Module | None] = (None, None),
        initial: tuple[Any, Any] = (None, None),
    ) -> None:
        self.values, self.drawn, self.own_target, self.own = dict(values), drawn, own_target, own
        self.source = generator(values["seed"])
        hidden = (values["width"],) * DEPTH
        for model, state in zip(own, initial, strict=True):
            if model is not None:
                model.load_state_dict(copied(state))
        g_model, d_model = own
        if g_model is None:
            g_model = models.gan_generator(
                (2,), latent=values["latent"], hidden=hidden, bounded=False, generator=self.source
            )
        self.g_model = g_model
        self.d_model = (
            models.gan_discriminator((2,), hidden=hidden, generator=self.source) if d_model is None else d_model
        )
        self._new_optimizers()
        self.at, self.counts, self.placed, self.forced, self.diverged = 0, (0, 0), 0, None, None
        self.last_move: str | None = None
        self.saved_measured: Measured | None = None
        self.history = History(dict(self.values), drawn, COLUMNS[1:], self._affordable(), stride)
        self._load_target()
        self._record()

    # The next update.

    @property
    def running(self) -> bool:
        return self.diverged is None and len(self.target.places) > 0

    @property
    def due(self) -> str:
        """Whose turn it is: "D" or "G"."""
        return self.forced or ("D" if self.placed < self.values["d_steps"] else "G")

    def step(self) -> None:
        """One update of the network whose turn it is. Nothing happens when the run cannot go on."""
        if not self.running:
            return
        kind, self.forced, self.saved_measured = self.due, None, None
        before = self.source.get_state()
        try:
            with self._watched(training=True):
                (self._d_update if kind == "D" else self._g_update)()
        except Diverged:  # the update was not made
            self.source.set_state(before)
            self.diverged = self.at
            return
        d_count, g_count = self.counts
        self.counts = (d_count + 1, g_count) if kind == "D" else (d_count, g_count + 1)
        self.placed = self.placed + 1 if kind == "D" else 0
        self.at, self.last_move = self.at + 1, kind
        if not self._finite():
            self.diverged = self.at
        self._arrive()

    def _d_update(self) -> None:
        """D learns to tell real points from generated ones."""
        real = self.target.draw(self.values["batch_size"], self.source)
        penalty = PENALTIES[self.values["penalty"]](self.values["strength"])
        options = {"latent": self.values["latent"], "penalty": penalty, "generator": self.source}
        discriminator_step(self.g_model, self.d_model, real, self.rule, self.d_optimizer, **options)

    def _g_update(self) -> None:
        """G learns to be taken for real."""
        options = {"latent": self.values["latent"], "batch": self.values["batch_size"], "generator": self.source}
        generator_step(self.g_model, self.d_model, self.rule, self.g_optimizer, **options)

    @property
    def rule(self) -> Any:
        return LOSSES[self.values["loss"]]

    def latent(self, n: int, source: torch.Generator | None = None) -> Float[Tensor, "points features"]:
        return torch.randn(n, self.values["latent"], generator=source or self.source, device="cpu")

    # The changes on the way.

    def move(self, kind: str) -> None:
        """One update of the network asked for, whoever's turn it is."""
        if self.due != kind:
            self.change(("turn", kind))
        self.step()

    def _apply(self, change: Change) -> None:
        kind, *arguments = change
        self.saved_measured = self.diverged = None  # with other settings it may go on
        if kind == "set":
            self._set(*arguments)
        elif kind == "turn":
            (self.forced,) = arguments
        else:
            self.drawn = after(self.drawn, change)
            self._load_target()

    def _set(self, values: Mapping[str, Any]) -> None:
        self.values = self.values | values  # a new one: the history holds the old
        self._tune()

    def _tune(self) -> None:
        """Rates and momentum as they are set now; what Adam remembers stays."""
        for name, optimizer in (("g_lr", self.g_optimizer), ("d_lr", self.d_optimizer)):
            for group in optimizer.param_groups:
                group["lr"], group["betas"] = self.values[name], (self.values["beta1"], 0.9)

    def _new_optimizers(self) -> None:
        made = [
            torch.optim.Adam(model.parameters(), lr=self.values[name], betas=(self.values["beta1"], 0.9))
            for model, name in ((self.g_model, "g_lr"), (self.d_model, "d_lr"))
        ]
        self.g_optimizer, self.d_optimizer = made

    def _load_target(self) -> None:
        self.target = self.own_target or target(self.values, self.drawn)
        source = generator(20_000 + self.values["seed"])
        self.real = self.target.draw(EVALUATED, source) if len(self.target.places) else self.target.places
        self.z = self.latent(EVALUATED, source)

    def _finite(self) -> bool:
        parameters = [*self.g_model.parameters(), *self.d_model.parameters()]
        return all(math.isfinite(parameter.detach().sum()) for parameter in parameters)

    def _watched(self, *, training: bool = False) -> ExitStack:
        """The learner's own networks in the mode asked for, their random numbers those of this step."""
        stack = ExitStack()
        for model in self.own:
            if model is not None:
                seed = self.values["seed"] * 1_000_003 + self.at
                stack.enter_context(watched(model, training=training, seed=seed))
        return stack

    # Back in time.

    def _affordable(self) -> int:
        parameters = [*self.g_model.parameters(), *self.d_model.parameters()]
        size = 3 * sum(parameter.numel() * parameter.element_size() for parameter in parameters)  # Adam keeps two more
        return max(4, min(MOST, MEMORY // size))

    def _saved(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in ("g_model", "d_model", "g_optimizer", "d_optimizer")}
        plain = ("counts", "placed", "forced", "diverged", "last_move", "drawn")
        return {
            **{name: copied(part.state_dict()) for name, part in parts.items()},
            "source": self.source.get_state(),
            "values": dict(self.values),
            **{name: getattr(self, name) for name in plain},
        }

    def _restore(self, record: Record) -> None:
        saved, self.saved_measured = record.saved, None
        self.at, self.values = record.step, dict(saved["values"])
        for name in ("g_model", "d_model", "g_optimizer", "d_optimizer"):
            getattr(self, name).load_state_dict(copied(saved[name]))
        self.source.set_state(saved["source"])
        for name in ("counts", "placed", "forced", "diverged", "last_move", "drawn"):
            setattr(self, name, saved[name])
        self._load_target()

    def copy(self) -> "Run":
        """The same run once more, with networks and optimisers of its own."""
        twin = copy.copy(self)
        kept = (self.g_model, self.d_model, self.g_optimizer, self.d_optimizer)
        twin.g_model, twin.d_model, twin.g_optimizer, twin.d_optimizer = copy.deepcopy(kept)
        twin.own = tuple(
            None if mine is None else copied_model
            for mine, copied_model in zip(self.own, (twin.g_model, twin.d_model), strict=True)
        )
        twin.source = generator(0)
        twin.source.set_state(self.source.get_state())
        twin.values, twin.history = dict(self.values), self.history.copy()
        return twin

    # What can be measured.

    def measured(self) -> Measured:
        """What is measured of the present state, always on the same real points and latent vectors."""
        if self.saved_measured is None or any(self.own):  # theirs may have been changed in a cell meanwhile
            self.saved_measured = self._measure()
        return self.saved_measured

    def _measure(self) -> Measured:
        if not len(self.real):
            self.seen = Seen(self.generated(self.z), *[None] * 4)
            return Measured(*[None] * len(Measured._fields))
        fake = self.generated(self.z)
        with self._watched(), torch.no_grad():
            real_logits, fake_logits = self.d_model(self.real), self.d_model(fake)
            losses = self.rule.discriminator(real_logits, fake_logits), self.rule.generator(fake_logits)
        border = BORDER.get(self.values["loss"], (real_logits.mean() + fake_logits.mean()).item() / 2)
        right = ((real_logits > border).float().mean() + (fake_logits < border).float().mean()) / 2
        push = self.push(fake[:PUSHED])
        covered, reached, quality = self._cover(fake)
        self.seen = Seen(fake, real_logits, fake_logits, push, covered)
        numbers = (*losses, real_logits.mean(), fake_logits.mean(), push.norm(dim=1).median(), right, reached, quality)
        return Measured(*map(_finite, (*numbers, *fake.mean(dim=0))))

    def _cover(self, fake: Float[Tensor, "points 2"]) -> tuple[Tensor | None, float, float]:
        """Generated points near each mode; the share of the target reached; the share of generated points on it."""
        places, radius = self.target.places, self.target.radius
        if self.target.modes:
            found = mode_coverage(fake, places, radius=radius, least=LEAST)
            return found.counts, found.covered / len(places), found.high_quality
        reached = torch.cdist(self.real, fake).amin(dim=1) <= radius
        near = torch.cdist(fake, places).amin(dim=1) <= radius
        return None, reached.float().mean().item(), near.float().mean().item()

    def generated(self, z: Float[Tensor, "points features"]) -> Float[Tensor, "points 2"]:
        with self._watched(), torch.no_grad():
            return self.g_model(z)

    def push(self, fake: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2"]:
        """Where a descent on G's loss would move each point: minus the slope of its own share of the loss."""
        with self._watched(), torch.enable_grad():
            place = fake.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.rule.generator(self.d_model(place)), place)
        return -slope * len(fake)

    def judged(self, places: Float[Tensor, "points 2"]) -> Float[Tensor, " points"]:
        """D's logits there."""
        with self._watched(), torch.no_grad():
            return self.d_model(places)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
