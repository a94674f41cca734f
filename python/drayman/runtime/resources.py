"""Limits of a container: ``HostConfig`` turned into the OCI ``linux.resources``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from drayman.errors import InvalidParameter
from drayman.model.container import HostConfig, ThrottleDevice, Ulimit, WeightDevice
from drayman.model.go_json import MAX_INT64
from drayman.runtime.host import Host, Limits

DEFAULT_SHM_BYTES = 64 << 20
# The kernel's usual period, in microseconds; --cpus is a quota of it.
_PERIOD_US = 100_000
# The kernel's least quota.
_QUOTA_MIN_US = 1000
_SHARES = (2, 262_144)
# The names that ``--ulimit`` takes (setrlimit(2) without its prefix).
ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
    "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip
# OCI has no word for "unlimited": it is the highest number, RLIM_INFINITY.
_UNLIMITED = (1 << 64) - 1

# Settings by what a host must have for them.
_NEEDED = {
    "memory": ("memory", "memory_swap"),
    "swap": ("memory_swap",),
    "memory_reservation": ("memory_reservation",),
    "swappiness": ("memory_swappiness",),
    "oom_kill_disable": ("oom_kill_disable",),
    "pids": ("pids_limit",),
    "cpu_shares": ("cpu_shares",),
    "cpu_cfs": ("cpu_period", "cpu_quota"),
    "cpuset": ("cpuset_cpus", "cpuset_mems"),
    "blkio_weight": ("blkio_weight", "blkio_weight_device"),
    "blkio_throttle": (
        "blkio_device_read_bps",
        "blkio_device_write_bps",
        "blkio_device_read_iops",
        "blkio_device_write_iops",
    ),
}
_UNSET = HostConfig()


def defaults(host_config: HostConfig, host: Host) -> HostConfig:
    """What a client left out, filled in as Docker does when a container is created."""
    changes: dict[str, Any] = {}
    if host_config.cpu_shares > 0:
        changes["cpu_shares"] = min(max(host_config.cpu_shares, _SHARES[0]), _SHARES[1])
    if host_config.memory > 0 and host_config.memory_swap == 0:
        changes["memory_swap"] = min(host_config.memory * 2, MAX_INT64)
    if host_config.shm_size == 0:
        changes["shm_size"] = DEFAULT_SHM_BYTES
    if not host_config.ipc_mode:
        changes["ipc_mode"] = "private"
    if not host_config.cgroupns_mode:
        # On v1, programs expect to find their path below the host's mount points.
        changes["cgroupns_mode"] = "private" if host.cgroup.mode == "v2" else "host"
    if host_config.pids_limit is not None and host_config.pids_limit <= 0:
        changes["pids_limit"] = None
    if host_config.memory_swappiness == -1:
        changes["memory_swappiness"] = None
    if host_config.oom_kill_disable is None and host.limits.oom_kill_disable:
        changes["oom_kill_disable"] = False
    return msgspec.structs.replace(host_config, **changes)


def supported(host_config: HostConfig, limits: Limits) -> HostConfig:
    """Without what this host has no limits for, and what `drayman.runtime.validation` warns of as
    discarded: what the container is held to, and what inspection tells."""
    discarded = [
        field for need, fields in _NEEDED.items() if not getattr(limits, need) for field in fields
    ]
    return msgspec.structs.replace(
        host_config, **{field: getattr(_UNSET, field) for field in discarded}
    )


def compose(host_config: HostConfig, host: Host) -> dict[str, Any]:
    """The OCI ``linux.resources``, devices apart: what this host cannot do is left out.

    Raises InvalidParameter when a block device asked for is not there.
    """
    host_config = supported(host_config, host.limits)
    composed = {
        "memory": _memory(host_config),
        "cpu": _cpu(host_config, host.limits),
        "blockIO": _block_io(host_config),
    }
    resources = {name: part for name, part in composed.items() if part}
    if host_config.pids_limit is not None and host_config.pids_limit > 0:
        resources["pids"] = {"limit": host_config.pids_limit}
    return resources


def _memory(host_config: HostConfig) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    if host_config.memory > 0:
        memory["limit"] = host_config.memory
    if host_config.memory_reservation > 0:
        memory["reservation"] = host_config.memory_reservation
    if host_config.memory_swap != 0 and "limit" in memory:
        memory["swap"] = host_config.memory_swap
    if host_config.memory_swappiness is not None:
        memory["swappiness"] = host_config.memory_swappiness
    if host_config.oom_kill_disable:
        memory["disableOOMKiller"] = True
    return memory


def _cpu(host_config: HostConfig, limits: Limits) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host_config.cpu_shares > 0:
        cpu["shares"] = host_config.cpu_shares
    # Refused where it cannot be, and so never discarded; the host may be another one now.
    if host_config.nano_cpus > 0 and limits.cpu_cfs:
        cpu["period"] = _PERIOD_US
        quota_us = host_config.nano_cpus * _PERIOD_US // 1_000_000_000
        cpu["quota"] = max(quota_us, _QUOTA_MIN_US)
    if host_config.cpu_period != 0:
        cpu["period"] = host_config.cpu_period
    if host_config.cpu_quota != 0:
        cpu["quota"] = host_config.cpu_quota
    if limits.cpu_realtime:
        if host_config.cpu_realtime_period != 0:
            cpu["realtimePeriod"] = host_config.cpu_realtime_period
        if host_config.cpu_realtime_runtime != 0:
            cpu["realtimeRuntime"] = host_config.cpu_realtime_runtime
    if host_config.cpuset_cpus:
        cpu["cpus"] = host_config.cpuset_cpus
    if host_config.cpuset_mems:
        cpu["mems"] = host_config.cpuset_mems
    return cpu


def _block_io(host_config: HostConfig) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if host_config.blkio_weight > 0:
        block["weight"] = host_config.blkio_weight
    if host_config.blkio_weight_device:
        block["weightDevice"] = _weights(host_config.blkio_weight_device)
    for kind, devices in (
        ("ReadBps", host_config.blkio_device_read_bps),
        ("WriteBps", host_config.blkio_device_write_bps),
        ("ReadIOps", host_config.blkio_device_read_iops),
        ("WriteIOps", host_config.blkio_device_write_iops),
    ):
        if devices:
            # OCI writes IOPS where Docker writes IOps.
            name = f"throttle{kind.replace('IOps', 'IOPS')}Device"
            block[name] = _throttles(devices, f"BlkioDevice{kind}")
    return block


def _weights(devices: Sequence[WeightDevice]) -> list[dict[str, int]]:
    return [
        _number(device.path, "BlkioWeightDevice") | {"weight": device.weight} for device in devices
    ]


def _throttles(devices: Sequence[ThrottleDevice], field: str) -> list[dict[str, int]]:
    return [_number(device.path, field) | {"rate": device.rate} for device in devices]


def _number(path: str, field: str) -> dict[str, int]:
    try:
        rdev = os.stat(path).st_rdev
    except OSError as error:
        reason = str(error.strerror).lower()
        raise InvalidParameter(f"HostConfig.{field}: stat {path}: {reason}") from None
    return {"major": os.major(rdev), "minor": os.minor(rdev)}


def rlimits(ulimits: Sequence[Ulimit] | None, host: Host) -> list[dict[str, Any]]:
    """The OCI ``process.rlimits``; -1 is unlimited. Raises InvalidParameter.

    The engine opens more files than programs may that were made to count on 1,024 at most
    (``select(2)`` cannot do with more): they get what it was started with itself.
    """
    ulimits = list(ulimits or ())
    if host.open_files and not any(ulimit.name == "nofile" for ulimit in ulimits):
        soft, hard = host.open_files
        ulimits.append(Ulimit(name="nofile", soft=soft, hard=hard))
    composed: list[dict[str, Any]] = []
    for ulimit in ulimits:
        if ulimit.name not in ULIMITS:
            raise InvalidParameter(f"invalid ulimit type: {ulimit.name}")
        soft, hard = (_UNLIMITED if v < 0 else v for v in (ulimit.soft, ulimit.hard))
        if soft > hard:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: "
                f"{ulimit.soft} > {ulimit.hard}"
            )
        composed.append({"type": "RLIMIT_" + ulimit.name.upper(), "hard": hard, "soft": soft})
    return composed
