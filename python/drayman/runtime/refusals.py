"""Which field of a request holds what the kernel refused, told from the words of a runtime.

Docker answers 500 to a value that only the kernel can judge. It is the client's all the same: the
kernel's reason is kept, and stands behind the name of the field.
"""

from __future__ import annotations

import posixpath
import re

from drayman.errors import DraymanError, InvalidParameter, System
from drayman.model.container import HostConfig
from drayman.runtime.limits import FIELDS

# Reasons that no request is to blame for.
_HOSTS = (
    "no space left on device", "cannot allocate memory", "input/output error",
    "too many open files in system", "resource temporarily unavailable", "disk quota exceeded",
)  # fmt: skip
# Reasons that a path alone is to blame for.
_PATHS = ("not a directory", "file name too long", "too many levels of symbolic links")
_CONTROL_FILE = re.compile(r"/((?:memory|cpu|cpuset|pids|blkio|io|devices)\.[a-z_.]+)\b")
_MOUNT = re.compile(r'error mounting "[^"]*" to rootfs at "([^"]*)"')
# What our executor, runc or crun say, and which field it comes from.
_WORDS = (
    ("/proc/sys/", "HostConfig.Sysctls"),
    ("rlimit", "HostConfig.Ulimits"),
    # Of the first files that a container opens: its own limit is too low.
    ("too many open files", "HostConfig.Ulimits"),
    ("oom_score_adj", "HostConfig.OomScoreAdj"),
    ("error creating device", "HostConfig.Devices"),
    ("apparmor profile", "HostConfig.SecurityOpt"),
    ("selinux label", "HostConfig.SecurityOpt"),
    ("argument list too long", "Cmd or Env"),
)


def field(text: str, host_config: HostConfig) -> str:
    """The field that a failed start's text speaks of; empty when it is none of the client's."""
    if any(reason in text for reason in _HOSTS):
        return ""
    file = _CONTROL_FILE.search(text)
    if file is not None and file[1] in FIELDS:
        return f"HostConfig.{_asked(FIELDS[file[1]], host_config)}"
    mount = _MOUNT.search(text)
    if mount is not None:
        return mount_field(mount[1], host_config)
    return next((name for words, name in _WORDS if words in text), "")


def path(name: str, error: System) -> DraymanError:
    """What to raise when a path of the field ``name`` could not be made or opened in a container:
    the client's mistake, where it is the path's."""
    if str(error).endswith(_PATHS):
        return InvalidParameter(f"{name}: {error}")
    return error


def _asked(name: str, host_config: HostConfig) -> str:
    """Of several fields that end in one file, the one that was given."""
    if name == "CpuQuota" and host_config.nano_cpus:
        return "NanoCpus"
    if name == "DeviceCgroupRules" and not host_config.device_cgroup_rules:
        return "Devices"
    return name


def mount_field(target: str, host_config: HostConfig) -> str:
    """The field that asks for a mount at ``target``; empty when none does."""
    target = posixpath.normpath(target)
    if target in map(posixpath.normpath, host_config.tmpfs or ()):
        return "HostConfig.Tmpfs"
    if any(target == posixpath.normpath(one.target) for one in host_config.mounts or ()):
        return "HostConfig.Mounts"
    if any(target == posixpath.normpath(_target(one)) for one in host_config.binds or ()):
        return "HostConfig.Binds"
    return ""


def _target(bind: str) -> str:
    return bind.split(":")[1] if ":" in bind else bind
