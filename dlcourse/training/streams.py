"""All the randomness that a run of training draws from, to be saved and put back together."""

from collections.abc import Iterable, Iterator

import torch

from dlcourse.device import random_state, set_random_state
from dlcourse.types import Tensor


class Streams:
    """torch's global streams, the CPU's and that of the model's device, and the generators that are held by the model's
    layers and by the batches or what they are made of. Other libraries' randomness is not among them.

    >>> streams = Streams(torch.nn.Dropout(), [])
    >>> states, first = streams.states(), torch.rand(3, device="cpu")
    >>> streams.restore(states)
    >>> torch.equal(first, torch.rand(3, device="cpu"))
    True
    """

    def __init__(self, model: torch.nn.Module, batches: Iterable):
        held = [*_generators(batches, 3), *(found for module in model.modules() for found in _generators(module, 0))]
        self.generators = tuple({id(generator): generator for generator in held}.values())  # one may be shared
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


def _generators(holder: object, depth: int) -> Iterator[torch.Generator]:
    """The generators among an object's attributes, and so many levels further down: batches may wrap batches."""
    for value in getattr(holder, "__dict__", {}).values():
        if isinstance(value, torch.Generator):
            yield value
        elif depth:
            yield from _generators(value, depth - 1)
