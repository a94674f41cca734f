"""The barest client: a socket and one large buffer, so that what is measured is the server."""

from __future__ import annotations

import fcntl
import json
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

# More gains a reader nothing, less costs it system calls.
BUFFER_BYTES = 1 << 20
# What tells of success, with a document or a stream to follow.
ANSWERS = (b"HTTP/1.1 200", b"HTTP/1.1 201", b"HTTP/1.1 204", b"HTTP/1.1 101")


class Client:
    """One connection to an engine, or to whatever answers as one."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(host.removeprefix("unix://"))
        except OSError:
            self._socket.close()
            raise
        self._buffer = memoryview(bytearray(BUFFER_BYTES))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ping(self) -> None:
        """``GET /_ping``; the connection stays."""
        self._socket.sendall(b"GET /_ping HTTP/1.1\r\nHost: bench\r\n\r\n")
        received = self._answered()
        # The body may come by itself.
        while self._buffer[received - 2 : received] != b"OK":
            received = self._socket.recv_into(self._buffer)

    def ask(self, path: str) -> None:
        """GET a short document; the connection stays."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        received = bytes(self._buffer[: self._answered()])
        while not whole(received):
            received += self._socket.recv(BUFFER_BYTES)

    def get(self, path: str, *headers: str) -> int:
        """Read an answer to the connection's end; its bytes, head and all."""
        self._get(path, *headers)
        return self.rest(self._answered())

    def _get(self, path: str, *headers: str) -> None:
        lines = [f"GET {path} HTTP/1.1", "Host: bench", "Connection: close", *headers]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def save(self, path: str, file: Path) -> None:
        """Keep an answer as it came, head and all, to the connection's end."""
        self._get(path)
        with file.open("wb") as kept:
            while received := self._socket.recv_into(self._buffer):
                kept.write(self._buffer[:received])

    def post(self, path: str, body: object) -> Any:
        """Send a document and read the one that answers it."""
        self._post(path, body)
        answer = bytes(self._buffer[: self._answered()])
        # It may come by itself.
        while not answer.rstrip().endswith(b"}"):
            answer += self._socket.recv(BUFFER_BYTES)
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])

    def act(self, path: str) -> None:
        """Have something done that needs no words."""
        self._post(path, {})
        self._answered()

    def hijack(self, path: str, body: object) -> int:
        """Take the connection over; the bytes that came with the answer's head, and it."""
        self._post(path, body, "Connection: Upgrade", "Upgrade: tcp")
        return self._answered()

    def say(self, words: bytes) -> None:
        """Send what a process reads."""
        self._socket.sendall(words)

    def read(self, at_least: int) -> None:
        """Read so many bytes, and what has come with them."""
        while at_least > 0:
            received = self._socket.recv_into(self._buffer)
            if not received:
                raise RuntimeError(f"the stream ended, {at_least} bytes early")
            at_least -= received

    def rest(self, total: int) -> int:
        """Read to the connection's end: `total` and what comes."""
        while received := self._socket.recv_into(self._buffer):
            total += received
        return total

    def _post(self, path: str, body: object, *headers: str) -> None:
        content = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(content)}", *headers]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + content)

    def put(self, path: str, file: Path) -> None:
        """Send a file as a request's body."""
        lines = [f"PUT {path} HTTP/1.1", "Host: bench", f"Content-Length: {file.stat().st_size}"]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        with file.open("rb") as body:
            self._socket.sendfile(body)
        self._answered()

    def _answered(self) -> int:
        """Read the beginning of an answer, which says that all is well."""
        received = self._socket.recv_into(self._buffer)
        line = bytes(self._buffer[:received]).split(b"\r\n", 1)[0]
        if not line.startswith(ANSWERS):
            raise RuntimeError(f"the server answered {line!r}")
        return received


def whole(received: bytes) -> bool:
    """Whether this is all of an answer."""
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head, re.IGNORECASE)
    return len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n")


def drain(command: list[str], directory: Path) -> None:
    """Read what a program prints as `Client.get` reads an answer, by a pipe as large."""
    buffer = memoryview(bytearray(BUFFER_BYTES))
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdout is not None
        fcntl.fcntl(program.stdout, fcntl.F_SETPIPE_SZ, BUFFER_BYTES)
        while program.stdout.readinto(buffer):  # type: ignore[attr-defined]
            pass
    if program.returncode != 0:
        raise subprocess.CalledProcessError(program.returncode, command)
