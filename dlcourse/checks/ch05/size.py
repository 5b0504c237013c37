"""05.size: the shape that comes out of a convolution, and the number of its parameters."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from dlcourse.checks.examiner import Examiner, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, kind, show
from dlcourse.checks.subject import Subject


def conv_shape(image, out_channels, kernel, stride, padding, dilation):
    channels, *sizes = image
    places = []
    for n, size in enumerate(sizes):
        seen = dilation[n] * (kernel[n] - 1) + 1  # pixels from the first to the last that the kernel touches
        room = size + 2 * padding[n] - seen  # how far it can move
        places.append(room // stride[n] + 1)
    weights = out_channels * channels * kernel[0] * kernel[1]
    return (out_channels, *places), weights + out_channels


Pair = tuple[int, int]
Case = tuple[tuple[int, int, int], int, Pair, Pair, Pair, Pair]  # the six arguments
Point = tuple[Case, Any, Any]  # what was asked, what came, what is right
Along = Callable[[int, int, int, int, int], float]  # size, kernel, stride, padding, dilation, of one side -> its output


def along(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The textbook's formula for one side."""
    return math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)


# What a known mistake makes of one side. The first that fits height and width is named.
SIDES: tuple[tuple[str, Along], ...] = (
    (
        "The + 1 is missing: a kernel that fits once and cannot move has one place, not none.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
    ),
    (
        "The - 1 is missing: a dilated kernel reaches over dilation * (kernel - 1) + 1 pixels, and size + 2 * padding "
        "minus *that* is how far it can move.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
    ),
    (
        "The division was rounded up. A step that would carry the kernel beyond the padding is not taken: round down, "
        "with //.",
        lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1,
    ),
    (
        "The division was rounded to the nearest number. A step that would carry the kernel beyond the padding is not "
        "taken: round down, with //.",
        lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1,
    ),
    (
        "The division was rounded to the nearest number. A step that would carry the kernel beyond the padding is not "
        "taken: round down, with //.",
        lambda n, k, s, p, d: math.floor((n + 2 * p - d * (k - 1) - 1) / s + 0.5) + 1,
    ),
    (
        "The padding was counted once: it lies on *both* sides, 2 * padding.",
        lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
    ),
    ("The padding was left out: it adds 2 * padding.", lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1),
    (
        "The padding was subtracted: it makes the picture larger, + 2 * padding.",
        lambda n, k, s, p, d: (n - 2 * p - d * (k - 1) - 1) // s + 1,
    ),
    (
        "The dilation was left out: a kernel of 3 with dilation 2 reaches over 5 pixels, dilation * (kernel - 1) + 1.",
        lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
    ),
    (
        "The dilated kernel was taken as dilation * kernel pixels. Only the kernel - 1 steps between its numbers are "
        "stretched: dilation * (kernel - 1) + 1.",
        lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
    ),
    (
        "The dilated kernel was taken as dilation * kernel pixels. Only the kernel - 1 steps between its numbers are "
        "stretched: dilation * (kernel - 1) + 1.",
        lambda n, k, s, p, d: (n + 2 * p - d * k - 1) // s + 1,
    ),
    (
        "The dilation was taken for the number of pixels left out. Dilation 1 leaves out none: dilation * (kernel - 1) "
        "+ 1 pixels.",
        lambda n, k, s, p, d: (n + 2 * p - (d + 1) * (k - 1) - 1) // s + 1,
    ),
    (
        "The stride was left out: divide by it, and round down.",
        lambda n, k, s, p, d: n + 2 * p - d * (k - 1),
    ),
    (
        "The stride was written as 2: take the argument.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // 2 + 1,
    ),
    (
        "The bracket is misplaced: the + 1 comes after the division by the stride.",
        lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
    ),
    (
        "The brackets are missing: // comes before + and -, so that only the 1 was divided. The whole room is: (size + "
        "2 * padding - dilation * (kernel - 1) - 1) // stride + 1.",
        lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1,
    ),
    (
        "The picture alone was divided by the stride: take the kernel away first, then divide.",
        lambda n, k, s, p, d: n // s,
    ),
    (
        "The picture alone was divided by the stride: take the kernel away first, then divide.",
        lambda n, k, s, p, d: math.ceil(n / s),
    ),
    (
        "The kernel was not taken away: where its last number lies beyond the padding it has no place.",
        lambda n, k, s, p, d: (n + 2 * p - 1) // s + 1,
    ),
    (
        "The kernel was not taken away: where its last number lies beyond the padding it has no place.",
        lambda n, k, s, p, d: (n + 2 * p) // s,
    ),
    (
        "The kernel was not taken away: where its last number lies beyond the padding it has no place.",
        lambda n, k, s, p, d: (n + 2 * p) // s + 1,
    ),
    ("The size of the picture came back: kernel, stride and padding change it.", lambda n, k, s, p, d: n),
    (
        "This is the size that a *transposed* convolution makes: it goes the other way.",
        lambda n, k, s, p, d: (n - 1) * s - 2 * p + d * (k - 1) + 1,
    ),
)


def _twisted(**change: Callable[[Pair], Pair]) -> Callable[[Case], Pair]:
    """Height and width when some of the pairs are read wrongly."""

    def sizes(case: Case) -> Pair:
        image, _, kernel, stride, padding, dilation = case
        pairs = {"picture": image[1:], "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        pairs = {name: change.get(name, lambda pair: pair)(pair) for name, pair in pairs.items()}
        return tuple(along(*numbers) for numbers in zip(*pairs.values(), strict=True))

    return sizes


def _swapped(pair: Pair) -> Pair:
    return pair[1], pair[0]


READ_WRONGLY: tuple[tuple[str, Callable[[Case], Pair]], ...] = (
    *(
        (
            f"Rows and columns of the {name} are swapped: each pair begins with the rows, as the picture begins with "
            "its height.",
            _twisted(**{name: _swapped}),
        )
        for name in ("kernel", "stride", "padding", "dilation")
    ),
    *(
        (
            f"One number of the {name} was used for both sides. The first belongs to the rows, the second to the "
            "columns.",
            _twisted(**{name: lambda pair, n=n: (pair[n], pair[n])}),
        )
        for name in ("picture", "kernel", "stride", "padding", "dilation")
        for n in (0, 1)
    ),
    (
        "Height and width are swapped: the picture is (channels, height, width), and so is what comes out.",
        lambda case: _swapped(_twisted()(case)),
    ),
    (
        "Height and width are swapped, or all the pairs are: they begin with the rows, and the picture is (channels, "
        "height, width).",
        _twisted(picture=_swapped),
    ),
    (
        "image was read as (height, width, channels): it is (channels, height, width).",
        lambda case: _twisted()((case[0][-1:] + case[0][:-1], *case[1:])),
    ),
    (
        "The first number of each pair was used for both sides: it belongs to the rows, the second to the columns.",
        _twisted(**{name: lambda pair: (pair[0], pair[0]) for name in ("kernel", "stride", "padding", "dilation")}),
    ),
)

# What a known mistake makes of the number of parameters: (in, out, kernel rows and columns, output places, case).
PARAMETERS: tuple[tuple[str, Callable[..., float]], ...] = (
    ("The biases are missing: one for each output channel.", lambda i, o, r, c, at, case: o * i * r * c),
    (
        "There is one bias for each *output channel*, not one for the whole layer: out_channels * (... + 1), with "
        "brackets.",
        lambda i, o, r, c, at, case: o * i * r * c + 1,
    ),
    (
        "There is one bias for each *output* channel; these are as many as the input has.",
        lambda i, o, r, c, at, case: o * i * r * c + i,
    ),
    (
        "There is one bias for each output channel, not one for each kernel of each input channel: the channels are "
        "added up first.",
        lambda i, o, r, c, at, case: o * i * (r * c + 1),
    ),
    (
        "A bias is shared by all places of its channel: one for each output channel, not one for each place.",
        lambda i, o, r, c, at, case: o * i * r * c + o * at,
    ),
    (
        "The channels of the input are missing: each output channel has a kernel for *every* input channel.",
        lambda i, o, r, c, at, case: o * (r * c + 1),
    ),
    (
        "The channels of the input are missing, and the biases too: out_channels * (channels * rows * columns + 1).",
        lambda i, o, r, c, at, case: o * r * c,
    ),
    (
        "The output channels are missing: each of them has kernels of its own.",
        lambda i, o, r, c, at, case: i * r * c + 1,
    ),
    (
        "The output channels are missing: each of them has kernels of its own.",
        lambda i, o, r, c, at, case: i * r * c + o,
    ),
    (
        "The output channels are missing: each of them has kernels of its own.",
        lambda i, o, r, c, at, case: i * r * c,
    ),
    (
        "The channels were added. Each output channel has a kernel for each input channel: multiply.",
        lambda i, o, r, c, at, case: (i + o) * r * c + o,
    ),
    (
        "The kernel was taken as a square of its rows: it has rows * columns numbers.",
        lambda i, o, r, c, at, case: o * (i * r * r + 1),
    ),
    (
        "The kernel was taken as a square of its columns: it has rows * columns numbers.",
        lambda i, o, r, c, at, case: o * (i * c * c + 1),
    ),
    (
        "Rows and columns of the kernel were added: it has rows * columns numbers.",
        lambda i, o, r, c, at, case: o * (i * (r + c) + 1),
    ),
    (
        "The weights were counted once for each place. That is what sharing saves: every place uses the same kernel.",
        lambda i, o, r, c, at, case: o * (i * r * c + 1) * at,
    ),
    (
        "The weights were counted once for each place. That is what sharing saves: every place uses the same kernel.",
        lambda i, o, r, c, at, case: o * i * r * c * at + o,
    ),
    (
        "This counts the numbers that come *out*. Parameters are the weights and biases.",
        lambda i, o, r, c, at, case: o * at,
    ),
    (
        "This counts a fully connected layer. A convolution shares one small kernel among all places.",
        lambda i, o, r, c, at, case: o * at * math.prod(case[0]) + o * at,
    ),
    (
        "The dilated kernel was counted with the pixels that it leaves out. Dilation adds no weights.",
        lambda i, o, r, c, at, case: o * (i * (case[5][0] * (r - 1) + 1) * (case[5][1] * (c - 1) + 1) + 1),
    ),
    (
        "The dilation was multiplied in: it moves the kernel's numbers apart, and adds none.",
        lambda i, o, r, c, at, case: o * (i * r * case[5][0] * c * case[5][1] + 1),
    ),
    (
        "The size of the picture is in there. A kernel is as large as it is, whatever the picture.",
        lambda i, o, r, c, at, case: o * (math.prod(case[0]) + 1),
    ),
)
NAMES = ("height", "width")
CRASHES = (
    ("unsupported operand type(s)", "kernel, stride, padding and dilation are pairs: take [0] and [1] of each."),
    ("can't multiply sequence by non-int", "A pair was multiplied: the kernel has kernel[0] * kernel[1] numbers."),
    ("can only concatenate", "kernel, stride, padding and dilation are pairs: take [0] and [1] of each."),
    ("'int' object is not callable", "A multiplication sign is missing between a number and a bracket."),
    ("not enough values to unpack", "image has three numbers, (channels, height, width), the other pairs two."),
    ("too many values to unpack", "image has three numbers, (channels, height, width), the other pairs two."),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.size", "conv_shape", subject, (), CRASHES)
    points: list[Point] = []

    def asked_for(*case: Any) -> None:
        wanted = conv_shape(*case)
        called = ask.written(case)
        got = ask.ask(lambda: subject.call(*case), called=called, wanted=Later(show, wanted))
        if advice := _kind(got, wanted):
            came_back = show(got) if got is None else f"{kind(got)}: {show(got)}"
            ask.fail(called=called, came_back=came_back, wanted=show(wanted), reason=advice)
        points.append((case, (tuple(got[0]), got[1]), wanted))  # lists hold the same numbers

    def compare() -> None:
        wrong = next((point for point in points if point[1] != point[2]), None)
        if wrong:
            case, got, wanted = wrong
            reason = _reason(wrong, points)
            ask.fail(called=ask.written(case), came_back=show(got), wanted=show(wanted), reason=reason)

    for case in CASES:
        asked_for(*case)
    compare()
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(20):
        asked_for(*draw(generator))
    compare()
    return f"right for {ask.asked} layers, in shape and in parameters."


# Compared together, because small numbers agree by chance: a mistake is named only where it explains all of them.
CASES: tuple[Case, ...] = (
    ((3, 20, 34), 5, (4, 3), (3, 2), (1, 2), (2, 3)),
    ((4, 27, 38), 2, (2, 6), (1, 3), (3, 1), (1, 3)),
    ((7, 18, 12), 6, (5, 2), (4, 1), (0, 3), (3, 2)),
    ((1, 3, 5), 1, (3, 5), (1, 1), (0, 0), (1, 1)),  # fits exactly once
    ((4, 8, 8), 8, (3, 3), (1, 1), (1, 1), (1, 1)),  # the "same" padding
    ((2, 1, 9), 7, (1, 1), (3, 2), (0, 0), (3, 1)),  # a kernel of one pixel cannot be stretched
)


def draw(generator: torch.Generator) -> Case:
    """A layer from the ranges, whose kernel fits."""

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    channels, out = number(1, 9), number(1, 9)
    sides = []
    for _ in range(2):
        kernel, dilation, padding = number(1, 7), number(1, 3), number(0, 3)
        smallest = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
        sides.append((number(smallest, 40), kernel, number(1, 4), padding, dilation))
    (height, width), kernel, stride, padding, dilation = zip(*sides, strict=True)
    return (channels, height, width), out, kernel, stride, padding, dilation


def _kind(got: Any, wanted: Any) -> str:
    """Why this is not ((int, int, int), int); "" when it is."""
    if got is None:
        return unlike(got, wanted)
    if type(got) in (tuple, list) and len(got) == 4:
        return "The three sizes and the number of parameters came in one row: ((channels, height, width), parameters)."
    if type(got) not in (tuple, list) or len(got) != 2 or type(got[0]) not in (tuple, list) or len(got[0]) != 3:
        return "Two things come back, a tuple of three and a number: ((channels, height, width), parameters)."
    if all(type(number) is int for number in (*got[0], got[1])):
        return ""
    return "All four are plain whole numbers: / leaves a fraction or a float, and // rounds down to a whole number."


def _reason(wrong: Point, points: Sequence[Point]) -> str:
    """What is likely wrong with the numbers of one case, the easiest first: what explains the others as well."""
    case, got, wanted = wrong
    (channels, *sizes), _ = got
    (out, *right), _ = wanted
    image, _, kernel, *_ = case
    if all(got[0] == (*right[0][1:], right[0][0]) for _, got, right in points):
        return "The channels come first: (out_channels, out_height, out_width)."
    if channels != out:
        if all(got[0][0] == case[0][0] for case, got, _ in points):
            return "What comes out has out_channels channels; these are the input's."
        return f"What comes out has out_channels channels, {out}."
    if sizes != right:
        for reason, way in WAYS:
            if all(got[0][1:] == tuple(way(case)) for case, got, _ in points):
                return reason
        n = 0 if sizes[0] != right[0] else 1
        size, k, s, p, d = [*zip(image[1:], *case[2:], strict=True)][n]
        return (
            f"Look at the {NAMES[n]}: with padding it is {size} + 2 * {p} = {size + 2 * p} pixels, the kernel "
            f"reaches over {d} * ({k} - 1) + 1 = {d * (k - 1) + 1}, so it can move by {size + 2 * p - d * (k - 1) - 1} "
            f"pixels, in steps of {s}. The place where it begins counts too."
        )
    for reason, count in PARAMETERS:
        if all(got[1] == counted(count, case) for case, got, _ in points):
            return reason
    return (
        f"The shape is right, the parameters are not: {out} output channels, each with {image[0]} * {kernel[0]} * "
        f"{kernel[1]} weights and one bias."
    )


def counted(count: Callable[..., float], case: Case) -> float:
    """The number of parameters by a formula of PARAMETERS."""
    (_, *places), _ = conv_shape(*case)
    return count(case[0][0], case[1], *case[2], math.prod(places), case)


def _sides(way: Along) -> Callable[[Case], tuple[float, ...]]:
    return lambda case: tuple(way(*numbers) for numbers in zip(case[0][1:], *case[2:], strict=True))


WAYS = (*((reason, _sides(way)) for reason, way in SIDES), *READ_WRONGLY)


EXERCISE = Exercise(
    id="05.size",
    name="conv_shape",
    title="How large, how many",
    objectives=("05-O2",),
    difficulty=1,
    minutes=8,
    points=2,
    task="Write conv_shape(image, out_channels, kernel, stride, padding, dilation): image is (channels, height, "
    "width), kernel, stride, padding and dilation are pairs (rows, columns). Return ((out_channels, out_height, "
    "out_width), parameters), whole numbers: the shape that the convolution gives, and how many weights and biases it "
    "has.",
    ranges="1 to 9 channels in and out, pictures of 1 to 40 pixels a side, kernels of 1 to 7, strides of 1 to 4, "
    "padding of 0 to 3, dilation of 1 to 3; the kernel always fits at least once",
    hints=(
        "Put a comb of 3 teeth on a ruler of 10 marks. Over how many marks does it reach when its teeth are 2 apart? "
        "How far can it move then, and how many places is that in steps of 3, the first one counted?",
        "For one side: the kernel reaches over dilation * (kernel - 1) + 1 pixels. What is left of size + 2 * padding "
        "is its room; room // stride is the number of steps. And for the parameters: how many numbers does one output "
        "channel look at, and how many biases has it?",
        "out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1, once with [0] and once with [1] of "
        "each pair; parameters = out_channels * (channels * kernel[0] * kernel[1] + 1).",
    ),
    reference=conv_shape,
    walkthrough="The kernel begins at one place and makes as many steps as its room holds, rounded down. The weights "
    "are shared by all places, so that the size of the picture does not count: one kernel for each pair of channels, "
    "one bias for each output channel.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
