"""Without a descriptor of its own: another server, TLS, a test client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from drayman.api.app import build
from drayman.api.options import PathStat
from drayman.errors import System
from tests.api.fake import Fake, Payload

BULK = b"0123456789abcdef" * 100_000


@pytest.fixture
def engine() -> Fake:
    return Fake()


@pytest.fixture
def client(engine: Fake) -> Iterator[TestClient]:
    with TestClient(build(engine)) as one:  # type: ignore[arg-type]
        yield one


def test_documents(client: TestClient) -> None:
    assert client.get("/_ping").text == "OK"
    assert client.get("/v1.41/containers/json").json()[0]["Names"] == ["/box"]


def test_a_download(client: TestClient, engine: Fake) -> None:
    stat = PathStat(name="x", size_bytes=0, mode=0, mtime_ns=0)
    engine.answers["archive_get"] = (stat, Payload(b"a", BULK, b"z"))
    plain = {"Accept-Encoding": "identity"}
    answer = client.get("/containers/box/archive?path=/x", headers=plain)
    assert answer.content == b"a" + BULK + b"z"


def test_an_upload(client: TestClient, engine: Fake) -> None:
    assert client.put("/containers/box/archive?path=/x", content=BULK).status_code == 200
    assert client.put("/containers/box/archive?path=/x").status_code == 200
    assert engine.uploads == [BULK, b""]


def test_an_upload_that_fails(client: TestClient, engine: Fake) -> None:
    engine.answers["archive_put"] = System("disk")
    answer = client.put("/containers/box/archive?path=/x", content=BULK)
    assert (answer.status_code, answer.json()) == (500, {"message": "disk"})


def test_a_stream(client: TestClient) -> None:
    assert client.get("/events").json()["Action"] == "start"


def test_a_hijack_is_refused(client: TestClient) -> None:
    answer = client.post("/exec/e/start", json={})
    assert answer.status_code == 501
    assert "cannot be taken over" in answer.json()["message"]


def test_leaving_ends_a_stream(engine: Fake) -> None:
    ended = asyncio.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    engine.answers["events"] = [for_ever]

    async def ask() -> None:
        messages = iter([{"type": "http.request", "body": b""}, {"type": "http.disconnect"}])

        async def receive() -> dict[str, object]:
            return next(messages)

        async def send(message: object) -> None:
            pass

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/events",
            "query_string": b"",
            "headers": [],
            "http_version": "1.1",
        }
        await build(engine)(scope, receive, send)  # type: ignore[arg-type]
        assert ended.is_set()

    asyncio.run(asyncio.wait_for(ask(), 10))
