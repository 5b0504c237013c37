"""Recurrent cells and layers on shapes that nobody chose: torch's values and slopes, and what each of them promises."""

import copy
import math

import pytest
import torch
from dlcourse_oracles import (
    RECURRENT,
    agree,
    agree_with_weights,
    as_state,
    as_tuple,
    cell_inputs,
    layer_run,
    on_parts,
    packed_run,
    padding_changes_nothing,
    random,
    turned,
)
from dlcourse_tolerance import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import nn
from dlcourse.seeding import generator

seeds = st.integers(0, 2**31)
sizes = st.integers(1, 4)
dtypes = st.sampled_from([torch.float32, torch.float64])
kinds = pytest.mark.parametrize("kind", RECURRENT)
CELLS = {"RNN": nn.rnn_cell, "LSTM": nn.lstm_cell, "GRU": nn.gru_cell}
DEFINITIONS = {"RNN": nn.rnn_cell_definition, "LSTM": nn.lstm_cell_definition, "GRU": nn.gru_cell_definition}


@kinds
@given(shape=st.tuples(sizes, sizes, sizes), bias=st.booleans(), tidy=st.booleans(), seed=seeds)
def test_a_cell_and_its_definition(kind, shape, bias, tidy, seed):
    inputs = cell_inputs(kind, *shape, seed=seed)[: None if bias else -2]
    if not tidy:
        inputs = [turned(t) if t.ndim > 1 else t.repeat_interleave(2)[::2] for t in inputs]
    judge = on_parts(RECURRENT[kind][2], kind)
    agree(on_parts(CELLS[kind], kind), judge, *inputs)
    agree(on_parts(DEFINITIONS[kind], kind), judge, *inputs)


@kinds
def test_second_derivatives(kind):
    inputs = [t.requires_grad_() for t in cell_inputs(kind, 2, 2, 2)]
    assert torch.autograd.gradcheck(on_parts(CELLS[kind], kind), inputs)
    assert torch.autograd.gradgradcheck(on_parts(CELLS[kind], kind), inputs)


specs = st.fixed_dictionaries(
    {
        "sizes": st.tuples(sizes, sizes),
        "num_layers": st.integers(1, 3),
        "bias": st.booleans(),
        "bidirectional": st.booleans(),
        "lengths": st.integers(1, 4).flatmap(lambda t: st.lists(st.integers(1, t), min_size=1, max_size=4)),
        "behind": st.integers(0, 2),
        "state": st.booleans(),
        "tidy": st.booleans(),
        "seed": seeds,
        "dtype": dtypes,
    }
)


def built(kind, spec):
    """(ours, torch's with the same weights in float64, x, tensors of a state or none, lengths)."""
    options = {name: spec[name] for name in ("num_layers", "bias", "bidirectional")}
    seed, dtype, lengths = spec["seed"], spec["dtype"], torch.tensor(spec["lengths"])
    ours = getattr(nn, kind)(*spec["sizes"], **options, generator=generator(seed)).to(dtype)
    theirs = RECURRENT[kind][4](*spec["sizes"], batch_first=True, **options, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    x = random(len(lengths), int(lengths.max()) + spec["behind"], spec["sizes"][0], seed=seed, dtype=dtype)
    shape = (options["num_layers"] * (1 + options["bidirectional"]), len(lengths), spec["sizes"][1])
    state = [random(*shape, seed=seed + i, dtype=dtype) for i in range(RECURRENT[kind][1] * spec["state"])]
    return ours, theirs, x if spec["tidy"] else turned(x), state, lengths


@kinds
@settings(max_examples=25)
@given(spec=specs)
def test_a_layer_is_torchs(kind, spec):
    ours, theirs, x, state, _ = built(kind, spec)
    agree_with_weights(ours, theirs, layer_run, layer_run, x, *state)


@kinds
@settings(max_examples=25)
@given(spec=specs)
def test_lengths_are_torchs_packed_sequences(kind, spec):
    ours, theirs, x, state, lengths = built(kind, spec)

    def run(layer):
        return layer_run(layer, lengths=lengths)

    agree_with_weights(ours, theirs, run, lambda layer: packed_run(layer, lengths), x, *state)
    padding_changes_nothing(ours, lengths, x)


@kinds
@settings(max_examples=15)
@given(spec=specs)
def test_an_example_is_the_same_alone_without_its_padding(kind, spec):
    ours, _, x, _, lengths = built(kind, spec)
    outputs, final = ours(x, lengths=lengths)
    for n, length in enumerate(lengths.tolist()):
        alone, end = ours(x[n : n + 1, :length])
        assert_close(outputs[n : n + 1, :length], alone)
        assert not outputs[n, length:].any()
        for ours_final, theirs in zip(as_tuple(final), as_tuple(end), strict=True):
            assert_close(ours_final[:, n : n + 1], theirs)


@kinds
@settings(max_examples=15)
@given(features=sizes, hidden=sizes, seed=seeds, cut=st.integers(1, 4))
def test_a_sequence_may_be_read_in_two_parts(kind, features, hidden, seed, cut):
    """Windows that hand on the state give what one pass gives; detached, the numbers stay and the way back is gone."""
    layer = getattr(nn, kind)(features, hidden, num_layers=2, generator=generator(seed)).double()
    x = random(2, 5, features, seed=seed).requires_grad_()
    whole, final = layer(x)
    first, state = layer(x[:, :cut])
    second, end = layer(x[:, cut:], state)
    assert_close(torch.cat([first, second], 1), whole)
    for ours, theirs in zip(as_tuple(end), as_tuple(final), strict=True):
        assert_close(ours, theirs)
    (slope,) = torch.autograd.grad(second.sum(), x, retain_graph=True)
    assert slope[:, :cut].any()
    again, _ = layer(x[:, cut:], nn.detach(state))
    assert torch.equal(again, second)
    (slope,) = torch.autograd.grad(again.sum(), x)
    assert not slope[:, :cut].any()
    assert slope[:, cut:].any()


@kinds
def test_a_forward_direction_sees_no_future_and_a_backward_one_no_past(kind):
    layer = getattr(nn, kind)(2, 3, bidirectional=True, generator=generator(0))
    x = random(1, 6, 2, dtype=torch.float32)
    other = x.clone()
    other[:, 3] += 1
    changed = (layer(x)[0] != layer(other)[0]).view(6, 2, 3).any(2)
    assert changed.T.tolist() == [[False] * 3 + [True] * 3, [True] * 4 + [False] * 2]


@kinds
def test_dropout_keeps_the_mean_and_leaves_time_alone(kind):
    """Over many masks; a layer's own memory is never dropped: a unit of the first layer goes on from where it was."""
    layer = getattr(nn, kind)(2, 40, num_layers=2, dropout=0.3, generator=generator(0))
    x = random(1, 4, 2, dtype=torch.float32)
    _, final = layer(x.expand(500, -1, -1))
    firsts = as_tuple(final)[0][0]
    assert torch.equal(firsts, firsts[:1].expand_as(firsts)), "the first layer's memory was dropped"
    with torch.no_grad():  # small weights, so that the second layer is nearly linear, and a mean goes through it
        for name, p in layer.named_parameters():
            p *= 0.05 if name.endswith("l1") else 1.0
    outputs, _ = layer(x.expand(4000, -1, -1))
    wanted, _ = layer.eval()(x)
    spread = outputs.std(0) / math.sqrt(4000)
    assert ((outputs.mean(0) - wanted[0]).abs() < 6 * spread + 1e-4).all()
    assert spread.min() > 0


@kinds
def test_states_are_copied_across_from_torch_and_back(kind):
    options = {"num_layers": 2, "bidirectional": True}
    ours = getattr(nn, kind)(3, 4, **options, generator=generator(0))
    theirs = RECURRENT[kind][4](3, 4, batch_first=True, **options)
    x = random(2, 5, 3, dtype=torch.float32)
    for source, target in ((ours, theirs), (theirs, copy.deepcopy(ours))):
        target.load_state_dict(source.state_dict())
        assert_close(layer_run(target)(x), layer_run(source)(x))


@kinds
def test_the_gates_stay_finite_far_out(kind):
    """Numbers at which exp overflows: values and slopes stay finite, in the definition too."""
    inputs = [1000 * t for t in cell_inputs(kind, 2, 3, 4, dtype=torch.float32)]
    for cell in (CELLS[kind], DEFINITIONS[kind]):
        leaves = [t.clone().requires_grad_() for t in inputs]
        value = on_parts(cell, kind)(*leaves)
        assert value.isfinite().all()
        assert all(slope.isfinite().all() for slope in torch.autograd.grad(value.sum(), leaves))


# --- how long a memory lasts ------------------------------------------------------------------------------------------


@given(hidden=st.integers(1, 6), time=st.integers(1, 6), radius=st.floats(0.1, 2.0), seed=seeds)
def test_a_turn_without_a_bend_keeps_radius_to_the_power_of_steps(hidden, time, radius, seed):
    """Where W_hh is radius times an orthogonal matrix, nothing is approximate."""
    weight = nn.orthogonal((hidden, hidden), generator=generator(seed), dtype=torch.float64)
    nn.scale_spectral_radius_(weight, radius)
    flow = nn.gradient_flow(lambda x, h: h @ weight.T + x, random(2, time, hidden), random(2, hidden, seed=1))
    wanted = radius ** torch.arange(time - 1, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(flow, wanted.expand(2, -1), rtol=1e-6, atol=1e-9)


def test_a_bend_only_shrinks_it():
    weight = nn.scale_spectral_radius_(nn.orthogonal((8, 8), generator=generator(0)), 1.0)
    cells = [lambda x, h, bend=bend: bend(h @ weight.T + x) for bend in (torch.tanh, torch.nn.Identity())]
    bent, straight = (
        nn.gradient_flow(cell, random(3, 20, 8, dtype=torch.float32), torch.zeros(3, 8)) for cell in cells
    )
    assert (bent[:, :-1] < straight[:, :-1]).all()
    assert (bent[:, 0] < 1e-3).all()


def test_a_radius_of_0_may_stretch_at_first():
    """Why the docstring says `in the long run`."""
    weight = torch.tensor([[0.0, 5.0], [0.0, 0.0]])
    flow = nn.gradient_flow(lambda x, h: h @ weight.T, torch.zeros(1, 4, 1), torch.zeros(1, 2))
    assert flow.tolist() == [[0, 0, 5, 1]]


@kinds
def test_the_flow_of_a_layers_own_cell(kind):
    layer = getattr(nn, kind)(2, 3, num_layers=2, bidirectional=True, generator=generator(0))
    cell = getattr(nn, f"{kind}Cell")(6, 3, generator=generator(1))
    cell.load_state_dict({n.removesuffix("_l1_reverse"): p for n, p in layer.state_dict().items() if "l1_reverse" in n})
    x, state = random(2, 5, 6, dtype=torch.float32), as_state([torch.zeros(2, 3)] * RECURRENT[kind][1])
    assert torch.equal(nn.gradient_flow(layer.cell(1, backwards=True), x, state), nn.gradient_flow(cell, x, state))


@pytest.mark.parametrize("seed", range(5))
def test_what_gets_back_100_steps_depends_on_the_start(seed):
    """At the usual start nothing that float32 could add to a weight; with chrono initialisation a good part."""
    g, x, zero = generator(seed), random(4, 100, 2, dtype=torch.float32), torch.zeros(4, 24)
    for kind in RECURRENT:
        cell, state = getattr(nn, f"{kind}Cell")(2, 24, generator=g), as_state([zero] * RECURRENT[kind][1])
        assert nn.gradient_flow(cell, x, state)[:, 0].max() < 1e-12
        if kind != "RNN":
            flow = nn.gradient_flow(nn.chrono_(cell, 100, generator=g), x, state)[:, 0]
            assert flow.min() > 0.1
            assert flow.max() < 1
    lstm = nn.forget_bias_(nn.LSTMCell(2, 24, generator=g), 2.0)
    assert nn.gradient_flow(lstm, x, (zero, zero))[:, 0].max() > 1e-3, "and yet it does not learn: test_memory.py"


@given(seed=seeds, longest=st.integers(2, 1000), kind=st.sampled_from(["LSTM", "GRU"]))
def test_chrono_remembers_at_least_two_and_at_most_longest_steps(seed, longest, kind):
    layer = nn.chrono_(getattr(nn, kind)(2, 5, generator=generator(seed)), longest, generator=generator(seed))
    gates = len(layer.bias_ih_l0) // 5
    memory = 1 + (layer.bias_ih_l0 + layer.bias_hh_l0).view(gates, 5)[1].exp()
    assert (memory > 2 - 1e-3).all()
    assert (memory < longest * (1 + 1e-5)).all()
