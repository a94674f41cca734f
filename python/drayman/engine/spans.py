"""Spans of time in words."""

from __future__ import annotations

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


def in_words(span_ns: int) -> str:
    """A span as ``docker ps`` says it (docker/go-units, HumanDuration)."""
    seconds = max(span_ns, 0) // 1_000_000_000
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < _MINUTE_S:
        return f"{seconds} seconds"
    minutes = seconds // _MINUTE_S
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = (seconds + _HOUR_S // 2) // _HOUR_S
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    days = hours // 24
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    if days < 730:
        return f"{days // 30} months"
    return f"{seconds // (365 * _DAY_S)} years"
