"""Many clients at once, of every kind, and nothing left in the end."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from tests.api.client import PATIENCE_S, Client
from tests.api.conftest import Running
from tests.api.fake import Fake, Payload

CLIENTS = 16
REQUESTS = 40


def sockets() -> int:
    """How many this process holds; a loop opens other descriptors when it pleases."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    return found


def talk(running: Running, seed: int) -> None:
    """One client, that does this and that, and goes at any time."""
    choose = random.Random(seed)
    client = running.client()
    for _ in range(REQUESTS):
        what = choose.randrange(8)
        size = choose.randrange(200_000)
        if what == 0:
            assert client.ask("GET", "/_ping").body == b"OK"
        elif what == 1:
            assert len(client.ask("GET", "/containers/box/export").body) == 500_000
        elif what == 2:
            path = "/containers/box/archive?path=/"
            assert client.ask("PUT", path, body=b"x" * size).status == 200
        elif what == 3:
            headers = {"Content-Type": "application/json"}
            body = b'{"Cmd": ["%b"]}' % (b"a" * size)
            assert client.ask("POST", "/containers/box/exec", body=body, headers=headers).json()
        elif what == 4:
            client.request("GET", choose.choice(["/events", "/containers/box/export"]))
            client.exactly(choose.randrange(100))
            client.socket.close()
            client = running.client()
        elif what == 5:
            client.request("PUT", "/containers/box/archive?path=/")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.answer().status == 200
            client.socket.close()
            client = running.client()
        elif what == 6:
            hijack(client, b"z" * (size // 10))
            client.socket.close()
            client = running.client()
        else:
            client.send(b"GET /_ping HTTP/1.1\r\n\r\n" * 5)
            assert [client.answer().body for _ in range(5)] == [b"OK"] * 5
    client.socket.close()


def hijack(client: Client, early: bytes) -> None:
    client.request("POST", "/exec/e/start", headers={"Upgrade": "tcp"}, body=b"{}")
    assert client.head()[0] in (101, 400)
    client.send(early)


def test_many_at_once(running: Running, engine: Fake) -> None:
    engine.answers["export"] = lambda name, options: Payload(b"x" * 500_000)
    before = sockets()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(talk, running, seed) for seed in range(CLIENTS)]:
            done.result()
    for session in engine.sessions:
        os.close(session.fd)
    # Connections of clients that have gone may still wait to be accepted.
    deadline = time.monotonic() + PATIENCE_S
    while sockets() > before and time.monotonic() < deadline:
        running.see_no_connection()
    assert sockets() <= before
