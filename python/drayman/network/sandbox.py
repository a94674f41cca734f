"""A container's own network: its namespace, its link to the bridge, its published ports."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from drayman import _native
from drayman.errors import System
from drayman.model.container import PortMap
from drayman.network import rules
from drayman.network.links import INTERFACES
from drayman.network.nft import Nftables
from drayman.network.rules import Published

# The one interface of a container, beside loopback; Docker's name for it.
CONTAINER_INTERFACE = "eth0"


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A container's place on a network: what its inspection shows, and what undoing takes."""

    endpoint_id: str
    ip: str
    prefix: int
    gateway: str
    mac: str
    # Of the container, with the host's that lead to them; None for those that are only exposed.
    ports: PortMap
    netns_path: str
    # The host's end of the link.
    host_interface: str


@dataclass(frozen=True)
class Plan:
    """What a container's network is to be made of; all of it is already reserved."""

    netns_path: Path
    host_interface: str
    bridge: str
    mac: str
    ip: IPv4Address
    prefix: int
    gateway: IPv4Address
    published: list[Published]


def new_host_interface() -> str:
    """A name for the host's end of a link, new each time: the last one may still be going."""
    return f"veth{secrets.token_hex(4)[:7]}"


def make(plan: Plan, nftables: Nftables) -> None:
    """Make all of a plan, or nothing. What an attempt that was cut short left is replaced.

    Raises System naming the interface, address or port that could not be had.
    """
    with ExitStack() as undo:
        if plan.netns_path.exists():
            _native.netns_remove(str(plan.netns_path))
        _native.netns_create(str(plan.netns_path))
        undo.callback(_native.netns_remove, str(plan.netns_path))
        _native.veth_attach(
            str(plan.netns_path),
            host_name=plan.host_interface,
            container_name=CONTAINER_INTERFACE,
            bridge=plan.bridge,
            mac=plan.mac,
            address=str(plan.ip),
            prefix_length=plan.prefix,
            gateway=str(plan.gateway),
        )
        if plan.published:
            _let_call_itself(plan.host_interface)
            nftables.run(rules.publish(plan.bridge, plan.published))
            for port in plan.published:
                if port.protocol == "udp":
                    _native.datagrams_forget(port.host_port)
        undo.pop_all()


def _let_call_itself(host_interface: str) -> None:
    """Let a port of the bridge send back what came in by it: a container that calls its own
    published port needs it where the host filters bridged packets (br_netfilter)."""
    switch = INTERFACES / host_interface / "brport" / "hairpin_mode"
    try:
        switch.write_text("1")
    except OSError as error:
        raise System(f"let {host_interface} send back to itself: {error.strerror}") from error


def unmake(netns_path: Path, bridge: str, published: list[Published], nftables: Nftables) -> None:
    """Undo what `make` made, as far as it is there. The link goes with its namespace, when
    the last process in it has ended: to remove it by itself would keep all others waiting."""
    for port in published:
        # One by one: a transaction with one that is gone already would keep the others.
        with suppress(System):
            nftables.run(rules.withdraw(bridge, [port]))
    for ip in {port.container_ip for port in published}:
        _native.connections_forget(str(ip))
    _native.netns_remove(str(netns_path))
