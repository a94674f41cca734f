"""Prune: removing what does not run."""

from __future__ import annotations

import pytest
from tests.engine.engines import EngineServer
from tests.engine.states import container_in


def test_prune_takes_what_does_not_run(engine_server: EngineServer) -> None:
    kept = engine_server.running()
    engine_server.create("true", Labels={"keep": "me"}, name="labelled")
    gone = engine_server.create("true")
    path = '/containers/prune?filters={"label!":["keep"]}'
    status, answer = engine_server.api("POST", path)
    assert status == 200
    assert gone in answer["ContainersDeleted"]
    assert engine_server.api("GET", f"/containers/{kept}/json")[0] == 200
    assert engine_server.api("GET", "/containers/labelled/json")[0] == 200
    assert engine_server.api("POST", '/containers/prune?filters={"label":["no"]}')[1] == {
        "ContainersDeleted": None,
        "SpaceReclaimed": 0,
    }
    assert engine_server.api("POST", '/containers/prune?filters={"x":["y"]}')[0] == 400


def test_it_takes_each_state_that_a_removal_takes(engine_server: EngineServer) -> None:
    gone = {container_in(engine_server, state) for state in ("created", "exited", "dead")}
    kept = {container_in(engine_server, state) for state in ("running", "paused", "restarting")}
    answer = engine_server.client().containers.prune()
    assert gone <= set(answer["ContainersDeleted"])
    left = {one["Id"] for one in engine_server.api("GET", "/containers/json?all=1")[1]}
    assert kept <= left
    assert not gone & left


def test_it_says_how_much_room_that_makes(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "head -c 1048576 /dev/zero >/big")
    engine_server.api("POST", f"/containers/{container}/wait")
    printed = engine_server.docker("container", "prune", "-f").stdout.decode()
    assert container in printed
    assert "Total reclaimed space: 1.049MB" in printed
    last = engine_server.events(type=["container"], event=["prune"])[-1]
    assert last["Actor"]["Attributes"]["reclaimed"] == str(1 << 20)


@pytest.mark.parametrize(("until", "taken"), [("1h", False), ("0s", True)])
def test_what_is_young_can_be_spared(engine_server: EngineServer, until: str, taken: bool) -> None:
    container = engine_server.create("true")
    engine_server.docker("container", "prune", "-f", "--filter", f"until={until}")
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == (404 if taken else 200)


def test_volumes_stay(engine_server: EngineServer) -> None:
    container = engine_server.create("true", Volumes={"/v": {}})
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    engine_server.docker("container", "prune", "-f")
    assert engine_server.api("GET", f"/volumes/{document['Mounts'][0]['Name']}")[0] == 200
