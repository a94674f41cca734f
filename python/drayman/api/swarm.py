"""Swarm, which a single engine answers as one that is in no swarm."""

from __future__ import annotations

from starlette.responses import Response

from drayman.api.requests import Call
from drayman.errors import InvalidParameter, Unavailable

NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to'
    " connect this node to swarm and try again."
)


async def manage(call: Call) -> Response:
    """What only a manager can do."""
    call.filters()
    raise Unavailable(NOT_A_MANAGER)


async def update(call: Call) -> Response:
    """Updates name the version of the object that they change."""
    text = call.text("version")
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameter(f"invalid swarm object version '{text}'")
    raise Unavailable(NOT_A_MANAGER)


async def logs(call: Call) -> Response:
    """Logs ask for one of the streams."""
    if not call.flag("stdout") and not call.flag("stderr"):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    raise Unavailable(NOT_A_MANAGER)


async def leave(call: Call) -> Response:
    """``POST /swarm/leave``."""
    raise Unavailable("This node is not part of a swarm")
