"""Limits of block devices: files with a line for each device, unlike all others of a cgroup."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

# (controller, file, value)
Setting = tuple[str, str, str]

# The OCI list, the file of cgroup v1, the word in v2's ``io.max``.
_THROTTLES = (
    ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
    ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
    ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
    ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
)
# "8:0 7", or v2's "8:0 rbps=7"; what comes before the number says what is limited.
_OF_DEVICE = re.compile(r"(\d+:\d+) (?:\w+=)?(?=\w+$)", re.ASCII)
# Each is there where the kernel has that scheduler.
OF_SCHEDULERS = (
    *("blkio.weight", "blkio.weight_device", "blkio.bfq.weight", "blkio.bfq.weight_device"),
    *("io.weight", "io.bfq.weight"),
)


def settings_v1(block: dict[str, Any]) -> Iterator[Setting]:
    """What to write where of an OCI ``blockIO``."""
    for scheduler in ("blkio", "blkio.bfq"):
        if "weight" in block:
            yield "blkio", f"{scheduler}.weight", str(block["weight"])
        for device in block.get("weightDevice", ()):
            yield "blkio", f"{scheduler}.weight_device", f"{_number(device)} {device['weight']}"
    for key, name, _ in _THROTTLES:
        for device in block.get(key, ()):
            yield "blkio", name, f"{_number(device)} {device['rate']}"


def settings_v2(block: dict[str, Any]) -> Iterator[Setting]:
    """The same for cgroup v2."""
    if "weight" in block:
        # io.weight goes from 1 to 10000, Docker's weight from 10 to 1000.
        yield "io", "io.weight", f"default {1 + (block['weight'] - 10) * 9999 // 990}"
        yield "io", "io.bfq.weight", str(block["weight"])
    for device in block.get("weightDevice", ()):
        yield "io", "io.bfq.weight", f"{_number(device)} {device['weight']}"
    for key, _, word in _THROTTLES:
        for device in block.get(key, ()):
            yield "io", "io.max", f"{_number(device)} {word}={device['rate']}"


def lifted(before: Collection[Setting], after: Collection[Setting]) -> Iterator[Setting]:
    """What lifts the limits of devices that are limited no more."""
    kept = {(name, match[0]) for _, name, value in after if (match := _OF_DEVICE.match(value))}
    for controller, name, value in before:
        match = _OF_DEVICE.match(value)
        if match is not None and (name, match[0]) not in kept:
            yield controller, name, _no_limit(name, match[0])


def standing(name: str, text: str, value: str) -> str | None:
    """What to write into a file of that name to have again what its text says of the device
    that ``value`` is about; None where it is about no device."""
    match = _OF_DEVICE.match(value)
    if match is None:
        return None
    lines = (line for line in text.splitlines() if line.startswith(f"{match[1]} "))
    return next(lines, None) or _no_limit(name, match[0])


def _number(device: dict[str, int]) -> str:
    return f"{device['major']}:{device['minor']}"


def _no_limit(name: str, limited: str) -> str:
    if name == "io.max":
        return f"{limited}max"
    return f"{limited}{'default' if 'weight' in name else 0}"
