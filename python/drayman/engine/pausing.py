"""Freezing and thawing a container."""

from __future__ import annotations

import contextlib

from msgspec.structs import replace

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow, not_running
from drayman.runtime import cgroups
from drayman.runtime.shim import Gone


class Pausing:
    """Pause and unpause, through the cgroup freezer."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def pause(self, name: str) -> None:
        """Freeze every process of it."""
        await self._turn(name, "pause")

    async def unpause(self, name: str) -> None:
        """Let them go on."""
        await self._turn(name, "unpause")

    async def _turn(self, name: str, event: str) -> None:
        entry = self._context.containers.find(name)
        async with entry.lock:
            self._context.present(entry, name)
            status = follow(entry.record, event, asked=name)
            if entry.doomed and event == "pause":
                raise not_running(entry.record)
            turn = cgroups.freeze if event == "pause" else cgroups.thaw
            cgroup = self._context.cgroup_path(entry.record)
            if event == "pause":
                # Before the freezer: a probe that it stops would be one that takes too long.
                await check_health(entry, on=False)
            try:
                await blocking(turn, self._context.host.cgroup, cgroup)
            except BaseException as error:
                await check_health(entry, on=event == "pause")
                if isinstance(error, cgroups.Ended):
                    # Its exit waits for the lock.
                    raise not_running(entry.record) from None
                raise
            if event == "unpause":
                await check_health(entry, on=True)
            # It may have ended meanwhile: then the exit waits for the lock and follows.
            state = replace(entry.state, status=status)
            await self._context.commit(entry, replace(entry.record, state=state))
        self._context.announce.container(entry.record, event)


async def check_health(entry: Entry, *, on: bool) -> None:
    """Have its health checks go on, or not. A container whose shim is gone is about to follow."""
    if entry.health is None or entry.shim is None:
        return
    with contextlib.suppress(Gone):
        await (entry.shim.resume() if on else entry.shim.suspend())
