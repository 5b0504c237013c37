"""08.clip: one norm over all gradients, and one factor for them all."""

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches, number
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, kind, show
from dlcourse.checks.subject import Subject


def clip_norm(gradients, most):
    norm = math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients))
    factor = most / norm if norm > most else 1.0
    return [factor * gradient for gradient in gradients], norm


NAMES = "(clipped, norm)"
Gradients = Sequence[Tensor]


def _lengths(gradients: Gradients) -> list[float]:
    return [gradient.double().norm().item() for gradient in gradients]


def _all(gradients: Gradients) -> Tensor:
    """The one long vector, in float64."""
    return torch.cat([gradient.double().flatten() for gradient in gradients])


def oracle(gradients: Gradients, most: float) -> tuple[list[Tensor], float]:
    norm = _all(gradients).norm().item()
    factor = min(1.0, most / norm) if norm else 1.0
    return [(factor * gradient.double()).to(gradient.dtype) for gradient in gradients], norm


# --- the norm ---------------------------------------------------------------------------------------------------------

Measure = Callable[[Gradients, float], float]


def _is(*measures: Measure) -> Callable[..., bool]:
    return lambda got, wanted, gradients, most: any(matches(got, measure(gradients, most)) for measure in measures)


NORM = "The norm is the length of all gradients as *one* long vector: the root of the sum of all squares."
NORM_SUSPECTS = (
    Suspect(
        "This is the square of the norm: the root is missing.",
        _is(lambda gs, most: _all(gs).square().sum().item()),
    ),
    Suspect(
        f"The norms of the tensors were added. {NORM}",
        _is(lambda gs, most: sum(_lengths(gs))),
    ),
    Suspect(
        "This is `most`, or the norm after clipping: the one *before* is wanted. It is what one writes down during a "
        "training, to see how large the gradients were.",
        _is(lambda gs, most: min(most, _all(gs).norm().item()), lambda gs, most: float(most)),
    ),
    Suspect("This is the largest norm of a single tensor. " + NORM, _is(lambda gs, most: max(_lengths(gs)))),
    Suspect("This is the norm of the first tensor alone. " + NORM, _is(lambda gs, most: _lengths(gs)[0])),
    Suspect("This is the norm of the last tensor alone. " + NORM, _is(lambda gs, most: _lengths(gs)[-1])),
    Suspect("The sizes of all numbers were added. " + NORM, _is(lambda gs, most: _all(gs).abs().sum().item())),
    Suspect(
        "The numbers were added, with their signs: they cancel. " + NORM,
        _is(lambda gs, most: _all(gs).sum().item(), lambda gs, most: abs(_all(gs).sum().item())),
    ),
    Suspect("This is the largest single number. " + NORM, _is(lambda gs, most: _all(gs).abs().max().item())),
    Suspect(
        "A mean was taken where a sum belongs. " + NORM,
        _is(
            lambda gs, most: _all(gs).square().mean().sqrt().item(),
            lambda gs, most: sum(_lengths(gs)) / len(gs),
            lambda gs, most: math.sqrt(sum(length**2 for length in _lengths(gs)) / len(gs)),
            lambda gs, most: _all(gs).abs().mean().item(),
            lambda gs, most: math.sqrt(sum(g.double().square().mean().item() for g in gs)),
        ),
    ),
    Suspect(
        "The roots were taken before the sum, of each number or each tensor. " + NORM,
        _is(
            lambda gs, most: math.sqrt(sum(_lengths(gs))),
            lambda gs, most: math.sqrt(_all(gs).abs().sum().item()),
        ),
    ),
    Suspect(
        "This is the factor that clips: the norm before clipping is wanted beside the gradients.",
        _is(
            lambda gs, most: most / _all(gs).norm().item() if _all(gs).any() else math.nan,
            lambda gs, most: min(1.0, most / _all(gs).norm().item()) if _all(gs).any() else 1.0,
        ),
    ),
    Suspect(
        "This says whether something was clipped: the norm before clipping is wanted.",
        lambda got, wanted, *args: got in (0.0, 1.0) and wanted not in (0.0, 1.0),
    ),
)

# --- the gradients ----------------------------------------------------------------------------------------------------

Clip = Callable[[Gradients, float, float], list[Tensor]]  # of the gradients, most, and their norm


def _gives(*clips: Clip) -> Callable[..., bool]:
    """The test of a suspect. What is not finite proves nothing."""

    def fits(got: Any, wanted: list[Tensor], gradients: Gradients, most: float) -> bool:
        wide = [gradient.double() for gradient in gradients]
        norm = _all(gradients).norm().item()
        for clip in clips:
            guess = clip(wide, most, norm) if norm else []
            guess = [part.to(gradient.dtype) for part, gradient in zip(guess, gradients, strict=False)]
            if guess and all(part.isfinite().all() for part in guess) and matches(got, guess):
                return True
        return False

    return fits


def _times(factor: Callable[[float, float], float]) -> Clip:
    return lambda gs, most, norm: [factor(most, norm) * g for g in gs]


def _each(length: Callable[[Tensor], Tensor]) -> Clip:
    return lambda gs, most, norm: [g * (most / length(g).clamp(min=1e-300)).clamp(max=1.0) for g in gs]


def _columns(g: Tensor) -> Tensor:
    return g.norm(dim=0, keepdim=True) if g.dim() else g.abs()


def _rows(g: Tensor) -> Tensor:
    return g.norm(dim=-1, keepdim=True) if g.dim() else g.abs()


DIRECTION = "One factor for all keeps the direction of the step."
CLIPPED_SUSPECTS = (
    Suspect(
        "0 / 0 is nan: gradients of 0 have the norm 0. They are not above `most`, so nothing need be divided.",
        lambda got, wanted, *args: any(g.isnan().any().item() for g in got),
    ),
    Suspect(
        f"Each tensor was clipped by its *own* norm: that changes their sizes beside each other. {DIRECTION}",
        _gives(_each(lambda g: g.norm())),
    ),
    Suspect(
        f"Each tensor was scaled to `most` by its own norm, whether it was above or not. {DIRECTION}",
        _gives(lambda gs, most, norm: [g * most / g.norm().clamp(min=1e-300) for g in gs]),
    ),
    Suspect(
        f"Each row or column of a tensor was clipped by its own norm. {DIRECTION}",
        _gives(_each(_rows), _each(_columns)),
    ),
    Suspect(
        f"Each number was clipped by its value, and that turns the gradient. {DIRECTION}",
        _gives(
            lambda gs, most, norm: [g.clamp(-most, most) for g in gs],
            lambda gs, most, norm: [g.clamp(-most, most) for g in gs] if norm > most else list(gs),
        ),
    ),
    Suspect(
        "Each number was cut off from above only, and that turns the gradient. One factor for all keeps its direction.",
        _gives(lambda gs, most, norm: [g.clamp(max=most) for g in gs]),
    ),
    Suspect(
        "The gradients came back as they were, although their norm is above `most`. Is the comparison the right way "
        "round, norm > most, and is the new list returned?",
        lambda got, wanted, gradients, most: matches(got, list(gradients)),
    ),
    Suspect(
        "The *square* of the norm stands in the factor, or in the comparison: take its root first.",
        _gives(
            _times(lambda most, norm: most / norm**2),
            _times(lambda most, norm: min(1.0, most / norm**2)),
            _times(lambda most, norm: most / norm if norm**2 > most else 1.0),
        ),
    ),
    Suspect(
        "The norm was compared with 1: it is compared with `most`.",
        _gives(_times(lambda most, norm: most / norm if norm > 1 else 1.0)),
    ),
    Suspect(
        "Everything was scaled to the norm `most`, upwards too: a gradient that is not above `most` stays as it is. "
        "Clipping is a bound, not a target.",
        _gives(_times(lambda most, norm: most / norm)),
    ),
    Suspect(
        "The factor is upside down: most / norm shrinks, norm / most grows.",
        _gives(_times(lambda most, norm: norm / most), _times(lambda most, norm: max(1.0, norm / most))),
    ),
    Suspect(
        "The gradients were divided by their norm, and `most` was left out: this has the norm 1.",
        _gives(_times(lambda most, norm: 1 / norm), _times(lambda most, norm: 1 / max(1.0, norm))),
    ),
    Suspect(
        "The gradients were multiplied by `most`, and not divided by their norm.",
        _gives(_times(lambda most, norm: most), _times(lambda most, norm: min(1.0, most))),
    ),
    Suspect(
        "The gradients were divided by `most`: the factor is most / norm.",
        _gives(_times(lambda most, norm: 1 / most)),
    ),
    Suspect(
        "The root was taken of the factor as well: the norm has had its root.",
        _gives(
            _times(lambda most, norm: (most / norm) ** 0.5), _times(lambda most, norm: min(1.0, most / norm) ** 0.5)
        ),
    ),
    Suspect(
        "The factor was applied twice.",
        _gives(_times(lambda most, norm: min(1.0, most / norm) ** 2)),
    ),
    Suspect(
        "The gradients are all 0 now: they shrink by the factor most / norm.",
        lambda got, wanted, gradients, most: not any(g.any().item() for g in got),
    ),
    Suspect(
        "The sign is the wrong way round: the clipped gradient points where the old one pointed.",
        lambda got, wanted, gradients, most: matches(got, [-part for part in wanted]),
    ),
    Suspect(
        "Only some of the tensors were scaled. The norm is that of all, and so is the factor.",
        lambda got, wanted, gradients, most: all(
            matches(g, w) or matches(g, old) for g, w, old in zip(got, wanted, gradients, strict=True)
        ),
    ),
    Suspect(
        "A number was taken away from the gradients: they are *multiplied*, by most / norm, so that their direction "
        "stays.",
        lambda got, wanted, gradients, most: (
            len({round((old - g).double().mean().item(), 4) for g, old in zip(got, gradients, strict=True)}) == 1
            and all(matches(g, old - (old - g).mean()) for g, old in zip(got, gradients, strict=True))
        ),
    ),
    Suspect(
        "The factor is another one for each tensor. The norm is that of all tensors together, and so is the factor.",
        lambda got, wanted, gradients, most: (
            len(set(_factors(got, gradients))) > 1 and None not in _factors(got, gradients)
        ),
    ),
)


def _factors(got: Gradients, gradients: Gradients) -> list[float | None]:
    """By what each tensor was multiplied, to four digits; None for one that was not just multiplied."""
    return [_factor(*pair) for pair in zip(got, gradients, strict=True) if pair[1].any()]


def _factor(got: Tensor, old: Tensor) -> float | None:
    at = old.abs().argmax()
    factor = (got.flatten()[at] / old.flatten()[at]).item()
    return float(f"{factor:.4g}") if matches(got, factor * old) else None


ORDER = f"The two came back in the wrong order: it is {NAMES}."
PAIR = f"Return two things, {NAMES}: a list of tensors as long as `gradients`, and a number."
LIST = (
    "The clipped gradients come in a list, a tensor for each, in the old order and shapes: each belongs to a parameter."
)
CRASHES = (
    (
        "an argument was changed in place",
        "The gradients were changed in place: an operation that ends in _, or *=, /= or an assignment into the list. "
        "Make new ones: [factor * gradient for gradient in gradients]. (torch's clip_grad_norm_ does it in place, and "
        "says so by its underscore.)",
    ),
    (
        "as its own grad",
        "torch's clip_grad_norm_ takes the *parameters*, and clips their .grad in place. What comes in here are the "
        "gradients themselves, and they may not change: reckon with them, and set no .grad.",
    ),
    (
        "expects each tensor to be equal size",
        "torch.stack joins tensors of one shape, and these have several: add up the squares of each tensor first.",
    ),
    (
        "same number of dimensions",
        "torch.cat joins tensors that fit, and these have several shapes: add up the squares of each, or .flatten() "
        "first.",
    ),
    (
        "view size is not compatible",
        "view works only where the entries lie in order in memory, and this tensor is a view of another: .flatten() "
        "and .reshape(-1) always work.",
    ),
    (
        "must match the size",
        "Two shapes do not fit: the gradients have several, so add up *numbers*: gradient.square().sum() of each.",
    ),
    (
        "'list' object has no attribute",
        "`gradients` is a list of tensors: go through it with a loop, for gradient in gradients.",
    ),
    (
        "must be Tensor, not list",
        "`gradients` is a list of tensors: go through it with a loop, for gradient in gradients.",
    ),
    (
        "unsupported operand type(s) for *: 'float' and 'list'",
        "A list cannot be multiplied: multiply each of its tensors, [factor * gradient for gradient in gradients].",
    ),
    (
        "can't multiply sequence by non-int",
        "A list cannot be multiplied: multiply each of its tensors, [factor * gradient for gradient in gradients].",
    ),
    (
        "ZeroDivisionError",
        "Gradients of 0 have the norm 0, and something was divided by it. They are not above `most`: leave them.",
    ),
    (
        "Boolean value of Tensor with more than one value",
        "The comparison has a truth value for each number: compare the one norm with `most`.",
    ),
    ("must be Tensor, not float", "torch.sqrt takes a tensor; the root of a plain number is math.sqrt, or ** 0.5."),
)
GENERIC = (
    "The norm is right, and the gradients are not. When it is above `most`, each number is multiplied by most / norm; "
    "else nothing changes. Divide what came back by what went in: is it one and the same number everywhere?"
)


def _compare(ask: Examiner, gradients: list[Tensor], most: float) -> None:
    args, wanted = (gradients, most), oracle(gradients, most)
    called = ask.written(args)
    got = ask.ask(lambda: ask.subject.call(*args), called=called, wanted=f"{NAMES} = " + Later(show, wanted))

    def refuse(reason: str) -> None:
        came_back = f"{kind(got)}: {show(got)}"
        ask.fail(called=called, came_back=came_back, wanted=f"{NAMES} = " + Later(show, wanted), reason=reason)

    if got is None:
        refuse("Nothing was returned: for this input no line with `return` was reached.")
    if type(got) not in (tuple, list) or len(got) != 2:
        refuse(PAIR)
    clipped, norm = got
    if type(norm) in (list, tuple):
        refuse(ORDER if type(clipped) not in (list, tuple) else f"The norm is one number, and this is a list. {NORM}")
    if type(clipped) not in (list, tuple) or len(clipped) != len(gradients):
        refuse(LIST)
    if not isinstance(norm, (Tensor, float, int)) or (isinstance(norm, Tensor) and norm.dim()):
        refuse(f"The norm is one number, and this is {kind(norm)}.")
    # The norm first: the factor is made of it. A tensor without axes is as good as a float.
    label = called + "\nof the two: norm"
    ask.compare(number(norm), wanted[1], args, called=label, generic=NORM, suspects=NORM_SUSPECTS)
    shown = called + "\nof the two: clipped"
    for position, (part, right) in enumerate(zip(clipped, wanted[0], strict=True)):
        if not isinstance(part, Tensor):
            refuse(f"clipped[{position}] is {kind(part)}, and {kind(right)} was wanted. {LIST}")
        if part.shape != right.shape or part.dtype != right.dtype:
            ask.compare(part, right, (), called=shown + f"[{position}]", generic="", suspects=())
    wrong = [n for n, pair in enumerate(zip(clipped, wanted[0], strict=True)) if not _close(*pair)]
    if wrong:
        suspected = (s.reason for s in CLIPPED_SUSPECTS if s.fits(list(clipped), wanted[0], gradients, most))
        pair, label = (clipped[wrong[0]], wanted[0][wrong[0]]), shown + f"[{wrong[0]}]"
        ask.compare(*pair, (), called=label, generic=next(suspected, GENERIC), suspects=())


def _close(got: Tensor, wanted: Tensor) -> bool:
    """torch divides by norm + 1e-6, so that a little less than `most` is left: as right as the formula."""
    return torch.allclose(got, wanted, rtol=2e-5, atol=2e-6)


def cases() -> list[tuple[list[Tensor], float]]:
    """Above the bound, below, exactly on it; several shapes, one without axes; a tensor of zeros; nothing but zeros."""
    matrix = torch.tensor([[-5.0, 3.0, 1.0], [-2.0, 0.0, 1.0]])
    gradients = [torch.tensor([4.0, 2.0]), matrix, torch.tensor([2.0])]  # their norm is 8
    many = [torch.tensor(-6.0), torch.tensor([[3.0, 0.5, -2.0], [0.0, 8.0, 1.5]]), torch.zeros(2), torch.tensor([7.0])]
    return [
        (gradients, 3.2),
        ([part / 10 for part in gradients], 0.9),  # its square is below the bound too
        ([part / 4 for part in gradients], 5.0),  # and here it is above 1
        (gradients, 10.0),  # and here its square is above the bound
        (gradients, 8.0),
        ([part.double() for part in many], 0.5),
        (many[1:2], 4.0),
        ([torch.zeros(2, 3), torch.tensor(0.0)], 1.0),
    ]


SHAPES = ((), (3,), (4, 2), (1, 5), (2, 1, 3), (1,), (3, 3))


def draw(generator: torch.Generator, round_: int) -> tuple[list[Tensor], float]:
    """Arguments from the ranges that the exercise states."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64).item()

    scale, most = 10 ** between(-2.0, 6.0), round(10 ** between(-1.0, 1.0), 2)
    gradients = []
    for _ in range(int(torch.randint(1, 6, (), generator=generator))):
        shape = SHAPES[int(torch.randint(len(SHAPES), (), generator=generator))]
        values = scale * torch.randn(shape[::-1], generator=generator, dtype=torch.float64)
        values *= torch.rand((), generator=generator, dtype=torch.float64) > 0.1  # some are zero
        view = values.to((torch.float32, torch.float64)[round_ % 2]).permute(tuple(reversed(range(len(shape)))))
        gradients.append(view)
    return gradients, most


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("08.clip", "clip_norm", subject, (), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for gradients, most in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        _compare(ask, gradients, most)
    return f"right on {ask.asked} lists of gradients: above the bound, below it, exactly on it, and all of them 0."


EXERCISE = Exercise(
    id="08.clip",
    name="clip_norm",
    title="Clip the norm",
    objectives=("08-O2",),
    difficulty=1,
    minutes=8,
    points=2,
    task="Write clip_norm(gradients, most): a list of tensors of various shapes and a number above 0. Return (clipped, "
    "norm): a list of tensors, and the norm of all gradients together *before* clipping, a float or a tensor "
    "without axes. Above `most` all of them shrink by one factor, so that their common norm is `most`; else nothing "
    "changes.",
    ranges="1 to 5 tensors of up to three axes (also without axes), norms of 0 to about ten million, most 0.1 to 10, "
    "tensors that are 0 everywhere, float32 and float64, tensors that are views of others",
    hints=(
        "Think of all numbers of all tensors as one long arrow. Clipping makes a long arrow shorter and does not turn "
        "it. What must be the same for all tensors, then?",
        "Add up the squares of all numbers of all tensors and take one root: that is the norm. Is it above `most`, "
        "then multiply every tensor by most / norm; is it not, then by 1.",
        "norm: the root of sum(gradient.square().sum() for gradient in gradients). factor: most / norm if norm > most "
        "else 1. Return the list of factor times each gradient, and norm.",
    ),
    reference=clip_norm,
    walkthrough="One norm and one factor for all tensors shorten the gradient and keep its direction; a factor for "
    "each tensor, or a bound for each number, would turn it. The norm before clipping is what tells you, in a log, "
    "that gradients explode.",
    where="exercises/08-rnn/08-rnn-exercises.ipynb",
    check=check,
)
