"""One engine for one root: the lock that keeps a second one out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from drayman.errors import Conflict, DraymanError, System

# A number and a newline, with room to spare.
_PID_BYTES = 32


class Ownership:
    """Locked pid files, one in root and one in run: neither can be shared. Locks die with
    their process, so none is ever stale."""

    def __init__(self, *directories: Path) -> None:
        """Take the locks; Conflict naming the process that holds one, System for a directory
        that cannot be."""
        self._fds: list[int] = []
        for directory in directories:
            try:
                self._fds.append(_lock(directory))
            except DraymanError:
                self.release()
                raise

    def release(self) -> None:
        """Let another engine take over."""
        while self._fds:
            os.close(self._fds.pop())


def _lock(directory: Path) -> int:
    try:
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        fd = os.open(directory / "drayman.pid", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise System(f"cannot keep anything in {directory}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, _PID_BYTES).decode("ascii", "replace").strip()
        os.close(fd)
        raise Conflict(f"{directory} is in use by process {holder or 'unknown'}") from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd
