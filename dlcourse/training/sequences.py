"""What a model of sequences is worth: surprise by symbol for a text, error beside a naive guess for a forecast.

    bits per character = loss / log 2        perplexity = exp(loss)        loss: mean of -log p(symbol), in nats

A perplexity of 4 is the surprise of a fair choice among 4; so are 2 bits. Both depend on what a symbol is: compare them
for equal symbols on an equal text only. A scaled error is the mean absolute error over that of the seasonal guess, one
step ahead, on the training part: below 1 the forecast is better than that, whatever the unit (Hyndman and Koehler,
2006, "Another look at measures of forecast accuracy", section 3).
"""

import math

import torch

from dlcourse.data.text import text_batches
from dlcourse.nn.loss import cross_entropy
from dlcourse.training.metrics import evaluating
from dlcourse.types import Float, Int, Tensor


def bits_per_character(loss: float | Float[Tensor, ""]) -> float:
    """A mean loss in nats, counted in bits: a fair coin is worth one.

    >>> bits_per_character(math.log(2))
    1.0
    """
    return float(loss) / math.log(2)


def perplexity(loss: float | Float[Tensor, ""]) -> float:
    """exp of a mean loss in nats: among how many symbols a fair choice would be as surprising; infinity for large ones.

    >>> round(perplexity(math.log(4)), 6)
    4.0
    """
    try:
        return math.exp(loss)
    except OverflowError:  # above 709
        return math.inf


def text_loss(model: torch.nn.Module, ids: Int[Tensor, " time"], *, size: int = 16, time: int = 256) -> float:
    """The model's mean cross-entropy on a text, in nats a symbol, its state carried on from batch to batch.

    The model is called as model(ids, state), as CharRNN, in eval mode and without gradients; every module's mode is put
    back. The text is read as `size` streams, see `data.text_batches`: more are faster, and each begins with no state,
    which costs a little. Fewer than `size` symbols at the end, and the first of each stream, are not predicted; in
    `NGram.loss` all are. Errors as for `text_batches`.
    """
    total, count, state = 0.0, 0, None
    with evaluating(model):
        for x, y, first in text_batches(ids, size=size, time=time):
            logits, state = model(x, None if first else state)
            total += cross_entropy(logits.flatten(0, 1), y.flatten()).item() * y.numel()
            count += y.numel()
    return total / count


def mean_absolute_error(predictions: Float[Tensor, "..."], targets: Float[Tensor, "..."]) -> float:
    """The mean distance, in the unit of the series. Raises ValueError for unequal shapes, and for no numbers.

    >>> mean_absolute_error(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0]))
    1.5
    """
    if predictions.shape != targets.shape or not targets.numel():
        raise ValueError(
            f"mean_absolute_error got predictions {tuple(predictions.shape)} and targets {tuple(targets.shape)}; "
            "wanted equal shapes, or each would be compared with every other, and one number or more."
        )
    return (predictions - targets).abs().mean().item()


def scaled_error(
    predictions: Float[Tensor, "..."],
    targets: Float[Tensor, "..."],
    *,
    train: Float[Tensor, "train ..."],
    season: int = 1,
) -> float:
    """The mean absolute error over that of "as one season before" on the series that was learnt from.

    `train` is that series (time,) or (time, features), in the unit of the others; with a season of 1 the guess is
    persistence. Raises ValueError as `mean_absolute_error`, for a season below 1, and for a training part that is no
    longer than a season, or repeats itself exactly, where the guess has no error to compare with.

    >>> scaled_error(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.0]), train=torch.tensor([0.0, 3.0, 0.0]))
    0.5
    """
    error = mean_absolute_error(predictions, targets)
    if season < 1 or len(train) <= season:
        raise ValueError(
            f"scaled_error got train {tuple(train.shape)} and season={season}; wanted a season of 1 or more, and a "
            "longer series."
        )
    guess = mean_absolute_error(train[:-season], train[season:])
    if guess == 0:
        raise ValueError(f"scaled_error: train repeats itself every {season} steps, so the guess has no error at all.")
    return error / guess
