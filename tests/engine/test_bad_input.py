"""What no client should send, to an engine with containers: others are served on, nothing stays."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from tests.api.client import Client
from tests.engine.engines import EngineServer, until
from tests.engine.holdings import nothing_left

PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
JSON = b"Host: d\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CREATE = b"POST /containers/create HTTP/1.1\r\n" + JSON
PUT = b"PUT /containers/box/archive?path=/tmp HTTP/1.1\r\nHost: d\r\n"
LOAD = b"POST /images/load HTTP/1.1\r\nHost: d\r\n"
IMPORT = b"POST /images/create?fromSrc=-&repo=cut HTTP/1.1\r\nHost: d\r\n"
LENGTH = b"Content-Length: 100000\r\n\r\n"
UPGRADE = b" HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n"
SLOW_CLIENTS = 60
# More than the buffers between the engine and a client that does not read.
BIG_MIB = 8


@pytest.fixture(scope="module", autouse=True)
def box(engine_server: EngineServer) -> str:
    """A container that runs and has a big file, beside one that was never started."""
    container = engine_server.running(name="box")
    engine_server.create("true", name="idle")
    engine_server.docker(
        "exec", "box", "dd", "if=/dev/zero", "of=/big", f"bs={BIG_MIB}M", "count=1"
    )
    # What an engine opens once and keeps is open from here on.
    with client(engine_server) as downloader:
        downloader.send(VANISH["download"])
        assert downloader.head()[0] == 200
    return container


@pytest.fixture(autouse=True)
def unharmed(engine_server: EngineServer, box: str) -> Iterator[None]:
    """Whatever a test sends: the engine answers, holds no more than before, and has not erred."""
    with nothing_left(engine_server):
        yield


def client(engine: EngineServer) -> Client:
    return Client(str(engine.socket_path))


def create(body: bytes) -> bytes:
    return CREATE + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


CUT = {
    "a request line": b"GET /_pi",
    "a head": CREATE,
    "a body": CREATE + LENGTH + b'{"Image": "busy',
    "a chunk": CREATE + CHUNKED + b'\r\n30\r\n{"Image": "busy',
    "between chunks": CREATE + CHUNKED + b'\r\n3\r\n{"I\r\n',
    "an upload": PUT + LENGTH + bytes(512),
    "an upload's chunk": PUT + CHUNKED + b"\r\n400\r\n" + bytes(512),
    "a load": LOAD + LENGTH + bytes(512),
    "a load's chunk": LOAD + CHUNKED + b"\r\n400\r\n" + bytes(512),
    "an import": IMPORT + LENGTH + bytes(512),
    "pipelined": PING * 20 + PING[:9],
}


@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
@pytest.mark.parametrize("way", ["closes", "ends its sending", "resets"])
def test_a_request_cut_short(engine_server: EngineServer, sent: bytes, way: str) -> None:
    with client(engine_server) as cut:
        cut.send(sent)
        if way == "ends its sending":
            cut.socket.shutdown(socket.SHUT_WR)
            # An answer that tells of it or none, but an end.
            answered = cut.rest().replace(b"HTTP/1.1 200 OK", b"", sent.count(PING))
            assert b"HTTP/1.1 2" not in answered or b'"errorDetail"' in answered
        elif way == "resets":
            # A client that does not read what it was sent.
            cut.send(PING)


VANISH = {
    "download": b"GET /containers/box/archive?path=/big HTTP/1.1\r\nHost: d\r\n\r\n",
    "export": b"GET /containers/box/export HTTP/1.1\r\nHost: d\r\n\r\n",
    "logs": b"GET /containers/box/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "wait": b"POST /containers/box/wait HTTP/1.1\r\nHost: d\r\n\r\n",
    "events": b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n",
    "stats": b"GET /containers/box/stats HTTP/1.1\r\nHost: d\r\n\r\n",
    "attach": b"POST /containers/box/attach?stream=1&stdout=1&stdin=1" + UPGRADE,
    "attach before the start": b"POST /containers/idle/attach?stream=1&stdout=1" + UPGRADE,
}


@pytest.mark.parametrize("request_", VANISH.values(), ids=VANISH)
def test_a_client_that_vanishes_with_the_answer_begun(
    engine_server: EngineServer, request_: bytes
) -> None:
    for _ in range(3):
        with client(engine_server) as vanishing:
            vanishing.send(request_)
            assert vanishing.head()[0] in (101, 200)


def test_a_client_that_vanishes_from_an_exec(engine_server: EngineServer) -> None:
    body = {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True}
    _, made = engine_server.api("POST", "/containers/box/exec", body)
    with client(engine_server) as vanishing:
        start = f"POST /exec/{made['Id']}/start".encode() + UPGRADE[:-2]
        vanishing.send(start + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        assert vanishing.head()[0] == 101
        vanishing.send(b"said\n")
        assert vanishing.exactly(8 + 5)[8:] == b"said\n"
    path = f"/exec/{made['Id']}/json"
    until(lambda: engine_server.api("GET", path)[1]["Running"] is False)


def test_slow_senders_keep_nobody_waiting(engine_server: EngineServer) -> None:
    whole = create(b'{"Image": "nosuch"}')
    slow = [client(engine_server) for _ in range(SLOW_CLIENTS)]
    with client(engine_server) as quick:
        for at in range(len(whole)):
            for one in slow:
                one.send(whole[at : at + 1])
            assert quick.ask("GET", "/_ping").body == b"OK"
    for one in slow:
        with one:
            assert one.answer().status == 404


def test_a_head_of_a_mebibyte(engine_server: EngineServer) -> None:
    with client(engine_server) as long:
        long.send(b"GET /_ping HTTP/1.1\r\nX: " + b"x" * (1 << 20))
        assert long.answer().status == 431
        assert long.is_closed


REFUSED = {
    "both framings": CREATE + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "both framings of an upload": PUT + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "two codings": CREATE + CHUNKED * 2 + b"\r\n0\r\n\r\n",
    "two lengths": CREATE + b"Content-Length: 5, 5\r\n\r\n12345",
    "a signed length": CREATE + b"Content-Length: +5\r\n\r\n12345",
    "a huge length": CREATE + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a negative chunk": CREATE + CHUNKED + b"\r\n-5\r\nabcde\r\n",
    "a chunk of no size": CREATE + CHUNKED + b"\r\n\r\n",
    "a chunk size of 17 digits": CREATE + CHUNKED + b"\r\n" + b"f" * 17 + b"\r\n",
    "a NUL in a path": b"GET /containers/a\0b/json HTTP/1.1\r\nHost: d\r\n\r\n",
    "bytes in a path": b"GET /containers/a\xffb/json HTTP/1.1\r\nHost: d\r\n\r\n",
    "no path": b"GET ?all=1 HTTP/1.1\r\nHost: d\r\n\r\n",
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_what_is_no_http_is_refused(engine_server: EngineServer, sent: bytes) -> None:
    with client(engine_server) as wrong:
        wrong.send(PING + sent)
        assert wrong.answer().body == b"OK"
        assert wrong.answer().status == 400
        assert wrong.is_closed


@pytest.mark.parametrize("size", [b"zz", b"-5", b"f" * 16, b"1;" + b"x" * 100_000])
@pytest.mark.parametrize("head", [PUT, LOAD, IMPORT], ids=["archive", "load", "import"])
def test_bad_chunks_of_what_native_code_reads(
    engine_server: EngineServer, head: bytes, size: bytes
) -> None:
    with client(engine_server) as wrong:
        wrong.send(head + CHUNKED + b"\r\n" + size + b"\r\n")
        answer = wrong.answer()
        # A load tells of errors in its stream.
        told = answer.json()["error" if head == LOAD else "message"]
        assert answer.status == (200 if head == LOAD else 500)
        assert told.startswith("malformed chunked encoding")
        assert wrong.is_closed


# Each is a name, a path or a value that cannot be; {} is where it goes.
HOSTILE = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%c0%80",
    "%ed%a0%80",
    "%2e%2e%2f%2e%2e",
    "%zz",
    "!" + "x" * 5000,
]
PLACES = {
    "GET /containers/{}/json": (400, 404),
    "GET /containers/{}/logs?stdout=1": (400, 404),
    "POST /containers/{}/start": (400, 404),
    "DELETE /containers/{}": (400, 404),
    "POST /containers/box/rename?name={}": (400,),
    "POST /containers/box/kill?signal={}": (400,),
    "POST /containers/nosuch/stop?t={}": (400,),
    "GET /containers/box/archive?path=/nosuch/{}/nosuch": (400, 404, 500),
    "PUT /containers/box/archive?path=/nosuch/{}/nosuch": (400, 404, 500),
    "GET /containers/json?filters={}": (400,),
    "GET /containers/json?limit={}": (400,),
    "GET /containers/box/logs?stdout=1&since={}": (400,),
    "GET /events?since={}": (400,),
    "GET /images/{}/json": (400, 404),
    "POST /images/busybox/tag?repo={}": (400,),
    "POST /images/create?fromSrc=-&repo={}": (400,),
    "DELETE /images/{}": (400, 404),
    "GET /volumes/{}": (404,),
    "DELETE /volumes/{}": (404,),
    "GET /networks/{}": (404,),
    "GET /exec/{}/json": (404,),
}


@pytest.mark.parametrize("place", PLACES)
def test_hostile_names_and_values(engine_server: EngineServer, place: str) -> None:
    method, _, path = place.partition(" ")
    with client(engine_server) as hostile:
        for what in HOSTILE:
            body = None if method == "GET" else b""
            answer = hostile.ask(method, path.replace("{}", what), body=body)
            # A path with ".." in it is sent elsewhere first.
            assert answer.status in (*PLACES[place], 301), (what, answer)
            if answer.status != 301:
                assert list(answer.json()) == ["message"]


WRONG_TYPES: list[Callable[[bytes], bytes]] = [
    lambda key: b'{"Image": "busybox", "%b": [[[]]]}' % key,
    lambda key: b'{"Image": "busybox", "%b": {"a": {"b": 0.5}}}' % key,
    lambda key: b'{"Image": "busybox", "%b": 18446744073709551616}' % key,
    lambda key: b'{"Image": "busybox", "%b": "\\ud800"}' % key,
    lambda key: b'{"Image": "busybox", "%b": "\xff"}' % key,
    lambda key: b'{"Image": "busybox", "%b": %b}' % (key, b"[" * 100_000),
]


@pytest.mark.parametrize("key", [b"Env", b"Tty", b"ExposedPorts", b"StopTimeout", b"User"])
def test_json_of_the_wrong_kind(engine_server: EngineServer, key: bytes) -> None:
    with client(engine_server) as wrong:
        for body in [make(key) for make in WRONG_TYPES] + [
            b"[]",
            b"5",
            b'"x"',
            b"\0",
            b"{",
            b"{}x",
        ]:
            wrong.send(create(body))
            answer = wrong.answer()
            assert answer.status == 400, (body, answer)
            assert list(answer.json()) == ["message"]


def test_pipelined_requests_of_every_kind(engine_server: EngineServer) -> None:
    download = b"GET /containers/box/archive?path=/etc HTTP/1.1\r\nHost: d\r\n\r\n"
    upload = PUT + b"Content-Length: 1024\r\n\r\n" + bytes(1024)
    with client(engine_server) as eager:
        eager.send((PING + download + upload + create(b"{}")) * 10)
        for _ in range(10):
            assert [eager.answer().status for _ in range(4)] == [200, 200, 200, 400]
