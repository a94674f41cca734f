"""Health checks: the processor time that a second of them costs outside the containers."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import docker
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine
from benches.processor_time import spent_s

SECOND_NS = 1_000_000_000
MEASURED_S = 30.0
SERVER = "mkdir /w; echo ok > /w/index.html; exec httpd -f -p 127.0.0.1:80 -h /w"


@pytest.mark.parametrize("kind", ["CMD true", "HTTP"])
def bench_health(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes, kind: str) -> None:
    """Beside HTTP probes of ours, the peer asks by wget: it has no other way."""
    benchmark.group = (
        f"{kind} each second in {sizes.checked_containers} containers (CPU in extra_info)"
    )
    names = [checked(engine, kind) for _ in range(sizes.checked_containers)]
    try:
        until_healthy(engine, names)
        shares: list[float] = []
        measured_s = MEASURED_S if benchmark.enabled else 1.0
        with counting(engine) as ended:
            benchmark.pedantic(lambda: shares.append(share(engine, measured_s)), rounds=1)
        benchmark.extra_info["core_permille"] = 1000 * shares[-1]
        if ended:
            # A peer that cannot do with the processors there are does fewer.
            per_s = len(ended) / measured_s
            benchmark.extra_info["cpu_us_a_probe"] = 1e6 * shares[-1] / per_s
    finally:
        engine.run("rm", "-f", *names)


def checked(engine: Engine, kind: str) -> str:
    """A container that is probed each second; the docker CLI has no way to say it all."""
    test = ["CMD", "true"]
    if kind == "HTTP":
        url = "http://127.0.0.1/"
        test = ["HTTP", url] if engine.name == "drayman" else ["CMD", "wget", "-qO-", url]
    body: dict[str, Any] = {
        "Image": "busybox",
        "Cmd": ["sh", "-c", SERVER],
        "HostConfig": {"NetworkMode": "none"},
        "Healthcheck": {"Test": test, "Interval": SECOND_NS},
    }
    with closing(docker.APIClient(base_url=engine.host)) as client:
        name = str(client.create_container_from_config(body)["Id"])
    engine.run("start", name)
    return name


def until_healthy(engine: Engine, names: list[str]) -> None:
    """Until each was probed once."""
    limit = time.monotonic() + 60
    while len(engine.output("ps", "-q", "--filter", "health=healthy").split()) < len(names):
        assert time.monotonic() < limit, engine.output("ps", "-a")
        time.sleep(0.2)


@contextmanager
def counting(engine: Engine) -> Iterator[list[str]]:
    """The ends of probes' commands, of which there are events, once the block has ended."""
    command = [
        "docker",
        "-H",
        engine.host,
        "events",
        "--filter",
        "event=exec_die",
        "--format",
        "{{.Action}}",
    ]
    ended: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
        yield ended
        events.terminate()
        assert events.stdout is not None
        ended += events.stdout.readlines()


def share(engine: Engine, measured_s: float) -> float:
    """Of one core, what the engine, its shims and the probes take."""
    before, began = spent_s(engine), time.monotonic()
    while time.monotonic() < began + measured_s:
        time.sleep(measured_s / 100)
    return (spent_s(engine) - before) / (time.monotonic() - began)
