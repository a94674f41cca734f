"""``drayman logs``: what a container has said, and where to go on the next time."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from drayman.client.daemon import Daemon
from drayman.client.logs import Log, show
from drayman.commands.options import host, moment
from drayman.errors import InvalidParameter, System


@click.command()
@click.argument("container")
@click.option("-f", "--follow", is_flag=True, help="Go on as it grows, until the container ends.")
@click.option("--since", metavar="TIME", help="From then on: as 10m, a date, or seconds.")
@click.option("--until", metavar="TIME", help="Up to then.")
@click.option("-n", "--tail", metavar="N", help="Begin with the last N lines.")
@click.option("-t", "--timestamps", is_flag=True, help="Each with its time.")
@click.option("--details", is_flag=True, help="Each with its attributes.")
@click.option("--grep", metavar="TEXT", help="Only lines that hold this text.")
@click.option(
    "--regex", metavar="REGEX", help="Only lines that match; the syntax is that of Rust's regex."
)
@click.option("--whole", is_flag=True, help="Put lines together that are longer than 16 KiB.")
@click.option("--limit", type=int, metavar="N", help="End after N lines.")
@click.option(
    "--cursor",
    metavar="POSITION",
    help="Go on from there, and tell on standard error where it ended. '' is the beginning, or"
    " where --since and --tail say.",
)
@click.option(
    "--cursor-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Go on from the position in this file, if it is there, and leave the new one in it.",
)
@click.option(
    "--slow",
    type=click.Choice(["wait", "drop", "disconnect"]),
    help="With -f, when this command is not read: leave it behind (wait), leave lines out and say"
    " how many (drop), or end.",
)
@click.option("--json", "as_json", is_flag=True, help="A JSON document a line, with all it has.")
@host
def logs(
    container: str,
    at: str | None,
    since: str | None,
    until: str | None,
    regex: str | None,
    limit: int | None,
    cursor: str | None,
    cursor_file: Path | None,
    **wishes: Any,
) -> None:
    """Print what a container has said: its output to standard output, its errors to standard error.

    \b
    Examples:
      drayman logs -f --tail 10 web
      drayman logs --since 1h --regex 'status=5[0-9]{2}' web
      drayman logs --cursor-file web.position web     only what is new since the last time
    """
    if cursor is not None and cursor_file is not None:
        raise InvalidParameter("--cursor and --cursor-file: leave one of them out")
    query = {
        "since": None if since is None else moment(since, "--since"),
        "until": None if until is None else moment(until, "--until"),
        "grep-regex": regex,
        "limit": None if limit is None else str(limit),
        **{name: wishes.pop(name) for name in ("follow", "tail", "grep", "whole", "slow")},
    }
    log = Log(container=container, query=query, cursor=cursor, **wishes)
    if cursor_file is not None:
        log.cursor = _read(cursor_file)
    begun = log.cursor
    with Daemon(at) as daemon:
        try:
            show(daemon, log)
        except BaseException:
            # What was printed, was.
            if log.cursor != begun:
                _keep(log.cursor, cursor_file)
            raise
    _keep(log.cursor, cursor_file)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise System(f"{file}: {error.strerror}") from None


def _keep(cursor: str | None, file: Path | None) -> None:
    if cursor is None:
        return
    if file is None:
        print(f"-- cursor: {cursor}", file=sys.stderr)
        return
    try:
        fd, unfinished = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(fd, "w") as written:
            written.write(f"{cursor}\n")
        os.rename(unfinished, file)
    except OSError as error:
        raise System(f"{file}: {error.strerror}") from None
