"""08.windows: a series cut into windows for learning and for testing, so that nothing leaks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE, ROUNDED, parts, shapes_alone, tensors, way
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Four = tuple[Tensor, Tensor, Tensor, Tensor]
NAMES = ("x_train", "y_train", "x_test", "y_test")


def leak_free(series, length, test):
    past = series[:-test]
    scaled = (series - past.mean()) / past.std()
    x, y = scaled.unfold(0, length, 1)[:-1], scaled[length:]
    return x[:-test], y[:-test], x[-test:], y[-test:]


def _windows(series: Tensor, length: int, first: int, last: int, ahead: int = 1) -> tuple[Tensor, Tensor]:
    """Windows whose targets stand at first, ..., last - 1; a target stands `ahead` after its window's last value."""
    begins = [target - ahead - length + 1 for target in range(first, last)]
    begins = [begin for begin in begins if begin >= 0 and begin + length + ahead <= len(series)]
    if not begins:
        return series.new_zeros(0, length), series.new_zeros(0)
    x = torch.stack([series[begin : begin + length] for begin in begins])
    return x, torch.stack([series[begin + length + ahead - 1] for begin in begins])


def _raw(
    series: Tensor,
    length: int,
    test: int,
    *,
    train_to: int = 0,
    test_from: int = 0,
    test_to: int = 0,
    ahead: int = 1,
    inside: bool = False,
) -> Four:
    """Windows that are not standardised, in float64.

    train_to, test_from: how far the two parts are moved from the cut; test_to: the test part's end from that of the
    series. inside: the test part's windows begin after it.
    """
    series = series.double()
    cut = len(series) - test
    from_ = cut + test_from + (length if inside else 0)
    train = _windows(series, length, length + ahead - 1, min(cut + train_to, len(series)), ahead)
    return *train, *_windows(series, length, from_, len(series) + test_to, ahead)


def _scaled(four: Four, mean: Any, std: Any, *, which: tuple[int, ...] = (0, 1, 2, 3)) -> Four:
    return tuple((part - mean) / std if n in which else part for n, part in enumerate(four))


def truth(series: Tensor, length: int, test: int, *, which: tuple[int, ...] = (0, 1, 2, 3), **options: Any) -> Four:
    """The right answer; options: for suspects."""
    past = series[: len(series) - test].double()
    return _back(_scaled(_raw(series, length, test, **options), past.mean(), past.std(), which=which), series)


def _back(four: Four, series: Tensor) -> Four:
    return tuple(part.to(series.dtype) for part in four)


def _by(measure: Callable[[Tensor, int, int], tuple[Any, Any]], which: tuple[int, ...] = (0, 1, 2, 3)) -> Callable:
    """The right windows, standardised by another (mean, std): measure(series, length, test)."""

    def answer(series: Tensor, length: int, test: int) -> Four:
        mean, std = measure(series.double(), length, test)
        return _back(_scaled(_raw(series, length, test), mean, std, which=which), series)

    return answer


def _past(series: Tensor, length: int, test: int) -> Tensor:
    return series[: len(series) - test]


def _of(part: Callable[[Tensor, int, int], Tensor], correction: int = 1) -> Callable[..., tuple[Tensor, Tensor]]:
    def measure(series: Tensor, length: int, test: int) -> tuple[Tensor, Tensor]:
        values = part(series, length, test)
        return values.mean(), _std(values.flatten(), 0, correction)

    return measure


def _std(values: Tensor, dim: int, correction: int = 1) -> Tensor:
    """As Tensor.std, without its warning where there is one value only."""
    spread = (values - values.mean(dim, keepdim=True)).square().sum(dim, keepdim=True)
    return (spread / (values.shape[dim] - correction)).sqrt()


def _each_part_itself(series: Tensor, length: int, test: int, after: Callable[..., Tensor]) -> Four:
    four = _raw(series, length, test)
    past, later = _past(series, length, test).double(), after(series.double(), length, test)
    train = _scaled(four, past.mean(), past.std())[:2]
    return _back((*train, *_scaled(four, later.mean(), _std(later, 0))[2:]), series)


def _window_by_window(series: Tensor, length: int, test: int) -> Four:
    """Each window by its own mean and spread, its target too."""
    four = _raw(series, length, test)
    out = []
    for x, y in (four[:2], four[2:]):
        mean, std = x.mean(1, keepdim=True), _std(x, 1)
        out += [(x - mean) / std, ((y[:, None] - mean) / std)[:, 0]]
    return _back(tuple(out), series)


def _reordered(order: tuple[int, ...]) -> Callable[..., Four]:
    return lambda *args: tuple(truth(*args)[n] for n in order)


def _cut_with(ahead: int) -> Callable[..., Four]:
    """Both parts are cut as they should be, and then the windows out of them, with targets at another distance."""

    def answer(series: Tensor, length: int, test: int) -> Four:
        cut, past = len(series) - test, _past(series, length, test).double()
        four = []
        for part in (series[:cut], series[cut - length :]):
            four += _windows(part.double(), length, length + ahead - 1, len(part), ahead)
        return _back(_scaled(tuple(four), past.mean(), past.std()), series)

    return answer


def _own_last(series: Tensor, length: int, test: int) -> Four:
    """The right windows, each with its own last value as the target."""
    x, _, x_test, _ = truth(series, length, test)
    return x, x[:, -1], x_test, x_test[:, -1]


def _swapped(series: Tensor, length: int, test: int) -> Four:
    """The first values for testing, the rest for learning."""
    x, y = _windows(series.double(), length, length, len(series))
    past = series.double()[test:]
    return _back(_scaled((x[test:], y[test:], x[:test], y[:test]), past.mean(), past.std()), series)


def _side_by_side(series: Tensor, length: int, test: int) -> Four:
    """Windows without overlap in the training part."""
    x_train, y_train, *rest = truth(series, length, test)
    return x_train[::length], y_train[::length], *rest


ALL = (0, 1, 2, 3)
WHOLE = (
    "The windows are right, and they are standardised, (value - mean) / std, by the mean and the standard deviation of "
    "the whole series: what comes after the cut has had its say in them. Take both from what lies before the cut."
)
REACH = (
    "The training part reaches past the cut: some of its targets are values that the test part asks for. The last "
    "target to learn from is the value just before the cut."
)
ONE_BEHIND = (
    "The training part reaches one value too far: its last target is the first target of the test part. The last "
    "target to learn from is the value just before the cut."
)
LOST = (
    "The first targets of the test part are lost: its first target is the first value after the cut, and the window "
    "to it lies before the cut. That is no leak: by then these values were known."
)
OWN = (
    "The test part is standardised, (value - mean) / std, by its own mean and standard deviation: on the day of "
    "the forecast nobody has them. Both parts take those of what lies before the cut."
)
OWN_LAST = "The targets are the windows' own last values: the target stands one step *after* the window."
TWO_AHEAD = "The targets stand two steps after the windows: one step ahead was asked for."
NOT_SCALED = (
    "{} standardised: all four parts have to be, inputs and targets, (value - mean) / std with the same mean and "
    "standard deviation."
)
OTHER_SCALE = " And all is standardised by something else than the mean and standard deviation of series[:cut]."
# Other windows than those that were wanted: what to say, and the options of `_raw`.
CUTS: tuple[tuple[str, tuple[Callable[[int, int], dict[str, Any]], ...]], ...] = (
    (
        REACH,
        (
            lambda length, test: {"train_to": test},
            lambda length, test: {"train_to": length},
            lambda length, test: {"train_to": test, "inside": True},
        ),
    ),
    (ONE_BEHIND, (lambda length, test: {"train_to": 1},)),
    (LOST, (lambda length, test: {"inside": True},)),
    (
        "Off by one: there is one target too many in the test part. The last `test` values are its targets.",
        (lambda length, test: {"test_from": -1}, lambda length, test: {"test_from": -1, "train_to": -1}),
    ),
    (
        "Off by one: a target of the test part is missing, the first. The last `test` values are its targets.",
        (lambda length, test: {"test_from": 1}, lambda length, test: {"test_from": 1, "train_to": 1}),
    ),
    (
        "The last window of the training part is missing: its target is the value just before the cut.",
        (lambda length, test: {"train_to": -1},),
    ),
    (
        "The last window and its target are missing in each part. A part of n values has n - length windows: the last "
        "target is its last value.",
        (lambda length, test: {"train_to": -1, "test_to": -1},),
    ),
    (
        "The last window of the test part is missing: its target is the last value of the series.",
        (lambda length, test: {"test_to": -1},),
    ),
    (
        "The training part ends too early: its last target is the value just before the cut.",
        (lambda length, test: {"train_to": -length},),
    ),
    (OWN_LAST, (lambda length, test: {"ahead": 0},)),
    (TWO_AHEAD, (lambda length, test: {"ahead": 2},)),
)


def _cut(options: Callable[[int, int], dict[str, Any]]) -> Callable[..., Four]:
    return lambda series, length, test: truth(series, length, test, **options(length, test))


# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, tuple[Callable[..., Four], ...]], ...] = (
    (WHOLE, (_by(_of(lambda series, *_: series)), _by(_of(lambda series, *_: series, 0)))),
    (
        "The standard deviation is divided by the number of values: here it is Tensor.std() as it stands, divided by "
        "one less. (numpy's std divides by the number itself, unless ddof=1.)",
        (_by(_of(_past, 0)),),
    ),
    (
        "Divided by the variance: the standard deviation is its root.",
        (_by(lambda *args: (_past(*args).mean(), _past(*args).var())),),
    ),
    (
        "Brackets are missing: value - mean / std divides the mean alone. (value - mean) / std takes the mean off, and "
        "divides what is left.",
        (_by(lambda *args: (_past(*args).mean() / _past(*args).std(), 1.0)),),
    ),
    ("The mean is taken off, and nothing is divided.", (_by(lambda *args: (_past(*args).mean(), 1.0)),)),
    (
        "Divided by the standard deviation, and the mean is not taken off.",
        (_by(lambda *args: (0.0, _past(*args).std())),),
    ),
    (
        "Scaled to a range, from smallest to largest: standardised means (value - mean) / standard deviation.",
        (_by(lambda *args: (_past(*args).min(), _past(*args).max() - _past(*args).min())),),
    ),
    (NOT_SCALED.format("None of the four is"), (_by(lambda *args: (0.0, 1.0)),)),
    (NOT_SCALED.format("The targets are not"), (lambda *args: truth(*args, which=(0, 2)),)),
    (NOT_SCALED.format("The inputs are not"), (lambda *args: truth(*args, which=(1, 3)),)),
    (NOT_SCALED.format("The test part is not"), (lambda *args: truth(*args, which=(0, 1)),)),
    (NOT_SCALED.format("The targets of the test part are not"), (lambda *args: truth(*args, which=(0, 1, 2)),)),
    (
        OWN,
        (
            lambda *args: _each_part_itself(*args, lambda series, length, test: series[-test:]),
            lambda *args: _each_part_itself(*args, lambda series, length, test: series[-test - length :]),
        ),
    ),
    (
        "The mean and standard deviation are those of the test part: on the day of the forecast nobody has them. Take "
        "both from what lies before the cut.",
        (_by(_of(lambda series, length, test: series[-test:])),),
    ),
    (
        "The mean and standard deviation are those of the training *windows*, and so the values in the middle count "
        "several times. Take them from the values before the cut, each once.",
        (_by(_of(lambda series, length, test: _raw(series, length, test)[0])),),
    ),
    (
        "The mean and standard deviation are those of the training *targets*, and so the first `length` values are "
        "left out. Take them from all values before the cut.",
        (_by(_of(lambda series, length, test: _raw(series, length, test)[1])),),
    ),
    (
        "Each window is standardised by itself, (value - mean) / std with its own two numbers: then the network no "
        "longer sees how high the series stands. One mean and one standard deviation serve all.",
        (_window_by_window,),
    ),
    *((reason, tuple(map(_cut, several))) for reason, several in CUTS),
    (OWN_LAST, (_cut_with(0), _own_last)),
    (TWO_AHEAD, (_cut_with(2),)),
    (
        "The parts come back in another order: (x_train, y_train, x_test, y_test).",
        (_reordered((0, 2, 1, 3)), _reordered((2, 3, 0, 1)), _reordered((1, 0, 3, 2))),
    ),
    (
        "The *first* values went into the test part: what is learned from comes before what is tested on.",
        (_swapped,),
    ),
    (
        "Inside each window time runs backwards: the oldest value comes first.",
        (lambda *args: tuple(part.flip(1) if part.dim() == 2 else part for part in truth(*args)),),
    ),
    (
        "The windows come from the last to the first: in the order of time, please.",
        (lambda *args: tuple(part.flip(0) for part in truth(*args)),),
    ),
    (
        "The windows lie in columns: x is (windows, length), a window in each row.",
        (lambda *args: tuple(part.T if part.dim() == 2 else part for part in truth(*args)),),
    ),
    (
        "The windows of the training part stand side by side: they may overlap, and the next begins one value later.",
        (_side_by_side,),
    ),
    ("length and test are swapped.", (lambda series, length, test: truth(series, test, length),)),
)


def _rows(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, y[:, None]], dim=1).sort(dim=0, stable=True).values


def _bags(got: Any, wanted: Four) -> tuple[Tensor, Tensor] | None:
    """All targets that came back, and all that are wanted, by size; None where they cannot be compared."""
    if not tensors(got, 4):
        return None
    if got[1].dim() != 1 or got[3].dim() != 1 or got[1].dtype != wanted[1].dtype or got[3].dtype != wanted[3].dtype:
        return None
    return torch.cat([got[1], got[3]]).sort().values, torch.cat([wanted[1], wanted[3]]).sort().values


def _shuffled(got: Any, wanted: Four, series: Tensor, length: int, test: int) -> bool:
    """All windows are there, and other ones are in the test part. By whatever mean and standard deviation."""
    bags = _bags(got, wanted)
    if bags is None or bags[0].shape != bags[1].shape or got[3].shape != wanted[3].shape:
        return False
    found, right = (_standard(bag) for bag in bags)
    ours, theirs = _standard(torch.cat([got[1], got[3]])), _standard(torch.cat([wanted[1], wanted[3]]))
    return torch.allclose(found, right, atol=1e-4) and not torch.allclose(
        ours[-test:].sort().values, theirs[-test:].sort().values, atol=1e-4
    )


def _out_of_order(got: Any, wanted: Four, *args: Any) -> bool:
    """Each part has its own windows, in another order."""
    return (
        _bags(got, wanted) is not None
        and all(one.shape == right.shape for one, right in zip(got, wanted, strict=True))
        and all(matches(got[n].sort().values, wanted[n].sort().values) for n in (1, 3))
        and not all(matches(got[n], wanted[n]) for n in (1, 3))
    )


def _without_target(got: Any, *args: Any) -> bool:
    """More windows than targets, by one, in a part: what unfold gives of all values."""
    return tensors(got, 4) and any(
        x.dim() == 2 and y.dim() == 1 and len(x) == len(y) + 1 for x, y in (got[:2], got[2:])
    )


def _unlike_counts(got: Any, *args: Any) -> bool:
    return tensors(got, 4) and any(x.dim() == 2 and y.dim() == 1 and len(x) != len(y) for x, y in (got[:2], got[2:]))


def _pairs(got: Any) -> bool:
    """Four tensors, in each part as many windows as targets."""
    return tensors(got, 4) and all(x.dim() == 2 and y.dim() == 1 and len(x) == len(y) for x, y in (got[:2], got[2:]))


def _cut_elsewhere(got: Any, wanted: Four, *args: Any) -> bool:
    return (
        _pairs(got) and len(got[3]) != len(wanted[3]) and len(got[1]) + len(got[3]) == len(wanted[1]) + len(wanted[3])
    )


def _other_counts(got: Any, wanted: Four, *args: Any) -> bool:
    return _pairs(got) and any(len(one) != len(right) for one, right in zip(got, wanted, strict=True))


def _otherwise_scaled(options: Callable[[int, int], dict[str, Any]]) -> Callable[..., bool]:
    """These windows, by whatever mean and standard deviation."""

    def fits(got: Any, wanted: Four, series: Tensor, length: int, test: int) -> bool:
        raw = _raw(series, length, test, **options(length, test))
        if not tensors(got, 4) or any(one.shape != other.shape for one, other in zip(got, raw, strict=True)):
            return False
        found, other = (torch.cat([part.flatten() for part in four]) for four in (got, raw))
        return torch.allclose(_standard(found), _standard(other), atol=1e-4)

    return fits


def _a_little_less(got: Any, wanted: Four, *args: Any) -> bool:
    """All numbers by one and the same factor, a little below 1."""
    if not tensors(got, 4) or any(
        one.shape != right.shape or not one.is_floating_point() for one, right in zip(got, wanted, strict=True)
    ):
        return False
    found, right = (torch.cat([part.flatten().double() for part in four]) for four in (got, wanted))
    factor = (found @ right / (right @ right)).item()
    return 0.99 < factor < 1 and matches(found, factor * right)


def _standard(values: Tensor) -> Tensor:
    return (values.double() - values.double().mean()) / values.double().std()


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, way(answer)) for reason, answers in MISTAKES for answer in answers),
    Suspect(
        "The windows were shuffled before they were parted. Neighbours share all values but one, so the test part's "
        "targets stand in windows of the training part. Cut the *series* first, at one moment.",
        _shuffled,
    ),
    Suspect(
        "The right windows are in each part, and not in the order of time: leave them as they were cut.",
        _out_of_order,
    ),
    Suspect(
        "The numbers are right, the shapes are not: x is (windows, length), y (windows,). One value after each window "
        "is one axis: y[:, 0] of a (windows, 1).",
        shapes_alone,
    ),
    Suspect(
        "Four tensors come back in a tuple: return x_train, y_train, x_test, y_test.",
        lambda got, wanted, *args: (
            (type(got) is list and len(got) == 4)
            or (type(got) is tuple and len(got) == 2 and all(type(part) in (tuple, list) for part in got))
        ),
    ),
    Suspect(
        "A part has one window more than targets: after the last window comes no value. Leave it out.",
        _without_target,
    ),
    Suspect(
        "A part has not as many windows as targets: each window has one, the value after it.",
        _unlike_counts,
    ),
    *(Suspect(reason + OTHER_SCALE, _otherwise_scaled(options)) for reason, several in CUTS for options in several),
    Suspect(
        "The cut is at another place: all windows are there, and the test part has not `test` of them. `test` is a "
        "number of values, and not a share; data.split_in_time takes a share, test / len(series).",
        _cut_elsewhere,
    ),
    Suspect(
        "A part has another number of windows than it should. Count them: len(series) - test - length in the training "
        "part, `test` in the test part.",
        _other_counts,
    ),
    Suspect(
        "The standard deviation is a little too large: was a small number added to it, against a division by 0? This "
        "series is not constant: Tensor.std() as it stands.",
        _a_little_less,
    ),
    ROUNDED,
    Suspect(
        "The right values, by another mean or standard deviation: (value - mean) / std, brackets and all, and both are "
        "those of series[:cut], each value once. All four parts share them.",
        lambda got, wanted, series, length, test: (
            _bags(got, wanted) is not None
            and all(one.shape == right.shape for one, right in zip(got, wanted, strict=True))
            and not matches(got[3], wanted[3])
            and torch.allclose(
                _standard(torch.cat([got[1], got[3]])), _standard(torch.cat([wanted[1], wanted[3]])), atol=1e-4
            )
        ),
    ),
)
CRASHES = (
    IN_PLACE,
    (
        "split_in_time",
        "split_in_time takes `test` as a share of the series, between 0 and 1; here `test` is a number of values: test "
        "/ len(series). Or cut the series yourself, at len(series) - test. History is `length` values.",
    ),
    (
        "must match the size",
        "Two shapes do not fit: a mean and a standard deviation are single numbers here, of series[:cut].",
    ),
    (
        "is out of bounds",
        "An index beyond the series: the last window has the last value as its *target*, and ends one before it.",
    ),
    ("out of range", "An index beyond the series: the last window has the last value as its target."),
)
WRONG = (
    "Write it down for a series of six values, length 2, test 2: which values are targets of which part, which two "
    "values stand before each of them, and which values the mean is taken of?"
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.windows", "leak_free", subject, SUSPECTS, CRASHES)

    def right_for(*args: Any) -> None:
        slack = 1e-5 if args[0].dtype == torch.float32 else 0.0  # value - mean cancels
        parts(ask, args, truth(*args), names=NAMES, generic=WRONG, slack=slack)

    for case in cases():
        right_for(*case)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(12):
        right_for(*draw(generator, round_))
    return f"right on {ask.asked} series. The test part is in the future, and stays there."


def cases() -> list[tuple[Tensor, int, int]]:
    """A test part longer than a window, and one that is shorter."""
    longer = torch.tensor([3.0, -1.0, 4.0, 1.0, 5.0, -9.0, 2.0, 6.0, 8.0, 7.0])
    shorter = torch.tensor([2.0, 7.0, -1.0, 8.0, 0.0, 8.5, 1.0, 4.0])
    return [(longer, 2, 4), (shorter, 3, 2)]


def draw(generator: torch.Generator, round_: int) -> tuple[Tensor, int, int]:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    length, test = number(1, 6), number(1, 8)
    time = length + test + number(2, 20)
    series = 2.5 * torch.randperm(time, generator=generator) + number(-60, 0)  # no two values are the same
    if round_ % 3 == 1:
        series = series.double() / 3  # float32 cannot hold a third
    if round_ % 3 == 2:
        series = torch.stack([series, -series], dim=1)[:, 0]  # the same numbers, not side by side in memory
    return series, length, test


EXERCISE = Exercise(
    id="08.windows",
    name="leak_free",
    title="Windows that leak nothing",
    objectives=("08-O4",),
    difficulty=2,
    minutes=15,
    points=3,
    task="Write leak_free(series, length, test): series (time,) and two whole numbers. Windows of `length` values, and "
    "the value after each as its target. The last `test` values of the series are the targets of the test part; all "
    "targets before them that have a window are those of the training part. Standardise all (the mean off, divided by "
    "the standard deviation), by the mean and the standard deviation (Tensor.std()) of what lies before the first "
    "target of the test part. Return (x_train, y_train, x_test, y_test), each in the order of time: x (windows, "
    "length), y (windows,).",
    ranges="series of 4 to 34 values, windows of 1 to 6, a test part of 1 to 8, shorter or longer than a window, and "
    "2 windows or more to learn from; float32 and float64; series that look at the memory of others",
    hints=(
        "Begin with the cut: at which place of the series does the first test target stand? Then ask of each number "
        "that you use for learning whether it was known before that moment.",
        "cut = len(series) - test. Mean and std come from series[:cut]. The training windows come out of series[:cut] "
        "alone; the test windows out of a part that begins `length` values before the cut.",
        "scaled = (series - series[:cut].mean()) / series[:cut].std(). For a part p of it: x = p.unfold(0, length, "
        "1)[:-1] and y = p[length:]. The two parts are scaled[:cut] and scaled[cut - length:].",
    ),
    reference=leak_free,
    walkthrough="All that is measured or learned from lies before the cut, and each target of the test part after it. "
    "The inputs of the first test windows lie before the cut as well, which is no leak: on the day of the forecast "
    "they are known.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
