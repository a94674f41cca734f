"""Files of containers through descriptors: what the extension offers the engine."""

from drayman._native import (
    View,
    archive_check,
    archive_export,
    archive_pack,
    archive_stat,
    archive_unpack,
    changes,
    changes_between,
    make_directory_in_root,
    open_in_root,
    populate_volume,
)

__all__ = [
    "View",
    "archive_check",
    "archive_export",
    "archive_pack",
    "archive_stat",
    "archive_unpack",
    "changes",
    "changes_between",
    "make_directory_in_root",
    "open_in_root",
    "populate_volume",
]
