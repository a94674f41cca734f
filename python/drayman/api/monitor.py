"""Containers, only looked at: lists, inspection, samples."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

from drayman.api import views
from drayman.api.options import ChangeOptions
from drayman.api.requests import Call
from drayman.api.responses import Json, Streamed, closing
from drayman.errors import InvalidParameter
from drayman.model import go_json


async def index(call: Call) -> Response:
    """``GET /containers/json``."""
    filters = call.filters()
    # Parameters once, filters since; the filters win.
    for key in ("before", "since"):
        if call.text(key):
            filters.setdefault(key, [call.text(key)])
    found = await call.backend.container_list(
        all=call.flag("all"),
        limit=call.integer("limit") or 0,
        size=call.flag("size"),
        filters=filters,
    )
    return Json([views.container_summary(one, call.version) for one in found])


async def inspect(call: Call) -> Response:
    """``GET /containers/{name}/json``."""
    document = await call.backend.container_inspect(call.name, size=call.flag("size"))
    return Json(views.container(document, call.version))


async def top(call: Call) -> Response:
    """``GET /containers/{name}/top``."""
    return Json(await call.backend.container_top(call.name, call.text("ps_args")))


async def changes(call: Call) -> Response:
    """``GET /containers/{name}/changes``. Beyond Docker's: ``size``, ``since``."""
    found = await call.backend.container_changes(call.name, change_options(call))
    return Response(found, media_type=Json.media_type)


def change_options(call: Call) -> ChangeOptions:
    """What is asked of changes."""
    return ChangeOptions(size=call.flag("size"), since_ns=call.time_ns("since"))


async def stats(call: Call) -> Response:
    """``GET /containers/{name}/stats``."""
    stream = call.flag("stream", default=True)
    one_shot = call.flag("one-shot") and call.at_least("1.41") and not stream
    # Asked first, for a sampler tells what is wrong only when the head is out.
    await call.backend.container_get(call.name)
    samples = call.backend.container_stats(call.name, stream=stream, one_shot=one_shot)
    if stream:
        return Streamed(_lines(samples), media_type=None)
    async with closing(samples) as first:
        async for sample in first:
            return Json(sample, escaped=True)
    raise InvalidParameter(f"container {call.name} gave no sample")


async def all_stats(call: Call) -> Response:
    """``GET /containers/stats``, beyond Docker's: every running container, a line each."""
    stream = call.flag("stream", default=True)
    one_shot = call.flag("one-shot") and not stream
    rounds = call.backend.containers_stats(call.filters(), stream=stream, one_shot=one_shot)
    # The first, so that a filter that does not exist is told of in the head.
    first = await anext(rounds)
    return Streamed(_rounds(first, rounds), media_type="application/x-ndjson")


async def _lines(documents: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async with closing(documents) as all_of_them:
        async for document in all_of_them:
            yield go_json.dumps(document)


async def _rounds(
    first: list[dict[str, Any]], rounds: AsyncIterator[list[dict[str, Any]]]
) -> AsyncIterator[bytes]:
    async with closing(rounds) as all_of_them:
        if first:
            yield b"".join(map(go_json.dumps, first))
        async for samples in all_of_them:
            if samples:
                yield b"".join(map(go_json.dumps, samples))
