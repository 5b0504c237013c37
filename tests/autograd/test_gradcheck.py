"""gradcheck: right gradients pass, wrong ones are found and described, and what cannot be checked is refused."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.autograd import GradcheckError, Tensor, cross_entropy, grad, gradcheck, numerical_gradient
from dlcourse.autograd.rules import RULES


def doubles(*shape, seed=0):
    made = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, device="cpu")
    return made * 4 - 2


def leaf(*shape, seed=0, label=""):
    return Tensor(doubles(*shape, seed=seed), requires_grad=True, label=label)


RIGHT = {
    "a number": (lambda x: x * x, [leaf()]),
    "a matrix product": (lambda a, b: a @ b, [leaf(2, 3), leaf(3, 4, seed=1)]),
    "broadcast": (lambda a, b: (a * b).tanh(), [leaf(4, 1, 3), leaf(2, 1, seed=1)]),
    "a loss": (lambda x: cross_entropy(x, torch.tensor([1, 0, 2])), [leaf(3, 3)]),
    "one input constant": (lambda a, b: a / b, [leaf(3), Tensor(doubles(3, seed=5))]),
}


@pytest.mark.parametrize("per_element", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes(name, per_element):
    function, inputs = RIGHT[name]
    before = [x.data.clone() for x in inputs]
    report = gradcheck(function, *inputs, per_element=per_element)
    assert report.error < 1e-7
    wanted = sum(x.data.numel() for x in inputs if x.requires_grad) if per_element else 3
    assert report.compared == wanted
    assert f"{wanted} slopes compared" in str(report)
    assert all(torch.equal(x.data, kept) and x.grad is None for x, kept in zip(inputs, before, strict=True))


def test_float32_is_checked_in_float64():
    x = Tensor(torch.tensor([[0.5, -1.5]]), requires_grad=True)
    assert gradcheck(lambda x: (x * x).exp().sum(), x).error < 1e-7
    assert x.dtype == torch.float32


@pytest.mark.parametrize("per_element", [False, True])
@pytest.mark.parametrize(
    ("op", "i"), [(op, i) for op in ("mul", "exp", "matmul", "add") for i in range(len(RULES[op].texts))]
)
@pytest.mark.parametrize("fault", [0.0, -1.0, 2.0, 1.001, float("nan")])
def test_a_wrong_rule_is_found(op, i, fault, per_element, monkeypatch):
    rule = RULES[op]
    wrong = lambda grad, *arguments, **options: rule.vjps[i](grad, *arguments, **options) * fault  # noqa: E731
    monkeypatch.setitem(RULES, op, rule._replace(vjps=(*rule.vjps[:i], wrong, *rule.vjps[i + 1 :])))
    function = {"mul": lambda a, b: (a * b).tanh(), "exp": lambda a, b: a.exp(), "matmul": lambda a, b: a @ b}
    with pytest.raises(GradcheckError):
        gradcheck(function.get(op, lambda a, b: a + b), leaf(3, 3), leaf(3, 3, seed=1), per_element=per_element)


# ---- gradients of one's own


def cube(x):
    return (x**3).sum()


def test_my_own_gradient_passes():
    x = doubles(2, 3)
    assert gradcheck(cube, x, gradients=[3 * x**2]).error < 1e-7
    assert gradcheck(cube, x, gradients=[3 * x**2], directions=1).compared == 1
    assert gradcheck(lambda a, b: (a * b).sum(), x, x + 1, gradients=[x + 1, x], per_element=True).compared == 12


@pytest.mark.parametrize(
    ("gradient", "words"),
    [
        (lambda x: 0 * x, "The gradient is zero"),
        (lambda x: -3 * x**2, "The sign is wrong"),
        (lambda x: x**2, "The gradient is 0.3333 times what it should be"),
        (lambda x: 3 * x**2 / 6, "The gradient is 0.1667 times"),
        (lambda x: 3 * x, "per_element=True names the worst element"),
        (lambda x: 3 * x**2 * torch.arange(6).reshape(2, 3).ne(4), "per_element=True"),
        (lambda x: 3 * x**2 + torch.nan, "along random direction"),
    ],
)
def test_my_wrong_gradient_is_described(gradient, words):
    x = doubles(2, 3)
    with pytest.raises(GradcheckError, match=words):
        gradcheck(cube, x, gradients=[gradient(x)])


def test_per_element_names_the_worst():
    x, y = doubles(2, 3), doubles(4, seed=1)
    wrong = 3 * x**2
    wrong[1, 2] += 0.5
    wrong[0, 1] += 0.01
    with pytest.raises(
        GradcheckError, match=re.escape("along input 0, element (1, 2)") + r".*\(2 of 10 compared differ\)"
    ):
        gradcheck(lambda x, y: cube(x) + cube(y), x, y, gradients=[wrong, 3 * y**2], per_element=True)
    w = Tensor(torch.tensor(1.5, dtype=torch.float64), requires_grad=True, label="w")
    with pytest.raises(GradcheckError, match=r"along w, element \(\)"):
        gradcheck(lambda w: Tensor(w.data**2) + w * 0, w, per_element=True)


def test_a_corner_is_named():
    x = torch.zeros(1, dtype=torch.float64)
    with pytest.raises(GradcheckError, match="has a corner here"):
        gradcheck(lambda x: x.relu().sum(), x, gradients=[torch.zeros(1, dtype=torch.float64)])


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1.0, 1e6])
@pytest.mark.parametrize("wrong", [0.0, -1.0, 2.0])
@pytest.mark.parametrize("per_element", [False, True])
def test_a_fault_is_found_at_every_scale(scale, wrong, per_element):
    x = doubles(3)

    def function(x):
        return scale * (x**2).sum()

    gradcheck(function, x, gradients=[scale * 2 * x], per_element=per_element)
    with pytest.raises(GradcheckError):
        gradcheck(function, x, gradients=[wrong * scale * 2 * x], per_element=per_element)


def test_a_flat_place_is_no_excuse():
    z = torch.tensor([18.0, 19.0], dtype=torch.float64)
    with pytest.raises(GradcheckError, match="The gradient is zero"):
        gradcheck(lambda z: torch.log1p(torch.exp(-z)).sum(), z, gradients=[torch.zeros_like(z)])


@pytest.mark.parametrize(
    ("function", "gradient", "x"),
    [
        (lambda x: (x**2).sum(), lambda x: 2 * x, [1e8, -3e8]),
        (lambda x: (x**2).sum() + 1e9, lambda x: 2 * x, [0.5, -1.5]),
        (lambda x: (x - x.sum() / 2).sum() + 3, lambda x: 0 * x, [0.5, -1.5]),
    ],
)
def test_rounding_raises_no_false_alarm(function, gradient, x):
    x = torch.tensor(x, dtype=torch.float64)
    gradcheck(function, x, gradients=[gradient(x)])


def test_a_sharp_bend_is_not_called_a_corner():
    x = torch.tensor([1e-4, -1e-4], dtype=torch.float64)
    with pytest.raises(GradcheckError, match="The gradient is 2 times what it should be"):
        gradcheck(lambda x: 1e4 * (x**2).sum(), x, gradients=[4e4 * x])


def test_what_is_right_is_not_blamed():
    x = doubles(4)
    wrong = 3 * x**2
    wrong[2] /= 2
    with pytest.raises(GradcheckError, match=r"element \(2,\).*1 of 4 compared differ\). The others are right"):
        gradcheck(cube, x, gradients=[wrong], per_element=True)


def test_a_gradient_of_a_gradient():
    x = leaf(3)
    assert gradcheck(lambda x: grad((x**3).sum(), x, create_graph=True)[0], x).error < 1e-7


def test_a_function_that_forgets_its_input():
    with pytest.raises(GradcheckError, match="The gradient is zero: is the input used"):
        gradcheck(lambda w: Tensor(w.data**2), leaf(2))


def test_a_function_may_change_what_it_is_given():
    x = doubles(3)
    before = x.clone()
    gradcheck(lambda x: x.mul_(2).sum(), x, gradients=[torch.full_like(x, 2.0)])
    assert torch.equal(x, before)


def test_a_gradient_of_true_zero_passes():
    x = doubles(3)
    assert gradcheck(lambda x: 0 * x.sum() + 5, x, gradients=[torch.zeros(3, dtype=torch.float64)]).error == 0
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: 0 * x.sum() + 5, x, gradients=[torch.full((3,), 1e-3, dtype=torch.float64)])


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 5))
def test_directions_and_elements_agree(seed, rows, columns):
    x = doubles(rows, columns, seed=seed)
    wrong = 3 * x**2
    wrong[-1, 0] += 0.1
    for per_element in (False, True):
        gradcheck(cube, x, gradients=[3 * x**2], per_element=per_element)
        with pytest.raises(GradcheckError):
            gradcheck(cube, x, gradients=[wrong], per_element=per_element)


def test_inputs_may_have_any_strides():
    x = doubles(4, 3).mT[:, ::2]
    assert not x.is_contiguous()
    gradcheck(cube, x, gradients=[3 * x**2], per_element=True)
    gradcheck(lambda x: (x * x).sum(), Tensor(x, requires_grad=True), per_element=True)


# ---- the slow definition


def test_the_numerical_gradient_is_torchs():
    x = doubles(2, 1, 3)
    t = x.clone().requires_grad_()
    (t.sin() * t).sum().backward()
    came = numerical_gradient(lambda x: (x.sin() * x).sum(), x)
    torch.testing.assert_close(came, t.grad, rtol=1e-8, atol=1e-9)
    assert numerical_gradient(lambda x: 3 * x, torch.tensor(2.0, dtype=torch.float64)).item() == pytest.approx(3)


# ---- what cannot be checked


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gradcheck(cube, doubles(2)), TypeError, "pass your own gradients"),
        (lambda: gradcheck(lambda: 1.0), TypeError, "wanted are Tensors"),
        (lambda: gradcheck(lambda x: x, Tensor(doubles(2))), ValueError, "no input has requires_grad=True"),
        (lambda: gradcheck(lambda x: x.sum(), leaf(0)), ValueError, "nothing to check"),
        (lambda: gradcheck(lambda x: x[:0], leaf(2)), ValueError, "the result holds no numbers"),
        (
            lambda: gradcheck(lambda x: x.data, leaf(2)),
            TypeError,
            "the function gave a Tensor, and a Tensor of dlcourse",
        ),
        (lambda: gradcheck(lambda x: 3.0, leaf(2)), TypeError, "the function gave a float"),
        (lambda: numerical_gradient(cube, doubles(2).float()), TypeError, "float64"),
        (lambda: gradcheck(lambda x: x.log().sum(), Tensor([-1.0], requires_grad=True)), ValueError, "gives nan here"),
        (lambda: gradcheck(cube, doubles(2).float(), gradients=[doubles(2)]), TypeError, "float64"),
        (lambda: gradcheck(cube, leaf(2), gradients=[doubles(2)]), TypeError, "plain torch tensors"),
        (lambda: gradcheck(cube, doubles(2), gradients=[doubles(3)]), ValueError, "shaped like its input"),
        (lambda: gradcheck(lambda x: x * x, doubles(2), gradients=[doubles(2)]), ValueError, r"gave \(2,\) numbers"),
        (lambda: gradcheck(cube, doubles(2), gradients=[]), ValueError, "shaped like its input"),
        (lambda: gradcheck(cube, doubles(2), gradients=[doubles(2)], directions=0), ValueError, "directions"),
    ],
)
def test_what_cannot_be_checked_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_function_that_draws_at_random_is_refused():
    source = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="two values for one input"):
        gradcheck(
            lambda x: (x * torch.rand(2, generator=source, dtype=torch.float64, device="cpu")).sum(),
            doubles(2),
            gradients=[doubles(2)],
        )
