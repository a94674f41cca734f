"""What an engine holds that could be left behind."""

from __future__ import annotations

import os
from pathlib import Path

from tests.engine.engines import EngineServer


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
