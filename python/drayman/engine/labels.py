"""Labels as filters ask for them."""

from __future__ import annotations


def labels_match(labels: dict[str, str] | None, wanted: list[str]) -> bool:
    """Whether every ``key`` or ``key=value`` is among the labels."""
    have = labels or {}
    for label in wanted:
        key, equals, value = label.partition("=")
        if key not in have or (equals and have[key] != value):
            return False
    return True
