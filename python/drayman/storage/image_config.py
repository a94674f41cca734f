"""The configuration blob of an image: what it runs, which layers it has, how it was made."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.image import ImageConfig

# moby's limit; overlayfs of older kernels stops soon after.
LAYERS_LIMIT = 125

_DIFF_ID = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class RootFS(msgspec.Struct, frozen=True, kw_only=True):
    """Digests of the layers' uncompressed tars, lowest first."""

    type: str = "layers"
    diff_ids: list[str] = msgspec.field(default_factory=list)


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the making; an empty layer has no entry in `RootFS`."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration blob, read (OCI image specification, and Docker's additions)."""

    architecture: str = ""
    variant: str = ""
    os: str = "linux"
    created: str = ""
    author: str = ""
    comment: str = ""
    config: ImageConfig = ImageConfig()
    rootfs: RootFS = RootFS()
    history: list[History] = msgspec.field(default_factory=list)


def parse(document: bytes) -> ImageDocument:
    """Read a configuration blob. Raises InvalidParameter for one that cannot be an image
    on this system."""
    parsed = go_json.loads(document, ImageDocument)
    if parsed.os not in ("", "linux"):
        raise InvalidParameter(f"cannot load {parsed.os} image on linux")
    for diff_id in parsed.rootfs.diff_ids:
        if not _DIFF_ID.fullmatch(diff_id):
            raise InvalidParameter(f"invalid diffID {diff_id!r}")
    if len(parsed.rootfs.diff_ids) > LAYERS_LIMIT:
        raise InvalidParameter("max depth exceeded")
    for created in (parsed.created, *(step.created for step in parsed.history)):
        seconds_of(created)
    return parsed


def seconds_of(created: str) -> int:
    """Seconds since 1970 of an RFC 3339 time; 0 for none. InvalidParameter for no time."""
    if not created:
        return 0
    try:
        if not _TIME.fullmatch(created):
            raise ValueError
        return int(datetime.fromisoformat(created.upper()).timestamp())
    except (ValueError, OverflowError):
        raise InvalidParameter(f"invalid time {created!r}") from None
