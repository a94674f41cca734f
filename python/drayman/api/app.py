"""The API as a Starlette application: one table of operations, one way in and out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.routing import Match as Matched
from starlette.types import Message, Receive, Scope, Send

from drayman.api import headers, versions
from drayman.api.backend import Backend
from drayman.api.connection import ClientGone, connection_of
from drayman.api.requests import Call
from drayman.api.responses import Json, failure
from drayman.api.router import Match, Router
from drayman.api.routes import TABLE
from drayman.errors import DraymanError, InvalidParameter, Unimplemented

log = logging.getLogger(__name__)


# Given method, template of the path ("" for none), status, and seconds up to the answer's head.
Observer = Callable[[str, str, int, float], None]


def build(
    backend: Backend, router: Router | None = None, observer: Observer | None = None
) -> Starlette:
    """The application that answers for ``backend``."""
    app = Starlette(routes=[Operations(backend, router or Router(TABLE), observer)])
    # Operations answers for whatever fails: Starlette's layers that would cost each message.
    app.middleware_stack = app.router
    return app


class Operations(BaseRoute):
    """Every operation of the API as one route: Starlette's own know no greedy paths."""

    def __init__(self, backend: Backend, router: Router, observer: Observer | None) -> None:
        self._backend = backend
        self._router = router
        self._observer = observer

    def matches(self, scope: Scope) -> tuple[Matched, Scope]:
        """Take every request; what is unknown is answered as dockerd does."""
        return (Matched.FULL if scope["type"] == "http" else Matched.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began_s = time.perf_counter()
        found: Match | None = scope.get("extensions", {}).get("drayman.match")
        match = found or self._router.find(scope["method"], scope["path"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*headers.common(), *message["headers"]]
                if self._observer is not None:
                    # What is unknown is the client's own word, of which there may be any number.
                    known = match.route
                    method, template = (known.method, known.template) if known else ("", "")
                    took_s = time.perf_counter() - began_s
                    self._observer(method, template, message["status"], took_s)
            await send(message)

        try:
            response = await self._respond(match, scope, receive, send_with_headers)
            await response(scope, receive, send_with_headers)
        except (ClientDisconnect, ClientGone):
            log.debug("%s %s: the client left", scope["method"], scope["path"])
        except asyncio.CancelledError:
            # Only the server's end cancels a request.
            connection_of(scope, receive, send).abort()

    async def _respond(self, match: Match, scope: Scope, receive: Receive, send: Send) -> Response:
        if match.location:
            return _redirect(match.location, scope["query_string"])
        if match.route is None:
            return Json({"message": "page not found"}, 404)
        try:
            call = Call(
                scope,
                receive,
                send,
                backend=self._backend,
                match=match,
                version=versions.negotiate(match.version),
            )
            return await _ask(call, match)
        except versions.TooOld as error:
            return PlainTextResponse(f"{error}\n", 400)
        except DraymanError as error:
            return failure(error)
        except (ClientDisconnect, ClientGone):
            raise
        except Exception as error:
            log.exception("%s %s failed", scope["method"], scope["path"])
            return Json({"message": f"unexpected {type(error).__name__}: {error}"}, 500)


async def _ask(call: Call, match: Match) -> Response:
    route = match.route
    assert route is not None
    if not call.at_least(route.minimum):
        raise InvalidParameter(
            f"{route.method} {route.template} requires minimum API version {route.minimum}"
        )
    if route.handler is None:
        raise Unimplemented(f"{route.operation} is not available in this version of Drayman")
    await call.read_parameters()
    return await route.handler(call)


def _redirect(path: str, query: bytes) -> Response:
    location = quote(path, safe="/:@!$&'()*+,;=~-._")
    if query:
        location += "?" + query.decode("latin-1")
    return Response(status_code=301, headers={"location": location})
