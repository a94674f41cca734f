"""Moving files as a user does: cp out and in and export, through the docker CLI."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.conftest import Sizes
from benches.engines import Engine

# Copies write gigabytes: fewer rounds than starts.
ROUNDS = 3


def rounds(sizes: Sizes) -> int:
    return min(sizes.rounds, ROUNDS)


@pytest.mark.benchmark(group="cp out, one large file")
def bench_cp_out_big(
    benchmark: BenchmarkFixture, engine: Engine, container: str, big_file: Path, sizes: Sizes
) -> None:
    engine.run("cp", str(big_file), f"{container}:/big")
    command = ("cp", f"{container}:/big", "-")
    benchmark.pedantic(engine.run, command, rounds=rounds(sizes), warmup_rounds=1)


@pytest.mark.benchmark(group="cp out as gzip, one large text (by curl)")
def bench_cp_out_gzip(
    benchmark: BenchmarkFixture, engine: Engine, container: str, text_file: Path, sizes: Sizes
) -> None:
    engine.run("cp", str(text_file), f"{container}:/text")
    asked = (f"/containers/{container}/archive?path=/text", "-H", "Accept-Encoding: gzip")
    benchmark.pedantic(engine.curl, asked, rounds=rounds(sizes), warmup_rounds=1)


@pytest.mark.benchmark(group="cp out, many small files")
def bench_cp_out_small(
    benchmark: BenchmarkFixture, engine: Engine, container: str, small_files: Path, sizes: Sizes
) -> None:
    engine.run("cp", str(small_files), f"{container}:/small")
    command = ("cp", f"{container}:/small", "-")
    benchmark.pedantic(engine.run, command, rounds=rounds(sizes), warmup_rounds=1)


@pytest.mark.benchmark(group="cp in, one large file")
def bench_cp_in_big(
    benchmark: BenchmarkFixture, engine: Engine, container: str, big_file: Path, sizes: Sizes
) -> None:
    numbers = itertools.count()
    benchmark.pedantic(
        lambda: engine.run("cp", str(big_file), f"{container}:/big{next(numbers)}"),
        rounds=rounds(sizes),
    )


@pytest.mark.benchmark(group="cp in, many small files")
def bench_cp_in_small(
    benchmark: BenchmarkFixture, engine: Engine, container: str, small_files: Path, sizes: Sizes
) -> None:
    numbers = itertools.count()
    benchmark.pedantic(
        lambda: engine.run("cp", str(small_files), f"{container}:/small{next(numbers)}"),
        rounds=rounds(sizes),
    )


@pytest.mark.benchmark(group="export, large file and small files")
def bench_export(
    benchmark: BenchmarkFixture,
    engine: Engine,
    container: str,
    big_file: Path,
    small_files: Path,
    sizes: Sizes,
) -> None:
    engine.run("cp", str(big_file), f"{container}:/big")
    engine.run("cp", str(small_files), f"{container}:/small")
    benchmark.pedantic(engine.run, ("export", container), rounds=rounds(sizes), warmup_rounds=1)
