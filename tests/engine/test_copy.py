"""Files in and out: cp, export."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.api.client import Client
from tests.engine.engines import EngineServer


def contents(archive: bytes) -> dict[str, bytes]:
    """The entries of a tar, with what is in its files."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            entry.name: file.read() if entry.isfile() and (file := tar.extractfile(entry)) else b""
            for entry in tar
        }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/file").write_text("data\n")
    (tmp_path / "tree/link").symlink_to("file")
    (tmp_path / "tree/sub").chmod(0o751)
    return tmp_path / "tree"


@pytest.mark.parametrize("run", [True, False], ids=["running", "created"])
def test_a_tree_comes_back_as_it_went(
    engine_server: EngineServer, tree: Path, tmp_path: Path, run: bool
) -> None:
    make = engine_server.running if run else engine_server.create
    container = make("sleep", "1000", HostConfig={"Binds": ["vol:/volume"]})
    for place in ("/root", "/volume"):
        engine_server.docker("cp", str(tree), f"{container}:{place}")
        back = tmp_path / f"back{place.replace('/', '-')}"
        engine_server.docker("cp", f"{container}:{place}/tree", str(back))
        subprocess.run(["diff", "-r", "--no-dereference", str(tree), str(back)], check=True)
        assert (back / "sub").stat().st_mode & 0o777 == 0o751


def test_a_start_sees_what_was_copied_before(engine_server: EngineServer, tree: Path) -> None:
    container = engine_server.create("cat", "/in/file")
    engine_server.docker("cp", str(tree), f"{container}:/in")
    assert engine_server.docker("start", "-a", container).stdout == b"data\n"


def test_a_running_tmpfs_is_seen(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"Tmpfs": {"/mem": ""}})
    engine_server.docker("exec", container, "sh", "-c", "echo x >/mem/file")
    done = engine_server.docker("cp", f"{container}:/mem/file", "-")
    assert contents(done.stdout) == {"file": b"x\n"}


@pytest.mark.parametrize(
    ("host_config", "path", "status", "text"),
    [
        ({}, "/nosuch", 404, "Could not find the file /nosuch in container"),
        ({}, "/etc/passwd", 400, "extraction point is not a directory"),
        ({"ReadonlyRootfs": True}, "/root", 400, "container rootfs is marked read-only"),
        ({"Binds": ["vol:/v:ro"]}, "/v", 400, "mounted volume is marked read-only"),
    ],
)
@pytest.mark.parametrize("run", [True, False], ids=["running", "created"])
def test_where_nothing_can_be_put(
    engine_server: EngineServer,
    run: bool,
    host_config: dict[str, object],
    path: str,
    status: int,
    text: str,
) -> None:
    make = engine_server.running if run else engine_server.create
    container = make("sleep", "1000", HostConfig=host_config)
    answered, answer = engine_server.api("PUT", f"/containers/{container}/archive?path={path}")
    assert answered == status
    assert text in answer["message"]


def test_a_writable_volume_in_a_read_only_root(engine_server: EngineServer, tree: Path) -> None:
    container = engine_server.running(HostConfig={"ReadonlyRootfs": True, "Binds": ["vol2:/v"]})
    engine_server.docker("cp", str(tree), f"{container}:/v")
    assert engine_server.docker("exec", container, "cat", "/v/tree/file").stdout == b"data\n"


def test_export_shows_changes_and_no_mounts(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"Binds": ["vol3:/etc/v"]})
    engine_server.docker(
        "exec", container, "sh", "-c", "echo x >/new; rm /bin/yes; echo y >/etc/v/z"
    )
    names = contents(engine_server.docker("export", container).stdout)
    assert "new" in names
    assert "bin/yes" not in names
    assert "etc/v/z" not in names


def test_events_of_a_copy(engine_server: EngineServer, tree: Path) -> None:
    container = engine_server.create("true", HostConfig={"Binds": ["vol4:/v"]})
    engine_server.docker("cp", str(tree), f"{container}:/v")
    engine_server.docker("cp", f"{container}:/v/tree", "-")
    actions = engine_server.actions(container)
    assert actions == ["create", "extract-to-dir", "archive-path"]


@pytest.mark.parametrize(
    ("coding", "decode"),
    [("gzip", gzip.decompress), ("deflate", lambda body: zlib.decompress(body, wbits=-15))],
)
def test_a_tar_is_compressed_for_who_asks(
    engine_server: EngineServer, coding: str, decode: Callable[[bytes], bytes]
) -> None:
    engine_server.create("true", name=f"to-{coding}")
    with Client(str(engine_server.socket_path)) as client:
        path = f"/containers/to-{coding}/archive?path=/bin"
        plain = client.ask("GET", path)
        asked = client.ask("GET", path, headers={"Accept-Encoding": coding})
        assert "content-encoding" not in plain.headers
        assert asked.headers["content-encoding"] == coding
        assert asked.headers["content-type"] == "application/x-tar"
        assert len(asked.body) < len(plain.body)
        assert decode(asked.body) == plain.body
        # Nobody compresses an export.
        path = f"/containers/to-{coding}/export"
        export = client.ask("GET", path, headers={"Accept-Encoding": coding})
        assert "content-encoding" not in export.headers
