"""Networks."""

from __future__ import annotations

from starlette.responses import Response

from drayman.api import views
from drayman.api.requests import Call
from drayman.api.responses import Json


async def index(call: Call) -> Response:
    """``GET /networks``."""
    found = await call.backend.network_list(call.filters())
    return Json([views.network(one, {}, call.version) for one in found])


async def inspect(call: Call) -> Response:
    """``GET /networks/{name}``."""
    found, containers = await call.backend.network_inspect(call.name)
    return Json(views.network(found, containers, call.version))
