"""Half a gigabyte through containers and the docker CLI, compared by its digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from typing import IO

from tests.engine.engines import EngineServer

BLOCK = os.urandom(1 << 20)
BLOCKS = 500
TIMEOUT_S = 100


def feed(stdin: IO[bytes]) -> None:
    with stdin:
        for _ in range(BLOCKS):
            stdin.write(BLOCK)


def through(engine: EngineServer, *arguments: str) -> None:
    """What goes in through the docker CLI comes out of it."""
    with subprocess.Popen(
        ["docker", *arguments],
        env={**os.environ, "DOCKER_HOST": engine.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = threading.Thread(target=feed, args=(process.stdin,))
        feeder.start()
        seen = hashlib.sha256()
        while part := process.stdout.read(1 << 20):
            seen.update(part)
        feeder.join()
        assert process.wait(TIMEOUT_S) == 0
    sent = hashlib.sha256()
    for _ in range(BLOCKS):
        sent.update(BLOCK)
    assert seen.digest() == sent.digest()


def test_a_container(engine_server: EngineServer) -> None:
    through(engine_server, "run", "-i", "--rm", "--log-driver", "none", "busybox", "cat")


def test_an_exec(engine_server: EngineServer) -> None:
    through(engine_server, "exec", "-i", engine_server.running(), "cat")
