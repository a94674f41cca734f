"""What a network is, and a container's place on it."""

from __future__ import annotations

import msgspec

from drayman.model.go_json import Wire


class PortBinding(Wire, frozen=True, kw_only=True):
    """Where a container's port is published; an empty port means any free one."""

    host_ip: str = ""
    host_port: str = ""


class EndpointIPAMConfig(Wire, frozen=True, kw_only=True):
    """The addresses a client asks for."""

    ipv4_address: str = msgspec.field(default="", name="IPv4Address")
    ipv6_address: str = msgspec.field(default="", name="IPv6Address")
    link_local_ips: list[str] | None = msgspec.field(default=None, name="LinkLocalIPs")


class EndpointSettings(Wire, frozen=True, kw_only=True):
    """A container's place on a network, as asked for and as given."""

    ipam_config: EndpointIPAMConfig | None = msgspec.field(default=None, name="IPAMConfig")
    links: list[str] | None = None
    aliases: list[str] | None = None
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0
    network_id: str = msgspec.field(default="", name="NetworkID")
    endpoint_id: str = msgspec.field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = msgspec.field(default="", name="IPAddress")
    ip_prefix_len: int = msgspec.field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = msgspec.field(default="", name="IPv6Gateway")
    global_ipv6_address: str = msgspec.field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = msgspec.field(default=0, name="GlobalIPv6PrefixLen")
    dns_names: list[str] | None = msgspec.field(default=None, name="DNSNames")


class IPAMConfig(Wire, frozen=True, kw_only=True):
    """One range of addresses."""

    subnet: str = ""
    ip_range: str = msgspec.field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class IPAM(Wire, frozen=True, kw_only=True):
    """How a network's addresses are managed."""

    driver: str = "default"
    config: list[IPAMConfig] | None = None
    options: dict[str, str] | None = None


class Network(Wire, frozen=True, kw_only=True):
    """A network the engine knows."""

    id: str
    name: str
    created_at_ns: int = 0
    scope: str = "local"
    driver: str = "bridge"
    enable_ipv4: bool = msgspec.field(default=True, name="EnableIPv4")
    enable_ipv6: bool = msgspec.field(default=False, name="EnableIPv6")
    ipam: IPAM = msgspec.field(default=IPAM(), name="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None
