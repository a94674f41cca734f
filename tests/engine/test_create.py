"""Making containers: what is refused, what is filled in, what is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.engine.engines import EngineServer


def create(engine: EngineServer, body: dict[str, Any], name: str = "") -> tuple[int, Any]:
    query = f"?name={name}" if name else ""
    return engine.api("POST", f"/containers/create{query}", {"Image": "busybox", **body})


def test_a_missing_image_is_404_with_its_tag(engine_server: EngineServer) -> None:
    assert create(engine_server, {"Image": "nosuch"}) == (
        404,
        {"message": "No such image: nosuch:latest"},
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Cmd": [], "Entrypoint": [""]}, "no command specified"),
        (
            {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
            "can't create 'AutoRemove' container with restart policy",
        ),
        (
            {"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
            "invalid restart policy: maximum retry count can only be used with 'on-failure'",
        ),
        (
            {"HostConfig": {"Binds": ["/a:b"]}},
            "invalid mount path: 'b' mount path must be absolute",
        ),
        (
            {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/nosuch", "Target": "/x"}]}},
            "bind source path does not exist: /nosuch",
        ),
        ({"WorkingDir": "relative"}, "needs to be an absolute path"),
        ({"StopSignal": "NOPE"}, "invalid signal: NOPE"),
        ({"HostConfig": {"LogConfig": {"Type": "nope"}}}, "no log driver named 'nope'"),
        (
            {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5}},
            "Interval in Healthcheck cannot be less than 1ms",
        ),
        (
            {"Cmd": None, "Image": None, "HostConfig": {}},
            "config cannot be empty in order to create a container",
        ),
        ({"ExposedPorts": {"http/tcp": {}}}, "invalid port specification: 'http/tcp'"),
        (
            {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}},
            "invalid port specification: '99999'",
        ),
        ({"HostConfig": {"Runtime": "nosuch"}}, "unknown or invalid runtime name: nosuch"),
        ({"HostConfig": {"Isolation": "hyperv"}}, "invalid isolation: 'hyperv'"),
        # Where a file system does keep them: tests/elsewhere/test_storage_size.py.
        ({"HostConfig": {"StorageOpt": {"size": "1G"}}}, "file system keeps project quotas"),
        ({"HostConfig": {"StorageOpt": {"size": "much"}}}, "invalid size: 'much'"),
        ({"HostConfig": {"StorageOpt": {"size": "0"}}}, "size=0: the size must be above zero"),
        ({"HostConfig": {"StorageOpt": {"dm.basesize": "1G"}}}, "unknown option dm.basesize"),
        ({"HostConfig": {"Binds": ["/a\0:/b"]}}, "HostConfig.Binds holds a NUL byte"),
        ({"HostConfig": {"Sysctls": {"a\0": ""}}}, "HostConfig.Sysctls holds a NUL byte"),
        (
            {"HostConfig": {"PidsLimit": 2**63}},
            "cannot unmarshal number into Go struct field CreateRequest.HostConfig.PidsLimit",
        ),
    ],
)
def test_what_cannot_be_is_400_and_leaves_nothing(
    engine_server: EngineServer, body: dict[str, Any], text: str
) -> None:
    before = sorted((engine_server.root / "containers").iterdir())
    status, answer = create(engine_server, {"Cmd": ["true"], **body})
    assert status == 400
    assert text in answer["message"]
    assert sorted((engine_server.root / "containers").iterdir()) == before


@pytest.mark.parametrize(
    ("body", "host_config", "conflict"),
    [
        ({"Hostname": "x"}, {}, "hostname and the network mode"),
        ({}, {"Dns": ["1.1.1.1"]}, "dns and the network mode"),
        ({}, {"ExtraHosts": ["a:1.1.1.1"]}, "custom host-to-IP mapping and the network mode"),
        ({"MacAddress": "02:42:ac:11:00:02"}, {}, "mac-address and the network mode"),
        (
            {},
            {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
            "port publishing and the container type network mode",
        ),
        ({}, {"PublishAllPorts": True}, "port publishing and the container type network mode"),
        (
            {"ExposedPorts": {"80/tcp": {}}},
            {},
            "port exposing and the container type network mode",
        ),
        (
            {},
            {"Links": ["a:b"]},
            "container type network can't be used with links. This would result in undefined"
            " behavior",
        ),
        (
            {},
            {"Links": ["a:b"], "NetworkMode": "host"},
            "host type networking can't be used with links. This would result in undefined"
            " behavior",
        ),
        (
            {"Hostname": "x"},
            {"UTSMode": "host", "NetworkMode": "none"},
            "hostname and the UTS mode",
        ),
    ],
)
def test_options_that_exclude_each_other(
    engine_server: EngineServer, body: dict[str, Any], host_config: dict[str, Any], conflict: str
) -> None:
    joined = {"NetworkMode": f"container:{engine_server.create('true')}"}
    asked = {"Cmd": ["true"], **body, "HostConfig": {**joined, **host_config}}
    assert create(engine_server, asked) == (400, {"message": f"conflicting options: {conflict}"})


def test_links_are_not_there(engine_server: EngineServer) -> None:
    status, answer = create(engine_server, {"Cmd": ["true"], "HostConfig": {"Links": ["a:b"]}})
    assert status == 501
    assert answer["message"].startswith("HostConfig.Links: links are not available")


@pytest.mark.parametrize(
    ("host_config", "text"),
    [
        ({"NetworkMode": "nosuch"}, "network nosuch not found"),
        ({"NetworkMode": "container:nosuch"}, "No such container: nosuch"),
        ({"PidMode": "container:nosuch"}, "No such container: nosuch"),
        ({"VolumesFrom": ["nosuch"]}, "No such container: nosuch"),
    ],
)
def test_what_is_missing_beside_the_image_is_not_404(
    engine_server: EngineServer, host_config: dict[str, Any], text: str
) -> None:
    asked = {"Cmd": ["true"], "HostConfig": host_config}
    assert create(engine_server, asked) == (400, {"message": text})


@pytest.mark.parametrize(
    "body",
    [
        {"HostConfig": {"Memory": 2**63 - 1}},
        {"HostConfig": {"NanoCpus": 1}},
        {"HostConfig": {"ConsoleSize": [70000, 2**40]}, "Tty": True},
        {"Cmd": "true", "HostConfig": {"CapAdd": "NET_ADMIN"}},
    ],
)
def test_what_is_odd_and_can_be_starts(engine_server: EngineServer, body: dict[str, Any]) -> None:
    status, answer = create(engine_server, {"Cmd": ["true"], **body})
    assert status == 201, answer
    assert engine_server.api("POST", f"/containers/{answer['Id']}/start")[0] == 204


def test_a_taken_name_is_409_in_dockers_words(engine_server: EngineServer) -> None:
    container = engine_server.create("true", name="taken")
    assert create(engine_server, {"Cmd": ["true"]}, "taken") == (
        409,
        {
            "message": 'Conflict. The container name "/taken" is already in use by container '
            f'"{container}". You have to remove (or rename) that container to be able to reuse '
            "that name."
        },
    )


@pytest.mark.parametrize("name", ["x", "-x", "a b", "a/b", "ä1"])
def test_a_bad_name_is_400_in_dockers_words(engine_server: EngineServer, name: str) -> None:
    text = f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    assert create(engine_server, {"Cmd": ["true"]}, quote(name)) == (400, {"message": text})


@pytest.mark.parametrize(
    ("kind", "options"),
    [("bind", "VolumeOptions"), ("volume", "TmpfsOptions"), ("tmpfs", "BindOptions")],
)
def test_options_of_another_kind_of_mount(
    engine_server: EngineServer, kind: str, options: str
) -> None:
    source = str(engine_server.place) if kind == "bind" else ""
    mount = {"Type": kind, "Source": source, "Target": "/x", options: {}}
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"Mounts": [mount]}}
    text = f'{options} must not be specified on mount type "{kind}"'
    assert create(engine_server, body) == (400, {"message": text})
    # Nobody looked at the first two once.
    status, _ = engine_server.api("POST", "/v1.41/containers/create", body)
    assert status == (400 if options == "BindOptions" else 201)


def test_what_was_left_out_is_filled_in(engine_server: EngineServer) -> None:
    container = engine_server.create("true")
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    host_config = document["HostConfig"]
    assert document["Config"]["Hostname"] == container[:12]
    assert host_config["NetworkMode"] == "bridge"
    assert host_config["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host_config["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert host_config["ShmSize"] == 64 << 20
    assert "/proc/kcore" in host_config["MaskedPaths"]
    assert document["State"]["Status"] == "created"
    assert document["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
    adjective, _, surname = document["Name"].removeprefix("/").partition("_")
    assert adjective
    assert surname


def test_volumes_take_over_what_the_image_has(engine_server: EngineServer) -> None:
    container = engine_server.create(
        "true", HostConfig={"Binds": ["named:/etc"]}, Volumes={"/home": {}}
    )
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    mounts = {mount["Destination"]: mount for mount in document["Mounts"]}
    assert mounts["/etc"]["Name"] == "named"
    assert (Path(mounts["/etc"]["Source"]) / "passwd").exists()
    anonymous = mounts["/home"]["Name"]
    assert len(anonymous) == 64
    engine_server.api("DELETE", f"/containers/{container}?v=1")
    assert engine_server.api("GET", f"/volumes/{anonymous}")[0] == 404
    assert engine_server.api("GET", "/volumes/named")[0] == 200


def test_the_working_directory_is_made(engine_server: EngineServer) -> None:
    container = engine_server.create("true", WorkingDir="/made/here")
    assert engine_server.api("HEAD", f"/containers/{container}/archive?path=/made/here")[0] == 200


def test_create_tells_an_event(engine_server: EngineServer) -> None:
    container = engine_server.create("true", name="told", Labels={"a": "b"})
    (event,) = engine_server.events(container=[container])
    assert (event["Type"], event["Action"], event["scope"]) == ("container", "create", "local")
    assert event["Actor"] == {
        "ID": container,
        "Attributes": {"a": "b", "image": "busybox", "name": "told"},
    }
