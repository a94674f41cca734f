"""The host's routes: which addresses are taken before the first container comes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from drayman.errors import System

ROUTES = Path("/proc/net/route")


@dataclass(frozen=True)
class Route:
    """A destination the host reaches through an interface; the default route has none."""

    interface: str
    network: IPv4Network


def host_routes(path: Path = ROUTES) -> list[Route]:
    """All routes of the main table except the default ones.

    Raises System when the table cannot be read.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise System(f"read the host's routes: {error}") from error
    return list(parse(text))


def parse(text: str) -> Iterator[Route]:
    """Read the kernel's table: a line of titles, then tab-separated fields, addresses as
    hexadecimal of the number in the host's byte order."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            continue
        destination, mask = _address(fields[1]), _address(fields[7])
        network = IPv4Network(f"{destination}/{mask}", strict=False)
        if network.prefixlen:
            yield Route(fields[0], network)


def _address(hexadecimal: str) -> IPv4Address:
    return IPv4Address(socket.inet_ntoa(struct.pack("=I", int(hexadecimal, 16))))
