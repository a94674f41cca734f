"""Answers for HTTP/1.0, which knows no chunks: what has no length ends with the connection."""

from __future__ import annotations

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class PlainAnswer:
    """Keeps a cycle from chunking, which it would do whatever the client speaks."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._send = cycle.send
        self._has_length = True

    async def send(self, message: ASGISendEvent) -> None:
        """As the cycle's."""
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            self._has_length = any(name.lower() == b"content-length" for name, _ in headers)
            if not self._has_length:
                self._cycle.chunked_encoding = False
        elif message["type"] == "http.response.body" and not self._has_length:
            # The cycle counts down what it was promised; here each part is promised as it comes.
            self._cycle.expected_content_length = len(message.get("body", b""))
        await self._send(message)
