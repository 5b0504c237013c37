"""A graph of operations as a picture: data and parameters on the left, the result on the right.

It takes plain data, such as `dlcourse.autograd.trace` makes: `graph.nodes`, each with `id`, `op` (None for a leaf),
`inputs` (ids), `label`, `shape` (None while nothing is known), `value`, `grad`, `requires_grad`. Nothing here
differentiates.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from dlcourse.plot.layered import Layout, Wire, layered
from dlcourse.plot.style import COLOURS, INK, figure

NODES, COLUMNS = 40, 16  # more than that nobody can read
LONGEST = 16  # characters of a label
SYMBOLS = {
    "add": "+",
    "sub": "\N{MINUS SIGN}",
    "mul": "\N{MULTIPLICATION SIGN}",
    "div": "/",
    "pow": "**",
    "matmul": "@",
}

LINE, PADDING = 0.175, 0.075  # inches: a line of text, and the room around the lines
GAP, BETWEEN, MARGIN, HEAD = 0.44, 0.16, 0.14, 0.1  # between columns, between rows, around everything, an arrow's head
QUIET, GRADIENT = "#5A5A5A", "#A84300"  # the second is the house's vermilion, dark enough for small text
FACES = {"leaf": "#D9E9F4", "constant": "none", "operation": "#FFFFFF"}
EDGES = {"leaf": COLOURS["blue"], "constant": "#A6A6A2", "operation": INK}


def graph(graph: Any) -> Figure:
    """The graph as a figure, inputs left of what was made from them: end it with `plot.show(fig, alt=...)`.

    A leaf is a pale blue, rounded box with its label; an operation a white box with its symbol, the first input
    entering at the top; a constant (a leaf that needs no gradient) has a dashed edge. Below stand the value of
    a single number or the shape, and behind ∇ the gradient once there is one. `plot.graph_alt(graph)` says the same in
    words.

    Raises ValueError for a graph of more than 40 nodes or 16 in a row, and for one whose inputs do not come first.

        loss.backward()
        g = trace(loss)
        plot.show(plot.graph(g), alt=plot.graph_alt(g))
    """
    nodes = _checked(graph)
    if len(nodes) > NODES:  # before the layout, which takes a minute for a thousand
        raise _too_large(f"{len(nodes)} nodes")
    place = layered(_inputs(nodes))
    if max(place.columns) >= COLUMNS:
        raise _too_large(f"{len(nodes)} nodes in {max(place.columns) + 1} columns")
    with_grads = _has_gradients(nodes)
    texts = [_lines(node, with_grads) for node in nodes]
    sheet = _sheet(place, [_size(lines) for lines in texts])
    fig, ax = figure(width=sheet.width, height=sheet.height)
    fig.set_layout_engine("none")
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    ax.set_axis_off()
    for wire in place.wires:
        _draw_wire(ax, wire, sheet, place, len(nodes[wire.target].inputs))
    for index, (node, lines) in enumerate(zip(nodes, texts, strict=True)):
        _draw_node(ax, lines, sheet, index, _kind(node), last=node is nodes[-1])
    return fig


def graph_alt(graph: Any) -> str:
    """The graph in words, for `plot.show(fig, alt=...)`: every node up to 12 of them, then a summary.

    Raises ValueError as `plot.graph` does for inputs that do not come first.
    """
    nodes = _checked(graph)
    with_grads = _has_gradients(nodes)
    names = node_names(nodes)
    name_of = {node.id: name for node, name in zip(nodes, names, strict=True)}

    def told(node: Any) -> str:
        name = name_of[node.id]
        if _kind(node) == "constant":
            name = f"the constant {name}"
            if not node.label and node.value is not None:
                return name
        if node.op:
            name += f", {node.op}" * bool(node.label) + f" of {_list([name_of[source] for source in node.inputs])}"
        value = "" if node.shape is None else f" of shape {_shape(node.shape)}"
        value = value if node.value is None else f" = {number(node.value)}"
        return name + value + (f" (gradient {_gradient(node)})" if _shows_gradient(node, with_grads) else "")

    leaves = [node for node in nodes if node.op is None]
    operations = [node for node in nodes if node.op is not None]
    counted = f"A graph of {len(nodes)} node{'s' * (len(nodes) != 1)}, drawn from left to right."
    begin = f"{counted} It begins with {_list([told(node) for node in leaves])}."
    if not operations:
        return begin
    if len(nodes) <= 12:
        return f"{begin} Then come {'; '.join(told(node) for node in operations)}. The last is the result."
    ops = Counter(node.op for node in operations)
    kinds = _list([f"{count} {op}" for op, count in ops.items()])
    return f"{begin} Then come {len(operations)} operations: {kinds}. The result is {told(nodes[-1])}."


def node_names(nodes: Sequence[Any]) -> list[str]:
    """What to call each node in words: its label, else a constant's number, else its operation, numbered if there are
    several: "mul 2"."""
    count = Counter(node.op or "leaf" for node in nodes if not node.label and (node.op or node.value is None))
    seen: Counter[str] = Counter()
    names = []
    for node in nodes:
        kind = node.op or "leaf"
        if node.label:
            names.append(node.label)
        elif node.op is None and node.value is not None:
            names.append(number(node.value))
        else:
            seen[kind] += 1
            names.append(kind if count[kind] == 1 else f"{kind} {seen[kind]}")
    return names


def number(value: float, digits: int = 4) -> str:
    """The digits that count, with a minus sign that is as wide as a plus; no minus before a zero."""
    return f"{value + 0.0:.{digits}g}".replace("-", "\N{MINUS SIGN}")


def _checked(graph: Any) -> list[Any]:
    nodes = list(getattr(graph, "nodes", None) or ())
    wanted = ("id", "op", "inputs", "label", "shape", "value", "grad", "requires_grad")
    if not nodes or not all(hasattr(node, name) for node in nodes for name in wanted):
        raise ValueError(
            f"plot.graph got {type(graph).__name__} and wants a graph with nodes: "
            "plot.graph(trace(loss)), with trace from dlcourse.autograd."
        )
    known: set[Any] = set()
    for node in nodes:
        missing = [source for source in node.inputs if source not in known]
        if missing or node.id in known:
            raise ValueError(
                f"plot.graph got a graph in which node {node.id} "
                + (f"has the input {missing[0]} that does not come before it." if missing else "stands twice.")
                + " Inputs come before users, each node once, as trace gives them."
            )
        known.add(node.id)
    return nodes


def _too_large(what: str) -> ValueError:
    return ValueError(
        f"plot.graph got {what}, and a picture of more than {NODES} nodes or {COLUMNS} columns cannot be read. Trace a "
        "part: an inner result, one example, one layer."
    )


def _inputs(nodes: Sequence[Any]) -> list[tuple[int, ...]]:
    at = {node.id: number for number, node in enumerate(nodes)}
    return [tuple(at[source] for source in node.inputs) for node in nodes]


def _has_gradients(nodes: Sequence[Any]) -> bool:
    """Numbers hold a gradient of 0 before backward; then there is nothing to show yet."""
    return any(node.grad for node in nodes)


def _kind(node: Any) -> str:
    if node.op is not None:
        return "operation"
    return "leaf" if node.requires_grad else "constant"


def _shows_gradient(node: Any, with_grads: bool) -> bool:
    return with_grads and node.grad is not None and _kind(node) != "constant"


def _gradient(node: Any) -> str:
    return _shape(node.grad) if isinstance(node.grad, tuple) else number(node.grad)


def _lines(node: Any, with_grads: bool) -> list[tuple[str, str]]:
    """(text, role) of the lines in a box, from the top."""
    label = node.label if len(node.label) <= LONGEST else node.label[: LONGEST - 1] + "…"
    symbol = None if node.op is None else SYMBOLS.get(node.op, node.op)
    title = label if symbol is None else f"{symbol}  →  {label}" if label else symbol
    lines = [(title, "title")] if title else []
    if node.value is not None or node.shape is not None:
        lines.append((number(node.value) if node.value is not None else _shape(node.shape), "value"))
    if _shows_gradient(node, with_grads):
        lines.append((f"\N{NABLA} {_gradient(node)}", "grad"))
    return lines


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _list(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


FONTS = {
    "title": FontProperties(family="DejaVu Sans", size=10.5, weight="bold"),
    "value": FontProperties(family="DejaVu Sans", size=9.5),
    "grad": FontProperties(family="DejaVu Sans", size=9.5),
}


def _size(lines: list[tuple[str, str]]) -> tuple[float, float]:
    """Width and height of a box in inches, measured, so that no text leaves it."""
    widest = max(TextPath((0, 0), text, prop=FONTS[role]).get_extents().width / 72 for text, role in lines)
    return max(widest + 4 * PADDING, 0.5), len(lines) * LINE + 2 * PADDING


@dataclass(frozen=True)
class _Sheet:
    """The picture in inches, from the top left: the boxes, and where each column begins and ends."""

    sizes: list[tuple[float, float]]
    middles: list[tuple[float, float]]
    columns: list[tuple[float, float]]
    top: float
    row: float
    width: float
    height: float

    def y(self, row: float) -> float:
        return self.top + row * self.row


def _sheet(place: Layout, sizes: list[tuple[float, float]]) -> _Sheet:
    columns: list[tuple[float, float]] = []
    left = MARGIN
    for column in range(max(place.columns) + 1):
        wide = max(size[0] for size, at in zip(sizes, place.columns, strict=True) if at == column)
        columns.append((left, left + wide))
        left += wide + GAP
    row = max(size[1] for size in sizes) + BETWEEN
    edges = [(down * row, size[1] / 2) for size, down in zip(sizes, place.rows, strict=True)]
    edges += [(down * row, 0.0) for wire in place.wires for _, down in wire.bends]
    top = MARGIN - min(y - half for y, half in edges)
    height = MARGIN + top + max(y + half for y, half in edges)
    middles = [(sum(columns[at]) / 2, top + down * row) for at, down in zip(place.columns, place.rows, strict=True)]
    return _Sheet(sizes, middles, columns, top, row, left - GAP + MARGIN, height)


def _draw_wire(ax: Axes, wire: Wire, sheet: _Sheet, place: Layout, count: int) -> None:
    """A smooth line from box to box. It bends only between columns, so it never runs through a box."""
    (x0, y0), (x1, y1) = sheet.middles[wire.source], sheet.middles[wire.target]
    y1 += port(wire.slot, count) * sheet.sizes[wire.target][1]
    path = [(x0 + sheet.sizes[wire.source][0] / 2, y0)]
    codes = [Path.MOVETO]
    here = sheet.columns[place.columns[wire.source]][1], y0
    stations = [(sheet.columns[column], sheet.y(row)) for column, row in wire.bends]
    for (left, right), y in [*stations, (sheet.columns[place.columns[wire.target]], y1)]:
        middle, end = (here[0] + left - HEAD) / 2, (left - HEAD, y)
        path += [here, (middle, here[1]), (middle, y), end]
        codes += [Path.LINETO, *[Path.CURVE4] * 3]
        here = right, y
    path.append((x1 - sheet.sizes[wire.target][0] / 2, y1))
    codes.append(Path.LINETO)
    arrow = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0, "joinstyle": "miter"}
    ax.add_patch(FancyArrowPatch(path=Path(path, codes), lw=1.2, color=COLOURS["grey"], zorder=1, **arrow))


def port(slot: int, count: int) -> float:
    """Where input `slot` of `count` enters, in heights of the box from its middle: the first one at the top."""
    return 0.0 if count < 2 else 0.5 * (slot / (count - 1) - 0.5)


def _draw_node(ax: Axes, lines: list[tuple[str, str]], sheet: _Sheet, index: int, kind: str, last: bool) -> None:
    (width, height), (x, y) = sheet.sizes[index], sheet.middles[index]
    round_ = height / 2.2 if kind != "operation" else 0.05
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle=f"round,pad=0,rounding_size={min(round_, width / 2)}",
            facecolor=FACES[kind],
            edgecolor=EDGES[kind],
            linewidth=2.4 if last else 1.2,
            linestyle="--" if kind == "constant" else "-",
            zorder=2,
        )
    )
    for number_, (text, role) in enumerate(lines):
        down = y + (number_ - (len(lines) - 1) / 2) * LINE
        colour = GRADIENT if role == "grad" else QUIET if kind == "constant" else INK
        ax.text(x, down, text, fontproperties=FONTS[role], color=colour, ha="center", va="center_baseline", zorder=3)
