"""LeNet, classic and modern: parameters counted by hand, shapes, and digits that it learns to read."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from dlcourse_oracles import random

from dlcourse import data, models, nn, optim, training
from dlcourse.seeding import generator

NORMS = {}, {"norm": torch.nn.BatchNorm2d}


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_counted_by_hand():
    convolutions = (1 * 25 + 1) * 6, (6 * 25 + 1) * 16  # a bias for each output
    assert convolutions == (156, 2416)
    linear = (16 * 5 * 5 + 1) * 120, (120 + 1) * 84, (84 + 1) * 10  # 28 -> 14 -> 10 -> 5
    assert linear == (48_120, 10_164, 850)
    assert parameters(models.lenet_classic(generator=generator(0))) == sum(convolutions + linear) == 61_706

    convolutions, norms = ((1 * 25 + 1) * 16, (16 * 25 + 1) * 32), (2 * 16, 2 * 32)
    small = models.lenet(image=(1, 8, 8), generator=generator(0))  # 8 -> 4 -> 2
    assert parameters(small) == sum(convolutions + norms) + (32 * 2 * 2 + 1) * 10 == 14_634
    large = models.lenet(generator=generator(0))  # 28 -> 14 -> 7
    assert parameters(large) == sum(convolutions + norms) + (32 * 7 * 7 + 1) * 10 == 29_034


@pytest.mark.parametrize("image", [(1, 28, 28), (1, 8, 8), (3, 32, 20), (2, 9, 5), (1, 4, 4)])
def test_shapes_on_the_way(image):
    model = models.lenet(image=image, classes=7, generator=generator(0))
    x, (_, height, width) = torch.zeros(2, *image), image
    for name, layer in model.named_children():
        x = layer(x)
        if name in ("conv1", "pool1", "conv2", "pool2"):
            halved = 2 ** (int(name[-1]) - name.startswith("conv"))
            assert x.shape == (2, 16 * int(name[-1]), height // halved, width // halved)
    assert x.shape == (2, 7)


@pytest.mark.parametrize("build", [models.lenet, models.lenet_classic])
def test_it_lives_on_its_generators_device(build, device):
    model = build(generator=torch.Generator(device=device).manual_seed(0))
    assert {tensor.device.type for tensor in model.state_dict().values()} == {device.type}
    assert model(torch.zeros(2, 1, 28, 28, device=device)).device.type == device.type


def test_torchs_norm_in_place_of_ours_changes_nothing():
    ours, torchs = (models.lenet(image=(1, 8, 8), generator=generator(0), **norm) for norm in NORMS)
    assert isinstance(ours.norm2, nn.BatchNorm)
    assert isinstance(torchs.norm2, torch.nn.BatchNorm2d)
    x = random(5, 1, 8, 8).float()
    for make in (lambda model: model, torch.nn.Module.eval):  # training mode moves the averages that evaluation uses
        torch.testing.assert_close(make(ours)(x), make(torchs)(x))
    with pytest.raises(TypeError, match="lenet got norm="):
        models.lenet(norm=nn.BatchNorm(16), generator=generator(0))


def test_one_seed_gives_one_model():
    first, again, other = (models.lenet(generator=generator(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_its_units_see_what_the_kernels_and_pools_add_up_to():
    fields = nn.receptive_fields(models.lenet(generator=generator(0)))
    assert [fields[name].size[0] for name in ("conv1", "pool1", "relu1", "conv2", "pool2")] == [5, 6, 6, 14, 16]
    assert "flatten" not in fields
    assert "linear" not in fields


def test_a_picture_of_another_size_is_refused(unchecked):
    with pytest.raises(ValueError, match="128 features"):
        models.lenet(image=(1, 8, 8), generator=generator(0))(random(2, 1, 12, 12, dtype=torch.float32))


def test_it_learns_to_read_the_digits():
    """Two of the ten passes of the chapter's recipe: 97.4 % or more with each of ten seeds."""
    x, y = data.load("digits")
    source = generator(0)
    model = models.lenet(image=(1, 8, 8), generator=source)
    batches = data.batches(x, y, size=32, generator=source, drop_last=True)
    optimizer, total = optim.AdamW(model.parameters(), lr=2e-2, weight_decay=1.0), 2 * len(batches)
    schedule = lambda index: optim.one_cycle(index, total=total)  # noqa: E731
    training.train(model, batches, nn.cross_entropy, optimizer, epochs=2, schedule=schedule, progress=False)
    test = training.evaluate(model, *data.load("digits", split="test"), nn.cross_entropy)
    assert test.accuracy >= 0.96


@pytest.mark.slow
def test_the_benchmark_runs_and_draws(tmp_path):
    """A few updates of every contestant, on the digits; its clock and its targets are judged by hand."""
    benchmark, picture = Path(__file__).parents[2] / "benchmarks" / "lenet.py", tmp_path / "lenet.png"
    command = [sys.executable, "-W", "error", str(benchmark), "--data", "digits", "--quick", "--bf16", "--threads", "1"]
    done = subprocess.run([*command, "--picture", str(picture)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("seed 0   ") == 4 + 4 + 3
    assert done.stdout.count("the classic recipe's") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
