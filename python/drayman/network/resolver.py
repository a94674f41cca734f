"""What a container reads to know names: /etc/hosts, /etc/resolv.conf, /etc/hostname."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from drayman.errors import InvalidParameter

RESOLV_CONF = Path("/etc/resolv.conf")
# Where systemd-resolved names its upstream servers, when the former names only itself.
RESOLVED_CONF = Path("/run/systemd/resolve/resolv.conf")
_RESOLVED_STUB = "127.0.0.53"
# Docker's fallback, when a host names no server that a container could reach.
FALLBACK_NAMESERVERS = ("8.8.8.8", "8.8.4.4")
HOST_GATEWAY = "host-gateway"

_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


@dataclass(frozen=True)
class ResolvConf:
    """What a resolv.conf says that a container's can take over."""

    nameservers: Sequence[str] = ()
    search: Sequence[str] = ()
    options: Sequence[str] = ()

    def render(self) -> str:
        """The file's text."""
        lines = [f"nameserver {server}" for server in self.nameservers]
        if self.search:
            lines.append("search " + " ".join(self.search))
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> ResolvConf:
    """Read a resolv.conf as resolvers do: the last ``search`` or ``domain`` counts."""
    nameservers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0][0] in "#;":
            continue
        if words[0] == "nameserver":
            nameservers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return ResolvConf(nameservers, search, options)


def host_resolv_conf() -> str:
    """The host's resolv.conf, or the one behind systemd-resolved's; empty when there is none."""
    text = _read(RESOLV_CONF)
    if list(parse(text).nameservers) == [_RESOLVED_STUB]:
        return _read(RESOLVED_CONF) or text
    return text


def resolv_conf(
    host: str,
    *,
    dns: Sequence[str] | None = None,
    search: Sequence[str] | None = None,
    options: Sequence[str] | None = None,
) -> str:
    """A bridged container's resolv.conf: the host's, as far as it holds for a container,
    with what the client asked for in its place. A search of ``.`` alone means none.

    Raises InvalidParameter for a server that is no address.
    """
    ours = parse(host)
    for server in dns or ():
        _check_address(server)
    nameservers = list(dns or filter(_reachable, ours.nameservers)) or FALLBACK_NAMESERVERS
    domains = [name for name in (search or ours.search) if name != "."]
    return ResolvConf(nameservers, domains, options or ours.options).render()


def hosts(
    *,
    address: str | None,
    hostname: str,
    domainname: str = "",
    extra: Iterable[str] = (),
    gateway: str | None = None,
) -> str:
    """A container's /etc/hosts; ``extra`` are a client's ``name:address``, where the address
    ``host-gateway`` means ``gateway``.

    Raises InvalidParameter for an extra host that cannot be.
    """
    lines = [_extra_host(text, gateway) for text in extra]
    if address and hostname:
        names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
        lines.append(f"{address}\t{names}\n")
    return _HOSTS + "".join(lines)


def host_hosts(host: str, extra: Iterable[str] = (), gateway: str | None = None) -> str:
    """The /etc/hosts of a container on the host's own network: the host's and the extras."""
    lines = [_extra_host(text, gateway) for text in extra]
    end = "" if not host or host.endswith("\n") else "\n"
    return host + end + "".join(lines)


def hostname(name: str) -> str:
    """A container's /etc/hostname."""
    return f"{name}\n"


def _extra_host(text: str, gateway: str | None) -> str:
    """The line of one ``name:address``; the address may hold colons itself."""
    name, colon, address = text.partition(":")
    if not colon or not name or any(letter.isspace() for letter in text):
        raise InvalidParameter(f'bad format for add-host: "{text}"')
    if address == HOST_GATEWAY:
        if gateway is None:
            raise InvalidParameter(
                "unable to derive the IP value for host-gateway: no network has a gateway"
            )
        address = gateway
    address = address.removeprefix("[").removesuffix("]")
    try:
        ip_address(address)
    except ValueError:
        raise InvalidParameter(f'invalid IP address in add-host: "{address}"') from None
    return f"{address}\t{name}\n"


def _reachable(server: str) -> bool:
    """Whether a bridged container, which has no IPv6, can ask a server of the host's."""
    try:
        address = ip_address(server.partition("%")[0])
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback


def _check_address(server: str) -> None:
    try:
        ip_address(server.partition("%")[0])
    except ValueError:
        raise InvalidParameter(f"{server} is not an ip address") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""
