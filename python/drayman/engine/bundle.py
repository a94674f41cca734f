"""What a shim is given: the OCI configuration and its own settings, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import orjson

from drayman.engine import runtimes
from drayman.engine.context import Context
from drayman.engine.detach_keys import DEFAULT
from drayman.engine.log_settings import log_settings
from drayman.model.container import Container
from drayman.runtime import messages

# What native/crates/shim/src/messages.json describes.
SHIM_VERSION = 1


def write(
    context: Context,
    record: Container,
    configuration: dict[str, Any],
    seccomp: Path | None,
    health: dict[str, Any] | None,
) -> None:
    """Write ``config.json`` and ``shim.json``; blocks for as long as two small files take.

    They are read once, at the start, and need not outlive a loss of power.
    """
    paths = context.paths.container(record.id)
    paths.config.write_bytes(orjson.dumps(configuration))
    paths.shim_config.write_bytes(orjson.dumps(shim_settings(context, record, seccomp, health)))


def shim_settings(
    context: Context, record: Container, seccomp: Path | None, health: dict[str, Any] | None
) -> dict[str, Any]:
    """The document that the shim reads."""
    paths = context.paths.container(record.id)
    config, host_config = record.config, record.host_config
    program = runtimes.find(context.config.runtimes, host_config.runtime)
    return {
        "version": SHIM_VERSION,
        "id": record.id,
        "bundle": str(paths.bundle),
        "socket": str(paths.socket),
        "exit_file": str(paths.exit_record),
        "exec_dir": str(paths.execs),
        "logger": str(context.config.logger_path),
        "root": {
            "lower": context.lower(record),
            "upper": str(paths.upper),
            "work": str(paths.work),
            "read_only": host_config.readonly_rootfs,
        },
        "runtime": str(program) if program else None,
        "seccomp": str(seccomp) if seccomp else None,
        "stdio": {
            "tty": config.tty,
            "open_stdin": config.open_stdin,
            "stdin_once": config.stdin_once,
            "console_size": messages.window(host_config.console_size),
            "detach_keys": DEFAULT,
        },
        "log": log_settings(record, paths),
        "cgroup": msgspec.to_builtins(context.host.cgroup),
        "health": health,
        "stop_grace": None,
    }
