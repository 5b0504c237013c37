"""The oracles of the reference implementations: one function for each, which raises unless the implementation is right.

They are apart from the tests because they are used twice: on the package, where they must pass, and on broken versions
of it, where they must not (tests/test_mutations.py). Conventions: losses are means in nats, softmax works along `dim`,
slopes at corners are torch's.
"""

import math
from contextlib import contextmanager

import jaxtyping
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_tolerance import assert_close
from sklearn.linear_model import Perceptron as LibraryPerceptron

INF = math.inf
DTYPES = (torch.float32, torch.float64)
# Both signs, zeros of both signs, and sizes at which exp overflows in either dtype.
NUMBERS = [
    -1000.0,
    -200.0,
    -88.9,
    -20.5,
    -6.0,
    -1.0,
    -0.3,
    -1e-4,
    -0.0,
    0.0,
    1e-4,
    0.3,
    1.0,
    6.0,
    20.5,
    88.9,
    200.0,
    1000.0,
]


def random(*shape, seed=0, scale=1.0, dtype=torch.float64, device="cpu"):
    """Normal random numbers: the same on each device."""
    g = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(shape, generator=g, dtype=torch.float64)).to(device, dtype)


def agree(function, reference, *inputs):
    """Same value, dtype, shape and device as the reference, same slope for each input, and the inputs left alone."""
    values, slopes = [], []
    for f in (function, reference):
        leaves = [x.detach().requires_grad_() for x in inputs]
        before = [x.detach().clone() for x in leaves]
        value = f(*leaves)
        cotangent = random(*value.shape, seed=1, dtype=value.dtype, device=value.device) + 0.5
        slopes.append(torch.autograd.grad(value, leaves, cotangent))
        values.append(value.detach())
        assert all(torch.equal(x, b) for x, b in zip(leaves, before, strict=True)), "it changed its argument"
    assert_close(*values)
    for ours, theirs in zip(*slopes, strict=True):
        assert_close(ours, theirs)


def layouts(x):
    """The numbers of the list x in many forms: scalar, size 1, odd, empty, transposed, with gaps, repeated."""
    yield x
    yield x[len(x) // 2]
    yield x[:1]
    yield x[:0].reshape(0, 3)
    yield x[: len(x) // 2 * 2].reshape(2, -1).T
    yield x.repeat(3)[::2][1:]
    yield x[:, None, None].expand(-1, 1, 2)


# --- activations ------------------------------------------------------------------------------------------------------


def elementwise(reference, *variants, infinities=(-INF, INF)):
    """Oracle for a function of each number by itself; `variants` are its keyword arguments to be tried."""

    def oracle(function, device):
        for dtype in DTYPES:
            for options in variants or ({},):
                ours, theirs = lambda x, o=options: function(x, **o), lambda x, o=options: reference(x, **o)
                for x in layouts(torch.tensor([*NUMBERS, *infinities], dtype=dtype, device=device)):
                    agree(ours, theirs, x)
                agree(ours, theirs, random(3, 1, 5, scale=4, dtype=dtype, device=device))

    return oracle


def definition(reference, *, losing=()):
    """Oracle for a formula as printed: right for small numbers, and at the numbers `losing` it is not finite."""

    def oracle(function, device):
        x = random(4, 3, scale=2, device=device)
        agree(function, reference, x)
        for number in losing:
            leaf = torch.full((2,), number, device=device).requires_grad_()
            value = function(leaf)
            (slope,) = torch.autograd.grad(value.sum(), leaf)
            assert not (value.isfinite().all() and slope.isfinite().all()), "the chapter shows this formula fail here"

    return oracle


# --- softmax ----------------------------------------------------------------------------------------------------------


def along_dim(reference, *, infinite_rows=()):
    """Oracle for a function along a dimension."""
    rows = torch.tensor(
        [
            [1000.0, -1000.0, 0.0, 1000.0],
            [-1000.0, -1000.0, -1000.0, -1001.0],
            [0.0, 0.0, 0.0, 0.0],
            [3.0, -INF, 1.0, -INF],
            [-2.0, 700.0, 699.0, 89.0],
            *infinite_rows,
        ]
    )

    def oracle(function, device):
        for dtype in DTYPES:
            for x in (
                rows,
                rows[:, 1:].T,
                rows[::2, :1],
                rows[:1],
                rows[:, None, ::3],
                rows[1, 1:2],
                rows[2, 0],
                rows[:0],
            ):
                for dim in range(-1, x.ndim):
                    if x.ndim and x.shape[dim] == 0:
                        continue
                    x = x.to(device, dtype)
                    agree(lambda x, d=dim: function(x, dim=d), lambda x, d=dim: reference(x, dim=d), x)
            x = random(3, 1, 5, 2, scale=3, dtype=dtype, device=device)
            agree(function, lambda x: reference(x, dim=-1), x)
            agree(lambda x: function(x, dim=2), lambda x: reference(x, dim=2), x.transpose(0, 2))

    return oracle


def wide_logsumexp(x, *, dim):
    """torch's, computed in float64 and then rounded."""
    return torch.logsumexp(x.double(), dim).to(x.dtype)


# --- losses -----------------------------------------------------------------------------------------------------------


@contextmanager
def own_messages():
    """Without the shape checks that the tests add, so that a function's own error is seen."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def refuses(call, error, *words):
    """`call()` raises exactly this kind of error, and its message holds these words."""
    with own_messages(), pytest.raises(error) as caught:
        call()
    assert caught.type is error, f"{caught.value!r} is no plain {error.__name__}"
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{caught.value} does not say {missing}"


def cross_entropy(function, device):
    """Value and slope of torch's, for logits of any size; refusals that say what to do."""
    pair = torch.tensor([0, 1], device=device)
    for dtype in DTYPES:
        for batch, classes in ((1, 1), (1, 5), (7, 3), (4, 2)):
            labels = torch.arange(batch, device=device) % classes
            for logits in (
                random(batch, classes, scale=3, dtype=dtype, device=device),
                random(batch, classes, scale=1000, dtype=dtype, device=device),
                torch.zeros(batch, classes, dtype=dtype, device=device),
                random(classes, batch, dtype=dtype, device=device).T,
            ):
                for kind in (torch.int64, torch.int32):
                    agree(
                        lambda z, k=kind, y=labels: function(z, y.to(k)),
                        lambda z, y=labels: F.cross_entropy(z, y),
                        logits,
                    )
        right_and_wrong = torch.tensor([[1000.0, -1000.0], [1000.0, -1000.0]], dtype=dtype, device=device)
        agree(lambda z: function(z, pair), lambda z: F.cross_entropy(z, pair), right_and_wrong)
        masked = torch.tensor([[1.0, -INF, 2.0]], dtype=dtype, device=device)
        agree(lambda z: function(z, pair[:1]), lambda z: F.cross_entropy(z, pair[:1]), masked)

    z, y = torch.zeros(3, 4, device=device), torch.tensor([0, 3, 1], device=device)
    refuses(lambda: function(z, y.float()), TypeError, "float32", "labels.long()", "argmax")
    refuses(lambda: function(z, y == 0), TypeError, "bool", "labels.long()")
    refuses(lambda: function(z, y.to(torch.complex64)), TypeError, "complex64", "labels.long()")
    refuses(lambda: function(z, y[:, None]), ValueError, "(3, 1)", "labels[:, 0]")
    refuses(lambda: function(z, y[:2]), ValueError, "(3, 4)", "(2,)")
    refuses(lambda: function(z[0], y), ValueError, "(4,)", "(batch, classes)")
    refuses(lambda: function(z[:0], y[:0]), ValueError, "at least one")
    refuses(lambda: function(z, y + 1), ValueError, "from 1 to 4", "from 0 to 3", "Count classes from 0")
    refuses(lambda: function(z, y - 1), ValueError, "from -1 to 2", "from 0 to 3")


def binary_cross_entropy(function, device):
    """Value and both slopes of torch's, for logits of any size; refusals that say what to do."""
    for dtype in DTYPES:
        for z in layouts(torch.tensor(NUMBERS, dtype=dtype, device=device)):
            if z.numel():
                for t in (
                    torch.zeros_like(z),
                    torch.ones_like(z),
                    torch.sigmoid(random(*z.shape, dtype=dtype, device=device)),
                ):
                    agree(function, F.binary_cross_entropy_with_logits, z, t)
        confident = torch.tensor([-30.0], dtype=dtype, device=device)  # exp(-30): lost when computed as a difference
        value = function(confident, torch.zeros_like(confident))
        assert_close(value / math.exp(-30), torch.ones_like(value))

    z, t = torch.zeros(3, device=device), torch.tensor([0.0, 1.0, 0.5], device=device)
    refuses(lambda: function(z, t.long()), TypeError, "int64", "targets.float()")
    refuses(lambda: function(z[:, None], t), ValueError, "(3, 1)", "(3,)", "logits[:, 0]")
    refuses(lambda: function(z[:0], t[:0]), ValueError, "at least one")
    refuses(lambda: function(z, t + 1), ValueError, "from 1 to 2", "[0, 1]")
    refuses(lambda: function(z, t - 1), ValueError, "from -1 to 0", "(labels + 1) / 2")


def loss_definition(reference, targets, breaking):
    """Oracle for a loss as printed, in Python loops: right for small logits, an error for large ones."""

    def oracle(function, device):
        logits = random(*targets.shape, *(() if targets.is_floating_point() else (3,)), scale=2, device=device)
        goals = targets.to(device)
        assert_close(torch.tensor(function(logits, goals), dtype=torch.float64), reference(logits, goals).cpu())
        for error, scale in breaking:
            refuses(lambda size=scale: function(torch.full_like(logits, size), goals), error)

    return oracle


# --- models -----------------------------------------------------------------------------------------------------------


def clouds(features, n, seed, shift):
    """Two clouds of points with small whole numbers, so that sums are exact, and their labels -1 and +1."""
    g = torch.Generator().manual_seed(seed)
    labels = (torch.randint(0, 2, (n,), generator=g) * 2 - 1).double()
    return torch.randint(-4, 5, (n, features), generator=g).double() + shift * labels[:, None], labels


def slow_perceptron(x, labels, epochs):
    """The rule in plain Python numbers, written from Rosenblatt's sentence: tuples (epoch, example, mistake, w, b)."""
    weight, bias, seen = [0.0] * len(x[0]), 0.0, []
    for epoch in range(epochs):
        mistakes = 0
        for example, (row, label) in enumerate(zip(x, labels, strict=True)):
            score = sum(w * v for w, v in zip(weight, row, strict=True)) + bias
            wrong = (score <= 0) if label > 0 else (score >= 0)
            if wrong and label > 0:
                weight, bias = [w + v for w, v in zip(weight, row, strict=True)], bias + 1
            elif wrong:
                weight, bias = [w - v for w, v in zip(weight, row, strict=True)], bias - 1
            mistakes += wrong
            seen.append((epoch, example, wrong, weight, bias))
        if mistakes == 0:
            break
    return seen


def perceptron_steps(function, device):
    """Each step equals the slow loop's and the last one scikit-learn's; refusals that say what to do."""
    for features, n, seed, shift in ((2, 12, 0, 3), (1, 7, 1, 0), (3, 1, 2, 1), (5, 20, 3, 0), (2, 9, 4, 9)):
        for dtype in DTYPES:
            x, labels = clouds(features, n, seed, shift)
            strided = torch.stack([x, -x], 2).to(device, dtype)[..., 0]  # with gaps
            steps = list(function(strided, labels.to(device), epochs=6))
            expected = slow_perceptron(x.tolist(), labels.tolist(), 6)
            assert [(s.epoch, s.example, s.mistake, s.weight.tolist(), s.bias.item()) for s in steps] == expected
            assert [s.index for s in steps] == list(range(len(expected)))
            assert all(s.weight.dtype == s.bias.dtype == dtype and s.weight.device == strided.device for s in steps)
            whole = list(function(strided, labels.to(device, torch.int64), epochs=6))
            assert torch.equal(whole[-1].weight, steps[-1].weight), "labels may be integers"
            if labels.unique().numel() == 2:  # the library asks for both classes
                passes = steps[-1].epoch + 1
                library = LibraryPerceptron(max_iter=passes, tol=None, shuffle=False).fit(x.numpy(), labels.numpy())
                assert np.array_equal(library.coef_[0], steps[-1].weight.double().cpu().numpy())
                assert library.intercept_[0] == steps[-1].bias.item()

    x, labels = (t.to(device) for t in clouds(2, 4, 0, 1))
    refuses(lambda: list(function(x, (labels + 1) / 2, epochs=1)), ValueError, "-1 or +1", "2 * labels - 1")
    refuses(lambda: list(function(x, labels[:, None], epochs=1)), ValueError, "(4, 1)", "labels (batch,)")
    refuses(lambda: list(function(x[0], labels[:2], epochs=1)), ValueError, "x (batch, features)")
    refuses(lambda: list(function(x[:0], labels[:0], epochs=1)), ValueError, "at least one example")
    refuses(lambda: list(function(x, labels, epochs=0)), ValueError, "epochs=0", "at least one pass")


def final(steps_function):
    """Oracle for the plain function: the last of its steps. `steps_function` is trusted: it has its own oracle."""

    def oracle(function, device):
        x, labels = (t.to(device) for t in clouds(3, 8, 0, 1))
        for options in steps_function.examples:
            y = labels if "epochs" in options else (labels + 1) / 2
            *_, wanted = steps_function(x, y, **options)
            got = function(x, y, **options)
            assert (got.index, got.weight.tolist(), got.bias.item()) == (
                wanted.index,
                wanted.weight.tolist(),
                wanted.bias.item(),
            )

    return oracle


def logistic_steps(function, device):
    """Loss and updates equal torch's autograd of torch's loss, from step 0 on; refusals that say what to do."""
    for features, n, seed in ((2, 12, 0), (1, 7, 1), (3, 1, 2)):
        for dtype in DTYPES:
            for scale in (1, 300):  # at 300 the logits saturate and the naive sigmoid overflows
                x, labels = clouds(features, n, seed, 0.5)
                x, y = scale * x.T.contiguous().to(device, dtype).T, ((labels + 1) / 2).to(device, torch.int64)
                weight = torch.zeros(features, dtype=dtype, device=device, requires_grad=True)
                bias = torch.zeros((), dtype=dtype, device=device, requires_grad=True)
                steps = list(function(x, y, lr=0.3, steps=4))
                assert [step.index for step in steps] == [0, 1, 2, 3, 4]
                for step in steps:
                    loss = F.binary_cross_entropy_with_logits(x @ weight + bias, y.to(dtype))
                    assert isinstance(step.loss, float)
                    assert_close(torch.tensor(step.loss, dtype=dtype, device=device), loss.detach())
                    assert_close(step.weight, weight.detach())
                    assert_close(step.bias, bias.detach())
                    for p, slope in zip((weight, bias), torch.autograd.grad(loss, (weight, bias)), strict=True):
                        p.data -= 0.3 * slope

    x, labels = (t.to(device) for t in clouds(2, 4, 0, 1))
    refuses(lambda: list(function(x, labels, lr=1.0, steps=1)), ValueError, "0 or 1", "(labels + 1) / 2")
    y = (labels + 1) / 2
    refuses(lambda: list(function(x, y[:, None], lr=1.0, steps=1)), ValueError, "(4, 1)", "labels (batch,)")
    refuses(lambda: list(function(x[0], y[:2], lr=1.0, steps=1)), ValueError, "x (batch, features)")
    refuses(lambda: list(function(x[:0], y[:0], lr=1.0, steps=1)), ValueError, "at least one example")
    refuses(lambda: list(function(x, y, lr=1.0, steps=-1)), ValueError, "steps=-1", "negative")
    assert len(list(function(x, y, lr=1.0, steps=0))) == 1


def two_layer(function, device):
    """Value and the slopes of all five inputs equal those of torch's linear layers; ReLU unless told otherwise."""
    for batch, features, hidden, out in ((5, 3, 4, 2), (1, 1, 1, 1), (2, 4, 1, 3)):
        for dtype in DTYPES:
            sizes = ((batch, features), (hidden, features), (hidden,), (out, hidden), (out,))
            inputs = [random(*size, seed=i, dtype=dtype, device=device) for i, size in enumerate(sizes)]
            inputs[0] = random(features, batch, dtype=dtype, device=device).T
            for options, bend in (({}, torch.relu), ({"activation": torch.tanh}, torch.tanh)):
                agree(
                    lambda *a, o=options: function(*a, **o),
                    lambda x, w1, b1, w2, b2, bend=bend: F.linear(bend(F.linear(x, w1, b1)), w2, b2),
                    *inputs,
                )


def trusted_steps(name, *examples):
    """The package's `*_steps` function, which the plain function must run to the end."""

    def steps(*args, **options):
        from dlcourse import models

        return getattr(models, name)(*args, **options)

    steps.examples = examples
    return steps


LABELS = torch.tensor([0, 2, 1, 1])
GOALS = torch.tensor([[0.0, 1.0], [0.25, 1.0]], dtype=torch.float64)

# The public name, in the room that it lives in -> its oracle.
ORACLES = {
    "nn.sigmoid": elementwise(torch.sigmoid),
    "nn.sigmoid_definition": definition(torch.sigmoid, losing=[-1000.0]),
    "nn.log_sigmoid": elementwise(F.logsigmoid),
    "nn.log_sigmoid_definition": definition(F.logsigmoid, losing=[-1000.0]),
    # torch switches to the straight line above a threshold, 20 unless told otherwise: beyond 50 no digit is lost.
    "nn.softplus": elementwise(lambda x: F.softplus(x, threshold=50)),
    "nn.softplus_definition": definition(F.softplus, losing=[1000.0]),
    "nn.tanh": elementwise(torch.tanh),
    "nn.tanh_definition": definition(torch.tanh, losing=[-1000.0, 1000.0]),
    "nn.relu": elementwise(torch.relu),
    "nn.leaky_relu": elementwise(F.leaky_relu, {}, {"negative_slope": 0.3}, {"negative_slope": 1.5}),
    "nn.elu": elementwise(F.elu, {}, {"alpha": 0.3}, {"alpha": 2.0}),
    # At infinity torch's GELU and SiLU are not numbers, or depend on the dtype.
    "nn.gelu": elementwise(F.gelu, infinities=()),
    "nn.gelu_tanh": elementwise(lambda x: F.gelu(x, approximate="tanh"), infinities=()),
    "nn.silu": elementwise(F.silu, infinities=()),
    "nn.softmax": along_dim(torch.softmax),
    "nn.softmax_definition": definition(lambda x: torch.softmax(x, -1), losing=[1000.0, -1000.0]),
    "nn.log_softmax": along_dim(torch.log_softmax),
    "nn.log_softmax_definition": definition(lambda x: torch.log_softmax(x, -1), losing=[1000.0, -1000.0]),
    # In float64, because torch's own slope in float32 loses five digits at logits of 1000.
    "nn.logsumexp": along_dim(wide_logsumexp, infinite_rows=[[-INF] * 4, [INF, 0.0, -INF, 1000.0]]),
    "nn.logsumexp_definition": definition(lambda x: torch.logsumexp(x, -1), losing=[1000.0, -1000.0]),
    "nn.cross_entropy": cross_entropy,
    "nn.cross_entropy_definition": loss_definition(
        F.cross_entropy, LABELS, [(OverflowError, 1000.0), (ZeroDivisionError, -1000.0)]
    ),
    "nn.binary_cross_entropy_with_logits": binary_cross_entropy,
    "nn.binary_cross_entropy_with_logits_definition": loss_definition(
        F.binary_cross_entropy_with_logits, GOALS, [(ValueError, 1000.0), (OverflowError, -1000.0)]
    ),
    "models.perceptron_steps": perceptron_steps,
    "models.perceptron": final(trusted_steps("perceptron_steps", {"epochs": 1}, {"epochs": 5})),
    "models.logistic_steps": logistic_steps,
    "models.logistic": final(trusted_steps("logistic_steps", {"lr": 0.1, "steps": 0}, {"lr": 0.7, "steps": 5})),
    "models.two_layer": two_layer,
}
