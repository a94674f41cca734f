"""Sockets of our own: whose they are, and what they may replace."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from drayman.api import listeners
from drayman.api.listeners import Listener, listen
from drayman.errors import Conflict, InvalidParameter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "d.sock"


@pytest.fixture
def listener(path: Path) -> Iterator[Listener]:
    (one,) = listen(f"unix://{path}", group="no-such-group")
    yield one
    one.close()


def test_a_unix_socket_is_for_few(path: Path, listener: Listener) -> None:
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == os.getgid()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()
    assert not path.exists()


def test_a_group_may_use_it(path: Path) -> None:
    (one,) = listen(f"unix://{path}", group="daemon")
    assert path.stat().st_gid == 1
    one.close()


def test_what_a_dead_engine_left_is_replaced(path: Path, listener: Listener) -> None:
    listener.socket.close()
    assert path.exists()
    (again,) = listen(f"unix://{path}")
    listener.close()
    # The file is the new one's, and so stays.
    assert path.exists()
    again.close()


def test_a_living_one_is_not(path: Path, listener: Listener) -> None:
    with pytest.raises(Conflict, match="somebody does already"):
        listen(f"unix://{path}")
    assert path.exists()


def test_neither_is_one_that_is_too_busy(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))
        with pytest.raises(Conflict, match="somebody does already"):
            listen(f"unix://{path}")


def test_nor_what_is_no_socket(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.raises(Conflict, match="is not a socket"):
        listen(f"unix://{path}")
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("host", "address"),
    [("tcp://127.0.0.1:0", "127.0.0.1"), ("tcp://[::1]:0", "::1"), ("tcp://:0", "127.0.0.1")],
)
def test_tcp(host: str, address: str) -> None:
    (one,) = listen(host)
    assert one.socket.getsockname()[0] == address
    one.close()


@pytest.mark.parametrize(
    "host", ["", "/run/d.sock", "unix://d.sock", "unix:/d.sock", "tcp://a:b:c", "npipe://x", "fd:"]
)
def test_what_is_no_place(host: str) -> None:
    with pytest.raises(InvalidParameter, match="cannot listen on"):
        listen(host)


def test_no_port_above_the_highest() -> None:
    with pytest.raises(OverflowError):
        listen("tcp://127.0.0.1:99999")


def test_sockets_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = socket.socket(), socket.socket(socket.AF_UNIX)
    top = 300
    for at, one in enumerate((first, second)):
        os.dup2(one.fileno(), top + at, inheritable=True)
    monkeypatch.setattr(listeners, "FIRST_INHERITED_FD", top)
    given = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"}
    found = listen("fd://", environment=given)
    assert [one.socket.family for one in found] == [socket.AF_INET, socket.AF_UNIX]
    assert not os.get_inheritable(top)
    for one in (*found, first, second):
        one.close()


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}])
def test_sockets_of_another_process_are_not_ours(environment: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter, match="no socket was handed over"):
        listen("fd://", environment=environment)
