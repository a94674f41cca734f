"""Options that several commands have."""

from __future__ import annotations

import datetime
import re
import time

import click

from drayman.config import DEFAULT_HOST
from drayman.errors import InvalidParameter
from drayman.model import go_duration

host = click.option(
    "-H",
    "--host",
    "at",
    metavar="URL",
    help="Where the engine is: unix:///path or tcp://name:port. Default: DOCKER_HOST, else"
    f" {DEFAULT_HOST}",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")


def moment(text: str, option: str) -> str:
    """Seconds since 1970, of those, of a date or of how long ago. InvalidParameter."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    try:
        return f"{datetime.datetime.fromisoformat(text).timestamp():.6f}"
    except ValueError:
        pass
    try:
        return f"{time.time() - go_duration.parse_ns(text) / 1e9:.6f}"
    except InvalidParameter:
        raise InvalidParameter(
            f"{option} {text}: write a duration (10m), a date (2025-01-31T10:00:00Z) or seconds"
        ) from None
