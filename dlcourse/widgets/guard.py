"""The lock around a widget's engine, which also keeps torch to one thread while it is held."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import torch

_count = threading.Lock()
_inside, _threads = 0, 1  # how many are inside `one_torch_thread`, and the number to go back to


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """While it lasts, torch does not split this thread's work.

    A widget's steps are tiny. Split among torch's threads, each of their operations wakes workers that find next to
    nothing to do and then spin: a step of the Playground takes three times the CPU, and more beside a busy browser.
    """
    global _inside, _threads
    with _count:
        if _inside == 0:  # else another widget has set it to one already, for every thread that is new
            _threads = torch.get_num_threads()
        _inside += 1
    try:
        torch.set_num_threads(1)
        yield
    finally:
        with _count:
            _inside -= 1
        torch.set_num_threads(_threads)


class Guard:
    """One thread at a time, and the same thread again without waiting (as `threading.RLock`); torch on one thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._depth == 0:
            self._alone = one_torch_thread()
            self._alone.__enter__()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._depth -= 1
            if self._depth == 0:
                self._alone.__exit__(None, None, None)
        finally:
            self._lock.release()
