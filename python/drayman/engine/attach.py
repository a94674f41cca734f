"""Connecting a client to the standard streams of a container's main process."""

from __future__ import annotations

from msgspec.structs import replace

from drayman.api.lending import Session
from drayman.api.options import AttachOptions, LogOptions
from drayman.engine.context import Context
from drayman.engine.detach_keys import checked
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow
from drayman.engine.logs import Logs
from drayman.engine.pending import Pending
from drayman.engine.replies import head_is_read, say
from drayman.engine.starting import hand_over
from drayman.errors import Conflict, DraymanError
from drayman.model.container import Container


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
        waits = False
        try:
            entry = self._context.containers.find(name)
            self._context.announce.container(entry.record, "attach")
            if options.logs:
                await pending.greet()
                await head_is_read(session.fd)
                await self._replay(entry, options, session.fd)
            if options.stream:
                waits = await self._connect(entry, name, pending)
        except DraymanError as error:
            await pending.greet()
            await say(session.fd, f"Error attaching: {error}\r\n", framed=True)
        finally:
            if not waits:
                await pending.greet()
                pending.close()

    async def _replay(self, entry: Entry, options: AttachOptions, fd: int) -> None:
        if entry.record.host_config.log_config.type == "none":
            return
        wanted = LogOptions(stdout=options.stdout, stderr=options.stderr)
        download = self._logs.download(entry, wanted)
        await download.send(fd, chunked=False)

    async def _connect(self, entry: Entry, name: str, pending: Pending) -> bool:
        """To the shim now, or to those who wait, which keeps our copy open: True."""
        async with entry.lock:
            self._context.present(entry, name)
            entry.arrivals.arrived()
            if entry.shim is None:
                await pending.wait_in(entry.pending)
                return True
            await hand_over(entry.shim, entry.record, pending)
            return False

    async def resize(self, name: str, height: int, width: int) -> None:
        """Set the size of the container's terminal; one without a terminal ignores it."""
        entry = self._context.containers.find(name)
        follow(entry.record, "resize")
        if entry.shim is None:
            raise Conflict(f"container {entry.id} is not running")
        await entry.shim.resize(None, height, width)
        self._context.announce.container(
            entry.record, "resize", height=str(height), width=str(width)
        )
