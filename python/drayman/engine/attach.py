"""Connecting a client to the standard streams of a container's main process."""

from __future__ import annotations

import time

from msgspec.structs import replace

from drayman.api.lending import Session
from drayman.api.options import AttachOptions, LogOptions
from drayman.engine.context import Context
from drayman.engine.detach_keys import checked
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow, not_running
from drayman.engine.log_settings import log_path
from drayman.engine.logs import Logs
from drayman.engine.pending import Pending
from drayman.engine.replies import head_is_read
from drayman.engine.starting import hand_over
from drayman.errors import Conflict, DraymanError
from drayman.model.container import Container
from drayman.runtime.messages import Past


class Attaching:
    """Gives connections to shims, at once or when their container starts."""

    def __init__(self, context: Context, logs: Logs) -> None:
        self._context = context
        self._logs = logs

    def check(self, name: str, options: AttachOptions) -> Container:
        """Raise what attach answers instead of a stream."""
        checked(options.detach_keys)
        entry = self._context.containers.find(name)
        follow(entry.record, "attach", asked=name)
        entry.arrivals.expect()
        return entry.record

    async def attach(self, name: str, options: AttachOptions, session: Session) -> None:
        """Give the connection away; what was logged comes first, if that was asked for."""
        options = replace(options, detach_keys=checked(options.detach_keys))
        pending = Pending(session, options, self._context.hang_ups)
        given_away = False
        try:
            entry = self._context.containers.find(name)
            self._context.announce.container(entry.record, "attach")
            if options.stream:
                await self._connect(entry, name, pending)
                given_away = True
            elif options.logs:
                await self._replay(entry, pending, Past())
        except DraymanError as error:
            await pending.say(f"Error attaching: {error}\r\n")
        finally:
            if not given_away:
                await pending.end()

    async def _connect(self, entry: Entry, name: str, pending: Pending) -> None:
        """To the shim now, or to those who wait for one.

        A shim tells of what it logged itself, and so leaves nothing out between that and what
        comes; without one, nothing comes.
        """
        past = Past() if pending.options.logs else None
        while True:
            shim = entry.shim
            if past is not None and shim is None:
                past = await self._replay(entry, pending, past)
            async with entry.lock:
                self._context.present(entry, name)
                entry.arrivals.arrived()
                if entry.shim is None and shim is not None:
                    # It ended, and has logged what was not told yet.
                    continue
                if entry.shim is None:
                    return await pending.wait_in(entry.pending)
                try:
                    await hand_over(entry.shim, entry.record, pending, past)
                    return pending.close()
                except Conflict:
                    # It ended just now, and we are about to hear of it.
                    pass
            await entry.ended.wait()

    async def _replay(self, entry: Entry, pending: Pending, past: Past) -> Past:
        """Send what is in the log by now; what is to be told should it be written meanwhile."""
        await pending.greet()
        await head_is_read(pending.fd)
        until_ns = time.time_ns()
        if log_path(entry.record, self._context.paths.container(entry.id)) is not None:
            options = pending.options
            wanted = LogOptions(
                stdout=options.stdout,
                stderr=options.stderr,
                since_ns=past.since_ns,
                until_ns=until_ns,
            )
            download = self._logs.download(entry, wanted, messages=options.websocket)
            await download.send(pending.fd, chunked=False)
        return Past(since_ns=until_ns + 1)

    async def resize(self, name: str, height: int, width: int) -> None:
        """Set the size of the container's terminal; one without a terminal ignores it."""
        entry = self._context.containers.find(name)
        follow(entry.record, "resize")
        if entry.shim is None:
            raise not_running(entry.record)
        await entry.shim.resize(None, height, width)
        self._context.announce.container(
            entry.record, "resize", height=str(height), width=str(width)
        )
