"""03.schedule: warm-up, then half a cosine: a factor on the learning rate for every update."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dlcourse.checks.examiner import Examiner, number, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, apart, kind, show
from dlcourse.checks.subject import Subject


def warmup_cosine(index, total, warmup):
    if index < warmup:
        return (index + 1) / warmup
    progress = min(1.0, (index - warmup) / (total - warmup))
    return (1.0 + math.cos(math.pi * progress)) / 2


Factor = Callable[[int, int, int], float]  # (index, total, warmup) -> what a suspect would have returned


def _wave(progress: Factor) -> Factor:
    """Half a cosine over another progress than the right one."""
    return lambda i, t, w: (1 + math.cos(math.pi * progress(i, t, w))) / 2


def _along(curve: Callable[[float], float]) -> Factor:
    """Another curve over the right progress, which begins at 0 with the first update after the warm-up."""
    return lambda i, t, w: curve((i - w) / (t - w))


# A schedule has three parts, and each part its own suspects: what they would have returned at every update of it.
# The order matters: the first suspect that fits all updates of the part is named.
ROUNDED: tuple[tuple[str, Factor], ...] = tuple(
    ("The factor was rounded: return it with all its digits.", lambda i, t, w, n=n: round(warmup_cosine(i, t, w), n))
    for n in (1, 2, 3, 4)
)
RISE: tuple[tuple[str, Factor], ...] = (
    *ROUNDED,
    (
        "The warm-up begins at 0: an update with the learning rate 0 is a wasted one. Updates are counted from 0, so "
        "the first of `warmup` updates has the factor 1 / warmup: (index + 1) / warmup.",
        lambda i, t, w: i / w,
    ),
    (
        "The warm-up is one update too long: it has to end at 1 with its last update, index warmup - 1. Divide by "
        "warmup, not by warmup + 1.",
        lambda i, t, w: (i + 1) / (w + 1),
    ),
    (
        "The warm-up begins at 0, and is squeezed so that it ends at 1 all the same: an update with the learning rate "
        "0 is a wasted one. (index + 1) / warmup.",
        lambda i, t, w: i / (w - 1) if w > 1 else math.nan,
    ),
    ("The warm-up is one update ahead: (index + 1) / warmup.", lambda i, t, w: (i + 2) / w),
    (
        "The warm-up rises as if it took all `total` updates: divide by warmup.",
        lambda i, t, w: (i + 1) / t,
    ),
    (
        "The warm-up rises as if it took all `total` updates, and begins at 0: (index + 1) / warmup.",
        lambda i, t, w: i / t,
    ),
    ("There is no warm-up: the first updates have the factor 1. They rise, (index + 1) / warmup.", lambda i, t, w: 1.0),
    (
        "There is no warm-up: the cosine runs from the very first update. While index < warmup the factor is "
        "(index + 1) / warmup.",
        _wave(lambda i, t, w: i / t),
    ),
    (
        "There is no warm-up: the formula of the cosine was used before its time. While index < warmup the factor is "
        "(index + 1) / warmup.",
        _wave(lambda i, t, w: (i - w) / (t - w)),
    ),
    (
        "The warm-up was multiplied with the cosine. One follows the other: while index < warmup the factor is "
        "(index + 1) / warmup alone.",
        lambda i, t, w: (i + 1) / w * (1 + math.cos(math.pi * i / t)) / 2,
    ),
    (
        "The warm-up is 0 until its end: `//` throws the fraction away. Divide with `/`.",
        lambda i, t, w: (i + 1) // w,
    ),
    ("The warm-up is 0 until its end: `//` throws the fraction away. Divide with `/`.", lambda i, t, w: i // w),
    ("This counts updates: divide by warmup, so that the warm-up ends at 1.", lambda i, t, w: i + 1),
    ("The warm-up falls: it has to rise from 1 / warmup to 1.", lambda i, t, w: 1 - i / w),
    ("The warm-up falls: it has to rise from 1 / warmup to 1.", lambda i, t, w: 1 - (i + 1) / w),
    (
        "The warm-up rises along a cosine. Asked is a straight line, (index + 1) / warmup.",
        lambda i, t, w: (1 - math.cos(math.pi * (i + 1) / w)) / 2,
    ),
    (
        "The warm-up rises along a cosine. Asked is a straight line, (index + 1) / warmup.",
        lambda i, t, w: (1 - math.cos(math.pi * i / w)) / 2,
    ),
)
FALL: tuple[tuple[str, Factor], ...] = (
    (
        "One update too many belongs to the warm-up: at index = warmup its formula gives more than 1. With indices "
        "from 0 the first `warmup` updates are those with index < warmup, not <=.",
        lambda i, t, w: (i + 1) / w if i == w > 0 else warmup_cosine(i, t, w),
    ),
    (
        "The cosine begins one update late: at index = warmup the factor is 1, and from there on progress counts.",
        _wave(lambda i, t, w: (i - w - 1) / (t - w)),
    ),
    (
        "The cosine begins one update late: at index = warmup the factor is 1, and from there on progress counts.",
        _wave(lambda i, t, w: max(0, i - w - 1) / (t - w)),
    ),
    (
        "The cosine begins one update late, and takes one update less: progress is (index - warmup) / (total - "
        "warmup).",
        _wave(lambda i, t, w: (i - w - 1) / (t - w - 1) if t - w > 1 else 0.0),
    ),
    (
        "The cosine was not moved to where the warm-up ends: at index = warmup it is under way already, and the "
        "factor jumps. Its progress is (index - warmup) / (total - warmup).",
        _wave(lambda i, t, w: i / t),
    ),
    (
        "Progress begins too late: the numerator must be index - warmup, which is 0 where the warm-up ends.",
        _wave(lambda i, t, w: i / (t - w)),
    ),
    (
        "The schedule does not reach its end: progress is divided by total, and only total - warmup updates are left "
        "after the warm-up. At index = total the factor has to be 0.",
        _wave(lambda i, t, w: (i - w) / t),
    ),
    (
        "The schedule does not reach its end: progress is divided by total - 1, and only total - warmup updates are "
        "left after the warm-up. At index = total the factor has to be 0.",
        _wave(lambda i, t, w: (i - w) / (t - 1)),
    ),
    (
        "The schedule reaches 0 one update early: its last update, index total - 1, is wasted. Progress is (index - "
        "warmup) / (total - warmup), which is 1 at index = total.",
        _wave(lambda i, t, w: (i - w) / max(1, t - w - 1)),
    ),
    (
        "The schedule does not reach its end: at index = total the factor is not yet 0. Divide by total - warmup, "
        "without + 1.",
        _wave(lambda i, t, w: (i - w) / (t - w + 1)),
    ),
    (
        "The cosine is one update ahead: at index = warmup its progress is 0 and the factor 1. No + 1 here.",
        _wave(lambda i, t, w: (i - w + 1) / (t - w)),
    ),
    (
        "The cosine is one update ahead, and one too long: progress is (index - warmup) / (total - warmup).",
        _wave(lambda i, t, w: (i - w + 1) / (t - w + 1)),
    ),
    (
        "The cosine is one update ahead: progress is (index - warmup) / (total - warmup), 0 at index = warmup.",
        _wave(lambda i, t, w: (i + 1) / t),
    ),
    (
        "Brackets are missing in the progress: a division comes before a minus, so it is (index - warmup) / (total - "
        "warmup).",
        _wave(lambda i, t, w: (i - w) / t - w),
    ),
    (
        "Brackets are missing in the progress: a division comes before a minus, so it is (index - warmup) / (total - "
        "warmup).",
        _wave(lambda i, t, w: i - w / (t - w)),
    ),
    (
        "Brackets are missing in the progress: a division comes before a minus, so it is (index - warmup) / (total - "
        "warmup).",
        _wave(lambda i, t, w: i - w / t - w),
    ),
    ("math.cos takes radians: half a turn is math.pi, not 180.", _along(lambda p: (1 + math.cos(180 * p)) / 2)),
    (
        "math.cos takes radians, and math.radians is meant for degrees: math.pi is half a turn already.",
        _along(lambda p: (1 + math.cos(math.radians(math.pi * p))) / 2),
    ),
    ("pi is missing: half a turn is math.pi.", _along(lambda p: (1 + math.cos(p)) / 2)),
    (
        "This is 1 + cos, from 2 down to 0: halve it, so that it begins at 1.",
        _along(lambda p: 1 + math.cos(math.pi * p)),
    ),
    (
        "This is the cosine itself, which falls from 1 to -1: a negative learning rate climbs. Add 1 and halve.",
        _along(lambda p: math.cos(math.pi * p)),
    ),
    (
        "Brackets are missing: 1 + cos(...) / 2 halves the cosine alone. It is (1 + cos(...)) / 2.",
        _along(lambda p: 1 + math.cos(math.pi * p) / 2),
    ),
    (
        "This is half a cosine without the 1: it falls from 1/2 to -1/2. (1 + cos(...)) / 2 falls from 1 to 0.",
        _along(lambda p: math.cos(math.pi * p) / 2),
    ),
    (
        "This is 1/2 + cos, from 1.5 to -0.5: halve the cosine too, (1 + cos(...)) / 2.",
        _along(lambda p: 0.5 + math.cos(math.pi * p)),
    ),
    (
        "This is a quarter of a wave, cos(pi/2 * progress). It ends at 0 as well, but steeply. Asked is half a wave, "
        "raised and halved: (1 + cos(pi * progress)) / 2.",
        _along(lambda p: math.cos(math.pi / 2 * p)),
    ),
    (
        "This is a whole wave: it comes back up to 1 in the end. Half a wave is cos(pi * progress).",
        _along(lambda p: (1 + math.cos(2 * math.pi * p)) / 2),
    ),
    ("The sign is the wrong way round: 1 - cos rises from 0 to 1.", _along(lambda p: (1 - math.cos(math.pi * p)) / 2)),
    ("This is a sine: a cosine begins at 1, a sine at 0.", _along(lambda p: (1 + math.sin(math.pi * p)) / 2)),
    ("This falls along a straight line. Asked is half a cosine.", _along(lambda p: 1 - p)),
    (
        "After the warm-up nothing falls: there comes half a cosine, from 1 to 0. (With `//` progress would stay 0.)",
        lambda i, t, w: 1.0,
    ),
    (
        "The warm-up goes on rising after its end: from index = warmup on comes half a cosine, from 1 to 0.",
        lambda i, t, w: (i + 1) / w if w else math.nan,
    ),
    ("This is 0 from the end of the warm-up on. There comes half a cosine, from 1 to 0.", lambda i, t, w: 0.0),
    (
        "This is 1 once and then 0: the fraction was thrown away, by `//` or int(...). Divide with `/`.",
        _along(lambda p: float(p == 0)),
    ),
    ("pi was rounded: take math.pi.", _along(lambda p: (1 + math.cos(3.14 * p)) / 2)),
    *ROUNDED,
)
BEYOND: tuple[tuple[str, Factor], ...] = (
    (
        "Beyond the end the cosine turns and rises again: a run that goes on would speed up. From index = total on "
        "the factor is 0.0: keep progress at 1, with min, or return 0.0 there.",
        _wave(lambda i, t, w: (i - w) / (t - w)),
    ),
    (
        "Beyond the end the factor stays at that of the last update. From index = total on it is 0.0.",
        lambda i, t, w: warmup_cosine(t - 1, t, w),
    ),
    ("Beyond the end the factor is 1: from index = total on it is 0.0.", lambda i, t, w: 1.0),
)
CRASHES = (
    (
        "ZeroDivisionError",
        "A division by zero: warmup may be 0, so divide by it only while index < warmup, which is never then. After "
        "that divide by total - warmup, which is at least 1.",
    ),
    (
        "must be Tensor, not",
        "index, total and warmup are plain whole numbers: math.cos takes them, torch.cos does not.",
    ),
    ("'int' object is not callable", "A multiplication sign is missing between a number and a bracket."),
    ("'math' is not defined", "`import math` is in the first cell: run it."),
)
PARTS: tuple[tuple[str, Callable[[int, int, int], bool], Sequence[tuple[str, Factor]], str], ...] = (
    (
        "the warm-up",
        lambda i, t, w: i < w,
        RISE,
        "While index < warmup the factor is (index + 1) / warmup: a straight line that ends at 1.",
    ),
    (
        "the cosine",
        lambda i, t, w: w <= i < t,
        FALL,
        "Let progress be (index - warmup) / (total - warmup); the factor is (1 + cos(pi * progress)) / 2. By hand: 1 "
        "at index = warmup, 1/2 half-way to total.",
    ),
    ("beyond the end", lambda i, t, w: i >= t, BEYOND, "From index = total on the factor is 0.0."),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("03.schedule", "warmup_cosine", subject, (), CRASHES)

    def right_for(total: int, warmup: int, indices: Sequence[int]) -> None:
        wanted = [warmup_cosine(index, total, warmup) for index in indices]
        got = []
        for index, right in zip(indices, wanted, strict=True):
            called = ask.written((index, total, warmup))
            came = ask.ask(
                lambda index=index: subject.call(index, total, warmup), called=called, wanted=Later(show, right)
            )
            came = float(came) if type(came) is int else came  # a plain 0 or 1 is as good a number
            if advice := unlike(came, right):
                came_back = show(came) if came is None else f"{kind(came)}: {show(came)}"
                ask.fail(called=called, came_back=came_back, wanted=f"a float: {show(right)}", reason=advice)
            got.append(came)
        for part, belongs, suspects, generic in PARTS:
            places = [n for n, index in enumerate(indices) if belongs(index, total, warmup)]
            _compare(ask, total, warmup, [(indices[n], got[n], wanted[n]) for n in places], part, suspects, generic)

    right_for(8, 3, range(11))  # a schedule in full
    right_for(6, 0, range(8))
    right_for(5, 4, range(7))  # one update is left for the cosine
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for round_ in range(8):
        total = draw(2, 200)
        warmup = (draw(0, total - 1), min(draw(0, 20), total - 1))[round_ % 2]
        around = {0, warmup - 1, warmup, warmup + 1, total - 1, total, total + draw(1, 20), draw(0, total)}
        right_for(total, warmup, sorted(around - {-1}))
    return f"right at {ask.asked} updates: it rises to 1, falls to 0, and stays there."


def _compare(
    ask: Examiner,
    total: int,
    warmup: int,
    points: list[tuple[int, float, float]],
    part: str,
    suspects: Sequence[tuple[str, Factor]],
    generic: str,
) -> None:
    """Fails unless one part of a schedule is right at all its points (index, got, wanted)."""
    if all(_near(got, wanted) for _, got, wanted in points):
        return
    indices = [index for index, *_ in points]
    reason = next(
        (
            reason
            for reason, factor in suspects
            if all(_near(got, factor(index, total, warmup)) for index, got, _ in points)
        ),
        generic,
    )
    came_back, right = apart([got for _, got, _ in points], [wanted for *_, wanted in points])
    at = f"{indices[0]}" if len(indices) == 1 else ", ".join(map(str, indices))
    called = f"warmup_cosine(index, {total}, {warmup}), {part}: index = {at}"
    ask.fail(called=called, came_back=came_back, wanted=right, reason=reason)


def _near(got: Any, wanted: float) -> bool:
    return math.isclose(number(got), wanted, rel_tol=2e-5, abs_tol=2e-6)


EXERCISE = Exercise(
    id="03.schedule",
    name="warmup_cosine",
    title="Warm up, then a cosine",
    objectives=("03-O1",),
    difficulty=1,
    minutes=8,
    points=2,
    task="Write warmup_cosine(index, total, warmup): three whole numbers in, the factor on the learning rate out, a "
    "float. It rises in a straight line over the first `warmup` updates, 1/warmup at index 0 and 1 at index warmup - "
    "1; then half a cosine falls from 1 at index warmup to 0 at index total; beyond that it stays 0.",
    ranges="2 to 200 updates, a warm-up of 0 to total - 1 of them, indices from 0 to total + 20",
    hints=(
        "Three parts, so two questions about index. For total 8 and warmup 3: how many updates does the cosine have, "
        "and what share of its way is done at the indices 3, 4 and 8?",
        "While index < warmup: (index + 1) / warmup. After that let progress go from 0 at index = warmup to 1 at index "
        "= total, and never beyond 1. Half a cosine over it falls from 1 to -1: raise and halve it.",
        "if index < warmup: return (index + 1) / warmup; progress = min(1.0, (index - warmup) / (total - warmup)); "
        "return (1 + math.cos(math.pi * progress)) / 2.",
    ),
    reference=warmup_cosine,
    walkthrough="Updates are counted from 0, so index + 1 of `warmup` parts have been climbed at update `index`. After "
    "that progress runs from 0 to 1 over the updates that are left, and min keeps it there, so that the cosine cannot "
    "turn and rise again.",
    where="exercises/03-training/03-training-exercises.ipynb",
    check=check,
)
