"""Blobs, temporary places, volumes' directories: whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from drayman.errors import InvalidParameter, NotFound, System
from drayman.storage import platforms, temporary, volumes
from drayman.storage.content import Content, digest_of
from drayman.storage.paths import SOCKET_PATH_MAX_BYTES, Paths
from drayman.storage.platforms import Platform


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "root", tmp_path / "run")
    made.make()
    made.make()
    return made


def test_sockets_have_paths_that_fit() -> None:
    paths = Paths(Path("/var/lib/drayman"), Path("/run/drayman"))
    box = paths.container("f" * 64)
    assert len(str(box.socket)) <= SOCKET_PATH_MAX_BYTES
    assert str(box.log) == f"/var/lib/drayman/containers/{'f' * 64}/log/{'f' * 64}-json.log"
    assert str(box.exec_record("abc")) == f"/run/drayman/c/{'f' * 64}/exec/abc.exit"
    assert str(paths.volume_data("v")) == "/var/lib/drayman/volumes/v/_data"


def test_a_container_has_its_directories(paths: Paths) -> None:
    box = paths.container("a" * 64)
    box.make()
    box.make()
    for place in (box.upper, box.work, box.rootfs, box.logs, box.execs):
        assert place.is_dir()
    assert stat.S_IMODE(box.upper.stat().st_mode) == 0o755


def test_a_blob_is_what_its_digest_says(paths: Paths) -> None:
    content = Content(paths)
    digest = content.put(b"{}")
    assert content.put(b"{}") == digest == digest_of(b"{}")
    assert content.get(digest) == b"{}"
    (paths.blobs / digest[7:]).write_bytes(b"[]")
    with pytest.raises(System, match="damaged"):
        content.get(digest)
    other = content.put(b"other")
    content.collect({other})
    with pytest.raises(NotFound):
        content.get(digest)
    content.delete(other)
    content.delete(other)
    assert not list(paths.blobs.iterdir())


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../drayman.db", "md5:" + "a" * 64])
def test_a_digest_is_never_a_path(paths: Paths, digest: str) -> None:
    with pytest.raises(NotFound):
        Content(paths).get(digest)


def test_temporary_places_go_and_remains_are_cleared(paths: Paths) -> None:
    with temporary.directory(paths) as place:
        (place / "x").mkdir(mode=0)
    assert not place.exists()
    (paths.temporary / "old").mkdir()
    (paths.temporary / "old" / "link").symlink_to(paths.root)
    (paths.temporary / "file").touch()
    temporary.clear(paths)
    assert not list(paths.temporary.iterdir())
    assert paths.blobs.exists()


def test_volumes_come_and_go(paths: Paths) -> None:
    place = volumes.create(paths, "v")
    (place / "kept").write_bytes(b"12345")
    assert volumes.create(paths, "v") == place
    assert (place / "kept").exists()
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert volumes.size_bytes(paths, "v") == 5
    for _ in range(2):
        volumes.remove(paths, "v")
        assert volumes.size_bytes(paths, "v") == 0
    assert not os.listdir(paths.temporary)


def test_platforms() -> None:
    host = platforms.host()
    assert platforms.parse("") == host
    assert platforms.parse("linux") == Platform("linux", host.architecture)
    assert platforms.parse("arm64") == Platform("linux", "arm64")
    assert str(platforms.parse("linux/ARM/v7")) == "linux/arm/v7"
    assert platforms.parse("linux/x86_64").architecture == "amd64"
    assert Platform("linux", "arm64", "v8").rank(Platform("linux", "arm64")) == 2
    assert Platform("linux", "arm", "v6").rank(Platform("linux", "arm", "v7")) == 1
    assert Platform("windows", "amd64").rank(Platform("linux", "amd64")) == 0
    for bad in ("windows/amd64", "linux/", "a/b/c/d", "linux/a b", "linux/\n"):
        with pytest.raises(InvalidParameter):
            platforms.parse(bad)
