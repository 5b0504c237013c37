"""Named answers for the checks: `tests/checks/wrong_answers_chNN.py` fills these lists with its two decorators.

The name of the function or class under `@wrong(exercise, phrase)` names the misconception. `local` and `remote` are the
two connections by which a check sees an answer.
"""

import socket
import threading
from contextlib import contextmanager

from dlcourse.checks.subject import LocalSubject, RemoteSubject, serve

WRONG = []  # (exercise, name, answer, the words that its diagnosis must hold)
RIGHT = []  # (exercise, name, answer)


def wrong(exercise, phrase):
    def add(answer):
        WRONG.append((exercise, answer.__name__, answer, phrase))
        return answer

    return add


def right(exercise):
    def add(answer):
        RIGHT.append((exercise, answer.__name__, answer))
        return answer

    return add


@contextmanager
def remote(answer, *, timeout=20.0):
    """A subject whose answer is served on the other end of a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = threading.Thread(target=serve, args=(answer, theirs))
        server.start()
        yield RemoteSubject(ours, timeout=timeout)
        ours.shutdown(socket.SHUT_RDWR)
        server.join()


@contextmanager
def local(answer):
    yield LocalSubject(answer)
