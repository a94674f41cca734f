"""Samples of containers, for one or for all: one collector, however many watch.

Every watched container is read once a second, on a common beat, and no other one is read at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from drayman.engine import samples
from drayman.engine.blocking import blocking
from drayman.engine.container_filters import ContainerFilters
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.samples import Moment, Sample
from drayman.errors import InvalidParameter, NotFound
from drayman.model.container import Container

INTERVAL_S = 1.0
# Over less, the host's ticks of 10 ms are too coarse to tell what share was used.
SHORTEST_SPAN_S = INTERVAL_S / 2


class Watched:
    """A container that somebody watches."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.watchers = 0
        self.sample: Sample | None = None
        self.taken_s = 0.0

    def take(self, sample: Sample) -> None:
        """The newest sample, which tells of the one before it."""
        before = self.sample
        # Between two runs there is nothing to compare.
        if before is not None and "system_cpu_usage" in sample["cpu_stats"]:
            sample |= samples.after(before)
        self.sample, self.taken_s = sample, time.monotonic()

    @property
    def has_predecessor(self) -> bool:
        """Whether the sample tells of one before it; that of a stopped container need not."""
        sample = self.sample
        return sample is not None and (
            not self.entry.state.pid or "system_cpu_usage" in sample["precpu_stats"]
        )


class Stats:
    """Samples on the beat for those who watch, at once for the rest."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watched: dict[str, Watched] = {}
        # Held while containers are read for the first time.
        self._first = asyncio.Lock()
        self._listeners = 0
        self._beat = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None

    async def samples(self, name: str, *, stream: bool, one_shot: bool) -> AsyncIterator[Sample]:
        """The first at once, then one a second until the container is removed. Without
        ``stream`` just one, which waits for a predecessor unless it is ``one_shot``."""
        entry = self._context.containers.find(name)
        if one_shot and not stream:
            [sample] = await self._read([entry])
            yield sample
            return
        with self._watching() as watched:
            one = self._join(watched, [entry])[0]
            await self._begin([one])
            while not stream and not one.has_predecessor:
                await self._beat.wait()
            while self._context.containers.get(entry.id) is entry and one.sample:
                yield one.sample
                if not stream:
                    return
                await self._beat.wait()

    async def all_samples(
        self, filters: dict[str, list[str]], *, stream: bool, one_shot: bool
    ) -> AsyncIterator[list[Sample]]:
        """As `samples`, of every container that runs at the time and that the filters let
        through, newest first."""
        chosen = ContainerFilters(filters, self._context)
        if one_shot and not stream:
            yield await self._read(self._running(chosen))
            return
        with self._watching() as watched:
            while True:
                ours = self._join(watched, self._running(chosen))
                await self._begin(ours)
                if stream or all(one.has_predecessor for one in ours):
                    yield [one.sample for one in ours if one.sample]
                    if not stream:
                        return
                await self._beat.wait()

    def _running(self, chosen: ContainerFilters) -> list[Entry]:
        entries = chosen.window(self._context.containers.newest_first())
        return [one for one in entries if one.state.pid and chosen.match(one.record)]

    @contextlib.contextmanager
    def _watching(self) -> Iterator[dict[str, Watched]]:
        """Have beats, and hold what `_join` puts into the result, by id."""
        watched: dict[str, Watched] = {}
        self._listeners += 1
        if self._beating is None:
            self._beating = self._context.tasks.spawn(self._beats())
        try:
            yield watched
        finally:
            self._join(watched, [])
            self._listeners -= 1
            if not self._listeners:
                self._beating.cancel()
                self._beating = None

    def _join(self, watched: dict[str, Watched], entries: Sequence[Entry]) -> list[Watched]:
        """Watch these and no others from now on."""
        for key in watched.keys() - {entry.id for entry in entries}:
            left = watched.pop(key)
            left.watchers -= 1
            if not left.watchers:
                del self._watched[key]
        for entry in entries:
            if entry.id not in watched:
                joined = self._watched.setdefault(entry.id, Watched(entry))
                joined.watchers += 1
                watched[entry.id] = joined
        return [watched[entry.id] for entry in entries]

    async def _begin(self, wanted: Sequence[Watched]) -> None:
        """Have a sample of each; who comes to one that is watched takes what is there."""
        async with self._first:
            new = [one for one in wanted if one.sample is None]
            await self._take(new)

    async def _take(self, wanted: Sequence[Watched]) -> None:
        """Read these once more."""
        found = await self._read([one.entry for one in wanted])
        for one, sample in zip(wanted, found, strict=True):
            one.take(sample)

    async def _beats(self) -> None:
        """Read what is watched, a beat after another; one that comes late is not made up for."""
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + INTERVAL_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())
            oldest_s = time.monotonic() - SHORTEST_SPAN_S
            due = [one for one in self._watched.values() if one.sample and one.taken_s <= oldest_s]
            await self._take(due)
            beat, self._beat = self._beat, asyncio.Event()
            beat.set()

    async def _read(self, entries: Sequence[Entry]) -> list[Sample]:
        """A sample of each container, by one thread."""
        records = [(one.record, self._has_networks(one.record)) for one in entries]
        return await blocking(self._samples, records) if records else []

    def _samples(self, records: list[tuple[Container, bool]]) -> list[Sample]:
        at, context = Moment(), self._context
        return [
            samples.taken(
                record, context.host, context.cgroup_path(record), networked=networked, at=at
            )
            if record.state.pid
            else samples.zero(record)
            for record, networked in records
        ]

    def _has_networks(self, record: Container) -> bool:
        """Whether its interfaces are its own, or those of the container whose network it has."""
        mode, _, owner = record.host_config.network_mode.partition(":")
        if mode == "container":
            try:
                return self._has_networks(self._context.containers.find(owner).record)
            except (NotFound, InvalidParameter):
                return False
        return mode not in ("host", "none") and not record.config.network_disabled
