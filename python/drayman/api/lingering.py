"""Closing a connection whose client still sends, so that it can read the answer first.

A socket closed with unread bytes resets the connection, and the client finds a broken pipe
where the answer was. So: answer, end our sending, read on for a little, then close.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drayman.api.protocol import DockerProtocol

# Bytes read and dropped, and time given, before the connection is closed. Go's net/http stops
# at 256 KiB, so that `docker cp` of more says "broken pipe" where it should say what is wrong.
MAX_LINGER_BYTES = 64 << 20
LINGER_S = 1.0


class Lingering:
    """Stands in for a transport, with a `close` that lingers."""

    def __init__(self, protocol: DockerProtocol) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._left_bytes = MAX_LINGER_BYTES
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """As the transport's."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """As the transport's."""
        return self._timer is not None or self._transport.is_closing()

    def close(self) -> None:
        """Close once the client has sent the rest, or too much, or for too long."""
        if self.is_closing():
            return
        self._timer = self._protocol.loop.call_later(LINGER_S, self._transport.close)
        self._transport.write_eof()
        self._protocol.linger(self)

    def take(self, received_bytes: int) -> None:
        """Note how much was dropped."""
        self._left_bytes -= received_bytes
        if self._left_bytes < 0:
            self._transport.close()

    def forget(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
