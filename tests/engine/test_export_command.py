"""``drayman export``: whole files or none, and those that go on where they broke off."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from tests.engine.between import Breaking
from tests.engine.copying import drayman, shell
from tests.engine.engines import EngineServer, until


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with 64 MB of its own."""
    container = engine_server.running(name="box")
    shell(engine_server, container, "head -c 64000000 /dev/urandom >/large; truncate -s 9M /holed")
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def test_the_same_bytes_as_dockers(engine_server: EngineServer, tmp_path: Path) -> None:
    theirs = engine_server.docker("export", "box").stdout
    assert drayman(engine_server, "export", "--verify", "box").stdout == theirs
    file = tmp_path / "box.tar"
    file.write_text("old")
    drayman(engine_server, "export", "-o", "box.tar", "--verify", "box", cwd=tmp_path)
    assert file.read_bytes() == theirs
    drayman(engine_server, "export", "-o", "/dev/null", "box")
    assert [one.name for one in tmp_path.iterdir()] == ["box.tar"]


def test_options(engine_server: EngineServer, tmp_path: Path) -> None:
    wishes = ("--zstd", "--sparse", "--verify", "--exclude", "large", "--exclude=bin/**")
    packed = drayman(engine_server, "export", *wishes, "box").stdout
    tar = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert len(tar) < 1_000_000
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        names = opened.getnames()
    assert ("holed" in names, "large" in names) == (True, False)


def test_mistakes(engine_server: EngineServer, tmp_path: Path) -> None:
    for arguments, words in (
        (("nobody",), "No such container: nobody"),
        (("-o", "x", "nobody"), "No such container: nobody"),
        (("-o", "no/x", "box"), "no: No such file or directory"),
        (("--resume", "box"), "--resume needs -o FILE"),
        (("--resume", "--zstd", "-o", "x", "box"), "leave --zstd or --resume out"),
    ):
        done = drayman(engine_server, "export", *arguments, cwd=tmp_path, code=1)
        assert words in done.stderr.decode(), done
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resumes", [False, True])
def test_an_interruption_leaves_no_half_file(
    engine_server: EngineServer, tmp_path: Path, resumes: bool
) -> None:
    with Breaking(tmp_path / "b.sock", engine_server.socket_path) as breaking:
        breaking.cut_bytes, breaking.stalls = 30_000_000, True
        command = subprocess.Popen(
            [sys.executable, "-m", "drayman", "export", "-H", breaking.url, "-o", "x", "box"]
            + ["--resume"] * resumes,
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: sum(one.stat().st_size for one in tmp_path.iterdir()) > 29_000_000)
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 1
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left == (["x.part", "x.part.etag"] if resumes else [])


@pytest.mark.parametrize("cut_bytes", [1_000_000, 30_000_000])
def test_it_goes_on_where_it_broke_off(
    engine_server: EngineServer, tmp_path: Path, cut_bytes: int
) -> None:
    whole = engine_server.docker("export", "box").stdout
    part = tmp_path / "x.part"
    with Breaking(tmp_path / "b.sock", engine_server.socket_path) as breaking:
        command = ("export", "-H", breaking.url, "-o", "x", "--resume", "--verify", "box")
        breaking.cut_bytes = cut_bytes
        done = drayman(engine_server, *command, cwd=tmp_path, code=1)
        assert b"unexpected EOF" in done.stderr
        had = part.stat().st_size
        assert 0 < had < cut_bytes
        breaking.cut_bytes = None
        drayman(engine_server, *command, cwd=tmp_path)
    assert f"Range: bytes={had}-\r\n" in breaking.heads[-1]
    assert (tmp_path / "x").read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_it_begins_anew_when_files_changed(engine_server: EngineServer, tmp_path: Path) -> None:
    part, tag = tmp_path / "x.part", tmp_path / "x.part.etag"
    part.write_bytes(b"old" * 1000)
    tag.write_text('"another"')
    drayman(engine_server, "export", "-o", "x", "--resume", "--verify", "box", cwd=tmp_path)
    assert (tmp_path / "x").read_bytes() == engine_server.docker("export", "box").stdout
    assert not part.exists()
    assert not tag.exists()
