"""A sample's document, by the version of the host's cgroups."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.engine.test_stats import sample_lists

from drayman.engine import samples
from drayman.engine.samples import Moment
from drayman.model.container import Container, ContainerConfig, HostConfig, State
from drayman.runtime.cgroups import Layout
from drayman.runtime.host import Host

RECORD = Container(
    id="a" * 64,
    name="box",
    created_at_ns=1,
    image_id="sha256:1",
    config=ContainerConfig(),
    host_config=HostConfig(),
    state=State(status="running", pid=1),
)
FILES = {
    "memory.current": "4096\n",
    "memory.peak": "8192\n",
    "memory.max": "max\n",
    "memory.stat": "anon 1\ninactive_file 2\n",
    "memory.events": "low 0\noom 1\n",
    "cpu.stat": "usage_usec 9\nuser_usec 6\nsystem_usec 3\nnr_periods 2\nnr_throttled 1\n",
    "pids.current": "1\n",
    "pids.max": "max\n",
    "io.stat": "254:0 rbytes=1 wbytes=2 rios=3 wios=4\n",
}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One with the recorded tree of a container."""
    (tmp_path / "c").mkdir()
    for name, text in FILES.items():
        (tmp_path / "c" / name).write_text(text)
    layout = Layout(mode="v2", unified=str(tmp_path))
    return replace(Host.detect(), cgroup=layout)


def test_v2(host: Host) -> None:
    at = Moment()
    sample = samples.taken(RECORD, host, "/c", networked=False, at=at)
    assert sample == {
        **samples.zero(RECORD),
        "read": at.read,
        "pids_stats": {"current": 1},
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": 9000,
                "usage_in_kernelmode": 3000,
                "usage_in_usermode": 6000,
            },
            "system_cpu_usage": at.system_ns,
            "online_cpus": at.processors,
            "throttling_data": {"periods": 2, "throttled_periods": 1, "throttled_time": 0},
        },
        "memory_stats": {
            "usage": 4096,
            "limit": host.memory_bytes,
            "stats": {"anon": 1, "inactive_file": 2},
            "failcnt": 1,
        },
        "blkio_stats": {
            **dict.fromkeys(sample_lists()),
            "io_service_bytes_recursive": [
                {"major": 254, "minor": 0, "op": "read", "value": 1},
                {"major": 254, "minor": 0, "op": "write", "value": 2},
            ],
        },
    }


def test_one_that_has_just_ended(host: Host) -> None:
    sample = samples.taken(RECORD, host, "/gone", networked=True, at=Moment())
    assert sample == samples.zero(RECORD)
