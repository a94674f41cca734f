"""Events on disk: in order, bounded, found by `since`, and whole but for what a kill cut short."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.engine import event_journal
from drayman.engine.event_journal import EventJournal
from drayman.engine.events import KEPT, Events
from drayman.model.event import Event


@contextmanager
def opened(place: Path) -> Iterator[EventJournal]:
    journal = EventJournal(place / "events.jsonl", place / "events.1.jsonl")
    try:
        yield journal
    finally:
        journal.close()


def event(number: int) -> Event:
    return Event(
        type="container", action=f"n{number}", actor_id="id", number=number, time_ns=number
    )


def numbers(journal: EventJournal, since_ns: int = 0, before: int = 10**9) -> list[int]:
    return [one.number for batch in journal.batches(since_ns, before) for one in batch]


def test_what_was_added_is_found(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        assert journal.newest(3) == []
        journal.append([event(1), event(2)])
        journal.append([event(3)])
    with opened(tmp_path) as journal:
        assert journal.newest(2) == [event(2), event(3)]
        assert numbers(journal, since_ns=2) == [2, 3]
        assert numbers(journal, before=3) == [1, 2]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_torn_line_costs_that_line(tmp_path: Path, cut: int) -> None:
    with opened(tmp_path) as journal:
        journal.append([event(1), event(2)])
    file = tmp_path / "events.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1][:cut])
    with opened(tmp_path) as journal:
        journal.append([event(3)])
        # Without its last byte, the newline, a line is whole.
        assert numbers(journal) == ([1, 2, 3] if cut == -1 else [1, 3])


@given(st.binary(max_size=60))
def test_no_content_keeps_it_from_opening(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    place = tmp_path_factory.mktemp("journal")
    (place / "events.jsonl").write_bytes(content)
    with opened(place) as journal:
        journal.append([event(7)])
        assert numbers(journal)[-1] == 7


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_journal, "FILE_LIMIT_BYTES", 1000)
    with opened(tmp_path) as journal:
        for number in range(1, 101):
            journal.append([event(number)])
        files = list(tmp_path.iterdir())
        assert len(files) == 2
        assert all(file.stat().st_size <= 1000 for file in files)
        left = numbers(journal)
        assert left == list(range(left[0], 101))
        assert journal.newest(3) == [event(98), event(99), event(100)]


def test_a_reader_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as journal:
        journal.append([event(number) for number in range(600)])
        batches = journal.batches(0, 600)
        found = next(batches)
        monkeypatch.setattr(event_journal, "FILE_LIMIT_BYTES", 1)
        for number in range(600, 610):
            journal.append([event(number)])
        found += [one for batch in batches for one in batch]
    assert [one.number for one in found] == list(range(600))


def test_since_spans_disk_and_memory_and_what_follows(tmp_path: Path) -> None:
    async def run() -> None:
        for life in range(2):
            with opened_events(tmp_path) as events:
                for number in range(KEPT):
                    events.publish("container", f"{life}.{number}", "id", {})
                await events.close()
        with opened_events(tmp_path) as events:
            events.publish("container", "2.0", "id", {})
            subscription = events.subscribe(0, None, {"type": ["container"]})
            events.publish("container", "2.1", "id", {})
            wanted = [f"{life}.{number}" for life in range(2) for number in range(KEPT)]
            found = [(await anext(subscription)).action for _ in range(2 * KEPT + 2)]
            assert found == [*wanted, "2.0", "2.1"]
            first = events.subscribe(0, None, {"event": ["0.3"]})
            middle = await anext(first)
            later = events.subscribe(middle.time_ns + 1, None, {})
            assert (await anext(later)).action == "0.4"
            await subscription.aclose()
            await first.aclose()
            await later.aclose()
            await events.close()

    asyncio.run(run())


def test_who_is_told_finds_it_on_disk(tmp_path: Path) -> None:
    async def run() -> None:
        with opened_events(tmp_path) as events:
            subscription = events.subscribe(None, None, {})
            events.publish("container", "start", "id", {"name": "x"})
            told = await anext(subscription)
            assert b'"start"' in (tmp_path / "events.jsonl").read_bytes()
            with opened(tmp_path) as another:
                assert another.newest(1) == [told]
            await events.close()

    asyncio.run(run())


def test_what_happens_just_before_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = threading.Event()
    append = EventJournal.append

    def slow(journal: EventJournal, events: list[Event]) -> None:
        disk.wait()
        append(journal, events)

    async def run() -> None:
        with opened_events(tmp_path) as events:
            until_ns = time.time_ns() + 3 * 10**8
            subscription = events.subscribe(None, until_ns, {})
            events.publish("container", "start", "id", {})
            asyncio.get_running_loop().call_later(0.4, disk.set)
            assert [one.action async for one in subscription] == ["start"]
            assert time.time_ns() > until_ns
            await events.close()

    monkeypatch.setattr(EventJournal, "append", slow)
    asyncio.run(run())


def test_a_journal_that_fails_costs_no_subscriber_an_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        with opened_events(tmp_path) as events:
            # It cannot be renamed to what is a directory.
            (tmp_path / "events.1.jsonl").mkdir()
            subscription = events.subscribe(None, None, {})
            events.publish("container", "start", "id", {})
            assert (await anext(subscription)).action == "start"
            await events.close()

    monkeypatch.setattr(event_journal, "FILE_LIMIT_BYTES", 1)
    asyncio.run(run())
    assert "1 events are not kept: Is a directory" in caplog.text


@contextmanager
def opened_events(place: Path) -> Iterator[Events]:
    """Closed by the test, within its loop."""
    yield Events(EventJournal(place / "events.jsonl", place / "events.1.jsonl"))
