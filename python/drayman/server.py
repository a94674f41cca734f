"""The server: the API on its sockets, from the first request to an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import uvicorn

from drayman.api.app import Observer, build
from drayman.api.backend import Backend
from drayman.api.front import Front
from drayman.api.listeners import Listener
from drayman.api.protocol import DockerProtocol
from drayman.api.router import Router
from drayman.api.routes import TABLE
from drayman.idle_server import IdleServer

# dockerd closes no idle connection, and Go's clients do not repeat a POST on a connection
# that was closed under it.
KEEP_ALIVE_S = 12 * 3600
# An end in under two seconds: for requests to finish, for cut downloads to notice, and for
# whatever is left.
GRACE_S = 1.0
CUT_S = 0.3
CANCEL_S = 0.3
# How often it is looked whether all is done, at the end alone.
SETTLE_POLL_S = 0.01


async def serve(
    backend: Backend,
    listeners: Sequence[Listener],
    *,
    reload: Callable[[], object] | None = None,
    observer: Observer | None = None,
) -> None:
    """Answer for ``backend`` until SIGTERM or SIGINT, then end in under two seconds.

    Hijacked connections go on: they belong to the shims. SIGHUP calls ``reload``, and each answer
    the ``observer``. The listeners are closed in the end.
    """
    try:
        server = Server(backend, reload=reload, observer=observer)
        await server.serve([one.socket for one in listeners])
    finally:
        for one in listeners:
            one.close()


class Server(IdleServer):
    """The server with our protocol, and an end of our own."""

    def __init__(
        self,
        backend: Backend,
        *,
        reload: Callable[[], object] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.front = Front()
        self._reload = reload
        router = Router(TABLE)
        protocol = functools.partial(DockerProtocol, front=self.front, router=router)
        super().__init__(
            uvicorn.Config(
                build(backend, router, observer),
                http=cast("type[asyncio.Protocol]", protocol),
                ws="none",
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals for orders; unlike uvicorn's, this ends with status 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        orders: dict[int, Callable[[], object]] = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
        }
        if self._reload is not None:
            orders[signal.SIGHUP] = self._reload
        for number, order in orders.items():
            loop.add_signal_handler(number, order)
        try:
            yield
        finally:
            for number in orders:
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: take nothing new, let requests finish, then cut what does not."""
        for server in self.servers:
            server.close()
        self.front.stop()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._settle(GRACE_S)
        self.front.cut()
        await self._settle(CUT_S)
        for task in list(self.server_state.tasks):
            task.cancel()
        await self._settle(CANCEL_S)
        for connection in list(self.server_state.connections):
            cast(DockerProtocol, connection).transport.abort()
        self.front.hangups.close()

    async def _settle(self, limit_s: float) -> None:
        """Wait until every request and every connection has ended, or the limit is reached."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        state = self.server_state
        while (state.tasks or state.connections) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(SETTLE_POLL_S)
