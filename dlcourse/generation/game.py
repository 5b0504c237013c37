"""The game itself, a step at a time. In turns, each network takes a step on its own loss with the other held still:

    D step:  real examples, fakes = G(z)  ->  D's weights go down the slope of  loss(D(real), D(fakes)) + penalty
    G step:  new fakes = G(z)             ->  G's weights go down the slope of  loss(D(fakes))

(Goodfellow et al., 2014, arXiv:1406.2661, algorithm 1.) There is no loss that both go down together: what one gains the
other loses. So steps can go round in circles, or away, and neither loss tells how good the fakes are. In a D step no
gradient reaches G. In a G step the gradient runs *through* D into G, and none is left behind in D.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from dlcourse.generation.adversarial import Adversarial
from dlcourse.generation.penalty import R1, GradientPenalty
from dlcourse.nn.sizes import whole
from dlcourse.optim.clip import gradient_norm
from dlcourse.training.kept import Kept
from dlcourse.training.loop import Diverged, set_rates
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Tensor

CHUNK = 1024  # examples that are drawn at a time


@dataclass(frozen=True, eq=False)
class DiscriminatorStep:
    """One update of the discriminator; all from before it, detached, on their own device."""

    index: int  # updates of the generator before it
    loss: float  # the adversarial part
    penalty: float  # what the penalty added; 0 when there is none, or it is not due
    real: Float[Tensor, "batch ..."]
    fake: Float[Tensor, "batch ..."]
    real_logits: Float[Tensor, " batch"]
    fake_logits: Float[Tensor, " batch"]
    gradient_norm: float  # over all that the optimizer updates


@dataclass(frozen=True, eq=False)
class GeneratorStep:
    """One update of the generator; all from before it, detached, on their own device."""

    index: int  # updates of the generator before it
    loss: float
    z: Float[Tensor, "batch latent"]
    fake: Float[Tensor, "batch ..."]
    fake_logits: Float[Tensor, " batch"]
    gradient_norm: float  # over all that the optimizer updates


def gan_steps(
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
    first: int = 0,
    generator: torch.Generator,
) -> Iterator[DiscriminatorStep | GeneratorStep]:
    """Play `steps` turns in place: in each, `d_steps` steps of the discriminator, then one of the generator.

    g_model makes examples (batch, ...) of latent vectors z (batch, latent), which are standard normal and drawn from
    `generator`; d_model makes of examples one logit each, (batch,); draw_real(batch) gives real examples, where the
    networks live. Each network works in the mode it is in. penalty: added to D's loss at D's updates 0, every,
    2 every ... schedule: schedule(turn) is a factor on both optimizers' learning rates, which are put back at the end;
    with rates that fall towards 0 the chase comes to rest. first: the index of the first turn, for a game that goes on.

    Raises Diverged, a FloatingPointError, in place of an update from a loss or gradient that is not finite; ValueError
    for numbers of turns, steps and examples that are not whole or too small, for an optimizer that holds another
    network's parameters, for a schedule that gives no finite factor, and for real examples, fakes and logits whose
    shapes do not fit. After any error within an
    update the networks are as before it.
    """
    steps, first = whole("gan_steps", 0, steps=steps, first=first)
    batch, d_steps = whole("gan_steps", 1, batch=batch, d_steps=d_steps)
    optimizers = g_optimizer, d_optimizer
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    try:
        for index in range(first, first + steps):
            if schedule is not None:
                for optimizer, own in zip(optimizers, rates, strict=True):
                    set_rates(optimizer, own, schedule, index)
            options = {"latent": latent, "index": index, "generator": generator}
            for count in range(index * d_steps, (index + 1) * d_steps):
                due = penalty if penalty is not None and count % penalty.every == 0 else None
                yield discriminator_step(g_model, d_model, draw_real(batch), loss, d_optimizer, penalty=due, **options)
            yield generator_step(g_model, d_model, loss, g_optimizer, batch=batch, **options)
    finally:
        if schedule is not None:
            for optimizer, own in zip(optimizers, rates, strict=True):
                set_rates(optimizer, own, lambda _: 1.0, 0)


def discriminator_step(
    g_model: torch.nn.Module,
    d_model: torch.nn.Module,
    real: Float[Tensor, "batch ..."],
    loss: Adversarial,
    d_optimizer: torch.optim.Optimizer,
    *,
    latent: int,
    penalty: R1 | GradientPenalty | None = None,
    index: int = 0,
    generator: torch.Generator,
) -> DiscriminatorStep:
    """One update of d_model, on these real examples and as many fresh fakes; `penalty` is added as if it were due.

    g_model only makes the fakes: it keeps its weights and its gradients. See `gan_steps` for shapes and errors.
    """
    parameters = _own_parameters("d_optimizer", d_optimizer, "d_model", d_model)
    d_optimizer.zero_grad()
    with Kept(g_model, d_model):
        with torch.no_grad():  # what G would have to change is not asked here
            fake = g_model(_draw_latent(g_model, len(real), latent, generator))
        if real.shape != fake.shape:
            raise ValueError(
                f"The real examples are {tuple(real.shape)} and the fakes {tuple(fake.shape)}; wanted equal shapes, "
                "one example or more of each. What does draw_real give, and what does g_model make of one z?"
            )
        real_logits, fake_logits = _logits(d_model, real), _logits(d_model, fake)
        value = loss.discriminator(real_logits, fake_logits)
        term = torch.zeros_like(value) if penalty is None else penalty(d_model, real, fake, generator=generator)
        (value + term).backward(inputs=parameters)
        step = DiscriminatorStep(
            index,
            value.item(),
            term.item(),
            real.detach(),
            fake,
            real_logits.detach(),
            fake_logits.detach(),
            gradient_norm(parameters).item(),
        )
        if not all(map(math.isfinite, (step.loss, step.penalty, step.gradient_norm))):
            raise _diverged("discriminator", step, d_optimizer, real)
    d_optimizer.step()
    return step


def generator_step(
    g_model: torch.nn.Module,
    d_model: torch.nn.Module,
    loss: Adversarial,
    g_optimizer: torch.optim.Optimizer,
    *,
    latent: int,
    batch: int = 256,
    index: int = 0,
    generator: torch.Generator,
) -> GeneratorStep:
    """One update of g_model, on `batch` fresh fakes. d_model only judges them: it keeps its weights and its gradients.

    See `gan_steps` for shapes and errors.
    """
    parameters = _own_parameters("g_optimizer", g_optimizer, "g_model", g_model)
    g_optimizer.zero_grad()
    with Kept(g_model, d_model):
        z = _draw_latent(g_model, batch, latent, generator)
        fake = g_model(z)
        fake_logits = _logits(d_model, fake)
        value = loss.generator(fake_logits)
        value.backward(inputs=parameters)  # through D, but into G's weights alone
        norm = gradient_norm(parameters).item()
        step = GeneratorStep(index, value.item(), z, fake.detach(), fake_logits.detach(), norm)
        if not all(map(math.isfinite, (step.loss, step.gradient_norm))):
            raise _diverged("generator", step, g_optimizer, z)
    g_optimizer.step()
    return step


def draw_samples(
    g_model: torch.nn.Module, n: int, *, latent: int, generator: torch.Generator
) -> Float[Tensor, "batch ..."]:
    """What g_model makes of n latent vectors: (n, ...), in eval mode and without gradients; its modes are put back.

    It works through 1,024 at a time. Raises ValueError for an n that is no whole number of 1 or more.
    """
    (n,) = whole("draw_samples", 1, n=n)
    z = _draw_latent(g_model, n, latent, generator)
    with evaluating(g_model):
        return torch.cat([g_model(part) for part in z.split(CHUNK)])


def drawing_from(
    x: Float[Tensor, "train ..."], *, generator: torch.Generator
) -> Callable[[int], Float[Tensor, "batch ..."]]:
    """A `draw_real` for examples at hand: each call with n gives n of them at random, drawn with replacement.

    >>> draw = drawing_from(torch.tensor([[7.0]]), generator=torch.Generator())
    >>> draw(2)
    tensor([[7.],
            [7.]])
    """
    if not len(x):
        raise ValueError(f"drawing_from got x {tuple(x.shape)}; wanted at least one example to draw.")

    def draw(n: int) -> Float[Tensor, "batch ..."]:
        return x[torch.randint(len(x), (n,), generator=generator, device=generator.device).to(x.device)]

    return draw


def _draw_latent(
    g_model: torch.nn.Module, n: int, latent: int, generator: torch.Generator
) -> Float[Tensor, "batch latent"]:
    """Standard normal, drawn where the generator is, handed over in the kind of the network's parameters."""
    z = torch.randn(n, latent, generator=generator, device=generator.device)
    parameter = next(g_model.parameters(), None)
    return z if parameter is None else z.to(parameter)


def _logits(d_model: torch.nn.Module, x: Float[Tensor, "batch ..."]) -> Float[Tensor, " batch"]:
    logits = d_model(x)
    if logits.shape != x.shape[:1]:
        raise ValueError(
            f"d_model made logits {tuple(logits.shape)} of examples {tuple(x.shape)}; wanted one number for each, "
            f"({len(x)},). A column is mended by logits[:, 0], or nn.Flatten(0) as the last layer."
        )
    return logits


def _own_parameters(
    which: str, optimizer: torch.optim.Optimizer, name: str, model: torch.nn.Module
) -> list[torch.nn.Parameter]:
    """What the optimizer updates: the model's own, and only those."""
    own = {id(parameter) for parameter in model.parameters()}
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parameters = [parameter for parameter in held if parameter.requires_grad]
    if not parameters or any(id(parameter) not in own for parameter in held):
        raise ValueError(
            f"{which} holds {'no parameters that need a gradient' if not parameters else 'others than'} of {name}. "
            f"Make it from {name}.parameters(), one optimizer for each network."
        )
    return parameters


def _diverged(
    who: str, step: DiscriminatorStep | GeneratorStep, optimizer: torch.optim.Optimizer, given: Tensor
) -> Diverged:
    """Why the update was not made, and what to try."""
    of_data = not bool(torch.isfinite(given).all())
    advice = (
        "The real examples themselves hold nan or infinite numbers: look at the data, and at what was divided by 0."
        if of_data
        else "Try learning rates ten times smaller, or a penalty=R1(gamma=1.0) on the discriminator's slope."
    )
    message = (
        f"The {who}'s update in turn {step.index} was not made: it has loss {step.loss:g} and gradient norm "
        f"{step.gradient_norm:g} (learning rate {float(optimizer.param_groups[0]['lr']):g}). Both networks are as they "
        f"were before it. {advice}"
    )
    return Diverged(message, step, of_data=of_data)
