"""Starting containers: what runs, what cannot, and what is said about it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import pytest
from tests.api.client import Client
from tests.engine.engines import OPEN_FILES, EngineServer, until


def start(engine: EngineServer, container: str) -> tuple[int, Any]:
    return engine.api("POST", f"/containers/{container}/start")


def test_a_second_start_is_304(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert start(engine_server, container)[0] == 304
    state = engine_server.state(container)
    assert (state["Status"], state["Running"]) == ("running", True)
    assert state["Pid"] > 0


def test_the_engine_may_open_more_files_than_a_container(engine_server: EngineServer) -> None:
    container = engine_server.running()
    limits = Path(f"/proc/{engine_server.process.pid}/limits").read_text()
    soft, hard = next(line for line in limits.splitlines() if "open files" in line).split()[3:5]
    assert soft == hard != str(OPEN_FILES)
    for command in ("exec", container), ("run", "--rm", "--network", "none", "busybox"):
        told = engine_server.docker(*command, "sh", "-c", "ulimit -Sn; ulimit -Hn")
        assert told.stdout.decode().split() == [str(OPEN_FILES), hard]


def test_the_thread_that_answers_goes_first(engine_server: EngineServer) -> None:
    container = engine_server.running()
    # Answered by another thread, and by a process that the engine started.
    assert engine_server.api("GET", f"/containers/{container}/changes")[0] == 200
    engine = engine_server.process.pid
    threads = {int(thread) for thread in os.listdir(f"/proc/{engine}/task")} - {engine}
    assert threads
    niceness = functools.partial(os.getpriority, os.PRIO_PROCESS)
    assert niceness(engine) < 0
    assert {niceness(thread) for thread in threads} == {0}
    assert niceness(engine_server.state(container)["Pid"]) == 0


def test_a_paused_container_is_409(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/pause")[0] == 204
    assert start(engine_server, container) == (
        409,
        {"message": "cannot start a paused container, try unpause instead"},
    )
    engine_server.api("POST", f"/containers/{container}/unpause")


def test_a_start_takes_no_body(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    text = (
        "starting container with non-empty request body was deprecated since API v1.22"
        " and removed in v1.24"
    )
    path = f"/containers/{container}/start"
    assert engine_server.api("POST", path, {"Binds": []}) == (400, {"message": text})
    with Client(str(engine_server.socket_path)) as client:
        # However short.
        client.send(
            f"POST {path} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + b"0\r\n\r\n"
        )
        assert client.answer().status == 400
    assert engine_server.api("POST", path, {})[0] == 204
    assert engine_server.api("POST", "/containers/nosuch/start") == (
        404,
        {"message": "No such container: nosuch"},
    )


@pytest.mark.parametrize(
    ("command", "status", "exit_code", "text"),
    [
        ("nothere", 400, 127, 'exec: "nothere": executable file not found in $PATH'),
        ("/no/such", 400, 127, "no such file or directory"),
        ("/etc", 400, 126, "permission denied"),
        ("/etc/passwd", 400, 126, "permission denied"),
    ],
)
def test_a_command_that_cannot_run_is_told_and_remembered(
    engine_server: EngineServer, command: str, status: int, exit_code: int, text: str
) -> None:
    container = engine_server.create(command)
    answered, answer = start(engine_server, container)
    assert answered == status
    assert text in answer["message"]
    state = engine_server.state(container)
    assert (state["Status"], state["ExitCode"]) == ("created", exit_code)
    assert state["Error"] == answer["message"]
    status, waited = engine_server.api("POST", f"/containers/{container}/wait")
    assert (status, waited["StatusCode"], waited["Error"]["Message"]) == (
        200,
        exit_code,
        state["Error"],
    )


def test_a_failed_start_with_rm_removes_it(engine_server: EngineServer) -> None:
    container = engine_server.create("nothere", HostConfig={"AutoRemove": True})
    assert start(engine_server, container)[0] == 400
    until(lambda: engine_server.api("GET", f"/containers/{container}/json")[0] == 404)


def test_an_unknown_user_is_refused(engine_server: EngineServer) -> None:
    container = engine_server.create("true", User="nobodyhere")
    status, answer = start(engine_server, container)
    assert status == 400
    assert "unable to find user nobodyhere" in answer["message"]


def test_a_user_is_looked_up_where_the_container_has_its_own(
    engine_server: EngineServer, tmp_path: Path
) -> None:
    command = ("--network", "none", "--user", "user", "busybox", "id", "-u")
    # Known from now on, for this image.
    assert engine_server.docker("run", "--rm", *command).stdout == b"1000\n"
    container = engine_server.docker("create", *command).stdout.decode().strip()
    (tmp_path / "passwd").write_text("user:x:1234:1000::/home:/bin/sh\n")
    engine_server.docker("cp", str(tmp_path / "passwd"), f"{container}:/etc/passwd")
    assert engine_server.docker("start", "-a", container).stdout == b"1234\n"
    # And no other container's: that one wrote to a layer of its own.
    assert engine_server.docker("run", "--rm", *command).stdout == b"1000\n"


def test_a_container_starts_again_where_it_left_off(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "echo x >>/count; exit $(wc -l </count)")
    for runs in (1, 2):
        _, waited = engine_server.api("POST", f"/containers/{container}/wait")
        assert waited["StatusCode"] == runs
        assert start(engine_server, container)[0] == 204
    assert engine_server.api("POST", f"/containers/{container}/wait")[1]["StatusCode"] == 3


def test_events_come_in_dockers_order(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "exit 3", Volumes={"/v": {}})
    engine_server.api("POST", f"/containers/{container}/wait")
    until(lambda: "die" in engine_server.actions(container))
    seen = [
        (event["Type"], event["Action"])
        for event in engine_server.events()
        if container in (event["Actor"]["ID"], event["Actor"]["Attributes"].get("container"))
    ]
    assert seen == [
        ("container", "create"),
        ("volume", "mount"),
        ("network", "connect"),
        ("container", "start"),
        ("network", "disconnect"),
        ("volume", "unmount"),
        ("container", "die"),
    ]
    die = engine_server.events(container=[container], event=["die"])[0]
    assert die["Actor"]["Attributes"]["exitCode"] == "3"
    assert die["Actor"]["Attributes"]["execDuration"] == "0"


def test_a_missing_source_of_a_bind_is_made(engine_server: EngineServer) -> None:
    source = engine_server.place / "made" / "by-start"
    engine_server.running("true", HostConfig={"Binds": [f"{source}:/x"]})
    assert source.is_dir()
