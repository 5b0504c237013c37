"""The residual network: what a block is at the start, its parameters counted by hand, what its units see."""

import pytest
import torch
from dlcourse_oracles import random
from hypothesis import given
from hypothesis import strategies as st

from dlcourse import models, nn
from dlcourse.seeding import generator


@given(channels=st.integers(1, 4), height=st.integers(2, 6), width=st.integers(2, 6), seed=st.integers(0, 2**31))
def test_a_block_begins_as_the_identity(channels, height, width, seed):
    """On what a ReLU lets through, in value and in slope, in both modes."""
    block = models.ResidualBlock(channels, channels, generator=generator(seed)).double()
    x = random(3, channels, height, width, seed=seed).abs().requires_grad_()
    for mode in (True, False):
        out = block.train(mode)(x)
        assert torch.equal(out, x)
        (slope,) = torch.autograd.grad(out.sum(), x)
        assert torch.equal(slope, torch.ones_like(x))


def test_a_block_wakes_up_after_one_update():
    """The last gain has a slope although it is 0, and all weights have one as soon as it is not."""
    block = models.ResidualBlock(2, 2, generator=generator(0))
    x, target = random(8, 2, 5, 5, dtype=torch.float32).abs(), random(8, 2, 5, 5, seed=1, dtype=torch.float32)
    for moves in ({"body.norm2.weight", "body.norm2.bias"}, {name for name, _ in block.named_parameters()}):
        block.zero_grad()
        (block(x) - target).square().mean().backward()
        assert {name for name, parameter in block.named_parameters() if parameter.grad.any()} == moves
        with torch.no_grad():
            for parameter in block.parameters():
                parameter -= 0.1 * parameter.grad


def test_parameters_counted_by_hand():
    stem = 1 * 9 * 16 + 2 * 16
    first = 2 * (16 * 9 * 16 + 2 * 16)
    second = (16 * 9 * 32 + 64) + (32 * 9 * 32 + 64) + (16 * 32 + 64)
    third = (32 * 9 * 64 + 128) + (64 * 9 * 64 + 128) + (32 * 64 + 128)
    model = models.resnet(generator=generator(0))
    assert sum(p.numel() for p in model.parameters()) == stem + first + second + third + 65 * 10 == 77_754


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (13, 6), (1, 1)])
def test_pictures_of_any_size(size):
    model = models.resnet(channels=3, blocks=2, classes=4, generator=generator(0)).eval()
    assert model(torch.zeros(2, 3, *size)).shape == (2, 4)


def test_its_units_see_both_ways_through_a_block():
    fields = nn.receptive_fields(models.resnet(widths=(2, 3), generator=generator(0)))
    assert fields["conv"].size == (3, 3)
    assert fields["block1_1"].size == (7, 7)  # two more kernels of 3
    assert fields["block2_1.shortcut"].size == (7, 7)  # 1 x 1
    assert fields["block2_1"].size == (13, 13)  # 2 more, then 2 times 2 more
    assert fields["block2_1"].step == (2, 2)


def test_it_lives_on_its_generators_device(device):
    model = models.resnet(generator=torch.Generator(device=device).manual_seed(0))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {device.type}
    assert model(torch.zeros(2, 1, 8, 8, device=device)).device.type == device.type
