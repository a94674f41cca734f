"""Lets a start wait for those who look into a container's files."""

from __future__ import annotations

import asyncio


class Gate:
    """Counts the open views of one container."""

    __slots__ = ("_count", "_free")

    def __init__(self) -> None:
        self._count = 0
        self._free: asyncio.Event | None = None

    def enter(self) -> None:
        """A view opens; called under the container's lock, which a start holds too."""
        self._count += 1

    def leave(self) -> None:
        """A view closed."""
        self._count -= 1
        if self._count == 0 and self._free is not None:
            self._free.set()
            self._free = None

    async def free(self) -> None:
        """Wait until no view is open; the lock the caller holds keeps new ones out."""
        while self._count:
            if self._free is None:
                self._free = asyncio.Event()
            await self._free.wait()
