"""The GAN lab in a notebook: what goes over the line, and what is shown without a kernel."""

import pytest
import torch

from dlcourse.widgets import GANLab2D
from dlcourse.widgets.runner import Manual

SMALL = {"width": 5, "batch_size": 8}


def test_the_first_frame_has_all_that_a_view_draws(recording_comm):
    line = recording_comm(GANLab2D(**SMALL))
    (frame,) = line.hello()
    header = frame["header"]
    assert header["run"] == {"step": 0, "first": 0, "last": 0, "running": True}
    assert (header["due"], header["placed"], header["counts"]) == ("D", 0, {"D": 0, "G": 0})
    assert [each["name"] for each in header["presets"]] == ["Healthy", "Collapse", "Oscillation", "D wins"]
    names = ["field", "real", "fake", "manifold", "arrows", "modes", "drawn", "curve"]
    assert [array["name"] for array in frame["arrays"]] == names
    assert sum(map(len, line.messages()[-1][1])) < 32_000


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("step", {"n": 3}, lambda run: run.counts == (2, 1)),
        ("step_d", {}, lambda run: run.counts == (1, 0)),
        ("step_g", {}, lambda run: run.counts == (0, 1)),
        ("round", {}, lambda run: run.counts == (1, 1)),
        ("add_points", {"points": [[0.5, 1]]}, lambda run: run.target.places.tolist() == [[0.5, 1]]),
        ("preset", {"game": "d_wins"}, lambda run: run.values["loss"] == "minimax"),
    ],
)
def test_what_a_view_may_ask_for(recording_comm, name, args, check):
    widget = GANLab2D(**SMALL)
    line = recording_comm(widget)
    line.act(name, **args)
    assert line.of("error") == []
    assert check(widget.engine.run)
    assert line.of("frame")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("add_points", {"points": [[9, 9]]}),
        ("add_points", {"points": None}),
        ("preset", {"game": "bliss"}),
        ("recover", {}),
        ("guess", {"option": 0}),
        ("scrub", {"step": 1}),
        ("restore", {}),
        ("changed", {}),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(recording_comm, name, args):
    widget = GANLab2D(**SMALL)
    line = recording_comm(widget)
    before = widget.share()
    (answer,) = [each for each in line.act(name, **args) if each["kind"] == "error"]
    assert answer["message"]
    assert not answer.get("detail") or name in ("restore", "changed")
    assert widget.share() == before


def test_sliders_act_on_the_game_as_it_goes(recording_comm):
    widget = GANLab2D(**SMALL, runner=Manual())
    widget.speed = 3
    line = recording_comm(widget)
    widget.playing = True
    line.tick()
    line.move(loss="hinge", d_steps=2)
    line.tick()
    run = widget.engine.run
    assert run.at == 6
    assert list(run.history.changes) == [3]
    line.act("scrub", step=1)
    assert line.state()["loss"] == "non_saturating"
    line.move(d_steps=99)
    assert "out of range" in line.of("error")[-1]["message"]
    assert (widget.d_steps, run.history.last) == (1, 6)


def test_drawing_changes_the_target_in_the_control_too(recording_comm):
    widget = GANLab2D(**SMALL)
    line = recording_comm(widget)
    line.act("add_points", points=[[1, 1], [1.5, 1]])
    assert line.state()["data"] == "drawn"
    line.act("clear_points")
    frame = line.of("frame")[-1]
    assert "no real point yet" in frame["header"]["notice"]
    assert frame["header"]["run"]["running"] is False
    assert frame["header"]["measured"]["d_loss"] is None


def test_a_preset_moves_the_controls_and_recover_some_of_them(recording_comm):
    widget = GANLab2D(**SMALL)
    line = recording_comm(widget)
    line.act("preset", game="d_wins")
    assert (line.state()["loss"], line.state()["width"]) == ("minimax", 64)
    line.act("recover")
    assert line.state()["loss"] == "non_saturating"
    assert line.of("frame")[-1]["header"]["preset"]["recovered"] is True


def test_a_question_over_the_line(recording_comm):
    widget = GANLab2D(**SMALL, runner=Manual())
    line = recording_comm(widget)
    line.act("step", n=4)
    line.act("ask", steps=30)
    assert line.of("frame")[-1]["header"]["run"]["running"] is False
    line.act("guess", option=0)
    widget.playing = True
    while widget.playing:
        line.tick()
    question = line.of("frame")[-1]["header"]["prediction"]
    assert (question["state"], question["answered_at"]) == ("revealed", 34)
    losses = [frame["header"]["measured"]["d_loss"] for frame in line.of("frame") if frame["tick"] is not None]
    assert len(set(losses[:-1])) == 1, "nothing is given away before"


@pytest.mark.parametrize("settings", [{}, {"data": "drawn"}, {"latent": 1, "loss": "wasserstein"}])
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    widget = GANLab2D(**SMALL, **settings)
    widget.step(5)
    still = GANLab2D.picture(widget.engine)
    assert still.png.startswith(b"\x89PNG")
    assert widget.describe() in widget._repr_mimebundle_()[0]["text/plain"]
    assert still.alt in widget._repr_mimebundle_()[0]["text/html"]


def test_from_a_cell():
    widget = GANLab2D(**SMALL, d_steps=2)
    widget.step(7)
    widget.step_d()
    widget.step_g()
    assert widget.engine.run.counts == (6, 3)
    widget.back(2)
    widget.scrub(9)
    widget.fork()
    widget.loss = "hinge"
    widget.step(3)
    widget.unfork()
    assert "gan_steps" in widget.to_code()
    assert repr(widget) == "GANLab2D(loss='hinge', d_steps=2, batch_size=8, width=5)"
    again = GANLab2D.from_share(widget.share())
    assert again.describe() == widget.describe()
    with pytest.raises(AttributeError, match="Did you mean 'd_steps'"):
        widget.d_step = 5
    widget.add_points(torch.tensor([[0.5, 0.25]]).tolist())
    widget.clear_points()
    widget.preset("collapse")
    widget.recover()
    assert widget.penalty == "R1"


def test_what_a_share_string_holds_takes_the_place_of_what_is_there_but_not_of_the_learners_own():
    other, widget = GANLab2D(**SMALL, data="spiral"), GANLab2D(**SMALL)
    other.step(5)
    widget.load(other.share())
    assert (widget.data, widget.describe()) == ("spiral", other.describe())
    own = GANLab2D(X=[[0, 0], [1, 1]], **SMALL)
    with pytest.raises(ValueError, match=r"of your own.*GANLab2D\.from_share"):
        own.load(other.share())
    assert len(own.engine.run.target.places) == 2


def test_a_teacher_may_hide_parts_and_what_means_nothing_is_hidden():
    parts = ("moves", "draw", "layers", "losses", "logits", "cover", "presets", "fork", "predict", "seed", "d_lr")
    assert GANLab2D(hide=parts, **SMALL).hide == list(parts)
    with pytest.raises(ValueError, match="no such control"):
        GANLab2D(hide="curves")
    assert GANLab2D(X=[[0, 0]], **SMALL).hide == ["data"]
