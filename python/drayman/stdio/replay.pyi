from collections.abc import Iterable
from typing import final

@final
class LogRecord:
    """One record of a log: a line, or a piece of one that was longer than 16 KiB."""

    time_ns: int
    stream: str
    line: bytes
    time: str
    def __init__(self, time_ns: int, stream: str, line: bytes, time: str) -> None: ...

def parse(text: bytes) -> list[LogRecord]:
    """The records of a json-file log, oldest first; what is torn or foreign is left out."""

def frames(
    records: Iterable[LogRecord],
    *,
    stdout: bool = True,
    stderr: bool = True,
    timestamps: bool = False,
    since_ns: int | None = None,
    until_ns: int | None = None,
) -> bytes:
    """Docker's multiplexed stream of the records chosen; the bounds are inclusive."""
