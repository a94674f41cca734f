"""Restart policies."""

from __future__ import annotations

from typing import Any

from tests.engine.engines import EngineServer, until


def policy(name: str, limit: int = 0) -> dict[str, Any]:
    return {"HostConfig": {"RestartPolicy": {"Name": name, "MaximumRetryCount": limit}}}


def restarts(engine: EngineServer, container: str) -> int:
    count: int = engine.api("GET", f"/containers/{container}/json")[1]["RestartCount"]
    return count


def test_on_failure_gives_up_after_its_limit(engine_server: EngineServer) -> None:
    container = engine_server.running("false", **policy("on-failure", 2))
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert restarts(engine_server, container) == 2
    actions = engine_server.actions(container)
    assert actions == ["create", "start", "die", "start", "die", "start", "die"]


def test_on_failure_lets_success_be(engine_server: EngineServer) -> None:
    container = engine_server.running("true", **policy("on-failure"))
    engine_server.api("POST", f"/containers/{container}/wait")
    assert engine_server.state(container)["Status"] == "exited"
    assert restarts(engine_server, container) == 0


def test_always_backs_off_and_stop_calls_it_off(engine_server: EngineServer) -> None:
    container = engine_server.running("false", **policy("always"))
    until(lambda: engine_server.state(container)["Status"] == "restarting")
    state = engine_server.state(container)
    assert (state["Running"], state["Restarting"], state["Pid"]) == (True, True, 0)
    assert engine_server.api("POST", f"/containers/{container}/stop")[0] == 204
    assert engine_server.state(container)["Status"] == "exited"


def test_a_kill_silences_the_policy(engine_server: EngineServer) -> None:
    container = engine_server.running(**policy("always"))
    assert engine_server.api("POST", f"/containers/{container}/kill")[0] == 204
    assert engine_server.state(container)["Status"] == "exited"


def test_update_takes_effect_live(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "read x; exit 3", OpenStdin=True, StdinOnce=True)
    changes = policy("on-failure", 1)["HostConfig"]
    assert engine_server.api("POST", f"/containers/{container}/update", changes) == (
        200,
        {"Warnings": None},
    )
    engine_server.docker("attach", container, stdin=b"go\n", code=None)
    until(lambda: engine_server.actions(container).count("start") == 2)
    assert restarts(engine_server, container) == 1


def test_a_manual_start_counts_anew(engine_server: EngineServer) -> None:
    container = engine_server.running("false", **policy("on-failure", 1))
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert restarts(engine_server, container) == 1
    assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204
    until(lambda: engine_server.actions(container).count("die") == 4)
    assert restarts(engine_server, container) == 1


def test_removal_by_force_ends_the_back_off(engine_server: EngineServer) -> None:
    container = engine_server.running("false", **policy("always"))
    until(lambda: engine_server.state(container)["Status"] == "restarting")
    assert engine_server.api("DELETE", f"/containers/{container}?force=1")[0] == 204
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 404
