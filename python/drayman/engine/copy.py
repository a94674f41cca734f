"""Files in and out of containers: the archive endpoints and export."""

from __future__ import annotations

import os

from drayman.api.lending import Framing
from drayman.api.options import PathStat, TarOptions
from drayman.engine.blocking import blocking, interruptible
from drayman.engine.context import Context
from drayman.engine.downloads import Packing
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
            packing = Packing(lease.root_fd, path, options, lambda: self._close(entry, lease))
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
        framing: Framing,
        *,
        no_overwrite_dir_non_dir: bool,
        copy_uid_gid: bool,
        codings: list[str],
    ) -> bytes:
        """Unpack a request's body; returns what was read beyond it."""
        entry, lease = await self._open(name)
        try:
            await self._check(lease, name, path)
            owner = await self._owner(entry, lease) if copy_uid_gid else None
            unpacked = await interruptible(
                lambda cancel_fd: files.archive_unpack(
                    lease.root_fd,
                    path,
                    fd,
                    chunked=framing.chunked,
                    length_bytes=framing.length_bytes,
                    early=framing.early,
                    no_overwrite_dir_non_dir=no_overwrite_dir_non_dir,
                    owner=owner,
                    codings=codings,
                    limits=self._limits,
                    cancel_fd=cancel_fd,
                )
            )
            self._context.announce.container(entry.record, "extract-to-dir")
            return unpacked.surplus
        finally:
            await self._close(entry, lease)

    async def export(self, name: str, options: TarOptions) -> Packing:
        """A tar of the root file system without its mounts, ready to be sent."""
        entry = self._context.containers.find(name)
        follow(entry.record, "export", asked=name)
        lease = await self._context.views.open(entry, name, mounts=False)

        def done() -> None:
            self._context.announce.container(entry.record, "export")

        try:
            packing = Packing(lease.root_fd, None, options, lease.close, done)
            await packing.survey()
        except BaseException:
            await lease.close()
            raise
        return packing

    async def _open(self, name: str) -> tuple[Entry, Lease]:
        entry = self._context.containers.find(name)
        lease = await self._context.views.open(entry, name, mounts=True)
        self._context.announce.volumes(entry.record, "mount")
        return entry, lease

    async def _close(self, entry: Entry, lease: Lease) -> None:
        await lease.close()
        self._context.announce.volumes(entry.record, "unmount")

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

    async def _owner(self, entry: Entry, lease: Lease) -> tuple[int, int] | None:
        """The container's user: ``copyUIDGID`` does the reverse of its name."""
        if not entry.record.config.user:
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
