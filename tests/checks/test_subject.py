"""The four questions: the same in process and over the wire, whatever the answer does."""

import math
import socket
import struct
import subprocess
import sys
import threading
import warnings

import pytest
import torch
from dlcourse_answers import local, remote

from dlcourse.checks import CheckFailed, NotStarted
from dlcourse.checks.frames import MAX_BYTES, send
from dlcourse.checks.outcome import AnswerError
from dlcourse.checks.registry import EXERCISES, find
from dlcourse.checks.subject import MAX_DEPTH, LocalSubject, RemoteSubject, Subject
from dlcourse.checks.values import DTYPES, encode


def refused(connect, answer, question):
    with connect(answer) as subject, pytest.raises(AnswerError) as error:
        question(subject)
    return error.value


def test_call_returns_the_value(connect):
    with connect(lambda x, scale: {"sum": (x * scale).sum().item(), "x": x.T}) as subject:
        got = subject.call(torch.arange(6.0).reshape(2, 3), 2)
    assert got["sum"] == 30
    assert got["x"].stride() == (1, 3)


def test_class_is_constructed_kept_and_asked(connect):
    class Counter:
        def __init__(self, start):
            self.count, self.weight, self.helper, self._hidden = start, torch.ones(2), print, 3

        def step(self, by):
            self.count += by
            return self.count > 3

    with connect(Counter) as subject:
        assert set(subject.call(2)) == {"count", "weight"}
        assert subject.step(1) is False
        assert subject.step(1) is True
        assert subject.state()["count"] == 4
        assert subject.call(0)["count"] == 0
        value, state = subject.stepped(9)
        assert value is True
        assert state["count"] == 9


@pytest.mark.parametrize("reply", [3, (True,), (True, 4), [True, {}], None])
def test_what_comes_back_of_a_step_is_a_value_and_a_state(reply):
    with pytest.raises(AnswerError, match="came back is not"):
        Subject(lambda request: encode({"value": reply})).stepped(1)


def test_module_shows_its_state_dict(connect):
    with connect(torch.nn.Linear) as subject:
        state = subject.call(3, 2)
    assert state["weight"].shape == (2, 3)
    assert state["in_features"] == 3


def test_vjp(connect):
    def answer(x, n, y):
        return (x**n).sum(1) + 0 * y.detach()

    x, y = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.zeros(2)
    with connect(answer) as subject:
        slopes = subject.vjp((x, 2, y), torch.tensor([1.0, 10.0]))
    assert slopes[0].tolist() == [[2, 4], [60, -20]]
    assert slopes[1:] == (None, None)
    assert not x.requires_grad


def test_vjp_works_where_the_notebook_switched_slopes_off(connect):
    def answer(x):
        return x * 3

    with torch.no_grad(), connect(answer) as subject:
        assert subject.vjp((torch.ones(2),), torch.ones(2))[0].tolist() == [3, 3]


def test_vjp_of_a_tuple_has_a_cotangent_for_each_part(connect):
    def answer(x, y):
        return x * y, x.sum(), y.detach()

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    with connect(answer) as subject:
        slopes = subject.vjp((x, y), (torch.tensor([1.0, 10.0]), torch.tensor(100.0), torch.ones(2)))
    assert [slope.tolist() for slope in slopes] == [[103, 140], [1, 20]]
    with connect(lambda x, y: (x.detach(), y.detach())) as subject:
        assert subject.vjp((x, y), (torch.ones(2), torch.ones(2))) == (None, None)


ONE, TWO = torch.ones(2), (torch.ones(2), torch.ones(2))


@pytest.mark.parametrize(
    ("answer", "cotangent"),
    [
        (lambda x: x.sum(), ONE),
        (lambda x: 3, ONE),
        (lambda x: (x, x), ONE),
        (lambda x: x, TWO),
        (lambda x: torch.stack([x, x]), TWO),
        (lambda x: [x, x], TWO),
        (lambda x: (x,), TWO),
        (lambda x: (x, x, x), TWO),
        (lambda x: (x, x.sum()), TWO),
        (lambda x: (x, 3), TWO),
    ],
)
def test_vjp_of_a_wrong_kind_or_shape_is_an_error_of_the_answer(connect, answer, cotangent):
    error = refused(connect, answer, lambda s: s.vjp((torch.ones(2),), cotangent))
    assert error.kind == "raised"
    assert "the slope needs" in error.message


@pytest.mark.parametrize("answer", [lambda: 1, lambda x, y: 1, lambda *, x: 1, 3, None])
def test_signature(connect, answer):
    assert refused(connect, answer, lambda s: s.call(1.0)).kind == "signature"


def test_an_exception_brings_its_line(connect):
    def helper(x):
        return x.reshape(7)

    def answer(x):
        y = x + 1
        return helper(y)

    error = refused(connect, answer, lambda s: s.call(torch.ones(2)))
    assert error.kind == "raised"
    assert error.error == "RuntimeError"
    assert "shape '[7]' is invalid" in error.message
    assert error.line.endswith("return x.reshape(7)")


def test_line_is_the_learners_also_when_torch_raises_deeper(connect):
    def answer(x):
        return torch.nn.functional.cross_entropy(x, x.sum())

    assert "functional.cross_entropy" in refused(connect, answer, lambda s: s.call(torch.ones(2))).line


def test_not_started(connect):
    def stub(x):
        raise NotStarted

    assert refused(connect, stub, lambda s: s.call(1)).kind == "not-started"


@pytest.mark.parametrize("raised", [SystemExit, RecursionError, MemoryError, AssertionError])
def test_the_answer_cannot_end_the_check(connect, raised):
    def answer(x):
        raise raised("now")

    assert refused(connect, answer, lambda s: s.call(1)).error == raised.__name__


def test_interrupt_passes():
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalSubject(answer).call(1)


@pytest.mark.parametrize("change", [lambda x: x.add_(1), lambda x: x.resize_(1), lambda x: x.t_()])
def test_changed_argument(connect, change):
    x = torch.ones(2, 3)

    def answer(x):
        y = x.clone()
        change(x)
        return y

    assert refused(connect, answer, lambda s: s.call(x)).kind == "changed-argument"
    assert x.shape == (2, 3)
    assert (x == 1).all()


def test_changed_list(connect):
    assert refused(connect, lambda x: x.append(1), lambda s: s.call([0])).kind == "changed-argument"


def test_what_comes_back_is_a_copy(connect):
    kept = torch.zeros(3)
    with connect(lambda: kept) as subject:
        got = subject.call()
        kept += 1
        assert got.sum() == 0


class AlwaysEqual(torch.Tensor):
    """Says yes to every comparison."""

    def __eq__(self, other):
        return torch.ones(self.shape, dtype=torch.bool)

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True


@pytest.mark.parametrize("value", [torch.ones(2).as_subclass(AlwaysEqual), object(), {1: 2}, [object()]])
def test_not_plain(connect, value):
    assert refused(connect, lambda: value, lambda s: s.call()).kind == "not-plain"


def test_warnings_are_kept_for_the_reader_and_fail_nothing(connect):
    def answer(x):
        warnings.warn("old ways\x1b[31m", DeprecationWarning, stacklevel=1)
        return x

    with connect(answer) as subject:
        assert subject.call(1) == 1
        assert subject.call(2) == 2
    assert subject.warned == ["DeprecationWarning: old ways[31m"]


@pytest.mark.parametrize("loops", [10, 10_000])
def test_lines_of_python_are_limited_where_the_check_says_so(connect, loops):
    def answer(count):
        done = 0
        while done < count:
            done += 1
        return done

    before = sys.gettrace()
    with connect(answer) as subject:
        assert subject.call(loops) == loops
        assert subject.call(loops, lines=3 * loops) == loops
        with pytest.raises(AnswerError, match=f"no answer after {loops:,} lines of Python") as error:
            subject.call(loops, lines=loops)
        assert error.value.kind == "silent"
        assert subject.call(loops) == loops  # the limit is that question's alone
    assert sys.gettrace() is before


def test_calls_that_are_open_at_once_are_limited_even_beyond_pythons_own_limit(connect):
    def deep(calls):
        return 1 + deep(calls - 1) if calls > 1 else 1

    def beyond(calls):
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(10_000)
        try:
            return deep(calls)
        finally:
            sys.setrecursionlimit(before)

    with connect(beyond) as subject:
        for _ in range(2):  # what is done is not counted
            assert subject.call(MAX_DEPTH - 1, lines=100_000) == MAX_DEPTH - 1
        with pytest.raises(AnswerError, match="RecursionError: more than 1,000 calls are open at once"):
            subject.call(MAX_DEPTH, lines=100_000)
        assert subject.call(MAX_DEPTH) == MAX_DEPTH  # without a limit for lines there is none for calls


def test_an_endless_loop_that_catches_exceptions_ends_too(connect):
    def answer():
        while True:
            try:
                1 / 0  # noqa: B018
            except Exception:
                continue

    with connect(answer) as subject, pytest.raises(AnswerError) as error:
        subject.call(lines=1_000)
    assert error.value.kind == "silent"


def test_an_exception_names_what_it_is_derived_from(connect):
    class CycleError(ValueError):
        pass

    def answer():
        raise CycleError("round and round")

    error = refused(connect, answer, lambda s: s.call())
    assert error.error == "CycleError"
    assert error.bases[:2] == ("CycleError", "ValueError")


def test_messages_are_cut_and_cleaned(connect):
    def answer():
        raise ValueError("\x1b[2J\ud800" + "x" * 100_000)

    message = refused(connect, answer, lambda s: s.call()).message
    assert len(message) <= 2_000
    assert "\x1b" not in message


def test_step_before_any_object(connect):
    assert refused(connect, lambda: 1, lambda s: s.step(1)).kind == "signature"


# --- the wire only --------------------------------------------------------------------------------------------------


@pytest.fixture
def channel():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_silence_is_an_error_and_stays_one(channel):
    subject = RemoteSubject(channel[0], timeout=0.05)
    for _ in range(2):
        with pytest.raises(AnswerError, match="no answer within") as error:
            subject.call(1)
        assert error.value.kind == "silent"
    send(channel[1], encode({"value": 1}))  # a late reply answers no later question
    with pytest.raises(AnswerError, match="no answer within"):
        subject.call(1)


def test_end_of_the_process_is_an_error(channel):
    channel[1].close()
    with pytest.raises(AnswerError) as error:
        RemoteSubject(channel[0]).call(1)
    assert error.value.kind == "gone"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"rubbish",
        encode(3),
        encode({}),
        encode({"error": None}),
        encode({"error": ("passed", "honest")}),
        encode({"error": [1, 2]}),
        encode({"warned": [1]}),
    ],
)
def test_replies_that_are_none(channel, reply):
    send(channel[1], reply)
    with pytest.raises(AnswerError) as error:
        RemoteSubject(channel[0], timeout=5).call(1)
    assert error.value.kind == "gone"


def test_reply_of_a_huge_length(channel):
    channel[1].sendall(struct.pack(">Q", MAX_BYTES + 1))
    with pytest.raises(AnswerError, match="claims"):
        RemoteSubject(channel[0], timeout=5).call(1)


@pytest.mark.parametrize("slopes", [3, (), (1, 2), (torch.ones(1), None)])
def test_slopes_that_are_none(slopes):
    subject = Subject(lambda request: encode({"value": slopes}))
    with pytest.raises(AnswerError):
        subject.vjp((torch.ones(1),), torch.ones(1))


def test_state_that_is_none():
    with pytest.raises(AnswerError):
        Subject(lambda request: encode({"value": 3})).state()


# --- an answer in a process of its own ------------------------------------------------------------------------------

SERVER = """
import socket, sys
import torch
{cheat}
from dlcourse.checks.registry import EXERCISES
from dlcourse.checks.subject import serve
for exercise in EXERCISES.values():
    answer = {answer}
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as channel:
        serve(answer, channel)
"""
CHEATS = """
torch.equal = torch.allclose = torch.isclose = lambda *a, **k: True
torch.Tensor.__eq__ = torch.Tensor.__ne__ = lambda self, other: True
torch.Tensor.any = lambda self, *a: False
import dlcourse.checks.examiner as examiner
examiner.matches = lambda got, wanted: True
examiner.Examiner.compare = lambda *a, **k: None
"""


def served(**parts):
    """A subject for each exercise, from a process that runs SERVER."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        command = [sys.executable, "-c", SERVER.format(**parts), str(listener.getsockname()[1])]
        with subprocess.Popen(command) as process:
            try:
                for exercise in EXERCISES.values():
                    channel, _ = listener.accept()
                    with channel:
                        yield exercise, RemoteSubject(channel, timeout=60)
                assert process.wait(60) == 0
            finally:
                process.kill()


def test_references_pass_from_another_process():
    proven = [exercise.check(subject, 5) for exercise, subject in served(cheat="", answer="exercise.reference")]
    assert len(proven) == len(EXERCISES)


def test_a_process_that_cheats_on_itself_passes_nothing():
    for exercise, subject in served(cheat=CHEATS, answer="lambda *values: values[0] if values else None"):
        with pytest.raises(CheckFailed):
            exercise.check(subject, None)


class TrueInt(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


FORGED = {
    "subclass": lambda *values: torch.ones(5).as_subclass(AlwaysEqual),
    "sly int": lambda *values: TrueInt(4),
    "nan": lambda *values: float("nan"),
    "nan tensor": lambda *values: torch.full_like(values[0].float(), float("nan")) if values else None,
    "inf": lambda *values: float("inf"),
    "bool": lambda *values: True,
    "huge view": lambda *values: torch.zeros(1).expand(2**40),
    "huge list": lambda *values: [0] * 10**6,
    "nested": lambda *values: ((((((((((((((((((((),),),),),),),),),),),),),),),),),),),),
    "dict": lambda *values: {"value": 1, "passed": True},
    "exit": lambda *values: sys.exit(0),
    "argument": lambda *values: values[0] if values else None,
    "nothing": lambda *values: None,
}


@pytest.mark.parametrize("turn", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", range(len(FORGED)), ids=FORGED)
def test_forged_values_pass_nothing(exercise, place, turn):
    """Each value for each exercise: over one of the two connections in turn, over the other in the slow stage."""
    forged = [*FORGED.values()][place]
    connect = (local, remote)[([*EXERCISES].index(exercise.id) + place + turn) % 2]
    answer = forged
    if isinstance(exercise.reference, type):

        class answer:  # noqa: N801
            def __init__(self, features):
                self.weight, self.bias = torch.zeros(features), torch.zeros(())

            def step(self, x, label):
                return forged(x, label)

    with connect(answer) as subject, pytest.raises(CheckFailed):
        exercise.check(subject, None)


FORMS = (lambda value: value, lambda value: (value, value), lambda value: (torch.ones(2, 2), value, value, value))


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.slow) for turn in (1, 2))])
def test_no_value_makes_a_check_crash(exercise, turn):
    """A value of the wrong kind is the learner's failure, never an error of the check.

    Each value in one of three forms, so that every dtype and every shape has each form; the slow stage has the others.
    """
    plain = [None, True, 3, 0.5, math.nan, "text", [], (), {}, 2**63, [1, 2], {"weight": 1, "bias": None}]
    for dtype in DTYPES.values():
        plain += [torch.ones(shape).to(dtype) for shape in ((), (1,), (2,), (3,), (5,), (0, 3), (2, 2), (1, 2))]
    for place, value in enumerate(plain):
        message = encode({"value": FORMS[(place + turn) % 3](value)})
        with pytest.raises(CheckFailed):
            exercise.check(Subject(lambda request, message=message: message), None)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_no_dtype_makes_a_check_crash(exercise, dtype):
    def in_another_dtype(*values):
        value = exercise.reference(*values)
        return tuple(v.to(dtype) for v in value) if isinstance(value, tuple) else torch.as_tensor(value).to(dtype)

    if dtype in (torch.float32, torch.float64) or (exercise.id == "05.equivariance" and dtype == torch.bool):
        return  # what the answer is meant to have
    with pytest.raises(CheckFailed):
        exercise.check(LocalSubject(in_another_dtype), None)


def test_nan_in_weights_passes_no_xor(connect):
    for value in (float("nan"), float("inf")):
        weights = tuple(torch.full(shape, value) for shape in ((2, 2), (2,), (1, 2), (1,)))
        with connect(lambda weights=weights: weights) as subject, pytest.raises(CheckFailed):
            find("01.xor").check(subject, None)


def test_two_subjects_at_once(connect):
    with connect(lambda: 1) as one, connect(lambda: 2) as two:
        assert (one.call(), two.call(), one.call()) == (1, 2, 1)
    assert threading.active_count() < 20
