"""``drayman logs``: as docker logs, and on from where the last one ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.engine.copying import drayman
from tests.engine.engines import EngineServer

SCRIPT = "echo one; echo wrong >&2; head -c 20000 /dev/zero | tr '\\0' x; echo; printf last"


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> str:
    """A container that has said something, and ended."""
    log = {"Type": "json-file", "Config": {"labels": "a"}}
    container = engine_server.running(
        "sh", "-c", SCRIPT, name="box", Labels={"a": "b c"}, HostConfig={"LogConfig": log}
    )
    engine_server.api("POST", f"/containers/{container}/wait")
    return container


@pytest.mark.parametrize(
    "options", [(), ("-t",), ("--details",), ("-t", "--details"), ("--tail", "2"), ("-f",)]
)
def test_as_docker(engine_server: EngineServer, options: tuple[str, ...]) -> None:
    theirs = engine_server.docker("logs", *options, "box")
    for own in ((), ("--cursor=",)):
        ours = drayman(engine_server, "logs", *options, *own, "box")
        errors = re.sub(rb"-- cursor: [-0-9a-f]+\n$", b"", ours.stderr)
        assert (ours.stdout, errors) == (theirs.stdout, theirs.stderr)
        assert (errors != ours.stderr) == bool(own)


def test_a_terminals(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "echo one; echo two >&2", Tty=True)
    engine_server.api("POST", f"/containers/{container}/wait")
    assert drayman(engine_server, "logs", container).stdout == b"one\r\ntwo\r\n"


def test_what_is_chosen(engine_server: EngineServer) -> None:
    for options, expected in (
        (("--whole", "--regex", "^x+$"), b"x" * 20000 + b"\n"),
        (("--grep", "last"), b"last"),
        (("--limit", "1"), b"one\n"),
        (("--since", "1h", "--until", "1m"), b""),
    ):
        assert drayman(engine_server, "logs", *options, "box").stdout == expected


def test_json(engine_server: EngineServer) -> None:
    told = drayman(engine_server, "logs", "--json", "--details", "box").stdout.splitlines()
    first = json.loads(told[0])
    assert (first["Line"], first["Attrs"]) == ("one\n", [{"Key": "a", "Value": "b c"}])


def test_what_is_new_since_the_last_time(engine_server: EngineServer, tmp_path: Path) -> None:
    engine_server.running("sh", "-c", "seq 5; read x; seq 6 9", name="new", OpenStdin=True)
    wish = ("logs", "--cursor-file", "place", "--limit", "2", "new")
    pages = [drayman(engine_server, *wish, cwd=tmp_path).stdout for _ in range(2)]
    assert pages == [b"1\n2\n", b"3\n4\n"]
    follower = subprocess.Popen(
        [sys.executable, "-m", "drayman", "logs", "-f", "--cursor-file", "place", "new"],
        env={**os.environ, "DOCKER_HOST": engine_server.url},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"5\n"
    # Where it was interrupted is where it goes on.
    follower.send_signal(signal.SIGINT)
    assert follower.communicate() == (b"", b"\nAborted!\n")
    stdin, _ = engine_server.hijack("/containers/new/attach?stdin=1&stream=1")
    stdin.sendall(b"x\n")
    engine_server.api("POST", "/containers/new/wait")
    stdin.close()
    done = drayman(engine_server, "logs", "--cursor-file", "place", "new", cwd=tmp_path)
    assert done.stdout == b"6\n7\n8\n9\n"
    assert [one.name for one in tmp_path.iterdir()] == ["place"]


def test_a_position_without_a_record(engine_server: EngineServer, tmp_path: Path) -> None:
    wish = ("logs", "--cursor-file", "place", "--tail", "0", "box")
    assert drayman(engine_server, *wish, cwd=tmp_path).stdout == b""
    assert (tmp_path / "place").read_text().startswith("1-")


def test_mistakes(engine_server: EngineServer, tmp_path: Path) -> None:
    (tmp_path / "place").write_text("nonsense")
    for options, words in (
        (("nobody",), "No such container: nobody"),
        (("--cursor-file", "place", "box"), 'invalid cursor "nonsense"'),
        (("--cursor-file", "no/place", "box"), "no/place: No such file or directory"),
        (("--cursor", "", "--cursor-file", "place", "box"), "leave one of them out"),
        (("--regex", "(", "box"), "invalid grep-regex"),
        (("--until", "tomorrow", "box"), "--until tomorrow: write a duration"),
    ):
        done = drayman(engine_server, "logs", *options, cwd=tmp_path, code=1)
        assert words in done.stderr.decode(), done
    assert (tmp_path / "place").read_text() == "nonsense"
