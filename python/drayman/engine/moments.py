"""Points in time as the values of filters give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from drayman.errors import InvalidParameter
from drayman.model import go_duration

_SECONDS = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?", re.ASCII)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:[Zz]|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def parse_ns(text: str, now_ns: int) -> int:
    """Nanoseconds since 1970 of a Unix time (``1700000000.5``), a date, RFC 3339 or not
    (``2026-01-02``, ``2026-01-02T03:04:05Z``), or a Go duration before now (``10m``).
    Raises InvalidParameter for anything else."""
    seconds = _SECONDS.fullmatch(text)
    if seconds:
        return int(seconds[1]) * 1_000_000_000 + int((seconds[2] or "").ljust(9, "0"))
    if _DATE.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError:
            raise InvalidParameter(f"failed to parse value as time or duration: {text}") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        fraction = re.search(r"\.(\d+)", text)
        whole = int(moment.replace(microsecond=0).timestamp())
        return whole * 1_000_000_000 + int((fraction[1] if fraction else "").ljust(9, "0"))
    return now_ns - go_duration.parse_ns(text)
