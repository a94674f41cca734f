"""What a container uses, read from its cgroups: the raw numbers behind ``stats``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drayman.runtime.cgroups import Layout, contents, keyed

# v1 prints "no limit" as the highest multiple of a page.
_UNLIMITED_FROM = 1 << 60
_NS_PER_US = 1000

BlockRow = tuple[int, int, str, int]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """One reading. Limits are None where there is none; times in nanoseconds."""

    memory_bytes: int = 0
    memory_max_bytes: int = 0
    memory_limit_bytes: int | None = None
    memory_failures: int = 0
    # memory.stat, in the kernel's own names.
    memory_stat: dict[str, int] = {}
    cpu_ns: int = 0
    cpu_user_ns: int = 0
    cpu_kernel_ns: int = 0
    cpu_per_cpu_ns: tuple[int, ...] = ()
    throttle_periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0
    pids: int = 0
    pids_limit: int | None = None
    # (major, minor, the kernel's word for the way, bytes): v1 also has Sync, Async and Total.
    block_bytes: tuple[BlockRow, ...] = ()
    # As `block_bytes`, in operations; v1 alone.
    block_operations: tuple[BlockRow, ...] = ()


def read(layout: Layout, cgroup: str) -> Usage:
    """Read a container's counters; what this host does not count, or no more, is 0."""
    return _read_v2(layout, cgroup) if layout.mode == "v2" else _read_v1(layout, cgroup)


def _read_v1(layout: Layout, cgroup: str) -> Usage:
    def directory(controller: str) -> Path:
        return layout.directory(controller, cgroup) or Path("/nonexistent")

    memory, cpuacct, pids = directory("memory"), directory("cpuacct"), directory("pids")
    throttling = keyed(f"{directory('cpu')}/cpu.stat")
    limit = _number(f"{memory}/memory.limit_in_bytes")
    user, kernel = _split_v1(cpuacct)
    return Usage(
        memory_bytes=_number(f"{memory}/memory.usage_in_bytes") or 0,
        memory_max_bytes=_number(f"{memory}/memory.max_usage_in_bytes") or 0,
        memory_limit_bytes=None if limit is None or limit >= _UNLIMITED_FROM else limit,
        memory_failures=_number(f"{memory}/memory.failcnt") or 0,
        memory_stat=dict(keyed(f"{memory}/memory.stat")),
        cpu_ns=_number(f"{cpuacct}/cpuacct.usage") or 0,
        cpu_user_ns=user,
        cpu_kernel_ns=kernel,
        cpu_per_cpu_ns=tuple(map(int, _text(f"{cpuacct}/cpuacct.usage_percpu").split())),
        throttle_periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_ns=throttling.get("throttled_time", 0),
        pids=_number(f"{pids}/pids.current") or 0,
        pids_limit=_number(f"{pids}/pids.max"),
        block_bytes=_block_v1(directory("blkio"), "io_service_bytes"),
        block_operations=_block_v1(directory("blkio"), "io_serviced"),
    )


def _split_v1(cpuacct: Path) -> tuple[int, int]:
    """User and kernel time; the finer files are newer than cpuacct.stat's ticks."""
    return (
        _number(f"{cpuacct}/cpuacct.usage_user") or 0,
        _number(f"{cpuacct}/cpuacct.usage_sys") or 0,
    )


def _block_v1(blkio: Path, counter: str) -> tuple[BlockRow, ...]:
    """What the first scheduler counts that counts at all, as containerd looks for it."""
    for scheduler in ("bfq", "throttle"):
        rows = _rows_v1(_text(f"{blkio}/blkio.{scheduler}.{counter}_recursive"))
        if rows:
            return rows
    return ()


def _rows_v1(text: str) -> tuple[BlockRow, ...]:
    found: list[BlockRow] = []
    for line in text.splitlines():
        # The sum over all devices has no device.
        device, *rest = line.split() or [""]
        major, separator, minor = device.partition(":")
        if separator and len(rest) == 2:
            found.append((int(major), int(minor), rest[0], int(rest[1])))
    return tuple(found)


def _read_v2(layout: Layout, cgroup: str) -> Usage:
    directory = layout.directory("", cgroup) or Path("/nonexistent")
    cpu = keyed(f"{directory}/cpu.stat")
    return Usage(
        memory_bytes=_number(f"{directory}/memory.current") or 0,
        memory_max_bytes=_number(f"{directory}/memory.peak") or 0,
        memory_limit_bytes=_number(f"{directory}/memory.max"),
        memory_failures=keyed(f"{directory}/memory.events").get("oom", 0),
        memory_stat=dict(keyed(f"{directory}/memory.stat")),
        cpu_ns=cpu.get("usage_usec", 0) * _NS_PER_US,
        cpu_user_ns=cpu.get("user_usec", 0) * _NS_PER_US,
        cpu_kernel_ns=cpu.get("system_usec", 0) * _NS_PER_US,
        throttle_periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * _NS_PER_US,
        pids=_number(f"{directory}/pids.current") or 0,
        pids_limit=_number(f"{directory}/pids.max"),
        block_bytes=_block_v2(_text(f"{directory}/io.stat")),
    )


def _block_v2(text: str) -> tuple[BlockRow, ...]:
    found: list[BlockRow] = []
    for line in text.splitlines():
        device, *pairs = line.split() or [""]
        major, separator, minor = device.partition(":")
        values = dict(pair.partition("=")[::2] for pair in pairs)
        for word, key in (("read", "rbytes"), ("write", "wbytes")):
            if separator and values.get(key, "").isdecimal():
                found.append((int(major), int(minor), word, int(values[key])))
    return tuple(found)


def _number(file: str) -> int | None:
    """A file with one number; None for ``max`` and for a file that is not there."""
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None


def _text(file: str) -> str:
    try:
        return contents(file)
    except OSError:
        return ""
