"""Every question the API may ask of the engine, grouped by purpose.

The API owns these protocols: it knows no more of the engine than stands here, and the
engine knows no HTTP. Methods raise the kinds of `drayman.errors`. A `name` is what the
client wrote: a full id, a name, or a unique prefix of an id.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from drayman.api.lending import Caller, Framing, LogStream, Session, Tarball, Wait
from drayman.api.options import (
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
from drayman.model.container import (
    Container,
    ContainerConfig,
    HostConfig,
    NetworkingConfig,
)
from drayman.model.event import Event
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.model.registry import AuthConfig

Filters = dict[str, list[str]]


# ---------------------------------------------------------------- exec


class ExecBackend(Protocol):
    """A second process in a running container."""

    async def exec_create(self, name: str, request: ExecRequest) -> str:
        """Register an exec; returns its id."""

    async def exec_check(self, exec_id: str) -> None:
        """Raise what ``start`` answers before the connection is hijacked."""

    async def exec_start(
        self,
        exec_id: str,
        request: ExecStartRequest,
        session: Session | None,
        *,
        slow: Slow = Slow.WAIT,
    ) -> None:
        """Run it: detached without a session, else attached to it, its head to be sent."""

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal, waiting up to 10 s for it to start."""

    async def exec_kill(self, exec_id: str, signal: str) -> None:
        """Signal its process; "" is SIGKILL."""

    async def exec_remove(self, exec_id: str, *, force: bool) -> None:
        """Forget it; one that runs only with ``force``, which kills it."""

    async def exec_inspect(self, exec_id: str) -> dict[str, Any]:
        """The document of ``GET /exec/{id}/json``."""


# ---------------------------------------------------------------- copy


class CopyBackend(Protocol):
    """Files in and out of a container."""

    async def archive_stat(self, name: str, path: str) -> PathStat:
        """What lies at a path; the last component is not followed."""

    async def archive_get(
        self, name: str, path: str, options: TarOptions
    ) -> tuple[PathStat, Tarball]:
        """A tar of the path."""

    async def archive_check(self, name: str, path: str) -> None:
        """Raise what a ``PUT`` answers before its body is read."""

    async def archive_put(
        self,
        name: str,
        path: str,
        fd: int,
        options: PutOptions,
        framing: Framing,
    ) -> bytes:
        """Unpack the body that is read off ``fd``; returns what was read beyond it."""

    async def archive_from(
        self,
        name: str,
        path: str,
        options: PutOptions,
        source: str,
        source_path: str,
        tar_options: TarOptions,
    ) -> None:
        """Unpack the tar that a source, which may be the same container, has of a path of its
        own; of the tar's options only the patterns count."""

    async def export(self, name: str, options: TarOptions) -> Tarball:
        """A tar of the whole root file system, mounts left out."""


# ---------------------------------------------------------------- state


class StateBackend(Protocol):
    """What changes a container's life."""

    async def container_create(
        self,
        name: str | None,
        config: ContainerConfig,
        host_config: HostConfig,
        networking_config: NetworkingConfig,
        platform: str,
    ) -> tuple[str, list[str]]:
        """Make a container; returns its id and warnings."""

    async def container_start(self, name: str) -> None:
        """Start it; NotModified when it runs."""

    async def container_stop(self, name: str, signal: str | None, timeout_s: int | None) -> None:
        """Signal, wait, SIGKILL; returns once the exit is recorded. NotModified when stopped."""

    async def container_restart(self, name: str, signal: str | None, timeout_s: int | None) -> None:
        """Stop if it runs, then start."""

    async def container_kill(self, name: str, signal: str) -> None:
        """Send a signal; SIGKILL (the empty string too) also waits for the end."""

    async def container_pause(self, name: str) -> None:
        """Freeze it."""

    async def container_unpause(self, name: str) -> None:
        """Thaw it."""

    async def container_rename(self, name: str, new_name: str) -> None:
        """Give it another name."""

    async def container_resize(self, name: str, height: int, width: int) -> None:
        """Set the size of its terminal."""

    async def container_wait(self, name: str, condition: str, caller: Caller | None) -> Wait:
        """Register a waiter now, for ``not-running``, ``next-exit`` or ``removed``.

        The ``caller``, where there is one, is kept should the engine die, and answered.
        """

    async def container_remove(self, name: str, *, force: bool, volumes: bool, link: bool) -> None:
        """Remove it, and with ``volumes`` its anonymous volumes."""

    async def container_update(self, name: str, changes: HostConfig) -> list[str] | None:
        """Change limits or the restart policy; returns warnings."""


# ---------------------------------------------------------------- monitor


class MonitorBackend(Protocol):
    """What only looks at containers."""

    async def container_list(
        self, *, all: bool, limit: int, size: bool, filters: Filters
    ) -> list[dict[str, Any]]:
        """The documents of ``GET /containers/json``, newest first."""

    async def container_inspect(self, name: str, *, size: bool) -> dict[str, Any]:
        """The document of ``GET /containers/{id}/json``, at the newest API version."""

    async def container_get(self, name: str) -> Container:
        """The record itself."""

    async def container_top(self, name: str, ps_args: str) -> dict[str, Any]:
        """``{"Titles": […], "Processes": [[…]]}``."""

    async def container_changes(self, name: str, options: ChangeOptions) -> bytes:
        """The document ``[{"Path", "Kind"}]``, sorted by path; ``null`` when nothing changed."""

    async def container_logs(self, name: str, options: LogOptions) -> LogStream:
        """The log, framed unless the container has a terminal. InvalidParameter for a cursor that
        is none of this log, and for an expression that is none."""

    async def container_follow(
        self, name: str, options: LogOptions, session: Session, *, chunked: bool
    ) -> None:
        """Send the log as it grows, behind the session's head, as the body of an answer in
        chunks or not. The connection is the backend's from now on."""

    def container_stats(
        self, name: str, *, stream: bool, one_shot: bool
    ) -> AsyncIterator[dict[str, Any]]:
        """The first sample at once, then one a second until the container is removed; without
        ``stream`` one, which waits for a predecessor unless it is ``one_shot``."""

    def containers_stats(
        self, filters: Filters, *, stream: bool, one_shot: bool
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """As `container_stats`, of every running container that the filters let through."""


# ---------------------------------------------------------------- attach


class AttachBackend(Protocol):
    """Standard streams of a container's main process."""

    async def attach_check(self, name: str, options: AttachOptions) -> Container:
        """Raise what ``attach`` answers instead of a stream; else the container."""

    async def attach(self, name: str, options: AttachOptions, session: Session) -> None:
        """Give the connection, its head to be sent, to the container; returns at once."""


# ---------------------------------------------------------------- prune


class SystemBackend(Protocol):
    """Housekeeping over all containers."""

    async def containers_prune(self, filters: Filters) -> dict[str, Any]:
        """Remove every container that does not run."""


# ---------------------------------------------------------------- images


class ImageBackend(Protocol):
    """Images on this host."""

    async def image_list(
        self, *, all: bool, filters: Filters, shared_size: bool
    ) -> list[dict[str, Any]]:
        """The documents of ``GET /images/json``."""

    async def image_inspect(self, name: str) -> dict[str, Any]:
        """The document of ``GET /images/{name}/json``."""

    async def image_get(self, name: str) -> Image:
        """The record itself."""

    async def image_history(self, name: str) -> list[dict[str, Any]]:
        """The documents of ``GET /images/{name}/history``."""

    async def image_changes(self, name: str, to: str, options: ChangeOptions) -> bytes:
        """What makes the image ``to`` of the named one; as ``container_changes``."""

    async def image_tag(self, name: str, repository: str, tag: str) -> None:
        """Add a name."""

    async def image_remove(self, name: str, *, force: bool, prune: bool) -> list[dict[str, str]]:
        """Untag, and delete with the last tag; ``[{"Untagged": …}, {"Deleted": …}]``."""

    async def image_load(
        self, fd: int, framing: Framing, *, quiet: bool
    ) -> tuple[list[dict[str, Any]], bytes]:
        """Take in a docker-archive or an OCI layout, plain, gzip or zstd; progress
        documents (an ``errorDetail`` among them on failure) and what was read beyond."""

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
        """Make an image of one layer from a tar of a root file system."""


# ---------------------------------------------------------------- volumes, networks


class VolumeBackend(Protocol):
    """Directories that outlive containers."""

    async def volume_list(self, filters: Filters) -> list[Volume]:
        """All of them."""

    async def volume_create(
        self,
        name: str,
        driver: str,
        driver_opts: dict[str, str],
        labels: dict[str, str],
    ) -> Volume:
        """Make one, or return the one of this name and driver."""

    async def volume_inspect(self, name: str) -> Volume:
        """One of them."""

    async def volume_remove(self, name: str, *, force: bool) -> None:
        """Remove it and what it holds."""

    async def volumes_prune(self, filters: Filters) -> dict[str, Any]:
        """Remove the unused ones."""


class NetworkBackend(Protocol):
    """Networks of containers."""

    async def network_list(self, filters: Filters) -> list[Network]:
        """All of them."""

    async def network_inspect(self, name: str) -> tuple[Network, dict[str, dict[str, str]]]:
        """One of them, and the containers on it (``Containers`` of the document)."""


# ---------------------------------------------------------------- host


class HostBackend(Protocol):
    """The engine and the machine it runs on."""

    async def info(self) -> dict[str, Any]:
        """The document of ``GET /info``."""

    async def login(self, auth: AuthConfig) -> str:
        """Whether a registry takes these credentials; the identity token to be used from now
        on, "" for none. Unauthorized when it does not, System when it cannot be asked."""

    async def version(self) -> dict[str, Any]:
        """The engine's part of ``GET /version``; the API adds its own versions."""

    def events(
        self, since_ns: int | None, until_ns: int | None, filters: Filters
    ) -> AsyncIterator[Event]:
        """Past events when a time is given, then live ones."""

    async def disk_usage(self, types: list[str]) -> dict[str, Any]:
        """The usage of each kind, as ``GET /system/df`` has it, with every item; no types: all."""


class Backend(
    ExecBackend,
    CopyBackend,
    StateBackend,
    MonitorBackend,
    AttachBackend,
    SystemBackend,
    ImageBackend,
    VolumeBackend,
    NetworkBackend,
    HostBackend,
    Protocol,
):
    """All of them: what the server hands to the API."""
