"""Our ES modules joined to one script, because anywidget loads a widget's script where relative imports find nothing.

No build step and no copy on disk: each imported module becomes one constant that holds what it exports. The same files
are tested as they are by `node --test`. Only what we write is understood: named imports of relative files, and `export`
before a function, class or const. Anything else is an error, not a guess.
"""

import re
from pathlib import Path

SHARED = Path(__file__).parent / "js"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";[ \t]*$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function\*?|class|const) (\w+)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_LEFT = re.compile(r"^[ \t]*(?:import|export)\b.*$", re.MULTILINE)


def bundle(entry: Path) -> str:
    """The script of `entry` and all that it imports; `entry` alone keeps its `export default`.

    Raises ValueError for an import or export of another form, a name that its file does not export, an `entry` without
    a default export, or a circle of imports; each names the file.
    """
    order: list[Path] = []
    _visit(entry.resolve(), order, ())
    names = {file: f"__module{index}" for index, file in enumerate(order)}
    parts = [_wrapped(file, names) for file in order[:-1]]
    last = _linked(order[-1], names)
    if not _DEFAULT.search(last):
        raise ValueError(f"{entry.name}: it has no default export")
    return "\n".join([*parts, last])


def styles(*files: Path) -> str:
    """The shared style sheet, followed by those of the widget."""
    return "\n".join(file.read_text(encoding="utf-8") for file in (SHARED / "core.css", *files))


def _visit(file: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    """Append `file` after everything that it imports."""
    if file in above:
        raise ValueError(f"circle of imports: {' -> '.join(path.name for path in (*above, file))}")
    if file in order:
        return
    for match in _IMPORT.finditer(file.read_text(encoding="utf-8")):
        _visit((file.parent / match[2]).resolve(), order, (*above, file))
    order.append(file)


def _linked(file: Path, names: dict[Path, str]) -> str:
    """The text of `file`, its imports taken from the constants of earlier modules."""

    def constant(match: re.Match) -> str:
        source = (file.parent / match[2]).resolve()
        known = _exports(source.read_text(encoding="utf-8"))
        for name in re.findall(r"([^\s,]+)(?: as [^\s,]+)?", match[1]):
            if name not in known:
                raise ValueError(f"{file.name}: {source.name} does not export {name!r}")
        wanted = re.sub(r"(\w+) as (\w+)", r"\1: \2", match[1].strip().rstrip(","))
        return f"const {{ {wanted} }} = {names[source]};"

    text = _IMPORT.sub(constant, file.read_text(encoding="utf-8"))
    for left in _LEFT.findall(_EXPORT.sub("", text)):
        if not left.startswith("export default "):
            raise ValueError(f"{file.name}: {left.strip()!r} is of a form that bundle() does not understand")
    return text


def _wrapped(file: Path, names: dict[Path, str]) -> str:
    """The module as a constant with its exports, so that its other names stay its own."""
    text = _linked(file, names)
    body = _EXPORT.sub(r"\1 \2", text)
    if _DEFAULT.search(body):
        raise ValueError(f"{file.name}: only the entry may have a default export")
    return f"const {names[file]} = (() => {{\n{body}\nreturn {{ {', '.join(_exports(text))} }};\n}})();"


def _exports(text: str) -> list[str]:
    return [match[2] for match in _EXPORT.finditer(text)]
