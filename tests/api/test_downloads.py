"""Connections lent for a download: head first, bytes by others, then the next request."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from typing import Any

import pytest

from drayman.api.options import PathStat
from drayman.errors import Conflict, InvalidParameter, NotFound, System
from tests.api.client import PATIENCE_S, Client
from tests.api.conftest import Running
from tests.api.fake import Fake, Payload, container

BULK = b"0123456789abcdef" * 65536


async def for_ever() -> None:
    await asyncio.Event().wait()


def give(engine: Fake, payload: Payload) -> Payload:
    """Let every kind of download be this one."""
    stat = PathStat(name="hosts", size_bytes=3, mode=0o644, mtime_ns=10**18 + 500, link_target="/x")
    engine.answers["archive_get"] = (stat, payload)
    engine.answers["export"] = payload
    engine.answers["container_logs"] = payload
    return payload


DOWNLOADS = [
    ("/containers/box/archive?path=/etc/hosts", "application/x-tar"),
    ("/containers/box/export", "application/octet-stream"),
    ("/containers/box/logs?stdout=1", "application/vnd.docker.multiplexed-stream"),
]


@pytest.mark.parametrize(("path", "media_type"), DOWNLOADS)
def test_the_connection_comes_back(
    client: Client, engine: Fake, path: str, media_type: str
) -> None:
    for _ in range(3):
        payload = give(engine, Payload(b"a", BULK, b"b"))
        answer = client.ask("GET", path)
        assert answer.body == b"a" + BULK + b"b"
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.headers["content-type"] == media_type
        assert client.ask("GET", "/_ping").body == b"OK"
        assert payload.closed.wait(PATIENCE_S)


def test_what_was_sent_ahead_follows(client: Client, engine: Fake) -> None:
    give(engine, Payload(BULK))
    export = b"GET /containers/box/export HTTP/1.1\r\nHost: d\r\n\r\n"
    client.send((export + b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n") * 3)
    for _ in range(3):
        assert client.answer().body == BULK
        assert client.answer().body == b"OK"


def test_a_client_that_ended_its_sending_gets_it_whole(client: Client, engine: Fake) -> None:
    give(engine, Payload(BULK))
    client.request("GET", "/containers/box/export")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer().body == BULK
    assert client.is_closed


def test_http_1_0_gets_it_without_chunks(client: Client, engine: Fake) -> None:
    give(engine, Payload(b"a", BULK))
    client.send(b"GET /containers/box/export HTTP/1.0\r\n\r\n")
    answer = client.answer()
    assert "transfer-encoding" not in answer.headers
    assert answer.body == b"a" + BULK


@pytest.mark.parametrize(
    ("error", "status"), [(NotFound("gone"), 404), (Conflict("dead"), 409), (System("disk"), 500)]
)
def test_an_error_before_the_head_is_a_document(
    client: Client, engine: Fake, error: Exception, status: int
) -> None:
    engine.answers["export"] = error
    answer = client.ask("GET", "/containers/box/export")
    assert (answer.status, answer.json()) == (status, {"message": str(error)})
    assert client.ask("GET", "/_ping").body == b"OK"


def test_an_error_after_the_head_cuts_the_answer(client: Client, engine: Fake) -> None:
    async def fail() -> None:
        raise System("the disk is gone")

    payload = give(engine, Payload(b"half", then=fail))
    client.request("GET", "/containers/box/export")
    assert client.head()[0] == 200
    assert client.chunk() == b"half"
    with pytest.raises((EOFError, ConnectionResetError)):
        client.chunk()
    assert payload.closed.is_set()


@pytest.mark.parametrize("read_first", [0, 100_000])
def test_a_client_that_vanishes_stops_it(running: Running, read_first: int) -> None:
    payload = give(running.engine, Payload(BULK * 20))
    with running.client() as client:
        client.request("GET", "/containers/box/export")
        client.exactly(read_first)
    running.see_no_connection()
    assert payload.closed.wait(PATIENCE_S)


@pytest.mark.parametrize("way", ["close", "half-close"])
def test_following_logs_ends_with_the_client(running: Running, way: str) -> None:
    payload = give(running.engine, Payload(b"line\n", then=for_ever))
    with running.client() as client:
        client.request("GET", "/containers/box/logs?follow=1&stdout=1")
        assert client.head()[0] == 200
        assert client.chunk() == b"line\n"
        client.socket.shutdown(socket.SHUT_WR if way == "half-close" else socket.SHUT_RDWR)
        assert payload.cancelled.wait(PATIENCE_S)
    running.see_no_connection()
    assert payload.closed.wait(PATIENCE_S)


def test_the_head_of_logs_does_not_wait(client: Client, engine: Fake) -> None:
    give(engine, Payload(then=for_ever))
    client.request("GET", "/containers/box/logs?follow=1&stdout=1")
    assert client.head()[0] == 200


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("stdout=1", {"stdout": True, "stderr": False, "tail": None, "since_ns": None}),
        ("stderr=yes&tail=5&timestamps=1", {"stderr": True, "tail": 5, "timestamps": True}),
        ("stdout=1&tail=all&details=1", {"tail": None, "details": True}),
        ("stdout=1&tail=-3", {"tail": None}),
        ("stdout=1&tail=0&since=1.5", {"tail": 0, "since_ns": 1_500_000_000}),
        ("stdout=1&until=0", {"until_ns": None}),
        ("stdout=1", {"json": False, "cursor": None, "limit": None, "slow": "wait"}),
        ("stdout=1&cursor=&limit=7", {"cursor": "", "limit": 7}),
        ("stdout=1&grep=a%20b&whole=1&slow=drop", {"grep": "a b", "whole": True, "slow": "drop"}),
        ("stdout=1&until=1700000000.000000001", {"until_ns": 1_700_000_000_000_000_001}),
    ],
)
def test_options_of_logs(
    client: Client, engine: Fake, query: str, expected: dict[str, Any]
) -> None:
    assert client.ask("GET", f"/containers/box/logs?{query}").status == 200
    (_, options), _ = engine.asks("container_logs")[0]
    assert {key: getattr(options, key) for key in expected} == expected


@pytest.mark.parametrize(
    "query",
    [
        *("", "stdout=0", "stdout=1&since=yesterday", "stdout=1&until=1.x"),
        *("stdout=1&limit=-1", "stdout=1&slow=down", "stdout=1&grep=a&grep-regex=b"),
    ],
)
def test_logs_that_cannot_be_meant(client: Client, query: str) -> None:
    assert client.ask("GET", f"/containers/box/logs?{query}").status == 400


@pytest.mark.parametrize(
    ("version", "tty", "kind"),
    [("1.41", False, "raw"), ("1.42", True, "raw"), ("1.42", False, "multiplexed")],
)
def test_the_type_of_logs(client: Client, engine: Fake, version: str, tty: bool, kind: str) -> None:
    engine.answers["container_get"] = container(tty=tty)
    answer = client.ask("GET", f"/v{version}/containers/box/logs?stdout=1")
    assert answer.headers["content-type"] == f"application/vnd.docker.{kind}-stream"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_path_is_described_in_a_header(client: Client, engine: Fake, method: str) -> None:
    give(engine, Payload(b"tar"))
    engine.answers["archive_stat"] = engine.answers["archive_get"][0]
    answer = client.ask(method, "/containers/box/archive?path=/etc/hosts")
    assert json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"])) == {
        "name": "hosts",
        "size": 3,
        "mode": 0o644,
        "mtime": "2001-09-09T01:46:40.0000005Z",
        "linkTarget": "/x",
    }
    assert client.ask("GET", "/_ping").body == b"OK"


def test_the_engine_is_asked_to_compress(client: Client, engine: Fake) -> None:
    give(engine, Payload(b"packed"))
    path = "/containers/box/archive?path=/x"
    assert "content-encoding" not in client.ask("GET", path).headers
    answer = client.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert [given[2].coding for given, _ in engine.asks("archive_get")] == [None, "gzip"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_path_must_be_given(client: Client, method: str) -> None:
    answer = client.ask(method, "/containers/box/archive?path=")
    assert answer.status == 400
    assert method == "HEAD" or answer.json() == {"message": "bad parameter: path cannot be empty"}


def test_an_invalid_log_driver_says_so(client: Client, engine: Fake) -> None:
    engine.answers["container_logs"] = InvalidParameter("no")
    assert client.ask("GET", "/containers/box/logs?stdout=1").json() == {"message": "no"}


@pytest.mark.parametrize(
    ("query", "accept", "version", "kind"),
    [
        ("&format=json", "*/*", "1.54", "application/jsonl"),
        ("&format=json", "*/*", "1.53", "application/vnd.docker.multiplexed-stream"),
        ("", "application/*", "1.54", "application/vnd.docker.multiplexed-stream"),
        ("", "application/json-seq;q=0.5, application/x-ndjson", "1.54", "application/x-ndjson"),
    ],
)
def test_logs_as_documents(
    client: Client, query: str, accept: str, version: str, kind: str
) -> None:
    path = f"/v{version}/containers/box/logs?stdout=1{query}"
    answer = client.ask("GET", path, headers={"Accept": accept})
    assert answer.headers["content-type"] == kind


def test_a_cursor_is_told_behind_the_log(client: Client, engine: Fake) -> None:
    payload = give(engine, Payload(BULK))
    payload.trailers = {"X-Drayman-Log-Cursor": "1-2"}
    client.request("GET", "/containers/box/logs?stdout=1&cursor=")
    status, _, headers = client.head()
    assert (status, headers["trailer"]) == (200, "X-Drayman-Log-Cursor, X-Drayman-Log-Gap")
    assert client.chunk() == BULK
    assert client.until(b"\r\n\r\n") == b"0\r\nX-Drayman-Log-Cursor: 1-2"
