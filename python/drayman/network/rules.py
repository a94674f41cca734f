"""The packet rules of a bridge, in nft's own language: one table a bridge, nothing outside it.

Published ports are elements of maps, so that one more costs a change of data and no rule,
and a packet one look-up whatever their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

ANYWHERE = IPv4Address("0.0.0.0")

# The order of a packet's way: `guard` sees it before addresses are changed, `prerouting` and
# `output` send it to a container, `forward` lets it pass, `postrouting` names its sender.
_TABLE = """\
add table ip {table}
add map ip {table} published {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map ip {table} published_at \
{{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add chain ip {table} guard {{ type filter hook prerouting priority raw; }}
add chain ip {table} prerouting {{ type nat hook prerouting priority dstnat; }}
add chain ip {table} output {{ type nat hook output priority -100; }}
add chain ip {table} forward {{ type filter hook forward priority filter; }}
add chain ip {table} postrouting {{ type nat hook postrouting priority srcnat; }}
flush chain ip {table} guard
flush chain ip {table} prerouting
flush chain ip {table} output
flush chain ip {table} forward
flush chain ip {table} postrouting
"""

# `route_localnet`, which publishing at 127.0.0.1 takes, would let containers reach what the
# host keeps for itself: `guard` forbids it (as CVE-2020-8558 taught Kubernetes).
_GUARD = "iifname {bridge} ip daddr 127.0.0.0/8 drop"
_PUBLISH = (
    "dnat ip to ip daddr . meta l4proto . th dport map @published_at",
    "fib daddr type local dnat ip to meta l4proto . th dport map @published",
)
_FORWARD = (
    "oifname {bridge} ct state established,related accept",
    "oifname {bridge} iifname {bridge} accept",
    # Others reach what is published, and no more.
    "oifname {bridge} ct status dnat accept",
    "oifname {bridge} drop",
    "iifname {bridge} accept",
)
_POSTROUTING = (
    "ip saddr {subnet} oifname != {bridge} masquerade",
    # The host's own way in by 127.0.0.1, an address that no container can answer to.
    "ip saddr 127.0.0.0/8 oifname {bridge} masquerade",
    # A container that calls another (or itself) by a published port: the answer has to come
    # back this way, to have its address changed back.
    "ip saddr {subnet} oifname {bridge} ct status dnat masquerade",
)


@dataclass(frozen=True)
class Published:
    """A port of the host that leads to one of a container."""

    protocol: str  # tcp or udp
    host_ip: IPv4Address
    host_port: int
    container_ip: IPv4Address
    container_port: int


def table_of(bridge: str) -> str:
    """The name of a bridge's table."""
    return f"drayman_{bridge}"


def ruleset(bridge: str, subnet: IPv4Network) -> str:
    """Commands that set a bridge's table up, or anew: what is published in it stays."""
    table = table_of(bridge)
    chains = {
        "guard": (_GUARD,),
        "prerouting": _PUBLISH,
        "output": _PUBLISH,
        "forward": _FORWARD,
        "postrouting": _POSTROUTING,
    }
    lines = [
        f"add rule ip {table} {chain} {rule.format(bridge=quote(bridge), subnet=subnet)}"
        for chain, rules in chains.items()
        for rule in rules
    ]
    return _TABLE.format(table=table) + "\n".join(lines) + "\n"


def removal(bridge: str) -> str:
    """Commands that remove a bridge's table, whether it is there or not."""
    table = table_of(bridge)
    return f"add table ip {table}\ndelete table ip {table}\n"


def publish(bridge: str, ports: list[Published]) -> str:
    """Commands that make ports lead to their containers."""
    return _elements("add", bridge, ports)


def withdraw(bridge: str, ports: list[Published]) -> str:
    """Commands that take published ports back; refused by nftables when one is not there."""
    return _elements("delete", bridge, ports)


def _elements(verb: str, bridge: str, ports: list[Published]) -> str:
    return "".join(f"{verb} element ip {table_of(bridge)} {_element(port)}\n" for port in ports)


def _element(port: Published) -> str:
    key = f"{port.protocol} . {port.host_port}"
    place = f"{port.container_ip} . {port.container_port}"
    if port.host_ip == ANYWHERE:
        return f"published {{ {key} : {place} }}"
    return f"published_at {{ {port.host_ip} . {key} : {place} }}"


def quote(name: str) -> str:
    """A name as a string of nft's language; interfaces' names hold no quotes (`bridge.py`)."""
    return f'"{name}"'


def parse_published(objects: list[dict[str, Any]]) -> list[Published]:
    """The published ports in a listing of a bridge's table."""
    maps = [one["map"] for one in objects if "map" in one]
    return [_parse_element(*element) for one in maps for element in one.get("elem", [])]


def _parse_element(key: dict[str, Any], place: dict[str, Any]) -> Published:
    *host_ip, protocol, host_port = key["concat"]
    container_ip, container_port = place["concat"]
    return Published(
        protocol=str(protocol),
        host_ip=IPv4Address(host_ip[0]) if host_ip else ANYWHERE,
        host_port=int(host_port),
        container_ip=IPv4Address(container_ip),
        container_port=int(container_port),
    )
