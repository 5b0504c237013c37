"""A run of training between two updates: all that it is, how it is saved, and how it goes on from a file."""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from numbers import Integral, Real
from operator import length_hint
from pathlib import Path
from typing import Any

import torch

from dlcourse.training import checkpoint
from dlcourse.training.history import History, TrainStep, best_of
from dlcourse.training.interrupt import Interrupted
from dlcourse.training.metrics import Evaluation, evaluate
from dlcourse.training.modes import frozen_layers
from dlcourse.training.streams import Streams
from dlcourse.training.telling import Telling
from dlcourse.types import Tensor


class Empty(ValueError):
    """A pass without an update."""

    def __init__(self) -> None:
        super().__init__(
            "A pass over the batches held nothing. Give at least one (x, y), in something that can be gone through "
            "again, such as data.batches(x, y, size=32) or a list."
        )


class Run:
    """What `train` does between the updates."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        batches: Iterable,
        *,
        clip: float | None,
        patience: int | None,
        validation: tuple[Tensor, Tensor] | None,
    ):
        self.model, self.optimizer, self.patience, self.validation = model, optimizer, patience, validation
        self.rates = [group["lr"] for group in optimizer.param_groups]  # a schedule changes them on the way
        self.streams = Streams(model, batches)
        self.settings = _settings(self.streams, model, optimizer, batches, clip, patience, validation)
        self.steps: list[TrainStep] = []
        self.evaluations: list[Evaluation] = []
        self.best_weights: dict[str, Any] | None = None
        self.epoch, self.batch = 0, 0  # passes finished, and batches done of the next one
        self.begun = self.streams.states()  # where the streams stood when this pass began

    # ---- the way through a pass

    def rest_of_pass(self, batches: Iterable) -> Iterator:
        """The batches of this pass that are not done yet.

        A run that goes on draws the same order again, from where the streams stood when the pass began.
        """
        if self.batch == 0:
            self.begun = self.streams.states()
            return iter(batches)
        now = self.streams.states()
        self.streams.restore(self.begun)
        rest = iter(batches)
        deque(islice(rest, self.batch), maxlen=0)
        self.streams.restore(now)
        return rest

    def note(self, step: TrainStep) -> None:
        self.steps.append(TrainStep(step.index, self.epoch, step.loss, step.lr, step.gradient_norm))
        self.batch += 1

    def end_pass(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Measure the model, and keep its weights if they are the best so far."""
        if self.batch == 0:
            raise Empty
        if self.validation is not None:
            x, y = self.validation
            with Telling("validation", x, y):
                self.evaluations.append(evaluate(self.model, x, y, loss, index=len(self.steps), epoch=self.epoch))
            if best_of(self.evaluations) is self.evaluations[-1]:
                self.best_weights = copy.deepcopy(self.model.state_dict())
        self.epoch, self.batch = self.epoch + 1, 0

    @property
    def is_out_of_patience(self) -> bool:
        best = best_of(self.evaluations)
        since = len(self.evaluations) if best is None else self.evaluations[-1].epoch - best.epoch
        return self.patience is not None and since >= self.patience

    def use_best_weights(self) -> None:
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def history(self, stopped: str) -> History:
        return History(tuple(self.steps), tuple(self.evaluations), best_of(self.evaluations), stopped)

    # ---- the file

    def begin_or_resume(self, path: Path, epochs: int, *, tell: Callable[[str], None] | None) -> None:
        """Go on from the file if it is there. Write it at once: better to learn now that it cannot be than later."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.save(path)
            self._read_back(path)
            return
        self._load(path, epochs)
        finished = self.epoch >= epochs or self.is_out_of_patience
        if not finished:
            self.save(path)
        if tell is not None:
            tell(
                f"{path} holds this run, finished after {len(self.steps)} updates. Delete it to train from the start."
                if finished
                else f"Going on from {path}, after {len(self.steps)} updates, in epoch {self.epoch + 1} of {epochs}."
            )

    def _read_back(self, path: Path) -> None:
        try:
            checkpoint.load(path)
        except ValueError as fault:
            path.unlink()
            raise ValueError(
                "This run cannot be kept in a checkpoint: the state of the model or of the optimizer holds more than "
                "tensors and plain values, which `train` would not read again. Change that, or train without "
                "checkpoint=."
            ) from fault

    def save(self, path: Path) -> None:
        """Raises OSError, with the run so far as `.history`, when it cannot be written."""
        optimizer = self.optimizer.state_dict()
        for group, rate in zip(optimizer["param_groups"], self.rates, strict=True):
            group |= {key: _plain(value) for key, value in group.items()} | {"lr": _plain(rate)}
        rows = [(step.epoch, step.loss, step.lr, step.gradient_norm) for step in self.steps]
        content = {
            "model": self.model.state_dict(),
            "optimizer": optimizer,
            "best": self.best_weights,
            "epoch": self.epoch,
            "batch": self.batch,
            "begun": self.begun,
            "now": self.streams.states(),
            "steps": torch.tensor(rows, dtype=torch.float64, device="cpu").reshape(-1, 4),
            "evaluations": [(e.index, e.epoch, e.loss, e.accuracy) for e in self.evaluations],
            "settings": self.settings,
        }
        try:
            checkpoint.save(path, content)
        except OSError as fault:
            fault.history = self.history("not saved")
            raise

    def _load(self, path: Path, epochs: int) -> None:
        """Become the run in the file; nothing is changed before everything is known to fit."""
        content = checkpoint.load(path, KEYS)
        ways_out = "Make it as it was, or delete the file to train from the start, or give another path."
        if other := _other_model(content["model"], self.model) or _differences(content["settings"], self.settings):
            raise ValueError(f"{path} holds another run: {other}. {ways_out}")
        if (epochs, 0) < (content["epoch"], content["batch"]):
            part = f" and {content['batch']} batches" * bool(content["batch"])
            raise ValueError(
                f"{path} holds a run of {content['epoch']} epochs{part} already, more than epochs={epochs}."
            )
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.best_weights = content["best"]
        self.epoch, self.batch, self.begun = content["epoch"], content["batch"], content["begun"]
        self.streams.restore(content["now"])
        self.steps = [TrainStep(i, int(epoch), *row) for i, (epoch, *row) in enumerate(content["steps"].tolist())]
        self.evaluations = [Evaluation(*row) for row in content["evaluations"]]

    def interrupted(self, path: Path | None, *, because: Exception | None = None) -> Interrupted:
        """Save, and make the error that says where the run stopped and how it goes on."""
        where = f"after update {len(self.steps)} (epoch {self.epoch + 1}, batch {self.batch} done)"
        kept, fault = "The model keeps what it has learned. To be able to go on, give train a checkpoint=path.", because
        if path is not None:
            try:
                self.save(path)
                kept = f"All is saved in {path}: run the same lines again to go on, with the same results."
            except OSError as full:
                fault = full
        if fault is not None:
            why = f"{type(fault).__name__}: {fault}"
            kept = f"The model keeps what it has learned, but the run was not saved here ({why})."
        interrupted = Interrupted(f"Stopped by Ctrl-C {where}. {kept}", self.history("interrupt"))
        interrupted.__cause__ = fault
        return interrupted


KEYS = ("model", "optimizer", "best", "epoch", "batch", "begun", "now", "steps", "evaluations", "settings")


def _settings(
    streams: Streams,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable,
    clip: float | None,
    patience: int | None,
    validation: tuple[Tensor, Tensor] | None,
) -> dict[str, str]:
    """All that decides the result and can be compared, as text."""
    settings = {"optimizer": f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    position = count()
    for number, group in enumerate(optimizer.param_groups):
        of = f" of group {number}" * bool(number)
        settings |= {key + of: _text(value) for key, value in group.items() if key != "params"}
        for parameter in group["params"]:
            what = f"{names.get(id(parameter), 'not of the model')}{of}" + ", frozen" * (not parameter.requires_grad)
            settings[f"parameter {next(position)} of the optimizer"] = what
    return settings | {
        "batches a pass": f"{length_hint(batches) or 'unknown'} of {getattr(batches, 'size', 'unknown size')}",
        "clip": _text(clip),
        "patience": _text(patience),
        "validation": "none" if validation is None else f"{len(validation[0])} examples",
        "layers in eval mode": ", ".join(sorted(frozen_layers(model))) or "none",
        "random streams": f"{len(streams.generators)} beside {', '.join(device.type for device in streams.devices)}",
    }


def _plain(value: Any) -> Any:
    """Numbers as Python's own: a checkpoint holds no numpy."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return type(value)(map(_plain, value)) if type(value) in (tuple, list) else value


def _text(value: Any) -> str:
    """To be compared: equal numbers have equal texts, whatever their types."""
    if type(value) in (tuple, list):
        return f"({', '.join(map(_text, value))})"
    return repr(_plain(value)).removesuffix(".0")


def _differences(saved: dict[str, str], here: dict[str, str]) -> str:
    """In words, what was otherwise in the saved run; empty when nothing was."""
    names = [name for name in {**saved, **here} if saved.get(name) != here.get(name)]
    return "; ".join(f"{name} was {saved.get(name, 'none')}, here it is {here.get(name, 'none')}" for name in names[:3])


def _other_model(saved: dict[str, Any], model: torch.nn.Module) -> str:
    def kinds(state: dict[str, Any]) -> dict[str, str]:
        return {
            name: f"{tuple(value.shape)} of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
            for name, value in state.items()
        }

    return _differences(kinds(saved), kinds(model.state_dict()))
