"""Records as bytes that tell whether they are whole: the document, and a line that seals it.

JSON alone does not: with one letter of it changed, a record may well be another one.
"""

from __future__ import annotations

import zlib
from typing import TypeVar

import msgspec

from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.go_json import Wire

R = TypeVar("R", bound=Wire)


def seal(record: Wire, revision: int) -> bytes:
    """Two lines: the record in JSON; the number of the change that wrote it, and a CRC."""
    document = go_json.dumps(record)
    return document + _seal(document, revision)


def unseal(sealed: object, shape: type[R]) -> tuple[R, int]:
    """The record and its revision, which is 0 where there is no seal: Drayman wrote none
    at first. Raises InvalidParameter for what is not whole."""
    if not isinstance(sealed, bytes):
        raise InvalidParameter("it is no document")
    line, newline, rest = sealed.partition(b"\n")
    document, revision = line + newline, 0
    if rest:
        number = rest.partition(b" ")[0]
        # No more digits than SQLite's integers have.
        revision = int(number) if number.isdigit() and len(number) < 20 else 0
        if rest != _seal(document, revision):
            raise InvalidParameter("its checksum is wrong")
        try:
            # Ten times as fast as by Go's rules, which our own documents do not need.
            return msgspec.json.decode(line, type=shape), revision
        except msgspec.MsgspecError:
            pass
    return go_json.loads(document, shape), revision


def _seal(document: bytes, revision: int) -> bytes:
    number = b"%d" % revision
    return b"%s %08x\n" % (number, zlib.crc32(number, zlib.crc32(document)))
