"""The builder: layers, names, sizes; one seed gives one model, and the network of chapter 02 is the same one."""

import copy

import pytest
import torch
from dlcourse_oracles import agree, random
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import models, nn
from dlcourse.autograd.mlp import MLP
from dlcourse.seeding import generator

seeds = st.integers(0, 2**31)


def test_layers_and_names_in_order():
    model = models.mlp((5, 4, 3, 2), activation=nn.Tanh, norm=nn.BatchNorm, dropout=0.25, generator=generator(0))
    kinds = [nn.Linear, nn.BatchNorm, nn.Tanh, nn.Dropout]
    assert [type(layer) for layer in model] == [*kinds, *kinds, nn.Linear]
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == {
        "0.weight": (4, 5),
        "0.bias": (4,),
        "1.weight": (4,),
        "1.bias": (4,),
        "4.weight": (3, 4),
        "4.bias": (3,),
        "5.weight": (3,),
        "5.bias": (3,),
        "8.weight": (2, 3),
        "8.bias": (2,),
    }
    assert model(torch.zeros(7, 5)).shape == (7, 2)
    assert len({id(layer) for layer in model}) == len(model), "each layer is its own, so that hooks can tell them apart"


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5), batch=st.integers(0, 4), seed=seeds)
def test_it_is_the_formula(sizes, batch, seed):
    """Values and slopes of relu(x W^T + b), layer after layer, for any sizes."""
    model = models.mlp(sizes, generator=generator(seed)).double()

    def formula(x):
        *hidden, last = [layer for layer in model if isinstance(layer, nn.Linear)]
        for layer in hidden:
            x = nn.relu(x @ layer.weight.T + layer.bias)
        return x @ last.weight.T + last.bias

    agree(model, formula, random(batch, sizes[0], seed=seed))


@given(seed=seeds)
def test_the_same_seed_is_the_same_model_and_chapter_02s(seed):
    first, second = (models.mlp((6, 5, 4), generator=generator(seed)) for _ in range(2))
    engine = MLP((6, 5, 4), generator=generator(seed))
    for a, b, c in zip(first.parameters(), second.parameters(), engine.parameters, strict=True):
        assert torch.equal(a, b)
        torch.testing.assert_close(a.detach(), c.data, rtol=1e-6, atol=0)
    x = random(3, 6, dtype=torch.float32)
    torch.testing.assert_close(first(x).detach(), engine(x).data)
    other = models.mlp((6, 5, 4), generator=generator(seed + 1))
    assert not torch.equal(first[0].weight, other[0].weight)


def test_a_linear_model_is_the_smallest():
    model = models.mlp((3, 2), dropout=0.5, norm=nn.LayerNorm, generator=generator(0))
    assert [type(layer) for layer in model] == [nn.Linear]


def test_masks_come_from_the_generator_and_not_from_the_global_stream():
    model = models.mlp((3, 50, 2), dropout=0.5, generator=generator(0))
    twin, x, before = copy.deepcopy(model), random(4, 3, dtype=torch.float32), torch.get_rng_state()
    first = model(x)
    assert torch.equal(first, twin(x))
    assert not torch.equal(first, model(x))
    assert torch.equal(torch.get_rng_state(), before)
    model.eval()
    assert torch.equal(model(x), model(x))


def test_it_lives_on_one_device(device):
    g = torch.Generator(device=device).manual_seed(0)
    model = models.mlp((3, 4, 2), norm=nn.BatchNorm, dropout=0.5, generator=g)
    assert {t.device.type for t in model.state_dict().values()} == {device.type}
    assert model(torch.zeros(5, 3, device=device)).device.type == device.type


def test_a_model_may_move_away_from_its_generator(device):
    """The masks of a generator on the CPU are brought to where the model is."""
    model = models.mlp((3, 40, 2), dropout=0.5, generator=generator(0)).to(device)
    here = copy.deepcopy(model).to("cpu")
    x = random(4, 3, dtype=torch.float32)
    torch.testing.assert_close(model(x.to(device)).cpu(), here(x), rtol=1e-4, atol=1e-5)


def test_refusals(unchecked):
    for sizes in ((), (3,), (3, 0), (0, 2), (3, -1, 2)):
        with pytest.raises(ValueError, match="at least two sizes"):
            models.mlp(sizes, generator=generator(0))
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="in \\[0, 1\\]"):
            models.mlp((3, 4, 2), dropout=p, generator=generator(0))
    with pytest.raises(ValueError, match="2 features"):
        models.mlp((2, 4, 2), generator=generator(0))(torch.zeros(5, 3))
