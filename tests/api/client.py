"""The plainest client: bytes to a socket, and an eye on how answers end."""

from __future__ import annotations

import json
import re
import socket
from typing import Any, NamedTuple

# A test that waits longer than this waits for something that will not come.
PATIENCE_S = 10.0


class Answer(NamedTuple):
    """One response."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """One connection."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(address)
        self.held = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send a request; a body gets its length."""
        lines = [f"{method} {path} HTTP/1.1", "Host: docker"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b""))

    def ask(self, method: str, path: str, **named: Any) -> Answer:
        """Send a request and read its answer."""
        self.request(method, path, **named)
        return self.answer(head_only=method == "HEAD")

    def answer(self, *, head_only: bool = False) -> Answer:
        """Read one answer, to its last byte and no further."""
        status, reason, headers = self.head()
        if head_only or status in (101, 204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return Answer(status, reason, headers, body)

    def head(self) -> tuple[int, str, dict[str, str]]:
        """Read a head."""
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        found = re.fullmatch(r"HTTP/1\.[01] (\d{3}) ?(.*)", lines[0])
        assert found, lines[0]
        headers = dict(re.split(r":\s*", line, maxsplit=1) for line in lines[1:])
        return int(found[1]), found[2], {name.lower(): value for name, value in headers.items()}

    def chunk(self) -> bytes:
        """Read one chunk; the last is empty."""
        size = int(self.until(b"\r\n"), 16)
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def until(self, mark: bytes) -> bytes:
        """Read up to a mark, which is dropped."""
        while mark not in self.held:
            self._more()
        found, _, self.held = self.held.partition(mark)
        return found

    def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self.held) < size:
            self._more()
        found, self.held = self.held[:size], self.held[size:]
        return found

    def rest(self) -> bytes:
        """Read up to the connection's end."""
        while part := self.socket.recv(65536):
            self.held += part
        found, self.held = self.held, b""
        return found

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed, with nothing more to read."""
        try:
            return not self.held and self.socket.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        part = self.socket.recv(65536)
        if not part:
            raise EOFError(f"the server closed after {self.held!r}")
        self.held += part
