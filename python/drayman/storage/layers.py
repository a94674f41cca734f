"""Layers: an image's tars, each unpacked once into a directory that overlayfs can stack.

A layer's id is its chain id (OCI image specification): the digest of all that lies below and
of itself, so that equal stacks share directories. A directory appears under its name only
when all of it is on the disk; layers that no image needs are swept by `collect`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from drayman import _native
from drayman.errors import InvalidParameter
from drayman.storage import durable, init_layer, sizes, temporary
from drayman.storage.paths import Paths

_INIT = "init-"
# The init layer of images without any.
_SCRATCH = "scratch"


@dataclass(frozen=True)
class Body:
    """Where the bytes of a tar are: on a descriptor, in a request's framing or to its end."""

    fd: int
    chunked: bool = False
    length_bytes: int | None = None
    early: bytes = b""
    # Readable when the work is to stop.
    cancel_fd: int | None = None


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The ids of the layers of a stack, lowest first, without ``sha256:``."""
    chain: list[str] = []
    for diff_id in diff_ids:
        if chain:
            text = f"sha256:{chain[-1]} {diff_id}"
            chain.append(hashlib.sha256(text.encode()).hexdigest())
        else:
            chain.append(diff_id.removeprefix("sha256:"))
    return chain


class Layers:
    """The layers of one engine; every call blocks and may come from any thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        # Layers of images that are being made, which nobody refers to yet.
        self._held: Counter[str] = Counter()
        # A layer never changes, so that it is measured once.
        self._sizes: dict[str, int] = {}

    @contextmanager
    def held(self, layer_ids: Sequence[str]) -> Iterator[None]:
        """Keep layers from being swept until an image refers to them."""
        with self._lock:
            self._held.update(layer_ids)
        try:
            yield
        finally:
            with self._lock:
                self._held.subtract(layer_ids)
                self._held = +self._held

    def lower(self, layer_ids: Sequence[str]) -> list[str]:
        """What overlayfs stacks below a container, topmost first: the init layer (made
        again when it is missing), then the image's layers."""
        init = self._init_path(layer_ids)
        if not init.exists():
            self.ensure_init(layer_ids)
        return [str(init), *self.stack(layer_ids)]

    def stack(self, layer_ids: Sequence[str]) -> list[str]:
        """The directories of layers, topmost first."""
        return [str(self._path(layer_id)) for layer_id in reversed(layer_ids)]

    def add(
        self,
        diff_ids: Sequence[str],
        layer: Callable[[int], AbstractContextManager[Body]],
    ) -> list[str]:
        """Unpack the layers of a stack that are not here yet, and make its init layer;
        durable when it returns. The caller holds the layers (`held`).

        ``layer(n)`` gives the n-th tar, lowest first. Returns the diff ids of those that
        were unpacked. Raises InvalidParameter when a tar is not what its digest promises.
        """
        missing = [
            (number, layer_id)
            for number, layer_id in enumerate(chain_ids(diff_ids))
            if not self._path(layer_id).exists()
        ]
        with temporary.directory(self._paths) as half:
            for number, layer_id in missing:
                with layer(number) as body:
                    unpacked = unpack(half / layer_id, body)
                if unpacked.diff_id != diff_ids[number]:
                    raise InvalidParameter(
                        f'invalid diffID for layer {number}: expected "{diff_ids[number]}",'
                        f' got "{unpacked.diff_id}"'
                    )
            self.settle([half / layer_id for _, layer_id in missing])
        self.ensure_init(chain_ids(diff_ids))
        return [diff_ids[number] for number, _ in missing]

    def settle(self, unpacked: Sequence[Path]) -> None:
        """Give unpacked layers, named by their ids, their places; durable when it returns."""
        if not unpacked:
            return
        durable.sync_file_system(unpacked[0])
        for directory in unpacked:
            try:
                directory.rename(self._path(directory.name))
            except OSError:
                # Another load of the same image was faster.
                if not self._path(directory.name).exists():
                    raise
        durable.sync_directory(self._paths.layers)

    def ensure_init(self, layer_ids: Sequence[str]) -> None:
        """Make the init layer of a stack, unless it is there; durable when it returns."""
        target = self._init_path(layer_ids)
        if target.exists():
            return
        with temporary.directory(self._paths) as half:
            made = init_layer.make(half, self.stack(layer_ids))
            durable.sync_file_system(made)
            try:
                made.rename(target)
            except OSError:
                # Another thread was faster.
                if not target.exists():
                    raise
        durable.sync_directory(self._paths.layers)

    def collect(self, live: Callable[[], set[str]]) -> list[str]:
        """Delete the layers that are neither held nor among ``live()``, which is asked while
        no layer can be let go; returns their ids."""
        gone: list[str] = []
        with temporary.directory(self._paths) as grave, self._lock:
            keep = live() | set(self._held)
            for directory in list(self._paths.layers.iterdir()):
                layer_id = directory.name.removeprefix(_INIT)
                if layer_id in keep or layer_id == _SCRATCH:
                    continue
                directory.rename(grave / directory.name)
                if layer_id == directory.name:
                    gone.append(layer_id)
                    self._sizes.pop(layer_id, None)
        return gone

    def size_bytes(self, layer_id: str) -> int:
        """The bytes of a layer's files."""
        size = self._sizes.get(layer_id)
        if size is None:
            size = self._sizes[layer_id] = sizes.tree_size_bytes(self._path(layer_id))
        return size

    def _path(self, layer_id: str) -> Path:
        return self._paths.layers / layer_id

    def _init_path(self, layer_ids: Sequence[str]) -> Path:
        return self._paths.layers / f"{_INIT}{layer_ids[-1] if layer_ids else _SCRATCH}"


def unpack(directory: Path, body: Body) -> _native.Unpacked:
    """Unpack a layer's tar, whatever its compression, into a new directory."""
    # The root of containers, which every user in them enters.
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _native.archive_unpack(
            root,
            "/",
            body.fd,
            chunked=body.chunked,
            length_bytes=body.length_bytes,
            early=body.early,
            whiteouts=True,
            cancel_fd=body.cancel_fd,
        )
    finally:
        os.close(root)
