"""The parts of a host configuration that a client left out, filled in as Docker does."""

from __future__ import annotations

from msgspec.structs import replace

from drayman.engine import runtimes
from drayman.model.container import HostConfig, PortMap
from drayman.model.network import PortBinding
from drayman.runtime import resources, spec
from drayman.runtime.host import Host


def fill(asked: HostConfig, host: Host) -> HostConfig:
    """The configuration that the container is made with, and that inspect shows."""
    return replace(
        resources.defaults(asked, host),
        network_mode="bridge" if asked.network_mode in ("", "default") else asked.network_mode,
        restart_policy=replace(asked.restart_policy, name=asked.restart_policy.name or "no"),
        runtime=asked.runtime or runtimes.EMBEDDED,
        masked_paths=asked.masked_paths if asked.privileged else spec.masked_paths(asked, host),
        readonly_paths=asked.readonly_paths if asked.privileged else spec.readonly_paths(asked),
        port_bindings=_port_bindings(asked),
    )


def _port_bindings(asked: HostConfig) -> PortMap | None:
    """An empty list of bindings asks for one random port."""
    if asked.port_bindings is None:
        return None
    return {port: bindings or [PortBinding()] for port, bindings in asked.port_bindings.items()}
