"""Named wrong answers of chapter 02, each with the words that its diagnosis must hold; and right ones.

Every answer is written as a learner would write it, in another style than the references.
"""

import graphlib
import math
import sys
from collections import Counter, deque

import torch
from dlcourse_answers import right, wrong
from torch.nn import functional

# --- 02.local-derivatives -------------------------------------------------------------------------------------------


def shares_of(op, values, grad, n):
    """Right ones, for answers whose mistake lies elsewhere."""
    if op == "mul":
        return [grad * values[1], grad * values[0]]
    return [grad * n * values[0] ** (n - 1)] if op == "pow" else [grad * math.exp(values[0])]


def added(grads, names, shares):
    total = {**grads}
    for name, share in zip(names, shares, strict=True):
        total[name] = total.get(name, 0.0) + share
    return total


@right("02.local-derivatives")
def a_table_of_rules(op, names, values, grad, grads, n=None):
    rules = {
        "mul": lambda: (values[1], values[0]),
        "pow": lambda: (n * math.pow(values[0], n - 1),),
        "exp": lambda: (math.e ** values[0],),
    }
    result = grads.copy()
    for name, slope in zip(names, rules[op](), strict=True):
        result.setdefault(name, 0.0)
        result[name] += slope * grad
    return result


@right("02.local-derivatives")
def by_torch_autograd(op, names, values, grad, grads, n=None):
    leaves = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    result = math.prod(leaves[1:], start=leaves[0]) if op == "mul" else leaves[0] ** n if op == "pow" else None
    result = leaves[0].exp() if result is None else result
    slopes = torch.autograd.grad(grad * result, leaves)
    return {
        name: grads.get(name, 0.0) + sum(s.item() for other, s in zip(names, slopes, strict=True) if other == name)
        for name in [*grads, *names]
    }


@wrong("02.local-derivatives", "add: grads.get(name, 0.0) + share")
def overwrites(op, names, values, grad, grads, n=None):
    return grads | dict(zip(names, shares_of(op, values, grad, n), strict=True))


@wrong("02.local-derivatives", "together 2 * x * grad")
def one_share_of_a_square(op, names, values, grad, grads, n=None):
    shares = dict(zip(names, shares_of(op, values, grad, n), strict=True))  # a name is there once
    return grads | {name: grads.get(name, 0.0) + share for name, share in shares.items()}


@wrong("02.local-derivatives", "together 2 * x * grad")
def second_use_reads_the_old_dictionary(op, names, values, grad, grads, n=None):
    new = dict(grads)
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        new[name] = grads.get(name, 0.0) + share
    return new


@wrong("02.local-derivatives", "shares of this step alone")
def begins_with_an_empty_dictionary(op, names, values, grad, grads, n=None):
    return added({}, names, shares_of(op, values, grad, n))


@wrong("02.local-derivatives", "The gradient that arrived at the node, grad, is missing")
def forgets_what_arrived(op, names, values, grad, grads, n=None):
    return added(grads, names, shares_of(op, values, 1.0, n))


@wrong("02.local-derivatives", "Along a path slopes multiply")
def adds_along_the_path(op, names, values, grad, grads, n=None):
    return added(grads, names, [grad + slope for slope in shares_of(op, values, 1.0, n)])


@wrong("02.local-derivatives", "The sums begin at 1")
def begins_at_one(op, names, values, grad, grads, n=None):
    new = dict(grads)
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        new[name] = new.get(name, 1.0) + share
    return new


@wrong("02.local-derivatives", "multiplied into what was there")
def multiplies_over_paths(op, names, values, grad, grads, n=None):
    new = dict(grads)
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        new[name] = new.get(name, 1.0) * share
    return new


@wrong("02.local-derivatives", "this share was dropped")
def keeps_the_first_share(op, names, values, grad, grads, n=None):
    new = dict(grads)
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        new.setdefault(name, share)
    return new


@wrong("02.local-derivatives", "partners of the product are swapped")
def own_factor(op, names, values, grad, grads, n=None):
    shares = [value * grad for value in values] if op == "mul" else shares_of(op, values, grad, n)
    return added(grads, names, shares)


@wrong("02.local-derivatives", "rule of a sum")
def product_as_a_sum(op, names, values, grad, grads, n=None):
    return added(grads, names, [grad, grad] if op == "mul" else shares_of(op, values, grad, n))


@wrong("02.local-derivatives", "times the whole product")
def whole_product(op, names, values, grad, grads, n=None):
    return added(grads, names, [grad * math.prod(values)] * 2 if op == "mul" else shares_of(op, values, grad, n))


def with_power(rule):
    def answer(op, names, values, grad, grads, n=None):
        shares = [grad * rule(values[0], n)] if op == "pow" else shares_of(op, values, grad, n)
        return added(grads, names, shares)

    return answer


def with_exp(rule):
    def answer(op, names, values, grad, grads, n=None):
        shares = [grad * rule(values[0])] if op == "exp" else shares_of(op, values, grad, n)
        return added(grads, names, shares)

    return answer


def named(name, answer):
    answer.__name__ = name
    return answer


for name, phrase, rule in (
    ("exponent_kept", "The exponent was not lowered", lambda x, n: n * x**n),
    ("factor_n_forgotten", "The factor n is missing", lambda x, n: x ** (n - 1)),
    ("factor_lowered_too", "The factor is n, not n - 1", lambda x, n: (n - 1) * x ** (n - 1)),
    ("brackets_forgotten", "Put n - 1 in brackets", lambda x, n: n * x**n - 1),
    ("only_for_squares", "right for n = 2 only", lambda x, n: n * x),
    ("power_itself", "This is the power itself", lambda x, n: x**n),
    ("base_without_its_sign", "The sign of the base was lost", lambda x, n: n * abs(x) ** (n - 1)),
    ("exponent_without_its_sign", "The sign of the exponent was lost", lambda x, n: abs(n) * x ** (n - 1)),
    ("factor_rounded", "rounded to a whole number", lambda x, n: int(n) * x ** (n - 1)),
    ("exponent_rounded", "rounded to a whole number", lambda x, n: int(n) * x ** (int(n) - 1)),
    ("lower_exponent_rounded", "rounded to a whole number", lambda x, n: n * x ** int(n - 1)),
):
    wrong("02.local-derivatives", phrase)(named(name, with_power(rule)))
for name, phrase, rule in (
    ("exp_as_log", "1 / x is the derivative of the logarithm", lambda x: 1 / x),
    ("exp_as_a_power", "exp is no power of x", lambda x: x * math.exp(x - 1)),
    ("exp_of_the_input", "The input itself was taken", lambda x: x),
    ("exp_hands_on", "exp handed grad on as it is", lambda x: 1.0),
):
    wrong("02.local-derivatives", phrase)(named(name, with_exp(rule)))


@wrong("02.local-derivatives", "Put n - 1 in brackets")
def minus_one_outside(op, names, values, grad, grads, n=None):
    shares = [grad * n * values[0] ** n - 1] if op == "pow" else shares_of(op, values, grad, n)
    return added(grads, names, shares)


@wrong("02.local-derivatives", "begin with a copy")
def changes_grads(op, names, values, grad, grads, n=None):
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        grads[name] = grads.get(name, 0.0) + share
    return grads


@wrong("02.local-derivatives", "Nothing has reached this name yet")
def expects_every_name(op, names, values, grad, grads, n=None):
    new = dict(grads)
    for name, share in zip(names, shares_of(op, values, grad, n), strict=True):
        new[name] += share
    return new


@wrong("02.local-derivatives", "math.exp takes them")
def torch_exp_of_a_float(op, names, values, grad, grads, n=None):
    return added(grads, names, [grad * torch.exp(values[0])] if op == "exp" else shares_of(op, values, grad, n))


@wrong("02.local-derivatives", "mul has two inputs")
def unpacks_two_always(op, names, values, grad, grads, n=None):
    a, b = values
    return added(grads, names, shares_of(op, [a, b], grad, n))


@wrong("02.local-derivatives", "This is a float64 tensor")
def leaves_tensors(op, names, values, grad, grads, n=None):
    values = [torch.tensor(value, dtype=torch.float64) for value in values]
    shares = [grad * values[0].exp()] if op == "exp" else shares_of(op, values, grad, n)
    return added(grads, names, shares)


@wrong("02.local-derivatives", "a dict was wanted")
def returns_the_shares(op, names, values, grad, grads, n=None):
    return shares_of(op, values, grad, n)


# --- 02.unbroadcast -------------------------------------------------------------------------------------------------


@right("02.unbroadcast")
def sum_to_size(grad, shape):
    return grad.sum_to_size(shape)


@right("02.unbroadcast")
def all_axes_at_once(grad, shape):
    new = grad.dim() - len(shape)
    copied = [*range(new), *(new + axis for axis, size in enumerate(shape) if size == 1 != grad.shape[new + axis])]
    return grad.sum(copied, keepdim=True).reshape(shape) if copied else grad


@right("02.unbroadcast")
def sums_size_one_too(grad, shape):
    padded = (1,) * (grad.dim() - len(shape)) + tuple(shape)
    for axis, size in enumerate(padded):
        grad = grad.sum(dim=axis, keepdim=True) if size == 1 else grad
    return grad.reshape(shape)


@right("02.unbroadcast")
def by_the_slope_of_expand(grad, shape):
    leaf = torch.zeros(shape, dtype=grad.dtype, requires_grad=True)
    return torch.autograd.grad(leaf.expand(grad.shape), leaf, grad)[0]


def without_new_axes(grad, shape):
    while grad.dim() > len(shape):
        grad = grad.sum(0)
    return grad


def size_one_axes(grad, shape):
    return [axis for axis, size in enumerate(shape) if size == 1]


@wrong("02.unbroadcast", "Only the new leading axes were summed")
def leading_axes_only(grad, shape):
    return without_new_axes(grad, shape)


@wrong("02.unbroadcast", "those in front hold copies")
def size_one_axes_only(grad, shape):
    extra = grad.dim() - len(shape)
    for axis in size_one_axes(grad, shape):
        grad = grad.sum(axis + extra, keepdim=True)
    return grad


@wrong("02.unbroadcast", "an axis of size 1 has to stay, with keepdim=True")
def keepdim_forgotten(grad, shape):
    grad = without_new_axes(grad, shape)
    axes = size_one_axes(grad, shape)
    return grad.sum(axes) if axes else grad


@wrong("02.unbroadcast", "new leading axes have to go")
def keepdim_everywhere(grad, shape):
    extra = grad.dim() - len(shape)
    for axis in (*range(extra), *(axis + extra for axis in size_one_axes(grad, shape))):
        grad = grad.sum(axis, keepdim=True)
    return grad


@wrong("02.unbroadcast", "sum without keepdim=True removes the axis")
def axes_move_up(grad, shape):
    grad = without_new_axes(grad, shape)
    for axis in size_one_axes(grad, shape):
        grad = grad.sum(axis)
    return grad.reshape(shape)


@wrong("02.unbroadcast", "torch reads an empty list of axes")
def empty_list_of_axes(grad, shape):
    extra = grad.dim() - len(shape)
    copied = [*range(extra), *(axis + extra for axis in size_one_axes(grad, shape))]
    grad = grad.sum(copied, keepdim=True)
    return grad[(0,) * extra]


@wrong("02.unbroadcast", "And sum(dim=()) sums every axis")
def empty_list_of_axes_and_reshape(grad, shape):
    extra = grad.dim() - len(shape)
    copied = [*range(extra), *(axis + extra for axis in size_one_axes(grad, shape))]
    return grad.sum(copied).reshape(shape)


@wrong("02.unbroadcast", "torch reads an empty list of axes")
def empty_list_after_the_new_axes(grad, shape):
    grad = without_new_axes(grad, shape)
    return grad.sum(tuple(size_one_axes(grad, shape)), keepdim=True)


@wrong("02.unbroadcast", "Axes were summed by their numbers in `shape`")
def numbers_of_axes_not_shifted(grad, shape):
    for axis in size_one_axes(grad, shape):
        grad = grad.sum(axis, keepdim=True)
    return without_new_axes(grad, shape)


@wrong("02.unbroadcast", "Copies were averaged")
def averages(grad, shape):
    while grad.dim() > len(shape):
        grad = grad.mean(0)
    for axis in size_one_axes(grad, shape):
        grad = grad.mean(axis, keepdim=True)
    return grad


@wrong("02.unbroadcast", "Copies were averaged")
def averages_the_size_one_axes(grad, shape):
    grad = without_new_axes(grad, shape)
    for axis in size_one_axes(grad, shape):
        grad = grad.mean(axis, keepdim=True)
    return grad


@wrong("02.unbroadcast", "the others are missing")
def first_copy(grad, shape):
    while grad.dim() > len(shape):
        grad = grad[0]
    for axis in size_one_axes(grad, shape):
        grad = grad.narrow(axis, 0, 1)
    return grad


@wrong("02.unbroadcast", "the others are missing")
def last_copy_of_the_new_axes(grad, shape):
    while grad.dim() > len(shape):
        grad = grad[-1]
    return grad.sum(size_one_axes(grad, shape), keepdim=True) if size_one_axes(grad, shape) else grad


@wrong("02.unbroadcast", "reshape adds nothing up")
def reshapes(grad, shape):
    return grad.reshape(shape)


@wrong("02.unbroadcast", "the others are missing")
def first_numbers(grad, shape):
    return grad.flatten()[: math.prod(shape)].reshape(shape)


@wrong("02.unbroadcast", "shapes align from the right")
def aligns_from_the_left(grad, shape):
    while grad.dim() > len(shape):
        grad = grad.sum(-1)
    for axis in size_one_axes(grad, shape):
        grad = grad.sum(axis, keepdim=True)
    return grad


def other_axes(grad, shape):
    """Those that hold no copies, of a gradient with as many axes as `shape`."""
    return [axis for axis, size in enumerate(shape) if size != 1]


@wrong("02.unbroadcast", "An axis was summed that holds no copies")
def wrong_axis_with_keepdim(grad, shape):
    grad = without_new_axes(grad, shape)
    axes = other_axes(grad, shape)
    return grad.sum(axes, keepdim=True) if grad.shape != shape else grad


@wrong("02.unbroadcast", "An axis was summed that holds no copies")
def always_the_first_axis(grad, shape):
    while grad.dim() > len(shape):
        grad = grad.sum(0)
    return grad.sum(0, keepdim=True) if 1 in shape else grad


@wrong("02.unbroadcast", "An axis was summed that holds no copies")
def wrong_axis_where_the_shapes_fit(grad, shape):
    if grad.dim() == 2 and grad.shape[0] == grad.shape[1] and shape == (grad.shape[0], 1):
        return grad.sum(0)[:, None]
    return sum_to_size(grad, shape)


@wrong("02.unbroadcast", "Some copied axis is left")
def one_size_one_axis_alone(grad, shape):
    grad = without_new_axes(grad, shape)
    for axis in size_one_axes(grad, shape)[:1]:
        grad = grad.sum(axis, keepdim=True)
    return grad


@wrong("02.unbroadcast", "Everything was summed into one number")
def sums_everything(grad, shape):
    return grad.sum()


@wrong("02.unbroadcast", "expand copies, and this is the way back")
def the_way_forward(grad, shape):
    return grad.expand(shape)


@wrong("02.unbroadcast", "Nothing was summed")
def hands_on(grad, shape):
    return grad


@wrong("02.unbroadcast", "no line with `return`")
def no_return(grad, shape):
    without_new_axes(grad, shape)


@wrong("02.unbroadcast", "the sum over nothing is 0")
def longer_than_one(grad, shape):
    grad = without_new_axes(grad, shape)
    for axis in size_one_axes(grad, shape):
        grad = grad.sum(axis, keepdim=True) if grad.shape[axis] > 1 else grad
    return grad


@wrong("02.unbroadcast", "a loop that never ends")
def sum_thrown_away(grad, shape):
    while grad.dim() > len(shape):
        grad.sum(0)
    return grad


@wrong("02.unbroadcast", "dtype should be torch.float32 and is torch.float64")
def doubled(grad, shape):
    return grad.double().sum_to_size(shape)


# --- 02.topological-order -------------------------------------------------------------------------------------------


@right("02.topological-order")
def two_sets_and_entries_to_come_back_to(inputs_of, root):
    order, open_, done = [], set(), set()
    waiting = [(root, False)]
    while waiting:
        name, coming_back = waiting.pop()
        if coming_back:
            open_.remove(name)
            done.add(name)
            order.append(name)
        elif name in open_:
            raise ValueError("a cycle")
        elif name not in done:
            open_.add(name)
            waiting.append((name, True))
            waiting += [(source, False) for source in inputs_of[name] if source not in done]
    return order


@right("02.topological-order")
def iterators_on_the_stack(inputs_of, root):
    state, order, stack = {root: "open"}, [], [(root, iter(inputs_of[root]))]
    while stack:
        name, rest = stack[-1]
        source = next(rest, None)
        if source is None:
            state[name] = "done"
            order.append(name)
            stack.pop()
        elif source not in state:
            state[source] = "open"
            stack.append((source, iter(inputs_of[source])))
        elif state[source] == "open":
            raise ValueError(f"{source} is on a cycle")
    return order


@right("02.topological-order")
def counting_inputs(inputs_of, root):
    found, waiting = {root}, [root]
    while waiting:
        for source in inputs_of[waiting.pop()]:
            if source not in found:
                found.add(source)
                waiting.append(source)
    users, missing = {name: [] for name in found}, {}
    for name in found:
        missing[name] = len(inputs_of[name])
        for source in inputs_of[name]:
            users[source].append(name)
    ready, order = deque(name for name in found if not missing[name]), []
    while ready:
        name = ready.popleft()
        order.append(name)
        for user in users[name]:
            missing[user] -= 1
            if missing[user] == 0:
                ready.append(user)
    if len(order) < len(found):
        raise ValueError("these depend on each other")
    return tuple(order)


@right("02.topological-order")
def by_the_library(inputs_of, root):
    needed, waiting = {}, [root]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = set(inputs_of[name])
            waiting += inputs_of[name]
    return list(graphlib.TopologicalSorter(needed).static_order())  # CycleError is a ValueError


@wrong("02.topological-order", "This is recursion")
def recursive(inputs_of, root):
    order, open_ = [], set()

    def visit(name):
        if name in order:
            return
        if name in open_:
            raise ValueError("a cycle")
        open_.add(name)
        for source in inputs_of[name]:
            visit(source)
        order.append(name)

    visit(root)
    return order


@wrong("02.topological-order", "so too where that limit was raised")
def recursive_beyond_the_limit(inputs_of, root):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        return recursive(inputs_of, root)
    finally:
        sys.setrecursionlimit(before)


def users_first(inputs_of, root, complain):
    """Kahn's method from root, with the users counted over the whole dictionary."""
    users = Counter(source for sources in inputs_of.values() for source in sources)
    order, ready = [], deque([root])
    while ready:
        name = ready.popleft()
        order.append(name)
        for source in inputs_of[name]:
            users[source] -= 1
            if users[source] == 0:
                ready.append(source)
    if complain and any(users[name] for name in users):
        raise ValueError("a cycle")
    return order[::-1]


@wrong("02.topological-order", "Find the nodes that root depends on first")
def counts_users_over_the_whole_dictionary(inputs_of, root):
    return users_first(inputs_of, root, complain=False)


@wrong("02.topological-order", "Find the nodes that root depends on first")
def calls_waiting_users_a_cycle(inputs_of, root):
    return users_first(inputs_of, root, complain=True)


@wrong("02.topological-order", "the recursion went round it")
def recursive_without_a_mark(inputs_of, root):
    order = []

    def visit(name):
        if name not in order:
            for source in inputs_of[name]:
                visit(source)
            order.append(name)

    visit(root)
    return order


@wrong("02.topological-order", "the order of a breadth-first search")
def breadth_first(inputs_of, root):
    order, waiting = [root], deque([root])
    while waiting:
        for source in inputs_of[waiting.popleft()]:
            if source not in order:
                order.append(source)
                waiting.append(source)
    return order[::-1]


@wrong("02.topological-order", "only when all its inputs are in it")
def depth_first_as_met(inputs_of, root):
    order, stack, seen = [], [root], set()
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            order.append(name)
            stack += inputs_of[name]
    return list(reversed(order))


@wrong("02.topological-order", "only when all its inputs are in it")
def marked_when_put_on_the_stack(inputs_of, root):
    order, seen, stack = [], {root}, [(root, False)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.append(name)
            continue
        stack.append((name, True))
        for source in inputs_of[name]:
            if source not in seen:
                seen.add(source)
                stack.append((source, False))
    return order


@wrong("02.topological-order", "more than once")
def never_marked(inputs_of, root):
    order, stack = [], [(root, False)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.append(name)
        else:
            stack.append((name, True))
            stack += [(source, False) for source in inputs_of[name]]
    return order


@wrong("02.topological-order", "more than once")
def marked_too_late(inputs_of, root):
    order, done, stack = [], set(), [(root, False)]
    while stack:
        name, ready = stack.pop()
        if ready:
            done.add(name)
            order.append(name)
        else:
            stack.append((name, True))
            stack += [(source, False) for source in inputs_of[name] if source not in done]
    return order


@wrong("02.topological-order", "Walk nodes, not paths")
def walks_every_path(inputs_of, root):
    paths, stack = [], [root]
    while stack:
        name = stack.pop()
        paths.append(name)
        stack += inputs_of[name]
    return list(dict.fromkeys(reversed(paths)))  # wherever it was met last: right for acyclic graphs, and exponential


@wrong("02.topological-order", "may just be used in two places")
def diamond_called_a_cycle(inputs_of, root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        name, ready = stack.pop()
        if ready:
            order.append(name)
        elif name in seen:
            raise ValueError("seen before: a cycle")
        else:
            seen.add(name)
            stack.append((name, True))
            stack += [(source, False) for source in dict.fromkeys(inputs_of[name])]
    return order


@wrong("02.topological-order", "may just be used in two places")
def square_called_a_cycle(inputs_of, root):
    order = two_sets_and_entries_to_come_back_to(inputs_of, root)
    if any(len(set(inputs_of[name])) < len(inputs_of[name]) for name in order):
        raise ValueError("an input twice")
    return order


@wrong("02.topological-order", "returned and not raised")
def returns_the_error(inputs_of, root):
    try:
        return two_sets_and_entries_to_come_back_to(inputs_of, root)
    except ValueError as error:
        return error


@wrong("02.topological-order", "returned and not raised")
def returns_the_class_of_the_error(inputs_of, root):
    try:
        return two_sets_and_entries_to_come_back_to(inputs_of, root)
    except ValueError:
        return ValueError


@wrong("02.topological-order", "mark a node as started, and only then look at its inputs")
def started_is_marked_too_late(inputs_of, root):
    order, started, done, stack = [], set(), set(), [root]
    while stack:
        name = stack[-1]
        if name in started or name in done:
            stack.pop()
            if name not in done:
                done.add(name)
                order.append(name)
            continue
        for source in inputs_of[name]:
            if source in started and source not in done:
                raise ValueError("a cycle")
            if source not in done:
                stack.append(source)
        started.add(name)
    return order


@wrong("02.topological-order", "It takes two marks, started and finished, and a test")
def ignores_cycles(inputs_of, root):
    order, seen, done, stack = [], set(), set(), [root]
    while stack:
        name = stack[-1]
        if name not in seen:
            seen.add(name)
            stack += [source for source in inputs_of[name] if source not in seen]
        else:
            stack.pop()
            if name not in done:
                done.add(name)
                order.append(name)
    return order


@wrong("02.topological-order", "The code went on without end here")
def endless_on_a_cycle(inputs_of, root):
    order, stack = [], [root]
    done = set()
    while stack:
        name = stack[-1]
        missing = [source for source in inputs_of[name] if source not in done]
        if missing:
            stack.append(missing[0])
        else:
            stack.pop()
            if name not in done:
                done.add(name)
                order.append(name)
    return order


@wrong("02.topological-order", "'u' depends on itself here")
def self_loop_overlooked(inputs_of, root):
    without = {name: [source for source in sources if source != name] for name, sources in inputs_of.items()}
    return two_sets_and_entries_to_come_back_to(without, root)


@wrong("02.topological-order", "and RuntimeError came")
def another_error(inputs_of, root):
    try:
        return two_sets_and_entries_to_come_back_to(inputs_of, root)
    except ValueError:
        raise RuntimeError("a cycle") from None


@wrong("02.topological-order", "does not depend on it")
def the_whole_dictionary(inputs_of, root):
    return list(graphlib.TopologicalSorter(inputs_of).static_order())


@wrong("02.topological-order", "wrong way round")
def root_first(inputs_of, root):
    return iterators_on_the_stack(inputs_of, root)[::-1]


@wrong("02.topological-order", "root itself, 'loss', is missing")
def root_left_out(inputs_of, root):
    return iterators_on_the_stack(inputs_of, root)[:-1] or [root]


@wrong("02.topological-order", "the leaves have to be in the list as well")
def leaves_forgotten(inputs_of, root):
    return [name for name in iterators_on_the_stack(inputs_of, root) if inputs_of[name] or name == root]


@wrong("02.topological-order", "Follow the inputs of the inputs too")
def direct_inputs_only(inputs_of, root):
    return [*dict.fromkeys(inputs_of[root]), root]


@wrong("02.topological-order", "more than 200 lines for each node")
def rescans_all_nodes(inputs_of, root):
    needed = iterators_on_the_stack(inputs_of, root)[::-1]
    order = []
    while needed:
        for name in needed:
            if all(source in order for source in inputs_of[name]):
                order.append(name)
                needed.remove(name)
                break
    return order


@wrong("02.topological-order", "work on a copy")
def eats_the_graph(inputs_of, root):
    order = []
    while root in inputs_of:
        name = root
        while inputs_of[name]:
            if inputs_of[name][-1] in inputs_of:
                name = inputs_of[name][-1]
            else:
                inputs_of[name].pop()
        order.append(name)
        del inputs_of[name]
    return order


@wrong("02.topological-order", "list(reversed(order))")
def an_iterator(inputs_of, root):
    order = root_first(inputs_of, root)
    return reversed(order)


@wrong("02.topological-order", "A set has no order")
def a_set(inputs_of, root):
    return set(iterators_on_the_stack(inputs_of, root))


@wrong("02.topological-order", "collect them with order.append(name)")
def a_dictionary(inputs_of, root):
    return dict.fromkeys(iterators_on_the_stack(inputs_of, root), True)


@wrong("02.topological-order", "no line with `return` was reached")
def order_not_returned(inputs_of, root):
    iterators_on_the_stack(inputs_of, root)


# --- 02.debug -------------------------------------------------------------------------------------------------------


@right("02.debug")
def with_slices_and_defaults(tape):
    grads = {name: 0.0 for step in tape for name in (step[0], *step[1])}
    grads[tape[-1][0]] = 1.0
    for name, inputs, slopes in tape[::-1]:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] += grads[name] * slope
    return grads


@right("02.debug")
def default_cleared(tape, grads={}):  # noqa: B006
    grads.clear()
    grads.update(with_slices_and_defaults(tape))
    return grads


@right("02.debug")
def sum_over_users(tape):
    steps = [step[0] for step in tape]
    leaves = {source for step in tape for source in step[1]} - set(steps)
    grads = {steps[-1]: 1.0}
    for wanted in [*steps[::-1], *leaves]:
        if wanted not in grads:
            grads[wanted] = sum(
                grads[name] * slope
                for name, inputs, slopes in tape
                for source, slope in zip(inputs, slopes, strict=True)
                if source == wanted
            )
    return grads


@wrong("02.debug", "Something is kept from one call to the next")
def the_broken_sweep(tape, grads={}):  # noqa: B006
    grads[tape[-1][0]] = 1.0
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "Something is kept from one call to the next")
def only_the_dictionary_left(tape, grads={}):  # noqa: B006
    grads[tape[-1][0]] = 1.0
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads[name]
    return grads


@wrong("02.debug", "Shares were overwritten")
def kept_and_overwritten(tape, grads={}):  # noqa: B006
    grads[tape[-1][0]] = 1.0
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = slope * grads[name]
    return grads


_kept = {}


@wrong("02.debug", "Something is kept from one call to the next")
def kept_and_filtered(tape):
    _kept[tape[-1][0]] = 1.0
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            _kept[source] = _kept.get(source, 0.0) + slope * _kept[name]
    return {name: _kept[name] for step in tape for name in (step[0], *step[1])}


@wrong("02.debug", "The tape was walked from its beginning")
def walked_forwards(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "The tape was walked from its beginning")
def walked_forwards_and_overwritten(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "Either the tape is walked from its beginning")
def walked_forwards_without_a_default(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads[name]
    return grads


@wrong("02.debug", "as if 1 had arrived at every name")
def walked_forwards_with_ones(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 1.0)
    return grads


@wrong("02.debug", "as if 1 had arrived at every name")
def walked_forwards_with_ones_and_overwritten(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = slope * grads.get(name, 1.0)
    return grads


@wrong("02.debug", "The sums begin at 1")
def sums_begin_at_one(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 1.0) + slope * grads[name]
    return grads


@wrong("02.debug", "The result itself is missing")
def ones_in_place_of_a_start(tape):
    grads = {}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 1.0)
    return grads


@wrong("02.debug", "Shares were overwritten")
def still_overwritten(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = slope * grads[name]
    return grads


@wrong("02.debug", "The first share to come was kept")
def first_share_kept(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads.setdefault(source, slope * grads[name])
    return grads


@wrong("02.debug", "as if 1 had arrived at every name")
def slopes_alone(tape):
    grads = {tape[-1][0]: 1.0}
    for _, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope
    return grads


@wrong("02.debug", "Only one step was gone through")
def returns_inside_the_loop(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads[name]
        return grads


@wrong("02.debug", "Only one step was gone through")
def returns_inside_the_inner_loop(tape):
    grads = {tape[-1][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads[name]
            return grads


@wrong("02.debug", "made anew inside the loop")
def dictionary_inside_the_loop(tape):
    for name, inputs, slopes in reversed(tape):
        grads = {tape[-1][0]: 1.0}
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "made anew inside the loop")
def empty_dictionary_inside_the_loop(tape):
    for name, inputs, slopes in reversed(tape):
        grads = {}
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "nothing starts the sweep")
def nothing_to_start_with(tape):
    grads = {name: 0.0 for step in tape for name in (step[0], *step[1])}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] += slope * grads[name]
    return grads


@wrong("02.debug", "the result, whose gradient is 1, is the name of the *last* step")
def starts_at_the_first_step(tape):
    grads = {tape[0][0]: 1.0}
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads.get(name, 0.0)
    return grads


@wrong("02.debug", "The local derivatives are missing")
def slopes_forgotten(tape):
    return with_slices_and_defaults([(name, inputs, [1.0] * len(inputs)) for name, inputs, _ in tape])


@wrong("02.debug", "have no step of their own")
def steps_only(tape):
    grads = with_slices_and_defaults(tape)
    return {step[0]: grads[step[0]] for step in tape}


@wrong("02.debug", "The result itself is missing")
def result_forgotten(tape):
    grads = with_slices_and_defaults(tape)
    del grads[tape[-1][0]]
    return grads


@wrong("02.debug", "reversed(tape) goes through it backwards")
def turns_the_tape(tape):
    grads = {tape[-1][0]: 1.0}
    tape.reverse()
    for name, inputs, slopes in tape:
        for source, slope in zip(inputs, slopes, strict=True):
            grads[source] = grads.get(source, 0.0) + slope * grads[name]
    return grads


# --- 02.softmax-cross-entropy ---------------------------------------------------------------------------------------


@right("02.softmax-cross-entropy")
def one_line(logits, labels):
    return (logits.softmax(1) - functional.one_hot(labels, logits.shape[1])).to(logits.dtype) / logits.shape[0]


@right("02.softmax-cross-entropy")
def row_by_row(logits, labels):
    rows = []
    for row, label in zip(logits, labels.tolist(), strict=True):
        p = torch.exp(row - row.logsumexp(0))
        rows.append(torch.stack([p[c] - int(c == label) for c in range(len(p))]))
    return torch.stack(rows) / len(rows)


def softmax_minus_one_hot(logits, labels):
    return torch.softmax(logits, 1) - functional.one_hot(labels, logits.shape[1])


@wrong("02.softmax-cross-entropy", "gradient of the sum")
def not_divided(logits, labels):
    return softmax_minus_one_hot(logits, labels)


@wrong("02.softmax-cross-entropy", "examples times classes")
def divided_by_all_entries(logits, labels):
    return softmax_minus_one_hot(logits, labels) / logits.numel()


@wrong("02.softmax-cross-entropy", "The division is by the number of classes")
def divided_by_classes(logits, labels):
    return softmax_minus_one_hot(logits, labels) / logits.shape[1]


@wrong("02.softmax-cross-entropy", "made twice")
def divided_twice(logits, labels):
    return softmax_minus_one_hot(logits, labels) / len(labels) / len(labels)


@wrong("02.softmax-cross-entropy", "The sign is the wrong way round")
def one_hot_minus_softmax(logits, labels):
    return -softmax_minus_one_hot(logits, labels) / len(labels)


@wrong("02.softmax-cross-entropy", "The sign is the wrong way round")
def one_hot_minus_softmax_not_divided(logits, labels):
    return functional.one_hot(labels, logits.shape[1]) - torch.softmax(logits, 1)


@wrong("02.softmax-cross-entropy", "wrong axis")
def softmax_over_the_batch(logits, labels):
    return (torch.softmax(logits, 0) - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "exp overflowed")
def unshifted(logits, labels):
    p = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    return (p - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "probabilities, which are a tensor of your own")
def in_place(logits, labels):
    logits.copy_(torch.softmax(logits, 1))
    logits[torch.arange(len(labels)), labels] -= 1
    return logits / len(labels)


@wrong("02.softmax-cross-entropy", "This is the softmax alone")
def softmax_only(logits, labels):
    return torch.softmax(logits, 1)


@wrong("02.softmax-cross-entropy", "This is the softmax alone")
def softmax_only_divided(logits, labels):
    return torch.softmax(logits, 1) / len(labels)


@wrong("02.softmax-cross-entropy", "one-hot part alone")
def minus_one_hot_only(logits, labels):
    return -functional.one_hot(labels, logits.shape[1]).to(logits.dtype) / len(labels)


@wrong("02.softmax-cross-entropy", "the softmax is missing")
def logits_minus_one_hot(logits, labels):
    return (logits - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "The sum of exp runs over the whole batch")
def one_sum_for_all_rows(logits, labels):
    exp = torch.exp(logits - logits.amax(1, keepdim=True))
    return (exp / exp.sum() - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "log-probabilities")
def log_probabilities(logits, labels):
    return (torch.log_softmax(logits, 1) - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "replaced by -1")
def minus_one_in_place_of_minus_equals(logits, labels):
    p = torch.softmax(logits, 1)
    p[torch.arange(len(labels)), labels] = -1
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "applied twice")
def softmax_twice(logits, labels):
    return softmax_minus_one_hot(torch.softmax(logits, 1), labels) / len(labels)


@wrong("02.softmax-cross-entropy", "picks all those columns in every row")
def whole_columns(logits, labels):
    p = torch.softmax(logits, 1)
    p[:, labels] -= 1
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "the other entries lack theirs")
def true_class_only(logits, labels):
    hot = functional.one_hot(labels, logits.shape[1])
    return (torch.softmax(logits, 1) - 1) * hot / len(labels)


@wrong("02.softmax-cross-entropy", "picks whole *rows*")
def whole_rows(logits, labels):
    p = torch.softmax(logits, 1)
    p[labels] -= 1.0
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "they are numbers, (batch,), where one-hot rows belong")
def minus_the_labels(logits, labels):
    return (torch.softmax(logits, 1) - labels) / len(labels)


@wrong("02.softmax-cross-entropy", "The labels themselves were subtracted")
def minus_the_labels_as_a_column(logits, labels):
    return (torch.softmax(logits, 1) - labels[:, None]) / len(labels)


@wrong("02.softmax-cross-entropy", "Only one of the two terms was divided")
def second_term_divided(logits, labels):
    return torch.softmax(logits, 1) - functional.one_hot(labels, logits.shape[1]) / len(labels)


@wrong("02.softmax-cross-entropy", "Only one of the two terms was divided")
def first_term_divided(logits, labels):
    p = torch.softmax(logits, 1) / len(labels)
    p[torch.arange(len(labels)), labels] -= 1
    return p


@wrong("02.softmax-cross-entropy", "was set to 0")
def zero_at_the_true_class(logits, labels):
    p = torch.softmax(logits, 1)
    p[torch.arange(len(labels)), labels] = 0
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "Here sigmoids meet")
def sigmoid_for_softmax(logits, labels):
    return (torch.sigmoid(logits) - functional.one_hot(labels, logits.shape[1])) / len(labels)


@wrong("02.softmax-cross-entropy", "Only the entries of the true classes came back")
def true_entries(logits, labels):
    return softmax_minus_one_hot(logits, labels)[torch.arange(len(labels)), labels] / len(labels)


@wrong("02.softmax-cross-entropy", "The rows were added up or averaged")
def mean_of_the_rows(logits, labels):
    return softmax_minus_one_hot(logits, labels).mean(0)


@wrong("02.softmax-cross-entropy", "changes a copy")
def changes_a_copy(logits, labels):
    p = torch.softmax(logits, 1)
    for c in range(logits.shape[1]):
        p[labels == c][:, c] -= 1
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "p - 1 belongs there, and not 1 - p")
def one_minus_p(logits, labels):
    p = torch.softmax(logits, 1)
    rows = torch.arange(len(labels))
    p[rows, labels] = 1 - p[rows, labels]
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "p - 1 belongs there, and not 1 - p")
def one_minus_p_alone(logits, labels):
    p = torch.softmax(logits, 1)
    return (1 - p) * functional.one_hot(labels, logits.shape[1])


@wrong("02.softmax-cross-entropy", "the slope of the loss for the *probability*")
def slope_in_the_probability(logits, labels):
    slopes = torch.zeros_like(logits)
    rows = torch.arange(len(labels))
    slopes[rows, labels] = -1 / torch.softmax(logits, 1)[rows, labels]
    return slopes / len(labels)


@wrong("02.softmax-cross-entropy", "the slope of the loss for the *probability*")
def slope_in_every_probability(logits, labels):
    return -1 / torch.softmax(logits, 1) / len(labels)


@wrong("02.softmax-cross-entropy", "the slope of the loss for the *probability*")
def slope_in_the_probability_beside_p(logits, labels):
    p = torch.softmax(logits, 1)
    rows = torch.arange(len(labels))
    p[rows, labels] = -1 / p[rows, labels]
    return p


@wrong("02.softmax-cross-entropy", "p (1 - p)")
def with_the_slope_of_p(logits, labels):
    p = torch.softmax(logits, 1)
    return (p - functional.one_hot(labels, logits.shape[1])) * p * (1 - p) / len(labels)


@wrong("02.softmax-cross-entropy", "This is the loss")
def the_loss(logits, labels):
    return functional.cross_entropy(logits, labels)


@wrong("02.softmax-cross-entropy", "one_hot needs the number of classes")
def one_hot_without_classes(logits, labels):
    return (torch.softmax(logits, 1) - functional.one_hot(labels)) / len(labels)


@wrong("02.softmax-cross-entropy", "The labels picked rows")
def labels_pick_rows(logits, labels):
    p = torch.softmax(logits, 1)
    p[labels, torch.arange(len(labels))] -= 1
    return p / len(labels)


@wrong("02.softmax-cross-entropy", "dtype should be torch.float32")
def always_double(logits, labels):
    return softmax_minus_one_hot(logits.double(), labels) / len(labels)


# --- 02.batch-norm --------------------------------------------------------------------------------------------------


@right("02.batch-norm")
def node_by_node(grad, x, weight, eps):
    n = len(x)
    centred = x - x.sum(0) / n
    variance = (centred * centred).sum(0) / n
    inverse = (variance + eps) ** -0.5
    at_normal = grad * weight
    at_variance = (at_normal * centred).sum(0) * -0.5 * inverse**3
    at_centred = at_normal * inverse + at_variance * 2 * centred / n
    at_x = at_centred - at_centred.sum(0) / n
    return at_x, (grad * centred * inverse).sum(0), grad.sum(0)


@right("02.batch-norm")
def in_one_fraction(grad, x, weight, eps):
    n, std = x.shape[0], (x.var(dim=0, correction=0) + eps).sqrt()
    x_hat = (x - x.mean(0)) / std
    bias, scale = torch.einsum("bf->f", grad), torch.einsum("bf,bf->f", grad, x_hat)
    return [weight / (n * std) * (n * grad - bias - x_hat * scale), scale, bias]


@right("02.batch-norm")
def by_torch(grad, x, weight, eps):
    leaves = [t.clone().requires_grad_() for t in (x, weight, torch.zeros_like(weight))]
    y = (leaves[0] - leaves[0].mean(0)) / (leaves[0].var(0, correction=0) + eps).sqrt() * leaves[1] + leaves[2]
    return torch.autograd.grad(y, leaves, grad)


def forward(x, eps):
    std = (x.var(0, correction=0) + eps).sqrt()
    return (x - x.mean(0)) / std, std


def backward(grad, x, weight, eps, *, x_hat=None, std=None, mean=True, variance=True):
    """Right unless a part is given or left out."""
    x_hat, std = (own if given is None else given for given, own in zip((x_hat, std), forward(x, eps), strict=True))
    d = grad * weight
    paths = d - mean * d.mean(0) - variance * x_hat * (d * x_hat).mean(0)
    return paths / std, (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "mean and variance were both taken for constants")
def both_constant(grad, x, weight, eps):
    return backward(grad, x, weight, eps, mean=False, variance=False)


@wrong("02.batch-norm", "The mean was taken for a constant")
def mean_constant(grad, x, weight, eps):
    return backward(grad, x, weight, eps, mean=False)


@wrong("02.batch-norm", "The variance was taken for a constant")
def variance_constant(grad, x, weight, eps):
    return backward(grad, x, weight, eps, variance=False)


@wrong("02.batch-norm", "The variance is divided by n - 1 here")
def unbiased_variance(grad, x, weight, eps):
    std = (x.var(0) + eps).sqrt()
    return backward(grad, x, weight, eps, std=std, x_hat=(x - x.mean(0)) / std)


@wrong("02.batch-norm", "The variance is divided by n - 1 here")
def unbiased_variance_in_the_last_division(grad, x, weight, eps):
    return backward(grad, x, weight, eps, std=(x.var(0) + eps).sqrt())


@wrong("02.batch-norm", "eps stands outside the root: it is")
def eps_outside_the_root(grad, x, weight, eps):
    std = x.std(0, correction=0) + eps
    return backward(grad, x, weight, eps, std=std, x_hat=(x - x.mean(0)) / std)


@wrong("02.batch-norm", "eps stands outside the root, and the variance")
def eps_outside_and_unbiased(grad, x, weight, eps):
    std = x.std(0) + eps
    return backward(grad, x, weight, eps, std=std, x_hat=(x - x.mean(0)) / std)


@wrong("02.batch-norm", "eps is missing")
def eps_forgotten(grad, x, weight, eps):
    return backward(grad, x, weight, 0.0)


@wrong("02.batch-norm", "The root is missing")
def root_forgotten(grad, x, weight, eps):
    variance = x.var(0, correction=0) + eps
    return backward(grad, x, weight, eps, std=variance, x_hat=(x - x.mean(0)) / variance)


@wrong("02.batch-norm", "This multiplies by sqrt(variance + eps)")
def multiplied_in_the_end(grad, x, weight, eps):
    return backward(grad, x, weight, eps, std=1 / forward(x, eps)[1])


@wrong("02.batch-norm", "The division by sqrt(variance + eps) is missing")
def last_division_forgotten(grad, x, weight, eps):
    return backward(grad, x, weight, eps, std=torch.ones_like(weight))


@wrong("02.batch-norm", "weight is missing in grad_x")
def weight_forgotten(grad, x, weight, eps):
    return backward(grad, x, torch.ones_like(weight), eps)


@wrong("02.batch-norm", "sums over the batch where means belong")
def sums_for_means(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    d = grad * weight
    return (d - d.sum(0) - x_hat * (d * x_hat).sum(0)) / std, (grad * x_hat).sum(0), grad.sum(0)


def node_by_node_with(factor_of_variance, grad, x, weight, eps):
    """As node_by_node, with another factor on the way from the variance to the deviations."""
    n = len(x)
    centred = x - x.mean(0)
    inverse = ((centred**2).mean(0) + eps) ** -0.5
    at_variance = (grad * weight * centred).sum(0) * inverse**3
    at_centred = grad * weight * inverse + factor_of_variance(n) * at_variance * centred
    return at_centred - at_centred.mean(0), (grad * centred * inverse).sum(0), grad.sum(0)


@wrong("02.batch-norm", "The path through the variance is n times too large")
def sum_in_the_variance_path(grad, x, weight, eps):
    return node_by_node_with(lambda n: -1 / 2 * 2, grad, x, weight, eps)


@wrong("02.batch-norm", "The path through the variance is n times too large")
def variance_path_summed_in_the_short_form(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    grad_weight, grad_bias = (grad * x_hat).sum(0), grad.sum(0)
    return weight / std * (grad - grad_bias / len(x) - x_hat * grad_weight), grad_weight, grad_bias


@wrong("02.batch-norm", "The path through the mean is n times too large")
def mean_path_summed_in_the_short_form(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    grad_weight, grad_bias = (grad * x_hat).sum(0), grad.sum(0)
    return weight / std * (grad - grad_bias - x_hat * grad_weight / len(x)), grad_weight, grad_bias


@wrong("02.batch-norm", "Look for the 1/2 of the root")
def half_of_the_root_forgotten(grad, x, weight, eps):
    return node_by_node_with(lambda n: -1 * 2 / n, grad, x, weight, eps)


@wrong("02.batch-norm", "Look for the 2 of the square")
def two_of_the_square_forgotten(grad, x, weight, eps):
    return node_by_node_with(lambda n: -1 / 2 / n, grad, x, weight, eps)


@wrong("02.batch-norm", "The path through the variance is n times too large")
def two_steps_of_the_chapter_without_the_mean(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    d = grad * weight
    at_std = -(d * x_hat).sum(0) / std
    at_deviation = d / std + at_std * x_hat
    return at_deviation - at_deviation.mean(0), (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "Mean and variance were taken over each row")
def statistics_of_rows_that_fit(grad, x, weight, eps):
    x_hat = (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + eps).sqrt()
    return grad * weight, (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "weight is in there twice")
def weight_twice(grad, x, weight, eps):
    grad_x, *rest = backward(grad, x, weight, eps)
    return weight * grad_x, *rest


@wrong("02.batch-norm", "In the path through the variance eps is missing")
def eps_forgotten_on_the_way_back(grad, x, weight, eps):
    centred, (x_hat, std) = x - x.mean(0), forward(x, eps)
    d = grad * weight
    at_variance = (d * centred).sum(0) * -0.5 * x.var(0, correction=0) ** -1.5
    at_centred = d / std + at_variance * 2 * centred / len(x)
    return at_centred - at_centred.mean(0), (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "The variance is a sum of squares here")
def sum_of_squares(grad, x, weight, eps):
    std = (((x - x.mean(0)) ** 2).sum(0) + eps).sqrt()
    return backward(grad, x, weight, eps, std=std, x_hat=(x - x.mean(0)) / std)


@wrong("02.batch-norm", "In the last division of grad_x: The variance is a sum of squares here")
def sum_of_squares_in_the_last_division(grad, x, weight, eps):
    return backward(grad, x, weight, eps, std=(((x - x.mean(0)) ** 2).sum(0) + eps).sqrt())


@wrong("02.batch-norm", "n times too large")
def n_times_too_large(grad, x, weight, eps):
    grad_x, *rest = backward(grad, x, weight, eps)
    return len(x) * grad_x, *rest


@wrong("02.batch-norm", "n times too small")
def n_times_too_small(grad, x, weight, eps):
    grad_x, *rest = backward(grad, x, weight, eps)
    return grad_x / len(x), *rest


@wrong("02.batch-norm", "The path through the variance was added")
def variance_path_added(grad, x, weight, eps):
    return backward(grad, x, weight, eps, variance=-1)


@wrong("02.batch-norm", "The path through the mean was added")
def mean_path_added(grad, x, weight, eps):
    return backward(grad, x, weight, eps, mean=-1)


@wrong("02.batch-norm", "divided once too little")
def deviation_for_x_hat(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    d = grad * weight
    grad_x = (d - d.mean(0) - (x - x.mean(0)) * (d * x_hat).mean(0)) / std
    return grad_x, (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "This uses x as it came")
def weight_from_x(grad, x, weight, eps):
    grad_x, _, grad_bias = backward(grad, x, weight, eps)
    return grad_x, (grad * x).sum(0), grad_bias


@wrong("02.batch-norm", "This uses x - mean, without the division")
def weight_from_the_deviation(grad, x, weight, eps):
    grad_x, _, grad_bias = backward(grad, x, weight, eps)
    return grad_x, (grad * (x - x.mean(0))).sum(0), grad_bias


@wrong("02.batch-norm", "This uses weight * x_hat")
def weight_from_the_output(grad, x, weight, eps):
    grad_x, grad_weight, grad_bias = backward(grad, x, weight, eps)
    return grad_x, grad_weight * weight, grad_bias


@wrong("02.batch-norm", "weight is used once for each example")
def weight_averaged(grad, x, weight, eps):
    grad_x, grad_weight, grad_bias = backward(grad, x, weight, eps)
    return grad_x, grad_weight / len(x), grad_bias


@wrong("02.batch-norm", "bias is used once for each example")
def bias_averaged(grad, x, weight, eps):
    grad_x, grad_weight, _ = backward(grad, x, weight, eps)
    return grad_x, grad_weight, grad.mean(0)


@wrong("02.batch-norm", "The sum runs over the features")
def bias_summed_over_features(grad, x, weight, eps):
    grad_x, grad_weight, _ = backward(grad, x, weight, eps)
    return grad_x, grad_weight, grad.sum(1)


@wrong("02.batch-norm", "The sum runs over the features")
def weight_summed_over_features(grad, x, weight, eps):
    grad_x, _, grad_bias = backward(grad, x, weight, eps)
    return grad_x, (grad * forward(x, eps)[0]).sum(1), grad_bias


@wrong("02.batch-norm", "without keepdim")
def sums_that_keep_the_axis(grad, x, weight, eps):
    grad_x, *sums = backward(grad, x, weight, eps)
    return grad_x, *(part[None] for part in sums)


@wrong("02.batch-norm", "every example still stands by itself")
def bias_not_summed(grad, x, weight, eps):
    grad_x, grad_weight, _ = backward(grad, x, weight, eps)
    return grad_x, grad_weight, grad


@wrong("02.batch-norm", "every example still stands by itself")
def weight_not_summed(grad, x, weight, eps):
    grad_x, _, grad_bias = backward(grad, x, weight, eps)
    return grad_x, grad * forward(x, eps)[0], grad_bias


@wrong("02.batch-norm", "the order is grad_x, grad_weight, grad_bias")
def bias_before_weight(grad, x, weight, eps):
    grad_x, grad_weight, grad_bias = backward(grad, x, weight, eps)
    return grad_x, grad_bias, grad_weight


@wrong("02.batch-norm", "dim=1 they would be (batch,)")
def statistics_of_rows(grad, x, weight, eps):
    x_hat = (x - x.mean(1)) / (x.var(1, correction=0) + eps).sqrt()
    return grad * x_hat, (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "a difference says")
def mean_over_rows_where_it_fits(grad, x, weight, eps):
    x_hat, std = forward(x, eps)
    d = grad * weight
    means = d.mean(1) if len(x) == len(weight) else d.mean(0)
    return (d - means - x_hat * (d * x_hat).mean(0)) / std, (grad * x_hat).sum(0), grad.sum(0)


@wrong("02.batch-norm", "a tuple of 3 was wanted")
def grad_x_alone(grad, x, weight, eps):
    return backward(grad, x, weight, eps)[0]


@wrong("02.batch-norm", "make new tensors")
def centres_in_place(grad, x, weight, eps):
    x -= x.mean(0)
    return backward(grad, x, weight, eps)


@wrong("02.batch-norm", "No matrix product is needed")
def a_matrix_product(grad, x, weight, eps):
    grad_x, _, grad_bias = backward(grad, x, weight, eps)
    return grad_x, grad @ x, grad_bias
