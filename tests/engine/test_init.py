"""``--init``: a first process that passes signals on and buries the dead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.engine.engines import EngineServer, until

INIT: dict[str, Any] = {"HostConfig": {"Init": True}}


def children(server: EngineServer, container: str) -> list[Path]:
    """The processes below the first one, by the host's numbers."""
    pid = server.state(container)["Pid"]
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [Path(f"/proc/{pid}") for pid in pids]


def test_the_command_is_a_child(engine_server: EngineServer) -> None:
    container = engine_server.running("sleep", "4321", **INIT)
    first = Path(f"/proc/{engine_server.state(container)['Pid']}")
    assert (first / "comm").read_text() == "docker-init\n"
    shown = (first / "cmdline").read_bytes().rstrip(b"\0")
    assert shown == b"/sbin/docker-init\0--\0sleep\x004321"
    (command,) = children(engine_server, container)
    assert (command / "cmdline").read_bytes() == b"sleep\x004321\0"
    rows = engine_server.docker("top", container, "-o", "pid,args").stdout.decode().splitlines()
    assert [row.split(maxsplit=1)[1].strip() for row in rows[1:]] == [
        "/sbin/docker-init -- sleep 4321",
        "sleep 4321",
    ]
    seen = engine_server.docker("exec", container, "cat", "/proc/1/comm").stdout
    assert seen == b"docker-init\n"


def test_it_holds_nothing_of_the_hosts(engine_server: EngineServer) -> None:
    container = engine_server.running(User="7:8", **INIT)
    first = Path(f"/proc/{engine_server.state(container)['Pid']}")
    assert sorted(int(fd.name) for fd in (first / "fd").iterdir()) == [0, 1, 2]
    status = dict(
        line.split(":\t", 1) for line in (first / "status").read_text().splitlines() if "\t" in line
    )
    (command,) = children(engine_server, container)
    theirs = dict(
        line.split(":\t", 1)
        for line in (command / "status").read_text().splitlines()
        if "\t" in line
    )
    for key in ("Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp"):
        assert status[key] == theirs[key], key
    # The command begins with the signals of a fresh process.
    assert (theirs["SigBlk"], theirs["SigIgn"]) == ("0" * 16, "0" * 16)
    # It cannot be looked into from inside, whoever looks.
    done = engine_server.docker("exec", "-u", "0", container, "readlink", "/proc/1/exe", code=1)
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_it_ends_as_the_command_does(engine_server: EngineServer, script: str, code: int) -> None:
    engine_server.docker(
        "run", "--rm", "--init", "--network", "none", "busybox", "sh", "-c", script, code=code
    )


def test_signals_reach_the_command(engine_server: EngineServer) -> None:
    script = (
        "trap 'echo hup' HUP; trap 'echo usr1' USR1; trap 'echo term; exit 5' TERM;"
        " echo ready; while :; do sleep 0.01; done"
    )
    container = engine_server.running("sh", "-c", script, **INIT)

    def log() -> bytes:
        return engine_server.docker("logs", container).stdout

    until(lambda: log() == b"ready\n")
    for signal, said in [("HUP", b"hup\n"), ("USR1", b"usr1\n")]:
        engine_server.docker("kill", "-s", signal, container)
        until(lambda said=said: log().endswith(said))  # type: ignore[misc]
    engine_server.docker("stop", container)
    assert log() == b"ready\nhup\nusr1\nterm\n"
    assert engine_server.state(container)["ExitCode"] == 5


def test_a_command_without_handlers_stops_at_once(engine_server: EngineServer) -> None:
    # As process 1 of its namespace it would ignore the signal, and be killed after all.
    container = engine_server.running("sleep", "1000", StopTimeout=-1, **INIT)
    engine_server.docker("stop", container)
    assert engine_server.state(container)["ExitCode"] == 143


def test_orphans_are_reaped(engine_server: EngineServer) -> None:
    def has_zombies() -> bool:
        pids = engine_server.docker("top", container, "-o", "pid,stat").stdout
        return any(row.split()[1].startswith(b"Z") for row in pids.splitlines()[1:])

    script = "for i in 1 2 3 4 5; do (sleep 0.1 &) ; done; echo made; exec sleep 1000"
    container = engine_server.running("sh", "-c", script, **INIT)
    until(lambda: engine_server.docker("logs", container).stdout == b"made\n")
    # An exec's child that outlives it comes to the first process, too.
    engine_server.docker("exec", container, "sh", "-c", "(sleep 0.1 &)")
    until(lambda: len(children(engine_server, container)) == 1)
    assert not has_zombies()


def test_the_terminal_is_the_commands(engine_server: EngineServer) -> None:
    # Only who is in the terminal's foreground group hears what its keys mean.
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.01; done"
    container = engine_server.running("sh", "-c", script, Tty=True, OpenStdin=True, **INIT)
    until(lambda: engine_server.docker("logs", container).stdout == b"ready\r\n")
    connection, _ = engine_server.hijack(f"/containers/{container}/attach?stream=1&stdin=1")
    with connection:
        connection.sendall(b"\x03")
        until(lambda: not engine_server.state(container)["Running"])
    assert engine_server.state(container)["ExitCode"] == 3
    assert b"interrupted" in engine_server.docker("logs", container).stdout


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("nonesuch", 127, b'exec: "nonesuch": executable file not found in $PATH'),
        ("/etc", 126, b'exec: "/etc": is a directory: unknown: permission denied'),
    ],
)
def test_what_cannot_be_run_fails_as_ever(
    engine_server: EngineServer, command: str, code: int, text: bytes
) -> None:
    done = engine_server.docker("run", "--rm", "--init", "busybox", command, code=code)
    assert text in done.stderr


def test_a_format_that_the_kernel_refuses(engine_server: EngineServer) -> None:
    # Known only when the command's own process tries, behind the init.
    container = engine_server.create("/tmp/x", **INIT)
    upper = engine_server.root / "containers" / container / "upper"
    (upper / "tmp").mkdir(exist_ok=True)
    (upper / "tmp" / "x").write_bytes(b"\x7fnothing")
    (upper / "tmp" / "x").chmod(0o755)
    status, answer = engine_server.api("POST", f"/containers/{container}/start")
    assert (status, "exec /tmp/x: exec format error" in answer["message"]) == (500, True)
    state = engine_server.state(container)
    assert (state["Status"], state["Pid"]) == ("created", 0)


def test_a_shared_process_namespace(engine_server: EngineServer) -> None:
    container = engine_server.running(
        *("sh", "-c", "(sleep 0.1 &); exec sleep 1000"),
        HostConfig={"Init": True, "PidMode": "host"},
    )
    until(lambda: len(children(engine_server, container)) == 1)
    engine_server.docker("stop", container)
    assert engine_server.state(container)["ExitCode"] == 143


def test_it_outlives_the_engine(engine_server: EngineServer) -> None:
    container = engine_server.running(
        *("sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.01; done"), **INIT
    )
    engine_server.crash()
    engine_server.docker("stop", container)
    assert engine_server.state(container)["ExitCode"] == 4


def test_the_engine_has_a_default() -> None:
    server = EngineServer(init="true")
    try:
        server.load_busybox()
        first = {}
        for name, host in [("silent", {}), ("with", {"Init": True}), ("without", {"Init": False})]:
            container = server.running(name=name, HostConfig={"NetworkMode": "none", **host})
            pid = server.state(container)["Pid"]
            first[name] = Path(f"/proc/{pid}/comm").read_text().strip()
        assert first == {"silent": "docker-init", "with": "docker-init", "without": "sleep"}
        # As with Docker, what the engine adds is not what was asked for.
        assert not server.api("GET", "/containers/silent/json")[1]["HostConfig"].get("Init")
    finally:
        server.close()
