"""``drayman export``: a container's root file system as a tar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drayman.client import exports
from drayman.client.daemon import Daemon
from drayman.client.exports import Export
from drayman.commands.options import host, quiet
from drayman.errors import InvalidParameter


@click.command()
@click.argument("container")
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE",
    help="Write to this file, which is there when it is whole, and not before.",
)  # fmt: skip
@click.option("--include", multiple=True, metavar="GLOB", help="Only this. May be repeated.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="GLOB",
    help="Leave this out; as in .dockerignore, ** and ! have their meaning. May be repeated.",
)
@click.option("--sparse", is_flag=True, help="Leave holes out.")
@click.option("--zstd", is_flag=True, help="Compress it, by every core of the engine's host.")
@click.option(
    "--resume",
    is_flag=True,
    help="Leave what has come, as FILE.part, when it breaks off; go on from there the next time,"
    " unless files have changed.",
)
@click.option("--verify", is_flag=True, help="Check what arrived by its SHA-256.")
@quiet
@host
def export(container: str, file: Path | None, at: str | None, resume: bool, **wishes: Any) -> None:
    """Write a container's root file system as a tar, without volumes and other mounts.

    \b
    Examples:
      drayman export web | tar -t
      drayman export -o web.tar --resume --verify web
      drayman export -o web.tar.zst --zstd --exclude 'var/cache/**' web
    """
    wishes |= {name: list(wishes[name]) for name in ("include", "exclude")}
    wanted = Export(container=container, **wishes)
    if resume and (file is None or wanted.zstd):
        raise InvalidParameter(
            "--resume needs -o FILE"
            if file is None
            else "a compressed tar cannot be resumed: leave --zstd or --resume out"
        )
    with Daemon(at) as daemon:
        if file is None:
            exports.to_stdout(daemon, wanted)
        elif resume:
            exports.resume(daemon, wanted, file)
        else:
            exports.to_file(daemon, wanted, file)
