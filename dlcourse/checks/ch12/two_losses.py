"""12.two_losses: the generator's loss from the game, and the one that is used; with their slopes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.checks.ch08.several import IN_PLACE, ROUNDED, parts, shapes_alone, tensors
from dlcourse.checks.examiner import NO_SLOPE, Examiner, Suspect, matches, unlike
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, show
from dlcourse.checks.subject import Subject

Pair = tuple[Tensor, Tensor]
Loss = Callable[[Tensor], Tensor]
NAMES = ("minimax", "non_saturating")


def generator_losses(fake_logits):
    log_d = torch.nn.functional.logsigmoid(fake_logits)
    log_not_d = torch.nn.functional.logsigmoid(-fake_logits)  # 1 - sigmoid(z) is sigmoid(-z)
    return log_not_d.mean(), -log_d.mean()


def _log_d(z: Tensor) -> Tensor:
    """log sigmoid(z) by a formula of our own: min(z, 0) - log(1 + exp(-|z|))."""
    return z.clamp(max=0) - torch.log1p(torch.exp(-z.abs()))


def truth(fake_logits: Tensor) -> Pair:
    z = fake_logits.double()
    return _log_d(-z).mean().to(fake_logits.dtype), -_log_d(z).mean().to(fake_logits.dtype)


def slopes(fake_logits: Tensor) -> Pair:
    """Of each loss in each logit, worked out by hand: -D / n, and -(1 - D) / n."""
    d = torch.sigmoid(fake_logits.double())
    both = -d / len(d), -torch.sigmoid(-fake_logits.double()) / len(d)
    return tuple(slope.to(fake_logits.dtype) for slope in both)


ONE_FUNCTION = (
    "Give the *logit* to one function that does both: functional.logsigmoid(x), or functional.softplus(x), which is "
    "log(1 + exp(x)) = -logsigmoid(-x)."
)
NAIVE = (
    "A sigmoid that rounds to 0 or to 1 has a logarithm of -infinity, and exp(1000) by itself is infinite: one of the "
    f"two lost the loss here, at a logit of 1000 or -1000. {ONE_FUNCTION}"
)
CLAMPED = (
    "binary_cross_entropy takes a probability and cuts its logarithms off at -100, or the logit was cut off there by "
    "a clamp: a logit of 1000 costs no more than one of 100, and has no slope. binary_cross_entropy_with_logits takes "
    "the logit as it is."
)
EPS = (
    "A small number inside the logarithm keeps it finite and cuts it off: a logit of 1000 costs no more than one of "
    f"30, and has no slope. {ONE_FUNCTION}"
)
CUT = (
    "The loss is right for smaller logits, and too small for the large ones here: something on the way was cut off, "
    "the logit, D or the loss by a clamp, D by a small number inside the logarithm, or an infinite loss by nan_to_num. "
    "So a logit of 1000 costs no more than a much smaller one, and has no slope. Nothing need be cut off. "
    f"{ONE_FUNCTION}"
)
REPLACED = (
    "The loss is right for smaller logits, and far too large for those here: an infinity was replaced by another "
    "number, as nan_to_num does. There is none: at 1000, or for the other loss at -1000, its size is 1000, and it has "
    f"a slope. {ONE_FUNCTION}"
)
SUM = "The losses were summed over the batch: the mean is wanted, so that the step does not grow with the batch."
SWAPPED = "The two are swapped: (minimax, non_saturating)."
NO_LOG = (
    "The logarithm is missing: the mean of a probability. That is another loss, one that has no slope where D is sure."
)
LOG_OF_MEAN = "The logarithm of the mean: what is wanted is the mean of the logarithms, a loss for each example."
D_LOSS = (
    "This is -log(1 - D), what *D* minimises on fakes: a generator that goes down on it helps the detective. Whoever "
    "plays against D minimises log(1 - D), without the minus."
)
LOGIT = "The logit stands where D belongs: D = sigmoid(logit)."
_BOUNDS = (5.0, 8.0, 10.0, 12.0, 15.0, 16.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 88.0, 200.0, 500.0)
_EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)

# What to say of each of the two, and the answers that it is said of.
MINIMAX: tuple[tuple[str, tuple[Loss, ...]], ...] = (
    (D_LOSS, (lambda z: functional.softplus(z).mean(),)),
    (SUM, (lambda z: -functional.softplus(z).sum(),)),
    (NAIVE, (lambda z: (1 - z.sigmoid()).log().mean(), lambda z: torch.log1p(-z.sigmoid()).mean())),
    (EPS, tuple(lambda z, eps=eps: (1 - z.sigmoid() + eps).log().mean() for eps in _EPSILONS)),
    (EPS, tuple(lambda z, eps=eps: (1 - z.sigmoid()).clamp(min=eps).log().mean() for eps in _EPSILONS)),
    (CLAMPED, (lambda z: -functional.binary_cross_entropy(z.sigmoid(), torch.zeros_like(z)),)),
    (CUT, tuple(lambda z, most=most: -functional.softplus(z.clamp(-most, most)).mean() for most in _BOUNDS)),
    (NO_LOG, (lambda z: (1 - z.sigmoid()).mean(), lambda z: -z.sigmoid().mean())),
    (LOG_OF_MEAN, (lambda z: (1 - z.sigmoid()).mean().log(), lambda z: (1 - z.sigmoid().mean()).log())),
    (LOGIT, (lambda z: (1 - z).log().mean(),)),
    (
        "This is log D. The game's loss for G is log(1 - D): G wants D to call fakes real, so 1 - D shall be small.",
        (lambda z: functional.logsigmoid(z).mean(),),
    ),
    (
        "This is the non-saturating loss, -log D. The minimax one is log(1 - D).",
        (lambda z: functional.softplus(-z).mean(),),
    ),
    (
        "The sigmoid was taken twice: binary_cross_entropy_with_logits takes the logit itself.",
        (
            lambda z: -functional.softplus(z.sigmoid()).mean(),
            lambda z: functional.logsigmoid(-z.sigmoid()).mean(),
        ),
    ),
)
NON_SATURATING: tuple[tuple[str, tuple[Loss, ...]], ...] = (
    (
        "This is log D, and it is to be *maximised*. A loss is minimised: -log D.",
        (lambda z: functional.logsigmoid(z).mean(),),
    ),
    (SUM, (lambda z: functional.softplus(-z).sum(),)),
    (NAIVE, (lambda z: -z.sigmoid().log().mean(),)),
    (EPS, tuple(lambda z, eps=eps: -(z.sigmoid() + eps).log().mean() for eps in _EPSILONS)),
    (EPS, tuple(lambda z, eps=eps: -z.sigmoid().clamp(min=eps).log().mean() for eps in _EPSILONS)),
    (CLAMPED, (lambda z: functional.binary_cross_entropy(z.sigmoid(), torch.ones_like(z)),)),
    (CUT, tuple(lambda z, most=most: functional.softplus(-z.clamp(-most, most)).mean() for most in _BOUNDS)),
    (NO_LOG, (lambda z: -z.sigmoid().mean(), lambda z: (1 - z.sigmoid()).mean())),
    (LOG_OF_MEAN, (lambda z: -z.sigmoid().mean().log(),)),
    (LOGIT, (lambda z: -z.log().mean(),)),
    (
        D_LOSS.replace("minimises log(1 - D), without the minus", "wants D near 1"),
        (lambda z: functional.softplus(z).mean(),),
    ),
    (
        "This is the minimax loss, log(1 - D). The non-saturating one is -log D.",
        (lambda z: -functional.softplus(z).mean(),),
    ),
    (
        "The sigmoid was taken twice: binary_cross_entropy_with_logits takes the logit itself.",
        (lambda z: functional.softplus(-z.sigmoid()).mean(),),
    ),
)


def _swapped(got: object, wanted: Pair, *args: Tensor) -> bool:
    return tensors(got, 2) and matches(got, wanted[::-1])


def _part(place: int, answer: Loss) -> Callable[..., bool]:
    """Whether this part, and no part before it, is wrong in this way."""

    def fits(got: object, wanted: Pair, fake_logits: Tensor) -> bool:
        if not tensors(got, 2) or (place == 1 and not matches(got[0], wanted[0])):
            return False
        return not matches(got[place], wanted[place]) and matches(got[place], answer(fake_logits))

    return fits


FAR = 20.0  # a logit beyond it comes only after smaller ones, which have passed


def _far(test: Callable[[Tensor, Tensor], bool]) -> Callable[..., bool]:
    """Whether the first loss that is wrong, of a batch with large logits, is finite and stands to the right one so."""

    def fits(got: object, wanted: Pair, fake_logits: Tensor) -> bool:
        if not tensors(got, 2) or fake_logits.abs().max() <= FAR:
            return False
        pairs = [pair for pair in zip(got, wanted, strict=True) if not matches(*pair)]
        if not pairs or unlike(*pairs[0]) or not pairs[0][0].isfinite():
            return False
        return bool(test(*pairs[0]))

    return fits


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(SWAPPED, _swapped),
    Suspect(
        "Both signs are turned: a loss is minimised, and this pair would have to be maximised.",
        lambda got, wanted, *args: tensors(got, 2) and matches(got, tuple(-part for part in wanted)),
    ),
    *(
        Suspect(f"{name}: {reason}", _part(place, answer))
        for place, (name, table) in enumerate(zip(NAMES, (MINIMAX, NON_SATURATING), strict=True))
        for reason, answers in table
        for answer in answers
    ),
    Suspect(
        "A loss for each example came back: .mean() makes one number of them, a tensor without axes.",
        lambda got, wanted, fake_logits: (
            tensors(got, 2) and len(fake_logits) != 1 and all(part.shape == fake_logits.shape for part in got)
        ),
    ),
    Suspect("The numbers are right, and have an axis: a tensor without axes is wanted, shape ().", shapes_alone),
    Suspect(
        "These are plain numbers, which have no slope: leave them tensors, without .item().",
        lambda got, wanted, *args: type(got) is tuple and len(got) == 2 and float in map(type, got),
    ),
    Suspect(
        "Two losses come back in a tuple: return minimax, non_saturating.",
        lambda got, wanted, *args: not tensors(got, 2) and got is not None,
    ),
    ROUNDED,
    Suspect(CUT, _far(lambda one, right: one.abs() < 0.999 * right.abs())),
    Suspect(REPLACED, _far(lambda one, right: one.abs() > 10 * right.abs() + 1)),
    Suspect(
        NAIVE,
        lambda got, wanted, *args: tensors(got, 2) and not all(part.isfinite().all() for part in got),
    ),
)
CRASHES = (
    IN_PLACE,
    ("math domain error", "The functions of math take one number, and log of 0 is an error there. Stay with torch."),
    (
        "only one element tensors can be converted",
        "The functions of math take one number. torch.log, torch.sigmoid and functional.logsigmoid take a tensor.",
    ),
    (
        "all elements of input should be between 0 and 1",
        "binary_cross_entropy takes probabilities, and logits went in: binary_cross_entropy_with_logits takes those.",
    ),
    ("Found dtype", "Two dtypes meet: torch.ones_like(fake_logits) has the dtype of the logits."),
    ("name 'functional' is not defined", "functional is torch.nn.functional: run the first cell of the notebook."),
    (
        "a tensor of the right shape",
        "Slopes are asked for as well, and need tensors without axes: stay with tensor operations, without .item().",
    ),
)
WRONG = "By hand, for one logit of 0: D = 1/2, so minimax is log(1/2) and non_saturating -log(1/2)."
SLOPE_NAN = (
    "The value is right, and its slope is nan: no generator could learn from it. A slope passes through *both* "
    "branches of a where, and infinity times 0 is nan. functional.logsigmoid(x) has a slope everywhere, and so has "
    "functional.softplus(x) = log(1 + exp(x)) = -logsigmoid(-x)."
)
SLOPE_CUT = (
    "The value is right, and a slope of 0 came where there should be one: a clamp, or a where, cuts it off. Where D is "
    "sure, that is where the slope is needed."
)
WRONG_SLOPE = "The values are right, and the slopes are not: stay with tensor operations from the logits to the loss."


def _compare_slopes(ask: Examiner, fake_logits: Tensor) -> None:
    for place, (name, wanted) in enumerate(zip(NAMES, slopes(fake_logits), strict=True)):
        called = f"the slopes of {name}, where {', '.join(NAMES)} =\n" + ask.written((fake_logits,))
        ones = tuple(torch.full_like(fake_logits[0], place == n) for n in range(2))
        got = ask.ask(
            lambda ones=ones: ask.subject.vjp((fake_logits,), ones), called=called, wanted=Later(show, wanted)
        )[0]
        if got is None:
            ask.fail(called=called, came_back="no slope at all", wanted=show(wanted), reason=NO_SLOPE)
        suspects = (
            Suspect(NO_SLOPE, lambda got, *rest: not got.any()),
            Suspect(SLOPE_NAN, lambda got, *rest: bool(got.isnan().any())),
            Suspect(
                SLOPE_CUT,
                lambda got, wanted, *rest: (
                    got.shape == wanted.shape and bool(((got == 0) & (wanted.abs() > 1e-3)).any())
                ),
            ),
        )
        args = (fake_logits,)
        # softplus calls everything beyond 20 straight, and errs by 2e-9 there.
        ask.compare(got, wanted, args, called=called, generic=WRONG_SLOPE, suspects=suspects, slack=1e-8)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("12.two_losses", "generator_losses", subject, SUSPECTS, CRASHES)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    batches = [*cases(), *(draw(generator, round_) for round_ in range(12))]
    for fake_logits in batches:
        parts(ask, (fake_logits,), truth(fake_logits), names=NAMES, generic=WRONG, slack=1e-8)
    for fake_logits in batches[1:]:  # not at 0, where relu and abs, of which one may build both losses, have kinks
        _compare_slopes(ask, fake_logits)
    return f"right on {len(batches)} batches, in value and in slope, from logits of -1000 to 1000."


def cases() -> list[Tensor]:
    """By hand, then sure of itself in either direction, then far beyond what exp can hold."""
    return [
        torch.tensor([0.0, 3.0]).log1p(),  # D is 1/2 and 4/5
        torch.tensor([-0.5]),
        torch.tensor([-4.0, 2.5, 0.25, 7.0, -9.0]),
        torch.tensor([-1000.0, 3.0]),
        torch.tensor([1000.0, -3.0, 0.5]),
        torch.tensor([-30.0, 30.0, -90.0, 110.0], dtype=torch.float64),
    ]


def draw(generator: torch.Generator, round_: int) -> Tensor:
    size = int(torch.randint(1, 10, (), generator=generator))
    z = torch.randn(2 * size, generator=generator, dtype=torch.float64) * (1.0, 5.0, 30.0, 300.0)[round_ % 4]
    z = z.clamp(-1000, 1000).to(torch.float64 if round_ % 3 == 1 else torch.float32)
    return z[::2] if round_ % 2 else z[:size]  # every other number of a longer memory


EXERCISE = Exercise(
    id="12.two_losses",
    name="generator_losses",
    title="Two losses for one wish",
    objectives=("12-O2",),
    difficulty=2,
    minutes=12,
    points=3,
    task="Write generator_losses(fake_logits): what the discriminator says of fakes, (batch,), as logits. With D = "
    "sigmoid(logit), return (minimax, non_saturating), the means over the batch of log(1 - D) and of -log D: both are "
    "to be minimised by the generator, two tensors without axes. They and their slopes are exact at logits of 1000 "
    "and -1000.",
    ranges="1 to 9 logits from -1000 to 1000; float32 and float64; tensors that are views of others",
    hints=(
        "Both losses fall when D(fake) rises. How do they look for a logit far below 0? That is where a fake stands "
        "that D has found out.",
        "1 - sigmoid(z) is sigmoid(-z), so both losses are the logarithm of a sigmoid. Taken one after the other, "
        "sigmoid rounds to 0 and its log is infinite; torch has the two in one function.",
        "functional.logsigmoid(-fake_logits).mean() is the first, -functional.logsigmoid(fake_logits).mean() the "
        "second. functional.softplus(x), which is log(1 + exp(x)) = -logsigmoid(-x), gives both as well.",
    ),
    reference=generator_losses,
    walkthrough="1 - sigmoid(z) is sigmoid(-z), so logsigmoid gives both losses without ever rounding a probability "
    "to 0 or 1. In the logit the slopes are -D and -(1 - D): where D finds the fakes out, the first is almost 0 and "
    "the second almost -1.",
    where="exercises/12-gan/12-gan-exercises.ipynb",
    check=check,
)
