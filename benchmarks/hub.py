"""What learners cost on a hub: N of them log in at once, open a chapter, and run it to the end.

    python benchmarks/hub.py                      # 1, 4, 16 and 32 learners, chapter 01
    python benchmarks/hub.py --learners 8 --chapter 05-cnn

A real JupyterHub with the settings of deploy/jupyterhub/, and each learner an account of its own (tests/support says
how). They speak to it as a page does, over http and websockets, without a browser. Root on Linux only, and
configurable-http-proxy.

The first row is one learner with a cold disk: nothing of Python, torch and the course is in memory (Linux is told to
drop its caches). In each row: seconds from the log-in to a server that answers (median and slowest), seconds for the
chapter from its first cell to its last, and at the end of the chapter, when nothing has been shut down yet, what a
learner holds: the memory of the server and of the kernel (PSS: pages that processes share are divided among them).
Cells that fail count as faults, and make it exit with 1; so does a kernel that uses more threads than the cores it is
given. Absolute times mean nothing on another machine; memory does.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from dlcourse_hub import Client, Hub, why_no_hub  # noqa: E402

from dlcourse.device import cpu_budget  # noqa: E402

MB = 1e6


class Learner(NamedTuple):
    """What one of them saw."""

    start: float  # seconds to a server that answers
    chapter: float  # seconds for all cells
    threads: int  # of torch in the kernel, where no notebook has chosen yet
    faults: list[str]


def visit(hub: Hub, name: str, chapter: str) -> Learner:
    began = time.monotonic()
    client = Client(hub, name)
    client.log_in()
    client.start(seconds=900)
    started = time.monotonic()
    kernel = client.start_kernel(chapter)
    cells = client.cells(chapter)
    (threads,) = client.run(kernel, ["import torch; torch.get_num_threads()"])
    unsolved = [index for index, cell in enumerate(cells) if "raises-exception" in cell["metadata"].get("tags", [])]
    said = client.run(kernel, [cell["source"] for cell in cells])
    faults = [text for index, text in enumerate(said) if "Error: " in text[:60] and index not in unsolved]
    return Learner(started - began, time.monotonic() - started, int(threads), faults)


def held(numbers: Iterable[int]) -> dict[str, float]:
    """Bytes (PSS) of all processes of these accounts, by what they are."""
    total = {"server": 0.0, "kernel": 0.0}
    for process in psutil.process_iter():
        try:
            if process.uids().real in numbers:
                kind = "kernel" if "ipykernel_launcher" in process.cmdline() else "server"
                total[kind] += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(count: int, chapter: str, *, cold: bool = False) -> bool:
    """One row of the table: that many learners on a hub of their own. Whether all was as it must be."""
    names = tuple(f"learner{index}" for index in range(count))
    hub = Hub(students=names)
    try:
        with hub.running(), ThreadPoolExecutor(count) as pool:
            if cold:
                os.sync()
                Path("/proc/sys/vm/drop_caches").write_text("3")
            learners = list(pool.map(lambda name: visit(hub, name, chapter), names))
            memory = held({hub.world.numbers[name] for name in names})
            own = sum(each.memory_full_info().pss for each in hub.processes())
    finally:
        hub.remove()
    starts, chapters = [each.start for each in learners], [each.chapter for each in learners]
    server, kernel = (memory[kind] / count / MB for kind in ("server", "kernel"))
    print(
        f"{'1, cold' if cold else count:>8}   {statistics.median(starts):8.1f} ({max(starts):5.1f})     "
        f"{statistics.median(chapters):10.1f} ({max(chapters):5.1f})   {server:6.0f}   {kernel:6.0f}   "
        f"{server + kernel:6.0f} MB   {own / MB:4.0f} MB",
        flush=True,
    )
    faults = [fault for each in learners for fault in each.faults]
    threads = {each.threads for each in learners}
    if faults or threads != {cpu_budget()}:
        print(f"wrong: {len(faults)} cells failed ({faults[:1]}), threads {threads}", file=sys.stderr)
    return not faults and threads == {cpu_budget()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, nargs="+", default=[1, 4, 16, 32])
    parser.add_argument("--chapter", default="01-neurons")
    arguments = parser.parse_args()
    if reason := why_no_hub():
        parser.error(reason)
    print(f"{arguments.chapter}, {cpu_budget()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB\n")
    print("learners   start, s (slowest)   chapter, s (slowest)   server   kernel   a learner   hub")
    chapter = f"chapters/{arguments.chapter}.ipynb"
    right = [measure(1, chapter, cold=True), *(measure(count, chapter) for count in arguments.learners)]
    return int(not all(right))


if __name__ == "__main__":
    sys.exit(main())
