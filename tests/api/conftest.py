"""The API on a unix socket, in a thread of its own, before an engine that is none."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from drayman.api.listeners import Listener, listen
from drayman.server import Server
from tests.api.client import PATIENCE_S, Client
from tests.api.fake import Fake


class Running:
    """A server that runs."""

    def __init__(self, host: str, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.engine = Fake()
        self.listeners: list[Listener] = listen(host)
        self.path = host.removeprefix("unix://")
        self._new_loop = new_loop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Serve."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Ask for the end and see it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
            self._thread.join(10)
        assert not self._thread.is_alive()
        for one in self.listeners:
            one.close()

    def client(self) -> Client:
        """A new connection."""
        return Client(self.listeners[0].socket.getsockname())

    def see_no_connection(self) -> None:
        """Wait until the server has none left, and no request."""

        async def settle() -> None:
            state = self._server.server_state
            while state.connections or state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            assert not self._server.front.lent
            assert not self._server.front.listeners

        asyncio.run_coroutine_threadsafe(settle(), self._loop).result(PATIENCE_S)

    @property
    def server(self) -> Server:
        """The server, to look at."""
        return self._server

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = Server(self.engine)  # type: ignore[arg-type]
        self._ready.set()
        await self._server.serve([one.socket for one in self.listeners])


@pytest.fixture(params=["uvloop", "asyncio"])
def running(
    request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[Running]:
    """A server on a unix socket; nothing worse than a warning may be logged meanwhile."""
    yield from run(f"unix://{tmp_path}/d.sock", request.param, caplog)


@pytest.fixture(params=["uvloop", "asyncio"])
def on_tcp(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Running]:
    """A server on a TCP port."""
    yield from run("tcp://127.0.0.1:0", request.param, caplog)


def run(host: str, loop: str, caplog: pytest.LogCaptureFixture) -> Iterator[Running]:
    """Serve for the time of a test."""
    new_loop = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    server = Running(host, new_loop)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    bad = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not bad, bad


@pytest.fixture
def engine(running: Running) -> Fake:
    """The engine behind."""
    return running.engine


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    """A connection."""
    with running.client() as one:
        yield one
