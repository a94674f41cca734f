"""Copies of the store's records, each beside what it is about.

They are there for the day on which the database is damaged, and nothing else reads them.
None is synced, for the database is: it is written once the row is, and gone before the row
is. So a copy that is newer than the database tells that the database lost something.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_RECORD = "record.json"


class Copies:
    """The copies of one kind: in the directory of each thing, or (`beside` False) as a file
    of its own where what it is about is shared by many."""

    def __init__(self, directory: Path, *, beside: bool) -> None:
        self.directory = directory
        self.beside = beside

    def place(self, record_id: str) -> Path:
        """Where the copy of a record is."""
        # The digests of images bear the name of their function.
        name = record_id.removeprefix("sha256:")
        return self.directory / name / _RECORD if self.beside else self.directory / f"{name}.json"

    def write(self, record_id: str, body: bytes) -> None:
        """Write the copy over the one before.

        In place: a file renamed over another is flushed by ext4 (auto_da_alloc), and the next
        row's sync waits for that, which made it three times as long. A copy that a crash tore
        is not whole by its seal, and the next start writes it again from the row.
        """
        place = self.place(record_id)
        place.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        # Environments of containers hold secrets.
        with os.fdopen(
            os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(body)
            file.truncate()

    def remove(self, record_id: str) -> None:
        """Remove the copy; harmless where there is none."""
        self.place(record_id).unlink(missing_ok=True)

    def read(self) -> Iterator[tuple[Path, bytes | None]]:
        """Every copy by its place; None for one that cannot be read."""
        for thing in self.things():
            place = thing / _RECORD if self.beside else thing
            try:
                yield place, place.read_bytes()
            except OSError:
                yield place, None

    def things(self) -> list[Path]:
        """What a copy may be of: directories, or else the copies themselves."""
        pattern = "*" if self.beside else "*.json"
        return sorted(self.directory.glob(pattern))
