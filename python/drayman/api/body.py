"""Finding the end of a request's body, to the byte, whatever follows it on the connection."""

from __future__ import annotations

from typing import Protocol

# Longest line of a chunked body: a size with extensions, or a trailer field.
MAX_LINE_BYTES = 8192
# Bytes of trailer fields, which nobody here reads.
MAX_TRAILER_BYTES = 65536


class MalformedBody(ValueError):
    """Raised when a chunked body cannot be understood."""


class Body(Protocol):
    """A body being read; `complete` once its last byte was seen."""

    complete: bool

    def take(self, held: bytearray) -> bytes:
        """Remove what belongs to the body from the front of ``held``; its payload."""


class LengthBody:
    """A body of so many bytes."""

    def __init__(self, length_bytes: int) -> None:
        self._left_bytes = length_bytes
        self.complete = length_bytes == 0

    def take(self, held: bytearray) -> bytes:
        part = bytes(held[: self._left_bytes])
        del held[: len(part)]
        self._left_bytes -= len(part)
        self.complete = self._left_bytes == 0
        return part


class ChunkedBody:
    """A body in HTTP chunks (RFC 9112, 7.1); extensions and trailers are read and dropped."""

    def __init__(self) -> None:
        self.complete = False
        # Payload bytes left of the current chunk; None between chunks.
        self._left_bytes: int | None = None
        self._in_trailer = False
        self._trailer_bytes = 0

    def take(self, held: bytearray) -> bytes:
        payload = bytearray()
        while not self.complete:
            if self._left_bytes:
                part = held[: self._left_bytes]
                del held[: len(part)]
                payload += part
                self._left_bytes -= len(part)
                if self._left_bytes:
                    break
                continue
            line = _take_line(held)
            if line is None:
                break
            self._on_line(line)
        return bytes(payload)

    def _on_line(self, line: bytes) -> None:
        if self._in_trailer:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_TRAILER_BYTES:
                raise MalformedBody("too many trailers")
            self.complete = not line
        elif self._left_bytes == 0:
            if line:
                raise MalformedBody("a chunk is longer than its size")
            self._left_bytes = None
        else:
            size = _chunk_size(line)
            self._in_trailer = size == 0
            self._left_bytes = size or None


def _take_line(held: bytearray) -> bytes | None:
    end = held.find(b"\r\n", 0, MAX_LINE_BYTES)
    if end < 0:
        if len(held) >= MAX_LINE_BYTES:
            raise MalformedBody("a line is too long")
        return None
    line = bytes(held[:end])
    del held[: end + 2]
    return line


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip(b" \t")
    # int() alone would take signs, underscores and any number of digits.
    if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
        raise MalformedBody("a chunk has no valid size")
    return int(digits, 16)
