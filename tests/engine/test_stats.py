"""Samples: what a container uses, for one or for all, one read a second however many watch."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.engine.engines import POLL_S, TIMEOUT_S, EngineServer, until

from drayman.runtime.host import Host

BUSY = ("sh", "-c", "while :; do :; done")
ALONE = {"HostConfig": {"NetworkMode": "none"}}
ZERO_CPU = {
    "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
    "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
}


@pytest.fixture
def box(engine_server: EngineServer) -> Iterator[str]:
    """A container that has no network and sleeps."""
    name = engine_server.running(**ALONE)
    yield name
    engine_server.api("DELETE", f"/containers/{name}?force=1")


@contextmanager
def stream(engine: EngineServer, path: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The documents of an answer, as they come."""
    connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(TIMEOUT_S)
    connection.sock.connect(str(engine.socket_path))
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    try:
        yield (json.loads(line) for line in answer)
    finally:
        answer.close()
        connection.close()


def once(engine: EngineServer, name: str, query: str = "stream=0&one-shot=1") -> dict[str, Any]:
    status, sample = engine.api("GET", f"/containers/{name}/stats?{query}")
    assert status == 200, sample
    assert isinstance(sample, dict)
    return sample


def test_one_shot_has_no_predecessor(engine_server: EngineServer, box: str) -> None:
    sample = once(engine_server, box)
    assert sample["id"] == box
    assert sample["os_type"] == "linux"
    assert sample["precpu_stats"] == ZERO_CPU
    assert sample["preread"] == "0001-01-01T00:00:00Z"
    assert sample["pids_stats"]["current"] == 1
    assert 0 < sample["memory_stats"]["usage"] <= sample["memory_stats"]["max_usage"]
    assert sample["memory_stats"]["limit"] == Host.detect().memory_bytes
    assert sample["cpu_stats"]["online_cpus"] == os.cpu_count()
    assert (
        len(sample["cpu_stats"]["cpu_usage"]["percpu_usage"]) >= sample["cpu_stats"]["online_cpus"]
    )
    assert sample["blkio_stats"]["io_queue_recursive"] == []
    assert "networks" not in sample


def test_one_sample_waits_for_another(engine_server: EngineServer) -> None:
    busy = engine_server.running(*BUSY, **ALONE)
    sample = once(engine_server, busy, "stream=0")
    now, before = sample["cpu_stats"], sample["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    # Something between nothing and all of one processor, however loaded the others are.
    assert 0 < used <= (now["system_cpu_usage"] - before["system_cpu_usage"]) * 1.1
    assert sample["preread"] < sample["read"]


def test_limits_are_told(engine_server: EngineServer) -> None:
    limits = {"Memory": 32 << 20, "PidsLimit": 7, "NetworkMode": "none"}
    limited = engine_server.running(HostConfig=limits)
    sample = once(engine_server, limited)
    assert sample["memory_stats"]["limit"] == 32 << 20
    assert sample["pids_stats"] == {"current": 1, "limit": 7}


def test_who_watches_gets_a_sample_at_once_and_then_others(
    engine_server: EngineServer, box: str
) -> None:
    path = f"/containers/{box}/stats"
    with stream(engine_server, path) as first:
        assert next(first)["precpu_stats"] == ZERO_CPU
        second = next(first)
        assert "system_cpu_usage" in second["precpu_stats"]
        with stream(engine_server, path) as other:
            # The collector has it already, with its predecessor.
            joined = next(other)
            assert joined["read"] >= second["read"]
            assert "system_cpu_usage" in joined["precpu_stats"]
            read = {one["read"] for one in (joined, next(other), next(other))}
            mine = {next(first)["read"] for _ in range(3)}
            assert len(read & mine) >= 2


def test_networks_by_their_names_inside(engine_server: EngineServer) -> None:
    bridged = engine_server.running()
    sharing = engine_server.running(HostConfig={"NetworkMode": f"container:{bridged}"})
    host = engine_server.running(HostConfig={"NetworkMode": "host"})
    engine_server.docker("exec", bridged, "ping", "-c", "1", "-w", "1", "127.0.0.1", code=None)
    networks = once(engine_server, bridged)["networks"]
    assert list(networks) == ["eth0"]
    assert set(networks["eth0"]) == {
        f"{way}_{what}"
        for way in ("rx", "tx")
        for what in ("bytes", "packets", "errors", "dropped")
    }
    assert list(once(engine_server, sharing)["networks"]) == ["eth0"]
    assert "networks" not in once(engine_server, host)


@pytest.mark.parametrize("query", ["stream=0", "stream=0&one-shot=1"])
def test_what_does_not_run_uses_nothing(engine_server: EngineServer, query: str) -> None:
    created = engine_server.create("true", name=f"zero-{len(query)}")
    assert once(engine_server, created, query) == {
        "id": created,
        "name": f"/zero-{len(query)}",
        "os_type": "linux",
        "read": "0001-01-01T00:00:00Z",
        "preread": "0001-01-01T00:00:00Z",
        "num_procs": 0,
        "pids_stats": {},
        "cpu_stats": ZERO_CPU,
        "precpu_stats": ZERO_CPU,
        "memory_stats": {},
        "blkio_stats": dict.fromkeys(sample_lists()),
        "storage_stats": {},
    }


def sample_lists() -> list[str]:
    names = ("service_bytes", "serviced", "queue", "service_time", "wait_time", "merged", "time")
    return [*(f"io_{name}_recursive" for name in names), "sectors_recursive"]


def test_a_container_is_watched_through_its_end_and_its_removal(
    engine_server: EngineServer, box: str
) -> None:
    with stream(engine_server, f"/containers/{box}/stats") as watched:
        assert next(watched)["pids_stats"]["current"] == 1
        engine_server.api("POST", f"/containers/{box}/kill")
        while next(watched)["pids_stats"]:
            pass
        engine_server.api("POST", f"/containers/{box}/start")
        while not next(watched)["pids_stats"]:
            pass
        engine_server.api("DELETE", f"/containers/{box}?force=1")
        # The stream ends.
        assert sum(1 for _ in watched) < 20


def test_all_of_them_in_one_answer(engine_server: EngineServer, box: str) -> None:
    ours = {"k": "v"}
    first = engine_server.running(name="all-1", Labels=ours, **ALONE)
    second = engine_server.running(name="all-2", Labels=ours, **ALONE)
    query = "filters=" + json.dumps({"label": ["k=v"]}).replace(" ", "")
    status, text = engine_server.api("GET", f"/containers/stats?stream=0&one-shot=1&{query}")
    assert status == 200
    samples = [json.loads(line) for line in text.splitlines()]
    assert [(one["id"], one["name"]) for one in samples] == [(second, "/all-2"), (first, "/all-1")]
    _, text = engine_server.api("GET", "/containers/stats?stream=0")
    samples = [json.loads(line) for line in text.splitlines()]
    assert {first, second, box} <= {one["id"] for one in samples}
    assert all("system_cpu_usage" in one["precpu_stats"] for one in samples)
    with stream(engine_server, f"/containers/stats?{query}") as watched:
        assert {next(watched)["id"], next(watched)["id"]} == {first, second}
        third = engine_server.running(Labels=ours, **ALONE)
        while next(watched)["id"] != third:
            pass
        engine_server.api("DELETE", f"/containers/{first}?force=1")
        # Whole rounds of two follow, once it is gone.
        until(lambda: {next(watched)["id"] for _ in range(4)} == {second, third})
    status, answer = engine_server.api("GET", '/containers/stats?filters={"colour":["red"]}')
    assert (status, answer) == (400, {"message": "invalid filter 'colour'"})


def test_nothing_is_read_when_nobody_watches(engine_server: EngineServer, box: str) -> None:
    with stream(engine_server, f"/containers/{box}/stats") as watched:
        next(watched)
        next(watched)
    # The kernel counts what the engine reads: for more than a beat, nothing.
    counts = Path(f"/proc/{engine_server.process.pid}/io")
    seen, since_s = counts.read_text(), time.monotonic()
    deadline_s = since_s + TIMEOUT_S
    while time.monotonic() - since_s < 1.5:
        time.sleep(POLL_S)
        if (now := counts.read_text()) != seen:
            seen, since_s = now, time.monotonic()
        assert since_s < deadline_s, now


def test_the_cli_shows_numbers(engine_server: EngineServer) -> None:
    busy = engine_server.running(*BUSY, name="busy", HostConfig={"Memory": 32 << 20})
    shown = json.loads(
        engine_server.docker("stats", "--no-stream", "--format", "json", "busy").stdout
    )
    assert shown["ID"] == busy[:12]
    assert shown["Name"] == "busy"
    assert shown["PIDs"] == "1"
    assert shown["MemUsage"].endswith("/ 32MiB")
    assert 0 < float(shown["CPUPerc"].rstrip("%")) <= 110
    all_of_them = engine_server.docker("stats", "--no-stream", "--format", "{{.Name}}").stdout
    assert b"busy" in all_of_them.split()


def test_docker_py_shows_numbers(engine_server: EngineServer, box: str) -> None:
    container = engine_server.client().containers.get(box)
    sample = container.stats(stream=False)
    assert sample["precpu_stats"]["system_cpu_usage"] < sample["cpu_stats"]["system_cpu_usage"]
    samples = container.stats(decode=True)
    assert next(samples)["read"] < next(samples)["read"]
    samples.close()
