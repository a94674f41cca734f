"""``GET /containers/json``: which containers, in what order, and how each looks."""

from __future__ import annotations

import time
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
        return [await self._document(entry, size=size) for entry in matching]

    async def _document(self, entry: Entry, *, size: bool) -> dict[str, Any]:
        record = entry.record
        host = record.host_config
        document: dict[str, Any] = {
            "Id": record.id,
            "Names": [f"/{record.name}"],
            "Image": self._image_name(record),
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
        if size:
            document["SizeRw"], document["SizeRootFs"] = await blocking(
                sizes, self._context, record
            )
        return document

    def _image_name(self, record: Container) -> str:
        """The reference given at create, unless it points elsewhere by now."""
        try:
            if self._context.images.get(record.config.image).id == record.image_id:
                return record.config.image
        except NotFound:
            pass
        return record.image_id


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
