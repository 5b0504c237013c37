"""The oracles of the room mechanistic, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants. Probes are compared with scikit-learn's logistic regression, the loops over
pixels with torch's Adam, Gram matrices with loops, patches with networks that are cut in two and run by hand, and the
circuits with what they are to compute, written in Python.
"""

import math
import warnings
from dataclasses import FrozenInstanceError, replace
from functools import partial
from itertools import product

import pytest
import torch
from dlcourse_attacks import broken
from dlcourse_attacks_more import defaults
from dlcourse_defenses import left_alone
from dlcourse_oracles import (
    DTYPES,
    agree,
    global_stream_untouched,
    hooks_left,
    own_messages,
    random,
    refuses,
    source,
)
from dlcourse_tolerance import assert_close
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dlcourse import mechanistic
from dlcourse.hooks import replace as replace_outputs
from dlcourse.mechanistic import Patching, Site
from dlcourse.steps import last

INF, NAN = math.inf, math.nan
t = torch.nn


def conv_net(device, dtype=torch.float32):
    """Maps, then logits; with a mode, buffers and a ReLU that works in place."""
    model = t.Sequential(
        t.Conv2d(2, 3, 3, padding=1),  # 0
        t.BatchNorm2d(3),
        t.ReLU(inplace=True),  # 2
        t.Conv2d(3, 4, 2),
        t.Tanh(),  # 4
        t.Dropout(0.5),
        t.Flatten(),
        t.Linear(4 * 3 * 4, 3),  # 7
    ).to(device, dtype)
    for i, parameter in enumerate(model.parameters()):
        parameter.data.copy_(random(*parameter.shape, seed=i, scale=0.7))
    model[1].running_mean.copy_(random(3, seed=50, scale=0.3))
    return model


def first_in_place(device):
    """A model whose first layer writes into what it is given."""
    return t.Sequential(t.ReLU(inplace=True), t.Flatten(), t.Linear(6, 2, device=device))


def pictures(*shape, seed=0, dtype=torch.float32, device="cpu"):
    """In [0, 1], with both borders."""
    return (random(*shape, seed=seed, dtype=dtype, device=device) * 0.4 + 0.5).clamp(0, 1)


def through(model, x, start=0, end=None):
    """The layers from start to before end, in eval mode; a new tensor, in the graph."""
    modes = [module.training for module in model.modules()]
    model.eval()
    h = x.clone()
    for layer in list(model)[start:end]:
        h = layer(h.clone())
    for module, mode in zip(model.modules(), modes, strict=True):
        module.training = mode
    return h


class Twice(t.Module):
    """A layer that runs twice, one that never does, and one that gives a pair."""

    def __init__(self):
        super().__init__()
        self.shared, self.never, self.pair, self.total = t.Identity(), t.Identity(), Pair(), Total()

    def forward(self, x):
        self.pair(x)
        self.total(x)
        return self.shared(self.shared(x))


class Pair(t.Module):
    def forward(self, x):
        return x, x


class Total(t.Module):
    def forward(self, x):
        return x.sum()


# --- activations ------------------------------------------------------------------------------------------------------


def refuses_layers(call, device):
    """What cannot be looked at; call(model, x, layers)."""
    x = torch.ones(2, 3, device=device)
    for layer, words in (
        ("shared", ("'shared'", "more than once")),
        ("never", ("['never']", "did not run")),
        ("pair", ("'pair'", "tuple", "2 examples", "(2, ...)")),
        ("total", ("'total'", "wanted a tensor")),
        ("nobody", ("no ['nobody']", "'shared'")),
    ):
        model = Twice()
        refuses(lambda m=model, layer=layer: call(m, x, [layer]), ValueError, *words)
        assert not hooks_left(model)
        assert model.training
    refuses(lambda: call(Twice(), x[:0], [""]), ValueError, "(0, 3)", "at least one")


def activations(function, device):
    """The outputs of the layers run by hand, copied, in eval mode and without a graph."""
    names = {"1": 2, "3": 4, "6": 7, "": None}
    for dtype in DTYPES:
        model, x = conv_net(device, dtype), random(5, 2, 4, 5, dtype=dtype, device=device)
        kept, leaf = x.clone(), x.clone().requires_grad_()
        seen = left_alone(model, lambda m=model, leaf=leaf: function(m, leaf, iter([*names, "1"])))
        assert torch.equal(leaf, kept)
        assert set(seen) == set(names)
        for name, end in names.items():
            assert_close(seen[name], through(model, x, end=end).detach())
            assert not seen[name].requires_grad
    negative = -torch.ones(2, 6, device=device)
    function(first_in_place(device), negative, [""])
    assert (negative == -1).all()
    refuses_layers(function, device)


def outputs(function, device):
    """The same in the graph and in the model's own mode, with slopes for x."""
    model, x = conv_net(device, torch.float64).eval(), random(3, 2, 4, 5, device=device)
    for name, end in (("1", 2), ("3", 4), ("", None)):
        agree(lambda x, n=name: function(model, x, (n,))[n], lambda x, e=end: through(model, x, end=e), x)
    assert not hooks_left(model)
    assert function(t.Dropout(1.0), x, [""])[""].eq(0).all()
    assert set(function(model, x, ["0", "7"])) == {"0", "7"}
    negative = -torch.ones(2, 6, device=device)
    function(first_in_place(device), negative, [""])
    assert (negative == -1).all()
    refuses_layers(function, device)


# --- patching ---------------------------------------------------------------------------------------------------------


def put_by_hand(model, x, clean, sites):
    """The logits for x with units replaced, layer by layer; sites: {number of a layer: units or None}."""
    h = x
    for number in range(len(model)):
        h = through(model, h, number, number + 1)
        if number in sites:
            wanted = through(model, clean, end=number + 1)
            for unit in range(h.shape[1]) if sites[number] is None else sites[number]:
                h[:, unit] = wanted[:, unit]
    return h


GROUPS = [  # (sites, the same for `put_by_hand`)
    ((), {}),
    (Site("0", (1,)), {0: [1]}),
    (Site("1", (0, 2)), {1: [0, 2]}),
    (Site("3"), {3: None}),
    ((Site("3", (0,)), Site("3", (3,))), {3: [0, 3]}),
    ((Site("1", (2,)), Site("6", (5, 11, 30))), {1: [2], 6: [5, 11, 30]}),
    (Site("3", ()), {}),
    (Site("", (1,)), {7: [1]}),
    (Site(""), {7: None}),
]


def patched(function, device):
    """Units replaced by hand, one or several sites at once; x, the source and the model left alone."""
    model = conv_net(device, torch.float64).eval().requires_grad_(False)
    x, clean = (random(4, 2, 4, 5, seed=seed, device=device) for seed in (0, 1))
    layers = {"": 8, "0": 1, "1": 2, "3": 4, "6": 7}
    held = {name: through(model, clean, end=end) for name, end in layers.items()}
    kept = {name: value.clone() for name, value in held.items()}
    before = x.clone()
    for sites, numbers in GROUPS:
        group = (sites,) if isinstance(sites, Site) else sites
        assert_close(function(model, x, group, held), put_by_hand(model, x, clean, numbers))
        assert not hooks_left(model)
    assert all(torch.equal(held[name], kept[name]) for name in held)
    assert torch.equal(x, before)
    function(first_in_place(device), negative := -torch.ones(2, 6, device=device), [], {})
    assert (negative == -1).all()
    for wrong in ((-1,), (0, 4)):
        call = partial(function, model, x, [Site("3", wrong)], held)
        refuses(call, ValueError, f"units={wrong}", "0 to 3", "(4, 4, 3, 4)")
    refuses(lambda: function(model, x, [Site("nobody")], held), ValueError, "nobody")
    assert not hooks_left(model)


def differences(logits):
    return logits[:, 0] - logits[:, 2]


def activation_patching(function, device):
    """Metrics run by hand, everything = 1 and nothing = 0 to the bit, the known circuits, what is left, refusals."""
    for dtype, batch in product(DTYPES, (1, 37)):
        model = conv_net(device, dtype)
        clean, corrupted = (random(batch, 2, 4, 5, seed=seed, dtype=dtype, device=device) for seed in (0, 1))
        kept = clean.clone(), corrupted.clone()
        call = partial(function, model, clean, corrupted, differences, [sites for sites, _ in GROUPS])
        found = left_alone(model, call)
        assert torch.equal(clean, kept[0])
        assert torch.equal(corrupted, kept[1])
        high, low = (differences(through(model, x)).detach() for x in (clean, corrupted))
        rows = [differences(put_by_hand(model, corrupted, clean, numbers)) for _, numbers in GROUPS]
        assert_close(found.clean, high)
        assert_close(found.corrupted, low)
        assert_close(found.patched, torch.stack(rows).detach())
        effect = found.effect.tolist()
        assert [effect[0], effect[3], effect[6], effect[8]] == [0, 1, 0, 1]
        total = (found.patched - found.corrupted).sum(1) / (found.clean - found.corrupted).sum()
        torch.testing.assert_close(found.effect, total)
    zeros, ones = torch.zeros(1, 2, device=device), torch.ones(1, 2, device=device)
    plain = partial(function, t.Identity(), ones, zeros, lambda logits: logits.sum(1))
    first, second = Site("", (0,)), Site("", (1,))
    assert plain([first, (first, second), [second], second]).effect.tolist() == [0.5, 1.0, 0.5, 0.5]
    model = t.Sequential(t.Linear(2, 2, device=device), t.Dropout(0.5))
    refuses(lambda: function(model, ones, zeros[:, :1], differences, [()]), ValueError, "(1, 2)", "(1, 1)", "equal")
    refuses(lambda: function(model, ones, zeros, lambda z: z[:, 0], []), ValueError, "0 sites", "at least one site")
    refuses(lambda: function(model, ones[:0], zeros[:0], lambda z: z[:, 0], [()]), ValueError, "(0, 2)")
    refuses(
        lambda: function(model, ones, ones, lambda z: z[:, 0], [()]),
        ValueError,
        "on average",
        "no difference to restore",
    )
    for wrong in (lambda z: z, lambda z: z.sum(), lambda z: 1.0, lambda z: z[:, 0] * NAN, lambda z: z[:, 0] / 0):
        refuses(lambda w=wrong: function(model, ones, zeros, w, [()]), ValueError, "the metric made", "each row")
    refuses(lambda: function(model, ones, zeros, lambda z: z[:, 0], [Site("0", (2,))]), ValueError, "units=(2,)")
    refuses_layers(lambda m, x, layers: function(m, x, 0 * x, lambda z: z.sum(1), [Site(*layers)]), device)
    assert model.training
    assert not hooks_left(model)


def patching(make, device):
    """Shares of the difference over all pairs, exactly 0 and 1 at the ends."""
    clean, corrupted = random(53, seed=1, device=device), random(53, seed=2, device=device)
    half = (clean + corrupted) / 2
    for dtype in DTYPES:
        both = clean.to(dtype), corrupted.to(dtype)
        rows = torch.stack([both[1], half.to(dtype), both[0], 2 * both[0] - both[1]])
        effect = make(*both, rows).effect
        assert effect[[0, 2]].tolist() == [0, 1]
        torch.testing.assert_close(effect, torch.tensor([0, 0.5, 1, 2], dtype=dtype, device=device))
    uneven = make(*(torch.tensor(v, device=device) for v in ([3.0, 1.0], [0.0, 0.0], [[3.0, 0.0], [0.0, 1.0]])))
    assert uneven.effect.tolist() == [0.75, 0.25]  # not 1/2 and 1/2, the means of each pair's share


# --- circuits ---------------------------------------------------------------------------------------------------------


def bits(n, device="cpu"):
    return torch.tensor(list(product((0.0, 1.0), repeat=n)), device=device)


def made_circuit(make, *args):
    """The circuit, made without the global stream; its parts and idle units are names of its model."""
    with global_stream_untouched():
        circuit = make(*args)
    names = dict(circuit.model.named_modules())
    for site in (*circuit.parts.values(), *circuit.idle.values()):
        assert site.layer in names
    assert all(parameter.requires_grad for parameter in circuit.model.parameters())
    return circuit


def restored(circuit, clean, corrupted, sites):
    """The effects of sites on logit 1 - logit 0."""
    pair = (torch.tensor([row]) for row in (clean, corrupted))
    found = mechanistic.activation_patching(circuit.model, *pair, lambda z: z[:, 1] - z[:, 0], sites)
    return found.effect.tolist()


def parity(make, device):
    for n in range(1, 6):
        circuit, x = made_circuit(make, n), bits(n)
        odd = x.sum(1) % 2 - 0.5
        assert circuit.model(x).tolist() == torch.stack([-odd, odd], dim=1).tolist()
        assert list(circuit.parts) == [f"more than {k}" for k in range(n)]
        assert circuit.idle == {}
        hidden = mechanistic.activations(circuit.model, x, ["relu"])["relu"]
        for k, site in enumerate(circuit.parts.values()):
            assert hidden[:, site.units].tolist() == (x.sum(1, keepdim=True) - k).clamp(min=0).tolist()
    three = made_circuit(
        make, 3
    )  # ones 3 and 0: units (3, 2, 1) and 0 with the slopes 1, -2, 2; the answer from 0 to 1
    effect = restored(three, [1.0] * 3, [0.0] * 3, [*three.parts.values(), tuple(three.parts.values()), ()])
    assert effect == [3, -4, 2, 1, 0]
    for wrong in (0, 2.5):
        refuses(lambda w=wrong: make(w), ValueError, f"bits={wrong}", "1 or more")


def comparator(make, device):
    circuit = made_circuit(make)
    x = random(20, 2, dtype=torch.float32)
    a, b = x.unbind(1)
    assert torch.equal(circuit.model(x), torch.stack([(b - a).relu(), (a - b).relu()], dim=1))
    assert set(circuit.parts) == {"b is larger", "a is larger"}
    hidden = mechanistic.activations(circuit.model, x, ["relu"])["relu"]
    assert torch.equal(hidden[:, list(circuit.parts["a is larger"].units)][:, 0], (a - b).relu())
    assert torch.equal(hidden[:, list(circuit.parts["b is larger"].units)][:, 0], (b - a).relu())
    assert torch.equal(hidden[:, list(circuit.idle["the sum"].units)][:, 0], (a + b).relu())
    effect = restored(circuit, [0.75, 0.25], [0.0, 0.5], [*circuit.parts.values(), *circuit.idle.values()])
    assert effect == [0.5, 0.5, 0.0]


def gate(combine, between, suffices, needed):
    """Oracle for a gate of two bits: what one copy restores, and what is lost without it."""

    def oracle(make, device):
        circuit, x = made_circuit(make), bits(2)
        answer = torch.tensor([float(combine(row)) for row in x.bool().tolist()])
        assert torch.equal(circuit.model(x), torch.stack([0.5 - answer, answer - 0.5], dim=1))
        assert list(circuit.parts) == ["first", "second", "gate"]
        some = random(50, 2, dtype=torch.float32)
        torch.testing.assert_close(circuit.model(some)[:, 1] + 0.5, between(*some.unbind(1)))
        held = mechanistic.activations(circuit.model, x, ["copies"])["copies"]
        for site, bit in (*zip(circuit.parts.values(), (0, 1), strict=False), (circuit.idle["the first again"], 0)):
            assert site.layer == "copies"
            assert torch.equal(held[:, list(site.units)][:, 0], x[:, bit])
        parts = list(circuit.parts.values())
        sites = [*parts, *circuit.idle.values(), (parts[0], parts[1]), ()]
        assert restored(circuit, [1.0, 1.0], [0.0, 0.0], sites) == [suffices, suffices, 1, 0, 1, 0]
        assert restored(circuit, [0.0, 0.0], [1.0, 1.0], sites) == [needed, needed, 1, 0, 1, 0]

    return oracle


def recall(make, device):
    """Counts of what came after each earlier place of the last symbol, for all sequences."""
    for symbols, length in ((1, 2), (1, 4), (2, 2), (3, 4), (2, 5)):
        circuit = made_circuit(make, symbols, length)
        told = list(product(range(symbols), repeat=length))
        x = torch.nn.functional.one_hot(torch.tensor(told), symbols).float()
        counts = [
            [sum(row[p] == row[-1] and row[p + 1] == s for p in range(length - 1)) for s in range(symbols)]
            for row in told
        ]
        assert circuit.model(x).tolist() == counts
        assert list(circuit.parts) == [f"places {p} and {p + 1}" for p in range(length - 1)]
        assert circuit.idle == {}
        metric = lambda z: z[:, -1]  # noqa: E731
        clean, corrupted = x[[-1]], x[[0]]  # all the last symbol; all the first one
        if symbols > 1:  # each place brings as much
            parts = [*circuit.parts.values(), tuple(circuit.parts.values())]
            found = mechanistic.activation_patching(circuit.model, clean, corrupted, metric, parts)
            torch.testing.assert_close(found.effect, torch.tensor([*[1 / (length - 1)] * (length - 1), 1.0]))
        covered = sorted(unit for site in circuit.parts.values() for unit in site.units)
        assert covered == list(range((length - 1) * symbols**2))
    for name, args in (
        ("symbols=0", (0, 3)),
        ("symbols=1.5", (1.5, 3)),
        ("length=1", (2, 1)),
        ("length=2.5", (2, 2.5)),
    ):
        refuses(lambda a=args: make(*a), ValueError, name)


# --- probes -----------------------------------------------------------------------------------------------------------


def clouds(n, features, classes, *, seed=0, dtype=torch.float64, device="cpu"):
    """Overlapping clouds of unlike scale, one constant feature among them, and labels."""
    labels = torch.arange(n, device=device) % classes
    centres = random(classes, features, seed=seed + 7, dtype=dtype, device=device)
    x = centres[labels] + random(n, features, seed=seed, dtype=dtype, device=device)
    x = x * torch.logspace(-2, 2, features, dtype=dtype, device=device) + 3
    x[:, 1] = 5.0
    return x, labels


def sklearn_logits(x, labels, l2, *, classes, new):
    """What scikit-learn's regression on standardised features says to new examples: logits without their mean."""
    scaler = StandardScaler().fit(x.cpu().double().numpy())
    # Ours punishes both of two columns, theirs the one difference of them.
    c = (2 if classes == 2 else 1) / (l2 * len(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(x.cpu().double().numpy()), labels.cpu().numpy())
    logits = torch.from_numpy(model.decision_function(scaler.transform(new.cpu().double().numpy())))
    if classes == 2:
        logits = torch.stack([-logits / 2, logits / 2], dim=1)
    return logits - logits.mean(1, keepdim=True)


def linear_probe(function, device):
    """scikit-learn's; a point without slope; classes that do not come; refusals."""
    for (n, features, classes), l2, dtype in product(((40, 5, 3), (31, 4, 2)), (1e-3, 0.1), DTYPES):
        x, labels = clouds(n, features, classes, dtype=dtype, device=device)
        kept = x.clone()
        with global_stream_untouched(), torch.no_grad():
            probe = function(x, labels, l2=l2)
        assert torch.equal(x, kept)
        new = x * 1.1
        new[:, 1] = 5.0
        theirs = sklearn_logits(x, labels, l2, classes=classes, new=new)
        ours = probe(new).double().cpu()
        rough = 1e-3 if dtype == torch.float64 else 1e-2
        torch.testing.assert_close(ours - ours.mean(1, keepdim=True), theirs, rtol=rough, atol=rough)
        assert (probe.weight.dtype, probe.weight.device) == (dtype, x.device)
        assert not probe.weight.requires_grad
        assert not probe.bias.requires_grad
    x, labels = clouds(60, 6, 3, device=device)
    shaped = function(x.reshape(60, 2, 3), labels)
    assert_close(shaped(x.reshape(60, 2, 3)), function(x, labels, l2=1e-3)(x))
    more = function(x, labels, classes=5)
    assert more.weight.shape == (5, 6)
    assert (more(x)[:, 3:].amax(1) < more(x)[:, :3].amax(1) - 1).all()
    assert function(x, 0 * labels, classes=2).accuracy(x, 0 * labels) == 1.0
    for wrong in (0.0, -1.0, INF, NAN):
        refuses(lambda w=wrong: function(x, labels, l2=w), ValueError, f"l2={wrong}", "above 0")
    refuses_examples(function, x, labels)
    for options, words in (({"classes": 2}, "from 0 to 2, for 2 classes"), ({"classes": 1}, "for 1 classes")):
        refuses(lambda o=options: function(x, labels.clamp(max=2), **o), ValueError, words, "two classes or more")
    refuses(lambda: function(x, 0 * labels), ValueError, "from 0 to 0, for 1 classes")
    refuses(lambda: function(x, labels - 1), ValueError, "from -1 to 1", "two classes")


def refuses_examples(call, x, labels):
    refuses(lambda: call(x, labels[:-1]), ValueError, f"labels ({len(x) - 1},)", "(batch,)")
    refuses(lambda: call(x[:0], labels[:0]), ValueError, "at least one")
    refuses(lambda: call(x[:, :0], labels), ValueError, "at least one")
    refuses(lambda: call(x[:, 0], labels), ValueError, "wanted (batch, ...)")
    for wrong in (INF, NAN):
        bad = x.clone()
        bad[3, 2] = wrong
        refuses(lambda b=bad: call(b, labels), ValueError, "inf or nan")


def probe_class(make, device):
    """Logits of a linear layer, of activations of any shape; the share that is right."""
    for dtype in DTYPES:
        layer = t.Linear(6, 3, device=device, dtype=dtype)
        made = make(layer.weight.detach(), layer.bias.detach())
        x = random(7, 2, 3, dtype=dtype, device=device)
        assert_close(made(x), layer(x.flatten(1)).detach())
        labels = made(x).argmax(1)
        assert made.accuracy(x, labels) == 1.0
        labels[:3] = (labels[:3] + 1) % 3
        assert made.accuracy(x, labels) == pytest.approx(4 / 7)


def control_task(function, device):
    """One label for each type; types apart; as frequent as among the examples; from the generator alone."""
    types = torch.arange(4000, device=device).repeat(3)[torch.randperm(12_000, generator=source(0, "cpu")).to(device)]
    labels = torch.cat([torch.zeros(9000, device=device), torch.ones(3000, device=device) * 2]).long()
    kept = types.clone(), labels.clone()
    for shift in (0, -70_000):  # any integers name types
        with global_stream_untouched():
            found = function(types + shift, labels, generator=source(1, device))
        assert torch.equal(types, kept[0])
        assert torch.equal(labels, kept[1])
        assert (found.shape, found.dtype, found.device) == (labels.shape, labels.dtype, labels.device)
        of_type = torch.full((4000,), -1, device=device).scatter(0, types, found)
        assert torch.equal(of_type[types], found)
        assert set(found.tolist()) == {0, 2}
        assert (of_type == 2).double().mean().item() == pytest.approx(0.25, abs=0.03)
        assert (of_type[:-1] == of_type[1:]).double().mean().item() == pytest.approx(0.625, abs=0.03)  # 0.75^2 + 0.25^2
        assert torch.equal(found, function(types + shift, labels, generator=source(1, device)))
        other = function(types + shift, labels, generator=source(2, device))
        assert (other == found).double().mean().item() == pytest.approx(0.625, abs=0.03)
    many = function(torch.arange(300, device=device), torch.arange(300, device=device), generator=source(0, device))
    assert many.max() > 280  # every example can be drawn
    assert many.min() < 20
    refuses(lambda: function(types[:3], labels[:4], generator=source(0, device)), ValueError, "(3,)", "(4,)", "wanted")
    refuses(lambda: function(types[:0], labels[:0], generator=source(0, device)), ValueError, "at least one")


def numbered(device, n=60, kinds=12):
    """Examples whose type is a bump that can be seen, and whose label is a half of the types: (train, test)."""
    types = torch.arange(2 * n, device=device) % kinds
    h = torch.nn.functional.one_hot(types, kinds).double() + random(2 * n, kinds, scale=0.2, device=device)
    labels = (types * 2 >= kinds).long() + (types == 0)
    both = [mechanistic.Examples(h[part], labels[part], types[part]) for part in (slice(n), slice(n, None))]
    return both


@own_messages()
def selectivity(function, device):
    """Accuracy and each control by a probe of its own, in the order drawn; the floor; refusals."""
    train, test = numbered(device)
    test = replace(test, labels=(test.labels + (test.types == 5)).clamp(max=1))  # a probe cannot get all right
    for draws, l2 in ((1, 1e-3), (3, 0.5)):
        with global_stream_untouched():
            found = function(train, test, draws=draws, l2=l2, generator=source(4, device))
        generator = source(4, device)
        probe = mechanistic.linear_probe(train.activations, train.labels, l2=l2)
        assert found.accuracy == probe.accuracy(test.activations, test.labels) < 1
        assert len(found.control) == draws
        together = torch.cat([train.types, test.types]), torch.cat([train.labels, test.labels])
        for share in found.control:
            told = mechanistic.control_task(*together, generator=generator)
            probe = mechanistic.linear_probe(train.activations, told[:60], classes=2, l2=l2)
            assert share == probe.accuracy(test.activations, told[60:])
        assert found.commonest == (test.labels == 1).double().mean().item()
        assert found.selectivity == pytest.approx(found.accuracy - sum(found.control) / draws)
    plain = function(train, test, generator=source(4, device))
    assert plain == function(train, test, draws=5, l2=1e-3, generator=source(4, device))
    skewed = replace(test, labels=0 * test.labels)
    assert function(train, skewed, draws=1, generator=source(4, device)).commonest == 0.0
    three = replace(train, labels=train.types % 3), replace(test, labels=test.types % 3)
    assert len(function(*three, draws=2, generator=source(0, device)).control) == 2
    for wrong in (0, 1.5):
        refuses(
            lambda w=wrong: function(train, test, draws=w, generator=source(0, device)), ValueError, f"draws={wrong}"
        )
    stranger = replace(test, types=test.types + 1)
    refuses(lambda: function(train, stranger, generator=source(0, device)), ValueError, "types in test", "train")

    def call(x, labels):
        return function(mechanistic.Examples(x, labels, train.types), test, generator=source(0, device))

    refuses_examples(call, train.activations, train.labels)


def selectivity_record(make, device):
    assert make(0.9, (0.25, 0.75, 0.5), 0.2).selectivity == pytest.approx(0.4)
    assert make(0.5, (1.0,), 0.2).selectivity == -0.5


# --- pixels -----------------------------------------------------------------------------------------------------------


def descended(loss, start, *, steps, lr):
    """x, parts and slope of each look, by torch's Adam and a clamp."""
    x = start.clone().requires_grad_()
    optimizer, looks = torch.optim.Adam([x], lr=lr), []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        parts = loss(x)
        sum(parts.values()).sum().backward()
        looks.append((x.detach().clone(), {k: v.detach() for k, v in parts.items()}, x.grad.clone()))
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return looks


def same_steps(steps, looks):
    steps = list(steps)
    assert [step.index for step in steps] == list(range(len(looks)))
    for step, (x, parts, slope) in zip(steps, looks, strict=True):
        assert step.parts.keys() == parts.keys()
        for name, part in parts.items():
            torch.testing.assert_close(step.parts[name], part, rtol=1e-7, atol=1e-9)
            assert not step.parts[name].requires_grad
        torch.testing.assert_close(step.x, x, rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(step.gradient, slope, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(step.loss, sum(parts.values()), rtol=1e-7, atol=1e-9)
        with pytest.raises(FrozenInstanceError):
            step.index = 0


@own_messages()
def pixel_steps(function, device):
    """torch's Adam, and the box; each picture for itself; in eval mode while asked, and only then; refusals."""
    model = conv_net(device, torch.float64)
    wanted = random(3, 3, seed=9, device=device)

    def loss(x, rows=slice(None)):
        assert not model.training
        return {"far": (model(x) - wanted[rows]).square().sum(1), "bright": x.flatten(1).sum(1) / 10}

    def by_hand(x):
        return {"far": (through(model, x) - wanted).square().sum(1), "bright": x.flatten(1).sum(1) / 10}

    start = pictures(3, 2, 4, 5, dtype=torch.float64, device=device)
    kept = start.clone()
    for steps, lr in ((0, 0.1), (7, 0.1), (5, 0.02)):
        looks = descended(by_hand, start, steps=steps, lr=lr)
        model.zero_grad()  # what the run by hand has left in the weights
        found = left_alone(model, lambda s=steps, r=lr: list(function(model, loss, start, steps=s, lr=r)))
        same_steps(found, looks)
    assert torch.equal(start, kept)
    for _ in function(model.train(), loss, start, steps=2, lr=0.1):
        assert model.training
        assert torch.is_grad_enabled()
        assert not hooks_left(model)
    walk = function(model, loss, start, steps=2, lr=0.1)
    with torch.no_grad():
        next(walk)
        next(walk)
    alone = last(function(model, partial(loss, rows=slice(1, 2)), start[1:2], steps=7, lr=0.1)).x
    whole = last(function(model, loss, start, steps=7, lr=0.1)).x
    assert_close(alone, whole[1:2])
    model.train()

    def fails(x):
        raise RuntimeError("stop")

    refuses(lambda: next(function(model, fails, start, steps=1, lr=0.1)), RuntimeError, "stop")
    assert model.training
    half = start.float()
    assert (
        next(function(t.Identity(), lambda x: {"sum": x.sum((1, 2, 3))}, half, steps=0, lr=1.0)).x.dtype == half.dtype
    )
    for steps in (-1, 1.5):
        refuses(lambda s=steps: next(function(model, loss, start, steps=s, lr=0.1)), ValueError, f"steps={steps}")
    for lr in (0.0, -1.0, INF, NAN):
        refuses(lambda r=lr: next(function(model, loss, start, steps=1, lr=r)), ValueError, f"lr={lr}", "above 0")
    for wrong in (start + 1e-3, start - 1e-3, start * NAN, start[:0]):
        refuses(lambda w=wrong: next(function(model, loss, w, steps=1, lr=0.1)), ValueError, "a start", "in [0, 1]")
    for wrong in (lambda x: {"all": x.sum()}, lambda x: {"none": x.flatten(1).sum(1), "map": x}):
        refuses(lambda w=wrong: next(function(model, w, start, steps=1, lr=0.1)), ValueError, "parts", "(3,) each")
    for wrong in (lambda x: {"flat": x.detach().flatten(1).sum(1)}, lambda x: {"other": model[7].bias * 1.0}):
        refuses(lambda w=wrong: next(function(model, w, start, steps=1, lr=0.1)), ValueError, "does not depend on x")


# --- feature visualisation --------------------------------------------------------------------------------------------


def penalty(reference):
    """Oracle for a penalty with a weight: value and slope of a loop over pixels."""

    def oracle(make, device):
        for weight, shape in product((0.0, 0.3, 2.0), ((2, 3, 4, 5), (1, 1, 1, 1), (3, 1, 1, 4), (2, 2, 3, 1))):
            for dtype in DTYPES:
                x = random(*shape, dtype=dtype, device=device)
                agree(make(weight), lambda x, w=weight: w * torch.stack([reference(one) for one in x]), x)
        turned = random(2, 1, 5, 4, device=device).mT
        agree(make(0.5), lambda x: 0.5 * torch.stack([reference(one) for one in x]), turned)
        assert make(0.5) == make(weight=0.5) != make(0.25)
        with pytest.raises(FrozenInstanceError):
            make(0.5).weight = 1.0
        for wrong in (-0.1, INF, NAN):
            refuses(lambda w=wrong: make(w), ValueError, f"weight={wrong}", "0 or more")

    return oracle


def squares(picture):
    return sum(pixel * pixel for pixel in picture.reshape(-1).unbind())


def variation(picture):
    """Row by row, pixel by pixel."""
    total = 0 * picture.sum()
    for plane in picture:
        for i in range(len(plane)):
            for j in range(plane.shape[1]):
                if i + 1 < len(plane):
                    total = total + (plane[i + 1, j] - plane[i, j]) ** 2
                if j + 1 < plane.shape[1]:
                    total = total + (plane[i, j + 1] - plane[i, j]) ** 2
    return total


def reached(function, device):
    """A unit's value, or its map's mean, the same for all or one for each; a function's own; refusals."""
    for shape in ((3, 4), (3, 4, 2), (3, 4, 2, 5), (1, 4, 1, 1)):
        rows = shape[0]
        many = torch.tensor([3, 0, 2][:rows], device=device)
        for dtype in DTYPES:
            x = random(*shape, dtype=dtype, device=device)
            agree(lambda x: function(x, 2), lambda x, n=rows: x[:, 2].reshape(n, -1).mean(1), x)
            for kind in (torch.int64, torch.int32):
                units = many.to(kind)
                agree(
                    lambda x, u=units: function(x, u),
                    lambda x, u=units: torch.stack([x[i, k].mean() for i, k in enumerate(u.tolist())]),
                    x,
                )
            agree(lambda x: function(x, lambda h: h.flatten(1).amax(1)), lambda x: x.flatten(1).amax(1), x)
    x = random(3, 4, 2, device=device)
    for wrong in (-1, 4, torch.tensor([0, 1], device=device), torch.tensor([0, 4, 1], device=device)):
        refuses(lambda w=wrong: function(x, w), ValueError, "does not fit (3, 4, 2)", "from 0 to 3")
    for wrong in (1.0, True, torch.ones(3, device=device)):
        refuses(lambda w=wrong: function(x, w), TypeError, "integers")
    for wrong in (lambda h: h, lambda h: h.sum(), lambda h: 1.0):
        refuses(lambda w=wrong: function(x, w), ValueError, "the goal made", "wanted one for each, (3,)")


def seen_by_hand(model, x, layer):
    return through(model, x, end={"": None, "4": 5, "0": 1}[layer])


@own_messages()
def feature_visualisation_steps(function, device):
    """torch's Adam up the goal; penalties, shifts, layers and goals as told; refusals."""
    model, start = conv_net(device, torch.float64), pictures(3, 2, 4, 5, dtype=torch.float64, device=device)
    each = torch.tensor([2, 0, 1], device=device)
    tv, l2 = mechanistic.TotalVariation(0.7), mechanistic.L2(0.2)
    for layer, goal, value, penalties, jitter in (
        ("", 1, lambda h: h[:, 1], (), 0),
        ("", each, lambda h: h[[0, 1, 2], each], (tv,), 0),
        ("4", 3, lambda h: h[:, 3].mean((1, 2)), [l2, tv, l2], 2),
        ("0", lambda h: h.abs().amax((1, 2, 3)), lambda h: h.abs().amax((1, 2, 3)), (), 1),
    ):
        shifts = source(5, device)

        def loss(x, layer=layer, value=value, penalties=penalties, jitter=jitter, shifts=shifts):
            seen = x
            if jitter:
                down, across = torch.randint(-jitter, jitter + 1, (2,), generator=shifts, device=device).tolist()
                seen = torch.roll(x, (down, across), (2, 3))
            parts = {"minus goal": -value(seen_by_hand(model, seen, layer))}
            if penalties:
                parts["penalties"] = sum(penalty(x) for penalty in penalties)
            return parts

        looks = descended(loss, start, steps=6, lr=0.04)
        model.zero_grad()
        options = {"layer": layer, "penalties": penalties, "jitter": jitter, "generator": source(5, device)}
        call = partial(function, model, goal, start, steps=6, lr=0.04, **options)
        same_steps(left_alone(model, lambda c=call: list(c())), looks)
    defaults(function, layer="", penalties=(), jitter=0, steps=128, lr=0.05, generator=None)
    plain = list(function(model, 0, start, steps=3))
    same_steps(
        plain, [(s.x, s.parts, s.gradient) for s in function(model, 0, start, steps=3, lr=0.05, layer="", jitter=0)]
    )
    refuses_goals(lambda *a, **o: next(iter(function(*a, **o))), model, start)


def refuses_goals(call, model, start):
    for wrong in (-1, 3):
        refuses(lambda w=wrong: call(model, w, start), ValueError, f"the goal {wrong}", "0 to 2")
    refuses(lambda: call(model, 0.5, start), TypeError, "integers")
    refuses(lambda: call(model, lambda h: h, start), ValueError, "the goal made")
    refuses(lambda: call(model, 0, start, layer="nobody"), ValueError, "nobody")
    refuses(lambda: call(model, 0, start, jitter=1), ValueError, "jitter=1", "no generator")
    for wrong in (-1, 0.5):
        generator = torch.Generator(device=start.device)
        call_it = partial(call, model, 0, start, jitter=wrong, generator=generator)
        refuses(call_it, ValueError, f"jitter={wrong}", "0 or more")
    refuses(lambda: call(model, 0, start + 1), ValueError, "in [0, 1]")
    refuses(lambda: call(model, 0, start, steps=-1), ValueError, "steps=-1")
    refuses(lambda: call(model, 0, start, lr=0.0), ValueError, "lr=0.0")
    assert not hooks_left(model)
    assert model.training


@own_messages()
def feature_visualisation(function, device):
    """The last of the steps, with the same options."""
    model, start = conv_net(device, torch.float64), pictures(3, 2, 4, 5, dtype=torch.float64, device=device)
    defaults(function, layer="", penalties=(), jitter=0, steps=128, lr=0.05, generator=None)
    for options in (
        {"steps": 4},
        {"steps": 0},
        {"steps": 4, "layer": "4", "penalties": [mechanistic.TotalVariation(3.0)], "lr": 0.01},
        {"steps": 4, "jitter": 2},
    ):
        drawn = [{"generator": source(3, device)} if "jitter" in options else {} for _ in range(2)]
        ours = function(model, 1, start, **options, **drawn[0])
        assert_close(ours, last(mechanistic.feature_visualisation_steps(model, 1, start, **options, **drawn[1])).x)
    left_alone(model, lambda: function(model, 1, start, steps=2))
    refuses_goals(function, model, start)


# --- style ------------------------------------------------------------------------------------------------------------


def gram_loops(features):
    """Number by number."""
    batch, channels, height, width = features.shape
    rows = []
    for b in range(batch):
        for i in range(channels):
            for j in range(channels):
                places = product(range(height), range(width))
                rows.append(sum(features[b, i, r, c] * features[b, j, r, c] for r, c in places) / (height * width))
    return torch.stack(rows).reshape(batch, channels, channels)


def gram(function, device):
    """Value and slope of the loops; in any layout; the slope by finite differences."""
    for dtype in DTYPES:
        for shape in ((2, 3, 2, 4), (1, 1, 1, 1), (3, 2, 1, 5), (1, 4, 3, 1)):
            agree(function, gram_loops, random(*shape, dtype=dtype, device=device))
        agree(function, gram_loops, random(2, 3, 4, 2, dtype=dtype, device=device).mT)
        agree(function, gram_loops, random(2, 3, 8, 2, dtype=dtype, device=device)[:, :, ::2])
    leaf = random(1, 2, 2, 3, device=device).requires_grad_()
    with own_messages():
        assert torch.autograd.gradcheck(function, leaf)


def content_loss(function, device):
    """Half of torch's summed squares, each picture for itself, for any wanted; finite differences."""
    for dtype in DTYPES:
        for shape in ((3, 2, 4, 5), (2, 7), (1, 1, 1, 1)):
            x = random(*shape, dtype=dtype, device=device)
            for wanted in (random(*shape, seed=1, dtype=dtype, device=device), 0 * x, x.detach()[:1] + 1):
                agree(
                    function,
                    lambda x, w: (
                        torch.nn.functional.mse_loss(x, w.expand_as(x), reduction="none").flatten(1).sum(1) / 2
                    ),
                    x,
                    wanted,
                )
    leaf = random(2, 3, 2, 2, device=device).requires_grad_()
    with own_messages():
        assert torch.autograd.gradcheck(partial(function, wanted=0.5 * leaf.detach()), leaf)


def gatys(features, other):
    """Equations 3 and 4 as printed: G by sums over M places, 1 / (4 N^2 M^2)."""
    n, m = features.shape[1], features[0, 0].numel()
    g, a = (torch.einsum("bihw,bjhw->bij", x, x) for x in (features, other))
    return ((g - a) ** 2).sum((1, 2)) / (4 * n**2 * m**2)


def style_loss(function, device):
    """The paper's for equal sizes; one wanted for all; another size; finite differences."""
    for dtype in DTYPES:
        for shape in ((3, 2, 4, 5), (1, 1, 1, 1), (2, 5, 1, 3)):
            x, other = (random(*shape, seed=s, dtype=dtype, device=device) for s in (0, 1))
            agree(lambda x, o=other: function(x, gram_loops(o)), lambda x, o=other: gatys(x, o), x)
            one = other[:1]
            agree(lambda x, o=one: function(x, gram_loops(o)), lambda x, o=one: gatys(x, o.expand_as(x)), x)
        small = random(1, 2, 2, 2, dtype=dtype, device=device)
        assert_close(function(small.repeat(1, 1, 3, 2), gram_loops(small)), small.new_zeros(1))
    leaf = random(2, 3, 2, 2, device=device).requires_grad_()
    with own_messages():
        wanted = gram_loops(random(1, 3, 4, 2, seed=3, device=device))
        assert torch.autograd.gradcheck(partial(function, wanted=wanted), leaf)


@own_messages()
def style_transfer_steps(function, device):
    """torch's Adam down both losses, over the layers that are named; starts and sizes; refusals."""
    model = conv_net(device, torch.float64)
    content, style = (pictures(2, 2, 4, 5, seed=s, dtype=torch.float64, device=device) for s in (0, 1))
    start = pictures(2, 2, 4, 5, seed=2, dtype=torch.float64, device=device)
    for contents, styles, weight, styled, begin in (
        (["4"], ["0", "4"], 50.0, style, None),
        (["0", "4"], ("4",), 7.0, style[:1], start),
        ([], ["0"], 1e4, style, start),
        (("0",), [], 1e4, style[1:], start),
    ):

        def loss(x, contents=contents, styles=styles, weight=weight, styled=styled):
            parts = {}
            if contents:
                far = [seen_by_hand(model, x, n) - seen_by_hand(model, content, n) for n in contents]
                parts["content"] = sum(d.square().flatten(1).sum(1) / 2 for d in far) / len(contents)
            if styles:
                pairs = [(seen_by_hand(model, x, n), seen_by_hand(model, styled, n)) for n in styles]
                parts["style"] = weight * sum(gatys(f, s.expand_as(f)) for f, s in pairs) / len(styles)
            return parts

        looks = descended(loss, content if begin is None else begin, steps=5, lr=0.03)
        model.zero_grad()
        options = {"content_layers": contents, "style_layers": styles, "style_weight": weight, "start": begin}
        call = partial(function, model, content, styled, steps=5, lr=0.03, **options)
        same_steps(left_alone(model, lambda c=call: list(c())), looks)
    conv = t.Sequential(t.Conv2d(2, 3, 3, device=device, dtype=torch.float64))
    wide = pictures(1, 2, 9, 7, seed=3, dtype=torch.float64, device=device)
    other = list(function(conv, content, wide, content_layers=[], style_layers=["0"], steps=1, style_weight=1.0))
    wanted = gram_loops(conv(wide))
    expected = (gram_loops(conv(content)) - wanted).square().sum((1, 2)) / (4 * 9)
    torch.testing.assert_close(other[0].parts["style"], expected.detach())
    named = {"content_layers": ["0"], "style_layers": ["0"]}
    defaults(function, style_weight=1e4, start=None, steps=128, lr=0.05)
    plain = list(function(conv, content, style, **named, steps=2))
    told = function(conv, content, style, **named, steps=2, style_weight=1e4, lr=0.05, start=content)
    same_steps(plain, [(s.x, s.parts, s.gradient) for s in told])
    refuses_styles(lambda *a, **o: next(iter(function(*a, **o))), model, content, style)


def refuses_styles(call, model, content, style):
    named = {"content_layers": ["4"], "style_layers": ["0"]}
    none = {"content_layers": [], "style_layers": []}
    refuses(lambda: call(model, content, style, **none), ValueError, "content_layers=[]", "at least one layer")
    for wrong in (0.0, -1.0, INF, NAN):
        told = named | {"style_weight": wrong}
        refuses(lambda o=told: call(model, content, style, **o), ValueError, f"style_weight={wrong}", "above 0")
    flat = named | {"style_layers": ["6"]}
    refuses(lambda: call(model, content, style, **flat), ValueError, "'6' gave (2, 48)", "maps")
    more = style.repeat(2, 1, 1, 1)
    refuses(lambda: call(model, content, more, **named), ValueError, "2 contents, 4 styles", "1 or as many")
    refuses(lambda: call(model, content, style, **named, start=content + 1), ValueError, "in [0, 1]")
    unknown = named | {"content_layers": ["nobody"]}
    refuses(lambda: call(model, content, style, **unknown), ValueError, "nobody")
    assert not hooks_left(model)
    assert model.training


@own_messages()
def style_transfer(function, device):
    """The last of the steps, with the same options."""
    model = conv_net(device, torch.float64)
    content, style = (pictures(2, 2, 4, 5, seed=s, dtype=torch.float64, device=device) for s in (0, 1))
    named = {"content_layers": ["4"], "style_layers": ["0"]}
    defaults(function, style_weight=1e4, start=None, steps=128, lr=0.05)
    for options in ({"steps": 3}, {"steps": 0}, {"steps": 3, "style_weight": 3.0, "lr": 0.01, "start": style}):
        ours = function(model, content, style, **named, **options)
        assert_close(ours, last(mechanistic.style_transfer_steps(model, content, style, **named, **options)).x)
    left_alone(model, lambda: function(model, content, style, **named, steps=2))
    refuses_styles(function, model, content, style)


ORACLES = {
    "mechanistic.activations": activations,
    "mechanistic.outputs": outputs,
    "mechanistic.patched": patched,
    "mechanistic.activation_patching": activation_patching,
    "mechanistic.Patching": patching,
    "mechanistic.parity": parity,
    "mechanistic.comparator": comparator,
    "mechanistic.both": gate(all, lambda a, b: (a + b - 1).relu(), 0, 1),
    "mechanistic.either": gate(any, lambda a, b: 1 - (1 - a - b).relu(), 1, 0),
    "mechanistic.recall": recall,
    "mechanistic.linear_probe": linear_probe,
    "mechanistic.Probe": probe_class,
    "mechanistic.control_task": control_task,
    "mechanistic.selectivity": selectivity,
    "mechanistic.Selectivity": selectivity_record,
    "mechanistic.pixel_steps": pixel_steps,
    "mechanistic.L2": penalty(squares),
    "mechanistic.TotalVariation": penalty(variation),
    "mechanistic.reached": reached,
    "mechanistic.feature_visualisation_steps": feature_visualisation_steps,
    "mechanistic.feature_visualisation": feature_visualisation,
    "mechanistic.gram": gram,
    "mechanistic.gram_definition": gram,
    "mechanistic.content_loss": content_loss,
    "mechanistic.style_loss": style_loss,
    "mechanistic.style_transfer_steps": style_transfer_steps,
    "mechanistic.style_transfer": style_transfer,
}
# What an oracle of something else looks at.
RECORDS = {"Circuit", "Examples", "PixelStep", "Site"}


# --- broken versions --------------------------------------------------------------------------------------------------


def of_layers(name, *, mode=None, keep=lambda output: output.clone(), copy=True, often=True):
    """activations or outputs with one part changed; mode: the train mode that the model is put into, or None."""
    right = getattr(mechanistic, name)

    def function(model, x, layers):
        layers, seen, runs = list(layers), {}, {}
        right(model, x.clone(), layers) if often else None  # refuses
        modes = [module.training for module in model.modules()]
        if mode is not None:
            model.train(mode)

        def look(module, args, output, layer):
            runs[layer] = runs.get(layer, 0) + 1
            seen[layer] = keep(output)

        modules = dict(model.named_modules())
        hooks = [modules[n].register_forward_hook(partial(look, layer=n)) for n in dict.fromkeys(layers)]
        try:
            if name == "outputs":
                model(x.clone() if copy else x)
            else:
                with torch.no_grad():
                    model(x.clone() if copy else x)
        finally:
            for hook in hooks:
                hook.remove()
            if mode is not None:
                for module, was in zip(model.modules(), modes, strict=True):
                    module.training = was
        return seen

    return function


def patched_like(put=lambda new, units, held: new.index_copy(1, units, held.index_select(1, units)), groups=list):
    """`patched` with another way to put in what was held, or other sites."""

    def function(model, x, sites, source):
        mechanistic.patched(model, x, sites, source)  # refuses

        def change(layer, output):
            new = output.clone()
            for site in groups(sites):
                if site.layer == layer:
                    units = range(output.shape[1]) if site.units is None else site.units
                    new = put(new, torch.tensor(units, dtype=torch.long, device=x.device), source[layer])
            return new

        layers = dict.fromkeys(site.layer for site in sites)
        with replace_outputs(model, {layer: partial(change, layer) for layer in layers}):
            return model(x.clone())

    return function


def patching_like(change=lambda found, clean, corrupted: found, *, swap=False, mode=None):
    """activation_patching whose answer is changed, or that is asked the other way round."""

    def function(model, clean, corrupted, metric, sites):
        if mode is not None:
            modes = [module.training for module in model.modules()]
            mechanistic.activation_patching(model, clean, corrupted, metric, sites)
            for module, was in zip(model.modules(), modes, strict=True):
                module.training = was if mode == "kept" else mode
        pair = (corrupted, clean) if swap else (clean, corrupted)
        found = mechanistic.activation_patching(model, *pair, metric, sites)
        return change(found, clean, corrupted)

    return function


def one_by_one(model, clean, corrupted, metric, sites):
    """Of several sites that are to be patched together only the first is."""
    first = [site if isinstance(site, Site) else tuple(site)[:1] for site in sites]
    return mechanistic.activation_patching(model, clean, corrupted, metric, first)


def effect_like(rule):
    return broken(Patching, effect=property(rule))


def circuit_like(make, change):
    """The circuit with a change made to its network, or its names."""

    def function(*args):
        circuit = make(*args)
        return change(circuit) or circuit

    return function


def with_weight(layer, change):
    """The weights of one layer changed in place."""

    def function(circuit):
        weight = getattr(circuit.model, layer)
        weight.load_state_dict({name: change(name, value) for name, value in weight.state_dict().items()})

    return function


def reads_idle(circuit):
    """The idle unit is used in place of the one it copies, or as well."""
    layer = circuit.model.gate if hasattr(circuit.model, "gate") else circuit.model.out
    with torch.no_grad():
        layer.weight[:, -1] = layer.weight[:, 0]
        if hasattr(circuit.model, "gate"):
            layer.weight[:, 0] = 0


def first_two_slopes(name, value):
    """As if there were never more than two ones."""
    return torch.cat([value[:, :2], 0 * value[:, 2:]], dim=1) if name == "weight" else value


def reads_backwards(circuit):
    """The symbol before, not behind: the answer of a unit is the first of its pair, where the second was seen last."""
    symbols = circuit.model.out.out_features
    with torch.no_grad():
        weight = circuit.model.out.weight
        weight.copy_(weight.reshape(symbols, -1, symbols, symbols).mT.reshape(symbols, -1))


def probe_like(*, scale=True, punished=1.0, bias=True, default=1e-3, steps=200, moved=True):
    """linear_probe with one part changed."""

    def function(activations, labels, *, classes=None, l2=default):
        mechanistic.linear_probe(activations, labels, classes=classes, l2=l2)  # refuses
        count = int(labels.max()) + 1 if classes is None else classes
        raw = activations.detach().flatten(1)
        mean, spread = raw.mean(0) * moved, raw.std(0, correction=0)
        spread = torch.where(spread > 0, spread, 1.0) if scale else torch.ones_like(spread)
        h = (raw - mean) / spread
        weight = torch.zeros(count, h.shape[1], dtype=h.dtype, device=h.device, requires_grad=True)
        shift = torch.zeros(count, dtype=h.dtype, device=h.device, requires_grad=True)
        free = [weight, shift] if bias else [weight]
        optimizer = torch.optim.LBFGS(
            free, max_iter=steps, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )

        def loss():
            optimizer.zero_grad()
            value = torch.nn.functional.cross_entropy(h @ weight.T + shift, labels)
            value = value + punished * l2 / 2 * weight.square().sum()
            value.backward()
            return value

        with torch.enable_grad():
            optimizer.step(loss)
        weight = weight.detach() / spread
        return mechanistic.Probe(weight, shift.detach() - weight @ mean)

    return function


def control_like(draw):
    """draw(labels, number of types, generator) -> a label for each type."""

    def function(types, labels, *, generator):
        mechanistic.control_task(types, labels, generator=source(0, generator.device))  # refuses
        known, which = types.unique(return_inverse=True)
        return draw(labels, len(known), generator)[which]

    return function


def drawn_from(labels, count, generator):
    rows = torch.randint(len(labels), (count,), generator=generator, device=generator.device)
    return labels[rows.to(labels.device)]


def for_each_example(types, labels, *, generator):
    """Labels shuffled among the examples: nothing is left to memorise by type."""
    mechanistic.control_task(types, labels, generator=source(0, generator.device))
    return drawn_from(labels, len(labels), generator)


def selective(*, task=None, on_train=False, own=False, floor="train", **wrong):
    """selectivity with one part changed."""

    def function(train, test, *, draws=5, l2=1e-3, generator):
        mechanistic.selectivity(train, test, draws=draws, l2=l2, generator=source(0, generator.device))  # refuses
        l2 = wrong.get("l2", l2)
        classes = int(train.labels.max()) + 1

        def right(of_train, of_test):
            probe = mechanistic.linear_probe(train.activations, of_train, classes=classes, l2=l2)
            if on_train:
                return probe.accuracy(train.activations, of_train)
            return probe.accuracy(test.activations, of_test)

        control = []
        for _ in range(wrong.get("draws", draws)):
            told = mechanistic.control_task(
                torch.cat([train.types, test.types]), torch.cat([train.labels, test.labels]), generator=generator
            )
            of_train, of_test = told[: len(train.labels)], told[len(train.labels) :]
            if own:  # another label for each type in the test
                of_test = mechanistic.control_task(test.types, test.labels, generator=generator)
            control.append(right(of_train, of_test))
        most = (train if floor == "train" else test).labels.bincount().argmax()
        common = (test.labels == most).double().mean().item()
        return mechanistic.Selectivity(right(train.labels, test.labels), tuple(control), common)

    return function


def pixels_like(
    *, mode=True, box=True, rule="adam", value=lambda parts: sum(parts.values()), held=False, looks=1, change=None
):
    """pixel_steps with one part changed."""

    def function(model, loss, start, *, steps, lr):
        next(mechanistic.pixel_steps(model, loss, start, steps=steps, lr=lr))  # refuses
        x = start.detach().clone()
        mean, square = torch.zeros_like(x), torch.zeros_like(x)
        was = [module.training for module in model.modules()]

        def put_back():
            for module, training in zip(model.modules(), was, strict=True):
                module.training = training

        for index in range(steps + looks):
            model.train(not mode)
            try:
                with torch.enable_grad():
                    leaf = x.clone().requires_grad_()
                    parts = loss(leaf)
                    (slope,) = torch.autograd.grad(value(parts).sum(), leaf)
            finally:
                if not held:
                    put_back()
            step = mechanistic.PixelStep(index, x, {name: part.detach() for name, part in parts.items()}, slope)
            yield change(step) if change else step
            if rule == "adam":
                mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
                scale = (square / (1 - 0.999 ** (index + 1))).sqrt() + 1e-8
                x = x - lr * mean / (1 - 0.9 ** (index + 1)) / scale
            else:
                x = x - lr * (slope.sign() if rule == "sign" else slope)
            x = x.clamp(0, 1) if box else x
        put_back()

    return function


def penalty_like(base, rule):
    return broken(base, __call__=lambda self, x: rule(self.weight, x))


def reached_like(pick):
    """reached with pick(output, units of each row)."""

    def function(output, goal):
        right = mechanistic.reached(output, goal)
        if callable(goal):
            return right
        units = torch.as_tensor(goal, device=output.device).long().expand(len(output))
        return pick(output, units)

    return function


def visualising(change=None, **wrong):
    """Each step of a feature visualisation with an option overruled, or with arguments changed."""

    def function(model, goal, start, **options):
        right = mechanistic.feature_visualisation_steps
        next(right(model, goal, start, **options))  # refuses, and draws
        if (generator := options.get("generator")) is not None:
            generator.manual_seed(generator.initial_seed())
        options = options | wrong
        return right(*(change(model, goal, start, options) if change else (model, goal, start)), **options)

    return function


def downhill(model, goal, start, options):
    layer = options.get("layer", "")
    assert layer or not callable(goal)
    return model, lambda h: -mechanistic.reached(h, goal), start


def at_the_end(model, goal, start, options):
    options["layer"] = ""
    return model, goal if not isinstance(goal, int) else min(goal, 2), start


def longer(model, goal, start, options):
    options["steps"] = options.get("steps", 128) + 1
    return model, goal, start


def finished(name, pick=lambda steps: list(steps)[-1].x, **wrong):
    """The plain function of the steps with one thing wrong."""
    right = getattr(mechanistic, name)

    def function(*args, **options):
        if (generator := options.get("generator")) is not None:
            list(right(*args, **options | {"steps": 0}))
            generator.manual_seed(generator.initial_seed())
        return pick(right(*args, **options | wrong))

    return function


def styled(change=None, **wrong):
    """The steps of a style transfer with options overruled, or with arguments changed."""

    def function(model, content, style, **options):
        right = mechanistic.style_transfer_steps
        next(right(model, content, style, **options))  # refuses
        content, style, options = change(content, style, options) if change else (content, style, options)
        return right(model, content, style, **options | wrong)

    return function


def layers_of_both(content, style, options):
    """Content at the style's layers too."""
    every = [*dict.fromkeys([*options["content_layers"], *options["style_layers"]])]
    return content, style, options | {"content_layers": every}


def gram_like(rule):
    return lambda features: rule(features.flatten(2), features)


def centred(rows, features):
    rows = rows - rows.mean(2, keepdim=True)
    return rows @ rows.mT / rows.shape[2]


def style_like(rule):
    return lambda features, wanted: rule(gram_loops(features) - wanted, features)


MADE = mechanistic
NAMED = [
    ("mechanistic.activations", "in train mode", of_layers("activations", mode=True)),
    (
        "mechanistic.activations",
        "overwritten by what works in place",
        of_layers("activations", mode=False, keep=lambda h: h),
    ),
    ("mechanistic.activations", "x overwritten", of_layers("activations", mode=False, copy=False)),
    ("mechanistic.activations", "the last of several runs", of_layers("activations", mode=False, often=False)),
    ("mechanistic.outputs", "no slopes", of_layers("outputs", keep=lambda h: h.detach().clone())),
    ("mechanistic.outputs", "in eval mode, always", of_layers("outputs", mode=False)),
    ("mechanistic.outputs", "overwritten by what works in place", of_layers("outputs", keep=lambda h: h)),
    ("mechanistic.outputs", "x overwritten", of_layers("outputs", copy=False)),
    ("mechanistic.outputs", "the last of several runs", of_layers("outputs", often=False)),
    ("mechanistic.patched", "the whole layer", patched_like(lambda new, units, held: held.clone())),
    ("mechanistic.patched", "added", patched_like(lambda new, units, held: new.index_add(1, units, held[:, units]))),
    (
        "mechanistic.patched",
        "zeros, not the other run",
        patched_like(lambda new, units, held: new.index_fill(1, units, 0)),
    ),
    (
        "mechanistic.patched",
        "the mean over the batch",
        patched_like(
            lambda new, units, held: new.index_copy(1, units, held[:, units].mean(0).expand_as(new[:, units]))
        ),
    ),
    ("mechanistic.patched", "only the first site", patched_like(groups=lambda sites: sites[:1])),
    ("mechanistic.activation_patching", "the other way round", patching_like(swap=True)),
    ("mechanistic.activation_patching", "only the first of those together", one_by_one),
    (
        "mechanistic.activation_patching",
        "left in eval mode",
        patching_like(mode=False),
    ),
    (
        "mechanistic.activation_patching",
        "the clean run where there is a site",
        patching_like(lambda found, clean, corrupted: replace(found, patched=found.clean.expand_as(found.patched))),
    ),
    (
        "mechanistic.Patching",
        "the mean of ratios",
        effect_like(lambda self: ((self.patched - self.corrupted) / (self.clean - self.corrupted)).mean(1)),
    ),
    (
        "mechanistic.Patching",
        "not divided",
        effect_like(lambda self: (self.patched - self.corrupted).mean(1)),
    ),
    (
        "mechanistic.Patching",
        "a share of the clean run",
        effect_like(lambda self: self.patched.sum(1) / self.clean.sum()),
    ),
    (
        "mechanistic.Patching",
        "what is lost, not restored",
        effect_like(lambda self: (self.clean - self.patched).sum(1) / (self.clean - self.corrupted).sum()),
    ),
    ("mechanistic.parity", "for two bits only", circuit_like(MADE.parity, with_weight("out", first_two_slopes))),
    (
        "mechanistic.parity",
        "odd and even swapped",
        circuit_like(MADE.parity, with_weight("out", lambda name, value: value.flip(0))),
    ),
    ("mechanistic.comparator", "the sum is read", circuit_like(MADE.comparator, reads_idle)),
    (
        "mechanistic.comparator",
        "smaller for larger",
        circuit_like(MADE.comparator, with_weight("out", lambda name, value: value.flip(0))),
    ),
    ("mechanistic.both", "or", lambda: MADE.either()),
    ("mechanistic.both", "the idle copy is read", circuit_like(MADE.both, reads_idle)),
    ("mechanistic.either", "and", lambda: MADE.both()),
    ("mechanistic.either", "the idle copy is read", circuit_like(MADE.either, reads_idle)),
    (
        "mechanistic.either",
        "always yes",
        circuit_like(MADE.either, with_weight("gate", lambda name, value: value - 1.0 if name == "bias" else value)),
    ),
    ("mechanistic.recall", "what came before", circuit_like(MADE.recall, reads_backwards)),
    (
        "mechanistic.recall",
        "two of three suffice",
        circuit_like(MADE.recall, with_weight("hidden", lambda name, value: value + 1.0 if name == "bias" else value)),
    ),
    ("mechanistic.linear_probe", "not standardised", probe_like(scale=False)),
    ("mechanistic.linear_probe", "not centred", probe_like(moved=False)),
    ("mechanistic.linear_probe", "l2, not l2 / 2", probe_like(punished=2.0)),
    ("mechanistic.linear_probe", "nothing punished", probe_like(punished=0.0)),
    ("mechanistic.linear_probe", "no bias", probe_like(bias=False)),
    ("mechanistic.linear_probe", "stopped early", probe_like(steps=4)),
    ("mechanistic.Probe", "no bias", broken(MADE.Probe, __call__=lambda self, x: x.flatten(1) @ self.weight.T)),
    (
        "mechanistic.Probe",
        "the share that is wrong",
        broken(MADE.Probe, accuracy=lambda self, x, labels: (self(x).argmax(1) != labels).double().mean().item()),
    ),
    ("mechanistic.control_task", "a label for each example", for_each_example),
    (
        "mechanistic.control_task",
        "classes equally frequent",
        control_like(lambda labels, n, generator: drawn_from(labels.unique(), n, generator)),
    ),
    (
        "mechanistic.control_task",
        "the same each time",
        control_like(lambda labels, n, generator: drawn_from(labels, n, source(0, generator.device))),
    ),
    (
        "mechanistic.control_task",
        "one for all",
        control_like(lambda labels, n, generator: drawn_from(labels, 1, generator).expand(n)),
    ),
    ("mechanistic.selectivity", "measured on the training examples", selective(on_train=True)),
    ("mechanistic.selectivity", "other labels in the test", selective(own=True)),
    ("mechanistic.selectivity", "one control task", selective(draws=1)),
    ("mechanistic.selectivity", "l2 not heard", selective(l2=1e-3)),
    ("mechanistic.selectivity", "the test's commonest", selective(floor="test")),
    (
        "mechanistic.Selectivity",
        "minus the first",
        broken(MADE.Selectivity, selectivity=property(lambda self: self.accuracy - self.control[0])),
    ),
    (
        "mechanistic.Selectivity",
        "minus the floor",
        broken(MADE.Selectivity, selectivity=property(lambda self: self.accuracy - self.commonest)),
    ),
    ("mechanistic.pixel_steps", "in train mode", pixels_like(mode=False)),
    ("mechanistic.pixel_steps", "in eval mode between the steps", pixels_like(held=True)),
    ("mechanistic.pixel_steps", "no box", pixels_like(box=False)),
    ("mechanistic.pixel_steps", "plain gradient descent", pixels_like(rule="plain")),
    ("mechanistic.pixel_steps", "signs", pixels_like(rule="sign")),
    ("mechanistic.pixel_steps", "no last look", pixels_like(looks=0)),
    ("mechanistic.pixel_steps", "the first part only", pixels_like(value=lambda parts: next(iter(parts.values())))),
    (
        "mechanistic.pixel_steps",
        "the slope of the mean",
        pixels_like(change=lambda s: replace(s, gradient=s.gradient / 3)),
    ),
    ("mechanistic.L2", "the root", penalty_like(MADE.L2, lambda w, x: w * x.flatten(1).norm(dim=1))),
    ("mechanistic.L2", "the mean", penalty_like(MADE.L2, lambda w, x: w * x.square().flatten(1).mean(1))),
    ("mechanistic.L2", "the whole batch", penalty_like(MADE.L2, lambda w, x: w * x.square().sum().expand(len(x)))),
    (
        "mechanistic.TotalVariation",
        "not squared",
        penalty_like(MADE.TotalVariation, lambda w, x: w * sum(x.diff(dim=d).abs().flatten(1).sum(1) for d in (2, 3))),
    ),
    (
        "mechanistic.TotalVariation",
        "rows only",
        penalty_like(MADE.TotalVariation, lambda w, x: w * x.diff(dim=3).square().flatten(1).sum(1)),
    ),
    (
        "mechanistic.TotalVariation",
        "round the edge",
        penalty_like(
            MADE.TotalVariation,
            lambda w, x: w * sum((x - x.roll(1, d)).square().flatten(1).sum(1) for d in (2, 3)),
        ),
    ),
    (
        "mechanistic.TotalVariation",
        "across channels too",
        penalty_like(
            MADE.TotalVariation, lambda w, x: w * sum(x.diff(dim=d).square().flatten(1).sum(1) for d in (1, 2, 3))
        ),
    ),
    (
        "mechanistic.reached",
        "the sum of the map",
        reached_like(lambda h, units: torch.stack([row[u].sum() for row, u in zip(h, units.tolist(), strict=True)])),
    ),
    (
        "mechanistic.reached",
        "its largest value",
        reached_like(lambda h, units: torch.stack([row[u].max() for row, u in zip(h, units.tolist(), strict=True)])),
    ),
    (
        "mechanistic.reached",
        "the first one's unit for all",
        reached_like(lambda h, units: h[:, units[0]].reshape(len(h), -1).mean(1)),
    ),
    ("mechanistic.feature_visualisation_steps", "down the goal", visualising(downhill)),
    ("mechanistic.feature_visualisation_steps", "penalties not heard", visualising(penalties=())),
    ("mechanistic.feature_visualisation_steps", "jitter not heard", visualising(jitter=0)),
    ("mechanistic.feature_visualisation_steps", "the layer not heard", visualising(at_the_end)),
    ("mechanistic.feature_visualisation_steps", "one more step", visualising(longer)),
    ("mechanistic.feature_visualisation", "the start", finished("feature_visualisation_steps", lambda s: next(s).x)),
    (
        "mechanistic.feature_visualisation",
        "the step before the last",
        finished("feature_visualisation_steps", lambda steps: [*steps][-2:][0].x),
    ),
    (
        "mechanistic.feature_visualisation",
        "penalties not heard",
        finished("feature_visualisation_steps", penalties=()),
    ),
    ("mechanistic.gram", "the sum over places", gram_like(lambda rows, x: rows @ rows.mT)),
    ("mechanistic.gram", "over channels too", gram_like(lambda rows, x: rows @ rows.mT / rows[0].numel())),
    ("mechanistic.gram", "centred: the covariance", gram_like(centred)),
    ("mechanistic.gram", "of places, not channels", gram_like(lambda rows, x: rows.mT @ rows / rows.shape[2])),
    (
        "mechanistic.gram",
        "over the batch",
        gram_like(lambda rows, x: (rows @ rows.mT / rows.shape[2]).mean(0).expand(len(x), -1, -1)),
    ),
    (
        "mechanistic.content_loss",
        "the mean",
        lambda features, wanted: (features - wanted).square().flatten(1).mean(1) / 2,
    ),
    ("mechanistic.content_loss", "not halved", lambda features, wanted: (features - wanted).square().flatten(1).sum(1)),
    (
        "mechanistic.content_loss",
        "no slope for the wanted",
        lambda features, wanted: MADE.content_loss(features, wanted.detach()) + 0 * wanted.sum(),
    ),
    (
        "mechanistic.style_loss",
        "channels not squared",
        style_like(lambda far, x: far.square().sum((1, 2)) / (4 * x.shape[1])),
    ),
    (
        "mechanistic.style_loss",
        "the mean over the batch",
        style_like(lambda far, x: far.square().mean().expand(len(x))),
    ),
    ("mechanistic.style_loss", "not squared", style_like(lambda far, x: far.abs().sum((1, 2)) / (4 * x.shape[1] ** 2))),
    ("mechanistic.style_transfer_steps", "the style's weight not heard", styled(style_weight=1e4)),
    (
        "mechanistic.style_transfer_steps",
        "content and style swapped",
        styled(lambda content, style, o: (style.expand_as(content), content, o)),
    ),
    ("mechanistic.style_transfer_steps", "content at all layers", styled(layers_of_both)),
    ("mechanistic.style_transfer_steps", "always from the content", styled(start=None)),
    (
        "mechanistic.style_transfer_steps",
        "one style for all",
        styled(lambda content, style, o: (content, style[:1], o)),
    ),
    ("mechanistic.style_transfer", "the start", finished("style_transfer_steps", lambda steps: next(steps).x)),
    ("mechanistic.style_transfer", "always from the content", finished("style_transfer_steps", start=None)),
    ("mechanistic.style_transfer", "the style's weight not heard", finished("style_transfer_steps", style_weight=1e4)),
]
# The helpers above with nothing changed: each must pass, or the faults made with it prove nothing.
UNCHANGED = [
    ("mechanistic.activations", of_layers("activations", mode=False)),
    ("mechanistic.outputs", of_layers("outputs")),
    ("mechanistic.patched", patched_like()),
    ("mechanistic.activation_patching", patching_like()),
    ("mechanistic.activation_patching", patching_like(mode="kept")),
    (
        "mechanistic.Patching",
        effect_like(
            lambda self: (lambda far: far[:-1] / far[-1])(
                (torch.cat([self.patched, self.clean[None]]) - self.corrupted).sum(1)
            )
        ),
    ),
    ("mechanistic.parity", circuit_like(MADE.parity, with_weight("out", lambda name, value: value))),
    ("mechanistic.linear_probe", probe_like()),
    ("mechanistic.control_task", control_like(drawn_from)),
    ("mechanistic.selectivity", selective()),
    ("mechanistic.pixel_steps", pixels_like()),
    ("mechanistic.L2", penalty_like(MADE.L2, lambda w, x: w * x.square().flatten(1).sum(1))),
    (
        "mechanistic.reached",
        reached_like(lambda h, units: torch.stack([row[u].mean() for row, u in zip(h, units.tolist(), strict=True)])),
    ),
    ("mechanistic.feature_visualisation_steps", visualising()),
    ("mechanistic.feature_visualisation", finished("feature_visualisation_steps")),
    ("mechanistic.gram", gram_like(lambda rows, x: rows @ rows.mT / rows.shape[2])),
    ("mechanistic.style_loss", style_like(lambda far, x: far.square().sum((1, 2)) / (4 * x.shape[1] ** 2))),
    ("mechanistic.style_transfer_steps", styled()),
    ("mechanistic.style_transfer", finished("style_transfer_steps")),
]
# Changes that leave every result as it is, with the reason.
HARMLESS = {
    "spread = torch.where(spread > 0, spread, 1.0) [1.0 -> 2.0]": "what is divided by it is 0",
}
