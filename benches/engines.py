"""The engines that are measured: ours, and Debian's dockerd as a peer, each on its own state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.images import busybox_layer

from benches.client import Client
from drayman.network.bridge import BridgeDriver

START_LIMIT_S = 30.0
STOP_LIMIT_S = 60.0
BRIDGE = "drayman-bench"
PEER_NETNS = "drayman-peer"
# As the kernel cuts them.
PROCESSES = ("drayman-shim", "drayman-logger", "containerd-shim", "containerd", "dockerd")


class Engine:
    """An engine on a private socket, driven by the docker CLI as a user would."""

    def __init__(self, name: str, host: str, command: list[str], log: Path) -> None:
        self.name = name
        self.host = host
        self.process: subprocess.Popen[bytes]
        self._command = command
        self._log = log
        self.start()

    def start(self) -> None:
        """Start its process, and wait until it answers."""
        # Compiled once, as an installation is.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment)
        try:
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End its process; containers live on."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_LIMIT_S)

    def _await_answer(self) -> None:
        limit = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"{self.name} did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            with Client(self.host) as client:
                client.ping()
        except (OSError, RuntimeError):
            return False
        return True

    def processes(self) -> list[int]:
        """The engine, its children, and shims that left its tree, but not what runs in
        containers nor any other engine's."""
        place = str(Path(self.host.removeprefix("unix://")).parent).encode()
        found = [self.process.pid]
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    named = (entry / "comm").read_text().startswith(PROCESSES)
                    if named and place in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    pass  # it has ended
        return found

    def run(self, *arguments: str, **streams: object) -> None:
        """Run a docker command; its output is thrown away, its failure raises."""
        subprocess.run(
            ["docker", "-H", self.host, *arguments],
            check=True,
            **{"stdout": subprocess.DEVNULL, **streams},  # type: ignore[call-overload]
        )

    def output(self, *arguments: str) -> str:
        """What a docker command prints."""
        return subprocess.run(
            ["docker", "-H", self.host, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    def curl(self, path: str, *options: str) -> None:
        """GET a path of the API without the docker CLI's own cost."""
        socket = self.host.removeprefix("unix://")
        command = ["curl", "-sf", "--unix-socket", socket, "-o", "/dev/null", *options]
        subprocess.run([*command, f"http://engine{path}"], check=True)


@contextmanager
def drayman(place: Path) -> Iterator[Engine]:
    """Ours."""
    host = f"unix://{place / 'd.sock'}"
    command = [
        sys.executable, "-m", "drayman", "serve", "-H", host, "--root", str(place / "root"),
        "--run", str(place / "run"), "--bridge", BRIDGE, "--subnet", "172.30.248.0/21",
    ]  # fmt: skip
    try:
        with started("drayman", command, host, place) as engine:
            yield engine
    finally:
        BridgeDriver(BRIDGE, None, place / "run").remove()


@contextmanager
def dockerd(place: Path) -> Iterator[Engine]:
    """The peer, in a network namespace of its own so that its bridge and rules stay there."""
    host = f"unix://{place / 'docker.sock'}"
    subprocess.run(["ip", "netns", "add", PEER_NETNS], check=True)
    command = [
        "nsenter", f"--net=/run/netns/{PEER_NETNS}", "dockerd", "-H", host,
        "--data-root", str(place / "data"), "--exec-root", str(place / "exec"),
        "--pidfile", str(place / "pid"), "--storage-driver", "overlay2",
        # As with ours, containers outlive the engine.
        "--live-restore",
    ]  # fmt: skip
    try:
        with started("dockerd", command, host, place) as engine:
            yield engine
        # With --live-restore it leaves its own root mounted, once for each start.
        while not subprocess.run(["umount", "-q", place / "data"], check=False).returncode:
            pass
    finally:
        subprocess.run(["ip", "netns", "delete", PEER_NETNS], check=True)


@contextmanager
def started(name: str, command: list[str], host: str, place: Path) -> Iterator[Engine]:
    """Start an engine, wait for its answer, load the image; stop it by pid at the end."""
    place.mkdir(parents=True)
    engine = Engine(name, host, command, place / "log")
    try:
        load_busybox(engine)
        yield engine
    finally:
        left = engine.output("ps", "-aq").split()
        if left:
            engine.run("rm", "-f", *left)
        engine.stop()


def load_busybox(engine: Engine) -> None:
    """Import an image of one layer with busybox and its applets."""
    engine.run("import", "-c", 'CMD ["sh"]', "-", "busybox", input=busybox_layer())
