"""What a shim that was killed leaves behind: processes, and the cgroup they are in."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from drayman.errors import DraymanError
from drayman.runtime import cgroups

# The kernel needs a moment to end what was killed, more when it was frozen.
_PATIENCE_S = 5.0
_PAUSE_S = 0.005


def exist(layout: cgroups.Layout, cgroup: str) -> bool:
    """Whether the cgroup is there: a shim removes it when it has recorded the exit, and the
    host's restart does when there was neither."""
    return any(directory.exists() for directory in layout.directories(cgroup))


def kill(layout: cgroups.Layout, cgroup: str) -> bool:
    """Kill whatever lives in a container's cgroup, then remove it; whether anything did.

    Blocks until they are gone, or for some seconds at most.
    """
    found = False
    deadline = time.monotonic() + _PATIENCE_S
    while living := cgroups.pids(layout, cgroup):
        found = True
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        # A frozen process dies only when it is thawed.
        with contextlib.suppress(DraymanError):
            cgroups.thaw(layout, cgroup)
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE_S)
    remove(layout, cgroup)
    return found


def remove(layout: cgroups.Layout, cgroup: str) -> None:
    """Remove a container's cgroup from every hierarchy; harmless for what is gone or in use."""
    for directory in layout.directories(cgroup):
        for where, _, _ in os.walk(directory, topdown=False):
            try:
                os.rmdir(where)
            except OSError:
                continue
