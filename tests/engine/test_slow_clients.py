"""Clients that stop reading or sending: a container's other clients do not feel them."""

from __future__ import annotations

import array
import fcntl
import io
import tarfile
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.api.client import Client
from tests.engine.engines import EngineServer, until
from tests.engine.holdings import connections, held

# More than the buffers between the engine and a client that does not read.
BIG_BYTES = 8 << 20
# So much has come, and is not read: the rest is on its way and stays there.
BEGUN_BYTES = 128 << 10
CROWD = 200

TALK = f"yes | head -c {BIG_BYTES} | tee /big; exec sleep 1000"


def file_tar() -> bytes:
    """A tar that a client puts."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


TAR = file_tar()


@pytest.fixture(scope="module")
def idle(engine_server: EngineServer) -> dict[str, int]:
    """What an engine holds that has nothing to do; some of it is opened once and kept."""
    for status in ("running", "exited"):
        container = talker(engine_server, status)
        with stuck(engine_server, container, "followed logs"):
            use_and_remove(engine_server, container, status)
    until(lambda: held(engine_server)["run/c"] == connections(engine_server) == 0)
    return held(engine_server)


@pytest.fixture(autouse=True)
def nothing_stays(engine_server: EngineServer, idle: dict[str, int]) -> Iterator[None]:
    """Once the clients have left, the engine holds no more than it did before."""
    yield
    until(lambda: held(engine_server) == idle, lambda: f"{idle} became {held(engine_server)}")


def client(engine: EngineServer) -> Client:
    return Client(str(engine.socket_path))


def talker(engine: EngineServer, status: str) -> str:
    """A container with a big file and a big log, in one of its states."""
    container = engine.running("sh", "-c", TALK)
    size = engine.root / "containers" / container / "upper/big"
    until(lambda: size.exists() and size.stat().st_size == BIG_BYTES)
    if status == "paused":
        assert engine.api("POST", f"/containers/{container}/pause")[0] == 204
    if status == "exited":
        assert engine.api("POST", f"/containers/{container}/stop?t=0")[0] == 204
    assert engine.state(container)["Status"] == status
    return container


@contextmanager
def stuck(engine: EngineServer, container: str, way: str) -> Iterator[Client]:
    """A client in the middle of a transfer that does not go on."""
    with client(engine) as one:
        if way == "upload":
            path = f"/containers/{container}/archive?path=/tmp"
            length = {"Content-Length": str(len(TAR)), "Expect": "100-continue"}
            one.request("PUT", path, headers=length)
            assert one.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
            one.send(TAR[: len(TAR) // 2])
        else:
            one.request("GET", f"/containers/{container}/{DOWNLOADS[way]}")
            until(lambda: unread_bytes(one) > BEGUN_BYTES)
        yield one


DOWNLOADS = {
    "download": "archive?path=/big",
    "export": "export",
    "logs": "logs?stdout=1",
    "followed logs": "logs?stdout=1&follow=1",
}


def unread_bytes(one: Client) -> int:
    """What waits in the socket."""
    count = array.array("i", [0])
    fcntl.ioctl(one.socket, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("status", ["running", "paused", "exited"])
@pytest.mark.parametrize("way", [*DOWNLOADS, "upload"])
def test_whatever_others_want_of_the_container(
    engine_server: EngineServer, way: str, status: str
) -> None:
    container = talker(engine_server, status)
    with stuck(engine_server, container, way):
        use_and_remove(engine_server, container, status)


def use_and_remove(engine: EngineServer, container: str, status: str) -> None:
    path = f"/containers/{container}"
    assert engine.api("GET", "/_ping") == (200, "OK")
    assert engine.state(container)["Status"] == status
    assert engine.api("GET", f"{path}/archive?path=/etc/passwd")[0] == 200
    assert engine.api("PUT", f"{path}/archive?path=/home", TAR) == (200, "")
    assert {"Path": "/home/file", "Kind": 1} in engine.api("GET", f"{path}/changes")[1]
    assert engine.api("POST", f"{path}/rename?name=renamed")[0] == 204
    if status == "running":
        engine.docker("exec", container, "true")
    if status != "exited":
        assert engine.api("POST", f"{path}/stop?t=0")[0] == 204
    assert engine.api("DELETE", f"{path}?force=1")[0] == 204
    assert engine.api("GET", f"{path}/json")[0] == 404


@pytest.mark.parametrize("way", ["download", "upload"])
@pytest.mark.parametrize(("status", "verb"), [("exited", "start"), ("running", "restart?t=0")])
def test_a_start_waits_without_keeping_others_waiting(
    engine_server: EngineServer, way: str, status: str, verb: str
) -> None:
    """Were it not to wait, one upper directory would be mounted twice."""
    container = talker(engine_server, status)
    path = f"/containers/{container}"
    with client(engine_server) as starter, stuck(engine_server, container, way) as slow:
        starter.request("POST", f"{path}/{verb}")
        until(lambda: engine_server.state(container)["Status"] == "exited")
        assert engine_server.api("GET", f"{path}/archive?path=/etc/passwd")[0] == 200
        assert engine_server.api("POST", f"{path}/rename?name=renamed")[0] == 204
        slow.socket.close()
        assert starter.answer().status == 204
        assert engine_server.state(container)["Status"] == "running"
    assert engine_server.api("DELETE", f"{path}?force=1")[0] == 204


@pytest.mark.parametrize(
    ("status", "verb", "told"), [("exited", "start", 404), ("running", "restart?t=0", 500)]
)
def test_a_start_that_waits_ends_with_the_container(
    engine_server: EngineServer, status: str, verb: str, told: int
) -> None:
    container = talker(engine_server, status)
    path = f"/containers/{container}"
    with client(engine_server) as starter, stuck(engine_server, container, "download"):
        starter.request("POST", f"{path}/{verb}")
        until(lambda: engine_server.state(container)["Status"] == "exited")
        assert engine_server.api("DELETE", f"{path}?force=1")[0] == 204
        assert starter.answer().status == told


def test_a_crowd_of_them(engine_server: EngineServer) -> None:
    """However many there are, the engine has hands left for others."""
    container = talker(engine_server, "running")
    ways = ["download", "upload", "export", "logs"]
    with ExitStack() as crowd:
        for number in range(CROWD):
            crowd.enter_context(stuck(engine_server, container, ways[number % len(ways)]))
        use_and_remove(engine_server, container, "running")
