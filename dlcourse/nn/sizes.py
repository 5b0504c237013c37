"""How large the answer is: the sizes of convolutions, pools and transposed convolutions, one dimension at a time.

A window of `kernel` cells, `dilation` pixels from one to the next, spans dilation * (kernel - 1) + 1 pixels. It starts
`padding` pixels outside the picture and moves by `stride`, as long as it fits:

    out = floor((size + 2 padding - span) / stride) + 1
    transposed: (size - 1) stride + span - 2 padding + output_padding       the size that a convolution came from

(Dumoulin and Visin, 2016, arXiv:1603.07285, relations 14 and 15.) What is left at the end and holds no whole step is
never looked at. So with a stride above 1 several sizes give the same answer, and the way back has to be told which of
them is meant: that is `output_padding`.
"""

import operator
from collections.abc import Callable, Sequence


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a window has along one dimension; padding on both sides.

    Raises ValueError for a window that does not fit, and for numbers that are not whole or too small.

    >>> output_size(28, 5), output_size(28, 5, padding=2), output_size(28, 3, stride=2, padding=1)
    (24, 28, 14)
    """
    size, kernel, stride, dilation = whole("output_size", 1, size=size, kernel=kernel, stride=stride, dilation=dilation)
    (padding,) = whole("output_size", 0, padding=padding)
    span = dilation * (kernel - 1) + 1
    if span > size + 2 * padding:
        raise ValueError(
            f"the window spans {span} pixels (kernel {kernel}, dilation {dilation}), but there are only "
            f"{size + 2 * padding} (size {size}, padding {padding} on both sides). Take a smaller kernel; in a "
            f"convolution a padding of {(span - size + 1) // 2} or more does as well."
        )
    return (size + 2 * padding - span) // stride + 1


def transposed_output_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """How large a transposed convolution makes `size`, along one dimension: the way back from `output_size`.

    Raises ValueError when the padding leaves nothing, when output_padding is not below the stride or the dilation, and
    for numbers that are not whole or too small.

    >>> transposed_output_size(14, 3, stride=2, padding=1), transposed_output_size(14, 2, stride=2)
    (27, 28)
    """
    caller = "transposed_output_size"
    size, kernel, stride, dilation = whole(caller, 1, size=size, kernel=kernel, stride=stride, dilation=dilation)
    padding, output_padding = whole(caller, 0, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise ValueError(
            f"output_padding={output_padding} must be below the stride ({stride}) or the dilation ({dilation}): it "
            "chooses among the sizes that give the same answer on the way down."
        )
    out = (size - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding + output_padding
    if out < 1:
        raise ValueError(
            f"nothing is left: size {size}, kernel {kernel}, stride {stride} and dilation {dilation} make "
            f"{out + 2 * padding} pixels, and padding={padding} takes {padding} away on both sides. Take less padding."
        )
    return out


def both_ways(
    caller: str, size_of: Callable[..., int], sizes: Sequence[int], kernel: Sequence[int], **options: tuple[int, int]
) -> tuple[int, int]:
    """One of the two functions above for rows and for columns; its ValueError then says who called, and which."""
    found = []
    for d, way in enumerate(("rows", "columns")):
        try:
            found.append(size_of(sizes[d], kernel[d], **{name: pair[d] for name, pair in options.items()}))
        except ValueError as error:
            raise ValueError(f"{caller}, {way}: {error}") from error
    return tuple(found)


def whole(caller: str, least: int, **numbers: int) -> list[int]:
    """The numbers as ints. Raises ValueError unless each is whole (numpy's and torch's too), and `least` or more."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not hasattr(number, "__index__") or operator.index(number) < least:
            raise ValueError(f"{caller} got {name}={number!r}; wanted a whole number of {least} or more.")
    return [operator.index(number) for number in numbers.values()]
