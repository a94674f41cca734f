"""``drayman diff``: as docker diff, and with what it does not tell."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.engine.copying import drayman, shell
from tests.engine.engines import EngineServer


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container with one change of each kind."""
    container = engine_server.running(name="box")
    shell(
        engine_server, container, "head -c 1234567 /dev/zero >/new; rm /etc/passwd; chmod 711 /etc"
    )
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def test_the_same_lines_as_dockers(engine_server: EngineServer) -> None:
    theirs = engine_server.docker("diff", "box").stdout
    assert b"A /new\n" in theirs
    assert drayman(engine_server, "diff", "box").stdout == theirs


def test_sizes_and_types(engine_server: EngineServer) -> None:
    lines = drayman(engine_server, "diff", "--size", "box").stdout.decode().splitlines()
    assert "A file       1.235MB /new" in lines
    assert "C directory        - /etc" in lines
    assert "D -                - /etc/passwd" in lines


def test_json_is_what_the_engine_says(engine_server: EngineServer) -> None:
    told = json.loads(drayman(engine_server, "diff", "--json", "-s", "box").stdout)
    assert {"Path": "/new", "Kind": 1, "Type": "file", "Size": 1234567} in told
    untouched = engine_server.create()
    assert drayman(engine_server, "diff", untouched).stdout == b""
    assert json.loads(drayman(engine_server, "diff", "--json", untouched).stdout) == []
    engine_server.api("DELETE", f"/containers/{untouched}")


@pytest.mark.parametrize("soon", ["0s", "{now}", "{date}"])
def test_since(engine_server: EngineServer, soon: str) -> None:
    now = time.time() + 1000
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    since = soon.format(now=now, date=date)
    told = drayman(engine_server, "diff", "--since", "1h", "box").stdout
    assert b"A /new\n" in told
    if soon != "0s":
        assert drayman(engine_server, "diff", "--since", since, "box").stdout == b""


def test_images(engine_server: EngineServer) -> None:
    assert drayman(engine_server, "diff", "busybox", "busybox:latest").stdout == b""
    done = drayman(engine_server, "diff", "busybox", "nothing", code=1)
    assert b"No such image: nothing" in done.stderr


def test_mistakes(engine_server: EngineServer) -> None:
    done = drayman(engine_server, "diff", "nobody", code=1)
    assert done.stderr == b"drayman: the engine says: No such container: nobody\n"
    done = drayman(engine_server, "diff", "--since", "yore", "box", code=1)
    assert b"--since yore: write a duration" in done.stderr


def test_names_do_not_talk_to_the_terminal(engine_server: EngineServer) -> None:
    shell(engine_server, "box", "touch \"$(printf '/evil\\033[2J')\"")
    assert b"/evil\x1b[2J\n" in drayman(engine_server, "diff", "box").stdout
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "drayman", "diff", "-H", engine_server.url, "box"]
    subprocess.run(command, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    assert rb"/evil\x1b[2J" in shown
    assert b"\x1b" not in shown
