"""A running average of the weights: smoother than where training stands, and often better.

    average = decay * average + (1 - decay) * model        after every update

Weights that learn by noisy steps wander around a good place, and in a game of two networks they circle it; the mean of
where they were lies nearer. (Polyak and Juditsky, 1992; with forgetting, for the generator of a GAN: "The unusual
effectiveness of averaging in GAN training", 2019, arXiv:1806.04498.)
Nothing is learnt from it: training goes on with the model itself.

Where it fails: it remembers about 1 / (1 - decay) updates, its own start among them, of which decay^n is left after n.
With decay 0.999 that is 37 % after 1,000 updates: take a smaller decay for a short training.
"""

import torch

from dlcourse.types import Tensor


@torch.no_grad()
def moving_average_(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    """Move the parameters of `average` towards the model's by 1 - decay, in place; buffers are copied.

    Begin with copy.deepcopy(model), before training, and call it after every update of the model, which is left as it
    is. decay in [0, 1]: 0 copies, 1 keeps. Buffers (batch norm's averages, counters) are averages already, or no
    numbers to be averaged. Modes, gradients and `requires_grad` stay. Raises ValueError for another decay, for modules
    whose parameters or buffers have other names or shapes, and for two that share memory, as a model with itself.

    >>> model, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    >>> _ = model.weight.data.fill_(8.0), average.weight.data.fill_(4.0)
    >>> moving_average_(average, model, 0.75)
    >>> average.weight.item()
    5.0
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"moving_average_ got decay={decay}; wanted a number in [0, 1], such as 0.99: what is kept.")
    _check(average, model)
    theirs = dict(model.named_parameters())
    for name, parameter in average.named_parameters():
        parameter.lerp_(theirs[name].to(parameter), 1 - decay)
    buffers = dict(model.named_buffers())
    for name, buffer in average.named_buffers():
        buffer.copy_(buffers[name])


def _check(average: torch.nn.Module, model: torch.nn.Module) -> None:
    """Raise ValueError unless both hold tensors of the same names and shapes, each its own."""
    mine, theirs = _tensors(average), _tensors(model)
    shapes, others = ({name: tuple(t.shape) for name, t in tensors.items()} for tensors in (mine, theirs))
    if unlike := sorted(name for name in {*shapes, *others} if shapes.get(name) != others.get(name)):
        name = unlike[0]
        raise ValueError(
            f"moving_average_: {name!r} is {shapes.get(name, 'missing')} in the average and "
            f"{others.get(name, 'missing')} in the model. Begin with average = copy.deepcopy(model)."
        )
    if shared := [name for name, t in mine.items() if t.numel() and t.data_ptr() == theirs[name].data_ptr()]:
        raise ValueError(
            f"moving_average_: {shared[0]!r} of the average is the model's own tensor, so there is nothing to average. "
            "Begin with average = copy.deepcopy(model)."
        )


def _tensors(module: torch.nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
