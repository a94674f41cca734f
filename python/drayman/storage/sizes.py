"""How much lies on disk."""

from __future__ import annotations

from pathlib import Path

from drayman import _native


def tree_size_bytes(directory: Path) -> int:
    """The bytes of the regular files below a directory, hard links counted once; blocks."""
    return _native.tree_size_bytes(str(directory))
