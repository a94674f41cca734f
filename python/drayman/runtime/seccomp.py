"""Seccomp profiles: Docker's JSON resolved for one container, and compiled once.

A profile has rules for some capabilities, architectures or kernels only. `resolve` leaves
those that hold, which is the OCI ``linux.seccomp``; `blob` compiles that and keeps the
program by the digest of what it was made of, so every later container finds it ready.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Collection
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import orjson

from drayman import _native
from drayman.errors import InvalidParameter
from drayman.runtime.host import Host

# Grows when the same document compiles to another program.
_COMPILER_VERSION = 1

# Docker's architectures, in the words of libseccomp.
NATIVE = {
    "amd64": "SCMP_ARCH_X86_64", "386": "SCMP_ARCH_X86", "arm64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_ARM", "ppc64le": "SCMP_ARCH_PPC64LE", "s390x": "SCMP_ARCH_S390X",
    "riscv64": "SCMP_ARCH_RISCV64", "mips64le": "SCMP_ARCH_MIPSEL64",
}  # fmt: skip
# Docker's word for 32-bit x86 in profiles differs from Go's.
_PROFILE_WORD = {"386": "x86"}


class _Camel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Argument(_Camel, frozen=True, kw_only=True):
    """A condition on one of a call's arguments."""

    index: int
    value: int
    op: str
    value_two: int = 0


class Filter(_Camel, frozen=True, kw_only=True):
    """When a rule holds, or does not: any of these is a match of its kind."""

    caps: list[str] | None = None
    arches: list[str] | None = None
    min_kernel: str | None = None


class Rule(_Camel, frozen=True, kw_only=True):
    """What happens to some calls. ``name`` is the old form of ``names``."""

    action: str
    names: list[str] | None = None
    name: str = ""
    errno_ret: int | None = None
    args: list[Argument] | None = None
    includes: Filter | None = None
    excludes: Filter | None = None


class ArchitectureMap(_Camel, frozen=True, kw_only=True):
    """An architecture with those whose programs it runs too."""

    architecture: str
    sub_architectures: list[str] | None = None


class Profile(_Camel, frozen=True, kw_only=True):
    """A profile in Docker's JSON format."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: list[str] | None = None
    arch_map: list[ArchitectureMap] | None = None
    flags: list[str] | None = None
    syscalls: list[Rule] | None = None


@lru_cache(maxsize=1)
def default_profile() -> Profile:
    """Our own profile, no wider than Docker's, and without AF_ALG (CVE-2026-31431)."""
    document = resources.files("drayman.runtime").joinpath("seccomp.json").read_bytes()
    return parse(document)


def parse(document: bytes) -> Profile:
    """Read a profile. Raises InvalidParameter with Docker's text."""
    try:
        profile = msgspec.convert(orjson.loads(document), Profile)
    except (orjson.JSONDecodeError, msgspec.ValidationError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from None
    if profile.architectures and profile.arch_map:
        raise InvalidParameter(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    return profile


def resolve(profile: Profile, capabilities: Collection[str], host: Host) -> dict[str, Any]:
    """The OCI ``linux.seccomp`` of a container with these (bounding) capabilities here."""
    resolved: dict[str, Any] = {"defaultAction": profile.default_action}
    if profile.default_errno_ret is not None:
        resolved["defaultErrnoRet"] = profile.default_errno_ret
    architectures = _architectures(profile, host.architecture)
    if architectures:
        resolved["architectures"] = architectures
    if profile.flags:
        resolved["flags"] = profile.flags
    resolved["syscalls"] = [
        _rule(rule) for rule in profile.syscalls or () if _holds(rule, capabilities, host)
    ]
    return resolved


def blob(resolved: dict[str, Any], cache_dir: Path) -> Path:
    """The compiled program of `resolve`'s result, from the cache when it is there.

    Raises InvalidParameter naming a rule that cannot be compiled, System.
    """
    document = orjson.dumps(resolved, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(b"%d\n" % _COMPILER_VERSION + document).hexdigest()
    place = cache_dir / f"{digest}.bpf"
    if not place.exists():
        _store(place, _native.seccomp_compile(document, []))
    return place


def _store(place: Path, program: bytes) -> None:
    """Write and rename: another container must never load half a program."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=place.parent, prefix=".bpf-")
    try:
        with open(fd, "wb") as file:
            file.write(program)
            file.flush()
            os.fsync(fd)
        os.rename(temporary, place)
    except BaseException:
        os.unlink(temporary)
        raise


def _architectures(profile: Profile, architecture: str) -> list[str]:
    if profile.architectures:
        return profile.architectures
    native = NATIVE.get(architecture)
    for entry in profile.arch_map or ():
        if entry.architecture == native:
            return [native, *(entry.sub_architectures or ())]
    return []


def _holds(rule: Rule, capabilities: Collection[str], host: Host) -> bool:
    """Whether a rule applies: nothing that excludes it matches, all that include it do."""
    word = _PROFILE_WORD.get(host.architecture, host.architecture)
    if (excluded := rule.excludes) is not None:
        if word in (excluded.arches or ()):
            return False
        if any(capability in capabilities for capability in excluded.caps or ()):
            return False
        if excluded.min_kernel and host.kernel >= _version(excluded.min_kernel):
            return False
    if (included := rule.includes) is not None:
        if included.arches and word not in included.arches:
            return False
        if any(capability not in capabilities for capability in included.caps or ()):
            return False
        if included.min_kernel and host.kernel < _version(included.min_kernel):
            return False
    return True


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise InvalidParameter(
            f"Decoding seccomp profile failed: invalid kernel version: {text}: "
            "expected <kernel>.<major>"
        )
    return int(major), int(minor)


def _rule(rule: Rule) -> dict[str, Any]:
    if rule.name and rule.names:
        raise InvalidParameter(
            "both 'name' and 'names' are specified in the seccomp profile, "
            "use either 'name' or 'names'"
        )
    resolved: dict[str, Any] = {
        "names": [rule.name] if rule.name else list(rule.names or ()),
        "action": rule.action,
    }
    if rule.errno_ret is not None:
        resolved["errnoRet"] = rule.errno_ret
    if rule.args:
        resolved["args"] = [msgspec.to_builtins(argument) for argument in rule.args]
    return resolved
