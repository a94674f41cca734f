"""Which of several images fits a machine: ``os/architecture[/variant]``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from drayman.errors import InvalidParameter

# Names of Go, which images use, for what `uname -m` says.
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
# What is meant when no variant is written (containerd/platforms, normalizeArch).
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}
# Other spellings that people write.
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}

_PART = re.compile(r"[a-z0-9_-]+", re.ASCII)


@dataclass(frozen=True)
class Platform:
    """A kind of machine; an empty part is not known."""

    os: str = "linux"
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def rank(self, wanted: Platform) -> int:
        """How well an image of this platform fits: 0 not at all, more is better."""
        if (self.os or "linux", self.architecture) != (wanted.os, wanted.architecture):
            return 0
        default = _DEFAULT_VARIANTS.get(self.architecture, "")
        return 2 if (self.variant or default) == (wanted.variant or default) else 1


def host() -> Platform:
    """The platform of this machine."""
    machine = os.uname().machine
    architecture, variant = _ARCHITECTURES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def parse(text: str) -> Platform:
    """Read ``linux/arm64/v8``, ``linux/amd64`` or ``arm64``; empty means this machine.
    Raises InvalidParameter for anything else, another system included."""
    if not text:
        return host()
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidParameter(f'"{text}" is an invalid platform specifier')
    if len(parts) == 1:
        parts = [parts[0], host().architecture] if parts[0] == "linux" else ["linux", parts[0]]
    if parts[0] != "linux":
        raise InvalidParameter(f'operating system is not supported: "{parts[0]}"')
    architecture = _ALIASES.get(parts[1], parts[1])
    return Platform("linux", architecture, parts[2] if len(parts) == 3 else "")
