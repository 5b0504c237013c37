"""What the optimiser classes share: the walk over the parameters, and the checks.

A class here is thin. Its rule is a pure function on one tensor; `update` fetches the state of one parameter, calls the
rule and keeps the new state. State and options have the names of torch's optimisers, so a state dict of either goes
into the other, and torch's schedulers drive both. One tensor after the other is torch's own way on a CPU; on a GPU
torch updates many at once, which is faster for networks of many small tensors.
"""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import torch
from torch.optim.optimizer import ParamsT

from dlcourse.types import Float, Tensor

# Option -> (is this value in its range?, the range in words).
RANGES = {
    "lr": (lambda value: 0 <= value < math.inf, "at least 0, and finite"),
    "momentum": (lambda value: 0 <= value <= 1, "from 0 to 1"),  # at 1, no friction, nothing settles: worth a try
    "alpha": (lambda value: 0 <= value < 1, "from 0 to below 1"),
    "betas": (lambda value: 0 <= value < 1, "from 0 to below 1"),
    "eps": (lambda value: 0 <= value < math.inf, "at least 0, and finite"),
    "weight_decay": (lambda value: 0 <= value < math.inf, "at least 0, and finite"),
}

# Options that a state dict of the right kind may lack: torch itself adds the one, and before 2.7 had not the other.
NOT_SAVED_BY_ALL = {"differentiable", "decoupled_weight_decay"}


class Optimizer(torch.optim.Optimizer):
    """Base of the classes; a subclass gives `update`. `params`: tensors, or groups of them with options of their own.

    Raises ValueError for an option out of its range and TypeError for one that is no number: when the optimiser is
    made, when a group is added, when a state dict is loaded.
    """

    # Options of torch's class of the same name that ours leaves out, and the value that means "not used".
    left_out: ClassVar[dict[str, Any]]

    def __init__(self, params: ParamsT, options: dict[str, Any]):
        super().__init__(params, options)

    def update(
        self, parameter: Float[Tensor, "..."], gradient: Float[Tensor, "..."], group: dict[str, Any]
    ) -> Float[Tensor, "..."]:
        """The new parameter, by the options of its group. The new state is kept in self.state[parameter]."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update each parameter that has a gradient, in place; the gradients stay as they are.

        closure: a function that computes the loss and its gradients, called first; what it returns is returned.
        Raises TypeError for a gradient that is sparse or complex, before any parameter has moved.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [(p, group) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for parameter, _ in moving:
            self._check_gradient(parameter.grad)
        with torch.no_grad():
            for parameter, group in moving:
                parameter.copy_(self.update(parameter, parameter.grad, group))
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add `{"params": [...], "lr": 0.1}`: more parameters; an option that is not named is as for the others."""
        self._check_options(self.defaults | param_group)
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and options of another optimiser of this kind, ours or torch's; else ValueError."""
        for group in state_dict["param_groups"]:
            if missing := self.defaults.keys() - group.keys() - NOT_SAVED_BY_ALL:
                raise ValueError(
                    f"{type(self).__name__}.load_state_dict: the saved options have no {', '.join(sorted(missing))}, "
                    "so another kind of optimiser saved them. Make one of that kind and load them there."
                )
            self._check_options(group)
        super().load_state_dict(state_dict)

    def _check_gradient(self, gradient: Tensor) -> None:
        if gradient.layout != torch.strided or not gradient.is_floating_point():
            raise TypeError(
                f"{type(self).__name__} got a gradient of {gradient.layout} and {gradient.dtype}; it takes dense real "
                "ones. An embedding gives dense gradients with sparse=False."
            )

    def _check_options(self, options: dict[str, Any]) -> None:
        """Raise what the class promises."""
        name = type(self).__name__
        for option, unused in self.left_out.items():
            if options.get(option, unused) != unused:
                raise ValueError(
                    f"{name} here has no {option}, and got {option}={options[option]}. Leave it at {unused}, or take "
                    f"torch.optim.{name}."
                )
        for option in [option for option in RANGES if option in self.defaults]:
            (fits, words), values = RANGES[option], [options[option]]
            if option == "betas":
                values = options[option]
                if not isinstance(values, tuple | list) or len(values) != 2:
                    raise ValueError(f"{name} got betas={values}; wanted two numbers, such as (0.9, 0.999).")
            for value in values:
                if not isinstance(value, Real):
                    raise TypeError(f"{name} got {option} of type {type(value).__name__}; wanted a number {words}.")
                if not fits(value):
                    raise ValueError(f"{name} got {option}={value}; wanted a number {words}.")
