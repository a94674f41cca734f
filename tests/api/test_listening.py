"""Requests that wait: the head at once, an end when the client or the server ends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from drayman.api.lending import Caller
from drayman.errors import InvalidParameter, NotFound
from drayman.model.event import Event
from tests.api.client import PATIENCE_S, Client
from tests.api.conftest import Running
from tests.api.fake import CONTAINER_ID, Fake, Payload, Wait, waiting

START = Event(
    type="container",
    action="start",
    actor_id=CONTAINER_ID,
    attributes={"image": "busybox", "name": "<b>"},
    time_ns=1_700_000_000_000_000_001,
)


class Endless:
    """Something awaited in vain, that tells when the waiting ends."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def wait(self) -> None:
        """Wait for what does not come."""
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.fixture
def endless(engine: Fake) -> Endless:
    """Events, samples and an exit that do not come."""
    one = Endless()
    engine.answers["events"] = [START, one.wait]
    engine.answers["container_stats"] = [{"name": "/box"}, one.wait]
    wait = Wait(one.wait)
    # One whose client leaves at once is closed, though nobody ever awaited it.
    wait.closed = one.ended
    engine.answers["container_wait"] = lambda name, condition, caller: wait
    return one


LISTENING = [("GET", "/events"), ("GET", "/containers/box/stats")]
WAITING = [("POST", "/containers/box/wait")]


@pytest.mark.parametrize(("method", "path"), LISTENING + WAITING)
def test_the_head_comes_first_and_the_end_with_the_client(
    running: Running, endless: Endless, method: str, path: str
) -> None:
    with running.client() as client:
        client.request(method, path)
        status, _, headers = client.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        assert (method, path) in WAITING or client.chunk()
    assert endless.ended.wait(PATIENCE_S)
    running.see_no_connection()


@pytest.mark.parametrize(("method", "path"), LISTENING)
def test_listening_ends_with_the_client_s_sending(
    client: Client, endless: Endless, method: str, path: str
) -> None:
    client.request(method, path)
    assert client.head()[0] == 200
    assert client.chunk()
    client.socket.shutdown(socket.SHUT_WR)
    assert endless.ended.wait(PATIENCE_S)
    assert client.rest() in (b"", b"0\r\n\r\n")


def test_waiting_does_not(client: Client, engine: Fake) -> None:
    go = threading.Event()

    async def outcome() -> tuple[int, str]:
        await asyncio.to_thread(go.wait, PATIENCE_S)
        return 7, ""

    engine.answers["container_wait"] = waiting(outcome)
    client.request("POST", "/containers/box/wait")
    assert client.head()[0] == 200
    client.socket.shutdown(socket.SHUT_WR)
    go.set()
    assert json.loads(client.chunk()) == {"StatusCode": 7}
    assert client.chunk() == b""
    assert client.is_closed


def outcome(code: int, error: str) -> Callable[..., Wait]:
    async def wait() -> tuple[int, str]:
        return code, error

    return waiting(wait)


@pytest.mark.parametrize(
    ("path", "error", "condition", "body"),
    [
        ("/wait", "", "not-running", b'{"StatusCode":3}\n'),
        ("/wait?condition=", "", "not-running", b'{"StatusCode":3}\n'),
        ("/wait?condition=next-exit", "", "next-exit", b'{"StatusCode":3}\n'),
        (
            "/wait?condition=removed",
            "a<b",
            "removed",
            b'{"StatusCode":3,"Error":{"Message":"a\\u003cb"}}\n',
        ),
    ],
)
def test_what_wait_answers(
    client: Client, engine: Fake, path: str, error: str, condition: str, body: bytes
) -> None:
    engine.answers["container_wait"] = outcome(3, error)
    assert client.ask("POST", f"/containers/box{path}").body == body
    assert engine.asks("container_wait")[0][0][:2] == ("box", condition)
    assert client.ask("GET", "/_ping").status == 200


def test_whoever_waits_is_answered_once(client: Client, engine: Fake) -> None:
    async def over() -> tuple[int, str]:
        return 3, ""

    wait = Wait(over)
    engine.answers["container_wait"] = lambda name, condition, caller: wait
    client.ask("POST", "/containers/box/wait")
    assert wait.closed.wait(PATIENCE_S)
    assert wait.told.is_set()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_head_that_another_sends_is_not_sent_again(
    client: Client, engine: Fake, version: str
) -> None:
    async def over() -> tuple[int, str]:
        return 3, ""

    async def greet(name: str, condition: str, caller: Caller) -> Wait:
        head = await caller.head()
        os.write(caller.fileno(), head.replace(b" OK", b" From Another"))
        return Wait(over)

    engine.answers["container_wait"] = greet
    client.send(f"POST /containers/box/wait HTTP/{version}\r\nHost: d\r\n\r\n".encode())
    answer = client.answer()
    assert (answer.status, answer.reason) == (200, "From Another")
    assert answer.headers["content-type"] == "application/json"
    assert "api-version" in answer.headers
    assert answer.body == b'{"StatusCode":3}\n'
    if version == "1.1":
        assert client.ask("GET", "/_ping").status == 200


def test_whoever_leaves_was_not_answered(running: Running, endless: Endless) -> None:
    wait = Wait(endless.wait)
    running.engine.answers["container_wait"] = lambda name, condition, caller: wait
    with running.client() as client:
        client.request("POST", "/containers/box/wait")
        assert client.head()[0] == 200
    assert wait.closed.wait(PATIENCE_S)
    assert not wait.told.is_set()


def test_wait_of_old(client: Client, engine: Fake) -> None:
    engine.answers["container_wait"] = outcome(3, "busy")
    removed = client.ask("POST", "/v1.33/containers/box/wait?condition=removed")
    assert (removed.status, removed.body) == (200, b"")
    assert client.ask("POST", "/v1.29/containers/box/wait?condition=nonsense").status == 200
    assert engine.asks("container_wait")[-1][0][:2] == ("box", "not-running")


def test_wait_errors(client: Client, engine: Fake) -> None:
    answer = client.ask("POST", "/containers/box/wait?condition=nonsense")
    assert (answer.status, answer.json()) == (400, {"message": 'invalid condition: "nonsense"'})
    engine.answers["container_wait"] = NotFound("No such container: box")
    assert client.ask("POST", "/containers/box/wait").status == 404


@pytest.mark.parametrize(
    ("version", "accept", "media_type", "mark"),
    [
        ("1.51", "", "application/json", b""),
        ("1.52", "", "application/jsonl", b""),
        ("1.52", "application/x-ndjson", "application/x-ndjson", b""),
        ("1.51", "application/json-seq", "application/json-seq", b"\x1e"),
    ],
)
def test_events(
    client: Client, engine: Fake, version: str, accept: str, media_type: str, mark: bytes
) -> None:
    engine.answers["events"] = [START]
    query = "since=1.5&until=3&filters=%7B%22type%22%3A%5B%22container%22%5D%7D"
    answer = client.ask("GET", f"/v{version}/events?{query}", headers={"Accept": accept})
    assert answer.headers["content-type"] == media_type
    legacy = {"status": "start", "id": CONTAINER_ID, "from": "busybox"}
    assert answer.body.startswith(mark)
    assert b"\\u003cb\\u003e" in answer.body
    assert json.loads(answer.body.removeprefix(mark)) == {
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": CONTAINER_ID, "Attributes": START.attributes},
        "scope": "local",
        "time": 1_700_000_000,
        "timeNano": 1_700_000_000_000_000_001,
        **(legacy if version == "1.51" else {}),
    }
    assert engine.asks("events")[0][0] == (
        1_500_000_000,
        3_000_000_000,
        {"type": ["container"]},
    )


@pytest.mark.parametrize("query", ["since=x", "until=1e3", "since=5&until=4", "filters=["])
def test_events_that_cannot_be_meant(client: Client, query: str) -> None:
    assert client.ask("GET", f"/events?{query}").status == 400


def test_the_engine_may_refuse_events(client: Client, engine: Fake) -> None:
    engine.answers["events"] = InvalidParameter("invalid filter 'x'")
    assert client.ask("GET", "/events").json() == {"message": "invalid filter 'x'"}


@pytest.mark.parametrize(
    ("path", "stream", "one_shot"),
    [
        ("/containers/box/stats", True, False),
        ("/containers/box/stats?stream=1&one-shot=1", True, False),
        ("/containers/box/stats?stream=", False, False),
        ("/containers/box/stats?stream=0&one-shot=1", False, True),
        ("/v1.40/containers/box/stats?stream=0&one-shot=1", False, False),
    ],
)
def test_stats(client: Client, engine: Fake, path: str, stream: bool, one_shot: bool) -> None:
    engine.answers["container_stats"] = [{"name": "/<"}] * 2
    answer = client.ask("GET", path)
    assert engine.asks("container_stats")[0][1] == {"stream": stream, "one_shot": one_shot}
    if stream:
        assert answer.body == b'{"name":"/<"}\n' * 2
        assert "content-type" not in answer.headers
    else:
        assert answer.body == b'{"name":"/\\u003c"}\n'
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "stream", "one_shot"),
    [("", True, False), ("?one-shot=1", True, False), ("?stream=0&one-shot=1", False, True)],
)
def test_stats_of_all(
    client: Client, engine: Fake, query: str, stream: bool, one_shot: bool
) -> None:
    engine.answers["containers_stats"] = [[{"name": "/a"}, {"name": "/b"}], [], [{"name": "/a"}]]
    answer = client.ask("GET", f"/containers/stats{query}")
    assert engine.asks("containers_stats") == [(({},), {"stream": stream, "one_shot": one_shot})]
    assert answer.body == b'{"name":"/a"}\n{"name":"/b"}\n{"name":"/a"}\n'
    assert answer.headers["content-type"] == "application/x-ndjson"


def test_stats_of_all_by_a_filter_that_is_none(client: Client, engine: Fake) -> None:
    engine.answers["containers_stats"] = InvalidParameter("invalid filter 'x'")
    answer = client.ask("GET", '/containers/stats?filters={"x":["y"]}')
    assert (answer.status, answer.json()) == (400, {"message": "invalid filter 'x'"})


def test_stats_of_nothing(client: Client, engine: Fake) -> None:
    engine.answers["container_get"] = NotFound("No such container: box")
    assert client.ask("GET", "/containers/box/stats").status == 404


def test_the_server_ends_in_time(running: Running, endless: Endless) -> None:
    engine = running.engine
    engine.answers["export"] = Payload(b"x" * (64 << 20))
    engine.answers["container_logs"] = Payload(b"line\n", then=endless.wait)

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    engine.answers["container_start"] = hang
    asked = [
        *LISTENING,
        *WAITING,
        ("GET", "/containers/box/logs?follow=1&stdout=1"),
        ("GET", "/containers/box/export"),
    ]
    clients = [running.client() for _ in asked]
    for client, (method, path) in zip(clients, asked, strict=True):
        client.request(method, path)
        assert client.head()[0] == 200
    idle, busy = running.client(), running.client()
    assert idle.ask("GET", "/_ping").status == 200
    busy.request("POST", "/containers/box/start")
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 2
    events, stats, wait, logs, export = clients
    assert events.chunk()
    assert (events.chunk(), events.is_closed) == (b"", True)
    assert stats.chunk()
    assert (stats.chunk(), stats.is_closed) == (b"", True)
    for cut in (wait, logs, export):
        with pytest.raises((EOFError, ConnectionResetError)):
            list(iter(cut.chunk, b""))
    assert idle.is_closed
    assert busy.is_closed
    for client in (*clients, idle, busy):
        client.socket.close()


def test_a_request_may_finish_at_the_end(running: Running) -> None:
    started = threading.Event()

    async def stop(*_: Any) -> None:
        started.set()
        await asyncio.to_thread(stopping.wait, PATIENCE_S)

    stopping = threading.Event()
    running.engine.answers["container_stop"] = stop
    with running.client() as client:
        client.request("POST", "/containers/box/stop")
        assert started.wait(PATIENCE_S)
        ending = threading.Thread(target=running.stop)
        ending.start()
        while not running.server.front.stopping:
            time.sleep(0.001)
        stopping.set()
        assert client.answer().status == 204
        ending.join(PATIENCE_S)
