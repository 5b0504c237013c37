"""Schedules: what to multiply the learning rate by, as a function of the update's index 0, 1, 2, ...

Large steps first, to get far; small ones at the end, because a step of fixed size keeps bouncing in the noise of its
minibatches. A few updates of warm-up, because early gradients are large and Adam's means know little yet.
The cosine: Loshchilov and Hutter, 2016, arXiv:1608.03983, equation 5. Warm-up: Goyal et al., 2017, arXiv:1706.02677,
section 2.2. One cycle: Smith and Topin, 2017, arXiv:1708.07120. A schedule has to know its total: a run that stops
before it has never seen the small steps.

For torch's schedulers: `torch.optim.lr_scheduler.LambdaLR(optimizer, lambda index: cosine(index, total=500))`.
"""

import math


def step_decay(index: int, *, every: int, factor: float = 0.1) -> float:
    """1, then `factor` of it after each `every` updates: factor ** (index // every).

    Raises ValueError for an index below 0, every below 1, or a factor outside (0, 1].

    >>> [step_decay(index, every=2, factor=0.5) for index in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    _check_index("step_decay", index)
    if every < 1:
        raise ValueError(f"step_decay got every={every}; wanted a number of updates, at least 1.")
    if not 0 < factor <= 1:
        raise ValueError(f"step_decay got factor={factor}; wanted a share above 0, at most 1.")
    return factor ** (index // every)


def cosine(index: int, *, total: int, floor: float = 0.0) -> float:
    """From 1 at index 0 down to `floor` at index `total`: floor + (1 - floor) (1 + cos(pi index / total)) / 2.

    It stays at `floor` from there on; torch's CosineAnnealingLR would climb again. Raises ValueError for an index
    below 0, a total below 1, or a floor outside [0, 1].

    >>> [round(cosine(index, total=4), 4) for index in range(6)]
    [1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    _check_index("cosine", index)
    _check_total("cosine", total)
    _check_share("cosine", "floor", floor)
    return _between(1.0, floor, index / total)


def warmup_cosine(index: int, *, total: int, warmup: int, floor: float = 0.0) -> float:
    """(index + 1) / warmup for the first `warmup` updates, then a cosine down to `floor` at index `total`.

    It stays at `floor` from there on. Raises ValueError for an index below 0, a warmup outside [0, total), or a floor
    outside [0, 1].

    >>> [round(warmup_cosine(index, total=6, warmup=2), 4) for index in range(8)]
    [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0, 0.0]
    """
    _check_index("warmup_cosine", index)
    if not 0 <= warmup < total:
        raise ValueError(
            f"warmup_cosine got warmup={warmup} of total={total}; wanted a number of updates, at least 0 and fewer "
            "than total."
        )
    _check_share("warmup_cosine", "floor", floor)
    if index < warmup:
        return (index + 1) / warmup
    return _between(1.0, floor, (index - warmup) / (total - warmup))


def one_cycle(index: int, *, total: int, warmup: float = 0.3, start: float = 1 / 25, end: float = 1 / 250_000) -> float:
    """Up by a cosine from `start` to 1, over the share `warmup` of the updates, then down by a cosine to `end`.

    torch's OneCycleLR with cycle_momentum=False, as a factor of max_lr: start = 1 / div_factor, end = start /
    final_div_factor. The top is at index warmup * total - 1, which need not be whole; the last update, total - 1, has
    `end`, and so has any later one. Raises ValueError for an index below 0, a total below 1, a warmup outside [0, 1),
    or a start or end outside [0, 1].

    >>> [round(one_cycle(index, total=9, warmup=1 / 3), 4) for index in range(9)]
    [0.04, 0.52, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067, 0.0]
    """
    _check_index("one_cycle", index)
    _check_total("one_cycle", total)
    if not 0 <= warmup < 1:
        raise ValueError(f"one_cycle got warmup={warmup}; wanted a share of the updates, at least 0 and below 1.")
    _check_share("one_cycle", "start", start)
    _check_share("one_cycle", "end", end)
    top, last = warmup * total - 1, total - 1
    if index < top:
        return _between(start, 1.0, index / top)
    return _between(1.0, end, (index - top) / (last - top))


def _between(first: float, second: float, share: float) -> float:
    """Half a cosine wave from `first` at share 0 to `second` at share 1, and `second` after it."""
    return second + (first - second) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _check_index(name: str, index: int) -> None:
    if index < 0:
        raise ValueError(f"{name} got index={index}; updates are counted 0, 1, 2, ...")


def _check_total(name: str, total: int) -> None:
    if total < 1:
        raise ValueError(f"{name} got total={total}; wanted the number of updates of the whole run, at least 1.")


def _check_share(name: str, what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} got {what}={share}; wanted a share of the learning rate, from 0 to 1.")
