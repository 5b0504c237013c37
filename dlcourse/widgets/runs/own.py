"""Networks that a learner brings: checked when they come, and run so that a run repeats to the bit.

They may draw random numbers, as dropout does, so each step runs them with torch's global stream seeded, and puts it
back afterwards. Random numbers from elsewhere (Python's `random`, numpy) cannot be repeated.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Brought:
    """What a learner brought. A subclass says which parameters it makes meaningless."""

    @property
    def fixed(self) -> Mapping[str, str]:
        """Parameters that mean nothing beside what the learner brought, and why."""
        raise NotImplementedError

    def refuse(self, names: frozenset[str]) -> None:
        """Raises ValueError when one of these parameters is fixed."""
        for name in sorted(names & self.fixed.keys()):
            raise ValueError(f"{name} cannot be set here: {self.fixed[name]}.")


def check_trainable(model: Any, name: str, *, called: str, room: str) -> None:
    """Raises ValueError with what to change, unless this is a network of float32 on the CPU that can be trained.

    name: the argument it came as; called: the same in a sentence; room: who runs it.

    >>> check_trainable(nn.ReLU(), "model", called="the model", room="the playground")
    Traceback (most recent call last):
    ValueError: the model has no parameter that can be trained (requires_grad).
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"{name} is a {type(model).__name__}; wanted a torch.nn.Module.")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(f"{called} has no parameter that can be trained (requires_grad).")
    devices = {str(tensor.device) for tensor in [*model.parameters(), *model.buffers()]}
    if devices != {"cpu"}:
        raise ValueError(f"{called} lives on {', '.join(sorted(devices))}; {room} runs on the CPU: {name}.cpu().")
    if any(parameter.dtype != torch.float32 for parameter in parameters):
        raise ValueError(f"{called}'s parameters are not all float32; call {name}.float().")


@contextmanager
def watched(model: nn.Module, *, training: bool = False, seed: int = 0) -> Iterator[None]:
    """Run a foreign model: in the mode asked for, with the random stream seeded; both as they were afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            model.train(training)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
