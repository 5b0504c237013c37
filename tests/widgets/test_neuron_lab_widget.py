"""The neuron lab in the notebook: messages of its view, its pace, its points, what can be hidden."""

import pytest
import torch
import traitlets

from dlcourse.widgets.neuron_lab.engine import NEURON
from dlcourse.widgets.neuron_lab.widget import NeuronLab, Paced
from dlcourse.widgets.runner import Manual


class Sent:
    """A lab whose messages to the view are kept."""

    def __init__(self, **given):
        self.lab = NeuronLab(**given)
        self.messages = []
        self.lab.send = lambda content, buffers=None: self.messages.append((content, buffers))

    def hear(self, **content) -> list[dict]:
        """What the lab answers to a message of the view."""
        self.messages.clear()
        self.lab._received(self.lab, content, [])
        return [content for content, _ in self.messages]

    def act(self, name: str, **args) -> list[dict]:
        return self.hear(kind="act", id="1", name=name, args=args)


def test_hello_is_answered_with_the_map_and_the_points():
    sent = Sent(data="xor")
    (frame,) = sent.hear(kind="hello")
    assert frame["header"]["total"] == 4
    buffers = sent.messages[0][1]
    assert [len(part) for part in buffers] == [60 * 60, 4 * 4 * 4]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("perceptron", {}),
        ("descend", {}),
        ("louder", {}),
        ("zeros", {}),
        ("aim", {"weight1": 2, "weight2": -1.5, "bias": 0.25}),
        ("select", {"index": 2}),
        ("select", {}),
        ("step", {}),
    ],
)
def test_every_button_gives_a_frame_and_an_answer(name, args):
    sent = Sent(data="xor", weight1=0.5)
    (first,) = sent.hear(kind="hello")
    before = first["header"]
    frame, answer = sent.act(name, **args)
    assert (frame["kind"], answer["kind"]) == ("frame", "answer")
    assert frame["header"] != before
    traits = [getattr(sent.lab, name) for name in NEURON]
    assert torch.tensor(traits).tolist() == [*sent.lab.engine.weight.tolist(), sent.lab.engine.bias.item()]
    assert traits == [*frame["header"]["weight"], frame["header"]["bias"]]


def test_back_scrub_code_and_share():
    sent = Sent(data="xor")
    sent.lab.step(6)
    assert sent.act("back")[0]["header"]["run"]["step"] == 5
    assert sent.act("scrub", step=2)[0]["header"]["run"]["step"] == 2
    assert sent.act("to_code")[-1]["result"].startswith("import torch")
    text = sent.act("share")[-1]["result"]
    again = NeuronLab.from_share(text)
    assert again.describe() == sent.lab.describe()
    assert repr(again) == repr(sent.lab)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("aim", {"weight1": 1, "weight2": 1, "bias": None}),
        ("aim", {"weight1": 1, "weight2": 1, "bias": 1e9}),
        ("select", {"index": 4}),
        ("scrub", {"step": 1}),
        ("back", {"n": -3}),
        ("restore", {"state": {}}),
        ("_go", {"rule": "perceptron"}),
    ],
)
def test_a_bad_message_is_shown_and_changes_nothing(name, args, caplog):
    sent = Sent(data="xor")
    before = sent.lab.describe()
    (error,) = sent.act(name, **args)
    assert error["kind"] == "error"
    assert error["detail"] == ""  # a sentence, no traceback
    assert error["message"] in caplog.text
    assert sent.lab.describe() == before


def test_a_weight_beyond_the_slider_is_a_weight():
    sent = Sent()
    sent.lab.weight1 = 12.5
    assert sent.lab.engine.weight[0] == 12.5
    assert sent.lab._spec["params"]["weight1"]["high"] == 5
    with pytest.raises(traitlets.TraitError, match="out of range"):
        sent.lab.weight1 = 1e7
    assert sent.lab.weight1 == 12.5


def test_own_points_and_a_choice_without_them():
    lab = NeuronLab(X=torch.tensor([[0.0, 1.0], [2.0, 3.0]]), y=[-1, 1])
    assert lab.data == "own"
    lab.data = "xor"
    lab.data = "own"
    assert len(lab.engine.x) == 2
    with pytest.raises(ValueError, match="share string"):
        lab.share()
    without = NeuronLab()
    with pytest.raises(ValueError, match="needs points"):
        without.data = "own"
    assert without.data == "clouds"


def test_play_goes_to_the_last_mistake_and_pauses():
    sent = Sent(data="and", runner=Manual())
    sent.lab.playing = True
    for _ in range(20):
        (frame,) = sent.hear(kind="tick")
        if not sent.lab.playing:
            break
    assert frame["header"]["errors"] == 0
    assert frame["header"]["run"]["running"] is False
    assert sent.lab.playing is False


def test_slow_is_three_steps_a_second_and_fast_is_not():
    now = 0.0
    sent = Sent(data="xor", runner=Paced(clock=lambda: now))
    sent.lab.playing = True
    for frame in range(120):  # two seconds
        now = frame / 60
        sent.hear(kind="tick")
    assert 5 <= sent.lab.engine.at <= 7
    slow = sent.lab.engine.at
    sent.lab.pace = "fast"
    sent.hear(kind="tick")
    assert sent.lab.engine.at - slow == sent.lab.speed > 1


def test_hiding():
    lab = NeuronLab(hide=("rules", "lr"))
    assert {"rules", "lr", "speed"} <= set(lab.hide)
    assert NeuronLab(hide="score").hide == ["speed", "score"]
    with pytest.raises(ValueError, match="equation"):
        NeuronLab(hide=("sum",))


def test_every_part_and_button_is_in_the_script():
    """A name that a teacher may hide is one that the view knows."""
    script = NeuronLab._esm
    text = script if isinstance(script, str) else str(script)
    for name in NeuronLab.parts:
        assert f'name: "{name}"' in text or f'hideable("{name}"' in text, name
    for name in NeuronLab.engine_class.params:
        assert f'control("{name}")' in text, name


def test_without_a_view_there_is_a_picture_and_a_text():
    lab = NeuronLab(data="xor")
    data, _ = lab._repr_mimebundle_()
    assert "of the points are wrong" in data["text/html"]
    assert lab.describe() in data["text/plain"]
    assert data["text/plain"].startswith("NeuronLab(data='xor')")


def test_a_lab_with_points_of_its_own_does_not_give_them_away():
    x, y = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)), [0, 1] * 4
    lab = NeuronLab(X=x, y=y)
    with pytest.raises(ValueError, match=r"points of your own.*NeuronLab\.from_share"):
        lab.load(NeuronLab(data="xor").share())
    assert len(lab.engine.x) == 8
