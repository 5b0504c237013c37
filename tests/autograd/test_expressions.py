"""Random programs of many operations, run by the engine and by torch: values, first and second derivatives."""

import torch
from dlcourse_autograd import assert_as_torch
from hypothesis import given, settings
from hypothesis import strategies as st

# What a program may do with the results so far. Whatever might have no value or grow out of bounds is kept in range by
# the operation itself, so that rounding stays far below the tolerance; each is written once for both engines.
ONE = {
    "neg": lambda lib, a: -a,
    "exp": lambda lib, a: (a.tanh() * 2).exp(),
    "log": lambda lib, a: (a * a + 0.5).log(),
    "sqrt": lambda lib, a: (a * a + 0.3).sqrt(),
    "tanh": lambda lib, a: a.tanh(),
    "sigmoid": lambda lib, a: a.sigmoid(),
    "relu": lambda lib, a: a.relu(),
    "square": lambda lib, a: (a / 3) ** 2,
    "cube": lambda lib, a: (a / 3) ** 3,
    "inverse": lambda lib, a: 2 / (a * a + 1),
    "negative power": lambda lib, a: (a.sigmoid() + 0.5) ** -1.5,
    "2 - a": lambda lib, a: 2 - a,
    "power of 2": lambda lib, a: 2 ** a.tanh(),
    "sum": lambda lib, a: a.sum(),
    "mean": lambda lib, a: a.mean(0, keepdim=True) if a.ndim else a.mean(),
    "sum of the last": lambda lib, a: a.sum(-1) if a.ndim else a.sum(),
    "amax": lambda lib, a: a.amax(-1, keepdim=True) if a.ndim and a.shape[-1] else a,
    "softmax": lambda lib, a: a.softmax(-1) if a.ndim else a,
    "logsumexp": lambda lib, a: a.logsumexp(0) if a.ndim and a.shape[0] else a,
    "row": lambda lib, a: a[0] if a.ndim and a.shape[0] else a,
    "every other": lambda lib, a: a[..., ::2] if a.ndim else a,
    "twice the same": lambda lib, a: a[[0, 0]] if a.ndim and a.shape[0] else a,
    "turned": lambda lib, a: a.transpose(0, -1) if a.ndim else a,
    "flat": lambda lib, a: a.reshape(-1),
    "padded": lambda lib, a: lib.pad(a, *[(1, 0)] * a.ndim) if a.ndim in (1, 2) else a,
}
TWO = {
    "add": lambda lib, a, b: a + b,
    "sub": lambda lib, a, b: a - b,
    "mul": lambda lib, a, b: a * b.tanh(),
    "div": lambda lib, a, b: a / (b.exp().sigmoid() + 0.1),
    "pow": lambda lib, a, b: (a.sigmoid() + 0.5) ** b.tanh(),
    "where": lambda lib, a, b: lib.where(a > b, a, b * 0.5),
    "matmul": lambda lib, a, b: (a @ b.mT).tanh() if a.ndim > 1 and b.ndim > 1 else a * 1,
    "concat": lambda lib, a, b: lib.concat([a.reshape(-1), b.reshape(-1)], 0),
}
# Shapes that broadcast against one another: most pairs of results fit.
SHAPES = [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (0, 3), (4, 2, 3), (4, 1, 1)]

operands = st.one_of(st.floats(-3, 3, width=32), st.sampled_from([0.0, 1.0, -1.0, 2.0, 3.0, -3.0]))


@st.composite
def leaves(draw):
    """One to three tensors in [-3, 3]; equal numbers are common; some have other strides."""
    made = []
    for shape in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3)):
        size = torch.Size(shape).numel()
        data = torch.tensor(draw(st.lists(operands, min_size=size, max_size=size)), dtype=torch.float64, device="cpu")
        data = data.reshape(shape)
        made.append(data.mT.contiguous().mT if len(shape) > 1 and draw(st.booleans()) else data)
    return made


programs = st.lists(st.tuples(st.sampled_from([*ONE, *TWO]), st.integers(0, 99), st.integers(0, 99)), max_size=9)


def run(program, lib, inputs):
    """Each instruction works on results so far; one whose shapes do not fit, or that grows too large, is left out.

    Both engines meet the same shapes and sizes, so they leave out the same ones.
    """
    results = list(inputs)
    for name, i, j in program:
        a, b = results[i % len(results)], results[j % len(results)]
        if name in TWO and name != "concat":
            try:
                torch.broadcast_shapes(tuple(a.shape), tuple(b.shape))
            except RuntimeError:
                continue
            if name == "matmul" and a.ndim > 1 and b.ndim > 1 and a.shape[-1] != b.shape[-1]:
                continue
        out = ONE[name](lib, a) if name in ONE else TWO[name](lib, a, b)
        results.append(out)
    return lib.concat([(x * 1).tanh().reshape(-1) for x in results[-3:]])


@settings(max_examples=150)
@given(data=leaves(), program=programs)
def test_any_program_equals_torch(data, program):
    assert_as_torch(lambda lib, *inputs: run(program, lib, inputs), *data)
