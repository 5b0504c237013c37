"""Frames on a socket: 8 bytes, the length of the message, then the message. Needs no torch.

Who asks waits for the reply before asking again, so one frame is on its way at a time, and one call of the kernel
mostly brings all of it. Whoever sends a second frame behind the first has broken the rule, and neither is believed.
The sockets block; how long to wait is said here.
"""

import select
import socket
import struct
import time

MAX_BYTES = 64 * 2**20  # of one message
PIECE = 2**16  # bytes taken at once


class WireError(ValueError):
    """A value outside the closed list, or bytes that are no message."""


def send(channel: socket.socket, message: bytes, *, timeout: float | None = None) -> None:
    """Sends one frame. TimeoutError when it is not read within `timeout` seconds, OSError when nobody is there."""
    frame = struct.pack(">Q", len(message)) + message
    if timeout is None:
        channel.sendall(frame)
        return
    try:
        sent = channel.send(frame, socket.MSG_DONTWAIT)  # mostly all of it
    except BlockingIOError:
        sent = 0
    if sent < len(frame):
        channel.settimeout(timeout)
        try:
            channel.sendall(memoryview(frame)[sent:])
        finally:
            channel.settimeout(None)


def receive(channel: socket.socket, *, timeout: float | None = None) -> bytearray | None:
    """One frame's message; None when the other side ended between frames.

    timeout: seconds for the whole frame, however slowly it drips in. TimeoutError after that; WireError on a length
    beyond the limit, a frame cut short, or bytes behind it. Memory grows with what has arrived, not with what was
    announced.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    found = bytearray(_piece(channel, deadline))
    if not found:
        return None
    while len(found) < 8:
        _go_on(found, channel, deadline)
    (length,) = struct.unpack_from(">Q", found)
    if length > MAX_BYTES:
        raise WireError(f"a frame that claims {length:,} bytes; {MAX_BYTES:,} is the limit")
    while len(found) < 8 + length:
        _go_on(found, channel, deadline)
    if len(found) > 8 + length:
        raise WireError("bytes behind the frame")
    del found[:8]
    return found


def _go_on(found: bytearray, channel: socket.socket, deadline: float | None) -> None:
    piece = _piece(channel, deadline)
    if not piece:
        raise WireError("a frame cut short")
    found += piece


def _piece(channel: socket.socket, deadline: float | None) -> bytes:
    """What has arrived, or the next that does; nothing when the other side ended."""
    if deadline is None:
        return channel.recv(PIECE)
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        try:
            return channel.recv(PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            wait = select.poll()
            wait.register(channel, select.POLLIN)
            wait.poll(1e3 * left)
