"""``drayman cp``: files between this host and containers, and from container to container."""

from __future__ import annotations

from typing import Any

import click

from drayman.client import copies
from drayman.client.copies import Place, Wishes
from drayman.client.daemon import Daemon
from drayman.commands.options import host, quiet
from drayman.errors import InvalidParameter


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option(
    "-a", "--archive", is_flag=True, help="Keep owners; into a container: give all to its user."
)
@click.option(
    "-L", "--follow-link", "follow", is_flag=True, help="Copy what SRC, a link, leads to."
)
@click.option(
    "--include", multiple=True, metavar="GLOB", help="Copy only this, below SRC. May be repeated."
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave this out; as in .dockerignore, ** and ! have their meaning. May be repeated.",
)
@click.option(
    "--sparse", is_flag=True, help="Leave holes out of a tar on standard output. Trees keep theirs."
)
@click.option("--zstd", is_flag=True, help="Compress on the way, and a tar on standard output.")
@click.option("--verify", is_flag=True, help="Check what comes out of a container by its SHA-256.")
@quiet
@host
def cp(source: str, destination: str, at: str | None, **wishes: Any) -> None:
    """Copy files between this host and a container, or between containers.

    Of SRC and DST at least one is CONTAINER:PATH. A directory is copied with all that is in it;
    what DST becomes follows `docker cp`: into DST when that is a directory, else by its name.
    SRC/. is what is in SRC. `-` is a tar on standard input or output.

    \b
    Examples:
      drayman cp web:/var/log/nginx .             the directory, as ./nginx
      drayman cp web:/etc/. etc --exclude ssl     what is in /etc, into etc, but for ssl
      drayman cp site/. web:/usr/share/nginx/html
      drayman cp web:/data new:/data              from container to container
      drayman cp web:/data - --zstd | ssh there tar --zstd -x
    """
    if not source:
        raise InvalidParameter("source can not be empty")
    if not destination:
        raise InvalidParameter("destination can not be empty")
    wishes |= {name: list(wishes[name]) for name in ("include", "exclude")}
    wish = Wishes(**wishes)
    start, end = Place.parse(source), Place.parse(destination)
    if wish.verify and not start.container:
        raise InvalidParameter("--verify is for what comes out of a container")
    with Daemon(at) as daemon:
        copy(daemon, start, end, wish)


def copy(daemon: Daemon, start: Place, end: Place, wish: Wishes) -> None:
    """Go the way that the places say."""
    match bool(start.container), bool(end.container):
        case True, True:
            if wish.verify or wish.zstd:
                raise InvalidParameter(
                    "nothing is sent from container to container: leave --verify and --zstd out"
                )
            copies.between(daemon, start, end, wish)
        case True, False if end.path == "-":
            copies.out_as_tar(daemon, start, wish)
        case True, False:
            copies.out(daemon, start, end.path, wish)
        case False, True if start.path == "-":
            copies.into_from_tar(daemon, end, wish)
        case False, True:
            copies.into(daemon, start.path, end, wish)
        case _:
            raise InvalidParameter(
                "must specify at least one container source: write one of the two as NAME:PATH"
            )
