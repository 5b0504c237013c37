"""02.local-derivatives: one step of the backward sweep: local derivative times what arrived, added to the rest."""

import math
from collections.abc import Callable
from typing import Any

import torch

from dlcourse.checks.examiner import Examiner, Suspect, gives, matches
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.subject import Subject

Grads = dict[str, float]


def backward_step(op, names, values, grad, grads, n=None):
    if op == "mul":
        first, second = values
        local = [second, first]
    elif op == "pow":
        local = [n * values[0] ** (n - 1)]
    else:
        local = [math.exp(values[0])]
    collected = dict(grads)
    for i in range(len(names)):
        collected[names[i]] = collected.get(names[i], 0.0) + local[i] * grad
    return collected


Rule = Callable[[list[float], float, Any], list[float]]  # (values, grad, n) -> what each input gets
RULES: dict[str, Rule] = {
    "mul": lambda v, grad, n: [grad * v[1], grad * v[0]],
    "pow": lambda v, grad, n: [grad * n * v[0] ** (n - 1)],
    "exp": lambda v, grad, n: [grad * math.exp(v[0])],
}


def _add(old: float, share: float) -> float:
    return old + share


def _with(op: str | None = None, rule: Rule | None = None, into: Callable[[float, float], float] = _add) -> Any:
    """The test of a suspect whose `rule` for `op` is another (None: for every op), or who puts shares in otherwise."""

    def step(asked: str, names: list[str], values: list[float], grad: float, grads: Grads, n: Any = None) -> Grads:
        try:
            shares = (rule or RULES[asked])(values, grad, n)
        except (ArithmeticError, IndexError, TypeError, ValueError):
            return {}
        if any(isinstance(share, complex) for share in shares):
            return {}
        collected = dict(grads)
        for name, share in zip(names, shares, strict=False):
            collected[name] = into(collected.get(name, 0.0), share)
        return collected

    test = gives(step)
    return lambda got, wanted, asked, *rest: op in (None, asked) and test(got, wanted, asked, *rest)


def _one_of_two(got: Any, wanted: Grads, op: str, names: list[str], values: list[float], grad: float, *rest: Any):
    """x * x, of whose two equal shares one is missing."""
    grads = rest[0]
    if len(set(names)) == len(names):
        return False
    return matches(got, dict(grads) | {names[0]: grads.get(names[0], 0.0) + grad * values[0]})


def _overwritten(got: Any, wanted: Grads, *args: Any) -> bool:
    return any(name in args[4] for name in args[1]) and _with(into=lambda old, share: share)(got, wanted, *args)


def _square_overwritten(got: Any, wanted: Grads, *args: Any) -> bool:
    return len(set(args[1])) < len(args[1]) and _with(into=lambda old, share: share)(got, wanted, *args)


OVERWRITTEN = (
    "Something was overwritten: that name had collected a gradient already. An input that is used in two places gets "
    "a share from each, so add: grads.get(name, 0.0) + share."
)


def _only(allowed: Callable[[Any], bool], rule: Rule) -> Any:
    """A suspect of pow, for those exponents where it differs from the right rule or from other suspects."""
    test = _with("pow", rule)
    return lambda got, wanted, op, *rest: op == "pow" and allowed(rest[-1]) and test(got, wanted, op, *rest)


# The order matters: the first suspect that fits is named.
SUSPECTS = (
    Suspect(
        "The exponent was rounded to a whole number: n may be 0.5, 1.5 or 2.5. Take n as it is.",
        lambda *case: any(
            _only(lambda n: n != int(n), rule)(*case)
            for rule in (
                lambda v, grad, n: [grad * int(n) * v[0] ** (n - 1)],
                lambda v, grad, n: [grad * int(n) * v[0] ** (int(n) - 1)],
                lambda v, grad, n: [grad * n * v[0] ** int(n - 1)],
            )
        ),
    ),
    Suspect(
        "The sign of the exponent was lost: the factor is n itself, and n may be negative.",
        _only(lambda n: n < 0, lambda v, grad, n: [grad * abs(n) * v[0] ** (n - 1)]),
    ),
    Suspect(
        "The sign of the base was lost: n * x ** (n - 1) with x as it is, and x may be negative.",
        lambda got, wanted, op, names, values, *rest: (
            values[0] < 0
            and _with("pow", lambda v, grad, n: [grad * n * abs(v[0]) ** (n - 1)])(
                got, wanted, op, names, values, *rest
            )
        ),
    ),
    Suspect(
        "In x * x both inputs are the same name, and each of the two gives a share: together 2 * x * grad. One of them "
        "was lost or overwritten. Go through names and shares pair by pair, and add each.",
        lambda *case: _one_of_two(*case) or _square_overwritten(*case),
    ),
    Suspect(OVERWRITTEN, _overwritten),
    Suspect(
        "These are the shares of this step alone. Begin with a copy, dict(grads), and add them to it.",
        lambda got, wanted, op, names, values, grad, grads, n=None: matches(
            got, backward_step(op, names, values, grad, {}, n)
        ),
    ),
    Suspect(
        "The gradient that arrived at the node, grad, is missing: this is the local derivative alone. Chain rule: "
        "multiply by grad.",
        lambda got, wanted, op, names, values, grad, grads, n=None: matches(
            got, backward_step(op, names, values, 1.0, grads, n)
        ),
    ),
    Suspect(
        "The gradient that arrived and the local derivative were added. Along a path slopes multiply; only different "
        "paths add up.",
        lambda got, wanted, op, names, values, grad, grads, n=None: _with(
            rule=lambda v, g, n: [g + share for share in RULES[op](v, 1.0, n)]
        )(got, wanted, op, names, values, grad, grads, n),
    ),
    Suspect(
        "The shares were multiplied into what was there. Paths add up: old + share.",
        lambda got, wanted, *args: (
            any(name in args[4] for name in args[1])
            and _with(into=lambda old, share: old * share if old else share)(got, wanted, *args)
        ),
    ),
    Suspect(
        "The name had a gradient already, and kept it: this share was dropped. Shares add up: old + share.",
        lambda got, wanted, *args: (
            any(name in args[4] for name in args[1])
            and _with(into=lambda old, share: old if old else share)(got, wanted, *args)
        ),
    ),
    Suspect(
        "The sums begin at 1: a name that nothing has reached has the gradient 0 to add to, grads.get(name, 0.0).",
        lambda got, wanted, op, names, values, grad, grads, n=None: matches(
            got, backward_step(op, names, values, grad, dict.fromkeys(names, 1.0) | grads, n)
        ),
    ),
    Suspect(
        "The partners of the product are swapped: d(x * y)/dx is y, the *other* one.",
        _with("mul", lambda v, grad, n: [grad * v[0], grad * v[1]]),
    ),
    Suspect(
        "This is the rule of a sum, which hands grad on as it is. A product hands on grad times the other factor.",
        _with("mul", lambda v, grad, n: [grad, grad]),
    ),
    Suspect(
        "Both factors got grad times the whole product: the factor itself does not belong into its own derivative.",
        _with("mul", lambda v, grad, n: [grad * v[0] * v[1]] * 2),
    ),
    Suspect(
        "The exponent was not lowered: the derivative of x ** n is n * x ** (n - 1).",
        _with("pow", lambda v, grad, n: [grad * n * v[0] ** n]),
    ),
    Suspect(
        "The factor n is missing: the derivative of x ** n is n * x ** (n - 1).",
        _with("pow", lambda v, grad, n: [grad * v[0] ** (n - 1)]),
    ),
    Suspect(
        "The factor is n, not n - 1: only the exponent is lowered, n * x ** (n - 1).",
        _with("pow", lambda v, grad, n: [grad * (n - 1) * v[0] ** (n - 1)]),
    ),
    Suspect(
        "n * x ** n - 1 subtracts 1 from the power: `**` binds tighter than `-`. Put n - 1 in brackets.",
        lambda *case: any(
            _with("pow", rule)(*case)
            for rule in (
                lambda v, grad, n: [grad * (n * v[0] ** n - 1)],
                lambda v, grad, n: [grad * n * v[0] ** n - 1],
            )
        ),
    ),
    Suspect(
        "This is the power itself, times grad: its derivative is n * x ** (n - 1).",
        _with("pow", lambda v, grad, n: [grad * v[0] ** n]),
    ),
    Suspect(
        "This is n * x, which is right for n = 2 only: the derivative of x ** n is n * x ** (n - 1).",
        _with("pow", lambda v, grad, n: [grad * n * v[0]]),
    ),
    Suspect(
        "1 / x is the derivative of the logarithm. The derivative of exp is exp itself.",
        _with("exp", lambda v, grad, n: [grad / v[0]]),
    ),
    Suspect(
        "exp is no power of x: x * exp(x - 1) is the rule for x ** n misapplied. The derivative of exp(x) is exp(x).",
        _with("exp", lambda v, grad, n: [grad * v[0] * math.exp(v[0] - 1)]),
    ),
    Suspect(
        "The input itself was taken for the local derivative. The derivative of exp(x) is exp(x).",
        _with("exp", lambda v, grad, n: [grad * v[0]]),
    ),
    Suspect(
        "exp handed grad on as it is. The derivative of exp(x) is exp(x): multiply by it.",
        _with("exp", lambda v, grad, n: [grad]),
    ),
)
CRASHES = (
    (
        "an argument was changed in place",
        "`grads` itself was changed. The caller still needs it: begin with a copy, dict(grads), change that, and "
        "return it.",
    ),
    (
        "KeyError",
        "Nothing has reached this name yet, so it is not in the dictionary: grads.get(name, 0.0) gives 0 then.",
    ),
    ("must be Tensor, not float", "These are plain Python numbers: math.exp takes them, torch.exp does not."),
    ("values to unpack", "mul has two inputs, pow and exp have one: take `values` apart only where you know the op."),
    ("index out of range", "mul has two inputs, pow and exp have one: look at values[1] for mul only."),
    ("'NoneType'", "n is given for pow only, and is None for the others: use it in pow's branch alone."),
)
WRONG = (
    "For each input: local derivative times grad, added to grads.get(name, 0.0). Do it by hand with these numbers, and "
    "print each share."
)
EXPONENTS = (-3.0, -2.0, -1.0, 2.0, 3.0, 4.0, 0.5, 1.5, 2.5)

# In this order, because a case is only met by answers that got those above it right.
CASES: tuple[tuple[Any, ...], ...] = (
    ("mul", ["x", "y"], [3.0, -5.0], 7.0, {"u": 7.0}),
    ("pow", ["x"], [-1.5], 5.0, {"u": 5.0}, 3.0),
    ("pow", ["x"], [-3.0], 5.0, {"u": 5.0}, 2.0),
    ("pow", ["x"], [2.25], 5.0, {"u": 5.0}, 1.5),
    ("exp", ["x"], [0.5], -3.0, {"u": -3.0}),
    ("mul", ["x", "y"], [3.0, -5.0], 7.0, {"loss": 1.0, "u": 7.0, "y": 11.0}),
    ("mul", ["x", "x"], [3.0, 3.0], 7.0, {"u": 7.0}),
    ("mul", ["x", "x"], [-3.0, -3.0], 5.0, {"u": 5.0, "x": 9.0}),
    ("exp", ["y"], [-1.5], 0.5, {"u": 0.5, "y": -7.0}),
    ("pow", ["x"], [2.5], 3.0, {"u": 3.0, "x": -0.5}, -1.0),
    ("pow", ["x"], [-1.5], 3.0, {"u": 3.0, "x": -0.5}, -2.0),
    ("pow", ["x"], [0.0], 3.0, {"u": 3.0, "x": -0.5}, 2.0),
)


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.local-derivatives", "backward_step", subject, SUSPECTS, CRASHES, lines=10_000)

    def right_for(*args: Any) -> None:
        ask.value(args, backward_step(*args), generic=WRONG)

    for case in CASES:
        right_for(*case)
    generator = torch.Generator().manual_seed(1 if seed is None else seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    for round_ in range(12):
        op = ("mul", "pow", "exp")[round_ % 3]
        # Odd numbers of quarters between -3 and 3: never 0, never 1, and no power of another one by accident.
        values = [(2 * draw(-6, 5) + 1) / 4 for _ in range(2 if op == "mul" else 1)]
        names = [("x", "y", "z")[draw(0, 2)] for _ in values]
        if len(set(names)) < len(values):
            values = [values[0]] * 2
        grad = (2 * draw(-6, 5) + 1) / 4
        grads = {"u": grad} | {name: (2 * draw(-6, 5) + 1) / 4 for name in "xyz" if draw(0, 1)}
        if op != "pow":
            right_for(op, names, values, grad, grads)
            continue
        n = EXPONENTS[draw(0, len(EXPONENTS) - 1)]
        right_for(op, names, [abs(values[0])] if n != int(n) else values, grad, grads, n)
    return f"right on {ask.asked} steps: three local derivatives, and every share added to what was there."


EXERCISE = Exercise(
    id="02.local-derivatives",
    name="local_derivatives",
    title="One step backward",
    objectives=("02-O1",),
    difficulty=1,
    minutes=8,
    points=2,
    task="Write backward_step(op, names, values, grad, grads, n=None): one node hands its gradient on to its inputs. "
    'op is "mul", "pow" or "exp"; names and values are lists with the names and values of its inputs; grad is the '
    "gradient that arrived at the node; grads the gradients collected so far, by name; n the exponent of pow. Return "
    "a new dictionary: grads with this node's shares added.",
    ranges="values between -5 and 5, gradients between -11 and 11; whole exponents from -3 to 4, not 0 and not 1; "
    "exponents 0.5, 1.5 and 2.5 of positive values; the same name twice in a product; names that have collected a "
    "gradient, and names that have not",
    hints=(
        "Two questions for each input. How fast does the node's value change when only this input moves? And what if "
        "the input has received a gradient already, from another node that uses it?",
        "Its share is grad times the local derivative: the other factor for mul, n * x ** (n - 1) for pow, exp(x) for "
        "exp. Shares add up. In x * x the same name comes twice, and both its shares count.",
        "new = dict(grads); make a list `shares` with one number for each name (an if for each op); then for name, "
        "share in zip(names, shares): new[name] = new.get(name, 0.0) + share; return new.",
    ),
    reference=backward_step,
    walkthrough="Each input gets the gradient that arrived, times the local derivative of the operation: that is the "
    "chain rule for one path. The shares are added to a copy of what was collected before, since an input that is used "
    "in several places is reached by several paths.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
