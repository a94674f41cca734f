"""Namespaces that a container shares with the host, or with another container."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.engine.engines import EngineServer, until

KINDS = ("pid", "ipc", "uts", "net", "cgroup", "user", "mnt")


@pytest.fixture
def first(engine_server: EngineServer) -> Iterator[str]:
    """A container whose namespaces may be joined."""
    body = {"NetworkMode": "none", "IpcMode": "shareable"}
    container = engine_server.running(HostConfig=body)
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


def namespaces(pid: int | str) -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in KINDS}


def shared(engine: EngineServer, other: int | str, *options: str) -> set[str]:
    """Which namespaces a container has in common with a process."""
    command = ("run", "-d", "--rm", *options, "busybox", "sleep", "1000")
    container = engine.docker(*command).stdout.decode().strip()
    mine, theirs = namespaces(engine.state(container)["Pid"]), namespaces(other)
    engine.docker("kill", container)
    return {kind for kind in KINDS if mine[kind] == theirs[kind]}


def test_with_the_host(engine_server: EngineServer) -> None:
    everything = ["--network=none", "--cgroupns=private"]
    assert shared(engine_server, "self", *everything) == {"user"}
    for option, kind in (
        ("--pid=host", "pid"),
        ("--ipc=host", "ipc"),
        ("--uts=host", "uts"),
        ("--userns=host", "user"),
        ("--cgroupns=host", "cgroup"),
        ("--network=host", "net"),
    ):
        name = option.partition("=")[0]
        options = [one for one in everything if not one.startswith(name)]
        assert shared(engine_server, "self", *options, option) == {"user", kind}, option


def test_with_another_container(engine_server: EngineServer, first: str) -> None:
    pid = engine_server.state(first)["Pid"]
    options = ["--cgroupns=private"]
    for option, kind in (
        (f"--pid=container:{first}", "pid"),
        (f"--ipc=container:{first}", "ipc"),
        (f"--network=container:{first}", "net"),
    ):
        assert shared(engine_server, pid, *options, option) == {"user", kind}, option


def test_what_is_shared_is_seen(engine_server: EngineServer, first: str) -> None:
    engine_server.docker("exec", first, "sh", "-c", "echo here >/dev/shm/x")
    command = ("run", "--rm", f"--pid=container:{first}", f"--ipc=container:{first}", "busybox")
    told = engine_server.docker(*command, "sh", "-c", "ps -o args; cat /dev/shm/x").stdout.decode()
    assert "sleep 1000" in told
    assert told.endswith("here\n")


def test_a_process_seen_by_the_host_outlives_nobody(engine_server: EngineServer) -> None:
    script = "sleep 1000 & sleep 2000 & wait"
    container = engine_server.running("sh", "-c", script, HostConfig={"PidMode": "host"})
    until(
        lambda: len(engine_server.api("GET", f"/containers/{container}/top")[1]["Processes"]) == 3
    )
    listed = engine_server.api("GET", f"/containers/{container}/top?ps_args=-o%20pid")[1][
        "Processes"
    ]
    engine_server.docker("kill", container)
    until(lambda: not any(os.path.exists(f"/proc/{line[0]}") for line in listed))


def test_one_that_does_not_run_cannot_be_joined(engine_server: EngineServer, first: str) -> None:
    engine_server.docker("kill", first)
    for option, status in (
        ("NetworkMode", 409),
        ("PidMode", 409),
        ("IpcMode", 409),
    ):
        joining = engine_server.create("true", HostConfig={option: f"container:{first}"})
        answered, answer = engine_server.api("POST", f"/containers/{joining}/start")
        assert (answered, first in answer["message"]) == (status, True), (option, answer)


def test_what_cannot_be_joined_is_400(engine_server: EngineServer) -> None:
    private = engine_server.running()
    for option, mode, told in (
        ("NetworkMode", "container:nobody", "No such container: nobody"),
        ("PidMode", "container:nobody", "No such container: nobody"),
        ("PidMode", "x", "invalid PID mode: x"),
        ("IpcMode", "x", "invalid IPC mode: x"),
        ("UTSMode", "x", "invalid UTS mode: x"),
        ("UsernsMode", "x", "invalid user namespace mode: x"),
        ("CgroupnsMode", "x", "invalid cgroup namespace mode: x"),
    ):
        body = {"Image": "busybox", "HostConfig": {option: mode}}
        status, answer = engine_server.api("POST", "/containers/create", body)
        assert (status, told in answer["message"]) == (400, True), answer
    # Its memory was not made to be shared.
    joining = engine_server.create("true", HostConfig={"IpcMode": f"container:{private}"})
    status, answer = engine_server.api("POST", f"/containers/{joining}/start")
    assert (status, "non-shareable IPC" in answer["message"]) == (400, True), answer
