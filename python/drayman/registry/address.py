"""Where a registry is, from the words of a client."""

from __future__ import annotations

import ipaddress

from drayman.errors import InvalidParameter

# What clients call Docker Hub, and where it answers.
_HUB = frozenset(("", "docker.io", "index.docker.io", "registry-1.docker.io"))
_HUBS_HOST = "registry-1.docker.io"
_MOST_CHARACTERS = 300


def host_of(server_address: str) -> str:
    """The host, and the port if one is named, of an address with or without scheme and path
    (moby's registry.ConvertToHostname). Raises InvalidParameter."""
    _, found, rest = server_address.partition("://")
    host = (rest if found else server_address).partition("/")[0]
    if host in _HUB:
        return _HUBS_HOST
    if len(host) > _MOST_CHARACTERS or not host.isprintable() or set(host) & set(' "\\?#@%'):
        raise InvalidParameter(f"invalid registry address: {server_address!r:.80}")
    return host


def endpoints(host: str) -> list[str]:
    """Where to ask, in this order: a registry on this host's loopback need not have TLS."""
    return [f"https://{host}", f"http://{host}"] if is_local(host) else [f"https://{host}"]


def is_local(host: str) -> bool:
    """Whether it is on the loopback, where nobody can listen in."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
