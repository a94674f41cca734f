"""What both servers are: the engine's own and the one for Prometheus."""

from __future__ import annotations

import asyncio

import uvicorn


class IdleServer(uvicorn.Server):
    """uvicorn's server, idle when nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._asked_to_stop = asyncio.Event()
        super().__init__(config)

    def stop(self) -> None:
        """Ask for the end; from the event loop's thread."""
        self.should_exit = True
        self._asked_to_stop.set()

    async def main_loop(self) -> None:
        """Wait, where uvicorn would wake ten times a second."""
        await self._asked_to_stop.wait()
