"""What the explorer says of layers, maps, curves and axioms, in plain words."""

import math

from dlcourse.attribution import AxiomReport
from dlcourse.widgets.feature_map_explorer.words import number
from dlcourse.widgets.feature_map_explorer.words import share as percent
from dlcourse.widgets.saliency_explorer.methods import METHODS, Map

CLOSE = 0.01  # of the scale: a sum that is nearer than this is kept


def named(layer: str) -> str:
    """A layer as people see it; the network itself has no name.

    >>> named("conv1"), named("")
    ('conv1', 'the network itself')
    """
    return layer or "the network itself"


def randomised(layers: list[str], count: int) -> str:
    """Which layers have lost what they learned.

    >>> randomised(["linear", "conv2", "conv1"], 2)
    '2 of 3 layers drawn anew, from the last: linear, conv2'
    """
    if not layers:
        return "This network has no layers with parameters to draw anew"
    if not count:
        return f"All {len(layers)} layers as they were learned" if len(layers) > 1 else "The layer as it was learned"
    names = [named(name) for name in layers[:count]]
    some = ", ".join(names if count <= 4 else [*names[:2], "\N{HORIZONTAL ELLIPSIS}", names[-1]])
    return f"{count} of {len(layers)} layer{'s' * (len(layers) > 1)} drawn anew, from the last: {some}"


def likeness(correlation: float | None, sizes: float | None, signed: bool) -> str:
    """A map beside its own first one, by its ranks; signed: whether the map has signs. See `ranks`.

    >>> likeness(0.051, 0.884, True), likeness(None, None, True)
    ('Rank correlation 0.05 signed, 0.88 sizes', 'No ranks: constant')
    """
    return "No ranks: constant" if correlation is None else f"Rank correlation {ranks(correlation, sizes, signed)}"


def ranks(correlation: float, sizes: float | None, signed: bool) -> str:
    """Two rank correlations, with the signs and of the sizes alone; a map without signs has one.

    >>> ranks(0.051, 0.884, True), ranks(0.3, 0.3, False), ranks(0.3, None, True)
    ('0.05 signed, 0.88 sizes', '0.3', '0.3 signed, sizes constant')
    """
    told = number(round(correlation, 2))
    if not signed:
        return told
    return f"{told} signed, {'sizes constant' if sizes is None else f'{number(round(sizes, 2))} sizes'}"


def scale(map: Map, signed: bool) -> str:
    """What the colours of a map mean."""
    reach = number(map.reach)
    if signed:
        return f"from \N{MINUS SIGN}{reach}, blue, against the target, to {reach}, orange, for it"
    return f"from 0 to {reach}, orange"


def axiom(report: AxiomReport, name: str, silent: int) -> dict:
    """One axiom beside the map of a method, in numbers and in words. silent: how many pixels are not looked at."""
    found, wanted, gap, relative = (
        float(value[0]) for value in (report.found, report.wanted, report.gap, report.relative)
    )
    kept = gap == 0 or relative < CLOSE
    if report.axiom == "dummy":
        words = _dummy(silent, found, kept)
    else:
        above = " above the baseline's" if report.axiom == "completeness" else ""
        words = f"The map sums to {number(found)}, and the score is {number(wanted)}{above}: "
        share = f", {percent(relative)} of it" if math.isfinite(relative) else ""
        words += "kept." if kept else f"a gap of {number(gap)}{share}."
        promise = METHODS[name].promise
        words += " This method promises it." if promise == report.axiom else " This method does not promise it."
    if not all(map(math.isfinite, (found, wanted))):
        words = "Not a number: nothing can be said."
    return {"name": report.axiom.capitalize(), "kept": kept, "words": words}


def _dummy(silent: int, found: float, kept: bool) -> str:
    if not silent:
        return "The network looks at every pixel, so there is none that should get 0."
    pixels = "1 pixel is" if silent == 1 else f"{silent} pixels are"
    return f"{pixels} not looked at; the largest map there is {number(found)}: {'kept' if kept else 'it should be 0'}."


def beside(curve: str, area: float, beaten: int, orders: int) -> str:
    """A curve beside those of random orders. beaten: how many of them it beats."""
    better = "lower" if curve == "deletion" else "higher"
    return (
        f"Mean height {number(area)}, for {curve} the {better} the better: {better} than {beaten} of {orders} random "
        "orders."
    )


def partly(curve: str, count: int, many: int, score: float, target: str) -> str:
    """The picture without some pixels, or with some only."""
    what = f"{count} of {many} pixels {'show the baseline' if curve == 'deletion' else 'show the picture'}"
    return f"{what}: the logit of {target} is {number(score)}."
