"""What a kernel of the course does beside IPython: it refuses a cell for which there is too little memory.

On a server that limits a learner's memory, a second chapter opened beside a first may not fit, and a kernel that goes
over the limit is killed without a word. So before each cell this asks what is left of the limit, and whether the
notebook can still grow to the peak that `chapters/needs.toml` states for it. Where it cannot, the cell does not run,
and a message says which other notebooks hold how much and what to do.

It is an extension of IPython, which the kernelspec in `jupyter/kernels/` loads. Without a limit it does nothing: on a
machine of one's own, memory that runs short goes to the disk, and the learner sees the other programs.

It looks between cells only. What a single cell takes beyond its chapter's peak, and two notebooks that grow in the
same moment, can still end a kernel.
"""

import ast
import os
from collections import Counter
from pathlib import Path

import psutil
from IPython.core.error import InputRejected
from IPython.core.interactiveshell import InteractiveShell

from dlcourse.course.needs import GB, peak
from dlcourse.device import machine_memory, memory_budget, memory_limit

SPARE = 0.05 * GB  # no cell begins with less: one figure takes as much
NOTEBOOK = "JPY_SESSION_NAME"  # a Jupyter server tells a kernel its notebook's path by this variable


class NotEnoughMemory(InputRejected):
    """A cell was not run, for want of memory. Jupyter shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


class Guard(ast.NodeTransformer):
    """IPython shows it each cell before it runs: a transformer may change the cell, or reject it."""

    def __init__(self, notebook: str) -> None:
        self.name, self.peak = Path(notebook).stem or "this notebook", peak(notebook)

    def visit(self, cell: ast.AST) -> ast.AST:
        """The cell as it is. Raises NotEnoughMemory when less is left of a limit than the notebook may still take."""
        try:
            limit = memory_limit()
            if limit >= machine_memory():
                return cell
            left = memory_budget()
        except (OSError, ValueError):  # a system that tells less, or in another form: nothing is known, all may run
            return cell
        held = psutil.Process().memory_info().rss
        if left < max(SPARE, self.peak - held):
            raise NotEnoughMemory(self._message(limit, left, held))
        return cell

    def _message(self, limit: float, left: float, held: float) -> str:
        others = _others()
        lines = [
            "Not enough memory: this cell was not run. With it the kernel might have been killed.",
            "",
            f"Of the {_gb(limit)} that all your notebooks may take together, {_gb(left)} is left.",
            f"{self.name} holds {_gb(held)} and takes up to {_gb(max(self.peak, held + SPARE))}.",
            *(f"{name} holds {_gb(size)}." for name, size in others.most_common()),
            "",
        ]
        if others:
            lines += [
                "What to do: shut down a notebook that you have finished with. In its tab choose Kernel > Shut Down",
                'Kernel, or use "Running Terminals and Kernels" at the left edge. Then run this cell again.',
                "Nothing that you wrote is lost, outputs stay; a notebook shut down begins again at its first cell.",
            ]
        else:
            lines += [
                "No other notebook of yours is running. What to do: save this one, choose Kernel > Restart Kernel, and",
                "run it again from its first cell. Nothing that you wrote is lost. If it says the same again, ask",
                f"whoever runs this server for more than {_gb(limit)}.",
            ]
        return "\n".join(lines)


def _gb(size: float) -> str:
    return f"{size / GB:.2f} GB"


def _others() -> Counter[str]:
    """Bytes that shutting down each other notebook under this limit would free, with the processes that it started."""
    held: Counter[str] = Counter()
    for process in psutil.process_iter():
        try:
            notebook = process.environ().get(NOTEBOOK)
            if notebook and notebook != os.environ.get(NOTEBOOK) and _group(process.pid) == _group(os.getpid()):
                held[Path(notebook).name] += process.memory_full_info().uss
        except (psutil.Error, OSError):  # it ended meanwhile, or belongs to somebody else
            continue
    return held


def _group(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """IPython calls this when a kernel starts."""
    shell.ast_transformers.append(Guard(os.environ.get(NOTEBOOK, "")))
