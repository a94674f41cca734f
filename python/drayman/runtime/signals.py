"""Signals by name and by number, as Docker's clients write them."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from drayman.errors import InvalidParameter

_REALTIME_FIRST = 34
_REALTIME_LAST = 64
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def _table() -> dict[str, int]:
    names = {
        name.removeprefix("SIG"): member.value
        for name, member in signal.Signals.__members__.items()
        if name not in ("SIGRTMIN", "SIGRTMAX")
    }
    # Spellings that Python does not know.
    names |= {"CLD": int(signal.SIGCHLD), "IOT": int(signal.SIGABRT), "POLL": int(signal.SIGIO)}
    names |= {"PWR": 30, "STKFLT": 16, "UNUSED": int(signal.SIGSYS)}
    names |= {"RTMIN": _REALTIME_FIRST, "RTMAX": _REALTIME_LAST}
    names |= {f"RTMIN+{n}": _REALTIME_FIRST + n for n in range(1, 16)}
    names |= {f"RTMAX-{n}": _REALTIME_LAST - n for n in range(1, 15)}
    return names


BY_NAME: dict[str, int] = _table()


def parse(text: str) -> int:
    """The number of a signal given as ``KILL``, ``sigkill``, ``9`` or ``RTMIN+3``.

    Raises InvalidParameter for 0, unknown names and numbers that no signal has.
    """
    if _INTEGER.fullmatch(text):
        number = int(text)
        if number == 0:
            raise InvalidParameter(f"invalid signal: {text}")
        if number not in BY_NAME.values():
            raise InvalidParameter(f"the linux daemon does not support signal {number}")
        return number
    known = BY_NAME.get(text.upper().removeprefix("SIG"))
    if known is None:
        raise InvalidParameter(f"invalid signal: {text}")
    return known


def is_killed(pid: int) -> bool:
    """Whether SIGKILL waits for a process, as it does while cgroup v1 has it frozen."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    # proc_pid_status(5): of the thread, and of the whole process.
    pending = re.findall(r"^(?:SigPnd|ShdPnd):\t([0-9a-f]+)$", status, re.MULTILINE)
    return any(int(mask, 16) >> (signal.SIGKILL - 1) & 1 for mask in pending)
