"""What all connections share: who listens, what is lent, and how everything is ended."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from drayman.api.hangups import HangUps


class Front:
    """The state of the server's front; one for each server, used in its event loop alone."""

    def __init__(self) -> None:
        self.hangups = HangUps()
        self.stopping = False
        # Requests that wait for what may never come: events, statistics, followed logs, wait.
        self.listeners: set[asyncio.Future[Any]] = set()
        # Connections that native code works on. Hijacked ones are not here: they belong to
        # the shims and outlive the server.
        self.lent: set[socket.socket] = set()

    def stop(self) -> None:
        """End every request that would wait for ever."""
        self.stopping = True
        for listener in list(self.listeners):
            listener.cancel()

    def cut(self) -> None:
        """Wake whoever still works on a lent connection, by ending it."""
        for lent in self.lent:
            with contextlib.suppress(OSError):
                lent.shutdown(socket.SHUT_RDWR)
