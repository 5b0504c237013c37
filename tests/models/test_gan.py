"""The networks of a GAN: parameters counted by hand, shapes, and that each example is judged by itself."""

import math

import pytest
import torch
from dlcourse_oracles import random

from dlcourse import models
from dlcourse.seeding import generator

IMAGES = [(1, 28, 28), (1, 8, 8), (3, 12, 20), (2, 4, 4)]


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_counted_by_hand():
    hidden = 2 * (128 + 1) * 128
    points = models.gan_generator((2,), latent=8, generator=generator(0))
    assert parameters(points) == (8 + 1) * 128 + hidden + (128 + 1) * 2 == 34_434
    assert parameters(models.gan_discriminator((2,), generator=generator(0))) == 3 * 128 + hidden + 129 == 33_537

    linear, convolutions = (64 + 1) * 32 * 49, ((32 * 9 + 1) * 64, (16 * 9 + 1) * 4)
    assert parameters(models.subpixel_generator(generator=generator(0))) == linear + sum(convolutions) + 2 * (32 + 16)
    convolutions = (16 + 1) * 16, (16 * 16 + 1) * 32, (32 * 9 + 1) * 64
    discriminator = models.conv_discriminator(generator=generator(0))
    assert parameters(discriminator) == sum(convolutions) + 64 * 16 + 1 == 28_017


@pytest.mark.parametrize("image", IMAGES)
def test_shapes_on_the_way(image):
    channels, height, width = image
    x, sizes = torch.zeros(3, 5), {}
    for name, layer in models.subpixel_generator(image, latent=5, width=2, generator=generator(0)).named_children():
        x = layer(x)
        sizes[name] = tuple(x.shape)
    assert sizes["maps"] == (3, 4, height // 4, width // 4)
    assert sizes["shuffle1"] == (3, 2, height // 2, width // 2)
    assert sizes["sigmoid"] == (3, channels, height, width)
    for name, layer in models.conv_discriminator(image, width=2, generator=generator(0)).named_children():
        x = layer(x)
        sizes[name] = tuple(x.shape)
    assert sizes["conv1"] == (3, 2, height // 2, width // 2)
    assert sizes["conv2"] == (3, 4, height // 4, width // 4)
    assert sizes["conv3"] == (3, 8, math.ceil(height / 8), math.ceil(width / 8))
    assert sizes["logits"] == (3,)


def test_bounded_numbers_are_in_0_to_1_and_others_go_anywhere():
    z = 50 * random(20, 64, dtype=torch.float32)
    free, bounded = (models.gan_generator((1, 8, 8), bounded=b, generator=generator(0))(z) for b in (False, True))
    assert bounded.min() >= 0
    assert bounded.max() <= 1
    assert torch.equal(torch.sigmoid(free), bounded)
    assert free.abs().max() > 10
    picture = models.subpixel_generator(generator=generator(0))(z)
    assert 0 <= picture.min() < 0.4
    assert 0.6 < picture.max() <= 1


@pytest.mark.parametrize("build", [models.gan_discriminator, models.conv_discriminator])
@pytest.mark.parametrize("training", [True, False])
def test_a_discriminator_judges_each_example_by_itself(build, training):
    """So that the slope of its summed logits is each example's own: what penalties rely on."""
    model = build((1, 8, 8), generator=generator(0)).train(training)
    x = random(6, 1, 8, 8, dtype=torch.float32)
    torch.testing.assert_close(torch.cat([model(x[i : i + 1]) for i in range(6)]), model(x))
    jacobian = torch.autograd.functional.jacobian(model, x).flatten(2).abs().sum(2)
    assert (jacobian.diagonal() > 0).all()
    assert not (jacobian - jacobian.diag().diag()).any()


@pytest.mark.parametrize(
    "build",
    [
        lambda g: models.gan_generator((1, 8, 8), latent=3, generator=g),
        lambda g: models.gan_discriminator((3,), generator=g),
        lambda g: models.subpixel_generator((1, 8, 8), latent=3, generator=g),
        lambda g: models.conv_discriminator((1, 8, 8), generator=g),
    ],
    ids=["gan_generator", "gan_discriminator", "subpixel_generator", "conv_discriminator"],
)
def test_it_lives_on_its_generators_device_and_a_seed_gives_one_model(build, device):
    first, again, other = (build(torch.Generator(device=device).manual_seed(s)).state_dict() for s in (0, 0, 1))
    assert {tensor.device.type for tensor in first.values()} == {device.type}
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_a_picture_that_cannot_be_quartered_is_refused_in_words(unchecked):
    for build in (models.subpixel_generator, models.conv_discriminator):
        with pytest.raises(ValueError, match="multiples of 4"):
            build((1, 28, 30), generator=generator(0))


def test_logits_at_the_start_are_of_size_1():
    """He's weights keep the size of what comes in: neither network begins in a corner."""
    x = torch.rand(200, 1, 28, 28, generator=generator(1))
    logits = models.conv_discriminator(generator=generator(0))(x)
    assert 0.02 < logits.abs().mean().item() < 3
    points = models.gan_generator((2,), generator=generator(0))(random(500, 64, dtype=torch.float32))
    assert 0.3 < points.std().item() < 3
