"""Options that several commands have."""

from __future__ import annotations

import click

from drayman.config import DEFAULT_HOST

host = click.option(
    "-H",
    "--host",
    "at",
    metavar="URL",
    help="Where the engine is: unix:///path or tcp://name:port. Default: DOCKER_HOST, else"
    f" {DEFAULT_HOST}",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
