"""The way out of the event loop: everything that may wait for a disk goes through here."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Calls wait for disks and peers rather than compute (native code lets the GIL go), so more
# than there are processors; few enough that stacks cost little. Idle threads are not started.
WORKERS = 32

# Work on lent connections lasts as long as its client likes: a crowd of clients that do not
# read must leave room for each other, and must not keep everything else waiting.
LENT_WORKERS = 512

_pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="blocking")
_lent = ThreadPoolExecutor(max_workers=LENT_WORKERS, thread_name_prefix="lent")


async def blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that blocks in a worker thread; its result, or what it raised.

    Cancelling the caller does not stop the function: what it must undo, it undoes itself.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, functools.partial(function, *args, **kwargs))


async def interruptible(function: Callable[[int], T]) -> T:
    """As `blocking`, for native work on a descriptor that was lent: the function gets
    another descriptor, which becomes readable when the caller is cancelled.

    A cancelled caller goes on only when the function has ended, so that nothing reads or
    writes a connection that has been given back.
    """
    cancel_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        work = asyncio.get_running_loop().run_in_executor(_lent, function, cancel_fd)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            os.eventfd_write(cancel_fd, 1)
            await asyncio.wait([work])
            raise
        finally:
            # It holds the exception, whose traceback holds this frame: a ring that only the
            # collector would take apart, with all that the request had.
            del work
    finally:
        os.close(cancel_fd)
