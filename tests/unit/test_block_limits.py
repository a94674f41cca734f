"""Limits of block devices, as files of cgroups have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from drayman.runtime import block_limits
from drayman.runtime.block_limits import Setting

ONE = {"major": 8, "minor": 0}
EVERYTHING: dict[str, Any] = {
    "weight": 1000,
    "weightDevice": [ONE | {"weight": 20}],
    "throttleReadBpsDevice": [ONE | {"rate": 1}],
    "throttleWriteBpsDevice": [ONE | {"rate": 2}],
    "throttleReadIOPSDevice": [ONE | {"rate": 3}, {"major": 8, "minor": 16, "rate": 4}],
    "throttleWriteIOPSDevice": [ONE | {"rate": 5}],
}


def test_settings_v1() -> None:
    assert list(block_limits.settings_v1(EVERYTHING)) == [
        ("blkio", "blkio.weight", "1000"),
        ("blkio", "blkio.weight_device", "8:0 20"),
        ("blkio", "blkio.bfq.weight", "1000"),
        ("blkio", "blkio.bfq.weight_device", "8:0 20"),
        ("blkio", "blkio.throttle.read_bps_device", "8:0 1"),
        ("blkio", "blkio.throttle.write_bps_device", "8:0 2"),
        ("blkio", "blkio.throttle.read_iops_device", "8:0 3"),
        ("blkio", "blkio.throttle.read_iops_device", "8:16 4"),
        ("blkio", "blkio.throttle.write_iops_device", "8:0 5"),
    ]


def test_settings_v2() -> None:
    assert list(block_limits.settings_v2(EVERYTHING)) == [
        ("io", "io.weight", "default 10000"),
        ("io", "io.bfq.weight", "1000"),
        ("io", "io.bfq.weight", "8:0 20"),
        ("io", "io.max", "8:0 rbps=1"),
        ("io", "io.max", "8:0 wbps=2"),
        ("io", "io.max", "8:0 riops=3"),
        ("io", "io.max", "8:16 riops=4"),
        ("io", "io.max", "8:0 wiops=5"),
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            block_limits.settings_v1,
            [
                ("blkio", "blkio.weight_device", "8:0 default"),
                ("blkio", "blkio.bfq.weight_device", "8:0 default"),
                ("blkio", "blkio.throttle.read_bps_device", "8:0 0"),
                ("blkio", "blkio.throttle.write_bps_device", "8:0 0"),
                ("blkio", "blkio.throttle.read_iops_device", "8:16 0"),
                ("blkio", "blkio.throttle.write_iops_device", "8:0 0"),
            ],
        ),
        (
            block_limits.settings_v2,
            [
                ("io", "io.bfq.weight", "8:0 default"),
                ("io", "io.max", "8:0 rbps=max"),
                ("io", "io.max", "8:0 wbps=max"),
                ("io", "io.max", "8:16 riops=max"),
                ("io", "io.max", "8:0 wiops=max"),
            ],
        ),
    ],
)
def test_what_is_limited_no_more(
    settings: Callable[[dict[str, Any]], Iterator[Setting]], expected: list[Setting]
) -> None:
    after = {"throttleReadIOPSDevice": [ONE | {"rate": 9}]}
    before, now = list(settings(EVERYTHING)), list(settings(after))
    assert list(block_limits.lifted(before, now)) == expected


# Of a host with two disks; the second file as BFQ's is.
IO_MAX = "8:0 rbps=1 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=max riops=3 wiops=max\n"
WEIGHTS = "default 100\n8:0 20\n"


@pytest.mark.parametrize(
    ("name", "text", "value", "before"),
    [
        ("io.max", IO_MAX, "8:16 riops=9", "8:16 rbps=max wbps=max riops=3 wiops=max"),
        ("io.max", IO_MAX, "8:1 wiops=9", "8:1 wiops=max"),
        ("io.max", "", "8:0 rbps=max", "8:0 rbps=max"),
        ("io.bfq.weight", WEIGHTS, "8:0 30", "8:0 20"),
        ("io.bfq.weight", WEIGHTS, "8:1 30", "8:1 default"),
        ("io.bfq.weight", WEIGHTS, "30", None),
        ("io.weight", "default 100\n", "default 30", None),
        ("blkio.throttle.read_bps_device", "8:0 7\n", "8:0 0", "8:0 7"),
        ("blkio.throttle.read_bps_device", "8:0 7\n", "8:16 5", "8:16 0"),
        ("cpuset.cpus", "0-1\n", "0", None),
        ("cpu.max", "max 100000\n", "50000 100000", None),
    ],
)
def test_what_stood_there(name: str, text: str, value: str, before: str | None) -> None:
    assert block_limits.standing(name, text, value) == before
