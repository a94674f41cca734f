"""Docker's own clients against an engine that is none."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import socket
import struct
import subprocess
import tarfile
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from drayman.api.options import PathStat
from drayman.errors import NotFound
from drayman.model.event import Event
from tests.api.client import PATIENCE_S
from tests.api.conftest import Running
from tests.api.fake import CONTAINER_ID, Fake, Payload, waiting
from tests.images import tar

GO_DIRECTORY = 1 << 31


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


class Streams:
    """The other side of hijacked connections: says something, then repeats what it hears."""

    def __init__(self, engine: Fake, *output: bytes, echo: bool = False) -> None:
        self._engine = engine
        self._output = output
        self._echo = echo
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        assert self._engine.hijacked.acquire(timeout=PATIENCE_S)
        with socket.socket(fileno=self._engine.sessions[-1].fd) as given:
            given.setblocking(True)
            # docker-py loses what comes together with the head; the shim waits alike.
            while struct.unpack("i", fcntl.ioctl(given, termios.TIOCOUTQ, bytes(4)))[0]:
                time.sleep(0.001)
            for part in self._output:
                given.sendall(part)
            if self._echo:
                heard = self._engine.sessions[-1].early
                heard += b"".join(iter(lambda: given.recv(65536), b""))
                given.sendall(frame(1, heard))
            given.shutdown(socket.SHUT_WR)
            # A client must see the end by this alone.
            while given.recv(65536):
                pass


# ------------------------------------------------------------------ docker-py


@pytest.fixture
def py(running: Running) -> Iterator[docker.DockerClient]:
    """docker-py's client."""
    client = docker.DockerClient(base_url=f"unix://{running.path}")
    yield client
    client.close()


def test_py_looks_around(py: docker.DockerClient, engine: Fake) -> None:
    assert py.ping()
    assert py.version()["ApiVersion"] == "1.55"
    assert py.info()["ServerVersion"] == "29.0.0"
    assert [box.name for box in py.containers.list()] == ["box"]
    assert [volume.name for volume in py.volumes.list()] == ["data"]
    assert [network.name for network in py.networks.list()] == ["bridge"]
    engine.answers["container_inspect"] = NotFound("No such container: nope")
    with pytest.raises(docker.errors.NotFound, match="No such container: nope"):
        py.containers.get("nope")


def test_py_reads_logs_and_events(py: docker.DockerClient, engine: Fake) -> None:
    engine.answers["container_logs"] = lambda name, options: Payload(
        frame(1, b"out\n"), frame(2, b"err\n")
    )
    box = py.containers.get("box")
    assert box.logs() == b"out\nerr\n"
    assert list(box.logs(stream=True)) == [b"out\n", b"err\n"]
    assert next(py.events(decode=True))["Action"] == "start"
    assert box.stats(stream=False)["name"] == "/box"


def test_py_copies(py: docker.DockerClient, engine: Fake) -> None:
    packed = tar([("x", b"content", 0o644)])
    stat = PathStat(name="x", size_bytes=7, mode=0o644, mtime_ns=1)
    engine.answers["archive_get"] = lambda *_: (stat, Payload(packed))
    box = py.containers.get("box")
    parts, told = box.get_archive("/x")
    assert b"".join(parts) == packed
    assert told["size"] == 7
    assert box.put_archive("/", packed)
    assert engine.uploads == [packed]


def test_py_executes(py: docker.DockerClient, engine: Fake) -> None:
    streams = Streams(engine, frame(1, b"out"), frame(2, b"err"))
    found = py.containers.get("box").exec_run(["true"], demux=True)
    assert (found.exit_code, found.output) == (0, (b"out", b"err"))
    streams.join()


# ------------------------------------------------------------------ the command line


class CommandLine:
    """The docker command."""

    def __init__(self, path: str, home: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DOCKER_HOST": f"unix://{path}",
        }

    def __call__(self, *arguments: str, **named: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["docker", *arguments],
            env=self._environment,
            capture_output=True,
            timeout=3 * PATIENCE_S,
            check=False,
            **named,
        )


@pytest.fixture
def cli(running: Running, tmp_path: Path) -> CommandLine:
    """The docker command, pointed at the server."""
    return CommandLine(running.path, tmp_path)


def test_cli_looks_around(cli: CommandLine) -> None:
    assert cli("version", "--format", "{{.Server.Version}}").stdout == b"29.0.0\n"
    assert cli("ps", "--format", "{{.Names}} {{.Image}}").stdout == b"box busybox\n"
    assert cli("inspect", "-f", "{{.Name}}", "box").stdout == b"/box\n"
    assert cli("volume", "ls", "-q").stdout == b"data\n"
    assert cli("network", "ls", "--format", "{{.Name}}").stdout == b"bridge\n"
    assert cli("plugin", "ls", "-q").returncode == 0
    swarm = cli("node", "ls")
    assert (swarm.returncode, b"not a swarm manager" in swarm.stderr) == (1, True)


def test_cli_reads_logs(cli: CommandLine, engine: Fake) -> None:
    engine.answers["container_logs"] = lambda name, options: Payload(
        frame(1, b"out\n"), frame(2, b"err\n")
    )
    found = cli("logs", "--tail", "5", "box")
    assert (found.returncode, found.stdout, found.stderr) == (0, b"out\n", b"err\n")


def test_cli_copies_both_ways(cli: CommandLine, engine: Fake, tmp_path: Path) -> None:
    content = b"0123456789abcdef" * 65536
    packed = tar([("x", content, 0o644)])
    stat = PathStat(name="x", size_bytes=len(content), mode=0o644, mtime_ns=1)
    engine.answers["archive_get"] = lambda *_: (stat, Payload(packed))
    assert cli("cp", "box:/x", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out").read_bytes() == content
    assert cli("cp", "box:/x", "-").stdout == packed
    engine.answers["archive_stat"] = PathStat(
        name="tmp", size_bytes=0, mode=GO_DIRECTORY | 0o755, mtime_ns=1
    )
    assert cli("cp", str(tmp_path / "out"), "box:/tmp/").returncode == 0
    with tarfile.open(fileobj=io.BytesIO(engine.uploads[0])) as archive:
        (entry,) = archive.getmembers()
        file = archive.extractfile(entry)
        assert file
        assert (entry.name, file.read()) == ("out", content)
    engine.answers["archive_check"] = NotFound("Could not find the file /no in container box")
    failed = cli("cp", str(tmp_path / "out"), "box:/no/")
    assert (failed.returncode, b"Could not find the file /no" in failed.stderr) == (1, True), failed


def test_cli_executes(cli: CommandLine, engine: Fake) -> None:
    engine.answers["container_inspect"] = lambda name, size: {
        "Id": CONTAINER_ID,
        "State": {"Running": True},
        "Config": {},
    }
    engine.answers["exec_inspect"] = {"ID": "e", "Running": False, "ExitCode": 3, "Pid": 0}
    streams = Streams(engine, frame(2, b"err\n"), echo=True)
    stdin = b"x" * 1_000_000
    found = cli("exec", "-i", "box", "cat", input=stdin)
    assert (found.returncode, found.stderr) == (3, b"err\n")
    assert found.stdout == stdin
    streams.join()


def test_cli_runs(cli: CommandLine, engine: Fake) -> None:
    started = threading.Event()

    async def outcome() -> tuple[int, str]:
        await asyncio.to_thread(started.wait, PATIENCE_S)
        return 7, ""

    engine.answers["container_wait"] = waiting(outcome)
    engine.answers["container_start"] = lambda name: started.set()
    streams = Streams(engine, frame(1, b"hello\n"))
    found = cli("run", "--rm", "busybox", "true")
    assert (found.returncode, found.stdout) == (7, b"hello\n")
    streams.join()
    order = [asked for asked, _, _ in engine.asked]
    assert order.index("container_wait") < order.index("container_start")
    assert engine.asks("container_wait")[0][0][1] == "removed"


def test_cli_hears_of_missing_images(cli: CommandLine, engine: Fake) -> None:
    engine.answers["container_create"] = NotFound("No such image: busybox:latest")
    found = cli("run", "busybox")
    assert found.returncode == 125
    assert b"pulling an image is not available" in found.stderr


def test_cli_listens(cli: CommandLine, engine: Fake) -> None:
    engine.answers["events"] = [
        Event(type="container", action="die", actor_id=CONTAINER_ID, time_ns=10**18)
    ]
    assert cli("events", "--format", "{{.Action}}").stdout == b"die\n"
