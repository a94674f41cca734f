"""What the engine itself writes to a connection that was given to it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import sys
import termios
import time

from drayman.engine.blocking import blocking

STDOUT = 1
# Frames of a WebSocket (RFC 6455, 5.2): a whole text message, what stands for a length in two
# bytes, and the end for reason 1000.
WEBSOCKET_TEXT = 0x81
WEBSOCKET_IN_TWO_BYTES = 126
WEBSOCKET_CLOSE = b"\x88\x02\x03\xe8"
# A client that does not read what it asked for within this is not waited for.
_WRITE_WAIT_MS = 2000
# How long a client may take to close a WebSocket, once it was told of the end.
_CLOSE_WAIT_S = 2.0
# As in the shim, which does the same for what it sends.
_HEAD_WAIT_MS = 20
_HEAD_UNREAD_BYTES = 256


def raw(text: str) -> bytes:
    """A text in a stream that has no frames."""
    return text.encode("utf-8", "surrogateescape")


def framed(text: str) -> bytes:
    """A text as standard output of the process that never was."""
    data = raw(text)
    return bytes((STDOUT, 0, 0, 0)) + len(data).to_bytes(4, "big") + data


def message(text: str) -> bytes:
    """A text, of less than 64 KiB, as a WebSocket message."""
    data = text.encode("utf-8", "replace")
    if len(data) < WEBSOCKET_IN_TWO_BYTES:
        return bytes((WEBSOCKET_TEXT, len(data))) + data
    length = len(data).to_bytes(2, "big")
    return bytes((WEBSOCKET_TEXT, WEBSOCKET_IN_TWO_BYTES)) + length + data


async def say(fd: int, data: bytes) -> None:
    """Write a text, wrapped for its reader, behind the head."""
    await head_is_read(fd)
    await tell(fd, data)


async def head_is_read(fd: int) -> None:
    """Give the client a moment to read a response's head, before something follows at once.

    docker-py loses what arrives together with the head. A unix socket tells when it was read.
    """
    for _ in range(_HEAD_WAIT_MS):
        if _unread_bytes(fd) < _HEAD_UNREAD_BYTES:
            return
        await asyncio.sleep(0.001)


async def tell(fd: int, data: bytes) -> None:
    """Write a little to a non-blocking descriptor.

    A client that is gone does not hear it, which is no error.
    """
    try:
        data = data[os.write(fd, data) :]
    except BlockingIOError:
        pass
    except OSError:
        return
    if data:
        await blocking(_write, fd, data)


async def close_websocket(fd: int) -> None:
    """Close it for no fault, and give the client a moment to do the same: it would find the
    connection gone before it could."""
    await tell(fd, WEBSOCKET_CLOSE)
    await blocking(_hear_out, fd)


def _hear_out(fd: int) -> None:
    deadline = time.monotonic() + _CLOSE_WAIT_S
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    try:
        while poll.poll(max(0, deadline - time.monotonic()) * 1000) and os.read(fd, 1 << 16):
            pass
    except OSError:
        return


def _unread_bytes(fd: int) -> int:
    """What the peer has not read, with what the kernel needs to keep it."""
    try:
        answer = fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


def _write(fd: int, data: bytes) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        while data and poll.poll(_WRITE_WAIT_MS):
            data = data[os.write(fd, data) :]
    except OSError:
        return
