"""The layer between an image and its containers: places for what the engine mounts.

Each container gets ``/dev``, ``/proc``, ``/etc/hosts`` and more mounted over its root. What
these are mounted on is made once for an image, in a layer of its own, so that containers
start without writing and the mount points never count as changes of a container.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from drayman import _native
from drayman.errors import DraymanError

# Docker's list (moby, daemon/initlayer): a place and what it is, a path being a link's target.
# A file or link that the image brings is left as it is.
_DIRECTORY = "directory"
_FILE = "file"
PLACES = {
    "/dev/pts": _DIRECTORY,
    "/dev/shm": _DIRECTORY,
    "/proc": _DIRECTORY,
    "/sys": _DIRECTORY,
    "/.dockerenv": _FILE,
    "/etc/resolv.conf": _FILE,
    "/etc/hosts": _FILE,
    "/etc/hostname": _FILE,
    "/dev/console": _FILE,
    "/etc/mtab": "/proc/mounts",
}
_MODE = 0o755


def make(place: Path, lower: list[str]) -> Path:
    """Make the layer for an image (``lower``: its layers, topmost first) inside an empty
    directory; returns the directory to rename into place. Blocks."""
    upper, work = place / "upper", place / "work"
    upper.mkdir(mode=_MODE)
    if not lower:
        # An image of no layers, as `FROM scratch` alone makes.
        root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _fill(root)
        finally:
            os.close(root)
        return upper
    # overlayfs shows the upper directory as the root: it takes the image's own look.
    look = os.stat(lower[0])
    os.chown(upper, look.st_uid, look.st_gid)
    upper.chmod(stat.S_IMODE(look.st_mode))
    work.mkdir(mode=0o700)
    view = _native.View.stopped(lower, str(upper), str(work), [])
    try:
        _fill(view.fileno())
    finally:
        view.close()
    return upper


def _fill(root: int) -> None:
    for path, kind in PLACES.items():
        parent, name = os.path.split(path)
        try:
            _native.make_directory_in_root(root, parent, 0, 0, _MODE)
            inside = _native.open_in_root(root, parent, os.O_PATH | os.O_DIRECTORY)
        except DraymanError:
            # The image has something else where a directory should be: its containers are
            # told at their start, by the mount that fails.
            continue
        try:
            _make(inside, name, kind)
        except FileExistsError:
            pass
        finally:
            os.close(inside)


def _make(parent: int, name: str, kind: str) -> None:
    if kind == _DIRECTORY:
        os.mkdir(name, _MODE, dir_fd=parent)
    elif kind == _FILE:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, _MODE, dir_fd=parent))
    else:
        os.symlink(kind, name, dir_fd=parent)
