"""Standard output: live and from the log."""

from __future__ import annotations

import subprocess

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine

ROUNDS = 3
LINE_BYTES = 139


@pytest.mark.benchmark(group="logs, by the CLI")
def bench_logs_cli(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    name = talker(engine, sizes)
    benchmark.pedantic(engine.run, ("logs", name), rounds=min(sizes.rounds, ROUNDS))
    engine.run("rm", name)


@pytest.mark.benchmark(group="logs, by curl")
def bench_logs_curl(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    name = talker(engine, sizes)
    path = f"/containers/{name}/logs?stdout=1"
    benchmark.pedantic(engine.curl, (path,), rounds=min(sizes.rounds, ROUNDS))
    engine.run("rm", name)


@pytest.mark.benchmark(group="run … head -c N /dev/zero | wc -c")
def bench_stdout_bytes(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    size = sizes.big_file_bytes // 2
    through(benchmark, engine, ("head", "-c", str(size), "/dev/zero"), size, sizes)


@pytest.mark.benchmark(group="run … yes | head -c N | wc -c (lines)")
def bench_stdout_lines(benchmark: BenchmarkFixture, engine: Engine, sizes: Sizes) -> None:
    size = sizes.log_bytes
    command = ("sh", "-c", f"yes a line of ordinary text that a program may print | head -c {size}")
    through(benchmark, engine, command, size, sizes)


def through(
    benchmark: BenchmarkFixture, engine: Engine, command: tuple[str, ...], size: int, sizes: Sizes
) -> None:
    """Count what comes out of ``docker run``."""

    def work() -> None:
        with subprocess.Popen(
            ["docker", "-H", engine.host, "run", "--rm", "--network", "none", "busybox", *command],
            stdout=subprocess.PIPE,
        ) as run:
            counted = subprocess.check_output(["wc", "-c"], stdin=run.stdout)
        assert int(counted) == size

    benchmark.pedantic(work, rounds=min(sizes.rounds, ROUNDS))


def talker(engine: Engine, sizes: Sizes) -> str:
    """A container that has written a log of the size wanted."""
    line = "x" * (LINE_BYTES - 1)
    name = engine.output(
        "run", "-d", "--network", "none", "busybox",
        "sh", "-c", f"yes {line} | head -n {sizes.log_bytes // LINE_BYTES}",
    )  # fmt: skip
    engine.run("wait", name)
    return name
