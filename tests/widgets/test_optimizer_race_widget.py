"""The race in a notebook: what goes over the line, and what is shown without a kernel."""

import numpy as np
import pytest

from dlcourse.widgets import OptimizerRace
from dlcourse.widgets.optimizer_race.race import STAY
from dlcourse.widgets.runner import Manual


def test_the_first_frame_has_all_that_a_view_draws(recording_comm):
    line = recording_comm(OptimizerRace(surface="saddle", racers=("sgd", "adamw")))
    (frame,) = line.hello()
    header = frame["header"]
    assert [row["name"] for row in header["rows"]] == ["gradient descent", "AdamW"]
    assert header["run"] == {"step": 0, "first": 0, "last": 0, "running": True}
    assert [array["name"] for array in frame["arrays"]] == ["field", "fine", "trail", "steps", "curves"]
    assert sum(map(len, line.messages()[-1][1])) < 16_000
    assert header["minima"] == [[0, -1], [0, 1]]


@pytest.mark.parametrize(
    ("name", "args", "check"),
    [
        ("drop", {"x": 2, "y": 1}, lambda race: race.starts == ((-4, 1.5), (2, 1))),
        ("move", {"index": 0, "x": -1, "y": -1}, lambda race: race.starts == ((-1, -1),)),
        ("step", {"n": 7}, lambda race: race.at == 7),
        ("step", {}, lambda race: race.at == 1),
    ],
)
def test_what_a_view_may_ask_for(recording_comm, name, args, check):
    widget = OptimizerRace()
    line = recording_comm(widget)
    line.act(name, **args)
    assert line.of("error") == []
    assert check(widget.engine.race)
    assert line.of("frame")


def test_starts_are_told_by_their_index(recording_comm):
    widget = OptimizerRace()
    line = recording_comm(widget)
    line.act("drop", x=1, y=1)
    line.act("remove", index=0)
    assert [answer["result"] for answer in line.of("answer")] == [1, None]
    assert widget.engine.race.starts == ((1, 1),)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("drop", {"x": 99, "y": 0}),
        ("drop", {"x": None, "y": 0}),
        ("move", {"index": 1, "x": 0, "y": 0}),
        ("remove", {"index": 0}),
        ("guess", {"option": 0}),
        ("scrub", {"step": 1}),
        ("restore", {}),
        ("rows", {}),
    ],
)
def test_what_a_view_may_not_ask_for_is_said_and_changes_nothing(recording_comm, name, args):
    widget = OptimizerRace()
    line = recording_comm(widget)
    before = widget.share()
    (answer,) = [each for each in line.act(name, **args) if each["kind"] == "error"]
    assert answer["message"]
    assert not answer.get("detail") or name in ("restore", "rows")
    assert widget.share() == before


def test_sliders_act_on_the_race_as_it_goes(recording_comm):
    widget = OptimizerRace(runner=Manual())
    line = recording_comm(widget)
    widget.playing = True
    line.tick()
    line.tick()
    line.move(lr=0.2, factor_adam=0.5)
    line.tick()
    race = widget.engine.race
    assert race.changes == {2: {"lr": 0.2, "factor_adam": 0.5}}
    assert race.at == 3
    assert widget.playing
    line.act("scrub", step=1)
    assert line.state()["lr"] == 0.05
    line.move(lr=99)
    assert "out of range" in line.of("error")[-1]["message"]
    assert (widget.lr, race.last) == (0.05, 3)


def test_play_goes_one_step_a_frame_and_stops_where_all_have_arrived(recording_comm):
    widget = OptimizerRace(racers=("sgd", "nesterov"), runner=Manual())
    line = recording_comm(widget)
    widget.playing = True
    ticks = 0
    while widget.playing:
        line.tick(ticks)
        ticks += 1
        assert ticks < 200
    last = max(int(row["words"].split()[-1]) for row in widget.rows())  # "arrived at step 59"
    assert ticks == widget.engine.race.at == last + STAY
    assert "2 arrived" in line.of("frame")[-1]["header"]["say"]


def test_a_question_over_the_line(recording_comm):
    widget = OptimizerRace(racers=("sgd", "nesterov"), runner=Manual())
    line = recording_comm(widget)
    line.act("step", n=20)
    line.act("ask")
    assert line.of("frame")[-1]["header"]["run"]["running"] is False
    line.act("guess", option=1)
    widget.playing = True
    while widget.playing:
        line.tick()
    question = line.of("frame")[-1]["header"]["question"]
    assert (question["right"], question["state"]) == (True, "revealed")
    losses = [frame["header"]["rows"][0]["loss"] for frame in line.of("frame") if frame["tick"] is not None]
    assert len(set(losses[:-1])) == 1, "nothing is given away before"


@pytest.mark.parametrize("settings", [{}, {"surface": "cliff", "lr": 0.3}, {"surface": lambda x, y: x**2 + y**4}])
def test_where_there_is_no_kernel_there_is_a_picture(settings):
    widget = OptimizerRace(**settings)
    widget.step(30)
    still = OptimizerRace.picture(widget.engine)
    assert still.png.startswith(b"\x89PNG")
    assert widget.describe() in widget._repr_mimebundle_()[0]["text/plain"]
    assert still.alt in widget._repr_mimebundle_()[0]["text/html"]


def test_from_a_cell_as_many_steps_as_asked_for():
    widget = OptimizerRace(racers=("nesterov",))
    widget.step(70)  # all have arrived at 53
    assert widget.engine.race.at == 70
    with pytest.raises(ValueError, match="whole number"):
        widget.step(-1)


def test_from_a_cell():
    widget = OptimizerRace(surface="valley", racers=("adam",), lr=0.1)
    widget.step(20)
    widget.drop(1, 0)
    widget.step(10)
    widget.back(4)
    assert widget.engine.race.at == 6
    widget.scrub(10)
    assert [row["start"] for row in widget.rows()] == [1, 2]
    assert "optim.adam(" in widget.to_code()
    assert repr(widget) == "OptimizerRace(surface='valley', racers=('adam',), lr=0.1)"
    again = OptimizerRace.from_share(widget.share())
    assert np.array_equal(again.engine.race.track[:11], widget.engine.race.track[:11])
    with pytest.raises(AttributeError, match="Did you mean 'momentum'"):
        widget.momentun = 0.5


def test_what_a_share_string_holds_takes_the_place_of_what_is_there_but_not_of_the_learners_own():
    other, widget = OptimizerRace(surface="hollows", noise=1.0), OptimizerRace()
    other.step(20)
    widget.load(other.share())
    assert (widget.surface, widget.noise, widget.describe()) == ("hollows", 1, other.describe())
    own = OptimizerRace(rule=lambda place, gradient, state, step, lr: (place - lr * gradient, None))
    with pytest.raises(ValueError, match=r"of your own.*OptimizerRace\.from_share"):
        own.load(other.share())
    assert own.surface == "bowl"


def test_a_teacher_may_hide_parts():
    parts = ("map", "starts", "losses", "table", "factors", "predict", "story", "racers", "factor_adam", "lr")
    assert OptimizerRace(hide=parts).hide == list(parts)
    with pytest.raises(ValueError, match="no such control"):
        OptimizerRace(hide="curves")
