"""Steps of gradient descent on the one batch, and the way back.

A step subtracts lr times the gradient of the mean loss over the whole batch: nothing is drawn, so the same weights and
the same rates give the same run, to the bit. Going back means: take the nearest weights kept at or before, and walk.
"""

import math
from collections.abc import Sequence

import torch

from dlcourse.widgets.init_depth_lab import probe
from dlcourse.widgets.init_depth_lab.network import Batch
from dlcourse.widgets.init_depth_lab.probe import Pass, Watched

MOST = 1000  # steps
MEMORY = 2**26  # bytes of weights that are kept


class Run:
    """The model as it comes is step 0. It is trained in place."""

    def __init__(self, model: torch.nn.Module, layers: Sequence[Watched], batch: Batch) -> None:
        self.model, self.layers, self.batch = model, layers, batch
        self.parameters = list(model.parameters())
        self.at, self.stride = 0, 1
        self.rates: list[float] = []  # of each step taken, also of those that lie ahead after going back
        self.losses: list[float] = []  # at each step reached
        self.kept: dict[int, list[torch.Tensor]] = {}
        size = sum(parameter.numel() * parameter.element_size() for parameter in self.parameters)
        self.most = max(4, MEMORY // size)
        self._arrive()

    @property
    def last(self) -> int:
        """The furthest step reached."""
        return len(self.rates)

    @property
    def finite(self) -> bool:
        """Whether there is a gradient to go down."""
        return math.isfinite(self.losses[self.at]) and self.sound

    @property
    def running(self) -> bool:
        return self.finite and self.at < MOST

    def step(self, lr: float) -> None:
        """Down the gradient once; along a way that has been gone before, with the rate it was gone with."""
        if not self.running:
            return
        rate = self.rates[self.at] if self.at < self.last else lr
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter -= rate * parameter.grad
        if self.at == self.last:
            self.rates.append(rate)
        self.at += 1
        self._arrive()

    def scrub(self, step: int) -> None:
        """To a step that the run has been at, exactly as it was."""
        start = step - step % self.stride
        if not start <= self.at <= step:
            with torch.no_grad():
                for parameter, kept in zip(self.parameters, self.kept[start], strict=True):
                    parameter.copy_(kept)
            self.at = start
            self._arrive()
        while self.at < step:
            self.step(0.0)  # the rate is known

    def cut(self) -> None:
        """Forget what came after the present step."""
        self.rates, self.losses = self.rates[: self.at], self.losses[: self.at + 1]
        self.kept = {step: kept for step, kept in self.kept.items() if step <= self.at}

    def _arrive(self) -> None:
        self.seen: Pass = probe.run(self.model, self.layers, self.batch)
        grads = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.sound = all(bool(grad.isfinite().all()) for grad in grads)
        if self.at == len(self.losses):
            self.losses.append(self.seen.loss)
        if self.at % self.stride == 0 and self.at not in self.kept:
            self.kept[self.at] = [parameter.detach().clone() for parameter in self.parameters]
            if len(self.kept) > self.most:
                self.stride *= 2
                self.kept = {step: kept for step, kept in self.kept.items() if step % self.stride == 0}
