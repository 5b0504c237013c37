"""Places for the nodes of a graph, from left to right: what `plot.graph` and the widgets that show graphs draw by.

Numbers in, numbers out, no picture. The steps are Sugiyama's (Sugiyama, Tagawa and Toda, 1981, "Methods for visual
understanding of hierarchical system structures"): every node gets a column by its longest path, a line that passes a
column gets a place of its own there, each column is put in the order of its neighbours' means until lines cross least,
and then nodes move up and down towards their neighbours, as far as the order allows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 12  # passes over all columns, there and back; the best order found is kept
APART = {(True, True): 1.0, (True, False): 0.7, (False, True): 0.7, (False, False): 0.4}  # rows between neighbours


class Wire(NamedTuple):
    """The line from node `source` to input number `slot` of node `target`.

    bends: (column, row) of the places where it passes a column in between, from left to right.
    """

    source: int
    target: int
    slot: int
    bends: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Layout:
    """columns, rows: of each node; row 0 is the top. Two nodes of a column are a row or more apart, and a wire that
    passes is 0.7 rows or more away. wires: one for each input of each node."""

    columns: tuple[int, ...]
    rows: tuple[float, ...]
    wires: tuple[Wire, ...]


def layered(inputs: Sequence[Sequence[int]]) -> Layout:
    """inputs[i]: the nodes that node i was made from, each with a number below i; one used twice is named twice.

    A node stands right of its inputs, a leaf just left of its first user. The same graph always looks the same.
    Raises ValueError for an input that does not come before its user.

    >>> diamond = layered([(), (0,), (0,), (1, 2)])
    >>> diamond.columns, diamond.rows
    ((0, 1, 1, 2), (0.5, 0.0, 1.0, 0.5))
    """
    for node, sources in enumerate(inputs):
        for source in sources:
            if not 0 <= source < node:
                raise ValueError(f"node {node} has the input {source}: inputs come before users, numbered from 0.")
    columns = _columns(inputs)
    places, links, chains = _with_bends(inputs, columns)
    real = len(inputs)
    order = _ordered(_first_order(inputs, places, chains), links)
    rows = _rows(order, links, real)
    wires = tuple(
        Wire(source, target, slot, tuple((places[bend], rows[bend]) for bend in bends))
        for (target, slot), (source, bends) in chains.items()
    )
    return Layout(tuple(columns), tuple(rows[:real]), wires)


def _columns(inputs: Sequence[Sequence[int]]) -> list[int]:
    columns: list[int] = []
    for sources in inputs:
        columns.append(1 + max((columns[source] for source in sources), default=-1))
    for leaf, sources in enumerate(inputs):
        users = [columns[user] for user, used in enumerate(inputs) if leaf in used]
        if not sources and users:
            columns[leaf] = min(users) - 1
    return columns


class _Link(NamedTuple):
    """A piece of a wire between neighbouring columns. port: where it arrives, from -0.5 (top) to 0.5 (bottom)."""

    left: int
    right: int
    port: float


Chains = dict[tuple[int, int], tuple[int, list[int]]]  # (target, slot) -> (source, the bends on the way)


def _with_bends(inputs: Sequence[Sequence[int]], columns: list[int]) -> tuple[list[int], list[_Link], Chains]:
    """Columns of nodes and bends (numbered on from the nodes), and the links between them."""
    places, links, chains = list(columns), [], {}
    for target, sources in enumerate(inputs):
        for slot, source in enumerate(sources):
            passed = range(columns[source] + 1, columns[target])
            bends = list(range(len(places), len(places) + len(passed)))
            places += passed
            stations = [source, *bends, target]
            port = (slot + 0.5) / len(sources) - 0.5
            for left, right in pairwise(stations):
                links.append(_Link(left, right, port if right == target else 0.0))
            chains[target, slot] = source, bends
    return places, links, chains


def _first_order(inputs: Sequence[Sequence[int]], places: list[int], chains: Chains) -> list[list[int]]:
    """From the results backwards, first inputs first: without shared nodes, no lines cross."""
    order: list[list[int]] = [[] for _ in range(max(places, default=-1) + 1)]
    seen: set[int] = set()
    used = {source for sources in inputs for source in sources}
    stack = [node for node in range(len(inputs)) if node not in used]
    while stack:
        item = stack.pop()
        if item in seen:
            continue
        seen.add(item)
        order[places[item]].append(item)
        if item < len(inputs):
            for slot in reversed(range(len(inputs[item]))):
                source, bends = chains[item, slot]
                stack += [source, *bends]
    return order


def _ordered(order: list[list[int]], links: list[_Link]) -> list[list[int]]:
    """The order with the fewest crossings among those that the sweeps find."""
    best, fewest = order, _crossings(order, links)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        forwards = sweep % 2 == 0
        columns = order if forwards else order[::-1]
        sorted_columns = columns[:1]
        for column in columns[1:]:
            at = _positions([sorted_columns[-1], column])
            wish = at | _wishes(at, links, forwards)
            sorted_columns.append(sorted(column, key=wish.__getitem__))
        order = sorted_columns if forwards else sorted_columns[::-1]
        crossings = _crossings(order, links)
        if crossings < fewest:
            best, fewest = order, crossings
    return best


def _positions(columns: Iterable[list[int]]) -> dict[int, float]:
    return {item: float(place) for column in columns for place, item in enumerate(column)}


def _wishes(at: dict[int, float], links: list[_Link], from_left: bool) -> dict[int, float]:
    """The mean of an item's neighbours on one side."""
    found: dict[int, list[float]] = {}
    for left, right, port in links:
        if left in at and right in at:
            if from_left:
                found.setdefault(right, []).append(at[left])
            else:
                found.setdefault(left, []).append(at[right] + port)
    return {item: sum(places) / len(places) for item, places in found.items()}


def _crossings(order: list[list[int]], links: list[_Link]) -> int:
    at = _positions(order)
    column_of = {item: number for number, column in enumerate(order) for item in column}
    lines: dict[int, list[tuple[float, float]]] = {}
    for left, right, port in links:
        lines.setdefault(column_of[left], []).append((at[left], at[right] + port))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for group in lines.values() for i, a in enumerate(group) for b in group[:i]
    )


def _rows(order: list[list[int]], links: list[_Link], real: int) -> list[float]:
    """Heights that keep the order and the distances, with lines as straight as that allows."""
    count = sum(map(len, order))
    rows = [0.0] * count
    for column in order:
        for item, row in zip(
            column, _settle([0.0] * len(column), [1.0] * len(column), _gaps(column, real)), strict=True
        ):
            rows[item] = row
    near: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]  # (neighbour, weight, port)
    for left, right, port in links:
        weight = 1.0 + 2.0 * ((left >= real) + (right >= real))  # a long line is better straight than short
        near[left].append((right, weight, 0.5 * port))
        near[right].append((left, weight, -0.5 * port))
    sides: list[Callable[[int, int], bool]] = [lambda a, b: a < b, lambda a, b: a > b, lambda a, b: True]
    place = {item: number for number, column in enumerate(order) for item in column}
    for sweep in range(3 * SWEEPS):
        side = sides[2] if sweep >= 2 * SWEEPS else sides[sweep % 2]
        numbers = range(len(order)) if sweep % 2 == 0 else range(len(order) - 1, -1, -1)
        for number in numbers:
            column, wishes, weights = order[number], [], []
            for item in column:
                pulls = [
                    (rows[other] + port, weight) for other, weight, port in near[item] if side(place[other], number)
                ]
                total = sum(weight for _, weight in pulls)
                wishes.append(sum(row * weight for row, weight in pulls) / total if pulls else rows[item])
                weights.append(total or 0.1)
            for item, row in zip(column, _settle(wishes, weights, _gaps(column, real)), strict=True):
                rows[item] = row
    top = min(rows, default=0.0)
    return [round(row - top, 3) for row in rows]


def _gaps(column: list[int], real: int) -> list[float]:
    return [APART[above < real, below < real] for above, below in pairwise(column)]


def _settle(wishes: list[float], weights: list[float], gaps: list[float]) -> list[float]:
    """The numbers nearest to the wishes (least squares) that are `gaps` or more apart: pool adjacent violators."""
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[list[float]] = []  # [mean, weight, how many]
    for wish, weight, offset in zip(wishes, weights, offsets, strict=False):
        pools.append([wish - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, mass, many = pools.pop()
            before = pools[-1]
            before[0] = (before[0] * before[1] + mean * mass) / (before[1] + mass)
            before[1] += mass
            before[2] += many
    means = [mean for mean, _, many in pools for _ in range(int(many))]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]
