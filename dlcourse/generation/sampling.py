"""Writing with a language model: read a prefix, draw what comes next from what the model says, read that, and so on.

    logits, state = model(symbol, state)        next symbol ~ shaped(logits)

A step keeps everything that its draw came from, the state included, so that one can go back and take another way:

    for step in sample_steps(model, prefix, steps=50, temperature=0.8, generator=generator): ...
    sample_steps(model, torch.tensor([another]), state=step.state, ...)        # as if `another` had been drawn there
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dlcourse.generation.shaping import shaped
from dlcourse.nn.sizes import whole
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Int, Tensor

State = Tensor | tuple[Tensor, ...] | None


@dataclass(frozen=True, eq=False)
class SampleStep:
    """One symbol drawn, and from what."""

    index: int  # symbols drawn before this one
    token: int  # the symbol drawn
    logits: Float[Tensor, " classes"]  # what the model says
    probabilities: Float[Tensor, " classes"]  # after shaping: what `token` was drawn from
    state: State  # the model's, when it has read all but `token`


def sample_steps(
    model: torch.nn.Module,
    prefix: Int[Tensor, " time"],
    *,
    steps: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    state: State = None,
    generator: torch.Generator,
) -> Iterator[SampleStep]:
    """Draw `steps` symbols after the prefix, a step for each; see `shaping` for temperature, top_k and top_p.

    The model is called as model(ids (1, time), state) and gives logits (1, time, classes) and the next state, as
    CharRNN does. It reads in eval mode and without gradients, and each module's mode is put back before a step is
    handed out, so it may be trained meanwhile. The draws come from `generator` alone, on its device. state: from where
    to read the prefix, such as that of an earlier step.

    Raises ValueError for an empty prefix (begin with a newline, say), for negative steps and for what `shaped` refuses.
    """
    if prefix.ndim != 1 or not len(prefix):
        raise ValueError(f"sample_steps got a prefix {tuple(prefix.shape)}; wanted one row of one symbol or more.")
    (steps,) = whole("sample_steps", 0, steps=steps)
    ids = prefix
    for index in range(steps):
        with evaluating(model):
            outputs, state = model(ids[None], state)
            logits = outputs[0, -1]
            probabilities = shaped(logits, temperature=temperature, top_k=top_k, top_p=top_p)
        token = torch.multinomial(probabilities.to(generator.device), 1, generator=generator)
        yield SampleStep(index, token.item(), logits, probabilities, state)
        ids = token.to(prefix)


def sample(
    model: torch.nn.Module,
    prefix: Int[Tensor, " time"],
    *,
    steps: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    state: State = None,
    generator: torch.Generator,
) -> Int[Tensor, " _"]:
    """The symbols that `sample_steps` draws, without the prefix: (steps,), of its dtype and on its device."""
    shaping = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    drawn = sample_steps(model, prefix, steps=steps, state=state, generator=generator, **shaping)
    return prefix.new_tensor([step.token for step in drawn])
