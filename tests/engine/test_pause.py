"""Pause and unpause."""

from __future__ import annotations

import threading

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
    container = engine_server.client().containers.get(engine_server.running())
    _, output = container.exec_run(["sh", "-c", "sleep 0.1; echo on"], stream=True)
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    assert b"".join(output) == b"on\n"
