"""How soon an engine answers anything while it sends all it can to others."""

from __future__ import annotations

import statistics
import subprocess
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
    if benchmark.stats is not None:
        slowest = statistics.quantiles(benchmark.stats.stats.data, n=20)[-1]
        benchmark.extra_info["p95_us"] = slowest * 1e6


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
