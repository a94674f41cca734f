"""Ending a container's process: stop, kill and restart."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from drayman.engine import leftovers
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import RESTARTING, follow, not_running
from drayman.engine.pausing import check_health
from drayman.engine.starting import Starting
from drayman.engine.supervision import Supervision
from drayman.engine.waiting import Outcome
from drayman.errors import Conflict, DraymanError, InvalidParameter, NotFound, NotModified, System
from drayman.runtime import cgroups
from drayman.runtime.shim import Gone
from drayman.runtime.signals import parse

DEFAULT_STOP_TIMEOUT_S = 10
# After a signal that could not be sent there is little to wait for.
FAILED_SIGNAL_WAIT_S = 2.0
# After SIGKILL the kernel ends the process soon; then its cgroup is emptied directly.
KILL_WAIT_S = 10.0
LAST_WAIT_S = 2.0


class Stopping:
    """Ends runs, and says so in the events."""

    def __init__(self, context: Context, starting: Starting, supervision: Supervision) -> None:
        self._context = context
        self._starting = starting
        self._supervision = supervision

    async def stop(self, name: str, signal_name: str | None, timeout_s: int | None) -> None:
        """Ask, wait, kill; returns once the exit is recorded. NotModified when stopped."""
        entry = self._context.containers.find(name)
        follow(entry.record, "stop")
        try:
            number = parse(signal_name) if signal_name else None
        except InvalidParameter as error:
            # Docker wraps it as a fault of its own.
            raise System(f"cannot stop container: {name}: {error}") from None
        await self._end(entry, number, timeout_s)
        self._context.announce.container(entry.record, "stop")

    async def restart(self, name: str, signal_name: str | None, timeout_s: int | None) -> None:
        """Stop if it runs, then start; a --rm container survives. Every failure is a System."""
        entry = self._context.containers.find(name)
        try:
            number = parse(signal_name) if signal_name else None
            entry.surviving += 1
            try:
                if entry.state.running:
                    await self._end(entry, number, timeout_s)
                    self._context.announce.container(entry.record, "stop")
                await self._starting.start(entry.id)
            finally:
                entry.surviving -= 1
        except NotModified:
            # Someone else started it between the halves.
            pass
        except DraymanError as error:
            raise System(f"Cannot restart container {name}: {error}") from None
        self._context.announce.container(entry.record, "restart")

    async def kill(self, name: str, signal_name: str) -> None:
        """Send a signal; SIGKILL also waits for the exit to be recorded."""
        try:
            number = parse(signal_name) if signal_name else int(signal.SIGKILL)
        except InvalidParameter as error:
            raise InvalidParameter(f"cannot kill container: {name}: {error}") from None
        try:
            entry = self._context.containers.find(name)
            await self._send(entry, number, "kill")
        except NotFound as error:
            raise NotFound(f"cannot kill container: {name}: {error}") from None
        except Conflict as error:
            raise Conflict(f"cannot kill container: {name}: {error}") from None
        if number == signal.SIGKILL:
            await self._await_killed(entry)

    async def kill_for_removal(self, entry: Entry) -> None:
        """End it at once, whatever state it is in."""
        if not entry.state.running:
            return
        # Conflict: it ended by itself meanwhile, which is recorded in a moment.
        with contextlib.suppress(Conflict):
            await self._send(entry, int(signal.SIGKILL), "kill")
        await self._await_killed(entry)

    async def _end(self, entry: Entry, number: int | None, timeout_s: int | None) -> None:
        """A stop's signals and waits; ``timeout_s`` negative never kills."""
        config = entry.record.config
        if timeout_s is None:
            timeout_s = config.stop_timeout
        if timeout_s is None:
            timeout_s = DEFAULT_STOP_TIMEOUT_S
        try:
            await self._send(entry, number or _stop_signal(config.stop_signal), "stop")
            wait_s = float(timeout_s)
        except NotModified:
            return
        except DraymanError:
            # It may be ending by itself this moment.
            wait_s = FAILED_SIGNAL_WAIT_S
        if await self._ends_within(entry, wait_s if timeout_s >= 0 else None):
            return
        with contextlib.suppress(Conflict):
            await self._send(entry, int(signal.SIGKILL), "kill")
        await self._await_killed(entry)

    async def _send(self, entry: Entry, number: int, event: str) -> None:
        """Send one signal to the main process, and thaw it when it is meant to end it."""
        async with entry.lock:
            self._context.present(entry, entry.id)
            was_restarting = entry.state.status == RESTARTING
            status = follow(entry.record, event)
            final = event == "stop" or _ends_the_policy(entry, number)
            entry.policy_off = entry.policy_off or final
            # Before the signal: should this engine die then, the next one knows that it was a
            # client who ended the run, or that a restart was on its way.
            entry.change(status=status, manually_stopped=not entry.surviving)
            await self._context.save(entry.record)
            if was_restarting:
                self._call_off_restart(entry)
                return
            if entry.shim is None:
                raise not_running(entry.record)
            try:
                await entry.shim.signal(number)
            except Gone:
                raise not_running(entry.record) from None
            entry.doomed = entry.doomed or number == signal.SIGKILL
            thawed = entry.state.status == "paused" and final
            if thawed:
                await blocking(
                    cgroups.thaw,
                    self._context.host.cgroup,
                    self._context.cgroup_path(entry.record),
                )
                await check_health(entry, on=True)
                entry.change(status="running")
                await self._context.save(entry.record)
        self._context.announce.container(entry.record, "kill", signal=str(number))
        # After SIGKILL there is nothing that could go on.
        if thawed and number != signal.SIGKILL:
            self._context.announce.container(entry.record, "unpause")

    def _call_off_restart(self, entry: Entry) -> None:
        """The back-off ends here; there is no process to signal."""
        if entry.restart is not None:
            entry.restart.cancel()
            entry.restart = None
        entry.ended.set()
        entry.waits.exited(Outcome(entry.state.exit_code))
        if entry.record.host_config.auto_remove and not entry.surviving:
            self._context.tasks.spawn(self._supervision.remove(entry))

    async def _await_killed(self, entry: Entry) -> None:
        """Wait for SIGKILL to work; then empty the cgroup; then give up."""
        if await self._ends_within(entry, KILL_WAIT_S):
            return
        await blocking(
            leftovers.kill, self._context.host.cgroup, self._context.cgroup_path(entry.record)
        )
        if not await self._ends_within(entry, LAST_WAIT_S):
            raise System(f"tried to kill container {entry.id}, but it did not end")

    async def _ends_within(self, entry: Entry, wait_s: float | None) -> bool:
        try:
            await asyncio.wait_for(entry.ended.wait(), wait_s)
        except TimeoutError:
            return False
        return True


def _ends_the_policy(entry: Entry, number: int) -> bool:
    """Whether a kill also silences the restart policy (moby's kill.go)."""
    configured = entry.record.config.stop_signal
    return number == signal.SIGKILL or not configured or _stop_signal(configured) == number


def _stop_signal(configured: str) -> int:
    """The signal that asks a container to end; SIGTERM unless its configuration says else."""
    return parse(configured) if configured else int(signal.SIGTERM)
