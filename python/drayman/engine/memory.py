"""Memory that libraries took for a moment and the allocator keeps."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Return free memory to the system; blocks for a millisecond or two.

    Reading a host's packet rules can take 50 MB for a moment, which glibc would keep for
    good: more than the engine itself needs. Other C libraries give back by themselves.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
