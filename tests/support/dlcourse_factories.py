"""Proof without a GPU that the package follows the device of its inputs: no tensor is made on a device left unsaid."""

import sys
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

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
    getattr(torch, name): name
    for name in (
        *("arange", "as_tensor", "asarray", "empty", "empty_strided", "eye", "full", "hann_window", "linspace"),
        *(
            "logspace",
            "ones",
            "rand",
            "randint",
            "randn",
            "randperm",
            "tensor",
            "tril_indices",
            "triu_indices",
            "zeros",
        ),
    )
}


class FactoryGuard(TorchFunctionMode):
    """Raise when a watched file makes a tensor and does not say where. `zeros_like` and `x.new_zeros` follow x."""

    def __init__(self, watched=WATCHED):
        super().__init__()
        self.watched = watched

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        follows = function in (torch.as_tensor, torch.asarray) and isinstance(args[0], torch.Tensor)
        if function in FACTORIES and kwargs.get("device") is None and not follows:
            caller = sys._getframe(1)
            if caller.f_code.co_filename.startswith(self.watched):
                raise AssertionError(
                    f"{caller.f_code.co_filename}:{caller.f_lineno} calls torch.{FACTORIES[function]} without device=. "
                    "It makes a CPU tensor even when the inputs live elsewhere. Use x.new_zeros(...), "
                    "torch.zeros_like(x), or device=x.device (device=generator.device for random numbers)."
                )
        return function(*args, **kwargs)
