"""The event bus: what happens in the engine, told to whoever listens, now or a little later.

It belongs to the event loop: publish and subscribe from there, never from a thread.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from drayman.engine import image_references
from drayman.engine.blocking import blocking
from drayman.engine.event_journal import EventJournal
from drayman.errors import InvalidParameter
from drayman.model.event import Event

# Docker's number: what a client can still ask for by `since`.
KEPT = 256
# A subscriber that is this many events behind loses those that follow, until it reads again.
BACKLOG_LIMIT = 1024

Filters = Mapping[str, list[str]]

_log = logging.getLogger(__name__)

# Kinds of objects whose id or name a filter of that key may give, whole or its beginning.
_OBJECTS = frozenset(("container", "daemon", "network", "volume", "plugin", "service", "node"))
# These actions carry more behind a colon: `exec_start: sh`.
_PREFIXES = frozenset(("exec_create", "exec_start", "health_status"))


class Events:
    """Keeps the last events and hands new ones to every subscription.

    With a journal, all of them are on disk too, and subscribers hear of an event once it is
    there: what they were told of is found by ``since`` again, though the engine be killed.
    """

    def __init__(self, journal: EventJournal | None = None) -> None:
        self._journal = journal
        # Of its own, for others' work must not hold events up.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="events")
        kept = journal.newest(KEPT) if journal else ()
        self._kept: deque[Event] = deque(kept, maxlen=KEPT)
        self._numbers = itertools.count(self._kept[-1].number + 1 if self._kept else 1)
        self._unwritten: list[Event] = []
        self._writing: asyncio.Future[None] | None = None
        # Weak, so that a reader that was dropped rather than closed costs nothing.
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()

    @property
    def listeners(self) -> int:
        """How many subscriptions there are."""
        return len(self._subscriptions)

    def publish(self, type: str, action: str, actor_id: str, attributes: Mapping[str, str]) -> None:
        """Tell that ``action`` happened to an object, just now."""
        event = Event(
            type=type,
            action=action,
            actor_id=actor_id,
            attributes=dict(attributes),
            time_ns=time.time_ns(),
            number=next(self._numbers),
        )
        self._kept.append(event)
        if self._journal is None:
            self._tell(event)
            return
        self._unwritten.append(event)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write(self._journal))

    def subscribe(
        self, since_ns: int | None, until_ns: int | None, filters: Filters
    ) -> Subscription:
        """Listen from this moment on, not from the first read.

        Kept events are replayed only when ``since_ns`` or ``until_ns`` is given, both
        inclusive, and those on disk when ``since_ns`` is before the kept ones; the iterator
        ends at ``until_ns``, after the replay when that is past.
        Raises InvalidParameter for a filter that does not exist.
        """
        subscription = Subscription(_matcher(filters), until_ns, self._settled)
        if since_ns is not None or until_ns is not None:
            kept = list(self._kept)
            if since_ns is not None and kept and self._journal is not None:
                subscription.older = self._older(self._journal, since_ns, kept[0].number)
            for event in kept:
                if event.time_ns >= (since_ns or 0):
                    subscription.offer(event)
        self._subscriptions.add(subscription)
        return subscription

    async def close(self) -> None:
        """Write what is not on disk yet."""
        if self._writing is not None:
            await self._writing
        self._writer.shutdown()
        if self._journal is not None:
            self._journal.close()

    async def _write(self, journal: EventJournal) -> None:
        """Put events on disk, then tell of them, until there are no more."""
        loop = asyncio.get_running_loop()
        while self._unwritten:
            batch, self._unwritten = self._unwritten, []
            try:
                await loop.run_in_executor(self._writer, journal.append, batch)
            except OSError as error:
                _log.warning("%d events are not kept: %s", len(batch), error.strerror)
            for event in batch:
                self._tell(event)
        self._writing = None

    async def _settled(self) -> None:
        """Wait until all that has happened is written and told of."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _tell(self, event: Event) -> None:
        for subscription in list(self._subscriptions):
            subscription.offer(event)

    async def _older(
        self, journal: EventJournal, since_ns: int, before: int
    ) -> AsyncIterator[Event]:
        """What is on disk alone."""
        await self._settled()
        batches = journal.batches(since_ns, before)
        while (batch := await blocking(next, batches, None)) is not None:
            for event in batch:
                yield event


class Subscription(AsyncIterator[Event]):
    """One listener's events, in order; made by `Events.subscribe`."""

    def __init__(
        self,
        wanted: Callable[[Event], bool],
        until_ns: int | None,
        settled: Callable[[], Awaitable[None]],
    ) -> None:
        self._wanted = wanted
        self._until_ns = until_ns
        self._settled = settled
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG_LIMIT)
        self._newest = 0
        self._closed = False
        # What comes before all that is offered.
        self.older: AsyncIterator[Event] | None = None

    def offer(self, event: Event) -> None:
        """Take an event if it is wanted and there is room; one that was offered before, when
        kept events were, is not taken again."""
        if event.number <= self._newest:
            return
        self._newest = event.number
        if not self._closed and not self._waiting.full() and self._fits(event):
            self._waiting.put_nowait(event)

    async def __anext__(self) -> Event:
        """The next event; ends at ``until`` and by `aclose`."""
        while self.older is not None:
            event = await anext(self.older, None)
            if event is None:
                self.older = None
            elif self._fits(event):
                return event
        if self._waiting.empty() and self._closed:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._left_s()):
                event = await self._waiting.get()
        except TimeoutError:
            # What happened in time may be on its way.
            await self._settled()
            event = None if self._waiting.empty() else self._waiting.get_nowait()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """End the iterator, a read that waits included; harmless twice."""
        self._closed = True
        self.older = None
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    def _fits(self, event: Event) -> bool:
        late = self._until_ns is not None and event.time_ns > self._until_ns
        return not late and self._wanted(event)

    def _left_s(self) -> float | None:
        """Seconds until the end, 0 for no more waiting, None for ever."""
        if not self._waiting.empty() or self._until_ns is None:
            return None
        return max(self._until_ns - time.time_ns(), 0) / 1e9


def _matcher(filters: Filters) -> Callable[[Event], bool]:
    """Values of one key are alternatives (labels all have to fit), keys all have to fit."""
    for key in filters:
        if key not in _TESTS and key not in _OBJECTS:
            raise InvalidParameter(f"invalid filter '{key}'")
    asked = {key: values for key, values in filters.items() if values}

    def wanted(event: Event) -> bool:
        return all(
            _is_object(event, key, values) if key in _OBJECTS else _TESTS[key](event, values)
            for key, values in asked.items()
        )

    return wanted


def _is_object(event: Event, kind: str, values: list[str]) -> bool:
    """An event of another kind fits only if its own id or name does, as with Docker."""
    names = (event.actor_id, event.attributes.get("name", ""))
    return any(name.startswith(value) for name in names for value in values)


def _is_action(event: Event, values: list[str]) -> bool:
    return any(
        event.action.startswith(value) if value in _PREFIXES else event.action == value
        for value in values
    )


def _is_image(event: Event, values: list[str]) -> bool:
    """Events of images, and of containers made from them, with a tag or without."""
    key = "name" if event.type == "image" else "image"
    names = {event.actor_id, event.attributes.get(key, "")}
    names |= {image_references.familiar_or_as_is(name) for name in names}
    return not names.isdisjoint(values)


def _has_labels(event: Event, values: list[str]) -> bool:
    for wanted in values:
        key, equals, value = wanted.partition("=")
        if key not in event.attributes or (equals and event.attributes[key] != value):
            return False
    return True


_TESTS: dict[str, Callable[[Event, list[str]], bool]] = {
    "event": _is_action,
    "image": _is_image,
    "label": _has_labels,
    "scope": lambda _, values: "local" in values,
    "type": lambda event, values: event.type in values,
}
