"""Clients that attached before their container started: the docker CLI does, every time."""

from __future__ import annotations

import os

from drayman.api.lending import Session
from drayman.api.options import AttachOptions
from drayman.engine.hang_ups import HangUps
from drayman.engine.replies import close_websocket, framed, message, say, tell


class Pending:
    """A connection that waits for its container's shim."""

    __slots__ = ("_hang_ups", "early", "fd", "head", "options")

    def __init__(self, session: Session, options: AttachOptions, hang_ups: HangUps) -> None:
        self.fd = session.fd
        # Empty once the client has it.
        self.head = session.head
        self.early = session.early
        self.options = options
        self._hang_ups = hang_ups

    async def greet(self) -> None:
        """Answer the client, if nobody has; a shim does, where one comes first."""
        head, self.head = self.head, b""
        await tell(self.fd, head)

    async def wait_in(self, waiting: list[Pending]) -> None:
        """Join those who wait, until the container starts or the client leaves."""
        await self.greet()
        waiting.append(self)
        self._hang_ups.watch(self.fd, lambda: self._leave(waiting))

    def _leave(self, waiting: list[Pending]) -> None:
        waiting.remove(self)
        self.close()

    async def say(self, text: str) -> None:
        """Tell it what kept it from being served."""
        await self.greet()
        await say(self.fd, message(text) if self.options.websocket else framed(text))

    async def end(self) -> None:
        """Part from a client that has had everything."""
        await self.greet()
        if self.options.websocket:
            await close_websocket(self.fd)
        self.close()

    def close(self) -> None:
        """Give up our copy of the connection; one that the shim holds lives on."""
        self._hang_ups.forget(self.fd)
        os.close(self.fd)


def close_all(waiting: list[Pending]) -> None:
    """Let go of every client that waits."""
    for pending in waiting:
        pending.close()
    waiting.clear()
