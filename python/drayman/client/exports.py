"""Root file systems as tars: to standard output, or to a file that is whole or resumable."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from drayman.client import transfers
from drayman.client.daemon import Answer, Daemon, Query, Refused, segment
from drayman.client.progress import Bar
from drayman.errors import InvalidParameter, System


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is asked for."""

    container: str
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    sparse: bool = False
    zstd: bool = False
    verify: bool = False
    quiet: bool = False


class Part:
    """A download that may be taken up again: the bytes so far, and the ETag they are of."""

    def __init__(self, file: Path) -> None:
        self.file = file.with_name(f"{file.name}.part")
        self._tag = file.with_name(f"{file.name}.part.etag")

    def range(self) -> dict[str, str]:
        """The headers that ask for the rest; none when there is nothing to take up."""
        try:
            tag, done_bytes = self._tag.read_text(), self.file.stat().st_size
        except FileNotFoundError:
            return {}
        return {"Range": f"bytes={done_bytes}-", "If-Range": tag} if done_bytes else {}

    def begin(self, tag: str | None) -> None:
        """Begin anew, with the bytes that a tag is of. System for none."""
        if not tag:
            raise System("the engine told no ETag: it cannot resume; is it Drayman's?")
        self.file.write_bytes(b"")
        self._tag.write_text(tag)

    def finish(self, file: Path) -> None:
        """All is there: give it its name."""
        os.rename(self.file, file)
        self._tag.unlink()

    def discard(self) -> None:
        """It is of no use."""
        self.file.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def to_stdout(daemon: Daemon, export: Export) -> None:
    """Write the tar to standard output."""
    if sys.stdout.isatty():
        raise InvalidParameter(
            "cowardly refusing to save to a terminal. Use the -o flag or redirect"
        )
    _to(daemon, export, sys.stdout.fileno())


def to_file(daemon: Daemon, export: Export, file: Path) -> None:
    """Write it to a file that is there when it is whole, and only then."""
    if file.exists() and not stat.S_ISREG(file.stat().st_mode):
        with file.open("wb", buffering=0) as device:
            _to(daemon, export, device.fileno())
        return
    try:
        fd, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    except OSError as error:
        raise System(f"{file.parent}: {error.strerror}") from None
    try:
        with os.fdopen(fd, "wb", buffering=0) as written:
            _to(daemon, export, written.fileno())
            os.fchmod(written.fileno(), 0o666 & ~_umask())
        os.rename(unfinished, file)
    except BaseException:
        os.unlink(unfinished)
        raise


def resume(daemon: Daemon, export: Export, file: Path) -> None:
    """Write it to a file by way of a part, which an interruption leaves for the next time."""
    part = Part(file)
    bar = Bar(export.container, quiet=export.quiet)
    headers = part.range()
    try:
        answer = _get(daemon, export, bar, headers, deterministic=True)
    except Refused as error:
        # The part ends where the tar does, or behind it.
        if error.status != 416:
            raise
        answer = _get(daemon, export, bar, {}, deterministic=True)
    if answer.status != 206:
        part.begin(answer.headers.get("ETag"))
    with part.file.open("rb+", buffering=0) as written:
        done_bytes = written.seek(0, os.SEEK_END)
        received = transfers.receive_file(
            answer, written.fileno(), summed=False, bar=bar, done_bytes=done_bytes
        )
        if export.verify:
            try:
                transfers.check(
                    transfers.digest_of(written.fileno()), transfers.announced(received)
                )
            except System:
                part.discard()
                raise
    part.finish(file)


def _to(daemon: Daemon, export: Export, fd: int) -> None:
    bar = Bar(export.container, quiet=export.quiet)
    answer = _get(daemon, export, bar, {})
    received = transfers.receive_file(answer, fd, summed=export.verify, bar=bar)
    if export.verify:
        transfers.check(received.sum, transfers.announced(received))


def _get(
    daemon: Daemon,
    export: Export,
    bar: Bar,
    headers: dict[str, str],
    *,
    deterministic: bool = False,
) -> Answer:
    query: Query = {
        "include": export.include,
        "exclude": export.exclude,
        "sparse": export.sparse,
        "deterministic": deterministic,
        "total": bar.shown and not export.zstd,
    }
    coding = {"Accept-Encoding": "zstd" if export.zstd else "identity"}
    trailers = {"TE": "trailers"} if export.verify else {}
    path = f"/containers/{segment(export.container)}/export"
    answer = daemon.ask("GET", path, query, {**headers, **coding, **trailers})
    bar.end_at(transfers.tar_bytes(answer))
    return answer


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
