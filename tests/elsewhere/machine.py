"""Another kernel for tests: Linux 6.1 in User-Mode Linux, with cgroups of version 2 alone and a
file system with project quotas.

It is Debian's `user-mode-linux`, an ordinary program. Its root is this host's, read-only; what
is written goes to file systems in its memory, and to a disk that is a file of the test's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
# What tells tests that they are there, and where the disk is mounted.
DISK_DEVICE = "/dev/ubda"
DISK_VARIABLE = "DRAYMAN_ELSEWHERE_DISK"
MEMORY = "1G"
DISK_BYTES = 400 << 20
# It boots in seconds; what takes time is the tests, ten times slower than here.
TIMEOUT_S = 400.0
_EXIT = "exit code of what was run: "


class Machine:
    """A machine that boots, runs one command and is gone."""

    def __init__(self, place: Path) -> None:
        """Make its disk below ``place``."""
        self._place = place
        self._disk = place / "disk"
        with self._disk.open("wb") as file:
            file.truncate(DISK_BYTES)
        subprocess.run(["mkfs.xfs", "-q", self._disk], check=True)
        # Where modprobe looks, below any directory.
        (place / "lib").mkdir()
        (place / "lib/modules").symlink_to("/usr/lib/uml/modules")

    def pytest(self, *arguments: str) -> tuple[int | None, str]:
        """Run tests there; pytest's exit code, None when it was not reached, and all that the
        machine printed."""
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        script = self._place / "command"
        script.write_text(" ".join(command))
        machine = [
            # All its processes end with it, and it with the test, however that ends.
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--kill-child"),
            *("linux.uml", f"mem={MEMORY}", f"ubda={self._disk}", "con=null", "con0=null,fd:1"),
            *("rootfstype=hostfs", "rootflags=/", "ro", f"init={HERE / 'init.sh'}"),
            f"uml_dir={self._place}/",
            *(f"REPOSITORY={REPOSITORY}", f"PLACE={self._place}"),
        ]
        done = subprocess.run(
            machine,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            # Its memory is a file that it deletes at once.
            env={**os.environ, "TMPDIR": str(self._place)},
            check=False,
        )
        printed = done.stdout + done.stderr
        _, found, rest = printed.rpartition(_EXIT)
        return (int(rest.split(maxsplit=1)[0]) if found else None), printed
