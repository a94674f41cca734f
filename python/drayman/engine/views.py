"""Looking into a container's files, whether it runs or not.

A running container is entered, a stopped one is mounted apart, attached nowhere. One upper
directory mounted twice is what overlayfs leaves undefined (names that one mount has in its cache
are gone by the other): so views of a stopped container share one mount, and a start waits until
the last view is closed.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from drayman.engine.blocking import blocking
from drayman.engine.entry import Entry
from drayman.engine.images import Images
from drayman.errors import NotFound
from drayman.model.container import Container
from drayman.storage.files import View
from drayman.storage.paths import Paths

# An exit is recorded within milliseconds.
_ENDING_WAIT_S = 5.0


class Lease:
    """One open view; starts of its container wait until it is closed."""

    def __init__(self, entry: Entry, view: View) -> None:
        self._entry = entry
        self._view: View | None = view
        self.root_fd = view.fileno()

    async def close(self) -> None:
        """Take the view down; harmless twice."""
        if self._view is None:
            return
        view, self._view = self._view, None
        self._entry.views.discard(view)
        try:
            await blocking(view.close)
        finally:
            self._entry.gate.leave()


class Views:
    """Opens views, with the container's mounts in them or not."""

    def __init__(self, paths: Paths, images: Images) -> None:
        self._paths = paths
        self._images = images

    async def open(self, entry: Entry, name: str, *, mounts: bool) -> Lease:
        """The container's root, as it sees it (``mounts``) or the root file system alone."""
        while True:
            try:
                return await self._lease(entry, name, mounts)
            except Ended:
                # Once it is known that it has, the view is one of a stopped container.
                try:
                    await asyncio.wait_for(entry.ended.wait(), _ENDING_WAIT_S)
                except TimeoutError:
                    raise NotFound(f"container {entry.id} is not running") from None

    async def _lease(self, entry: Entry, name: str, mounts: bool) -> Lease:
        async with entry.lock:
            if entry.state.status in ("removing", "dead"):
                raise NotFound(f"No such container: {name}")
            await entry.left()
            entry.gate.enter()
            opening = asyncio.ensure_future(self._open(entry, mounts))
            try:
                view = await asyncio.shield(opening)
            except BaseException as error:
                opening.add_done_callback(lambda done: _abandon(entry, done))
                raise error
            return Lease(entry, view)

    async def _open(self, entry: Entry, mounts: bool) -> View:
        if entry.state.pid:
            return await blocking(enter, entry.record, mounts=mounts)
        # Its own number: the other view may be closed meanwhile.
        beside = next((os.dup(other.fileno()) for other in entry.views), None)
        try:
            view = await blocking(self.stopped, entry.record, mounts=mounts, beside=beside)
        finally:
            if beside is not None:
                os.close(beside)
        entry.views.add(view)
        return view

    def stopped(self, record: Container, *, mounts: bool, beside: int | None = None) -> View:
        """Mount a container's layers apart, or ``beside`` another view once more; blocks. The
        caller keeps it from starting."""
        paths = self._paths.container(record.id)
        return View.stopped(
            self._images.lower(record.image_id),
            str(paths.upper),
            str(paths.work),
            self._mounts(record) if mounts else [],
            record.host_config.readonly_rootfs and mounts,
            beside,
        )

    def _mounts(self, record: Container) -> list[tuple[str, str, bool]]:
        paths = self._paths.container(record.id)
        shown = [
            (point.source, point.destination, not point.rw)
            for point in record.mount_points
            if point.type in ("bind", "volume")
        ]
        taken = {destination for _, destination, _ in shown}
        for source, destination in (
            (paths.resolv_conf, "/etc/resolv.conf"),
            (paths.hostname, "/etc/hostname"),
            (paths.hosts, "/etc/hosts"),
        ):
            if destination not in taken and source.exists():
                shown.append((str(source), destination, False))
        return sorted(shown, key=lambda mount: mount[1].count("/"))


class Ended(Exception):
    """Raised when the run that was to be entered is over, which is recorded in a moment."""


def enter(record: Container, *, mounts: bool) -> View:
    """Enter a running container; blocks. Raises Ended."""
    pid = record.state.pid
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        raise Ended from None
    try:
        # The number may have been given to another process before the descriptor was made.
        if record.id not in _cgroup(pid):
            raise Ended
        return View.running(pid, pidfd, mounts=mounts)
    except NotFound:
        raise Ended from None
    finally:
        os.close(pidfd)


def _cgroup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def _abandon(entry: Entry, opening: asyncio.Future[View]) -> None:
    """Nobody waits for the view any more, or there is none."""
    if not opening.cancelled() and opening.exception() is None:
        entry.views.discard(opening.result())
        opening.result().close()
    entry.gate.leave()
