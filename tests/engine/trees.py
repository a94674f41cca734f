"""Trees made up, with all that a tar can say of a file, and what is seen of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

# cap_net_raw, permitted and effective, in the form of version 2.
CAPABILITY = b"\x01\x00\x00\x02\x00\x20\x00\x00" + bytes(12)
HOLE_BYTES = 1 << 20


class Node(NamedTuple):
    """A file to be made."""

    # Which of the directories made so far it lies in, and for a link, which file it names.
    parent: int
    name: str
    kind: str
    # Pieces, each with the holes before it.
    content: list[tuple[int, bytes]]
    target: str
    device: tuple[int, int]
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    xattrs: dict[str, bytes]


class Seen(NamedTuple):
    """A file as it lies there."""

    kind: str
    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    # A file's bytes, where a link leads, a device's numbers.
    content: object
    # The first of its names, where there are several.
    first: str
    xattrs: dict[str, bytes]


LETTERS = st.characters(exclude_characters="/\0", exclude_categories=("Cs",))
NAMES = st.one_of(
    st.text("abc", min_size=1, max_size=2),
    st.text(LETTERS, min_size=1, max_size=60),
    st.integers(99, 240).map(lambda length: "n" * length),
    st.sampled_from(["ä" * 70, "a\nb", "-x", "*", "BZh91AY&SY", "\\"]),
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 256)
CONTENTS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, HOLE_BYTES, 8 * HOLE_BYTES]),
        st.one_of(st.binary(max_size=700), st.integers(1, 90_000).map(lambda size: b"y" * size)),
    ),
    max_size=3,
)
XATTRS = st.dictionaries(
    st.sampled_from(["user.a", "user.long." + "x" * 90]),
    st.binary(min_size=1, max_size=200),
    max_size=2,
)
NODES = st.builds(
    Node,
    parent=st.integers(0, 20),
    name=NAMES,
    kind=st.sampled_from(["file"] * 4 + ["dir"] * 4 + ["link"] * 2 + ["soft", "fifo", "char"]),
    content=CONTENTS,
    target=st.one_of(st.text(LETTERS, min_size=1, max_size=40), st.just("t/" * 90)),
    device=st.tuples(st.integers(1, 4095), st.integers(0, (1 << 20) - 1)),
    mode=st.one_of(st.integers(0, 0o7777), st.sampled_from([0o644, 0o4755, 0o2755, 0o1777])),
    owner=st.tuples(st.integers(0, 3_000_000), st.sampled_from([0, 7, 65534, 1 << 22])),
    # Python writes what is nearer to 1970 as 1e-09, which no one reads.
    mtime_ns=st.one_of(
        st.integers(10**6, (1 << 34) * 10**9),
        st.integers(-(10**18), -(10**6)),
        st.integers(0, 1 << 33).map(lambda seconds: seconds * 10**9),
    ),
    xattrs=XATTRS,
)
TREES = st.lists(NODES, max_size=16)


def plant(top: Path, nodes: list[Node]) -> None:
    """Make a tree below an empty directory; what cannot be there twice is passed over."""
    directories, files = [str(top)], []
    made = []
    for node in nodes:
        path = f"{directories[node.parent % len(directories)]}/{node.name}"
        # Its parent's path may be as long as paths can be.
        if os.path.lexists(path) or len(path.encode()) > 3000:
            continue
        if node.kind == "link":
            if files:
                os.link(files[node.parent % len(files)], path)
            continue
        _make(path, node)
        made.append((path, node))
        if node.kind == "dir":
            directories.append(path)
        elif node.kind == "file":
            files.append(path)
    # The deepest first, for what goes in changes a directory's time.
    for path, node in reversed(made):
        _dress(path, node)


def _make(path: str, node: Node) -> None:
    match node.kind:
        case "dir":
            os.mkdir(path)
        case "soft":
            os.symlink(node.target, path)
        case "fifo":
            os.mkfifo(path)
        case "char":
            os.mknod(path, stat.S_IFCHR, os.makedev(*node.device))
        case _:
            with open(path, "wb") as file:
                for hole, piece in node.content:
                    file.seek(hole, os.SEEK_CUR)
                    file.write(piece)


def _dress(path: str, node: Node) -> None:
    os.chown(path, *node.owner, follow_symlinks=False)
    if node.kind != "soft":
        os.chmod(path, node.mode)
    if node.kind in ("file", "dir"):
        for name, value in node.xattrs.items():
            os.setxattr(path, name, value)
    if node.kind == "file" and "user.a" in node.xattrs:
        os.setxattr(path, "security.capability", CAPABILITY)
    os.utime(path, ns=(node.mtime_ns, node.mtime_ns), follow_symlinks=False)


def look(top: Path) -> dict[str, Seen]:
    """Everything below a directory, by its path there."""
    firsts: dict[int, str] = {}
    return {path: _seen(top, path, firsts) for path in sorted(_paths(top, ""))}


def _paths(top: Path, below: str) -> Iterator[str]:
    for entry in os.scandir(top / below):
        path = f"{below}{entry.name}"
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _paths(top, f"{path}/")


def _seen(top: Path, path: str, firsts: dict[int, str]) -> Seen:
    full = top / path
    found = full.lstat()
    kind = stat.filemode(found.st_mode)[0]
    content: object = None
    if kind == "-":
        content = full.read_bytes()
    elif kind == "l":
        content = os.readlink(full)
    elif kind in "cb":
        content = (os.major(found.st_rdev), os.minor(found.st_rdev))
    xattrs = {}
    with suppress(OSError):
        for name in os.listxattr(full, follow_symlinks=False):
            xattrs[name] = os.getxattr(full, name, follow_symlinks=False)
    return Seen(
        kind=kind,
        mode=stat.S_IMODE(found.st_mode),
        owner=(found.st_uid, found.st_gid),
        mtime_ns=found.st_mtime_ns,
        content=content,
        first=path if kind == "d" else firsts.setdefault(found.st_ino, path),
        xattrs=xattrs,
    )
