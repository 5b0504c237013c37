"""A graph's picture: places by hand for small graphs, the promises for any graph, errors, and words for it."""

import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import FancyBboxPatch

from dlcourse import plot
from dlcourse.autograd import Graph, GraphNode, Tensor, Value, backward_steps, trace
from dlcourse.plot.graph import COLUMNS, NODES, node_names, number
from dlcourse.plot.layered import layered
from dlcourse.plot.show import render


def test_a_diamond():
    place = layered([(), (0,), (0,), (1, 2)])
    assert place.columns == (0, 1, 1, 2)
    assert place.rows == (0.5, 0.0, 1.0, 0.5)
    assert [(wire.source, wire.target, wire.slot) for wire in place.wires] == [
        (0, 1, 0),
        (0, 2, 0),
        (1, 3, 0),
        (2, 3, 1),
    ]
    assert all(wire.bends == () for wire in place.wires)


def test_one_node():
    place = layered([()])
    assert (place.columns, place.rows, place.wires) == ((0,), (0.0,), ())


def test_a_node_used_twice_has_two_wires():
    wires = layered([(), (0, 0)]).wires
    assert [(wire.source, wire.slot) for wire in wires] == [(0, 0), (0, 1)]


def test_a_chain_is_straight():
    place = layered([(), (0,), (1,), (2,)])
    assert place.columns == (0, 1, 2, 3)
    assert set(place.rows) == {0.0}


def test_a_wire_bends_round_what_it_passes():
    place = layered([(), (0,), (1,), (2, 0)])  # the leaf is used at the beginning and at the end
    long = place.wires[-1]
    assert [column for column, _ in long.bends] == [1, 2]
    assert all(abs(row - place.rows[column]) >= 0.7 for column, row in long.bends)


def test_a_leaf_stands_beside_its_first_user():
    assert layered([(), (0,), (1,), (), (2, 3)]).columns == (0, 1, 2, 2, 3)


def test_trees_are_drawn_without_crossings():
    place = layered([(), (), (0, 1), (), (), (3, 4), (2, 5)])
    assert place.rows[:2] < place.rows[3:5]
    assert place.rows[2] < place.rows[6] < place.rows[5]


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 40))
    return [
        tuple(draw(st.lists(st.integers(max(0, node - 8), node - 1), max_size=3))) if node else ()
        for node in range(count)
    ]


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_any_graph(inputs):
    place = layered(inputs)
    assert place == layered(inputs)
    spots = list(zip(place.columns, place.rows, strict=True))
    for column in set(place.columns):
        rows = sorted(row for at, row in spots if at == column)
        assert all(b - a > 0.998 for a, b in pairwise(rows)), "nodes of a column a row apart"
    assert min(min(place.rows), *(row for wire in place.wires for _, row in wire.bends), 9) == 0
    used = [(wire.target, wire.slot) for wire in place.wires]
    assert used == [(node, slot) for node, sources in enumerate(inputs) for slot in range(len(sources))]
    for wire in place.wires:
        assert inputs[wire.target][wire.slot] == wire.source
        passed = [place.columns[wire.source], *(column for column, _ in wire.bends), place.columns[wire.target]]
        assert len(passed) > 1
        assert passed == list(range(passed[0], passed[-1] + 1)), "to the right, column by column"
        for column, row in wire.bends:
            assert all(abs(row - other) > 0.698 for at, other in spots if at == column), "a wire runs through a node"


@pytest.mark.parametrize("inputs", [[(0,)], [(1,), ()], [(), (-1,)]])
def test_inputs_come_first(inputs):
    with pytest.raises(ValueError, match="inputs come before users"):
        layered(inputs)


def loss():
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    out = (a * b + a) ** 2
    out.label = "loss"
    return out


def texts(fig):
    return [ascii_(text.get_text()) for text in fig.axes[0].texts]


def ascii_(text):
    return text.replace("\N{MINUS SIGN}", "-").replace("\N{MULTIPLICATION SIGN}", "*")


def test_what_stands_in_the_boxes():
    root = loss()
    assert texts(plot.graph(trace(root))) == ["a", "2", "b", "-3", "*", "-6", "+", "-4", "2", "**  →  loss", "16"]
    root.backward()
    shown = texts(plot.graph(trace(root)))
    assert shown.count("∇ 16") == 1, "a is used twice: 24 - 8"
    assert shown.count("∇ -8") == 2
    assert "∇ -16" in shown
    assert sum("∇" in text for text in shown) == 5, "the constant has none"


def test_tensors_show_shapes():
    x, weight = Tensor(torch.ones(4, 3), label="x"), Tensor(torch.ones(3), requires_grad=True, label="w")
    shown = texts(plot.graph(trace((x * weight).sum())))
    assert shown == ["x", "(4, 3)", "w", "(3,)", "*", "(4, 3)", "sum", "12"]
    loss = (x * weight).sum()
    after = trace(loss, list(backward_steps(loss, retain_graph=True)))
    shown = texts(plot.graph(after))
    assert shown == ["x", "(4, 3)", "w", "(3,)", "∇ (3,)", "*", "(4, 3)", "∇ (4, 3)", "sum", "12", "∇ 1"]
    assert "w of shape (3,) (gradient (3,))" in plot.graph_alt(after)


def test_no_box_or_text_overlaps_another():
    fig = plot.graph(trace(wide()))
    boxes = [patch.get_window_extent() for patch in fig.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 23
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    fig.canvas.draw()
    words = [text.get_window_extent() for text in fig.axes[0].texts]
    assert all(any(box.x0 < w.x0 and w.x1 < box.x1 and box.y0 < w.y0 and w.y1 < box.y1 for box in boxes) for w in words)


def wide():
    values = [Value(float(i), f"a rather long label {i}") for i in range(8)]
    row = [value.tanh() if i % 2 else value.exp() for i, value in enumerate(values)]
    a, b, c, d = (left + right for left, right in zip(row[::2], row[1::2], strict=True))
    return a * b * c * d


def chain(length):
    value = Value(0.5, "x")
    for _ in range(length):
        value = value.tanh()
    return value


def test_too_much_to_read():
    assert plot.graph(trace(chain(COLUMNS - 1)))
    with pytest.raises(ValueError, match=f"{COLUMNS + 1} nodes in {COLUMNS + 1} columns.*Trace a part"):
        plot.graph(trace(chain(COLUMNS)))
    values = [Value(1.0, f"x{i}") for i in range(24)]
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=False)] + values[len(values) & ~1 :]
    with pytest.raises(ValueError, match=f"47 nodes.*more than {NODES} nodes"):
        plot.graph(trace(values[0]))
    assert plot.graph_alt(trace(values[0])).startswith("A graph of 47 nodes")


def test_a_graph_that_is_too_large_is_not_laid_out_first(monkeypatch):
    """A chain of a thousand nodes took a minute to refuse."""

    def never(inputs):
        raise AssertionError("the layout was made")

    monkeypatch.setattr(sys.modules["dlcourse.plot.graph"], "layered", never)  # plot.graph is the function
    for length in (NODES, 1000):
        with pytest.raises(ValueError, match=f"plot.graph got {length + 1} nodes, .*more than {NODES} nodes.*a part"):
            plot.graph(trace(chain(length)))
    with pytest.raises(AssertionError, match="the layout"):
        plot.graph(trace(chain(NODES - 1)))


@pytest.mark.parametrize("wrong", [None, 3, loss(), Graph(())])
def test_something_else_came(wrong):
    with pytest.raises(ValueError, match=r"plot.graph\(trace\(loss\)\)"):
        plot.graph(wrong)


def node(id, inputs=()):
    return GraphNode(id, "add" if inputs else None, inputs, "", (), 1.0, None, True, {})


def test_nodes_in_the_wrong_order():
    with pytest.raises(ValueError, match="node 1 has the input 0 that does not come before it"):
        plot.graph(Graph((node(1, (0,)), node(0))))
    with pytest.raises(ValueError, match="node 7 stands twice"):
        plot.graph(Graph((node(7), node(7))))


def test_ids_need_not_count_from_zero():
    assert texts(plot.graph(Graph((node(7), node(40, (7,)))))) == ["1", "+", "1"]


def test_words_for_a_small_graph():
    root = loss()
    assert ascii_(plot.graph_alt(trace(root))) == (
        "A graph of 6 nodes, drawn from left to right. It begins with a = 2, b = -3 and the constant 2. Then come mul "
        "of a and b = -6; add of mul and a = -4; loss, pow of add and 2 = 16. The last is the result."
    )
    root.backward()
    assert "a = 2 (gradient 16), b = -3 (gradient -16)" in ascii_(plot.graph_alt(trace(root)))


def test_words_for_a_large_graph():
    alt = plot.graph_alt(trace(wide()))
    assert "Then come 15 operations: 4 exp, 4 tanh, 4 add and 3 mul. The result is mul 3 of mul 2 and add 4 = " in alt


def test_words_for_one_node_do_for_show():
    fig = plot.graph(trace(Value(2.0, "a")))
    assert "a = 2" in render(fig, alt=plot.graph_alt(trace(Value(2.0, "a")))).alt


def test_names_and_numbers():
    a = Value(2.0, "a")
    assert node_names(trace(a * a + (a * 3).tanh()).nodes) == ["a", "mul 1", "3", "mul 2", "tanh", "add"]
    assert [ascii_(number(v)) for v in (0.5, -2.0, 1e-7, 123456.0)] == ["0.5", "-2", "1e-07", "1.235e+05"]
