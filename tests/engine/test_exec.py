"""Second processes in containers."""

from __future__ import annotations

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
