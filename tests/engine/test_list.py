"""Listing containers."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from tests.engine.engines import EngineServer


@pytest.fixture(scope="module")
def three(engine_server: EngineServer) -> dict[str, str]:
    ids = {
        "first": engine_server.create("true", name="first", Labels={"a": "1"}),
        "second": engine_server.running(
            name="second", Labels={"a": "2", "b": ""}, HostConfig={"Binds": ["vol:/data"]}
        ),
        "third": engine_server.running("sh", "-c", "exit 3", name="third"),
    }
    engine_server.api("POST", "/containers/third/wait")
    return ids


def names(engine: EngineServer, query: str = "", **filters: list[str]) -> list[str]:
    encoded = f"&filters={quote(json.dumps(filters))}" if filters else ""
    status, answer = engine.api("GET", f"/containers/json?{query}{encoded}")
    assert status == 200, answer
    return [one["Names"][0].removeprefix("/") for one in answer]


def test_running_ones_alone_unless_all(engine_server: EngineServer, three: object) -> None:
    assert names(engine_server) == ["second"]
    assert names(engine_server, "all=1") == ["third", "second", "first"]
    assert names(engine_server, "limit=2") == ["third", "second"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ["created"]}, ["first"]),
        ({"status": ["created", "exited"]}, ["third", "first"]),
        ({"name": ["^second$"]}, ["second"]),
        ({"name": ["/second"]}, ["second"]),
        ({"label": ["a"]}, ["second", "first"]),
        ({"label": ["a=1"]}, ["first"]),
        ({"label": ["a", "b"]}, ["second"]),
        ({"exited": ["3"]}, ["third"]),
        ({"volume": ["vol"]}, ["second"]),
        ({"volume": ["/data"]}, ["second"]),
        ({"network": ["bridge"]}, ["third", "second", "first"]),
        ({"ancestor": ["busybox"]}, ["third", "second", "first"]),
        ({"ancestor": ["nosuch"]}, []),
        ({"before": ["second"]}, ["first"]),
        ({"since": ["second"]}, ["third"]),
        ({"health": ["none"]}, ["third", "second", "first"]),
        ({"health": ["healthy", "starting"]}, []),
        ({"isolation": ["hyperv"]}, ["third", "second", "first"]),
        ({"is-task": ["0", "false"]}, ["third", "second", "first"]),
        ({"is-task": ["true"]}, []),
        ({"label!": ["a"]}, ["third"]),
        ({"label!": ["a=1", "b"]}, ["third", "second", "first"]),
        ({"name": ["first", "^/?th"]}, ["third", "first"]),
        ({"network": ["none", "bri"]}, []),
        ({"id": ["zz"]}, []),
    ],
)
def test_filters(
    engine_server: EngineServer, three: object, filters: dict[str, list[str]], expected: list[str]
) -> None:
    assert names(engine_server, "all=1", **filters) == expected


@pytest.mark.parametrize(
    ("filters", "status", "text"),
    [
        ({"status": ["odd"]}, 400, "invalid filter 'status=odd'"),
        ({"nosuch": ["x"]}, 400, "invalid filter 'nosuch'"),
        ({"before": ["nosuch"]}, 404, "No such container: nosuch"),
        ({"since": ["nosuch"]}, 404, "No such container: nosuch"),
        ({"publish": ["1-99999999999"]}, 400, "invalid port: 1-99999999999"),
        ({"expose": ["http"]}, 400, "invalid port: http"),
        ({"is-task": ["maybe"]}, 400, "invalid filter 'is-task=[maybe]'"),
        ({"is-task": ["true", "0"]}, 400, "invalid filter 'is-task=[true 0]'"),
        ({"health": ["odd"]}, 400, "invalid filter 'health=odd'"),
        ({"exited": ["odd"]}, 400, "invalid filter 'exited=odd'"),
        ({"ancestor": ["no image"]}, 200, ""),
    ],
)
def test_filters_that_cannot_be(
    engine_server: EngineServer, filters: dict[str, list[str]], status: int, text: str
) -> None:
    path = f"/containers/json?filters={quote(json.dumps(filters))}"
    assert engine_server.api("GET", path) == (status, {"message": text} if text else [])


def test_a_document(engine_server: EngineServer, three: dict[str, str]) -> None:
    _, answer = engine_server.api("GET", "/containers/json?all=1&size=1")
    third = answer[0]
    assert third["Id"] == three["third"]
    assert third["Command"] == "sh -c 'exit 3'"
    assert third["Image"] == "busybox"
    assert third["State"] == "exited"
    assert third["Status"].startswith("Exited (3) ")
    assert third["HostConfig"] == {"NetworkMode": "bridge"}
    assert third["SizeRootFs"] >= third["SizeRw"] >= 0
    assert answer[1]["Status"].startswith("Up ")
    assert answer[1]["Mounts"][0]["Destination"] == "/data"
