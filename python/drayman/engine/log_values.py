"""The values of log options, as Go's standard library and docker/go-units read them."""

from __future__ import annotations

import re

from drayman.errors import InvalidParameter

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([kmgtp]?)b?", re.IGNORECASE)
_UNITS = " kmgtp"
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def boolean(text: str) -> bool:
    """``true``, ``0``, ``T`` … (strconv.ParseBool)."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidParameter(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def whole(text: str) -> int:
    """A whole number (strconv.Atoi)."""
    if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) is None:
        raise InvalidParameter(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def human_size(text: str) -> int:
    """Bytes in powers of 1000: what log files are measured with (FromHumanSize)."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * 1000 ** _UNITS.index(match[2].lower() or " "))


def duration_s(text: str) -> float:
    """Seconds of ``1.5s``, ``1m30s`` (time.ParseDuration)."""
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidParameter(f'time: invalid duration "{text}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
