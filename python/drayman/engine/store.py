"""What the engine remembers: one SQLite file, each change one transaction.

A change that returned is on disk (write-ahead log, synchronous FULL) and survives
``kill -9`` and a loss of power; one that did not return is not there at all.
Calls block; the engine makes them through `drayman.engine.blocking`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from drayman.errors import InvalidParameter, System
from drayman.model import go_json
from drayman.model.container import Container
from drayman.model.go_json import Wire
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network

SCHEMA_VERSION = 1
# Only another process could hold the file, and the engine's own lock keeps that out: long
# enough for someone's `sqlite3` shell, short enough to be noticed.
BUSY_TIMEOUT_S = 5.0

R = TypeVar("R", bound=Wire)


class Store:
    """The tables of one engine, safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. Raises System when it cannot be read."""
        self._lock = threading.Lock()
        try:
            # Environments of containers hold secrets.
            path.touch(mode=0o600)
            self._database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
            )
            self._prepare(path)
        except (sqlite3.Error, OSError) as error:
            raise System(f"cannot open the database {path}: {error}") from None
        self.containers: Table[Container] = self._table(
            "containers", Container, lambda one: one.id, lambda one: one.name
        )
        self.images: Table[Image] = self._table(
            "images", Image, lambda one: one.id, lambda one: None
        )
        self.networks: Table[Network] = self._table(
            "networks", Network, lambda one: one.id, lambda one: one.name
        )
        self.volumes: Table[Volume] = self._table(
            "volumes", Volume, lambda one: one.name, lambda one: one.name
        )

    def close(self) -> None:
        """Close the file; nothing waits to be written."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block, or none of them; one block at a time."""
        with self._lock:
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

    def _prepare(self, path: Path) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        with self.transaction() as database:
            database.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")
            database.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
            (found,) = database.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
            if int(found) != SCHEMA_VERSION:
                raise System(
                    f"the database {path} has schema {found}, this version of Drayman"
                    f" reads schema {SCHEMA_VERSION}"
                )

    def _table(
        self,
        name: str,
        shape: type[R],
        id_of: Callable[[R], str],
        name_of: Callable[[R], str | None],
    ) -> Table[R]:
        return Table(self, name, shape, id_of, name_of)


class Table(Generic[R]):
    """The records of one kind, by id; names, where the kind has them, are unique."""

    def __init__(
        self,
        store: Store,
        table: str,
        shape: type[R],
        id_of: Callable[[R], str],
        name_of: Callable[[R], str | None],
    ) -> None:
        self._store = store
        self._name = table
        self._shape = shape
        self._id_of = id_of
        self._name_of = name_of
        with store.transaction() as database:
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {table}"
                " (id TEXT PRIMARY KEY, name TEXT UNIQUE, body BLOB NOT NULL) WITHOUT ROWID"
            )

    def put(self, *records: R) -> str | None:
        """Write the records, all or none, over those of the same id.

        None when it is done; the id of the record that holds a name when another one wants
        it, and then nothing was written.
        """
        with self._store.transaction() as database:
            for record in records:
                holder = database.execute(
                    f"SELECT id FROM {self._name} WHERE name = ? AND id <> ?",
                    (self._name_of(record), self._id_of(record)),
                ).fetchone()
                if holder:
                    return str(holder[0])
            database.executemany(
                f"INSERT INTO {self._name} (id, name, body) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
                [(self._id_of(one), self._name_of(one), go_json.dumps(one)) for one in records],
            )
        return None

    def get(self, record_id: str) -> R | None:
        """The record of this full id."""
        return self._one("id", record_id)

    def by_name(self, name: str) -> R | None:
        """The record of this name."""
        return self._one("name", name)

    def all(self) -> list[R]:
        """Every record, sorted by id."""
        with self._store.transaction() as database:
            rows = database.execute(f"SELECT id, body FROM {self._name} ORDER BY id").fetchall()
        return [self._read(record_id, body) for record_id, body in rows]

    def delete(self, *record_ids: str) -> None:
        """Forget the records, all or none; harmless for those that are not there."""
        with self._store.transaction() as database:
            database.executemany(
                f"DELETE FROM {self._name} WHERE id = ?",
                [(record_id,) for record_id in record_ids],
            )

    def _one(self, column: str, value: str) -> R | None:
        with self._store.transaction() as database:
            row = database.execute(
                f"SELECT id, body FROM {self._name} WHERE {column} = ?", (value,)
            ).fetchone()
        return self._read(*row) if row else None

    def _read(self, record_id: str, body: bytes) -> R:
        try:
            return go_json.reload(body, self._shape)
        except InvalidParameter as error:
            raise System(f"database: {self._name} {record_id}: {error}") from None
