"""The training loop, and what makes it one that can be trusted.

    for every pass over the batches, and every batch (x, y) in it:
        gradients of  loss(model(x), y)        parameters <- the optimizer's update

`train_steps` is that loop. `train` drives it: it measures the model after each pass on examples held back, keeps the
best weights, stops when they get no better, and saves everything to a file, so that a run that was interrupted goes on
as if it had never stopped, to the last bit.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from numbers import Real
from operator import length_hint
from pathlib import Path

import torch

from dlcourse.optim.clip import clip_grad_norm_, gradient_norm
from dlcourse.training.bar import bar
from dlcourse.training.history import History, TrainStep
from dlcourse.training.interrupt import held_back
from dlcourse.training.kept import Kept
from dlcourse.training.modes import frozen_layers, into_train_mode
from dlcourse.training.run import Empty, Run
from dlcourse.training.telling import Telling
from dlcourse.types import Shaped, Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
Schedule = Callable[[int], float]


class Diverged(FloatingPointError):
    """A loss or gradient came that is no finite number. The update was not made: the model is as before it."""

    def __init__(self, message: str, step: object, *, of_data: bool = False):
        super().__init__(message)
        self.step = step  # the update that was not made: a TrainStep, or a step of a game of two networks
        self.of_data = of_data  # whether the batch itself held nan or infinite numbers
        self.history: object = None  # all updates before it, when `train` or `generation.train_gan` was running

    def _render_traceback_(self) -> list[str]:
        return [f"Diverged: {self}"]  # in a notebook a learner needs the message, not the frames


def train_steps(
    model: torch.nn.Module,
    batches: Iterable,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int = 1,
    schedule: Schedule | None = None,
    clip: float | None = None,
    first: int = 0,
) -> Iterator[TrainStep]:
    """Train in place, a step for each update: `loss(model(x), y)` for each (x, y) of `batches`, `epochs` times over.

    batches: `data.batches(...)`, a list, or whatever else can be gone through again; they live where the model lives.
    schedule: `schedule(index)` is a factor on the learning rate of each group of the optimizer. The rates themselves
    are put back at the end. clip: the longest gradient (norm over all parameters) that is let through; a longer one is
    scaled down. first: the index of the first update, for a run that goes on.

    A model in eval mode is put into train mode before an update, and stays in it. Layers that were in eval mode in a
    model in train mode are frozen and stay so, in later calls too, until you call `model.train()`, which thaws them.

    Raises Diverged, a FloatingPointError, in place of an update from a loss or gradient that is not finite; ValueError
    or TypeError for batches that hold nothing, no pairs, or cannot be repeated, an optimizer of another model's
    parameters, and a schedule that gives no finite factor. After any error within an update the model's buffers, such
    as batch norm's running statistics, are as before it.
    """
    check(model, batches, optimizer, epochs, clip)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    rates = [group["lr"] for group in optimizer.param_groups]
    frozen, kept, index = frozen_layers(model), Kept(model), first
    try:
        for epoch in range(epochs):
            begun = index
            for batch in batches:
                x, y = _pair(batch)
                if not model.training:
                    into_train_mode(model, frozen)
                if schedule is not None:
                    set_rates(optimizer, rates, schedule, index)
                optimizer.zero_grad()
                with kept:
                    with Telling("batch", x, y):
                        value = loss(model(x), y)
                        value.backward()
                    norm = gradient_norm(parameters) if clip is None else clip_grad_norm_(parameters, clip)
                    step = TrainStep(index, epoch, value.item(), float(optimizer.param_groups[0]["lr"]), norm.item())
                    if not math.isfinite(step.loss + step.gradient_norm):
                        raise _diverged(step, x, y, parameters)
                optimizer.step()
                del value  # the last hold on the graph; the step may be looked at for long
                yield step
                index += 1
            if index == begun:
                raise Empty
    finally:
        if schedule is not None:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate


def train(
    model: torch.nn.Module,
    batches: Iterable,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    validation: tuple[Shaped[Tensor, "batch ..."], Shaped[Tensor, "batch ..."]] | None = None,
    schedule: Schedule | None = None,
    clip: float | None = None,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Run `train_steps` to its end, in place; the model comes out in eval mode, ready to be used.

    A layer that was in eval mode in a model in train mode is frozen and stays so, also when you call `train` again to
    go on, until you call `model.train()`, which thaws it.

    validation: examples (x, y) on which the model is measured after each pass. The model then ends with the weights of
    the pass with the lowest loss there, and with `patience` the run stops after that many passes without a lower one.
    checkpoint: a file in which the run is saved after each pass, and by Ctrl-C. If it exists already, the run goes on
    from there: rebuild model, optimizer and batches as they were, call `train` again, and the result is the same to the
    last bit as that of a run that was never interrupted (on the same machine and versions). The random streams that go
    on are torch's own (CPU and the model's device) and the generators that are attributes of a layer of the model, of
    the batches, or of what they are made of (sampler, dataset, other batches: three attributes deep). One inside a
    list, in the loss, or of another library is not found; neither are buffers that a state dict leaves out.
    A file of another model, other batches or other options is refused; `epochs` may have grown; activations, the loss,
    the schedule and the examples themselves are not compared. A finished run is read from its file and not run again.
    progress: a bar on stdout once it takes long, and a line when a run goes on from a file.

    Ctrl-C is held back until the update is done and saved; it then raises Interrupted, a KeyboardInterrupt. A second
    one acts at once, be it in the midst of an update. After any other error the model keeps the weights of the last
    update, and what the file holds is whole. Interrupted, Diverged (see `train_steps`) and an OSError from saving carry
    the run so far as `.history`. Errors otherwise as `train_steps`, and ValueError for `patience` without validation,
    for a checkpoint that is damaged or of another run, and for a run that a checkpoint could not hold.
    """
    check(model, batches, optimizer, epochs, clip)
    _check_more(model, batches, optimizer, validation, patience, checkpoint)
    run = Run(model, optimizer, batches, clip=clip, patience=patience, validation=validation)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        run.begin_or_resume(path, epochs, tell=print if progress else None)
    total = epochs * length_hint(batches) or None
    try:
        with held_back() as asked, bar(total, done=len(run.steps), shown=progress) as tell:
            while run.epoch < epochs and not run.is_out_of_patience:
                options = {"schedule": schedule, "clip": clip, "first": len(run.steps)}
                updates = train_steps(model, run.rest_of_pass(batches), loss, optimizer, **options)
                with suppress(Empty), closing(updates) as steps:  # `end_pass` knows whether the pass was over already
                    for step in steps:
                        run.note(step)
                        tell(f"epoch {run.epoch + 1}/{epochs}, loss {step.loss:.3g}")
                        if asked():
                            raise run.interrupted(path)
                run.end_pass(loss)
                if path is not None:
                    run.save(path)
                if asked():
                    raise run.interrupted(path)
    except Exception as fault:
        if isinstance(fault, Diverged):
            fault.step, fault.history = replace(fault.step, epoch=run.epoch), run.history("diverged")
        if asked():  # what was asked for first comes first: a loop that goes on after the error would not hear of it
            raise run.interrupted(None, because=fault) from fault
        raise
    finally:
        model.eval()
    run.use_best_weights()
    return run.history("patience" if run.epoch < epochs else "epochs")


def check(
    model: torch.nn.Module, batches: Iterable, optimizer: torch.optim.Optimizer, epochs: int, clip: float | None
) -> None:
    """Raise what `train_steps` promises about its arguments, before anything is changed."""
    if isinstance(batches, Tensor) or (
        isinstance(batches, (tuple, list)) and any(isinstance(b, Tensor) for b in batches)
    ):
        raise TypeError("batches holds bare tensors; wanted pairs (x, y). Make them: data.batches(x, y, size=32).")
    if epochs < 1:
        raise ValueError(f"epochs={epochs}: wanted at least one pass over the batches.")
    if epochs > 1 and isinstance(batches, Iterator):
        raise ValueError(ONCE.format(kind=type(batches).__name__, why=f"epochs={epochs} needs {epochs} passes"))
    if clip is not None and not clip > 0:
        raise ValueError(f"clip={clip}: wanted a number above 0, the longest gradient to let through, or None.")
    own = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    if not any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"]):
        raise ValueError(
            "The optimizer holds none of this model's parameters that need a gradient, so training would change "
            "nothing. Make the optimizer after the model, from model.parameters()."
        )


ONCE = (
    "batches is a {kind}, which can be gone through only once, but {why}. Give data.batches(x, y, size=32), or a list."
)


def _check_more(
    model: torch.nn.Module,
    batches: Iterable,
    optimizer: torch.optim.Optimizer,
    validation: tuple[Tensor, Tensor] | None,
    patience: int | None,
    checkpoint: str | Path | None,
) -> None:
    """Raise what `train` promises beyond that."""
    if checkpoint is not None and isinstance(batches, Iterator):
        raise ValueError(ONCE.format(kind=type(batches).__name__, why="a run that goes on repeats a pass"))
    own = {id(parameter) for parameter in model.parameters()}
    if checkpoint is not None and any(id(p) not in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "The optimizer holds parameters that are not the model's, which the checkpoint would not hold. Make them "
            "part of the model (self.temperature = nn.Parameter(...)), or train without checkpoint=."
        )
    if validation is not None and (
        len(validation) != 2 or len(validation[0]) != len(validation[1]) or not len(validation[0])
    ):
        raise ValueError("validation: wanted a pair (x, y) of equal length, with at least one example.")
    if patience is not None and (patience < 1 or validation is None):
        raise ValueError(f"patience={patience}: wanted 1 or more passes, and validation=(x, y) to measure them by.")


def set_rates(optimizer: torch.optim.Optimizer, rates: list[float], schedule: Schedule, index: int) -> None:
    """Give each group of the optimizer its own of these rates, times schedule(index); ValueError for another factor."""
    factor = schedule(index)
    if not (isinstance(factor, (Real, Tensor)) and math.isfinite(factor) and factor >= 0):
        raise ValueError(f"schedule({index}) is {factor}; wanted a finite factor on the learning rate, 0 or more.")
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def _pair(batch: object) -> tuple:
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return tuple(batch)
    what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, (tuple, list, dict)) else type(batch).__name__
    raise ValueError(
        f"A batch is a {what}; wanted a pair (x, y). If the model takes more than one thing, let x be a tuple of them."
    )


def _diverged(step: TrainStep, x: Tensor, y: Tensor, parameters: list[Tensor]) -> Diverged:
    """Why the update was not made, and what to try."""
    of_data = any(isinstance(t, Tensor) and not torch.isfinite(t).all() for t in (x, y))
    if of_data:
        advice = "The batch itself holds nan or infinite numbers: look at the data, and at what was divided by 0."
    elif math.isfinite(step.loss) and all(p.grad is None or torch.isfinite(p.grad).all() for p in parameters):
        advice = (
            "Each number of the gradient is finite, but its length is beyond what its type can hold: scale the loss "
            "or the inputs down, or train in float32."
        )
    else:
        advice = (
            "Try a learning rate ten times smaller, a warm-up or clip=1.0; if it happens in the first updates "
            "whatever the rate, look in the loss for the log of 0, a root of 0 or a division by 0."
        )
    message = (
        f"Update {step.index} was not made: its batch has loss {step.loss:g} and gradient norm {step.gradient_norm:g} "
        f"(learning rate {step.lr:g}). The weights are as they were before it. {advice}"
    )
    return Diverged(message, step, of_data=of_data)
