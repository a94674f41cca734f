"""Links of containers that have ended, on their way out.

A link goes with its namespace, in the kernel's own time: removing it at once makes every
other change of interfaces wait 15 ms. Until then its address is not given to another. A
namespace that another container shares stays, and so would the link: it is removed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

from drayman import _native

INTERFACES = Path("/sys/class/net")
# The kernel takes some 50 ms; a link that is there after this long is held by a sharer.
GRACE_S = 2.0


class Departures:
    """The links that are going. Not safe among threads: its owner has the lock."""

    def __init__(self) -> None:
        self._going: dict[str, tuple[IPv4Address, float]] = {}

    def __len__(self) -> int:
        return len(self._going)

    def add(self, host_interface: str, ip: IPv4Address) -> None:
        """A link whose container has ended; ``host_interface`` may be gone already."""
        self._going[host_interface] = (ip, time.monotonic())

    def reap(self, release: Callable[[IPv4Address], None]) -> None:
        """Release the addresses of links that are gone, and remove the links that stay."""
        now = time.monotonic()
        self._end(lambda name, ip, since: not _exists(name) or now - since > GRACE_S, release)

    def hasten(self, release: Callable[[IPv4Address], None], ip: IPv4Address | None) -> None:
        """Remove the link that has an address (None: all links) now, for the address is needed."""
        self._end(lambda name, held, since: ip is None or held == ip, release)

    def _end(
        self,
        chosen: Callable[[str, IPv4Address, float], bool],
        release: Callable[[IPv4Address], None],
    ) -> None:
        for name, (ip, since) in list(self._going.items()):
            if chosen(name, ip, since):
                if _exists(name):
                    _native.veth_remove(name)
                del self._going[name]
                release(ip)


def _exists(interface: str) -> bool:
    return (INTERFACES / interface).exists()
