"""Noticing that a client went away, exactly: a hang-up is not the end of its sending."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class HangUps:
    """Watches connections for their end, reading nothing from them.

    The event loop sees an end only by reading, and must not read a connection that is lent
    out. One epoll, itself watched by the loop, serves every connection.
    """

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._callbacks: dict[int, Callable[[], object]] = {}

    @contextmanager
    def watch(self, fd: int, callback: Callable[[], object], *, half_close: bool) -> Iterator[None]:
        """Call back, once, when the client of ``fd`` is gone.

        With ``half_close`` the end of its sending is enough, as Go's server holds for
        requests that listen; and the only sign that TCP gives.
        """
        # A duplicate is watched, so that closing the connection cannot hand its number on.
        watched = os.dup(fd)
        self._callbacks[watched] = callback
        events = select.EPOLLONESHOT | (select.EPOLLRDHUP if half_close else 0)
        self._open().register(watched, events)
        try:
            yield
        finally:
            del self._callbacks[watched]
            if self._epoll is not None:
                self._epoll.unregister(watched)
            os.close(watched)

    def close(self) -> None:
        """Stop watching; nothing may be watched any more."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _open(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = select.epoll()
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._ready)
        return self._epoll

    def _ready(self) -> None:
        assert self._epoll is not None
        for fd, _ in self._epoll.poll(0):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback()


def is_hung_up(fd: int) -> bool:
    """Whether the other side closed the connection, not merely its sending half."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))
