"""Stop, kill and restart."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer, until

TRAP = "trap 'exit 5' TERM; trap 'exit 6' INT; echo ready; while :; do sleep 0.01; done"


def ready(engine: EngineServer, script: str = TRAP, **body: object) -> str:
    """A container that has said that it is ready."""
    container = engine.running("sh", "-c", script, **body)
    until(lambda: b"ready" in engine.docker("logs", container).stdout)
    return container


def test_stop_asks_first(engine_server: EngineServer) -> None:
    container = ready(engine_server)
    assert engine_server.api("POST", f"/containers/{container}/stop?t=20")[0] == 204
    state = engine_server.state(container)
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 5, 0)
    actions = engine_server.actions(container)
    assert actions[-3:-1] == ["kill", "die"] or actions[-2:] == ["die", "stop"]


def test_stop_takes_the_signal_that_is_asked_for(engine_server: EngineServer) -> None:
    container = ready(engine_server)
    assert engine_server.api("POST", f"/containers/{container}/stop?signal=SIGINT")[0] == 204
    assert engine_server.state(container)["ExitCode"] == 6


def test_stop_kills_who_does_not_listen(engine_server: EngineServer) -> None:
    container = ready(engine_server, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
    assert engine_server.api("POST", f"/containers/{container}/stop?t=1")[0] == 204
    assert engine_server.state(container)["ExitCode"] == 137
    signals = [
        event["Actor"]["Attributes"]["signal"]
        for event in engine_server.events(container=[container], event=["kill"])
    ]
    assert signals == ["15", "9"]


@pytest.mark.parametrize("run", [False, True])
def test_stop_of_what_does_not_run_is_304(engine_server: EngineServer, run: bool) -> None:
    container = engine_server.create("true")
    if run:
        engine_server.api("POST", f"/containers/{container}/start")
        engine_server.api("POST", f"/containers/{container}/wait")
    assert engine_server.api("POST", f"/containers/{container}/stop")[0] == 304


def test_a_bad_signal_is_500_for_stop_and_400_for_kill(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/stop?signal=NOPE") == (
        500,
        {"message": f"cannot stop container: {container}: invalid signal: NOPE"},
    )
    # Not looked at before 1.42.
    assert engine_server.api("POST", f"/v1.41/containers/{container}/stop?signal=NOPE")[0] == 204
    engine_server.api("POST", f"/containers/{container}/start")
    assert engine_server.api("POST", f"/containers/{container}/kill?signal=NOPE") == (
        400,
        {"message": f"cannot kill container: {container}: invalid signal: NOPE"},
    )


def test_kill_waits_for_the_end(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/kill")[0] == 204
    assert engine_server.state(container)["ExitCode"] == 137
    assert engine_server.api("POST", f"/containers/{container}/kill") == (
        409,
        {"message": f"cannot kill container: {container}: container {container} is not running"},
    )


def test_a_kill_says_what_it_could_not(engine_server: EngineServer) -> None:
    assert engine_server.api("POST", "/containers/nosuch/kill") == (
        404,
        {"message": "cannot kill container: nosuch: No such container: nosuch"},
    )


def test_a_paused_container_can_be_killed_and_stopped(engine_server: EngineServer) -> None:
    for verb in ("kill", "stop?t=1"):
        container = engine_server.running()
        engine_server.api("POST", f"/containers/{container}/pause")
        assert engine_server.api("POST", f"/containers/{container}/{verb}")[0] == 204
        assert engine_server.state(container)["Status"] == "exited"


def test_restart_ends_one_run_and_begins_another(engine_server: EngineServer) -> None:
    container = ready(engine_server, HostConfig={"AutoRemove": True})
    before = engine_server.state(container)
    assert engine_server.api("POST", f"/containers/{container}/restart?t=5")[0] == 204
    after = engine_server.state(container)
    assert (after["Status"], after["Running"]) == ("running", True)
    assert after["Pid"] != before["Pid"]
    actions = engine_server.actions(container)
    assert actions[-1] == "restart"
    assert set(actions[-5:]) == {"kill", "die", "stop", "start", "restart"}


def test_a_timeout_is_a_number(engine_server: EngineServer) -> None:
    text = 'strconv.Atoi: parsing "x": invalid syntax'
    # It is looked at before there is a container.
    for name in (ready(engine_server), "nosuch"):
        answer = engine_server.api("POST", f"/containers/{name}/stop?t=x")
        assert answer == (400, {"message": text})
    assert engine_server.api("POST", "/containers/nosuch/stop") == (
        404,
        {"message": "No such container: nosuch"},
    )
