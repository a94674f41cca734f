"""The engine and its machine: info and version."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from drayman import __version__
from drayman.engine import log_drivers, runtimes
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.model.go_time import rfc3339
from drayman.model.registry import AuthConfig
from drayman.registry.login import login

REGISTRIES: dict[str, Any] = {
    "InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"],
    "IndexConfigs": {},
    "Mirrors": None,
}
PLUGINS: dict[str, Any] = {
    "Volume": ["local"],
    "Network": ["bridge", "host", "null"],
    "Authorization": None,
    "Log": log_drivers.NAMES,
}
_OS_RELEASE = Path("/etc/os-release")


class System:
    """Answers for the host."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def login(self, auth: AuthConfig) -> str:
        """Try credentials at a registry; the identity token, "" for none."""
        return await blocking(login, auth, f"docker/{__version__} drayman/{__version__}")

    async def info(self) -> dict[str, Any]:
        """The document of ``GET /info``."""
        context, host = self._context, self._context.host
        statuses = [entry.state.status for entry in context.containers]
        limits = host.limits
        return {
            "ID": await blocking(_machine_id),
            "Containers": len(statuses),
            "ContainersRunning": sum(one in ("running", "restarting") for one in statuses),
            "ContainersPaused": statuses.count("paused"),
            "ContainersStopped": sum(
                one not in ("running", "restarting", "paused") for one in statuses
            ),
            "Images": len(context.images.all()),
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", await blocking(_file_system, context)]],
            "Plugins": PLUGINS,
            "MemoryLimit": limits.memory,
            "SwapLimit": limits.swap,
            "CpuCfsPeriod": limits.cpu_cfs,
            "CpuCfsQuota": limits.cpu_cfs,
            "CPUShares": limits.cpu_shares,
            "CPUSet": limits.cpuset,
            "PidsLimit": limits.pids,
            "OomKillDisable": limits.oom_kill_disable,
            "IPv4Forwarding": await blocking(_forwards),
            "Debug": False,
            "NFd": len(os.listdir("/proc/self/fd")),
            "NGoroutines": 0,
            "SystemTime": rfc3339(time.time_ns()),
            "LoggingDriver": context.config.log_driver,
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": "2" if host.cgroup.mode == "v2" else "1",
            "NEventsListener": context.events.listeners,
            "KernelVersion": host.kernel_release,
            "OperatingSystem": _os_release().get("PRETTY_NAME", "Linux"),
            "OSVersion": _os_release().get("VERSION_ID", ""),
            "OSType": "linux",
            "Architecture": platform.machine(),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": REGISTRIES,
            "NCPU": host.cpus,
            "MemTotal": host.memory_bytes,
            "GenericResources": None,
            "DockerRootDir": str(context.paths.root),
            "HttpProxy": "",
            "HttpsProxy": "",
            "NoProxy": "",
            "Name": os.uname().nodename,
            "Labels": [],
            "ExperimentalBuild": False,
            "ServerVersion": __version__,
            "Runtimes": runtimes.listed(context.config.runtimes, context.config.shim_path),
            "DefaultRuntime": runtimes.EMBEDDED,
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive"}
            | {"ControlAvailable": False, "Error": "", "RemoteManagers": None},
            "LiveRestoreEnabled": True,
            "Isolation": "",
            "InitBinary": "",
            "ContainerdCommit": {"ID": ""},
            "RuncCommit": {"ID": ""},
            "InitCommit": {"ID": ""},
            "SecurityOptions": ["name=seccomp,profile=builtin"] if host.seccomp else [],
            "Warnings": None,
            "CDISpecDirs": [],
        }

    async def version(self) -> dict[str, Any]:
        """The engine's part of ``GET /version``."""
        host = self._context.host
        return {
            "Platform": {"Name": "Drayman"},
            "Components": [{"Name": "Engine", "Version": __version__, "Details": {"Os": "linux"}}],
            "Version": __version__,
            "GitCommit": "",
            "GoVersion": "",
            "Os": "linux",
            "Arch": host.architecture,
            "KernelVersion": host.kernel_release,
            "BuildTime": "",
        }


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return os.uname().nodename


def _file_system(context: Context) -> str:
    """The type of the file system below ``root``."""
    device = os.stat(context.paths.root).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, after = line.partition(" - ")
        if fields.split()[2] == wanted:
            return after.split()[0]
    return "unknown"


def _forwards() -> bool:
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"


def _os_release() -> dict[str, str]:
    try:
        lines = _OS_RELEASE.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}
