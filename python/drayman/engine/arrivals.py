"""Clients whose attach was answered and whose connection is on its way to us.

The docker CLI starts a container as soon as it has read the head of its attach. The
connection itself reaches the engine a moment later, once it is known that the head was read:
a start in between would lose the container's first words to nobody.
"""

from __future__ import annotations

import asyncio

# A client that left between its head and its connection is waited for no longer.
ARRIVAL_WAIT_S = 0.5


class Arrivals:
    """Counts the connections announced; each is forgotten when it comes, or after a while."""

    __slots__ = ("_changed", "_deadlines")

    def __init__(self) -> None:
        self._deadlines: list[float] = []
        self._changed = asyncio.Event()

    def expect(self) -> None:
        """A connection will come."""
        self._deadlines.append(asyncio.get_running_loop().time() + ARRIVAL_WAIT_S)

    def arrived(self) -> None:
        """The connection that was announced first has come."""
        if self._deadlines:
            self._deadlines.pop(0)
        self._changed.set()

    async def settled(self) -> None:
        """Wait until none is on its way any more."""
        loop = asyncio.get_running_loop()
        while self._deadlines:
            left_s = self._deadlines[0] - loop.time()
            if left_s <= 0:
                self._deadlines.pop(0)
                continue
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                continue
