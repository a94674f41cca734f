"""Asking an engine over its API, as any client does.

The standard library's HTTP client: bulk bytes are read and written by native code on the
connection's own descriptor, which no other client lends.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
from base64 import b64decode
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote, urlsplit

import msgspec
import orjson

from drayman.config import DEFAULT_HOST
from drayman.errors import DraymanError, InvalidParameter, System
from drayman.storage import files

# Go's os.ModeDir and os.ModeSymlink, and all bits that make a file no regular one.
MODE_DIRECTORY, MODE_SYMLINK, MODE_TYPES = 1 << 31, 1 << 27, 0x8F28_0000
DEFAULT_PORT = 2375
STAT_HEADER = "X-Docker-Container-Path-Stat"
# What is read at a time where Python passes bytes on.
BLOCK_BYTES = 1 << 20

# Names, and a value or several each.
Query = Mapping[str, str | bool | list[str] | tuple[str, ...] | None]


class Refused(DraymanError):
    """Raised when the engine answers with an error; the text is the engine's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the engine says: {message}")
        self.status = status


class FileStat(msgspec.Struct, frozen=True):
    """What lies at a path of a container."""

    name: str
    size: int
    mode: int  # a Go FileMode
    link_target: str = msgspec.field(name="linkTarget", default="")

    @property
    def is_directory(self) -> bool:
        return bool(self.mode & MODE_DIRECTORY)

    @property
    def is_symlink(self) -> bool:
        return bool(self.mode & MODE_SYMLINK)

    @property
    def is_regular(self) -> bool:
        return not self.mode & MODE_TYPES


class Answer:
    """A response whose body was not read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response

    def read(self) -> bytes:
        """All of the body."""
        return self._response.read()

    def fileno(self) -> int:
        """The connection's descriptor, for who reads the body off it as `framing` says."""
        return self._response.fileno()

    @property
    def framing(self) -> dict[str, Any]:
        """How the body lies on the descriptor, and what of it was read with the head."""
        chunked = bool(self._response.chunked)
        # What is buffered, and never more than that once there is something.
        early = self._response.fp.peek()
        return {"chunked": chunked, "length_bytes": self._response.length, "early": early}

    def stat(self) -> FileStat:
        """What the header tells of the path that was asked for."""
        return msgspec.json.decode(b64decode(self.headers[STAT_HEADER]), type=FileStat)


class Daemon:
    """An engine. Each question has a connection of its own, until the end of its context."""

    def __init__(self, host: str | None = None) -> None:
        """At a URL, by default the one in DOCKER_HOST, or else where `drayman serve` listens."""
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._open = ExitStack()
        # Whether the last answer was one of Drayman's, not of another engine.
        self.is_ours = False

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, its body still to be read. Refused for an error's."""
        connection = self._connect()
        connection.request(method, _target(path, query), headers=dict(headers or {}))
        return self._answer(connection)

    def document(self, path: str, query: Query | None = None) -> Any:
        """The JSON of a GET."""
        return orjson.loads(self.ask("GET", path, query).read())

    def stat(self, container: str, path: str) -> FileStat | None:
        """What lies at a path, None for nothing. Refused when there is no such container, too."""
        try:
            answer = self.ask("HEAD", archive(container), {"path": path})
        except Refused as error:
            if error.status != 404:
                raise
            # An answer to HEAD has no text: this one tells which of the two is missing.
            self.document(f"/containers/{segment(container)}/json")
            return None
        return answer.stat()

    def put(self, path: str, query: Query, body: Sending) -> None:
        """A PUT whose body writes itself. Refused when the engine does not take it."""
        connection = self._connect()
        connection.putrequest("PUT", _target(path, query))
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        # An engine that refuses a body stops reading it, and says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            body.send(connection.sock)
            connection.sock.sendall(b"0\r\n\r\n")
        self._answer(connection).read()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("drayman", blocksize=BLOCK_BYTES)
        try:
            connection.sock = _socket(self.host)
        except OSError as error:
            advice = (
                "use sudo, or have yourself put into the group that may use it"
                if isinstance(error, PermissionError)
                else "start one with `drayman serve`, or say where it is by --host or DOCKER_HOST"
            )
            reason = error.strerror or error
            raise System(f"no engine answers at {self.host}: {reason}; {advice}") from None
        self._open.callback(connection.close)
        return connection

    def _answer(self, connection: http.client.HTTPConnection) -> Answer:
        try:
            response = connection.getresponse()
        except (http.client.HTTPException, ConnectionError) as error:
            raise System(f"the engine left without an answer ({error})") from None
        self._open.callback(response.close)
        self.is_ours = response.headers.get("Server", "").startswith("Drayman")
        if response.status < 400:
            return Answer(response)
        body = response.read()
        try:
            message = orjson.loads(body)["message"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            message = body.decode(errors="replace").strip() or response.reason
        raise Refused(response.status, message)


class Sending(Protocol):
    """A body that writes itself."""

    def send(self, connection: socket.socket) -> None:
        """Write it in chunks, without the last one."""


class Stream:
    """A body: what is read off a file to its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def send(self, connection: socket.socket) -> None:
        """Write it, a chunk for each piece read."""
        while piece := self._file.read(BLOCK_BYTES):
            connection.sendall(b"%x\r\n" % len(piece))
            connection.sendall(piece)
            connection.sendall(b"\r\n")


def archive(container: str) -> str:
    """The path of a container's archive."""
    return f"/containers/{segment(container)}/archive"


def trailer(received: files.Received, name: str) -> str | None:
    """A field behind a chunked body."""
    found = re.search(rb"(?im)^%b:[ \t]*(.*?)[ \t]*$" % name.encode(), received.trailers)
    return None if found is None else found[1].decode("latin-1")


def _socket(host: str) -> socket.socket:
    url = urlsplit(host)
    if url.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(url.netloc + url.path)
        except BaseException:
            connection.close()
            raise
        return connection
    if url.scheme in ("tcp", "http") and url.hostname:
        return socket.create_connection((url.hostname, url.port or DEFAULT_PORT))
    raise InvalidParameter(
        f"{host} is no place of an engine: write unix:///path or tcp://name:port"
    )


def _target(path: str, query: Query | None) -> str:
    pairs = [
        f"{name}={quote(_text(value), safe='/')}"
        for name, values in (query or {}).items()
        for value in (values if isinstance(values, list | tuple) else [values])
        if value not in (None, False)
    ]
    return path + ("?" + "&".join(pairs) if pairs else "")


def _text(value: str | bool | None) -> bytes:
    return b"1" if value is True else os.fsencode(str(value))


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")
