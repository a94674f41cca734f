"""The engine: every question of the API, given to whoever answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from drayman.api.backend import Filters
from drayman.api.lending import (
    TO_THE_END,
    Caller,
    Framing,
    LogStream,
    Session,
    Tarball,
    Wait,
)
from drayman.api.options import (
    DOCKERS_PUT,
    DOCKERS_TAR,
    AttachOptions,
    ChangeOptions,
    ExecRequest,
    ExecStartRequest,
    LogOptions,
    PathStat,
    PutOptions,
    Slow,
    TarOptions,
)
from drayman.config import Config
from drayman.engine.actions import Movement, Observer
from drayman.engine.blocking import blocking
from drayman.engine.building import Verbs, build
from drayman.engine.health import HEALTHS
from drayman.engine.lifecycle import STATUSES
from drayman.engine.memory import give_back
from drayman.engine.ownership import Ownership
from drayman.model import structs
from drayman.model.container import Container, ContainerConfig, HostConfig, NetworkingConfig
from drayman.model.event import Event
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.model.registry import AuthConfig
from drayman.runtime.shim import sealed

T = TypeVar("T")

# How long recordings of exits and removals that are under way may take when it closes.
CLOSE_GRACE_S = 0.3


class Engine:
    """A `drayman.api.backend.Backend` on this host. Changes go on when their client leaves."""

    def __init__(self, verbs: Verbs, ownership: Ownership) -> None:
        self._verbs = verbs
        self._ownership = ownership
        self._finish = verbs.context.tasks.finish
        self._collector = asyncio.ensure_future(verbs.execs.collect())

    @classmethod
    async def open(cls, config: Config) -> Engine:
        """Take the root over, and recover what is on it.

        Raises Conflict when another process has it, System when the host does not do.
        """
        structs.prepare()
        ownership = Ownership(Path(config.root), Path(config.run))
        try:
            verbs = await build(config)
            # Once for all shims; where there is no such program, that is said now.
            await blocking(sealed, config.shim_path)
            await verbs.recovery.run()
            await blocking(give_back)
        except BaseException:
            ownership.release()
            raise
        return cls(verbs, ownership)

    async def close(self) -> None:
        """Let go of everything; containers run on."""
        context = self._verbs.context
        self._collector.cancel()
        for entry in context.containers:
            if entry.restart is not None:
                entry.restart.cancel()
        await context.tasks.close(CLOSE_GRACE_S)
        for entry in context.containers:
            if entry.shim is not None:
                await entry.shim.close()
        context.hang_ups.close()
        context.watches.close()
        context.networks.close()
        await context.events.close()
        context.store.close()
        self._ownership.release()

    # ---- for who measures it

    def observe(self, observer: Observer, movement: Movement) -> None:
        """Have each action of the engine told of, from now on, and all bytes that it moves."""
        actions = self._verbs.context.actions
        actions.observer, actions.movement = observer, movement

    def states(self) -> dict[str, int]:
        """How many containers are in each state."""
        found = [entry.state.status for entry in self._verbs.context.containers]
        return {status: found.count(status) for status in STATUSES}

    def healths(self) -> dict[str, int]:
        """How many of the running containers that are checked are in which health."""
        found = [
            entry.health.status
            for entry in self._verbs.context.containers
            if entry.health is not None and entry.state.running
        ]
        return {health: found.count(health) for health in HEALTHS}

    async def _act(self, action: str, work: Coroutine[Any, Any, T]) -> T:
        return await self._finish(self._verbs.context.actions.timed(action, work))

    # ---- exec

    async def exec_create(self, name: str, request: ExecRequest) -> str:
        return await self._verbs.execs.create(name, request)

    async def exec_check(self, exec_id: str) -> None:
        self._verbs.execs.check(exec_id)

    async def exec_start(
        self,
        exec_id: str,
        request: ExecStartRequest,
        session: Session | None,
        *,
        slow: Slow = Slow.WAIT,
    ) -> None:
        await self._act("exec", self._verbs.execs.start(exec_id, request, session, slow))

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        await self._verbs.execs.resize(exec_id, height, width)

    async def exec_kill(self, exec_id: str, signal: str) -> None:
        await self._verbs.execs.kill(exec_id, signal)

    async def exec_remove(self, exec_id: str, *, force: bool) -> None:
        await self._finish(self._verbs.execs.remove(exec_id, force=force))

    async def exec_inspect(self, exec_id: str) -> dict[str, Any]:
        return self._verbs.execs.inspect(exec_id)

    # ---- copy

    async def archive_stat(self, name: str, path: str) -> PathStat:
        """What lies at a path of a container. NotFound for neither."""
        return await self._verbs.copying.stat(name, path)

    async def archive_get(
        self, name: str, path: str, options: TarOptions = DOCKERS_TAR
    ) -> tuple[PathStat, Tarball]:
        """What lies at a path, and a tar of it, whose ``send`` writes it to a descriptor and
        which is to be closed otherwise: until then the container does not start."""
        return await self._verbs.copying.get(name, path, options)

    async def archive_check(self, name: str, path: str) -> None:
        await self._verbs.copying.check(name, path)

    async def archive_put(
        self,
        name: str,
        path: str,
        fd: int,
        options: PutOptions = DOCKERS_PUT,
        framing: Framing = TO_THE_END,
    ) -> bytes:
        """Unpack the tar on a descriptor into a directory of a container: what ``framing`` tells
        of it, by default all there is. Returns what was read beyond it."""
        return await self._verbs.copying.put(name, path, fd, options, framing)

    async def archive_from(
        self,
        name: str,
        path: str,
        options: PutOptions,
        source: str,
        source_path: str,
        tar_options: TarOptions = DOCKERS_TAR,
    ) -> None:
        """Copy what lies at a path of a source, a container too, into another's directory."""
        await self._verbs.copying.transfer(name, path, options, source, source_path, tar_options)

    async def export(self, name: str, options: TarOptions = DOCKERS_TAR) -> Tarball:
        """A tar of a container's root file system without its mounts; as of `archive_get`."""
        return await self._verbs.copying.export(name, options)

    # ---- state

    async def container_create(
        self,
        name: str | None,
        config: ContainerConfig,
        host_config: HostConfig,
        networking_config: NetworkingConfig,
        platform: str,
    ) -> tuple[str, list[str]]:
        return await self._act(
            "create",
            self._verbs.creating.create(name, config, host_config, networking_config, platform),
        )

    async def container_start(self, name: str) -> None:
        await self._act("start", self._verbs.starting.start(name))

    async def container_stop(self, name: str, signal: str | None, timeout_s: int | None) -> None:
        await self._act("stop", self._verbs.stopping.stop(name, signal, timeout_s))

    async def container_restart(self, name: str, signal: str | None, timeout_s: int | None) -> None:
        await self._act("restart", self._verbs.stopping.restart(name, signal, timeout_s))

    async def container_kill(self, name: str, signal: str) -> None:
        await self._act("kill", self._verbs.stopping.kill(name, signal))

    async def container_pause(self, name: str) -> None:
        await self._act("pause", self._verbs.pausing.pause(name))

    async def container_unpause(self, name: str) -> None:
        await self._act("unpause", self._verbs.pausing.unpause(name))

    async def container_rename(self, name: str, new_name: str) -> None:
        await self._act("rename", self._verbs.renaming.rename(name, new_name))

    async def container_resize(self, name: str, height: int, width: int) -> None:
        await self._verbs.attaching.resize(name, height, width)

    async def container_wait(self, name: str, condition: str, caller: Caller | None) -> Wait:
        return await self._verbs.waiting.register(name, condition, caller)

    async def container_remove(self, name: str, *, force: bool, volumes: bool, link: bool) -> None:
        await self._act(
            "remove", self._verbs.removing.remove(name, force=force, volumes=volumes, link=link)
        )

    async def container_update(self, name: str, changes: HostConfig) -> list[str] | None:
        return await self._act("update", self._verbs.updating.update(name, changes))

    # ---- monitor

    async def container_list(
        self, *, all: bool, limit: int, size: bool, filters: Filters
    ) -> list[dict[str, Any]]:
        return await self._verbs.listing.list(all=all, limit=limit, size=size, filters=filters)

    async def container_inspect(self, name: str, *, size: bool) -> dict[str, Any]:
        return await self._verbs.inspecting.inspect(name, size=size)

    async def container_get(self, name: str) -> Container:
        return self._verbs.context.containers.find(name).record

    async def container_top(self, name: str, ps_args: str) -> dict[str, Any]:
        return await self._verbs.top.list(name, ps_args)

    async def container_changes(self, name: str, options: ChangeOptions) -> bytes:
        return await self._verbs.changes.container(name, options)

    async def container_follow(
        self, name: str, options: LogOptions, session: Session, *, chunked: bool
    ) -> None:
        await self._finish(self._verbs.logs.follow(name, options, session, chunked=chunked))

    async def container_logs(self, name: str, options: LogOptions) -> LogStream:
        return self._verbs.logs.open(name, options)

    def container_stats(
        self, name: str, *, stream: bool, one_shot: bool
    ) -> AsyncIterator[dict[str, Any]]:
        return self._verbs.stats.samples(name, stream=stream, one_shot=one_shot)

    def containers_stats(
        self, filters: Filters, *, stream: bool, one_shot: bool
    ) -> AsyncIterator[list[dict[str, Any]]]:
        return self._verbs.stats.all_samples(filters, stream=stream, one_shot=one_shot)

    # ---- attach

    async def attach_check(self, name: str, options: AttachOptions) -> Container:
        return self._verbs.attaching.check(name, options)

    async def attach(self, name: str, options: AttachOptions, session: Session) -> None:
        await self._finish(self._verbs.attaching.attach(name, options, session))

    # ---- prune

    async def containers_prune(self, filters: Filters) -> dict[str, Any]:
        return await self._verbs.removing.prune(filters)

    # ---- images

    async def image_list(
        self, *, all: bool, filters: Filters, shared_size: bool
    ) -> list[dict[str, Any]]:
        images = self._verbs.context.images
        return await images.image_list(all=all, filters=filters, shared_size=shared_size)

    async def image_inspect(self, name: str) -> dict[str, Any]:
        return await self._verbs.context.images.image_inspect(name)

    async def image_get(self, name: str) -> Image:
        return await self._verbs.context.images.image_get(name)

    async def image_history(self, name: str) -> list[dict[str, Any]]:
        return await self._verbs.context.images.image_history(name)

    async def image_changes(self, name: str, to: str, options: ChangeOptions) -> bytes:
        return await self._verbs.changes.images(name, to, options)

    async def image_tag(self, name: str, repository: str, tag: str) -> None:
        await self._finish(self._verbs.context.images.image_tag(name, repository, tag))

    async def image_remove(self, name: str, *, force: bool, prune: bool) -> list[dict[str, str]]:
        return await self._finish(
            self._verbs.context.images.image_remove(name, force=force, prune=prune)
        )

    async def image_load(
        self, fd: int, framing: Framing, *, quiet: bool
    ) -> tuple[list[dict[str, Any]], bytes]:
        return await self._verbs.context.images.image_load(fd, framing, quiet=quiet)

    async def image_import(
        self,
        fd: int,
        framing: Framing,
        *,
        repository: str,
        tag: str,
        message: str,
        changes: list[str],
        platform: str,
    ) -> tuple[list[dict[str, Any]], bytes]:
        return await self._verbs.context.images.image_import(
            fd,
            framing,
            repository=repository,
            tag=tag,
            message=message,
            changes=changes,
            platform=platform,
        )

    # ---- volumes, networks

    async def volume_list(self, filters: Filters) -> list[Volume]:
        return await self._verbs.context.volumes.volume_list(filters)

    async def volume_create(
        self, name: str, driver: str, driver_opts: dict[str, str], labels: dict[str, str]
    ) -> Volume:
        volumes = self._verbs.context.volumes
        return await self._finish(volumes.volume_create(name, driver, driver_opts, labels))

    async def volume_inspect(self, name: str) -> Volume:
        return await self._verbs.context.volumes.volume_inspect(name)

    async def volume_remove(self, name: str, *, force: bool) -> None:
        await self._finish(self._verbs.context.volumes.volume_remove(name, force=force))

    async def volumes_prune(self, filters: Filters) -> dict[str, Any]:
        return await self._verbs.context.volumes.volumes_prune(filters)

    async def network_list(self, filters: Filters) -> list[Network]:
        return self._verbs.context.networks.list(filters)

    async def network_inspect(self, name: str) -> tuple[Network, dict[str, dict[str, str]]]:
        return self._verbs.context.networks.inspect(name)

    # ---- host

    async def info(self) -> dict[str, Any]:
        return await self._verbs.system.info()

    async def login(self, auth: AuthConfig) -> str:
        return await self._verbs.system.login(auth)

    async def version(self) -> dict[str, Any]:
        return await self._verbs.system.version()

    def events(
        self, since_ns: int | None, until_ns: int | None, filters: Filters
    ) -> AsyncIterator[Event]:
        return self._verbs.context.events.subscribe(since_ns, until_ns, filters)

    async def disk_usage(self, types: list[str]) -> dict[str, Any]:
        return await self._verbs.disk_usage.measure(types)
