"""03.init: standard normal numbers, scaled to the first weights of a layer."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject


def initial_weight(noise, activation):
    fan_out, fan_in = noise.shape
    variance = {"relu": 2 / fan_in, "tanh": 2 / (fan_in + fan_out)}[activation]
    return noise * math.sqrt(variance)


Scale = Callable[[int, int], float]  # (fan_in, fan_out) -> the factor on the noise
HE: Scale = lambda fan_in, fan_out: math.sqrt(2 / fan_in)  # noqa: E731 - a row of the tables below
XAVIER: Scale = lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))  # noqa: E731


def _scaled(scale: Scale, *activations: str) -> Callable[..., bool]:
    """The test of a suspect that scales the noise so, asked for one of these activations."""

    def fits(got: Any, wanted: Tensor, noise: Tensor, activation: str) -> bool:
        fan_out, fan_in = noise.shape
        return activation in activations and matches(got, noise * scale(fan_in, fan_out))

    return fits


def _factor(got: Any, noise: Tensor) -> float:
    """What `got` is times the noise; nan when it is no multiple of it."""
    if not isinstance(got, Tensor) or got.shape != noise.shape or not got.is_floating_point() or noise.numel() < 2:
        return math.nan
    factor = ((got.double() * noise.double()).sum() / noise.double().square().sum()).item()
    return factor if torch.allclose(got.double(), factor * noise.double(), rtol=1e-4, atol=1e-6) else math.nan


BOTH = ("relu", "tanh")
ROOT = (
    "This scales by the variance (or by the scale, twice). Numbers of variance 1 times s have the variance s squared: "
)
BOUND = (
    "sqrt(6 / ...) is the *bound* of a uniform distribution with this variance. Normal numbers are scaled by the "
    "standard deviation: "
)
# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "This is right to about seven digits, and the noise has float64: the factor passed through float32, as in "
        "torch.tensor(2 / fan_in), and its other digits are lost. A plain number has them all: math.sqrt(...) or ** "
        "0.5.",
        lambda got, wanted, noise, activation: (
            isinstance(got, Tensor)
            and got.dtype == wanted.dtype == torch.float64
            and got.shape == wanted.shape
            and torch.allclose(got, wanted, rtol=1e-6, atol=1e-7)
        ),
    ),
    Suspect("Nothing was scaled: the noise came back as it was.", _scaled(lambda i, o: 1.0, *BOTH)),
    Suspect(
        "This is He's scale by fan_out. The noise is (out, in), as weights are in torch: the number of *inputs* of a "
        "unit, fan_in, is noise.shape[1].",
        _scaled(lambda i, o: math.sqrt(2 / o), "relu"),
    ),
    Suspect(
        "This is Xavier's scale. A ReLU lets half of the variance through, so He takes sqrt(2 / fan_in) for it.",
        _scaled(XAVIER, "relu"),
    ),
    Suspect(
        "This is He's scale. Its factor 2 makes up for the half that a ReLU cuts off; tanh cuts nothing off, and "
        "Xavier takes sqrt(2 / (fan_in + fan_out)).",
        _scaled(HE, "tanh"),
    ),
    Suspect(ROOT + "sqrt(2 / fan_in).", _scaled(lambda i, o: 2 / i, "relu")),
    Suspect(ROOT + "sqrt(2 / fan_in), and fan_in is noise.shape[1].", _scaled(lambda i, o: 2 / o, "relu")),
    Suspect(ROOT + "sqrt(2 / (fan_in + fan_out)).", _scaled(lambda i, o: 2 / (i + o), "tanh")),
    Suspect(
        "The 2 is missing: sqrt(1 / fan_in) keeps the variance through a layer without an activation. A ReLU halves "
        "it, so sqrt(2 / fan_in).",
        _scaled(lambda i, o: math.sqrt(1 / i), "relu"),
    ),
    Suspect(
        "The 2 is missing, and 1 / fan_in is the variance, not its root: sqrt(2 / fan_in).",
        _scaled(lambda i, o: 1 / i, "relu"),
    ),
    Suspect(
        "fan_in + fan_out is divided by 2 to make their mean, so the 2 stands above: sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: math.sqrt(1 / (i + o)), "tanh"),
    ),
    Suspect(
        "1 / (fan_in + fan_out) is half of the variance, and not its root: sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: 1 / (i + o), "tanh"),
    ),
    Suspect(
        "This looks at one side only: Xavier takes the mean of fan_in and fan_out, sqrt(2 / (fan_in + fan_out)), for "
        "the way forward and the way back.",
        _scaled(lambda i, o: math.sqrt(1 / i), "tanh"),
    ),
    Suspect(
        "This looks at one side only: Xavier takes the mean of fan_in and fan_out, sqrt(2 / (fan_in + fan_out)), for "
        "the way forward and the way back.",
        _scaled(lambda i, o: math.sqrt(1 / o), "tanh"),
    ),
    Suspect(
        "This is He's scale by fan_out. tanh takes Xavier's, sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: math.sqrt(2 / o), "tanh"),
    ),
    Suspect(BOUND + "sqrt(2 / fan_in).", _scaled(lambda i, o: math.sqrt(6 / i), "relu")),
    Suspect(BOUND + "sqrt(2 / fan_in), and fan_in is noise.shape[1].", _scaled(lambda i, o: math.sqrt(6 / o), "relu")),
    Suspect(BOUND + "sqrt(2 / fan_in).", _scaled(lambda i, o: math.sqrt(6 / (i + o)), "relu")),
    Suspect(BOUND + "sqrt(2 / (fan_in + fan_out)).", _scaled(lambda i, o: math.sqrt(6 / (i + o)), "tanh")),
    Suspect(BOUND + "sqrt(2 / (fan_in + fan_out)).", _scaled(lambda i, o: math.sqrt(6 / i), "tanh")),
    Suspect(
        "1 / sqrt(fan_in) over sqrt(3) is what torch's Linear does when nobody asks. For a ReLU: sqrt(2 / fan_in).",
        _scaled(lambda i, o: math.sqrt(1 / (3 * i)), "relu"),
    ),
    Suspect(
        "The factor 5/3 is torch's gain for tanh. Here there is no gain: sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: 5 / 3 * XAVIER(i, o), "tanh"),
    ),
    Suspect(
        "The factor 5/3 is torch's gain for tanh; here there is no gain. And Xavier takes the mean of fan_in and "
        "fan_out: sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: 5 / 3 * math.sqrt(1 / i), "tanh"),
    ),
    Suspect(
        "Everything is 0: `//` throws the fraction away. Divide with `/`.",
        _scaled(lambda i, o: 0.0, *BOTH),
    ),
    Suspect(
        "This has the factor of a ReLU, the root of 2, and divides by fan_in + fan_out: He divides by fan_in alone.",
        _scaled(lambda i, o: math.sqrt(2) * XAVIER(i, o), "relu"),
    ),
    Suspect(
        "This has a ReLU's factor, the root of 2, in it: for tanh there is none, sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: math.sqrt(2) * XAVIER(i, o), "tanh"),
    ),
    Suspect("The root was taken of the 2 alone: sqrt(2 / fan_in).", _scaled(lambda i, o: math.sqrt(2) / i, "relu")),
    Suspect(
        "The root was taken of the 2 alone: sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: math.sqrt(2) / (i + o), "tanh"),
    ),
    Suspect(
        "The root was taken of fan_in alone: the 2 belongs under it as well.",
        _scaled(lambda i, o: 2 / math.sqrt(i), "relu"),
    ),
    Suspect(
        "The root was taken of fan_in + fan_out alone: the 2 belongs under it as well.",
        _scaled(lambda i, o: 2 / math.sqrt(i + o), "tanh"),
    ),
    Suspect(
        "The scale is upside down: more inputs need smaller weights. Multiply by sqrt(2 / fan_in), or divide by its "
        "inverse.",
        _scaled(lambda i, o: math.sqrt(i / 2), "relu"),
    ),
    Suspect(
        "The scale is upside down: more inputs and outputs need smaller weights, sqrt(2 / (fan_in + fan_out)).",
        _scaled(lambda i, o: math.sqrt((i + o) / 2), "tanh"),
    ),
    Suspect(
        "This divides by the number of all weights, out times in. He counts the inputs of one unit, fan_in = "
        "noise.shape[1].",
        _scaled(lambda i, o: math.sqrt(2 / (i * o)), "relu"),
    ),
    Suspect(
        "This divides by the number of all weights, out times in: Xavier adds the two, fan_in + fan_out.",
        _scaled(lambda i, o: math.sqrt(2 / (i * o)), "tanh"),
    ),
    Suspect(
        "The root was taken twice: sqrt(2 / fan_in) and sqrt(2 / (fan_in + fan_out)) are standard deviations already.",
        lambda got, wanted, noise, activation: any(
            _scaled(lambda i, o, rule=rule: math.sqrt(rule(i, o)), name)(got, wanted, noise, activation)
            for name, rule in (("relu", HE), ("tanh", XAVIER))
        ),
    ),
    Suspect(
        "The noise was brought to its *own* standard deviation first. It is standard normal already, as a whole: scale "
        "it as it is.",
        lambda got, wanted, noise, activation: any(
            matches(got, shifted / noise.std(correction=correction) * _right(noise, activation))
            for shifted in (noise, noise - noise.mean())
            for correction in (0, 1)
            if noise.numel() > 1
        ),
    ),
    Suspect(
        "The mean was taken away. Scale the noise as it is: its mean is 0 but for chance.",
        lambda got, wanted, noise, activation: matches(got, (noise - noise.mean()) * _right(noise, activation)),
    ),
    Suspect(
        "This is the scale itself: multiply the noise by it.",
        lambda got, wanted, noise, activation: any(
            (type(got) is float or (isinstance(got, Tensor) and got.numel() == 1))
            and abs(float(got) - rule(noise.shape[1], noise.shape[0])) < 1e-4
            for rule in (HE, XAVIER)
        ),
    ),
    Suspect(
        "The weights lie the wrong way round: (out, in), as the noise came, and as torch keeps them.",
        lambda got, wanted, noise, activation: (
            isinstance(got, Tensor)
            and got.shape == noise.T.shape != noise.shape
            and any(
                matches(got, (noise * rule(*fans)).T)
                for rule in (HE, XAVIER)
                for fans in ((noise.shape[1], noise.shape[0]), tuple(noise.shape))
            )
        ),
    ),
    Suspect(
        "These are no multiples of the noise: every entry of it is to be multiplied by the same number. (Nothing is "
        "drawn anew either, so that the caller decides about the generator.)",
        lambda got, wanted, noise, activation: (
            isinstance(got, Tensor)
            and got.shape == noise.shape
            and got.is_floating_point()
            and noise.numel() > 2
            and math.isnan(_factor(got, noise))
        ),
    ),
)
CRASHES = (
    (
        "an argument was changed in place",
        "The noise itself was changed, by an operation that ends in _ or by *=. The caller still needs it: make a new "
        "tensor, noise * scale.",
    ),
    ("must be Tensor, not float", "math.sqrt takes the root of a plain number; torch.sqrt wants a tensor."),
    ("must be Tensor, not int", "math.sqrt takes the root of a plain number; torch.sqrt wants a tensor."),
    ("'math' is not defined", "`import math` is in the first cell: run it."),
    ("'torch.Size'", "noise.shape is the pair (out, in): take one number of it, noise.shape[1] for fan_in."),
)


def _right(noise: Tensor, activation: str) -> float:
    return {"relu": HE, "tanh": XAVIER}[activation](noise.shape[1], noise.shape[0])


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("03.init", "initial_weight", subject, SUSPECTS, CRASHES)

    def right_for(noise: Tensor, activation: str) -> None:
        args = (noise, activation)
        right = _right(*args)
        called = ask.written(args)
        got = ask.ask(lambda: subject.call(*args), called=called, wanted=f"noise times {right:.6g}")
        generic = {
            "relu": "For a ReLU (He): the variance is 2 / fan_in.",
            "tanh": "For tanh (Xavier): the variance is 2 / (fan_in + fan_out).",
        }[activation]
        factor = _factor(got, noise)
        if not math.isnan(factor):
            generic = f"The noise was multiplied by {factor:.6g}, and {right:.6g} was wanted. {generic}"
        ask.compare(got, noise * right, args, called=called, generic=generic)

    # In this shape no two of the usual mistakes give the same factor.
    noise = torch.tensor([[0.5, -1.25, 2.0, 0.75, -0.25], [1.5, 0.25, -0.5, -2.0, 1.0], [-0.75, 1.75, 0.5, 1.25, -1.5]])
    for activation in BOTH:
        right_for(noise, activation)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for round_ in range(12):
        fan_out, fan_in = (int(torch.randint(1, 41, (), generator=generator)) for _ in range(2))
        drawn = torch.randn(fan_in, fan_out, generator=generator, dtype=torch.float64)
        if round_ < 4:
            drawn = drawn[:, :1] if round_ < 2 else drawn[:1]  # one unit, one input
        right_for(drawn.to((torch.float32, torch.float64)[round_ // 2 % 2]).T, BOTH[round_ % 2])  # a view
    return f"right on {ask.asked} layers: He for ReLU, Xavier for tanh."


EXERCISE = Exercise(
    id="03.init",
    name="initial_weight",
    title="Where to start",
    objectives=("03-O3",),
    difficulty=2,
    minutes=10,
    points=2,
    task='Write initial_weight(noise, activation): noise (out, in) holds standard normal numbers, activation is "relu" '
    'or "tanh". Return the first weights of a layer, (out, in), in the dtype of the noise: He\'s for "relu", by '
    'fan_in; Xavier\'s for "tanh", by fan_in and fan_out, and no gain. noise stays as it was.',
    ranges="1 to 40 inputs and outputs, float32 and float64, tensors that are views of others",
    hints=(
        "A unit adds up fan_in products. How large is the variance of that sum, and by what must the weights be scaled "
        "so that it stays the same? And how many inputs does a unit have, when the weights are (out, in)?",
        "He: variance 2 / fan_in, because a ReLU passes on half. Xavier: variance 2 / (fan_in + fan_out). The noise "
        "has the variance 1. Numbers that are multiplied by 3 have 9 times the variance: so by what do you multiply?",
        'fan_out, fan_in = noise.shape; variance = 2 / fan_in for "relu", else 2 / (fan_in + fan_out); return noise * '
        "math.sqrt(variance).",
    ),
    reference=initial_weight,
    walkthrough="A unit adds up fan_in products of an input and a weight, so the variance of the weights must fall "
    "like 1 / fan_in, with a 2 above where a ReLU passes on half, and like the mean of both fans for Xavier. "
    "Numbers of variance 1 get this variance when they are multiplied by its root.",
    where="exercises/03-training/03-training-exercises.ipynb",
    check=check,
)
