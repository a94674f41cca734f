"""Sockets to listen on, bound by ourselves: for their modes, and before anything else starts."""

from __future__ import annotations

import grp
import logging
import os
import re
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from drayman.errors import Conflict, InvalidParameter

log = logging.getLogger(__name__)

BACKLOG = 4096
DEFAULT_TCP_PORT = 2375
# systemd's first descriptor, see sd_listen_fds(3).
FIRST_INHERITED_FD = 3


class Listener:
    """One socket that listens, and the file it left."""

    def __init__(self, sock: socket.socket, path: Path | None = None) -> None:
        self.socket = sock
        self._path = path
        self._file = _identity(path) if path else None

    def close(self) -> None:
        """Stop listening; a unix socket's file goes, if it is still ours."""
        self.socket.close()
        if self._path is not None:
            try:
                if _identity(self._path) == self._file:
                    self._path.unlink()
            except FileNotFoundError:
                pass


def _identity(path: Path) -> tuple[int, int]:
    """What tells a file from a later one of its name; inodes alone are used again."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def listen(
    host: str, *, group: str = "docker", environment: Mapping[str, str] = os.environ
) -> list[Listener]:
    """Listen on ``unix:///path``, ``tcp://address:port`` or ``fd://`` (what systemd hands over).

    Raises InvalidParameter for anything else, Conflict when somebody listens there, OSError
    when the system refuses.
    """
    scheme, separator, place = host.partition("://")
    if scheme == "unix" and place.startswith("/"):
        return [_listen_unix(Path(place), group)]
    if scheme == "tcp":
        return [_listen_tcp(host, place)]
    if scheme == "fd" and separator:
        return _inherited(environment)
    raise InvalidParameter(
        f"cannot listen on {host!r}: it must be unix:///path, tcp://address:port or fd://"
    )


def _listen_unix(path: Path, group: str) -> Listener:
    path.parent.mkdir(parents=True, exist_ok=True)
    _make_way(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Nobody may connect between bind and chmod.
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(mask)
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        log.info("there is no group %s: only root may use %s", group, path)
    path.chmod(0o660)
    sock.listen(BACKLOG)
    return Listener(sock, path)


def _make_way(path: Path) -> None:
    """Remove a socket that an engine left behind, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(f"cannot listen on {path}: it exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # somebody listens, and is busy
    raise Conflict(f"cannot listen on {path}: somebody does already")


def _listen_tcp(host: str, place: str) -> Listener:
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", place)
    if found is None:
        raise InvalidParameter(f"cannot listen on {host!r}: it must be tcp://address:port")
    address = found[1].strip("[]") or "127.0.0.1"
    port = int(found[2]) if found[2] else DEFAULT_TCP_PORT
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
    except (OSError, OverflowError):
        sock.close()
        raise
    sock.listen(BACKLOG)
    return Listener(sock)


def _inherited(environment: Mapping[str, str]) -> list[Listener]:
    """Sockets handed over by systemd; the sockets' units have bound them."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        raise InvalidParameter("cannot listen on fd://: no socket was handed over")
    listeners = []
    for fd in range(FIRST_INHERITED_FD, FIRST_INHERITED_FD + int(environment["LISTEN_FDS"])):
        os.set_inheritable(fd, False)
        listeners.append(Listener(socket.socket(fileno=fd)))
    return listeners
