"""The attack explorer in a notebook: what goes over the line, and what is shown without a kernel."""

import logging

import numpy as np
import pytest
import torch

from dlcourse import attacks, generator
from dlcourse.widgets import AttackExplorer
from dlcourse.widgets.attack_explorer import own
from dlcourse.widgets.runner import Manual


@pytest.fixture
def explorer(recording_comm):
    widget = AttackExplorer(steps=4)
    vars(widget)["line"] = recording_comm(widget)
    return widget


def frame(answers):
    (found,) = [answer for answer in answers if answer["kind"] == "frame"]
    return found


def test_the_first_frame_has_all_that_a_view_draws(explorer):
    shown = frame(explorer.line.hello())
    header = shown["header"]
    assert header["run"] == {"step": 12, "first": 0, "last": 12, "running": False, "unit": "move"}
    assert [model["name"] for model in header["models"]] == ["clean", "robust"]
    assert [array["name"] for array in shown["arrays"]] == [
        *("strokes", "pictures", "deltas", "moved", "probabilities", "before", "loss", "margin"),
        *("told", "ball", "box", "paths"),
    ]
    assert sum(map(len, explorer.line.messages()[-1][1])) < 16_000


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("draw", {"stroke": [[0.1, 0.1], [0.2, 0.3]], "id": "a"}, lambda e: len(e.pad.drawing.strokes) == 1),
        ("toggle", {"row": 1, "column": 2}, lambda e: e.pad.drawing.cells == {(1, 2)}),
        ("example", {}, lambda e: e.index is None and e.label == 0),
        ("show", {"index": 5}, lambda e: e.index == 5),
        ("scrub", {"step": 2}, lambda e: e.move == ("step", 1)),
        ("back", {}, lambda e: e.move == ("step", 4)),
        ("reset", {}, lambda e: e.at == 0),
        ("ask", {"which": 1}, lambda e: e.question.name == "robust"),
        ("to_code", {}, lambda e: True),
    ],
)
def test_what_a_view_may_ask_for(explorer, name, args, check):
    answers = explorer.line.act(name, **args)
    assert [answer["kind"] for answer in answers] == ["frame", "answer"]
    assert check(explorer.engine)


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("show", {"index": 100}, "from 0 to 99"),
        ("show", {"index": "x"}, "from 0 to 99"),
        ("scrub", {"step": 13}, "from 0 to 12"),
        ("draw", {"stroke": [[2, 0]]}, "is not on the pad"),
        ("mean", {"label": "3"}, "only a drawing"),
        ("guess", {"option": 0}, "no open question"),
        ("ask", {"which": 2}, "from 0 to 1"),
        ("runs", {}, "no action 'runs'"),
        ("take", {"state": {}}, "no action 'take'"),
        ("load", {"text": "draw-pad.1.xx"}, "another widget"),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(explorer, name, args, says, caplog):
    before = explorer.share()
    with caplog.at_level(logging.ERROR):
        (error,) = [answer for answer in explorer.line.act(name, **args) if answer["kind"] == "error"]
    assert says in error["message"]
    assert not error.get("detail") or "no action" in says
    assert explorer.share() == before


def test_settings_are_traits_both_ways(explorer):
    explorer.line.move(threat="L2")
    assert explorer.eps == pytest.approx(0.8)
    assert [state["eps"] for state in explorer.line.updates() if "eps" in state] == [pytest.approx(0.8)]
    explorer.target = 3
    assert explorer.target == "3"
    assert explorer.line.of("frame")[-1]["header"]["target"] == 3
    explorer.line.move(target="nobody")
    assert "there is no such class" in explorer.line.of("error")[-1]["message"]
    assert explorer.target == "3"
    with pytest.raises(ValueError, match="there is no such class"):
        explorer.target = 10
    assert explorer.target == "3"
    explorer.line.move(attack="FGSM")
    assert explorer.line.of("frame")[-1]["header"]["run"]["last"] == 3


def test_play_takes_a_move_at_a_time(recording_comm):
    widget = AttackExplorer(steps=2, runner=Manual())
    widget.speed = 1
    line = recording_comm(widget)
    line.act("reset")
    line.move(playing=True)
    seen = []
    while widget.playing:
        header = frame(line.tick(f"tick-{len(seen)}"))["header"]
        seen.append((header["move"]["kind"], header["move"]["step"]))
        assert len(seen) < 10
    assert seen == [(what, step) for step in (1, 2) for what in ("gradient", "step", "projection")]


def test_a_question_over_the_line(explorer):
    header = frame(explorer.line.act("ask"))["header"]
    assert (header["question"]["state"], header["run"]["step"]) == ("asked", 0)
    header = frame(explorer.line.act("guess", option=0))["header"]
    assert (header["question"]["state"], header["run"]["step"]) == ("revealed", 12)
    assert frame(explorer.line.act("forget"))["header"]["question"] is None


def test_from_a_cell(explorer):
    x, labels = own.pictures()
    explorer.show(4)
    explorer.set(threat="L2", eps=0.5, attack="FGSM")
    assert torch.equal(explorer.example_seen, x[4])
    for name, model in own.networks().items():
        wanted = attacks.fgsm(model, x[4:5], labels[4:5], attacks.L2(0.5))
        assert torch.equal(explorer.x_adv[name], wanted[0])
        torch.testing.assert_close(explorer.probabilities[name], attacks.answers(model, wanted)[0].softmax(0).detach())
    explorer.scrub(0)
    explorer.step(2)
    assert explorer.move == ("step", 1)
    explorer.back()
    assert explorer.move == ("gradient", 1)
    explorer.draw([(0.1, 0.1), (0.2, 0.2)])
    explorer.mean(3)
    assert explorer.engine.label == 3
    explorer.ask("robust")
    explorer.guess(0)
    explorer.forget()
    assert "attacks.fgsm(" in explorer.to_code()
    assert repr(AttackExplorer(eps=0.2, random=True)) == "AttackExplorer(eps=0.2, random=True)"
    with pytest.raises(AttributeError, match="Did you mean 'eps'"):
        explorer.epss = 0.3


def small(**values):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 3, device="cpu"))
    x = torch.rand(4, 1, 5, 6, generator=generator(0))
    return net, x, torch.tensor([0, 1, 2, 0], device="cpu")


def test_a_network_of_ones_own(recording_comm):
    net, x, labels = small()
    widget = AttackExplorer(net, x, labels, classes=("cat", "dog", "house"), target="dog")
    line = recording_comm(widget)
    header = frame(line.hello())["header"]
    assert [model["name"] for model in header["models"]] == ["the network"]
    assert header["transfer"] == []
    assert {"draw", "pen"} <= set(widget.hide), "pictures of this size cannot be drawn"
    assert "cat" in widget.describe()


def test_handing_on(explorer, recording_comm):
    explorer.set(threat="L1", random=True)
    explorer.example(3)
    explorer.scrub(2)
    text = explorer.share()
    again = AttackExplorer.from_share(text, hide=("pen",))
    assert again.describe() == explorer.describe()
    other = AttackExplorer()
    line = recording_comm(other)
    line.act("load", text=text)
    assert line.of("error") == []
    assert (other.threat, other.random, other.move) == ("L1", True, ("gradient", 1))
    before = other.share()
    with pytest.raises(ValueError, match="damaged"):
        other.load(text[:40])
    stranger = AttackExplorer(*small())
    with pytest.raises(ValueError, match="can be drawn"):
        stranger.load(text)
    stranger.show(2)
    assert AttackExplorer.from_share(stranger.share(), *small()).engine.index == 2
    assert other.share() == before


def test_where_there_is_no_kernel_there_is_a_picture():
    for made in (AttackExplorer(), AttackExplorer(*small(), threat="L2")):
        data, _ = made._repr_mimebundle_()
        assert made.describe() in data["text/plain"]
        assert AttackExplorer.picture(made.engine).alt in data["text/html"]


def test_a_teacher_may_hide_parts():
    hidden = ("threat", "eps", "target", "speed", "code", *AttackExplorer.parts)
    assert set(AttackExplorer(hide=hidden).hide) == set(hidden)
    with pytest.raises(ValueError, match="no such control"):
        AttackExplorer(hide="kernel")


def test_bytes_of_the_perturbation_travel_as_they_are(explorer):
    explorer.line.clear()
    explorer.line.hello()
    content, buffers = explorer.line.messages()[-1]
    at = [array["name"] for array in content["arrays"]].index("deltas")
    sent = np.frombuffer(buffers[at], np.uint8).reshape(content["arrays"][at]["shape"]).astype(float)
    reach = content["header"]["reach"]["delta"]
    for index, found in enumerate(explorer.x_adv.values()):
        np.testing.assert_allclose(
            (sent[index] - 127) / 127 * reach, (found - explorer.example_seen)[0], atol=reach / 127
        )
