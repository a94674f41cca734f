"""What containers changed, and what lies between two images."""

from __future__ import annotations

from drayman.api.options import ChangeOptions
from drayman.engine.blocking import blocking
from drayman.engine.context import Context
from drayman.storage import files


class Changes:
    """Compares trees by the directories that overlayfs stacks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def container(self, name: str, options: ChangeOptions) -> bytes:
        """What differs from the image, as a JSON document."""
        record = self._context.containers.find(name).record
        return await blocking(
            files.changes,
            str(self._context.paths.container(record.id).upper),
            self._context.lower(record),
            facts=options.size,
            since_ns=options.since_ns,
        )

    async def images(self, old: str, new: str, options: ChangeOptions) -> bytes:
        """What makes the new image of the old one, as a JSON document."""
        stacks = [self._context.images.stack(name) for name in (old, new)]
        return await blocking(
            files.changes_between, *stacks, facts=options.size, since_ns=options.since_ns
        )
