"""Booleans as Go reads them from text."""

from __future__ import annotations

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def parse(text: str) -> bool | None:
    """What Go's ``strconv.ParseBool`` makes of a text; None for its error."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None
