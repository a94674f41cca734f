"""Limits of a running container, changed while it runs.

The executor applies them at a start; this writes the same files later, from the same OCI
``linux.resources``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any

from drayman.errors import System
from drayman.runtime.cgroups import Layout

# (controller, file, value)
Setting = tuple[str, str, str]

_DEFAULT_PERIOD_US = 100_000


def update(layout: Layout, cgroup: str, resources: dict[str, Any]) -> None:
    """Hold a running container to new limits; parts that are absent stay as they are.

    Raises System naming the file that refused; what was written before it stays.
    """
    for controller, name, value in settings(layout, resources):
        directory = layout.directory(controller, cgroup)
        if directory is None:
            continue
        try:
            _write(str(directory / name), value)
        except OSError as error:
            if _grows_later(layout, name, error):
                _memory_swap_first(layout, cgroup, resources["memory"])
                continue
            raise System(f"failed to write {value} to {name}: {error.strerror}") from error


def settings(layout: Layout, resources: dict[str, Any]) -> Iterator[Setting]:
    """What to write where."""
    parts = (_v2 if layout.mode == "v2" else _v1)(resources)
    yield from parts
    limit = resources.get("pids", {}).get("limit")
    if limit is not None:
        yield "pids", "pids.max", str(limit) if limit > 0 else "max"


def _v1(resources: dict[str, Any]) -> Iterator[Setting]:
    memory, cpu = resources.get("memory", {}), resources.get("cpu", {})
    for controller, part, key, name in (
        ("memory", memory, "limit", "memory.limit_in_bytes"),
        ("memory", memory, "swap", "memory.memsw.limit_in_bytes"),
        ("memory", memory, "reservation", "memory.soft_limit_in_bytes"),
        ("memory", memory, "swappiness", "memory.swappiness"),
        ("cpu", cpu, "shares", "cpu.shares"),
        ("cpu", cpu, "period", "cpu.cfs_period_us"),
        ("cpu", cpu, "quota", "cpu.cfs_quota_us"),
        ("cpuset", cpu, "cpus", "cpuset.cpus"),
        ("cpuset", cpu, "mems", "cpuset.mems"),
    ):
        if key in part:
            yield controller, name, str(part[key])
    block = resources.get("blockIO", {})
    if "weight" in block:
        yield "blkio", "blkio.bfq.weight", str(block["weight"])
    for key, name in (
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
    ):
        for device in block.get(key, ()):
            yield "blkio", name, f"{device['major']}:{device['minor']} {device['rate']}"


def _v2(resources: dict[str, Any]) -> Iterator[Setting]:
    memory, cpu = resources.get("memory", {}), resources.get("cpu", {})
    limit, swap = memory.get("limit"), memory.get("swap")
    if limit is not None:
        yield "memory", "memory.max", _bytes(limit)
    if swap is not None:
        # OCI counts memory and swap together, v2 swap alone.
        alone = -1 if swap < 0 or limit is None else max(swap - limit, 0)
        yield "memory", "memory.swap.max", _bytes(alone)
    if "reservation" in memory:
        yield "memory", "memory.low", _bytes(memory["reservation"])
    if "shares" in cpu:
        yield "cpu", "cpu.weight", str(weight_of_shares(cpu["shares"]))
    if "quota" in cpu or "period" in cpu:
        quota, period = cpu.get("quota", -1), cpu.get("period", _DEFAULT_PERIOD_US)
        yield "cpu", "cpu.max", f"{quota if quota > 0 else 'max'} {period}"
    for key in ("cpus", "mems"):
        if key in cpu:
            yield "cpuset", f"cpuset.{key}", cpu[key]
    block = resources.get("blockIO", {})
    if "weight" in block:
        # io.weight goes from 1 to 10000, Docker's weight from 10 to 1000.
        yield "io", "io.weight", str(1 + (block["weight"] - 10) * 9999 // 990)
    for key, word in (
        ("throttleReadBpsDevice", "rbps"),
        ("throttleWriteBpsDevice", "wbps"),
        ("throttleReadIOPSDevice", "riops"),
        ("throttleWriteIOPSDevice", "wiops"),
    ):
        for device in block.get(key, ()):
            yield "io", "io.max", f"{device['major']}:{device['minor']} {word}={device['rate']}"


def weight_of_shares(shares: int) -> int:
    """v2's ``cpu.weight`` (1 to 10000) of v1's shares (2 to 262144), as runc converts."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def _bytes(value: int) -> str:
    return "max" if value < 0 else str(value)


def _grows_later(layout: Layout, name: str, error: OSError) -> bool:
    """On v1 memory cannot be above memory and swap together, which is written after it."""
    return layout.mode != "v2" and name == "memory.limit_in_bytes" and error.errno == errno.EINVAL


def _memory_swap_first(layout: Layout, cgroup: str, memory: dict[str, Any]) -> None:
    directory = layout.directory("memory", cgroup)
    try:
        for key, name in (
            ("swap", "memory.memsw.limit_in_bytes"),
            ("limit", "memory.limit_in_bytes"),
        ):
            if key in memory:
                _write(f"{directory}/{name}", str(memory[key]))
    except OSError as error:
        raise System(f"failed to write memory limits: {error.strerror}") from error


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
