"""Files in and out of containers."""

from __future__ import annotations

from base64 import b64encode

from starlette.responses import Response

from drayman.api import tars
from drayman.api.connection import ClientGone
from drayman.api.lending import Framing
from drayman.api.options import PathStat, PutOptions, TarOptions
from drayman.api.requests import Call
from drayman.api.responses import empty, uncoded
from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.go_time import rfc3339

STAT_HEADER = "x-docker-container-path-stat"
TAR = "application/x-tar"
# The best first; Docker's before ours.
CODINGS = ("gzip", "deflate", "zstd")
# Docker compresses no export: only a coding that it does not know can be meant for us.
EXPORT_CODINGS = ("zstd",)
# Each coding of a body takes a decoder, and its memory.
BODY_CODINGS_LIMIT = 2


async def stat(call: Call) -> Response:
    """``HEAD /containers/{name}/archive``: the answer is a header."""
    found = await call.backend.archive_stat(call.name, _path(call))
    return Response(headers={STAT_HEADER: _stat_header(found)})


async def get(call: Call) -> Response:
    """``GET /containers/{name}/archive``; what can be asked for beyond Docker's: see `tars`."""
    options = tars.options_of(call, CODINGS)
    found, tar = await call.backend.archive_get(call.name, _path(call), options)
    return await tars.answer(call, tar, options, TAR, {STAT_HEADER: _stat_header(found)})


async def put(call: Call) -> Response:
    """``PUT /containers/{name}/archive``. What is wrong with the path is told at once."""
    path, options = _path(call), _put_options(call)
    if len(options.codings) > BODY_CODINGS_LIMIT or not set(options.codings) <= set(CODINGS):
        return uncoded(", ".join(options.codings), CODINGS)
    await call.backend.archive_check(call.name, path)

    async def unpack(fd: int, framing: Framing) -> tuple[None, bytes]:
        return None, await call.backend.archive_put(
            call.name,
            path,
            fd,
            options,
            framing,
        )

    await call.connection.receive(unpack)
    return empty(200)


async def transfer(call: Call) -> Response:
    """``POST /containers/{name}/archive/from``: GET archive of another container, put into this
    one without the client in between, who ends it by leaving."""
    source = call.text("container")
    if not source:
        raise InvalidParameter("bad parameter: container cannot be empty")
    copying = call.backend.archive_from(
        call.name,
        _path(call),
        _put_options(call),
        source,
        _path(call, "src"),
        TarOptions(include=call.texts("include"), exclude=call.texts("exclude")),
    )
    if not await call.connection.while_there(copying, half_close=False):
        raise ClientGone
    return empty(200)


async def export(call: Call) -> Response:
    """``GET /containers/{name}/export``; what can be asked for beyond Docker's: see `tars`."""
    options = tars.options_of(call, EXPORT_CODINGS)
    tar = await call.backend.export(call.name, options)
    return await tars.answer(call, tar, options, "application/octet-stream")


def _path(call: Call, key: str = "path") -> str:
    if not call.text(key):
        raise InvalidParameter(f"bad parameter: {key} cannot be empty")
    if "\0" in call.text(key):
        raise InvalidParameter(f"bad parameter: {key} holds a NUL byte")
    return call.text(key)


def _put_options(call: Call) -> PutOptions:
    return PutOptions(
        no_overwrite_dir_non_dir=call.flag("noOverwriteDirNonDir"),
        copy_uid_gid=call.flag("copyUIDGID"),
        name=call.text("name") or None,
        codings=_body_codings(call),
    )


def _body_codings(call: Call) -> list[str]:
    """What was done to the body (RFC 9110, 8.4), in that order. Docker ignores it."""
    told = ",".join(call.headers.getlist("content-encoding")).lower().split(",")
    # 8.4.1.3: the older name counts as well.
    names = ["gzip" if name.strip() == "x-gzip" else name.strip() for name in told]
    return [name for name in names if name not in ("", "identity")]


def _stat_header(found: PathStat) -> str:
    document = {
        "name": found.name,
        "size": found.size_bytes,
        "mode": found.mode,
        "mtime": rfc3339(found.mtime_ns),
        "linkTarget": found.link_target,
    }
    return b64encode(go_json.dumps(document).rstrip()).decode()
