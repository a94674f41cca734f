"""What a container changed, by the extension: the same answers through Python's door."""

from __future__ import annotations

import os
import stat
from pathlib import Path

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


def test_kinds_and_order(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "etc").mkdir()
    (upper / "etc/passwd").write_text("root, and another")
    (upper / "etc/motd").write_text("hello")
    (upper / "new/deep").mkdir(parents=True)
    (upper / "new-er").write_text("")
    assert _native.changes(str(upper), [str(lower)]) == [
        ("/etc", MODIFIED, None),
        ("/etc/motd", ADDED, None),
        ("/etc/passwd", MODIFIED, None),
        ("/new", ADDED, None),
        ("/new-er", ADDED, None),
        ("/new/deep", ADDED, None),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="a whiteout is a device")
def test_a_whiteout_deletes_what_is_below_it(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "etc").mkdir()
    os.mknod(upper / "etc/group", 0o020000, os.makedev(0, 0))
    os.mknod(upper / "etc/never", 0o020000, os.makedev(0, 0))
    assert _native.changes(str(upper), [str(lower)]) == [
        ("/etc", MODIFIED, None),
        ("/etc/group", DELETED, None),
    ]


def test_names_that_are_not_utf8(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    name = os.fsdecode(b"\xff\xfe")
    (upper / name).write_text("")
    assert _native.changes(str(upper), [str(lower)]) == [(f"/{name}", ADDED, None)]


def test_facts_where_they_are_asked_for(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "file").write_bytes(bytes(7))
    (upper / "link").symlink_to("file")
    assert _native.changes(str(upper), [str(lower)], facts=True) == [
        ("/file", ADDED, (stat.S_IFREG, 7)),
        ("/link", ADDED, (stat.S_IFLNK, 0)),
    ]
    assert _native.changes(str(upper), [str(lower)], since_ns=2**62) == []


def test_between_two_trees(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    (upper / "new").mkdir()
    assert _native.changes_between([str(lower)], [str(upper), str(lower)]) == [
        ("/new", ADDED, None)
    ]
    assert _native.changes_between([str(upper), str(lower)], [str(lower)]) == [
        ("/new", DELETED, None)
    ]


def test_nothing_changed(layers: tuple[Path, Path]) -> None:
    upper, lower = layers
    assert _native.changes(str(upper), [str(lower), str(lower)]) == []


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
