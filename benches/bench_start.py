"""Starting: whole containers, execs, and the engine itself, through the docker CLI."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine


@pytest.mark.benchmark(group="docker version (the CLI's own floor)")
def bench_floor(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    benchmark.pedantic(engine.run, ("version",), rounds=sizes.rounds, warmup_rounds=1)


@pytest.mark.benchmark(group="run --rm --network none busybox true")
def bench_run_none(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    command = ("run", "--rm", "--network", "none", "busybox", "true")
    benchmark.pedantic(engine.run, command, rounds=sizes.rounds, warmup_rounds=1)


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
    benchmark.pedantic(engine.curl, (path,), rounds=sizes.rounds, warmup_rounds=1)
