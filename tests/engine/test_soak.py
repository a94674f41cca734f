"""Containers come and go for a long time: the engine holds no more at the end than before.

Fifteen seconds; ``DRAYMAN_SOAK_SECONDS`` makes it more, and tells how it goes.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.holdings import at_rest, memory_kib, until_no_more

SECONDS = int(os.environ.get("DRAYMAN_SOAK_SECONDS", "15"))
CLIENTS = 4
# Of the whole time, and as many containers as fill what is kept of events; by more clients than
# there will be, so that the engine has all the threads that it will want.
WARM_UP = 0.3
WARM_UP_LIVES = 60
WARM_UP_CLIENTS = 3 * CLIENTS
MEMORY_LIMIT = 1.05
TELL_EVERY_S = 30.0


def life(engine: EngineServer, number: int) -> None:
    """One container from its creation to its removal, with what clients do meanwhile."""
    body = {
        "Labels": {"number": str(number)},
        "HostConfig": {
            "NetworkMode": ("none", "bridge")[number % 2],
            "AutoRemove": number % 3 == 0,
            "Binds": ["/cache"] if number % 5 == 0 else [],
        },
        "Healthcheck": {"Test": ["FILE", "/etc/hosts"], "Interval": 50_000_000},
    }
    container = engine.running("sh", "-c", "echo begun; sleep 1000", **body)
    path = f"/containers/{container}"
    _, made = engine.api("POST", f"{path}/exec", {"Cmd": ["true"], "AttachStdout": True})
    connection, _ = engine.hijack(f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
    with connection:
        assert connection.recv(1) == b""
    for question in ("json", "logs?stdout=1", "stats?stream=0&one-shot=1", "top", "changes"):
        assert engine.api("GET", f"{path}/{question}")[0] == 200
    assert engine.api("POST", f"{path}/stop?t=0")[0] == 204
    # With --rm it may be gone, or going.
    assert engine.api("DELETE", f"{path}?v=1")[0] in (204, 404, 409)


class Soak:
    """Clients that live through one container after the other."""

    def __init__(self, engine: EngineServer) -> None:
        self._engine = engine
        self.lives = 0

    def run(self, seconds: float, clients: int = CLIENTS, least: int = 0) -> None:
        """For so long, and at least so many containers; then until the engine is rid of them."""
        end = time.monotonic() + seconds
        told = time.monotonic()
        with ThreadPoolExecutor(clients) as pool:
            while time.monotonic() < end or self.lives < least:
                numbers = range(self.lives, self.lives + clients)
                list(pool.map(lambda number: life(self._engine, number), numbers))
                self.lives += clients
                if time.monotonic() - told > TELL_EVERY_S:
                    told = time.monotonic()
                    self._tell(end - told)
        leaks = self._engine.leaks
        until(lambda: not leaks(), lambda: f"left: {leaks()}")

    def _tell(self, left_s: float) -> None:
        print(
            f"{self.lives} containers, {memory_kib(self._engine)} KiB, {left_s:.0f} s to go",
            file=sys.stderr,
        )


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_nothing_grows(engine_server: EngineServer) -> None:
    soak = Soak(engine_server)
    soak.run(SECONDS * WARM_UP, WARM_UP_CLIENTS, WARM_UP_LIVES)
    before, before_kib = at_rest(engine_server), memory_kib(engine_server)
    soak.run(SECONDS * (1 - WARM_UP))
    until_no_more(at_rest, engine_server, before)
    assert memory_kib(engine_server) <= before_kib * MEMORY_LIMIT, f"after {soak.lives} containers"
