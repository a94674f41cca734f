"""``POST /containers/{id}/wait``."""

from __future__ import annotations

from drayman.api.lending import Caller
from drayman.engine.context import Context
from drayman.engine.waiting import NOT_RUNNING, REMOVED, Outcome, Waiter, check_condition


class Waiting:
    """Registers those who wait for containers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def register(self, name: str, condition: str, caller: Caller | None) -> Waiter:
        """Wait from now on; see `drayman.api.backend.ContainerBackend.container_wait`."""
        condition = check_condition(condition)
        entry = self._context.containers.find(name)
        state = entry.state
        if condition == NOT_RUNNING and not state.running:
            waiter = Waiter()
            waiter.wake(Outcome(state.exit_code, state.error))
            return waiter
        if condition == REMOVED and not entry.record.host_config.auto_remove:
            # Its shim, which could answer, leaves at the exit.
            caller = None
        waiter = entry.waits.add(condition, caller)
        if entry.shim is not None:
            await waiter.entrust(entry.shim, greet=True)
        return waiter
