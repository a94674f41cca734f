"""``--security-opt``: what a client asks of seccomp, privileges and labels."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drayman.errors import InvalidParameter
from drayman.model import go_bool

UNCONFINED = "unconfined"
# Names of our own profile.
DEFAULTS = ("", "default", "builtin")


class SecurityOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Parsed options. `seccomp` is "" for the default, ``unconfined``, or a JSON document."""

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    labels: tuple[str, ...] = ()
    writable_cgroups: bool = False


def parse(options: Sequence[str] | None) -> SecurityOptions:
    """Read ``HostConfig.SecurityOpt``. Raises InvalidParameter with Docker's texts.

    AppArmor profiles and SELinux labels are accepted on every host, as Docker does, and
    mean nothing where the host has neither.
    """
    found = SecurityOptions()
    for option in options or ():
        if option == "no-new-privileges":
            found = msgspec.structs.replace(found, no_new_privileges=True)
            continue
        if option == "disable":
            found = msgspec.structs.replace(found, labels=(*found.labels, "disable"))
            continue
        # ``key:value`` is the old form, still sent by old clients.
        key, separator, value = option.partition("=" if "=" in option else ":")
        if not separator:
            raise InvalidParameter(f"invalid --security-opt 1: {quote(option)}")
        found = _with(found, key, value, option)
    return found


def _with(found: SecurityOptions, key: str, value: str, option: str) -> SecurityOptions:
    replace = msgspec.structs.replace
    match key:
        case "label":
            return replace(found, labels=(*found.labels, value))
        case "apparmor":
            return replace(found, apparmor=value)
        case "seccomp":
            return replace(found, seccomp="" if value in DEFAULTS else value)
        case "no-new-privileges":
            return replace(found, no_new_privileges=_boolean(value, option))
        case "writable-cgroups":
            return replace(found, writable_cgroups=_boolean(value, option))
    raise InvalidParameter(f"invalid --security-opt 2: {quote(option)}")


def _boolean(value: str, option: str) -> bool:
    found = go_bool.parse(value)
    if found is None:
        raise InvalidParameter(f"invalid --security-opt 2: {quote(option)}")
    return found


def quote(text: str) -> str:
    """``text`` in double quotes, as Go prints it with ``%q``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
