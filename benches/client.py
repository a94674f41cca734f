"""The barest client: a socket and one large buffer, so that what is measured is the server."""

from __future__ import annotations

import fcntl
import socket
import subprocess
from pathlib import Path

# More gains a reader nothing, less costs it system calls.
BUFFER_BYTES = 1 << 20


class Client:
    """One connection to an engine, or to whatever answers as one."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(host.removeprefix("unix://"))
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

    def get(self, path: str, *headers: str) -> int:
        """Read an answer to the connection's end; its bytes, head and all."""
        lines = [f"GET {path} HTTP/1.1", "Host: bench", "Connection: close", *headers]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        total = self._answered()
        while received := self._socket.recv_into(self._buffer):
            total += received
        return total

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
        if not line.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {line!r}")
        return received


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
