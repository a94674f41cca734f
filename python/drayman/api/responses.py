"""What goes back: documents, errors, streams, bulk bytes."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from drayman import errors
from drayman.api.connection import ClientGone, connection_of
from drayman.api.lending import Download
from drayman.model import go_json

log = logging.getLogger(__name__)

T = TypeVar("T")

# What kinds of errors mean to a client; a kind not named here is the host's fault.
STATUSES: dict[type[errors.DraymanError], int] = {
    errors.NotModified: 304,
    errors.InvalidParameter: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unimplemented: 501,
    errors.Unavailable: 503,
}

RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"


class Json(Response):
    """One JSON document."""

    media_type = "application/json"

    def __init__(self, value: Any, status: int = 200, *, escaped: bool = False) -> None:
        dumps = go_json.dumps_escaped if escaped else go_json.dumps
        super().__init__(dumps(value), status)


def empty(status: int = 204) -> Response:
    """A status alone."""
    return Response(status_code=status)


def status_of(error: errors.DraymanError) -> int:
    """The status that an error's kind, or the nearest kind above it, stands for."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 500


def failure(error: errors.DraymanError) -> Response:
    """The answer to a request that failed."""
    status = status_of(error)
    if status == 304:
        return empty(304)
    return Json({"message": str(error)}, status)


def uncoded(found: str, offers: Sequence[str]) -> Response:
    """The answer to a body in content codings that are not read (RFC 9110, 15.5.16)."""
    known = ", ".join(offers)
    text = f"cannot decode Content-Encoding {found}: send one or two of {known}, or none"
    response = Json({"message": text}, 415)
    response.headers["accept-encoding"] = known
    return response


@asynccontextmanager
async def closing(documents: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """End the source of a stream as soon as nobody wants more of it."""
    try:
        yield documents
    finally:
        if isinstance(documents, AsyncGenerator):
            await documents.aclose()


class Streamed(Response):
    """Documents as they come. The head goes out at once, for clients wait for it.

    The client's leaving ends it. So does the server's end, then as if nothing more came,
    unless the answer would be ``incomplete`` by that.
    """

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        media_type: str | None = "application/json",
        *,
        listens: bool = True,
        incomplete: bool = False,
    ) -> None:
        super().__init__(media_type=media_type)
        # Without a length, the server chunks.
        del self.headers["content-length"]
        self._parts = parts
        self._listens = listens
        self._incomplete = incomplete

    @property
    def start(self) -> Message:
        """How it starts."""
        return _start(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""

        async def pass_on() -> None:
            async for part in self._parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})

        connection = connection_of(scope, receive, send)
        async with closing(self._parts):
            if not connection.greeted:
                await send(self.start)
            try:
                ended = await connection.while_there(pass_on(), half_close=self._listens)
            except Exception:
                # The head is out: a cut answer is all that can still tell of it.
                log.exception("%s %s failed after its head", scope["method"], scope["path"])
                connection.abort()
                return
        if ended or not self._incomplete:
            await send({"type": "http.response.body"})
        else:
            connection.abort()


class Downloaded(Response):
    """Bulk bytes, written by native code."""

    def __init__(
        self,
        download: Download,
        media_type: str,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
        listens: bool = False,
        trailers: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers, status_code=status)
        del self.headers["content-length"]
        self._download = download
        self._listens = listens
        # What can be told once everything is sent.
        self._trailers = trailers

    @property
    def start(self) -> Message:
        """How it starts."""
        return _start(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        connection = connection_of(scope, receive, send)
        try:
            await send(self.start)
            whole = await connection.send(self._download, listens=self._listens)
        except ClientGone:
            whole = False
        except (errors.DraymanError, OSError) as error:
            log.warning("%s %s was cut short: %s", scope["method"], scope["path"], error)
            whole = False
        finally:
            await self._download.close()
        if not whole:
            connection.abort()
        elif self._trailers is not None:
            await connection.finish(self._trailers())
        else:
            await send({"type": "http.response.body"})


class Gone(Response):
    """No answer: the connection was given away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


def _start(response: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
    }
