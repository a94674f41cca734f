"""Logs: selection, form, following."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess

import pytest
from tests.engine.engines import TIMEOUT_S, EngineServer, until

LINES = "for i in 1 2 3; do echo line $i; done; echo err >&2"


@pytest.fixture(scope="module")
def logged(engine_server: EngineServer) -> str:
    container = engine_server.running("sh", "-c", LINES)
    engine_server.api("POST", f"/containers/{container}/wait")
    return container


def test_streams_stay_apart(engine_server: EngineServer, logged: str) -> None:
    done = engine_server.docker("logs", logged)
    assert done.stdout == b"line 1\nline 2\nline 3\n"
    assert done.stderr == b"err\n"


def test_tail_and_timestamps(engine_server: EngineServer, logged: str) -> None:
    done = engine_server.docker("logs", "--tail", "1", "-t", logged)
    stamp = rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z "
    assert re.fullmatch(stamp + rb"(err|line 3)\n", done.stdout + done.stderr)


def test_following_ends_with_the_container(engine_server: EngineServer) -> None:
    container = engine_server.running(
        "sh", "-c", "echo one; read x; echo $x; echo -n end", OpenStdin=True, StdinOnce=True
    )
    follower = subprocess.Popen(
        ["docker", "-H", engine_server.url, "logs", "-f", container], stdout=subprocess.PIPE
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"one\n"
    engine_server.docker("attach", container, stdin=b"two\n", code=None)
    assert follower.communicate() == (b"two\nend", None)
    assert follower.returncode == 0


def test_a_follower_that_leaves_leaves_nothing(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "echo one; sleep 1000")
    descriptors = f"/proc/{engine_server.process.pid}/fd"
    count = lambda: len(subprocess.check_output(["ls", descriptors]).split())  # noqa: E731
    before = count()
    for _ in range(3):
        follower = subprocess.Popen(
            ["docker", "-H", engine_server.url, "logs", "-f", container], stdout=subprocess.PIPE
        )
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"one\n"
        follower.kill()
        follower.communicate()
    # One for inotify, which stays.
    until(lambda: count() <= before + 1, lambda: f"{before} descriptors became {count()}")


def test_a_follower_does_not_notice_that_the_engine_dies(engine_server: EngineServer) -> None:
    script = "i=0; while [ $i -lt 100 ]; do echo $i; i=$((i+1)); sleep 0.02; done"
    container = engine_server.running("sh", "-c", script)
    command = ["docker", "-H", engine_server.url, "logs", "-f", container]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"0\n"
        engine_server.kill()
        try:
            text, errors = follower.communicate()
        finally:
            engine_server.start()
    assert text.split() == [str(number).encode() for number in range(1, 100)]
    assert (follower.returncode, errors) == (0, b"")
    engine_server.api("GET", "/_ping")


def test_a_follower_that_does_not_read_holds_nothing_up(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "read x; yes 0123456 | head -n 1000000",
                                      OpenStdin=True)  # fmt: skip
    path = f"/containers/{container}/logs?stdout=1&follow=1"
    with follow(engine_server, path) as slow, follow(engine_server, path) as fast:
        engine_server.docker("attach", "--no-stdin=false", container, stdin=b"go\n", code=None)
        for connection in (fast, slow):
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.getheader("Connection") == "close"
            body = answer.read()
            assert len(body) == 1_000_000 * 16
            assert body.replace(b"\x01\0\0\0\0\0\0\x08", b"") == b"0123456\n" * 1_000_000


def follow(engine: EngineServer, path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(engine.socket_path))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize(
    ("query", "host_config", "status", "text"),
    [
        ("", {}, 400, "must specify at least one of 'stdout' or 'stderr'"),
        ("?stdout=1&since=x", {}, 400, 'failed to parse value "x" as a timestamp'),
        ("?stdout=1&until=1.x", {}, 400, 'failed to parse value "1.x" as a timestamp'),
        (
            "?stdout=1",
            {"LogConfig": {"Type": "none"}},
            501,
            "configured logging driver does not support reading",
        ),
    ],
)
def test_what_cannot_be(
    engine_server: EngineServer, query: str, host_config: object, status: int, text: str
) -> None:
    container = engine_server.create("true", HostConfig=host_config)
    path = f"/containers/{container}/logs{query}"
    assert engine_server.api("GET", path) == (status, {"message": text})


def test_a_created_container_has_an_empty_log(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("GET", f"/containers/{container}/logs?stdout=1") == (200, "")
