"""HTTP/1.1 as Docker's clients speak it, on uvicorn's protocol and its request cycle.

What uvicorn's own class does not do, and Docker needs:

* heads are limited, in size and in time;
* a body ends where it ends: what follows stays on the connection, for a hijack or for the
  next request, which is not looked at before this one is answered;
* ``Upgrade`` is a header like any other, the body of such a request included;
* a client may end its sending and still be answered;
* bodies of uploads are not read, so that native code can.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from drayman.api.body import Body, ChunkedBody, LengthBody, MalformedBody
from drayman.api.front import Front
from drayman.api.hangups import is_hung_up
from drayman.api.lending import Framing
from drayman.api.lingering import Lingering
from drayman.api.plain import PlainAnswer
from drayman.api.router import Router
from drayman.api.whole import WholeAnswer
from drayman.api.wire import Wire

# As Go's net/http, and so dockerd.
MAX_HEAD_BYTES = 1 << 20
# A head trickling in holds a connection and nothing else; generous for slow links.
HEAD_TIMEOUT_S = 60.0
# Of a body that nobody wanted, before the connection is given up; as Go's net/http.
MAX_UNREAD_BYTES = 256 << 10

REQUEST_LINE = re.compile(rb"[A-Z]+ [!-~\x80-\xff]+ HTTP/1\.[01]\r\Z")


class DockerProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        front: Front,
        router: Router,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.front = front
        self._router = router
        # Received and not yet understood.
        self._held = bytearray()
        # How far `_held` was searched for the end of a head.
        self._searched = 0
        self._head_timer: asyncio.TimerHandle | None = None
        # From the end of a head to the end of its answer, and of its body.
        self._busy = False
        self._body: Body | None = None
        self._unread_bytes = 0
        # The body is left to whoever takes it off the wire.
        self._withheld = False
        self._may_keep_alive = False
        self._half_closed = False
        self._lingering: Lingering | None = None

    # ---------------------------------------------------------------- what arrives

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        self._unset_keepalive_if_required()
        if self._lingering is not None:
            self._lingering.take(len(data))
            return
        self._held += data
        self._advance()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Tell whether the connection stays: it does for a client that awaits its answer."""
        if self._lingering is not None or is_hung_up(
            self.transport.get_extra_info("socket").fileno()
        ):
            return None
        self._half_closed = True
        self._advance()
        # A body that is not complete never will be.
        return self._busy and (self._body is None or self._withheld)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._set_head_timer(False)
        # uvicorn does so for connections that end well, and keeps the others for as long.
        self._unset_keepalive_if_required()
        if self._lingering is not None:
            self._lingering.forget()
        super().connection_lost(exc)

    def _advance(self) -> None:
        while self._held and not self.transport.is_closing() and self._lingering is None:
            if self._body is not None and not self._withheld:
                if not self._read_body(self._body):
                    return
            elif self._busy:
                # Nobody parses ahead: it may be another protocol that follows.
                self.flow.pause_reading()
                return
            elif not self._read_head():
                return

    def _read_head(self) -> bool:
        """Parse one head and start its request; False when it is not all there."""
        held = self._held
        if held[0] in b"\r\n":
            # RFC 9112, 2.2: an empty line or more before a request is ignored.
            del held[: len(held) - len(held.lstrip(b"\r\n"))]
            if not held:
                return False
        end = held.find(b"\r\n\r\n", self._searched) + 4
        if end > MAX_HEAD_BYTES or (end < 4 and len(held) > MAX_HEAD_BYTES):
            self._refuse(431)
            return False
        if end < 4:
            self._searched = max(0, len(held) - 3)
            if not _may_be_request(held):
                self._refuse(400)
            else:
                self._set_head_timer(True)
            return False
        self._set_head_timer(False)
        self._searched = 0
        head = bytes(held[:end])
        del held[:end]
        self._start(head)
        return True

    def _start(self, head: bytes) -> None:
        # A parser for each head: bodies are ours, so it would wait for one in vain.
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            # A header like any other; the operation knows whether it wants one.
            pass
        except httptools.HttpParserError:
            self._refuse(400)
        else:
            if not self._busy:
                self._refuse(400)

    # ---------------------------------------------------------------- one request

    def on_headers_complete(self) -> None:
        """Start the request, by uvicorn's doing, and decide who reads its body."""
        for name, value in self.headers:
            # The parser would tell only after the request was started.
            if name == b"transfer-encoding" and value.lower() != b"chunked":
                raise ValueError("unknown transfer encoding")
        super().on_headers_complete()
        cycle, scope = self.cycle, self.scope
        framing = _framing(self.headers)
        match = self._router.find(scope["method"], scope["path"])
        extensions: dict[str, Any] = scope.setdefault("extensions", {})
        extensions["drayman.wire"] = Wire(self, cycle, framing)
        extensions["drayman.match"] = match
        if scope["http_version"] == "1.0":
            cycle.send = PlainAnswer(cycle).send  # type: ignore[method-assign]
        elif scope["method"] != "HEAD":
            cycle.send = WholeAnswer(cycle).send  # type: ignore[method-assign]
        self._busy = True
        self._body = _body(framing)
        self._unread_bytes = 0
        self._may_keep_alive = cycle.keep_alive
        self._withheld = self._body is not None and match.withholds_body
        if self._withheld:
            self.flow.pause_reading()
            # Unless it is read after all, see `body_was_read`.
            cycle.keep_alive = False
            cycle.transport = Lingering(self)  # type: ignore[assignment]
        elif self._body is None:
            self._end_body()

    def on_message_complete(self) -> None:
        """Do nothing: the parser sees no bodies, and so takes each for complete."""

    def _read_body(self, body: Body) -> bool:
        """Take in what has come of the body; False when more must come first."""
        try:
            payload = body.take(self._held)
        except MalformedBody:
            self._refuse_body()
            return False
        if self.cycle.response_complete:
            self._unread_bytes += len(payload)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self.transport.close()
        elif payload:
            self.on_body(payload)
        if body.complete:
            self._end_body()
        return body.complete

    def _end_body(self) -> None:
        self._body = None
        if self.cycle.response_complete:
            self._busy = False
        else:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with what the client sent meanwhile."""
        super().on_response_complete()
        if self._withheld or self.transport.is_closing():
            return
        if self._body is None:
            self._busy = False
        if self._held:
            self.loop.call_soon(self._go_on)
        elif self._half_closed:
            self.transport.close()

    def _go_on(self) -> None:
        self._advance()
        if self._half_closed and not self._busy and not self.transport.is_closing():
            self.transport.close()

    # ---------------------------------------------------------------- for `Wire`

    def take_held(self) -> bytes:
        """What was received beyond the head, or beyond the body if it was read."""
        held = bytes(self._held)
        self._held.clear()
        return held

    def body_was_read(self, beyond: bytes) -> None:
        """Note that a withheld body was taken off the wire, and go on behind it."""
        cycle = self.cycle
        self._held[:0] = beyond
        self._body, self._withheld = None, False
        cycle.transport = self.transport
        cycle.keep_alive = self._may_keep_alive
        self._end_body()

    def linger(self, lingering: Lingering) -> None:
        """Read and drop what a client still sends, so that it sees the answer."""
        self._lingering = lingering
        lingering.take(len(self._held))
        self._held.clear()
        self.flow.resume_reading()

    # ---------------------------------------------------------------- refusals

    def _refuse(self, status: int) -> None:
        """Answer what is not a request, and end the connection."""
        self._set_head_timer(False)
        line = STATUS_LINE[status]
        reason = line.split(b" ", 1)[1]
        self.transport.write(
            line
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
            + reason.rstrip()
        )
        Lingering(self).close()

    def _refuse_body(self) -> None:
        self._body = None
        if self.cycle.response_started:
            self.transport.close()
            return
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self._refuse(400)

    def _set_head_timer(self, wanted: bool) -> None:
        if wanted and self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._refuse, 408)
        elif not wanted and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _may_be_request(start: bytearray) -> bool:
    """Whether an unfinished head can still become one."""
    end = start.find(b"\n")
    if end < 0:
        # TLS to a plain port, most often: its first byte is 0x16.
        return b"A"[0] <= start[0] <= b"Z"[0]
    return REQUEST_LINE.match(start, 0, end) is not None


def _framing(headers: list[tuple[bytes, bytes]]) -> Framing | None:
    """How the body lies on the wire. The parser has refused contradictions and nonsense."""
    for name, value in headers:
        if name == b"transfer-encoding":
            return Framing(chunked=True, length_bytes=None)
        if name == b"content-length":
            length_bytes = int(value)
            return Framing(chunked=False, length_bytes=length_bytes) if length_bytes else None
    return None


def _body(framing: Framing | None) -> Body | None:
    if framing is None:
        return None
    if framing.chunked:
        return ChunkedBody()
    assert framing.length_bytes is not None
    return LengthBody(framing.length_bytes)
