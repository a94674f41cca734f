"""Start-up: adopt what lives, record what died, clear away what is half made.

There is no other way to start: an engine that was stopped in good order, one that was
killed and one whose machine lost its power all come back through here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from drayman.engine import execs, leftovers
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.exit_record import Exit, read
from drayman.engine.health import Health, is_checked
from drayman.engine.networks import Attached
from drayman.engine.removing import Removing
from drayman.engine.starting import Starting
from drayman.engine.supervision import Supervision
from drayman.errors import DraymanError
from drayman.model import go_json
from drayman.runtime import cgroups, signals
from drayman.runtime.messages import ExecStatus
from drayman.runtime.shim import Shim
from drayman.storage import temporary

# Shims are asked all at once, but a thousand connections in one moment help nobody.
_AT_ONCE = 64

# A shim that has recorded an exit leaves in milliseconds.
_LEAVING_S = 5.0

_log = logging.getLogger(__name__)


class Recovery:
    """Brings the engine back to what it left.

    Small files are read at once: there is nobody yet who could be kept waiting, and turns of a
    worker thread, thousands of them, take longer than what they read.
    """

    def __init__(
        self, context: Context, supervision: Supervision, starting: Starting, removing: Removing
    ) -> None:
        self._context = context
        self._supervision = supervision
        self._starting = starting
        self._removing = removing

    async def run(self) -> None:
        """Recover every container, then start those whose policy wants it."""
        context = self._context
        records = await blocking(context.store.containers.all)
        entries = [context.containers.add(record) for record in records]
        await blocking(self._clear, {record.id for record in records})
        # Layers of loads that were cut short, images whose last container was going.
        await context.images.sweep()
        turns = asyncio.Semaphore(_AT_ONCE)

        async def each(step: Callable[[Entry], Awaitable[None]]) -> None:
            await asyncio.gather(*(self._take(step, entry, turns) for entry in entries))

        await each(self._adopt)
        # Before anything starts or ends: what no living container holds is swept away.
        await context.networks.restore([entry.record for entry in entries])
        await each(self._bury)
        for entry in entries:
            self._go_on(entry)

    async def _take(
        self, step: Callable[[Entry], Awaitable[None]], entry: Entry, turns: asyncio.Semaphore
    ) -> None:
        """One step for one container; what is wrong with it is nobody else's trouble."""
        async with turns:
            try:
                await step(entry)
            except (DraymanError, OSError) as error:
                _log.error("container %s: %s", entry.id, error)

    async def _adopt(self, entry: Entry) -> None:
        """Take over a shim that lives and has something running."""
        paths = self._context.paths.container(entry.id)
        if not paths.socket.exists():
            return
        try:
            shim = await Shim.connect(paths.socket)
            status = await shim.status()
        except (DraymanError, OSError):
            # A socket that a killed shim left.
            return
        if status.state == "created":
            # Its engine died before the start: it leaves when nobody is connected.
            await shim.close()
            return
        if status.state != "running":
            # It is about to leave: what it recorded is read once it has.
            await _closed(shim)
            return
        if is_checked(entry.record) and (known := await shim.health()) is not None:
            entry.health = Health.of(known)
        self._supervision.watch(entry, shim)
        before = entry.record
        started = {}
        if entry.state.pid != status.init_pid:
            # A start whose record was not written any more: the socket is as old as the run.
            started["started_at_ns"] = paths.socket.stat().st_mtime_ns
            held = go_json.loads(await blocking(paths.attachment.read_bytes), Attached)
            entry.record = replace(before, endpoints=held.endpoints, ports=held.ports)
        entry.change(
            status=self._status_of_living(entry, status.init_pid or 0),
            pid=status.init_pid,
            ever_started=True,
            # Whoever asked it to end has no answer, nor has it ended.
            manually_stopped=False,
            error="",
            **started,
        )
        if entry.record != before:
            # Another crash may come, of the shim too: then the record alone knows of this run.
            await self._context.save(entry.record)
        await self._adopt_health(entry, shim)
        await entry.waits.adopt(shim, status.orphans)
        if status.execs:
            await blocking(self._adopt_execs, entry, status.execs)

    async def _adopt_health(self, entry: Entry, shim: Shim) -> None:
        """How checks went; an engine may have died between them and the freezer."""
        if entry.health is not None:
            await (shim.suspend() if entry.state.status == "paused" else shim.resume())

    def _status_of_living(self, entry: Entry, pid: int) -> str:
        """As the freezer has it; a kill that was cut off before its thaw is ended here."""
        layout, cgroup = self._context.host.cgroup, self._context.cgroup_path(entry.record)
        if not cgroups.frozen(layout, cgroup):
            return "running"
        if not signals.is_killed(pid):
            return "paused"
        # Left frozen, it would end by being unpaused.
        entry.doomed = True
        cgroups.thaw(layout, cgroup)
        return "running"

    def _adopt_execs(self, entry: Entry, found: dict[str, ExecStatus]) -> None:
        paths = self._context.paths.container(entry.id)
        for exec_id, seen in found.items():
            file = paths.exec_process(exec_id).with_suffix(".record")
            try:
                one = execs.Exec(execs.decode(file.read_bytes()))
            except (OSError, ValueError):
                continue
            one.claimed = True
            one.began(seen.pid)
            if not seen.running:
                one.ended(seen.exit_code or 0)
            entry.execs[exec_id] = one

    async def _bury(self, entry: Entry) -> None:
        """Where no process lives: whatever ended it, the record says so from now on."""
        if entry.shim is not None:
            return
        context = self._context
        if is_checked(entry.record) and entry.state.ever_started:
            entry.health = Health.ended(context.paths.container(entry.id).health)
        recorded = read(context.paths.container(entry.id).exit_record)
        news = recorded is not None and recorded.finished_at_ns > entry.state.finished_at_ns
        if not entry.state.running and not news:
            # Engine and shim may both have died before the start was written down.
            layout, cgroup = context.host.cgroup, context.cgroup_path(entry.record)
            if leftovers.exist(layout, cgroup) and await blocking(leftovers.kill, layout, cgroup):
                await self._supervision.lost(entry, Exit.unseen(killed=True))
            return
        if entry.state.status == "restarting" and not news:
            self._supervision.resume_back_off(entry)
            return
        await self._supervision.lost(entry, await context.post_mortem(entry.record))

    def _go_on(self, entry: Entry) -> None:
        """Removals that were begun are ended, --rm is kept, policies are honoured."""
        record = entry.record
        if record.state.status in ("removing", "dead"):
            entry.change(status="exited")
            self._context.tasks.spawn(self._removing.automatically(entry))
        elif entry.shim is not None or entry.restart is not None:
            return
        elif record.host_config.auto_remove and record.state.ever_started:
            # It has ended; whether that was seen by this engine or by the last one is all the same.
            self._context.tasks.spawn(self._removing.automatically(entry))
        elif self._wanted_at_start(entry):
            self._context.tasks.spawn(self._start(entry))

    def _wanted_at_start(self, entry: Entry) -> bool:
        """Docker starts ``always`` whoever stopped it, ``unless-stopped`` unless a client did."""
        state = entry.state
        if not state.ever_started or state.running:
            return False
        policy = entry.record.host_config.restart_policy.name
        return policy == "always" or (policy == "unless-stopped" and not state.manually_stopped)

    async def _start(self, entry: Entry) -> None:
        try:
            await self._starting.start(entry.id)
        except DraymanError as error:
            _log.warning("container %s does not start again: %s", entry.id, error)

    def _clear(self, known: set[str]) -> None:
        """Delete what belongs to no container; blocks."""
        paths = self._context.paths
        temporary.clear(paths)
        for directory in (paths.containers, paths.run_containers):
            for child in list(directory.iterdir()):
                if child.name not in known:
                    self._end_unknown(child.name)
                    temporary.erase(child)

    def _end_unknown(self, container_id: str) -> None:
        """A container that was removed under a shim, or whose record was lost."""
        cgroup = cgroups.path(container_id, self._context.config.cgroup_parent)
        leftovers.kill(self._context.host.cgroup, cgroup)


async def _closed(shim: Shim) -> None:
    """Wait until a shim has left; one that hangs is hung up on."""
    try:
        await asyncio.wait_for(asyncio.shield(shim.closed), _LEAVING_S)
    except TimeoutError:
        await shim.close()
