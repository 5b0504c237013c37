"""The table of rules: each against torch, values and both derivatives; each without one of its lines."""

import pytest
import torch
from dlcourse_autograd import CASES, assert_as_torch, check_rule, filled, with_engine, with_torch

from dlcourse.autograd import Tensor, unbroadcast
from dlcourse.autograd.rules import RULES
from dlcourse.autograd.tensor import apply

CPU = torch.device("cpu")
VARIADIC = {"concat": 3}  # how many inputs the cases use


def vjps() -> list[tuple[str, int]]:
    """Every vector-Jacobian product of the table: the operation, and which input."""
    return [(op, i) for op, rule in RULES.items() for i in range(VARIADIC.get(op, len(rule.texts)))]


@pytest.mark.parametrize("op", RULES)
def test_a_rule_equals_torch(op, device):
    check_rule(op, device)


def test_every_rule_has_cases_and_a_formula_for_each_input():
    assert set(CASES) == set(RULES)
    for op, rule in RULES.items():
        if op not in VARIADIC:
            assert len(rule.vjps) == len(rule.texts), op


@pytest.mark.parametrize("op", RULES)
def test_a_rule_deleted_turns_its_test_red(op, monkeypatch):
    monkeypatch.delitem(RULES, op)
    with pytest.raises((AssertionError, KeyError)):
        check_rule(op, CPU)


FAULTS = {
    "zero": lambda share: share * 0,
    "the sign": lambda share: -share,
    "twice": lambda share: share * 2,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("op", "i"), vjps())
def test_a_broken_vjp_turns_its_test_red(op, i, fault, monkeypatch):
    rule = RULES[op]

    def broken(grad, out, *inputs, **options):
        return FAULTS[fault](rule.vjp(i)(grad, out, *inputs, **options))

    def variadic(which, *arguments, **options):
        return broken(*arguments, **options) if which == i else rule.vjps(which, *arguments, **options)

    changed = variadic if op in VARIADIC else (*rule.vjps[:i], broken, *rule.vjps[i + 1 :])
    monkeypatch.setitem(RULES, op, rule._replace(vjps=changed))
    with pytest.raises(AssertionError):
        check_rule(op, CPU)


@pytest.mark.parametrize("op", RULES)
def test_a_forward_that_does_nothing_turns_its_test_red(op, monkeypatch):
    monkeypatch.setitem(RULES, op, RULES[op]._replace(forward=lambda *inputs, **options: inputs[0] * 0.5))
    with pytest.raises((AssertionError, ValueError)):
        check_rule(op, CPU)


# ---- the formulas that pictures and the widget show

SCALARS = {"a": 0.7, "b": 1.9, "grad": -1.3}
IN_WORDS = {
    "relu",
    "sum",
    "amax",
    "logsumexp",
    "reshape",
    "expand",
    "permute",
    "getitem",
    "put",
    "pad",
    "where",
    "concat",
}


@pytest.mark.parametrize("op", [op for op in RULES if op not in IN_WORDS])
def test_a_printed_formula_is_the_rule(op):
    shape = (3, 3) if op == "matmul" else ()
    names = ("a", "b")[: len(RULES[op].texts)]
    leaves = [Tensor(filled(shape, 5 + i, CPU, (0.7, 1.9, 2.3)), requires_grad=True) for i in range(len(names))]
    out = apply(op, *leaves)
    grad = Tensor(filled(out.shape, 9, CPU, (-1.3, 0.4)))
    known = dict(zip(names, leaves, strict=True)) | {"out": out, "grad": grad, "log": lambda x: x.log()}
    for i, text in enumerate(RULES[op].texts):
        shown = eval(text, {"__builtins__": {}}, known)
        torch.testing.assert_close(shown.data, RULES[op].vjp(i)(grad, out, *leaves).data)


# ---- unbroadcast

FAMILIES = [
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 3), (1, 3)),
    ((2, 3), (2, 1)),
    ((2, 3), (1, 1)),
    ((2, 3), ()),
    ((2, 3), (1,)),
    ((4, 2, 3), (2, 1)),
    ((4, 2, 3), (1, 2, 1)),
    ((1, 3), (1, 3)),
    ((1, 3), (3,)),
    ((1, 1), ()),
    ((0, 3), (3,)),
    ((0, 3), (1, 3)),
    ((2, 0), (2, 1)),
    ((), ()),
]


@pytest.mark.parametrize(("big", "small"), FAMILIES)
def test_unbroadcast_is_the_gradient_of_broadcasting(big, small, device):
    x = torch.zeros(small, dtype=torch.float64, device=device, requires_grad=True)
    grad = filled(big, 3, device)
    x.expand(big).backward(grad)
    came = unbroadcast(Tensor(grad), small)
    assert came.shape == torch.Size(small)
    torch.testing.assert_close(came.data, x.grad)


def test_unbroadcast_by_hand():
    grad = Tensor(torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]))
    assert unbroadcast(grad, (3,)).data.tolist() == [9.0, 18.0, 36.0]
    assert unbroadcast(grad, (2, 1)).data.tolist() == [[7.0], [56.0]]
    assert unbroadcast(grad, ()).data.item() == 63.0
    assert unbroadcast(grad, [2, 3]) is grad  # nothing was copied, so nothing is summed


@pytest.mark.parametrize(
    ("big", "small"), [((2, 3), (2,)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((), (1,)), ((2, 3), (4, 3))]
)
def test_unbroadcast_refuses_a_shape_that_does_not_broadcast(big, small):
    with pytest.raises(ValueError, match="does not broadcast"):
        unbroadcast(Tensor(torch.ones(big)), small)


# ---- where functions have no value, or no slope


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (lambda lib, a: a.log(), (-1.0, 0.0, 2.0)),
        (lambda lib, a: a.sqrt(), (-1.0, 0.0, 2.0)),
        (lambda lib, a: 1 / a, (0.0, -0.0, 2.0)),
        (lambda lib, a: a**-1, (0.0, 2.0, -2.0)),
        (lambda lib, a: a**0.5, (-1.0, 0.0, 2.0)),
        (lambda lib, a: a.exp(), (710.0, -1000.0, 1.0)),
        (lambda lib, a: a.tanh(), (1000.0, -1000.0, 1.0)),
        (lambda lib, a: a.sigmoid(), (1000.0, -1000.0, 1.0)),
    ],
)
def test_outside_their_range_operations_give_what_torch_gives(function, values, device):
    """Infinity and nan included, in the value and in the first derivative."""
    x = torch.tensor(values, dtype=torch.float64, device=device)
    for came, wanted in list(zip(with_engine(function, [x], [0]), with_torch(function, [x], [0]), strict=True))[:2]:
        torch.testing.assert_close(came, wanted, equal_nan=True, rtol=1e-12, atol=0)


@pytest.mark.parametrize("base", [0.0, -2.0, 0.5])
@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_powers_at_zero_and_below_give_what_torch_gives(base, exponent, device):
    """The slope in the exponent too, where the exponent is a tensor: 0 at 0**b, except for b below 0."""
    data = [torch.tensor([number], dtype=torch.float64, device=device) for number in (base, exponent)]
    mine, theirs = (side(lambda lib, a, b: a**b, data, [0, 1])[:3] for side in (with_engine, with_torch))
    for came, wanted in zip(mine, theirs, strict=True):
        torch.testing.assert_close(came, wanted, equal_nan=True)


@pytest.mark.parametrize("scale", [1000.0, 1e300])
def test_logsumexp_and_softmax_do_not_overflow(scale, device):
    x = torch.tensor([[scale, -scale, 0.0], [scale, scale, scale]], dtype=torch.float64, device=device)
    assert_as_torch(lambda lib, a: a.logsumexp(1), x)
    assert_as_torch(lambda lib, a: a.softmax(1), x)
    assert_as_torch(lambda lib, a: a.log_softmax(0), x)


def test_logsumexp_of_a_row_that_excludes_everything():
    x = Tensor(torch.full((2, 3), -torch.inf), requires_grad=True)
    x.logsumexp(1).sum().backward()
    assert x.grad.data.tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_results_and_gradients_keep_the_dtype(dtype, device):
    x = Tensor(torch.tensor([[0.5, 2.0], [1.0, 3.0]], device=device).to(dtype), requires_grad=True)
    out = ((2 - x) * 3.5 / x + x @ x.mean(0)).logsumexp(1).sum()
    out.backward()
    assert (out.dtype, x.grad.dtype, x.grad.device) == (dtype, dtype, x.device)
