"""What is wrong with this training run? The likely cause, the numbers that show it, and the remedy.

with watch(model, optimizer) as watched:            # your own loop, of any form
    seen = watched.loss(cross_entropy)              # the same loss, seen
    for x, y in batches:
        optimizer.zero_grad()
        seen(model(x), y).backward()
        optimizer.step()
report = watched.report()                           # print(report), report.findings[0].cause

report = diagnose(model, batches, cross_entropy, optimizer)      # train_steps on copies, watched
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse.training.watching import Recorder, watching
from dlcourse.types import Tensor

CAUSES = (
    "label dtype",
    "softmax twice",
    "gradients not cleared",
    "wrong mode",
    "parameters left out",
    "not shuffled",
    "equal weights",
    "inputs not normalised",
    "exploding gradients",
    "loss at start",
    "learning rate too high",
    "dead units",
    "saturated units",
    "vanishing gradients",
    "learning rate too low",
    "nothing learned",
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    cause: str  # one of CAUSES
    evidence: str  # the numbers that show it
    advice: str  # what to do
    follows: str | None = None  # the finding before it that probably brings this one about


@dataclass(frozen=True)
class Measured:
    """One thing that was looked at: a line of the table."""

    name: str
    value: str
    healthy: str  # the range of a healthy run, in words
    ok: bool


@dataclass(frozen=True)
class LayerHealth:
    """One layer, for `plot.diagnosis`."""

    name: str
    gradient: float  # norm of the loss's gradient for its output, relative to the last layer's
    dead: float | None  # share of the units behind it that were 0 for every example; None where there are none


@dataclass(frozen=True)
class Diagnosis:
    """Findings, the most likely cause first (none for a healthy run), and all that was looked at."""

    findings: tuple[Finding, ...]
    measured: tuple[Measured, ...]
    layers: tuple[LayerHealth, ...]


class Watched:
    """A loop under watch: wrap its loss with `loss`, ask for the `report` at the end, or at any time."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder

    def loss(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The same loss, called with the same arguments, (logits, labels): its numbers are seen, and not changed."""
        return self._recorder.loss(function)

    def report(self) -> Diagnosis:
        return Diagnosis((), (), ())


@contextmanager
def watch(model: torch.nn.Module | None, optimizer: torch.optim.Optimizer) -> Iterator[Watched]:
    """Watch a loop of any form inside the block; its numbers stay the same, to the bit, and no hook is left behind.

    model: None for a loop over bare tensors: then what happens inside the model is not seen.
    """
    with watching(Recorder(model, optimizer)) as recorder:
        yield Watched(recorder)


def diagnose(
    model: torch.nn.Module,
    batches: Iterable,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int = 1,
) -> Diagnosis:
    """Train copies of model and optimizer for some passes, watch them, and say what is wrong.

    Model, optimizer and random streams are left as they were.
    """
    model, optimizer = copy.deepcopy((model, optimizer))
    with watch(model, optimizer) as watched:
        seen: Any = watched.loss(loss)
        for _ in range(epochs):
            for x, y in batches:
                optimizer.zero_grad()
                seen(model(x), y).backward()
                optimizer.step()
    return watched.report()
