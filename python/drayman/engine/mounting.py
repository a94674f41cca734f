"""Turning mounts asked for into mount points: sources found, volumes made."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.errors import InvalidParameter, NotFound
from drayman.model.container import Container, ContainerConfig, HostConfig
from drayman.model.mount import BindOptions, DriverConfig, Mount, MountPoint, VolumeOptions
from drayman.runtime import binds

LOCAL_DRIVER = "local"
_VOLUMES_FROM_MODES = ("", "ro", "rw", "z", "Z")


class Found(msgspec.Struct, frozen=True):
    """A mount point, and whether its volume takes over what the image has at the place."""

    point: MountPoint
    populate: bool = False


class Mounting:
    """Finds or makes what a container's mounts are made of."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def find(
        self,
        container_id: str,
        config: ContainerConfig,
        host_config: HostConfig,
        made: list[str],
    ) -> list[Found]:
        """Every mount of a container to be; volumes made on the way are added to ``made``.

        Raises InvalidParameter and NotFound for mounts that cannot be.
        """
        inherited = self._inherited(host_config.volumes_from or [])
        explicit = {
            request.mount.target
            for request in binds.requested(replace(config, volumes=None), host_config)
        }
        found = [Found(point) for point in inherited if point.destination not in explicit]
        covered = {one.point.destination for one in found}
        for request in binds.requested(config, host_config):
            if request.mount.target not in covered:
                found.append(await self._find(request, host_config, made))
                # From here on nobody may remove its volume.
                making = self._context.containers.making
                making[container_id] = replace(
                    making[container_id], mount_points=[one.point for one in found]
                )
        return found

    def _inherited(self, specifications: list[str]) -> list[MountPoint]:
        """What ``--volumes-from`` takes over from other containers."""
        found: dict[str, MountPoint] = {}
        for specification in specifications:
            name, _, mode = specification.partition(":")
            if mode not in _VOLUMES_FROM_MODES:
                raise InvalidParameter(f"invalid mode: {mode}")
            for point in self._context.containers.find(name).record.mount_points:
                found[point.destination] = replace(point, rw=point.rw and mode != "ro")
        return list(found.values())

    async def _find(
        self, request: binds.Request, host_config: HostConfig, made: list[str]
    ) -> Found:
        mount = request.mount
        if mount.type == "volume":
            return await self._volume(request, host_config, made)
        if mount.type == "bind" and mount in (host_config.mounts or ()):
            await blocking(_check_source, mount)
        return Found(request.point())

    async def _volume(
        self, request: binds.Request, host_config: HostConfig, made: list[str]
    ) -> Found:
        mount = request.mount
        options = mount.volume_options or VolumeOptions()
        driver = options.driver_config or DriverConfig()
        fresh = not mount.source or self._context.volumes.find(mount.source) is None
        volume = await self._context.volumes.volume_create(
            mount.source,
            driver.name or host_config.volume_driver or LOCAL_DRIVER,
            driver.options or {},
            options.labels or {},
        )
        if fresh:
            made.append(volume.name)
        source = volume.mountpoint
        if options.subpath:
            source = await blocking(_inside, source, options.subpath)
        point = request.point(name=volume.name, source=source, driver=volume.driver)
        return Found(point, populate=not options.no_copy and not options.subpath)


def _check_source(mount: Mount) -> None:
    """``--mount`` wants its source to exist; blocks."""
    options = mount.bind_options or BindOptions()
    if options.create_mountpoint:
        Path(mount.source).mkdir(parents=True, exist_ok=True)
    elif not os.path.exists(mount.source):
        raise InvalidParameter(
            f'invalid mount config for type "bind": bind source path does not exist: {mount.source}'
        )


def make_missing_sources(record: Container) -> None:
    """Make directories for the missing sources of ``-v``; blocks. They exist from here on,
    whatever becomes of the container, as with Docker. Raises InvalidParameter where none can be."""
    asked = {bind.partition(":")[0] for bind in record.host_config.binds or ()}
    for source in filter(os.path.isabs, asked):
        if not os.path.lexists(source):
            try:
                Path(source).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InvalidParameter(
                    f"HostConfig.Binds: error while creating mount source path '{source}':"
                    f" mkdir {source}: {str(error.strerror).lower()}"
                ) from None


def _inside(volume: str, subpath: str) -> str:
    """A place in a volume; blocks. Links that lead out of it are refused."""
    root = os.path.realpath(volume)
    place = os.path.realpath(os.path.join(root, subpath))
    if place != root and not place.startswith(root + "/"):
        raise InvalidParameter(f"subpath {subpath!r} leads out of the volume")
    if not os.path.exists(place):
        raise NotFound(f"subpath {subpath!r} does not exist in the volume")
    return place
