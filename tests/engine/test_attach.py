"""Attaching to containers, before they start and while they run."""

from __future__ import annotations

import socket
import subprocess

from tests.engine.engines import EngineServer, until


def attach(engine: EngineServer, container: str, query: str) -> tuple[socket.socket, bytes]:
    """A hijacked connection, and the answer's head."""
    return engine.hijack(f"/containers/{container}/attach?{query}")


def drain(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    connection.close()
    return received


def test_the_first_words_reach_who_attached_before_the_start(engine_server: EngineServer) -> None:
    for _ in range(10):
        container = engine_server.create("echo", "first words")
        connection, head = attach(engine_server, container, "stream=1&stdout=1&stderr=1")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED")
        connection.shutdown(socket.SHUT_WR)
        assert engine_server.api("POST", f"/containers/{container}/start")[0] == 204
        assert drain(connection) == b"\x01\0\0\0\0\0\0\x0cfirst words\n"


def test_a_client_that_leaves_before_the_start_is_forgotten(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    descriptors = f"/proc/{engine_server.process.pid}/fd"

    def count() -> int:
        return len(subprocess.check_output(["ls", descriptors]).split())

    before = count()
    connections = [attach(engine_server, container, "stream=1&stdout=1")[0] for _ in range(5)]
    until(lambda: count() >= before + 5)
    for connection in connections:
        connection.close()
    until(lambda: count() <= before, lambda: f"{before} descriptors became {count()}")


def test_logs_come_first(engine_server: EngineServer) -> None:
    container = engine_server.running("echo", "logged")
    engine_server.api("POST", f"/containers/{container}/wait")
    connection, _ = attach(engine_server, container, "logs=1&stdout=1&stderr=1")
    assert drain(connection) == b"\x01\0\0\0\0\0\0\x07logged\n"


def test_stdin_and_output_of_a_running_one(engine_server: EngineServer) -> None:
    container = engine_server.running(
        "sh", "-c", "read x; echo got $x; exit 9", OpenStdin=True, StdinOnce=True
    )
    done = engine_server.docker("attach", container, stdin=b"word\n", code=9)
    assert done.stdout == b"got word\n"


def test_errors_are_plain_text(engine_server: EngineServer) -> None:
    container = engine_server.running(name="frozen")
    engine_server.api("POST", f"/containers/{container}/pause")
    connection, head = attach(engine_server, "frozen", "stream=1&stdout=1")
    assert head.startswith(b"HTTP/1.1 409 Conflict")
    text = b"container frozen is paused, unpause the container before attach\r\n"
    assert (head + drain(connection)).endswith(text)
    assert engine_server.api("POST", "/containers/nosuch/attach?detachKeys=bad-keys")[0] == 400
    assert engine_server.api("POST", "/containers/nosuch/attach?stream=1")[0] == 404
