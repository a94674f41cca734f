"""Documents and requests of older clients."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from drayman.api import views
from drayman.api.older_requests import adapt_create, adapt_update
from drayman.api.versions import Version, parse
from drayman.errors import InvalidParameter
from drayman.model import go_json
from drayman.model.container import CreateRequest, HostConfig
from drayman.model.mount import Volume
from drayman.model.network import IPAM, IPAMConfig, Network
from tests.api.client import Client
from tests.api.fake import CONTAINER_ID, Fake, inspection, summary

NEWEST = (1, 55)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.24", (1, 24)),
        ("1", (1,)),
        ("1.0", (1,)),
        ("1.40", (1, 40)),
        ("1..2", (1, 0, 2)),
        ("..", (0,)),
    ],
)
def test_versions(text: str, version: Version) -> None:
    assert parse(text) == version


@pytest.mark.parametrize(
    ("moment_ns", "text"),
    [
        (0, "0001-01-01T00:00:00Z"),
        (1_700_000_000 * 10**9, "2023-11-14T22:13:20Z"),
        (1_700_000_000 * 10**9 + 120_000_000, "2023-11-14T22:13:20.12Z"),
        (1_700_000_000 * 10**9 + 1, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_moments(moment_ns: int, text: str) -> None:
    assert views.rfc3339(moment_ns) == text


@pytest.mark.parametrize(
    ("version", "gone"),
    [
        ((1, 52), set()),
        ((1, 51), {"Health"}),
        ((1, 47), {"Health", "ImageManifestDescriptor"}),
        ((1, 45), {"Health", "ImageManifestDescriptor", "HostConfig.Annotations"}),
    ],
)
def test_the_list_of_old(version: Version, gone: set[str]) -> None:
    whole, seen = summary(), views.container_summary(summary(), version)
    missing = whole.keys() - seen.keys()
    missing |= {f"HostConfig.{key}" for key in whole["HostConfig"].keys() - seen["HostConfig"]}
    assert missing == gone


def test_addresses_of_old() -> None:
    assert views.container(inspection(), (1, 52)) == inspection()
    old = views.container(inspection(), (1, 51))
    assert old["NetworkSettings"]["IPAddress"] == "172.17.0.2"
    assert old["NetworkSettings"]["SecondaryIPAddresses"] is None
    assert old["Config"]["MacAddress"] == "02:42:ac:11:00:02"
    assert old["NetworkSettings"]["Networks"] == inspection()["NetworkSettings"]["Networks"]
    nowhere = {"Id": CONTAINER_ID, "NetworkSettings": {"Networks": None}, "Config": {}}
    assert views.container(nowhere, (1, 40))["NetworkSettings"]["IPAddress"] == ""


def test_aliases_of_old() -> None:
    document = inspection()
    document["NetworkSettings"]["Networks"]["mine"] = {"Aliases": ["a"]}
    networks = views.container(document, (1, 44))["NetworkSettings"]["Networks"]
    assert networks["mine"]["Aliases"] == ["a", CONTAINER_ID[:12]]
    assert "Aliases" not in networks["bridge"]


def test_info_of_old() -> None:
    document: dict[str, Any] = {
        "DiscoveredDevices": [],
        "FirewallBackend": {},
        "Containerd": {},
        "RuncCommit": {"ID": "x"},
    }
    assert views.info(document, NEWEST) == document
    old = views.info(document, (1, 45))
    assert old == {
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
        "RuncCommit": {"ID": "x", "Expected": "x"},
    }
    assert "Expected" not in document["RuncCommit"]


def test_a_volume() -> None:
    made = Volume(name="data", created_at_ns=1_700_000_000_123_456_789, mountpoint="/m")
    assert views.volume(made) == {
        "CreatedAt": "2023-11-14T22:13:20Z",
        "Driver": "local",
        "Labels": None,
        "Mountpoint": "/m",
        "Name": "data",
        "Options": None,
        "Scope": "local",
    }


def test_a_network() -> None:
    ipam = IPAM(config=[IPAMConfig(subnet="10.0.0.0/8", gateway="10.0.0.1")])
    found = Network(id="b" * 64, name="bridge", ipam=ipam)
    document = views.network(found, {"c": {"Name": "box"}}, NEWEST)
    assert document["IPAM"] == {
        "Driver": "default",
        "Options": None,
        "Config": [{"Subnet": "10.0.0.0/8", "Gateway": "10.0.0.1"}],
    }
    assert document["Containers"] == {"c": {"Name": "box"}}
    assert document["EnableIPv4"]
    assert "EnableIPv4" not in views.network(found, {}, (1, 47))


# ------------------------------------------------------------------ requests


def create(version: Version, document: dict[str, Any]) -> tuple[CreateRequest, list[str]]:
    return adapt_create(go_json.convert(document, CreateRequest), version)


def host(version: Version, **config: Any) -> HostConfig:
    request, _ = create(version, {"HostConfig": config})
    assert request.host_config
    return request.host_config


def mount(version: Version, **fields: Any) -> dict[str, Any]:
    mounts = host(version, Mounts=[fields]).mounts
    assert mounts
    built: dict[str, Any] = msgspec.to_builtins(mounts[0])
    return built


def test_today_s_requests_stay() -> None:
    document = {
        "Image": "busybox",
        "Healthcheck": {"StartInterval": 5},
        "HostConfig": {
            "AutoRemove": True,
            "Annotations": {"a": "b"},
            "ConsoleSize": [1, 2],
            "Mounts": [{"Type": "bind", "ReadOnly": True, "BindOptions": {"NonRecursive": True}}],
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
        },
        "NetworkingConfig": {"EndpointsConfig": {"a": {"GwPriority": 3}, "b": None}},
    }
    request = go_json.convert(document, CreateRequest)
    assert adapt_create(request, NEWEST) == (request, [])


def test_defaults_of_old() -> None:
    assert host((1, 39)).ipc_mode == "shareable"
    assert host((1, 40)).ipc_mode == ""
    assert not host((1, 24), AutoRemove=True).auto_remove
    assert host((1, 41), ConsoleSize=[1, 2]).console_size == (0, 0)
    assert host((1, 42), Annotations={"a": "b"}).annotations is None
    request, _ = create((1, 43), {"Healthcheck": {"StartInterval": 5, "Interval": 6}})
    assert request.healthcheck
    assert (request.healthcheck.start_interval, request.healthcheck.interval) == (0, 6)


def test_mounts_of_old() -> None:
    read_only = {"Type": "bind", "ReadOnly": True, "BindOptions": {"CreateMountpoint": True}}
    assert mount((1, 43), **read_only)["BindOptions"]["ReadOnlyNonRecursive"]
    assert mount((1, 42), **read_only)["BindOptions"]["CreateMountpoint"]
    assert not mount((1, 41), **read_only)["BindOptions"]["CreateMountpoint"]
    strange = {"Type": "bind", "VolumeOptions": {}, "TmpfsOptions": {}}
    assert mount((1, 41), **strange)["VolumeOptions"] is None
    recursive = {"Type": "bind", "BindOptions": {"NonRecursive": True}}
    assert not mount((1, 39), **recursive)["BindOptions"]["NonRecursive"]


@pytest.mark.parametrize(
    ("version", "fields", "text"),
    [
        ((1, 43), {"Type": "bind", "BindOptions": {"ReadOnlyForceRecursive": True}}, "v1.44"),
        ((1, 44), {"Type": "volume", "VolumeOptions": {"Subpath": "a"}}, "v1.45"),
        ((1, 47), {"Type": "image"}, "v1.48"),
        ((1, 42), {"Type": "bind", "VolumeOptions": {}}, "VolumeOptions must not be specified"),
        ((1, 42), {"Type": "tmpfs", "BindOptions": {}}, "BindOptions must not be specified"),
        ((1, 42), {"Type": "bind", "TmpfsOptions": {}}, 'mount type "bind"'),
    ],
)
def test_mounts_that_cannot_be_meant(version: Version, fields: Any, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        mount(version, **fields)


def test_several_networks() -> None:
    two = {"NetworkingConfig": {"EndpointsConfig": {"a": {"GwPriority": 3}, "b": None}}}
    with pytest.raises(InvalidParameter, match="multiple network endpoints: a, b"):
        create((1, 43), two)
    request, _ = create((1, 47), two)
    assert request.networking_config
    endpoints = request.networking_config.endpoints_config or {}
    assert [one and one.gw_priority for one in endpoints.values()] == [0, 0]


def test_bare_ports() -> None:
    bare = {"HostConfig": {"PortBindings": {"80/tcp": [], "81/tcp": [{"HostPort": "1"}]}}}
    for version, ports, warnings in (
        ((1, 51), 2, 0),
        ((1, 52), 2, 1),
        ((1, 53), 1, 0),
    ):
        request, warned = create(version, bare)
        assert request.host_config
        assert len(request.host_config.port_bindings or {}) == ports
        assert len(warned) == warnings


def test_updates_of_old() -> None:
    changes = go_json.convert({"PidsLimit": 5, "BlkioWeightDevice": []}, HostConfig)
    assert adapt_update(changes, NEWEST) == changes
    assert adapt_update(changes, (1, 54)).blkio_weight_device is None
    assert adapt_update(changes, (1, 54)).pids_limit == 5
    assert adapt_update(changes, (1, 39)).pids_limit is None


USAGE = {
    "ImageUsage": {"TotalCount": 1, "TotalSize": 5, "Items": [{"Id": "sha256:1"}]},
    "VolumeUsage": {"TotalCount": 0, "TotalSize": 0, "Items": []},
}


@pytest.mark.parametrize(("version", "sizes"), [("1.43", {"VirtualSize": 5}), ("1.44", {})])
def test_images_of_old_have_two_sizes(
    engine: Fake, client: Client, version: str, sizes: dict[str, int]
) -> None:
    image = {"Id": "sha256:1", "Size": 5}
    usage = {"ImageUsage": {"TotalSize": 5, "Items": [image]}}
    engine.answers |= {"image_list": [image], "image_inspect": image, "disk_usage": usage}
    shown = {**image, **sizes}
    assert client.ask("GET", f"/v{version}/images/json").json() == [shown]
    assert client.ask("GET", f"/v{version}/images/box/json").json() == shown
    assert client.ask("GET", f"/v{version}/system/df").json()["Images"] == [shown]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("/v1.52/system/df?verbose=true", USAGE),
        (
            "/v1.52/system/df?verbose=0",
            {
                "ImageUsage": {"TotalCount": 1, "TotalSize": 5},
                "VolumeUsage": {"TotalCount": 0, "TotalSize": 0},
            },
        ),
        *(
            (
                query,
                {
                    "ImageUsage": {"TotalCount": 1, "TotalSize": 5},
                    "VolumeUsage": {"TotalCount": 0, "TotalSize": 0},
                    "LayersSize": 5,
                    "Images": [{"Id": "sha256:1"}],
                    "Volumes": [],
                },
            )
            for query in ("/system/df", "/v1.51/system/df?verbose=true")
        ),
        ("/system/df?verbose=yes", {"message": "invalid value for verbose: yes"}),
    ],
)
def test_disk_usage_of_old(
    engine: Fake, client: Client, query: str, expected: dict[str, Any]
) -> None:
    engine.answers["disk_usage"] = USAGE
    assert client.ask("GET", query).json() == expected
