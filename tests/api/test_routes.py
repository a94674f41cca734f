"""The table against the published description, and what a path leads to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from drayman.api.router import Kind, Route, Router, clean_path
from drayman.api.routes import TABLE, unbuilt
from tests.api.client import Client

OPERATIONS = json.loads((Path(__file__).parent / "operations.json").read_text())["operations"]
# Registered by dockerd and not described, and our own.
EXTRA = 14 + 5
ROUTER = Router(TABLE)

# Taken off this list when they are built.
NOT_BUILT = [
    *("CheckpointList", "CheckpointCreate", "CheckpointDelete"),
    *("ImageBuild", "BuildPrune", "BuildCancel", "ImageAttestations", "ImagePush"),
    *("ImageSearch", "ImagePrune", "ImageCommit", "ImageGet", "ImageGetAll"),
    *("NetworkDelete", "NetworkCreate", "NetworkConnect", "NetworkDisconnect", "NetworkPrune"),
    *("GetPluginPrivileges", "PluginPull", "PluginCreate"),
    *("DistributionInspect", "Session", "Grpc"),
    *("DebugVars", "DebugPprofIndex", "DebugPprofCmdline", "DebugPprofProfile"),
    *("DebugPprofSymbol", "DebugPprofTrace", "DebugPprofNamed"),
]


def shape(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


def test_every_operation_is_in_the_table() -> None:
    ours = {(route.method, shape(route.template), route.operation) for route in TABLE}
    described = {(method, shape(path), operation) for method, path, operation in OPERATIONS}
    assert len(described) == 108
    assert not described - ours
    assert len(TABLE) == 108 + EXTRA


def test_what_is_not_built_is_known() -> None:
    assert sorted(unbuilt()) == sorted(NOT_BUILT)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.template}")
def test_every_operation_is_found(route: Route) -> None:
    path = re.sub(r"\{\w+\}", "some-name", route.template)
    for prefix in ("", "/v1.41"):
        target = "/anything" if path == "*" else path
        assert ROUTER.find(route.method, prefix + target).route is route


@pytest.mark.parametrize(
    ("method", "path", "operation", "name"),
    [
        ("GET", "/containers/web/db/json", "ContainerInspect", "web/db"),
        ("GET", "/containers/json/json", "ContainerInspect", "json"),
        ("GET", "/containers/json", "ContainerList", None),
        ("POST", "/containers/create", "ContainerCreate", None),
        ("DELETE", "/containers/a/b", "ContainerDelete", "a/b"),
        ("DELETE", "/containers/a/checkpoints/b", "CheckpointDelete", "a"),
        ("GET", "/containers/a/attach/ws", "ContainerAttachWebsocket", "a"),
        (
            "GET",
            "/images/reg.io:5000/a/b:c@sha256:0/json",
            "ImageInspect",
            "reg.io:5000/a/b:c@sha256:0",
        ),
        ("GET", "/images/a/get", "ImageGet", "a"),
        ("GET", "/images/get", "ImageGetAll", None),
        ("POST", "/images/a/b/push", "ImagePush", "a/b"),
        ("GET", "/networks/", "NetworkList", None),
        ("GET", "/distribution/a/b/json", "DistributionInspect", "a/b"),
    ],
)
def test_names_are_greedy(method: str, path: str, operation: str, name: str | None) -> None:
    match = ROUTER.find(method, path)
    assert match.route is not None
    assert (match.route.operation, match.variables.get("name")) == (operation, name)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1.41"),
        ("GET", "/v1.41/"),
        ("GET", "/vx/_ping"),
        ("GET", "/v1.41/v1.41/_ping"),
        ("GET", "/containers/json/"),
        ("PUT", "/containers/json"),
        ("HEAD", "/containers/json"),
        ("GET", "/containers/a"),
        ("GET", "/containers/a\nb/json"),
        ("BREW", "/_ping"),
    ],
)
def test_what_is_unknown_is_not_found(method: str, path: str) -> None:
    match = ROUTER.find(method, path)
    assert (match.route, match.location) == (None, "")


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("//containers/json", "/containers/json"),
        ("/containers//box/json", "/containers/box/json"),
        ("/a/../_ping", "/_ping"),
        ("/../../_ping", "/_ping"),
        ("/./_ping/.", "/_ping"),
        ("/networks//", "/networks/"),
        ("/..", "/"),
        ("", "/"),
    ],
)
def test_unclean_paths_are_sent_elsewhere(path: str, clean: str) -> None:
    assert ROUTER.find("GET", path).location == clean
    assert clean_path(clean) == clean


def test_names_with_dots_are_clean() -> None:
    match = ROUTER.find("GET", "/containers/.x..y/json")
    assert (match.location, match.variables) == ("", {"name": ".x..y"})


def test_only_uploads_that_are_built_are_withheld() -> None:
    withheld = {
        route.operation
        for route in TABLE
        if ROUTER.find(route.method, route.template).withholds_body
    }
    assert withheld == {"PutContainerArchive", "ImageLoad", "ImageCreate"}
    assert {route.operation for route in TABLE if route.kind is Kind.HIJACK} == {
        "ContainerAttach",
        "ContainerAttachWebsocket",
        "ExecStart",
        "Session",
        "Grpc",
    }


# ------------------------------------------------------------------ on the wire


def test_unknown_paths_are_documents(client: Client) -> None:
    for method, path in (("GET", "/nope"), ("PUT", "/_ping"), ("GET", "/v1.40/nope")):
        answer = client.ask(method, path)
        assert (answer.status, answer.json()) == (404, {"message": "page not found"})


def test_redirects_keep_the_query(client: Client) -> None:
    answer = client.ask("GET", "/containers//a%20b/json?size=1")
    assert (answer.status, answer.headers["location"]) == (301, "/containers/a%20b/json?size=1")


def test_an_escaped_slash_is_a_slash(client: Client) -> None:
    assert client.ask("GET", "/containers/web%2Fdb/json").json()["Name"] == "/box"


def test_what_is_not_built_says_so(client: Client) -> None:
    answer = client.ask("POST", "/build", body=b"context")
    assert answer.status == 501
    assert answer.json() == {"message": "ImageBuild is not available in this version of Drayman"}


def test_options_of_anything(client: Client) -> None:
    assert client.ask("OPTIONS", "/whatever/it/is").status == 200


@pytest.mark.parametrize(
    ("version", "status", "text"),
    [
        ("1.24", 200, ""),
        ("1.55", 200, ""),
        ("1.55.0", 200, ""),
        ("1", 400, "client version 1 is too old. Minimum supported API version is 1.24,"),
        ("1.23", 400, "client version 1.23 is too old."),
        ("1.56", 400, "client version 1.56 is too new. Maximum supported API version is 1.55"),
        ("2", 400, "client version 2 is too new."),
        ("..", 400, "client version .. is too old."),
        ("9" * 5000, 400, "client version 9"),
    ],
)
def test_versions_have_limits(client: Client, version: str, status: int, text: str) -> None:
    answer = client.ask("GET", f"/v{version}/containers/json")
    assert answer.status == status
    assert text in answer.body.decode()
    if "too old" in text:
        assert answer.headers["content-type"].startswith("text/plain")


def test_an_operation_has_its_first_version(client: Client) -> None:
    answer = client.ask("POST", "/v1.24/containers/prune")
    assert answer.status == 400
    assert answer.json() == {"message": "POST /containers/prune requires minimum API version 1.25"}
    assert client.ask("POST", "/v1.25/containers/prune").status == 200


def test_common_headers(client: Client) -> None:
    for path in ("/_ping", "/nope", "/v1.23/_ping", "/containers/json"):
        headers = client.ask("GET", path).headers
        assert (headers["api-version"], headers["ostype"]) == ("1.55", "linux")
        assert headers["docker-experimental"] == "false"
        assert headers["server"].startswith("Drayman")
        assert headers["date"].endswith("GMT")
