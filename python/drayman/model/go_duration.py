"""Durations as Go writes them: ``1h30m``, ``1.5s``, ``300ms``."""

from __future__ import annotations

import re

from drayman.errors import InvalidParameter

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PIECE = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NS_LIMIT = 1 << 63


def parse_ns(text: str) -> int:
    """Nanoseconds of a duration. Raises InvalidParameter with Go's text for anything else."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest):
        piece = _PIECE.match(rest, position)
        if piece is None:
            raise InvalidParameter(f'time: invalid duration "{text}"')
        whole, _, fraction = piece[1].partition(".")
        unit = _UNITS_NS[piece[2]]
        total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = piece.end()
    if not position or total >= _NS_LIMIT:
        raise InvalidParameter(f'time: invalid duration "{text}"')
    return sign * total


def format_ns(span_ns: int) -> str:
    """A span, 0 or more, as Go prints it: ``1m30s``, ``1.5s``, ``300ms``."""
    if span_ns < _UNITS_NS["s"]:
        unit = next((one for one in ("ms", "µs") if span_ns >= _UNITS_NS[one]), "ns")
        return f"{_decimal(span_ns, _UNITS_NS[unit])}{unit}" if span_ns else "0s"
    minutes, rest_ns = divmod(span_ns, _UNITS_NS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest_ns, _UNITS_NS['s'])}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _decimal(span_ns: int, unit_ns: int) -> str:
    whole, fraction = divmod(span_ns, unit_ns)
    digits = f"{fraction:0{len(str(unit_ns)) - 1}d}" if unit_ns > 1 else ""
    return f"{whole}.{digits}".rstrip("0").rstrip(".") if fraction else str(whole)
