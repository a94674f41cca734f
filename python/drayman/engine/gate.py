"""Lets a start wait for those who look into a container's files."""

from __future__ import annotations

import asyncio


class Gate:
    """Counts the open views of one container."""

    __slots__ = ("_count", "_free", "_removed")

    def __init__(self) -> None:
        self._count = 0
        self._removed = False
        self._free: asyncio.Event | None = None

    @property
    def is_free(self) -> bool:
        """Whether no view is open, or there is no container any more to wait for."""
        return self._count == 0 or self._removed

    def enter(self) -> None:
        """A view opens; called under the container's lock, which a start holds too."""
        self._count += 1

    def leave(self) -> None:
        """A view closed."""
        self._count -= 1
        self._tell()

    def remove(self) -> None:
        """The container is gone, whoever still looks at what it was."""
        self._removed = True
        self._tell()

    async def free(self) -> None:
        """Wait until it is free; it is for sure only as long as the container's lock is held."""
        while not self.is_free:
            if self._free is None:
                self._free = asyncio.Event()
            await self._free.wait()

    def _tell(self) -> None:
        if self.is_free and self._free is not None:
            self._free.set()
            self._free = None
