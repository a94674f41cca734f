"""Tars on their way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from drayman.api.options import TarOptions
from drayman.engine.blocking import blocking, interruptible
from drayman.errors import System
from drayman.storage import files

_log = logging.getLogger(__name__)


def log_left_out(sent: files.Sent) -> None:
    """Tell of files that a tar lacks."""
    if sent.left_out_count:
        _log.warning("a tar lacks %d files: %s", sent.left_out_count, ", ".join(sent.left_out))


class Packing:
    """A `drayman.api.lending.Tarball`."""

    def __init__(
        self,
        root_fd: int,
        path: str | None,
        options: TarOptions,
        close: Callable[[], Awaitable[None]],
        moved: Callable[[int], None],
        done: Callable[[], None] | None = None,
    ) -> None:
        """What lies at ``path``, None for the whole root; InvalidParameter for a pattern that
        is none."""
        self.size_bytes: int | None = None
        self.fingerprint: bytes | None = None
        self.sum: bytes | None = None
        self._tar = files.Tar(
            root_fd,
            path,
            include=options.include,
            exclude=options.exclude,
            sparse=options.sparse,
            digests=options.digests,
        )
        self._options = options
        self._skip_bytes = 0
        self._close: Callable[[], Awaitable[None]] | None = close
        self._moved = moved
        self._done = done

    async def survey(self) -> None:
        """Find out size and fingerprint, if they are wanted."""
        if self._options.total or self._options.deterministic:
            self.size_bytes, self.fingerprint = await blocking(self._tar.survey)

    def skip(self, skip_bytes: int) -> None:
        """Leave out the beginning."""
        self._skip_bytes = skip_bytes

    async def send(self, fd: int, *, chunked: bool) -> None:
        """Write the tar to the descriptor, then give back what it needed.

        System when it is not the tar that a fingerprint was told of.
        """
        passed = files.Passed()
        try:
            sent = await interruptible(
                lambda cancel_fd: self._tar.send(
                    fd,
                    chunked=chunked,
                    coding=self._options.coding,
                    skip_bytes=self._skip_bytes,
                    summed=self._options.summed,
                    passed=passed,
                    cancel_fd=cancel_fd,
                )
            )
            log_left_out(sent)
            if self._options.deterministic and sent.tar_bytes:
                _, fingerprint = await blocking(self._tar.survey)
                if fingerprint != self.fingerprint:
                    raise System("files changed while they were sent")
            self.sum = sent.sum
            if self._done is not None:
                self._done()
        finally:
            self._moved(passed.bytes)
            await self.close()

    async def close(self) -> None:
        """Let go of the container's files; harmless twice."""
        close, self._close = self._close, None
        if close is not None:
            await close()
