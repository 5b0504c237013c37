"""The oracles of what measures a generator, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants, for the measures of the room generation. The definitions here go point by
point in Python's own numbers, or by scipy's matrix root.
"""

import math
import statistics
from itertools import product

import numpy as np
import pytest
import scipy.linalg
import torch
from dlcourse_oracles import INF, global_stream_untouched, random, refuses, source
from dlcourse_tolerance import assert_close

from dlcourse import generation

DTYPES = (torch.float32, torch.float64)


def lattice(n, features, seed, device, dtype=torch.float32, high=4):
    """Points with small whole coordinates: many ties and twins, and every distance comparison is exact."""
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, (n, features), generator=g).to(device, dtype)


def squared(p, q):
    """The squared distance of two lists of numbers."""
    return sum((a - b) ** 2 for a, b in zip(p, q, strict=True))


# --- modes ------------------------------------------------------------------------------------------------------------


def mode_coverage(function, device):
    """Point by point; borders, ties, nan; refusals."""
    for dtype, features, least in product(DTYPES, (1, 2, 3), (0.05, 0.2, 1.0)):
        centres = lattice(4, features, 1, device, dtype, high=9)
        samples = lattice(40, features, 2, device, dtype, high=9).requires_grad_()
        for radius in (1.0, 2.0, 2.5, 100.0):
            counts = [0] * 4
            for point in samples.tolist():
                gaps = [squared(point, centre) for centre in centres.tolist()]
                if min(gaps) <= radius**2:
                    counts[gaps.index(min(gaps))] += 1
            found = function(samples, centres, radius=radius, least=least)
            assert found.counts.tolist() == counts
            assert (found.counts.dtype, found.counts.device) == (torch.int64, centres.device)
            assert found.covered == sum(count / 40 >= least for count in counts)
            assert found.high_quality == sum(counts) / 40
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [50.0, 50.0]], device=device)
    points = torch.tensor([[3.0, 4.0]] * 7 + [[9.0, 1.0]] * 92 + [[math.nan, 0.0]], device=device)
    assert function(points, centres, radius=5.0, least=0.07).covered == 2  # a radius of 5, and 7 of 100: borders count
    assert function(points, centres, radius=4.999, least=0.07).counts.tolist() == [0, 92, 0]
    assert function(points, centres, radius=5.0, least=0.0701).covered == 1
    one = torch.cat([points[:1], points[7:8].expand(99, 2)])
    assert function(one, centres, radius=5.0).covered == 2  # one of 100 does, one of 101 does not
    assert function(torch.cat([one, one[1:2]]), centres, radius=5.0).covered == 1
    bad = torch.tensor([[math.nan, math.nan], [INF, 0.0], [-INF, INF], [0.0, 0.0]], device=device)
    found = function(bad, centres, radius=1.0)
    assert (found.counts.tolist(), found.covered, found.high_quality) == ([1, 0, 0], 1, 0.25)
    middle = torch.tensor([[4.5, 0.0]], device=device)
    assert function(middle, centres, radius=5.0, least=1.0).counts.tolist() == [1, 0, 0]
    for samples, others in ((points[0], centres), (points, centres[0]), (points, centres[:, :1])):
        words = (str(tuple(samples.shape)), str(tuple(others.shape)), "as many features")
        refuses(lambda s=samples, c=others: function(s, c, radius=1.0), ValueError, *words)
    refuses(lambda: function(points[:0], centres, radius=1.0), ValueError, "0 samples and 3 centres")
    refuses(lambda: function(points, centres[:0], radius=1.0), ValueError, "100 samples and 0 centres")
    for radius, least in ((0.0, 0.1), (-1.0, 0.1), (math.nan, 0.1), (1.0, 0.0), (1.0, 1.01), (1.0, -1.0)):
        words = (f"radius={radius}", f"least={least}")
        refuses(lambda r=radius, s=least: function(points, centres, radius=r, least=s), ValueError, *words)


# --- neighbours -------------------------------------------------------------------------------------------------------


def refuses_sets(call, *names):
    """`call(set, ...)`: each set needs an example, finite numbers, and the size of the others."""
    good = random(5, 2, dtype=torch.float32)
    for i, name in enumerate(names):
        for wrong, words in (
            (good[:0], ("(0, 2)", "at least one")),
            (good[:, 0], ("(5,)", "(examples, features)")),
            (good.where(good != good[3, 1], math.nan), ("nan or infinite",)),
            (good.where(good != good[0, 0], -INF), ("nan or infinite",)),
        ):
            sets = [wrong if j == i else good for j in range(len(names))]
            refuses(lambda s=sets: call(*s), ValueError, f"got {name} ", *words)
        sets = [good[:, :1] if j == i else good for j in range(len(names))]
        refuses(lambda s=sets: call(*s), ValueError, f"{name} (5, 1)", "(5, 2)", "of one size")


def nearest(function, device):
    """Point by point, on a lattice full of ties; in chunks; near copies far from 0."""
    for dtype, (n, m, features), k in product(DTYPES, ((7, 5, 2), (1, 9, 1), (300, 4, 2)), (1, 2, 4)):
        samples, training = (lattice(count, features, count, device, dtype) for count in (n, m))
        distances, indices = function(samples, training, k=k)
        assert (distances.shape, indices.shape) == ((n, k), (n, k))
        wanted = []
        for point in samples.tolist():
            gaps = [squared(point, other) for other in training.tolist()]
            wanted.append(sorted(range(m), key=gaps.__getitem__)[:k])
        assert indices.tolist() == wanted
        assert (indices.dtype, distances.dtype, distances.device) == (torch.int64, dtype, samples.device)
        assert_close(distances, (samples[:, None] - training[indices]).square().sum(2).sqrt())
    pictures = random(30, 1, 4, 3, dtype=torch.float32, device=device) + 100
    shifted = pictures.flip(0).clone().requires_grad_()
    distances, indices = function(shifted, pictures)
    assert (distances.shape, indices[:, 0].tolist()) == ((30, 1), list(range(29, -1, -1)))
    assert not distances.any()  # a copy is at 0, exactly
    assert not distances.requires_grad
    refuses(lambda: function(pictures, pictures[:2], k=3), ValueError, "k=3", "2 training examples")
    for k in (0, 1.5, True):
        refuses(lambda k=k: function(pictures, pictures, k=k), ValueError, f"k={k!r}", "1 or more")
    refuses_sets(function, "samples", "training")


def copying(function, device):
    """The nearer of two sets, a tie for a half; what is reported."""
    fake, training, held = (lattice(n, 2, n, device) for n in (50, 12, 5))
    found = function(fake, training, held)
    best = [[min(squared(p, q) for q in others.tolist()) for p in fake.tolist()] for others in (training, held)]
    points = [1.0 if a < b else 0.5 if a == b else 0.0 for a, b in zip(*best, strict=True)]
    assert 0.5 in points  # the case has ties
    assert found.nearer == pytest.approx(sum(points) / 50)
    assert found.expected == pytest.approx(12 / 17)
    assert_close(found.distances, torch.tensor(best[0], device=device).float().sqrt())
    assert_close((fake - training[found.indices]).square().sum(1).sqrt(), found.distances)
    unseen = [min(squared(p, q) for q in training.tolist()) for p in held.tolist()]
    assert_close(found.held_out, torch.tensor(unseen, device=device).float().sqrt())
    text = repr(function(torch.tensor([[1.0], [2.0]], device=device), *(fake[:n, :1] * 0 for n in (3, 1))))
    assert "50.0% of the fakes" in text
    assert "about 75.0%" in text
    assert "training set 1, of held-out examples 0" in text
    copies = function(training.view(12, 1, 2), training.view(12, 1, 2), held.view(5, 1, 2) + 0.25)
    assert copies.nearer == 1
    assert not copies.distances.any()
    refuses_sets(function, "fake", "training", "held_out")


# --- precision and recall ---------------------------------------------------------------------------------------------


def share_in_balls(points, by, k):
    """By the definition, in whole numbers: squared distances of points on a lattice."""
    balls = [sorted(squared(p, q) for j, q in enumerate(by) if j != i)[k - 1] for i, p in enumerate(by)]
    inside = [any(squared(x, p) <= ball for p, ball in zip(by, balls, strict=True)) for x in points]
    return sum(inside) / len(points)


def precision_recall_definition(function, device):
    """Precision of the fakes and recall of the real ones, for every k that there is."""
    for features, (n, m) in product((1, 2, 3), ((4, 7), (9, 5), (12, 12))):
        real, fake = lattice(n, features, n, device, high=7), lattice(m, features, m + 1, device, high=7) + 2
        for k in range(1, min(n, m)):
            found = function(real, fake, k=k)
            assert found.precision == share_in_balls(fake.tolist(), real.tolist(), k)
            assert found.recall == share_in_balls(real.tolist(), fake.tolist(), k)
    assert function(real, fake) == function(real, fake, k=3) != function(real, fake, k=1)


def precision_recall(function, device):
    """The definition; pictures; more than one chunk; refusals."""
    precision_recall_definition(function, device)
    for n, m in ((300, 20), (20, 300), (257, 3)):
        real, fake = lattice(n, 2, n, device, high=40), lattice(m, 2, m, device, high=40) + 3
        found = function(real, fake.requires_grad_(), k=2)
        for share, points, by in ((found.precision, fake, real), (found.recall, real, fake)):
            points, by = points.detach().cpu().numpy(), by.detach().cpu().numpy()
            between = ((by[:, None] - by) ** 2).sum(2)
            np.fill_diagonal(between, math.inf)
            balls = np.sort(between, axis=1)[:, 1]
            assert share == (((points[:, None] - by) ** 2).sum(2) <= balls).any(1).mean()
    pictures = lattice(8, 4, 0, device).view(8, 1, 2, 2)
    assert function(pictures[:4], pictures[4:]) == function(pictures[:4].flatten(1), pictures[4:].flatten(1))
    for real, fake, k in ((pictures[:3], pictures, 3), (pictures, pictures[:3], 3), (pictures, pictures, 8)):
        words = (f"k={k}", f"{len(real)} real", f"{len(fake)} fakes", "more than k")
        refuses(lambda r=real, f=fake, k=k: function(r, f, k=k), ValueError, *words)
    for k in (0, 1.5, True):
        refuses(lambda k=k: function(pictures, pictures, k=k), ValueError, f"k={k!r}", "1 or more")
    refuses_sets(lambda real, fake: function(real, fake, k=1), "real", "fake")


# --- Frechet ----------------------------------------------------------------------------------------------------------


def frechet_by_root(a, b):
    """Equation 6 as printed, with scipy's root of a matrix that is not symmetric."""
    a, b = (x.detach().cpu().double().flatten(1).numpy() for x in (a, b))
    covariances = [np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * np.real(root))


def frechet_distance(function, device):
    """scipy's root; one dimension in closed form; singular covariances by the eigenvalues that are left."""
    for dtype, (n, m, features) in product(DTYPES, ((9, 7, 1), (20, 31, 4), (12, 40, 11))):
        mix = random(features, features, seed=3, dtype=dtype, device=device)
        a = random(n, features, seed=1, dtype=dtype, device=device)
        b = random(m, features, seed=2, dtype=dtype, device=device) @ mix + 0.5
        found = function(a, b)
        assert isinstance(found, float)
        assert found == pytest.approx(frechet_by_root(a, b), rel=1e-6)
        assert function(b, a) == pytest.approx(found, rel=1e-6)
        assert function(a, a) == pytest.approx(0, abs=1e-6)
        assert function(a, a + 2) == pytest.approx(4 * features, rel=1e-5)
    for n, m in ((2, 2), (5, 3)):
        a, b = random(n, 1, device=device), 3 * random(m, 1, seed=4, device=device) - 1
        moments = [(statistics.mean(x), statistics.stdev(x)) for x in (a[:, 0].tolist(), b[:, 0].tolist())]
        assert function(a, b) == pytest.approx(squared(*moments), rel=1e-9)
    # On one line each, at right angles: what they spread, each for itself. Fewer examples than features.
    a, b = torch.zeros(3, 6, device=device), torch.zeros(2, 6, device=device)
    a[:, 0], b[:, 5] = torch.tensor([-1.0, 0.0, 1.0], device=device), torch.tensor([0.0, 4.0], device=device)
    assert function(a, b) == pytest.approx(4 + 1 + 8, rel=1e-6)
    assert function(a, a * 0) == pytest.approx(1, rel=1e-6)
    assert function(a, a.roll(1, 0)) == pytest.approx(0, abs=1e-9)
    far = random(50, 3, dtype=torch.float32, device=device) + 1000
    assert function(far, 2 * far) == pytest.approx(frechet_by_root(far, 2 * far), rel=1e-9)
    leaf = a.view(3, 1, 2, 3).clone().requires_grad_()
    assert function(leaf, b.view(2, 1, 2, 3)) == pytest.approx(13, rel=1e-6)
    for x, y in ((a[:1], b), (a, b[:1])):
        refuses(lambda x=x, y=y: function(x, y), ValueError, f"{len(x)} and {len(y)} examples", "needs two")
    refuses_sets(function, "a", "b")


# --- features ---------------------------------------------------------------------------------------------------------


class Odd(torch.nn.Module):
    """Layers that put out what no features can be made of, or run more often than once."""

    def __init__(self):
        super().__init__()
        self.pair, self.total, self.rows, self.twice, self.never = (torch.nn.Identity() for _ in range(5))
        self.number = torch.nn.Identity()

    def forward(self, x):
        self.pair((x, x))
        self.total(x.sum(1))
        self.number(x.sum())
        self.rows(x[:-1])
        return self.twice(self.twice(x))


def features(function, device):
    """What the layer puts out, row by row, in eval mode; the model is left alone."""
    scale = torch.nn.BatchNorm1d(6, device=device)
    scale.running_mean.fill_(0.5)
    bend = torch.nn.ReLU(inplace=True)
    model = torch.nn.Sequential(torch.nn.Flatten(), scale, bend, torch.nn.Dropout(0.5), torch.nn.Unflatten(1, (2, 3)))
    model[3].eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for n in (1, 5, 256, 300, 600):
        x = random(n, 1, 2, 3, dtype=torch.float32, device=device).requires_grad_()
        flat = x.detach().flatten(1)
        wanted = (flat - 0.5) / (1 + scale.eps) ** 0.5
        for layer, output in (("0", flat), ("1", wanted), ("2", wanted.relu()), ("4", wanted.relu())):
            found = function(model, x, layer)
            assert_close(found, output)
            assert not found.requires_grad
        assert_close(function(model, x, ""), wanted.relu())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    refuses(lambda: function(model, x, "nonsense"), ValueError, "nonsense", "modules are")
    refuses(lambda: function(model, x[:0], "1"), ValueError, "no examples")
    refuses(lambda: function(model, x.sum(), "1"), ValueError, "no examples")
    x = random(4, 3, device=device)
    refuses(lambda: function(Odd(), x, "twice"), ValueError, "'twice' ran 2 times")
    refuses(lambda: function(Odd(), x, "never"), ValueError, "'never' ran 0 times")
    refuses(lambda: function(Odd(), x, "pair"), ValueError, "'pair' gave () for 4", "a row for each")
    refuses(lambda: function(Odd(), x, "total"), ValueError, "'total' gave (4,) for 4", "a row for each")
    refuses(lambda: function(Odd(), x, "number"), ValueError, "'number' gave () for 4")
    refuses(lambda: function(Odd(), x, "rows"), ValueError, "'rows' gave (3, 3) for 4")


# --- baseline and floor -----------------------------------------------------------------------------------------------


def class_means(function, device):
    """Shares, means and spreads of the classes, pixel by pixel; the range; repeatable; one example makes no noise."""
    for dtype in DTYPES:
        x = 0.5 + random(60, 1, 2, 3, scale=0.05, dtype=dtype, device=device)
        y = torch.tensor([7, 2, 7, 7] * 15, device=device)
        x[y == 2] -= 0.3
        x[:, 0, 0, 0] = 0.25  # no spread
        with global_stream_untouched():
            made = function(x, y, 4000, generator=source(0, device))
            assert torch.equal(made, function(x, y, 4000, generator=source(0, device)))
            assert not torch.equal(made, function(x, y, 4000, generator=source(1, device)))
        assert (made.shape, made.dtype, made.device) == ((4000, 1, 2, 3), dtype, x.device)
        assert_close(made[:, 0, 0, 0], x.new_full((4000,), 0.25))
        low = made[:, 0, 1].mean(1) < 0.35
        assert low.double().mean().item() == pytest.approx(0.25, abs=0.03)  # four standard deviations
        for rows, label in ((made[low], 2), (made[~low], 7)):
            group = x[y == label].double()
            mean, spread = group.mean(0), (group - group.mean(0)).square().mean(0).sqrt()
            assert ((rows.mean(0) - mean).abs() <= 5 * spread / len(rows) ** 0.5 + 1e-6).all()
            assert ((rows.std(0) - spread).abs() <= 4 * spread / (2 * len(rows)) ** 0.5 + 1e-6).all()
            pixels = rows[:, 0, 1].double()
            assert pixels.T.corrcoef().fill_diagonal_(0).abs().max() < 0.2  # each pixel by itself
    wide = torch.tensor([[-3.0], [4.0]], device=device)  # the noise leaves the range on both sides
    made = function(wide, torch.tensor([0, 0], device=device), 200, generator=source(0, device))
    assert (made.min().item(), made.max().item()) == (0, 1)
    assert ((made > 0.2) & (made < 0.8)).any()
    alone = torch.tensor([[0.25, 0.75]], device=device)
    made = function(alone, torch.tensor([4], device=device), 3, generator=source(0, device))
    assert torch.equal(made, alone.expand(3, 2))
    for n in (0, 1.5, True):
        refuses(lambda n=n: function(x, y, n, generator=source(0, device)), ValueError, f"n={n!r}", "1 or more")
    for examples, labels in ((x[:0], y[:0]), (x, y[:5])):
        words = (f"{len(examples)} examples", f"{len(labels)} labels", "at least one")
        refuses(lambda a=examples, b=labels: function(a, b, 1, generator=source(0, device)), ValueError, *words)


def measured(function, device):
    """Each of the three beside the real ones, which stand first; what is printed."""
    sets = [torch.full((3, 1), number, device=device) for number in (0.5, 2.25, 8.0)]
    real = torch.zeros(4, 1, device=device)
    seen = []

    def gap(a, b):
        seen.append(a is real)
        return (b.mean() - a.mean()).item()

    found = function(gap, sets[0], real, sets[1], sets[2])
    assert (found.value, found.floor, found.baseline) == (0.5, 2.25, 8.0)
    assert all(seen)
    assert repr(found) == "0.5 (real against real 2.25, class means plus noise 8)"
    text = repr(function(lambda a, b: 1234.5678 * b.mean().item(), sets[0], real, sets[1], sets[2]))
    assert text == "617 (real against real 2.78e+03, class means plus noise 9.88e+03)"
    for i, counts in enumerate(("2 fakes, 3 other real examples and 3", "3 fakes, 2 other", "examples and 2 of")):
        cut = [part[:2] if i == j else part for j, part in enumerate(sets)]
        refuses(lambda c=cut: function(gap, c[0], real, c[1], c[2]), ValueError, counts)


ORACLES = {
    "generation.mode_coverage": mode_coverage,
    "generation.nearest": nearest,
    "generation.copying": copying,
    "generation.precision_recall_definition": precision_recall_definition,
    "generation.precision_recall": precision_recall,
    "generation.frechet_distance": frechet_distance,
    "generation.features": features,
    "generation.class_means": class_means,
    "generation.measured": measured,
}


# --- broken versions --------------------------------------------------------------------------------------------------


def coverage_like(
    *,
    near=lambda gaps, radius: gaps <= radius,
    which=lambda gaps: gaps.min(1).indices,
    covered=lambda counts, n, least: sum(count / n >= least for count in counts.tolist()),
    quality=lambda counts, n: counts.sum().item() / n,
):
    """Mode coverage with one part changed."""

    def function(samples, centres, *, radius, least=0.01):
        generation.mode_coverage(samples, centres, radius=radius, least=least)  # refuses
        gaps = (samples.detach()[:, None] - centres).square().sum(2).sqrt()
        index = which(gaps)
        good = near(gaps.gather(1, index[:, None])[:, 0], radius)
        counts = index[good].bincount(minlength=len(centres))
        return generation.Modes(counts, covered(counts, len(samples), least), quality(counts, len(samples)))

    return function


def balls_like(*, own=math.inf, inside=lambda d, r: d <= r, swap=False, k_of=lambda k: k):
    """Precision and recall with one part changed."""

    def covered(points, by, k):
        between = torch.cdist(by, by, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(own)
        reach = between.sort(1).values[:, k_of(k) - 1]
        gaps = torch.cdist(points, by, compute_mode="donot_use_mm_for_euclid_dist")
        return inside(gaps, reach).any(1).sum().item() / len(points)

    def function(real, fake, *, k=3):
        generation.precision_recall(real, fake, k=k)  # refuses
        real, fake = real.detach().flatten(1), fake.detach().flatten(1)
        shares = covered(fake, real, k), covered(real, fake, k)
        return generation.PrecisionRecall(*(shares[::-1] if swap else shares))

    return function


def moments_like(trace, *, correction=1, power=1.0):
    """A Frechet distance with another trace, covariance or power."""

    def function(a, b):
        generation.frechet_distance(a, b)  # refuses
        a, b = (x.detach().cpu().double().flatten(1) for x in (a, b))
        covariances = [x.T.cov(correction=correction).reshape(x.shape[1], -1).numpy() for x in (a, b)]
        gap = (a.mean(0) - b.mean(0)).square().sum().item()
        return max(gap + float(np.real(trace(*covariances))), 0.0) ** power

    return function


def equation(s, t):
    """The trace of equation 6, by the eigenvalues of the product, which are real and 0 or more."""
    return np.trace(s + t) - 2 * np.sqrt(np.abs(np.linalg.eigvals(s @ t))).sum()


def features_like(*, change=lambda found: found, learning=False, keeps=False):
    """Features with one part changed."""

    def function(model, x, layer):
        found = generation.features(model, x, layer)  # refuses
        if learning:
            modes = [(module, module.training) for module in model.modules()]
            kept = {name: value.clone() for name, value in model.state_dict().items()}
            model.train()
            with torch.no_grad():
                seen = []
                hook = dict(model.named_modules())[layer].register_forward_hook(
                    lambda module, args, output: seen.append(output.flatten(1).clone())
                )
                model(x)
                hook.remove()
            model.load_state_dict(kept)
            for module, mode in modes:
                module.training = mode
            found = seen[0]
        if keeps:
            model.eval()
        return change(found)

    return function


def means_like(*, spread=lambda group: group.std(0, correction=0), classes=None, noise=None, finish=None):
    """Class means plus noise, with one part changed."""

    def function(x, y, n, *, generator):
        generation.class_means(x, y, n, generator=source(0, x.device))  # refuses
        kinds, which = y.unique(return_inverse=True)
        groups = [x[which == kind] for kind in range(len(kinds))]
        means, spreads = (torch.stack([f(group) for group in groups]) for f in (lambda g: g.mean(0), spread))
        index = which[torch.randint(len(x), (n,), generator=generator, device=x.device)]
        if classes:
            index = classes(len(kinds), n, generator)
        draw = noise or (lambda shape, **o: torch.randn(shape, **o))
        grains = draw((n, *x.shape[1:]), generator=generator, device=x.device).to(x)
        made = means[index] + spreads[index] * grains
        return finish(made) if finish else made.clamp(0, 1)

    return function


def copying_like(fake, training, held_out, *, wrong):
    found = generation.copying(fake, training, held_out)
    fields = {name: getattr(found, name) for name in ("nearer", "expected", "distances", "indices", "held_out")}
    return generation.Copying(**{**fields, **wrong(found, fake.flatten(1), training.flatten(1), held_out.flatten(1))})


def copying_with(wrong):
    return lambda *sets: copying_like(*sets, wrong=wrong)


def swapped_floor(measure, fake, real, other_real, baseline):
    found = generation.measured(measure, fake, real, other_real, baseline)
    return generation.Measured(found.value, floor=found.baseline, baseline=found.floor)


def nearest_by_products(samples, training, k=1):
    found, indices = generation.nearest(samples, training, k)
    rough = torch.cdist(samples.flatten(1), training.flatten(1), compute_mode="use_mm_for_euclid_dist").detach()
    return rough.gather(1, indices) + 0 * found, indices


def last_of_equals(samples, training, k=1):
    distances, indices = generation.nearest(samples, training.flip(0), k)
    return distances, len(training) - 1 - indices


def farthest_first(samples, training, k=1):
    return tuple(found.flip(1) for found in generation.nearest(samples, training, k))


def one_root(s, t):
    return (np.trace(s + t) + equation(s, t)) / 2


NAMED = [
    ("generation.mode_coverage", "the border left out", coverage_like(near=lambda gaps, radius: gaps < radius)),
    ("generation.mode_coverage", "squared distance against radius", coverage_like(near=lambda g, r: g.square() <= r)),
    ("generation.mode_coverage", "far samples counted too", coverage_like(near=lambda gaps, r: gaps > -1)),
    ("generation.mode_coverage", "the farthest centre", coverage_like(which=lambda gaps: gaps.max(1).indices)),
    (
        "generation.mode_coverage",
        "covered by one stray sample",
        coverage_like(covered=lambda counts, n, least: (counts > 0).sum().item()),
    ),
    (
        "generation.mode_coverage",
        "a share of the good ones",
        coverage_like(covered=lambda c, n, least: (c / max(c.sum().item(), 1) >= least).sum().item()),
    ),
    (
        "generation.mode_coverage",
        "a share of the modes",
        coverage_like(quality=lambda counts, n: (counts > 0).double().mean().item()),
    ),
    ("generation.nearest", "squared", lambda s, t, k=1: (lambda d, i: (d**2, i))(*generation.nearest(s, t, k))),
    ("generation.nearest", "by products", nearest_by_products),
    ("generation.nearest", "the last of equal ones", last_of_equals),
    (
        "generation.nearest",
        "the farthest first",
        lambda s, t, k=1: tuple(x.flip(1) for x in generation.nearest(s, t, k)),
    ),
    (
        "generation.copying",
        "a tie is a copy",
        copying_with(
            lambda f, fake, train, held: {
                "nearer": (f.distances <= generation.nearest(fake, held)[0][:, 0]).double().mean().item()
            }
        ),
    ),
    (
        "generation.copying",
        "half and half expected",
        copying_with(lambda f, fake, train, held: {"expected": 0.5}),
    ),
    (
        "generation.copying",
        "held out against the fakes",
        copying_with(lambda f, fake, train, held: {"held_out": generation.nearest(held, fake)[0][:, 0]}),
    ),
    (
        "generation.copying",
        "nearest fake of each training example",
        copying_with(lambda f, fake, train, held: {"distances": generation.nearest(train, fake)[0][:, 0]}),
    ),
    ("generation.precision_recall", "its own neighbour", balls_like(own=0.0)),
    ("generation.precision_recall", "open balls", balls_like(inside=lambda d, r: d < r)),
    ("generation.precision_recall", "swapped", balls_like(swap=True)),
    ("generation.precision_recall", "the first neighbour only", balls_like(k_of=lambda k: 1)),
    ("generation.precision_recall", "in every ball", balls_like(inside=lambda d, r: (d <= r).all(1, keepdim=True))),
    ("generation.frechet_distance", "the root", moments_like(equation, power=0.5)),
    ("generation.frechet_distance", "divided by n", moments_like(equation, correction=0)),
    ("generation.frechet_distance", "means only", moments_like(lambda s, t: 0.0)),
    (
        "generation.frechet_distance",
        "variances only",
        moments_like(lambda s, t: ((np.sqrt(s.diagonal()) - np.sqrt(t.diagonal())) ** 2).sum()),
    ),
    (
        "generation.frechet_distance",
        "one root for two",
        moments_like(lambda s, t: (np.trace(s + t) + equation(s, t)) / 2),
    ),
    (
        "generation.frechet_distance",
        "the root of each number",
        moments_like(lambda s, t: np.trace(s + t - 2 * np.sqrt(np.abs(s @ t)))),
    ),
    ("generation.features", "in training mode", features_like(learning=True)),
    ("generation.features", "stays in eval mode", features_like(keeps=True)),
    ("generation.features", "not flattened", features_like(change=lambda found: found.unsqueeze(1))),
    ("generation.features", "the first chunk only", features_like(change=lambda found: found[:256])),
    ("generation.class_means", "clipped too late", means_like(finish=lambda made: made.clamp(0, 2))),
    ("generation.class_means", "not clipped", means_like(finish=lambda made: made)),
    ("generation.class_means", "no noise", means_like(spread=lambda group: group.std(0, correction=0) * 0)),
    ("generation.class_means", "one spread for all pixels", means_like(spread=lambda g: g.mean(0) * 0 + g.std())),
    ("generation.class_means", "divided by n - 1", means_like(spread=lambda group: group.std(0))),
    (
        "generation.class_means",
        "classes as likely as each other",
        means_like(classes=lambda kinds, n, g: torch.randint(kinds, (n,), generator=g, device=g.device)),
    ),
    (
        "generation.class_means",
        "one noise for all pixels",
        means_like(noise=lambda shape, **o: torch.randn((shape[0], *[1] * (len(shape) - 1)), **o).expand(shape)),
    ),
    (
        "generation.class_means",
        "uniform noise",
        means_like(noise=lambda shape, **o: torch.rand(shape, **o)),
    ),
    (
        "generation.class_means",
        "from the global stream",
        means_like(noise=lambda shape, *, generator, device: torch.randn(shape, device=device)),
    ),
    ("generation.measured", "floor and baseline swapped", swapped_floor),
    (
        "generation.measured",
        "the fakes first",
        lambda f, fake, real, *others: generation.measured(lambda a, b: f(b, a), fake, real, *others),
    ),
]
# The helpers above with nothing changed: each must pass, or the faults made with it prove nothing.
UNCHANGED = [
    ("generation.mode_coverage", coverage_like()),
    ("generation.precision_recall", balls_like()),
    ("generation.frechet_distance", moments_like(equation)),
    ("generation.features", features_like()),
    ("generation.class_means", means_like()),
    ("generation.copying", copying_with(lambda *sets: {})),
]
