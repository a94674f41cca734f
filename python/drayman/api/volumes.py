"""Volumes."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from drayman.api import views
from drayman.api.requests import Call
from drayman.api.responses import Json, empty
from drayman.api.swarm import NOT_A_MANAGER
from drayman.errors import Unavailable
from drayman.model.go_json import Wire


class CreateVolume(Wire, frozen=True, kw_only=True):
    """The body of ``POST /volumes/create``."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


async def index(call: Call) -> Response:
    """``GET /volumes``."""
    found = await call.backend.volume_list(call.filters())
    return Json({"Volumes": [views.volume(one) for one in found], "Warnings": None})


async def create(call: Call) -> Response:
    """``POST /volumes/create``."""
    asked = await call.document(CreateVolume)
    made = await call.backend.volume_create(
        asked.name, asked.driver, asked.driver_opts, asked.labels
    )
    return Json(views.volume(made), 201)


async def inspect(call: Call) -> Response:
    """``GET /volumes/{name}``."""
    return Json(views.volume(await call.backend.volume_inspect(call.name)))


async def update(call: Call) -> Response:
    """``PUT /volumes/{name}``: for volumes of a cluster alone."""
    raise Unavailable(NOT_A_MANAGER)


async def remove(call: Call) -> Response:
    """``DELETE /volumes/{name}``."""
    await call.backend.volume_remove(call.name, force=call.flag("force"))
    return empty()


async def prune(call: Call) -> Response:
    """``POST /volumes/prune``: from 1.42 on the anonymous ones, unless ``all`` is asked for."""
    filters = call.filters()
    if not call.at_least("1.42"):
        filters["all"] = ["true"]
    return Json(await call.backend.volumes_prune(filters))
