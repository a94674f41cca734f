"""``GET /containers/{id}/json``: everything there is to say of one container.

The document is that of the newest API version; the API takes away what older ones lack.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.entry import Entry
from drayman.engine.health import look
from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.go_time import rfc3339
from drayman.model.mount import MountPoint
from drayman.storage.sizes import tree_size_bytes

# Keys that Go leaves out when empty ("omitempty"); every other one prints null.
_OMITTED_OF_CONFIG = (
    "ExposedPorts",
    "Healthcheck",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "OnBuild",
    "StopSignal",
    "StopTimeout",
    "Shell",
)
_OMITTED_OF_HOST_CONFIG = (
    "Annotations",
    "Init",
    "Mounts",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
)


class Inspecting:
    """The long document of a container."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def inspect(self, name: str, *, size: bool) -> dict[str, Any]:
        """The document; ``size`` adds the bytes written and those of the whole tree."""
        entry = self._context.containers.find(name)
        health = await look(entry)
        document = {
            **self._recorded(entry),
            "ExecIDs": [one.id for one in entry.execs.values() if one.running] or None,
        }
        if health:
            document["State"] = {**document["State"], "Health": health.document()}
        if size:
            document["SizeRw"], document["SizeRootFs"] = await blocking(
                sizes, self._context, entry.record
            )
        return document

    def _recorded(self, entry: Entry) -> dict[str, Any]:
        """What the record alone tells, which is shared and must not be changed."""
        # Who polls asks the same ones again, and seldom has anything changed. A record never
        # does: another takes its place.
        if entry.described is None or entry.described[0] is not entry.record:
            entry.described = (entry.record, self._document(entry.record))
        return entry.described[1]

    def _document(self, record: Container) -> dict[str, Any]:
        paths = self._context.paths.container(record.id)
        argv = record.argv
        logged = record.host_config.log_config.type == "json-file"
        return {
            "Id": record.id,
            "Created": rfc3339(record.created_at_ns),
            "Path": argv[0] if argv else "",
            "Args": argv[1:],
            "State": state_document(record),
            "Image": record.image_id,
            "ResolvConfPath": str(paths.resolv_conf),
            "HostnamePath": str(paths.hostname),
            "HostsPath": str(paths.hosts),
            "LogPath": str(paths.log) if logged else "",
            "Name": f"/{record.name}",
            "RestartCount": record.state.restart_count,
            "Driver": "overlay2",
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": "",
            "AppArmorProfile": "",
            "ExecIDs": None,
            "HostConfig": host_config_document(record.host_config),
            "GraphDriver": {
                "Name": "overlay2",
                "Data": {
                    "ID": record.id,
                    "LowerDir": ":".join(self._context.images.lower(record.image_id)),
                    "MergedDir": str(paths.rootfs),
                    "UpperDir": str(paths.upper),
                    "WorkDir": str(paths.work),
                },
            },
            "Mounts": [mount_document(point) for point in record.mount_points],
            "Config": config_document(record.config),
            "NetworkSettings": self._network_settings(record),
        }

    def _network_settings(self, record: Container) -> dict[str, Any]:
        running = record.state.running and record.state.pid != 0
        sandboxed = running and bool(record.endpoints)
        return {
            "SandboxID": record.id if sandboxed else "",
            "SandboxKey": str(self._context.paths.namespace(record.id)) if sandboxed else "",
            "Ports": _ports(record),
            "Networks": {
                name: msgspec.to_builtins(endpoint.settings)
                for name, endpoint in record.endpoints.items()
            },
        }


def _ports(record: Container) -> dict[str, Any]:
    """Published ports with their addresses; exposed ones alone are null."""
    return {
        port: [msgspec.to_builtins(binding) for binding in bindings] if bindings else None
        for port, bindings in sorted(record.ports.items())
    }


def state_document(record: Container) -> dict[str, Any]:
    """``State``, with the flags that Docker prints beside the status."""
    state = record.state
    return {
        "Status": state.status,
        "Running": state.running,
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started_at_ns),
        "FinishedAt": rfc3339(state.finished_at_ns),
    }


def config_document(config: ContainerConfig) -> dict[str, Any]:
    """``Config``."""
    document = _without_empty(config, _OMITTED_OF_CONFIG)
    health = document.get("Healthcheck")
    if health is not None:
        document["Healthcheck"] = {key: value for key, value in health.items() if value}
    return document


def host_config_document(host_config: HostConfig) -> dict[str, Any]:
    """``HostConfig``."""
    return _without_empty(host_config, _OMITTED_OF_HOST_CONFIG)


def mount_document(point: MountPoint) -> dict[str, Any]:
    """One of ``Mounts``."""
    return _without_empty(point, ("Name", "Driver", "Type"))


def _without_empty(struct: msgspec.Struct, omitted: tuple[str, ...]) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(struct)
    for key in omitted:
        if not document.get(key):
            document.pop(key, None)
    return document


def sizes(context: Context, record: Container) -> tuple[int, int]:
    """The bytes a container wrote, and those of its whole tree; blocks."""
    written = tree_size_bytes(context.paths.container(record.id).upper)
    return written, written + context.images.get(record.image_id).size_bytes
