"""Removing containers: one by name, and all that do not run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from drayman.engine.blocking import blocking
from drayman.engine.container_filters import ContainerFilters
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.inspecting import sizes
from drayman.engine.lifecycle import REMOVING, allows, follow
from drayman.engine.moments import parse_ns
from drayman.engine.pending import close_all
from drayman.engine.stopping import Stopping
from drayman.engine.waiting import REMOVED, Outcome
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound, System
from drayman.storage import quota, temporary

_PRUNE_FILTERS = frozenset(("label", "label!", "until"))


class Removing:
    """Takes containers away with everything that was theirs."""

    def __init__(self, context: Context, stopping: Stopping) -> None:
        self._context = context
        self._stopping = stopping
        self._pruning = False

    async def remove(self, name: str, *, force: bool, volumes: bool, link: bool = False) -> None:
        """Remove it; ``force`` kills it first, ``volumes`` takes its anonymous ones along.

        ``link`` would remove a link's alias alone; no container here has links.
        """
        entry = self._context.containers.find(name)
        if link:
            raise System("Conflict, cannot remove the default link name of the container")
        if force:
            # Once more when a policy starts it between the kill and the removal.
            while not await self._ended_and_removed(entry, name, volumes=volumes):
                pass
            return
        follow(entry.record, "remove", asked=name)
        async with entry.lock:
            self._context.present(entry, name)
            await self._begin(entry, name, volumes=volumes)

    async def _ended_and_removed(self, entry: Entry, name: str, *, volumes: bool) -> bool:
        """Kill it if it runs, and remove it if it does not then; whether it is gone."""
        await self._stopping.kill_for_removal(entry)
        if entry.state.status == REMOVING:
            # Someone else, or --rm, is at it: what was asked for happens.
            _, error = await entry.waits.add(REMOVED).outcome()
            if error:
                raise System(f"cannot remove container {entry.id}: {error}")
            return True
        async with entry.lock:
            if self._context.containers.get(entry.id) is entry:
                if entry.state.running:
                    return False
                await self._begin(entry, name, volumes=volumes)
            return True

    async def _begin(self, entry: Entry, name: str, *, volumes: bool) -> None:
        """The caller holds the lock."""
        entry.change(status=follow(entry.record, "remove", asked=name))
        await self._take_away(entry, volumes=volumes)

    async def automatically(self, entry: Entry) -> None:
        """What --rm asked for; one who removes it first is welcome."""
        with contextlib.suppress(Conflict, NotFound):
            await self.remove(entry.id, force=False, volumes=True)

    async def _take_away(self, entry: Entry, *, volumes: bool) -> None:
        """The caller holds the lock and set the status."""
        record = entry.record
        close_all(entry.pending)
        try:
            await self._context.networks.release(record)
            # From here on it is gone, whatever happens: the next start cleans what is left.
            await blocking(self._delete, record.id)
        except (DraymanError, OSError) as error:
            entry.change(status="dead", error=str(error))
            entry.waits.removed(Outcome(record.state.exit_code, str(error)))
            raise System(f"cannot remove container {record.id}: {error}") from None
        self._context.containers.discard(entry)
        entry.gate.remove()
        if volumes:
            await self._context.volumes.release(record)
        self._context.announce.container(record, "destroy")
        entry.waits.removed(Outcome(record.state.exit_code))
        self._context.tasks.spawn(self._sweep(entry))

    def _delete(self, container_id: str) -> None:
        """Forget it, then move its directories out of the way: deleting them takes long."""
        self._context.store.containers.delete(container_id)
        own = self._context.paths.container(container_id)
        if own.home.exists():
            own.home.rename(self._aside(container_id))

    def _aside(self, container_id: str) -> Path:
        return self._context.paths.temporary / f"removed-{container_id}"

    async def _sweep(self, entry: Entry) -> None:
        """Delete its files, and its image if only this container kept it."""
        record = entry.record
        await entry.left()
        if record.host_config.storage_opt:
            upper = self._context.paths.container(record.id).upper.name
            await blocking(quota.lift, self._aside(record.id) / upper)
        for directory in (self._aside(record.id), self._context.paths.container(record.id).run):
            await blocking(temporary.erase, directory)
        try:
            kept_for_containers = self._context.images.get(record.image_id).removed
        except NotFound:
            return
        if kept_for_containers:
            await self._context.images.sweep()

    async def prune(self, filters: dict[str, list[str]]) -> dict[str, Any]:
        """Remove every container that does not run and that the filters let through."""
        for key in filters:
            if key not in _PRUNE_FILTERS:
                raise InvalidParameter(f"invalid filter '{key}'")
        if self._pruning:
            raise Conflict("a prune operation is already running")
        self._pruning = True
        try:
            deleted, reclaimed = await self._prune(filters)
        finally:
            self._pruning = False
        self._context.announce.prune("container", reclaimed)
        return {"ContainersDeleted": deleted or None, "SpaceReclaimed": reclaimed}

    async def _prune(self, filters: dict[str, list[str]]) -> tuple[list[str], int]:
        before_ns = _before_ns(filters)
        chosen = ContainerFilters(
            {key: values for key, values in filters.items() if key != "until"}, self._context
        )
        deleted: list[str] = []
        reclaimed = 0
        for entry in self._context.containers:
            record = entry.record
            if not allows(record, "remove") or record.created_at_ns > before_ns:
                continue
            if not chosen.match(record):
                continue
            written, _ = await blocking(sizes, self._context, record)
            try:
                await self.remove(entry.id, force=False, volumes=False)
            except asyncio.CancelledError:
                break
            except DraymanError:
                continue
            deleted.append(entry.id)
            reclaimed += written
        return deleted, reclaimed


def _before_ns(filters: dict[str, list[str]]) -> int:
    """When a container must have been made, at the latest, to be pruned."""
    moments = filters.get("until", [])
    if len(moments) > 1:
        raise InvalidParameter("more than one until filter specified")
    now_ns = time.time_ns()
    return parse_ns(moments[0], now_ns) if moments else now_ns
