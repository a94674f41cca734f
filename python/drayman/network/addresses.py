"""Which address a container gets: pure data, no system behind it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from drayman.errors import Conflict, InvalidParameter, Unavailable

# Docker's own pools, in its order (libnetwork's ipamutils).
DEFAULT_SUBNETS = (
    *(IPv4Network(f"172.{second}.0.0/16") for second in range(17, 32)),
    *IPv4Network("192.168.0.0/16").subnets(new_prefix=20),
)
# Network, gateway, broadcast and one container.
LONGEST_PREFIX = 30


def choose_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first of Docker's default subnets that overlaps none of ``taken``.

    Raises Unavailable when every one does.
    """
    routes = list(taken)
    for subnet in DEFAULT_SUBNETS:
        if not any(subnet.overlaps(route) for route in routes):
            return subnet
    raise Unavailable(
        "could not find an available, non-overlapping IPv4 address pool among the defaults "
        "to assign to the network"
    )


def parse_subnet(text: str) -> IPv4Network:
    """A subnet as a user writes it (``10.1.0.0/24``).

    Raises InvalidParameter for what is no IPv4 network or has no room for a container.
    """
    try:
        subnet = IPv4Network(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid subnet {text}: {error}") from None
    if subnet.prefixlen > LONGEST_PREFIX:
        raise InvalidParameter(f"invalid subnet {text}: it has no room for a container")
    return subnet


class Pool:
    """The addresses of one subnet. The first is the gateway's; the network's own and the
    broadcast address are nobody's. Not safe among threads: its owner has the lock."""

    def __init__(self, subnet: IPv4Network) -> None:
        self.subnet = subnet
        self.gateway = subnet[1]
        self._taken = {subnet.network_address, self.gateway, subnet.broadcast_address}
        self._next = int(subnet[2])

    def allocate(self, requested: IPv4Address | None = None) -> IPv4Address:
        """Take the address asked for, or the one after the last given, around the subnet:
        one that was just released is not given again while neighbours remember its owner.

        Raises Conflict when the one asked for is taken, InvalidParameter when it lies
        outside, Unavailable when none is left.
        """
        address = self._free() if requested is None else self._check(requested)
        self._taken.add(address)
        if requested is None:
            self._next = int(address) + 1
        return address

    def release(self, address: IPv4Address) -> None:
        """Give an address back; harmless when it was not taken."""
        fixed = (self.subnet.network_address, self.gateway, self.subnet.broadcast_address)
        if address not in fixed:
            self._taken.discard(address)

    def _check(self, requested: IPv4Address) -> IPv4Address:
        if requested not in self.subnet:
            raise InvalidParameter(
                f"invalid endpoint IPv4 address {requested}: no configured subnet contains it"
            )
        if requested in self._taken:
            raise Conflict(f"address {requested} is already in use")
        return requested

    def _free(self) -> IPv4Address:
        first, last = int(self.subnet[2]), int(self.subnet.broadcast_address) - 1
        size = last - first + 1
        # Every taken address may lie in the way; one more try finds a free one, or none is.
        for step in range(min(size, len(self._taken) + 1)):
            address = IPv4Address(first + (self._next - first + step) % size)
            if address not in self._taken:
                return address
        raise Unavailable(f"no available IPv4 addresses in {self.subnet}")
