"""The engines that are measured: ours, and Debian's dockerd as a peer, each on its own state."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.images import busybox_layer

from drayman.network.bridge import BridgeDriver

START_LIMIT_S = 30.0
BRIDGE = "drayman-bench"
PEER_NETNS = "drayman-peer"


class Engine:
    """An engine on a private socket, driven by the docker CLI as a user would."""

    def __init__(self, name: str, host: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.host = host
        self.process = process

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
        "--run", str(place / "run"), "--bridge", BRIDGE, "--subnet", "172.30.252.0/24",
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
    ]  # fmt: skip
    try:
        with started("dockerd", command, host, place) as engine:
            yield engine
    finally:
        subprocess.run(["ip", "netns", "delete", PEER_NETNS], check=True)


@contextmanager
def started(name: str, command: list[str], host: str, place: Path) -> Iterator[Engine]:
    """Start an engine, wait for its answer, load the image; stop it by pid at the end."""
    place.mkdir(parents=True)
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    engine = Engine(name, host, process)
    try:
        await_answer(engine, place / "log")
        load_busybox(engine)
        yield engine
        left = engine.output("ps", "-aq").split()
        if left:
            engine.run("rm", "-f", *left)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_LIMIT_S)


def await_answer(engine: Engine, log: Path) -> None:
    """Until ``docker version`` succeeds."""
    limit = time.monotonic() + START_LIMIT_S
    command = ["docker", "-H", engine.host, "version"]
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if engine.process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError(f"{engine.name} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def load_busybox(engine: Engine) -> None:
    """Import an image of one layer with busybox and its applets."""
    engine.run("import", "-c", 'CMD ["sh"]', "-", "busybox", input=busybox_layer())
