"""Samples: of one container at once, of all of them, and what it costs when somebody watches."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine
from benches.processor_time import spent_s

ONE_SHOT = "stats?stream=0&one-shot=1"
SUBSCRIBERS = 5
SAMPLES = 5


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
    before = spent_s(engine)

    def watch() -> None:
        with ThreadPoolExecutor(SUBSCRIBERS) as pool:
            list(pool.map(lambda _: follow(engine, path), range(SUBSCRIBERS)))

    benchmark.pedantic(watch, rounds=1)
    benchmark.extra_info["cpu_ms"] = (spent_s(engine) - before) * 1000


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
