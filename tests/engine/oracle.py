"""The same bundle under two executors: runc, which is right by definition, and ours.

A plan's command is a script that prints what a process can see of its container; `observe_runc`
and `observe_shim` run it and return that, in a form that two runs can be compared in.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.engine.shims import BINARY

from drayman.runtime import seccomp, spec
from drayman.runtime.host import Host
from drayman.runtime.plan import ContainerPlan
from drayman.runtime.shim import Shim

Observed = dict[str, Any]

# Below one group, so that what a failed test leaves is easy to find.
CGROUP_PARENT = "/drayman-test-oracle"
_TIMEOUT_SECONDS = 30
_MARK = "=== "

# Every section is a command of busybox; a failing one says so instead of ending the script.
_SECTIONS = {
    "status": "cat /proc/self/status",
    "environ": "tr '\\0' '\\n' </proc/$$/environ",
    "mountinfo": "cat /proc/self/mountinfo",
    "cgroup": "cat /proc/self/cgroup",
    "limits": "cat /proc/self/limits",
    "oom": "cat /proc/self/oom_score_adj",
    "dev": "find /dev -xdev -exec stat -c '%n %F %t:%T %a %u:%g' '{}' ';'",
    "devlinks": "find /dev -xdev -type l -exec readlink -n '{}' ';' -exec echo ' {}' ';'",
    "hostname": "cat /proc/sys/kernel/hostname",
    "domainname": "cat /proc/sys/kernel/domainname",
    "cwd": "pwd",
    "umask": "umask",
    "ids": "id -u; id -g; id -G",
    "namespaces": "for n in /proc/self/ns/*; do readlink $n; done",
    "descriptors": "ls /proc/$$/fd",
    "masked": "for p in acpi asound interrupts kcore keys latency_stats sched_debug scsi; do"
    " echo $p $(cat /proc/$p 2>&1 | head -c 20 | wc -c) $(ls /proc/$p 2>&1 | wc -l); done;"
    " ls /sys/firmware | wc -l; ls /sys/devices/virtual/powercap 2>&1 | wc -l",
    "sysctl": "cat /proc/sys/net/ipv4/ip_unprivileged_port_start"
    " /proc/sys/net/ipv4/ping_group_range",
    "writable": "for p in / /dev /dev/shm /sys /proc/sys/kernel/domainname /etc/hosts /tmp /data"
    " /proc/sysrq-trigger /sys/fs/cgroup; do test -w $p && echo $p; done; true",
    "places": "stat -c '%n %a %u:%g' / /proc /sys /tmp /data /srv /dev/shm /dev/mqueue /dev/pts"
    " /etc/hosts /made/by/runtime /new",
    "denied": "unshare -m true; mknod /tmp/null c 1 3 && cat /tmp/null; chroot / true;"
    " mount -t tmpfs tmpfs /tmp",
    # Bridges and their ports come and go with other tests; devices stay.
    "network": "ls -d /sys/class/net/*/device 2>/dev/null; cat /sys/class/net/lo/operstate",
    "memory": "cd /sys/fs/cgroup/memory && cat memory.limit_in_bytes memory.memsw.limit_in_bytes"
    " memory.soft_limit_in_bytes memory.swappiness",
    "cpu": "cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
    " /sys/fs/cgroup/cpu/cpu.cfs_period_us /sys/fs/cgroup/cpuset/cpuset.cpus",
    "pids": "cat /sys/fs/cgroup/pids/pids.max",
    "devices": "cat /sys/fs/cgroup/devices/devices.list",
}
SCRIPT = "\n".join(
    f"echo '{_MARK}{name}'; ({command}) 2>&1 || echo failed" for name, command in _SECTIONS.items()
)
# What a run always differs in, or what says nothing of the container.
_STATUS_KEPT = re.compile(
    r"(Umask|Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp\w*|Cpus_allowed_list|Mems_allowed_list"
    r"|SigIgn|SigBlk)$"
)


def make_rootfs(place: Path) -> Path:
    """A root directory of busybox with users to look up; returns it."""
    busybox = shutil.which("busybox")
    assert busybox is not None, "busybox-static is needed"
    for name in ("bin", "dev", "proc", "sys", "etc", "tmp", "data", "srv", "root", "sbin"):
        (place / name).mkdir(parents=True)
    shutil.copy(busybox, place / "bin/busybox")
    applets = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    for applet in applets.stdout.split():
        if applet != "busybox":
            (place / "bin" / applet).symlink_to("busybox")
    (place / "tmp").chmod(0o1777)
    (place / "srv").chmod(0o750)
    (place / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/home/worker:/bin/sh\n"
    )
    (place / "etc/group").write_text("root:x:0:\nworker:x:1000:\naudio:x:29:worker\n")
    for name in ("hosts", "hostname", "resolv.conf"):
        (place / "etc" / name).write_text("")
    return place


def write_bundle(place: Path, rootfs: Path, plan: ContainerPlan, host: Host) -> dict[str, Any]:
    """A bundle directory with its configuration and a root of its own; returns the spec."""
    place.mkdir(parents=True)
    shutil.copytree(rootfs, place / "rootfs", symlinks=True)
    composed = spec.compose(plan, host)
    (place / "config.json").write_text(json.dumps(composed))
    return composed


def observe_runc(bundle: Path, container_id: str) -> Observed:
    """Run a bundle under runc; raises AssertionError with runc's words when it cannot."""
    root = bundle.parent / "runc"
    command = ["runc", "--root", str(root), "run", "--bundle", str(bundle), container_id]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
        )
    finally:
        subprocess.run(
            ["runc", "--root", str(root), "delete", "--force", container_id], capture_output=True
        )
    assert _MARK in done.stdout, f"runc exited with {done.returncode}: {done.stderr}"
    return _without_handed_on(digest(done.stdout))


def observe_shim(bundle: Path, rootfs: Path, container_id: str, host: Host) -> Observed:
    """Run a bundle under our own shim, on an overlay of ``rootfs`` as the engine does it."""
    composed = json.loads((bundle / "config.json").read_bytes())
    place = bundle.parent / f"{bundle.name}-shim"
    for name in ("upper", "work", "exec"):
        (place / name).mkdir(parents=True)
    wanted = composed["linux"].get("seccomp")
    program = str(seccomp.blob(wanted, bundle.parent / "seccomp")) if wanted else None
    settings = {
        "version": 1,
        "id": container_id,
        "bundle": str(bundle),
        "socket": str(place / "s"),
        "exit_file": str(place / "exit.json"),
        "exec_dir": str(place / "exec"),
        "logger": "/nonexistent",
        "root": {
            "lower": [str(rootfs)],
            "upper": str(place / "upper"),
            "work": str(place / "work"),
            "read_only": composed["root"]["readonly"],
        },
        "seccomp": program,
        "stdio": {
            "tty": False,
            "open_stdin": False,
            "stdin_once": False,
            "console_size": None,
            "detach_keys": "ctrl-p,ctrl-q",
        },
        "log": {
            "file": {
                "path": str(place / "log"),
                "max_size_bytes": None,
                "max_files": 1,
                "compress": False,
                "attrs": {},
                "beside": False,
            },
            "delivery": None,
        },
        "cgroup": msgspec.to_builtins(host.cgroup),
        "stop_grace": None,
    }
    (bundle / "shim.json").write_text(json.dumps(settings))
    asyncio.run(asyncio.wait_for(_play(bundle), _TIMEOUT_SECONDS))
    records = map(json.loads, (place / "log").read_text().splitlines())
    output = "".join(record["log"] for record in records)
    assert _MARK in output, f"the shim's container said {output!r}"
    return digest(output)


def settle(observed: Observed) -> Observed:
    """What must be equal: without the places where we mean to differ from runc.

    * A masked file is the host's null device here, the container's own there, and a masked
      directory a tmpfs that is smaller here.
    * The directory that holds the mounts of cgroup v1 is read-only here, as asked.
    * On a hybrid host a container stays in the root of the tree without controllers.
    * runc 1.1 allows every container the tun device, newer ones do not.
    * runc sets the mode of a tmpfs after mounting it before 1.1.8; which one it is, `places` shows.
    """
    settled = dict(observed)
    settled["cgroup"] = [line for line in observed["cgroup"] if not line.startswith("0::")]
    settled["devices"] = [rule for rule in observed["devices"] if rule != "c 10:200 rwm"]
    settled["mountinfo"] = [_settled(mount) for mount in observed["mountinfo"]]
    return settled


def _settled(mount: tuple[str, ...]) -> tuple[str, ...]:
    where, kind, *_ = mount
    if where == "/sys/fs/cgroup" and kind == "tmpfs":
        return where, kind
    if where.startswith(("/proc/", "/sys/")) and kind in ("tmpfs", "devtmpfs"):
        return where, "masked"
    if kind == "tmpfs":
        return tuple(re.sub(r"mode=\d+,", "", part) for part in mount)
    return mount


def _without_handed_on(observed: Observed) -> Observed:
    """Without the signals that runc lets a container inherit as ignored from whoever starts it:
    they say where the tests run (under nohup; below a process that glibc's posix_spawn made, where
    32 and 33 are ignored and only the kernel's own call resets them), and nothing of the
    container. Ours may inherit none."""
    status = dict(observed["status"])
    own = _status(Path("/proc/self/status").read_text().splitlines())
    ignored = int(status["SigIgn"], 16) & ~int(own["SigIgn"], 16)
    return {**observed, "status": {**status, "SigIgn": f"{ignored:016x}"}}


async def _play(bundle: Path) -> None:
    shim = await Shim.spawn(BINARY, bundle)
    try:
        await shim.start()
        await shim.closed
    finally:
        await shim.close()


def digest(output: str) -> Observed:
    """The script's output by section, without what differs from run to run."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.replace("\r", "").splitlines():
        if line.startswith(_MARK):
            lines = sections.setdefault(line.removeprefix(_MARK), [])
        else:
            lines.append(line)
    observed: Observed = {
        name: _DIGESTS.get(name, _as_it_is)(lines) for name, lines in sections.items()
    }
    return observed


def _as_it_is(lines: list[str]) -> Any:
    return lines


def _status(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name: value.strip() for name, value in pairs if _STATUS_KEPT.match(name)}


def _mounts(lines: list[str]) -> list[tuple[str, ...]]:
    """(where, type, options, options of the superblock, propagation), by place: the order of
    the list is that of making, and mounts can be made before they are put in place."""
    mounts: list[tuple[str, ...]] = []
    for line in lines:
        before, _, after = line.partition(" - ")
        _, _, _, root, where, options, *propagation = before.split()
        kind, _, super_options = after.split(" ", 2)
        shared = " ".join(sorted(word.split(":")[0] for word in propagation))
        flags = ",".join(sorted(options.split(",")))
        if where == "/":
            # The root is the bundle's own directory here, an overlay there.
            mounts.append((where, flags, shared))
        else:
            of_ids = re.sub(r"/[0-9a-f]{64}", "/ID", root)
            mounts.append((where, kind, of_ids, flags, _sorted(super_options), shared))
    return sorted(mounts)


def _sorted(super_options: str) -> str:
    return ",".join(sorted(super_options.split(",")))


def _cgroup(lines: list[str]) -> list[str]:
    return sorted(re.sub(r"/[0-9a-f]{64}", "/ID", line) for line in lines)


def _namespaces(lines: list[str]) -> dict[str, bool]:
    """Which namespaces are the container's own."""
    found = dict(line.split(":", 1) for line in lines if ":[" in line)
    own: dict[str, bool] = {}
    for kind, inode in found.items():
        own[kind] = os.readlink(f"/proc/self/ns/{kind}") != f"{kind}:{inode}"
    return own


def _order_free(lines: list[str]) -> list[str]:
    return sorted(lines)


_DIGESTS: dict[str, Callable[[list[str]], Any]] = {
    "status": _status,
    "mountinfo": _mounts,
    "cgroup": _cgroup,
    "namespaces": _namespaces,
    "dev": _order_free,
    "devlinks": _order_free,
    "devices": _order_free,
}
