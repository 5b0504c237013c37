"""Stand-ins: tests written as plain Python use a student's names as if they were here. The desk is in this process."""

import builtins
import json
import sys

import pytest
import torch
from torch import nn

from dlcourse import checks
from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.frames import MAX_BYTES
from dlcourse.checks.values import decode, encode
from dlcourse.course.grading.judge.jailed import Lost
from dlcourse.course.grading.judge.proxies import ModuleStandIn, StandIn, Unanswered, look
from dlcourse.course.grading.judge.student import Desk, Notebook, _described


@pytest.fixture
def notebook(monkeypatch):
    """A student's notebook in this process; what it puts into the interpreter is taken away again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("get_ipython", "display"):
        monkeypatch.setattr(builtins, name, None, raising=False)
    return Notebook()


@pytest.fixture
def ask(notebook):
    """exchange(frame) as STUDENT answers it, after `ask.cell(source)`."""
    desk = Desk(notebook)

    def exchange(frame):
        try:
            return {b"A": desk.ask, b"D": desk.use}[frame[:1]](bytearray(frame[1:]))
        except BaseException as error:  # as `serve` does
            return encode({"error": _described(error)})

    def cell(source):
        cell = {"label": "cell 1", "source": source, "first_definitions": False}
        reply = decode(notebook.run(bytearray(json.dumps(cell).encode())))
        assert "error" not in reply, reply

    exchange.cell = cell
    return exchange


def test_a_plain_value_is_the_value(ask):
    ask.cell("answer = {'loss': 0.5, 'shape': (2, 3)}")
    assert look(ask, "answer") == {"loss": 0.5, "shape": (2, 3)}


def test_a_missing_name(ask):
    with pytest.raises(NameError, match="'sigmoid' is not defined"):
        look(ask, "sigmoid")


def test_a_function_is_called(ask):
    ask.cell("def scaled(x, by=2):\n    return x * by")
    scaled = look(ask, "scaled")
    x = torch.arange(3.0)
    assert torch.equal(scaled(x), 2 * x)
    assert torch.equal(scaled(x, by=3), 3 * x)


def test_an_error_of_the_students_is_raised_here(ask):
    ask.cell("def root(x):\n    if x < 0:\n        raise ValueError('below zero')\n    return x ** 0.5")
    root = look(ask, "root")
    assert root(4) == 2.0
    with pytest.raises(ValueError, match="below zero"):
        root(-1)


def test_a_made_up_error_is_a_runtime_error(ask):
    ask.cell("class Odd(BaseException):\n    pass\ndef f():\n    raise Odd('x')")
    with pytest.raises(RuntimeError, match="Odd: x"):
        look(ask, "f")()


def test_the_stub_is_not_started(ask):
    ask.cell("from dlcourse.checks import NotStarted\ndef f():\n    raise NotStarted")
    with pytest.raises(NotStarted):
        look(ask, "f")()


def test_a_function_is_a_subject(ask):
    ask.cell("import torch\ndef accuracy(predicted, labels):\n    return (predicted == labels).float().mean().item()")
    checks.accuracy(look(ask, "accuracy"))
    ask.cell("def accuracy(predicted, labels):\n    return (predicted == labels).sum().item()")
    with pytest.raises(CheckFailed, match="Divide by how many"):
        checks.accuracy(look(ask, "accuracy"))


def test_an_object_keeps_its_state(ask):
    ask.cell("class Counter:\n    def __init__(self, n):\n        self.n = n\n    def up(self):\n        self.n += 1")
    counter = look(ask, "Counter")(3)
    counter.up()
    assert counter.n == 4
    with pytest.raises(AttributeError, match="down"):
        counter.down()


NETWORK = """
import torch
class Net(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(3, hidden), torch.nn.BatchNorm1d(hidden), torch.nn.Tanh())
        self.head = torch.nn.Linear(hidden, 2)
    def forward(self, x):
        return self.head(self.body(x))
    def features(self, x):
        return self.body(x)
"""


@pytest.fixture
def pair(ask):
    """The stand-in of a student's network, and the same network here."""
    ask.cell(NETWORK)
    space = {}
    exec(NETWORK, space)
    far, near = look(ask, "Net")(4), space["Net"](4)
    near.load_state_dict(far.state_dict())
    return far, near


def test_a_module_shows_its_parameters(pair):
    far, near = pair
    assert isinstance(far, ModuleStandIn)
    assert isinstance(far, nn.Module)
    assert [(name, p.shape) for name, p in far.named_parameters()] == [
        (name, p.shape) for name, p in near.named_parameters()
    ]
    assert far.state_dict().keys() == near.state_dict().keys()


def test_training_a_module_through_its_stand_in(pair):
    """Values, slopes of inputs and parameters, buffers and five steps of SGD: as if the network were here."""
    far, near = pair
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, 3, generator=generator), torch.randn(8, 2, generator=generator)
    inputs = [x.clone().requires_grad_() for _ in pair]
    for _ in range(5):
        losses = []
        for net, own in zip(pair, inputs, strict=True):
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            optimizer.zero_grad()
            loss = ((net(own) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(far.state_dict(), near.state_dict())
    assert losses[0] < 1.5


def test_modes_and_methods_of_a_module(pair):
    far, near = pair
    x = torch.ones(2, 3)
    far.eval(), near.eval()
    torch.testing.assert_close(far(x), near(x))
    with torch.no_grad():
        for net in pair:
            net.head.bias.add_(1.0)
    torch.testing.assert_close(far(x), near(x))
    torch.testing.assert_close(far.features(x), near.features(x))


def test_a_sequential_made_by_a_function(ask):
    ask.cell("import torch\ndef build():\n    return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())")
    net = look(ask, "build")()
    assert sum(p.numel() for p in net.parameters()) == 6
    assert net(torch.zeros(1, 2)).shape == (1, 2)


HOSTILE = [
    b"",
    b"\0\0\0\2{}",
    encode({"value": {"kept": "0", "what": "module"}}),
    encode({"value": [1]}),
    encode({"error": 3}),
    encode({"nothing": 3}),
    encode({"value": {"kept": 0, "what": "module", "parameters": 3}}),
]


@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
def test_rubbish_is_no_answer(reply):
    with pytest.raises((Unanswered, RuntimeError)):
        look(lambda frame: bytearray(reply), "f")


def test_a_module_that_lies_about_itself():
    replies = iter(
        [
            {"value": {"kept": 0, "what": "module", "type": "Net"}},
            {"value": {"parameters": {"weight": 3}, "buffers": {}, "training": True}},
        ]
    )
    with pytest.raises(Unanswered, match="no tensors"):
        look(lambda frame: bytearray(encode(next(replies))), "net")


def test_a_lost_student(ask):
    def lost(frame):
        raise Lost("wall", "no answer within 3 s")

    ask.cell("def f():\n    return 1")
    function = look(ask, "f")
    assert isinstance(function, StandIn)
    function._remote = lost
    with pytest.raises(Unanswered, match="within 3 s"):
        function()
    with pytest.raises(CheckFailed, match="took too long"):
        checks.accuracy(function)


def test_a_function_cannot_be_passed_over(ask):
    ask.cell("def twice(f, x):\n    return f(f(x))")
    with pytest.raises(TypeError, match="only plain values"):
        look(ask, "twice")(lambda x: x, 1)


def test_the_largest_value_is_refused(ask):
    ask.cell(f"import torch\ndef huge():\n    return torch.zeros({MAX_BYTES})")
    assert isinstance(look(ask, "huge")(), StandIn)  # too large to send: it stays there
