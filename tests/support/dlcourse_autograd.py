"""The engine beside torch: one function of tensors, run by both, values and first and second derivatives compared.

A function is written once, with what `Tensor` and `torch.Tensor` share, and takes the library for the rest:
`lambda lib, a, b: lib.where(a > b, a, b)`.
"""

import random
from collections.abc import Callable, Iterator, Sequence

import torch
from dlcourse_tolerance import assert_close

import dlcourse.autograd as engine
from dlcourse.autograd import Tensor


class WithTorch:
    """torch's functions under the engine's names."""

    where = staticmethod(torch.where)
    concat = staticmethod(torch.cat)
    stack = staticmethod(torch.stack)
    cross_entropy = staticmethod(torch.nn.functional.cross_entropy)

    @staticmethod
    def pad(x, *widths):
        return torch.nn.functional.pad(x, [width for pair in reversed(widths) for width in pair])


def weights(shape: Sequence[int], device: torch.device, seed: int) -> torch.Tensor:
    """Odd numbers of both signs, never 0, to weigh results with."""
    made = torch.rand(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64, device="cpu")
    return ((made + 0.3) * torch.where(made > 0.5, 1.0, -1.0)).to(device)


def with_torch(function: Callable, data: Sequence[torch.Tensor], which: Sequence[int]) -> list[torch.Tensor]:
    """The value; the gradient of the value weighed, for each input; the gradients of those gradients weighed."""
    inputs = [x.detach().clone().requires_grad_(i in which) for i, x in enumerate(data)]
    chosen = [inputs[i] for i in which]
    out = function(WithTorch, *inputs)
    weight = weights(out.shape, out.device, 1)
    first = torch.autograd.grad(out, chosen, weight, create_graph=True, materialize_grads=True)
    second = []
    for i, slope in enumerate(first):
        weight = weights(slope.shape, slope.device, 2 + i)
        if slope.requires_grad:
            second += torch.autograd.grad(slope, chosen, weight, retain_graph=True, materialize_grads=True)
        else:
            second += map(torch.zeros_like, chosen)
    return [each.detach() for each in (out, *first, *second)]


def with_engine(function: Callable, data: Sequence[torch.Tensor], which: Sequence[int]) -> list[torch.Tensor]:
    """The same on the engine. Data that are not contiguous stay so."""
    inputs = [Tensor(x, i in which) for i, x in enumerate(data)]
    chosen = [inputs[i] for i in which]
    out = function(engine, *inputs)
    first = engine.grad(out, chosen, weights(out.shape, out.device, 1), create_graph=True)
    second = []
    for i, slope in enumerate(first):
        weight = weights(slope.shape, slope.device, 2 + i)
        if slope.requires_grad:
            second += engine.grad(slope, chosen, weight, retain_graph=True)
        else:
            second += [x.zeros() for x in chosen]
    return [each.data for each in (out, *first, *second)]


def assert_as_torch(function: Callable, *data: torch.Tensor, which: Sequence[int] | None = None) -> None:
    """Both engines agree on the value and on both derivatives, for the inputs `which` (default: all)."""
    which = range(len(data)) if which is None else which
    before = [x.clone() for x in data]
    for came, wanted in zip(with_engine(function, data, which), with_torch(function, data, which), strict=True):
        assert came.grad_fn is None
        assert_close(came, wanted)
    for x, kept in zip(data, before, strict=True):
        assert_close(x, kept)


# ---- inputs: shapes, layouts, values

SHAPES = [(), (1,), (3,), (0,), (2, 3), (1, 3), (2, 1), (0, 3), (2, 1, 3), (2, 3, 4)]
# Pairs that broadcast: new dimensions in front, dimensions of size 1 on either side, both at once, empty.
PAIRS = [
    ((), ()),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((4, 1, 3), (2, 1)),
    ((1,), (0,)),
    ((0, 3), (1, 3)),
    ((1, 1), (2, 3)),
    ((2, 3, 4), (2, 3, 4)),
]
# Both signs, zero, ties, whole numbers and odd ones.
VALUES = (-3.0, -2.5, -1.0, -0.37, 0.0, 0.0, 0.61, 1.0, 1.0, 1.93, 2.0, 3.0)


def filled(shape: Sequence[int], seed: int, device: torch.device, values: Sequence[float] = VALUES) -> torch.Tensor:
    """A float64 tensor of these values."""
    chosen = random.Random(seed)
    size = 1
    for each in shape:
        size *= each
    data = [chosen.choice(values) for _ in range(size)]
    return torch.tensor(data, dtype=torch.float64, device=device).reshape(tuple(shape))


def layouts(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """The same numbers as they are, and with strides that are not those of a fresh tensor."""
    yield x
    if x.ndim and x.numel():
        yield x.mT.contiguous().mT if x.ndim > 1 else torch.stack([x, x], dim=1)[:, 0]


POSITIVE = tuple(abs(value) for value in VALUES if value)
NOT_ZERO = tuple(value for value in VALUES if value)


def one_by_one(function, values=VALUES):
    """Cases of a function of one tensor."""
    return [(function, (filled, shape, values)) for shape in SHAPES]


def two_by_two(function, left=VALUES, right=VALUES):
    return [(function, (filled, a, left), (filled, b, right)) for a, b in PAIRS]


def along(method):
    """A reduction over one dimension, several, all, with and without keepdim."""
    found = []
    for shape in [s for s in SHAPES if 0 not in s or method != "amax"]:
        dims = [*range(-len(shape), len(shape)), tuple(range(len(shape)))]
        if len(shape) == 3:
            dims += [(0, 2), (-1, 0), (1,)]
        if method != "logsumexp":
            dims.append(None)
        for dim in dims:
            if dim == () and method == "logsumexp":
                continue
            for keepdim in (False, True):
                found.append(
                    (
                        lambda lib, a, dim=dim, keepdim=keepdim: getattr(a, method)(dim, keepdim=keepdim),
                        (filled, shape, VALUES),
                    )
                )
    return found


def fixed(function, *shapes, values=VALUES):
    return [(function, *((filled, shape, values) for shape in shapes))]


def labels(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, device="cpu")


def elements(x, *index):
    """Indices that lie where `x` lies."""
    return x[tuple(part.to(x.device) if isinstance(part, torch.Tensor) else part for part in index)]


# The oracle of every rule: name -> cases (function, recipe of each input). A rule without cases fails a test.
CASES = {
    "add": two_by_two(lambda lib, a, b: a + b),
    "sub": two_by_two(lambda lib, a, b: a - b),
    "mul": two_by_two(lambda lib, a, b: a * b),
    "div": two_by_two(lambda lib, a, b: a / b, right=NOT_ZERO),
    "pow": [
        *two_by_two(lambda lib, a, b: a**b, left=POSITIVE),
        *[(lambda lib, a, n=n: a**n, (filled, s, VALUES)) for n in (0, 1, 2, 3) for s in ((4, 5), (), (0,))],
        *[(lambda lib, a, n=n: a**n, (filled, (3,), (0.0,))) for n in (0, 1, 2, 3)],
        *[(lambda lib, a, n=n: a**n, (filled, s, NOT_ZERO)) for n in (-1, -2, -3) for s in ((2, 3), ())],
        *[(lambda lib, a, n=n: a**n, (filled, (2, 3), POSITIVE)) for n in (0.5, 2.5, -0.5, -1.5, 1 / 3)],
        *[(lambda lib, b, n=n: n**b, (filled, (2, 3), VALUES)) for n in (2, 0.5, 3)],
    ],
    "neg": one_by_one(lambda lib, a: -(a * a)),  # squared: by itself its second derivative would be seen nowhere
    "exp": one_by_one(lambda lib, a: a.exp()),
    "log": one_by_one(lambda lib, a: a.log(), POSITIVE),
    "sqrt": one_by_one(lambda lib, a: a.sqrt(), POSITIVE),
    "tanh": one_by_one(lambda lib, a: a.tanh()),
    "sigmoid": one_by_one(lambda lib, a: a.sigmoid()),
    "relu": one_by_one(lambda lib, a: a.relu() * a),
    "matmul": [
        *fixed(lambda lib, a, b: a @ b, (2, 3), (3, 4)),
        *fixed(lambda lib, a, b: a @ b, (1, 3), (3, 1)),
        *fixed(lambda lib, a, b: a @ b, (3,), (3,)),
        *fixed(lambda lib, a, b: a @ b, (2, 3), (3,)),
        *fixed(lambda lib, a, b: a @ b, (3,), (3, 4)),
        *fixed(lambda lib, a, b: a @ b, (5, 2, 3), (3,)),
        *fixed(lambda lib, a, b: a @ b, (3,), (5, 3, 2)),
        *fixed(lambda lib, a, b: a @ b, (5, 2, 3), (5, 3, 4)),
        *fixed(lambda lib, a, b: a @ b, (5, 2, 3), (3, 4)),
        *fixed(lambda lib, a, b: a @ b, (2, 3), (4, 3, 2)),
        *fixed(lambda lib, a, b: a @ b, (2, 1, 2, 3), (4, 3, 2)),
        *fixed(lambda lib, a, b: a @ b, (0, 3), (3, 2)),
        *fixed(lambda lib, a, b: a @ b, (2, 0), (0, 3)),
    ],
    "sum": [*along("sum"), *along("mean")],
    "amax": along("amax"),
    "logsumexp": along("logsumexp"),
    "reshape": [
        *fixed(lambda lib, a: a.reshape(3, 2) * 2, (2, 3)),
        *fixed(lambda lib, a: a.reshape((-1,)), (2, 3, 4)),
        *fixed(lambda lib, a: a.reshape(1, 1), ()),
        *fixed(lambda lib, a: a.reshape(3, 0), (0,)),
    ],
    "expand": [
        *fixed(lambda lib, a: a.expand(4, 2, 3), (2, 1)),
        *fixed(lambda lib, a: a.expand(2, 3), ()),
        *fixed(lambda lib, a: a.expand((0, 3)), (1, 3)),
    ],
    "permute": [
        *fixed(lambda lib, a: a.permute(2, 0, 1), (2, 3, 4)),
        *fixed(lambda lib, a: a.permute(-1, 0, -2), (2, 3, 4)),
        *fixed(lambda lib, a: a.transpose(0, -1), (2, 3, 4)),
        *fixed(lambda lib, a: a.mT, (2, 3, 4)),
        *fixed(lambda lib, a: a.T, (2, 3)),
    ],
    "getitem": [
        *fixed(lambda lib, a: a[1], (3,)),
        *fixed(lambda lib, a: a[-1], (2, 3, 4)),
        *fixed(lambda lib, a: a[:, 1:], (2, 3, 4)),
        *fixed(lambda lib, a: a[..., ::2], (2, 3, 4)),
        *fixed(lambda lib, a: a[None, :, 0], (2, 3)),
        *fixed(lambda lib, a: a[5:], (3,)),
        *fixed(lambda lib, a: elements(a, labels(0, 2, 0, 0)), (3, 2)),  # one row three times
        *fixed(lambda lib, a: elements(a, labels(0, 1, 1), labels(2, 0, 0)), (2, 3)),
        *fixed(lambda lib, a: elements(a, slice(None), labels(1, 1)), (2, 3, 4)),
        *fixed(lambda lib, a: a[[0, 1, 1]], (2, 3)),
        *fixed(lambda lib, a: a[[]], (2, 3)),
        *fixed(lambda lib, a: a[:, [True, False, True]], (2, 3)),
        *fixed(lambda lib, a: elements(a, labels(1, 0, 1).bool()), (3, 2)),
        *fixed(lambda lib, a: elements(a, labels()[:0].long()), (3, 2)),
    ],
    "put": [  # the gradient of indexing: the square after it shows `put` in the second derivative
        *fixed(lambda lib, a: a[:, 1:] ** 2, (2, 3)),
        *fixed(lambda lib, a: elements(a, labels(0, 2, 0, 0)) ** 2, (3, 2)),
        *fixed(lambda lib, a: elements(a, slice(None), labels(1, 1)) ** 2, (2, 3, 4)),
    ],
    "pad": [
        *fixed(lambda lib, a: lib.pad(a, (1, 2)), (3,)),
        *fixed(lambda lib, a: lib.pad(a, (0, 0), (2, 1)) ** 2, (2, 3)),
        *fixed(lambda lib, a: lib.pad(a, (1, 0), (0, 3), (1, 1)), (2, 3, 4)),
    ],
    "where": [
        *two_by_two(lambda lib, a, b: lib.where(a > b, a, b)),
        *two_by_two(lambda lib, a, b: (a * a).where(a <= b, b * a)),
        *fixed(lambda lib, a: lib.where(a < 0.5, a * a, 2.0), (2, 3)),
        *fixed(lambda lib, a: lib.where(a >= 0.5, -1.0, a * a), (2, 3)),
    ],
    "concat": [
        *fixed(lambda lib, a, b, c: lib.concat([a, b, c]), (2,), (0,), (3,)),
        *fixed(lambda lib, a, b: lib.concat([a, b * b, a], 1), (2, 1), (2, 3)),
        *fixed(lambda lib, a, b: lib.concat([a, b], -2), (2, 1, 3), (2, 4, 3)),
        *fixed(lambda lib, a, b: lib.stack([a, b, a * b]), (), ()),
        *fixed(lambda lib, a, b: lib.stack([a, b], 1), (2, 3), (2, 3)),
        *fixed(lambda lib, a, b: lib.stack([a, b], -1), (2, 3), (2, 3)),
        *fixed(lambda lib, a, b: lib.stack([a, b], -3), (2, 3), (2, 3)),
    ],
}


def check_rule(name: str, device: torch.device) -> None:
    """Every case of one rule, in both layouts. Raises AssertionError where the engine and torch differ."""
    for number, (function, *recipes) in enumerate(CASES[name]):
        made = [filled(shape, 10 * number + i, device, values) for i, (_, shape, values) in enumerate(recipes)]
        for data in zip(*(list(layouts(x)) * (2 if x.numel() == 0 or not x.ndim else 1) for x in made), strict=False):
            assert_as_torch(function, *data)
