"""12.optimal: the best discriminator there can be, from two densities."""

import math
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor

from dlcourse.checks.ch08.several import IN_PLACE
from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def optimal_discriminator(log_p, log_q):
    return torch.sigmoid(log_p - log_q)


def truth(log_p: Tensor, log_q: Tensor) -> Tensor:
    """p / (p + q) by its definition, in float64, both densities divided by the larger of the two."""
    larger = torch.maximum(log_p, log_q).double()
    p, q = (log_p.double() - larger).exp(), (log_q.double() - larger).exp()
    return (p / (p + q)).to(log_p.dtype)


def _bits(log_p: Tensor, log_q: Tensor, base: float) -> Tensor:
    return torch.sigmoid((log_p - log_q) * math.log(base))


UNDERFLOW = (
    "exp(-1000) is 0 in floating point, so p + q is 0 here, and what is divided by it is lost. D needs the densities "
    "only beside each other, p / q or q / p, and that is the exp of a *difference* of logarithms."
)
SMALL = (
    "A small number was added so that nothing is divided by 0, or a nan was replaced. Where both densities are small "
    "this decides alone, and D no longer weighs p against q. Form the difference of the logarithms first."
)
LOGIT = "This is the logarithm of p / q, the *logit* of D. A probability was asked for: one more function makes it one."
SMALLEST = 1e-8
# What to say, and the answers that it is said of. A test holds that no two reasons fit the same numbers.
MISTAKES: tuple[tuple[str, tuple[Callable[[Tensor, Tensor], Tensor], ...]], ...] = (
    (
        "This is q / (p + q), the probability that a point is a *fake*. D says how likely it is real, and p is the "
        "density of the real ones.",
        (lambda p, q: torch.sigmoid(q - p),),
    ),
    (
        UNDERFLOW,
        (
            lambda p, q: p.exp() / (p.exp() + q.exp()),
            lambda p, q: 1 / (1 + q.exp() / p.exp()),
            lambda p, q: torch.sigmoid((p.exp() / q.exp()).log()),
        ),
    ),
    (
        SMALL,
        (
            *(
                lambda p, q, eps=eps: p.exp() / (p.exp() + q.exp() + eps)
                for eps in (1e-4, 1e-5, 1e-6, 1e-7, SMALLEST, 1e-9, 1e-10, 1e-12)
            ),
            *(
                lambda p, q, eps=eps: p.exp() / (p.exp() + q.exp()).clamp(min=eps)
                for eps in (1e-6, SMALLEST, 1e-12, 1e-20)
            ),
            *(
                lambda p, q, eps=eps: (p.exp() + eps) / (p.exp() + q.exp() + eps)
                for eps in (1e-4, 1e-6, SMALLEST, 1e-10, 1e-12, 1e-16, 1e-20, 1e-30)
            ),
        ),
    ),
    (LOGIT, (lambda p, q: p - q,)),
    ("This is the logit of D with its sign turned, log q - log p.", (lambda p, q: q - p,)),
    (
        "This is p / q, how many times as dense the real ones are: it has no upper bound. D is p / (p + q).",
        (lambda p, q: (p - q).exp(), lambda p, q: p.exp() / q.exp()),
    ),
    ("This is q / p. D is p / (p + q).", (lambda p, q: (q - p).exp(), lambda p, q: q.exp() / p.exp())),
    (
        "This is p - q, by how much the densities differ. D compares by a share: p / (p + q).",
        (lambda p, q: p.exp() - q.exp(),),
    ),
    (
        "This is (p - q) / (p + q), from -1 to 1. A probability lies between 0 and 1: the bend is a sigmoid, not a "
        "tanh.",
        (lambda p, q: torch.tanh((p - q) / 2), lambda p, q: torch.tanh(p - q)),
    ),
    (
        "This is the *logarithm* of D.",
        (lambda p, q: torch.nn.functional.logsigmoid(p - q), lambda p, q: torch.sigmoid(p - q).log()),
    ),
    (
        "The logarithms themselves stand where the densities belong, log p / (log p + log q).",
        (lambda p, q: p / (p + q),),
    ),
    (
        "A sigmoid of log p alone: D cannot know how likely a point is real without the density of the fakes.",
        (lambda p, q: torch.sigmoid(p),),
    ),
    (
        "This is p itself, the density of the real examples: D asks for its share, p / (p + q), and so for q as well.",
        (lambda p, q: p.exp(),),
    ),
    (
        "The logarithms were added: that is p times q. The *ratio* p / q is a difference of logarithms.",
        (lambda p, q: torch.sigmoid(p + q),),
    ),
    (
        "The sigmoid was given the densities: its argument is a logit, log p - log q, and those come as logarithms "
        "already.",
        (lambda p, q: torch.sigmoid(p.exp() - q.exp()), lambda p, q: torch.sigmoid((p - q).exp())),
    ),
    (
        "This says which density is larger, and not by how much: where both are alike, D is unsure.",
        (
            lambda p, q: (p > q).to(p.dtype),
            lambda p, q: (p >= q).to(p.dtype),
            lambda p, q: torch.sigmoid(p - q).round(),
        ),
    ),
    (
        "The logarithms were read as logarithms to the base 10 or 2. In this course log is natural, and exp undoes it.",
        (lambda p, q: _bits(p, q, 10), lambda p, q: _bits(p, q, 2)),
    ),
    (
        "The softmax ran over the points: at each point it has to weigh the *two* densities, axis 0 of "
        "torch.stack([log_p, log_q]).",
        (
            lambda p, q: torch.softmax(p, dim=-1),
            lambda p, q: torch.softmax(p - q, dim=-1),
            lambda p, q: torch.softmax(p, dim=0),
        ),
    ),
    (
        "Where both densities are tiny, D is 1/2 here, whichever is the larger. Either a small number was added to "
        "both, or the logarithms were cut off below, or a nan was replaced by 1/2: by each of the three all rare "
        "points look alike. Only the difference of the two logarithms matters, and it needs no bound.",
        (
            *(
                lambda p, q, low=low: torch.sigmoid(p.clamp(min=low) - q.clamp(min=low))
                for low in (-20.0, -30.0, -50.0, -80.0, -87.0, -100.0, -700.0)
            ),
            *(
                lambda p, q, eps=eps: (p.exp() + eps) / (p.exp() + q.exp() + 2 * eps)
                for eps in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, SMALLEST, 1e-10, 1e-12, 1e-16, 1e-20, 1e-30)
            ),
        ),
    ),
)
CRASHES = (
    IN_PLACE,
    (
        "only one element tensors can be converted",
        "The functions of math take one number. torch.exp and torch.sigmoid take a tensor.",
    ),
    (
        "must be real number, not Tensor",
        "The functions of math take one number. torch.exp and torch.sigmoid take a tensor.",
    ),
    ("Boolean value of Tensor", "An `if` decides once for all points. Tensor operations need none."),
    ("math range error", "exp left the range of floating point: use the difference of the logarithms."),
)
# A nan that none of the answers above makes. The order matters: the first suspect that fits is named.
SUSPECTS = (
    *(
        Suspect(reason, lambda got, wanted, *args, answer=answer: matches(got, answer(*args)))
        for reason, answers in MISTAKES
        for answer in answers
    ),
    Suspect(
        "D came back together with something else: it alone is wanted, one tensor shaped like log_p.",
        lambda got, wanted, *args: type(got) in (tuple, list) and len(got) > 0 and matches(got[0], wanted),
    ),
    Suspect(
        "One number for all points: D has a value at each of them.",
        lambda got, wanted, *args: isinstance(got, Tensor) and got.numel() == 1 != wanted.numel(),
    ),
    Suspect(
        "This is right to about seven digits, and float64 went in: on the way something has float32.",
        lambda got, wanted, *args: (
            isinstance(got, Tensor)
            and got.dtype == wanted.dtype == torch.float64
            and got.shape == wanted.shape
            and torch.allclose(got, wanted, rtol=1e-6, atol=1e-6)
        ),
    ),
    Suspect(UNDERFLOW, lambda got, wanted, *args: isinstance(got, Tensor) and bool(got.isnan().any())),
)
WRONG = "By hand, for one point: p = exp(log_p), q = exp(log_q), and D is the share of p in p + q."


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("12.optimal", "optimal_discriminator", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for args in chain(cases(), (draw(generator, round_) for round_ in range(12))):
        ask.value(args, truth(*args), generic=WRONG, slack=_rounding(args))
    return f"right on {ask.asked} pairs of densities, also where both are as small as exp(-1000), or one is 0."


def _rounding(args: tuple[Tensor, Tensor]) -> float:
    """What is lost where two logarithms near -1000 are added or subtracted: digits behind the point."""
    largest = max([1.0, *(abs(value) for each in args for value in each.flatten().tolist() if math.isfinite(value))])
    return 2 * torch.finfo(args[0].dtype).eps * largest


def cases() -> list[tuple[Tensor, Tensor]]:
    """By hand, then where exp underflows, then where one density is 0."""
    by_hand = torch.tensor([0.2, 0.6, 0.1]), torch.tensor([0.2, 0.2, 0.4])  # D is 1/2, 3/4, 1/5
    p = torch.tensor([[-1000.0, -1000.5, -998.0], [-2.0, -40.0, 1.5]])
    q = torch.tensor([[-1000.0, -1000.0, -1001.0], [-900.0, -38.5, 1.0]])
    zero = -math.inf
    return [
        (by_hand[0].log(), by_hand[1].log()),
        (p, q),
        (torch.tensor([zero, -0.5, -1000.0]), torch.tensor([-1.0, zero, -999.0])),
    ]


def draw(generator: torch.Generator, round_: int) -> tuple[Tensor, Tensor]:
    """The logarithms of two bell curves, at points up to 40 widths away. In some rounds one is 0 here and there."""

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    shape = (number(1, 9),) if round_ % 2 else (number(1, 4), number(1, 5))
    x = between(-1.0, 1.0, *shape) * (2.0, 10.0, 40.0)[round_ % 3]
    logs = []
    for _ in range(2):
        centre, width = between(-1.0, 1.0), between(1.0, 1.5)
        logs.append(-(((x - centre) / width) ** 2) / 2 - width.log() - math.log(2 * math.pi) / 2)
    if round_ % 4 == 3:  # never both at once
        where = torch.rand(shape, generator=generator)
        logs = [logs[0].masked_fill(where < 0.2, -math.inf), logs[1].masked_fill(where > 0.8, -math.inf)]
    dtype = torch.float64 if round_ % 3 == 1 else torch.float32
    log_p, log_q = (log.to(dtype) for log in logs)
    if log_p.dim() == 2:  # the same numbers, in another order in memory
        log_p = log_p.T.contiguous().T
    return log_p, log_q


EXERCISE = Exercise(
    id="12.optimal",
    name="optimal_discriminator",
    title="The best detective",
    objectives=("12-O1",),
    difficulty=2,
    minutes=8,
    points=2,
    task="Write optimal_discriminator(log_p, log_q): the natural logarithms of the density of the real examples and "
    "of that of the fakes, at the same points, two tensors of one shape. Return the best discriminator's probability "
    "that an example at this point is real, p / (p + q), a tensor of that shape. It is exact also where both "
    "densities are far too small for floating point.",
    ranges="1 to 20 points in one axis or two; logarithms of densities from about -1000 to 2, and at some points one "
    "of the two is -inf (a density of 0), never both; float32 and float64; tensors that are views of others",
    hints=(
        "Of all examples that turn up at one point, which share is real? And if both densities were a thousand times "
        "smaller there, would the share change?",
        "Divide p / (p + q) by p above and below: only q / p is left, and its logarithm is a difference of what you "
        "were given. Where did you see 1 / (1 + exp(-something)) before?",
        "1 / (1 + exp(-(log_p - log_q))), which is a sigmoid of the difference. torch.sigmoid survives any argument, "
        "infinity too.",
    ),
    reference=optimal_discriminator,
    walkthrough="Divided by p above and below, p / (p + q) becomes 1 / (1 + q / p), a sigmoid of log p - log q: the "
    "log-ratio of the densities is the logit that a trained discriminator estimates. The difference is formed before "
    "anything is given to exp, so that neither density need fit into a floating-point number.",
    where="exercises/12-gan/12-gan-exercises.ipynb",
    check=check,
)
