"""WARM: a process that has torch imported once and does nothing but fork, so that a submission costs no import.

    GRADER -- exec, empty environment --> WARM -- fork --> TESTER (judges)
                                               -- fork --> STUDENT (jailed, runs the submission)

It is never told a submission, a test or a key: a request names a role and brings the socket over which the child will
be told its work. So whatever a STUDENT digs out of its own memory was in every installation of the course before.

It ends when GRADER does: GRADER holds the other end of its lifeline. Its children end with it (PR_SET_PDEATHSIG).
"""

import ast
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from dlcourse.course.grading.jail import kernel
from dlcourse.course.grading.judge.jailed import ENVIRONMENT, request

PACKAGE = Path(__file__).resolve().parents[3]
LONGEST_REQUEST = 4096  # bytes
REAP = 1.0  # seconds between two looks for children that have ended
START = 120.0  # seconds for the first import of torch, from a cold disk

# Imported once here, they cost a submission nothing. Any other import works and costs the submission its time.
PRELOADED = (
    *("dlcourse.course.grading.judge.student", "dlcourse.course.grading.judge.tester"),
    *("dlcourse.checks.registry", "dlcourse.checks.guide", "IPython.core.inputtransformer2"),
)
# What is imported behind the scenes where such a word stands in the assignment.
BEHIND = {
    "autograd": ("torch.fx.experimental.symbolic_shapes",),  # for a first slope with weights
    "optim": ("torch._dynamo",),
    "data.load": ("sklearn.datasets", "dlcourse.data"),
    "reveal": ("dlcourse.learn",),
}


def preload(sources: Iterable[str]) -> list[str]:
    """What to import before an assignment is graded: its own import lines, and what they and their use bring along."""
    lines = dict.fromkeys(f"import {name}" for name in PRELOADED)
    for source in sources:
        lines |= dict.fromkeys(f"import {name}" for word, names in BEHIND.items() if word in source for name in names)
        with contextlib.suppress(SyntaxError):  # a magic, a stub with a gap
            body = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
            lines |= dict.fromkeys(ast.unparse(node) for node in body)
    return list(lines)


class WarmError(Exception):
    """The warm process cannot be started or has ended: our trouble, never a student's score."""


class Warm:
    """The warm process, seen from GRADER. Threads may share it. It is there at once, and warm when it is first needed.

    imports: lines to run in it once, as `preload` makes them.
    """

    def __init__(self, imports: Iterable[str] = ()) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lifeline, held = socket.socketpair()
        start = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); from {__name__} import main; main()"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close; a full pipe would stop who writes
        with theirs, held:
            command = [sys.executable, "-I", "-c", start, str(theirs.fileno()), str(held.fileno()), *imports]
            self._process = subprocess.Popen(
                command,
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                pass_fds=(theirs.fileno(), held.fileno()),
                start_new_session=True,  # Ctrl-C is GRADER's to answer
            )
        self._control, self._lifeline, self._lock = ours, lifeline, threading.Lock()
        self._versions: dict[str, str] = {}
        ours.settimeout(START)

    @property
    def versions(self) -> dict[str, str]:
        """Of Python, torch and dlcourse in it."""
        self._wait()
        return self._versions

    def _wait(self) -> None:
        """Until it is warm, which it says by telling versions. WarmError when it never is."""
        with self._lock:
            if not self._versions:
                try:
                    self._versions = json.loads(self._control.recv(LONGEST_REQUEST) or b"{}")
                except TimeoutError:
                    self.close()
                    raise WarmError(f"torch was not imported within {START:g} s") from None
                if not self._versions:
                    self._died()

    def _died(self) -> None:
        self._process.wait()
        self._said.seek(0)
        errors = self._said.read(LONGEST_REQUEST).decode(errors="replace").strip()
        self.close()
        raise WarmError(f"the process that imports torch ended at once: {errors or 'it said nothing'}")

    def tester(self) -> socket.socket:
        """The channel to a fresh TESTER. WarmError when WARM has ended."""
        self._wait()
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                request(self._control, {"role": "tester"}, theirs.fileno(), self._control.fileno())
            except OSError as error:
                ours.close()
                raise WarmError(f"the process that forks the others has ended ({error})") from error
        return ours

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """Ends WARM and all that it forked."""
        self._lifeline.close()
        if not self._versions:  # it is still importing torch, and nobody needs it any more
            self._process.kill()
        try:
            self._process.wait(timeout=REAP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()
        self._said.close()


def main() -> None:
    """The warm process itself: `... CONTROL LIFELINE IMPORT...`, two descriptors and lines to run."""
    gc.disable()  # what is imported stays; to look through it again and again takes a fifth of the time
    control = socket.socket(fileno=int(sys.argv[1]))
    lifeline = socket.socket(fileno=int(sys.argv[2]))
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nobody of the same user reads its memory
    control.send(json.dumps(_load(sys.argv[3:])).encode())
    warm = os.getpid()
    while True:
        ready, _, _ = select.select([control, lifeline], [], [], REAP)
        with contextlib.suppress(ChildProcessError):  # waited for, so that their time is in our accounts
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if lifeline in ready:
            os._exit(0)
        text, descriptors, *_ = socket.recv_fds(control, LONGEST_REQUEST, 2)
        if not text:
            os._exit(0)
        with contextlib.suppress(OSError):  # no process to be had: the socket closes, and whoever waits there sees it
            if os.fork() == 0:
                _child(json.loads(text), descriptors, control, lifeline, warm)
        for descriptor in descriptors:
            os.close(descriptor)


def _load(imports: Iterable[str]) -> dict[str, str]:
    from platform import python_version

    import torch

    from dlcourse import __version__
    from dlcourse.course.grading.jail import sandbox as jail
    from dlcourse.course.grading.judge import tester

    torch.set_num_threads(1)
    # Nobody here has a tensor that is spread over machines, and to look for one assert_close would import 500 modules.
    torch.testing._comparison._HAS_DTENSOR = False
    for line in imports:
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            exec(line, {})
    tester.our_words()
    jail.prepare()
    gc.freeze()  # a child's collector leaves alone, and so uncopied, what is here
    gc.enable()
    return {"python": python_version(), "torch": torch.__version__, "dlcourse": __version__}


def _child(what: dict, descriptors: list[int], control: socket.socket, lifeline: socket.socket, parent: int) -> None:
    """The forked child's whole life."""
    status = 1
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(status)
        control.close()
        lifeline.close()
        channel = socket.socket(fileno=descriptors[0])
        if what["role"] == "tester":
            from dlcourse.course.grading.judge.tester import main as live

            live(channel, socket.socket(fileno=descriptors[1]))
        else:
            from dlcourse.course.grading.judge.student import main as live

            live(channel, what, parent)
        status = 0
    finally:
        os._exit(status)  # no clean-up handlers of WARM's, no traceback to nobody
