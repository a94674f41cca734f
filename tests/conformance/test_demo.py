"""`drayman demo`: it does what it shows, and leaves nothing, even when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.engines import until

from drayman.commands.demo_engine import Engine
from drayman.config import load
from drayman.runtime.host import Host

# Far above what it takes: files are made, copied and compared.
TIMEOUT_S = 100


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """The demo's engine, as the demo will name it; it may leave nothing running or mounted."""
    engine = Engine(tmp_path / "demo")
    yield engine
    assert not traces(engine)


def traces(engine: Engine) -> list[str]:
    """What the host still has of an engine: processes, mounts, interface, rules, cgroups."""
    place, bridge = str(engine.place), engine.config.bridge
    commands = [process / "cmdline" for process in Path("/proc").glob("[0-9]*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    tables = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True)
    cgroups = Host.detect().cgroup.directories(engine.config.cgroup_parent)
    return [
        *(str(command) for command in commands if place in text(command)),
        *(mount for mount in mounts if place in mount),
        *(table for table in tables.stdout.splitlines() if bridge in table),
        *(str(path) for path in [Path("/sys/class/net", bridge), *cgroups] if path.exists()),
    ]


def text(file: Path) -> str:
    """A process's file; nothing when the process has ended."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def start(engine: Engine) -> subprocess.Popen[str]:
    """The demo, in a process group of its own, as a shell would start it."""
    return subprocess.Popen(
        [sys.executable, "-m", "drayman", "demo", "--place", str(engine.place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def test_what_it_shows_and_where_it_ends(engine: Engine) -> None:
    demo = start(engine)
    said = demo.communicate(timeout=TIMEOUT_S)[0]
    assert demo.returncode == 0, said
    for step in ("run --rm", "exec", "cp big", "cp small", "diff", "export", "logs", "kill -9"):
        assert step in said
    assert "none is missing" in said
    assert not traces(engine)

    # The line it ends with takes its engine up again, with the image.
    assert load(engine.settings, environment={}) == engine.config
    assert f"serve --config {engine.settings}" in said
    assert f"export DOCKER_HOST={engine.host}" in said
    engine.start()
    assert engine.docker("run", "--rm", "busybox", "echo", "by myself") == "by myself"
    engine.take_down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(engine: Engine, number: int) -> None:
    demo = start(engine)
    containers = Path(engine.config.root, "containers")
    until(lambda: any(containers.glob("*")))
    os.killpg(demo.pid, number)
    said = demo.communicate(timeout=TIMEOUT_S)[0]
    assert demo.returncode == 1
    # An error would stand here instead.
    assert said.endswith("Aborted!\n"), said
    assert "kill -9" not in said


def test_a_demo_that_was_killed_is_taken_down_by_the_next(engine: Engine) -> None:
    engine.prepare()
    engine.start()
    engine.docker("import", os.devnull, "nothing")
    engine.docker("create", "nothing", "true")
    demo = start(engine)
    assert "in use by process" in demo.communicate(timeout=TIMEOUT_S)[0]
    assert demo.returncode == 1

    engine.kill()
    Engine(engine.place).prepare()
    assert [path.name for path in engine.place.iterdir()] == [engine.settings.name]


def test_what_is_not_a_demo_is_let_be(engine: Engine) -> None:
    engine.place.mkdir()
    (engine.place / "letters").write_text("dear")
    demo = start(engine)
    assert "give --place another directory" in demo.communicate(timeout=TIMEOUT_S)[0]
    assert demo.returncode == 1
    assert (engine.place / "letters").exists()
