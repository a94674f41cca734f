"""Devices of the host that a container may see and use."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from drayman.errors import InvalidParameter
from drayman.model.container import DeviceMapping, HostConfig
from drayman.runtime.security import quote

_RULE = re.compile(r"([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})")
_WILDCARD = "*"
# The kernel counts devices by 32 bits.
_HIGHEST = 2**32 - 1
# What lies in a container's own /dev, or is the host's terminal business.
_OWN = ("pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev")
# Deep enough for /dev/bus/usb/001; a bound for trees that are not /dev.
_DEPTH = 8


def _default(kind: str, major: int, minor: int, allow: bool = True) -> dict[str, Any]:
    return {"allow": allow, "type": kind, "major": major, "minor": minor, "access": "rwm"}


# Docker's list: nothing, but zero, null, urandom, random, tty and console. What else an
# executor makes in /dev (full, ptmx, pts) it allows by itself.
RULES: tuple[dict[str, Any], ...] = (
    {"allow": False, "access": "rwm"},
    _default("c", 1, 5),
    _default("c", 1, 3),
    _default("c", 1, 9),
    _default("c", 1, 8),
    _default("c", 5, 0),
    _default("c", 5, 1),
    _default("c", 10, 229, allow=False),
)
EVERYTHING: dict[str, Any] = {"allow": True, "access": "rwm"}


def check(host_config: HostConfig) -> None:
    """Raise InvalidParameter for devices that no host could give, by what is asked alone."""
    for request in host_config.device_requests or ():
        groups = " ".join(f"[{' '.join(group or ())}]" for group in request.capabilities or ())
        # There are no drivers of devices here, such as NVIDIA's.
        raise InvalidParameter(
            f"HostConfig.DeviceRequests: could not select device driver {quote(request.driver)} "
            f"with capabilities: [{groups}]"
        )
    for mapping in host_config.devices or ():
        if not re.fullmatch(r"[rwm]{0,3}", mapping.cgroup_permissions):
            raise _unusable(mapping, f"invalid device mode: {mapping.cgroup_permissions}")
        if not os.path.isabs(mapping.path_in_container or mapping.path_on_host):
            raise _unusable(mapping, f"{quote(mapping.path_in_container)} is not an absolute path")
    cgroup_rules(host_config.device_cgroup_rules)


def compose(host_config: HostConfig) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The OCI ``linux.devices`` and ``linux.resources.devices`` of a container.

    Looks at the host's device nodes. Raises InvalidParameter when a device asked for is not there.
    """
    nodes: list[dict[str, Any]] = []
    rules = [dict(rule) for rule in RULES]
    if host_config.privileged:
        nodes = list(_below("/dev", "/dev"))
        rules = [dict(EVERYTHING)]
    for mapping in host_config.devices or ():
        for node in _mapped(mapping):
            nodes = [known for known in nodes if known["path"] != node["path"]] + [node]
            if not host_config.privileged:
                rules.append(_rule(node, mapping.cgroup_permissions or "rwm"))
    return nodes, rules + cgroup_rules(host_config.device_cgroup_rules)


def cgroup_rules(rules: Sequence[str] | None) -> list[dict[str, Any]]:
    """Parse ``DeviceCgroupRules`` (``c 42:* rmw``). Raises InvalidParameter."""
    parsed: list[dict[str, Any]] = []
    for text in rules or ():
        match = _RULE.fullmatch(text)
        if match is None:
            raise InvalidParameter(f"invalid device cgroup rule format: '{text}'")
        kind, major, minor, access = match.groups()
        if any(number != _WILDCARD and int(number) > _HIGHEST for number in (major, minor)):
            raise InvalidParameter(f"invalid device cgroup rule: '{text}': a number is too high")
        rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
        if major != _WILDCARD:
            rule["major"] = int(major)
        if minor != _WILDCARD:
            rule["minor"] = int(minor)
        parsed.append(rule)
    return parsed


def _mapped(mapping: DeviceMapping) -> Iterator[dict[str, Any]]:
    """The device of a mapping, or every device below it when it is a directory."""
    source = os.path.realpath(mapping.path_on_host)
    target = mapping.path_in_container or mapping.path_on_host
    found = False
    if os.path.isdir(source):
        for node in _below(source, target):
            found = True
            yield node
    else:
        try:
            node_or_none = _node(source, target)
        except OSError as error:
            raise _unusable(mapping, str(error.strerror).lower()) from None
        if node_or_none is not None:
            found = True
            yield node_or_none
    if not found:
        raise _unusable(mapping, "not a device node")


def _unusable(mapping: DeviceMapping, reason: str) -> InvalidParameter:
    return InvalidParameter(
        "HostConfig.Devices: error gathering device information while adding custom device "
        f"{quote(mapping.path_on_host)}: {reason}"
    )


def _below(source: str, target: str, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Device nodes of a directory of the host, its console and container-owned parts apart."""
    try:
        entries = sorted(os.scandir(source), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        inside = f"{target}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEPTH and entry.name not in _OWN:
                yield from _below(entry.path, inside, depth + 1)
        elif not entry.is_symlink() and entry.name != "console":
            try:
                node = _node(entry.path, inside)
            except OSError:
                continue  # gone since it was listed
            if node is not None:
                yield node


def _node(source: str, target: str) -> dict[str, Any] | None:
    facts = os.stat(source)
    kind = "c" if stat.S_ISCHR(facts.st_mode) else "b" if stat.S_ISBLK(facts.st_mode) else None
    if kind is None:
        return None
    return {
        "path": target,
        "type": kind,
        "major": os.major(facts.st_rdev),
        "minor": os.minor(facts.st_rdev),
        "fileMode": stat.S_IMODE(facts.st_mode),
        "uid": facts.st_uid,
        "gid": facts.st_gid,
    }


def _rule(node: dict[str, Any], access: str) -> dict[str, Any]:
    return {
        "allow": True,
        "type": node["type"],
        "major": node["major"],
        "minor": node["minor"],
        "access": access,
    }
