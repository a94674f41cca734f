"""How the engine is set up: command line over environment over file over default.

The file is TOML with the keys of `Config`; the environment spells them ``DRAYMAN_ROOT`` and
so on, lists separated by commas.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drayman.errors import InvalidParameter

DEFAULT_FILE = Path("/etc/drayman/config.toml")
DEFAULT_HOST = "unix:///run/drayman/drayman.sock"
LOG_LEVELS = ("debug", "info", "warning", "error")
# The kernel's IFNAMSIZ less its terminating zero.
INTERFACE_NAME_LIMIT = 15
# No honest tar is found beyond: ten million files, or eight gigabytes that are all but nothing.
# Zeros compress a thousandfold with gzip, and a disk image may well begin with some gigabytes.
UNPACK_ENTRIES = 10_000_000
UNPACK_RATIO = 500
UNPACK_RATIO_FROM_MIB = 8192
# In MiB it still is a number of bytes in 64 bits.
MAX_LIMIT = 2**40


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    # Where to listen: unix:///path, tcp://address:port, or fd:// for sockets handed over.
    hosts: list[str] = msgspec.field(default_factory=lambda: [DEFAULT_HOST])
    # What must survive a reboot.
    root: str = "/var/lib/drayman"
    # What need not.
    run: str = "/run/drayman"
    log_level: str = "info"
    # Who may use the unix socket, beside root.
    group: str = "docker"
    # The interface of the default network, and its range; a free one is chosen when empty.
    bridge: str = "drayman0"
    subnet: str = ""
    # The cgroup below which containers get theirs.
    cgroup_parent: str = "/drayman"
    # What an archive put into a container may be: so many entries, and so many times the size it
    # came in when decompressed. The latter counts beyond so many MiB.
    unpack_entries: int = UNPACK_ENTRIES
    unpack_ratio: int = UNPACK_RATIO
    unpack_ratio_from_mib: int = UNPACK_RATIO_FROM_MIB
    # Whether containers get an init that do not say.
    init: bool = False
    # The log driver of containers that name none, and its options.
    log_driver: str = "json-file"
    log_opts: dict[str, str] = msgspec.field(default_factory=dict)
    # Where Prometheus may ask, as HOST:PORT; nowhere when empty.
    metrics_addr: str = ""
    # OCI runtimes beside our own executor: names and programs.
    runtimes: dict[str, str] = msgspec.field(default_factory=dict)
    # Where the shim binary is, with drayman-logger beside it; beside the package when empty.
    shim: str = ""

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise InvalidParameter(
                f"log_level is {self.log_level!r}; it must be one of {', '.join(LOG_LEVELS)}"
            )
        if not 0 < len(self.bridge) <= INTERFACE_NAME_LIMIT:
            raise InvalidParameter(
                f"bridge is {self.bridge!r}; an interface's name has 1 to"
                f" {INTERFACE_NAME_LIMIT} characters"
            )

        if self.metrics_addr and not re.fullmatch(r"(\[.+\]|[^:]+):[0-9]{1,5}", self.metrics_addr):
            raise InvalidParameter(f"metrics_addr is {self.metrics_addr!r}; it must be HOST:PORT")
        for name in ("unpack_entries", "unpack_ratio", "unpack_ratio_from_mib"):
            if not 0 < (number := getattr(self, name)) <= MAX_LIMIT:
                raise InvalidParameter(f"{name} is {number}; it must be from 1 to {MAX_LIMIT}")

    @property
    def shim_path(self) -> Path:
        """The shim binary."""
        return Path(self.shim) if self.shim else Path(__file__).parent / "bin" / "drayman-shim"

    @property
    def logger_path(self) -> Path:
        """The binary that sends logs away."""
        return self.shim_path.with_name("drayman-logger")


def load(
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    **command_line: Any,
) -> Config:
    """Read every source; None on the command line means not given.

    Raises InvalidParameter naming the file or the variable that is wrong. A file that was
    asked for must exist; the default one need not.
    """
    settings = _from_file(file) if file else _from_default_file()
    for name in Config.__struct_fields__:
        value = environment.get(f"DRAYMAN_{name.upper()}")
        if value is not None:
            settings[name] = _from_text(name, value)
    settings.update({name: value for name, value in command_line.items() if value})
    try:
        # The environment has texts for numbers.
        return msgspec.convert(settings, Config, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"configuration: {error}") from None


def _from_text(name: str, text: str) -> Any:
    match name:
        case "hosts":
            return text.split(",")
        case "log_opts" | "runtimes":
            return pairs(text.split(","))
    return text


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` each. Raises InvalidParameter."""
    for text in texts:
        if "=" not in text:
            raise InvalidParameter(f"{text!r} is not KEY=VALUE")
    return {key: value for key, _, value in (text.partition("=") for text in texts)}


def _from_default_file() -> dict[str, Any]:
    return _from_file(DEFAULT_FILE) if DEFAULT_FILE.exists() else {}


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise InvalidParameter(f"cannot read {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{file} is not TOML: {error}") from None
