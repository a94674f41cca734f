"""Project quotas: how much a directory may hold, kept by XFS or ext4 (quotactl(2)).

A project is a number that directories bear and what is made in them inherits; its limit is the
file system's to remember, across engines and reboots. Calls block.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from drayman.errors import InvalidParameter, System

# linux/fs.h: FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR and their struct fsxattr, in which the
# project is the fourth number and the flag has it inherited.
_GET_ATTRIBUTES = 0x801C581F
_SET_ATTRIBUTES = 0x401C5820
_ATTRIBUTES = struct.Struct("=IIIII8x")
_INHERIT = 0x200

# linux/quota.h. quotactl_fd(2), from Linux 5.14, wants no path of a block device.
_SYS_QUOTACTL_FD = 443
_GET, _SET, _OF_PROJECTS = 0x800007, 0x800008, 2
# struct if_dqblk: hard limit and soft limit in blocks, bytes used, then what concerns inodes and
# times, at last which of them are meant (QIF_BLIMITS: the limits in blocks).
_QUOTA = struct.Struct("=8QI4x")
_LIMITS = 1
_BLOCK_BYTES = 1024

# Numbers below are administrators' own (projid(5)).
_FIRST = 1 << 20
_LAST = (1 << 32) - 2
_UNSUPPORTED = (errno.ENOSYS, errno.ENOTTY, errno.EOPNOTSUPP, errno.ESRCH, errno.EINVAL)

_libc = ctypes.CDLL(None, use_errno=True)


def check(directory: Path) -> None:
    """InvalidParameter where the file system of this directory keeps no project quotas."""
    try:
        project_of(directory)
        used_and_limit(directory, _FIRST)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            raise InvalidParameter(
                "--storage-opt size is supported only where the file system keeps project"
                f" quotas: mount that of {directory} (XFS or ext4) with 'prjquota'"
            ) from None
        raise System(f"quotas of {directory}: {error.strerror}") from error


def limit(directories: Sequence[Path], container_id: str, size_bytes: int) -> None:
    """Have new directories of one file system hold no more than this together. Raises System."""
    first = directories[0]
    try:
        project = next(
            one for one in _candidates(container_id) if used_and_limit(first, one) == (0, 0)
        )
        _set_limit(first, project, size_bytes)
        for directory in directories:
            _assign(directory, project)
    except OSError as error:
        raise System(f"quotas of {first}: {error.strerror}") from error


def lift(directory: Path) -> None:
    """Forget the limit of a directory that is about to be deleted; harmless without one, and
    what a file system cannot forget binds nobody."""
    with contextlib.suppress(OSError):
        project = project_of(directory)
        if project >= _FIRST:
            _set_limit(directory, project, 0)


def project_of(directory: Path) -> int:
    """The project of a directory, 0 for none. OSError where there are no projects."""
    with _opened(directory) as fd:
        return _attributes(fd)[3]


def used_and_limit(directory: Path, project: int) -> tuple[int, int]:
    """The bytes that a project takes on a file system, and may take; zeros of one that nobody
    has. OSError where there are no quotas."""
    buffer = ctypes.create_string_buffer(_QUOTA.size)
    try:
        _quotactl(directory, _GET, project, buffer)
    except FileNotFoundError:
        # XFS knows of none yet.
        return 0, 0
    hard, _, used, *_ = _QUOTA.unpack(buffer.raw)
    return used, hard * _BLOCK_BYTES


def _candidates(container_id: str) -> Iterator[int]:
    """Numbers to try, nearly always the first: they come from the id."""
    first = int(container_id[:12], 16)
    for step in range(_LAST - _FIRST):
        yield _FIRST + (first + step) % (_LAST - _FIRST)


def _set_limit(directory: Path, project: int, size_bytes: int) -> None:
    blocks = -(-size_bytes // _BLOCK_BYTES)
    fields = (blocks, blocks, *(0,) * 6, _LIMITS)
    _quotactl(
        directory, _SET, project, ctypes.create_string_buffer(_QUOTA.pack(*fields), _QUOTA.size)
    )


def _assign(directory: Path, project: int) -> None:
    with _opened(directory) as fd:
        flags, extent, extents, _, copied = _attributes(fd)
        attributes = _ATTRIBUTES.pack(flags | _INHERIT, extent, extents, project, copied)
        fcntl.ioctl(fd, _SET_ATTRIBUTES, attributes)


def _attributes(fd: int) -> tuple[int, int, int, int, int]:
    found: tuple[int, int, int, int, int] = _ATTRIBUTES.unpack(
        fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size))
    )
    return found


def _quotactl(
    directory: Path, command: int, project: int, buffer: ctypes.Array[ctypes.c_char]
) -> None:
    whole = ctypes.c_uint(command << 8 | _OF_PROJECTS)
    with _opened(directory) as fd:
        if _libc.syscall(_SYS_QUOTACTL_FD, fd, whole, ctypes.c_uint(project), buffer) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
