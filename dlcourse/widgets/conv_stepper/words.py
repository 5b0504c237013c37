"""What happens under the window, in sentences and in numbers: for the eyes that read, and for the ears that listen.

`engine` is a `ConvStepperEngine`. Rows and columns are counted from 0 here too, as in code. The view gives the signs -
and x the look that they have in print.
"""

from typing import Any

from dlcourse.widgets.conv_stepper.layer import ROUNDING, Place
from dlcourse.widgets.conv_stepper.numbers import factor, number
from dlcourse.widgets.conv_stepper.params import spoken

KERNELS = {
    "identity": "the identity kernel",
    "mean": "the mean kernel",
    "left_right": "the left-to-right edge kernel",
    "top_bottom": "the top-to-bottom edge kernel",
    "sharpen": "the sharpening kernel",
    "laplacian": "the Laplacian kernel",
    "gaussian": "the Gaussian kernel",
    "own": "a kernel of your own",
}
PICTURES = {
    "edge": "an edge",
    "cross": "a cross",
    "digit": "a digit",
    "photograph": "a patch of a photograph",
    "noise": "noise",
    "blank": "an empty picture",
    "own": "a picture of your own",
}


def say(engine: Any) -> str:
    """One line, for a screen reader and over a picture."""
    if engine.hidden:
        return f"A question is open. {question(engine)}"
    row, column = engine.at
    return f"Output row {row}, column {column}: {number(engine.value)}."


def question(engine: Any) -> str:
    last = "the output" if engine.values["layers"] == 1 else f"the output of layer {engine.values['layers']}"
    if engine.question.of == "size":
        return f"How many rows and columns does {last} have?"
    row, column = engine.at
    return f"Which number stands in row {row}, column {column} of {last}?"


def formula(engine: Any) -> dict[str, str]:
    """The size of the output, with the present numbers; for several layers of the first, and then the chain."""
    layer, sizes = engine.layer, engine.sizes
    lines = {
        "general": "⌊(n + 2p - d(k - 1) - 1) / s⌋ + 1",
        "letters": "n picture, k window, p padding, d dilation, s stride",
    }
    for axis, name in enumerate(("rows", "columns")):
        n, out = sizes[0][axis], sizes[1][axis]
        k, s, p, d = (each[axis] for each in (layer.window, layer.stride, layer.padding, layer.dilation))
        lines[name] = f"⌊({n} + 2·{p} - {d}·({k} - 1) - 1) / {s}⌋ + 1 = {out}"
    lines["chain"] = " → ".join(f"{rows} x {columns}" for rows, columns in sizes) if len(sizes) > 2 else ""
    return lines


def sums(engine: Any) -> list[str]:
    """The arithmetic behind the chosen output cell: a line for each row of the window, then the result."""
    layer, places, result = engine.layer, engine.places, number(engine.value)
    across = layer.window[1]
    rows = [places[at : at + across] for at in range(0, len(places), across)]
    if layer.mode == "max":
        inside = [number(place.value) for place in places if place.inside]
        return [f"largest of {', '.join(inside)}", f"= {result}"]
    if layer.mode == "average":
        counted = [place for place in places if place.value is not None]
        values = " + ".join(factor(place.value) for place in counted)
        total = number(_total([place.value for place in counted]))
        first = f"{values} = {total}" if len(counted) > 1 else values
        return [first, f"{total} / {len(counted)} = {result}"]
    lines = [_products(row) for row in rows]
    end = f"= {result}"
    if layer.bias or len(rows) > 1:
        parts = [factor(_total([place.product for place in row])) for row in rows]
        parts += [f"bias {factor(layer.bias)}"] if layer.bias else []
        end = f"{' + '.join(parts)} = {result}"
    return [*lines, end]


def _products(row: list[Place]) -> str:
    terms = " + ".join(f"{factor(place.value)}·{factor(place.weight)}" for place in row)
    return f"{terms} = {number(_total([place.product for place in row]))}"


def _total(terms: list[float]) -> float:
    """Their sum, and 0 where only rounding is left of it."""
    total = sum(terms)
    return total if abs(total) > ROUNDING * sum(map(abs, terms)) else 0.0


def explanation(engine: Any) -> list[str]:
    """What is worth noticing here."""
    return [part for part in (_where(engine), _outside(engine), _flip(engine), _dull(engine)) if part]


def _where(engine: Any) -> str:
    layer, places, size = engine.layer, engine.places, engine.sizes[-2]
    before = "the picture" if engine.values["layers"] == 1 else f"the output of layer {engine.values['layers'] - 1}"
    moves = "" if layer.stride == (1, 1) else f" The next window lies {_steps(layer.stride)}: that is the stride."
    gaps = "" if layer.dilation == (1, 1) else " It leaves gaps: that is the dilation."
    down = _span("row", {place.row for place in places}, size[0], ("above", "below"))
    across = _span("column", {place.column for place in places}, size[1], ("on the left", "on the right"))
    spans = f"{down}, {across}"
    return f"The window lies on {spans} of {before}.{gaps}{moves}"


def _span(name: str, places: set[int], size: int, sides: tuple[str, str]) -> str:
    """Where the window lies along one axis of a map; what lies outside is padding, and has no number.

    >>> _span("row", {0, 1, 2}, 7, ("above", "below")), _span("row", {-1, 0, 1}, 7, ("above", "below"))
    ('rows 0 to 2', 'rows 0 to 1 (and 1 row of padding above)')
    """
    inside = sorted(place for place in places if 0 <= place < size)
    outside = [sum(place < 0 for place in places), sum(place >= size for place in places)]
    padding = " and ".join(
        f"{count} {name}{'s' * (count > 1)} of padding {side}"
        for count, side in zip(outside, sides, strict=True)
        if count
    )
    if not inside:
        return padding
    if len(inside) == 1:
        text = f"{name} {inside[0]}"
    elif inside[-1] - inside[0] == len(inside) - 1:
        text = f"{name}s {inside[0]} to {inside[-1]}"
    else:
        text = f"{name}s {', '.join(map(str, inside[:-1]))} and {inside[-1]}"
    return f"{text} (and {padding})" if padding else text


def _steps(stride: tuple[int, int]) -> str:
    down, across = stride
    return f"{across} cells further on" if down == across else f"{across} further across, {down} further down"


def _outside(engine: Any) -> str:
    places = engine.places
    out = sum(not place.inside for place in places)
    if not out:
        return ""
    where = f"{out} of {len(places)} places lie in the padding."
    if engine.layer.mode == "max":
        zero = max(0.0, engine.value)
        if zero != engine.value:
            return f"{where} They count as minus infinity, so they never win; zeros there would have made it 0."
        return f"{where} They count as minus infinity, so they never win."
    return f"{where} They are left out." if engine.layer.skips else f"{where} They count as 0."


def _flip(engine: Any) -> str:
    layer = engine.layer
    if layer.mode != "kernel":
        return ""
    if layer.kernel.equal(layer.kernel.flip(0, 1)):
        return "This kernel is the same when turned by 180 degrees: correlation and convolution agree."
    if layer.flip:
        return "Convolution: the kernel is turned by 180 degrees before it is laid on."
    return "Correlation: the kernel is laid on as it is. Deep-learning libraries call this convolution."


def _dull(engine: Any) -> str:
    if engine.layer.mode == "kernel" and not engine.layer.kernel.any():
        return "All numbers of this kernel are 0, so it sees nothing."
    return ""


def field(engine: Any) -> list[str]:
    """The receptive field of the chosen cell."""
    layer, count, (size, *_) = engine.layer, engine.values["layers"], engine.sizes
    top, left, bottom, right = engine.seen[0].window
    lines = []
    for axis, (name, reach) in enumerate((("rows", bottom - top), ("columns", right - left))):
        k, s, d = (each[axis] for each in (layer.window, layer.stride, layer.dilation))
        steps = " + ".join(str(s**power) for power in range(count))
        steps = f"·({steps})" if count > 1 else ""
        lines.append(f"{name}: 1 + ({k} - 1)·{d}{steps} = {reach}")
    paths = engine.seen[0].paths
    pixels, ways = int((paths > 0).sum()), int(paths.sum())
    one = "one output cell" if count == 1 else f"one cell of layer {count}"
    text = f"This one: {pixels} of {size[0] * size[1]} pixels of the picture lead to it"
    if count > 1 and pixels:
        least, most = int(paths[paths > 0].min()), int(paths.max())
        text += f", on {ways} paths, " + (f"{least} to {most} from each" if most > least else f"{least} from each")
    return [f"What {one} sees:", *lines, f"{text}."]


def describe(engine: Any) -> str:
    values, (rows, columns) = engine.values, engine.sizes[0]
    layer = engine.layer
    what = KERNELS[values["preset"]] if layer.mode == "kernel" else f"{layer.mode} pooling"
    times = "" if values["layers"] == 1 else f", {values['layers']} times over"
    start = (
        f"{PICTURES[values['example']].capitalize()}, {rows} x {columns}, under {what}, "
        f"{layer.window[0]} x {layer.window[1]}{times}; {_settings(engine)}."
    )
    if engine.hidden:
        return f"{start} {say(engine)}"
    sizes = engine.sizes[-1]
    parts = [start, f"The output has {sizes[0]} x {sizes[1]} cells, counted from 0.", say(engine)]
    parts.append("Behind it: " + "; ".join(sums(engine)).replace("; =", " =") + ".")
    parts += explanation(engine)
    if values["layers"] > 1:
        parts.append(field(engine)[-1])
    return " ".join(parts)


def _settings(engine: Any) -> str:
    layer = engine.layer
    names = [("stride", layer.stride), ("padding", layer.padding), ("dilation", layer.dilation)]
    parts = [f"{name} {spoken(pair)}" for name, pair in names]
    if layer.mode == "kernel":
        parts.append(f"bias {number(layer.bias)}")
    return ", ".join(parts)
