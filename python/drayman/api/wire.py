"""The connection under a request: lent to native code, or given away for good.

A handler finds its `Wire` in the scope. Whatever it does with it, the server's own
bookkeeping of the request (`RequestResponseCycle`) stays true, so that the connection goes
on with keep-alive afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from starlette.types import Message
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from drayman.api import headers
from drayman.api.connection import ClientGone
from drayman.api.lending import Caller, Download, Framing, Session

if TYPE_CHECKING:
    from drayman.api.protocol import DockerProtocol

# How often a transport's buffer is looked at while it drains; asyncio tells only of a low
# water mark. It is empty at once but for clients that pipeline without reading.
DRAIN_POLL_S = 0.001
# A unix socket's default (208 KiB) halves the rate of a download; more than 1 MiB gains
# little, and each client that stops reading pins it.
SEND_BUFFER_BYTES = 1 << 20
# Linux: as SO_SNDBUF, past net.core.wmem_max, with CAP_NET_ADMIN.
SO_SNDBUFFORCE = 32


class Wire:
    """One request's connection."""

    def __init__(
        self, protocol: DockerProtocol, cycle: RequestResponseCycle, framing: Framing | None
    ) -> None:
        self._protocol = protocol
        self._cycle = cycle
        # How the body lies on the wire; None when there is none.
        self.framing = framing

    async def send(self, download: Download, *, listens: bool) -> bool:
        """Let a download write to the connection, after the head; False if it was cut short."""
        async with self._lent() as lent:
            _widen(lent)
            work = download.send(lent.fileno(), chunked=self.chunked)
            return await self.while_there(work, half_close=listens)

    @property
    def trails(self) -> bool:
        """Whether the answer may end with trailer fields: chunks have room for them."""
        return self.chunked

    async def finish(self, trailers: Mapping[str, str]) -> None:
        """End an answer in chunks with trailer fields (RFC 9112, 7.1.2)."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        ending = f"0\r\n{fields}\r\n".encode("latin-1")
        # The cycle would write the last chunk itself, without them.
        self._cycle.chunked_encoding = False
        self._cycle.expected_content_length = len(ending)
        await self._cycle.send({"type": "http.response.body", "body": ending})

    async def receive(self, reader: Callable[[int, Framing], Awaitable[tuple[Any, bytes]]]) -> Any:
        """Let ``reader`` take the body off the connection.

        It is given the descriptor and the framing, and returns a result of its own and what
        it read beyond the body. If it raises, the connection ends with the answer.
        """
        if self.framing is None:
            return (await self._read_nothing(reader))[0]
        if self._cycle.waiting_for_100_continue:
            self._protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._cycle.waiting_for_100_continue = False
        async with self._lent() as lent:
            framing = Framing(
                self.framing.chunked, self.framing.length_bytes, self._protocol.take_held()
            )
            result, beyond = await reader(lent.fileno(), framing)
        self._protocol.body_was_read(beyond)
        return result

    async def detach(self, head: bytes) -> Session:
        """Take the connection away from the server for good, before its answer.

        The descriptor is non-blocking. Raises ClientGone.
        """
        transport = self._protocol.transport
        self._protocol.flow.pause_reading()
        if transport.is_closing():
            raise ClientGone
        # An earlier answer, or a 100 Continue, may be on its way.
        await self._drained()
        fd = os.dup(self.fileno())
        early = self._protocol.take_held()
        self._cycle.response_started = self._cycle.response_complete = True
        # Closes the loop's own descriptor, without a shutdown(2).
        transport.abort()
        return Session(fd=fd, head=head, early=early)

    def caller(self, start: Message) -> Caller:
        """The client, for those who can answer it should this process die."""
        return Client(self, start)

    @property
    def greeted(self) -> bool:
        """Whether somebody else has seen to the answer's head."""
        return self._cycle.response_started

    async def head(self, start: Message) -> bytes:
        """How the answer would start, for somebody else to send. Raises ClientGone."""
        await self._drained()
        transport, taken = self._cycle.transport, Taken()
        self._cycle.transport = taken  # type: ignore[assignment]
        try:
            await self._cycle.send(cast(ASGISendEvent, start))
        finally:
            self._cycle.transport = transport
        return bytes(taken.data)

    @property
    def chunked(self) -> bool:
        """Whether the answer's body goes out in chunks."""
        return bool(self._cycle.scope["http_version"] != "1.0")

    def fileno(self) -> int:
        """The descriptor under the transport. Raises ClientGone."""
        transport = self._protocol.transport
        if transport.is_closing():
            raise ClientGone
        fileno: int = transport.get_extra_info("socket").fileno()
        return fileno

    async def while_there(self, work: Awaitable[Any], *, half_close: bool) -> bool:
        """Await ``work`` as long as the client is there and the server does not stop.

        False if it was cancelled for one of these reasons.
        """
        front = self._protocol.front
        # TCP cannot tell a client that left from one that only ended its sending.
        half_close = half_close or self._protocol.client is not None
        task = asyncio.ensure_future(work)
        front.listeners.add(task)
        try:
            if not front.stopping:
                with front.hangups.watch(self.fileno(), task.cancel, half_close=half_close):
                    await asyncio.wait({task})
        except ClientGone:
            pass
        finally:
            front.listeners.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if task.cancelled():
            return False
        task.result()
        return True

    def abort(self) -> None:
        """End the connection at once: what was sent must not pass for a whole answer."""
        self._cycle.disconnected = True
        self._protocol.transport.abort()

    @contextlib.asynccontextmanager
    async def _lent(self) -> AsyncIterator[socket.socket]:
        """The connection, of which the loop keeps its hands meanwhile."""
        self._protocol.flow.pause_reading()
        await self._drained()
        lent = socket.socket(fileno=os.dup(self.fileno()))
        front = self._protocol.front
        front.lent.add(lent)
        try:
            yield lent
        finally:
            front.lent.discard(lent)
            lent.close()

    async def _read_nothing(
        self, reader: Callable[[int, Framing], Awaitable[tuple[Any, bytes]]]
    ) -> tuple[Any, bytes]:
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return await reader(nothing, Framing(chunked=False, length_bytes=0))
        finally:
            os.close(nothing)

    async def _drained(self) -> None:
        transport = self._protocol.transport
        # uvloop writes at the end of the loop's turn, so most often one turn is enough.
        await asyncio.sleep(0)
        while not transport.is_closing() and transport.get_write_buffer_size():  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_POLL_S)
        if transport.is_closing():
            raise ClientGone


class Client:
    """Who awaits an answer over a wire; implements `drayman.api.lending.Caller`."""

    def __init__(self, wire: Wire, start: Message) -> None:
        self._wire = wire
        self._start = start

    @property
    def chunked(self) -> bool:
        """How the answer's body is framed."""
        return self._wire.chunked

    def fileno(self) -> int:
        """The connection's descriptor. Raises ClientGone."""
        return self._wire.fileno()

    async def head(self) -> bytes:
        """The answer's head, which the API will not send. Raises ClientGone."""
        complete = [*headers.common(), *self._start["headers"]]
        return await self._wire.head({**self._start, "headers": complete})


class Taken:
    """Stands in for a transport, and keeps what it is to send."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.data += data


def _widen(connection: socket.socket) -> None:
    """Make room for bulk; TCP sizes its buffers better by itself."""
    if connection.family == socket.AF_UNIX:
        try:
            connection.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES)
        except PermissionError:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
