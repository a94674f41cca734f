"""Directories of volumes: there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from drayman.storage import durable, sizes, temporary
from drayman.storage.paths import Paths


def create(paths: Paths, name: str) -> Path:
    """Make a volume's directory, or take the one that is there; returns what is mounted.

    Durable when it returns; blocks.
    """
    place = paths.volume(name)
    if not place.exists():
        with temporary.directory(paths) as half:
            new = half / "volume"
            new.mkdir(mode=0o701)
            (new / "_data").mkdir()
            (new / "_data").chmod(0o755)
            durable.sync_directory(new)
            new.rename(place)
        durable.sync_directory(place.parent)
    return paths.volume_data(name)


def remove(paths: Paths, name: str) -> None:
    """Delete a volume's directory and what it holds; harmless when it is gone. Blocks."""
    temporary.discard(paths, paths.volume(name))


def size_bytes(paths: Paths, name: str) -> int:
    """The bytes of a volume's files; 0 when it is gone."""
    data = paths.volume_data(name)
    return sizes.tree_size_bytes(data) if data.exists() else 0
