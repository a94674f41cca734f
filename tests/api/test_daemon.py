"""The commands' own client: by TCP, and with whatever an engine may answer."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from drayman.api.options import PathStat
from drayman.client import transfers
from drayman.client.daemon import Daemon, Refused, Stream, archive
from drayman.client.progress import Bar
from drayman.errors import InvalidParameter, NotFound, System
from tests.api.conftest import Running
from tests.api.fake import Payload

BULK = b"0123456789abcdef" * 65536


def test_questions_by_tcp(on_tcp: Running, tmp_path: Path) -> None:
    host, port = on_tcp.listeners[0].socket.getsockname()
    stat = PathStat(name="a b", size_bytes=3, mode=1 << 31, mtime_ns=0)
    on_tcp.engine.answers["archive_stat"] = stat
    on_tcp.engine.answers["archive_get"] = lambda *_: (stat, Payload(BULK, BULK))
    quiet = Bar("", quiet=True)
    with Daemon(f"tcp://{host}:{port}") as daemon, (tmp_path / "body").open("wb") as file:
        found = daemon.stat("a/b", "/a b&c")
        assert found is not None
        assert (found.name, found.is_directory, found.is_regular) == ("a b", True, False)
        answer = daemon.ask("GET", archive("box"), {"path": "/x", "exclude": ["a", "b"]})
        transfers.receive_file(answer, file.fileno(), summed=False, bar=quiet)
        daemon.put(archive("box"), {"path": "/x", "name": None}, Stream(io.BytesIO(BULK)))
    assert (tmp_path / "body").read_bytes() == BULK * 2
    assert on_tcp.engine.uploads == [BULK]
    assert on_tcp.engine.asks("archive_stat")[0][0] == ("a/b", "/a b&c")
    assert on_tcp.engine.asks("archive_get")[0][0][2].exclude == ["a", "b"]


def test_what_is_missing_is_told_apart(running: Running) -> None:
    running.engine.answers["archive_stat"] = NotFound("Could not find the file")
    with Daemon(f"unix://{running.path}") as daemon:
        assert daemon.stat("box", "/x") is None
        running.engine.answers["container_inspect"] = NotFound("No such container: box")
        with pytest.raises(Refused, match="the engine says: No such container: box") as refused:
            daemon.stat("box", "/x")
    assert refused.value.status == 404


def test_a_body_that_is_refused_has_a_reason(running: Running) -> None:
    running.engine.answers["archive_put"] = System("no space left on device")
    with (
        Daemon(f"unix://{running.path}") as daemon,
        pytest.raises(Refused, match="no space left on device"),
    ):
        daemon.put(archive("box"), {"path": "/x"}, Stream(io.BytesIO(BULK * 8)))


@pytest.mark.parametrize("host", ["ssh://x", "tcp://", "here", "fd://"])
def test_a_place_must_be_one(host: str) -> None:
    with pytest.raises(InvalidParameter, match="write unix:///path or tcp://name:port"):
        Daemon(host).ask("GET", "/_ping")


@pytest.mark.parametrize("host", ["unix:///no.sock", "tcp://127.0.0.1:1"])
def test_nobody_there(host: str) -> None:
    with pytest.raises(System, match="start one with `drayman serve`"):
        Daemon(host).ask("GET", "/_ping")
