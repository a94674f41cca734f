"""What the kernel or the host refuses of a container: 400, the field, the reason, nothing left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.holdings import held

MIB = 1 << 20
NULL = "/dev/null"
NO_FILE = "no such file or directory"
INVALID = "invalid argument"

# What only a start can show.
AT_START: list[tuple[dict[str, Any], str, str]] = [
    ({"CpuRealtimeRuntime": 950_000}, "CpuRealtimeRuntime", INVALID),
    ({"CpuPeriod": 1000, "CpuQuota": 2**62}, "CpuQuota", INVALID),
    ({"BlkioDeviceReadBps": [{"Path": "/dev/nosuch", "Rate": 1}]}, "BlkioDeviceReadBps", NO_FILE),
    ({"BlkioDeviceWriteIOps": [{"Path": NULL, "Rate": 9}]}, "BlkioDeviceWriteIOps", "no such dev"),
    ({"Sysctls": {"net.ipv4.nosuch": "1"}}, "Sysctls", f"net/ipv4/nosuch: {NO_FILE}"),
    ({"Sysctls": {"net.ipv4.ip_forward": "x"}}, "Sysctls", f"ip_forward: {INVALID}"),
    ({"Sysctls": {"kernel.msgmax": "-1"}}, "Sysctls", f"kernel/msgmax: {INVALID}"),
    ({"Ulimits": [{"Name": "nofile", "Soft": 0, "Hard": 0}]}, "Ulimits", "too many open files"),
    ({"Devices": [{"PathOnHost": "/dev/nosuch"}]}, "Devices", f'"/dev/nosuch": {NO_FILE}'),
    ({"Devices": [{"PathOnHost": "/etc/passwd"}]}, "Devices", "not a device node"),
    (
        {"Devices": [{"PathOnHost": NULL, "PathInContainer": "/etc/passwd/x"}]},
        "Devices",
        "not a directory",
    ),
    ({"Tmpfs": {"/x": "mode=99"}}, "Tmpfs", INVALID),
    (
        {"Mounts": [{"Type": "tmpfs", "Target": "/x/", "TmpfsOptions": {"Mode": 2**40}}]},
        "Mounts",
        INVALID,
    ),
    ({"Binds": ["/etc/passwd:/etc"]}, "Binds", "not a directory"),
    ({"Binds": ["/etc/passwd/x:/y"]}, "Binds", "mkdir /etc/passwd/x: not a directory"),
    ({"Binds": [f"/{'x' * 300}:/y"]}, "Binds", "file name too long"),
]
# What is known before anything is made.
AT_CREATE: list[tuple[dict[str, Any], str]] = [
    ({"PidsLimit": 2**31}, "HostConfig.PidsLimit: 2147483648 is above the kernel's own limit"),
    ({"Memory": 64 * MIB, "MemorySwap": -7}, "HostConfig.MemorySwap: -7 is neither"),
    ({"CpuRealtimePeriod": -1}, "HostConfig.CpuRealtimePeriod: -1 is below 0"),
    ({"CpuRealtimeRuntime": -1}, "HostConfig.CpuRealtimeRuntime: -1 is below 0"),
    ({"Memory": 1024}, "Minimum memory limit allowed is 6MB"),
    ({"CpusetCpus": "4096"}, "Requested CPUs are not available - requested 4096, available: "),
    ({"CpusetMems": "99"}, "Requested memory nodes are not available - requested 99"),
    ({"OomScoreAdj": 1001}, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ({"Ulimits": [{"Name": "nosuch"}]}, "invalid ulimit type: nosuch"),
    ({"Ulimits": [{"Name": "core", "Soft": 2, "Hard": 1}]}, "ulimit soft limit must be less than"),
    ({"Sysctls": {"kernel.nosuch": "1"}}, 'sysctl "kernel.nosuch" is not in a separate kernel'),
    ({"ShmSize": -1}, "SHM size can not be less than 0"),
    (
        {"DeviceRequests": [{"Driver": "nvidia", "Capabilities": [["gpu"]]}]},
        'HostConfig.DeviceRequests: could not select device driver "nvidia" with capabilities: '
        "[[gpu]]",
    ),
    ({"DeviceCgroupRules": ["c 99999999999:1 rwm"]}, "invalid device cgroup rule"),
    ({"DeviceCgroupRules": ["c 4294967296:1 rwm"]}, "a number is too high"),
    (
        {"Devices": [{"PathOnHost": NULL, "CgroupPermissions": "q"}]},
        "HostConfig.Devices: error gathering device information while adding custom device"
        ' "/dev/null": invalid device mode: q',
    ),
    ({"Devices": [{"PathOnHost": NULL, "PathInContainer": "x"}]}, '"x" is not an absolute path'),
]
CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"Hostname": "x" * 65}, "Hostname: "),
    ({"Hostname": "a\0"}, "Hostname holds a NUL byte"),
    ({"Cmd": ["a\0"]}, "Cmd holds a NUL byte"),
    ({"Env": ["A=\0"]}, "Env holds a NUL byte"),
    ({"WorkingDir": "/etc/passwd"}, "WorkingDir: /etc/passwd: not a directory"),
    ({"WorkingDir": f"/{'x' * 300}"}, "WorkingDir: "),
    ({"WorkingDir": "/" + "d/" * 3000}, "WorkingDir: "),
    ({"Volumes": {f"/{'x' * 300}": {}}}, "Volumes: "),
]


@pytest.fixture(scope="module")
def engine_server() -> Iterator[EngineServer]:
    """An engine that knows runc beside its own executor."""
    if os.geteuid() != 0:
        pytest.skip("an engine takes root")
    server = EngineServer(runtimes=f"runc={shutil.which('runc')}")
    try:
        server.load_busybox()
        yield server
    finally:
        server.close()


def start(engine: EngineServer, body: dict[str, Any]) -> tuple[int, str]:
    """Of a container that is gone afterwards: the start's status and text."""
    status, answer = engine.api("POST", "/containers/create", {"Image": "busybox", **body})
    assert status == 201, answer
    path = f"/containers/{answer['Id']}"
    status, told = engine.api("POST", f"{path}/start")
    if status != 204:
        state = engine.state(answer["Id"])
        assert (state["Status"], state["Pid"]) == ("created", 0)
        assert state["Error"] == told["message"]
        assert state["ExitCode"] in (126, 127, 128)
    assert engine.api("DELETE", f"{path}?force=1&v=1")[0] == 204
    return status, told["message"] if told else ""


@pytest.mark.parametrize("runtime", ["", "runc"])
@pytest.mark.parametrize(("host", "field", "reason"), AT_START)
def test_what_the_kernel_refuses_names_its_field(
    engine_server: EngineServer, host: dict[str, Any], field: str, reason: str, runtime: str
) -> None:
    before = held(engine_server)
    asked = {"NetworkMode": "none", "Runtime": runtime, **host}
    status, text = start(engine_server, {"Cmd": ["true"], "HostConfig": asked})
    assert status == 400, text
    assert text.startswith(f"HostConfig.{field}: "), text
    assert reason in text
    until(lambda: held(engine_server) == before, lambda: f"{before} {held(engine_server)}")
    until(lambda: not engine_server.leaks())


@pytest.mark.parametrize(("host", "text"), AT_CREATE)
def test_what_no_host_could_give_is_refused_when_it_is_made(
    engine_server: EngineServer, host: dict[str, Any], text: str
) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": host}
    status, answer = engine_server.api("POST", "/containers/create", body)
    assert (status, text in answer["message"]) == (400, True), answer
    assert not engine_server.leaks()


@pytest.mark.parametrize(("config", "text"), CONFIGS)
def test_of_the_configuration_too(
    engine_server: EngineServer, config: dict[str, Any], text: str
) -> None:
    body = {"Image": "busybox", "Cmd": ["true"], **config}
    status, answer = engine_server.api("POST", "/containers/create", body)
    assert (status, answer["message"].startswith(text)) == (400, True), answer
    until(lambda: not engine_server.leaks())
    assert os.listdir(engine_server.root / "volumes") == []


@pytest.mark.parametrize("field", ["Cmd", "Env"])
def test_more_words_than_a_program_takes(engine_server: EngineServer, field: str) -> None:
    body = {"Cmd": ["true"], field: ["true", "x=" + "y" * 200_000]}
    status, text = start(engine_server, {**body, "HostConfig": {"NetworkMode": "none"}})
    assert (status, "argument list too long" in text) == (400, True)
    assert text.startswith("Cmd or Env: ")


def test_a_limit_that_may_not_be_raised_is_told(engine_server: EngineServer) -> None:
    told = engine_server.docker(
        *("run", "--rm", "--network", "none", "--ulimit", "nofile=1048577:1048577", "busybox"),
        *("sh", "-c", "ulimit -Hn"),
    )
    held_to = int(told.stdout)
    if held_to < 1_048_577:
        assert f"may not raise ulimit nofile above {held_to}" in told.stderr.decode()


def test_what_a_container_makes_too_deep_goes_with_it(engine_server: EngineServer) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do mkdir d; cd d; i=$((i+1)); done"
    container = engine_server.running("sh", "-c", script, HostConfig={"NetworkMode": "none"})
    assert engine_server.api("POST", f"/containers/{container}/wait")[1]["StatusCode"] == 0
    assert engine_server.api("DELETE", f"/containers/{container}")[0] == 204
    until(lambda: not engine_server.leaks())
