"""Files in and out of containers: the archive endpoints and export."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from drayman.api.lending import Framing
from drayman.api.options import PathStat, PutOptions, TarOptions
from drayman.engine.actions import BETWEEN, IN, OUT
from drayman.engine.blocking import blocking, interruptible
from drayman.engine.context import Context
from drayman.engine.downloads import Packing, log_left_out
from drayman.engine.entry import Entry
from drayman.engine.lifecycle import follow
from drayman.engine.views import Lease
from drayman.errors import InvalidParameter, NotFound
from drayman.runtime.users import resolve
from drayman.storage import files


class Copying:
    """Answers for the files of containers; the bytes go past Python."""

    def __init__(self, context: Context) -> None:
        self._context = context
        config = context.config
        self._limits = (
            config.unpack_entries,
            config.unpack_ratio,
            config.unpack_ratio_from_mib << 20,
        )

    async def stat(self, name: str, path: str) -> PathStat:
        """What lies at a path; volumes count as mounted for the look."""
        entry, lease = await self._open(name)
        try:
            return await self._stat(lease, name, path)
        finally:
            await self._close(entry, lease)

    async def get(self, name: str, path: str, options: TarOptions) -> tuple[PathStat, Packing]:
        """A path's state and its tar, ready to be sent."""
        entry, lease = await self._open(name)
        try:
            stat = await self._stat(lease, name, path)
            packing = Packing(
                lease.root_fd, path, options, lambda: self._close(entry, lease), self._moved_out
            )
            await packing.survey()
        except BaseException:
            await self._close(entry, lease)
            raise
        self._context.announce.container(entry.record, "archive-path")
        return stat, packing

    async def check(self, name: str, path: str) -> None:
        """Raise what unpacking at a path would, before the body is read."""
        entry, lease = await self._open(name)
        try:
            await self._check(lease, name, path)
        finally:
            await self._close(entry, lease)

    async def put(
        self,
        name: str,
        path: str,
        fd: int,
        options: PutOptions,
        framing: Framing,
    ) -> bytes:
        """Unpack a request's body; returns what was read beyond it."""
        entry, lease = await self._open(name)
        try:
            await self._check(lease, name, path)
            owner = await self._owner(entry, lease, options)
            unpacked = await interruptible(
                lambda cancel_fd: files.archive_unpack(
                    lease.root_fd,
                    path,
                    fd,
                    chunked=framing.chunked,
                    length_bytes=framing.length_bytes,
                    early=framing.early,
                    no_overwrite_dir_non_dir=options.no_overwrite_dir_non_dir,
                    owner=owner,
                    name=options.name,
                    codings=options.codings,
                    limits=self._limits,
                    cancel_fd=cancel_fd,
                )
            )
            self._context.actions.moved(IN, unpacked.content_bytes)
            self._context.announce.container(entry.record, "extract-to-dir")
            return unpacked.surplus
        finally:
            await self._close(entry, lease)

    async def transfer(
        self,
        name: str,
        path: str,
        options: PutOptions,
        source: str,
        source_path: str,
        tar_options: TarOptions,
    ) -> None:
        """`get` of a source, and `put` of that, without the bytes in between."""
        async with self._both(source, name) as (origin, entry, origin_lease, lease):
            await self._stat(origin_lease, source, source_path)
            await self._check(lease, name, path)
            owner = await self._owner(entry, lease, options)
            self._context.announce.container(origin.record, "archive-path")
            copied = await interruptible(
                lambda cancel_fd: files.archive_transfer(
                    origin_lease.root_fd,
                    source_path,
                    lease.root_fd,
                    path,
                    include=tar_options.include,
                    exclude=tar_options.exclude,
                    name=options.name,
                    no_overwrite_dir_non_dir=options.no_overwrite_dir_non_dir,
                    owner=owner,
                    cancel_fd=cancel_fd,
                )
            )
            log_left_out(copied)
            self._context.actions.moved(BETWEEN, copied.tar_bytes)
            self._context.announce.container(entry.record, "extract-to-dir")

    async def export(self, name: str, options: TarOptions) -> Packing:
        """A tar of the root file system without its mounts, ready to be sent."""
        entry = self._context.containers.find(name)
        follow(entry.record, "export", asked=name)
        lease = await self._context.views.open(entry, name, mounts=False)

        def done() -> None:
            self._context.announce.container(entry.record, "export")

        try:
            packing = Packing(lease.root_fd, None, options, lease.close, self._moved_out, done)
            await packing.survey()
        except BaseException:
            await lease.close()
            raise
        return packing

    def _moved_out(self, size_bytes: int) -> None:
        self._context.actions.moved(OUT, size_bytes)

    async def _open(self, name: str) -> tuple[Entry, Lease]:
        entry = self._context.containers.find(name)
        lease = await self._context.views.open(entry, name, mounts=True)
        self._context.announce.volumes(entry.record, "mount")
        return entry, lease

    async def _close(self, entry: Entry, lease: Lease) -> None:
        await lease.close()
        self._context.announce.volumes(entry.record, "unmount")

    @asynccontextmanager
    async def _both(
        self, source: str, name: str
    ) -> AsyncIterator[tuple[Entry, Entry, Lease, Lease]]:
        """Two containers and their files; one view where both are the same."""
        origin, entry = (self._context.containers.find(one) for one in (source, name))
        leases: dict[str, Lease] = {}
        async with AsyncExitStack() as opened:
            for one, asked in {origin.id: source, entry.id: name}.items():
                holder, leases[one] = await self._open(asked)
                opened.push_async_callback(self._close, holder, leases[one])
            yield origin, entry, leases[origin.id], leases[entry.id]

    async def _stat(self, lease: Lease, name: str, path: str) -> PathStat:
        try:
            found = await blocking(files.archive_stat, lease.root_fd, path)
        except NotFound:
            raise _missing(name, path) from None
        return PathStat(
            name=found.name,
            size_bytes=found.size_bytes,
            mode=found.mode,
            mtime_ns=found.mtime_ns,
            link_target=found.link_target,
        )

    async def _check(self, lease: Lease, name: str, path: str) -> None:
        try:
            await blocking(_check_writable, lease.root_fd, path)
        except NotFound:
            raise _missing(name, path) from None

    async def _owner(
        self, entry: Entry, lease: Lease, options: PutOptions
    ) -> tuple[int, int] | None:
        """The container's user: ``copyUIDGID`` does the reverse of its name."""
        if not options.copy_uid_gid or not entry.record.config.user:
            return None
        user = await blocking(resolve, lease.root_fd, entry.record.config.user, [])
        return user.uid, user.gid


def _missing(name: str, path: str) -> NotFound:
    return NotFound(f"Could not find the file {path} in container {name}")


def _check_writable(root_fd: int, path: str) -> None:
    """The place resolved must be a directory, and not on a read-only mount."""
    files.archive_check(root_fd, path)
    place = files.open_in_root(root_fd, path, os.O_PATH | os.O_DIRECTORY)
    try:
        if not os.fstatvfs(place).f_flag & os.ST_RDONLY:
            return
        at_root = _mount_id(place) == _mount_id(root_fd)
    finally:
        os.close(place)
    raise InvalidParameter(
        "container rootfs is marked read-only" if at_root else "mounted volume is marked read-only"
    )


def _mount_id(fd: int) -> str:
    with open(f"/proc/self/fdinfo/{fd}") as lines:
        return next(line for line in lines if line.startswith("mnt_id:"))
