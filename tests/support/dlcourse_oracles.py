"""The oracles of the reference implementations: one function for each, which raises unless the implementation is right.

They are apart from the tests because they are used twice: on the package, where they must pass, and on broken versions
of it, where they must not (tests/test_mutations.py). Conventions: losses are means in nats, softmax works along `dim`,
slopes at corners are torch's.
"""

import copy
import math
from collections import OrderedDict
from contextlib import contextmanager
from functools import partial
from itertools import pairwise, product

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
        same = partial(torch.allclose, rtol=0, atol=0, equal_nan=True)
        assert all(map(same, leaves, before)), "it changed its argument"
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


# --- layers -----------------------------------------------------------------------------------------------------------


def source(seed, device):
    """A generator on this device."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def global_stream_untouched():
    """Inside, nothing is drawn from torch's global stream."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "it drew from the global stream"


def wide(reference):
    """The reference computed in float64 and then rounded: where digits go lost, in float32 it is no judge."""
    return lambda *inputs: reference(*(x.double() for x in inputs)).to(inputs[0].dtype)


def agree_as_modules(ours, theirs, x):
    """Same value, same slopes for x and every parameter, and x left alone. `theirs` may be wider."""
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    values, slopes = [], []
    for module, kind in ((ours, x.dtype), (theirs, next(theirs.parameters()).dtype)):
        leaf = x.detach().requires_grad_()
        value = module(leaf.to(kind)).to(x.dtype)
        cotangent = random(*value.shape, seed=1, dtype=value.dtype, device=value.device) + 0.5
        slopes.append(
            [slope.to(x.dtype) for slope in torch.autograd.grad(value, [leaf, *module.parameters()], cotangent)]
        )
        values.append(value.detach())
        assert torch.equal(leaf.detach(), x), "it changed its argument"
    assert_close(*values)
    for a, b in zip(*slopes, strict=True):
        assert_close(a, b)


def same_state(ours, theirs):
    """The same names in the same order, with the same values. `theirs` may be wider."""
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        if value.is_floating_point():
            assert_close(ours[name], value.to(ours[name].dtype))
        else:
            assert ours[name].dtype == value.dtype
            assert torch.equal(ours[name], value)


def linear(function, device):
    """Value and the slopes of x, weight and bias are torch's, for any number of dimensions in front."""
    for dtype in DTYPES:
        for shape, out in (((5, 3), 4), ((1, 1), 1), ((2, 3, 4), 2), ((3,), 2), ((0, 2), 3)):
            x = random(*shape, dtype=dtype, device=device)
            weight = random(out, shape[-1], seed=2, dtype=dtype, device=device)
            bias = random(out, seed=3, dtype=dtype, device=device)
            agree(function, F.linear, x, weight, bias)
            agree(function, F.linear, x, weight)
        agree(function, F.linear, random(3, 5, dtype=dtype, device=device).T, weight.T[:1, :1].expand(2, 3).mT.mT)
    x, weight = torch.zeros(2, 3, device=device), torch.zeros(4, 5, device=device)
    refuses(lambda: function(x, weight), ValueError, "(2, 3)", "(4, 5)", "5 features", "flatten(1)")
    refuses(lambda: function(x[0, 0], weight), ValueError, "()", "5 features")
    for rows in (1, 5):  # one number for all outputs would fit by broadcasting
        bias = torch.zeros(rows, device=device)
        refuses(lambda b=bias: function(x @ weight[:3], weight, b), ValueError, f"bias ({rows},)", "wanted (4,)")


def linear_definition(function, device):
    """The same, number by number."""
    for batch, features, out in ((3, 4, 2), (1, 1, 1), (2, 1, 3)):
        inputs = [random(*s, seed=i, device=device) for i, s in enumerate(((batch, features), (out, features), (out,)))]
        agree(function, F.linear, *inputs)


def fans(function, device):
    """Counted by hand: (out, in), and (out, in, ...) times the field."""
    cases = {(10, 64): (64, 10), (1, 1): (1, 1), (8, 3, 5, 7): (105, 280), (4, 6, 3): (18, 12)}
    assert {shape: function(shape) for shape in cases} == cases
    assert function(torch.Size([2, 3])) == (3, 2)
    for shape in ((), (5,), (0, 3), (3, 0), (2, 3, 0)):
        refuses(lambda s=shape: function(s), ValueError, str(shape), "two dimensions", "1 or more")


def gain(function, device):
    """torch's numbers; other names are refused."""
    for name in ("linear", "sigmoid", "tanh", "relu", "leaky_relu"):
        assert function(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-12)
    refuses(lambda: function("gelu"), ValueError, "'gelu'", "linear, sigmoid, tanh, relu, leaky_relu")


def drawn(reference, *, more=lambda weight, gain: None):
    """Oracle for random weights: torch's own numbers from the same generator, on its device, and nobody else's."""

    def oracle(function, device):
        for shape in ((40, 7), (7, 40), (4, 4), (1, 3), (1, 1), (6, 4, 3, 5)):
            for dtype in DTYPES:
                for options in ({}, {"gain": 0.3}):
                    ours, theirs = source(5, device), source(5, device)
                    with global_stream_untouched():
                        weight = function(shape, generator=ours, dtype=dtype, **options)
                    assert_close(weight, reference(torch.empty(shape, dtype=dtype, device=device), theirs, **options))
                    assert torch.equal(ours.get_state(), theirs.get_state())
                    assert not weight.requires_grad
                    more(weight, options.get("gain", 1.0))
        assert function((2, 2), generator=source(0, device)).dtype == torch.float32
        refuses(lambda: function((5,), generator=source(0, device)), ValueError, "(5,)", "two dimensions")

    return oracle


def kaiming(name):
    """torch's function, whose gain is always ReLU's, with a gain as an option."""
    draw = getattr(torch.nn.init, name)

    def reference(weight, generator, gain=2**0.5):
        return draw(weight, nonlinearity="relu", generator=generator) * (gain / math.sqrt(2))

    return reference


def rows_or_columns(weight, gain):
    """Orthonormal rows if wide, columns if tall, times the gain."""
    matrix = weight.double().flatten(1)
    product = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    torch.testing.assert_close(product, gain**2 * torch.eye(len(product)).to(product), rtol=0, atol=1e-5)


def dropout(function, device):
    """The mask is the generator's, kept numbers grow to 1 / (1 - p), dropped ones have slope 0; always."""

    def expected(p):
        def reference(x):
            keep = torch.rand(x.shape, generator=source(3, device), device=device) >= p
            return torch.where(keep, x / (1 - p) if p < 1 else x, 0.0)

        return reference

    for dtype in DTYPES:
        for p in (0.0, 0.1, 0.5, 0.9, 1.0):
            for x in (random(40, 3, dtype=dtype, device=device), random(6, 2, dtype=dtype, device=device).T):
                with global_stream_untouched():
                    agree(lambda x, p=p: function(x, p, generator=source(3, device)), expected(p), x)
    number = torch.rand(9, generator=source(3, device), device=device)[4].item()  # as large as p: kept
    assert function(torch.ones(9, device=device), number, generator=source(3, device))[4] > 0
    here = source(3, "cpu")  # a generator elsewhere serves too
    assert function(torch.ones(20, device=device), 0.5, generator=here).unique().tolist() == [0, 2]
    assert not torch.equal(here.get_state(), source(3, "cpu").get_state())

    ones = torch.ones(20_000, device=device)
    for p in (0.2, 0.5, 0.75):  # the mean stays, within five standard deviations
        mean = function(ones, p, generator=source(0, device)).mean().item()
        assert mean == pytest.approx(1, abs=5 * math.sqrt(p / (1 - p) / len(ones)))
    with torch.random.fork_rng(devices=[device] if device.type != "cpu" else []):
        torch.manual_seed(7)
        first = function(ones, 0.5)
        torch.manual_seed(7)
        assert torch.equal(function(ones, 0.5), first)
        assert torch.equal(first, torch.rand(ones.shape, generator=source(7, device), device=device).ge(0.5) * 2.0)
    for p in (-0.1, 1.1, math.nan):
        refuses(lambda p=p: function(ones, p), ValueError, f"p={p}", "[0, 1]")


def tables_and_images(dtype, device):
    """Batches with odd sizes, size 1, gaps, a constant channel, and a mean far from 0."""
    yield random(5, 3, scale=2, dtype=dtype, device=device)
    yield random(2, 1, dtype=dtype, device=device)
    yield random(3, 7, dtype=dtype, device=device).T
    yield random(3, 2, 5, 1, dtype=dtype, device=device)
    yield random(4, 3, 2, 2, dtype=dtype, device=device).transpose(0, 3)
    yield random(1, 2, 3, 1, dtype=dtype, device=device)
    yield random(2, 3, 4, dtype=dtype, device=device)
    constant = random(6, 3, dtype=dtype, device=device)
    constant[:, 1] = 0.75
    yield constant
    if dtype == torch.float64:  # in float32 torch itself loses the digits
        yield 1e4 + random(8, 2, dtype=dtype, device=device)


def channel_rows(x):
    """(mean, var, weight, bias) for the channels of x."""
    mean, var, weight, bias = (random(x.shape[1], seed=i, dtype=x.dtype, device=x.device) for i in range(4))
    return mean, var.square() + 0.1, weight, bias


def moments(function, device):
    """Mean and mean squared deviation, channel by channel."""

    def slow(x):
        channels = [x[:, c] for c in range(x.shape[1])]
        means = [channel.sum() / channel.numel() for channel in channels]
        squares = [(channel - mean).square().mean() for channel, mean in zip(channels, means, strict=True)]
        return torch.stack([*means, *squares])

    for dtype in DTYPES:
        for x in tables_and_images(dtype, device):
            agree(lambda x: torch.cat(function(x)), slow, x)


def batch_norm(function, device):
    """torch's in evaluation mode, and in training mode when handed the batch's own moments, with all slopes."""

    def training(x, weight, bias, **options):
        dims = [d for d in range(x.ndim) if d != 1]
        return function(x, x.mean(dims), x.var(dims, correction=0), weight, bias, **options)

    for dtype in DTYPES:
        for x in tables_and_images(dtype, device):
            mean, var, weight, bias = channel_rows(x)
            for options in ({}, {"eps": 0.1}):
                agree(
                    lambda *a, m=mean, v=var, o=options: function(a[0], m, v, *a[1:], **o),
                    wide(lambda *a, m=mean, v=var, o=options: F.batch_norm(a[0], m.double(), v.double(), *a[1:], **o)),
                    *(x, weight, bias),
                )
                agree(
                    lambda *a, o=options: training(*a, **o),
                    wide(lambda *a, o=options: F.batch_norm(a[0], None, None, *a[1:], training=True, **o)),
                    *(x, weight, bias),
                )
    row = torch.ones(3, device=device)
    for shape in ((4, 2), (4, 2, 3, 3), (3,)):
        x = torch.zeros(shape, device=device)
        refuses(lambda x=x: function(x, row, row, row, row), ValueError, "batch_norm", str(shape), "(batch, 3)")
    x = torch.zeros(4, 3, device=device)
    for place in range(4):  # one number for all channels would fit by broadcasting
        rows = [row[:1] if i == place else row for i in range(4)]
        refuses(lambda r=rows: function(x, *r), ValueError, "batch_norm", "(4, 3)", "(batch, 1)", "for 1 channels")


def batch_norm_definition(function, device):
    """torch's in training mode."""
    for x in tables_and_images(torch.float64, device):
        _, _, weight, bias = channel_rows(x)
        for options in ({}, {"eps": 0.1}):
            agree(
                lambda *a, o=options: function(*a, **o),
                lambda *a, o=options: F.batch_norm(a[0], None, None, *a[1:], training=True, **o),
                *(x, weight, bias),
            )


def layer_norm(function, device, dtypes=DTYPES, shapes=((5, 3), (2, 1), (3, 2, 4), (3, 8), (6,), (0, 3))):
    """torch's over the last dimension, with all slopes; refusals, unless it is the definition."""
    for dtype in dtypes:
        for shape in shapes:
            xs = [random(*shape, scale=2, dtype=dtype, device=device), torch.ones(shape, dtype=dtype, device=device)]
            if len(shape) == 2:
                xs.append(random(*shape[::-1], dtype=dtype, device=device).T)
            if dtype == torch.float64 and shape[-1] > 1:
                xs.append(xs[0] + 1e4)
            weight, bias = (random(shape[-1], seed=i, dtype=dtype, device=device) for i in (2, 3))
            for x in xs:
                for options in ({}, {"eps": 0.1}):
                    agree(
                        lambda *a, o=options: function(*a, **o),
                        wide(lambda x, *a, o=options: F.layer_norm(x, x.shape[-1:], *a, **o)),
                        *(x, weight, bias),
                    )
    if len(shapes) > 3:
        row = torch.ones(3, device=device)
        refuses(lambda: function(torch.zeros(3, 4, device=device), row, row), ValueError, "(3, 4)", "3 features")
        refuses(lambda: function(torch.zeros((), device=device), row, row), ValueError, "()", "3 features")
        x = torch.zeros(2, 3, device=device)
        refuses(lambda: function(x, row, row[:1]), ValueError, "(2, 3)", "bias (1,)", "3 features")
        refuses(lambda: function(x, row[:1], row), ValueError, "weight (1,)", "1 features")


def layer_norm_definition(function, device):
    """The same, example by example."""
    layer_norm(function, device, dtypes=[torch.float64], shapes=((5, 3), (2, 1), (1, 4)))


# --- layers as modules ------------------------------------------------------------------------------------------------


def linear_class(make, device):
    """torch.nn.Linear once the states are exchanged; its own start is `init`, and a bias of 0."""
    for bias in (True, False):
        with global_stream_untouched():
            ours = make(4, 3, bias=bias, generator=source(2, device))
        theirs = torch.nn.Linear(4, 3, bias=bias, device=device)
        assert repr(ours) == f"{make.__name__}(in_features=4, out_features=3, bias={bias})"
        assert [*ours.state_dict()] == [*theirs.state_dict()]
        assert ours.weight.dtype == torch.float32
        wanted = torch.randn(3, 4, generator=source(2, device), device=device) * math.sqrt(2 / 4)
        assert_close(ours.weight.detach(), wanted)
        assert ours.bias is None or ours.bias.tolist() == [0, 0, 0]
        ours.load_state_dict(theirs.state_dict())
        for model in (ours, copy.deepcopy(ours), ours.double()):
            reference = copy.deepcopy(theirs).to(model.weight.dtype)
            agree_as_modules(model, reference, random(5, 4, dtype=model.weight.dtype, device=device))
        theirs.double().load_state_dict(make(4, 3, bias=bias, generator=source(9, device)).state_dict())
    plain = make(
        2, 2, init=lambda shape, *, generator: torch.full(shape, 7.0, device=device), generator=source(0, device)
    )
    assert plain.weight.tolist() == [[7, 7], [7, 7]]
    assert plain.bias.tolist() == [0, 0], "a bias unless told otherwise"
    assert make(1, 1, generator=source(0, device)).weight.shape == (1, 1)
    for sizes in ((0, 3), (3, 0)):
        refuses(lambda s=sizes: make(*s, generator=source(0, device)), ValueError, str(sizes), "1 or more")


def dropout_class(make, device):
    """Drops in training mode alone, one half unless told otherwise; a copy goes on from the same place."""
    x = torch.ones(30, device=device)
    layer = make(0.25, generator=source(1, device))
    twin = copy.deepcopy(layer)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.rand(30, generator=source(1, device), device=device).ge(0.25) / 0.75)
    assert torch.equal(twin(x), first)
    assert torch.equal(twin(x), second)
    state = layer.generator.get_state()
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(layer.generator.get_state(), state)
    assert torch.equal(layer.train()(x), twin(x))
    assert not layer.state_dict()
    with torch.random.fork_rng(devices=[device] if device.type != "cpu" else []):
        torch.manual_seed(7)
        assert torch.equal(make()(x), torch.rand(30, generator=source(7, device), device=device).ge(0.5) * 2)
    assert (make().p, make(0.3).p, make().generator) == (0.5, 0.3, None)
    assert repr(make(0.3)) == f"{make.__name__}(p=0.3)"
    assert repr(layer) == f"{make.__name__}(p=0.25, with a generator)"
    for p in (-0.5, 1.5, math.nan):
        refuses(lambda p=p: make(p), ValueError, f"p={p}", "[0, 1]")


def batch_norm_class(make, device):
    """torch's BatchNorm1d and 2d over several batches: values, slopes, running statistics; then in evaluation mode."""
    for dtype in DTYPES:
        for reference, shapes in (
            (torch.nn.BatchNorm1d, ((5, 3), (2, 3), (7, 3), (3, 3, 2))),
            (torch.nn.BatchNorm2d, ((2, 3, 4, 5), (1, 3, 2, 1), (3, 3, 1, 1))),
        ):
            for options in ({}, {"eps": 0.1, "momentum": 0.3}, {"momentum": 1.0}):
                with global_stream_untouched():
                    ours = make(3, **options).to(device)
                theirs = reference(3, **options, device=device)
                same_state(ours, theirs)
                for p in theirs.parameters():
                    p.data += random(3, dtype=torch.float32, device=device)
                ours.load_state_dict(theirs.state_dict())
                ours, theirs = ours.to(dtype), theirs.double()
                for i, shape in enumerate(shapes):
                    if dtype == torch.float32 and math.prod(shape) == 6:
                        continue  # two numbers for each channel: the slope is nothing but rounding
                    x = 3 + random(*shape, seed=i, scale=2, dtype=dtype, device=device)
                    agree_as_modules(ours, theirs, x)
                    same_state(ours, theirs)
                before = copy.deepcopy(ours).eval()
                for shape in (*shapes, (1, *shapes[0][1:])):
                    agree_as_modules(ours.eval(), theirs.eval(), random(*shape, dtype=dtype, device=device))
                same_state(ours, theirs)
                same_state(ours, before)
                assert not any(buffer.requires_grad for buffer in ours.buffers())
                fresh, other = make(3, **options).to(device, dtype), reference(3, **options, device=device, dtype=dtype)
                fresh.load_state_dict(theirs.state_dict())
                other.load_state_dict(ours.state_dict())
                same_state(fresh, other)
    layer = make(3).to(device)
    assert repr(layer) == f"{make.__name__}(3, eps=1e-05, momentum=0.1)"
    before = copy.deepcopy(layer)
    for shape in ((1, 3), (1, 3, 1, 1), (0, 3)):
        x = torch.ones(shape, device=device)
        refuses(lambda x=x: layer(x), ValueError, "training mode", str(shape), "model.eval()", "drop_last=True")
    for shape in ((4, 2), (3,), (4, 6)):
        x = torch.ones(shape, device=device)
        for mode in (True, False):
            refuses(lambda x=x, m=mode: layer.train(m)(x), ValueError, str(shape), "(batch, 3)", "x[None]")
    same_state(layer, before)
    assert make(1).weight.shape == (1,)
    refuses(lambda: make(0), ValueError, "(0)", "1 or more")
    for eps in (-1e-9, math.nan):
        refuses(lambda e=eps: make(3, eps=e), ValueError, f"eps={eps}", "0 or more")
    for momentum in (-1e-9, 1 + 1e-9, math.nan):
        refuses(lambda m=momentum: make(3, momentum=m), ValueError, f"momentum={momentum}", "[0, 1]")
    still = make(3, eps=0.0, momentum=0.0).to(device)
    still(random(5, 3, dtype=torch.float32, device=device))
    assert still.running_mean.tolist() == [0, 0, 0]


def layer_norm_class(make, device):
    """torch.nn.LayerNorm over the last dimension, in either mode."""
    for dtype in DTYPES:
        for options in ({}, {"eps": 0.1}):
            with global_stream_untouched():
                ours = make(3, **options).to(device)
            theirs = torch.nn.LayerNorm(3, **options, device=device)
            same_state(ours, theirs)
            for p in theirs.parameters():
                p.data += random(3, dtype=torch.float32, device=device)
            ours.load_state_dict(theirs.state_dict())
            for mode in (True, False):
                for shape in ((5, 3), (1, 3), (2, 4, 3), (3,)):
                    x = random(*shape, dtype=dtype, device=device)
                    agree_as_modules(ours.to(dtype).train(mode), theirs.double().train(mode), x)
    assert repr(make(3)) == f"{make.__name__}(3, eps=1e-05)"
    refuses(lambda: make(3).to(device)(torch.zeros(3, 4, device=device)), ValueError, "(3, 4)", "3 features")
    refuses(lambda: make(0), ValueError, "(0)", "1 or more")


def normalize_class(make, device):
    """The training examples come out with mean 0 and std 1, a constant channel as 0; slopes are 1 / std."""
    for dtype in DTYPES:
        for x in tables_and_images(dtype, device):
            x = 5 + 3 * x
            before, layer = x.clone(), make.of(x)
            assert torch.equal(x, before)
            assert [*layer.state_dict()] == ["mean", "std"]
            assert not [*layer.parameters()]
            rows = x.double().transpose(0, 1).flatten(1)
            constant = rows.amin(1) == rows.amax(1)
            std = torch.where(constant, 1.0, (rows - rows.mean(1, keepdim=True)).square().mean(1).sqrt())
            assert_close(layer.mean, rows.mean(1).to(dtype))
            assert_close(layer.std, std.to(dtype))
            out = layer(x).double().transpose(0, 1).flatten(1)
            loose = 1e-9 if dtype == torch.float64 else 1e-4
            torch.testing.assert_close(out.mean(1), torch.zeros_like(std), rtol=0, atol=loose)
            torch.testing.assert_close(out.std(1, correction=0), 1.0 - constant.double(), rtol=0, atol=loose)
            shape = (-1, *[1] * (x.ndim - 2))
            agree(layer, lambda x, a=layer, s=shape: (x - a.mean.reshape(s)) / a.std.reshape(s), x)
            assert layer(x.float()).dtype == dtype
    tenth = make.of(torch.full((7, 1), 0.1, device=device))  # whose mean, rounded, is not one tenth
    assert tenth.std.tolist() == [1]
    layer = make([0.5, 1.0], [0.25, 2.0]).to(device)
    assert layer(torch.tensor([[1.0, 5.0]], device=device)).tolist() == [[2, 2]]
    assert layer.double().mean.dtype == layer.std.dtype == torch.float64
    assert repr(layer) == f"{make.__name__}(mean=[0.5, 1.0], std=[0.25, 2.0])"
    assert repr(make([1 / 3] * 3, [1.0] * 3)) == f"{make.__name__}(mean=[0.3333, 0.3333, 0.3333], std=[1.0, 1.0, 1.0])"
    assert repr(make([0.5] * 4, [0.25] * 4)) == f"{make.__name__}(4 channels)"
    mean = torch.zeros(2, device=device, requires_grad=True)
    own = make(mean, mean + 1)
    assert not own.mean.requires_grad
    assert not own.std.requires_grad
    mean.data += 7
    assert own.mean.tolist() == [0, 0], "it keeps numbers of its own"
    for wrong in (([0.0], [1.0, 1.0]), ([], []), (mean[None], mean[None])):
        refuses(lambda w=wrong: make(*w), ValueError, "two rows of one length", "Normalize.of(x)")
    for wrong in (([0.0], [0.0]), ([0.0], [-1.0]), ([0.0], [INF]), ([math.nan], [1.0]), ([0.0, 0.0], [1.0, 0.0])):
        refuses(lambda w=wrong: make(*w), ValueError, "finite", "every std above 0")
    huge = 1e30 * random(5, 1, dtype=torch.float32, device=device)
    refuses(lambda: make.of(huge), ValueError, "finite, and their squares")
    pixels = torch.zeros(2, 3, dtype=torch.uint8, device=device)
    refuses(lambda: make.of(pixels), TypeError, "torch.uint8", "x.float() / 255")
    for shape in ((0, 2), (3,), (2, 0)):
        refuses(lambda s=shape: make.of(torch.zeros(s, device=device)), ValueError, str(shape), "at least one")
    for shape in ((3, 3), (2,), (3, 4, 2, 2)):
        refuses(lambda s=shape: own(torch.zeros(s, device=device)), ValueError, "Normalize", str(shape), "(batch, 2)")


# --- hooks ------------------------------------------------------------------------------------------------------------


class Pair(torch.nn.Module):
    """A module with a tuple, a list and a dict in its output, that runs one part twice and another never."""

    def __init__(self):
        super().__init__()
        self.twice, self.never = torch.nn.Tanh(), torch.nn.Tanh()
        self.alias = self.twice

    def forward(self, x):
        first = self.twice(x)
        return first, [{"second": self.twice(2 * x)}, "text"]


def hooks_left(model):
    """All hooks of a model and its modules."""
    return [
        hook
        for module in model.modules()
        for kind, table in vars(module).items()
        if "hooks" in kind and table
        for hook in table.values()
    ]


def small_net(device):
    layers = torch.nn.Linear(3, 4, device=device), torch.nn.ReLU(), torch.nn.Linear(4, 2, device=device)
    model = torch.nn.Sequential(torch.nn.Sequential(*layers[:2]), layers[2])
    for i, p in enumerate(model.parameters()):
        p.data.copy_(random(*p.shape, seed=i))
    return model


def capture(function, device):
    """Last outputs by name, with gradients where wanted, and nothing left behind."""
    model, x = small_net(device), random(5, 3, dtype=torch.float32, device=device)
    with function(model, ("0.0", "1", "", "1")) as seen:
        assert not seen
        out = model(x)
    hidden = x @ model[0][0].weight.T + model[0][0].bias
    assert [*seen] == ["0.0", "1", ""]
    assert_close(seen["0.0"], hidden)
    assert not out.retains_grad
    assert seen["1"] is out
    assert seen[""] is out
    out.sum().backward()
    assert not hooks_left(model)
    model(2 * x)
    assert seen[""] is out, "the block has ended"

    for wanted in (True, False):
        model.zero_grad()
        with function(model, iter(["0.1"]), retain_grad=wanted) as seen:
            cotangent = random(5, 2, dtype=torch.float32, device=device)
            model(x).backward(cotangent)
        assert seen["0.1"].retains_grad == wanted
        if wanted:
            assert_close(seen["0.1"].grad, cotangent @ model[1].weight.detach())
    with function(model, ["0.1"], retain_grad=True) as seen, torch.no_grad():
        model(x)
        assert not seen["0.1"].requires_grad
    assert function(model, ["0"]).__enter__() == {}

    pair, leaf = Pair(), x.clone().requires_grad_()
    with function(pair, ["twice", "alias", "never", ""], retain_grad=True) as seen:
        first, (rest, _) = pair(leaf)
        (first.sum() + 3 * rest["second"].sum()).backward()
    assert "never" not in seen
    assert seen["twice"] is seen["alias"] is rest["second"], "the last of two outputs"
    assert_close(seen["twice"].grad, torch.full_like(x, 3))
    assert_close(seen[""][0].grad, torch.ones_like(x))
    assert isinstance(seen[""], tuple)

    model = small_net(device)

    def failing():
        with function(model, ["0", "1"]):
            model(x[:, :1])

    refuses(failing, RuntimeError)
    for names, missing in ((["1", "nose"], "nose"), (["0.5"], "0.5")):
        refuses(lambda n=names: function(model, n).__enter__(), ValueError, f"no ['{missing}']", "'0.1'", "capture")
    refuses(lambda: function(model, "1").__enter__(), TypeError, "'1'", "['1']")
    assert not hooks_left(model)


def replace(function, device):
    """The function's output takes the place of the module's, gradients flow, and nothing is left behind."""
    model, x = small_net(device), random(5, 3, dtype=torch.float32, device=device)
    plain = model(x).detach()
    with function(model, {"0.1": lambda h: h * 0, "1": lambda out: out + 1}) as nothing:
        assert nothing is None
        assert_close(model(x).detach(), (model[1].bias + 1).expand(5, 2).detach())
    assert torch.equal(model(x), plain)
    leaf = x.clone().requires_grad_()
    with function(model, {"0": torch.tanh}):
        out = model(leaf)
        out.sum().backward()
    other = x.clone().requires_grad_()
    wanted = model[1](torch.tanh(model[0](other)))
    wanted.sum().backward()
    assert_close(out.detach(), wanted.detach())
    assert_close(leaf.grad, other.grad)
    with function(model, {}):
        assert torch.equal(model(x), plain)

    pair = Pair()
    with function(pair, {"twice": lambda h: h + 1, "": lambda out: out[0]}):
        assert_close(pair(x), torch.tanh(x) + 1)

    def run(functions, inputs):
        with function(model, functions):
            model(inputs)

    refuses(lambda: run({"1": lambda out: None}, x), TypeError, "'1'", "None", "return the new output")
    refuses(lambda: run({"1": lambda out: 1 / 0}, x), ZeroDivisionError)
    refuses(lambda: run({"0": torch.tanh}, x[:, :1]), RuntimeError)
    refuses(lambda: run({"0": torch.tanh, "nose": torch.tanh}, x), ValueError, "no ['nose']", "'0.1'", "replace")
    twice = function(pair, {"twice": torch.tanh, "alias": torch.tanh})
    refuses(lambda: twice.__enter__(), ValueError, "['twice', 'alias']", "one module", "Name it once")
    assert not hooks_left(pair)
    with function(pair, {"alias": lambda h: h + 1, "never": torch.tanh}):
        assert_close(pair(x)[0], torch.tanh(x) + 1)
    assert not hooks_left(model)
    assert torch.equal(model(x), plain)


# --- convolutions and pools -------------------------------------------------------------------------------------------


@contextmanager
def full_precision():
    """Where torch's convolutions would round to ten bits on a GPU, they do not."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def agree_on_pictures(function, reference, x, *others):
    """As `agree`; of no pictures the values only, as a loop over none has no slope."""
    if len(x):
        agree(function, reference, x, *others)
    else:
        assert_close(function(x, *others), reference(x, *others))


def turned(x):
    """The same numbers, laid out the other way round in memory."""
    return x.transpose(0, -1).contiguous().transpose(0, -1)


def laid_out(reference):
    """torch's convolution, given plain copies: version 2.13 on the CPU ends the process (a segmentation fault) for some
    float32 views whose channels come last in memory."""
    return lambda *inputs, **options: reference(*(t.contiguous() for t in inputs), **options)


# (x, weight, options): square and not, one number and two, size 1, a kernel as large as the padded picture, no
# examples, groups (each channel for itself too), windows that leave a rest at the end.
CONVOLUTIONS = [
    ((2, 3, 5, 4), (4, 3, 3, 2), {}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((2, 4, 6, 7), (6, 2, 2, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (3, 2), "groups": 2}),
    ((2, 3, 5, 6), (6, 1, 3, 2), {"stride": 2, "padding": (1, 0), "groups": 3}),
    ((1, 2, 3, 4), (1, 2, 5, 6), {"padding": 1}),
    ((0, 2, 4, 3), (3, 2, 2, 2), {}),
    ((1, 2, 9, 5), (2, 2, 3, 2), {"stride": [1, 3], "dilation": (2, 3)}),
]
TRANSPOSED = [
    ((2, 3, 4, 3), (3, 2, 3, 2), {}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    (
        (2, 4, 3, 2),
        (4, 3, 2, 3),
        {"stride": (2, 1), "padding": (1, 2), "output_padding": (1, 2), "dilation": (1, 3), "groups": 2},
    ),
    ((2, 3, 3, 4), (3, 2, 3, 2), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 3}),
    ((0, 2, 3, 2), (2, 3, 2, 2), {}),
    ((1, 2, 2, 3), (2, 1, 2, 3), {"stride": [1, 2], "dilation": 2, "output_padding": 1}),
]


def convolution(reference, cases, outs):
    """Oracle: torch's value and slopes of x, weight and bias, with and without one; `outs` from weight and groups."""

    def oracle(function, device):
        for (sizes, weights, options), dtype in product(cases, DTYPES):
            x, weight = (random(*s, seed=i, scale=0.2, dtype=dtype) for i, s in enumerate((sizes, weights)))
            bias = random(outs(weights, options.get("groups", 1)), seed=2, scale=0.2, dtype=dtype)
            x, weight, bias = (t.to(device) for t in (x, turned(weight), bias))
            with full_precision():
                for inputs in ((x, weight, bias), (turned(x), weight.contiguous())):
                    agree_on_pictures(partial(function, **options), partial(laid_out(reference), **options), *inputs)
            assert function(x, weight, **options).is_contiguous(), "view works on it, as on torch's"
            if "stride" in options:
                ours = function(x, weight, bias, options["stride"], **{o: options[o] for o in options if o != "stride"})
                assert torch.equal(ours, function(x, weight, bias, **options)), "as in torch, by position"
        for mixed in ((x.float(), weight, None), (x, weight.float(), None), (x, weight, bias.float())):
            refuses(lambda m=mixed: function(*m), ValueError, "x torch.float", "weight torch.float", "one dtype")
        refuses(lambda: function(x, weight, bias.float()), ValueError, "bias torch.float32")
        for one in (np.int64(1), torch.tensor(1)):
            same = {"stride": one, "padding": (one, 1), "dilation": one, "groups": one}
            plain = function(x, weight, bias, stride=1, padding=1)
            with own_messages():
                assert torch.equal(function(x, weight, bias, **same), plain), "whole numbers of other libraries"
        for name in ("stride", "padding", "dilation", "groups"):
            for number in (-1, 1.0, True):
                refuses_option(lambda o: function(x, weight, **o), {name: number}, least=int(name != "padding"))
            if name != "groups":
                refuses(lambda n=name: function(x, weight, **{n: (1, 1, 1)}), ValueError, f"{name}=(1, 1, 1)", "rows")
                refuses_option(lambda o: function(x, weight, **o), {name: (1, -1)}, least=int(name != "padding"))
        for name in ("stride", "dilation", "groups"):
            refuses_option(lambda o: function(x, weight, **o), {name: 0}, least=1)

    return oracle


def refuses_option(call, option, *, least):
    """A plain ValueError that names the option, the number and the least that would do."""
    ((name, value),) = option.items()
    wrong = value[-1] if isinstance(value, tuple) else value
    refuses(lambda: call(option), ValueError, f"{name}={wrong!r}", f"{least} or more")


def conv2d(function, device):
    """torch's for all options; refusals that say what came, what was wanted and what to do."""
    convolution(F.conv2d, CONVOLUTIONS, lambda weights, groups: weights[0])(function, device)
    x, weight = random(2, 4, 5, 6, device=device), random(6, 2, 3, 3, device=device)
    refuses(lambda: function(x[0], weight, groups=2), ValueError, "x (4, 5, 6)", "wanted x (batch", "x[None, None]")
    refuses(lambda: function(x, weight[0], groups=2), ValueError, "weight (2, 3, 3)", "weight (out")
    refuses(lambda: function(x, weight), ValueError, "x with 4 channels", "(6, 2, 3, 3)", "groups=1 wants 2")
    refuses(lambda: function(x, weight[:, :1], groups=2), ValueError, "groups=2 wants 2")
    refuses(lambda: function(x[:, :3], weight, groups=2), ValueError, "3 input", "groups=2", "must divide both")
    refuses(lambda: function(x, weight[:5], groups=2), ValueError, "5 output", "must divide both")
    refuses(lambda: function(x, weight, x[0, 0, 0], groups=3), ValueError, "4 input", "6 output", "groups=3")
    refuses(lambda: function(x, weight, x.new_zeros(4), groups=2), ValueError, "bias (4,)", "wanted (6,)")
    refuses(lambda: function(x, weight, x.new_zeros(6, 1), groups=2), ValueError, "bias (6, 1)")
    refuses(lambda: function(x[:, :, :2], weight, groups=2), ValueError, "2d", "rows: ", "spans 3", "padding of 1")
    refuses(lambda: function(x, weight, groups=2, dilation=(1, 3)), ValueError, "columns: ", "only 6", "dilation 3")
    refuses(lambda: function(x[..., :0], weight, groups=2), ValueError, "conv2d", "columns: ", "size=0")


def conv_transpose2d(function, device):
    """torch's for all options; refusals that say what came, what was wanted and what to do."""
    convolution(F.conv_transpose2d, TRANSPOSED, lambda weights, groups: weights[1] * groups)(function, device)
    x, weight = random(2, 4, 3, 2, device=device), random(4, 3, 2, 2, device=device)
    refuses(lambda: function(x[0], weight), ValueError, "x (4, 3, 2)", "wanted x (batch")
    refuses(lambda: function(x, weight[0]), ValueError, "weight (3, 2, 2)", "in first")
    refuses(lambda: function(x[:, :3], weight), ValueError, "x (2, 3, 3, 2)", "in first")
    refuses(lambda: function(x, weight, groups=3), ValueError, "4 input", "9 output", "groups=3", "must divide both")
    refuses(lambda: function(x, weight, x.new_zeros(3), groups=2), ValueError, "bias (3,)", "wanted (6,)")
    refuses(lambda: function(x, weight, padding=(2, 0)), ValueError, "nothing is left", "padding=2")
    refuses(lambda: function(x, weight, output_padding=(0, 1)), ValueError, "output_padding=1", "below the stride (1)")
    refuses(lambda: function(x, weight, output_padding=(1, 0)), ValueError, "transpose2d", "rows: ")
    refuses_option(lambda o: function(x, weight, **o), {"output_padding": -1}, least=0)
    refuses_option(lambda o: function(x, weight, **o), {"output_padding": True}, least=0)


def layer2d(theirs, function, transposed):
    """Oracle for our convolutional layers: torch's once the states are exchanged, with a start from `init`."""
    few = ({"output_padding": (1, 0)},) if transposed else ()

    def shape(ins, outs, groups):
        return (ins, outs // groups) if transposed else (outs, ins // groups)

    def oracle(make, device):
        for options in (
            {},
            {"bias": False},
            {"groups": 2},
            {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
            *({"stride": 2, **more} for more in few),
        ):
            generator, again = source(3, device), source(3, device)
            with global_stream_untouched():
                ours = make(4, 6, (2, 3), generator=generator, **options)
            reference = theirs(4, 6, (2, 3), device=device, **options)
            assert isinstance(ours, theirs)
            assert repr(ours) == repr(reference)
            assert {n: (p.shape, p.dtype, p.device) for n, p in ours.named_parameters()} == {
                n: (p.shape, p.dtype, p.device) for n, p in reference.named_parameters()
            }
            groups = options.get("groups", 1)
            drawn = torch.randn(6, 4 // groups, 2, 3, generator=again, device=device) * (2 / (4 // groups * 6)) ** 0.5
            if transposed:  # each group by itself: the inputs of a convolution are the outputs here
                drawn = torch.cat([group.transpose(0, 1) for group in drawn.chunk(groups)])
            assert_close(ours.weight.detach(), drawn)
            assert torch.equal(generator.get_state(), again.get_state())
            assert ours.bias is None or not ours.bias.any()
            ours.load_state_dict(reference.state_dict())
            with full_precision():
                agree_as_modules(ours, reference, random(2, 4, 5, 6, scale=0.2, dtype=torch.float32, device=device))
                x = random(2, 4, 5, 6, device=device)
                used = {name: value for name, value in options.items() if name != "bias"}
                assert_close(ours.double()(x), function(x, ours.weight, ours.bias, **used))
        assert make(2, 2, 3, 2, generator=source(0, device)).stride == (2, 2), "as in torch, by position"
        with own_messages():
            one = make(*[np.int64(1)] * 4, groups=np.int64(1), generator=source(0, device))
        assert repr(one) == repr(theirs(1, 1, 1))
        for wrong in ((1, 1, 1, 1), (2, 2, 3)):
            flat = {"init": lambda shape, *, generator, w=wrong: torch.zeros(w, device=device), "groups": 2}
            refuses(
                lambda f=flat: make(4, 2, 3, generator=source(0, device), **f), ValueError, str(wrong), "(2, 2, 3, 3)"
            )
        if transposed:
            words = ("ConvTranspose2d", "output_padding=2", "stride (1)", "dilation (2)")
            for extra, d in (((2, 0), (2, 3)), ((0, 2), (3, 2))):
                refuses(
                    lambda e=extra, d=d: make(1, 1, 3, output_padding=e, dilation=d, generator=source(0, device)),
                    ValueError,
                    *words,
                    "rows" if extra[0] else "columns",
                )
            for more in ({"stride": 3, "output_padding": 2}, {"padding": 9, "output_padding": 1, "dilation": 2}):
                assert make(1, 1, 3, generator=source(0, device), **more).output_padding[0] == more["output_padding"]
        start = copy.deepcopy(ours.state_dict())
        with global_stream_untouched():
            ours.reset_parameters()
        assert all(torch.equal(value, start[name]) for name, value in ours.state_dict().items())
        shapes = []

        def init(shape, *, generator):
            shapes.append(shape)
            return torch.full(shape, 7.0, device=device)

        flat = make(4, 2, 3, init=init, groups=2, generator=source(0, device))
        assert shapes == [(2, 2, 3, 3)]
        assert flat.weight.shape == (*shape(4, 2, 2), 3, 3)
        assert flat.weight.unique().tolist() == [7]
        assert flat.weight.is_contiguous()
        assert flat.bias.tolist() == [0, 0], "a bias unless told otherwise"
        for sizes, words in (((0, 2, 3), "in_channels=0"), ((4, 0, 3), "out_channels=0"), ((4, 2, 0), "kernel_size=0")):
            refuses(lambda s=sizes: make(*s, generator=source(0, device)), ValueError, words, "1 or more")
        for sizes in ((3, 2, 1), (2, 3, 1)):
            refuses(lambda s=sizes: make(*s, groups=2, generator=source(0, device)), ValueError, "must divide both")
        assert make(1, 1, 1, generator=source(0, device)).weight.shape == (1, 1, 1, 1)
        for name, least in (
            ("stride", 1),
            ("padding", 0),
            ("dilation", 1),
            ("groups", 1),
            *[("output_padding", 0)] * transposed,
        ):
            for value in (least - 1, 2.0, True):
                refuses_option(lambda o: make(4, 2, 3, generator=source(0, device), **o), {name: value}, least=least)

    return oracle


# (x, kernel, options): as above. The padding is at most half the kernel, or torch refuses.
POOLS = [
    ((2, 3, 5, 4), 2, {}),
    ((1, 1, 1, 1), 1, {}),
    ((2, 1, 6, 7), (3, 2), {"stride": (1, 3), "padding": (1, 0)}),
    ((1, 2, 7, 5), (2, 4), {"stride": 1, "padding": (1, 2)}),
    ((1, 2, 4, 3), (4, 3), {"stride": 5}),
    ((0, 2, 4, 3), 2, {}),
    ((1, 1, 5, 5), 3, {"stride": [2, 1], "padding": [1, 1]}),
]


def pool(function, reference, cases, device):
    """torch's value and slope, for numbers with ties and of one sign; refusals that say what to do."""
    for (sizes, kernel, options), dtype in product(cases, DTYPES):
        x = turned(random(*sizes, scale=2, dtype=dtype, device=device))
        for numbers in (x.round(), -x.abs() - 5):
            agree_on_pictures(
                lambda x, k=kernel, o=options: function(x, k, **o),
                lambda x, k=kernel, o=options: reference(x, k, **o),
                numbers,
            )
        assert function(x, kernel, **options).is_contiguous(), "view works on it, as on torch's"
    x = random(2, 3, 5, 4, device=device)
    assert_close(function(x, 2, 1), reference(x, 2, 1))  # the stride by position, as in torch
    refuses(lambda: function(x[0], 2), ValueError, "x (3, 5, 4)", "wanted (batch", "x[None, None]")
    for dtype in (torch.uint8, torch.int64):
        refuses(lambda d=dtype: function(x.to(d), 2), ValueError, str(dtype), "x.float()")
    refuses(lambda: function(x[:, :, :0], 2), ValueError, "x (2, 3, 0, 4)", "with pixels")
    refuses(
        lambda: function(x, 5), ValueError, "2d", "columns: ", "spans 5", "only 4", "in a convolution a padding of 1"
    )
    refuses(lambda: function(x.mT, 5), ValueError, "rows: ", "spans 5", "only 4")
    refuses(
        lambda: function(x, (2, 3), padding=(1, 2)),
        ValueError,
        "padding=(1, 2)",
        "kernel_size=(2, 3)",
        "half the kernel",
    )
    refuses(lambda: function(x, (2, 4), padding=2), ValueError, "padding=(2, 2)", "half the kernel")
    refuses(lambda: function(x, (2, 2, 2)), ValueError, "kernel_size=(2, 2, 2)", "(rows, columns)")
    for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0)):
        for value in (least - 1, 2.0, True, (1, least - 1)):
            refuses_option(lambda o: function(x, **{"kernel_size": 2, **o}), {name: value}, least=least)


def max_pool2d(function, device):
    """torch's; the first of the largest gets the slope, padding never wins, a nan shows."""
    more = [((1, 2, 8, 7), (2, 3), {"dilation": (3, 2)}), ((1, 1, 7, 6), 3, {"padding": 1, "dilation": [2, 1]})]
    pool(function, F.max_pool2d, POOLS + more, device)
    least = torch.full((1, 2, 4, 4), -INF, device=device)
    some = least.clone()
    some[0, 0, 1, 2], some[0, 1, 3, 3] = -3, INF
    for x in (least, some):
        agree_on_pictures(lambda x: function(x, 2), lambda x: F.max_pool2d(x, 2), x)
        for options in ({"padding": 1}, {"padding": 1, "stride": 1}, {"padding": 1, "stride": 3}):
            assert_close(function(x, 2, **options), F.max_pool2d(x, 2, **options))
    nothing = {"padding": 1, "dilation": 3}  # both cells of the one window lie outside
    assert_close(function(least[..., :2, :2], 2, **nothing), F.max_pool2d(least[..., :2, :2], 2, **nothing))
    for place in range(4):
        x = torch.arange(4.0, device=device).reshape(1, 1, 2, 2)
        x.view(-1)[place] = math.nan
        assert function(x, 2).isnan().all(), "a nan wins"
        assert function(x, 1).isnan().sum() == 1
    x = torch.tensor([[[[math.nan, 2.0, math.nan], [1.0, math.nan, 9.0]]]], device=device)
    agree(lambda x: function(x, (2, 3)), lambda x: F.max_pool2d(x, (2, 3)), x)  # of several nan the last has the slope
    refuses_option(lambda o: function(x, 2, **o), {"dilation": 0}, least=1)
    refuses(lambda: function(x, 2, dilation=2), ValueError, "spans 3", "only 2")


def avg_pool2d(function, device):
    """torch's, with the padding counted and not."""
    for counted in ({}, {"count_include_pad": False}):
        pool(function, F.avg_pool2d, [(sizes, kernel, {**o, **counted}) for sizes, kernel, o in POOLS], device)
    x = torch.tensor([[[[1.0, INF, 2.0, math.nan]]]], device=device)
    for kernel in ((1, 1), (1, 2)):
        assert_close(function(x, kernel), F.avg_pool2d(x, kernel))


def adaptive_avg_pool2d(function, device):
    """torch's, for sizes that divide the picture's and others, larger ones too."""
    for sizes in ((2, 3, 6, 4), (1, 1, 1, 1), (1, 2, 5, 7), (0, 2, 4, 3)):
        for size, dtype in product((1, 3, (1, 4), [4, 2], (9, 5)), DTYPES):
            x = turned(random(*sizes, dtype=dtype, device=device))
            agree_on_pictures(lambda x, s=size: function(x, s), lambda x, s=size: F.adaptive_avg_pool2d(x, s), x)
    x = torch.tensor([[[[1.0, 2.0, INF, 3.0, math.nan, 5.0]]]], device=device)
    assert_close(function(x, (1, 3)), F.adaptive_avg_pool2d(x, (1, 3)))
    refuses(lambda: function(x[0], 1), ValueError, "x (1, 1, 6)", "wanted (batch", "x[None, None]")
    refuses(lambda: function(x[..., :0], 1), ValueError, "x (1, 1, 1, 0)", "with pixels")
    refuses(lambda: function(x.nan_to_num().byte(), 1), ValueError, "torch.uint8", "x.float()")
    assert function(x, 1).is_contiguous()
    for value in (0, -1, 2.0, True, (1, 0)):
        refuses_option(lambda o: function(x, **o), {"output_size": value}, least=1)
    refuses(lambda: function(x, (1, 1, 1)), ValueError, "output_size=(1, 1, 1)", "(rows, columns)")


def refuses_sizes(function, *names, least):
    """Whole numbers, large enough."""
    for name in names:
        for value in (least - 1, -3, 2.0, True):
            refuses(
                lambda n=name, v=value: function(**{"size": 5, "kernel": 2, n: v}),
                ValueError,
                f"{name}={value!r}",
                f"{least} or more",
            )


def output_size(function, device):
    """The places of a window, counted one by one; refusals that say what would fit."""
    for size, kernel, stride, padding, dilation in product(range(1, 7), range(1, 4), (1, 2, 3), (0, 1, 3), (1, 2)):
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        cells = {u * dilation for u in range(kernel)}
        places, start = 0, -padding
        while start + max(cells) < size + padding:
            places, start = places + 1, start + stride
        if places:
            assert function(size, kernel, **options) == places
        else:
            enough = next(p for p in range(9) if max(cells) < size + 2 * p)
            words = (f"spans {max(cells) + 1} ", f"only {size + 2 * padding} ", f"kernel {kernel}", f"size {size}")
            refuses(
                lambda s=size, k=kernel, o=options: function(s, k, **o),
                ValueError,
                *words,
                *(f"dilation {dilation}", f"padding {padding} ", f"padding of {enough} or more"),
            )
    for nine in (np.int64(9), torch.tensor(9)):
        with own_messages():
            assert type(function(nine, nine - 5, padding=nine - 9)) is int
    assert function(9, 4) == 6, "stride 1, no padding, no dilation unless told otherwise"
    refuses_sizes(function, "size", "kernel", "stride", "dilation", least=1)
    refuses_sizes(function, "padding", least=0)


def transposed_output_size(function, device):
    """The size of torch's transposed convolution, or a refusal where torch has one."""
    for size, kernel, stride, padding, extra, dilation in product(
        (1, 2, 5), (1, 2, 3), (1, 2), (0, 1, 2), (0, 1, 2), (1, 3)
    ):
        options = {"stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation}
        x, weight = torch.zeros(1, 1, 1, size, device=device), torch.zeros(1, 1, 1, kernel, device=device)
        pairs = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
        pairs = {name: (least, options[name]) for name, least in pairs.items()}
        try:
            wanted = F.conv_transpose2d(x, weight, **pairs).shape[-1]
        except RuntimeError:
            whole = (size - 1) * stride + (kernel - 1) * dilation + 1 + extra
            words = ("output_padding=", f"stride ({stride})", f"dilation ({dilation})")
            if extra < max(stride, dilation):
                words = ("nothing is left", f"size {size}", f"make {whole} ", f"padding={padding}", f"kernel {kernel}")
            refuses(lambda s=size, k=kernel, o=options: function(s, k, **o), ValueError, *words)
        else:
            assert function(size, kernel, **options) == wanted
    assert function(3, 4) == 6, "stride 1, no padding, no dilation unless told otherwise"
    refuses_sizes(function, "size", "kernel", "stride", "dilation", least=1)
    refuses_sizes(function, "padding", "output_padding", least=0)


def seen(model, x_size, cell, device):
    """The pixels whose slope is not 0 for one unit of the model: with weights of 1, nothing cancels."""
    for p in model.parameters():
        p.data = torch.ones_like(p)
    x = torch.ones(1, 1, *x_size, device=device, dtype=torch.float64, requires_grad=True)
    out = model.double().eval()(x)
    (slope,) = torch.autograd.grad(out[0, 0, cell[0], cell[1]], x)
    return slope[0, 0] != 0


def inside(window, x_size, device):
    """The pixels of the picture that lie in a window."""
    top, left, bottom, right = window
    found = torch.zeros(x_size, dtype=torch.bool, device=device)
    found[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return found


class Sum(torch.nn.Module):
    """Parallel paths that are added up, and a layer for the sum."""

    def __init__(self, *ways, listed=True):
        super().__init__()
        self.ways = torch.nn.ModuleList(ways) if listed else None
        self.found = ways
        self.after = torch.nn.ReLU()

    def paths(self):
        return self.found if self.ways is None else list(self.ways)

    def forward(self, x):
        return self.after(sum(way(x) for way in self.paths()))


class Backwards(torch.nn.Sequential):
    """A Sequential with a mind of its own."""

    def forward(self, x):
        return super().forward(x.flip(-1))


def receptive_fields(function, device):
    """The windows of some stacks are the pixels that have a slope; names, ends and refusals."""
    kinds = torch.nn

    def conv(kernel, **options):
        return kinds.Conv2d(1, 1, kernel, device=device, **options)

    stacks = [
        kinds.Sequential(conv((3, 2), padding=(1, 0)), kinds.AvgPool2d(2), kinds.Tanh(), conv(3, stride=(2, 3))),
        kinds.Sequential(
            conv(1), kinds.Sequential(conv(2, stride=2), kinds.Sequential(), kinds.Dropout()), conv((1, 3))
        ),
        kinds.Sequential(
            conv(5, padding="same"), kinds.AvgPool2d((3, 2), stride=(2, 1), padding=1), conv(3, padding="valid")
        ),
        kinds.Sequential(
            conv(3, stride=2, padding=1),
            Sum(kinds.Sequential(conv((1, 3), padding=(0, 1)), conv((3, 1), padding=(1, 0))), kinds.Sequential()),
            Sum(kinds.Sequential(conv(1, stride=2)), kinds.Sequential(conv(3, stride=2, padding=1))),
        ),
    ]
    size = (23, 21)
    for stack in stacks:
        fields = function(stack)
        names = [name for name, module in stack.named_modules() if name and not isinstance(module, kinds.ModuleList)]
        assert sorted(fields) == sorted(names)
        for cell in ((0, 0), (1, 2), (2, 1)):
            window = fields[[*stack._modules][-1]].window(*cell)
            assert torch.equal(seen(stack, size, cell, device), inside(window, size, device))
    wide, high = (kinds.Sequential(conv(kernel, padding="same")) for kernel in ((1, 5), (3, 1)))
    for layers, wanted in (  # not every pixel of these is seen, but those at the rim are
        (
            (conv(3, dilation=(2, 3), padding=(4, 1)), kinds.AvgPool2d(1, stride=3), conv(2)),
            ((8, 10), (3, 3), (-4, -1)),
        ),
        ((Sum(wide, high),), ((3, 5), (1, 1), (-1, -2))),
    ):
        field = function(kinds.Sequential(*layers))[str(len(layers) - 1)]
        found = seen(kinds.Sequential(*layers), size, (2, 2), device).nonzero()
        assert field.window(2, 2) == (*found.amin(0).tolist(), *(found.amax(0) + 1).tolist())
        assert (field.size, field.step, field.start) == wanted
    dilated = function(
        kinds.Sequential(kinds.MaxPool2d(2, dilation=3, padding=1, stride=1), conv(4, dilation=3, padding="same"))
    )
    assert [(f.size, f.step, f.start) for f in dilated.values()] == [
        ((4, 4), (1, 1), (-1, -1)),
        ((13, 13), (1, 1), (-5, -5)),
    ]
    once = kinds.ReLU()
    twice = function(kinds.Sequential(conv(3), once, conv(3), once))
    assert [*twice] == ["0", "1", "2", "3"]
    assert twice["3"].size == (5, 5), "a layer that stands in two places"
    loose = Sum(kinds.Sequential(conv(3, padding=1)), kinds.Sequential(), kinds.Sequential(), listed=False).to(device)
    assert [*function(kinds.Sequential(OrderedDict(block=loose)))] == ["block.after", "block"]
    assert function(loose)["after"].size == (3, 3)
    from dlcourse import nn

    ours = (nn.Normalize([0.5], [0.5]), nn.BatchNorm(1), nn.Dropout(), nn.Identity())
    mixed = kinds.Sequential(*ours, conv(3), kinds.Sequential(conv(3), kinds.Flatten()), conv(3), kinds.ReLU())
    assert [*function(mixed)] == ["0", "1", "2", "3", "4", "5.0"], "Flatten sees everything, and all behind it"
    for end in (kinds.Linear(2, 2), kinds.AdaptiveAvgPool2d(2), kinds.AdaptiveMaxPool2d(2)):
        assert [*function(kinds.Sequential(conv(3), end))] == ["0"]
    assert function(kinds.Sequential()) == {}
    assert function(Sum(kinds.Sequential(conv(3, stride=2))))["after"].step == (2, 2), "one path"

    for bare in (conv(3), kinds.MaxPool2d(2), kinds.ReLU(), kinds.Flatten(), nn.BatchNorm(1)):
        refuses(lambda m=bare: function(m), ValueError, f"a bare {type(bare).__name__}", "no name", "nn.Sequential(")
    mixing = (kinds.LayerNorm(4), kinds.GroupNorm(1, 1), kinds.Softmax(-1), kinds.Softmax2d(), kinds.Upsample(2))
    for layer, words in (
        (kinds.ConvTranspose2d(1, 1, 2), ("ConvTranspose2d ('1.0')", "paths()")),
        *((layer, (type(layer).__name__,)) for layer in mixing),
        (Backwards(kinds.ReLU()), ("Backwards",)),
        (kinds.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), ("'1.0'", "circular")),
        (Sum(kinds.Sequential(conv(3)), kinds.Sequential(conv(3, stride=2))), ("Sum ('1.0')", "one stride")),
        (Sum(kinds.Sequential(conv(3)), kinds.Sequential(kinds.Flatten())), ("Sum ('1.0')", "ends the table")),
    ):
        model = kinds.Sequential(kinds.ReLU(), kinds.Sequential(layer))
        refuses(lambda m=model: function(m), ValueError, "receptive_fields", *words)


def receptive_field_class(make, device):
    """Three pairs; the window of a unit, its ends exclusive."""
    field = make((3, 5), (2, 4), (-1, 7))
    assert (field.size, field.step, field.start) == ((3, 5), (2, 4), (-1, 7))
    assert field.window(0, 0) == (-1, 7, 2, 12)
    assert field.window(3, 2) == (5, 15, 8, 20)
    assert field == make((3, 5), (2, 4), (-1, 7))
    with pytest.raises(AttributeError):
        field.size = (1, 1)


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


def mlp(function, device):
    """The same layers in the same order as torch's own, drawn one after the other from the one generator."""
    kinds = torch.nn
    for sizes, options, expected in (
        ((3, 2), {}, [kinds.Linear]),
        ((3, 5, 2), {}, [kinds.Linear, kinds.ReLU, kinds.Linear]),
        ((4, 1, 6, 3), {"activation": kinds.Tanh}, [*[kinds.Linear, kinds.Tanh] * 2, kinds.Linear]),
        ((3, 5, 2), {"norm": kinds.LayerNorm}, [kinds.Linear, kinds.LayerNorm, kinds.ReLU, kinds.Linear]),
        (
            [2, 3, 4, 2],
            {"norm": kinds.BatchNorm1d, "dropout": 0.25},
            [*[kinds.Linear, kinds.BatchNorm1d, kinds.ReLU, kinds.Dropout] * 2, kinds.Linear],
        ),
    ):
        generator = source(4, device)
        with global_stream_untouched():
            model = function(sizes, generator=generator, **options)
        assert type(model) is kinds.Sequential
        assert [type(layer).__name__ for layer in model] == [kind.__name__ for kind in expected]
        again = source(4, device)
        layers, places = [], iter(range(len(sizes) - 1))
        for kind in expected:
            if kind is kinds.Linear:
                i = next(places)
                layer = kinds.Linear(*sizes[i : i + 2], device=device)
                layer.weight.data = (
                    torch.randn(*layer.weight.shape, generator=again, device=device) * (2 / sizes[i]) ** 0.5
                )
                layer.bias.data.zero_()
            elif kind in (kinds.LayerNorm, kinds.BatchNorm1d):
                layer = kind(sizes[i + 1], device=device)
            else:
                layer = kind()
            layers.append(layer)
        theirs = kinds.Sequential(*layers)
        same_state(model, theirs)
        assert torch.equal(generator.get_state(), again.get_state())
        assert all(layer.p == 0.25 and layer.generator is generator for layer in model if hasattr(layer, "p"))
        agree_as_modules(model.eval(), theirs.eval(), random(5, sizes[0], dtype=torch.float32, device=device))
    calls = []

    def init(shape, *, generator):
        calls.append(shape)
        return torch.full(shape, 0.5, device=device)

    model = function((3, 4, 2), init=init, generator=source(0, device))
    assert calls == [(4, 3), (2, 4)]
    assert {p.unique().item() for p in model.parameters()} == {0, 0.5}
    for sizes in ((), (3,), (3, 0), (0, 2), (3, -1, 2)):
        refuses(lambda s=sizes: function(s, generator=source(0, device)), ValueError, str(sizes), "1 or more")
    refuses(lambda: function((3, 4, 2), dropout=1.5, generator=source(0, device)), ValueError, "p=1.5")
    for wrong in (
        *({"activation": torch.nn.ReLU()}, {"activation": torch.relu}, {"activation": lambda: None}),
        *({"norm": torch.nn.ReLU(True)}, {"norm": torch.nn.LayerNorm(4)}, {"norm": torch.nn.BatchNorm1d(4)}),
        {"norm": lambda size: torch.relu},
    ):
        refuses(lambda w=wrong: function((3, 4, 2), generator=source(0, device), **w), TypeError, *wrong, "nn.relu")


def he(layer, generator):
    """torch's layer with He's weights drawn from the generator, and biases of 0."""
    weight = layer.weight
    size = (2 / weight[0].numel()) ** 0.5
    weight.data = size * torch.randn(*weight.shape, generator=generator, device=weight.device)
    if layer.bias is not None:
        layer.bias.data.zero_()
    return layer


def xavier(layer, generator):
    """The same by Xavier's rule: uniform."""
    torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
    layer.bias.data.zero_()
    return layer


def equals_network(function, theirs, options, shape, device, norm="BatchNorm"):
    """The model is torch's own layers by these names, drawn in this order, with equal values, slopes and statistics."""
    generator, again = source(4, device), source(4, device)
    with global_stream_untouched():
        ours = function(generator=generator, **options)
    reference = theirs(again)
    if isinstance(ours, torch.nn.Sequential):
        assert type(ours) is torch.nn.Sequential
        kinds = [[(n, type(m).__name__) for n, m in model.named_children()] for model in (ours, reference)]
        assert kinds[0] == [(n, kind.replace("BatchNorm2d", norm)) for n, kind in kinds[1]]
    same_state(ours, reference)
    assert {t.device.type for t in ours.state_dict().values()} == {device.type}
    assert torch.equal(generator.get_state(), again.get_state())
    # other gains, so that blocks that begin as the identity are seen to work
    gains = {
        n: random(*p.shape, seed=i, device=device) for i, (n, p) in enumerate(ours.named_parameters()) if p.ndim == 1
    }
    ours, reference = ours.double(), reference.double()
    for model in (ours, reference):
        model.load_state_dict(gains, strict=False)
    for x in (random(*shape, device=device), random(*shape, seed=2, device=device)):
        agree_as_modules(ours, reference, x)
    same_state(ours, reference)
    agree_as_modules(ours.eval(), reference.eval(), random(*shape, device=device))


def wrong_images(caller):
    """(options, words of the refusal): sizes that are not three, or not whole, or too small."""
    for image in ((28, 28), 28, (2, 1, 28, 28)):
        yield {"image": image}, (f"{caller}(image={image})", "(channels, height, width)")
    for d, name in enumerate(("channels", "height", "width")):
        for size in (0, 28.0):
            image = [28, 28, 28]
            image[d] = size
            yield {"image": tuple(image)}, (f"{caller} got {name}={size}", "1 or more")


def lenet(function, device):
    """[convolution, largest of 2 x 2, batch norm, ReLU] for each width and a linear layer, as torch's own."""
    t = torch.nn
    for options, (channels, height, width), (widths, kernel, classes) in (
        ({}, (1, 28, 28), ((16, 32), 5, 10)),
        ({"image": (1, 8, 8)}, (1, 8, 8), ((16, 32), 5, 10)),
        ({"image": (3, 5, 6), "widths": [4], "classes": 3}, (3, 5, 6), ((4,), 5, 3)),
        ({"image": (2, 8, 9), "widths": (3, 2, 5), "kernel": 3, "classes": 4}, (2, 8, 9), ((3, 2, 5), 3, 4)),
        ({"image": (1, 2, 3), "widths": (2,), "kernel": 1, "classes": 1}, (1, 2, 3), ((2,), 1, 1)),
    ):

        def theirs(generator, channels=channels, height=height, width=width, widths=widths, kernel=kernel, out=classes):
            layers = {}
            for i, (a, b) in enumerate(pairwise((channels, *widths)), 1):
                layers[f"conv{i}"] = he(t.Conv2d(a, b, kernel, padding=kernel // 2, device=device), generator)
                layers[f"pool{i}"] = t.MaxPool2d(2)
                layers[f"norm{i}"] = t.BatchNorm2d(b, device=device)
                layers[f"relu{i}"] = t.ReLU()
                height, width = height // 2, width // 2
            layers["flatten"] = t.Flatten()
            layers["linear"] = he(t.Linear(widths[-1] * height * width, out, device=device), generator)
            return t.Sequential(OrderedDict(layers))

        equals_network(function, theirs, options, (4, channels, height, width), device)
    for options, words in (
        ({"image": (1, 3, 9)}, ("(1, 3, 9)", "(16, 32)", "4 x 4", "fewer widths")),
        ({"image": (1, 9, 3)}, ("(1, 9, 3)", "4 x 4")),
        ({"image": (1, 1, 1), "widths": (2,)}, ("(1, 1, 1)", "2 x 2")),
        ({"image": (1, 7, 7), "widths": (2, 2, 2)}, ("(1, 7, 7)", "8 x 8")),
        ({"widths": ()}, ("widths=()", "at least one width")),
        ({"widths": 16}, ("widths=16", "a list")),
        ({"widths": (0,)}, ("out_channels=0",)),
        ({"kernel": 4}, ("kernel=4", "odd")),
        ({"kernel": 0}, ("lenet got kernel=0", "1 or more")),
        ({"kernel": (3, 5)}, ("kernel=(3, 5)", "whole number")),
        *wrong_images("lenet"),
    ):
        refuses(lambda o=options: function(generator=source(0, device), **o), ValueError, *words)


def lenet_classic(function, device):
    """LeNet-5 as it is taught, from torch's own layers."""
    t = torch.nn
    for options, (channels, height, width), features, classes in (
        ({}, (1, 28, 28), 400, 10),
        ({"image": (3, 12, 17), "classes": 3}, (3, 12, 17), 16 * 1 * 2, 3),
    ):

        def theirs(generator, channels=channels, features=features, classes=classes):
            layers = {
                "conv1": xavier(t.Conv2d(channels, 6, 5, padding=2, device=device), generator),
                "sigmoid1": t.Sigmoid(),
                "pool1": t.AvgPool2d(2),
                "conv2": xavier(t.Conv2d(6, 16, 5, device=device), generator),
                "sigmoid2": t.Sigmoid(),
                "pool2": t.AvgPool2d(2),
                "flatten": t.Flatten(),
                "linear1": xavier(t.Linear(features, 120, device=device), generator),
                "sigmoid3": t.Sigmoid(),
                "linear2": xavier(t.Linear(120, 84, device=device), generator),
                "sigmoid4": t.Sigmoid(),
                "linear3": xavier(t.Linear(84, classes, device=device), generator),
            }
            return t.Sequential(OrderedDict(layers))

        equals_network(function, theirs, options, (4, channels, height, width), device)
    wrong = [({"image": image}, (str(image), "12 x 12")) for image in ((1, 11, 28), (1, 28, 11), (1, 8, 8))]
    for options, words in (*wrong, *wrong_images("lenet_classic")):
        refuses(lambda o=options: function(generator=source(0, device), **o), ValueError, *words)


class ResidualBlock(torch.nn.Module):
    """A residual block of torch's own layers, with our names."""

    def __init__(self, channels, out, stride, generator, device):
        super().__init__()
        t, where = torch.nn, {"bias": False, "device": device}
        layers = {
            "conv1": he(t.Conv2d(channels, out, 3, stride=stride, padding=1, **where), generator),
            "norm1": t.BatchNorm2d(out, device=device),
            "relu1": t.ReLU(),
            "conv2": he(t.Conv2d(out, out, 3, padding=1, **where), generator),
            "norm2": t.BatchNorm2d(out, device=device),
        }
        layers["norm2"].weight.data.zero_()
        self.body, self.shortcut = t.Sequential(OrderedDict(layers)), t.Sequential()
        if (channels, stride) != (out, 1):
            self.shortcut.add_module("conv", he(t.Conv2d(channels, out, 1, stride=stride, **where), generator))
            self.shortcut.add_module("norm", t.BatchNorm2d(out, device=device))

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.body(x))


def residual_block_class(make, device):
    """The same of torch's own layers; at the start the identity, where nothing is negative."""
    for channels, out, options in ((3, 3, {}), (2, 4, {}), (3, 3, {"stride": 2}), (2, 3, {"stride": 3})):

        def theirs(generator, *, stride=1, sizes=(channels, out)):
            return ResidualBlock(*sizes, stride, generator, device)

        equals_network(partial(make, channels, out), partial(theirs, **options), options, (4, channels, 5, 4), device)
        block = make(channels, out, generator=source(0, device), **options)
        x = random(4, channels, 5, 4, dtype=torch.float32, device=device)
        assert_close(block(x.abs()), F.relu(block.shortcut(x.abs())))
        body, shortcut = block.paths()
        assert body is block.body
        assert shortcut is block.shortcut
        assert (len(shortcut) == 0) == ((channels, options) == (out, {}))


def resnet(function, device):
    """A stem, residual blocks, the mean over all places, a linear layer, as torch's own; for pictures of any size."""
    t = torch.nn
    for options, (channels, widths, blocks, classes), size in (
        ({}, (1, (16, 32, 64), 1, 10), (6, 5)),
        ({"channels": 3, "widths": [2, 2], "blocks": 2, "classes": 3}, (3, (2, 2), 2, 3), (4, 7)),
        ({"widths": (3,), "blocks": 3, "classes": 1}, (1, (3,), 3, 1), (2, 1)),
    ):

        def theirs(generator, channels=channels, widths=widths, blocks=blocks, classes=classes):
            layers = {
                "conv": he(t.Conv2d(channels, widths[0], 3, padding=1, bias=False, device=device), generator),
                "norm": t.BatchNorm2d(widths[0], device=device),
                "relu": t.ReLU(),
            }
            for i, (a, b) in enumerate(pairwise((widths[0], *widths)), 1):
                for j in range(blocks):
                    layers[f"block{i}_{j + 1}"] = ResidualBlock(
                        b if j else a, b, 1 + (i > 1 and not j), generator, device
                    )
            layers["pool"], layers["flatten"] = t.AdaptiveAvgPool2d(1), t.Flatten()
            layers["linear"] = he(t.Linear(widths[-1], classes, device=device), generator)
            return t.Sequential(OrderedDict(layers))

        equals_network(function, theirs, options, (4, channels, *size), device)
    for options, words in (
        ({"widths": ()}, "widths=()): wanted a list of at least one"),
        ({"widths": 16}, "widths=16): wanted a list"),
        *(({"blocks": b}, f"resnet got blocks={b}; wanted a whole number of 1 or more") for b in (0, -1, 1.5)),
    ):
        refuses(lambda o=options: function(generator=source(0, device), **o), ValueError, words)


def trusted_steps(name, *examples):
    """The package's `*_steps` function, which the plain function must run to the end."""

    def steps(*args, **options):
        from dlcourse import models

        return getattr(models, name)(*args, **options)

    steps.examples = examples
    return steps


# --- recurrent networks -----------------------------------------------------------------------------------------------

# How many blocks of rows a cell's weights have, and how many tensors its state: torch's cell and layer.
RECURRENT = {
    "RNN": (1, 1, torch.rnn_tanh_cell, torch.nn.RNNCell, torch.nn.RNN),
    "LSTM": (4, 2, torch.lstm_cell, torch.nn.LSTMCell, torch.nn.LSTM),
    "GRU": (3, 1, torch.gru_cell, torch.nn.GRUCell, torch.nn.GRU),
}


def as_tuple(state):
    """The tensors of a state."""
    return state if isinstance(state, tuple) else (state,)


def as_state(parts):
    """One tensor by itself, two as a tuple."""
    return tuple(parts) if len(parts) > 1 else parts[0]


def cell_inputs(kind, batch, features, hidden, *, scale=1.0, seed=0, dtype=torch.float64, device="cpu"):
    """x, the tensors of a state, two weights and two biases."""
    gates, parts = RECURRENT[kind][:2]
    shapes = [(batch, features), *[(batch, hidden)] * parts]
    shapes += [(gates * hidden, features), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
    return [random(*s, seed=seed + i, scale=scale, dtype=dtype, device=device) for i, s in enumerate(shapes)]


def on_parts(cell, kind):
    """The cell as a function of tensors alone, whose answers stand side by side."""
    parts = RECURRENT[kind][1]

    def function(x, *rest):
        return torch.cat(as_tuple(cell(x, as_state(rest[:parts]), *rest[parts:])), 1)

    return function


def recurrent_cell(kind):
    """Oracle for a pure cell: torch's value and all slopes, with biases and without; refusals with the shapes."""
    gates, parts, reference = RECURRENT[kind][:3]

    def oracle(function, device):
        ours, theirs = on_parts(function, kind), on_parts(reference, kind)
        for (batch, features, hidden), dtype in product(((3, 2, 4), (1, 1, 1), (2, 4, 1), (0, 2, 3)), DTYPES):
            for scale in (1.0, 30.0):
                inputs = cell_inputs(kind, batch, features, hidden, scale=scale, dtype=dtype, device=device)
                if scale > 1:
                    inputs = [turned(t) if t.ndim > 1 else t.repeat_interleave(2)[::2] for t in inputs]
                agree_on_pictures(ours, wide(theirs), *inputs)
                agree_on_pictures(ours, wide(theirs), *inputs[:-2])
        x, *state, weight_ih, weight_hh, bias_ih, bias_hh = cell_inputs(kind, 2, 3, 4, device=device)
        name = function.__name__ if function.__name__.startswith(kind.lower()) else ""

        def wrong(x=x, state=state, weight_ih=weight_ih, weight_hh=weight_hh, biases=(bias_ih, bias_hh)):
            return lambda: function(x, as_state(state), weight_ih, weight_hh, *biases)

        words = (name, "(batch, features)", "x[None]", f"({gates} * hidden, features)", f"({gates} * hidden,)")
        refuses(wrong(x=x[:, :2]), ValueError, *words, "x (2, 2)", f"weight_ih ({4 * gates}, 3)")
        refuses(wrong(x=x[0]), ValueError, *words, "x (3,)")
        for i in range(parts):  # a state of one example, or of one unit, would fit by broadcasting
            for small in (state[i][:1], state[i][:, :1]):
                states = [small if i == j else state[j] for j in range(parts)]
                refuses(wrong(state=states), ValueError, *words, str(tuple(small.shape)))
        refuses(wrong(weight_ih=weight_ih[0]), ValueError, *words, "weight_ih (3,)")
        refuses(wrong(weight_hh=weight_hh[0]), ValueError, *words, "weight_hh (4,)")
        refuses(wrong(weight_ih=weight_ih[1:]), ValueError, *words, f"weight_ih ({4 * gates - 1}, 3)")
        refuses(wrong(weight_hh=weight_hh[1:]), ValueError, *words, f"weight_hh ({4 * gates - 1}, 4)")
        more = [torch.cat([w, w[:gates]]) for w in (weight_ih, weight_hh, bias_ih, bias_hh)]
        refuses(wrong(weight_ih=more[0], weight_hh=more[1], biases=more[2:]), ValueError, *words)
        for biases in ((bias_ih, bias_hh[:1]), (bias_ih[:1], bias_hh)):
            refuses(wrong(biases=biases), ValueError, *words, "(1,)")
        for biases in ((bias_ih, None), (None, bias_hh)):
            refuses(wrong(biases=biases), ValueError, *words, "None", "or none")

    return oracle


def rnn_cell(function, device):
    """As every cell; and any activation, which is called once for what is added up."""
    recurrent_cell("RNN")(function, device)
    inputs = cell_inputs("RNN", 3, 2, 4, device=device)
    agree(lambda *a: function(*a, activation=torch.relu), torch.rnn_relu_cell, *inputs)
    agree(
        lambda *a: function(*a, activation=lambda z: z**2),
        lambda x, h, w, u, a, b: (x @ w.T + a + h @ u.T + b) ** 2,
        *inputs,
    )


def lstm_gates(function, device):
    """The gates as printed, in torch's order; cell state and answer follow from them."""
    for sizes in ((3, 2, 4), (1, 1, 1)):
        x, h, c, *weights = cell_inputs("LSTM", *sizes, device=device)

        def printed(x, h, c, w, u, a, b):
            i, f, g, o = torch.split(x @ w.T + a + h @ u.T + b, u.shape[1], 1)
            return torch.cat([torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)])

        def ours(x, h, c, *weights):
            return torch.cat(function(x, (h, c), *weights)) + 0 * c.sum()

        agree(ours, lambda *a, p=printed: p(*a) + 0 * a[2].sum(), x, h, c, *weights)
        i, f, g, o = function(x, (h, c), *weights)
        assert_close(o * torch.tanh(f * c + i * g), torch.lstm_cell(x, (h, c), *weights)[0])
        assert len(function(x, (h, c), *weights[:2])) == 4
    refuses(lambda: function(x, (h[:, :0], c), *weights), ValueError, "lstm_cell", "(4 * hidden,)")


def gru_gates(function, device):
    """The gates as printed, in torch's order; the answer follows from them."""
    for sizes in ((3, 2, 4), (1, 1, 1)):
        x, h, *weights = cell_inputs("GRU", *sizes, device=device)

        def printed(x, h, w, u, a, b):
            r_x, z_x, n_x = torch.split(x @ w.T + a, u.shape[1], 1)
            r_h, z_h, n_h = torch.split(h @ u.T + b, u.shape[1], 1)
            r = torch.sigmoid(r_x + r_h)
            return torch.cat([r, torch.sigmoid(z_x + z_h), torch.tanh(n_x + r * n_h)])

        agree(lambda *a: torch.cat(function(*a)), printed, x, h, *weights)
        _, z, n = function(x, h, *weights)
        assert_close(n + z * (h - n), torch.gru_cell(x, h, *weights))
        assert len(function(x, h, *weights[:2])) == 3
    refuses(lambda: function(x, h[:, :0], *weights), ValueError, "gru_cell", "(3 * hidden,)")


def recurrent_cell_class(kind):
    """Oracle for a cell as a module: torch's once the states are exchanged, torch's own start from the same seed."""
    _, parts, _, reference, _ = RECURRENT[kind]

    def oracle(make, device):
        for bias in (True, False):
            with global_stream_untouched():
                ours = make(3, 5, bias=bias, generator=source(2, device))
            with torch.random.fork_rng(devices=[device] if device.type != "cpu" else []):
                torch.manual_seed(2)
                theirs = reference(3, 5, bias=bias, device=device)
            assert repr(ours) == f"{make.__name__}(3, 5{'' if bias else ', bias=False'})"
            assert [*ours.state_dict()] == [*theirs.state_dict()]
            assert all(map(torch.equal, ours.parameters(), theirs.parameters())), "another start than torch's"
            assert {p.dtype for p in ours.parameters()} == {torch.float32}
            theirs.load_state_dict(make(3, 5, bias=bias, generator=source(3, device)).state_dict())
            ours.load_state_dict(theirs.state_dict())
            for model in (ours, copy.deepcopy(ours).double()):
                judge = copy.deepcopy(theirs).double()
                x, *state = cell_inputs(kind, 4, 3, 5, dtype=model.weight_ih.dtype, device=device)[: 1 + parts]
                agree(*(on_parts(m, kind) for m in (model, with_double(judge))), x, *state)
                agree_as_modules(on_x(model), on_x(judge), x)
        assert make(1, 1, generator=source(0, device)).bias_hh is not None, "biases unless told otherwise"
        assert (ours.input_size, ours.hidden_size) == (3, 5)
        for sizes in ((0, 3), (3, 0), (2.5, 3)):
            refuses(lambda s=sizes: make(*s, generator=source(0, device)), ValueError, make.__name__, "1 or more")
        refuses(lambda: ours(torch.zeros(2, 4, device=device)), ValueError, f"{kind.lower()}_cell", "(2, 4)")

    return oracle


def rnn_cell_class(make, device):
    """And with another activation."""
    recurrent_cell_class("RNN")(make, device)
    layer = make(3, 5, activation=torch.relu, generator=source(0, device))
    x, h = cell_inputs("RNN", 4, 3, 5, dtype=torch.float32, device=device)[:2]
    assert_close(layer(x, h).detach(), torch.rnn_relu_cell(x, h, *layer.parameters()).detach())


def with_double(module):
    """The module, which computes in float64 and rounds its answer to the dtype of what came in."""

    def function(x, state=None):
        state = None if state is None else as_state([part.double() for part in as_tuple(state)])
        return as_state([part.to(x.dtype) for part in as_tuple(module(x.double(), state))])

    return function


class on_x(torch.nn.Module):  # noqa: N801, used like a function
    """A cell as a module of x alone, with all its answers side by side."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return torch.cat(as_tuple(self.module(x)), 1)


# A cell of h alone and one of (h, c), in plain arithmetic.
def decaying(x, h):
    return h / 2 + x.sum(1, keepdim=True) * h + x[:, :1]


def swapping(x, state):
    h, c = state
    return c * x[:, :1] + h, h + x[:, 1:]


def run_alone(cell, x, state, real):
    """For each example by itself, and only at its real positions: the states, those in between repeated."""
    rows = []
    for n in range(len(x)):
        now, seen = as_state([part[n : n + 1] for part in as_tuple(state)]), []
        for t in range(x.shape[1]):
            now = cell(x[n : n + 1, t], now) if real[n][t] else now
            seen.append(now)
        rows.append(seen)
    return [
        as_state([torch.cat([as_tuple(row[t])[p] for row in rows]) for p in range(len(as_tuple(state)))])
        for t in range(x.shape[1])
    ]


MASKS = ([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]], [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], [[1] * 4] * 3)


def masked_runs(device):
    """(cell, x with nan and huge numbers where it is masked, tensors of the state, mask as rows, mask or None)."""
    for cell, parts, dtype in product((decaying, swapping), (1, 2), DTYPES):
        if (cell is swapping) != (parts == 2):
            continue
        for rows in MASKS:
            x = random(3, 4, 2, dtype=dtype, device=device)
            state = [random(3, 1, seed=i + 1, dtype=dtype, device=device) for i in range(parts)]
            mask = torch.tensor(rows, dtype=torch.bool, device=device)
            for junk in (math.nan, 1e30, -INF):
                yield cell, x.masked_fill(~mask[:, :, None], junk), state, rows, mask
            if mask.all():
                yield cell, x, state, rows, None


def agree_in_part(function, reference, x, *others):
    """As `agree`, where x may hold nan: their slopes are 0."""
    agree(function, lambda x, *rest: reference(x.nan_to_num(0, 0, 0).clamp(-9, 9), *rest), x, *others)


def unroll_steps(function, device):
    """Example by example, real position by real position; lazily; slopes too, past a nan that is masked."""
    for cell, x, state, rows, mask in masked_runs(device):

        def flat(states):
            return torch.cat([part for state in states for part in as_tuple(state)])

        agree_in_part(
            lambda x, *s, c=cell, m=mask: flat(function(c, x, as_state(s), m)),
            lambda x, *s, c=cell, r=rows: flat(run_alone(c, x, as_state(s), r)),
            *(x, *state),
        )
    seen = []
    steps = function(lambda x, h: seen.append(h) or h + x, torch.ones(1, 3, 1, device=device), state[0][:1])
    assert not seen
    next(steps)
    assert len(seen) == 1, "a step is made when it is asked for"


def unroll(function, device):
    """The same run to the end, forwards and backwards."""
    for (cell, x, state, rows, mask), backwards in product(masked_runs(device), (False, True)):

        def alone(x, *s, c=cell, r=rows, b=backwards):
            turn = (lambda t: t.flip(1)) if b else (lambda t: t)
            states = run_alone(c, turn(x), as_state(s), [row[::-1] if b else row for row in r])
            outputs = turn(torch.stack([as_tuple(state)[0] for state in states], 1))
            shown = outputs * torch.tensor(r, device=x.device)[:, :, None]
            return torch.cat([shown.flatten(), *(part.flatten() for part in as_tuple(states[-1]))])

        def ours(x, *s, c=cell, m=mask, b=backwards):
            outputs, final = function(c, x, as_state(s), m, **({"backwards": True} if b else {}))
            assert outputs.shape == (*x.shape[:2], 1)
            return torch.cat([outputs.flatten(), *(part.flatten() for part in as_tuple(final))])

        agree_in_part(ours, alone, x, *state)


def length_mask(function, device):
    """By hand; lengths that cannot be are refused."""
    for dtype in (torch.int64, torch.int32):
        lengths = torch.tensor([2, 1, 4], dtype=dtype, device=device)
        wanted = [[True, True, False, False], [True, False, False, False], [True] * 4]
        mask = function(lengths, 4)
        assert (mask.tolist(), mask.dtype, mask.device) == (wanted, torch.bool, lengths.device)
    assert function(lengths[:0], 3).shape == (0, 3)
    assert function(torch.ones(1, dtype=torch.int64, device=device), 1).tolist() == [[True]]
    for wrong in ([0, 2], [2, 5], [-1, 2]):
        refuses(lambda w=wrong: function(torch.tensor(w, device=device), 4), ValueError, str(wrong), "from 1 to 4")
    refuses(lambda: function(lengths.float(), 4), ValueError, "float32", "whole numbers")
    refuses(lambda: function(lengths[None], 4), ValueError, "[[2, 1, 4]]")


def detach(function, device):
    """The same numbers in the same memory, cut off; what was given still has its way back."""
    assert function(None) is None
    leaf = random(1, 2, 3, device=device).requires_grad_()
    for state in (2 * leaf, (2 * leaf, 3 * leaf)):
        cut = function(state)
        assert isinstance(cut, tuple) == isinstance(state, tuple)
        assert len(as_tuple(cut)) == len(as_tuple(state))
        for ours, given in zip(as_tuple(cut), as_tuple(state), strict=True):
            assert torch.equal(ours, given)
            assert ours.data_ptr() == given.data_ptr()
            assert not ours.requires_grad
            assert given.requires_grad


def layer_run(layer, **options):
    """(outputs, final state), side by side, as a function of x and the tensors of a state."""

    def run(x, *state):
        outputs, final = layer(x, *([as_state(state)] if state else []), **options)
        return torch.cat([outputs.flatten(), *(part.flatten() for part in as_tuple(final))])

    return run


def packed_run(layer, lengths):
    """The same by torch's packed sequences."""
    pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence

    def run(x, *state):
        packed = pack(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, final = layer(packed, as_state(state) if state else None)
        outputs, _ = pad(outputs, batch_first=True, total_length=x.shape[1])
        return torch.cat([outputs.flatten(), *(part.flatten() for part in as_tuple(final))])

    return run


def agree_with_weights(ours, theirs, run, judge, *inputs):
    """As `agree`, for x, the state and every parameter of the two layers, of which `theirs` is wider."""

    def function(layer, call, kind):
        def value(*given):
            tensors, weights = given[: len(inputs)], given[len(inputs) :]
            named = {name: w.to(kind) for (name, _), w in zip(layer.named_parameters(), weights, strict=True)}
            return torch.func.functional_call(
                Called(layer, call), {f"layer.{k}": v for k, v in named.items()}, tuple(t.to(kind) for t in tensors)
            ).to(given[0].dtype)

        return value

    weights = [p.detach().clone() for p in ours.parameters()]
    dtype = inputs[0].dtype
    agree(function(ours, run, dtype), function(theirs, judge, torch.float64), *inputs, *weights)


class Called(torch.nn.Module):
    """A layer that is run by a function of it."""

    def __init__(self, layer, call):
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, *inputs):
        return self.call(self.layer)(*inputs)


LAYERS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bias": False},
    {"bias": False, "bidirectional": True},
]


def twins(kind, make, device, **options):
    """Our layer and torch's from one seed: the same names, the same start. torch's is in float64, with other weights
    copied to and fro."""
    with global_stream_untouched():
        ours = make(3, 5, **options, generator=source(2, device))
    with torch.random.fork_rng(devices=[device] if device.type != "cpu" else []):
        torch.manual_seed(2)
        theirs = RECURRENT[kind][4](3, 5, batch_first=True, **options, device=device)
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    assert all(map(torch.equal, ours.parameters(), theirs.parameters())), "another start than torch's"
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    theirs.load_state_dict(make(3, 5, **options, generator=source(3, device)).state_dict())
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs.double()


def padding_changes_nothing(layer, lengths, x):
    """Whatever stands behind the lengths: outputs, states and slopes are the same, and finite."""
    behind = (torch.arange(x.shape[1], device=x.device) >= lengths[:, None])[:, :, None]
    found = []
    for junk in (0.0, math.nan, INF, -1e30):
        leaf = x.masked_fill(behind, junk).requires_grad_()
        value = layer_run(layer, lengths=lengths)(leaf)
        slopes = torch.autograd.grad(value.square().sum(), [leaf, *layer.parameters()])
        assert not slopes[0].masked_select(behind).any()
        found.append([value.detach(), *slopes])
    for others in found[1:]:
        assert all(map(torch.equal, others, found[0])), "padding changed a result"


def cells_are_torchs(kind, layer, x, state):
    """`layer.cell(...)` is torch's cell with the weights of that layer and direction."""
    x, start = x[:, 0], as_state([part[0] for part in state])
    weights = [p.detach() for p in layer.parameters()]
    many = len(weights) // len(state[0])  # weights and biases of one cell
    for place in range(len(state[0])):
        own = weights[place * many :][:many]
        x = x[:, :1].expand(-1, own[0].shape[1])
        k, backwards = divmod(place, 1 + layer.bidirectional)
        steps = [layer.cell(k, backwards=True) if backwards else layer.cell(k)]
        steps += [layer.cell()] if place == 0 else []
        for step in steps:
            for one, other in zip(as_tuple(step(x, start)), as_tuple(RECURRENT[kind][2](x, start, *own)), strict=True):
                assert_close(one.detach(), other)


def recurrent_class(kind):
    """Oracle for a layer: torch's values and slopes over options, states and lengths; packed sequences; dropout."""
    parts = RECURRENT[kind][1]

    def oracle(make, device):
        refusals(make, device)
        dropped(make, device)
        for options, dtype in product(LAYERS, DTYPES):
            ours, theirs = twins(kind, make, device, **options)
            assert repr(ours) == f"{make.__name__}(3, 5{''.join(f', {k}={v}' for k, v in options.items())})"
            ours = ours.to(dtype)
            rows = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
            x = random(4, 3, 3, scale=2, dtype=dtype, device=device)
            state = [random(rows, 4, 5, seed=i + 1, dtype=dtype, device=device) for i in range(parts)]
            agree_with_weights(ours, theirs, layer_run, layer_run, x, *state)
            for one in (x, turned(x), x[:, :1], x[:1]):
                assert_close(layer_run(ours)(one).detach(), layer_run(theirs)(one.double()).detach().to(dtype))
            for lengths in ([3, 1, 2, 3], [3, 3, 3, 3], [1, 1, 1, 1]):
                lengths = torch.tensor(lengths, device=device)
                run, judge = partial(layer_run, lengths=lengths), partial(packed_run, lengths=lengths)
                agree_with_weights(ours, theirs, run, judge, x, *state)
                assert_close(run(ours)(x).detach(), judge(theirs)(x.double()).detach().to(dtype))
                padding_changes_nothing(ours, lengths, x)
            cells_are_torchs(kind, ours, x, state)

    def dropped(make, device):
        """Between layers in training alone; at probability 1 the same as torch; at 1/2 with the generator's masks."""
        x = random(4, 3, 3, dtype=torch.float32, device=device)
        ours, theirs = twins(kind, make, device, num_layers=3, dropout=1.0, bidirectional=True)
        assert_close(layer_run(ours)(x).detach(), layer_run(theirs)(x.double()).detach().float())
        assert repr(ours) == f"{make.__name__}(3, 5, num_layers=3, dropout=1.0, bidirectional=True)"
        layer = make(3, 5, num_layers=3, dropout=0.5, generator=source(2, device))
        masks = source(0, device)
        masks.set_state(layer.generator.get_state())
        with global_stream_untouched():
            found = layer(x)[0]
        hidden = x
        for k in range(3):
            alone = RECURRENT[kind][4](hidden.shape[2], 5, batch_first=True, device=device)
            alone.load_state_dict({n[:-1] + "0": p for n, p in layer.state_dict().items() if n.endswith(f"l{k}")})
            hidden = alone(hidden)[0]
            if k < 2:
                hidden = torch.where(torch.rand(hidden.shape, generator=masks, device=device) >= 0.5, 2 * hidden, 0.0)
        assert_close(found.detach(), hidden.detach())
        assert torch.equal(masks.get_state(), layer.generator.get_state())
        assert not torch.equal(layer(x)[0], found), "a new mask each time"
        twin = copy.deepcopy(layer)
        assert torch.equal(twin(x)[0], layer(x)[0])
        before = layer.generator.get_state()
        theirs = RECURRENT[kind][4](3, 5, 3, batch_first=True, device=device)
        theirs.load_state_dict(layer.state_dict())
        assert_close(layer.eval()(x)[0].detach(), theirs(x)[0].detach())
        assert torch.equal(layer.generator.get_state(), before)
        assert make(3, 5, num_layers=2, generator=source(2, device)).generator is None

    def refusals(make, device):
        name, draw = make.__name__, source(0, device)
        for sizes, layers in (((0, 3), 1), ((3, 0), 1), ((3, 3), 0)):
            refuses(lambda s=sizes, n=layers: make(*s, num_layers=n, generator=draw), ValueError, name, "1 or more")
        for p, layers in ((-0.1, 2), (1.1, 2), (math.nan, 2), (0.5, 1)):
            words = (name, f"dropout={p}", f"num_layers={layers}", "[0, 1]", "between them")
            refuses(lambda p=p, n=layers: make(2, 2, num_layers=n, dropout=p, generator=draw), ValueError, *words)
        layer = make(3, 5, num_layers=2, bidirectional=True, generator=draw)
        for shape in ((2, 3), (2, 4, 2), (2, 0, 3), (1, 2, 4, 3)):
            x = torch.zeros(shape, device=device)
            refuses(lambda x=x: layer(x), ValueError, name, str(shape), "(batch, time, 3)", "x[None]")
        x, good = torch.zeros(2, 4, 3, device=device), torch.zeros(4, 2, 5, device=device)
        for lengths in ([1], [1, 2, 3], 3):
            lengths = torch.tensor(lengths, device=device)
            refuses(lambda n=lengths: layer(x, lengths=n), ValueError, name, str(tuple(lengths.shape)), "(2,)")
        for lengths in ([0, 2], [2, 5]):
            refuses(lambda n=lengths: layer(x, lengths=torch.tensor(n, device=device)), ValueError, "from 1 to 4")
        wanted = "a tuple (hidden, cell)" if parts > 1 else "a tensor"
        words = (name, wanted, "(4, 2, 5)", "(layers * directions, batch, hidden)")
        for wrong in (good[:1], good[:, :1], good[:, :, :1], good[0]):  # some would fit by broadcasting
            for place in range(parts):
                state = as_state([wrong if i == place else good for i in range(parts)])
                refuses(lambda s=state: layer(x, s), ValueError, *words, str(tuple(wrong.shape)))
        refuses(lambda: layer(x, good if parts > 1 else (good, good)), ValueError, *words)
        refuses(lambda: layer(x, (good,)), ValueError, *words)

    return oracle


def rnn_class(make, device):
    """And with another activation."""
    recurrent_class("RNN")(make, device)
    ours = make(3, 5, num_layers=2, activation=torch.relu, generator=source(0, device))
    theirs = torch.nn.RNN(3, 5, 2, nonlinearity="relu", batch_first=True, device=device)
    theirs.load_state_dict(ours.state_dict())
    x = random(2, 4, 3, dtype=torch.float32, device=device)
    assert_close(layer_run(ours)(x).detach(), layer_run(theirs)(x).detach())


def gated(kind, device):
    """torch's layer, two layers in both directions, and torch's cell in float64; with the ends of parameters' names."""
    cell, layer = RECURRENT[kind][3:]
    for made, suffixes in (
        (layer(3, 40, 2, bidirectional=True, device=device), ("_l0", "_l0_reverse", "_l1", "_l1_reverse")),
        (cell(3, 40, device=device).double(), ("",)),
    ):
        for i, p in enumerate(made.parameters()):
            p.data.copy_(random(*p.shape, seed=i))
        yield made, suffixes


def left_after_a_step(kind, layer, suffix):
    """What torch's cell keeps of a memory of 1, when weights are 0 and the candidate is 0: the gate that keeps."""
    parts, cell = RECURRENT[kind][1:3]
    weights = [torch.zeros_like(getattr(layer, name + suffix)) for name in ("weight_ih", "weight_hh")]
    biases = [getattr(layer, name + suffix).detach().view(-1, 40).clone() for name in ("bias_ih", "bias_hh")]
    for bias in biases:
        bias[2] = 0  # the candidate's: LSTM i, f, g, o; GRU r, z, n
    one = weights[0].new_ones(1, 40)
    x = weights[0][:1]
    return as_tuple(cell(x, as_state([one] * parts), *weights, *(bias.flatten() for bias in biases)))[-1][0].detach()


def only_these_changed(before, layer, gates):
    """Weights, and the biases of all other gates, are as before; bias_hh is 0 where bias_ih was set."""
    for name, value in layer.state_dict().items():
        for gate, (now, then) in enumerate(zip(value.split(40), before[name].split(40), strict=True)):
            if "weight" in name or gate not in gates:
                assert torch.equal(now, then), f"{name} changed"
            elif "bias_hh" in name:
                assert not now.any()
    assert all(p.requires_grad for p in layer.parameters())


def forget_bias(function, device):
    """What is kept of the memory is sigmoid(value), in every layer and direction; nothing else changes."""
    for value in (2.0, -1.5, 0.0):
        for layer, suffixes in gated("LSTM", device):
            before = copy.deepcopy(layer.state_dict())
            assert function(layer, value) is layer
            only_these_changed(before, layer, {1})
            for suffix in suffixes:
                kept = left_after_a_step("LSTM", layer, suffix)
                assert_close(kept, torch.sigmoid(torch.full_like(kept, value)))
    for wrong in (
        torch.nn.GRU(3, 4, device=device),
        torch.nn.RNN(3, 4, device=device),
        torch.nn.LSTM(3, 4, bias=False, device=device),
        torch.nn.Linear(3, 4, device=device),
    ):
        refuses(lambda w=wrong: function(w, 1.0), ValueError, type(wrong).__name__, "an LSTM or LSTMCell", "biases")


def chrono(function, device):
    """A unit's memory, 1 / (1 - what is kept), is uniform in 2 to `longest`; an LSTM lets in as much as it forgets."""
    for (kind, gates), longest in product((("LSTM", {0, 1}), ("GRU", {1})), (2, 3, 100)):
        for layer, suffixes in gated(kind, device):
            before, draw, again = copy.deepcopy(layer.state_dict()), source(4, device), source(4, device)
            with global_stream_untouched():
                assert function(layer, longest, generator=draw) is layer
            only_these_changed(before, layer, gates)
            for suffix in suffixes:
                memory = 1 / (1 - left_after_a_step(kind, layer, suffix))
                wanted = 1 + torch.empty(40, device=device).uniform_(1, longest - 1, generator=again).to(memory)
                torch.testing.assert_close(memory, wanted, rtol=1e-4, atol=0)
                if kind == "LSTM":
                    i, f = getattr(layer, "bias_ih" + suffix).detach().split(40)[:2]
                    assert_close(torch.sigmoid(i), 1 - torch.sigmoid(f))
            assert torch.equal(draw.get_state(), again.get_state())
    layer, draw = torch.nn.GRUCell(1, 100, device=device), source(0, device)
    memory = 1 + torch.cat([function(layer, 50, generator=draw).bias_ih.split(100)[1].exp() for _ in range(200)])
    assert memory.mean().item() == pytest.approx(26, rel=0.02)
    assert memory.var().item() == pytest.approx(48**2 / 12, rel=0.03)
    here = function(torch.nn.LSTMCell(1, 3, device=device), 9, generator=source(0, "cpu"))  # a generator elsewhere too
    assert here.bias_ih.device == here.weight_ih.device
    plain, unbiased = torch.nn.RNN(3, 4, device=device), torch.nn.GRU(3, 4, bias=False, device=device)
    for wrong in (plain, unbiased, torch.nn.Identity()):
        words = (type(wrong).__name__, "an LSTM, a GRU or a cell of either", "biases")
        refuses(lambda w=wrong: function(w, 9, generator=draw), ValueError, *words)
    for longest in (1, -3):
        words = (f"longest={longest}", "2 or more")
        refuses(lambda n=longest: function(layer, n, generator=draw), ValueError, *words)


def gradient_flow(function, device):
    """The largest singular value of the whole Jacobian, from any state to the last hidden state; exact."""
    with global_stream_untouched():
        for kind, dtype in product(RECURRENT, DTYPES):
            _, parts, _, reference, _ = RECURRENT[kind]
            for batch, time, hidden in ((2, 4, 3), (1, 1, 2), (3, 2, 1)):
                with torch.random.fork_rng(devices=[]):
                    cell = reference(2, hidden, device=device).to(dtype)
                for p in cell.parameters():
                    p.data.copy_(random(*p.shape, seed=1))
                x = random(batch, time, 2, dtype=dtype, device=device)
                state = [random(batch, hidden, seed=i + 1, dtype=dtype, device=device) for i in range(parts)]
                with torch.no_grad():  # it switches slopes on for itself, and off again
                    found = function(cell, x, as_state(state))
                    assert not torch.is_grad_enabled()
                assert not found.requires_grad
                assert all(p.grad is None for p in cell.parameters())
                assert_close(found, jacobian_norms(cell, x, state))
    ones, zeros = torch.ones(2, 3, 1, device=device), torch.zeros(2, 2, device=device)
    forgetful = torch.nn.Linear(1, 2, device=device)
    assert function(lambda x, h: forgetful(x), ones, zeros).tolist() == [[0, 0, 1]] * 2

    def steep_or_not(x, h):
        return torch.where(x > 0, 1e30, 0.5) * h

    signs = torch.tensor([1.0, -1.0], device=device)[:, None, None]
    assert function(steep_or_not, signs * ones, zeros).tolist() == [[INF, pytest.approx(1e30), 1], [0.25, 0.5, 1]]
    refuses(lambda: function(steep_or_not, ones[:, :0], zeros), ValueError, "(2, 0, 1)", "one step")


def jacobian_norms(cell, x, state):
    """By torch.autograd.functional, example by example and step by step."""
    rows = []
    for n in range(len(x)):
        now, row = [part[n] for part in state], []
        for t in range(x.shape[1]):
            now = [part[0].detach() for part in as_tuple(cell(x[n : n + 1, t], as_state([p[None] for p in now])))]

            def later(flat, n=n, t=t, now=now):
                parts = [p[None] for p in flat.split(len(now[0]))]
                for u in range(t + 1, x.shape[1]):
                    parts = as_tuple(cell(x[n : n + 1, u], as_state(parts)))
                return parts[0][0]

            jacobian = torch.autograd.functional.jacobian(later, torch.cat(now))
            row.append(torch.linalg.svdvals(jacobian)[0])
        rows.append(torch.stack(row))
    return torch.stack(rows)


SQUARES = [
    ([[0.5]], 0.5),
    ([[-3.0, 0.0], [7.0, 2.0]], 3.0),
    ([[0.0, 2.0], [-2.0, 0.0]], 2.0),  # a turn: the eigenvalues are +-2i
    ([[1.0, 5.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.5]], 1.5),
]


def spectral_radius(function, device):
    """Cases by hand, and numpy's eigenvalues; what is not square is refused."""
    for rows, wanted in (*SQUARES, ([[0.0, 9.0], [0.0, 0.0]], 0.0)):
        for dtype in DTYPES:
            found = function(torch.tensor(rows, dtype=dtype, device=device))
            assert (found.shape, found.dtype, found.device.type) == ((), dtype, device.type)
            assert found.item() == pytest.approx(wanted, rel=1e-5, abs=1e-6)
    matrix = random(7, 7, device=device)
    assert function(matrix).item() == pytest.approx(abs(np.linalg.eigvals(matrix.cpu().numpy())).max())
    for shape in ((3, 4), (4, 3), (3,), (2, 3, 3)):
        refuses(lambda s=shape: function(torch.zeros(s, device=device)), ValueError, str(shape), "square", "chunk(4)")


def scale_spectral_radius(function, device):
    """In place, parameters and parts of them too; directions stay."""
    for (rows, _), radius in product(SQUARES, (0.25, 1.0, 3.0)):
        weight = torch.nn.Parameter(torch.tensor(rows, device=device))
        before = weight.detach().clone()
        assert function(weight, radius) is weight
        assert weight.requires_grad
        assert weight.is_leaf
        assert abs(np.linalg.eigvals(weight.detach().cpu().numpy())).max() == pytest.approx(radius, rel=1e-5)
        scale = weight.detach().flatten()[before.flatten() != 0] / before.flatten()[before.flatten() != 0]
        assert_close(scale, scale[:1].expand_as(scale))
        assert scale[0] > 0
    blocks = random(8, 2, device=device)
    rest = blocks[:6].clone()
    function(blocks.chunk(4)[3], 0.5)
    assert torch.equal(blocks[:6], rest)
    assert abs(np.linalg.eigvals(blocks[6:].cpu().numpy())).max() == pytest.approx(0.5)
    assert not function(rest[:2], 0.0).any()
    for matrix, radius in (([[0.0, 9.0], [0.0, 0.0]], 1.0), ([[2.0]], -1.0), ([[2.0]], math.nan)):
        weight = torch.tensor(matrix, device=device)
        refuses(lambda w=weight, r=radius: function(w, r), ValueError, f"radius={radius}", "0 or more")
        assert weight.tolist() == matrix
    refuses(lambda: function(torch.zeros(2, 3, device=device), 1.0), ValueError, "(2, 3)", "square")


# --- sub-pixel layers, spectral norm, the networks of a GAN, the average of weights (chapter 12) ----------------------


def pixel_shuffle(function, device):
    """torch's value and slope, for any factor and layout; refusals."""
    for (shape, factor), dtype in product(
        (((2, 8, 3, 2), 2), ((1, 9, 1, 1), 3), ((2, 3, 2, 4), 1), ((1, 32, 2, 3), 4)), DTYPES
    ):
        x = random(*shape, dtype=dtype, device=device)
        for form in (x, turned(x), x.flip(2)):
            agree(lambda t, r=factor: function(t, r), lambda t, r=factor: F.pixel_shuffle(t, r), form)
    assert function(torch.zeros(0, 4, 2, 3, device=device), 2).shape == (0, 1, 4, 6)  # torch's own slope fails here
    with own_messages():
        assert function(torch.zeros(1, 4, 2, 2, device=device), np.int64(2)).shape == (1, 1, 4, 4)
    for shape in ((1, 6, 2, 2), (4, 2, 2), (1, 4, 4, 2, 2), (1, 5, 2, 2)):
        x = torch.zeros(shape, device=device)
        refuses(lambda x=x: function(x, 2), ValueError, str(shape), "factor=2", "multiple of 4", "2 x 2")
    refuses(lambda: function(x, 3), ValueError, "factor=3", "multiple of 9", "3 x 3")
    for factor in (0, -1, 2.0, True):
        refuses(lambda r=factor: function(x, r), ValueError, f"factor={factor!r}", "1 or more")


def pixel_shuffle_class(make, device):
    """A layer without parameters, called as torch's."""
    for factor in (1, 2, 3):
        layer, x = make(factor), random(2, 2 * factor**2, 3, 2, device=device)
        agree(layer, torch.nn.PixelShuffle(factor), x)
        assert repr(layer) == f"PixelShuffle({factor})"
        assert not layer.state_dict()
    for factor in (0, 2.0):
        refuses(lambda r=factor: make(r), ValueError, "PixelShuffle", f"factor={factor!r}", "1 or more")


def power_iteration(function, device):
    """By the singular values: k steps multiply u's part along direction i by s_i^2k, and v's by s_i^(2k - 1)."""
    for (rows, columns), steps in product(((4, 6), (5, 2), (3, 3), (1, 4), (4, 1)), (1, 2, 7)):
        exact, start = random(rows, columns, seed=rows), random(rows, seed=columns)
        left, values, right = torch.linalg.svd(exact, full_matrices=False)
        parts = left.T @ start
        u, v = left @ (parts * values ** (2 * steps)), right.T @ (parts * values ** (2 * steps - 1))
        u, v = u / u.norm(), v / v.norm()
        for dtype, scale in ((torch.float64, 1.0), (torch.float32, 1.0), (torch.float32, 1e-9), (torch.float32, 1e15)):
            matrix = (scale * exact).to(device, dtype).requires_grad_()
            began = start.to(device, dtype)
            before = began.clone(), matrix.detach().clone()
            found = function(matrix, began, steps)
            for ours, wanted in zip(found, (u @ (scale * exact) @ v, u, v), strict=True):
                wanted = wanted.to(device, dtype)
                assert_close(
                    ours.detach() / (scale if ours.ndim == 0 else 1), wanted / (scale if ours.ndim == 0 else 1)
                )
            (slope,) = torch.autograd.grad(found[0], matrix)
            assert_close(slope, torch.outer(u, v).to(device, dtype))
            assert not found[1].requires_grad
            assert not found[2].requires_grad
            assert torch.equal(began, before[0])
            assert torch.equal(matrix.detach(), before[1])
    zero = function(torch.zeros(2, 3, device=device), torch.ones(2, device=device), 2)
    assert [part.abs().sum().item() for part in zero] == [0, 0, 0]
    square = torch.eye(3, device=device)
    with own_messages():
        again = function(2 * square, square[0], np.int64(1))
    assert (again[0].item(), again[1].tolist()) == (2, [1, 0, 0])
    for steps in (0, -1, 1.0):
        refuses(lambda n=steps: function(square, square[0], n), ValueError, f"steps={steps!r}", "1 or more")
    for wrong, u in ((square, square), (square, square[0, :2]), (square[:2], square[0]), (square[None], square[0])):
        words = (str(tuple(wrong.shape)), str(tuple(u.shape)), "(out, features)", "flatten(1)")
        refuses(lambda m=wrong, u=u: function(m, u, 1), ValueError, *words)


def spectral_layers(device):
    """(layer, an input for it, how long u is): matrices, kernels, groups, transposed ones."""
    t = torch.nn
    yield t.Linear(6, 4, device=device), (5, 6), 4
    yield t.Linear(1, 3, bias=False, device=device), (2, 1), 3
    yield t.Conv2d(2, 5, (3, 2), device=device), (2, 2, 4, 4), 5
    yield t.Conv2d(4, 6, 2, groups=2, device=device), (1, 4, 3, 3), 6
    yield t.ConvTranspose2d(3, 4, 2, device=device), (2, 3, 2, 3), 4
    yield t.Conv1d(2, 3, 2, device=device), (2, 2, 5), 3
    yield t.ConvTranspose1d(2, 3, 2, device=device), (2, 2, 5), 3


def agree_with_state(ours, theirs, run, judge):
    """Same value and slopes of the parameters, where names differ and calls change the state."""
    values = [run(ours), judge(theirs)]
    cotangent = random(*values[0].shape, seed=1, dtype=values[0].dtype, device=values[0].device) + 0.5
    assert_close(values[0].detach(), values[1].detach())
    slopes = []
    for module, value in zip((ours, theirs), values, strict=True):
        named = {"bias" if name == "bias" else "weight": p for name, p in module.named_parameters()}
        slopes.append(dict(zip(named, torch.autograd.grad(value, list(named.values()), cotangent), strict=True)))
    assert slopes[0].keys() == slopes[1].keys()
    for name, slope in slopes[0].items():
        assert_close(slope, slopes[1][name])


def spectral_norm(function, device):
    """torch.nn.utils.spectral_norm's weights, slopes and directions, step by step, from the same start."""
    for steps, training in product((None, 1, 3), (True, False)):
        options = {} if steps is None else {"power_steps": steps}
        with torch.random.fork_rng(devices=[]):
            layers = list(spectral_layers(device))
        for layer, shape, length in layers:
            layer.double().train(training)
            with torch.random.fork_rng(devices=[]):
                theirs = torch.nn.utils.spectral_norm(copy.deepcopy(layer).train(), n_power_iterations=15)
            draw, again = source(3, device), source(3, device)
            theirs.weight_u = torch.randn(length, generator=again, device=device).double()
            x = random(*shape, device=device)
            theirs(x)  # the first 15 steps
            with global_stream_untouched():
                assert function(layer, generator=draw, **options) is layer
            assert torch.equal(draw.get_state(), again.get_state())
            scaling = layer.parametrizations.weight[0]
            assert all(module.training == training for module in layer.modules())
            assert [*layer.state_dict()][-3:] == [
                "parametrizations.weight.original",
                "parametrizations.weight.0.u",
                "parametrizations.weight.0.v",
            ]
            for _, hook in theirs._forward_pre_hooks.items():
                hook.n_power_iterations = steps or 1
            for mode in (False, True, True, False, True):
                layer.train(mode)
                theirs.train(mode)
                with full_precision():
                    agree_with_state(layer, theirs, lambda m, x=x: m(x), lambda m, x=x: m(x))
                assert_close(scaling.u, theirs.weight_u)
                assert_close(scaling.v, theirs.weight_v)
            both = layer(x).sum() + layer(x).sum()  # two passes before one way back, as in a discriminator's step
            both.backward()
    t = torch.nn
    here = function(t.Linear(2, 2, device=device), generator=source(0, "cpu"))  # a generator elsewhere too
    assert here.weight.device.type == device.type
    assert "power_steps=1" in repr(here)
    draw = source(0, device)
    for wrong in (t.ReLU(), t.BatchNorm1d(3, device=device), t.Sequential(t.Linear(2, 2, device=device))):
        refuses(lambda w=wrong: function(w, generator=draw), ValueError, type(wrong).__name__, "a weight (out, ...)")
    refuses(lambda: function(here, generator=draw), ValueError, "parametrised already")
    zero = t.Linear(3, 2, device=device)
    zero.weight.data.zero_()
    refuses(lambda: function(zero, generator=draw), ValueError, "(2, 3)", "sigma 0", "above 0")
    assert not torch.nn.utils.parametrize.is_parametrized(zero)
    for steps in (0, 1.5):
        layer = t.Linear(3, 2, device=device)
        refuses(lambda n=steps, w=layer: function(w, power_steps=n, generator=draw), ValueError, f"power_steps={steps}")


def gan_generator(function, device):
    """A perceptron of torch's own layers, drawn in this order; the last layer is bent only for pictures."""
    t = torch.nn
    for options, (latent, hidden), bounded in (
        ({"shape": (2,)}, (64, (128, 128, 128)), False),
        ({"shape": (1, 8, 8), "latent": 3, "hidden": (5,), "bounded": True}, (3, (5,)), True),
        ({"shape": [2, 3], "latent": 1, "hidden": [4, 7]}, (1, (4, 7)), False),
        ({"shape": torch.Size([3]), "latent": 2, "hidden": (), "bounded": True}, (2, ()), True),
    ):
        shape = tuple(options["shape"])

        def theirs(generator, shape=shape, latent=latent, hidden=hidden, bounded=bounded):
            layers = []
            for a, b in pairwise((latent, *hidden, math.prod(shape))):
                layers += [he(t.Linear(a, b, device=device), generator), t.ReLU()]
            layers[-1] = t.Unflatten(1, shape)
            return t.Sequential(*layers, *([t.Sigmoid()] if bounded else []))

        build = lambda generator, o=options: function(**o, generator=generator)  # noqa: E731
        equals_network(build, theirs, {}, (4, latent), device)
    refuses_gan_sizes(lambda **o: function(**{"shape": (2,), **o}, generator=source(0, device)), "latent", "hidden")
    for shape in ((), 2, 2.0):
        words = ("gan_generator", f"shape={shape!r}", "list of sizes")
        refuses(lambda s=shape: function(s, generator=source(0, device)), ValueError, *words)


def refuses_gan_sizes(call, *names):
    """A number below 1 or not whole, where a number or a list of them is wanted."""
    for name in names:
        for size in (0, 2.5):
            wrong = (3, size) if name == "hidden" else size
            said = f"hidden[1]={size}" if name == "hidden" else f"{name}={size}"
            refuses(lambda w=wrong, n=name: call(**{n: w}), ValueError, said, "1 or more")
    if "hidden" in names:
        refuses(lambda: call(hidden=3), ValueError, "hidden=3", "list of sizes")


def gan_discriminator(function, device):
    """A perceptron of torch's own layers, with leaky ReLUs of slope 0.2, and one number for each example."""
    t = torch.nn
    for options, hidden in (
        ({"shape": (2,)}, (128, 128, 128)),
        ({"shape": (1, 3, 2), "hidden": [5]}, (5,)),
        ({"shape": [4, 2], "hidden": (3, 6)}, (3, 6)),
        ({"shape": (3,), "hidden": ()}, ()),
    ):
        shape = tuple(options["shape"])

        def theirs(generator, shape=shape, hidden=hidden):
            layers = [t.Flatten()]
            for a, b in pairwise((math.prod(shape), *hidden, 1)):
                layers += [he(t.Linear(a, b, device=device), generator), t.LeakyReLU(0.2)]
            return t.Sequential(*layers[:-1], t.Flatten(0))

        build = lambda generator, o=options: function(**o, generator=generator)  # noqa: E731
        equals_network(build, theirs, {}, (4, *shape), device)
    refuses_gan_sizes(lambda **o: function(**{"shape": (2,), **o}, generator=source(0, device)), "hidden")
    for shape in ((), 2):
        words = ("gan_discriminator", f"shape={shape!r}", "list of sizes")
        refuses(lambda s=shape: function(s, generator=source(0, device)), ValueError, *words)
    refuses(lambda: function((2, 0), generator=source(0, device)), ValueError, "shape[1]=0", "1 or more")


def refuses_gan_images(function, caller, device, *names):
    """Sizes that no two halvings give, and numbers below 1."""
    for image in ((1, 28, 26), (1, 27, 28), (28, 28), (1, 1, 28, 28), (1, 6, 8)):
        words = (f"{caller}(image={image})", "multiples of 4")
        refuses(lambda i=image: function(i, generator=source(0, device)), ValueError, *words)
    for image, words in (
        (28, (f"{caller}(image=28)", "list of sizes")),
        ((0, 8, 8), ("image[0]=0", "1 or more")),
        ((1, 0, 8), ("image[1]=0", "1 or more")),
        ((1, 8, 8.0), ("image[2]=8.0", "1 or more")),
    ):
        refuses(lambda i=image: function(i, generator=source(0, device)), ValueError, *words)
    refuses_gan_sizes(lambda **o: function((1, 8, 8), **o, generator=source(0, device)), *names)


def subpixel_generator(function, device):
    """Small maps enlarged twice, of torch's own layers."""
    t = torch.nn
    for options, (channels, height, columns), latent, width in (
        ({}, (1, 28, 28), 64, 16),
        ({"image": (3, 8, 12), "latent": 5, "width": 3}, (3, 8, 12), 5, 3),
        ({"image": [1, 4, 8], "width": 1}, (1, 4, 8), 64, 1),
    ):

        def theirs(generator, c=channels, h=height // 4, v=columns // 4, latent=latent, w=width):
            layers = {
                "linear": he(t.Linear(latent, 2 * w * h * v, device=device), generator),
                "maps": t.Unflatten(1, (2 * w, h, v)),
                "norm1": t.BatchNorm2d(2 * w, device=device),
                "relu1": t.ReLU(),
                "conv1": he(t.Conv2d(2 * w, 4 * w, 3, padding=1, device=device), generator),
                "shuffle1": t.PixelShuffle(2),
                "norm2": t.BatchNorm2d(w, device=device),
                "relu2": t.ReLU(),
                "conv2": he(t.Conv2d(w, 4 * c, 3, padding=1, device=device), generator),
                "shuffle2": t.PixelShuffle(2),
                "sigmoid": t.Sigmoid(),
            }
            return t.Sequential(OrderedDict(layers))

        equals_network(function, theirs, options, (3, latent), device, norm="BatchNorm2d")
    refuses_gan_images(function, "subpixel_generator", device, "latent", "width")


def conv_discriminator(function, device):
    """Three convolutions with leaky ReLUs and a linear layer, torch's own."""
    t = torch.nn
    for options, (channels, height, columns), width in (
        ({}, (1, 28, 28), 16),
        ({"image": (3, 8, 12), "width": 3}, (3, 8, 12), 3),
        ({"image": [1, 4, 8], "width": 1}, (1, 4, 8), 1),
    ):

        def theirs(generator, c=channels, h=height, v=columns, w=width):
            layers = {}
            for i, (a, b, kernel) in enumerate(((c, w, 4), (w, 2 * w, 4), (2 * w, 4 * w, 3)), 1):
                layers[f"conv{i}"] = he(t.Conv2d(a, b, kernel, 2, padding=1, device=device), generator)
                layers[f"relu{i}"] = t.LeakyReLU(0.2)
            layers["flatten"] = t.Flatten()
            layers["linear"] = he(t.Linear(4 * w * -(h // -8) * -(v // -8), 1, device=device), generator)
            layers["logits"] = t.Flatten(0)
            return t.Sequential(OrderedDict(layers))

        equals_network(function, theirs, options, (3, channels, height, columns), device)
    refuses_gan_images(function, "conv_discriminator", device, "width")


def averaged_pair(device):
    """Two networks of one make with unlike numbers: the average and the model."""
    t, pair = torch.nn, []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            net = t.Sequential(t.Linear(3, 4), t.BatchNorm1d(4), t.ReLU(), t.Linear(4, 2)).to(device)
        for i, p in enumerate(net.parameters()):
            p.data = random(*p.shape, seed=seed + 10 * i, dtype=torch.float32, device=device)
        for _ in range(seed + 1):
            net(random(5, 3, seed=seed, dtype=torch.float32, device=device)).sum().backward()
        pair.append(net)
    pair[0].eval()[0].weight.requires_grad_(False)
    return pair


def moving_average(function, device):
    """decay * average + (1 - decay) * model for parameters, buffers copied; nothing else is touched."""
    for decay in (0.0, 0.25, 0.5, 0.9, 0.999, 1.0):
        average, model = averaged_pair(device)
        mine, theirs = (copy.deepcopy(net.state_dict()) for net in (average, model))
        slopes = [p.grad.clone() for net in (average, model) for p in net.parameters()]
        names = {name for name, _ in average.named_parameters()}
        assert function(average, model, decay) is None
        for name, value in average.state_dict().items():
            if name in names:
                wanted = decay * mine[name].double() + (1 - decay) * theirs[name].double()
                assert_close(value, wanted.float())
            else:
                assert torch.equal(value, theirs[name])
        assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())
        assert all(p.grad.equal(s) for p, s in zip((*average.parameters(), *model.parameters()), slopes, strict=True))
        assert [p.requires_grad for p in average.parameters()] == [False, *[True] * 5]
        assert not any(p.grad_fn for p in average.parameters())
        assert not any(module.training for module in average.modules())
        assert all(module.training for module in model.modules())
    wide, model = averaged_pair(device)
    function(wide.double(), model, 0.5)  # an average with more digits
    assert {t.dtype for t in wide.parameters()} == {torch.float64}
    average, model = averaged_pair(device)
    before = copy.deepcopy(average.state_dict())
    for decay in (-0.1, 1.1, math.nan):
        refuses(lambda d=decay: function(average, model, d), ValueError, f"decay={decay}", "[0, 1]")
    refuses(lambda: function(model, model, 0.5), ValueError, "'0.weight'", "own tensor", "deepcopy")
    tied = copy.deepcopy(average)
    tied[1].running_mean = model[1].running_mean
    refuses(lambda: function(tied, model, 0.5), ValueError, "'1.running_mean'", "own tensor")
    refuses(lambda: function(average, model[:3], 0.5), ValueError, "'3.bias'", "(2,)", "missing", "deepcopy")
    refuses(lambda: function(average[:3], model, 0.5), ValueError, "'3.bias'", "missing", "(2,)")
    other = torch.nn.Sequential(torch.nn.Linear(3, 1, device=device))
    refuses(lambda: function(average[:1], other, 0.5), ValueError, "'0.bias'", "(4,)", "(1,)")
    assert all(torch.equal(value, before[name]) for name, value in average.state_dict().items())
    bare = torch.nn.BatchNorm1d(2, affine=False, device=device), torch.nn.BatchNorm1d(3, affine=False, device=device)
    refuses(lambda: function(*bare, 0.5), ValueError, "'running_mean'", "(2,)", "(3,)")


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
    "nn.linear": linear,
    "nn.linear_definition": linear_definition,
    "nn.fans": fans,
    "nn.gain": gain,
    "nn.xavier_normal": drawn(lambda w, g, **o: torch.nn.init.xavier_normal_(w, generator=g, **o)),
    "nn.xavier_uniform": drawn(lambda w, g, **o: torch.nn.init.xavier_uniform_(w, generator=g, **o)),
    "nn.he_normal": drawn(kaiming("kaiming_normal_")),
    "nn.he_uniform": drawn(kaiming("kaiming_uniform_")),
    "nn.orthogonal": drawn(lambda w, g, **o: torch.nn.init.orthogonal_(w, generator=g, **o), more=rows_or_columns),
    "nn.dropout": dropout,
    "nn.moments": moments,
    "nn.batch_norm": batch_norm,
    "nn.batch_norm_definition": batch_norm_definition,
    "nn.layer_norm": layer_norm,
    "nn.layer_norm_definition": layer_norm_definition,
    "nn.conv2d": conv2d,
    "nn.conv2d_loops": conv2d,
    "nn.conv_transpose2d": conv_transpose2d,
    "nn.conv_transpose2d_loops": conv_transpose2d,
    "nn.max_pool2d": max_pool2d,
    "nn.max_pool2d_definition": max_pool2d,
    "nn.avg_pool2d": avg_pool2d,
    "nn.avg_pool2d_definition": avg_pool2d,
    "nn.adaptive_avg_pool2d": adaptive_avg_pool2d,
    "nn.adaptive_avg_pool2d_definition": adaptive_avg_pool2d,
    "nn.output_size": output_size,
    "nn.transposed_output_size": transposed_output_size,
    "nn.receptive_fields": receptive_fields,
    "nn.rnn_cell": rnn_cell,
    "nn.rnn_cell_definition": rnn_cell,
    "nn.lstm_cell": recurrent_cell("LSTM"),
    "nn.lstm_cell_definition": recurrent_cell("LSTM"),
    "nn.lstm_gates": lstm_gates,
    "nn.gru_cell": recurrent_cell("GRU"),
    "nn.gru_cell_definition": recurrent_cell("GRU"),
    "nn.gru_gates": gru_gates,
    "nn.unroll_steps": unroll_steps,
    "nn.unroll": unroll,
    "nn.length_mask": length_mask,
    "nn.detach": detach,
    "nn.forget_bias_": forget_bias,
    "nn.chrono_": chrono,
    "nn.gradient_flow": gradient_flow,
    "nn.spectral_radius": spectral_radius,
    "nn.scale_spectral_radius_": scale_spectral_radius,
    "hooks.capture": capture,
    "hooks.replace": replace,
    "models.perceptron_steps": perceptron_steps,
    "models.perceptron": final(trusted_steps("perceptron_steps", {"epochs": 1}, {"epochs": 5})),
    "models.logistic_steps": logistic_steps,
    "models.logistic": final(trusted_steps("logistic_steps", {"lr": 0.1, "steps": 0}, {"lr": 0.7, "steps": 5})),
    "models.two_layer": two_layer,
    "models.mlp": mlp,
    "models.lenet": lenet,
    "models.lenet_classic": lenet_classic,
    "models.resnet": resnet,
    # chapter 12
    "nn.pixel_shuffle": pixel_shuffle,
    "nn.pixel_shuffle_definition": pixel_shuffle,
    "nn.power_iteration": power_iteration,
    "nn.spectral_norm": spectral_norm,
    "models.gan_generator": gan_generator,
    "models.gan_discriminator": gan_discriminator,
    "models.subpixel_generator": subpixel_generator,
    "models.conv_discriminator": conv_discriminator,
    "training.moving_average_": moving_average,
}
# The same for our modules: an oracle makes the layer itself.
CLASSES = {
    "nn.Linear": linear_class,
    "nn.Dropout": dropout_class,
    "nn.BatchNorm": batch_norm_class,
    "nn.LayerNorm": layer_norm_class,
    "nn.Normalize": normalize_class,
    "nn.Conv2d": layer2d(torch.nn.Conv2d, F.conv2d, transposed=False),
    "nn.ConvTranspose2d": layer2d(torch.nn.ConvTranspose2d, F.conv_transpose2d, transposed=True),
    "nn.ReceptiveField": receptive_field_class,
    "nn.RNNCell": rnn_cell_class,
    "nn.LSTMCell": recurrent_cell_class("LSTM"),
    "nn.GRUCell": recurrent_cell_class("GRU"),
    "nn.RNN": rnn_class,
    "nn.LSTM": recurrent_class("LSTM"),
    "nn.GRU": recurrent_class("GRU"),
    "models.ResidualBlock": residual_block_class,
    "nn.PixelShuffle": pixel_shuffle_class,
}
# What is handed on from torch: the very same class.
FROM_TORCH = {
    "nn.AdaptiveAvgPool2d": torch.nn.AdaptiveAvgPool2d,
    "nn.AvgPool2d": torch.nn.AvgPool2d,
    "nn.Flatten": torch.nn.Flatten,
    "nn.Identity": torch.nn.Identity,
    "nn.MaxPool2d": torch.nn.MaxPool2d,
    "nn.ReLU": torch.nn.ReLU,
    "nn.Sequential": torch.nn.Sequential,
    "nn.Tanh": torch.nn.Tanh,
}
