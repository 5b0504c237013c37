"""05.equivariance: at which cells a padded convolution and a shift may change places."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.examiner import Examiner, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.outcome import CheckFailed
from dlcourse.checks.show import Later, kind, show
from dlcourse.checks.subject import Subject


def kept(height, width, kernel, down, right):
    reach = kernel // 2
    row, column = torch.arange(height)[:, None], torch.arange(width)
    # shift(conv(x)) has zeros here: conv(shift(x)) has them too where the window does not reach the picture
    zeros = (row < down) | (column < right)
    sees_nothing = (row + reach < down) | (column + reach < right)
    # elsewhere: the window must not miss pixels that fell off the far edge
    misses_rows = (row + reach >= height) & (down > 0)
    misses_columns = (column + reach >= width) & (right > 0)
    return torch.where(zeros, sees_nothing, ~(misses_rows | misses_columns))


Case = tuple[int, int, int, int, int]  # height, width, kernel, down, right


def _convolved(picture: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(picture[None, None], kernel[None, None], padding=kernel.shape[0] // 2)[0, 0]


def _shifted(picture: Tensor, down: int, right: int) -> Tensor:
    moved = torch.zeros_like(picture)
    height, width = picture.shape
    moved[down:, right:] = picture[: height - down, : width - right]
    return moved


def both_ways(
    case: Case, tries: int = 2, shift: Callable[[Tensor, int, int], Tensor] = _shifted
) -> tuple[Tensor, Tensor]:
    """conv(shift(x)) and shift(conv(x)), (tries, height, width), for whole numbers in float64: exact, to the last bit.

    Of the products that the two sums of a cell have, either one has all that the other has, or one has none. With
    positive numbers the sums are therefore the same only where the products are, and no cell agrees by luck.
    """
    height, width, kernel, down, right = case
    generator = torch.Generator().manual_seed(7)
    before, after = [], []
    for _ in range(tries):
        picture, weights = (
            torch.randint(1, 1000, shape, generator=generator).double() for shape in ((height, width), (kernel, kernel))
        )
        before.append(_convolved(shift(picture, down, right), weights))
        after.append(shift(_convolved(picture, weights), down, right))
    return torch.stack(before), torch.stack(after)


def truth(case: Case) -> Tensor:
    """By experiment."""
    before, after = both_ways(case)
    return (before == after).all(0)


# --- what a known mistake makes of a case ---------------------------------------------------------------------------

Mask = Callable[[Case], Tensor]


def _mask(rule: Callable[..., Tensor | bool]) -> Mask:
    """rule(row, column, reach, height, width, down, right), rows and columns as tensors that broadcast."""

    def answer(case: Case) -> Tensor:
        height, width, kernel, down, right = case
        row, column = torch.arange(height)[:, None], torch.arange(width)
        cells = rule(row, column, kernel // 2, height, width, down, right)
        return torch.as_tensor(cells).expand(height, width)

    return answer


def _far(i: Tensor, j: Tensor, reach: int, height: int, width: int, down: int, right: int) -> Tensor:
    """No pixel that the window wants fell off."""
    return ((i + reach < height) | (down == 0)) & ((j + reach < width) | (right == 0))


def _moved_in(i: Tensor, j: Tensor, reach: int, height: int, width: int, down: int, right: int) -> Tensor:
    return (i < down) | (j < right)


def _blind(i: Tensor, j: Tensor, reach: int, height: int, width: int, down: int, right: int) -> Tensor:
    """Among the zeros that moved in, and the window sees nothing else."""
    return (i + reach < down) | (j + reach < right)


def _band(place: Tensor, reach: int, size: int, shift: int) -> Tensor:
    """Along one axis: where the window looks over the edge that moved, at its near side and at its far side."""
    if not shift:
        return torch.zeros_like(place, dtype=torch.bool)
    return ((place + reach >= shift) & (place < shift)) | (place + reach >= size)


def _right(*args: Any) -> Tensor:
    return torch.where(_moved_in(*args), _blind(*args), _far(*args))


def _other(**change: Callable[..., Any]) -> Mask:
    """The right rule with some of its numbers changed: change(height, width, kernel, down, right) -> that number."""
    names = ("height", "width", "kernel", "down", "right")

    def answer(case: Case) -> Tensor:
        values = dict(zip(names, case, strict=True))
        values |= {name: function(*case) for name, function in change.items()}
        cells = _mask(_right)(tuple(values[name] for name in names))
        return cells[: case[0], : case[1]]

    return answer


def _rolled(case: Case) -> Tensor:
    """What falls off comes back in at the other side."""
    before, after = both_ways(case, 1, lambda picture, down, right: picture.roll((down, right), (0, 1)))
    return before[0] == after[0]


def _unmoved(case: Case) -> Tensor:
    """The map of the moved picture against the map of the picture where it was."""
    before, _ = both_ways(case, 1)
    _, after = both_ways((*case[:3], 0, 0), 1)
    return before[0] == after[0]


SIGHT = (
    "Where the zeros moved in, shift(conv(x)) is 0. conv(shift(x)) is 0 there too, but only where the window sees "
    "nothing but zeros: within kernel // 2 of the picture it reaches over the edge, and is not kept. "
)
FELL_OFF = (
    "At the far side pixels fell off the picture. conv(x) still saw them, conv(shift(x)) does not: within kernel // 2 "
    "of that edge nothing is kept, when the picture moved that way at all. "
)
EVERYWHERE = 'All cells were said to be kept, as the sentence "convolution is shift equivariant" has it. '
# The order matters: the first that fits is named.
SUSPECTS: tuple[tuple[str, Mask], ...] = (
    (EVERYWHERE + "At the edges it is not: compare the two with a random kernel.", _mask(lambda *args: True)),
    (
        "No cell was said to be kept, and inside the picture all are.",
        _mask(lambda *args: False),
    ),
    (
        "conv(shift(x)) was compared with conv(x). The map has to move as well: shift(conv(x)).",
        _unmoved,
    ),
    (
        "True and False are swapped: True is a cell that is kept.",
        lambda case: ~_mask(_right)(case),
    ),
    (
        "Rows and columns are swapped: down moves along the rows, right along the columns.",
        _other(down=lambda h, w, k, d, r: r, right=lambda h, w, k, d, r: d),
    ),
    (
        "Height and width are swapped: the result is (height, width).",
        lambda case: _mask(_right)((case[1], case[0], *case[2:])),
    ),
    (
        "The whole kernel was counted: its centre lies on the cell, so it reaches kernel // 2 to either side.",
        _other(kernel=lambda h, w, k, d, r: 2 * k + 1),
    ),
    (
        "The kernel reaches kernel // 2 to either side, and not one pixel more.",
        _other(kernel=lambda h, w, k, d, r: k + 2),
    ),
    (
        "The kernel reaches kernel // 2 to either side. Here it is one pixel less, or always 1.",
        _other(kernel=lambda h, w, k, d, r: max(1, k - 2)),
    ),
    (
        "The kernel reaches kernel // 2 to either side, and not kernel - 1.",
        _other(kernel=lambda h, w, k, d, r: 2 * k - 1),
    ),
    (
        "The kernel reaches kernel // 2 to either side. Here it is one pixel less, or always 1.",
        _other(kernel=lambda *case: 3),
    ),
    (
        SIGHT + "(The far side is right.)",
        _mask(lambda *args: ~_moved_in(*args) & _far(*args)),
    ),
    (
        SIGHT + "Here all of these cells are said to be kept.",
        _mask(lambda *args: torch.where(_moved_in(*args), True, _far(*args))),
    ),
    (
        SIGHT + "At the corner it is enough that the window sees nothing along *one* of the two axes.",
        _mask(
            lambda i, j, p, h, w, d, r: torch.where(
                (i < d) | (j < r),
                ((i + p < d) | (d == 0)) & ((j + p < r) | (r == 0)),
                _far(i, j, p, h, w, d, r),
            )
        ),
    ),
    (
        SIGHT + "And where the window sees nothing, it does not matter what fell off at the far side: 0 is 0.",
        _mask(lambda *args: torch.where(_moved_in(*args), _blind(*args) & _far(*args), _far(*args))),
    ),
    (
        SIGHT + "(Only the far side was looked at.)",
        _mask(_far),
    ),
    (
        "Two bands for each axis were drawn right across the picture, and joined. Where a band crosses the zeros of "
        "the *other* axis, the window sees nothing but zeros all the same, and the cell is kept: one axis is enough.",
        _mask(lambda i, j, p, h, w, d, r: ~(_band(i, p, h, d) | _band(j, p, w, r))),
    ),
    (
        "The strip among the zeros is as wide as it should be, and lies at the wrong end: the window sees the picture "
        "from the last kernel // 2 rows *before* `down`, and from the last kernel // 2 columns before `right`.",
        _mask(lambda i, j, p, h, w, d, r: (i >= min(d, p)) & (j >= min(r, p)) & _far(i, j, p, h, w, d, r)),
    ),
    (
        FELL_OFF + "(The side of the zeros is right.)",
        _mask(lambda *args: torch.where(_moved_in(*args), _blind(*args), True)),
    ),
    (
        FELL_OFF + "Only the zeros that moved in were looked at, and not how far the kernel reaches.",
        _mask(lambda *args: ~_moved_in(*args)),
    ),
    (
        "These are the zeros that moved in. " + SIGHT + "And " + FELL_OFF[0].lower() + FELL_OFF[1:],
        _mask(_moved_in),
    ),
    (
        FELL_OFF + "And the cells beside the zeros are not kept either, where the window reaches over them: these are "
        "the first kernel // 2 on the *zeros'* side of the edge, not on the picture's.",
        _mask(lambda i, j, p, h, w, d, r: (i >= d + p) & (j >= r + p)),
    ),
    (
        "Along an axis on which nothing moved nothing is lost: the zeros around the picture are the same before and "
        "after. With a shift of (0, 0) every cell is kept.",
        _mask(
            lambda *args: torch.where(
                _moved_in(*args), _blind(*args), (args[0] + args[2] < args[3]) & (args[1] + args[2] < args[4])
            )
        ),
    ),
    (
        "This is the inside of the picture, where the window never reaches the padding. The padding is the same before "
        "and after the shift; what matters is the edge that moved, and which way.",
        _mask(lambda i, j, p, h, w, d, r: (i >= p) & (i + p < h) & (j >= p) & (j + p < w)),
    ),
    (
        "This is the inside of the picture, less the zeros that moved in. The left or upper padding moves along with "
        "the picture as zeros, so at that edge of the *old* picture nothing is lost; among the new zeros cells are "
        "kept too.",
        _mask(lambda i, j, p, h, w, d, r: (i >= p) & (i + p < h) & (j >= p) & (j + p < w) & (i >= d) & (j >= r)),
    ),
    *(
        (
            "A margin of kernel // 2 was added to the shift on the near side. The picture begins at row `down` and "
            "column `right`, and beyond its edge lay zeros before as well: its own cells are right there. (By "
            "experiment: does what falls off come back in, as with torch.roll? Here zeros move in.)",
            mask,
        )
        for mask in (
            _mask(lambda i, j, p, h, w, d, r: (i >= d + p) & (j >= r + p) & (i + p < h) & (j + p < w)),
            _mask(
                lambda i, j, p, h, w, d, r: (
                    ((i >= d + p) | (d == 0)) & ((j >= r + p) | (r == 0)) & _far(i, j, p, h, w, d, r)
                )
            ),
            _rolled,
        )
    ),
    (
        "At the far side the margin is kernel // 2, the reach of the window: not the shift, and not both together.",
        _mask(
            lambda i, j, p, h, w, d, r: torch.where(
                (i < d) | (j < r), (i + p < d) | (j + p < r), (i + d < h) & (j + r < w)
            )
        ),
    ),
    (
        "At the far side the margin is kernel // 2, the reach of the window: not the shift, and not both together.",
        _mask(
            lambda i, j, p, h, w, d, r: torch.where(
                (i < d) | (j < r),
                (i + p < d) | (j + p < r),
                ((i + p + d < h) | (d == 0)) & ((j + p + r < w) | (r == 0)),
            )
        ),
    ),
    (
        "The picture moved the wrong way: down and right. The zeros come in at the top and at the left.",
        lambda case: _mask(_right)(case).flip(0, 1),
    ),
    (
        "One of the two directions was forgotten: the picture moves down *and* right.",
        _other(right=lambda *case: 0),
    ),
    (
        "One of the two directions was forgotten: the picture moves down *and* right.",
        _other(down=lambda *case: 0),
    ),
)
ENDS = (
    "x[:-down] is empty where down is 0, because -0 is 0, and x[:, :-right] likewise: let the slices end at height - "
    "down and width - right."
)
CRASHES = (
    ("must match the existing size (0)", "A slice is empty. " + ENDS),
    ("but got size 0 for tensor", "A slice is empty. " + ENDS),
    (
        "must match the existing size",
        "What is written and where it is written to have different shapes: of the moved picture height - down rows and "
        "width - right columns stay inside, x[: height - down, : width - right].",
    ),
    (
        "Kernel size can't be greater than actual input size",
        "The kernel is larger than the padded picture. Either the picture is empty: "
        + ENDS
        + " Or it is not padded by kernel // 2 on all four sides.",
    ),
    (
        "unknown parameter type",
        "The shapes of new tensors are given as whole numbers: torch.randn(height, width).",
    ),
    (
        "must match the size",
        "Two shapes do not fit. The convolution keeps the size of the picture: is it padded by kernel // 2 on all four "
        "sides? And a shift keeps it too: the rest falls off.",
    ),
    (
        "Expected 3D (unbatched) or 4D (batched) input",
        "functional.conv2d wants (batch, channel, height, width) and (out, channel, rows, columns): picture[None, "
        "None], kernel[None, None].",
    ),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.equivariance", "kept", subject, (), CRASHES)
    points: list[tuple[Case, Tensor, Tensor]] = []  # what was asked, what came, what is right

    def asked_for(*case: int) -> None:
        wanted, called = truth(case), ask.written(case)
        try:
            got = ask.ask(lambda: subject.call(*case), called=called, wanted=Later(_drawn, wanted))
        except CheckFailed:
            compare()  # what was wrong before it stopped says more
            raise
        if advice := unlike(got, wanted):
            came_back = show(got) if got is None else f"{kind(got)}: {show(got)}"
            if isinstance(got, Tensor) and got.dtype != torch.bool and got.shape == wanted.shape:
                advice = "True and False were wanted, a tensor of dtype torch.bool: a comparison makes one."
            if type(got) in (list, tuple):
                advice = "A tensor was wanted: torch.tensor(...) makes one of nested lists."
            if isinstance(got, Tensor) and tuple(got.shape) == (case[1], case[0]) != tuple(wanted.shape):
                advice = "Height and width are swapped: the result is (height, width)."
            ask.fail(called=called, came_back=came_back, wanted=f"{kind(wanted)}:\n{_drawn(wanted)}", reason=advice)
        points.append((case, got, wanted))

    def compare() -> None:
        for case, got, wanted in points:
            if not torch.equal(got, wanted):
                reason = next((reason for reason, mask in SUSPECTS if _explains(mask, points)), _shown(case, got))
                ask.fail(called=ask.written(case), came_back=_drawn(got), wanted=_drawn(wanted), reason=reason)

    # Together, because small pictures agree by chance: a mistake is named only where it explains all of them.
    for case in CASES:
        asked_for(*case)
    compare()
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(16):
        asked_for(*draw(generator, round_))
    compare()
    return f"right for all cells of {ask.asked} pictures: inside it is kept, and you know what the edges do."


# The first has every kind of cell: among the zeros, kept and not; in the picture, kept and not.
CASES: tuple[Case, ...] = (
    (10, 12, 5, 3, 4),
    (7, 9, 5, 1, 3),
    (7, 8, 3, 2, 3),
    (6, 7, 3, 0, 0),
    (5, 6, 3, 1, 0),
    (6, 5, 5, 0, 3),
    (4, 6, 1, 1, 2),
    (3, 2, 7, 1, 1),
    (9, 8, 5, 4, 1),
    (1, 7, 3, 0, 2),
    (12, 11, 7, 5, 6),
)


def draw(generator: torch.Generator, round_: int) -> Case:
    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    height, width = number(1, 12), number(1, 12)
    down = 0 if round_ % 4 == 1 else number(0, height - 1)
    right = 0 if round_ % 4 == 3 else number(0, width - 1)
    return height, width, (1, 3, 3, 5, 5, 7)[number(0, 5)], down, right


def _explains(mask: Mask, points: Sequence[tuple[Case, Tensor, Tensor]]) -> bool:
    return all(torch.equal(mask(case), got) for case, got, _ in points)


def _drawn(cells: Tensor) -> str:
    """A row of the picture on each line: # is a cell that is kept, - one that is not."""
    rows = ["".join("#" if cell else "-" for cell in row) for row in cells.tolist()]
    return "\n".join(["(# is True, - is False)", *rows])


def _shown(case: Case, got: Tensor) -> str:
    """The first wrong cell, and what an experiment finds there."""
    before, after = both_ways(case, 1)
    i, j = (got != truth(case)).nonzero()[0].tolist()
    sums = f"conv(shift(x)) is {before[0, i, j]:.0f} and shift(conv(x)) is {after[0, i, j]:.0f}"
    found = f"with a random picture and kernel {sums}"
    if got[i, j]:
        return f"Cell [{i}, {j}] is not kept: {found} there. Which pixels does the window miss, or see in addition?"
    return (
        f"Cell [{i}, {j}] is kept: {found} there. They are the same for every picture and kernel: which of the pixels "
        "does the window see there, before the move and after it?"
    )


EXERCISE = Exercise(
    id="05.equivariance",
    name="kept",
    title="Where moving is kept",
    objectives=("05-O3",),
    difficulty=2,
    minutes=12,
    points=3,
    task="Write kept(height, width, kernel, down, right). A picture of one channel is convolved with an odd square "
    "kernel of this size, stride 1 and kernel // 2 zeros around it, so that it keeps its size; to shift it is to move "
    "it down and right by so many pixels, zeros move in and the rest falls off. Return a Bool tensor (height, width): "
    "True where conv(shift(x)) equals shift(conv(x)) for every picture x and every kernel.",
    ranges="pictures of 1 to 12 pixels a side, kernels of 1, 3, 5 and 7, also larger than the picture; shifts of 0 to "
    "height - 1 down and 0 to width - 1 right",
    hints=(
        "You may reason or experiment. Draw a row of seven pixels, move it by two, and lay a kernel of 3 on every "
        "cell, before and after. Where does the window see other pixels than before? Look at both ends.",
        "By experiment: a random picture and a random kernel of whole numbers above 0, in float64, where their sums "
        "are exact; both orders, and compare. "
        "By reason: where the zeros moved in, one side is 0, so the window must see nothing but zeros; elsewhere it "
        "must not miss a pixel that fell off.",
        "x = torch.randint(1, 100, (height, width)).double(), the kernel likewise; conv: "
        "torch.nn.functional.conv2d(x[None, None], k[None, None], padding=kernel // 2)[0, 0]; shift: moved = "
        "torch.zeros_like(x); moved[down:, right:] = x[: height - down, : width - right]; return conv(shift(x)) == "
        "shift(conv(x)).",
    ),
    reference=kept,
    walkthrough="A cell is kept when both orders add up the same pixels. The far edge loses pixels that fell off, and "
    "on the near side the window looks over the edge of the picture from among the zeros; elsewhere nothing changes.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
