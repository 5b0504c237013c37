"""02.topological-order: every node after its inputs, without recursion, and ValueError for a cycle."""

from collections import Counter
from typing import Any

import torch

from dlcourse.checks.examiner import Examiner
from dlcourse.checks.exercise import Exercise
from dlcourse.checks.outcome import AnswerError
from dlcourse.checks.show import Later, Words, kind, show
from dlcourse.checks.subject import Subject


def topological_order(inputs_of, root):
    order, started, finished = [], set(), set()
    stack = [root]
    while stack:
        node = stack[-1]
        if node not in started:
            started.add(node)
            for source in inputs_of[node]:
                if source in started and source not in finished:
                    raise ValueError(f"{source} depends on itself")
                if source not in finished:
                    stack.append(source)
        else:
            stack.pop()
            if node not in finished:
                finished.add(node)
                order.append(node)
    return order


Graph = dict[str, list[str]]


def _fault(got: Any, inputs_of: Graph, root: str) -> str:
    """What is wrong with an order, and the likely reason; "" when nothing is."""
    if type(got) not in (list, tuple):
        came = "Nothing was returned: no line with `return` was reached." if got is None else f"This is {kind(got)}."
        return f"{came} Wanted is a list of names: collect them with order.append(name), and return it."
    if not all(type(name) is str for name in got):
        return "The list should hold names of nodes, as texts, and nothing else."
    if strange := [name for name in got if name not in inputs_of]:
        return f"{strange[0]!r} is no node of this graph."
    wanted = set(topological_order(inputs_of, root))
    lost = wanted - set(got)
    if twice := [name for name, times in Counter(got).items() if times > 1]:
        return (
            f"{twice[0]!r} stands in the list more than once. A node that several others use is reached several times: "
            "when you take it from the stack and it is in the list already, go on to the next one."
        )
    if others := [name for name in got if name not in wanted]:
        return (
            f"{others[0]!r} is in the list, and {root!r} does not depend on it. Begin at root and follow the inputs; "
            "do not go through the whole dictionary."
        )
    if missing := [name for name in inputs_of if name in lost]:
        if missing == [root]:
            return f"root itself, {root!r}, is missing: it is the last of the list."
        if set(got) == _without_waiting_users(inputs_of, root):
            return f"{missing[0]!r} is missing. {OUTSIDERS}"
        return (
            f"{missing[0]!r} is missing, and {root!r} depends on it. Follow the inputs of the inputs too, down to the "
            "leaves, whose lists are empty; the leaves have to be in the list as well."
        )
    first = _first_early(list(got), inputs_of)
    if not first:
        return ""
    node, source = first
    seen = f"{node!r} stands before {source!r}, from which it was computed. "
    if not _first_early(list(got)[::-1], inputs_of):
        return seen + (
            "The whole list is the wrong way round: inputs come first, root last. (The backward sweep will walk it "
            "from its end.)"
        )
    return seen + (
        "A node may go into the list only when all its inputs are in it. The moment when it is first met, or put on a "
        "stack or a queue, is too early to append it or to mark it as done. (So the order of a breadth-first search, "
        "by distance from root, will not do: a short and a long way may lead to the same node.)"
    )


def _without_waiting_users(inputs_of: Graph, root: str) -> set[str]:
    """What is found from root when a node has to wait for *all* its users, also those that root does not depend on."""
    waits_for = Counter(source for sources in inputs_of.values() for source in sources)
    found, ready = set(), [root]
    while ready:
        node = ready.pop()
        found.add(node)
        for source in inputs_of[node]:
            waits_for[source] -= 1
            if waits_for[source] == 0:
                ready.append(source)
    return found


def _first_early(order: list[str], inputs_of: Graph) -> tuple[str, str] | None:
    """The first node that stands before one of its inputs, and that input."""
    place = {name: n for n, name in enumerate(order)}
    return next(
        ((node, source) for node in order for source in inputs_of[node] if place[source] > place[node]),
        None,
    )


OUTSIDERS = (
    "The dictionary also holds nodes that root does not depend on. Where they use a node, they never come up, so that "
    "whoever counts a node's users over the whole dictionary waits for them forever. Find the nodes that root depends "
    "on first, and count among those."
)
NO_CYCLE = (
    "This graph has no cycle, so there is nothing to raise an error about. A node that is met again may just be "
    "used in two places, or twice in one, as in x * x. Only when it is *unfinished*, because its own inputs are being "
    "worked on, is it on a cycle."
)
NO_LOOP = f"This graph has no cycle, so there is nothing to raise an error about. {OUTSIDERS}"
ENDLESS = (
    "The code went on without end here. The graph has a cycle: whoever follows the inputs comes back to where they "
    "were. Mark a node when you begin with its inputs, and raise ValueError when you meet it again before it is done."
)
SLOW = (
    "The code ran far longer than a graph of this size needs. In a row of diamonds the number of paths doubles with "
    "each: 40 of them have 2 ** 40. Walk nodes, not paths: a node that is done is never expanded again."
)
SQUARE = (
    "The code ran far longer than a chain of this length needs: more than 200 lines for each node. Look for a loop "
    "over all nodes inside a loop over all nodes; each node, and each of its inputs, needs a look or two."
)
DEEP = (
    "This is recursion: a function that calls itself for each input has a call open for every node of this chain. "
    "Python stops at about 1,000 open calls, and this check does so too where that limit was raised. Keep the nodes "
    "that wait in a list of your own, and loop with `while stack:`."
)
ROUND = (
    "The graph has a cycle, and the recursion went round it until Python stopped it. Mark a node when you begin with "
    "its inputs, and raise ValueError when you meet it again before it is done. (And recursion will not survive a "
    "long chain: use a stack of your own.)"
)
NO_ERROR = (
    "{!r} depends on itself here, so that there is no order: raise ValueError. It takes two marks, started and "
    "finished, and a test: mark a node as started, and only then look at its inputs. An input that is started and not "
    "finished is on a cycle; one that is finished is not."
)
RETURNED = (
    "The error was returned and not raised: `raise ValueError(...)` stops the function, while `return` hands the error "
    "out as if it were the order."
)
OTHER_ERRORS = tuple(
    (name, f"The graph has a cycle, and {name} came: raise ValueError(...) there, as the exercise says.")
    for name in ("KeyError", "IndexError", "RuntimeError", "AssertionError", "StopIteration", "Cycle", "Exception")
)
CRASHES = (
    (
        "an argument was changed in place",
        "`inputs_of` itself was changed. The caller still needs it: work on a copy, {name: list(inputs) for ...}.",
    ),
    ("reverseiterator", "reversed(...) gives an iterator and not a list: list(reversed(order)), or order[::-1]."),
    ("RecursionError", DEEP),
    ("maximum recursion", DEEP),
    ("a set is none", "A set has no order: keep a list for the order, and a set only to look up what is done."),
    ("dict_keys", "This is a view of a dictionary: list(...) makes a list of it."),
    ("generator", "`yield` makes a generator of the function: collect the names in a list and return it."),
    ("KeyError", "A name was looked up that is not in the dictionary: every node is, a leaf with an empty list."),
)

NO_ERROR_WANTED = (("ValueError", NO_CYCLE), ("ycle", NO_CYCLE))
OUTSIDERS_WAIT = (("ValueError", NO_LOOP), ("ycle", NO_LOOP))
# In this order, because a case is only met by answers that got those above it right: so its culprit is clear.
CASES: tuple[tuple[Graph, str], ...] = (
    ({"x": []}, "x"),
    ({"loss": ["u"], "x": [], "u": ["x"]}, "loss"),  # a chain
    ({"u": ["x", "y"], "x": [], "loss": ["u"], "y": []}, "loss"),  # two inputs
    ({"x": [], "u": ["x"], "loss": ["u"], "other": ["x"], "alone": []}, "loss"),  # nodes that it does not depend on
    ({"u": ["x", "x"], "x": []}, "u"),  # x * x
    ({"x": [], "left": ["x"], "right": ["x"], "loss": ["left", "right"]}, "loss"),  # a diamond
    ({"x": [], "a": ["x"], "b": ["a"], "loss": ["x", "b"]}, "loss"),  # a short and a long way, the short one first
    ({"x": [], "a": ["x"], "b": ["a"], "loss": ["b", "x"]}, "loss"),  # and last
    ({"x": [], "a": ["x"], "b": ["a"], "c": ["b", "a"], "d": ["a", "c"], "loss": ["d", "b"]}, "loss"),
    ({"x": [], "a": ["x"], "b": ["a"], "c": ["a", "b"], "d": ["c", "a"], "loss": ["b", "d"]}, "loss"),
)
CYCLES: tuple[tuple[Graph, str], ...] = (
    ({"a": ["x", "b"], "b": ["a"], "x": [], "loss": ["b"]}, "loss"),
    ({"loss": ["u"], "x": [], "u": ["x", "u"]}, "loss"),  # a node that is its own input
    ({"loss": ["u"], "u": ["v", "x"], "v": ["loss"], "x": []}, "loss"),  # root itself is on it
    (  # behind a diamond
        {"loss": ["p", "q"], "p": ["d"], "q": ["d"], "d": ["x", "e"], "e": ["f"], "f": ["e"], "x": []},
        "loss",
    ),
)


def _diamonds(count: int) -> Graph:
    graph: Graph = {"n0": []}
    for n in range(count):
        graph |= {f"l{n + 1}": [f"n{n}"], f"r{n + 1}": [f"n{n}"], f"n{n + 1}": [f"l{n + 1}", f"r{n + 1}"]}
    return graph


def _chain(length: int) -> Graph:
    return {f"n{n}": [f"n{n - 1}"] if n else [] for n in range(length)}


class _Raised:
    """Stands for the ValueError that was wanted."""


def check(subject: Subject, seed: int | None) -> str:
    ask = Examiner("02.topological-order", "topological_order", subject, crashes=CRASHES)

    def right_for(
        inputs_of: Graph, root: str, *, called: Words = "", crashes: tuple[tuple[str, str], ...] = NO_ERROR_WANTED
    ) -> None:
        called = called or ask.written((inputs_of, root))
        wanted = Later(lambda: f"for instance {show(topological_order(inputs_of, root))}")
        lines = 200 * max(len(inputs_of), 500)
        got = ask.ask(lambda: subject.call(inputs_of, root, lines=lines), called=called, wanted=wanted, crashes=crashes)
        if reason := _fault(got, inputs_of, root):
            ask.fail(called=called, came_back=show(got), wanted=wanted, reason=reason)

    def refused(inputs_of: Graph, root: str, *, on_cycle: str) -> None:
        called, wanted = ask.written((inputs_of, root)), "a ValueError, because there is a cycle"

        def question() -> Any:
            try:
                return subject.call(inputs_of, root, lines=100_000)
            except AnswerError as error:
                if error.kind == "raised" and "ValueError" in error.bases:
                    return _Raised
                raise

        crashes = (("RecursionError", ROUND), ("maximum recursion", ROUND), ("no answer", ENDLESS), *OTHER_ERRORS)
        crashes = (("a ValueError is none", RETURNED), ("a type is none", RETURNED), *crashes)
        got = ask.ask(question, called=called, wanted=wanted, crashes=crashes)
        if got is not _Raised:
            ask.fail(called=called, came_back=show(got), wanted=wanted, reason=NO_ERROR.format(on_cycle))

    for inputs_of, root in CASES:
        outsiders = len(inputs_of) > len(topological_order(inputs_of, root))
        right_for(inputs_of, root, crashes=OUTSIDERS_WAIT if outsiders else NO_ERROR_WANTED)
    right_for(
        _diamonds(40),
        "n40",
        called="topological_order(inputs_of, 'n40') for 40 diamonds in a row, n0 to n40:\n"
        "{'n0': [], 'l1': ['n0'], 'r1': ['n0'], 'n1': ['l1', 'r1'], 'l2': ['n1'], 'r2': ['n1'], ...}",
        crashes=(("no answer", SLOW), *NO_ERROR_WANTED),
    )
    for (inputs_of, root), on_cycle in zip(CYCLES, ("b", "u", "loss", "e"), strict=True):
        refused(inputs_of, root, on_cycle=on_cycle)
    length = 10_000 if seed is None else 1_200  # both beyond recursion; hidden seeds run often
    right_for(
        _chain(length),
        f"n{length - 1}",
        called=f"topological_order(inputs_of, 'n{length - 1}') for a chain of {length:,} nodes:\n"
        "{'n0': [], 'n1': ['n0'], 'n2': ['n1'], ...}",
        crashes=(("no answer", SQUARE), *NO_ERROR_WANTED),
    )
    generator = torch.Generator().manual_seed(1 if seed is None else seed)
    for _ in range(12):
        right_for(*_drawn(generator))
    for _ in range(3):
        inputs_of, root = _drawn(generator)
        start = topological_order(inputs_of, root)[0]
        inputs_of[start] = [root]  # a leaf that root depends on: now they depend on each other
        refused(inputs_of, root, on_cycle=root)
    return f"right on {ask.asked} graphs: diamonds, cycles, and a chain of {length:,} nodes."


def _drawn(generator: torch.Generator) -> tuple[Graph, str]:
    """A graph and its root: three to ten nodes and two beside them, whose names and places tell nothing."""
    size = int(torch.randint(3, 11, (), generator=generator))
    letters = torch.randperm(26, generator=generator)[:size].tolist()
    names = [chr(ord("a") + letter) for letter in letters]
    graph: Graph = {}
    for n, name in enumerate(names):
        most = min(n, 3)
        count = int(torch.randint(1 if n else 0, most + 1, (), generator=generator)) if most else 0
        graph[name] = [names[int(torch.randint(n, (), generator=generator))] for _ in range(count)]
    # Two nodes that root, the last, does not depend on; and the dictionary in no order.
    graph |= {"spare": [names[0]], "idle": []}
    keys = list(graph)
    shuffled = [keys[n] for n in torch.randperm(len(keys), generator=generator).tolist()]
    return {name: graph[name] for name in shuffled}, names[-1]


EXERCISE = Exercise(
    id="02.topological-order",
    name="topological_order",
    title="Inputs before users",
    objectives=("02-O3",),
    difficulty=2,
    minutes=12,
    points=3,
    task="Write topological_order(inputs_of, root): inputs_of is a dictionary from the name of every node to the list "
    "of the names of its inputs. Return a list of names: root and all that it depends on, each once, every node after "
    "all its inputs. Raise ValueError when root depends on a cycle.",
    ranges="graphs of up to 121 nodes, chains of up to 10,000; up to three inputs to a node, the same one twice among "
    "them; dictionaries in any order, with nodes that root does not depend on (they are on no cycle); cycles of one to "
    "ten nodes",
    hints=(
        "When may a node go into the list? What do you have to do first, and how do you remember to come back to the "
        "node afterwards, without a function that calls itself?",
        "Keep a list `stack` of your own. Look at its last node: if you see it for the first time, mark it as started "
        "and put its inputs on the stack; if you come back to it, all its inputs are done, so take it away and append "
        "it. A started input that is not finished is a cycle.",
        "while stack: node = stack[-1]; if node not in started: started.add(node), then for each input: if it is "
        "started and not finished raise ValueError, if it is not finished stack.append(it); else: stack.pop(), and if "
        "node not in finished: finished.add(node), order.append(node).",
    ),
    reference=topological_order,
    walkthrough="A node stays on the stack while its inputs are worked on above it, and is appended when it comes up "
    "for the second time, so all its inputs stand before it. An input that was started and is not finished lies below "
    "on the stack: the way from it leads back to it, which is a cycle.",
    where="exercises/02-backpropagation/02-backpropagation-exercises.ipynb",
    check=check,
)
