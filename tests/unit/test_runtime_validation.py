"""Settings that cannot be are refused in Docker's words; what a host lacks is warned of."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime_plans import host

from drayman.errors import InvalidParameter
from drayman.model.container import ContainerConfig, HostConfig, ThrottleDevice, Ulimit
from drayman.runtime import validation
from drayman.runtime.host import Limits
from drayman.runtime.resources import supported
from drayman.runtime.validation import validate

MIB = 1 << 20
ALL = Limits(blkio_weight=True)
NOTHING = Limits(
    memory=False, swap=False, memory_reservation=False, swappiness=False, oom_kill_disable=False,
    cpu_shares=False, cpu_cfs=False, cpuset=False, pids=False, devices=False,
    blkio_throttle=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"memory": MIB}, "Minimum memory limit allowed is 6MB"),
        ({"memory": -1}, "Minimum memory limit allowed is 6MB"),
        (
            {"memory": 64 * MIB, "memory_swap": 32 * MIB},
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            {"memory_swap": 64 * MIB},
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (
            {"memory_swappiness": 101},
            "Invalid value: 101, valid memory swappiness range is 0-100",
        ),
        ({"memory_reservation": MIB}, "Minimum memory reservation allowed is 6MB"),
        (
            {"memory": 8 * MIB, "memory_reservation": 9 * MIB},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (
            {"nano_cpus": 1, "cpu_period": 1000},
            "Conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
        (
            {"nano_cpus": 1, "cpu_quota": 1000},
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        (
            {"nano_cpus": 5_000_000_000},
            "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available",
        ),
        (
            {"cpu_period": 999},
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        ({"cpu_quota": 999}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"cpu_shares": -1}, "shares: invalid argument"),
        (
            {"cpuset_cpus": "0-4"},
            "Requested CPUs are not available - requested 0-4, available: 0-3",
        ),
        ({"cpuset_cpus": "a"}, "Invalid value a for cpuset cpus: invalid format: a"),
        (
            {"cpuset_mems": "1"},
            "Requested memory nodes are not available - requested 1, available: 0",
        ),
        ({"blkio_weight": 9}, "Range of blkio weight is from 10 to 1000"),
        (
            {"io_maximum_iops": 1},
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
        ),
        ({"ipc_mode": "x"}, "invalid IPC mode: x"),
        ({"ipc_mode": "container:"}, "invalid IPC mode: container:"),
        ({"pid_mode": "private"}, "invalid PID mode: private"),
        ({"uts_mode": "container:x"}, "invalid UTS mode: container:x"),
        ({"cgroupns_mode": "x"}, "invalid cgroup namespace mode: x"),
        ({"shm_size": -1}, "SHM size can not be less than 0"),
        (
            {"oom_score_adj": 1001},
            "Invalid value 1001, range for oom score adj is [-1000, 1000]",
        ),
        ({"tmpfs": {"/": ""}}, "invalid specification: destination can't be '/'"),
        ({"tmpfs": {"/a": "huge"}}, 'Invalid tmpfs option ["huge"]'),
        ({"cap_add": ["NOPE"]}, 'invalid CapAdd: unknown capability: "CAP_NOPE"'),
        ({"cap_drop": ["NOPE"]}, 'invalid CapDrop: unknown capability: "CAP_NOPE"'),
        ({"security_opt": ["nope=1"]}, 'invalid --security-opt 2: "nope=1"'),
        ({"device_cgroup_rules": ["x"]}, "invalid device cgroup rule format: 'x'"),
    ],
)
def test_refusals(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate(HostConfig(**settings), host(limits=ALL))
    assert str(caught.value) == text


def test_ordinary_settings_pass_in_silence() -> None:
    settings = HostConfig(
        memory=64 * MIB, memory_swap=-1, memory_swappiness=-1, nano_cpus=4_000_000_000,
        cpuset_cpus="0,2-3", pids_limit=-1, ipc_mode="container:x", pid_mode="host",
        oom_kill_disable=False,
    )  # fmt: skip
    assert validate(settings, host(limits=ALL)) == []


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"memory": 64 * MIB}, "Your kernel does not support memory limit capabilities or"),
        ({"memory_swappiness": 5}, "Your kernel does not support memory swappiness"),
        ({"memory_reservation": 64 * MIB}, "Your kernel does not support memory soft limit"),
        ({"oom_kill_disable": True}, "Your kernel does not support OomKillDisable."),
        ({"pids_limit": 5}, "Your kernel does not support PIDs limit capabilities"),
        ({"cpu_shares": 5}, "Your kernel does not support CPU shares"),
        ({"cpu_quota": 5000}, "Your kernel does not support CPU CFS scheduler."),
        ({"cpuset_cpus": "0"}, "Your kernel does not support cpuset"),
        ({"blkio_weight": 50}, "Your kernel does not support Block I/O weight"),
        (
            {"blkio_device_read_bps": [ThrottleDevice(path="/x", rate=1)]},
            "Your kernel does not support BPS Block I/O read limit",
        ),
        ({"network_mode": "host", "port_bindings": {"1/tcp": []}}, "Published ports are discarded"),
    ],
)
def test_warnings_for_what_a_host_lacks(settings: dict[str, Any], start: str) -> None:
    warnings = validate(HostConfig(**settings), host(limits=NOTHING))
    assert [w for w in warnings if w.startswith(start)], warnings


def test_what_is_discarded_is_not_kept() -> None:
    settings = HostConfig(
        memory=64 * MIB, memory_swap=-1, pids_limit=5, cpu_quota=5000, cpuset_cpus="0",
        blkio_weight=50, nano_cpus=1, shm_size=3,
        blkio_device_read_bps=[ThrottleDevice(path="/x", rate=1)],
    )  # fmt: skip
    assert supported(settings, ALL) == settings
    assert supported(settings, NOTHING) == HostConfig(nano_cpus=1, shm_size=3)


def test_swap_without_accounting() -> None:
    limits = Limits(swap=False)
    settings = HostConfig(memory=64 * MIB, memory_swap=128 * MIB)
    assert "Memory limited without swap." in validate(settings, host(limits=limits))[0]


def test_ulimits_above_what_the_engine_may_give() -> None:
    def warnings(hard: int) -> list[str]:
        settings = HostConfig(ulimits=[Ulimit(name="nofile", soft=5, hard=hard)])
        return validate(settings, host(hard_limits={"nofile": 1024}))

    assert warnings(1024) == []
    assert (
        warnings(1025)
        == warnings(-1)
        == [
            "The engine lacks CAP_SYS_RESOURCE and may not raise ulimit nofile above 1024. "
            "Limited to that."
        ]
    )


def test_the_limits_of_this_process_are_found() -> None:
    script = (
        "import resource; from drayman.runtime.host import hard_limits;"
        "resource.setrlimit(resource.RLIMIT_CORE, (3, 7)); print(hard_limits()['core'])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "7\n"


def test_memory_swap_alone_may_be_updated() -> None:
    assert validate(HostConfig(memory_swap=64 * MIB), host(limits=ALL), update=True) == []


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (ContainerConfig(working_dir="a"), "the working directory 'a' is invalid, it needs"),
        (ContainerConfig(env=["=a"]), "invalid environment variable: =a"),
    ],
)
def test_configurations(config: ContainerConfig, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        validation.validate_config(config)


@given(st.text(alphabet="0123456789-, x", max_size=20))
def test_any_list_of_cpus(text: str) -> None:
    try:
        numbers = validation.parse_list(text)
    except ValueError:
        return
    assert all(0 <= number <= 1 << 16 for number in numbers)


@given(st.sets(st.integers(0, 200)))
def test_lists_say_what_they_list(numbers: set[int]) -> None:
    assert validation.parse_list(",".join(map(str, sorted(numbers)))) == numbers
