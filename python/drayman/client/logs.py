"""Logs of containers, printed as docker does: one stream to standard output, one to error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import quote_plus

import orjson

from drayman.client.daemon import Answer, Daemon, Query, segment, trailer
from drayman.errors import System
from drayman.storage import files

CURSOR_FIELD = "X-Drayman-Log-Cursor"
JSON = "application/jsonl"
HEADER_BYTES = 8
STDOUT, STDERR = 1, 2
# Passed on at a time; a follower's lines do not wait for so much.
BLOCK_BYTES = 1 << 20


@dataclass(kw_only=True)
class Log:
    """What is asked for of a log."""

    container: str
    query: dict[str, str | bool | None] = field(default_factory=dict)
    timestamps: bool = False
    details: bool = False
    # Write the documents themselves.
    as_json: bool = False
    # Go on from here (empty: there is no such place yet), and know where it ended.
    cursor: str | None = None


def show(daemon: Daemon, log: Log) -> None:
    """Print a log. Its cursor is behind what was printed, however that came to an end."""
    path = f"/containers/{segment(log.container)}"
    is_terminals = daemon.document(f"{path}/json")["Config"]["Tty"]
    told = log.cursor is not None or log.as_json
    query: Query = {
        **log.query,
        "stdout": True,
        "stderr": True,
        "timestamps": log.timestamps,
        "details": log.details,
        "cursor": log.cursor,
    }
    answer = daemon.ask("GET", f"{path}/logs", query, {"Accept": JSON} if told else {})
    if told and answer.headers.get_content_type() != JSON:
        raise System("the engine tells no records: it is too old for that")
    with _body(answer) as (body, end), Printer() as printer:
        if told:
            _documents(body, printer, log)
        elif is_terminals:
            for block in _blocks(body):
                printer.write(STDOUT, block)
                printer.flush()
        else:
            _frames(body, printer)
        if log.cursor is None:
            return
        # There may be a position without a record.
        found = trailer(end(), CURSOR_FIELD)
    if found is None:
        raise System("the engine told no cursor: it cannot be gone on from; is it Drayman's?")
    log.cursor = found


class Printer:
    """Standard output and error, each in its turn where both are one terminal. What was taken is
    printed, though an interruption comes between: a cursor tells of what was taken."""

    def __init__(self) -> None:
        # Of our own, since Python's may have been told not to buffer.
        self._files = {
            fd: os.fdopen(fd, "wb", BLOCK_BYTES, closefd=False) for fd in (STDOUT, STDERR)
        }
        self._last = STDOUT

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def write(self, stream: int, text: bytes) -> None:
        """Print to a stream, after all that was printed to the other."""
        if stream != self._last:
            self.flush()
            self._last = stream
        self._files[stream].write(text)

    def flush(self) -> None:
        """Let everything be seen."""
        self._files[self._last].flush()


def _frames(body: BinaryIO, printer: Printer) -> None:
    held = b""
    for block in _blocks(body):
        held += block
        at = 0
        while len(held) - at >= HEADER_BYTES:
            begin = at + HEADER_BYTES
            end = begin + int.from_bytes(held[begin - 4 : begin], "big")
            if end > len(held):
                break
            printer.write(held[at], held[begin:end])
            at = end
        held = held[at:]
        printer.flush()


def _documents(body: BinaryIO, printer: Printer, log: Log) -> None:
    held = b""
    for block in _blocks(body):
        *lines, held = (held + block).split(b"\n")
        for line in lines:
            document = orjson.loads(line)
            if log.as_json:
                printer.write(STDOUT, line + b"\n")
            elif "Error" in document:
                printer.write(STDERR, f"drayman: {document['Error']}\n".encode())
            else:
                stream = STDERR if document["Source"] == "stderr" else STDOUT
                printer.write(stream, _text(document, log).encode())
            if log.cursor is not None:
                log.cursor = document.get("Cursor", log.cursor)
        printer.flush()


def _text(document: dict[str, Any], log: Log) -> str:
    """A record as docker prints it."""
    text: str = document.get("Line", "")
    if log.details:
        pairs = [(one["Key"], one["Value"]) for one in document.get("Attrs", ())]
        told = ",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in sorted(pairs))
        text = f"{told} {text}"
    if log.timestamps:
        whole, _, fraction = document["Timestamp"].removesuffix("Z").partition(".")
        text = f"{whole}.{fraction:0<9}Z {text}"
    return text


def _blocks(body: BinaryIO) -> Iterator[bytes]:
    # As much as there is: whoever follows sees it now.
    return iter(lambda: os.read(body.fileno(), BLOCK_BYTES), b"")


@contextmanager
def _body(answer: Answer) -> Iterator[tuple[BinaryIO, Callable[[], files.Received]]]:
    """The body without its chunks, which native code takes off in a thread; and what waits for
    the fields behind it. Whoever leaves early (Ctrl-C) ends that."""
    read_fd, write_fd = os.pipe()
    cancel_fd = os.eventfd(0, os.EFD_CLOEXEC)

    def receive() -> files.Received:
        try:
            return files.receive_file(
                answer.fileno(), write_fd, cancel_fd=cancel_fd, **answer.framing
            )
        finally:
            os.close(write_fd)

    try:
        with ThreadPoolExecutor(1) as thread, os.fdopen(read_fd, "rb", buffering=0) as body:
            receiving = thread.submit(receive)
            try:
                yield body, receiving.result
                receiving.result()
            finally:
                os.eventfd_write(cancel_fd, 1)
    finally:
        os.close(cancel_fd)
