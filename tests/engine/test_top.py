"""The processes of a container, as the host's ps shows them."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.states import container_in


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> str:
    box = engine_server.running("sh", "-c", "sleep 1000 & sleep 1001; true")
    path = f"/containers/{box}/top"
    until(lambda: len(engine_server.api("GET", path)[1]["Processes"]) == 3)
    return box


@pytest.mark.parametrize(
    ("arguments", "titles"),
    [
        ("", ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]),
        ("?ps_args=-eo+pid,args", ["PID", "COMMAND"]),
        ("?ps_args=ax+-o+pid,args", ["PID", "COMMAND"]),
    ],
)
def test_its_own_and_no_others(
    engine_server: EngineServer, box: str, arguments: str, titles: list[str]
) -> None:
    status, shown = engine_server.api("GET", f"/containers/{box}/top{arguments}")
    assert status == 200
    assert shown["Titles"] == titles
    commands = [" ".join(row) for row in shown["Processes"]]
    assert len(commands) == 3
    assert sum("sleep 1000" in one for one in commands) == 2
    assert all("sleep" in one for one in commands)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("-eo+args", "Couldn't find PID field in ps output"),
        ("-eo+x=PID", 'specifying "x=PID" is not allowed'),
        ("--nosuch", "ps: error: unknown gnu long option"),
    ],
)
def test_what_ps_or_docker_refuses(
    engine_server: EngineServer, box: str, arguments: str, text: str
) -> None:
    answer = engine_server.api("GET", f"/containers/{box}/top?ps_args={arguments}")
    assert answer == (500, {"message": text})


def test_a_paused_one_has_processes_and_an_ended_one_has_none(engine_server: EngineServer) -> None:
    one = engine_server.running()
    engine_server.api("POST", f"/containers/{one}/pause")
    assert len(engine_server.api("GET", f"/containers/{one}/top")[1]["Processes"]) == 1
    engine_server.api("POST", f"/containers/{one}/kill")
    answer = engine_server.api("GET", f"/containers/{one}/top")
    assert answer == (409, {"message": f"container {one} is not running"})


def test_between_two_runs_there_is_none(engine_server: EngineServer) -> None:
    one = container_in(engine_server, "restarting")
    text = f"Container {one} is restarting, wait until the container is running"
    assert engine_server.api("GET", f"/containers/{one}/top") == (409, {"message": text})


def test_what_is_not_there_has_no_processes(engine_server: EngineServer) -> None:
    text = "No such container: nosuch"
    assert engine_server.api("GET", "/containers/nosuch/top") == (404, {"message": text})
