"""Every container the engine has, by id and by name."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from drayman.engine.entry import Entry
from drayman.errors import Conflict, InvalidParameter, NotFound
from drayman.model.container import Container


class Containers:
    """Finds containers the way Docker does, and keeps their names unique."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        # Names also stand for containers that are still being made.
        self._names: dict[str, str] = {}
        # What is being made needs its image and its volumes already.
        self.making: dict[str, Container] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def newest_first(self) -> list[Entry]:
        """All of them, by creation."""
        return sorted(self, key=lambda entry: entry.record.created_at_ns, reverse=True)

    @property
    def names(self) -> dict[str, str]:
        """The id that has each name."""
        return self._names

    def find(self, name: str) -> Entry:
        """By full id, then by name, then by unique prefix of an id (Docker's order).

        Raises InvalidParameter for an empty name or an ambiguous prefix, else NotFound.
        """
        entry = self._entries.get(name)
        if entry is not None:
            return entry
        if not name:
            raise InvalidParameter("invalid container name or ID: value is empty")
        entry = self._entries.get(self._names.get(name.removeprefix("/"), ""))
        if entry is not None:
            return entry
        matches = [entry for key, entry in self._entries.items() if key.startswith(name)]
        if len(matches) > 1:
            raise InvalidParameter(f"multiple IDs found with provided prefix: {name}")
        if not matches:
            raise NotFound(f"No such container: {name}")
        return matches[0]

    def get(self, container_id: str) -> Entry | None:
        """By full id."""
        return self._entries.get(container_id)

    def of_image(self, image_id: str) -> list[Container]:
        """Those made from an image, or being made."""
        return [record for record in self._all() if record.image_id == image_id]

    def of_volume(self, name: str) -> list[str]:
        """The ids of those that mount a volume, or are going to."""
        return [
            record.id
            for record in self._all()
            if any(point.name == name for point in record.mount_points)
        ]

    def records(self) -> list[Container]:
        """The records of all of them, those being made left out."""
        return [entry.record for entry in self._entries.values()]

    def _all(self) -> list[Container]:
        return self.records() + list(self.making.values())

    def reserve(self, name: str, container_id: str) -> None:
        """Take a name; Conflict, in Docker's words (clients parse them), when it is taken."""
        owner = self._names.get(name)
        if owner is not None and owner != container_id:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}".'
                " You have to remove (or rename) that container to be able to reuse that name."
            )
        self._names[name] = container_id

    def release(self, name: str, container_id: str) -> None:
        """Give a name back, if it is this container's."""
        if self._names.get(name) == container_id:
            del self._names[name]

    def add(self, record: Container) -> Entry:
        """Take in a container whose name is reserved, or was when the engine last ran."""
        self._names[record.name] = record.id
        entry = self._entries[record.id] = Entry(record)
        return entry

    def rename(self, entry: Entry, name: str) -> str:
        """Give a reserved name to a container; returns the old one, which is free then."""
        old = entry.record.name
        entry.record = replace(entry.record, name=name)
        self.release(old, entry.id)
        return old

    def discard(self, entry: Entry) -> None:
        """Forget a container; its name is free."""
        self._entries.pop(entry.id, None)
        self.release(entry.record.name, entry.id)
