"""Receptive fields: which pixels of the input a unit of some layer can see at all.

Going up through the layers, with `size` pixels seen by a unit, `step` pixels from a unit to its neighbour, and `start`
the first pixel that unit 0 sees (the padding lies before pixel 0, so it may be negative):

    size  += (kernel - 1) * dilation * step        start -= padding * step        step *= stride

(Araujo, Norris and Sim, 2019, Distill, "Computing Receptive Fields of Convolutional Neural Networks"; Dumoulin and
Visin, 2016, arXiv:1603.07285.) Parallel paths that are added up, as in a residual block, see what either of them sees.

Convention: rows and columns are whole pixels, counted from 0; the middle of a field of even size lies between two of
them, so it is left to the reader: start + step * row + (size - 1) / 2.
Pixels at the end of a row that no whole step reaches count as seen by the last window, if it goes beyond them.
What it does not tell: how much each pixel counts. Those in the middle have more paths to the unit than those at the rim
(Luo et al., 2016, arXiv:1701.04128). Batch norm in training mode lets every unit see the whole batch; not counted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from dlcourse.nn.dropout import Dropout
from dlcourse.nn.norm import BatchNorm
from dlcourse.nn.normalize import Normalize

# What works pixel by pixel: a unit sees what the unit below it sees.
PIXELWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish),
    *(nn.Dropout, nn.Dropout2d, nn.BatchNorm2d, Dropout, BatchNorm, Normalize),
)
WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
# What sees the whole picture, or, of an adaptive pool, parts that depend on the picture's size: the table ends here.
ENDS = (nn.Flatten, nn.Linear, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of a layer see, in pixels of the input; each a pair (rows, columns)."""

    size: tuple[int, int]  # of the window of one unit
    step: tuple[int, int]  # from the window of a unit to that of its neighbour
    start: tuple[int, int]  # the first row and column of the window of unit (0, 0); negative in the padding

    def window(self, row: int, column: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of unit (row, column), the ends exclusive: x[..., top:bottom, left:right].

        The window may go beyond the picture; clip it before slicing, as Python counts negative numbers from the end.

        >>> ReceptiveField((3, 3), (2, 2), (-1, -1)).window(0, 2)
        (-1, 3, 2, 6)
        """
        top, left = self.start[0] + self.step[0] * row, self.start[1] + self.step[1] * column
        return top, left, top + self.size[0], left + self.size[1]


def receptive_fields(model: nn.Module) -> dict[str, ReceptiveField]:
    """The receptive field of every named module, in the model's order, up to the first that ends the table.

    Known are Sequentials (nested too) of convolutions, torch's max and average pools, and what works pixel by pixel
    (activations, batch norm, dropout, Normalize, Identity); and any module with a method `paths()` that returns the
    Sequentials whose outputs it adds up, an empty one for the identity. Flatten and Linear, which see
    everything, and adaptive pools, whose windows depend on the picture's size, end the table. Raises ValueError for
    anything else, for a bare layer, which has no name, and for paths that do not end at one step.

    >>> fields = receptive_fields(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3)))
    >>> fields["2"]
    ReceptiveField(size=(8, 8), step=(2, 2), start=(-1, -1))
    """
    if isinstance(model, (*PIXELWISE, *WINDOWS, *ENDS)):
        kind = type(model).__name__
        raise ValueError(f"receptive_fields got a bare {kind}, which has no name; wanted nn.Sequential(that {kind}).")
    fields: dict[str, ReceptiveField] = {}
    _through(model, "", ReceptiveField((1, 1), (1, 1), (0, 0)), fields)
    return fields


def _through(
    module: nn.Module, name: str, field: ReceptiveField, fields: dict[str, ReceptiveField]
) -> ReceptiveField | None:
    """What a unit behind the module sees, None where the table ends; noted in `fields` by the module's name."""
    if hasattr(module, "paths"):
        after = _sum_of_paths(module, name, field, fields)
    elif type(module).forward is nn.Sequential.forward:
        after = field
        for key, child in module._modules.items():  # named_children would leave out what comes twice
            after = after and _through(child, _join(name, key), after, fields)
    elif isinstance(module, ENDS):
        after = None
    elif isinstance(module, WINDOWS):
        after = _behind_window(module, name, field)
    elif isinstance(module, PIXELWISE):
        after = field
    else:
        raise ValueError(
            f"receptive_fields does not know {type(module).__name__} ({name!r}): wanted a Sequential of convolutions, "
            "pools and layers that work pixel by pixel, or a module whose paths() are the Sequentials that it adds up."
        )
    if after and name:
        fields[name] = after
    return after


def _behind_window(module: nn.Module, name: str, field: ReceptiveField) -> ReceptiveField:
    """Behind a convolution or a pool: the three rules above, for rows and for columns."""
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise ValueError(f"receptive_fields: {name!r} is padded with pixels from elsewhere ({module.padding_mode}).")
    kernel, stride, dilation = (_both(o) for o in (module.kernel_size, module.stride, getattr(module, "dilation", 1)))
    # torch's own layers take two words as well; where "same" is odd, the odd one comes behind the picture
    words = {"valid": (0, 0), "same": tuple((kernel[d] - 1) * dilation[d] // 2 for d in (0, 1))}
    padding = words[module.padding] if isinstance(module.padding, str) else _both(module.padding)
    return ReceptiveField(
        size=tuple(field.size[d] + (kernel[d] - 1) * dilation[d] * field.step[d] for d in (0, 1)),
        step=tuple(field.step[d] * stride[d] for d in (0, 1)),
        start=tuple(field.start[d] - padding[d] * field.step[d] for d in (0, 1)),
    )


def _sum_of_paths(
    module: nn.Module, name: str, field: ReceptiveField, fields: dict[str, ReceptiveField]
) -> ReceptiveField:
    """Behind parallel paths: the smallest window that holds what each of them sees."""
    names = {id(inner): key for key, inner in module.named_modules()}
    named, ends = [], []
    for path in module.paths():
        if id(path) in names:
            named.append(_join(name, names[id(path)]))
            ends.append(_through(path, named[-1], field, fields))
        else:  # an identity made on the spot, say
            ends.append(_through(path, name, field, {}))
    if None in ends or len({end.step for end in ends}) != 1:
        raise ValueError(
            f"receptive_fields: the paths of {type(module).__name__} ({name!r}) do not meet: wanted paths of one "
            f"stride, none of which ends the table, and got {ends}."
        )
    start = tuple(min(end.start[d] for end in ends) for d in (0, 1))
    last = tuple(max(end.start[d] + end.size[d] for end in ends) for d in (0, 1))
    after = ReceptiveField((last[0] - start[0], last[1] - start[1]), ends[0].step, start)
    for key, child in module.named_children():
        if not any(f"{path}.".startswith(f"{_join(name, key)}.") for path in named):  # no path: it works on the sum
            _through(child, _join(name, key), after, fields)
    return after


def _both(value: int | Sequence[int]) -> tuple[int, int]:
    """(rows, columns): torch's pools keep what they were given, a number, a tuple or a list."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _join(name: str, key: str) -> str:
    """The name of a module inside the one called `name`, as in named_modules."""
    return f"{name}.{key}" if name and key else name or key
