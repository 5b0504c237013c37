"""What probes, patches and trained pictures say where the answer is known, or where a library says it too."""

import math
import time
from functools import cache

import pytest
import torch
from dlcourse_mechanistic import gram_loops, through
from dlcourse_oracles import own_messages, random, source
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from dlcourse import data, mechanistic, models, nn, training
from dlcourse.mechanistic import Site
from dlcourse.steps import last

CPU = torch.device("cpu")
SEEDS = st.integers(0, 2**32 - 1)


def noise(*shape, seed=0):
    return torch.rand(shape, generator=source(seed, CPU), device=CPU)


@cache
def digits(seed=0):
    """A small network after 8 passes over digits, in eval mode."""
    generator = source(seed, CPU)
    model = models.lenet(image=(1, 8, 8), widths=(16, 32), kernel=3, norm=torch.nn.BatchNorm2d, generator=generator)
    batches = data.batches(*data.load("digits", split="train"), size=64, generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    training.train(model, batches, nn.cross_entropy, optimizer, epochs=8, progress=False)
    return model.eval()


# --- patching ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(seed=SEEDS, widths=st.lists(st.integers(1, 5), min_size=1, max_size=3), batch=st.integers(1, 6))
def test_everything_restores_the_effect_and_nothing_does_not(seed, widths, batch):
    """To the bit, at every layer of any plain network; of units, the rest of the layer does what they leave undone."""
    generator, sizes = source(seed, CPU), [3, *widths]
    layers = [(torch.nn.Linear(a, b, device=CPU), torch.nn.ReLU()) for a, b in zip(sizes, widths, strict=False)]
    model = torch.nn.Sequential(
        *(layer for pair in layers for layer in pair), torch.nn.Linear(widths[-1], 2, device=CPU)
    )
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, device=CPU, dtype=torch.float64)
    clean, corrupted = torch.randn(2, batch, 3, generator=generator, device=CPU, dtype=torch.float64)
    values = [through(model, x)[:, 1].sum() for x in (clean, corrupted)]
    if values[0] == values[1]:
        return  # dead units: both runs are alike, and there is nothing to restore
    layer, width = str(len(model) - 2), widths[-1]
    sites = [(), *(Site(str(i)) for i in range(len(model))), *(Site(layer, (k,)) for k in range(width))]
    found = mechanistic.activation_patching(model, clean, corrupted, lambda z: z[:, 1], sites).effect
    assert found[: 1 + len(model)].tolist() == [0.0] + [1.0] * len(model)
    assert found[1 + len(model) :].sum().item() == pytest.approx(1)  # the last layer is linear in these


def test_a_probe_reads_what_the_network_never_uses():
    """The sum in the comparator: told apart without an error from the idle unit alone, and no effect when patched."""
    circuit, x = mechanistic.comparator(), noise(200, 2)
    x = x[(x.sum(1) - 1).abs() > 0.05]  # a gap, so that a line can tell all
    large = (x.sum(1) > 1).long()
    held = mechanistic.activations(circuit.model, x, ["relu"])["relu"]
    (idle,) = circuit.idle["the sum"].units
    probe = mechanistic.linear_probe(held[:, [idle]], large, l2=1e-5)
    assert probe.accuracy(held[:, [idle]], large) == 1.0
    sites = [circuit.idle["the sum"], *circuit.parts.values(), tuple(circuit.parts.values())]
    effect = mechanistic.activation_patching(circuit.model, x, x[:, [1, 0]] / 2, lambda z: z[:, 1] - z[:, 0], sites)
    assert effect.effect[0] == 0
    assert effect.effect[3] == 1


# --- probes -----------------------------------------------------------------------------------------------------------


def test_a_probe_of_digits_is_as_good_as_scikit_learns():
    x, labels = data.load("digits", split="train")
    new, told = data.load("digits", split="test")
    held, fresh = (mechanistic.activations(digits(), pixels, ["relu1"])["relu1"].flatten(1) for pixels in (x, new))
    mean, spread = held.mean(0), held.std(0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    theirs = LogisticRegression(C=1 / (1e-2 * len(held)), max_iter=5000, tol=1e-6)
    theirs.fit(((held - mean) / spread).double().numpy(), labels.numpy())
    ours = mechanistic.linear_probe(held, labels, l2=1e-2)
    same = torch.from_numpy(theirs.predict(((fresh - mean) / spread).double().numpy())) == ours(fresh).argmax(1)
    assert same.double().mean() >= 1 - 1 / len(new)
    assert ours.accuracy(fresh, told) > 0.95


@own_messages()
def test_selectivity_tells_reading_from_learning():
    """Six bits, 64 types: from the bits the first can only be read; from a column for each type all can be learned."""
    types = torch.arange(640, device=CPU) % 64
    bits = types[:, None] // 2 ** torch.arange(6, device=CPU) % 2
    labels, blur = bits[:, 0], 0.05 * random(640, 64, dtype=torch.float32)
    plain = bits.float() + blur[:, :6]
    columns = torch.nn.functional.one_hot(types, 64).float() + blur

    def asked(h):
        parts = (mechanistic.Examples(h[rows], labels[rows], types[rows]) for rows in (slice(320), slice(320, None)))
        return mechanistic.selectivity(*parts, generator=source(0, CPU))

    read, learned = asked(plain), asked(columns)
    assert read.accuracy == 1.0
    assert learned.accuracy > 0.95
    assert read.selectivity > 0.25
    assert abs(learned.selectivity) < 0.05


# --- trained pictures -------------------------------------------------------------------------------------------------


def test_pictures_of_classes_and_what_a_prior_costs():
    """Each class's own logit is the largest; with a prior the pictures are smoother and the logits smaller."""
    start, classes = noise(10, 1, 8, 8), torch.arange(10, device=CPU)
    variation = mechanistic.TotalVariation(1.0)
    begun = time.process_time()
    plain = mechanistic.feature_visualisation(digits(), classes, start)
    print(f"ten classes, 128 steps: {time.process_time() - begun:.2f} CPU s, with the tests' own checks")
    options = {"penalties": [mechanistic.TotalVariation(0.3)], "jitter": 1, "generator": source(1, CPU)}
    smooth = mechanistic.feature_visualisation(digits(), classes, start, **options)
    with torch.no_grad():
        logits = [digits()(x).diagonal() for x in (start, plain, smooth)]
        assert digits()(plain).argmax(1).tolist() == list(range(10))
    assert (logits[1] > logits[0] + 5).all()
    assert logits[2].mean() < logits[1].mean()
    assert (variation(smooth) < 0.6 * variation(plain)).all()


@settings(max_examples=25)
@given(seed=SEEDS, shape=st.tuples(*[st.integers(1, 4)] * 4))
def test_a_gram_matrix_forgets_places_and_is_no_other_matrix(seed, shape):
    features = torch.randn(shape, generator=source(seed, CPU), device=CPU, dtype=torch.float64)
    found = mechanistic.gram(features)
    order = torch.randperm(shape[2] * shape[3], generator=source(seed, CPU), device=CPU)
    torch.testing.assert_close(mechanistic.gram(features.flatten(2)[:, :, order].reshape(shape)), found)
    torch.testing.assert_close(found, found.mT)
    assert torch.linalg.eigvalsh(found).min() > -1e-9
    torch.testing.assert_close(mechanistic.gram(2 * features), 4 * found)
    torch.testing.assert_close(mechanistic.gram_definition(features), gram_loops(features))


def test_style_without_content_is_a_texture_and_content_without_style_is_the_picture():
    """From noise: the stripes' Gram matrices come back, in another picture; so does the content, in its places."""
    stripes = (torch.arange(16, device=CPU) % 4 < 2).float().expand(1, 1, 16, 16)
    generator = source(0, CPU)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1, device=CPU),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1, device=CPU),
    )
    for parameter in model.parameters():
        shape = parameter.shape
        parameter.data = torch.randn(shape, generator=generator, device=CPU) / math.sqrt(math.prod(shape[1:]) or 1)
    start = noise(1, 1, 16, 16)
    options = {"start": start, "steps": 100}
    texture = list(
        mechanistic.style_transfer_steps(model, stripes, stripes, content_layers=[], style_layers=["1", "2"], **options)
    )
    assert texture[-1].parts["style"] < texture[0].parts["style"] / 5
    assert (texture[-1].x - stripes).abs().mean() > 0.1
    content = last(
        mechanistic.style_transfer_steps(model, stripes, stripes, content_layers=["1"], style_layers=[], **options)
    )
    assert content.x.sub(stripes).abs().mean() < 0.1
