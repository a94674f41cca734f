"""Linux capabilities by Docker's rules: a default set, additions, removals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drayman.errors import InvalidParameter

# In the kernel's order: the place is the bit (linux/capability.h).
KNOWN: tuple[str, ...] = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
    "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
    "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
    "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip

# What a container has unless asked otherwise; Docker's fourteen, in Docker's order.
DEFAULT: tuple[str, ...] = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
)  # fmt: skip

_ALL = "ALL"


def from_mask(mask: int) -> tuple[str, ...]:
    """The capabilities of a bit mask, as ``/proc/PID/status`` prints one."""
    return tuple(name for bit, name in enumerate(KNOWN) if mask >> bit & 1)


def choose(
    add: Sequence[str] | None,
    drop: Sequence[str] | None,
    available: Sequence[str],
    *,
    privileged: bool = False,
) -> list[str]:
    """The capabilities of a container: the default ones, less ``drop``, and ``add``.

    Names count in any case, with or without ``CAP_``; ``ALL`` stands for every one. What
    the host itself lacks (``available``) is left out of the default and of ``ALL``, and
    refused when asked for by name. Raises InvalidParameter.
    """
    added = _normalize("CapAdd", add, available)
    dropped = _normalize("CapDrop", drop, KNOWN)
    if privileged:
        return list(available)
    if _ALL in added:
        return [name for name in available if name not in dropped]
    if _ALL in dropped:
        return [name for name in added if name != _ALL]
    chosen = [name for name in DEFAULT if name in available and name not in dropped]
    return chosen + [name for name in added if name not in chosen]


def _normalize(field: str, names: Sequence[str] | None, available: Sequence[str]) -> list[str]:
    normalized: list[str] = []
    for name in names or ():
        upper = name.upper()
        if upper != _ALL and not upper.startswith("CAP_"):
            upper = "CAP_" + upper
        if upper != _ALL and upper not in KNOWN:
            raise InvalidParameter(f'invalid {field}: unknown capability: "{upper}"')
        if upper != _ALL and upper not in available:
            raise InvalidParameter(
                f"invalid {field}: capability not supported by your kernel or not available in "
                f'the current environment: "{upper}"'
            )
        if upper not in normalized:
            normalized.append(upper)
    return normalized


def sets(chosen: Iterable[str], uid: int, *, privileged: bool = False) -> dict[str, list[str]]:
    """The OCI ``process.capabilities``.

    A user other than root gets the bounding set alone, which is what ``execve`` would leave
    it; inheritable ones are given to nobody (CVE-2022-24769).
    """
    names = list(chosen)
    if uid != 0 and not privileged:
        return {"bounding": names}
    return {"bounding": names, "permitted": list(names), "effective": list(names)}
