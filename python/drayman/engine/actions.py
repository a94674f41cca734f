"""What the engine does to containers, how long each time takes, and how many bytes it moves, for
whoever measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

DONE = "done"

# Given the action, `DONE` or the kind of the error it ended with, and its seconds.
Observer = Callable[[str, str, float], None]
# Given the way (`OUT`, `IN` or `BETWEEN`), and bytes.
Movement = Callable[[str, int], None]

# Tars out of containers, the files of tars into them, tars from one to another.
OUT, IN, BETWEEN = "out", "in", "between"


class Actions:
    """Times actions when there is an observer; those that policies cause too."""

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.movement: Movement | None = None

    def moved(self, way: str, size_bytes: int) -> None:
        """Tell of bytes that went this way."""
        if self.movement is not None:
            self.movement(way, size_bytes)

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
