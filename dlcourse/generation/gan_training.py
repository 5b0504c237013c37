"""Playing the game to its end: a bar while one waits, a Ctrl-C that loses nothing, and the generator's average.

The two networks chase each other, so the last weights are where the chase happened to stand. Two ways to a better
place: let both learning rates fall to 0 (`schedule`), or keep an average of G's weights over the last turns (`average`;
Yazici et al., 2019, arXiv:1806.04498). On eight Gaussians either does what a penalty alone does not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from dlcourse.generation.adversarial import Adversarial
from dlcourse.generation.game import DiscriminatorStep, GeneratorStep, gan_steps
from dlcourse.generation.penalty import R1, GradientPenalty
from dlcourse.training.average import moving_average_
from dlcourse.training.bar import bar
from dlcourse.training.interrupt import Interrupted, held_back
from dlcourse.training.loop import Diverged
from dlcourse.types import Float, Tensor


@dataclass(frozen=True)
class GanTurn:
    """One turn of the game: its last discriminator step and its generator step, in plain numbers."""

    index: int  # turns before it
    d_loss: float  # the adversarial part
    g_loss: float
    penalty: float  # what the penalty added to d_loss; 0 when there is none, or it was not due
    real_logit: float  # D's mean logit on the real examples of the turn's last D step
    fake_logit: float  # and on its fakes
    d_gradient_norm: float
    g_gradient_norm: float


@dataclass(frozen=True)
class GanHistory:
    """A run of `train_gan`."""

    turns: tuple[GanTurn, ...]  # every whole turn
    stopped: str  # what ended it: "steps" (all done), "interrupt" or "diverged"


def train_gan(
    g_model: torch.nn.Module,
    d_model: torch.nn.Module,
    draw_real: Callable[[int], Float[Tensor, "batch ..."]],
    loss: Adversarial,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    *,
    latent: int,
    steps: int,
    batch: int = 256,
    d_steps: int = 1,
    penalty: R1 | GradientPenalty | None = None,
    schedule: Callable[[int], float] | None = None,
    average: torch.nn.Module | None = None,
    decay: float = 0.999,
    progress: bool = True,
    first: int = 0,
    generator: torch.Generator,
) -> GanHistory:
    """Run `gan_steps` to its end, in place, and give what happened in each turn.

    average: a copy of g_model (copy.deepcopy), which follows it as a moving average: after each turn its weights are
    decay * its own + (1 - decay) * g_model's, so it remembers the last 1 / (1 - decay) turns or so. progress: a bar on
    stdout once it takes long.

    Ctrl-C is held back until the turn is over; it then raises Interrupted, a KeyboardInterrupt, and the networks, the
    optimizers and the average can go on from there: call again with `first=len(history.turns)`. A second one acts at
    once. Interrupted and Diverged carry the whole turns so far as `.history`. Errors otherwise as `gan_steps`.
    """
    turns: list[GanTurn] = []
    game = gan_steps(
        g_model,
        d_model,
        draw_real,
        loss,
        g_optimizer,
        d_optimizer,
        latent=latent,
        steps=steps,
        batch=batch,
        d_steps=d_steps,
        penalty=penalty,
        schedule=schedule,
        first=first,
        generator=generator,
    )
    try:
        with held_back() as asked, bar(steps, done=0, shown=progress) as tell:
            for step in game:
                if isinstance(step, DiscriminatorStep):
                    judged = step
                    continue
                if average is not None:
                    moving_average_(average, g_model, decay)
                turns.append(_turn(judged, step))
                tell(f"D {judged.loss:.3g}, G {step.loss:.3g}")
                if asked():
                    raise Interrupted(
                        f"Stopped by Ctrl-C after turn {step.index}. Both networks keep what they have learned; call "
                        f"train_gan again with first={step.index + 1} to go on.",
                        GanHistory(tuple(turns), "interrupt"),
                    )
    except Diverged as fault:
        fault.history = GanHistory(tuple(turns), "diverged")
        raise
    return GanHistory(tuple(turns), "steps")


def _turn(judged: DiscriminatorStep, made: GeneratorStep) -> GanTurn:
    return GanTurn(
        made.index,
        judged.loss,
        made.loss,
        judged.penalty,
        judged.real_logits.mean().item(),
        judged.fake_logits.mean().item(),
        judged.gradient_norm,
        made.gradient_norm,
    )
