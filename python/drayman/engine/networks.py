"""Networks of containers: the three that always are, and who is on them."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from drayman.api.backend import Filters
from drayman.engine.blocking import blocking
from drayman.engine.labels import labels_match
from drayman.engine.store import Store
from drayman.errors import DraymanError, InvalidParameter, NotFound
from drayman.model.container import Container, Endpoint, HostConfig, NetworkingConfig, PortMap
from drayman.model.go_json import Wire
from drayman.model.network import IPAM, EndpointSettings, IPAMConfig, Network
from drayman.network import resolver
from drayman.network.bridge import BridgeDriver
from drayman.network.sandbox import Attachment
from drayman.runtime.namespaces import joined_container
from drayman.storage.paths import Paths

BRIDGE, HOST, NONE = "bridge", "host", "none"
# By name: the driver's.
_HOSTS = Path("/etc/hosts")
_TYPES = ("builtin", "custom")
_PREDEFINED = {BRIDGE: "bridge", HOST: "host", NONE: "null"}


_log = logging.getLogger(__name__)


class Attached(Wire, frozen=True, kw_only=True):
    """A container's network as it is once it runs; `namespace` None is one of its own, or
    the host's, or another container's, as its mode says."""

    namespace: str | None = None
    endpoints: dict[str, Endpoint] = {}
    ports: PortMap = {}


class Networks:
    """Puts containers on networks, and takes them off."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        driver: BridgeDriver,
        records: Callable[[], Iterable[Container]],
    ) -> None:
        """Read the networks, and make the predefined ones once; blocks."""
        self._paths = paths
        self._driver = driver
        self._records = records
        self._ready = False
        self._networks = {network.name: network for network in store.networks.all()}
        missing = [
            Network(
                id=secrets.token_hex(32),
                name=name,
                driver=driver_name,
                created_at_ns=time.time_ns(),
            )
            for name, driver_name in _PREDEFINED.items()
            if name not in self._networks
        ]
        store.networks.put(*missing)
        self._networks |= {network.name: network for network in missing}

    # ---- of one container

    def endpoints(
        self, host_config: HostConfig, networking_config: NetworkingConfig
    ) -> dict[str, Endpoint]:
        """The places a new container is going to have."""
        if joined_container(host_config.network_mode) is not None:
            return {}
        asked = {
            # The docker CLI names the default network so.
            BRIDGE if name == "default" else self.find(name).name: settings
            for name, settings in (networking_config.endpoints_config or {}).items()
        }
        network = self.find(host_config.network_mode)
        settings = asked.get(network.name) or EndpointSettings()
        return {
            network.name: Endpoint(
                network_id=network.id, settings=replace(settings, network_id=network.id)
            )
        }

    async def attach(self, record: Container) -> Attached:
        """Put a container that starts on its network. What fails leaves nothing behind."""
        if BRIDGE not in record.endpoints:
            return Attached(endpoints=record.endpoints)
        return await blocking(self._attach, record, record.endpoints[BRIDGE])

    def _attach(self, record: Container, endpoint: Endpoint) -> Attached:
        self._ensure()
        asked = endpoint.settings
        address = asked.ipam_config.ipv4_address if asked.ipam_config else ""
        host_config = record.host_config
        exposed = record.config.exposed_ports or {}
        bindings = dict(host_config.port_bindings or {})
        if host_config.publish_all_ports:
            bindings = {**dict.fromkeys(exposed), **bindings}
        made = self._driver.attach(
            record.id,
            record.name,
            requested_ip=address or None,
            mac=asked.mac_address or record.config.mac_address or None,
            ports=bindings,
            exposed=exposed,
        )
        self.write_files(record, address=made.ip, gateway=made.gateway)
        settings = replace(
            asked,
            endpoint_id=made.endpoint_id,
            gateway=made.gateway,
            ip_address=made.ip,
            ip_prefix_len=made.prefix,
            mac_address=made.mac,
        )
        return Attached(
            namespace=made.netns_path,
            endpoints={
                BRIDGE: Endpoint(
                    network_id=endpoint.network_id,
                    settings=settings,
                    host_interface=made.host_interface,
                )
            },
            ports=made.ports,
        )

    async def release(self, record: Container) -> dict[str, Endpoint]:
        """Take a container off its network; its places as they are without it."""
        endpoint = record.endpoints.get(BRIDGE)
        if endpoint is not None and self._ready:
            await blocking(self._driver.detach, record.id, self._attachment(record, endpoint))
        return {
            name: Endpoint(network_id=endpoint.network_id, settings=unplugged(endpoint.settings))
            for name, endpoint in record.endpoints.items()
        }

    def _attachment(self, record: Container, endpoint: Endpoint) -> Attachment | None:
        """What the driver made for a run, from the record; None when it holds nothing."""
        settings = endpoint.settings
        if not settings.ip_address:
            return None
        return Attachment(
            endpoint_id=settings.endpoint_id,
            ip=settings.ip_address,
            prefix=settings.ip_prefix_len,
            gateway=settings.gateway,
            mac=settings.mac_address,
            ports=record.ports,
            netns_path=str(self._driver.netns_path(record.id)),
            host_interface=endpoint.host_interface,
        )

    def write_files(self, record: Container, *, address: str = "", gateway: str = "") -> None:
        """Write what the container reads to know names; blocks."""
        paths, host_config = self._paths.container(record.id), record.host_config
        config = record.config
        paths.hostname.write_text(resolver.hostname(config.hostname))
        extra = host_config.extra_hosts or ()
        host_text = resolver.host_resolv_conf()
        if host_config.network_mode == HOST and not host_config.dns:
            names = resolver.host_hosts(_read(_HOSTS), extra, gateway or None)
            paths.resolv_conf.write_text(host_text, errors="surrogateescape")
        else:
            names = resolver.hosts(
                address=address or None,
                hostname=config.hostname,
                domainname=config.domainname,
                extra=extra,
                # Before the start there is no gateway, and no container to read of it.
                gateway=gateway or "0.0.0.0",
            )
            servers = resolver.resolv_conf(
                host_text,
                dns=host_config.dns,
                search=host_config.dns_search,
                options=host_config.dns_options,
            )
            paths.resolv_conf.write_text(servers, errors="surrogateescape")
        paths.hosts.write_text(names, errors="surrogateescape")

    # ---- of the host

    async def restore(self, records: Iterable[Container]) -> None:
        """Bring the bridge back, and keep what living containers hold on it.

        A host that cannot have one still runs containers without it.
        """
        try:
            await blocking(self._restore, [*records])
        except DraymanError as error:
            _log.warning("the network %s is not available: %s", BRIDGE, error)

    def _restore(self, records: list[Container]) -> None:
        self._ensure()
        for record in records:
            endpoint = record.endpoints.get(BRIDGE)
            attachment = endpoint and self._attachment(record, endpoint)
            if record.state.pid and attachment:
                try:
                    lost = self._driver.restore(record.id, attachment)
                except DraymanError as error:
                    _log.error("container %s: %s", record.id, error)
                    continue
                for port in lost:
                    _log.warning("container %s: port %s was taken", record.id, port)
        self._driver.sweep()

    def _ensure(self) -> None:
        if self._ready:
            return
        subnet, gateway = self._driver.ensure()
        self._networks[BRIDGE] = replace(
            self._networks[BRIDGE],
            ipam=IPAM(config=[IPAMConfig(subnet=subnet, gateway=gateway)]),
            options={"com.docker.network.bridge.name": self._driver.bridge_name},
        )
        self._ready = True

    def close(self) -> None:
        """Let go of the ports; links and rules stay with their containers."""
        self._driver.close()

    # ---- questions

    def list(self, filters: Filters) -> list[Network]:
        """Those that the filters let through."""
        for key in filters:
            if key not in _FILTERS:
                raise InvalidParameter(f"invalid filter '{key}'")
        for kind in filters.get("type", ()):
            if kind not in _TYPES:
                raise InvalidParameter(f"invalid filter: 'type'='{kind}'")
        return [
            network
            for network in self._networks.values()
            if all(_FILTERS[key](network, values) for key, values in filters.items() if values)
        ]

    def inspect(self, name: str) -> tuple[Network, dict[str, dict[str, str]]]:
        """One of them, and the running containers on it."""
        network = self.find(name)
        found: dict[str, dict[str, str]] = {}
        for record in self._records():
            endpoint = record.endpoints.get(network.name)
            if endpoint is not None and record.state.pid:
                found[record.id] = _member(record, endpoint.settings)
        return network, found

    def find(self, name: str) -> Network:
        """By full id, name or unique prefix of an id."""
        known = [*self._networks.values()]
        for network in known:
            if name in (network.id, network.name):
                return network
        matches = [network for network in known if name and network.id.startswith(name)]
        if len(matches) > 1:
            raise InvalidParameter(f"network {name} is ambiguous ({len(matches)} matches found)")
        if not matches:
            raise NotFound(f"network {name} not found")
        return matches[0]


def unplugged(settings: EndpointSettings) -> EndpointSettings:
    """What was asked for, without what was given for one run."""
    return EndpointSettings(
        ipam_config=settings.ipam_config,
        links=settings.links,
        aliases=settings.aliases,
        driver_opts=settings.driver_opts,
        gw_priority=settings.gw_priority,
        network_id=settings.network_id,
        dns_names=settings.dns_names,
    )


def _member(record: Container, settings: EndpointSettings) -> dict[str, str]:
    address = f"{settings.ip_address}/{settings.ip_prefix_len}" if settings.ip_address else ""
    return {
        "Name": record.name,
        "EndpointID": settings.endpoint_id,
        "MacAddress": settings.mac_address,
        "IPv4Address": address,
        "IPv6Address": "",
    }


_FILTERS: dict[str, Callable[[Network, list[str]], bool]] = {
    "dangling": lambda _, values: "true" not in values,
    "driver": lambda network, values: network.driver in values,
    "id": lambda network, values: any(network.id.startswith(value) for value in values),
    "label": lambda network, values: labels_match(network.labels, values),
    "name": lambda network, values: any(value in network.name for value in values),
    "scope": lambda network, values: network.scope in values,
    "type": lambda network, values: (
        ("builtin" if network.name in _PREDEFINED else "custom") in values
    ),
}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""
