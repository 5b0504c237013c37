"""Is a gradient right? Ask the function itself: move the input a little and see how much the result moves.

    gradient . v  =  (f(x + h v) - f(x - h v)) / 2h  +  O(h^2)        for every direction v

One random direction v of length 1 tests all elements together with two calls of f; a wrong element escapes only if v
happens to be at right angles to the error. The error of the difference falls like h^2 until rounding, like 1e-16 / h,
takes over: hence float64 and h = 1e-5. (Nocedal and Wright, Numerical Optimization, 2006, section 8.1.)

What no finite difference can tell: the slope at a corner (relu at 0, a tie at a maximum), whether f itself is the
function that was meant, and an error in an element whose true size is far below the others: for that, `per_element`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from dlcourse.autograd.graph import grad
from dlcourse.autograd.tensor import Tensor, no_grad

STEP = 1e-5  # h: between the errors of curvature, h^2, and of rounding, 1e-16 / h
RTOL, ATOL = 1e-5, 1e-7


class GradcheckError(AssertionError):
    """The gradient and the function disagree. The message says where, by how much, and what the ratio suggests."""


@dataclass(frozen=True)
class GradcheckReport:
    """A gradient that passed."""

    compared: int  # directions, or elements
    error: float  # the largest |gradient - difference| / max(|gradient|, |difference|, 0.01)

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
    worst, ratios, compared, bent = None, [], 0, False
    for name, way in ways:
        expected, kink = _slope(scalar, points, way, value)
        came = sum(float((gradient * v).sum()) for gradient, v in zip(gradients, way, strict=True))
        error = abs(came - expected) / max(abs(came), abs(expected), ATOL / RTOL)
        compared += 1
        if not error <= RTOL:  # also when it is not a number
            ratios.append(came / expected if expected else float("inf"))
            bent = bent or kink
        if worst is None or not error <= worst[0]:
            worst = (error, name, came, expected)
    error, name, came, expected = worst
    if ratios:
        raise GradcheckError(
            f"gradcheck: along {name} the function changes by {expected:.6g} per unit, the gradient says {came:.6g} "
            f"({len(ratios)} of {compared} compared differ). {_diagnosis(ratios, bent)}"
        )
    return GradcheckReport(compared, error)


def numerical_gradient(
    function: Callable[[torch.Tensor], float], x: torch.Tensor, *, step: float = STEP
) -> torch.Tensor:
    """d f / d x by central differences, one element after the other: the slow definition, 2 calls for each element.

    x: float64, any shape; it is not changed. step: h. Returns a tensor of the shape of x.

    >>> numerical_gradient(lambda x: x.square().sum(), torch.tensor([1.0, -3.0], dtype=torch.float64))
    tensor([ 2.0000, -6.0000], dtype=torch.float64)
    """
    slopes = torch.empty_like(x, memory_format=torch.contiguous_format)
    for index in _indices(x.shape):
        way = torch.zeros_like(x)
        way[index] = step
        slopes[index] = (float(function(x + way)) - float(function(x - way))) / (2 * step)
    return slopes


def _with_engine(function, inputs, generator):
    """The engine's gradients, and the function as one of plain float64 tensors that gives a number."""
    if not inputs or not all(isinstance(each, Tensor) for each in inputs):
        raise TypeError(
            "gradcheck(function, *inputs): wanted are Tensors of dlcourse.autograd; for plain torch tensors pass your "
            "own gradients=[...], one for each."
        )
    leaves = [Tensor(each.data.detach().double(), each.requires_grad, each.label) for each in inputs]
    chosen = [leaf for leaf in leaves if leaf.requires_grad]
    if not chosen:
        raise ValueError("gradcheck: no input has requires_grad=True, so there is no gradient to check.")
    out = function(*leaves)
    weights = torch.randn(out.shape, dtype=torch.float64, device="cpu", generator=generator).to(out.device)
    gradients = grad((out * weights).sum(), chosen)

    def scalar(points: list[torch.Tensor]) -> float:
        moved = iter(points)
        with no_grad():
            out = function(*(Tensor(next(moved)) if leaf.requires_grad else leaf for leaf in leaves))
        return float((out.data * weights).sum())

    names = [leaf.label or f"input {i}" for i, leaf in enumerate(leaves) if leaf.requires_grad]
    return scalar, [leaf.data for leaf in chosen], names, [gradient.data for gradient in gradients]


def _with_own(function, inputs, gradients):
    """The learner's gradients, and the function as it is."""
    if not inputs or not all(type(each) is torch.Tensor and each.dtype == torch.float64 for each in inputs):
        raise TypeError(
            "gradcheck(..., gradients=...): wanted are plain torch tensors of float64, as x.double() gives."
        )
    if [tuple(gradient.shape) for gradient in gradients] != [tuple(each.shape) for each in inputs]:
        raise ValueError(
            f"gradcheck: gradients of shapes {[tuple(gradient.shape) for gradient in gradients]} for inputs of shapes "
            f"{[tuple(each.shape) for each in inputs]}: a gradient is shaped like its input."
        )

    def scalar(points: list[torch.Tensor]) -> float:
        value = function(*points)
        if isinstance(value, torch.Tensor) and value.numel() != 1:
            raise ValueError(
                f"gradcheck: the function gave {tuple(value.shape)} numbers, and one is wanted. Weigh them with the "
                "gradient that arrives and add them up: (function(x) * arrived).sum()."
            )
        return float(value)

    names = [f"input {i}" for i in range(len(inputs))]
    return scalar, [each.detach() for each in inputs], names, [gradient.detach() for gradient in gradients]


def _directions(points, count, generator) -> Iterator[tuple[str, list[torch.Tensor]]]:
    """Random directions through all inputs together, of length 1."""
    for i in range(count):
        way = [torch.randn(p.shape, dtype=p.dtype, device="cpu", generator=generator).to(p.device) for p in points]
        length = sum(float(v.square().sum()) for v in way) ** 0.5
        yield f"random direction {i}", [v / length for v in way]


def _elements(points, names) -> Iterator[tuple[str, list[torch.Tensor]]]:
    """One element after the other."""
    for which, point in enumerate(points):
        for index in _indices(point.shape):
            way = [torch.zeros_like(p) for p in points]
            way[which][index] = 1.0
            yield f"{names[which]}, element {index}", way


def _indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, shape))


def _slope(scalar, points, way, value: float) -> tuple[float, bool]:
    """The central difference, and whether the differences to the left and to the right tell of a corner."""
    right = scalar([p + STEP * v for p, v in zip(points, way, strict=True)])
    left = scalar([p - STEP * v for p, v in zip(points, way, strict=True)])
    forward, backward = (right - value) / STEP, (value - left) / STEP
    return (right - left) / (2 * STEP), abs(forward - backward) > 0.01 * max(abs(forward), abs(backward), 0.01)


def _diagnosis(ratios: list[float], bent: bool) -> str:
    """What the ratios gradient / difference of those that differ suggest."""
    first = ratios[0]
    if bent:
        return "The function has a corner here (relu at 0, a tie at a maximum?): move the input away from it."
    if all(ratio == 0 for ratio in ratios):
        return "The gradient is zero: is the input used, and does its rule hand on a share?"
    if all(abs(ratio - first) < 1e-3 * abs(first) for ratio in ratios):
        if abs(first + 1) < 1e-3:
            return "The sign is wrong."
        return f"The gradient is {first:.4g} times what it should be: a factor such as 1/n or 2 is missing or too much."
    return (
        "The ratio differs from place to place: a share is missing or wrong. per_element=True names the worst element."
    )
