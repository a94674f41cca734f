"""Names of containers: which are allowed, and one for those that came without."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Container as Holder

from drayman.engine.words import ADJECTIVES, SURNAMES
from drayman.errors import InvalidParameter

# Docker's; at least two characters.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_SHORT_ID_LENGTH = 12
# Names without digits, then with one digit, are tried so often before the id is taken.
_ATTEMPTS = 6
_choice = random.SystemRandom().choice


def check(name: str) -> str:
    """The name without its leading slash; InvalidParameter for one that Docker refuses."""
    bare = name.removeprefix("/")
    if not _NAME.fullmatch(bare):
        raise InvalidParameter(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return bare


def generate(taken: Holder[str], container_id: str) -> str:
    """An ``adjective_surname`` that is free, with a digit after collisions, else the short id."""
    for attempt in range(_ATTEMPTS):
        name = f"{_choice(ADJECTIVES)}_{_choice(SURNAMES)}"
        if attempt:
            name += str(secrets.randbelow(10))
        if name not in taken:
            return name
    return short_id(container_id)


def new_id() -> str:
    """64 hexadecimal digits, the first 12 never all decimal: those would read as a number."""
    while True:
        candidate = secrets.token_hex(32)
        if not short_id(candidate).isdecimal():
            return candidate


def short_id(container_id: str) -> str:
    """The part of an id that people read."""
    return container_id[:_SHORT_ID_LENGTH]
