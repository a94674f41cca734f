"""A plan as an OCI runtime specification: what an executor, ours or another, carries out."""

from __future__ import annotations

from typing import Any

from drayman.errors import InvalidParameter
from drayman.model.container import HostConfig
from drayman.runtime import (
    capabilities,
    cgroups,
    devices,
    mounts,
    namespaces,
    process,
    resources,
    seccomp,
    security,
)
from drayman.runtime.host import Host
from drayman.runtime.plan import ContainerPlan

# As old as the executors in use want it, as new as what we say in it.
OCI_VERSION = "1.0.2"

# What the kernel shows to everyone and a container has no business with; Docker's newest
# list: /proc/interrupts since GHSA-6fw5-f8r9-fgfm, powercap since GHSA-jq35-85cj-fj4p.
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)
# In the order of `host.NETWORK_SYSCTLS`: pings without CAP_NET_RAW, ports below 1024
# without CAP_NET_BIND_SERVICE; in a network namespace of one's own neither harms anyone.
NETWORK_SYSCTL_VALUES = {
    "net.ipv4.ping_group_range": "0 2147483647",
    "net.ipv4.ip_unprivileged_port_start": "0",
}


def compose(plan: ContainerPlan, host: Host) -> dict[str, Any]:
    """The ``config.json`` of a container; its root is ``rootfs`` in the bundle.

    Looks at the host only for devices that were asked for. Raises InvalidParameter for
    settings that cannot be, devices that are not there among them.
    """
    host_config = plan.container.host_config
    composed_mounts = mounts.compose(plan, host)
    spec: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": process.compose(plan.container, host, plan.user, plan.env, plan.init_path),
        "root": {"path": "rootfs", "readonly": host_config.readonly_rootfs},
        "mounts": composed_mounts,
        "linux": _linux(plan, host, composed_mounts),
    }
    if host_config.uts_mode != "host":
        spec["hostname"] = plan.container.config.hostname
    if host_config.annotations:
        spec["annotations"] = dict(host_config.annotations)
    return spec


def masked_paths(host_config: HostConfig, host: Host) -> list[str]:
    """Paths to hide: what the client set, else the default ones, none when privileged."""
    if host_config.privileged:
        return []
    if host_config.masked_paths is not None:
        return host_config.masked_paths
    return [*MASKED_PATHS, *host.thermal_paths]


def readonly_paths(host_config: HostConfig) -> list[str]:
    """Paths to protect: what the client set, else the default ones, none when privileged."""
    if host_config.privileged:
        return []
    if host_config.readonly_paths is not None:
        return host_config.readonly_paths
    return list(READONLY_PATHS)


def seccomp_filter(host_config: HostConfig, host: Host) -> dict[str, Any] | None:
    """The OCI ``linux.seccomp``, None for a container that runs without.

    Raises InvalidParameter for a profile that cannot be read, or cannot be had here.
    """
    wanted = security.parse(host_config.security_opt).seccomp
    if wanted == security.UNCONFINED or (host_config.privileged and not wanted):
        return None
    if not host.seccomp:
        if wanted:
            raise InvalidParameter(
                "seccomp is not enabled in your kernel, cannot run a custom seccomp profile"
            )
        return None
    profile = seccomp.parse(wanted.encode()) if wanted else seccomp.default_profile()
    chosen = capabilities.choose(
        host_config.cap_add,
        host_config.cap_drop,
        host.capabilities,
        privileged=host_config.privileged,
    )
    return seccomp.resolve(profile, chosen, host)


def _linux(
    plan: ContainerPlan, host: Host, composed_mounts: list[dict[str, Any]]
) -> dict[str, Any]:
    host_config = plan.container.host_config
    nodes, rules = devices.compose(host_config)
    limits = resources.compose(host_config, host)
    limits["devices"] = rules
    linux: dict[str, Any] = {
        "namespaces": namespaces.compose(host_config, plan.joined),
        "cgroupsPath": cgroups.path(plan.container.id, host_config.cgroup_parent),
        "resources": limits,
        "devices": nodes,
        "sysctl": _sysctls(plan, host),
        "maskedPaths": masked_paths(host_config, host),
        "readonlyPaths": readonly_paths(host_config),
    }
    propagation = mounts.rootfs_propagation(composed_mounts)
    if propagation:
        linux["rootfsPropagation"] = propagation
    filter_ = seccomp_filter(host_config, host)
    if filter_ is not None:
        linux["seccomp"] = filter_
    return linux


def _sysctls(plan: ContainerPlan, host: Host) -> dict[str, str]:
    config, host_config = plan.container.config, plan.container.host_config
    sysctls: dict[str, str] = {}
    if namespaces.network_is_private(host_config):
        sysctls |= {name: NETWORK_SYSCTL_VALUES[name] for name in host.network_sysctls}
    if config.domainname and host_config.uts_mode != "host":
        sysctls["kernel.domainname"] = config.domainname
    return sysctls | (host_config.sysctls or {})
