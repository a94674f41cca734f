"""Logs: selection, form, following."""

from __future__ import annotations

import re
import subprocess

import pytest
from tests.engine.engines import EngineServer, until

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


@pytest.mark.parametrize(
    ("query", "host_config", "status", "text"),
    [
        ("", {}, 400, "must specify at least one of 'stdout' or 'stderr'"),
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
