"""05.debug: the forward pass of a small convolutional network, freed of its three faults."""

from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch05.conv2d import rounded, way
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
) -> Tensor:
    """The network with some of the faults."""
    batch, height, width, channels = pictures.shape
    x = {
        "moved": lambda: pictures.permute(0, 3, 1, 2),
        "reshaped": lambda: pictures.reshape(batch, channels, height, width),
        "swapped": lambda: pictures.permute(0, 3, 2, 1),
        "twice": lambda: pictures.permute(0, 3, 1, 2).reshape(batch, height, width, channels).permute(0, 3, 1, 2),
    }[axes]()
    bend = {
        "relu": torch.relu,
        "none": lambda x: x,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "leaky": functional.leaky_relu,
        "gelu": functional.gelu,
        "abs": torch.abs,
    }
    shrink = {
        "max": lambda x: functional.max_pool2d(x, 2),
        "mean": lambda x: functional.avg_pool2d(x, 2),
        "stride": lambda x: x[:, :, ::2, ::2],
        "none": lambda x: x,
        "four": lambda x: functional.max_pool2d(x, 4),
    }
    one, two = (shrink[name] for name in pools.split())
    x = one(bend[first](functional.conv2d(x, weight1, bias1, padding=1)))
    x = two(bend[second](functional.conv2d(x, weight2, bias2, padding=1)))
    x = {
        "channel row column": lambda: x,
        "row column channel": lambda: x.permute(0, 2, 3, 1),
        "channel column row": lambda: x.mT,
        "mixed": lambda: x.transpose(0, 1),
    }[features]()
    return x.reshape(-1, weight3.shape[1]) @ weight3.T + bias3


def _networks(**faults: str) -> Any:
    return way(lambda *args: _network(*args, **faults))


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
MORE = " It is not the only fault that is left."
# Each original fault: its keyword, its value with the fault, what to say.
FAULTS = (("pools", "max none", ROWS), ("axes", "reshaped", AXES), ("first", "none", BEND))


def _left(broken: tuple[bool, ...]) -> Suspect:
    """The faults that are still there."""
    left = [fault for fault, there in zip(FAULTS, broken, strict=True) if there]
    reason = left[0][2] + MORE * (len(left) > 1)
    return Suspect(reason, _networks(**{name: value for name, value, _ in left}))


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(_left(broken) for broken in product((True, False), repeat=3) if any(broken)),
    Suspect(
        "The four rows of each picture were cut down to one, or averaged. That hides the symptom: each of them had "
        "seen only a part of the maps. The second pooling is missing.",
        way(
            *(
                lambda *args, axes=axes, first=first, cut=cut: cut(
                    _network(*args, pools="max none", axes=axes, first=first), len(args[0])
                )
                for axes in ("moved", "reshaped")
                for first in ("relu", "none")
                for cut in (
                    lambda y, batch: y[:batch],
                    lambda y, batch: y[::4],
                    lambda y, batch: y.reshape(batch, 4, -1).mean(1),
                    lambda y, batch: y.reshape(batch, 4, -1).sum(1),
                    lambda y, batch: y.reshape(batch, 4, -1).amax(1),
                )
            )
        ),
    ),
    Suspect(
        "Height and width are swapped: permute(0, 3, 1, 2) puts the channels in front and leaves rows before columns. "
        "transpose(1, 3) swaps channels and *rows*.",
        _networks(axes="swapped"),
    ),
    Suspect(
        "Height and width are swapped: permute(0, 3, 1, 2) puts the channels in front and leaves rows before columns. "
        "transpose(1, 3) swaps channels and *rows*." + MORE,
        way(
            lambda *args: _network(*args, axes="swapped", first="none"),
            lambda *args: _network(*args, axes="swapped", pools="max none"),
            lambda *args: _network(*args, axes="swapped", pools="max none", first="none"),
        ),
    ),
    Suspect(
        "The ReLU of the second block is missing: each convolution has one.",
        way(lambda *args: _network(*args, second="none"), lambda *args: _network(*args, first="none", second="none")),
    ),
    Suspect(
        "The ReLU stands after the last layer too: logits may be negative.",
        way(
            lambda *args: _network(*args).relu(),
            lambda *args: _network(*args, first="none").relu(),
            lambda *args: _network(*args, second="none").relu(),
        ),
    ),
    Suspect(
        "Another activation than ReLU: the weights were made for ReLU.",
        way(
            *(
                lambda *args, first=first, second=second: _network(*args, first=first, second=second)
                for other in ("sigmoid", "tanh", "leaky", "gelu", "abs")
                for first, second in ((other, "relu"), ("relu", other), (other, other))
            )
        ),
    ),
    Suspect(
        "Both poolings are in one place: the second convolution was meant to see pooled maps, and to be pooled itself.",
        way(lambda *args: _network(*args, pools="none four"), lambda *args: _network(*args, pools="four none")),
    ),
    Suspect(
        "A pooling other than the largest of 2 x 2: max-pooling was meant, twice.",
        way(
            *(
                lambda *args, pools=pools: _network(*args, pools=pools)
                for pools in ("max mean", "mean max", "mean mean", "max stride", "stride max", "stride stride")
            )
        ),
    ),
    Suspect(
        "The features come in another order than weight3 has them: (channel, row, column), as flatten(1) takes them.",
        way(
            lambda *args: _network(*args, features="row column channel"),
            lambda *args: _network(*args, features="channel column row"),
        ),
    ),
    Suspect(
        "The pictures of the batch are mixed: a row of the features holds parts of several. The batch comes first and "
        "stays by itself, flatten(1).",
        _networks(features="mixed"),
    ),
    Suspect(
        "These are probabilities: logits were wanted.",
        way(lambda *args: _network(*args).softmax(-1), lambda *args: _network(*args).log_softmax(-1)),
    ),
    Suspect(
        "The last bias is missing.",
        way(lambda *args: _network(*args[:-1], torch.zeros_like(args[-1]))),
    ),
    Suspect(
        "The logits lie the wrong way round: (batch, classes).",
        lambda got, wanted, *args: matches(got, wanted.T),
    ),
    Suspect(
        "Only the first picture came back: a row of logits for each picture of the batch.",
        lambda got, wanted, *args: any(matches(got, guess) for guess in (wanted[0], wanted[:1])),
    ),
    Suspect(
        "This is right to about seven digits, and the pictures have float64: on the way something has float32.",
        rounded,
    ),
)
CRASHES = (
    (
        "cannot be multiplied",
        "The row of features is longer or shorter than weight3 has columns. How large are the maps before they are "
        "flattened? Each block was meant to halve their height and width, and padding=1 to keep them.",
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

    # Of these seeds no two of the mistakes above agree.
    right_for(*weights(torch.Generator().manual_seed(194), (1, 4, 4, 2), (2, 2), 2))
    right_for(*weights(torch.Generator().manual_seed(2), (2, 4, 8, 3), (4, 3), 3))
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for round_ in range(10):
        shape = (number(1, 4), 4 * number(1, 3), 4 * number(1, 3), number(1, 4))
        args = weights(generator, shape, (number(1, 4), number(1, 4)), number(2, 5))
        right_for(*(part.to((torch.float32, torch.float64)[round_ % 2]) for part in args))
    return f"right on {ask.asked} batches. Three faults found: the axes, the missing ReLU, the hidden pooling."


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
