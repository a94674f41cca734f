"""What the engine remembers: one SQLite file, each change one transaction.

A change that returned is on disk (write-ahead log, synchronous FULL) and survives
``kill -9`` and a loss of power; one that did not return is not there at all. A file that was
damaged otherwise is kept under another name, and made anew from the copies of its records.
Calls block; the engine makes them through `drayman.engine.blocking`.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from drayman.engine.copies import CONTAINERS, IMAGES, NETWORKS, VOLUMES, Copies
from drayman.errors import InvalidParameter, System
from drayman.model import go_json
from drayman.model.container import Container
from drayman.model.go_json import Wire
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.storage.paths import Paths

SCHEMA_VERSION = 1
# Only another process could hold the file, and the engine's own lock keeps that out: long
# enough for someone's `sqlite3` shell, short enough to be noticed.
BUSY_TIMEOUT_S = 5.0

# What SQLite says of a file that it can read, and of a host that keeps it from that, rather
# than of what stands in the file (sqlite.org/rescode.html).
_HOSTS_FAULTS = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    )
)
_PRIMARY_CODE = 0xFF

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Wire)


class Damaged(Exception):
    """Raised when the file is not what it was when it was written; says what is wrong."""


class Store:
    """The tables of one engine, safe to use from any thread."""

    def __init__(self, paths: Paths) -> None:
        """Open the file, or make it. Raises System when the host does not let it be read."""
        self._lock = threading.Lock()
        self._path = paths.database
        self.copies = Copies(paths)
        # What it has come from copies alone.
        self.made_anew = False
        self.containers: Table[Container] = Table(
            self, CONTAINERS, Container, lambda one: one.id, lambda one: one.name
        )
        self.images: Table[Image] = Table(self, IMAGES, Image, lambda one: one.id, lambda one: None)
        self.networks: Table[Network] = Table(
            self, NETWORKS, Network, lambda one: one.id, lambda one: one.name
        )
        self.volumes: Table[Volume] = Table(
            self, VOLUMES, Volume, lambda one: one.name, lambda one: one.name
        )
        try:
            self._open_or_make_anew()
        except (sqlite3.Error, OSError) as error:
            raise System(f"cannot open the database {self._path}: {error}") from None

    @property
    def tables(self) -> tuple[Table[Any], ...]:
        """Every table."""
        return self.containers, self.images, self.networks, self.volumes

    def _open_or_make_anew(self) -> None:
        try:
            self._open()
        except Damaged as damage:
            aside = self._set_aside()
            self._open()
            self.made_anew = True
            _log.error(
                "the database %s is damaged (%s): it is kept as %s, and made anew from the"
                " copies of its records",
                self._path,
                damage,
                aside,
            )

    def _open(self) -> None:
        """Open the file and look whether all of it is there. Raises Damaged, sqlite3.Error."""
        self._path.touch(mode=0o600)
        self._database = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
        )
        try:
            self._prepare()
            self._check()
        except sqlite3.Error as error:
            self._database.close()
            if (error.sqlite_errorcode & _PRIMARY_CODE) in _HOSTS_FAULTS:
                raise
            raise Damaged(str(error)) from None
        except BaseException:
            self._database.close()
            raise

    def _check(self) -> None:
        (found,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise Damaged(" ".join(found.split()))
        for table in self.tables:
            for record_id, name, body in self._database.execute(
                f"SELECT id, name, body FROM {table.name}"
            ):
                if not table.holds(record_id, name, body):
                    raise Damaged(f"{table.name}: {record_id!r:.80} is no record")

    def _set_aside(self) -> Path:
        """Rename the file and what belongs to it; the new name."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self._path.with_name(f"{self._path.name}.corrupt-{stamp}")
        number = 1
        while aside.exists():
            number += 1
            aside = aside.with_name(f"{self._path.name}.corrupt-{stamp}-{number}")
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + suffix).rename(f"{aside}{suffix}")
        return aside

    def close(self) -> None:
        """Close the file; nothing waits to be written."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block, or none of them; one block at a time."""
        with self._lock, self._statements() as database:
            yield database

    @contextmanager
    def change(self, then: Callable[[], None]) -> Iterator[sqlite3.Connection]:
        """As `transaction`, and ``then``, once it is on disk, before the next block."""
        with self._lock:
            with self._statements() as database:
                yield database
            then()

    @contextmanager
    def _statements(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise System(f"database: {error}") from None

    def _prepare(self) -> None:
        database = self._database
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")
        database.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
        row = database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        for table in self.tables:
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {table.name}"
                " (id TEXT PRIMARY KEY, name TEXT UNIQUE, body BLOB NOT NULL) WITHOUT ROWID"
            )
        database.execute("COMMIT")
        if row is None or not str(row[0]).isdecimal():
            raise Damaged("its schema has no number")
        if int(row[0]) != SCHEMA_VERSION:
            raise System(
                f"the database {self._path} has schema {row[0]}, this version of Drayman"
                f" reads schema {SCHEMA_VERSION}"
            )


class Table(Generic[R]):
    """The records of one kind, by id; names, where the kind has them, are unique."""

    def __init__(
        self,
        store: Store,
        name: str,
        shape: type[R],
        id_of: Callable[[R], str],
        name_of: Callable[[R], str | None],
    ) -> None:
        self._store = store
        self.name = name
        self.id_of = id_of
        self._shape = shape
        self._name_of = name_of

    def holds(self, record_id: object, name: object, body: object) -> bool:
        """Whether a row is one of this table's: its body can be read and bears its id and name."""
        if not isinstance(record_id, str) or not isinstance(body, bytes):
            return False
        try:
            record = self._read(record_id, body)
        except System:
            return False
        return (self.id_of(record), self._name_of(record)) == (record_id, name)

    def decode(self, record_id: str, body: bytes) -> R:
        """A record from the copy of its body. Raises System when it is not that."""
        record = self._read(record_id, body)
        if self.id_of(record) != record_id:
            raise System(f"database: {self.name} {record_id}: it is {self.id_of(record)}")
        return record

    def put(self, *records: R) -> str | None:
        """Write the records, all or none, over those of the same id.

        None when it is done; the id of the record that holds a name when another one wants
        it, and then nothing was written.
        """
        bodies = [(self.id_of(one), self._name_of(one), go_json.dumps(one)) for one in records]
        holder = None

        def copy() -> None:
            if holder is None:
                for record_id, _, body in bodies:
                    self._store.copies.write(self.name, record_id, body)

        with self._store.change(copy) as database:
            for record in records:
                holder = database.execute(
                    f"SELECT id FROM {self.name} WHERE name = ? AND id <> ?",
                    (self._name_of(record), self.id_of(record)),
                ).fetchone()
                if holder:
                    return str(holder[0])
            database.executemany(
                f"INSERT INTO {self.name} (id, name, body) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
                bodies,
            )
        return None

    def ids(self) -> set[str]:
        """The ids of all records."""
        with self._store.transaction() as database:
            return {row[0] for row in database.execute(f"SELECT id FROM {self.name}")}

    def copy(self, record_id: str) -> None:
        """Write the copy of a record that has none."""
        with self._store.transaction() as database:
            (body,) = database.execute(
                f"SELECT body FROM {self.name} WHERE id = ?", (record_id,)
            ).fetchone()
            self._store.copies.write(self.name, record_id, body)

    def get(self, record_id: str) -> R | None:
        """The record of this full id."""
        return self._one("id", record_id)

    def by_name(self, name: str) -> R | None:
        """The record of this name."""
        return self._one("name", name)

    def all(self) -> list[R]:
        """Every record, sorted by id."""
        with self._store.transaction() as database:
            rows = database.execute(f"SELECT id, body FROM {self.name} ORDER BY id").fetchall()
        return [self._read(record_id, body) for record_id, body in rows]

    def delete(self, *record_ids: str) -> None:
        """Forget the records, all or none; harmless for those that are not there."""
        with self._store.transaction() as database:
            for record_id in record_ids:
                self._store.copies.remove(self.name, record_id)
            database.executemany(
                f"DELETE FROM {self.name} WHERE id = ?",
                [(record_id,) for record_id in record_ids],
            )

    def _one(self, column: str, value: str) -> R | None:
        with self._store.transaction() as database:
            row = database.execute(
                f"SELECT id, body FROM {self.name} WHERE {column} = ?", (value,)
            ).fetchone()
        return self._read(*row) if row else None

    def _read(self, record_id: str, body: bytes) -> R:
        try:
            return go_json.reload(body, self._shape)
        except InvalidParameter as error:
            raise System(f"database: {self.name} {record_id}: {error}") from None
