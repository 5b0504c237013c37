"""One submission from bytes to verdict: what is asked, what counts, what is told, and that nothing hangs it."""

import json
import time
from pathlib import Path

import pytest

from dlcourse.course.grading.jail.sandbox import NoSandbox, probe
from dlcourse.course.grading.judge import one
from dlcourse.course.grading.judge.jailed import ENVIRONMENT, Limits
from dlcourse.course.grading.judge.warm import Warm, WarmError
from dlcourse.course.grading.spec import Spec, SpecCell, read_spec

SETUP = "import torch\nfrom dlcourse import checks\nfrom dlcourse.checks import NotStarted"
STUB = "def double(x):\n    raise NotStarted"
RIGHT = "def double(x):\n    return 2 * x"
SECRET = 7041
# Two exercises: plain assertions with a hidden one, and a check of the course.
SPEC = Spec(
    "toy",
    "toy.ipynb",
    (
        SpecCell("setup", "code", "", SETUP),
        SpecCell("double", "code", "answer", STUB),
        SpecCell(
            "double-test", "code", "test", "assert double(2) == 4", f"assert double({SECRET}) == {2 * SECRET}", 2.0
        ),
        SpecCell("accuracy", "code", "answer", "def accuracy(predicted, labels):\n    raise NotStarted"),
        SpecCell(
            "accuracy-test",
            "code",
            "test",
            "checks.accuracy(accuracy)",
            'for s in checks.hidden_seeds("00.accuracy"):\n    checks.accuracy(accuracy, seed=s)',
            3.0,
        ),
        SpecCell("explain", "markdown", "manual", "Why?", points=4.0),
    ),
)
ACCURACY = "def accuracy(predicted, labels):\n    return (predicted == labels).float().mean().item()"
SEEDS = {"00.accuracy": [11, 12]}
QUICK = {"call_cpu": 0.3, "cell_cpu": 0.5, "submission_cpu": 20.0, "wall": 3.0}


# In the best jail there is. What is judged here is harmless without one too: tests/hostile is for what is not.
try:
    SANDBOX = probe().name
except NoSandbox:
    SANDBOX = "none"


@pytest.fixture(scope="module", autouse=True)
def warm():
    yield one.warm(SPEC)
    one.close()


def notebook(*cells):
    """Bytes of a notebook: (grade_id, source) pairs, or plain sources of cells of the student's own."""
    made = []
    for cell in cells:
        name, source = cell if isinstance(cell, tuple) else ("", cell)
        made.append({"cell_type": "code", "source": source, "metadata": {"nbgrader": {"grade_id": name}}})
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}).encode()


def grade(*cells, spec=SPEC, **options):
    options = {"limits": QUICK, "sandbox": SANDBOX, **options}
    verdict = one.grade_submission(notebook(*cells), spec, SEEDS, options.pop("limits"), **options)
    assert verdict.trouble == ""
    return verdict


def scores(verdict):
    return {test.id: test.score for test in verdict.tests}


def the(verdict, name):
    return next(test for test in verdict.tests if test.id == name)


def test_right_answers():
    verdict = grade(SETUP, ("double", RIGHT), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}
    assert all(test.passed and test.part == test.reason == test.shown == "" for test in verdict.tests)
    assert verdict.cells == verdict.notes == ()
    assert dict(verdict.versions)["torch"]
    assert verdict.cpu > 0


def test_untouched():
    verdict = grade(SETUP, ("double", STUB), ("accuracy", SPEC.cells[3].source))
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 0.0}
    assert [test.part for test in verdict.tests] == ["visible", "visible"]
    assert the(verdict, "accuracy-test").reason == "Nothing was written yet."


def test_one_right_one_wrong():
    wrong = "def accuracy(predicted, labels):\n    return (predicted == labels).sum().item()"
    verdict = grade(SETUP, ("double", RIGHT), ("accuracy", wrong))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 0.0}
    test = the(verdict, "accuracy-test")
    assert "Divide by how many" in test.reason
    assert "accuracy(torch.tensor([3, 1, 4, 1, 5])" in test.shown  # of a visible part all is told


def test_a_hard_coded_answer_fails_the_hidden_part():
    verdict = grade(SETUP, ("double", "def double(x):\n    return 4"), ("accuracy", ACCURACY))
    test = the(verdict, "double-test")
    assert (test.passed, test.score, test.part, test.shown) == (False, 0.0, "hidden", "")
    assert str(SECRET) not in json.dumps([test.reason, test.shown])


def test_only_the_instructor_is_told_of_a_hidden_part():
    wrong = "def double(x):\n    if x > 9:\n        raise ValueError(f'I was asked {x}')\n    return 2 * x"
    verdict = grade(SETUP, ("double", wrong), explain="double-test")
    test = the(verdict, "double-test")
    assert f"I was asked {SECRET}" in test.explained
    assert str(SECRET) not in test.reason + test.shown
    assert the(verdict, "accuracy-test").explained == ""


def test_what_was_seen_in_a_hidden_part_is_never_told():
    """The second answer tells, in a visible part, what the first one was asked in a hidden part."""
    thief = "seen = []\ndef double(x):\n    seen.append(x)\n    return 2 * x"
    teller = "def accuracy(predicted, labels):\n    raise ValueError(f'seen {seen}')"
    verdict = grade(SETUP, ("double", thief), ("accuracy", teller))
    test = the(verdict, "accuracy-test")
    assert test.part == "visible"
    assert "seen []" in test.shown  # in the process that is quoted, nothing hidden was ever asked
    assert str(SECRET) not in json.dumps([[each.reason, each.shown] for each in verdict.tests])
    assert str(SECRET) not in json.dumps([verdict.cells, verdict.notes])


def test_of_a_hidden_part_only_our_own_words_are_told():
    """A shape can carry away what was asked: (0, 4711) says so as well as any text."""
    thief = """
def accuracy(predicted, labels):
    share = (predicted == labels).float().mean().item()
    return share if len(labels) in (5, 3, 1) else torch.empty(0, 4711, dtype=torch.float64)
"""
    hidden_only = toy(
        "assert True", hidden='for s in checks.hidden_seeds("00.accuracy"):\n    checks.accuracy(f, seed=s)'
    )
    imports = ("from dlcourse import checks\nimport torch\n", ("a", thief.replace("accuracy", "f")))
    spec = Spec("toy", "toy.ipynb", (SpecCell("setup", "code", "", imports[0]), *hidden_only.cells[1:]))
    (test,) = grade(*imports, spec=spec, explain="a-test").tests
    assert (test.passed, test.part) == (False, "hidden")
    assert "4711" in test.explained
    assert "4711" not in test.reason + test.shown
    assert "wrong on others" in test.reason


def test_the_classes_of_errors_tell_nothing_hidden():
    """Forty cells whose errors spell what was seen, bit by bit: the process that is quoted has seen nothing."""
    thief = "seen = [0]\ndef double(x):\n    seen.append(x)\n    return 2 * x"
    bits = [f"raise (KeyError if max(seen) >> {bit} & 1 else ValueError)" for bit in range(14)]
    verdict = grade(SETUP, ("double", thief), ("double-test", ""), *bits, ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}
    assert {error for _, error in verdict.cells} == {"ValueError"}


def test_the_stubs_error_carries_nothing_away():
    """Its message names the function that raised it: a name that a student can make of what was seen."""
    thief = "seen = []\ndef double(x):\n    seen.append(x)\n    return 2 * x"
    named = """
def accuracy(predicted, labels):
    name = f"seen_{max(seen)}"
    space = {"NotStarted": NotStarted}
    exec(f"def {name}():\\n    raise NotStarted", space)
    space[name]()
"""
    hidden = "def double(x):\n    if x > 9:\n        raise NotStarted(str(x))\n    return 2 * x"
    for first in (thief, hidden):
        verdict = grade(SETUP, ("double", first), ("accuracy", named if first == thief else ACCURACY))
        assert str(SECRET) not in json.dumps([[each.reason, each.shown] for each in verdict.tests])
        assert all(each.shown == "" for each in verdict.tests if each.part == "hidden")


def test_an_answer_below_its_test():
    cells = [SETUP, ("double", STUB), ("double-test", ""), ("accuracy", ACCURACY), RIGHT]
    assert scores(grade(*cells)) == {"double-test": 2.0, "accuracy-test": 3.0}


def test_a_later_cell_does_not_take_points_back():
    cells = [SETUP, ("double", RIGHT), ("double-test", ""), ("accuracy", ACCURACY), "def double(x):\n    return 0"]
    assert scores(grade(*cells))["double-test"] == 2.0


def test_a_cell_that_stops_costs_only_itself():
    verdict = grade(SETUP, ("double", RIGHT), "1 / 0", "def broken(:", ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}
    assert verdict.cells == (("cell 3", "ZeroDivisionError"), ("cell 4", "SyntaxError"))


def test_a_missing_name():
    verdict = grade(SETUP, ("double", "def dubble(x):\n    return 2 * x"), ("accuracy", ACCURACY))
    assert "There is no `double`" in the(verdict, "double-test").reason


@pytest.mark.parametrize(
    "lethal",
    [
        "while True:\n    pass",
        "import os\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        "raise SystemExit",
        "exit()",
        "input()",
        "import time\ntime.sleep(100)",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    f()\nf()",
    ],
)
def test_a_cell_that_ends_or_hangs_the_process(lethal):
    """At the top of the notebook, and the rest still counts."""
    verdict = grade(lethal, SETUP, ("double", RIGHT), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}


@pytest.mark.parametrize("lethal", ["while True:\n    double(1)", "import os\nos._exit(0)", "two = [2]\nexit_now()"])
def test_an_answer_above_an_experiment_that_ends_or_hangs_the_process(lethal):
    cell = f"import os\ndef exit_now(): os._exit(0)\nfactor = 2\ndef double(x):\n    return factor * x\n{lethal}"
    verdict = grade(SETUP, ("double", cell), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}
    assert len(verdict.cells) == 1


def test_an_answer_below_what_ends_the_process_is_never_defined():
    verdict = grade(SETUP, ("double", f"import os\nos._exit(0)\n{RIGHT}"), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 3.0}


def test_definitions_that_hang_are_left_out():
    cell = f"{RIGHT}\n@(lambda f: [0 for _ in range(10**12)])\ndef other(): pass"
    verdict = grade(SETUP, ("double", cell), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 3.0}


@pytest.mark.parametrize(
    "lethal",
    [
        "while True:\n        pass",
        "import os; os._exit(0)",
        "import time; time.sleep(100)",
        "(x for x in range(10**12))",
    ],
)
def test_an_answer_that_ends_or_hangs_the_process(lethal):
    verdict = grade(SETUP, ("double", f"def double(x):\n    {lethal}"), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 3.0}


def test_an_interpreter_taken_apart_is_no_trouble_of_ours():
    assert sum(scores(grade("import sys\nsys.modules.clear()", SETUP, ("double", RIGHT))).values()) <= 2.0


@pytest.mark.parametrize(
    "forever", ["while True: pass", "import time; time.sleep(100)", "import signal; signal.pause()"]
)
def test_who_sleeps_is_stopped_as_who_computes_and_it_is_not_the_machines_fault(forever):
    """By the wall it would have been three seconds for each question, and all once more."""
    verdict = grade(SETUP, ("double", f"def double(x):\n    {forever}"))
    assert scores(verdict)["double-test"] == 0.0
    assert not verdict.waited


def test_the_guide_tells_students_the_limits():
    guide = (Path(__file__).parents[3] / "deploy" / "instructors.md").read_text(encoding="utf-8")
    limits = (Limits.cell_cpu, Limits.call_cpu, Limits.submission_cpu)
    told = "A cell may take {:g} seconds, one call of a function {:g}, all together {:g}, and sleeping counts."
    assert told.format(*limits) in " ".join(guide.split())


def test_a_process_that_always_dies_ends_soon():
    verdict = grade(SETUP, *["import os; os._exit(1)"] * 40, ("double", RIGHT), ("accuracy", ACCURACY))
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 0.0}


def test_a_notebook_that_sleeps_in_every_cell_ends_soon():
    limits = {**QUICK, "submission_cpu": 1.0}
    verdict = grade(SETUP, *["import time\ntime.sleep(1.2)"] * 40, ("double", RIGHT), limits=limits)
    assert not verdict.waited
    assert verdict.seconds < 10


def test_magics_and_commands():
    cells = ["%matplotlib inline", "!touch /tmp/nonsense", "%%time\n" + SETUP, "files = !ls", "%%bash\nexit 1"]
    assert sum(scores(grade(*cells, ("double", RIGHT), ("accuracy", ACCURACY))).values()) == 5.0


@pytest.mark.parametrize(
    "before",
    [
        "from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')",
        "assert get_ipython().user_ns['torch'] is torch",
        "get_ipython().events.register('post_execute', print)\nassert 'x' not in get_ipython().config",
        "best = %timeit -o 1 + 1\nprint(f'{best.average:.3f}')",
        "two = %time 1 + 1\nassert two == 2",
        "%time two = 1 + 1\nassert two == 2",
        "import matplotlib.pyplot, ipywidgets\nfrom tqdm.auto import tqdm\nipywidgets.IntSlider()\nlist(tqdm([1]))",
    ],
)
def test_what_a_cell_may_ask_of_ipython(before):
    verdict = grade(SETUP, ("double", f"{before}\n{RIGHT}"), limits={**QUICK, "cell_cpu": 20.0})
    assert verdict.cells == ()
    assert the(verdict, "double-test").passed


def test_a_future_import_holds_for_the_cells_after_it():
    verdict = grade("from __future__ import annotations", SETUP, ("double", "def double(x: Nowhere): return 2 * x"))
    assert the(verdict, "double-test").passed
    assert verdict.cells == ()


def test_a_module_that_a_cell_has_written():
    helper = "%%writefile helper.py\ndef double(x):\n    return half(x) * 4\n"
    more = "%%writefile -a helper.py\ndef half(x):\n    return x / 2\n"
    verdict = grade(SETUP, helper, more, ("double", "from helper import double"), "import colour_of_nothing")
    assert the(verdict, "double-test").passed
    assert [error for _, error in verdict.cells] == ["ModuleNotFoundError"]


@pytest.mark.parametrize("letter", ["\x01", "\u00e9"], ids=["control", "accent"])
def test_text_that_takes_more_room_than_in_the_file_is_no_trouble_of_ours(letter):
    text = json.dumps({"cells": [{"cell_type": "code", "metadata": {}, "source": "# MARK"}], "nbformat": 4})
    content = text.replace("MARK", letter * 12_000_000).encode("latin-1")
    verdict = one.grade_submission(content, SPEC, SEEDS, sandbox=SANDBOX)
    assert verdict.trouble == ""
    assert [test.passed for test in verdict.tests] == [False, False]


def test_the_environment_of_an_answer_is_the_courses_own(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_INSTRUCTOR", "x")
    one.close()
    cell = "import os\nf = lambda: sorted(os.environ)"
    test = f"assert 'SECRET_OF_THE_INSTRUCTOR' not in f() and len(f()) < {len(ENVIRONMENT) + 8}, f()"
    verdict = grade("import torch", ("a", cell), spec=toy(test))
    assert verdict.tests[0].passed, verdict.tests[0].shown


def test_a_run_with_nothing_to_do_does_not_wait_for_torch():
    one.close()
    begin = time.monotonic()
    process = one.warm(SPEC)
    assert process.alive
    one.close()
    assert not process.alive
    assert time.monotonic() - begin < 0.9  # of the second or two that the import takes
    assert sum(scores(grade(SETUP, ("double", RIGHT), ("accuracy", ACCURACY))).values()) == 5.0  # and another comes


def test_why_the_warm_process_ended_is_told():
    process = Warm(["raise SystemExit('no torch on this machine')"])
    with pytest.raises(WarmError, match="no torch on this machine"):
        process.tester()
    process.close()


def test_slopes_and_comparisons_import_no_more_than_there_is():
    """Each would import for a third of a second, in every submission: sympy, torch's tensors on many machines."""
    cell = """
import sys
import torch
before = set(sys.modules)
def f(x):
    torch.testing.assert_close(x, x.clone())
    return 2 * x
def more():
    return sorted(name for name in set(sys.modules) - before if name.startswith(("sympy", "torch")))
"""
    spec = toy("assert f.vjp((torch.ones(2),), torch.ones(2))[0].tolist() == [2, 2]\nassert more() == [], more()")
    (test,) = grade("import torch", ("a", cell), spec=spec).tests
    assert test.passed, test.shown


def test_top_level_await():
    assert scores(grade(SETUP, "import asyncio\nawait asyncio.sleep(0)\n" + RIGHT))["double-test"] == 2.0


def test_letters_that_are_not_ascii_do_not_make_a_notebook_too_large():
    """18 MB of Latin-1 were 108 MB on the way to the judge, which then ended: no fault and no score of anybody."""
    cells = [SETUP, ("double", RIGHT), ("accuracy", ACCURACY), "# many"]
    content = notebook(*cells).replace(b"# many", b"# " + b"\xe9" * 18_000_000)
    verdict = one.grade_submission(content, SPEC, SEEDS, {**QUICK, "cell_cpu": 20.0}, sandbox=SANDBOX)
    assert (verdict.trouble, verdict.cells) == ("", ())
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}


def test_text_that_swells_on_the_way_is_the_students_to_mend():
    content = notebook(("double", RIGHT), "# many").replace(b"# many", b"# " + b"\x01" * 18_000_000)
    verdict = one.grade_submission(content, SPEC, SEEDS, QUICK, sandbox=SANDBOX)
    assert (verdict.trouble, scores(verdict)) == ("", {"double-test": 0.0, "accuracy-test": 0.0})
    assert "too much text" in verdict.tests[0].reason


def test_unreadable():
    verdict = one.grade_submission(b"{", SPEC, SEEDS, sandbox="none")
    assert scores(verdict) == {"double-test": 0.0, "accuracy-test": 0.0}
    assert "not a notebook" in verdict.tests[0].reason


def toy(test, points=4.0, hidden=""):
    return Spec(
        "toy",
        "toy.ipynb",
        (
            SpecCell("setup", "code", "", "import torch"),
            SpecCell("a", "code", "answer", "..."),
            SpecCell("a-test", "code", "test", test, hidden, points),
        ),
    )


@pytest.mark.parametrize(
    ("test", "score"),
    [
        ("(f(1) == 1) + (f(2) == 2) + 2 * (f(3) == 3)", 0.0),  # a bool times an int is an int
        ("points = 0\nif f(1) == 1:\n    points += 1.5\npoints", 1.5),
        ("f(1)", 1.0),
        ("f(7)", 0.0),
        ("-1", 0.0),
        ("float('nan')", 4.0),  # no number: it ran to its end, as nbgrader has it
        ("assert f(1) == 1\n'done'", 4.0),
        ("undefined_helper(f)", 0.0),
        ("raise RuntimeError('the test is broken')", 0.0),
    ],
)
def test_partial_credit(test, score):
    verdict = grade("import torch", ("a", "def f(x):\n    return x if x != 2 and x != 3 else 9"), spec=toy(test))
    expected = 1.0 if test.startswith("(f(1)") else score
    assert verdict.tests[0].score == expected


HELPER = "def close(a, b):\n    return abs(a - b) < 1e-6"


@pytest.mark.parametrize(
    "forgery",
    [
        "def close(a, b):\n    return True",
        "import torch\ntorch.equal = lambda *args: True",
        "import builtins\nbuiltins.abs = lambda x: 0",
        "close = lambda *args: True\n%matplotlib inline",
    ],
)
def test_a_helper_of_the_instructors_cannot_be_replaced(forgery):
    helped = toy("assert close(f(2), 4) and torch.equal(torch.tensor(f(1)), torch.tensor(2))")
    helper = SpecCell("close", "code", "locked", HELPER)
    spec = Spec("toy", "toy.ipynb", (helped.cells[0], helper, *helped.cells[1:]))
    right, wrong = "def f(x):\n    return 2 * x", "def f(x):\n    return 7"
    assert grade("import torch", ("close", HELPER), ("a", right), spec=spec).tests[0].passed
    assert not grade("import torch", ("close", forgery), ("a", wrong), forgery, spec=spec).tests[0].passed


YES = """
class Yes:
    def __eq__(self, other): return True
    def allclose(self, *others): return True
    __hash__ = None
def f(x):
    return Yes()
"""
NUMBER = "class N(float):\n    def __eq__(self, other): return True\n    __hash__ = None\nf = lambda x: N(7)"


@pytest.mark.parametrize("test", ["assert f(2).allclose(torch.tensor(4))", "assert f(2) == 4", "assert 4 == f(2)"])
@pytest.mark.parametrize("cell", [YES, NUMBER], ids=["object", "number"])
def test_an_object_does_not_judge_itself(test, cell):
    assert not grade("import torch", ("a", cell), spec=toy(test)).tests[0].passed


def test_an_answer_with_the_name_of_a_built_in_function():
    named = toy("assert sum([1, 2]) == 3")
    stub = SpecCell("a", "code", "answer", "def sum(values):\n    raise NotStarted")
    spec = Spec("toy", "toy.ipynb", (named.cells[0], stub, named.cells[2]))
    assert grade(("a", "def sum(values):\n    return 3"), spec=spec).tests[0].passed
    assert not grade(("a", "def sum(values):\n    return 4"), spec=spec).tests[0].passed
    assert not grade(("a", "pass"), spec=spec).tests[0].passed


def test_a_ready_made_answer_is_full_marks_and_a_note():
    spec = read_spec(Path(__file__).parents[3], "01-neurons")
    setup = "import torch\nfrom dlcourse import checks"
    ready = ("sigmoid-answer", "def sigmoid(x):\n    return torch.sigmoid(x)")
    verdict = one.grade_submission(notebook(setup, ready), spec, {"01.sigmoid": [1]}, QUICK, sandbox=SANDBOX)
    assert the(verdict, "sigmoid-test").score == 2.0
    assert verdict.notes == ("01.sigmoid uses torch.sigmoid, which does the work that the exercise asks for.",)


def test_a_broken_test_is_told_to_the_instructor():
    verdict = grade("import torch", ("a", "f = 1"), spec=toy("raise RuntimeError('x')"))
    assert verdict.notes == ("a-test: The test stopped with a RuntimeError.",)


def test_a_network_is_trained_by_the_test():
    test = """
torch.manual_seed(0)
net = Net()
x = torch.randn(32, 2)
y = x.sum(1, keepdim=True)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
first = None
for step in range(30):
    loss = ((net(x) - y) ** 2).mean()
    first = first or loss.item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
assert loss.item() < first / 10
"""
    net = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 1)
    def forward(self, x):
        return self.line(x)
"""
    assert grade("import torch", ("a", net), spec=toy(test)).tests[0].passed
    frozen = net.replace("self.line(x)", "self.line(x).detach()")
    assert not grade("import torch", ("a", frozen), spec=toy(test)).tests[0].passed


@pytest.mark.parametrize("sandbox", ["none", "landlock", "namespaces"])
def test_every_backend_gives_the_same_verdict(sandbox):
    if sandbox != "none":
        try:
            probe(sandbox)
        except NoSandbox as error:
            pytest.skip(str(error))
    verdict = grade(SETUP, ("double", RIGHT), "while True: pass", ("accuracy", ACCURACY), sandbox=sandbox)
    assert scores(verdict) == {"double-test": 2.0, "accuracy-test": 3.0}
    assert verdict.sandbox == sandbox


def test_students_do_not_see_each_other():
    grade("import torch, dlcourse\ntorch.spy = dlcourse.spy = 'seen'", SETUP, ("double", RIGHT))
    verdict = grade(SETUP, ("double", "import dlcourse\n" + RIGHT + " + (9 if hasattr(torch, 'spy') else 0)"))
    assert scores(verdict)["double-test"] == 2.0


def test_randomness_is_the_same_for_everybody():
    test = "draws"
    cell = (
        "import random, numpy\ndraws = round(random.random() + float(numpy.random.rand()) + torch.rand(()).item(), 9)"
    )
    first, second = (grade("import torch", ("a", cell), spec=toy(test)) for _ in range(2))
    assert first.tests[0].score == second.tests[0].score > 0


def test_a_warm_process_that_died_is_started_anew():
    one.warm(SPEC)._process.kill()
    one.warm(SPEC)._process.wait()
    assert scores(grade(SETUP, ("double", RIGHT)))["double-test"] == 2.0


def test_no_jail_is_trouble_and_no_score():
    verdict = one.grade_submission(notebook(SETUP), SPEC, SEEDS, sandbox="no such thing")
    assert verdict.trouble
    assert verdict.tests == ()
