"""The walk: order, long chains, cycles, accumulation, freeing, what changes behind its back, and drawing."""

import gc

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import dlcourse.autograd as engine
from dlcourse.autograd import Tensor, Value, backward_steps, grad, no_grad, topological_order, trace


def leaf(*data, **options):
    return Tensor(torch.tensor(data, dtype=torch.float64), requires_grad=True, **options)


# ---- order


@st.composite
def graphs(draw):
    """Values made from any earlier ones, the same one twice included."""
    nodes = [Value(draw(st.floats(0.5, 1.5)), "leaf") for _ in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(0, 12))):
        a, b = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        nodes.append(draw(st.sampled_from([Value.__add__, Value.__mul__]))(a, b))
    return nodes


@given(graphs())
def test_every_node_once_inputs_first_root_last(nodes):
    root = nodes[-1]
    order = topological_order(root)
    place = {id(node): i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is root
    for node in order:
        assert all(place[id(parent)] < place[id(node)] for parent in node.inputs)
    reached, todo = set(), [root]
    while todo:
        node = todo.pop()
        if id(node) not in reached:
            reached.add(id(node))
            todo += node.inputs
    assert set(place) == reached


@pytest.mark.parametrize(
    ("make", "length"),
    [
        pytest.param(lambda: Value(1.0), 100_000, id="Value"),
        pytest.param(lambda: leaf(1.0), 10_000, id="Tensor"),  # far beyond Python's limit for open calls
        pytest.param(lambda: leaf(1.0), 100_000, id="Tensor-long", marks=pytest.mark.slow),
    ],
)
def test_a_long_chain_of_operations(make, length):
    x = make()
    y = x
    for _ in range(length):
        y = y + x
    assert len(topological_order(y)) == length + 1
    y.backward()
    assert float(x.grad) == length + 1
    del y
    gc.collect()  # the chain is let go without recursion, too


def test_stacked_diamonds_are_visited_once_each():
    """60 diamonds have 2**60 paths and 61 nodes."""
    x = node = Value(1.0)
    for _ in range(60):
        node = node + node
    assert len(list(backward_steps(node))) == 61
    assert x.grad == 2.0**60


@pytest.mark.parametrize("make", [lambda: Value(1.0, "x"), lambda: leaf(1.0, label="x")], ids=["Value", "Tensor"])
@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_cycle_made_by_hand_raises(make, length):
    x = make()
    first = node = x * 2
    for _ in range(length):
        node = node + 1
    first.inputs = (node, x)
    with pytest.raises(ValueError, match=r"the graph has a cycle: 'mul' was made from '(mul|add)'"):
        topological_order(node)
    with pytest.raises(ValueError, match="cycle"):
        node.backward()
    with pytest.raises(ValueError, match="cycle"):
        trace(node)
    assert not x.grad


def test_a_diamond_is_no_cycle():
    x = Value(3.0)
    y = x * x
    assert len(topological_order(y + y * x)) == 4


# ---- accumulation


@pytest.mark.parametrize("times", [1, 2, 7, 1000])
def test_a_node_used_many_times_adds_every_share(times):
    number, array = Value(1.5), leaf(1.5, -2.0)
    sum((number * i for i in range(1, times + 1)), Value(0.0)).backward()
    engine.stack([array * i for i in range(1, times + 1)]).sum().backward()
    assert number.grad == times * (times + 1) / 2
    assert array.grad.data.tolist() == [times * (times + 1) / 2] * 2


def test_a_node_that_is_both_inputs():
    x, y = Value(3.0), leaf(3.0)
    (x * x).backward()
    (y * y).backward()
    assert x.grad == y.grad.item() == 6.0


def test_a_second_backward_adds_to_the_leaves_as_in_torch():
    x = leaf(2.0, 3.0)
    t = x.data.clone().requires_grad_()
    for _ in range(3):
        (x * x).sum().backward()
        (t * t).sum().backward()
    assert x.grad.data.tolist() == t.grad.tolist() == [12.0, 18.0]
    n = Value(2.0)
    square = n * n
    square.backward()
    square.backward()
    assert (n.grad, square.grad) == (8.0, 1.0)


def test_leaves_that_share_a_gradient_do_not_share_its_memory():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).sum().backward()
    a.grad.data.zero_()
    assert b.grad.data.tolist() == [1.0, 1.0]


def test_only_leaves_that_ask_keep_a_gradient():
    a, b = leaf(2.0), Tensor(torch.tensor([5.0], dtype=torch.float64))
    c = a * b
    c.sum().backward()
    assert (a.grad.item(), b.grad, c.grad) == (5.0, None, None)


def test_gradients_are_weighed_by_what_comes_in():
    x = leaf(1.0, 2.0)
    (x * x).backward(torch.tensor([10.0, -1.0], dtype=torch.float64))
    assert x.grad.data.tolist() == [20.0, -4.0]


# ---- steps


def test_steps_say_what_happened():
    a, b = Value(2.0, "a"), Value(-3.0, "b")
    product = a * b
    steps = list(backward_steps(product + a))
    assert [step.op for step in steps] == ["add", "mul", None, None]
    assert [(node.label, share) for node, share in steps[1].contributions] == [("a", -3.0), ("b", 2.0)]
    assert [(step.index, step.total) for step in steps] == [(i, 4) for i in range(4)]
    (mine,) = [step for step in steps if step.node is a]
    assert mine.grad == -3.0 + 1.0
    assert product.grad == 1.0


def test_steps_stopped_halfway_leave_a_graph_that_can_be_walked_again():
    x = leaf(1.0)
    y = (x * 2).exp()
    steps = backward_steps(y)
    next(steps)
    steps.close()
    y.backward()
    assert x.grad.item() == pytest.approx(2 * torch.tensor(2.0).double().exp().item())


def test_a_share_goes_only_to_inputs_that_need_one():
    x = leaf(3.0)
    (step, _) = backward_steps(x * 2)
    assert [node for node, _ in step.contributions] == [x]


# ---- grad


def test_grad_leaves_every_grad_alone_and_knows_results_in_between():
    x = leaf(2.0)
    y = x * x
    dy, dx = grad((y * 3).sum(), [y, x])
    assert (dy.item(), dx.item(), x.grad) == (3.0, 12.0, None)


def test_grad_of_something_unused_is_zero():
    x, other = leaf(2.0), leaf(1.0, 1.0)
    assert grad(x * 3, [other])[0].data.tolist() == [0.0, 0.0]
    assert grad(Value(2.0) * 3, [Value(1.0)]) == (0.0,)


def test_grad_of_one_input_of_several_and_of_a_constant():
    x, y = leaf(2.0), leaf(3.0)
    assert grad(x * y, x)[0].item() == 3.0
    assert [g.item() for g in grad(x * y, (node for node in (x, y)))] == [3.0, 2.0]
    with pytest.raises(ValueError, match="the input 'c' is a constant"):
        grad(x * 2, [Tensor([1.0], label="c")])


def test_the_third_derivative():
    x = leaf(2.0)
    (first,) = grad(x**4, [x], create_graph=True)
    (second,) = grad(first, [x], create_graph=True)
    (third,) = grad(second, [x])
    assert (first.item(), second.item(), third.item()) == (32.0, 48.0, 48.0)


def test_create_graph_is_not_silenced_by_no_grad():
    x = leaf(2.0)
    y = x * x + x * x
    with no_grad():
        (first,) = grad(y, [x], create_graph=True)
    assert grad(first, [x])[0].item() == 4.0


def test_a_gradient_kept_with_create_graph_can_be_differentiated_from_the_leaf():
    x = leaf(3.0)
    for _ in backward_steps(x**3, create_graph=True, retain_graph=True):
        pass
    assert grad(x.grad, [x])[0].item() == 18.0


def test_numbers_have_no_second_derivative():
    with pytest.raises(ValueError, match="Second derivatives are for Tensor"):
        list(backward_steps(Value(2.0) ** 2, create_graph=True))


# ---- errors leave everything as it was


def test_backward_of_several_numbers_needs_weights():
    x = leaf(1.0, 2.0)
    with pytest.raises(ValueError, match=r"the result of 'mul', shape \(2,\).*Reduce it first, with .sum\(\)"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"grad has shape \(3,\)"):
        (x * x).backward(torch.ones(3, dtype=torch.float64))
    with pytest.raises(ValueError, match="float32"):
        (x * x).backward(torch.ones(2, dtype=torch.float32))
    assert x.grad is None


def test_backward_without_anything_that_needs_a_gradient():
    with pytest.raises(ValueError, match="needs no gradient"):
        Tensor([1.0]).sum().backward()
    x = leaf(1.0)
    with no_grad():
        y = x * 2
    with pytest.raises(ValueError, match="requires_grad=True"):
        y.backward()


def test_a_freed_graph():
    x = leaf(2.0)
    middle = x * x
    loss = (middle + 1).sum()
    loss.backward()
    with pytest.raises(ValueError, match=r"the result of 'sum', shape \(\) a second time.*retain_graph=True"):
        loss.backward()
    with pytest.raises(ValueError, match=r"'mul', shape \(1,\) a second time"):
        (middle * 3).sum().backward()
    assert x.grad.item() == 4.0


@pytest.mark.parametrize("walk", [lambda y, x: list(backward_steps(y)), lambda y, x: grad(y, [x])])
def test_every_walk_frees_the_graph_unless_told_otherwise(walk):
    x = leaf(2.0)
    y = x.exp() * 2
    walk(y, x)
    with pytest.raises(ValueError, match="a second time"):
        walk(y, x)


def test_a_graph_that_is_kept():
    x = leaf(2.0)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert x.grad.item() == 8.0


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x.data.add_(1),
        lambda x, y: y.data.mul_(2),
        lambda x, y: x.data.reshape(-1)[:1].zero_(),
        lambda x, y: setattr(x, "data", x.data + 1),
    ],
    ids=["an input", "the result", "a view of an input", "other data"],
)
def test_data_changed_in_place_is_noticed(change):
    x = leaf(1.0, 2.0)
    other = leaf(5.0)
    y = x.exp()
    loss = (y * 2).sum() + other.sum()
    change(x, y)
    with pytest.raises(ValueError, match=r"shape \(2,\) was changed in place after '(exp|mul)' used it"):
        loss.backward()
    assert x.grad is None
    assert other.grad is None  # nothing moved


def test_a_changed_result_that_nothing_used_is_noticed():
    x = leaf(1.0)
    y = x.exp()
    y.data.mul_(2)
    with pytest.raises(ValueError, match="its result of shape"):
        y.backward()


@pytest.mark.parametrize(
    "use",
    [
        lambda x, mask: engine.where(mask, x, 0.0),
        lambda x, mask: x[mask],
        lambda x, mask: x.reshape(1, 2)[:, mask],
    ],
)
def test_a_changed_mask_or_index_is_noticed(use):
    x, mask = leaf(1.0, 2.0), torch.tensor([True, True])
    y = use(x, mask)
    mask.fill_(False)
    with pytest.raises(ValueError, match="its mask or index of shape"):
        y.sum().backward()


def test_a_change_between_two_steps_is_noticed():
    x = leaf(2.0)
    steps = backward_steps(((x * x) * 3).sum())
    next(steps)
    x.data.fill_(100)
    with pytest.raises(ValueError, match="changed in place"):
        list(steps)
    assert x.grad is None


def test_data_changed_after_backward_are_fine():
    x = leaf(1.0)
    for _ in range(3):
        (x * x).sum().backward()
        x.data -= 0.1 * x.grad.data
        x.grad = None
    assert x.item() == pytest.approx(0.8**3)


# ---- memory


def test_backward_lets_go_of_what_was_kept_for_it():
    x = leaf(*[1.0] * 10)
    y = x.exp()
    loss = (y * y).sum()
    loss.backward()
    assert (loss.inputs, y.inputs, y.op) == ((), (), "exp")


# ---- pictures


def test_a_traced_graph_is_a_copy():
    a, b = Value(2.0, "a"), Value(3.0, "b")
    loss = a * b + 1
    loss.backward()
    graph = trace(loss)
    a.grad = a.data = 0.0
    by_label = {node.label: node for node in graph.nodes if node.label}
    assert (by_label["a"].value, by_label["a"].grad) == (2.0, 3.0)
    assert [node.op for node in graph.nodes] == [None, None, "mul", None, "add"]
    assert graph.nodes[-1].inputs == (2, 3)
    assert (graph.nodes[3].value, graph.nodes[3].grad) == (1.0, 0.0)
    assert [node.requires_grad for node in graph.nodes] == [True, True, True, False, True]


def test_a_freed_graph_is_not_traced():
    x = leaf(2.0)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(ValueError, match=r"trace: backward has freed 'sum'\. Trace before it"):
        trace(loss)


def test_a_traced_graph_shows_the_gradients_of_steps():
    x = leaf(1.0, 2.0, label="x")
    loss = (x * x).sum()
    before = trace(loss)
    steps = list(backward_steps(loss, retain_graph=True))
    after = trace(loss, steps)
    assert [node.grad for node in before.nodes] == [None, None, None]
    assert [node.grad for node in after.nodes] == [(2,), (2,), 1.0]
    assert [tuple(node.shape) for node in after.nodes] == [(2,), (2,), ()]
    assert after.nodes[-1].options == {"dim": (0,), "keepdim": False}
