"""Tars on their way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from drayman.engine.blocking import interruptible


class Packing:
    """A `drayman.api.lending.Download` of a tar."""

    def __init__(
        self,
        pack: Callable[[int, bool, int], int],
        close: Callable[[], Awaitable[None]],
        done: Callable[[], None] | None = None,
    ) -> None:
        self._pack = pack
        self._close: Callable[[], Awaitable[None]] | None = close
        self._done = done

    async def send(self, fd: int, *, chunked: bool) -> None:
        """Write the tar to the descriptor, then give back what it needed."""
        try:
            await interruptible(lambda cancel_fd: self._pack(fd, chunked, cancel_fd))
            if self._done is not None:
                self._done()
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the container's files; harmless twice."""
        close, self._close = self._close, None
        if close is not None:
            await close()
