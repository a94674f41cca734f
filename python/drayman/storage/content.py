"""Content by its digest: the configurations of images, as they came, byte for byte."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from drayman.errors import NotFound, System
from drayman.storage import durable, temporary
from drayman.storage.paths import Paths

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def digest_of(content: bytes) -> str:
    """``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Content:
    """The blobs of one engine; `put` is durable when it returns."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def put(self, content: bytes) -> str:
        """Keep a blob; returns its digest."""
        digest = digest_of(content)
        place = self._path(digest)
        if not place.exists():
            with temporary.directory(self._paths) as half:
                durable.write_file(half / "blob", content)
                (half / "blob").rename(place)
            durable.sync_directory(place.parent)
        return digest

    def get(self, digest: str) -> bytes:
        """A blob, checked against its digest. NotFound; System when the disk changed it."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"blob {digest} not found") from None
        if digest_of(content) != digest:
            raise System(f"blob {digest} is damaged on disk")
        return content

    def delete(self, digest: str) -> None:
        """Forget a blob; harmless when it is gone."""
        self._path(digest).unlink(missing_ok=True)

    def collect(self, live: set[str]) -> None:
        """Forget every blob whose digest is not among ``live``."""
        for place in list(self._paths.blobs.iterdir()):
            if f"sha256:{place.name}" not in live:
                place.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        found = _DIGEST.fullmatch(digest)
        if not found:
            raise NotFound(f"blob {digest} not found")
        return self._paths.blobs / found[1]
