"""08.radius: a recurrent weight scaled so that a given share of a gradient comes back through given steps."""

import math
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def tuned(weight_hh, steps, share):
    sizes = torch.linalg.eigvals(weight_hh.double()).abs()
    wanted = math.exp(math.log(share) / steps)
    return (weight_hh.double() * (wanted / sizes.max())).to(weight_hh.dtype)


def radius_of(weight: Tensor) -> float:
    return torch.linalg.eigvals(weight.double()).abs().max().item()


def oracle(weight: Tensor, steps: int, share: float) -> Tensor:
    return (share ** (1 / steps) / radius_of(weight) * weight.double()).to(weight.dtype)


# How far the one number may be off: eigenvalues of a matrix that is far from normal lose digits, in float32 most.
CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}

# --- what a learner may have scaled by, in two parts: the size of the matrix, and what it was brought to ------------

Size = Callable[[Tensor], float]
LONG_RUN = (
    "In the long run it is the *eigenvalues* that count: after k steps each direction has been multiplied k times by "
    "its own, and the largest in size wins."
)


def _eigenvalues(weight: Tensor) -> Tensor:
    return torch.linalg.eigvals(weight)


def _determinant(weight: Tensor) -> float:
    return torch.linalg.det(weight).item()


SIZES: tuple[tuple[str | None, Size], ...] = (
    (None, radius_of),
    (
        "The matrix was measured by its largest *singular* value. That is the most by which one step can stretch; the "
        f"steps do not stretch the same direction again and again. {LONG_RUN}",
        lambda w: torch.linalg.matrix_norm(w, ord=2).item(),
    ),
    (
        "The matrix was measured by the largest singular value squared: those of weight.T @ weight are the squares. "
        + LONG_RUN,
        lambda w: torch.linalg.matrix_norm(w, ord=2).item() ** 2,
    ),
    (
        f"The matrix was measured by its largest entry. {LONG_RUN}",
        lambda w: w.abs().max().item(),
    ),
    (
        f"The matrix was measured by its largest entry, with its sign. {LONG_RUN}",
        lambda w: w.max().item(),
    ),
    (
        "The largest *real part* of an eigenvalue was taken: an eigenvalue may be complex, or negative, and what "
        "counts is its size, .abs().",
        lambda w: _eigenvalues(w).real.max().item(),
    ),
    (
        "The real part of the eigenvalues was taken before their size: a matrix that turns has complex ones, and their "
        ".abs() counts both parts.",
        lambda w: _eigenvalues(w).real.abs().max().item(),
    ),
    (
        "The real and the imaginary part of the eigenvalues were added: the size is the root of the sum of their "
        "squares, .abs().",
        lambda w: (_eigenvalues(w).real.abs() + _eigenvalues(w).imag.abs()).max().item(),
    ),
    (
        "The square of the size of the eigenvalues was taken: .abs() has the root.",
        lambda w: _eigenvalues(w).abs().max().item() ** 2,
    ),
    (
        "The first of the eigenvalues was taken: they come in no order, and in the long run the largest in size wins.",
        lambda w: _eigenvalues(w)[0].abs().item(),
    ),
    (
        "The *smallest* eigenvalue was taken, or the last: they come in no order, and in the long run the largest in "
        "size wins.",
        lambda w: _eigenvalues(w).abs().min().item(),
    ),
    (
        "The mean of the eigenvalues' sizes was taken: in the long run the largest wins.",
        lambda w: _eigenvalues(w).abs().mean().item(),
    ),
    (
        "The sizes of all eigenvalues were added: in the long run the largest wins.",
        lambda w: _eigenvalues(w).abs().sum().item(),
    ),
    (
        "eigvalsh and eigh are for symmetric matrices, and read one half of the matrix only: eigvals takes any square "
        "one.",
        lambda w: torch.linalg.eigvalsh(w).abs().max().item(),
    ),
    (
        "eigvalsh and eigh are for symmetric matrices, and read one half of the matrix only: eigvals takes any square "
        "one.",
        lambda w: torch.linalg.eigvalsh(w).max().item(),
    ),
    (f"The matrix was measured by its trace. {LONG_RUN}", lambda w: w.trace().item()),
    (f"The matrix was measured by its trace. {LONG_RUN}", lambda w: abs(w.trace().item())),
    (f"The matrix was measured by its diagonal. {LONG_RUN}", lambda w: w.diagonal().abs().max().item()),
    (f"The matrix was measured by its determinant. {LONG_RUN}", _determinant),
    (f"The matrix was measured by its determinant. {LONG_RUN}", lambda w: abs(_determinant(w))),
    (
        f"The matrix was measured by its determinant. {LONG_RUN}",
        lambda w: abs(_determinant(w)) ** (1 / len(w)),
    ),
    (
        "The matrix was measured by its length, the root of the sum of its squares (the Frobenius norm). " + LONG_RUN,
        lambda w: w.norm().item(),
    ),
    (
        f"The matrix was measured by its largest row or column sum. {LONG_RUN}",
        lambda w: torch.linalg.matrix_norm(w, ord=1).item(),
    ),
    (
        f"The matrix was measured by its largest row or column sum. {LONG_RUN}",
        lambda w: torch.linalg.matrix_norm(w, ord=torch.inf).item(),
    ),
    (
        "The spectral radius of the matrix itself is not in the factor: divide by the one it has, then multiply by the "
        "one it should have.",
        lambda w: 1.0,
    ),
    (
        "The factor is upside down: *divide* by the spectral radius that the matrix has.",
        lambda w: 1 / radius_of(w),
    ),
    (
        "The matrix was divided by the root of its spectral radius: the size of the eigenvalue itself is multiplied at "
        "every step.",
        lambda w: radius_of(w) ** 0.5,
    ),
)
ROOT = (
    "What one step keeps is multiplied `steps` times: radius ** steps = share. So the radius is the root of that order."
)
TARGETS: tuple[tuple[str | None, Callable[[int, float], float]], ...] = (
    (None, lambda steps, share: share ** (1 / steps)),
    (f"The radius was set to the share itself, as if there were one step. {ROOT}", lambda steps, share: share),
    (
        f"The share was divided by the steps: that is the mean of a sum, and steps multiply. {ROOT} (In Python share "
        "** 1 / steps is (share ** 1) / steps: brackets.)",
        lambda steps, share: share / steps,
    ),
    (f"The share was raised to the power of steps: it is the other way round. {ROOT}", lambda n, share: share**n),
    (f"The share was multiplied by the steps. {ROOT}", lambda steps, share: share * steps),
    (
        f"The root is of one order too low: from the state before the first step to the last are `steps` steps. {ROOT}",
        lambda steps, share: share ** (1 / (steps - 1)),
    ),
    (f"The root is of one order too high: `steps` counts the steps. {ROOT}", lambda n, share: share ** (1 / (n + 1))),
    (
        f"The radius was set to 1: then everything is kept. 1 // steps is 0 in Python; 1 / steps was wanted. {ROOT}",
        lambda steps, share: 1.0,
    ),
    (
        f"What is lost was shared out evenly among the steps, 1 - (1 - share) / steps: each step takes its part of "
        f"what is *left*. {ROOT}",
        lambda steps, share: 1 - (1 - share) / steps,
    ),
    (
        f"This keeps 1 - share: `share` is what is kept, not what is lost. {ROOT}",
        lambda steps, share: (1 - share) ** (1 / steps),
    ),
    (f"exp(-1 / steps) keeps 0.37 after that many steps, whatever the share. {ROOT}", lambda n, _: math.exp(-1 / n)),
    (f"This is the square root, which is right for two steps alone. {ROOT}", lambda n, share: share**0.5),
    (f"The share did not come in as a root but as its inverse. {ROOT}", lambda n, share: share ** (-1 / n)),
    (f"The logarithm of the share over the steps is missing its exp. {ROOT}", lambda n, share: math.log(share) / n),
    (f"The logarithm of base 10 or 2 was mixed with exp. {ROOT}", lambda n, share: math.exp(math.log10(share) / n)),
    (f"The logarithm of base 10 or 2 was mixed with exp. {ROOT}", lambda n, share: math.exp(math.log2(share) / n)),
)


ONCE = (
    "This is share / radius ** steps, what all steps need together. But the number multiplies the matrix, and so comes "
    "in again at *each* step: take the root of that order."
)
UPSIDE_DOWN = "The factor is upside down: it is the radius that the matrix *should* have, divided by the one it has."


def _one_number(got: Any, wanted: Tensor, weight: Tensor) -> float | None:
    """By what `weight` was multiplied; None when it was not just multiplied."""
    if not isinstance(got, Tensor) or got.shape != weight.shape or got.dtype != weight.dtype:
        return None
    at = weight.abs().argmax()
    factor = (got.flatten()[at].double() / weight.flatten()[at].double()).item()
    near = CLOSE[weight.dtype] * abs(factor) * weight.abs().max().item()
    if not math.isfinite(factor) or (got.double() - factor * weight.double()).abs().max() > near:
        return None
    return factor


def _equal(factor: float, other: float, dtype: torch.dtype) -> bool:
    return math.isclose(factor, other, rel_tol=CLOSE[dtype])


def explain(got: Any, wanted: Tensor, weight: Tensor, steps: int, share: float) -> str:
    """The faults of the one number, as few as can be; "" when no known ones do."""
    factor = _one_number(got, wanted, weight)
    if factor is None:
        return ""
    right = share ** (1 / steps) / radius_of(weight)
    if _equal(-factor, right, weight.dtype):
        return "The size is right, and the sign is not: multiply by one *positive* number."
    seen = []
    for measured, size in SIZES:
        for brought, target in TARGETS:
            reasons = [reason for reason in (measured, brought) if reason]
            try:
                guess = target(steps, share) / size(weight.double())
            except (ZeroDivisionError, ValueError, OverflowError):
                continue
            if reasons and not isinstance(guess, complex) and math.isfinite(guess) and guess:
                seen.append((len(reasons), reasons, guess))
    seen.append((1, [UPSIDE_DOWN], 1 / right))
    seen.append((1, [ONCE], right**steps))  # (share ** (1 / steps) / radius) ** steps
    seen.sort(key=lambda fault: fault[0])  # one fault explains better than two
    for _, reasons, guess in seen:
        if _equal(factor, guess, weight.dtype):
            return " And: ".join(reasons)
    for _, reasons, guess in seen:
        if _equal(factor, -guess, weight.dtype):
            return f"The number is negative: a positive one was asked for. And: {' And: '.join(reasons)}"
    for order in (2, "fro"):
        gain = torch.linalg.matrix_norm(torch.linalg.matrix_power(weight.double(), steps), ord=order).item()
        if gain and _equal(factor, (share / gain) ** (1 / steps), weight.dtype):
            return (
                "This keeps the share after exactly these steps, in the direction that the product of the matrices "
                "stretches most. Asked for is the long run, which does not depend on how the first steps stretch: "
                "radius ** steps = share, with the spectral radius."
            )
    if math.isclose(factor, right, rel_tol=0.1):
        return (
            "Nearly right, and not exactly. Was the radius measured by letting the matrix act some number of times? "
            "That gets there slowly, or never settles when eigenvalues are complex. torch.linalg.eigvals gives the "
            "eigenvalues themselves."
        )
    return ""


def _finite(got: Any, wanted: Tensor, *args: Any) -> bool:
    return isinstance(got, Tensor) and got.shape == wanted.shape and not got.isfinite().all().item()


def _by_entries(got: Any, wanted: Tensor, weight: Tensor, *rest: Any) -> bool:
    """Nan where an entry is below 0, and nowhere else."""
    below = weight < 0
    return (
        isinstance(got, Tensor)
        and got.shape == weight.shape
        and bool(below.any() and not below.all())
        and torch.equal(got.isnan(), below)
    )


def _radius_is_right(got: Any, wanted: Tensor, *args: Any) -> bool:
    if not isinstance(got, Tensor) or got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    return _equal(radius_of(got), radius_of(wanted), wanted.dtype)


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "This has the dtype complex: eigenvalues are complex numbers, and their *size* is real. .abs() gives it.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.is_complex(),
    ),
    Suspect(
        "This is the number alone: return the matrix, multiplied by it.",
        lambda got, wanted, *args: isinstance(got, (float, int)) or (isinstance(got, Tensor) and not got.dim()),
    ),
    Suspect(
        "Two things came back: return the matrix alone.",
        lambda got, wanted, *args: type(got) in (tuple, list) and any(isinstance(part, Tensor) for part in got),
    ),
    Suspect(
        "nan stands where the matrix has an entry below 0, and nowhere else: a root or a logarithm was taken of each "
        "*entry*. The entries are not the eigenvalues. The root belongs to the share, share ** (1 / steps), and the "
        "matrix is multiplied by one number.",
        _by_entries,
    ),
    Suspect(
        "Some entries are nan or infinite: a division by 0, or a root of a negative number. The real part of an "
        "eigenvalue, its imaginary part and the trace may be 0 or negative: what counts is its *size*, .abs().",
        _finite,
    ),
    Suspect(
        "Everything is 0 now: nothing comes back at all.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.shape == wanted.shape and not got.any(),
    ),
    Suspect(
        "The matrix came back as it was.",
        lambda got, wanted, weight, *rest: _one_number(got, wanted, weight) == 1.0,
    ),
    Suspect(
        "The matrix was transposed. Its spectral radius is the same, but it is another network: multiply each entry by "
        "one and the same number.",
        lambda got, wanted, *args: isinstance(got, Tensor) and _alike(got, wanted.T),
    ),
    Suspect(
        "The spectral radius is right, and the matrix is another one: multiply *all* of it by one positive number.",
        lambda got, wanted, weight, *rest: _one_number(got, wanted, weight) is None and _radius_is_right(got, wanted),
    ),
    Suspect(
        "The matrix was multiplied by itself: scale it once. The steps multiply it, not you.",
        lambda got, wanted, weight, steps, share: (
            len(weight) > 1
            and isinstance(got, Tensor)
            and _one_number(got, wanted, torch.linalg.matrix_power(weight, steps)) is not None
        ),
    ),
    Suspect(
        "Only a part of the matrix was changed, or its entries by different numbers: multiply *all* of it by one and "
        "the same.",
        lambda got, wanted, weight, *rest: (
            isinstance(got, Tensor)
            and got.shape == wanted.shape
            and got.dtype == wanted.dtype
            and _one_number(got, wanted, weight) is None
        ),
    ),
)


def _alike(got: Tensor, wanted: Tensor) -> bool:
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return False
    return torch.allclose(got, wanted, rtol=CLOSE[wanted.dtype], atol=CLOSE[wanted.dtype] * wanted.abs().max().item())


LOGARITHM = (
    "The root or logarithm of a negative number. The share is above 0, and so is the *size* of an eigenvalue; a "
    "determinant, a trace or a real part may be negative."
)
NO_ORDER = "Complex numbers have no order, so none of them is the largest: take their sizes first, .abs().max()."
CRASHES = (
    (
        "an argument was changed in place",
        "The matrix was changed in place: an operation that ends in _, or *=. Return a new one. "
        "(nn.scale_spectral_radius_ changes it, and says so by its underscore: give it a .clone().)",
    ),
    *((part, NO_ORDER) for part in ("for 'Complex", "not support complex", "of 'complex'")),
    (
        "ZeroDivisionError",
        "A division by 0: what you measured the matrix by is 0 here, and its spectral radius is not. Is it the size "
        "(.abs()) of the largest eigenvalue? A turning matrix has a trace of 0, and eigenvalues with no real part.",
    ),
    *((part, LOGARITHM) for part in ("math domain error", "expected a positive input")),
)
GENERIC = (
    "The one number is another one. Of your result, print torch.linalg.eigvals(...).abs().max() ** steps: it should "
    "be `share`."
)


def _compare(ask: Examiner, weight: Tensor, steps: int, share: float) -> None:
    args, wanted = (weight, steps, share), oracle(weight, steps, share)
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=Later(show, wanted))
    if isinstance(got, Tensor) and _alike(got, wanted):
        return
    generic = explain(got, wanted, *args) or GENERIC
    ask.compare(got, wanted, args, called=called, generic=generic)


def cases() -> list[tuple[Tensor, int, float]]:
    """Largest where it is negative; turning, two ways; far from normal; one unit; a share above 1; one step."""
    triangle = torch.tensor(
        [[0.5, 0.0, 0.0, 0.0], [-6.0, -2.5, 0.0, 0.0], [0.0, 4.0, 1.5, 0.0], [2.0, 0.0, 1.0, 0.75]],
        dtype=torch.float64,
    )
    far = torch.tensor([[0.5, 300.0, 1.0], [0.0, -0.25, 70.0], [0.0, 0.0, 0.375]], dtype=torch.float64)
    return [
        (triangle, 4, 0.3),  # eigenvalues 0.5, -2.5, 1.5 and 0.75; the last comes first, and is no extreme
        (torch.tensor([[-1.5, 4.0], [-1.25, 0.75]], dtype=torch.float64), 3, 0.01),  # shrinks, and turns
        (torch.tensor([[0.0, 4.0], [-1.0, 0.0]]), 2, 0.01),  # 2i and -2i
        (far, 20, 0.5),
        (torch.tensor([[-3.0]]), 7, 0.3),
        (torch.tensor([[1.0, -2.0], [3.0, 0.5]]), 5, 4.0),
        (torch.tensor([[1.0, 0.0], [0.5, 0.25]]), 1, 0.9),
    ]


def draw(generator: torch.Generator, round_: int) -> tuple[Tensor, int, float]:
    """Arguments from the ranges that the exercise states.

    Built from eigenvalues that are known and apart, real and in complex pairs, and turned: radius and digits are safe.
    """

    def between(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()

    size = int(torch.randint(1, 9, (), generator=generator))
    wide = round_ % 2 == 0  # float64, where the part above the diagonal may be large
    weight = torch.randn(size, size, generator=generator, dtype=torch.float64).triu(1) * (
        between(0.5, 2.0) if wide else 0.3
    )
    row, largest = 0, between(0.5, 1.0)
    while row < size:
        if row + 1 < size and torch.rand((), generator=generator) < 0.5:
            angle = between(0.3, 2.8)
            turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            weight[row : row + 2, row : row + 2] = largest * turn
            row += 2
        else:
            weight[row, row] = largest * (1 if torch.rand((), generator=generator) < 0.4 else -1)
            row += 1
        largest *= between(0.5, 0.8)
    order = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64)).Q
    weight = between(0.1, 10.0) * order @ weight @ order.T
    steps = (1, 2, 10, 50, 200)[int(torch.randint(5, (), generator=generator))]
    share = round(10 ** between(-3.0, 1.0), 4)
    return weight.to(torch.float64 if wide else torch.float32).T, steps, share  # a view


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.radius", "tuned", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for weight, steps, share in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        _compare(ask, weight, steps, share)
    return f"right on {ask.asked} matrices, some that turn, some far from even: in the long run the radius decides."


EXERCISE = Exercise(
    id="08.radius",
    name="tuned",
    title="Tune the radius",
    objectives=("08-O2",),
    difficulty=2,
    minutes=10,
    points=3,
    task="Write tuned(weight_hh, steps, share): weight_hh (hidden, hidden), a whole number and a number above 0. "
    "Return the same matrix multiplied by one positive number, so that in a linear recurrent network, in the long run, "
    "a gradient that goes back `steps` steps keeps `share` of its size: spectral radius ** steps = share.",
    ranges="1 to 8 units, 1 to 200 steps, share 0.001 to 10, eigenvalues real and complex, of both signs, matrices "
    "that are far from even (one step can stretch by far more than the radius), the spectral radius above 0, float32 "
    "and float64, tensors that are views of others; an error of a thousandth is forgiven in float32, of a millionth in "
    "float64",
    hints=(
        "Two questions. How much may one step keep, if `steps` of them together keep `share`? And how much does a step "
        "of this matrix keep now, in the long run?",
        "One step keeps the root of order `steps` of the share. What the matrix keeps now is its spectral radius, the "
        "size of its largest eigenvalue. A matrix multiplied by a number has its eigenvalues multiplied by it.",
        "radius: torch.linalg.eigvals(weight_hh).abs().max(). Multiply weight_hh by share ** (1 / steps), divided by "
        "radius.",
    ),
    reference=tuned,
    walkthrough="Going back a step multiplies a gradient by the matrix, and after many steps its largest eigenvalue "
    "alone decides: its size to the power of steps. Setting that to the share and taking the root gives the radius; "
    "scaling a matrix scales every eigenvalue by the same number.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
