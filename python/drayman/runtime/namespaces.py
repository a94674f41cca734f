"""Which namespaces a container has of its own, shares with the host, or joins."""

from __future__ import annotations

from drayman.errors import System
from drayman.model.container import HostConfig
from drayman.runtime.plan import Joined

_CONTAINER = "container:"


def joined_container(mode: str) -> str | None:
    """The container that a mode names (``container:<name or id>``), None for other modes."""
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else None


def network_is_private(host_config: HostConfig) -> bool:
    """Whether the network namespace is the container's own, with or without a network."""
    mode = host_config.network_mode
    return mode != "host" and joined_container(mode) is None


def compose(host_config: HostConfig, joined: Joined) -> list[dict[str, str]]:
    """The OCI ``linux.namespaces``. Raises System when the path of one to join is missing."""
    namespaces: list[dict[str, str]] = [{"type": "mount"}]
    for kind, mode, path in (
        ("network", host_config.network_mode, joined.network),
        ("uts", host_config.uts_mode, joined.uts),
        ("pid", host_config.pid_mode, joined.pid),
        ("ipc", host_config.ipc_mode, joined.ipc),
    ):
        if mode == "host":
            continue
        if path is not None:
            namespaces.append({"type": kind, "path": path})
        elif (other := joined_container(mode)) is not None:
            raise System(f"cannot join the {kind} namespace of container {other}: no path given")
        else:
            namespaces.append({"type": kind})
    if host_config.cgroupns_mode == "private":
        namespaces.append({"type": "cgroup"})
    return namespaces
