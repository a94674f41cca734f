"""A copy of each record, beside what the record is about: a database that was lost is made anew
from them.

They are written after the database and without a sync, so they cost a start next to nothing;
the database is what is promised. One is removed before its record is, so that what was removed
does not come back.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from drayman.storage.paths import Paths

CONTAINERS, IMAGES, NETWORKS, VOLUMES = "containers", "images", "networks", "volumes"

_NAME = "record.json"
# Environments of containers hold secrets.
_MODE = 0o600
_DIGEST = "sha256:"

_log = logging.getLogger(__name__)


class Copies:
    """The copies of one engine, by table and id. Calls block."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def write(self, table: str, record_id: str, body: bytes) -> None:
        """Keep a copy; one that cannot be written is told of, and the record stands without."""
        path = self._path(table, record_id)
        new = path.with_suffix(".new")
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
            with os.fdopen(fd, "wb") as file:
                file.write(body)
            new.replace(path)
        except FileNotFoundError:
            # What it is about is gone already.
            return
        except OSError as error:
            _log.warning("no copy of the record of %s: %s", record_id, error)

    def remove(self, table: str, record_id: str) -> None:
        """Forget a copy; harmless when there is none."""
        self._path(table, record_id).unlink(missing_ok=True)

    def read(self, table: str, record_id: str) -> bytes:
        """What a copy holds. OSError."""
        return self._path(table, record_id).read_bytes()

    def ids(self, table: str) -> set[str]:
        """The records of which there are copies, readable or not."""
        if table in (CONTAINERS, VOLUMES):
            return {path.parent.name for path in self._home(table).glob(f"*/{_NAME}")}
        prefix = _DIGEST if table == IMAGES else ""
        return {prefix + path.stem for path in self._home(table).glob("*.json")}

    def put_aside(self, container_id: str) -> Path | None:
        """Move the files of a container that has no record any more to where nobody deletes
        them; None when it has none."""
        home = self._paths.container(container_id).home
        aside = self._paths.lost / container_id
        with contextlib.suppress(FileNotFoundError):
            self._paths.lost.mkdir(mode=0o700, exist_ok=True)
            home.rename(aside)
            return aside
        return None

    def homes(self) -> set[str]:
        """The containers that have a directory, and something in it."""
        return {path.parent.name for path in self._paths.containers.glob("*/upper")}

    def _home(self, table: str) -> Path:
        match table:
            case "containers":
                return self._paths.containers
            case "volumes":
                return self._paths.volumes
        return self._paths.records / table

    def _path(self, table: str, record_id: str) -> Path:
        if table in (CONTAINERS, VOLUMES):
            return self._home(table) / record_id / _NAME
        return self._home(table) / f"{record_id.removeprefix(_DIGEST)}.json"
