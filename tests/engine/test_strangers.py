"""Whatever JSON and words a stranger sends: answers keep their shape, refusals leave nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import images, strangers
from tests.engine.engines import EngineServer, until

from drayman.api.options import ExecRequest
from drayman.api.volumes import CreateVolume
from drayman.model.container import CreateRequest, HostConfig, NetworkingConfig

# Each example asks a process over a socket, and the engine is the same for all.
exploring = settings(deadline=None, suppress_health_check=list(HealthCheck))
REFUSALS = (400, 404, 409, 501)
LISTS = (
    "/containers/json?all=1",
    "/images/json?all=1",
    "/volumes?",
    "/networks?",
    "/events?until=1",
)
KEYS = (
    "name", "id", "label", "label!", "status", "exited", "ancestor", "before", "since", "volume",
    "network", "publish", "expose", "health", "is-task", "dangling", "reference", "until", "driver",
    "type", "event", "scope", "container", "image", "nosuch",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def no_errors(engine_server: EngineServer) -> Iterator[None]:
    yield
    assert "Traceback" not in engine_server.log.read_text()


def left(engine: EngineServer) -> dict[str, list[str]]:
    places = ("root/containers", "root/tmp", "root/volumes", "run/c")
    return {place: os.listdir(engine.place / place) for place in places}


def refused(status: int, answer: Any) -> None:
    """An error of the stranger's making, in Docker's shape."""
    assert status in REFUSALS, (status, answer)
    assert list(answer) == ["message"]
    assert isinstance(answer["message"], str)


bodies = st.one_of(
    strangers.bodies(CreateRequest, Image="busybox"),
    st.builds(lambda given: {**strangers.IMAGE, "HostConfig": given}, strangers.bodies(HostConfig)),
    st.builds(
        lambda given: {**strangers.IMAGE, "NetworkingConfig": given},
        strangers.bodies(NetworkingConfig),
    ),
    strangers.anything,
)


@exploring
@given(body=bodies, name=st.just("") | strangers.texts)
def test_creating_containers(engine_server: EngineServer, body: Any, name: str) -> None:
    before = left(engine_server)
    query = urlencode({"name": name[:1000]})
    status, answer = engine_server.api("POST", f"/containers/create?{query}", body)
    if status == 201:
        container = answer["Id"]
        assert engine_server.api("GET", f"/containers/{container}/json?size=1")[0] == 200
        assert engine_server.api("GET", "/containers/json?all=1")[0] == 200
        assert engine_server.api("DELETE", f"/containers/{container}?v=1")[0] == 204
        engine_server.api("POST", "/volumes/prune?filters=" + quote('{"all":["1"]}'))
        until(lambda: left(engine_server) == before)
    else:
        refused(status, answer)
        assert left(engine_server) == before


@exploring
@given(host=strangers.bodies(HostConfig, **strangers.HARMLESS))
def test_starting_containers(engine_server: EngineServer, host: dict[str, Any]) -> None:
    before = left(engine_server)
    status, answer = engine_server.api(
        "POST", "/containers/create", {**strangers.IMAGE, "HostConfig": host}
    )
    if status != 201:
        return
    container = answer["Id"]
    status, answer = engine_server.api("POST", f"/containers/{container}/start")
    # What the kernel refuses is a field's fault.
    if status != 204:
        refused(status, answer)
    engine_server.api("DELETE", f"/containers/{container}?force=1&v=1")
    engine_server.api("POST", "/volumes/prune?filters=" + quote('{"all":["1"]}'))
    until(lambda: left(engine_server) == before)


@pytest.fixture(scope="module")
def box(engine_server: EngineServer) -> Iterator[str]:
    container = engine_server.running()
    yield container
    engine_server.api("DELETE", f"/containers/{container}?force=1")


@exploring
@given(body=strangers.bodies(ExecRequest, Cmd=["true"]) | strangers.bodies(ExecRequest))
def test_creating_execs(engine_server: EngineServer, box: str, body: Any) -> None:
    status, answer = engine_server.api("POST", f"/containers/{box}/exec", body)
    if status == 201:
        assert engine_server.api("GET", f"/exec/{answer['Id']}/json")[0] == 200
    elif status != 500 or not answer["message"].startswith("Invalid detach keys"):
        # Docker answers 500 to those, where it answers 400 to an attach.
        refused(status, answer)


@exploring
@given(body=strangers.bodies(HostConfig))
def test_updating_containers(engine_server: EngineServer, body: Any) -> None:
    container = engine_server.create("true")
    status, answer = engine_server.api("POST", f"/containers/{container}/update", body)
    if status == 200:
        assert list(answer) == ["Warnings"]
    else:
        refused(status, answer)
    assert engine_server.api("GET", f"/containers/{container}/json")[0] == 200
    assert engine_server.api("DELETE", f"/containers/{container}")[0] == 204


@exploring
@given(body=strangers.bodies(CreateVolume) | strangers.anything)
def test_creating_volumes(engine_server: EngineServer, body: Any) -> None:
    before = left(engine_server)["root/volumes"]
    status, answer = engine_server.api("POST", "/volumes/create", body)
    if status == 201:
        assert engine_server.api("DELETE", f"/volumes/{answer['Name']}")[0] == 204
    else:
        refused(status, answer)
    assert left(engine_server)["root/volumes"] == before


@exploring
@given(repository=strangers.texts, tag=strangers.texts)
def test_tagging_images(engine_server: EngineServer, repository: str, tag: str) -> None:
    query = urlencode({"repo": repository, "tag": tag})
    status, answer = engine_server.api("POST", f"/images/busybox/tag?{query}")
    if status != 201:
        refused(status, answer)


@exploring
@given(
    words=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("repo", "tag", "message", "platform"), strangers.texts)
    ),
    changes=st.lists(
        st.builds(
            "{} {}".format, st.sampled_from(("ENV", "CMD", "EXPOSE", "FROM")), strangers.texts
        ),
        max_size=2,
    ),
)
def test_importing_images(
    engine_server: EngineServer, words: dict[str, str], changes: list[str]
) -> None:
    query = urlencode({"fromSrc": "-", **words, "changes": changes}, doseq=True)
    status, answer = engine_server.api(
        "POST", f"/images/create?{query}", images.tar([("file", b"", 0o644)])
    )
    if status == 200:
        assert engine_server.api("DELETE", f"/images/{answer['status']}?force=1")[0] == 200
    else:
        refused(status, answer)
    assert left(engine_server)["root/tmp"] == []


@exploring
@given(
    path=st.sampled_from(LISTS),
    filters=st.dictionaries(
        st.sampled_from(KEYS), st.lists(strangers.texts, max_size=2), max_size=3
    )
    | strangers.anything,
)
def test_filtering_lists(engine_server: EngineServer, path: str, filters: Any) -> None:
    status, answer = engine_server.api("GET", f"{path}&filters={quote(json.dumps(filters))}")
    if status != 200:
        refused(status, answer)
