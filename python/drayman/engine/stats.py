"""``GET /containers/{id}/stats``: samples of what a container uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.spans import rfc3339
from drayman.runtime import usage

INTERVAL_S = 1.0
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


class Stats:
    """Samples of containers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def samples(
        self, name: str, *, stream: bool, one_shot: bool
    ) -> AsyncIterator[dict[str, Any]]:
        """One a second until the container is removed; without ``stream`` just one, which
        waits for a predecessor unless it is ``one_shot``."""
        entry = self._context.containers.find(name)
        before: dict[str, Any] = {}
        if not stream and not one_shot and entry.state.running:
            before = await self._sample(entry)
            await asyncio.sleep(INTERVAL_S)
        while self._context.containers.get(entry.id) is entry:
            sample = await self._sample(entry)
            if "cpu_stats" in sample:
                sample["preread"] = before.get("read", rfc3339(0))
                sample["precpu_stats"] = before.get("cpu_stats", _NO_CPU)
            yield sample
            if not stream:
                return
            before = sample
            await asyncio.sleep(INTERVAL_S)

    async def _sample(self, entry: Entry) -> dict[str, Any]:
        record = entry.record
        skeleton = {"id": record.id, "name": f"/{record.name}", "os_type": "linux"}
        pid = record.state.pid
        if not pid:
            return skeleton
        cgroup = self._context.cgroup_path(record)
        return skeleton | await blocking(self._read, cgroup, pid, bool(record.endpoints))

    def _read(self, cgroup: str, pid: int, networked: bool) -> dict[str, Any]:
        host = self._context.host
        used = usage.read(host.cgroup, cgroup)
        system_ns, processors = _system_cpu()
        document: dict[str, Any] = {
            "read": rfc3339(time.time_ns()),
            "num_procs": 0,
            "pids_stats": {"current": used.pids}
            | ({"limit": used.pids_limit} if used.pids_limit is not None else {}),
            "cpu_stats": _cpu(used, system_ns, processors),
            "memory_stats": _memory(used, host.memory_bytes, v2=host.cgroup.mode == "v2"),
            "blkio_stats": _block(used),
            "storage_stats": {},
        }
        networks = _networks(pid) if networked else {}
        if networks:
            document["networks"] = networks
        return document


_NO_CPU: dict[str, Any] = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}


def _cpu(used: usage.Usage, system_ns: int, processors: int) -> dict[str, Any]:
    times: dict[str, Any] = {
        "total_usage": used.cpu_ns,
        "usage_in_kernelmode": used.cpu_kernel_ns,
        "usage_in_usermode": used.cpu_user_ns,
    }
    if used.cpu_per_cpu_ns:
        times["percpu_usage"] = list(used.cpu_per_cpu_ns)
    return {
        "cpu_usage": times,
        "system_cpu_usage": system_ns,
        "online_cpus": processors,
        "throttling_data": {
            "periods": used.throttle_periods,
            "throttled_periods": used.throttled_periods,
            "throttled_time": used.throttled_ns,
        },
    }


def _memory(used: usage.Usage, host_bytes: int, *, v2: bool) -> dict[str, Any]:
    limit = used.memory_limit_bytes
    memory: dict[str, Any] = {
        "usage": used.memory_bytes,
        "limit": host_bytes if limit is None else min(limit, host_bytes),
        "stats": used.memory_stat,
        "failcnt": used.memory_failures,
    }
    if not v2:
        memory["max_usage"] = used.memory_max_bytes
    return memory


def _block(used: usage.Usage) -> dict[str, Any]:
    return {
        "io_service_bytes_recursive": [
            {"major": major, "minor": minor, "op": way, "value": value}
            for major, minor, way, value in used.block_bytes
        ]
        or None,
        "io_serviced_recursive": None,
        "io_queue_recursive": None,
        "io_service_time_recursive": None,
        "io_wait_time_recursive": None,
        "io_merged_recursive": None,
        "io_time_recursive": None,
        "sectors_recursive": None,
    }


def _system_cpu() -> tuple[int, int]:
    """The host's whole processor time in nanoseconds, and how many processors are on."""
    lines = Path("/proc/stat").read_text().splitlines()
    ticks = sum(map(int, lines[0].split()[1 : 1 + _CPU_FIELDS]))
    processors = sum(line.startswith("cpu") and line[3:4].isdigit() for line in lines)
    return ticks * _NS_PER_TICK, processors


def _networks(pid: int) -> dict[str, Any]:
    """Counters of the interfaces that a process sees, loopback left out."""
    try:
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    found: dict[str, Any] = {}
    for line in lines:
        name, _, counters = line.partition(":")
        values = counters.split()
        if name.strip() != "lo":
            found[name.strip()] = {
                key: int(values[field]) for key, field in _NETWORK_FIELDS.items()
            }
    return found
