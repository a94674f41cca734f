"""The event bus: what happens in the engine, told to whoever listens, now or a little later.

It belongs to the event loop: publish and subscribe from there, never from a thread.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from drayman.engine import image_references
from drayman.errors import InvalidParameter
from drayman.model.event import Event

# Docker's number: what a client can still ask for by `since`.
KEPT = 256
# A subscriber that is this many events behind loses those that follow, until it reads again.
BACKLOG_LIMIT = 1024

Filters = Mapping[str, list[str]]

# Kinds of objects whose id or name a filter of that key may give, whole or its beginning.
_OBJECTS = frozenset(("container", "daemon", "network", "volume", "plugin", "service", "node"))
# These actions carry more behind a colon: `exec_start: sh`.
_PREFIXES = frozenset(("exec_create", "exec_start", "health_status"))


class Events:
    """Keeps the last events and hands new ones to every subscription."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT)
        # Weak, so that a reader that was dropped rather than closed costs nothing.
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()

    def publish(self, type: str, action: str, actor_id: str, attributes: Mapping[str, str]) -> None:
        """Tell that ``action`` happened to an object, just now."""
        event = Event(
            type=type,
            action=action,
            actor_id=actor_id,
            attributes=dict(attributes),
            time_ns=time.time_ns(),
        )
        self._kept.append(event)
        for subscription in list(self._subscriptions):
            subscription.offer(event)

    def subscribe(
        self, since_ns: int | None, until_ns: int | None, filters: Filters
    ) -> Subscription:
        """Listen from this moment on, not from the first read.

        Kept events are replayed only when ``since_ns`` or ``until_ns`` is given, both
        inclusive; the iterator ends at ``until_ns``, after the replay when that is past.
        Raises InvalidParameter for a filter that does not exist.
        """
        subscription = Subscription(_matcher(filters), until_ns)
        if since_ns is not None or until_ns is not None:
            for event in self._kept:
                if event.time_ns >= (since_ns or 0):
                    subscription.offer(event)
        self._subscriptions.add(subscription)
        return subscription


class Subscription(AsyncIterator[Event]):
    """One listener's events, in order; made by `Events.subscribe`."""

    def __init__(self, wanted: Callable[[Event], bool], until_ns: int | None) -> None:
        self._wanted = wanted
        self._until_ns = until_ns
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG_LIMIT)
        self._closed = False

    def offer(self, event: Event) -> None:
        """Take an event if it is wanted and there is room."""
        late = self._until_ns is not None and event.time_ns > self._until_ns
        if self._closed or late or self._waiting.full() or not self._wanted(event):
            return
        self._waiting.put_nowait(event)

    async def __anext__(self) -> Event:
        """The next event; ends at ``until`` and by `aclose`."""
        if self._waiting.empty() and self._closed:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._left_s()):
                event = await self._waiting.get()
        except TimeoutError:
            raise StopAsyncIteration from None
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """End the iterator, a read that waits included; harmless twice."""
        self._closed = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

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
