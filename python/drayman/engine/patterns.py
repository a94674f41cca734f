"""Patterns that clients send: Go's regular expressions.

Python's own can take longer than the universe for a pattern of a line, and the engine would
stand still meanwhile. RE2 is what Go's are made after, and takes time by the text's length.
"""

from __future__ import annotations

from typing import Any

import re2

BadPattern = re2.error

_OPTIONS = re2.Options()
# To standard error, else.
_OPTIONS.log_errors = False


def compiled(pattern: str) -> Any:
    """A pattern as Python's own look, to ``search`` or ``fullmatch``. Raises BadPattern."""
    return re2.compile(pattern, _OPTIONS)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, or is the text; one that cannot be read is never
    found (moby's ``filters.Args.Match``)."""
    if pattern == text:
        return True
    try:
        return compiled(pattern).search(text) is not None
    except BadPattern:
        return False
