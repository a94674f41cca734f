"""``docker import``: one tar of a root file system becomes an image of one layer."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from drayman.model.image import ImageConfig
from drayman.storage import temporary
from drayman.storage.layers import Body, Layers, unpack
from drayman.storage.paths import Paths
from drayman.storage.platforms import Platform


@dataclass(frozen=True)
class ImportedLayer:
    """A layer that was taken in, durably."""

    diff_id: str
    # Read beyond the request's body.
    surplus: bytes


def take_in(paths: Paths, layers: Layers, body: Body, holds: ExitStack) -> ImportedLayer:
    """Unpack the tar as a layer of its own, held until ``holds`` is closed. Blocks; raises
    what a bad tar raises."""
    with temporary.directory(paths) as half:
        unpacked = unpack(half / "layer", body)
        layer_id = unpacked.diff_id.removeprefix("sha256:")
        holds.enter_context(layers.held([layer_id]))
        (half / "layer").rename(half / layer_id)
        layers.settle([half / layer_id])
    layers.ensure_init([layer_id])
    return ImportedLayer(unpacked.diff_id, unpacked.surplus)


def configuration(
    config: ImageConfig, diff_id: str, platform: Platform, created: str, message: str
) -> bytes:
    """The configuration blob of the new image, its digest the image's id."""
    document: dict[str, Any] = {
        "architecture": platform.architecture,
        "os": platform.os,
        "created": created,
        "comment": message,
        "config": {key: value for key, value in msgspec.to_builtins(config).items() if value},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "comment": message}],
    }
    if platform.variant:
        document["variant"] = platform.variant
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
