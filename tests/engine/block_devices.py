"""A block device of this host."""

from __future__ import annotations

import os
from pathlib import Path


def block_device(place: Path) -> tuple[str, str]:
    """The path of one and its number; where /dev lacks it, it is made in that directory."""
    names = sorted(os.listdir("/sys/block"))
    assert names, "a block device is needed"
    device, number = Path("/dev", names[0]), Path(f"/sys/block/{names[0]}/dev").read_text().strip()
    if not device.exists():
        device = place / "block"
        if not device.exists():
            os.mknod(device, 0o60600, os.makedev(*map(int, number.split(":"))))
    return str(device), number
