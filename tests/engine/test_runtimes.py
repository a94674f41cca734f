"""The same container under our own executor, runc and crun: clients see no difference."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.engines import EngineServer, until

from drayman.runtime.host import Host

OTHERS = ("runc", "crun")
HOST = Host.detect().cgroup
RUNTIMES = ("drayman", *OTHERS)


@pytest.fixture(scope="module")
def engine_server() -> Iterator[EngineServer]:
    """An engine that knows other runtimes."""
    if os.geteuid() != 0:
        pytest.skip("an engine takes root")
    missing = [name for name in OTHERS if shutil.which(name) is None]
    assert not missing, f"{missing} are needed: packaging/system.sh"
    with tempfile.TemporaryDirectory() as place:
        yield from serve({"runc": shutil.which("runc"), "crun": crun(Path(place))})


def crun(place: Path) -> str:
    """The program, of which Debian's wants no v2 tree with controllers beside those of v1: there
    it is run where none is mounted."""
    if HOST.mode != "hybrid":
        return "crun"
    script = place / "crun"
    script.write_text(
        "#!/bin/sh\nexec unshare --mount --propagation slave sh -c"
        f' \'umount {HOST.unified}; exec crun "$@"\' crun "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


def serve(programs: dict[str, str | None]) -> Iterator[EngineServer]:
    server = EngineServer(runtimes=",".join(f"{name}={path}" for name, path in programs.items()))
    try:
        server.load_busybox()
        yield server
    finally:
        server.close()


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Under:
    """Containers of one runtime."""

    def __init__(self, engine: EngineServer, runtime: str) -> None:
        self.engine = engine
        self.options = ("--runtime", runtime, "--network", "none")

    def run(self, *arguments: str, stdin: bytes | None = None, code: int = 0) -> bytes:
        command = ("run", "--rm", *self.options, *arguments)
        done = self.engine.docker(*command, stdin=stdin, code=code)
        return done.stdout + done.stderr

    def idle(self, *options: str) -> str:
        command = ("run", "-d", *self.options, *options, "busybox", "sleep", "1000")
        return self.engine.docker(*command).stdout.decode().strip()

    def fail(self, *command: str) -> tuple[int, str]:
        """A container whose command cannot be run: the exit code, what the client is told."""
        done = self.engine.docker("run", "--rm", *self.options, "busybox", *command, code=None)
        return done.returncode, done.stderr.decode()


@pytest.fixture
def under(engine_server: EngineServer, runtime: str) -> Under:
    return Under(engine_server, runtime)


def test_a_run_says_what_it_has_to_say_and_ends_as_it_ended(under: Under) -> None:
    assert under.run("busybox", "sh", "-c", "echo out; exit 7", code=7) == b"out\n"
    assert under.run("-i", "busybox", "cat", stdin=b"in\n") == b"in\n"
    assert under.run("--read-only", "busybox", "touch", "/x", code=1) != b""
    assert under.run("-u", "5:6", "-w", "/tmp", "busybox", "sh", "-c", "pwd; id -u") == b"/tmp\n5\n"


def test_a_terminal_has_a_size(under: Under) -> None:
    engine = under.engine
    container = engine.create(
        "stty", "size", Tty=True, HostConfig={"Runtime": under.options[1], "ConsoleSize": [33, 99]}
    )
    engine.docker("start", container)
    engine.docker("wait", container)
    assert engine.docker("logs", container).stdout == b"33 99\r\n"


def test_a_command_that_cannot_run(under: Under) -> None:
    for command, code, text in (
        ("nothere", 127, "not found in $PATH"),
        ("/no/such", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
    ):
        returned, told = under.fail(command)
        assert (returned, text in told.lower() or text in told) == (code, True), told


def test_further_processes(under: Under) -> None:
    container = under.idle()
    engine = under.engine
    told = engine.docker(
        "exec", container, "sh", "-c", "echo on; ps -o args | head -n 2; exit 4", code=4
    )
    assert told.stdout.decode().splitlines()[:3] == ["on", "COMMAND", "sleep 1000"]
    assert engine.docker("exec", "-i", container, "cat", stdin=b"in\n").stdout == b"in\n"
    assert engine.docker("exec", "-u", "5", container, "id", "-u").stdout == b"5\n"
    failed = engine.docker("exec", container, "nothere", code=127)
    assert b"not found in $PATH" in failed.stdout + failed.stderr
    _, made = engine.api(
        "POST", f"/containers/{container}/exec", {"Cmd": ["tty"], "Tty": True, "AttachStdout": True}
    )
    stream, _ = engine.hijack(f"/exec/{made['Id']}/start", {"Tty": True})
    with stream:
        assert b"/dev/pts/" in stream.recv(100)
    until(lambda: not engine.api("GET", f"/exec/{made['Id']}/json")[1]["Running"])


CHECKS = {
    ("CMD", "true"): "healthy",
    ("CMD-SHELL", "exit 3"): "unhealthy",
    ("FILE", "/etc/passwd"): "healthy",
    ("TCP", "80"): "healthy",
}


def test_every_kind_of_health_check(under: Under) -> None:
    engine = under.engine
    listens = ("httpd", "-f", "-p", "80")
    for test, status in CHECKS.items():
        check = {"Test": list(test), "Interval": 50_000_000, "Retries": 3}
        host_config = {"Runtime": under.options[1], "NetworkMode": "none"}
        container = engine.running(*listens, Healthcheck=check, HostConfig=host_config)
        until(lambda c=container, s=status: engine.state(c)["Health"]["Status"] == s)
        engine.docker("rm", "-f", container)


def test_stop_pause_and_top(under: Under) -> None:
    engine = under.engine
    waits = "trap 'exit 5' TERM; while sleep 0.05; do :; done"
    command = ("run", "-d", *under.options, "busybox", "sh", "-c", waits)
    container = engine.docker(*command).stdout.decode().strip()
    for verb, status in (("pause", "paused"), ("unpause", "running")):
        engine.docker(verb, container)
        assert engine.state(container)["Status"] == status
    # ps cuts its lines off.
    assert b"trap 'exit 5'" in engine.docker("top", container).stdout
    engine.docker("update", "--pids-limit", "50", container)
    engine.docker("cp", f"{container}:/etc/passwd", "-")
    engine.docker("stop", container)
    assert engine.state(container)["ExitCode"] == 5
    engine.docker("start", container)
    engine.docker("kill", container)
    assert engine.state(container)["ExitCode"] == 137


def test_memory_runs_out(under: Under) -> None:
    container = (
        under.engine.docker(
            *("run", "-d", *under.options, "-m", "16m", "--memory-swap", "16m", "busybox"),
            *("sh", "-c", "dd if=/dev/zero of=/dev/null bs=64M; exit $?"),
        )
        .stdout.decode()
        .strip()
    )
    under.engine.docker("wait", container)
    state = under.engine.state(container)
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert under.engine.actions(container)[-2:] == ["oom", "die"]


def test_an_engine_that_dies_takes_nothing_along(under: Under) -> None:
    engine, container = under.engine, under.idle()
    command = ("run", "-d", *under.options, "busybox", "sh", "-c", "sleep 0.2; exit 9")
    short = engine.docker(*command).stdout.decode().strip()
    engine.crash()
    assert engine.docker("wait", short).stdout == b"9\n"
    assert engine.state(container)["Status"] == "running"
    engine.docker("exec", container, "true")
    os.kill(engine.shim(container), 9)
    until(lambda: engine.state(container)["Status"] == "exited")
    assert engine.state(container)["ExitCode"] == 137
    engine.docker("start", container)
    assert engine.state(container)["Status"] == "running"


def test_which_runtimes_there_are(engine_server: EngineServer) -> None:
    _, info = engine_server.api("GET", "/info")
    assert set(info["Runtimes"]) == set(RUNTIMES)
    assert info["DefaultRuntime"] == "drayman"
    status, answer = engine_server.api(
        "POST", "/containers/create", {"Image": "busybox", "HostConfig": {"Runtime": "kata"}}
    )
    assert (status, answer["message"]) == (400, "unknown or invalid runtime name: kata")
    container = engine_server.running(HostConfig={"Runtime": "io.containerd.runc.v2"})
    # Runc's own records of it.
    assert (engine_server.run / "c" / container / "oci/state" / container).is_dir()
