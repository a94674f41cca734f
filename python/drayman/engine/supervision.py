"""What happens when a container's process ends, whoever ended it.

The shim records the exit durably before it tells us; a shim that vanished without a word is
read from its record, and what it left behind is killed. Restart policies are kept here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.exit_record import Exit
from drayman.engine.health import Health
from drayman.engine.lifecycle import follow
from drayman.engine.pending import close_all
from drayman.engine.waiting import Outcome
from drayman.errors import DraymanError
from drayman.model.container import Container
from drayman.runtime.shim import Shim

FIRST_BACK_OFF_S = 0.1
LONGEST_BACK_OFF_S = 60.0
# A run of this length counts as a success: the next back-off is the first one again.
GOOD_RUN_NS = 10_000_000_000

_log = logging.getLogger(__name__)


class Supervision:
    """Watches shims; records exits; starts again what its policy wants started."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # Given by the engine, which makes starting and removing after this.
        self.start_again: Callable[[Entry], Coroutine[Any, Any, None]]
        self.remove: Callable[[Entry], Coroutine[Any, Any, None]]

    def watch(self, entry: Entry, shim: Shim) -> None:
        """Follow a shim from now on: its events, and its end."""
        entry.shim = shim
        entry.doomed = False
        entry.ended.clear()
        shim.on_event = lambda event: self._heard(entry, shim, event)
        shim.closed.add_done_callback(lambda _: self._left(entry, shim))

    def unwatch(self, entry: Entry) -> None:
        """The run never began; the shim is about to leave."""
        entry.leaving = entry.shim.closed if entry.shim is not None else None
        entry.shim = None
        entry.health = None
        entry.ended.set()

    def _heard(self, entry: Entry, shim: Shim, event: dict[str, object]) -> None:
        match event.get("event"):
            case "exit":
                # It leaves as it should: `_left` has no end to look into.
                entry.leaving = shim.closed
                self._context.tasks.spawn(self.exited(entry, shim, Exit.from_event(event)))
            case "exec_exit":
                code = event["exit_code"]
                assert isinstance(code, int)
                self._exec_exited(entry, str(event["exec"]), code)
            case "detached":
                self._detached(entry, event.get("exec"))
            case "probe" | "health" if entry.health is not None:
                entry.health.hear(event, entry.record, self._context.announce)

    def _exec_exited(self, entry: Entry, exec_id: str, exit_code: int) -> None:
        one = entry.execs.get(exec_id)
        # A short one may have ended before we heard that it began.
        if one is None or one.finished:
            return
        one.ended(exit_code)
        self._context.announce.container(
            entry.record, "exec_die", execID=exec_id, exitCode=str(exit_code)
        )

    def _detached(self, entry: Entry, exec_id: object) -> None:
        if exec_id is None:
            self._context.announce.container(entry.record, "detach")
        else:
            self._context.announce.container(entry.record, "exec_detach", execID=str(exec_id))

    def _left(self, entry: Entry, shim: Shim) -> None:
        """The connection ended. After an exit, and when the engine ends, that is as it
        should be."""
        known = entry.leaving is shim.closed
        if entry.shim is shim and not known and not self._context.tasks.closing:
            self._context.tasks.spawn(self._vanished(entry, shim))

    async def _vanished(self, entry: Entry, shim: Shim) -> None:
        """The shim was killed."""
        found = await self._context.post_mortem(entry.record)
        await self.exited(entry, shim, found)

    async def lost(self, entry: Entry, exit: Exit) -> None:
        """Record an exit that an earlier engine did not live to see."""
        if not entry.state.running:
            # It was started, and that was not written down any more either.
            entry.change(status="running", started_at_ns=exit.started_at_ns, ever_started=True)
        entry.ended.clear()
        await self.exited(entry, None, exit)

    def resume_back_off(self, entry: Entry) -> None:
        """Go on waiting for the restart that an earlier engine was waiting for."""
        entry.ended.set()
        entry.restart = self._context.tasks.spawn(self._restart(entry))

    async def exited(self, entry: Entry, shim: Shim | None, exit: Exit) -> None:
        """Record an exit of the run that ``shim`` held; an exit heard of twice is one."""
        async with entry.lock:
            if entry.shim is not shim or entry.ended.is_set():
                return
            before = entry.record
            again = not entry.surviving and self.wants_restart(entry, exit)
            await self._settle(entry, exit, again=again)
            entry.shim = None
            entry.leaving = shim.closed if shim is not None else None
        self._context.announce.networks(before, "disconnect")
        self._context.announce.volumes(before, "unmount")
        if exit.oom:
            self._context.announce.container(before, "oom")
        self._context.announce.container(
            before,
            "die",
            exitCode=str(exit.exit_code),
            execDuration=str(_duration_s(before, exit)),
        )
        entry.ended.set()
        entry.waits.exited(Outcome(exit.exit_code))
        if again:
            entry.restart = self._context.tasks.spawn(self._restart(entry))
        elif before.host_config.auto_remove and not entry.surviving:
            self._context.tasks.spawn(self.remove(entry))

    async def _settle(self, entry: Entry, exit: Exit, *, again: bool) -> None:
        """Give back what the run held and store what became of it."""
        record = entry.record
        status = follow(record, "back-off" if again else "exit")
        for one in list(entry.execs.values()):
            if not one.finished:
                # Docker answers 404 for it from here on, even after another start.
                one.settled.set()
                del entry.execs[one.id]
        close_all(entry.pending)
        if entry.health is not None:
            file = self._context.paths.container(entry.id).health
            entry.health = await blocking(Health.ended, file)
        endpoints = await self._context.networks.release(record)
        settled = replace(
            record,
            ports={},
            endpoints=endpoints,
            state=replace(
                record.state,
                status=status,
                pid=0,
                exit_code=exit.exit_code,
                oom_killed=exit.oom,
                finished_at_ns=exit.finished_at_ns,
                restart_count=record.state.restart_count + again,
                ever_started=True,
            ),
        )
        await self._context.commit(entry, settled)

    def wants_restart(self, entry: Entry, exit: Exit) -> bool:
        """Whether the policy starts the container again after this exit."""
        state, policy = entry.record.state, entry.record.host_config.restart_policy
        if entry.policy_off or self._context.tasks.closing:
            return False
        match policy.name:
            case "always":
                return True
            case "unless-stopped":
                return not state.manually_stopped
            case "on-failure":
                limit = policy.maximum_retry_count
                return exit.exit_code != 0 and (limit == 0 or state.restart_count < limit)
        return False

    async def _restart(self, entry: Entry) -> None:
        """Wait the back-off out, then start; a stop meanwhile cancels this task."""
        entry.back_off_s = next_back_off(entry)
        await asyncio.sleep(entry.back_off_s)
        try:
            await self.start_again(entry)
        except DraymanError as error:
            _log.warning("restart of container %s failed: %s", entry.id, error)


def next_back_off(entry: Entry) -> float:
    """Seconds to wait before the next start: doubled each time, short again after a good run."""
    state = entry.record.state
    lasted_ns = state.finished_at_ns - state.started_at_ns
    if not entry.back_off_s or lasted_ns >= GOOD_RUN_NS:
        return FIRST_BACK_OFF_S
    return min(entry.back_off_s * 2, LONGEST_BACK_OFF_S)


def _duration_s(record: Container, exit: Exit) -> int:
    finished = exit.finished_at_ns or time.time_ns()
    return max(finished - record.state.started_at_ns, 0) // 1_000_000_000
