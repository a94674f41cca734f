"""Control groups on recorded hosts: v1, hybrid and v2."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import System
from drayman.runtime import cgroups, limits, usage
from drayman.runtime.cgroups import Layout
from drayman.runtime.host import limits as limits_of

# From Debian hosts, shortened to what is read.
SUBSYSTEMS = """#subsys_name\thierarchy\tnum_cgroups\tenabled
cpuset\t3\t1\t1
cpu\t1\t1\t1
cpuacct\t1\t1\t1
memory\t4\t16\t1
freezer\t6\t1\t1
pids\t8\t1\t1
hugetlb\t0\t1\t1
"""
ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
V1 = ROOT + (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/free\\040zer rw,relatime - cgroup cgroup rw,freezer\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
)
UNIFIED = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
V2 = ROOT + (
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    "99 27 0:26 / /var/lib/c/rootfs/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
)
# A v2 host where systemd still has its named hierarchy.
NAMED = V2 + "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"


@pytest.mark.parametrize(
    ("mountinfo", "mode", "unified"),
    [
        (V1, "v1", None),
        (V1 + UNIFIED, "hybrid", "/sys/fs/cgroup/unified"),
        (V2, "v2", "/sys/fs/cgroup"),
        (NAMED, "v2", "/sys/fs/cgroup"),
    ],
)
def test_layouts(mountinfo: str, mode: str, unified: str | None) -> None:
    layout = cgroups.detect(mountinfo, SUBSYSTEMS)
    assert (layout.mode, layout.unified) == (mode, unified)
    if mode != "v2":
        assert layout.controllers == {
            "cpu": "/sys/fs/cgroup/cpu,cpuacct",
            "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
            "memory": "/sys/fs/cgroup/memory",
            "freezer": "/sys/fs/cgroup/free zer",
            "name=systemd": "/sys/fs/cgroup/systemd",
        }


def test_a_host_without_any() -> None:
    with pytest.raises(System, match="no cgroup hierarchy is mounted"):
        cgroups.detect(ROOT, SUBSYSTEMS)


@given(st.text())
def test_any_table_of_mounts(mountinfo: str) -> None:
    with contextlib.suppress(System):
        cgroups.detect(mountinfo, SUBSYSTEMS)


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ("", "/drayman/c"),
        ("/jobs", "/jobs/c"),
        ("jobs/", "/jobs/c"),
        ("../../etc", "/etc/c"),
        ("//a//b", "/a/b/c"),
        ("machine.slice", "/machine.slice/c"),
        ("user-1000-jobs.slice", "/user.slice/user-1000.slice/user-1000-jobs.slice/c"),
        ("-.slice", "/c"),
        # None that systemd would know.
        ("a--b.slice", "/a--b.slice/c"),
        ("-a.slice", "/-a.slice/c"),
        ("/jobs/a-b.slice", "/jobs/a-b.slice/c"),
        (".slice", "/.slice/c"),
    ],
)
def test_paths(parent: str, expected: str) -> None:
    assert cgroups.path("c", parent) == expected


def tree_v1(place: Path) -> Layout:
    names = ("cpu", "cpuacct", "cpuset", "memory", "freezer", "pids", "blkio")
    for name in names:
        (place / name / "c").mkdir(parents=True)
        (place / name / "c/cgroup.procs").write_text("12\n7\n")
    return Layout(mode="v1", controllers={name: str(place / name) for name in names})


def tree_v2(place: Path) -> Layout:
    (place / "c").mkdir()
    (place / "c/cgroup.procs").write_text("7\n")
    return Layout(mode="v2", unified=str(place))


def fill(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def test_processes_of_groups_below_too(tmp_path: Path) -> None:
    layout = tree_v1(tmp_path)
    below = tmp_path / "freezer/c/below"
    below.mkdir()
    (below / "cgroup.procs").write_text("9\n12\n")
    assert cgroups.pids(layout, "/c") == [7, 9, 12]
    assert cgroups.pids(layout, "/gone") == []


def test_freezing_v1(tmp_path: Path) -> None:
    layout = tree_v1(tmp_path)
    state = tmp_path / "freezer/c/freezer.state"
    state.write_text("THAWED\n")
    assert not cgroups.frozen(layout, "/c")
    state.write_text("")
    cgroups.freeze(layout, "/c")
    assert state.read_text() == "FROZEN"
    assert cgroups.frozen(layout, "/c")
    state.write_text("")
    cgroups.thaw(layout, "/c")
    assert state.read_text() == "THAWED"


def test_freezing_v2(tmp_path: Path) -> None:
    layout = tree_v2(tmp_path)
    fill(tmp_path / "c", cgroup__freeze="0", cgroup__events="populated 1\nfrozen 1\n")
    cgroups.freeze(layout, "/c")
    assert cgroups.frozen(layout, "/c")
    cgroups.thaw(layout, "/c")
    assert not cgroups.frozen(layout, "/c")


def test_a_freeze_that_never_ends_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "FREEZE_TIMEOUT_SECONDS", 0.02)
    layout = tree_v2(tmp_path)
    fill(tmp_path / "c", cgroup__freeze="0", cgroup__events="populated 1\nfrozen 0\n")
    with pytest.raises(System, match="timed out"):
        cgroups.freeze(layout, "/c")
    assert not cgroups.frozen(layout, "/c")


def test_freezing_what_is_gone(tmp_path: Path) -> None:
    layout = tree_v1(tmp_path)
    with pytest.raises(cgroups.Ended, match="cannot freeze /gone"):
        cgroups.freeze(layout, "/gone")
    cgroups.thaw(layout, "/gone")
    with pytest.raises(System, match="no freezer cgroup"):
        cgroups.freeze(Layout(mode="v1"), "/c")


EVERYTHING: dict[str, Any] = {
    "memory": {"limit": 100, "swap": 300, "reservation": 50},
    "cpu": {"shares": 1024, "quota": 50_000, "period": 100_000, "cpus": "0-1", "mems": "0"},
    "pids": {"limit": 9},
    "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 7}]},
}


def test_new_limits_v1() -> None:
    written = {(c, f): v for c, f, v in limits.settings(Layout(mode="v1"), EVERYTHING)}
    assert written == {
        ("memory", "memory.limit_in_bytes"): "100",
        ("memory", "memory.memsw.limit_in_bytes"): "300",
        ("memory", "memory.soft_limit_in_bytes"): "50",
        ("cpu", "cpu.shares"): "1024",
        ("cpu", "cpu.cfs_quota_us"): "50000",
        ("cpu", "cpu.cfs_period_us"): "100000",
        ("cpuset", "cpuset.cpus"): "0-1",
        ("cpuset", "cpuset.mems"): "0",
        ("blkio", "blkio.throttle.read_bps_device"): "8:0 7",
        ("pids", "pids.max"): "9",
    }


def test_new_limits_v2() -> None:
    written = {f: v for _, f, v in limits.settings(Layout(mode="v2"), EVERYTHING)}
    assert written == {
        "memory.max": "100",
        "memory.swap.max": "200",
        "memory.low": "50",
        "cpu.weight": "39",
        "cpu.max": "50000 100000",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "io.max": "8:0 rbps=7",
        "pids.max": "9",
    }


@pytest.mark.parametrize(
    ("part", "file", "value"),
    [
        ({"memory": {"limit": 5, "swap": -1}}, "memory.swap.max", "max"),
        ({"memory": {"limit": -1}}, "memory.max", "max"),
        ({"cpu": {"quota": -1}}, "cpu.max", "max 100000"),
        ({"pids": {"limit": -1}}, "pids.max", "max"),
        ({"cpu": {"shares": 2}}, "cpu.weight", "1"),
        ({"cpu": {"shares": 262_144}}, "cpu.weight", "10000"),
        ({"blockIO": {"weight": 1000}}, "io.weight", "default 10000"),
        ({"blockIO": {"weight": 1000}}, "io.bfq.weight", "1000"),
    ],
)
def test_edges_of_limits_v2(part: dict[str, Any], file: str, value: str) -> None:
    assert (file, value) in [(f, v) for _, f, v in limits.settings(Layout(mode="v2"), part)]


def test_usage_v1(tmp_path: Path) -> None:
    layout = tree_v1(tmp_path)
    fill(
        tmp_path / "memory/c",
        memory__usage_in_bytes="10\n",
        memory__max_usage_in_bytes="20\n",
        memory__limit_in_bytes="9223372036854771712\n",
        memory__failcnt="1\n",
        memory__stat="cache 3\nrss 4\n",
    )
    fill(
        tmp_path / "cpuacct/c",
        cpuacct__usage="90\n",
        cpuacct__usage_user="60\n",
        cpuacct__usage_sys="30\n",
        cpuacct__usage_percpu="50 40 \n",
    )
    fill(tmp_path / "cpu/c", cpu__stat="nr_periods 1\nnr_throttled 2\nthrottled_time 3\n")
    fill(tmp_path / "pids/c", pids__current="2\n", pids__max="max\n")
    (tmp_path / "blkio/c/blkio.throttle.io_service_bytes_recursive").write_text(
        "254:0 Read 100\n254:0 Write 5\n254:0 Total 105\nTotal 105\n"
    )
    (tmp_path / "blkio/c/blkio.throttle.io_serviced_recursive").write_text(
        "254:0 Read 3\nTotal 3\n"
    )
    found = usage.read(layout, "/c")
    assert found.memory_limit_bytes is None
    assert (found.memory_bytes, found.memory_max_bytes, found.memory_failures) == (10, 20, 1)
    assert found.memory_stat == {"cache": 3, "rss": 4}
    assert (found.cpu_ns, found.cpu_user_ns, found.cpu_kernel_ns) == (90, 60, 30)
    assert found.cpu_per_cpu_ns == (50, 40)
    assert (found.throttle_periods, found.throttled_periods, found.throttled_ns) == (1, 2, 3)
    assert (found.pids, found.pids_limit) == (2, None)
    assert found.block_bytes == (
        (254, 0, "Read", 100),
        (254, 0, "Write", 5),
        (254, 0, "Total", 105),
    )
    assert found.block_operations == ((254, 0, "Read", 3),)
    (tmp_path / "blkio/c/blkio.bfq.io_service_bytes_recursive").write_text("8:0 Read 7\n")
    assert usage.read(layout, "/c").block_bytes == ((8, 0, "Read", 7),)


def test_usage_v2(tmp_path: Path) -> None:
    layout = tree_v2(tmp_path)
    fill(
        tmp_path / "c",
        memory__current="10\n",
        memory__max="50\n",
        memory__events="low 0\noom 2\n",
        cpu__stat="usage_usec 9\nuser_usec 6\nsystem_usec 3\nthrottled_usec 1\n",
        pids__current="2\n",
        pids__max="7\n",
        io__stat="254:0 rbytes=1 wbytes=2 rios=3\n\n",
    )
    found = usage.read(layout, "/c")
    assert (found.memory_bytes, found.memory_limit_bytes, found.memory_failures) == (10, 50, 2)
    assert (found.cpu_ns, found.cpu_user_ns, found.throttled_ns) == (9000, 6000, 1000)
    assert (found.pids, found.pids_limit) == (2, 7)
    assert found.block_bytes == ((254, 0, "read", 1), (254, 0, "write", 2))


@pytest.mark.parametrize("layout", [Layout(mode="v1"), Layout(mode="v2", unified="/nonexistent")])
def test_usage_of_what_is_gone(layout: Layout) -> None:
    assert usage.read(layout, "/c") == usage.Usage()


def test_limits_that_a_host_can_hold(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("")
    found = limits_of(Layout(mode="v1", controllers={"memory": str(tmp_path / "memory")}))
    assert found.memory
    lacking = (found.swap, found.cpu_cfs, found.pids, found.blkio_throttle)
    assert not any(lacking)
    fill(tmp_path, cgroup__controllers="memory pids\n")
    (tmp_path / "system.slice").mkdir()
    fill(tmp_path / "system.slice", memory__swap__max="max")
    found = limits_of(Layout(mode="v2", unified=str(tmp_path)))
    assert found.memory
    assert found.swap
    assert found.pids
    lacking = (found.cpu_cfs, found.oom_kill_disable, found.blkio_throttle)
    assert not any(lacking)
