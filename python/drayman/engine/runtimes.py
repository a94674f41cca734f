"""Who turns a container's bundle into a process: our own executor, or a runtime of the host's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from drayman.errors import InvalidParameter

# Our own, in the shim.
EMBEDDED = "drayman"
_RUNC = "runc"
# What Docker takes for runc, and clients send because its info says so.
_AS_RUNC = ("io.containerd.runc.v2", _RUNC)


def check(runtimes: Mapping[str, str]) -> None:
    """Raise InvalidParameter for a runtime that cannot be had."""
    for name, program in runtimes.items():
        if not name or name == EMBEDDED:
            raise InvalidParameter(f"runtime name {name!r} is reserved")
        if shutil.which(program) is None:
            raise InvalidParameter(f"runtime {name}: no program {program!r} on this host")


def find(runtimes: Mapping[str, str], name: str) -> Path | None:
    """The program of a runtime, None for our own executor.

    That also serves who asks for runc by one of its names where it was not added. Raises
    InvalidParameter for any other name that was not.
    """
    if name in _AS_RUNC:
        name = _RUNC if _RUNC in runtimes else EMBEDDED
    if name in ("", EMBEDDED):
        return None
    program = runtimes.get(name)
    if program is None:
        raise InvalidParameter(f"unknown or invalid runtime name: {name}")
    return Path(program)


def listed(runtimes: Mapping[str, str], own: Path) -> dict[str, dict[str, str]]:
    """``Runtimes`` of ``GET /info``."""
    return {name: {"path": path} for name, path in {**runtimes, EMBEDDED: str(own)}.items()}
