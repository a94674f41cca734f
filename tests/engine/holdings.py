"""What an engine holds that could be left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engine.engines import EngineServer, until


def connections(engine: EngineServer) -> int:
    """How many clients are connected (unix(7) shows no more than "03" for that)."""
    connected = ["03", str(engine.socket_path)]
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.split()[5::2] == connected for line in lines)


def held(engine: EngineServer) -> dict[str, int]:
    """How much there is of each. Mounts that are attached nowhere live by a descriptor."""
    places = ("root/tmp", "root/containers", "root/layers", "root/volumes", "run/c")
    counts = {place: len(os.listdir(engine.place / place)) for place in places}
    return {**counts, "descriptors": len(os.listdir(f"/proc/{engine.process.pid}/fd"))}


def at_rest(engine: EngineServer) -> dict[str, int]:
    """What must be no more, once the engine has heard that its clients left."""
    until(lambda: connections(engine) == 0)
    process = Path(f"/proc/{engine.process.pid}")
    threads = list((process / "task").iterdir())
    mounts = (process / "mountinfo").read_text().splitlines()
    return {
        **held(engine),
        "threads": len(threads),
        "mount namespaces": len({os.readlink(thread / "ns/mnt") for thread in threads}),
        "mounts": sum(str(engine.place) in mount for mount in mounts),
        "children": len((process / "task" / process.name / "children").read_text().split()),
    }


def until_no_more(
    count: Callable[[EngineServer], dict[str, int]], engine: EngineServer, before: dict[str, int]
) -> None:
    """Wait until there is no more of anything that is counted than before."""

    def no_more() -> bool:
        now = count(engine)
        return all(now[what] <= before[what] for what in before)

    until(no_more, lambda: f"{before} became {count(engine)}")


def memory_kib(engine: EngineServer) -> int:
    """What the engine itself has made, which no other process can share or take away."""
    rollup = Path(f"/proc/{engine.process.pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if "Anonymous:" in line)


@contextmanager
def nothing_left(engine: EngineServer) -> Iterator[None]:
    """Whatever is done meanwhile: afterwards the engine answers, holds no more than before, and
    has not erred."""
    until(lambda: connections(engine) == 0)
    before = held(engine)
    yield
    assert engine.api("GET", "/_ping") == (200, "OK")
    until_no_more(held, engine, before)
    assert "Traceback" not in engine.log.read_text()
