"""Starting: whole containers, execs, and the engine itself, through the docker CLI."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine


@pytest.mark.benchmark(group="docker version (the CLI's own floor)")
def bench_floor(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    benchmark.pedantic(engine.run, ("version",), rounds=sizes.rounds, warmup_rounds=1)


RUN = ("run", "--rm", "--network", "none", "busybox", "true")


@pytest.mark.benchmark(group="run --rm --network none busybox true")
def bench_run_none(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    """Also without the CLI's own floor, which is taken beside it."""
    floor_ms = statistics.median(took_ms(engine.run, "version") for _ in range(sizes.rounds))
    benchmark.pedantic(engine.run, RUN, rounds=sizes.rounds, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["above_floor_ms"] = benchmark.stats.stats.median * 1000 - floor_ms


def took_ms(work: Callable[..., object], *arguments: str) -> float:
    """How long a call takes."""
    began = time.monotonic()
    work(*arguments)
    return (time.monotonic() - began) * 1000


def bench_run_parallel(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    """A crowd of CLIs, which have the processors too: what is left without them is beside it."""
    benchmark.group = f"{sizes.parallel_runs} at once: run --rm --network none busybox true"

    def at_once(*arguments: str) -> None:
        with ThreadPoolExecutor(sizes.parallel_runs) as pool:
            works = [pool.submit(engine.run, *arguments) for _ in range(sizes.parallel_runs)]
            for work in works:
                work.result()

    floor_ms = took_ms(at_once, "version")
    benchmark.pedantic(at_once, RUN, rounds=min(sizes.rounds, 3))
    if benchmark.stats is not None:
        benchmark.extra_info["above_floor_ms"] = benchmark.stats.stats.median * 1000 - floor_ms


@pytest.mark.benchmark(group="POST start, to the process's own")
def bench_start(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    """The engine's own part: from the request to the answer, which comes once exec is done."""
    body = {
        "Image": "busybox",
        "Cmd": ["sleep", "3600"],
        "HostConfig": {"NetworkMode": "none"},
    }
    made: list[str] = []

    def create() -> tuple[tuple[str], dict[str, object]]:
        with Client(engine.host) as client:
            made.append(client.post("/containers/create", body)["Id"])
        return (made[-1],), {}

    def start(name: str) -> None:
        with Client(engine.host) as client:
            client.act(f"/containers/{name}/start")

    benchmark.pedantic(start, setup=create, rounds=sizes.rounds)
    engine.run("rm", "-f", *made)


@pytest.mark.benchmark(group="run --rm busybox true (bridge)")
def bench_run_bridge(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    command = ("run", "--rm", "busybox", "true")
    benchmark.pedantic(engine.run, command, rounds=sizes.rounds, warmup_rounds=1)


@pytest.mark.benchmark(group="exec true")
def bench_exec(benchmark: BenchmarkFixture, engine: Engine, container: str, sizes: Sizes) -> None:
    benchmark.pedantic(
        engine.run, ("exec", container, "true"), rounds=sizes.rounds, warmup_rounds=1
    )


@pytest.mark.benchmark(group="inspect by curl")
def bench_inspect(
    benchmark: BenchmarkFixture, engine: Engine, container: str, sizes: Sizes
) -> None:
    path = f"/containers/{container}/json"
    # More rounds: most of it is curl's own start, which varies by more than the answer takes.
    benchmark.pedantic(engine.curl, (path,), rounds=5 * sizes.rounds, warmup_rounds=1)
