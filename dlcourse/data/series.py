"""A series in windows, and the cut that leaks nothing: the past is for learning, what comes after it for testing.

    series  s_0 ... s_(T-1)        window i:  x = s_i ... s_(i+length-1)        y = the `horizon` values after them

Neighbouring windows share all their values but one. Windows that are shuffled *before* they are parted put nearly every
target of the test part into some window of the training part: the model has read the answers, and its score is worth
nothing. So part the series first, at one moment, and cut the windows afterwards (Hyndman and Athanasopoulos, 2021,
"Forecasting: principles and practice", 3rd edition, section 5.8). The same holds for all that is measured on the
series: mean and standard deviation come from the training part alone, or the model knows today how high the series
will stand tomorrow.

What it cannot mend: one cut is one test. A series that changes its ways after the cut says little about the next years.
"""

import torch

from dlcourse.types import Float, Tensor


def windows(
    series: Float[Tensor, "time ..."], *, length: int, horizon: int = 1
) -> tuple[Float[Tensor, "batch length ..."], Float[Tensor, "batch horizon ..."]]:
    """All windows of a series (time,) or (time, features): x (batch, length, ...) and y (batch, horizon, ...) after.

    Window i begins at time i, and there are time - length - horizon + 1 of them. They are copies: writing into one
    changes neither the series nor its neighbours. Raises ValueError when length or horizon is below 1, and for a series
    too short for one window.

    >>> x, y = windows(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), length=3)
    >>> x.tolist(), y.tolist()
    ([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [[4.0], [5.0]])
    """
    if length < 1 or horizon < 1 or not series.ndim or len(series) < length + horizon:
        raise ValueError(
            f"windows(series {tuple(series.shape)}, length={length}, horizon={horizon}): wanted length and horizon of "
            "1 or more, and a series, time first, of at least length + horizon values."
        )
    cut = series.unfold(0, length + horizon, 1).movedim(-1, 1)
    copied = cut.clone(memory_format=torch.contiguous_format)
    return copied[:, :length], copied[:, length:]


def split_in_time(
    series: Float[Tensor, "time ..."], *, test: float = 0.2, history: int = 0
) -> tuple[Float[Tensor, "train ..."], Float[Tensor, "test ..."]]:
    """(train, test): the series cut once, `test` of it (a share, rounded) after the cut. Cut windows out of each part.

    history: how many values before the cut the test part begins with. With 0 no value is in both parts. With the
    `length` of the windows the first value after the cut is the first target, and then
        - no window of the training part holds, as input or target, a value from after the cut;
        - each target of the test part lies after the cut; its inputs may lie before it, as they were known by then.
    Both parts are copies. Raises ValueError for a share that leaves one part empty, and for a history that is negative
    or longer than what is before the cut.

    >>> series = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> split_in_time(series, test=0.4)
    (tensor([1., 2., 3.]), tensor([4., 5.]))
    >>> split_in_time(series, test=0.4, history=2)[1]
    tensor([2., 3., 4., 5.])
    """
    cut = len(series) - round(test * len(series))
    if not 0 < cut < len(series):
        raise ValueError(
            f"split_in_time(series {tuple(series.shape)}, test={test}): {cut} values before the cut and "
            f"{len(series) - cut} after it; wanted at least one each. The share is between 0 and 1."
        )
    if not 0 <= history <= cut:
        raise ValueError(f"split_in_time(history={history}): wanted 0 to {cut}, the values before the cut.")
    return series[:cut].clone(), series[cut - history :].clone()
