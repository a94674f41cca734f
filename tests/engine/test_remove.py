"""Removing containers."""

from __future__ import annotations

import os
import signal

from tests.engine.engines import EngineServer
from tests.engine.states import container_in


def test_a_running_container_stays_unless_forced(engine_server: EngineServer) -> None:
    container = engine_server.running(name="running-one")
    assert engine_server.api("DELETE", "/containers/running-one") == (
        409,
        {
            "message": 'cannot remove container "running-one": container is running:'
            " stop the container before removing or force remove"
        },
    )
    assert engine_server.api("DELETE", "/containers/running-one?force=1")[0] == 204
    assert engine_server.api("GET", f"/containers/{container}/json") == (
        404,
        {"message": f"No such container: {container}"},
    )
    actions = engine_server.actions(container)
    assert actions[-3:] == ["kill", "die", "destroy"]


def test_a_paused_container_says_so(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.api("POST", f"/containers/{container}/pause")
    status, answer = engine_server.api("DELETE", f"/containers/{container}")
    assert status == 409
    assert "container is paused and must be unpaused first" in answer["message"]
    assert engine_server.api("DELETE", f"/containers/{container}?force=1")[0] == 204


def test_nobody_has_links(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    text = "Conflict, cannot remove the default link name of the container"
    path = f"/containers/{container}?link=1"
    assert engine_server.api("DELETE", path) == (500, {"message": text})
    assert engine_server.api("DELETE", "/containers/nosuch?link=1")[0] == 404


def test_a_removed_name_is_free(engine_server: EngineServer) -> None:
    engine_server.create("true", name="again")
    engine_server.api("DELETE", "/containers/again")
    engine_server.create("true", name="again")


def test_named_volumes_stay(engine_server: EngineServer) -> None:
    container = engine_server.create("true", HostConfig={"Binds": ["kept:/v"]})
    assert engine_server.api("DELETE", f"/containers/{container}?v=1")[0] == 204
    assert engine_server.api("GET", "/volumes/kept")[0] == 200


def test_anonymous_volumes_stay_without_v(engine_server: EngineServer) -> None:
    container = engine_server.create("true", Volumes={"/v": {}})
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    volume = document["Mounts"][0]["Name"]
    assert engine_server.api("DELETE", f"/containers/{container}")[0] == 204
    assert engine_server.api("GET", f"/volumes/{volume}")[0] == 200


def test_force_takes_one_that_is_ending_by_itself(engine_server: EngineServer) -> None:
    for _ in range(5):
        container = engine_server.running()
        # Its shim hangs up before the engine has recorded how it ended.
        os.kill(engine_server.shim(container), signal.SIGKILL)
        status, answer = engine_server.api("DELETE", f"/containers/{container}?force=1")
        assert status == 204, answer


def test_one_that_is_being_restarted_says_so(engine_server: EngineServer) -> None:
    one = container_in(engine_server, "restarting")
    assert engine_server.api("DELETE", f"/containers/{one}") == (
        409,
        {
            "message": f'cannot remove container "{one}": container is restarting: stop the '
            "container before removing or force remove"
        },
    )
    assert engine_server.api("DELETE", f"/containers/{one}?force=1")[0] == 204
