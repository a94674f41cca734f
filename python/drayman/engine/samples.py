"""A sample of what a container uses, as Docker's stats document has it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from drayman.model.container import Container
from drayman.model.go_time import rfc3339
from drayman.runtime import usage
from drayman.runtime.host import Host

Sample = dict[str, Any]

_NS_PER_TICK = 10_000_000
# user, nice, system, idle, iowait, irq and softirq of /proc/stat, as Docker adds them.
_CPU_FIELDS = 7
_NETWORK_FIELDS = {
    "rx_bytes": 0,
    "rx_packets": 1,
    "rx_errors": 2,
    "rx_dropped": 3,
    "tx_bytes": 8,
    "tx_packets": 9,
    "tx_errors": 10,
    "tx_dropped": 11,
}
_NO_CPU: Sample = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}
_BLOCK_LISTS = (
    "io_service_bytes_recursive",
    "io_serviced_recursive",
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


class Moment:
    """Now, and what the whole host has used by now: the same for every sample taken at once."""

    def __init__(self) -> None:
        lines = Path("/proc/stat").read_text().splitlines()
        self.read = rfc3339(time.time_ns())
        self.system_ns = _NS_PER_TICK * sum(map(int, lines[0].split()[1 : 1 + _CPU_FIELDS]))
        self.processors = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)


def taken(record: Container, host: Host, cgroup: str, *, networked: bool, at: Moment) -> Sample:
    """The counters of a running container; blocks. One that has just ended gives zeros."""
    used = usage.read(host.cgroup, cgroup)
    if used == usage.Usage():
        return zero(record)
    v2 = host.cgroup.mode == "v2"
    networks = _networks(record.state.pid) if networked else {}
    return {
        **zero(record),
        "read": at.read,
        "pids_stats": _pids(used),
        "cpu_stats": _cpu(used, at),
        "memory_stats": _memory(used, host.memory_bytes, v2=v2),
        "blkio_stats": _block(used, v2=v2),
        **({"networks": networks} if networks else {}),
    }


def zero(record: Container) -> Sample:
    """The sample of a container that does not run."""
    return {
        "id": record.id,
        "name": f"/{record.name}",
        "os_type": "linux",
        "read": rfc3339(0),
        "num_procs": 0,
        "pids_stats": {},
        "cpu_stats": _NO_CPU,
        "memory_stats": {},
        "blkio_stats": dict.fromkeys(_BLOCK_LISTS),
        "storage_stats": {},
        **after(None),
    }


def after(before: Sample | None) -> Sample:
    """The part of a sample that tells of the one ``before`` it."""
    if before is None:
        return {"preread": rfc3339(0), "precpu_stats": _NO_CPU}
    return {"preread": before["read"], "precpu_stats": before["cpu_stats"]}


def _pids(used: usage.Usage) -> Sample:
    limit = {} if used.pids_limit is None else {"limit": used.pids_limit}
    return {"current": used.pids, **limit}


def _cpu(used: usage.Usage, at: Moment) -> Sample:
    times: Sample = {
        "total_usage": used.cpu_ns,
        "usage_in_kernelmode": used.cpu_kernel_ns,
        "usage_in_usermode": used.cpu_user_ns,
    }
    if used.cpu_per_cpu_ns:
        times["percpu_usage"] = list(used.cpu_per_cpu_ns)
    return {
        "cpu_usage": times,
        "system_cpu_usage": at.system_ns,
        "online_cpus": at.processors,
        "throttling_data": {
            "periods": used.throttle_periods,
            "throttled_periods": used.throttled_periods,
            "throttled_time": used.throttled_ns,
        },
    }


def _memory(used: usage.Usage, host_bytes: int, *, v2: bool) -> Sample:
    limit = used.memory_limit_bytes
    memory: Sample = {
        "usage": used.memory_bytes,
        "limit": host_bytes if limit is None else min(limit, host_bytes),
        "stats": used.memory_stat,
        "failcnt": used.memory_failures,
    }
    if not v2:
        memory["max_usage"] = used.memory_max_bytes
    return memory


def _block(used: usage.Usage, *, v2: bool) -> Sample:
    # Where nothing is counted v1 has empty lists and v2 has nulls (moby's stats_unix.go).
    lists: Sample = {name: None if v2 else [] for name in _BLOCK_LISTS}
    for name, rows in (
        ("io_service_bytes_recursive", used.block_bytes),
        ("io_serviced_recursive", used.block_operations),
    ):
        if rows:
            lists[name] = [
                {"major": major, "minor": minor, "op": way, "value": value}
                for major, minor, way, value in rows
            ]
    return lists


def _networks(pid: int) -> Sample:
    """Counters of the interfaces that a process sees, loopback left out."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    found: Sample = {}
    for line in lines:
        name, _, counters = line.partition(":")
        values = counters.split()
        if name.strip() != "lo":
            found[name.strip()] = {
                key: int(values[field]) for key, field in _NETWORK_FIELDS.items()
            }
    return found
