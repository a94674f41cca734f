"""Connections given away: attach and exec start."""

from __future__ import annotations

import os
import select
import socket

import pytest

from drayman.errors import Conflict, InvalidParameter, NotFound
from tests.api.client import PATIENCE_S, Client
from tests.api.conftest import Running
from tests.api.fake import Fake, container

UPGRADE = {"Upgrade": "tcp", "Connection": "Upgrade"}
JSON = {"Content-Type": "application/json"}
RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"

each_head = pytest.mark.parametrize(
    ("version", "tty", "upgrade", "expected"),
    [
        ("1.42", False, True, (101, MULTIPLEXED)),
        ("1.41", False, True, (101, RAW)),
        ("1.42", True, True, (101, RAW)),
        ("1.42", False, False, (200, RAW)),
    ],
)


def session(engine: Fake) -> socket.socket:
    """The connection as the engine got it, what came early put before what comes."""
    assert engine.hijacked.acquire(timeout=PATIENCE_S)
    given = socket.socket(fileno=engine.sessions[-1].fd)
    given.settimeout(PATIENCE_S)
    return given


@each_head
def test_attach_heads(
    client: Client,
    engine: Fake,
    version: str,
    tty: bool,
    upgrade: bool,
    expected: tuple[int, str],
) -> None:
    engine.answers["attach_check"] = lambda name, options: container(tty=tty)
    path = f"/v{version}/containers/web/db/attach?stream=1&stdin=1&stdout=true&detachKeys=a,b"
    client.request("POST", path, headers=UPGRADE if upgrade else {}, body=b"")
    status, reason, headers = client.head()
    assert (status, headers.pop("content-type")) == expected
    upgraded = {"upgrade": "tcp", "connection": "Upgrade"} if upgrade else {}
    assert (reason, headers) == ("UPGRADED" if upgrade else "OK", upgraded)
    with session(engine):
        (name, options), _ = engine.asks("attach")[0]
    assert name == "web/db"
    assert (options.stdin, options.stdout, options.stderr) == (True, True, False)
    assert (options.stream, options.logs, options.detach_keys) == (True, False, "a,b")


def test_the_end_of_sending_is_not_the_end(client: Client, engine: Fake) -> None:
    client.request("POST", "/containers/box/attach?stream=1&stdout=1", headers=UPGRADE, body=b"")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.head()[0] == 101
    with session(engine) as given:
        given.setblocking(True)
        assert given.recv(1) == b""
        given.sendall(b"output")
        given.shutdown(socket.SHUT_WR)
    assert client.rest() == b"output"


def test_what_is_sent_ahead_is_kept(client: Client, engine: Fake) -> None:
    client.request("POST", "/containers/box/attach?stream=1&stdin=1", headers=UPGRADE, body=b"")
    client.send(b"early")
    client.send(b"GET /_ping HTTP/1.1\r\n\r\n" * 3_000)
    assert client.head()[0] == 101
    with session(engine) as given:
        client.socket.shutdown(socket.SHUT_WR)
        given.setblocking(True)
        received = engine.sessions[-1].early + b"".join(iter(lambda: given.recv(65536), b""))
    assert received == b"early" + b"GET /_ping HTTP/1.1\r\n\r\n" * 3_000


def test_the_server_keeps_no_descriptor(running: Running, engine: Fake) -> None:
    with running.client() as client:
        client.request("POST", "/containers/box/attach?stream=1", headers=UPGRADE, body=b"")
        assert client.head()[0] == 101
        given = session(engine)
        running.see_no_connection()
        given.close()
        assert client.is_closed


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("No such container: x"), 404),
        (Conflict("paused"), 409),
        (InvalidParameter("k"), 400),
    ],
)
def test_attach_errors_are_plain_text_and_the_end(
    client: Client, engine: Fake, error: Exception, status: int
) -> None:
    engine.answers["attach_check"] = error
    answer = client.ask("POST", "/containers/x/attach?stream=1", headers=UPGRADE, body=b"")
    assert (answer.status, answer.body) == (status, f"{error}\r\n".encode())
    assert answer.headers["content-type"] == RAW
    assert client.is_closed


@each_head
def test_exec_heads(
    client: Client,
    engine: Fake,
    version: str,
    tty: bool,
    upgrade: bool,
    expected: tuple[int, str],
) -> None:
    body = b'{"Detach":false,"tty":%b,"ConsoleSize":[24,80]}' % (b"true" if tty else b"false")
    headers = {**JSON, **(UPGRADE if upgrade else {})}
    client.request("POST", f"/v{version}/exec/e1/start", headers=headers, body=body)
    client.send(b"stdin")
    status, _, headers = client.head()
    assert (status, headers["content-type"]) == expected
    assert headers["api-version"] == "1.55"
    assert "transfer-encoding" not in headers
    assert "content-length" not in headers
    with session(engine) as given:
        received = engine.sessions[-1].early
        given.setblocking(True)
        while received != b"stdin":
            received += given.recv(100)
    (name, request), _ = engine.asks("exec_start")[0]
    assert (name, request.tty) == ("e1", tty)
    assert request.console_size == ((24, 80) if tty and version == "1.42" else None)


def test_exec_errors_leave_the_connection_usable(client: Client, engine: Fake) -> None:
    engine.answers["exec_check"] = NotFound("No such exec instance: e1")
    for _ in range(2):
        answer = client.ask("POST", "/exec/e1/start", headers={**JSON, **UPGRADE}, body=b"{}")
        assert answer.status == 404
        assert answer.json() == {"message": "No such exec instance: e1"}
    assert client.ask("GET", "/_ping").status == 200


def test_a_detached_exec_is_an_ordinary_answer(client: Client, engine: Fake) -> None:
    answer = client.ask("POST", "/exec/e1/start", headers=JSON, body=b'{"Detach": true}')
    assert (answer.status, answer.body) == (200, b"")
    assert not engine.sessions
    assert client.ask("GET", "/_ping").status == 200


def test_an_upgrade_that_nobody_offers_is_ignored(client: Client) -> None:
    answer = client.ask("GET", "/_ping", headers={"Upgrade": "h2c", "Connection": "Upgrade"})
    assert answer.body == b"OK"
    assert client.ask("GET", "/_ping").status == 200


def test_hijacking_outlives_the_server(running: Running, engine: Fake) -> None:
    with running.client() as client:
        client.request("POST", "/containers/box/attach?stream=1", headers=UPGRADE, body=b"")
        assert client.head()[0] == 101
        with session(engine) as given:
            running.stop()
            given.sendall(b"still here")
            assert client.exactly(10) == b"still here"
            client.send(b"me too")
            assert given.recv(10) == b"me too"


def test_a_client_that_is_gone_is_no_trouble(running: Running, engine: Fake) -> None:
    with running.client() as client:
        client.request("POST", "/containers/box/attach?stream=1", headers=UPGRADE, body=b"")
    running.see_no_connection()
    for given in engine.sessions:
        poll = select.poll()
        poll.register(given.fd)
        assert poll.poll(PATIENCE_S * 1000)
        os.close(given.fd)


@pytest.mark.parametrize(("http", "chunked"), [("1.1", True), ("1.0", False)])
def test_a_log_that_is_followed_is_given_away(running: Running, http: str, chunked: bool) -> None:
    engine = running.engine
    engine.answers["container_get"] = lambda name: container(status="running")
    with running.client() as client:
        request = f"GET /containers/box/logs?follow=1&stdout=1 HTTP/{http}\r\nHost: d\r\n\r\n"
        client.send(request.encode())
        with session(engine) as given:
            given.sendall(b"5\r\nline\n\r\n")
            status, _, headers = client.head()
            assert (status, headers["content-type"]) == (200, MULTIPLEXED)
            assert headers["connection"] == "close"
            assert headers.get("transfer-encoding") == ("chunked" if chunked else None)
            assert "api-version" in headers
            assert engine.asked[-1][::2] == ("container_follow", {"chunked": chunked})
            assert client.exactly(10) == b"5\r\nline\n\r\n"
    running.see_no_connection()
