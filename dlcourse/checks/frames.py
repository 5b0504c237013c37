"""Frames on a socket: 8 bytes, the length of the message, then the message. Needs no torch."""

import socket
import struct
import time

MAX_BYTES = 64 * 2**20  # of one message


class WireError(ValueError):
    """A value outside the closed list, or bytes that are no message."""


def send(channel: socket.socket, message: bytes, *, timeout: float | None = None) -> None:
    """Sends one frame. TimeoutError when it is not read within `timeout` seconds, OSError when nobody is there."""
    channel.settimeout(timeout)
    channel.sendall(struct.pack(">Q", len(message)) + message)


def receive(channel: socket.socket, *, timeout: float | None = None) -> bytearray | None:
    """One frame's message; None when the other side ended between frames.

    timeout: seconds for the whole frame, however slowly it drips in. TimeoutError after that; WireError on a length
    beyond the limit or a frame cut short. Memory grows with what has arrived, not with what was announced.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    head = _read_bytes(channel, 8, deadline)
    if not head:
        return None
    (length,) = struct.unpack(">Q", head) if len(head) == 8 else (-1,)
    if not 0 <= length <= MAX_BYTES:
        raise WireError(f"a frame that claims {length:,} bytes; {MAX_BYTES:,} is the limit")
    message = _read_bytes(channel, length, deadline)
    if len(message) != length:
        raise WireError("a frame cut short")
    return message


def _read_bytes(channel: socket.socket, count: int, deadline: float | None) -> bytearray:
    """`count` bytes, or fewer when the other side ends."""
    found = bytearray()
    while len(found) < count:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        channel.settimeout(left)
        piece = channel.recv(min(count - len(found), 2**16))
        if not piece:
            break
        found += piece
    return found
