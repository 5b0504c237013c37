"""What a unit answers to, against a slow definition, on networks that hypothesis makes."""

import contextlib

import pytest
import torch
from dlcourse_oracles import hooks_left, own_messages
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import nn, units


def slow_top_patches(model, layer, x, channel, k):
    """The definition, one picture, one place and one pixel at a time; with its own run up to the layer."""
    field = nn.receptive_fields(model)[layer]
    best = []
    for index, picture in enumerate(x):
        h = picture[None]
        for name, module in model.named_children():
            h = module(h)
            if name == layer:
                break
        winner = None
        for row in range(h.shape[2]):
            for column in range(h.shape[3]):
                value = h[0, channel, row, column].item()
                if winner is None or value > winner[0]:
                    winner = (value, index, row, column)
        best.append(winner)
    best.sort(key=lambda each: (-each[0], each[1]))
    patches = []
    for _, index, row, column in best[:k]:
        top, left, bottom, right = field.window(row, column)
        cut = torch.zeros(x.shape[1], bottom - top, right - left, dtype=x.dtype)
        for r in range(top, bottom):
            for c in range(left, right):
                if 0 <= r < x.shape[2] and 0 <= c < x.shape[3]:
                    cut[:, r - top, c - left] = x[index, :, r, c]
        patches.append(cut)
    return torch.stack(patches), best[:k]


@st.composite
def networks(draw):
    """A small network of convolutions, pools and what goes between, with pictures for it."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    channels, height, width = draw(st.integers(1, 3)), draw(st.integers(6, 10)), draw(st.integers(6, 9))
    x = torch.randn(draw(st.integers(1, 7)), channels, height, width, generator=generator)
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["conv", "relu", "pool", "norm"]))
        if kind == "conv":
            out = draw(st.integers(1, 4))
            kernel, stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3))), draw(st.integers(1, 2))
            padding = draw(st.integers(0, 2))
            layer = torch.nn.utils.skip_init(
                torch.nn.Conv2d, channels, out, kernel, stride=stride, padding=padding, device="cpu"
            )
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.copy_(torch.randn(parameter.shape, generator=generator))
            channels = out
        elif kind == "pool":
            layer = torch.nn.MaxPool2d(2, stride=draw(st.integers(1, 2)))
        else:
            layer = torch.nn.ReLU() if kind == "relu" else nn.BatchNorm(channels)
        layers.append(layer)
    model = torch.nn.Sequential(*layers)
    layer = draw(st.integers(0, len(layers) - 1))
    model.eval()
    with contextlib.suppress(RuntimeError):
        model(x)
        return model, str(layer), x, draw(st.integers(0, model[: layer + 1](x).shape[1] - 1)), draw(st.integers(1, 9))
    return model[:1], "0", x, 0, 1  # the pools had used the picture up


@settings(max_examples=60)
@given(networks())
def test_top_patches_are_the_slow_definitions(made):
    model, layer, x, channel, k = made
    top = units.top_patches(model, layer, x, channel, k=k)
    patches, best = slow_top_patches(model, layer, x, channel, k)
    assert top.images.tolist() == [index for _, index, _, _ in best]
    assert top.places.tolist() == [[row, column] for *_, row, column in best]
    assert torch.equal(top.patches, patches)
    torch.testing.assert_close(top.values, torch.tensor([value for value, *_ in best]))
    assert len(top.values) == min(k, len(x))


def small(device="cpu"):
    generator = torch.Generator(device).manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, generator=generator),
        nn.BatchNorm(3),
        nn.ReLU(),
        nn.Dropout(0.5, generator=generator),
        nn.Flatten(),
        nn.Linear(3 * 36, 2, generator=generator),
    ).to(device)


def test_the_model_is_left_as_it_was(device):
    model = small(device)
    model.train()
    model[3].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.rand(5, 1, 6, 6, device=device)
    first = units.top_patches(model, "3", x, 1)
    assert torch.equal(first.values, units.top_patches(model, "3", x, 1).values)  # no dropout, no batch statistics
    assert [module.training for module in model] == [True, True, True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not hooks_left(model)
    assert not first.values.requires_grad
    assert first.patches.device == x.device


def test_also_when_it_fails():
    model = small().train()
    model[5] = torch.nn.Linear(7, 2, device="cpu")
    with pytest.raises(RuntimeError):
        units.top_patches(model, "0", torch.rand(2, 1, 6, 6), 0)
    assert model.training
    assert model[1].training
    assert not hooks_left(model)


def test_many_pictures_are_seen_in_parts(monkeypatch):
    model, x = small(), torch.rand(11, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    whole = units.top_patches(model, "2", x, 0, k=11)
    monkeypatch.setattr(units, "SIZE", 4)
    parts = units.top_patches(model, "2", x, 0, k=11)
    assert torch.equal(whole.images, parts.images)
    assert torch.equal(whole.patches, parts.patches)


def test_ties_are_settled_by_order():
    x = torch.zeros(4, 1, 3, 3)
    x[1, 0, 2, 1] = x[1, 0, 1, 2] = x[3, 0, 0, 0] = 1.0
    top = units.top_patches(nn.Sequential(nn.Identity()), "0", x, 0, k=4)
    assert top.images.tolist() == [1, 3, 0, 2]
    assert top.places.tolist() == [[1, 2], [0, 0], [0, 0], [0, 0]]


def test_of_many_equals_the_first_come_first():
    x = torch.zeros(400, 1, 2, 2)
    x[::3] = 0.5
    top = units.top_patches(nn.Sequential(nn.Identity()), "0", x, 0, k=140)
    assert top.images.tolist() == [*range(0, 400, 3), 1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layer": "5"}, "Those that have one: 0, 1, 2, 3"),
        ({"layer": "conv1"}, "has no receptive field"),
        ({"channel": 3}, "a channel from 0 to 2"),
        ({"channel": -1}, "a channel from 0 to 2"),
        ({"k": 0}, "a k of 1 or more"),
        ({"x": torch.zeros(0, 1, 6, 6)}, "no pictures"),
    ],
)
def test_what_cannot_be_is_said(change, says):
    given = {"layer": "2", "x": torch.rand(2, 1, 6, 6), "channel": 0, "k": 3} | change
    with pytest.raises(ValueError, match=says):
        units.top_patches(small(), given["layer"], given["x"], given["channel"], k=given["k"])


@pytest.mark.parametrize(("channel", "k"), [(1.0, 3), (1, 1.5)])
def test_numbers_that_are_not_whole(channel, k):
    with own_messages(), pytest.raises(ValueError, match="a channel from 0 to 2"):
        units.top_patches(small(), "2", torch.rand(2, 1, 6, 6), channel, k=k)


def test_peaks_want_maps():
    with pytest.raises(ValueError, match=r"gave \(2, 108\); wanted maps"):
        units.peaks(small(), "4", torch.rand(2, 1, 6, 6))


def test_a_window_that_lies_in_the_padding_altogether_is_zeros():
    conv = torch.nn.Conv2d(1, 1, 1, padding=2, device="cpu")
    with torch.no_grad():
        conv.weight.fill_(-1)
        conv.bias.fill_(1)
    x = torch.rand(2, 1, 3, 4) + 0.1
    top = units.top_patches(nn.Sequential(conv), "0", x, 0)
    assert top.places.tolist() == [[0, 0], [0, 0]]
    assert torch.equal(top.patches, torch.zeros(2, 1, 1, 1))
    field = nn.ReceptiveField((2, 3), (5, 5), (0, 0))
    for row, column in ((3, 3), (0, 1), (1, 0), (-1, 0), (0, -1), (-2, 4)):
        assert torch.equal(units.patch(torch.ones(1, 3, 4), field, row, column), torch.zeros(1, 2, 3))


def test_a_layer_that_works_in_place_behind_changes_nothing():
    conv = nn.Conv2d(1, 2, 3, generator=torch.Generator().manual_seed(0))
    x = torch.rand(3, 1, 3, 3, generator=torch.Generator().manual_seed(1))
    model = nn.Sequential(conv, torch.nn.ReLU(inplace=True))
    assert torch.equal(units.peaks(model, "0", x).values, conv(x).detach().amax((2, 3)))
    assert (units.peaks(model, "0", x).values < 0).any()


def test_a_layer_in_two_places_is_refused():
    conv = nn.Conv2d(1, 1, 3, padding=1, generator=torch.Generator().manual_seed(0))
    for name in ("0", "1"):
        with pytest.raises(ValueError, match=rf"'{name}' ran 2 times for one picture"):
            units.peaks(nn.Sequential(conv, conv), name, torch.rand(2, 1, 4, 4))
    model = nn.Sequential(conv)
    model.spare = nn.Identity()
    model.forward = lambda x: conv(x)
    with pytest.raises(ValueError, match="'spare' ran 0 times"):
        units.peaks(model, "spare", torch.rand(2, 1, 4, 4))


def test_patches_carry_no_gradient():
    assert not units.top_patches(small(), "0", torch.rand(2, 1, 6, 6).requires_grad_(), 0).patches.requires_grad


def test_a_model_that_begins_with_the_whole_picture():
    with pytest.raises(ValueError, match=r"an adaptive pool\. Those that have one: none\."):
        units.top_patches(nn.Sequential(nn.AdaptiveAvgPool2d(4)), "0", torch.rand(2, 1, 6, 6), 0)
