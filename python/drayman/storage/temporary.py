"""Half-made and half-gone things: everything long-lived is made here and renamed into place,
and renamed back here before it is deleted, so that a crash leaves whole things only."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drayman.storage.paths import Paths

_NAME_BYTES = 8


@contextmanager
def directory(paths: Paths) -> Iterator[Path]:
    """A new directory on the file system of ``root``; what is left in it is deleted."""
    place = paths.temporary / secrets.token_hex(_NAME_BYTES)
    place.mkdir(mode=0o700)
    try:
        yield place
    finally:
        # What a failing disk keeps is cleared when the engine starts next.
        erase(place)


def erase(tree: Path) -> None:
    """Delete a tree, however deep a container has made it; what cannot be deleted stays."""
    try:
        shutil.rmtree(tree, ignore_errors=True)
    except RecursionError:
        # Before Python 3.13 it calls itself once for each level; rm(1) does not.
        subprocess.run(["rm", "-rf", "--", str(tree)], stderr=subprocess.DEVNULL, check=False)


def discard(paths: Paths, unwanted: Path) -> None:
    """Delete a file or tree: at once for whoever looks, in its own time for the disk.

    Harmless when there is nothing.
    """
    with directory(paths) as place:
        try:
            unwanted.rename(place / "discarded")
        except FileNotFoundError:
            return


def clear(paths: Paths) -> None:
    """Delete what an engine that was killed left half made; for the start alone."""
    for remains in list(paths.temporary.iterdir()):
        if remains.is_dir() and not remains.is_symlink():
            erase(remains)
        else:
            remains.unlink(missing_ok=True)
