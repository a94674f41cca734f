"""Restart, by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.engine.engines import EngineServer
from tests.engine.states import ready


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


def test_what_does_not_run_is_started(engine_server: EngineServer) -> None:
    container = engine_server.create("sleep", "1000")
    engine_server.docker("restart", "-t", "0", container)
    assert engine_server.state(container)["Status"] == "running"
    assert engine_server.actions(container) == ["create", "start", "restart"]


def test_every_failure_is_a_fault_of_the_engine(engine_server: EngineServer) -> None:
    container = engine_server.running()
    for query, text in (
        ("t=x", 'strconv.Atoi: parsing "x": invalid syntax'),
        ("signal=NOPE", "invalid signal: NOPE"),
    ):
        status, answer = engine_server.api("POST", f"/containers/{container}/restart?{query}")
        assert status == 500
        assert answer["message"].startswith(f"Cannot restart container {container}: ")
        assert text in answer["message"]
    assert engine_server.state(container)["Status"] == "running"
    status, answer = engine_server.api("POST", "/containers/nosuch/restart")
    assert (status, answer["message"]) == (404, "No such container: nosuch")


def test_many_at_once_leave_a_container_that_goes_with_its_process(
    engine_server: EngineServer,
) -> None:
    container = ready(engine_server, HostConfig={"AutoRemove": True})
    api = engine_server.client().api
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.restart(container, timeout=1), range(16)))
    assert engine_server.state(container)["Status"] == "running"
    actions = [one for one in engine_server.actions(container) if one in ("start", "die")]
    assert actions == ["start", "die"] * (len(actions) // 2) + ["start"]


def test_the_policy_counts_anew(engine_server: EngineServer) -> None:
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}
    container = engine_server.running("false", HostConfig=policy)
    engine_server.api("POST", f"/containers/{container}/wait?condition=not-running")
    engine_server.docker("restart", container)
    engine_server.docker("stop", container)
    _, found = engine_server.api("GET", f"/containers/{container}/json")
    assert found["RestartCount"] <= 1


def test_a_program_that_is_not_there_is_told_with_the_container(
    engine_server: EngineServer,
) -> None:
    container = engine_server.create("nosuchprogram")
    status, answer = engine_server.api("POST", f"/containers/{container}/restart")
    assert status == 500
    text = answer["message"]
    assert text.startswith(f"Cannot restart container {container}: failed to create task")
    assert engine_server.state(container)["ExitCode"] == 127
    told = engine_server.docker("restart", container, code=1).stderr.decode()
    assert text in told
