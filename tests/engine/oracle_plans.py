"""Plans made up from a seed, for comparing executors: each takes some of what can be asked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.engine.oracle import CGROUP_PARENT, SCRIPT

from drayman.model.container import Container, ContainerConfig, DeviceMapping, HostConfig, Ulimit
from drayman.model.mount import BindOptions, Mount, MountPoint
from drayman.runtime import process, resources, users
from drayman.runtime.host import Host
from drayman.runtime.plan import ContainerPlan

_CAPABILITIES = ("NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN", "IPC_LOCK", "SYS_NICE")
_DROPPED = ("CHOWN", "MKNOD", "NET_RAW", "SYS_CHROOT", "ALL")
_USERS = ("", "root", "worker", "1000", "4242:4243", "worker:audio")


def plan(seed: int, host: Host, rootfs: Path, files: Path) -> ContainerPlan:
    """The plan of a seed. ``files`` is a directory of the host to bind from."""
    chance = random.Random(seed)
    container_id = f"{chance.getrandbits(256):064x}"
    user_text = chance.choice(_USERS)
    group_add = chance.choice((None, ["audio"], ["777"]))
    config = ContainerConfig(
        hostname=f"oracle-{seed}",
        domainname=chance.choice(("", "example.org")),
        user=user_text,
        env=[f"SEED={seed}", "PATH=/bin:/usr/bin", "EMPTY="],
        cmd=["/bin/sh", "-c", SCRIPT],
        working_dir=chance.choice(("", "/tmp", "/made/by/runtime")),
    )
    binds, mounts = _mounts(chance, files)
    host_config = resources.defaults(
        HostConfig(**_limits(chance), **_privileges(chance), **_modes(chance), **mounts), host
    )
    user = users.lookup(
        (rootfs / "etc/passwd").read_text(),
        (rootfs / "etc/group").read_text(),
        user_text,
        group_add,
    )
    return ContainerPlan(
        container=Container(
            id=container_id,
            name=f"oracle-{seed}",
            created_at_ns=0,
            image_id="",
            config=config,
            host_config=host_config,
        ),
        user=user,
        env=process.environment(config, tty=False, home=user.home),
        mounts=binds,
        hosts_path=str(files / "hosts"),
        hostname_path=str(files / "hostname"),
        resolv_conf_path=str(files / "resolv.conf"),
    )


def make_files(place: Path) -> Path:
    """The directory that plans bind from."""
    (place / "data").mkdir(parents=True)
    (place / "data/file").write_text("bound\n")
    for name in ("hosts", "hostname", "resolv.conf"):
        (place / name).write_text(f"{name}\n")
    return place


def _limits(chance: random.Random) -> dict[str, Any]:
    return {
        "cgroup_parent": CGROUP_PARENT,
        "memory": chance.choice((0, 64 << 20, 256 << 20)),
        "memory_reservation": chance.choice((0, 32 << 20)),
        "memory_swappiness": chance.choice((None, 10)),
        "nano_cpus": chance.choice((0, 500_000_000)),
        "cpu_shares": chance.choice((0, 512)),
        "cpuset_cpus": chance.choice(("", "0")),
        "pids_limit": chance.choice((None, 50)),
        "oom_score_adj": chance.choice((0, 500)),
        "ulimits": chance.choice(
            (None, [Ulimit(name="nofile", soft=512, hard=1024), Ulimit(name="core")])
        ),
        "shm_size": chance.choice((0, 1 << 20)),
    }


def _privileges(chance: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "privileged": chance.random() < 0.15,
        "cap_add": chance.sample(_CAPABILITIES, chance.randint(0, 3)),
        "cap_drop": chance.sample(_DROPPED, chance.randint(0, 2)),
        "security_opt": chance.choice(
            ([], ["no-new-privileges"], ["seccomp=unconfined"], ["label=disable"])
        ),
        "masked_paths": chance.choice((None, None, [], ["/proc/kcore", "/sys/firmware"])),
        "readonly_paths": chance.choice((None, None, [], ["/proc/sys"])),
        "device_cgroup_rules": chance.choice((None, ["c 10:* rw", "b 7:0 rmw"])),
        "devices": chance.choice(
            (None, [DeviceMapping(path_on_host="/dev/kmsg", path_in_container="/dev/other")])
        ),
    }
    return chosen


def _modes(chance: random.Random) -> dict[str, Any]:
    return {
        "network_mode": chance.choice(("none", "none", "host")),
        "ipc_mode": chance.choice(("", "private", "shareable", "host", "none")),
        "pid_mode": chance.choice(("", "", "host")),
        "uts_mode": chance.choice(("", "", "host")),
        "cgroupns_mode": chance.choice(("", "", "private", "host")),
        "readonly_rootfs": chance.random() < 0.3,
    }


def _mounts(chance: random.Random, files: Path) -> tuple[list[MountPoint], dict[str, Any]]:
    points: list[MountPoint] = []
    chosen: dict[str, Any] = {}
    if chance.random() < 0.5:
        points.append(
            MountPoint(
                type="bind",
                source=str(files / "data"),
                destination="/data",
                rw=chance.random() < 0.5,
                propagation=chance.choice(("rprivate", "rslave", "private")),
            )
        )
        if chance.random() < 0.5:
            options = BindOptions(non_recursive=True)
            chosen["mounts"] = [
                Mount(type="bind", source="/unused", target="/data", bind_options=options)
            ]
    if chance.random() < 0.4:
        # A mode that is asked for is that of the place below, which runc sets anyway before 1.1.8.
        place, mode = chance.choice((("/tmp", "1777"), ("/srv", "0750"), ("/new", "0710")))
        words = ("", f"rw,size=64k,mode={mode}", "exec,uid=1000")
        chosen["tmpfs"] = {place: chance.choice(words)}
    return points, chosen
