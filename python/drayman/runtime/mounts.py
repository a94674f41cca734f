"""The mounts of a container in order: the kernel's file systems, files of ours, the user's."""

from __future__ import annotations

import posixpath
from typing import Any

from drayman.model.container import HostConfig
from drayman.model.mount import BindOptions, MountPoint
from drayman.runtime import resources, security, tmpfs
from drayman.runtime.host import Host
from drayman.runtime.plan import ContainerPlan
from drayman.runtime.process import INIT_INSIDE

MountDict = dict[str, Any]

# From here on a read-only bind can be read-only all the way down (mount_setattr).
_RECURSIVE_READ_ONLY_KERNEL = (5, 12)
# Stay writable under a read-only root: they are not on it.
_ALWAYS_WRITABLE = ("/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
_SHM = "/dev/shm"


def _mount(destination: str, kind: str, source: str, *options: str) -> MountDict:
    return {
        "destination": destination,
        "type": kind,
        "source": source,
        "options": list(options),
    }


def compose(plan: ContainerPlan, host: Host) -> list[MountDict]:
    """The OCI ``mounts``. Raises InvalidParameter for tmpfs options that cannot be."""
    host_config = plan.container.host_config
    user = sorted(_user(plan, host), key=lambda mount: _depth(mount["destination"]))
    taken = {mount["destination"] for mount in user}
    kept = [
        mount
        for mount in [*_kernel(plan), *_network_files(plan)]
        if mount["destination"] not in taken
        and not ("/dev" in taken and mount["destination"].startswith("/dev/"))
    ]
    if host_config.readonly_rootfs:
        for mount in kept:
            if mount["destination"] not in _ALWAYS_WRITABLE and "ro" not in mount["options"]:
                mount["options"].append("ro")
    mounts = [*kept, *user]
    if plan.init_path is not None:
        mounts.append(_mount(INIT_INSIDE, "bind", plan.init_path, "bind", "ro"))
    return mounts


def rootfs_propagation(mounts: list[MountDict]) -> str:
    """The OCI ``linux.rootfsPropagation`` that binds need to see the host's mounts come
    and go: "" for the executor's own default, private."""
    options = {option for mount in mounts for option in mount["options"]}
    if options & {"shared", "rshared"}:
        return "shared"
    return "rslave" if options & {"slave", "rslave"} else ""


def _kernel(plan: ContainerPlan) -> list[MountDict]:
    host_config = plan.container.host_config
    writable = "rw" if host_config.privileged else "ro"
    cgroup = "rw" if security.parse(host_config.security_opt).writable_cgroups else writable
    mounts = [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts", "devpts", "devpts",
            "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5",
        ),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", writable),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", cgroup, "nosuid", "noexec", "nodev"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
    ]  # fmt: skip
    return mounts + _shm(host_config, plan.shm_path)


def _shm(host_config: HostConfig, path: str) -> list[MountDict]:
    if host_config.ipc_mode == "none":
        return []
    if host_config.ipc_mode == "host":
        path = path or _SHM
    if path:
        return [_mount(_SHM, "bind", path, "rbind", "rprivate")]
    size = host_config.shm_size or resources.DEFAULT_SHM_BYTES
    options = ("nosuid", "noexec", "nodev", "mode=1777", f"size={size}")
    return [_mount(_SHM, "tmpfs", "shm", *options)]


def _network_files(plan: ContainerPlan) -> list[MountDict]:
    return [
        _mount(destination, "bind", source, "rbind", "rprivate")
        for destination, source in (
            ("/etc/resolv.conf", plan.resolv_conf_path),
            ("/etc/hostname", plan.hostname_path),
            ("/etc/hosts", plan.hosts_path),
        )
        if source
    ]


def _user(plan: ContainerPlan, host: Host) -> list[MountDict]:
    host_config = plan.container.host_config
    asked = {posixpath.normpath(m.target): m for m in host_config.mounts or ()}
    mounts: list[MountDict] = []
    for point in plan.mounts:
        request = asked.get(point.destination)
        if point.type == "tmpfs":
            options = tmpfs.options_of(request) if request else tmpfs.merge("")
            mounts.append(_mount(point.destination, "tmpfs", "tmpfs", *options))
        else:
            bind = request.bind_options if request and request.bind_options else BindOptions()
            mounts.append(_bind(point, bind, host))
    for destination, words in (host_config.tmpfs or {}).items():
        options = tmpfs.merge(words)
        mounts.append(_mount(posixpath.normpath(destination), "tmpfs", "tmpfs", *options))
    return mounts


def _bind(point: MountPoint, options: BindOptions, host: Host) -> MountDict:
    words = ["bind" if options.non_recursive else "rbind"]
    if not point.rw:
        recursive = (
            host.kernel >= _RECURSIVE_READ_ONLY_KERNEL
            and not options.non_recursive
            and not options.read_only_non_recursive
        )
        words.append("rro" if recursive else "ro")
    words.append(point.propagation or options.propagation or "rprivate")
    return _mount(point.destination, "bind", point.source, *words)


def _depth(destination: str) -> int:
    """A mount below another comes after it."""
    return posixpath.normpath(destination).count("/")
