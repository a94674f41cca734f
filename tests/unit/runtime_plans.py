"""A plan and a host for tests of composition: everything ordinary, changed where a test says."""

from __future__ import annotations

from typing import Any

from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.mount import MountPoint
from drayman.runtime import resources
from drayman.runtime.cgroups import Layout
from drayman.runtime.host import Host
from drayman.runtime.plan import ContainerPlan

ID = "ab" * 32
V1 = Layout(
    mode="v1",
    controllers={
        name: f"/sys/fs/cgroup/{name}"
        for name in ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
    },
)
V2 = Layout(mode="v2", unified="/sys/fs/cgroup")


def host(**changes: Any) -> Host:
    """A host of four CPUs with cgroup v2."""
    return Host(**{"cgroup": V2, "cpus": 4, "cpu_list": "0-3", **changes})


def plan(
    config: dict[str, Any] | None = None,
    mounts: list[MountPoint] | None = None,
    on: Host | None = None,
    plan_changes: dict[str, Any] | None = None,
    **host_config: Any,
) -> ContainerPlan:
    """A container ``sh``, its host configuration as given, with the engine's defaults."""
    settings = resources.defaults(HostConfig(**host_config), on or host())
    return ContainerPlan(
        container=Container(
            id=ID,
            name="c",
            created_at_ns=0,
            image_id="",
            config=ContainerConfig(**{"hostname": "h", "cmd": ["sh"], **(config or {})}),
            host_config=settings,
        ),
        env=["PATH=/bin"],
        mounts=mounts or [],
        **(plan_changes or {}),
    )
