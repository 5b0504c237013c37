"""05.conv2d: a convolution with channels, stride, padding and dilation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch05.windows import (
    BELOW_ZERO,
    NOTHING_PASSES,
    PADDING_SWAPPED,
    PAIRS,
    SINGLE_PIXELS,
    TAKES,
    Pair,
    Way,
    crashes,
    last_missing,
    one_sided,
    other_places,
    rounded,
    scrambled,
    slopes,
    swap,
    too_many_places,
    way,
)
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def conv2d(x, weight, bias, stride, padding, dilation):
    kernel = weight.shape[2:]
    x = torch.nn.functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    places = [(x.shape[2 + n] - dilation[n] * (kernel[n] - 1) - 1) // stride[n] + 1 for n in (0, 1)]
    result = bias[:, None, None]
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            # what this one number of the kernel sees at all places
            top, left = row * dilation[0], column * dilation[1]
            seen = x[:, :, top :: stride[0], left :: stride[1]][:, :, : places[0], : places[1]]
            result = result + torch.einsum("bchw,oc->bohw", seen, weight[:, :, row, column])
    return result


def oracle(x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any) -> Tensor:
    """torch's own, in float64: in float32 torch 2.13 ends the process on some views (channels last, width 1)."""
    x64, weight64 = x.double().contiguous(), weight.double().contiguous()
    bias64 = None if bias is None else bias.double()
    return functional.conv2d(x64, weight64, bias64, stride, padding, dilation).to(x.dtype)


def _bare(x: Tensor, weight: Tensor, bias: Tensor, *rest: Any) -> Tensor:
    return oracle(x, weight, None, *rest)


def _each(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
    """(channel, batch, out, height, width): what each input channel adds."""
    parts = [oracle(x[:, [c]], weight[:, [c]], None, *rest) for c in range(x.shape[1])]
    return torch.stack(parts)


def _padded_with(mode: str) -> Way:
    def answer(x: Tensor, w: Tensor, b: Tensor, s: Pair, p: Pair, d: Pair) -> Tensor:
        around = functional.pad(x, (p[1], p[1], p[0], p[0]), mode=mode)
        return oracle(around, w, b, s, (0, 0), d)

    return answer


def _shuffled_kernel(x: Tensor, w: Tensor, *rest: Any) -> Tensor:
    """The kernel's numbers in the order (row, column, channel) met windows in the order (channel, row, column)."""
    return oracle(x, w.permute(0, 2, 3, 1).reshape(w.shape), *rest)


def _shuffled_windows(x: Tensor, w: Tensor, *rest: Any) -> Tensor:
    out, channels, rows, columns = w.shape
    return oracle(x, w.reshape(out, rows, columns, channels).permute(0, 3, 1, 2), *rest)


def _table_of_anything(x: Tensor, w: Tensor, b: Tensor, s: Pair, p: Pair, d: Pair) -> Tensor:
    """Windows (batch, channel, down, right, rows, columns) cut into rows of the right length as they lie."""
    batch, out, down, right = oracle(x, w, b, s, p, d).shape
    spans = [d[n] * (w.shape[2 + n] - 1) + 1 for n in (0, 1)]
    x = functional.pad(x, (p[1], p[1], p[0], p[0]))
    windows = x.unfold(2, spans[0], s[0]).unfold(3, spans[1], s[1])[..., :: d[0], :: d[1]]
    y = windows.reshape(batch * down * right, -1) @ w.reshape(out, -1).T + b
    return y.reshape(batch, down, right, out).permute(0, 3, 1, 2)


def _sliced(cut: Callable[[Pair, Pair], tuple[Pair, Pair]]) -> Way:
    """Windows cut with the lengths and the steps of `cut`(kernel, dilation); one pixel may meet several numbers."""

    def answer(x: Tensor, w: Tensor, b: Tensor, s: Pair, p: Pair, d: Pair) -> Tensor:
        wanted = oracle(x, w, b, s, p, d)
        x = functional.pad(x, (p[1], p[1], p[0], p[0]))
        (tall, wide), steps = cut((w.shape[2], w.shape[3]), d)
        result = torch.zeros_like(wanted)
        for i in range(wanted.shape[2]):
            for j in range(wanted.shape[3]):
                top, left = i * s[0], j * s[1]
                window = x[:, None, :, top : top + tall : steps[0], left : left + wide : steps[1]]
                result[:, :, i, j] = (window * w).sum((2, 3, 4)) + b
        return result

    return answer


def _span(kernel: Pair, dilation: Pair) -> Pair:
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def _begun(step: Callable[[Pair], Pair]) -> Callable[..., bool]:
    """As many places as there should be, and the windows begin `step`(stride) apart."""
    return lambda got, wanted, *args: way(
        lambda x, w, b, s, p, d: oracle(x, w, b, step(s), p, d)[:, :, : wanted.shape[2], : wanted.shape[3]]
    )(got, wanted, *args)


def _product_for_span(got: Any, wanted: Tensor, x: Tensor, w: Tensor, b: Tensor, s: Pair, p: Pair, d: Pair) -> bool:
    """Right, for as many places as windows of dilation * kernel pixels have."""
    shape = [(x.shape[2 + n] + 2 * p[n] - d[n] * w.shape[2 + n]) // s[n] + 1 for n in (0, 1)]
    return shape != list(wanted.shape[2:]) and matches(got, wanted[:, :, : shape[0], : shape[1]])


def _alone(wanted: Tensor, n: int) -> Tensor:
    """One picture's result, and zeros for the others."""
    alone = torch.zeros_like(wanted)
    alone[n] = wanted[n]
    return alone


FLIPPED = (
    "The kernel was turned round. A layer's \"convolution\" is a cross-correlation: the kernel's top left number "
    "meets the top left pixel of the window, and nothing is flipped."
)
PLACES = "(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1"
CHANNELS = "The output adds up the products over *all* input channels: "
BIAS = (
    "bias has one number for each output channel, and reaches the result along the wrong axis: a tensor (out,) is "
    "matched with the *last* axis, the columns. bias[:, None, None] is matched with the channels."
)
SPAN = (
    "With dilation it reaches over dilation * (rows - 1) + 1 rows, and so must the slice, [top : top + dilation * "
    "(rows - 1) + 1 : dilation]; the columns likewise."
)
STEPS = (
    "Rows take every dilation[0]-th, columns every dilation[1]-th: [..., ::dilation[0], ::dilation[1]] after unfold, "
    "or as the steps of the two slices."
)
ORDER = "The numbers of kernel and window meet in different orders: flatten both as (channel, row, column)."
SHAPE = "The numbers are right and their axes are not: (batch, out, height, width) was wanted."
# The order matters: the first suspect that fits is named. The letters are those of the arguments.
SUSPECTS = (
    Suspect(
        FLIPPED,
        way(
            lambda x, w, *rest: oracle(x, w.flip(2, 3), *rest),
            lambda x, w, *rest: oracle(x, w.flip(2), *rest),
            lambda x, w, *rest: oracle(x, w.flip(3), *rest),
        ),
    ),
    Suspect(
        "Rows and columns of the kernel are swapped: weight is (out, channel, rows, columns).",
        way(lambda x, w, *rest: oracle(x, w.mT, *rest)),
    ),
    Suspect("The bias is missing: each output channel adds its own to all its places.", way(_bare)),
    Suspect(
        "The bias was added once for each input channel: add it once, after the sum over the channels.",
        way(lambda x, w, b, *rest: oracle(x, w, b * x.shape[1], *rest)),
    ),
    Suspect(
        "The bias was added more than once, in every turn of a loop over the kernel's numbers: add it once, after the "
        "loops over channels, rows and columns.",
        way(
            lambda x, w, b, *rest: oracle(x, w, b * w[0, 0].numel(), *rest),
            lambda x, w, b, *rest: oracle(x, w, b * w[0].numel(), *rest),
            lambda x, w, b, *rest: oracle(x, w, b * w.shape[2], *rest),
            lambda x, w, b, *rest: oracle(x, w, b * w.shape[3], *rest),
        ),
    ),
    Suspect("The bias was subtracted: add it.", way(lambda x, w, b, *rest: oracle(x, w, -b, *rest))),
    Suspect(
        BIAS,
        way(
            lambda x, w, b, *rest: _bare(x, w, b, *rest) + b,
            lambda x, w, b, *rest: _bare(x, w, b, *rest) + b[:, None],
            lambda x, w, b, *rest: _bare(x, w, b, *rest) + b[:, None, None, None],
        ),
    ),
    Suspect(
        "Every output channel got the same bias, the first one: each has its own.",
        way(lambda x, w, b, *rest: _bare(x, w, b, *rest) + b[0]),
    ),
    Suspect(
        "Every output channel got the sum of all biases, or their mean: output channel o has its own, bias[o].",
        way(
            lambda x, w, b, *rest: _bare(x, w, b, *rest) + b.sum(),
            lambda x, w, b, *rest: _bare(x, w, b, *rest) + b.mean(),
        ),
    ),
    Suspect(
        CHANNELS + "here only one of them came in. If you add in a loop, is it += and not =?",
        way(
            lambda x, w, b, *rest: _each(x, w, *rest)[0] + b[:, None, None],
            lambda x, w, b, *rest: _each(x, w, *rest)[-1] + b[:, None, None],
        ),
    ),
    Suspect(
        CHANNELS + "here their mean was taken.",
        way(lambda x, w, b, *rest: _each(x, w, *rest).mean(0) + b[:, None, None]),
    ),
    Suspect(
        CHANNELS + "here each still stands by itself.",
        lambda got, wanted, x, w, *rest: (
            isinstance(got, Tensor)
            and x.shape[1] > 1
            and got.numel() == wanted.numel() * x.shape[1]
            and got.shape != wanted.shape
        ),
    ),
    Suspect(
        "The products of a window were averaged: add them up.",
        way(
            lambda x, w, b, *rest: _bare(x, w, b, *rest) / w[0].numel() + b[:, None, None],
            lambda x, w, b, *rest: _bare(x, w, b, *rest) / w[0, 0].numel() + b[:, None, None],
        ),
    ),
    Suspect(
        "The same kernel was used for every input channel: weight[o, c] is the kernel of output channel o for input "
        "channel c.",
        way(
            lambda x, w, *rest: oracle(x, w[:, :1].expand_as(w), *rest),
            lambda x, w, *rest: oracle(x, w[:, -1:].expand_as(w), *rest),
        ),
    ),
    Suspect(
        "The same kernels were used for every output channel: weight[o] are those of output channel o.",
        way(
            lambda x, w, *rest: oracle(x, w[:1].expand_as(w), *rest),
            lambda x, w, *rest: oracle(x, w[-1:].expand_as(w), *rest),
        ),
    ),
    Suspect(
        "Input and output channels of the weight are swapped: weight is (out, channel, rows, columns).",
        way(lambda x, w, *rest: oracle(x, w.transpose(0, 1), *rest)),
    ),
    Suspect(ORDER, way(_shuffled_kernel, _shuffled_windows)),
    Suspect(
        "The windows were reshaped into a table where their axes should be moved first. They are (batch, channel, "
        "down, right, rows, columns), and one row of the table is one window with all its channels: permute(0, 2, 3, "
        "1, 4, 5), then reshape.",
        way(_table_of_anything),
    ),
    Suspect(
        "The stride was left out: the window moves by stride[0] rows and stride[1] columns.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, (1, 1), p, d)),
    ),
    Suspect(
        "Rows and columns of the stride are swapped. " + PAIRS,
        way(lambda x, w, b, s, p, d: oracle(x, w, b, swap(s), p, d)),
    ),
    Suspect(
        "Only one number of the stride was used, or it is written as a number. " + PAIRS,
        way(
            *(lambda x, w, b, s, p, d, take=take: oracle(x, w, b, take(s, 1), p, d) for take in TAKES),
            lambda x, w, b, s, p, d: oracle(x, w, b, 2, p, d),
        ),
    ),
    Suspect(
        SINGLE_PIXELS,
        lambda got, wanted, *args: way(
            lambda x, w, b, s, p, d: oracle(x, w, b, 1, p, d)[:, :, : wanted.shape[2], : wanted.shape[3]]
        )(got, wanted, *args),
    ),
    Suspect(
        "The number of places is right, and the windows begin with the wrong number of the stride: that of place (i, "
        "j) at row i * stride[0], column j * stride[1].",
        lambda *args: any(_begun(step)(*args) for step in (swap, lambda s: (s[0], s[0]), lambda s: (s[1], s[1]))),
    ),
    Suspect(
        "The padding was left out: padding[0] rows of zeros above *and* below, padding[1] columns on either side.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, 0, d)),
    ),
    Suspect(
        PADDING_SWAPPED,
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, swap(p), d)),
    ),
    Suspect(
        "Only one number of the padding was used. " + PAIRS,
        way(*(lambda x, w, b, s, p, d, take=take: oracle(x, w, b, s, take(p, 0), d) for take in TAKES)),
    ),
    Suspect(
        "The padding reached the wrong sides: functional.pad counts from the last axis, (left, right, top, bottom), so "
        "it takes padding[1] twice, and then padding[0] twice.",
        way(
            lambda x, w, b, s, p, d: oracle(functional.pad(x, p), w, b, s, 0, d),
            lambda x, w, b, s, p, d: oracle(functional.pad(x, (p[0], p[1], p[0], p[1])), w, b, s, 0, d),
        ),
    ),
    Suspect(
        "The padding was added twice. It is counted for one side: padding[0] rows above, as many below.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, (2 * p[0], 2 * p[1]), d)),
    ),
    Suspect(
        "The zeros lie on one side only: padding[0] rows above *and* below, padding[1] columns left *and* right.",
        way(
            *(
                lambda x, w, b, s, p, d, front=front, times=times: oracle(
                    one_sided(x, (p[0] * times, p[1] * times), front=front), w, b, s, 0, d
                )
                for front in (True, False)
                for times in (1, 2)
            )
        ),
    ),
    Suspect(
        "The padding repeats, mirrors or wraps the picture. Here zeros lie around it.",
        way(*map(_padded_with, ("replicate", "reflect", "circular"))),
    ),
    Suspect(
        "The padding holds ones. Here zeros lie around the picture.",
        way(lambda x, w, b, s, p, d: oracle(functional.pad(x, (p[1], p[1], p[0], p[0]), value=1.0), w, b, s, 0, d)),
    ),
    Suspect(
        "The zeros were put around the result: they lie around the picture, before the kernel moves.",
        way(lambda x, w, b, s, p, d: functional.pad(oracle(x, w, b, s, 0, d), (p[1], p[1], p[0], p[0]))),
    ),
    Suspect(
        "The dilation was left out: the kernel's numbers meet pixels dilation[0] rows and dilation[1] columns apart.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, p, 1)),
    ),
    Suspect(
        "The dilation counts for the size of the result, and not for the pixels that are met: the kernel's number (r, "
        "c) meets the pixel r * dilation[0] rows and c * dilation[1] columns further.",
        lambda got, wanted, *args: way(
            lambda x, w, b, s, p, d: oracle(x, w, b, s, p, 1)[:, :, : wanted.shape[2], : wanted.shape[3]]
        )(got, wanted, *args),
    ),
    Suspect(
        "The window ends too early, and broadcasting filled what is missing. " + SPAN,
        way(
            _sliced(lambda kernel, d: (kernel, d)),
            _sliced(lambda kernel, d: ((d[0] * (kernel[0] - 1), d[1] * (kernel[1] - 1)), d)),
        ),
    ),
    Suspect(
        "The two steps of the window are swapped, and broadcasting filled what is missing. " + STEPS,
        way(_sliced(lambda kernel, d: (_span(kernel, d), swap(d)))),
    ),
    Suspect(
        "The two dilations are swapped where the window ends, and broadcasting filled what is missing. " + SPAN,
        way(_sliced(lambda kernel, d: (_span(kernel, swap(d)), d))),
    ),
    Suspect(
        "Rows and columns of the dilation are swapped. " + PAIRS,
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, p, swap(d))),
    ),
    Suspect(
        "Only one number of the dilation was used. " + PAIRS,
        way(*(lambda x, w, b, s, p, d, take=take: oracle(x, w, b, s, p, take(d, 1)) for take in TAKES)),
    ),
    Suspect(
        "The dilation was taken for the number of pixels left out: with dilation 1 none is left out.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, s, p, (d[0] + 1, d[1] + 1))),
    ),
    Suspect(
        "Stride and dilation are swapped: the stride moves the window, the dilation stretches it.",
        way(lambda x, w, b, s, p, d: oracle(x, w, b, d, p, s)),
    ),
    Suspect(
        "Places are missing at the end, because the window was taken for kernel * dilation pixels long. From its first "
        "pixel to its last it spans dilation * (kernel - 1) + 1: nothing is left out behind the last one.",
        _product_for_span,
    ),
    last_missing(PLACES),
    Suspect(
        "Only the first picture of the batch was convolved, or the same one for all.",
        lambda got, wanted, *args: (
            len(wanted) > 1
            and any(
                matches(got, guess)
                for n in (0, -1)
                for guess in (wanted[[n]].expand_as(wanted), wanted[[n]], wanted[n], _alone(wanted, n))
            )
        ),
    ),
    Suspect(
        "The pictures of the batch were added up: each gives a result of its own.",
        lambda got, wanted, x, w, b, *rest: (
            len(wanted) > 1
            and isinstance(got, Tensor)
            and any(
                matches(got, guess)
                for total in (
                    _bare(x, w, b, *rest).sum(0, keepdim=True) + b[:, None, None],
                    wanted.sum(0, keepdim=True),
                )
                for guess in (total, total[0], total.expand_as(wanted))
            )
        ),
    ),
    Suspect(
        SHAPE,
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.dim() == 4
            and any(
                matches(got, wanted.permute(order))
                for order in (
                    (0, 1, 3, 2),
                    (0, 2, 3, 1),
                    (0, 3, 2, 1),
                    (1, 0, 2, 3),
                    (2, 3, 0, 1),
                    (0, 2, 1, 3),
                    (0, 3, 1, 2),
                )
            )
        ),
    ),
    Suspect(
        "The result was reshaped where its axes should be moved: reshape keeps the order of the numbers, and spreads "
        "each picture over the channels. Move the axes with permute or einops.rearrange first.",
        scrambled,
    ),
    Suspect(
        "The numbers are right, the shape is not: (batch, out, height, width) was wanted.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.shape != wanted.shape
            and got.numel() == wanted.numel()
            and matches(got.reshape(wanted.shape), wanted)
        ),
    ),
    Suspect(
        "This is a ReLU of the result: nothing is cut off here.",
        way(lambda *args: oracle(*args).relu()),
    ),
    Suspect(
        "The result does not depend on x.",
        lambda got, wanted, x, w, b, *rest: (
            isinstance(got, Tensor)
            and any(matches(got, fixed) for fixed in (torch.zeros_like(wanted), b[:, None, None].expand_as(wanted)))
        ),
    ),
    Suspect(
        "This is right to about seven digits, and x has float64: on the way something has float32, as torch.zeros(...) "
        "has when nobody says dtype=x.dtype.",
        rounded,
    ),
    too_many_places(PLACES),
    other_places(PLACES),
)
CRASHES = (
    (
        "is invalid for input of size",
        f"A reshape to a shape with another number of entries. Count the places with {PLACES}, rows and columns each "
        "with its own numbers.",
    ),
    (
        "is out of bounds",
        "A window reaches beyond the padded picture. Is the picture padded, are there no more places than "
        f"{PLACES}, and are rows and columns nowhere swapped?",
    ),
    (
        "must match the existing size",
        "What is written and where it is written to have different shapes. A slice that ends at -padding is empty "
        "where the padding is 0: let it end at padding + height, or use functional.pad.",
    ),
    (
        "must match the size",
        "Two shapes do not fit. A window and the kernel: is the picture framed, does the slice end at top + dilation * "
        "(rows - 1) + 1 (with the + 1) and have the dilation as its step, is the number of places right? Or the bias: "
        "(out,) is matched with the columns, bias[:, None, None] with the channels.",
    ),
    ("expected m1 and m2 to have the same dtype", "A new tensor has float32 and x has float64: dtype=x.dtype."),
    ("expected scalar type", "A new tensor has float32 and x has float64: dtype=x.dtype."),
    (
        "cannot be multiplied",
        "The two tables of the matrix product do not fit. A kernel as a row has channels * rows * columns numbers, "
        "weight.reshape(out, -1); a window as a column has as many.",
    ),
    *crashes("x, weight or bias", "stride, padding and dilation"),
)
# An error of shapes in the first case with padding, or with dilation, comes from that: all was right before. What went
# wrong the error does not say, so the text names all that may have, but for the windows whose size torch tells.
SHAPES = (
    "must match",
    "need to match",
    "is invalid for input of size",
    "equal size",
    "cannot be multiplied",
    "does not broadcast with",
)
FRAME = (
    f"without padding all was right. Either the padding is counted twice: {PLACES} wants the size of the picture "
    "before it was framed, and a framed one has the 2 * padding already. Or the picture is not framed before the "
    "windows are cut, with padding[0] rows of zeros above and below, and padding[1] columns left and right "
    "(functional.pad counts from the last axis, (left, right, top, bottom)). And " + BELOW_ZERO + "."
)
WHOLE_SPAN = (
    "A window is too long, and without dilation all was right: with dilation (2, 3) and a kernel of 2 by 2 it spans 3 "
    "rows and 4 columns, and of these 2 rows and 2 columns are wanted. The step is missing, or one of the two: [..., "
    "::step] alone thins the last axis, the columns. " + STEPS
)
HALF_WINDOW = (
    "A window has fewer pixels than the kernel has numbers, and without dilation all was right. Either its two steps "
    "are swapped, or it ends too early. " + STEPS + " " + SPAN
)
DILATED = (
    "without dilation all was right. Either a window has not as many pixels as the kernel has numbers: it spans "
    "dilation * (rows - 1) + 1 rows, of which every dilation[0]-th is taken, and the columns likewise with "
    f"dilation[1]. Or the places were counted without the dilation: there are {PLACES}."
)


def _told(pixels: tuple[int, ...], numbers: int) -> list[str]:
    """How torch tells that a window has so many pixels along an axis where the kernel has so many numbers."""
    texts = []
    for a, b in [(n, numbers) for n in pixels] + [(numbers, n) for n in pixels]:
        texts.append(f"tensor a ({a}) must match the size of tensor b ({b})")
        texts.append(f"size {a} for operand 1 which does not broadcast with previously seen size {b}")
    return texts + [f"{which} has size {n} in dim" for which in ("first", "second") for n in pixels]


def _told_in_tables(pixels: tuple[int, ...], numbers: int) -> list[str]:
    """The same of windows as rows or columns of a table."""
    return [text for n in pixels for text in (f"x{n} and {numbers}x", f"x{numbers} and {n}x", f"x{n}), vec ({numbers}")]


NEW_PADDING = (
    *((part, "Two shapes do not fit, and " + FRAME) for part in SHAPES),
    ("is out of bounds", "A window reaches beyond the picture, and " + FRAME),
)
NEW_DILATION = (
    *((part, WHOLE_SPAN) for part in (*_told((3, 4), 2), *_told_in_tables((2 * 3, 2 * 4, 3 * 4), 2 * 2))),
    *((part, HALF_WINDOW) for part in _told_in_tables((1, 2), 2 * 2)),
    *((part, "Two shapes do not fit, and " + DILATED) for part in SHAPES),
    ("is out of bounds", "A window reaches beyond the picture, and " + DILATED),
)
WRONG = (
    "Do the first place that differs by hand: which pixels does the kernel meet there, and with which of its numbers?"
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("05.conv2d", "conv2d", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def right_for(*args: Any, new: Sequence[tuple[str, str]] = ()) -> None:
        """new: what to tell of an error of shapes."""
        called, wanted = ask.written(args), oracle(*args)
        got = ask.ask(lambda: subject.call(*args), called=called, wanted=Later(show, wanted), crashes=new)
        ask.compare(got, wanted, args, called=called, generic=WRONG)

    def slopes_for(*args: Any) -> None:
        cotangent = whole(generator, oracle(*args).shape).to(args[0].dtype)
        leaves = [part.clone().requires_grad_() for part in args[:3]]
        with torch.enable_grad():
            y = oracle(*leaves, *args[3:])
        wanted = torch.autograd.grad(y, leaves, cotangent)
        generic = "The values are right, and the slope for {name} is not: a part of the way is not on torch's record."
        slopes(ask, args, ("x", "weight", "bias"), cotangent, wanted, (NOTHING_PASSES,), generic)

    for args, new in zip(cases(), ((), (), (), (), NEW_PADDING, NEW_DILATION, ()), strict=True):
        right_for(*args, new=new)
    slopes_for(*cases()[-1])
    for round_ in range(12):
        args = draw(generator, round_)
        right_for(*args)
        if round_ % 3 == 0:
            slopes_for(*args)
    return f"right on {ask.asked} questions, in value and in the slopes for x, weight and bias. You built the layer."


def cases() -> list[tuple[Any, ...]]:
    """One thing more each time: a kernel; channels; stride; padding; dilation; all of them and a batch."""
    rows = [[3, -1, 2, 0, 7], [1, 4, -2, 5, -6], [-3, 2, 6, 1, -4], [8, -5, 0, 3, 9]]
    picture = torch.tensor([[rows]], dtype=torch.float32)
    kernel = torch.tensor([[[[1.0, 2.0, -1.0], [3.0, -2.0, 4.0]]]])
    square = torch.tensor([[[[9.0, 7.0], [5.0, -3.0]]]])  # no row or column adds up to 0: that would hide broadcasting
    numbers = torch.Generator().manual_seed(5)

    def some(*shape: int) -> Tensor:
        return whole(numbers, shape)

    one, none = (1, 1), (0, 0)
    return [
        (picture, kernel, torch.tensor([10.0]), one, none, one),
        (some(1, 2, 3, 4), some(3, 2, 2, 2), some(3), one, none, one),  # three channels out on 2 x 3 places
        (some(1, 3, 4, 2), some(3, 3, 2, 2), some(3), one, none, one),  # as many out as in, 3 x 1 places
        (some(1, 1, 5, 6), some(1, 1, 2, 2), some(1), (2, 3), none, one),
        (some(1, 1, 3, 2), some(1, 1, 3, 2), some(1), one, (1, 2), one),
        (some(1, 1, 5, 6), square, some(1), one, none, (2, 3)),
        (some(2, 2, 3, 3), some(2, 2, 2, 2), some(2), (3, 2), (1, 2), (1, 2)),
    ]


def whole(generator: torch.Generator, shape: Sequence[int]) -> Tensor:
    """Odd whole numbers from -9 to 9: no zero, and their sums are exact."""
    return (2 * torch.randint(-5, 5, tuple(shape), generator=generator) + 1).float()


def draw(generator: torch.Generator, round_: int) -> tuple[Any, ...]:
    """A layer from the ranges, small enough for a loop over every number."""

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    while True:
        batch, channels, out = (number(1, 3) for _ in range(3))
        sides = []
        for _ in range(2):
            kernel, dilation, padding = number(1, 3), number(1, 3), number(0, 2)
            smallest = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
            sides.append((number(smallest, 7), kernel, number(1, 3), padding, dilation))
        (height, width), kernel, stride, padding, dilation = zip(*sides, strict=True)
        x = whole(generator, (batch, channels, width, height)).mT  # views
        weight = whole(generator, (out, channels, *kernel[::-1])).mT
        numbers = [x, weight, whole(generator, (out,))]
        if round_ % 2:
            numbers = [part.double() / 10 for part in numbers]  # float32 cannot hold 0.1
        args = (*numbers, stride, padding, dilation)
        if oracle(*args).numel() * weight[0].numel() <= 600:
            return args


EXERCISE = Exercise(
    id="05.conv2d",
    name="conv2d",
    title="A convolution",
    objectives=("05-O1",),
    difficulty=3,
    minutes=20,
    points=4,
    task="Write conv2d(x, weight, bias, stride, padding, dilation): x (batch, channel, height, width), weight (out, "
    "channel, rows, columns), bias (out,); stride, padding and dilation are pairs (rows, columns). Return (batch, out, "
    "out_height, out_width): the cross-correlation, as torch's layers do it, zeros around the picture, nothing "
    "flipped. Its slopes for x, weight and bias must be right too.",
    ranges="1 to 3 pictures, 1 to 3 channels in and out, pictures of 1 to 7 pixels a side, kernels of 1 to 3, strides "
    "of 1 to 3, padding of 0 to 2, dilation of 1 to 3; the kernel always fits; float32 and float64, tensors that are "
    "views of others",
    hints=(
        "Begin with loops over pictures, output channels and places, and get the first case of the check right. Which "
        "pixel is the top left one of the window at place (i, j)? Then let stride, padding and dilation in, one after "
        "the other.",
        "Pad first: torch.nn.functional.pad(x, (left, right, top, bottom)). The window of place (i, j) is a slice with "
        "a step: it begins at row i * stride[0], ends after dilation[0] * (rows - 1) + 1 rows, and takes every "
        "dilation[0]-th of them; the columns likewise. Multiply with weight[o], add everything up, add bias[o]. (All "
        "windows at once: framed.unfold(2, reach of the rows, stride[0]), then the columns likewise, then [..., "
        "::dilation[0], ::dilation[1]]. Their axes are (batch, channel, down, right, rows, columns): permute before "
        "you reshape.)",
        "With x padded, top = i * stride[0], left = j * stride[1]: window = x[n, :, top : top + dilation[0] * (rows - "
        "1) + 1 : dilation[0], left : left + dilation[1] * (columns - 1) + 1 : dilation[1]]; (window * "
        "weight[o]).sum() + bias[o]. Collect them with torch.stack, or write them into a torch.zeros(..., "
        "dtype=x.dtype): both keep the slope.",
    ),
    reference=conv2d,
    walkthrough="Each number of the kernel sees, over all places, one picture that is shifted by its dilation and "
    "thinned by the stride. That picture is multiplied by the number and mixed into the output channels, and the "
    "products of all the kernel's numbers are added up.",
    where="exercises/05-cnn/05-cnn-exercises.ipynb",
    check=check,
)
