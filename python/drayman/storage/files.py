"""Files of containers through descriptors: what the extension offers the engine."""

from drayman._native import (
    Sent,
    Tar,
    View,
    archive_check,
    archive_stat,
    archive_unpack,
    changes,
    archive_transfer,
    changes_between,
    make_directory_in_root,
    open_in_root,
    populate_volume,
)

__all__ = [
    "Tar",
    "View",
    "archive_check",
    "archive_stat",
    "Sent",
    "archive_unpack",
    "changes",
    "changes_between",
    "make_directory_in_root",
    "open_in_root",
    "populate_volume",
    "archive_transfer",
]
