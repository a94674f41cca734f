"""Events on disk, for who asks for those of before: bounded, and only ever added to.

Two files of JSON lines, the current one and the one before it. What is written survives the end
of the engine; nothing is synced, so a loss of power may cost the newest.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import msgspec

from drayman.model.event import Event

# Of each of the two files; some ten thousand events.
FILE_LIMIT_BYTES = 4 << 20
BATCH_EVENTS = 256

_decoder = msgspec.json.Decoder(Event)


class EventJournal:
    """The files, for one thread that adds at a time and any number that read."""

    def __init__(self, current: Path, previous: Path) -> None:
        self._current = current
        self._previous = previous
        # Held while the files are opened or take each other's place.
        self._names = threading.Lock()
        self._open()
        # Behind a line that a kill cut short.
        self._torn = self._ends_torn()

    def append(self, events: list[Event]) -> None:
        """Add events; blocks. Raises OSError, and then may have added some of them."""
        lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
        if os.fstat(self._fd).st_size + len(lines) > FILE_LIMIT_BYTES:
            self._rotate()
        if self._torn:
            lines = b"\n" + lines
        self._torn = True
        view = memoryview(lines)
        while view:
            view = view[os.write(self._fd, view) :]
        self._torn = False

    def newest(self, count: int) -> list[Event]:
        """The last so many events, in order; blocks."""
        with contextlib.closing(self._lines()) as lines:
            return list(_decoded(deque(lines, maxlen=count)))

    def batches(self, since_ns: int, before: int) -> Iterator[list[Event]]:
        """Events with a lower number than ``before`` that did not happen before ``since_ns``, in
        order; each step blocks. What is added or renamed meanwhile changes nothing."""
        with contextlib.closing(self._lines()) as lines:
            while some := list(islice(lines, BATCH_EVENTS)):
                yield [
                    event
                    for event in _decoded(some)
                    if event.time_ns >= since_ns and event.number < before
                ]

    def close(self) -> None:
        """Let go of the files."""
        os.close(self._fd)

    def _lines(self) -> Generator[bytes, None, None]:
        with contextlib.ExitStack() as files:
            with self._names:
                found = [
                    files.enter_context(path.open("rb"))
                    for path in (self._previous, self._current)
                    if path.exists()
                ]
            yield from chain.from_iterable(found)

    def _rotate(self) -> None:
        with self._names:
            self._current.replace(self._previous)
            full = self._fd
            self._open()
            os.close(full)
        self._torn = False

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._current, flags, 0o600)

    def _ends_torn(self) -> bool:
        with self._current.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            return file.read() not in (b"", b"\n")


def _decoded(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of lines; what a kill or a full disk cut short is passed over."""
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield _decoder.decode(line)
