"""STUDENT: the process in the jail. It runs the submission's cells and answers what TESTER asks of the results.

Everything in this file serves the student; nothing in it protects anybody. Code that gets hold of the channel may send
what it likes: TESTER reads values from a closed list and compares them, no more.

    frame to STUDENT     b"C" a cell to run, JSON {label, source}
                         b"A" a check's question: number of the answer | newline | a message of checks.subject
                         b"D" a question to the desk below, a message of checks.values
    frame from STUDENT   a message of dlcourse.checks.values
"""

import __future__

import ast
import asyncio
import builtins
import importlib
import inspect
import itertools
import json
import linecache
import os
import random
import socket
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any

import numpy
import torch
from torch import Tensor

from dlcourse.checks.frames import WireError, receive, send
from dlcourse.checks.outcome import AnswerError
from dlcourse.checks.subject import Answerer, weighted_slopes
from dlcourse.checks.values import decode, encode
from dlcourse.course.grading.judge.jailed import ENVIRONMENT

MAX_TEXT = 2_000


def main(channel: socket.socket, what: dict, parent: int) -> None:
    """Enters the jail, says so, serves until the other side ends."""
    if what["sandbox"] == "none":
        send(channel, b"")
    else:
        from dlcourse.course.grading.jail.sandbox import confine

        try:
            confine(
                what["sandbox"],
                memory=what["memory"],
                cpu=what["cpu"],
                scratch=what["scratch"],
                keep=[channel.fileno()],
                parent=parent,
            )
        except Exception as error:
            send(channel, f"{type(error).__name__}: {error}".encode())
            return
        send(channel, b"")
    serve(channel)


def serve(channel: socket.socket) -> None:
    # torch.compile would need a compiler, and nothing can be started in the jail: what it decorates runs as it is.
    os.environ.update(ENVIRONMENT, TORCHDYNAMO_DISABLE="1")
    # A fork draws fresh entropy; here every run of a submission is the same.
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)
    notebook = Notebook()
    desk = Desk(notebook)
    roles = {b"C": notebook.run, b"A": desk.ask, b"D": desk.use}
    while (frame := receive(channel)) is not None:
        try:
            reply = roles[bytes(frame[:1])](frame[1:])
        except BaseException as error:  # of the student's code, KeyboardInterrupt and made-up ones too
            reply = encode({"error": _described(error)})
        send(channel, reply)


def _described(error: BaseException) -> tuple[str, ...]:
    """As dlcourse.checks.subject has it: kind, text, class, line, bases."""
    if isinstance(error, AnswerError):
        return (error.kind, error.message, error.error, error.line, " ".join(error.bases))
    if isinstance(error, WireError):
        return ("not-plain", _text(error))
    bases = " ".join(base.__name__ for base in type(error).__mro__)
    return ("raised", _text(error), type(error).__name__, _line_of(error), bases)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_TEXT].encode("utf-8", "replace").decode()
    except Exception:  # an exception whose text raises
        return ""


def _line_of(error: BaseException) -> str:
    """The last line of the student's own on the way to the error."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<")]
    return f"line {own[-1].lineno}: {own[-1].line}"[:MAX_TEXT] if own else ""


# --- cells ----------------------------------------------------------------------------------------------------------


# What `from __future__ import ...` switches on; in Jupyter it holds for the cells after it too.
FUTURE = reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
# Cell magics whose body is Python.
BODIES = {"time", "timeit", "capture", "prun", "python", "python3"}


class Nothing:
    """In place of what IPython would hand out: calls and attributes of it do nothing, and lead nowhere."""

    def __call__(self, *values: Any, **options: Any) -> None:
        return None

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __format__(self, how: str) -> str:
        return ""


NOTHING = Nothing()


class Notebook:
    """The namespace of a notebook, and its cells as IPython would run them, with nothing shown.

    It is what `get_ipython()` gives, too: libraries ask that for a kernel, and go without.
    """

    kernel = None

    def __init__(self) -> None:
        import IPython
        from IPython.core import getipython
        from IPython.core.inputtransformer2 import TransformerManager

        self.module = types.ModuleType("__main__")
        self.names = self.user_ns = self.module.__dict__
        sys.modules["__main__"] = self.module
        sys.path.insert(0, "")  # as in Jupyter; what lies there, a cell has written
        self._transform = TransformerManager().transform_cell
        self._future = 0
        builtins.get_ipython = IPython.get_ipython = getipython.get_ipython = lambda: self
        builtins.display = lambda *values, **options: None

    def run(self, request: bytearray) -> bytes:
        cell = json.loads(request.decode("utf-8", "surrogatepass"))
        try:
            self._execute(cell["source"], f"<{cell['label']}>", first=cell["first_definitions"])
        except BaseException as error:
            return encode({"error": _described(error)})
        return encode({"value": None})

    def _execute(self, source: str, label: str, first: bool = False) -> None:
        source = self._transform(source)
        linecache.cache[label] = (len(source), None, source.splitlines(keepends=True), label)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | self._future
            code = compile(_first_definitions(source) if first else source, label, "exec", flags, dont_inherit=True)
        self._future |= code.co_flags & FUTURE
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(types.FunctionType(code, self.names)())
        else:
            exec(code, self.names)

    # What IPython's transformer makes of `%magic`, `%%magic` and `!command`.

    def run_line_magic(self, name: str, line: str, *rest: Any) -> Any:
        if name not in ("time", "timeit") or line.startswith("-"):
            return NOTHING
        try:
            code = compile(line, f"<%{name}>", "eval", self._future, dont_inherit=True)
        except SyntaxError:  # a statement, or a magic of its own
            return self._execute(line, f"<%{name}>")
        return eval(code, self.names)  # x = %time f(3)

    def run_cell_magic(self, name: str, line: str, body: str) -> None:
        if name in BODIES:
            self._execute(body, f"<%%{name}>")
        elif name in ("writefile", "file") and line.strip():  # a module for a later cell to import
            *options, path = line.split()
            with open(path.strip("'\""), "a" if "-a" in options else "w", encoding="utf-8") as file:
                file.write(body)
            importlib.invalidate_caches()

    def system(self, command: str) -> None:
        """No command is run."""

    def getoutput(self, command: str) -> list[str]:
        return []

    def __getattr__(self, name: str) -> Any:  # whatever else somebody asks of an IPython: nothing happens
        return getattr(NOTHING, name)


def _first_definitions(source: str) -> ast.Module:
    """What a cell imports, defines and sets to plain values before it computes: nothing of it takes long."""
    tree = ast.parse(source)
    return ast.Module(list(itertools.takewhile(_only_defines, tree.body)), [])


def _only_defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.Expr):
        try:
            ast.literal_eval(node.value)
        except (ValueError, TypeError):
            return False
        return True
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)


# --- questions ------------------------------------------------------------------------------------------------------


class Desk:
    """Answers questions on the names of a notebook: those of the checks, and those of tests written as plain Python.

    A plain value goes out as itself, anything else stays here and goes out as the number under which it is kept.
    """

    def __init__(self, notebook: Notebook) -> None:
        self._names = notebook.names
        self._kept: list[Any] = []
        self._answerers: dict[int, Answerer] = {}
        self._tapes: dict[int, tuple[list[Tensor], Any]] = {}

    def ask(self, request: bytearray) -> bytes:
        head, _, question = request.partition(b"\n")
        number = int(head)
        if number not in self._answerers:
            self._answerers[number] = Answerer(self._kept[number])
        return self._answerers[number].reply(question)

    def use(self, request: bytearray) -> bytes:
        asked = decode(request)
        return encode({"value": getattr(self, f"_{asked['do']}")(*asked["with"])})

    def _look(self, name: str) -> dict[str, Any] | None:
        return self._out(self._names[name]) if name in self._names else None

    def _call(self, number: int, args: tuple, options: dict[str, Any]) -> dict[str, Any]:
        return self._out(self._kept[number](*args, **options))

    def _get(self, number: int, name: str) -> dict[str, Any]:
        return self._out(getattr(self._kept[number], name))

    def _module(self, number: int) -> dict[str, Any]:
        """Parameters (tensor, whether it learns), buffers and mode of a module."""
        module = self._kept[number]
        return {
            "parameters": {name: (value, value.requires_grad) for name, value in module.named_parameters()},
            "buffers": dict(module.named_buffers()),
            "training": module.training,
        }

    def _set(self, number: int, state: dict[str, Tensor], training: bool) -> None:
        """The tester's parameters, buffers and mode, before anything is asked of the module."""
        module = self._kept[number]
        own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        with torch.no_grad():
            for name, value in state.items():
                own[name].copy_(value)
        if module.training != training:
            module.train(training)

    def _forward(self, number: int, args: tuple, slopes: list[bool]) -> dict[str, Any]:
        """The module's value with a record for `_backward`. slopes: which of the arguments want one."""
        module = self._kept[number]
        args = tuple(
            value.detach().requires_grad_() if wanted else value for value, wanted in zip(args, slopes, strict=True)
        )
        with torch.enable_grad():
            value = module(*args)
        leaves = [value for value, wanted in zip(args, slopes, strict=True) if wanted]
        leaves += [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._tapes = {number: (leaves, value)}  # one record: the tester walks it back before it asks again
        return {"out": self._out(value), "buffers": dict(module.named_buffers())}

    def _backward(self, number: int, cotangents: list[Tensor | None]) -> list[Tensor | None]:
        leaves, value = self._tapes[number]
        values = value if isinstance(value, tuple) else (value,)
        pairs = [
            (each, weight)
            for each, weight in zip(values, cotangents, strict=True)
            if weight is not None and each.requires_grad
        ]
        if not pairs:
            return [None] * len(leaves)
        return list(weighted_slopes(pairs, leaves, again=True))

    def _out(self, value: Any) -> dict[str, Any]:
        try:
            encode(value)
        except WireError:
            self._kept.append(value)
            return {"kept": len(self._kept) - 1, "what": _what(value), "type": type(value).__name__[:MAX_TEXT]}
        return {"plain": value}


def _what(value: Any) -> str:
    if inspect.isclass(value):
        return "class"
    return "module" if isinstance(value, torch.nn.Module) else "object"
