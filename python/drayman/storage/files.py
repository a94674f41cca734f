"""Files of containers through descriptors: what the extension offers the engine."""

from drayman._native import (
    Passed,
    Received,
    Sent,
    Tar,
    View,
    archive_check,
    archive_stat,
    archive_transfer,
    archive_unpack,
    changes,
    changes_between,
    make_directory_in_root,
    open_in_root,
    populate_volume,
    receive_file,
    receive_tree,
)

__all__ = [
    "Passed",
    "Received",
    "Sent",
    "Tar",
    "View",
    "archive_check",
    "archive_stat",
    "archive_transfer",
    "archive_unpack",
    "changes",
    "changes_between",
    "make_directory_in_root",
    "open_in_root",
    "populate_volume",
    "receive_file",
    "receive_tree",
]
