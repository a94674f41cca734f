"""Making a container: everything that can be wrong is said here, and nothing half-made stays."""

from __future__ import annotations

import os
import stat
import time

from msgspec.structs import replace

from drayman.engine import (
    checking,
    host_defaults,
    log_drivers,
    naming,
    runtimes,
    storage_options,
)
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.engine.merging import merge
from drayman.engine.mounting import Mounting
from drayman.errors import DraymanError, InvalidParameter, NotFound, System
from drayman.model.container import (
    Container,
    ContainerConfig,
    HostConfig,
    LogConfig,
    NetworkingConfig,
)
from drayman.model.image import Image
from drayman.model.mount import MountPoint
from drayman.runtime import probes, refusals, resources, validation
from drayman.runtime.namespaces import joined_container
from drayman.storage import files, platforms, quota, temporary


class Creating:
    """Turns a request into a container that can be started."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mounting = Mounting(context)

    async def create(
        self,
        name: str | None,
        config: ContainerConfig,
        host_config: HostConfig,
        networking_config: NetworkingConfig,
        platform: str,
    ) -> tuple[str, list[str]]:
        """Make it; returns its id and warnings. What fails leaves nothing behind."""
        image = self._context.images.get(config.image)
        _check_platform(image, platform)
        try:
            return await self._make(name, image, config, host_config, networking_config)
        except NotFound as error:
            # By 404 clients would know that the image is missing, and pull it.
            raise InvalidParameter(str(error)) from None

    async def _make(
        self,
        name: str | None,
        image: Image,
        config: ContainerConfig,
        host_config: HostConfig,
        networking_config: NetworkingConfig,
    ) -> tuple[str, list[str]]:
        checking.check_conflicts(config, host_config)
        config = merge(config, image.config)
        host_config = replace(host_config, log_config=self._log_config(host_config))
        checking.check(config, host_config)
        runtimes.find(self._context.config.runtimes, host_config.runtime)
        validation.validate_config(config)
        if storage_options.size_bytes(host_config) is not None:
            await blocking(quota.check, self._context.paths.containers)
        host = self._context.host
        warnings = validation.validate(host_config, host) + probes.warnings(config)
        host_config = host_defaults.fill(resources.supported(host_config, host.limits), host)
        host_config = self._by_id(host_config)
        container_id = naming.new_id()
        name = self._reserve(name, container_id)
        record = Container(
            id=container_id,
            name=name,
            created_at_ns=time.time_ns(),
            image_id=image.id,
            config=_named(config, host_config, container_id),
            host_config=host_config,
        )
        making = self._context.containers.making
        making[container_id] = record
        volumes: list[str] = []
        try:
            mounts = await self._mounting.find(container_id, config, host_config, volumes)
            making[container_id] = record = replace(
                record,
                mount_points=[one.point for one in mounts],
                endpoints=self._context.networks.endpoints(host_config, networking_config),
            )
            await blocking(self._furnish, record, [one.point for one in mounts if one.populate])
            await self._context.save(record)
        except BaseException:
            self._context.containers.release(name, container_id)
            del making[container_id]
            await self._undo(container_id, volumes)
            raise
        del making[container_id]
        self._context.containers.add(record)
        self._context.announce.container(record, "create")
        return container_id, warnings

    def _log_config(self, host_config: HostConfig) -> LogConfig:
        engine = self._context.config
        own = LogConfig(type=engine.log_driver, config=engine.log_opts)
        return log_drivers.with_defaults(host_config.log_config, own)

    def _reserve(self, name: str | None, container_id: str) -> str:
        taken = self._context.containers.names
        chosen = naming.check(name) if name else naming.generate(taken, container_id)
        self._context.containers.reserve(chosen, container_id)
        return chosen

    def _by_id(self, host_config: HostConfig) -> HostConfig:
        """With the ids of containers whose namespaces it joins: names may move on."""
        modes = {
            field: getattr(host_config, field) for field in ("network_mode", "ipc_mode", "pid_mode")
        }
        found = {
            field: f"container:{self._context.containers.find(name).id}"
            for field, mode in modes.items()
            if (name := joined_container(mode)) is not None
        }
        return replace(host_config, **found)

    def _furnish(self, record: Container, fresh: list[MountPoint]) -> None:
        """Directories, files, what volumes get from the image, the working directory; blocks."""
        paths = self._context.paths.container(record.id)
        paths.make()
        size = storage_options.size_bytes(record.host_config)
        if size is not None:
            quota.limit((paths.upper, paths.work), record.id, size)
        lower = self._context.lower(record)
        _take_look(lower[0], str(paths.upper))
        self._context.networks.write_files(record)
        place = record.config.working_dir
        if not fresh and place in ("", "/"):
            return
        view = self._context.views.stopped(record, mounts=False)
        field = ""
        try:
            for point in fresh:
                field = refusals.mount_field(point.destination, record.host_config) or "Volumes"
                files.populate_volume(view.fileno(), point.destination, point.source)
            field = "WorkingDir"
            if place not in ("", "/"):
                files.make_directory_in_root(view.fileno(), place, 0, 0)
        except System as error:
            raise refusals.path(field, error) from None
        finally:
            view.close()

    async def _undo(self, container_id: str, volumes: list[str]) -> None:
        paths = self._context.paths.container(container_id)
        await blocking(quota.lift, paths.upper)
        await blocking(temporary.discard, self._context.paths, paths.home)
        await blocking(temporary.discard, self._context.paths, paths.run)
        for volume in volumes:
            try:
                await self._context.volumes.volume_remove(volume, force=True)
            except DraymanError:
                continue


def _check_platform(image: Image, platform: str) -> None:
    """The image here must be for the platform asked for; else a client would pull."""
    if not platform:
        return
    wanted = platforms.parse(platform)
    if wanted.os != image.os or (wanted.architecture or image.architecture) != image.architecture:
        name = image.tags[0] if image.tags else image.id
        raise NotFound(
            f"image with reference {name} was found but does not provide the specified platform"
            f" ({platform})"
        )


def _named(config: ContainerConfig, host_config: HostConfig, container_id: str) -> ContainerConfig:
    """With a host name: the host's own on its network, else the short id."""
    if config.hostname:
        return config
    if "host" in (host_config.network_mode, host_config.uts_mode):
        return replace(config, hostname=os.uname().nodename)
    return replace(config, hostname=naming.short_id(container_id))


def _take_look(source: str, target: str) -> None:
    """overlayfs shows the upper directory as the root, which must look like the image's."""
    look = os.stat(source)
    os.chown(target, look.st_uid, look.st_gid)
    os.chmod(target, stat.S_IMODE(look.st_mode))
