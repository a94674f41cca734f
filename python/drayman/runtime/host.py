"""What this host is and offers, read once when the engine starts."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

import msgspec

from drayman.runtime import cgroups
from drayman.runtime.capabilities import KNOWN, from_mask

# Docker's names (Go's GOARCH) of the machines that uname knows.
ARCHITECTURES = {
    "x86_64": "amd64", "i686": "386", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le",
    "s390x": "s390x", "riscv64": "riscv64", "mips64": "mips64le",
}  # fmt: skip
# Set in a container's own network namespace, where the kernel has them.
NETWORK_SYSCTLS = ("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Which resource limits this host can hold a container to."""

    memory: bool = True
    swap: bool = True
    memory_reservation: bool = True
    swappiness: bool = True
    oom_kill_disable: bool = True
    cpu_shares: bool = True
    cpu_cfs: bool = True
    cpu_realtime: bool = False
    cpuset: bool = True
    pids: bool = True
    devices: bool = True
    blkio_weight: bool = False
    blkio_throttle: bool = True


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a host. Made by hand in tests, by `detect` otherwise."""

    cgroup: cgroups.Layout
    limits: Limits = Limits()
    architecture: str = "amd64"
    kernel_release: str = "6.1.0"
    cpus: int = 1
    # Lists in the kernel's form: ``0-3,8``.
    cpu_list: str = "0"
    memory_nodes: str = "0"
    memory_bytes: int = 0
    # What the engine itself may give away.
    capabilities: tuple[str, ...] = KNOWN
    # The highest ulimits that the engine may set, by name; empty where it may set any.
    hard_limits: dict[str, int] = {}
    # The lowest OOM score that it may give.
    lowest_oom_score: int = -1000
    # What programs may open, soft and hard, where the engine itself may open more.
    open_files: tuple[int, int] | None = None
    seccomp: bool = True
    apparmor: bool = False
    selinux: bool = False
    network_sysctls: tuple[str, ...] = NETWORK_SYSCTLS
    # Heat tells what neighbours compute (GHSA-6fw5-f8r9-fgfm): masked where it exists.
    thermal_paths: tuple[str, ...] = ()

    @property
    def kernel(self) -> tuple[int, int]:
        """Major and minor of the kernel's version."""
        match = re.match(r"(\d+)\.(\d+)", self.kernel_release)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    @classmethod
    def detect(cls) -> Host:
        """Look at the machine. Raises System when no cgroup hierarchy is mounted."""
        layout = cgroups.detect(_read("/proc/self/mountinfo"), _read("/proc/cgroups"))
        status = dict(line.split(":\t", 1) for line in _read("/proc/self/status").splitlines())
        uname = os.uname()
        capabilities = from_mask(int(status.get("CapBnd", "0"), 16))
        cpu_list = _read("/sys/devices/system/cpu/online").strip() or "0"
        return cls(
            cgroup=layout,
            limits=limits(layout),
            architecture=ARCHITECTURES.get(uname.machine, uname.machine),
            kernel_release=uname.release,
            cpus=len(os.sched_getaffinity(0)),
            cpu_list=cpu_list,
            memory_nodes=_read("/sys/devices/system/node/online").strip() or "0",
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            capabilities=capabilities,
            hard_limits={} if "CAP_SYS_RESOURCE" in capabilities else hard_limits(),
            lowest_oom_score=-1000
            if "CAP_SYS_RESOURCE" in capabilities
            else int(_read("/proc/self/oom_score_adj") or 0),
            open_files=open_files(),
            seccomp="Seccomp" in status,
            apparmor=_read("/sys/module/apparmor/parameters/enabled").startswith("Y"),
            selinux=os.path.exists("/sys/fs/selinux/enforce"),
            network_sysctls=tuple(
                name
                for name in NETWORK_SYSCTLS
                if os.path.exists("/proc/sys/" + name.replace(".", "/"))
            ),
            thermal_paths=thermal_paths(Path("/sys/devices/system/cpu")),
        )


def limits(layout: cgroups.Layout) -> Limits:
    """Which limits a host can hold, by the files its cgroup trees have."""
    if layout.mode == "v2":
        return _limits_v2(Path(str(layout.unified)))

    def has(controller: str, file: str) -> bool:
        mount = layout.controllers.get(controller)
        return mount is not None and os.path.exists(os.path.join(mount, file))

    return Limits(
        memory=has("memory", "memory.limit_in_bytes"),
        swap=has("memory", "memory.memsw.limit_in_bytes"),
        memory_reservation=has("memory", "memory.soft_limit_in_bytes"),
        swappiness=has("memory", "memory.swappiness"),
        oom_kill_disable=has("memory", "memory.oom_control"),
        cpu_shares=has("cpu", "cpu.shares"),
        cpu_cfs=has("cpu", "cpu.cfs_quota_us"),
        cpu_realtime=has("cpu", "cpu.rt_runtime_us"),
        cpuset="cpuset" in layout.controllers,
        pids="pids" in layout.controllers,
        devices="devices" in layout.controllers,
        blkio_weight=has("blkio", "blkio.weight") or has("blkio", "blkio.bfq.weight"),
        blkio_throttle=has("blkio", "blkio.throttle.read_bps_device"),
    )


def _limits_v2(root: Path) -> Limits:
    controllers = _read(str(root / "cgroup.controllers")).split()
    memory = "memory" in controllers
    return Limits(
        memory=memory,
        # The root has no limits of its own; swap accounting shows in any group below it.
        swap=memory and any(root.glob("*/memory.swap.max")),
        memory_reservation=memory,
        swappiness=False,
        oom_kill_disable=False,
        cpu_shares="cpu" in controllers,
        cpu_cfs="cpu" in controllers,
        cpu_realtime=False,
        cpuset="cpuset" in controllers,
        pids="pids" in controllers,
        devices=True,
        blkio_weight="io" in controllers and any(root.glob("*/io.weight")),
        blkio_throttle="io" in controllers,
    )


def hard_limits() -> dict[str, int]:
    """The limits of this process that it may not exceed, by ulimit's names (``nofile``)."""
    found = {
        name.removeprefix("RLIMIT_").lower(): resource.getrlimit(getattr(resource, name))[1]
        for name in dir(resource)
        if name.startswith("RLIMIT_")
    }
    return {name: limit for name, limit in found.items() if limit != resource.RLIM_INFINITY}


def open_files() -> tuple[int, int] | None:
    """The limits of open files that this process was started with; None where it may open as
    many as it can ever be allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == hard else (soft, hard)


def allow_open_files() -> None:
    """Let this process open what it may: each container and each client takes some, and a
    service is often started with no more than 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def thermal_paths(cpus: Path) -> tuple[str, ...]:
    """The ``thermal_throttle`` directories that exist, one a CPU."""
    return tuple(sorted(map(str, cpus.glob("cpu[0-9]*/thermal_throttle"))))


def _read(path: str) -> str:
    """A file of the kernel's, "" where it has none."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
