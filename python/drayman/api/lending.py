"""What the API lends to the engine, or gives away: connections, and bodies on them."""

from __future__ import annotations

from typing import Protocol

import msgspec

from drayman.model import go_json


class Framing(msgspec.Struct, frozen=True):
    """How the body of a request lies on a descriptor: chunked, or so many bytes."""

    chunked: bool
    length_bytes: int | None
    # Bytes of the body that were read together with the head.
    early: bytes = b""


# A descriptor that holds nothing but the body.
TO_THE_END = Framing(chunked=False, length_bytes=None)


class Download(Protocol):
    """Bulk bytes on their way out. Made before the response head, so that it can still fail."""

    async def send(self, fd: int, *, chunked: bool) -> None:
        """Write everything to the descriptor, which may be non-blocking, without Python
        touching the bytes; ``chunked`` asks for HTTP chunks, the last one (``0``) left out.

        Cancelling it stops the work. A client that is gone is not an error.
        """

    async def close(self) -> None:
        """Give back what it holds; harmless after `send`."""


class Tarball(Download, Protocol):
    """A tar on its way out."""

    # Where it was surveyed: the plain tar's size, and what two tars of the same bytes share.
    size_bytes: int | None
    fingerprint: bytes | None
    # The SHA-256 of what was sent and skipped, once it is sent, if that was asked for.
    sum: bytes | None

    def skip(self, skip_bytes: int) -> None:
        """Leave out the beginning, which the client has."""


class LogStream(Download, Protocol):
    """A log on its way out."""

    # What is to be told behind it, once it is sent.
    trailers: dict[str, str]


class Session(msgspec.Struct, frozen=True):
    """A hijacked connection, given to the engine for good.

    `fd` is a duplicate that the receiver closes; `early` is what the client sent ahead. The
    client has no answer yet: `head` is to be written before anything else, by whoever serves
    it, so that a client which was told of a stream is sure to have one.
    """

    fd: int
    head: bytes = b""
    early: bytes = b""


class Caller(Protocol):
    """The connection of a client that waits for an answer, and has none of it yet."""

    @property
    def chunked(self) -> bool:
        """How the answer's body is framed: in HTTP chunks, or ended by the connection's end."""

    def fileno(self) -> int:
        """The connection's descriptor, which stays the API's. OSError when it is gone."""

    async def head(self) -> bytes:
        """The answer's head, for who will send it: the API, which does so otherwise, will not.
        OSError when the connection is gone."""


def wait_document(exit_code: int, error: str) -> bytes:
    """The body of an answer to wait, whoever writes it; ``error`` is empty for none."""
    told = {"Error": {"Message": error}} if error else {}
    return go_json.dumps_escaped({"StatusCode": exit_code, **told})


class Wait(Protocol):
    """A client that waits for a container's end."""

    async def outcome(self) -> tuple[int, str]:
        """The exit code and the error text, empty for none."""

    def answered(self) -> None:
        """The client has its answer: nobody else needs to give it one."""

    def close(self) -> None:
        """Wait no more."""
