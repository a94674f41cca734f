"""Answers whose length is known, which are most: head and body in one piece.

The cycle writes each by itself, which costs a system call more and wakes the client twice.
"""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class WholeAnswer:
    """Keeps a head back until there is something of the body."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._start: ASGISendEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """As the cycle's."""
        if message["type"] == "http.response.start" and any(
            name == b"content-length" for name, _ in message.get("headers", ())
        ):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            start, self._start = self._start, None
            cycle, transport = self._cycle, self._cycle.transport
            cycle.transport = Joined(transport)  # type: ignore[assignment]
            try:
                await self._send(start)
                await self._send(message)
            finally:
                cycle.transport = transport


class Joined:
    """Stands in for a transport, and sends what is written first with what is written next."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._first: bytes | None = None

    def write(self, data: bytes) -> None:
        """As the transport's, a little later."""
        if self._first is None:
            self._first = data
        else:
            self._transport.write(self._first + data)

    def close(self) -> None:
        """As the transport's."""
        self._transport.close()
