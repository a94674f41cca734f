"""Publishing a container's ports at the host's: what is asked for, and holding it.

A published port is held by a socket bound to it, so that no other program of the host takes
it and no packet rule of ours hides a program that has it.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from drayman.errors import InvalidParameter, System
from drayman.model.container import PortMap
from drayman.model.network import PortBinding
from drayman.network.rules import ANYWHERE, Published

PORT_MAX = 65535
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True)
class Wanted:
    """One port of a container asked to be published, at the first free of a range."""

    protocol: str
    container_port: int
    host_ip: IPv4Address
    # Empty: any free one.
    host_ports: range


def parse(ports: Mapping[str, list[PortBinding] | None]) -> list[Wanted]:
    """Read the bindings a client asks for; an empty list of them is one to any free port.

    Raises InvalidParameter naming the port or address that cannot be.
    """
    return [wanted for port, bindings in ports.items() for wanted in _parse_one(port, bindings)]


def _parse_one(port: str, bindings: list[PortBinding] | None) -> Iterator[Wanted]:
    number, _, protocol = port.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _KINDS:
        raise InvalidParameter(f"invalid port {port}: only tcp and udp can be published")
    container_port = _number(number, port)
    for binding in bindings if bindings else [PortBinding()]:
        yield Wanted(protocol, container_port, _host_ip(binding), _host_ports(binding))


def _host_ip(binding: PortBinding) -> IPv4Address:
    try:
        return IPv4Address(binding.host_ip) if binding.host_ip else ANYWHERE
    except AddressValueError:
        raise InvalidParameter(
            f"invalid host address {binding.host_ip}: ports are published at IPv4 addresses"
        ) from None


def _host_ports(binding: PortBinding) -> range:
    text = binding.host_port
    if text in ("", "0"):
        return range(0)
    first, dash, last = text.partition("-")
    start = _number(first, text)
    end = _number(last, text) if dash else start
    if end < start:
        raise InvalidParameter(f"invalid port range {text}")
    return range(start, end + 1)


def _number(text: str, shown: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) <= PORT_MAX:
        raise InvalidParameter(f"invalid port specification: {shown!r}")
    return int(text)


def check_exposed(ports: Iterable[str]) -> None:
    """Raise InvalidParameter for what is no port, with a protocol or without."""
    for port in ports:
        _number(port.partition("/")[0], port)


def port_map(exposed: Iterable[str], published: Iterable[Published]) -> PortMap:
    """What a container's inspection shows: a port that is only exposed has no binding."""
    ports: PortMap = {_with_protocol(port): None for port in exposed}
    for one in published:
        binding = PortBinding(host_ip=str(one.host_ip), host_port=str(one.host_port))
        key = f"{one.container_port}/{one.protocol}"
        ports[key] = [*(ports.get(key) or []), binding]
    return ports


def _with_protocol(port: str) -> str:
    return port if "/" in port else f"{port}/tcp"


def published(ports: PortMap, container_ip: IPv4Address) -> list[Published]:
    """The way back from `port_map`: what was published for a container."""
    found = []
    for port, bindings in ports.items():
        number, _, protocol = port.partition("/")
        for binding in bindings or []:
            host_ip = IPv4Address(binding.host_ip)
            place = (int(binding.host_port), container_ip, int(number))
            found.append(Published(protocol, host_ip, *place))
    return found


class Ports:
    """The ports of the host held for containers. Safe to share among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Published, socket.socket] = {}

    def hold(self, wanted: list[Wanted], container_ip: IPv4Address) -> list[Published]:
        """Take a free port of the host for each that is wanted, or none at all.

        Raises System in Docker's words when one is taken.
        """
        with self._lock:
            held = []
            with ExitStack() as undo:
                for one in wanted:
                    port = self._hold_one(one, container_ip)
                    undo.callback(self._release, [port])
                    held.append(port)
                undo.pop_all()
            return held

    def restore(self, ports: Iterable[Published]) -> list[Published]:
        """Hold again what was published before; those that another program took meanwhile
        are returned: their packets go on to the container all the same."""
        with self._lock:
            lost = []
            for port in ports:
                try:
                    if port not in self._held:
                        self._held[port] = _bind(port.protocol, port.host_ip, port.host_port)
                except OSError:
                    lost.append(port)
            return lost

    def release(self, ports: Iterable[Published]) -> None:
        """Let ports go; harmless for those that are not held."""
        with self._lock:
            self._release(ports)

    def close(self) -> None:
        """Let all ports go."""
        with self._lock:
            self._release(list(self._held))

    def _release(self, ports: Iterable[Published]) -> None:
        for port in ports:
            if (holder := self._held.pop(port, None)) is not None:
                holder.close()

    def _hold_one(self, wanted: Wanted, container_ip: IPv4Address) -> Published:
        refusal = OSError()
        # For port 0 the kernel picks a really free one of ip_local_port_range.
        for candidate in wanted.host_ports or (0,):
            try:
                holder = _bind(wanted.protocol, wanted.host_ip, candidate)
            except OSError as error:
                refusal = error
                continue
            host_port: int = holder.getsockname()[1]
            place = (host_port, container_ip, wanted.container_port)
            port = Published(wanted.protocol, wanted.host_ip, *place)
            self._held[port] = holder
            return port
        raise self._refusal(wanted, refusal)

    def _refusal(self, wanted: Wanted, error: OSError) -> System:
        last = wanted.host_ports[-1] if wanted.host_ports else 0
        place = f"{wanted.host_ip}:{last}"
        if error.errno != errno.EADDRINUSE:
            return System(f"failed to bind host port {place}/{wanted.protocol}: {error.strerror}")
        ours = any(
            held.host_port == last and held.protocol == wanted.protocol for held in self._held
        )
        if ours:
            return System(f"Bind for {place} failed: port is already allocated")
        return System(f"failed to bind host port {place}/{wanted.protocol}: address already in use")


def _bind(protocol: str, host_ip: IPv4Address, port: int) -> socket.socket:
    """A socket that keeps a port from others. It does not listen: a packet that no rule
    leads to a container is refused, as if nobody were there.

    Raises OSError.
    """
    holder = socket.socket(socket.AF_INET, _KINDS[protocol])
    try:
        holder.bind((str(host_ip), port))
    except OSError as error:
        # Connections of a server that is gone block a port for a minute (TIME_WAIT), save
        # to those that allow it and listen.
        if protocol == "tcp" and error.errno == errno.EADDRINUSE:
            with suppress(OSError):
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind((str(host_ip), port))
                holder.listen(0)
                return holder
        holder.close()
        raise
    return holder
