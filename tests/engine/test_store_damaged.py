"""Engines whose database was damaged while they were dead, and what the next one makes of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.engines import EngineServer


def suffixed(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def fold(path: Path) -> None:
    """Write what the log has into the file."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def cut_at(size_bytes: int) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        fold(path)
        os.truncate(path, size_bytes)

    return cut


def removed(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        suffixed(path, suffix).unlink(missing_ok=True)


def emptied(path: Path) -> None:
    removed(path)
    path.touch()


def scribbled(path: Path) -> None:
    fold(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + b"\xa5" * (len(raw) - 4096))


def log_scribbled(path: Path) -> None:
    log = suffixed(path, "-wal")
    raw = log.read_bytes()
    assert raw
    log.write_bytes(raw[:32] + b"\xa5" * (len(raw) - 32))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "removed": removed,
    "emptied": emptied,
    "header cut": cut_at(50),
    "page cut": cut_at(6000),
    "pages cut": cut_at(3 * 4096),
    "scribbled": scribbled,
    "log scribbled": log_scribbled,
}


@pytest.fixture(scope="module")
def furnished(engine_server: EngineServer) -> Iterator[dict[str, str]]:
    """A running container with a volume on the bridge, and one that has ended."""
    engine_server.docker("volume", "create", "kept")
    running = engine_server.running(
        "sh", "-c", "echo data > /v/file; echo own > /own; exec sleep 1000",
        name="runs", HostConfig={"Binds": ["kept:/v"], "PortBindings": {"80/tcp": [{}]}},
    )  # fmt: skip
    ended = engine_server.running("sh", "-c", "echo left > /left; exit 5", name="ended")
    engine_server.docker("wait", ended)
    yield {"running": running, "ended": ended}
    engine_server.docker("rm", "-f", "runs", "ended")
    engine_server.docker("volume", "rm", "kept")


def seen(engine: EngineServer) -> dict[str, Any]:
    """Everything that a client may ask of it."""
    listed = engine.api("GET", "/containers/json?all=1")[1]
    return {
        "containers": {
            one["Id"]: engine.api("GET", f"/containers/{one['Id']}/json")[1] for one in listed
        },
        "images": engine.api("GET", "/images/json")[1],
        "networks": sorted(engine.api("GET", "/networks")[1], key=lambda one: str(one["Id"])),
        "volumes": engine.api("GET", "/volumes")[1],
    }


def complaints(engine: EngineServer) -> list[str]:
    return [line for line in engine.log.read_text().splitlines() if "rebuilt" in line]


@pytest.mark.parametrize("name", DAMAGES)
def test_everything_is_there_again(
    engine_server: EngineServer, furnished: dict[str, str], name: str
) -> None:
    before, said = seen(engine_server), len(complaints(engine_server))
    engine_server.kill()
    path = engine_server.root / "drayman.db"
    DAMAGES[name](path)
    engine_server.start()
    assert seen(engine_server) == before
    (line,) = complaints(engine_server)[said:]
    assert str(path) in line
    assert "rebuilt 2 containers, 1 images, 3 networks, 1 volumes" in line
    running, ended = furnished["running"], furnished["ended"]
    assert engine_server.docker("exec", running, "cat", "/v/file", "/own").stdout == b"data\nown\n"
    assert engine_server.docker("diff", ended).stdout == b"A /left\n"
    assert engine_server.docker("run", "--rm", "-v", "kept:/k", "busybox", "cat", "/k/file")
    answer = engine_server.api("POST", "/containers/create?name=runs", {"Image": "busybox"})
    assert answer[0] == 409
    # The one that is stopped starts, and the one that runs is held.
    assert engine_server.api("POST", f"/containers/{ended}/start")[0] == 204
    engine_server.docker("wait", ended)
    assert engine_server.state(ended)["ExitCode"] == 5


def test_what_was_removed_does_not_come_back(engine_server: EngineServer) -> None:
    container = engine_server.create("true", name="briefly")
    engine_server.docker("rm", container)
    engine_server.kill()
    removed(engine_server.root / "drayman.db")
    engine_server.start()
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
    assert not list((engine_server.root / "lost").glob(f"*/*/{container}"))


def test_a_container_without_a_readable_record_keeps_its_files(
    engine_server: EngineServer,
) -> None:
    container = engine_server.running("sh", "-c", "echo mine > /mine")
    engine_server.docker("wait", container)
    engine_server.kill()
    removed(engine_server.root / "drayman.db")
    record = engine_server.root / "containers" / container / "record.json"
    os.truncate(record, 200)
    engine_server.start()
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
    # Nor does the start after that clear it away.
    engine_server.crash()
    (kept,) = (engine_server.root / "lost").glob(f"*/containers/{container}/upper/mine")
    assert kept.read_text() == "mine\n"
    assert f"{container} has no record that can be read" in engine_server.log.read_text()
