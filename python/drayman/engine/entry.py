"""One container as the engine holds it: its record, and what lives beside the record."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from drayman.engine.arrivals import Arrivals
from drayman.engine.gate import Gate
from drayman.engine.pending import Pending
from drayman.engine.waiting import Waits
from drayman.model.container import Container, State

if TYPE_CHECKING:
    from drayman.engine.execs import Exec
    from drayman.engine.health import Health
    from drayman.runtime.shim import Shim
    from drayman.storage.files import View

# A shim leaves within milliseconds of the exit it told of.
LEAVING_WAIT_S = 5.0


class Entry:
    """The live side of a container.

    `record` is immutable and replaced as a whole, under `lock`, once what it says is true:
    whoever reads it without the lock sees the state before or after, never between.
    """

    __slots__ = (
        "arrivals",
        "back_off_s",
        "described",
        "doomed",
        "ended",
        "execs",
        "gate",
        "health",
        "leaving",
        "lock",
        "pending",
        "policy_off",
        "record",
        "restart",
        "shim",
        "surviving",
        "views",
        "waits",
    )

    def __init__(self, record: Container) -> None:
        self.record = record
        self.lock = asyncio.Lock()
        self.waits = Waits()
        self.shim: Shim | None = None
        # Done when the shim of the last run has taken the container's mounts down.
        self.leaving: asyncio.Future[None] | None = None
        self.execs: dict[str, Exec] = {}
        self.pending: list[Pending] = []
        self.arrivals = Arrivals()
        self.gate = Gate()
        # Of a container that is checked, since its first start.
        self.health: Health | None = None
        # Those that are open while no process of the container lives.
        self.views: set[View] = set()
        # Set while no process of the container lives and the last exit is recorded.
        self.ended = asyncio.Event()
        if not record.state.running:
            self.ended.set()
        # SIGKILL is on its way to this run: who froze it now would keep it from its end.
        self.doomed = False
        # The client stopped or killed this run: the restart policy is silent about it.
        self.policy_off = False
        # Restarts by hand that are between their halves: --rm spares the container.
        self.surviving = 0
        self.back_off_s = 0.0
        self.restart: asyncio.Task[None] | None = None
        # A record, and what `drayman.engine.inspecting` makes of it.
        self.described: tuple[Container, dict[str, Any]] | None = None

    @property
    def id(self) -> str:
        """The full id."""
        return self.record.id

    @property
    def state(self) -> State:
        """The record's state."""
        return self.record.state

    def change(self, **fields: Any) -> None:
        """Replace fields of the state, in one step."""
        self.record = replace(self.record, state=replace(self.record.state, **fields))

    @contextlib.asynccontextmanager
    async def vacated(self) -> AsyncIterator[None]:
        """The lock, which keeps newcomers out, once nobody has the container's files mounted.
        That can take as long as some client likes, so it is waited for without the lock."""
        while True:
            await self.gate.free()
            async with self.lock:
                if self.gate.is_free:
                    await self.left()
                    yield
                    return

    async def left(self) -> None:
        """Wait until the shim of the last run is gone, for a while at most."""
        if self.leaving is not None:
            await asyncio.wait([self.leaving], timeout=LEAVING_WAIT_S)
            self.leaving = None
