"""Settings checked before anything is made, with Docker's texts: errors, and warnings for
what this host will leave out."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HostConfig
from drayman.runtime import capabilities, devices, resources, security, sysctls, tmpfs
from drayman.runtime.host import Host
from drayman.runtime.namespaces import joined_container

# Docker's own floor: below it a container hardly starts.
_MINIMUM_MEMORY_BYTES = 6 << 20
# sethostname(2).
_LONGEST_NAME_BYTES = 64
_NANO = 1_000_000_000
# PID_MAX_LIMIT of the kernel (linux/threads.h) on 64 bits.
_MOST_PROCESSES = 1 << 22
# Beyond any machine; a list naming more is refused before it is spelled out.
_HIGHEST_CPU = 1 << 16
_LISTED = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?")


def validate(host_config: HostConfig, host: Host, *, update: bool = False) -> list[str]:
    """Check a container's host configuration; the warnings to hand to the client.

    ``update`` is for changes to a container there is. Raises InvalidParameter.
    """
    warnings = [
        *_memory(host_config, host, update),
        *_cpu(host_config, host),
        *_block_io(host_config, host),
        *_ulimits(host_config, host),
    ]
    _modes(host_config)
    if host_config.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if not -1000 <= host_config.oom_score_adj <= 1000:
        raise InvalidParameter(
            f"Invalid value {host_config.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if host_config.oom_score_adj < host.lowest_oom_score:
        warnings.append(
            "The engine lacks CAP_SYS_RESOURCE and may not lower the OOM score below"
            f" {host.lowest_oom_score}. Limited to that."
        )
    if host_config.network_mode == "host" and host_config.port_bindings:
        warnings.append("Published ports are discarded when using host network mode")
    for destination, words in (host_config.tmpfs or {}).items():
        tmpfs.validate_destination(destination)
        tmpfs.merge(words)
    capabilities.choose(host_config.cap_add, host_config.cap_drop, host.capabilities)
    security.parse(host_config.security_opt)
    devices.check(host_config)
    sysctls.check(host_config)
    return warnings


def validate_config(config: ContainerConfig) -> None:
    """Check the part that does not depend on the host. Raises InvalidParameter."""
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, "
            "it needs to be an absolute path"
        )
    if len(config.hostname.encode()) > _LONGEST_NAME_BYTES:
        raise InvalidParameter(
            f"Hostname: {config.hostname!r} has more than {_LONGEST_NAME_BYTES} bytes"
        )
    for entry in config.env or ():
        if not entry or entry.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {entry}")


def _memory(host_config: HostConfig, host: Host, update: bool) -> Iterator[str]:
    limits = host.limits
    memory, swap = host_config.memory, host_config.memory_swap
    if swap < -1:
        raise InvalidParameter(
            f"HostConfig.MemorySwap: {swap} is neither a number of bytes nor -1 for no limit"
        )
    reservation = host_config.memory_reservation
    if memory != 0 and memory < _MINIMUM_MEMORY_BYTES:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if memory > 0 and not limits.memory:
        yield _unsupported("memory limit capabilities", "Limitation discarded.")
        memory, swap = 0, -1
    if memory > 0 and swap != -1 and not limits.swap:
        yield _unsupported("swap limit capabilities", "Memory limited without swap.")
        swap = -1
    if memory > 0 and 0 < swap < memory:
        raise InvalidParameter(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if memory == 0 and swap > 0 and not update:
        raise InvalidParameter(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    swappiness = host_config.memory_swappiness
    if swappiness is not None and swappiness != -1:
        if not limits.swappiness:
            yield _unsupported("memory swappiness capabilities", "Memory swappiness discarded.")
        elif not 0 <= swappiness <= 100:
            raise InvalidParameter(
                f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
            )
    if reservation > 0 and not limits.memory_reservation:
        yield _unsupported("memory soft limit capabilities", "Limitation discarded.")
        reservation = 0
    if 0 < reservation < _MINIMUM_MEMORY_BYTES:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < memory < reservation:
        raise InvalidParameter(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    if host_config.oom_kill_disable and not limits.oom_kill_disable:
        yield "Your kernel does not support OomKillDisable. OomKillDisable discarded."
    elif host_config.oom_kill_disable and memory == 0:
        yield (
            "OOM killer is disabled for the container, but no memory limit is set, this can "
            "result in the system running out of resources."
        )
    if (host_config.pids_limit or 0) > 0 and not limits.pids:
        yield _unsupported("PIDs limit capabilities", "PIDs limit discarded.")
    elif (host_config.pids_limit or 0) > _MOST_PROCESSES:
        raise InvalidParameter(
            f"HostConfig.PidsLimit: {host_config.pids_limit} is above the kernel's own limit of"
            f" {_MOST_PROCESSES}"
        )


def _cpu(host_config: HostConfig, host: Host) -> Iterator[str]:
    limits = host.limits
    nano, period, quota = host_config.nano_cpus, host_config.cpu_period, host_config.cpu_quota
    if nano > 0 and period > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if nano > 0 and quota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if nano > 0 and not limits.cpu_cfs:
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the "
            "cgroup is not mounted"
        )
    if nano < 0 or nano > host.cpus * _NANO:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {host.cpus}.00, as there are only {host.cpus} "
            "CPUs available"
        )
    if host_config.cpu_shares < 0:
        raise InvalidParameter("shares: invalid argument")
    if host_config.cpu_shares > 0 and not limits.cpu_shares:
        yield (
            "Your kernel does not support CPU shares or the cgroup is not mounted. "
            "Shares discarded."
        )
    if (period != 0 or quota != 0) and not limits.cpu_cfs:
        yield "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded."
        period = quota = 0
    if period != 0 and not 1000 <= period <= 1_000_000:
        raise InvalidParameter(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    for field, value in (
        ("CpuRealtimePeriod", host_config.cpu_realtime_period),
        ("CpuRealtimeRuntime", host_config.cpu_realtime_runtime),
    ):
        if value < 0:
            raise InvalidParameter(f"HostConfig.{field}: {value} is below 0")
    if 0 < quota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if host_config.cpu_percent > 0:
        yield "linux does not support CPU percent. Percent discarded."
    if (host_config.cpuset_cpus or host_config.cpuset_mems) and not limits.cpuset:
        yield "Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded."
        return
    _available(host_config.cpuset_cpus, host.cpu_list, "CPUs", "cpus")
    _available(host_config.cpuset_mems, host.memory_nodes, "memory nodes", "mems")


def _available(wanted: str, available: str, what: str, short: str) -> None:
    try:
        missing = parse_list(wanted) - parse_list(available)
    except ValueError as error:
        raise InvalidParameter(f"Invalid value {wanted} for cpuset {short}: {error}") from None
    if missing:
        raise InvalidParameter(
            f"Requested {what} are not available - requested {wanted}, available: {available}"
        )


def parse_list(text: str) -> set[int]:
    """The numbers of a list such as ``0-3,8``. Raises ValueError."""
    numbers: set[int] = set()
    for part in text.split(",") if text else ():
        if not _LISTED.fullmatch(part):
            raise ValueError(f"invalid format: {text}")
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high < low:
            raise ValueError(f"invalid format: {text}")
        if high > _HIGHEST_CPU:
            raise ValueError(f"value out of range: {high}")
        numbers.update(range(low, high + 1))
    return numbers


def _block_io(host_config: HostConfig, host: Host) -> Iterator[str]:
    limits = host.limits
    if host_config.blkio_weight > 0 and not limits.blkio_weight:
        yield _unsupported("Block I/O weight", "Weight discarded.")
    elif host_config.blkio_weight != 0 and not 10 <= host_config.blkio_weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if host_config.io_maximum_bandwidth != 0 or host_config.io_maximum_iops != 0:
        raise InvalidParameter(
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps"
        )
    if host_config.blkio_weight_device and not limits.blkio_weight:
        yield _unsupported("Block I/O weight_device", "Weight-device discarded.")
    if limits.blkio_throttle:
        return
    for devices_asked, unit, way in (
        (host_config.blkio_device_read_bps, "BPS", "read"),
        (host_config.blkio_device_write_bps, "BPS", "write"),
        (host_config.blkio_device_read_iops, "IOPS", "read"),
        (host_config.blkio_device_write_iops, "IOPS", "write"),
    ):
        if devices_asked:
            word = f"{unit} Block I/O {way} limit" if unit == "BPS" else f"IOPS Block {way} limit"
            yield _unsupported(word, f"Block I/O {unit} {way} limit discarded.")


def _ulimits(host_config: HostConfig, host: Host) -> Iterator[str]:
    for limit in resources.rlimits(host_config.ulimits, host):
        name = limit["type"].removeprefix("RLIMIT_").lower()
        highest = host.hard_limits.get(name)
        if highest is not None and limit["hard"] > highest:
            yield (
                f"The engine lacks CAP_SYS_RESOURCE and may not raise ulimit {name} above "
                f"{highest}. Limited to that."
            )


def _unsupported(what: str, then: str) -> str:
    return f"Your kernel does not support {what} or the cgroup is not mounted. {then}"


def _modes(host_config: HostConfig) -> None:
    for kind, mode, words in (
        ("IPC mode", host_config.ipc_mode, ("", "none", "private", "shareable", "host")),
        ("PID mode", host_config.pid_mode, ("", "host")),
        ("UTS mode", host_config.uts_mode, ("", "host")),
        ("cgroup namespace mode", host_config.cgroupns_mode, ("", "private", "host")),
        ("user namespace mode", host_config.userns_mode, ("", "host")),
    ):
        joins = kind in ("IPC mode", "PID mode") and joined_container(mode)
        if mode not in words and not joins:
            raise InvalidParameter(f"invalid {kind}: {mode}")
    if joined_container(host_config.network_mode) == "":
        raise InvalidParameter("invalid network mode: invalid container format container:<name|id>")
    parent = host_config.cgroup_parent
    if parent and posixpath.normpath("/" + parent) in ("/", "//"):
        raise InvalidParameter(f"invalid cgroup parent: {parent}")
