"""Processor time that an engine has used."""

from __future__ import annotations

import os
from pathlib import Path

from benches.engines import Engine

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def spent_s(engine: Engine) -> float:
    """That of all its processes so far, with children that ended: what they took counts as that
    of whoever started them."""
    return sum(map(_process_s, engine.processes()))


def _process_s(pid: int) -> float:
    """That of one process, 0 when it has ended: by the nanosecond, but in ticks for its children,
    as the kernel tells it. A shim may take less than a tick in all the time that is measured."""
    process = Path(f"/proc/{pid}")
    try:
        threads = [(one / "schedstat").read_text() for one in (process / "task").iterdir()]
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own_ns = sum(int(thread.split()[0]) for thread in threads)
    return own_ns / 1e9 + sum(map(int, fields[13:15])) * _TICK_S
