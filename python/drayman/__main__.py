"""``drayman``: the commands, each in a file of its own below ``commands/``."""

from __future__ import annotations

import importlib
import sys

import click

from drayman import __version__
from drayman.errors import DraymanError

# Imported when called: `drayman --help` must not pay for the engine.
COMMANDS = {
    "serve": "run the engine",
    "check": "tell what this host has and lacks",
    "cp": "copy files out of containers, into them, and between them",
    "export": "write a container's root file system as a tar",
    "diff": "list what a container, or an image, has changed",
    "logs": "print what a container has said, and go on where that ended",
    "demo": "see the main job done on an engine of its own",
}


class Commands(click.Group):
    """Finds a command by its module."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"drayman.commands.{name}"), name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try it: `drayman serve` in one terminal, then"
    " `DOCKER_HOST=unix:///run/drayman/drayman.sock docker version` in another.",
)
@click.version_option(__version__, message="drayman %(version)s")
def cli() -> None:
    """A container engine that speaks the Docker Engine API.

    Start it with `drayman serve` and point DOCKER_HOST at its socket: docker, compose and
    every library made for Docker go on working.
    """


def main() -> None:
    """Run the command line; an error of ours is a sentence, not a traceback."""
    try:
        cli(prog_name="drayman")
    except DraymanError as error:
        print(f"drayman: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
