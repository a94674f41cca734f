"""A database that is damaged or lost, made anew of the copies beside what records are about
and of those rows that are whole.

A record of which both are there is taken as the later change left it. A row without a copy is
taken only while what it is about is there: a removal takes the copy first. Nothing of a
user's is deleted: what has no record that can be read is moved below ``lost``.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from drayman.engine import sealing
from drayman.engine.naming import short_id
from drayman.errors import InvalidParameter
from drayman.model.go_json import Wire
from drayman.storage.paths import Paths

if TYPE_CHECKING:
    from drayman.engine.store import Table

# The host's troubles and another process', with the file as good as it was. SQLITE_READONLY
# is one of them only where the file cannot be written: a damaged header asks for it, too.
_HOSTS = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    )
)
# SQLite's extended codes have the plain one in their lowest byte.
_PLAIN = 0xFF


def absence(paths: Paths) -> str:
    """Whether the database is gone though there is something it should know of."""
    if paths.database.exists() and paths.database.stat().st_size:
        return ""
    places = (paths.containers, paths.volumes, paths.images)
    if not any(next(place.iterdir(), None) for place in places if place.exists()):
        return ""
    return "it is empty" if paths.database.exists() else "it is missing"


def is_damage(error: sqlite3.Error, path: Path) -> bool:
    """Whether it is the file that is wrong, not the host or another process."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return True
    if code & _PLAIN == sqlite3.SQLITE_READONLY:
        return os.access(path, os.W_OK)
    return code & _PLAIN not in _HOSTS


class Rebuilding:
    """What is left of a store: `records` with their bodies by table, of `revision` at most."""

    def __init__(
        self, paths: Paths, tables: tuple[Table[Any], ...], database: sqlite3.Connection
    ) -> None:
        """Read rows and copies; nothing is changed yet."""
        self._paths = paths
        self._tables = tables
        self._moment = f"{time.time_ns()}"
        self._remarks: list[str] = []
        self.revision = 0
        self.records: dict[str, list[tuple[Wire, bytes]]] = {
            table.name: self._choose(table, _rows(table, database)) for table in tables
        }

    def set_aside(self) -> str:
        """Complete the copies, and move away the database and what has no record; where the
        database is now. In this order: a crash in between is followed by another rebuilding,
        and no start deletes anything after it that this one would have kept."""
        for table in self._tables:
            known = set()
            copies = dict(table.copies.read())
            for record, body in self.records[table.name]:
                if copies.get(table.copies.place(table.id_of(record))) != body:
                    table.copies.write(table.id_of(record), body)
                known.add(table.copies.place(table.id_of(record)))
            for thing in table.copies.things():
                if not {thing, thing / "record.json"} & known:
                    self._lose(table, thing)
        path = self._paths.database
        aside = path.with_name(f"{path.name}.corrupt-{self._moment}")
        empty = not path.stat().st_size
        for suffix in ("-wal", "-shm", ""):
            file = path.with_name(path.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        return "there was nothing in it to keep" if empty else f"it was set aside as {aside}"

    def summary(self) -> str:
        """What was rebuilt, and what could not be."""
        counts = ", ".join(f"{len(self.records[one.name])} {one.name}" for one in self._tables)
        return "; ".join((f"rebuilt {counts}", *self._remarks))

    def _choose(self, table: Table[Any], rows: list[tuple[Any, int]]) -> list[tuple[Wire, bytes]]:
        latest: dict[str, tuple[int, Any]] = {}
        for place, copy in table.copies.read():
            try:
                record, revision = sealing.unseal(copy, table.shape)
            except InvalidParameter:
                continue
            if table.copies.place(table.id_of(record)) == place:
                latest[table.id_of(record)] = (revision, record)
        for record, revision in rows:
            record_id = table.id_of(record)
            if record_id in latest:
                if latest[record_id][0] < revision:
                    latest[record_id] = (revision, record)
            elif not table.copies.beside or table.copies.place(record_id).parent.exists():
                latest[record_id] = (revision, record)
            else:
                self._remarks.append(f"{table.name} {record_id} has a row alone, and is left out")
        self.revision = max([self.revision, *(revision for revision, _ in latest.values())])
        return self._name(table, sorted(latest.values(), key=lambda one: one[0], reverse=True))

    def _name(self, table: Table[Any], found: list[tuple[int, Any]]) -> list[tuple[Wire, bytes]]:
        """Of several of one name, the last to be changed keeps it."""
        named: list[tuple[Wire, bytes]] = []
        taken: set[str] = set()
        for revision, one in found:
            record, name = one, table.name_of(one)
            if name in taken:
                record = replace(one, name=f"{name}-{short_id(one.id)}")
                self._remarks.append(f"{table.name} {one.id} is now named {record.name}")
            if name is not None:
                taken.add(record.name)
            named.append((record, sealing.seal(record, revision)))
        return named

    def _lose(self, table: Table[Any], thing: Path) -> None:
        place = self._paths.lost / self._moment / table.name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        thing.rename(place / thing.name)
        self._remarks.append(
            f"{table.name} {thing.name} has no record that can be read, what there is of it"
            f" is now in {place}"
        )


def _rows(table: Table[Any], database: sqlite3.Connection) -> list[tuple[Any, int]]:
    """The rows that are whole, as far as the table can be read."""
    found = []
    try:
        for (body,) in database.execute(f"SELECT body FROM {table.name}"):
            try:
                found.append(sealing.unseal(body, table.shape))
            except InvalidParameter:
                continue
    except sqlite3.Error:
        pass
    return found
