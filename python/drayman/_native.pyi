"""The compiled extension. This stub is its manual.

Paths of the host are ``str``; paths inside a container are ``str`` with ``/`` in front or
not, always resolved inside the root descriptor given. File names that are not UTF-8 travel
as Python's ``surrogateescape``. Functions let the GIL go while they work. They raise the
kinds of `drayman.errors` (NotFound, InvalidParameter, Conflict, System).

Descriptors stay the caller's: nothing here closes a descriptor it was given.
"""

# pdoc runs the stub, in which View.running answers a View.
from __future__ import annotations

from typing import final

# ---------------------------------------------------------------- view: files without a path

@final
class View:
    """A container's root directory as a descriptor; every mount made for it goes on close."""

    @staticmethod
    def running(pid: int, pidfd: int, *, mounts: bool) -> View:
        """Enter a living container: as it sees itself (``mounts``), or its root mount alone.

        NotFound when the process behind ``pidfd`` has ended.
        """

    @staticmethod
    def stopped(
        lower: list[str],
        upper: str,
        work: str,
        mounts: list[tuple[str, str, bool]],
        read_only: bool = False,
        beside: int | None = None,
    ) -> View:
        """Mount the layers (``lower``: topmost first), attached nowhere; ``mounts`` are
        (source on the host, destination inside, read-only) put on top. ``beside``: the
        descriptor of another such view that is open."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...

def open_in_root(root_fd: int, path: str, flags: int) -> int:
    """``openat2`` with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS; a new descriptor (CLOEXEC).
    NotFound, or System with the errno's text."""

def make_directory_in_root(root_fd: int, path: str, uid: int, gid: int, mode: int = 0o755) -> bool:
    """``mkdir -p`` inside a root; True when the last directory was made (and chowned) by this call.
    System ``not a directory`` when a non-directory is in the way."""

def populate_volume(root_fd: int, path: str, volume: str) -> bool:
    """Copy what lies at ``path`` (and that directory's owner and mode) into an empty volume
    directory; False when the volume was not empty or there is nothing at the path."""

# ---------------------------------------------------------------- archive: tree -> tar, tar -> tree

@final
class Stat:
    name: str
    size_bytes: int
    mode: int  # a Go FileMode
    mtime_ns: int
    link_target: str
    is_dir: bool

def archive_stat(root_fd: int, path: str) -> Stat:
    """What lies at ``path``: parents followed, the last component not, unless it ends in / or /."""

@final
class Tar:
    """A tree to be packed, on a root whose descriptor the caller keeps open meanwhile."""

    def __new__(
        cls,
        root_fd: int,
        path: str | None,
        *,
        include: list[str] = ...,
        exclude: list[str] = ...,
        sparse: bool = False,
        digests: bool = False,
    ) -> Tar:
        """What lies at ``path``, entries named as Docker names them; None for the whole root:
        entries without ``./``, no entry for the root.

        Globs choose by the path below it, as ``.dockerignore`` does. ``sparse`` leaves holes
        out (PAX 1.0), ``digests`` tells each file's SHA-256 in a record ``DRAYMAN.sha256``.
        Raises InvalidParameter for a pattern that is none.
        """

    def survey(self) -> tuple[int, bytes]:
        """The tar's bytes and its fingerprint (32 bytes; who has the same has the same tar),
        without reading the files. Raises NotFound."""

    def send(
        self,
        fd: int,
        *,
        chunked: bool,
        coding: str | None = None,
        skip_bytes: int = 0,
        summed: bool = False,
        passed: Passed | None = None,
        cancel_fd: int | None = None,
    ) -> Sent:
        """Write it to ``fd`` (which may be non-blocking), compressed if ``coding`` is ``gzip``,
        ``deflate`` (without zlib's frame) or ``zstd``, from some byte on, and summed up;
        ``passed`` counts the plain tar's bytes.

        The connection's end (EPIPE, ECONNRESET) and ``cancel_fd`` becoming readable stop it
        quietly. Raises NotFound before anything was written.
        """

@final
class Sent:
    """What became of a tar; all is empty when it was stopped."""

    @property
    def tar_bytes(self) -> int:
        """Its size, however it was compressed and wherever it began."""

    @property
    def left_out(self) -> list[str]:
        """What vanished meanwhile or could not be read, each with the reason; the first few."""

    @property
    def left_out_count(self) -> int:
        """How many these are in all."""

    @property
    def sum(self) -> bytes | None:
        """The SHA-256 of the whole as it was compressed, where that was asked for."""

def archive_unpack(
    root_fd: int,
    path: str,
    fd: int,
    *,
    chunked: bool,
    length_bytes: int | None,
    early: bytes,
    no_overwrite_dir_non_dir: bool = False,
    owner: tuple[int, int] | None = None,
    whiteouts: bool = False,
    name: str | None = None,
    codings: list[str] = ...,
    limits: tuple[int, int, int] | None = None,
    cancel_fd: int | None = None,
) -> Unpacked:
    """Read a request body off ``fd`` and unpack it, whatever its compression, below ``path``.

    ``chunked`` with ``length_bytes`` None and not chunked: to the end of file. ``early``
    was read already. ``owner`` replaces every owner; ``whiteouts`` turns ``.wh.`` entries
    into overlayfs whiteouts (image layers); the first component of each entry's name becomes
    ``name``, InvalidParameter when that is none. ``codings`` (as of `Tar.send`) is what the sender
    says was done to the body, in that order: InvalidParameter when it was not. ``limits`` are the
    most entries, the most decompressed bytes for one received, and how many bytes must be
    decompressed before that counts: InvalidParameter when one is broken.

    The body is read to its end even when an error is raised, as far as it is small (256 KiB)."""

@final
class Unpacked:
    surplus: bytes  # read beyond the body
    content_bytes: int  # of regular files
    diff_id: str  # sha256:… of the uncompressed tar

def archive_transfer(
    source_root_fd: int,
    source_path: str,
    root_fd: int,
    path: str,
    *,
    include: list[str] = ...,
    exclude: list[str] = ...,
    name: str | None = None,
    no_overwrite_dir_non_dir: bool = False,
    owner: tuple[int, int] | None = None,
    cancel_fd: int | None = None,
) -> Sent:
    """Unpack at ``path`` in one root what `Tar` would pack of ``source_path`` in another, holes
    as holes, contents by the kernel where it can: reflinks, ``copy_file_range``.

    The rest as `archive_unpack` and `Tar` have it. InvalidParameter for a directory that would
    be copied into itself, and for a file onto itself. ``cancel_fd`` stops it quietly.
    """

def archive_check(root_fd: int, path: str) -> None:
    """Raise what unpacking into ``path`` would: NotFound, InvalidParameter
    ``extraction point is not a directory``."""

# ---------------------------------------------------------------- tars as a client takes them

@final
class Passed:
    """Counts bytes as they pass, to be looked at from another thread."""

    def __new__(cls) -> Passed: ...
    @property
    def bytes(self) -> int: ...

@final
class Received:
    @property
    def sum(self) -> bytes | None:
        """The SHA-256 of the body as it was sent, where that was asked for."""

    @property
    def trailers(self) -> bytes:
        """The fields behind a chunked body, a line each."""

def receive_tree(
    fd: int,
    root_fd: int,
    *,
    chunked: bool,
    length_bytes: int | None,
    early: bytes,
    name: str | None = None,
    owner: tuple[int, int] | None = None,
    summed: bool = False,
    passed: Passed | None = None,
    cancel_fd: int | None = None,
) -> Received:
    """Unpack the body of a response below a directory, as `archive_unpack` does below a root:
    no name and no link in it, whoever made them, leads out of that directory. A directory and
    something else of one name are an error. System when it ends early."""

def receive_file(
    fd: int,
    to_fd: int,
    *,
    chunked: bool,
    length_bytes: int | None,
    early: bytes,
    summed: bool = False,
    passed: Passed | None = None,
    cancel_fd: int | None = None,
) -> Received:
    """Write the body of a response to another descriptor. System when it ends early, or cannot
    be written."""

# ---------------------------------------------------------------- changes

def changes(
    upper: str, lower: list[str], *, facts: bool = False, since_ns: int | None = None
) -> bytes:
    """What a container changed, from its upper directory alone, as the API's JSON document:
    ``[{"Path", "Kind"}]``, sorted by path; ``null`` when nothing did. ``lower``: the layers
    below, topmost first. ``facts``: also ``Type`` and ``Size`` in bytes of what is there.
    ``since_ns``: only what changed then or later, in nanoseconds since 1970, by the inodes' own
    times."""

def changes_between(
    old: list[str], new: list[str], *, facts: bool = False, since_ns: int | None = None
) -> bytes:
    """What makes one tree of another, each given as its layers, topmost first; as `changes`."""

def tree_size_bytes(path: str) -> int:
    """The bytes of the regular files below a directory of the host, hard links counted once."""

# ---------------------------------------------------------------- wire: bodies on a descriptor

def wire_read_body(
    fd: int, to_fd: int, *, chunked: bool, length_bytes: int | None, early: bytes, limit_bytes: int
) -> tuple[int, bytes]:
    """Copy a request body to another descriptor; its bytes and the surplus behind it.
    InvalidParameter for bad chunks, a body cut short or one over the limit."""

# ---------------------------------------------------------------- logs

@final
class LogReader:
    """Reads a json-file log, rotated files first, and writes its records."""

    def __new__(
        cls,
        path: str,
        *,
        stdout: bool,
        stderr: bool,
        timestamps: bool = False,
        details: bool = False,
        since_ns: int | None = None,
        until_ns: int | None = None,
        tail: int | None = None,
        framed: bool,
        chunked: bool,
        json: bool = False,
        whole: bool = False,
        limit: int | None = None,
        grep: str | None = None,
        grep_regex: str | None = None,
        cursor: str | None = None,
        slow: str = "wait",
        messages: str | None = None,
    ) -> LogReader:
        """Compressed files among them are inflated as they are read. ``whole`` puts the pieces of
        lines together, up to 1 MiB of each; ``limit`` counts what is shown. A ``cursor`` (empty
        for none yet) goes before ``since_ns`` and ``tail``, and asks for positions. ``slow``:
        ``wait``, ``drop`` or ``disconnect``. ``messages`` wraps what is written in WebSocket
        messages: ``text`` or ``binary``. Raises InvalidParameter as `log_check` does."""

    def complete(self) -> None:
        """No more will be written to the log: what is there is all, lines without an end too."""

    def pump(self, fd: int, budget_bytes: int) -> str:
        """Write records to ``fd`` until one of these, which is returned: ``"end"`` (no more
        will match, or there will be none), ``"idle"`` (all that is in the file was written),
        ``"blocked"`` (``fd`` is non-blocking and full; call again when writable),
        ``"budget"`` (that much was read or written), ``"gone"`` (the peer left), ``"too slow"``
        (the peer does not read, and was to be left then)."""

    def fields(self) -> list[tuple[str, str]]:
        """What is to be told behind the records, where positions were asked for: names of
        trailer fields and their values."""

def log_check(path: str, *, cursor: str | None, grep_regex: str | None) -> None:
    """InvalidParameter for a cursor that is none of this log, or an expression that is none."""

# ---------------------------------------------------------------- seccomp

def seccomp_compile(profile: bytes, architectures: list[str]) -> bytes:
    """The BPF program of an OCI ``linux.seccomp`` document (JSON), as the kernel takes it.
    InvalidParameter naming the rule that cannot be."""

# ---------------------------------------------------------------- protect

# The name in its environment that tells a program that it runs sealed.
SEALED: str

def sealed_program(binary: str) -> int:
    """A descriptor of a program's file as nobody can write it, to be executed; the caller's to
    close. System naming the file when it is not there."""

# ---------------------------------------------------------------- network

def netns_create(path: str) -> None:
    """Make a network namespace with loopback up and bind it to a file (made here)."""

def netns_remove(path: str) -> None:
    """Unbind and remove; harmless when it is gone."""

def bridge_ensure(name: str, address: str, prefix_length: int) -> None:
    """Make a bridge (or take the one of that name), give it its address, bring it up."""

def bridge_remove(name: str) -> None:
    """Remove a bridge; harmless when it is gone."""

def veth_attach(
    netns_path: str,
    *,
    host_name: str,
    container_name: str,
    bridge: str,
    mac: str,
    address: str,
    prefix_length: int,
    gateway: str,
) -> None:
    """Make a veth whose peer is born inside the namespace, addressed and up, default route
    included; the host's end is enslaved to the bridge and up."""

def veth_remove(host_name: str) -> None:
    """Remove a veth by its host's end; harmless when it is gone."""

def connections_forget(address: str) -> None:
    """Make the kernel forget the connections that a container of this address answered;
    without effect before Linux 6.8."""

def datagrams_forget(port: int) -> None:
    """Make the kernel forget the UDP senders to a port, so that their next packet takes the
    way that holds now; without effect before Linux 6.8."""
