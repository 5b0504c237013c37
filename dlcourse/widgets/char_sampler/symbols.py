"""How a symbol of a vocabulary looks on the screen, and what it is called: a space must be seen and heard as well."""

import unicodedata
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from dlcourse.types import Int, Tensor
from dlcourse.widgets.params import shown

SEEN = {" ": ("␣", "space"), "\n": ("⏎", "newline"), "\t": ("⇥", "tab")}


class Vocabulary(Protocol):
    """`data.Vocabulary`, `data.Bytes`, or whatever else knows these three."""

    def __len__(self) -> int: ...
    def encode(self, text: str) -> Int[Tensor, " time"]: ...
    def decode(self, ids: Int[Tensor, " time"]) -> str: ...


@dataclass(frozen=True)
class Symbol:
    """One symbol. kind: "space", "newline", "tab", "code" (shown by its number) or "" (shown as it is)."""

    shown: str
    said: str
    kind: str = ""


class Symbols:
    """The symbols of a vocabulary, by number. Raises ValueError for something that is no vocabulary."""

    def __init__(self, vocabulary: Any):
        if isinstance(vocabulary, str) or any(
            not hasattr(vocabulary, name) for name in ("__len__", "encode", "decode")
        ):
            raise ValueError(
                f"vocabulary={shown(vocabulary)}: wanted what the model was trained with, such as "
                "data.Vocabulary.of(text) or data.Bytes()."
            )
        self.vocabulary: Vocabulary = vocabulary
        self._known: dict[int, Symbol] = {}

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __getitem__(self, token: int) -> Symbol:
        if token not in self._known:
            self._known[token] = _symbol(self.text([token]), token)
        return self._known[token]

    def text(self, ids: list[int]) -> str:
        """The ids as text."""
        return self.vocabulary.decode(torch.tensor(ids, dtype=torch.long, device="cpu"))

    def ids(self, name: str, text: str) -> list[int]:
        """The text as ids. Raises ValueError that names the characters that are not in the vocabulary."""
        try:
            return self.vocabulary.encode(text).tolist()
        except (ValueError, KeyError):
            unknown = [character for character in dict.fromkeys(text) if not self._has(character)]
        what = ", ".join(spoken(character) for character in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        raise ValueError(
            f"{name}: the model does not know {what or 'this text'}; its vocabulary has {len(self)} symbols. "
            "What was written before is still there."
        )

    def _has(self, character: str) -> bool:
        try:
            self.vocabulary.encode(character)
        except (ValueError, KeyError):
            return False
        return True

    def usual(self) -> str:
        """A prefix to begin with, of symbols that there are."""
        for text in ("The ", "the ", "\n", " "):
            if all(map(self._has, text)):
                return text
        return self.text([0])


def visible(character: str) -> Symbol:
    """A single character as it is shown and said.

    >>> visible(" "), visible("E").said, visible(",").said, visible(chr(0x200B)).shown
    (Symbol(shown='␣', said='space', kind='space'), 'capital E', 'comma', 'U+200B')
    """
    if character in SEEN:
        sign, said = SEEN[character]
        return Symbol(sign, said, said)
    category, code = unicodedata.category(character), f"U+{ord(character):04X}"
    name = unicodedata.name(character, code).lower()
    if category[0] in "CZ":  # control, format, half a pair, odd spaces: nothing to be seen
        return Symbol(code, name if name != code.lower() else code, "code")
    if category[0] == "M":  # it would sit on its neighbour
        return Symbol(f"◌{character}", name)
    if character.isalnum():
        return Symbol(character, f"capital {character}" if character.isupper() else character)
    return Symbol(character, name)


def spoken(character: str) -> str:
    """For a message: the character and its number, since two may look alike."""
    symbol = visible(character)
    if symbol.kind == "code":
        return symbol.shown
    return symbol.said if symbol.kind else f"“{symbol.shown}” (U+{ord(character):04X})"


def _symbol(text: str, token: int) -> Symbol:
    if len(text) == 1 and text != "�":
        return visible(text)
    if not text or text == "�":  # a byte that is part of a character
        return Symbol(f"{token:02X}", f"byte {token:02X}", "code")
    parts = [visible(character) for character in text]
    return Symbol("".join(part.shown for part in parts), text)
