"""How far a transfer is: a bar with rate and time left, on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """A bar on standard error, where that is a terminal and nobody asked for quiet."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self.shown = not quiet and sys.stderr.isatty()
        self._title = title
        self._total_bytes: int | None = None
        self._done_bytes = 0
        self._progress: Progress | None = None

    def end_at(self, total_bytes: int | None) -> None:
        """Say where it ends, if that is known."""
        self._total_bytes = total_bytes

    def from_byte(self, done_bytes: int) -> Bar:
        """Say that so much was done before."""
        self._done_bytes = done_bytes
        return self

    def __enter__(self) -> Bar:
        if self.shown:
            self._progress = _progress()
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=self._total_bytes)
        return self

    def move(self, done_bytes: int) -> None:
        """Move it to so many bytes behind those done before."""
        if self._progress is not None:
            self._progress.update(self._task, completed=self._done_bytes + done_bytes)

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _progress() -> Progress:
    # Imported when shown: who pipes does not wait for it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
