"""The text of a stranger, so that it shows what it says and can do nothing: in a notebook, a page or a terminal."""

import re

# Characters of one Markdown cell. A renderer needs a second for the worst 30,000 that we found, and the time grows with
# the square.
MAX_TEXT = 30_000
INVISIBLE = "\u2063"  # the invisible separator: no width in text, known to MathJax, part of no tag, link or command

# What can lead out of a formula in MathJax 2 and 3, style the page, or change what later formulas mean.
_COMMANDS = (
    *("href", "url", "class", "cssId", "style", "bbox", "data", "htmlData", "htmlId", "htmlClass", "htmlStyle"),
    *("mmlToken", "require", "toggle", "mathtip", "texttip", "action", "includegraphics", "rule", "unicode", "csname"),
    *("def", "edef", "gdef", "xdef", "let", "newcommand", "renewcommand", "providecommand", "DeclareMathOperator"),
    *("newenvironment", "renewenvironment", "Newextarrow"),
)
_DANGEROUS = [
    re.compile(r"<(?=[A-Za-z/!?])"),  # all that can begin a tag, a comment or an autolink, for every parser of HTML
    re.compile(r"&(?=#|(?!(?:lt|gt|amp|nbsp|quot);)[A-Za-z][A-Za-z0-9]*;)"),  # a character in disguise: &#92;, &bsol;
    re.compile(r"\\(?=(?:" + "|".join(_COMMANDS) + r")(?![A-Za-z]))"),
    re.compile(r"\](?=[(\[:])"),  # links, pictures and the definitions of both: an address stays readable as text
    re.compile(r"(?<=[`~])[ \t]*(?=mermaid)"),  # nbconvert puts such a block out unescaped
    re.compile(r"#[ \t]*(?=[^#\s])"),  # headings become ids, and formgrader finds its score boxes by id
    re.compile(r"\S(?=[ \t]*\n[ \t>]*(?:=+|-+)[ \t]*(?:\n|\Z))"),  # so does a line that is underlined
]
# The language of a block of code goes: a highlighter would mark the invisible character as a mistake.
_LANGUAGE = re.compile(r"^([ \t>*+-]*(?:\d+[.)][ \t]+)?(?:`{3,}|~{3,}))[ \t]*[A-Za-z][\w+#.-]*[ \t]*$", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def inert(text: str, most: int = MAX_TEXT) -> str:
    """Markdown of a stranger that shows what it says and can do nothing.

    Where something could begin to act (a tag, a link, an entity, a command of MathJax) an invisible character stands
    between its first character and the rest. That holds whatever parser reads it, inside code and formulas too, and
    emphasis, lists, tables, code and formulas look as they were meant.
    """
    text = clean(text)
    if len(text) > most:
        text = f"{text[:most]}\n\n(cut here: {len(text):,} characters)"
    text = _LANGUAGE.sub(r"\1", text)
    for pattern in _DANGEROUS:
        text = pattern.sub(lambda found: found[0] + INVISIBLE, text)
    return text


def clean(text: str) -> str:
    """Text without what a terminal or a browser takes for an order: control characters and lone surrogates."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
