"""Stop."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer
from tests.engine.states import ready


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


def test_a_bad_signal_is_a_fault_of_the_engine(engine_server: EngineServer) -> None:
    container = engine_server.running()
    assert engine_server.api("POST", f"/containers/{container}/stop?signal=NOPE") == (
        500,
        {"message": f"cannot stop container: {container}: invalid signal: NOPE"},
    )
    assert engine_server.state(container)["Status"] == "running"
    # Not looked at before 1.42.
    path = f"/v1.41/containers/{container}/stop?t=0&signal=NOPE"
    assert engine_server.api("POST", path)[0] == 204


def test_a_paused_container_acts_on_the_signal(engine_server: EngineServer) -> None:
    container = ready(engine_server)
    engine_server.docker("pause", container)
    engine_server.docker("stop", "-t", "20", container)
    assert engine_server.state(container)["ExitCode"] == 5


def test_a_negative_time_never_kills(engine_server: EngineServer) -> None:
    container = ready(engine_server, "trap 'sleep 1; exit 7' TERM; echo ready; sleep 1000 & wait")
    engine_server.client().api.stop(container, timeout=-1)
    assert engine_server.state(container)["ExitCode"] == 7


def test_the_container_says_how_long_and_by_which_signal(engine_server: EngineServer) -> None:
    container = ready(
        engine_server,
        "trap '' INT; trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done",
        StopSignal="SIGINT",
        StopTimeout=0,
    )
    engine_server.docker("stop", container)
    kills = engine_server.events(container=[container], event=["kill"])
    assert [one["Actor"]["Attributes"]["signal"] for one in kills] == ["2", "9"]
    assert engine_server.state(container)["ExitCode"] == 137


@pytest.mark.parametrize("time", ["x", "1.5"])
def test_a_time_that_is_no_number_is_400(engine_server: EngineServer, time: str) -> None:
    text = f'strconv.Atoi: parsing "{time}": invalid syntax'
    # It is looked at before there is a container.
    for name in (engine_server.create("true"), "nosuch"):
        answer = engine_server.api("POST", f"/containers/{name}/stop?t={time}")
        assert answer == (400, {"message": text})
