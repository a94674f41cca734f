"""Kernel settings of a container: those that its own namespaces have, and no other.

``/proc/sys`` shows a process the settings of its namespaces and, beside them, those of the host.
"""

from __future__ import annotations

import re

from drayman.errors import InvalidParameter
from drayman.model.container import HostConfig
from drayman.runtime.security import quote

_IPC = (
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
    "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
)  # fmt: skip


def check(host_config: HostConfig) -> None:
    """Raise InvalidParameter, in runc's words, for a setting that is not the container's own."""
    for name in host_config.sysctls or {}:
        why = _refusal(name, host_config)
        if why:
            raise InvalidParameter(f"sysctl {quote(name)} {why}")


def _refusal(name: str, host_config: HostConfig) -> str:
    # The names of interfaces may have dots; then slashes stand between the words.
    words = name.split("/" if "/" in name else ".")
    dotted = ".".join(words)
    if not all(re.fullmatch(r"[^./\0][^/\0]*", word) for word in words):
        return "is not a name"
    if dotted in _IPC or dotted.startswith("fs.mqueue."):
        return "is not allowed in the hosts ipc namespace" if host_config.ipc_mode == "host" else ""
    if words[0] == "net":
        host = host_config.network_mode == "host"
        return "not allowed in host network namespace" if host else ""
    if host_config.uts_mode != "host":
        if dotted == "kernel.domainname":
            return ""
        if dotted == "kernel.hostname":
            return 'is not allowed as it conflicts with the OCI "hostname" field'
    return "is not in a separate kernel namespace"
