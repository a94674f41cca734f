"""docker-py while its engine is killed under it."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from docker.models.containers import Container
from docker.utils.socket import frames_iter
from tests.engine.engines import TIMEOUT_S, EngineServer

# docker-py leaves it to the collector to close connections it has hijacked.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

GATE = "until [ -e /go ]; do sleep 0.01; done"


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """See to it that they are closed in here."""
    yield
    gc.collect()


@pytest.fixture
def gated(engine_server: EngineServer) -> Iterator[Container]:
    """A container that ends with 5 once /go is there."""
    container = engine_server.client().containers.run(
        "busybox", ["sh", "-c", f"{GATE}; echo late; exit 5"], detach=True
    )
    yield container
    container.remove(force=True)


def go(container: Container) -> None:
    """Let it end."""
    # What does it is not waited for: the container may end first, and kill it.
    container.exec_run(["touch", "/go"], detach=True)


def frames(stream: Any) -> list[tuple[int, bytes]]:
    """All that comes over a hijacked connection."""
    connection: socket.socket = stream._sock
    connection.settimeout(TIMEOUT_S)
    with connection:
        return list(frames_iter(connection, tty=False))


def test_attach(engine_server: EngineServer, gated: Container) -> None:
    stream = gated.attach_socket(params={"stdout": 1, "stream": 1})
    engine_server.crash()
    go(gated)
    assert frames(stream) == [(1, b"late\n")]
    assert gated.wait()["StatusCode"] == 5


def test_exec(engine_server: EngineServer, gated: Container) -> None:
    api = engine_server.client().api
    script = "until [ -e /on ]; do sleep 0.01; done; echo out; echo err >&2; exit 3"
    made = api.exec_create(gated.id, ["sh", "-c", script])
    stream = api.exec_start(made["Id"], socket=True)
    engine_server.crash()
    assert gated.exec_run(["touch", "/on"]).exit_code == 0
    assert sorted(frames(stream)) == [(1, b"out\n"), (2, b"err\n")]
    assert api.exec_inspect(made["Id"])["ExitCode"] == 3


def test_what_the_next_engine_knows(engine_server: EngineServer, gated: Container) -> None:
    client = engine_server.client()
    before = client.api.inspect_container(gated.id)
    engine_server.crash()
    assert client.api.inspect_container(gated.id) == before
    assert [one.id for one in client.containers.list()] == [gated.id]
    assert "busybox:latest" in client.images.list()[0].tags
    gated.stop(timeout=0)
    engine_server.crash()
    gated.reload()
    assert (gated.status, gated.attrs["State"]["ExitCode"]) == ("exited", 137)
