"""Patterns of filters."""

from __future__ import annotations

import pytest

from drayman.engine.patterns import matches


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^box$", "box", True),
        ("^box$", "boxer", False),
        ("o", "box", True),
        ("^/?bo", "/box", True),
        ("(", "box", False),
        ("(", "(", True),
        ("a(?=b)", "ab", False),
        ("", "box", True),
        # 2**40 steps for an engine that goes back on its track.
        ("(([0-9a-f])+)+z", "ab" * 32, False),
    ],
)
def test_patterns(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found
