"""Where a copy goes, and under which name: the rules of `docker cp`.

They are those of moby's `PrepareArchiveCopy` and `CopyInfoDestinationPath`
(github.com/moby/go-archive, copy.go), in its words where it has some.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass

from drayman.errors import InvalidParameter, System

# moby's maxSymlinkIter.
LINKS_LIMIT = 10


@dataclass(frozen=True)
class Source:
    """What is copied. ``name`` is what it is called, where that is not its path's last element."""

    path: str
    is_directory: bool
    name: str | None = None


@dataclass(frozen=True)
class Target:
    """Where to: something that may not be there yet."""

    path: str
    exists: bool = False
    is_directory: bool = False


@dataclass(frozen=True)
class Plan:
    """Into which directory, and what the first component of each entry's name becomes."""

    directory: str
    name: str | None


def plan(source: Source, target: Target) -> Plan:
    """Decide. InvalidParameter for what cannot be."""
    if target.is_directory:
        return Plan(target.path, source.name)
    if target.exists and source.is_directory:
        raise InvalidParameter(
            f"cannot copy directory: {target.path} is a file; name a directory, or a new name"
        )
    if not target.exists and not source.is_directory and asserts_directory(target.path):
        raise InvalidParameter(
            f"no such directory: {target.path}; make it first, or leave the last slash out to"
            " give the copy that name"
        )
    directory, name = split(target.path)
    return Plan(directory, name)


def local_source(path: str, *, follow: bool) -> Source:
    """A file of this host. System when it is not there."""
    asked = absolute(path)
    name = None
    try:
        if follow:
            asked, name = followed(asked, os.path.realpath(asked, strict=True))
        # A slash behind it follows a link, and wants a directory.
        found = os.lstat(asked)
    except OSError as error:
        raise System(f"lstat {path}: {(error.strerror or str(error)).lower()}") from None
    return Source(asked, stat.S_ISDIR(found.st_mode), name)


def local_target(path: str) -> Target:
    """A place on this host, which a link may lead to. InvalidParameter, System when a copy
    cannot go there."""
    asked = absolute(path)
    parent = posixpath.dirname(posixpath.normpath(asked))
    if not os.path.exists(parent):
        raise InvalidParameter(f'invalid output path: directory "{parent}" does not exist')
    place = asked
    for _ in range(LINKS_LIMIT + 1):
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            if not os.path.isdir(split(place)[0]):
                raise InvalidParameter(f"not a directory: {split(place)[0]}") from None
            return Target(place)
        except OSError as error:
            raise System(f"lstat {path}: {(error.strerror or str(error)).lower()}") from None
        if not stat.S_ISLNK(found.st_mode):
            if not stat.S_ISDIR(found.st_mode) and not stat.S_ISREG(found.st_mode):
                raise InvalidParameter(
                    f'invalid output path: "{path}" must be a directory or a regular file'
                )
            return Target(place, exists=True, is_directory=stat.S_ISDIR(found.st_mode))
        place = joined(place, os.readlink(place))
    raise InvalidParameter(f"too many symlinks in {path}")


def absolute(path: str) -> str:
    """A path of this host from the root, clean but for what its end says: `/` or `/.`."""
    clean = posixpath.normpath(posixpath.join(os.getcwd(), path))
    clean = "/" + clean.lstrip("/")
    if names_itself(path):
        return clean.rstrip("/") + "/."
    if path.endswith("/") and clean != "/":
        return clean + "/"
    return clean


def followed(path: str, target: str) -> tuple[str, str | None]:
    """A link's target with the end that the link's path has, and the link's name if it is
    another (moby's `GetRebaseName`)."""
    if names_itself(path):
        target = target.rstrip("/") + "/."
    elif path.endswith("/") and not target.endswith("/"):
        target += "/"
    names = [one.rstrip("/").rpartition("/")[2] for one in (path, target)]
    return target, None if names[0] == names[1] else names[0]


def joined(link: str, target: str) -> str:
    """Where a link at a path leads."""
    return posixpath.normpath(posixpath.join(split(link)[0], target))


def split(path: str) -> tuple[str, str]:
    """A path's directory and last element, which is `.` for what names itself."""
    clean = posixpath.normpath("/" + path)
    if names_itself(path):
        return clean, "."
    directory, name = posixpath.split(clean)
    return directory, name or "/"


def names_itself(path: str) -> bool:
    """Whether a path's last element is `.`."""
    return path.rpartition("/")[2] == "."


def asserts_directory(path: str) -> bool:
    """Whether a path says by its end that it is a directory's."""
    return path.endswith("/") or names_itself(path)
