"""What a classifier is worth: the share it gets right, what it mistakes for what, and whether its confidence is earned.

A model is *calibrated* when of all the answers that it gives with a confidence of 80 %, 80 % are right. The expected
calibration error sorts the answers into bins by confidence and averages the gap, weighted by the answers in the bin:

    ECE = sum over bins of  count / n  *  |accuracy - confidence|

(Naeini, Cooper and Hauskrecht, 2015; Guo et al., 2017, arXiv:1706.04599, equation 3.) It depends on the number of bins,
and a model that always says "10 %, each of the ten" is perfectly calibrated: read it beside the accuracy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from dlcourse.nn.softmax import softmax
from dlcourse.types import Float, Int, Shaped, Tensor


def accuracy(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> float:
    """The share of examples whose largest logit is the label's, in [0, 1]; of equal logits the first counts.

    Raises ValueError when the shapes do not fit, there are no examples, there is one column only, or a logit is nan or
    +inf (such a model answers nothing); TypeError for labels that are no integers.

    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    _check("accuracy", logits, labels)
    return (logits.argmax(1) == labels).sum().item() / len(labels)


def confusion(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> Int[Tensor, "classes classes"]:
    """How often each class (row) was taken for each class (column). The diagonal holds what is right.

    Errors as `accuracy`; ValueError too for a label that has no column of logits.

    >>> confusion(torch.tensor([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0]]), torch.tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """
    _check("confusion", logits, labels)
    classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"confusion got labels from {labels.min()} to {labels.max()} and {classes} columns of logits; "
            f"wanted labels from 0 to {classes - 1}."
        )
    pairs = labels.long() * classes + logits.argmax(1)
    return pairs.bincount(minlength=classes**2).view(classes, classes)


@dataclass(frozen=True)
class Calibration:
    """Confidence beside accuracy, bin by bin: bin i holds the answers with a confidence in (i / bins, (i+1) / bins]."""

    confidence: Float[Tensor, " bins"]  # mean of the largest probability in each bin; nan where the bin is empty
    accuracy: Float[Tensor, " bins"]  # share of right answers in each bin; nan where it is empty
    count: Int[Tensor, " bins"]  # answers in each bin
    error: float  # the expected calibration error, in [0, 1]


def calibration(
    logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"], *, bins: int = 10
) -> Calibration:
    """Sort the answers into `bins` of equal width by their confidence, and compare it with the accuracy in each.

    Errors as `accuracy`, and ValueError for fewer than one bin.

    A golden example: logits log 1 and log 4 are a confidence of 4/5; one of two such answers is right: a gap of 0.3.

    >>> found = calibration(torch.tensor([[1.0, 4.0], [4.0, 1.0]]).log(), torch.tensor([1, 1]), bins=2)
    >>> found.count.tolist(), found.accuracy.tolist(), round(found.error, 4)
    ([0, 2], [nan, 0.5], 0.3)
    """
    _check("calibration", logits, labels)
    if bins < 1:
        raise ValueError(f"calibration(bins={bins}): wanted at least one bin; 10 to 15 are usual.")
    logits = logits.detach().to(torch.promote_types(logits.dtype, torch.float32))  # bfloat16 cannot count beyond 256
    sure, answer = softmax(logits).max(1)
    right = (answer == labels).to(sure.dtype)
    edges = torch.arange(1, bins, device=sure.device, dtype=sure.dtype) / bins
    where = torch.bucketize(sure, edges)  # bins are open below and closed above, as in the paper
    count = where.bincount(minlength=bins)
    confidence = sure.new_zeros(bins).index_add(0, where, sure) / count
    share = sure.new_zeros(bins).index_add(0, where, right) / count
    gaps = torch.where(count > 0, (share - confidence).abs() * count, 0.0)
    return Calibration(confidence, share, count, gaps.sum().item() / len(labels))


@dataclass(frozen=True)
class Evaluation:
    """A model measured on examples that it did not learn from."""

    index: int  # updates made before it
    epoch: int  # the pass after which it was made, from 0
    loss: float  # mean over the examples
    accuracy: float | None  # in [0, 1]; None where there are no classes


def evaluate(
    model: torch.nn.Module,
    x: Shaped[Tensor, "batch ..."],
    y: Shaped[Tensor, "batch ..."],
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    size: int = 1024,
    index: int = 0,
    epoch: int = 0,
) -> Evaluation:
    """Loss and accuracy of the model on (x, y): in eval mode, without gradients, and every module's mode is put back.

    `loss(outputs, y)` is a mean over its examples; `size` examples are measured at a time, and the parts are weighted
    by their examples (a cross-entropy with weights of classes is another mean: give it a `size` of len(x)).
    The accuracy is measured for outputs (batch, classes), two classes or more, and integer labels (batch,); an output
    with a nan is never right. `index` and `epoch` only label the result. Raises ValueError on no examples, or another
    number of labels.
    """
    if len(x) != len(y) or not len(x):
        raise ValueError(f"evaluate: {len(x)} examples and {len(y)} labels; wanted as many of each, at least one.")
    losses, rights = [], []
    with evaluating(model):
        for x_part, y_part in zip(x.split(size), y.split(size), strict=True):
            outputs = model(x_part)
            losses.append(loss(outputs, y_part))
            if _classes(outputs) and y.ndim == 1 and not y.is_floating_point():
                rights.append(((outputs.argmax(1) == y_part) & ~outputs.isnan().any(1)).sum())
    sizes = [len(part) for part in x.split(size)]
    total = sum(
        part * count for part, count in zip(torch.stack(losses).reshape(len(losses)).tolist(), sizes, strict=True)
    )
    right = sum(torch.stack(rights).tolist()) / len(x) if rights else None
    return Evaluation(index, epoch, total / len(x), right)


def _classes(outputs: object) -> bool:
    """Can the outputs be logits, one column for each class?"""
    return isinstance(outputs, Tensor) and outputs.ndim == 2 and outputs.shape[1] > 1


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Inside, the model is in eval mode and no gradient is kept; after it each module's mode is as it was.

    >>> model = torch.nn.Dropout()
    >>> with evaluating(model):
    ...     model.training
    False
    >>> model.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _check(who: str, logits: Tensor, labels: Tensor) -> None:
    """Raise what the measures promise, saying what to do."""
    came = f"{who} got logits {tuple(logits.shape)} and labels {tuple(labels.shape)} of {labels.dtype}"
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"{came}; labels are class numbers, so integers. Use labels.long(), or one_hot.argmax(1).")
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"{came}; wanted (batch, classes) and (batch,). A column of labels is mended by labels[:, 0].")
    if not len(labels):
        raise ValueError(f"{came}; of no examples nothing can be measured. Give at least one.")
    if logits.shape[1] < 2:
        raise ValueError(f"{came}; wanted a column for each class, at least two. One column z is (0, z) for two.")
    if not (logits < torch.inf).all():
        raise ValueError(f"{came}; some logits are nan or inf, so the model answers nothing. Look where they begin.")
