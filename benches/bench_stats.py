"""Samples: of one container at once, of all of them, and what it costs when somebody watches."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine

ONE_SHOT = "stats?stream=0&one-shot=1"
SUBSCRIBERS = 5
SAMPLES = 5
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def containers(engine: Engine, sizes: Sizes) -> Iterator[list[str]]:
    """Some that sleep."""
    command = ("run", "-d", "--network", "none", "busybox", "sleep", "3600")
    names = [engine.output(*command) for _ in range(sizes.idle_containers)]
    yield names
    engine.run("rm", "-f", *names)


@pytest.mark.benchmark(group="stats of one container, one-shot")
def bench_one(benchmark: BenchmarkFixture, engine: Engine, container: str, sizes: Sizes) -> None:
    benchmark.pedantic(
        ask, (engine, f"/containers/{container}/{ONE_SHOT}"), rounds=sizes.rounds, warmup_rounds=1
    )


@pytest.mark.benchmark(group="stats of all containers, one-shot")
def bench_all(
    benchmark: BenchmarkFixture, engine: Engine, containers: list[str], sizes: Sizes
) -> None:
    """Ours in one answer, a peer's one by one together, as its clients do."""

    def one_by_one() -> None:
        with ThreadPoolExecutor(len(containers)) as pool:
            paths = [f"/containers/{name}/{ONE_SHOT}" for name in containers]
            list(pool.map(lambda path: ask(engine, path), paths))

    def together() -> None:
        ask(engine, f"/containers/{ONE_SHOT}")

    work = together if engine.name == "drayman" else one_by_one
    benchmark.pedantic(work, rounds=sizes.rounds, warmup_rounds=1)


@pytest.mark.benchmark(group="stats, some samples for five subscribers (CPU in extra_info)")
def bench_subscribers(benchmark: BenchmarkFixture, engine: Engine, container: str) -> None:
    path = f"/containers/{container}/stats"
    before = cpu_ms(engine)

    def watch() -> None:
        with ThreadPoolExecutor(SUBSCRIBERS) as pool:
            list(pool.map(lambda _: follow(engine, path), range(SUBSCRIBERS)))

    benchmark.pedantic(watch, rounds=1)
    after = cpu_ms(engine)
    benchmark.extra_info["cpu_ms"] = sum(after[pid] - before[pid] for pid in before.keys() & after)


def ask(engine: Engine, path: str) -> None:
    """One request on a connection of its own."""
    with Client(engine.host) as client:
        client.get(path)


def follow(engine: Engine, path: str) -> None:
    """Read some samples of a stream."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(engine.host.removeprefix("unix://"))
    connection.request("GET", path)
    answer = connection.getresponse()
    for _ in range(SAMPLES):
        answer.readline()
    answer.close()
    connection.close()


def cpu_ms(engine: Engine) -> dict[int, float]:
    """What each of the engine's processes has used so far."""
    found = {}
    for pid in engine.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        found[pid] = (int(fields[11]) + int(fields[12])) * 1000 / TICKS_PER_S
    return found
