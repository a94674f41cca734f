"""The key sequence that leaves a terminal (moby's vendored term/ascii.go)."""

from __future__ import annotations

from drayman.errors import InvalidParameter

DEFAULT = "ctrl-p,ctrl-q"
_CONTROLS = {
    **{f"ctrl-{letter}": ord(letter) - 96 for letter in "abcdefghijklmnopqrstuvwxyz"},
    "ctrl-@": 0,
    "ctrl-[": 27,
    "ctrl-\\": 28,
    "ctrl-]": 29,
    "ctrl-^": 30,
    "ctrl-_": 31,
    "DEL": 127,
}


def as_bytes(keys: str) -> bytes:
    """The bytes of a comma list such as ``ctrl-p,q``; InvalidParameter for an unknown key."""
    codes = bytearray()
    for key in keys.split(",") if keys else ():
        if len(key) == 1 and key.isascii():
            codes.append(ord(key))
        elif key in _CONTROLS:
            codes.append(_CONTROLS[key])
        else:
            raise InvalidParameter(f"Invalid detach keys ({keys}) provided")
    return bytes(codes)


def checked(keys: str) -> str:
    """The keys, the default for none, once they are known to be valid."""
    as_bytes(keys)
    return keys or DEFAULT
