"""Convolutions, pools and receptive fields on shapes that nobody chose, and what each of them promises."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import agree, full_precision, inside, laid_out, random, seen, turned
from dlcourse_tolerance import assert_close
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.seeding import generator

seeds = st.integers(0, 2**31)
dtypes = st.sampled_from([torch.float32, torch.float64])
CPU = torch.device("cpu")
CONV2D, CONV_TRANSPOSE2D = laid_out(F.conv2d), laid_out(F.conv_transpose2d)


def pairs(least, most):
    """One number, or (rows, columns)."""
    number = st.integers(least, most)
    return st.one_of(number, st.tuples(number, number))


def both(value):
    return (value, value) if isinstance(value, int) else value


@st.composite
def convolutions(draw, transposed=False):
    """(x, weight, bias or not, options) that fit: any batch, groups up to one for each channel, any memory layout."""
    groups = draw(st.integers(1, 3))
    ins, outs = (groups * draw(st.integers(1, 3)) for _ in range(2))
    stride, dilation, padding = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(0, 2))
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, both(dilation), strict=True)]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transposed:
        options["output_padding"] = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(both(stride), both(dilation), strict=True)
        )
        # as many cells as leave a pixel when the padding is taken away
        least = [
            max(1, math.ceil((2 * p + 1 - n) / s) + 1)
            for n, p, s in zip(spans, both(padding), both(stride), strict=True)
        ]
    else:
        least = [max(1, n - 2 * p) for n, p in zip(spans, both(padding), strict=True)]  # this one just fits
    size = [n + draw(st.integers(0, 4)) for n in least]
    seed, dtype = draw(seeds), draw(dtypes)
    weights = (ins, outs // groups, *kernel) if transposed else (outs, ins // groups, *kernel)
    shapes = [(draw(st.integers(0, 3)), ins, *size), weights, *[(outs,)] * draw(st.booleans())]
    inputs = [random(*shape, seed=seed + i, scale=0.2, dtype=dtype) for i, shape in enumerate(shapes)]
    return [turned(t) if draw(st.booleans()) else t for t in inputs], options


@given(convolutions())
def test_conv2d(case):
    inputs, options = case
    agree(lambda *a: nn.conv2d(*a, **options), lambda *a: CONV2D(*a, **options), *inputs)


@given(convolutions(transposed=True))
def test_conv_transpose2d(case):
    inputs, options = case
    agree(lambda *a: nn.conv_transpose2d(*a, **options), lambda *a: CONV_TRANSPOSE2D(*a, **options), *inputs)


@settings(max_examples=15)
@given(convolutions())
def test_conv2d_loops(case):
    inputs, options = case
    inputs[0] = inputs[0][:1]
    assert_close(nn.conv2d_loops(*inputs, **options), CONV2D(*inputs, **options))


@settings(max_examples=15)
@given(convolutions(transposed=True))
def test_conv_transpose2d_loops(case):
    inputs, options = case
    inputs[0] = inputs[0][:1]
    assert_close(nn.conv_transpose2d_loops(*inputs, **options), CONV_TRANSPOSE2D(*inputs, **options))


@given(convolutions())
def test_transposed_is_the_way_back_of_gradients(case):
    """The slope of x in conv2d is conv_transpose2d of the slope of what came out."""
    (x, weight, *_), options = case
    x = x.clone().requires_grad_()
    out = nn.conv2d(x, weight, **options)
    back = random(*out.shape, seed=1, dtype=x.dtype)
    (slope,) = torch.autograd.grad(out, x, back)
    each = zip(
        x.shape[2:],
        out.shape[2:],
        weight.shape[2:],
        *(both(options[o]) for o in ("stride", "padding", "dilation")),
        strict=True,
    )
    rest = tuple(n + 2 * p - ((m - 1) * s + (k - 1) * d + 1) for n, m, k, s, p, d in each)  # never looked at
    assert_close(nn.conv_transpose2d(back, weight, **options, output_padding=rest), slope)


@pytest.mark.parametrize("groups", [1, 2])
def test_second_derivatives(groups):
    x, weight, bias = (
        random(*shape, seed=i).requires_grad_() for i, shape in enumerate([(1, 2, 4, 3), (2, 2 // groups, 2, 2), (2,)])
    )
    options = {"stride": (2, 1), "padding": 1, "dilation": (1, 2), "groups": groups}
    assert torch.autograd.gradgradcheck(lambda *a: nn.conv2d(*a, **options), (x, weight, bias))
    x, weight, bias = (
        random(*shape, seed=i).requires_grad_() for i, shape in enumerate([(1, 2, 2, 3), (2, 1, 2, 2), (groups,)])
    )
    options["output_padding"] = (1, 0)
    assert torch.autograd.gradgradcheck(lambda *a: nn.conv_transpose2d(*a, **options), (x, weight, bias))


def test_slopes_of_slopes_equal_torchs():
    """Twice through: the slope of a function of the slopes, for every input."""
    inputs = [random(2, 3, 5, 4), random(4, 3, 2, 3, seed=1), random(4, seed=2)]
    found = []
    for function in (nn.conv2d, F.conv2d):
        leaves = [t.clone().requires_grad_() for t in inputs]
        slopes = torch.autograd.grad(function(*leaves, stride=2, padding=1).square().sum(), leaves, create_graph=True)
        found.append(torch.autograd.grad(sum(s.square().sum() for s in slopes), leaves))
    for ours, theirs in zip(*found, strict=True):
        assert_close(ours, theirs)


@st.composite
def pools(draw, dilated=False):
    """(x with ties and of one sign or both, kernel, options) that fit."""
    kernel = draw(pairs(1, 4))
    options = {"padding": tuple(draw(st.integers(0, k // 2)) for k in both(kernel))}
    if draw(st.booleans()):
        options["stride"] = draw(pairs(1, 4))
    dilation = draw(pairs(1, 3)) if dilated else 1
    if dilated:
        options["dilation"] = dilation
    spans = [(k - 1) * d + 1 for k, d in zip(both(kernel), both(dilation), strict=True)]
    size = [max(1, n - 2 * p) + draw(st.integers(0, 4)) for n, p in zip(spans, options["padding"], strict=True)]
    x = random(draw(st.integers(0, 2)), draw(st.integers(1, 3)), *size, seed=draw(seeds), scale=2, dtype=draw(dtypes))
    x = draw(st.sampled_from([lambda x: x, torch.round, lambda x: -x.abs(), lambda x: x.round().clamp(max=0)]))(x)
    if draw(st.booleans()):
        odd = draw(st.lists(st.sampled_from([math.nan, math.inf, -math.inf]), max_size=3))
        x.view(-1)[: len(odd)] = x.new_tensor(odd)[: x.numel()]
        x = x.flip(3) if draw(st.booleans()) else x
    return turned(x) if draw(st.booleans()) else x, kernel, options


@given(pools(dilated=True))
def test_max_pool2d(case):
    x, kernel, options = case
    assume(not F.max_pool2d(x, kernel, **options).isneginf().any())  # whose slope the padding may take
    agree(lambda x: nn.max_pool2d(x, kernel, **options), lambda x: F.max_pool2d(x, kernel, **options), x)
    assert_close(nn.max_pool2d_definition(x[:1], kernel, **options), F.max_pool2d(x[:1], kernel, **options))


@given(pools(), st.booleans())
def test_avg_pool2d(case, counted):
    x, kernel, options = case
    options["count_include_pad"] = counted
    agree(lambda x: nn.avg_pool2d(x, kernel, **options), lambda x: F.avg_pool2d(x, kernel, **options), x)
    assert_close(nn.avg_pool2d_definition(x[:1], kernel, **options), F.avg_pool2d(x[:1], kernel, **options))


@given(st.tuples(*[st.integers(1, 7)] * 2), pairs(1, 9), st.integers(0, 2), seeds, dtypes)
def test_adaptive_avg_pool2d(picture, size, batch, seed, dtype):
    x = turned(random(batch, 2, *picture, seed=seed, dtype=dtype))
    agree(lambda x: nn.adaptive_avg_pool2d(x, size), lambda x: F.adaptive_avg_pool2d(x, size), x)
    assert_close(nn.adaptive_avg_pool2d_definition(x[:1], size), F.adaptive_avg_pool2d(x[:1], size))


def test_pools_have_second_derivatives():
    x = torch.randperm(24, generator=generator(0)).double().reshape(1, 1, 4, 6).requires_grad_()
    for pool in (nn.max_pool2d, nn.avg_pool2d, nn.adaptive_avg_pool2d):
        assert torch.autograd.gradgradcheck(lambda x, pool=pool: pool(x, 2).square(), x)


def test_a_module_computes_what_the_function_computes(device):
    """Training runs through torch's convolution, the page shows ours."""
    for make, function in ((nn.Conv2d, nn.conv2d), (nn.ConvTranspose2d, nn.conv_transpose2d)):
        layer = make(4, 6, 3, stride=2, padding=1, groups=2, generator=torch.Generator(device).manual_seed(0))
        x = random(3, 4, 7, 6, scale=0.2, dtype=torch.float32, device=device)
        with full_precision():
            agree(layer, lambda x, f=function, m=layer: f(x, m.weight, m.bias, stride=2, padding=1, groups=2), x)


@st.composite
def stacks(draw):
    """Convolutions and average pools whose windows leave no pixel out: a stride is at most the kernel."""
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        kernel = [draw(st.integers(1, 4)) for _ in range(2)]
        stride = tuple(draw(st.integers(1, k)) for k in kernel)
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        if draw(st.booleans()):
            layers.append(torch.nn.Conv2d(1, 1, kernel, stride=stride, padding=padding, device=CPU))
        else:
            layers.append(torch.nn.AvgPool2d(kernel, stride=stride, padding=padding))
        layers += draw(st.sampled_from([[], [torch.nn.ReLU()], [nn.BatchNorm(1)], [torch.nn.Sequential(nn.Dropout())]]))
    return torch.nn.Sequential(*layers)


@settings(max_examples=30)
@given(stacks(), st.tuples(*[st.integers(0, 2)] * 2))
def test_a_receptive_field_is_where_the_slope_is_not_zero(stack, cell):
    """Pictures that give 3 x 3 units and leave no pixel over at the end."""
    size = (3, 3)
    for layer in [m for m in stack if hasattr(m, "kernel_size")][::-1]:
        moves = zip(size, layer.kernel_size, layer.stride, layer.padding, strict=True)
        size = tuple((n - 1) * s + k - 2 * p for n, k, s, p in moves)
    *_, field = nn.receptive_fields(stack).values()
    assert torch.equal(seen(stack, size, cell, CPU), inside(field.window(*cell), size, CPU))


def test_receptive_fields_of_a_residual_network():
    """He et al.'s small network, by gradient: the models of ours say what they are made of."""
    from dlcourse import models

    model = models.resnet(widths=(1, 1), generator=generator(0))
    fields = nn.receptive_fields(model)
    names = [name for name, _ in model.named_modules() if name and name not in ("pool", "flatten", "linear")]
    assert sorted(fields) == sorted(names)
    trunk = model[: [*model._modules].index("pool")]
    window = fields["block2_1"].window(3, 2)
    assert torch.equal(seen(trunk, (21, 17), (3, 2), CPU), inside(window, (21, 17), CPU))
