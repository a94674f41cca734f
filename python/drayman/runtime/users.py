"""Who a process in a container is: names looked up in the container's own files.

The files belong to the container, so nothing about them is believed: a path is opened below
the container's root, only a regular file is read, and only so much of it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from drayman import _native
from drayman.errors import InvalidParameter, NotFound, System

# Far above any real list of users; a longer file is an attack on our memory.
FILE_LIMIT_BYTES = 8 << 20
# The range that Docker accepts.
_HIGHEST_ID = (1 << 31) - 1
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
# Unsigned in the files, where no sign makes sense.
_FILE_NUMBER = re.compile(r"[0-9]{1,10}")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Resolved numbers, as they are inside the container."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    home: str = "/"


class _Account(msgspec.Struct, frozen=True):
    name: str
    uid: int
    gid: int
    home: str


class _Group(msgspec.Struct, frozen=True):
    name: str
    gid: int
    members: tuple[str, ...]


def resolve(root_fd: int, user: str, group_add: Sequence[str] | None = None) -> User:
    """Look up ``user`` (``name``, ``uid``, either with ``:group``; "" is root) in a container.

    ``root_fd`` is the container's root directory. ``group_add`` are further groups, by name
    or number. Raises InvalidParameter with Docker's texts.
    """
    return lookup(_read(root_fd, "/etc/passwd"), _read(root_fd, "/etc/group"), user, group_add)


def lookup(passwd: str, group: str, user: str, group_add: Sequence[str] | None = None) -> User:
    """`resolve` on the text of the two files."""
    user_name, _, group_name = user.partition(":")
    account = _account(passwd, user_name)
    if account is None and user_name and not _NUMBER.fullmatch(user_name):
        raise InvalidParameter(
            f"unable to find user {user_name}: no matching entries in passwd file"
        )
    uid = account.uid if account else _in_range(user_name or "0")
    gid = account.gid if account else 0
    supplementary: list[int] = []
    if group_name:
        gid = _group(group, group_name, "unable")
    elif account:
        supplementary = [g.gid for g in _groups(group) if account.name in g.members]
    for name in group_add or ():
        supplementary.append(_group(group, name, "Unable"))
    # The primary group is listed too (CVE-2022-36109: a group's denials must hold).
    additional = tuple(dict.fromkeys([gid, *supplementary]))
    home = account.home if account else ""
    return User(uid=uid, gid=gid, additional_gids=additional, home=home or "/")


def home_of(root_fd: int, uid: int) -> str:
    """The home directory of a number in the container's passwd, ``/`` without one."""
    return lookup(_read(root_fd, "/etc/passwd"), "", str(uid)).home


def _account(passwd: str, name: str) -> _Account | None:
    """The first entry for a name, or for a number, which is never taken for a name."""
    number = int(name) if _NUMBER.fullmatch(name) else None
    for account in _accounts(passwd):
        if not name and account.uid == 0:
            return account
        if name and (account.uid == number if number is not None else account.name == name):
            return account
    return None


def _group(group: str, name: str, unable: str) -> int:
    number = int(name) if _NUMBER.fullmatch(name) else None
    for entry in _groups(group):
        if entry.gid == number if number is not None else entry.name == name:
            return entry.gid
    if number is None:
        raise InvalidParameter(f"{unable} to find group {name}: no matching entries in group file")
    return _in_range(name)


def _in_range(text: str) -> int:
    number = int(text)
    if not 0 <= number <= _HIGHEST_ID:
        raise InvalidParameter(f"uids and gids must be in range 0-{_HIGHEST_ID}")
    return number


def _accounts(passwd: str) -> Iterator[_Account]:
    for fields in _entries(passwd):
        # Docker reads a malformed number as 0, which would make anyone root: skip it.
        if len(fields) < 4 or not all(_FILE_NUMBER.fullmatch(f) for f in fields[2:4]):
            continue
        uid, gid = int(fields[2]), int(fields[3])
        if max(uid, gid) <= _HIGHEST_ID:
            yield _Account(fields[0], uid, gid, fields[5] if len(fields) > 5 else "")


def _groups(group: str) -> Iterator[_Group]:
    for fields in _entries(group):
        if len(fields) < 3 or not _FILE_NUMBER.fullmatch(fields[2]):
            continue
        members = fields[3].split(",") if len(fields) > 3 else []
        if int(fields[2]) <= _HIGHEST_ID:
            yield _Group(fields[0], int(fields[2]), tuple(filter(None, members)))


def _entries(text: str) -> Iterable[list[str]]:
    return (line.strip().split(":") for line in text.split("\n") if line.strip())


def _read(root_fd: int, path: str) -> str:
    """A file of the container as text, "" when there is none or it is no regular file."""
    try:
        handle = _native.open_in_root(root_fd, path, os.O_PATH)
    except (NotFound, System):
        return ""  # Docker, too, takes a file that cannot be opened for none
    try:
        # Looked at before it is opened: a FIFO would wait, a device might do something.
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ""
        with open(f"/proc/self/fd/{handle}", "rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > FILE_LIMIT_BYTES:
        raise InvalidParameter(f"{path} of the container is larger than {FILE_LIMIT_BYTES} bytes")
    return content.decode("utf-8", "surrogateescape")
