"""08.forecast: a forecast, by any method, that beats persistence on made-up series and on the sunspots.

What is asked for was set from what honest methods reach, as shares of persistence's mean absolute error. Made-up
series, 200 of them: least squares 0.32 to 0.54, nearest neighbours 0.47 to 0.78, a random forest (10 series) 0.55 to
0.68, small networks (10) 0.42 to 0.52. Sunspots: least squares 0.61 to 0.64, nearest neighbours 0.70. Of the guesses
that learn nothing the best seasonal one of 200 came to 0.92, the mean to 1.08, the line through the last two values to
0.74, and to 0.94 on the sunspots.

No answer can be looked up in the windows of a call: those of a made-up series are runs of their own, and those of the
sunspots are asked for in several calls, so far apart that no window holds the value after another one. Nor can
anything be learned from them: some windows of a made-up series are asked for again, without most of the others.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dlcourse import data
from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, Words, kind, show
from dlcourse.checks.subject import Subject

MOST = 0.8  # of persistence's mean absolute error
FIRST, CUT = 1700, 200  # the year of the first sunspot number, and how many of them are learned from


def forecast(train, windows):
    length, mean = windows.shape[1], train.mean()
    x, y = (train - mean).unfold(0, length, 1)[:-1], (train - mean)[length:]
    weight = torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    return (windows - mean) @ weight + mean


class Task(NamedTuple):
    """One question, or several that are judged together."""

    what: str
    train: Tensor  # (time,)
    calls: list[tuple[Tensor, Tensor]]  # windows (batch, length), and the value after each


def line(train: Tensor, windows: Tensor, ahead: int = 1) -> Tensor:
    """Least squares through all values of a window, for suspects; ahead: how many steps after it."""
    length, mean = windows.shape[1], train.mean()
    x = (train - mean).unfold(0, length, 1)[: -ahead or None]
    y = (train - mean)[length - 1 + ahead :]
    return (windows - mean) @ torch.linalg.lstsq(x, y[:, None]).solution[:, 0] + mean


def what_came_after(k: int) -> "Guess":
    """The mean of what came after the k most similar windows, for suspects."""

    def guess(train: Tensor, windows: Tensor) -> Tensor:
        x, y = train.unfold(0, windows.shape[1], 1)[:-1], train[windows.shape[1] :]
        return y[torch.cdist(windows, x).topk(k, largest=False).indices].mean(1)

    return guess


def own_scale(train: Tensor, windows: Tensor) -> Tensor:
    """Each window by its own mean and standard deviation, in the unit of the series, for suspects."""
    own = (windows - windows.mean(1, keepdim=True)) / windows.std(1, keepdim=True)
    return own * train.std() + train.mean()


Guess = Callable[[Tensor, Tensor], Tensor]
# Guesses that came back as they are.
GUESSES: tuple[tuple[str, tuple[Guess, ...]], ...] = (
    (
        "This is persistence itself: the last value of each window. If it was learned, then the targets are the "
        "windows' own last values: the target stands one step after.",
        (lambda train, windows: windows[:, -1],),
    ),
    (
        "This is the first value of each window: the newest is the last, windows[:, -1].",
        (lambda train, windows: windows[:, 0],),
    ),
    (
        "This is the last value of *another* window of the call. The windows are mixed, so the next one does not tell "
        "what came; and on the day of the forecast there is one window.",
        (
            lambda train, windows: torch.cat([windows[1:, -1], windows[-1:, -1]]),
            lambda train, windows: windows[:, -1].roll(-1),
            lambda train, windows: windows[:, -1].roll(1),
        ),
    ),
    (
        "This is the mean of each window: near the middle of a cycle, where the series hardly ever is.",
        (lambda train, windows: windows.mean(1), lambda train, windows: windows.median(1).values),
    ),
    (
        "This is the mean of the last few values of each window: it comes too late at every turn.",
        tuple(lambda train, windows, k=k: windows[:, -k:].mean(1) for k in (2, 3, 4, 5)),
    ),
    (
        "This is the mean of the training series, whatever the window says. If it was learned: which shapes meet in "
        "the loss? Outputs (n,) and targets (n, 1) are spread over each other to (n, n); then each output is compared "
        "with all targets, and their mean is best.",
        (
            lambda train, windows: train.mean().expand(len(windows)),
            lambda train, windows: train.median().expand(len(windows)),
        ),
    ),
    (
        "This is the last value of the training series for every window: the windows come later, and each has its own.",
        (lambda train, windows: train[-1].expand(len(windows)),),
    ),
    (
        "This is the line through the last two values of each window, drawn on: it overshoots at every turn. Let the "
        "training series say how much of the last change goes on.",
        (lambda train, windows: 2 * windows[:, -1] - windows[:, -2],),
    ),
    (
        "This is the line through the first and the last value of each window, drawn on: a cycle is no line.",
        (
            lambda train, windows: windows[:, -1] + (windows[:, -1] - windows[:, 0]) / (windows.shape[1] - 1),
            lambda train, windows: windows[:, -1] + (train[-1] - train[0]) / (len(train) - 1),
        ),
    ),
    (
        "This is the value one cycle ago (seasonal persistence). The cycle is not that regular: it drifts within a few "
        "turns, and the last values know more.",
        tuple(lambda train, windows, k=k: windows[:, -k] for k in range(2, 13)),
    ),
    (
        "The windows were read backwards: what was learned for the newest value is applied to the oldest.",
        (lambda train, windows: line(train, windows.flip(1)),),
    ),
    (
        "This forecasts the value two steps after each window: one step was asked for.",
        (lambda train, windows: line(train, windows, ahead=2),),
    ),
    (
        "What was learned from values less their mean, or standardised (divided by their standard deviation too), is "
        "applied to windows as they came: they need the same, by the mean and standard deviation of the training "
        "series.",
        (
            lambda train, windows: line(train, windows + train.mean()),
            lambda train, windows: line(train, windows + train.mean()) - train.mean(),
            lambda train, windows: line(train, windows * train.std() + train.mean()),
        ),
    ),
    (
        "What was learned from the standardised series (its mean off, divided by its standard deviation) is applied to "
        "windows each of which is standardised by itself: both take the mean and standard deviation of the training "
        "series.",
        (lambda train, windows: line(train, own_scale(train, windows)),),
    ),
    (
        "This is the mean of what came after the most similar windows. The oldest value of a window has as much say "
        "there in what is similar as the newest, and what comes after a few windows is noisy.",
        tuple(map(what_came_after, range(1, 11))),
    ),
)
# Forecasts that would be good after one more step.
MENDED: tuple[tuple[str, tuple[Callable[[Tensor, Tensor, Tensor], Tensor], ...]], ...] = (
    (
        "These forecasts are good, in another unit: they are standardised (mean off, divided by the standard "
        "deviation). Multiply by the standard deviation of the "
        "training series and add its mean.",
        (
            lambda got, train, windows: got * train.std() + train.mean(),
            lambda got, train, windows: got * train.std(correction=0) + train.mean(),
        ),
    ),
    (
        "These forecasts are good, in another unit: they are scaled to a range. Scale them back.",
        (lambda got, train, windows: got * (train.max() - train.min()) + train.min(),),
    ),
    (
        "These forecasts are good, and the mean of the training series is missing: it was taken off, and has to be "
        "added again.",
        (lambda got, train, windows: got + train.mean(),),
    ),
    (
        "These forecasts are good but for the mean of the training series, which was added once too often.",
        (lambda got, train, windows: got - train.mean(),),
    ),
    (
        "This is the change from the last value to the next: add the last value, windows[:, -1].",
        (
            lambda got, train, windows: windows[:, -1] + got,
            lambda got, train, windows: windows[:, -1] + got * train.std(),
        ),
    ),
    (
        "These forecasts were scaled back twice.",
        (lambda got, train, windows: (got - train.mean()) / train.std(),),
    ),
    (
        "These forecasts would be good in another order: forecast i belongs to window i.",
        (
            lambda got, train, windows: got.flip(0),
            lambda got, train, windows: got.roll(-1),
            lambda got, *_: got.roll(1),
        ),
    ),
)
LARGE = (
    "A network to which numbers like these come as they are is driven to its ends: standardise the series and the "
    "windows (mean off, divided by the standard deviation), both by the mean and standard deviation of `train`."
)
SAME = "The forecast is the same for all windows, or nearly: it has to depend on what each of them holds. " + LARGE
NOT_FINITE = (
    "nan or infinity: did a training run away (its rate is too large for numbers like these: take the "
    "mean off the series, and divide it by its standard deviation), "
    "was something divided by 0, or a root or a logarithm taken of numbers below 0?"
)
ROOT = (
    "nan, where the values go below 0: a negative number has no root and no logarithm. Sunspots are counts; these "
    "values are not."
)
WORSE = (
    "This is worse than saying that nothing changes. Look at one pair that you learn from: are these values of the "
    "series side by side, in the order of time, and is the target the next one? Was done to the windows what was done "
    "to the series that you learn from, by the same numbers (for a network: standardised, (value - mean) / "
    "std, both by the mean and standard deviation of `train`)? Is the forecast in the unit of the series? And a "
    "network that is right in all of this may have had too few updates: does its loss still fall when the training "
    "ends?"
)
CLOSE = (
    "Better than persistence, and not by enough. A line: does it use all values of a window? Whether the series rises "
    "or falls is in the last two, and how it turns in the others. A network: are the series and the windows "
    "standardised (mean off, divided by the standard deviation), both by the mean and standard deviation of `train`, "
    "and did it have enough updates?"
)
COMPANY = (
    "A forecast depends on the other windows of its call: something is learned from `windows`, or they are scaled by "
    "their own mean and standard deviation. All that is learned or measured comes from `train` alone: on the day of "
    "the forecast there is one window."
)
UNSEEDED = (
    "The same question gets two answers: something is drawn anew in each call. Give the network a seed, inside "
    "forecast: torch.manual_seed(...), or a generator of its own."
)
CRASHES = (
    IN_PLACE,
    (
        "must match the size",
        "Two shapes do not fit. The windows of the training series have to be as long as those that come in: "
        "windows.shape[1], which is not always the same.",
    ),
    (
        "cannot be multiplied",
        "A matrix product of shapes that do not fit. What is learned has a number for each value of a window, and "
        "windows.shape[1] is not always the same.",
    ),
    (
        "size mismatch",
        "A matrix product of shapes that do not fit. What is learned has a number for each value of a window, and "
        "windows.shape[1] is not always the same.",
    ),
    (
        "must be equal to input_size",
        "A recurrent layer reads (batch, time, features), and a series has one feature at each step: windows[..., "
        "None], with batch_first=True.",
    ),
    ("is out of bounds", "A window has no value at this place: windows.shape[1] is not always the same."),
    (
        "Can't call numpy()",
        "This tensor is on torch's record: .detach() before .numpy(), or compute in torch.no_grad().",
    ),
    *(
        (part, "lstsq was given nan or infinity. Was a root or a logarithm taken? A made-up series may go below 0.")
        for part in ("INTERNAL ASSERT FAILED", "non-finite values", "SVD did not converge", "infs or NaNs")
    ),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.forecast", "forecast", subject, (), CRASHES)
    shares = [_judge(ask, task) for task in tasks(1 if seed is None else seed)]
    *made, sunspots = (f"{share:.2f}" for share in shares)
    return (
        f"your error is {' and '.join(made)} of persistence's on made-up series, and {sunspots} on the sunspots "
        f"({MOST:g} was allowed)."
    )


def _judge(ask: Examiner, task: Task) -> float:
    """The error as a share of persistence's, which the answer's forecasts for all calls have to keep small."""
    forecasts = [
        _forecast(ask, Later(_written, task, windows), task, windows, target) for windows, target in task.calls
    ]
    windows, target = (torch.cat(column) for column in zip(*task.calls, strict=True))
    got = torch.cat(forecasts)
    error, naive = ((one - target).abs().mean().item() for one in (got, windows[:, -1]))
    reason = "" if error <= MOST * naive else _reason(got, task, windows, target, error / naive)
    if len(task.calls) == 1 and reason in ("", WORSE, CLOSE):
        _same_in_other_company(ask, task, got)
    if not reason:
        return error / naive
    ask.fail(
        called=_written(task, task.calls[-1][0]),
        came_back=f"{show(got[:3])}, ..., where {show(target[:3])}, ... came;\nwrong by {error:.4g} on average, "
        f"{error / naive:.2f} of persistence's {naive:.4g}",
        wanted=f"at most {MOST:g} of persistence's mean absolute error, {MOST * naive:.4g}",
        reason=reason,
    )


def _written(task: Task, windows: Tensor) -> str:
    return (
        f"forecast(train, windows)\nwhere train is {task.what}, {len(task.train)} values,\nand windows "
        f"{tuple(windows.shape)}, the first of them {show(windows[0])}"
    )


def _forecast(ask: Examiner, called: Words, task: Task, windows: Tensor, target: Tensor) -> Tensor:
    wanted = f"{kind(target)}, the value after each window"
    got = ask.ask(lambda: ask.subject.call(task.train, windows), called=called, wanted=wanted)
    if reason := _unlike(got, target):
        ask.fail(called=called, came_back=_came_back(got), wanted=wanted, reason=_of_what(reason, got, windows))
    return got.to(target.dtype)


def _came_back(got: Any) -> str:
    """What is no row of numbers; of many numbers, those around the first that is none."""
    if not isinstance(got, Tensor):
        return show(got) if got is None else f"{kind(got)}: {show(got)}"
    odd = (~got.isfinite()).nonzero()
    return show(got, near=tuple(odd[0].tolist()) if len(odd) else None)


def _of_what(reason: str, got: Any, windows: Tensor) -> str:
    """Nan for just those windows that go below 0 has a likely reason of its own."""
    below = (windows < 0).any(1)
    return ROOT if reason == NOT_FINITE and not below.all() and torch.equal(got.isnan(), below) else reason


def _same_in_other_company(ask: Examiner, task: Task, got: Tensor) -> None:
    """Asks for the first windows without the others: what learns from train alone says the same."""
    (windows, target), few = task.calls[0], 30

    def other(again: Tensor) -> bool:
        """Not by rounding, nor by a tie here and there."""
        return bool(((again - got[: len(again)]).abs() > 0.01 * task.train.std()).double().mean() > 0.1)

    called = _written(task, windows[:few]) + f";\nthey are the first {few} of the {len(windows)} of the call before"
    again = _forecast(ask, called, task, windows[:few], target[:few])
    if not other(again):
        return
    unseeded = other(_forecast(ask, _written(task, windows), task, windows, target))
    ask.fail(
        called=called,
        came_back=f"{show(again[:3])}, ...",
        wanted=f"{show(got[:3])}, ..., as before",
        reason=UNSEEDED if unseeded else COMPANY,
    )


def _unlike(got: Any, target: Tensor) -> str:
    """Why this is no row of numbers, one for each window; "" when it is."""
    if got is None:
        return "Nothing was returned: for this input no line with `return` was reached."
    if not isinstance(got, Tensor):
        return f"This is {kind(got)}, and a tensor (batch,) was wanted."
    if got.shape == (len(target), 1):
        return "The shape should be (batch,) and is (batch, 1): [:, 0] takes the last axis away."
    if got.dim() == 2 and got.shape[0] == got.shape[1] == len(target):
        return (
            "Each window has a forecast for each window: a column and a row were spread over each other. Print shapes."
        )
    if got.shape != target.shape:
        return f"One number for each window was wanted, of shape {tuple(target.shape)}, and this is {tuple(got.shape)}."
    if got.dtype not in (torch.float32, torch.float64):
        return f"The dtype should be torch.float32 and is {got.dtype}."
    return "" if got.isfinite().all() else NOT_FINITE


def _reason(got: Tensor, task: Task, windows: Tensor, target: Tensor, share: float) -> str:
    """The likely reason why these forecasts are not good enough."""
    near = 0.05 * (got - target).abs().mean()  # the guess explains nearly all of the error
    for reason, guesses in GUESSES:
        if any((got - guess(task.train, windows)).abs().mean() < near for guess in guesses if _fits(guess, task)):
            return reason
    naive = (windows[:, -1] - target).abs().mean()
    for reason, ways in MENDED:
        if any((way(got, task.train, windows) - target).abs().mean() <= MOST * naive for way in ways):
            return reason
    if got.std() < 0.05 * target.std():
        return SAME
    return WORSE if share > 1 else CLOSE


def _fits(guess: Guess, task: Task) -> bool:
    try:
        guess(task.train, task.calls[0][0][:1])
    except (IndexError, RuntimeError):  # a season longer than the window
        return False
    return True


def tasks(seed: int) -> list[Task]:
    generator = torch.Generator().manual_seed(seed)
    length = int(torch.randint(8, 12, (), generator=generator))
    return [made_up(generator), made_up(generator), sunspots(length)]


def made_up(generator: torch.Generator) -> Task:
    """A noisy cycle: x_t = a x_(t-1) + b x_(t-2) + noise. Every window is a run of its own."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    length = int(torch.randint(8, 13, (), generator=generator))
    period, shrink = uniform(7.5, 9.0), uniform(0.93, 0.96)
    scale, level = uniform(5.0, 30.0), uniform(-100.0, 100.0)

    def runs(count: int, time: int) -> Tensor:
        warm_up = 100  # steps until the beginning is forgotten
        noise = torch.randn(count, warm_up + time, generator=generator)
        steps = [torch.zeros(count), torch.zeros(count)]
        first, second = 2 * shrink * math.cos(2 * math.pi / period), shrink**2
        for now in noise.unbind(1):
            steps.append(first * steps[-1] - second * steps[-2] + now)
        return scale * torch.stack(steps[-time:], dim=1) + level

    train, later = runs(1, 300)[0], runs(300, length + 1)
    what = f"a made-up series with a cycle of about {period:.1f} steps and much noise"
    return Task(what, train, [(later[:, :length], later[:, length])])


def sunspots(length: int) -> Task:
    """Learn from 1700 to 1899, forecast each year from 1900 on, in calls whose windows do not hold each other's."""
    series = data.load("sunspots", split="all").values
    calls = []
    for first in range(CUT, CUT + length + 1):
        years = torch.arange(first, len(series), length + 1)
        windows = torch.stack([series[year - length : year] for year in years.tolist()])
        calls.append((windows, series[years]))
    what = f"the sunspot numbers of the years {FIRST} to {FIRST + CUT - 1}"
    return Task(what, series[:CUT], calls)


EXERCISE = Exercise(
    id="08.forecast",
    name="forecast",
    title="A forecast that beats persistence",
    objectives=("08-O5",),
    difficulty=2,
    minutes=20,
    points=3,
    task="Write forecast(train, windows): train (time,) is a series, windows (batch, length) are pieces of what came "
    "later. Return (batch,): for each window the value that comes after it, in the unit of the series. By any method "
    f"that learns from `train` alone: the same window gets the same forecast in each call, whatever others come with "
    f"it. Its mean absolute error has to be at most {MOST:g} of persistence's.",
    ranges="the sunspots, 200 years to learn from and windows of 8 to 11; made-up series of 300 values, noisy cycles "
    "of 7.5 to 9 steps at any level, below 0 too, with windows of 8 to 12; all float32. The check calls forecast about "
    "15 times: let a call take a second at most",
    hints=(
        "Nothing here needs a network. What would you tell somebody who knows the last two values, and has to say the "
        "next? Let the training series say how much each value of a window counts.",
        "Cut `train` into windows as long as those that come in, each with the value after it. Fit a line to these "
        "pairs by least squares, a weight for each place of the window; take the mean off before, and add it after.",
        "x = (train - mean).unfold(0, length, 1)[:-1]; y = (train - mean)[length:]; weight = torch.linalg.lstsq(x, "
        "y[:, None]).solution[:, 0]; the forecast is (windows - mean) @ weight + mean.",
    ),
    reference=forecast,
    walkthrough="A window as long as a cycle knows whether the series rises or falls, and how fast it turns; least "
    "squares reads from the past how much each of these counts. Networks may do better on the sunspots, and this line "
    "is what they have to beat.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
