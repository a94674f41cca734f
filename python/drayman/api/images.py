"""Images on this host."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from drayman.api import views
from drayman.api.lending import Framing
from drayman.api.monitor import change_options
from drayman.api.requests import Call
from drayman.api.responses import Json, empty
from drayman.errors import DraymanError, InvalidParameter, Unimplemented

# What `docker import -` names as its source.
FROM_BODY = "-"


async def index(call: Call) -> Response:
    """``GET /images/json``."""
    filters = call.filters()
    if call.text("filter") and not call.at_least("1.41"):
        filters.setdefault("reference", []).append(call.text("filter"))
    found = await call.backend.image_list(
        all=call.flag("all"), filters=filters, shared_size=call.flag("shared-size")
    )
    return Json([views.image(one, call.version) for one in found])


async def inspect(call: Call) -> Response:
    """``GET /images/{name}/json``."""
    return Json(views.image(await call.backend.image_inspect(call.name), call.version))


async def history(call: Call) -> Response:
    """``GET /images/{name}/history``."""
    return Json(await call.backend.image_history(call.name))


async def changes(call: Call) -> Response:
    """``GET /images/{name}/changes``: to the image ``to``. Not Docker's."""
    if not call.text("to"):
        raise InvalidParameter("bad parameter: to cannot be empty")
    options = change_options(call)
    found = await call.backend.image_changes(call.name, call.text("to"), options)
    return Response(found, media_type=Json.media_type)


async def tag(call: Call) -> Response:
    """``POST /images/{name}/tag``."""
    await call.backend.image_tag(call.name, call.text("repo"), call.text("tag"))
    return empty(201)


async def remove(call: Call) -> Response:
    """``DELETE /images/{name}``."""
    removed = await call.backend.image_remove(
        call.name, force=call.flag("force"), prune=not call.flag("noprune")
    )
    return Json(removed)


async def load(call: Call) -> Response:
    """``POST /images/load``: what goes wrong is told in the stream, with 200."""
    quiet = call.flag("quiet", default=True)

    async def read(fd: int, framing: Framing) -> tuple[list[dict[str, Any]], bytes]:
        return await call.backend.image_load(fd, framing, quiet=quiet)

    try:
        progress = await call.connection.receive(read)
    except DraymanError as error:
        progress = [{"errorDetail": {"message": str(error)}, "error": str(error)}]
    return _progress(progress)


async def create(call: Call) -> Response:
    """``POST /images/create``: an import from the body; pulling is not built."""
    if call.text("fromSrc") != FROM_BODY:
        what = "pulling an image" if call.text("fromImage") else "importing from a URL"
        raise Unimplemented(f"ImageCreate: {what} is not available in this version of Drayman")

    async def read(fd: int, framing: Framing) -> tuple[list[dict[str, Any]], bytes]:
        return await call.backend.image_import(
            fd,
            framing,
            repository=call.text("repo"),
            tag=call.text("tag"),
            message=call.text("message"),
            changes=call.texts("changes"),
            platform=call.text("platform"),
        )

    return _progress(await call.connection.receive(read))


def _progress(documents: list[dict[str, Any]]) -> Response:
    return Response(
        b"".join(orjson.dumps(one) + b"\r\n" for one in documents), media_type="application/json"
    )
