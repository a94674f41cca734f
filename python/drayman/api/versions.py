"""Versions of the API: which are spoken, and how they compare."""

from __future__ import annotations

from functools import lru_cache

from drayman.errors import InvalidParameter

NEWEST = "1.55"
OLDEST = "1.24"
# Longer ones cannot mean a version, and int() would work on them for long.
MAX_VERSION_LENGTH = 32

Version = tuple[int, ...]


@lru_cache(maxsize=256)
def parse(text: str) -> Version:
    """``1.41`` as numbers; parts that are missing count as 0, as in dockerd."""
    numbers = [int(part or 0) for part in text[:MAX_VERSION_LENGTH].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


_NEWEST = parse(NEWEST)
_OLDEST = parse(OLDEST)


class TooOld(InvalidParameter):
    """Raised for a client of the years before OLDEST, which cannot read JSON errors."""


def negotiate(asked: str) -> Version:
    """The version to speak with a client that asked for one, or for none (empty)."""
    if not asked:
        return _NEWEST
    version = parse(asked)
    if version < _OLDEST:
        raise TooOld(
            f"client version {asked} is too old. Minimum supported API version is {OLDEST},"
            " please upgrade your client to a newer version"
        )
    if version > _NEWEST:
        raise InvalidParameter(
            f"client version {asked} is too new. Maximum supported API version is {NEWEST}"
        )
    return version
