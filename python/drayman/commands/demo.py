"""``drayman demo``: the main job, done by the real docker CLI on an engine of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from drayman.errors import NotFound, System

BIG_FILE_BYTES = 256 << 20
SMALL_FILES = 5_000
SMALL_FILE_BYTES = 1_000
LOG_LINES = 200_000
# Engines of the demo and of users must not meet: an interface and a range of its own.
BRIDGE = "drayman-demo"
SUBNET = "172.30.251.0/24"
START_LIMIT_S = 20.0


class Engine:
    """An engine below one directory, to be started, killed and started again."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.host = f"unix://{place / 'drayman.sock'}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it answers; returns the seconds that took."""
        begun = time.perf_counter()
        with (self.place / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "drayman", "serve", "-H", self.host,
                    "--root", str(self.place / "root"), "--run", str(self.place / "run"),
                    "--bridge", BRIDGE, "--subnet", SUBNET,
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        while not self.answers():
            if self.process.poll() is not None or time.perf_counter() - begun > START_LIMIT_S:
                raise System(f"the engine did not start; see {self.place / 'engine.log'}")
            time.sleep(0.01)
        return time.perf_counter() - begun

    def answers(self) -> bool:
        """Whether it serves."""
        return (self.place / "drayman.sock").exists() and self.docker("version", check=False) == 0

    def docker(self, *arguments: str, check: bool = True, **streams: object) -> int:
        """Run the docker CLI against it; returns its exit code."""
        done = subprocess.run(
            ["docker", "-H", self.host, *arguments],
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams},  # type: ignore[call-overload]
        )
        if check and done.returncode != 0:
            raise System(f"docker {' '.join(arguments)}: {done.stderr.decode().strip()}")
        return int(done.returncode)

    def output(self, *arguments: str) -> str:
        """What the docker CLI prints."""
        return subprocess.run(
            ["docker", "-H", self.host, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    def kill(self) -> None:
        """End it without a word, as a crash would."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


class Report:
    """The table, filled line by line."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.table = Table("what", "how much", "time", "rate", title="Drayman, by the docker CLI")

    def measure(
        self, what: str, work: Callable[[], object], size_bytes: int = 0, note: str = ""
    ) -> None:
        """Do the work under a spinner and add its line."""
        with self.console.status(what):
            begun = time.perf_counter()
            work()
            seconds = time.perf_counter() - begun
        self.add(what, seconds, size_bytes, note)

    def add(self, what: str, seconds: float, size_bytes: int = 0, note: str = "") -> None:
        """Add a line that was measured elsewhere."""
        amount = note or (f"{size_bytes / 1e6:,.0f} MB" if size_bytes else "")
        rate = f"{size_bytes / 1e6 / seconds:,.0f} MB/s" if size_bytes else ""
        self.table.add_row(what, amount, f"{seconds * 1000:,.0f} ms", rate)


@click.command()
@click.option(
    "--place",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="Where the demo's engine keeps its state; emptied first.",
)
def demo(place: Path) -> None:
    """See the main job done: run, exec, cp, diff, export, logs, and a crash of the engine.

    Starts an engine on a socket and state of its own, makes a small image from this host's
    static busybox, and drives it with the docker CLI. Nothing is left running or mounted.
    """
    for program, package in (("docker", "docker.io"), ("busybox", "busybox-static")):
        if shutil.which(program) is None:
            raise NotFound(f"{program} is not on PATH; install it: apt-get install {package}")
    if os.geteuid() != 0:
        raise System("containers need root: sudo drayman demo")
    console = Console()
    place = place.resolve()
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    report = Report(console)
    with engine_at(place) as engine:
        report.add("start the engine", engine.start())
        make_image(place, engine, report)
        main_job(place, engine, report)
        crash(engine, report)
        console.print(report.table)
    console.print(
        "Try it yourself:\n"
        f"  {sys.executable} -m drayman serve -H {engine.host}"
        f" --root {place / 'root'} --run {place / 'run'} --bridge {BRIDGE} --subnet {SUBNET} &\n"
        f"  export DOCKER_HOST={engine.host}\n"
        "  docker run --rm -it busybox",
        soft_wrap=True,
    )


@contextmanager
def engine_at(place: Path) -> Iterator[Engine]:
    """An engine whose containers are removed whatever happens."""
    engine = Engine(place)
    try:
        yield engine
    finally:
        if engine.process and engine.process.poll() is None:
            left = engine.output("ps", "-aq").split()
            if left:
                engine.docker("rm", "-f", *left)
        engine.stop()
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)


def make_image(place: Path, engine: Engine, report: Report) -> None:
    """An image of one layer: busybox and its applets."""
    tree = place / "tree"
    for name in ("bin", "etc", "tmp", "root"):
        (tree / name).mkdir(parents=True)
    (tree / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "etc" / "group").write_text("root:x:0:\n")
    shutil.copy2(str(shutil.which("busybox")), tree / "bin" / "busybox")
    subprocess.run(["busybox", "--install", "-s", tree / "bin"], check=True)
    for link in (tree / "bin").iterdir():
        if link.is_symlink():
            link.unlink()
            link.symlink_to("busybox")

    def work() -> None:
        with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
            engine.docker("import", "-c", 'CMD ["sh"]', "-", "busybox", stdin=tar.stdout)

    report.measure("make an image", work, note="busybox")


def main_job(place: Path, engine: Engine, report: Report) -> None:
    """What containers are for, with files worth measuring."""
    big, small, back = place / "big", place / "small", place / "back"
    with big.open("wb") as file:
        for _ in range(BIG_FILE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    small.mkdir()
    for number in range(SMALL_FILES):
        (small / str(number)).write_bytes(bytes([number % 251]) * SMALL_FILE_BYTES)
    small_bytes = SMALL_FILES * SMALL_FILE_BYTES
    report.measure(
        "run --rm, no network",
        lambda: engine.docker("run", "--rm", "--network", "none", "busybox", "true"),
    )
    report.measure("run --rm, bridge", lambda: engine.docker("run", "--rm", "busybox", "true"))
    engine.docker("run", "-d", "--name", "demo", "busybox", "sleep", "600")
    report.measure("exec", lambda: engine.docker("exec", "demo", "true"))
    report.measure(
        "cp in, a large file", lambda: engine.docker("cp", str(big), "demo:/big"), BIG_FILE_BYTES
    )
    report.measure(
        "cp in, small files",
        lambda: engine.docker("cp", str(small), "demo:/small"),
        small_bytes,
        f"{SMALL_FILES:,} files",
    )
    report.measure(
        "cp out, a large file", lambda: engine.docker("cp", "demo:/big", str(back)), BIG_FILE_BYTES
    )
    if back.read_bytes() != big.read_bytes():
        raise System("the file that came back is not the file that went in")
    report.measure(
        "diff", lambda: engine.docker("diff", "demo"), note=f"{SMALL_FILES + 4:,} changes"
    )
    report.measure("export", lambda: engine.docker("export", "demo"), BIG_FILE_BYTES + small_bytes)
    engine.docker("run", "--name", "talk", "busybox", "seq", str(LOG_LINES))
    report.measure("logs", lambda: engine.docker("logs", "talk"), note=f"{LOG_LINES:,} lines")


def crash(engine: Engine, report: Report) -> None:
    """Kill the engine; its container must not notice."""
    before = engine.output("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "demo")
    engine.kill()
    os.kill(int(before.split()[0]), 0)  # raises if the container died with the engine
    report.add("start again after kill -9", engine.start())
    after = engine.output("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "demo")
    if before != after:
        raise System(f"the container did not survive: {before} became {after}")
    report.measure("exec in the survivor", lambda: engine.docker("exec", "demo", "true"))
