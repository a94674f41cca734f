"""``drayman cp`` into containers, from this host and from another one: as docker cp."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.copying import (
    COPIES,
    PLACES,
    TARGETS,
    TREE,
    drayman,
    drayman_here,
    make,
    shell,
    stumbles,
)
from tests.engine.engines import EngineServer

WHOSE = ("docker", "ours", "between")
# Names, types, modes, owners and contents, of each numbered place.
LIST = """cd /t/{} && find . | sort | while read -r one; do
  stat -c '%n %F %a %u:%g %N' "$one"; if [ -f "$one" ]; then cat "$one"; fi; done"""


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that runs, with the same files as this host's."""
    container = engine_server.running(name="box")
    shell(engine_server, container, f"mkdir -p /srv /t; cd /srv; {TREE}")
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


@pytest.fixture
def places(engine_server: EngineServer) -> Iterator[None]:
    """Where copies go, in a set for each of those who copy."""
    script = "".join(
        f"(mkdir -p /t/{whose}/{number}; cd /t/{whose}/{number}; {PLACES});"
        for whose in WHOSE
        for number in range(len(TARGETS))
    )
    shell(engine_server, "box", script)
    yield
    shell(engine_server, "box", "rm -r /t/*")


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("what", COPIES, ids=" ".join)
def test_as_docker_does_it(
    engine_server: EngineServer, tmp_path: Path, what: tuple[str, ...]
) -> None:
    """From this host, and from a container that has the same."""
    host = make(TREE, tmp_path / "host")
    source, *follow = what
    for number, target in enumerate(TARGETS):
        if stumbles(source, target):
            continue
        docker, ours, between = (f"box:/t/{one}/{number}/{target}" for one in WHOSE)
        done = engine_server.docker("cp", *follow, f"{host}/{source}", docker, code=None)
        said = (
            drayman_here(engine_server, "cp", *follow, f"{host}/{source}", ours),
            drayman_here(engine_server, "cp", *follow, f"box:/srv/{source}", between),
        )
        failed = done.returncode == 1
        assert [bool(one) for one in said] == [failed, failed], (target, done, said)
    listed = {shell(engine_server, "box", LIST.format(one)) for one in WHOSE}
    assert len(listed) == 1, listed


def test_a_tar_on_standard_input(engine_server: EngineServer) -> None:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as written:
        entry = tarfile.TarInfo("in/x")
        entry.size = 3_000_000
        written.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    drayman(engine_server, "cp", "-", "box:/tmp", stdin=tar.getvalue())
    assert shell(engine_server, "box", "stat -c %s /tmp/in/x") == "3000000\n"
    done = drayman(engine_server, "cp", "-", "box:/etc/passwd", stdin=tar.getvalue(), code=1)
    assert b'destination "box:/etc/passwd" must be a directory' in done.stderr
    done = drayman(engine_server, "cp", "-", "box:/tmp", stdin=b"no tar" * 1000, code=1)
    assert b"the engine says: archive/tar: invalid tar header" in done.stderr


def test_options(engine_server: EngineServer, tmp_path: Path) -> None:
    host = make(TREE, tmp_path / "host")
    (host / "p/large").write_bytes(b"x" * (1 << 20))
    user = engine_server.running(name="user", User="7:8")
    drayman(engine_server, "cp", "-a", "--zstd", "--exclude", "twin", f"{host}/p", "user:/tmp")
    told = shell(engine_server, user, "cd /tmp/p && stat -c '%n %u:%g %s' *")
    assert told.split("\n")[:2] == ["large 7:8 1048576", "small 7:8 4"]
    assert "twin" not in told
    done = drayman(engine_server, "cp", "--zstd", "box:/srv/p", "user:/tmp", code=1)
    assert b"leave --verify and --zstd out" in done.stderr
    drayman(engine_server, "cp", "--include", "sub", "user:/tmp/p", "box:/tmp/chosen")
    assert shell(engine_server, "box", "ls /tmp/chosen") == "sub\n"
    engine_server.api("DELETE", f"/containers/{user}?force=1")


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory that all may look into, and all above it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


def test_what_cannot_be_read_is_told(engine_server: EngineServer, readable: Path) -> None:
    """As nobody, who may not read one of the files; on a socket that all may use."""
    host = make("echo >a; echo >b; chmod 0 b", readable / "host")
    engine_server.socket_path.chmod(0o666)
    engine_server.place.chmod(0o755)
    # Everything is read in before: the interpreter's own files may be root's alone.
    script = (
        "import difflib, os, sys; from drayman.__main__ import main; import drayman.commands.cp;"
        "os.setgid(65534); os.setuid(65534); sys.argv[0] = 'drayman'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "cp", "-H", engine_server.url, f"{host}/.", "box:/tmp/n"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, '1 files were left out: "./b": permission denied' in done.stderr) == (
        1,
        True,
    ), done
    assert shell(engine_server, "box", "ls /tmp/n") == "a\n"
