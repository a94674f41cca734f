"""Limits of a running container, changed while it runs: all of a change, or nothing of it.

The executor applies them at a start; this writes the same files later, from the same OCI
``linux.resources``.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from drayman.errors import InvalidParameter
from drayman.runtime import block_limits
from drayman.runtime.block_limits import Setting
from drayman.runtime.cgroups import GONE, Ended, Layout, contents, write

# A file of the kernel's, and what is to stand in it.
Written = tuple[Path, str]

_DEFAULT_PERIOD_US = 100_000
# What clients call that which stands in a file.
FIELDS = {
    "memory.limit_in_bytes": "Memory",
    "memory.max": "Memory",
    "memory.memsw.limit_in_bytes": "MemorySwap",
    "memory.swap.max": "MemorySwap",
    "memory.soft_limit_in_bytes": "MemoryReservation",
    "memory.low": "MemoryReservation",
    "cpu.shares": "CpuShares",
    "cpu.weight": "CpuShares",
    "cpu.cfs_period_us": "CpuPeriod",
    "cpu.cfs_quota_us": "CpuQuota",
    "cpu.max": "CpuQuota",
    "cpu.rt_period_us": "CpuRealtimePeriod",
    "cpu.rt_runtime_us": "CpuRealtimeRuntime",
    "cpuset.cpus": "CpusetCpus",
    "cpuset.mems": "CpusetMems",
    "blkio.weight": "BlkioWeight",
    "blkio.bfq.weight": "BlkioWeight",
    "io.weight": "BlkioWeight",
    "io.bfq.weight": "BlkioWeight",
    "memory.swappiness": "MemorySwappiness",
    "memory.oom_control": "OomKillDisable",
    "blkio.weight_device": "BlkioWeightDevice",
    "blkio.bfq.weight_device": "BlkioWeightDevice",
    "blkio.throttle.read_bps_device": "BlkioDeviceReadBps",
    "blkio.throttle.write_bps_device": "BlkioDeviceWriteBps",
    "blkio.throttle.read_iops_device": "BlkioDeviceReadIOps",
    "blkio.throttle.write_iops_device": "BlkioDeviceWriteIOps",
    "io.max": "BlkioDevice",
    "devices.allow": "DeviceCgroupRules",
    "pids.max": "PidsLimit",
}


def update(
    layout: Layout, cgroup: str, before: dict[str, Any], after: dict[str, Any]
) -> list[Written]:
    """Hold a running container to what differs between two ``linux.resources``.

    Returns what stood there, for `put_back`. Raises InvalidParameter with the field and the
    kernel's reason when a value is refused, Ended when the cgroup is not there; nothing is
    changed then.
    """
    known, new = list(settings(layout, before)), list(settings(layout, after))
    changed = [setting for setting in new if setting not in known]
    wanted: list[Written] = []
    for controller, name, value in (*block_limits.lifted(known, new), *changed):
        directory = layout.directory(controller, cgroup)
        if directory is None:
            continue
        path = directory / name
        if name not in block_limits.OF_SCHEDULERS or path.exists():
            wanted.append((path, value))
    held: list[Written] = []
    try:
        _write_all(wanted, held)
    except OSError as error:
        put_back(held)
        path, reason = Path(str(error.filename)), str(error.strerror).lower()
        # A device that is none is gone by the same code.
        if error.errno in GONE and not path.parent.exists():
            raise Ended(f"{path}: {reason}") from error
        raise InvalidParameter(
            f"{FIELDS.get(path.name, path.name)}: failed to write {error.filename2} to"
            f" {path.name}: {reason}"
        ) from error
    return held


def put_back(held: Sequence[Written]) -> None:
    """Write what stood there before an update; a cgroup that is gone meanwhile needs nothing."""
    with contextlib.suppress(OSError):
        _write_all([*reversed(held)], [])


def _write_all(wanted: Sequence[Written], held: list[Written]) -> None:
    """Write each, adding to ``held`` what stood there.

    Raises OSError with the file and, as the second name, what it did not take.
    Some values bound one another: v1's memory is never above memory and swap together, a quota
    over its period never above the parent's. What is refused as invalid waits for the others.
    """
    while wanted:
        refused: list[Written] = []
        reason: OSError | None = None
        for path, value in wanted:
            try:
                before = _read(path, value)
                write(path, value)
                held.append((path, before))
            except OSError as error:
                error.filename, error.filename2 = str(path), value
                if error.errno != errno.EINVAL:
                    raise
                refused.append((path, value))
                reason = reason or error
        if reason is not None and len(refused) == len(wanted):
            raise reason
        wanted = refused


def settings(layout: Layout, resources: dict[str, Any]) -> Iterator[Setting]:
    """What to write where."""
    parts = (_v2 if layout.mode == "v2" else _v1)(resources)
    yield from parts
    limit = resources.get("pids", {}).get("limit", 0)
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
        ("cpu", cpu, "realtimePeriod", "cpu.rt_period_us"),
        ("cpu", cpu, "realtimeRuntime", "cpu.rt_runtime_us"),
        ("cpuset", cpu, "cpus", "cpuset.cpus"),
        ("cpuset", cpu, "mems", "cpuset.mems"),
    ):
        if key in part:
            yield controller, name, str(part[key])
    yield from block_limits.settings_v1(resources.get("blockIO", {}))


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
    yield from block_limits.settings_v2(resources.get("blockIO", {}))


def weight_of_shares(shares: int) -> int:
    """v2's ``cpu.weight`` (1 to 10000) of v1's shares (2 to 262144), as runc converts."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def _bytes(value: int) -> str:
    return "max" if value < 0 else str(value)


def _read(path: Path, value: str) -> str:
    """What stands in a file where ``value`` will, in the form that can be written to it."""
    text = contents(path)
    of_device = block_limits.standing(path.name, text, value)
    if of_device is not None:
        return of_device
    # Weights of devices follow the one of all others.
    lines = text.splitlines()
    # An empty list of processors is written as an empty line.
    return lines[0] if lines and lines[0] else "\n"
