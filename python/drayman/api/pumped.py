"""A connection without a descriptor of its own: another server's, TLS, a test client.

Native code gets one end of a socket pair, and the bytes are pumped through ASGI.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from drayman.api.lending import Caller, Download, Framing, Session
from drayman.errors import Unimplemented

T = TypeVar("T")

PUMP_BYTES = 256 << 10


class Pumped:
    """One request's connection, seen through ASGI."""

    # Over ASGI nobody else can answer.
    greeted = False
    trails = False

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        # How it lay on the wire is not known any more; chunks carry anything.
        headers = Request(scope).headers
        chunked = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        self.framing = Framing(chunked=True, length_bytes=None) if chunked else None

    async def send(self, download: Download, *, listens: bool) -> bool:
        """Pump what the download writes into the answer's body."""
        async with _pair() as (ours, theirs):

            async def work() -> None:
                try:
                    await download.send(theirs.fileno(), chunked=False)
                finally:
                    theirs.shutdown(socket.SHUT_WR)

            async def pump() -> None:
                loop = asyncio.get_running_loop()
                while part := await loop.sock_recv(ours, PUMP_BYTES):
                    await self._send(
                        {"type": "http.response.body", "body": part, "more_body": True}
                    )

            return await self.while_there(_both(work(), pump()), half_close=listens)

    async def finish(self, trailers: Mapping[str, str]) -> None:
        """End it; ASGI has no trailers that every server knows."""
        await self._send({"type": "http.response.body"})

    async def receive(self, reader: Callable[[int, Framing], Awaitable[tuple[T, bytes]]]) -> T:
        """Pump the request's body, as chunks, to what ``reader`` reads."""
        async with _pair() as (ours, theirs):

            async def pump() -> None:
                loop = asyncio.get_running_loop()
                try:
                    async for part in Request(self._scope, self._receive).stream():
                        if part:
                            await loop.sock_sendall(ours, b"%x\r\n%b\r\n" % (len(part), part))
                    await loop.sock_sendall(ours, b"0\r\n\r\n")
                except (ClientDisconnect, OSError):
                    # The reader finds the body cut short, or is gone itself.
                    ours.shutdown(socket.SHUT_WR)

            pumping = asyncio.ensure_future(pump())
            try:
                result, _ = await reader(theirs.fileno(), Framing(True, None))
                return result
            finally:
                pumping.cancel()
                await asyncio.wait({pumping})

    async def detach(self, head: bytes) -> Session:
        """Refuse: there is nothing to give away."""
        raise Unimplemented("this connection cannot be taken over: it has no descriptor")

    def caller(self, start: Message) -> Caller | None:
        """None."""
        return None

    async def while_there(self, work: Awaitable[Any], *, half_close: bool) -> bool:
        """Await ``work`` as long as the client is there; False if that was cut short."""
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._leave())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not task.done():
                task.cancel()
            await asyncio.wait({task, leaving})
        if task.cancelled():
            return False
        task.result()
        return True

    def abort(self) -> None:
        """Nothing can be done; the server sees that the answer is not complete."""

    async def _leave(self) -> None:
        with contextlib.suppress(ClientDisconnect):
            while (await self._receive())["type"] != "http.disconnect":
                pass


async def _both(*work: Awaitable[None]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(_await(one))


async def _await(work: Awaitable[None]) -> None:
    await work


@contextlib.asynccontextmanager
async def _pair() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs
