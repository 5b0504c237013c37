"""What the explorer says: numbers, shares, windows, scales, in plain words."""

import math

from dlcourse.widgets.feature_map_explorer.network import Layer

TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"


def number(value: float) -> str:
    """Three digits that count, with a real minus.

    >>> number(0.12345), number(-3.0), number(1234.5), number(0.0)
    ('0.123', '\N{MINUS SIGN}3', '1.23e+03', '0')
    """
    if not math.isfinite(value):
        return "not a number"
    return f"{value:.3g}".replace("-", MINUS) if value else "0"


def finite(value: float | None) -> float | None:
    """JSON knows no other numbers."""
    return value if value is not None and math.isfinite(value) else None


def share(value: float) -> str:
    """A share of images in percent.

    >>> share(0.98333), share(1.0)
    ('98.3 %', '100 %')
    """
    return f"{100 * value:.1f}".removesuffix(".0") + " %"


def sees(window: tuple[int, int, int, int], height: int, width: int) -> str:
    """The receptive field of a unit in words; window: (top, left, bottom, right), the ends exclusive.

    >>> sees((2, 3, 5, 6), 8, 8).replace(TIMES, "x")
    '3 x 3 pixels, rows 2 to 4 and columns 3 to 5'
    >>> sees((-4, -4, 12, 12), 8, 8).replace(TIMES, "x")
    'the whole picture: its field, 16 x 16 pixels, is larger than the 8 x 8 there are'
    """
    top, left, bottom, right = window
    size = f"{bottom - top} {TIMES} {right - left}"
    if top <= 0 and left <= 0 and bottom >= height and right >= width:
        whole = f"{height} {TIMES} {width}"
        return "the whole picture" + (
            "" if size == whole else f": its field, {size} pixels, is larger than the {whole} there are"
        )
    words = f"{size} pixels, {_span('row', top, bottom)} and {_span('column', left, right)}".replace("-", MINUS)
    beyond = top < 0 or left < 0 or bottom > height or right > width
    return words + ("; some of them lie beyond the edge, where all is 0" if beyond else "")


def _span(word: str, first: int, end: int) -> str:
    return f"{word} {first}" if end == first + 1 else f"{word}s {first} to {end - 1}"


def scale(layer: Layer) -> str:
    """The one scale of colours of a layer's maps.

    >>> from dlcourse.nn import ReceptiveField
    >>> field = ReceptiveField((3, 3), (1, 1), (-1, -1))
    >>> scale(Layer("relu1", "activation", 4, 8, 8, field, 0.0, 4.0, 2.5))
    'one scale for all maps, from 0 to 2.5, orange; the strongest colour also for the 1 % beyond (up to 4)'
    """
    reach, most = number(layer.reach), max(abs(layer.low), abs(layer.high))
    beyond = f"; the strongest colour also for the 1 % beyond (up to {number(most)})" if most > layer.reach else ""
    if layer.signed:
        return f"one scale for all maps, from {MINUS}{reach}, blue, by 0 to {reach}, orange{beyond}"
    return f"one scale for all maps, from 0 to {reach}, orange{beyond}"


def filled(found: list[tuple[str, int, str, float]]) -> list[str]:
    """What to know of channels that are not gone when they are switched off.

    >>> filled([("conv1", 7, "relu1", 0.79)])
    ['Not quite gone: of the zeros of channel 7 of conv1 the layers behind make 0.79 again, by relu1. To take the \
channel away, switch it off in relu1.']
    """
    return [
        f"Not quite gone: of the zeros of channel {channel} of {layer} the layers behind make {number(left)} again, by "
        f"{end}. To take the channel away, switch it off in {end}."
        for layer, channel, end, left in found
    ]


def listed(off: list[tuple[str, int]]) -> str:
    """The channels that are switched off.

    >>> listed([("conv1", 0), ("conv1", 3), ("relu2", 7)])
    'conv1: 0, 3; relu2: 7'
    """
    layers: dict[str, list[int]] = {}
    for layer, channel in off:
        layers.setdefault(layer, []).append(channel)
    return "; ".join(f"{layer}: {', '.join(map(str, channels))}" for layer, channels in layers.items())
