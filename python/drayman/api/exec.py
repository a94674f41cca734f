"""Further processes in a running container."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from drayman.api.attach import hijack_head
from drayman.api.options import ExecRequest, ExecStartRequest
from drayman.api.requests import Call
from drayman.api.responses import Gone, Json, empty
from drayman.errors import InvalidParameter


async def create(call: Call) -> Response:
    """``POST /containers/{name}/exec``."""
    request = await call.document(ExecRequest)
    if not request.cmd:
        raise InvalidParameter("No exec command specified")
    if not call.at_least("1.42"):
        request = msgspec.structs.replace(request, console_size=None)
    return Json({"Id": await call.backend.exec_create(call.name, request)}, 201)


async def start(call: Call) -> Response:
    """``POST /exec/{name}/start``: errors up to here are JSON, later ones in the stream."""
    request = await call.document(ExecStartRequest)
    slow = call.slow()
    await call.backend.exec_check(call.name)
    if not request.tty or not call.at_least("1.42"):
        request = msgspec.structs.replace(request, console_size=None)
    if request.detach:
        await call.backend.exec_start(call.name, request, None)
        return empty(200)
    head = hijack_head(call, framed=not request.tty, common=True)
    session = await call.connection.detach(head)
    await call.backend.exec_start(call.name, request, session, slow=slow)
    return Gone()


async def resize(call: Call) -> Response:
    """``POST /exec/{name}/resize``."""
    height, width = call.side("h", "height"), call.side("w", "width")
    await call.backend.exec_resize(call.name, height, width)
    return empty(200)


async def kill(call: Call) -> Response:
    """``POST /exec/{name}/kill``."""
    await call.backend.exec_kill(call.name, call.text("signal"))
    return empty(204)


async def remove(call: Call) -> Response:
    """``DELETE /exec/{name}``."""
    await call.backend.exec_remove(call.name, force=call.flag("force"))
    return empty(204)


async def inspect(call: Call) -> Response:
    """``GET /exec/{name}/json``."""
    return Json(await call.backend.exec_inspect(call.name))
