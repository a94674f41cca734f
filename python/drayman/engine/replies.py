"""Words of the engine's own in a hijacked stream."""

from __future__ import annotations

import os
import select

STDOUT = 1
# A client that does not read its own error within this is not waited for.
_WRITE_WAIT_MS = 2000


def say(fd: int, text: str, *, framed: bool) -> None:
    """Write a text as standard output of the process that never was; blocks, for a while.

    A client that is gone does not hear it, which is no error.
    """
    data = text.encode("utf-8", "surrogateescape")
    if framed:
        data = bytes((STDOUT, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        while data and poll.poll(_WRITE_WAIT_MS):
            data = data[os.write(fd, data) :]
    except OSError:
        return
