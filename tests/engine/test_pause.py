"""Pause and unpause."""

from __future__ import annotations

from tests.engine.engines import EngineServer


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


def test_only_what_runs_can_be_paused(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    assert engine_server.api("POST", f"/containers/{container}/pause") == (
        409,
        {"message": f"container {container} is not running"},
    )
