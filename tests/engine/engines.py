"""A real engine for tests: a root, a socket, a bridge and a cgroup of its own, and no leaks."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import docker
from tests import images

from drayman.network.bridge import BridgeDriver
from drayman.runtime.host import Host

CGROUP_PARENT = "drayman-test-engine"
TIMEOUT_S = 20.0
POLL_S = 0.01
OPEN_FILES = 1024


class EngineServer:
    """An engine in a process of its own, on a socket that stays when the engine is killed."""

    def __init__(self, **settings: str) -> None:
        self._settings = {f"DRAYMAN_{name.upper()}": text for name, text in settings.items()}
        # Unix sockets' paths are short.
        self.place = Path(tempfile.mkdtemp(prefix="dme-"))
        self.root, self.run = self.place / "root", self.place / "run"
        self.cgroup = f"/{CGROUP_PARENT}-{secrets.token_hex(3)}"
        self.bridge = f"dt{secrets.token_hex(4)}"
        self.log = self.place / "engine.log"
        self.socket_path = self.place / "d.sock"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket_path))
        self._listener.listen(128)
        self._subnet = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}.0/24"
        self._client: docker.DockerClient | None = None
        self.start()

    @property
    def url(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.socket_path}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment that tells an engine where everything is."""
        return {
            **os.environ,
            "DRAYMAN_ROOT": str(self.root),
            "DRAYMAN_RUN": str(self.run),
            "DRAYMAN_BRIDGE": self.bridge,
            "DRAYMAN_SUBNET": self._subnet,
            "DRAYMAN_CGROUP_PARENT": self.cgroup,
            **self._settings,
        }

    def start(self) -> None:
        """Start an engine; connections wait in the socket until it answers."""
        number = self._listener.fileno()
        # As few files as a service may open that asks for no more.
        script = (
            f"ulimit -Sn {OPEN_FILES}; exec 3<&{number};"
            ' LISTEN_PID=$$ exec "$0" -m drayman serve -H fd://'
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script, sys.executable],
                env={**self.settings, "LISTEN_FDS": "1"},
                pass_fds=[number],
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End the engine as nobody could prevent."""
        self.process.kill()
        self.process.wait()

    def crash(self) -> None:
        """Kill the engine and start another."""
        self.kill()
        self.start()
        self.api("GET", "/_ping")

    def stop(self) -> int:
        """End the engine in good order; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_S)

    def client(self) -> docker.DockerClient:
        """docker-py, connected."""
        if self._client is None:
            self._client = docker.DockerClient(base_url=self.url, timeout=TIMEOUT_S)
        return self._client

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request, its body JSON unless it is bytes; the status, and the document or text
        of the answer."""
        connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(TIMEOUT_S)
        connection.sock.connect(str(self.socket_path))
        try:
            raw = body is None or isinstance(body, bytes)
            headers = {} if raw else {"Content-Type": "application/json"}
            content = body if raw else json.dumps(body)
            connection.request(method, path, body=content, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode()

    def hijack(self, path: str, body: Any = None) -> tuple[socket.socket, bytes]:
        """POST and take the connection over; the answer's head. What follows is left on the
        connection, though it came with it."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(self.socket_path))
        document = b"" if body is None else json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n\r\n"
        )
        connection.sendall(head.encode() + document)
        told = b""
        while not told.endswith(b"\r\n\r\n"):
            seen = connection.recv(4096, socket.MSG_PEEK)
            assert seen, told
            before, found, _ = (told[-3:] + seen).partition(b"\r\n\r\n")
            whole = len(before) + len(found) - len(told[-3:])
            told += connection.recv(whole if found else len(seen))
        return connection, told

    def docker(
        self, *arguments: str, stdin: bytes | None = None, code: int | None = 0
    ) -> subprocess.CompletedProcess[bytes]:
        """The docker CLI; ``code`` None takes any exit code."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, "DOCKER_HOST": self.url},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=TIMEOUT_S * 2,
            check=False,
        )
        assert code is None or done.returncode == code, (arguments, done)
        return done

    def create(self, *command: str, name: str | None = None, **body: Any) -> str:
        """Create a container of busybox over the API; its id."""
        query = f"?name={name}" if name else ""
        document = {"Image": "busybox", "Cmd": list(command), **body}
        status, answer = self.api("POST", f"/containers/create{query}", document)
        assert status == 201, answer
        return str(answer["Id"])

    def running(self, *command: str, name: str | None = None, **body: Any) -> str:
        """Create and start one."""
        container = self.create(*(command or ("sleep", "1000")), name=name, **body)
        status, answer = self.api("POST", f"/containers/{container}/start")
        assert status == 204, answer
        return container

    def backing_off(self) -> str:
        """Create one that fails and is restarted, and wait until it rests long between two runs."""
        container = self.running("false", HostConfig={"RestartPolicy": {"Name": "always"}})

        def rests() -> bool:
            _, told = self.api("GET", f"/containers/{container}/json")
            # Each time twice as long, from a tenth of a second.
            return bool(told["RestartCount"] >= 4 and told["State"]["Status"] == "restarting")

        until(rests)
        return container

    def state(self, container: str) -> dict[str, Any]:
        """``State`` of its inspection."""
        status, answer = self.api("GET", f"/containers/{container}/json")
        assert status == 200, answer
        state: dict[str, Any] = answer["State"]
        return state

    def shim(self, container: str) -> int:
        """The pid of its shim."""
        parent = Path(f"/proc/{self.state(container)['Pid']}/stat").read_text()
        return int(parent.rsplit(")", 1)[1].split()[1])

    def events(self, **filters: list[str]) -> list[dict[str, Any]]:
        """What has happened so far, as far as the filters let it through."""
        query = urlencode(
            {"since": "0", "until": f"{time.time():.9f}", "filters": json.dumps(filters)}
        )
        _, answer = self.api("GET", f"/events?{query}")
        lines = json.dumps(answer) if isinstance(answer, dict) else answer
        return [json.loads(line) for line in lines.splitlines()]

    def actions(self, container: str) -> list[str]:
        """The events of a container, by their actions."""
        return [one["Action"] for one in self.events(container=[container])]

    def load_busybox(self) -> None:
        """Take the image in."""
        layers = images.busybox_layers(1)
        files = images.docker_archive_files(
            layers, ["busybox:latest"], images.configuration(layers)
        )
        self.docker("load", stdin=images.docker_archive(files))

    def close(self) -> None:
        """Remove every container, end the engine, and look at what is left of them."""
        try:
            ids = [one["Id"] for one in self.api("GET", "/containers/json?all=1")[1]]
            for container in ids:
                self.api("DELETE", f"/containers/{container}?force=1&v=1")
            if self._client is not None:
                self._client.close()
            until(lambda: not self.leaks(), lambda: f"left: {self.leaks()}")
            assert self.stop() == 0
        finally:
            self.kill()
            self._listener.close()
            BridgeDriver(self.bridge, self._subnet, self.run).remove()
            shutil.rmtree(self.place, ignore_errors=True)
        for directory in Host.detect().cgroup.directories(self.cgroup):
            if directory.exists():
                directory.rmdir()

    def leaks(self, known: Collection[str] = (), running: Collection[str] = ()) -> list[str]:
        """What there is of containers other than these, by their ids: of the ``known`` their
        directories, of those that are ``running`` everything."""
        place = str(self.place)
        mounts = [
            line.split()[4]
            for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if place in line
        ]
        groups = [
            str(child)
            for directory in Host.detect().cgroup.directories(self.cgroup)
            if directory.exists()
            for child in directory.iterdir()
            if child.is_dir()
        ]
        directories = {
            parent: [str(child) for child in (self.place / parent).iterdir()]
            for parent in ("root/containers", "root/tmp", "run/c", "run/netns")
        }
        homes = directories.pop("root/containers") + directories.pop("run/c")
        others = sum(directories.values(), mounts + groups + _processes(place))
        return [
            *(home for home in homes if not any(one in home for one in known)),
            *(other for other in others if not any(one in other for one in running)),
        ]


def _processes(place: str) -> list[str]:
    """The processes that were started with a path of ours, the engine apart."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"drayman-shim" in command and place.encode() in command:
            found.append(command.decode())
    return found


def until(holds: Callable[[], bool], complaint: Callable[[], str] | str = "") -> None:
    """Wait for what comes by itself, and only for that; what a client can wait for by a
    request is waited for so."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(complaint() if callable(complaint) else complaint or "never")
        time.sleep(POLL_S)
