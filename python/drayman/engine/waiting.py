"""Clients that wait for a container's end, be it the death of this engine that comes first.

Each is also known to the container's shim, which holds a copy of its connection and the
reading end of a *lifeline*, a pipe of ours. Who has answered a client says so there; the pipe
of an engine that died ends without a word, and another engine or the shim answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

import msgspec

from drayman.api.lending import Caller, wait_document
from drayman.engine.replies import tell
from drayman.errors import DraymanError, InvalidParameter
from drayman.runtime.messages import Orphans
from drayman.runtime.shim import Shim

NOT_RUNNING = "not-running"
NEXT_EXIT = "next-exit"
REMOVED = "removed"

# Any word that is no JSON document.
_ANSWERED = b"answered"


class Outcome(msgspec.Struct, frozen=True):
    """What a waiter learns: the exit code, and the error that kept it from running, if any."""

    exit_code: int
    error: str = ""


class Waiter:
    """One client, or all those that another engine left with a shim.

    Implements `drayman.api.lending.Wait`.
    """

    def __init__(self, until: str = "exit", caller: Caller | None = None) -> None:
        self.until = until
        self._caller = caller
        self._future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._keeper: Shim | None = None
        self._lifelines: list[int] = []

    @property
    def done(self) -> bool:
        """Whether nobody waits any more."""
        return self._future.done()

    async def outcome(self) -> tuple[int, str]:
        """The exit code and the error text."""
        found = await self._future
        return found.exit_code, found.error

    def wake(self, outcome: Outcome) -> None:
        """What was waited for has come."""
        if not self._future.done():
            self._future.set_result(outcome)

    async def entrust(self, shim: Shim, *, greet: bool = False) -> None:
        """Leave the client to a shim, should this engine die; once for each run.

        With ``greet`` the shim sends the answer's head too, so that the client has the one
        when it is sure of the other.
        """
        caller = self._caller
        if caller is None or self._keeper is shim:
            return
        self._keeper = shim
        # A client that is gone needs no answer.
        with contextlib.suppress(OSError), self._lifeline() as reading:
            head = await caller.head() if greet else b""
            # Ours: a client may leave meanwhile, and another one be given its number.
            fd = os.dup(caller.fileno())
            try:
                await shim.keep(fd, reading, until=self.until, chunked=caller.chunked, head=head)
            except DraymanError:
                # The shim is gone: we alone answer.
                await tell(fd, head)
            finally:
                os.close(fd)

    async def adopt(self, shim: Shim) -> None:
        """Answer, from now on, the clients that a dead engine left with its shim."""
        with self._lifeline() as reading:
            await shim.adopt(reading, until=self.until)
        self._future.add_done_callback(lambda _: self._answer_adopted())

    def answered(self) -> None:
        """The client has its answer."""
        self._say(_ANSWERED)

    def close(self) -> None:
        """Wait no more; a client that was not answered is left to its shim."""
        self._future.cancel()
        for lifeline in self._lifelines:
            os.close(lifeline)
        self._lifelines.clear()

    def _answer_adopted(self) -> None:
        if not self._future.cancelled():
            found = self._future.result()
            self._say(wait_document(found.exit_code, found.error))
        self.close()

    def _say(self, words: bytes) -> None:
        for lifeline in self._lifelines:
            # The shim lets go of a client that hung up, and of its lifeline.
            with contextlib.suppress(BrokenPipeError):
                os.write(lifeline, words)

    @contextlib.contextmanager
    def _lifeline(self) -> Iterator[int]:
        """The reading end of a new lifeline, while it is sent away."""
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lifelines.append(writing)
        try:
            yield reading
        finally:
            os.close(reading)


class Waits:
    """The waiters of one container. They may leave at any time."""

    def __init__(self) -> None:
        self._waiters: list[Waiter] = []

    def add(self, condition: str, caller: Caller | None = None) -> Waiter:
        """Wait for the container's removal, or its failure (``removed``); or for the next end
        of a run, be it followed by a restart or by removal."""
        self._waiters = [one for one in self._waiters if not one.done]
        waiter = Waiter("removal" if condition == REMOVED else "exit", caller)
        self._waiters.append(waiter)
        return waiter

    async def entrust(self, shim: Shim) -> None:
        """Leave all who wait to the shim of a new run."""
        for waiter in list(self._waiters):
            await waiter.entrust(shim)

    async def adopt(self, shim: Shim, orphans: Orphans) -> None:
        """Take over those who waited with a dead engine."""
        for condition, count in ((NEXT_EXIT, orphans.exit), (REMOVED, orphans.removal)):
            if count:
                await self.add(condition).adopt(shim)

    def exited(self, outcome: Outcome) -> None:
        """A run ended: wake those who wait for it."""
        self._wake(outcome, ("exit",))

    def removed(self, outcome: Outcome) -> None:
        """The container is gone, or could not be removed (``error``): wake everybody."""
        self._wake(outcome, ("exit", "removal"))

    def _wake(self, outcome: Outcome, until: tuple[str, ...]) -> None:
        for waiter in self._waiters:
            if waiter.until in until:
                waiter.wake(outcome)
        self._waiters = [one for one in self._waiters if not one.done]


def check_condition(condition: str) -> str:
    """The condition, the default for an empty one; InvalidParameter for any other."""
    condition = condition or NOT_RUNNING
    if condition not in (NOT_RUNNING, NEXT_EXIT, REMOVED):
        raise InvalidParameter(f'invalid condition: "{condition}"')
    return condition
