"""Volumes: what ``VolumeBackend`` asks, and what containers need of them."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable

from drayman.api.backend import Filters
from drayman.engine.blocking import blocking
from drayman.engine.events import Events
from drayman.engine.patterns import matches
from drayman.engine.store import Store
from drayman.errors import Conflict, InvalidParameter, NotFound, Unimplemented
from drayman.model.container import Container
from drayman.model.mount import Volume
from drayman.storage import volumes as directories
from drayman.storage.paths import Paths

DRIVER = "local"
# What Docker marks a volume with that nobody named.
ANONYMOUS_LABEL = "com.docker.volume.anonymous"

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
# As Docker prints it; the one-letter name has a message of its own.
_NAME_PATTERN = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
_NAME_MIN_CHARACTERS = 2
_ID_BYTES = 32

_LIST_FILTERS = frozenset(("dangling", "driver", "label", "label!", "name"))
_PRUNE_FILTERS = frozenset(("all", "label", "label!"))
_TRUE, _FALSE = ("1", "true"), ("0", "false")


class Volumes:
    """Makes, finds and removes volumes; `references` tells the ids of containers that use
    the volume of a name."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        events: Events,
        references: Callable[[str], list[str]],
    ) -> None:
        """Read what the store knows; blocks."""
        self._paths = paths
        self._store = store
        self._events = events
        self._references = references
        self._volumes = {volume.name: volume for volume in store.volumes.all()}
        self._changing = asyncio.Lock()
        self._pruning = False

    # ---- for containers

    def all(self) -> list[Volume]:
        """Every volume, by name."""
        return sorted(self._volumes.values(), key=lambda volume: volume.name)

    def find(self, name: str) -> Volume | None:
        """The volume of this name."""
        return self._volumes.get(name)

    async def release(self, container: Container) -> None:
        """Remove the anonymous volumes of a container that is gone; those that another one
        uses stay."""
        for point in container.mount_points:
            volume = self._volumes.get(point.name) if point.type == "volume" else None
            if volume is None or not volume.anonymous:
                continue
            async with self._changing:
                users = set(self._references(volume.name)) - {container.id}
                if not users and volume.name in self._volumes:
                    await self._remove(volume)

    async def size_bytes(self, name: str) -> int:
        """The bytes of a volume's files."""
        return await blocking(directories.size_bytes, self._paths, name)

    # ---- questions

    async def volume_list(self, filters: Filters) -> list[Volume]:
        """Those that the filters let through, by name."""
        _check(filters, _LIST_FILTERS)
        return [volume for volume in self.all() if self._matches(volume, filters)]

    async def volume_inspect(self, name: str) -> Volume:
        """One of them."""
        return self._one(name)

    # ---- changes

    async def volume_create(
        self, name: str, driver: str, driver_opts: dict[str, str], labels: dict[str, str]
    ) -> Volume:
        """Make one, or return the one there is, as it is; an empty name makes one up."""
        anonymous = not name
        name = name or secrets.token_hex(_ID_BYTES)
        _check_name(name)
        if driver not in ("", DRIVER):
            raise NotFound(
                f"create {name}: error looking up volume plugin {driver}:"
                f' plugin "{driver}" not found'
            )
        if driver_opts:
            raise Unimplemented(
                f"create {name}: driver options are not available in this version of Drayman"
            )
        if anonymous:
            labels = {**labels, ANONYMOUS_LABEL: ""}
        async with self._changing:
            known = self._volumes.get(name)
            if known is not None:
                return known
            place = await blocking(directories.create, self._paths, name)
            volume = Volume(
                name=name,
                mountpoint=str(place),
                created_at_ns=time.time_ns(),
                labels=labels or None,
                anonymous=anonymous,
            )
            await blocking(self._store.volumes.put, volume)
            self._volumes[name] = volume
        self._events.publish("volume", "create", name, {"driver": DRIVER})
        return volume

    async def volume_remove(self, name: str, *, force: bool) -> None:
        """Remove it and what it holds; ``force`` does not mind that it is gone."""
        async with self._changing:
            try:
                volume = self._one(name)
            except NotFound:
                if force:
                    return
                raise
            users = self._references(name)
            if users:
                raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
            await self._remove(volume)

    async def volumes_prune(self, filters: Filters) -> dict[str, object]:
        """Remove the unused ones that nobody named; with the filter ``all``, the named too."""
        _check(filters, _PRUNE_FILTERS)
        if self._pruning:
            raise Conflict("a prune operation is already running")
        everything = _flag(filters, "all")
        removed: list[str] = []
        reclaimed = 0
        self._pruning = True
        try:
            for volume in self.all():
                if not (everything or volume.anonymous) or not self._matches(volume, filters):
                    continue
                size = await self.size_bytes(volume.name)
                async with self._changing:
                    if volume.name not in self._volumes or self._references(volume.name):
                        continue
                    await self._remove(volume)
                removed.append(volume.name)
                reclaimed += size
        finally:
            self._pruning = False
        self._events.publish("volume", "prune", "", {"reclaimed": str(reclaimed)})
        return {"VolumesDeleted": removed, "SpaceReclaimed": reclaimed}

    # ---- leaves

    def _one(self, name: str) -> Volume:
        volume = self._volumes.get(name)
        if volume is None:
            raise NotFound(f"get {name}: no such volume")
        return volume

    async def _remove(self, volume: Volume) -> None:
        """The caller holds the lock. Forgotten first: a directory without a record is swept
        up by the next volume of the name, a record without a directory would lie."""
        await blocking(self._store.volumes.delete, volume.name)
        self._volumes.pop(volume.name, None)
        await blocking(directories.remove, self._paths, volume.name)
        self._events.publish("volume", "destroy", volume.name, {"driver": volume.driver})

    def _matches(self, volume: Volume, filters: Filters) -> bool:
        names, drivers = filters.get("name"), filters.get("driver")
        return (
            (not names or any(matches(pattern, volume.name) for pattern in names))
            and (not drivers or volume.driver in drivers)
            and all(_has_label(volume, wanted) for wanted in filters.get("label", ()))
            and not any(_has_label(volume, unwanted) for unwanted in filters.get("label!", ()))
            and (
                not filters.get("dangling")
                or _flag(filters, "dangling") is not bool(self._references(volume.name))
            )
        )


def _check_name(name: str) -> None:
    if len(name) < _NAME_MIN_CHARACTERS:
        raise InvalidParameter(
            f"create {name}: volume name is too short, names should be at least two"
            " alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only'
            f' "{_NAME_PATTERN}" are allowed. If you intended to pass a host directory,'
            " use absolute path"
        )


def _check(filters: Filters, accepted: frozenset[str]) -> None:
    for key in filters:
        if key not in accepted:
            raise InvalidParameter(f"invalid filter '{key}'")
    for key in ("all", "dangling"):
        _flag(filters, key)


def _flag(filters: Filters, key: str) -> bool:
    values = filters.get(key) or ["false"]
    value = values[0].lower()
    if len(set(values)) != 1 or value not in (*_TRUE, *_FALSE):
        raise InvalidParameter(f"invalid filter '{key}={values}'")
    return value in _TRUE


def _has_label(volume: Volume, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    labels = volume.labels or {}
    return key in labels and (not equals or labels[key] == value)
