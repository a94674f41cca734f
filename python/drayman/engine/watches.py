"""Tells when a directory of logs changes, by one inotify descriptor for the whole engine."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from drayman.errors import System

_IN_MODIFY = 0x2
_IN_MOVED_TO = 0x80
_IN_CREATE = 0x100
_HEADER = struct.Struct("iIII")  # struct inotify_event without its name
# Room for some hundred events; what is left is read at the next turn of the loop.
_BUFFER_BYTES = 64 << 10

_libc = ctypes.CDLL(None, use_errno=True)


class Watches:
    """Any number of watchers on any number of directories."""

    def __init__(self) -> None:
        self._fd = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers: dict[str, int] = {}
        self._watchers: dict[int, list[asyncio.Event]] = {}

    @contextmanager
    def watch(self, directory: str | None, stirred: asyncio.Event) -> Iterator[None]:
        """Set the event at each change below ``directory`` (None: never) inside the block."""
        if directory is None:
            yield
            return
        number = self._add(directory)
        self._watchers.setdefault(number, []).append(stirred)
        try:
            yield
        finally:
            self._watchers[number].remove(stirred)
            if not self._watchers[number]:
                del self._watchers[number]
                self._numbers.pop(directory, None)
                # Fails for a directory that was deleted, whose watch is gone already.
                _libc.inotify_rm_watch(self._fd, number)

    def close(self) -> None:
        """Stop watching."""
        if self._fd < 0:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1

    def _add(self, directory: str) -> int:
        if self._fd < 0:
            self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._fd, self._read)
        if directory not in self._numbers:
            mask = _IN_MODIFY | _IN_MOVED_TO | _IN_CREATE
            path = os.fsencode(directory)
            self._numbers[directory] = _checked(_libc.inotify_add_watch(self._fd, path, mask))
        return self._numbers[directory]

    def _read(self) -> None:
        try:
            events = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(events):
            number, _, _, name_length = _HEADER.unpack_from(events, offset)
            offset += _HEADER.size + name_length
            # -1 stands for an overflow: something happened, somewhere.
            for stirred in self._stirred_by(number):
                stirred.set()

    def _stirred_by(self, number: int) -> list[asyncio.Event]:
        if number >= 0:
            return self._watchers.get(number, [])
        return [one for watchers in self._watchers.values() for one in watchers]


def _checked(result: int) -> int:
    if result < 0:
        raise System(f"inotify: {os.strerror(ctypes.get_errno())}")
    return result
