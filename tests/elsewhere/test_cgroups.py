"""What containers are held to, on a host that has cgroups of version 2 alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.elsewhere.machine import DISK_DEVICE
from tests.engine.engines import EngineServer, until

LIMITS: dict[str, Any] = {
    "Memory": 64 << 20,
    "MemoryReservation": 32 << 20,
    "CpuShares": 2048,
    "CpuPeriod": 50_000,
    "CpuQuota": 25_000,
    "PidsLimit": 9,
}
FILES = {
    "memory.max": str(64 << 20),
    "memory.low": str(32 << 20),
    # As runc converts shares.
    "cpu.weight": "79",
    "cpu.max": "25000 50000",
    "pids.max": "9",
}
HOG = "head -c 100m /dev/zero | tail"


def group(engine: EngineServer, container: str) -> Path:
    return Path(f"/sys/fs/cgroup{engine.cgroup}") / container


def held(engine: EngineServer, container: str) -> dict[str, str]:
    return {name: (group(engine, container) / name).read_text().strip() for name in FILES}


def test_limits_of_a_start(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig=LIMITS)
    assert held(engine_server, container) == FILES
    # Its own group is the root of what it sees.
    seen = engine_server.docker("exec", container, "cat", "/proc/self/cgroup").stdout
    assert seen == b"0::/\n"


def test_limits_of_an_update(engine_server: EngineServer) -> None:
    container = engine_server.running()
    changes = {**LIMITS, "RestartPolicy": {"Name": "no"}}
    assert engine_server.api("POST", f"/containers/{container}/update", changes)[0] == 200
    assert held(engine_server, container) == FILES


def test_an_update_that_the_kernel_refuses_changes_nothing(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig=LIMITS)
    changes = {"Memory": 128 << 20, "BlkioWeight": 300, "CpuPeriod": 1000, "CpuQuota": 1 << 50}
    status, answer = engine_server.api("POST", f"/containers/{container}/update", changes)
    assert status == 400, answer
    assert "CpuQuota" in answer["message"] or "CpuPeriod" in answer["message"]
    assert held(engine_server, container) == FILES
    _, found = engine_server.api("GET", f"/containers/{container}/json")
    assert found["HostConfig"]["Memory"] == 64 << 20


def test_rates_of_a_disk(engine_server: EngineServer) -> None:
    rate = [{"Path": DISK_DEVICE, "Rate": 1 << 20}]
    container = engine_server.running(HostConfig={"BlkioDeviceReadBps": rate})
    path, io_max = f"/containers/{container}/update", group(engine_server, container) / "io.max"
    assert io_max.read_text().split()[1] == "rbps=1048576"
    changes = {"BlkioDeviceReadBps": [], "BlkioDeviceWriteIOps": [{**rate[0], "Rate": 9}]}
    refused = {**changes, "CpuPeriod": 1000, "CpuQuota": 1 << 50}
    assert engine_server.api("POST", path, refused)[0] == 400
    assert io_max.read_text().split()[1:] == ["rbps=1048576", "wbps=max", "riops=max", "wiops=max"]
    assert engine_server.api("POST", path, changes)[0] == 200
    assert io_max.read_text().split()[1:] == ["rbps=max", "wbps=max", "riops=max", "wiops=9"]
    assert engine_server.api("POST", path, {"BlkioDeviceWriteIOps": []})[0] == 200
    assert io_max.read_text() == ""


def test_devices_are_kept_by_a_program(engine_server: EngineServer) -> None:
    """Version 2 has no list of them: an eBPF program says which may be opened."""
    disk = Path(DISK_DEVICE).stat().st_rdev
    make = f"mknod /disk b {disk >> 8} {disk & 0xFF}; mknod /zero c 1 5"
    container = engine_server.running()
    engine_server.docker("exec", container, "sh", "-c", make)
    engine_server.docker("exec", container, "head", "-c", "1", "/zero")
    refused = engine_server.docker("exec", container, "head", "-c", "1", "/disk", code=None)
    assert b"Operation not permitted" in refused.stderr
    given = {"PathOnHost": DISK_DEVICE, "PathInContainer": "/dev/it", "CgroupPermissions": "r"}
    allowed = engine_server.running(HostConfig={"Devices": [given]})
    engine_server.docker("exec", allowed, "head", "-c", "1", "/dev/it")
    denied = engine_server.docker("exec", allowed, "sh", "-c", "echo >/dev/it", code=None)
    assert b"not permitted" in denied.stderr


def test_out_of_memory(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", HOG, HostConfig={"Memory": 16 << 20})
    engine_server.api("POST", f"/containers/{container}/wait")
    state = engine_server.state(container)
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert "oom" in engine_server.actions(container)


def test_a_number_of_processes(engine_server: EngineServer) -> None:
    container = engine_server.running(HostConfig={"PidsLimit": 4})
    script = "for i in 1 2 3 4 5 6; do sleep 5 & done"
    done = engine_server.docker("exec", container, "sh", "-c", script, code=None)
    assert b"fork" in done.stderr


def test_stats(engine_server: EngineServer) -> None:
    container = engine_server.running("sh", "-c", "while :; do :; done", HostConfig=LIMITS)
    path = f"/containers/{container}/stats?stream=0&one-shot=1"
    until(lambda: engine_server.api("GET", path)[1]["cpu_stats"]["cpu_usage"]["total_usage"] > 0)
    _, sample = engine_server.api("GET", path)
    assert sample["memory_stats"]["limit"] == 64 << 20
    assert 0 < sample["memory_stats"]["usage"] <= 64 << 20
    assert "max_usage" not in sample["memory_stats"]
    assert "percpu_usage" not in sample["cpu_stats"]["cpu_usage"]
    assert sample["pids_stats"] == {"current": 1, "limit": 9}
    assert engine_server.api("GET", "/info")[1]["CgroupVersion"] == "2"


@pytest.mark.parametrize("frozen", [False, True])
def test_nobody_is_left_when_engine_and_shim_die(engine_server: EngineServer, frozen: bool) -> None:
    container = engine_server.running("sh", "-c", "sleep 1000 & sleep 1000")
    if frozen:
        engine_server.docker("pause", container)
        events = (group(engine_server, container) / "cgroup.events").read_text()
        assert "frozen 1" in events
    shim = engine_server.shim(container)
    engine_server.kill()
    os.kill(shim, signal.SIGKILL)
    engine_server.start()
    until(lambda: engine_server.state(container)["Status"] == "exited")
    assert engine_server.state(container)["ExitCode"] == 137
    assert not group(engine_server, container).exists()
