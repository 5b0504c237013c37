"""Proof without a GPU that the package follows the device of its inputs: no tensor is made on a device left unsaid."""

import functools
import sys
from pathlib import Path

import torch

PACKAGE = Path(__file__).parents[2] / "dlcourse"
# Floors 0 to 4; later rooms are named already. Plots, checks and the course may choose the CPU.
WATCHED = tuple(
    str(PACKAGE / room)
    for room in (
        *("device.py", "seeding.py", "steps.py", "hooks.py", "landscape.py", "autograd/", "data/", "nn/", "optim/"),
        *("models/", "training/", "attacks/", "defenses/", "attribution/", "mechanistic/", "generation/"),
    )
)
FACTORIES = {
    name: getattr(torch, name)
    for name in (
        *("arange", "as_tensor", "asarray", "empty", "empty_strided", "eye", "full", "hann_window", "linspace"),
        *("logspace", "ones", "rand", "randint", "randn", "randperm", "tensor", "zeros"),
        *("tril_indices", "triu_indices"),
    )
}
with torch.device("cpu"):
    torch.zeros(0)  # torch keeps a list of its factories from the first such block on: it must hold its own, not ours


class FactoryGuard:
    """Raise when a watched file makes a tensor and does not say where. `zeros_like` and `x.new_zeros` follow x.

    It puts guarded factories in torch's place of them. A TorchFunctionMode would see the same calls, and every other
    call of torch too, which then takes twice its time.
    """

    def __init__(self, watched=WATCHED):
        self.watched = watched

    def __enter__(self):
        for name, function in FACTORIES.items():
            setattr(torch, name, self.guarded(name, function))

    def __exit__(self, *error):
        for name, function in FACTORIES.items():
            setattr(torch, name, function)

    def guarded(self, name, function):
        """The factory, which looks at who calls it."""

        @functools.wraps(function)
        def call(*args, **kwargs):
            if kwargs.get("device") is None:
                caller = sys._getframe(1)
                follows = name in ("as_tensor", "asarray") and isinstance(args[0], torch.Tensor)
                if caller.f_code.co_filename.startswith(self.watched) and not follows:
                    raise AssertionError(
                        f"{caller.f_code.co_filename}:{caller.f_lineno} calls torch.{name} without device=. "
                        "It makes a CPU tensor even when the inputs live elsewhere. Use x.new_zeros(...), "
                        "torch.zeros_like(x), or device=x.device (device=generator.device for random numbers)."
                    )
            return function(*args, **kwargs)

        return call
