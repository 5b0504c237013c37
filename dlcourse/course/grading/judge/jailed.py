"""A STUDENT process seen from TESTER: told what to do frame by frame, timed, and ended for sure."""

import contextlib
import json
import math
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from dlcourse.checks.frames import WireError, receive, send

# All that WARM and its children have in their environment: nothing of the person who grades.
ENVIRONMENT = {
    **{"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MPLBACKEND": "Agg"},
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **{"DLCOURSE_GRADED": "1", "DLCOURSE_PROGRESS": "0", "DLCOURSE_DEVICE": "cpu"},
}
START = 20.0  # seconds until the jail stands
TICK = 0.02  # seconds between two looks at the clock


def request(control: socket.socket, what: dict, *descriptors: int) -> None:
    """Asks WARM for a child of that role, who gets the descriptors."""
    socket.send_fds(control, [json.dumps(what).encode()], list(descriptors))


@dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds are of CPU, and those asleep count too: nobody waits for an answer that
    sleeps. By the wall anything may take `wall` times as long, since the machine may be busy."""

    call_cpu: float = 10.0  # one answer to one question
    cell_cpu: float = 30.0  # one cell of the notebook
    submission_cpu: float = 120.0  # the whole notebook, once through
    wall: float = 3.0
    memory: int = 2 * 2**30  # bytes beyond what the process has at its start
    scratch: int = 64 * 2**20  # bytes of files


class JailError(Exception):
    """The jail could not be made: our trouble, never a student's score."""


class Lost(Exception):
    """STUDENT gave no answer. by: "cpu", "wall" (it may have been the machine's fault) or "end" (it ended, or broke the
    frames)."""

    def __init__(self, by: str, text: str) -> None:
        super().__init__(text)
        self.by = by


class Jailed:
    """One STUDENT. After `Lost` it is gone; take another."""

    def __init__(
        self, control: socket.socket, sandbox: str, limits: Limits, deadline: float = math.inf, used: float = 0.0
    ) -> None:
        """deadline: by the monotonic clock, for all that it will be asked. used: seconds of CPU spent already."""
        self._channel, theirs = socket.socketpair()
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # the kernel tells who sends
        what = {"role": "student", "sandbox": sandbox, "memory": limits.memory, "scratch": limits.scratch}
        with theirs:
            request(control, {**what, "cpu": max(1.0, limits.submission_cpu - used)}, theirs.fileno())
        self.alive = True
        self._wall, self._deadline, self._left = limits.wall, deadline, limits.submission_cpu - used
        self.asleep = 0.0  # seconds in which it neither computed nor waited for the machine, while it was asked
        self._pid, self._process = 0, -1
        try:
            self._meet()
        except (OSError, WireError) as error:
            self.end()
            raise JailError(f"no jailed process could be had: {error}") from error

    def _meet(self) -> None:
        """The first frame comes from inside the jail, before any of the student's code: empty, or what went wrong."""
        self._channel.settimeout(START)
        head, ancillary, *_ = self._channel.recvmsg(8, socket.CMSG_SPACE(struct.calcsize("3i")))
        if len(head) != 8:
            raise OSError("it ended before it was jailed")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                self._pid = struct.unpack("3i", data[: struct.calcsize("3i")])[0]
        if not self._pid:
            raise OSError("the kernel did not tell its process id")
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        (length,) = struct.unpack(">Q", head)
        if length:
            raise OSError(self._channel.recv(length).decode(errors="replace"))
        self._channel.settimeout(None)
        self._process = os.pidfd_open(self._pid)
        self._arrival = select.poll()
        self._arrival.register(self._channel, select.POLLIN)

    def exchange(self, frame: bytes, cpu: float) -> bytearray:
        """The reply to one frame, within so many seconds of CPU or sleep, and a tick. Raises Lost."""
        now = time.monotonic()
        deadline = min(now + self._wall * cpu, self._deadline)
        started = None  # most replies are there before the first look at the clock
        try:
            send(self._channel, frame, timeout=max(0.1, deadline - now))
            while not self._arrival.poll(1e3 * TICK):
                spent = self._look()
                started = spent if started is None else started
                if spent - started > cpu:
                    raise Lost("cpu", f"no answer after {cpu:g} s of computing or sleeping")
                if spent > self._left:
                    raise Lost("cpu", "the notebook has used up its time")
                if time.monotonic() > deadline:
                    raise Lost("wall", f"no answer within {deadline - now:.3g} s")
            reply = receive(self._channel, timeout=max(1.0, deadline - time.monotonic()))
        except TimeoutError:
            self.end()
            raise Lost("wall", f"no answer within {deadline - now:.3g} s") from None
        except (OSError, WireError) as error:
            self.end()
            raise Lost("end", f"the answer's process ended or sent rubbish ({error})") from error
        except Lost:
            self.end()
            raise
        if reply is None:
            self.end()
            raise Lost("end", "the answer's process ended")
        return reply

    def run(self, label: str, source: str, cpu: float, *, first_definitions: bool = False) -> bytearray:
        """Runs a cell, or what it defines before it computes; its reply is a value of None or an error."""
        cell = json.dumps(
            {"label": label, "source": source, "first_definitions": first_definitions}, ensure_ascii=False
        ).encode()
        return self.exchange(b"C" + cell, cpu)

    def _look(self) -> float:
        """Seconds spent so far, of CPU or asleep; called once a tick."""
        before = self._used
        if self.cpu() - before < TICK / 10 and _sleeps(self._pid):
            self.asleep += TICK
        return self._used + self.asleep

    def cpu(self) -> float:
        """Seconds of CPU it has used, by the kernel's own count; what it had used when it ended."""
        if self.alive:
            with contextlib.suppress(OSError):  # it has just ended
                self._used = time.clock_gettime(_clock_of(self._pid))
        return self._used

    _used = 0.0

    def end(self) -> None:
        """Kills it and all it could have started; twice is once."""
        if not self.alive:
            return
        self.cpu()
        self.alive = False
        if self._process >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)
            os.close(self._process)
        self._channel.close()


def _sleeps(pid: int) -> bool:
    """Whether each thread of a process waits for something that is neither a CPU nor a disk (proc_pid_stat(5))."""
    try:
        states = [Path(task, "stat").read_bytes().rpartition(b") ")[2][:1] for task in os.scandir(f"/proc/{pid}/task")]
    except OSError:  # it has just ended
        return False
    return all(state in b"STt" for state in states)


def _clock_of(pid: int) -> int:
    """The CPU clock of another process, as clock_getcpuclockid(3) makes it on Linux."""
    return (~pid << 3) | 2
