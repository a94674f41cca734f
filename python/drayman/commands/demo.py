"""``drayman demo``: the main job, done by the real docker CLI on an engine of its own."""

from __future__ import annotations

import filecmp
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from drayman.commands.demo_engine import ENDS, Engine, uninterrupted
from drayman.commands.demo_report import Amount, Report
from drayman.errors import NotFound, System

BIG_FILE_BYTES = 256 << 20
BLOCK_BYTES = 1 << 20
SMALL_FILES = 5_000
SMALL_FILE_BYTES = 1_000
LOG_LINES = 200_000
# Of what takes milliseconds.
TIMES = 5
# It counts, so that a line lost in the crash would be seen.
COUNTING = "n=0; while sleep 0.02; do n=$((n + 1)); echo $n; done"
IDENTITY = "{{.State.Pid}} {{.State.StartedAt}}"


@click.command()
@click.option(
    "--place",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    metavar="DIR",
    help="Where the demo's engine keeps its state; what an earlier demo left there is removed.",
)
def demo(place: Path) -> None:
    """See the main job done: run, exec, cp, diff, export, logs, and a crash of the engine.

    Starts an engine on a socket and state of its own, makes a small image from this host's
    static busybox, and drives it with the docker CLI. Takes some ten seconds and 1 GB of disk.
    Nothing is left running or mounted, whether it ends, fails or is interrupted.
    """
    if os.geteuid() != 0:
        raise System("containers need root: run it again with sudo")
    for program, package in (("docker", "docker.io"), ("busybox", "busybox-static")):
        if shutil.which(program) is None:
            raise NotFound(f"{program} is not on PATH; install it: apt-get install {package}")
    for number in ENDS:
        signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False)
    place = place.resolve()
    engine = Engine(place)
    engine.claim()
    files = place / "files"
    with taken_down(engine, files):
        engine.prepare()
        load = Load(files)
        with Report(console) as report:
            begin(engine, load, report)
            carry(engine, load, report)
            survived = crash(engine, report)
    console.print(survived, invitation(engine), sep="\n\n", markup=False, soft_wrap=True)


@contextmanager
def taken_down(engine: Engine, files: Path) -> Iterator[None]:
    """Take the engine and all it made down in the end; Ctrl-C does not cut that short."""
    try:
        yield
    finally:
        with uninterrupted():
            engine.take_down()
            shutil.rmtree(files, ignore_errors=True)


class Load:
    """What there is to carry: a small root file system, a large file, many small ones."""

    def __init__(self, place: Path) -> None:
        self.tree, self.big, self.small = place / "tree", place / "big", place / "small"
        self.back = place / "back"
        self._make_tree()
        self.small.mkdir()
        blocks = BIG_FILE_BYTES // BLOCK_BYTES
        with self.big.open("wb") as file:
            for _ in track(range(blocks), "Making a file to carry", transient=True):
                file.write(os.urandom(BLOCK_BYTES))
        for number in track(range(SMALL_FILES), "Making small files", transient=True):
            (self.small / str(number)).write_bytes(bytes([number % 251]) * SMALL_FILE_BYTES)

    def _make_tree(self) -> None:
        for name in ("bin", "etc", "tmp", "root"):
            (self.tree / name).mkdir(parents=True)
        (self.tree / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (self.tree / "etc" / "group").write_text("root:x:0:\n")
        busybox = self.tree / "bin" / "busybox"
        shutil.copy2(str(shutil.which("busybox")), busybox)
        listed = subprocess.run(
            ["chroot", self.tree, "/bin/busybox", "--list"], capture_output=True, text=True
        )
        if listed.returncode != 0:
            raise System(
                f"{shutil.which('busybox')} needs libraries; install one that does not:"
                " apt-get install busybox-static"
            )
        for applet in set(listed.stdout.split()) - {"busybox"}:
            (busybox.parent / applet).symlink_to("busybox")


def begin(engine: Engine, load: Load, report: Report) -> None:
    """Start, and make an image of one layer: busybox and its applets."""
    report.measure("(start the engine)", engine.start)
    archive = load.tree.with_suffix(".tar")
    subprocess.run(["tar", "-C", load.tree, "-cf", archive, "."], check=True)
    report.measure(
        "import tree.tar busybox",
        lambda: engine.docker("import", "-c", 'CMD ["sh"]', str(archive), "busybox"),
        lambda _: Amount(archive.stat().st_size),
    )


def carry(engine: Engine, load: Load, report: Report) -> None:
    """What containers are for, with files worth measuring."""
    report.measure("--version", lambda: engine.docker("--version"), note="the CLI itself")
    bare = ("run", "--rm", "--net", "none", "busybox", "true")
    report.measure(" ".join(bare), lambda: engine.docker(*bare), note="the first")
    report.measure(" ".join(bare), lambda: engine.docker(*bare), times=TIMES)
    bridged = ("run", "--rm", "busybox", "true")
    report.measure(" ".join(bridged), lambda: engine.docker(*bridged), times=TIMES)
    engine.docker("run", "-d", "--name", "demo", "busybox", "sh", "-c", COUNTING)
    report.measure("exec demo true", lambda: engine.docker("exec", "demo", "true"), times=TIMES)

    def copy(source: str, target: str, words: str, amount: Amount) -> None:
        report.measure(words, lambda: engine.docker("cp", source, target), lambda _: amount)

    files = Amount(SMALL_FILES, "files")
    copy(str(load.big), "demo:/big", "cp big demo:/big", Amount(BIG_FILE_BYTES))
    copy(str(load.small), "demo:/small", "cp small demo:/small", files)
    copy("demo:/big", str(load.back), "cp demo:/big back", Amount(BIG_FILE_BYTES))
    if not filecmp.cmp(load.big, load.back, shallow=False):
        raise System("the file that came back is not the file that went in")
    report.measure(
        "diff demo",
        lambda: engine.docker("diff", "demo").splitlines(),
        lambda changes: Amount(len(changes), "changes"),
    )
    report.measure("export demo", lambda: engine.size_bytes("export", "demo"), Amount)
    engine.docker("run", "--name", "talk", "busybox", "seq", str(LOG_LINES))
    report.measure(
        "logs talk",
        lambda: engine.docker("logs", "talk").splitlines(),
        lambda lines: Amount(len(lines), "lines"),
    )


def crash(engine: Engine, report: Report) -> str:
    """Kill the engine and start it again; its container must not notice, nor lose a line.
    How that went, in a sentence."""
    before = engine.docker("inspect", "-f", IDENTITY, "demo")
    said = len(engine.docker("logs", "demo").splitlines())
    engine.kill()
    pid = int(before.split()[0])
    os.kill(pid, 0)  # raises if the container died with the engine
    report.measure("(kill -9, start the engine again)", engine.start)
    after = engine.docker("inspect", "-f", IDENTITY, "demo")
    if before != after:
        raise System(f"the container did not survive: {before} became {after}")
    lines = [int(line) for line in engine.docker("logs", "demo").splitlines()]
    if lines != list(range(1, len(lines) + 1)):
        raise System("the container's log has a gap where the engine was killed")
    report.measure("exec demo true", lambda: engine.docker("exec", "demo", "true"))
    return (
        f"The container lived through the engine's end: its process {pid} wrote"
        f" {len(lines) - said} lines more, and none is missing."
    )


def invitation(engine: Engine) -> str:
    """What to type to go on."""
    command = Path(sys.executable).with_name("drayman")
    settings = engine.settings
    if settings.is_relative_to(Path.cwd()):
        settings = settings.relative_to(Path.cwd())
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    return (
        "Nothing of it is left running. Try it by yourself; the image is still there:\n\n"
        f"  {shlex.quote(str(command))} serve --config {shlex.quote(str(settings))} &\n"
        f"  export DOCKER_HOST={shlex.quote(engine.host)}\n"
        "  docker run --rm -it busybox\n"
    )
