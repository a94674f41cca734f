"""What questions to the engine are asked with, and the short answers."""

from __future__ import annotations

import enum

import msgspec

from drayman.model.container import ConsoleSize
from drayman.model.go_json import Wire, Words


class Slow(enum.StrEnum):
    """What becomes of a client that reads too slowly. Drayman's own, but for the first."""

    WAIT = "wait"  # the container waits for it
    DROP = "drop"  # it loses output, and is told how much
    DISCONNECT = "disconnect"


class ExecRequest(Wire, frozen=True, kw_only=True):
    """The body of ``POST /containers/{id}/exec``."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: ConsoleSize | None = None  # height, width
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    env: list[str] | None = None
    working_dir: str = ""
    cmd: Words | None = None
    # Drayman's own: the process is killed when its client leaves without detaching.
    kill_on_disconnect: bool = False


class ExecStartRequest(Wire, frozen=True, kw_only=True):
    """The body of ``POST /exec/{id}/start``."""

    detach: bool = False
    tty: bool = False
    console_size: ConsoleSize | None = None


class PathStat(msgspec.Struct, frozen=True):
    """What ``X-Docker-Container-Path-Stat`` tells of one path."""

    name: str
    size_bytes: int
    mode: int  # a Go FileMode, not st_mode
    mtime_ns: int
    link_target: str = ""


class TarOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is packed and how, and what is told of it; by default as Docker does it."""

    # Globs over paths below what is asked for, as in ``.dockerignore``.
    include: list[str] = []
    exclude: list[str] = []
    # Without holes, by PAX 1.0 sparse entries.
    sparse: bool = False
    # With each file's SHA-256, in a PAX record.
    digests: bool = False
    # HTTP's ``gzip``, ``deflate`` or ``zstd``.
    coding: str | None = None
    # With its size told in advance, as it was then.
    total: bool = False
    # Known by a fingerprint; a tar that turns out otherwise, as files changed, is cut short.
    deterministic: bool = False
    summed: bool = False


class PutOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How what comes into a container is unpacked; by default as Docker does it."""

    # A directory and something else of one name are an error, not replaced.
    no_overwrite_dir_non_dir: bool = False
    # Everything becomes the container's user's: the reverse of what Docker calls it.
    copy_uid_gid: bool = False
    # What the first component of every name becomes.
    name: str | None = None
    # HTTP's ``gzip``, ``deflate`` and ``zstd``, as the sender applied them to the body.
    codings: list[str] = []


DOCKERS_TAR = TarOptions()
DOCKERS_PUT = PutOptions()


class ChangeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are listed, and how."""

    # Each with the ``Type`` of the file and its ``Size`` in bytes.
    size: bool = False
    # Those made then or later, in nanoseconds since 1970.
    since_ns: int | None = None


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of a log, and how they look. Times in nanoseconds since 1970."""

    stdout: bool
    stderr: bool
    follow: bool = False
    timestamps: bool = False
    details: bool = False
    since_ns: int | None = None
    until_ns: int | None = None
    tail: int | None = None  # None for all
    # A JSON document a record.
    json: bool = False
    # Beyond Docker's. Lines that the log has in pieces are put together again.
    whole: bool = False
    # At most so many, of those that are chosen otherwise.
    limit: int | None = None
    # What a line must hold: a text, or what an expression matches.
    grep: str | None = None
    grep_regex: str | None = None
    # Where to go on, whatever `since` and `tail` say; empty when there is no such place yet. None:
    # nor are positions told.
    cursor: str | None = None
    # What becomes of a follower that does not read.
    slow: Slow = Slow.WAIT


class AttachOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which streams of a container a client wants."""

    stdin: bool
    stdout: bool
    stderr: bool
    stream: bool
    logs: bool
    detach_keys: str = ""
    slow: Slow = Slow.WAIT
    # The kind of WebSocket messages that the client speaks in, empty for none.
    websocket: str = ""
