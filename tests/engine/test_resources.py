"""What a container may use, as docker run asks for it and its cgroup and processes have it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.engine.block_devices import block_device
from tests.engine.engines import EngineServer

from drayman.runtime.host import Host

MIB = 1 << 20


def run(engine: EngineServer, *options: str, script: str, code: int = 0) -> list[str]:
    """The lines that a script says in a container of its own."""
    command = ("run", "--rm", "--network", "none", *options, "busybox", "sh", "-c", script)
    done = engine.docker(*command, code=code)
    return (done.stdout + done.stderr).decode().splitlines()


def created(engine: EngineServer, **host_config: Any) -> tuple[int, Any]:
    status, answer = engine.api(
        "POST", "/containers/create", {"Image": "busybox", "HostConfig": host_config}
    )
    return status, answer.get("message", answer.get("Warnings"))


def test_the_cgroup_has_what_was_asked(engine_server: EngineServer) -> None:
    wanted = {
        "memory/memory.limit_in_bytes": str(64 * MIB),
        "memory/memory.memsw.limit_in_bytes": str(96 * MIB),
        "memory/memory.soft_limit_in_bytes": str(32 * MIB),
        "memory/memory.swappiness": "7",
        "cpu/cpu.shares": "300",
        "cpu/cpu.cfs_period_us": "50000",
        "cpu/cpu.cfs_quota_us": "25000",
        "cpuset/cpuset.cpus": "0",
        "cpuset/cpuset.mems": "0",
        "pids/pids.max": "9",
    }
    options = (
        "--memory=64m --memory-swap=96m --memory-reservation=32m --memory-swappiness=7"
        " --cpu-shares=300 --cpu-period=50000 --cpu-quota=25000 --cpuset-cpus=0 --cpuset-mems=0"
        " --pids-limit=9 --oom-kill-disable"
    )
    script = f"cd /sys/fs/cgroup; cat {' '.join(wanted)}; head -n 1 memory/memory.oom_control"
    told = run(engine_server, *options.split(), script=script)
    assert told == [*wanted.values(), "oom_kill_disable 1"]


def test_rates_of_a_block_device(engine_server: EngineServer) -> None:
    device, number = block_device(engine_server.place)
    rates = {"read-bps": 1 << 20, "write-bps": 2 << 20, "read-iops": 30, "write-iops": 40}
    options = [f"--device-{kind}={device}:{rate}" for kind, rate in rates.items()]
    files = " ".join(f"blkio.throttle.{kind.replace('-', '_')}_device" for kind in rates)
    told = run(engine_server, *options, script=f"cd /sys/fs/cgroup/blkio; cat {files}")
    assert told == [f"{number} {rate}" for rate in rates.values()]


def test_limits_of_processes(engine_server: EngineServer) -> None:
    told = run(
        engine_server,
        *("--ulimit=nofile=100:200", "--ulimit=core=0", "--oom-score-adj=500"),
        *("--shm-size=16m", "--tmpfs=/t:size=8m,mode=700"),
        script="ulimit -Sn; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj;"
        " for d in /dev/shm /t; do df $d | awk 'END {print $2}'; done; stat -c %a /t",
    )
    assert told == ["100", "200", "0", "500", "16384", "8192", "700"]


def test_what_this_engine_may_not_give_is_said(engine_server: EngineServer) -> None:
    hard = Host.detect().hard_limits
    if "nofile" not in hard:
        # An engine that may raise limits has nothing to say.
        assert created(engine_server, OomScoreAdj=-1000) == (201, [])
        return
    ulimit = {"Name": "nofile", "Soft": 1, "Hard": hard["nofile"] + 1}
    status, warnings = created(engine_server, Ulimits=[ulimit], OomScoreAdj=-1000)
    assert status == 201
    for warning, words in zip(warnings, ("raise ulimit nofile", "lower the OOM"), strict=True):
        assert words in warning


def test_devices(engine_server: EngineServer) -> None:
    node = engine_server.place / "dev" / "one"
    node.parent.mkdir()
    # As /dev/full, which no container may have by this number's rule alone.
    os.mknod(node, 0o20666, os.makedev(1, 7))
    script = "cat /sys/fs/cgroup/devices/devices.list; stat -c %t:%T /dev/x"
    told = run(engine_server, f"--device={node}:/dev/x:rw", script=script)
    assert "c 1:7 rwm" in told or "c 1:7 rw" in told
    assert told[-1] == "1:7"
    told = run(engine_server, "--device-cgroup-rule=c 42:* rm", script=script, code=1)
    assert "c 42:* rm" in told
    assert "a *:* rwm" not in told
    everything = run(engine_server, "--privileged", script=script, code=1)
    assert "a *:* rwm" in everything
    missing = engine_server.docker("run", "--device=/dev/no", "busybox", code=None).stderr
    assert b'adding custom device "/dev/no": no such file or directory' in missing


def test_a_directory_of_devices_brings_all_that_are_in_it(engine_server: EngineServer) -> None:
    place = engine_server.place / "devices"
    (place / "below").mkdir(parents=True)
    os.mknod(place / "a", 0o20666, os.makedev(1, 3))
    os.mknod(place / "below" / "b", 0o20666, os.makedev(1, 5))
    told = run(engine_server, f"--device={place}:/dev/d", script="cd /dev/d; find . -type c | sort")
    assert told == ["./a", "./below/b"]


def test_a_cgroup_parent(engine_server: EngineServer) -> None:
    parent = f"{engine_server.cgroup}/below/deep"
    told = run(engine_server, f"--cgroup-parent={parent}", script="cat /proc/self/cgroup")
    assert all(f":{parent}/" in line for line in told if not line.startswith("0::"))
    for directory in Host.detect().cgroup.directories(parent):
        if directory.exists():
            directory.rmdir()
            directory.parent.rmdir()


@pytest.mark.parametrize(
    ("host_config", "told"),
    [
        ({"Memory": MIB}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 64 * MIB, "MemorySwap": 32 * MIB}, "Minimum memoryswap limit should be"),
        ({"MemorySwap": 64 * MIB}, "You should always set the Memory limit"),
        ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
        ({"MemoryReservation": MIB}, "Minimum memory reservation allowed is 6MB"),
        ({"NanoCpus": 10**15}, "Range of CPUs is from 0.01 to "),
        ({"NanoCpus": 1, "CpuQuota": 5000}, "Conflicting options: Nano CPUs and CPU Quota"),
        ({"CpuPeriod": 1}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 1}, "CPU cfs quota can not be less than 1ms"),
        ({"CpusetCpus": "4095"}, "Requested CPUs are not available - requested 4095, available: "),
        ({"CpusetMems": "1-"}, "Invalid value 1- for cpuset mems"),
        ({"ShmSize": -1}, "SHM size can not be less than 0"),
        ({"OomScoreAdj": 1001}, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
        ({"Ulimits": [{"Name": "no", "Soft": 1, "Hard": 1}]}, "invalid ulimit type: no"),
        ({"Ulimits": [{"Name": "core", "Soft": 2, "Hard": 1}]}, "ulimit soft limit must be less"),
        ({"DeviceCgroupRules": ["c 1:3"]}, "invalid device cgroup rule format: 'c 1:3'"),
        ({"StorageOpt": {"size": "1g"}}, "file system keeps project quotas"),
        ({"CgroupParent": "/.."}, "invalid cgroup parent: /.."),
        ({"Tmpfs": {"/x": "nope"}}, "nope"),
        ({"Runtime": "kata"}, "unknown or invalid runtime name: kata"),
    ],
)
def test_what_cannot_be_is_400(
    engine_server: EngineServer, host_config: dict[str, Any], told: str
) -> None:
    status, message = created(engine_server, **host_config)
    assert (status, told in message) == (400, True), message
