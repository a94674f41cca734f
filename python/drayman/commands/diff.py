"""``drayman diff``: what a container has changed, or what one image changes of another."""

from __future__ import annotations

import sys
from typing import Any

import click
import orjson

from drayman.client.daemon import Daemon, segment
from drayman.commands.options import host, moment

KINDS = "CAD"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


@click.command()
@click.argument("name", metavar="CONTAINER | IMAGE IMAGE")
@click.argument("other", required=False, metavar="")
@click.option("-s", "--size", is_flag=True, help="Tell types and sizes, too.")
@click.option(
    "--since",
    metavar="TIME",
    help="Only what changed since: a duration (10m), a date (2025-01-31T10:00:00Z), or seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Write what the engine answers.")
@host
def diff(
    name: str, other: str | None, size: bool, since: str | None, as_json: bool, at: str | None
) -> None:
    """List what a container has added (A), changed (C) and deleted (D); or, of two images, what
    makes the second of the first.

    \b
    Examples:
      drayman diff web
      drayman diff --size --since 10m web
      drayman diff nginx:1.27 nginx:1.28
    """
    query = {
        "size": size,
        "since": None if since is None else moment(since, "--since"),
        "to": other,
    }
    of = f"/images/{segment(name)}" if other else f"/containers/{segment(name)}"
    with Daemon(at) as daemon:
        changes = daemon.document(f"{of}/changes", query) or []
    if as_json:
        print(orjson.dumps(changes, option=orjson.OPT_INDENT_2).decode())
        return
    escaped = sys.stdout.isatty()
    for change in changes:
        path = change["Path"]
        # Who made the names may want to talk to the terminal.
        shown = path if not escaped or path.isprintable() else repr(path)[1:-1]
        facts = f"{change.get('Type', '-'):9} {human(change):>8} " if size else ""
        print(f"{KINDS[change['Kind']]} {facts}{shown}")


def human(change: dict[str, Any]) -> str:
    """The size of a file as docker writes sizes: four digits at most, powers of 1000."""
    if change.get("Type") != "file":
        return "-"
    size = float(change["Size"])
    for unit in UNITS:
        if size < 1000:
            return f"{size:.4g}{unit}"
        size /= 1000
    return f"{size:.4g}ZB"
