"""Attaching by WebSocket, with the clients of others; what no good client sends, by hand."""

from __future__ import annotations

import asyncio
import random
import socket
import struct

import pytest
import websocket
from tests.engine.engines import TIMEOUT_S, EngineServer, until
from websockets.asyncio.client import unix_connect as unix_connect_async
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, unix_connect

MIB = 1 << 20
ECHO = "while read x; do echo got $x; done; echo over"


def connect(
    engine: EngineServer, container: str, query: str, version: str = "1.47"
) -> ClientConnection:
    """The client of the package websockets, which is strict."""
    uri = f"ws://localhost/v{version}/containers/{container}/attach/ws?{query}"
    return unix_connect(
        str(engine.socket_path), uri, open_timeout=TIMEOUT_S, close_timeout=TIMEOUT_S, max_size=None
    )


def read_all(
    engine: EngineServer, container: str, query: str, version: str = "1.47", *, start: bool = False
) -> tuple[set[int], bytes, int]:
    """Everything up to the end, by the client that docker-py has, for the other may lose what
    comes right before the end: the kinds of messages, what they say, why it was closed."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(engine.socket_path))
    uri = f"ws://localhost/v{version}/containers/{container}/attach/ws?{query}"
    client = websocket.create_connection(uri, socket=connection)
    if start:
        assert engine.api("POST", f"/containers/{container}/start")[0] == 204
    kinds, said = set(), b""
    while True:
        kind, data = client.recv_data(control_frame=True)
        if kind == websocket.ABNF.OPCODE_CLOSE:
            connection.close()
            return kinds, said, int.from_bytes(data[:2], "big")
        kinds.add(kind)
        said += data


ALL = "stream=1&stdin=1&stdout=1&stderr=1"


def test_a_conversation(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", ECHO, OpenStdin=True, StdinOnce=True)
    with connect(engine_server, container, ALL) as client:
        client.send("text\n")
        assert client.recv(TIMEOUT_S) == b"got text\n"
        client.send([b"in ", b"three ", b"pieces\n"])
        assert client.recv(TIMEOUT_S) == b"got in three pieces\n"
        assert client.ping(b"still there?").wait(TIMEOUT_S)
        client.close()
        assert client.close_code == 1000
    # Its end was that of the input.
    assert engine_server.api("POST", f"/containers/{container}/wait")[1]["StatusCode"] == 0
    logged = engine_server.api("GET", f"/containers/{container}/logs?stdout=1&tail=1")[1]
    assert logged.endswith("over\n")


def test_the_client_that_docker_py_has(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", ECHO, OpenStdin=True)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(engine_server.socket_path))
    uri = f"ws://localhost/v1.41/containers/{container}/attach/ws?stream=1"
    client = websocket.create_connection(uri, socket=connection)
    client.send(b"hello\n")
    assert client.recv() == b"got hello\n"
    client.ping(b"x")
    assert client.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"x")
    client.close()


def test_before_the_start_and_to_the_end(engine_server: EngineServer) -> None:
    container = engine_server.create("sh", "-c", "echo out; printf last")
    seen = read_all(engine_server, container, "stream=1&stdout=1", start=True)
    assert seen == ({websocket.ABNF.OPCODE_BINARY}, b"out\nlast", 1000)


@pytest.mark.parametrize(
    ("version", "query", "kind", "lines"),
    [
        ("1.47", "stderr=1", websocket.ABNF.OPCODE_BINARY, [b"err"]),
        # Until then what was asked for did not matter, and long ago messages were text.
        ("1.41", "stderr=1", websocket.ABNF.OPCODE_BINARY, [b"err", b"out"]),
        ("1.27", "", websocket.ABNF.OPCODE_TEXT, [b"err", b"out"]),
    ],
)
def test_versions(
    engine_server: EngineServer, version: str, query: str, kind: int, lines: list[bytes]
) -> None:
    container = engine_server.running("sh", "-c", "echo out; echo err >&2")
    engine_server.api("POST", f"/containers/{container}/wait")
    kinds, said, code = read_all(engine_server, container, f"logs=1&{query}", version)
    # Which of two outputs came first is anybody's guess.
    assert (kinds, sorted(said.splitlines()), code) == ({kind}, lines, 1000)


def test_what_was_logged_and_what_comes(engine_server: EngineServer) -> None:
    script = "for i in $(seq 1000); do echo $i; done; printf begun; read x; echo ' ended'"
    container = engine_server.running("sh", "-c", script, OpenStdin=True, StdinOnce=True)
    with connect(engine_server, container, f"{ALL}&logs=1") as client:
        seen = b""
        while not seen.endswith(b"begun"):
            seen += client.recv(TIMEOUT_S)
        client.send(b"\n")
        while not seen.endswith(b"ended\n"):
            seen += client.recv(TIMEOUT_S)
    assert seen == "".join(f"{i}\n" for i in range(1, 1001)).encode() + b"begun ended\n"


def test_a_terminal_and_its_detach_keys(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", ECHO, OpenStdin=True, Tty=True)
    with connect(engine_server, container, ALL) as client:
        client.send(b"a\n")
        seen = b""
        while b"got a\r\n" not in seen:
            seen += client.recv(TIMEOUT_S)
        client.send(b"\x10")
        client.send(b"\x11")
        list(client)
        assert client.close_code == 1000
    assert engine_server.state(container)["Running"]
    until(lambda: "detach" in engine_server.actions(container))


def test_megabytes_both_ways(engine_server: EngineServer) -> None:
    container = engine_server.running("cat", OpenStdin=True, StdinOnce=True)
    data = random.Random(2).randbytes(8 * MIB)
    uri = f"ws://localhost/containers/{container}/attach/ws?stream=1&stdin=1&stdout=1"

    async def converse() -> bytes:
        seen = bytearray()
        # The other kind of client cannot be read from while it sends.
        async with unix_connect_async(str(engine_server.socket_path), uri) as client:
            sending = asyncio.create_task(client.send(data))
            while len(seen) < len(data):
                seen += await client.recv(decode=False)
            await sending
        return bytes(seen)

    assert asyncio.run(asyncio.wait_for(converse(), TIMEOUT_S)) == data


def test_the_engine_dies(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", ECHO, OpenStdin=True)
    with connect(engine_server, container, ALL) as client:
        engine_server.kill()
        client.send(b"alone\n")
        assert client.recv(TIMEOUT_S) == b"got alone\n"
        engine_server.start()
        client.send(b"again\n")
        assert client.recv(TIMEOUT_S) == b"got again\n"


def test_errors_come_before_the_upgrade(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.api("POST", f"/containers/{container}/pause")
    for name, query, status, text in (
        ("nosuch", ALL, 404, "No such container: nosuch"),
        (container, ALL, 409, "is paused"),
        (container, "detachKeys=bad-keys", 400, "Invalid detach keys"),
        (container, "slow=down", 400, "invalid slow"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(engine_server, name, query)
        response = refused.value.response
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/json"
        assert text.encode() in response.body


# ------------------------------------------------------------------ by hand

HEAD = (
    "GET /containers/{}/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n"
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def by_hand(engine: EngineServer, container: str, early: bytes = b"") -> socket.socket:
    """A connection that was upgraded."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(engine.socket_path))
    connection.sendall(HEAD.format(container).encode() + early)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    # The example of the RFC.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"Protocol" not in head.removeprefix(b"HTTP/1.1 101 Switching Protocols")
    assert b"Extensions" not in head
    return connection


def frame(first: int, payload: bytes) -> bytes:
    """A frame of less than 126 bytes, masked with zeros."""
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


def rest(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def messages(received: bytes) -> tuple[bytes, bytes]:
    """The payload of short binary messages, and what pongs bear."""
    binary = pongs = b""
    while received:
        payload = received[2 : 2 + received[1]]
        if received[0] == 0x82:
            binary += payload
        else:
            assert received[0] == 0x8A
            pongs += payload
        received = received[2 + len(payload) :]
    return binary, pongs


def closing(code: int) -> bytes:
    return b"\x88\x02" + struct.pack(">H", code)


@pytest.fixture(scope="module")
def echo(engine_server: EngineServer) -> str:
    return engine_server.running("sh", "-c", ECHO, OpenStdin=True)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (frame(0x88, b""), b"\x88\x00"),
        (frame(0x88, b"\x03\xe9bye"), closing(1001)),
        (frame(0x88, b"\x03"), closing(1002)),
        (b"\x82\x05hello", closing(1002)),
        (frame(0x80, b"of nothing"), closing(1002)),
        (frame(0xC2, b"compressed"), closing(1002)),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), closing(1002)),
        (b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4), closing(1002)),
    ],
)
def test_how_it_is_closed(
    engine_server: EngineServer, echo: str, said: bytes, answer: bytes
) -> None:
    connection = by_hand(engine_server, echo)
    connection.sendall(said + frame(0x82, b"void\n"))
    assert rest(connection) == answer


def test_a_frame_cut_anywhere(engine_server: EngineServer, echo: str) -> None:
    said = frame(0x02, b"one ") + frame(0x89, b"?") + frame(0x80, b"line\n")
    for cut in range(1, len(said)):
        connection = by_hand(engine_server, echo, said[:cut])
        connection.sendall(said[cut:] + frame(0x82, b"more\n"))
        seen = b""
        while not (seen.endswith(b"got more\n") and b"\x8a\x01?" in seen):
            seen += connection.recv(4096)
        assert messages(seen) == (b"got one line\ngot more\n", b"?")
        # In the middle of a head, without a word.
        connection.sendall(said[: min(cut, 5)])
        connection.close()
    assert engine_server.state(echo)["Running"]
