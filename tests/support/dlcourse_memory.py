"""A real limit on memory for the tests: a cgroup of their own (version 1 or 2), and kernels that live in it."""

import os
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from dlcourse.course import run as run_module
from dlcourse.course.lab import SETTINGS
from dlcourse.course.run import Outcome
from dlcourse.device import memory_groups

GB = 10**9
IMPOSSIBLE = "no memory cgroup can be made here"


class NoBox(Exception):
    """This machine, or this user, can make no cgroup with a limit on memory."""


class Box:
    """A cgroup whose processes may hold `limit` bytes together. Over it, the kernel kills one of them (SIGKILL)."""

    def __init__(self, folder: Path, limit: int):
        self.folder, self.old = folder, (folder / "memory.limit_in_bytes").exists()
        (folder / ("memory.limit_in_bytes" if self.old else "memory.max")).write_text(str(limit))
        swap = folder / ("memory.memsw.limit_in_bytes" if self.old else "memory.swap.max")
        if swap.exists():  # memory that is full must not go on to the disk
            swap.write_text(str(limit if self.old else 0))

    def command(self, *argv: str) -> list[str]:
        """A command line that enters the cgroup and then becomes `argv`: all its memory counts."""
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *argv]

    def pids(self) -> list[int]:
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def most(self) -> int:
        """Bytes: the most that was ever charged at one moment, files read (page cache) included."""
        return int((self.folder / ("memory.max_usage_in_bytes" if self.old else "memory.peak")).read_text())

    def kills(self) -> int:
        """How many processes have died of the limit."""
        lines = (self.folder / ("memory.oom_control" if self.old else "memory.events")).read_text().splitlines()
        return next(int(value) for name, value in map(str.split, lines) if name == "oom_kill")


@contextmanager
def box(limit: float) -> Iterator[Box]:
    """A box that is gone afterwards, with all that still ran in it. Raises NoBox where none can be made."""
    folder = _made()
    try:
        yield Box(folder, int(limit))
    finally:
        _removed(folder)


@contextmanager
def box_or_skip(limit: float) -> Iterator[Box]:
    """The same for a test, which is skipped where none can be made."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(box(limit))
        except NoBox as error:
            pytest.skip(str(error))
        yield made


def run_in(limited: Box, path: Path) -> Outcome:
    """`dlcourse run` of a notebook, with the course's own kernel, in a box."""
    specs = mock.patch.object(run_module, "KernelSpecManager", return_value=Boxed(limited))
    with specs, mock.patch.dict(os.environ, JPY_SESSION_NAME=str(path)):
        (outcome,) = run_module.run([path])
    return outcome


def _made() -> Path:
    """A new cgroup below this process's own, or below the nearest one that hands the control of memory down."""
    tried = []
    for above in memory_groups():
        folder = above / f"dlcourse-{uuid.uuid4().hex[:12]}"
        try:
            folder.mkdir()
        except OSError as error:
            tried.append(str(error))
            continue
        if any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
            return folder
        folder.rmdir()
        tried.append(f"{above} hands no control of memory down")
    raise NoBox(f"{IMPOSSIBLE}: {'; '.join(tried) or 'there are none'}")


def _removed(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        for pid in (folder / "cgroup.procs").read_text().split():
            try:
                os.kill(int(pid), 9)
            except ProcessLookupError:  # it ended meanwhile
                continue
        try:
            folder.rmdir()
            return
        except OSError:  # a dying process is in it for a moment
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Boxed(KernelSpecManager):
    """Finds one kernel only, the course's own, started inside the box."""

    def __init__(self, where: Box):
        super().__init__(kernel_dirs=[])
        self.where = where

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        spec = KernelSpec.from_resource_dir(str(SETTINGS / "kernels/python3"))
        assert spec.argv[0] == "python"
        spec.argv = self.where.command(sys.executable, *spec.argv[1:])
        return spec
