"""What a container changed, by the extension: the same answers through Python's door."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drayman import _native, errors

MODIFIED, ADDED, DELETED = 0, 1, 2


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    upper.mkdir()
    (lower / "etc").mkdir(parents=True)
    (lower / "etc/passwd").write_text("root")
    (lower / "etc/group").write_text("root")
    return upper, lower


def changes(upper: Path, *lower: Path, **question: Any) -> list[tuple[Any, ...]]:
    """The rows of the document, as tuples."""
    document = _native.changes(str(upper), [str(one) for one in lower], **question)
    return rows(document)


def rows(document: bytes) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in json.loads(document) or []]


def test_kinds_and_order(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "etc").mkdir()
    (upper / "etc/passwd").write_text("root, and another")
    (upper / "etc/motd").write_text("hello")
    (upper / "new/deep").mkdir(parents=True)
    (upper / "new-er").write_text("")
    assert changes(upper, lower) == [
        ("/etc", MODIFIED),
        ("/etc/motd", ADDED),
        ("/etc/passwd", MODIFIED),
        ("/new", ADDED),
        ("/new-er", ADDED),
        ("/new/deep", ADDED),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="a whiteout is a device")
def test_a_whiteout_deletes_what_is_below_it(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "etc").mkdir()
    os.mknod(upper / "etc/group", 0o020000, os.makedev(0, 0))
    os.mknod(upper / "etc/never", 0o020000, os.makedev(0, 0))
    assert changes(upper, lower) == [
        ("/etc", MODIFIED),
        ("/etc/group", DELETED),
    ]


def test_names_that_are_not_utf8(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / os.fsdecode(b"\xff\xfe")).write_text("")
    # As Go's encoder writes them.
    assert changes(upper, lower) == [("/\ufffd\ufffd", ADDED)]


def test_facts_where_they_are_asked_for(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "file").write_bytes(bytes(7))
    (upper / "link").symlink_to("file")
    assert changes(upper, lower, facts=True) == [
        ("/file", ADDED, "file", 7),
        ("/link", ADDED, "symlink", 0),
    ]
    assert changes(upper, lower, since_ns=2**62) == []


def test_between_two_trees(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "new").mkdir()
    old, new = [str(lower)], [str(upper), str(lower)]
    assert rows(_native.changes_between(old, new)) == [("/new", ADDED)]
    assert rows(_native.changes_between(new, old)) == [("/new", DELETED)]


def test_nothing_changed(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    assert _native.changes(str(upper), [str(lower), str(lower)]) == b"null\n"


def test_a_wide_tree_is_told_in_order(layers: tuple[Path, Path]) -> None:
    """Wide enough for several threads."""
    upper, lower = layers
    wanted = []
    for number in range(100):
        old, new = f"/{number}/old", f"/{number}/new"
        (lower / old[1:]).mkdir(parents=True)
        for directory in (old, new):
            (upper / directory[1:]).mkdir(parents=True)
            (upper / directory[1:] / "file").touch()
        wanted += [(f"/{number}", MODIFIED), (old, MODIFIED), (f"{old}/file", ADDED)]
        wanted += [(new, ADDED), (f"{new}/file", ADDED)]
    assert changes(upper, lower) == sorted(wanted)


def test_a_layer_that_is_gone_is_named(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    with pytest.raises(errors.System, match="gone: no such file or directory"):
        _native.changes(str(upper), [str(lower / "gone")])


def test_sizes_count_hard_links_once(layers: tuple[Path, Path]) -> None:
    upper, _ = layers
    (upper / "a").write_bytes(bytes(1000))
    (upper / "b").hardlink_to(upper / "a")
    (upper / "c").symlink_to("a")
    (upper / "d").mkdir()
    (upper / "d/e").write_bytes(bytes(24))
    assert _native.tree_size_bytes(str(upper)) == 1024
    with pytest.raises(errors.System, match="no such file"):
        _native.tree_size_bytes(str(upper / "none"))
