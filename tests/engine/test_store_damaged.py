"""An engine whose database was damaged comes back with everything, and nothing that runs stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.engine.engines import EngineServer
from tests.engine.states import container_in


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def write_over(path: Path) -> None:
    """The log would heal it."""
    lose_the_log(path)
    path.write_bytes(b"\xa5" * 40_000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lose_the_log(path: Path) -> None:
    """The newest transactions are nowhere else."""
    path.with_name("drayman.db-wal").unlink()


@pytest.mark.parametrize("damage", [cut, write_over, empty, Path.unlink, lose_the_log])
def test_everything_comes_back(engine_server: EngineServer, damage: Callable[[Path], None]) -> None:
    engine = engine_server
    engine.docker("volume", "create", "--label", "a=b", "kept")
    boxes = {
        status: container_in(engine, status)
        for status in ("created", "running", "paused", "exited")
    }
    writer = engine.running(name="writer", HostConfig={"Binds": ["kept:/v"]})
    engine.docker("exec", writer, "sh", "-c", "echo precious | tee /v/file >/file")
    engine.docker("rename", "writer", "author")
    policy = {"RestartPolicy": {"Name": "always"}}
    watched = engine.running(HostConfig=policy)
    before = {box: seen(engine, box) for box in (*boxes.values(), writer, watched)}
    images = engine.docker("images", "--no-trunc", "-q").stdout

    engine.kill()
    damage(engine.root / "drayman.db")
    engine.start()

    assert {box: seen(engine, box) for box in before} == before
    assert engine.docker("images", "--no-trunc", "-q").stdout == images
    assert engine.docker("exec", "author", "cat", "/v/file", "/file").stdout == b"precious\n" * 2
    labels = engine.docker("volume", "inspect", "-f", "{{.Labels}}", "kept").stdout
    assert labels == b"map[a:b]\n"
    # All of it goes on as if nothing had been.
    engine.docker("unpause", boxes["paused"])
    engine.docker("start", boxes["created"], boxes["exited"])
    engine.docker("run", "--rm", "busybox", "true")
    engine.docker("rm", "-f", *before)
    engine.docker("volume", "rm", "kept")
    engine.crash()
    listed = {one["Id"] for one in engine.api("GET", "/containers/json?all=1")[1]}
    assert not listed & before.keys()


def seen(engine: EngineServer, container: str) -> tuple[Any, ...]:
    """What must be as it was."""
    status, found = engine.api("GET", f"/containers/{container}/json")
    assert status == 200, found
    address = found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    return found["Name"], found["State"], found["Config"], found["HostConfig"], address


def test_what_happened_is_told(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    engine_server.kill()
    write_over(engine_server.root / "drayman.db")
    engine_server.start()
    engine_server.docker("rm", container)
    log = engine_server.log.read_text()
    assert f"the database {engine_server.root}/drayman.db is damaged (" in log
    assert f"it is kept as {engine_server.root}/drayman.db.corrupt-" in log
    assert "records found again of containers: " in log
    assert container in log


def test_files_of_a_container_that_cannot_be_had_back_are_kept(
    engine_server: EngineServer,
) -> None:
    container = engine_server.running("sh", "-c", "echo precious >/file; sleep 1000")
    engine_server.kill()
    write_over(engine_server.root / "drayman.db")
    (engine_server.root / "containers" / container / "record.json").write_text("{")
    engine_server.start()
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
    kept = engine_server.root / "lost" / container
    assert (kept / "upper/file").read_text() == "precious\n"
    assert f"what it wrote is kept in {kept}" in engine_server.log.read_text()
