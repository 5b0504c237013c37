"""`Value`: the table of numbers against torch, and each line of it broken."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.autograd import Tensor, Value
from dlcourse.autograd.scalar import RULES

BOTH = (-3.0, -1.0, -0.4, 0.0, 0.7, 1.0, 2.5)
ABOVE = (0.3, 1.0, 2.5)
SOME = (-3.0, -0.4, 0.7, 2.5)
# The operation as it is written, and operands. Every pair of them is tried.
CASES = {
    "add": (lambda a, b: a + b, BOTH, BOTH),
    "sub": (lambda a, b: a - b, BOTH, BOTH),
    "mul": (lambda a, b: a * b, BOTH, BOTH),
    "div": (lambda a, b: a / b, BOTH, SOME),
    "pow": (lambda a, b: a**b, ABOVE, BOTH),
    "neg": (lambda a: -a, BOTH),
    "exp": (lambda a: a.exp(), BOTH),
    "log": (lambda a: a.log(), ABOVE),
    "sqrt": (lambda a: a.sqrt(), ABOVE),
    "tanh": (lambda a: a.tanh(), (*BOTH, -400.0, 400.0)),
    "sigmoid": (lambda a: a.sigmoid(), (*BOTH, -800.0, 800.0)),
    "relu": (lambda a: a.relu(), BOTH),
}


def operands(op):
    function, first, *second = CASES[op]
    return function, [(a, b) for a in first for b in second[0]] if second else [(a,) for a in first]


def check(op):
    """Raises AssertionError where value or slopes are not torch's."""
    function, cases = operands(op)
    for numbers in cases:
        mine = [Value(number) for number in numbers]
        theirs = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in numbers]
        out, wanted = function(*mine), function(*theirs)
        assert out.data == pytest.approx(wanted.item(), rel=1e-14, abs=1e-300), numbers
        assert out.op == op
        out.backward()
        wanted.backward()
        for x, t in zip(mine, theirs, strict=True):
            assert x.grad == pytest.approx(t.grad.item(), rel=1e-10, abs=1e-14), numbers


@pytest.mark.parametrize("op", RULES)
def test_an_operation_equals_torch(op):
    check(op)


def test_every_rule_has_cases_and_as_many_formulas_as_slopes():
    assert set(CASES) == set(RULES)
    assert all(len(rule.locals) == len(rule.texts) for rule in RULES.values())


SLOPES = [(op, i) for op, rule in RULES.items() for i in range(len(rule.locals))]


@pytest.mark.parametrize("fault", [0.0, -1.0, 2.0])
@pytest.mark.parametrize(("op", "i"), SLOPES)
def test_a_broken_slope_turns_its_test_red(op, i, fault, monkeypatch):
    rule = RULES[op]
    changed = (*rule.locals[:i], lambda *numbers: fault * rule.locals[i](*numbers), *rule.locals[i + 1 :])
    monkeypatch.setitem(RULES, op, rule._replace(locals=changed))
    with pytest.raises(AssertionError):
        check(op)


@pytest.mark.parametrize("op", RULES)
def test_a_rule_deleted_or_a_wrong_value_turns_its_test_red(op, monkeypatch):
    monkeypatch.setitem(RULES, op, RULES[op]._replace(forward=lambda *numbers: 0.123))
    with pytest.raises(AssertionError):
        check(op)
    monkeypatch.delitem(RULES, op)
    with pytest.raises(KeyError):
        check(op)


@pytest.mark.parametrize(("op", "i"), SLOPES)
def test_a_printed_formula_is_the_slope(op, i):
    function, cases = operands(op)
    for numbers in cases:
        out = function(*(Value(number) for number in numbers)).data
        if abs(numbers[0]) > 100:
            continue
        known = dict(zip("ab", numbers, strict=False)) | {"out": out, "log": math.log}
        shown = eval(RULES[op].texts[i], {"__builtins__": {}}, known)
        assert shown == pytest.approx(RULES[op].locals[i](out, *numbers))


@pytest.mark.parametrize(
    ("base", "exponent"),
    [(-2.0, 3.0), (-2.0, -1.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.0), (2.0, 0.0), (-1.5, 0.0), (3.0, -2.0)],
)
def test_powers_at_the_edge_of_their_range(base, exponent):
    x, t = Value(base), torch.tensor(base, dtype=torch.float64, requires_grad=True)
    y, wanted = x**exponent, t**exponent
    y.backward()
    wanted.backward()
    assert (y.data, x.grad) == (wanted.item(), t.grad.item())


def test_the_slope_in_the_exponent_of_zero_and_of_a_negative_number():
    zero, b = Value(0.0), Value(2.0)
    (zero**b).backward()
    assert b.grad == 0.0
    negative, b = Value(-2.0), Value(2.0)
    (negative**b).backward()
    assert math.isnan(b.grad)
    assert negative.grad == -4.0


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: Value(-1.0).log(), "log of -1 is no finite number"),
        (lambda: Value(0.0).log(), "log of 0"),
        (lambda: Value(-4.0).sqrt(), "sqrt of -4"),
        (lambda: 1 / Value(0.0), "div of 1, 0"),
        (lambda: Value(-2.0) ** 0.5, "pow of -2, 0.5"),
        (lambda: Value(1000.0).exp(), "exp of 1000"),
        (lambda: Value(0.0) ** -1, "pow of 0, -1"),
        (lambda: Value(1e308) * 10, "mul of 1e\\+308, 10 is no finite number"),
        (lambda: Value(0.0).sqrt().backward(), "sqrt of 0 has no finite slope"),
        (lambda: (Value(0.0) ** 0.5).backward(), "pow of 0, 0.5 has no finite slope"),
    ],
)
def test_an_operation_without_a_value_says_so(function, words):
    with pytest.raises(ValueError, match=words):
        function()


@given(st.floats(-3, 3), st.floats(-3, 3).filter(lambda x: abs(x) > 0.05))
def test_reflected_operators_keep_their_order(number, x):
    """`2 - x` is not `x - 2`."""
    assert (number - Value(x)).data == number - x
    assert (number + Value(x)).data == number + x
    assert (number * Value(x)).data == number * x
    assert (number / Value(x)).data == number / x
    assert (2.5 ** Value(x)).data == 2.5**x


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="holds one plain number"):
        Value("3")
    with pytest.raises(TypeError, match="holds one plain number"):
        Value(2.0) * Tensor([3.0], requires_grad=True)
    with pytest.raises(TypeError, match="got a Value"):
        Value(Value(1.0))
    with pytest.raises(TypeError, match="holds one plain number"):
        Value(1.0) * [1.0]


def test_numbers_in_an_expression_are_constants():
    x = Value(3.0)
    y = x**2 + 1
    y.backward()
    assert [node.requires_grad for node in y.inputs] == [True, False]
    assert y.inputs[1].grad == 0.0
    assert x.grad == 6.0


def test_it_prints_its_number_and_label():
    assert repr(Value(2.0, "a")) == "Value(2, 'a')"
    assert repr(Value(1 / 3)) == "Value(0.333333)"
