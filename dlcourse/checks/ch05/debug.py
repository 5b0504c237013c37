"""05.debug: the forward pass of a small convolutional network, freed of its three faults."""

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch05.conv2d import oracle
from dlcourse.checks.ch05.windows import rounded, way
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def network(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    maps = torch.einsum("bhwc->bchw", pictures)
    for weight, bias in ((weight1, bias1), (weight2, bias2)):
        maps = torch.conv2d(maps, weight, bias, padding=1).relu()
        maps = torch.max_pool2d(maps, 2)
    return torch.nn.functional.linear(maps.flatten(1), weight3, bias3)


def _network(
    pictures: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    weight3: Tensor,
    bias3: Tensor,
    *,
    axes: str = "moved",
    first: str = "relu",
    second: str = "relu",
    pools: str = "max max",
    features: str = "channel row column",
    without: str = "",
    end: str = "logits",
) -> Tensor:
    """The network with some of the faults. In float64 and on contiguous tensors, as `oracle` says."""
    batch, height, width, channels = pictures.shape
    x = {
        "moved": lambda: pictures.permute(0, 3, 1, 2),
        "reshaped": lambda: pictures.reshape(batch, channels, height, width),
        "swapped": lambda: pictures.permute(0, 3, 2, 1),
    }[axes]()
    bend = {
        "relu": torch.relu,
        "none": lambda x: x,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "leaky": functional.leaky_relu,
        "gelu": functional.gelu,
        "abs": torch.abs,
        "relu6": functional.relu6,
    }
    shrink = {
        "max": lambda x: functional.max_pool2d(x, 2),
        "mean": lambda x: functional.avg_pool2d(x, 2),
        "stride": lambda x: x[:, :, ::2, ::2],
        "none": lambda x: x,
        "four": lambda x: functional.max_pool2d(x, 4),
    }
    bias1, bias2, bias3 = (b * (without != f"bias{n}") for n, b in ((1, bias1), (2, bias2), (3, bias3)))
    one, two = (shrink[name] for name in pools.split())
    x = one(bend[first](oracle(x, weight1, bias1, 1, 1, 1)))
    x = two(bend[second](oracle(x, weight2, bias2, 1, 1, 1)))
    x = {
        "channel row column": lambda: x,
        "row column channel": lambda: x.permute(0, 2, 3, 1),
        "channel column row": lambda: x.mT,
        "mixed": lambda: x.transpose(0, 1),
    }[features]()
    y = x.reshape(-1, weight3.shape[1]) @ weight3.T + bias3
    return {
        "logits": lambda: y,
        "relu": lambda: y.relu(),
        "softmax": lambda: y.softmax(-1),
        "log_softmax": lambda: y.log_softmax(-1),
        "first rows": lambda: y[:batch],
        "every fourth row": lambda: y[::4],
        "mean of rows": lambda: y.reshape(batch, 4, -1).mean(1),
        "sum of rows": lambda: y.reshape(batch, 4, -1).sum(1),
        "largest of rows": lambda: y.reshape(batch, 4, -1).amax(1),
    }[end]()


AXES = (
    "The axes were reshaped where they should be moved. In memory the channels of a pixel lie side by side; reshape "
    'cuts that row of numbers anew, so that a "channel" holds a strip of the picture with all its colours mixed. '
    "permute(0, 3, 1, 2) moves the axes."
)
BEND = (
    "Nothing is bent between the two convolutions: the negative numbers of the first one's maps pass on. A ReLU is "
    "missing there."
)
ROWS = (
    "There are four rows of logits for each picture: reshape(-1, n) makes as many rows of n as the numbers fill, and "
    "there are four times too many. The second pooling is missing. flatten(1) would have kept the batch, and told you."
)
SWAPPED = (
    "Height and width are swapped: permute(0, 3, 1, 2) puts the channels in front and leaves rows before columns. "
    "transpose(1, 3) swaps channels and *rows*."
)
MORE = " It is not the only fault that is left."
# Each original fault: its keyword, its value with the fault, what to say.
FAULTS = (("pools", "max none", ROWS), ("axes", "reshaped", AXES), ("first", "none", BEND))
Faults = dict[str, str]


def _left(broken: tuple[bool, ...]) -> tuple[str, list[Faults]]:
    """The original faults that are still there."""
    left = [fault for fault, there in zip(FAULTS, broken, strict=True) if there]
    return left[0][2] + MORE * (len(left) > 1), [{name: value for name, value, _ in left}]


# What to say, and the networks that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, list[Faults]], ...] = (
    *(_left(broken) for broken in product((True, False), repeat=3) if any(broken)),
    (
        "The four rows of each picture were cut down to one, or averaged. That hides the symptom: each of them had "
        "seen only a part of the maps. The second pooling is missing.",
        [
            {"pools": "max none", "axes": axes, "first": first, "end": end}
            for axes in ("moved", "reshaped")
            for first in ("relu", "none")
            for end in ("first rows", "every fourth row", "mean of rows", "sum of rows", "largest of rows")
        ],
    ),
    (SWAPPED, [{"axes": "swapped"}]),
    (
        SWAPPED + MORE,
        [
            {"axes": "swapped", "first": "none"},
            {"axes": "swapped", "pools": "max none"},
            {"axes": "swapped", "pools": "max none", "first": "none"},
        ],
    ),
    (
        "The ReLU of the second block is missing: each convolution has one.",
        [{"second": "none"}, {"first": "none", "second": "none"}],
    ),
    ("The ReLU stands after the last layer too: logits may be negative.", [{"end": "relu"}]),
    (
        "Another activation than ReLU: the weights were made for ReLU.",
        [
            {"first": first, "second": second}
            for other in ("sigmoid", "tanh", "leaky", "gelu", "abs", "relu6")
            for first, second in ((other, "relu"), ("relu", other), (other, other))
        ],
    ),
    (
        "Both poolings are in one place: the second convolution was meant to see pooled maps, and to be pooled itself.",
        [{"pools": "none four"}, {"pools": "four none"}],
    ),
    (
        "A pooling other than the largest of 2 x 2: max-pooling was meant, twice.",
        [
            {"pools": pools}
            for pools in ("max mean", "mean max", "mean mean", "max stride", "stride max", "stride stride")
        ],
    ),
    (
        "The features come in another order than weight3 has them: (channel, row, column), as flatten(1) takes them.",
        [{"features": "row column channel"}, {"features": "channel column row"}],
    ),
    (
        "The pictures of the batch are mixed: a row of the features holds parts of several. The batch comes first and "
        "stays by itself, flatten(1).",
        [{"features": "mixed"}],
    ),
    ("These are probabilities: logits were wanted.", [{"end": "softmax"}, {"end": "log_softmax"}]),
    *((f"bias{n} is missing: each of the three layers adds its own.", [{"without": f"bias{n}"}]) for n in (1, 2, 3)),
)


def _networks(faults: Sequence[Faults]) -> Callable[..., bool]:
    return way(*(lambda *args, chosen=chosen: _network(*args, **chosen) for chosen in faults))


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(Suspect(reason, _networks(faults)) for reason, faults in MISTAKES),
    Suspect(
        "The logits lie the wrong way round: (batch, classes).",
        lambda got, wanted, *args: matches(got, wanted.T),
    ),
    Suspect(
        "Only the first picture came back: a row of logits for each picture of the batch.",
        lambda got, wanted, *args: len(wanted) > 1 and any(matches(got, guess) for guess in (wanted[0], wanted[:1])),
    ),
    Suspect(
        "The numbers are right, the shape is not: (batch, classes), for a single picture too. [0] takes the first "
        "picture alone, .squeeze() drops every axis of one, .flatten() all but one; .flatten(1) keeps the batch.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.shape != wanted.shape
            and got.numel() == wanted.numel()
            and matches(got.reshape(wanted.shape), wanted)
        ),
    ),
    Suspect(
        "This is right to about seven digits, and the pictures have float64: on the way something has float32.",
        rounded,
    ),
)
CRASHES = (
    (
        "cannot be multiplied",
        "The row of features is longer or shorter than weight3 has columns. Is each picture flattened? How large are "
        "the maps before that? Each block was meant to halve their height and width, and padding=1 to keep them.",
    ),
    (
        "view size is not compatible",
        "view works only where the entries lie in order in memory, and after permute they do not: .flatten(1) or "
        ".reshape(...) always works.",
    ),
    (
        "is invalid for input of size",
        "A reshape to a shape with another number of entries: print the shape before it.",
    ),
    (
        "Expected size for first two dimensions",
        "The linear layer wants one row for each picture, (batch, features), and these are maps: .flatten(1) first.",
    ),
    (
        "Kernel size can't be greater than",
        "The maps have become smaller than the kernel: padding=1 keeps the size of a picture under a kernel of 3 x 3.",
    ),
    (
        "Output size is too small",
        "The maps have become smaller than the pooling window: padding=1 keeps the size under a kernel of 3 x 3, and "
        "each block pools once.",
    ),
    (
        "to have",
        "The convolution found another number of channels than its weight has: pictures is (batch, height, width, "
        "channel), and a convolution wants (batch, channel, height, width).",
    ),
    (
        "an argument was changed in place",
        "An argument was changed: an operation that ends in _, or +=. The caller still needs it: make a new tensor.",
    ),
    ("name 'functional' is not defined", "`from torch.nn import functional` is in the first cell: run it."),
)
WRONG = "Go through it line by line on one small picture, and print the shape and some numbers after each."


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.debug", "network", subject, SUSPECTS, CRASHES)

    def right_for(*args: Tensor) -> None:
        ask.value(args, _network(*args), generic=WRONG)

    for case in cases():
        right_for(*case)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for round_ in range(10):
        shape = (number(1, 4), 4 * number(1, 3), 4 * number(1, 3), number(1, 4))
        args = weights(generator, shape, (number(1, 4), number(1, 4)), number(2, 5))
        if round_ % 2:
            args = tuple(part.double() / 3 for part in args)  # float32 cannot hold a third
        right_for(*args)
    return f"right on {ask.asked} batches. Three faults found: the axes, the missing ReLU, the hidden pooling."


def cases() -> list[tuple[Tensor, ...]]:
    """Small ones, whose seeds were looked for: on the first that shows a mistake above, its numbers are its own."""
    return [
        weights(torch.Generator().manual_seed(194), (1, 4, 4, 2), (2, 2), 2),
        weights(torch.Generator().manual_seed(3), (2, 8, 8, 3), (2, 2), 3),
    ]


def weights(
    generator: torch.Generator, shape: tuple[int, int, int, int], widths: tuple[int, int], classes: int
) -> tuple[Tensor, ...]:
    """Pictures and six parameters: multiples of 1/4 and 1/2, so that every sum is exact."""
    _, height, width, channels = shape
    features = widths[1] * (height // 4) * (width // 4)

    def halves(*size: int) -> Tensor:
        """-1, -1/2, 1/2 or 1."""
        number = torch.randint(0, 4, size, generator=generator)
        return torch.tensor([-1.0, -0.5, 0.5, 1.0])[number]

    pictures = torch.randint(0, 5, shape, generator=generator) / 4
    return (
        pictures,
        *(halves(widths[0], channels, 3, 3), halves(widths[0])),
        *(halves(widths[1], widths[0], 3, 3), halves(widths[1])),
        *(halves(classes, features), halves(classes)),
    )


EXERCISE = Exercise(
    id="05.debug",
    name="debug_cnn",
    title="Find the faults of a network",
    objectives=("05-O4",),
    difficulty=2,
    minutes=12,
    points=3,
    task="Write network(pictures, weight1, bias1, weight2, bias2, weight3, bias3): pictures (batch, height, width, "
    "channel), as photographs come. Channels to the front; then twice a convolution of 3 x 3 with padding 1, ReLU and "
    "max-pooling of 2 x 2; flatten each picture, (channel, row, column); a linear layer. Return the logits (batch, "
    "classes). torch.nn.functional is welcome.",
    ranges="1 to 4 pictures of 4, 8 or 12 pixels a side with 1 to 4 channels, 1 to 4 maps in each block, 2 to 5 "
    "classes, float32 and float64",
    hints=(
        "Do not read the code first: ask it. How many rows of logits should two pictures give? What should a map of "
        "nothing but negative numbers become? Where do the numbers of a red picture lie in memory?",
        "reshape never moves a number: it cuts the same row of numbers anew. Where is that what you want, and where "
        "not? Then write down the shape after each line, and find what the -1 hides.",
        "x = pictures.permute(0, 3, 1, 2); twice: x = functional.max_pool2d(torch.relu(functional.conv2d(x, weight, "
        "bias, padding=1)), 2); return x.flatten(1) @ weight3.T + bias3.",
    ),
    reference=network,
    walkthrough="The channels are moved to the front, not cut out anew, so that each keeps its picture. Each block "
    "convolves, bends and pools, so the maps end up a quarter as high and wide, and flatten(1) gives each picture its "
    "own row.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
