"""What a container changed: many files added, many changed, none."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.client import Client
from benches.conftest import Sizes
from benches.engines import Engine


@pytest.fixture(scope="session")
def small_tar(small_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small files, for an image or a container."""
    path = tmp_path_factory.mktemp("tar") / "small.tar"
    subprocess.run(["tar", "-cf", path, small_files.name], cwd=small_files.parent, check=True)
    return path


@pytest.fixture
def changed(engine: Engine, small_tar: Path) -> Iterator[str]:
    """A container that has touched each file of its image, whose files came by a second layer."""
    host = engine.output("create", "--network", "none", "busybox", "true")
    with Client(engine.host) as client:
        client.put(f"/containers/{host}/archive?path=/", small_tar)
    with subprocess.Popen(
        ["docker", "-H", engine.host, "export", host], stdout=subprocess.PIPE
    ) as export:
        engine.run("import", "-", "small", stdin=export.stdout)
    engine.run("rm", host)
    name = engine.output(
        "run", "-d", "--network", "none", "small", "sh", "-c",
        "find /small -type f | xargs touch; exec sleep 3600",
    )  # fmt: skip
    engine.run("exec", name, "sh", "-c", "until grep -qx sleep /proc/1/comm; do sleep 0.1; done")
    yield name
    engine.run("rm", "-f", name)
    engine.run("rmi", "small")


@pytest.mark.benchmark(group="changes, many small files added (by curl)")
def bench_added(
    benchmark: BenchmarkFixture, engine: Engine, container: str, small_tar: Path, sizes: Sizes
) -> None:
    with Client(engine.host) as client:
        client.put(f"/containers/{container}/archive?path=/", small_tar)
    path = f"/containers/{container}/changes"
    benchmark.pedantic(engine.curl, (path,), rounds=sizes.rounds, warmup_rounds=1)


@pytest.mark.benchmark(group="changes, many small files modified (by curl)")
def bench_modified(benchmark: BenchmarkFixture, engine: Engine, changed: str, sizes: Sizes) -> None:
    path = f"/containers/{changed}/changes"
    benchmark.pedantic(engine.curl, (path,), rounds=sizes.rounds, warmup_rounds=1)


@pytest.mark.benchmark(group="changes, none (by a bare client)")
def bench_unchanged(
    benchmark: BenchmarkFixture, engine: Engine, container: str, sizes: Sizes
) -> None:
    def ask() -> None:
        with Client(engine.host) as client:
            client.get(f"/containers/{container}/changes")

    benchmark.pedantic(ask, rounds=sizes.pings, warmup_rounds=1)
