"""What is asked of the engine for a container, and how it is answered."""

from __future__ import annotations

from typing import Any

import pytest

from drayman.api.options import ChangeOptions
from drayman.errors import (
    Conflict,
    DraymanError,
    Forbidden,
    InvalidParameter,
    NotFound,
    NotModified,
    System,
    Unauthorized,
    Unavailable,
    Unimplemented,
)
from tests.api.client import Client
from tests.api.fake import CONTAINER_ID, Fake

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "question", "given", "named", "status"),
    [
        ("POST", "/start", "container_start", ("box",), {}, 204),
        ("POST", "/stop", "container_stop", ("box", None, None), {}, 204),
        ("POST", "/stop?t=-1&signal=INT", "container_stop", ("box", "INT", -1), {}, 204),
        ("POST", "/restart?t=0", "container_restart", ("box", None, 0), {}, 204),
        ("POST", "/kill", "container_kill", ("box", ""), {}, 204),
        ("POST", "/kill?signal=HUP", "container_kill", ("box", "HUP"), {}, 204),
        ("POST", "/pause", "container_pause", ("box",), {}, 204),
        ("POST", "/unpause", "container_unpause", ("box",), {}, 204),
        ("POST", "/rename?name=%20new", "container_rename", ("box", "new"), {}, 204),
        ("POST", "/resize?h=1&w=2", "container_resize", ("box", 1, 2), {}, 200),
        ("GET", "/top?ps_args=aux", "container_top", ("box", "aux"), {}, 200),
        ("GET", "/changes", "container_changes", ("box", ChangeOptions()), {}, 200),
        (
            "GET",
            "/changes?size=1&since=1.5",
            "container_changes",
            ("box", ChangeOptions(size=True, since_ns=1_500_000_000)),
            {},
            200,
        ),
        ("GET", "/json?size=1", "container_inspect", ("box",), {"size": True}, 200),
        (
            "DELETE",
            "?force=1&v=1",
            "container_remove",
            ("box",),
            {"force": True, "volumes": True, "link": False},
            204,
        ),
    ],
)
def test_questions(
    client: Client,
    engine: Fake,
    method: str,
    path: str,
    question: str,
    given: tuple[Any, ...],
    named: dict[str, Any],
    status: int,
) -> None:
    assert client.ask(method, f"/containers/box{path}").status == status
    assert engine.asks(question) == [(given, named)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotModified("running"), 304),
        (InvalidParameter("bad"), 400),
        (Unauthorized("who"), 401),
        (Forbidden("never"), 403),
        (NotFound("none"), 404),
        (Conflict("in use"), 409),
        (System("disk"), 500),
        (DraymanError("what"), 500),
        (Unimplemented("not yet"), 501),
        (Unavailable("not now"), 503),
    ],
)
def test_errors_by_kind(client: Client, engine: Fake, error: DraymanError, status: int) -> None:
    engine.answers["container_start"] = error
    answer = client.ask("POST", "/containers/box/start")
    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert "content-type" not in answer.headers
    else:
        assert answer.json() == {"message": str(error)}
    assert client.ask("GET", "/_ping").status == 200


def test_start_takes_no_body(client: Client) -> None:
    path = "/containers/box/start"
    assert client.ask("POST", path, body=b"{}", headers=JSON).status == 204
    answer = client.ask("POST", path, body=b'{"a": "b"}', headers=JSON)
    assert (answer.status, answer.json()["message"][:33]) == (
        400,
        "starting container with non-empty",
    )
    client.request("POST", path, headers={"Transfer-Encoding": "chunked"})
    client.send(b"0\r\n\r\n")
    assert client.answer().status == 400


def test_times_that_are_none(client: Client) -> None:
    answer = client.ask("POST", "/containers/box/stop?t=soon")
    assert (answer.status, answer.json()["message"]) == (
        400,
        'strconv.Atoi: parsing "soon": invalid syntax',
    )
    answer = client.ask("POST", "/containers/box/restart?t=soon")
    assert answer.status == 500
    assert answer.json()["message"].startswith("Cannot restart container box: ")


def test_signals_of_old_are_ignored(client: Client, engine: Fake) -> None:
    assert client.ask("POST", "/v1.41/containers/box/stop?signal=INT").status == 204
    assert engine.asks("container_stop") == [(("box", None, None), {})]


def test_nothing_is_null(client: Client) -> None:
    assert client.ask("GET", "/containers/box/changes").body == b"null\n"
    answer = client.ask("POST", "/containers/box/update", body=b"{}", headers=JSON)
    assert answer.body == b'{"Warnings":null}\n'


def test_create(client: Client, engine: Fake) -> None:
    body = b'{"Image":"busybox","tty":true,"HostConfig":{"Memory":1},"NetworkingConfig":null}'
    answer = client.ask(
        "POST", "/containers/create?name=box&platform=linux", body=body, headers=JSON
    )
    assert (answer.status, answer.json()) == (201, {"Id": CONTAINER_ID, "Warnings": []})
    (name, config, host, networking, platform), _ = engine.asks("container_create")[0]
    assert (name, platform) == ("box", "linux")
    assert (config.image, config.tty, host.memory) == ("busybox", True, 1)
    assert networking.endpoints_config is None
    assert type(config).__name__ == "ContainerConfig"


def test_create_needs_a_body(client: Client) -> None:
    answer = client.ask("POST", "/containers/create")
    assert (answer.status, answer.json()) == (
        400,
        {"message": "invalid JSON: got EOF while reading request body"},
    )


def test_the_list(client: Client, engine: Fake) -> None:
    query = "all=1&limit=3&size=true&before=x&filters=%7B%22name%22%3A%7B%22%5Ebox%22%3Atrue%7D%7D"
    assert client.ask("GET", f"/containers/json?{query}").json()[0]["Names"] == ["/box"]
    assert engine.asks("container_list")[0][1] == {
        "all": True,
        "limit": 3,
        "size": True,
        "filters": {"name": ["^box"], "before": ["x"]},
    }
    assert b'"<&>"' in client.ask("GET", "/containers/json").body
    assert client.ask("GET", "/containers/json?limit=x").status == 400


def test_what_the_engine_did_not_foresee(client: Client, engine: Fake) -> None:
    engine.answers["container_top"] = KeyError("oops")
    answer = client.ask("GET", "/containers/box/top")
    assert (answer.status, answer.json()) == (500, {"message": "unexpected KeyError: 'oops'"})
    assert client.ask("GET", "/_ping").status == 200
    client.socket.close()
