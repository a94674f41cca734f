"""What the engine does to containers, and how long each time takes, for whoever measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

DONE = "done"

# Given the action, `DONE` or the kind of the error it ended with, and its seconds.
Observer = Callable[[str, str, float], None]


class Actions:
    """Times actions when there is an observer; those that policies cause too."""

    def __init__(self) -> None:
        self.observer: Observer | None = None

    async def timed(self, action: str, work: Coroutine[Any, Any, T]) -> T:
        """Await it, and tell the observer."""
        if self.observer is None:
            return await work
        began_s, result = time.perf_counter(), DONE
        try:
            return await work
        except BaseException as error:
            result = type(error).__name__
            raise
        finally:
            self.observer(action, result, time.perf_counter() - began_s)
