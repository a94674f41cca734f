"""What a handler may do with the connection under its request, whatever kind it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from starlette.types import Message, Receive, Scope, Send

from drayman.api.lending import Caller, Download, Framing, Session
from drayman.api.pumped import Pumped

T = TypeVar("T")
# Reads a body off a descriptor; returns a result and what it read beyond the body.
BodyReader = Callable[[int, Framing], Awaitable[tuple[T, bytes]]]


class ClientGone(ConnectionError):
    """Raised when the connection ended before it could be used; nobody is left to tell."""


class Connection(Protocol):
    """See `drayman.api.wire.Wire`, the usual one."""

    framing: Framing | None

    async def send(self, download: Download, *, listens: bool) -> bool:
        """Let a download write the answer's body, after the head; False if it was cut short.

        With ``listens`` the end of the client's sending ends it.
        """

    @property
    def trails(self) -> bool:
        """Whether the answer may end with trailer fields."""

    async def finish(self, trailers: Mapping[str, str]) -> None:
        """End an answer, after its body was sent, with trailer fields."""

    async def receive(self, reader: BodyReader[T]) -> T:
        """Let ``reader`` take the request's body."""

    async def detach(self, head: bytes) -> Session:
        """Give the connection away, and the head that whoever serves it will write."""

    def caller(self, start: Message) -> Caller | None:
        """The client, for those who can answer it should this process die; None: nobody can.
        ``start`` is how its answer starts."""

    @property
    def greeted(self) -> bool:
        """Whether somebody else has seen to the answer's head."""

    async def while_there(self, work: Awaitable[Any], *, half_close: bool) -> bool:
        """Await ``work`` as long as the client is there; False if that was cut short."""

    def abort(self) -> None:
        """End the connection before its answer is complete."""


def connection_of(scope: Scope, receive: Receive, send: Send) -> Connection:
    """The connection of a request."""
    wire: Connection | None = scope.get("extensions", {}).get("drayman.wire")
    return Pumped(scope, receive, send) if wire is None else wire
