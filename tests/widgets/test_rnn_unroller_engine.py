"""RNNUnroller's numbers: states against torch's layers, the flow against autograd, the cut against a real detach, the
map cell by cell, what a learner brings, time, sharing."""

import contextlib
import io
import sys
import time
from functools import partial

import pytest
import torch

from dlcourse import data, generator, models, nn
from dlcourse.widgets.rnn_unroller.cells import FEATURES, GATES, MOST_UNITS, PARTS
from dlcourse.widgets.rnn_unroller.chart import BIASES, RADII, memory
from dlcourse.widgets.rnn_unroller.engine import RNNUnrollerEngine
from dlcourse.widgets.rnn_unroller.own import visible
from dlcourse.widgets.rnn_unroller.params import STEPS, UNITS
from dlcourse.widgets.rnn_unroller.picture import picture
from dlcourse.widgets.snapshot import LIMIT, pack

KINDS = ("rnn", "lstm", "gru")
LAYERS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
TEXT = "abcab cabb"
drawing = sys.modules[picture.__module__]  # of the package the name `picture` may be the function


def unroller(cell="rnn", **settings):
    return RNNUnrollerEngine(cell, **{"text": TEXT, "units": 5} | settings)


def layer(kind, features=4, units=3, seed=0, **settings):
    return getattr(nn, LAYERS[kind])(features, units, generator=generator(seed), **settings)


def torchs(ours, **settings):
    made = getattr(torch.nn, type(ours).__name__)(ours.input_size, ours.hidden_size, ours.num_layers, **settings)
    made.load_state_dict(ours.state_dict())
    return made


def sequence(time=7, features=4, seed=1):
    return torch.randn(time, features, generator=generator(seed))


# ---- the cell that it makes


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_settings_give_the_same_numbers_and_leave_the_global_source_alone(kind):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, second, other = unroller(kind), unroller(kind), unroller(kind, seed=1)
    assert torch.equal(first.hidden, second.hidden)
    assert torch.equal(first.flow, second.flow)
    assert not torch.equal(first.hidden, other.hidden)
    first.snapshot()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_character_is_the_same_vector_wherever_it_occurs():
    x = unroller()._inputs
    assert x.shape == (len(TEXT), FEATURES)
    for t, first in enumerate(TEXT):
        for s, second in enumerate(TEXT):
            assert torch.equal(x[t], x[s]) == (first == second)
    assert torch.equal(x, unroller(text=TEXT + "x")._inputs[:-1])  # a longer text changes nothing before


def test_an_rnn_has_the_radius_asked_for():
    for radius in (0.1, 0.9, 2.0):
        assert unroller(radius=radius).cell.radius == pytest.approx(radius, rel=1e-5)


def test_the_starts_are_those_of_nn():
    usual = unroller("lstm").cell
    for value in (-1.0, 2.0):
        made = nn.LSTMCell(FEATURES, 5, generator=generator(0))
        nn.forget_bias_(made, value)
        mine = unroller("lstm", start="forget_bias", bias=value).cell
        assert torch.equal(mine.bias_ih, made.bias_ih)
        assert torch.equal(mine.bias_hh, made.bias_hh)
        gru = unroller("gru", start="forget_bias", bias=value).cell
        torch.testing.assert_close(gru.keep_bias, torch.full((5,), value))
        assert torch.equal(gru.bias_ih[10:], unroller("gru").cell.bias_ih[10:])
    for kind in ("lstm", "gru"):
        bias = unroller(kind, start="chrono", longest=50).cell.keep_bias
        assert (bias >= 0).all()
        assert (bias <= torch.tensor(49.0).log()).all()
        assert len(set(bias.tolist())) == 5
    assert torch.equal(usual.weight_hh, unroller("lstm", start="chrono").cell.weight_hh)


def test_what_bends_an_rnn():
    bent, straight = unroller(radius=2.0), unroller(radius=2.0, activation="none")
    parts = straight.all_parts
    torch.testing.assert_close(parts["from x"] + parts["from h"], straight.hidden)
    parts = bent.all_parts
    torch.testing.assert_close((parts["from x"] + parts["from h"]).tanh(), bent.hidden)
    assert straight.hidden.abs().max() > 1 > bent.hidden.abs().max()


# ---- what it shows, against another way


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_states_are_the_layers_own(kind, layers):
    x = sequence()
    ours = layer(kind, num_layers=layers)
    for module in (ours, torchs(ours, batch_first=True), torchs(ours)):
        engine = RNNUnrollerEngine(module, x=x)
        outputs, final = ours(x[None])
        torch.testing.assert_close(engine.hidden, outputs[0])
        if kind == "lstm":
            torch.testing.assert_close(engine.memory[-1], final[1][-1, 0])
        else:
            assert engine.memory is None


@pytest.mark.parametrize("where", [nn, torch.nn])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_of_ones_own(kind, where):
    settings = {"generator": generator(2)} if where is nn else {}
    cell = getattr(where, LAYERS[kind] + "Cell")(4, 3, **settings)
    x, state = sequence(), None
    engine = RNNUnrollerEngine(cell, x=x)
    for t in range(len(x)):
        state = cell(x[t : t + 1], state)
        torch.testing.assert_close(engine.hidden[t], (state[0] if kind == "lstm" else state)[0])


@pytest.mark.parametrize("where", [nn, torch.nn])
def test_an_rnn_with_another_activation(where):
    made = layer("rnn", activation=nn.relu)
    if where is torch.nn:
        made = torchs(made, nonlinearity="relu", batch_first=True)
    engine = RNNUnrollerEngine(made, x=sequence())
    assert engine.cell.bend == "relu"
    torch.testing.assert_close(engine.hidden, made(sequence()[None])[0][0])
    straight = nn.RNNCell(4, 3, activation=nn.Identity(), generator=generator(0))
    assert RNNUnrollerEngine(straight, x=sequence()).cell.bend == "none"


def brute_flow(module, x, cut):
    """|d h_T / d state_t| as torch's autograd gives it for the steps after t, run as one function of state_t, with a
    real detach after the cut."""
    step, zeros = module.cell(), torch.zeros(1, module.hidden_size)
    two = isinstance(module, nn.LSTM)

    def last(t, *state):
        for at in range(t, len(x) + 1):
            if at == cut:
                state = tuple(part.detach() for part in state)
            if at < len(x):
                state = step(x[at : at + 1], state if two else state[0])
                state = state if two else (state,)
        return state[0]

    flow, state = [], (zeros, zeros) if two else zeros
    for t in range(1, len(x) + 1):
        state = step(x[t - 1 : t], state)
        jacobians = torch.autograd.functional.jacobian(partial(last, t), state if two else (state,))
        units = module.hidden_size
        flow.append(torch.linalg.matrix_norm(torch.cat([each.reshape(units, units) for each in jacobians], 1), ord=2))
    return torch.stack(flow)


@pytest.mark.parametrize("cut", [0, 1, 4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_flow_is_autograds_and_the_cut_is_a_detach(kind, cut):
    module, x = layer(kind), sequence()
    engine = RNNUnrollerEngine(module, x=x, cut=cut)
    torch.testing.assert_close(engine.flow, brute_flow(module, x, cut), rtol=1e-4, atol=1e-7)
    assert (engine.flow[:cut] == 0).all()
    assert (engine.flow[cut:] > 0).all()
    assert engine.flow[-1] == 1
    assert torch.equal(engine.uncut, RNNUnrollerEngine(module, x=x).flow)
    assert torch.equal(engine.hidden, RNNUnrollerEngine(module, x=x).hidden)  # the cut changes no state


def test_without_a_bend_and_with_equal_eigenvalues_the_flow_is_the_radius_to_a_power():
    cell = nn.RNNCell(4, 3, activation=nn.Identity(), generator=generator(0))
    cell.weight_hh.data = 0.8 * torch.eye(3)
    flow = RNNUnrollerEngine(cell, x=sequence(6)).flow
    torch.testing.assert_close(flow, 0.8 ** torch.arange(5.0, -1, -1))


def test_the_parts_of_a_step():
    engine = unroller("lstm")
    engine.scrub(4)
    it = engine.parts
    assert list(it) == list(PARTS["lstm"]) == ["i", "f", "g", "o", "c before", "c", "h"]
    torch.testing.assert_close(it["f"] * it["c before"] + it["i"] * it["g"], engine.memory[3])
    torch.testing.assert_close(it["o"] * engine.memory[3].tanh(), engine.hidden[3])
    assert torch.equal(it["c before"], engine.memory[2])
    engine.scrub(1)
    assert not engine.parts["c before"].any()
    gru = unroller("gru")
    gru.scrub(3)
    it = gru.parts
    torch.testing.assert_close((1 - it["z"]) * it["n"] + it["z"] * it["h before"], gru.hidden[2])
    assert torch.equal(it["h before"], gru.hidden[1])
    for name in GATES & set(it):
        assert ((it[name] > 0) & (it[name] < 1)).all()


# ---- the map


def test_the_map_of_an_rnn_is_the_flow_of_scaled_cells():
    engine = unroller(radius=1.3)
    assert (engine.chart.dial, engine.chart.settings) == ("spectral radius", RADII)
    for row in (0, 5, len(RADII) - 1):
        flow = unroller(radius=RADII[row]).flow
        torch.testing.assert_close(10 ** engine.chart.flow[row].flip(0), flow, rtol=1e-3, atol=1e-30)


@pytest.mark.parametrize(("kind", "gate"), [("lstm", "forget gate"), ("gru", "update gate")])
def test_the_map_of_gates_is_the_flow_of_cells_with_that_bias(kind, gate):
    engine = unroller(kind, start="forget_bias", bias=4.0)
    assert (engine.chart.dial, engine.chart.settings) == (f"bias of the {gate}", BIASES)
    for row in (0, 7, len(BIASES) - 1):
        flow = unroller(kind, start="forget_bias", bias=BIASES[row]).flow
        torch.testing.assert_close(10 ** engine.chart.flow[row].flip(0), flow, rtol=1e-3, atol=1e-30)


def test_the_map_is_made_once_and_kept_until_a_setting_changes():
    engine = unroller()
    kept = engine.chart
    engine.step(3)
    engine.set(cut=2, unit=1, pace="fast")
    engine.set(radius=1.7)  # a row of it
    assert engine.chart is kept
    for change in ({"text": "abba"}, {"units": 4}, {"seed": 2}, {"activation": "none"}, {"cell": "gru"}):
        engine.set(**change)
        assert engine.chart is not kept
        kept = engine.chart
    assert unroller("lstm").snapshot().header["chart"]["mark"][0] < 0
    assert unroller(radius=1.3).snapshot().header["chart"]["mark"] == pytest.approx([1.3, 1.3])


def test_a_chrono_start_has_a_map_of_its_own():
    """Its input gates are not the usual ones, so the map of one start is not the other's."""
    engine = unroller("lstm")
    before = engine.chart
    engine.set(start="chrono")
    flow = nn.gradient_flow(engine.cell.keeping(BIASES[3]), engine._inputs[None], engine.cell.zeros())[0]
    torch.testing.assert_close(10 ** engine.chart.flow[3].flip(0), flow, rtol=1e-3, atol=1e-30)
    assert not torch.equal(engine.chart.flow, before.flow)


def test_where_there_is_no_map_it_says_why():
    large = RNNUnrollerEngine(nn.RNNCell(4, 41, generator=generator(0)), x=sequence())
    assert large.chart is None
    assert "at most 40 units; this one has 41" in large.snapshot().header["no_chart"]
    bare = RNNUnrollerEngine(nn.LSTMCell(4, 3, bias=False, generator=generator(0)), x=sequence())
    assert (bare.chart, bare.cell.keep_bias) == (None, None)
    assert "no biases" in bare.snapshot().header["no_chart"]
    still = nn.RNNCell(4, 3, generator=generator(0))
    still.weight_hh.data.zero_()
    engine = RNNUnrollerEngine(still, x=sequence())
    assert engine.chart is None
    assert engine.flow.tolist() == [0, 0, 0, 0, 0, 0, 1]
    pack(engine.snapshot())
    assert memory(0.0) == 2


# ---- steps and settings


def test_steps():
    engine = unroller()
    assert (engine.at, engine.running, engine.time) == (1, True, len(TEXT))
    engine.step(3)
    assert engine.at == 4
    engine.back()
    assert engine.at == 3
    engine.step(1000)
    assert (engine.at, engine.running) == (len(TEXT), False)
    engine.back(1000)
    assert engine.at == 1
    engine.scrub(5)
    engine.reset()
    assert engine.at == 1
    for bad in (0, len(TEXT) + 1, "x", 1.5, True, None):
        with pytest.raises(ValueError, match="step="):
            engine.scrub(bad)
    with pytest.raises(ValueError, match="n="):
        engine.step(-1)


def test_another_text():
    engine = unroller(cut=7)
    engine.scrub(9)
    engine.read("abcd")
    assert (engine.time, engine.at, engine.values["cut"]) == (4, 4, 0)  # beyond the new end: no cut
    engine.read("abcdef")
    assert engine.at == 6  # who is at the end stays there while typing
    engine.scrub(2)
    engine.read("abcdefg")
    assert engine.at == 2
    for bad, why in (("", "has 0 characters"), ("a" * (STEPS + 1), "has 121 characters"), (3, "wanted a text")):
        with pytest.raises(ValueError, match=why):
            engine.read(bad)
    with pytest.raises(ValueError, match="half of a character"):
        engine.read("\ud83d")
    assert engine.values["text"] == "abcdefg"
    engine.read("a\n\t \0é日😀")
    assert engine.symbols == ["a", "↵", "⇥", "␣", "□", "é", "日", "😀"]
    assert visible("$") == "$"


def test_a_cut_must_be_inside():
    engine = unroller(cut=3)
    with pytest.raises(ValueError, match="cut=10: the text has 10 steps"):
        engine.set(cut=10)
    assert engine.values["cut"] == 3
    with pytest.raises(ValueError, match="cut=5: the text has 2 steps"):
        RNNUnrollerEngine(text="ab", cut=5)
    with pytest.raises(ValueError, match="cut=2: the text has 2 steps"):
        engine.set(text="ab", cut=2)
    assert (engine.values["text"], engine.time) == (TEXT, len(TEXT))  # nothing has changed
    assert RNNUnrollerEngine(text="a").flow.tolist() == [1.0]


def test_the_unit_written_out_is_one_of_the_cells():
    engine = unroller(unit=150)
    assert (engine.unit, engine.values["unit"]) == (4, 150)
    engine.set(unit=2, radius=0.5)
    said = engine.snapshot().header["sums"]
    assert len(said) == 1
    assert said[0].startswith("h = tanh(")


@pytest.mark.parametrize(
    "bad",
    [{"cell": "elman"}, {"units": 0}, {"units": UNITS + 1}, {"radius": 0}, {"start": "x"}, {"longest": 1}, {"what": 1}],
)
def test_what_is_out_of_range_is_refused(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=name):
        unroller(**bad)


# ---- what a learner brings


def test_a_copy_is_taken():
    module, x = layer("gru"), sequence()
    engine = RNNUnrollerEngine(module, x=x)
    before = engine.hidden.clone()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    x.zero_()
    engine.set(cut=1)
    engine._compute()
    assert torch.equal(engine.hidden, before)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())


def test_float64_and_training_mode_are_no_matter():
    module = layer("lstm", num_layers=2, dropout=0.5).double().train()
    engine = RNNUnrollerEngine(module, x=sequence().double())
    module.eval()
    torch.testing.assert_close(engine.hidden, module(sequence().double()[None])[0][0].float().detach())
    assert engine.hidden.dtype == torch.float32


def swapped(module):
    """Gates in another order: what a layer answers is not what its weights say any more."""

    class Swapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(self, name, getattr(module, name))

        def forward(self, x, state):
            order = [1, 0, 2, 3]
            weights = [
                torch.cat([w.chunk(4)[i] for i in order])
                for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
            ]
            return nn.lstm_cell(x, state, *weights)

    return Swapped()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda: lambda x, h: h, "cell is a function; wanted"),
        (lambda: torch.nn.Linear(2, 2), "no parameter weight_hh"),
        (lambda: layer("rnn", bidirectional=True), "reads backwards"),
        (lambda: torch.nn.LSTM(4, 3, proj_size=2), "proj_size"),
        (lambda: swapped(nn.LSTMCell(4, 3, generator=generator(0))), "answers differently .* gates in torch's order"),
        (lambda: nn.RNNCell(2, MOST_UNITS + 1, generator=generator(0)), "at most 200"),
        (lambda: nn.RNNCell(2, 2, activation=torch.sin, generator=generator(0)), "activation is none of"),
        (lambda: _spoilt(nn.RNNCell(2, 2, generator=generator(0))), "not finite"),
        (lambda: _two(), r"weight_hh is \(6, 3\)"),
    ],
)
def test_cells_that_cannot_be_shown(bad, why):
    with pytest.raises(ValueError, match=why):
        RNNUnrollerEngine(bad())


def _spoilt(cell):
    cell.weight_ih.data[0, 0] = float("nan")
    return cell


def _two():
    cell = nn.RNNCell(3, 3, generator=generator(0))
    cell.weight_hh = torch.nn.Parameter(torch.zeros(6, 3))
    return cell


def test_a_cell_of_ones_own_class_is_shown_when_it_answers_as_its_weights_say():
    class Mine(torch.nn.Module):
        def __init__(self):
            super().__init__()
            given = nn.LSTMCell(4, 3, generator=generator(0))
            self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = given.parameters()

        def forward(self, x, state):
            gates = x @ self.weight_ih.T + self.bias_ih + state[0] @ self.weight_hh.T + self.bias_hh
            i, f, g, o = gates.chunk(4, 1)
            c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
            return o.sigmoid() * c.tanh(), c

    assert RNNUnrollerEngine(Mine(), x=sequence()).hidden.shape == (7, 3)


def test_parameters_without_a_meaning_are_refused():
    module = layer("lstm")
    for name, value in {"units": 5, "radius": 1.0, "start": "chrono", "seed": 1, "text": "ab"}.items():
        with pytest.raises(ValueError, match=f"{name} cannot be set here"):
            RNNUnrollerEngine(module, x=sequence(), **{name: value})
    engine = RNNUnrollerEngine(module)  # a text, a random vector for each character
    engine.set(seed=3, text="abc", cut=1)
    with pytest.raises(ValueError, match="cell cannot be set here: the cell is your own"):
        engine.set(cell="gru")
    assert engine.values["cell"] == "lstm"


def test_what_does_not_fit_together_is_said():
    vocabulary = data.Vocabulary.of("abc ")
    table = torch.randn(4, 4, generator=generator(0))
    cases = [
        ({"cell": layer("rnn"), "embedding": table}, "Give the vocabulary too"),
        ({"vocabulary": vocabulary}, "goes with a cell of your own"),
        ({"cell": layer("rnn"), "embedding": table[:3], "vocabulary": vocabulary}, r"embedding is \(3, 4\)"),
        ({"cell": layer("rnn", features=5), "vocabulary": vocabulary}, "give the embedding too"),
        ({"cell": layer("rnn"), "x": sequence(features=3)}, r"x is \(7, 3\); the cell reads \(time, 4\)"),
        ({"cell": layer("rnn"), "x": sequence(121)}, "with 1 to 120 steps"),
        ({"cell": layer("rnn"), "x": "abc"}, "no table of numbers"),
        ({"cell": layer("rnn"), "x": torch.full((2, 4), torch.nan)}, "finite numbers"),
        ({"cell": layer("rnn"), "x": sequence(), "vocabulary": vocabulary}, "no vocabulary or embedding beside it"),
        ({"model": layer("rnn"), "vocabulary": vocabulary}, "without 'rnn'"),
        ({"model": layer("rnn"), "cell": layer("rnn")}, "and nothing else"),
        ({"model": models.CharRNN(4, generator=generator(0))}, "Give the vocabulary too"),
    ]
    for given, why in cases:
        with pytest.raises(ValueError, match=why):
            RNNUnrollerEngine(**given)


def test_inputs_alone_are_read_by_the_cell_that_it_makes():
    engine = RNNUnrollerEngine("gru", x=sequence(9, features=3), units=4)
    assert (engine.hidden.shape, engine.cell.features, engine.symbols) == ((9, 4), 3, [""] * 9)
    engine.set(units=6)
    assert engine.hidden.shape == (9, 6)
    assert engine.snapshot().header["text"] is None
    assert "9 steps of inputs" in engine.describe()


def test_a_vocabulary():
    vocabulary = data.Vocabulary.of("abc ")
    one_hot = RNNUnrollerEngine(layer("rnn"), vocabulary=vocabulary, text="cab")
    assert torch.equal(one_hot._inputs, torch.eye(4)[vocabulary.encode("cab")])
    table = torch.nn.Embedding(4, 4)
    engine = RNNUnrollerEngine(layer("rnn"), vocabulary=vocabulary, embedding=table, text="cab")
    assert torch.equal(engine._inputs, table.weight[vocabulary.encode("cab")].detach())
    with pytest.raises(ValueError, match="Not among the 4 characters of this vocabulary: 'x'"):
        engine.read("cax")
    assert (engine.values["text"], engine.time) == ("cab", 3)
    assert RNNUnrollerEngine(layer("rnn"), vocabulary=vocabulary).values[
        "text"
    ]  # the part of the default that it knows
    strange = data.Vocabulary("0123")
    assert RNNUnrollerEngine(layer("rnn"), vocabulary=strange).values["text"] == "0123"
    raw = RNNUnrollerEngine(layer("gru", features=256), vocabulary=data.Bytes(), text="aé")
    assert (raw.time, raw.symbols[0]) == (3, "a")
    with pytest.raises(ValueError, match="the text is 160 symbols long for this vocabulary"):
        raw.read("é" * 80)


@pytest.mark.parametrize("where", [nn, torch.nn])
def test_a_trained_model_says_what_it_expects(where):
    vocabulary = data.Vocabulary.of("abc ")
    model = models.CharRNN(4, hidden=6, embedding=3, layers=2, generator=generator(0))
    logits, _ = model(vocabulary.encode("cab a")[None])
    if where is torch.nn:
        model.rnn = torchs(model.rnn, batch_first=True)
    engine = RNNUnrollerEngine(model=model, vocabulary=vocabulary, text="cab a")
    engine.scrub(2)
    expected = logits[0, 1].softmax(0)
    said = engine.snapshot().header["next"]
    assert [p for _, p in said["likeliest"]] == pytest.approx(expected.sort(descending=True).values.tolist(), abs=1e-5)
    assert said["likeliest"][0][0] == visible(vocabulary.symbols[expected.argmax()])
    assert said["truth"][0] == "b"
    assert said["truth"][1] == pytest.approx(expected[2].item(), abs=1e-5)
    engine.scrub(5)
    assert engine.snapshot().header["next"]["truth"] is None
    assert unroller().snapshot().header["next"] is None


# ---- what is seen and said


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot(kind):
    engine = unroller(kind, cut=2)
    engine.scrub(3)
    shown = engine.snapshot()
    header, arrays = shown.header, shown.arrays
    assert header["run"] == {"step": 3, "first": 1, "last": 10, "running": True}
    assert header["say"].startswith("Step 3 of 10 reads c; gradient that gets back here: ")
    assert (header["kind"], header["units"], header["symbols"][5]) == (kind, 5, "␣")
    assert arrays["states"].shape == (5, 10)
    back = (torch.tensor(arrays["states"].astype("float32")) / 127 - 1) * header["scale"][0]
    assert (back.T - engine.hidden).abs().max() <= header["scale"][0] / 127
    assert ("memory" in arrays) == (kind == "lstm")
    assert arrays["flow"][:2].tolist() == [-torch.inf] * 2
    assert arrays["uncut"].isfinite().all()
    assert arrays["parts"].shape == (len(header["parts"]), 5)
    assert [part["name"] for part in header["parts"] if part["gate"]] == [n for n in PARTS[kind] if n in GATES]
    assert arrays["chart"].shape == (len(header["chart"]["settings"]), 10)
    assert header["chart"]["sets"]
    engine.scrub(2)
    assert "no gradient gets back here" in engine.snapshot().header["say"]


def test_a_snapshot_is_small_and_quick(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(nn, "gradient_flow", lambda cell, x, state: torch.ones(x.shape[:2]))  # it would take seconds
        large = RNNUnrollerEngine(nn.LSTMCell(4, MOST_UNITS, generator=generator(0)), x=sequence(STEPS))
    _, buffers = pack(large.snapshot())
    assert sum(map(len, buffers)) <= LIMIT
    engine = RNNUnrollerEngine("lstm", units=UNITS, text="ab" * (STEPS // 2))
    engine.snapshot()
    started = time.process_time()
    for at in range(1, 21):
        engine.scrub(at)
        engine.snapshot()
    assert (time.process_time() - started) / 20 < 0.02  # it takes less than a millisecond; 20 for a busy machine


def test_an_explosion_is_shown_as_one():
    cell = nn.RNNCell(1, 2, activation=nn.Identity(), generator=generator(0))
    cell.weight_hh.data = 5 * torch.eye(2)
    engine = RNNUnrollerEngine(cell, x=torch.zeros(100, 1))
    assert engine.flow[0] == torch.inf
    pack(engine.snapshot())
    assert "more than float32 holds" in engine.describe()
    picture(engine)


def test_what_it_says():
    assert "0.9 to the power 9 = 0.387" in " ".join(unroller(radius=0.9).snapshot().header["explanation"])
    assert "each tanh multiplies by its slope" in " ".join(unroller(radius=0.9).snapshot().header["explanation"])
    gates = " ".join(unroller("gru", start="forget_bias", bias=3.0).snapshot().header["explanation"])
    assert "The update gate's bias is 3: alone it keeps 0.953 of the old at each step" in gates
    assert "a memory of about 21.1 steps" in gates
    assert "memories of" in " ".join(unroller("lstm", start="chrono").snapshot().header["explanation"])
    cut = unroller(cut=3)
    assert "steps 1 to 3 get no gradient" in cut.snapshot().header["explanation"][-1]
    assert "It is cut after step 3" in cut.describe()
    assert "type a second character" in unroller(text="a").snapshot().header["explanation"][0]
    assert cut.describe().startswith("An RNN of 5 units (tanh, spectral radius 0.9) reads 'abcab␣cabb'. Step 1 of 10")
    assert unroller("gru").describe().startswith("A GRU of 5 units")


@pytest.mark.parametrize(
    "settings", [{}, {"cell": "lstm", "cut": 3}, {"cell": "gru", "text": "日$ 😀_^"}, {"text": "a"}]
)
def test_a_picture(settings):
    engine = unroller(**settings)
    shown = picture(engine)
    assert f"5 units over {engine.time} steps" in shown.alt
    assert shown.caption == engine.describe()


def drawn(monkeypatch, engine):
    """The picture, and its axes by title."""
    kept = []
    real = drawing.render
    monkeypatch.setattr(drawing, "render", lambda fig, **said: kept.append(fig) or real(fig, **said))
    shown = picture(engine)
    return shown, {ax.get_title(): ax for ax in kept[0].axes if ax.get_title()}


@pytest.mark.parametrize(("kind", "names"), [("rnn", ""), ("lstm", "ifgo"), ("gru", "rzn")])
def test_the_picture_shows_the_gates_over_the_steps(monkeypatch, kind, names):
    engine = unroller(kind)
    shown, axes = drawn(monkeypatch, engine)
    said = [title for title in axes if title.startswith("gates and candidate")]
    if not names:
        assert not said
        assert "gates" not in shown.alt
        return
    (title,) = said
    assert title == f"gates and candidate: {', '.join(names)}, a row for each unit"
    assert f"the gates and the candidate ({', '.join(names[:-1])} and {names[-1]}) as rows of colours" in shown.alt
    rows = torch.tensor(axes[title].images[0].get_array())
    for band, name in enumerate(reversed(names)):  # the first on top
        assert torch.equal(rows[5 * band : 5 * band + 5], engine.all_parts[name].T)
        assert axes[title].get_yticklabels()[band].get_text() == f"${name}$"
        assert axes[title].get_yticks()[band] == 5 * band + 2


def test_the_picture_leaves_out_what_is_hidden(monkeypatch):
    whole = {
        "states_panel": {"hidden state h", "cell state c"},
        "step_panel": {"gates and candidate: i, f, g, o, a row for each unit"},
        "strip": {"gradient of $h_{10}$ that gets back to each step"},
        "map": {"gradient that gets back"},
    }
    words = {"states_panel": "states", "step_panel": "gates", "strip": "bars", "map": "a map of"}
    for hidden in [(), *((part,) for part in whole), ("strip", "map"), ("states_panel", "step_panel", "strip")]:
        engine = unroller("lstm")
        engine.unseen = frozenset(hidden)
        shown, axes = drawn(monkeypatch, engine)
        assert set(axes) == set().union(*(titles for part, titles in whole.items() if part not in hidden))
        for part, word in words.items():
            assert (word in shown.alt.lower()) == (part not in hidden)
        assert ("gradient" in shown.alt + shown.caption) == (hidden != ("strip", "map"))
        assert "5 units over 10 steps" in shown.alt or hidden == ("states_panel", "step_panel", "strip")
    engine = unroller("lstm")
    engine.unseen = frozenset(whole)
    assert set(drawn(monkeypatch, engine)[1]) == whole["states_panel"]  # a picture of nothing would say nothing


def test_no_map_is_computed_for_a_picture_without_it():
    engine = unroller()
    engine.unseen = frozenset({"map"})
    picture(engine)
    assert engine._chart is None


def test_the_picture_names_the_cells_own_place_and_the_cut(monkeypatch):
    def notes(ax):
        return [text.get_text() for text in ax.texts]

    shown, axes = drawn(monkeypatch, unroller(radius=1.3, cut=4))
    assert notes(axes["gradient that gets back"]) == ["this cell: 1.3"]
    assert notes(axes["gradient of $h_{10}$ that gets back to each step"]) == ["cut after step 4"]
    assert "a line marks this cell's own, 1.3" in shown.alt
    assert "a line at the cut after step 4; hatched" in shown.alt
    engine = unroller("lstm", start="chrono")
    shown, axes = drawn(monkeypatch, engine)
    low, high = engine.cell.keep_bias.min().item(), engine.cell.keep_bias.max().item()
    (note,) = notes(axes["gradient that gets back"])
    said = [float(number) for number in note.removeprefix("this cell: ").split(" to ")]
    assert said == pytest.approx([low, high], rel=0.05)
    assert "lines mark the ends of this cell's own" in shown.alt
    assert "cut" not in shown.alt
    assert notes(axes["gradient of $h_{10}$ that gets back to each step"]) == []


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"activation": "none", "radius": 1.5, "text": 'it\'s "so"\n\\'},
        {"cell": "lstm", "start": "chrono", "cut": 4},
        {"cell": "lstm", "start": "forget_bias", "bias": 2.0},
        {"cell": "gru", "start": "forget_bias", "seed": 7},
        {"cell": "gru"},
    ],
)
def test_the_program_prints_the_flow(settings):
    engine = unroller(**settings)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(engine.to_code(), "program", "exec"), {})
    printed = [float(line.rpartition(" ")[2]) for line in out.getvalue().splitlines()]
    assert printed == pytest.approx(engine.flow.tolist(), rel=0.01)


def test_the_program_of_ones_own_cell():
    module, x = layer("lstm"), sequence()
    engine = RNNUnrollerEngine(module, x=x)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(engine.to_code(), "program", "exec"), {"cell": module.cell(), "x": x[None]})
    printed = [float(line.rpartition(" ")[2]) for line in out.getvalue().splitlines()]
    assert printed == pytest.approx(engine.flow.tolist(), rel=0.01)


# ---- to share


def test_sharing():
    engine = unroller("lstm", start="chrono", cut=4, seed=3, text="grün\n日")
    engine.scrub(3)
    again = RNNUnrollerEngine.from_share(engine.share())
    assert (again.values, again.at) == (engine.values, 3)
    assert torch.equal(again.hidden, engine.hidden)
    for own in ({"cell": layer("rnn")}, {"x": sequence()}):
        with pytest.raises(ValueError, match="share the code"):
            RNNUnrollerEngine(**own).share()


@pytest.mark.parametrize(
    "change",
    [
        {"step": 99},
        {"params": {"model": 3}},
        {"params": {"text": ""}},
        {"params": {"x": [[1]] * 500}},
        {"params": 3},
        {"params": {"cell": 3}},
    ],
)
def test_a_damaged_string_is_refused(monkeypatch, change):
    engine = unroller()
    state = engine.state() | change
    monkeypatch.setattr(engine, "state", partial(dict, state))
    with pytest.raises(ValueError, match=r".+"):
        RNNUnrollerEngine.from_share(engine.share())
