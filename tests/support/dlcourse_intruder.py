"""An account of the machine that wants a port which is somebody else's:

    python dlcourse_intruder.py ACCOUNT-NUMBER PORT once|forever

Started as root, it becomes that account and tries every way to listen: one socket after the other, and each of them
after a first one of its own on the port, for Linux may ask that one alone. *once*: a line of JSON for each way, with
what came of it. *forever*: until it has the port, again and again; then it answers as a web server would, and prints
a line of JSON for each request that it was sent.
"""

import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

ADDRESSES = (  # and IPV6_V6ONLY: whether IPv4 is left out
    *(("127.0.0.1", None), ("127.0.0.2", None), ("0.0.0.0", None)),
    *(("::ffff:127.0.0.1", 0), ("::1", 0), ("::1", 1), ("::", 0), ("::", 1)),
)
MARKS = ((), ("SO_REUSEADDR",), ("SO_REUSEPORT",), ("SO_REUSEADDR", "SO_REUSEPORT"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-JupyterHub-Version: 6.1.1\r\nConnection: close\r\n\r\nhi"


def bound(port: int, address: str, only_v6: int | None, marks: tuple[str, ...]) -> socket.socket:
    """Raises OSError where Linux refuses it."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if only_v6 is not None:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        for mark in marks:
            made.setsockopt(socket.SOL_SOCKET, getattr(socket, mark), 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def ways() -> list[tuple]:
    """What this machine has."""
    found = []
    for (address, only_v6), marks in itertools.product(ADDRESSES, MARKS):
        try:
            bound(0, address, only_v6, marks).close()
            found.append((address, only_v6, marks))
        except OSError:
            continue  # no IPv6
    return found


def tries(port: int) -> Iterator[tuple[dict, socket.socket | OSError]]:
    """Each way, and the socket that listens, or why there is none. A first socket stays until the next way."""
    for first, way in itertools.product((None, *ways()), ways()):
        said = {"first": first, "address": way[0], "only_v6": way[1], "marks": way[2]}
        with ExitStack() as still_open:
            try:
                if first:
                    still_open.enter_context(bound(port, *first))
                ear = bound(port, *way)
                ear.listen()
            except OSError as error:
                yield said, error
            else:
                yield said, ear


def once(port: int) -> None:
    for said, came in tries(port):
        if isinstance(came, socket.socket):
            came.close()
            print(json.dumps({**said, "came": "listens"}))
        else:
            print(json.dumps({**said, "came": os.strerror(came.errno)}))


def forever(port: int) -> None:
    print(json.dumps({"tries": True}), flush=True)
    everything = (each for _ in itertools.count() for each in tries(port))
    while not isinstance((found := next(everything))[1], socket.socket):
        time.sleep(0.0001)
    said, ear = found  # `everything` stays, and with it the first socket
    print(json.dumps({"listens": said["address"]}), flush=True)
    while True:
        wire, _ = ear.accept()
        with wire:
            print(json.dumps({"heard": wire.recv(65_536).decode(errors="replace")}), flush=True)
            wire.sendall(OK)


if __name__ == "__main__":
    account = int(sys.argv[1])
    os.setgroups([])
    os.setresgid(account, account, account)
    os.setresuid(account, account, account)
    {"once": once, "forever": forever}[sys.argv[3]](int(sys.argv[2]))
