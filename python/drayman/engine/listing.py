"""``GET /containers/json``: which containers, in what order, and how each looks."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import msgspec

from drayman.engine.blocking import blocking
from drayman.engine.container_filters import ContainerFilters
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.health import NONE, Health
from drayman.engine.inspecting import mount_document, sizes
from drayman.engine.spans import in_words
from drayman.errors import NotFound
from drayman.model.container import Container
from drayman.model.network import EndpointSettings


class Listing:
    """The short documents of containers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def list(
        self, *, all: bool, limit: int, size: bool, filters: dict[str, list[str]]
    ) -> list[dict[str, Any]]:
        """Newest first. Without ``all``, ``limit`` or a status filter, running ones alone."""
        chosen = ContainerFilters(filters, self._context)
        everyone = all or limit > 0 or "status" in filters
        matching = [
            entry
            for entry in chosen.window(self._context.containers.newest_first())
            if (everyone or entry.state.running) and chosen.match(entry.record)
        ]
        if limit > 0:
            matching = matching[:limit]
        # Many containers have one image, and to find an image by a name is half of the work.
        named = functools.cache(self._named)
        documents = [self._document(entry, named) for entry in matching]
        if size:
            for entry, document in zip(matching, documents, strict=True):
                document["SizeRw"], document["SizeRootFs"] = await blocking(
                    sizes, self._context, entry.record
                )
        return documents

    def _document(self, entry: Entry, named: Callable[[str], str]) -> dict[str, Any]:
        record = entry.record
        host = record.host_config
        image = record.config.image
        return {
            "Id": record.id,
            "Names": [f"/{record.name}"],
            # The reference given at create, unless it points elsewhere by now.
            "Image": image if named(image) == record.image_id else record.image_id,
            "ImageID": record.image_id,
            "Command": command(record.argv),
            "Created": record.created_at_ns // 1_000_000_000,
            "Ports": ports(record),
            "Labels": record.config.labels or {},
            "State": record.state.status,
            "Status": status_text(record, time.time_ns(), entry.health),
            "HostConfig": {"NetworkMode": host.network_mode}
            | ({"Annotations": host.annotations} if host.annotations else {}),
            "Health": {
                "Status": entry.health.status if entry.health else NONE,
                "FailingStreak": entry.health.failing_streak if entry.health else 0,
            },
            "NetworkSettings": {
                "Networks": {
                    name: endpoint_document(endpoint.settings)
                    for name, endpoint in record.endpoints.items()
                }
            },
            "Mounts": [mount_document(point) for point in record.mount_points],
        }

    def _named(self, name: str) -> str:
        """The id of the image that has a name now, "" when none has."""
        try:
            return self._context.images.get(name).id
        except NotFound:
            return ""


def command(argv: list[str]) -> str:
    """The command line; arguments with blanks in single quotes."""
    return " ".join(f"'{part}'" if " " in part else part for part in argv)


def endpoint_document(settings: EndpointSettings) -> dict[str, Any]:
    """A place on a network, in full."""
    document = msgspec.to_builtins(settings)
    assert isinstance(document, dict)
    return document


def ports(record: Container) -> list[dict[str, Any]]:
    """What is exposed and published right now."""
    listed: list[dict[str, Any]] = []
    for port, bindings in sorted(record.ports.items()):
        number, _, protocol = port.partition("/")
        inside = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        listed += [
            {"IP": binding.host_ip, "PublicPort": int(binding.host_port), **inside}
            for binding in bindings or ()
        ] or [inside]
    return listed


def status_text(record: Container, now_ns: int, health: Health | None = None) -> str:
    """``Up 3 seconds``, ``Exited (0) 2 hours ago``, …"""
    state = record.state
    since_end = in_words(now_ns - state.finished_at_ns)
    match state.status:
        case "running":
            words = f" ({health.words()})" if health else ""
            return f"Up {in_words(now_ns - state.started_at_ns)}{words}"
        case "paused":
            return f"Up {in_words(now_ns - state.started_at_ns)} (Paused)"
        case "restarting":
            return f"Restarting ({state.exit_code}) {since_end} ago"
        case "exited":
            return f"Exited ({state.exit_code}) {since_end} ago"
        case "removing":
            return "Removal In Progress"
        case "dead":
            return "Dead"
    return "Created"
