"""01.sigmoid: right in value and slope from -1000 to 1000."""

import torch

from dlcourse import nn
from dlcourse.checks.examiner import Examiner, Suspect, gives, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "exp overflowed: exp(1000) is infinite, and inf / inf is nan. Give exp only numbers that are not positive: "
        "use one form of the formula for x >= 0 and the other for x < 0.",
        lambda got, wanted, x: isinstance(got, torch.Tensor) and got.shape == x.shape and bool(got.isnan().any()),
    ),
    Suspect(
        "A minus sign is missing: this is sigmoid(-x), so the curve falls where it should rise.",
        gives(lambda x: nn.sigmoid(-x)),
    ),
    Suspect("This is tanh, which runs from -1 to 1. The sigmoid runs from 0 to 1.", gives(torch.tanh)),
    Suspect(
        "This is exp(-x) / (1 + exp(-x)) or a relative of it: check the formula at x = 0 and at x = 2 by hand.",
        gives(lambda x: nn.sigmoid(x) * (1 - nn.sigmoid(x))),
    ),
    Suspect(
        "Every entry is a half: either the branches of torch.where or the clamps are swapped. clamp(min=0) belongs to "
        "x >= 0.",
        gives(lambda x: torch.full_like(x, 0.5)),
    ),
    Suspect(
        "Right on one side of zero and constant on the other: look at the clamp of that half.",
        lambda got, wanted, x: any(matches(got, nn.sigmoid(half)) for half in (x.clamp(min=0), x.clamp(max=0))),
    ),
    Suspect(
        "The input was clamped to a narrow range, so far-out inputs give a value that is not close to 0 or 1. "
        "Nothing needs clamping when exp is given only numbers that are not positive.",
        lambda got, wanted, x: _clamped(got, wanted, x),
    ),
)
SLOPES = (
    Suspect(
        "The values are right and a slope is nan: exp(1000) is infinite, and its slope is multiplied by 0: nan. Give "
        "exp only numbers that are not positive; if you use torch.where, that holds for the branch not taken too.",
        lambda got, wanted, x: bool(got.isnan().any()),
    ),
    Suspect(
        "The slope is 0 at x = 0, where it should be a quarter: torch gives |x| the slope 0 there. "
        "Use .clamp(min=0) and .clamp(max=0) in the two branches instead of abs.",
        lambda got, wanted, x: bool((got[x == 0] == 0).all()) and bool((x == 0).any()),
    ),
    Suspect(
        "Twice too steep at x = 0: both branches pass on their slope there; torch.where passes on one.",
        lambda got, wanted, x: bool((x == 0).any()) and matches(got, torch.where(x == 0, 2 * wanted, wanted)),
    ),
)
CRASHES = (
    ("converted to Python scalars", "It works on one number only: math.exp takes no whole tensor, torch.exp does."),
    ("ambiguous", "`if` cannot look at a whole tensor: torch.where(condition, this, that) chooses entry by entry."),
)
WRONG_VALUE = (
    "The values differ from 1 / (1 + exp(-x)). Compute one of them with a pocket calculator and follow your code."
)
WRONG_SLOPE = "The values are right, their slope is not: it is s (1 - s). See which operation on the way flattens it."


def sigmoid(x):
    # exp(-|x|), the only exp here; -x.abs() would have the slope 0 at x = 0
    small = torch.exp(torch.where(x >= 0, -x, x))
    return torch.where(x >= 0, 1.0, small) / (1 + small)


def _clamped(got: object, wanted: torch.Tensor, x: torch.Tensor) -> bool:
    """Is there one bound c at which everything beyond stays at sigmoid(c)?"""
    if not isinstance(got, torch.Tensor) or got.shape != x.shape or got.dtype != x.dtype or not got.numel():
        return False
    bounds = torch.logit(got.double()[(got > 0) & (got < 1)]).abs()
    if not bounds.numel():
        return False
    bound = bounds.max().item()
    return bool((x.abs() > bound).any()) and gives(lambda x: nn.sigmoid(x.clamp(-bound, bound)))(got, wanted, x)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("01.sigmoid", "sigmoid", subject, SUSPECTS, CRASHES)

    def right_at(x: torch.Tensor) -> None:
        ask.value((x,), nn.sigmoid(x), generic=WRONG_VALUE)

    def steep_at(x: torch.Tensor, cotangent: torch.Tensor) -> None:
        value = nn.sigmoid(x)
        ask.slope((x,), cotangent, 0, cotangent * value * (1 - value), suspects=SLOPES, generic=WRONG_SLOPE)

    right_at(torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0]))
    right_at(torch.tensor([-1000.0, -30.0, 0.0, 30.0, 1000.0]))
    right_at(torch.tensor([[-1000.0, 40.0], [-0.25, 1000.0]], dtype=torch.float64))
    steep_at(torch.tensor([-1000.0, -3.0, 0.0, 3.0, 1000.0]), torch.ones(5))

    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(6):
        dimensions = int(torch.randint(1, 4, (), generator=generator))
        shape = torch.randint(1, 7, (dimensions,), generator=generator).tolist()
        dtype = (torch.float32, torch.float64)[round_ % 2]
        spread = (3, 30, 1000)[round_ % 3]
        x = ((torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * spread).to(dtype)
        x = x.transpose(0, -1)  # a view whose entries do not lie in order
        right_at(x)
        steep_at(x, torch.randn(x.shape, generator=generator, dtype=dtype))
    right_at(torch.tensor(0.5))
    right_at(torch.empty(0, 3))
    return f"right on {ask.asked} inputs, in value and in slope, from -1000 to 1000. It survives."


EXERCISE = Exercise(
    id="01.sigmoid",
    name="sigmoid",
    title="A sigmoid that survives",
    objectives=("01-O3",),
    difficulty=2,
    minutes=8,
    points=2,
    task="Write sigmoid(x): a float tensor of any shape in, the same shape and dtype out, right in value and slope.",
    ranges="one to three dimensions of one to six entries each, values between -1000 and 1000, float32 and float64, "
    "tensors that are views of others",
    hints=(
        "Which of exp(-1000) and exp(1000) does harm? The sigmoid can be written in two ways; each is safe on one "
        "side.",
        "1 / (1 + exp(-x)) is safe for x >= 0, and exp(x) / (1 + exp(x)) for x < 0. torch.where(x >= 0, a, b) takes "
        "each entry from one of two tensors, but it computes both, and slopes pass through both: so keep the harmful "
        "numbers away from exp in either.",
        "Write low = x.clamp(max=0) and high = x.clamp(min=0). Then a = 1 / (1 + torch.exp(-high)), "
        "b = torch.exp(low) / (1 + torch.exp(low)), and torch.where picks a where x >= 0.",
    ),
    reference=sigmoid,
    walkthrough="For x >= 0 it is 1 / (1 + exp(-x)), for x < 0 it is exp(x) / (1 + exp(x)): in both, exp is called "
    "with -|x|. That is never positive, so nothing overflows, not even in the branch that torch.where does not take.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
