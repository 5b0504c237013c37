"""A progress bar that only comes when one has to wait."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY = 2.0  # seconds of silence before the bar comes


@contextmanager
def bar(total: int | None, *, done: int, shown: bool) -> Iterator[Callable[[str], None]]:
    """Inside, each call with a line of text counts one more of `total`; `done` of them were done before.

    It is written to stdout, in a terminal and in a notebook, after two seconds; never to stderr, which a notebook
    shows as an error, and never into a file. It needs no widgets and starts no thread.
    """
    if not (shown and _watched()):
        yield lambda text: None
        return
    from tqdm.std import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # else a thread would watch for slow updates

    Bar.set_lock(threading.RLock())  # its own choice makes a semaphore of the system
    with Bar(total=total, initial=done, file=sys.stdout, delay=DELAY, mininterval=0.5, miniters=1, unit="step") as made:

        def tell(text: str) -> None:
            made.set_postfix_str(text, refresh=False)
            made.update()

        yield tell


def _watched() -> bool:
    """Is stdout a terminal or a notebook? It may also be None, closed, or an object that can only write."""
    if type(sys.stdout).__module__.startswith("ipykernel"):
        return True
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):
        return False
