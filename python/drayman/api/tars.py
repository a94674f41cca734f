"""Tars as answers: compressed, picked from, with a size, a digest, or the rest of one.

Whatever Docker does not know is asked for by a parameter or a header, so that its clients see
its bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence

from starlette.responses import Response

from drayman.api.lending import Tarball
from drayman.api.options import TarOptions
from drayman.api.requests import Call
from drayman.api.responses import Downloaded

# The plain tar's size in bytes.
SIZE_HEADER = "x-drayman-tar-size"
DIGEST_HEADER = "Repr-Digest"


def options_of(call: Call, codings: Sequence[str]) -> TarOptions:
    """What a client asks of a tar."""
    deterministic = call.flag("deterministic")
    # A part is one of the plain tar's.
    part = deterministic and "range" in call.headers
    return TarOptions(
        include=call.texts("include"),
        exclude=call.texts("exclude"),
        sparse=call.flag("sparse"),
        digests=call.flag("digests"),
        coding=None if part else call.coding(codings),
        total=call.flag("total"),
        deterministic=deterministic,
        # RFC 9110, 6.5.1: only who accepts trailers gets any.
        summed=call.connection.trails and "trailers" in call.headers.get("te", ""),
    )


async def answer(
    call: Call,
    tar: Tarball,
    options: TarOptions,
    media_type: str,
    headers: dict[str, str] | None = None,
) -> Response:
    """Send a tar, or what a conditional request asks for instead (RFC 9110, 13 and 14)."""
    headers = dict(headers or {})
    if options.coding is not None:
        headers["content-encoding"] = options.coding
    if options.total:
        headers[SIZE_HEADER] = str(tar.size_bytes)
    status = 200
    if options.deterministic:
        assert tar.fingerprint is not None
        tag = '"' + "-".join(filter(None, (tar.fingerprint.hex(), options.coding))) + '"'
        headers |= {"etag": tag, "accept-ranges": "bytes"}
        status = _condition(call, tar, tag, headers)
        if status in (304, 416):
            await tar.close()
            return Response(status_code=status, headers=headers)
    if not options.summed:
        return Downloaded(tar, media_type, headers, status=status)

    def trailers() -> dict[str, str]:
        digest = b64encode(tar.sum or b"").decode()
        return {DIGEST_HEADER: f"sha-256=:{digest}:"}

    headers["trailer"] = DIGEST_HEADER
    return Downloaded(tar, media_type, headers, status=status, trailers=trailers)


def _condition(call: Call, tar: Tarball, tag: str, headers: dict[str, str]) -> int:
    """The status; for a part, its beginning is left out and told."""
    if tag in (one.strip() for one in call.headers.get("if-none-match", "").split(",")):
        return 304
    # What follows some byte is all that is ever missing; other parts may be ignored.
    wanted = re.fullmatch(r"bytes=([0-9]{1,18})-", call.headers.get("range", ""))
    if wanted is None or call.headers.get("if-range", tag) != tag:
        return 200
    first, size = int(wanted[1]), tar.size_bytes or 0
    if first >= size:
        headers["content-range"] = f"bytes */{size}"
        return 416
    headers["content-range"] = f"bytes {first}-{size - 1}/{size}"
    tar.skip(first)
    return 206
