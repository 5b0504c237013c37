"""Dockerfiles read as a list of instructions: enough to ask what stands in one, and in which order."""

import re
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, its lines joined; of a here-document the text is part of the value."""

    name: str  # upper case
    value: str


def instructions(text: str) -> list[Instruction]:
    """Every instruction in order. Raises ValueError for a line that is none, and for one that never ends."""
    found, lines = [], iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = line.strip()
        while whole.endswith("\\"):
            whole = whole[:-1].rstrip() + " " + _next(lines, whole)
        if here := re.search(r"<<-?['\"]?(\w+)['\"]?", whole):
            while (line := _next(lines, whole)) != here[1]:
                whole += "\n" + line
        name, _, value = whole.partition(" ")
        if not re.fullmatch(r"[A-Z]+", name) or not value:
            raise ValueError(f"not a Dockerfile's instruction: {whole!r}")
        found.append(Instruction(name, value.strip()))
    return found


def _next(lines, whole: str) -> str:
    """The next line that is no comment: within an instruction they do not count."""
    for line in lines:
        if not line.lstrip().startswith("#") or "<<" in whole:
            return line.strip() if "<<" not in whole else line
    raise ValueError(f"this instruction does not end: {whole!r}")


def stages(text: str) -> dict[str, list[Instruction]]:
    """The instructions of each stage, by its name (`FROM ... AS name`) or its number."""
    made: dict[str, list[Instruction]] = {}
    for instruction in instructions(text):
        if instruction.name == "FROM":
            _, _, name = instruction.value.partition(" AS ")
            made[name or str(len(made))] = []
        if made:
            list(made.values())[-1].append(instruction)
    return made
