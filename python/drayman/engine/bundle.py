"""What a shim is given: the OCI configuration and its own settings, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import orjson

from drayman.engine.context import Context
from drayman.engine.detach_keys import DEFAULT
from drayman.engine.sizes_in_words import parse_size
from drayman.errors import InvalidParameter
from drayman.model.container import Container, LogConfig
from drayman.runtime import messages

# What native/crates/shim/src/messages.json describes.
SHIM_VERSION = 1
# What Docker's json-file driver takes; compression and tags are accepted and left alone.
_LOG_OPTIONS = frozenset(
    ("max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag")
)


def write(
    context: Context, record: Container, configuration: dict[str, Any], seccomp: Path | None
) -> None:
    """Write ``config.json`` and ``shim.json``; blocks for as long as two small files take.

    They are read once, at the start, and need not outlive a loss of power.
    """
    paths = context.paths.container(record.id)
    paths.config.write_bytes(orjson.dumps(configuration))
    paths.shim_config.write_bytes(orjson.dumps(shim_settings(context, record, seccomp)))


def shim_settings(context: Context, record: Container, seccomp: Path | None) -> dict[str, Any]:
    """The document that the shim reads."""
    paths = context.paths.container(record.id)
    config, host_config = record.config, record.host_config
    return {
        "version": SHIM_VERSION,
        "id": record.id,
        "bundle": str(paths.bundle),
        "socket": str(paths.socket),
        "exit_file": str(paths.exit_record),
        "exec_dir": str(paths.execs),
        "root": {
            "lower": context.lower(record),
            "upper": str(paths.upper),
            "work": str(paths.work),
            "read_only": host_config.readonly_rootfs,
        },
        "seccomp": str(seccomp) if seccomp else None,
        "stdio": {
            "tty": config.tty,
            "open_stdin": config.open_stdin,
            "stdin_once": config.stdin_once,
            "console_size": messages.window(host_config.console_size),
            "detach_keys": DEFAULT,
        },
        "log": log_settings(host_config.log_config, record, str(paths.log)),
        "cgroup": msgspec.to_builtins(context.host.cgroup),
        "stop_grace": None,
    }


def log_settings(log: LogConfig, record: Container, path: str) -> dict[str, Any]:
    """How the shim logs."""
    options = log.config or {}
    size = options.get("max-size", "-1")
    return {
        "driver": log.type,
        "path": path,
        "max_size_bytes": None if size == "-1" else parse_size(size),
        "max_files": int(options.get("max-file", "1")),
        "attrs": _attributes(options, record),
    }


def check_log(log: LogConfig) -> None:
    """Raise InvalidParameter for a driver or an option that is not known."""
    if log.type not in ("", "json-file", "none"):
        raise InvalidParameter(f"logger: no log driver named '{log.type}' is registered")
    for option, value in (log.config or {}).items():
        if option not in _LOG_OPTIONS:
            raise InvalidParameter(f"unknown log opt '{option}' for json-file log driver")
        if option == "max-size" and value != "-1":
            parse_size(value)
        if option == "max-file" and not (value.isdecimal() and int(value) > 0):
            raise InvalidParameter("max-file cannot be less than 1")


def _attributes(options: dict[str, str], record: Container) -> dict[str, str]:
    """Labels and variables that the log is to carry with every record."""
    found: dict[str, str] = {}
    labels = record.config.labels or {}
    for key in filter(None, options.get("labels", "").split(",")):
        if key in labels:
            found[key] = labels[key]
    variables = dict(entry.split("=", 1) for entry in record.config.env or () if "=" in entry)
    for key in filter(None, options.get("env", "").split(",")):
        if key in variables:
            found[key] = variables[key]
    return found
