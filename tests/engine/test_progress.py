"""Bars: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.copying import shell
from tests.engine.engines import EngineServer


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with a large file."""
    container = engine_server.running(name="box")
    shell(engine_server, container, "head -c 67108864 /dev/zero >/large")
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def on_a_terminal(server: EngineServer, cwd: Path, *arguments: str) -> str:
    """What the command shows on a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "DOCKER_HOST": server.url, "TERM": "xterm", "COLUMNS": "100"}
    command = subprocess.Popen(
        [sys.executable, "-m", "drayman", *arguments],
        env=environment, cwd=cwd, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    # EIO says that nobody has the terminal any more.
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass
    os.close(ours)
    assert command.wait(20) == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


@pytest.mark.parametrize(
    "command",
    [
        ("cp", "box:/large", "."),
        ("cp", "--verify", "box:/large", "-"),
        ("cp", "here", "box:/tmp"),
        ("export", "-o", "x.tar", "box"),
        ("export", "-o", "x.tar", "--resume", "box"),
    ],
    ids=" ".join,
)
def test_it_ends_where_the_tar_does(
    engine_server: EngineServer, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with (tmp_path / "here").open("wb") as file:
        file.write(b"x" * (64 << 20))
    shown = on_a_terminal(engine_server, tmp_path, *command)
    done, total = re.findall(r"([0-9.]+)/([0-9.]+) MB", shown)[-1]
    assert done == total, shown
    assert float(total) > 67
    assert on_a_terminal(engine_server, tmp_path, *command, "--quiet") == ""


def test_what_is_compressed_has_no_end(engine_server: EngineServer, tmp_path: Path) -> None:
    assert "/?" in on_a_terminal(engine_server, tmp_path, "cp", "--zstd", "box:/large", "-")
