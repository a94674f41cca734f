"""``POST /containers/{id}/wait``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from drayman.engine.context import Context
from drayman.engine.waiting import NOT_RUNNING, REMOVED, check_condition


class Waiting:
    """Registers those who wait for containers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def register(self, name: str, condition: str) -> Callable[[], Awaitable[tuple[int, str]]]:
        """Wait from now on; the result, awaited, gives exit code and error text."""
        condition = check_condition(condition)
        entry = self._context.containers.find(name)
        state = entry.state
        if condition == NOT_RUNNING and not state.running:

            async def at_once() -> tuple[int, str]:
                return state.exit_code, state.error

            return at_once
        future = entry.waits.for_removal() if condition == REMOVED else entry.waits.for_exit()

        async def outcome() -> tuple[int, str]:
            found = await future
            return found.exit_code, found.error

        return outcome
