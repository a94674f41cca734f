"""``drayman cp`` out of a container: as docker cp, and what it does not know."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from tests.engine import copying
from tests.engine.between import Breaking, Lying
from tests.engine.copying import (
    COPIES,
    PLACES,
    TARGETS,
    TREE,
    drayman,
    drayman_here,
    listing,
    make,
    stumbles,
)
from tests.engine.engines import EngineServer, until


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with something of each kind in /srv."""
    container = engine_server.running(name="box")
    copying.shell(engine_server, container, f"mkdir /srv; cd /srv; {TREE}")
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


@pytest.mark.parametrize("what", COPIES, ids=" ".join)
def test_as_docker_does_it(
    engine_server: EngineServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: tuple[str, ...],
) -> None:
    source, *follow = what
    for number, target in enumerate(TARGETS):
        if stumbles(source, target):
            continue
        path = f"box:/srv/{source}"
        theirs = make(PLACES, tmp_path / f"docker{number}")
        ours = make(PLACES, tmp_path / f"drayman{number}")
        # Asked with an absolute path, for docker has no directory of its own here.
        end = target if target != "." else "./."
        done = engine_server.docker("cp", *follow, path, f"{theirs}/{end}", code=None)
        monkeypatch.chdir(ours)
        said = drayman_here(engine_server, "cp", *follow, path, target)
        assert (listing(ours), bool(said)) == (listing(theirs), done.returncode == 1), (
            *(target, done, said),
        )


def test_a_tar_on_standard_output(engine_server: EngineServer) -> None:
    theirs = engine_server.docker("cp", "box:/srv/p", "-").stdout
    assert drayman(engine_server, "cp", "box:/srv/p", "-").stdout == theirs
    told = drayman(engine_server, "cp", "--verify", "box:/srv/p", "-")
    assert (told.stdout, told.stderr) == (theirs, b"")
    packed = drayman(engine_server, "cp", "--zstd", "--verify", "box:/srv/p", "-").stdout
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == theirs
    chosen = drayman(engine_server, "cp", "--exclude", "sub", "--exclude=t*", "box:/srv/p", "-")
    with tarfile.open(fileobj=io.BytesIO(chosen.stdout)) as tar:
        assert tar.getnames() == ["p", "p/small", "p/way"]


def test_owners_are_the_callers_unless_they_are_kept(
    engine_server: EngineServer, tmp_path: Path
) -> None:
    copying.shell(engine_server, "box", "mkdir -p /own && echo >/own/f && chown 70:80 /own/f")
    drayman(engine_server, "cp", "box:/own", "plain", cwd=tmp_path)
    drayman(engine_server, "cp", "-a", "box:/own", "kept", cwd=tmp_path)
    owners = [(tmp_path / one / "f").stat() for one in ("plain", "kept")]
    assert [(one.st_uid, one.st_gid) for one in owners] == [
        *((os.geteuid(), os.getegid()), (70, 80))
    ]


def test_holes_stay_holes(engine_server: EngineServer, tmp_path: Path) -> None:
    copying.shell(engine_server, "box", "truncate -s 64M /holed && echo end >>/holed")
    drayman(engine_server, "cp", "--verify", "box:/holed", ".", cwd=tmp_path)
    found = (tmp_path / "holed").stat()
    assert (found.st_size, found.st_blocks < 100) == ((64 << 20) + 4, True)
    tar = drayman(engine_server, "cp", "--sparse", "box:/holed", "-").stdout
    assert len(tar) < 100_000


def test_nothing_leads_out_of_the_destination(engine_server: EngineServer, tmp_path: Path) -> None:
    """A container, or an engine, that answers with an archive of links to the host."""
    target = tmp_path / "target"
    target.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as written:
        for name, link in (("x/out", str(outside)), ("x/up", "../../outside")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            written.addfile(entry)
        for name in ("x/out/planted", "x/up/planted", "x/../../outside/planted"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            written.addfile(entry, io.BytesIO(b"evil"))
    with Lying(tmp_path / "evil.sock", tar.getvalue()) as lying:
        done = drayman(engine_server, "cp", "-H", lying.url, "c:/x", str(target), code=None)
    assert done.returncode == 1
    assert list(outside.iterdir()) == []
    assert (target / "x" / "out").is_symlink()


def test_an_interruption_leaves_no_half_file(engine_server: EngineServer, tmp_path: Path) -> None:
    copying.shell(engine_server, "box", "mkdir -p /two && cd /two && echo a >a")
    copying.shell(engine_server, "box", "head -c 9000000 /dev/urandom >/two/b")
    with Breaking(tmp_path / "b.sock", engine_server.socket_path) as breaking:
        breaking.cut_bytes, breaking.stalls = 5_000_000, True
        command = subprocess.Popen(
            [sys.executable, "-m", "drayman", "cp", "-H", breaking.url, "box:/two", "."],
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        half = tmp_path / "two" / "b"
        until(lambda: half.exists() and half.stat().st_size > 4_000_000)
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 1
    assert [one.name for one in (tmp_path / "two").iterdir()] == ["a"]


def test_what_arrives_otherwise_is_told(engine_server: EngineServer, tmp_path: Path) -> None:
    with Lying(tmp_path / "evil.sock", b"\0" * 1024, hashlib.sha256(b"x")) as lying:
        done = drayman(engine_server, "cp", "-H", lying.url, "--verify", "c:/x", ".", code=1)
    assert b"SHA-256 differs" in done.stderr
    with Lying(tmp_path / "old.sock", b"\0" * 1024) as lying:
        done = drayman(engine_server, "cp", "-H", lying.url, "--verify", "c:/x", ".", code=1)
    assert b"the engine told no digest" in done.stderr


def test_another_engine_is_not_asked_for_what_it_does_not_know(
    engine_server: EngineServer, tmp_path: Path
) -> None:
    with Lying(tmp_path / "old.sock", b"\0" * 1024) as lying:
        done = drayman(engine_server, "cp", "-H", lying.url, "c:/x", "d:/y", code=1)
    assert b"no engine but Drayman copies from container to container" in done.stderr


def test_errors_say_what_to_do(engine_server: EngineServer, tmp_path: Path) -> None:
    for arguments, words in (
        (("box:/no", "."), "Could not find the file /no in container box"),
        (("nobody:/x", "."), "No such container: nobody"),
        (("box:/srv/p", "no/where"), f'directory "{tmp_path}/no" does not exist'),
        (("a", "b"), "must specify at least one container"),
        (("", "b"), "source can not be empty"),
        (("a", ""), "destination can not be empty"),
        (("--verify", "a", "box:/"), "--verify is for what comes out"),
        (("-H", "unix:///no.sock", "box:/x", "."), "start one with `drayman serve`"),
        (("-H", "ssh://x", "box:/x", "."), "write unix:///path or tcp://name:port"),
    ):
        done = drayman(engine_server, "cp", *arguments, cwd=tmp_path, code=1)
        assert done.stderr.startswith(b"drayman: "), done
        assert words in done.stderr.decode(), (arguments, done)
    assert list(tmp_path.iterdir()) == []
