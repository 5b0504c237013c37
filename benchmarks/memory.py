"""What a learner's kernels hold, under a real limit on memory: the figures of chapters/needs.toml, and a host's sizes.

    python benchmarks/memory.py               # all chapters and exercises, about a quarter of an hour
    python benchmarks/memory.py 00-start 08   # some of them

Every notebook runs as `dlcourse run` runs it, its kernel in a memory cgroup of 2 GB (Linux; whoever runs this must be
allowed to make one). For each the table has, in GB:

- holds: the most that the kernel held, resident, shared libraries included; the figure that counts for a learner;
- charged: the most that the cgroup was charged at one moment. Files that were read count there until their room is
  wanted, so this depends on what ran before; libraries that another kernel has read already do not count;
- stated: what needs.toml says. `holds` with 10 % to spare, rounded up to 0.05.

Before them: a kernel in which nothing ran, one that has imported torch, and a JupyterLab server that has just started.
Exits with 1 when a notebook fails, or holds more than is stated.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from dlcourse_browser import Lab  # noqa: E402
from dlcourse_memory import GB, box, run_in  # noqa: E402

from dlcourse.course.needs import peak  # noqa: E402
from dlcourse.course.run import find  # noqa: E402

LIMIT = 2 * GB
IDLE = {"idle kernel": "1", "import torch": "import torch"}


def row(name: str, holds: float, charged: float, stated: float | None = None) -> None:
    print(f"{name:40}{holds / GB:7.3f}{charged / GB:9.3f}" + (f"{stated / GB:8.2f}" if stated else ""), flush=True)


def kernels(folder: Path) -> None:
    for name, code in IDLE.items():
        path = folder / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
        with box(LIMIT) as limited:
            outcome = run_in(limited, path)
            row(name, outcome.peak, limited.most())


def server(folder: Path) -> None:
    with box(LIMIT) as limited:
        lab = Lab(folder, inside=lambda line: limited.command(*line))
        try:
            row("JupyterLab server", psutil.Process(lab.process.pid).memory_info().rss, limited.most())
        finally:
            lab.kill()


def notebook(path: Path) -> bool:
    """One row; whether all is as stated."""
    with box(LIMIT) as limited:
        outcome = run_in(limited, path)
        row(
            f"{path.stem}{' (solved)' if 'solutions' in path.parts else ''}",
            outcome.peak,
            limited.most(),
            peak(path.name),
        )
        for fault in outcome.faults:
            print(f"  failed: {fault.place}: {fault.error}", file=sys.stderr)
        return not outcome.faults and outcome.peak <= peak(path.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="as for `dlcourse run`; default: all, exercises and solutions too")
    wanted = parser.parse_args().notebooks
    paths = find(wanted, root=ROOT)
    if not wanted:
        paths += [*sorted(ROOT.glob("exercises/*/*.ipynb")), *sorted(ROOT.glob("solutions/*/*.ipynb"))]
    print(f"{'GB':40}{'holds':>7}{'charged':>9}{'stated':>8}")
    with tempfile.TemporaryDirectory(prefix="dlcourse-memory-") as folder:
        kernels(Path(folder))
        server(Path(folder))
    good = [notebook(path) for path in paths]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
