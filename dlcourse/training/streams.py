"""All the randomness that a run of training draws from, to be saved and put back together."""

from collections.abc import Iterable

import torch

from dlcourse.device import random_state, set_random_state
from dlcourse.types import Tensor


class Streams:
    """torch's global streams (the CPU's and that of the model's device), and the generators that the batches and the
    model's layers hold. What other libraries draw is not among them: the package draws from torch alone.

    >>> streams = Streams(torch.nn.Dropout(), [])
    >>> states, first = streams.states(), torch.rand(3, device="cpu")
    >>> streams.restore(states)
    >>> torch.equal(first, torch.rand(3, device="cpu"))
    True
    """

    def __init__(self, model: torch.nn.Module, batches: Iterable):
        held = [value for holder in (batches, *model.modules()) for value in getattr(holder, "__dict__", {}).values()]
        generators = {id(value): value for value in held if isinstance(value, torch.Generator)}  # one may be shared
        self.generators = tuple(generators.values())
        self.devices = tuple({torch.device("cpu"): None} | {p.device: None for p in model.parameters()})

    def states(self) -> list[Tensor]:
        """Where each stream stands."""
        return [*map(random_state, self.devices), *(generator.get_state() for generator in self.generators)]

    def restore(self, states: list[Tensor]) -> None:
        """Put each stream where it stood when `states` were taken."""
        for device, state in zip(self.devices, states[: len(self.devices)], strict=True):
            set_random_state(device, state)
        for generator, state in zip(self.generators, states[len(self.devices) :], strict=True):
            generator.set_state(state)
