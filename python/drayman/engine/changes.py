"""What containers changed, and what lies between two images."""

from __future__ import annotations

import stat
from typing import Any

from drayman.api.options import ChangeOptions
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.storage import files

# The words of `Type`.
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


class Changes:
    """Compares trees by the directories that overlayfs stacks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def container(self, name: str, options: ChangeOptions) -> list[dict[str, Any]] | None:
        """What differs from the image; None when nothing does."""
        record = self._context.containers.find(name).record
        found = await blocking(
            lambda: files.changes(
                str(self._context.paths.container(record.id).upper),
                self._context.lower(record),
                facts=options.size,
                since_ns=options.since_ns,
            )
        )
        return _documents(found)

    async def images(
        self, old: str, new: str, options: ChangeOptions
    ) -> list[dict[str, Any]] | None:
        """What makes the new image of the old one; None when both hold the same."""
        stacks = [self._context.images.stack(name) for name in (old, new)]
        found = await blocking(
            lambda: files.changes_between(*stacks, facts=options.size, since_ns=options.since_ns)
        )
        return _documents(found)


def _documents(found: list[tuple[str, int, tuple[int, int] | None]]) -> list[dict[str, Any]] | None:
    return [
        {"Path": path, "Kind": kind}
        if facts is None
        else {"Path": path, "Kind": kind, "Type": _TYPES[facts[0]], "Size": facts[1]}
        for path, kind, facts in found
    ] or None
