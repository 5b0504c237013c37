"""Pictures as a trained classifier sees them: what one of its layers puts out.

Two pictures of a seven may differ in most pixels, and two that differ in few may be a seven and a one. A layer near the
end of a classifier has learnt to keep what tells the classes apart, and there distances mean more. (Measured there
since Heusel et al., 2017, arXiv:1706.08500, and Zhang et al., 2018, arXiv:1801.03924.)

Where it fails: what does not help to tell the classes apart is thrown away, so a fault there goes unseen: a classifier
of digits may not mind noise, of which a person would see every grain. And the classifier must not be the network under
test, nor one that the generator was trained against.
"""

from typing import Any

import torch

from dlcourse.hooks import replace
from dlcourse.training import evaluating
from dlcourse.types import Float, Tensor

SIZE = 256  # examples at a time


def features(model: torch.nn.Module, x: Float[Tensor, "batch ..."], layer: str) -> Float[Tensor, "batch features"]:
    """What the named layer puts out for each example, flattened to one row; no gradients.

    layer: a name of `model.named_modules()`, "" for the model itself. The model answers in eval mode and is left as it
    was. Raises ValueError for no examples, a layer that the model does not have or that did not run just once, and for
    one whose output has not a row for each example.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU())
    >>> features(model, torch.tensor([[[-1.0], [2.0]]]), "1")
    tensor([[0., 2.]])
    """
    if not x.ndim or not len(x):
        raise ValueError("features got no examples; wanted at least one.")
    found: list[Tensor] = []

    def look(output: Any) -> Any:  # copied at once: a ReLU behind may work in place
        found.append(output.flatten(1).clone() if isinstance(output, Tensor) and output.ndim > 1 else output)
        return output

    for count, part in enumerate(x.split(SIZE), start=1):
        with evaluating(model), replace(model, {layer: look}):
            model(part)
        if len(found) != count:
            raise ValueError(f"layer {layer!r} ran {len(found) - count + 1} times for one picture; wanted once.")
        if not isinstance(found[-1], Tensor) or found[-1].ndim != 2 or len(found[-1]) != len(part):
            came = tuple(getattr(found[-1], "shape", ()))
            raise ValueError(f"layer {layer!r} gave {came} for {len(part)} examples; wanted a row for each.")
    return torch.cat(found)
