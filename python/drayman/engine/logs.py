"""Sending logs, and following them without polling.

The reader works in a thread, step by step; between the steps nothing runs. A follower is
woken by inotify when the shim writes and by the container's end; it is cancelled when its
client leaves.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from drayman.api.lending import Session
from drayman.api.options import LogOptions
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow
from drayman.engine.log_settings import log_path
from drayman.engine.replies import tell
from drayman.errors import Conflict, InvalidParameter, System, Unimplemented
from drayman.runtime.messages import Follow
from drayman.runtime.shim import Gone
from drayman.stdio.logs import LogReader, log_check

# Between two steps of one download, other work gets the thread.
STEP_BYTES = 4 << 20


class Logs:
    """Reads the logs of containers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def open(self, name: str, options: LogOptions) -> LogDownload:
        """The log of a container, ready to be sent."""
        if not options.stdout and not options.stderr:
            raise InvalidParameter("must specify at least one of 'stdout' or 'stderr'")
        entry = self._context.containers.find(name)
        follow(entry.record, "logs")
        path = log_path(entry.record, self._context.paths.container(entry.id))
        if path is None:
            raise Unimplemented("configured logging driver does not support reading")
        log_check(str(path), cursor=options.cursor, grep_regex=options.grep_regex)
        return self.download(entry, options)

    async def follow(
        self, name: str, options: LogOptions, session: Session, *, chunked: bool
    ) -> None:
        """Give the connection to the shim, which writes the log and sends it as it grows; where
        the container has ended meanwhile, send what there is."""
        try:
            entry = self._context.containers.find(name)
            try:
                if entry.shim is None:
                    raise Gone
                wanted = _wanted(entry, options, chunked)
                await entry.shim.follow(session.fd, Follow(**wanted, head=session.head))
            except Conflict:
                await tell(session.fd, session.head)
                download = self.download(entry, options)
                await download.send(session.fd, chunked=chunked)
                if chunked:
                    await tell(session.fd, _last_chunk(download.trailers))
        finally:
            os.close(session.fd)

    def download(self, entry: Entry, options: LogOptions, messages: str = "") -> LogDownload:
        """As `open`, when nothing needs to be checked; in WebSocket ``messages`` of a kind."""
        return LogDownload(self._context, entry, options, messages)


class LogDownload:
    """A `drayman.api.lending.LogStream`."""

    def __init__(self, context: Context, entry: Entry, options: LogOptions, messages: str) -> None:
        self._messages = messages
        self.trailers: dict[str, str] = {}
        self._context = context
        self._entry = entry
        self._options = options

    async def send(self, fd: int, *, chunked: bool) -> None:
        """Write what is wanted; when following, until the container ends."""
        reader = await blocking(self._reader, chunked)
        # Our own number for the connection: the loop may watch the other one already.
        own = os.dup(fd)
        stirred = asyncio.Event()
        # Following means following this run: it ends with it, back-off or not.
        follows = self._options.follow and not self._entry.ended.is_set()
        directory = str(self._context.paths.container(self._entry.id).logs) if follows else None
        # The next page has what is not ended yet, if there may be one.
        is_all = not follows and self._options.cursor is None
        try:
            with self._context.watches.watch(directory, stirred):
                while True:
                    stirred.clear()
                    if is_all or self._entry.ended.is_set():
                        reader.complete()
                    match await blocking(reader.pump, own, STEP_BYTES):
                        case "end" | "gone":
                            break
                        case "too slow":
                            raise System("its client does not read, and was to be left then")
                        case "blocked":
                            await _writable(own)
                        case "idle" if not follows:
                            break
                        case "idle":
                            await self._stirred(stirred)
            self.trailers = dict(reader.fields())
        finally:
            os.close(own)

    async def close(self) -> None:
        """Nothing is held before `send`."""

    async def _stirred(self, stirred: asyncio.Event) -> None:
        """Wait for a write, or the container's end."""
        waits = [
            asyncio.ensure_future(stirred.wait()),
            asyncio.ensure_future(self._entry.ended.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _reader(self, chunked: bool) -> LogReader:
        path = log_path(self._entry.record, self._context.paths.container(self._entry.id))
        wanted = _wanted(self._entry, self._options, chunked)
        if self._messages:
            wanted |= {"framed": False, "messages": self._messages}
        return LogReader(str(path), **wanted, grep_regex=self._options.grep_regex)


def _wanted(entry: Entry, options: LogOptions, chunked: bool) -> dict[str, Any]:
    """What is read of a log and how it is written, for whoever reads it; an expression, which
    the shim does not know, apart."""
    return {
        "stdout": options.stdout,
        "stderr": options.stderr,
        "since_ns": options.since_ns,
        "until_ns": options.until_ns,
        "tail": options.tail,
        "timestamps": options.timestamps,
        "details": options.details,
        "framed": not entry.record.config.tty,
        "chunked": chunked,
        "json": options.json,
        "whole": options.whole,
        "limit": options.limit,
        "grep": options.grep,
        "cursor": options.cursor,
        "slow": options.slow,
    }


def _last_chunk(trailers: dict[str, str]) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    return f"0\r\n{fields}\r\n".encode()


async def _writable(fd: int) -> None:
    """Wait until a descriptor takes more bytes."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def writable() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(fd, writable)
    try:
        await ready
    finally:
        loop.remove_writer(fd)
