"""Freezing and thawing a container."""

from __future__ import annotations

from msgspec.structs import replace

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.lifecycle import follow
from drayman.runtime import cgroups


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
            status = follow(entry.record, event, asked=name)
            turn = cgroups.freeze if event == "pause" else cgroups.thaw
            cgroup = self._context.cgroup_path(entry.record)
            await blocking(turn, self._context.host.cgroup, cgroup)
            # It may have ended meanwhile: then the exit waits for the lock and follows.
            state = replace(entry.state, status=status)
            await self._context.commit(entry, replace(entry.record, state=state))
        self._context.announce.container(entry.record, event)
