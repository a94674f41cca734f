"""An archive of images, as ``docker load`` sends it: unpacked to a private place, then read.

Two layouts are known, docker-archive and OCI; which of them it is shows in the files. What
a stranger packed is hostile: names are resolved inside the place alone, and only regular
files are opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drayman import _native
from drayman.errors import InvalidParameter, NotFound
from drayman.storage.layers import Body

# Indexes, manifests and configurations are read whole. containerd's limit for them.
DOCUMENT_MAX_BYTES = 8 << 20


@dataclass(frozen=True)
class ArchivedImage:
    """One image of an archive: its configuration blob, and where its layers' tars are."""

    config: bytes
    layers: Sequence[str]
    # As the archive writes them, the engine reads them.
    names: Sequence[str] = ()
    # Of its manifest, where there is one.
    manifest_digest: str = ""


class Archive:
    """The files of an archive, unpacked below a directory."""

    def __init__(self, place: Path) -> None:
        self._root = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the directory go."""
        os.close(self._root)

    def has(self, name: str) -> bool:
        """Whether a file of this name can be read."""
        try:
            with self.open(name):
                return True
        except InvalidParameter:
            return False

    def read(self, name: str) -> bytes:
        """A small document. InvalidParameter when it is missing, no file, or too big."""
        with self.open(name) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(DOCUMENT_MAX_BYTES + 1)
        if len(content) > DOCUMENT_MAX_BYTES:
            raise InvalidParameter(f"{name} is larger than {DOCUMENT_MAX_BYTES} bytes")
        return content

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """A descriptor of a regular file. InvalidParameter when there is none."""
        if "\0" in name:
            raise InvalidParameter(f"invalid path {name!r}")
        try:
            place = _native.open_in_root(self._root, name, os.O_PATH | os.O_CLOEXEC)
        except NotFound:
            raise InvalidParameter(f"open {name}: no such file or directory") from None
        try:
            # Looked at before it is opened: a device or a pipe is never.
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise InvalidParameter(f"{name} is not a regular file")
            descriptor = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def spooled(place: Path, body: Body) -> Iterator[tuple[Archive, bytes]]:
    """Unpack a request body below an empty directory; the archive, and what was read beyond
    the body. Raises what a bad tar raises."""
    archive = Archive(place)
    try:
        unpacked = _native.archive_unpack(
            archive._root,
            "/",
            body.fd,
            chunked=body.chunked,
            length_bytes=body.length_bytes,
            early=body.early,
            owner=(0, 0),
            cancel_fd=body.cancel_fd,
        )
        yield archive, unpacked.surplus
    finally:
        archive.close()
