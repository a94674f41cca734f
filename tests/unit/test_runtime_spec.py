"""A plan becomes the OCI specification that Docker would write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.runtime_plans import ID, V1, host, plan

from drayman.errors import InvalidParameter, System
from drayman.model.container import (
    DeviceMapping,
    DeviceRequest,
    HostConfig,
    ThrottleDevice,
    Ulimit,
)
from drayman.model.mount import BindOptions, Mount, MountPoint, TmpfsOptions
from drayman.runtime import capabilities, devices, resources, spec, tmpfs
from drayman.runtime.plan import Joined
from drayman.runtime.users import User


def composed(**settings: Any) -> dict[str, Any]:
    on = settings.pop("on", None) or host()
    return spec.compose(plan(on=on, **settings), on)


def mount(document: dict[str, Any], destination: str) -> dict[str, Any] | None:
    found = [m for m in document["mounts"] if m["destination"] == destination]
    assert len(found) <= 1
    return found[0] if found else None


def namespaces(document: dict[str, Any]) -> dict[str, str]:
    return {n["type"]: n.get("path", "") for n in document["linux"]["namespaces"]}


def test_defaults() -> None:
    document = composed()
    process, linux = document["process"], document["linux"]
    assert document["root"] == {"path": "rootfs", "readonly": False}
    assert document["hostname"] == "h"
    assert process["args"] == ["sh"]
    assert process["cwd"] == "/"
    assert process["noNewPrivileges"] is False
    assert process["oomScoreAdj"] == 0
    assert "rlimits" not in process
    for kind in ("bounding", "permitted", "effective"):
        assert process["capabilities"][kind] == list(capabilities.DEFAULT)
    assert "inheritable" not in process["capabilities"]
    assert "ambient" not in process["capabilities"]
    assert namespaces(document) == {
        "mount": "", "network": "", "uts": "", "pid": "", "ipc": "", "cgroup": "",
    }  # fmt: skip
    assert linux["cgroupsPath"] == f"/drayman/{ID}"
    assert "/proc/interrupts" in linux["maskedPaths"]
    assert "/sys/devices/virtual/powercap" in linux["maskedPaths"]
    assert linux["readonlyPaths"] == list(spec.READONLY_PATHS)
    assert linux["sysctl"] == spec.NETWORK_SYSCTL_VALUES
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert linux["devices"] == []
    assert "apparmorProfile" not in process
    assert "selinuxLabel" not in process
    assert "mountLabel" not in linux


def test_thermal_paths_are_masked_where_they_are() -> None:
    path = "/sys/devices/system/cpu/cpu0/thermal_throttle"
    assert path in composed(on=host(thermal_paths=(path,)))["linux"]["maskedPaths"]


def test_kernel_file_systems_in_order() -> None:
    places = [m["destination"] for m in composed()["mounts"]]
    assert places == [
        "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "place", "options"),
    [
        ({}, "/sys", "ro"),
        ({}, "/sys/fs/cgroup", "ro"),
        ({}, "/dev/shm", "size=67108864"),
        ({"shm_size": 4096}, "/dev/shm", "size=4096"),
        ({"privileged": True}, "/sys", "rw"),
        ({"privileged": True}, "/sys/fs/cgroup", "rw"),
        ({"security_opt": ["writable-cgroups=true"]}, "/sys/fs/cgroup", "rw"),
        ({"ipc_mode": "host"}, "/dev/shm", "rbind"),
    ],
)
def test_options_of_kernel_file_systems(settings: dict[str, Any], place: str, options: str) -> None:
    found = mount(composed(**settings), place)
    assert found is not None
    assert options in found["options"]


def test_no_shared_memory_without_ipc() -> None:
    assert mount(composed(ipc_mode="none"), "/dev/shm") is None


def test_privileged_lifts_what_confines() -> None:
    document = composed(privileged=True)
    linux = document["linux"]
    assert linux["maskedPaths"] == linux["readonlyPaths"] == []
    assert "seccomp" not in linux
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert {"/dev/null", "/dev/zero"} <= {node["path"] for node in linux["devices"]}
    assert document["process"]["capabilities"]["effective"] == list(capabilities.KNOWN)


def test_paths_of_the_client_win() -> None:
    linux = composed(masked_paths=[], readonly_paths=["/proc/irq"])["linux"]
    assert linux["maskedPaths"] == []
    assert linux["readonlyPaths"] == ["/proc/irq"]


@pytest.mark.parametrize(
    ("settings", "joined", "expected"),
    [
        ({"network_mode": "host"}, {}, {"network": None}),
        ({"network_mode": "none"}, {}, {"network": ""}),
        ({"network_mode": "bridge"}, {"network": "/run/n"}, {"network": "/run/n"}),
        ({"network_mode": "container:x"}, {"network": "/p"}, {"network": "/p"}),
        ({"pid_mode": "host"}, {}, {"pid": None}),
        ({"pid_mode": "container:x"}, {"pid": "/p"}, {"pid": "/p"}),
        ({"ipc_mode": "host"}, {}, {"ipc": None}),
        ({"ipc_mode": "shareable"}, {}, {"ipc": ""}),
        ({"uts_mode": "host"}, {}, {"uts": None}),
        ({"cgroupns_mode": "host"}, {}, {"cgroup": None}),
    ],
)
def test_namespaces(
    settings: dict[str, Any], joined: dict[str, str], expected: dict[str, str | None]
) -> None:
    document = composed(plan_changes={"joined": Joined(**joined)}, **settings)
    for kind, path in expected.items():
        assert namespaces(document).get(kind) == path


def test_cgroup_namespace_follows_the_host() -> None:
    assert "cgroup" in namespaces(composed())
    assert "cgroup" not in namespaces(composed(on=host(cgroup=V1)))


def test_joining_needs_a_path() -> None:
    with pytest.raises(System, match="cannot join the pid namespace of container x"):
        composed(pid_mode="container:x")


def test_no_sysctls_in_a_network_of_others() -> None:
    assert composed(network_mode="host")["linux"]["sysctl"] == {}
    own = composed(sysctls={"net.core.somaxconn": "9"})["linux"]["sysctl"]
    assert own["net.core.somaxconn"] == "9"


def test_domain_and_hostname() -> None:
    document = composed(config={"domainname": "example.org"})
    assert document["linux"]["sysctl"]["kernel.domainname"] == "example.org"
    assert "hostname" not in composed(uts_mode="host")


def test_binds() -> None:
    point = MountPoint(type="bind", source="/src", destination="/data/deep", propagation="rprivate")
    readonly = MountPoint(type="volume", source="/v", destination="/data", rw=False)
    document = composed(mounts=[point, readonly])
    assert [m["destination"] for m in document["mounts"]][-2:] == ["/data", "/data/deep"]
    found = mount(document, "/data")
    assert found == {
        "destination": "/data", "type": "bind", "source": "/v",
        "options": ["rbind", "rro", "rprivate"],
    }  # fmt: skip
    assert mount(document, "/data/deep") == {
        "destination": "/data/deep", "type": "bind", "source": "/src",
        "options": ["rbind", "rprivate"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "kernel", "words"),
    [
        (BindOptions(), "6.1.0", ["rbind", "rro", "rprivate"]),
        (BindOptions(), "5.10.0-28", ["rbind", "ro", "rprivate"]),
        (BindOptions(non_recursive=True), "6.1.0", ["bind", "ro", "rprivate"]),
        (BindOptions(read_only_non_recursive=True), "6.1.0", ["rbind", "ro", "rprivate"]),
    ],
)
def test_read_only_binds(options: BindOptions, kernel: str, words: list[str]) -> None:
    point = MountPoint(type="bind", source="/s", destination="/d", rw=False)
    asked = Mount(type="bind", source="/s", target="/d", read_only=True, bind_options=options)
    on = host(kernel_release=kernel)
    made = plan(mounts=[point], on=on)
    settings = msgspec.structs.replace(made.container.host_config, mounts=[asked])
    container = msgspec.structs.replace(made.container, host_config=settings)
    document = spec.compose(msgspec.structs.replace(made, container=container), on)
    found = mount(document, "/d")
    assert found is not None
    assert found["options"] == words


@pytest.mark.parametrize(
    ("propagation", "root"), [("rprivate", None), ("rslave", "rslave"), ("shared", "shared")]
)
def test_root_propagation_lets_binds_follow_the_host(propagation: str, root: str | None) -> None:
    point = MountPoint(type="bind", source="/s", destination="/d", propagation=propagation)
    assert composed(mounts=[point])["linux"].get("rootfsPropagation") == root


def test_tmpfs() -> None:
    document = composed(tmpfs={"/run": "rw,size=64k,exec"})
    found = mount(document, "/run")
    assert found is not None
    assert found["type"] == "tmpfs"
    assert found["options"] == ["nosuid", "nodev", "rprivate", "rw", "size=64k", "exec"]


def test_files_of_the_network_yield_to_binds() -> None:
    files = {"hosts_path": "/c/hosts", "hostname_path": "/c/hostname"}
    point = MountPoint(type="bind", source="/mine", destination="/etc/hosts")
    document = composed(mounts=[point], plan_changes=files)
    hosts, hostname = mount(document, "/etc/hosts"), mount(document, "/etc/hostname")
    assert hosts is not None
    assert hosts["source"] == "/mine"
    assert hostname is not None
    assert hostname["source"] == "/c/hostname"
    assert mount(document, "/etc/resolv.conf") is None


def test_a_bind_of_dev_is_left_alone() -> None:
    point = MountPoint(type="bind", source="/dev", destination="/dev")
    places = [m["destination"] for m in composed(mounts=[point])["mounts"]]
    assert [p for p in places if p.startswith("/dev")] == ["/dev"]


def test_read_only_root() -> None:
    document = composed(
        readonly_rootfs=True,
        mounts=[MountPoint(type="bind", source="/s", destination="/d")],
        plan_changes={"hosts_path": "/c/hosts"},
    )
    assert document["root"]["readonly"] is True
    for place, read_only in (("/etc/hosts", True), ("/d", False), ("/dev", False)):
        found = mount(document, place)
        assert found is not None
        assert ("ro" in found["options"]) is read_only


def test_init() -> None:
    document = composed(plan_changes={"init_path": "/usr/bin/tini"})
    assert document["process"]["args"] == ["/sbin/docker-init", "--", "sh"]
    assert document["mounts"][-1]["source"] == "/usr/bin/tini"
    # Our own executor needs none of the host's.
    document = composed(plan_changes={"init_path": None}, init=True)
    assert (document["process"]["args"], document["process"]["init"]) == (["sh"], True)


def test_user_other_than_root_has_a_bounding_set_alone() -> None:
    document = composed(plan_changes={"user": User(uid=7, gid=8, additional_gids=(8, 9))})
    assert document["process"]["user"] == {"uid": 7, "gid": 8, "additionalGids": [8, 9]}
    assert set(document["process"]["capabilities"]) == {"bounding"}


def test_rlimits() -> None:
    limits = [Ulimit(name="nofile", soft=1, hard=2), Ulimit(name="core", soft=-1, hard=-1)]
    assert composed(ulimits=limits)["process"]["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "hard": 2, "soft": 1},
        {"type": "RLIMIT_CORE", "hard": 2**64 - 1, "soft": 2**64 - 1},
    ]
    with pytest.raises(InvalidParameter, match="invalid ulimit type: nope"):
        composed(ulimits=[Ulimit(name="nope")])


def test_the_engines_own_limit_of_open_files_is_not_the_containers() -> None:
    raised = host(open_files=(1024, -1))
    inherited = {"type": "RLIMIT_NOFILE", "hard": 2**64 - 1, "soft": 1024}
    assert resources.rlimits(None, raised) == [inherited]
    chosen = [Ulimit(name="nofile", soft=1, hard=2)]
    assert resources.rlimits(chosen, raised) == resources.rlimits(chosen, host())


@pytest.mark.parametrize(
    ("settings", "part", "expected"),
    [
        ({"memory": 1 << 30}, "memory", {"limit": 1 << 30, "swap": 2 << 30}),
        ({"memory": 1 << 30, "memory_swap": -1}, "memory", {"limit": 1 << 30, "swap": -1}),
        ({"nano_cpus": 1_500_000_000}, "cpu", {"period": 100_000, "quota": 150_000}),
        ({"cpu_period": 50_000, "cpu_quota": -1}, "cpu", {"period": 50_000, "quota": -1}),
        ({"cpu_shares": 1}, "cpu", {"shares": 2}),
        ({"cpuset_cpus": "0-1", "cpuset_mems": "0"}, "cpu", {"cpus": "0-1", "mems": "0"}),
        ({"pids_limit": 9}, "pids", {"limit": 9}),
        ({"pids_limit": -1}, "pids", None),
        ({"oom_kill_disable": True}, "memory", {"disableOOMKiller": True}),
    ],
)
def test_limits(settings: dict[str, Any], part: str, expected: dict[str, int] | None) -> None:
    assert composed(**settings)["linux"]["resources"].get(part) == expected


def test_devices(tmp_path: Path) -> None:
    mapping = DeviceMapping(
        path_on_host="/dev/null", path_in_container="/dev/nothing", cgroup_permissions="r"
    )
    linux = composed(devices=[mapping], device_cgroup_rules=["c 42:* rw"])["linux"]
    node = linux["devices"][0]
    assert (node["path"], node["type"], node["major"], node["minor"]) == ("/dev/nothing", "c", 1, 3)
    assert linux["resources"]["devices"][-2:] == [
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"},
        {"allow": True, "type": "c", "major": 42, "access": "rw"},
    ]
    for path, reason in ((tmp_path / "gone", "no such file or directory"), (tmp_path, "not a de")):
        with pytest.raises(InvalidParameter, match=f'adding custom device "{path}": {reason}'):
            composed(devices=[DeviceMapping(path_on_host=str(path))])


def test_a_rate_for_a_device_by_its_number() -> None:
    rate = ThrottleDevice(path="/dev/null", rate=5)
    block = composed(blkio_device_read_bps=[rate])["linux"]["resources"]["blockIO"]
    assert block == {"throttleReadBpsDevice": [{"major": 1, "minor": 3, "rate": 5}]}


def test_drivers_of_devices_are_not_here() -> None:
    request = DeviceRequest(count=-1, capabilities=[["gpu"]])
    with pytest.raises(
        InvalidParameter, match=r'could not select device driver "" with capabilities: \[\[gpu'
    ):
        devices.check(HostConfig(device_requests=[request]))


def test_custom_profile_and_none() -> None:
    profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}'
    assert composed(security_opt=[f"seccomp={profile}"])["linux"]["seccomp"] == {
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [],
    }  # fmt: skip
    assert "seccomp" not in composed(security_opt=["seccomp=unconfined"])["linux"]
    with pytest.raises(InvalidParameter, match="Decoding seccomp profile failed"):
        composed(security_opt=["seccomp=[]"])
    with pytest.raises(InvalidParameter, match="seccomp is not enabled in your kernel"):
        composed(security_opt=[f"seccomp={profile}"], on=host(seccomp=False))


def test_composing_changes_nothing_on_the_host(tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    composed(mounts=[MountPoint(type="bind", source=str(tmp_path / "new"), destination="/d")])
    assert sorted(os.listdir(tmp_path)) == before


def test_tmpfs_of_a_mount() -> None:
    asked = Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=10, mode=0o700))
    assert tmpfs.options_of(asked)[-2:] == ["mode=700", "size=10"]
