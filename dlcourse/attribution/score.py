"""What is explained: one number for each example, the score.

    score(x) = the model's logit for the target class                            z_target(x)

A logit and not a probability: a probability also rises when the other classes fall, so its slope mixes "this is a 7"
with "this is no 1", and where the model is sure it rounds to 0. Who wants another number gives a function from logits
(batch, classes) to scores (batch,), such as `probability(7)`. The method does not know what the target is: ask for the
label, for the model's answer, or for the class that it should have been, and say which.
"""

from collections.abc import Callable

import torch

from dlcourse.nn.softmax import softmax
from dlcourse.training.asking import Model, asking
from dlcourse.types import Float, Int, Tensor

Target = int | Int[Tensor, " batch"] | Callable[[Tensor], Tensor]


def score(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, " batch"]:
    """The number that is explained, of each example: its logit for the target, or what a function makes of its logits.

    target: a class for all examples, a class for each, or a function logits -> (batch,), which must treat each example
    by itself. The model is asked in the mode that it is in, and in the graph: see `asking`.

    Raises ValueError for logits that are not (batch, classes), classes that the model does not have and scores that are
    not one number for each example; TypeError for targets that are no integers.

    >>> weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]])
    >>> score(lambda x: x @ weight, torch.tensor([[1.0, 1.0]]), 1)
    tensor([7.])
    """
    return picked(answers(model, x), target)


def picked(logits: Float[Tensor, "batch classes"], target: Target) -> Float[Tensor, " batch"]:
    """The target's logit of each row, or what the target function makes of them. Errors as `score`.

    >>> picked(torch.tensor([[3.0, 5.0], [4.0, 1.0]]), torch.tensor([1, 0]))
    tensor([5., 4.])
    """
    if not callable(target):
        return logits.gather(1, classes_of(target, logits)[:, None])[:, 0]
    values = target(logits)
    if not isinstance(values, Tensor) or values.shape != logits.shape[:1]:
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"target made {came} of logits {tuple(logits.shape)}; wanted a score for each, ({len(logits)},)."
        )
    return values


def answers(model: Model, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
    """The model's logits, with their shape checked; one class is enough here."""
    logits = model(x)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"The model made {came} of x {tuple(x.shape)}; wanted logits ({len(x)}, classes).")
    return logits


def classes_of(target: int | Tensor, logits: Float[Tensor, "batch classes"]) -> Int[Tensor, " batch"]:
    """The target class of each example. Errors as `score`.

    >>> classes_of(1, torch.zeros(3, 2))
    tensor([1, 1, 1])
    """
    given = torch.as_tensor(target, device=logits.device)
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise TypeError(f"target is {given.dtype}; wanted class numbers, so integers, or a function of the logits.")
    if given.shape not in ((), logits.shape[:1]) or not bool(((given >= 0) & (given < logits.shape[1])).all()):
        raise ValueError(
            f"target {given.tolist()} does not fit logits {tuple(logits.shape)}; wanted one class, or one for each "
            f"example, from 0 to {logits.shape[1] - 1}."
        )
    return given.long().expand(len(logits))


def probability(target: int | Int[Tensor, " batch"]) -> Callable[[Tensor], Tensor]:
    """A score that is the target's probability, in [0, 1]: for curves that people read, not for slopes.

    >>> score(lambda x: x, torch.tensor([[0.0, 0.0]]), probability(1))
    tensor([0.5000])
    """
    return lambda logits: softmax(logits).gather(1, classes_of(target, logits)[:, None])[:, 0]


def slope(
    model: Model, x: Float[Tensor, "batch ..."], target: Target
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch ..."]]:
    """The score of each example, and its slope for that example's own numbers: one pass forward, one back.

    The model answers in eval mode, and is left as it was. Raises ValueError for x without an example and for a model
    through which no slope comes back (it detaches, or rounds); TypeError for x that are no floats; errors as `score`.

    >>> weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]])
    >>> slope(lambda x: x @ weight, torch.tensor([[1.0, 1.0]]), 1)
    (tensor([7.]), tensor([[3., 4.]]))
    """
    values, gradient = slopes(model, examples("slope", x)[None], target)
    return values[0], gradient[0]


def slopes(
    model: Model, points: Float[Tensor, "versions batch ..."], target: Target
) -> tuple[Float[Tensor, "versions batch"], Float[Tensor, "versions batch ..."]]:
    """As `slope`, for several versions of the examples in one pass: the passes are what costs."""
    leaf = points.detach().requires_grad_()
    with asking(model), torch.enable_grad():
        logits = answers(model, leaf.flatten(0, 1).clone())  # a copy: a first layer may work in place
        values = torch.stack([picked(of_one, target) for of_one in logits.unflatten(0, points.shape[:2])])
        # Each score depends on its own example only, so the slope of the sum holds the slope of each.
        (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True) if values.requires_grad else (None,)
    if gradient is None:
        raise ValueError(
            "The score does not depend on x by anything that can be differentiated: there is no slope to explain it by."
            " Does the model detach, or run under no_grad? Methods that only ask still work: occlusion, shapley."
        )
    return values.detach(), gradient


def scores(model: Model, x: Float[Tensor, "batch ..."], target: Target) -> Float[Tensor, " batch"]:
    """The scores alone: in eval mode, without a graph; the model is left as it was. Errors as `slope` but for slopes.

    >>> scores(lambda x: 2 * x, torch.tensor([[1.0, 4.0]]), 1)
    tensor([8.])
    """
    with asking(model):
        return score(model, examples("scores", x).clone(), target)


def examples(caller: str, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
    """x without its graph, once it was looked at: floats, at least one example."""
    if not x.is_floating_point():
        raise TypeError(f"{caller} got x of {x.dtype}; wanted floats: images are x.float() / 255.")
    if x.ndim < 2 or not x.numel():
        raise ValueError(f"{caller} got x {tuple(x.shape)}; wanted (batch, ...) with at least one example.")
    return x.detach()
