"""Second processes in containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.engines import EngineServer, until


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> str:
    return engine_server.running(name="box", Env=["A=container"])


def make(engine: EngineServer, box: str, *command: str, **body: object) -> str:
    status, answer = engine.api("POST", f"/containers/{box}/exec", {"Cmd": command, **body})
    assert status == 201, answer
    return str(answer["Id"])


def test_streams_codes_and_stdin(engine_server: EngineServer, box: str) -> None:
    done = engine_server.docker(
        "exec", "-i", box, "sh", "-c", "cat; echo err >&2; exit 5", stdin=b"in", code=5
    )
    assert (done.stdout, done.stderr) == (b"in", b"err\n")


def test_a_missing_command_is_127(engine_server: EngineServer, box: str) -> None:
    done = engine_server.docker("exec", box, "nothere", code=127)
    said = done.stdout + done.stderr
    assert b'exec: "nothere": executable file not found in $PATH' in said


def test_its_life_over_the_api(engine_server: EngineServer, box: str) -> None:
    exec_id = make(engine_server, box, "sh", "-c", "exit 4")
    _, document = engine_server.api("GET", f"/exec/{exec_id}/json")
    assert (document["Running"], document["ExitCode"], document["Pid"]) == (False, None, 0)
    assert document["ProcessConfig"]["entrypoint"] == "sh"
    assert document["ContainerID"] == box
    status, _ = engine_server.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    assert status == 200
    until(lambda: engine_server.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"] == 4)
    assert engine_server.api("POST", f"/exec/{exec_id}/start", {"Detach": True}) == (
        409,
        {"message": f"exec command {exec_id} has already run"},
    )
    seen = [
        event["Action"]
        for event in engine_server.events(container=[box])
        if event["Actor"]["Attributes"].get("execID") == exec_id
    ]
    assert seen == ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die"]


def test_a_detached_start_that_fails_is_400(engine_server: EngineServer, box: str) -> None:
    exec_id = make(engine_server, box, "nothere")
    status, answer = engine_server.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    assert status == 400
    assert "executable file not found" in answer["message"]
    assert engine_server.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"] == 127


def test_environment_user_and_directory(engine_server: EngineServer, box: str) -> None:
    script = "echo $A $B $(id -u) $(pwd) $HOME"
    arguments = ("exec", "-e", "B=exec", "-u", "user", "-w", "/tmp", box, "sh", "-c", script)
    done = engine_server.docker(*arguments)
    assert done.stdout == b"container exec 1000 /tmp /home\n"


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "No exec command specified"),
        ({"Cmd": ["true"], "User": "nobodyhere"}, 400, "unable to find user nobodyhere"),
        ({"Cmd": ["true"], "DetachKeys": "bad-keys"}, 500, "Invalid detach keys"),
    ],
)
def test_what_cannot_be(
    engine_server: EngineServer, box: str, body: dict[str, object], status: int, text: str
) -> None:
    answered, answer = engine_server.api("POST", f"/containers/{box}/exec", body)
    assert answered == status
    assert text in answer["message"]


def test_an_unknown_exec_is_404(engine_server: EngineServer) -> None:
    assert engine_server.api("GET", "/exec/nosuch/json") == (
        404,
        {"message": "No such exec instance: nosuch"},
    )


def running(engine: EngineServer, exec_id: str) -> bool:
    return bool(engine.api("GET", f"/exec/{exec_id}/json")[1]["Running"])


def test_a_signal_is_sent_to_one_exec(engine_server: EngineServer, box: str) -> None:
    script = "trap 'exit 7' USR1; while :; do sleep 0.01; done"
    exec_id = make(engine_server, box, "sh", "-c", script)
    not_running = (409, {"message": f"exec {exec_id} is not running"})
    assert engine_server.api("POST", f"/exec/{exec_id}/kill") == not_running
    engine_server.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    assert engine_server.api("POST", f"/exec/{exec_id}/kill?signal=0")[0] == 400
    status, _ = engine_server.api("POST", f"/exec/{exec_id}/kill?signal=USR1")
    assert status == 204
    until(lambda: engine_server.api("GET", f"/exec/{exec_id}/json")[1]["ExitCode"] in (7, 138))
    assert engine_server.api("POST", f"/exec/{exec_id}/kill") == not_running
    other = make(engine_server, box, "sleep", "1000")
    engine_server.api("POST", f"/exec/{other}/start", {"Detach": True})
    assert engine_server.api("POST", f"/exec/{other}/kill")[0] == 204
    until(lambda: engine_server.api("GET", f"/exec/{other}/json")[1]["ExitCode"] == 137)
    assert engine_server.state(box)["Running"]


def test_an_exec_is_removed(engine_server: EngineServer, box: str) -> None:
    exec_id = make(engine_server, box, "sleep", "1000")
    engine_server.api("POST", f"/exec/{exec_id}/start", {"Detach": True})
    status, answer = engine_server.api("DELETE", f"/exec/{exec_id}")
    assert (status, "is running: kill it before removal" in answer["message"]) == (409, True)
    pid = engine_server.api("GET", f"/exec/{exec_id}/json")[1]["Pid"]
    assert engine_server.api("DELETE", f"/exec/{exec_id}?force=1")[0] == 204
    assert engine_server.api("GET", f"/exec/{exec_id}/json")[0] == 404
    assert not Path(f"/proc/{pid}").exists()
    assert not list(engine_server.place.rglob(f"*{exec_id}*"))
    never_started = make(engine_server, box, "true")
    assert engine_server.api("DELETE", f"/exec/{never_started}")[0] == 204
    assert engine_server.api("DELETE", f"/exec/{never_started}")[0] == 404


@pytest.mark.parametrize(("tty", "stdin"), [(False, False), (False, True), (True, True)])
def test_an_exec_can_die_with_its_client(
    engine_server: EngineServer, box: str, tty: bool, stdin: bool
) -> None:
    asked = {"AttachStdout": True, "AttachStdin": stdin, "Tty": tty}
    command = ("sh", "-c", "echo on; exec sleep 1000")
    deadly = make(engine_server, box, *command, KillOnDisconnect=True, **asked)
    other = make(engine_server, box, *command, **asked)
    for exec_id in (deadly, other):
        client, received = engine_server.hijack(f"/exec/{exec_id}/start", {"Tty": tty})
        with client:
            while not received.rstrip().endswith(b"on"):
                received += client.recv(100)
            assert running(engine_server, exec_id)
    until(lambda: engine_server.api("GET", f"/exec/{deadly}/json")[1]["ExitCode"] == 137)
    assert running(engine_server, other)
    engine_server.api("DELETE", f"/exec/{other}?force=1")


def test_an_exec_that_dies_with_its_client_outlives_detaching(
    engine_server: EngineServer, box: str
) -> None:
    asked = {"AttachStdout": True, "AttachStdin": True, "Tty": True, "KillOnDisconnect": True}
    exec_id = make(engine_server, box, "sh", "-c", "echo on; exec sleep 1000", **asked)
    client, _ = engine_server.hijack(f"/exec/{exec_id}/start", {"Tty": True})
    with client:
        client.sendall(b"\x10\x11")
        while client.recv(100):
            pass
    assert running(engine_server, exec_id)
    assert engine_server.api("DELETE", f"/exec/{exec_id}?force=1")[0] == 204
    detached = make(engine_server, box, "true", KillOnDisconnect=True)
    status, answer = engine_server.api("POST", f"/exec/{detached}/start", {"Detach": True})
    assert (status, "cannot be started detached" in answer["message"]) == (400, True)


def test_execs_vanish_when_the_container_stops(engine_server: EngineServer) -> None:
    container = engine_server.running()
    running = make(engine_server, container, "sleep", "1000")
    engine_server.api("POST", f"/exec/{running}/start", {"Detach": True})
    assert engine_server.api("GET", f"/containers/{container}/json")[1]["ExecIDs"] == [running]
    exec_id = make(engine_server, container, "true")
    engine_server.api("POST", f"/containers/{container}/kill")
    assert engine_server.api("GET", f"/exec/{exec_id}/json")[0] == 404
    assert engine_server.api("POST", f"/containers/{container}/exec", {"Cmd": ["true"]}) == (
        409,
        {"message": f"container {container} is not running"},
    )
