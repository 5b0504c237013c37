"""02.batch-norm: the gradients of batch normalisation for its input, weight and bias."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject


def batch_norm_backward(grad, x, weight, eps):
    std = torch.sqrt(x.var(0, unbiased=False) + eps)
    normal = (x - x.mean(0)) / std
    grad_bias = grad.sum(0)
    grad_weight = (grad * normal).sum(0)
    direct = grad * weight
    through_mean = direct.mean(0)
    through_variance = normal * (direct * normal).mean(0)
    return (direct - through_mean - through_variance) / std, grad_weight, grad_bias


Gradients = tuple[Tensor, Tensor, Tensor]


def oracle(grad: Tensor, x: Tensor, weight: Tensor, eps: float) -> Gradients:
    """torch's own, in float64."""
    leaves = [part.detach().double().requires_grad_() for part in (x, weight, torch.zeros_like(weight))]
    with torch.enable_grad():
        y = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True, eps=eps)
    return torch.autograd.grad(y, leaves, grad.double())


def directional(grad: Tensor, x: Tensor, weight: Tensor, eps: float, direction: Tensor, h: float = 1e-5) -> float:
    """The slope of sum(grad * y) when x moves along `direction`, by a central difference in float64."""

    def loss(moved: Tensor) -> Tensor:
        normal = (moved - moved.mean(0)) / torch.sqrt(moved.var(0, unbiased=False) + eps)
        return (grad.double() * weight.double() * normal).sum()

    forward, back = (loss(x.double() + step * direction.double()) for step in (h, -h))
    return ((forward - back) / (2 * h)).item()


def _std(x: Tensor, eps: float) -> Tensor:
    return torch.sqrt(x.var(0, unbiased=False) + eps)


# Other ways to divide, which are not batch norm's: a name for the reader, and the wrong standard deviation.
DIVISORS: tuple[tuple[str, Callable[[Tensor, float], Tensor]], ...] = (
    (
        "The variance is divided by n - 1 here, torch's default for var and std. Batch norm takes the mean of the "
        "squares: correction=0 (or unbiased=False).",
        lambda x, eps: torch.sqrt(x.var(0) + eps),
    ),
    (
        "The variance is a sum of squares here: batch norm takes their mean, divided by n.",
        lambda x, eps: torch.sqrt(((x - x.mean(0)) ** 2).sum(0) + eps),
    ),
    (
        "eps stands outside the root: it is sqrt(variance + eps), not sqrt(variance) + eps.",
        lambda x, eps: _std_alone(x) + eps,
    ),
    (
        "eps stands outside the root, and the variance is divided by n - 1: sqrt(variance + eps), with correction=0.",
        lambda x, eps: x.std(0) + eps,
    ),
    ("eps is missing: it is sqrt(variance + eps).", lambda x, eps: _std_alone(x)),
    ("The root is missing: divide by sqrt(variance + eps).", lambda x, eps: x.var(0, unbiased=False) + eps),
    ("This multiplies by sqrt(variance + eps): divide.", lambda x, eps: 1 / _std(x, eps)),
)


def _std_alone(x: Tensor) -> Tensor:
    return x.std(0, unbiased=False)


Way = Callable[[Tensor, Tensor, Tensor, float], Tensor]  # what a suspect would have returned for one of the three


def _way(way: Way) -> Callable[..., bool]:
    """The test of a suspect for one part. What is not finite proves nothing."""

    def fits(got: Any, wanted: Tensor, *args: Any) -> bool:
        guess = way(*args)
        return bool(guess.isfinite().all()) and matches(got, guess)

    return fits


def _flat(got: Any, wanted: Tensor, *args: Any) -> bool:
    """The right numbers in another shape."""
    return (
        isinstance(got, Tensor)
        and got.shape != wanted.shape
        and got.numel() == wanted.numel()
        and matches(got.reshape(wanted.shape), wanted)
    )


def _normal(x: Tensor, eps: float) -> Tensor:
    return (x - x.mean(0)) / _std(x, eps)


def _grad_x(grad: Tensor, x: Tensor, weight: Tensor, std: Tensor, normal: Tensor) -> Tensor:
    direct = grad * weight
    return (direct - direct.mean(0) - normal * (direct * normal).mean(0)) / std


def _paths(
    grad: Tensor, x: Tensor, weight: Tensor, eps: float, *, mean: float = 1, variance: float | Tensor = 1
) -> Tensor:
    """grad_x with one of its paths too large or too small by a factor."""
    direct, normal = grad * weight, _normal(x, eps)
    return (direct - mean * direct.mean(0) - variance * normal * (direct * normal).mean(0)) / _std(x, eps)


KEPT = "The numbers are right, the shape is not: the sum over the batch leaves (features,), without keepdim."
FEATURES = (
    "The sum runs over the features (dim=1). weight and bias have one number for each feature, shared by all "
    "examples: sum over the batch, dim=0."
)
# The order matters: the first suspect that fits is named.
BIAS = (
    Suspect(KEPT, _flat),
    Suspect(
        "This is the mean over the batch. bias is used once for each example, and every use adds its share: the sum.",
        _way(lambda grad, x, weight, eps: grad.mean(0)),
    ),
    Suspect(FEATURES, _way(lambda grad, x, weight, eps: grad.sum(1))),
    Suspect(
        "bias was broadcast over the batch, so its gradient is summed over the batch: here every example still stands "
        "by itself.",
        _way(lambda grad, x, weight, eps: grad),
    ),
    Suspect("Everything was summed into one number: sum over the batch, dim=0.", _way(lambda grad, *rest: grad.sum())),
    Suspect(
        "The weight's gradient stands where the bias's belongs: the order is grad_x, grad_weight, grad_bias.",
        _way(lambda grad, x, weight, eps: (grad * _normal(x, eps)).sum(0)),
    ),
    Suspect(
        "bias is added after the multiplication by weight, so its gradient has no weight in it.",
        _way(lambda grad, x, weight, eps: (grad * weight).sum(0)),
    ),
)
WEIGHT = (
    Suspect(KEPT, _flat),
    Suspect(
        "Mean and variance were taken over each row, dim=1: batch norm takes those of each column, over the batch, "
        "dim=0.",
        _way(lambda grad, x, weight, eps: (grad * _normal(x.T, eps).T).sum(0)),
    ),
    Suspect(
        "This uses x as it came. weight multiplies the *normalised* input: sum(grad * x_hat).",
        _way(lambda grad, x, weight, eps: (grad * x).sum(0)),
    ),
    Suspect(
        "This uses x - mean, without the division: weight multiplies x_hat = (x - mean) / sqrt(variance + eps).",
        _way(lambda grad, x, weight, eps: (grad * (x - x.mean(0))).sum(0)),
    ),
    Suspect(
        "This uses weight * x_hat, the output. A factor is not in its own derivative: grad * x_hat.",
        _way(lambda grad, x, weight, eps: (grad * weight * _normal(x, eps)).sum(0)),
    ),
    Suspect(
        "This is the mean over the batch. weight is used once for each example, and every use adds its share: the sum.",
        _way(lambda grad, x, weight, eps: (grad * _normal(x, eps)).mean(0)),
    ),
    Suspect(FEATURES, _way(lambda grad, x, weight, eps: (grad * _normal(x, eps)).sum(1))),
    Suspect(
        "weight was broadcast over the batch, so its gradient is summed over the batch: here every example still "
        "stands by itself.",
        _way(lambda grad, x, weight, eps: grad * _normal(x, eps)),
    ),
    Suspect(
        "This is the bias's gradient: the weight's has x_hat in it, sum(grad * x_hat).",
        _way(lambda grad, x, weight, eps: grad.sum(0)),
    ),
    *(
        Suspect(reason, _way(lambda grad, x, weight, eps, by=by: (grad * (x - x.mean(0)) / by(x, eps)).sum(0)))
        for reason, by in DIVISORS
    ),
)
X = (
    Suspect(
        "mean and variance were both taken for constants. x moves them too: two more paths lead from x to the output, "
        "and their shares are missing.",
        _way(lambda grad, x, weight, eps: grad * weight / _std(x, eps)),
    ),
    Suspect(
        "The mean was taken for a constant. It moves with every x of the column: the path through the mean is missing. "
        "(Add a constant to a column and nothing changes, so each column of grad_x adds up to 0; yours does not.)",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, mean=0)),
    ),
    Suspect(
        "The variance was taken for a constant. It moves with every x of the column: the path through the variance is "
        "missing.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=0)),
    ),
    Suspect(
        "weight is missing in grad_x: what arrives at x_hat is grad * weight.",
        _way(lambda g, x, w, eps: _grad_x(g, x, torch.ones_like(w), _std(x, eps), _normal(x, eps))),
    ),
    Suspect(
        "The paths through mean and variance have sums over the batch where means belong: each mean has 1 / n in it.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, mean=len(x), variance=len(x))),
    ),
    Suspect(
        "The path through the variance is n times too large: the variance is a *mean* of squares, so there is 1 / n in "
        "its derivative.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=len(x))),
    ),
    Suspect(
        "The path through the mean is n times too large: there is 1 / n in the derivative of a mean.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, mean=len(x))),
    ),
    Suspect(
        "The path through the variance is twice as large as it should be. Look for the 1/2 of the root: the derivative "
        "of sqrt(u) is 1/2 u ** -0.5, and that of u ** -0.5 is -1/2 u ** -1.5.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=2)),
    ),
    Suspect(
        "The path through the variance is half as large as it should be. Look for the 2 of the square: the derivative "
        "of (x - mean) ** 2 is 2 (x - mean).",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=0.5)),
    ),
    Suspect(
        "This is n times too large: a division by the number of examples is missing.",
        _way(lambda g, x, w, eps: len(x) * _grad_x(g, x, w, _std(x, eps), _normal(x, eps))),
    ),
    Suspect(
        "This is n times too small: there is a division by the number of examples too many.",
        _way(lambda g, x, w, eps: _grad_x(g, x, w, _std(x, eps), _normal(x, eps)) / len(x)),
    ),
    Suspect(
        "The path through the variance was added: a larger variance makes x_hat smaller, so it is subtracted.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=-1)),
    ),
    Suspect(
        "The path through the mean was added: a larger mean makes x_hat smaller, so it is subtracted.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, mean=-1)),
    ),
    Suspect(
        "The division by sqrt(variance + eps) is missing.",
        _way(lambda g, x, w, eps: _grad_x(g, x, w, torch.ones_like(w), _normal(x, eps))),
    ),
    Suspect(
        "In the path through the variance stands x - mean where x_hat belongs: it is divided once too little.",
        _way(
            lambda g, x, w, eps: (
                (g * w - (g * w).mean(0) - (x - x.mean(0)) * (g * w * _normal(x, eps)).mean(0)) / _std(x, eps)
            )
        ),
    ),
    Suspect(
        "weight is in there twice: what arrives at x_hat is grad * weight, and after that weight does not come again.",
        _way(lambda g, x, w, eps: _paths(g, x, w * w, eps)),
    ),
    Suspect(
        "In the path through the variance eps is missing: the derivative of (variance + eps) ** -0.5 is -1/2 (variance "
        "+ eps) ** -1.5.",
        _way(lambda g, x, w, eps: _paths(g, x, w, eps, variance=(_std(x, eps) / _std_alone(x)) ** 3)),
    ),
    *(
        Suspect(
            reason,
            _way(lambda g, x, w, eps, by=by: _grad_x(g, x, w, by(x, eps), (x - x.mean(0)) / by(x, eps))),
        )
        for reason, by in DIVISORS
    ),
    *(
        Suspect(f"In the last division of grad_x: {reason}", _way(lambda g, x, w, eps, by=by: _last(g, x, w, eps, by)))
        for reason, by in DIVISORS
    ),
)


def _last(grad: Tensor, x: Tensor, weight: Tensor, eps: float, by: Callable[[Tensor, float], Tensor]) -> Tensor:
    """x_hat is right, and the last division is by something else."""
    return _grad_x(grad, x, weight, by(x, eps), _normal(x, eps))


NAMES = "(grad_x, grad_weight, grad_bias)"
PARTS = (  # the easiest first: so a learner may write one after the other
    (
        "grad_bias",
        2,
        BIAS,
        "out = weight * x_hat + bias: one bias for all examples, so its shares are summed over them.",
    ),
    ("grad_weight", 1, WEIGHT, "out = weight * x_hat + bias: each example adds grad * x_hat to the weight's gradient."),
    ("grad_x", 0, X, "Three paths lead from x to out: directly, through the mean, and through the variance."),
)
CRASHES = (
    (
        "must match the size",
        "Shapes do not fit: mean, variance, weight and bias are (features,), one for each column. Means and sums run "
        "over the batch, dim=0; over dim=1 they would be (batch,).",
    ),
    (
        "an argument was changed in place",
        "An argument was changed: an operation that ends in _, or +=. The caller still needs it: make new tensors.",
    ),
    ("size mismatch", "No matrix product is needed here: batch norm treats every column by itself."),
    ("cannot be multiplied", "No matrix product is needed here: batch norm treats every column by itself."),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.batch-norm", "batch_norm_backward", subject, (), CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def right_for(grad: Tensor, x: Tensor, weight: Tensor, eps: float) -> None:
        args = (grad, x, weight, eps)
        wanted = tuple(part.to(x.dtype) for part in oracle(*args))
        called = ask.written(args)
        got = ask.ask(lambda: subject.call(*args), called=called, wanted=f"{NAMES} = " + Later(show, wanted))
        got = tuple(got) if type(got) is list else got
        if type(got) is not tuple or len(got) != 3:
            ask.compare(got, wanted, args, called=called, generic="", names=NAMES)
        # Where a column is nearly constant, a rounding error of x grows by 1 / std.
        largest = max(1.0, (1 / _std(x.double(), eps)).max().item())
        slack = 50 * torch.finfo(x.dtype).eps * largest * grad.abs().max().item() * weight.abs().max().item()
        for name, position, suspects, generic in PARTS:
            part, right = got[position], wanted[position]

            def why(name: str = name, part: Any = part, right: Tensor = right, generic: str = generic) -> str:
                return generic + (_observed(part, right, *args) if name == "grad_x" else "")

            label = called + f"\nof the three: {name}"
            ask.compare(part, right, args, called=label, generic=why, suspects=suspects, slack=slack)

    def quarters(*shape: int) -> Tensor:
        """Odd numbers of quarters between -3 and 3: no zero, and no two that nearly agree."""
        return (2 * torch.randint(-6, 6, shape, generator=generator) + 1).double() / 4

    right_for(
        torch.tensor([[1.0, -2.0], [3.0, 0.5], [-1.5, 1.0]], dtype=torch.float64),
        torch.tensor([[1.0, 2.0], [3.0, -1.0], [-1.0, 0.5]], dtype=torch.float64),
        torch.tensor([2.0, -0.5], dtype=torch.float64),
        0.5,
    )
    right_for(quarters(3, 3), quarters(3, 3), quarters(3), 0.1)  # square: a wrong axis raises no error
    constant = quarters(4, 2)
    constant[:, 1] = 1.5  # variance 0
    right_for(quarters(4, 2), constant, quarters(2), 0.01)
    for round_ in range(10):
        batch = int(torch.randint(2, 10, (), generator=generator))
        features = int(torch.randint(1, 7, (), generator=generator))
        x = quarters(features, batch).T  # a view whose entries do not lie in order
        if round_ % 3 == 2:
            x[:, 0] = x[0, 0].item()
        eps = (0.5, 0.1, 0.01, 0.001)[round_ % 4]
        dtype = (torch.float32, torch.float64)[round_ % 2]
        right_for(quarters(batch, features).to(dtype), x.to(dtype), quarters(features).to(dtype), eps)
    return f"three gradients right on each of {ask.asked} batches, with constant columns among them. The summit."


def _observed(got: Any, wanted: Tensor, *args: Any) -> str:
    """What can be seen of a grad_x that is wrong and of no known kind, as the learner could test it."""
    if not isinstance(got, Tensor) or got.shape != wanted.shape or not got.is_floating_point():
        return ""
    seen = ""
    sums = got.double().sum(0)
    if sums.abs().max() > 1e-3:
        seen += (
            f" Column {int(sums.abs().argmax())} of grad_x adds up to {sums[sums.abs().argmax()].item():.4g}; a "
            "constant added to a column of x changes nothing, so it must be 0."
        )
    direction = torch.zeros_like(wanted, dtype=torch.float64)
    place = int((got.double() - wanted.double()).abs().nan_to_num(torch.inf).argmax())
    direction.view(-1)[place] = 1.0
    slope = directional(*args, direction)
    claimed = got.double().reshape(-1)[place].item()
    where = [place // wanted.shape[1], place % wanted.shape[1]]
    return f"{seen} Move x at {where} alone: a difference says {slope:.4g}, grad_x says {claimed:.4g}."


EXERCISE = Exercise(
    id="02.batch-norm",
    name="batch_norm_backward",
    title="Batch norm, backward",
    objectives=("02-O4", "02-O5"),
    difficulty=5,
    minutes=30,
    points=5,
    task="Write batch_norm_backward(grad, x, weight, eps) for out = weight * x_hat + bias, x_hat = (x - mean) / "
    "sqrt(variance + eps), mean and variance of each column of x over the batch, the variance divided by n. grad and x "
    "are (batch, features), weight is (features,), eps a float. Return the tuple (grad_x, grad_weight, grad_bias).",
    ranges="two to nine examples, one to six features, numbers between -3 and 3, columns that are constant, eps "
    "between 0.001 and 0.5, float32 and float64, tensors that are views of others",
    hints=(
        "Draw the graph with six nodes: x, mean, variance, x_hat, out, and the loss. How many ways lead from one x to "
        "the loss? Begin with bias, then weight, then what arrives at x_hat; they need only one rule each.",
        "At x_hat arrives d = grad * weight. From there: directly d / std; through the mean, minus the mean of d over "
        "the batch, / std; through the variance, minus x_hat times the mean of d * x_hat, / std. (The path from "
        "variance to mean to x adds nothing: the deviations from the mean add up to 0.)",
        "std = sqrt(x.var(0, correction=0) + eps); x_hat = (x - x.mean(0)) / std; d = grad * weight; grad_x = "
        "(d - d.mean(0) - x_hat * (d * x_hat).mean(0)) / std; grad_weight = (grad * x_hat).sum(0); grad_bias = "
        "grad.sum(0).",
    ),
    reference=batch_norm_backward,
    walkthrough="weight and bias were broadcast over the batch, so their gradients are sums over it. From x_hat three "
    "paths lead back to x, directly, through the mean and through the variance, and the last two take away the mean of "
    "what arrived and the part of it along x_hat.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
