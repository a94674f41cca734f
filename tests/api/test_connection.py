"""Heads and bodies on the wire: what is a request, where it ends, what follows it."""

from __future__ import annotations

import socket

import pytest

from drayman.api import protocol
from tests.api.client import Client
from tests.api.conftest import Running
from tests.api.fake import Fake

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
EXEC = b'{"Cmd": ["true"]}'


def test_a_connection_serves_one_request_after_another(client: Client) -> None:
    for _ in range(3):
        assert client.ask("GET", "/_ping").body == b"OK"
        assert client.ask("HEAD", "/_ping").headers["api-version"] == "1.55"
    assert client.ask("GET", "/nothing").json() == {"message": "page not found"}
    assert client.ask("GET", "/_ping").status == 200


def test_requests_that_are_sent_ahead_are_answered_in_order(client: Client) -> None:
    client.send(PING + b"GET /info HTTP/1.1\r\nHost: d\r\n\r\n" + PING)
    assert client.answer().body == b"OK"
    assert client.answer().json()["ID"] == "x"
    assert client.answer().body == b"OK"


def test_a_short_answer_comes_in_one_piece(client: Client) -> None:
    for _ in range(200):
        client.send(PING)
        assert client.socket.recv(65536).endswith(b"\r\n\r\nOK")


def test_a_head_may_come_byte_by_byte(client: Client) -> None:
    client.send(b"\r\n")
    for byte in PING:
        client.send(bytes([byte]))
    assert client.answer().body == b"OK"


def test_a_body_ends_where_it_says(client: Client, engine: Fake) -> None:
    client.send(
        b"POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(EXEC), EXEC) + PING
    )
    assert client.answer().status == 201
    assert client.answer().body == b"OK"
    (_, request), _ = engine.asks("exec_create")[0]
    assert request.cmd == ["true"]


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_chunked_body_ends_with_its_trailers(client: Client, engine: Fake, cut: int) -> None:
    body = b'9;x=y\r\n{"Cmd": [\r\n008\r\n"true"]}\r\n0\r\nTrailer: 1\r\n\r\n'
    head = (
        b"POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    whole = body + PING
    client.send(head + whole[:cut])
    client.send(whole[cut:])
    assert client.answer().status == 201
    assert client.answer().body == b"OK"


def test_a_client_that_expects_it_is_told_to_continue(client: Client) -> None:
    client.send(
        b"POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(EXEC)
    )
    assert client.head()[0] == 100
    client.send(EXEC)
    assert client.answer().status == 201


def test_a_body_that_nobody_reads_is_skipped(client: Client) -> None:
    client.request("GET", "/_ping", body=b"x" * 100_000)
    assert client.answer().body == b"OK"
    assert client.ask("GET", "/_ping").body == b"OK"


def test_a_body_that_nobody_reads_is_not_read_for_ever(client: Client) -> None:
    client.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\nContent-Length: 900000000\r\n\r\n")
    assert client.answer().body == b"OK"
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.send(b"x" * (64 << 20))


def test_a_document_has_a_limit(client: Client) -> None:
    client.send(
        b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9000000\r\n\r\n" + b" " * 8_388_700
    )
    answer = client.answer()
    assert (answer.status, answer.json()) == (
        400,
        {"message": "request body is larger than 8 MiB"},
    )


@pytest.mark.parametrize("requests", [1, 2])
def test_a_client_that_ends_its_sending_is_answered(client: Client, requests: int) -> None:
    client.send(PING * requests)
    client.socket.shutdown(socket.SHUT_WR)
    for _ in range(requests):
        assert client.answer().body == b"OK"
    assert client.is_closed


def test_a_head_of_nearly_a_mebibyte_is_read(client: Client) -> None:
    client.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"x" * (2**20 - 100) + b"\r\n\r\n")
    assert client.answer().body == b"OK"


def test_a_larger_head_is_refused(client: Client) -> None:
    client.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"x" * 2**20)
    assert client.answer().status == 431
    assert client.is_closed


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"hello\r\n",
        b"get /_ping HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /_ping HTTP/1.1\nHost: d\n\n",
        b"GET /_ping HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /_ping HTTP/3.0\r\n\r\n",
        b"\x00" * 100,
    ],
)
def test_what_is_no_request_is_refused_and_only_that(running: Running, garbage: bytes) -> None:
    with running.client() as client:
        client.send(PING + garbage)
        assert client.answer().body == b"OK"
        assert client.answer().status == 400
        assert client.is_closed


@pytest.mark.parametrize(
    "body", [b"z\r\n", b"-1\r\n", b"1\r\nxx\r\n", b"f" * 17 + b"\r\n", b"\r\n"]
)
def test_a_body_that_is_no_body_is_refused(client: Client, body: bytes) -> None:
    client.send(
        b"POST /containers/box/exec HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + body
    )
    assert client.answer().status == 400
    assert client.is_closed


def test_a_head_has_its_time(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)
    with running.client() as client:
        client.send(PING + b"GET /_ping HT")
        assert client.answer().body == b"OK"
        assert client.answer().status == 408
        assert client.is_closed


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /_ping HT",
        b"POST /containers/box/exec HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /containers/box/exec HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"PUT /containers/box/archive?path=/ HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf",
        PING * 50,
    ],
)
def test_a_client_that_vanishes_leaves_nothing(running: Running, start: bytes) -> None:
    with running.client() as client:
        client.send(start)
    running.see_no_connection()


def test_a_client_may_ask_for_the_end(client: Client) -> None:
    answer = client.ask("GET", "/_ping", headers={"Connection": "close"})
    assert answer.headers["connection"] == "close"
    assert client.is_closed


@pytest.mark.parametrize("path", ["/_ping", "/events", "/containers/json"])
def test_http_1_0_knows_no_chunks(client: Client, path: str) -> None:
    client.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = client.answer()
    assert answer.status == 200
    assert "transfer-encoding" not in answer.headers
    assert answer.body[-1:] in b"K\n"
    assert client.is_closed
