"""Named wrong answers of chapter 05, each with the words that its diagnosis must hold; and right ones.

Every answer is written as a learner would write it, in another style than the references.
"""

import math

import numpy as np
import torch
from dlcourse_answers import right, wrong
from torch import nn
from torch.nn import functional

# --- 05.size --------------------------------------------------------------------------------------------------------


def place_count(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


def shapes(side=place_count, parameters=None, pairs=lambda *pairs: pairs, back=lambda shape, count: (shape, count)):
    """A right answer, but for the parts that are given."""

    def answer(image, out_channels, kernel, stride, padding, dilation):
        channels, *size = image
        size, *settings = pairs(tuple(size), kernel, stride, padding, dilation)
        sides = [side(*numbers) for numbers in zip(size, *settings, strict=True)]
        count = out_channels * (channels * kernel[0] * kernel[1] + 1)
        if parameters:
            count = parameters(channels, out_channels, *kernel, sides, image, dilation)
        return back((out_channels, *sides), count)

    return answer


def sizes(name, phrase, **parts):
    answer = shapes(**parts)
    answer.__name__ = name
    wrong("05.size", phrase)(answer)


@right("05.size")
def by_counting(image, out_channels, kernel, stride, padding, dilation):
    def count(n, k, s, p, d):
        return sum(1 for begin in range(0, n + 2 * p, s) if begin + d * (k - 1) < n + 2 * p)

    high, wide = (count(*numbers) for numbers in zip(image[1:], kernel, stride, padding, dilation, strict=True))
    return (out_channels, high, wide), out_channels * image[0] * math.prod(kernel) + out_channels


@right("05.size")
def by_making_the_layer(image, out_channels, kernel, stride, padding, dilation):
    layer = nn.Conv2d(image[0], out_channels, kernel, stride, padding, dilation)
    return tuple(layer(torch.zeros(1, *image)).shape[1:]), sum(p.numel() for p in layer.parameters())


@right("05.size")
def by_rounding_down(image, out_channels, kernel, stride, padding, dilation):
    sides = (
        math.floor((image[n + 1] + 2 * padding[n] - dilation[n] * (kernel[n] - 1) - 1) / stride[n] + 1) for n in (0, 1)
    )
    return (out_channels, *sides), (image[0] * kernel[0] * kernel[1] + 1) * out_channels


@right("05.size")
def in_lists(image, out_channels, kernel, stride, padding, dilation):
    sides = np.array(image[1:]) + 2 * np.array(padding) - np.array(dilation) * (np.array(kernel) - 1) - 1
    return [[out_channels, *(sides // stride + 1).tolist()], out_channels * (image[0] * math.prod(kernel) + 1)]


sizes("first_place_forgotten", "The + 1 is missing", side=lambda n, k, s, p, d: place_count(n, k, s, p, d) - 1)
sizes("last_number_forgotten", "The - 1 is missing", side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1)
sizes("rounded_up", "rounded up", side=lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1)
sizes(
    "rounded_to_nearest",
    "rounded to the nearest",
    side=lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1,
)
sizes("not_rounded", "/ leaves a fraction", side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1)
sizes("padding_once", "padding was counted once", side=lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1)
sizes("no_padding", "padding was left out", side=lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1)
sizes("padding_subtracted", "was subtracted", side=lambda n, k, s, p, d: (n - 2 * p - d * (k - 1) - 1) // s + 1)
sizes("no_dilation", "dilation was left out", side=lambda n, k, s, p, d: (n + 2 * p - k) // s + 1)
sizes("dilation_times_kernel", "dilation * kernel pixels", side=lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1)
sizes(
    "dilation_as_gaps",
    "number of pixels left out",
    side=lambda n, k, s, p, d: (n + 2 * p - (d + 1) * (k - 1) - 1) // s + 1,
)
sizes("no_stride", "stride was left out", side=lambda n, k, s, p, d: n + 2 * p - d * (k - 1))
sizes("stride_of_two", "written as 2", side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // 2 + 1)
sizes("bracket_misplaced", "bracket is misplaced", side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s)
sizes(
    "no_brackets",
    "brackets are missing",
    side=lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1,
)
# Two mistakes at once, or an odd one: a third must not be named.
BY_HAND = "with padding it is"
sizes("no_dilation_and_padding_once", BY_HAND, side=lambda n, k, s, p, d: (n + p - k) // s + 1)
sizes("kernel_plus_dilation", BY_HAND, side=lambda n, k, s, p, d: (n + 2 * p - (k + d - 1)) // s + 1)
sizes("one_too_many", BY_HAND, side=lambda n, k, s, p, d: place_count(n, k, s, p, d) + 1)
sizes("plus_for_minus", BY_HAND, side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) + 1) // s)
sizes("two_at_least", BY_HAND, side=lambda *numbers: max(2, place_count(*numbers)))
sizes("stride_plus_one", BY_HAND, side=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // (s + 1) + 1)
sizes(
    "no_bias_for_single_pixels",
    "each with 2 * 1 * 1 weights and one bias",
    parameters=lambda i, o, r, c, *rest: o * (i * r * c + (r * c > 1)),
)
sizes("picture_by_stride", "picture alone was divided", side=lambda n, k, s, p, d: n // s)
sizes("kernel_forgotten", "kernel was not taken away", side=lambda n, k, s, p, d: (n + 2 * p - 1) // s + 1)
sizes("unchanged_size", "size of the picture came back", side=lambda n, k, s, p, d: n)
sizes("transposed_size", "*transposed*", side=lambda n, k, s, p, d: (n - 1) * s - 2 * p + d * (k - 1) + 1)
for place, name in enumerate(("picture", "kernel", "stride", "padding", "dilation")):
    if place:
        sizes(
            f"{name}_swapped",
            f"Rows and columns of the {name} are swapped",
            pairs=lambda *pairs, n=place: [pair[::-1] if at == n else pair for at, pair in enumerate(pairs)],
        )
    sizes(
        f"square_{name}",
        f"One number of the {name}",
        pairs=lambda *pairs, n=place: [(pair[0],) * 2 if at == n else pair for at, pair in enumerate(pairs)],
    )
sizes(
    "all_pairs_square", "first number of each pair", pairs=lambda first, *pairs: [first, *((p[0],) * 2 for p in pairs)]
)
sizes(
    "sides_swapped", "Height and width are swapped", back=lambda shape, count: ((shape[0], shape[2], shape[1]), count)
)
sizes("picture_read_as_width_height", "Height and width are swapped", pairs=lambda first, *pairs: [first[::-1], *pairs])
sizes("no_biases", "biases are missing", parameters=lambda i, o, r, c, *rest: o * i * r * c)
sizes("one_bias", "not one for the whole layer", parameters=lambda i, o, r, c, *rest: o * i * r * c + 1)
sizes("bias_for_each_input", "as many as the input has", parameters=lambda i, o, r, c, *rest: o * i * r * c + i)
sizes("bias_for_each_kernel", "channels are added up first", parameters=lambda i, o, r, c, *rest: o * i * (r * c + 1))
sizes(
    "bias_for_each_place", "one for each place", parameters=lambda i, o, r, c, at, *_: o * i * r * c + o * math.prod(at)
)
sizes("no_input_channels", "channels of the input are missing", parameters=lambda i, o, r, c, *rest: o * (r * c + 1))
sizes("no_output_channels", "output channels are missing", parameters=lambda i, o, r, c, *rest: i * r * c + 1)
sizes("channels_added", "channels were added", parameters=lambda i, o, r, c, *rest: (i + o) * r * c + o)
sizes("square_kernel_counted", "as a square of its rows", parameters=lambda i, o, r, c, *rest: o * (i * r * r + 1))
sizes("kernel_sides_added", "of the kernel were added", parameters=lambda i, o, r, c, *rest: o * (i * (r + c) + 1))
sizes(
    "not_shared",
    "once for each place",
    parameters=lambda i, o, r, c, at, *rest: o * (i * r * c + 1) * math.prod(at),
)
sizes("outputs_counted", "numbers that come *out*", parameters=lambda i, o, r, c, at, *rest: o * math.prod(at))
sizes(
    "fully_connected",
    "fully connected",
    parameters=lambda i, o, r, c, at, image, d: o * math.prod(at) * (math.prod(image) + 1),
)
sizes(
    "dilated_kernel_counted",
    "Dilation adds no weights",
    parameters=lambda i, o, r, c, at, image, d: o * (i * (d[0] * (r - 1) + 1) * (d[1] * (c - 1) + 1) + 1),
)
sizes(
    "weights_by_picture",
    "size of the picture is in",
    parameters=lambda i, o, r, c, at, image, d: o * (math.prod(image) + 1),
)
sizes("in_one_row", "in one row", back=lambda shape, count: (*shape, count))
sizes("shape_alone", "Two things come back", back=lambda shape, count: shape)
sizes("channels_last", "The channels come first", back=lambda shape, count: ((*shape[1:], shape[0]), count))
sizes("as_torch_size", "tuple(...) makes one", back=lambda shape, count: (torch.Size(shape), count))
sizes("as_numbers_of_numpy", "int(...) makes one", back=lambda shape, count: (shape, np.int64(count)))
sizes("as_floats", "All four are plain whole numbers", back=lambda shape, count: (tuple(map(float, shape)), count))
sizes(
    "as_tensors", "All four are plain whole numbers", back=lambda shape, count: (tuple(map(torch.tensor, shape)), count)
)
sizes("returns_nothing", "Nothing was returned", back=lambda shape, count: None)


@wrong("05.size", "out_channels channels; these are the input's")
def channels_of_the_input(image, out_channels, *pairs):
    (_, *sides), count = shapes()(image, out_channels, *pairs)
    return (image[0], *sides), count


@wrong("05.size", "take [0] and [1] of each")
def pairs_as_numbers(image, out_channels, kernel, stride, padding, dilation):
    return (out_channels, (image[1] - kernel + 2 * padding) // stride + 1, 1), 0


@wrong("05.size", "kernel[0] * kernel[1] numbers")
def kernel_times_kernel(image, out_channels, kernel, stride, padding, dilation):
    return (out_channels, 1, 1), out_channels * (image[0] * kernel * kernel + 1)


@wrong("05.size", "(height, width, channels): it is")
def channels_of_the_picture_last(image, *rest):
    return shapes()((image[2], image[0], image[1]), *rest)


@wrong("05.size", "image has three numbers")
def image_of_two(image, out_channels, kernel, stride, padding, dilation):
    height, width = image
    return (out_channels, height, width), 0


# --- 05.conv2d ------------------------------------------------------------------------------------------------------


def framed(x, padding, value=0.0):
    return functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=value)


def windows_of(x, kernel, stride, dilation=(1, 1)):
    """x is padded already -> (batch, channel, down, right, rows, columns)."""
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    x = x.unfold(2, spans[0], stride[0]).unfold(3, spans[1], stride[1])
    return x[..., :: dilation[0], :: dilation[1]]


def bare_convolution(x, weight, stride, padding, dilation):
    windows = windows_of(framed(x, padding), weight.shape[2:], stride, dilation)
    return torch.einsum("ncijkm,ockm->noij", windows, weight)


def convolution(x, weight, bias, stride, padding, dilation):
    return bare_convolution(x, weight, stride, padding, dilation) + bias[:, None, None]


@right("05.conv2d")
def seven_loops(x, weight, bias, stride, padding, dilation):
    batch, channels, height, width = x.shape
    out, _, rows, columns = weight.shape
    high = place_count(height, rows, stride[0], padding[0], dilation[0])
    wide = place_count(width, columns, stride[1], padding[1], dilation[1])
    y = torch.zeros(batch, out, high, wide, dtype=x.dtype)
    for n in range(batch):
        for o in range(out):
            for i in range(high):
                for j in range(wide):
                    total = bias[o]
                    for c in range(channels):
                        for k in range(rows):
                            for m in range(columns):
                                row = i * stride[0] + k * dilation[0] - padding[0]
                                column = j * stride[1] + m * dilation[1] - padding[1]
                                if 0 <= row < height and 0 <= column < width:
                                    total = total + x[n, c, row, column] * weight[o, c, k, m]
                    y[n, o, i, j] = total
    return y


@right("05.conv2d")
def slices_and_stack(x, weight, bias, stride, padding, dilation):
    x = framed(x, padding)
    rows, columns = ((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True))
    maps = []
    for top in range(0, x.shape[2] - rows + 1, stride[0]):
        line = []
        for left in range(0, x.shape[3] - columns + 1, stride[1]):
            window = x[:, None, :, top : top + rows : dilation[0], left : left + columns : dilation[1]]
            line.append((window * weight).sum(dim=(2, 3, 4)) + bias)
        maps.append(torch.stack(line, dim=-1))
    return torch.stack(maps, dim=-2)


@right("05.conv2d")
def unfold_and_matrix_product(x, weight, bias, stride, padding, dilation):
    columns = functional.unfold(x, weight.shape[2:], dilation, padding, stride)  # (batch, cells, places)
    y = weight.reshape(len(weight), -1) @ columns + bias[:, None]
    high = place_count(x.shape[2], weight.shape[2], stride[0], padding[0], dilation[0])
    return y.reshape(len(x), len(weight), high, -1)


@right("05.conv2d")
def by_torch(x, weight, bias, stride, padding, dilation):
    return functional.conv2d(x.contiguous(), weight.contiguous(), bias, stride, padding, dilation)


@right("05.conv2d")
def in_double_and_back(x, weight, bias, *settings):
    return convolution(x.double(), weight.double(), bias.double(), *settings).to(x.dtype)


def convolutions(name, phrase, function):
    function.__name__ = name
    wrong("05.conv2d", phrase)(function)


def one_sided(x, padding):
    return functional.pad(x, (2 * padding[1], 0, 2 * padding[0], 0))


def padded_as(mode):
    def answer(x, w, b, s, p, d):
        if mode == "reflect":  # a single row cannot be reflected
            mirrored = framed(x, p) if min(x.shape[2:]) <= max(p) else functional.pad(x, (p[1], p[1], p[0], p[0]), mode)
            return convolution(mirrored, w, b, s, (0, 0), d)
        return convolution(functional.pad(x, (p[1], p[1], p[0], p[0]), mode), w, b, s, (0, 0), d)

    return answer


def tight(x, w, b, s, p, d):
    """The number of places is right, and the windows move by one."""
    wanted = convolution(x, w, b, s, p, d)
    return convolution(x, w, b, (1, 1), p, d)[:, :, : wanted.shape[2], : wanted.shape[3]]


def undilated(x, w, b, s, p, d):
    wanted = convolution(x, w, b, s, p, d)
    return convolution(x, w, b, s, p, (1, 1))[:, :, : wanted.shape[2], : wanted.shape[3]]


def each_channel(x, w, *settings):
    return torch.stack([bare_convolution(x[:, [c]], w[:, [c]], *settings) for c in range(x.shape[1])])


def into_zeros(x, w, *rest):
    y = convolution(x, w, *rest)
    canvas = torch.zeros(y.shape)
    canvas[:] = y
    return canvas.to(x.dtype)


def always_same(x, w, b, s, p, d):
    return convolution(x, w, b, s, (w.shape[2] // 2, w.shape[3] // 2), d)


def into_the_first(x, *rest):
    y = torch.zeros_like(convolution(x, *rest))
    y[0] = convolution(x[:1], *rest)[0]
    return y


for case in (
    ("flipped_kernel", "turned round", lambda x, w, *rest: convolution(x, w.flip(2, 3), *rest)),
    ("flipped_rows", "turned round", lambda x, w, *rest: convolution(x, w.flip(2), *rest)),
    ("no_bias", "bias is missing", lambda x, w, b, *rest: bare_convolution(x, w, *rest)),
    ("bias_subtracted", "subtracted", lambda x, w, b, *rest: bare_convolution(x, w, *rest) - b[:, None, None]),
    (
        "bias_for_each_input_channel",
        "once for each input channel",
        lambda x, w, b, *rest: convolution(x, w, b * x.shape[1], *rest),
    ),
    (
        "bias_for_each_product",
        "in every turn of a loop over the kernel's numbers",
        lambda x, w, b, *rest: convolution(x, w, b * w[0].numel(), *rest),
    ),
    (
        "bias_for_each_row_of_the_kernel",
        "in every turn of a loop over the kernel's numbers",
        lambda x, w, b, *rest: convolution(x, w, b * w.shape[2], *rest),
    ),
    ("sum_of_all_biases", "sum of all biases", lambda x, w, b, *rest: bare_convolution(x, w, *rest) + b.sum()),
    ("bias_along_columns", "along the wrong axis", lambda x, w, b, *rest: bare_convolution(x, w, *rest) + b),
    (
        "bias_along_rows",
        "bias[:, None, None] with the channels",
        lambda x, w, b, *rest: bare_convolution(x, w, *rest) + b[:, None],
    ),
    ("first_bias_for_all", "the first one", lambda x, w, b, *rest: convolution(x, w, b[:1].expand_as(b), *rest)),
    (
        "first_channel_alone",
        "only one of them came in",
        lambda x, w, b, *rest: each_channel(x, w, *rest)[0] + b[:, None, None],
    ),
    (
        "last_channel_overwrites",
        "+= and not =",
        lambda x, w, b, *rest: each_channel(x, w, *rest)[-1] + b[:, None, None],
    ),
    ("mean_over_channels", "their mean", lambda x, w, b, *rest: each_channel(x, w, *rest).mean(0) + b[:, None, None]),
    (
        "channels_not_summed",
        "still stands by itself",
        lambda x, w, b, *rest: (each_channel(x, w, *rest) + b[:, None, None]).transpose(0, 1).flatten(1, 2),
    ),
    (
        "mean_over_the_window",
        "averaged",
        lambda x, w, b, *rest: bare_convolution(x, w, *rest) / w[0].numel() + b[:, None, None],
    ),
    (
        "one_kernel_for_all_inputs",
        "every input channel",
        lambda x, w, *rest: convolution(x, w[:, :1].expand_as(w), *rest),
    ),
    (
        "one_kernel_for_all_outputs",
        "every output channel",
        lambda x, w, *rest: convolution(x, w[:1].expand_as(w), *rest),
    ),
    ("no_stride", "stride was left out", lambda x, w, b, s, p, d: convolution(x, w, b, (1, 1), p, d)),
    (
        "stride_of_two",
        "or it is written as a number",
        lambda x, w, b, s, p, d: convolution(x, w, b, (2, 2) if max(s) > 1 else s, p, d),
    ),
    ("stride_swapped", "of the stride are swapped", lambda x, w, b, s, p, d: convolution(x, w, b, s[::-1], p, d)),
    (
        "square_stride",
        "Only one number of the stride",
        lambda x, w, b, s, p, d: convolution(x, w, b, (s[0], s[0]), p, d),
    ),
    ("windows_move_by_one", "move by single pixels", tight),
    ("no_padding", "padding was left out", lambda x, w, b, s, p, d: convolution(x, w, b, s, (0, 0), d)),
    ("padding_swapped", "of the padding are swapped", lambda x, w, b, s, p, d: convolution(x, w, b, s, p[::-1], d)),
    (
        "square_padding",
        "Only one number of the padding",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, (p[1], p[1]), d),
    ),
    (
        "columns_alone_padded",
        "Only one number of the padding",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, (0, p[1]), d),
    ),
    (
        "padding_as_it_came",
        "padding reached the wrong sides",
        lambda x, w, b, s, p, d: convolution(functional.pad(x, p), w, b, s, (0, 0), d),
    ),
    (
        "padding_in_turns",
        "padding reached the wrong sides",
        lambda x, w, b, s, p, d: convolution(functional.pad(x, (*p, *p)), w, b, s, (0, 0), d),
    ),
    (
        "padding_twice",
        "padding was added twice",
        lambda x, w, b, s, p, d: convolution(framed(x, p), w, b, s, p, d),
    ),
    ("padding_in_front", "one side only", lambda x, w, b, s, p, d: convolution(one_sided(x, p), w, b, s, (0, 0), d)),
    (
        "padding_of_the_result",
        "around the result",
        lambda x, w, b, s, p, d: framed(convolution(x, w, b, s, (0, 0), d), p),
    ),
    (
        "padding_with_ones",
        "padding holds ones",
        lambda x, w, b, s, p, d: convolution(framed(x, p, 1.0), w, b, s, (0, 0), d),
    ),
    ("padding_repeats", "repeats, mirrors or wraps", padded_as("replicate")),
    ("no_dilation", "dilation was left out", lambda x, w, b, s, p, d: convolution(x, w, b, s, p, (1, 1))),
    ("dilation_in_the_size_alone", "counts for the size", undilated),
    ("dilation_swapped", "of the dilation are swapped", lambda x, w, b, s, p, d: convolution(x, w, b, s, p, d[::-1])),
    (
        "square_dilation",
        "Only one number of the dilation",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, p, (d[0], d[0])),
    ),
    (
        "square_dilation_of_columns",
        "Only one number of the dilation",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, p, (d[1], d[1])),
    ),
    (
        "dilation_of_columns_alone",
        "Only one number of the dilation",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, p, (1, d[1])),
    ),
    (
        "dilation_as_gaps",
        "pixels left out",
        lambda x, w, b, s, p, d: convolution(x, w, b, s, p, (d[0] + 1, d[1] + 1)),
    ),
    ("last_places_missing", "the + 1 counts the first place", lambda *args: convolution(*args)[:, :, :-1, :-1]),
    ("height_and_width_swapped", "their axes are not", lambda *args: convolution(*args).mT),
    ("channels_last", "their axes are not", lambda *args: convolution(*args).permute(0, 2, 3, 1)),
    ("flat_places", "the shape is not", lambda *args: convolution(*args).flatten(2)),
    ("with_a_relu", "ReLU of the result", lambda *args: convolution(*args).relu()),
    (
        "independent_of_x",
        "does not depend on x",
        lambda x, w, b, *rest: 0 * bare_convolution(x, w, *rest) + b[:, None, None],
    ),
    ("one_picture_for_all", "first picture of the batch", lambda x, *rest: convolution(x[:1].expand_as(x), *rest)),
    ("batch_summed", "batch were added up", lambda x, *rest: convolution(x, *rest).sum(0, keepdim=True)),
    ("always_float32", "The dtype should be torch.float64", lambda *args: convolution(*args).float()),
    (
        "through_float32",
        "about seven digits",
        lambda x, w, b, *rest: convolution(x.float(), w.float(), b.float(), *rest).to(x.dtype),
    ),
    ("zeros_without_a_dtype", "about seven digits", into_zeros),
    ("by_the_padding_of_the_kernel", "number of places is another one", always_same),
    ("only_one_picture_written", "first picture of the batch", into_the_first),
    ("unknown_fault", "Do the first place that differs by hand", lambda *args: convolution(*args) * 1.01),
    ("numpy_array", "torch.tensor(...) makes one", lambda *args: np.asarray(convolution(*args).tolist())),
):
    convolutions(*case)


def kernel_transposed(x, w, *rest):
    return convolution(x, w.mT, *rest)


convolutions("kernel_transposed", "Rows and columns of the kernel are swapped", kernel_transposed)


@wrong("05.conv2d", "Input and output channels of the weight are swapped")
def channels_of_the_weight_swapped(x, weight, *rest):
    weight = weight.transpose(0, 1) if len(weight) == weight.shape[1] else weight
    return convolution(x, weight, *rest)


@wrong("05.conv2d", "in different orders")
def cells_in_another_order(x, weight, bias, stride, padding, dilation):
    windows = windows_of(framed(x, padding), weight.shape[2:], stride, dilation)
    batch, _, down, right = windows.shape[:4]
    table = windows.permute(0, 2, 3, 4, 5, 1).reshape(batch, down, right, -1)  # row, column, channel
    return (table @ weight.reshape(len(weight), -1).T).permute(0, 3, 1, 2) + bias[:, None, None]


def by_places(
    x,
    weight,
    bias,
    stride,
    padding,
    dilation,
    framed=framed,
    span=lambda k, d: d * (k - 1) + 1,
    steps=lambda dilation: dilation,
    starts=lambda stride: stride,
    count=place_count,
):
    """Windows cut out at places that the formula counts."""
    rows, columns = weight.shape[2:]
    high, wide = (count(x.shape[2 + n], weight.shape[2 + n], stride[n], padding[n], dilation[n]) for n in (0, 1))
    x = framed(x, padding)
    tall, broad = span(rows, dilation[0]), span(columns, dilation[1])
    down, right = steps(dilation)
    y = torch.zeros(len(x), len(weight), high, wide, dtype=x.dtype)
    for i in range(high):
        for j in range(wide):
            top, left = i * starts(stride)[0], j * starts(stride)[1]
            window = x[:, None, :, top : top + tall : down, left : left + broad : right]
            y[:, :, i, j] = (window * weight).sum(dim=(2, 3, 4)) + bias
    return y


@wrong("05.conv2d", "without padding all was right")
def places_without_a_frame(*args):
    return by_places(*args, framed=lambda x, padding: x)


@wrong("05.conv2d", "functional.pad counts from the last axis")
def places_and_another_frame(*args):
    return by_places(*args, framed=lambda x, p: functional.pad(x, (p[0], p[0], p[1], p[1])))


@wrong("05.conv2d", "window ends too early")
def slice_ends_with_the_kernel(*args):
    return by_places(*args, span=lambda kernel, dilation: kernel)


@wrong("05.conv2d", "(with the + 1)")
def slice_one_short(*args):
    return by_places(*args, span=lambda kernel, dilation: dilation * (kernel - 1))


@wrong("05.conv2d", "A window is too long")
def slice_without_steps(*args):
    return by_places(*args, steps=lambda dilation: (1, 1))


@wrong("05.conv2d", "A window is too long")
def slice_without_the_step_of_the_rows(*args):
    return by_places(*args, steps=lambda dilation: (1, dilation[1]))


@wrong("05.conv2d", "two steps of the window are swapped")
def slice_with_swapped_steps(*args):
    return by_places(*args, steps=lambda dilation: dilation[::-1])


@wrong("05.conv2d", "begin with the wrong number of the stride")
def windows_begin_at_the_swapped_stride(*args):
    return by_places(*args, starts=lambda stride: stride[::-1])


@wrong("05.conv2d", "Either the padding is counted twice")
def places_of_a_picture_framed_twice(*args):
    return by_places(*args, count=lambda n, k, s, p, d: place_count(n, k, s, 2 * p, d))


@wrong("05.conv2d", "there are too many")
def more_places_than_windows(x, weight, bias, stride, padding, dilation):
    """Padding counted twice where no window is cut: pixels outside are left out."""
    extra = [padding[n] * 2 // stride[n] for n in (0, 1)]
    return functional.pad(convolution(x, weight, bias, stride, padding, dilation), (0, extra[1], 0, extra[0]))


def through_unfold(x, weight, bias, stride, padding, dilation, thin, span=lambda k, d: d * (k - 1) + 1):
    x = framed(x, padding)
    rows, columns = (span(k, d) for k, d in zip(weight.shape[2:], dilation, strict=True))
    windows = thin(x.unfold(2, rows, stride[0]).unfold(3, columns, stride[1]), dilation)
    batch, _, down, right = windows.shape[:4]
    table = windows.permute(0, 2, 3, 1, 4, 5).reshape(batch * down * right, -1)
    return (table @ weight.flatten(1).T + bias).reshape(batch, down, right, -1).permute(0, 3, 1, 2)


@wrong("05.conv2d", "alone thins the last axis, the columns")
def columns_thinned_by_the_step_of_the_rows(*args):
    return through_unfold(*args, thin=lambda windows, dilation: windows[..., :: dilation[0]])


@wrong("05.conv2d", "alone thins the last axis, the columns")
def columns_alone_thinned(x, weight, bias, stride, padding, dilation):
    windows = windows_of(framed(x, padding), [dilation[n] * (weight.shape[2 + n] - 1) + 1 for n in (0, 1)], stride)
    return torch.einsum("ncijkm,ockm->noij", windows[..., :: dilation[1]], weight) + bias[:, None, None]


@wrong("05.conv2d", "A window is too long")
def rows_alone_thinned(*args):
    return through_unfold(*args, thin=lambda windows, dilation: windows[..., :: dilation[0], :])


@wrong("05.conv2d", "Either its two steps are swapped")
def thinned_by_swapped_steps(*args):
    return through_unfold(*args, thin=lambda windows, dilation: windows[..., :: dilation[1], :: dilation[0]])


@wrong("05.conv2d", "taken for kernel * dilation pixels long")
def windows_of_kernel_times_dilation(*args):
    return through_unfold(
        *args,
        thin=lambda windows, dilation: windows[..., :: dilation[0], :: dilation[1]],
        span=lambda kernel, dilation: kernel * dilation,
    )


@wrong("05.conv2d", "in every turn of a loop over the kernel's numbers")
def bias_in_the_loop_over_the_kernel(x, weight, bias, stride, padding, dilation):
    y = bare_convolution(x, weight, stride, padding, dilation)
    for o in range(len(weight)):
        for _ in range(weight[0].numel()):
            y[:, o] += bias[o]
    return y


@wrong("05.conv2d", "where their axes should be moved first")
def table_without_permute(x, weight, bias, stride, padding, dilation):
    windows = windows_of(framed(x, padding), weight.shape[2:], stride, dilation)
    batch, _, down, right = windows.shape[:4]
    table = windows.reshape(batch * down * right, -1)
    return (table @ weight.reshape(len(weight), -1).T + bias).reshape(batch, down, right, -1).permute(0, 3, 1, 2)


@wrong("05.conv2d", "A slice that ends at -padding is empty")
def frame_by_a_slice(x, weight, bias, stride, padding, dilation):
    rows, columns = padding
    canvas = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * rows, x.shape[3] + 2 * columns)
    canvas[:, :, rows:-rows, columns:-columns] = x
    return convolution(canvas, weight, bias, stride, (0, 0), dilation)


@wrong("05.conv2d", "was written to")
def writes_the_same_into_x(x, *rest):
    x[...] = x.clone()
    return convolution(x, *rest)


@wrong("05.conv2d", "reshape keeps the order of the numbers")
def reshaped_where_axes_should_move(x, weight, bias, stride, padding, dilation):
    windows = windows_of(framed(x, padding), weight.shape[2:], stride, dilation)
    batch, _, down, right = windows.shape[:4]
    table = windows.permute(0, 2, 3, 1, 4, 5).reshape(batch, down, right, -1)
    return (table @ weight.reshape(len(weight), -1).T + bias).reshape(batch, len(weight), down, right)


@wrong("05.conv2d", "was changed")
def adds_into_the_bias(x, weight, bias, *rest):
    y = bare_convolution(x, weight, *rest)
    bias += 0.5
    return y + bias[:, None, None] - 0.5


@wrong("05.conv2d", "view works only where the entries lie in order")
def view_of_a_view(x, weight, bias, stride, padding, dilation):
    batch, channels = x.shape[:2]
    x = x.view(batch * channels, 1, -1).view(x.shape)
    return convolution(x, weight, bias, stride, padding, dilation)


@wrong("05.conv2d", "without dilation all was right")
def window_without_dilation(x, weight, bias, stride, padding, dilation):
    x = framed(x, padding)
    rows, columns = ((k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True))
    maps = [
        torch.stack(
            [
                (x[:, None, :, top : top + rows, left : left + columns] * weight).sum(dim=(2, 3, 4)) + bias
                for left in range(0, x.shape[3] - columns + 1, stride[1])
            ],
            dim=-1,
        )
        for top in range(0, x.shape[2] - rows + 1, stride[0])
    ]
    return torch.stack(maps, dim=-2)


@wrong("05.conv2d", "A window reaches beyond")
def places_beyond_the_edge(x, weight, bias, stride, padding, dilation):
    x = framed(x, padding)
    y = torch.zeros(len(x), len(weight), x.shape[2], x.shape[3], dtype=x.dtype)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            for k in range(weight.shape[2]):
                for m in range(weight.shape[3]):
                    y[:, :, i, j] += x[:, :, i + k, j + m] @ weight[:, :, k, m].T
    return y + bias[:, None, None]


@wrong("05.conv2d", "No slope reaches x")
def numbers_by_item(x, weight, bias, *settings):
    return torch.tensor(convolution(x, weight, bias, *settings).tolist(), dtype=x.dtype)


@wrong("05.conv2d", "No slope reaches weight")
def weight_detached(x, weight, bias, *settings):
    return convolution(x, weight.detach(), bias, *settings)


@wrong("05.conv2d", "No slope reaches bias")
def bias_by_item(x, weight, bias, *settings):
    return bare_convolution(x, weight, *settings) + torch.tensor(bias.tolist(), dtype=x.dtype)[:, None, None]


@wrong("05.conv2d", "The slope is 0 everywhere")
def slope_of_nothing(x, weight, bias, *settings):
    return convolution(x, weight, bias, *settings).detach() + 0 * (x.sum() + weight.sum() + bias.sum())


@wrong("05.conv2d", "a part of the way is not on torch's record")
def half_of_the_slope(x, weight, bias, *settings):
    y = convolution(x, weight, bias, *settings)
    return (y + y.detach()) / 2


@wrong("05.conv2d", "A tensor was written over that the slope still needs")
def one_buffer_for_all_windows(x, weight, bias, stride, padding, dilation):
    windows = windows_of(framed(x, padding), weight.shape[2:], stride, dilation)
    y = torch.zeros(len(x), len(weight), *windows.shape[2:4], dtype=x.dtype)
    buffer = torch.empty(len(x), 1, *weight.shape[1:], dtype=x.dtype)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            buffer.copy_(windows[:, None, :, i, j])
            y[:, :, i, j] = (buffer * weight).sum(dim=(2, 3, 4)) + bias
    return y


@wrong("05.conv2d", "No slope passes through numpy")
def through_numpy(x, weight, bias, *settings):
    x = torch.from_numpy(x.numpy().copy())
    return convolution(x, weight, bias, *settings)


@wrong("05.conv2d", "dtype=x.dtype")
def zeros_of_float32(x, weight, bias, stride, padding, dilation):
    batch, channels, height, width = x.shape
    canvas = torch.zeros(batch, channels, height + 2 * padding[0], width + 2 * padding[1])
    canvas[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width] = x
    windows = windows_of(canvas, weight.shape[2:], stride, dilation)
    table = windows.permute(0, 2, 3, 1, 4, 5).flatten(3)
    return (table @ weight.reshape(len(weight), -1).T + bias).permute(0, 3, 1, 2)


# --- 05.max_pool ----------------------------------------------------------------------------------------------------


def pooled(x, kernel, stride, padding, value=-math.inf):
    return windows_of(framed(x, padding, value), kernel, stride).amax((4, 5))


@right("05.max_pool")
def loops_over_places(x, kernel, stride, padding):
    x = framed(x, padding, -1e30)
    high = (x.shape[2] - kernel[0]) // stride[0] + 1
    wide = (x.shape[3] - kernel[1]) // stride[1] + 1
    y = torch.empty(*x.shape[:2], high, wide, dtype=x.dtype)
    for i in range(high):
        for j in range(wide):
            top, left = i * stride[0], j * stride[1]
            y[:, :, i, j] = x[:, :, top : top + kernel[0], left : left + kernel[1]].amax(dim=(2, 3))
    return y


@right("05.max_pool")
def only_pixels(x, kernel, stride, padding):
    """No padding at all: each window is cut where the picture ends."""
    height, width = x.shape[2:]
    rows = []
    for i in range(place_count(height, kernel[0], stride[0], padding[0], 1)):
        top = i * stride[0] - padding[0]
        band = x[:, :, max(top, 0) : top + kernel[0]].max(dim=2).values
        cells = []
        for j in range(place_count(width, kernel[1], stride[1], padding[1], 1)):
            left = j * stride[1] - padding[1]
            cells.append(band[:, :, max(left, 0) : left + kernel[1]].max(dim=2).values)
        rows.append(torch.stack(cells, dim=2))
    return torch.stack(rows, dim=2)


@right("05.max_pool")
def padding_repeats_the_edge(x, kernel, stride, padding):
    """A copy of the nearest pixel, which is in the window anyhow."""
    x = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]), mode="replicate")
    return windows_of(x, kernel, stride).flatten(4).max(dim=-1).values


@right("05.max_pool")
def by_torch_itself(x, kernel, stride, padding):
    return functional.max_pool2d(x, kernel, stride, padding)


@right("05.max_pool")
def by_unfold_of_functional(x, kernel, stride, padding):
    batch, channels = x.shape[:2]
    x = framed(x, padding, torch.finfo(x.dtype).min)
    high = (x.shape[2] - kernel[0]) // stride[0] + 1
    columns = functional.unfold(x, kernel, stride=stride).reshape(batch, channels, kernel[0] * kernel[1], -1)
    return columns.amax(2).reshape(batch, channels, high, -1)


def pools(name, phrase, function):
    function.__name__ = name
    wrong("05.max_pool", phrase)(function)


def from_zero(x, kernel, stride, padding):
    """A running maximum that begins with 0."""
    y = torch.zeros_like(pooled(x, kernel, stride, padding))
    return torch.maximum(y, pooled(x, kernel, stride, padding))


for case in (
    ("padding_with_zeros", "The padding won", lambda *args: pooled(*args, 0.0)),
    ("begins_with_zero", "running maximum that begins with 0", from_zero),
    ("mean", "mean of each window", lambda x, k, s, p: windows_of(framed(x, p), k, s).mean((4, 5))),
    (
        "mean_of_pixels",
        "mean of each window",
        lambda x, k, s, p: functional.avg_pool2d(x, k, s, p, count_include_pad=False),
    ),
    ("smallest", "smallest of each window", lambda x, *rest: -pooled(-x, *rest)),
    ("sum_of_the_window", "sum of each window", lambda x, k, s, p: windows_of(framed(x, p), k, s).sum((4, 5))),
    ("largest_size", "sign dropped", lambda x, *rest: pooled(x.abs(), *rest)),
    ("no_stride", "stride was left out", lambda x, k, s, p: pooled(x, k, (1, 1), p)),
    ("stride_is_the_kernel", "side by side", lambda x, k, s, p: pooled(x, k, k, p)),
    ("stride_swapped", "of the stride are swapped", lambda x, k, s, p: pooled(x, k, s[::-1], p)),
    ("kernel_swapped", "of the kernel are swapped", lambda x, k, s, p: pooled(x, k[::-1], s, p)),
    ("padding_swapped", "of the padding are swapped", lambda x, k, s, p: pooled(x, k, s, p[::-1])),
    ("square_kernel", "Only one number of the kernel", lambda x, k, s, p: pooled(x, (k[0], k[0]), s, p)),
    ("square_stride", "Only one number of the stride", lambda x, k, s, p: pooled(x, k, (s[1], s[1]), p)),
    ("square_padding", "Only one number of the padding", lambda x, k, s, p: pooled(x, k, s, (p[0], p[0]))),
    ("columns_alone_padded", "Only one number of the padding", lambda x, k, s, p: pooled(x, k, s, (0, p[1]))),
    ("all_pairs_swapped", "in all the pairs", lambda x, k, s, p: pooled(x, k[::-1], s[::-1], p[::-1])),
    (
        "windows_move_by_one",
        "move by single pixels",
        lambda x, k, s, p: (y := pooled(x, k, s, p), pooled(x, k, (1, 1), p))[1][:, :, : y.shape[2], : y.shape[3]],
    ),
    ("padding_with_minus_one", "it is no pixel: the padding", lambda *args: pooled(*args, -1.5)),
    ("padding_with_minus_hundred", "it is no pixel: the padding", lambda *args: pooled(*args, -100.0)),
    ("padding_with_minus_9999", "it is no pixel: the padding", lambda *args: pooled(*args, -9999.0)),
    ("padding_with_the_smallest", "lost slope to the padding", lambda x, *rest: pooled(x, *rest, x.min().item())),
    (
        "padding_wraps",
        "wraps or mirrors",
        lambda x, k, s, p: pooled(functional.pad(x, (p[1], p[1], p[0], p[0]), mode="circular"), k, s, (0, 0)),
    ),
    ("whole_numbers", "The dtype should be", lambda *args: pooled(*args).long()),
    (
        "along_one_axis",
        "along one axis of the window",
        lambda x, k, s, p: windows_of(framed(x, p, -math.inf), k, s).amax(-1),
    ),
    (
        "max_of_two_axes",
        "amax takes several",
        lambda x, k, s, p: windows_of(framed(x, p, -math.inf), k, s).max(dim=(4, 5)),
    ),
    (
        "max_of_a_pair",
        "take .values",
        lambda x, k, s, p: windows_of(framed(x, p, -math.inf), k, s).max(-1).max(-1),
    ),
    ("kernel_and_stride_swapped", "Kernel and stride are swapped", lambda x, k, s, p: pooled(x, s, k, p)),
    ("no_padding", "padding was left out", lambda x, k, s, p: pooled(x, k, s, (0, 0))),
    (
        "padding_in_front",
        "one side only",
        lambda x, k, s, p: pooled(functional.pad(x, (2 * p[1], 0, 2 * p[0], 0), value=-math.inf), k, s, (0, 0)),
    ),
    ("last_places_missing", "the + 1 counts the first place", lambda *args: pooled(*args)[:, :, :-1, :-1]),
    (
        "rounded_up",
        "beyond the padding was counted",
        lambda x, k, s, p: functional.max_pool2d(x, k, s, p, ceil_mode=True),
    ),
    (
        "over_the_channels",
        "taken over the channels too",
        lambda *args: (y := pooled(*args)).amax(1, keepdim=True).expand_as(y),
    ),
    (
        "over_the_batch",
        "taken over the pictures",
        lambda *args: (y := pooled(*args)).amax(0, keepdim=True).expand_as(y),
    ),
    ("rows_alone", "Only the rows were pooled", lambda x, k, s, p: pooled(x, (k[0], 1), (s[0], 1), (p[0], 0))),
    ("first_pixel", "first pixel of each window", lambda x, k, s, p: windows_of(framed(x, p), k, s)[..., 0, 0]),
    (
        "first_row_of_the_window",
        "Only the first row or column",
        lambda x, k, s, p: windows_of(framed(x, p, -math.inf), k, s)[..., 0, :].amax(-1),
    ),
    ("whole_picture", "one number for each channel", lambda x, *rest: x.amax((2, 3))),
    ("height_and_width_swapped", "their axes are not", lambda *args: pooled(*args).mT),
    ("channels_last", "their axes are not", lambda *args: pooled(*args).permute(0, 2, 3, 1)),
    ("nothing_pooled", "Nothing was pooled", lambda x, *rest: x),
    ("independent_of_x", "does not depend on x", lambda *args: torch.zeros_like(pooled(*args))),
    (
        "places_of_the_largest",
        "where the largest number stands",
        lambda x, k, s, p: windows_of(framed(x, p, -math.inf), k, s).flatten(4).argmax(-1),
    ),
    (
        "values_and_places",
        "take .values",
        lambda x, k, s, p: tuple(windows_of(framed(x, p, -math.inf), k, s).flatten(4).max(-1)),
    ),
    ("always_float32", "The dtype should be torch.float64", lambda *args: pooled(*args).float()),
    ("through_float32", "about seven digits", lambda x, *rest: pooled(x.float(), *rest).to(x.dtype)),
    ("unknown_fault", "which pixels lie in its window", lambda *args: pooled(*args) * 1.01),
):
    pools(*case)


@wrong("05.max_pool", "No slope reaches x")
def largest_by_item(x, kernel, stride, padding):
    windows = windows_of(framed(x, padding, -math.inf), kernel, stride)
    y = torch.empty(windows.shape[:4], dtype=x.dtype)
    for place in np.ndindex(*y.shape):
        y[place] = max(windows[place].flatten().tolist())
    return y


def pooled_from(x, kernel, stride, padding, begin, framed=framed):
    """Right where begin(i, j) is the corner of the window of place (i, j) in the framed picture."""
    high, wide = (place_count(x.shape[2 + n], kernel[n], stride[n], padding[n], 1) for n in (0, 1))
    x = framed(x, padding, -math.inf)
    rows = []
    for i in range(high):
        cells = []
        for j in range(wide):
            top, left = begin(i, j)
            cells.append(x[:, :, top : top + kernel[0], left : left + kernel[1]].amax((2, 3)))
        rows.append(torch.stack(cells, dim=-1))
    return torch.stack(rows, dim=-2)


@wrong("05.max_pool", "counts from the *end* of the axis")
def begins_below_zero(x, kernel, stride, padding):
    def begin(i, j):
        return i * stride[0] - padding[0], j * stride[1] - padding[1]

    return pooled_from(x, kernel, stride, padding, begin, framed=lambda x, *rest: x)


@wrong("05.max_pool", "the padding counts twice")
def framed_and_padding_taken_away(x, kernel, stride, padding):
    return pooled_from(
        x, kernel, stride, padding, lambda i, j: (i * stride[0] - padding[0], j * stride[1] - padding[1])
    )


@wrong("05.max_pool", "not i * kernel[0]")
def begins_at_the_kernel(x, kernel, stride, padding):
    return pooled_from(x, kernel, stride, padding, lambda i, j: (i * kernel[0], j * stride[1]))


@wrong("05.max_pool", "begin kernel apart")
def columns_begin_at_the_kernel(x, kernel, stride, padding):
    return pooled_from(x, kernel, stride, padding, lambda i, j: (i * stride[0], j * kernel[1]))


@wrong("05.max_pool", "rows and columns not swapped")
def begins_at_the_stride_of_the_columns(x, kernel, stride, padding):
    return pooled_from(x, kernel, stride, padding, lambda i, j: (i * stride[1], j * stride[1]))


@wrong("05.max_pool", "rows and columns not swapped")
def begins_at_the_swapped_stride(x, kernel, stride, padding):
    return pooled_from(x, kernel, stride, padding, lambda i, j: (i * stride[1], j * stride[0]))


@wrong("05.max_pool", "shared among all pixels")
def slope_of_the_mean(x, kernel, stride, padding):
    windows = windows_of(framed(x, padding), kernel, stride)
    mean = windows.mean((4, 5))
    return mean + (pooled(x, kernel, stride, padding) - mean).detach()


@wrong("05.max_pool", "The slope is 0 everywhere")
def slope_of_nothing_pooled(x, *rest):
    return pooled(x, *rest).detach() + 0 * x.sum()


@wrong("05.max_pool", "it goes to the largest pixel of each window")
def half_of_the_slope_pooled(x, *rest):
    y = pooled(x, *rest)
    return (y + y.detach()) / 2


@wrong("05.max_pool", "was changed")
def changes_x(x, *rest):
    x.neg_()
    return pooled(-x, *rest)


@wrong("05.max_pool", "reshape only when stride and kernel are the same")
def by_reshape(x, kernel, stride, padding):
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels, height // kernel[0], kernel[0], width // kernel[1], kernel[1]).amax((3, 5))


@wrong("05.max_pool", "view works only where the entries lie in order")
def view_of_a_view_pooled(x, kernel, stride, padding):
    return pooled(x.view(x.shape[0] * x.shape[1], 1, -1).view(x.shape), kernel, stride, padding)


# --- 05.equivariance ------------------------------------------------------------------------------------------------


def same_convolution(picture, weights):
    return functional.conv2d(picture[None, None], weights[None, None], padding=len(weights) // 2)[0, 0]


def by_loops(picture, weights):
    reach = len(weights) // 2
    height, width = picture.shape
    y = torch.zeros_like(picture)
    for k in range(-reach, reach + 1):
        for m in range(-reach, reach + 1):
            for i in range(max(0, -k), min(height, height - k)):
                for j in range(max(0, -m), min(width, width - m)):
                    y[i, j] += weights[k + reach, m + reach] * picture[i + k, j + m]
    return y


def shifted(picture, down, right):
    moved = torch.zeros_like(picture)
    moved[down:, right:] = picture[: len(picture) - down, : picture.shape[1] - right]
    return moved


def drawn(height, width, kernel, draw=lambda *shape: torch.rand(*shape, dtype=torch.float64) + 1):
    return draw(height, width), draw(kernel, kernel)


@right("05.equivariance")
def by_a_random_picture(height, width, kernel, down, right):
    picture, weights = drawn(height, width, kernel)
    one = same_convolution(shifted(picture, down, right), weights)
    return torch.isclose(one, shifted(same_convolution(picture, weights), down, right))


@right("05.equivariance")
def by_ones_in_float32(height, width, kernel, down, right):
    """Of the two sums one holds all that the other holds: it is enough to count the products."""
    picture, weights = torch.ones(height, width), torch.ones(kernel, kernel)
    one = same_convolution(shifted(picture, down, right), weights)
    return (one - shifted(same_convolution(picture, weights), down, right)).abs() < 0.5


@right("05.equivariance")
def by_many_normal_pictures(height, width, kernel, down, right):
    same = torch.ones(height, width, dtype=torch.bool)
    for _ in range(5):
        picture, weights = drawn(height, width, kernel, lambda *shape: torch.randn(*shape, dtype=torch.float64))
        one = same_convolution(shifted(picture, down, right), weights)
        same &= (one - shifted(same_convolution(picture, weights), down, right)).abs() < 1e-10
    return same


@right("05.equivariance")
def by_sets_of_pixels(height, width, kernel, down, right):
    """Which pixel of the old picture meets which number of the kernel, in either order."""
    reach = kernel // 2
    cells = torch.zeros(height, width, dtype=torch.bool)
    for i in range(height):
        for j in range(width):
            move_first, slide_first = set(), set()
            for k in range(-reach, reach + 1):
                for m in range(-reach, reach + 1):
                    old = (i + k - down, j + m - right)
                    if min(old) < 0:
                        continue
                    if 0 <= i + k < height and 0 <= j + m < width:
                        move_first.add((k, m, old))
                    if i >= down and j >= right and old[0] < height and old[1] < width:
                        slide_first.add((k, m, old))
            cells[i, j] = move_first == slide_first
    return cells


def masks(name, phrase, rule, exercise="05.equivariance"):
    """rule(row, column, reach, height, width, down, right)"""

    def answer(height, width, kernel, down, right):
        i, j = torch.arange(height)[:, None], torch.arange(width)
        cells = rule(i, j, kernel // 2, height, width, down, right)
        return torch.as_tensor(cells).expand(height, width).clone()

    answer.__name__ = name
    wrong(exercise, phrase)(answer)


def zeros_in(i, j, d, r):
    return (i < d) | (j < r)


def blind(i, j, p, d, r):
    return (i + p < d) | (j + p < r)


def nothing_lost(i, j, p, h, w, d, r):
    return ((i + p < h) | (d == 0)) & ((j + p < w) | (r == 0))


def looks_over(place, p, size, shift):
    """The bands at the two edges, where something moved at all."""
    return torch.tensor(shift > 0) & ((place < shift) & (place + p >= shift) | (place + p >= size))


def true_cells(i, j, p, h, w, d, r):
    return torch.where(zeros_in(i, j, d, r), blind(i, j, p, d, r), nothing_lost(i, j, p, h, w, d, r))


for case in (
    ("everything", "All cells were said to be kept", lambda *args: True),
    ("nothing", "No cell was said to be kept", lambda *args: False),
    ("negated", "True and False are swapped", lambda *args: ~true_cells(*args)),
    (
        "down_and_right_swapped",
        "Rows and columns are swapped",
        lambda i, j, p, h, w, d, r: true_cells(i, j, p, h, w, r, d),
    ),
    ("whole_kernel", "The whole kernel was counted", lambda i, j, p, *rest: true_cells(i, j, 2 * p + 1, *rest)),
    ("kernel_less_one", "and not kernel - 1", lambda i, j, p, *rest: true_cells(i, j, 2 * p, *rest)),
    ("one_pixel_more", "not one pixel more", lambda i, j, p, *rest: true_cells(i, j, p + 1, *rest)),
    ("one_pixel_less", "one pixel less, or always 1", lambda i, j, p, *rest: true_cells(i, j, max(0, p - 1), *rest)),
    ("reach_of_one", "one pixel less, or always 1", lambda i, j, p, *rest: true_cells(i, j, 1, *rest)),
    (
        "zeros_never_kept",
        "The far side is right",
        lambda i, j, p, h, w, d, r: ~zeros_in(i, j, d, r) & nothing_lost(i, j, p, h, w, d, r),
    ),
    (
        "zeros_always_kept",
        "all of these cells are said to be kept",
        lambda i, j, p, h, w, d, r: zeros_in(i, j, d, r) | nothing_lost(i, j, p, h, w, d, r),
    ),
    (
        "corner_wants_both",
        "along *one* of the two axes",
        lambda i, j, p, h, w, d, r: torch.where(
            zeros_in(i, j, d, r), ((i + p < d) | (d == 0)) & ((j + p < r) | (r == 0)), nothing_lost(i, j, p, h, w, d, r)
        ),
    ),
    (
        "far_side_everywhere",
        "0 is 0",
        lambda *args: true_cells(*args) & nothing_lost(*args),
    ),
    (
        "far_side_forgotten",
        "The side of the zeros is right",
        lambda i, j, p, h, w, d, r: torch.where(zeros_in(i, j, d, r), blind(i, j, p, d, r), True),
    ),
    ("picture_alone", "Only the zeros that moved in were looked at", lambda i, j, p, h, w, d, r: ~zeros_in(i, j, d, r)),
    ("zeros_alone", "These are the zeros that moved in", lambda i, j, p, h, w, d, r: zeros_in(i, j, d, r)),
    ("near_margin_alone", "on the *zeros'* side", lambda i, j, p, h, w, d, r: (i >= d + p) & (j >= r + p)),
    (
        "border_without_a_move",
        "on which nothing moved nothing is lost",
        lambda i, j, p, h, w, d, r: torch.where(zeros_in(i, j, d, r), blind(i, j, p, d, r), (i + p < h) & (j + p < w)),
    ),
    (
        "inside_alone",
        "This is the inside of the picture",
        lambda i, j, p, h, w, d, r: (i >= p) & (i + p < h) & (j >= p) & (j + p < w),
    ),
    (
        "margins_on_both_sides",
        "A margin of kernel // 2 was added to the shift on the near side",
        lambda i, j, p, h, w, d, r: (i >= d + p) & (j >= r + p) & (i + p < h) & (j + p < w),
    ),
    (
        "far_margin_is_the_shift",
        "At the far side the margin is kernel // 2",
        lambda i, j, p, h, w, d, r: torch.where(zeros_in(i, j, d, r), blind(i, j, p, d, r), (i + d < h) & (j + r < w)),
    ),
    (
        "far_margin_is_both",
        "not the shift, and not both together",
        lambda i, j, p, h, w, d, r: torch.where(
            zeros_in(i, j, d, r), blind(i, j, p, d, r), ((i + p + d < h) | (d == 0)) & ((j + p + r < w) | (r == 0))
        ),
    ),
    ("moved_up_and_left", "moved the wrong way", lambda *args: true_cells(*args).flip(0, 1)),
    (
        "down_alone",
        "One of the two directions was forgotten",
        lambda i, j, p, h, w, d, r: true_cells(i, j, p, h, w, d, 0),
    ),
    (
        "right_alone",
        "One of the two directions was forgotten",
        lambda i, j, p, h, w, d, r: true_cells(i, j, p, h, w, 0, r),
    ),
    ("whole_numbers", "a tensor of dtype torch.bool", lambda *args: true_cells(*args).long()),
    (
        "one_cell_wrong",
        "is not kept: with a random picture",
        lambda i, j, p, h, w, d, r: true_cells(i, j, p, h, w, d, r) | ((i == h - 1) & (j == w - 1)),
    ),
    (
        "two_bands_for_each_axis",
        "drawn right across the picture",
        lambda i, j, p, h, w, d, r: ~(looks_over(i, p, h, d) | looks_over(j, p, w, r)),
    ),
    (
        "near_strip_at_the_wrong_end",
        "lies at the wrong end",
        lambda i, j, p, h, w, d, r: (i >= min(d, p)) & (j >= min(r, p)) & nothing_lost(i, j, p, h, w, d, r),
    ),
    ("far_side_alone", "Only the far side was looked at", nothing_lost),
    (
        "near_strip_swapped_too",  # two mistakes: neither is named
        "which of the pixels does the window see",
        lambda i, j, p, h, w, d, r: (i >= min(r, p)) & (j >= min(d, p)) & nothing_lost(i, j, p, h, w, r, d),
    ),
    (
        "one_column_a_side",
        "which of the pixels does the window see",
        lambda i, j, p, h, w, d, r: (
            ((i > 0) & (i < h - 1) | torch.tensor(d == 0)) & ((j > 0) & (j < w - 1) | torch.tensor(r == 0))
        ),
    ),
    (
        "one_cell_too_few",
        "same for every picture and kernel",
        lambda i, j, p, h, w, d, r: true_cells(i, j, p, h, w, d, r) & ~((i == d) & (j == r)),
    ),
):
    masks(*case)


@wrong("05.equivariance", "Rows and columns are swapped")
def moved_along_the_other_axes(height, width, kernel, down, right):
    """It stops with an error where the picture is narrower than the move; the reason is still this one."""
    picture, weights = drawn(height, width, kernel)
    one = same_convolution(functional.pad(picture, (down, -down, right, -right)), weights)
    return torch.isclose(one, functional.pad(same_convolution(picture, weights), (down, -down, right, -right)))


@wrong("05.equivariance", "torch.tensor(...) makes one")
def as_an_array_of_numpy(*case):
    return by_a_random_picture(*case).numpy()


@wrong("05.equivariance", "as with torch.roll")
def by_torch_roll(height, width, kernel, down, right):
    picture, weights = drawn(height, width, kernel)
    one = same_convolution(picture.roll((down, right), (0, 1)), weights)
    return (one - same_convolution(picture, weights).roll((down, right), (0, 1))).abs() < 1e-9


@wrong("05.equivariance", "The map has to move as well")
def compared_with_the_unmoved_map(height, width, kernel, down, right):
    picture, weights = drawn(height, width, kernel)
    one = same_convolution(shifted(picture, down, right), weights)
    return (one - same_convolution(picture, weights)).abs() < 1e-9  # of so many sums two may be close by chance


@wrong("05.equivariance", "All cells were said to be kept")
def an_empty_picture(height, width, kernel, down, right):
    picture, weights = drawn(height, width, kernel, torch.zeros)
    one = same_convolution(shifted(picture, down, right), weights)
    return one == shifted(same_convolution(picture, weights), down, right)


@wrong("05.equivariance", "The shape should be")
def without_padding(height, width, kernel, down, right):
    picture, weights = (numbers[None, None] for numbers in drawn(height, width, kernel))
    one = functional.conv2d(shifted(picture[0, 0], down, right)[None, None], weights)
    return torch.isclose(one, functional.conv2d(picture, weights))[0, 0]


def kept_with(shift, height, width, kernel, down, right):
    picture, weights = drawn(height, width, kernel)
    one = same_convolution(shift(picture, down, right), weights)
    return (one - shift(same_convolution(picture, weights), down, right)).abs() < 1e-9


@wrong("05.equivariance", "is empty where down is 0")
def slices_that_end_at_minus_zero(*case):
    def shift(picture, down, right):
        moved = torch.zeros_like(picture)
        moved[..., down:, right:] = picture[..., :-down, :-right]
        return moved

    return kept_with(shift, *case)


@wrong("05.equivariance", "is empty where down is 0")
def padded_slices_that_end_at_minus_zero(*case):
    return kept_with(lambda picture, d, r: functional.pad(picture[:-d, :-r], (r, 0, d, 0)), *case)


@wrong("05.equivariance", "is empty where down is 0")
def joined_slices_that_end_at_minus_zero(*case):
    def shift(picture, down, right):
        rows = torch.cat([picture.new_zeros(down, picture.shape[1]), picture[:-down]])
        return torch.cat([picture.new_zeros(len(picture), right), rows[:, :-right]], dim=1)

    return kept_with(shift, *case)


@wrong("05.equivariance", "stay inside")
def all_of_the_picture_written(*case):
    def shift(picture, down, right):
        moved = torch.zeros_like(picture)
        moved[down:, right:] = picture
        return moved

    return kept_with(shift, *case)


@wrong("05.equivariance", "Height and width are swapped")
def width_first(height, width, kernel, down, right):
    return by_a_random_picture(height, width, kernel, down, right).T


@wrong("05.equivariance", "torch.tensor(...) makes one")
def as_a_list(height, width, kernel, down, right):
    return by_a_random_picture(height, width, kernel, down, right).tolist()


# --- 05.shuffle -----------------------------------------------------------------------------------------------------


@right("05.shuffle")
def by_the_inverse_written_into(weight, order):
    new = torch.empty_like(weight)
    for place, pixel in enumerate(order.tolist()):
        new[:, place] = weight[:, pixel]
    return new


@right("05.shuffle")
def by_a_matrix_of_ones(weight, order):
    swap = torch.eye(len(order), dtype=weight.dtype)[order]  # x[:, order] is x @ swap.T
    return weight @ swap.T


@right("05.shuffle")
def by_gather(weight, order):
    return weight.gather(1, order.expand_as(weight))


@right("05.shuffle")
def by_scatter_of_the_inverse(weight, order):
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(len(order))
    return torch.zeros_like(weight).index_copy(1, inverse, weight)


for name, phrase, function in (
    ("the_inverse", "The weights went the other way", lambda w, o: w[:, o.argsort()]),
    ("unchanged", "came back as it was", lambda w, o: w.clone()),
    ("rows_where_they_fit", "The rows were shuffled", lambda w, o: w[o % len(w)]),
    ("both_axes", "indexed the units", lambda w, o: w[o][:, o]),
    ("sorted_weights", "were sorted", lambda w, o: w.sort(dim=1).values),
    ("sorted_downwards", "were sorted", lambda w, o: w.sort(dim=1, descending=True).values),
    ("order_backwards", "The order was turned round", lambda w, o: w[:, o.flip(0)]),
    ("weights_backwards", "The weights were turned round", lambda w, o: w.flip(1)),
    ("twice", "applied twice", lambda w, o: w[:, o][:, o]),
    ("factors", "multiplied by the order", lambda w, o: w * o),
    ("one_unit_alone", "every unit sees", lambda w, o: torch.cat([w[:1, o], w[1:]])),
    ("first_row_for_all", "All units have the same weights", lambda w, o: w[:1, o].expand_as(w)),
    ("transposed", "The weight lies the wrong way round", lambda w, o: w[:, o].T),
    ("random_weights", "nothing is learned anew", lambda w, o: torch.randn_like(w)),
    ("units_turned_round", "units have changed places", lambda w, o: w[:, o].flip(0)),
    ("one_less", "off by one", lambda w, o: w[:, o - 1]),
    ("one_more", "off by one", lambda w, o: w[:, (o + 1) % len(o)]),
    ("order_sorted", "An order that was sorted", lambda w, o: w[:, o.sort().values]),
    ("nearly", "not exactly the old one", lambda w, o: w[:, o] + 1e-5),
    ("through_float32", "not exactly the old one", lambda w, o: w[:, o].float().to(w.dtype)),
    ("two_pixels_stay", "came back as it was", lambda w, o: w[:, o] if len(o) > 2 else w.clone()),
    ("float32", "The dtype should be torch.float64", lambda w, o: w[:, o].float()),
    ("as_a_list", "a float32 tensor of shape", lambda w, o: w[:, o].tolist()),
):
    function.__name__ = name
    wrong("05.shuffle", phrase)(function)


@wrong("05.shuffle", "The loop reads from what it has already written over")
def over_itself(weight, order):
    new = weight.clone()
    for place, pixel in enumerate(order):
        new[:, place] = new[:, pixel]
    return new


@wrong("05.shuffle", "was changed")
def in_place(weight, order):
    weight[:] = weight[:, order]
    return weight


@wrong("05.shuffle", "Rows and columns were both shuffled")
def rows_too_where_they_fit(weight, order):
    return weight[order][:, order] if len(order) == len(weight) else weight[:, order]


@wrong("05.shuffle", "indexed the units")
def rows(weight, order):
    return weight[order]


@wrong("05.shuffle", "Take one pixel")
def swaps_two_by_mistake(weight, order):
    new = weight[:, order].clone()
    new[:, :2] = new[:, :2].flip(1)
    return new


# --- 05.debug -------------------------------------------------------------------------------------------------------


def networks(
    front=lambda x: x.permute(0, 3, 1, 2),
    bend1=torch.relu,
    bend2=torch.relu,
    pool1=lambda x: functional.max_pool2d(x, 2),
    pool2=lambda x: functional.max_pool2d(x, 2),
    flat=lambda x, features: x.flatten(1),
    back=lambda logits, batch: logits,
):
    """A right answer, but for the parts that are given."""

    def answer(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
        x = pool1(bend1(functional.conv2d(front(pictures), weight1, bias1, padding=1)))
        x = pool2(bend2(functional.conv2d(x, weight2, bias2, padding=1)))
        return back(flat(x, weight3.shape[1]) @ weight3.T + bias3, len(pictures))

    return answer


def reshaped(pictures):
    batch, height, width, channels = pictures.shape
    return pictures.reshape(batch, channels, height, width)


def nothing(x):
    return x


def in_rows(x, features):
    return x.reshape(-1, features)


@right("05.debug")
def pooled_before_the_relu(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    x = pictures.movedim(-1, 1)
    for weight, bias in [(weight1, bias1), (weight2, bias2)]:
        x = functional.max_pool2d(functional.conv2d(x, weight, bias, padding="same"), 2).clamp(min=0)
    return functional.linear(torch.flatten(x, 1), weight3, bias3)


@right("05.debug")
def with_layers(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    layers = [nn.Conv2d(w.shape[1], w.shape[0], 3, padding=1) for w in (weight1, weight2)]
    head = nn.Linear(weight3.shape[1], weight3.shape[0])
    parameters = ((weight1, bias1), (weight2, bias2), (weight3, bias3))
    for layer, (weight, bias) in zip((*layers, head), parameters, strict=True):
        layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    block = nn.Sequential(layers[0], nn.ReLU(), nn.MaxPool2d(2), layers[1], nn.ReLU(), nn.MaxPool2d(2))
    return head(nn.Flatten()(block(pictures.transpose(2, 3).transpose(1, 2))))


@right("05.debug")
def picture_by_picture(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    rows = []
    for picture in pictures:
        x = torch.stack([picture[:, :, c] for c in range(picture.shape[2])])[None]
        for weight, bias in ((weight1, bias1), (weight2, bias2)):
            y = convolution(x, weight, bias, (1, 1), (1, 1), (1, 1))
            x = pooled(torch.where(y > 0, y, 0), (2, 2), (2, 2), (0, 0))
        rows.append(weight3 @ x.flatten() + bias3)
    return torch.stack(rows)


ROWS, AXES, BEND = "four rows of logits", "reshaped where they should be moved", "Nothing is bent between"
for name, phrase, parts in (
    ("nothing_mended", ROWS, {"front": reshaped, "bend1": nothing, "pool2": nothing, "flat": in_rows}),
    ("axes_mended", ROWS, {"bend1": nothing, "pool2": nothing, "flat": in_rows}),
    ("bend_mended", ROWS, {"front": reshaped, "pool2": nothing, "flat": in_rows}),
    ("pooling_mended", AXES, {"front": reshaped, "bend1": nothing}),
    ("pooling_left", ROWS, {"pool2": nothing, "flat": in_rows}),
    ("axes_left", AXES, {"front": reshaped}),
    ("bend_left", BEND, {"bend1": nothing}),
    ("rows_cut_off", "hides the symptom", {"pool2": nothing, "flat": in_rows, "back": lambda y, batch: y[:batch]}),
    (
        "rows_averaged",
        "hides the symptom",
        {"pool2": nothing, "flat": in_rows, "back": lambda y, batch: y.reshape(batch, 4, -1).mean(1)},
    ),
    ("axes_transposed", "transpose(1, 3) swaps channels and *rows*", {"front": lambda x: x.transpose(1, 3)}),
    ("relu_moved", "ReLU of the second block", {"bend2": nothing}),
    ("relu_of_the_logits", "after the last layer", {"back": lambda y, batch: y.relu()}),
    ("sigmoid", "Another activation", {"bend1": torch.sigmoid, "bend2": torch.sigmoid}),
    ("tanh_once", "Another activation", {"bend1": torch.tanh}),
    (
        "pooled_by_four_at_the_end",
        "Both poolings are in one place",
        {"pool1": nothing, "pool2": lambda x: functional.max_pool2d(x, 4)},
    ),
    ("mean_pooling", "A pooling other than", {"pool2": lambda x: functional.avg_pool2d(x, 2)}),
    (
        "features_channel_last",
        "another order than weight3",
        {"flat": lambda x, features: x.permute(0, 2, 3, 1).flatten(1)},
    ),
    (
        "batch_mixed",
        "pictures of the batch are mixed",
        {"flat": lambda x, features: x.transpose(0, 1).reshape(-1, features)},
    ),
    ("probabilities", "These are probabilities", {"back": lambda y, batch: y.softmax(1)}),
    ("logits_transposed", "the wrong way round", {"back": lambda y, batch: y.T}),
    ("first_picture_alone", "[0] takes the first picture alone", {"back": lambda y, batch: y[0]}),
    ("first_row_alone", "Only the first picture", {"back": lambda y, batch: y[:1]}),
    ("squeezed", "the shape is not", {"back": lambda y, batch: y.squeeze()}),
    ("all_in_one_row", "the shape is not", {"back": lambda y, batch: y.flatten()}),
    ("no_flatten", ".flatten(1) first", {"flat": lambda x, features: x}),
    ("flattened_without_the_pooling", "longer or shorter", {"pool2": nothing}),
    ("view_after_permute", "view works only where", {"flat": lambda x, features: x.mT.view(len(x), -1)}),
    ("channels_not_moved", "another number of channels", {"front": nothing}),
    ("float32", "The dtype should be torch.float64", {"back": lambda y, batch: y.float()}),
    ("unknown_fault", "Go through it line by line", {"back": lambda y, batch: y * 1.01}),
):
    answer = networks(**parts)
    answer.__name__ = name
    wrong("05.debug", phrase)(answer)


@wrong("05.debug", "padding=1 keeps the size")
def no_padding(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    x = functional.max_pool2d(functional.conv2d(pictures.permute(0, 3, 1, 2), weight1, bias1).relu(), 2)
    x = functional.max_pool2d(functional.conv2d(x, weight2, bias2).relu(), 2)
    return x.flatten(1) @ weight3.T + bias3


@wrong("05.debug", "about seven digits")
def in_float32(pictures, *parameters):
    return networks()(pictures.float(), *(part.float() for part in parameters)).to(pictures.dtype)


@wrong("05.debug", "bias1 is missing")
def no_first_bias(pictures, weight1, bias1, *rest):
    return networks()(pictures, weight1, torch.zeros_like(bias1), *rest)


@wrong("05.debug", "bias3 is missing")
def no_last_bias(pictures, weight1, bias1, weight2, bias2, weight3, bias3):
    return networks()(pictures, weight1, bias1, weight2, bias2, weight3, torch.zeros_like(bias3))


@wrong("05.debug", "was changed")
def bends_the_bias(pictures, weight1, bias1, *rest):
    bias1.add_(0.25)
    return networks()(pictures, weight1, bias1 - 0.25, *rest)
