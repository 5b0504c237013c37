"""What the sampler says: one line for each step, the description, and how numbers are written."""

import math
from typing import Any

from dlcourse.widgets.char_sampler.line import Written

TOLD = 5  # symbols that the description lists
LEAST = 0.0005  # below this a share is "under 0.1 %"


def percent(share: float) -> str:
    """A probability for people.

    >>> percent(0), percent(0.00001), percent(0.034), percent(0.5), percent(1)
    ('0 %', 'under 0.1 %', '3.4 %', '50 %', '100 %')
    """
    if 0 < share < LEAST:
        return "under 0.1 %"
    if 0.9995 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def bits(number: float) -> str:
    return f"{number:.2f} bits" if math.isfinite(number) else "infinitely many bits"


def finite(number: float | None) -> float | None:
    """As JSON may hold it."""
    return None if number is None or not math.isfinite(number) else number


def settings(engine: Any) -> str:
    shaping = engine.shaping
    return _shaping(shaping.temperature, shaping.top_k, shaping.top_p)


def how(written: Written) -> str:
    """How a symbol was drawn."""
    shaping = written.shaping
    return f"{_shaping(shaping.temperature, shaping.top_k, shaping.top_p)}, seed {written.seed}"


def _shaping(temperature: float, top_k: int, top_p: float) -> str:
    cuts = ([f"top-k {top_k}"] if top_k else []) + ([f"top-p {top_p:g}"] if top_p < 1 else [])
    return ", ".join([f"temperature {temperature:g}", *cuts])


def say(engine: Any) -> str:
    """One line, for those who listen."""
    here, step = engine.here, engine.at
    if here is None:
        return f"Line {engine.line.number}, after the prefix."
    did = "chosen" if here.shaping is None else "drawn"
    return f"Line {engine.line.number}, step {step}: {engine.symbols[here.token].said} {did}, {bits(here.bits)}."


def describe(engine: Any) -> str:
    line, here, beside = engine.line, engine.here, engine.other
    lines = f" It is line {line.number} of {len(engine.lines)}." if len(engine.lines) > 1 else ""
    parts = [f"The {engine.reader.title} writes: {engine.symbols.text(line.prefix + line.tokens)!r}.{lines}"]
    if len(line):
        also = f", and of {bits(line.other_bits)} for the {beside.title} beside it" if beside else ""
        mean = f"{len(line)} symbols after the prefix {engine.symbols.text(line.prefix)!r}, on average of "
        parts.append(f"{mean}{bits(line.bits)}{also}.")
    where = "After the prefix" if here is None else f"At step {engine.at}"
    parts.append(f"{where}, with {settings(engine)}: {likeliest(engine)}.")
    if here is not None:
        rank = int((engine.bars()[:, 0] == here.token).nonzero()[0, 0]) + 1
        name = engine.symbols[here.token].said
        did = "chosen by hand" if here.shaping is None else f"drawn with {how(here)}"
        parts.append(f"There {name!r} was {did}: number {rank} of {len(engine.symbols)}, {bits(here.bits)}.")
    return " ".join(parts)


def likeliest(engine: Any) -> str:
    """The likeliest symbols with their shares, before and after the settings."""
    rows = engine.bars()
    kept = int((rows[:, 2] > 0).sum())
    told = []
    for token, before, after, beside in rows[:TOLD].tolist():
        drawn = "" if percent(before) == percent(after) else f", drawn with {percent(after)}" if after else ", cut off"
        other = f" ({engine.other.title} {percent(beside)})" if engine.other else ""
        told.append(f"{engine.symbols[int(token)].said} {percent(before)}{other}{drawn}")
    cut = f"; {len(rows) - kept} of {len(rows)} symbols are cut off" if kept < len(rows) else ""
    return "; ".join(told) + cut
