"""The course's words: `glossary("logit")` explains one, `glossary()` lists them all.

The terms live in `glossary.toml`, one table each:

    [[term]]
    term = "logit"
    sentence = "A score before it is squashed into a probability: any real number."
    symbol = "z"                      # optional
    chapter = "01"                    # where it is first used
    related = ["bias"]                # optional, other terms
    confused_with = ["probability"]   # optional, plain words
"""

import difflib
import tomllib
from dataclasses import dataclass
from html import escape
from pathlib import Path

from dlcourse.learn.card import Card, prose
from dlcourse.learn.content import content_root


class UnknownTerm(KeyError):
    """The glossary has no such term."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError's own would put the message in quotes

    def _render_traceback_(self) -> list[str]:
        return [f"UnknownTerm: {self}"]


@dataclass(frozen=True)
class Term:
    """One entry of the glossary."""

    term: str
    sentence: str
    chapter: str
    symbol: str = ""
    related: tuple[str, ...] = ()
    confused_with: tuple[str, ...] = ()


def terms(path: Path | None = None) -> dict[str, Term]:
    """All entries by lower-case term. Raises ValueError naming file and entry when one is incomplete or doubled."""
    path = path or content_root() / "glossary.toml"
    entries: dict[str, Term] = {}
    for number, table in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get("term", []), start=1):
        name = table.get("term", f"number {number}")
        if missing := {"term", "sentence", "chapter"} - set(table):
            raise ValueError(f"{path.name}, entry {name!r} lacks {', '.join(sorted(missing))}.")
        if unknown := set(table) - set(Term.__dataclass_fields__):
            raise ValueError(f"{path.name}, entry {name!r} has unknown keys: {', '.join(sorted(unknown))}.")
        if name.casefold() in entries:
            raise ValueError(f"{path.name} explains {name!r} twice.")
        lists = {key: tuple(table.get(key, ())) for key in ("related", "confused_with")}
        entries[name.casefold()] = Term(**{**table, **lists})
    for entry in entries.values():
        if lost := [name for name in entry.related if name.casefold() not in entries]:
            raise ValueError(f"{path.name}, entry {entry.term!r}: related terms {lost} have no entry of their own.")
    return entries


def glossary(term: str | None = None, *, path: Path | None = None) -> None:
    """Shows the entry of `term` (upper or lower case); without an argument, every entry in one line each.

    Raises UnknownTerm with the nearest known terms.
    """
    known = terms(path)
    if term is None:
        _list(known).show()
        return
    wanted = term.strip().casefold()
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
        near += [name for name in known if wanted and wanted in name and name not in near]
        meant = " or ".join(repr(known[name].term) for name in near)
        hint = f"Did you mean {meant}?" if near else "glossary() lists all."
        raise UnknownTerm(f"The glossary has no {term!r}. {hint}")
    _entry(known[wanted]).show()


def _entry(term: Term) -> Card:
    details = [
        (name, value)
        for name, value in (
            ("Symbol", term.symbol),
            ("First used in chapter", term.chapter),
            ("Related", ", ".join(term.related)),
            ("Not to be confused with", ", ".join(term.confused_with)),
        )
        if value
    ]
    text = "\n".join([f"{term.term}: {term.sentence}", *(f"  {name}: {value}" for name, value in details)])
    rows = "".join(f"<li>{name}: {escape(value)}</li>" for name, value in details)
    html = f'<p style="margin:0.3em 0"><dfn><strong>{escape(term.term)}</strong></dfn>: {prose(term.sentence)}</p>'
    return Card("Glossary entry", text, f'{html}<ul style="margin:0.3em 0">{rows}</ul>')


def _list(known: dict[str, Term]) -> Card:
    ordered = [known[name] for name in sorted(known)]
    text = "\n".join(f"{term.term} ({term.chapter}): {term.sentence}" for term in ordered)
    rows = "".join(
        f"<dt><strong>{escape(t.term)}</strong> (chapter {escape(t.chapter)})</dt><dd>{prose(t.sentence)}</dd>"
        for t in ordered
    )
    return Card("Glossary", text, f'<dl style="margin:0.3em 0">{rows}</dl>')
