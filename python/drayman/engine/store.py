"""What the engine remembers: one SQLite file, each change one transaction.

A change that returned is on disk (write-ahead log, synchronous FULL) and survives
``kill -9`` and a loss of power; one that did not return is not there at all.
Each record has a copy beside what it is about (`drayman.engine.record_copies`), from which
a file that was damaged is made anew (`drayman.engine.rebuilding`).
Calls block; the engine makes them through `drayman.engine.blocking`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from drayman.engine import rebuilding, sealing
from drayman.engine.record_copies import Copies
from drayman.errors import InvalidParameter, System
from drayman.model.container import Container
from drayman.model.go_json import Wire
from drayman.model.image import Image
from drayman.model.mount import Volume
from drayman.model.network import Network
from drayman.storage.paths import Paths

# 2: records are sealed, and the file knows its revision. 1 is read, and becomes 2.
SCHEMA_VERSION = 2
# Only another process could hold the file, and the engine's own lock keeps that out: long
# enough for someone's `sqlite3` shell, short enough to be noticed.
BUSY_TIMEOUT_S = 5.0

R = TypeVar("R", bound=Wire)

_log = logging.getLogger(__name__)


class Store:
    """The tables of one engine, safe to use from any thread."""

    def __init__(self, paths: Paths) -> None:
        """Open the file, or make it; one that is damaged is set aside and made anew.

        Raises System when it cannot be had: no right to it, a failing disk, another process
        that holds it, a schema of a newer version.
        """
        self.lock = threading.RLock()
        # Of the last change; each has the next number.
        self._revision = 0
        self.containers: Table[Container] = Table(
            self,
            "containers",
            Container,
            lambda one: one.id,
            lambda one: one.name,
            Copies(paths.containers, beside=True),
        )
        self.images: Table[Image] = Table(
            self,
            "images",
            Image,
            lambda one: one.id,
            lambda one: None,
            Copies(paths.images, beside=False),
        )
        self.networks: Table[Network] = Table(
            self,
            "networks",
            Network,
            lambda one: one.id,
            lambda one: one.name,
            Copies(paths.networks, beside=False),
        )
        self.volumes: Table[Volume] = Table(
            self,
            "volumes",
            Volume,
            lambda one: one.name,
            lambda one: one.name,
            Copies(paths.volumes, beside=True),
        )
        self.tables: tuple[Table[Any], ...] = (
            self.containers,
            self.images,
            self.networks,
            self.volumes,
        )
        try:
            self._open(paths)
        except (sqlite3.Error, OSError) as error:
            raise System(f"cannot open the database {paths.database}: {error}") from None

    def close(self) -> None:
        """Close the file; nothing waits to be written."""
        with self.lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All statements of the block, or none of them; one block at a time."""
        try:
            with self._block() as database:
                yield database
        except sqlite3.Error as error:
            raise System(f"database: {error}") from None

    def advance(self, database: sqlite3.Connection) -> int:
        """The number of the change that this transaction is."""
        self._revision += 1
        database.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (self._revision,))
        return self._revision

    @contextmanager
    def _block(self) -> Iterator[sqlite3.Connection]:
        with self.lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    # ---- opening

    def _open(self, paths: Paths) -> None:
        path = paths.database
        wrong = rebuilding.absence(paths)
        # Environments of containers hold secrets.
        path.touch(mode=0o600)
        self._connect(path)
        if not wrong:
            try:
                self._prepare(path)
                wrong = self._check()
            except sqlite3.Error as error:
                if not rebuilding.is_damage(error, path):
                    raise
                wrong = str(error)
        if not wrong:
            return
        found = rebuilding.Rebuilding(paths, self.tables, self._database)
        # Before the connection ends, which would write what its log has into the file.
        aside = found.set_aside()
        self._database.close()
        path.touch(mode=0o600)
        self._connect(path)
        self._prepare(path)
        self._revision = found.revision
        with self._block() as database:
            for table in self.tables:
                table.insert(database, found.records[table.name])
            self.advance(database)
        _log.error("%s: %s; %s; %s", path, wrong, aside, found.summary())

    def _connect(self, path: Path) -> None:
        self._database = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S
        )

    def _prepare(self, path: Path) -> None:
        """Settings and tables. Raises System for a newer schema, DatabaseError for one that
        the file itself does not agree about."""
        database = self._database
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with self._block():
            database.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")
            known = dict(database.execute("SELECT key, value FROM meta").fetchall())
            schema = str(known.get("schema", version))
            # Version 1 had the number in the table alone.
            if (version, schema) not in ((0, "0"), (0, "1"), (SCHEMA_VERSION, str(SCHEMA_VERSION))):
                if str(version) == schema and version > SCHEMA_VERSION:
                    raise System(
                        f"the database {path} has schema {schema}, this version of Drayman"
                        f" reads schema {SCHEMA_VERSION}"
                    )
                raise sqlite3.DatabaseError(f"schema {schema} and version {version} differ")
            for table in self.tables:
                table.make(database)
            database.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        try:
            self._revision = int(known.get("revision", 0))
        except (TypeError, ValueError):
            raise sqlite3.DatabaseError("its revision is no number") from None

    def _check(self) -> str:
        """What is wrong with a file that opens; copies that are missing or old are written."""
        (verdict,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            return " ".join(str(verdict).split())
        revision = self._revision
        found = (table.check(self._database, revision) for table in self.tables)
        return next(filter(None, found), "")


class Table(Generic[R]):
    """The records of one kind, by id; names, where the kind has them, are unique."""

    def __init__(
        self,
        store: Store,
        name: str,
        shape: type[R],
        id_of: Callable[[R], str],
        name_of: Callable[[R], str | None],
        copies: Copies,
    ) -> None:
        self._store = store
        self.name = name
        self.shape = shape
        self.id_of = id_of
        self.name_of = name_of
        self.copies = copies

    def put(self, *records: R) -> str | None:
        """Write the records, all or none, over those of the same id.

        None when it is done; the id of the record that holds a name when another one wants
        it, and then nothing was written.
        """
        with self._store.lock:
            with self._store.transaction() as database:
                for record in records:
                    holder = database.execute(
                        f"SELECT id FROM {self.name} WHERE name = ? AND id <> ?",
                        (self.name_of(record), self.id_of(record)),
                    ).fetchone()
                    if holder:
                        return str(holder[0])
                revision = self._store.advance(database)
                sealed = [sealing.seal(one, revision) for one in records]
                self.insert(database, list(zip(records, sealed, strict=True)))
            # Never before: a copy without a row tells that a row was lost.
            for record, body in zip(records, sealed, strict=True):
                self._copy(self.id_of(record), body)
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
            rows = database.execute(f"SELECT id, body FROM {self.name} ORDER BY id").fetchall()
        return [self._read(record_id, body) for record_id, body in rows]

    def delete(self, *record_ids: str) -> None:
        """Forget the records, all or none; harmless for those that are not there."""
        with self._store.lock:
            # Before the row: what was removed does not come back from a copy, and what was
            # not removed after all gets its copy again at the next start.
            for record_id in record_ids:
                self.copies.remove(record_id)
            with self._store.transaction() as database:
                self._store.advance(database)
                database.executemany(
                    f"DELETE FROM {self.name} WHERE id = ?",
                    [(record_id,) for record_id in record_ids],
                )

    # ---- for the opening of the store

    def make(self, database: sqlite3.Connection) -> None:
        """Make the table where there is none."""
        database.execute(
            f"CREATE TABLE IF NOT EXISTS {self.name}"
            " (id TEXT PRIMARY KEY, name TEXT UNIQUE, body BLOB NOT NULL) WITHOUT ROWID"
        )

    def insert(self, database: sqlite3.Connection, sealed: list[tuple[R, bytes]]) -> None:
        """Write records with their bodies, over those of the same id."""
        database.executemany(
            f"INSERT INTO {self.name} (id, name, body) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
            [(self.id_of(one), self.name_of(one), body) for one, body in sealed],
        )

    def check(self, database: sqlite3.Connection, revision: int) -> str:
        """What is wrong with the rows of a file of this revision, "" when nothing is; then
        each row has its copy, and there are no others."""
        bodies: dict[str, bytes] = {}
        revisions: dict[str, int] = {}
        unsealed: list[R] = []
        for record_id, name, body in database.execute(f"SELECT id, name, body FROM {self.name}"):
            try:
                record, written = sealing.unseal(body, self.shape)
            except InvalidParameter as error:
                return f"{self.name} {record_id}: {error}"
            if (self.id_of(record), self.name_of(record)) != (record_id, name):
                return f"{self.name} {record_id}: this is the record of {self.id_of(record)}"
            bodies[record_id], revisions[record_id] = body, written
            if not written:
                unsealed.append(record)
        missing = {self.copies.place(record_id): record_id for record_id in bodies}
        for place, copy in self.copies.read():
            record_id = missing.get(place, "")
            if record_id and bodies[record_id] == copy:
                del missing[place]
                continue
            try:
                _, copied = sealing.unseal(copy, self.shape)
            except InvalidParameter:
                continue
            if copied > revisions.get(record_id, revision):
                # Its write-ahead log was cut, or an older file was put in its place.
                return f"it is of revision {revision} and lacks what {place} has of {copied}"
            if not record_id:
                # A removal that was not synced when the power failed.
                place.unlink()
        for record_id in missing.values():
            self._copy(record_id, bodies[record_id])
        if unsealed:
            # By the version before, which had no copies either.
            self.put(*unsealed)
        return ""

    def _copy(self, record_id: str, body: bytes) -> None:
        try:
            self.copies.write(record_id, body)
        except OSError as error:
            # The row is what counts; the next start tries again.
            _log.warning("no copy of the record of %s %s: %s", self.name, record_id, error)

    def _one(self, column: str, value: str) -> R | None:
        with self._store.transaction() as database:
            row = database.execute(
                f"SELECT id, body FROM {self.name} WHERE {column} = ?", (value,)
            ).fetchone()
        return self._read(*row) if row else None

    def _read(self, record_id: str, body: bytes) -> R:
        try:
            return sealing.unseal(body, self.shape)[0]
        except InvalidParameter as error:
            raise System(f"database: {self.name} {record_id}: {error}") from None
