"""RNNUnroller on the line: what a view gets, what it may set and ask for, the still picture."""

import numpy as np
import pytest
import torch
import traitlets

from dlcourse import data, generator, models, nn
from dlcourse.widgets import RNNUnroller
from dlcourse.widgets.rnn_unroller.numbers import figure


def arrays(line):
    """Of the last frame."""
    content, buffers = [message for message in line.messages() if message[0]["kind"] == "frame"][-1]
    return {
        item["name"]: np.frombuffer(buffer, item["dtype"]).reshape(item["shape"])
        for item, buffer in zip(content["arrays"], buffers, strict=True)
    }


def header(line):
    return line.of("frame")[-1]["header"]


def test_a_view_gets_everything_on_the_screen(recording_comm):
    w = RNNUnroller("lstm", text="abcabc", units=4, cut=2, unit=3)
    w.scrub(4)
    line = recording_comm(w)
    line.hello()
    seen, said = arrays(line), header(line)
    assert set(seen) == {"states", "memory", "flow", "uncut", "parts", "chart"}
    assert seen["states"].shape == seen["memory"].shape == (4, 6)
    assert np.allclose(10.0 ** seen["flow"], w.flow)
    names = [part["name"] for part in said["parts"]]
    for row, name in enumerate(names):
        assert np.array_equal(seen["parts"][row], w.step_parts[name])
    assert np.allclose(seen["parts"][names.index("h")], w.states[3])
    assert np.allclose(seen["parts"][names.index("c")], w.memory[3])
    assert (said["cut"], said["unit"], said["run"]["step"]) == (2, 3, 4)
    assert said["sums"][0].startswith("c = f·c + i·g = ")
    assert said["symbols"] == list("abcabc")
    assert said["chart"]["dial"] == "bias of the forget gate"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", "gru"),
        ("units", 7),
        ("radius", 1.5),
        ("activation", "none"),
        ("seed", 4),
        ("cut", 3),
        ("unit", 2),
    ],
)
def test_what_a_view_sets_is_shown(recording_comm, name, value):
    w = RNNUnroller()
    line = recording_comm(w)
    line.hello()
    before = header(line), {key: each.tobytes() for key, each in arrays(line).items()}
    line.move(**{name: value})
    assert getattr(w, name) == w.engine.values[name] == value
    assert line.of("error") == []
    assert (header(line), {key: each.tobytes() for key, each in arrays(line).items()}) != before


@pytest.mark.parametrize(("name", "value"), [("start", "chrono"), ("bias", 3.0), ("longest", 20), ("pace", "fast")])
def test_the_settings_of_gates_are_kept_too(recording_comm, name, value):
    w = RNNUnroller("lstm", start="forget_bias")
    line = recording_comm(w)
    line.move(**{name: value})
    assert getattr(w, name) == w.engine.values[name] == value
    assert line.of("error") == []


def test_what_a_cell_sets_reaches_the_view(recording_comm):
    w = RNNUnroller()
    line = recording_comm(w)
    w.text = "abba"
    assert (line.state()["text"], header(line)["text"], header(line)["run"]["last"]) == ("abba", "abba", 4)
    w.set(cell="lstm", start="chrono", cut=2)
    assert (line.state()["cell"], line.state()["start"], line.state()["cut"]) == ("lstm", "chrono", 2)
    w.text = "ab"
    assert line.state()["cut"] == 0  # the text is shorter than that
    with pytest.raises(traitlets.TraitError, match=r"radius=3 is out of range: wanted a number from 0\.1 to 2"):
        w.radius = 3
    with pytest.raises(traitlets.TraitError, match="wanted a text of 1 to 120 characters"):
        w.text = ""
    with pytest.raises(AttributeError, match="Did you mean 'radius'"):
        w.radiuss = 1.0
    assert w.text == "ab"


def test_typing(recording_comm):
    w = RNNUnroller(text="abc")
    line = recording_comm(w)
    assert line.act("read", text="abcd\nü")[-1]["kind"] == "answer"
    assert w.text == line.state()["text"] == "abcd\nü"
    assert line.act("read", text="a" * 121)[-1]["message"].startswith("text has 121 characters: wanted")
    assert line.act("read", text=None)[-1]["message"].startswith("text=None: wanted a text")
    assert w.text == "abcd\nü"


def test_steps_back_and_scrub(recording_comm):
    w = RNNUnroller(text="abcdef")
    line = recording_comm(w)
    line.act("step")
    assert header(line)["run"] == {"step": 2, "first": 1, "last": 6, "running": True}
    line.act("scrub", step=6)
    assert not header(line)["run"]["running"]
    line.act("back")
    assert header(line)["run"]["step"] == 5
    w.back(3)
    assert header(line)["run"]["step"] == 2
    w.scrub(4)
    line.act("reset")
    assert header(line)["run"]["step"] == 1
    assert "wanted a whole number from 1 to 6" in line.act("scrub", step=7)[-1]["message"]
    line.move(playing=True)
    line.tick()
    assert (header(line)["run"]["step"], w.playing) == (2, True)
    w.scrub(6)
    line.tick()
    assert not w.playing


def test_what_is_read_is_a_copy():
    w = RNNUnroller("lstm")
    before = w.states, w.memory, w.flow, w.step_parts["i"]
    for each in (w.states, w.memory, w.flow):
        each.fill_(9)
    assert all(map(torch.equal, before, (w.states, w.memory, w.flow, w.step_parts["i"])))
    assert RNNUnroller().memory is None


def test_a_layer_of_ones_own_hides_what_has_no_meaning(recording_comm):
    layer = nn.GRU(8, 5, generator=generator(0))
    w = RNNUnroller(layer, hide="strip")
    assert {"speed", "strip", "cell", "units", "radius", "activation", "start", "bias", "longest"} == set(w.hide)
    line = recording_comm(w)
    line.hello()
    assert (header(line)["own"], header(line)["chart"]["sets"], header(line)["kind"]) == (True, False, "gru")
    line.move(units=9)
    assert "units cannot be set here: the cell is your own" in line.of("error")[0]["message"]
    assert (w.units, line.state()["units"]) == (12, 12)
    with pytest.raises(ValueError, match="a cell or inputs of your own, which would be lost"):
        w.load(RNNUnroller().share())
    assert "text" in RNNUnroller(layer, x=torch.zeros(3, 8)).hide


def test_a_trained_model(recording_comm):
    vocabulary = data.Vocabulary.of("abc ")
    model = models.CharRNN(4, hidden=6, embedding=3, generator=generator(0))
    w = RNNUnroller(model=model, vocabulary=vocabulary, text="abc a")
    line = recording_comm(w)
    line.hello()
    assert {"seed", "cell", "units"} < set(w.hide)
    assert len(header(line)["next"]["likeliest"]) == 4
    assert header(line)["next"]["truth"][0] == "b"
    answer = line.act("read", text="abX")[-1]
    assert answer["message"].startswith("Not among the 4 characters of this vocabulary: 'X'")
    assert (w.text, header(line)["text"]) == ("abc a", "abc a")
    model.embedding = None
    with pytest.raises(ValueError, match="without 'embedding'"):
        RNNUnroller(model=model, vocabulary=vocabulary)


def test_the_program_and_the_string(recording_comm):
    w = RNNUnroller("lstm", text="ab", seed=5)
    line = recording_comm(w)
    assert line.act("to_code")[-1]["result"] == w.to_code()
    text = line.act("share")[-1]["result"]
    again = RNNUnroller.from_share(text)
    assert (again.cell, again.text, again.seed) == ("lstm", "ab", 5)
    other = RNNUnroller()
    other.load(text)
    assert torch.equal(other.states, w.states)
    with pytest.raises(ValueError, match="damaged"):
        other.load(text[:-9])
    assert other.seed == 5


def test_a_view_may_call_nothing_else(recording_comm):
    line = recording_comm(RNNUnroller())
    for name in ("set", "changed", "restore", "_compute", "state"):
        assert "has no action" in line.act(name)[-1]["message"]


def test_what_can_be_hidden():
    w = RNNUnroller(hide=("map", "strip", "cut", "seed", "code"))
    assert set(w.hide) == {"speed", "map", "strip", "cut", "seed", "code"}
    with pytest.raises(ValueError, match="no such control"):
        RNNUnroller(hide="gates")


def test_the_still_picture_and_the_text():
    w = RNNUnroller("lstm", text="abc", cut=1)
    shown, _ = w._repr_mimebundle_()
    assert shown["text/plain"].startswith(
        "RNNUnroller(text='abc', cell='lstm', cut=1)\nAn LSTM of 12 units reads 'abc'."
    )
    assert 'alt="The hidden states and the cell states of 12 units over 3 steps' in shown["text/html"]


def test_the_still_picture_leaves_out_what_is_hidden():
    w = RNNUnroller("lstm", text="abc", hide=("strip", "map", "step_panel"))
    shown, _ = w._repr_mimebundle_()
    assert shown["text/plain"].endswith("An LSTM of 12 units reads 'abc'. Step 1 of 3 reads a.")
    assert not any(word in shown["text/html"] for word in ("gates", "bars", "map", "gradient"))
    w.hide = ["map"]
    shown, _ = w._repr_mimebundle_()
    assert all(word in shown["text/html"] for word in ("gates", "bars", "gradient"))
    w.load(RNNUnroller("gru", text="ab").share())  # another engine inside; what is hidden stays hidden
    shown, _ = w._repr_mimebundle_()
    assert "(r, z and n)" in shown["text/html"]
    assert "a map" not in shown["text/html"]


def test_numbers_are_written_in_one_way():
    """The same cases as in rnn_unroller.test.mjs."""
    cases = [
        *[(0.0, "0"), (1.0, "1"), (0.5, "0.5"), (0.012345, "0.0123"), (0.001, "0.001"), (0.00099951, "0.001")],
        *[(0.00012, "1.2·10⁻⁴"), (3.2e-9, "3.2·10⁻⁹"), (99.96, "100"), (12345.6, "12346"), (123456.0, "1.23·10⁵")],
        *[(-0.25, "-0.25"), (float("inf"), "more than float32 holds")],
    ]
    for value, text in cases:
        assert figure(value) == text
