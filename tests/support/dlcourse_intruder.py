"""An account of the machine that wants a port which is somebody else's:

    python dlcourse_intruder.py ACCOUNT-NUMBER PORT once|forever

Started as root, it becomes that account and tries every way to listen. *once*: a line of JSON for each way, with what
came of it. *forever*: until it has the port, again and again; then it answers as a web server would, and prints a line
of JSON for each request that it was sent.
"""

import itertools
import json
import os
import socket
import sys
import time

ADDRESSES = ("127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::")
MARKS = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
WAYS = [
    (address, [mark for mark, set_ in zip(MARKS, settings, strict=True) if set_])
    for address, settings in itertools.product(ADDRESSES, itertools.product((False, True), repeat=2))
]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-JupyterHub-Version: 6.1.1\r\nConnection: close\r\n\r\nhi"


def listen(port: int, address: str, marks: list[int]) -> socket.socket:
    """Raises OSError where Linux refuses it."""
    ear = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if ":" in address:
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # IPv4 too
        for mark in marks:
            ear.setsockopt(socket.SOL_SOCKET, mark, 1)
        ear.bind((address, port))
        ear.listen()
    except OSError:
        ear.close()
        raise
    return ear


def once(port: int) -> None:
    for address, marks in WAYS:
        try:
            listen(port, address, marks).close()
            came = "listens"
        except OSError as error:
            came = os.strerror(error.errno)
        marked = [name for name in ("SO_REUSEADDR", "SO_REUSEPORT") if getattr(socket, name) in marks]
        print(json.dumps({"address": address, "marks": marked, "came": came}), flush=True)


def forever(port: int) -> None:
    print(json.dumps({"tries": True}), flush=True)
    for address, marks in itertools.cycle(WAYS):
        try:
            ear = listen(port, address, marks)
            break
        except OSError:
            time.sleep(0.001)
    print(json.dumps({"listens": address}), flush=True)
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
