"""Where log drivers send to: ``tcp://host:port``, ``unix:///path``.

Each function gives what the shim reads, ``{kind: place}``, and raises InvalidParameter with
Docker's text.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from drayman.errors import InvalidParameter

Address = dict[str, str]

SYSLOG_PORT = 514
FLUENTD_PORT = 24224
# Where local programs write to; Go's log/syslog looks in these places, in this order.
_LOCAL = ("/dev/log", "/var/run/syslog", "/var/run/log")
_TRANSPORT = re.compile(r"(tcp|tcp\+tls|udp|unix|unixgram)://")
_PLACE = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?")


def syslog(text: str) -> Address:
    """By ``syslog-address``; the host's own for none."""
    if not text:
        found = [path for path in _LOCAL if os.path.exists(path)]
        return {"unixgram": (found or _LOCAL)[0]}
    if _TRANSPORT.match(text) is None:
        raise InvalidParameter(f"syslog-address should be in form proto://address, got {text}")
    url = urlsplit(text)
    if url.scheme == "tcp+tls":
        raise InvalidParameter(
            f"syslog-address {text}: tcp+tls is not built; use tcp:// to a relay on this host"
            " that speaks TLS"
        )
    if url.scheme in ("unix", "unixgram"):
        if not os.path.exists(url.path):
            raise InvalidParameter(f"stat {url.path}: no such file or directory")
        return {url.scheme: url.path}
    host, port = _place(url.netloc, f"syslog-address {text}")
    return {url.scheme: f"{host}:{port or SYSLOG_PORT}"}


def fluentd(text: str) -> Address:
    """By ``fluentd-address``, which may be a host alone."""
    wrong = f"invalid fluentd-address {text}"
    place = text
    if _TRANSPORT.match(text):
        url = urlsplit(text)
        if url.scheme == "unix":
            return {"unix": url.path}
        if url.scheme != "tcp":
            raise InvalidParameter(f"{wrong}: {url.scheme} is not built; use tcp:// or unix://")
        place = url.netloc
    host, port = _place(place, wrong)
    return {"tcp": f"{host or '127.0.0.1'}:{port or FLUENTD_PORT}"}


def gelf(text: str) -> Address:
    """By ``gelf-address``."""
    if not text:
        raise InvalidParameter("gelf-address is a required parameter")
    if _TRANSPORT.match(text) is None:
        raise InvalidParameter(f"gelf-address should be in form proto://address, got {text}")
    url = urlsplit(text)
    if url.scheme not in ("udp", "tcp"):
        raise InvalidParameter("gelf: endpoint needs to be TCP or UDP")
    please = "gelf: please provide gelf-address as proto://host:port"
    host, port = _place(url.netloc, please)
    if not port:
        raise InvalidParameter(please)
    return {url.scheme: f"{host}:{port}"}


def _place(text: str, wrong: str) -> tuple[str, str]:
    match = _PLACE.fullmatch(text)
    if match is None or not (match[2] or "0").isdecimal() or int(match[2] or 0) > 65535:
        raise InvalidParameter(f"{wrong}: {text!r} is no host and port")
    return match[1], match[2] or ""
