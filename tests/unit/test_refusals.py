"""Which field a runtime's words blame."""

from __future__ import annotations

import pytest

from drayman.errors import DraymanError, InvalidParameter, System
from drayman.model.container import HostConfig
from drayman.model.mount import Mount
from drayman.runtime import refusals

HOST = HostConfig(
    tmpfs={"/t/": "mode=9"},
    mounts=[Mount(type="tmpfs", target="/m")],
    binds=["/etc:/b:ro", "/anonymous"],
    cpu_quota=5,
)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('write "5" to /sys/fs/cgroup/cpu/x/cpu.cfs_quota_us: invalid argument', "CpuQuota"),
        # runc's.
        ('failed to write "5": write /sys/fs/cgroup/x/pids.max: invalid argument', "PidsLimit"),
        ('write "1:3 5" to /c/blkio.throttle.read_bps_device: no such dev', "BlkioDeviceReadBps"),
        ("open /proc/sys/net/x: no such file or directory: unknown", "Sysctls"),
        ("error setting rlimit type 7: operation not permitted", "Ulimits"),
        ('error creating device "/x": not a directory', "Devices"),
        ('write "c 1:3 q" to /c/devices.allow: invalid argument', "Devices"),
        ('error mounting "tmpfs" to rootfs at "/t": invalid argument', "Tmpfs"),
        ('error mounting "tmpfs" to rootfs at "/m": invalid argument', "Mounts"),
        ('error mounting "/etc" to rootfs at "/b": not a directory', "Binds"),
    ],
)
def test_a_field_of_the_request(text: str, field: str) -> None:
    assert refusals.field(text, HOST) == f"HostConfig.{field}"


@pytest.mark.parametrize(
    "text",
    [
        "mkdir /sys/fs/cgroup/x: permission denied",
        'write "5" to /c/memory.limit_in_bytes: cannot allocate memory',
        'error mounting "tmpfs" to rootfs at "/m": no space left on device',
        'error mounting "proc" to rootfs at "/proc": operation not permitted',
        'exec: "x": executable file not found in $PATH: unknown',
    ],
)
def test_what_no_field_is_to_blame_for(text: str) -> None:
    assert refusals.field(text, HOST) == ""


def test_the_field_that_was_given_of_two_that_end_in_one_file() -> None:
    text = 'write "5" to /c/cpu.cfs_quota_us: invalid argument'
    assert refusals.field(text, HostConfig(nano_cpus=5)) == "HostConfig.NanoCpus"
    text = 'write "c 1:3 q" to /c/devices.allow: invalid argument'
    asked = HostConfig(device_cgroup_rules=["c 1:3 r"])
    assert refusals.field(text, asked) == "HostConfig.DeviceCgroupRules"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("not a directory", InvalidParameter), ("no space left on device", System)],
)
def test_a_path_is_to_blame_for_its_form_alone(reason: str, kind: type[DraymanError]) -> None:
    assert type(refusals.path("WorkingDir", System(f"/x: {reason}"))) is kind
