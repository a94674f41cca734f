"""How a run ended, as its shim recorded it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

# Docker's code for an end that nobody saw: the shim and its record are both gone.
UNKNOWN_EXIT_CODE = 255
# 128 + SIGKILL: the shim was gone, and we killed what it had left.
KILLED_EXIT_CODE = 137


class Exit(msgspec.Struct, frozen=True):
    """An exit; times in nanoseconds since 1970."""

    exit_code: int
    oom: bool
    started_at_ns: int
    finished_at_ns: int

    @staticmethod
    def from_event(event: Mapping[str, Any]) -> Exit:
        """From the shim's message or its file, which agree as far as this goes."""
        return Exit(
            exit_code=event["exit_code"],
            oom=event.get("oom", False),
            started_at_ns=event.get("started_at_ns", 0),
            finished_at_ns=event["finished_at_ns"],
        )

    @staticmethod
    def unseen(*, killed: bool) -> Exit:
        """An end nobody recorded; ``killed`` when it was ours, for want of a shim."""
        code = KILLED_EXIT_CODE if killed else UNKNOWN_EXIT_CODE
        return Exit(code, oom=False, started_at_ns=0, finished_at_ns=time.time_ns())


def read(path: Path) -> Exit | None:
    """The record, or None when there is none that can be read."""
    try:
        return Exit.from_event(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        # Written to a temporary file and renamed, so a broken one is not the shim's.
        return None
