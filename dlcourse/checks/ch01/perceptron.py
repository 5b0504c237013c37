"""01.perceptron: the rule of 1958, one example at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcourse.checks.examiner import Examiner, Suspect, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.show import Later, paste, show
from dlcourse.checks.subject import Subject


class Perceptron:
    def __init__(self, features):
        self.weight, self.bias = torch.zeros(features), torch.zeros(())

    def step(self, x, label):
        score = (self.weight * x).sum() + self.bias
        if label * score > 0:
            return False
        self.weight = self.weight + label * x
        self.bias = self.bias + label
        return True


Look = tuple[bool, Tensor, Tensor]  # what one step returned, and weight and bias after it


def _rule(weight: Tensor, bias: Tensor, x: Tensor, label: int) -> Look:
    """One step of the rule from a given weight and bias."""
    neuron = Perceptron(len(x))
    neuron.weight, neuron.bias = weight, bias
    return neuron.step(x, label), neuron.weight, neuron.bias


def _does(weight_sign: int = 1, bias_sign: int = 1, *, mistake: Callable[..., bool] | None = None) -> Callable:
    """The test of a suspect that steps like this; `mistake(label, score, score without bias)` decides when."""
    decide = mistake or (lambda label, score, bare: label * score <= 0)

    def fits(got: Any, wanted: Look, weight: Tensor, bias: Tensor, x: Tensor, label: int) -> bool:
        bare = (weight @ x).item()
        wrong = decide(label, bare + bias.item(), bare)
        after = (weight + weight_sign * label * x, bias + bias_sign * label) if wrong else (weight, bias)
        return matches(got, (wrong, *after))

    return fits


def _lacks(*names: str) -> Callable[..., bool]:
    """The test for a new neuron whose (weight, bias) lacks exactly these."""
    return lambda got, wanted: tuple(n for n, v in zip(("weight", "bias"), got, strict=True) if v is None) == names


# Each is given (weight, bias) of a new neuron, and what was wanted.
STARTS = (
    *(
        Suspect(
            f"The object has no attribute {' and no attribute '.join(f'`{name}`' for name in names)}. In __init__ "
            "write self.weight = ... and self.bias = ..., two tensors, with `self.` and with these very names.",
            _lacks(*names),
        )
        for names in (("weight", "bias"), ("weight",), ("bias",))
    ),
    Suspect(
        "Write 0.0 for the bias: without the point torch makes whole numbers.",
        lambda got, wanted: isinstance(got[1], Tensor) and got[1].dtype == torch.int64,
    ),
    Suspect(
        "The bias is one number in no brackets: torch.tensor(0.0) has the shape (); torch.zeros(1) has (1,).",
        lambda got, wanted: isinstance(got[1], Tensor) and got[1].shape == (1,),
    ),
)

# Each is given (returned, weight, bias) after a step, what was wanted, and weight, bias, x, label before it.
# The order matters: the first that fits is named.
SUSPECTS = (
    Suspect(
        "It did not start: from zeros every score is exactly 0, and 0 counts as a mistake. Test label * score <= 0.",
        lambda got, wanted, weight, bias, x, label: (
            not weight.any() and not bias and got[0] is False and matches(got[1:], (weight, bias))
        ),
    ),
    Suspect(
        "A score of exactly 0 counts as a mistake: test label * score <= 0, with the equals sign.",
        lambda got, wanted, weight, bias, x, label: (
            (weight @ x + bias).item() == 0 and got[0] is False and matches(got[1:], (weight, bias))
        ),
    ),
    Suspect(
        "It adds x whatever the label. A mistaken no has to be subtracted: add label * x, and the label to the bias.",
        lambda got, wanted, weight, bias, x, label: (
            wanted[0] and label == -1 and matches(got[1], weight + x) and matches(got[2], bias + 1)
        ),
    ),
    Suspect(
        "The label is missing from the update: add label * x, so that a no is subtracted.",
        lambda got, wanted, weight, bias, x, label: label == -1 and matches(got, (True, weight + x, bias + label)),
    ),
    Suspect(
        "step said it was a mistake, but weight and bias of the object did not change: assign to self.weight and "
        "self.bias.",
        _does(0, 0),
    ),
    Suspect(
        "The step is twice as long as it should be: label - prediction is 2 or -2 after a mistake. Add label * x to "
        "the weight and the label to the bias.",
        _does(2, 2),
    ),
    Suspect(
        "It steps away from the example: add label * x to the weight, so that the score moves towards the label.",
        _does(-1, -1),
    ),
    Suspect("The weight moves away from the example: add label * x, do not subtract it.", _does(-1, 1)),
    Suspect("The bias moves the wrong way: add the label to it.", _does(1, -1)),
    Suspect("The bias was not updated. After a mistake it moves too: bias + label.", _does(1, 0)),
    Suspect("The weight was not updated. After a mistake it moves too: weight + label * x.", _does(0, 1)),
    Suspect(
        "The bias was moved by label * x. It belongs to an input that is always one, so add the label alone.",
        lambda got, wanted, weight, bias, x, label: (
            isinstance(got[2], Tensor) and (got[2].shape == x.shape or matches(got[2], bias + label * x.sum()))
        ),
    ),
    Suspect(
        "The score was computed without the bias: it is weight @ x + bias.",
        _does(mistake=lambda label, score, bare: label * bare <= 0),
    ),
    Suspect(
        "It updates after every example. Only a mistake, label * score <= 0, may change weight and bias.",
        lambda got, wanted, weight, bias, x, label: (
            not wanted[0] and matches(got[1:], (weight + label * x, bias + label))
        ),
    ),
    Suspect(
        "The label was left out of the test: a mistake is label * score <= 0, whatever the sign of the score.",
        _does(mistake=lambda label, score, bare: score <= 0),
    ),
    Suspect(
        "weight and bias are right, what it returns is the wrong way round, or the test came after the update: True "
        "means that it was a mistake.",
        lambda got, wanted, weight, bias, x, label: got[0] is (not wanted[0]) and matches(got[1:], wanted[1:]),
    ),
    Suspect(
        "weight and bias are right, but nothing was returned: return True after a mistake and False otherwise.",
        lambda got, wanted, weight, bias, x, label: got[0] is None and matches(got[1:], wanted[1:]),
    ),
)
CRASHES = (
    ("no method `step`", "The class needs a method `step(self, x, label)`; see that it is indented under `class`."),
    ("in-place operation", "Plain tensors are enough here: no nn.Parameter, no requires_grad."),
)
NAMES, AFTER = "(weight, bias)", "(returned, weight, bias)"
START = (
    "A new neuron starts with self.weight = features zeros and self.bias = a zero tensor of shape (), set in __init__."
)
NO_CLASS = "Perceptron has to be a class, so that each neuron keeps a weight and a bias of its own."
WRONG = (
    "Follow one example by hand: the score, whether label * score <= 0, and only then the update of weight and bias."
)


def _called(row: Tensor, label: int, weight: Tensor, bias: Tensor) -> str:
    return f"step({paste(row)}, {label}) of a neuron with weight {show(weight)}, bias {show(bias)}"


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("01.perceptron", "Perceptron", subject, SUSPECTS, CRASHES)
    mistakes = 0

    def weight_and_bias(state: Any) -> tuple[Any, Any]:
        if type(state) is not dict:
            ask.fail(called="Perceptron(...)", came_back=show(state), wanted="an object", reason=NO_CLASS)
        return state.get("weight"), state.get("bias")

    def learns(x: Tensor, labels: list[int]) -> None:
        """A new neuron looks at the rows of x; each step is compared with the rule."""
        nonlocal mistakes
        features = x.shape[1]
        weight, bias = torch.zeros(features), torch.zeros(())
        called, wanted = f"Perceptron({features})", f"{NAMES} = " + Later(show, (weight, bias))
        start = ask.ask(lambda: subject.call(features), called=called, wanted=wanted)
        neuron = weight_and_bias(start)
        ask.compare(neuron, (weight, bias), (), called=called, generic=START, suspects=STARTS, names=NAMES)
        for row, label in zip(x, labels, strict=True):
            called = Later(_called, row, label, weight, bias)
            right = _rule(weight, bias, row, label)
            wanted = f"{AFTER} = " + Later(show, right)
            both = ask.ask(lambda row=row, label=label: subject.stepped(row, label), called=called, wanted=wanted)
            got = (both[0], *weight_and_bias(both[1]))
            ask.compare(got, right, (weight, bias, row, label), called=called, generic=WRONG, names=AFTER)
            wrong, weight, bias = right
            mistakes += wrong

    learns(
        torch.tensor([[2.0, 1.0], [1.0, 3.0], [0.5, -1.0], [3.0, 1.5], [-2.0, 0.0], [0.0, 0.5], [2.0, 0.0]]),
        [1, -1, 1, -1, -1, 1, -1],
    )
    learns(torch.tensor([[2.0]]), [-1])
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(3):
        features = int(torch.randint(1, 6, (), generator=generator))
        examples = int(torch.randint(5, 41, (), generator=generator))
        # Halves add up without rounding, so ties are exact, and every order of adding agrees.
        x = torch.randint(-6, 7, (features, examples), generator=generator).T / 2
        learns(x, [2 * bit - 1 for bit in torch.randint(0, 2, (examples,), generator=generator).tolist()])
    return f"right on every step of 5 neurons, {mistakes} mistakes among them, each mended as it should be."


EXERCISE = Exercise(
    id="01.perceptron",
    name="perceptron",
    title="The perceptron rule",
    objectives=("01-O2",),
    difficulty=2,
    minutes=10,
    points=2,
    task="Write a class Perceptron. A new one starts with self.weight, features zeros, and self.bias, a zero tensor of "
    "shape (). step(x, label) looks at one example, label -1 or +1: on a mistake (a score of 0 is one) it updates both "
    "and returns True, otherwise it changes nothing and returns False.",
    ranges="one to five features, up to forty examples, inputs between -3 and 3",
    hints=(
        "Two questions in this order: is the example on the wrong side? If so, in which direction do weight and bias "
        "move?",
        "The score is weight @ x + bias. It is a mistake when label * score <= 0. Then weight moves by label * x and "
        "bias by label, as if it belonged to an input that is always one.",
        "In __init__: torch.zeros(features) and torch.zeros(()). In step: compute mistake = bool(label * score <= 0); "
        "if it is one, set self.weight to self.weight + label * x and self.bias to self.bias + label; return mistake.",
    ),
    reference=Perceptron,
    walkthrough="A product of label and score above zero means the right side, and then nothing changes. Otherwise "
    "adding label * x moves the score of this very example by label * (x @ x + 1), always towards its label.",
    where="exercises/01-neurons/01-neurons-exercises.ipynb",
    check=check,
)
