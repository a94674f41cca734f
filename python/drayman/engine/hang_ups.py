"""Tells when a client is really gone, whatever it half-closed.

A half-closed socket reads as end of file, so only a hang-up tells that the peer left: an
epoll set that asks for nothing is told of hang-ups all the same, and is itself a descriptor
that the loop can watch.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class HangUps:
    """Watches any number of connections with one descriptor of the loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, fd: int, gone: Callable[[], None]) -> None:
        """Call ``gone`` once when the peer of ``fd`` hangs up. `forget` the descriptor before
        closing it: copies elsewhere would keep it in the set."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._ready)
        # EPOLLHUP and EPOLLERR are reported without being asked for.
        self._epoll.register(fd, select.EPOLLONESHOT)
        self._callbacks[fd] = gone

    def forget(self, fd: int) -> None:
        """Stop watching; harmless when it is not watched."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Stop watching everything."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
        self._callbacks.clear()
        self._epoll.close()

    def _ready(self) -> None:
        for fd, _ in self._epoll.poll(0):
            gone = self._callbacks.get(fd)
            self.forget(fd)
            if gone is not None:
                gone()
