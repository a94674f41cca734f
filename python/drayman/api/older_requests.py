"""Requests of older clients, made to mean today what they meant then."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from drayman.api.versions import Version
from drayman.errors import InvalidParameter
from drayman.model.container import CreateRequest, HostConfig, NetworkingConfig, PortMap
from drayman.model.mount import Mount
from drayman.model.network import EndpointSettings, PortBinding


def adapt_create(request: CreateRequest, version: Version) -> tuple[CreateRequest, list[str]]:
    """A create request by today's rules, and warnings about its habits.

    Raises InvalidParameter for what its version of the API does not know and cannot ignore.
    """
    host, warnings = _adapt_host(request.host_config or HostConfig(), version)
    healthcheck = request.healthcheck
    if version < (1, 44) and healthcheck is not None:
        healthcheck = replace(healthcheck, start_interval=0)
    networking = _adapt_networking(request.networking_config or NetworkingConfig(), version)
    adapted = replace(
        request, healthcheck=healthcheck, host_config=host, networking_config=networking
    )
    return adapted, warnings


def adapt_update(changes: HostConfig, version: Version) -> HostConfig:
    """Changes of limits by today's rules."""
    if version < (1, 40):
        return replace(changes, pids_limit=None)
    if version < (1, 55):
        return replace(
            changes,
            blkio_weight_device=None,
            blkio_device_read_bps=None,
            blkio_device_write_bps=None,
            blkio_device_read_iops=None,
            blkio_device_write_iops=None,
        )
    return changes


def _adapt_host(host: HostConfig, version: Version) -> tuple[HostConfig, list[str]]:
    changes: dict[str, Any] = {}
    if version < (1, 25):
        changes["auto_remove"] = False
    if version < (1, 40) and not host.ipc_mode:
        changes["ipc_mode"] = "shareable"
    if version < (1, 42):
        changes["console_size"] = (0, 0)
    if version < (1, 43):
        changes["annotations"] = None
    if host.mounts:
        changes["mounts"] = [_adapt_mount(one, version) for one in host.mounts]
    bindings, warnings = _adapt_bindings(host, version)
    return replace(host, port_bindings=bindings, **changes), warnings


def _adapt_mount(mount: Mount, version: Version) -> Mount:
    bind, volume, tmpfs = mount.bind_options, mount.volume_options, mount.tmpfs_options
    if version < (1, 44) and bind and bind.read_only_force_recursive:
        raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
    if version < (1, 45) and volume and volume.subpath:
        raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")
    if version < (1, 48) and mount.type == "image":
        raise InvalidParameter('Mount type "Image" needs API v1.48 or newer')
    if version >= (1, 42):
        _refuse_strange_options(mount)
    else:
        # Not looked at in those days, so a mismatch must not fail now.
        volume = volume if mount.type == "volume" else None
        tmpfs = tmpfs if mount.type == "tmpfs" else None
        bind = replace(bind, create_mountpoint=False) if bind else None
    if version < (1, 40) and bind:
        bind = replace(bind, non_recursive=False)
    if version < (1, 44) and bind and mount.read_only:
        # Below 1.44 a read-only bind leaves the mounts below it writable.
        bind = replace(bind, read_only_non_recursive=True)
    return replace(mount, bind_options=bind, volume_options=volume, tmpfs_options=tmpfs)


def _refuse_strange_options(mount: Mount) -> None:
    for name, options, kind in (
        ("VolumeOptions", mount.volume_options, "volume"),
        ("BindOptions", mount.bind_options, "bind"),
        ("TmpfsOptions", mount.tmpfs_options, "tmpfs"),
    ):
        if options is not None and mount.type != kind:
            raise InvalidParameter(f'{name} must not be specified on mount type "{mount.type}"')


def _adapt_bindings(host: HostConfig, version: Version) -> tuple[PortMap | None, list[str]]:
    """Ports with an empty list of bindings: any free port up to 1.52, nothing after."""
    bindings = host.port_bindings
    bare = [port for port, places in (bindings or {}).items() if not places]
    if not bindings or not bare:
        return bindings, []
    if version > (1, 52):
        kept: PortMap = {port: places for port, places in bindings.items() if places}
        return kept, []
    filled: PortMap = {port: places or [PortBinding()] for port, places in bindings.items()}
    if version < (1, 52):
        return filled, []
    return filled, [
        "Following container port(s) have an empty list of port-bindings:"
        f" {', '.join(bare)}. Starting with API 1.53, such bindings will be discarded."
    ]


def _adapt_networking(networking: NetworkingConfig, version: Version) -> NetworkingConfig:
    endpoints = networking.endpoints_config or {}
    if version < (1, 44) and len(endpoints) > 1:
        raise InvalidParameter(
            f"Container cannot be created with multiple network endpoints: {', '.join(endpoints)}"
        )
    if version < (1, 48):
        endpoints = {
            name: replace(endpoint or EndpointSettings(), gw_priority=0)
            for name, endpoint in endpoints.items()
        }
    return replace(networking, endpoints_config=endpoints or None)
