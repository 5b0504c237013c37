"""The stepper in the notebook: messages of its view, traits, play and its pause at a question, what can be hidden."""

import logging

import pytest
import traitlets

from dlcourse.widgets import BackpropStepper
from dlcourse.widgets.backprop_stepper.widget import Paced
from dlcourse.widgets.runner import Manual


@pytest.fixture
def line(recording_comm):
    """`line("a * b", a=2)` is the line to a stepper made of that."""
    return lambda *given, **values: recording_comm(BackpropStepper(*given, **values))


def header(messages: list[dict]) -> dict:
    (frame,) = [message for message in messages if message["kind"] == "frame"]
    return frame["header"]


def test_hello_is_answered_with_the_graph(line):
    seen = header(line("a * b + a", a=2, b=-3).hello())
    assert [node["name"] for node in seen["nodes"]] == ["a", "b", "mul1", "result"]
    assert seen["run"] == {"step": 0, "first": 0, "last": 5, "running": True}
    assert seen["variables"] == [{"name": "a", "value": 2.0}, {"name": "b", "value": -3.0}]


def test_step_back_scrub_and_reset(line):
    stepper = line("a * b + a", a=2, b=-3)
    assert header(stepper.act("step"))["phase"] == "forward"
    assert header(stepper.act("scrub", step=4))["phase"] == "backward"
    assert header(stepper.act("back"))["phase"] == "turn"
    assert header(stepper.act("back", n=9))["phase"] == "start"
    assert header(stepper.act("scrub", step=5))["run"]["running"] is False
    assert header(stepper.act("reset"))["run"]["step"] == 0


def test_writing_an_expression_moves_all_traits(line):
    stepper = line()
    seen = header(stepper.act("write", expression="p * q"))
    assert [node["name"] for node in seen["nodes"]] == ["p", "q", "result"]
    state = stepper.state()
    assert (state["expression"], state["example"]) == ("p * q", "own")
    assert state["numbers"] == {"p": 2.0, "q": -3.0}
    header(stepper.act("assign", variable="q", value=4))
    assert stepper.widget.numbers == stepper.state()["numbers"] == {"p": 2.0, "q": 4.0}


def test_a_view_chooses_an_example(line):
    stepper = line()
    stepper.move(example="diamond")
    assert stepper.widget.numbers == {"a": 2.0, "b": -3.0, "c": 5.0}
    assert stepper.state()["expression"] == "a * b + a * c"
    assert stepper.of("frame")[-1]["header"]["result"] == "result"


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("write", {"expression": "a * (b"}, "never closed. At character 5"),
        ("write", {"expression": "open('x')"}, "no meaning here"),
        ("write", {"expression": None}, "wanted an expression"),
        ("assign", {"variable": "a", "value": "x"}, "a='x'"),
        ("assign", {"variable": "zz", "value": 1}, "no variable 'zz'"),
        ("write", {"expression": "a = 2; a*b"}, "numbers are not set in the text but in their own fields"),
        ("guess", {"number": 1}, "nothing is asked"),
        ("scrub", {"step": 99}, "whole number"),
        ("back", {"n": 0}, "whole number"),
        ("step", {"n": "all"}, "whole number"),
        ("changed", {"names": []}, "no action 'changed'"),
        ("restore", {"state": {}}, "no action 'restore'"),
    ],
)
def test_a_bad_message_is_shown_and_changes_nothing(line, name, args, said, caplog):
    stepper = line("a * b", a=2, b=3)
    before = stepper.widget.share()
    (error,) = stepper.act(name, **args)
    assert error["kind"] == "error"
    assert said in error["message"]
    assert error["detail"] == "", "a sentence, no traceback"
    assert said in caplog.text
    assert stepper.widget.share() == before


def test_from_a_cell():
    w = BackpropStepper("a * b + a", a=2, b=-3)
    w.step(5)
    assert w.engine.gradients == {"a": -2.0, "b": 2.0}
    w.back(2)
    assert w.engine.phase == "turn"
    w.expression = "x ** 2"
    assert (w.example, w.numbers, w.engine.at) == ("own", {"x": 2.0}, 0)
    w.set(x=3)
    w.numbers = {"x": 4}
    w.scrub(w.engine.last)
    assert w.engine.gradients == {"x": 8.0}
    with pytest.raises(traitlets.TraitError, match="«here»"):
        w.expression = "x **"
    with pytest.raises(ValueError, match="no variable 'y'"):
        w.numbers = {"y": 1}
    assert (w.expression, w.numbers) == ("x ** 2", {"x": 4.0})
    with pytest.raises(AttributeError, match="Did you mean 'expression'"):
        w.expresion = "x"
    w.reset()
    assert w.engine.at == 0


def test_names_that_the_stepper_has_taken():
    w = BackpropStepper()
    w.expression = "result*outcome*answer*found"
    assert w.describe().startswith("Backpropagation through result*outcome*answer*found. ")
    with pytest.raises(ValueError, match=r"its number is set with numbers=\{'pace': 3\}"):
        BackpropStepper("pace * time", pace=3)
    assert BackpropStepper("pace * time", numbers={"pace": 3}).numbers == {"pace": 3.0, "time": -3.0}


def test_the_code_of_a_run_that_ends_early():
    assert "# With these numbers the run ends at result: sqrt of 0 has no" in BackpropStepper("sqrt(a)", a=0).to_code()


def test_the_cell_of_chapter_02():
    hide = ("example", "expression", "numbers", "guessing", "share")
    w = BackpropStepper(example="tensors", hide=hide)
    w.scrub(w.engine.last - 1)
    assert "(2,) to b, summed over 4 rows" in w.describe()
    assert w.hide == ["speed", *hide]


def test_guessing_from_a_cell():
    w = BackpropStepper("a * b", a=2, b=5, guessing=True)
    w.step(100)
    assert w.engine.at == w.engine.turn, "it stops at the question"
    assert w.guess(10).startswith("That is the value of result")
    assert w.guess(1) == "Right: 1."
    assert w.guess(5) == "Right: 5."
    assert w.engine.score == (1, 2)
    with pytest.raises(ValueError, match="nothing is asked"):
        w.guess(1)


def test_share_load_code_and_repr():
    w = BackpropStepper("a * b", a=2, b=5, guessing=True)
    w.step()
    w.guess(1)
    again = BackpropStepper.from_share(w.share(), hide="table")
    assert (repr(again), again.describe()) == (repr(w), w.describe())
    assert again.hide == ["speed", "table"]
    assert eval(repr(w)).expression == "a * b"
    w.expression = "c / d"
    w.load(again.share())
    assert (w.expression, w.numbers, w.engine.at) == ("a * b", {"a": 2.0, "b": 5.0}, 2)
    assert 'a = Value(2.0, "a")' in w.to_code()
    with pytest.raises(ValueError, match="damaged"):
        w.load("backprop-stepper.1.zzz")


def test_play_pauses_at_each_question_and_ends(line):
    stepper = line("a * b", a=2, b=5, guessing=True, runner=Manual())
    w = stepper.widget
    w.speed = 1
    pauses = []
    for _ in range(20):
        if not w.engine.running:
            break
        if not w.playing:
            pauses.append(w.engine.at)
            w.playing = True
        stepper.tick()
    assert pauses == [0, 1, 2]
    assert w.playing is False
    assert w.engine.score == (0, 0), "going on is skipping"


def test_a_pace_to_read_along():
    now = [0.0]
    paced = Paced(slow=2.0, fast=0.5, clock=lambda: now[0])
    w = BackpropStepper("a * b + a")
    assert [paced.advance(w.engine, 5) for _ in range(3)] == [1, 0, 0], "never two at once"
    now[0] = 1.9
    assert paced.advance(w.engine, 5) == 0
    now[0] = 2.0
    w.pace = "fast"
    assert paced.advance(w.engine, 5) == 1
    now[0] = 2.6
    assert [paced.advance(w.engine, 5) for _ in range(2)] == [1, 0]
    w.scrub(w.engine.last)
    now[0] = 9.0
    assert paced.advance(w.engine, 5) == 0


def test_play_ends_by_itself(line):
    stepper = line("a * b", runner=Manual())
    stepper.widget.playing = True
    seen = header(stepper.tick())
    assert seen["run"]["running"] is False
    assert stepper.widget.playing is False


def test_what_can_be_hidden():
    w = BackpropStepper(hide=("example", "guessing", "numbers", "table"))
    assert w.hide == ["speed", "example", "guessing", "numbers", "table"]
    assert BackpropStepper(hide="pace").hide == ["speed", "pace"]
    with pytest.raises(ValueError, match=r"no such control; it has .*expression.*explanation"):
        BackpropStepper(hide=("nothing",))


def test_where_there_is_no_kernel(caplog):
    caplog.set_level(logging.ERROR)
    w = BackpropStepper("log(a)", a=-1)
    data, _ = w._repr_mimebundle_()
    assert "data:image/png" in data["text/html"]
    assert "no finite number" in data["text/html"]
    assert "BackpropStepper(example='own'" in data["text/plain"]
    assert caplog.text == ""
