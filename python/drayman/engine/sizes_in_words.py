"""Sizes as options spell them: ``10m``, ``1.5GB``."""

from __future__ import annotations

import re

from drayman.errors import InvalidParameter

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([kmgtp]?)i?b?", re.IGNORECASE)
_UNITS = " kmgtp"


def parse_size(text: str) -> int:
    """Bytes, in powers of 1024 (docker/go-units, RAMInBytes). Raises InvalidParameter."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * 1024 ** _UNITS.index(match[2].lower() or " "))
