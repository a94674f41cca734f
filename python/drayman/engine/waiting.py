"""Clients that wait for a container's end."""

from __future__ import annotations

import asyncio

import msgspec

from drayman.errors import InvalidParameter

NOT_RUNNING = "not-running"
NEXT_EXIT = "next-exit"
REMOVED = "removed"


class Outcome(msgspec.Struct, frozen=True):
    """What a waiter learns: the exit code, and the error that kept it from running, if any."""

    exit_code: int
    error: str = ""


class Waits:
    """The waiters of one container. A waiter is a future, so a client may leave at any time."""

    def __init__(self) -> None:
        self._exit: list[asyncio.Future[Outcome]] = []
        self._removed: list[asyncio.Future[Outcome]] = []

    def for_exit(self) -> asyncio.Future[Outcome]:
        """The next end of a run; entering the back-off counts, and so does removal."""
        return _added(self._exit)

    def for_removal(self) -> asyncio.Future[Outcome]:
        """The container's removal, or its failure."""
        return _added(self._removed)

    def exited(self, outcome: Outcome) -> None:
        """A run ended: wake those who wait for it."""
        _wake(self._exit, outcome)

    def removed(self, outcome: Outcome) -> None:
        """The container is gone, or could not be removed (``error``): wake everybody."""
        _wake(self._exit, outcome)
        _wake(self._removed, outcome)


def check_condition(condition: str) -> str:
    """The condition, the default for an empty one; InvalidParameter for any other."""
    condition = condition or NOT_RUNNING
    if condition not in (NOT_RUNNING, NEXT_EXIT, REMOVED):
        raise InvalidParameter(f'invalid condition: "{condition}"')
    return condition


def _added(waiters: list[asyncio.Future[Outcome]]) -> asyncio.Future[Outcome]:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    waiters.append(future)

    def forget(done: asyncio.Future[Outcome]) -> None:
        if done in waiters:
            waiters.remove(done)

    future.add_done_callback(forget)
    return future


def _wake(waiters: list[asyncio.Future[Outcome]], outcome: Outcome) -> None:
    for future in waiters:
        if not future.done():
            future.set_result(outcome)
    waiters.clear()
