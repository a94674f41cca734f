"""Pause and unpause."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.engine.engines import EngineServer, until

# A program that goes on writes twenty lines meanwhile.
STANDSTILL_S = 0.3


def test_a_paused_container_stands_still(engine_server: EngineServer) -> None:
    container = engine_server.running(name="frozen")
    assert engine_server.api("POST", f"/containers/{container}/pause")[0] == 204
    state = engine_server.state(container)
    assert (state["Status"], state["Paused"], state["Running"]) == ("paused", True, True)
    assert engine_server.api("POST", f"/containers/{container}/pause") == (
        409,
        {"message": f"container {container} is already paused"},
    )
    body = {"Cmd": ["true"]}
    assert engine_server.api("POST", "/containers/frozen/exec", body) == (
        409,
        {"message": "Container frozen is paused, unpause the container before exec"},
    )
    assert engine_server.api("POST", f"/containers/{container}/unpause")[0] == 204
    assert engine_server.api("POST", f"/containers/{container}/unpause") == (
        500,
        {"message": f"Container {container} is not paused"},
    )
    engine_server.docker("exec", container, "true")
    assert engine_server.actions(container)[2:4] == ["pause", "unpause"]


def test_processes_do_not_get_on(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "while :; do echo; sleep 0.01; done")
    engine_server.docker("pause", container)

    def lines() -> int:
        return engine_server.docker("logs", container).stdout.count(b"\n")

    before = lines()
    threading.Event().wait(STANDSTILL_S)
    assert lines() <= before + 1
    engine_server.docker("unpause", container)
    until(lambda: lines() > before + 1)


def test_execs_stand_still_too(engine_server: EngineServer) -> None:
    box = engine_server.client().containers.get(engine_server.running())
    script = "echo begun >/begun; sleep 0.1; echo on"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine_server.docker, "exec", box.id, "sh", "-c", script)
        until(lambda: box.exec_run(["test", "-e", "/begun"]).exit_code == 0)
        box.pause()
        box.reload()
        assert box.status == "paused"
        box.unpause()
        assert running.result().stdout == b"on\n"


def test_who_is_being_killed_is_not_held_back(engine_server: EngineServer) -> None:
    for _ in range(10):
        container = engine_server.running()
        with ThreadPoolExecutor(2) as pool:
            pausing = pool.submit(engine_server.api, "POST", f"/containers/{container}/pause")
            killing = pool.submit(engine_server.api, "POST", f"/containers/{container}/kill")
            assert pausing.result()[0] in (204, 409)
            assert killing.result()[0] == 204
        assert engine_server.state(container)["ExitCode"] == 137
        last = engine_server.actions(container)[2:]
        assert last in (["pause", "kill", "die"], ["kill", "die"])
