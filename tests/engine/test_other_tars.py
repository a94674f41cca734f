"""What we pack, read by those whose tars one meets; what these write, unpacked by us."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.engine.trees import TREES, Node, Seen, look, plant

from drayman.storage.files import Tar, archive_unpack

# An example takes several processes: a tenth as many as elsewhere.
FEW = settings(max_examples=max(settings().max_examples // 10, 1), deadline=None)
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}
# Python's times are binary fractions.
PYTHON_TIME_NS = 1000
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices take root")

Read = Callable[[Path, Path], None]
Write = Callable[[Path, Path], None]


def run(*command: str, worst: int = 0) -> None:
    """Run a tar; its exit code may be as bad as ``worst``."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode <= worst, (command, done.stderr)


def read_gnu(archive: Path, into: Path) -> None:
    attributes = ("--xattrs", "--xattrs-include=*")
    run("tar", "-xpf", str(archive), "-C", str(into), "--numeric-owner", *attributes)


def read_bsd(archive: Path, into: Path) -> None:
    run("bsdtar", "-xpf", str(archive), "-C", str(into), "--numeric-owner", "--xattrs")


def read_python(archive: Path, into: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(into, numeric_owner=True, filter="fully_trusted")


def unpack(archive: Path, into: Path) -> None:
    """By us."""
    root = os.open(into, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with archive.open("rb") as file:
            size = archive.stat().st_size
            archive_unpack(root, "/", file.fileno(), chunked=False, length_bytes=size, early=b"")
    finally:
        os.close(root)


def pack(tree: Path, archive: Path, *, sparse: bool = False) -> None:
    """By us."""
    root = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with archive.open("wb") as file:
            sent = Tar(root, "/.", sparse=sparse).send(file.fileno(), chunked=False)
        assert (sent.left_out, sent.tar_bytes) == ([], archive.stat().st_size)
    finally:
        os.close(root)


@contextmanager
def places() -> Iterator[tuple[Path, Path, Path, Path]]:
    """A tree, an archive and two copies to be."""
    place = Path(tempfile.mkdtemp(prefix="dmt-"))
    try:
        for name in ("tree", "one", "other"):
            (place / name).mkdir()
        yield place / "tree", place / "tar", place / "one", place / "other"
    finally:
        shutil.rmtree(place)


def as_docker(tree: dict[str, Seen], *, xattrs: bool) -> dict[str, Seen]:
    """What an archive of Docker's keeps of a tree: whole seconds, and of attributes the
    capabilities alone."""
    return {
        path: seen._replace(
            mtime_ns=seen.mtime_ns // 10**9 * 10**9,
            xattrs={
                name: value
                for name, value in seen.xattrs.items()
                if xattrs and name == "security.capability"
            },
        )
        for path, seen in tree.items()
    }


def without_link_times(tree: dict[str, Seen]) -> dict[str, Seen]:
    """Python does not set them."""
    return {
        path: seen._replace(mtime_ns=0) if seen.kind == "l" else seen for path, seen in tree.items()
    }


@pytest.mark.parametrize("sparse", [False, True], ids=["plain", "sparse"])
@pytest.mark.parametrize("read", [read_gnu, read_bsd, read_python])
@FEW
@given(nodes=TREES)
def test_others_read_what_we_pack(read: Read, sparse: bool, nodes: list[Node]) -> None:
    with places() as (tree, archive, copy, _):
        plant(tree, nodes)
        pack(tree, archive, sparse=sparse)
        read(archive, copy)
        expected = as_docker(look(tree), xattrs=read is not read_python)
        found = look(copy)
        if read is read_python:
            expected, found = without_link_times(expected), without_link_times(found)
        assert found == expected


def gnu(*options: str) -> Write:
    def write(tree: Path, archive: Path) -> None:
        # It leaves out what the format cannot hold, and says 2.
        run("tar", "-cf", str(archive), "-C", str(tree), *options, ".", worst=2)

    return write


def bsd(*options: str) -> Write:
    def write(tree: Path, archive: Path) -> None:
        run("bsdtar", "-cf", str(archive), "-C", str(tree), *options, ".", worst=1)

    return write


def python(form: int, mode: str) -> Write:
    def write(tree: Path, archive: Path) -> None:
        with tarfile.open(archive, mode, format=form) as opened:
            for name in sorted(os.listdir(tree)):
                opened.add(tree / name, name)

    return write


PAX = ("--format=pax", "--xattrs", "--xattrs-include=*")
WRITERS: dict[str, tuple[Write, Read]] = {
    "GNU v7": (gnu("--format=v7"), read_gnu),
    "GNU ustar, gzip": (gnu("--format=ustar", "-z"), read_gnu),
    "GNU oldgnu, sparse": (gnu("--format=oldgnu", "-S"), read_gnu),
    "GNU gnu, sparse, bzip2": (gnu("--format=gnu", "-S", "-j"), read_gnu),
    "GNU gnu, listed with its directories": (gnu("--format=gnu", "-G"), read_gnu),
    "GNU pax, zstd": (gnu(*PAX, "--zstd"), read_gnu),
    "GNU pax, sparse 0.0": (gnu(*PAX, "-S", "--sparse-version=0.0"), read_gnu),
    "GNU pax, sparse 0.1, xz": (gnu(*PAX, "-S", "--sparse-version=0.1", "-J"), read_gnu),
    "GNU pax, sparse 1.0": (gnu(*PAX, "-S", "--sparse-version=1.0"), read_gnu),
    "bsdtar v7": (bsd("--format=v7"), read_bsd),
    "bsdtar ustar, zstd": (bsd("--format=ustar", "--zstd"), read_bsd),
    "bsdtar gnutar, xz": (bsd("--format=gnutar", "-J"), read_bsd),
    "bsdtar pax, bzip2": (bsd("--format=pax", "--xattrs", "-j"), read_bsd),
    "bsdtar restricted pax": (bsd("--format=rpax", "--xattrs"), read_bsd),
    "Python gnu, gzip": (python(tarfile.GNU_FORMAT, "w:gz"), read_python),
    "Python pax, bzip2": (python(tarfile.PAX_FORMAT, "w:bz2"), read_python),
}


@pytest.mark.parametrize(("write", "read"), WRITERS.values(), ids=WRITERS)
@FEW
@given(nodes=TREES)
def test_we_read_what_others_pack(write: Write, read: Read, nodes: list[Node]) -> None:
    with places() as (tree, archive, theirs, ours):
        plant(tree, nodes)
        write(tree, archive)
        unpack(archive, ours)
        read(archive, theirs)
        expected, found = look(theirs), look(ours)
        assert list(found) == list(expected)
        for path, seen in expected.items():
            mtime_ns = found[path].mtime_ns
            assert found[path] == seen._replace(mtime_ns=mtime_ns), path
            # Nothing is before 1970 to Docker.
            off_ns = abs(mtime_ns - max(seen.mtime_ns, 0))
            if read is read_python:
                assert off_ns <= PYTHON_TIME_NS or seen.kind == "l", path
            elif not archive.stat().st_mtime_ns <= min(mtime_ns, seen.mtime_ns) <= time.time_ns():
                # What the writer left out, a directory above others, is of just now to both.
                assert off_ns == 0, path
