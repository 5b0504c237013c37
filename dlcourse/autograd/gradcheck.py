"""Is a gradient right? Ask the function itself: move the input a little and see how much the result moves.

    gradient . v  =  (f(x + h v) - f(x - h v)) / 2h  +  O(h^2)        for every direction v

One random direction v of length 1 tests all elements together with two calls of f; a wrong element escapes only if
its part along v is below the tolerance. The error of the difference falls like h^2 until rounding, like 1e-16 |f| / h,
takes over: hence float64 and h = 1e-5. (Nocedal and Wright, Numerical Optimization, 2006, section 8.1.)

What no finite difference can tell: the slope at a corner (relu at 0, a tie at a maximum), whether f itself is the
function that was meant, an error in an element whose true size is far below the others (for that, `per_element`), and
slopes below 1e-9 |f|, which drown in rounding.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from dlcourse.autograd.graph import grad
from dlcourse.autograd.tensor import Tensor

STEP = 1e-5  # h: between the errors of curvature, h^2, and of rounding, 1e-16 / h
RTOL = 1e-5
ROUNDING = 1e-9  # of |f|: fifty times 2e-16 / h, what rounding does to a difference


class GradcheckError(AssertionError):
    """The gradient and the function disagree. The message says where, by how much, and what the ratio suggests."""


@dataclass(frozen=True)
class GradcheckReport:
    """A gradient that passed."""

    compared: int  # directions, or elements
    error: float  # the largest |gradient - difference| / max(|gradient|, |difference|, 1e-4 |f|)

    def __str__(self) -> str:
        return f"gradcheck passed: {self.compared} slopes compared, largest relative difference {self.error:.1e}"


def gradcheck(
    function: Callable,
    *inputs: "Tensor | torch.Tensor",
    gradients: Sequence[torch.Tensor] | None = None,
    per_element: bool = False,
    directions: int = 3,
    generator: torch.Generator | None = None,
) -> GradcheckReport:
    """Compare a gradient with central differences, in float64. Returns a report; raises GradcheckError if they differ.

    With Tensors: `function(*inputs)` gives a Tensor of any shape, and the engine's gradient for those inputs that
    require one is checked (a result of several numbers is weighed with random numbers first). With plain float64 torch
    tensors: `function(*inputs)` gives one number, and `gradients`, one for each input, are your own. Inputs are not
    changed.

    per_element: two calls for every element, and the worst is named; else `directions` random directions. Raises
    ValueError where there is nothing to check or the function is not finite or not the same twice, TypeError for inputs
    of another kind.

    >>> x = Tensor([[0.5, -2.0]], requires_grad=True)
    >>> print(gradcheck(lambda x: (x * x).sum(), x))  # doctest: +ELLIPSIS
    gradcheck passed: 3 slopes compared, largest relative difference ...e-...
    >>> y = torch.tensor([3.0], dtype=torch.float64)
    >>> gradcheck(lambda y: (y**2).sum(), y, gradients=[y])
    Traceback (most recent call last):
    dlcourse.autograd.gradcheck.GradcheckError: gradcheck: ... The gradient is 0.5 times what it should be: ...
    """
    if directions < 1:
        raise ValueError(f"gradcheck(directions={directions}): at least one is wanted.")
    generator = generator or torch.Generator().manual_seed(0)
    if gradients is None:
        scalar, points, names, gradients = _with_engine(function, inputs, generator)
    else:
        scalar, points, names, gradients = _with_own(function, inputs, gradients)
    if not sum(point.numel() for point in points):
        raise ValueError("gradcheck: the inputs hold no numbers, so there is nothing to check.")
    value = scalar(points)
    if not math.isfinite(value):
        raise ValueError(f"gradcheck: the function gives {value} here; a slope needs finite values.")
    if scalar(points) != value:
        raise ValueError("gradcheck: the function gave two values for one input. Fix its random numbers first.")
    ways = _elements(points, names) if per_element else _directions(points, directions, generator)
    smallest = max(ROUNDING * abs(value), 1e-12) / RTOL  # below it, rounding is as large as the tolerance
    worst, ratios, compared, corner = None, [], 0, False
    for name, way in ways:
        expected = _slope(scalar, points, way)
        came = sum(float((gradient * v).sum()) for gradient, v in zip(gradients, way, strict=True))
        error = abs(came - expected) / max(abs(came), abs(expected), smallest)
        compared += 1
        if not error <= RTOL:  # also when it is not a number
            ratios.append(came / expected if expected else math.inf)
            corner = corner or _is_corner(scalar, points, way, value)
        if worst is None or not error <= worst[0]:
            worst = (error, name, came, expected)
    error, name, came, expected = worst
    if ratios:
        raise GradcheckError(
            f"gradcheck: along {name} the function changes by {expected:.6g} per unit, the gradient says {came:.6g} "
            f"({len(ratios)} of {compared} compared differ). {_diagnosis(ratios, corner, compared, per_element)}"
        )
    return GradcheckReport(compared, error)


def numerical_gradient(
    function: Callable[[torch.Tensor], float], x: torch.Tensor, *, step: float = STEP
) -> torch.Tensor:
    """d f / d x by central differences, one element after the other: the slow definition, 2 calls for each element.

    x: float64 (else TypeError), any shape; it is not changed. step: h. Returns a tensor of the shape of x.

    >>> numerical_gradient(lambda x: x.square().sum(), torch.tensor([1.0, -3.0], dtype=torch.float64))
    tensor([ 2.0000, -6.0000], dtype=torch.float64)
    """
    if x.dtype != torch.float64:
        raise TypeError(
            f"numerical_gradient of {x.dtype}: a difference needs the digits of float64, as x.double() has."
        )
    slopes = torch.empty_like(x, memory_format=torch.contiguous_format)
    for index in _indices(x.shape):
        unit = torch.zeros_like(x)
        unit[index] = 1.0
        slopes[index] = _slope(lambda points: float(function(*points)), [x], [unit], step)
    return slopes


Points = list[torch.Tensor]  # one plain float64 tensor for each input that is moved
Scalar = Callable[[Points], float]


def _with_engine(
    function: Callable, inputs: Sequence[Tensor], generator: torch.Generator
) -> tuple[Scalar, Points, list[str], Points]:
    """The function as one of plain float64 tensors that gives a number, where, the inputs' names, the gradients."""
    if not inputs or not all(isinstance(each, Tensor) for each in inputs):
        raise TypeError(
            "gradcheck(function, *inputs): wanted are Tensors of dlcourse.autograd; for plain torch tensors pass your "
            "own gradients=[...], one for each."
        )
    leaves = [Tensor(each.data.double().clone(), each.requires_grad, each.label) for each in inputs]
    chosen = [leaf for leaf in leaves if leaf.requires_grad]
    if not chosen:
        raise ValueError("gradcheck: no input has requires_grad=True, so there is no gradient to check.")
    out = function(*leaves)
    if not isinstance(out, Tensor):
        raise TypeError(
            f"gradcheck: the function gave a {type(out).__name__}, and a Tensor of dlcourse.autograd is wanted."
        )
    weights = torch.randn(out.shape, dtype=torch.float64, device="cpu", generator=generator).to(out.device)
    if not out.data.numel():
        raise ValueError("gradcheck: the result holds no numbers, so there is nothing to check.")
    gradients = grad(out, chosen, weights) if out.requires_grad else [leaf.zeros() for leaf in chosen]

    def scalar(points: Points) -> float:
        moved = iter(points)
        out = function(*(Tensor(next(moved), requires_grad=True) if leaf.requires_grad else leaf for leaf in leaves))
        return float((out.data * weights).sum())

    names = [leaf.label or f"input {i}" for i, leaf in enumerate(leaves) if leaf.requires_grad]
    return scalar, [leaf.data for leaf in chosen], names, [gradient.data for gradient in gradients]


def _with_own(
    function: Callable, inputs: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
) -> tuple[Scalar, Points, list[str], Points]:
    """The same with the reader's own function and gradients."""
    if not inputs or not all(type(each) is torch.Tensor and each.dtype == torch.float64 for each in inputs):
        raise TypeError(
            "gradcheck(..., gradients=...): wanted are plain torch tensors of float64, as x.double() gives."
        )
    if [tuple(gradient.shape) for gradient in gradients] != [tuple(each.shape) for each in inputs]:
        raise ValueError(
            f"gradcheck: gradients of shapes {[tuple(gradient.shape) for gradient in gradients]} for inputs of shapes "
            f"{[tuple(each.shape) for each in inputs]}: a gradient is shaped like its input."
        )

    def scalar(points: Points) -> float:
        value = function(*[point.clone() for point in points])  # it may change what it is given
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise ValueError(
                f"gradcheck: the function gave {tuple(value.shape)} numbers, and one is wanted. Weigh them with the "
                "gradient that arrives and add them up: (function(x) * arrived).sum()."
            )
        return float(value)

    names = [f"input {i}" for i in range(len(inputs))]
    return scalar, [each.detach() for each in inputs], names, [gradient.detach() for gradient in gradients]


def _directions(points: Points, count: int, generator: torch.Generator) -> Iterator[tuple[str, Points]]:
    """Random directions through all inputs together, of length 1."""
    for i in range(count):
        way = [torch.randn(p.shape, dtype=p.dtype, device="cpu", generator=generator).to(p.device) for p in points]
        length = sum(float(v.square().sum()) for v in way) ** 0.5
        yield f"random direction {i}", [v / length for v in way]


def _elements(points: Points, names: Sequence[str]) -> Iterator[tuple[str, Points]]:
    """One element after the other."""
    for which, point in enumerate(points):
        for index in _indices(point.shape):
            way = [torch.zeros_like(p) for p in points]
            way[which][index] = 1.0
            yield f"{names[which]}, element {index}", way


def _indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, shape))


def _slope(scalar: Scalar, points: Points, way: Points, step: float = STEP) -> float:
    """The central difference along a way."""
    right = scalar([p + step * v for p, v in zip(points, way, strict=True)])
    left = scalar([p - step * v for p, v in zip(points, way, strict=True)])
    return (right - left) / (2 * step)


def _is_corner(scalar: Scalar, points: Points, way: Points, value: float) -> bool:
    """Do the slopes to the right and to the left differ, and not less for a smaller step, as a smooth curve's do?"""

    def gap(step: float) -> float:
        right = scalar([p + step * v for p, v in zip(points, way, strict=True)])
        left = scalar([p - step * v for p, v in zip(points, way, strict=True)])
        return abs(right - 2 * value + left) / step

    return gap(STEP) > max(0.7 * gap(3 * STEP), 100 * ROUNDING * abs(value))


def _diagnosis(ratios: list[float], corner: bool, compared: int, per_element: bool) -> str:
    """What the ratios gradient / difference suggest. Something is said of the whole only where all of it differs."""
    first = ratios[0]
    if corner:
        return "The function has a corner here (relu at 0, a tie at a maximum?): move the input away from it."
    if len(ratios) == compared:  # else it would blame what is right
        if all(ratio == 0 for ratio in ratios):
            return "The gradient is zero: is the input used, and does its rule hand on a share?"
        if all(abs(ratio - first) < 1e-3 * abs(first) for ratio in ratios):
            if abs(first + 1) < 1e-3:
                return "The sign is wrong."
            return f"The gradient is {first:.4g} times what it should be: a factor such as 1/n is missing, or too much."
    if per_element:
        return "The others are right: look at what is special about these."
    return "The ratio differs from way to way: a share is missing or wrong. per_element=True names the worst element."
