"""The layers on shapes that nobody chose: torch's values, slopes and running statistics, and what each one promises."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812, torch's own name for it
from dlcourse_oracles import RECURRENT, agree, random, same_state
from dlcourse_tolerance import assert_close
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.seeding import generator

seeds = st.integers(0, 2**31)
sizes = st.integers(1, 5)


def laid_out(x, contiguous):
    """The same numbers, in another order in memory if wanted."""
    return x if contiguous else x.transpose(0, -1).contiguous().transpose(0, -1)


# --- linear -----------------------------------------------------------------------------------------------------------


@given(front=st.lists(sizes, max_size=3), features=sizes, out=sizes, bias=st.booleans(), seed=seeds, tidy=st.booleans())
def test_linear(front, features, out, bias, seed, tidy):
    x = laid_out(random(*front, features, seed=seed), tidy)
    inputs = [x, laid_out(random(out, features, seed=seed + 1), tidy), *[random(out, seed=seed + 2)] * bias]
    agree(nn.linear, F.linear, *inputs)
    if len(front) == 1 and bias:
        agree(nn.linear_definition, F.linear, *inputs)


# --- initialisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "variance", "spread"),
    [
        (nn.xavier_normal, lambda i, o: 2 / (i + o), 2),
        (nn.xavier_uniform, lambda i, o: 2 / (i + o), 0.8),
        (nn.he_normal, lambda i, o: 2 / i, 2),
        (nn.he_uniform, lambda i, o: 2 / i, 0.8),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("shape", [(200, 30), (30, 200), (16, 8, 5, 5)])
def test_measured_variance(draw, variance, spread, shape):
    """Over ten seeds: n numbers give a variance within sqrt(spread / n) of the true one, as a rule; five times that."""
    weights = torch.stack([draw(shape, generator=generator(seed), dtype=torch.float64) for seed in range(10)])
    n, wanted = weights.numel(), variance(*nn.fans(shape))
    assert weights.var(correction=0).item() == pytest.approx(wanted, rel=5 * math.sqrt(spread / n))
    assert abs(weights.mean().item()) < 5 * math.sqrt(wanted / n)


@given(out=st.integers(1, 12), rest=st.lists(sizes, min_size=1, max_size=3), gain=st.floats(0.1, 3), seed=seeds)
def test_orthogonal_rows_or_columns(out, rest, gain, seed):
    weight = nn.orthogonal((out, *rest), gain=gain, generator=generator(seed), dtype=torch.float64)
    w = weight.flatten(1)
    product = w @ w.T if out <= w.shape[1] else w.T @ w
    assert_close(product, gain**2 * torch.eye(len(product), dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_rule_draws_half_precision(dtype):
    for draw in (nn.xavier_normal, nn.xavier_uniform, nn.he_normal, nn.he_uniform, nn.orthogonal):
        half, full = (draw((6, 4), generator=generator(0), dtype=d) for d in (dtype, torch.float32))
        assert half.dtype == dtype
        assert half.shape == full.shape
    torch.testing.assert_close(half.float(), full, rtol=0.01, atol=0.01)  # orthogonal: made in float32 and rounded


def through(depth, draw, bend, width=128):
    """Root mean square of a signal after so many layers, over what came in; in float64."""
    g = generator(0)
    first = h = torch.randn(64, width, generator=g, dtype=torch.float64)
    for _ in range(depth):
        h = bend(h @ draw((width, width), generator=g, dtype=torch.float64).T)
    return (h.square().mean() / first.square().mean()).sqrt().item()


def test_signals_keep_their_size():
    """What the file is for, and the number in its docstring."""
    assert 0.3 < through(50, nn.he_normal, torch.relu) < 3
    assert 0.3 < through(50, nn.he_uniform, torch.relu) < 3
    half = through(50, lambda shape, **options: nn.he_normal(shape, gain=1.0, **options), torch.relu)
    assert 1e7 < 1 / half < 1e8  # sqrt(2)^50 is 3.4e7
    assert through(50, nn.orthogonal, lambda h: h) == pytest.approx(1, rel=1e-10)
    assert 0.3 < through(50, nn.xavier_normal, lambda h: h) < 3


# --- dropout ----------------------------------------------------------------------------------------------------------


@given(shape=st.lists(st.integers(0, 5), max_size=3), p=st.floats(0, 1), seed=seeds)
def test_dropout_masks_and_scales_values_and_slopes_alike(shape, p, seed):
    x = random(*shape, seed=seed).requires_grad_()
    out = nn.dropout(x, p, generator=generator(seed))
    (slope,) = torch.autograd.grad(out.sum(), x)
    keep = (torch.rand(shape, generator=generator(seed)) >= p).double()
    assert_close(out.detach() * (1 - p), x.detach() * keep)
    assert_close(slope * (1 - p), keep)
    assert torch.equal(nn.dropout(x.detach().float(), p, generator=generator(seed)) == 0, out.detach().float() == 0)


def test_dropouts_with_one_generator_are_copied_together():
    """A copy of the model is at the same place of its own stream, of which its layers still share one."""
    g = generator(3)
    model = nn.Sequential(nn.Dropout(generator=g), nn.Dropout(generator=g))
    twin = copy.deepcopy(model)
    assert twin[0].generator is twin[1].generator is not g
    x = torch.ones(50)
    assert torch.equal(model(x), twin(x))
    state = g.get_state()
    twin(x)
    assert torch.equal(g.get_state(), state), "the copy's masks cost the original nothing"


# --- normalisation ----------------------------------------------------------------------------------------------------

tables = st.tuples(st.integers(2, 6), sizes)
images = st.tuples(st.integers(1, 4), sizes, sizes, sizes).filter(lambda shape: shape[0] * shape[2] * shape[3] > 1)


@given(
    shapes=st.one_of(
        st.tuples(st.lists(tables, min_size=1, max_size=4), st.just(torch.nn.BatchNorm1d)),
        st.tuples(st.lists(images, min_size=1, max_size=4), st.just(torch.nn.BatchNorm2d)),
    ),
    features=sizes,
    offset=st.sampled_from([0.0, 1.0, 1e4]),
    eps=st.sampled_from([1e-5, 1e-3, 0.5]),
    momentum=st.sampled_from([0.1, 0.3, 1.0]),
    constant=st.booleans(),
    tidy=st.booleans(),
    seed=seeds,
)
def test_batch_norm_over_several_batches(shapes, features, offset, eps, momentum, constant, tidy, seed):
    """Training mode, then evaluation mode: values, all slopes, and the state after each batch."""
    shapes, reference = shapes
    ours = nn.BatchNorm(features, eps=eps, momentum=momentum).double()
    theirs = reference(features, eps=eps, momentum=momentum).double()
    for p in theirs.parameters():
        p.data += random(features, seed=seed)
    ours.load_state_dict(theirs.state_dict())
    tolerance = 1e-10 if offset <= 1 else 1e-6  # far from 0, torch's own answer is off by 1e-9
    for i, shape in enumerate(shapes):
        x = random(shape[0], features, *shape[2:], seed=seed + i)
        if constant:
            x[:, 0] = 0.0
        x = laid_out(x + offset, tidy)
        compare(ours, theirs, x, tolerance)
        same_state(ours, theirs)
    ours.eval()
    theirs.eval()
    compare(ours, theirs, x[:1], tolerance)
    same_state(ours, theirs)


def compare(ours, theirs, x, tolerance):
    """Values and slopes of two modules, to an absolute and relative tolerance.

    Theirs gets x in order: for a channels-last x whose slope comes in another order, torch 2.13's batch norm has a
    wrong slope on the CPU (ours equals its definition there, see below).
    """
    results = []
    for module, order in ((ours, lambda x: x), (theirs, torch.Tensor.contiguous)):
        leaf = order(x.detach()).requires_grad_()
        out = module(leaf)
        weight = random(*out.shape, seed=9)
        results.append([out.detach(), *torch.autograd.grad(out, [leaf, *module.parameters()], weight)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@given(shape=st.one_of(tables, images), features=sizes, tidy=st.booleans(), seed=seeds)
def test_batch_norm_definition_is_the_function_on_its_own_moments(shape, features, tidy, seed):
    """Values and slopes, also where memory is in another order."""
    x = laid_out(random(shape[0], features, *shape[2:], seed=seed), tidy)
    agree(
        lambda x, weight, bias: nn.batch_norm(x, *nn.moments(x), weight, bias, eps=0.01),
        lambda x, weight, bias: nn.batch_norm_definition(x, weight, bias, eps=0.01),
        *(x, random(features, seed=1), random(features, seed=2)),
    )


@given(front=st.lists(sizes, max_size=3), features=st.integers(1, 6), offset=st.sampled_from([0.0, 1e4]), seed=seeds)
def test_layer_norm(front, features, offset, seed):
    theirs = torch.nn.LayerNorm(features).double()
    for p in theirs.parameters():
        p.data += random(features, seed=seed)
    ours = nn.LayerNorm(features).double()
    ours.load_state_dict(theirs.state_dict())
    x = offset + random(*front, features, seed=seed + 1)
    compare(ours, theirs, x, 1e-10 if not offset else 1e-6)
    if len(front) == 1:
        out = nn.layer_norm_definition(x, ours.weight, ours.bias)
        torch.testing.assert_close(ours(x), out, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 2, 3)])
def test_gradcheck(shape):
    """Slopes, and slopes of slopes, by finite differences: through the moments too."""
    x, weight, bias = random(*shape), random(shape[1], seed=1), random(shape[1], seed=2)
    last = random(shape[-1], seed=3), random(shape[-1], seed=4)

    def batch(x, weight, bias):
        return nn.batch_norm(x, *nn.moments(x), weight, bias, eps=0.01)

    for function, inputs in (
        (batch, (x, weight, bias)),
        (nn.batch_norm, (x, weight, bias.square() + 1, weight, bias)),
        (lambda *a: nn.layer_norm(*a, eps=0.01), (x, *last)),
    ):
        leaves = [t.clone().requires_grad_() for t in inputs]
        assert torch.autograd.gradcheck(function, leaves)
        assert torch.autograd.gradgradcheck(function, leaves)


def test_float32_far_from_zero():
    """Numbers around 10,000 of spread 1: float32 leaves three digits of each, and no more may be lost."""
    x = 1e4 + random(400, 3, dtype=torch.float32).double()
    x = x.float()
    wide = F.batch_norm(x.double(), None, None, training=True)
    layer = nn.BatchNorm(3, momentum=1.0)
    assert (layer(x) - wide).abs().max() < 5e-3
    torch.testing.assert_close(layer.running_var.double(), x.double().var(0), rtol=1e-3, atol=0)
    rows = nn.LayerNorm(400)(x.T.contiguous())
    assert (rows - F.layer_norm(x.double().T, (400,))).abs().max() < 5e-3


@given(scale=st.floats(0.5, 100), shift=st.floats(-100, 100), seed=seeds)
def test_scale_and_shift_of_what_comes_in_are_forgotten(scale, shift, seed):
    """So the layer before a batch norm needs no bias, and its weights' size does not matter."""
    x = random(6, 4, seed=seed)
    for function in (
        lambda x: nn.batch_norm(x, *nn.moments(x), ONE, ONE, eps=0.0),
        lambda x: nn.layer_norm(x, ONE, ONE, eps=0.0),
    ):
        torch.testing.assert_close(function(scale * x + shift), function(x), rtol=1e-6, atol=1e-6)


ONE = torch.ones(4, dtype=torch.float64)


def test_at_evaluation_an_answer_is_an_examples_own():
    x = random(5, 3, dtype=torch.float32)
    layer = nn.BatchNorm(3)
    assert not torch.allclose(layer(x)[:2], layer(x[:2]))
    layer.eval()
    assert torch.equal(layer(x)[:1], layer(x[:1]))


def test_a_constant_channel_comes_out_as_the_bias():
    x = torch.full((4, 2), 0.1).requires_grad_()
    for layer in (nn.BatchNorm(2), nn.LayerNorm(2)):
        layer.bias.data = torch.tensor([3.0, -1.0])
        out = layer(x)
        torch.testing.assert_close(out, layer.bias.expand(4, 2))
        (slope,) = torch.autograd.grad(out.sum(), x)
        assert slope.isfinite().all()


# --- the input layer --------------------------------------------------------------------------------------------------


@given(
    shape=st.one_of(tables, images),
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-1e3, 1e3),
    constant=st.booleans(),
    seed=seeds,
)
def test_training_examples_come_out_with_mean_0_and_std_1(shape, scale, shift, constant, seed):
    x = shift + scale * random(*shape, seed=seed)
    if constant:
        x[:, 0] = shift
    layer = nn.Normalize.of(x)
    rows = layer(x).transpose(0, 1).flatten(1)
    lost = 1e-12 * (abs(shift) + scale) / layer.std.min().item() + 1e-10
    assert rows.mean(1).abs().max() < lost
    varies = x.transpose(0, 1).flatten(1).std(1) > 0
    varies[0] &= not constant
    torch.testing.assert_close(rows.std(1, correction=0), varies.double(), rtol=0, atol=lost)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(layer(leaf).sum(), leaf)
    torch.testing.assert_close(slope, (1 / layer.std).reshape(-1, *[1] * (x.ndim - 2)).expand(x.shape))


def test_a_feature_that_is_constant_but_for_rounding():
    """The mean of equal numbers, rounded, may differ from them; divided by that, a new value would explode."""
    for number in (0.1, 1 / 3, 1e-3, 123.456):
        for n in (3, 7, 1000):
            layer = nn.Normalize.of(torch.full((n, 1), number))
            assert layer(torch.tensor([[number + 0.5]])).item() == pytest.approx(0.5, rel=1e-3)


def test_the_measuring_needs_finite_data():
    with pytest.raises(ValueError, match="finite"):
        nn.Normalize.of(torch.tensor([[1.0], [math.inf]]))
    with pytest.raises(ValueError, match="finite"):
        nn.Normalize.of(torch.tensor([[1.0], [math.nan]]))


# --- all modules ------------------------------------------------------------------------------------------------------


def on_pictures(layer):
    """The layer for a table of three features, each a channel of one pixel."""
    return nn.Sequential(torch.nn.Unflatten(1, (3, 1, 1)), layer)


class Hidden(torch.nn.Module):
    """A recurrent layer or cell for a table: the hidden states after one step, or after three steps alike."""

    def __init__(self, layer, steps=None):
        super().__init__()
        self.layer, self.steps = layer, steps

    def forward(self, x):
        found = self.layer(x if self.steps is None else x[:, None].expand(-1, self.steps, -1))
        return found[0] if isinstance(found, tuple) else found


RICH = {"num_layers": 2, "bidirectional": True, "dropout": 0.3}
MODULES = {
    "Linear": lambda: nn.Linear(3, 3, generator=generator(0)),
    "Dropout": lambda: nn.Dropout(0.5, generator=generator(0)),
    "BatchNorm": lambda: nn.BatchNorm(3),
    "LayerNorm": lambda: nn.LayerNorm(3),
    "Normalize": lambda: nn.Normalize([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]),
    "Conv2d": lambda: on_pictures(nn.Conv2d(3, 2, 2, padding=1, generator=generator(0))),
    "ConvTranspose2d": lambda: on_pictures(nn.ConvTranspose2d(3, 2, 2, generator=generator(0))),
    "PixelShuffle": lambda: on_pictures(nn.PixelShuffle(1)),
    **{
        f"{kind}Cell": lambda k=kind: Hidden(getattr(nn, f"{k}Cell")(3, 2, generator=generator(0)))
        for kind in RECURRENT
    },
    **{kind: lambda k=kind: Hidden(getattr(nn, k)(3, 2, **RICH, generator=generator(0)), 3) for kind in RECURRENT},
}
OF_OURS = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)


def test_every_module_of_ours_is_in_the_table():
    ours = {name for name in nn.__all__ if getattr(getattr(nn, name), "__module__", "").startswith("dlcourse")}
    classes = {name for name in ours if isinstance(getattr(nn, name), type)}
    assert {name for name in classes if issubclass(getattr(nn, name), torch.nn.Module)} == set(MODULES)


@OF_OURS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_copied_and_saved_modules_go_on_alike(make, dtype):
    """copy.deepcopy, and torch.save of the whole module and of its state."""
    module = make().to(dtype)
    x = random(6, 3, dtype=dtype)
    module(x)
    whole, state = io.BytesIO(), io.BytesIO()
    torch.save(module, whole)
    torch.save(module.state_dict(), state)
    whole.seek(0)
    state.seek(0)
    fresh = make().to(dtype)
    fresh.load_state_dict(torch.load(state, weights_only=True))
    fresh(x)  # a Dropout's generator is no part of the state: the fresh one has one draw to make up
    others = [copy.deepcopy(module), torch.load(whole, weights_only=False)]
    wanted = module(x)
    for other in others:
        assert torch.equal(other(x), wanted)
        same_state(other, module)
    assert list(fresh.state_dict()) == list(module.state_dict())


@OF_OURS
def test_modules_follow_to_another_device(make):
    """The meta device has no numbers, but refuses to meet others: a proof without a GPU."""
    for mode in (True, False):
        module = make().train(mode).to("meta")
        assert module(torch.zeros(4, 3, device="meta")).device.type == "meta"


@pytest.mark.parametrize("make", [nn.BatchNorm, nn.LayerNorm])
def test_what_has_no_generator_is_made_on_torchs_default_device(make):
    with torch.device("meta"):
        module = make(3)
    assert {t.device.type for t in module.state_dict().values()} == {"meta"}


@OF_OURS
def test_mixed_precision(make):
    """Under autocast the answer stays near, and the state stays in float32."""
    module, x = make(), 2 + random(64, 3, dtype=torch.float32)
    twin = copy.deepcopy(module)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = module(x)
    torch.testing.assert_close(out.float(), twin(x), rtol=0.02, atol=0.02)
    assert {t.dtype for t in module.state_dict().values()} <= {torch.float32, torch.int64}
