"""Documents as a client of its version of the API expects them.

The engine answers with the newest documents; here they become older ones. Records of which
there is but one wire form (volumes, networks, events) become documents.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drayman.api.versions import Version
from drayman.model.event import Event
from drayman.model.go_time import rfc3339
from drayman.model.mount import Volume
from drayman.model.network import Network

Document = dict[str, Any]

# What Docker shows of its default network at the top of ``NetworkSettings`` below 1.52.
LEGACY_ADDRESSES = {
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
}
# Where ``GET /system/df`` has a kind's items below 1.52.
LEGACY_ITEMS = {
    "ImageUsage": "Images",
    "ContainerUsage": "Containers",
    "VolumeUsage": "Volumes",
    "BuildCacheUsage": "BuildCache",
}
LEGACY_NETWORK_SETTINGS: Document = {
    "Bridge": "",
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
}


def container_summary(document: Document, version: Version) -> Document:
    """One entry of the list of containers."""
    if version < (1, 52):
        unknown = {"Health"} if version >= (1, 48) else {"Health", "ImageManifestDescriptor"}
        document = {key: value for key, value in document.items() if key not in unknown}
    if version < (1, 46) and "Annotations" in document.get("HostConfig", ()):
        document = {**document, "HostConfig": _without(document["HostConfig"], "Annotations")}
    return document


def container(document: Document, version: Version) -> Document:
    """What ``inspect`` tells of a container."""
    if version < (1, 48):
        document = _without(document, "ImageManifestDescriptor")
    if version < (1, 45):
        document = _with_short_aliases(document)
    if version < (1, 52):
        document = _with_legacy_addresses(document)
    return document


def info(document: Document, version: Version) -> Document:
    """What the engine tells of itself and of the host."""
    if version < (1, 50):
        document = {
            **_without(document, "DiscoveredDevices"),
            "BridgeNfIptables": False,
            "BridgeNfIp6tables": False,
        }
    if version < (1, 49):
        document = _without(document, "FirewallBackend")
        for commit in ("ContainerdCommit", "RuncCommit", "InitCommit"):
            if commit in document:
                document[commit] = {**document[commit], "Expected": document[commit].get("ID", "")}
    if version < (1, 46):
        document = _without(document, "Containerd")
    return document


def image(document: Document, version: Version) -> Document:
    """An image, as it is listed or inspected."""
    if version < (1, 44) and "Size" in document:
        document = {**document, "VirtualSize": document["Size"]}
    return document


def disk_usage(document: Document, verbose: bool | None, version: Version) -> Document:
    """What takes how much of the disk; ``verbose`` None for clients that do not know of it, who
    look for the items outside of their kind's usage."""
    shown = {key: usage if verbose else _without(usage, "Items") for key, usage in document.items()}
    if verbose is not None:
        return shown
    if "ImageUsage" in document:
        shown["LayersSize"] = document["ImageUsage"]["TotalSize"]
    for key, usage in document.items():
        shown[LEGACY_ITEMS[key]] = usage["Items"]
    if "ImageUsage" in document:
        shown["Images"] = [image(one, version) for one in document["ImageUsage"]["Items"]]
    return shown


def event(happened: Event, version: Version) -> Document:
    """One record of the event stream."""
    document: Document = {
        "Type": happened.type,
        "Action": happened.action,
        "Actor": {"ID": happened.actor_id, "Attributes": happened.attributes},
        "scope": "local",
        "time": happened.time_ns // 10**9,
        "timeNano": happened.time_ns,
    }
    # Old clients, the docker CLI up to 25 among them, crash without these.
    if version < (1, 52) and happened.type in ("container", "image"):
        document |= {"status": happened.action, "id": happened.actor_id}
        if happened.type == "container":
            document["from"] = happened.attributes.get("image", "")
    return document


def volume(found: Volume) -> Document:
    """A volume."""
    return {
        "CreatedAt": rfc3339(found.created_at_ns // 10**9 * 10**9),
        "Driver": found.driver,
        "Labels": found.labels,
        "Mountpoint": found.mountpoint,
        "Name": found.name,
        "Options": found.options,
        "Scope": found.scope,
    }


def network(found: Network, containers: dict[str, dict[str, str]], version: Version) -> Document:
    """A network, and who is on it."""
    document: Document = {
        "Name": found.name,
        "Id": found.id,
        "Created": rfc3339(found.created_at_ns),
        "Scope": found.scope,
        "Driver": found.driver,
        "EnableIPv4": found.enable_ipv4,
        "EnableIPv6": found.enable_ipv6,
        "IPAM": _ipam(found),
        "Internal": found.internal,
        "Attachable": found.attachable,
        "Ingress": found.ingress,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": containers,
        "Options": found.options or {},
        "Labels": found.labels or {},
    }
    return document if version >= (1, 48) else _without(document, "EnableIPv4")


def _ipam(found: Network) -> Document:
    ipam: Document = msgspec.to_builtins(found.ipam)
    # Go leaves out what is empty of a range, and only there.
    ranges = [{key: value for key, value in one.items() if value} for one in ipam["Config"] or []]
    return {**ipam, "Config": ranges}


def _without(document: Document, key: str) -> Document:
    return {name: value for name, value in document.items() if name != key}


def _with_legacy_addresses(document: Document) -> Document:
    """The default network's addresses, at the top too, as up to 1.51."""
    settings = document.get("NetworkSettings") or {}
    bridge = (settings.get("Networks") or {}).get("bridge") or {}
    addresses = {key: bridge.get(key, absent) for key, absent in LEGACY_ADDRESSES.items()}
    config = document.get("Config") or {}
    return {
        **document,
        "Config": {**config, "MacAddress": addresses["MacAddress"]},
        "NetworkSettings": {**LEGACY_NETWORK_SETTINGS, **addresses, **settings},
    }


def _with_short_aliases(document: Document) -> Document:
    """Endpoints' aliases with the short id among them, as up to 1.44."""
    settings = document.get("NetworkSettings") or {}
    short_id = document["Id"][:12]
    networks = {
        name: {**endpoint, "Aliases": [*(endpoint.get("Aliases") or []), short_id]}
        if name not in ("bridge", "host", "none")
        else endpoint
        for name, endpoint in (settings.get("Networks") or {}).items()
    }
    return {**document, "NetworkSettings": {**settings, "Networks": networks}}
