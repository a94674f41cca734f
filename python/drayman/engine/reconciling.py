"""The database and the copies of its records, brought together at a start.

The database is right where it has a record. A copy without one is a record that was lost, for
whoever removes a record removes its copy first; so a database that was made anew gets them all.
"""

from __future__ import annotations

import logging
from typing import Any

from msgspec.structs import replace

from drayman.engine import naming
from drayman.engine.store import Store, Table
from drayman.errors import System
from drayman.model.container import Container

_log = logging.getLogger(__name__)


def reconcile(store: Store) -> None:
    """Write the copies that are missing, and take in the records that are; blocks."""
    for table in store.tables:
        known, copied = table.ids(), store.copies.ids(table.name)
        for record_id in known - copied:
            # An earlier version made none, or a kill came between record and copy.
            table.copy(record_id)
        lost = sorted(copied - known)
        restored = [record_id for record_id in lost if _restore(store, table, record_id)]
        if restored:
            _log.warning("records found again of %s: %s", table.name, ", ".join(restored))
    if store.made_anew:
        # Who has files and no copy is older than copies are, or its copy was not to be read.
        for container_id in store.copies.homes() - store.containers.ids():
            _put_aside(store, container_id, "nothing tells what it was")


def _restore(store: Store, table: Table[Any], record_id: str) -> bool:
    """Take a record in from its copy; whether that could be done."""
    try:
        record = table.decode(record_id, store.copies.read(table.name, record_id))
        holder = table.put(record)
        if holder is not None:
            if not isinstance(record, Container):
                raise System(f"its name is that of {holder}")
            # A rename was cut short: the name is the other's, and the files are not lost.
            renamed = f"{record.name}_{naming.short_id(record.id)}"
            table.put(replace(record, name=renamed))
            _log.error(
                "container %s is called %s from now on: %s has the name %s",
                record_id,
                renamed,
                holder,
                record.name,
            )
    except (OSError, System) as error:
        if table is store.containers:
            _put_aside(store, record_id, str(error))
        else:
            _log.error("%s: the record of %s cannot be read: %s", table.name, record_id, error)
        return False
    return True


def _put_aside(store: Store, container_id: str, why: str) -> None:
    """Keep the files of a container that cannot be had back."""
    aside = store.copies.put_aside(container_id)
    _log.error("container %s is lost (%s): what it wrote is kept in %s", container_id, why, aside)
