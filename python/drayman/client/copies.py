"""The four ways of a copy: out of a container, into one, between two, and as a tar."""

from __future__ import annotations

import posixpath
import sys
from dataclasses import dataclass, field

from drayman.client import copy_rules, transfers
from drayman.client.copy_rules import Plan, Source, Target
from drayman.client.daemon import Answer, Daemon, FileStat, Refused, Stream, archive
from drayman.client.progress import Bar
from drayman.errors import InvalidParameter, NotFound, System


@dataclass(frozen=True)
class Place:
    """A path, of a container unless that is empty."""

    container: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Place:
        """``container:path``, or a path of this host: absolute, or beginning with a dot, or
        without a colon (docker's `splitCpArg`)."""
        container, colon, path = text.partition(":")
        if text.startswith("/") or not colon or container.startswith("."):
            return cls("", text)
        return cls(container, path)

    def __str__(self) -> str:
        return f"{self.container}:{self.path}" if self.container else self.path


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How it is copied."""

    archive: bool = False
    follow: bool = False
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    sparse: bool = False
    zstd: bool = False
    verify: bool = False
    quiet: bool = False


def out(daemon: Daemon, source: Place, destination: str, wishes: Wishes) -> None:
    """From a container to a path of this host."""
    copy_rules.local_target(destination)
    path, name = _followed(daemon, source, wishes)
    bar = Bar(f"{source}", quiet=wishes.quiet)
    # Nobody sees the tar: holes arrive as holes.
    answer = _get(daemon, source, path, wishes, bar, sparse=True)
    target = copy_rules.local_target(destination)
    decided = copy_rules.plan(Source(path, answer.stat().is_directory, name), target)
    transfers.receive_tree(
        answer,
        decided.directory,
        name=decided.name,
        keep_owners=wishes.archive,
        verify=wishes.verify,
        bar=bar,
    )


def out_as_tar(daemon: Daemon, source: Place, wishes: Wishes) -> None:
    """From a container to standard output, as a tar."""
    if sys.stdout.isatty():
        raise InvalidParameter("a tar is nothing for a terminal: redirect it, or pipe it")
    path, _ = _followed(daemon, source, wishes)
    bar = Bar(f"{source}", quiet=wishes.quiet)
    answer = _get(daemon, source, path, wishes, bar, sparse=wishes.sparse)
    fd = sys.stdout.fileno()
    received = transfers.receive_file(answer, fd, summed=wishes.verify, bar=bar)
    if wishes.verify:
        transfers.check(received.sum, transfers.announced(received))


def into(daemon: Daemon, source: str, destination: Place, wishes: Wishes) -> None:
    """From a path of this host into a container."""
    target = _target(daemon, destination)
    found = copy_rules.local_source(source, follow=wishes.follow)
    decided = copy_rules.plan(found, target)
    if decided.name is not None:
        _needs_ours(daemon, "gives what it unpacks another name")
    tree = transfers.Tree(
        found.path,
        include=wishes.include,
        exclude=wishes.exclude,
        coding="zstd" if wishes.zstd else None,
        bar=Bar(source, quiet=wishes.quiet),
    )
    try:
        daemon.put(archive(destination.container), _put(decided, wishes), tree)
    finally:
        tree.close()
    if tree.left_out_count:
        raise System(f"{tree.left_out_count} files were left out: {', '.join(tree.left_out)}")


def into_from_tar(daemon: Daemon, destination: Place, wishes: Wishes) -> None:
    """From standard input, a tar, into a directory of a container."""
    target = _target(daemon, destination)
    if not target.is_directory:
        raise InvalidParameter(f'destination "{destination}" must be a directory')
    query = _put(Plan(target.path, None), wishes)
    daemon.put(archive(destination.container), query, Stream(sys.stdin.buffer))


def between(daemon: Daemon, source: Place, destination: Place, wishes: Wishes) -> None:
    """From a container to a container, past this process."""
    path, name = _followed(daemon, source, wishes)
    found = _stat(daemon, Place(source.container, path))
    target = _target(daemon, destination)
    _needs_ours(daemon, "copies from container to container")
    decided = copy_rules.plan(Source(path, found.is_directory, name), target)
    query = {
        **_put(decided, wishes),
        "container": source.container,
        "src": path,
        "include": wishes.include,
        "exclude": wishes.exclude,
    }
    daemon.ask("POST", f"{archive(destination.container)}/from", query).read()


def _needs_ours(daemon: Daemon, ability: str) -> None:
    """Another engine would take the parameters, heed none of them, and say that all is well."""
    if not daemon.is_ours:
        raise InvalidParameter(f"no engine but Drayman {ability}, and {daemon.host} is another")


def _get(
    daemon: Daemon, source: Place, path: str, wishes: Wishes, bar: Bar, *, sparse: bool
) -> Answer:
    query = {
        "path": path,
        "include": wishes.include,
        "exclude": wishes.exclude,
        "sparse": sparse,
        # A compressed tar is shorter than that.
        "total": bar.shown and not wishes.zstd,
    }
    headers = {"Accept-Encoding": "zstd" if wishes.zstd else "identity"}
    if wishes.verify:
        headers["TE"] = "trailers"
    answer = daemon.ask("GET", archive(source.container), query, headers)
    bar.end_at(transfers.tar_bytes(answer))
    return answer


def _put(decided: Plan, wishes: Wishes) -> dict[str, str | bool | list[str] | None]:
    return {
        "path": decided.directory,
        "name": decided.name,
        "noOverwriteDirNonDir": True,
        "copyUIDGID": wishes.archive,
    }


def _stat(daemon: Daemon, place: Place) -> FileStat:
    found = daemon.stat(place.container, place.path)
    if found is None:
        raise NotFound(f"Could not find the file {place.path} in container {place.container}")
    return found


def _followed(daemon: Daemon, source: Place, wishes: Wishes) -> tuple[str, str | None]:
    """The path to copy, and the name it is copied under if that is another."""
    if not wishes.follow:
        return source.path, None
    found = _stat(daemon, source)
    if not found.is_symlink:
        return source.path, None
    return copy_rules.followed(source.path, posixpath.join("/", found.link_target))


def _target(daemon: Daemon, place: Place) -> Target:
    """What a copy goes to, where the last link leads."""
    path = place.path
    try:
        found = daemon.stat(place.container, path)
        if found is not None and found.is_symlink:
            path = copy_rules.joined(path, found.link_target)
            found = daemon.stat(place.container, path)
    except Refused as error:
        if error.status != 500:
            raise
        # As docker has it: whatever is wrong, unpacking will tell.
        found = None
    if found is None:
        return Target(path)
    if not found.is_directory and not found.is_regular:
        raise InvalidParameter(f'destination "{place}" must be a directory or a regular file')
    return Target(path, exists=True, is_directory=found.is_directory)
