"""The engine itself: is it there, what is it, what happens in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import PlainTextResponse, Response

from drayman.api import versions, views
from drayman.api.requests import Call
from drayman.api.responses import Json, Streamed, closing, empty
from drayman.errors import InvalidParameter
from drayman.model import go_bool, go_json
from drayman.model.event import Event
from drayman.model.registry import AuthConfig

PING_HEADERS = {
    # "1" is the classic builder, which needs no session and no gRPC.
    "builder-version": "1",
    "cache-control": "no-cache, no-store, must-revalidate",
    "pragma": "no-cache",
    "swarm": "inactive",
}
USAGE_TYPES = ("container", "image", "volume", "build-cache")


async def ping(call: Call) -> Response:
    """``GET /_ping`` and ``HEAD /_ping``, by which clients learn what to speak."""
    return PlainTextResponse("OK" if call.method == "GET" else "", headers=PING_HEADERS)


async def version(call: Call) -> Response:
    """``GET /version``."""
    document = await call.backend.version()
    spoken = {"ApiVersion": versions.NEWEST, "MinAPIVersion": versions.OLDEST}
    for component in document.get("Components") or ():
        if component.get("Name") == "Engine":
            component["Details"] = {**(component.get("Details") or {}), **spoken}
    return Json({**document, **spoken})


async def info(call: Call) -> Response:
    """``GET /info``."""
    return Json(views.info(await call.backend.info(), call.version))


async def auth(call: Call) -> Response:
    """``POST /auth``: whether a registry takes these credentials."""
    identity = await call.backend.login(await call.document(AuthConfig, required=True))
    return Json({"IdentityToken": identity, "Status": "Login Succeeded"})


async def disk_usage(call: Call) -> Response:
    """``GET /system/df``."""
    types = call.texts("type") if call.at_least("1.42") else []
    for unknown in set(types) - set(USAGE_TYPES):
        raise InvalidParameter(f"unknown object type: {unknown}")
    text = call.text("verbose") if call.at_least("1.52") else ""
    verbose = go_bool.parse(text)
    if text and verbose is None:
        raise InvalidParameter(f"invalid value for verbose: {text}")
    return Json(views.disk_usage(await call.backend.disk_usage(types), verbose, call.version))


async def events(call: Call) -> Response:
    """``GET /events``."""
    since_ns, until_ns = call.time_ns("since"), call.time_ns("until")
    if since_ns is not None and until_ns is not None and until_ns < since_ns:
        raise InvalidParameter(
            f"`since` time ({call.text('since')}) cannot be after"
            f" `until` time ({call.text('until')})"
        )
    media_type, mark = _event_format(call)
    happened = call.backend.events(since_ns, until_ns, call.filters())
    return Streamed(_records(call, happened, mark), media_type)


async def options(call: Call) -> Response:
    """``OPTIONS`` of anything."""
    return empty(200)


async def _records(call: Call, happened: AsyncIterator[Event], mark: bytes) -> AsyncIterator[bytes]:
    async with closing(happened) as all_of_them:
        async for event in all_of_them:
            # Images were created silently below 1.46.
            if call.at_least("1.46") or (event.type, event.action) != ("image", "create"):
                yield mark + go_json.dumps_escaped(views.event(event, call.version))


def _event_format(call: Call) -> tuple[str, bytes]:
    """The media type of the stream, and what stands before each record."""
    accepted = call.headers.get("accept", "")
    if "application/json-seq" in accepted:
        return "application/json-seq", b"\x1e"
    if "application/x-ndjson" in accepted:
        return "application/x-ndjson", b""
    return ("application/jsonl" if call.at_least("1.52") else "application/json"), b""
