"""The event bus: replay only when asked, live events in order, filters as Docker's."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from drayman.engine.events import BACKLOG_LIMIT, KEPT, Events, Subscription
from drayman.errors import InvalidParameter


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    run.__name__ = test.__name__
    return run


async def actions(subscription: Subscription) -> list[str]:
    """What is waiting, without waiting for more."""
    found = []
    while True:
        try:
            event = await asyncio.wait_for(anext(subscription), 0.02)
        except (TimeoutError, StopAsyncIteration):
            return found
        found.append(event.action)


@in_loop
async def test_live_events_come_from_the_call_on() -> None:
    events = Events()
    events.publish("container", "create", "a" * 64, {})
    subscription = events.subscribe(None, None, {})
    events.publish("container", "start", "a" * 64, {"name": "x"})
    event = await anext(subscription)
    assert (event.action, event.actor_id, event.attributes) == ("start", "a" * 64, {"name": "x"})
    assert abs(event.time_ns - time.time_ns()) < 10**9
    assert await actions(subscription) == []


@in_loop
async def test_a_time_replays_what_is_kept() -> None:
    events = Events()
    for number in range(KEPT + 10):
        events.publish("container", f"n{number}", "id", {})
    replayed = await actions(events.subscribe(0, None, {}))
    assert replayed == [f"n{number}" for number in range(10, KEPT + 10)]
    now = time.time_ns()
    assert await actions(events.subscribe(now, None, {})) == []
    assert len([event async for event in events.subscribe(None, now, {})]) == KEPT


@in_loop
async def test_until_ends_the_stream() -> None:
    events = Events()
    events.publish("container", "before", "id", {})
    until = time.time_ns() + 50_000_000
    subscription = events.subscribe(None, until, {})
    started = time.monotonic()
    assert [event.action async for event in subscription] == ["before"]
    assert time.monotonic() - started < 5
    events.publish("container", "after", "id", {})
    assert [event.action async for event in events.subscribe(None, until, {})] == ["before"]


@in_loop
async def test_a_subscriber_that_stalls_loses_events_and_no_one_else() -> None:
    events = Events()
    stalled, reader = events.subscribe(None, None, {}), events.subscribe(None, None, {})
    for number in range(BACKLOG_LIMIT + 5):
        events.publish("container", f"n{number}", "id", {})
        assert (await anext(reader)).action == f"n{number}"
    assert len(await actions(stalled)) == BACKLOG_LIMIT
    events.publish("container", "again", "id", {})
    assert await actions(stalled) == ["again"]


@in_loop
async def test_closing_wakes_the_reader_and_dropping_frees() -> None:
    events = Events()
    subscription = events.subscribe(None, None, {})
    reading = asyncio.ensure_future(anext(subscription, None))
    await asyncio.sleep(0)
    await subscription.aclose()
    await subscription.aclose()
    assert await reading is None
    del subscription, reading
    gc.collect()
    assert not list(events._subscriptions)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, "create exec die tag pull connect prune"),
        ({"type": ["container"]}, "create exec die"),
        ({"type": ["image", "network"]}, "tag pull connect"),
        ({"event": ["die"]}, "die"),
        ({"event": ["exec"]}, ""),
        ({"event": ["exec_start", "tag"]}, "exec tag"),
        ({"event": ["cre"]}, ""),
        ({"container": ["abc"]}, "create exec die"),
        ({"container": ["web"]}, "create exec die"),
        ({"container": ["eb"]}, ""),
        ({"container": ["abc", "nope"], "event": ["die"]}, "die"),
        ({"network": ["bri"]}, "connect"),
        ({"image": ["busybox:latest"]}, "create exec die tag"),
        ({"image": ["busybox"]}, "create exec die tag"),
        ({"image": ["busy"]}, ""),
        ({"image": ["sha256:1"]}, "tag pull"),
        ({"label": ["k"]}, "create exec die"),
        ({"label": ["k=v"]}, "create exec die"),
        ({"label": ["k=w"]}, ""),
        ({"label": ["k", "other"]}, ""),
        ({"scope": ["local"]}, "create exec die tag pull connect prune"),
        ({"scope": ["swarm"]}, ""),
        ({"type": []}, "create exec die tag pull connect prune"),
    ],
)
def test_filters(filters: dict[str, list[str]], wanted: str) -> None:
    async def run() -> None:
        events = Events()
        box = {"name": "web", "image": "busybox:latest", "k": "v"}
        events.publish("container", "create", "abcdef", box)
        events.publish("container", "exec_start: sh -c x", "abcdef", box)
        events.publish("container", "die", "abcdef", box)
        events.publish("image", "tag", "sha256:1", {"name": "busybox:latest"})
        events.publish("image", "pull", "sha256:1", {"name": "other:latest"})
        events.publish("network", "connect", "n1", {"name": "bridge", "container": "abcdef"})
        events.publish("container", "prune", "", {"reclaimed": "0"})
        found = await actions(events.subscribe(0, None, filters))
        expected = wanted.replace("exec", "exec_start: sh -c x")
        if "type" in filters and "container" in filters["type"]:
            expected += " prune"
        assert " ".join(found) == expected.strip()

    asyncio.run(run())


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid filter 'colour'$"):
        Events().subscribe(None, None, {"colour": ["red"]})
