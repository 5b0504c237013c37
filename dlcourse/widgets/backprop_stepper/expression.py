"""What a learner types, read safely: `(a * b + c).tanh()`, or several steps, `h = tanh(w * x); h * h + h`.

The text is taken apart by Python's own parser and never run. Of what that finds, only names, numbers, + - * / **, a
minus sign, parentheses and the functions of the table of rules are understood; everything else is an error that marks
the place. Lengths are bounded before and after, because a text may come from a stranger's share string.
"""

import ast
import itertools
import keyword
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dlcourse.autograd.scalar import RULES
from dlcourse.plot.graph import COLUMNS, NODES

LONGEST = 240  # characters
DEEPEST = COLUMNS - 1  # operations that follow each other; and no more NODES than a picture can show
LARGEST = 1e6  # of a number in the text
FUNCTIONS = tuple(op for op, rule in RULES.items() if len(rule.locals) == 1 and op != "neg")
REDUCTIONS = ("sum", "mean")  # of tensors only
OPERATORS: dict[type, tuple[str, str]] = {
    ast.Add: ("add", "+"),
    ast.Sub: ("sub", "-"),
    ast.Mult: ("mul", "*"),
    ast.Div: ("div", "/"),
    ast.Pow: ("pow", "**"),
    ast.MatMult: ("matmul", "@"),
}
TAKEN = ("Value", "Tensor", "torch", "print")  # the program that `to_code` prints needs these
_ALLOWED = re.compile(r"[A-Za-z0-9_.,+\-*/@()=;\s]")
_GLUED = re.compile(r"(?<![A-Za-z0-9_])[0-9][0-9.]*(?!e[-+]?[0-9])[A-Za-z_]")  # 2x
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,11}")


class Node(NamedTuple):
    """op: None for a variable or a constant. label: a variable's name, or the name given to a result. number: of a
    constant."""

    op: str | None
    inputs: tuple[int, ...] = ()
    label: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Expression:
    """text: as typed. nodes: inputs before users, the result last. variables: their names, in the order they appear.
    code: the same as lines of Python, each an assignment. name: what the result is called."""

    text: str
    nodes: tuple[Node, ...]
    variables: tuple[str, ...]
    code: tuple[str, ...]
    name: str


def parse(text: str, *, tensors: bool = False) -> Expression:
    """The expression in a text. tensors: `@`, sum and mean are understood too.

    Raises ValueError, with the place marked «so», for anything that is not allowed or not understood, and for more than
    240 characters, 40 nodes or 15 operations in a row.

    >>> [(node.op or node.label, node.inputs) for node in parse("a * b + a").nodes]
    [('a', ()), ('b', ()), ('mul', (0, 1)), ('add', (2, 0))]
    """
    text = text.strip()
    if not text:
        raise ValueError("the expression is empty: type one, such as (a * b + c).tanh().")
    if len(text) > LONGEST:
        raise ValueError(f"the expression has {len(text)} characters; at most {LONGEST} fit here.")
    for at, character in enumerate(text):
        if not _ALLOWED.fullmatch(character) or not character.isascii():
            hint = " A power is written **." if character == "^" else ""
            raise ValueError(f"the character {character!r} has no meaning here.{hint} {_marked(text, at, at + 1)}")
    if glued := _GLUED.search(text):
        raise ValueError(f"a number and a name stand side by side: write 2 * x. {_marked(text, *glued.span())}")
    lines = "\n".join(line.strip() for line in text.splitlines())
    try:
        tree = ast.parse(lines)
    except SyntaxError as error:
        before = sum(len(line) + 1 for line in lines.split("\n")[: (error.lineno or 1) - 1])
        at = min(before + max((error.offset or 1) - 1, 0), len(lines))
        raise ValueError(f"this is not a complete expression: {_reason(error)}. {_marked(lines, at, at + 1)}") from None
    except (ValueError, RecursionError, MemoryError):
        raise ValueError("this expression is nested too deeply to be read.") from None
    return _Reader(lines, tensors).read(text, tree)


class _Part(NamedTuple):
    """A piece that was read: a node's index, or a plain number; and its Python, with how tightly it binds."""

    node: int | None
    number: float | None
    code: str
    binds: int


_TIGHT = {"add": 1, "sub": 1, "mul": 2, "div": 2, "matmul": 2, "neg": 3, "pow": 4}
_ATOM = 9


class _Reader:
    def __init__(self, text: str, tensors: bool):
        self.text, self.tensors = text, tensors
        self.nodes: list[Node] = []
        self.depth: list[int] = []
        self.names: dict[str, _Part] = {}  # variables and named results
        self.given: dict[str, ast.AST] = {}  # where a result was named
        self.used: set[str] = set()
        self.starts = [0]
        for line in text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def read(self, text: str, tree: ast.Module) -> Expression:
        code: list[str] = []
        name, part = "", None
        for number, line in enumerate(tree.body):
            last = number == len(tree.body) - 1
            name = self._target(line, last)
            part = self._part(line.value)
            if name:
                part = self._named(name, part, line)
            code.append(f"{name} = {part.code}" if name else part.code)
            if name:
                self.names[name] = part._replace(code=name, binds=_ATOM)
        if part is None or part.node is None:
            raise ValueError("the expression has no variable, so there is nothing to differentiate: use a name.")
        root = self.nodes[part.node]
        if not root.label:
            name = next(name for name in _result_names() if name not in self.names)
            self.nodes[part.node] = root._replace(label=name)
            code[-1] = f"{name} = {code[-1]}"
        elif not name:  # the last line only says which of the names is meant
            name = root.label
            code.pop()
        for given, line in self.given.items():
            if given not in self.used and given != name:
                raise self._error(line, f"{given} is made and never used")
        variables = tuple(node.label for node in self.nodes if node.op is None and node.number is None)
        return Expression(text, tuple(self.nodes), variables, tuple(code), name)

    def _target(self, line: ast.stmt, last: bool) -> str:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            name = line.targets[0].id
            self._check_name(line.targets[0], name)
            if name in self.names:
                raise self._error(line.targets[0], f"{name} has a meaning already; give the result another name")
            return name
        if not isinstance(line, ast.Expr):
            raise self._error(line, "this is no expression; only formulas and lines like h = ... are read")
        if not last:
            raise self._error(line, "all but the last line need a name, like h = ...")
        return ""

    def _named(self, name: str, part: _Part, line: ast.Assign) -> _Part:
        """The result carries its name."""
        if part.node is None:
            way = f"with numbers={{'{name}': {part.number:.12g}}}"
            raise self._error(line, f"numbers are not set in the text but in their own fields, or {way}")
        if self.nodes[part.node].op is None or self.nodes[part.node].label:
            raise self._error(line, f"{name} is only another name; a name is for the result of an operation")
        if name in self.names:  # it appeared as a variable in its own formula
            raise self._error(line, f"{name} is made from itself")
        self.nodes[part.node] = self.nodes[part.node]._replace(label=name)
        self.given[name] = line
        return part

    # ---- the pieces

    def _part(self, piece: ast.AST) -> _Part:
        match piece:
            case ast.Constant(value=value) if type(value) in (int, float):
                if not abs(value) <= LARGEST:
                    raise self._error(piece, f"this number is too large; at most {LARGEST:,.0f}")
                return _Part(None, float(value), repr(value), _ATOM)
            case ast.Name(id=name):
                return self._name(piece, name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                name, sign = OPERATORS[type(op)]
                if name == "matmul" and not self.tensors:
                    raise self._error(piece, "@ is for matrices; here every variable is one number, and * is meant")
                a, b = self._part(left), self._part(right)
                tight = _TIGHT[name]
                right_too = name in ("sub", "div", "matmul", "mul", "add")  # a - (b - c): the order stays as typed
                code = f"{_wrapped(a, tight + (name == 'pow'))} {sign} {_wrapped(b, tight + right_too)}"
                return self._made(piece, name, (a, b), code, tight)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                a = self._part(operand)
                return self._made(piece, "neg", (a,), f"-{_wrapped(a, 3)}", 3)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                return self._function(piece, name, argument)
            case ast.Call(func=ast.Attribute(value=value, attr=name), args=[], keywords=[]):
                return self._function(piece, name, value)
            case ast.Call():
                raise self._error(piece, "a function takes one thing, as in tanh(a), or comes after it, as in a.tanh()")
            case ast.Attribute(attr=name):
                raise self._error(piece, f".{name} wants parentheses after it: .{name}()")
        raise self._error(
            piece, "this has no meaning here; there are + - * / **, parentheses, names, numbers and functions"
        )

    def _name(self, piece: ast.AST, name: str) -> _Part:
        self._check_name(piece, name)
        self.used.add(name)
        if name not in self.names:
            self.names[name] = _Part(self._add(piece, Node(None, label=name)), None, name, _ATOM)
        return self.names[name]

    def _check_name(self, piece: ast.AST, name: str) -> None:
        if name in FUNCTIONS + REDUCTIONS:
            raise self._error(piece, f"{name} is a function: write {name}(...)")
        if name in TAKEN or keyword.iskeyword(name):
            raise self._error(piece, f"a variable cannot be called {name}")
        if not _NAME.fullmatch(name):
            raise self._error(piece, "a name is a letter and at most 11 more letters, digits or _")

    def _function(self, piece: ast.AST, name: str, argument: ast.AST) -> _Part:
        known = FUNCTIONS + (REDUCTIONS if self.tensors else ())
        if name not in known:
            raise self._error(piece, f"there is no function {name}; there are {', '.join(known)}")
        a = self._part(argument)
        return self._made(piece, name, (a,), f"{_wrapped(a, _ATOM)}.{name}()", _ATOM)

    def _made(self, piece: ast.AST, op: str, parts: tuple[_Part, ...], code: str, binds: int) -> _Part:
        """A new node; or of plain numbers, the number that they make."""
        if all(part.node is None for part in parts):
            try:
                number = RULES[op].forward(*[part.number for part in parts])
            except (ValueError, ArithmeticError):
                number = math.nan
            if not abs(number) <= LARGEST:
                raise self._error(piece, f"this is no finite number, or one beyond {LARGEST:,.0f}")
            return _Part(None, number, repr(number), _ATOM if number >= 0 else 3)
        inputs = tuple(
            self._add(piece, Node(None, number=part.number)) if part.node is None else part.node for part in parts
        )
        return _Part(self._add(piece, Node(op, inputs)), None, code, binds)

    def _add(self, piece: ast.AST, node: Node) -> int:
        if len(self.nodes) == NODES:
            raise self._error(piece, f"with this, the graph has more than {NODES} nodes")
        depth = 1 + max((self.depth[source] for source in node.inputs), default=-1)
        if depth > DEEPEST:
            raise self._error(piece, f"with this, more than {DEEPEST} operations follow each other")
        self.nodes.append(node)
        self.depth.append(depth)
        return len(self.nodes) - 1

    def _error(self, piece: ast.AST, what: str) -> ValueError:
        begin = self.starts[piece.lineno - 1] + piece.col_offset
        end = self.starts[(piece.end_lineno or piece.lineno) - 1] + (piece.end_col_offset or piece.col_offset)
        return ValueError(f"{what}. {_marked(self.text, begin, end)}")


def _result_names() -> Iterator[str]:
    yield from ("result", "outcome", "answer", "found")
    yield from (f"result{number}" for number in itertools.count(2))


def _wrapped(part: _Part, at_least: int) -> str:
    return part.code if part.binds >= at_least else f"({part.code})"


def _marked(text: str, begin: int, end: int) -> str:
    """The place, for eyes and ears: its character's number, and the text with it between « and »."""
    piece = text[begin:end].strip() or "here"
    line = f"{text[:begin]}«{piece if begin < len(text) else 'here'}»{text[end:]}"
    return f"At character {begin + 1}: {' '.join(line.split())}"


def _reason(error: SyntaxError) -> str:
    said = error.msg or ""
    if "never closed" in said:
        return "a parenthesis is never closed"
    if "unmatched" in said:
        return "a parenthesis is closed that was never opened"
    return "something is missing or too much"
