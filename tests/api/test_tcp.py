"""What is different on TCP: the end of a client's sending is all that shows its leaving."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from tests.api.client import PATIENCE_S
from tests.api.conftest import Running
from tests.api.fake import Payload, waiting

BULK = b"0123456789abcdef" * 65536


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/box/wait"),
        ("GET", "/events"),
        ("GET", "/containers/box/logs?stdout=1&follow=1"),
    ],
)
def test_leaving_ends_what_waits(on_tcp: Running, method: str, path: str) -> None:
    ended = threading.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    on_tcp.engine.answers["container_wait"] = waiting(for_ever)
    on_tcp.engine.answers["events"] = [for_ever]
    on_tcp.engine.answers["container_logs"] = Payload(b"x", then=for_ever)
    with on_tcp.client() as client:
        client.request(method, path)
        assert client.head()[0] == 200
        # Something else is served meanwhile, and the request surely waits.
        with on_tcp.client() as other:
            assert other.ask("GET", "/_ping").status == 200
    on_tcp.see_no_connection()
    assert ended.wait(PATIENCE_S)


def test_bulk_and_keep_alive(on_tcp: Running) -> None:
    on_tcp.engine.answers["export"] = lambda name, options: Payload(BULK)
    with on_tcp.client() as client:
        for _ in range(3):
            assert client.ask("GET", "/containers/box/export").body == BULK
            path = "/containers/box/archive?path=/"
            assert client.ask("PUT", path, body=BULK).status == 200
        client.request("GET", "/containers/box/export")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.head()[0] == 200
    assert on_tcp.engine.uploads == [BULK] * 3


def test_a_hijack(on_tcp: Running) -> None:
    with on_tcp.client() as client:
        client.request("POST", "/containers/box/attach", headers={"Upgrade": "tcp"}, body=b"")
        assert client.head()[0] == 101
        assert on_tcp.engine.hijacked.acquire(timeout=PATIENCE_S)
        with socket.socket(fileno=on_tcp.engine.sessions[0].fd) as given:
            given.sendall(b"hello")
            assert client.exactly(5) == b"hello"
