"""The demo's engine: below one directory, started, killed, started again and taken down."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from drayman.config import Config
from drayman.engine import leftovers
from drayman.engine.ownership import Ownership
from drayman.errors import Conflict, InvalidParameter, System
from drayman.network.bridge import BridgeDriver
from drayman.runtime.host import Host

# Polite words for an end: Ctrl-C, kill, a terminal that closes.
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 20.0
START_POLL_S = 0.005
BLOCK_BYTES = 1 << 20
PING = b"GET /_ping HTTP/1.0\r\n\r\n"

T = TypeVar("T")


class Engine:
    """An engine that shares nothing with others of this host: all its names come from its place."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "drayman.sock"
        self.host = f"unix://{self.socket}"
        self.settings = place / "config.toml"
        self.log = place / "engine.log"
        name = f"demo{zlib.crc32(bytes(place)):08x}"
        self.config = Config(
            hosts=[self.host],
            root=str(place / "root"),
            run=str(place / "run"),
            bridge=name,
            cgroup_parent=f"/drayman-{name}",
        )
        self._process: subprocess.Popen[bytes] | None = None
        foreign = ("DOCKER_", "DRAYMAN_")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}

    def claim(self) -> None:
        """Make sure that the place is ours.

        Raises Conflict when an engine is at work there, InvalidParameter when the directory
        holds something else.
        """
        if self.settings.exists():
            try:
                Ownership(Path(self.config.root), Path(self.config.run)).release()
            except Conflict as error:
                raise Conflict(f"{error}: end that engine (kill it), then try again") from None
        elif self.place.exists() and any(self.place.iterdir()):
            raise InvalidParameter(
                f"{self.place} is not empty and not a demo's: give --place another directory"
            )

    def prepare(self) -> None:
        """Begin with an empty place; what a demo that was killed left there is taken down."""
        self.take_down()
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        names = ("hosts", "root", "run", "bridge", "cgroup_parent")
        self.settings.write_text(
            "".join(f"{name} = {json.dumps(getattr(self.config, name))}\n" for name in names)
        )

    def start(self) -> None:
        """Start it and wait until it answers. System with its last word when it does not."""
        with self.log.open("ab") as log, uninterrupted():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "drayman", "serve", "--config", str(self.settings)],
                stdout=log,
                stderr=log,
                env=self._environment,
                # Ctrl-C is for the demo, which needs the engine to take its containers down.
                process_group=0,
            )
        self._wait(self._process)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                last = self.log.read_text().splitlines()[-1:]
                raise System(f"the engine did not start, see {self.log}: {''.join(last)}")
            time.sleep(START_POLL_S)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.socket))
            except OSError:
                return False
            connection.sendall(PING)
            return b" 200 " in connection.recv(len(PING))

    def docker(self, *arguments: str) -> str:
        """What the docker CLI prints; System with its complaint when it fails."""
        return self._run(arguments, lambda output: output.read()).decode().strip()

    def size_bytes(self, *arguments: str) -> int:
        """How much the docker CLI puts out, which is read and forgotten; System as `docker`."""
        return self._run(
            arguments, lambda output: sum(map(len, iter(lambda: output.read(BLOCK_BYTES), b"")))
        )

    def _run(self, arguments: tuple[str, ...], read: Callable[[IO[bytes]], T]) -> T:
        command = ["docker", *arguments]
        environment = {**self._environment, "DOCKER_HOST": self.host}
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=complaints,
                process_group=0,
            ) as process,
        ):
            assert process.stdout
            try:
                answer = read(process.stdout)
            except BaseException:
                process.kill()
                raise
            if process.wait() != 0:
                complaints.seek(0)
                raise System(f"{' '.join(command)}: {complaints.read().decode().strip()}")
        return answer

    def kill(self) -> None:
        """End it without a word, as a crash would."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def take_down(self) -> None:
        """Remove its containers, end it, and remove what an engine leaves for the next one."""
        if any(Path(self.config.root, "containers").glob("*")):
            if self._process is None or self._process.poll() is not None:
                self.start()
            else:
                self._wait(self._process)
            self._remove_containers()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        BridgeDriver(self.config.bridge, None, Path(self.config.run)).remove()
        leftovers.remove(Host.detect().cgroup, self.config.cgroup_parent)

    def _remove_containers(self) -> None:
        """All of them. One that was run with --rm may be leaving by itself this moment, which is
        an error for who removes it too."""
        deadline = time.monotonic() + PATIENCE_S
        while containers := self.docker("ps", "-aq").split():
            try:
                self.docker("rm", "-f", *containers)
            except System:
                if time.monotonic() > deadline:
                    raise


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put signals that end us off, to see a thing through; children are not told of it."""
    late: list[int] = []
    before = [(number, signal.signal(number, lambda n, _: late.append(n))) for number in ENDS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if late:
            signal.raise_signal(late[0])
