"""Networks of the driver ``bridge``: containers on one virtual switch of the host, behind NAT."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from drayman import _native
from drayman.errors import Conflict, InvalidParameter, System, Unavailable
from drayman.model.network import PortBinding
from drayman.network import firewall, rules, sandbox
from drayman.network.addresses import Pool, choose_subnet, parse_subnet
from drayman.network.links import INTERFACES, Departures
from drayman.network.nft import Nftables
from drayman.network.ports import Ports, parse, port_map, published
from drayman.network.routes import host_routes
from drayman.network.rules import Published
from drayman.network.sandbox import Attachment, Plan

DEFAULT_BRIDGE = "drayman0"
# An interface's name, of letters that nft and /proc/sys take as they are.
_BRIDGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,14}")
_SYSCTL = Path("/proc/sys/net/ipv4")
# The kernel numbers a bridge's ports by ten bits, and gives nobody zero (net/bridge/br_private.h).
PORTS_MAX = 1023


@dataclass(frozen=True)
class _Lease:
    """What one container holds."""

    ip: IPv4Address
    published: list[Published]
    host_interface: str


class BridgeDriver:
    """One bridge and the containers on it. Its methods block for milliseconds and are safe
    to call from several threads.

    Raises System where the host refuses, naming the interface, address or port.
    """

    def __init__(self, bridge_name: str, subnet: str | None, run_dir: Path) -> None:
        """Nothing is made yet. ``subnet`` None: the bridge's own when there is one, or the
        first of Docker's default subnets that is free; namespaces are kept below ``run_dir``.

        Raises InvalidParameter for a name or a subnet that cannot be.
        """
        if not _BRIDGE_NAME.fullmatch(bridge_name):
            raise InvalidParameter(
                f"invalid bridge name {bridge_name!r}: a letter, then up to 14 letters, "
                "digits, - or _"
            )
        self.bridge_name = bridge_name
        self._wanted = parse_subnet(subnet) if subnet else None
        self._netns_dir = run_dir / "netns"
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._nftables: Nftables | None = None
        self._ports = Ports()
        self._leases: dict[str, _Lease] = {}
        self._departures = Departures()

    def ensure(self) -> tuple[str, str]:
        """Make the bridge and its packet rules, or put them right: links and ports that are
        there stay. The subnet and the gateway's address.

        Raises Unavailable when the host lacks nftables or a free subnet.
        """
        with self._lock:
            nftables = self._nftables or Nftables()
            pool = self._pool or Pool(self._wanted or self._find_subnet())
            subnet = pool.subnet
            _native.bridge_ensure(self.bridge_name, str(pool.gateway), subnet.prefixlen)
            _set_sysctl("ip_forward")
            # To answer at 127.0.0.1; what else that would open, the rules close.
            _set_sysctl(f"conf/{self.bridge_name}/route_localnet")
            nftables.run(rules.ruleset(self.bridge_name, subnet))
            firewall.let_through(nftables, self.bridge_name)
            self._netns_dir.mkdir(parents=True, exist_ok=True)
            self._nftables, self._pool = nftables, pool
            return str(subnet), str(pool.gateway)

    def attach(
        self,
        container_id: str,
        name: str,
        *,
        requested_ip: str | None = None,
        mac: str | None = None,
        ports: Mapping[str, list[PortBinding] | None] | None = None,
        exposed: Iterable[str] = (),
    ) -> Attachment:
        """Join a container, by a namespace made for it here, before it starts.

        Raises Conflict when the address is taken, InvalidParameter for an address, port or
        hardware address that cannot be, Unavailable when the bridge is full, System in Docker's
        words when a port is taken.
        """
        wanted = parse(ports or {})
        pool, nftables = self._ready()
        endpoint_id = secrets.token_hex(32)
        with ExitStack() as undo:
            ip = self._reserve(container_id, requested_ip, pool)
            undo.callback(self._forget, container_id)
            try:
                held = self._ports.hold(wanted, ip)
            except System as error:
                raise System(
                    "driver failed programming external connectivity on endpoint "
                    f"{name} ({endpoint_id}): {error}"
                ) from None
            lease = replace(self._leases[container_id], published=held)
            self._leases[container_id] = lease
            plan = Plan(
                netns_path=self.netns_path(container_id),
                host_interface=lease.host_interface,
                bridge=self.bridge_name,
                mac=mac or _mac_of(ip),
                ip=ip,
                prefix=pool.subnet.prefixlen,
                gateway=pool.gateway,
                published=held,
            )
            sandbox.make(plan, nftables)
            undo.pop_all()
        return Attachment(
            endpoint_id=endpoint_id,
            ip=str(ip),
            prefix=plan.prefix,
            gateway=str(plan.gateway),
            mac=plan.mac,
            ports=port_map(exposed, held),
            netns_path=str(plan.netns_path),
            host_interface=plan.host_interface,
        )

    def detach(self, container_id: str, attachment: Attachment | None = None) -> None:
        """Undo `attach`, as far as anything of it is there; call it when the container has
        ended. ``attachment``: for one that this driver never knew, having restarted."""
        _, nftables = self._ready()
        lease = self._leases.get(container_id)
        ports = lease.published if lease else []
        if lease is None and attachment is not None:
            ports = published(attachment.ports, IPv4Address(attachment.ip))
        sandbox.unmake(self.netns_path(container_id), self.bridge_name, ports, nftables)
        self._forget(container_id)

    def restore(self, container_id: str, attachment: Attachment) -> list[Published]:
        """Know again, after a restart, a container that lived on: its address and ports are
        reserved, nothing of the kernel's is touched. The ports that another program bound
        meanwhile are returned; they lead to the container all the same."""
        pool, _ = self._ready()
        ip = IPv4Address(attachment.ip)
        ports = published(attachment.ports, ip)
        with self._lock:
            if container_id not in self._leases:
                pool.allocate(ip)
            self._leases[container_id] = _Lease(ip, ports, attachment.host_interface)
        return self._ports.restore(ports)

    def sweep(self) -> None:
        """Remove what belongs to no container: to be called once all living ones are
        restored, for an attempt or a removal may have been cut short."""
        _, nftables = self._ready()
        with self._lock:
            leases = dict(self._leases)
        published_here = {port for lease in leases.values() for port in lease.published}
        strays = [p for p in _listed(nftables, self.bridge_name) if p not in published_here]
        if strays:
            nftables.run(rules.withdraw(self.bridge_name, strays))
        for path in self._netns_dir.iterdir():
            if path.name not in leases:
                _native.netns_remove(str(path))
        known = {lease.host_interface for lease in leases.values()}
        for port in (INTERFACES / self.bridge_name / "brif").iterdir():
            if port.name not in known:
                _native.veth_remove(port.name)

    def netns_path(self, container_id: str) -> Path:
        """The file that a container's namespace is bound to."""
        return self._netns_dir / container_id

    def close(self) -> None:
        """Let go of the ports held for containers; their links and rules stay, as the engine
        may stop while containers run."""
        self._ports.close()

    def remove(self) -> None:
        """Remove the bridge, its rules and all that is left of its containers."""
        with self._lock:
            nftables = self._nftables or Nftables()
            self._ports.close()
            nftables.run(rules.removal(self.bridge_name))
            firewall.let_through_no_more(nftables, self.bridge_name)
            for container_id in self._leases:
                _native.netns_remove(str(self.netns_path(container_id)))
            self._leases.clear()
            self._pool = None
            _native.bridge_remove(self.bridge_name)

    def _ready(self) -> tuple[Pool, Nftables]:
        pool, nftables = self._pool, self._nftables
        if pool is None or nftables is None:
            raise System(f"bridge {self.bridge_name} was not set up")
        return pool, nftables

    def _find_subnet(self) -> IPv4Network:
        routes = host_routes()
        for route in routes:
            if route.interface == self.bridge_name:
                return route.network
        return choose_subnet(route.network for route in routes)

    def _reserve(self, container_id: str, requested: str | None, pool: Pool) -> IPv4Address:
        try:
            address = IPv4Address(requested) if requested else None
        except AddressValueError:
            raise InvalidParameter(f"invalid IPv4 address: {requested}") from None
        with self._lock:
            if container_id in self._leases:
                raise Conflict(f"container {container_id} is attached already")
            if len(self._leases) >= PORTS_MAX:
                raise Unavailable(
                    f"bridge {self.bridge_name} is full: the kernel gives one {PORTS_MAX} ports,"
                    " and each running container has one"
                )
            ip = self._allocate(address, pool)
            self._leases[container_id] = _Lease(ip, [], sandbox.new_host_interface())
            return ip

    def _allocate(self, requested: IPv4Address | None, pool: Pool) -> IPv4Address:
        self._departures.reap(pool.release)
        if len(self._leases) + len(self._departures) >= PORTS_MAX:
            # What is going has its port for as long as it is there.
            self._departures.hasten(pool.release, None)
        if requested:
            # A container that is started again asks for what it has just left.
            self._departures.hasten(pool.release, requested)
        try:
            return pool.allocate(requested)
        except Unavailable:
            self._departures.hasten(pool.release, None)
            return pool.allocate(requested)

    def _forget(self, container_id: str) -> None:
        with self._lock:
            lease = self._leases.pop(container_id, None)
            if lease:
                self._departures.add(lease.host_interface, lease.ip)
        if lease:
            self._ports.release(lease.published)


def _mac_of(ip: IPv4Address) -> str:
    """Docker's own for its bridges: an address used again has the hardware address that
    its neighbours remember."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ip.packed)


def _set_sysctl(name: str) -> None:
    path = _SYSCTL / name
    try:
        if path.read_text().strip() != "1":
            path.write_text("1")
    except OSError as error:
        raise System(f"set net/ipv4/{name} to 1: {error.strerror}") from error


def _listed(nftables: Nftables, bridge: str) -> list[Published]:
    return rules.parse_published(nftables.list(f"table ip {rules.table_of(bridge)}"))
