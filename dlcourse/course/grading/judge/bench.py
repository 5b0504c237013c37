"""Which names of a test are the instructor's own, and which the student answers for.

A test may use a helper of another cell: `assert close(double(2), 4)`. If `close` were looked up in STUDENT, a student
could put another `close` there, and pass. So what the instructor's cells import and define is made here, by running
those cells in TESTER, and only what hangs on an answer is asked of STUDENT.

    instructor's cells (plain, locked; of tests the functions and imports)      their imports and definitions: ours
    ... of these, one that uses an answer, or another that does                 the student's
    answers (what the released stub defines), and every other name              the student's
"""

import ast
import builtins
import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

IMPORTS = ast.Import | ast.ImportFrom
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | IMPORTS


def parsed(source: str) -> ast.Module:
    """The tree of a cell, with IPython's magics and `!commands` as calls. SyntaxError when it is no Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return ast.parse(TransformerManager().transform_cell(source))


def made(tree: ast.AST) -> set[str]:
    """Every name that the code binds, wherever in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
    return names


def free(tree: ast.AST) -> list[str]:
    """Names that the code reads and nowhere binds, built-in ones among them, in the order they appear."""
    own = made(tree) | {"__name__"}
    read = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return list(dict.fromkeys(name for name in read if name not in own))


class Magics:
    """What `get_ipython()` is in an instructor's cell: every magic does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *values, **options: None


@dataclass
class _Cell:
    tree: ast.Module
    makes: set[str]
    needs: list[str]


class Bench:
    """The instructor's names of one assignment.

    cells: (role, source) in order: the released text, and of a test its hidden part as a cell of its own.
    """

    def __init__(self, cells: Iterable[tuple[str, str]]) -> None:
        self._cells: list[_Cell] = []
        imports: list[ast.stmt] = []
        self.answers: set[str] = set()  # what the students are to write
        for role, source in cells:
            try:
                tree = parsed(source)
            except SyntaxError:  # a stub with a gap in it, say
                continue
            imports += [node for node in tree.body if isinstance(node, IMPORTS)]
            if role in ("answer", "manual"):
                self.answers |= {name for node in tree.body if not isinstance(node, IMPORTS) for name in made(node)}
            else:
                body = [node for node in tree.body if role != "test" or isinstance(node, DEFINITIONS)]
                tree = ast.Module(body, [])
                self._cells.append(_Cell(tree, _top_level(tree), free(tree)))
        self._space: dict[str, Any] = {"__name__": "__test__", "get_ipython": Magics}
        exec(compile(ast.Module(imports, []), "<imports>", "exec"), self._space)
        self._cells = self._ours(set(self._space) | set(dir(builtins)))
        self._ran = False

    def _ours(self, known: set[str]) -> list[_Cell]:
        """The cells that need no answer: what they use is known, or made by another of them."""
        left = self._cells
        while True:
            makes = set().union(*(cell.makes for cell in left)) - self.answers
            fit = [cell for cell in left if all(name in makes or name in known - self.answers for name in cell.needs)]
            if len(fit) == len(left):
                return left
            left = fit

    def space(self, tree: ast.AST) -> tuple[dict[str, Any], list[str]]:
        """The names that a test starts with, and those that it has to ask the student for."""
        wanted = free(tree)
        if any(cell.makes & set(wanted) for cell in self._cells):
            self._run()
        theirs = [name for name in wanted if name in self.answers or not (name in self._space or _built_in(name))]
        return {name: value for name, value in self._space.items() if name not in theirs}, theirs

    def _run(self) -> None:
        """Runs the cells that are ours, once."""
        if self._ran:
            return
        self._ran = True
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for cell in self._cells:
                exec(compile(cell.tree, "<instructor>", "exec"), self._space)


def _built_in(name: str) -> bool:
    return hasattr(builtins, name)


def _top_level(tree: ast.Module) -> set[str]:
    """Names that the cell leaves behind: not those inside its functions and classes."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            names |= made(node)
    return names
