"""Health checks: what the words of a test ask a shim to do.

Docker has ``NONE``, ``CMD`` and ``CMD-SHELL``. ``HTTP``, ``TCP`` and ``FILE`` run no process in
the container: ``["HTTP", url]`` (a third word is the one status that is healthy, instead of 200
to 399), ``["TCP", port]`` or ``["TCP", "host:port"]``, ``["FILE", path]``. Their hosts are
addresses inside the container's network, or ``localhost``, for nothing resolves names there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig

_SHELL = ["/bin/sh", "-c"]
_HEALTHY_STATUSES = (200, 399)
_HTTP_PORT = 80
# What can stand in the first line of a request.
_VISIBLE = re.compile(r"[!-~]+")
_STATUS = re.compile(r"[1-5][0-9][0-9]")
_PORT = re.compile(r"[0-9]{1,5}")
_TCP = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:]*):)?(?P<port>.*)", re.DOTALL)


def test_of(config: ContainerConfig) -> dict[str, Any] | None:
    """What the shim is told to try, a command apart, which is only named as such; None where
    nothing is tried. Raises InvalidParameter for words that cannot be meant."""
    words = _words(config)
    compose = _KINDS.get(words[0]) if words else None
    return compose(words[1:]) if compose is not None else None


def command(config: ContainerConfig) -> list[str]:
    """The command of a test that is one."""
    kind, *words = _words(config)
    return [*(config.shell or _SHELL), *words] if kind == "CMD-SHELL" else words


def warnings(config: ContainerConfig) -> list[str]:
    """For a test that nobody understands: Docker accepts it, and checks nothing."""
    words = _words(config)
    if not words or words[0] == "NONE" or words[0] in _KINDS:
        return []
    return [f"Unknown health check type {words[0]!r}: the container's health is not checked"]


def _words(config: ContainerConfig) -> list[str]:
    return (config.healthcheck.test if config.healthcheck is not None else None) or []


def _command(_: list[str]) -> dict[str, Any]:
    return {"kind": "command"}


def _http(words: list[str]) -> dict[str, Any]:
    if not 1 <= len(words) <= 2:
        raise _invalid("HTTP", words, "it takes a URL, and a status at most")
    url, *wanted = words
    if wanted and not _STATUS.fullmatch(wanted[0]):
        raise _invalid("HTTP", words, f"{wanted[0]!r} is no HTTP status")
    try:
        parts = urlsplit(url)
        port = parts.port if parts.port is not None else _HTTP_PORT
    except ValueError as error:
        raise _invalid("HTTP", words, str(error)) from None
    if parts.scheme != "http" or not _VISIBLE.fullmatch(url):
        raise _invalid("HTTP", words, "the URL must begin with http:// and hold no blanks")
    if parts.username is not None or not parts.hostname:
        raise _invalid("HTTP", words, "the URL must name a host, and no user")
    address = _address("HTTP", words, parts.hostname, str(port))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: Drayman\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    statuses = (int(wanted[0]), int(wanted[0])) if wanted else _HEALTHY_STATUSES
    return {"kind": "http", "address": address, "request": request, "statuses": statuses}


def _tcp(words: list[str]) -> dict[str, Any]:
    if len(words) != 1:
        raise _invalid("TCP", words, "it takes a port, or host:port")
    place = _TCP.fullmatch(words[0])
    assert place is not None
    host = place["host"] if place["host"] is not None else "localhost"
    bare = host[1:-1] if host.startswith("[") else host
    return {"kind": "tcp", "address": _address("TCP", words, bare, place["port"])}


def _file(words: list[str]) -> dict[str, Any]:
    if len(words) != 1 or not words[0].startswith("/") or "\0" in words[0]:
        raise _invalid("FILE", words, "it takes an absolute path")
    return {"kind": "file", "path": words[0]}


def _address(kind: str, words: list[str], host: str, port: str) -> str:
    if not _PORT.fullmatch(port) or not 0 < int(port) < 1 << 16:
        raise _invalid(kind, words, f"{port!r} is no port")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise _invalid(kind, words, f"{host!r} is neither an address nor localhost") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise _invalid(kind, words, f"{host!r} has a scope")
        return f"[{address}]:{int(port)}"
    return f"{address}:{int(port)}"


def _invalid(kind: str, words: list[str], why: str) -> InvalidParameter:
    return InvalidParameter(f"invalid health check {[kind, *words]!r}: {why}")


_KINDS: dict[str, Callable[[list[str]], dict[str, Any]]] = {
    "CMD": _command,
    "CMD-SHELL": _command,
    "FILE": _file,
    "HTTP": _http,
    "TCP": _tcp,
}
