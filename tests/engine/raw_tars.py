"""Tars by hand, entry by entry, since no library writes what no sender should send."""

from __future__ import annotations

BLOCK = 512
END = bytes(2 * BLOCK)


def entry(
    name: str | bytes,
    content: bytes = b"",
    kind: bytes = b"0",
    *,
    link: str | bytes = b"",
    mode: int = 0o644,
    device: tuple[int, int] = (0, 0),
    size: bytes | None = None,
    uid: bytes = b"0000000",
) -> bytes:
    """A ustar entry of root's with its content; ``size`` and ``uid`` are the fields, if they are to
    lie."""
    fields = [
        (0, _bytes(name)),
        (100, b"%07o" % mode),
        (108, uid),
        (116, b"0000000"),
        (124, b"%011o" % len(content) if size is None else size),
        (136, b"14000000000"),
        (148, b" " * 8),
        (156, kind),
        (157, _bytes(link)),
        (257, b"ustar\x0000"),
        (329, b"%07o" % device[0]),
        (337, b"%07o" % device[1]),
    ]
    header = bytearray(BLOCK)
    for at, field in fields:
        header[at : at + len(field)] = field
    header[148:156] = b"%06o\0 " % sum(header)
    assert len(header) == BLOCK
    return bytes(header) + content + bytes(-len(content) % BLOCK)


def pax(*records: bytes) -> bytes:
    """An extended header of whole records, lengths included."""
    return entry("pax", b"".join(records), b"x")


def record(key: bytes, value: bytes) -> bytes:
    """A PAX record with the right length."""
    rest = len(key) + len(value) + 3
    length = rest
    while len(str(length)) + rest != length:
        length += 1
    return b"%d %b=%b\n" % (length, key, value)


def long_name(name: bytes) -> bytes:
    """GNU's header for the name of the next entry."""
    return entry("././@LongLink", name + b"\0", b"L")


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
