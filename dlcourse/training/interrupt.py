"""A Ctrl-C that waits for a good moment: between two updates, when everything is whole."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run between two updates; `history` is the run so far: of `train` a History, of a game its own."""

    def __init__(self, message: str, history: object):
        super().__init__(message)
        self.history = history

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}"]  # where it stopped is in the message; the frames say nothing more


@contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Inside, a first Ctrl-C is only noted, for the caller to ask about; a second one raises KeyboardInterrupt at once.

        with held_back() as asked:
            while not asked(): ...

    The handler that was there comes back afterwards. Only the main thread can have one: elsewhere, and where Ctrl-C is
    ignored (a job in the background), nothing changes and `asked()` is False for ever.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield lambda: False
        return
    noted = threading.Event()

    def note(number: int, frame: object) -> None:
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)
