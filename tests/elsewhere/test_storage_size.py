"""``--storage-opt size``, where the file system keeps quotas."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.elsewhere.machine import DISK_VARIABLE
from tests.engine.engines import EngineServer, until
from tests.engine.states import ready

from drayman.storage import quota

SIZE = 8 << 20
FILL = "head -c 30m /dev/zero >/big; echo ready; sleep 1000"


@pytest.fixture(scope="module", params=["xfs", "ext4"])
def limiting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineServer]:
    """An engine whose root is on a file system with quotas."""
    disk = Path(os.environ[DISK_VARIABLE])
    if request.param == "ext4":
        image = tmp_path_factory.mktemp("ext4") / "image"
        with image.open("wb") as file:
            file.truncate(100 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "project,quota", image], check=True)
        disk = image.with_name("mounted")
        disk.mkdir()
        subprocess.run(["mount", "-o", "loop,prjquota", image, disk], check=True)
    before, tempfile.tempdir = tempfile.tempdir, str(disk)
    try:
        server = EngineServer()
    finally:
        tempfile.tempdir = before
    try:
        server.load_busybox()
        yield server
    finally:
        server.close()


def limited(engine: EngineServer, script: str = FILL) -> str:
    """A container of this size that has said that it is ready."""
    return ready(engine, script, HostConfig={"StorageOpt": {"size": "8M"}})


def size_of(engine: EngineServer, container: str) -> int:
    printed = engine.docker("exec", container, "stat", "-c", "%s", "/big").stdout
    return int(printed)


def test_it_cannot_write_more(limiting: EngineServer) -> None:
    container = limited(limiting)
    # Directories and the file system's own blocks count.
    assert SIZE * 0.9 < size_of(limiting, container) <= SIZE
    failed = limiting.docker("exec", container, "sh", "-c", "echo $(seq 99999) >/f", code=None)
    assert failed.returncode != 0
    # Nor do others write there for it.
    copied = limiting.docker("cp", "/bin/busybox", f"{container}:/copied", code=None)
    assert copied.returncode != 0
    assert b"no space left" in copied.stderr.lower() or b"quota" in copied.stderr.lower()
    limiting.docker("rm", "-f", container)


def test_it_is_shown_its_size(limiting: EngineServer) -> None:
    container = limited(limiting, "echo ready; sleep 1000")
    printed = limiting.docker("exec", container, "df", "-k", "/").stdout.decode()
    assert int(printed.splitlines()[-1].split()[1]) == SIZE // 1024
    _, found = limiting.api("GET", f"/containers/{container}/json")
    assert found["HostConfig"]["StorageOpt"] == {"size": "8M"}
    limiting.docker("rm", "-f", container)


def test_each_has_its_own(limiting: EngineServer) -> None:
    first, second = limited(limiting), limited(limiting)
    for container in (first, second):
        assert size_of(limiting, container) > SIZE * 0.9
    limiting.docker("rm", "-f", first, second)


def test_it_holds_after_a_crash_and_another_start(limiting: EngineServer) -> None:
    container = limited(limiting, "echo ready; sleep 1000")
    limiting.crash()
    limiting.docker("restart", "-t", "0", container)
    limiting.docker("exec", container, "sh", "-c", "head -c 30m /dev/zero >/big", code=None)
    assert size_of(limiting, container) <= SIZE
    limiting.docker("rm", "-f", container)


def test_whoever_has_none_is_not_limited(limiting: EngineServer) -> None:
    container = limiting.running("sh", "-c", "head -c 12m /dev/zero >/big; sleep 1000")
    until(lambda: size_of(limiting, container) == 12 << 20)
    limiting.docker("rm", "-f", container)


def test_a_removal_leaves_no_limit(limiting: EngineServer) -> None:
    container = limited(limiting)
    project = quota.project_of(limiting.root / "containers" / container / "upper")
    assert quota.used_and_limit(limiting.root, project)[1] == SIZE
    limiting.docker("rm", "-f", container)
    until(lambda: quota.used_and_limit(limiting.root, project) == (0, 0))
