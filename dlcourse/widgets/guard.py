"""The lock around a widget's engine, which also keeps torch to one thread while it is held."""

import threading
from types import TracebackType

import torch


class Guard:
    """One thread at a time, and the same thread again without waiting (as `threading.RLock`).

    A widget's steps are tiny. Split among torch's threads, each of their operations wakes workers that find next to
    nothing to do and then spin: a step of the Playground takes three times the CPU, and more beside a busy browser.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._threads = 1

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._depth == 0:
            self._threads = torch.get_num_threads()
            torch.set_num_threads(1)
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            torch.set_num_threads(self._threads)
        self._lock.release()
