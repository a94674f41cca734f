"""How the C library keeps memory, in a process that runs for months."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# From glibc's malloc.h; see mallopt(3).
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# Where glibc begins; left alone it follows the largest block that was ever freed, up to 32 MiB,
# and what is smaller comes from the heap.
_MMAP_THRESHOLD_BYTES = 128 * 1024
_ARENAS = 2


def keep_little() -> None:
    """Have the C library keep few heaps, and no large blocks in them.

    With a heap for each worker thread, where what lives long comes to lie between buffers that
    live for a moment, an engine grew by five megabytes over ten thousand containers though it
    used no more than before. Returning free pages now and then only slowed that down.
    It is for the whole process, and for threads that come after it. Other C libraries have no
    such habits.
    """
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)


def give_back() -> None:
    """Return free memory to the system; blocks for a millisecond or two.

    Reading a host's packet rules can take 50 MB for a moment, which glibc would keep for
    good: more than the engine itself needs. Other C libraries give back by themselves.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
