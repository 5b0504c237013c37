"""What is wrong with this training run? The likely cause, the numbers that show it, and the remedy.

Around a loop of your own, of any form:

    with watch(model, optimizer) as watched:
        seen = watched.loss(cross_entropy)  # the same loss, seen
        for x, y in batches:
            optimizer.zero_grad()
            seen(model(x), y).backward()
            optimizer.step()
    report = watched.report()

Or in one call, which trains copies: `report = diagnose(model, batches, cross_entropy, optimizer)`. Then `print(report)`
shows what was looked at and what was found; `report.findings[0].cause` is the likely cause. It is likely, no more: one
run is one piece of evidence. What each number has to be is in `causes.py`.
"""

import copy
import statistics
import textwrap
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import torch

from dlcourse.training.causes import Finding, Measured, judge
from dlcourse.training.evidence import Evidence
from dlcourse.training.loop import Diverged, train_steps
from dlcourse.training.streams import Streams
from dlcourse.training.watching import Recorder, watching
from dlcourse.types import Tensor


@dataclass(frozen=True)
class LayerHealth:
    """One layer in the second half of the run, for `plot.diagnosis`. None: there are no such units behind it."""

    name: str
    gradient: float  # norm of the loss's gradient for what the layer puts out
    dead: float | None  # share of the units behind it that were 0 for every example
    saturated: float | None  # share of their outputs at an end of tanh's or the sigmoid's range


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Findings, the most likely cause first (none for a healthy run), and all that was looked at."""

    findings: tuple[Finding, ...]
    measured: tuple[Measured, ...]
    layers: tuple[LayerHealth, ...]
    updates: int  # that were seen

    def __repr__(self) -> str:
        return "\n".join([*_table(self), "", *_told(self)])


class Watched:
    """A loop under watch: wrap its loss with `loss`, ask for the `report` at the end, or at any time."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder

    def loss(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """The same loss, called with the same arguments, (logits, labels): its numbers are seen, and not changed."""
        return self._recorder.loss(function)

    def report(self) -> Diagnosis:
        """What was seen until now, judged."""
        findings, measured = judge(self._recorder)
        return Diagnosis(findings, measured, tuple(_health(self._recorder)), len(self._recorder.updates))


@contextmanager
def watch(model: torch.nn.Module | None, optimizer: torch.optim.Optimizer) -> Iterator[Watched]:
    """Watch a loop of any form inside the block; its numbers stay the same, to the bit, and no hook is left behind.

    model: None for a loop over bare tensors; what happens inside the model is not seen then. optimizer: torch's, ours,
    or any that inherits from torch's. It costs time: the first 32 updates are looked at closely, later ones more and
    more rarely. Raises TypeError for another kind of optimizer, ValueError for a lazy model that has not run yet.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"watch got the optimizer {type(optimizer).__name__}; wanted a torch.optim.Optimizer.")
    if model is not None and any(torch.nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        raise ValueError("watch got a model whose lazy layers have no shape yet: run one batch through it first.")
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
    """Train copies of model and optimizer, `epochs` passes over the batches, and say what is wrong.

    Model, optimizer and random streams are left as they were. `train_steps` does the training, so that faults of a loop
    of your own do not show: put `watch` around it. An even course needs some 20 updates at least to be judged.
    """
    streams = Streams(model, batches)
    states = streams.states()
    model, optimizer = copy.deepcopy((model, optimizer))  # together: the copy of one holds the parameters of the other
    try:
        with watch(model, optimizer) as watched, suppress(Diverged):  # the loss that was not finite has been seen
            deque(train_steps(model, batches, watched.loss(loss), optimizer, epochs=epochs), maxlen=0)
    except (TypeError, ValueError, RuntimeError):
        report = watched.report()
        if report.findings[:1] and report.findings[0].cause == "label dtype":
            return report
        raise
    finally:
        streams.restore(states)
    return watched.report()


def _health(seen: Recorder) -> Iterator[LayerHealth]:
    evidence = Evidence(seen)
    dead, flat = evidence.dead(evidence.window(end=True)), evidence.flat(evidence.late)
    for name in seen.layers:
        norms = [look.deltas[name] for look in evidence.late if name in look.deltas]
        if norms:
            share = dead[name][0] if name in dead else None
            yield LayerHealth(name, statistics.median(norms), share, flat.get(name))


def _table(report: Diagnosis) -> list[str]:
    """Rows of (what, value, healthy), in columns; a row with a finding begins with an exclamation mark."""
    rows = [("looked at", "seen", "in a healthy run"), *((m.name, m.value, m.healthy) for m in report.measured)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    marks = [" ", *(" " if measured.ok else "!" for measured in report.measured)]
    return [
        " ".join([mark, *(text.ljust(width + 1) for text, width in zip(row, widths, strict=True))]).rstrip()
        for mark, row in zip(marks, rows, strict=True)
    ]


def _told(report: Diagnosis) -> list[str]:
    """The findings in sentences."""
    if not report.findings:
        return [f"Nothing found in {report.updates} update{'s' * (report.updates != 1)}."]
    lines = []
    for index, finding in enumerate(report.findings, 1):
        follows = f" (probably follows from: {finding.follows})" if finding.follows else ""
        lines.append(f"{index}. {finding.cause}{follows}")
        for text in (finding.evidence[:1].upper() + finding.evidence[1:] + ".", finding.advice):
            lines += textwrap.wrap(text, width=100, initial_indent="   ", subsequent_indent="   ")
    return lines
