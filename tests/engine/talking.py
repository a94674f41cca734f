"""A container that answers what it is told, and whose log has a file system to itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engine.engines import EngineServer

LINE = "0123456789012345678901234567890"
LINES = 2000


def log_directory(engine: EngineServer, container: str) -> Path:
    """Where its log is."""
    return engine.root / "containers" / container / "log"


@contextmanager
def talker(engine: EngineServer, *mount: str | Path, **options: Any) -> Iterator[str]:
    """Started with what ``mount`` makes in the place of its log; for each line that it reads, it
    writes `LINES` of `LINE`, and that line."""
    script = f"while read x; do yes {LINE} | head -n {LINES}; echo $x; done"
    container = engine.create("sh", "-c", script, OpenStdin=True, **options)
    place = log_directory(engine, container)
    subprocess.run(["mount", *mount, place], check=True)
    try:
        assert engine.api("POST", f"/containers/{container}/start")[0] == 204
        yield container
    finally:
        subprocess.run(["umount", "-l", place], check=True)


class Talk:
    """A client that is attached to it, and gets all of its answers."""

    def __init__(self, engine: EngineServer, container: str) -> None:
        path = f"/containers/{container}/attach?stream=1&stdin=1&stdout=1"
        self._connection, _ = engine.hijack(path)
        self._read = self._connection.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._read.close()
        self._connection.close()

    def say(self, text: str) -> bytes:
        """And wait until the container has answered; what it wrote."""
        line = f"{text}\n".encode()
        self._connection.sendall(line)
        while not self._read.readline().endswith(line):
            pass
        return f"{LINE}\n".encode() * LINES + line
