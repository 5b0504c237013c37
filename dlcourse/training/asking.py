"""How a model is asked about its inputs: as it will be used, and without a trace of the question.

An attack and an explanation both want slopes for the input, and neither may touch what training has left: the modes,
the gradients of the parameters, and which of them want one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from dlcourse.training.metrics import evaluating
from dlcourse.types import Tensor

Model = Callable[[Tensor], Tensor]


@contextmanager
def asking(model: Model) -> Iterator[None]:
    """Inside, the model is in eval mode, its parameters want no gradient, and none is kept; then all is as it was.

    A model that is no torch module is asked as it is.
    """
    if not isinstance(model, torch.nn.Module):
        with torch.no_grad():
            yield
        return
    wanting = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with evaluating(model):
        try:
            for parameter in wanting:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in wanting:
                parameter.requires_grad_(True)
