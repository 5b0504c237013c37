"""The char sampler in a notebook: what goes over the line, and what is shown without a kernel."""

import logging
import re

import numpy as np
import pytest
import torch

from dlcourse import data, generator, models
from dlcourse.widgets import CharSampler
from dlcourse.widgets.runner import Manual

ABC = data.Vocabulary("abc")


def network():
    return models.CharRNN(3, hidden=7, embedding=5, generator=generator(0))


@pytest.fixture
def sampler(recording_comm):
    widget = CharSampler(network(), ABC, prefix="ab", beside=models.NGram.fit(ABC.encode("abcab"), order=2, classes=3))
    vars(widget)["line"] = recording_comm(widget)
    widget.step(5)
    return widget


def frame(answers):
    (found,) = [answer for answer in answers if answer["kind"] == "frame"]
    return found


def test_the_first_frame_has_all_that_a_view_draws(sampler):
    shown = frame(sampler.line.hello())
    header = shown["header"]
    assert header["run"] == {"step": 5, "first": 0, "last": 5, "running": True}
    assert (header["model"], header["beside"], header["classes"], header["prefix"]) == ("CharRNN", "2-gram", 3, "ab")
    assert [array["name"] for array in shown["arrays"]] == ["ids", "bits", "beside", "bars"]
    buffers = sampler.line.messages()[-1][1]
    ids, bits = np.frombuffer(buffers[0], np.float32), np.frombuffer(buffers[1], np.float32)
    assert sampler.text == "".join(header["names"][str(int(token))][0] for token in ids)
    assert bits.mean() == pytest.approx(header["lines"][0]["bits"], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("back", {}, lambda e: e.at == 4),
        ("back", {"n": 3}, lambda e: e.at == 2),
        ("scrub", {"step": 0}, lambda e: e.here is None),
        ("write", {"prefix": "cc"}, lambda e: (len(e.lines), e.text) == (2, "cc")),
        ("look", {"line": 1, "step": 2}, lambda e: e.at == 2),
        ("again", {}, lambda e: (len(e.lines), e.values["seed"]) == (2, 1)),
        ("drop", {"line": 1}, lambda e: e.text == "ab"),
        ("to_code", {}, lambda e: True),
        ("reset", {}, lambda e: e.text == "ab"),
        ("step", {}, lambda e: e.at == 6),
    ],
)
def test_what_a_view_may_ask_for(sampler, name, args, check):
    answers = sampler.line.act(name, **args)
    assert [answer["kind"] for answer in answers] == ["frame", "answer"]
    assert check(sampler.engine)


def test_a_view_branches_at_the_place_that_it_shows(sampler):
    token = sampler.engine.line.tokens[1]
    shown = frame(sampler.line.act("branch", token=(token + 1) % 3, line=1, step=2))["header"]
    assert (shown["line"], shown["at"], shown["here"]["chosen"]) == (2, 2, True)
    assert shown["lines"][1] | {"bits": 0, "beside": 0} == {
        **{"line": 2, "prefix": 2, "length": 2, "origin": 1, "parent": 1},
        **{"bits": 0, "beside": 0},
    }


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("write", {"prefix": "xyz"}, "does not know “x”"),
        ("write", {"prefix": ""}, "type at least one character"),
        ("write", {"prefix": 3}, "wanted a text"),
        ("look", {"line": 9}, "no such line"),
        ("look", {"line": 1, "step": 6}, "from 0 to 5"),
        ("branch", {"token": 3}, "from 0 to 2"),
        ("branch", {"token": None}, "from 0 to 2"),
        ("drop", {"line": "1"}, "no such line"),
        ("take", {"state": {}}, "no action 'take'"),
        ("begin", {}, "no action 'begin'"),
        ("load", {"text": "draw-pad.1.xx"}, "another widget"),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(sampler, name, args, says, caplog):
    before = sampler.share()
    with caplog.at_level(logging.ERROR):
        (error,) = [answer for answer in sampler.line.act(name, **args) if answer["kind"] == "error"]
    assert says in error["message"]
    assert sampler.share() == before


def test_settings_are_traits_both_ways(sampler):
    sampler.line.move(temperature=0.5, top_k=2)
    assert (sampler.engine.values["temperature"], sampler.engine.values["top_k"]) == (0.5, 2)
    assert sampler.line.of("frame")[-1]["header"]["kept"] == 2
    sampler.line.move(temperature=5)
    assert "from 0 to 2" in sampler.line.of("error")[-1]["message"]
    assert sampler.temperature == 0.5
    sampler.top_p = 0.5
    sampler.top_k = None
    assert (sampler.engine.values["top_p"], sampler.top_k) == (0.5, 0)
    with pytest.raises(ValueError, match="does not know"):
        sampler.prefix = "x"
    assert (sampler.prefix, sampler.text[:2]) == ("ab", "ab")
    sampler.line.clear()
    sampler.line.act("write", prefix="c")
    sampler.line.act("look", line=1)
    assert [state["prefix"] for state in sampler.line.updates() if "prefix" in state] == ["c", "ab"]


def test_play_writes_at_its_pace_until_the_line_is_full(recording_comm):
    widget = CharSampler(network(), ABC, prefix="ab")
    line = recording_comm(widget)
    assert widget.runner.every == {"slow": 0.8, "fast": 0.05}
    line.move(playing=True)
    line.tick("tick-0")
    line.tick("tick-1")  # at once, so too early
    assert widget.engine.at == 1
    widget.runner = Manual()
    for tick in range(100):
        line.tick(f"next-{tick}")
    assert (widget.engine.at, widget.playing) == (300, False)


def test_from_a_cell(sampler):
    first = sampler.text
    sampler.back(2)
    assert sampler.text == first[:-2]
    sampler.scrub(1)
    sampler.branch("abc"[(sampler.engine.here.token + 1) % 3])
    sampler.again()
    sampler.look(1)
    assert sampler.lines[1] == sampler.text == first
    assert list(sampler.lines) == [1, 2, 3]
    sampler.drop(2)
    assert list(sampler.lines) == [1, 3]
    assert torch.equal(sampler.logits, sampler.engine.line.written[-1].step.logits)
    assert "sample_steps" in sampler.to_code()


def test_shared_and_loaded_with_the_model_kept(sampler):
    text, described = sampler.share(), sampler.describe()
    sampler.reset()
    sampler.line.act("load", text=text)
    assert sampler.describe() == described
    again = CharSampler.from_share(text, network(), ABC, beside=sampler.engine.beside, hide="seed")
    assert (again.share(), again.hide) == (text, ["speed", "seed"])
    before = sampler.share()
    with pytest.raises(ValueError, match="another vocabulary"):
        sampler.load(CharSampler().share())
    assert sampler.share() == before


def test_without_a_kernel_there_is_a_picture_and_a_text(sampler):
    assert repr(sampler) == "CharSampler(prefix='ab')"
    shown, _ = sampler._repr_mimebundle_()
    assert shown["text/plain"] == f"{sampler!r}\n{sampler.describe()}"
    (alt,) = re.findall(r'<img alt="([^"]*)"', shown["text/html"])
    assert alt.startswith("Bars of the likeliest next symbols")


def test_what_may_be_hidden():
    assert CharSampler(hide=("bars", "again", "top_k")).hide == ["speed", "bars", "again", "top_k"]
    with pytest.raises(ValueError, match="no such control"):
        CharSampler(hide="nothing")


def test_it_refuses_what_is_no_model():
    with pytest.raises(ValueError, match="both or neither"):
        CharSampler(network())
    with pytest.raises(ValueError, match="no parameter 'temperatur'"):
        CharSampler(temperatur=1)
