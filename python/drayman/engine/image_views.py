"""Images as the API shows them, at its newest version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from drayman.model.go_time import rfc3339
from drayman.model.image import Image
from drayman.storage.image_config import ImageDocument, seconds_of

MISSING = "<missing>"


def summary(image: Image, containers: int, shared_bytes: int) -> dict[str, Any]:
    """An entry of the list; ``shared_bytes`` -1 when it was not asked for."""
    return {
        "Id": image.id,
        "ParentId": "",
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Created": seconds_of(image.created),
        "Size": image.size_bytes,
        "SharedSize": shared_bytes,
        "Labels": image.config.labels,
        "Containers": containers,
    }


def inspection(image: Image, directories: list[str]) -> dict[str, Any]:
    """The document of inspect; ``directories`` of the layers, topmost first."""
    document: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": image.comment,
        "Created": image.created,
        "DockerVersion": "",
        "Author": image.author,
        "Config": {key: value for key, value in msgspec.to_builtins(image.config).items() if value},
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size_bytes,
        "GraphDriver": {"Name": "overlay2", "Data": _graph(directories)},
        "RootFS": {"Type": "layers", "Layers": image.diff_ids},
        "Metadata": {"LastTagTime": rfc3339(image.last_tag_ns)},
    }
    if image.variant:
        document["Variant"] = image.variant
    return document


def history(
    image: Image, document: ImageDocument, size_bytes: Callable[[str], int]
) -> list[dict[str, Any]]:
    """The steps of its making, newest first; ``size_bytes`` of a layer by its id."""
    steps = []
    layer_ids = iter(image.layer_ids)
    for step in document.history:
        layer_id = None if step.empty_layer else next(layer_ids, None)
        steps.append(
            {
                "Id": MISSING,
                "Created": seconds_of(step.created),
                "CreatedBy": step.created_by,
                "Tags": None,
                "Size": size_bytes(layer_id) if layer_id else 0,
                "Comment": step.comment,
            }
        )
    steps.reverse()
    if steps:
        steps[0] |= {"Id": image.id, "Tags": image.tags or None}
    return steps


def _graph(directories: list[str]) -> dict[str, str]:
    if not directories:
        return {}
    graph = {"UpperDir": directories[0]}
    if directories[1:]:
        graph["LowerDir"] = ":".join(directories[1:])
    return graph
