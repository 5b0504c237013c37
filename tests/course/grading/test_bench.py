"""Whose name is whose: helpers of the instructor's cannot be replaced by the student, answers cannot be skipped."""

import ast

import pytest

from dlcourse.course.grading.judge.bench import Bench, free, parsed

CELLS = [
    ("", "%matplotlib inline\nimport math\nfrom math import pi as half_turn"),
    ("locked", "LIMIT = 1e-6\ndef close(a, b):\n    return abs(a - b) < LIMIT"),
    ("answer", "import json\ndef double(x):\n    raise NotStarted"),
    ("locked", "def both(x):\n    return double(x), double(-x)"),
    ("locked", "def shown(x):\n    return str(both(x))"),
    ("", "table = [close(1, 1), close(1, 2)]\nprint(table)"),
    ("", "later = unknown_name + 1"),
    ("answer", "def sum(values):\n    raise NotStarted"),
    ("answer", "def broken(:"),
    ("test", "def helper(x):\n    return x + 1\nresult = double(2)\nassert close(result, 4)"),
]


@pytest.fixture
def bench():
    return Bench(CELLS)


def theirs(bench, source):
    return bench.space(ast.parse(source))[1]


@pytest.mark.parametrize("name", ["math", "half_turn", "json", "close", "LIMIT", "table", "helper", "len"])
def test_ours(bench, name):
    space, asked = bench.space(ast.parse(name))
    assert asked == []
    assert name == "len" or name in space


@pytest.mark.parametrize("name", ["double", "both", "shown", "sum", "later", "result", "unknown_name"])
def test_theirs(bench, name):
    space, asked = bench.space(ast.parse(name))
    assert asked == [name]
    assert name not in space


def test_what_is_ours_works(bench):
    space, _ = bench.space(ast.parse("close, table"))
    assert space["close"](1.0, 1.0 + 1e-9)
    assert space["table"] == [True, False]


def test_cells_run_only_when_a_test_needs_them():
    ran = []
    bench = Bench([("locked", "import builtins\nbuiltins.ran_of_test_bench.append(1)\nvalue = 3"), ("answer", "f = 1")])
    import builtins

    builtins.ran_of_test_bench = ran
    try:
        bench.space(ast.parse("f"))
        assert ran == []
        for _ in range(2):
            assert bench.space(ast.parse("value"))[0]["value"] == 3
        assert ran == [1]
    finally:
        del builtins.ran_of_test_bench


def test_a_name_of_an_answer_is_never_ours():
    bench = Bench([("locked", "def f(x):\n    return x"), ("answer", "def f(x):\n    raise NotStarted")])
    assert theirs(bench, "f(1)") == ["f"]


def test_free_names():
    tree = ast.parse(
        "def f(a, *b, **c):\n    x = a\n    return x + g(y for y in z)\ntry:\n    f(w)\nexcept E as e:\n    e"
    )
    assert set(free(tree)) == {"g", "z", "w", "E"}


def test_magics_are_calls():
    assert isinstance(parsed("%matplotlib inline\nx = !ls"), ast.Module)
    with pytest.raises(SyntaxError):
        parsed("def broken(:")
