"""Where submissions are graded: on this machine, or on a Dask cluster. Both take work as concurrent.futures does.

A pool knows four things: `ready` (can it jail? versions), `room` (how many submissions it wants at once), `submit`, and
`check` (CourseError when it is gone). What travels is bytes and plain values, so that no worker ever holds a key.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from platform import python_version
from typing import Any

from dlcourse import __version__
from dlcourse.course.errors import CourseError
from dlcourse.course.grading.spec import Spec

INSTALL = "pip install 'dlcourse[grading]' (in a checkout: pip install -c constraints.txt -e '.[grading]')"
CONNECT = 30  # seconds to reach a scheduler, and to find one worker there
GONE = 15  # seconds without the scheduler before the run gives up: shorter troubles of a network pass
DESERTED = 120  # seconds without any worker
COUNT = 1  # seconds between two looks at how many there are: workers come and go


class NoJail(CourseError):
    """Where submissions would run, nothing can hold them: nothing is graded, nothing is written."""

    status = 3


def versions() -> dict[str, str]:
    """What a verdict may depend on, where it is made. Without importing torch."""
    return {"dlcourse": __version__, "python": python_version(), "torch": version("torch")}


def sandbox() -> tuple[str, str]:
    """(name, "") of the jail that works here, or ("", why there is none). Trying costs a second, once a process."""
    from dlcourse.course.grading.jail.sandbox import NoSandbox

    try:
        return _sandbox(os.environ.get("DLCOURSE_SANDBOX")), ""
    except (NoSandbox, ValueError) as error:  # ValueError: the variable names none that there is
        return "", str(error)


@cache  # of what works: an exception is not kept
def _sandbox(only: str | None) -> str:
    from dlcourse.course.grading.jail.sandbox import probe

    return probe(only).name


class Local:
    """Threads that only wait: the work is done by the processes that each call starts."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="grade")
        self._futures: set[Future] = set()
        self._probe: Future | None = None

    def start(self, spec: Spec) -> None:
        """Begins what takes seconds, the probe and the import of torch, while others read the rest of the course."""
        from dlcourse.course.grading.judge import one

        self._probe = self._executor.submit(sandbox)
        self._executor.submit(one.warm, spec)  # should it fail, the first submission is told why

    def ready(self, *, jailed: bool) -> None:
        name, why = (self._probe.result() if self._probe else sandbox()) if jailed else ("none", "")
        if not name:
            raise NoJail(
                f"No sandbox works on this machine, so nothing was graded.\n{why}\n"
                "Grade on Linux, on the hub or in a container. --unsafe-no-sandbox would run the submissions with your "
                "rights, and every result would say so."
            )

    def room(self) -> int:
        return self.workers + 1  # one waits, so that no worker does

    def submit(self, work: Callable, *arguments: Any) -> Future:
        future = self._executor.submit(work, *arguments)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def check(self) -> None:
        """This machine is not gone."""

    def close(self) -> None:
        """Ends what is still at work, with all its processes."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._futures or self._probe:
            from dlcourse.course.grading.judge import one

            one.close()


class Dask:
    """A cluster by its scheduler's address. When a worker dies the scheduler has its work done again by another."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise CourseError(
                f"Grading on a Dask cluster needs the package distributed. Install it: {INSTALL}"
            ) from None
        self.address = address
        try:
            self._client = Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise CourseError(f"No Dask scheduler answers at {address}: {error}. Start one, or grade here.") from error
        # Not pure: the same submission asked for again is graded again, never answered from an earlier failure.
        self._executor = self._client.get_executor(pure=False)
        self._seen = self._served = time.monotonic()  # the scheduler; a worker
        self._counted, self._threads = 0.0, 0

    def start(self, spec: Spec) -> None:
        """Workers start when their first submission comes."""

    def ready(self, *, jailed: bool) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT)
        except OSError:
            raise CourseError(
                f"The Dask scheduler at {self.address} has no worker. Start some, or grade here."
            ) from None
        # A worker without our package cannot even read this call: its error comes back in place of an answer.
        found = self._client.run(versions, on_error="return")
        wrong = [
            f"{worker} has {each['dlcourse'] if isinstance(each, dict) else f'no dlcourse ({each})'}"
            for worker, each in sorted(found.items())
            if not isinstance(each, dict) or each["dlcourse"] != __version__
        ]
        if wrong:
            raise CourseError(f"Every Dask worker needs dlcourse {__version__}, as here: {'; '.join(wrong)}")
        jails = self._client.run(sandbox, on_error="return") if jailed else {}
        without = [
            f"{worker}: {each[1] if isinstance(each, tuple) else each}"
            for worker, each in sorted(jails.items())
            if not isinstance(each, tuple) or not each[0]
        ]
        if without:
            raise NoJail(
                "No sandbox works on these Dask workers, so nothing was graded:\n" + "\n".join(without) + "\n"
                "Grade on workers that run Linux and may make one. --unsafe-no-sandbox would go on without."
            )

    def room(self) -> int:
        return 2 * max(self._threads, 1)

    def submit(self, work: Callable, *arguments: Any) -> Future:
        return self._executor.submit(work, *arguments)

    def check(self) -> None:
        now = time.monotonic()
        if self._client.status == "running":
            self._seen = now
            if now - self._counted > COUNT:
                self._counted, self._threads = now, _threads(self._client)
                self._served = now if self._threads else self._served
        if now - self._seen > GONE or self._client.status in ("closing", "closed"):
            raise CourseError(f"The Dask scheduler at {self.address} is gone. What is graded stays; --resume goes on.")
        if now - self._served > DESERTED:
            raise CourseError(
                f"The Dask scheduler at {self.address} has had no worker for {DESERTED} s. What is graded stays; start "
                "workers and go on with --resume."
            )

    def close(self) -> None:
        self._executor.shutdown(wait=False)
        self._client.close(timeout=2)


def _threads(client: Any) -> int:
    try:
        return sum(client.nthreads().values())
    except (OSError, RuntimeError):  # the connection was lost just now
        return 0


@contextmanager
def pool(workers: int, dask: str | None) -> Iterator[Local | Dask]:
    made = Local(workers) if dask is None else Dask(dask)
    try:
        yield made
    finally:
        made.close()
