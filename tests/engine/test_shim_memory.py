"""What idle shims cost."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.engine.shims import Place, scene

SHIMS = 20
# Each, with twenty at once; the first alone maps the binary's pages for all.
PSS_KIB_MAX = 300


def pss_kib(pid: int) -> int:
    match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert match is not None
    return int(match[1])


@scene
async def test_twenty_idle_shims(place: Place) -> None:
    boxes = [place.box("sh", "-c", "yes | head -c 100000; sleep 1000") for _ in range(SHIMS)]
    pids = []
    for box in boxes:
        await box.spawn()
        pids.append((await box.shim.hello()).pid)
        client = await box.attach()
        await box.shim.start()
        await client.read()
        client.close()
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        # A shim gives its buffers back some time after the last event.
        mean = sum(map(pss_kib, pids)) / SHIMS
        if mean <= PSS_KIB_MAX or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.1)
    print(f"{mean:.0f} KiB a shim")
    assert mean <= PSS_KIB_MAX
    for box in boxes:
        await box.shim.signal(9)
        await box.shim.closed
