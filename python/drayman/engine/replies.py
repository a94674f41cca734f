"""What the engine itself writes to a connection that was given to it."""

from __future__ import annotations

import os
import select

from drayman.engine.blocking import blocking

STDOUT = 1
# A client that does not read what it asked for within this is not waited for.
_WRITE_WAIT_MS = 2000


async def say(fd: int, text: str, *, framed: bool) -> None:
    """Write a text as standard output of the process that never was; see `tell`."""
    data = text.encode("utf-8", "surrogateescape")
    if framed:
        data = bytes((STDOUT, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
    await tell(fd, data)


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


def _write(fd: int, data: bytes) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        while data and poll.poll(_WRITE_WAIT_MS):
            data = data[os.write(fd, data) :]
    except OSError:
        return
