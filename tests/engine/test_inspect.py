"""Inspection, top, stats, and what the engine says of itself."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from tests.engine.engines import EngineServer, until


def test_a_running_container_in_full(engine_server: EngineServer) -> None:
    container = engine_server.running(
        name="full", ExposedPorts={"80/tcp": {}}, Cmd=["sleep", "1000"], Tty=True
    )
    _, document = engine_server.api("GET", "/containers/full/json?size=1")
    assert document["Id"] == container
    assert document["Name"] == "/full"
    assert (document["Path"], document["Args"]) == ("sleep", ["1000"])
    assert document["RestartCount"] == 0
    assert document["Config"]["Tty"] is True
    assert os.path.exists(document["LogPath"])
    assert os.path.exists(f"/proc/{document['State']['Pid']}")
    assert document["SizeRootFs"] >= document["SizeRw"] >= 0
    settings = document["NetworkSettings"]
    assert settings["Ports"] == {"80/tcp": None}
    bridge = settings["Networks"]["bridge"]
    assert bridge["IPAddress"].startswith("10.")
    assert bridge["MacAddress"].startswith("02:42:")
    for key in ("HostsPath", "HostnamePath", "ResolvConfPath"):
        assert os.path.exists(document[key])


def test_a_stopped_container_has_no_address(engine_server: EngineServer) -> None:
    container = engine_server.running()
    engine_server.api("POST", f"/containers/{container}/kill")
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    assert document["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] == ""
    assert document["NetworkSettings"]["Ports"] == {}


def test_asked_again_it_tells_what_changed_and_nothing_else(engine_server: EngineServer) -> None:
    # One probe, soon: once it is healthy, the next is an hour away.
    check = {
        "Test": ["FILE", "/bin/sh"],
        "Interval": 3600 * 10**9,
        "StartPeriod": 3600 * 10**9,
        "StartInterval": 10**8,
    }
    container = engine_server.running(name="old", Healthcheck=check)
    path = f"/containers/{container}/json"

    def inspected() -> dict[str, Any]:
        _, document = engine_server.api("GET", path)
        assert isinstance(document, dict)
        return document

    until(lambda: bool(inspected()["State"]["Health"]["Log"]))
    first = inspected()
    for older in ("/v1.40" + path, "/v1.44" + path, path + "?size=1"):
        assert engine_server.api("GET", older)[1] != first
    assert inspected() == first
    _, made = engine_server.api("POST", f"/containers/{container}/exec", {"Cmd": ["sleep", "99"]})
    engine_server.api("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    assert inspected() == {**first, "ExecIDs": [made["Id"]]}
    engine_server.api("POST", f"/containers/{container}/rename?name=new")
    engine_server.api("POST", f"/containers/{container}/update", {"PidsLimit": 77})
    engine_server.api("POST", f"/containers/{container}/pause")
    changed = inspected()
    assert changed["Name"] == "/new"
    assert changed["HostConfig"]["PidsLimit"] == 77
    assert changed["State"]["Status"] == "paused"
    # A new engine remembers no document.
    engine_server.crash()
    assert inspected() == changed


def test_top_shows_its_processes_alone(engine_server: EngineServer) -> None:
    container = engine_server.running("sleep", "12345")
    status, answer = engine_server.api("GET", f"/containers/{container}/top")
    assert status == 200
    assert "PID" in answer["Titles"]
    (row,) = answer["Processes"]
    assert row[-1] == "sleep 12345"
    _, answer = engine_server.api("GET", f"/containers/{container}/top?ps_args=-o%20pid,comm")
    assert answer["Titles"] == ["PID", "COMMAND"]
    status, answer = engine_server.api("GET", f"/containers/{container}/top?ps_args=-o%20x=PID")
    assert status == 500
    stopped = engine_server.create("true")
    assert engine_server.api("GET", f"/containers/{stopped}/top")[0] == 409


def test_one_sample_of_stats(engine_server: EngineServer) -> None:
    container = engine_server.running()
    path = f"/containers/{container}/stats?stream=0&one-shot=1"
    _, sample = engine_server.api("GET", path)
    assert sample["id"] == container
    assert sample["memory_stats"]["usage"] > 0
    assert sample["pids_stats"]["current"] == 1
    assert "eth0" in sample["networks"]
    stopped = engine_server.create("true", name="still")
    _, sample = engine_server.api("GET", f"/containers/{stopped}/stats?stream=0")
    assert (sample["id"], sample["name"]) == (stopped, "/still")


def test_limits_change_live(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"PidsLimit": 10})
    engine_server.api("POST", f"/containers/{container}/update", {"PidsLimit": 20})
    done = engine_server.docker(
        "exec",
        container,
        "sh",
        "-c",
        "cat /sys/fs/cgroup/pids/pids.max || cat /sys/fs/cgroup/pids.max",
    )
    assert done.stdout == b"20\n"
    _, document = engine_server.api("GET", f"/containers/{container}/json")
    assert document["HostConfig"]["PidsLimit"] == 20


def test_info_and_version(engine_server: EngineServer) -> None:
    _, info = engine_server.api("GET", "/info")
    assert info["Driver"] == "overlay2"
    assert info["Images"] == 1
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    assert info["DockerRootDir"] == str(engine_server.root)
    _, version = engine_server.api("GET", "/version")
    assert version["Os"] == "linux"


def test_networks(engine_server: EngineServer) -> None:
    container = engine_server.running(name="member")
    _, networks = engine_server.api("GET", "/networks")
    assert sorted(network["Name"] for network in networks) == ["bridge", "host", "none"]
    _, bridge = engine_server.api("GET", "/networks/bridge")
    assert bridge["Containers"][container]["Name"] == "member"
    assert bridge["IPAM"]["Config"][0]["Subnet"].startswith("10.")
    wrong = "/networks?filters=" + quote('{"type":["odd"]}')
    assert engine_server.api("GET", wrong) == (
        400,
        {"message": "invalid filter: 'type'='odd'"},
    )
    assert engine_server.api("GET", "/networks/nosuch") == (
        404,
        {"message": "network nosuch not found"},
    )


def test_a_joined_network_is_the_same(engine_server: EngineServer) -> None:
    container = engine_server.running(name="owner")
    _, owner = engine_server.api("GET", "/containers/owner/json")
    address = owner["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    done = engine_server.docker(
        "run", "--rm", "--network", "container:owner", "busybox", "grep", address, "/etc/hosts"
    )
    assert container[:12].encode() in done.stdout
    engine_server.api("POST", f"/containers/{container}/kill")
    done = engine_server.docker(
        "run", "--rm", "--network", "container:owner", "busybox", "true", code=125
    )
    assert b"cannot join" in done.stderr
