"""The stepper's engine: what it reads and refuses, its numbers against torch, its steps, its guesses, its program."""

import builtins
import contextlib
import io
import itertools
import json
import math
import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcourse.autograd import scalar
from dlcourse.plot.show import Picture
from dlcourse.widgets.backprop_stepper import guess as guessing
from dlcourse.widgets.backprop_stepper import words
from dlcourse.widgets.backprop_stepper.engine import BackpropStepperEngine
from dlcourse.widgets.backprop_stepper.examples import EXAMPLES
from dlcourse.widgets.backprop_stepper.expression import DEEPEST, NODES, parse
from dlcourse.widgets.backprop_stepper.picture import picture
from dlcourse.widgets.backprop_stepper.walk import walk_numbers
from dlcourse.widgets.snapshot import pack

MINUS = "\N{MINUS SIGN}"


def finished(*given, **values) -> BackpropStepperEngine:
    stepper = BackpropStepperEngine(*given, **values)
    stepper.step(stepper.last)
    return stepper


# ---- against torch


def torch_says(text: str, numbers: dict[str, float]) -> tuple[float, dict[str, float]]:
    """The same text, run by Python on torch's tensors: value and gradients."""
    leaves = {name: torch.tensor(number, dtype=torch.float64, requires_grad=True) for name, number in numbers.items()}
    functions = {name: function(name) for name in ("exp", "log", "sqrt", "tanh", "sigmoid", "relu")}
    *lines, last = re.split(r"[;\n]", text)
    names = {**functions, **leaves}
    exec("\n".join(line.strip() for line in lines), names)
    root = eval(last.split("=")[-1].strip(), names)
    grads = torch.autograd.grad(root, list(leaves.values()), allow_unused=True)
    return root.item(), {name: 0.0 if grad is None else grad.item() for name, grad in zip(leaves, grads, strict=True)}


def function(name: str):
    return lambda x: getattr(torch, name)(torch.as_tensor(x, dtype=torch.float64))


CASES = [
    ("(a * b + c).tanh()", {"a": 2.0, "b": -3.0, "c": 6.5}),
    ("tanh(a*b + c)", {"a": 2.0, "b": -3.0, "c": 6.5}),
    ("(x*w + b - y)**2", {"x": 2.0, "w": -0.5, "b": 1.0, "y": 1.5}),
    ("h = tanh(w * x); h * h + h", {"w": 0.5, "x": 1.2}),
    ("a ** b / c", {"a": 2.0, "b": 3.0, "c": -4.0}),
    ("-a ** 2 - (b - (c - a))", {"a": 2.0, "b": 3.0, "c": -4.0}),
    ("2 ** a", {"a": 1.5}),
    ("a - a", {"a": 1.5}),
    ("relu(a) * sigmoid(b) + sqrt(c).log()", {"a": 0.5, "b": -1.0, "c": 3.0}),
    ("(1 + 1) * a / 2 ** -1 + b * -0.5", {"a": 0.3, "b": 2.0}),
]


@pytest.mark.parametrize(("text", "numbers"), CASES, ids=[text for text, _ in CASES])
def test_values_and_gradients_are_those_of_torch(text, numbers):
    stepper = finished(text, **numbers)
    value, grads = torch_says(text, numbers)
    assert stepper.walk.values[-1].data == pytest.approx(value, rel=1e-12)
    assert stepper.gradients == pytest.approx(grads, rel=1e-12)


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if not example.tensors])
def test_the_examples_too(name):
    example = EXAMPLES[name]
    stepper = finished(example=name)
    assert stepper.values["numbers"] == example.numbers
    assert stepper.gradients == pytest.approx(torch_says(example.text, example.numbers)[1])


def test_the_example_of_tensors():
    stepper = finished(example="tensors")
    numbers = {name: torch.tensor(value) for name, value in EXAMPLES["tensors"].numbers.items()}
    for name in "AbB":
        numbers[name].requires_grad_()
    h = torch.relu(numbers["x"] @ numbers["A"] + numbers["b"])
    ((h @ numbers["B"] - numbers["y"]) ** 2).mean().backward()
    assert set(stepper.gradients) == {"A", "b", "B"}, "the data want no gradient"
    for name, gradient in stepper.gradients.items():
        torch.testing.assert_close(gradient, numbers[name].grad)


def test_softmax_cross_entropy_is_softmax_minus_one_hot():
    p = torch.softmax(torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64), 0).tolist()
    assert finished(example="softmax_cross_entropy").gradients == pytest.approx(
        {"z1": p[0], "z2": p[1] - 1, "z3": p[2]}
    )


def texts():
    leaves = st.sampled_from(["a", "b", "c", "a", "b", "2", "0.5", "3"])

    def larger(inner):
        pairs = st.tuples(inner, st.sampled_from([" + ", " - ", " * ", "/"]), inner).map("".join)
        return st.one_of(
            pairs.map("({})".format),
            pairs.map("-({})".format),
            inner.map("({})**2".format),
            st.tuples(st.sampled_from(["tanh", "sigmoid", "relu", "exp"]), inner).map(
                lambda each: f"{each[0]}({each[1]})"
            ),
            inner.map("(a + {}).tanh()".format),
        )

    return st.recursive(leaves, larger, max_leaves=8)


@given(texts(), st.tuples(*[st.floats(-3, 3).map(lambda number: round(number, 2)) for _ in "abc"]))
@settings(max_examples=100, deadline=None)
def test_any_expression(text, triple):
    try:
        used = parse(text).variables
    except ValueError as error:
        assert re.search("no variable|no finite|more than|a function", str(error))  # noqa: PT017
        return
    numbers = {name: number for name, number in zip("abc", triple, strict=True) if name in used}
    stepper = finished(text, **numbers)
    if stepper.phase == "halted":
        assert stepper.describe().count("The run ends at") == 1
        return
    value, grads = torch_says(text, numbers)
    assume(math.isfinite(value))
    assert stepper.walk.values[-1].data == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert stepper.gradients == pytest.approx(grads, rel=1e-9, abs=1e-9)
    again = parse("\n".join(stepper.expression.code) or stepper.expression.text)
    assert [node._replace(label="") for node in again.nodes] == [
        node._replace(label="") for node in stepper.expression.nodes
    ], "the program's lines say the same"


# ---- what is read, and what is refused


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a +", r"missing or too much. At character 4: a \+«here»"),
        ("a * (b", r"never closed. At character 5: a \* «\(»b"),
        ("a)", "closed that was never opened"),
        ("tan(a)", "no function tan; there are exp, log, sqrt, tanh, sigmoid, relu. At character 1: «tan\\(a\\)»"),
        ("a + tanh", r"tanh is a function: write tanh\(...\). At character 5: a \+ «tanh»"),
        ("a.real", "wants parentheses"),
        ("exp(a, b)", "takes one thing"),
        ("a @ b", "for matrices"),
        ("a ^ 2", r"A power is written \*\*. At character 3: a «\^» 2"),
        ("2x + 1", r"write 2 \* x. At character 1: «2x» \+ 1"),
        ("2(a)", "takes one thing"),
        ("__import__('os')", "no meaning here"),
        ("a.__class__()", "no function __class__"),
        ("().__class__", "wants parentheses"),
        ("a if b else c", "no meaning here"),
        ("a < b", "no meaning here"),
        ("a == b", "no meaning here"),
        ("+a", "no meaning here"),
        ("a, b", "no meaning here"),
        ("lambda", "not a complete expression"),
        ("import os", "only formulas"),
        ("2 * 3", "no variable"),
        ("a * 1e9", "too large; at most 1,000,000"),
        ("a + 1 / 0", "no finite number.*«1 / 0»"),
        ("a + 9 ** 9 ** 9", "no finite number"),
        ("a; b", "all but the last line need a name"),
        ("h = a", "only another name"),
        ("h = a * b; a", "h is made and never used"),
        ("h = a * h; h", "made from itself"),
        ("h = a * b; h = h + 1", "has a meaning already"),
        ("a.b = 2", "only formulas"),
        ("exp = a * b", "is a function"),
        ("print * 2", "cannot be called print"),
        ("abcdefghijklm + 1", "at most 11 more"),
        ("a\u00b2 + 1", "no meaning here"),
        ("a\x00", "no meaning here"),
        ("x" * 241, "241 characters; at most 240"),
        ("-" * (DEEPEST + 1) + "a", f"more than {DEEPEST} operations follow each other"),
        (" + ".join(f"a{i}*a{i + 1}" for i in range(14)), f"the graph has more than {NODES} nodes"),
        ("sum(a)", "no function sum"),
        ("a = 2; a*b", r"numbers are not set in the text but in their own fields, or with numbers=\{'a': 2\}.*«a = 2»"),
        ("a = 2 * 3; a*b", r"with numbers=\{'a': 6\}"),
    ],
)
def test_what_cannot_be_read(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text)
    stepper = BackpropStepperEngine("a * b", a=2, b=3)
    before = stepper.state()
    with pytest.raises(ValueError, match=reason):
        stepper.write(text)
    assert stepper.state() == before, "nothing is lost"


ALPHABET = [
    *"ab12.+-*/()=;@,^'\"[]{}: \n_\\",
    "tanh",
    "exp",
    "lambda",
    "import",
    "__class__",
    "if",
    "not",
    "9**9",
]


@given(st.one_of(st.lists(st.sampled_from(ALPHABET), max_size=40).map("".join), st.text(max_size=60)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused(text):
    """Never another error, never anything run, never a graph beyond the limits."""
    try:
        expression = parse(text)
    except ValueError as error:
        assert len(str(error)) < 600  # noqa: PT017
        return
    assert 1 <= len(expression.nodes) <= NODES
    for index, node in enumerate(expression.nodes):
        assert all(source < index for source in node.inputs)


def test_nothing_is_run(monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("the text was run")

    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, never)
    assert BackpropStepperEngine("(a * b).tanh()").walk.complete


@pytest.mark.parametrize("brackets", [100, 119])
def test_deep_brackets_are_read_or_refused(brackets):
    with contextlib.suppress(ValueError):
        assert parse("(" * brackets + "a" + ")" * brackets).variables == ("a",)


def test_names_of_results():
    assert parse("a * b").name == "result"
    assert parse("result * b").name == "outcome"
    assert parse("loss = a * b").code == ("loss = a * b",)
    assert parse("h = a * b; h").code == ("h = a * b",)
    assert parse("a").code == ()


def test_a_result_finds_a_name_when_the_usual_ones_are_taken():
    usual = ["result", "outcome", "answer", "found"]
    for taken, name in [(usual, "result2"), ([*usual, "result2", "result3"], "result4")]:
        text = "*".join(taken)
        assert parse(text).name == name
        stepper = finished(text)
        assert list(stepper.gradients) == taken
        assert BackpropStepperEngine.from_share(stepper.share()).snapshot() == stepper.snapshot()
        with contextlib.redirect_stdout(io.StringIO()):
            exec(stepper.to_code(), {})


def test_two_spellings_are_one():
    assert parse("tanh(a*b)").nodes == parse("(a * b).tanh()").nodes


# ---- numbers


def test_numbers_that_were_not_given():
    stepper = BackpropStepperEngine("p * q + r", q=7)
    assert stepper.values["numbers"] == {"p": 2.0, "q": 7.0, "r": 1.5}
    stepper.write("q * s")
    assert stepper.values["numbers"]["q"] == 7.0, "a name keeps its number"
    stepper.set(s=-1)
    assert stepper.values["numbers"] == {"q": 7.0, "s": -1.0}


def test_all_ways_to_set_numbers():
    one = BackpropStepperEngine("a * b", a=2, b=3)
    two = BackpropStepperEngine(expression="a * b", numbers={"a": 2, "b": 3})
    three = BackpropStepperEngine("a * b")
    three.set(a=2)
    three.assign("b", torch.tensor(3.0))
    assert one.state() == two.state() == three.state()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"q": 2}, "no variable 'q': this expression has a, b, and the settings are example, expression"),
        ({"a": float("nan")}, "a=nan"),
        ({"a": 1001}, "out of range"),
        ({"a": "2"}, "a='2'"),
        ({"numbers": [2, 3]}, "numbers by name"),
        ({"numbers": {2: 3}}, "numbers by name"),
        ({"numbers": 3, "a": 2}, "numbers=3: wanted numbers by name"),
        ({"expression": 7}, "wanted an expression"),
        ({"example": "nothing"}, "'nothing' is not known"),
        ({"guessing": "yes"}, "wanted True or False"),
        ({"a": 5, "expression": "c * d"}, "no variable 'a'"),
        ({"example": "tensors", "b": 3}, "are tensors"),
    ],
)
def test_bad_settings_change_nothing(values, reason):
    stepper = BackpropStepperEngine("a * b", a=2, b=3)
    before = stepper.state()
    with pytest.raises(ValueError, match=reason):
        stepper.set(**values)
    assert stepper.state() == before
    with pytest.raises(ValueError, match="given twice"):
        BackpropStepperEngine("a * b", expression="a")


@pytest.mark.parametrize("name", ["pace", "guessing", "example", "numbers", "expression"])
def test_a_variable_that_is_called_like_a_setting(name):
    """Its number goes into numbers=, and the error says so."""
    said = re.escape(f"There is a variable {name} too: its number is set with numbers={{'{name}': 2}}.")
    if name != "expression":
        with pytest.raises(ValueError, match=said):
            BackpropStepperEngine(f"{name} * b", **{name: 2})
    stepper = BackpropStepperEngine(f"{name} * b", numbers={name: 7})
    with pytest.raises(ValueError, match=said):
        stepper.set(**{name: 2})
    assert stepper.values["numbers"] == {name: 7.0, "b": -3.0}
    with pytest.raises(ValueError, match=r"pace=2 is not known: wanted one of 'slow', 'fast'\.$"):
        BackpropStepperEngine("a * b", pace=2)


def test_example_and_expression_agree():
    stepper = BackpropStepperEngine()
    assert (stepper.values["example"], stepper.values["expression"]) == ("neuron", EXAMPLES["neuron"].text)
    stepper.set(expression="a * b")
    assert stepper.values["example"] == "own"
    stepper.set(expression=EXAMPLES["diamond"].text)
    assert stepper.values["example"] == "diamond"
    stepper.set(example="own")
    assert stepper.values["example"] == "diamond", "it is still that one"
    stepper.set(example="tensors")
    assert stepper.values["numbers"] == {}
    stepper.write("x * w")
    assert (stepper.values["example"], stepper.tensors) == ("own", False)


def test_a_changed_number_keeps_the_step():
    stepper = BackpropStepperEngine("a * b + a", a=2, b=-3)
    stepper.step(4)
    stepper.assign("b", 5)
    assert stepper.at == 4
    stepper.write("a * b")
    assert stepper.at == 0


# ---- steps


def test_the_steps_of_a_small_run():
    stepper = BackpropStepperEngine("a * b + a", a=2, b=-3)
    assert (stepper.turn, stepper.last) == (2, 5)
    said = [stepper.snapshot().header["say"]]
    while stepper.running:
        stepper.step()
        said.append(stepper.snapshot().header["say"].replace(MINUS, "-"))
    assert said == [
        "Step 0 of 5: the variables have their numbers.",
        "Step 1 of 5, forward: mul1 = -6.",
        "Step 2 of 5, forward: result = -4.",
        "Step 3 of 5, the turn: d result / d result = 1.",
        "Step 4 of 5, backward: result hands 1 to mul1 and 1 to a.",
        "Step 5 of 5, backward: mul1 hands -3 to a and 2 to b.",
    ]
    stepper.step()
    assert stepper.at == 5


def test_shares_add_up_where_they_arrive():
    stepper = BackpropStepperEngine("a * b + a", a=2, b=-3)
    stepper.step(4)
    node = {node["name"]: node for node in stepper.snapshot().header["nodes"]}
    assert (node["a"]["grad"], node["a"]["complete"]) == ("1", False)
    assert (node["b"]["grad"], node["b"]["complete"]) == ("", False)
    assert stepper.gradients == {}
    stepper.step()
    node = {node["name"]: node for node in stepper.snapshot().header["nodes"]}
    assert (node["a"]["grad"], node["a"]["complete"]) == (f"{MINUS}2", True)
    assert [share["amount"] for share in node["a"]["shares"]] == ["1", f"{MINUS}3"]
    (to_a, to_b) = stepper.snapshot().header["now"]["lines"]
    assert (to_a["rule"], to_a["numbers"], to_a["amount"]) == ("grad * b", f"1 * ({MINUS}3)", f"{MINUS}3")
    assert to_a["sum"] == f"1 + ({MINUS}3) = {MINUS}2"
    assert to_b["sum"] == ""


def test_rules_with_the_numbers_put_in():
    stepper = finished("tanh(x)", x=0.5)
    (line,) = stepper.snapshot().header["now"]["lines"]
    assert line["rule"] == f"grad * (1 {MINUS} result ** 2)"
    assert line["numbers"] == f"1 * (1 {MINUS} 0.4621 ** 2)"
    assert line["amount"] == "0.7864"
    (line,) = finished("relu(x)", x=-2).snapshot().header["now"]["lines"]
    assert line["numbers"] == f"1 * (1 if ({MINUS}2) > 0 else 0)"


def test_a_broadcast_bias_gets_the_sum_of_its_copies():
    stepper = BackpropStepperEngine(example="tensors")
    stepper.step(stepper.last - 1)
    to_b = stepper.snapshot().header["now"]["lines"][1]
    assert to_b["to"] == "b"
    assert to_b["note"] == "b was broadcast from (2,) to (4, 2): the shares of its copies are summed, back to (2,)."
    assert to_b["matrix"] == [["0.25", "2"]]
    assert (to_b["rule"], to_b["numbers"]) == ("grad, summed over 4 rows", "(4, 2), summed over 4 rows")
    said = "backward: add2 hands (4, 2) to matmul1 and (2,) to b, summed over 4 rows."
    assert stepper.snapshot().header["say"].endswith(said)
    assert said in stepper.describe()
    b = next(node for node in stepper.snapshot().header["nodes"] if node["name"] == "b")
    assert [share["rule"] for share in b["shares"]] == ["grad, summed over 4 rows"]


def test_only_the_share_of_a_copied_tensor_is_summed():
    stepper = BackpropStepperEngine(example="tensors")
    for step in range(stepper.last + 1):
        stepper.scrub(step)
        assert ("summed over" in stepper.snapshot().header["say"]) is (step == stepper.last - 1)


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ((2,), (4, 2), "summed over 4 rows"),
        ((1, 2), (4, 2), "summed over 4 rows"),
        ((4, 1), (4, 3), "summed over 3 columns"),
        ((), (4, 3), "summed over 12 copies"),
        ((2,), (5, 4, 2), "summed over 20 copies"),
        ((1, 2), (1, 2), ""),
        ((2,), (1, 2), ""),
    ],
)
def test_how_many_copies_are_summed(here, there, said):
    assert words.summed(here, there) == said


@pytest.mark.parametrize("name", EXAMPLES)
def test_back_and_scrub_are_exact(name):
    stepper = BackpropStepperEngine(example=name)
    seen = [stepper.snapshot()]
    while stepper.running:
        stepper.step()
        seen.append(stepper.snapshot())
    assert len(seen) == stepper.last + 1
    for at in reversed(range(stepper.last)):
        stepper.back()
        assert stepper.snapshot() == seen[at]
    for at in (stepper.last, 0, stepper.turn):
        stepper.scrub(at)
        assert stepper.snapshot() == seen[at]
    stepper.back(1000)
    assert stepper.at == 0
    for wrong in (-1, stepper.last + 1, 0.5, "2", None):
        with pytest.raises(ValueError, match="whole number from 0"):
            stepper.scrub(wrong)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_snapshot_is_small_and_json(name):
    stepper = BackpropStepperEngine(example=name, guessing=True)
    while True:
        content, buffers = pack(stepper.snapshot())
        assert buffers == []
        assert len(json.dumps(content, allow_nan=False)) < 20_000
        if not stepper.running:
            break
        stepper.step()


# ---- what has no finite value


@pytest.mark.parametrize(
    ("text", "numbers", "said", "at"),
    [
        ("log(a) * b", {"a": -1, "b": 2}, "log1: log of -1 is no finite number", 0),
        ("b + a / b", {"a": 1, "b": 0}, "div1: div of 1, 0 is no finite number", 0),
        ("h = a * b; sqrt(h)", {"a": 1, "b": -1}, "result: sqrt of -1 is no finite number", 1),
        ("sqrt(a) + b", {"a": 0, "b": 2}, "sqrt1: sqrt of 0 has no finite slope", 4),
        ("a ** b", {"a": -2, "b": 2}, "result: pow of -2 and 2 has no finite slope", 2),
        ("exp(exp(a))", {"a": 900}, "exp1: exp of 900 is no finite number", 0),
        ("((a*a)*(a*a))**60*a", {"a": 1000}, "is no finite number", 3),
    ],
)
def test_no_finite_number(text, numbers, said, at):
    stepper = finished(text, **numbers)
    assert stepper.phase == "halted"
    assert (stepper.at, stepper.running) == (at, False)
    notice = stepper.snapshot().header["notice"].replace(MINUS, "-")
    assert said in notice
    assert notice.endswith("Change a number, and it goes on.")
    assert notice in stepper.describe().replace(MINUS, "-")
    assert isinstance(picture(stepper), Picture)
    assert BackpropStepperEngine.from_share(stepper.share()).snapshot() == stepper.snapshot()
    for name in numbers:
        stepper.assign(name, 1.25)
    stepper.step(100)
    assert stepper.phase == "backward"
    assert set(stepper.gradients) == set(numbers)


OVERFLOWS = [
    ("a * b", {"a": 1e308, "b": 10.0}, "mul of 1e+308, 10 is no finite number."),
    ("a + a", {"a": 1e308}, "add of 1e+308, 1e+308 is no finite number."),
    ("a / b", {"a": 1e308, "b": 0.1}, "div of 1e+308, 0.1 is no finite number."),
    ("tanh(b) * (a * b + 1)", {"a": 1e308, "b": 10.0}, "mul of 1e+308, 10 is no finite number."),
]


@pytest.fixture(params=[False, True], ids=["as the engine is", "an engine that lets inf and nan pass"])
def lenient(request, monkeypatch):
    """`Value` may refuse what is not finite, or hand it on: the stepper gives its sentence in either case."""
    if request.param:

        def apply(op, *operands):
            inputs = tuple(each if isinstance(each, scalar.Value) else scalar._constant(each) for each in operands)
            out = scalar.Value(scalar.RULES[op].forward(*[each.data for each in inputs]))
            out.op, out.inputs = op, inputs
            return out

        monkeypatch.setattr(scalar, "_apply", apply)


@pytest.mark.parametrize(("text", "numbers", "said"), OVERFLOWS)
def test_a_value_too_large_to_write_down(text, numbers, said, lenient):
    walk = walk_numbers(parse(text), numbers)
    assert not walk.complete
    assert walk.failure[1] == said
    before = [node.op for node in walk.nodes[: walk.failure[0]]]
    assert len(walk.forward) == len([op for op in before if op]), "what came before stays"
    assert walk.backward == ()


def test_an_overflow_on_the_way_forward_is_told_from_a_cell(lenient):
    stepper = finished("h = a ** 102; tanh(a) + h * h", a=1000)
    assert (stepper.phase, stepper.at) == ("halted", 2)
    assert "mul of 1e+306, 1e+306 is no finite number" in stepper.snapshot().header["notice"]
    assert isinstance(picture(stepper), Picture)


@pytest.mark.parametrize(
    ("text", "numbers", "said", "turns"),
    [
        ("sqrt(a) * b", {"a": 0.0, "b": 2.0}, "sqrt of 0 has no finite slope.", 1),
        ("tanh(a ** b)", {"a": -2.0, "b": 2.0}, "pow of -2 and 2 has no finite slope.", 1),
        ("1e6 * (1 / a)", {"a": 1e-154}, "its gradient, 1e+06, times the slope of div of 1 and 1e-154 is no", 1),
        (
            "h = a ** 102; p = h * 100 * b; p + h * 100 * b",
            {"a": 1000.0, "b": 0.5},
            "the shares of b add up to no finite number.",
            3,
        ),
    ],
)
def test_no_finite_gradient_loses_no_turn_before_it(text, numbers, said, turns, lenient, monkeypatch):
    for strict in (False, True):
        if strict:  # an engine that says itself that a share is not finite
            monkeypatch.setattr(scalar.Value, "pull_back", strictly(scalar.Value.pull_back))
        stepper = finished(text, **numbers)
        assert stepper.phase == "halted"
        assert said in stepper.snapshot().header["notice"].replace(MINUS, "-")
        assert len(stepper.walk.backward) == turns
        shown_ = json.dumps(stepper.snapshot().header, ensure_ascii=False)
        assert not re.search(r"\b(inf|nan)\b", shown_)
        assert BackpropStepperEngine.from_share(stepper.share()).snapshot() == stepper.snapshot()


def strictly(pull_back):
    def wrapped(self, grad, create_graph):
        shares = pull_back(self, grad, create_graph)
        if not all(math.isfinite(share) for _, share in shares):
            raise ValueError("something of its own")
        return shares

    return wrapped


@pytest.mark.parametrize(
    ("text", "numbers", "said"),
    [
        ("sqrt(a)", {"a": 0.0}, "result: sqrt of 0 has no finite slope."),
        ("log(a) * b", {"a": -1.0, "b": 2.0}, "log1: log of -1 is no finite number."),
        ("h = a / b; h * a", {"a": 1.0, "b": 0.0}, "h: div of 1, 0 is no finite number."),
    ],
)
def test_the_program_of_a_run_that_ends_early_says_so(text, numbers, said):
    stepper = BackpropStepperEngine(text, **numbers)
    program = stepper.to_code()
    assert f"# With these numbers the run ends at {said}" in program
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    assert printed.getvalue().startswith("The run ends early: ")
    for name in numbers:
        program = re.sub(rf"^{name} = Value\(\S+,", f"{name} = Value(1.25,", program, flags=re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    assert len(printed.getvalue().splitlines()) == 1 + len(numbers), "with other numbers it goes on"
    assert "ends early" not in printed.getvalue()


# ---- guesses


def asking(text="a * b + a * c", **numbers) -> BackpropStepperEngine:
    stepper = BackpropStepperEngine(text, guessing=True, **(numbers or {"a": 2, "b": -3, "c": 5}))
    stepper.step(stepper.turn)
    return stepper


def test_a_run_of_right_guesses():
    stepper = asking()
    answers = {
        "d result / d result = ?": 1,
        "d result / d mul1 = ?": 1,
        "d result / d c = ?": 2,
        "d result / d a = ?": 2,
    }
    while stepper.question is not None:
        at = stepper.at
        assert stepper.pauses
        assert stepper.guess(answers.pop(stepper.question.text))["right"]
        assert stepper.at == at + 1, "a right guess takes the step"
    assert answers == {}
    assert stepper.score == (4, 4)
    assert stepper.running is False


LATE = "(a * b)**2 + a/c", {"a": 2, "b": -3, "c": 4}, 4  # a has a share of 0.25, and mul1 hands it 36
THREE = "a*b + a*c + a*d", {"a": 2, "b": -3, "c": 5, "d": 4}, 5  # to a: 4, 5, -3
FOUR = "a*a + a*b + a*c", {"a": 2, "b": 11, "c": 30}, 5  # to a: 30, 11, and from the last turn 2 and 2
TWICE = "tanh(a) + a*a", {"a": 1.5}, 2  # mul2 hands 1.5 and 1.5; another path is to come


@pytest.mark.parametrize(
    ("text", "numbers", "turns", "guess", "said"),
    [
        ("a * b + a * c", {"a": 2, "b": -3, "c": 5}, 3, -3, "one share only. a is used twice"),
        ("a * b + a * c", {"a": 2, "b": -3, "c": 5}, 3, 5, "one share only. a is used twice"),
        ("a * b + a * c", {"a": 2, "b": -3, "c": 5}, 3, -15, "added, not multiplied"),
        ("a * b + a * c", {"a": 2, "b": -3, "c": 5}, 3, -2, "look at the sign"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, -3, f"local slope of mul1 alone.*has come back to mul1, {MINUS}12"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, -36, "look at the sign"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, -24, "what the other input of mul1 gets"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, -12, "gradient of mul1, handed on as it is"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, 2, "the value of a"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 2, 777, "Not yet"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 0, 36, "value of result. Asked is how much the result changes"),
        ("(a * b) ** 2", {"a": 2, "b": -3}, 0, 7, "Not yet. Asked is how much"),
        ("tanh(a * b) / c", {"a": 0.5, "b": 2, "c": 4}, 2, 0.42, "local slope of tanh2 alone"),
        (*LATE, -2.75, "^That is the local slope of mul1 alone, added to the share that came before. The chain rule"),
        (*LATE, -3, "^That is the local slope of mul1 alone. The chain rule"),
        (*LATE, -23.75, "^That is what the other input of mul1 gets, added to the share that came before: you"),
        (*LATE, -24, "^That is what the other input of mul1 gets: you have used"),
        (*LATE, -11.75, "^That is the gradient of mul1, handed on as it is, added to the share that came before. It"),
        (*LATE, -12, "^That is the gradient of mul1, handed on as it is. It still"),
        (*LATE, 0.25, "^That is one share only. a is used twice"),
        (*LATE, 9, "^That is the product of the shares. They are added, not multiplied"),
        (*THREE, 9, "^That is the sum of 2 of the 3 shares. a is used 3 times, and the shares of all its paths are"),
        (*THREE, 2, "^That is the sum of 2 of the 3 shares"),
        (*THREE, 1, "^That is the sum of 2 of the 3 shares"),
        (*THREE, 5, "^That is one share only. a is used 3 times"),
        ("a+a+a", {"a": 7}, 2, 2, "^That is the sum of 2 of the 3 shares"),
        (*FOUR, 4, "^That is the sum of 2 of the 4 shares. a is used 4 times"),
        (*FOUR, 41, "^That is the sum of 2 of the 4 shares"),
        (*FOUR, 43, "^That is the sum of 3 of the 4 shares"),
        ("a*b + a*c", {"a": 9, "b": 2, "c": 0.03}, 3, 1.97, "^Not yet"),  # near to a share, which is near to the sum
        ("a+a+a", {"a": 7}, 2, 1, "^That is one share only. a is used 3 times"),
        ("(a ** 3) ** 2", {"a": 0.5}, 2, -0.021, "^That is what the other input of pow1, the constant 3, would get:"),
        (*TWICE, 1.5, "^That is one share only. mul2 takes a twice, and both shares are added"),
        (*TWICE, 2.25, "^That is the product of the shares. They are added"),
        (*TWICE, -3, "look at the sign"),
        (*TWICE, 777, "Not yet"),
        (
            "sigmoid(a) + tanh(a) + a",
            {"a": 0.5},
            3,
            1.786,
            "^That is all that has come to a so far. Asked is what tanh2",
        ),
        (
            "sigmoid(a) + tanh(a) + a",
            {"a": 0.5},
            3,
            0.5,
            "^That is the value of a. Asked is what tanh2 hands back to it",
        ),
    ],
)
def test_what_a_wrong_guess_gives_away(text, numbers, turns, guess, said):
    stepper = asking(text, **numbers)
    stepper.step(turns)
    at = stepper.at
    answer = stepper.guess(guess)
    assert not answer["right"]
    assert re.search(said, answer["text"]), answer["text"]
    assert stepper.at == at, "it can be tried again"
    assert stepper.guess(stepper.question.expected)["right"]
    assert stepper.score == (0, 1), "the first try counts"


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if not example.tensors])
def test_the_expected_gradient_is_the_one_that_comes(name):
    stepper = BackpropStepperEngine(example=name, guessing=True)
    stepper.step(stepper.turn)
    while (asked := stepper.question) is not None:
        stepper.step()
        if asked.text.startswith("d "):
            assert stepper.complete(asked.to)
            assert stepper.gradient(asked.to) == pytest.approx(asked.expected)
        else:
            assert "Another path" in asked.text
            handed = [share.amount for share in stepper.turn_back.shares if share.to == asked.to]
            assert asked.expected == sum(handed)


@pytest.mark.parametrize(
    ("text", "numbers", "asked", "right", "wrong"),
    [
        ("tanh(a) + a*a", {"a": 1.5}, "How much does mul2 hand back to a, through both inputs together?", 3.0, 1.5),
        ("tanh(x) + x*x", {"x": -2}, "How much does mul2 hand back to x, through both inputs together?", -4, -2),
        ("tanh(a) + (a+a)", {"a": 2}, "How much does add2 hand back to a, through both inputs together?", 2, 1),
        ("tanh(a) + (a-a)", {"a": 2}, "How much does sub2 hand back to a, through both inputs together?", 0, 1),
    ],
)
def test_an_operation_may_hand_over_two_shares(text, numbers, asked, right, wrong):
    stepper = asking(text, **numbers)
    while stepper.question is not None and not stepper.question.text.startswith(asked):
        stepper.step()
    assert not stepper.guess(wrong)["right"]
    assert stepper.guess(right)["right"]


@pytest.mark.parametrize(("text", "total"), [("a*a*a", 12), ("a+a", 2), ("a*a", 4), ("a - a", 0), ("a*a + a*a", 8)])
def test_the_whole_gradient_where_a_node_is_used_twice(text, total):
    stepper = asking(text, a=2)
    while stepper.question.text != "d result / d a = ?":
        stepper.step()
    assert stepper.question.expected == total
    assert stepper.guess(total)["right"]


def test_how_near_is_near_enough():
    for guess, truth in [(1.019, 1), (-49.1, -50), (102, 100), (0.104, 0.1), (0.0104, 0.01), (0, 0)]:
        assert guessing.close(guess, truth)
    for guess, truth in [(1.03, 1), (0.9, 1), (-47, -50), (104, 100), (0.106, 0.1), (0.011, 0.01), (0, 0.0001)]:
        assert not guessing.close(guess, truth)


SMALL = st.recursive(
    st.sampled_from(["a", "b", "c", "a", "b", "2"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map("({0[0]}{0[1]}{0[2]})".format),
        inner.map("({})**2".format),
        inner.map("({0}*{0})".format),
        st.tuples(st.sampled_from(["tanh", "exp", "sigmoid"]), inner).map("{0[0]}({0[1]})".format),
    ),
    max_leaves=6,
)


class Claims:
    """What a diagnosis claims of the number guessed, found without the code that makes the diagnoses: slopes from
    torch, shares from the run."""

    def __init__(self, stepper):
        walk, asked = stepper.walk, stepper.question
        self.turn = stepper.at - stepper.turn - 1
        self.value, self.whole = walk.values[asked.to].data, asked.text.startswith("d ")
        if self.turn < 0:
            self.truth = 1.0
            return
        back = walk.backward[self.turn]
        self.own = [share.amount for share in back.shares if share.to == asked.to]
        self.before = [s.amount for each in walk.backward[: self.turn] for s in each.shares if s.to == asked.to]
        self.parts = [*self.before, *self.own] if self.whole else self.own
        self.truth, self.grad = math.fsum(self.parts), back.grad
        node = walk.nodes[back.node]
        leaves = [torch.tensor(walk.values[i].data, dtype=torch.float64, requires_grad=True) for i in node.inputs]
        operations = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow}
        out = operations.get(node.op, lambda *given: getattr(torch, node.op)(*given) if node.op != "neg" else -given[0])
        slopes = [slope.item() for slope in torch.autograd.grad(out(*leaves), leaves)]
        self.slope = sum(slope for slope, i in zip(slopes, node.inputs, strict=True) if i == asked.to)
        self.others = [slope for slope, i in zip(slopes, node.inputs, strict=True) if i != asked.to]

    def numbers(self, text: str) -> list[float]:
        """All numbers of which the sentence would be true. A sentence that is not known here is a failure."""
        added = sum(self.before) if "added to the share" in text else 0.0
        assert ("added to the share" in text) <= (self.turn >= 0 and self.whole and bool(self.before))
        if text.startswith("That is the value of"):
            return [self.value]
        if text.startswith("That is one share only."):
            assert len(self.parts) > 1
            assert ("twice" in text) == (len(self.parts) == 2)
            return self.parts
        if found := re.match(r"That is the sum of (\d+) of the (\d+) shares\.", text):
            some, all_ = map(int, found.groups())
            assert 1 < some < all_ == len(self.parts)
            return [math.fsum(some_) for some_ in itertools.combinations(self.parts, some)]
        if text.startswith("That is the product of the shares."):
            return [math.prod(self.parts)]
        if text.startswith("That is all that has come to"):
            assert not self.whole
            return [math.fsum([*self.before, *self.own])]
        if text.startswith("That is the local slope of"):
            return [self.slope + added]
        if text == "The size is right; look at the sign again.":
            return [-self.truth]
        if text.startswith("That is what the other input of"):
            return [self.grad * other + added for other in self.others]
        if text.startswith("That is the gradient of"):
            return [self.grad + added]
        raise AssertionError(f"what does this claim? {text}")

    def candidates(self) -> list[float]:
        """What a learner might have found."""
        if self.turn < 0:
            return [self.value, -1.0, 0.0]
        some = [self.slope, self.grad, *self.others, *(self.grad * other for other in self.others), self.value]
        some += [*self.parts, *self.own, math.prod(self.parts)]
        some += [sum(each) for size in (2, 3) for each in itertools.combinations(self.parts, size)]
        return some + [sum(self.before) + each for each in some] + [-self.truth, self.truth + 1]


@given(SMALL, st.tuples(*[st.sampled_from([-3, -2, -1.3, 0.5, 0.7, 2, 3.1, 5]) for _ in "abc"]), st.floats(-40, 40))
@settings(max_examples=150, deadline=None)
def test_every_diagnosis_is_true_of_the_number_guessed(text, triple, number):
    try:
        used = parse(text).variables
    except ValueError:
        return
    numbers = {name: each for name, each in zip("abc", triple, strict=True) if name in used}
    stepper = BackpropStepperEngine(text, guessing=True, numbers=numbers)
    stepper.step(stepper.turn)
    while (asked := stepper.question) is not None:
        at, claims = stepper.at, Claims(stepper)
        assert asked.expected == pytest.approx(claims.truth, rel=1e-9, abs=1e-9)
        for guess in [*claims.candidates(), round(number, 2), *(trap for trap, _ in asked.traps)]:
            if not abs(guess) <= guessing.LARGEST:
                continue
            right, said = guessing.judge(asked, guess)
            assert right == guessing.close(guess, asked.expected)
            if right or said.startswith("Not yet."):
                continue
            claimed = claims.numbers(said)
            assert any(guessing.close(guess, each * (1 + s)) for each in claimed for s in (0, 1e-9, -1e-9)), said
        stepper.step()
        assert stepper.at == at + 1


def test_a_question_does_not_tell():
    stepper = asking("(a * b) ** 2", a=2.37, b=-3.1)
    stepper.step(2)
    header = stepper.snapshot().header
    words = json.dumps({**header, "question": {**header["question"]}}, ensure_ascii=False) + stepper.describe()
    assert guessing.number(stepper.question.expected) not in words


def test_where_nothing_is_asked():
    stepper = BackpropStepperEngine(guessing=True)
    assert stepper.question is None, "not on the way forward"
    with pytest.raises(ValueError, match=r"nothing is asked here\. The questions begin when the result is known"):
        stepper.guess(1)
    stepper.step(stepper.last)
    with pytest.raises(ValueError, match="The sweep is finished"):
        stepper.guess(1)
    stepper.set(guessing=False)
    with pytest.raises(ValueError, match="Switch on"):
        stepper.guess(1)
    stepper.set(example="tensors", guessing=True)
    stepper.step(stepper.turn)
    assert stepper.question is None
    with pytest.raises(ValueError, match="this example has arrays"):
        stepper.guess(1)
    stepper = asking()
    for wrong in ("1", None, math.nan, 1e10):
        with pytest.raises(ValueError, match="guess="):
            stepper.guess(wrong)
    assert stepper.guesses == {}
    stepper.set(guessing=False)
    assert stepper.question is None
    assert not stepper.pauses


def test_reset_and_new_numbers_forget_the_guesses():
    stepper = asking()
    stepper.guess(3)
    stepper.reset()
    assert (stepper.at, stepper.score) == (0, (0, 0))
    stepper.step(stepper.turn)
    stepper.guess(1)
    stepper.assign("a", 4)
    assert stepper.score == (0, 0)


# ---- share, code, words


@pytest.mark.parametrize("steps", range(8))
def test_a_share_string_replays_exactly(steps):
    stepper = asking()
    stepper.guess(5)
    stepper.guess(1)
    stepper.scrub(min(steps, stepper.last))
    again = BackpropStepperEngine.from_share(stepper.share())
    assert again.snapshot() == stepper.snapshot()
    assert again.state() == stepper.state()


@pytest.mark.parametrize("guesses", [[5], [1], [5, 1], [1, 0.3]])
def test_a_share_string_holds_the_verdict(guesses):
    stepper = asking()
    for guess in guesses:
        stepper.guess(guess)
    again = BackpropStepperEngine.from_share(stepper.share())
    assert again.snapshot() == stepper.snapshot()
    stepper.set(guessing=False)
    assert BackpropStepperEngine.from_share(stepper.share()).snapshot() == stepper.snapshot()


@pytest.mark.parametrize(
    "change",
    [
        {"at": 99},
        {"at": None},
        {"guesses": [[0, 1.0]]},
        {"guesses": [[4]]},
        {"guesses": 3},
        {"guesses": [[4, "x"]]},
        {"told": [5, 1.0]},
        {"told": 3},
        {"told": [3]},
        {"told": [4, 5.0, 6.0]},
        {"told": {"4": 5.0, "5": 6.0}},
        {"told": ["4", 5.0]},
        {"guesses": [[]]},
        {"guesses": [4]},
        {"params": {"expression": "__import__('os')"}},
        {"params": {"numbers": {"zz": 1}}},
        {"params": {"expression": "(" * 200}},
    ],
)
def test_strange_share_strings(change):
    stepper = asking()
    state = stepper.state() | change
    stepper.state = lambda: state
    with pytest.raises(ValueError, match="damaged" if {"told", "guesses"} & set(change) else r"\w"):
        BackpropStepperEngine.from_share(stepper.share())


@pytest.mark.parametrize("case", [*CASES, *[(None, name) for name in EXAMPLES]], ids=str)
def test_the_program_gives_the_same_numbers(case):
    text, rest = case
    stepper = finished(example=rest) if text is None else finished(text, **rest)
    printed = io.StringIO()
    names: dict = {}
    with contextlib.redirect_stdout(printed):
        exec(stepper.to_code(), names)
    lines = printed.getvalue().splitlines()
    root = stepper.walk.values[-1]
    assert float(lines[0].split(" = ")[1]) == root.data
    assert len(lines) == 1 + len(stepper.gradients)
    for name, gradient in stepper.gradients.items():
        mine = names[name].grad
        assert mine == gradient if isinstance(gradient, float) else torch.equal(mine.data, gradient)


def test_words_say_what_the_picture_shows():
    stepper = BackpropStepperEngine("a * b + a", a=2, b=-3)
    stepper.step(4)
    words = stepper.describe().replace(MINUS, "-")
    assert words == (
        "Backpropagation through a * b + a. Step 4 of 5, backward: result hands 1 to mul1 and 1 to a. The operations: "
        "mul1 = a * b, result = mul1 + a. Values: a = 2, b = -3, mul1 = -6, result = -4. Gradients: result 1, mul1 1, "
        "a 1 so far."
    )
    still = picture(stepper)
    assert still.caption == stepper.describe()
    assert "a = 2 (gradient 1)" in still.alt


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("share", [0, 0.4, 1])
def test_a_picture_at_any_step(name, share):
    stepper = BackpropStepperEngine(example=name)
    stepper.step(round(share * stepper.last))
    assert picture(stepper).png.startswith(b"\x89PNG")


def test_one_variable_is_a_run_too():
    stepper = finished("a", a=3)
    assert stepper.gradients == {"a": 1.0}
    assert stepper.describe().endswith("Gradients: a 1.")
    assert picture(stepper).alt
