"""What layers of a model put out for x: copies, so that nothing that runs later can change them.

    activations(model, x, ["relu1", "relu2"])["relu1"]      in eval mode and without a graph: for probes and patches
    outputs(...)                                            in the graph, as the model stands: for slopes of the input

`hooks.capture` hands out the very tensor that a layer gave; a ReLU behind it that works in place would overwrite it.
"""

from collections.abc import Iterable
from typing import Any

from torch import nn

from dlcourse.hooks import replace
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Tensor


def activations(
    model: nn.Module, x: Float[Tensor, "batch ..."], layers: Iterable[str]
) -> dict[str, Float[Tensor, "batch ..."]]:
    """The output of each named layer for x, one tensor each; "" is the model itself.

    layers: names of `model.named_modules()`. The model answers in eval mode and is left as it was. Raises ValueError
    for x without an example, and for a layer that the model does not have, that did not run or ran more than once, or
    whose output is no tensor with a row for each example.

    >>> import torch
    >>> model = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True))
    >>> activations(model, torch.tensor([[[-1.0], [2.0]]]), ["0"])
    {'0': tensor([[-1.,  2.]])}
    """
    with evaluating(model):
        return outputs(model, x.detach(), layers)


def outputs(
    model: nn.Module, x: Float[Tensor, "batch ..."], layers: Iterable[str]
) -> dict[str, Float[Tensor, "batch ..."]]:
    """As `activations`, in the mode the model is in; slopes flow back to x if they are switched on."""
    if not len(x):
        raise ValueError(f"x {tuple(x.shape)} holds no example; wanted at least one.")
    wanted, seen = list(layers), {}

    def keep(layer: str, output: Any) -> Any:
        if layer in seen:
            raise ValueError(f"layer {layer!r} ran more than once for one x; wanted once. Give each place its own.")
        if not isinstance(output, Tensor) or output.shape[:1] != x.shape[:1]:
            came = tuple(getattr(output, "shape", ())) or type(output).__name__
            raise ValueError(f"layer {layer!r} gave {came} for {len(x)} examples; wanted a tensor ({len(x)}, ...).")
        seen[layer] = output.clone()
        return output

    with replace(model, {layer: lambda output, layer=layer: keep(layer, output) for layer in wanted}):
        model(x.clone())  # a copy: a first layer may work in place
    if missing := [layer for layer in wanted if layer not in seen]:
        raise ValueError(f"layers {missing} did not run when the model was asked about x.")
    return seen
