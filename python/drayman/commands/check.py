"""``drayman check``: what this host has and lacks, and what to do about each."""

from __future__ import annotations

import ctypes.util
import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Column, Table

from drayman.config import load
from drayman.errors import Unavailable
from drayman.network.nft import require_kernel

# openat2 with RESOLVE_IN_ROOT came in 5.6, mount_setattr in 5.12: both are used everywhere.
KERNEL_NEEDED = (5, 12)
# Mounting onto a detached tree; before, a copy needs a mount namespace for a moment.
KERNEL_WISHED = (6, 15)
DISK_WISHED_BYTES = 5 << 30
CONTROLLERS = ("cpu", "cpuset", "devices", "freezer", "memory", "pids")
MARKS = {"ok": "[green]ok[/]", "weak": "[yellow]weak[/]", "missing": "[red]missing[/]"}


class Finding(msgspec.Struct, frozen=True):
    """One line: `level` is ``ok``, ``weak`` (it works, with less) or ``missing``."""

    subject: str
    level: str
    found: str
    advice: str = ""


def kernel(release: str | None = None) -> Finding:
    """Whether the system calls we build on are there."""
    release = release or platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < KERNEL_NEEDED:
        return Finding("kernel", "missing", release, "Linux 5.12 or newer is needed.")
    if numbers < KERNEL_WISHED:
        return Finding(
            "kernel", "weak", release, "From Linux 6.15 on, cp needs no mount of its own."
        )
    return Finding("kernel", "ok", release)


def privileges() -> Finding:
    """Whether we may do what an engine does."""
    if os.geteuid() != 0:
        return Finding("privileges", "missing", f"uid {os.geteuid()}", "Run the engine as root.")
    status = Path("/proc/self/status").read_text()
    effective = int(
        next(row for row in status.splitlines() if row.startswith("CapEff")).split()[1], 16
    )
    if not effective >> 24 & 1:
        return Finding(
            "privileges", "weak", "root without CAP_SYS_RESOURCE",
            "Limits above our own are clamped: start the engine with that capability.",
        )  # fmt: skip
    return Finding("privileges", "ok", "root")


def namespaces(proc: Path = Path("/proc/self/ns")) -> Finding:
    """Whether every kind of namespace is built in."""
    lacking = [
        name
        for name in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
        if not (proc / name).exists()
    ]
    if lacking:
        return Finding(
            "namespaces", "missing", f"no {', '.join(lacking)}", "Use a kernel with them built in."
        )
    return Finding("namespaces", "ok", "all seven")


def cgroups(mountinfo: str | None = None) -> Finding:
    """Which cgroups are mounted, and whether the controllers we need are."""
    text = mountinfo if mountinfo is not None else Path("/proc/self/mountinfo").read_text()
    mounts = [row.split(" - ", 1)[1].split() for row in text.splitlines() if " - cgroup" in row]
    first = {options for kind, _, options in mounts if kind == "cgroup"}
    if not mounts:
        return Finding("cgroups", "missing", "none mounted", "Mount cgroup2 on /sys/fs/cgroup.")
    if not first:
        return Finding("cgroups", "ok", "version 2")
    names = {name for options in first for name in options.split(",")}
    lacking = [name for name in CONTROLLERS if name not in names]
    found = "hybrid" if len(first) < len(mounts) else "version 1"
    if lacking:
        return Finding(
            "cgroups", "weak", f"{found}, without {', '.join(lacking)}",
            "Limits of these kinds are refused: mount the controllers below /sys/fs/cgroup.",
        )  # fmt: skip
    return Finding("cgroups", "ok", found)


def overlay(filesystems: str | None = None) -> Finding:
    """Whether layers can be stacked without copying."""
    text = filesystems if filesystems is not None else Path("/proc/filesystems").read_text()
    if "\toverlay\n" not in text:
        return Finding(
            "overlayfs", "missing", "not in /proc/filesystems", "Load it: modprobe overlay"
        )
    return Finding("overlayfs", "ok", "built in or loaded")


def seccomp(proc: Path = Path("/proc/sys/kernel/seccomp/actions_avail")) -> Finding:
    """Whether system calls can be filtered."""
    if not proc.exists():
        return Finding(
            "seccomp", "weak", "not in this kernel",
            "Containers run unfiltered: use a kernel with CONFIG_SECCOMP_FILTER.",
        )  # fmt: skip
    return Finding("seccomp", "ok", "filters")


def nftables() -> Finding:
    """Whether ports can be published and the bridge reach the world."""
    if ctypes.util.find_library("nftables") is None:
        return Finding("nftables", "missing", "no libnftables", "apt-get install libnftables1")
    try:
        require_kernel()
    except Unavailable as error:
        return Finding("nftables", "missing", "not in this kernel", str(error))
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    if forwarding != "1":
        return Finding("nftables", "ok", "library found; the engine will switch ip_forward on")
    return Finding("nftables", "ok", "library found")


def tools() -> Finding:
    """The one program of the host that we run."""
    if shutil.which("ps") is None:
        return Finding("ps", "weak", "not on PATH", "`docker top` needs it: apt-get install procps")
    return Finding("ps", "ok", "on PATH")


def disk(root: Path) -> Finding:
    """Room for images and containers."""
    place = next(parent for parent in (root, *root.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / (1 << 30):.1f} GiB free for {root}"
    if free < DISK_WISHED_BYTES:
        return Finding("disk", "weak", found, "Free some, or give the engine another --root.")
    return Finding("disk", "ok", found)


def shim(path: Path) -> Finding:
    """The binary that holds containers."""
    if not os.access(path, os.X_OK):
        return Finding(
            "shim", "missing", f"{path} is not there",
            "Install it again: pip install --force-reinstall drayman",
        )  # fmt: skip
    return Finding("shim", "ok", str(path))


def extension() -> Finding:
    """The compiled half of the engine, with the libraries it needs."""
    try:
        importlib.import_module("drayman.runtime.seccomp")
    except ImportError as error:
        return Finding(
            "extension", "missing", str(error), "apt-get install libseccomp2, or install it again"
        )
    return Finding("extension", "ok", "loads")


def findings() -> Iterator[Finding]:
    """Every check, in the order of importance."""
    config = load()
    checks: list[Callable[[], Finding]] = [
        kernel, privileges, namespaces, cgroups, overlay, seccomp, nftables, tools, extension,
        lambda: shim(config.shim_path), lambda: disk(Path(config.root)),
    ]  # fmt: skip
    for each in checks:
        yield each()


@click.command()
def check() -> None:
    """Tell what this host has and lacks for running containers.

    Each line says what was found and, where something is amiss, what to do about it. Ends
    with 1 when something is missing without which the engine cannot work.
    """
    console = Console(highlight=False)
    columns = [Column(title, overflow="fold") for title in ("", "what", "found", "what to do")]
    table = Table(*columns, box=None, pad_edge=False)
    missing = False
    for finding in findings():
        missing |= finding.level == "missing"
        table.add_row(MARKS[finding.level], finding.subject, finding.found, finding.advice)
    console.print(table)
    if missing:
        console.print("\nThe engine cannot work here before what is missing is there.")
        sys.exit(1)
    console.print("\nThe engine can work here: drayman serve")
