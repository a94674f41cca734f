"""Containers: making and removing them, and every change of their state."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.responses import Response

from drayman.api.lending import wait_document
from drayman.api.older_requests import adapt_create, adapt_update
from drayman.api.requests import Call, quote
from drayman.api.responses import Json, Streamed, empty
from drayman.errors import InvalidParameter, System
from drayman.model.container import ContainerConfig, CreateRequest, HostConfig, NetworkingConfig

WAIT_CONDITIONS = ("not-running", "next-exit", "removed")
# A document that is not empty has at least as many bytes, so says dockerd.
SHORTEST_START_BODY_BYTES = 7


async def create(call: Call) -> Response:
    """``POST /containers/create``."""
    request = await call.document(CreateRequest, required=True)
    if request.config() == ContainerConfig():
        raise InvalidParameter("config cannot be empty in order to create a container")
    request, warnings = adapt_create(request, call.version)
    container_id, more = await call.backend.container_create(
        call.text("name") or None,
        request.config(),
        request.host_config or HostConfig(),
        request.networking_config or NetworkingConfig(),
        call.text("platform") if call.at_least("1.41") else "",
    )
    return Json({"Id": container_id, "Warnings": [*more, *warnings]}, 201)


async def start(call: Call) -> Response:
    """``POST /containers/{name}/start``."""
    framing = call.connection.framing
    if framing and (framing.chunked or (framing.length_bytes or 0) > SHORTEST_START_BODY_BYTES):
        raise InvalidParameter(
            "starting container with non-empty request body was deprecated since API v1.22"
            " and removed in v1.24"
        )
    await call.backend.container_start(call.name)
    return empty()


async def stop(call: Call) -> Response:
    """``POST /containers/{name}/stop``."""
    await call.backend.container_stop(call.name, _signal(call), call.integer("t"))
    return empty()


async def restart(call: Call) -> Response:
    """``POST /containers/{name}/restart``."""
    try:
        timeout_s = call.integer("t")
    except InvalidParameter as error:
        # Here, and not for stop, dockerd forgets what kind of error it was.
        raise System(f"Cannot restart container {call.name}: {error}") from None
    await call.backend.container_restart(call.name, _signal(call), timeout_s)
    return empty()


async def kill(call: Call) -> Response:
    """``POST /containers/{name}/kill``."""
    await call.backend.container_kill(call.name, call.text("signal"))
    return empty()


async def pause(call: Call) -> Response:
    """``POST /containers/{name}/pause``."""
    await call.backend.container_pause(call.name)
    return empty()


async def unpause(call: Call) -> Response:
    """``POST /containers/{name}/unpause``."""
    await call.backend.container_unpause(call.name)
    return empty()


async def rename(call: Call) -> Response:
    """``POST /containers/{name}/rename``."""
    await call.backend.container_rename(call.name, call.text("name").strip())
    return empty()


async def resize(call: Call) -> Response:
    """``POST /containers/{name}/resize``."""
    height, width = call.side("h", "height"), call.side("w", "width")
    await call.backend.container_resize(call.name, height, width)
    return empty(200)


async def update(call: Call) -> Response:
    """``POST /containers/{name}/update``."""
    changes = adapt_update(await call.document(HostConfig), call.version)
    return Json({"Warnings": await call.backend.container_update(call.name, changes)})


async def wait(call: Call) -> Response:
    """``POST /containers/{name}/wait``: the head goes out once the waiter is registered."""
    condition = call.text("condition") if call.at_least("1.30") else ""
    if condition and condition not in WAIT_CONDITIONS:
        raise InvalidParameter(f"invalid condition: {quote(condition)}")

    async def document() -> AsyncIterator[bytes]:
        with contextlib.closing(waiter):
            # Registered: a generator that has begun is sure to be closed.
            yield b""
            exit_code, error = await waiter.outcome()
            # From 1.30 to 1.33 a failed removal is told by an empty answer.
            if not error or condition != "removed" or call.at_least("1.34"):
                yield wait_document(exit_code, error)
            waiter.answered()

    parts = document()
    answer = Streamed(parts, listens=False, incomplete=True)
    waiter = await call.backend.container_wait(
        call.name, condition or WAIT_CONDITIONS[0], call.connection.caller(answer.start)
    )
    await anext(parts)
    return answer


async def remove(call: Call) -> Response:
    """``DELETE /containers/{name}``."""
    await call.backend.container_remove(
        call.name, force=call.flag("force"), volumes=call.flag("v"), link=call.flag("link")
    )
    return empty()


async def prune(call: Call) -> Response:
    """``POST /containers/prune``."""
    return Json(await call.backend.containers_prune(call.filters()))


def _signal(call: Call) -> str | None:
    return (call.text("signal") or None) if call.at_least("1.42") else None
