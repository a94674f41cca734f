"""Moments as Go writes them in JSON (time.RFC3339Nano)."""

from __future__ import annotations

import time

_ZERO = "0001-01-01T00:00:00Z"


def rfc3339(time_ns: int) -> str:
    """Nanoseconds since 1970 in UTC; zeros at the fraction's end are cut, and 0 is Go's zero
    time, which stands for never."""
    if not time_ns:
        return _ZERO
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"
