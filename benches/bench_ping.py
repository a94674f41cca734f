"""How soon an engine answers anything while it does all it can for others."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine

DOWNLOADS = 2


@pytest.mark.parametrize("load", ["idle", "two downloads"])
def bench_ping(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    big_file: Path,
    sizes: Sizes,
    load: str,
) -> None:
    benchmark.group = f"/_ping, {load}"
    engine.run("cp", str(big_file), f"{container}:/big")
    path = f"/containers/{container}/archive?path=/big"
    with (
        Client(engine.host) as client,
        downloading(engine, path, 0 if load == "idle" else DOWNLOADS),
    ):
        benchmark.pedantic(client.ping, rounds=sizes.pings, warmup_rounds=1)
    note_slowest(benchmark)


@pytest.mark.parametrize("asked", ["/_ping", "list"])
def bench_crowded(
    benchmark: BenchmarkFixture, engine: Engine, container: str, sizes: Sizes, asked: str
) -> None:
    """Beside clients of which each asks for a ping, a list and an inspection in turn."""
    benchmark.group = f"{asked}, {sizes.load_clients} clients that ask without a pause"
    path = "/_ping" if asked == "/_ping" else "/containers/json"
    with Client(engine.host) as client, crowding(engine, container, sizes.load_clients):
        benchmark.pedantic(client.ask, (path,), rounds=sizes.pings, warmup_rounds=1)
    note_slowest(benchmark)


def note_slowest(benchmark: BenchmarkFixture) -> None:
    """What one answer in twenty, and in a hundred, is slower than."""
    if benchmark.stats is not None:
        spread = statistics.quantiles(benchmark.stats.stats.data, n=100)
        benchmark.extra_info["p95_us"] = spread[94] * 1e6
        benchmark.extra_info["p99_us"] = spread[98] * 1e6


@contextmanager
def crowding(engine: Engine, container: str, clients: int) -> Iterator[None]:
    """So many clients that ask, in a process of their own."""
    paths = ["/_ping", "/containers/json", f"/containers/{container}/json"]
    command = [sys.executable, "-m", "benches.crowding", engine.host.removeprefix("unix://")]
    with subprocess.Popen(
        [*command, str(clients), *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process.poll() is None
        yield
        # It would say if it had fallen.
        assert process.poll() is None


@contextmanager
def downloading(engine: Engine, path: str, count: int) -> Iterator[None]:
    """So many clients that download one thing again and again."""
    ended = threading.Event()
    socket = engine.host.removeprefix("unix://")
    command = ["curl", "-sf", "--unix-socket", socket, "-o", "/dev/null", f"http://engine{path}"]

    def download() -> None:
        while not ended.is_set():
            subprocess.run(command, check=True)

    threads = [threading.Thread(target=download) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
