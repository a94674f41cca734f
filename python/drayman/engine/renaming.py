"""Giving a container another name."""

from __future__ import annotations

from drayman.engine import naming
from drayman.engine.context import Context
from drayman.errors import Conflict, InvalidParameter


class Renaming:
    """Renames containers, running or not."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def rename(self, name: str, new_name: str) -> None:
        """Take the new name, then give the old one back."""
        new_name = new_name.strip()
        if not name or not new_name:
            raise InvalidParameter("Neither old nor new names may be empty")
        entry = self._context.containers.find(name)
        async with entry.lock:
            self._context.present(entry, name)
            if new_name.removeprefix("/") == entry.record.name:
                raise InvalidParameter(
                    "Renaming a container with the same name as its current name"
                )
            try:
                checked = naming.check(f"/{new_name.removeprefix('/')}")
                self._context.containers.reserve(checked, entry.id)
            except (InvalidParameter, Conflict) as error:
                raise type(error)(f"Error when allocating new name: {error}") from None
            old = self._context.containers.rename(entry, checked)
            await self._context.save(entry.record)
        self._context.announce.container(entry.record, "rename", oldName=f"/{old}")
