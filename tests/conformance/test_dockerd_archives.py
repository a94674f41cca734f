"""The archives of Debian's dockerd and ours, of one tree, byte for byte."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import images
from tests.api.client import Client
from tests.engine.engines import EngineServer
from tests.engine.trees import CAPABILITY, Node, plant

START_LIMIT_S = 30.0
POLL_S = 0.05
PATHS = ["/srv/t", "/srv/t/", "/srv/t/.", "/srv/t/d/file", "/srv/t/soft", "/srv/t/soft/", "/srv"]


def node(name: str, kind: str = "file", **named: object) -> Node:
    """A file below the top, of a usual kind but for what is said."""
    usual: dict[str, object] = {
        "parent": 0, "content": [], "target": "d", "device": (1, 3), "mode": 0o644,
        "owner": (0, 0), "mtime_ns": 1_700_000_000_123_456_789, "xattrs": {},
    }  # fmt: skip
    return Node(name=name, kind=kind, **{**usual, **named})  # type: ignore[arg-type]


TREE = [
    node("d", "dir", mode=0o1777),
    node("file", parent=1, content=[(0, b"content" * 999)]),
    node("hard", "link", parent=0),
    node("soft", "soft"),
    node("far", "soft", target="/" + "t/" * 120),
    node("fifo", "fifo", mode=0o600),
    node("char", "char", device=(10, 229), mode=0o666),
    node("wide", "char", device=(4095, (1 << 20) - 1)),
    node("empty"),
    node("su", mode=0o4755, owner=(0, 7)),
    node("cap", mode=0o755, xattrs={"user.a": b"x"}),
    node("owned", owner=(1000, 65534)),
    node("big owner", owner=(3_000_000, 1 << 22)),
    node("n" * 100),
    node("m" * 101),
    node("ä"),
    node("a\nb"),
    node("holes", content=[(8 << 20, b"end")]),
    node("old", mtime_ns=-1_500_000_000),
    # More seconds than a header holds; to Docker, time ends in 2262.
    node("late", mtime_ns=9_000_000_000 * 10**9),
    node("D" * 120, "dir"),
    node("E" * 120, "dir", parent=2),
    node("F" * 120, parent=3),
]


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Path]:
    """The socket of a dockerd with busybox in it, on places of its own."""
    place = Path(tempfile.mkdtemp(prefix="dmd-"))
    socket = place / "d.sock"
    command = [
        "dockerd", "-H", f"unix://{socket}", "--data-root", str(place / "data"),
        "--exec-root", str(place / "exec"), "--pidfile", str(place / "pid"),
        "--storage-driver", "overlay2", "--bridge=none", "--iptables=false", "--ip-forward=false",
    ]  # fmt: skip
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        limit = time.monotonic() + START_LIMIT_S
        while docker(socket, "version", code=None).returncode != 0:
            told = (place / "log").read_text()[-2000:]
            assert process.poll() is None, told
            assert time.monotonic() < limit, told
            time.sleep(POLL_S)
        docker(socket, "import", "-", "busybox", stdin=images.busybox_layer())
        yield socket
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_LIMIT_S)
        shutil.rmtree(place)


def docker(
    socket: Path, *arguments: str, stdin: bytes | None = None, code: int | None = 0
) -> subprocess.CompletedProcess[bytes]:
    command = ["docker", "-H", f"unix://{socket}", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert code is None or done.returncode == code, done
    return done


@pytest.fixture(scope="module")
def tree() -> Iterator[bytes]:
    """A tar, by GNU tar, of a tree that has everything."""
    top = Path(tempfile.mkdtemp(prefix="dmt-"))
    try:
        (top / "srv/t").mkdir(parents=True)
        plant(top / "srv/t", TREE)
        assert os.getxattr(top / "srv/t/cap", "security.capability") == CAPABILITY
        options = ("--format=pax", "--xattrs", "--xattrs-include=security.*", "--sort=name")
        command = ["tar", "-C", str(top), *options, "-cf", "-", "srv"]
        yield subprocess.run(command, check=True, capture_output=True).stdout
    finally:
        shutil.rmtree(top)


def as_newer(tar: bytes) -> bytes:
    """A tar of dockerd 20.10's as newer ones write it: then, modes had the file's type, as st_mode
    has, and headers the names of the host's users."""
    blocks = bytearray(tar)
    at = 0
    while any(header := blocks[at : at + 512]):
        header[100:107] = b"%07o" % (int(header[100:107], 8) & 0o7777)
        header[265:329] = bytes(64)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        blocks[at : at + 512] = header
        stored = 0 if header[156:157] in b"123456" else int(header[124:135], 8)
        at += 512 + stored + -stored % 512
    return bytes(blocks)


def test_archives_are_the_same(engine_server: EngineServer, dockerd: Path, tree: bytes) -> None:
    socket = engine_server.socket_path
    engine_server.create("true", name="box")
    docker(dockerd, "create", "--name", "box", "busybox", "true")
    for one in (socket, dockerd):
        with Client(str(one)) as client:
            put = client.ask("PUT", "/containers/box/archive?path=/", body=tree)
            assert put.status == 200, put
    for path in PATHS:
        with Client(str(socket)) as ours, Client(str(dockerd)) as theirs:
            answers = [
                client.ask("GET", f"/containers/box/archive?path={path}")
                for client in (ours, theirs)
            ]
        assert [answer.status for answer in answers] == [200, 200], path
        assert answers[0].body == as_newer(answers[1].body), path
