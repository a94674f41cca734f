"""Plugins, of which there are none."""

from __future__ import annotations

from starlette.responses import Response

from drayman.api.requests import Call, quote
from drayman.api.responses import Json
from drayman.errors import NotFound


async def index(call: Call) -> Response:
    """``GET /plugins``."""
    return Json([])


async def named(call: Call) -> Response:
    """Whatever is done to a plugin by name."""
    raise NotFound(f"plugin {quote(call.name)} not found")
