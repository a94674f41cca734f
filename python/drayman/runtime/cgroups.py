"""Control groups: how this host has them, where a container's are, and holding them still.

Everything takes a `Layout` of paths, so recorded or made-up trees serve as hosts in tests.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import posixpath
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from drayman.errors import System

# Where containers go unless a parent is named.
PARENT = "/drayman"
# A freeze of a busy group takes milliseconds; one with a process stuck in the kernel may
# never end.
FREEZE_TIMEOUT_SECONDS = 2.0
_FREEZE_POLL_SECONDS = 0.001
_NAMED = "name="


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Mount points of the host's hierarchies; the ``cgroup`` object of the shim's settings.

    ``controllers`` maps v1 controllers, and named hierarchies, to where they are mounted;
    ``unified`` is the mount point of the v2 tree.
    """

    mode: Literal["v1", "hybrid", "v2"]
    controllers: dict[str, str] = {}
    unified: str | None = None

    def directory(self, controller: str, path: str) -> Path | None:
        """The directory of one container for one controller, None without that controller."""
        if self.mode == "v2":
            return Path(str(self.unified) + path)
        mount = self.controllers.get(controller)
        return Path(mount + path) if mount else None

    def directories(self, path: str) -> Iterator[Path]:
        """Every directory of one container."""
        for mount in dict.fromkeys([*self.controllers.values(), self.unified]):
            if mount is not None:
                yield Path(mount + path)


def detect(mountinfo: str, subsystems: str) -> Layout:
    """Read a host's layout out of ``/proc/self/mountinfo`` and ``/proc/cgroups``.

    Raises System when nothing is mounted.
    """
    known = {line.split()[0] for line in subsystems.splitlines() if line and line[0] != "#"}
    controllers: dict[str, str] = {}
    unified: str | None = None
    for target, kind, options in _mounts(mountinfo):
        if kind == "cgroup2":
            # The shortest path: a container's own tree may be mounted deeper.
            unified = min(unified or target, target, key=len)
        elif kind == "cgroup":
            for option in options.split(","):
                if option in known or option.startswith(_NAMED):
                    controllers.setdefault(option, target)
    if any(not name.startswith(_NAMED) for name in controllers):
        mode: Literal["v1", "hybrid", "v2"] = "hybrid" if unified else "v1"
        return Layout(mode=mode, controllers=controllers, unified=unified)
    if unified:
        return Layout(mode="v2", unified=unified)
    raise System("no cgroup hierarchy is mounted on this host")


def _mounts(mountinfo: str) -> Iterator[tuple[str, str, str]]:
    """(mount point, type, options of the superblock) of each line; see proc(5)."""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        place, source = before.split(), after.split()
        if separator and len(place) > 4 and len(source) > 2:
            yield _unescape(place[4]), source[0], source[2]


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def path(container_id: str, parent: str = "") -> str:
    """The OCI ``cgroupsPath`` of a container: absolute, below ``parent`` or our own.

    A parent is taken from the root of each hierarchy, and ``..`` leads nowhere; one that
    bears the name of a slice is where systemd has that slice.
    """
    below = _slice(parent) or parent or PARENT
    return posixpath.join(posixpath.normpath("/" + below), container_id).replace("//", "/")


def _slice(name: str) -> str | None:
    """Where a slice is: ``a-b.slice`` in ``a.slice`` (systemd.slice(5)); None for what is none."""
    stem = name.removesuffix(".slice")
    if stem == name or "/" in name:
        return None
    if stem == "-":
        return "/"
    words = stem.split("-")
    if not all(words):
        return None
    return "/".join(f"{'-'.join(words[: end + 1])}.slice" for end in range(len(words)))


def pids(layout: Layout, cgroup: str) -> list[int]:
    """Every process of a container, those in groups it made included; [] when it is gone."""
    directory = layout.directory("freezer", cgroup) or layout.directory("pids", cgroup)
    if directory is None:
        directory = next(layout.directories(cgroup))
    found: set[int] = set()
    for where, _, files in os.walk(directory):
        if "cgroup.procs" in files:
            # A group may go meanwhile, and one of threads has no processes to tell.
            with contextlib.suppress(OSError):
                found.update(map(int, contents(Path(where) / "cgroup.procs").split()))
    return sorted(found)


# What files of a group say that was removed before they were opened, and since.
GONE = (errno.ENOENT, errno.ENODEV)

# Most hold less. A buffer for more would leave holes in the heap, eighteen for each sample.
_READ_BYTES = 4096


class Ended(System):
    """Raised when a cgroup is gone: no process of the container lives any more."""


def freeze(layout: Layout, cgroup: str) -> None:
    """Stop every process of a container where it is. Raises Ended, and System when that fails
    otherwise, after thawing what was frozen."""
    try:
        _freeze(layout, cgroup)
    except OSError as error:
        if error.errno in GONE:
            raise Ended(f"cannot freeze {cgroup}: it is gone") from None
        raise System(f"cannot freeze {cgroup}: {error.strerror}") from error


def _freeze(layout: Layout, cgroup: str) -> None:
    deadline = time.monotonic() + FREEZE_TIMEOUT_SECONDS
    directory = _freezer(layout, cgroup)
    while True:
        if layout.mode == "v2":
            write(directory / "cgroup.freeze", "1")
            frozen = keyed(directory / "cgroup.events").get("frozen") == 1
        else:
            # Written again each time: a fork may have outrun the last one.
            write(directory / "freezer.state", "FROZEN")
            frozen = contents(directory / "freezer.state").strip() == "FROZEN"
        if frozen:
            return
        if time.monotonic() > deadline:
            thaw(layout, cgroup)
            raise System(f"cannot freeze {cgroup}: timed out after {FREEZE_TIMEOUT_SECONDS} s")
        time.sleep(_FREEZE_POLL_SECONDS)


def thaw(layout: Layout, cgroup: str) -> None:
    """Let a frozen container go on; harmless when it is not frozen, or gone. Raises System."""
    directory = _freezer(layout, cgroup)
    try:
        if layout.mode == "v2":
            write(directory / "cgroup.freeze", "0")
        else:
            write(directory / "freezer.state", "THAWED")
    except OSError as error:
        if error.errno not in GONE:
            raise System(f"cannot thaw {cgroup}: {error.strerror}") from error


def frozen(layout: Layout, cgroup: str) -> bool:
    """Whether a container is frozen now, by whomever."""
    directory = _freezer(layout, cgroup)
    try:
        if layout.mode == "v2":
            return contents(directory / "cgroup.freeze").strip() == "1"
        return contents(directory / "freezer.state").strip() != "THAWED"
    except OSError:
        return False


def _freezer(layout: Layout, cgroup: str) -> Path:
    directory = layout.directory("freezer", cgroup)
    if directory is None:
        raise System("this host has no freezer cgroup: containers cannot be paused")
    return directory


def keyed(file: Path | str) -> Mapping[str, int]:
    """A file of ``key value`` lines, as memory.stat; {} when it is gone."""
    try:
        lines = contents(file).splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def contents(file: Path | str) -> str:
    """What a file of the kernel's holds; raises OSError. Samples read some twenty of them a
    container, for which pathlib takes three times as long."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [*iter(functools.partial(os.read, fd, _READ_BYTES), b"")]
    finally:
        os.close(fd)
    return b"".join(parts).decode("ascii", "replace")


def write(file: Path, value: str) -> None:
    """Write a file of the kernel's; raises OSError."""
    # Not O_CREAT: where the file is missing, the group is gone.
    fd = os.open(file, os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
